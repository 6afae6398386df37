/* p1_values.h - how values of P1 data lines are written: numbers with units, times, texts.
 *
 *   (number*unit)     -?d+(.d+)?, unit in upper and lower case, '*' and blanks as the meter likes
 *   (YYMMDDhhmmssX)   local time of the meter, X = S summer, W winter
 *   (text)            anything up to ')'
 *
 * Every read function begins at the cursor, which has the end of the decoded lines, and steps over what it
 * has read.  It returns false, and leaves the cursor anywhere in what it tried, if that makes no sense;
 * results are then not to be used.  Used by p1_objects.c alone.
 */
#ifndef P1_VALUES_H
#define P1_VALUES_H

#include "cursor.h"
#include "reading.h"

/* Dimensions of values.  Each has the units it is printed in, a base unit and a limit. */
enum p1_dimension {
    DIM_POWER,                /* W */
    DIM_REACTIVE,             /* var */
    DIM_APPARENT,             /* VA */
    DIM_ENERGY,               /* Wh */
    DIM_REACTIVE_ENERGY,      /* varh */
    DIM_VOLTAGE,              /* V */
    DIM_CURRENT,              /* A */
    DIM_FREQUENCY,            /* Hz */
    DIM_NONE,                 /* counts, states and ratios: printed without unit */
    DIM_SMALL_N,              /* those of a small build */
    DIM_VOLUME = DIM_SMALL_N, /* dm3 */
    DIM_HEAT,                 /* MJ */
    DIM_SECONDS,              /* s */
    DIM_N
};

/* A unit's characters in lower case, the first one in the lowest byte; in a small build four of them, without a "k"
 * before them, which is the highest bit of the first one. */
#ifdef CORE_SMALL
typedef uint32_t p1_unit;
typedef uint32_t p1_digits;
#else
typedef uint64_t p1_unit;
typedef uint64_t p1_digits;
#endif

/* The unit that is a thousand of `base`. */
static inline p1_unit p1_kilo(p1_unit base)
{
    return CORE_IS_SMALL ? base | 0x80 : base << 8 | 'k';
}

/* A number as it is printed: digits * 10^-decimals, and its unit. */
struct p1_printed {
    reading_value digits; /* signed, of 16 digits at most */
    p1_unit unit;         /* 0 = none */
    uint8_t decimals;
};

/* Eight bytes as a number that sorts like the characters do. */
static inline uint64_t p1_load_be64(const void *from)
{
    const uint8_t *p = from;
    return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 | (uint64_t)p[2] << 40 |
           (uint64_t)p[3] << 32 | (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
           (uint64_t)p[6] << 8 | p[7];
}

static inline bool p1_read_open(struct cursor *c)
{
    return cursor_accept(c, '(');
}

static inline bool p1_read_close(struct cursor *c)
{
    return cursor_accept(c, ')');
}

/* A number without its parentheses; its unit is none. */
bool p1_read_number(struct cursor *c, struct p1_printed *n);

/* A unit, up to the ')'; false if it has more than eight characters or control bytes; in a small build more than four
 * behind its "k", or any that is not ASCII. */
bool p1_read_unit(struct cursor *c, p1_unit *unit);

/* (number[*unit]), as it is printed. */
bool p1_read_printed(struct cursor *c, struct p1_printed *n);

/* Converts to 10^-decimals of the dimension's base unit, rounded half away from zero.  The printed unit
 * decides, never the code of the object: false if it is none of the dimension's, or the value is beyond what
 * any connection reaches. */
bool p1_convert(const struct p1_printed *n, enum p1_dimension dimension, unsigned decimals,
                reading_value *value);

/* (number[*unit]), converted as p1_convert() does. */
bool p1_read_value(struct cursor *c, enum p1_dimension dimension, unsigned decimals,
                   reading_value *value);

/* (n): digits alone, n <= max. */
bool p1_read_count(struct cursor *c, unsigned max, unsigned *n);

/* Whether a number is how meters write "limit is off": 999, 999.9, 99.999, 0999.00.  9.9999 kW and 99 A are
 * limits. */
bool p1_is_off(const struct p1_printed *n);

/* The slice up to the next ')' of this line, which is stepped over. */
bool p1_read_slice(struct cursor *c, struct cursor *slice);

/* Steps over n values of this line, whatever they hold: (0-0:96.7.19) and the like. */
bool p1_skip_values(struct cursor *c, int n);

/* (YYMMDDhhmmssX) as UTC seconds.  winter_offset_s is the UTC offset of letter W.  False when there are no
 * parentheses; a time that is unreadable or none is READING_NO_TIME and no error. */
bool p1_read_time(struct cursor *c, int32_t winter_offset_s, int64_t *utc_s);

/* Reads "YYMMDDhhmmssX" at p as UTC seconds; false if it is no such time. */
bool p1_time_parse(const uint8_t p[static 13], int32_t winter_offset_s, int64_t *utc_s);

#endif
