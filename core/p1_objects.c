/* p1_objects.c - the table of OBIS references and what each object becomes.
 *
 *   A-B:C.D.E(value)(value)...     DSMR P1 companion 5.0.2 clause 6.12, e-MUCS P1, IEC 62056-61
 *
 * Objects are matched on C.D.E whatever A-B is: Swiss meters print energies as 1-1:, Luxembourg prints
 * sags as 1-0:.  Only 0-n with n from 1 means something: the M-Bus channel.
 */
#include "p1_objects.h"

#include "p1_records.h"
#include "p1_values.h"

#include <string.h>

static bool signed_number(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                          unsigned channel)
{
    reading_value value;
    (void)channel;
    if (!p1_read_value(c, (enum p1_dimension)o->dimension, quantity_decimals[o->target], &value))
        return false;
    reading_set_first(d->reading, (enum quantity)o->target, value);
    return true;
}

static bool number(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                   unsigned channel)
{
    return c->end - c->p > 1 && c->p[1] != '-' && signed_number(d, o, c, channel);
}

/* Hungarian meters print impossible power factors (4.556): dropped, not an error of the telegram. */
static bool power_factor(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                         unsigned channel)
{
    reading_value value;
    (void)channel;
    if (!p1_read_value(c, DIM_NONE, quantity_decimals[o->target], &value))
        return false;
    if (value >= -1000 && value <= 1000)
        reading_set_first(d->reading, (enum quantity)o->target, value);
    return true;
}

/* 1-3:0.2.8 (50) and 0-0:96.1.4 (50217).  Some Brussels meters send 96 times "20": text only. */
static bool version(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                    unsigned channel)
{
    struct cursor digits = {c->p + 1, c->end};
    struct p1_printed n;
    struct reading *r = d->reading;
    (void)o;
    (void)channel;
    FULL_ONLY(if (!p1_text(d, o, c, channel)) return false;)
    if (!p1_read_number(&digits, &n) || cursor_peek(&digits) != ')' || n.decimals || n.digits < 0)
        return true;
    if (n.digits <= UINT8_MAX)
        r->p1_version = r->p1_version ? r->p1_version : (uint8_t)n.digits;
    else if (CORE_IS_SMALL || n.digits <= UINT32_MAX)
        r->emucs_version = r->emucs_version ? r->emucs_version : (uint32_t)n.digits;
    return true;
}

/* 1.6.0 (time)(kW): this month's peak. */
static bool month_peak(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                       unsigned channel)
{
    struct reading *r = d->reading;
    int64_t utc_s;
    bool first = !reading_has(r, Q_DEMAND_MONTH_PEAK);
    if (!p1_read_time(c, d->winter_offset_s, &utc_s) || !number(d, o, c, channel))
        return false;
    if (first)
        r->peak_time_s = utc_s;
    return true;
}

#ifndef CORE_SMALL
static bool telegram_time(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                          unsigned channel)
{
    int64_t utc_s;
    (void)o;
    (void)channel;
    if (!p1_read_time(c, d->winter_offset_s, &utc_s) || utc_s == READING_NO_TIME)
        return false;
    if (d->reading->meter_time_s == READING_NO_TIME)
        d->reading->meter_time_s = utc_s;
    return true;
}
#endif

/* What a P1MB does not show. */
#define FULL_ROW(...) FULL_ONLY(P1_OBJECT(__VA_ARGS__), )

/* clang-format off */
/* Sorted by the characters of the reference, for the search. */
static const struct p1_object electricity_objects[] = {
    P1_OBJECT(0, 2, 8, P1_VERSION, TEXT_VERSION, 0),
    FULL_ROW(1, 0, 0, P1_TELEGRAM_TIME, 0, 0)
    P1_OBJECT(1, 4, 0, P1_NUMBER, Q_DEMAND_QUARTER, DIM_POWER),
    P1_OBJECT(1, 6, 0, P1_MONTH_PEAK, Q_DEMAND_MONTH_PEAK, DIM_POWER),
    P1_OBJECT(1, 7, 0, P1_NUMBER, Q_POWER_IMPORT, DIM_POWER),
    P1_OBJECT(1, 8, 0, P1_NUMBER, Q_ENERGY_IMPORT, DIM_ENERGY),
    P1_OBJECT(1, 8, 1, P1_NUMBER, Q_ENERGY_IMPORT_T1, DIM_ENERGY),
    P1_OBJECT(1, 8, 2, P1_NUMBER, Q_ENERGY_IMPORT_T2, DIM_ENERGY),
    P1_OBJECT(1, 8, 3, P1_NUMBER, Q_ENERGY_IMPORT_T3, DIM_ENERGY),
    P1_OBJECT(1, 8, 4, P1_NUMBER, Q_ENERGY_IMPORT_T4, DIM_ENERGY),
    P1_OBJECT(10, 7, 0, P1_NUMBER, Q_APPARENT_EXPORT, DIM_APPARENT),
    P1_OBJECT(13, 7, 0, P1_POWER_FACTOR, Q_POWER_FACTOR, DIM_NONE),
    P1_OBJECT(14, 7, 0, P1_NUMBER, Q_FREQUENCY, DIM_FREQUENCY),
    P1_OBJECT(15, 8, 0, P1_NUMBER, Q_ENERGY_ABSOLUTE, DIM_ENERGY),
    P1_OBJECT(16, 7, 0, P1_SIGNED_NUMBER, Q_POWER, DIM_POWER),
    FULL_ROW(17, 0, 0, P1_LIMITER, 0, 0)
    P1_OBJECT(2, 7, 0, P1_NUMBER, Q_POWER_EXPORT, DIM_POWER),
    P1_OBJECT(2, 8, 0, P1_NUMBER, Q_ENERGY_EXPORT, DIM_ENERGY),
    P1_OBJECT(2, 8, 1, P1_NUMBER, Q_ENERGY_EXPORT_T1, DIM_ENERGY),
    P1_OBJECT(2, 8, 2, P1_NUMBER, Q_ENERGY_EXPORT_T2, DIM_ENERGY),
    P1_OBJECT(2, 8, 3, P1_NUMBER, Q_ENERGY_EXPORT_T3, DIM_ENERGY),
    P1_OBJECT(2, 8, 4, P1_NUMBER, Q_ENERGY_EXPORT_T4, DIM_ENERGY),
    P1_OBJECT(21, 7, 0, P1_NUMBER, Q_POWER_IMPORT_L1, DIM_POWER),
    P1_OBJECT(22, 7, 0, P1_NUMBER, Q_POWER_EXPORT_L1, DIM_POWER),
    P1_OBJECT(23, 7, 0, P1_NUMBER, Q_REACTIVE_IMPORT_L1, DIM_REACTIVE),
    P1_OBJECT(24, 7, 0, P1_NUMBER, Q_REACTIVE_EXPORT_L1, DIM_REACTIVE),
    P1_OBJECT(29, 7, 0, P1_NUMBER, Q_APPARENT_IMPORT_L1, DIM_APPARENT),
    P1_OBJECT(3, 7, 0, P1_NUMBER, Q_REACTIVE_IMPORT, DIM_REACTIVE),
    P1_OBJECT(3, 8, 0, P1_NUMBER, Q_REACTIVE_ENERGY_IMPORT, DIM_REACTIVE_ENERGY),
    P1_OBJECT(30, 7, 0, P1_NUMBER, Q_APPARENT_EXPORT_L1, DIM_APPARENT),
    FULL_ROW(31, 4, 0, P1_FUSE, Q_FUSE_L1, DIM_CURRENT)
    P1_OBJECT(31, 7, 0, P1_NUMBER, Q_METER_CURRENT_L1, DIM_CURRENT),
    FULL_ROW(32, 32, 0, P1_NUMBER, Q_VOLTAGE_SAGS_L1, DIM_NONE)
    FULL_ROW(32, 36, 0, P1_NUMBER, Q_VOLTAGE_SWELLS_L1, DIM_NONE)
    P1_OBJECT(32, 7, 0, P1_NUMBER, Q_METER_VOLTAGE_L1, DIM_VOLTAGE),
    P1_OBJECT(33, 7, 0, P1_POWER_FACTOR, Q_POWER_FACTOR_L1, DIM_NONE),
    P1_OBJECT(36, 7, 0, P1_SIGNED_NUMBER, Q_POWER_L1, DIM_POWER),
    P1_OBJECT(4, 7, 0, P1_NUMBER, Q_REACTIVE_EXPORT, DIM_REACTIVE),
    P1_OBJECT(4, 8, 0, P1_NUMBER, Q_REACTIVE_ENERGY_EXPORT, DIM_REACTIVE_ENERGY),
    P1_OBJECT(41, 7, 0, P1_NUMBER, Q_POWER_IMPORT_L2, DIM_POWER),
    FULL_ROW(42, 0, 0, P1_TEXT, TEXT_LOGICAL_NAME, 0)
    P1_OBJECT(42, 7, 0, P1_NUMBER, Q_POWER_EXPORT_L2, DIM_POWER),
    P1_OBJECT(43, 7, 0, P1_NUMBER, Q_REACTIVE_IMPORT_L2, DIM_REACTIVE),
    P1_OBJECT(44, 7, 0, P1_NUMBER, Q_REACTIVE_EXPORT_L2, DIM_REACTIVE),
    P1_OBJECT(49, 7, 0, P1_NUMBER, Q_APPARENT_IMPORT_L2, DIM_APPARENT),
    P1_OBJECT(5, 7, 0, P1_NUMBER, Q_REACTIVE_Q1, DIM_REACTIVE),
    FULL_ROW(5, 8, 0, P1_NUMBER, Q_REACTIVE_ENERGY_Q1, DIM_REACTIVE_ENERGY)
    P1_OBJECT(50, 7, 0, P1_NUMBER, Q_APPARENT_EXPORT_L2, DIM_APPARENT),
    FULL_ROW(51, 4, 0, P1_FUSE, Q_FUSE_L2, DIM_CURRENT)
    P1_OBJECT(51, 7, 0, P1_NUMBER, Q_METER_CURRENT_L2, DIM_CURRENT),
    FULL_ROW(52, 32, 0, P1_NUMBER, Q_VOLTAGE_SAGS_L2, DIM_NONE)
    FULL_ROW(52, 36, 0, P1_NUMBER, Q_VOLTAGE_SWELLS_L2, DIM_NONE)
    P1_OBJECT(52, 7, 0, P1_NUMBER, Q_METER_VOLTAGE_L2, DIM_VOLTAGE),
    P1_OBJECT(53, 7, 0, P1_POWER_FACTOR, Q_POWER_FACTOR_L2, DIM_NONE),
    P1_OBJECT(56, 7, 0, P1_SIGNED_NUMBER, Q_POWER_L2, DIM_POWER),
    P1_OBJECT(6, 7, 0, P1_NUMBER, Q_REACTIVE_Q2, DIM_REACTIVE),
    FULL_ROW(6, 8, 0, P1_NUMBER, Q_REACTIVE_ENERGY_Q2, DIM_REACTIVE_ENERGY)
    P1_OBJECT(61, 7, 0, P1_NUMBER, Q_POWER_IMPORT_L3, DIM_POWER),
    P1_OBJECT(62, 7, 0, P1_NUMBER, Q_POWER_EXPORT_L3, DIM_POWER),
    P1_OBJECT(63, 7, 0, P1_NUMBER, Q_REACTIVE_IMPORT_L3, DIM_REACTIVE),
    P1_OBJECT(64, 7, 0, P1_NUMBER, Q_REACTIVE_EXPORT_L3, DIM_REACTIVE),
    P1_OBJECT(69, 7, 0, P1_NUMBER, Q_APPARENT_IMPORT_L3, DIM_APPARENT),
    P1_OBJECT(7, 7, 0, P1_NUMBER, Q_REACTIVE_Q3, DIM_REACTIVE),
    FULL_ROW(7, 8, 0, P1_NUMBER, Q_REACTIVE_ENERGY_Q3, DIM_REACTIVE_ENERGY)
    P1_OBJECT(70, 7, 0, P1_NUMBER, Q_APPARENT_EXPORT_L3, DIM_APPARENT),
    FULL_ROW(71, 4, 0, P1_FUSE, Q_FUSE_L3, DIM_CURRENT)
    P1_OBJECT(71, 7, 0, P1_NUMBER, Q_METER_CURRENT_L3, DIM_CURRENT),
    FULL_ROW(72, 32, 0, P1_NUMBER, Q_VOLTAGE_SAGS_L3, DIM_NONE)
    FULL_ROW(72, 36, 0, P1_NUMBER, Q_VOLTAGE_SWELLS_L3, DIM_NONE)
    P1_OBJECT(72, 7, 0, P1_NUMBER, Q_METER_VOLTAGE_L3, DIM_VOLTAGE),
    P1_OBJECT(73, 7, 0, P1_POWER_FACTOR, Q_POWER_FACTOR_L3, DIM_NONE),
    P1_OBJECT(76, 7, 0, P1_SIGNED_NUMBER, Q_POWER_L3, DIM_POWER),
    P1_OBJECT(8, 7, 0, P1_NUMBER, Q_REACTIVE_Q4, DIM_REACTIVE),
    FULL_ROW(8, 8, 0, P1_NUMBER, Q_REACTIVE_ENERGY_Q4, DIM_REACTIVE_ENERGY)
    P1_OBJECT(9, 7, 0, P1_NUMBER, Q_APPARENT_IMPORT, DIM_APPARENT),
    P1_OBJECT(91, 7, 0, P1_NUMBER, Q_CURRENT_NEUTRAL, DIM_CURRENT),
    P1_OBJECT(94, 32, 1, P1_NUMBER, Q_GRID_TYPE, DIM_NONE),
    FULL_ROW(96, 1, 0, P1_TEXT, TEXT_METER_ID, 0)
    FULL_ROW(96, 1, 1, P1_TEXT, TEXT_METER_ID, 0)
    FULL_ROW(96, 1, 2, P1_TEXT, TEXT_EAN, 0)
    P1_OBJECT(96, 1, 4, P1_VERSION, TEXT_VERSION, 0),
    FULL_ROW(96, 13, 0, P1_TEXT, TEXT_MESSAGE, 0)
    FULL_ROW(96, 13, 1, P1_TEXT, TEXT_MESSAGE_2, 0)
    FULL_ROW(96, 13, 2, P1_TEXT, TEXT_MESSAGE_3, 0)
    FULL_ROW(96, 13, 3, P1_TEXT, TEXT_MESSAGE_4, 0)
    FULL_ROW(96, 13, 4, P1_TEXT, TEXT_MESSAGE_5, 0)
    FULL_ROW(96, 13, 5, P1_TEXT, TEXT_MESSAGE_6, 0)
    P1_OBJECT(96, 14, 0, P1_NUMBER, Q_TARIFF, DIM_NONE),
    FULL_ROW(96, 3, 10, P1_NUMBER, Q_BREAKER, DIM_NONE)
    FULL_ROW(96, 7, 21, P1_NUMBER, Q_POWER_FAILURES, DIM_NONE)
    FULL_ROW(96, 7, 9, P1_NUMBER, Q_LONG_POWER_FAILURES, DIM_NONE)
    FULL_ROW(98, 1, 0, P1_PEAK_HISTORY, 0, DIM_POWER)
    FULL_ROW(99, 97, 0, P1_FAILURE_LOG, 0, 0)
};
/* clang-format on */
enum { ELECTRICITY_OBJECTS = sizeof electricity_objects / sizeof electricity_objects[0] };

static p1_object_decoder *const decoders[] = {
    [P1_NUMBER] = number,
    [P1_SIGNED_NUMBER] = signed_number,
    [P1_POWER_FACTOR] = power_factor,
    [P1_VERSION] = version,
    [P1_MONTH_PEAK] = month_peak,
    FULL_ONLY([P1_TELEGRAM_TIME] = telegram_time, [P1_LIMITER] = p1_limiter, [P1_FUSE] = p1_fuse,
              [P1_TEXT] = p1_text, [P1_FAILURE_LOG] = p1_failure_log,
              [P1_PEAK_HISTORY] = p1_peak_history, [P1_MBUS_MEDIUM] = p1_mbus_medium,
              [P1_MBUS_VALVE] = p1_mbus_valve, [P1_MBUS_READING] = p1_mbus_reading,
              [P1_MBUS_GAS_UNCORRECTED] = p1_mbus_gas_uncorrected,
              [P1_MBUS_READING_DSMR3] = p1_mbus_reading_dsmr3, )};

static inline bool decode(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                          unsigned channel)
{
    return decoders[o->decoding](d, o, c, channel);
}

/* A-B: of one digit each.  A is 1 for electricity or 0 for what is abstract; then B is the M-Bus
 * channel. */
static inline bool read_medium_and_channel(struct cursor *c, unsigned *channel)
{
    const uint8_t *p = c->p;
    if (c->end - p < 4 || (unsigned)p[0] - '0' > 1 || p[1] != '-' || (unsigned)p[2] - '0' > 9 ||
        p[3] != ':')
        return false;
    *channel = p[0] == '0' ? (unsigned)p[2] - '0' : 0;
    c->p += 4;
    return true;
}

/* A-B: of gas (7-), heat (6-) and the like: no objects of ours, and no mistake. */
static bool is_other_medium(const struct cursor *c)
{
    const uint8_t *p = c->p;
    return c->end - p > 3 && p[0] >= '2' && p[0] <= '9' && p[1] == '-' &&
           (unsigned)p[2] - '0' <= 9 && p[3] == ':';
}

/* How meters print that they have no such value: "()", or "((ER11))" by IEC 62056-21. */
static bool is_absent(struct cursor line)
{
    static const uint8_t error[4] = {'(', '(', 'E', 'R'};
    if (!cursor_find(&line, '('))
        return false;
    ptrdiff_t n = line.end - line.p;
    return (n > 1 && line.p[1] == ')') || (n > 4 && memcmp(line.p, error, sizeof error) == 0);
}

#ifdef CORE_SMALL

static const struct p1_object *find_object(p1_reference reference)
{
    for (size_t i = 0; i < ELECTRICITY_OBJECTS; i++) {
        const uint8_t *r = electricity_objects[i].reference;
        if (((p1_reference)r[0] << 16 | (p1_reference)r[1] << 8 | (p1_reference)r[2]) == reference)
            return &electricity_objects[i];
    }
    return NULL;
}

/* C, D or E, of which `group` was read, with one more character; no object of ours has more than two digits. */
static unsigned add_digit(unsigned group, int byte)
{
    unsigned digit = (unsigned)byte - '0';
    return digit <= 9 && group <= P1_GROUP(9) ? group * 10 + digit : UINT8_MAX;
}

/* C.D.E up to the '(' of the value, or up to a group F, which says nothing.  False: makes no sense, as in the full
 * core, which looks at eight characters at once.  Another word becomes a reference that is not in the table. */
static bool read_reference(struct cursor *c, p1_reference *reference)
{
    const uint8_t *start = c->p, *end;
    unsigned dots = 0, group = P1_NO_DIGIT;
    int byte;
    *reference = 0;
    while ((byte = cursor_peek(c)) > ' ' && byte != '(' && byte != '*' &&
           (byte != '.' || ++dots < 3)) {
        c->p++;
        if (byte == '.') {
            *reference = *reference << 8 | group;
            group = P1_NO_DIGIT;
        } else {
            group = add_digit(group, byte);
        }
    }
    *reference = *reference << 8 | group;
    end = c->p;
    return byte > ' ' && end > start && end - start <= 8 && cursor_find(c, '(') && c->p - end <= 4;
}

/* One data line from its first byte; the cursor stays in it.  False: makes no sense. */
static bool decode_line(const struct p1_decoder *d, unsigned line, struct cursor *c)
{
    unsigned channel;
    p1_reference reference;
    (void)line;
    if (!read_medium_and_channel(c, &channel))
        return is_other_medium(c);
    const struct cursor start = *c;
    if (!read_reference(c, &reference))
        return false;
    const struct p1_object *o = channel ? NULL : find_object(reference);
    return !o || decode(d, o, c, channel) || is_absent(start);
}

#else

static const struct p1_object *find_object(const struct p1_object *table, size_t n,
                                           p1_reference reference)
{
    while (n > 1) {
        size_t half = n / 2;
        if (p1_load_be64(table[half].reference) <= reference)
            table += half;
        n -= half;
    }
    return p1_load_be64(table->reference) == reference ? table : NULL;
}

/* The highest bit of each byte of `word` that is '('.  A ')' right before one may be marked as well,
 * which the check of the value's first character finds. */
static inline uint64_t mark_parentheses(uint64_t word)
{
    uint64_t differing = word ^ UINT64_C(0x2828282828282828);
    return (differing - UINT64_C(0x0101010101010101)) & ~differing & UINT64_C(0x8080808080808080);
}

/* C.D.E as it is printed, up to the '(' of the value: one to seven characters, all looked at at once.  A NUL at its end
 * would pass for the padding of the one it is not. */
static inline bool read_reference(struct cursor *c, p1_reference *reference)
{
    if (c->end - c->p < 8)
        return false;
    uint64_t word = p1_load_be64(c->p), marks = mark_parentheses(word);
    if (marks == 0 || marks >> 63)
        return false;
    unsigned length = (unsigned)__builtin_clzll(marks) / 8;
    *reference = word & ~(~UINT64_C(0) >> (8 * length));
    c->p += length;
    return c->p[-1] != 0;
}

/* The same with a group F behind (".255" or "*255"), which says nothing. */
static bool read_long_reference(struct cursor *c, p1_reference *reference)
{
    uint8_t code[8] = {0};
    const uint8_t *p = c->p;
    unsigned dots = 0;
    for (size_t n = 0;
         p < c->end && *p != '(' && *p != '*' && *p != '\n' && (*p != '.' || ++dots < 3); n++) {
        if (n == sizeof code)
            return false;
        code[n] = *p++;
    }
    if (p > c->p && p[-1] == 0)
        return false;
    for (int n = 0; n < 4 && p < c->end && *p != '(' && *p != '\n'; n++)
        p++;
    *reference = p1_load_be64(code);
    c->p = p;
    return cursor_peek(c) == '(';
}

/* Looks first where the same line of the telegram before was found: a meter keeps its layout. */
static inline const struct p1_object *find_by_layout(const struct p1_decoder *d, unsigned line,
                                                     unsigned channel, p1_reference reference)
{
    if (channel > READING_MBUS_N)
        return NULL;
    const struct p1_object *table = channel ? p1_mbus_objects : electricity_objects;
    size_t n = channel ? P1_MBUS_OBJECTS : ELECTRICITY_OBJECTS;
    uint8_t *row = &d->layout[line % P1_LAYOUT_LINES];
    if (*row < n && p1_load_be64(table[*row].reference) == reference)
        return &table[*row];
    const struct p1_object *o = find_object(table, n, reference);
    if (o)
        *row = (uint8_t)(o - table);
    return o;
}

/* No blank and no control byte: a reference that is not in the table, but is one. */
static bool is_word(p1_reference reference)
{
    do {
        if (reference >> 56 <= ' ')
            return false;
    } while ((reference <<= 8) != 0);
    return true;
}

/* A line whose reference is long or not in the table, from its reference on. */
static bool decode_rare_line(const struct p1_decoder *d, unsigned line, struct cursor *c,
                             unsigned channel)
{
    struct cursor start = *c;
    p1_reference reference;
    if (!read_long_reference(c, &reference))
        return false;
    const struct p1_object *o = find_by_layout(d, line, channel, reference);
    if (!o)
        return is_word(reference);
    if (decode(d, o, c, channel))
        return true;
    *c = start;
    return is_absent(start);
}

/* One data line from its first byte; the cursor stays in it.  False: makes no sense. */
static bool decode_line(const struct p1_decoder *d, unsigned line, struct cursor *c)
{
    unsigned channel;
    p1_reference reference;
    if (!read_medium_and_channel(c, &channel))
        return is_other_medium(c);
    const uint8_t *start = c->p;
    const struct p1_object *o = NULL;
    if (read_reference(c, &reference))
        o = find_by_layout(d, line, channel, reference);
    if (o && decode(d, o, c, channel))
        return true;
    c->p = start; /* a folded line that makes no sense may have ended in the next one */
    return o ? is_absent(*c) : decode_rare_line(d, line, c, channel);
}

#endif

/* Steps over the rest of the line and over lines that continue it. */
static void skip_line(struct cursor *c)
{
    do {
        if (!cursor_find(c, '\n'))
            return;
        c->p++;
    } while (cursor_peek(c) == '(');
}

/* A telegram has less than 65536 lines. */
static void count_error(struct reading *r, const uint8_t *line, const uint8_t *end)
{
    r->object_errors++;
    if (end - line > 3 && line[0] == '0' && line[1] == '-' && line[2] > '0')
        r->mbus_errors++;
}

const uint8_t *p1_decode_lines(const struct p1_decoder *d, unsigned *line, const uint8_t *p,
                               const uint8_t *end)
{
    struct cursor c = {p, end};
    for (; c.p < end && *c.p != '!' && *c.p != '/'; ++*line) {
        const uint8_t *start = c.p;
        if (*start != '\r' && *start != '\n' && !decode_line(d, *line, &c))
            count_error(d->reading, start, end);
        skip_line(&c);
    }
    return c.p;
}
