#include "tic_labels.h"

#include "quantity.h"
#include "reading.h"

/* clang-format off */
/* NOLINTBEGIN(bugprone-macro-parentheses): string literals and field lists are pasted as they are */
#define ROW(label, n, kind, flags, target, scale, max) \
    {label "\t", sizeof label - 1, 8 * (8 - (sizeof label < 8 ? sizeof label : 8)), n, \
     sizeof label + ((flags) & H ? TIC_HORODATE_LEN + 1 : 0) + (n) + 2, \
     kind, flags, target, scale, max}
#define NUMBER(label, n, q)                     ROW(label, n, TIC_NUMBER, 0, Q_##q, 1, 0)
#define METERED(label, n, flags, q)             ROW(label, n, TIC_NUMBER, flags, Q_##q, 1, 0)
#define BOUNDED(label, n, flags, q, scale, max) ROW(label, n, TIC_NUMBER, flags, Q_##q, scale, max)
#define TEXTUAL(label, n, kind, text)           ROW(label, n, kind, 0, TEXT_##text, 0, 0)

/* NOLINTEND(bugprone-macro-parentheses) */

enum { H = TIC_HORODATE, B = TIC_HORODATE | TIC_BLANK_SEASON, P3 = TIC_3PH, PR = TIC_PRODUCER };

/* Clause 6.2.2, in transmission order; what each label means is in 6.2.3.  Scale and bounds are
 * ours: currents and voltages are kept in thousandths, and no house has 200 A or 300 V. */
const struct tic_label tic_labels[TIC_LABELS_N] = {
    TEXTUAL("ADSC",         12, TIC_DIGITS, METER_ID),
    NUMBER ("VTIC",          2, TIC_VERSION),
    ROW("DATE", 0, TIC_DATE, H, 0, 0, 0),
    TEXTUAL("NGTF",         16, TIC_TEXT, CALENDAR),
    TEXTUAL("LTARF",        16, TIC_TEXT, TARIFF_NAME),
    NUMBER ("EAST",          9, ENERGY_IMPORT),
    NUMBER ("EASF01",        9, ENERGY_SUPPLIER_01),
    NUMBER ("EASF02",        9, ENERGY_SUPPLIER_02),
    NUMBER ("EASF03",        9, ENERGY_SUPPLIER_03),
    NUMBER ("EASF04",        9, ENERGY_SUPPLIER_04),
    NUMBER ("EASF05",        9, ENERGY_SUPPLIER_05),
    NUMBER ("EASF06",        9, ENERGY_SUPPLIER_06),
    NUMBER ("EASF07",        9, ENERGY_SUPPLIER_07),
    NUMBER ("EASF08",        9, ENERGY_SUPPLIER_08),
    NUMBER ("EASF09",        9, ENERGY_SUPPLIER_09),
    NUMBER ("EASF10",        9, ENERGY_SUPPLIER_10),
    NUMBER ("EASD01",        9, ENERGY_DISTRIBUTOR_01),
    NUMBER ("EASD02",        9, ENERGY_DISTRIBUTOR_02),
    NUMBER ("EASD03",        9, ENERGY_DISTRIBUTOR_03),
    NUMBER ("EASD04",        9, ENERGY_DISTRIBUTOR_04),
    METERED("EAIT",          9, PR, ENERGY_EXPORT),
    METERED("ERQ1",          9, PR, REACTIVE_ENERGY_Q1),
    METERED("ERQ2",          9, PR, REACTIVE_ENERGY_Q2),
    METERED("ERQ3",          9, PR, REACTIVE_ENERGY_Q3),
    METERED("ERQ4",          9, PR, REACTIVE_ENERGY_Q4),
    BOUNDED("IRMS1",         3, 0,  METER_CURRENT_L1, 1000, 200),
    BOUNDED("IRMS2",         3, P3, METER_CURRENT_L2, 1000, 200),
    BOUNDED("IRMS3",         3, P3, METER_CURRENT_L3, 1000, 200),
    BOUNDED("URMS1",         3, 0,  METER_VOLTAGE_L1, 1000, 300),
    BOUNDED("URMS2",         3, P3, METER_VOLTAGE_L2, 1000, 300),
    BOUNDED("URMS3",         3, P3, METER_VOLTAGE_L3, 1000, 300),
    NUMBER ("PREF",          2, CONTRACT_POWER),
    NUMBER ("PCOUP",         2, CUTOFF_POWER),
    NUMBER ("SINSTS",        5, APPARENT_IMPORT),
    METERED("SINSTS1",       5, P3, APPARENT_IMPORT_L1),
    METERED("SINSTS2",       5, P3, APPARENT_IMPORT_L2),
    METERED("SINSTS3",       5, P3, APPARENT_IMPORT_L3),
    METERED("SMAXSN",        5, H,      IMPORT_MAX_TODAY),
    METERED("SMAXSN1",       5, H | P3, IMPORT_MAX_TODAY_L1),
    METERED("SMAXSN2",       5, H | P3, IMPORT_MAX_TODAY_L2),
    METERED("SMAXSN3",       5, H | P3, IMPORT_MAX_TODAY_L3),
    METERED("SMAXSN-1",      5, H,      IMPORT_MAX_YESTERDAY),
    METERED("SMAXSN1-1",     5, H | P3, IMPORT_MAX_YESTERDAY_L1),
    METERED("SMAXSN2-1",     5, H | P3, IMPORT_MAX_YESTERDAY_L2),
    METERED("SMAXSN3-1",     5, H | P3, IMPORT_MAX_YESTERDAY_L3),
    METERED("SINSTI",        5, PR,     APPARENT_EXPORT),
    METERED("SMAXIN",        5, H | PR, EXPORT_MAX_TODAY),
    METERED("SMAXIN-1",      5, H | PR, EXPORT_MAX_YESTERDAY),
    METERED("CCASN",         5, H,      LOAD_CURVE_IMPORT),
    METERED("CCASN-1",       5, H,      LOAD_CURVE_IMPORT_PREV),
    METERED("CCAIN",         5, H | PR, LOAD_CURVE_EXPORT),
    METERED("CCAIN-1",       5, H | PR, LOAD_CURVE_EXPORT_PREV),
    BOUNDED("UMOY1",         3, H,      VOLTAGE_10MIN_L1, 1000, 300),
    BOUNDED("UMOY2",         3, H | P3, VOLTAGE_10MIN_L2, 1000, 300),
    BOUNDED("UMOY3",         3, H | P3, VOLTAGE_10MIN_L3, 1000, 300),
    ROW("STGE", 8, TIC_STATUS, 0, Q_TIC_STATUS, 0, 0),
    METERED("DPM1",          2, B, PEAK_1_START),
    METERED("FPM1",          2, B, PEAK_1_END),
    METERED("DPM2",          2, B, PEAK_2_START),
    METERED("FPM2",          2, B, PEAK_2_END),
    METERED("DPM3",          2, B, PEAK_3_START),
    METERED("FPM3",          2, B, PEAK_3_END),
    TEXTUAL("MSG1",         32, TIC_TEXT, MESSAGE),
    TEXTUAL("MSG2",         16, TIC_TEXT, MESSAGE_2),
    TEXTUAL("PRM",          14, TIC_DIGITS, EAN),
    BOUNDED("RELAIS",        3, 0, RELAYS, 1, 255),
    NUMBER ("NTARF",         2, TARIFF_INDEX),
    NUMBER ("NJOURF",        2, DAY_PROFILE),
    NUMBER ("NJOURF+1",      2, DAY_PROFILE_NEXT),
    TEXTUAL("PJOURF+1", TIC_DATA_MAX, TIC_SCHEDULE, DAY_SCHEDULE),
    TEXTUAL("PPOINTE",  TIC_DATA_MAX, TIC_SCHEDULE, PEAK_SCHEDULE),
};

/* Clause 6.1: the labels of historic mode, of every contract and of the short three-phase frame. */
static const struct {
    char name[9];
    uint8_t length;
} historic_labels[] = {
    {"ADCO", 12},  {"OPTARIF", 4}, {"ISOUSC", 2},  {"BASE", 9},    {"HCHC", 9},    {"HCHP", 9},
    {"EJPHN", 9},  {"EJPHPM", 9},  {"BBRHCJB", 9}, {"BBRHPJB", 9}, {"BBRHCJW", 9}, {"BBRHPJW", 9},
    {"BBRHCJR", 9}, {"BBRHPJR", 9}, {"PEJP", 2},   {"PTEC", 4},    {"DEMAIN", 4},  {"IINST", 3},
    {"IINST1", 3}, {"IINST2", 3},  {"IINST3", 3},  {"ADPS", 3},    {"ADIR1", 3},   {"ADIR2", 3},
    {"ADIR3", 3},  {"IMAX", 3},    {"IMAX1", 3},   {"IMAX2", 3},   {"IMAX3", 3},   {"PMAX", 5},
    {"PAPP", 5},   {"HHPHC", 1},   {"MOTDETAT", 6}, {"PPOT", 2},
};
/* clang-format on */

bool tic_historic_known(const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < sizeof historic_labels / sizeof *historic_labels; i++) {
        const char *name = historic_labels[i].name;
        size_t n = 0;
        while (n < len && name[n] != '\0' && text[n] == (uint8_t)name[n])
            n++;
        if (name[n] == '\0' && len == n + 1 + historic_labels[i].length && text[n] == ' ')
            return true;
    }
    return false;
}
