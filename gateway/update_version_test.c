#include "update_version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct update_version of(const char *text)
{
    struct update_version v;
    assert_true(update_version_read(text, &v));
    return v;
}

static void a_release_is_read_and_written(void **unused)
{
    static const char *const releases[] = {"0.1.0+security.0", "1.20.300+security.4",
                                           "4294967295.4294967295.4294967295+security.4294967295"};
    (void)unused;
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++) {
        char text[UPDATE_RELEASE_MAX];
        struct update_version v = of(releases[i]);
        update_version_text(&v, text);
        assert_string_equal(text, releases[i]);
    }
    assert_int_equal(of("0.1.0+security.7\n").security, 7);
}

static void what_is_no_release_is_refused_and_changes_nothing(void **unused)
{
    static const char *const others[] = {"",
                                         "\n",
                                         "1",
                                         "1.2",
                                         "1.2.3",
                                         "1.2.3+security",
                                         "1.2.3+security.",
                                         "1.2.3+security.x",
                                         "1.2.3+security.1 ",
                                         "1.2.3+security.1\n\n",
                                         " 1.2.3+security.1",
                                         "01.2.3+security.1",
                                         "1.2.3+security.01",
                                         "-1.2.3+security.1",
                                         "+1.2.3+security.1",
                                         "1..3+security.1",
                                         "1.2.3-rc1+security.1",
                                         "1.2.3+Security.1",
                                         "4294967296.0.0+security.1",
                                         "1.2.3+security.4294967296",
                                         "99999999999999999999999.0.0+security.1"};
    (void)unused;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct update_version v = {7, 7, 7, 7};
        assert_false(update_version_read(others[i], &v));
        assert_int_equal(v.major + v.minor + v.patch + v.security, 28);
    }
}

static bool allowed(const char *release, const char *floor)
{
    char error[UPDATE_VERSION_ERROR_MAX] = "";
    struct update_version v = of(release), lowest = of(floor);
    bool good = update_version_allowed(&v, &lowest, error);
    assert_int_equal(good, error[0] == 0);
    return good;
}

static void nothing_below_the_floor_is_allowed(void **unused)
{
    static const char floor[] = "1.2.3+security.4";
    (void)unused;
    assert_true(allowed("1.2.3+security.4", floor)); /* a repair */
    assert_true(allowed("1.2.4+security.4", floor));
    assert_true(allowed("1.3.0+security.4", floor));
    assert_true(allowed("2.0.0+security.5", floor));
    assert_true(allowed("1.10.0+security.10", floor)); /* numbers, not texts */
    assert_false(allowed("1.2.2+security.4", floor));
    assert_false(allowed("1.1.9+security.4", floor));
    assert_false(allowed("0.9.9+security.4", floor));
    assert_false(allowed("0.9.9+security.9", floor));
    assert_false(allowed("9.9.9+security.3", floor));
}

static void the_reason_names_both(void **unused)
{
    char error[UPDATE_VERSION_ERROR_MAX];
    struct update_version v = of("1.3.0+security.1"), floor = of("1.2.0+security.2");
    (void)unused;
    assert_false(update_version_allowed(&v, &floor, error));
    assert_non_null(strstr(error, "1.3.0+security.1 has a flaw"));
    assert_non_null(strstr(error, "1.2.0+security.2"));
    v = of("1.1.0+security.2");
    assert_false(update_version_allowed(&v, &floor, error));
    assert_non_null(strstr(error, "1.1.0+security.2 is older"));
}

static void the_higher_floor_forbids_what_either_does(void **unused)
{
    char text[UPDATE_RELEASE_MAX];
    struct update_version a = of("1.2.3+security.4"), b = of("1.3.0+security.2");
    struct update_version higher = update_version_higher(&a, &b);
    (void)unused;
    update_version_text(&higher, text);
    assert_string_equal(text, "1.3.0+security.4");
    higher = update_version_higher(&b, &a);
    update_version_text(&higher, text);
    assert_string_equal(text, "1.3.0+security.4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_release_is_read_and_written),
        cmocka_unit_test(what_is_no_release_is_refused_and_changes_nothing),
        cmocka_unit_test(nothing_below_the_floor_is_allowed),
        cmocka_unit_test(the_reason_names_both),
        cmocka_unit_test(the_higher_floor_forbids_what_either_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
