/* led.h - what the one LED of the box shows: SPEC 9, and manual V1.8, 2.3 and 7.
 *
 * Pure: a state follows from what is known, a colour from the state and the time.
 */
#ifndef LED_H
#define LED_H

#include <stdbool.h>
#include <stdint.h>

enum led_state {
    LED_BOOTING,          /* red, steady */
    LED_INITIALISING,     /* changing colours */
    LED_NORMAL,           /* green, steady */
    LED_NO_METER_DATA,    /* red and green, 1 Hz */
    LED_NO_IP,            /* green and orange, 1 Hz */
    LED_NO_DATA_NO_IP,    /* red and orange, 1 Hz */
    LED_ACCESS_POINT,     /* blue, blinking */
    LED_ACCESS_POINT_DARK /* blue and red, 1 Hz: no meter data either */
};
enum { LED_STATES = LED_ACCESS_POINT_DARK + 1, LED_STEPS_MAX = 6 };

/* 0..255 each; all 0 is dark. */
struct led_color {
    uint8_t red, green, blue;
};

/* A row of the table. */
struct led_pattern {
    const char *name;  /* "no-meter-data" */
    const char *color; /* in words: "red/green" */
    int steps;         /* colours that follow each other, and from the beginning again */
    struct led_color step[LED_STEPS_MAX];
    int step_ms; /* of each; 0: steady */
};

extern const struct led_pattern led_patterns[LED_STATES];

/* What is known. */
struct led_facts {
    bool booting;      /* the modules are being opened */
    bool initialising; /* meter and network have not had the time to come */
    bool data;         /* the reading is fresh */
    bool address;      /* there is one others can reach: not link-local alone */
    bool access_point;
};

/* Booting goes before initialising, that before the access point, that before the rest. */
/* The state that follows from what is known. */
enum led_state led_state_of(const struct led_facts *f);

/* The colour since_ms >= 0 after the state began. */
struct led_color led_color_at(enum led_state state, int64_t since_ms);

/* Milliseconds from then until it changes; -1: it does not. */
int64_t led_change_ms(enum led_state state, int64_t since_ms);

#endif
