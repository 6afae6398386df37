/* p1_records.h - what an object of a P1 telegram is, and those that are more than a number.  Used by p1_objects.c
 * alone. */
#ifndef P1_RECORDS_H
#define P1_RECORDS_H

#include "cursor.h"
#include "p1_objects.h"

/* What is made of an object's value. */
enum p1_decoding {
    P1_NUMBER,
    P1_SIGNED_NUMBER,
    P1_POWER_FACTOR,
    P1_VERSION,
    P1_MONTH_PEAK,
    /* not in a small build */
    P1_TELEGRAM_TIME,
    P1_LIMITER,
    P1_FUSE,
    P1_TEXT,
    P1_FAILURE_LOG,
    P1_PEAK_HISTORY,
    P1_MBUS_MEDIUM,
    P1_MBUS_VALVE,
    P1_MBUS_READING,
    P1_MBUS_GAS_UNCORRECTED,
    P1_MBUS_READING_DSMR3
};

/* C.D.E of an OBIS reference: its characters, which can be compared at once; in a small build its numbers, which take
 * less room, each with a 1 before its digits: so "7" is not "07". */
#ifdef CORE_SMALL
typedef uint32_t p1_reference; /* C << 16 | D << 8 | E */
enum { P1_NO_DIGIT = 1 };
#define P1_GROUP(n) ((n) < 10 ? 10 + (n) : 100 + (n))
#define P1_OBJECT(c, d, e, ...) \
    { \
        {P1_GROUP(c), P1_GROUP(d), P1_GROUP(e)}, __VA_ARGS__ \
    }
#else
typedef uint64_t p1_reference; /* as printed, padded with NUL, the first character highest */
#define P1_OBJECT(c, d, e, ...) \
    { \
#c "." #d "." #e, __VA_ARGS__ \
    }
#endif

struct p1_object {
    uint8_t reference[CORE_IS_SMALL ? 3 : 8];
    uint8_t decoding;  /* enum p1_decoding */
    uint8_t target;    /* enum quantity, enum reading_text_id or unused, as the decoder says */
    uint8_t dimension; /* enum p1_dimension, for numbers */
};

typedef bool p1_object_decoder(const struct p1_decoder *d, const struct p1_object *o,
                               struct cursor *c, unsigned channel);

/* Decoders for the table of p1_objects.c: each begins at the value's '(' and returns false if it makes no sense. */
p1_object_decoder p1_limiter, p1_fuse, p1_text, p1_failure_log, p1_peak_history, p1_mbus_medium,
    p1_mbus_valve, p1_mbus_reading, p1_mbus_gas_uncorrected, p1_mbus_reading_dsmr3;

enum { P1_MBUS_OBJECTS = 9 };

/* The objects of M-Bus channels. */
extern const struct p1_object p1_mbus_objects[P1_MBUS_OBJECTS];

#endif
