/* config_kit_test.h - what the tests of config share: a configuration that begins with the defaults, patches written
 * as text, and a value for each setting that is not its default. */
#ifndef CONFIG_KIT_TEST_H
#define CONFIG_KIT_TEST_H

#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct config config, defaults;
static struct config_errors errors;

/* For each row, in its order: JSON of a value that can be used and is not the default. */
struct config_sample {
    const char *pointer, *json;
};

static const struct config_sample samples[] = {
    {"/MeterType", "\"empro\""}, /* there is only one map: see has_default() */
    {"/DefaultNetIf", "\"WiFi\""},
    {"/Ethernet/IpMode", "\"Static\""},
    {"/Ethernet/StaticIPv4/IpAddress", "\"192.168.1.20\""},
    {"/Ethernet/StaticIPv4/Netmask", "\"16\""},
    {"/Ethernet/StaticIPv4/Gateway", "\"192.168.1.1\""},
    {"/Ethernet/StaticIPv4/DNS", "\"9.9.9.9\""},
    {"/WiFi/IpMode", "\"Static\""},
    {"/WiFi/StaticIPv4/IpAddress", "\"10.1.2.3\""},
    {"/WiFi/StaticIPv4/Netmask", "\"8\""},
    {"/WiFi/StaticIPv4/Gateway", "\"10.0.0.1\""},
    {"/WiFi/StaticIPv4/DNS", "\"10.0.0.2\""},
    {"/WiFi/ConnectionData/WiFiSSID", "\"K\xC3\xBC"
                                      "che $(reboot);`x`|&\""},
    {"/WiFi/ConnectionData/WiFiPassword", "\"correct \\\"horse\\\\\""},
    {"/Network/Rollback", "false"},
    {"/Internet/PingTarget", "\"example.org\""},
    {"/MQTT/Enabled", "false"},
    {"/MQTT/Broker", "\"mqtts://broker.example:8884\""},
    {"/MQTT/Site", "\"home\""},
    {"/MQTT/Username", "\"J\xC3\xBCrgen\""},
    {"/MQTT/Password", "\"p\xC3\xA4ss, \\\"quoted\\\"\""},
    {"/MQTT/Keepalive", "60"},
    {"/MQTT/CA", "\"sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210\""},
    {"/MQTT/Publish", "\"mean\""},
    {"/MQTT/Interval", "60"},
    {"/MQTT/Deadband", "50"},
    {"/MQTT/CountersInterval", "300"},
    {"/MQTT/KeepDays", "0"},
    {"/MQTT/KeepMiB", "256"},
    {"/MQTT/LateRate", "100"},
    {"/MQTT/Commands", "false"},
    {"/MQTT/HomeAssistant", "true"},
    {"/MQTT/HomeAssistantPrefix", "\"ha/discovery\""},
    {"/Modbus/Port", "1502"},
    {"/Modbus/MaxClients", "7"},
    {"/Modbus/IdleTimeout", "0"},
    {"/Modbus/WordOrder", "\"normal\""},
    {"/Modbus/Unknown", "\"nan\""},
    {"/Modbus/Stale", "\"high-current\""},
    {"/Modbus/StaleCurrent", "32"},
    {"/Modbus/NominalFrequency", "50"},
    {"/RTU/MeterType", "\"PhoenixContact-EMPro\""},
    {"/RTU/Address", "1"},
    {"/RTU/Line", "\"19200-8N1\""},
    {"/RTU/Termination", "true"},
    {"/RTU/Stale", "\"silent\""},
    {"/Meter/StaleAfter", "15"},
    {"/Meter/Grid", "\"delta\""},
    {"/Meter/Current", "\"derived\""},
    {"/Meter/EstimateU31", "true"},
    {"/Metrics/Token", "\"0123456789abcDEF-._~+/=\""},
};

/* The one setting whose sample is the default in another spelling. */
static inline bool has_default(const struct config_row *row)
{
    return strcmp(row->pointer, "/MeterType") == 0;
}

static inline int start_from_defaults(void **unused)
{
    struct options options;
    (void)unused;
    options_defaults(&options);
    config_defaults(&config, &options);
    defaults = config;
    memset(&errors, 0, sizeof errors);
    return 0;
}

static inline json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("%.200s: %s", text, error.text);
    return json;
}

/* {"A":{"B":value}} of "/A/B" and value, which it takes over. */
static inline json_t *nest(const char *pointer, json_t *value)
{
    char rest[CONFIG_POINTER_MAX];
    char *slash;
    assert_non_null(value);
    snprintf(rest, sizeof rest, "%s", pointer);
    while ((slash = strrchr(rest, '/')) != NULL) {
        value = json_pack("{s:o}", slash + 1, value);
        *slash = 0;
    }
    return value;
}

/* Applies a patch, which it takes over. */
static inline bool apply(json_t *patch)
{
    assert_non_null(patch);
    bool good = config_patch(&config, patch, &errors);
    assert_int_equal(good, errors.count == 0);
    json_decref(patch);
    return good;
}

static inline bool patch(const char *text)
{
    return apply(parse(text));
}

static inline const struct config_row *row_at(const char *pointer)
{
    for (size_t i = 0; i < config_row_count; i++)
        if (strcmp(config_rows[i].pointer, pointer) == 0)
            return &config_rows[i];
    fail_msg("there is no row %s", pointer);
    return NULL;
}

static inline const char *text_at(const struct config *c, const char *pointer)
{
    return (const char *)c + row_at(pointer)->offset;
}

static inline void assert_taken(json_t *given)
{
    char *text = json_dumps(given, JSON_ENCODE_ANY);
    if (!apply(given))
        fail_msg("%.200s was refused: %s %s", text, errors.list[0].pointer, errors.list[0].detail);
    free(text);
}

/* The patch is refused for this one setting, and nothing is changed. */
static inline void assert_refused(json_t *given, const char *pointer)
{
    const struct config before = config;
    char *text = json_dumps(given, JSON_ENCODE_ANY);
    if (apply(given))
        fail_msg("%.200s was taken", text);
    if (errors.count != 1 || strcmp(errors.list[0].pointer, pointer) != 0)
        fail_msg("%.200s: %zu errors, the first of %s: %s", text, errors.count,
                 errors.list[0].pointer, errors.list[0].detail);
    assert_true(errors.list[0].detail[0]);
    assert_memory_equal(&config, &before, sizeof config);
    free(text);
}

/* Sets everything to its sample. */
static inline void set_all_samples(void)
{
    json_t *all = json_object();
    for (size_t i = 0; i < COUNT(samples); i++) {
        json_t *one = nest(samples[i].pointer, parse(samples[i].json));
        json_object_update_recursive(all, one);
        json_decref(one);
    }
    assert_taken(all);
}

#endif
