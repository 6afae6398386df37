/* mean.h - many readings as one: the mean of what is momentary, the latest of everything else.
 *
 * For outputs that say less often than the meter does.  Powers, voltages, currents and frequency are averaged over the
 * readings that know them, and rounded to the quantity's unit, half away from zero; counters, states, means and maxima
 * of the meter's own, texts, logs and times are those of the latest reading.
 *
 * Two things hold of the mean as they do of a reading:
 *   - A power that is import minus export in the latest reading is that of the rounded means.
 *   - A power factor that follows from the latest reading's powers (derive.h) follows from the mean's: the quotient of
 *     the means, or the sign of the mean power; unknown where the rule says so.  The mean of +1 and -1 says nothing.
 *     One that the meter measured itself is averaged like the rest.
 */
#ifndef MEAN_H
#define MEAN_H

#include "reading.h"

struct mean {
    int64_t sum[Q_N];
    uint32_t count[Q_N]; /* readings that knew it */
    uint32_t readings;
};

/* Begins anew. */
void mean_clear(struct mean *m);

/* Adds a reading, after derive().  Sums hold 2^20 readings of values below 2^43, far beyond what parsers accept. */
void mean_add(struct mean *m, const struct reading *r);

/* The mean of those that were added, as the latest of them otherwise: *r is that latest reading, and becomes the mean.
 * A quantity that only earlier readings knew stays unknown, but for a power factor that follows from the mean. */
void mean_take(const struct mean *m, struct reading *r);

/* True for what is averaged. */
bool mean_is_momentary(enum quantity q);

#endif
