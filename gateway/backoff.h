/* backoff.h - how long to wait before trying again: full jitter between a floor and a limit that doubles.
 *
 * After a broker's restart a thousand gateways must not come back at once: the wait is random over its whole range, and
 * its floor, one to two seconds, is each box's own, from its serial number.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdint.h>

enum { BACKOFF_MIN_MS = 1000, BACKOFF_MAX_MS = 300000 };

struct backoff {
    int64_t floor_ms; /* of this box */
    int64_t limit_ms; /* of the next wait */
};

/* Begins; the floor follows from the serial number. */
void backoff_init(struct backoff *b, const char *serial);

/* After a success: the next wait is short again. */
void backoff_reset(struct backoff *b);

/* The next wait; `random` is any 32 bits. */
int64_t backoff_next_ms(struct backoff *b, uint32_t random);

#endif
