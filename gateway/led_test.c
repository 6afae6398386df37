/* led.c against SPEC 9, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "led.h"

#include <string.h>

enum { FACTS = 32, PERIOD_MS = 1000 };

/* Bit 0 of n is the first. */
static struct led_facts facts_of(int n)
{
    return (struct led_facts){.booting = n & 1,
                              .initialising = n >> 1 & 1,
                              .data = n >> 2 & 1,
                              .address = n >> 3 & 1,
                              .access_point = n >> 4 & 1};
}

static void the_state_follows_from_the_facts(void **unused)
{
    /* by access point, address, data */
    static const enum led_state wanted[] = {
        LED_NO_DATA_NO_IP,     LED_NO_IP,        LED_NO_METER_DATA,     LED_NORMAL,
        LED_ACCESS_POINT_DARK, LED_ACCESS_POINT, LED_ACCESS_POINT_DARK, LED_ACCESS_POINT,
    };
    (void)unused;
    for (int n = 0; n < FACTS; n++) {
        const struct led_facts f = facts_of(n);
        assert_int_equal(led_state_of(&f), f.booting        ? LED_BOOTING
                                           : f.initialising ? LED_INITIALISING
                                                            : wanted[n >> 2]);
    }
}

/* The table of the SPEC: a letter for each quarter of a second, over two periods of 1 Hz. */
static const struct {
    enum led_state state;
    const char *name, *color, *shows;
} rows[] = {
    {LED_BOOTING, "booting", "red", "RRRRRRRR"},
    {LED_INITIALISING, "initialising", "changing", "RYGCBMRY"},
    {LED_NORMAL, "normal", "green", "GGGGGGGG"},
    {LED_NO_METER_DATA, "no-meter-data", "red/green", "RRGGRRGG"},
    {LED_NO_IP, "no-ip-address", "green/orange", "GGOOGGOO"},
    {LED_NO_DATA_NO_IP, "no-data-and-no-ip", "red/orange", "RROORROO"},
    {LED_ACCESS_POINT, "access-point", "blue/off", "BB--BB--"},
    {LED_ACCESS_POINT_DARK, "access-point-no-data", "blue/red", "BBRRBBRR"},
};
enum { ROWS = sizeof rows / sizeof rows[0], QUARTER_MS = PERIOD_MS / 4 };

static char letter_of(struct led_color c)
{
    static const struct {
        char letter;
        struct led_color color;
    } letters[] = {
        {'-', {0, 0, 0}},     {'R', {255, 0, 0}},   {'G', {0, 255, 0}},   {'B', {0, 0, 255}},
        {'Y', {255, 255, 0}}, {'C', {0, 255, 255}}, {'M', {255, 0, 255}}, {'O', {255, 128, 0}},
    };
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (memcmp(&c, &letters[i].color, sizeof c) == 0)
            return letters[i].letter;
    return '?';
}

static void every_state_is_a_row(void **unused)
{
    (void)unused;
    assert_int_equal(ROWS, LED_STATES);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(rows[i].state, i);
        assert_string_equal(led_patterns[i].name, rows[i].name);
        assert_string_equal(led_patterns[i].color, rows[i].color);
        assert_in_range(led_patterns[i].steps, 1, LED_STEPS_MAX);
    }
}

static void each_millisecond_of_two_periods_has_its_colour(void **unused)
{
    (void)unused;
    for (int i = 0; i < ROWS; i++)
        for (int ms = 0; ms < 2 * PERIOD_MS; ms++)
            assert_int_equal(letter_of(led_color_at(rows[i].state, ms)),
                             rows[i].shows[ms / QUARTER_MS]);
}

/* At the time that is told the colour is another, and one before it is not. */
static void the_next_change_is_told_to_the_millisecond(void **unused)
{
    (void)unused;
    for (int i = 0; i < ROWS; i++) {
        enum led_state state = rows[i].state;
        for (int ms = 0; ms < 2 * PERIOD_MS; ms++) {
            int64_t change_ms = led_change_ms(state, ms);
            char now = letter_of(led_color_at(state, ms));
            if (!strchr(rows[i].color, '/') && state != LED_INITIALISING) {
                assert_int_equal(change_ms, -1);
                continue;
            }
            assert_in_range(change_ms, 1, PERIOD_MS / 2);
            assert_int_equal(letter_of(led_color_at(state, ms + change_ms - 1)), now);
            assert_int_not_equal(letter_of(led_color_at(state, ms + change_ms)), now);
        }
    }
}

static void a_pattern_goes_on_for_years(void **unused)
{
    const int64_t years_ms = INT64_C(20) * 365 * 24 * 3600 * 1000;
    (void)unused;
    for (int i = 0; i < ROWS; i++) {
        int64_t round_ms =
            led_patterns[i].step_ms ? (int64_t)led_patterns[i].step_ms * led_patterns[i].steps : 1;
        int64_t later_ms = years_ms - years_ms % round_ms;
        for (int ms = 0; ms < PERIOD_MS; ms += 50) {
            assert_int_equal(letter_of(led_color_at(rows[i].state, later_ms + ms)),
                             letter_of(led_color_at(rows[i].state, ms)));
            assert_int_equal(led_change_ms(rows[i].state, later_ms + ms),
                             led_change_ms(rows[i].state, ms));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_follows_from_the_facts),
        cmocka_unit_test(every_state_is_a_row),
        cmocka_unit_test(each_millisecond_of_two_periods_has_its_colour),
        cmocka_unit_test(the_next_change_is_told_to_the_millisecond),
        cmocka_unit_test(a_pattern_goes_on_for_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
