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
    assert_int_equal(options.word_order, ORDER_OF_METER);
    assert_int_equal(options.modbus_writes, 0);
    assert_int_equal(options.nominal_hz, 0);
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

static void a_list_is_added_to_and_has_an_end(void **unused)
{
    (void)unused;
    options_defaults(&options);
    assert_true(options_set(&options, "modbus-also", "1503", error));
    assert_false(options_set(&options, "modbus-also", "1503,baud=9600", error));
    assert_int_equal(options.modbus_also.count, 1);
    for (int i = 1; i < OPTION_LIST_MAX; i++)
        assert_true(options_set(&options, "modbus-also", "1504,framing=rtu", error));
    assert_string_equal(options.modbus_also.text[0], "1503");
    assert_string_equal(options.modbus_also.text[OPTION_LIST_MAX - 1], "1504,framing=rtu");
    assert_false(options_set(&options, "modbus-also", "1505", error));
    assert_string_equal(error, "modbus-also: more than 8 of them");
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

/* An argument may be any bytes. */
static void what_no_broker_takes_is_refused(void **unused)
{
    static const char *const bad[] = {"a\xC2\x85\x62", "a\xFF", "a\xC3", "\xED\xA0\x80",
                                      "\xEF\xBF\xBF"};
    (void)unused;
    options_defaults(&options);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(options_set(&options, "mqtt-site", bad[i], error));
        assert_non_null(strstr(error, "mqtt-site: site: MQTT takes neither"));
        assert_false(options_set(&options, "mqtt-username", bad[i], error));
        assert_non_null(strstr(error, "mqtt-username: user name: MQTT takes neither"));
    }
    assert_true(options_set(&options, "mqtt-username", "", error));
}

static void a_refusal_names_option_and_value(void **unused)
{
    (void)unused;
    options_defaults(&options);
    assert_false(options_set(&options, "word-order", "CDAB", error));
    assert_string_equal(error, "word-order: \"CDAB\" is none of normal swapped meter");
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

/* A map file in its own place, to be unlinked. */
static void make_map_file(char *path, const char *name)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, "map,%s\nregister,quantity,type,scale,word order,fixed value\n0,tariff,uint16\n",
            name);
    close(fd);
}

static void a_map_may_be_named_before_its_file(void **unused)
{
    char path[] = "/tmp/options_test.XXXXXX", map_path[] = "/tmp/options_map.XXXXXX", text[400];
    (void)unused;
    make_map_file(map_path, "Mine-First");
    snprintf(text, sizeof text, "[modbus]\nmap = first\nmap-file = %s\nmodbus = 1502\n", map_path);
    assert_true(read_text(text, path));
    unlink(map_path);
    assert_string_equal(options.map, "first");
    assert_string_equal(options.modbus, "1502");
    assert_int_equal(options.map_files.count, 1);
    assert_string_equal(options.map_files.text[0], map_path);
    assert_true(options_was_set(&options, "map-file"));
}

static void a_list_grows_until_it_is_full(void **unused)
{
    char path[] = "/tmp/options_test.XXXXXX", map_path[] = "/tmp/options_map.XXXXXX", text[400];
    (void)unused;
    make_map_file(map_path, "Mine-Second");
    snprintf(text, sizeof text, "[modbus]\nmap-file = %s\n", map_path);
    assert_true(read_text(text, path));
    unlink(map_path);
    char other_path[] = "/tmp/options_map.XXXXXX";
    make_map_file(other_path, "Mine-Third");
    assert_true(options_set(&options, "map-file", other_path, error));
    unlink(other_path);
    assert_int_equal(options.map_files.count, 2);
    assert_string_equal(options.map_files.text[0], map_path);
    assert_string_equal(options.map_files.text[1], other_path);
    assert_true(options_set(&options, "map", "third", error));
    options.map_files.count = OPTION_LIST_MAX;
    assert_false(options_set(&options, "map-file", other_path, error));
    assert_string_equal(error, "map-file: more than 8 of them");
}

static void a_map_file_that_cannot_be_read_is_told_with_both_lines(void **unused)
{
    char path[] = "/tmp/options_test.XXXXXX", map_path[] = "/tmp/options_map.XXXXXX";
    char text[400], expected[200];
    (void)unused;
    make_map_file(map_path, "not good");
    snprintf(text, sizeof text, "frobnicate = 1\n[modbus]\nmap-file = %s\n", map_path);
    assert_false(read_text(text, path));
    snprintf(expected, sizeof expected, "%s:3: map-file: %s:1:5: a map needs a name", path,
             map_path);
    assert_memory_equal(error, expected, strlen(expected));
    assert_int_equal(options.map_files.count, 0);
    unlink(map_path);
    assert_false(options_set(&options, "map-file", map_path, error));
    assert_non_null(strstr(error, "No such file"));
    assert_false(options_set(&options, "map", "fourth", error));
    assert_non_null(strstr(error, "\"fourth\" is no register map; there are PhoenixContact-EMPro"));
}

static void a_file_may_be_empty_but_must_be_text(void **unused)
{
    char empty[] = "/tmp/options_test.XXXXXX", path[] = "/tmp/options_test.XXXXXX";
    (void)unused;
    assert_true(read_text("", empty));
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "[modbus]\n\0map", 13), 13);
    close(fd);
    assert_false(options_read_file(&options, path, error));
    assert_non_null(strstr(error, ": a byte is 0: this is no text file"));
    unlink(path);
}

static void a_line_that_is_no_setting_is_told(void **unused)
{
    char path[] = "/tmp/options_test.XXXXXX", other[] = "/tmp/options_test.XXXXXX";
    (void)unused;
    assert_false(read_text("[modbus]\nmap = empro\nnonsense\n", path));
    assert_non_null(strstr(error, ":3: neither [section] nor key = value"));
    assert_false(read_text("[meter]\nmap-file = x\n", other));
    assert_non_null(strstr(error, ":2: map-file belongs into section [modbus], not [meter]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(every_default_can_be_set),
        cmocka_unit_test(the_defaults_are_those_of_the_manual),
        cmocka_unit_test(a_value_that_is_set_is_no_default_any_more),
        cmocka_unit_test(a_list_is_added_to_and_has_an_end),
        cmocka_unit_test(numbers_outside_their_bounds_are_refused),
        cmocka_unit_test(a_refused_value_leaves_the_old_one),
        cmocka_unit_test(what_no_broker_takes_is_refused),
        cmocka_unit_test(a_refusal_names_option_and_value),
        cmocka_unit_test(the_longest_text_fits_and_one_more_does_not),
        cmocka_unit_test(a_huge_wrong_value_makes_a_bounded_error),
        cmocka_unit_test(a_device_file_is_read),
        cmocka_unit_test(the_first_error_of_a_file_is_told_with_its_line),
        cmocka_unit_test(a_file_that_is_not_there_or_none_is_an_error),
        cmocka_unit_test(a_map_may_be_named_before_its_file),
        cmocka_unit_test(a_list_grows_until_it_is_full),
        cmocka_unit_test(a_map_file_that_cannot_be_read_is_told_with_both_lines),
        cmocka_unit_test(a_file_may_be_empty_but_must_be_text),
        cmocka_unit_test(a_line_that_is_no_setting_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
