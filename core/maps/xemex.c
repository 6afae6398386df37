/* xemex.c - Xemex CSMB, the meter of current that Shell Recharge and NewMotion chargers ask.
 *
 *   addresses   0-based, as on the wire
 *   FC          03 and 04 return the same data; settings by 06 alone
 *   float32     high word first ("ABCD")
 *   units       A, without a sign; the rest as on an Inepro PRO380: V, Hz, kW, kvar, kVA, kWh, kvarh
 *
 * Sources: two programs that were tried at a real CSMB and at a real charger (thomase1234/esphome-modbus-client-xemex-
 * csmb, esphome-fake-xemex-csmb), which name the maker's manual CSMB 1.0.  The CSMB has the identity block and the
 * currents alone.  Its layout is the beginning of Inepro's, so the rest of 0x5000 and 0x6000 is filled like that, in
 * Inepro's units: who reads power here knows its address from there.  That the "Xemex" of a P1MB means this layout
 * is inferred.  Registers not listed read 0.
 */
#include "inepro_rows.h"

/* Known is 36 for 8E1.  That is 0x24, and 4 for 8N1 is a guess: the same without its upper bit. */
static const struct setting_code lines[] = {{1, 36}, {0, 4}, {0, CODE_END}};

/* clang-format off */
static const struct register_row rows[] = {
    ROW_SERIAL(0x4000, REG_U32, 0, "serial number, last nine digits"),
    ROW_FIXED(0x4002, REG_U16, 20802, "device code"),
    ROW_SETTING(0x4003, REG_U16, SETTING_ADDRESS, NULL, "address, 1 to 247"),
    ROW_SETTING(0x4004, REG_U16, SETTING_BAUD_LOW, NULL, "baud rate, low 16 bits"),
    ROW_FIXED(0x4005, REG_F32, 1, "protocol version"),
    ROW_FIXED(0x4007, REG_F32, 2, "software version"),
    ROW_FIXED(0x4009, REG_F32, 0, "hardware version"),
    ROW_FIXED(0x400B, REG_U16, 80, "highest current, A"),
    ROW_FIXED(0x400C, REG_U16, 2000, "current transformer ratio"),
    ROW_CODED(0x400D, REG_U16, SETTING_PARITY, lines, "line: 36 = 8E1, 4 = 8N1"),
    ROW_SETTING(0x400E, REG_U16, SETTING_TERMINATION, NULL, "termination: 0 off, 1 on"),
    ROW_SETTING(0x400F, REG_U16, SETTING_BAUD_HIGH, NULL, "baud rate, high 16 bits"),

    INEPRO_ROWS(FORM_ABSOLUTE)
};

const struct register_map map_xemex = {
    .name = "Xemex",
    FULL_ONLY(.title = "Xemex CSMB, with the values of an Inepro PRO380", )
    .word_order = WORD_ORDER_NORMAL,
    .input = TABLE(rows),
    SMALL_ONLY(.line_codes = lines, )
};
/* clang-format on */
