/* sunspec.c - a three-phase meter as SunSpec models: 1 (common), 203 (integers), 213 (floats), end.
 *
 *   addresses   0-based, as on the wire: "SunS" at 40000, model 1 at 40002, 203 at 40070, 213 at 40177, end at 40303
 *   FC          03; 04 returns the same data
 *   int16       value * 10^scale factor; 0x8000 where it is not implemented or not known
 *   acc32       a counter; 0 where it is not implemented or not known
 *   float32     high word first; NaN (7FC00000) where it is not implemented or not known
 *   ASCII       first character in the high byte
 *   units       V, A, W, VA, var, Wh, varh, Hz; power positive = import; power factor in percent in 203, -1..1 in 213
 *
 * Scale factors must not change while the device runs, so they are chosen for 3 x 80 A at once:
 *
 *   A   -2  10 mA, to 327 A      V    -1  0.1 V, to 3.2 kV: two digits would end at 327 V, below 400 V
 *   Hz  -2                       W, VA, VAR  1  10 steps, to 327 k: one by one would end at 32.7 k, below 55 k
 *   PF  -1  0.1 %                Wh, varh    0  to 4.29 G
 *
 * Exact watts are in model 213.  Model 203 knows three phases on a star; what a phase lacks is not implemented.  The
 * total current and the apparent energy are in no telegram.
 *
 * Sources: the SunSpec Alliance's model definitions, model_1, model_203 and model_213.json.
 */
#include "maps.h"

/* Where the models begin: id, length, then as many registers as the length says. */
enum {
    BASE = 40000,
    COMMON = BASE + 2,
    COMMON_LENGTH = 66,
    INTEGERS = COMMON + 2 + COMMON_LENGTH,
    INTEGERS_LENGTH = 105,
    FLOATS = INTEGERS + 2 + INTEGERS_LENGTH,
    FLOATS_LENGTH = 124,
    END = FLOATS + 2 + FLOATS_LENGTH
};

static const struct register_row rows[] = {
    ROW_TEXT(BASE, REG_ASCII, 2, "SunS", "SunSpec models begin here"),

    ROW_FIXED(COMMON, REG_U16, 1, "model 1: common"),
    ROW_FIXED(COMMON + 1, REG_U16, COMMON_LENGTH, "its length"),
    ROW_TEXT(COMMON + 2, REG_ASCII, 16, "Smart Connect", "Mn: manufacturer"),
    ROW_TEXT(COMMON + 18, REG_ASCII, 16, "Meter gateway", "Md: model"),
    ROW_TEXT(COMMON + 34, REG_ASCII, 8, "", "Opt: options"),
    ROW_TEXT(COMMON + 42, REG_ASCII, 8, "1.0", "Vr: version, that of this map"),
    ROW_SERIAL(COMMON + 50, REG_ASCII, 16, "SN: serial number"),
    ROW_SETTING(COMMON + 66, REG_U16, SETTING_ADDRESS, NULL, "DA: device address"),
    ROW_FIXED(COMMON + 67, REG_U16, 0x8000, "Pad"),

    ROW_FIXED(INTEGERS, REG_U16, 203, "model 203: three-phase meter, integers"),
    ROW_FIXED(INTEGERS + 1, REG_U16, INTEGERS_LENGTH, "its length"),
    ROW_NOTHING(INTEGERS + 2, REG_S16, "A: total current, in no telegram")
        ROW_SCALED(INTEGERS + 3, REG_S16, Q_CURRENT_L1, 2),
    ROW_SCALED(INTEGERS + 4, REG_S16, Q_CURRENT_L2, 2),
    ROW_SCALED(INTEGERS + 5, REG_S16, Q_CURRENT_L3, 2),
    ROW_FIXED(INTEGERS + 6, REG_S16, -2, "A_SF"),
    ROW_SCALED(INTEGERS + 7, REG_S16, Q_VOLTAGE_MEAN_LN, 1),
    ROW_SCALED(INTEGERS + 8, REG_S16, Q_VOLTAGE_L1, 1),
    ROW_SCALED(INTEGERS + 9, REG_S16, Q_VOLTAGE_L2, 1),
    ROW_SCALED(INTEGERS + 10, REG_S16, Q_VOLTAGE_L3, 1),
    ROW_SCALED(INTEGERS + 11, REG_S16, Q_VOLTAGE_MEAN_LL, 1),
    ROW_SCALED(INTEGERS + 12, REG_S16, Q_LINE_VOLTAGE_L12, 1),
    ROW_SCALED(INTEGERS + 13, REG_S16, Q_LINE_VOLTAGE_L32, 1),
    ROW_SCALED(INTEGERS + 14, REG_S16, Q_LINE_VOLTAGE_L31, 1),
    ROW_FIXED(INTEGERS + 15, REG_S16, -1, "V_SF"),
    ROW_SCALED(INTEGERS + 16, REG_S16, Q_FREQUENCY, 2),
    ROW_FIXED(INTEGERS + 17, REG_S16, -2, "Hz_SF"),
    ROW_SCALED(INTEGERS + 18, REG_S16, Q_POWER, -1),
    ROW_SCALED(INTEGERS + 19, REG_S16, Q_POWER_L1, -1),
    ROW_SCALED(INTEGERS + 20, REG_S16, Q_POWER_L2, -1),
    ROW_SCALED(INTEGERS + 21, REG_S16, Q_POWER_L3, -1),
    ROW_FIXED(INTEGERS + 22, REG_S16, 1, "W_SF"),
    ROW_SCALED(INTEGERS + 23, REG_S16, Q_APPARENT, -1),
    ROW_SCALED(INTEGERS + 24, REG_S16, Q_APPARENT_L1, -1),
    ROW_SCALED(INTEGERS + 25, REG_S16, Q_APPARENT_L2, -1),
    ROW_SCALED(INTEGERS + 26, REG_S16, Q_APPARENT_L3, -1),
    ROW_FIXED(INTEGERS + 27, REG_S16, 1, "VA_SF"),
    ROW_SCALED(INTEGERS + 28, REG_S16, Q_REACTIVE, -1),
    ROW_SCALED(INTEGERS + 29, REG_S16, Q_REACTIVE_L1, -1),
    ROW_SCALED(INTEGERS + 30, REG_S16, Q_REACTIVE_L2, -1),
    ROW_SCALED(INTEGERS + 31, REG_S16, Q_REACTIVE_L3, -1),
    ROW_FIXED(INTEGERS + 32, REG_S16, 1, "VAR_SF"),
    ROW_SCALED(INTEGERS + 33, REG_S16, Q_POWER_FACTOR, 3),
    ROW_SCALED(INTEGERS + 34, REG_S16, Q_POWER_FACTOR_L1, 3),
    ROW_SCALED(INTEGERS + 35, REG_S16, Q_POWER_FACTOR_L2, 3),
    ROW_SCALED(INTEGERS + 36, REG_S16, Q_POWER_FACTOR_L3, 3),
    ROW_FIXED(INTEGERS + 37, REG_S16, -1, "PF_SF"),
    ROW_SCALED(INTEGERS + 38, REG_ACC32, Q_ENERGY_EXPORT, 0),
    ROW_NOTHING(INTEGERS + 40, REG_ACC32, "TotWhExpPhA")
        ROW_NOTHING(INTEGERS + 42, REG_ACC32, "TotWhExpPhB")
            ROW_NOTHING(INTEGERS + 44, REG_ACC32, "TotWhExpPhC")
                ROW_SCALED(INTEGERS + 46, REG_ACC32, Q_ENERGY_IMPORT, 0),
    ROW_NOTHING(INTEGERS + 48, REG_ACC32, "TotWhImpPhA")
        ROW_NOTHING(INTEGERS + 50, REG_ACC32, "TotWhImpPhB")
            ROW_NOTHING(INTEGERS + 52, REG_ACC32, "TotWhImpPhC")
                ROW_FIXED(INTEGERS + 54, REG_S16, 0, "TotWh_SF"),
    ROW_NOTHING(INTEGERS + 55, REG_ACC32, "TotVAhExp")
        ROW_NOTHING(INTEGERS + 57, REG_ACC32, "TotVAhExpPhA") ROW_NOTHING(INTEGERS + 59, REG_ACC32,
                                                                          "TotVAhExpPhB")
            ROW_NOTHING(INTEGERS + 61, REG_ACC32, "TotVAhExpPhC")
                ROW_NOTHING(INTEGERS + 63, REG_ACC32, "TotVAhImp")
                    ROW_NOTHING(INTEGERS + 65, REG_ACC32, "TotVAhImpPhA")
                        ROW_NOTHING(INTEGERS + 67, REG_ACC32, "TotVAhImpPhB")
                            ROW_NOTHING(INTEGERS + 69, REG_ACC32, "TotVAhImpPhC")
                                ROW_NOTHING(INTEGERS + 71, REG_S16, "TotVAh_SF")
                                    ROW_SCALED(INTEGERS + 72, REG_ACC32, Q_REACTIVE_ENERGY_Q1, 0),
    ROW_NOTHING(INTEGERS + 74, REG_ACC32, "TotVArhImpQ1PhA")
        ROW_NOTHING(INTEGERS + 76, REG_ACC32, "TotVArhImpQ1PhB")
            ROW_NOTHING(INTEGERS + 78, REG_ACC32, "TotVArhImpQ1PhC")
                ROW_SCALED(INTEGERS + 80, REG_ACC32, Q_REACTIVE_ENERGY_Q2, 0),
    ROW_NOTHING(INTEGERS + 82, REG_ACC32, "TotVArhImpQ2PhA")
        ROW_NOTHING(INTEGERS + 84, REG_ACC32, "TotVArhImpQ2PhB")
            ROW_NOTHING(INTEGERS + 86, REG_ACC32, "TotVArhImpQ2PhC")
                ROW_SCALED(INTEGERS + 88, REG_ACC32, Q_REACTIVE_ENERGY_Q3, 0),
    ROW_NOTHING(INTEGERS + 90, REG_ACC32, "TotVArhExpQ3PhA")
        ROW_NOTHING(INTEGERS + 92, REG_ACC32, "TotVArhExpQ3PhB")
            ROW_NOTHING(INTEGERS + 94, REG_ACC32, "TotVArhExpQ3PhC")
                ROW_SCALED(INTEGERS + 96, REG_ACC32, Q_REACTIVE_ENERGY_Q4, 0),
    ROW_NOTHING(INTEGERS + 98, REG_ACC32, "TotVArhExpQ4PhA")
        ROW_NOTHING(INTEGERS + 100, REG_ACC32, "TotVArhExpQ4PhB")
            ROW_NOTHING(INTEGERS + 102, REG_ACC32, "TotVArhExpQ4PhC")
                ROW_FIXED(INTEGERS + 104, REG_S16, 0, "TotVArh_SF"),
    ROW_FIXED(INTEGERS + 105, REG_U32, 0, "Evt: no events"),

    ROW_FIXED(FLOATS, REG_U16, 213, "model 213: three-phase meter, floats"),
    ROW_FIXED(FLOATS + 1, REG_U16, FLOATS_LENGTH, "its length"),
    ROW_NOTHING(FLOATS + 2, REG_F32, "A: total current, in no telegram")
        ROW_F32(FLOATS + 4, Q_CURRENT_L1),
    ROW_F32(FLOATS + 6, Q_CURRENT_L2),
    ROW_F32(FLOATS + 8, Q_CURRENT_L3),
    ROW_F32(FLOATS + 10, Q_VOLTAGE_MEAN_LN),
    ROW_F32(FLOATS + 12, Q_VOLTAGE_L1),
    ROW_F32(FLOATS + 14, Q_VOLTAGE_L2),
    ROW_F32(FLOATS + 16, Q_VOLTAGE_L3),
    ROW_F32(FLOATS + 18, Q_VOLTAGE_MEAN_LL),
    ROW_F32(FLOATS + 20, Q_LINE_VOLTAGE_L12),
    ROW_F32(FLOATS + 22, Q_LINE_VOLTAGE_L32),
    ROW_F32(FLOATS + 24, Q_LINE_VOLTAGE_L31),
    ROW_F32(FLOATS + 26, Q_FREQUENCY),
    ROW_F32(FLOATS + 28, Q_POWER),
    ROW_F32(FLOATS + 30, Q_POWER_L1),
    ROW_F32(FLOATS + 32, Q_POWER_L2),
    ROW_F32(FLOATS + 34, Q_POWER_L3),
    ROW_F32(FLOATS + 36, Q_APPARENT),
    ROW_F32(FLOATS + 38, Q_APPARENT_L1),
    ROW_F32(FLOATS + 40, Q_APPARENT_L2),
    ROW_F32(FLOATS + 42, Q_APPARENT_L3),
    ROW_F32(FLOATS + 44, Q_REACTIVE),
    ROW_F32(FLOATS + 46, Q_REACTIVE_L1),
    ROW_F32(FLOATS + 48, Q_REACTIVE_L2),
    ROW_F32(FLOATS + 50, Q_REACTIVE_L3),
    ROW_F32(FLOATS + 52, Q_POWER_FACTOR),
    ROW_F32(FLOATS + 54, Q_POWER_FACTOR_L1),
    ROW_F32(FLOATS + 56, Q_POWER_FACTOR_L2),
    ROW_F32(FLOATS + 58, Q_POWER_FACTOR_L3),
    ROW_F32(FLOATS + 60, Q_ENERGY_EXPORT),
    ROW_NOTHING(FLOATS + 62, REG_F32, "TotWhExpPhA") ROW_NOTHING(FLOATS + 64, REG_F32, "TotWhExpPhB")
        ROW_NOTHING(FLOATS + 66, REG_F32, "TotWhExpPhC") ROW_F32(FLOATS + 68, Q_ENERGY_IMPORT),
    ROW_NOTHING(FLOATS + 70, REG_F32, "TotWhImpPhA") ROW_NOTHING(FLOATS + 72, REG_F32, "TotWhImpPhB")
        ROW_NOTHING(FLOATS + 74, REG_F32, "TotWhImpPhC")
            ROW_NOTHING(FLOATS + 76, REG_F32, "TotVAhExp")
                ROW_NOTHING(FLOATS + 78, REG_F32, "TotVAhExpPhA")
                    ROW_NOTHING(FLOATS + 80, REG_F32, "TotVAhExpPhB")
                        ROW_NOTHING(FLOATS + 82, REG_F32, "TotVAhExpPhC")
                            ROW_NOTHING(FLOATS + 84, REG_F32, "TotVAhImp")
                                ROW_NOTHING(FLOATS + 86, REG_F32, "TotVAhImpPhA")
                                    ROW_NOTHING(FLOATS + 88, REG_F32, "TotVAhImpPhB")
                                        ROW_NOTHING(FLOATS + 90, REG_F32, "TotVAhImpPhC")
                                            ROW_F32(FLOATS + 92, Q_REACTIVE_ENERGY_Q1),
    ROW_NOTHING(FLOATS + 94, REG_F32, "TotVArhImpQ1phA")
        ROW_NOTHING(FLOATS + 96, REG_F32, "TotVArhImpQ1phB")
            ROW_NOTHING(FLOATS + 98, REG_F32, "TotVArhImpQ1phC")
                ROW_F32(FLOATS + 100, Q_REACTIVE_ENERGY_Q2),
    ROW_NOTHING(FLOATS + 102, REG_F32, "TotVArhImpQ2phA")
        ROW_NOTHING(FLOATS + 104, REG_F32, "TotVArhImpQ2phB")
            ROW_NOTHING(FLOATS + 106, REG_F32, "TotVArhImpQ2phC")
                ROW_F32(FLOATS + 108, Q_REACTIVE_ENERGY_Q3),
    ROW_NOTHING(FLOATS + 110, REG_F32, "TotVArhExpQ3phA")
        ROW_NOTHING(FLOATS + 112, REG_F32, "TotVArhExpQ3phB")
            ROW_NOTHING(FLOATS + 114, REG_F32, "TotVArhExpQ3phC")
                ROW_F32(FLOATS + 116, Q_REACTIVE_ENERGY_Q4),
    ROW_NOTHING(FLOATS + 118, REG_F32, "TotVArhExpQ4phA")
        ROW_NOTHING(FLOATS + 120, REG_F32, "TotVArhExpQ4phB")
            ROW_NOTHING(FLOATS + 122, REG_F32, "TotVArhExpQ4phC")
                ROW_FIXED(FLOATS + 124, REG_U32, 0, "Evt: no events"),

    ROW_FIXED(END, REG_U16, 0xFFFF, "no more models"),
    ROW_FIXED(END + 1, REG_U16, 0, "length of the end"),
};

const struct register_map map_sunspec = {
    .name = "SunSpec",
    .title = "SunSpec models 1, 203 and 213: a three-phase meter",
    .word_order = WORD_ORDER_NORMAL,
    .marks_unknown = true,
    .input = TABLE(rows),
};
