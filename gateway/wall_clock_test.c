#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wall_clock.h"

#include "core/reading.h"

#include <time.h>

static const int64_t project_began_s = 1735689600 /* 2025-01-01 */, year_2099_s = 4070908800;

static void a_clock_before_the_build_was_never_set(void **unused)
{
    (void)unused;
    assert_false(wall_clock_is_set(READING_NO_TIME));
    assert_false(wall_clock_is_set(100));
    assert_false(wall_clock_is_set(INT64_MIN));
    assert_false(wall_clock_is_set(wall_clock_build_s() - 1));
    assert_true(wall_clock_is_set(wall_clock_build_s()));
    assert_true(wall_clock_is_set(year_2099_s));
}

static void the_build_has_a_date_of_this_project(void **unused)
{
    (void)unused;
    assert_true(wall_clock_build_s() > project_began_s && wall_clock_build_s() < year_2099_s);
}

static void the_wall_clock_is_the_systems_or_unknown(void **unused)
{
    int64_t before_s = (int64_t)time(NULL), now_s = wall_clock_s(), after_s = (int64_t)time(NULL);
    (void)unused;
    if (wall_clock_is_set(before_s))
        assert_true(now_s >= before_s && now_s <= after_s);
    else
        assert_int_equal(now_s, READING_NO_TIME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_before_the_build_was_never_set),
        cmocka_unit_test(the_build_has_a_date_of_this_project),
        cmocka_unit_test(the_wall_clock_is_the_systems_or_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
