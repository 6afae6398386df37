/* p1_values.c - how values of P1 data lines are written.
 *
 * What each line of a telegram goes through is marked inline: p1_values.h declares it without, so it is
 * exported all the same, but its callers here and, with link-time optimisation, elsewhere have it inside.
 */
#include "p1_values.h"

#include "civil_time.h"
#include "reading.h"

/* Units as struct p1_printed has them. */
#define UNIT1(a) ((uint64_t)(uint8_t)(a))
#define UNIT2(a, b) (UNIT1(a) | UNIT1(b) << 8)
#define UNIT3(a, b, c) (UNIT2(a, b) | UNIT1(c) << 16)
#define UNIT4(a, b, c, d) (UNIT3(a, b, c) | UNIT1(d) << 24)
#define UNIT5(a, b, c, d, e) (UNIT4(a, b, c, d) | UNIT1(e) << 32)

struct unit_spelling {
    uint64_t unit;
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
inline bool p1_read_number(struct cursor *c, struct p1_printed *n)
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
    n->digits = negative ? -(int64_t)value : (int64_t)value;
    n->decimals = p == dot ? 0 : (uint8_t)(p - dot - 1);
    n->unit = 0;
    return true;
}

/* "*kWh" up to ')'.  Also seen: no '*', a blank behind, upper and lower case in any mix. */
inline bool p1_read_unit(struct cursor *c, uint64_t *unit)
{
    unsigned shift = 0;
    const uint8_t *p = c->p;
    if (p < c->end && *p == '*')
        p++;
    for (*unit = 0; p < c->end && *p != ')'; p++) {
        if (*p == ' ')
            continue;
        if (shift > 56 || *p < 0x20)
            return false;
        *unit |= (uint64_t)(*p | 0x20) << shift;
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

inline bool p1_convert(const struct p1_printed *n, enum p1_dimension dimension, unsigned decimals,
                       int64_t *value)
{
    const struct unit_spelling *u = dimensions[dimension].unit, *unit_end = u + 3;
    while (u < unit_end && u->unit != n->unit)
        u++;
    if (u == unit_end || (n->unit == 0 && dimension != DIM_NONE))
        return false;
    int64_t limit = dimensions[dimension].limit * powers_of_ten[decimals];
    return scale(n->digits, u->exponent + (int)decimals - (int)n->decimals, value) &&
           *value <= limit && *value >= -limit;
}

inline bool p1_read_printed(struct cursor *c, struct p1_printed *n)
{
    return p1_read_open(c) && p1_read_number(c, n) && p1_read_unit(c, &n->unit) && p1_read_close(c);
}

inline bool p1_read_value(struct cursor *c, enum p1_dimension dimension, unsigned decimals,
                          int64_t *value)
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
    int64_t digits = n->digits;
    unsigned decimals = n->decimals;
    for (; decimals && digits % 10 == 0; decimals--)
        digits /= 10;
    bool widest = digits >= 99999 || (digits >= 999 && digits / powers_of_ten[decimals] >= 999);
    while (digits % 10 == 9)
        digits /= 10;
    return widest && digits == 0;
}

bool p1_read_count(struct cursor *c, unsigned max, unsigned *n)
{
    struct p1_printed number;
    if (!p1_read_open(c) || !p1_read_number(c, &number))
        return false;
    if (number.digits < 0 || number.digits > max || number.decimals)
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
    while (c->end - p >= 8 && !has_closing(p1_load_be64(p)))
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
