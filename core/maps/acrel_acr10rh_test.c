#include "maps_kit_test.h"

/* clang-format off */
/* Decimal addresses, as in the maker's table: one phase below 200, three above.  What is unsigned is shown
 * without its sign. */
static const struct place places[] = {
    AT(71, REG_F32, Q_ENERGY_IMPORT, -3),
    AT(73, REG_F32, Q_ENERGY_EXPORT, -3),
    AT(75, REG_F32, Q_REACTIVE_ENERGY_IMPORT, -3),
    AT(77, REG_F32, Q_REACTIVE_ENERGY_EXPORT, -3),
    {97, REG_U16, Q_METER_VOLTAGE_L1, 1, FORM_ABSOLUTE},
    {100, REG_U16, Q_CURRENT_L1, 2, FORM_ABSOLUTE},
    AT(103, REG_S16, Q_POWER_L1, 0),
    AT(107, REG_S16, Q_REACTIVE_L1, 0),
    AT(111, REG_S16, Q_APPARENT_L1, 0),
    {115, REG_U16, Q_POWER_FACTOR_L1, 2, FORM_ABSOLUTE},
    {119, REG_U16, Q_FREQUENCY, 2, FORM_ABSOLUTE},
    {242, REG_U16, Q_CURRENT_NEUTRAL, 1, FORM_ABSOLUTE},
    {243, REG_U16, Q_METER_VOLTAGE_L1, 1, FORM_ABSOLUTE},
    {244, REG_U16, Q_METER_VOLTAGE_L2, 1, FORM_ABSOLUTE},
    {245, REG_U16, Q_METER_VOLTAGE_L3, 1, FORM_ABSOLUTE},
    {246, REG_U16, Q_LINE_VOLTAGE_L12, 1, FORM_ABSOLUTE},
    {247, REG_U16, Q_LINE_VOLTAGE_L32, 1, FORM_ABSOLUTE},
    {248, REG_U16, Q_LINE_VOLTAGE_L31, 1, FORM_ABSOLUTE},
    {249, REG_U16, Q_CURRENT_L1, 1, FORM_ABSOLUTE},
    {250, REG_U16, Q_CURRENT_L2, 1, FORM_ABSOLUTE},
    {251, REG_U16, Q_CURRENT_L3, 1, FORM_ABSOLUTE},
    {252, REG_U16, Q_FREQUENCY, 2, FORM_ABSOLUTE},
    AT(253, REG_S32, Q_POWER_L1, 0),
    AT(255, REG_S32, Q_POWER_L2, 0),
    AT(257, REG_S32, Q_POWER_L3, 0),
    AT(259, REG_S32, Q_POWER, 0),
    AT(261, REG_S32, Q_REACTIVE_L1, 0),
    AT(263, REG_S32, Q_REACTIVE_L2, 0),
    AT(265, REG_S32, Q_REACTIVE_L3, 0),
    AT(267, REG_S32, Q_REACTIVE, 0),
    AT(269, REG_S32, Q_APPARENT_L1, 0),
    AT(271, REG_S32, Q_APPARENT_L2, 0),
    AT(273, REG_S32, Q_APPARENT_L3, 0),
    AT(275, REG_S32, Q_APPARENT, 0),
    AT(277, REG_S16, Q_POWER_FACTOR_L1, 3),
    AT(278, REG_S16, Q_POWER_FACTOR_L2, 3),
    AT(279, REG_S16, Q_POWER_FACTOR_L3, 3),
    AT(280, REG_S16, Q_POWER_FACTOR, 3),
    AT(365, REG_S32, Q_ENERGY_IMPORT, -3),
    AT(367, REG_S32, Q_ENERGY_EXPORT, -3),
};
/* clang-format on */

/* 9600 8E1 at address 1; 400 V and 100 A at the primary, which makes 0.1 V, 0.1 A and 1 W. */
static const struct word identity[] = {
    {0, 1},   {1, 1},       {2, 2},       {3, 1},       {4, 1},       {6, 40},
    {7, 100}, {14, 0x3DCC}, {15, 0xCCCD}, {16, 0x3DCC}, {17, 0xCCCD}, {18, 0x3F80},
};

/* Inverters may refuse a grid of 0 Hz. */
static const struct subject meter = {
    .map = &map_acrel_acr10rh,
    .name = "Acrel-ACR10RH",
    .short_name = "acr10rh",
    .input = {PLACES(places), WORDS(identity)},
};

/* What a real meter measured, at the bus of an AlphaESS inverter. */
static const struct known captured[] = {
    {Q_METER_VOLTAGE_L1, 239700},
    {Q_METER_VOLTAGE_L2, 236700},
    {Q_METER_VOLTAGE_L3, 231800},
    {Q_LINE_VOLTAGE_L12, 412500},
    {Q_LINE_VOLTAGE_L32, 405700},
    {Q_LINE_VOLTAGE_L31, 408300},
    {Q_CURRENT_L1, 1200},
    {Q_CURRENT_L2, 1900},
    {Q_CURRENT_L3, 900},
    {Q_FREQUENCY, 50000},
    {Q_POWER_L1, 134},
    {Q_POWER_L2, 255},
    {Q_POWER_L3, 28},
    {Q_POWER, 418},
    {Q_REACTIVE_L1, -255},
    {Q_REACTIVE_L2, -321},
    {Q_REACTIVE_L3, -224},
    {Q_REACTIVE, -803},
    {Q_APPARENT_L1, 299},
    {Q_APPARENT_L2, 464},
    {Q_APPARENT_L3, 226},
    {Q_APPARENT, 987},
    {Q_POWER_FACTOR_L1, 457},
    {Q_POWER_FACTOR_L2, 553},
    {Q_POWER_FACTOR_L3, 130},
    {Q_POWER_FACTOR, 425},
};

/* And what it answered from 0xF3 on. */
static const uint16_t capture[] = {
    0x095D, 0x093F, 0x090E, 0x101D, 0x0FD9, 0x0FF3, 0x000C, 0x0013, 0x0009, 0x1388,
    0x0000, 0x0086, 0x0000, 0x00FF, 0x0000, 0x001C, 0x0000, 0x01A2, 0xFFFF, 0xFF01,
    0xFFFF, 0xFEBF, 0xFFFF, 0xFF20, 0xFFFF, 0xFCDD, 0x0000, 0x012B, 0x0000, 0x01D0,
    0x0000, 0x00E2, 0x0000, 0x03DB, 0x01C9, 0x0229, 0x0082, 0x01A9,
};

static void assert_words(const uint8_t *bytes, const uint16_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(bytes[2 * i] << 8 | bytes[2 * i + 1], words[i]);
}

static void alphaess_reads_what_a_real_meter_answered(void **unused)
{
    (void)unused;
    static const uint8_t values[] = {0x05, 0x03, 0x00, 0xF3, 0x00, 0x26, 0x35, 0xA7};
    static const uint8_t first_half[] = {0x05, 0x03, 0x00, 0xF2, 0x00, 0x13, 0xA4, 0x70};
    struct bench b;
    begin_with(&b, &map_acrel_acr10rh, captured, COUNT(captured));
    struct answer a = ask_frame(&b, values, sizeof values);
    assert_int_equal(a.n, 2 + sizeof capture);
    assert_words(a.pdu + 2, capture, COUNT(capture));
    a = ask_frame(&b, first_half, sizeof first_half);
    assert_int_equal(a.n, 2 + 2 * 19);
    assert_words(a.pdu + 2, (const uint16_t[]){0}, 1); /* no neutral current */
    assert_words(a.pdu + 4, capture, 18);
}

/* Solis, set to "Acrel 3 phase", takes an exception for a lost meter; it also asks for what the one-phase type has,
 * from 0 on, most of which is not there. */
static void solis_gets_no_exception(void **unused)
{
    (void)unused;
    static const struct exchange polls[] = {
        {1, 0x03, 243, 3, REG_U16, {2397, 2367, 2318}},
        {1, 0x03, 249, 4, REG_U16, {12, 19, 9, 5000}},
        {1, 0x03, 253, 8, REG_S32, {134, 255, 28, 418}},
        {1, 0x03, 277, 4, REG_S16, {457, 553, 130, 425}},
    };
    static const uint16_t from_zero[] = {65, 0x65};
    struct bench b;
    begin_with(&b, &map_acrel_acr10rh, captured, COUNT(captured));
    check_exchanges(&b, polls, COUNT(polls));
    for (size_t i = 0; i < COUNT(from_zero); i++) {
        struct answer a = read_words(&b, 1, 0x03, 0, from_zero[i]);
        assert_words(a.pdu + 2 + 2 * 14, (const uint16_t[]){0x3DCC, 0xCCCD}, 2);
        assert_words(a.pdu + 2 + 2 * 20, (const uint16_t[45]){0}, 45);
    }
}

static void one_phase_and_three_share_a_reading(void **unused)
{
    (void)unused;
    static const struct exchange polls[] = {
        {1, 0x04, 71, 8, REG_F32, {1234.567, 765.432, 0, 0}},
        {1, 0x04, 97, 1, REG_U16, {2301}},
        {1, 0x04, 100, 1, REG_U16, {650}},
        {1, 0x04, 103, 1, REG_S16, {-1490}},
        {1, 0x04, 115, 1, REG_U16, {99}},
        {1, 0x04, 249, 1, REG_U16, {65}},
        {1, 0x04, 277, 1, REG_S16, {-990}},
        {1, 0x04, 365, 4, REG_S32, {1235, 765}},
    };
    static const struct known exporting[] = {
        {Q_METER_VOLTAGE_L1, 230100}, {Q_CURRENT_L1, -6500},      {Q_POWER_L1, -1490},
        {Q_POWER_FACTOR_L1, -990},    {Q_ENERGY_IMPORT, 1234567}, {Q_ENERGY_EXPORT, 765432},
    };
    struct bench b;
    begin_with(&b, &map_acrel_acr10rh, exporting, COUNT(exporting));
    check_exchanges(&b, polls, COUNT(polls));
}

static void settings_are_staged(void **unused)
{
    (void)unused;
    static const struct write writes[] = {
        {WRITE_MANY_ONE(0, 5), 0, SETTING_ADDRESS, 5},
        {WRITE_ONE(0, 247), 0, SETTING_ADDRESS, 247},
        {WRITE_ONE(0, 0), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 247},
        {WRITE_ONE(0, 248), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 247},
        {WRITE_ONE(1, 0), 0, SETTING_BAUD, 4800},
        {WRITE_ONE(1, 1), 0, SETTING_BAUD, 9600},
        {WRITE_ONE(1, 2), 0, SETTING_BAUD, 19200},
        {WRITE_ONE(1, 3), 0, SETTING_BAUD, 38400},
        {WRITE_ONE(1, 4), 0, SETTING_BAUD, 2400},
        {WRITE_ONE(1, 5), 0, SETTING_BAUD, 1200},
        {WRITE_ONE(1, 6), MODBUS_ILLEGAL_VALUE, SETTING_BAUD, 1200},
        {WRITE_ONE(2, 0), 0, SETTING_PARITY, 0},
        {WRITE_ONE(2, 1), MODBUS_ILLEGAL_VALUE, SETTING_PARITY, 0},
        {WRITE_ONE(2, 2), 0, SETTING_PARITY, 1},
        {WRITE_ONE(2, 3), MODBUS_ILLEGAL_VALUE, SETTING_PARITY, 1},
        {WRITE_FLOAT(0, 0x00070001), 0, SETTING_ADDRESS, 7}, /* address and speed at once */
        {WRITE_FLOAT(0, 0x00080009), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 7}, /* or not at all */
        {WRITE_ONE(3, 0), 0, SETTING_ACCEPTED, 0},
        {WRITE_ONE(4, 2), 0, SETTING_ACCEPTED, 0},
        {WRITE_FLOAT(5, 0x00010064), 0, SETTING_ACCEPTED, 0},
        {WRITE_MANY_ONE(7, 250), 0, SETTING_ACCEPTED, 0},
        {WRITE_ONE(8, 1), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 7},
        {WRITE_FLOAT(14, 0x3F800000), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 7},
    };
    struct bench b;
    begin(&b, &map_acrel_acr10rh);
    check_writes(&b, writes, COUNT(writes));
    assert_int_equal(b.device.setting[SETTING_BAUD], 9600);
    show(&b);
    assert_int_equal(word_at(&b, 7), 100); /* the scale stays what it is */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF_ZEROS(meter),
        cmocka_unit_test(alphaess_reads_what_a_real_meter_answered),
        cmocka_unit_test(solis_gets_no_exception),
        cmocka_unit_test(one_phase_and_three_share_a_reading),
        cmocka_unit_test(settings_are_staged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
