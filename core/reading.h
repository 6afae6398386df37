/* reading.h - what the latest telegram said.
 *
 * One struct, integers in fixed units, each value known or unknown; unknown is never 0.  Every
 * output is made from it.  Texts are not copied: a text is a slice of the telegram it came in and is
 * read with reading_text(), which takes that telegram again.
 */
#ifndef READING_H
#define READING_H

#include "quantity.h"
#include "small.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    READING_MBUS_N = 4,      /* M-Bus channels 1..4 (DSMR P1 5.0.2, 6.12) */
    READING_FAILURES_N = 10, /* 1-0:99.97.0 holds at most 10 entries */
    READING_PEAKS_N = 13,    /* 0-0:98.1.0 holds at most 13 months */
    READING_VALUES_N = CORE_IS_SMALL ? Q_TIC_VERSION : Q_N /* those of TIC are the last ones */
};

/* No time known.  Meter times before 2010 are no times, so 0 is free to mean that. */
#define READING_NO_TIME INT64_C(0)

enum reading_standard { STANDARD_UNKNOWN, STANDARD_P1, STANDARD_TIC, STANDARD_TIC_HISTORIC };

enum reading_grid {
    GRID_UNKNOWN,
    GRID_STAR, /* 3N400 V, or a single phase */
    GRID_DELTA /* 3x230 V without neutral */
};

/* The texts a telegram can hold. */
enum reading_text_id {
    TEXT_IDENTIFICATION, /* P1: the line after '/'; printed as it is */
    TEXT_METER_ID,       /* P1 96.1.1 (hex), TIC ADSC */
    TEXT_EAN,            /* P1 96.1.2 (hex), TIC PRM */
    TEXT_LOGICAL_NAME,   /* P1 42.0.0 (hex) */
    TEXT_VERSION,        /* P1 1-3:0.2.8 or 0-0:96.1.4 */
    TEXT_MESSAGE,        /* P1 96.13.0 (hex), TIC MSG1 */
    TEXT_MESSAGE_2,      /* P1 96.13.1 (hex), TIC MSG2 */
    TEXT_MESSAGE_3,      /* P1 96.13.2 (hex, Luxembourg) */
    TEXT_MESSAGE_4,      /* P1 96.13.3 */
    TEXT_MESSAGE_5,      /* P1 96.13.4 */
    TEXT_MESSAGE_6,      /* P1 96.13.5 */
    TEXT_CALENDAR,       /* TIC NGTF */
    TEXT_TARIFF_NAME,    /* TIC LTARF */
    TEXT_DAY_SCHEDULE,   /* TIC PJOURF+1 */
    TEXT_PEAK_SCHEDULE,  /* TIC PPOINTE */
    TEXT_MBUS_ID_1,      /* P1 0-n:96.1.0 or 0-n:96.1.1 (hex), four neighbours */
    TEXT_MBUS_ID_2,
    TEXT_MBUS_ID_3,
    TEXT_MBUS_ID_4,
    TEXT_MBUS_EAN_1, /* P1 0-n:96.1.2 (hex), four neighbours */
    TEXT_MBUS_EAN_2,
    TEXT_MBUS_EAN_3,
    TEXT_MBUS_EAN_4,
    TEXT_N
};

/* A slice of the telegram.  length 0 = the telegram has no such text, or an empty one. */
struct reading_text {
    uint16_t offset;
    uint16_t length;
};

/* M-Bus device types (EN 13757-3) seen on P1 ports. */
enum mbus_medium {
    MBUS_NONE = 0,
    MBUS_ELECTRICITY = 2,
    MBUS_GAS = 3,
    MBUS_HEAT = 4,
    MBUS_WARM_WATER = 6,
    MBUS_WATER = 7,
    MBUS_COOLING_OUTLET = 10,
    MBUS_COOLING_INLET = 11,
    MBUS_HEAT_INLET = 12
};

enum mbus_unit {
    MBUS_UNIT_UNKNOWN, /* no value: the channel is dead or its value has no unit */
    MBUS_UNIT_DM3,     /* value in dm3 (litres); published as m3 */
    MBUS_UNIT_MJ,      /* value in MJ; published as GJ */
    MBUS_UNIT_WH       /* value in Wh */
};

struct reading_mbus {
    int64_t value;    /* meaningless while unit is MBUS_UNIT_UNKNOWN */
    int64_t time_s;   /* UTC of the value; READING_NO_TIME when the meter's was none */
    uint8_t unit;     /* enum mbus_unit */
    uint8_t medium;   /* enum mbus_medium, as printed in 24.1.0 */
    int8_t valve;     /* 24.4.0 or 96.3.10: 0 closed/off, 1 open/on, 2 ready; -1 unknown */
    bool uncorrected; /* 24.2.3: gas, not temperature-corrected */
};

struct reading_failure {
    int64_t end_s; /* UTC; READING_NO_TIME when unreadable */
    uint32_t duration_s;
};

struct reading_peak {
    int64_t month_s; /* UTC of the entry's own time stamp */
    int64_t time_s;  /* UTC of the peak */
    int32_t power_w;
};

/* A quantity's value.  A small build takes no number above INT32_MAX from a telegram, 2.1 GWh in Wh. */
#ifdef CORE_SMALL
typedef int32_t reading_value;
#define READING_VALUE_MAX INT32_MAX
#else
typedef int64_t reading_value;
#define READING_VALUE_MAX INT64_MAX
#endif

struct reading {
    reading_value value[READING_VALUES_N]; /* by enum quantity; meaningless where not known */
    uint32_t known[(READING_VALUES_N + 31) / 32]; /* bit set = known */
    int64_t meter_time_s; /* UTC seconds of the telegram, READING_NO_TIME when unknown */
    int64_t peak_time_s;  /* UTC of DEMAND_MONTH_PEAK */
    int64_t received_s;   /* gateway clock, UTC; READING_NO_TIME when that clock is not set */
    int64_t received_ms;  /* gateway clock, monotonic */
    uint64_t sequence;    /* 1 for the first telegram after start */
#ifndef CORE_SMALL
    struct reading_mbus mbus[READING_MBUS_N];
    struct reading_failure failures[READING_FAILURES_N];
    struct reading_peak peaks[READING_PEAKS_N];
    struct reading_text text[TEXT_N];
#endif
    uint16_t mbus_errors; /* those of object_errors that are about M-Bus channels: a dead channel has
                               one in each telegram, and it says nothing about the electricity */
    uint16_t object_errors; /* objects (P1) or groups (TIC) of this telegram that made no sense */
    uint8_t failures_n;
    uint8_t peaks_n;
    uint8_t standard;         /* enum reading_standard */
    uint8_t grid;             /* enum reading_grid, set by derive */
    uint8_t phases;           /* 1 or 3, 0 when not known; P1: set by derive, TIC: by the parser */
    uint8_t p1_version;       /* 1-3:0.2.8 as a number (42, 50), 0 when the telegram has none */
    uint32_t emucs_version;   /* 0-0:96.1.4 (50217 = e-MUCS 1.7.1), 0 when none */
    bool meter_time_degraded; /* TIC: the meter says its clock is not set */
    bool export_unmeasured;   /* TIC: consumer meter that exports; its export is unknown */
};

/* Makes everything unknown. */
void reading_clear(struct reading *r);

/* In a small build these two are called: they stand in many places. */
#ifdef CORE_SMALL
/* True if the quantity is known. */
bool reading_has(const struct reading *r, enum quantity q);

/* Makes it known. */
void reading_set(struct reading *r, enum quantity q, reading_value value);
#else
static inline bool reading_has(const struct reading *r, enum quantity q)
{
    return (r->known[(unsigned)q >> 5] >> ((unsigned)q & 31)) & 1;
}

static inline void reading_set(struct reading *r, enum quantity q, reading_value value)
{
    r->value[q] = value;
    r->known[(unsigned)q >> 5] |= UINT32_C(1) << ((unsigned)q & 31);
}
#endif

/* True if it came from a meter in TIC standard mode. */
static inline bool reading_is_tic(const struct reading *r)
{
    return !CORE_IS_SMALL && r->standard == STANDARD_TIC;
}

/* Makes it known unless it is already: what came first stays. */
static inline void reading_set_first(struct reading *r, enum quantity q, reading_value value)
{
    if (!reading_has(r, q))
        reading_set(r, q, value);
}

static inline void reading_unset(struct reading *r, enum quantity q)
{
    r->known[(unsigned)q >> 5] &= ~(UINT32_C(1) << ((unsigned)q & 31));
}

/* The bytes of text `id` as they stand in the telegram, *n of them; NULL and 0 where there are none, or the slice
 * lies outside. */
const uint8_t *reading_text_bytes(const struct reading *r, enum reading_text_id id,
                                  const uint8_t *telegram, size_t telegram_len, size_t *n);

/* Copies text `id` of the telegram into `out` as a string, and returns its length.
 * P1 texts printed as hex are decoded; what is not clean hex is shown raw.  Control bytes become
 * '?', bytes from 0x80 on are taken as Latin-1 and written as UTF-8, so `out` is always valid UTF-8.
 * Cut at cap - 1 bytes at a character's end.  `telegram` is the one the reading was made from,
 * telegram_len its length; a slice outside it yields "". */
size_t reading_text(const struct reading *r, enum reading_text_id id, const uint8_t *telegram,
                    size_t telegram_len, char *out, size_t cap);

/* The name of a text in our JSON ("meter_id"). */
const char *reading_text_name(enum reading_text_id id);

#endif
