/* household.h - a small household with sun on the roof, as its electricity meter sees it.
 *
 * Time moves in whole seconds: at each second every load, the sun and the voltages get their new
 * value, which then holds for that second while the energies integrate it.  So the state depends
 * only on the seed and the time, never on the size of the steps.
 *
 *     loads, sun --> power per phase --> U, I, S --> maxima (one-second filter)
 *                          |
 *                          +--> energies, quarter hours, month's peak (integers, W ms)
 *
 * Integer arithmetic only: a seed gives the same household on every machine.
 */
#ifndef HOUSEHOLD_H
#define HOUSEHOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HOUSEHOLD_LOADS = 15,       /* rows of the load table in household.c */
    HOUSEHOLD_MONTHS = 13,      /* e-MUCS keeps the peaks of 13 months */
    HOUSEHOLD_FAILURES = 3,     /* long power failures in the meter's log */
    HOUSEHOLD_UNIT_MS = 3600000 /* one Wh (varh, dm3) in W ms (var ms, dm3/h ms) */
};

/* What the household owns besides the usual. */
enum household_has {
    HAS_GAS = 1, /* gas boiler and gas meter */
    HAS_WATER = 2,
    HAS_EV = 4,   /* three-phase 16 A charger */
    HAS_TANK = 8, /* electric water heater, heats in the cheap hours only */
};

/* Which of the two import and export registers counts.  Hours are legal time. */
struct household_tariff {
    uint8_t day_from_h; /* first hour of the expensive tariff */
    uint8_t day_to_h;   /* first hour after it */
    bool weekend_is_night;
    uint8_t day;   /* register (0 or 1) by day */
    uint8_t night; /* register by night */
};

struct household_config {
    uint8_t phases;         /* 1 or 3 */
    bool delta;             /* 3x230 V without neutral: loads hang between the lines */
    uint8_t has;            /* set of household_has */
    uint16_t solar_wp;      /* peak power of the roof, W; 0 = none */
    uint16_t mbus_period_s; /* how often gas and water report: 300 or 3600 */
    const struct household_tariff *tariff;
};

/* One phase as the meter measures it.  On a delta grid: [0] is U12 with line current 1, [1] only
 * line current 2, [2] is U32 with line current 3; the powers are those of the two-wattmeter
 * circuit. */
struct household_phase {
    int32_t p_w;    /* + import, - export */
    int32_t q_var;  /* + inductive */
    uint32_t s_cva; /* 0.01 VA; not defined on a delta grid (0) */
    uint32_t u_dv;  /* 0.1 V */
    uint32_t i_ma;
    uint16_t sags;
    uint16_t swells;
};

/* Maximum of a day, filtered: y = 0.008 x^2 + 0.992 y' each second. */
struct household_maximum {
    uint64_t y;   /* running filter, VA^2 * 1024 */
    uint64_t max; /* largest y of today, same unit */
    int64_t max_utc_s;
    uint32_t last_va; /* yesterday's maximum */
    int64_t last_utc_s;
};

/* Mean power over the last two complete half hours. */
struct household_curve {
    uint64_t mark;      /* register at the begin of this half hour, W ms */
    uint32_t mean_w[2]; /* [0] the last complete one, [1] the one before */
};

struct household_peak {
    uint32_t w;
    int64_t utc_s; /* end of the quarter hour it was reached in */
};

struct household_failure {
    int64_t end_utc_s;
    uint32_t duration_s;
};

struct household_load_state {
    uint32_t left_s; /* 0 = off */
    uint32_t age_s;
};

/* Read freely, write through the functions below only. */
struct household {
    const struct household_config *config;
    uint64_t random;
    int64_t utc_s;    /* begin of the second now running */
    uint32_t past_ms; /* of it, 0..999 */

    int32_t p_w; /* signed sum of the phases: + import, - export */
    int32_t q_var;
    int32_t s_va;   /* signed sum of the phases' S, each with the sign of its P (star only) */
    uint8_t tariff; /* register now counting, 0 or 1 */
    struct household_phase phase[3];

    uint64_t import_wms[2]; /* per tariff */
    uint64_t export_wms[2];
    uint64_t reactive_varms[4]; /* quadrants 1..4 */
    uint64_t gas_dm3ms;
    uint64_t water_dm3ms;
    uint64_t mbus_gas_dm3; /* as last reported, at mbus_utc_s */
    uint64_t mbus_water_dm3;
    int64_t mbus_utc_s;

    struct household_maximum import_max[4]; /* [0] total, [1..3] phases */
    struct household_maximum export_max;
    struct household_curve import_curve;
    struct household_curve export_curve;
    int64_t curve_utc_s;   /* end of the last complete half hour */
    uint32_t mean_u_dv[3]; /* over the last complete ten minutes */
    int64_t mean_u_utc_s;
    uint64_t quarter_mark_wms;
    struct household_peak month_peak;
    struct household_peak peak[HOUSEHOLD_MONTHS]; /* [0] is last month */
    uint16_t failures;
    struct household_failure failure[HOUSEHOLD_FAILURES]; /* newest first */

    /* private to household.c */
    struct household_load_state load[HOUSEHOLD_LOADS];
    int32_t load_w[3], load_var[3]; /* on each phase; on a delta grid between 1-2, 2-3, 3-1 */
    int32_t base_w[3], wander_dv[3];
    uint32_t gas_flow, water_flow; /* dm3/h */
    uint32_t sun;                  /* clear-sky sun of this minute, 1/1000 */
    uint32_t clear, clear_goal;    /* what the clouds let through, 1/1000 */
    uint32_t sky_low, sky_high;    /* range of clear_goal today */
    uint32_t u_sum_dv[3], u_samples;
    int32_t season; /* -1000 midwinter .. 1000 midsummer */
    uint8_t hour, weekday;
};

/* Moves a household in at start_utc_s (2010 to 2099), so that it already has a past: counters,
 * peaks of earlier months and the two days before, which are really lived (some 10^5 seconds of
 * work, in the order of 20 ms).  config must outlive h. */
void household_init(struct household *h, const struct household_config *config, uint64_t seed,
                    int64_t start_utc_s);

/* Lives on for elapsed_ms. */
void household_advance(struct household *h, uint32_t elapsed_ms);

/* Energy a register of W ms (var ms, dm3/h ms) shows: whole Wh (varh, dm3), rounded down. */
uint64_t household_units(uint64_t register_ms);

/* Import of all tariffs so far, W ms; never falls. */
uint64_t household_import_wms(const struct household *h);

/* Export of all tariffs so far, W ms; never falls. */
uint64_t household_export_wms(const struct household *h);

/* The value a maximum's filter stands for, VA. */
uint32_t household_maximum_va(uint64_t y);

/* Demand of the running quarter hour as meters show it, W: energy since its begin over the full 900
 * s, so it starts at 0 and grows. */
uint32_t household_quarter_w(const struct household *h);

#endif
