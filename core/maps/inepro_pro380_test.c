#include "inepro_kit_test.h"

static const struct place places[] = {INEPRO_PLACES(FORM_SIGN_OF_POWER)};

/* clang-format off */
/* What the meter tells of itself, in the old layout and the new; the values of a real one, but for the serial number
 * and what was measured at that place. */
static const struct word identity[] = {
    {0x1000, 0x0DFB}, {0x1001, 0x38D2}, /* 234567890 */
    {0x1010, 0x2007}, {0x1018, 1}, {0x1020, 9600},
    {0x1030, 'P' << 8 | 'R'}, {0x1031, 'O' << 8 | '3'}, {0x1032, '8' << 8 | '0'},
    {0x1033, '-' << 8 | 'M'}, {0x1034, 'o' << 8 | 'd'},
    {0x1050, 0x404C}, {0x1051, 0xCCCD}, {0x1054, 0x400B}, {0x1055, 0x851F}, {0x1058, 0x3FA8}, {0x1059, 0xF5C3},
    {0x1060, 100}, {0x1066, 0x447A},

    {0x4000, 0x0DFB}, {0x4001, 0x38D2}, {0x4002, 0x0102}, {0x4003, 1}, {0x4004, 9600},
    {0x4005, 0x404C}, {0x4006, 0xCCCD}, /* 3.2 */
    {0x4007, 0x400B}, {0x4008, 0x851F}, /* 2.18 */
    {0x4009, 0x3FA8}, {0x400A, 0xF5C3}, /* 1.32 */
    {0x400B, 100}, {0x400D, 0x447A}, /* 1000.0 */
    {0x400F, 1}, {0x4010, 0x0010}, {0x4011, 1},
    {0x4012, 0x3146}, {0x4013, 0x3246}, {0x4014, 0x3346}, {0x401F, 5},
};
/* clang-format on */

static const struct subject meter = {
    .map = &map_inepro_pro380,
    .name = "Inepro-PRO380",
    .short_name = "pro380",
    .input = {PLACES(places), WORDS(identity)},
};

/* A real meter with 0.232 kW out of L3, and 1.62 A, says -1.62. */
static const struct known exporting[] = {
    {Q_METER_VOLTAGE_L1, 230300},
    {Q_CURRENT_L1, 4050},
    {Q_CURRENT_L2, 1500},
    {Q_CURRENT_L3, 1620},
    {Q_POWER, 1234},
    {Q_POWER_L1, 900},
    {Q_POWER_L2, 566},
    {Q_POWER_L3, -232},
    {Q_ENERGY_IMPORT, 15062023},
    {Q_ENERGY_EXPORT, 267243},
};

static void powers_are_in_kilowatts(void **unused)
{
    (void)unused;
    static const uint8_t request[] = {0x01, 0x03, 0x50, 0x12, 0x00, 0x02, 0x75, 0x0E};
    static const uint8_t answer[] = {0x01, 0x03, 0x04, 0x3F, 0x9D, 0xF3, 0xB6, 0xA2, 0x8F};
    struct bench b;
    begin_with(&b, &map_inepro_pro380, exporting, COUNT(exporting));
    check_golden(&b, request, sizeof request, answer, sizeof answer);
}

/* SmartEVSE takes the sign of a current from this meter as it comes. */
static void smartevse_sees_which_phase_exports(void **unused)
{
    (void)unused;
    static const struct exchange polls[] = {
        {1, 0x03, 0x500C, 6, REG_F32, {4.05, 1.5, -1.62}},
        {1, 0x03, 0x5012, 2, REG_F32, {1.234}},
        {1, 0x03, 0x600C, 2, REG_F32, {15062.023}},
        {1, 0x03, 0x6018, 2, REG_F32, {267.243}},
    };
    struct bench b;
    begin_with(&b, &map_inepro_pro380, exporting, COUNT(exporting));
    check_exchanges(&b, polls, COUNT(polls));
}

/* mbmd looks for a voltage, and then reads value by value. */
static void mbmd_reads_value_by_value(void **unused)
{
    (void)unused;
    static const struct exchange polls[] = {
        {1, 0x03, 0x5002, 2, REG_F32, {230.3}}, {1, 0x03, 0x500C, 2, REG_F32, {4.05}},
        {1, 0x03, 0x5010, 2, REG_F32, {-1.62}}, {1, 0x03, 0x5014, 2, REG_F32, {0.9}},
        {1, 0x03, 0x5018, 2, REG_F32, {-.232}}, {1, 0x03, 0x502A, 2, REG_F32, {0}},
    };
    struct bench b;
    begin_with(&b, &map_inepro_pro380, exporting, COUNT(exporting));
    check_exchanges(&b, polls, COUNT(polls));
}

/* Home Assistant reads each block as a whole. */
static void home_assistant_reads_whole_blocks(void **unused)
{
    (void)unused;
    static const uint8_t golden[] = {0x10, 0x03, 0x40, 0x00, 0x00, 0x20, 0x52, 0x93};
    struct bench b;
    begin(&b, &map_inepro_pro380);
    know_everything(&b, EXPORTS_SIGNED);
    struct answer a = ask_frame(&b, golden, sizeof golden);
    assert_int_equal(a.n, 2 + 2 * 0x20);
    for (size_t i = 0; i < COUNT(identity); i++) {
        if (identity[i].address < 0x4000)
            continue;
        const uint8_t *at = a.pdu + 2 + 2 * (identity[i].address - 0x4000);
        assert_int_equal(at[0] << 8 | at[1], identity[i].value);
    }
    check_block(&b, 0x03, 0x5000, 50, &meter.input);
    check_block(&b, 0x03, 0x6000, 75, &meter.input);
}

static void settings_are_staged(void **unused)
{
    (void)unused;
    static const struct write writes[] = {
        {WRITE_ONE(0x4003, 10), 0, SETTING_ADDRESS, 10},
        {WRITE_ONE(0x4003, 0), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 10},
        {WRITE_ONE(0x4003, 248), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 10},
        {WRITE_MANY_ONE(0x4003, 247), 0, SETTING_ADDRESS, 247},
        {WRITE_ONE(0x1018, 3), 0, SETTING_ADDRESS, 3},
        {WRITE_ONE(0x4004, 1200), 0, SETTING_BAUD, 1200},
        {WRITE_ONE(0x4004, 57600), 0, SETTING_BAUD, 57600},
        {WRITE_ONE(0x4004, 10), 0, SETTING_BAUD, 115200},
        {WRITE_ONE(0x4004, 9601), MODBUS_ILLEGAL_VALUE, SETTING_BAUD, 115200},
        {WRITE_ONE(0x4004, 300), MODBUS_ILLEGAL_VALUE, SETTING_BAUD, 115200},
        {WRITE_MANY_ONE(0x4004, 9600), 0, SETTING_BAUD, 9600},
        {WRITE_ONE(0x1020, 2400), 0, SETTING_BAUD, 2400},
        {WRITE_ONE(0x4011, 2), 0, SETTING_PARITY, 0},
        {WRITE_ONE(0x4011, 3), MODBUS_ILLEGAL_VALUE, SETTING_PARITY, 0},
        {WRITE_ONE(0x4011, 0), MODBUS_ILLEGAL_VALUE, SETTING_PARITY, 0},
        {WRITE_MANY_ONE(0x4011, 1), 0, SETTING_PARITY, 1},
    };
    struct bench b;
    begin(&b, &map_inepro_pro380);
    check_writes(&b, writes, COUNT(writes));
}

/* The maker's own examples: pulses by 16, the rest by 06; nothing of it means anything here. */
static void settings_without_meaning_are_taken(void **unused)
{
    (void)unused;
    static const struct write writes[] = {
        {WRITE_FLOAT(0x400D, 0x41200000), 0, SETTING_ACCEPTED, 0},
        {WRITE_ONE(0x400F, 10), 0, SETTING_ACCEPTED, 0},
        {WRITE_ONE(0x4010, 0x25), 0, SETTING_ACCEPTED, 0},
        {WRITE_ONE(0x4016, 0), 0, SETTING_ACCEPTED, 0},
        {WRITE_ONE(0x400D, 0x4120), MODBUS_ILLEGAL_ADDRESS, SETTING_ACCEPTED, 0}, /* half of it */
        {WRITE_ONE(0x4002, 1), MODBUS_ILLEGAL_ADDRESS, SETTING_ACCEPTED, 0},
    };
    struct bench b;
    begin(&b, &map_inepro_pro380);
    check_writes(&b, writes, COUNT(writes));
    show(&b);
    for (size_t i = 0; i < COUNT(identity); i++)
        assert_int_equal(word_at(&b, identity[i].address), identity[i].value);
}

/* The WAGO's codes say the speed, too; it then reads as the PRO380 writes it. */
static void the_wagos_baud_codes_are_understood(void **unused)
{
    (void)unused;
    static const uint16_t bauds[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600};
    struct bench b;
    begin(&b, &map_inepro_pro380);
    for (unsigned i = 0; i < COUNT(bauds); i++) {
        assert_int_equal(ask_words(&b, 1, 0x06, 0x4004, i + 3).n, 5);
        assert_int_equal(b.device.setting[SETTING_BAUD], bauds[i]);
        show(&b);
        assert_int_equal(word_at(&b, 0x4004), bauds[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF_ZEROS(meter),
        cmocka_unit_test(powers_are_in_kilowatts),
        cmocka_unit_test(smartevse_sees_which_phase_exports),
        cmocka_unit_test(mbmd_reads_value_by_value),
        cmocka_unit_test(home_assistant_reads_whole_blocks),
        cmocka_unit_test(settings_are_staged),
        cmocka_unit_test(settings_without_meaning_are_taken),
        cmocka_unit_test(the_wagos_baud_codes_are_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
