/* carlo_gavazzi_em24.c - Carlo Gavazzi EM24 with Ethernet (EM24DINAV23XE1PFB), as Victron's GX devices look for it.
 *
 *   addresses   0-based, as on the wire
 *   FC          03 and 04 return the same data; 06 writes; the real meter reads 50 registers at most, this one 125
 *   int32       low word first ("CDAB"): 230.1 V = 2301 = 08FD 0000
 *   ASCII       first character in the high byte
 *   scale       0.1 V, 0.001 A, 0.1 W, 0.1 VA, 0.1 var, 0.1 kWh, 0.1 kvarh, 0.1 Hz; power factor 0.001
 *   sign        power positive = import; the current has none unless currents are set to be signed
 *   unknown     on the real meter an overflow, which reads 7FFF or 7FFFFFFF; here by the setting
 *
 * The EM24 with RS485 has another layout.  The identification code at 0x000B can be read one word at a time only; in a
 * longer read the register is the high word of U31.
 *
 * Sources: the maker's "EM24_E1 communication protocol" and "EM300/ET300 series communication protocol" by way of
 * readers run on hardware: Victron's dbus-modbus-client, mbmd.  Registers not listed read 0.
 */
#include "maps.h"

/* Measuring system. */
static const struct setting_code systems[] = {{1, 3}, {3, 0}, {2, 4}, {0, CODE_END}};

static const struct register_row rows[] = {
    ROW_SCALED(0x0000, REG_S32, Q_VOLTAGE_L1, 1),
    ROW_SCALED(0x0002, REG_S32, Q_VOLTAGE_L2, 1),
    ROW_SCALED(0x0004, REG_S32, Q_VOLTAGE_L3, 1),
    ROW_SCALED(0x0006, REG_S32, Q_LINE_VOLTAGE_L12, 1),
    ROW_SCALED(0x0008, REG_S32, Q_LINE_VOLTAGE_L32, 1),
    ROW_SCALED(0x000A, REG_S32, Q_LINE_VOLTAGE_L31, 1),
    ROW_SCALED(0x000C, REG_S32, Q_CURRENT_L1, 3),
    ROW_SCALED(0x000E, REG_S32, Q_CURRENT_L2, 3),
    ROW_SCALED(0x0010, REG_S32, Q_CURRENT_L3, 3),
    ROW_SCALED(0x0012, REG_S32, Q_POWER_L1, 1),
    ROW_SCALED(0x0014, REG_S32, Q_POWER_L2, 1),
    ROW_SCALED(0x0016, REG_S32, Q_POWER_L3, 1),
    ROW_SCALED(0x0018, REG_S32, Q_APPARENT_L1, 1),
    ROW_SCALED(0x001A, REG_S32, Q_APPARENT_L2, 1),
    ROW_SCALED(0x001C, REG_S32, Q_APPARENT_L3, 1),
    ROW_SCALED(0x001E, REG_S32, Q_REACTIVE_L1, 1),
    ROW_SCALED(0x0020, REG_S32, Q_REACTIVE_L2, 1),
    ROW_SCALED(0x0022, REG_S32, Q_REACTIVE_L3, 1),
    ROW_SCALED(0x0024, REG_S32, Q_VOLTAGE_MEAN_LN, 1),
    ROW_SCALED(0x0026, REG_S32, Q_VOLTAGE_MEAN_LL, 1),
    ROW_SCALED(0x0028, REG_S32, Q_POWER, 1),
    ROW_SCALED(0x002A, REG_S32, Q_APPARENT, 1),
    ROW_SCALED(0x002C, REG_S32, Q_REACTIVE, 1),
    ROW_SCALED(0x002E, REG_S16, Q_POWER_FACTOR_L1, 3),
    ROW_SCALED(0x002F, REG_S16, Q_POWER_FACTOR_L2, 3),
    ROW_SCALED(0x0030, REG_S16, Q_POWER_FACTOR_L3, 3),
    ROW_SCALED(0x0031, REG_S16, Q_POWER_FACTOR, 3),
    ROW_FIXED(0x0032, REG_S16, 0, "phase sequence: 0 = L1, L2, L3"),
    ROW_SCALED(0x0033, REG_S16, Q_FREQUENCY, 1),
    ROW_SCALED(0x0034, REG_S32, Q_ENERGY_IMPORT, -2),
    ROW_SCALED(0x0036, REG_S32, Q_REACTIVE_ENERGY_IMPORT, -2),
    ROW_SCALED(0x0038, REG_S32, Q_DEMAND_QUARTER, 1),
    ROW_NOTHING(0x003A, REG_S32, "highest demand")
        ROW_NOTHING(0x003C, REG_S32, "import since the reset")
            ROW_NOTHING(0x003E, REG_S32, "reactive import since the reset")
                ROW_NOTHING(0x0040, REG_S32, "import L1") ROW_NOTHING(0x0042, REG_S32, "import L2")
                    ROW_NOTHING(0x0044, REG_S32, "import L3")
                        ROW_SCALED(0x0046, REG_S32, Q_ENERGY_IMPORT_T1, -2),
    ROW_SCALED(0x0048, REG_S32, Q_ENERGY_IMPORT_T2, -2),
    ROW_SCALED(0x004A, REG_S32, Q_ENERGY_IMPORT_T3, -2),
    ROW_SCALED(0x004C, REG_S32, Q_ENERGY_IMPORT_T4, -2),
    ROW_SCALED(0x004E, REG_S32, Q_ENERGY_EXPORT, -2),
    ROW_SCALED(0x0050, REG_S32, Q_REACTIVE_ENERGY_EXPORT, -2),

    ROW_FIXED(0x0302, REG_U16, 0x1000, "version of the measuring module: 1.0.0"),
    ROW_FIXED(0x0304, REG_U16, 0x1803,
              "version of the communication module: 1.8.3, the first evcc takes"),
    ROW_SETTING(0x1002, REG_U16, SETTING_WIRING, systems,
                "measuring system: 0 = 3P.n, 3 = 1P, 4 = 3P"),
    ROW_SERIAL(0x5000, REG_ASCII, 7, "serial number"),
    ROW_ACCEPTED(0xA000, REG_U16, 7, "application: 7 = H"),
    ROW_FIXED(0xA100, REG_U16, 3, "front switch: 3 = locked"),
};

const struct register_map map_carlo_gavazzi_em24 = {
    .name = "CarloGavazzi-EM24",
    .title = "Carlo Gavazzi EM24 with Ethernet",
    .alone = {0x000B, 1650},
    .word_order = WORD_ORDER_SWAPPED,
    .unknown_is_max = true,
    .input = TABLE(rows),
};
