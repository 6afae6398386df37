/* eastron_sdm630.c - Eastron SDM630-Modbus.
 *
 *   addresses   0-based, as on the wire; the maker counts from 30001 and 40001
 *   FC          04 reads what is measured, 03 the settings: two spaces that share no register; settings by 16
 *   float32     high word first ("ABCD"); settings are floats, too
 *   units       V, A, W, var, VA, Hz; kWh, kvarh; power positive = import
 *   signs       currents have none; power factors have that of the power
 *
 * Sources: the maker's "SDM630 Modbus protocol" as readers quote it (OpenEMS, mbmd, openWB, Tinkerforge).  The real
 * meter refuses odd addresses and long reads, this one does not.  Registers not listed read 0.
 */
#include "maps.h"

#define AMPERES(at, quantity) ROW_FORMED(at, REG_F32, quantity, 0, FORM_ABSOLUTE)
#define KILO(at, quantity) ROW_SCALED(at, REG_F32, quantity, -3)
#define NOTHING(at, what) ROW_NOTHING(at, REG_F32, what)

/* clang-format off */
static const struct register_row measured[] = {
    ROWS_3_F32(0x0000, Q_METER_VOLTAGE_L1, 0),
    ROWS_3(0x0006, 2, REG_F32, Q_CURRENT_L1, 0, FORM_ABSOLUTE),
    ROWS_3_F32(0x000C, Q_POWER_L1, 0),
    ROWS_3_F32(0x0012, Q_APPARENT_L1, 0),
    ROWS_3_F32(0x0018, Q_REACTIVE_L1, 0),
    ROWS_3_F32(0x001E, Q_POWER_FACTOR_L1, 0),
    NOTHING(0x0024, "angle U-I L1")
    NOTHING(0x0026, "angle U-I L2")
    NOTHING(0x0028, "angle U-I L3")
    ROW_F32(0x002A, Q_VOLTAGE_MEAN_LN),
    AMPERES(0x002E, Q_CURRENT_MEAN),
    NOTHING(0x0030, "sum of the currents")
    ROW_F32(0x0034, Q_POWER),
    ROW_F32(0x0038, Q_APPARENT),
    ROW_F32(0x003C, Q_REACTIVE),
    ROW_F32(0x003E, Q_POWER_FACTOR),
    NOTHING(0x0042, "angle U-I")
    ROW_F32(0x0046, Q_FREQUENCY),
    KILO(0x0048, Q_ENERGY_IMPORT),
    KILO(0x004A, Q_ENERGY_EXPORT),
    KILO(0x004C, Q_REACTIVE_ENERGY_IMPORT),
    KILO(0x004E, Q_REACTIVE_ENERGY_EXPORT),
    NOTHING(0x0050, "apparent energy, kVAh")
    NOTHING(0x0052, "charge, Ah")
    ROW_F32(0x0054, Q_DEMAND_QUARTER),
    ROW_F32(0x0056, Q_DEMAND_MONTH_PEAK),
    NOTHING(0x0064, "apparent power demand")
    NOTHING(0x0066, "apparent power demand, highest")
    NOTHING(0x0068, "neutral current demand")
    NOTHING(0x006A, "neutral current demand, highest")
    ROWS_3_F32(0x00C8, Q_LINE_VOLTAGE_L12, 0),
    ROW_F32(0x00CE, Q_VOLTAGE_MEAN_LL),
    AMPERES(0x00E0, Q_CURRENT_NEUTRAL),
    NOTHING(0x00EA, "distortion of voltage L1")
    NOTHING(0x00EC, "distortion of voltage L2")
    NOTHING(0x00EE, "distortion of voltage L3")
    NOTHING(0x00F0, "distortion of current L1")
    NOTHING(0x00F2, "distortion of current L2")
    NOTHING(0x00F4, "distortion of current L3")
    NOTHING(0x00F8, "distortion of the voltages, mean")
    NOTHING(0x00FA, "distortion of the currents, mean")
    NOTHING(0x0102, "current demand L1")
    NOTHING(0x0104, "current demand L2")
    NOTHING(0x0106, "current demand L3")
    NOTHING(0x0108, "current demand L1, highest")
    NOTHING(0x010A, "current demand L2, highest")
    NOTHING(0x010C, "current demand L3, highest")
    NOTHING(0x014E, "distortion of voltage L1-L2")
    NOTHING(0x0150, "distortion of voltage L2-L3")
    NOTHING(0x0152, "distortion of voltage L3-L1")
    NOTHING(0x0154, "distortion of the voltages between phases, mean")
    KILO(0x0156, Q_ENERGY_ABSOLUTE),
    NOTHING(0x0158, "all reactive energy")
    NOTHING(0x015A, "imported energy L1")
    NOTHING(0x015C, "imported energy L2")
    NOTHING(0x015E, "imported energy L3")
    NOTHING(0x0160, "exported energy L1")
    NOTHING(0x0162, "exported energy L2")
    NOTHING(0x0164, "exported energy L3")
    NOTHING(0x0166, "all active energy L1")
    NOTHING(0x0168, "all active energy L2")
    NOTHING(0x016A, "all active energy L3")
    NOTHING(0x016C, "imported reactive energy L1")
    NOTHING(0x016E, "imported reactive energy L2")
    NOTHING(0x0170, "imported reactive energy L3")
    NOTHING(0x0172, "exported reactive energy L1")
    NOTHING(0x0174, "exported reactive energy L2")
    NOTHING(0x0176, "exported reactive energy L3")
    NOTHING(0x0178, "all reactive energy L1")
    NOTHING(0x017A, "all reactive energy L2")
    NOTHING(0x017C, "all reactive energy L3")
};
/* clang-format on */

/* 1200 is coded as on the maker's smaller meters.  57600 and 115200 have no code, and read 0. */
static const struct setting_code bauds[] = {{2400, 0},  {4800, 1}, {9600, 2},    {19200, 3},
                                            {38400, 4}, {1200, 5}, {0, CODE_END}};

/* clang-format off */
static const struct register_row settings[] = {
    ROW_FIXED(0x0000, REG_F32, 0, "demand time"),
    /* The demand shown is that of a quarter of an hour; the real meter's is 60 minutes unless set. */
    ROW_ACCEPTED(0x0002, REG_F32, 15, "demand period, minutes"),
    ROW_SETTING(0x000A, REG_F32, SETTING_WIRING, NULL,
                "system: 1 one phase, 2 three phases, 3 three phases and neutral"),
    ROW_ACCEPTED(0x000C, REG_F32, 100, "pulse width, ms"),
    ROW_ACCEPTED(0x000E, REG_F32, 1, "1: settings may be written"),
    ROW_SETTING(0x0012, REG_F32, SETTING_PARITY, NULL, "line: 0 = 8N1, 1 = 8E1"),
    ROW_SETTING(0x0014, REG_F32, SETTING_ADDRESS, NULL, "address, 1 to 247"),
    ROW_ACCEPTED(0x0016, REG_F32, 0, "pulse divisor"),
    ROW_ACCEPTED(0x0018, REG_F32, 1000, "password"),
    ROW_CODED(0x001C, REG_F32, SETTING_BAUD, bauds,
                "baud rate: 0 = 2400, 1 = 4800, 2 = 9600, 3 = 19200, 4 = 38400, 5 = 1200"),
    ROW_ACCEPTED(0x0056, REG_F32, 0, "what pulse output 1 counts"),
    ROW_ACCEPTED(0xF010, REG_U16, 0, "reset"),
    ROW_SERIAL(0xFC00, REG_U32, 0, "serial number, last nine digits"),
    ROW_FIXED(0xFC02, REG_U16, 0x0070, "meter code"),
    ROW_FIXED(0xFC03, REG_U16, 0, "software version"),
};

const struct register_map map_eastron_sdm630 = {
    .name = "Eastron-SDM630",
    FULL_ONLY(.title = "Eastron SDM630", )
    .word_order = WORD_ORDER_NORMAL,
    .input = TABLE(measured),
    .holding = TABLE(settings),
    .writes_many = true,
    SMALL_ONLY(.baud_codes = bauds, )
};
/* clang-format on */
