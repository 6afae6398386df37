/* abb_b23.c - ABB B23, a three-phase meter for direct connection.
 *
 *   addresses   0-based, as on the wire
 *   FC          03; 04 returns the same data
 *   integers    high word first
 *   ASCII       first character in the high byte
 *   scale       0.1 V, 0.01 A, 0.01 W, 0.01 var, 0.01 VA, 0.01 kWh, 0.01 Hz; power factor 0.001
 *   sign        power positive = import; the current has none
 *   unknown     the real meter's "not available" is FF.. unsigned, 7F.. signed; here by the setting
 *
 * Sources: ABB's B23/B24 user manual (2CMC485003M0201) by way of readers run on hardware: Victron's dbus-modbus-client,
 * openWB, mbmd, SmartEVSE.  No reader was found for line voltages, neutral current, reactive and apparent power.
 * Registers not listed read 0.
 */
#include "maps.h"

#define ROW_CURRENT(at, quantity) ROW_FORMED(at, REG_U32, quantity, 2, FORM_ABSOLUTE)

static const struct register_row rows[] = {
    ROW_SCALED(0x5000, REG_U64, Q_ENERGY_IMPORT, -1),
    ROW_SCALED(0x5004, REG_U64, Q_ENERGY_EXPORT, -1),
    ROW_NOTHING(0x5460, REG_U64, "import L1") ROW_NOTHING(0x5464, REG_U64, "import L2")
        ROW_NOTHING(0x5468, REG_U64, "import L3") ROW_NOTHING(0x546C, REG_U64, "export L1")
            ROW_NOTHING(0x5470, REG_U64, "export L2") ROW_NOTHING(0x5474, REG_U64, "export L3")

                ROW_SCALED(0x5B00, REG_U32, Q_VOLTAGE_L1, 1),
    ROW_SCALED(0x5B02, REG_U32, Q_VOLTAGE_L2, 1),
    ROW_SCALED(0x5B04, REG_U32, Q_VOLTAGE_L3, 1),
    ROW_SCALED(0x5B06, REG_U32, Q_LINE_VOLTAGE_L12, 1),
    ROW_SCALED(0x5B08, REG_U32, Q_LINE_VOLTAGE_L32, 1),
    ROW_SCALED(0x5B0A, REG_U32, Q_LINE_VOLTAGE_L31, 1),
    ROW_CURRENT(0x5B0C, Q_CURRENT_L1),
    ROW_CURRENT(0x5B0E, Q_CURRENT_L2),
    ROW_CURRENT(0x5B10, Q_CURRENT_L3),
    ROW_CURRENT(0x5B12, Q_CURRENT_NEUTRAL),
    ROW_SCALED(0x5B14, REG_S32, Q_POWER, 2),
    ROW_SCALED(0x5B16, REG_S32, Q_POWER_L1, 2),
    ROW_SCALED(0x5B18, REG_S32, Q_POWER_L2, 2),
    ROW_SCALED(0x5B1A, REG_S32, Q_POWER_L3, 2),
    ROW_SCALED(0x5B1C, REG_S32, Q_REACTIVE, 2),
    ROW_SCALED(0x5B1E, REG_S32, Q_REACTIVE_L1, 2),
    ROW_SCALED(0x5B20, REG_S32, Q_REACTIVE_L2, 2),
    ROW_SCALED(0x5B22, REG_S32, Q_REACTIVE_L3, 2),
    ROW_SCALED(0x5B24, REG_S32, Q_APPARENT, 2),
    ROW_SCALED(0x5B26, REG_S32, Q_APPARENT_L1, 2),
    ROW_SCALED(0x5B28, REG_S32, Q_APPARENT_L2, 2),
    ROW_SCALED(0x5B2A, REG_S32, Q_APPARENT_L3, 2),
    ROW_SCALED(0x5B2C, REG_U16, Q_FREQUENCY, 2),
    ROW_SCALED(0x5B3A, REG_S16, Q_POWER_FACTOR, 3),
    ROW_SCALED(0x5B3B, REG_S16, Q_POWER_FACTOR_L1, 3),
    ROW_SCALED(0x5B3C, REG_S16, Q_POWER_FACTOR_L2, 3),
    ROW_SCALED(0x5B3D, REG_S16, Q_POWER_FACTOR_L3, 3),

    ROW_SERIAL(0x8900, REG_U32, 0, "serial number, last nine digits"),
    ROW_TEXT(0x8908, REG_ASCII, 8, "B1.0.0", "firmware version of the meter that is shown"),
    ROW_TEXT(0x8960, REG_ASCII, 2, "B23 ", "type"),
};

const struct register_map map_abb_b23 = {
    .name = "ABB-B23",
    .title = "ABB B23",
    .word_order = WORD_ORDER_NORMAL,
    .unknown_is_max = true,
    .input = TABLE(rows),
};
