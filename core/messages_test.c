#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "derive.h"
#include "messages.h"
#include "p1.h"

enum { NOON = 1780396069 }; /* 2026-06-02 10:27:49 UTC */

/* --- a checker of JSON (RFC 8259) in valid UTF-8 ---------------------------------------------- */

static const char *after_value(const char *s);

static const char *after_digits(const char *s)
{
    if (*s < '0' || *s > '9')
        return NULL;
    while (*s >= '0' && *s <= '9')
        s++;
    return s;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?, and no "-0": we print no exponents. */
static const char *after_number(const char *s)
{
    const char *digits = *s == '-' ? s + 1 : s;
    const char *end = after_digits(digits);
    if (end == NULL || (*digits == '0' && end > digits + 1))
        return NULL;
    return *end == '.' ? after_digits(end + 1) : end;
}

/* One character of a string; its UTF-8 has the shortest form. */
static const char *after_character(const char *s)
{
    const unsigned char *c = (const unsigned char *)s;
    if (c[0] == '\\') {
        if (c[1] == 'u')
            return strspn(s + 2, "0123456789abcdefABCDEF") >= 4 ? s + 6 : NULL;
        return c[1] != '\0' && strchr("\"\\/bfnrt", c[1]) ? s + 2 : NULL;
    }
    if (c[0] < 0x80)
        return c[0] >= 0x20 ? s + 1 : NULL;
    return c[0] >= 0xC2 && c[0] <= 0xDF && (c[1] & 0xC0) == 0x80 ? s + 2 : NULL;
}

static const char *after_string(const char *s)
{
    if (*s++ != '"')
        return NULL;
    while (s != NULL && *s != '"')
        s = after_character(s);
    return s == NULL ? NULL : s + 1;
}

static const char *after_member(const char *s)
{
    s = after_string(s);
    return s == NULL || *s != ':' ? NULL : after_value(s + 1);
}

/* Elements between commas up to `close`. */
static const char *after_list(const char *s, char close, const char *(*after_element)(const char *))
{
    if (*++s == close)
        return s + 1;
    for (;;) {
        s = after_element(s);
        if (s == NULL || (*s != ',' && *s != close))
            return NULL;
        if (*s++ == close)
            return s;
    }
}

static const char *after_value(const char *s)
{
    static const char *const words[] = {"null", "true", "false"};
    for (size_t i = 0; i < 3; i++)
        if (strncmp(s, words[i], strlen(words[i])) == 0)
            return s + strlen(words[i]);
    switch (*s) {
    case '{':
        return after_list(s, '}', after_member);
    case '[':
        return after_list(s, ']', after_value);
    case '"':
        return after_string(s);
    default:
        return after_number(s);
    }
}

static void assert_json(const char *text)
{
    const char *end = after_value(text);
    assert_non_null(end);
    assert_int_equal(*end, '\0');
    assert_int_equal(*text, '{');
    assert_null(strchr(text, '\n'));
}

static void the_checker_knows_bad_json(void **unused)
{
    (void)unused;
    static const char *const bad[] = {
        "",   "{",       "{\"a\"}",  "{\"a\":}",     "[1,]",     "[1 2]", "{\"a\":1,}", "01",
        "1.", "\"\\x\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\x80\"", "\"a",   "\"\n\""};
    static const char *const good[] = {"{}", "[]", "{\"a\":[1,-0.5,null]}", "\"m\xC2\xB3\\u0001\""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *end = after_value(bad[i]);
        assert_true(end == NULL || *end != '\0');
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(after_value(good[i]) != NULL && *after_value(good[i]) == '\0');
}

/* --- telegrams -------------------------------------------------------------------------------- */

/* A P1 stream and what it made of one telegram. */
struct bench {
    struct p1_stream stream;
    struct reading reading;
    uint8_t buffer[P1_TELEGRAM_MAX];
    char json[MESSAGE_READINGS_MAX];
};

/* CRC-16/ARC bit by bit, unlike the table-driven one. */
static unsigned crc_bitwise(const char *s, size_t n)
{
    unsigned crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint8_t)s[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xA001u : crc >> 1;
    }
    return crc;
}

/* Feeds a telegram that ends with '!', its CRC behind it, and derives. */
static void decode(struct bench *b, const char *telegram)
{
    static const struct derive_settings settings;
    struct derive_state state = {0};
    enum p1_event event;
    char crc[16];
    size_t n = strlen(telegram);
    (void)snprintf(crc, sizeof crc, "%04X\r\n", crc_bitwise(telegram, n));
    p1_init(&b->stream, &b->reading, b->buffer, sizeof b->buffer);
    assert_int_equal(p1_feed(&b->stream, (const uint8_t *)telegram, n, &event), n);
    assert_int_equal(event, P1_MORE);
    (void)p1_feed(&b->stream, (const uint8_t *)crc, 6, &event);
    assert_int_equal(event, P1_TELEGRAM);
    derive(&b->reading, &settings, &state);
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

static struct bench *new_bench(void)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    reading_clear(&b->reading);
    return b;
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
        reading_set(&b->reading, (enum quantity)q, (quantities[q].decimals ? 1000 : 1) * (1000 + q));
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

/* All numbers, logs and channels at their widest. */
static void fill_numbers(struct reading *r)
{
    for (int q = 0; q < Q_N; q++)
        reading_set(r, (enum quantity)q, -INT64_C(20000000000111));
    r->meter_time_s = r->peak_time_s = INT64_C(-4102444800);
    r->sequence = INT64_MAX;
    r->object_errors = UINT16_MAX;
    r->failures_n = READING_FAILURES_N;
    r->peaks_n = READING_PEAKS_N;
    for (int i = 0; i < READING_FAILURES_N; i++)
        r->failures[i] = (struct reading_failure){INT64_C(-4102444800), UINT32_MAX};
    for (int i = 0; i < READING_PEAKS_N; i++)
        r->peaks[i] =
            (struct reading_peak){INT64_C(-4102444800), INT64_C(-4102444800), -2000000000};
    for (int i = 0; i < READING_MBUS_N; i++)
        r->mbus[i] = (struct reading_mbus){.value = INT64_C(1000000000001),
                                           .time_s = INT64_C(-4102444800),
                                           .unit = MBUS_UNIT_WH,
                                           .medium = 255,
                                           .valve = 127};
}

/* The bytes of a whole telegram, shared out to all texts: n bytes for the message, the rest equally. */
static void fill_texts(struct bench *b, uint8_t byte, size_t message)
{
    size_t each = (P1_TELEGRAM_MAX - message) / (TEXT_N - 1), offset = 0;
    memset(b->buffer, byte, sizeof b->buffer);
    for (int id = 0; id < TEXT_N; id++) {
        size_t n = id == TEXT_MESSAGE ? message : each;
        b->reading.text[id] = (struct reading_text){(uint16_t)offset, (uint16_t)n};
        offset += n;
    }
    b->reading.standard = STANDARD_P1;
    b->stream.telegram = b->buffer;
    b->stream.telegram_len = sizeof b->buffer;
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
        cmocka_unit_test(readings_show_what_is_known),
        cmocka_unit_test(every_standard_and_grid_has_a_name),
        cmocka_unit_test(readings_at_all_limits_fit),
        cmocka_unit_test(long_messages_are_shown_whole),
        cmocka_unit_test(the_fattest_telegram_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
