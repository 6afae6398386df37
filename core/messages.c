#include "messages.h"

#include "messages_parts.h"

enum { DAY_S = 86400 };

int64_t message_time(const struct reading *r)
{
    int64_t off_s = r->meter_time_s - r->received_s;
    bool far_off = r->received_s != READING_NO_TIME && (off_s > DAY_S || off_s < -DAY_S);
    if (r->meter_time_s == READING_NO_TIME || r->meter_time_degraded || far_off)
        return r->received_s;
    return r->meter_time_s;
}

void message_put_time(struct text_out *out, int64_t utc_s)
{
    if (utc_s == READING_NO_TIME)
        text_put(out, "null");
    else
        text_decimal(out, utc_s, 0);
}

void message_put_key(struct text_out *out, const char *key)
{
    if (out->length && out->buffer[out->length - 1] != '{')
        text_char(out, ',');
    text_char(out, '"');
    text_put(out, key);
    text_put(out, "\":");
}

void message_put_value(struct text_out *out, const struct reading *r, enum quantity q)
{
    if (reading_has(r, q))
        text_decimal(out, r->value[q], quantity_decimals[q]);
    else
        text_put(out, "null");
}

/* --- power_instant ---------------------------------------------------------------------------- */

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

/* What power_instant is made of, in its order. */
static const struct block {
    const char *object; /* the key of the object that holds the fields; NULL: the message itself */
    const struct field *fields;
    uint8_t count;
    uint8_t phase; /* goes on top of each quantity */
} blocks[] = {
    {NULL, before_phases, COUNT(before_phases), 0}, {"l1", of_phase, COUNT(of_phase), 0},
    {"l2", of_phase, COUNT(of_phase), 1},           {"l3", of_phase, COUNT(of_phase), 2},
    {NULL, after_phases, COUNT(after_phases), 0},
};

static enum quantity block_quantity(const struct block *b, size_t i)
{
    return (enum quantity)(b->fields[i].quantity + b->phase);
}

static void put_fields(struct text_out *out, const struct reading *r, const struct block *b)
{
    for (size_t i = 0; i < b->count; i++) {
        message_put_key(out, b->fields[i].key);
        message_put_value(out, r, block_quantity(b, i));
    }
}

void message_power_instant(struct text_out *out, const struct reading *r)
{
    text_char(out, '{');
    message_put_key(out, "ts");
    message_put_time(out, message_time(r));
    for (const struct block *b = blocks; b < blocks + COUNT(blocks); b++) {
        if (b->object) {
            message_put_key(out, b->object);
            text_char(out, '{');
        }
        put_fields(out, r, b);
        if (b->object)
            text_char(out, '}');
    }
    text_char(out, '}');
}

void message_forget_instant(struct reading *r)
{
    for (const struct block *b = blocks; b < blocks + COUNT(blocks); b++)
        for (size_t i = 0; i < b->count; i++)
            reading_unset(r, block_quantity(b, i));
}

/* By how much a value must differ to matter. */
static int64_t least_change(enum quantity_unit unit, int64_t deadband_w)
{
    switch (unit) {
    case UNIT_COUNT:
        return 1;
    case UNIT_W:
    case UNIT_VAR:
    case UNIT_VA:
        return deadband_w > 1 ? deadband_w : 1;
    default:
        return INT64_MAX;
    }
}

static bool value_changed(const struct reading *before, const struct reading *now, enum quantity q,
                          int64_t deadband_w)
{
    bool known = reading_has(now, q);
    if (known != reading_has(before, q))
        return quantities[q].unit != UNIT_NONE; /* a power factor comes and goes at 0 W */
    if (!known)
        return false;
    int64_t least = least_change(quantities[q].unit, deadband_w);
    int64_t change = now->value[q] - before->value[q];
    return change >= least || change <= -least;
}

bool message_power_changed(const struct reading *before, const struct reading *now,
                           int64_t deadband_w)
{
    for (const struct block *b = blocks; b < blocks + COUNT(blocks); b++)
        for (size_t i = 0; i < b->count; i++)
            if (value_changed(before, now, block_quantity(b, i), deadband_w))
                return true;
    return false;
}

/* --- device_counters -------------------------------------------------------------------------- */

void message_device_counters(struct text_out *out, const struct device_counters *c)
{
    const struct {
        const char *key;
        int64_t count;
    } rows[] = {
        {"uptime", c->uptime_s},
        {"gw_ping_pass", c->gateway_ping_pass},
        {"gw_ping_fail", c->gateway_ping_fail},
        {"internet_ping_pass", c->internet_ping_pass},
        {"internet_ping_fail", c->internet_ping_fail},
        {"telegrams_pass", c->telegrams_pass},
        {"telegrams_fail", c->telegrams_fail},
        {"telegrams_frame_fail", c->telegrams_frame_fail},
        {"mqtt_event_errors", c->mqtt_event_errors},
        {"mqtt_event_connect", c->mqtt_event_connect},
        {"mqtt_send_pass", c->mqtt_send_pass},
        {"mqtt_send_fail", c->mqtt_send_fail},
        {"heap_free", c->heap_free},
        {"heap_min_free", c->heap_min_free},
        {"heap_largest_free", c->heap_largest_free},
        {"heap_failed_allocs", c->heap_failed_allocs},
    };
    text_char(out, '{');
    for (size_t i = 0; i < COUNT(rows); i++) {
        message_put_key(out, rows[i].key);
        if (rows[i].count == COUNTER_UNKNOWN)
            text_put(out, "null");
        else
            text_decimal(out, rows[i].count, 0);
    }
    text_char(out, '}');
}
