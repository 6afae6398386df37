/* quantity_test.c - the rules every row of the table of quantities keeps. */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "quantity.h"

static void rows_are_filled(void **state)
{
    (void)state;
    for (int q = 0; q < Q_N; q++) {
        assert_non_null(quantities[q].name);
        assert_true(quantities[q].name[0] != 0);
        assert_in_range(quantities[q].unit, 0, UNIT_N - 1);
        assert_in_range(quantity_decimals[q], 0, 3);
        assert_in_range(quantities[q].kind, KIND_MOMENTARY, KIND_STATE);
    }
}

static void names_are_unique(void **state)
{
    (void)state;
    for (int a = 0; a < Q_N; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(quantities[a].name, quantities[b].name);
}

static void names_are_snake_case(void **state)
{
    (void)state;
    for (int q = 0; q < Q_N; q++) {
        const char *name = quantities[q].name;
        if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name) ||
            name[0] == '_' || strstr(name, "__") || name[strlen(name) - 1] == '_' ||
            (name[0] >= '0' && name[0] <= '9'))
            fail_msg("%s", name);
    }
}

static bool ends_in(const char *s, const char *end)
{
    return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static void names_end_in_their_unit(void **state)
{
    static const char *const endings[UNIT_N] = {
        [UNIT_W] = "_w",   [UNIT_VAR] = "_var",   [UNIT_VA] = "_va",
        [UNIT_V] = "_v",   [UNIT_A] = "_a",       [UNIT_HZ] = "_hz",
        [UNIT_WH] = "_wh", [UNIT_VARH] = "_varh", [UNIT_KVA] = "_kva",
    };
    (void)state;
    for (int q = 0; q < Q_N; q++) {
        for (int unit = 0; unit < UNIT_N; unit++) {
            bool expected = unit == (int)quantities[q].unit;
            if (endings[unit] && ends_in(quantities[q].name, endings[unit]) != expected)
                fail_msg("%s", quantities[q].name);
        }
    }
}

/* Integers of the same unit have the same scale, so that a sum needs no thought. */
static void one_scale_for_a_unit(void **state)
{
    (void)state;
    for (int a = 0; a < Q_N; a++)
        for (int b = 0; b < a; b++)
            if (quantities[a].unit == quantities[b].unit && quantities[a].unit != UNIT_NONE)
                assert_int_equal(quantity_decimals[a], quantity_decimals[b]);
}

/* Loops over phases rely on L1, L2, L3 being neighbours. */
static void phases_are_neighbours(void **state)
{
    (void)state;
    for (int q = 0; q < Q_N; q++) {
        const char *name = quantities[q].name, *phase = strstr(name, "_l1");
        if (!phase || (phase[3] != '_' && phase[3] != 0))
            continue;
        size_t digit = (size_t)(phase - name) + 2;
        for (int i = 1; i <= 2; i++) {
            assert_true(q + i < Q_N);
            const char *next = quantities[q + i].name;
            assert_memory_equal(name, next, digit);
            assert_int_equal(next[digit], '1' + i);
            assert_string_equal(name + digit + 1, next + digit + 1);
        }
    }
}

/* Energies and events are counters, and only they; momentary is what has a unit that can be averaged. */
static void kinds_fit_their_units(void **state)
{
    (void)state;
    for (int q = 0; q < Q_N; q++) {
        enum quantity_unit unit = quantities[q].unit;
        bool counts = unit == UNIT_WH || unit == UNIT_VARH || unit == UNIT_COUNT;
        bool is_factor = strncmp(quantities[q].name, "power_factor", 12) == 0;
        if ((quantities[q].kind == KIND_COUNTER) != counts)
            fail_msg("%s", quantities[q].name);
        if (quantities[q].kind == KIND_MOMENTARY && !is_factor && (unit < UNIT_W || unit > UNIT_HZ))
            fail_msg("%s", quantities[q].name);
    }
}

static void phases_are_of_one_kind(void **state)
{
    (void)state;
    for (int q = 0; q < Q_N; q++)
        if (strstr(quantities[q].name, "_l1_") || ends_in(quantities[q].name, "_l1"))
            for (int i = 1; i <= 2; i++)
                assert_int_equal(quantities[q + i].kind, quantities[q].kind);
}

static void units_have_names(void **state)
{
    (void)state;
    for (int unit = 0; unit < UNIT_N; unit++) {
        const char *name = quantity_unit_name((enum quantity_unit)unit);
        assert_non_null(name);
        assert_int_equal(name[0] == 0, unit == UNIT_NONE || unit == UNIT_COUNT);
    }
    assert_string_equal(quantity_unit_name(UNIT_VARH), "varh");
    assert_string_equal(quantity_unit_name(UNIT_KVA), "kVA");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_filled),       cmocka_unit_test(names_are_unique),
        cmocka_unit_test(names_are_snake_case),  cmocka_unit_test(names_end_in_their_unit),
        cmocka_unit_test(one_scale_for_a_unit),  cmocka_unit_test(phases_are_neighbours),
        cmocka_unit_test(kinds_fit_their_units), cmocka_unit_test(phases_are_of_one_kind),
        cmocka_unit_test(units_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
