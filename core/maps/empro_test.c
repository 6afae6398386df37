#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "maps.h"

static const struct register_identity identity = {.serial = "001234567890", .firmware = 0x010203};

struct place {
    uint16_t address;
    enum quantity quantity;
};

/* clang-format off */
/* The table of the Smart Connect manual V1.8, section 5.3, in its order. */
static const struct place manual[] = {
    {0x8006, Q_METER_VOLTAGE_L1},    {0x8008, Q_METER_VOLTAGE_L2},    {0x800A, Q_METER_VOLTAGE_L3},
    {0x800E, Q_CURRENT_L1},          {0x8010, Q_CURRENT_L2},          {0x8012, Q_CURRENT_L3},
    {0x8016, Q_POWER},               {0x8018, Q_REACTIVE},            {0x801A, Q_APPARENT},
    {0x801C, Q_POWER_FACTOR},
    {0x801E, Q_POWER_L1},            {0x8020, Q_POWER_L2},            {0x8022, Q_POWER_L3},
    {0x8024, Q_REACTIVE_L1},         {0x8026, Q_REACTIVE_L2},         {0x8028, Q_REACTIVE_L3},
    {0x802A, Q_APPARENT_L1},         {0x802C, Q_APPARENT_L2},         {0x802E, Q_APPARENT_L3},
    {0x8100, Q_ENERGY_IMPORT},       {0x8106, Q_ENERGY_EXPORT},
    {0x8C00, Q_REACTIVE_IMPORT},     {0x8C02, Q_REACTIVE_EXPORT},
    {0x8C04, Q_REACTIVE_IMPORT_L1},  {0x8C06, Q_REACTIVE_EXPORT_L1},
    {0x8C08, Q_REACTIVE_IMPORT_L2},  {0x8C0A, Q_REACTIVE_EXPORT_L2},
    {0x8C0C, Q_REACTIVE_IMPORT_L3},  {0x8C0E, Q_REACTIVE_EXPORT_L3},
    {0x8C10, Q_REACTIVE_ENERGY_Q1},  {0x8C12, Q_REACTIVE_ENERGY_Q2},
    {0x8C14, Q_REACTIVE_ENERGY_Q3},  {0x8C16, Q_REACTIVE_ENERGY_Q4},
    {0x8C18, Q_VOLTAGE_SAGS_L1},     {0x8C1A, Q_VOLTAGE_SAGS_L2},     {0x8C1C, Q_VOLTAGE_SAGS_L3},
    {0x8C1E, Q_VOLTAGE_SWELLS_L1},   {0x8C20, Q_VOLTAGE_SWELLS_L2},   {0x8C22, Q_VOLTAGE_SWELLS_L3},
    {0x8C24, Q_POWER_FAILURES},      {0x8C26, Q_LONG_POWER_FAILURES},
    {0x8C28, Q_POWER_IMPORT},        {0x8C2A, Q_POWER_EXPORT},
    {0x8C2C, Q_POWER_IMPORT_L1},     {0x8C2E, Q_POWER_EXPORT_L1},
    {0x8C30, Q_POWER_IMPORT_L2},     {0x8C32, Q_POWER_EXPORT_L2},
    {0x8C34, Q_POWER_IMPORT_L3},     {0x8C36, Q_POWER_EXPORT_L3},
};

/* What the meter itself has besides; odd addresses from 0x8039 on. */
static const struct place real_meter[] = {
    {0x8000, Q_LINE_VOLTAGE_L12},    {0x8002, Q_LINE_VOLTAGE_L32},    {0x8004, Q_LINE_VOLTAGE_L31},
    {0x800C, Q_FREQUENCY},           {0x8014, Q_CURRENT_NEUTRAL},
    {0x8030, Q_POWER_FACTOR_L1},     {0x8032, Q_POWER_FACTOR_L2},     {0x8034, Q_POWER_FACTOR_L3},
    {0x8039, Q_CURRENT_MEAN},        {0x803B, Q_VOLTAGE_MEAN_LL},     {0x803D, Q_VOLTAGE_MEAN_LN},
    {0x803F, Q_REACTIVE},            {0x8041, Q_APPARENT},            {0x8043, Q_POWER_FACTOR},
    {0x8102, Q_REACTIVE_ENERGY_IMPORT}, {0x8108, Q_REACTIVE_ENERGY_EXPORT},
    {0x8201, Q_ENERGY_IMPORT_T1},    {0x8203, Q_ENERGY_EXPORT_T1},
    {0x820D, Q_ENERGY_IMPORT_T2},    {0x820F, Q_ENERGY_EXPORT_T2},
    {0x8219, Q_ENERGY_IMPORT_T3},    {0x821B, Q_ENERGY_EXPORT_T3},
    {0x8225, Q_ENERGY_IMPORT_T4},    {0x8227, Q_ENERGY_EXPORT_T4},
};
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void render(struct register_image *image, const struct reading *r, enum word_order order,
                   enum unknown_policy unknown)
{
    assert_true(register_image_init(image, &map_empro));
    register_image_render(image, &map_empro, r, &identity, order, unknown);
}

static uint16_t word_at(const struct register_image *image, uint32_t address)
{
    uint8_t b[2];
    register_image_read(image, address, 1, b);
    return (uint16_t)(b[0] << 8 | b[1]);
}

/* The float in two registers, the low word first. */
static float float_at(const struct register_image *image, uint32_t address)
{
    uint32_t bits = (uint32_t)word_at(image, address + 1) << 16 | word_at(image, address);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* A different value for each quantity, all exact as floats. */
static int64_t sample(enum quantity q)
{
    return (quantities[q].decimals ? 1000 : 1) * (1000 + (int64_t)q);
}

static void check_places(const struct place *places, size_t n)
{
    struct register_image image;
    struct reading all;
    reading_clear(&all);
    for (int q = 0; q < Q_N; q++)
        reading_set(&all, (enum quantity)q, sample((enum quantity)q));
    render(&image, &all, WORD_ORDER_SWAPPED, UNKNOWN_ZERO);
    for (size_t i = 0; i < n; i++)
        assert_true(float_at(&image, places[i].address) == 1000.0F + (float)places[i].quantity);
    for (size_t i = 0; i < n; i++) { /* and nothing else is shown there */
        struct reading rest = all;
        reading_unset(&rest, places[i].quantity);
        render(&image, &rest, WORD_ORDER_SWAPPED, UNKNOWN_ZERO);
        assert_true(float_at(&image, places[i].address) == 0.0F);
    }
}

static void the_manuals_table_is_in_place(void **unused)
{
    (void)unused;
    check_places(manual, COUNT(manual));
}

static void the_real_meters_registers_are_in_place(void **unused)
{
    (void)unused;
    check_places(real_meter, COUNT(real_meter));
}

static void every_quantity_row_is_in_these_tables(void **unused)
{
    (void)unused;
    size_t rows = 0;
    for (size_t i = 0; i < map_empro.row_count; i++)
        rows += map_empro.rows[i].source == FROM_QUANTITY && map_empro.rows[i].type == REG_F32;
    assert_int_equal(rows, COUNT(manual) + COUNT(real_meter));
}

static void the_makers_example_of_word_order(void **unused)
{
    (void)unused;
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_METER_VOLTAGE_L1, 123456);
    assert_int_equal(map_empro.word_order, WORD_ORDER_SWAPPED);
    render(&image, &r, map_empro.word_order, UNKNOWN_ZERO);
    assert_int_equal(word_at(&image, 0x8006), 0xE979);
    assert_int_equal(word_at(&image, 0x8007), 0x42F6);
    render(&image, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO);
    assert_int_equal(word_at(&image, 0x8006), 0x42F6);
    assert_int_equal(word_at(&image, 0x8007), 0xE979);
}

static void golden_voltages(void **unused)
{
    (void)unused;
    static const uint8_t swapped[] = {0x19, 0x9A, 0x43, 0x66, 0x80, 0x00,
                                      0x43, 0x65, 0xB3, 0x33, 0x43, 0x67};
    static const uint8_t normal[] = {0x43, 0x66, 0x19, 0x9A, 0x43, 0x65,
                                     0x80, 0x00, 0x43, 0x67, 0xB3, 0x33};
    struct register_image image;
    struct reading r;
    uint8_t out[12];
    reading_clear(&r);
    reading_set(&r, Q_METER_VOLTAGE_L1, 230100);
    reading_set(&r, Q_METER_VOLTAGE_L2, 229500);
    reading_set(&r, Q_METER_VOLTAGE_L3, 231700);
    render(&image, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO);
    register_image_read(&image, 0x8006, 6, out);
    assert_memory_equal(out, swapped, sizeof out);
    render(&image, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO);
    register_image_read(&image, 0x8006, 6, out);
    assert_memory_equal(out, normal, sizeof out);
}

static void energy_is_in_watt_hours(void **unused)
{
    (void)unused;
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_ENERGY_IMPORT, 56500909);
    reading_set(&r, Q_ENERGY_EXPORT, 16777217);
    render(&image, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO);
    assert_true(float_at(&image, 0x8100) == 56500908.0F);
    assert_true(float_at(&image, 0x8106) == 16777216.0F);
}

static void the_meter_identifies_itself(void **unused)
{
    (void)unused;
    struct register_image image;
    struct reading r;
    uint8_t out[18];
    /* "EEM-MA370" and "2907983", the first character of a register in its low byte */
    static const uint8_t name[] = {'E', 'E', '-', 'M', 'A', 'M', '7', '3', 0, '0', 0, 0};
    static const uint8_t order_number[] = {'9', '2', '7', '0', '8', '9', 0, '3', 0, 0};
    reading_clear(&r);
    render(&image, &r, WORD_ORDER_SWAPPED, UNKNOWN_NAN);
    register_image_read(&image, 0x012C, 8, out);
    assert_memory_equal(out, name, sizeof name);
    register_image_read(&image, 0x0134, 8, out);
    assert_memory_equal(out, order_number, sizeof order_number);
    register_image_read(&image, 0x013C, 9, out);
    assert_memory_equal(out, "002143658709", 12);
    assert_int_equal(word_at(&image, 0x0142), 0);
    assert_int_equal(word_at(&image, 0x0100), 0x0203); /* firmware 1.2.3, low word first */
    assert_int_equal(word_at(&image, 0x0101), 0x0001);
    assert_int_equal(word_at(&image, 0x0156) | (uint32_t)word_at(&image, 0x0157) << 16, 234567890);
    assert_int_equal(word_at(&image, 0x2200), 1);
    for (uint32_t a = 0x4000; a < 0x4050; a++)
        assert_int_equal(word_at(&image, a), 0);
}

static void the_tariff_is_one_register(void **unused)
{
    (void)unused;
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_TARIFF, 2);
    render(&image, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO);
    assert_int_equal(word_at(&image, 0x8200), 2);
    reading_unset(&r, Q_TARIFF);
    render(&image, &r, WORD_ORDER_SWAPPED, UNKNOWN_NAN);
    assert_int_equal(word_at(&image, 0x8200), 0xFFFF);
}

static void unknown_reads_zero(void **unused)
{
    (void)unused;
    static const uint8_t zeros[250];
    uint8_t out[250];
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    render(&image, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO);
    register_image_read(&image, 0x8000, 88, out); /* all gaps in one read */
    assert_memory_equal(out, zeros, 176);
    register_image_read(&image, 0x8C00, 125, out);
    assert_memory_equal(out, zeros, 250);
    register_image_read(&image, 0x9000, 125, out);
    assert_memory_equal(out, zeros, 250);
}

static void unknown_reads_nan_where_a_value_belongs(void **unused)
{
    (void)unused;
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    render(&image, &r, WORD_ORDER_SWAPPED, UNKNOWN_NAN);
    for (size_t i = 0; i < COUNT(manual); i++) {
        assert_int_equal(word_at(&image, manual[i].address), 0x0000);
        assert_int_equal(word_at(&image, manual[i].address + 1u), 0x7FC0);
    }
    for (uint32_t a = 0x8045; a <= 0x8057; a++) /* angles: not unknown, but nothing */
        assert_int_equal(word_at(&image, a), 0);
    assert_int_equal(word_at(&image, 0x8036), 0);
    assert_int_equal(word_at(&image, 0x8104), 0);
    assert_int_equal(word_at(&image, 0x8105), 0);
}

/* OpenEMS reads 0x8006 x 57 and 0x8100 x 8, across what the manual leaves out. */
static void openems_reads_across_gaps(void **unused)
{
    (void)unused;
    struct register_image image;
    struct reading r;
    uint8_t block[114], one[2];
    reading_clear(&r);
    for (int q = 0; q < Q_N; q++)
        reading_set(&r, (enum quantity)q, sample((enum quantity)q));
    render(&image, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO);
    register_image_read(&image, 0x8006, 57, block);
    for (uint32_t i = 0; i < 57; i++) {
        register_image_read(&image, 0x8006 + i, 1, one);
        assert_memory_equal(block + 2 * i, one, 2);
    }
    register_image_read(&image, 0x8100, 8, block);
    for (uint32_t i = 0; i < 8; i++) {
        register_image_read(&image, 0x8100 + i, 1, one);
        assert_memory_equal(block + 2 * i, one, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manuals_table_is_in_place),
        cmocka_unit_test(the_real_meters_registers_are_in_place),
        cmocka_unit_test(every_quantity_row_is_in_these_tables),
        cmocka_unit_test(the_makers_example_of_word_order),
        cmocka_unit_test(golden_voltages),
        cmocka_unit_test(energy_is_in_watt_hours),
        cmocka_unit_test(the_meter_identifies_itself),
        cmocka_unit_test(the_tariff_is_one_register),
        cmocka_unit_test(unknown_reads_zero),
        cmocka_unit_test(unknown_reads_nan_where_a_value_belongs),
        cmocka_unit_test(openems_reads_across_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
