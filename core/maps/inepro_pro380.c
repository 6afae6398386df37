/* inepro_pro380.c - Inepro PRO380 and PRO380-Mod; the WAGO 879-30x0 is the same meter.
 *
 *   addresses   0-based, as on the wire
 *   FC          03 and 04 return the same data; settings by 06 and 16
 *   float32     high word first ("ABCD")
 *   units       V, A, Hz; kW, kvar, kVA, kWh, kvarh; power positive = import
 *   signs       a current has that of its phase's power, as on the real meter; power factors have none
 *
 * Sources: the dump of a real meter with firmware 2.18 and the table beside it (majorcs/inepro380-homeassistant-
 * integration), mbmd, the WAGO manual.  From 0x4000 on this is the layout of manuals V2.x; of the one before, only
 * what identifies the meter is known well enough (0x1000), and of that not every type.  Registers not listed read 0.
 */
#include "inepro_rows.h"

/* The PRO380 writes the speed itself; 115200 does not fit and is written as the WAGO does, whose other codes are
 * understood, too. */
static const struct setting_code bauds[] = {
    {1200, 1200},   {2400, 2400},   {4800, 4800},   {9600, 9600},
    {19200, 19200}, {38400, 38400}, {57600, 57600}, {(setting_value)115200, 10},
    {1200, 3},      {2400, 4},      {4800, 5},      {9600, 6},
    {19200, 7},     {38400, 8},     {57600, 9},     {0, CODE_END}};

/* 3 would be odd. */
static const struct setting_code parities[] = {{1, 1}, {0, 2}, {0, CODE_END}};

/* clang-format off */
static const struct register_row rows[] = {
    ROW_SERIAL(0x1000, REG_U32, 0, "serial number, last nine digits"),
    ROW_FIXED(0x1010, REG_U16, 0x2007, "meter code of the old layout"),
    ROW_SETTING(0x1018, REG_U16, SETTING_ADDRESS, NULL, "address, 1 to 247"),
    ROW_CODED(0x1020, REG_U16, SETTING_BAUD, bauds, "baud rate; 10 = 115200"),
    FULL_ONLY(ROW_TEXT(0x1030, REG_ASCII, 16, "PRO380-Mod", "name"), )
    SMALL_ONLY(ROW_TEXT_2(0x1030, "PR", ), ROW_TEXT_2(0x1031, "O3", ), ROW_TEXT_2(0x1032, "80", ),
               ROW_TEXT_2(0x1033, "-M", ), ROW_TEXT_2(0x1034, "od", ), )
    ROW_FIXED_SCALED(0x1050, REG_F32, 32, -1, "protocol version"),
    ROW_FIXED_SCALED(0x1054, REG_F32, 218, -2, "software version"),
    ROW_FIXED_SCALED(0x1058, REG_F32, 132, -2, "hardware version"),
    ROW_FIXED(0x1060, REG_U16, 100, "highest current, A"),
    ROW_FIXED(0x1062, REG_U16, 0, "current transformer ratio; 0 = none"),
    ROW_FIXED(0x1066, REG_F32, 1000, "S0 pulses per kWh"),

    ROW_SERIAL(0x4000, REG_U32, 0, "serial number, last nine digits"),
    ROW_FIXED(0x4002, REG_U16, 0x0102, "meter code"),
    ROW_SETTING(0x4003, REG_U16, SETTING_ADDRESS, NULL, "address, 1 to 247"),
    ROW_CODED(0x4004, REG_U16, SETTING_BAUD, bauds, "baud rate; 10 = 115200"),
    ROW_FIXED_SCALED(0x4005, REG_F32, 32, -1, "protocol version"),
    ROW_FIXED_SCALED(0x4007, REG_F32, 218, -2, "software version"),
    ROW_FIXED_SCALED(0x4009, REG_F32, 132, -2, "hardware version"),
    ROW_FIXED(0x400B, REG_U16, 100, "highest current, A"),
    ROW_FIXED(0x400C, REG_U16, 0, "current transformer ratio; 0 = none"),
    ROW_ACCEPTED(0x400D, REG_F32, 1000, "S0 pulses per kWh"),
    ROW_ACCEPTED(0x400F, REG_U16, 1, "combination code: all energy is import"),
    ROW_ACCEPTED(0x4010, REG_U16, 0x10, "seconds per page of the display, BCD"),
    ROW_CODED(0x4011, REG_U16, SETTING_PARITY, parities, "parity: 1 even, 2 none"),
    ROW_TEXT_2(0x4012, "1F", "direction of current L1: forward"),
    ROW_TEXT_2(0x4013, "2F", "direction of current L2: forward"),
    ROW_TEXT_2(0x4014, "3F", "direction of current L3: forward"),
    ROW_FIXED(0x4015, REG_S16, 0, "errors"),
    ROW_ACCEPTED(0x4016, REG_U16, 0, "times switched off"),
    ROW_NOTHING(0x4017, REG_U16, "quadrant")
    ROW_NOTHING(0x4018, REG_U16, "quadrant L1")
    ROW_NOTHING(0x4019, REG_U16, "quadrant L2")
    ROW_NOTHING(0x401A, REG_U16, "quadrant L3")
    ROW_FIXED(0x401B, REG_U32, 0, "checksum of the firmware"),
    ROW_FIXED(0x401D, REG_U32, 0, "status"),
    ROW_FIXED(0x401F, REG_U16, 5, "secondary current of the transformers, A"),

    INEPRO_ROWS(FORM_SIGN_OF_POWER)
};

const struct register_map map_inepro_pro380 = {
    .name = "Inepro-PRO380",
    FULL_ONLY(.title = "Inepro PRO380, WAGO 879-30x0", )
    .word_order = WORD_ORDER_NORMAL,
    .input = TABLE(rows),
    .writes_many = true,
    SMALL_ONLY(.baud_codes = bauds, .line_codes = parities, )
};
/* clang-format on */
