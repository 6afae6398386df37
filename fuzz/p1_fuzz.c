/* p1_fuzz.c - any bytes in any chunks (p1_run.h): the P1 stream must say the same as for the bytes at once, and nothing
 * that its telegram does not contain.
 */
#include "core/messages.h"
#include "core/p1.h"

#include "model.h"
#include "p1_run.h"

enum { NUMBERS_MAX = 4096 };

/* All that a telegram has in parentheses. */
struct printed {
    struct model_number number[NUMBERS_MAX];
    size_t numbers;
    int64_t time[NUMBERS_MAX];
    size_t times;
};

static void read_all(struct printed *all, const char *telegram, size_t n)
{
    const char *end = telegram + n;
    all->numbers = all->times = 0;
    for (const char *p = telegram; p < end; p++) {
        if (*p != '(')
            continue;
        if (model_read(p + 1, end, &all->number[all->numbers]) && all->numbers < NUMBERS_MAX - 1)
            all->numbers++;
        if (end - p > 14 && p[14] == ')' && (all->time[all->times] = model_time(p + 1)) >= 0)
            all->times++;
    }
}

/* `units`: NULL-terminated, each tried alone and as thousands. */
static bool has_value(const struct printed *all, const char *const *units, unsigned decimals,
                      int64_t value)
{
    for (; *units; units++)
        for (size_t i = 0; i < all->numbers; i++) {
            int exponent = model_exponent(&all->number[i], *units);
            if (exponent >= 0 && model_is(&all->number[i], exponent, decimals, value))
                return true;
        }
    return false;
}

static bool has_time(const struct printed *all, int64_t utc_s)
{
    for (size_t i = 0; i < all->times; i++)
        if (all->time[i] == utc_s)
            return true;
    return utc_s == READING_NO_TIME;
}

static bool has_number(const struct printed *all, int64_t value)
{
    return has_value(all, (const char *const[]){"", NULL}, 0, value);
}

static void demand_quantities(const struct printed *all, const struct reading *r)
{
    for (int q = 0; q < Q_N; q++)
        if (reading_has(r, (enum quantity)q)) {
            const char *const units[] = {quantity_unit_name(quantities[q].unit), NULL};
            demand(has_value(all, units, quantity_decimals[q], r->value[q]));
        }
    demand(r->p1_version == 0 || has_number(all, r->p1_version));
    demand(r->emucs_version == 0 || has_number(all, r->emucs_version));
    demand(has_time(all, r->meter_time_s) && has_time(all, r->peak_time_s));
}

/* DSMR 3 prints unit and value apart. */
static void demand_channel(const struct printed *all, const struct reading_mbus *m)
{
    static const char *const units[][3] = {
        [MBUS_UNIT_DM3] = {"dm3", ""}, [MBUS_UNIT_MJ] = {"mj", ""}, [MBUS_UNIT_WH] = {"wh", ""}};
    static const char *const thousands[] = {"m3", "m\xB3", "gj", "", NULL};
    if (m->medium != MBUS_NONE)
        demand(has_number(all, m->medium));
    if (m->valve >= 0)
        demand(has_number(all, m->valve));
    if (m->unit == MBUS_UNIT_UNKNOWN)
        return;
    bool found = has_value(all, units[m->unit], 0, m->value);
    for (size_t i = 0; !found && i < all->numbers; i++)
        for (size_t k = 0; !found && thousands[k]; k++)
            found = strcasecmp(all->number[i].unit, thousands[k]) == 0 &&
                    model_is(&all->number[i], 3, 0, m->value);
    demand(found && has_time(all, m->time_s));
}

static void demand_logs(const struct printed *all, const struct reading *r)
{
    demand(r->failures_n <= READING_FAILURES_N && r->peaks_n <= READING_PEAKS_N);
    for (int i = 0; i < r->failures_n; i++) {
        demand(has_time(all, r->failures[i].end_s));
        demand(has_value(all, (const char *const[]){"s", NULL}, 0, r->failures[i].duration_s));
    }
    for (int i = 0; i < r->peaks_n; i++) {
        demand(has_time(all, r->peaks[i].month_s) && has_time(all, r->peaks[i].time_s));
        demand(has_value(all, (const char *const[]){"w", NULL}, 0, r->peaks[i].power_w));
    }
}

static void demand_contained(const struct run *r)
{
    static struct printed all;
    read_all(&all, (const char *)r->stream.telegram, r->stream.telegram_len);
    demand_quantities(&all, &r->reading);
    for (int i = 0; i < READING_MBUS_N; i++)
        demand_channel(&all, &r->reading.mbus[i]);
    demand_logs(&all, &r->reading);
}

/* Whatever a telegram says, its message fits. */
static uint32_t digest_meter(const struct run *r, uint32_t so_far)
{
    static char buffer[MESSAGE_METER_MAX];
    const struct p1_stream *s = &r->stream;
    struct text_out message;
    text_init(&message, buffer, sizeof buffer);
    message_meter(&message, &r->reading, s->telegram, s->telegram_len);
    demand(!message.overflow);
    uint32_t meter = message_meter_digest(&r->reading, s->telegram, s->telegram_len);
    return digest(digest(so_far, buffer, message.length), &meter, sizeof meter);
}

void note(struct run *r, enum p1_event event)
{
    const struct p1_stream *s = &r->stream;
    if (event == P1_MORE)
        return;
    r->digest = digest(r->digest, &event, sizeof event);
    r->digest = digest(r->digest, &r->reading, sizeof r->reading);
    if (event != P1_TELEGRAM)
        return;
    demand(s->telegram >= s->buffer && s->telegram_len >= 7 && s->telegram[0] == '/');
    demand((size_t)(s->telegram - s->buffer) + s->telegram_len <= s->buffer_cap);
    for (int t = 0; t < TEXT_N; t++) {
        char text[300];
        demand(r->reading.text[t].offset + r->reading.text[t].length <= s->telegram_len);
        size_t length = reading_text(&r->reading, (enum reading_text_id)t, s->telegram,
                                     s->telegram_len, text, sizeof text);
        r->digest = digest(r->digest, text, length);
    }
    r->digest = digest(r->digest, s->telegram, s->telegram_len);
    r->digest = digest_meter(r, r->digest);
    demand_contained(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cap = data[size - 2] < 128 ? P1_TELEGRAM_MAX : (data[size - 2] - 128u) * 8 + 1;
    run_both(data, size - 2, cap, data[size - 1]);
    return 0;
}
