#include "config_kit_test.h"

/* Reads a stored form over the defaults. */
static enum config_file_result read_bytes(const char *text, size_t length)
{
    config = defaults;
    return config_read_file(&config, text, length, &errors);
}

static enum config_file_result read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static char *stored(void)
{
    char *text = config_file_text(&config);
    assert_non_null(text);
    return text;
}

static void assert_same(const struct config *a, const struct config *b)
{
    char names[1000];
    config_changed_names(a, b, names, sizeof names);
    assert_string_equal(names, "");
    assert_int_equal(a->was_set, b->was_set);
}

/* What a damaged file may leave: something the page shows and takes back, and that goes together. */
static void assert_sane(void)
{
    json_t *json = config_json(&config);
    const struct config before = config;
    assert_taken(json);
    assert_int_equal(config_changed_doors(&before, &config), 0);
}

/* --- what is written -------------------------------------------------------------------------- */

static void an_untouched_configuration_stores_nothing(void **unused)
{
    (void)unused;
    char *text = stored();
    json_t *json = parse(text), *wanted = parse("{\"Version\":1,\"Settings\":{}}");
    assert_true(json_equal(json, wanted));
    assert_int_equal(read_text(text), CONFIG_FILE_GOOD);
    assert_same(&config, &defaults);
    json_decref(json);
    json_decref(wanted);
    free(text);
}

static void what_was_set_is_stored_and_nothing_else(void **unused)
{
    (void)unused;
    assert_taken(parse("{\"MQTT\":{\"Site\":\"home\",\"Keepalive\":30},\"Modbus\":{\"Port\":1}}"));
    char *text = stored();
    json_t *json = parse(text), *wanted = parse("{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":"
                                                "\"home\",\"Keepalive\":30},\"Modbus\":"
                                                "{\"Port\":1}}}");
    assert_true(json_equal(json, wanted));
    json_decref(json);
    json_decref(wanted);
    free(text);
}

static void secrets_are_stored_in_clear(void **unused)
{
    (void)unused;
    set_all_samples();
    char *text = stored();
    assert_null(strstr(text, CONFIG_MASK));
    assert_non_null(strstr(text, "\"0123456789abcDEF-._~+/=\""));
    assert_non_null(strstr(text, "\"correct \\\"horse\\\\\""));
    free(text);
}

static void all_of_it_comes_back(void **unused)
{
    (void)unused;
    set_all_samples();
    const struct config before = config;
    char *text = stored();
    assert_int_equal(read_text(text), CONFIG_FILE_GOOD);
    assert_int_equal(errors.count, 0);
    assert_same(&config, &before);
    char *again = stored();
    assert_string_equal(again, text);
    free(text);
    free(again);
}

static void each_setting_comes_back_alone(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(samples); i++) {
        start_from_defaults(NULL);
        if (strcmp(samples[i].json, "\"Static\"") == 0 || strcmp(samples[i].json, "\"WiFi\"") == 0)
            continue; /* these do not go alone */
        assert_taken(nest(samples[i].pointer, parse(samples[i].json)));
        const struct config before = config;
        char *text = stored();
        assert_int_equal(read_text(text), CONFIG_FILE_GOOD);
        assert_same(&config, &before);
        assert_true(config_is_set(&config, samples[i].pointer));
        free(text);
    }
}

static void what_was_not_set_follows_the_defaults(void **unused)
{
    struct options options;
    char error[OPTION_ERROR_MAX];
    (void)unused;
    assert_taken(parse("{\"MQTT\":{\"Site\":\"\"}}"));
    char *text = stored();
    options_defaults(&options);
    assert_true(options_set(&options, "mqtt-site", "other", error));
    assert_true(options_set(&options, "mqtt-keepalive", "99", error));
    config_defaults(&defaults, &options);
    assert_int_equal(read_text(text), CONFIG_FILE_GOOD);
    assert_string_equal(config.mqtt_site, "");
    assert_int_equal(config.mqtt_keepalive_s, 99);
    free(text);
}

static void the_largest_configuration_fits_a_file(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        char value[CONFIG_LONG_TEXT_MAX];
        const struct config_row *row = &config_rows[i];
        if (row->type != CONFIG_TEXT || (row->check && !row->secret))
            continue;
        memset(value, '"', (size_t)row->max); /* written as two */
        if (row->check)
            memset(value, 'a', (size_t)row->max);
        value[row->max] = 0;
        assert_taken(nest(row->pointer, json_string(value)));
    }
    config.was_set = UINT64_MAX;
    char *text = stored();
    assert_true(strlen(text) < CONFIG_FILE_MAX / 4);
    free(text);
}

/* --- other versions --------------------------------------------------------------------------- */

/* What GET /api/v1/config answered, saved and put back. */
static void the_bare_object_with_masks_is_version_0(void **unused)
{
    (void)unused;
    set_all_samples();
    const struct config before = config;
    json_t *json = config_json(&config);
    char *text = json_dumps(json, 0);
    assert_int_equal(read_text(text), CONFIG_FILE_GOOD);
    for (size_t i = 0; i < config_row_count; i++)
        if (config_rows[i].secret) {
            assert_string_equal(text_at(&config, config_rows[i].pointer), "");
            assert_false(config_is_set(&config, config_rows[i].pointer));
        } else {
            assert_true(config_is_set(&config, config_rows[i].pointer));
        }
    assert_string_equal(config.wifi_ssid, before.wifi_ssid);
    assert_string_equal(config.ethernet.address, "192.168.1.20");
    assert_int_equal(config.estimate_u31, 1);
    json_decref(json);
    free(text);
}

static void an_empty_object_is_version_0(void **unused)
{
    (void)unused;
    assert_int_equal(read_text("{}"), CONFIG_FILE_GOOD);
    assert_same(&config, &defaults);
}

static void of_a_newer_version_the_known_is_taken(void **unused)
{
    static const char *const versions[] = {"2", "3", "1000", "4294967297", "9223372036854775807"};
    char text[300];
    (void)unused;
    for (size_t i = 0; i < COUNT(versions); i++) {
        snprintf(text, sizeof text,
                 "{\"Version\":%s,\"Settings\":{\"MQTT\":{\"Site\":\"home\",\"Qos\":1},"
                 "\"Cloud\":{\"Url\":\"x\"},\"Modbus\":{\"Port\":\"any\"}},\"More\":[]}",
                 versions[i]);
        assert_int_equal(read_text(text), CONFIG_FILE_NEWER);
        assert_string_equal(config.mqtt_site, "home");
        assert_int_equal(config.modbus_port, 502);
        assert_int_equal(errors.count, 3);
        assert_string_equal(errors.list[0].pointer, "/MQTT/Qos");
        assert_sane();
    }
}

static void a_version_is_a_number_from_1(void **unused)
{
    static const char *const versions[] = {"0",
                                           "-1",
                                           "1.0",
                                           "\"1\"",
                                           "null",
                                           "true",
                                           "[1]",
                                           "{}",
                                           "-9223372036854775808",
                                           "9223372036854775808"};
    char text[200];
    (void)unused;
    for (size_t i = 0; i < COUNT(versions); i++) {
        snprintf(text, sizeof text, "{\"Version\":%s,\"Settings\":{\"MQTT\":{\"Site\":\"home\"}}}",
                 versions[i]);
        assert_int_equal(read_text(text), CONFIG_FILE_DAMAGED);
        assert_memory_equal(&config, &defaults, sizeof config);
    }
}

/* --- damage ----------------------------------------------------------------------------------- */

static void what_is_no_stored_form_is_damaged(void **unused)
{
    static const char *const texts[] = {
        "",
        " ",
        "\n",
        "null",
        "1",
        "\"x\"",
        "[]",
        "[{\"Version\":1,\"Settings\":{}}]",
        "{\"Version\":1}",
        "{\"Version\":1,\"Settings\":null}",
        "{\"Version\":1,\"Settings\":[]}",
        "{\"Version\":1,\"Settings\":\"\"}",
        "{\"Version\":2}",
        "{\"Version\":1,\"settings\":{}}",
        "{\"Version\":1,\"Settings\":{}}x",
        "{\"Version\":1,\"Settings\":{}}{\"Version\":1,\"Settings\":{}}",
        "{\"Version\":1,\"Settings\":{},}",
        "{\"Version\":1,\"Version\":1,\"Settings\":{}}",
        "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"a\",\"Site\":\"b\"}}}",
        "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"a\\u0000b\"}}}",
        "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"\xFF\"}}}",
        "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"\xC0\xAF\"}}}",
        "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"\\ud800\"}}}",
        "{\"Version\":1,\"Settings\":{\"Modbus\":{\"Port\":1e400}}}",
        "{\"Version\":1,\"Settings\":{\"Modbus\":{\"Port\":01502}}}",
        "{\"Version\":1,\"Settings\":{\"Modbus\":{\"Port\":0x1}}}",
        "\xEF\xBB\xBF{\"Version\":1,\"Settings\":{}}",
        "{\"Version\":1,'Settings':{}}",
        "; an INI file\n[mqtt]\n"};
    (void)unused;
    for (size_t i = 0; i < COUNT(texts); i++) {
        if (read_text(texts[i]) != CONFIG_FILE_DAMAGED)
            fail_msg("\"%s\" was read", texts[i]);
        assert_memory_equal(&config, &defaults, sizeof config);
        assert_int_equal(errors.count, 0);
    }
}

static void zeros_and_noise_are_damaged(void **unused)
{
    static char bytes[4096];
    uint32_t random = 1;
    (void)unused;
    assert_int_equal(read_bytes(bytes, sizeof bytes), CONFIG_FILE_DAMAGED);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            random = random * 1103515245 + 12345;
            bytes[i] = (char)(random >> 16);
        }
        assert_int_equal(read_bytes(bytes, sizeof bytes), CONFIG_FILE_DAMAGED);
    }
    assert_memory_equal(&config, &defaults, sizeof config);
}

static void a_file_that_was_cut_anywhere_is_damaged(void **unused)
{
    (void)unused;
    set_all_samples();
    char *text = stored();
    for (size_t n = 0; n < strlen(text); n++) {
        char *part = malloc(n + 1); /* so that a read beyond its end shows */
        assert_non_null(part);
        memcpy(part, text, n);
        assert_int_equal(read_bytes(part, n), CONFIG_FILE_DAMAGED);
        assert_memory_equal(&config, &defaults, sizeof config);
        free(part);
    }
    free(text);
}

static void a_file_with_one_byte_changed_leaves_something_sane(void **unused)
{
    static const char other[] = {0, ' ', '"', '{', '}', '9', 'x', '\n', (char)0xC3};
    (void)unused;
    set_all_samples();
    char *text = stored();
    size_t length = strlen(text);
    for (size_t n = 0; n < length; n++)
        for (size_t k = 0; k < sizeof other; k++) {
            char before = text[n];
            text[n] = other[k];
            if (read_bytes(text, length) == CONFIG_FILE_DAMAGED)
                assert_memory_equal(&config, &defaults, sizeof config);
            else
                assert_sane();
            text[n] = before;
        }
    free(text);
}

static void a_file_without_one_of_its_lines_leaves_something_sane(void **unused)
{
    char part[8192];
    (void)unused;
    set_all_samples();
    char *text = stored();
    for (const char *line = text; (line = strchr(line, '\n')) != NULL; line++) {
        const char *next = strchr(line + 1, '\n');
        if (!next)
            break;
        snprintf(part, sizeof part, "%.*s%s", (int)(line - text), text, next);
        if (read_text(part) != CONFIG_FILE_DAMAGED)
            assert_sane();
    }
    free(text);
}

static void endless_depth_is_no_danger(void **unused)
{
    enum { DEPTH = 2000, TOO_DEEP = 30000 };
    static char text[TOO_DEEP * 6 + 1];
    (void)unused;
    for (int depth = DEPTH; depth <= TOO_DEEP; depth += TOO_DEEP - DEPTH) {
        char *p = text;
        for (int i = 0; i < depth; i++, p += 5)
            memcpy(p, "{\"a\":", 5);
        *p++ = '1';
        memset(p, '}', (size_t)depth);
        enum config_file_result result = read_bytes(text, (size_t)(p - text) + (size_t)depth);
        assert_int_equal(result, depth == DEPTH ? CONFIG_FILE_PARTLY : CONFIG_FILE_DAMAGED);
        assert_same(&config, &defaults);
    }
}

/* --- single faults ---------------------------------------------------------------------------- */

static void a_bad_setting_costs_itself_only(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        start_from_defaults(NULL);
        set_all_samples();
        const struct config before = config;
        char *text = stored();
        json_t *json = parse(text), *bad = nest(config_rows[i].pointer, json_array());
        json_object_update_recursive(json_object_get(json, "Settings"), bad);
        char *damaged = json_dumps(json, 0);
        assert_int_equal(read_text(damaged), CONFIG_FILE_PARTLY);
        assert_true(errors.count >= 1);
        assert_string_equal(errors.list[0].pointer, config_rows[i].pointer);
        assert_false(config_is_set(&config, config_rows[i].pointer));
        if (config_rows[i].door != DOOR_NETWORK) {
            assert_int_equal(errors.count, 1);
            assert_int_equal(before.was_set ^ config.was_set, UINT64_C(1) << i);
        }
        assert_sane();
        json_decref(json);
        json_decref(bad);
        free(damaged);
        free(text);
    }
}

static void an_empty_object_is_no_value(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        json_t *given = nest(config_rows[i].pointer, json_object());
        char *text = json_dumps(given, 0);
        assert_int_equal(read_text(text), CONFIG_FILE_PARTLY);
        assert_int_equal(errors.count, 1);
        assert_string_equal(errors.list[0].pointer, config_rows[i].pointer);
        assert_same(&config, &defaults);
        json_decref(given);
        free(text);
    }
    assert_int_equal(read_text("{\"Version\":1,\"Settings\":{\"Frob\":{}}}"), CONFIG_FILE_PARTLY);
    assert_int_equal(read_text("{\"Version\":1,\"Settings\":{\"MQTT\":{}}}"), CONFIG_FILE_GOOD);
}

static void what_is_not_known_is_told_and_left_out(void **unused)
{
    (void)unused;
    assert_int_equal(
        read_text("{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"home\",\"Frob\":1},"
                  "\"Frob\":{\"a\":{\"b\":[]}},\"Modbus\":7,\"Meter\":null}}"),
        CONFIG_FILE_PARTLY);
    assert_int_equal(errors.count, 4);
    assert_string_equal(errors.list[0].pointer, "/MQTT/Frob");
    assert_string_equal(errors.list[1].pointer, "/Frob/a/b");
    assert_string_equal(errors.list[2].pointer, "/Modbus");
    assert_string_equal(errors.list[3].pointer, "/Meter");
    assert_string_equal(config.mqtt_site, "home");
}

static const char bad_network[] =
    "\"DefaultNetIf\":\"Ethernet\",\"Ethernet\":{\"IpMode\":\"Static\",\"StaticIPv4\":{"
    "\"IpAddress\":\"192.168.1.20\",\"Gateway\":\"10.0.0.1\"}},"
    "\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"x\",\"WiFiPassword\":\"12345678\"}},";

static void assert_no_network(void)
{
    for (size_t i = 0; i < config_row_count; i++)
        if (config_rows[i].door == DOOR_NETWORK)
            assert_false(config_is_set(&config, config_rows[i].pointer));
    assert_int_equal(config_changed_doors(&defaults, &config) & DOOR_NETWORK, 0);
}

static void network_settings_that_do_not_go_together_are_all_left_out(void **unused)
{
    char text[1000];
    (void)unused;
    snprintf(
        text, sizeof text,
        "{\"Version\":1,\"Settings\":{%s\"MQTT\":{\"Site\":\"home\"},\"Modbus\":{\"Port\":1}}}",
        bad_network);
    assert_int_equal(read_text(text), CONFIG_FILE_PARTLY);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.list[0].pointer, "/Ethernet/StaticIPv4/Gateway");
    assert_no_network();
    assert_string_equal(config.mqtt_site, "home");
    assert_int_equal(config.modbus_port, 1);
    assert_true(config_is_set(&config, "/MQTT/Site") && config_is_set(&config, "/Modbus/Port"));
}

static void so_is_a_network_whose_address_was_bad(void **unused)
{
    (void)unused;
    assert_int_equal(read_text("{\"Version\":1,\"Settings\":{\"Ethernet\":{\"IpMode\":\"Static\","
                               "\"StaticIPv4\":{\"IpAddress\":\"192.168.1.256\"}}}}"),
                     CONFIG_FILE_PARTLY);
    assert_int_equal(errors.count, 2);
    assert_no_network();
    assert_int_equal(read_text("{\"Version\":1,\"Settings\":{\"DefaultNetIf\":\"WiFi\"}}"),
                     CONFIG_FILE_PARTLY);
    assert_no_network();
}

/* More faults than are told: what goes together is judged all the same. */
static void so_is_a_bad_network_among_many_faults(void **unused)
{
    char text[2000];
    int n = snprintf(text, sizeof text, "{\"Version\":1,\"Settings\":{%s", bad_network);
    (void)unused;
    for (int i = 0; i < 2 * CONFIG_ERRORS_MAX; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "\"Frob%d\":1,", i);
    snprintf(text + n, sizeof text - (size_t)n, "\"MQTT\":{\"Site\":\"home\"}}}");
    assert_int_equal(read_text(text), CONFIG_FILE_PARTLY);
    assert_int_equal(errors.count, CONFIG_ERRORS_MAX);
    assert_no_network();
    assert_string_equal(config.mqtt_site, "home");
}

#define TEST(name) cmocka_unit_test_setup(name, start_from_defaults)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_untouched_configuration_stores_nothing),
        TEST(what_was_set_is_stored_and_nothing_else),
        TEST(secrets_are_stored_in_clear),
        TEST(all_of_it_comes_back),
        TEST(each_setting_comes_back_alone),
        TEST(what_was_not_set_follows_the_defaults),
        TEST(the_largest_configuration_fits_a_file),
        TEST(the_bare_object_with_masks_is_version_0),
        TEST(an_empty_object_is_version_0),
        TEST(of_a_newer_version_the_known_is_taken),
        TEST(a_version_is_a_number_from_1),
        TEST(what_is_no_stored_form_is_damaged),
        TEST(zeros_and_noise_are_damaged),
        TEST(a_file_that_was_cut_anywhere_is_damaged),
        TEST(a_file_with_one_byte_changed_leaves_something_sane),
        TEST(a_file_without_one_of_its_lines_leaves_something_sane),
        TEST(endless_depth_is_no_danger),
        TEST(a_bad_setting_costs_itself_only),
        TEST(an_empty_object_is_no_value),
        TEST(what_is_not_known_is_told_and_left_out),
        TEST(network_settings_that_do_not_go_together_are_all_left_out),
        TEST(so_is_a_network_whose_address_was_bad),
        TEST(so_is_a_bad_network_among_many_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
