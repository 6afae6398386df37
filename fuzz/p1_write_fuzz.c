/* p1_write_fuzz.c - whatever a reading says, a telegram made of it says the same (p1_model.h), can be read again, has
 * no second begin or end, and says the same when it is written anew.
 *
 *   what 1 | time of receipt 4, of the meter 4, of the peak 4 | channels, each unit and medium 1, value 4, time 4
 *   | lengths of texts | n 1 | { quantity 1, value 4 } n times | telegram, in which the texts lie one behind the other
 */
#include "core/p1.h"
#include "core/p1_write.h"

#include "p1_model.h"

enum {
    IS_TIC = 1,
    IS_SINGLE_PHASE = 2,
    HAS_ERRORS = 4,
    IS_UNCORRECTED = 8,
    HAS_NO_TIME = 16
}; /* bits of `what` */
#define BEGIN "/FUZ5"
enum {
    BEGIN_LEN = sizeof BEGIN - 1,
    TELEGRAM_MAX = 1 << 14,
    FIRST_TIME_S = 1262304000,
    TIMES_S = 1890000000,
    WINTER_S = 3600
};

/* The input as numbers, one behind the other; behind its end they are 0. */
struct input {
    const uint8_t *p, *end;
};

static uint8_t take_byte(struct input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

static uint32_t take_u32(struct input *in)
{
    uint32_t n = 0;
    for (int i = 0; i < 4; i++)
        n = n << 8 | take_byte(in);
    return n;
}

/* From 2010 on, and up to 2069: what meters print. */
static int64_t take_time(struct input *in)
{
    uint32_t after_s = take_u32(in);
    return after_s ? FIRST_TIME_S + (int64_t)(after_s % TIMES_S) : READING_NO_TIME;
}

static void take_channels(struct input *in, struct reading *r, bool uncorrected)
{
    for (int i = 0; i < READING_MBUS_N; i++) {
        uint8_t kind = take_byte(in);
        r->mbus[i] = (struct reading_mbus){
            .unit = kind % (MBUS_UNIT_WH + 1), .medium = kind / 16, .valve = -1};
        r->mbus[i].value = take_u32(in);
        r->mbus[i].time_s = take_time(in);
        r->mbus[i].uncorrected = uncorrected;
    }
}

static void take_texts(struct input *in, struct reading *r)
{
    uint16_t at = 1;
    for (int t = 0; t < TEXT_N; t++) {
        uint16_t length = take_byte(in);
        r->text[t] = (struct reading_text){.offset = at, .length = length};
        at = (uint16_t)(at + length);
    }
    if (r->text[TEXT_IDENTIFICATION].length < BEGIN_LEN - 1 ||
        r->text[TEXT_IDENTIFICATION].length > 200)
        r->text[TEXT_IDENTIFICATION].length = 0; /* as p1.c demands */
}

static void take_values(struct input *in, struct reading *r)
{
    for (int n = take_byte(in); n > 0; n--) {
        uint8_t q = take_byte(in);
        reading_set(r, (enum quantity)(q % Q_N),
                    (int64_t)(int32_t)take_u32(in) * (q >= Q_N ? 1000 : 1));
    }
}

static void take_reading(struct input *in, struct reading *r)
{
    uint8_t what = take_byte(in);
    reading_clear(r);
    r->standard = what & IS_TIC ? STANDARD_TIC : STANDARD_P1;
    r->phases = what & IS_SINGLE_PHASE ? 1 : 3;
    r->object_errors = what & HAS_ERRORS ? 1 : 0;
    r->received_s = take_time(in);
    r->meter_time_s = take_time(in);
    r->peak_time_s = take_time(in);
    take_channels(in, r, what & IS_UNCORRECTED);
    take_texts(in, r);
    take_values(in, r);
}

static unsigned count(const char *text, char c)
{
    unsigned n = 0;
    for (; *text; text++)
        n += *text == c;
    return n;
}

static void read_back(const char *written, size_t n, struct reading *r)
{
    static uint8_t buffer[P1_TELEGRAM_MAX];
    static struct p1_stream stream;
    enum p1_event event;
    memset(&stream, 0, sizeof stream);
    p1_init(&stream, r, buffer, sizeof buffer);
    demand(p1_feed(&stream, (const uint8_t *)written, n, &event) <= n && event == P1_TELEGRAM);
}

/* What `a` says `b` says, too; it may have more, since what lacked for some damage does not any more. */
static void demand_same(const struct reading *a, const struct reading *b)
{
    demand(a->meter_time_s == b->meter_time_s && a->peak_time_s == b->peak_time_s);
    for (int q = 0; q < Q_N; q++)
        if (reading_has(a, (enum quantity)q))
            demand(reading_has(b, (enum quantity)q) && a->value[q] == b->value[q]);
    for (int i = 0; i < READING_MBUS_N; i++)
        demand(a->mbus[i].unit == b->mbus[i].unit && a->mbus[i].medium == b->mbus[i].medium &&
               (a->mbus[i].unit == MBUS_UNIT_UNKNOWN || a->mbus[i].value == b->mbus[i].value));
}

/* Quantities that are written, and how fine: neighbours, each rounded to so many of its smallest unit. */
static const struct {
    enum quantity first;
    int neighbours, step;
} written_rows[] = {
    {Q_ENERGY_IMPORT, 5, 1},
    {Q_ENERGY_EXPORT, 5, 1},
    {Q_POWER_IMPORT, 1, 1},
    {Q_POWER_EXPORT, 1, 1},
    {Q_POWER_IMPORT_L1, 3, 1},
    {Q_POWER_EXPORT_L1, 3, 1},
    {Q_METER_VOLTAGE_L1, 3, 100},
    {Q_METER_CURRENT_L1, 3, 10},
    {Q_VOLTAGE_SAGS_L1, 3, 1},
    {Q_VOLTAGE_SWELLS_L1, 3, 1},
    {Q_POWER_FAILURES, 1, 1},
    {Q_LONG_POWER_FAILURES, 1, 1},
    {Q_TARIFF, 1, 1},
    {Q_DEMAND_QUARTER, 1, 1},
};

static void demand_written(const struct model_telegram *t, const struct reading *r, enum quantity q,
                           int step)
{
    if (reading_has(r, q) && r->value[q] >= 0)
        demand(model_says(t, q, (r->value[q] + step / 2) / step * step));
}

/* Where the meter sends the difference of import and export, one of them is 0. */
static void demand_split(const struct model_telegram *t, const struct reading *r)
{
    int64_t net = r->value[Q_POWER];
    if (!reading_has(r, Q_POWER))
        return;
    demand(reading_has(r, Q_POWER_IMPORT) || model_says(t, Q_POWER_IMPORT, net > 0 ? net : 0));
    demand(reading_has(r, Q_POWER_EXPORT) || model_says(t, Q_POWER_EXPORT, net < 0 ? -net : 0));
}

static void demand_channel(const struct model_telegram *t, unsigned channel,
                           const struct reading_mbus *m)
{
    static const char *const units[] = {
        [MBUS_UNIT_DM3] = "m3", [MBUS_UNIT_MJ] = "gj", [MBUS_UNIT_WH] = "wh"};
    const struct model_reference medium = {channel, 24, 1, 0},
                                 reading = {channel, 24, 2, m->uncorrected ? 3 : 1};
    demand(m->medium == MBUS_NONE || model_has_number(t, medium, 0, "", 0, m->medium));
    if (m->unit == MBUS_UNIT_UNKNOWN || m->value < 0 || m->time_s == READING_NO_TIME)
        return;
    demand(
        model_has_number(t, reading, 1, units[m->unit], m->unit == MBUS_UNIT_WH ? 0 : 3, m->value));
    demand(model_has_time(t, reading, 0, m->time_s));
}

static void demand_says(const char *written, size_t n, const struct reading *r)
{
    static struct model_telegram t;
    const struct model_reference peak = {0, 1, 6, 0};
    model_scan(&t, written, n);
    demand_whole(&t, (const uint8_t *)written, n - 2); /* without CR LF */
    for (size_t i = 0; i < sizeof written_rows / sizeof written_rows[0]; i++)
        for (int k = 0; k < written_rows[i].neighbours; k++)
            demand_written(&t, r, quantity_nth(written_rows[i].first, k), written_rows[i].step);
    demand_split(&t, r);
    for (unsigned i = 0; i < READING_MBUS_N; i++)
        demand_channel(&t, i + 1, &r->mbus[i]);
    if (r->peak_time_s != READING_NO_TIME) {
        demand_written(&t, r, Q_DEMAND_MONTH_PEAK, 1);
        demand(!reading_has(r, Q_DEMAND_MONTH_PEAK) || r->value[Q_DEMAND_MONTH_PEAK] < 0 ||
               model_has_time(&t, peak, 0, r->peak_time_s));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reading given, read, again;
    static char written[P1_WRITE_MAX], twice[P1_WRITE_MAX], telegram[TELEGRAM_MAX] = BEGIN;
    struct input in = {data, data + size};
    take_reading(&in, &given);
    size_t texts = (size_t)(in.end - in.p);
    texts = texts < sizeof telegram - BEGIN_LEN ? texts : sizeof telegram - BEGIN_LEN;
    if (texts)
        memcpy(telegram + BEGIN_LEN, in.p, texts);
    size_t n = p1_write(&given, WINTER_S, (const uint8_t *)telegram, texts + BEGIN_LEN, written);
    demand(n < P1_WRITE_MAX - 1 && strlen(written) == n);
    demand(count(written, '/') == 1 && count(written, '!') == 1);
    demand_says(written, n, &given);
    read_back(written, n, &read);
    size_t m = p1_write(&read, WINTER_S, (const uint8_t *)written, n, twice);
    read_back(twice, m, &again);
    demand_same(&read, &again);
    return 0;
}
