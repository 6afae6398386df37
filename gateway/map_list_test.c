#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "map_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char error[MAP_ERROR_MAX];

/* Adds a map called so from a file of its own. */
static bool add(const char *name, const char *type)
{
    char path[] = "/tmp/map_list_test.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, "map,%s\nregister,quantity,type,scale,word order,fixed value\n0,tariff,%s\n", name,
            type);
    close(fd);
    bool ok = map_list_add_file(path, error);
    unlink(path);
    return ok;
}

static size_t count(void)
{
    size_t n = 0;
    while (map_list_at(n))
        n++;
    return n;
}

static void the_list_begins_with_the_maps_of_the_core(void **unused)
{
    (void)unused;
    size_t n = 0;
    for (; register_map_at(n); n++)
        assert_ptr_equal(map_list_at(n), register_map_at(n));
    assert_int_equal(count(), n);
    assert_ptr_equal(map_list_find("empro"), register_map_find("empro"));
    assert_null(map_list_find("Mine"));
    assert_null(map_list_at(SIZE_MAX));
}

static void a_map_that_cannot_be_read_is_not_added(void **unused)
{
    (void)unused;
    size_t before = count();
    assert_false(add("My-Own", "uint7"));
    assert_non_null(strstr(error, ":3:10: \"uint7\" is no type"));
    assert_false(map_list_add_file("/nonexistent.csv", error));
    assert_string_equal(error, "/nonexistent.csv: No such file or directory");
    assert_int_equal(count(), before);
}

static void a_name_is_taken_once_also_by_its_short_form(void **unused)
{
    (void)unused;
    static const char *const taken[] = {"PhoenixContact-EMPro",
                                        "phoenixcontact-empro",
                                        "EMPro",
                                        "Mine-EMPro",
                                        "Maker-Own",
                                        "own",
                                        "x-OWN"};
    size_t before = count();
    assert_true(add("Maker-Own", "uint16"));
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        assert_false(add(taken[i], "uint16"));
        assert_non_null(strstr(error, " already; give this one another name than "));
        assert_non_null(strstr(error, taken[i]));
    }
    assert_int_equal(count(), before + 1);
    assert_string_equal(map_list_find("OWN")->name, "Maker-Own");
    assert_ptr_equal(map_list_find("maker-own"), map_list_at(before));
}

static void there_is_room_for_eight_files(void **unused)
{
    (void)unused;
    size_t before = count();
    for (int i = 1; i < MAP_LIST_FILES_MAX; i++) {
        char name[20];
        snprintf(name, sizeof name, "Further-%d", i);
        assert_true(add(name, "uint16"));
    }
    assert_false(add("One-More", "uint16"));
    assert_non_null(strstr(error, "there are 8 map files already"));
    assert_int_equal(count(), before + MAP_LIST_FILES_MAX - 1);
    assert_non_null(map_list_find("Further-7"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* in this order: the list of a process only grows */
        cmocka_unit_test(the_list_begins_with_the_maps_of_the_core),
        cmocka_unit_test(a_map_that_cannot_be_read_is_not_added),
        cmocka_unit_test(a_name_is_taken_once_also_by_its_short_form),
        cmocka_unit_test(there_is_room_for_eight_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
