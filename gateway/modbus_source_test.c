#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modbus_source.h"

#include "core/crc16.h"
#include "folder_kit_test.h"
#include "log.h"
#include "loop_kit_test.h"

#include <stdio.h>
#include <string.h>

enum {
    SILENCE_S = 10,     /* the age limit of version 5 meters */
    FIRST_LIMIT_S = 35, /* and that before it is known what speaks */
    PAUSE_S = 30,       /* between the telegrams of a file */
    CURRENT_L1 = 0x800E,
    POWER = 0x8016,
    FREQUENCY = 0x800C,
    ENERGY = 0x8100,
    DEVICE_NAME = 0x012C,
    VENDOR_ADDRESS = 0xFE01,
    VENDOR_AGE = 0xFE07,
    READ = 0x03,
    WRITE = 0x06,
    REFUSED = 0x80 /* added to the function code */
};

static struct loop loop;
static struct meter *meter;
static struct modbus_source source;
static struct modbus_source_settings settings;
static uint8_t reply[MODBUS_PDU_MAX];

/* --- set-up ----------------------------------------------------------------------------------- */

static void write_telegram(FILE *f, int n)
{
    char text[400];
    int length =
        snprintf(text, sizeof text,
                 "/TST5 SOURCE\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(2401011200%02dW)\r\n"
                 "1-0:1.8.1(%06d.000*kWh)\r\n1-0:1.8.2(000000.000*kWh)\r\n"
                 "1-0:1.7.0(%02d.000*kW)\r\n1-0:2.7.0(00.000*kW)\r\n1-0:31.7.0(%03d*A)\r\n!",
                 n * PAUSE_S, n + 1, n + 1, n + 1);
    fprintf(f, "%s%04X\r\n", text,
            crc16_update(CRC16_ARC_INIT, (const uint8_t *)text, (size_t)length));
}

/* The meter's telegrams, PAUSE_S apart; the n-th from 1 says n kW, n A, n kWh. */
static void write_telegrams(int count)
{
    FILE *f = fopen(path_of("telegrams"), "w");
    assert_non_null(f);
    for (int n = 0; n < count; n++)
        write_telegram(f, n);
    fclose(f);
}

static int set_up(void **unused)
{
    static const struct meter_settings meter_settings;
    char url[ATOMIC_FILE_PATH_MAX + 8], error[INPUT_ERROR_MAX];
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    settings = (struct modbus_source_settings){.map = register_map_find("empro"),
                                               .order = ORDER_OF_METER,
                                               .stale_current_a = 40,
                                               .device = {.serial = "123456", .firmware = 0x10203}};
    if (!make_folder_for("modbus_source_test", false) || loop_init(&loop) < 0)
        return -1;
    snprintf(url, sizeof url, "file:%s", path_of("telegrams"));
    meter = meter_open(&loop, url, &meter_settings, error);
    return meter ? 0 : -1;
}

static int tear_down(void **unused)
{
    (void)unused;
    modbus_source_close(&source);
    meter_close(meter);
    loop_close(&loop);
    empty_folder();
    return remove(folder);
}

static void pass_s(int seconds)
{
    loop_kit_pass(&loop, (int64_t)seconds * 1000);
}

static void open_source(void)
{
    assert_true(modbus_source_open(&source, &loop, meter, &settings));
}

/* The first telegram has come, and not more. */
static void open_with_a_telegram(void)
{
    write_telegrams(2);
    open_source();
    pass_s(1);
    assert_non_null(meter_latest(meter));
}

static void set_source(void)
{
    settings.device = source.settings.device;
    assert_true(modbus_source_set(&source, &settings));
}

/* --- what masters see ------------------------------------------------------------------------- */

/* Sends function, address and one more word; returns the length of the reply. */
static size_t ask(int function, int address, int word)
{
    const uint8_t pdu[] = {(uint8_t)function, (uint8_t)(address >> 8), (uint8_t)address,
                           (uint8_t)(word >> 8), (uint8_t)word};
    return modbus_pdu_reply(modbus_source_bank(&source), pdu, sizeof pdu, reply);
}

static void assert_refused(int address, int exception)
{
    assert_int_equal(ask(READ, address, 2), 2);
    assert_int_equal(reply[0], READ | REFUSED);
    assert_int_equal(reply[1], exception);
}

static uint32_t bits(enum word_order order, int address)
{
    assert_int_equal(ask(READ, address, 2), 6);
    uint32_t first = (uint32_t)reply[2] << 8 | reply[3],
             second = (uint32_t)reply[4] << 8 | reply[5];
    return order == WORD_ORDER_SWAPPED ? second << 16 | first : first << 16 | second;
}

static double number_in(enum word_order order, int address)
{
    uint32_t raw = bits(order, address);
    float f;
    memcpy(&f, &raw, sizeof f);
    return (double)f;
}

/* A value of the map, in the order of the real meter. */
static double number(int address)
{
    return number_in(WORD_ORDER_SWAPPED, address);
}

static void assert_number(int address, double expected)
{
    double got = number(address);
    if (!(got >= expected && got <= expected)) /* NaN is neither */
        fail_msg("0x%04X reads %g, not %g", (unsigned)address, got, expected);
}

static int word_at(int address)
{
    assert_int_equal(ask(READ, address, 1), 4);
    return reply[2] << 8 | reply[3];
}

/* --- live ------------------------------------------------------------------------------------- */

static void each_telegram_is_served_at_once(void **unused)
{
    (void)unused;
    open_with_a_telegram();
    assert_number(POWER, 1000);
    assert_number(ENERGY, 1000);
    pass_s(PAUSE_S);
    assert_number(POWER, 2000);
}

static void what_came_before_it_was_opened_is_served(void **unused)
{
    (void)unused;
    write_telegrams(1);
    pass_s(1);
    open_source();
    assert_number(POWER, 1000);
}

static void the_order_is_the_real_meters_or_the_one_asked_for(void **unused)
{
    static const enum word_order in_force[] = {[ORDER_NORMAL] = WORD_ORDER_NORMAL,
                                               [ORDER_SWAPPED] = WORD_ORDER_SWAPPED,
                                               [ORDER_OF_METER] = WORD_ORDER_SWAPPED};
    (void)unused;
    open_with_a_telegram();
    for (int order = ORDER_NORMAL; order <= ORDER_OF_METER; order++) {
        settings.order = (enum served_order)order;
        set_source();
        assert_int_equal(modbus_source_bank(&source)->order, in_force[order]);
        assert_true(number_in(in_force[order], POWER) > 999);
    }
}

static void the_order_of_a_meter_is_that_of_its_map(void **unused)
{
    struct register_map map = *register_map_find("empro");
    (void)unused;
    map.word_order = WORD_ORDER_NORMAL;
    assert_int_equal(served_order_of(ORDER_OF_METER, &map), WORD_ORDER_NORMAL);
    assert_int_equal(served_order_of(ORDER_SWAPPED, &map), WORD_ORDER_SWAPPED);
}

static void an_unknown_frequency_is_the_nominal_one_only_if_that_is_set(void **unused)
{
    (void)unused;
    settings.unknown = UNKNOWN_NAN;
    open_with_a_telegram();
    assert_int_equal(bits(WORD_ORDER_SWAPPED, FREQUENCY), 0x7FC00000);
    settings.nominal_hz = 50;
    set_source();
    assert_number(FREQUENCY, 50);
}

static void a_map_that_does_not_fit_is_refused_and_changes_nothing(void **unused)
{
    static const struct register_row rows[] = {{.address = 5, .type = REG_U16}, {.address = 4}};
    static const struct register_map bad = {.name = "bad", .input = {rows, 2}};
    struct modbus_source other;
    (void)unused;
    open_with_a_telegram();
    settings.map = &bad;
    assert_false(modbus_source_set(&source, &settings));
    assert_number(POWER, 1000);
    assert_false(modbus_source_open(&other, &loop, meter, &settings));
    modbus_source_close(&other); /* does no harm */
    pass_s(PAUSE_S);
    assert_number(POWER, 2000);
}

static void a_closed_source_hears_nothing(void **unused)
{
    (void)unused;
    open_with_a_telegram();
    modbus_source_close(&source);
    pass_s(PAUSE_S);
    assert_number(POWER, 1000);
}

/* --- stale ------------------------------------------------------------------------------------ */

static void a_refusal_meets_measured_registers_only(void **unused)
{
    (void)unused;
    open_with_a_telegram();
    pass_s(SILENCE_S);
    assert_refused(POWER, MODBUS_TARGET_SILENT);
    assert_int_equal(word_at(DEVICE_NAME), 'E' << 8 | 'E');
    assert_int_equal(word_at(0x1234), 0);
    pass_s(PAUSE_S - SILENCE_S);
    assert_number(POWER, 2000);
}

static void silence_is_no_answer_at_all(void **unused)
{
    (void)unused;
    settings.stale = STALE_SILENT;
    open_source();
    assert_int_equal(ask(READ, POWER, 2), 0);
    write_telegrams(2);
    pass_s(2); /* the file was not there at first */
    assert_number(POWER, 1000);
    pass_s(SILENCE_S);
    assert_int_equal(ask(READ, POWER, 2), 0);
    assert_int_equal(word_at(DEVICE_NAME), 'E' << 8 | 'E');
}

static void held_values_stay_but_there_must_be_some(void **unused)
{
    (void)unused;
    settings.stale = STALE_HOLD;
    open_source();
    assert_refused(POWER, MODBUS_TARGET_SILENT);
    write_telegrams(2);
    pass_s(2 + SILENCE_S);
    assert_true(meter_is_stale(meter));
    assert_number(POWER, 1000);
}

static void zero_is_zero_even_where_unknown_is_not(void **unused)
{
    (void)unused;
    settings.stale = STALE_ZERO;
    settings.unknown = UNKNOWN_NAN;
    open_source();
    assert_number(POWER, 0);
    write_telegrams(2);
    pass_s(2);
    assert_number(POWER, 1000);
    pass_s(SILENCE_S);
    assert_number(POWER, 0);
    assert_number(ENERGY, 0);
}

static void a_high_current_stands_in_for_what_is_not_known(void **unused)
{
    (void)unused;
    settings.stale = STALE_HIGH_CURRENT;
    open_source();
    assert_number(CURRENT_L1, 40);
    write_telegrams(2);
    pass_s(2);
    assert_number(CURRENT_L1, 1);
    pass_s(SILENCE_S);
    assert_number(CURRENT_L1, 40);
    assert_number(POWER, 3 * 40 * 230);
    assert_number(ENERGY, 1000);
}

static void a_policy_that_is_changed_holds_at_once(void **unused)
{
    (void)unused;
    open_with_a_telegram();
    pass_s(SILENCE_S);
    settings.stale = STALE_ZERO;
    set_source();
    assert_number(POWER, 0);
    settings.stale = STALE_HOLD;
    set_source();
    assert_number(POWER, 1000);
    settings.stale = STALE_EXCEPTION;
    set_source();
    assert_refused(POWER, MODBUS_TARGET_SILENT);
}

/* --- before the first telegram ---------------------------------------------------------------- */

static void a_charger_is_told_zero_only_until_the_limit_has_passed(void **unused)
{
    (void)unused;
    settings.zero_before_first = true;
    open_source();
    assert_number(POWER, 0);
    pass_s(FIRST_LIMIT_S - 1);
    assert_number(POWER, 0);
    pass_s(1);
    assert_refused(POWER, MODBUS_TARGET_SILENT);
}

static void settings_do_not_begin_the_time_anew(void **unused)
{
    (void)unused;
    settings.zero_before_first = true;
    open_source();
    pass_s(FIRST_LIMIT_S - 1);
    set_source();
    assert_number(POWER, 0);
    pass_s(1);
    assert_refused(POWER, MODBUS_TARGET_SILENT);
    set_source();
    assert_refused(POWER, MODBUS_TARGET_SILENT);
}

static void the_first_telegram_ends_the_time_of_zero(void **unused)
{
    (void)unused;
    settings.zero_before_first = true;
    open_source();
    write_telegrams(2);
    pass_s(2);
    assert_number(POWER, 1000);
    pass_s(FIRST_LIMIT_S);
    assert_false(meter_is_stale(meter));
    assert_number(POWER, 2000);
}

static void without_it_nothing_is_told_before_the_first_telegram(void **unused)
{
    (void)unused;
    open_source();
    assert_refused(POWER, MODBUS_TARGET_SILENT);
}

/* --- settings --------------------------------------------------------------------------------- */

static void nothing_can_be_written_unless_it_was_allowed(void **unused)
{
    (void)unused;
    settings.vendor = true;
    open_source();
    assert_int_equal(ask(WRITE, VENDOR_ADDRESS, 7), 2);
    assert_int_equal(reply[1], MODBUS_ILLEGAL_FUNCTION);
}

static void what_is_written_is_staged_and_shown_after_a_refresh(void **unused)
{
    (void)unused;
    settings.vendor = settings.writes = true;
    open_with_a_telegram();
    assert_int_equal(ask(WRITE, VENDOR_ADDRESS, 7), 5);
    assert_int_equal(source.settings.device.setting[SETTING_ADDRESS], 7);
    modbus_source_refresh(&source);
    assert_int_equal(word_at(VENDOR_ADDRESS), 7);
    assert_number(POWER, 1000);
}

static void settings_can_be_read_before_the_first_telegram_and_while_it_is_stale(void **unused)
{
    (void)unused;
    settings.vendor = true;
    settings.device.setting[SETTING_ADDRESS] = 16;
    open_source();
    assert_int_equal(word_at(VENDOR_ADDRESS), 16);
    source.settings.device.setting[SETTING_DATA_AGE] = 65535;
    modbus_source_refresh(&source);
    assert_int_equal(word_at(VENDOR_AGE), 65535);
    assert_refused(POWER, MODBUS_TARGET_SILENT);
}

static void a_refresh_shows_the_same_values_whatever_stands_in_for_them(void **unused)
{
    (void)unused;
    settings.stale = STALE_HIGH_CURRENT;
    open_with_a_telegram();
    pass_s(SILENCE_S);
    modbus_source_refresh(&source);
    assert_number(CURRENT_L1, 40);
    assert_number(ENERGY, 1000);
}

static void a_refresh_keeps_what_the_reading_says_of_the_wiring(void **unused)
{
    static const struct register_row rows[] = {
        {.source = FROM_SETTING, .type = REG_U16, .of = SETTING_WIRING}};
    static const struct register_map map = {.name = "wiring", .input = {rows, 1}};
    (void)unused;
    settings.map = &map;
    open_with_a_telegram();
    assert_int_equal(word_at(0), 1); /* the meter has one phase */
    modbus_source_refresh(&source);
    assert_int_equal(word_at(0), 1);
}

static void the_vendor_block_is_there_only_if_it_was_asked_for(void **unused)
{
    (void)unused;
    open_with_a_telegram();
    assert_int_equal(word_at(0xFE00), 0);
    settings.vendor = true;
    set_source();
    assert_int_equal(word_at(0xFE00), 'S' << 8 | 'C');
}

static void the_identification_names_map_and_version(void **unused)
{
    (void)unused;
    open_source();
    const struct modbus_bank *bank = modbus_source_bank(&source);
    assert_string_equal(bank->id[1], "PhoenixContact-EMPro");
    assert_string_equal(bank->id[2], "1.2.3");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_telegram_is_served_at_once),
        TEST(what_came_before_it_was_opened_is_served),
        TEST(the_order_is_the_real_meters_or_the_one_asked_for),
        TEST(the_order_of_a_meter_is_that_of_its_map),
        TEST(an_unknown_frequency_is_the_nominal_one_only_if_that_is_set),
        TEST(a_map_that_does_not_fit_is_refused_and_changes_nothing),
        TEST(a_closed_source_hears_nothing),
        TEST(a_refusal_meets_measured_registers_only),
        TEST(silence_is_no_answer_at_all),
        TEST(held_values_stay_but_there_must_be_some),
        TEST(zero_is_zero_even_where_unknown_is_not),
        TEST(a_high_current_stands_in_for_what_is_not_known),
        TEST(a_policy_that_is_changed_holds_at_once),
        TEST(a_charger_is_told_zero_only_until_the_limit_has_passed),
        TEST(settings_do_not_begin_the_time_anew),
        TEST(the_first_telegram_ends_the_time_of_zero),
        TEST(without_it_nothing_is_told_before_the_first_telegram),
        TEST(nothing_can_be_written_unless_it_was_allowed),
        TEST(what_is_written_is_staged_and_shown_after_a_refresh),
        TEST(settings_can_be_read_before_the_first_telegram_and_while_it_is_stale),
        TEST(a_refresh_shows_the_same_values_whatever_stands_in_for_them),
        TEST(a_refresh_keeps_what_the_reading_says_of_the_wiring),
        TEST(the_vendor_block_is_there_only_if_it_was_asked_for),
        TEST(the_identification_names_map_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
