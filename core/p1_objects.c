/* p1_objects.c - the table of OBIS references and what each object becomes.
 *
 *   A-B:C.D.E(value)(value)...     DSMR P1 companion 5.0.2 clause 6.12, e-MUCS P1, IEC 62056-61
 *
 * Objects are matched on C.D.E whatever A-B is: Swiss meters print energies as 1-1:, Luxembourg prints
 * sags as 1-0:.  Only 0-n with n from 1 means something: the M-Bus channel.
 */
#include "p1_objects.h"

#include "p1_values.h"

#include <string.h>

struct object;
typedef bool object_decoder(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                            unsigned channel);

struct object {
    char reference[8]; /* C.D.E as it is printed, padded with NUL */
    object_decoder *decode;
    uint8_t target;    /* enum quantity, enum reading_text_id or unused, as the decoder says */
    uint8_t dimension; /* enum p1_dimension, for numbers */
};

/* The first valid value of a quantity wins; later ones of the same telegram are ignored. */
static void set_first(struct reading *r, unsigned target, int64_t value)
{
    if (!reading_has(r, (enum quantity)target))
        reading_set(r, (enum quantity)target, value);
}

static bool signed_number(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                          unsigned channel)
{
    int64_t value;
    (void)channel;
    if (!p1_read_value(c, (enum p1_dimension)o->dimension, quantities[o->target].decimals, &value))
        return false;
    set_first(d->reading, o->target, value);
    return true;
}

static bool number(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                   unsigned channel)
{
    return c->end - c->p > 1 && c->p[1] != '-' && signed_number(d, o, c, channel);
}

/* Hungarian meters print impossible power factors (4.556): dropped, not an error of the telegram. */
static bool power_factor(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                         unsigned channel)
{
    int64_t value;
    (void)channel;
    if (!p1_read_value(c, DIM_NONE, quantities[o->target].decimals, &value))
        return false;
    if (value >= -1000 && value <= 1000)
        set_first(d->reading, o->target, value);
    return true;
}

/* A limit that is off stays unknown. */
static bool limit(const struct p1_decoder *d, unsigned target, enum p1_dimension dim,
                  const struct p1_printed *n)
{
    int64_t value;
    if (n->digits < 0 || !p1_convert(n, dim, quantities[target].decimals, &value))
        return false;
    if (!p1_is_off(n))
        set_first(d->reading, target, value);
    return true;
}

/* 17.0.0: kW in the Netherlands and Belgium, kVA in Luxembourg. */
static bool limiter(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                    unsigned channel)
{
    struct p1_printed n;
    (void)channel;
    (void)o;
    return p1_read_printed(c, &n) &&
           (limit(d, Q_LIMITER_W, DIM_POWER, &n) || limit(d, Q_LIMITER_VA, DIM_APPARENT, &n));
}

/* 31.4.0: (max*A), and in Luxembourg a second value (-max*A) for export. */
static bool fuse(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                 unsigned channel)
{
    struct p1_printed n;
    int64_t export_ma;
    (void)channel;
    if (!p1_read_printed(c, &n) || !limit(d, o->target, DIM_CURRENT, &n))
        return false;
    if (cursor_peek(c) != '(')
        return true;
    if (!p1_read_value(c, DIM_CURRENT, quantities[Q_FUSE_EXPORT].decimals, &export_ma))
        return false;
    set_first(d->reading, Q_FUSE_EXPORT, export_ma);
    return true;
}

static bool telegram_time(const struct p1_decoder *d, const struct object *o, struct cursor *c,
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

/* Keeps the slice; channel 1..4 selects the neighbour for M-Bus texts.  Empty is no text, no error. */
static bool text(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                 unsigned channel)
{
    struct cursor slice;
    if (!p1_read_open(c) || !p1_read_slice(c, &slice))
        return false;
    struct reading_text *t = &d->reading->text[o->target + (channel ? channel - 1 : 0)];
    if (t->length == 0 && *slice.p != ')' && *slice.p != '(')
        *t = (struct reading_text){.offset = (uint16_t)(slice.p - d->origin),
                                   .length = (uint16_t)(slice.end - slice.p)};
    return true;
}

/* 1-3:0.2.8 (50) and 0-0:96.1.4 (50217).  Some Brussels meters send 96 times "20": text only. */
static bool version(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                    unsigned channel)
{
    struct cursor digits = {c->p + 1, c->end};
    struct p1_printed n;
    struct reading *r = d->reading;
    if (!text(d, o, c, channel))
        return false;
    if (!p1_read_number(&digits, &n) || cursor_peek(&digits) != ')' || n.decimals || n.digits < 0)
        return true;
    if (n.digits <= UINT8_MAX)
        r->p1_version = r->p1_version ? r->p1_version : (uint8_t)n.digits;
    else if (n.digits <= UINT32_MAX)
        r->emucs_version = r->emucs_version ? r->emucs_version : (uint32_t)n.digits;
    return true;
}

/* 1.6.0 (time)(kW): this month's peak. */
static bool month_peak(const struct p1_decoder *d, const struct object *o, struct cursor *c,
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

/* 99.97.0 (n)(0-0:96.7.19) then n times (end time)(duration*s), the latest first. */
static bool failure_log(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                        unsigned channel)
{
    struct reading *r = d->reading;
    unsigned n;
    (void)o;
    (void)channel;
    if (!p1_read_count(c, READING_FAILURES_N, &n))
        return false;
    if (n == 0 || r->failures_n)
        return true;
    if (!p1_skip_values(c, 1))
        return false;
    for (unsigned i = 0; i < n; i++) {
        int64_t duration_s;
        if (!p1_read_time(c, d->winter_offset_s, &r->failures[i].end_s) ||
            !p1_read_value(c, DIM_SECONDS, 0, &duration_s) || duration_s < 0)
            return false;
        r->failures[i].duration_s = (uint32_t)duration_s;
    }
    r->failures_n = (uint8_t)n;
    return true;
}

/* More digits than a count of months has. */
static bool begins_with_time(const struct cursor *c)
{
    int digits = 0;
    while (digits < 3 && c->end - c->p > 4 && (unsigned)c->p[1 + digits] - '0' <= 9)
        digits++;
    return digits == 3;
}

/* 98.1.0 (n)(1-0:1.6.0)(1-0:1.6.0) then n times (month)(time of peak)(kW).  Hungary prints energies of
 * the last month under this code, beginning with a time: another object, ignored. */
static bool peak_history(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                         unsigned channel)
{
    struct reading *r = d->reading;
    unsigned n;
    (void)channel;
    if (begins_with_time(c))
        return true;
    if (!p1_read_count(c, READING_PEAKS_N, &n))
        return false;
    if (n == 0 || r->peaks_n)
        return true;
    if (!p1_skip_values(c, 2))
        return false;
    for (unsigned i = 0; i < n; i++) {
        int64_t power_w;
        if (!p1_read_time(c, d->winter_offset_s, &r->peaks[i].month_s) ||
            !p1_read_time(c, d->winter_offset_s, &r->peaks[i].time_s) ||
            !p1_read_value(c, (enum p1_dimension)o->dimension, 0, &power_w) || power_w < 0)
            return false;
        r->peaks[i].power_w = (int32_t)power_w;
    }
    r->peaks_n = (uint8_t)n;
    return true;
}

/* 0-n:24.1.0: the kind of device, (003) gas. */
static bool mbus_medium(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                        unsigned channel)
{
    struct reading_mbus *m = &d->reading->mbus[channel - 1];
    unsigned medium;
    (void)o;
    if (!p1_read_count(c, UINT8_MAX, &medium))
        return false;
    if (m->medium == MBUS_NONE)
        m->medium = (uint8_t)medium;
    return true;
}

enum { RELAY, VALVE };

/* 0-n:24.4.0, the valve; 0-n:96.3.10, the switch of a slave meter, but in Belgium and Luxembourg a relay
 * of the main meter that has nothing to do with what is on the channel: the valve outranks it. */
static bool mbus_valve(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                       unsigned channel)
{
    struct reading_mbus *m = &d->reading->mbus[channel - 1];
    unsigned state;
    if (!p1_read_count(c, INT8_MAX, &state))
        return false;
    if (m->valve < 0 || o->target == VALVE)
        m->valve = (int8_t)state;
    return true;
}

/* Sets the channel's value in the unit its printed one belongs to. */
static bool mbus_value(struct reading_mbus *m, const struct p1_printed *n, int64_t time_s)
{
    static const struct {
        uint8_t dimension, unit;
    } kinds[] = {{DIM_VOLUME, MBUS_UNIT_DM3}, {DIM_HEAT, MBUS_UNIT_MJ}, {DIM_ENERGY, MBUS_UNIT_WH}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t value;
        if (!p1_convert(n, (enum p1_dimension)kinds[i].dimension, 0, &value) || value < 0)
            continue;
        if (m->unit == MBUS_UNIT_UNKNOWN) {
            m->value = value;
            m->unit = kinds[i].unit;
            m->time_s = time_s;
        }
        return true;
    }
    return false;
}

/* 0-n:24.2.1 (time)(value*unit).  A channel without contact to its meter prints an impossible time
 * (632525252525S) or no unit: its value is unknown then, which is normal and no error of ours, but
 * it is counted so that it can be seen. */
static bool mbus_reading(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                         unsigned channel)
{
    struct p1_printed n;
    int64_t time_s;
    (void)o;
    return p1_read_time(c, d->winter_offset_s, &time_s) && time_s != READING_NO_TIME &&
           p1_read_printed(c, &n) && mbus_value(&d->reading->mbus[channel - 1], &n, time_s);
}

/* 0-n:24.2.3: Belgian gas, not temperature-corrected. */
static bool mbus_gas_uncorrected(const struct p1_decoder *d, const struct object *o,
                                 struct cursor *c, unsigned channel)
{
    struct reading_mbus *m = &d->reading->mbus[channel - 1];
    bool first = m->unit == MBUS_UNIT_UNKNOWN;
    if (!mbus_reading(d, o, c, channel))
        return false;
    if (first)
        m->uncorrected = true;
    return true;
}

/* DSMR 2 and 3, 0-n:24.3.0 (time)(00)(60)(1)(0-n:24.2.1)(m3) CR LF (value): the time has no season
 * letter, so it is no time; unit and value stand apart. */
static bool mbus_reading_dsmr3(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                               unsigned channel)
{
    struct p1_printed n;
    uint64_t unit;
    (void)o;
    if (!p1_skip_values(c, 5) || !p1_read_open(c) || !p1_read_unit(c, &unit) || !p1_read_close(c))
        return false;
    (void)cursor_accept(c, '\r');
    (void)cursor_accept(c, '\n');
    if (!p1_read_open(c) || !p1_read_number(c, &n) || !p1_read_close(c))
        return false;
    n.unit = unit;
    return mbus_value(&d->reading->mbus[channel - 1], &n, READING_NO_TIME);
}

/* clang-format off */
/* Sorted by the characters of the reference, for the search. */
static const struct object electricity_objects[] = {
    {"0.2.8",   version, TEXT_VERSION, 0},
    {"1.0.0",   telegram_time, 0, 0},
    {"1.4.0",   number, Q_DEMAND_QUARTER, DIM_POWER},
    {"1.6.0",   month_peak, Q_DEMAND_MONTH_PEAK, DIM_POWER},
    {"1.7.0",   number, Q_POWER_IMPORT, DIM_POWER},
    {"1.8.0",   number, Q_ENERGY_IMPORT, DIM_ENERGY},
    {"1.8.1",   number, Q_ENERGY_IMPORT_T1, DIM_ENERGY},
    {"1.8.2",   number, Q_ENERGY_IMPORT_T2, DIM_ENERGY},
    {"1.8.3",   number, Q_ENERGY_IMPORT_T3, DIM_ENERGY},
    {"1.8.4",   number, Q_ENERGY_IMPORT_T4, DIM_ENERGY},
    {"10.7.0",  number, Q_APPARENT_EXPORT, DIM_APPARENT},
    {"13.7.0",  power_factor, Q_POWER_FACTOR, DIM_NONE},
    {"14.7.0",  number, Q_FREQUENCY, DIM_FREQUENCY},
    {"15.8.0",  number, Q_ENERGY_ABSOLUTE, DIM_ENERGY},
    {"16.7.0",  signed_number, Q_POWER, DIM_POWER},
    {"17.0.0",  limiter, 0, 0},
    {"2.7.0",   number, Q_POWER_EXPORT, DIM_POWER},
    {"2.8.0",   number, Q_ENERGY_EXPORT, DIM_ENERGY},
    {"2.8.1",   number, Q_ENERGY_EXPORT_T1, DIM_ENERGY},
    {"2.8.2",   number, Q_ENERGY_EXPORT_T2, DIM_ENERGY},
    {"2.8.3",   number, Q_ENERGY_EXPORT_T3, DIM_ENERGY},
    {"2.8.4",   number, Q_ENERGY_EXPORT_T4, DIM_ENERGY},
    {"21.7.0",  number, Q_POWER_IMPORT_L1, DIM_POWER},
    {"22.7.0",  number, Q_POWER_EXPORT_L1, DIM_POWER},
    {"23.7.0",  number, Q_REACTIVE_IMPORT_L1, DIM_REACTIVE},
    {"24.7.0",  number, Q_REACTIVE_EXPORT_L1, DIM_REACTIVE},
    {"29.7.0",  number, Q_APPARENT_IMPORT_L1, DIM_APPARENT},
    {"3.7.0",   number, Q_REACTIVE_IMPORT, DIM_REACTIVE},
    {"3.8.0",   number, Q_REACTIVE_ENERGY_IMPORT, DIM_REACTIVE_ENERGY},
    {"30.7.0",  number, Q_APPARENT_EXPORT_L1, DIM_APPARENT},
    {"31.4.0",  fuse, Q_FUSE_L1, DIM_CURRENT},
    {"31.7.0",  number, Q_METER_CURRENT_L1, DIM_CURRENT},
    {"32.32.0", number, Q_VOLTAGE_SAGS_L1, DIM_NONE},
    {"32.36.0", number, Q_VOLTAGE_SWELLS_L1, DIM_NONE},
    {"32.7.0",  number, Q_METER_VOLTAGE_L1, DIM_VOLTAGE},
    {"33.7.0",  power_factor, Q_POWER_FACTOR_L1, DIM_NONE},
    {"36.7.0",  signed_number, Q_POWER_L1, DIM_POWER},
    {"4.7.0",   number, Q_REACTIVE_EXPORT, DIM_REACTIVE},
    {"4.8.0",   number, Q_REACTIVE_ENERGY_EXPORT, DIM_REACTIVE_ENERGY},
    {"41.7.0",  number, Q_POWER_IMPORT_L2, DIM_POWER},
    {"42.0.0",  text, TEXT_LOGICAL_NAME, 0},
    {"42.7.0",  number, Q_POWER_EXPORT_L2, DIM_POWER},
    {"43.7.0",  number, Q_REACTIVE_IMPORT_L2, DIM_REACTIVE},
    {"44.7.0",  number, Q_REACTIVE_EXPORT_L2, DIM_REACTIVE},
    {"49.7.0",  number, Q_APPARENT_IMPORT_L2, DIM_APPARENT},
    {"5.7.0",   number, Q_REACTIVE_Q1, DIM_REACTIVE},
    {"5.8.0",   number, Q_REACTIVE_ENERGY_Q1, DIM_REACTIVE_ENERGY},
    {"50.7.0",  number, Q_APPARENT_EXPORT_L2, DIM_APPARENT},
    {"51.4.0",  fuse, Q_FUSE_L2, DIM_CURRENT},
    {"51.7.0",  number, Q_METER_CURRENT_L2, DIM_CURRENT},
    {"52.32.0", number, Q_VOLTAGE_SAGS_L2, DIM_NONE},
    {"52.36.0", number, Q_VOLTAGE_SWELLS_L2, DIM_NONE},
    {"52.7.0",  number, Q_METER_VOLTAGE_L2, DIM_VOLTAGE},
    {"53.7.0",  power_factor, Q_POWER_FACTOR_L2, DIM_NONE},
    {"56.7.0",  signed_number, Q_POWER_L2, DIM_POWER},
    {"6.7.0",   number, Q_REACTIVE_Q2, DIM_REACTIVE},
    {"6.8.0",   number, Q_REACTIVE_ENERGY_Q2, DIM_REACTIVE_ENERGY},
    {"61.7.0",  number, Q_POWER_IMPORT_L3, DIM_POWER},
    {"62.7.0",  number, Q_POWER_EXPORT_L3, DIM_POWER},
    {"63.7.0",  number, Q_REACTIVE_IMPORT_L3, DIM_REACTIVE},
    {"64.7.0",  number, Q_REACTIVE_EXPORT_L3, DIM_REACTIVE},
    {"69.7.0",  number, Q_APPARENT_IMPORT_L3, DIM_APPARENT},
    {"7.7.0",   number, Q_REACTIVE_Q3, DIM_REACTIVE},
    {"7.8.0",   number, Q_REACTIVE_ENERGY_Q3, DIM_REACTIVE_ENERGY},
    {"70.7.0",  number, Q_APPARENT_EXPORT_L3, DIM_APPARENT},
    {"71.4.0",  fuse, Q_FUSE_L3, DIM_CURRENT},
    {"71.7.0",  number, Q_METER_CURRENT_L3, DIM_CURRENT},
    {"72.32.0", number, Q_VOLTAGE_SAGS_L3, DIM_NONE},
    {"72.36.0", number, Q_VOLTAGE_SWELLS_L3, DIM_NONE},
    {"72.7.0",  number, Q_METER_VOLTAGE_L3, DIM_VOLTAGE},
    {"73.7.0",  power_factor, Q_POWER_FACTOR_L3, DIM_NONE},
    {"76.7.0",  signed_number, Q_POWER_L3, DIM_POWER},
    {"8.7.0",   number, Q_REACTIVE_Q4, DIM_REACTIVE},
    {"8.8.0",   number, Q_REACTIVE_ENERGY_Q4, DIM_REACTIVE_ENERGY},
    {"9.7.0",   number, Q_APPARENT_IMPORT, DIM_APPARENT},
    {"91.7.0",  number, Q_CURRENT_NEUTRAL, DIM_CURRENT},
    {"94.32.1", number, Q_GRID_TYPE, DIM_NONE},
    {"96.1.0",  text, TEXT_METER_ID, 0},
    {"96.1.1",  text, TEXT_METER_ID, 0},
    {"96.1.2",  text, TEXT_EAN, 0},
    {"96.1.4",  version, TEXT_VERSION, 0},
    {"96.13.0", text, TEXT_MESSAGE, 0},
    {"96.13.1", text, TEXT_MESSAGE_2, 0},
    {"96.13.2", text, TEXT_MESSAGE_3, 0},
    {"96.13.3", text, TEXT_MESSAGE_4, 0},
    {"96.13.4", text, TEXT_MESSAGE_5, 0},
    {"96.13.5", text, TEXT_MESSAGE_6, 0},
    {"96.14.0", number, Q_TARIFF, DIM_NONE},
    {"96.3.10", number, Q_BREAKER, DIM_NONE},
    {"96.7.21", number, Q_POWER_FAILURES, DIM_NONE},
    {"96.7.9",  number, Q_LONG_POWER_FAILURES, DIM_NONE},
    {"98.1.0",  peak_history, 0, DIM_POWER},
    {"99.97.0", failure_log, 0, 0},
};

/* 0-n, n = M-Bus channel 1..4 */
static const struct object mbus_objects[] = {
    {"24.1.0",  mbus_medium, 0, 0},
    {"24.2.1",  mbus_reading, 0, 0},
    {"24.2.3",  mbus_gas_uncorrected, 0, 0},
    {"24.3.0",  mbus_reading_dsmr3, 0, 0},
    {"24.4.0",  mbus_valve, VALVE, 0},
    {"96.1.0",  text, TEXT_MBUS_ID_1, 0},
    {"96.1.1",  text, TEXT_MBUS_ID_1, 0},
    {"96.1.2",  text, TEXT_MBUS_EAN_1, 0},
    {"96.3.10", mbus_valve, RELAY, 0},
};
/* clang-format on */

static const struct object *find_object(const struct object *table, size_t n, uint64_t reference)
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

/* C.D.E as it is printed, up to the '(' of the value: one to seven characters, all looked at at once. */
static inline bool read_reference(struct cursor *c, uint64_t *reference)
{
    if (c->end - c->p < 8)
        return false;
    uint64_t word = p1_load_be64(c->p), marks = mark_parentheses(word);
    if (marks == 0 || marks >> 63)
        return false;
    unsigned length = (unsigned)__builtin_clzll(marks) / 8;
    *reference = word & ~(~UINT64_C(0) >> (8 * length));
    c->p += length;
    return true;
}

/* The same with a group F behind (".255" or "*255"), which says nothing. */
static bool read_long_reference(struct cursor *c, uint64_t *reference)
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
    for (int n = 0; n < 4 && p < c->end && *p != '(' && *p != '\n'; n++)
        p++;
    *reference = p1_load_be64(code);
    c->p = p;
    return cursor_peek(c) == '(';
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

/* Looks first where the same line of the telegram before was found: a meter keeps its layout. */
static inline const struct object *find_by_layout(const struct p1_decoder *d, unsigned line,
                                                  unsigned channel, uint64_t reference)
{
    if (channel > READING_MBUS_N)
        return NULL;
    const struct object *table = channel ? mbus_objects : electricity_objects;
    size_t n = channel ? sizeof mbus_objects / sizeof mbus_objects[0]
                       : sizeof electricity_objects / sizeof electricity_objects[0];
    uint8_t *row = &d->layout[line % P1_LAYOUT_LINES];
    if (*row < n && p1_load_be64(table[*row].reference) == reference)
        return &table[*row];
    const struct object *o = find_object(table, n, reference);
    if (o)
        *row = (uint8_t)(o - table);
    return o;
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

/* No blank and no control byte: a reference that is not in the table, but is one. */
static bool is_word(uint64_t reference)
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
    uint64_t reference;
    if (!read_long_reference(c, &reference))
        return false;
    const struct object *o = find_by_layout(d, line, channel, reference);
    if (!o)
        return is_word(reference);
    if (o->decode(d, o, c, channel))
        return true;
    *c = start;
    return is_absent(start);
}

/* One data line from its first byte; the cursor stays in it.  False: makes no sense. */
static bool decode_line(const struct p1_decoder *d, unsigned line, struct cursor *c)
{
    unsigned channel;
    uint64_t reference;
    if (!read_medium_and_channel(c, &channel))
        return is_other_medium(c);
    const uint8_t *start = c->p;
    const struct object *o = NULL;
    if (read_reference(c, &reference))
        o = find_by_layout(d, line, channel, reference);
    if (o && o->decode(d, o, c, channel))
        return true;
    c->p = start; /* a folded line that makes no sense may have ended in the next one */
    return o ? is_absent(*c) : decode_rare_line(d, line, c, channel);
}

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
