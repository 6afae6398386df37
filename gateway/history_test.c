#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INTERVAL_MS = HISTORY_INTERVAL_S * 1000, NOTHING = INT32_MIN };

static struct history history;
static char json[HISTORY_JSON_MAX];

static int start_anew(void **unused)
{
    (void)unused;
    history_init(&history);
    return 0;
}

static void add(int64_t power_w, int64_t now_ms)
{
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_POWER, power_w);
    history_add(&history, &r, now_ms);
}

static void write_json(int64_t now_ms, int64_t end_s)
{
    struct text_out out;
    text_init(&out, json, sizeof json);
    history_write(&history, &out, now_ms, end_s);
    assert_false(out.overflow);
    assert_int_equal(out.length, strlen(json));
}

/* Reads the numbers of a series back; NOTHING for null. */
static void read_series(const char *name, int64_t now_ms, int64_t points[static HISTORY_POINTS])
{
    char key[32];
    write_json(now_ms, 1790000000);
    snprintf(key, sizeof key, "\"%s\":[", name);
    char *p = strstr(json, key);
    assert_non_null(p);
    p += strlen(key);
    for (int i = 0; i < HISTORY_POINTS; i++) {
        points[i] = NOTHING;
        if (strncmp(p, "null", 4) == 0)
            p += 4;
        else
            points[i] = strtoll(p, &p, 10);
        assert_int_equal(*p++, i == HISTORY_POINTS - 1 ? ']' : ',');
    }
}

/* The newest points of the total are these, oldest first, and all before them unknown. */
static void assert_newest(int64_t now_ms, int n, const int64_t *expected)
{
    int64_t points[HISTORY_POINTS];
    read_series("power_w", now_ms, points);
    for (int i = 0; i < HISTORY_POINTS - n; i++)
        assert_int_equal(points[i], NOTHING);
    for (int i = 0; i < n; i++)
        assert_int_equal(points[HISTORY_POINTS - n + i], expected[i]);
}

static void nothing_is_known_at_first(void **unused)
{
    (void)unused;
    assert_newest(0, 0, NULL);
    assert_newest(INT64_C(1000000000000), 0, NULL);
}

static void the_text_has_the_form_that_was_agreed(void **unused)
{
    (void)unused;
    write_json(0, 1790000000);
    assert_memory_equal(json, "{\"interval\":5,\"end_ts\":1790000000,\"power_w\":[null,null,", 55);
    assert_non_null(strstr(json, "null],\"power_l1_w\":[null"));
    assert_non_null(strstr(json, "null],\"power_l2_w\":[null"));
    assert_non_null(strstr(json, "null],\"power_l3_w\":[null"));
    assert_string_equal(json + strlen(json) - 7, ",null]}");
    write_json(0, READING_NO_TIME);
    assert_memory_equal(json, "{\"interval\":5,\"end_ts\":null,\"power_w\":[", 39);
}

static void a_point_is_the_mean_of_its_interval(void **unused)
{
    (void)unused;
    add(100, 0);
    add(200, 4999);
    add(1000, 5000);
    assert_newest(5000, 2, (int64_t[]){150, 1000});
    add(3000, 9999);
    assert_newest(9999, 2, (int64_t[]){150, 2000});
}

static void assert_mean(int64_t a, int64_t b, int64_t c, int64_t expected)
{
    history_init(&history);
    add(a, 0);
    add(b, 1);
    add(c, 2);
    assert_newest(2, 1, &expected);
    add(7, INTERVAL_MS); /* open or closed, it is the same */
    assert_newest(INTERVAL_MS, 2, (int64_t[]){expected, 7});
}

static void means_are_rounded_to_the_nearest(void **unused)
{
    (void)unused;
    assert_mean(0, 0, 1, 0);
    assert_mean(0, 1, 1, 1);
    assert_mean(0, 0, -1, 0);
    assert_mean(0, -1, -1, -1);
    assert_mean(-5, -5, -6, -5);
    assert_mean(-5, -6, -6, -6);
    assert_mean(-100, 50, 50, 0);
    history_init(&history);
    add(10, 0);
    add(11, 0);
    assert_newest(0, 1, (int64_t[]){11});
    history_init(&history);
    add(-10, 0);
    add(-11, 0);
    assert_newest(0, 1, (int64_t[]){-11});
}

static void intervals_without_a_reading_are_unknown(void **unused)
{
    (void)unused;
    add(1, 0);
    add(2, 3 * INTERVAL_MS);
    assert_newest(3 * INTERVAL_MS, 4, (int64_t[]){1, NOTHING, NOTHING, 2});
    assert_newest(5 * INTERVAL_MS, 6, (int64_t[]){1, NOTHING, NOTHING, 2, NOTHING, NOTHING});
}

static void an_unknown_power_adds_nothing(void **unused)
{
    struct reading r;
    int64_t points[HISTORY_POINTS];
    (void)unused;
    reading_clear(&r);
    reading_set(&r, Q_POWER_L2, -40);
    history_add(&history, &r, 0);
    add(100, 1);
    assert_newest(1, 1, (int64_t[]){100});
    read_series("power_l1_w", 1, points);
    assert_int_equal(points[HISTORY_POINTS - 1], NOTHING);
    read_series("power_l2_w", 1, points);
    assert_int_equal(points[HISTORY_POINTS - 1], -40);
    read_series("power_l3_w", 1, points);
    assert_int_equal(points[HISTORY_POINTS - 1], NOTHING);
}

static void after_an_hour_the_oldest_goes(void **unused)
{
    int64_t points[HISTORY_POINTS];
    const int n = 3 * HISTORY_POINTS + 100;
    (void)unused;
    for (int i = 0; i < n; i++)
        add(i, (int64_t)i * INTERVAL_MS);
    read_series("power_w", (int64_t)(n - 1) * INTERVAL_MS, points);
    for (int i = 0; i < HISTORY_POINTS; i++)
        assert_int_equal(points[i], n - HISTORY_POINTS + i);
}

/* After a gap of any length, and seen after any time, no point stands at another one's place. */
static void gaps_of_any_length_stay_gaps(void **unused)
{
    static const int lengths[] = {1, 2, 718, 719, 720, 721, 722, 1439, 1440, 1441, 100000};
    int64_t points[HISTORY_POINTS];
    (void)unused;
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        const int first = 1000, gap = lengths[k];
        history_init(&history);
        for (int i = 0; i <= first; i++)
            add(i, (int64_t)i * INTERVAL_MS);
        for (int seen = 0; seen < 2; seen++) { /* before and after the reading that ends the gap */
            read_series("power_w", (int64_t)(first + gap) * INTERVAL_MS, points);
            for (int i = 0; i < HISTORY_POINTS; i++) {
                int interval = first + gap - HISTORY_POINTS + 1 + i;
                int64_t expected = interval <= first ? interval : NOTHING;
                if (seen && i == HISTORY_POINTS - 1)
                    expected = -1;
                assert_int_equal(points[i], expected);
            }
            add(-1, (int64_t)(first + gap) * INTERVAL_MS);
        }
    }
}

static void a_clock_that_goes_back_stands_still(void **unused)
{
    (void)unused;
    add(100, 2 * INTERVAL_MS);
    add(300, INTERVAL_MS);
    assert_newest(INTERVAL_MS, 1, (int64_t[]){200});
    assert_newest(2 * INTERVAL_MS, 1, (int64_t[]){200});
}

static void rubbish_is_cut_to_what_fits(void **unused)
{
    (void)unused;
    add(INT64_MAX, 0);
    add(INT64_MAX, 1);
    add(INT64_MIN, INTERVAL_MS);
    add(INT64_MIN, INTERVAL_MS);
    add(INT32_MIN, 2 * INTERVAL_MS);
    assert_newest(2 * INTERVAL_MS, 3, (int64_t[]){INT32_MAX, -INT32_MAX, -INT32_MAX});
}

static void the_longest_text_fits(void **unused)
{
    struct reading r;
    (void)unused;
    reading_clear(&r);
    for (int q = 0; q < Q_N; q++)
        reading_set(&r, (enum quantity)q, INT64_MIN);
    for (int i = 0; i < HISTORY_POINTS; i++)
        history_add(&history, &r, (int64_t)i * INTERVAL_MS);
    write_json((HISTORY_POINTS - 1) * INTERVAL_MS, INT64_MIN);
    assert_true(strlen(json) > HISTORY_SERIES * HISTORY_POINTS * sizeof "-2147483647" - 10);
    assert_true(strlen(json) < HISTORY_JSON_MAX);
}

#define ANEW(test) cmocka_unit_test_setup(test, start_anew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ANEW(nothing_is_known_at_first),
        ANEW(the_text_has_the_form_that_was_agreed),
        ANEW(a_point_is_the_mean_of_its_interval),
        ANEW(means_are_rounded_to_the_nearest),
        ANEW(intervals_without_a_reading_are_unknown),
        ANEW(an_unknown_power_adds_nothing),
        ANEW(after_an_hour_the_oldest_goes),
        ANEW(gaps_of_any_length_stay_gaps),
        ANEW(a_clock_that_goes_back_stands_still),
        ANEW(rubbish_is_cut_to_what_fits),
        ANEW(the_longest_text_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
