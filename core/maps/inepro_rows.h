/* inepro_rows.h - what Inepro's layout measures, 0x5002..0x6048: rows that more than one map shows. */
#ifndef INEPRO_ROWS_H
/* clang-format off */
#define INEPRO_ROWS_H

#include "maps.h"

/* kW, kvar, kVA, kWh or kvarh */
#define INEPRO_KILO(at, quantity) ROW_SCALED(at, REG_F32, quantity, -3)
#define INEPRO_KILO_3(at, quantity) ROWS_3_F32(at, quantity, -3)
#define INEPRO_RATIO_3(at, quantity) ROWS_3(at, 2, REG_F32, quantity, 0, FORM_ABSOLUTE)
#define INEPRO_RATIO(at, quantity) ROW_FORMED(at, REG_F32, quantity, 0, FORM_ABSOLUTE)
#define INEPRO_NOTHING(at, what) ROW_NOTHING(at, REG_F32, what)

/* 0x5000 and 0x500A are the voltage and current of single-phase models, and read 0.  The groups of 0x6000 are total,
 * T1, T2, L1, L2, L3; "all" is import alone, as combination code 1 (forward only) makes it on the real meter.
 * form_of_current: FORM_... of the currents. */
#define INEPRO_ROWS(form_of_current) \
    ROWS_3_F32(0x5002, Q_METER_VOLTAGE_L1, 0), \
    ROW_F32(0x5008, Q_FREQUENCY), \
    ROWS_3(0x500C, 2, REG_F32, Q_CURRENT_L1, 0, form_of_current), \
    INEPRO_KILO(0x5012, Q_POWER), \
    INEPRO_KILO_3(0x5014, Q_POWER_L1), \
    INEPRO_KILO(0x501A, Q_REACTIVE), \
    INEPRO_KILO_3(0x501C, Q_REACTIVE_L1), \
    INEPRO_KILO(0x5022, Q_APPARENT), \
    INEPRO_KILO_3(0x5024, Q_APPARENT_L1), \
    INEPRO_RATIO(0x502A, Q_POWER_FACTOR), \
    INEPRO_RATIO_3(0x502C, Q_POWER_FACTOR_L1), \
    INEPRO_KILO_3(0x6000, Q_ENERGY_IMPORT), \
    INEPRO_NOTHING(0x6006, "all active energy L1") \
    INEPRO_NOTHING(0x6008, "all active energy L2") \
    INEPRO_NOTHING(0x600A, "all active energy L3") \
    INEPRO_KILO_3(0x600C, Q_ENERGY_IMPORT), \
    INEPRO_NOTHING(0x6012, "imported energy L1") \
    INEPRO_NOTHING(0x6014, "imported energy L2") \
    INEPRO_NOTHING(0x6016, "imported energy L3") \
    INEPRO_KILO_3(0x6018, Q_ENERGY_EXPORT), \
    INEPRO_NOTHING(0x601E, "exported energy L1") \
    INEPRO_NOTHING(0x6020, "exported energy L2") \
    INEPRO_NOTHING(0x6022, "exported energy L3") \
    INEPRO_KILO(0x6024, Q_REACTIVE_ENERGY_IMPORT), \
    INEPRO_NOTHING(0x6026, "all reactive energy T1") \
    INEPRO_NOTHING(0x6028, "all reactive energy T2") \
    INEPRO_NOTHING(0x602A, "all reactive energy L1") \
    INEPRO_NOTHING(0x602C, "all reactive energy L2") \
    INEPRO_NOTHING(0x602E, "all reactive energy L3") \
    INEPRO_KILO(0x6030, Q_REACTIVE_ENERGY_IMPORT), \
    INEPRO_NOTHING(0x6032, "imported reactive energy T1") \
    INEPRO_NOTHING(0x6034, "imported reactive energy T2") \
    INEPRO_NOTHING(0x6036, "imported reactive energy L1") \
    INEPRO_NOTHING(0x6038, "imported reactive energy L2") \
    INEPRO_NOTHING(0x603A, "imported reactive energy L3") \
    INEPRO_KILO(0x603C, Q_REACTIVE_ENERGY_EXPORT), \
    INEPRO_NOTHING(0x603E, "exported reactive energy T1") \
    INEPRO_NOTHING(0x6040, "exported reactive energy T2") \
    INEPRO_NOTHING(0x6042, "exported reactive energy L1") \
    INEPRO_NOTHING(0x6044, "exported reactive energy L2") \
    INEPRO_NOTHING(0x6046, "exported reactive energy L3") \
    ROW_U16(0x6048, Q_TARIFF), \
    INEPRO_NOTHING(0x6049, "energy since the last reset by hand")
/* clang-format on */

#endif
