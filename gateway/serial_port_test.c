#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "serial_port.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- marks ------------------------------------------------------------------------------------ */

struct unmarked {
    uint8_t good[64];
    size_t n;
    unsigned bad;
};

/* In pieces of `piece` bytes. */
static struct unmarked unmark(const uint8_t *bytes, size_t n, size_t piece)
{
    struct serial_unmark u = {0};
    struct unmarked result = {.n = 0};
    for (size_t at = 0; at < n; at += piece)
        result.n += serial_unmark(&u, bytes + at, n - at < piece ? n - at : piece,
                                  result.good + result.n, &result.bad);
    return result;
}

static void marks_are_taken_out_however_they_are_cut(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t bytes[12];
        size_t n;
        uint8_t good[8];
        size_t good_n;
        unsigned bad;
    } cases[] = {
        {{1, 2, 3}, 3, {1, 2, 3}, 3, 0},
        {{1, 0xFF, 0xFF, 2}, 4, {1, 0xFF, 2}, 3, 0},
        {{1, 0xFF, 0, 0x55, 2}, 5, {1, 2}, 2, 1},
        {{0xFF, 0, 0xFF, 2}, 4, {2}, 1, 1},                            /* the bad byte was FF */
        {{0xFF, 0, 0, 0xFF, 0, 0, 7}, 7, {7}, 1, 2},                   /* two breaks */
        {{0xFF, 0xFF, 0, 1}, 4, {0xFF, 0, 1}, 3, 0},                   /* a good FF, a good 00 */
        {{0xFF, 0xFF, 0xFF, 0, 9, 0xFF, 0xFF}, 7, {0xFF, 0xFF}, 2, 1}, /* and marks beside them */
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t piece = 1; piece <= cases[i].n; piece++) {
            const struct unmarked u = unmark(cases[i].bytes, cases[i].n, piece);
            assert_int_equal(u.n, cases[i].good_n);
            assert_memory_equal(u.good, cases[i].good, u.n);
            assert_int_equal(u.bad, cases[i].bad);
        }
}

static void it_may_write_over_what_it_reads(void **unused)
{
    (void)unused;
    uint8_t bytes[] = {1, 0xFF, 0xFF, 0xFF, 0, 9, 2};
    struct serial_unmark u = {0};
    unsigned bad = 0;
    assert_int_equal(serial_unmark(&u, bytes, sizeof bytes, bytes, &bad), 3);
    assert_memory_equal(bytes, ((const uint8_t[]){1, 0xFF, 2}), 3);
    assert_int_equal(bad, 1);
}

/* --- ports ------------------------------------------------------------------------------------ */

static int open_master(char path[static 64])
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0);
    assert_int_equal(ptsname_r(fd, path, 64), 0);
    return fd;
}

static void a_port_gets_its_speed_and_belongs_to_one(void **unused)
{
    (void)unused;
    static const struct {
        unsigned baud;
        speed_t speed;
    } speeds[] = {{1200, B1200},   {2400, B2400},   {4800, B4800},   {9600, B9600},
                  {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200}};
    char path[64];
    const char *problem = NULL;
    int master = open_master(path);
    struct serial_line line = {.baud = 9600, .even_parity = true, .mark_errors = true};
    int fd = serial_port_open(path, &line, &problem);
    assert_true(fd >= 0);
    for (size_t i = 0; i < COUNT(speeds); i++) {
        struct termios t;
        line.baud = speeds[i].baud;
        assert_true(serial_port_set(fd, &line));
        assert_int_equal(tcgetattr(fd, &t), 0);
        assert_int_equal(cfgetospeed(&t), speeds[i].speed);
        assert_int_equal(cfgetispeed(&t), speeds[i].speed);
        assert_true((t.c_cflag & CSIZE) == CS8 && !(t.c_cflag & CSTOPB) &&
                    !(t.c_lflag & (ICANON | ECHO)));
        assert_true(t.c_iflag & PARMRK);
    }
    assert_int_equal(serial_port_open(path, &line, &problem), -1);
    assert_string_equal(problem, "another program reads it");
    serial_port_close(fd);
    fd = serial_port_open(path, &line, &problem);
    assert_true(fd >= 0);
    serial_port_close(fd);
    close(master);
}

static void bytes_pass_as_they_are(void **unused)
{
    (void)unused;
    char path[64];
    const char *problem;
    uint8_t all[256], got[256];
    const struct serial_line line = {.baud = 115200};
    int master = open_master(path), fd = serial_port_open(path, &line, &problem);
    for (unsigned i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    assert_int_equal(write(master, all, sizeof all), sizeof all);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t n = 0;
    while (n < sizeof got && poll(&p, 1, 5000) == 1) {
        ssize_t some = read(fd, got + n, sizeof got - n);
        assert_true(some > 0);
        n += (size_t)some;
    }
    assert_int_equal(n, sizeof got);
    assert_memory_equal(got, all, sizeof all);
    serial_port_close(fd);
    close(master);
}

static void what_is_no_port_says_so(void **unused)
{
    (void)unused;
    const struct serial_line line = {.baud = 9600};
    const char *problem = NULL;
    assert_int_equal(serial_port_open("/dev/null", &line, &problem), -1);
    assert_string_equal(problem, "not a serial device");
    assert_int_equal(serial_port_open("/dev/no-such-port", &line, &problem), -1);
    assert_string_equal(problem, "No such file or directory");
    serial_port_close(-1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_taken_out_however_they_are_cut),
        cmocka_unit_test(it_may_write_over_what_it_reads),
        cmocka_unit_test(a_port_gets_its_speed_and_belongs_to_one),
        cmocka_unit_test(bytes_pass_as_they_are),
        cmocka_unit_test(what_is_no_port_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
