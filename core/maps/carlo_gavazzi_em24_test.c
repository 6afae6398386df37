#include "maps_kit_test.h"

/* clang-format off */
/* The maker's table, in its order. */
static const struct place places[] = {
    AT(0x00, REG_S32, Q_VOLTAGE_L1, 1), AT(0x02, REG_S32, Q_VOLTAGE_L2, 1), AT(0x04, REG_S32, Q_VOLTAGE_L3, 1),
    AT(0x06, REG_S32, Q_LINE_VOLTAGE_L12, 1), AT(0x08, REG_S32, Q_LINE_VOLTAGE_L32, 1),
    AT(0x0A, REG_S32, Q_LINE_VOLTAGE_L31, 1),
    AT(0x0C, REG_S32, Q_CURRENT_L1, 3), AT(0x0E, REG_S32, Q_CURRENT_L2, 3), AT(0x10, REG_S32, Q_CURRENT_L3, 3),
    AT(0x12, REG_S32, Q_POWER_L1, 1), AT(0x14, REG_S32, Q_POWER_L2, 1), AT(0x16, REG_S32, Q_POWER_L3, 1),
    AT(0x18, REG_S32, Q_APPARENT_L1, 1), AT(0x1A, REG_S32, Q_APPARENT_L2, 1), AT(0x1C, REG_S32, Q_APPARENT_L3, 1),
    AT(0x1E, REG_S32, Q_REACTIVE_L1, 1), AT(0x20, REG_S32, Q_REACTIVE_L2, 1), AT(0x22, REG_S32, Q_REACTIVE_L3, 1),
    AT(0x24, REG_S32, Q_VOLTAGE_MEAN_LN, 1),   AT(0x26, REG_S32, Q_VOLTAGE_MEAN_LL, 1),
    AT(0x28, REG_S32, Q_POWER, 1), AT(0x2A, REG_S32, Q_APPARENT, 1), AT(0x2C, REG_S32, Q_REACTIVE, 1),
    AT(0x2E, REG_S16, Q_POWER_FACTOR_L1, 3), AT(0x2F, REG_S16, Q_POWER_FACTOR_L2, 3),
    AT(0x30, REG_S16, Q_POWER_FACTOR_L3, 3), AT(0x31, REG_S16, Q_POWER_FACTOR, 3),
    AT(0x33, REG_S16, Q_FREQUENCY, 1),
    AT(0x34, REG_S32, Q_ENERGY_IMPORT, -2),    AT(0x36, REG_S32, Q_REACTIVE_ENERGY_IMPORT, -2),
    AT(0x38, REG_S32, Q_DEMAND_QUARTER, 1),
    AT(0x46, REG_S32, Q_ENERGY_IMPORT_T1, -2), AT(0x48, REG_S32, Q_ENERGY_IMPORT_T2, -2),
    AT(0x4A, REG_S32, Q_ENERGY_IMPORT_T3, -2), AT(0x4C, REG_S32, Q_ENERGY_IMPORT_T4, -2),
    AT(0x4E, REG_S32, Q_ENERGY_EXPORT, -2),    AT(0x50, REG_S32, Q_REACTIVE_ENERGY_EXPORT, -2),
};
/* clang-format on */

/* The serial number is that of the kit; 0x000B is the identification code. */
static const struct word identity[] = {
    {0x000B, 1650},   {0x0302, 0x1000}, {0x0304, 0x1803}, {0x5000, 0x3030},
    {0x5001, 0x3132}, {0x5002, 0x3334}, {0x5003, 0x3536}, {0x5004, 0x3738},
    {0x5005, 0x3930}, {0xA000, 7},      {0xA100, 3},
};

static const struct subject meter = {
    .map = &map_carlo_gavazzi_em24,
    .name = "CarloGavazzi-EM24",
    .short_name = "em24",
    .input = {PLACES(places), WORDS(identity)},
};

static void low_words_come_first(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_carlo_gavazzi_em24);
    assert_int_equal(map_carlo_gavazzi_em24.word_order, WORD_ORDER_SWAPPED);
    reading_set(&b.reading, Q_POWER, -6553);
    reading_set(&b.reading, Q_POWER_L1, 6554);
    show(&b);
    assert_answer(ask_words(&b, 1, 4, 0x28, 2), 4, 4, 0x00, 0x06, 0xFF, 0xFF);
    assert_answer(ask_words(&b, 1, 3, 0x12, 2), 3, 4, 0x00, 0x04, 0x00, 0x01);
}

/* What Victron's GX devices ask for, request by request: identity, application, info, data. */
static void a_victron_gx_takes_it_for_an_em24(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_carlo_gavazzi_em24);
    b.reading.phases = 3;
    reading_set(&b.reading, Q_VOLTAGE_L1, 230100);
    reading_set(&b.reading, Q_VOLTAGE_L2, 229500);
    reading_set(&b.reading, Q_VOLTAGE_L3, 231700);
    reading_set(&b.reading, Q_CURRENT_L1, 4000);
    reading_set(&b.reading, Q_POWER, -1234);
    reading_set(&b.reading, Q_ENERGY_IMPORT, 12345678);
    reading_set(&b.reading, Q_ENERGY_EXPORT, 100);
    show(&b);
    check_scan(&b);
    assert_answer(ask_words(&b, 1, 3, 0x000B, 1), 3, 2, 0x06, 0x72);
    assert_answer(ask_words(&b, 1, 3, 0xA000, 1), 3, 2, 0, 7);
    assert_answer(ask_words(&b, 1, 3, 0x0302, 1), 3, 2, 0x10, 0x00);
    assert_answer(ask_words(&b, 1, 3, 0x0304, 1), 3, 2, 0x18, 0x03);
    assert_answer(ask_words(&b, 1, 3, 0x1002, 1), 3, 2, 0, 0);
    assert_answer(ask_words(&b, 1, 3, 0x5000, 7), 3, 14, '0', '0', '1', '2', '3', '4', '5', '6',
                  '7', '8', '9', '0', 0, 0);
    struct answer data = ask_words(&b, 1, 3, 0x0000, 0x50);
    assert_int_equal(data.n, 2 + 160);
    static const uint8_t voltages[] = {0x08, 0xFD, 0, 0, 0x08, 0xF7, 0, 0, 0x09, 0x0D, 0, 0};
    assert_memory_equal(data.pdu + 2, voltages, sizeof voltages);
    static const uint8_t current[] = {0x0F, 0xA0, 0, 0};
    assert_memory_equal(data.pdu + 2 + 2 * 0x0C, current, sizeof current);
    static const uint8_t power[] = {0xCF, 0xCC, 0xFF, 0xFF};
    assert_memory_equal(data.pdu + 2 + 2 * 0x28, power, sizeof power);
    assert_answer(ask_words(&b, 1, 3, 0x32, 4), 3, 8, 0, 0, 0, 0, 0xE2, 0x41, 0x00, 0x01);
    assert_answer(ask_words(&b, 1, 3, 0x4E, 2), 3, 4, 0, 1, 0, 0);
    assert_answer(ask_words(&b, 1, 3, 0xA100, 1), 3, 2, 0, 3);
}

static void the_application_can_be_written_and_stays_h(void **unused)
{
    (void)unused;
    static const uint8_t by_16[] = {0x10, 0xA0, 0x00, 0, 1, 2, 0, 7};
    struct bench b;
    begin(&b, &map_carlo_gavazzi_em24);
    assert_answer(ask(&b, 1, by_16, sizeof by_16), 0x90, MODBUS_ILLEGAL_FUNCTION);
    assert_answer(ask_words(&b, 1, 6, 0xA000, 7), 6, 0xA0, 0x00, 0, 7);
    assert_answer(ask_words(&b, 1, 6, 0xA000, 0), 6, 0xA0, 0x00, 0, 0);
    show(&b);
    assert_answer(ask_words(&b, 1, 3, 0xA000, 1), 3, 2, 0, 7);
    assert_answer(ask_words(&b, 1, 6, 0xA100, 0), 0x86, MODBUS_ILLEGAL_ADDRESS);
    assert_answer(ask_words(&b, 1, 6, 0x0028, 0), 0x86, MODBUS_ILLEGAL_ADDRESS);
    b.bank.writable = NULL; /* as over TCP, unless it is allowed */
    assert_answer(ask_words(&b, 1, 6, 0xA000, 7), 0x86, MODBUS_ILLEGAL_FUNCTION);
}

static uint16_t system_shown(struct bench *b, uint8_t phases, enum reading_grid grid)
{
    b->reading.phases = phases;
    b->reading.grid = (uint8_t)grid;
    show(b);
    return word_at(b, 0x1002);
}

static void the_measuring_system_follows_the_connection(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_carlo_gavazzi_em24);
    assert_int_equal(system_shown(&b, 3, GRID_STAR), 0);
    assert_int_equal(system_shown(&b, 1, GRID_STAR), 3);
    assert_int_equal(system_shown(&b, 3, GRID_DELTA), 4);
    assert_int_equal(system_shown(&b, 0, GRID_UNKNOWN), 0);
    assert_answer(ask_words(&b, 1, 6, 0x1002, 3), 6, 0x10, 0x02, 0, 3);
    assert_int_equal(system_shown(&b, 3, GRID_STAR), 3);
    assert_answer(ask_words(&b, 1, 6, 0x1002, 1), 0x86, MODBUS_ILLEGAL_VALUE); /* 3P.1 */
}

/* The high word of U31 and not the identification code, so that nobody is told of 10,813,440 V. */
static void the_line_voltage_l31_is_whole(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_carlo_gavazzi_em24);
    reading_set(&b.reading, Q_LINE_VOLTAGE_L31, 398700);
    show(&b);
    assert_answer(ask_words(&b, 1, 4, 0x0A, 2), 4, 4, 0x0F, 0x93, 0, 0);
    assert_answer(ask_words(&b, 1, 4, 0x0B, 2), 4, 4, 0, 0, 0, 0);
    assert_answer(ask_words(&b, 1, 4, 0x08, 6), 4, 12, 0, 0, 0, 0, 0x0F, 0x93, 0, 0, 0, 0, 0, 0);
}

static void it_is_known_while_the_meter_is_silent(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_carlo_gavazzi_em24);
    b.bank.refusal = MODBUS_TARGET_SILENT;
    for (uint8_t code = 3; code <= 4; code++)
        assert_answer(ask_words(&b, 1, code, 0x000B, 1), code, 2, 0x06, 0x72);
    assert_answer(ask_words(&b, 1, 3, 0x000A, 2), 0x83, 0x0B);
    assert_answer(ask_words(&b, 1, 3, 0x000A, 1), 0x83, 0x0B);
}

static void what_no_telegram_says_reads_unknown(void **unused)
{
    (void)unused;
    static const uint16_t at[] = {0x3A, 0x3C, 0x3E, 0x40, 0x42, 0x44};
    struct bench b;
    begin(&b, &map_carlo_gavazzi_em24);
    for (size_t i = 0; i < COUNT(at); i++)
        assert_int_equal(number_at(&b, at[i], 2), 0);
    b.style.unknown = UNKNOWN_NAN;
    show(&b);
    for (size_t i = 0; i < COUNT(at); i++)
        assert_int_equal(number_at(&b, at[i], 2), 0x7FFFFFFF);
    b.style.nominal_hz = 50;
    show(&b);
    assert_int_equal(word_at(&b, 0x33), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF_ZEROS(meter),
        cmocka_unit_test(low_words_come_first),
        cmocka_unit_test(a_victron_gx_takes_it_for_an_em24),
        cmocka_unit_test(the_application_can_be_written_and_stays_h),
        cmocka_unit_test(the_measuring_system_follows_the_connection),
        cmocka_unit_test(the_line_voltage_l31_is_whole),
        cmocka_unit_test(it_is_known_while_the_meter_is_silent),
        cmocka_unit_test(what_no_telegram_says_reads_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
