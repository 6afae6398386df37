#include "config_kit_test.h"

#include "core/register_map.h"

static const char mask[] = CONFIG_MASK;

/* --- the table -------------------------------------------------------------------------------- */

static void pointers_are_unique_and_lead_to_one_place(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        const char *pointer = config_rows[i].pointer;
        size_t n = strlen(pointer);
        assert_in_range(n, 2, CONFIG_POINTER_MAX - 1);
        assert_int_equal(pointer[0], '/');
        assert_int_not_equal(pointer[n - 1], '/');
        assert_null(strstr(pointer, "//"));
        assert_null(strchr(pointer, '~'));
        for (size_t j = 0; j < config_row_count; j++)
            if (i != j && strncasecmp(pointer, config_rows[j].pointer, n) == 0)
                assert_false(config_rows[j].pointer[n] == '/' || config_rows[j].pointer[n] == 0);
    }
}

/* An object's settings stand together, so that they come together in the answer. */
static void rows_of_an_object_are_neighbours(void **unused)
{
    (void)unused;
    for (size_t i = 2; i < config_row_count; i++) {
        size_t n = strcspn(config_rows[i].pointer + 1, "/") + 2;
        bool other = strncmp(config_rows[i].pointer, config_rows[i - 1].pointer, n) != 0;
        for (size_t j = 0; other && j + 1 < i; j++)
            assert_true(strncmp(config_rows[i].pointer, config_rows[j].pointer, n) != 0);
    }
}

static void every_row_has_a_field_of_its_own(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *a = &config_rows[i];
        assert_true(a->offset + a->size <= offsetof(struct config, was_set));
        assert_true(a->type == CONFIG_TEXT || a->offset % sizeof(int) == 0);
        for (size_t j = 0; j < i; j++) {
            const struct config_row *b = &config_rows[j];
            assert_true(a->offset + a->size <= b->offset || b->offset + b->size <= a->offset);
        }
    }
}

/* All fields but was_set, so that none is forgotten: those of a struct with no hole but before it. */
static void every_field_has_a_row(void **unused)
{
    size_t sum = 0;
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++)
        sum += config_rows[i].size;
    assert_in_range(offsetof(struct config, was_set) - sum, 0, sizeof(uint64_t) - 1);
}

static void every_row_is_whole(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        bool is_text = row->type == CONFIG_TEXT;
        assert_true(row->help && row->help[0] && row->fallback);
        assert_true(row->door);
        assert_int_equal(row->type == CONFIG_CHOICE, row->choices != NULL);
        assert_true(row->type != CONFIG_NUMBER || row->min < row->max);
        assert_true(!is_text || (row->min >= 1 && row->min <= row->max));
        assert_true(!is_text || ((size_t)row->max < row->size && row->size <= CONFIG_LONG_TEXT_MAX));
        assert_true(is_text || (!row->check && !row->secret));
        assert_true(!row->secret || row->fallback[0] == 0);
        assert_true(is_text || row->size == sizeof(int));
        /* a mask that is sent back must be no value; see set_text() */
        assert_true(!row->secret || strlen(mask) <= (size_t)row->max);
    }
}

static const struct option_row *option_of(const struct config_row *row)
{
    for (size_t i = 0; i < option_row_count; i++)
        if (option_rows[i].offset + 1 == row->option)
            return &option_rows[i];
    fail_msg("%s: no option is at %zu", row->pointer, row->option - 1);
    return NULL;
}

/* The option's bytes are copied, so they must mean the same. */
static void an_option_and_its_row_are_of_one_kind(void **unused)
{
    static const enum option_type types[] = {
        [CONFIG_TEXT] = OPTION_TEXT,
        [CONFIG_NUMBER] = OPTION_NUMBER,
        [CONFIG_CHOICE] = OPTION_CHOICE,
        [CONFIG_SWITCH] = OPTION_SWITCH,
    };
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        if (!row->option)
            continue;
        const struct option_row *option = option_of(row);
        assert_int_equal(option->type, types[row->type]);
        assert_ptr_equal(option->choices, row->choices);
        assert_true(row->type != CONFIG_NUMBER ||
                    (option->min == row->min && option->max == row->max));
        if (row->type != CONFIG_SWITCH)
            assert_string_equal(option->fallback, row->fallback);
    }
}

static json_t *fallback_of(const struct config_row *row)
{
    if (row->type == CONFIG_TEXT || row->type == CONFIG_CHOICE)
        return json_string(row->fallback);
    return parse(row->fallback);
}

static void every_default_passes_its_own_check(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        assert_taken(nest(config_rows[i].pointer, fallback_of(&config_rows[i])));
        assert_true(config_is_set(&config, config_rows[i].pointer));
    }
    assert_int_equal(config_changed_doors(&defaults, &config), 0);
}

static void every_row_has_a_sample_that_is_taken(void **unused)
{
    (void)unused;
    assert_int_equal(COUNT(samples), config_row_count);
    for (size_t i = 0; i < COUNT(samples); i++)
        assert_string_equal(samples[i].pointer, config_rows[i].pointer);
    set_all_samples();
    for (size_t i = 0; i < config_row_count; i++)
        assert_true(config_is_set(&config, config_rows[i].pointer));
}

/* --- types ------------------------------------------------------------------------------------ */

static void values_of_another_type_are_refused(void **unused)
{
    static const struct {
        const char *json;
        int fits; /* enum config_type, or none */
    } values[] = {
        {"null", -1},
        {"true", CONFIG_SWITCH},
        {"false", CONFIG_SWITCH},
        {"5", CONFIG_NUMBER},
        {"5.0", -1},
        {"1e2", -1},
        {"0.5", -1},
        {"[]", -1},
        {"[5]", -1},
        {"{}", -1},
        {"{\"a\":1}", -1},
        {"\"5\"", CONFIG_TEXT},
        {"[\"Static\"]", -1},
    };
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++)
        for (size_t k = 0; k < COUNT(values); k++)
            if (values[k].fits != (int)config_rows[i].type)
                assert_refused(nest(config_rows[i].pointer, parse(values[k].json)),
                               config_rows[i].pointer);
}

static void a_number_is_taken_from_its_least_to_its_greatest(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        if (row->type != CONFIG_NUMBER)
            continue;
        for (int side = 0; side < 2; side++) {
            const int edge = side ? row->max : row->min, beyond = side ? edge + 1 : edge - 1;
            assert_taken(nest(row->pointer, json_integer(edge)));
            assert_memory_equal((const char *)&config + row->offset, &edge, sizeof edge);
            assert_refused(nest(row->pointer, json_integer(beyond)), row->pointer);
        }
    }
}

/* What would fit if its upper half were cut off. */
static void huge_numbers_are_refused(void **unused)
{
    static const json_int_t huge[] = {
        INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, INT64_C(1) << 32, (INT64_C(1) << 32) + 60, -60};
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++)
        for (size_t k = 0; k < COUNT(huge); k++)
            if (config_rows[i].type == CONFIG_NUMBER)
                assert_refused(nest(config_rows[i].pointer, json_integer(huge[k])),
                               config_rows[i].pointer);
}

static void a_choice_is_one_of_its_names_to_the_letter(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        for (int k = 0; row->choices && row->choices[k]; k++) {
            char name[40];
            assert_taken(parse("{\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"x\"},"
                               "\"StaticIPv4\":{\"IpAddress\":\"10.0.0.2\"}},"
                               "\"Ethernet\":{\"StaticIPv4\":{\"IpAddress\":\"10.0.0.2\"}}}"));
            assert_taken(nest(row->pointer, json_string(row->choices[k])));
            assert_memory_equal((const char *)&config + row->offset, &k, sizeof k);
            snprintf(name, sizeof name, "%s ", row->choices[k]);
            assert_refused(nest(row->pointer, json_string(name)), row->pointer);
            name[strlen(name) - 2] = 0;
            assert_refused(nest(row->pointer, json_string(name)), row->pointer);
            snprintf(name, sizeof name, "%s", row->choices[k]);
            name[0] ^= ' ';
            assert_refused(nest(row->pointer, json_string(name)), row->pointer);
        }
    }
}

static void a_refused_choice_names_all_there_are(void **unused)
{
    (void)unused;
    assert_refused(parse("{\"Modbus\":{\"Stale\":\"\"}}"), "/Modbus/Stale");
    assert_string_equal(errors.list[0].detail, "must be one of \"exception\", \"hold\", \"zero\", "
                                               "\"high-current\"");
}

/* --- texts ------------------------------------------------------------------------------------ */

static bool is_text(const struct config_row *row)
{
    return row->type == CONFIG_TEXT;
}

static void assert_length(const struct config_row *row, size_t length, bool good)
{
    char text[CONFIG_LONG_TEXT_MAX + 10001];
    assert_true(length < sizeof text);
    memset(text, 'a', length);
    text[length] = 0;
    if (good)
        assert_taken(nest(row->pointer, json_string(text)));
    else
        assert_refused(nest(row->pointer, json_string(text)), row->pointer);
}

/* Those whose form is free, or takes letters. */
static void a_text_has_its_least_to_its_greatest_length(void **unused)
{
    static const char *const free_form[] = {"/WiFi/ConnectionData/WiFiSSID",
                                            "/WiFi/ConnectionData/WiFiPassword",
                                            "/MQTT/Site",
                                            "/MQTT/Username",
                                            "/MQTT/Password",
                                            "/Metrics/Token"};
    (void)unused;
    for (size_t i = 0; i < COUNT(free_form); i++) {
        const struct config_row *row = row_at(free_form[i]);
        assert_length(row, (size_t)row->min, true);
        assert_length(row, (size_t)row->max, true);
        assert_length(row, (size_t)row->max + 1, false);
        if (row->min > 1) {
            assert_length(row, (size_t)row->min - 1, false);
            assert_length(row, 1, false);
        }
    }
}

static void endless_texts_are_refused(void **unused)
{
    static const size_t lengths[] = {0, 1, 10000};
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++)
        for (size_t k = 0; is_text(&config_rows[i]) && k < COUNT(lengths); k++)
            assert_length(&config_rows[i], config_rows[i].size + lengths[k], false);
}

static void a_text_without_a_default_may_be_empty(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        if (!is_text(row))
            continue;
        assert_length(row, 0, row->fallback[0] == 0);
    }
}

static void control_characters_are_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++)
        for (int c = 0; is_text(&config_rows[i]) && c <= 0x20; c++) {
            char text[CONFIG_TEXT_MAX];
            json_t *sample = parse(samples[i].json);
            size_t n = json_string_length(sample);
            memcpy(text, json_string_value(sample), n + 1);
            text[n / 2] = (char)(c == 0x20 ? 0x7F : c);
            json_decref(sample);
            assert_refused(nest(config_rows[i].pointer, json_stringn_nocheck(text, n)),
                           config_rows[i].pointer);
        }
}

/* --- what a value must be --------------------------------------------------------------------- */

static void assert_good(const char *pointer, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_taken(nest(pointer, json_string(values[i])));
        assert_string_equal(text_at(&config, pointer), values[i]);
    }
}

static void assert_bad(const char *pointer, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_refused(nest(pointer, json_string(values[i])), pointer);
}

static void a_map_is_found_by_its_short_name_in_any_case(void **unused)
{
    static const char *const spellings[] = {"PhoenixContact-EMPro", "phoenixcontact-empro", "EMPro",
                                            "empro", "EMPRO"};
    static const char *const bad[] = {"EM",     "EMPro2",         " EMPro",
                                      "EMPro ", "PhoenixContact", "PhoenixContact-",
                                      "-EMPro", "Ph\xC3\xB6nix"};
    (void)unused;
    for (size_t i = 0; i < COUNT(spellings); i++) {
        assert_taken(nest("/MeterType", json_string(spellings[i])));
        assert_string_equal(config.meter_type, "PhoenixContact-EMPro");
    }
    assert_bad("/MeterType", bad, COUNT(bad));
    assert_non_null(strstr(errors.list[0].detail, "PhoenixContact-EMPro"));
}

static const char *const address_pointers[] = {
    "/Ethernet/StaticIPv4/IpAddress", "/Ethernet/StaticIPv4/Gateway", "/Ethernet/StaticIPv4/DNS",
    "/WiFi/StaticIPv4/IpAddress",     "/WiFi/StaticIPv4/Gateway",     "/WiFi/StaticIPv4/DNS"};

static void an_address_is_that_of_one_machine(void **unused)
{
    static const char *const good[] = {"192.168.1.20",    "10.0.0.1",  "172.16.255.1", "1.0.0.0",
                                       "223.255.255.255", "126.0.0.1", "128.0.0.1",    ""};
    static const char *const bad[] = {"0.0.0.0",   "0.1.2.3",   "127.0.0.1", "127.255.255.255",
                                      "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255"};
    (void)unused;
    for (size_t i = 0; i < COUNT(address_pointers); i++) {
        assert_good(address_pointers[i], good, COUNT(good));
        assert_bad(address_pointers[i], bad, COUNT(bad));
    }
}

static void an_address_is_written_in_one_way(void **unused)
{
    static const char *const bad[] = {
        "192.168.1.256", "192.168.01.20", "192.168.1.020", "0300.0250.1.1", "0xC0.168.1.1",
        "192.168.1",     "192.168.1.",    "192.168.1.2.",  "192.168.1.2.3", "192.168..2",
        ".192.168.1.2",  " 192.168.1.2",  "192.168.1.2 ",  "192.168.1 .2",  "192.168.1.2/24",
        "192.168.1.2:1", "192.168.1.-2",  "192.168.1.+2",  "192.168.1.2a",  "3232235777",
        "0xC0A80101",    "fe80::1",       "::1.2.3.4",     "1.2.3.1000",    "router.lan",
        "aaaaaaa",       "1,2,3,4",       "1.2.3.\xD9\xA1"};
    (void)unused;
    for (size_t i = 0; i < COUNT(address_pointers); i++)
        assert_bad(address_pointers[i], bad, COUNT(bad));
}

static void a_netmask_is_a_number_of_bits_in_a_text(void **unused)
{
    static const char *const good[] = {"0", "1", "8", "9", "10", "24", "30", "31", "32"};
    static const char *const bad[] = {"33",  "40", "99", "024", "08",  "00",
                                      "0x8", "-1", "+8", " 8",  "8 ",  "255.255.255.0",
                                      "",    "/8", "8.", "a",   "1e1", "\xC2\xB2"};
    (void)unused;
    for (int wifi = 0; wifi < 2; wifi++) {
        const char *pointer = wifi ? "/WiFi/StaticIPv4/Netmask" : "/Ethernet/StaticIPv4/Netmask";
        assert_good(pointer, good, COUNT(good));
        assert_bad(pointer, bad, COUNT(bad));
        assert_refused(nest(pointer, json_integer(24)), pointer);
    }
}

/* 32 bytes */
#define UMLAUTS_4 "\xC3\xA4\xC3\xB6\xC3\xBC\xC3\x9F"
#define UMLAUTS_16 UMLAUTS_4 UMLAUTS_4 UMLAUTS_4 UMLAUTS_4

static void an_ssid_has_up_to_32_bytes_of_any_script(void **unused)
{
    static const char *const good[] = {"a",
                                       " ",
                                       "01234567890123456789012345678901",
                                       "; reboot #",
                                       "\"'\\",
                                       "********",
                                       UMLAUTS_16,
                                       "\xF0\x9F\x92\xA1"};
    static const char *const bad[] = {"012345678901234567890123456789012", UMLAUTS_16 "x"};
    (void)unused;
    assert_good("/WiFi/ConnectionData/WiFiSSID", good, COUNT(good));
    assert_bad("/WiFi/ConnectionData/WiFiSSID", bad, COUNT(bad));
}

#define DIGITS_64 "0123456789abcdefABCDEF0123456789abcdefABCDEF01234567890123456789"

static void a_wpa2_password_is_a_phrase_or_64_hex_digits(void **unused)
{
    static const char *const good[] = {
        "8letters",
        "        ",
        "~!\"#$%&'()*+,-./:;<=>?@[]^_`{|}",
        "012345678901234567890123456789012345678901234567890123456789xyz",
        DIGITS_64,
        "*******",
        "*********"};
    static const char *const bad[] = {
        "7letter",
        "x",
        "8l\xC3\xA4tters",
        "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC",
        "0123456789012345678901234567890123456789012345678901234567890xyz",
        DIGITS_64 "0",
        "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789012345678 "};
    (void)unused;
    assert_bad("/WiFi/ConnectionData/WiFiPassword", good + 5, 1);
    assert_good("/WiFi/ConnectionData/WiFiPassword", good, 5);
    assert_good("/WiFi/ConnectionData/WiFiPassword", good + 6, 1);
    assert_bad("/WiFi/ConnectionData/WiFiPassword", bad, COUNT(bad));
}

static void a_broker_is_a_url_of_scheme_host_and_port(void **unused)
{
    static const char *const good[] = {"mqtt://h",
                                       "mqtt://broker.example:1883",
                                       "mqtts://h",
                                       "mqtts://h:8884",
                                       "mqtt://192.0.2.5:65535",
                                       "mqtt://h:1",
                                       "mqtt://[::1]",
                                       "mqtt://[2001:db8::5]:1884",
                                       "mqtt://h:8883",
                                       ""};
    static const char *const bad[] = {"h",
                                      "broker.example:1883",
                                      "mqtt:",
                                      "mqtt:/h",
                                      "mqtt://",
                                      "mqtts://",
                                      "mqtt://:1883",
                                      "MQTT://h",
                                      "http://h",
                                      "https://h",
                                      "file:///etc/passwd",
                                      "ws://h",
                                      "mqttx://h",
                                      "mqtt://h:0",
                                      "mqtt://h:65536",
                                      "mqtt://h:-1",
                                      "mqtt://h:+1",
                                      "mqtt://h:",
                                      "mqtt://h:1x",
                                      "mqtt://h:1:2",
                                      "mqtt://h:0x10",
                                      "mqtt://h:99999999999999999999",
                                      "mqtt://h/topic",
                                      "mqtt://h:1883/",
                                      "mqtt://h?x=1",
                                      "mqtt://h#x",
                                      "mqtt://user:password@h",
                                      "mqtt://user@h",
                                      "mqtts://a b",
                                      "mqtts://h ",
                                      "mqtts:// h",
                                      "mqtt://a b",
                                      " mqtt://h",
                                      "mqtt://h ",
                                      "mqtt://[::1",
                                      "mqtt://[]",
                                      "mqtt://[]:1883",
                                      "mqtt://[::1]1883",
                                      "mqtt://[::1]:0"};
    (void)unused;
    assert_good("/MQTT/Broker", good, COUNT(good));
    assert_bad("/MQTT/Broker", bad, COUNT(bad));
}

static void the_longest_host_of_a_broker_fits(void **unused)
{
    char url[CONFIG_TEXT_MAX] = "mqtt://";
    (void)unused;
    memset(url + 7, 'h', 128);
    assert_refused(nest("/MQTT/Broker", json_string(url)), "/MQTT/Broker");
    url[7 + 127] = 0;
    assert_taken(nest("/MQTT/Broker", json_string(url)));
}

static void a_site_can_stand_in_a_topic(void **unused)
{
    static const char *const good[] = {"home", "a.b-c_d", "Stra\xC3\x9Fx", "$x", "********"};
    static const char *const bad[] = {"a/b",         "/",
                                      "+",           "a+",
                                      "#",           "a#",
                                      "a b",         " a",
                                      "a ",          "a\xC2\x85\x62",
                                      "\xC2\x9F",    "\xEF\xBF\xBF",
                                      "\xEF\xB7\x90"};
    (void)unused;
    assert_good("/MQTT/Site", good, COUNT(good));
    assert_bad("/MQTT/Site", bad, COUNT(bad));
}

static void a_ping_target_is_a_name_or_an_address(void **unused)
{
    static const char *const good[] = {"example.org", "192.0.2.1", "2001:db8::1"};
    static const char *const bad[] = {"https://example.org", "0.0.0.0", "1.2.3", "a b", "********"};
    (void)unused;
    assert_good("/Internet/PingTarget", good, COUNT(good));
    assert_bad("/Internet/PingTarget", bad, COUNT(bad));
}

static void a_token_can_stand_in_a_header_field(void **unused)
{
    static const char *const good[] = {"0123456789abcdef", "ABCDEFGHIJ-._~+/="};
    static const char *const bad[] = {"0123456789abcde",   "0123456789abcde ",
                                      "0123456789 abcdef", "0123456789\"abcdef",
                                      "0123456789,abcdef", "0123456789\xC3\xA4\xC3\xA4\xC3\xA4"};
    (void)unused;
    assert_good("/Metrics/Token", good, COUNT(good));
    assert_bad("/Metrics/Token", bad, COUNT(bad));
}

static void a_user_name_may_hold_anything_printable(void **unused)
{
    static const char *const good[] = {" ", "J\xC3\xBCrgen", "a\"b'c\\d", "********"};
    static const char *const bad[] = {"a\xC2\x85\x62", "\xEF\xBF\xBE"};
    (void)unused;
    assert_good("/MQTT/Username", good, COUNT(good));
    assert_bad("/MQTT/Username", bad, COUNT(bad));
    assert_good("/MQTT/Password", good, 3); /* the mask is no password */
}

#define TEST(name) cmocka_unit_test_setup(name, start_from_defaults)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pointers_are_unique_and_lead_to_one_place),
        TEST(rows_of_an_object_are_neighbours),
        TEST(every_row_has_a_field_of_its_own),
        TEST(every_field_has_a_row),
        TEST(every_row_is_whole),
        TEST(an_option_and_its_row_are_of_one_kind),
        TEST(every_default_passes_its_own_check),
        TEST(every_row_has_a_sample_that_is_taken),
        TEST(values_of_another_type_are_refused),
        TEST(a_number_is_taken_from_its_least_to_its_greatest),
        TEST(huge_numbers_are_refused),
        TEST(a_choice_is_one_of_its_names_to_the_letter),
        TEST(a_refused_choice_names_all_there_are),
        TEST(a_text_has_its_least_to_its_greatest_length),
        TEST(endless_texts_are_refused),
        TEST(a_text_without_a_default_may_be_empty),
        TEST(control_characters_are_refused),
        TEST(a_map_is_found_by_its_short_name_in_any_case),
        TEST(an_address_is_that_of_one_machine),
        TEST(an_address_is_written_in_one_way),
        TEST(a_netmask_is_a_number_of_bits_in_a_text),
        TEST(an_ssid_has_up_to_32_bytes_of_any_script),
        TEST(a_wpa2_password_is_a_phrase_or_64_hex_digits),
        TEST(a_broker_is_a_url_of_scheme_host_and_port),
        TEST(the_longest_host_of_a_broker_fits),
        TEST(a_site_can_stand_in_a_topic),
        TEST(a_ping_target_is_a_name_or_an_address),
        TEST(a_token_can_stand_in_a_header_field),
        TEST(a_user_name_may_hold_anything_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
