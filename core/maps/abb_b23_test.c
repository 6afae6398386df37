#include "maps_kit_test.h"

/* clang-format off */
/* The maker's table, in its order. */
static const struct place places[] = {
    AT(0x5000, REG_U64, Q_ENERGY_IMPORT, -1),    AT(0x5004, REG_U64, Q_ENERGY_EXPORT, -1),
    AT(0x5B00, REG_U32, Q_VOLTAGE_L1, 1), AT(0x5B02, REG_U32, Q_VOLTAGE_L2, 1), AT(0x5B04, REG_U32, Q_VOLTAGE_L3, 1),
    AT(0x5B06, REG_U32, Q_LINE_VOLTAGE_L12, 1), AT(0x5B08, REG_U32, Q_LINE_VOLTAGE_L32, 1),
    AT(0x5B0A, REG_U32, Q_LINE_VOLTAGE_L31, 1),
    {0x5B0C, REG_U32, Q_CURRENT_L1, 2, FORM_ABSOLUTE}, {0x5B0E, REG_U32, Q_CURRENT_L2, 2, FORM_ABSOLUTE},
    {0x5B10, REG_U32, Q_CURRENT_L3, 2, FORM_ABSOLUTE}, {0x5B12, REG_U32, Q_CURRENT_NEUTRAL, 2, FORM_ABSOLUTE},
    AT(0x5B14, REG_S32, Q_POWER, 2),
    AT(0x5B16, REG_S32, Q_POWER_L1, 2), AT(0x5B18, REG_S32, Q_POWER_L2, 2), AT(0x5B1A, REG_S32, Q_POWER_L3, 2),
    AT(0x5B1C, REG_S32, Q_REACTIVE, 2),
    AT(0x5B1E, REG_S32, Q_REACTIVE_L1, 2), AT(0x5B20, REG_S32, Q_REACTIVE_L2, 2), AT(0x5B22, REG_S32, Q_REACTIVE_L3, 2),
    AT(0x5B24, REG_S32, Q_APPARENT, 2),
    AT(0x5B26, REG_S32, Q_APPARENT_L1, 2), AT(0x5B28, REG_S32, Q_APPARENT_L2, 2), AT(0x5B2A, REG_S32, Q_APPARENT_L3, 2),
    AT(0x5B2C, REG_U16, Q_FREQUENCY, 2),
    AT(0x5B3A, REG_S16, Q_POWER_FACTOR, 3),
    AT(0x5B3B, REG_S16, Q_POWER_FACTOR_L1, 3), AT(0x5B3C, REG_S16, Q_POWER_FACTOR_L2, 3),
    AT(0x5B3D, REG_S16, Q_POWER_FACTOR_L3, 3),
};
/* clang-format on */

/* 234567890, "B1.0.0" and "B23 ". */
static const struct word identity[] = {
    {0x8900, 0x0DFB}, {0x8901, 0x38D2}, {0x8908, 0x4231}, {0x8909, 0x2E30},
    {0x890A, 0x2E30}, {0x8960, 0x4232}, {0x8961, 0x3320},
};

static const struct subject meter = {
    .map = &map_abb_b23,
    .name = "ABB-B23",
    .short_name = "b23",
    .input = {PLACES(places), WORDS(identity)},
};

/* An export of 1234 W on L1 with currents that are set to be signed. */
static void begin_exporting(struct bench *b)
{
    begin(b, &map_abb_b23);
    reading_set(&b->reading, Q_VOLTAGE_L1, 230100);
    reading_set(&b->reading, Q_CURRENT_L1, -5360);
    reading_set(&b->reading, Q_CURRENT_L2, 0);
    reading_set(&b->reading, Q_CURRENT_L3, 16000);
    reading_set(&b->reading, Q_POWER, 2450);
    reading_set(&b->reading, Q_POWER_L1, -1234);
    reading_set(&b->reading, Q_POWER_L2, 0);
    reading_set(&b->reading, Q_POWER_L3, 3684);
    reading_set(&b->reading, Q_ENERGY_IMPORT, INT64_C(56500909));
    reading_set(&b->reading, Q_ENERGY_EXPORT, 1000000);
    show(b);
}

static void high_words_come_first_and_currents_have_no_sign(void **unused)
{
    (void)unused;
    struct bench b;
    begin_exporting(&b);
    assert_int_equal(map_abb_b23.word_order, WORD_ORDER_NORMAL);
    assert_int_equal(number_at(&b, 0x5B0C, 2), 536);
    assert_int_equal(number_at(&b, 0x5B10, 2), 1600);
    assert_int_equal(number_at(&b, 0x5B16, 2), (uint32_t)-123400);
}

static void a_victron_gx_takes_it_for_a_b23(void **unused)
{
    (void)unused;
    struct bench b;
    begin_exporting(&b);
    check_scan(&b);
    for (uint8_t unit = 1; unit <= 2; unit++) {
        assert_answer(ask_words(&b, unit, 3, 0x8960, 2), 3, 4, 0x42, 0x32, 0x33, 0x20);
        assert_answer(ask_words(&b, unit, 3, 0x8900, 2), 3, 4, 0x0D, 0xFB, 0x38, 0xD2);
        assert_answer(ask_words(&b, unit, 3, 0x8908, 8), 3, 16, 'B', '1', '.', '0', '.', '0', 0, 0,
                      0, 0, 0, 0, 0, 0, 0, 0);
        assert_answer(ask_words(&b, unit, 3, 0x5B14, 8), 3, 16, 0x00, 0x03, 0xBD, 0x08, 0xFF, 0xFE,
                      0x1D, 0xF8, 0, 0, 0, 0, 0x00, 0x05, 0x9F, 0x10);
        assert_answer(ask_words(&b, unit, 3, 0x5B2C, 1), 3, 2, 0, 0);
        assert_answer(ask_words(&b, unit, 3, 0x5000, 8), 3, 16, 0, 0, 0, 0, 0x00, 0x56, 0x36, 0xAB,
                      0, 0, 0, 0, 0x00, 0x01, 0x86, 0xA0);
        assert_answer(ask_words(&b, unit, 3, 0x5B00, 2), 3, 4, 0, 0, 0x08, 0xFD);
        assert_int_equal(ask_words(&b, unit, 3, 0x5460, 24).n, 2 + 48);
    }
}

static void smartevse_reads_currents_and_powers_at_once(void **unused)
{
    (void)unused;
    struct bench b;
    begin_exporting(&b);
    assert_answer(ask_words(&b, 10, 3, 0x5B0C, 16), 3, 32, 0, 0, 0x02, 0x18, 0, 0, 0, 0, 0, 0, 0x06,
                  0x40, 0, 0, 0, 0, 0x00, 0x03, 0xBD, 0x08, 0xFF, 0xFE, 0x1D, 0xF8, 0, 0, 0, 0,
                  0x00, 0x05, 0x9F, 0x10);
}

static void openwb_reads_it_part_by_part(void **unused)
{
    (void)unused;
    struct bench b;
    begin_exporting(&b);
    b.style.unknown = UNKNOWN_NAN;
    show(&b);
    assert_answer(ask_words(&b, 201, 3, 0x8900, 2), 3, 4, 0x0D, 0xFB, 0x38, 0xD2);
    assert_answer(ask_words(&b, 201, 3, 0x5B0C, 6), 3, 12, 0, 0, 0x02, 0x18, 0, 0, 0, 0, 0, 0, 0x06,
                  0x40);
    assert_answer(ask_words(&b, 201, 3, 0x5B14, 8), 3, 16, 0x00, 0x03, 0xBD, 0x08, 0xFF, 0xFE, 0x1D,
                  0xF8, 0, 0, 0, 0, 0x00, 0x05, 0x9F, 0x10);
    assert_answer(ask_words(&b, 201, 3, 0x5B00, 6), 3, 12, 0, 0, 0x08, 0xFD, 0xFF, 0xFF, 0xFF, 0xFF,
                  0xFF, 0xFF, 0xFF, 0xFF);
    assert_answer(ask_words(&b, 201, 3, 0x5B2C, 1), 3, 2, 0xFF, 0xFF);
    assert_answer(ask_words(&b, 201, 3, 0x5B3B, 3), 3, 6, 0x7F, 0xFF, 0x7F, 0xFF, 0x7F, 0xFF);
}

static void what_no_telegram_says_reads_unknown(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_abb_b23);
    for (uint32_t at = 0x5460; at <= 0x5474; at += 4)
        assert_true(number_at(&b, at, 4) == 0);
    b.style.unknown = UNKNOWN_NAN;
    show(&b);
    for (uint32_t at = 0x5460; at <= 0x5474; at += 4)
        assert_true(number_at(&b, at, 4) == UINT64_MAX);
}

static void it_is_known_while_the_meter_is_silent(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_abb_b23);
    b.bank.refusal = MODBUS_TARGET_SILENT;
    assert_answer(ask_words(&b, 1, 3, 0x8960, 2), 3, 4, 0x42, 0x32, 0x33, 0x20);
    assert_answer(ask_words(&b, 1, 3, 0x5B14, 2), 0x83, 0x0B);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF_ZEROS(meter),
        cmocka_unit_test(high_words_come_first_and_currents_have_no_sign),
        cmocka_unit_test(a_victron_gx_takes_it_for_a_b23),
        cmocka_unit_test(smartevse_reads_currents_and_powers_at_once),
        cmocka_unit_test(openwb_reads_it_part_by_part),
        cmocka_unit_test(what_no_telegram_says_reads_unknown),
        cmocka_unit_test(it_is_known_while_the_meter_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
