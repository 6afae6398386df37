/* p1_objects.c - the table of OBIS references and how each object is written.
 *
 *   A-B:C.D.E(value)(value)...     DSMR P1 companion 5.0.2 clause 6.12, e-MUCS P1, IEC 62056-61
 *
 * Objects are matched on C.D.E whatever A-B is: Swiss meters print energies as 1-1:, Luxembourg prints
 * sags as 1-0:.  Only 0-n with n from 1 means something: the M-Bus channel.
 */
#include "p1_objects.h"

#include "civil_time.h"
#include "cursor.h"

#include <string.h>

/* Dimensions of values, each with the units it is printed in. */
enum dimension {
    DIM_POWER,
    DIM_REACTIVE,
    DIM_APPARENT,
    DIM_ENERGY,
    DIM_REACTIVE_ENERGY,
    DIM_VOLTAGE,
    DIM_CURRENT,
    DIM_FREQUENCY,
    DIM_VOLUME,
    DIM_HEAT,
    DIM_SECONDS,
    DIM_NONE,
    DIM_N
};

/* A unit as up to eight lower-case characters, first one in the lowest byte. */
#define UNIT1(a) ((uint64_t)(uint8_t)(a))
#define UNIT2(a, b) (UNIT1(a) | UNIT1(b) << 8)
#define UNIT3(a, b, c) (UNIT2(a, b) | UNIT1(c) << 16)
#define UNIT4(a, b, c, d) (UNIT3(a, b, c) | UNIT1(d) << 24)
#define UNIT5(a, b, c, d, e) (UNIT4(a, b, c, d) | UNIT1(e) << 32)

struct unit_spelling {
    uint64_t letters;
    int8_t exponent; /* value * 10^exponent is in the base unit (W, V, Wh, dm3, MJ...) */
};

/* limit: what no household or industrial connection reaches, in base units.  A 16-bit CRC lets one
 * damaged telegram in 65536 through; this is the second line. */
static const struct {
    struct unit_spelling unit[3];
    int64_t limit;
} dimensions[DIM_N] = {
    [DIM_POWER] = {{{UNIT2('k', 'w'), 3}, {UNIT1('w'), 0}}, 20000000},
    [DIM_REACTIVE] = {{{UNIT4('k', 'v', 'a', 'r'), 3}, {UNIT3('v', 'a', 'r'), 0}}, 20000000},
    [DIM_APPARENT] = {{{UNIT3('k', 'v', 'a'), 3}, {UNIT2('v', 'a'), 0}}, 20000000},
    [DIM_ENERGY] = {{{UNIT3('k', 'w', 'h'), 3}, {UNIT2('w', 'h'), 0}}, INT64_C(10000000000000)},
    [DIM_REACTIVE_ENERGY] = {{{UNIT5('k', 'v', 'a', 'r', 'h'), 3}, {UNIT4('v', 'a', 'r', 'h'), 0}},
                             INT64_C(10000000000000)},
    [DIM_VOLTAGE] = {{{UNIT1('v'), 0}, {UNIT2('k', 'v'), 3}}, 60000},
    [DIM_CURRENT] = {{{UNIT1('a'), 0}, {UNIT2('k', 'a'), 3}}, 20000},
    [DIM_FREQUENCY] = {{{UNIT2('h', 'z'), 0}, {UNIT3('k', 'h', 'z'), 3}}, 100},
    /* "m" and byte B3 is Latin-1 for m3 with a superscript; B3 | 20 is B3 again */
    [DIM_VOLUME] = {{{UNIT2('m', '3'), 3}, {UNIT3('d', 'm', '3'), 0}, {UNIT2('m', 0xB3), 3}},
                    INT64_C(1000000000000)},
    [DIM_HEAT] = {{{UNIT2('g', 'j'), 3}, {UNIT2('m', 'j'), 0}}, INT64_C(1000000000000)},
    [DIM_SECONDS] = {{{UNIT1('s'), 0}}, UINT32_MAX},
    [DIM_NONE] = {{{0, 0}}, INT64_C(1000000000)},
};

/* A number as it is printed: digits * 10^-decimals, and its unit. */
struct printed {
    int64_t digits; /* signed */
    uint64_t unit;  /* letters as in struct unit_spelling, 0 = none */
    uint8_t decimals;
};

struct object;
typedef bool object_decoder(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                            unsigned channel);

struct object {
    char reference[8]; /* C.D.E as it is printed, padded with NUL */
    object_decoder *decode;
    uint8_t target;    /* enum quantity, enum reading_text_id or unused, as the decoder says */
    uint8_t dimension; /* enum dimension, for numbers */
};

static bool read_open(struct cursor *c)
{
    return cursor_accept(c, '(');
}

static bool read_close(struct cursor *c)
{
    return cursor_accept(c, ')');
}

/* Digits from p on; *value is continued.  Returns where they end. */
static const uint8_t *read_digits(const uint8_t *p, const uint8_t *end, uint64_t *value)
{
    uint64_t v = *value;
    while (p < end && (unsigned)*p - '0' <= 9)
        v = v * 10 + (*p++ - '0');
    *value = v;
    return p;
}

/* -?d+(.d+)?  No binary floating point: 231.2 becomes digits 2312, decimals 1. */
static inline bool read_number(struct cursor *c, struct printed *out)
{
    bool negative = cursor_accept(c, '-');
    const uint8_t *start = c->p;
    uint64_t value = 0;
    const uint8_t *p = read_digits(start, c->end, &value), *dot = p;
    if (p < c->end && *p == '.')
        p = read_digits(p + 1, c->end, &value);
    c->p = p;
    /* 16 digits cannot overflow; more is no meter's value.  No digit before or behind the dot: none. */
    if (dot == start || p - start > 16 || p == dot + 1)
        return false;
    out->digits = negative ? -(int64_t)value : (int64_t)value;
    out->decimals = p == dot ? 0 : (uint8_t)(p - dot - 1);
    out->unit = 0;
    return true;
}

/* "*kWh" up to ')'.  Also seen: no '*', a blank behind, upper and lower case in any mix. */
static inline bool read_unit(struct cursor *c, uint64_t *letters)
{
    unsigned shift = 0;
    const uint8_t *p = c->p;
    if (p < c->end && *p == '*')
        p++;
    for (*letters = 0; p < c->end && *p != ')'; p++) {
        if (*p == ' ')
            continue;
        if (shift > 56 || *p < 0x20)
            return false;
        *letters |= (uint64_t)(*p | 0x20) << shift;
        shift += 8;
    }
    c->p = p;
    return p < c->end;
}

static const int64_t powers_of_ten[16] = {1,
                                          10,
                                          100,
                                          1000,
                                          10000,
                                          100000,
                                          1000000,
                                          10000000,
                                          100000000,
                                          1000000000,
                                          INT64_C(10000000000),
                                          INT64_C(100000000000),
                                          INT64_C(1000000000000),
                                          INT64_C(10000000000000),
                                          INT64_C(100000000000000),
                                          INT64_C(1000000000000000)};

/* value * 10^exponent; rounds half away from zero where digits are dropped. */
static inline bool scale(int64_t value, int exponent, int64_t *out)
{
    if (exponent >= 0)
        return exponent <= 15 && !__builtin_mul_overflow(value, powers_of_ten[exponent], out);
    if (exponent < -15)
        return false;
    int64_t divisor = powers_of_ten[-exponent], half = divisor / 2;
    *out = (value + (value < 0 ? -half : half)) / divisor;
    return true;
}

/* Converts to 10^-decimals of the dimension's base unit.  The printed unit decides, never the code. */
static inline bool convert(const struct printed *n, enum dimension dim, unsigned decimals,
                           int64_t *out)
{
    const struct unit_spelling *u = dimensions[dim].unit, *unit_end = u + 3;
    while (u < unit_end && u->letters != n->unit)
        u++;
    if (u == unit_end || (n->unit == 0 && dim != DIM_NONE))
        return false;
    int64_t limit = dimensions[dim].limit * powers_of_ten[decimals];
    return scale(n->digits, u->exponent + (int)decimals - (int)n->decimals, out) && *out <= limit &&
           *out >= -limit;
}

/* (number[*unit]) */
static inline bool read_printed(struct cursor *c, struct printed *n)
{
    return read_open(c) && read_number(c, n) && read_unit(c, &n->unit) && read_close(c);
}

/* The first valid value of a quantity wins; later ones of the same telegram are ignored. */
static void set_first(struct reading *r, unsigned target, int64_t value)
{
    if (!reading_has(r, (enum quantity)target))
        reading_set(r, (enum quantity)target, value);
}

static bool signed_number(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                          unsigned channel)
{
    struct cursor local = *c; /* so that it stays in registers */
    struct printed n;
    int64_t value;
    (void)channel;
    if (!read_printed(&local, &n) ||
        !convert(&n, (enum dimension)o->dimension, quantities[o->target].decimals, &value))
        return false;
    set_first(d->reading, o->target, value);
    *c = local;
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
    struct printed n;
    int64_t value;
    (void)channel;
    if (!read_printed(c, &n) || !convert(&n, DIM_NONE, quantities[o->target].decimals, &value))
        return false;
    if (value >= -1000 && value <= 1000)
        set_first(d->reading, o->target, value);
    return true;
}

/* 999, 999.9, 99.999, 0999.00: how meters write "limit is off".  9.9 kW and 99 A are limits. */
static bool is_off(const struct printed *n)
{
    int64_t digits = n->digits;
    unsigned decimals = n->decimals;
    for (; decimals && digits % 10 == 0; decimals--)
        digits /= 10;
    bool widest = digits >= 99999 || (digits >= 999 && digits / powers_of_ten[decimals] >= 999);
    while (digits % 10 == 9)
        digits /= 10;
    return widest && digits == 0;
}

/* A limit that is off stays unknown. */
static bool limit(const struct p1_decoder *d, unsigned target, enum dimension dim,
                  const struct printed *n)
{
    int64_t value;
    if (n->digits < 0 || !convert(n, dim, quantities[target].decimals, &value))
        return false;
    if (!is_off(n))
        set_first(d->reading, target, value);
    return true;
}

/* 17.0.0: kW in the Netherlands and Belgium, kVA in Luxembourg. */
static bool limiter(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                    unsigned channel)
{
    struct printed n;
    (void)channel;
    (void)o;
    return read_printed(c, &n) &&
           (limit(d, Q_LIMITER_W, DIM_POWER, &n) || limit(d, Q_LIMITER_VA, DIM_APPARENT, &n));
}

/* 31.4.0: (max*A), and in Luxembourg a second value (-max*A) for export. */
static bool fuse(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                 unsigned channel)
{
    struct printed n;
    int64_t export_ma;
    (void)channel;
    if (!read_printed(c, &n) || !limit(d, o->target, DIM_CURRENT, &n))
        return false;
    if (cursor_peek(c) != '(')
        return true;
    if (!read_printed(c, &n) ||
        !convert(&n, DIM_CURRENT, quantities[Q_FUSE_EXPORT].decimals, &export_ma))
        return false;
    set_first(d->reading, Q_FUSE_EXPORT, export_ma);
    return true;
}

bool p1_time_parse(const uint8_t p[static 13], int32_t winter_offset_s, int64_t *utc_s)
{
    struct civil_time t;
    if ((p[12] != 'S' && p[12] != 'W') || !civil_time_parse(p, &t))
        return false;
    *utc_s = civil_time_to_utc(&t, winter_offset_s + (p[12] == 'S' ? 3600 : 0));
    return true;
}

/* Eight bytes as a number that sorts like the characters do. */
static inline uint64_t load_be64(const void *from)
{
    const uint8_t *p = from;
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
           (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
           (uint64_t)p[6] << 8 | p[7];
}

/* Whether a byte of `word` is below '*': ')' and the ends of lines are, and few others in texts. */
static inline bool has_closing(uint64_t word)
{
    return ((word - UINT64_C(0x2A2A2A2A2A2A2A2A)) & ~word & UINT64_C(0x8080808080808080)) != 0;
}

/* The slice up to the next ')' of this line, which is stepped over. */
static bool read_slice(struct cursor *c, struct cursor *slice)
{
    const uint8_t *p = c->p;
    while (c->end - p >= 8 && !has_closing(load_be64(p)))
        p += 8;
    while (p < c->end && *p != ')' && *p != '\n')
        p++;
    slice->p = c->p;
    slice->end = p;
    c->p = p;
    return read_close(c);
}

/* (YYMMDDhhmmssX).  False when the parentheses are not there; an unreadable time is none. */
static bool read_time(const struct p1_decoder *d, struct cursor *c, int64_t *utc_s)
{
    struct cursor slice;
    *utc_s = READING_NO_TIME;
    if (!read_open(c))
        return false;
    if (c->end - c->p > 13 && c->p[13] == ')' && p1_time_parse(c->p, d->winter_offset_s, utc_s)) {
        c->p += 14;
        return true;
    }
    return read_slice(c, &slice);
}

static bool telegram_time(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                          unsigned channel)
{
    int64_t utc_s;
    (void)o;
    (void)channel;
    if (!read_time(d, c, &utc_s) || utc_s == READING_NO_TIME)
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
    if (!read_open(c) || !read_slice(c, &slice))
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
    struct printed n;
    struct reading *r = d->reading;
    if (!text(d, o, c, channel))
        return false;
    if (!read_number(&digits, &n) || cursor_peek(&digits) != ')' || n.decimals || n.digits < 0)
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
    if (!read_time(d, c, &utc_s) || !number(d, o, c, channel))
        return false;
    if (first)
        r->peak_time_s = utc_s;
    return true;
}

/* (0-0:96.7.19) and the like. */
static bool skip_reference(struct cursor *c)
{
    struct cursor slice;
    return read_open(c) && read_slice(c, &slice);
}

/* (n) with n <= max. */
static bool read_count(struct cursor *c, unsigned max, unsigned *n)
{
    struct printed number;
    if (!read_open(c) || !read_number(c, &number))
        return false;
    if (number.digits < 0 || number.digits > max || number.decimals)
        return false;
    *n = (unsigned)number.digits;
    return read_close(c);
}

/* 99.97.0 (n)(0-0:96.7.19) then n times (end time)(duration*s), the latest first. */
static bool failure_log(const struct p1_decoder *d, const struct object *o, struct cursor *c,
                        unsigned channel)
{
    struct reading *r = d->reading;
    unsigned n;
    (void)o;
    (void)channel;
    if (!read_count(c, READING_FAILURES_N, &n))
        return false;
    if (n == 0 || r->failures_n)
        return true;
    if (!skip_reference(c))
        return false;
    for (unsigned i = 0; i < n; i++) {
        struct printed duration;
        int64_t duration_s;
        if (!read_time(d, c, &r->failures[i].end_s) || !read_printed(c, &duration) ||
            !convert(&duration, DIM_SECONDS, 0, &duration_s) || duration_s < 0)
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
    struct printed power;
    unsigned n;
    (void)channel;
    if (begins_with_time(c))
        return true;
    if (!read_count(c, READING_PEAKS_N, &n))
        return false;
    if (n == 0 || r->peaks_n)
        return true;
    if (!skip_reference(c) || !skip_reference(c))
        return false;
    for (unsigned i = 0; i < n; i++) {
        int64_t power_w;
        if (!read_time(d, c, &r->peaks[i].month_s) || !read_time(d, c, &r->peaks[i].time_s) ||
            !read_printed(c, &power) ||
            !convert(&power, (enum dimension)o->dimension, 0, &power_w) || power_w < 0)
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
    if (!read_count(c, UINT8_MAX, &medium))
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
    if (!read_count(c, INT8_MAX, &state))
        return false;
    if (m->valve < 0 || o->target == VALVE)
        m->valve = (int8_t)state;
    return true;
}

/* Sets the channel's value in the unit its printed one belongs to. */
static bool mbus_value(struct reading_mbus *m, const struct printed *n, int64_t time_s)
{
    static const struct {
        uint8_t dimension, unit;
    } kinds[] = {{DIM_VOLUME, MBUS_UNIT_DM3}, {DIM_HEAT, MBUS_UNIT_MJ}, {DIM_ENERGY, MBUS_UNIT_WH}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int64_t value;
        if (!convert(n, (enum dimension)kinds[i].dimension, 0, &value) || value < 0)
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
    struct printed n;
    int64_t time_s;
    (void)o;
    return read_time(d, c, &time_s) && time_s != READING_NO_TIME && read_printed(c, &n) &&
           mbus_value(&d->reading->mbus[channel - 1], &n, time_s);
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
    struct printed n;
    uint64_t unit;
    (void)o;
    for (int i = 0; i < 5; i++)
        if (!skip_reference(c))
            return false;
    if (!read_open(c) || !read_unit(c, &unit) || !read_close(c))
        return false;
    (void)cursor_accept(c, '\r');
    (void)cursor_accept(c, '\n');
    if (!read_open(c) || !read_number(c, &n) || !read_close(c))
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
        if (load_be64(table[half].reference) <= reference)
            table += half;
        n -= half;
    }
    return load_be64(table->reference) == reference ? table : NULL;
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
    uint64_t word = load_be64(c->p), marks = mark_parentheses(word);
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
    *reference = load_be64(code);
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
    if (*row < n && load_be64(table[*row].reference) == reference)
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
