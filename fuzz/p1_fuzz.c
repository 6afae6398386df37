/* p1_fuzz.c - any bytes in any chunks (p1_run.h): the P1 stream must say the same as for the bytes at once, and nothing
 * that its telegram does not contain.
 */
#include "core/messages.h"
#include "core/p1.h"

#include "p1_model.h"
#include "p1_run.h"

/* --- what a reading may say, channels, logs and texts, beside its numbers (p1_model.h) ---------------------------- */

static void demand_times(const struct model_telegram *t, const struct reading *r)
{
    demand(model_has_time(t, model_clock, 0, r->meter_time_s));
    demand(model_has_time(t, (struct model_reference){0, 1, 6, 0}, 0, r->peak_time_s));
}

static bool is_volume_or_heat(const struct model_number *n, uint8_t unit, int64_t value)
{
    static const char *const units[][3] = {[MBUS_UNIT_DM3] = {"dm3", "m3", "m\xB3"},
                                           [MBUS_UNIT_MJ] = {"mj", "gj", "gj"},
                                           [MBUS_UNIT_WH] = {"wh", "", ""}};
    int exponent = model_exponent(n, units[unit][0]);
    if (exponent >= 0)
        return model_is(n, exponent, 0, value);
    return unit != MBUS_UNIT_WH &&
           (strcasecmp(n->unit, units[unit][1]) == 0 || strcasecmp(n->unit, units[unit][2]) == 0) &&
           model_is(n, 3, 0, value);
}

/* (time)(value*unit); in DSMR 3 the unit stands before the value, and the time has no letter. */
static bool is_reading_of(const struct model_value *v, unsigned channel,
                          const struct reading_mbus *m)
{
    const unsigned e = m->uncorrected ? 3 : 1;
    struct model_number number = v->number;
    if (!v->is_number)
        return false;
    if (model_stands_at(v, (struct model_reference){channel, 24, 2, e}, 1))
        return v[-1].time_s == m->time_s && is_volume_or_heat(&number, m->unit, m->value);
    if (m->uncorrected || !model_stands_at(v, (struct model_reference){channel, 24, 3, 0}, 6))
        return false;
    model_read_unit(&number, v[-1].text, v[-1].text + v[-1].length + 1);
    return m->time_s == READING_NO_TIME && is_volume_or_heat(&number, m->unit, m->value);
}

static void demand_channel(const struct model_telegram *t, unsigned channel,
                           const struct reading_mbus *m)
{
    const struct model_reference medium = {channel, 24, 1, 0}, valve = {channel, 24, 4, 0},
                                 relay = {channel, 96, 3, 10};
    if (m->medium != MBUS_NONE)
        demand(model_has_number(t, medium, 0, "", 0, m->medium));
    if (m->valve >= 0)
        demand(model_has_number(t, valve, 0, "", 0, m->valve) ||
               model_has_number(t, relay, 0, "", 0, m->valve));
    bool found = m->unit == MBUS_UNIT_UNKNOWN;
    for (size_t i = 0; !found && i < t->values; i++)
        found = is_reading_of(&t->value[i], channel, m);
    demand(found);
}

/* (n)(reference), then (time)(duration) n times; (n)(reference)(reference), then (month)(time)(power). */
static void demand_logs(const struct model_telegram *t, const struct reading *r)
{
    const struct model_reference failures = {0, 99, 97, 0}, peaks = {0, 98, 1, 0};
    demand(r->failures_n <= READING_FAILURES_N && r->peaks_n <= READING_PEAKS_N);
    for (unsigned i = 0; i < r->failures_n; i++) {
        demand(model_has_time(t, failures, 2 + 2 * i, r->failures[i].end_s));
        demand(model_has_number(t, failures, 3 + 2 * i, "s", 0, r->failures[i].duration_s));
    }
    for (unsigned i = 0; i < r->peaks_n; i++) {
        demand(model_has_time(t, peaks, 3 + 3 * i, r->peaks[i].month_s));
        demand(model_has_time(t, peaks, 4 + 3 * i, r->peaks[i].time_s));
        demand(model_has_number(t, peaks, 5 + 3 * i, "w", 0, r->peaks[i].power_w));
    }
}

/* Where texts stand; neighbours, which are one for each channel or E. */
static const struct {
    enum reading_text_id first;
    struct model_reference of;
    unsigned neighbours, channel_step, e_step;
} text_rows[] = {
    {TEXT_METER_ID, {0, 96, 1, 0}, 1, 0, 0},  {TEXT_METER_ID, {0, 96, 1, 1}, 1, 0, 0},
    {TEXT_EAN, {0, 96, 1, 2}, 1, 0, 0},       {TEXT_LOGICAL_NAME, {0, 42, 0, 0}, 1, 0, 0},
    {TEXT_VERSION, {0, 0, 2, 8}, 1, 0, 0},    {TEXT_VERSION, {0, 96, 1, 4}, 1, 0, 0},
    {TEXT_MESSAGE, {0, 96, 13, 0}, 6, 0, 1},  {TEXT_MBUS_ID_1, {1, 96, 1, 0}, 4, 1, 0},
    {TEXT_MBUS_ID_1, {1, 96, 1, 1}, 4, 1, 0}, {TEXT_MBUS_EAN_1, {1, 96, 1, 2}, 4, 1, 0},
};

static bool has_text(const struct model_telegram *t, struct model_reference of, const char *at,
                     size_t length)
{
    for (const struct model_value *v = t->value; v < t->value + t->values; v++)
        if (model_stands_at(v, of, 0) && v->text == at && v->length == length)
            return true;
    return false;
}

static void demand_text(const struct model_telegram *t, unsigned id, const char *at, size_t length)
{
    bool found = length == 0;
    for (size_t i = 0; !found && i < sizeof text_rows / sizeof text_rows[0]; i++) {
        unsigned nth = id - text_rows[i].first;
        struct model_reference of = text_rows[i].of;
        of.channel += nth * text_rows[i].channel_step;
        of.e += nth * text_rows[i].e_step;
        found = nth < text_rows[i].neighbours && has_text(t, of, at, length);
    }
    demand(found);
}

static void demand_texts(const struct model_telegram *t, const struct reading *r,
                         const char *telegram, size_t n)
{
    const struct reading_text *first = &r->text[TEXT_IDENTIFICATION];
    const char *end = memchr(telegram, '\n', n);
    end -= end[-1] == '\r';
    demand(first->offset == 1 && telegram + 1 + first->length == end);
    for (unsigned id = 0; id < TEXT_N; id++)
        if (id != TEXT_IDENTIFICATION)
            demand_text(t, id, telegram + r->text[id].offset, r->text[id].length);
}

static void demand_contained(const struct run *r)
{
    static struct model_telegram t;
    const char *telegram = (const char *)r->stream.telegram;
    size_t n = r->stream.telegram_len;
    model_scan(&t, telegram, n);
    demand_whole(&t, r->stream.telegram, n);
    demand_quantities(&t, &r->reading);
    demand_times(&t, &r->reading);
    for (unsigned i = 0; i < READING_MBUS_N; i++)
        demand_channel(&t, i + 1, &r->reading.mbus[i]);
    demand_logs(&t, &r->reading);
    demand_texts(&t, &r->reading, telegram, n);
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

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
