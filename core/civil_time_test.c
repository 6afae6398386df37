/* civil_time_test.c - meter time stamps and the calendar under them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "civil_time.h"

static bool parse(const char *digits, struct civil_time *t)
{
    return civil_time_parse((const uint8_t *)digits, t);
}

static int64_t utc_of(const char *digits, int32_t offset_s)
{
    struct civil_time t;
    assert_true(parse(digits, &t));
    return civil_time_to_utc(&t, offset_s);
}

static void known_times(void **state)
{
    static const struct {
        const char *digits;
        int32_t offset_s;
        int64_t utc_s;
    } rows[] = {
        {"100101000000", 0, 1262304000},    {"100101000000", CIVIL_CET_OFFSET_S, 1262300400},
        {"240229235959", 0, 1709251199},    {"240301000000", 0, 1709251200},
        {"260602122749", 7200, 1780396069}, {"380119031407", 0, 2147483647},
        {"380119031408", 0, 2147483648},    {"691231235959", 0, 3155759999},
        {"250101003000", 3600, 1735687800}, {"250101000000", -3600, 1735693200},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(utc_of(rows[i].digits, rows[i].offset_s), rows[i].utc_s);
}

static void fields(void **state)
{
    struct civil_time t;
    (void)state;
    assert_true(parse("241130091827", &t));
    assert_int_equal(t.year, 2024);
    assert_int_equal(t.month, 11);
    assert_int_equal(t.day, 30);
    assert_int_equal(t.hour, 9);
    assert_int_equal(t.minute, 18);
    assert_int_equal(t.second, 27);
}

/* The doubled hour of October: the letter, which is the offset here, puts it in order. */
static void doubled_hour(void **state)
{
    (void)state;
    assert_int_equal(utc_of("241027020000", 7200), 1729987200);
    assert_int_equal(utc_of("241027025959", 7200) + 1, utc_of("241027020000", 3600));
    assert_int_equal(utc_of("241027025959", 3600) - utc_of("241027020000", 7200), 7199);
    assert_int_equal(utc_of("240331015959", 3600) + 1, utc_of("240331030000", 7200));
}

static void no_times(void **state)
{
    static const char *const rows[] = {
        "241301000000",
        "240001000000",
        "240132000000",
        "240100000000",
        "240431000000",
        "240230000000",
        "230229000000",
        "240101240000",
        "240101006000",
        "240101000060",
        "000000000000",
        "000101000000",
        "010101000000",
        "091231235959",
        "700101010000",
        "991231235959",
        "632525252525",
        "250000000000",
        "FFFFFFFFFFFF",
        "24010100000x",
        "x40101000000",
        "2401 1000000",
        "24/101000000",
        "24010:000000",
        "240101-00000",
        "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        "            ",
        "240101000\0000",
        "\xB2\xB4\xB0\xB1\xB0\xB1\xB0\xB0\xB0\xB0\xB0\xB0",
    };
    struct civil_time t;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (parse(rows[i], &t))
            fail_msg("%s", rows[i]);
}

/* Every byte that is no digit, at every place. */
static void digits_alone(void **state)
{
    struct civil_time t;
    (void)state;
    for (size_t place = 0; place < 12; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char digits[] = "201011101010";
            digits[place] = (char)byte;
            bool digit = byte >= '0' && byte <= '9';
            if (!digit)
                assert_false(parse(digits, &t));
            else if (byte == '1')
                assert_true(parse(digits, &t));
        }
    }
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && year % 4 == 0);
}

static void every_day_there_and_back(void **state)
{
    int64_t day = 14610; /* 2010-01-01 */
    struct civil_time t, back;
    char digits[40];
    (void)state;
    for (int year = 2010; year <= 2099; year++) {
        for (int month = 1; month <= 12; month++) {
            for (int d = 1; d <= 31; d++) {
                snprintf(digits, sizeof digits, "%02d%02d%02d134507", year % 100, month, d);
                assert_int_equal(parse(digits, &t), d <= days_of(year, month) && year < 2070);
                if (d > days_of(year, month))
                    continue;
                t = (struct civil_time){.year = (int16_t)year,
                                        .month = (uint8_t)month,
                                        .day = (uint8_t)d,
                                        .hour = 13,
                                        .minute = 45,
                                        .second = 7};
                int64_t utc_s = civil_time_to_utc(&t, 3600);
                assert_int_equal(utc_s, day * 86400 + 12 * 3600 + 45 * 60 + 7);
                civil_time_from_utc(utc_s, 3600, &back);
                assert_memory_equal(&back, &t, sizeof t);
                day++;
            }
        }
    }
    assert_int_equal(day, 47482); /* 2100-01-01 */
}

static void edges_of_the_day_and_of_the_range(void **state)
{
    static const struct {
        int64_t utc_s;
        int32_t offset_s;
        struct civil_time t;
    } rows[] = {
        {0, 0, {1970, 1, 1, 0, 0, 0}},
        {86399, 0, {1970, 1, 1, 23, 59, 59}},
        {68169600, 0, {1972, 2, 29, 0, 0, 0}},
        {1704067199, 3600, {2024, 1, 1, 0, 59, 59}},
        {1735689599, 0, {2024, 12, 31, 23, 59, 59}},
        {1735689600, -1, {2024, 12, 31, 23, 59, 59}},
        {4102444799, 0, {2099, 12, 31, 23, 59, 59}},
    };
    struct civil_time t;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        civil_time_from_utc(rows[i].utc_s, rows[i].offset_s, &t);
        assert_memory_equal(&t, &rows[i].t, sizeof t);
        assert_int_equal(civil_time_to_utc(&t, rows[i].offset_s), rows[i].utc_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times),
        cmocka_unit_test(fields),
        cmocka_unit_test(doubled_hour),
        cmocka_unit_test(no_times),
        cmocka_unit_test(digits_alone),
        cmocka_unit_test(every_day_there_and_back),
        cmocka_unit_test(edges_of_the_day_and_of_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
