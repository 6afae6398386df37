/* history.h - the powers of the last hour, for the chart: a mean each five seconds, in memory only.
 *
 * Pure: the clock is passed in, monotonic milliseconds, from 0 on; one that goes back stands still.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "core/reading.h"
#include "core/text_out.h"

enum {
    HISTORY_INTERVAL_S = 5,
    HISTORY_POINTS = 720, /* an hour */
    HISTORY_SERIES = 4,   /* total, L1, L2, L3 */
    HISTORY_JSON_MAX = 40960
};

struct history {
    int64_t newest; /* interval number (monotonic seconds / 5) of the open point; <0: nothing yet */
    struct {
        int64_t sum;
        int32_t count;
    } open[HISTORY_SERIES];
    int32_t point[HISTORY_SERIES][HISTORY_POINTS]; /* watts; INT32_MIN: unknown */
};

/* Holds nothing: all points are unknown. */
void history_init(struct history *h);

/* Adds a reading's powers; an unknown one adds nothing.  Intervals without a reading stay unknown. */
void history_add(struct history *h, const struct reading *r, int64_t now_ms);

/* Appends {"interval":5,"end_ts":..,"power_w":[..],"power_l1_w":[..],..}: HISTORY_POINTS numbers or null
 * each, oldest first, the interval of now_ms last.  Means are rounded to the nearest watt, halves away from
 * zero.  end_s: UTC of now, or READING_NO_TIME (null).  HISTORY_JSON_MAX bytes hold it with any values. */
void history_write(const struct history *h, struct text_out *out, int64_t now_ms, int64_t end_s);

#endif
