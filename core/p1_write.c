#include "p1_write.h"

#include "civil_time.h"
#include "crc16.h"
#include "integers.h"
#include "messages.h"
#include "text_out.h"

enum {
    PHASES = 3,
    TARIFFS = 4,
    ID_MAX = 49,             /* of a meter, with the NUL; 96.1.1 holds at most 48 characters */
    IDENTIFICATION_MAX = 64, /* more than any meter has */
    DAY_S = 86400
};

static const char hex[] = "0123456789ABCDEF";

#define YEAR_2100_S INT64_C(4102444800)

/* A number as DSMR writes it: F9(3,3) is 9 digits, 3 of them behind the point. */
struct form {
    uint8_t digits, decimals;
    const char *unit; /* "": none; k and G: thousands of the quantity's unit */
};

static const struct form energy = {9, 3, "*kWh"}, power = {5, 3, "*kW"}, voltage = {4, 1, "*V"},
                         current = {5, 2, "*A"}, code = {4, 0, ""}, count = {5, 0, ""};

static const struct line {
    const char *reference;
    enum quantity quantity;
    const struct form *form;
} lines[] = {
    {"1-0:1.8.1", Q_ENERGY_IMPORT_T1, &energy},
    {"1-0:1.8.2", Q_ENERGY_IMPORT_T2, &energy},
    {"1-0:1.8.3", Q_ENERGY_IMPORT_T3, &energy},
    {"1-0:1.8.4", Q_ENERGY_IMPORT_T4, &energy},
    {"1-0:2.8.1", Q_ENERGY_EXPORT_T1, &energy},
    {"1-0:2.8.2", Q_ENERGY_EXPORT_T2, &energy},
    {"1-0:2.8.3", Q_ENERGY_EXPORT_T3, &energy},
    {"1-0:2.8.4", Q_ENERGY_EXPORT_T4, &energy},
    {"1-0:1.8.0", Q_ENERGY_IMPORT, &energy},
    {"1-0:2.8.0", Q_ENERGY_EXPORT, &energy},
    {"0-0:96.14.0", Q_TARIFF, &code},
    {"1-0:1.7.0", Q_POWER_IMPORT, &power},
    {"1-0:2.7.0", Q_POWER_EXPORT, &power},
    {"0-0:96.7.21", Q_POWER_FAILURES, &count},
    {"0-0:96.7.9", Q_LONG_POWER_FAILURES, &count},
    {"1-0:32.32.0", Q_VOLTAGE_SAGS_L1, &count},
    {"1-0:52.32.0", Q_VOLTAGE_SAGS_L2, &count},
    {"1-0:72.32.0", Q_VOLTAGE_SAGS_L3, &count},
    {"1-0:32.36.0", Q_VOLTAGE_SWELLS_L1, &count},
    {"1-0:52.36.0", Q_VOLTAGE_SWELLS_L2, &count},
    {"1-0:72.36.0", Q_VOLTAGE_SWELLS_L3, &count},
    {"1-0:32.7.0", Q_METER_VOLTAGE_L1, &voltage},
    {"1-0:52.7.0", Q_METER_VOLTAGE_L2, &voltage},
    {"1-0:72.7.0", Q_METER_VOLTAGE_L3, &voltage},
    {"1-0:31.7.0", Q_METER_CURRENT_L1, &current},
    {"1-0:51.7.0", Q_METER_CURRENT_L2, &current},
    {"1-0:71.7.0", Q_METER_CURRENT_L3, &current},
    {"1-0:21.7.0", Q_POWER_IMPORT_L1, &power},
    {"1-0:41.7.0", Q_POWER_IMPORT_L2, &power},
    {"1-0:61.7.0", Q_POWER_IMPORT_L3, &power},
    {"1-0:22.7.0", Q_POWER_EXPORT_L1, &power},
    {"1-0:42.7.0", Q_POWER_EXPORT_L2, &power},
    {"1-0:62.7.0", Q_POWER_EXPORT_L3, &power},
    {"1-0:1.4.0", Q_DEMAND_QUARTER, &power},
};

/* --- what a DSMR 5 meter would say ------------------------------------------------------------ */

/* Of import and export one is 0. */
static void split(struct reading *r, enum quantity net, enum quantity import, enum quantity export)
{
    if (!reading_has(r, net))
        return;
    reading_set_first(r, import, r->value[net] > 0 ? r->value[net] : 0);
    reading_set_first(r, export, r->value[net] < 0 ? -r->value[net] : 0);
}

/* A Linky tells of a phase only what it imports; it does not export where its apparent power is known. */
static void split_phase(struct reading *r, int n)
{
    if (!reading_is_tic(r) || r->phases == 1 || reading_has(r, quantity_nth(Q_APPARENT_L1, n)))
        split(r, quantity_nth(Q_POWER_L1, n), quantity_nth(Q_POWER_IMPORT_L1, n),
              quantity_nth(Q_POWER_EXPORT_L1, n));
}

/* The only phase has all of the power; what a Linky says of the phase is import alone. */
static void complete_single_phase(struct reading *r)
{
    if (reading_is_tic(r))
        reading_unset(r, Q_POWER_L1);
    if (reading_has(r, Q_POWER))
        reading_set_first(r, Q_POWER_L1, r->value[Q_POWER]);
    for (int n = 1; n < PHASES; n++) {
        reading_set_first(r, quantity_nth(Q_METER_VOLTAGE_L1, n), 0);
        reading_set_first(r, quantity_nth(Q_METER_CURRENT_L1, n), 0);
        reading_set_first(r, quantity_nth(Q_POWER_L1, n), 0);
    }
}

/* A meter without tariffs counts in the first one.  Where an object was damaged it may be a tariff's. */
static void complete_tariffs(struct reading *r, enum quantity total, enum quantity tariff_1)
{
    if (!reading_has(r, total) || (!reading_is_tic(r) && r->object_errors != r->mbus_errors))
        return;
    for (int i = 0; i < TARIFFS; i++)
        if (reading_has(r, quantity_nth(tariff_1, i)))
            return;
    reading_set(r, tariff_1, r->value[total]);
    reading_set(r, quantity_nth(tariff_1, 1), 0);
}

static void complete(struct reading *r)
{
    complete_tariffs(r, Q_ENERGY_IMPORT, Q_ENERGY_IMPORT_T1);
    complete_tariffs(r, Q_ENERGY_EXPORT, Q_ENERGY_EXPORT_T1);
    split(r, Q_POWER, Q_POWER_IMPORT, Q_POWER_EXPORT);
    if (r->phases == 1)
        complete_single_phase(r);
    for (int n = 0; n < PHASES; n++)
        split_phase(r, n);
}

/* --- values ----------------------------------------------------------------------------------- */

static void put_digits(struct text_out *t, uint64_t value, int digits, int decimals)
{
    char reversed[24];
    int n = 0;
    for (; value || n < digits; value /= 10)
        reversed[n++] = (char)('0' + value % 10);
    for (; n > 0; n--) {
        text_char(t, reversed[n - 1]);
        if (n > 1 && n - 1 == decimals)
            text_char(t, '.');
    }
}

/* "(00.123*kW)" of value / 10^has_decimals. */
static void put_number(struct text_out *t, const struct form *f, reading_value value,
                       unsigned has_decimals)
{
    int64_t number = value;
    for (; has_decimals > f->decimals + 1U; has_decimals--)
        number /= 10;
    if (has_decimals > f->decimals)
        number = divide_rounded(number, 10);
    text_char(t, '(');
    put_digits(t, (uint64_t)number, f->digits, f->decimals);
    text_put(t, f->unit);
    text_char(t, ')');
}

static void put_quantity(struct text_out *t, const struct reading *r, enum quantity q,
                         const struct form *f)
{
    unsigned thousands = f->unit[0] && f->unit[1] == 'k' ? 3 : 0;
    put_number(t, f, r->value[q], quantity_decimals[q] + thousands);
}

/* From the last Sunday of March to that of October, at 1:00 UTC both. */
static bool is_summer(int64_t utc_s)
{
    struct civil_time t;
    civil_time_from_utc(utc_s, 0, &t);
    if (t.month < 3 || t.month > 10)
        return false;
    if (t.month > 3 && t.month < 10)
        return true;
    int weekday =
        (int)((utc_s / DAY_S + 4) % 7); /* Sunday is 0; the first day of 1970 was a Thursday */
    int sunday = t.day - weekday;
    int last = sunday + (31 - sunday) / 7 * 7;
    bool after = t.day > last || (t.day == last && t.hour >= 1);
    return (t.month == 3) == after;
}

static bool is_time(int64_t utc_s)
{
    return utc_s > READING_NO_TIME && utc_s < YEAR_2100_S;
}

/* "(261127010203W)" */
static void put_time(struct text_out *t, int64_t utc_s, int32_t winter_offset_s)
{
    struct civil_time c;
    bool summer = is_summer(utc_s);
    civil_time_from_utc(utc_s, winter_offset_s + (summer ? 3600 : 0), &c);
    const uint8_t fields[] = {(uint8_t)(c.year % 100), c.month, c.day, c.hour, c.minute, c.second};
    text_char(t, '(');
    for (size_t i = 0; i < sizeof fields; i++)
        put_digits(t, fields[i], 2, 0);
    text_put(t, summer ? "S)" : "W)");
}

/* "0-1:24.1.0"; channel 0 is the meter itself. */
static void put_reference(struct text_out *t, int channel, const char *reference)
{
    text_put(t, "0-");
    text_char(t, (char)('0' + channel));
    text_put(t, reference);
}

/* A text that is there, behind its reference, in hex. */
static void put_text(struct text_out *t, int channel, const char *reference, const char *text)
{
    if (text[0] == 0)
        return;
    put_reference(t, channel, reference);
    text_char(t, '(');
    for (; *text; text++) {
        text_char(t, hex[(uint8_t)*text >> 4]);
        text_char(t, hex[(uint8_t)*text & 15]);
    }
    text_put(t, ")\r\n");
}

/* --- the telegram ----------------------------------------------------------------------------- */

/* The meter's own, but for what readers take for a telegram's begin or end. */
static void put_identification(struct text_out *t, const struct reading *r, const uint8_t *telegram,
                               size_t telegram_len)
{
    size_t n;
    const uint8_t *text = reading_text_bytes(r, TEXT_IDENTIFICATION, telegram, telegram_len, &n);
    text_char(t, '/');
    for (size_t i = 0; i < n && i < IDENTIFICATION_MAX; i++) {
        bool plain = text[i] >= ' ' && text[i] <= '~' && text[i] != '/' && text[i] != '!';
        text_char(t, plain ? (char)text[i] : '_');
    }
    text_put(t, n ? "\r\n\r\n" : "TIC5 SMART CONNECT\r\n\r\n");
}

static void put_lines(struct text_out *t, const struct reading *r)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        enum quantity q = lines[i].quantity;
        if (!reading_has(r, q) || r->value[q] < 0)
            continue;
        text_put(t, lines[i].reference);
        put_quantity(t, r, q, lines[i].form);
        text_put(t, "\r\n");
    }
}

static void put_month_peak(struct text_out *t, const struct reading *r, int32_t winter_offset_s)
{
    if (!reading_has(r, Q_DEMAND_MONTH_PEAK) || r->value[Q_DEMAND_MONTH_PEAK] < 0 ||
        !is_time(r->peak_time_s))
        return;
    text_put(t, "1-0:1.6.0");
    put_time(t, r->peak_time_s, winter_offset_s);
    put_quantity(t, r, Q_DEMAND_MONTH_PEAK, &power);
    text_put(t, "\r\n");
}

/* Gas, water, heat: what it is, whose, and its counter with the time of that. */
static void put_channel(struct text_out *t, const struct reading_mbus *m, int channel,
                        const char *id, int32_t winter_offset_s)
{
    static const struct form medium = {3, 0, ""}, counters[] = {[MBUS_UNIT_DM3] = {8, 3, "*m3"},
                                                                [MBUS_UNIT_MJ] = {8, 3, "*GJ"},
                                                                [MBUS_UNIT_WH] = {8, 3, "*kWh"}};
    if (m->medium != MBUS_NONE) {
        put_reference(t, channel, ":24.1.0");
        put_number(t, &medium, m->medium, 0);
        text_put(t, "\r\n");
    }
    put_text(t, channel, ":96.1.0", id);
    if (m->unit == MBUS_UNIT_UNKNOWN || m->value < 0 || !is_time(m->time_s))
        return;
    put_reference(t, channel, m->uncorrected ? ":24.2.3" : ":24.2.1");
    put_time(t, m->time_s, winter_offset_s);
    put_number(t, &counters[m->unit], m->value, 3);
    text_put(t, "\r\n");
}

/* '!' and the CRC over everything up to it. */
static void seal(struct text_out *t)
{
    text_char(t, '!');
    uint16_t crc = crc16_update(CRC16_ARC_INIT, (const uint8_t *)t->buffer, t->length);
    for (int shift = 12; shift >= 0; shift -= 4)
        text_char(t, hex[crc >> shift & 15]);
    text_put(t, "\r\n");
}

size_t p1_write(const struct reading *r, int32_t winter_offset_s, const uint8_t *telegram,
                size_t telegram_len, char out[static P1_WRITE_MAX])
{
    struct reading completed = *r;
    struct text_out t;
    char id[ID_MAX];
    int64_t now_s = message_time(r);
    complete(&completed);
    text_init(&t, out, P1_WRITE_MAX);
    put_identification(&t, r, telegram, telegram_len);
    text_put(&t, "1-3:0.2.8(50)\r\n");
    if (is_time(now_s)) {
        put_reference(&t, 0, ":1.0.0");
        put_time(&t, now_s, winter_offset_s);
        text_put(&t, "\r\n");
    }
    (void)reading_text(r, TEXT_METER_ID, telegram, telegram_len, id, sizeof id);
    put_text(&t, 0, ":96.1.1", id);
    put_lines(&t, &completed);
    put_month_peak(&t, r, winter_offset_s);
    for (int i = 0; i < READING_MBUS_N; i++) {
        enum reading_text_id text = (enum reading_text_id)((int)TEXT_MBUS_ID_1 + i);
        (void)reading_text(r, text, telegram, telegram_len, id, sizeof id);
        put_channel(&t, &r->mbus[i], i + 1, id, winter_offset_s);
    }
    seal(&t);
    return t.length;
}
