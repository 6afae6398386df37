#include "messages.h"

enum { DAY_S = 86400 };

int64_t message_time(const struct reading *r)
{
    int64_t off_s = r->meter_time_s - r->received_s;
    bool far_off = r->received_s != READING_NO_TIME && (off_s > DAY_S || off_s < -DAY_S);
    if (r->meter_time_s == READING_NO_TIME || r->meter_time_degraded || far_off)
        return r->received_s;
    return r->meter_time_s;
}

static void put_time(struct text_out *out, int64_t utc_s)
{
    if (utc_s == READING_NO_TIME)
        text_put(out, "null");
    else
        text_decimal(out, utc_s, 0);
}

static void put_key(struct text_out *out, const char *key)
{
    if (out->length && out->buffer[out->length - 1] != '{')
        text_char(out, ',');
    text_char(out, '"');
    text_put(out, key);
    text_put(out, "\":");
}

static void put_value(struct text_out *out, const struct reading *r, enum quantity q)
{
    if (reading_has(r, q))
        text_decimal(out, r->value[q], quantities[q].decimals);
    else
        text_put(out, "null");
}

struct field {
    const char *key;
    uint8_t quantity;
};

static const struct field before_phases[] = {
    {"P", Q_POWER},
    {"P+", Q_POWER_IMPORT},
    {"P-", Q_POWER_EXPORT},
    {"E_IMPORT", Q_ENERGY_IMPORT},
    {"E_EXPORT", Q_ENERGY_EXPORT},
    {"U12", Q_VOLTAGE_L12},
    {"U31", Q_VOLTAGE_L31},
    {"U32", Q_VOLTAGE_L32},
};

/* Of phase L1; L2 and L3 follow it in the table of quantities. */
static const struct field of_phase[] = {
    {"U", Q_VOLTAGE_L1},
    {"I", Q_CURRENT_L1},
    {"P", Q_POWER_L1},
    {"P+", Q_POWER_IMPORT_L1},
    {"P-", Q_POWER_EXPORT_L1},
    {"Q", Q_REACTIVE_L1},
    {"Q+", Q_REACTIVE_IMPORT_L1},
    {"Q-", Q_REACTIVE_EXPORT_L1},
    {"VSAGS", Q_VOLTAGE_SAGS_L1},
    {"VSWELLS", Q_VOLTAGE_SWELLS_L1},
    {"S", Q_APPARENT_L1},
};

static const struct field after_phases[] = {
    {"Q", Q_REACTIVE},
    {"Q+", Q_REACTIVE_IMPORT},
    {"Q-", Q_REACTIVE_EXPORT},
    {"EQ1", Q_REACTIVE_ENERGY_Q1},
    {"EQ2", Q_REACTIVE_ENERGY_Q2},
    {"EQ3", Q_REACTIVE_ENERGY_Q3},
    {"EQ4", Q_REACTIVE_ENERGY_Q4},
    {"PFAIL", Q_POWER_FAILURES},
    {"LPFAIL", Q_LONG_POWER_FAILURES},
    {"PF", Q_POWER_FACTOR},
    {"S", Q_APPARENT},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void put_fields(struct text_out *out, const struct reading *r, const struct field *f,
                       size_t n, unsigned offset)
{
    for (size_t i = 0; i < n; i++) {
        put_key(out, f[i].key);
        put_value(out, r, (enum quantity)(f[i].quantity + offset));
    }
}

void message_power_instant(struct text_out *out, const struct reading *r)
{
    static const char *const phases[] = {"l1", "l2", "l3"};
    text_char(out, '{');
    put_key(out, "ts");
    put_time(out, message_time(r));
    put_fields(out, r, before_phases, COUNT(before_phases), 0);
    for (unsigned n = 0; n < COUNT(phases); n++) {
        put_key(out, phases[n]);
        text_char(out, '{');
        put_fields(out, r, of_phase, COUNT(of_phase), n);
        text_char(out, '}');
    }
    put_fields(out, r, after_phases, COUNT(after_phases), 0);
    text_char(out, '}');
}

/* --- readings --------------------------------------------------------------------------------- */

static void put_texts(struct text_out *out, const struct reading *r, const uint8_t *telegram,
                      size_t telegram_len)
{
    char text[2 * 1024 + 1]; /* 1024 characters, each up to two bytes of UTF-8 */
    put_key(out, "texts");
    text_char(out, '{');
    for (int id = 0; id < TEXT_N; id++) {
        if (r->text[id].length == 0)
            continue;
        (void)reading_text(r, (enum reading_text_id)id, telegram, telegram_len, text, sizeof text);
        put_key(out, reading_text_name((enum reading_text_id)id));
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
    put_key(out, "medium");
    text_decimal(out, m->medium, 0);
    if (m->unit != MBUS_UNIT_UNKNOWN) {
        put_key(out, "value");
        text_decimal(out, m->value, units[m->unit].decimals);
        put_key(out, "unit");
        text_json_string(out, units[m->unit].unit);
        put_key(out, "ts");
        put_time(out, m->time_s);
        put_key(out, "uncorrected");
        text_put(out, m->uncorrected ? "true" : "false");
    }
    if (m->valve >= 0) {
        put_key(out, "valve");
        text_decimal(out, m->valve, 0);
    }
}

static void put_mbus(struct text_out *out, const struct reading *r)
{
    put_key(out, "mbus");
    text_char(out, '{');
    for (int i = 0; i < READING_MBUS_N; i++) {
        const struct reading_mbus *m = &r->mbus[i];
        if (m->medium == MBUS_NONE && m->unit == MBUS_UNIT_UNKNOWN && m->valve < 0)
            continue;
        put_key(out, (const char[]){(char)('1' + i), 0});
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
    put_key(out, "power_failure_log");
    text_char(out, '[');
    for (int i = 0; i < r->failures_n; i++) {
        put_separator(out);
        text_put(out, "{");
        put_key(out, "end_ts");
        put_time(out, r->failures[i].end_s);
        put_key(out, "duration_s");
        text_decimal(out, r->failures[i].duration_s, 0);
        text_char(out, '}');
    }
    text_char(out, ']');
}

static void put_peaks(struct text_out *out, const struct reading *r)
{
    put_key(out, "peak_history");
    text_char(out, '[');
    for (int i = 0; i < r->peaks_n; i++) {
        put_separator(out);
        text_put(out, "{");
        put_key(out, "month_ts");
        put_time(out, r->peaks[i].month_s);
        put_key(out, "ts");
        put_time(out, r->peaks[i].time_s);
        put_key(out, "power_w");
        text_decimal(out, r->peaks[i].power_w, 0);
        text_char(out, '}');
    }
    text_char(out, ']');
}

void message_readings(struct text_out *out, const struct reading *r, const uint8_t *telegram,
                      size_t telegram_len)
{
    static const char *const standards[] = {[STANDARD_UNKNOWN] = "unknown",
                                            [STANDARD_P1] = "p1",
                                            [STANDARD_TIC] = "tic",
                                            [STANDARD_TIC_HISTORIC] = "tic-historic"};
    static const char *const grids[] = {
        [GRID_UNKNOWN] = "unknown", [GRID_STAR] = "star", [GRID_DELTA] = "delta"};
    text_char(out, '{');
    put_key(out, "ts");
    put_time(out, message_time(r));
    put_key(out, "meter_ts");
    put_time(out, r->meter_time_s);
    put_key(out, "sequence");
    text_decimal(out, (int64_t)r->sequence, 0);
    put_key(out, "standard");
    text_json_string(out, standards[r->standard]);
    put_key(out, "grid");
    text_json_string(out, grids[r->grid]);
    put_key(out, "phases");
    text_decimal(out, r->phases, 0);
    put_key(out, "object_errors");
    text_decimal(out, r->object_errors, 0);
    put_key(out, "values");
    text_char(out, '{');
    for (int q = 0; q < Q_N; q++) {
        if (!reading_has(r, (enum quantity)q))
            continue;
        put_key(out, quantities[q].name);
        put_value(out, r, (enum quantity)q);
    }
    text_char(out, '}');
    if (reading_has(r, Q_DEMAND_MONTH_PEAK)) {
        put_key(out, "demand_month_peak_ts");
        put_time(out, r->peak_time_s);
    }
    put_mbus(out, r);
    put_texts(out, r, telegram, telegram_len);
    put_failures(out, r);
    put_peaks(out, r);
    text_char(out, '}');
}
