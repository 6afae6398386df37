/* p1_copy_test.c - what goes in comes out, on pseudo-terminals, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "p1_copy.h"

#include "log.h"
#include "loop_kit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, CHUNK = 1000, ENOUGH = 1000 };

static struct loop loop;
static struct p1_copy *copy;
static char link_path[] = "/tmp/p1_copy_test.XXXXXX/tty";
static int master, slave;

/* Another device behind the same name, as with adapters on USB. */
static void plug(void)
{
    struct termios t;
    char name[64];
    master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    assert_int_equal(ptsname_r(master, name, sizeof name), 0);
    slave = open(name, O_RDWR | O_NOCTTY);
    assert_true(slave >= 0 && tcgetattr(slave, &t) == 0);
    cfmakeraw(&t);
    assert_int_equal(tcsetattr(slave, TCSANOW, &t), 0);
    (void)unlink(link_path);
    assert_int_equal(symlink(name, link_path), 0);
}

static void unplug(void)
{
    close(master);
    close(slave);
    (void)unlink(link_path);
}

static int open_copy(void **unused)
{
    char *slash = strrchr(link_path, '/');
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    loop_init(&loop);
    *slash = 0;
    memcpy(slash - 6, "XXXXXX", 6);
    assert_non_null(mkdtemp(link_path));
    *slash = '/';
    plug();
    copy = p1_copy_open(&loop, link_path);
    return copy == NULL;
}

static int close_copy(void **unused)
{
    char *slash = strrchr(link_path, '/');
    (void)unused;
    p1_copy_close(copy);
    loop_close(&loop);
    unplug();
    *slash = 0;
    (void)rmdir(link_path);
    *slash = '/';
    return 0;
}

/* Byte n of what is sent: every value, and nothing that repeats soon. */
static uint8_t byte_at(size_t n)
{
    return (uint8_t)(n ^ n >> 8 ^ n >> 16);
}

/* The next n bytes from `from` on. */
static void send_bytes(size_t from, size_t n)
{
    uint8_t bytes[CHUNK];
    for (size_t i = 0; i < n; i++)
        bytes[i] = byte_at(from + i);
    p1_copy_bytes(copy, bytes, n);
}

/* Reads what is there, at most n bytes. */
static size_t receive_some(uint8_t *bytes, size_t n)
{
    loop_kit_settle(&loop);
    ssize_t got = read(master, bytes, n);
    assert_true(got > 0 || errno == EAGAIN);
    return got > 0 ? (size_t)got : 0;
}

/* Receives bytes `from` to `to`, exactly. */
static void receive_exactly(size_t from, size_t to)
{
    uint8_t bytes[512];
    while (from < to) {
        struct pollfd p = {.fd = master, .events = POLLIN};
        loop_kit_settle(&loop);
        assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
        size_t n = receive_some(bytes, to - from < sizeof bytes ? to - from : sizeof bytes);
        for (size_t i = 0; i < n; i++, from++)
            assert_int_equal(bytes[i], byte_at(from));
    }
}

static void bytes_come_out_as_they_went_in(void **unused)
{
    (void)unused;
    size_t at = 0;
    for (size_t n = 1; n <= CHUNK; at += n, n++) {
        send_bytes(at, n);
        receive_exactly(at, at + n);
    }
    assert_int_equal(p1_copy_get_counters(copy).copied, at);
    assert_int_equal(p1_copy_get_counters(copy).lost, 0);
    assert_string_equal(p1_copy_problem(copy), "");
}

/* More than a port holds, but not more than may wait. */
static void a_burst_waits_for_the_port(void **unused)
{
    size_t total = P1_COPY_QUEUE;
    (void)unused;
    for (size_t at = 0; at < total; at += CHUNK)
        send_bytes(at, total - at < CHUNK ? total - at : CHUNK);
    receive_exactly(0, total);
    assert_int_equal(p1_copy_get_counters(copy).lost, 0);
    send_bytes(total, 10);
    receive_exactly(total, total + 10);
}

static void a_full_port_loses_one_stretch(void **unused)
{
    size_t sent = 0, kept;
    (void)unused;
    while (p1_copy_get_counters(copy).lost < 5 * CHUNK) {
        assert_true(sent < ENOUGH * CHUNK);
        send_bytes(sent, CHUNK);
        sent += CHUNK;
    }
    kept = sent - p1_copy_get_counters(copy).lost;
    receive_exactly(0, kept);
    send_bytes(sent, CHUNK);
    receive_exactly(sent, sent + CHUNK);
    const struct p1_copy_counters c = p1_copy_get_counters(copy);
    assert_int_equal(c.copied, kept + CHUNK);
    assert_int_equal(c.lost, 5 * CHUNK);
}

static void nothing_old_comes_out_of_a_port_that_stood_still(void **unused)
{
    uint8_t bytes[512];
    size_t sent = 0;
    (void)unused;
    while (p1_copy_get_counters(copy).lost == 0) {
        assert_true(sent < ENOUGH * CHUNK);
        send_bytes(sent, CHUNK);
        sent += CHUNK;
    }
    loop_kit_pass(&loop, P1_COPY_STALL_MS);
    while (receive_some(bytes, sizeof bytes))
        ; /* what the line discipline had handed over */
    send_bytes(sent, CHUNK);
    receive_exactly(sent, sent + CHUNK);
    const struct p1_copy_counters c = p1_copy_get_counters(copy);
    assert_int_equal(c.copied + c.lost, sent + CHUNK);
}

static void unplugged_and_plugged_again(void **unused)
{
    (void)unused;
    send_bytes(0, 10);
    receive_exactly(0, 10);
    unplug();
    loop_kit_settle(&loop);
    assert_string_not_equal(p1_copy_problem(copy), "");
    send_bytes(10, 7);
    assert_int_equal(p1_copy_get_counters(copy).lost, 7);
    loop_kit_run(&loop, P1_COPY_RETRY_MS);
    assert_string_not_equal(p1_copy_problem(copy), "");
    plug();
    loop_kit_run(&loop, P1_COPY_RETRY_MS);
    assert_string_equal(p1_copy_problem(copy), "");
    send_bytes(20, 30);
    receive_exactly(20, 50);
}

static void what_comes_back_is_dropped(void **unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(write(master, "hello\n", 6), 6);
        loop_kit_settle(&loop);
    }
    send_bytes(0, 10);
    receive_exactly(0, 10);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_copy, close_copy)
    const struct CMUnitTest tests[] = {
        TEST(bytes_come_out_as_they_went_in),
        TEST(a_burst_waits_for_the_port),
        TEST(a_full_port_loses_one_stretch),
        TEST(nothing_old_comes_out_of_a_port_that_stood_still),
        TEST(unplugged_and_plugged_again),
        TEST(what_comes_back_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
