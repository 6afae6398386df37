#include "inepro_kit_test.h"

static const struct place places[] = {INEPRO_PLACES(FORM_ABSOLUTE)};

/* What a CSMB tells of itself; the serial number is that of the kit, 234567890. */
static const struct word identity[] = {
    {0x4000, 0x0DFB}, {0x4001, 0x38D2}, {0x4002, 20802},
    {0x4003, 1},      {0x4004, 9600},   {0x4005, 0x3F80}, /* 1.0 */
    {0x4007, 0x4000},                                     /* 2.0 */
    {0x400B, 80},     {0x400C, 2000},   {0x400D, 36},
};

static const struct subject meter = {
    .map = &map_xemex,
    .name = "Xemex",
    .short_name = "xemex",
    .input = {PLACES(places), WORDS(identity)},
};

/* A charger of Shell Recharge asks for the device code until it likes it, then every 2 s for the currents. */
static void shell_recharge_finds_its_meter(void **unused)
{
    (void)unused;
    static const uint8_t probe[] = {0x01, 0x03, 0x40, 0x02, 0x00, 0x01, 0x30, 0x0A};
    static const uint8_t probe_answer[] = {0x01, 0x03, 0x02, 0x51, 0x42, 0x05, 0xE5};
    static const uint8_t poll[] = {0x01, 0x03, 0x50, 0x0C, 0x00, 0x06, 0x14, 0xCB};
    static const uint8_t poll_answer[] = {0x01, 0x03, 0x0C, 0x40, 0x80, 0x00, 0x00, 0x41, 0x80,
                                          0x00, 0x00, 0x3F, 0x00, 0x00, 0x00, 0x73, 0xAD};
    static const struct known amperes[] = {
        {Q_CURRENT_L1, 4000}, {Q_CURRENT_L2, 16000}, {Q_CURRENT_L3, 500}};
    struct bench b;
    begin(&b, &map_xemex);
    for (int i = 0; i < 3; i++)
        check_golden(&b, probe, sizeof probe, probe_answer, sizeof probe_answer);
    know(&b, amperes, COUNT(amperes));
    for (int i = 0; i < 3; i++)
        check_golden(&b, poll, sizeof poll, poll_answer, sizeof poll_answer);
}

/* The charger takes what it reads for load, so export must not look like less of it than there is. */
static void currents_have_no_sign(void **unused)
{
    (void)unused;
    static const struct exchange poll[] = {
        {1, 0x03, 0x500C, 6, REG_F32, {7.5, 16, 3}},
        {1, 0x04, 0x500C, 6, REG_F32, {7.5, 16, 3}},
    };
    static const struct known exporting[] = {
        {Q_CURRENT_L1, -7500}, {Q_CURRENT_L2, 16000}, {Q_CURRENT_L3, 3000},
        {Q_POWER_L1, -1700},   {Q_POWER_L2, -3680},   {Q_POWER_L3, 690},
    };
    struct bench b;
    begin_with(&b, &map_xemex, exporting, COUNT(exporting));
    check_exchanges(&b, poll, COUNT(poll));
}

static void settings_are_staged(void **unused)
{
    (void)unused;
    static const struct write writes[] = {
        {WRITE_ONE(0x4003, 16), 0, SETTING_ADDRESS, 16},
        {WRITE_ONE(0x4003, 0), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 16},
        {WRITE_ONE(0x4003, 248), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 16},
        {WRITE_ONE(0x400D, 4), 0, SETTING_PARITY, 0},
        {WRITE_ONE(0x400D, 36), 0, SETTING_PARITY, 1},
        {WRITE_ONE(0x400D, 1), MODBUS_ILLEGAL_VALUE, SETTING_PARITY, 1},
        {WRITE_ONE(0x400E, 1), 0, SETTING_TERMINATION, 1},
        {WRITE_ONE(0x400E, 2), MODBUS_ILLEGAL_VALUE, SETTING_TERMINATION, 1},
        {WRITE_ONE(0x4004, 19200), 0, SETTING_BAUD, 19200},
        {WRITE_ONE(0x400F, 2), MODBUS_ILLEGAL_VALUE, SETTING_BAUD_HIGH, 0},
        {WRITE_MANY_ONE(0x4003, 5), MODBUS_ILLEGAL_FUNCTION, SETTING_ADDRESS, 16},
        {WRITE_ONE(0x4000, 5), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 16},
        {WRITE_ONE(0x4002, 5), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 16},
        {WRITE_ONE(0x400C, 5), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 16},
        {WRITE_ONE(0x4010, 5), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 16},
    };
    struct bench b;
    begin(&b, &map_xemex);
    check_writes(&b, writes, COUNT(writes));
}

/* 115200 is 1 and 49664: two writes, between which the speed is the old one. */
static void the_baud_rate_comes_in_halves(void **unused)
{
    (void)unused;
    static const struct write writes[] = {
        {WRITE_ONE(0x400F, 1), 0, SETTING_BAUD_HIGH, 1},
        {WRITE_ONE(0x4004, 49664), 0, SETTING_BAUD_LOW, 49664},
    };
    struct bench b;
    begin(&b, &map_xemex);
    check_writes(&b, writes, 1);
    assert_int_equal(b.device.setting[SETTING_BAUD], 9600);
    check_writes(&b, writes + 1, 1);
    assert_int_equal(b.device.setting[SETTING_BAUD], 115200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF_ZEROS(meter),
        cmocka_unit_test(shell_recharge_finds_its_meter),
        cmocka_unit_test(currents_have_no_sign),
        cmocka_unit_test(settings_are_staged),
        cmocka_unit_test(the_baud_rate_comes_in_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
