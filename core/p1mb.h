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

/* --- LEDs --- */

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

#endif
