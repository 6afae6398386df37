#include "ring.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

enum { UNTOUCHED = 0xA5 };

/* What lies behind a ring must stay as it is. */
struct fixture {
    struct ring ring;
    uint8_t behind;
};

static struct ring *fresh(struct fixture *f, uint32_t count)
{
    memset(f, UNTOUCHED, sizeof *f);
    f->ring.put = f->ring.taken = count;
    return &f->ring;
}

static void put(struct ring *r, unsigned from, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        assert_true(ring_put(r, (uint8_t)(from + i)));
}

/* Taking up to `max` bytes gives n, which count up. */
static void expect_taken(struct ring *r, size_t max, unsigned from, unsigned n)
{
    uint8_t bytes[RING_BYTES + 1];
    assert_int_equal(ring_take(r, bytes, max), n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(bytes[i], (uint8_t)(from + i));
}

static void test_bytes_come_out_in_order(void **state)
{
    (void)state;
    struct fixture f;
    struct ring *r = fresh(&f, 0);
    expect_taken(r, RING_BYTES, 0, 0);
    put(r, 1, 3);
    expect_taken(r, 2, 1, 2);
    put(r, 4, 2);
    expect_taken(r, RING_BYTES, 3, 3);
    expect_taken(r, RING_BYTES, 0, 0);
}

static void test_a_full_ring_loses_the_newest(void **state)
{
    (void)state;
    struct fixture f;
    struct ring *r = fresh(&f, 0);
    put(r, 0, RING_BYTES);
    assert_false(ring_put(r, 255));
    expect_taken(r, 1, 0, 1);
    put(r, RING_BYTES, 1);
    assert_false(ring_put(r, 255));
    expect_taken(r, RING_BYTES + 1, 1, RING_BYTES);
    assert_int_equal(f.behind, UNTOUCHED);
}

/* Every fill, at every place, over the wrap of the counts. */
static void test_counts_wrap(void **state)
{
    (void)state;
    for (uint32_t back = 0; back <= 2 * RING_BYTES; back++)
        for (unsigned n = 0; n <= RING_BYTES; n++) {
            struct fixture f;
            struct ring *r = fresh(&f, 0 - back);
            put(r, back, n);
            if (n == RING_BYTES)
                assert_false(ring_put(r, 255));
            expect_taken(r, RING_BYTES, back, n);
            expect_taken(r, RING_BYTES, 0, 0);
            assert_int_equal(f.behind, UNTOUCHED);
        }
}

static void test_what_is_dropped_is_gone(void **state)
{
    (void)state;
    struct fixture f;
    struct ring *r = fresh(&f, UINT32_MAX - 5);
    put(r, 0, RING_BYTES);
    ring_clear(r);
    expect_taken(r, RING_BYTES, 0, 0);
    put(r, 7, 1);
    expect_taken(r, RING_BYTES, 7, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_come_out_in_order),
        cmocka_unit_test(test_a_full_ring_loses_the_newest),
        cmocka_unit_test(test_counts_wrap),
        cmocka_unit_test(test_what_is_dropped_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
