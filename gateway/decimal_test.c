#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decimal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_reads(const char *text, int64_t mantissa, int exponent)
{
    struct decimal d;
    assert_true(decimal_parse(text, '.', &d));
    assert_true(d.mantissa == mantissa);
    assert_int_equal(d.exponent, exponent);
}

static const char *written(struct decimal d)
{
    static char text[80];
    struct text_out out;
    text_init(&out, text, sizeof text);
    decimal_put(&out, d);
    return text;
}

static void numbers_are_read_exactly(void **unused)
{
    (void)unused;
    assert_reads("0", 0, 0);
    assert_reads("-0.000", 0, 0);
    assert_reads("1.130", 113, -2);
    assert_reads("-12", -12, 0);
    assert_reads("1000", 1, 3);
    assert_reads("0.001", 1, -3);
    assert_reads("1e-3", 1, -3);
    assert_reads("2.5E+3", 25, 2);
    assert_reads(".5", 5, -1);
    assert_reads("5.", 5, 0);
    assert_reads("0x5002", 20482, 0);
    assert_reads("-0x10", -16, 0);
    assert_reads("0010", 1, 1);
    assert_reads("123456789012345678", 123456789012345678, 0);
}

static void anything_else_is_no_number(void **unused)
{
    (void)unused;
    static const char *const others[] = {"",
                                         "-",
                                         ".",
                                         "1.2.3",
                                         "1,5",
                                         "e5",
                                         "1e",
                                         "1e5x",
                                         "1e 5",
                                         "1e\t5",
                                         "1e+-5",
                                         "0x",
                                         "0xG",
                                         "0x-5",
                                         "0x0x5",
                                         "0xDE0B6B3A7640000",
                                         "+1",
                                         "--1",
                                         "1 ",
                                         "1e9999",
                                         "nan",
                                         "1234567890123456789",
                                         "0xFFFFFFFFFFFFFFFF"};
    struct decimal d;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(decimal_parse(others[i], '.', &d));
}

static void the_point_can_be_a_comma(void **unused)
{
    (void)unused;
    struct decimal d;
    assert_true(decimal_parse("0,25", ',', &d));
    assert_true(d.mantissa == 25 && d.exponent == -2);
    assert_false(decimal_parse("0.25", ',', &d));
}

static void floats_become_the_shortest_decimals(void **unused)
{
    (void)unused;
    assert_string_equal(written(decimal_of_float(1.13F)), "1.13");
    assert_string_equal(written(decimal_of_float(233.4F)), "233.4");
    assert_string_equal(written(decimal_of_float(-0.001F)), "-0.001");
    assert_string_equal(written(decimal_of_float(16777216.0F)), "16777216");
    assert_string_equal(written(decimal_of_float(20000000.0F)), "20000000");
    assert_string_equal(written(decimal_of_float(0.0F)), "0");
    assert_string_equal(written(decimal_of_float(INFINITY)), "0");
    for (float f = 1e-37F; f < 1e38F; f *= 1.37F)
        assert_true(strtof(written(decimal_of_float(f)), NULL) == f);
}

static void what_is_written_reads_the_same(void **unused)
{
    (void)unused;
    static const struct decimal all[] = {{0, 0},
                                         {1, 3},
                                         {-25, 0},
                                         {113, -2},
                                         {7, -18},
                                         {7, -300},
                                         {7, 300},
                                         {276, 20},
                                         {99999999999999999, 1},
                                         {-99999999999999999, 2}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_reads(written(all[i]), all[i].mantissa, all[i].exponent);
}

static void only_whole_numbers_are_whole(void **unused)
{
    (void)unused;
    int64_t whole;
    assert_true(decimal_is_whole((struct decimal){-12, 3}, &whole));
    assert_true(whole == -12000);
    assert_false(decimal_is_whole((struct decimal){15, -1}, &whole));
    assert_false(decimal_is_whole((struct decimal){1, 19}, &whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read_exactly),
        cmocka_unit_test(anything_else_is_no_number),
        cmocka_unit_test(the_point_can_be_a_comma),
        cmocka_unit_test(floats_become_the_shortest_decimals),
        cmocka_unit_test(what_is_written_reads_the_same),
        cmocka_unit_test(only_whole_numbers_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
