/* messages_meter.c - readings and meter: objects that show what is known. */
#include "messages.h"

#include "messages_parts.h"

static void put_texts(struct text_out *out, const struct reading *r, const uint8_t *telegram,
                      size_t telegram_len)
{
    char text[2 * 1024 + 1]; /* 1024 characters, each up to two bytes of UTF-8 */
    message_put_key(out, "texts");
    text_char(out, '{');
    for (int id = 0; id < TEXT_N; id++) {
        if (r->text[id].length == 0)
            continue;
        (void)reading_text(r, (enum reading_text_id)id, telegram, telegram_len, text, sizeof text);
        message_put_key(out, reading_text_name((enum reading_text_id)id));
        text_json_string(out, text);
    }
    text_char(out, '}');
}

static void put_mbus_channel(struct text_out *out, const struct reading_mbus *m)
{
    static const struct {
        const char *unit;
        uint8_t decimals;
    } units[] = {
        [MBUS_UNIT_DM3] = {"m3", 3}, [MBUS_UNIT_MJ] = {"GJ", 3}, [MBUS_UNIT_WH] = {"kWh", 3}};
    message_put_key(out, "medium");
    text_decimal(out, m->medium, 0);
    if (m->unit != MBUS_UNIT_UNKNOWN) {
        message_put_key(out, "value");
        text_decimal(out, m->value, units[m->unit].decimals);
        message_put_key(out, "unit");
        text_json_string(out, units[m->unit].unit);
        message_put_key(out, "ts");
        message_put_time(out, m->time_s);
        message_put_key(out, "uncorrected");
        text_put(out, m->uncorrected ? "true" : "false");
    }
    if (m->valve >= 0) {
        message_put_key(out, "valve");
        text_decimal(out, m->valve, 0);
    }
}

static void put_mbus(struct text_out *out, const struct reading *r)
{
    message_put_key(out, "mbus");
    text_char(out, '{');
    for (int i = 0; i < READING_MBUS_N; i++) {
        const struct reading_mbus *m = &r->mbus[i];
        if (m->medium == MBUS_NONE && m->unit == MBUS_UNIT_UNKNOWN && m->valve < 0)
            continue;
        message_put_key(out, (const char[]){(char)('1' + i), 0});
        text_char(out, '{');
        put_mbus_channel(out, m);
        text_char(out, '}');
    }
    text_char(out, '}');
}

static void put_separator(struct text_out *out)
{
    if (out->length && out->buffer[out->length - 1] != '[')
        text_char(out, ',');
}

static void put_failures(struct text_out *out, const struct reading *r)
{
    message_put_key(out, "power_failure_log");
    text_char(out, '[');
    for (int i = 0; i < r->failures_n; i++) {
        put_separator(out);
        text_put(out, "{");
        message_put_key(out, "end_ts");
        message_put_time(out, r->failures[i].end_s);
        message_put_key(out, "duration_s");
        text_decimal(out, r->failures[i].duration_s, 0);
        text_char(out, '}');
    }
    text_char(out, ']');
}

static void put_peaks(struct text_out *out, const struct reading *r)
{
    message_put_key(out, "peak_history");
    text_char(out, '[');
    for (int i = 0; i < r->peaks_n; i++) {
        put_separator(out);
        text_put(out, "{");
        message_put_key(out, "month_ts");
        message_put_time(out, r->peaks[i].month_s);
        message_put_key(out, "ts");
        message_put_time(out, r->peaks[i].time_s);
        message_put_key(out, "power_w");
        text_decimal(out, r->peaks[i].power_w, 0);
        text_char(out, '}');
    }
    text_char(out, ']');
}

static void put_times(struct text_out *out, const struct reading *r)
{
    message_put_key(out, "ts");
    message_put_time(out, message_time(r));
    message_put_key(out, "meter_ts");
    message_put_time(out, r->meter_time_s);
}

static void put_installation(struct text_out *out, const struct reading *r)
{
    static const char *const standards[] = {[STANDARD_UNKNOWN] = "unknown",
                                            [STANDARD_P1] = "p1",
                                            [STANDARD_TIC] = "tic",
                                            [STANDARD_TIC_HISTORIC] = "tic-historic"};
    static const char *const grids[] = {
        [GRID_UNKNOWN] = "unknown", [GRID_STAR] = "star", [GRID_DELTA] = "delta"};
    message_put_key(out, "standard");
    text_json_string(out, standards[r->standard]);
    message_put_key(out, "grid");
    text_json_string(out, grids[r->grid]);
    message_put_key(out, "phases");
    text_decimal(out, r->phases, 0);
}

static void put_values(struct text_out *out, const struct reading *r)
{
    message_put_key(out, "values");
    text_char(out, '{');
    for (int q = 0; q < Q_N; q++) {
        if (!reading_has(r, (enum quantity)q))
            continue;
        message_put_key(out, quantities[q].name);
        message_put_value(out, r, (enum quantity)q);
    }
    text_char(out, '}');
}

/* All that is no quantity. */
static void put_records(struct text_out *out, const struct reading *r, const uint8_t *telegram,
                        size_t telegram_len)
{
    if (reading_has(r, Q_DEMAND_MONTH_PEAK)) {
        message_put_key(out, "demand_month_peak_ts");
        message_put_time(out, r->peak_time_s);
    }
    put_mbus(out, r);
    put_texts(out, r, telegram, telegram_len);
    put_failures(out, r);
    put_peaks(out, r);
}

void message_readings(struct text_out *out, const struct reading *r, const uint8_t *telegram,
                      size_t telegram_len)
{
    text_char(out, '{');
    put_times(out, r);
    message_put_key(out, "sequence");
    text_decimal(out, (int64_t)r->sequence, 0);
    put_installation(out, r);
    message_put_key(out, "object_errors");
    text_decimal(out, r->object_errors, 0);
    put_values(out, r);
    put_records(out, r, telegram, telegram_len);
    text_char(out, '}');
}

void message_meter(struct text_out *out, const struct reading *r, const uint8_t *telegram,
                   size_t telegram_len)
{
    struct reading others = *r;
    text_char(out, '{');
    put_times(out, r);
    put_installation(out, r);
    message_forget_instant(&others);
    put_values(out, &others);
    put_records(out, r, telegram, telegram_len);
    text_char(out, '}');
}
