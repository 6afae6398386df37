/* p1mb_device.h - the whole P1MB but its hardware: bytes of two ports in, answers and lights out.
 *
 *   P1 port   telegrams -> reading -> register image; or a configuration session (p1mb_port.h)
 *   RS485     requests -> answers from the image (rtu_slave.h); what is written is kept (p1mb_store.h) and active at
 *             the reboot
 *
 * Registers read 0 until the first telegram, STALE_MS at most, and with silence or damage for as long reads of measured
 * registers are refused (0B): a charger must not go on with numbers that are no more.  Nothing is allocated; only what
 * keeps settings blocks, while the memory works.
 */
#ifndef P1MB_DEVICE_H
#define P1MB_DEVICE_H

#include "derive.h"
#include "p1.h"
#include "p1mb_port.h"
#include "rtu_slave.h"

enum {
    P1MB_STALE_MS = 35000,
    P1MB_LINE_MAX =
        256, /* the longest line of a telegram that is decoded; longer ones hold texts and histories */
    P1MB_MAPS = 4,
    P1MB_MAP_DEFAULT = 2 /* the Eastron SDM630 */
};

/* What is known of the device; strings stay the caller's. */
struct p1mb_identity {
    const char *board;
    const char *serial; /* digits and upper-case hex letters */
    uint32_t firmware;  /* major << 16 | minor << 8 | patch */
};

struct p1mb_device {
    struct p1mb_setup active; /* read-only: what the bus runs with since the start */
    /* private */
    struct p1mb_setup kept; /* what it runs with after the next */
    const struct flash *flash;
    struct p1mb_port_owner owner;
    struct p1mb_port port;
    struct p1_stream p1;
    uint8_t line[P1MB_LINE_MAX];
    struct reading reading;
    struct derive_state derived;
    struct register_device registers;
    struct register_image image;
    struct modbus_bank bank;
    struct rtu_slave slave;
    struct p1mb_events events; /* those of the bus are the slave's */
    int64_t started_ms, last_p1_ms;
    bool reboot; /* wanted, once what is being sent has left */
};

/* Starts from the settings in flash memory, or the defaults.  The flash and the strings must outlive the device. */
void p1mb_device_init(struct p1mb_device *d, const struct p1mb_identity *identity,
                      const struct flash *flash, int64_t now_us);

/* n bytes came from the P1 port, or from the bus, the last of them at now_us (monotonic). */
void p1mb_device_hear_p1(struct p1mb_device *d, const uint8_t *bytes, size_t n, int64_t now_us);
void p1mb_device_hear_bus(struct p1mb_device *d, const uint8_t *bytes, size_t n, int64_t now_us);

/* A byte came from the bus with a bad parity or stop bit. */
void p1mb_device_bus_error(struct p1mb_device *d, int64_t now_us);

/* Does what is due; call it after bytes came, and at least every few milliseconds.  Returns the answer to send on the
 * bus at once, *n bytes, or NULL; it stays readable until it is sent.  What a master wrote is kept before that. */
const uint8_t *p1mb_device_poll(struct p1mb_device *d, int64_t now_us, size_t *n);

/* The answer to send at the P1 port, *n bytes, or NULL; given once, readable until the next p1mb_device_hear_p1(). */
const uint8_t *p1mb_device_p1_answer(struct p1mb_device *d, size_t *n);

/* True if p1mb_device_poll() will have something to do within so many microseconds: no time to sleep. */
bool p1mb_device_is_due_within(const struct p1mb_device *d, int64_t now_us, int64_t within_us);

/* The lights at now_ms, the milliseconds of now_us. */
struct p1mb_leds p1mb_device_leds(const struct p1mb_device *d, int64_t now_ms);

/* True once a reboot was asked for and its answer should have left the bus; the caller waits until all that it is
 * sending has. */
bool p1mb_device_wants_reboot(const struct p1mb_device *d);

#endif
