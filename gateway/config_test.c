#include "config_kit_test.h"

/* --- defaults --------------------------------------------------------------------------------- */

static void the_defaults_are_those_of_the_manual(void **unused)
{
    (void)unused;
    assert_string_equal(config.meter_type, "PhoenixContact-EMPro");
    assert_int_equal(config.default_interface, INTERFACE_ETHERNET);
    assert_int_equal(config.ethernet.mode, IP_DHCP);
    assert_int_equal(config.wifi.mode, IP_DHCP);
    assert_string_equal(config.ethernet.netmask, "24");
    assert_string_equal(config.ethernet.address, "");
    assert_int_equal(config.mqtt_enabled, 1);
    assert_string_equal(config.mqtt_broker, "");
    assert_int_equal(config.modbus_port, 502);
    assert_int_equal(config.modbus_clients, 4);
    assert_int_equal(config.word_order, ORDER_OF_METER);
    assert_string_equal(config.metrics_token, "");
    assert_int_equal(config.was_set, 0);
}

static void set_option(struct options *options, const char *name, const char *value)
{
    char error[OPTION_ERROR_MAX];
    if (!options_set(options, name, value, error))
        fail_msg("%s", error);
}

static void options_are_the_defaults(void **unused)
{
    static const char *const set[][2] = {
        {"map", "empro"},          {"mqtt", "mqtt://h:1884"}, {"mqtt-site", "home"},
        {"mqtt-username", "user"}, {"mqtt-keepalive", "7"},   {"modbus-clients", "8"},
        {"word-order", "normal"},  {"unknown", "nan"},        {"modbus-idle-timeout", "9"},
        {"stale", "hold"},         {"stale-current", "10"},   {"stale-after", "11"},
        {"grid", "star"},          {"current", "signed"},     {"estimate-u31", "on"}};
    struct options options;
    (void)unused;
    options_defaults(&options);
    for (size_t i = 0; i < COUNT(set); i++)
        set_option(&options, set[i][0], set[i][1]);
    config_defaults(&config, &options);
    for (size_t i = 0; i < config_row_count; i++)
        if (config_rows[i].option && strcmp(config_rows[i].pointer, "/MeterType") != 0)
            assert_true(config_changed_doors(&defaults, &config) & config_rows[i].door);
    assert_string_equal(config.meter_type, "PhoenixContact-EMPro"); /* in its usual spelling */
    assert_string_equal(config.mqtt_broker, "mqtt://h:1884");
    assert_string_equal(config.mqtt_site, "home");
    assert_string_equal(config.mqtt_username, "user");
    assert_int_equal(config.mqtt_keepalive_s, 7);
    assert_int_equal(config.modbus_clients, 8);
    assert_int_equal(config.modbus_idle_timeout_s, 9);
    assert_int_equal(config.word_order, ORDER_NORMAL);
    assert_int_equal(config.unknown, UNKNOWN_NAN);
    assert_int_equal(config.stale, STALE_HOLD);
    assert_int_equal(config.stale_current_a, 10);
    assert_int_equal(config.stale_after_s, 11);
    assert_int_equal(config.grid, GRID_STAR);
    assert_int_equal(config.current, CURRENT_SIGNED);
    assert_int_equal(config.estimate_u31, 1);
    assert_int_equal(config.was_set, 0);
}

/* --- patches ---------------------------------------------------------------------------------- */

static void only_what_is_named_changes(void **unused)
{
    char names[200];
    (void)unused;
    assert_taken(parse("{\"MQTT\":{\"Site\":\"home\"},\"Modbus\":{\"Port\":1502}}"));
    assert_string_equal(config.mqtt_site, "home");
    assert_int_equal(config.modbus_port, 1502);
    config_changed_names(&defaults, &config, names, sizeof names);
    assert_string_equal(names, " MQTT/Site Modbus/Port");
    assert_true(config_is_set(&config, "/MQTT/Site") && config_is_set(&config, "/Modbus/Port"));
    assert_int_equal(__builtin_popcountll(config.was_set), 2);
    assert_taken(parse("{\"MQTT\":{\"Site\":\"\"}}"));
    assert_string_equal(config.mqtt_site, "");
    assert_int_equal(config.modbus_port, 1502);
}

static void an_empty_patch_changes_nothing(void **unused)
{
    (void)unused;
    assert_taken(parse("{}"));
    assert_taken(parse("{\"MQTT\":{},\"WiFi\":{\"StaticIPv4\":{},\"ConnectionData\":{}}}"));
    assert_memory_equal(&config, &defaults, sizeof config);
}

static void a_default_that_is_set_counts_as_set(void **unused)
{
    (void)unused;
    assert_taken(parse("{\"MQTT\":{\"Keepalive\":30}}"));
    assert_true(config_is_set(&config, "/MQTT/Keepalive"));
    assert_int_equal(config_changed_doors(&defaults, &config), 0);
}

static void what_was_set_is_known_by_its_pointer(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++)
        assert_false(config_is_set(&config, config_rows[i].pointer));
    assert_taken(parse("{\"MQTT\":{\"Site\":\"home\"}}"));
    for (size_t i = 0; i < config_row_count; i++)
        assert_int_equal(config_is_set(&config, config_rows[i].pointer),
                         strcmp(config_rows[i].pointer, "/MQTT/Site") == 0);
    assert_false(config_is_set(&config, "/MQTT"));
    assert_false(config_is_set(&config, ""));
}

static void one_bad_setting_leaves_all_as_they_were(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++) {
        json_t *all = nest("/Modbus/MaxClients", json_integer(9));
        json_t *bad = nest(config_rows[i].pointer, json_array());
        json_object_update_recursive(all, bad);
        json_decref(bad);
        bad = nest("/Meter/StaleAfter", json_integer(9));
        json_object_update_recursive(all, bad);
        json_decref(bad);
        if (strcmp(config_rows[i].pointer, "/Meter/StaleAfter") != 0)
            assert_refused(all, config_rows[i].pointer);
        else
            json_decref(all);
    }
}

static void every_fault_is_told_in_the_order_of_the_patch(void **unused)
{
    static const char *const pointers[] = {"/Modbus/Port", "/Frob", "/MQTT", "/MQTT2",
                                           "/Ethernet/IpMode"};
    (void)unused;
    assert_false(patch("{\"Modbus\":{\"Port\":0,\"MaxClients\":5},\"Frob\":{\"a\":{}},\"MQTT\":7,"
                       "\"MQTT2\":null,\"Ethernet\":{\"IpMode\":\"static\"}}"));
    assert_int_equal(errors.count, COUNT(pointers));
    for (size_t i = 0; i < COUNT(pointers); i++)
        assert_string_equal(errors.list[i].pointer, pointers[i]);
    assert_string_equal(errors.list[0].detail, "must be a whole number from 1 to 65535");
    assert_string_equal(errors.list[1].detail, "there is no such setting");
    assert_string_equal(errors.list[2].detail, "must be an object with the settings in it");
    assert_memory_equal(&config, &defaults, sizeof config);
}

static void a_patch_is_an_object(void **unused)
{
    static const char *const others[] = {
        "[]", "[{\"MQTT\":{\"Site\":\"home\"}}]", "\"MQTT\"", "5", "1.5", "true", "null"};
    (void)unused;
    for (size_t i = 0; i < COUNT(others); i++)
        assert_refused(parse(others[i]), "");
}

static void an_object_is_no_value_and_a_value_no_object(void **unused)
{
    static const char *const objects[] = {"/Ethernet", "/Ethernet/StaticIPv4",
                                          "/WiFi/ConnectionData", "/MQTT", "/Metrics"};
    static const char *const values[] = {"null", "[]", "5", "true", "\"x\"", "\"\""};
    (void)unused;
    for (size_t i = 0; i < COUNT(objects); i++)
        for (size_t k = 0; k < COUNT(values); k++)
            assert_refused(nest(objects[i], parse(values[k])), objects[i]);
    assert_refused(parse("{\"MQTT\":null}"), "/MQTT");
    assert_string_equal(errors.list[0].detail,
                        "must not be null: a setting can be changed, not removed");
}

static void a_setting_that_is_not_there_is_refused(void **unused)
{
    static const char *const pointers[] = {"/Frob",
                                           "/MQTT/Frob",
                                           "/Ethernet/StaticIPv4/Frob",
                                           "/MQTT/Site/x",
                                           "/M",
                                           "/MQTT/S",
                                           "/MQTT/SiteX",
                                           "/Version",
                                           "/State",
                                           "/Ethernet/ConnectionData",
                                           "/IpMode",
                                           "/\xC3\xA4"};
    (void)unused;
    for (size_t i = 0; i < COUNT(pointers); i++) {
        const char *known = strcmp(pointers[i], "/MQTT/Site/x") == 0 ? "/MQTT/Site" : pointers[i];
        assert_refused(nest(pointers[i], json_string("x")), known);
    }
}

static void keys_are_told_as_json_pointers(void **unused)
{
    (void)unused;
    assert_refused(parse("{\"\":1}"), "/");
    assert_refused(parse("{\"MQTT\":{\"\":1}}"), "/MQTT/");
    assert_refused(parse("{\"MQTT/Site\":\"home\"}"), "/MQTT~1Site");
    assert_refused(parse("{\"MQTT~1Site\":\"home\"}"), "/MQTT~01Site");
    assert_refused(parse("{\"MQTT\":{\"a~b/c\":1}}"), "/MQTT/a~0b~1c");
    assert_refused(parse("{\"Ethernet/StaticIPv4\":{\"DNS\":\"9.9.9.9\"}}"),
                   "/Ethernet~1StaticIPv4");
}

static void the_right_spelling_of_a_key_is_told(void **unused)
{
    static const struct {
        const char *patch, *pointer, *detail;
    } cases[] = {
        {"{\"mqtt\":{\"Site\":\"x\"}}", "/mqtt", "there is no such setting; it is written /MQTT"},
        {"{\"MQTT\":{\"SITE\":\"x\"}}", "/MQTT/SITE",
         "there is no such setting; it is written /MQTT/Site"},
        {"{\"WiFi\":{\"StaticIPV4\":{}}}", "/WiFi/StaticIPV4",
         "there is no such setting; it is written /WiFi/StaticIPv4"},
        {"{\"metertype\":\"EMPro\"}", "/metertype",
         "there is no such setting; it is written /MeterType"},
        {"{\"meter\":1}", "/meter", "there is no such setting; it is written /Meter"},
        {"{\"METER\":1}", "/METER", "there is no such setting; it is written /Meter"},
        {"{\"MQTT\":{\"sit\":\"x\"}}", "/MQTT/sit", "there is no such setting"},
        {"{\"mqt\":1}", "/mqt", "there is no such setting"},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_refused(parse(cases[i].patch), cases[i].pointer);
        assert_string_equal(errors.list[0].detail, cases[i].detail);
    }
}

/* Too long for a pointer: what is cut off must not make it a known one. */
static void an_endless_key_is_refused(void **unused)
{
    char key[1000], pointer[CONFIG_POINTER_MAX];
    (void)unused;
    for (size_t n = 70; n < sizeof key; n += n < 90 ? 1 : 97) {
        memset(key, n % 3 ? '~' : '/', n);
        key[n] = 0;
        json_t *given = json_pack("{s:{s:i}}", "MQTT", key, 1);
        assert_false(apply(given));
        assert_int_equal(errors.count, 1);
        snprintf(pointer, sizeof pointer, "%s", errors.list[0].pointer);
        assert_memory_equal(pointer, "/MQTT/~", 7);
    }
    assert_memory_equal(&config, &defaults, sizeof config);
}

/* Wherever it is cut: what is told is text that JSON can hold. */
static void a_long_key_is_cut_between_characters(void **unused)
{
    char key[8 + 4 * 40 + 1];
    (void)unused;
    for (int shift = 0; shift < 8; shift++) {
        int n = snprintf(key, sizeof key, "%.*s", shift, "xxxxxxxx");
        for (int i = 0; i < 40; i++)
            n += snprintf(key + n, sizeof key - (size_t)n, "%s",
                          shift % 2 ? "\xC3\xA4" : "\xF0\x9F\x94\x8C");
        assert_false(apply(json_pack("{s:i, s:{s:i}}", key, 1, "MQTT", key, 1)));
        assert_int_equal(errors.count, 2);
        for (size_t i = 0; i < errors.count; i++) {
            json_t *told = json_string(errors.list[i].pointer);
            assert_non_null(told);
            assert_true(json_string_length(told) > CONFIG_POINTER_MAX - 5);
            json_decref(told);
        }
    }
}

/* What is refused is quoted, and not all of it. */
static void a_long_value_is_quoted_up_to_a_character(void **unused)
{
    static const char *const pointers[] = {"/MQTT/Site", "/MQTT/Broker", "/Internet/PingTarget"};
    (void)unused;
    for (size_t i = 0; i < COUNT(pointers); i++)
        for (int shift = 0; shift < 4; shift++) {
            char value[80];
            int n = snprintf(value, sizeof value, "/%.*s", shift, "xxx");
            for (int k = 0; k < 15; k++)
                n += snprintf(value + n, sizeof value - (size_t)n, "%s", "\xF0\x9F\x94\x8C");
            assert_refused(nest(pointers[i], json_string(value)), pointers[i]);
            json_t *told = json_string(errors.list[0].detail);
            assert_non_null(told);
            json_decref(told);
        }
}

static void what_is_not_known_is_not_entered(void **unused)
{
    json_t *deep = json_object();
    (void)unused;
    for (int i = 0; i < 1000; i++)
        deep = json_pack("{s:o}", "a", deep);
    assert_refused(json_pack("{s:o}", "MQTT", deep), "/MQTT/a");
}

/* The answer has room for so many, each with the detail that belongs to it. */
static void of_many_faults_the_first_are_told(void **unused)
{
    json_t *given = json_object();
    char key[20];
    (void)unused;
    for (int i = 0; i < 2 * CONFIG_ERRORS_MAX; i++) {
        snprintf(key, sizeof key, "Frob%d", i);
        json_object_set_new(given, key, json_integer(i));
    }
    json_object_set_new(given, "MQTT", json_null());
    assert_false(apply(given));
    assert_int_equal(errors.count, CONFIG_ERRORS_MAX);
    for (int i = 0; i < CONFIG_ERRORS_MAX; i++) {
        snprintf(key, sizeof key, "/Frob%d", i);
        assert_string_equal(errors.list[i].pointer, key);
        assert_string_equal(errors.list[i].detail, "there is no such setting");
    }
}

/* --- secrets ---------------------------------------------------------------------------------- */

static const char *const secrets[] = {"/WiFi/ConnectionData/WiFiPassword", "/MQTT/Password",
                                      "/Metrics/Token"};

static json_t *at(json_t *root, const char *pointer)
{
    char rest[CONFIG_POINTER_MAX];
    char *save = NULL;
    snprintf(rest, sizeof rest, "%s", pointer);
    for (char *key = strtok_r(rest, "/", &save); key; key = strtok_r(NULL, "/", &save))
        root = json_object_get(root, key);
    return root;
}

static void assert_shown(const char *pointer, const char *value)
{
    json_t *json = config_json(&config);
    const char *shown = json_string_value(at(json, pointer));
    assert_non_null(shown);
    assert_string_equal(shown, value);
    json_decref(json);
}

static void secrets_are_exactly_these(void **unused)
{
    size_t n = 0;
    (void)unused;
    for (size_t i = 0; i < config_row_count; i++)
        n += config_rows[i].secret;
    assert_int_equal(n, COUNT(secrets));
    for (size_t i = 0; i < COUNT(secrets); i++)
        assert_true(row_at(secrets[i])->secret);
}

static void a_secret_is_shown_as_a_mask(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(secrets); i++) {
        assert_shown(secrets[i], "");
        assert_taken(nest(secrets[i], json_string("correct-horse-battery")));
        assert_shown(secrets[i], CONFIG_MASK);
        assert_string_equal(text_at(&config, secrets[i]), "correct-horse-battery");
    }
}

static void a_mask_sent_back_keeps_the_secret(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(secrets); i++) {
        assert_taken(nest(secrets[i], json_string("correct-horse-battery")));
        assert_taken(nest(secrets[i], json_string(CONFIG_MASK)));
        assert_string_equal(text_at(&config, secrets[i]), "correct-horse-battery");
        assert_taken(nest(secrets[i], json_string("another-horse-battery")));
        assert_string_equal(text_at(&config, secrets[i]), "another-horse-battery");
        assert_taken(nest(secrets[i], json_string("")));
        assert_shown(secrets[i], "");
    }
}

static void a_mask_sent_back_while_nothing_is_set_sets_nothing(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(secrets); i++)
        assert_taken(nest(secrets[i], json_string(CONFIG_MASK)));
    assert_memory_equal(&config, &defaults, sizeof config);
}

/* Nor parts of them, nor by another way out. */
static void no_secret_is_in_what_is_shown(void **unused)
{
    char names[1000];
    (void)unused;
    set_all_samples();
    json_t *json = config_json(&config), *schema = config_schema(false);
    char *shown = json_dumps(json, 0), *described = json_dumps(schema, 0);
    config_changed_names(&defaults, &config, names, sizeof names);
    for (size_t i = 0; i < COUNT(secrets); i++) {
        const char *secret = text_at(&config, secrets[i]);
        char beginning[6];
        snprintf(beginning, sizeof beginning, "%s", secret);
        assert_null(strstr(shown, beginning));
        assert_null(strstr(described, beginning));
        assert_null(strstr(names, beginning));
        assert_non_null(strstr(names, secrets[i] + 1));
    }
    free(shown);
    free(described);
    json_decref(json);
    json_decref(schema);
}

/* --- to JSON and back ------------------------------------------------------------------------- */

static size_t count_values(json_t *json)
{
    const char *key;
    json_t *value;
    size_t n = json_is_object(json) ? 0 : 1;
    json_object_foreach(json, key, value) n += count_values(value);
    return n;
}

static void the_json_has_every_setting_and_no_other(void **unused)
{
    (void)unused;
    json_t *json = config_json(&config);
    assert_int_equal(count_values(json), config_row_count);
    for (size_t i = 0; i < config_row_count; i++)
        assert_non_null(at(json, config_rows[i].pointer));
    json_decref(json);
}

static void what_is_shown_can_be_sent_back(void **unused)
{
    (void)unused;
    for (int all = 0; all < 2; all++) {
        if (all)
            set_all_samples();
        struct config before = config;
        assert_taken(config_json(&config));
        assert_int_equal(config_changed_doors(&before, &config), 0);
    }
}

static void values_come_back_as_they_were_sent(void **unused)
{
    (void)unused;
    set_all_samples();
    json_t *shown = config_json(&config);
    for (size_t i = 0; i < COUNT(samples); i++) {
        json_t *sent = parse(samples[i].json);
        if (config_rows[i].secret || has_default(&config_rows[i]))
            assert_false(json_equal(sent, at(shown, samples[i].pointer)));
        else
            assert_true(json_equal(sent, at(shown, samples[i].pointer)));
        json_decref(sent);
    }
    json_decref(shown);
}

/* --- settings that belong together ------------------------------------------------------------ */

static const struct {
    const char *address, *netmask, *gateway;
    const char *fault; /* the key refused; NULL: none */
} statics[] = {
    {"192.168.1.20", "24", "192.168.1.1", NULL},
    {"192.168.1.20", "24", "192.168.1.254", NULL},
    {"192.168.1.20", "24", "", NULL},
    {"192.168.1.1", "24", "", NULL},
    {"192.168.1.254", "24", "", NULL},
    {"192.168.1.0", "23", "", NULL}, /* in the middle */
    {"192.168.0.255", "23", "", NULL},
    {"192.168.1.20", "24", "192.168.2.1", "Gateway"},
    {"192.168.1.20", "16", "192.168.2.1", NULL},
    {"192.168.1.20", "24", "192.168.1.20", "Gateway"},
    {"192.168.1.20", "24", "10.0.0.1", "Gateway"},
    {"192.168.1.0", "24", "", "IpAddress"},
    {"192.168.1.255", "24", "", "IpAddress"},
    {"192.168.0.0", "23", "", "IpAddress"},
    {"192.168.1.255", "23", "", "IpAddress"},
    {"10.0.0.0", "8", "", "IpAddress"},
    {"10.255.255.255", "8", "", "IpAddress"},
    {"10.0.0.1", "8", "11.0.0.1", "Gateway"},
    {"192.168.1.5", "30", "192.168.1.6", NULL},
    {"192.168.1.4", "30", "192.168.1.6", "IpAddress"},
    {"192.168.1.7", "30", "192.168.1.6", "IpAddress"},
    {"192.168.1.5", "30", "192.168.1.9", "Gateway"},
    /* RFC 3021: both of the two can be used */
    {"192.168.1.4", "31", "192.168.1.5", NULL},
    {"192.168.1.5", "31", "192.168.1.4", NULL},
    {"192.168.1.5", "31", "192.168.1.5", "Gateway"},
    {"192.168.1.5", "31", "192.168.1.6", "Gateway"},
    /* alone */
    {"192.168.1.5", "32", "", NULL},
    {"192.168.1.5", "32", "192.168.1.5", "Gateway"},
    {"192.168.1.5", "32", "192.168.1.4", "Gateway"},
    /* the whole world */
    {"192.168.1.5", "0", "10.0.0.1", NULL},
    {"192.168.1.5", "0", "192.168.1.5", "Gateway"},
    {"223.255.255.255", "1", "129.0.0.1", NULL},
    {"200.1.2.3", "1", "100.1.2.3", "Gateway"},
    {"", "24", "192.168.1.1", "IpAddress"},
    {"", "24", "", "IpAddress"},
};

static json_t *static_patch(const char *interface, const char *mode, size_t i)
{
    return json_pack("{s:{s:s, s:{s:s, s:s, s:s}}}", interface, "IpMode", mode, "StaticIPv4",
                     "IpAddress", statics[i].address, "Netmask", statics[i].netmask, "Gateway",
                     statics[i].gateway);
}

static void a_static_address_suits_its_netmask_and_gateway(void **unused)
{
    static const char *const interfaces[] = {"Ethernet", "WiFi"};
    char pointer[CONFIG_POINTER_MAX];
    (void)unused;
    for (size_t i = 0; i < COUNT(statics); i++)
        for (int k = 0; k < 2; k++) {
            snprintf(pointer, sizeof pointer, "/%s/StaticIPv4/%s", interfaces[k],
                     statics[i].fault ? statics[i].fault : "");
            if (statics[i].fault)
                assert_refused(static_patch(interfaces[k], "Static", i), pointer);
            else
                assert_taken(static_patch(interfaces[k], "Static", i));
        }
}

static void with_dhcp_the_static_address_is_not_judged(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(statics); i++) {
        start_from_defaults(NULL);
        assert_taken(static_patch("Ethernet", "DHCP", i));
        if (statics[i].fault) {
            const char *mode = "{\"Ethernet\":{\"IpMode\":\"Static\"}}";
            assert_false(patch(mode));
            assert_non_null(strstr(errors.list[0].pointer, statics[i].fault));
        }
    }
}

/* What a patch leaves out counts as well. */
static void a_part_is_judged_with_what_is_there(void **unused)
{
    (void)unused;
    assert_refused(parse("{\"Ethernet\":{\"IpMode\":\"Static\"}}"),
                   "/Ethernet/StaticIPv4/IpAddress");
    assert_taken(static_patch("Ethernet", "Static", 0));
    assert_refused(parse("{\"Ethernet\":{\"StaticIPv4\":{\"IpAddress\":\"192.168.2.20\"}}}"),
                   "/Ethernet/StaticIPv4/Gateway");
    assert_refused(parse("{\"Ethernet\":{\"StaticIPv4\":{\"Netmask\":\"28\"}}}"),
                   "/Ethernet/StaticIPv4/Gateway");
    assert_refused(parse("{\"Ethernet\":{\"StaticIPv4\":{\"IpAddress\":\"\"}}}"),
                   "/Ethernet/StaticIPv4/IpAddress");
    assert_taken(parse("{\"Ethernet\":{\"StaticIPv4\":{\"Netmask\":\"27\",\"DNS\":\"1.1.1.1\"}}}"));
}

static void wifi_needs_the_name_of_its_network(void **unused)
{
    static const char *const ssid = "/WiFi/ConnectionData/WiFiSSID";
    (void)unused;
    assert_refused(parse("{\"DefaultNetIf\":\"WiFi\"}"), ssid);
    assert_taken(
        parse("{\"DefaultNetIf\":\"WiFi\",\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"x\"}}}"));
    assert_refused(nest(ssid, json_string("")), ssid);
    assert_taken(parse("{\"DefaultNetIf\":\"Ethernet\"}"));
    assert_taken(nest(ssid, json_string("")));
}

/* --- changes ---------------------------------------------------------------------------------- */

static void each_setting_opens_its_door_and_is_named(void **unused)
{
    char names[CONFIG_POINTER_MAX + 1];
    (void)unused;
    set_all_samples();
    const struct config all = config;
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        config = defaults;
        memcpy((char *)&config + row->offset, (const char *)&all + row->offset, row->size);
        config_changed_names(&defaults, &config, names, sizeof names);
        if (has_default(row))
            continue;
        assert_int_equal(config_changed_doors(&defaults, &config), row->door);
        assert_int_equal(config_changed_doors(&config, &defaults), row->door);
        assert_int_equal(names[0], ' ');
        assert_string_equal(names + 1, row->pointer + 1);
    }
}

/* Whether it is set goes with it; what belongs to other doors stays. */
static void settings_are_taken_by_their_door(void **unused)
{
    const struct config unset = config;
    (void)unused;
    set_all_samples();
    const struct config set = config, *const from[] = {&set, &unset};
    for (int i = 0; i < 2; i++) {
        const struct config *to = from[1 - i];
        config = *to;
        config_take(&config, from[i], DOOR_NETWORK | DOOR_RTU);
        for (size_t k = 0; k < config_row_count; k++) {
            const struct config_row *row = &config_rows[k];
            const struct config *source = row->door & (DOOR_NETWORK | DOOR_RTU) ? from[i] : to;
            assert_memory_equal((char *)&config + row->offset, (const char *)source + row->offset,
                                row->size);
            assert_int_equal(config_is_set(&config, row->pointer),
                             config_is_set(source, row->pointer));
        }
    }
    assert_true(config_is_set(&config, "/Network/Rollback")); /* which is no part of the network */
    assert_false(config_is_set(&config, "/DefaultNetIf"));
}

static void names_that_do_not_fit_are_cut(void **unused)
{
    char names[40];
    (void)unused;
    set_all_samples();
    config_changed_names(&defaults, &config, names, sizeof names);
    assert_string_equal(names, " DefaultNetIf Ethernet/IpMode Ethernet/");
    config_changed_names(&config, &config, names, sizeof names);
    assert_string_equal(names, "");
}

/* --- schema ----------------------------------------------------------------------------------- */

static void assert_fits(json_t *schema, json_t *value, const char *where);

static void assert_object_fits(json_t *schema, json_t *value)
{
    const char *key;
    json_t *member, *properties = json_object_get(schema, "properties");
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    json_object_foreach(value, key, member)
    {
        assert_non_null(json_object_get(properties, key));
        assert_fits(json_object_get(properties, key), member, key);
    }
}

static bool is_among(json_t *list, const json_t *value)
{
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) if (json_equal(one, value)) return true;
    return false;
}

/* What JSON Schema asks of a value, as far as ours does. */
static void assert_fits(json_t *schema, json_t *value, const char *where)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    json_t *low = json_object_get(schema, "minimum"), *high = json_object_get(schema, "maximum");
    json_t *length = json_object_get(schema, "maxLength"), *list = json_object_get(schema, "enum");
    assert_non_null(type);
    bool fits = strcmp(type, "object") == 0    ? json_is_object(value)
                : strcmp(type, "string") == 0  ? json_is_string(value)
                : strcmp(type, "integer") == 0 ? json_is_integer(value)
                : strcmp(type, "boolean") == 0 ? json_is_boolean(value)
                                               : false;
    fits = fits && (!low || json_integer_value(value) >= json_integer_value(low));
    fits = fits && (!high || json_integer_value(value) <= json_integer_value(high));
    fits = fits && (!length || json_string_length(value) <= (size_t)json_integer_value(length));
    fits = fits && (!list || is_among(list, value));
    if (!fits)
        fail_msg("%s does not fit its schema", where);
    if (json_is_object(value))
        assert_object_fits(schema, value);
}

static void all_that_is_shown_fits_the_schema(void **unused)
{
    (void)unused;
    json_t *schema = config_schema(false);
    for (int all = 0; all < 2; all++) {
        if (all)
            set_all_samples();
        json_t *json = config_json(&config);
        assert_fits(schema, json, "the configuration");
        json_decref(json);
    }
    json_decref(schema);
}

/* Calls for each schema inside that is one of an object, or of a value. */
static void walk(json_t *schema, void (*object)(json_t *), void (*value)(json_t *))
{
    const char *key;
    json_t *inner, *properties = json_object_get(schema, "properties");
    (properties ? object : value)(schema);
    json_object_foreach(properties, key, inner) walk(inner, object, value);
}

static void assert_requires_all(json_t *schema)
{
    const char *key;
    json_t *inner, *required = json_object_get(schema, "required");
    json_object_foreach(json_object_get(schema, "properties"), key, inner)
    {
        json_t *name = json_string(key);
        assert_true(is_among(required, name));
        json_decref(name);
    }
    assert_int_equal(json_array_size(required),
                     json_object_size(json_object_get(schema, "properties")));
}

static void assert_requires_nothing(json_t *schema)
{
    assert_null(json_object_get(schema, "required"));
}

static void assert_is_described(json_t *schema)
{
    const char *text = json_string_value(json_object_get(schema, "description"));
    json_t *list = json_object_get(schema, "enum");
    assert_true(text && text[0]);
    assert_fits(schema, json_object_get(schema, "default"), text);
    assert_true(!list || json_array_size(list) > 0);
}

static void what_is_shown_is_whole_and_a_patch_need_not_be(void **unused)
{
    (void)unused;
    json_t *whole = config_schema(false), *part = config_schema(true);
    walk(whole, assert_requires_all, assert_is_described);
    walk(part, assert_requires_nothing, assert_is_described);
    json_decref(whole);
    json_decref(part);
}

static json_t *schema_at(json_t *schema, const char *pointer)
{
    char path[2 * CONFIG_POINTER_MAX] = "";
    for (const char *p = pointer; *p; p += 1 + strcspn(p + 1, "/")) {
        size_t n = strlen(path);
        snprintf(path + n, sizeof path - n, "/properties%.*s", 1 + (int)strcspn(p + 1, "/"), p);
    }
    return at(schema, path);
}

static void limits_and_choices_are_those_of_the_table(void **unused)
{
    (void)unused;
    json_t *root = config_schema(true);
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        json_t *schema = schema_at(root, row->pointer), *list = json_object_get(schema, "enum");
        const char *format = json_string_value(json_object_get(schema, "format"));
        assert_non_null(schema);
        assert_int_equal(row->secret, format && strcmp(format, "password") == 0);
        if (row->type == CONFIG_NUMBER) {
            assert_int_equal(json_integer_value(json_object_get(schema, "minimum")), row->min);
            assert_int_equal(json_integer_value(json_object_get(schema, "maximum")), row->max);
        } else if (row->type == CONFIG_TEXT && !list) {
            assert_int_equal(json_integer_value(json_object_get(schema, "maxLength")), row->max);
        }
        for (size_t k = 0; row->choices && row->choices[k]; k++)
            assert_string_equal(json_string_value(json_array_get(list, k)), row->choices[k]);
    }
    json_decref(root);
}

#define TEST(name) cmocka_unit_test_setup(name, start_from_defaults)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_defaults_are_those_of_the_manual),
        TEST(options_are_the_defaults),
        TEST(only_what_is_named_changes),
        TEST(an_empty_patch_changes_nothing),
        TEST(a_default_that_is_set_counts_as_set),
        TEST(what_was_set_is_known_by_its_pointer),
        TEST(one_bad_setting_leaves_all_as_they_were),
        TEST(every_fault_is_told_in_the_order_of_the_patch),
        TEST(a_patch_is_an_object),
        TEST(an_object_is_no_value_and_a_value_no_object),
        TEST(a_setting_that_is_not_there_is_refused),
        TEST(keys_are_told_as_json_pointers),
        TEST(the_right_spelling_of_a_key_is_told),
        TEST(an_endless_key_is_refused),
        TEST(a_long_key_is_cut_between_characters),
        TEST(a_long_value_is_quoted_up_to_a_character),
        TEST(what_is_not_known_is_not_entered),
        TEST(of_many_faults_the_first_are_told),
        TEST(secrets_are_exactly_these),
        TEST(a_secret_is_shown_as_a_mask),
        TEST(a_mask_sent_back_keeps_the_secret),
        TEST(a_mask_sent_back_while_nothing_is_set_sets_nothing),
        TEST(no_secret_is_in_what_is_shown),
        TEST(the_json_has_every_setting_and_no_other),
        TEST(what_is_shown_can_be_sent_back),
        TEST(values_come_back_as_they_were_sent),
        TEST(a_static_address_suits_its_netmask_and_gateway),
        TEST(with_dhcp_the_static_address_is_not_judged),
        TEST(a_part_is_judged_with_what_is_there),
        TEST(wifi_needs_the_name_of_its_network),
        TEST(each_setting_opens_its_door_and_is_named),
        TEST(settings_are_taken_by_their_door),
        TEST(names_that_do_not_fit_are_cut),
        TEST(all_that_is_shown_fits_the_schema),
        TEST(what_is_shown_is_whole_and_a_patch_need_not_be),
        TEST(limits_and_choices_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
