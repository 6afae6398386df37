/* p1_values.c - how values of P1 data lines are written.
 *
 * What each line of a telegram goes through is marked inline: p1_values.h declares it without, so it is
 * exported all the same, but its callers here and, with link-time optimisation, elsewhere have it inside.
 */
#include "p1_values.h"

#include "civil_time.h"
#include "integers.h"

/* Units as struct p1_printed has them. */
#define UNIT1(a) ((p1_unit)(uint8_t)(a))
#define UNIT2(a, b) (UNIT1(a) | UNIT1(b) << 8)
#define UNIT3(a, b, c) (UNIT2(a, b) | UNIT1(c) << 16)
#define UNIT4(a, b, c, d) (UNIT3(a, b, c) | UNIT1(d) << 24)

#define ENERGY_LIMIT (CORE_IS_SMALL ? READING_VALUE_MAX : (reading_value)INT64_C(10000000000000))
#define COUNT_LIMIT (CORE_IS_SMALL ? 1000000 : 1000000000)

/* Units of a dimension: the base unit (W, V, Wh...), the same with a "k" before it, and others below.
 * limit: what no household or industrial connection reaches, in base units.  A 16-bit CRC lets one
 * damaged telegram in 65536 through; this is the second line. */
static const struct {
    p1_unit unit; /* 0: printed without one */
    reading_value limit;
} dimensions[CORE_IS_SMALL ? DIM_SMALL_N : DIM_N] = {
    [DIM_POWER] = {UNIT1('w'), 20000000},
    [DIM_REACTIVE] = {UNIT3('v', 'a', 'r'), 20000000},
    [DIM_APPARENT] = {UNIT2('v', 'a'), 20000000},
    [DIM_VOLTAGE] = {UNIT1('v'), 60000},
    [DIM_CURRENT] = {UNIT1('a'), 20000},
    [DIM_FREQUENCY] = {UNIT2('h', 'z'), 100},
    [DIM_ENERGY] = {UNIT2('w', 'h'), ENERGY_LIMIT},
    [DIM_REACTIVE_ENERGY] = {UNIT4('v', 'a', 'r', 'h'), ENERGY_LIMIT},
    [DIM_NONE] = {0, COUNT_LIMIT},
    FULL_ONLY([DIM_VOLUME] = {UNIT3('d', 'm', '3'), INT64_C(1000000000000)},
              [DIM_HEAT] = {UNIT2('m', 'j'), INT64_C(1000000000000)},
              [DIM_SECONDS] = {UNIT1('s'), UINT32_MAX}, )};

/* Units that are a thousand of the base unit, and not by a "k".  "m" and byte B3 is Latin-1 for m3 with a superscript;
 * B3 | 20 is B3 again. */
static bool is_thousand(p1_unit unit, enum p1_dimension dimension)
{
    if (dimension == DIM_VOLUME)
        return unit == UNIT2('m', '3') || unit == UNIT2('m', 0xB3);
    return dimension == DIM_HEAT && unit == UNIT2('g', 'j');
}

/* The exponent of a unit over the dimension's base unit; -1: it is none of its units. */
static inline int unit_exponent(p1_unit unit, enum p1_dimension dimension)
{
    p1_unit base = dimensions[dimension].unit;
    if (base && unit == p1_kilo(base))
        return 3;
    if (unit == base)
        return 0;
    return !CORE_IS_SMALL && is_thousand(unit, dimension) ? 3 : -1;
}

/* Digits from p on; *value is continued.  Returns where they end. */
static const uint8_t *read_digits(const uint8_t *p, const uint8_t *end, p1_digits *value)
{
    p1_digits v = *value;
    for (; p < end && (unsigned)*p - '0' <= 9; p++) {
        unsigned digit = (unsigned)*p - '0';
        v = CORE_IS_SMALL && v > (UINT32_MAX - 9) / 10 ? UINT32_MAX : v * 10 + digit;
    }
    *value = v;
    return p;
}

/* -?d+(.d+)?  No binary floating point: 231.2 becomes digits 2312, decimals 1. */
inline bool p1_read_number(struct cursor *c, struct p1_printed *n)
{
    bool negative = cursor_accept(c, '-');
    const uint8_t *start = c->p;
    p1_digits value = 0;
    const uint8_t *p = read_digits(start, c->end, &value), *dot = p;
    if (p < c->end && *p == '.')
        p = read_digits(p + 1, c->end, &value);
    c->p = p;
    /* 16 digits cannot overflow; more is no meter's value.  No digit before or behind the dot: none. */
    if (dot == start || p - start > 16 || p == dot + 1 || value > (p1_digits)READING_VALUE_MAX)
        return false;
    n->digits = negative ? -(reading_value)value : (reading_value)value;
    n->decimals = p == dot ? 0 : (uint8_t)(p - dot - 1);
    n->unit = 0;
    return true;
}

/* "*kWh" up to ')'.  Also seen: no '*', a blank behind, upper and lower case in any mix.  A small build, where
 * the highest bit is a "k", reads ASCII alone. */
inline bool p1_read_unit(struct cursor *c, p1_unit *unit)
{
    unsigned shift = 0;
    const uint8_t *p = c->p;
    if (p < c->end && *p == '*')
        p++;
    for (*unit = 0; p < c->end && *p != ')'; p++) {
        if (*p == ' ')
            continue;
        if (shift > 8 * (sizeof *unit - 1) || *p < 0x20 || (CORE_IS_SMALL && *p >= 0x80))
            return false;
        if (CORE_IS_SMALL && *unit == 0 && (*p | 0x20) == 'k') {
            *unit = p1_kilo(0);
            continue;
        }
        *unit |= (p1_unit)(*p | 0x20) << shift;
        shift += 8;
    }
    c->p = p;
    return p < c->end;
}

static inline bool is_within(reading_value value, reading_value limit)
{
    return value <= limit && value >= -limit;
}

/* value / by to the nearest, half away from zero. */
static reading_value drop_digits(reading_value value, reading_value by)
{
    reading_value rest = value % by, up = rest >= by - rest, down = -rest >= by + rest;
    return value / by + up - down;
}

/* value * 10^exponent.  False: that is above the limit, up to which nothing overflows. */
static inline bool scale(reading_value value, int exponent, reading_value limit, reading_value *out)
{
    enum { EXPONENT_MAX = CORE_IS_SMALL ? 9 : 15 };
    *out = value;
    if (exponent == 0)
        return is_within(value, limit);
    if (exponent < -EXPONENT_MAX || exponent > EXPONENT_MAX)
        return false;
    reading_value power =
        (reading_value)power_of_ten((unsigned)(exponent < 0 ? -exponent : exponent));
    if (exponent < 0) {
        *out = drop_digits(value, power);
        return is_within(*out, limit);
    }
    if (!is_within(value, limit / power))
        return false;
    *out = value * power;
    return true;
}

inline bool p1_convert(const struct p1_printed *n, enum p1_dimension dimension, unsigned decimals,
                       reading_value *value)
{
    int exponent = unit_exponent(n->unit, dimension);
    return exponent >= 0 &&
           scale(n->digits, exponent + (int)decimals - (int)n->decimals,
                 dimensions[dimension].limit * (reading_value)power_of_ten(decimals), value);
}

inline bool p1_read_printed(struct cursor *c, struct p1_printed *n)
{
    return p1_read_open(c) && p1_read_number(c, n) && p1_read_unit(c, &n->unit) && p1_read_close(c);
}

inline bool p1_read_value(struct cursor *c, enum p1_dimension dimension, unsigned decimals,
                          reading_value *value)
{
    struct cursor local = *c; /* so that it stays in registers */
    struct p1_printed n;
    if (!p1_read_printed(&local, &n) || !p1_convert(&n, dimension, decimals, value))
        return false;
    *c = local;
    return true;
}

bool p1_is_off(const struct p1_printed *n)
{
    reading_value digits = n->digits;
    unsigned decimals = n->decimals;
    for (; decimals && digits % 10 == 0; decimals--)
        digits /= 10;
    reading_value whole = digits / (reading_value)power_of_ten(decimals);
    bool widest = whole >= 999 || (whole >= 99 && digits >= 99999);
    while (digits % 10 == 9)
        digits /= 10;
    return widest && digits == 0;
}

bool p1_read_count(struct cursor *c, unsigned max, unsigned *n)
{
    struct p1_printed number;
    if (!p1_read_open(c) || !p1_read_number(c, &number))
        return false;
    if (number.digits < 0 || number.digits > (reading_value)max || number.decimals)
        return false;
    *n = (unsigned)number.digits;
    return p1_read_close(c);
}

/* Whether a byte of `word` is below '*': ')' and the ends of lines are, and few others in texts. */
static inline bool has_closing(uint64_t word)
{
    return ((word - UINT64_C(0x2A2A2A2A2A2A2A2A)) & ~word & UINT64_C(0x8080808080808080)) != 0;
}

inline bool p1_read_slice(struct cursor *c, struct cursor *slice)
{
    const uint8_t *p = c->p;
    while (!CORE_IS_SMALL && c->end - p >= 8 && !has_closing(p1_load_be64(p)))
        p += 8;
    while (p < c->end && *p != ')' && *p != '\n')
        p++;
    slice->p = c->p;
    slice->end = p;
    c->p = p;
    return p1_read_close(c);
}

bool p1_skip_values(struct cursor *c, int n)
{
    struct cursor slice;
    for (; n > 0; n--)
        if (!p1_read_open(c) || !p1_read_slice(c, &slice))
            return false;
    return true;
}

#ifdef CORE_SMALL

/* Nobody wants the time here, but to know that there is one: 1. */
bool p1_read_time(struct cursor *c, int32_t winter_offset_s, int64_t *utc_s)
{
    struct cursor slice;
    (void)winter_offset_s;
    bool closed = p1_read_open(c) && p1_read_slice(c, &slice);
    *utc_s = closed && slice.end - slice.p == 13 ? 1 : READING_NO_TIME;
    return closed;
}

#else

inline bool p1_time_parse(const uint8_t p[static 13], int32_t winter_offset_s, int64_t *utc_s)
{
    struct civil_time t;
    if ((p[12] != 'S' && p[12] != 'W') || !civil_time_parse(p, &t))
        return false;
    *utc_s = civil_time_to_utc(&t, winter_offset_s + (p[12] == 'S' ? 3600 : 0));
    return true;
}

bool p1_read_time(struct cursor *c, int32_t winter_offset_s, int64_t *utc_s)
{
    struct cursor slice;
    *utc_s = READING_NO_TIME;
    if (!p1_read_open(c))
        return false;
    if (c->end - c->p > 13 && c->p[13] == ')' && p1_time_parse(c->p, winter_offset_s, utc_s)) {
        c->p += 14;
        return true;
    }
    return p1_read_slice(c, &slice);
}

#endif
