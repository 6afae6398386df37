/* p1_server_test.c - readers get whole telegrams, the newest; on real sockets, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "p1_server.h"

#include "log.h"
#include "loop_kit_test.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, LONGEST = P1_SERVED_MAX, SMALL = 100, ENOUGH = 2000 };

static struct loop loop;
static struct p1_server *server;
static char error[P1_SERVER_ERROR_MAX];

static int open_server(void **unused)
{
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    loop_init(&loop);
    server = p1_server_open(&loop, "127.0.0.1:0", error);
    return server == NULL;
}

static int close_server(void **unused)
{
    (void)unused;
    p1_server_close(server);
    loop_close(&loop);
    return 0;
}

static struct sockaddr_storage address_of_server(socklen_t *length)
{
    char text[ADDRESS_TEXT_MAX];
    struct sockaddr_storage address;
    p1_server_address(server, text);
    assert_true(address_parse(text, &address, length));
    return address;
}

/* A reader whose kernel keeps `buffer` bytes at most for it, about; 0: as usual. */
static int connect_reader(int buffer)
{
    socklen_t length;
    struct sockaddr_storage address = address_of_server(&length);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    if (buffer)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, length), 0);
    loop_kit_settle(&loop);
    return fd;
}

/* Telegram n: its number, and a size that follows from it. */
static size_t make_telegram(int n, size_t size, char *text)
{
    int used = snprintf(text, LONGEST, "/%08d", n);
    memset(text + used, 'a' + n % 26, size - (size_t)used);
    text[size - 1] = '\n';
    return size;
}

static void send_telegram(int n, size_t size)
{
    static char text[LONGEST];
    p1_server_send(server, text, make_telegram(n, size, text));
}

/* The next bytes; the server is served meanwhile.  Fewer than n: the connection ended. */
static size_t receive(int fd, char *bytes, size_t n)
{
    size_t got = 0;
    while (got < n) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        loop_kit_settle(&loop);
        assert_int_equal(poll(&p, 1, LIMIT_MS), 1);
        ssize_t more = recv(fd, bytes + got, n - got, 0);
        if (more <= 0)
            break;
        got += (size_t)more;
    }
    return got;
}

static bool has_something(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    loop_kit_settle(&loop);
    return poll(&p, 1, 0) > 0;
}

/* Receives one telegram of this size, byte for byte; its number. */
static int receive_telegram(int fd, size_t size)
{
    static char got[LONGEST + 1], right[LONGEST];
    assert_int_equal(receive(fd, got, size), size);
    got[size] = 0;
    int n = (int)strtol(got + 1, NULL, 10);
    make_telegram(n, size, right);
    assert_memory_equal(got, right, size);
    return n;
}

static void all_readers_get_each_telegram(void **unused)
{
    int a = connect_reader(0), b = connect_reader(0);
    (void)unused;
    for (int n = 0; n < 50; n++) {
        size_t size = n % 2 ? SMALL : LONGEST;
        send_telegram(n, size);
        assert_int_equal(receive_telegram(a, size), n);
        assert_int_equal(receive_telegram(b, size), n);
    }
    assert_int_equal(p1_server_get_counters(server).sent, 100);
    assert_int_equal(p1_server_get_counters(server).skipped, 0);
    close(a);
    close(b);
}

static void who_connects_gets_the_newest_at_once_while_it_is_live(void **unused)
{
    (void)unused;
    send_telegram(1, SMALL);
    send_telegram(2, SMALL);
    int early = connect_reader(0);
    assert_int_equal(receive_telegram(early, SMALL), 2);
    assert_false(has_something(early));
    p1_server_expire(server);
    int late = connect_reader(0);
    assert_false(has_something(late));
    send_telegram(3, SMALL);
    assert_int_equal(receive_telegram(early, SMALL), 3);
    assert_int_equal(receive_telegram(late, SMALL), 3);
    assert_int_equal(p1_server_get_counters(server).skipped, 0);
    close(early);
    close(late);
}

/* Fills all that the kernels keep for a reader that does not read; the number of the last telegram. */
static int fill_reader(void)
{
    int n = 0;
    uint64_t sent, before;
    do {
        before = p1_server_get_counters(server).sent;
        for (int i = 0; i < 10; i++, n++)
            send_telegram(n, LONGEST);
        loop_kit_settle(&loop);
        sent = p1_server_get_counters(server).sent;
        assert_true(n < ENOUGH);
    } while (sent > before);
    return n - 1;
}

static void a_slow_reader_skips_whole_telegrams(void **unused)
{
    (void)unused;
    int slow = connect_reader(4096), last = fill_reader(), seen = -1, got, skips = 0;
    do {
        got = receive_telegram(slow, LONGEST);
        assert_true(got > seen);
        skips += got > seen + 1;
        seen = got;
    } while (seen < last);
    assert_int_equal(skips, 1);
    assert_true(p1_server_get_counters(server).skipped > 0);
    assert_false(has_something(slow));
    send_telegram(last + 1, SMALL);
    assert_int_equal(receive_telegram(slow, SMALL), last + 1);
    close(slow);
}

/* What waits for a slow reader may be too old when it can be sent. */
static void what_expired_meanwhile_is_not_begun(void **unused)
{
    (void)unused;
    int slow = connect_reader(4096), last = fill_reader(), seen;
    p1_server_expire(server);
    do
        seen = receive_telegram(slow, LONGEST);
    while (has_something(slow));
    assert_true(seen < last);
    send_telegram(last + 1, SMALL);
    assert_int_equal(receive_telegram(slow, SMALL), last + 1);
    close(slow);
}

static void a_reader_that_takes_nothing_is_closed(void **unused)
{
    (void)unused;
    int stuck = connect_reader(4096);
    int idle = connect_reader(0);
    (void)fill_reader();
    while (has_something(idle)) {
        char bytes[65536];
        (void)receive(idle, bytes, 1);
        (void)recv(idle, bytes, sizeof bytes, MSG_DONTWAIT);
    }
    loop_kit_run(&loop, P1_STUCK_MS - 2000);
    assert_int_equal(p1_server_readers(server), 2);
    loop_kit_run(&loop, 4000);
    assert_int_equal(p1_server_readers(server), 1);
    assert_int_equal(p1_server_get_counters(server).stuck, 1);
    close(stuck);
    close(idle);
}

static void an_idle_reader_is_kept(void **unused)
{
    (void)unused;
    int fd = connect_reader(0);
    loop_kit_run(&loop, 24 * 3600 * 1000LL);
    send_telegram(1, SMALL);
    assert_int_equal(receive_telegram(fd, SMALL), 1);
    close(fd);
}

static void what_a_reader_sends_does_not_matter(void **unused)
{
    static char noise[200000];
    (void)unused;
    int fd = connect_reader(0);
    for (size_t at = 0; at < sizeof noise; loop_kit_settle(&loop)) {
        ssize_t n = send(fd, noise + at, sizeof noise - at, MSG_DONTWAIT);
        at += n > 0 ? (size_t)n : 0;
    }
    send_telegram(1, SMALL);
    assert_int_equal(receive_telegram(fd, SMALL), 1);
    assert_false(has_something(fd));
    close(fd);
}

static void sixteen_readers_and_no_more(void **unused)
{
    int fds[P1_READERS_MAX];
    char byte;
    (void)unused;
    for (int i = 0; i < P1_READERS_MAX; i++)
        fds[i] = connect_reader(0);
    int one_more = connect_reader(0);
    assert_int_equal(receive(one_more, &byte, 1), 0);
    assert_int_equal(p1_server_readers(server), P1_READERS_MAX);
    send_telegram(1, SMALL);
    for (int i = 0; i < P1_READERS_MAX; i++)
        assert_int_equal(receive_telegram(fds[i], SMALL), 1);
    close(one_more);
    close(fds[7]);
    loop_kit_settle(&loop);
    fds[7] = connect_reader(0);
    assert_int_equal(receive_telegram(fds[7], SMALL), 1);
    const struct p1_server_counters c = p1_server_get_counters(server);
    assert_int_equal(c.accepted, 17);
    assert_int_equal(c.refused, 1);
    for (int i = 0; i < P1_READERS_MAX; i++)
        close(fds[i]);
}

static void a_place_that_cannot_be_had_says_what_to_do(void **unused)
{
    char where[ADDRESS_TEXT_MAX];
    (void)unused;
    p1_server_address(server, where);
    assert_null(p1_server_open(&loop, where, error));
    assert_non_null(strstr(error, "--p1-out tcp:127.0.0.1:"));
    assert_non_null(strstr(error, "choose another with --p1-out"));
    assert_null(p1_server_open(&loop, "192.0.2.1:0", error));
    assert_non_null(strstr(error, "no such address"));
    assert_null(p1_server_open(&loop, "here", error));
    assert_non_null(strstr(error, "use ADDR:PORT"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_server, close_server)
    const struct CMUnitTest tests[] = {
        TEST(all_readers_get_each_telegram),
        TEST(who_connects_gets_the_newest_at_once_while_it_is_live),
        TEST(a_slow_reader_skips_whole_telegrams),
        TEST(what_expired_meanwhile_is_not_begun),
        TEST(a_reader_that_takes_nothing_is_closed),
        TEST(an_idle_reader_is_kept),
        TEST(what_a_reader_sends_does_not_matter),
        TEST(sixteen_readers_and_no_more),
        TEST(a_place_that_cannot_be_had_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
