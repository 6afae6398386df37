#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock_floor.h"

#include "folder_kit_test.h"
#include "core/reading.h"
#include "wall_clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

static const int64_t year_1970_s = 100, year_2099_s = 4070908800;

static struct clock_floor clock_floor;

static int make_test_folder(void **unused)
{
    (void)unused;
    return make_folder_for("clock_floor_test", false) ? 0 : -1;
}

static int remove_test_folder(void **unused)
{
    (void)unused;
    (void)atomic_file_remove(folder, "clock");
    return rmdir(folder);
}

/* So many seconds after the build. */
static int64_t built(int64_t s)
{
    return wall_clock_build_s() + s;
}

static void restart(void)
{
    memset(&clock_floor, 0xA5, sizeof clock_floor);
    clock_floor_load(&clock_floor, folder);
}

static void put(const char *text, size_t length)
{
    assert_true(atomic_file_write(folder, "clock", text, length));
}

static void put_time(int64_t utc_s)
{
    assert_true(clock_floor_save(folder, utc_s));
}

static void assert_now(int64_t wall_s, int64_t expected)
{
    assert_int_equal(clock_floor_now(&clock_floor, wall_s), expected);
}

/* --- the lower bound -------------------------------------------------------------------------- */

static void a_fresh_box_begins_with_the_build(void **unused)
{
    (void)unused;
    restart();
    assert_now(READING_NO_TIME, built(0));
    assert_now(built(5), built(5));
    assert_int_equal(clock_floor_due(&clock_floor), READING_NO_TIME);
}

static void the_time_kept_is_a_lower_bound(void **unused)
{
    (void)unused;
    put_time(built(100 * DAY_S));
    restart();
    assert_now(READING_NO_TIME, built(100 * DAY_S));
    assert_now(built(99 * DAY_S), built(100 * DAY_S));
    assert_now(built(101 * DAY_S), built(101 * DAY_S));
}

static void a_time_kept_before_the_build_is_old_and_the_build_counts(void **unused)
{
    (void)unused;
    put_time(built(-100 * DAY_S));
    restart();
    assert_now(READING_NO_TIME, built(0));
}

static void a_meter_tells_the_time_while_nothing_better_does(void **unused)
{
    (void)unused;
    put_time(built(10 * DAY_S));
    restart();
    clock_floor_note_meter(&clock_floor, built(20 * DAY_S));
    assert_now(READING_NO_TIME, built(20 * DAY_S));
    assert_now(built(15 * DAY_S), built(15 * DAY_S));
    clock_floor_note_meter(&clock_floor, built(5 * DAY_S));
    assert_now(READING_NO_TIME, built(10 * DAY_S));
    clock_floor_note_meter(&clock_floor, READING_NO_TIME);
    assert_now(READING_NO_TIME, built(10 * DAY_S));
}

static void a_meter_whose_clock_is_put_right_is_believed_anew(void **unused)
{
    (void)unused;
    restart();
    clock_floor_note_meter(&clock_floor, built(3000 * DAY_S));
    clock_floor_note_meter(&clock_floor, built(3 * DAY_S));
    assert_now(READING_NO_TIME, built(3 * DAY_S));
}

static void a_meter_in_2099_spoils_nothing(void **unused)
{
    (void)unused;
    restart();
    clock_floor_note_meter(&clock_floor, year_2099_s);
    assert_now(READING_NO_TIME, built(0));
    clock_floor_note_meter(&clock_floor, INT64_MAX);
    assert_now(READING_NO_TIME, built(0));
    clock_floor_note_meter(&clock_floor, INT64_MIN);
    assert_now(READING_NO_TIME, built(0));
}

static void what_a_meter_says_is_never_kept(void **unused)
{
    (void)unused;
    restart();
    clock_floor_note_meter(&clock_floor, built(3000 * DAY_S));
    assert_int_equal(clock_floor_due(&clock_floor), READING_NO_TIME);
    clock_floor_note_clock(&clock_floor, built(2 * DAY_S), false);
    assert_int_equal(clock_floor_due(&clock_floor), built(2 * DAY_S));
}

static void the_systems_clock_raises_the_bound_and_does_not_lower_it(void **unused)
{
    (void)unused;
    restart();
    clock_floor_note_clock(&clock_floor, built(10 * DAY_S), false);
    clock_floor_note_clock(&clock_floor, built(5 * DAY_S), false);
    clock_floor_note_clock(&clock_floor, READING_NO_TIME, false);
    clock_floor_note_clock(&clock_floor, year_1970_s, true);
    assert_now(built(7 * DAY_S), built(10 * DAY_S));
    assert_now(READING_NO_TIME, built(10 * DAY_S));
}

static void a_time_server_has_the_last_word(void **unused)
{
    (void)unused;
    put_time(built(3000 * DAY_S)); /* the clock was wrong then */
    restart();
    clock_floor_note_clock(&clock_floor, built(5 * DAY_S), true);
    assert_now(built(5 * DAY_S + 1), built(5 * DAY_S + 1));
    assert_int_equal(clock_floor_due(&clock_floor), built(5 * DAY_S));
}

static void what_lies_twenty_years_ahead_is_not_believed(void **unused)
{
    (void)unused;
    restart();
    clock_floor_note_clock(&clock_floor, built(CLOCK_FLOOR_AHEAD_S) + 1, false);
    clock_floor_note_clock(&clock_floor, year_2099_s, true);
    clock_floor_note_clock(&clock_floor, INT64_MAX, true);
    assert_now(READING_NO_TIME, built(0));
    assert_int_equal(clock_floor_due(&clock_floor), READING_NO_TIME);
    clock_floor_note_clock(&clock_floor, built(CLOCK_FLOOR_AHEAD_S), false);
    assert_now(READING_NO_TIME, built(CLOCK_FLOOR_AHEAD_S));
}

/* --- the file --------------------------------------------------------------------------------- */

static void what_is_kept_is_a_day_old_at_most(void **unused)
{
    int writes = 0;
    (void)unused;
    restart();
    for (int64_t hour = 0; hour <= 30 * 24; hour++) {
        clock_floor_note_clock(&clock_floor, built(hour * HOUR_S), true);
        int64_t due_s = clock_floor_due(&clock_floor);
        if (due_s == READING_NO_TIME)
            continue;
        put_time(due_s);
        clock_floor_saved(&clock_floor, due_s);
        writes++;
    }
    assert_int_equal(writes, 30);
    restart();
    assert_now(READING_NO_TIME, built(30 * DAY_S));
}

static void a_box_that_starts_again_and_again_writes_once_a_day(void **unused)
{
    (void)unused;
    put_time(built(10 * DAY_S));
    for (int64_t minute = 0; minute < 24 * 60; minute++) {
        restart();
        clock_floor_note_clock(&clock_floor, built(10 * DAY_S + 60 * minute), false);
        assert_int_equal(clock_floor_due(&clock_floor), READING_NO_TIME);
    }
    restart();
    clock_floor_note_clock(&clock_floor, built(11 * DAY_S), false);
    assert_int_equal(clock_floor_due(&clock_floor), built(11 * DAY_S));
}

static void what_could_not_be_kept_stays_due(void **unused)
{
    (void)unused;
    restart();
    clock_floor_note_clock(&clock_floor, built(DAY_S), false);
    assert_false(clock_floor_save("/nowhere/at/all", clock_floor_due(&clock_floor)));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(clock_floor_due(&clock_floor), built(DAY_S));
}

static void without_a_state_folder_nothing_is_kept(void **unused)
{
    (void)unused;
    clock_floor_load(&clock_floor, "");
    assert_now(READING_NO_TIME, built(0));
    clock_floor_note_clock(&clock_floor, built(100 * DAY_S), true);
    assert_int_equal(clock_floor_due(&clock_floor), READING_NO_TIME);
    assert_now(READING_NO_TIME, built(100 * DAY_S));
}

static void the_file_is_digits_and_a_line_feed(void **unused)
{
    char expected[32];
    size_t length = 0;
    (void)unused;
    put_time(built(DAY_S));
    snprintf(expected, sizeof expected, "%" PRId64 "\n", built(DAY_S));
    char *text = atomic_file_read(folder, "clock", 100, &length);
    assert_non_null(text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
    free(text);
}

static void a_damaged_file_is_not_counted(void **unused)
{
    static const struct {
        const char *text;
        size_t length;
    } damaged[] = {
#define BYTES(text) {text, sizeof(text) - 1}
        BYTES(""),
        BYTES("\n"),
        BYTES("2200000000"),
        BYTES("2200000000\n\n"),
        BYTES("2200000000\r\n"),
        BYTES(" 2200000000\n"),
        BYTES("+2200000000\n"),
        BYTES("-2200000000\n"),
        BYTES("2200000000.5\n"),
        BYTES("0x83215600\n"),
        BYTES("2200000000\n\0"),
        BYTES("22000\0"
              "00000\n"),
        BYTES("4070908800\n"),
        BYTES("2200000000000\n"),
        BYTES("9223372036854775807\n"),
        BYTES("99999999999999999999999999999\n"),
        BYTES("2200000000\n2200000000\n2200000000\n2200000000\n"),
#undef BYTES
    };
    (void)unused;
    put("2200000000\n", 11); /* 2039: the one that is whole */
    restart();
    assert_now(READING_NO_TIME, 2200000000);
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        put(damaged[i].text, damaged[i].length);
        restart();
        assert_now(READING_NO_TIME, built(0));
    }
}

static void a_folder_in_place_of_the_file_is_not_counted(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of("clock"), 0700), 0);
    restart();
    assert_now(READING_NO_TIME, built(0));
    assert_int_equal(rmdir(path_of("clock")), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_fresh_box_begins_with_the_build),
        IN_FOLDER(the_time_kept_is_a_lower_bound),
        IN_FOLDER(a_time_kept_before_the_build_is_old_and_the_build_counts),
        IN_FOLDER(a_meter_tells_the_time_while_nothing_better_does),
        IN_FOLDER(a_meter_whose_clock_is_put_right_is_believed_anew),
        IN_FOLDER(a_meter_in_2099_spoils_nothing),
        IN_FOLDER(what_a_meter_says_is_never_kept),
        IN_FOLDER(the_systems_clock_raises_the_bound_and_does_not_lower_it),
        IN_FOLDER(a_time_server_has_the_last_word),
        IN_FOLDER(what_lies_twenty_years_ahead_is_not_believed),
        IN_FOLDER(what_is_kept_is_a_day_old_at_most),
        IN_FOLDER(a_box_that_starts_again_and_again_writes_once_a_day),
        IN_FOLDER(what_could_not_be_kept_stays_due),
        IN_FOLDER(without_a_state_folder_nothing_is_kept),
        IN_FOLDER(the_file_is_digits_and_a_line_feed),
        IN_FOLDER(a_damaged_file_is_not_counted),
        IN_FOLDER(a_folder_in_place_of_the_file_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
