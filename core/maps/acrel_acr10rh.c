/* acrel_acr10rh.c - Acrel ACR10RH and its relatives ACR10R-D16TE4, ACR10R-D10TE.
 *
 *   addresses   decimal and 0-based, as in the maker's tables and on the wire
 *   FC          03 and 04 return the same data; settings by 06 and 16
 *   32 bits     high word first ("ABCD")
 *   units       integers, at the scale each row says; power positive = import
 *   signs       currents have none
 *
 * Two layouts go by this name, and share no register: three phases in 0..19 and 242..368 (maker's manual of the
 * ACR10R series V1.5; what a real one answered an AlphaESS inverter), one phase in 71..119 (peufeu2/GrugBus).  Both
 * are served; the second shows L1.  In the first the scale follows from the primaries in 6 and 7: with 400 V and 100 A
 * it is 0.1 V, 0.1 A, 1 W, as in that answer.  The unit of 365 and 367 comes from one reader.  The clock in 129..133
 * is left out.  Registers not listed read 0; the real meter refuses them, but inverters ask for some.
 */
#include "maps.h"

/* 57600 and 115200 have no code, and read 0. */
static const struct setting_code bauds[] = {{4800, 0}, {9600, 1}, {19200, 2},   {38400, 3},
                                            {2400, 4}, {1200, 5}, {0, CODE_END}};

/* 1 would be odd, 3 two stop bits. */
static const struct setting_code parities[] = {{0, 0}, {1, 2}, {0, CODE_END}};

#define PLAIN_S32(at, quantity) ROW_SCALED(at, REG_S32, quantity, 0)
#define PLAIN_S16(at, quantity) ROW_SCALED(at, REG_S16, quantity, 0)
#define KILO_F32(at, quantity) ROW_SCALED(at, REG_F32, quantity, -3)
#define TENTHS(at, quantity) ROW_FORMED(at, REG_U16, quantity, 1, FORM_ABSOLUTE)
#define TENTHS_3(at, quantity) ROWS_3(at, 1, REG_U16, quantity, 1, FORM_ABSOLUTE)
#define PLAIN_3(at, quantity) ROWS_3(at, 2, REG_S32, quantity, 0, FORM_PLAIN)
#define THOUSANDTHS_3(at, quantity) ROWS_3(at, 1, REG_S16, quantity, 3, FORM_PLAIN)
#define HUNDREDTHS(at, quantity) ROW_FORMED(at, REG_U16, quantity, 2, FORM_ABSOLUTE)
#define THOUSANDTHS(at, quantity) ROW_SCALED(at, REG_S16, quantity, 3)

/* clang-format off */
static const struct register_row rows[] = {
    ROW_SETTING(0, REG_U16, SETTING_ADDRESS, NULL, "address, 1 to 247"),
    ROW_CODED(1, REG_U16, SETTING_BAUD, bauds,
                "baud rate: 0 = 4800, 1 = 9600, 2 = 19200, 3 = 38400, 4 = 2400, 5 = 1200"),
    ROW_CODED(2, REG_U16, SETTING_PARITY, parities, "parity: 0 none, 2 even"),
    ROW_ACCEPTED(3, REG_U16, 1, "wiring: three phases and neutral"),
    ROW_ACCEPTED(4, REG_U16, 1, "voltage input: 400 V"),
    ROW_ACCEPTED(5, REG_U16, 0, "current input: 1 A"),
    ROW_ACCEPTED(6, REG_U16, 40, "primary voltage, 0.01 kV"),
    ROW_ACCEPTED(7, REG_U16, 100, "primary current, A"),
    ROW_FIXED_SCALED(14, REG_F32, 1, -1, "volts per count"),
    ROW_FIXED_SCALED(16, REG_F32, 1, -1, "amperes per count"),
    ROW_FIXED(18, REG_F32, 1, "watts per count"),

    /* one phase */
    KILO_F32(71, Q_ENERGY_IMPORT),
    KILO_F32(73, Q_ENERGY_EXPORT),
    KILO_F32(75, Q_REACTIVE_ENERGY_IMPORT),
    KILO_F32(77, Q_REACTIVE_ENERGY_EXPORT),
    TENTHS(97, Q_METER_VOLTAGE_L1),
    HUNDREDTHS(100, Q_CURRENT_L1),
    PLAIN_S16(103, Q_POWER_L1),
    PLAIN_S16(107, Q_REACTIVE_L1),
    PLAIN_S16(111, Q_APPARENT_L1),
    HUNDREDTHS(115, Q_POWER_FACTOR_L1),
    HUNDREDTHS(119, Q_FREQUENCY),

    /* three phases */
    TENTHS(242, Q_CURRENT_NEUTRAL),
    TENTHS_3(243, Q_METER_VOLTAGE_L1),
    TENTHS_3(246, Q_LINE_VOLTAGE_L12),
    TENTHS_3(249, Q_CURRENT_L1),
    HUNDREDTHS(252, Q_FREQUENCY),
    PLAIN_3(253, Q_POWER_L1),
    PLAIN_S32(259, Q_POWER),
    PLAIN_3(261, Q_REACTIVE_L1),
    PLAIN_S32(267, Q_REACTIVE),
    PLAIN_3(269, Q_APPARENT_L1),
    PLAIN_S32(275, Q_APPARENT),
    THOUSANDTHS_3(277, Q_POWER_FACTOR_L1),
    THOUSANDTHS(280, Q_POWER_FACTOR),
    ROW_SCALED(365, REG_S32, Q_ENERGY_IMPORT, -3),
    ROW_SCALED(367, REG_S32, Q_ENERGY_EXPORT, -3),
};

const struct register_map map_acrel_acr10rh = {
    .name = "Acrel-ACR10RH",
    FULL_ONLY(.title = "Acrel ACR10RH, three phases and one", )
    .word_order = WORD_ORDER_NORMAL,
    .input = TABLE(rows),
    .writes_many = true,
    SMALL_ONLY(.baud_codes = bauds, .line_codes = parities, )
};
/* clang-format on */
