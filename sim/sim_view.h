/* sim_view.h - what a meter can print of its household, by number.
 *
 * The line tables name their value by one of these; whole, non-negative integers in the unit the
 * name ends with.  A value with a time of its own (maxima, means, gas) has it beside it.
 */
#ifndef SIM_VIEW_H
#define SIM_VIEW_H

#include <stdint.h>

#include "sim.h"

enum sim_source {
    SIM_ZERO, /* 0, present time */
    SIM_IMPORT_T1_WH,
    SIM_IMPORT_T2_WH,
    SIM_IMPORT_WH, /* sum of the tariffs as printed */
    SIM_EXPORT_T1_WH,
    SIM_EXPORT_T2_WH,
    SIM_EXPORT_WH,
    SIM_Q1_VARH,
    SIM_Q2_VARH,
    SIM_Q3_VARH,
    SIM_Q4_VARH,
    SIM_TARIFF, /* 1 or 2 */
    SIM_IMPORT_W,
    SIM_EXPORT_W,
    SIM_IMPORT_L1_W,
    SIM_IMPORT_L2_W,
    SIM_IMPORT_L3_W,
    SIM_EXPORT_L1_W,
    SIM_EXPORT_L2_W,
    SIM_EXPORT_L3_W,
    SIM_U1_DV,
    SIM_U2_DV,
    SIM_U3_DV,
    SIM_U1_V,
    SIM_U2_V,
    SIM_U3_V,
    SIM_I1_CA,
    SIM_I2_CA,
    SIM_I3_CA,
    SIM_I1_A,
    SIM_I2_A,
    SIM_I3_A,
    SIM_SAGS_L1,
    SIM_SAGS_L2,
    SIM_SAGS_L3,
    SIM_SWELLS_L1,
    SIM_SWELLS_L2,
    SIM_SWELLS_L3,
    SIM_FAILURES,
    SIM_LONG_FAILURES,
    SIM_QUARTER_W,    /* demand of the running quarter hour */
    SIM_MONTH_PEAK_W, /* at its time */
    SIM_GAS_DM3,      /* at its time */
    SIM_WATER_DM3,    /* at its time */
    /* TIC only */
    SIM_PREF_KVA,
    SIM_ISOUSC_A,
    SIM_SINSTS_VA,
    SIM_SINSTS1_VA,
    SIM_SINSTS2_VA,
    SIM_SINSTS3_VA,
    SIM_SINSTI_VA,
    SIM_PAPP_VA,   /* SINSTS, to the nearest 10 */
    SIM_SMAXSN_VA, /* the maxima at their times */
    SIM_SMAXSN1_VA,
    SIM_SMAXSN2_VA,
    SIM_SMAXSN3_VA,
    SIM_SMAXSN_LAST_VA,
    SIM_SMAXSN1_LAST_VA,
    SIM_SMAXSN2_LAST_VA,
    SIM_SMAXSN3_LAST_VA,
    SIM_SMAXIN_VA,
    SIM_SMAXIN_LAST_VA,
    SIM_CCASN_W, /* half hours, at their ends */
    SIM_CCASN_LAST_W,
    SIM_CCAIN_W,
    SIM_CCAIN_LAST_W,
    SIM_UMOY1_V, /* ten minutes, at their end */
    SIM_UMOY2_V,
    SIM_UMOY3_V,
    SIM_STGE,   /* the status register's 32 bits */
    SIM_RELAYS, /* bit 0: the dry contact, 1 = closed */
    SIM_SOURCES
};

struct sim_view {
    uint32_t serial;
    const struct household *house; /* for the tables within a line: failure log, months' peaks */
    int64_t value[SIM_SOURCES];
    int64_t utc_s[SIM_SOURCES];
};

/* Fills v with the present moment of s.  v points into s. */
void sim_view_fill(struct sim_view *v, const struct sim *s);

#endif
