/* button.h - what the one button of the box means: SPEC 9, and manual V1.8, 2.4.
 *
 *   released within 2 s     soft reset: reconnect to the network
 *   held for 5 s            access point, if in factory state; told at 5 s
 *   held for 10 s           factory reset; told at 10 s, and nothing more until it is released
 *
 * Pure: the clock is passed in, monotonic milliseconds.  A contact bounces: a level counts once it has stayed for
 * BUTTON_BOUNCE_MS; times are counted from its first edge.  A button that is down at start (a stuck one, or a box
 * switched on with it held) means nothing until it was up.  What becomes due is told BUTTON_LATE_MS late at most, else
 * the clock jumped (a machine that slept): that press means nothing more.
 */
#ifndef BUTTON_H
#define BUTTON_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BUTTON_BOUNCE_MS = 30,
    BUTTON_SHORT_MS = 2000,
    BUTTON_HELD_MS = 5000,
    BUTTON_LONG_MS = 10000,
    BUTTON_LATE_MS = 3000
};

enum button_event { BUTTON_NOTHING, BUTTON_SHORT, BUTTON_HELD, BUTTON_LONG };
enum { BUTTON_EVENTS = BUTTON_LONG + 1 };

/* What an event does: "soft-reset", "access-point", "factory-reset"; "" for BUTTON_NOTHING. */
extern const char *const button_event_names[BUTTON_EVENTS];

struct button {
    bool down; /* read-only: the level that counts */
    /* private */
    bool raw, armed;
    int64_t raw_ms, down_ms;
    enum button_event told;
};

/* The level at start. */
void button_init(struct button *b, bool down, int64_t now_ms);

/* The level now; it may be told as often as one likes. */
void button_set(struct button *b, bool down, int64_t now_ms);

/* What has become due by now; to be called after button_set() and when button_due_ms() has passed, until it says
 * BUTTON_NOTHING. */
enum button_event button_step(struct button *b, int64_t now_ms);

/* Milliseconds until something may become due; -1: nothing will. */
int64_t button_due_ms(const struct button *b, int64_t now_ms);

#endif
