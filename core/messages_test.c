#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "messages_kit_test.h"

enum { NOON = 1780396069 }; /* 2026-06-02 10:27:49 UTC */

static void the_checker_knows_bad_json(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "",   "{",       "{\"a\"}",  "{\"a\":}",     "[1,]",     "[1 2]", "{\"a\":1,}", "01",
        "1.", "\"\\x\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\x80\"", "\"a",   "\"\n\""};
    static const char *const good[] = {"{}", "[]", "{\"a\":[1,-0.5,null]}", "\"m\xC2\xB3\\u0001\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(is_json(bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(is_json(good[i]));
}

static const char *power_instant(struct bench *b)
{
    struct text_out t;
    text_init(&t, b->json, MESSAGE_POWER_INSTANT_MAX);
    message_power_instant(&t, &b->reading);
    assert_false(t.overflow);
    assert_json(b->json);
    return b->json;
}

static const char *readings(struct bench *b)
{
    struct text_out t;
    text_init(&t, b->json, MESSAGE_READINGS_MAX);
    message_readings(&t, &b->reading, b->stream.telegram, b->stream.telegram_len);
    assert_false(t.overflow);
    assert_json(b->json);
    return b->json;
}

#define assert_contains(text, part) assert_non_null(strstr((text), (part)))

/* --- power_instant ---------------------------------------------------------------------------- */

/* A telegram that holds what the example of the manual (V1.8, section 5.4) shows. */
static const char manual_telegram[] = "/SCN5 example of the manual\r\n"
                                      "\r\n"
                                      "1-3:0.2.8(42)\r\n"
                                      "0-0:1.0.0(260602122749S)\r\n"
                                      "0-0:96.1.1(45303030303030303030303030303432)\r\n"
                                      "1-0:1.8.1(031240.615*kWh)\r\n"
                                      "1-0:1.8.2(025260.294*kWh)\r\n"
                                      "1-0:2.8.1(007831.402*kWh)\r\n"
                                      "1-0:2.8.2(017762.019*kWh)\r\n"
                                      "0-0:96.14.0(0002)\r\n"
                                      "1-0:1.7.0(00.000*kW)\r\n"
                                      "1-0:2.7.0(04.023*kW)\r\n"
                                      "0-0:96.7.21(00019)\r\n"
                                      "0-0:96.7.9(00004)\r\n"
                                      "1-0:32.32.0(00000)\r\n"
                                      "1-0:52.32.0(00001)\r\n"
                                      "1-0:72.32.0(00001)\r\n"
                                      "1-0:32.36.0(00000)\r\n"
                                      "1-0:52.36.0(00000)\r\n"
                                      "1-0:72.36.0(00000)\r\n"
                                      "0-0:96.13.1()\r\n"
                                      "0-0:96.13.0()\r\n"
                                      "1-0:31.7.0(011*A)\r\n"
                                      "1-0:51.7.0(004*A)\r\n"
                                      "1-0:71.7.0(001*A)\r\n"
                                      "1-0:21.7.0(00.000*kW)\r\n"
                                      "1-0:22.7.0(02.735*kW)\r\n"
                                      "1-0:41.7.0(00.000*kW)\r\n"
                                      "1-0:42.7.0(00.959*kW)\r\n"
                                      "1-0:61.7.0(00.000*kW)\r\n"
                                      "1-0:62.7.0(00.364*kW)\r\n"
                                      "!";

static void the_manuals_example(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    decode(b, manual_telegram);
    assert_int_equal(b->reading.object_errors, 0);
    assert_string_equal(
        power_instant(b),
        "{\"ts\":1780396069,\"P\":-4023,\"P+\":0,\"P-\":4023,"
        "\"E_IMPORT\":56500909,\"E_EXPORT\":25593421,\"U12\":null,\"U31\":null,\"U32\":null,"
        "\"l1\":{\"U\":null,\"I\":11,\"P\":-2735,\"P+\":0,\"P-\":2735,"
        "\"Q\":null,\"Q+\":null,\"Q-\":null,\"VSAGS\":0,\"VSWELLS\":0,\"S\":null},"
        "\"l2\":{\"U\":null,\"I\":4,\"P\":-959,\"P+\":0,\"P-\":959,"
        "\"Q\":null,\"Q+\":null,\"Q-\":null,\"VSAGS\":1,\"VSWELLS\":0,\"S\":null},"
        "\"l3\":{\"U\":null,\"I\":1,\"P\":-364,\"P+\":0,\"P-\":364,"
        "\"Q\":null,\"Q+\":null,\"Q-\":null,\"VSAGS\":1,\"VSWELLS\":0,\"S\":null},"
        "\"Q\":null,\"Q+\":null,\"Q-\":null,"
        "\"EQ1\":null,\"EQ2\":null,\"EQ3\":null,\"EQ4\":null,"
        "\"PFAIL\":19,\"LPFAIL\":4,\"PF\":-1,\"S\":4058}");
    free(b);
}

static void nothing_known_is_all_null(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    for (int q = 0; q < Q_N; q++)
        b->reading.value[q] = 7; /* must not show */
    const char *json = power_instant(b);
    for (const char *c = strchr(json, ':'); c != NULL; c = strchr(c + 1, ':'))
        assert_true(c[1] == '{' || strncmp(c + 1, "null", 4) == 0);
    free(b);
}

/* Every quantity has its own value, 1000 + its place in the table (of a unit, if it has decimals). */
static void put_sample(struct text_out *t, const char *key, enum quantity q)
{
    text_put(t, key);
    text_decimal(t, 1000 + (int64_t)q, 0);
}

static void every_key_shows_its_quantity(void **unused)
{
    (void)unused;
    static const struct {
        const char *key;
        enum quantity quantity;
    } before[] = {{",\"P\":", Q_POWER},
                  {",\"P+\":", Q_POWER_IMPORT},
                  {",\"P-\":", Q_POWER_EXPORT},
                  {",\"E_IMPORT\":", Q_ENERGY_IMPORT},
                  {",\"E_EXPORT\":", Q_ENERGY_EXPORT},
                  {",\"U12\":", Q_VOLTAGE_L12},
                  {",\"U31\":", Q_VOLTAGE_L31},
                  {",\"U32\":", Q_VOLTAGE_L32}},
      phase[] = {{":{\"U\":", Q_VOLTAGE_L1},
                 {",\"I\":", Q_CURRENT_L1},
                 {",\"P\":", Q_POWER_L1},
                 {",\"P+\":", Q_POWER_IMPORT_L1},
                 {",\"P-\":", Q_POWER_EXPORT_L1},
                 {",\"Q\":", Q_REACTIVE_L1},
                 {",\"Q+\":", Q_REACTIVE_IMPORT_L1},
                 {",\"Q-\":", Q_REACTIVE_EXPORT_L1},
                 {",\"VSAGS\":", Q_VOLTAGE_SAGS_L1},
                 {",\"VSWELLS\":", Q_VOLTAGE_SWELLS_L1},
                 {",\"S\":", Q_APPARENT_L1}},
      after[] = {{",\"Q\":", Q_REACTIVE},
                 {",\"Q+\":", Q_REACTIVE_IMPORT},
                 {",\"Q-\":", Q_REACTIVE_EXPORT},
                 {",\"EQ1\":", Q_REACTIVE_ENERGY_Q1},
                 {",\"EQ2\":", Q_REACTIVE_ENERGY_Q2},
                 {",\"EQ3\":", Q_REACTIVE_ENERGY_Q3},
                 {",\"EQ4\":", Q_REACTIVE_ENERGY_Q4},
                 {",\"PFAIL\":", Q_POWER_FAILURES},
                 {",\"LPFAIL\":", Q_LONG_POWER_FAILURES},
                 {",\"PF\":", Q_POWER_FACTOR},
                 {",\"S\":", Q_APPARENT}};
    static const char *const phases[] = {",\"l1\"", ",\"l2\"", ",\"l3\""};
    char expected[MESSAGE_POWER_INSTANT_MAX];
    struct text_out t;
    text_init(&t, expected, sizeof expected);
    text_put(&t, "{\"ts\":null");
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++)
        put_sample(&t, before[i].key, before[i].quantity);
    for (int n = 0; n < 3; n++) {
        text_put(&t, phases[n]);
        for (size_t i = 0; i < sizeof phase / sizeof phase[0]; i++)
            put_sample(&t, phase[i].key, (enum quantity)((int)phase[i].quantity + n));
        text_put(&t, "}");
    }
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++)
        put_sample(&t, after[i].key, after[i].quantity);
    text_put(&t, "}");

    struct bench *b = new_bench();
    for (int q = 0; q < Q_N; q++)
        reading_set(&b->reading, (enum quantity)q, (quantity_decimals[q] ? 1000 : 1) * (1000 + q));
    assert_string_equal(power_instant(b), expected);
    free(b);
}

static void the_widest_power_instant_fits(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    for (int q = 0; q < Q_N; q++)
        reading_set(&b->reading, (enum quantity)q, INT64_MIN + 1);
    b->reading.received_s = INT64_MIN / 2;
    (void)power_instant(b);
    assert_true(strlen(b->json) > 1000);
    free(b);
}

static void decimals_are_exact(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    reading_set(&b->reading, Q_VOLTAGE_L1, 231200);
    reading_set(&b->reading, Q_CURRENT_L1, -1665);
    reading_set(&b->reading, Q_VOLTAGE_L12, 227800);
    reading_set(&b->reading, Q_POWER_FACTOR, -998);
    const char *json = power_instant(b);
    assert_contains(json, "\"l1\":{\"U\":231.2,\"I\":-1.665,\"P\":null");
    assert_contains(json, "\"U12\":227.8,\"U31\":null,\"U32\":null,");
    assert_contains(json, "\"PF\":-0.998,\"S\":null}");
    free(b);
}

static void an_impossible_power_factor_is_not_the_meters(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    decode(b, "/SCN5 x\r\n\r\n1-3:0.2.8(50)\r\n1-0:1.7.0(01.500*kW)\r\n1-0:2.7.0(00.000*kW)\r\n"
              "1-0:13.7.0(4.556)\r\n!");
    assert_contains(power_instant(b), "\"PF\":1,\"S\":1500}");
    decode(b, "/SCN5 x\r\n\r\n1-3:0.2.8(50)\r\n1-0:1.7.0(01.500*kW)\r\n1-0:2.7.0(00.000*kW)\r\n"
              "1-0:13.7.0(-0.755)\r\n1-0:9.7.0(01.987*kVA)\r\n1-0:10.7.0(00.000*kVA)\r\n!");
    assert_contains(power_instant(b), "\"PF\":-0.755,\"S\":1987}");
    free(b);
}

static void messages_can_follow_other_text(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    char text[MESSAGE_POWER_INSTANT_MAX + 16];
    struct text_out t;
    text_init(&t, text, sizeof text);
    text_put(&t, "data: ");
    message_power_instant(&t, &b->reading);
    assert_string_equal(text + 6, power_instant(b));
    free(b);
}

static void too_small_a_buffer_is_told(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    decode(b, manual_telegram);
    size_t n = strlen(power_instant(b));
    for (size_t capacity = 1; capacity <= n + 1; capacity += capacity < n - 8 ? 7 : 1) {
        char *text = malloc(capacity);
        struct text_out t;
        assert_non_null(text);
        text_init(&t, text, capacity);
        message_power_instant(&t, &b->reading);
        assert_true(t.overflow == (capacity <= n));
        free(text);
    }
    free(b);
}

/* --- time ------------------------------------------------------------------------------------- */

static int64_t time_of(int64_t meter_s, int64_t received_s, bool degraded)
{
    struct reading r;
    reading_clear(&r);
    r.meter_time_s = meter_s;
    r.received_s = received_s;
    r.meter_time_degraded = degraded;
    return message_time(&r);
}

static void meter_time_within_a_day_is_used(void **unused)
{
    (void)unused;
    assert_int_equal(time_of(NOON, NOON + 5, false), NOON);
    assert_int_equal(time_of(NOON, NOON + 86400, false), NOON);
    assert_int_equal(time_of(NOON, NOON - 86400, false), NOON);
    assert_int_equal(time_of(NOON, NOON + 86401, false), NOON + 86401);
    assert_int_equal(time_of(NOON, NOON - 86401, false), NOON - 86401);
}

static void degraded_meter_time_is_not_used(void **unused)
{
    (void)unused;
    assert_int_equal(time_of(NOON, NOON + 5, true), NOON + 5);
    assert_int_equal(time_of(NOON, READING_NO_TIME, true), READING_NO_TIME);
}

static void one_clock_is_enough(void **unused)
{
    (void)unused;
    assert_int_equal(time_of(NOON, READING_NO_TIME, false), NOON);
    assert_int_equal(time_of(READING_NO_TIME, NOON, false), NOON);
    assert_int_equal(time_of(READING_NO_TIME, READING_NO_TIME, false), READING_NO_TIME);
}

static void no_time_is_null(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    assert_contains(power_instant(b), "{\"ts\":null,");
    assert_contains(readings(b), "{\"ts\":null,\"meter_ts\":null,");
    b->reading.received_s = NOON;
    assert_contains(power_instant(b), "{\"ts\":1780396069,");
    free(b);
}

/* --- what matters ----------------------------------------------------------------------------- */

static bool changed(enum quantity q, int64_t from, int64_t to, int64_t deadband_w)
{
    struct reading before, now;
    reading_clear(&before);
    for (int i = 0; i < Q_N; i++)
        reading_set(&before, (enum quantity)i, 1000);
    reading_set(&before, q, from);
    now = before;
    reading_set(&now, q, to);
    return message_power_changed(&before, &now, deadband_w);
}

static void powers_matter_from_the_deadband_on(void **unused)
{
    (void)unused;
    static const uint8_t powers[] = {Q_POWER,           Q_POWER_IMPORT, Q_POWER_EXPORT,
                                     Q_POWER_L1,        Q_POWER_L2,     Q_POWER_L3,
                                     Q_POWER_IMPORT_L1, Q_REACTIVE,     Q_REACTIVE_EXPORT_L3,
                                     Q_REACTIVE_IMPORT, Q_APPARENT,     Q_APPARENT_L2};
    for (size_t i = 0; i < sizeof powers; i++) {
        enum quantity q = (enum quantity)powers[i];
        assert_false(changed(q, 500, 549, 50));
        assert_true(changed(q, 500, 550, 50));
        assert_false(changed(q, 500, 451, 50));
        assert_true(changed(q, 500, 450, 50));
        assert_true(changed(q, 25, -25, 50));
        assert_false(changed(q, 24, -25, 50));
    }
}

static void without_a_deadband_any_difference_of_a_power_matters(void **unused)
{
    (void)unused;
    for (int64_t deadband_w = 0; deadband_w <= 1; deadband_w++) {
        assert_false(changed(Q_POWER, 500, 500, deadband_w));
        assert_true(changed(Q_POWER, 500, 501, deadband_w));
        assert_true(changed(Q_POWER, 500, 499, deadband_w));
    }
}

static void every_event_matters(void **unused)
{
    (void)unused;
    static const uint8_t counts[] = {Q_POWER_FAILURES, Q_LONG_POWER_FAILURES, Q_VOLTAGE_SAGS_L1,
                                     Q_VOLTAGE_SAGS_L3, Q_VOLTAGE_SWELLS_L2};
    for (size_t i = 0; i < sizeof counts; i++) {
        assert_true(changed((enum quantity)counts[i], 3, 4, 5000));
        assert_true(changed((enum quantity)counts[i], 4, 0, 5000));
        assert_false(changed((enum quantity)counts[i], 4, 4, 5000));
    }
}

static void other_values_do_not_matter(void **unused)
{
    (void)unused;
    static const uint8_t others[] = {
        Q_VOLTAGE_L1, Q_VOLTAGE_L12, Q_CURRENT_L2,     Q_ENERGY_IMPORT,   Q_REACTIVE_ENERGY_Q1,
        Q_FREQUENCY,  Q_TARIFF,      Q_POWER_FACTOR,   Q_APPARENT_IMPORT, Q_DEMAND_QUARTER,
        Q_FUSE_L1,    Q_LIMITER_W,   Q_CURRENT_NEUTRAL};
    for (size_t i = 0; i < sizeof others; i++)
        assert_false(changed((enum quantity)others[i], 0, 1000000, 1));
}

/* A quantity of power_instant that becomes known or unknown, whatever its value. */
static void what_becomes_known_or_unknown_matters(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t quantity;
        bool matters;
    } rows[] = {{Q_POWER, true},         {Q_VOLTAGE_L3, true},
                {Q_CURRENT_L1, true},    {Q_VOLTAGE_L31, true},
                {Q_ENERGY_EXPORT, true}, {Q_VOLTAGE_SAGS_L2, true},
                {Q_APPARENT, true},      {Q_REACTIVE_ENERGY_Q4, true},
                {Q_POWER_FACTOR, false}, {Q_FREQUENCY, false},
                {Q_TARIFF, false},       {Q_APPARENT_IMPORT, false}};
    struct reading unknown, known;
    reading_clear(&unknown);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        known = unknown;
        reading_set(&known, (enum quantity)rows[i].quantity, 0);
        assert_int_equal(message_power_changed(&unknown, &known, 100), rows[i].matters);
        assert_int_equal(message_power_changed(&known, &unknown, 100), rows[i].matters);
    }
}

static void unknown_values_do_not_matter(void **unused)
{
    (void)unused;
    struct reading before, now;
    reading_clear(&before);
    now = before;
    for (int q = 0; q < Q_N; q++)
        now.value[q] = 12345;
    now.meter_time_s = now.received_s = NOON;
    now.sequence = 7;
    assert_false(message_power_changed(&before, &now, 1));
}

/* --- device_counters -------------------------------------------------------------------------- */

static const char *counters(const struct device_counters *c)
{
    static char json[MESSAGE_COUNTERS_MAX];
    struct text_out t;
    text_init(&t, json, sizeof json);
    message_device_counters(&t, c);
    assert_false(t.overflow);
    assert_json(json);
    return json;
}

static void counters_stand_in_the_manuals_order(void **unused)
{
    (void)unused;
    assert_string_equal(
        counters(&(struct device_counters){.uptime_s = 1,
                                           .gateway_ping_pass = 2,
                                           .gateway_ping_fail = 3,
                                           .internet_ping_pass = 4,
                                           .internet_ping_fail = 5,
                                           .telegrams_pass = 6,
                                           .telegrams_fail = 7,
                                           .telegrams_frame_fail = 8,
                                           .mqtt_event_errors = 9,
                                           .mqtt_event_connect = 10,
                                           .mqtt_send_pass = 11,
                                           .mqtt_send_fail = 12,
                                           .heap_free = 13,
                                           .heap_min_free = 14,
                                           .heap_largest_free = 15,
                                           .heap_failed_allocs = 16}),
        "{\"uptime\":1,\"gw_ping_pass\":2,\"gw_ping_fail\":3,\"internet_ping_pass\":4,"
        "\"internet_ping_fail\":5,\"telegrams_pass\":6,\"telegrams_fail\":7,"
        "\"telegrams_frame_fail\":8,\"mqtt_event_errors\":9,\"mqtt_event_connect\":10,"
        "\"mqtt_send_pass\":11,\"mqtt_send_fail\":12,\"heap_free\":13,"
        "\"heap_min_free\":14,\"heap_largest_free\":15,\"heap_failed_allocs\":16}");
}

/* All members are int64_t, side by side. */
static struct device_counters all_counters(int64_t count)
{
    int64_t members[sizeof(struct device_counters) / sizeof(int64_t)];
    struct device_counters c;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        members[i] = count;
    memcpy(&c, members, sizeof c);
    return c;
}

static void a_counter_that_is_not_kept_is_null(void **unused)
{
    (void)unused;
    struct device_counters c = all_counters(COUNTER_UNKNOWN);
    c.mqtt_send_fail = 0;
    const char *json = counters(&c);
    for (const char *colon = strchr(json, ':'); colon != NULL; colon = strchr(colon + 1, ':'))
        assert_true(strncmp(colon, ":null", 5) == 0 || strncmp(colon, ":0,", 3) == 0);
    assert_contains(json, "\"mqtt_send_fail\":0,");
}

static void the_widest_counters_fit(void **unused)
{
    (void)unused;
    struct device_counters c = all_counters(INT64_MIN);
    assert_true(strlen(counters(&c)) > 500);
}

/* --- readings --------------------------------------------------------------------------------- */

static void readings_show_what_is_known(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    decode(b, "/SCN5 x\"y\\\r\n\r\n0-0:96.1.4(50217)\r\n0-0:1.0.0(260602122749S)\r\n"
              "0-0:96.1.1(4530)\r\n0-0:96.13.0(6D\xB3)\r\n1-0:16.7.0(-01.500*kW)\r\n"
              "1-0:1.6.0(260601120000S)(02.500*kW)\r\n0-1:24.1.0(003)\r\n0-1:96.3.10(1)\r\n"
              "0-1:24.2.3(260602122500S)(00112.384*m3)\r\n0-2:24.1.0(007)\r\n0-2:96.1.1()\r\n"
              "0-2:96.3.10(0)\r\n0-4:96.3.10(1)\r\n"
              "0-2:24.2.1(632525252525S)(00000.000)\r\n"
              "1-0:99.97.0(1)(0-0:96.7.19)(260101000000W)(0000000241*s)\r\n"
              "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(260601000000S)(260510120000S)(04.321*kW)\r\n!");
    b->reading.sequence = 42;
    assert_string_equal(
        readings(b),
        "{\"ts\":1780396069,\"meter_ts\":1780396069,\"sequence\":42,\"standard\":\"p1\","
        "\"grid\":\"unknown\",\"phases\":0,\"object_errors\":1,"
        "\"values\":{\"power_w\":-1500,\"apparent_va\":1500,\"power_factor\":-1,\"demand_month_"
        "peak_w\":2500},"
        "\"demand_month_peak_ts\":1780308000,"
        "\"mbus\":{\"1\":{\"medium\":3,\"value\":112.384,\"unit\":\"m3\",\"ts\":1780395900,"
        "\"uncorrected\":true,\"valve\":1},\"2\":{\"medium\":7,\"valve\":0},\"4\":{\"medium\":0,"
        "\"valve\":1}},"
        "\"texts\":{\"identification\":\"SCN5 x\\\"y\\\\\",\"meter_id\":\"E0\","
        "\"version\":\"50217\",\"message\":\"6D\xC2\xB3\"},"
        "\"power_failure_log\":[{\"end_ts\":1767222000,\"duration_s\":241}],"
        "\"peak_history\":[{\"month_ts\":1780264800,\"ts\":1778407200,\"power_w\":4321}]}");
    free(b);
}

static void every_standard_and_grid_has_a_name(void **unused)
{
    (void)unused;
    static const char *const standards[] = {"unknown", "p1", "tic", "tic-historic"};
    static const char *const grids[] = {"unknown", "star", "delta"};
    struct bench *b = new_bench();
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 3; k++) {
            char expected[64];
            b->reading.standard = (uint8_t)i;
            b->reading.grid = (uint8_t)k;
            b->reading.phases = 3;
            (void)snprintf(expected, sizeof expected,
                           "\"standard\":\"%s\",\"grid\":\"%s\",\"phases\":3,", standards[i],
                           grids[k]);
            assert_contains(readings(b), expected);
        }
    free(b);
}

static void readings_at_all_limits_fit(void **unused)
{
    (void)unused;
    static const uint8_t bytes[] = {'2', 'A', 0xFF, '"', '\\', 0x01, '?'};
    struct bench *b = new_bench();
    fill_numbers(&b->reading);
    for (size_t i = 0; i < sizeof bytes; i++)
        for (size_t message = 0; message <= 4096; message += 1024) {
            fill_texts(b, bytes[i], message);
            (void)readings(b);
        }
    free(b);
}

static void long_messages_are_shown_whole(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    fill_texts(b, '4', 2048); /* hex of 1024 times 'D' */
    assert_int_equal(strspn(strstr(readings(b), "\"message\":\"") + 11, "D"), 1024);
    fill_texts(b, 0xFF, 1024); /* seen in Hungary */
    const char *message = strstr(readings(b), "\"message\":\"") + 11;
    for (int i = 0; i < 1024; i++)
        assert_memory_equal(message + 2 * i, "\xC3\xBF", 2);
    assert_int_equal(message[2048], '"');
    free(b);
}

/* The unit of C.7.0 (IEC 62056-61), where C is 1 to 80. */
static const char *unit_of(int c)
{
    static const char *const units[20] = {"var", "W",   "W",  "var", "var", "var", "var",
                                          "var", "var", "VA", "VA",  "A",   "V"};
    return units[c % 20] ? units[c % 20] : "";
}

/* What the parser accepts from a hostile meter: every power, current and voltage once, and texts full of
 * what JSON has to escape. */
static void the_fattest_telegram_fits(void **unused)
{
    (void)unused;
    static const char *const texts[] = {"96.1.1",  "96.1.2",  "42.0.0", "96.13.0",
                                        "96.13.1", "96.13.2", "96.13.3"};
    struct bench *b = new_bench();
    char telegram[P1_TELEGRAM_MAX - 8];
    struct text_out t;
    text_init(&t, telegram, sizeof telegram);
    text_put(&t, "/SCN5\"\r\n0-0:96.1.4(50217)\r\n");
    for (int c = 1; c <= 80; c++) {
        text_put(&t, "1-0:");
        text_decimal(&t, c, 0);
        text_put(&t, ".7.0(1*");
        text_put(&t, unit_of(c));
        text_put(&t, ")\r\n");
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        text_put(&t, "0-0:");
        text_put(&t, texts[i]);
        text_put(&t, "(");
        for (int k = 0; k < 945; k++)
            text_char(&t, '"');
        text_put(&t, ")\r\n");
    }
    text_put(&t, "!");
    assert_false(t.overflow);
    decode(b, telegram);
    assert_true(b->stream.telegram_len > P1_TELEGRAM_MAX - 200);
    (void)readings(b);
    (void)power_instant(b);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checker_knows_bad_json),
        cmocka_unit_test(the_manuals_example),
        cmocka_unit_test(nothing_known_is_all_null),
        cmocka_unit_test(every_key_shows_its_quantity),
        cmocka_unit_test(the_widest_power_instant_fits),
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(an_impossible_power_factor_is_not_the_meters),
        cmocka_unit_test(messages_can_follow_other_text),
        cmocka_unit_test(too_small_a_buffer_is_told),
        cmocka_unit_test(meter_time_within_a_day_is_used),
        cmocka_unit_test(degraded_meter_time_is_not_used),
        cmocka_unit_test(one_clock_is_enough),
        cmocka_unit_test(no_time_is_null),
        cmocka_unit_test(powers_matter_from_the_deadband_on),
        cmocka_unit_test(without_a_deadband_any_difference_of_a_power_matters),
        cmocka_unit_test(every_event_matters),
        cmocka_unit_test(other_values_do_not_matter),
        cmocka_unit_test(what_becomes_known_or_unknown_matters),
        cmocka_unit_test(unknown_values_do_not_matter),
        cmocka_unit_test(counters_stand_in_the_manuals_order),
        cmocka_unit_test(a_counter_that_is_not_kept_is_null),
        cmocka_unit_test(the_widest_counters_fit),
        cmocka_unit_test(readings_show_what_is_known),
        cmocka_unit_test(every_standard_and_grid_has_a_name),
        cmocka_unit_test(readings_at_all_limits_fit),
        cmocka_unit_test(long_messages_are_shown_whole),
        cmocka_unit_test(the_fattest_telegram_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
