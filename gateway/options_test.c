#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct options options;
static char error[OPTION_ERROR_MAX];

static void the_table_is_sound(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        assert_non_null(row->section);
        assert_non_null(row->help);
        assert_non_null(row->fallback);
        assert_true(row->type != OPTION_CHOICE || row->choices);
        assert_true(row->type != OPTION_NUMBER || row->min < row->max);
        assert_true((row->type == OPTION_SWITCH) == (row->value_name == NULL));
        assert_true(row->offset < sizeof options);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(row->name, option_rows[j].name);
    }
}

static void every_default_can_be_set(void **unused)
{
    (void)unused;
    options_defaults(&options);
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        assert_false(options_was_set(&options, row->name));
        if (row->fallback[0] && !options_set(&options, row->name, row->fallback, error))
            fail_msg("%s: %s", row->name, error);
    }
}

static void the_defaults_are_those_of_the_manual(void **unused)
{
    (void)unused;
    options_defaults(&options);
    assert_string_equal(options.modbus, "502");
    assert_string_equal(options.map, "PhoenixContact-EMPro");
    assert_int_equal(options.modbus_clients, 4);
    assert_int_equal(options.modbus_idle_timeout_s, 60);
    assert_int_equal(options.word_order, WORD_ORDER_SWAPPED);
    assert_int_equal(options.unknown, UNKNOWN_ZERO);
    assert_int_equal(options.stale, STALE_EXCEPTION);
    assert_int_equal(options.meter_utc_offset_h, 1);
    assert_string_equal(options.mqtt, "");
}

static void a_value_that_is_set_is_no_default_any_more(void **unused)
{
    (void)unused;
    options_defaults(&options);
    assert_true(options_set(&options, "modbus-clients", "64", error));
    assert_int_equal(options.modbus_clients, 64);
    assert_true(options_was_set(&options, "modbus-clients"));
    assert_true(options_set(&options, "live", "on", error));
    assert_int_equal(options.live, 1);
    assert_true(options_set(&options, "stale", "high-current", error));
    assert_int_equal(options.stale, STALE_HIGH_CURRENT);
}

static void numbers_outside_their_bounds_are_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        char text[32];
        if (row->type != OPTION_NUMBER)
            continue;
        for (int side = 0; side < 2; side++) {
            options_defaults(&options);
            snprintf(text, sizeof text, "%d", side ? row->max : row->min);
            assert_true(options_set(&options, row->name, text, error));
            snprintf(text, sizeof text, "%d", side ? row->max + 1 : row->min - 1);
            assert_false(options_set(&options, row->name, text, error));
        }
        assert_false(options_set(&options, row->name, "", error));
        assert_false(options_set(&options, row->name, "1 2", error));
        assert_false(options_set(&options, row->name, "4294967296", error));
        assert_false(options_set(&options, row->name, "99999999999999999999", error));
    }
}

static void a_refused_value_leaves_the_old_one(void **unused)
{
    (void)unused;
    options_defaults(&options);
    assert_true(options_set(&options, "mqtt-site", "home", error));
    assert_false(options_set(&options, "mqtt-site", "a/b", error));
    assert_string_equal(options.mqtt_site, "home");
    assert_false(options_set(&options, "modbus", "nowhere", error));
    assert_string_equal(options.modbus, "502");
}

static void a_refusal_names_option_and_value(void **unused)
{
    (void)unused;
    options_defaults(&options);
    assert_false(options_set(&options, "word-order", "CDAB", error));
    assert_string_equal(error, "word-order: \"CDAB\" is none of normal swapped");
    assert_false(options_set(&options, "frobnicate", "1", error));
    assert_string_equal(error, "unknown option \"frobnicate\"");
}

static void the_longest_text_fits_and_one_more_does_not(void **unused)
{
    char text[OPTION_TEXT_MAX + 1];
    (void)unused;
    options_defaults(&options);
    memset(text, 'x', sizeof text);
    text[OPTION_TEXT_MAX - 1] = 0;
    assert_true(options_set(&options, "state", text, error));
    assert_string_equal(options.state, text);
    text[OPTION_TEXT_MAX - 1] = 'x';
    text[OPTION_TEXT_MAX] = 0;
    assert_false(options_set(&options, "state", text, error));
}

static void a_huge_wrong_value_makes_a_bounded_error(void **unused)
{
    static char text[100000];
    (void)unused;
    memset(text, 'x', sizeof text - 1);
    for (size_t i = 0; i < option_row_count; i++) {
        options_defaults(&options);
        assert_false(options_set(&options, option_rows[i].name, text, error));
        assert_true(strlen(error) < OPTION_ERROR_MAX);
    }
}

static bool read_text(const char *text, char *path)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    options_defaults(&options);
    bool good = options_read_file(&options, path, error);
    unlink(path);
    return good;
}

static void a_device_file_is_read(void **unused)
{
    char path[] = "/tmp/options_test.XXXXXX";
    (void)unused;
    assert_true(read_text("; the box in the hall\n[meter]\nmeter = sim:dsmr50\r\n\n[mqtt]\n"
                          "mqtt = mqtt://broker.example:1884\n[device]\nlog-level=debug\n",
                          path));
    assert_string_equal(options.meter, "sim:dsmr50");
    assert_string_equal(options.mqtt, "mqtt://broker.example:1884");
    assert_int_equal(options.log_level, LOG_LEVEL_DEBUG);
}

static void the_first_error_of_a_file_is_told_with_its_line(void **unused)
{
    char path[] = "/tmp/options_test.XXXXXX", expected[200];
    (void)unused;
    assert_false(read_text("[modbus]\nmap = empro\nmodbus-clients = many\nfrobnicate = 1\n", path));
    snprintf(expected, sizeof expected, "%s:3: modbus-clients: \"many\" is no number from 1 to 64",
             path);
    assert_string_equal(error, expected);
}

static void a_file_that_is_not_there_or_none_is_an_error(void **unused)
{
    (void)unused;
    assert_false(options_read_file(&options, "/nonexistent/file", error));
    assert_string_equal(error, "/nonexistent/file: No such file or directory");
    assert_false(options_read_file(&options, "/", error));
    assert_string_equal(error, "/: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(every_default_can_be_set),
        cmocka_unit_test(the_defaults_are_those_of_the_manual),
        cmocka_unit_test(a_value_that_is_set_is_no_default_any_more),
        cmocka_unit_test(numbers_outside_their_bounds_are_refused),
        cmocka_unit_test(a_refused_value_leaves_the_old_one),
        cmocka_unit_test(a_refusal_names_option_and_value),
        cmocka_unit_test(the_longest_text_fits_and_one_more_does_not),
        cmocka_unit_test(a_huge_wrong_value_makes_a_bounded_error),
        cmocka_unit_test(a_device_file_is_read),
        cmocka_unit_test(the_first_error_of_a_file_is_told_with_its_line),
        cmocka_unit_test(a_file_that_is_not_there_or_none_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
