#include "history.h"

#include <string.h>

#define UNKNOWN INT32_MIN

enum { INTERVAL_MS = HISTORY_INTERVAL_S * 1000 };

static const enum quantity series[HISTORY_SERIES] = {Q_POWER, Q_POWER_L1, Q_POWER_L2, Q_POWER_L3};

static void forget(struct history *h, int64_t interval)
{
    for (int s = 0; s < HISTORY_SERIES; s++)
        h->point[s][interval % HISTORY_POINTS] = UNKNOWN;
}

void history_init(struct history *h)
{
    memset(h, 0, sizeof *h);
    h->newest = -1;
    for (int i = 0; i < HISTORY_POINTS; i++)
        forget(h, i);
}

static int32_t open_mean(const struct history *h, int s)
{
    int64_t sum = h->open[s].sum, count = h->open[s].count;
    if (count == 0)
        return UNKNOWN;
    return (int32_t)((sum < 0 ? sum - count / 2 : sum + count / 2) / count);
}

/* Closes the open point and opens that of `interval`; those between stay unknown. */
static void advance(struct history *h, int64_t interval)
{
    int64_t oldest = interval - HISTORY_POINTS + 1;
    for (int s = 0; s < HISTORY_SERIES && h->newest >= 0; s++)
        h->point[s][h->newest % HISTORY_POINTS] = open_mean(h, s);
    for (int64_t i = h->newest + 1 > oldest ? h->newest + 1 : oldest; i <= interval; i++)
        if (i >= 0)
            forget(h, i);
    memset(h->open, 0, sizeof h->open);
    h->newest = interval;
}

/* What a meter says may be rubbish, but a point has 32 bits and one value of them taken. */
static int64_t within_point(int64_t power_w)
{
    if (power_w > INT32_MAX)
        return INT32_MAX;
    return power_w < -INT32_MAX ? -INT32_MAX : power_w;
}

void history_add(struct history *h, const struct reading *r, int64_t now_ms)
{
    if (now_ms / INTERVAL_MS > h->newest)
        advance(h, now_ms / INTERVAL_MS);
    for (int s = 0; s < HISTORY_SERIES; s++)
        if (reading_has(r, series[s])) {
            h->open[s].sum += within_point(r->value[series[s]]);
            h->open[s].count++;
        }
}

static int32_t point_at(const struct history *h, int s, int64_t interval)
{
    if (interval < 0 || interval > h->newest || interval <= h->newest - HISTORY_POINTS)
        return UNKNOWN;
    return interval == h->newest ? open_mean(h, s) : h->point[s][interval % HISTORY_POINTS];
}

static void write_series(const struct history *h, struct text_out *out, int s, int64_t last)
{
    for (int64_t i = last - HISTORY_POINTS + 1; i <= last; i++) {
        int32_t power_w = point_at(h, s, i);
        if (power_w == UNKNOWN)
            text_put(out, "null");
        else
            text_decimal(out, power_w, 0);
        if (i < last)
            text_char(out, ',');
    }
}

void history_write(const struct history *h, struct text_out *out, int64_t now_ms, int64_t end_s)
{
    int64_t last = now_ms / INTERVAL_MS;
    text_put(out, "{\"interval\":");
    text_decimal(out, HISTORY_INTERVAL_S, 0);
    text_put(out, ",\"end_ts\":");
    if (end_s == READING_NO_TIME)
        text_put(out, "null");
    else
        text_decimal(out, end_s, 0);
    for (int s = 0; s < HISTORY_SERIES; s++) {
        text_put(out, ",\"");
        text_put(out, quantities[series[s]].name);
        text_put(out, "\":[");
        write_series(h, out, s, last > h->newest ? last : h->newest);
        text_char(out, ']');
    }
    text_char(out, '}');
}
