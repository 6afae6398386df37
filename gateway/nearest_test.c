#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nearest.h"

static const char *guess(const char *written)
{
    static const char *const names[] = {
        "",        "voltage_mean_v", "current_l1_a", "voltage_l1_v", "voltage_l2_v",
        "power_w", "register"};
    struct nearest n = {0};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        nearest_try(&n, written, names[i]);
    return n.name;
}

static void a_beginning_finds_the_shortest_name_that_has_it(void **unused)
{
    (void)unused;
    assert_string_equal(guess("voltage"), "voltage_l1_v");
    assert_string_equal(guess("VOLTAGE_L2"), "voltage_l2_v");
    assert_string_equal(guess("pow"), "power_w");
}

static void a_slip_of_the_pen_finds_the_name(void **unused)
{
    (void)unused;
    assert_string_equal(guess("voltage_l2v"), "voltage_l2_v");
    assert_string_equal(guess("curent_l1_a"), "current_l1_a");
    assert_string_equal(guess("power_kw"), "power_w");
    assert_string_equal(guess("Regsiter"), "register");
}

static void what_is_like_nothing_finds_nothing(void **unused)
{
    (void)unused;
    assert_null(guess(""));
    assert_null(guess("p"));
    assert_string_equal(guess("pqwxr_w"), "power_w");
    assert_null(guess("pqwxz_w"));
    assert_null(guess("frobnicate"));
    assert_null(guess("a_word_that_is_longer_than_any_name_in_the_table"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_beginning_finds_the_shortest_name_that_has_it),
        cmocka_unit_test(a_slip_of_the_pen_finds_the_name),
        cmocka_unit_test(what_is_like_nothing_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
