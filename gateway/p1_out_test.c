/* p1_out_test.c - entries of p1-out: which there are, and what is said of wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "p1_out.h"

#include "log.h"
#include "loop_kit_test.h"

#include <string.h>

static struct loop loop;
static struct meter *meter;
static struct p1_out out;
static char error[P1_OUT_ERROR_MAX];

static int open_meter(void **unused)
{
    static const struct meter_settings settings;
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    loop_init(&loop);
    meter = meter_open(&loop, "file:/dev/null", &settings, error);
    out = (struct p1_out){.loop = &loop, .meter = meter};
    return meter == NULL;
}

static int close_all(void **unused)
{
    (void)unused;
    p1_out_close(&out);
    meter_close(meter);
    loop_close(&loop);
    return 0;
}

static void entries_are_checked(void **unused)
{
    static const char *const good[] = {"tcp:8088", "tcp:127.0.0.1:8088", "tcp:[::1]:8088",
                                       "serial:/dev/ttyUSB1"};
    static const char *const wrong[] = {"",           "8088",        "tcp:",           "tcp:off",
                                        "tcp:host:1", "serial:",     "serial:ttyUSB1", "udp:8088",
                                        "TCP:8088",   "tcp:8088,p1", "serial",         "tcp:70000"};
    (void)unused;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(p1_out_check(good[i], error));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        error[0] = 0;
        assert_false(p1_out_check(wrong[i], error));
        assert_non_null(strstr(error, wrong[i]));
        assert_non_null(strstr(error, "use tcp:PORT"));
    }
}

static void the_port_of_an_entry(void **unused)
{
    (void)unused;
    assert_string_equal(p1_out_port("serial:/dev/ttyUSB1"), "/dev/ttyUSB1");
    assert_string_equal(p1_out_port("tcp:8088"), "");
}

static void each_way_is_told(void **unused)
{
    struct p1_out_info info;
    (void)unused;
    assert_false(p1_out_at(&out, 0, &info));
    assert_true(p1_out_add(&out, "tcp:127.0.0.1:0", error));
    assert_true(p1_out_add(&out, "serial:/nowhere/tty", error));
    assert_true(p1_out_at(&out, 0, &info));
    assert_memory_equal(info.to, "tcp:127.0.0.1:", 14);
    assert_string_equal(info.problem, "");
    assert_int_equal(info.readers, 0);
    assert_true(p1_out_at(&out, 1, &info));
    assert_string_equal(info.to, "serial:/nowhere/tty");
    assert_string_equal(info.problem, "No such file or directory");
    assert_int_equal(info.readers, -1);
    assert_false(p1_out_at(&out, 2, &info));
}

static void a_port_is_copied_to_once(void **unused)
{
    (void)unused;
    assert_true(p1_out_add(&out, "serial:/nowhere/a", error));
    assert_true(p1_out_add(&out, "serial:/nowhere/b", error));
    assert_false(p1_out_add(&out, "serial:/nowhere/a", error));
    assert_string_equal(error, "--p1-out serial:/nowhere/a is given twice");
}

static void there_are_eight_at_most(void **unused)
{
    struct p1_out_info info;
    (void)unused;
    for (int i = 0; i < P1_OUT_MAX; i++)
        assert_true(p1_out_add(&out, "tcp:127.0.0.1:0", error));
    assert_false(p1_out_add(&out, "tcp:127.0.0.1:0", error));
    assert_string_equal(error, "--p1-out: 8 of them at most");
    p1_out_close(&out);
    assert_false(p1_out_at(&out, 0, &info));
    assert_true(p1_out_add(&out, "tcp:127.0.0.1:0", error));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_meter, close_all)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_checked),
        cmocka_unit_test(the_port_of_an_entry),
        TEST(each_way_is_told),
        TEST(a_port_is_copied_to_once),
        TEST(there_are_eight_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
