/* inepro_kit_test.h - the maker's table of Inepro's 0x5000 and 0x6000: kW, kvar, kVA, kWh, kvarh. */
#ifndef INEPRO_KIT_TEST_H
#define INEPRO_KIT_TEST_H

#include "maps_kit_test.h"

/* clang-format off */
/* struct place, with the form that currents have. */
#define INEPRO_PLACES(form_of_current) \
    AT_F32(0x5002, Q_METER_VOLTAGE_L1), \
    AT_F32(0x5004, Q_METER_VOLTAGE_L2), \
    AT_F32(0x5006, Q_METER_VOLTAGE_L3), \
    AT_F32(0x5008, Q_FREQUENCY), \
    {0x500C, REG_F32, Q_CURRENT_L1, 0, form_of_current}, \
    {0x500E, REG_F32, Q_CURRENT_L2, 0, form_of_current}, \
    {0x5010, REG_F32, Q_CURRENT_L3, 0, form_of_current}, \
    AT(0x5012, REG_F32, Q_POWER, -3), \
    AT(0x5014, REG_F32, Q_POWER_L1, -3), \
    AT(0x5016, REG_F32, Q_POWER_L2, -3), \
    AT(0x5018, REG_F32, Q_POWER_L3, -3), \
    AT(0x501A, REG_F32, Q_REACTIVE, -3), \
    AT(0x501C, REG_F32, Q_REACTIVE_L1, -3), \
    AT(0x501E, REG_F32, Q_REACTIVE_L2, -3), \
    AT(0x5020, REG_F32, Q_REACTIVE_L3, -3), \
    AT(0x5022, REG_F32, Q_APPARENT, -3), \
    AT(0x5024, REG_F32, Q_APPARENT_L1, -3), \
    AT(0x5026, REG_F32, Q_APPARENT_L2, -3), \
    AT(0x5028, REG_F32, Q_APPARENT_L3, -3), \
    {0x502A, REG_F32, Q_POWER_FACTOR, 0, FORM_ABSOLUTE}, \
    {0x502C, REG_F32, Q_POWER_FACTOR_L1, 0, FORM_ABSOLUTE}, \
    {0x502E, REG_F32, Q_POWER_FACTOR_L2, 0, FORM_ABSOLUTE}, \
    {0x5030, REG_F32, Q_POWER_FACTOR_L3, 0, FORM_ABSOLUTE}, \
    AT(0x6000, REG_F32, Q_ENERGY_IMPORT, -3), \
    AT(0x6002, REG_F32, Q_ENERGY_IMPORT_T1, -3), \
    AT(0x6004, REG_F32, Q_ENERGY_IMPORT_T2, -3), \
    AT(0x600C, REG_F32, Q_ENERGY_IMPORT, -3), \
    AT(0x600E, REG_F32, Q_ENERGY_IMPORT_T1, -3), \
    AT(0x6010, REG_F32, Q_ENERGY_IMPORT_T2, -3), \
    AT(0x6018, REG_F32, Q_ENERGY_EXPORT, -3), \
    AT(0x601A, REG_F32, Q_ENERGY_EXPORT_T1, -3), \
    AT(0x601C, REG_F32, Q_ENERGY_EXPORT_T2, -3), \
    AT(0x6024, REG_F32, Q_REACTIVE_ENERGY_IMPORT, -3), \
    AT(0x6030, REG_F32, Q_REACTIVE_ENERGY_IMPORT, -3), \
    AT(0x603C, REG_F32, Q_REACTIVE_ENERGY_EXPORT, -3), \
    AT(0x6048, REG_U16, Q_TARIFF, 0)
/* clang-format on */

#endif
