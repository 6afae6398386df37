/* p1mb.h - what makes a Modbus slave a P1MB: settings that become active at a reboot, and three LEDs.
 *
 * What a master writes is staged in a register_device (register_write.h) and readable at once; what the line runs with
 * is a struct p1mb_settings, taken from there at the reboot.
 */
#ifndef P1MB_H
#define P1MB_H

#include "register_write.h"

enum { P1MB_ADDRESS_DEFAULT = 16, P1MB_BAUD_DEFAULT = 9600 };

struct p1mb_settings {
    uint32_t baud;    /* 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200 */
    uint8_t address;  /* 1..247 */
    bool even_parity; /* 8E1; else 8N1 */
    bool termination;
};

/* 9600 8E1, address 16, termination off. */
struct p1mb_settings p1mb_defaults(void);

/* True if every value is one the device can take. */
bool p1mb_settings_are_good(const struct p1mb_settings *settings);

/* Stages these settings, which are good; and what is staged. */
void p1mb_stage(const struct p1mb_settings *settings, struct register_device *device);
struct p1mb_settings p1mb_staged(const struct register_device *device);

/* True if nothing differs. */
bool p1mb_settings_equal(const struct p1mb_settings *a, const struct p1mb_settings *b);

/* All that a P1MB keeps. */
struct p1mb_setup {
    struct p1mb_settings bus;
    uint8_t map; /* its number in the firmware's list of maps */
};

/* True if nothing differs. */
bool p1mb_setup_equal(const struct p1mb_setup *a, const struct p1mb_setup *b);

/* What is wrong with a setup, or with what is asked of a P1MB (p1mb_port.h). */
enum p1mb_status {
    P1MB_DONE,
    P1MB_UNKNOWN_COMMAND,
    P1MB_BAD_LENGTH,
    P1MB_BAD_BAUD, /* the setting that is out of its range; nothing was changed */
    P1MB_BAD_ADDRESS,
    P1MB_BAD_LINE,
    P1MB_BAD_TERMINATION,
    P1MB_BAD_MAP,
    P1MB_NOT_KEPT, /* the memory failed; the old settings count still */
    P1MB_BAD_VERSION,
    P1MB_STATUS_N
};

/* Eight bytes: baud rate 4 bytes (low byte first), address, line (0 8N1, 1 8E1), termination (0, 1), map. */
enum { P1MB_SETUP_BYTES = 8 };

/* A setup as it is kept, and as it travels. */
void p1mb_setup_put(const struct p1mb_setup *setup, uint8_t out[static P1MB_SETUP_BYTES]);

/* Reads one; `maps` is how many there are.  P1MB_DONE, or what is wrong with it (*setup is then of no use). */
enum p1mb_status p1mb_setup_get(const uint8_t in[static P1MB_SETUP_BYTES], uint8_t maps,
                                struct p1mb_setup *setup);

/* --- what happened, and how it is shown --- */

/* When something happened last, in milliseconds of any monotonic clock; P1MB_NEVER: not yet. */
#define P1MB_NEVER INT64_MIN
struct p1mb_events {
    int64_t valid_telegram_ms, damaged_telegram_ms;
    int64_t request_ms; /* a request for us that was answered */
    int64_t bus_byte_ms;
};

enum p1mb_light { LIGHT_OFF, LIGHT_ON, LIGHT_BLINKING };

struct p1mb_leds {
    uint8_t pwr, p1, rs485; /* enum p1mb_light */
};

enum {
    P1MB_P1_SHOWN_MS = 15000,  /* longer than the slowest meter's pause between telegrams, 10 s */
    P1MB_BUS_SHOWN_MS = 10000, /* longer than usual masters' pause between requests */
    P1MB_BLINK_MS = 500        /* lit, then dark as long */
};

/* The LEDs at now_ms (manual P1MB V1.9, 2.7 and 7).
 *   pwr     on
 *   p1      on: the last telegram was valid; blinking: it was damaged; off: there was none lately
 *   rs485   on: a request for us was answered lately; blinking: bytes, but no such request; off: silence */
struct p1mb_leds p1mb_leds(const struct p1mb_events *events, int64_t now_ms);

/* Whether a LED with this light is lit at now_ms. */
bool p1mb_light_is_lit(enum p1mb_light light, int64_t now_ms);

/* Stages what the registers say of the meter at now_ms: SETTING_P1_STATUS, as the LED shows it, and SETTING_DATA_AGE.
 * True if one of them has changed. */
bool p1mb_stage_status(const struct p1mb_events *events, int64_t now_ms,
                       struct register_device *device);

#endif
