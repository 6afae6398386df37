/* quantity.h - the table of quantities: everything a meter can say as a number.
 *
 * This table is the spine of the house: parsers name the row they fill, register maps, messages and
 * pages name the row they show.  To add a measurement is to add a row here, a row in the parser's
 * table and rows in the maps that show it.
 *
 * A value is an integer in the fixed unit "unit / 10^decimals": voltage_l1_v with 3 decimals is kept
 * in millivolts and printed as 231.2.
 */
#ifndef QUANTITY_H
#define QUANTITY_H

#include <stdint.h>

/* Units of published values.  The order is that of the table behind quantity_unit_name(). */
enum quantity_unit {
    UNIT_NONE,  /* power factor, codes, states */
    UNIT_COUNT, /* number of events */
    UNIT_W,     /* active power */
    UNIT_VAR,   /* reactive power */
    UNIT_VA,    /* apparent power */
    UNIT_V,     /* RMS voltage */
    UNIT_A,     /* RMS current */
    UNIT_HZ,    /* frequency */
    UNIT_WH,    /* active energy */
    UNIT_VARH,  /* reactive energy */
    UNIT_KVA,   /* contract power (TIC PREF, PCOUP) */
    UNIT_N
};

/* How a value moves. */
enum quantity_kind {
    KIND_MOMENTARY, /* with every telegram; several may be averaged */
    KIND_COUNTER,   /* only upwards: energies, events */
    KIND_PERIOD,    /* a mean or maximum of minutes to a day: demand, load curves */
    KIND_STATE      /* seldom, and then it matters: tariff, switches, limits, the month's peak */
};

/* clang-format off */
/* ROW(id, name, unit, decimals, kind): the name is the key of every JSON and metric we define ourselves.
 * "import" is energy taken from the grid (OBIS "+", demand), "export" is given back (OBIS "-", delivery). */
#define QUANTITY_TABLE(ROW) QUANTITY_TABLE_P1(ROW) QUANTITY_TABLE_TIC(ROW)
#define QUANTITY_TABLE_P1(ROW) \
    /* totals of the connection */ \
    /* P+ minus P-; derived */ \
    ROW(POWER,                   "power_w",                      UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_IMPORT,            "power_import_w",               UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_EXPORT,            "power_export_w",               UNIT_W,    0, KIND_MOMENTARY) \
    /* Q+ minus Q-; derived */ \
    ROW(REACTIVE,                "reactive_var",                 UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_IMPORT,         "reactive_import_var",          UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_EXPORT,         "reactive_export_var",          UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_Q1,             "reactive_q1_var",              UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_Q2,             "reactive_q2_var",              UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_Q3,             "reactive_q3_var",              UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_Q4,             "reactive_q4_var",              UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(APPARENT,                "apparent_va",                  UNIT_VA,   0, KIND_MOMENTARY) /* derived */ \
    ROW(APPARENT_IMPORT,         "apparent_import_va",           UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(APPARENT_EXPORT,         "apparent_export_va",           UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(POWER_FACTOR,            "power_factor",                 UNIT_NONE, 3, KIND_MOMENTARY) \
    ROW(FREQUENCY,               "frequency_hz",                 UNIT_HZ,   3, KIND_MOMENTARY) \
    ROW(CURRENT_NEUTRAL,         "current_neutral_a",            UNIT_A,    3, KIND_MOMENTARY) \
    ROW(CURRENT_MEAN,            "current_mean_a",               UNIT_A,    3, KIND_MOMENTARY) /* derived */ \
    ROW(VOLTAGE_MEAN_LN,         "voltage_mean_ln_v",            UNIT_V,    3, KIND_MOMENTARY) /* derived */ \
    ROW(VOLTAGE_MEAN_LL,         "voltage_mean_ll_v",            UNIT_V,    3, KIND_MOMENTARY) /* derived */ \
    /* per phase: three neighbours each, L1 L2 L3 */ \
    /* phase to neutral; unknown on a delta grid */ \
    ROW(VOLTAGE_L1,              "voltage_l1_v",                 UNIT_V,    3, KIND_MOMENTARY) \
    ROW(VOLTAGE_L2,              "voltage_l2_v",                 UNIT_V,    3, KIND_MOMENTARY) \
    ROW(VOLTAGE_L3,              "voltage_l3_v",                 UNIT_V,    3, KIND_MOMENTARY) \
    /* what the meter printed, whatever the grid */ \
    ROW(METER_VOLTAGE_L1,        "meter_voltage_l1_v",           UNIT_V,    3, KIND_MOMENTARY) \
    ROW(METER_VOLTAGE_L2,        "meter_voltage_l2_v",           UNIT_V,    3, KIND_MOMENTARY) \
    ROW(METER_VOLTAGE_L3,        "meter_voltage_l3_v",           UNIT_V,    3, KIND_MOMENTARY) \
    /* by the setting current = meter | signed | derived */ \
    ROW(CURRENT_L1,              "current_l1_a",                 UNIT_A,    3, KIND_MOMENTARY) \
    ROW(CURRENT_L2,              "current_l2_a",                 UNIT_A,    3, KIND_MOMENTARY) \
    ROW(CURRENT_L3,              "current_l3_a",                 UNIT_A,    3, KIND_MOMENTARY) \
    /* what the meter printed: unsigned, often whole amperes */ \
    ROW(METER_CURRENT_L1,        "meter_current_l1_a",           UNIT_A,    3, KIND_MOMENTARY) \
    ROW(METER_CURRENT_L2,        "meter_current_l2_a",           UNIT_A,    3, KIND_MOMENTARY) \
    ROW(METER_CURRENT_L3,        "meter_current_l3_a",           UNIT_A,    3, KIND_MOMENTARY) \
    ROW(POWER_L1,                "power_l1_w",                   UNIT_W,    0, KIND_MOMENTARY) /* derived */ \
    ROW(POWER_L2,                "power_l2_w",                   UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_L3,                "power_l3_w",                   UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_IMPORT_L1,         "power_import_l1_w",            UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_IMPORT_L2,         "power_import_l2_w",            UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_IMPORT_L3,         "power_import_l3_w",            UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_EXPORT_L1,         "power_export_l1_w",            UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_EXPORT_L2,         "power_export_l2_w",            UNIT_W,    0, KIND_MOMENTARY) \
    ROW(POWER_EXPORT_L3,         "power_export_l3_w",            UNIT_W,    0, KIND_MOMENTARY) \
    ROW(REACTIVE_L1,             "reactive_l1_var",              UNIT_VAR,  0, KIND_MOMENTARY) /* derived */ \
    ROW(REACTIVE_L2,             "reactive_l2_var",              UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_L3,             "reactive_l3_var",              UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_IMPORT_L1,      "reactive_import_l1_var",       UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_IMPORT_L2,      "reactive_import_l2_var",       UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_IMPORT_L3,      "reactive_import_l3_var",       UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_EXPORT_L1,      "reactive_export_l1_var",       UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_EXPORT_L2,      "reactive_export_l2_var",       UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(REACTIVE_EXPORT_L3,      "reactive_export_l3_var",       UNIT_VAR,  0, KIND_MOMENTARY) \
    ROW(APPARENT_L1,             "apparent_l1_va",               UNIT_VA,   0, KIND_MOMENTARY) /* derived */ \
    ROW(APPARENT_L2,             "apparent_l2_va",               UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(APPARENT_L3,             "apparent_l3_va",               UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(APPARENT_IMPORT_L1,      "apparent_import_l1_va",        UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(APPARENT_IMPORT_L2,      "apparent_import_l2_va",        UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(APPARENT_IMPORT_L3,      "apparent_import_l3_va",        UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(APPARENT_EXPORT_L1,      "apparent_export_l1_va",        UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(APPARENT_EXPORT_L2,      "apparent_export_l2_va",        UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(APPARENT_EXPORT_L3,      "apparent_export_l3_va",        UNIT_VA,   0, KIND_MOMENTARY) \
    ROW(POWER_FACTOR_L1,         "power_factor_l1",              UNIT_NONE, 3, KIND_MOMENTARY) \
    ROW(POWER_FACTOR_L2,         "power_factor_l2",              UNIT_NONE, 3, KIND_MOMENTARY) \
    ROW(POWER_FACTOR_L3,         "power_factor_l3",              UNIT_NONE, 3, KIND_MOMENTARY) \
    ROW(VOLTAGE_SAGS_L1,         "voltage_sags_l1",              UNIT_COUNT, 0, KIND_COUNTER) \
    ROW(VOLTAGE_SAGS_L2,         "voltage_sags_l2",              UNIT_COUNT, 0, KIND_COUNTER) \
    ROW(VOLTAGE_SAGS_L3,         "voltage_sags_l3",              UNIT_COUNT, 0, KIND_COUNTER) \
    ROW(VOLTAGE_SWELLS_L1,       "voltage_swells_l1",            UNIT_COUNT, 0, KIND_COUNTER) \
    ROW(VOLTAGE_SWELLS_L2,       "voltage_swells_l2",            UNIT_COUNT, 0, KIND_COUNTER) \
    ROW(VOLTAGE_SWELLS_L3,       "voltage_swells_l3",            UNIT_COUNT, 0, KIND_COUNTER) \
    /* line to line */ \
    /* delta grid only: U12, U32, U31 of the manual */ \
    ROW(VOLTAGE_L12,             "voltage_l12_v",                UNIT_V,    3, KIND_MOMENTARY) \
    ROW(VOLTAGE_L32,             "voltage_l32_v",                UNIT_V,    3, KIND_MOMENTARY) \
    ROW(VOLTAGE_L31,             "voltage_l31_v",                UNIT_V,    3, KIND_MOMENTARY) \
    /* either grid: measured, or from three phase voltages */ \
    ROW(LINE_VOLTAGE_L12,        "line_voltage_l12_v",           UNIT_V,    3, KIND_MOMENTARY) \
    ROW(LINE_VOLTAGE_L32,        "line_voltage_l32_v",           UNIT_V,    3, KIND_MOMENTARY) \
    ROW(LINE_VOLTAGE_L31,        "line_voltage_l31_v",           UNIT_V,    3, KIND_MOMENTARY) \
    /* energies */ \
    ROW(ENERGY_IMPORT,           "energy_import_wh",             UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_IMPORT_T1,        "energy_import_t1_wh",          UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_IMPORT_T2,        "energy_import_t2_wh",          UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_IMPORT_T3,        "energy_import_t3_wh",          UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_IMPORT_T4,        "energy_import_t4_wh",          UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_EXPORT,           "energy_export_wh",             UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_EXPORT_T1,        "energy_export_t1_wh",          UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_EXPORT_T2,        "energy_export_t2_wh",          UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_EXPORT_T3,        "energy_export_t3_wh",          UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_EXPORT_T4,        "energy_export_t4_wh",          UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_ABSOLUTE,         "energy_absolute_wh",           UNIT_WH,   0, KIND_COUNTER) /* |P+| + |P-|, 15.8.0 */ \
    ROW(REACTIVE_ENERGY_IMPORT,  "reactive_energy_import_varh",  UNIT_VARH, 0, KIND_COUNTER) \
    ROW(REACTIVE_ENERGY_EXPORT,  "reactive_energy_export_varh",  UNIT_VARH, 0, KIND_COUNTER) \
    ROW(REACTIVE_ENERGY_Q1,      "reactive_energy_q1_varh",      UNIT_VARH, 0, KIND_COUNTER) \
    ROW(REACTIVE_ENERGY_Q2,      "reactive_energy_q2_varh",      UNIT_VARH, 0, KIND_COUNTER) \
    ROW(REACTIVE_ENERGY_Q3,      "reactive_energy_q3_varh",      UNIT_VARH, 0, KIND_COUNTER) \
    ROW(REACTIVE_ENERGY_Q4,      "reactive_energy_q4_varh",      UNIT_VARH, 0, KIND_COUNTER) \
    /* state and limits of the connection */ \
    ROW(POWER_FAILURES,          "power_failures",               UNIT_COUNT, 0, KIND_COUNTER) \
    ROW(LONG_POWER_FAILURES,     "long_power_failures",          UNIT_COUNT, 0, KIND_COUNTER) \
    /* as printed: NL 1 = low, BE 1 = day */ \
    ROW(TARIFF,                  "tariff",                       UNIT_NONE, 0, KIND_STATE) \
    /* 0 off, 1 on, 2 ready to be switched on */ \
    ROW(BREAKER,                 "breaker",                      UNIT_NONE, 0, KIND_STATE) \
    /* unknown while the limiter is off (999.9) */ \
    ROW(LIMITER_W,               "limiter_w",                    UNIT_W,    0, KIND_STATE) \
    ROW(LIMITER_VA,              "limiter_va",                   UNIT_VA,   0, KIND_STATE) /* Luxembourg prints kVA */ \
    /* unknown while the fuse limit is off (999) */ \
    ROW(FUSE_L1,                 "fuse_l1_a",                    UNIT_A,    3, KIND_STATE) \
    ROW(FUSE_L2,                 "fuse_l2_a",                    UNIT_A,    3, KIND_STATE) \
    ROW(FUSE_L3,                 "fuse_l3_a",                    UNIT_A,    3, KIND_STATE) \
    /* second value of 1-1:31.4.0 (Luxembourg), negative */ \
    ROW(FUSE_EXPORT,             "fuse_export_a",                UNIT_A,    3, KIND_STATE) \
    /* running quarter-hour average import */ \
    ROW(DEMAND_QUARTER,          "demand_quarter_w",             UNIT_W,    0, KIND_PERIOD) \
    /* its time: reading.peak_time_s */ \
    ROW(DEMAND_MONTH_PEAK,       "demand_month_peak_w",          UNIT_W,    0, KIND_STATE) \
    /* 94.32.1: 230 = 3x230 V without neutral, 400 = 3N400 V */ \
    ROW(GRID_TYPE,               "grid_type",                    UNIT_NONE, 0, KIND_STATE)
/* TIC only (label in the comment) */
#define QUANTITY_TABLE_TIC(ROW) \
    ROW(TIC_VERSION,             "tic_version",                  UNIT_NONE, 0, KIND_STATE) /* VTIC */ \
    ROW(ENERGY_SUPPLIER_01,      "energy_supplier_01_wh",        UNIT_WH,   0, KIND_COUNTER) /* EASF01 */ \
    ROW(ENERGY_SUPPLIER_02,      "energy_supplier_02_wh",        UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_SUPPLIER_03,      "energy_supplier_03_wh",        UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_SUPPLIER_04,      "energy_supplier_04_wh",        UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_SUPPLIER_05,      "energy_supplier_05_wh",        UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_SUPPLIER_06,      "energy_supplier_06_wh",        UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_SUPPLIER_07,      "energy_supplier_07_wh",        UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_SUPPLIER_08,      "energy_supplier_08_wh",        UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_SUPPLIER_09,      "energy_supplier_09_wh",        UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_SUPPLIER_10,      "energy_supplier_10_wh",        UNIT_WH,   0, KIND_COUNTER) /* EASF10 */ \
    ROW(ENERGY_DISTRIBUTOR_01,   "energy_distributor_01_wh",     UNIT_WH,   0, KIND_COUNTER) /* EASD01 */ \
    ROW(ENERGY_DISTRIBUTOR_02,   "energy_distributor_02_wh",     UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_DISTRIBUTOR_03,   "energy_distributor_03_wh",     UNIT_WH,   0, KIND_COUNTER) \
    ROW(ENERGY_DISTRIBUTOR_04,   "energy_distributor_04_wh",     UNIT_WH,   0, KIND_COUNTER) /* EASD04 */ \
    ROW(CONTRACT_POWER,          "contract_power_kva",           UNIT_KVA,  0, KIND_STATE) /* PREF */ \
    ROW(CUTOFF_POWER,            "cutoff_power_kva",             UNIT_KVA,  0, KIND_STATE) /* PCOUP */ \
    ROW(IMPORT_MAX_TODAY,        "import_max_today_va",          UNIT_VA,   0, KIND_PERIOD) /* SMAXSN */ \
    ROW(IMPORT_MAX_TODAY_L1,     "import_max_today_l1_va",       UNIT_VA,   0, KIND_PERIOD) /* SMAXSN1 */ \
    ROW(IMPORT_MAX_TODAY_L2,     "import_max_today_l2_va",       UNIT_VA,   0, KIND_PERIOD) \
    ROW(IMPORT_MAX_TODAY_L3,     "import_max_today_l3_va",       UNIT_VA,   0, KIND_PERIOD) \
    ROW(IMPORT_MAX_YESTERDAY,    "import_max_yesterday_va",      UNIT_VA,   0, KIND_PERIOD) /* SMAXSN-1 */ \
    ROW(IMPORT_MAX_YESTERDAY_L1, "import_max_yesterday_l1_va",   UNIT_VA,   0, KIND_PERIOD) /* SMAXSN1-1 */ \
    ROW(IMPORT_MAX_YESTERDAY_L2, "import_max_yesterday_l2_va",   UNIT_VA,   0, KIND_PERIOD) \
    ROW(IMPORT_MAX_YESTERDAY_L3, "import_max_yesterday_l3_va",   UNIT_VA,   0, KIND_PERIOD) \
    ROW(EXPORT_MAX_TODAY,        "export_max_today_va",          UNIT_VA,   0, KIND_PERIOD) /* SMAXIN */ \
    ROW(EXPORT_MAX_YESTERDAY,    "export_max_yesterday_va",      UNIT_VA,   0, KIND_PERIOD) /* SMAXIN-1 */ \
    /* CCASN: mean of the last complete period */ \
    ROW(LOAD_CURVE_IMPORT,       "load_curve_import_w",          UNIT_W,    0, KIND_PERIOD) \
    ROW(LOAD_CURVE_IMPORT_PREV,  "load_curve_import_prev_w",     UNIT_W,    0, KIND_PERIOD) /* CCASN-1 */ \
    ROW(LOAD_CURVE_EXPORT,       "load_curve_export_w",          UNIT_W,    0, KIND_PERIOD) /* CCAIN */ \
    ROW(LOAD_CURVE_EXPORT_PREV,  "load_curve_export_prev_w",     UNIT_W,    0, KIND_PERIOD) /* CCAIN-1 */ \
    /* UMOY1: mean over 10 minutes */ \
    ROW(VOLTAGE_10MIN_L1,        "voltage_10min_l1_v",           UNIT_V,    3, KIND_PERIOD) \
    ROW(VOLTAGE_10MIN_L2,        "voltage_10min_l2_v",           UNIT_V,    3, KIND_PERIOD) \
    ROW(VOLTAGE_10MIN_L3,        "voltage_10min_l3_v",           UNIT_V,    3, KIND_PERIOD) \
    /* STGE, 32 bits: see tic.h */ \
    ROW(TIC_STATUS,              "tic_status",                   UNIT_NONE, 0, KIND_STATE) \
    /* RELAIS: bit 0 is the real relay, 1 = closed */ \
    ROW(RELAYS,                  "relays",                       UNIT_NONE, 0, KIND_STATE) \
    ROW(TARIFF_INDEX,            "tariff_index",                 UNIT_NONE, 0, KIND_STATE) /* NTARF */ \
    ROW(DAY_PROFILE,             "day_profile",                  UNIT_NONE, 0, KIND_STATE) /* NJOURF */ \
    ROW(DAY_PROFILE_NEXT,        "day_profile_next",             UNIT_NONE, 0, KIND_STATE) /* NJOURF+1 */ \
    /* DPM1: the profile number; its time is in the telegram */ \
    ROW(PEAK_1_START,            "peak_1_start",                 UNIT_NONE, 0, KIND_STATE) \
    ROW(PEAK_1_END,              "peak_1_end",                   UNIT_NONE, 0, KIND_STATE) /* FPM1 */ \
    ROW(PEAK_2_START,            "peak_2_start",                 UNIT_NONE, 0, KIND_STATE) \
    ROW(PEAK_2_END,              "peak_2_end",                   UNIT_NONE, 0, KIND_STATE) \
    ROW(PEAK_3_START,            "peak_3_start",                 UNIT_NONE, 0, KIND_STATE) \
    ROW(PEAK_3_END,              "peak_3_end",                   UNIT_NONE, 0, KIND_STATE)
/* clang-format on */

#define QUANTITY_ID(id, name, unit, decimals, kind) Q_##id,
enum quantity { QUANTITY_TABLE(QUANTITY_ID) Q_N };
#undef QUANTITY_ID

/* The n-th neighbour (0, 1, ...): phases and tariffs stand side by side in the table. */
static inline enum quantity quantity_nth(enum quantity first, int n)
{
    return (enum quantity)((int)first + n);
}

struct quantity_info {
    const char *name; /* the key in our JSON and metrics; ends in its unit where it has one */
    enum quantity_unit unit;
    uint8_t kind; /* enum quantity_kind */
};

/* The table, indexed by enum quantity. */
extern const struct quantity_info quantities[Q_N];

/* The value is kept in unit / 10^decimals.  Apart, for it is all that a small build needs of the table. */
extern const uint8_t quantity_decimals[];

/* The unit as it is printed ("W", "varh"); "" for UNIT_NONE and UNIT_COUNT. */
const char *quantity_unit_name(enum quantity_unit unit);

#endif
