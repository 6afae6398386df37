#include "maps_kit_test.h"

/* clang-format off */
/* The table of the Smart Connect manual V1.8, section 5.3, in its order. */
static const struct place places[] = {
    AT_F32(0x8006, Q_METER_VOLTAGE_L1),    AT_F32(0x8008, Q_METER_VOLTAGE_L2),    AT_F32(0x800A, Q_METER_VOLTAGE_L3),
    AT_F32(0x800E, Q_CURRENT_L1),          AT_F32(0x8010, Q_CURRENT_L2),          AT_F32(0x8012, Q_CURRENT_L3),
    AT_F32(0x8016, Q_POWER),               AT_F32(0x8018, Q_REACTIVE),            AT_F32(0x801A, Q_APPARENT),
    AT_F32(0x801C, Q_POWER_FACTOR),
    AT_F32(0x801E, Q_POWER_L1),            AT_F32(0x8020, Q_POWER_L2),            AT_F32(0x8022, Q_POWER_L3),
    AT_F32(0x8024, Q_REACTIVE_L1),         AT_F32(0x8026, Q_REACTIVE_L2),         AT_F32(0x8028, Q_REACTIVE_L3),
    AT_F32(0x802A, Q_APPARENT_L1),         AT_F32(0x802C, Q_APPARENT_L2),         AT_F32(0x802E, Q_APPARENT_L3),
    AT_F32(0x8100, Q_ENERGY_IMPORT),       AT_F32(0x8106, Q_ENERGY_EXPORT),
    AT_F32(0x8C00, Q_REACTIVE_IMPORT),     AT_F32(0x8C02, Q_REACTIVE_EXPORT),
    AT_F32(0x8C04, Q_REACTIVE_IMPORT_L1),  AT_F32(0x8C06, Q_REACTIVE_EXPORT_L1),
    AT_F32(0x8C08, Q_REACTIVE_IMPORT_L2),  AT_F32(0x8C0A, Q_REACTIVE_EXPORT_L2),
    AT_F32(0x8C0C, Q_REACTIVE_IMPORT_L3),  AT_F32(0x8C0E, Q_REACTIVE_EXPORT_L3),
    AT_F32(0x8C10, Q_REACTIVE_ENERGY_Q1),  AT_F32(0x8C12, Q_REACTIVE_ENERGY_Q2),
    AT_F32(0x8C14, Q_REACTIVE_ENERGY_Q3),  AT_F32(0x8C16, Q_REACTIVE_ENERGY_Q4),
    AT_F32(0x8C18, Q_VOLTAGE_SAGS_L1),     AT_F32(0x8C1A, Q_VOLTAGE_SAGS_L2),     AT_F32(0x8C1C, Q_VOLTAGE_SAGS_L3),
    AT_F32(0x8C1E, Q_VOLTAGE_SWELLS_L1),   AT_F32(0x8C20, Q_VOLTAGE_SWELLS_L2),   AT_F32(0x8C22, Q_VOLTAGE_SWELLS_L3),
    AT_F32(0x8C24, Q_POWER_FAILURES),      AT_F32(0x8C26, Q_LONG_POWER_FAILURES),
    AT_F32(0x8C28, Q_POWER_IMPORT),        AT_F32(0x8C2A, Q_POWER_EXPORT),
    AT_F32(0x8C2C, Q_POWER_IMPORT_L1),     AT_F32(0x8C2E, Q_POWER_EXPORT_L1),
    AT_F32(0x8C30, Q_POWER_IMPORT_L2),     AT_F32(0x8C32, Q_POWER_EXPORT_L2),
    AT_F32(0x8C34, Q_POWER_IMPORT_L3),     AT_F32(0x8C36, Q_POWER_EXPORT_L3),

    /* What the meter itself has besides; odd addresses from 0x8039 on. */
    AT_F32(0x8000, Q_LINE_VOLTAGE_L12),    AT_F32(0x8002, Q_LINE_VOLTAGE_L32),    AT_F32(0x8004, Q_LINE_VOLTAGE_L31),
    AT_F32(0x800C, Q_FREQUENCY),           AT_F32(0x8014, Q_CURRENT_NEUTRAL),
    AT_F32(0x8030, Q_POWER_FACTOR_L1),     AT_F32(0x8032, Q_POWER_FACTOR_L2),     AT_F32(0x8034, Q_POWER_FACTOR_L3),
    AT_F32(0x8039, Q_CURRENT_MEAN),        AT_F32(0x803B, Q_VOLTAGE_MEAN_LL),     AT_F32(0x803D, Q_VOLTAGE_MEAN_LN),
    AT_F32(0x803F, Q_REACTIVE),            AT_F32(0x8041, Q_APPARENT),            AT_F32(0x8043, Q_POWER_FACTOR),
    AT_F32(0x8102, Q_REACTIVE_ENERGY_IMPORT), AT_F32(0x8108, Q_REACTIVE_ENERGY_EXPORT),
    AT(0x8200, REG_U16, Q_TARIFF, 0),
    AT_F32(0x8201, Q_ENERGY_IMPORT_T1),    AT_F32(0x8203, Q_ENERGY_EXPORT_T1),
    AT_F32(0x820D, Q_ENERGY_IMPORT_T2),    AT_F32(0x820F, Q_ENERGY_EXPORT_T2),
    AT_F32(0x8219, Q_ENERGY_IMPORT_T3),    AT_F32(0x821B, Q_ENERGY_EXPORT_T3),
    AT_F32(0x8225, Q_ENERGY_IMPORT_T4),    AT_F32(0x8227, Q_ENERGY_EXPORT_T4),
};

/* Firmware 1.2.3, "EEM-MA370", "2907983", the serial number of the kit as text and as a number, Modbus TCP enabled;
 * the first character of a register in its low byte, the low word first. */
static const struct word identity[] = {
    {0x0100, 0x0203}, {0x0101, 0x0001},
    {0x012C, 'E' << 8 | 'E'}, {0x012D, '-' << 8 | 'M'}, {0x012E, 'A' << 8 | 'M'}, {0x012F, '7' << 8 | '3'},
    {0x0130, '0'},
    {0x0134, '9' << 8 | '2'}, {0x0135, '7' << 8 | '0'}, {0x0136, '8' << 8 | '9'}, {0x0137, '3'},
    {0x013C, '0' << 8 | '0'}, {0x013D, '2' << 8 | '1'}, {0x013E, '4' << 8 | '3'}, {0x013F, '6' << 8 | '5'},
    {0x0140, '8' << 8 | '7'}, {0x0141, '0' << 8 | '9'},
    {0x0156, 0x38D2}, {0x0157, 0x0DFB}, {0x2200, 1},
};
/* clang-format on */

static const struct subject meter = {
    .map = &map_empro,
    .name = "PhoenixContact-EMPro",
    .short_name = "empro",
    .input = {PLACES(places), WORDS(identity)},
};

/* In the meter's order, and in the other one. */
static void the_makers_example_of_word_order(void **unused)
{
    (void)unused;
    static const struct known example[] = {{Q_METER_VOLTAGE_L1, 123456}};
    struct bench b;
    begin_with(&b, &map_empro, example, COUNT(example));
    assert_answer(ask_words(&b, 1, 3, 0x8006, 2), 3, 4, 0xE9, 0x79, 0x42, 0xF6);
    b.style.order = WORD_ORDER_NORMAL;
    show(&b);
    assert_answer(ask_words(&b, 1, 3, 0x8006, 2), 3, 4, 0x42, 0xF6, 0xE9, 0x79);
}

static void golden_voltages(void **unused)
{
    (void)unused;
    static const struct known volts[] = {
        {Q_METER_VOLTAGE_L1, 230100}, {Q_METER_VOLTAGE_L2, 229500}, {Q_METER_VOLTAGE_L3, 231700}};
    struct bench b;
    begin_with(&b, &map_empro, volts, COUNT(volts));
    assert_answer(ask_words(&b, 1, 4, 0x8006, 6), 4, 12, 0x19, 0x9A, 0x43, 0x66, 0x80, 0x00, 0x43,
                  0x65, 0xB3, 0x33, 0x43, 0x67);
    b.style.order = WORD_ORDER_NORMAL;
    show(&b);
    assert_answer(ask_words(&b, 1, 4, 0x8006, 6), 4, 12, 0x43, 0x66, 0x19, 0x9A, 0x43, 0x65, 0x80,
                  0x00, 0x43, 0x67, 0xB3, 0x33);
}

static void energy_is_in_watt_hours(void **unused)
{
    (void)unused;
    static const struct known energies[] = {{Q_ENERGY_IMPORT, 56500909},
                                            {Q_ENERGY_EXPORT, 16777217}};
    struct bench b;
    begin_with(&b, &map_empro, energies, COUNT(energies));
    assert_true(float_at(&b, 0x8100) == 56500908.0F);
    assert_true(float_at(&b, 0x8106) == 16777216.0F);
}

/* Angles, types of load and apparent energy: not unknown, but nothing. */
static void what_the_meter_never_says_reads_zero(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_empro);
    b.style.unknown = UNKNOWN_NAN;
    show(&b);
    for (uint32_t at = 0x8045; at <= 0x8057; at++)
        assert_int_equal(word_at(&b, at), 0);
    assert_int_equal(word_at(&b, 0x8036), 0);
    assert_int_equal(number_at(&b, 0x8104, 2), 0);
    for (uint32_t at = 0x4000; at < 0x4050; at++)
        assert_int_equal(word_at(&b, at), 0);
}

/* Across what the manual leaves out. */
static void openems_reads_across_gaps(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_empro);
    know_everything(&b, IMPORTS);
    check_block(&b, 0x03, 0x8006, 57, &meter.input);
    check_block(&b, 0x03, 0x8100, 8, &meter.input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF_ZEROS(meter),
        cmocka_unit_test(the_makers_example_of_word_order),
        cmocka_unit_test(golden_voltages),
        cmocka_unit_test(energy_is_in_watt_hours),
        cmocka_unit_test(what_the_meter_never_says_reads_zero),
        cmocka_unit_test(openems_reads_across_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
