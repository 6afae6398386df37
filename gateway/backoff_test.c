#include "backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static void the_first_wait_is_one_to_four_seconds(void **state)
{
    struct backoff b;
    (void)state;
    for (uint32_t random = 0; random < 100000; random += 7) {
        backoff_init(&b, "0123456789AB");
        int64_t wait_ms = backoff_next_ms(&b, random);
        assert_in_range(wait_ms, b.floor_ms, 2 * b.floor_ms);
        assert_in_range(b.floor_ms, BACKOFF_MIN_MS, 2 * BACKOFF_MIN_MS - 1);
    }
}

static void waits_double_to_five_minutes_and_stay_there(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, "0123456789AB");
    int64_t limit_ms = 2 * b.floor_ms;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(b.limit_ms, limit_ms);
        assert_in_range(backoff_next_ms(&b, UINT32_MAX), b.floor_ms, limit_ms);
        limit_ms = limit_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : limit_ms * 2;
    }
    assert_int_equal(b.limit_ms, BACKOFF_MAX_MS);
}

static void a_wait_can_be_anything_in_its_range(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, "0123456789AB");
    for (int i = 0; i < 12; i++)
        (void)backoff_next_ms(&b, 0);
    uint32_t widest = (uint32_t)(BACKOFF_MAX_MS - b.floor_ms);
    assert_int_equal(backoff_next_ms(&b, 0), b.floor_ms);
    assert_int_equal(backoff_next_ms(&b, widest), BACKOFF_MAX_MS);
    assert_int_equal(backoff_next_ms(&b, widest + 1), b.floor_ms);
}

static void success_makes_the_next_wait_short(void **state)
{
    struct backoff b;
    (void)state;
    backoff_init(&b, "0123456789AB");
    for (int i = 0; i < 12; i++)
        (void)backoff_next_ms(&b, 0);
    backoff_reset(&b);
    assert_int_equal(b.limit_ms, 2 * b.floor_ms);
}

/* Ten thousand boxes of one batch: their floors fill the second evenly. */
static void floors_of_neighbouring_serials_are_spread(void **state)
{
    int in_tenth[10] = {0};
    (void)state;
    for (int i = 0; i < 10000; i++) {
        char serial[13];
        struct backoff b;
        snprintf(serial, sizeof serial, "02FC0000%04X", (unsigned)i);
        backoff_init(&b, serial);
        in_tenth[(b.floor_ms - BACKOFF_MIN_MS) / 100]++;
    }
    for (int i = 0; i < 10; i++)
        assert_in_range(in_tenth[i], 800, 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_wait_is_one_to_four_seconds),
        cmocka_unit_test(waits_double_to_five_minutes_and_stay_there),
        cmocka_unit_test(a_wait_can_be_anything_in_its_range),
        cmocka_unit_test(success_makes_the_next_wait_short),
        cmocka_unit_test(floors_of_neighbouring_serials_are_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
