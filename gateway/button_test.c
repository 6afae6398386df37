/* button.c against SPEC 9, row by row, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "button.h"

#include <string.h>

enum { START_MS = 1000000, HOUR_MS = 3600000, BEYOND_MS = 1000 };

static struct button button;
static int64_t now;

/* What was told since the last look, a letter each: s, h, l. */
static char told[32];
static int64_t told_ms; /* when the latest was */

static int start_up(void **unused)
{
    (void)unused;
    now = START_MS;
    told[0] = 0;
    told_ms = -1;
    button_init(&button, false, now);
    return 0;
}

static void step(void)
{
    enum button_event event;
    while ((event = button_step(&button, now)) != BUTTON_NOTHING) {
        size_t n = strlen(told);
        assert_true(n + 1 < sizeof told);
        told[n] = "-shl"[event];
        told[n + 1] = 0;
        told_ms = now;
    }
}

/* As the panel does: sleeps until something is due. */
static void wait_ms(int64_t ms)
{
    int64_t end = now + ms, due;
    while ((due = button_due_ms(&button, now)) >= 0 && now + due <= end) {
        now += due;
        step();
        assert_true(button_due_ms(&button, now) != 0);
    }
    now = end;
}

static void set(bool down)
{
    button_set(&button, down, now);
    step();
}

static void assert_told(const char *letters)
{
    assert_string_equal(told, letters);
    told[0] = 0;
}

/* Down for `ms`, then up for long enough to be sure. */
static void press(int64_t ms)
{
    set(true);
    wait_ms(ms);
    set(false);
    wait_ms(BEYOND_MS);
}

/* --- the rows --------------------------------------------------------------------------------- */

static void each_length_of_a_press_means_what_the_manual_says(void **unused)
{
    static const struct {
        int64_t ms;
        const char *means;
    } rows[] = {
        {1, ""},     {29, ""},      {30, "s"},     {200, "s"},      {1999, "s"},
        {2000, ""},  {3000, ""},    {4999, ""},    {5000, "h"},     {7000, "h"},
        {9999, "h"}, {10000, "hl"}, {60000, "hl"}, {HOUR_MS, "hl"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        press(rows[i].ms);
        assert_told(rows[i].means);
        assert_false(button.down);
        assert_int_equal(button_due_ms(&button, now), -1);
    }
}

static void held_and_long_are_told_at_their_time_and_not_at_the_release(void **unused)
{
    (void)unused;
    set(true);
    wait_ms(BUTTON_HELD_MS - 1);
    assert_told("");
    wait_ms(1);
    assert_told("h");
    assert_int_equal(told_ms, START_MS + 5000);
    wait_ms(BUTTON_LONG_MS - BUTTON_HELD_MS - 1);
    assert_told("");
    wait_ms(1);
    assert_told("l");
    assert_int_equal(told_ms, START_MS + 10000);
}

static void nothing_more_is_told_until_the_release_nor_at_it(void **unused)
{
    (void)unused;
    set(true);
    wait_ms(BUTTON_LONG_MS);
    assert_told("hl");
    assert_int_equal(button_due_ms(&button, now), -1);
    wait_ms(HOUR_MS);
    set(false);
    wait_ms(BEYOND_MS);
    assert_told("");
    press(100);
    assert_told("s");
}

static void a_short_press_is_told_when_the_release_is_sure(void **unused)
{
    (void)unused;
    set(true);
    wait_ms(500);
    set(false);
    assert_told("");
    assert_int_equal(button_due_ms(&button, now), BUTTON_BOUNCE_MS);
    wait_ms(BEYOND_MS);
    assert_told("s");
    assert_int_equal(told_ms, START_MS + 500 + BUTTON_BOUNCE_MS);
}

static void presses_after_each_other_are_each_told(void **unused)
{
    (void)unused;
    for (int i = 0; i < 5; i++) {
        set(true);
        wait_ms(BUTTON_BOUNCE_MS);
        set(false);
        wait_ms(BUTTON_BOUNCE_MS);
    }
    assert_told("sssss");
}

/* --- bouncing --------------------------------------------------------------------------------- */

/* Edges each few milliseconds, that end at the other level. */
static void bounce_to(bool down)
{
    for (int i = 0; i < 7; i++) {
        set(i % 2 ? !down : down);
        wait_ms(1 + 4 * i);
    }
    assert_int_equal(button.raw, down);
}

static void a_press_that_bounces_is_one(void **unused)
{
    (void)unused;
    bounce_to(true);
    wait_ms(300);
    assert_true(button.down);
    bounce_to(false);
    wait_ms(BEYOND_MS);
    assert_false(button.down);
    assert_told("s");
}

static void the_level_counts_from_the_edge_after_which_it_stayed(void **unused)
{
    (void)unused;
    set(true);
    wait_ms(20);
    set(false);
    wait_ms(20);
    set(true); /* 40 ms after the first edge */
    wait_ms(BUTTON_BOUNCE_MS - 1);
    assert_false(button.down);
    wait_ms(1);
    assert_true(button.down);
    wait_ms(BUTTON_HELD_MS - BUTTON_BOUNCE_MS);
    assert_told("h");
    assert_int_equal(told_ms, START_MS + 40 + BUTTON_HELD_MS);
}

/* As an open line that picks up the mains does, for an hour. */
static void a_line_that_never_rests_is_no_press(void **unused)
{
    (void)unused;
    for (int64_t end = now + HOUR_MS; now < end; wait_ms(10))
        set(!button.raw);
    assert_told("");
    set(false);
    wait_ms(BEYOND_MS);
    press(100);
    assert_told("s");
}

static void a_contact_that_opens_for_a_moment_is_still_held(void **unused)
{
    static const int64_t at_ms[] = {100, 4990, 9990};
    (void)unused;
    for (size_t i = 0; i < sizeof at_ms / sizeof at_ms[0]; i++) {
        start_up(NULL);
        set(true);
        wait_ms(at_ms[i]);
        set(false);
        wait_ms(BUTTON_BOUNCE_MS - 1);
        set(true);
        wait_ms(BUTTON_LONG_MS);
        assert_told("hl");
    }
}

static void nothing_is_told_while_the_contact_is_open(void **unused)
{
    (void)unused;
    set(true);
    wait_ms(BUTTON_HELD_MS - 10);
    set(false);
    wait_ms(20);
    assert_told("");
    set(true);
    assert_told("h");
}

static void a_level_told_again_and_again_is_no_edge(void **unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++, wait_ms(10))
        set(true);
    for (int i = 0; i < 100; i++, wait_ms(10))
        set(false);
    assert_told("s");
}

/* --- the start -------------------------------------------------------------------------------- */

static void a_button_that_is_down_at_start_means_nothing_until_it_was_up(void **unused)
{
    static const int64_t held_ms[] = {100, 3000, 6000, HOUR_MS};
    (void)unused;
    for (size_t i = 0; i < sizeof held_ms / sizeof held_ms[0]; i++) {
        button_init(&button, true, now);
        assert_true(button.down);
        assert_int_equal(button_due_ms(&button, now), -1);
        wait_ms(held_ms[i]);
        set(false);
        wait_ms(BEYOND_MS);
        assert_told("");
        press(BUTTON_LONG_MS);
        assert_told("hl");
    }
}

static void a_stuck_button_that_opens_for_a_moment_stays_stuck(void **unused)
{
    (void)unused;
    button_init(&button, true, now);
    set(false);
    wait_ms(BUTTON_BOUNCE_MS - 1);
    set(true);
    wait_ms(HOUR_MS);
    assert_told("");
}

/* --- the clock -------------------------------------------------------------------------------- */

static void a_late_step_still_counts(void **unused)
{
    (void)unused;
    set(true);
    now += BUTTON_BOUNCE_MS;
    step();
    now += BUTTON_HELD_MS - BUTTON_BOUNCE_MS + BUTTON_LATE_MS;
    step();
    assert_told("h");
    now = START_MS + BUTTON_LONG_MS + BUTTON_LATE_MS;
    step();
    assert_told("l");
}

/* Who was asleep has not seen that the button was held. */
static void a_jump_while_it_is_down_means_nothing_until_it_was_up(void **unused)
{
    static const int64_t before_ms[] = {0, 100, 4999, 5000, 9999};
    (void)unused;
    for (size_t i = 0; i < sizeof before_ms / sizeof before_ms[0]; i++) {
        start_up(NULL);
        set(true);
        wait_ms(before_ms[i]);
        assert_told(before_ms[i] >= BUTTON_HELD_MS ? "h" : "");
        now += HOUR_MS;
        step();
        wait_ms(HOUR_MS);
        set(false);
        wait_ms(BEYOND_MS);
        assert_told("");
        press(100);
        assert_told("s");
    }
}

static void a_jump_while_it_is_up_or_after_the_reset_means_nothing(void **unused)
{
    (void)unused;
    now += HOUR_MS;
    step();
    assert_told("");
    set(true);
    wait_ms(BUTTON_LONG_MS);
    assert_told("hl");
    now += HOUR_MS;
    step();
    assert_told("");
}

/* The loop was late: press and release came at the same time, or the release after all times were over. */
static void a_release_that_is_heard_late_is_no_hold(void **unused)
{
    (void)unused;
    button_set(&button, true, now);
    button_set(&button, false, now);
    step();
    wait_ms(BEYOND_MS);
    assert_told("");
    set(true);
    wait_ms(100);
    now += HOUR_MS;
    set(false);
    wait_ms(BEYOND_MS);
    assert_told("");
}

static void names_are_those_of_the_api(void **unused)
{
    (void)unused;
    assert_string_equal(button_event_names[BUTTON_NOTHING], "");
    assert_string_equal(button_event_names[BUTTON_SHORT], "soft-reset");
    assert_string_equal(button_event_names[BUTTON_HELD], "access-point");
    assert_string_equal(button_event_names[BUTTON_LONG], "factory-reset");
}

#define TEST(name) cmocka_unit_test_setup(name, start_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_length_of_a_press_means_what_the_manual_says),
        TEST(held_and_long_are_told_at_their_time_and_not_at_the_release),
        TEST(nothing_more_is_told_until_the_release_nor_at_it),
        TEST(a_short_press_is_told_when_the_release_is_sure),
        TEST(presses_after_each_other_are_each_told),
        TEST(a_press_that_bounces_is_one),
        TEST(the_level_counts_from_the_edge_after_which_it_stayed),
        TEST(a_line_that_never_rests_is_no_press),
        TEST(a_contact_that_opens_for_a_moment_is_still_held),
        TEST(nothing_is_told_while_the_contact_is_open),
        TEST(a_level_told_again_and_again_is_no_edge),
        TEST(a_button_that_is_down_at_start_means_nothing_until_it_was_up),
        TEST(a_stuck_button_that_opens_for_a_moment_stays_stuck),
        TEST(a_late_step_still_counts),
        TEST(a_jump_while_it_is_down_means_nothing_until_it_was_up),
        TEST(a_jump_while_it_is_up_or_after_the_reset_means_nothing),
        TEST(a_release_that_is_heard_late_is_no_hold),
        TEST(names_are_those_of_the_api),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
