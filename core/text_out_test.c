#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text_out.h"

static void assert_decimal(int64_t value, unsigned decimals, const char *expected)
{
    char buffer[32];
    struct text_out t;
    text_init(&t, buffer, sizeof buffer);
    text_decimal(&t, value, decimals);
    assert_false(t.overflow);
    assert_string_equal(buffer, expected);
    assert_int_equal(t.length, strlen(expected));
}

static void decimals_without_trailing_zeros(void **unused)
{
    (void)unused;
    assert_decimal(231200, 3, "231.2");
    assert_decimal(231000, 3, "231");
    assert_decimal(230000, 3, "230");
    assert_decimal(231245, 3, "231.245");
    assert_decimal(100, 0, "100");
    assert_decimal(5, 3, "0.005");
    assert_decimal(50, 3, "0.05");
    assert_decimal(500, 3, "0.5");
    assert_decimal(12, 1, "1.2");
    assert_decimal(1, 18, "0.000000000000000001");
    assert_decimal(1000000000000000000, 18, "1");
}

static void zero_has_no_decimals_and_no_sign(void **unused)
{
    (void)unused;
    for (unsigned decimals = 0; decimals <= 18; decimals++)
        assert_decimal(0, decimals, "0");
}

static void negative_decimals(void **unused)
{
    (void)unused;
    assert_decimal(-4023, 0, "-4023");
    assert_decimal(-1000, 3, "-1");
    assert_decimal(-5, 3, "-0.005");
    assert_decimal(-998, 3, "-0.998");
}

static void decimals_at_the_ends_of_the_range(void **unused)
{
    (void)unused;
    assert_decimal(INT64_MAX, 0, "9223372036854775807");
    assert_decimal(INT64_MIN, 0, "-9223372036854775808");
    assert_decimal(INT64_MIN, 3, "-9223372036854775.808");
    assert_decimal(INT64_MAX, 18, "9.223372036854775807");
    assert_decimal(INT64_MIN, 18, "-9.223372036854775808");
}

/* The same from printf's digits. */
static void reference_decimal(int64_t value, unsigned decimals, char out[40])
{
    char digits[32];
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    (void)snprintf(digits, sizeof digits, "%0*" PRIu64, (int)decimals + 1, magnitude);
    int whole = (int)(strlen(digits) - decimals);
    (void)snprintf(out, 40, "%s%.*s.%s", value < 0 ? "-" : "", whole, digits, digits + whole);
    size_t n = strlen(out);
    while (out[n - 1] == '0')
        n--;
    out[out[n - 1] == '.' ? n - 1 : n] = '\0';
}

static void decimals_equal_printf(void **unused)
{
    (void)unused;
    uint64_t seed = 88172645463325252;
    for (int i = 0; i < 50000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        int64_t value = (int64_t)seed >> (seed % 64);
        if (seed & 0x10000)
            value -= value % 1000;
        char expected[40];
        reference_decimal(value, (unsigned)(seed >> 20) % 19, expected);
        assert_decimal(value, (unsigned)(seed >> 20) % 19, expected);
    }
}

static void put_everything(struct text_out *t)
{
    text_put(t, "{");
    text_json_string(t, "a\"\\\n\x01z");
    text_char(t, ':');
    text_decimal(t, -123456, 3);
    text_put(t, "}");
}

static void overflow_is_seen_at_every_capacity(void **unused)
{
    (void)unused;
    static const char whole[] = "{\"a\\\"\\\\\\u000a\\u0001z\":-123.456}";
    for (size_t capacity = 1; capacity <= sizeof whole + 3; capacity++) {
        char *buffer = malloc(capacity);
        struct text_out t;
        assert_non_null(buffer);
        text_init(&t, buffer, capacity);
        assert_string_equal(buffer, "");
        put_everything(&t);
        assert_true(t.overflow == (capacity < sizeof whole));
        size_t kept = t.overflow ? capacity - 1 : sizeof whole - 1;
        assert_int_equal(t.length, kept);
        assert_memory_equal(buffer, whole, kept);
        assert_int_equal(buffer[kept], '\0');
        free(buffer);
    }
}

static void overflow_stays(void **unused)
{
    (void)unused;
    char buffer[4];
    struct text_out t;
    text_init(&t, buffer, sizeof buffer);
    text_put(&t, "abc");
    assert_false(t.overflow);
    text_put(&t, "");
    assert_false(t.overflow);
    text_char(&t, 'd');
    assert_true(t.overflow);
    text_put(&t, "");
    assert_true(t.overflow);
    assert_string_equal(buffer, "abc");
    text_init(&t, buffer, sizeof buffer);
    assert_false(t.overflow);
    assert_string_equal(buffer, "");
}

static void json_escapes(void **unused)
{
    (void)unused;
    for (int c = 1; c < 0x80; c++) {
        char expected[16], buffer[16];
        const char string[] = {(char)c, '\0'};
        struct text_out t;
        if (c < 0x20)
            (void)snprintf(expected, sizeof expected, "\"\\u%04x\"", (unsigned)c);
        else
            (void)snprintf(expected, sizeof expected, "\"%s%c\"", c == '"' || c == '\\' ? "\\" : "",
                           c);
        text_init(&t, buffer, sizeof buffer);
        text_json_string(&t, string);
        assert_string_equal(buffer, expected);
    }
}

static void json_keeps_utf8(void **unused)
{
    (void)unused;
    char buffer[32];
    struct text_out t;
    text_init(&t, buffer, sizeof buffer);
    text_json_string(&t, "m\xC2\xB3 \xE2\x82\xAC \xF0\x9F\x94\x8C");
    assert_string_equal(buffer, "\"m\xC2\xB3 \xE2\x82\xAC \xF0\x9F\x94\x8C\"");
    text_init(&t, buffer, sizeof buffer);
    text_json_string(&t, "");
    assert_string_equal(buffer, "\"\"");
}

static void texts_are_cut_between_characters(void **unused)
{
    (void)unused;
    static const struct {
        const char *text;
        size_t size;
        const char *copy;
    } cases[] = {{"abc", 4, "abc"},
                 {"abc", 3, "ab"},
                 {"abc", 1, ""},
                 {"", 1, ""},
                 {"a\xC3\xA9", 4, "a\xC3\xA9"},
                 {"a\xC3\xA9", 3, "a"},
                 {"a\xE2\x82\xAC", 4, "a"},
                 {"\xF0\x9F\x94\x8C", 4, ""},
                 {"\xF0\x9F\x94\x8Cx", 5, "\xF0\x9F\x94\x8C"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char copy[8] = "zzzzzzz";
        text_copy(copy, cases[i].size, cases[i].text);
        assert_string_equal(copy, cases[i].copy);
        assert_int_equal(text_fitting(cases[i].text, cases[i].size - 1), strlen(cases[i].copy));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_without_trailing_zeros),
        cmocka_unit_test(zero_has_no_decimals_and_no_sign),
        cmocka_unit_test(negative_decimals),
        cmocka_unit_test(decimals_at_the_ends_of_the_range),
        cmocka_unit_test(decimals_equal_printf),
        cmocka_unit_test(overflow_is_seen_at_every_capacity),
        cmocka_unit_test(overflow_stays),
        cmocka_unit_test(json_escapes),
        cmocka_unit_test(json_keeps_utf8),
        cmocka_unit_test(texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
