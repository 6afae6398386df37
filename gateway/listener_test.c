/* listener_test.c - sockets as systemd hands them over: who gets which, and what happens to the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listener.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIRST = 3,
    SPARE = 40,
    TURN_MS = 1000
}; /* where systemd's sockets begin; where nothing else is */

static struct loop loop;
static struct listener door;
static char error[LISTENER_ERROR_MAX];
static int accepted;

static void on_accepted(struct listener *l, int fd, const struct sockaddr_storage *address)
{
    (void)l;
    (void)address;
    accepted++;
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
}

/* Sets n sockets where systemd has them; -1 is one that does not listen. */
static void hand_over(const char *const *places, int n, int ports[])
{
    char text[16];
    for (int i = 0; i < n; i++) {
        struct sockaddr_storage address;
        socklen_t length;
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        if (places[i]) {
            close(fd);
            assert_true(address_parse(places[i], &address, &length));
            fd = address_listen(&address, length, 4);
            assert_true(fd >= 0);
            getsockname(fd, (struct sockaddr *)&address, &length);
            ports[i] = address_port(&address);
        }
        assert_int_equal(dup2(fd, SPARE + i), SPARE + i);
        close(fd);
    }
    for (int i = 0; i < n; i++) {
        assert_int_equal(dup2(SPARE + i, FIRST + i), FIRST + i);
        close(SPARE + i);
        fcntl(FIRST + i, F_SETFL, 0); /* systemd leaves them blocking */
    }
    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%d", n);
    setenv("LISTEN_FDS", text, 1);
    setenv("LISTEN_FDNAMES", n == 1 ? "one" : "one:two", 1);
    assert_int_equal(loop_init(&loop), 0);
    listener_inherit(&loop);
}

static int begin(void **unused)
{
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    door = (struct listener){.accepted = on_accepted, .backlog = 4};
    accepted = 0;
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    listener_close(&door);
    listener_disinherit();
    loop_close(&loop);
    return 0;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Connects, lets the loop work, and tells what reading says: 0 closed, else errno. */
static int knock(int port)
{
    char byte;
    int fd = connect_to(port);
    assert_true(fd >= 0);
    loop_turn(&loop, TURN_MS);
    int result = read(fd, &byte, 1) < 0 ? errno : 0;
    close(fd);
    return result;
}

static bool open_door(const char *host, int port)
{
    char where[ADDRESS_TEXT_MAX];
    snprintf(where, sizeof where, "%s%d", host, port);
    return listener_open(&door, &loop, where, "modbus", error);
}

static void a_socket_is_found_by_its_address(void **unused)
{
    (void)unused;
    int ports[2];
    hand_over((const char *const[]){"127.0.0.1:0", "127.0.0.1:0"}, 2, ports);
    assert_null(getenv("LISTEN_FDS")); /* no child shall take them for its own */
    assert_true(open_door("127.0.0.1:", ports[1]));
    assert_int_equal(address_port(&door.bound), ports[1]);
    assert_int_equal(knock(ports[1]), 0);
    assert_int_equal(accepted, 1);
}

static void one_that_nobody_uses_refuses(void **unused)
{
    (void)unused;
    int ports[2];
    hand_over((const char *const[]){"127.0.0.1:0", "127.0.0.1:0"}, 2, ports);
    assert_true(open_door("127.0.0.1:", ports[1]));
    assert_int_equal(knock(ports[0]), ECONNRESET);
    assert_int_equal(accepted, 0);
}

static void one_that_is_left_refuses_and_can_be_had_again(void **unused)
{
    (void)unused;
    int ports[1];
    hand_over((const char *const[]){"127.0.0.1:0"}, 1, ports);
    assert_true(open_door("127.0.0.1:", ports[0]));
    assert_true(listener_move(&door, 0));
    int elsewhere = address_port(&door.bound);
    assert_int_not_equal(elsewhere, ports[0]);
    assert_int_equal(knock(elsewhere), 0);
    assert_int_equal(knock(ports[0]), ECONNRESET);
    assert_true(listener_move(&door, ports[0]));
    assert_int_equal(knock(ports[0]), 0);
    assert_int_equal(accepted, 2);
    assert_int_equal(connect_to(elsewhere), -1);
}

static void all_addresses_of_ipv4_do_where_there_is_no_ipv6(void **unused)
{
    (void)unused;
    int ports[1];
    hand_over((const char *const[]){"0.0.0.0:0"}, 1, ports);
    assert_true(open_door("", ports[0]));
    assert_int_equal(knock(ports[0]), 0);
    assert_int_equal(accepted, 1);
}

static void another_address_of_the_same_port_is_explained(void **unused)
{
    (void)unused;
    int ports[1];
    char part[ADDRESS_TEXT_MAX + 40];
    hand_over((const char *const[]){"0.0.0.0:0"}, 1, ports);
    assert_false(open_door("127.0.0.1:", ports[0]));
    assert_int_equal(errno, EADDRINUSE);
    snprintf(part, sizeof part, "systemd opened 0.0.0.0:%d for us", ports[0]);
    assert_non_null(strstr(error, part));
    assert_int_equal(knock(ports[0]), ECONNRESET);
}

static void what_does_not_listen_is_closed(void **unused)
{
    (void)unused;
    int ports[2], type;
    socklen_t length = sizeof type;
    hand_over((const char *const[]){NULL, "127.0.0.1:0"}, 2, ports);
    assert_int_equal(getsockopt(FIRST, SOL_SOCKET, SO_TYPE, &type, &length), -1);
    assert_true(open_door("127.0.0.1:", ports[1]));
}

static void without_systemd_a_socket_is_its_own(void **unused)
{
    (void)unused;
    unsetenv("LISTEN_FDS");
    assert_int_equal(loop_init(&loop), 0);
    listener_inherit(&loop);
    assert_true(open_door("127.0.0.1:", 0));
    int port = address_port(&door.bound);
    assert_int_equal(knock(port), 0);
    listener_close(&door);
    assert_int_equal(connect_to(port), -1);
    listener_close(&door); /* once more does no harm */
}

static void what_is_no_address_is_refused(void **unused)
{
    (void)unused;
    assert_int_equal(loop_init(&loop), 0);
    assert_false(listener_open(&door, &loop, "here", "modbus", error));
    assert_int_equal(errno, EINVAL);
    assert_non_null(strstr(error, "use ADDR:PORT"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_socket_is_found_by_its_address),
        TEST(one_that_nobody_uses_refuses),
        TEST(one_that_is_left_refuses_and_can_be_had_again),
        TEST(all_addresses_of_ipv4_do_where_there_is_no_ipv6),
        TEST(another_address_of_the_same_port_is_explained),
        TEST(what_does_not_listen_is_closed),
        TEST(without_systemd_a_socket_is_its_own),
        TEST(what_is_no_address_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
