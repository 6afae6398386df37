#include "uarts.h"

#include "cortexm.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static int64_t now_us;

/* The clock of cortexm.h. */
int64_t clock_us(void)
{
    return now_us;
}

/* What came is what uart_read() gives, up to an empty ring. */
static void expect_heard(enum board_uart uart, const char *expected, int64_t expected_us)
{
    uint8_t bytes[512];
    int64_t at_us;
    size_t n = uart_read(uart, bytes, sizeof bytes, &at_us);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(bytes, expected, n);
    if (n)
        assert_int_equal(at_us, expected_us);
}

static void hear(enum board_uart uart, const char *bytes, int64_t at_us)
{
    now_us = at_us;
    for (; *bytes; bytes++)
        uart_heard(uart, (uint8_t)*bytes);
}

static void test_bytes_are_heard_with_the_time_of_the_last(void **state)
{
    (void)state;
    hear(UART_RS485, "ab", 1000);
    hear(UART_P1, "/XYZ", 1500);
    hear(UART_RS485, "c", 2000);
    now_us = 9000;
    assert_true(uart_has_heard());
    expect_heard(UART_RS485, "abc", 2000);
    assert_true(uart_has_heard());
    expect_heard(UART_P1, "/XYZ", 1500);
    assert_false(uart_has_heard());
    expect_heard(UART_P1, "", 0);
}

/* Interrupts keep 32 bits of the time. */
static void test_the_time_is_whole_after_the_first_hour(void **state)
{
    (void)state;
    const int64_t wrap_us = (int64_t)1 << 32;
    const int64_t heard_us[] = {wrap_us - 1, wrap_us, 5 * wrap_us - 300, 5 * wrap_us + 300};
    for (size_t i = 0; i < sizeof heard_us / sizeof heard_us[0]; i++) {
        hear(UART_P1, "x", heard_us[i]);
        now_us += 500;
        expect_heard(UART_P1, "x", heard_us[i]);
    }
}

static void test_what_is_lost_or_damaged_is_told_once(void **state)
{
    (void)state;
    uint8_t bytes[512];
    int64_t at_us;
    assert_int_equal(uart_errors(UART_RS485), 0);
    uart_heard_badly(UART_RS485);
    uart_heard_badly(UART_RS485);
    assert_int_equal(uart_errors(UART_RS485), 2);
    assert_int_equal(uart_errors(UART_RS485), 0);
    for (unsigned i = 0; i < 258; i++)
        uart_heard(UART_RS485, (uint8_t)i);
    assert_int_equal(uart_read(UART_RS485, bytes, sizeof bytes, &at_us), 256);
    assert_int_equal(bytes[255], 255);
    assert_int_equal(uart_errors(UART_RS485), 2);
    assert_int_equal(uart_errors(UART_P1), 0);
}

static void test_dropping_forgets_what_was_heard(void **state)
{
    (void)state;
    hear(UART_RS485, "old", 1);
    uart_drop(UART_RS485);
    expect_heard(UART_RS485, "", 0);
}

static void test_sending_lasts_until_the_end_is_seen(void **state)
{
    (void)state;
    uint8_t byte;
    assert_false(uart_next(UART_P1, &byte));
    assert_false(uart_awaits_end(UART_P1));
    uart_queue(UART_P1, (const uint8_t *)"ok", 2);
    for (const char *expected = "ok"; *expected; expected++) {
        assert_true(uart_is_sending(UART_P1));
        assert_false(uart_awaits_end(UART_P1));
        assert_true(uart_next(UART_P1, &byte));
        assert_int_equal(byte, *expected);
    }
    assert_false(uart_next(UART_P1, &byte));
    assert_true(uart_awaits_end(UART_P1));
    assert_true(uart_is_sending(UART_P1));
    assert_false(uart_is_sending(UART_RS485));
    uart_sent(UART_P1);
    assert_false(uart_awaits_end(UART_P1));
    assert_false(uart_is_sending(UART_P1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_heard_with_the_time_of_the_last),
        cmocka_unit_test(test_the_time_is_whole_after_the_first_hour),
        cmocka_unit_test(test_what_is_lost_or_damaged_is_told_once),
        cmocka_unit_test(test_dropping_forgets_what_was_heard),
        cmocka_unit_test(test_sending_lasts_until_the_end_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
