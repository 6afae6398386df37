#include "maps_kit_test.h"

/* clang-format off */
/* The maker's table of input registers, as far as a telegram fills it. */
static const struct place places[] = {
    AT_F32(0x0000, Q_METER_VOLTAGE_L1),
    AT_F32(0x0002, Q_METER_VOLTAGE_L2),
    AT_F32(0x0004, Q_METER_VOLTAGE_L3),
    {0x0006, REG_F32, Q_CURRENT_L1, 0, FORM_ABSOLUTE},
    {0x0008, REG_F32, Q_CURRENT_L2, 0, FORM_ABSOLUTE},
    {0x000A, REG_F32, Q_CURRENT_L3, 0, FORM_ABSOLUTE},
    AT_F32(0x000C, Q_POWER_L1),
    AT_F32(0x000E, Q_POWER_L2),
    AT_F32(0x0010, Q_POWER_L3),
    AT_F32(0x0012, Q_APPARENT_L1),
    AT_F32(0x0014, Q_APPARENT_L2),
    AT_F32(0x0016, Q_APPARENT_L3),
    AT_F32(0x0018, Q_REACTIVE_L1),
    AT_F32(0x001A, Q_REACTIVE_L2),
    AT_F32(0x001C, Q_REACTIVE_L3),
    AT_F32(0x001E, Q_POWER_FACTOR_L1),
    AT_F32(0x0020, Q_POWER_FACTOR_L2),
    AT_F32(0x0022, Q_POWER_FACTOR_L3),
    AT_F32(0x002A, Q_VOLTAGE_MEAN_LN),
    {0x002E, REG_F32, Q_CURRENT_MEAN, 0, FORM_ABSOLUTE},
    AT_F32(0x0034, Q_POWER),
    AT_F32(0x0038, Q_APPARENT),
    AT_F32(0x003C, Q_REACTIVE),
    AT_F32(0x003E, Q_POWER_FACTOR),
    AT_F32(0x0046, Q_FREQUENCY),
    AT(0x0048, REG_F32, Q_ENERGY_IMPORT, -3),
    AT(0x004A, REG_F32, Q_ENERGY_EXPORT, -3),
    AT(0x004C, REG_F32, Q_REACTIVE_ENERGY_IMPORT, -3),
    AT(0x004E, REG_F32, Q_REACTIVE_ENERGY_EXPORT, -3),
    AT_F32(0x0054, Q_DEMAND_QUARTER),
    AT_F32(0x0056, Q_DEMAND_MONTH_PEAK),
    AT_F32(0x00C8, Q_LINE_VOLTAGE_L12),
    AT_F32(0x00CA, Q_LINE_VOLTAGE_L32),
    AT_F32(0x00CC, Q_LINE_VOLTAGE_L31),
    AT_F32(0x00CE, Q_VOLTAGE_MEAN_LL),
    {0x00E0, REG_F32, Q_CURRENT_NEUTRAL, 0, FORM_ABSOLUTE},
    AT(0x0156, REG_F32, Q_ENERGY_ABSOLUTE, -3),
};

/* Holding registers at 9600 8E1, address 1, three phases and neutral. */
static const struct word settings[] = {
    {0x0002, 0x4170}, /* 15.0 */
    {0x000A, 0x4040}, /* 3.0 */
    {0x000C, 0x42C8}, /* 100.0 */
    {0x000E, 0x3F80}, /* 1.0 */
    {0x0012, 0x3F80}, /* 1.0 */
    {0x0014, 0x3F80}, /* 1.0 */
    {0x0018, 0x447A}, /* 1000.0 */
    {0x001C, 0x4000}, /* 2.0 */
    {0xFC00, 0x0DFB}, {0xFC01, 0x38D2}, /* 234567890 */
    {0xFC02, 0x0070},
};
/* clang-format on */

static const struct subject meter = {
    .map = &map_eastron_sdm630,
    .name = "Eastron-SDM630",
    .short_name = "sdm630",
    .input = {PLACES(places)},
    .holding = {WORDS(settings)},
};

static void golden_frames(void **unused)
{
    (void)unused;
    static const uint8_t voltages[] = {0x01, 0x04, 0x00, 0x00, 0x00, 0x06, 0x70, 0x08};
    static const uint8_t voltages_answer[] = {0x01, 0x04, 0x0C, 0x43, 0x66, 0x19, 0x9A, 0x43, 0x65,
                                              0x80, 0x00, 0x43, 0x67, 0xB3, 0x33, 0x8C, 0x84};
    static const uint8_t code[] = {0x01, 0x03, 0xFC, 0x02, 0x00, 0x01, 0x15, 0x9A};
    static const uint8_t code_answer[] = {0x01, 0x03, 0x02, 0x00, 0x70, 0xB9, 0xA0};
    static const uint8_t coil[] = {0x01, 0x05, 0x00, 0x00, 0x00, 0x00, 0xCD, 0xCA};
    static const uint8_t coil_answer[] = {0x01, 0x85, 0x01, 0x83, 0x50};
    static const struct known volts[] = {
        {Q_METER_VOLTAGE_L1, 230100}, {Q_METER_VOLTAGE_L2, 229500}, {Q_METER_VOLTAGE_L3, 231700}};
    struct bench b;
    begin_with(&b, &map_eastron_sdm630, volts, COUNT(volts));
    check_golden(&b, voltages, sizeof voltages, voltages_answer, sizeof voltages_answer);
    check_golden(&b, code, sizeof code, code_answer, sizeof code_answer);
    check_golden(&b, coil, sizeof coil, coil_answer, sizeof coil_answer);
}

/* A house of three phases, of which L2 exports. */
static const struct known house[] = {
    {Q_METER_VOLTAGE_L1, 230100},
    {Q_METER_VOLTAGE_L2, 229500},
    {Q_METER_VOLTAGE_L3, 231700},
    {Q_CURRENT_L1, 4000},
    {Q_CURRENT_L2, -6500},
    {Q_CURRENT_L3, 500},
    {Q_POWER, -480},
    {Q_POWER_L1, 900},
    {Q_POWER_L2, -1490},
    {Q_POWER_L3, 110},
    {Q_APPARENT_L1, 920},
    {Q_APPARENT_L2, 1492},
    {Q_APPARENT_L3, 116},
    {Q_POWER_FACTOR_L1, 978},
    {Q_POWER_FACTOR_L2, -999},
    {Q_POWER_FACTOR_L3, 948},
    {Q_ENERGY_IMPORT, 1234567},
    {Q_ENERGY_EXPORT, 765432},
    {Q_FREQUENCY, 49980},
    {Q_REACTIVE_ENERGY_IMPORT, 1},
};

static void begin_house(struct bench *b)
{
    begin_with(b, &map_eastron_sdm630, house, COUNT(house));
}

/* openWB warns when U1 is 0, or U2 while U3 is not. */
static void openwb_reads_without_a_warning(void **unused)
{
    (void)unused;
    static const struct exchange polls[] = {
        {1, 0x03, 0xFC00, 2, REG_U32, {234567890}},
        {1,
         0x04,
         0x0000,
         0x18,
         REG_F32,
         {230.1, 229.5, 231.7, 4, 6.5, 0.5, 900, -1490, 110, 920, 1492, 116}},
        {1, 0x04, 0x001E, 6, REG_F32, {0.978, -0.999, 0.948}},
        {1, 0x04, 0x0046, 6, REG_F32, {49.98, 1234.567, 765.432}},
    };
    struct bench b;
    begin_house(&b);
    check_exchanges(&b, polls, COUNT(polls));
}

/* SmartEVSE takes the sign of a current from the power beside it. */
static void smartevse_sees_which_phase_exports(void **unused)
{
    (void)unused;
    static const struct exchange polls[] = {
        {10, 0x04, 0x0006, 12, REG_F32, {4, 6.5, 0.5, 900, -1490, 110}},
        {10, 0x04, 0x0034, 2, REG_F32, {-480}},
        {10, 0x04, 0x0048, 2, REG_F32, {1234.567}},
        {10, 0x04, 0x004A, 2, REG_F32, {765.432}},
    };
    struct bench b;
    begin_house(&b);
    check_exchanges(&b, polls, COUNT(polls));
}

static void mbmd_reads_value_by_value(void **unused)
{
    (void)unused;
    static const struct exchange polls[] = {
        {1, 0x04, 0x0000, 2, REG_F32, {230.1}}, {1, 0x04, 0x0002, 2, REG_F32, {229.5}},
        {1, 0x04, 0x0008, 2, REG_F32, {6.5}},   {1, 0x04, 0x000E, 2, REG_F32, {-1490}},
        {1, 0x04, 0x0046, 2, REG_F32, {49.98}}, {1, 0x04, 0x004C, 2, REG_F32, {0.001}},
        {1, 0x04, 0x0156, 2, REG_F32, {0}},
    };
    struct bench b;
    begin_house(&b);
    check_exchanges(&b, polls, COUNT(polls));
}

static void openems_reads_all_in_one_go(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_eastron_sdm630);
    know_everything(&b, EXPORTS_SIGNED);
    check_block(&b, 0x04, 0x0000, 76, &meter.input);
}

/* Tinkerforge's WARP finds out what it has, and sets the system type to the phases it sees. */
static void warp_sets_up_the_meter(void **unused)
{
    (void)unused;
    static const struct exchange before[] = {
        {1, 0x03, 0xFC02, 1, REG_U16, {0x0070}}, {1, 0x04, 0x0000, 2, REG_F32, {230.1}},
        {1, 0x04, 0x0006, 2, REG_F32, {4}},      {1, 0x04, 0x0034, 2, REG_F32, {-480}},
        {1, 0x03, 0x000A, 2, REG_F32, {3}},
    };
    static const struct write writes[] = {
        {WRITE_FLOAT(0x0018, 0x447A0000), 0, SETTING_ACCEPTED, 0}, /* 1000.0 */
        {WRITE_FLOAT(0x000A, 0x3F800000), 0, SETTING_WIRING, 1},   /* 1.0 */
    };
    static const struct exchange after[] = {
        {1, 0x03, 0x000A, 2, REG_F32, {1}},
        {1, 0x03, 0x0018, 2, REG_F32, {1000}},
    };
    struct bench b;
    begin_house(&b);
    check_exchanges(&b, before, COUNT(before));
    check_writes(&b, writes, COUNT(writes));
    check_exchanges(&b, after, COUNT(after));
}

static void the_system_type_is_that_of_the_reading(void **unused)
{
    (void)unused;
    static const struct exchange one_phase[] = {{1, 0x03, 0x000A, 2, REG_F32, {1}}};
    static const struct exchange no_neutral[] = {{1, 0x03, 0x000A, 2, REG_F32, {2}}};
    struct bench b;
    begin(&b, &map_eastron_sdm630);
    b.reading.phases = 1;
    show(&b);
    check_exchanges(&b, one_phase, 1);
    b.reading.phases = 3;
    b.reading.grid = GRID_DELTA;
    show(&b);
    check_exchanges(&b, no_neutral, 1);
}

static void settings_are_staged(void **unused)
{
    (void)unused;
    static const struct write writes[] = {
        {WRITE_FLOAT(0x0014, 0x41800000), 0, SETTING_ADDRESS, 16},                     /* 16.0 */
        {WRITE_FLOAT(0x0014, 0x43770000), 0, SETTING_ADDRESS, 247},                    /* 247.0 */
        {WRITE_FLOAT(0x0014, 0x43780000), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 247}, /* 248.0 */
        {WRITE_FLOAT(0x0014, 0x00000000), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 247},
        {WRITE_FLOAT(0x0014, 0x3FC00000), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 247}, /* 1.5 */
        {WRITE_FLOAT(0x0014, 0xBF800000), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 247}, /* -1.0 */
        {WRITE_FLOAT(0x0014, 0x7FC00000), MODBUS_ILLEGAL_VALUE, SETTING_ADDRESS, 247}, /* NaN */
        {WRITE_FLOAT(0x0012, 0x00000000), 0, SETTING_PARITY, 0},
        {WRITE_FLOAT(0x0012, 0x3F800000), 0, SETTING_PARITY, 1},
        {WRITE_FLOAT(0x0012, 0x40000000), MODBUS_ILLEGAL_VALUE, SETTING_PARITY, 1}, /* 8O1 */
        {WRITE_FLOAT(0x001C, 0x00000000), 0, SETTING_BAUD, 2400},
        {WRITE_FLOAT(0x001C, 0x3F800000), 0, SETTING_BAUD, 4800},
        {WRITE_FLOAT(0x001C, 0x40000000), 0, SETTING_BAUD, 9600},
        {WRITE_FLOAT(0x001C, 0x40400000), 0, SETTING_BAUD, 19200},
        {WRITE_FLOAT(0x001C, 0x40800000), 0, SETTING_BAUD, 38400},
        {WRITE_FLOAT(0x001C, 0x40A00000), 0, SETTING_BAUD, 1200},
        {WRITE_FLOAT(0x001C, 0x40C00000), MODBUS_ILLEGAL_VALUE, SETTING_BAUD, 1200},
        {WRITE_FLOAT(0x000A, 0x40000000), 0, SETTING_WIRING, 2},
        {WRITE_FLOAT(0x000A, 0x40800000), MODBUS_ILLEGAL_VALUE, SETTING_WIRING, 2},
        {WRITE_FLOAT(0x000A, 0x00000000), MODBUS_ILLEGAL_VALUE, SETTING_WIRING, 2},
    };
    struct bench b;
    begin_house(&b);
    check_writes(&b, writes, COUNT(writes));
}

static void settings_without_meaning_are_taken(void **unused)
{
    (void)unused;
    static const struct write writes[] = {
        {WRITE_FLOAT(0x0002, 0x42700000), 0, SETTING_ACCEPTED, 0},
        {WRITE_FLOAT(0x000C, 0x42700000), 0, SETTING_ACCEPTED, 0},
        {WRITE_FLOAT(0x000E, 0x00000000), 0, SETTING_ACCEPTED, 0},
        {WRITE_FLOAT(0x0016, 0x3F800000), 0, SETTING_ACCEPTED, 0},
        {WRITE_FLOAT(0x0056, 0x40800000), 0, SETTING_ACCEPTED, 0},
        {WRITE_MANY_ONE(0xF010, 3), 0, SETTING_ACCEPTED, 0},
        {WRITE_ONE(0xF010, 3), 0, SETTING_ACCEPTED, 0},
    };
    struct bench b;
    begin_house(&b);
    check_writes(&b, writes, COUNT(writes));
    show(&b);
    for (size_t i = 0; i < COUNT(settings); i++)
        assert_int_equal(word_at(&b, settings[i].address), settings[i].value);
}

/* Writes are about holding registers; a float is not written by half. */
static void what_is_no_setting_cannot_be_written(void **unused)
{
    (void)unused;
    static const struct write writes[] = {
        {WRITE_FLOAT(0x0000, 0x3F800000), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_FLOAT(0x0034, 0x3F800000), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_FLOAT(0x0048, 0x3F800000), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_FLOAT(0xFC00, 0x3F800000), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_ONE(0x0034, 1), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_ONE(0x0048, 1), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_ONE(0xFC02, 1), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_ONE(0x0014, 0x4180), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_ONE(0x0015, 0), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
        {WRITE_FLOAT(0x0013, 0x00004180), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
    };
    struct bench b;
    begin_house(&b);
    const struct register_device before = b.device;
    check_writes(&b, writes, COUNT(writes));
    assert_memory_equal(&b.device, &before, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF_ZEROS(meter),
        cmocka_unit_test(golden_frames),
        cmocka_unit_test(openwb_reads_without_a_warning),
        cmocka_unit_test(smartevse_sees_which_phase_exports),
        cmocka_unit_test(mbmd_reads_value_by_value),
        cmocka_unit_test(openems_reads_all_in_one_go),
        cmocka_unit_test(warp_sets_up_the_meter),
        cmocka_unit_test(the_system_type_is_that_of_the_reading),
        cmocka_unit_test(settings_are_staged),
        cmocka_unit_test(settings_without_meaning_are_taken),
        cmocka_unit_test(what_is_no_setting_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
