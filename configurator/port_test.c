#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "port.h"

/* --- a machine of our own: what sysfs says, and /dev -------------------------------------------- */

static char root[64];

static const char *in_root(const char *path)
{
    static char whole[PATH_MAX];
    snprintf(whole, sizeof whole, "%s/%s", root, path);
    return whole;
}

static void make_folder(const char *path)
{
    char *whole = strdup(in_root(path));
    for (char *p = whole + strlen(root) + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = 0;
        (void)mkdir(whole, 0755);
    }
    (void)mkdir(whole, 0755);
    free(whole);
}

static void make_file(const char *path, const char *text)
{
    FILE *f = fopen(in_root(path), "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* A terminal in sysfs and in /dev, as a device that anybody may open. */
static void make_terminal(const char *name, const char *type)
{
    char path[128];
    snprintf(path, sizeof path, "sys/class/tty/%s", name);
    make_folder(path);
    snprintf(path, sizeof path, "sys/class/tty/%s/type", name);
    if (type)
        make_file(path, type);
    snprintf(path, sizeof path, "dev/%s", name);
    assert_int_equal(symlink("/dev/null", in_root(path)), 0);
}

static int make_root(void **unused)
{
    (void)unused;
    snprintf(root, sizeof root, "/tmp/port_test.XXXXXX");
    if (!mkdtemp(root))
        return -1;
    make_folder("dev");
    make_folder("sys/class/tty");
    return 0;
}

static int remove_one(const char *path, const struct stat *about, int flag, struct FTW *walk)
{
    (void)about;
    (void)flag;
    (void)walk;
    return remove(path);
}

static int remove_root(void **unused)
{
    (void)unused;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *name_of(const struct port *port)
{
    return strrchr(port->path, '/') + 1;
}

/* --- which ports there are ---------------------------------------------------------------------- */

static void a_machine_without_ports_has_none(void **unused)
{
    (void)unused;
    struct port ports[PORTS_MAX];
    assert_int_equal(port_list(root, ports, PORTS_MAX), 0);
    assert_int_equal(port_list("/nowhere", ports, PORTS_MAX), 0);
}

static void plugs_and_chips_that_are_there_are_ports(void **unused)
{
    (void)unused;
    static const char *const expected[] = {"ttyACM0", "ttyAMA0", "ttyS0", "ttyUSB2", "ttyUSB10"};
    struct port ports[PORTS_MAX];
    make_terminal("ttyUSB10", NULL);
    make_terminal("ttyUSB2", NULL);
    make_terminal("ttyS0", "4\n");
    make_terminal("ttyS1", "0\n");
    make_terminal("ttyS2", NULL);
    make_terminal("ttyACM0", NULL);
    make_terminal("ttyAMA0", NULL);
    make_terminal("tty1", NULL);
    make_terminal("ttyprintk", NULL);
    make_terminal("ttyUSBx", NULL);
    make_folder("sys/class/tty/ttyUSB3"); /* not in /dev */
    assert_int_equal(port_list(root, ports, PORTS_MAX), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(name_of(&ports[i]), expected[i]);
        assert_string_equal(ports[i].problem, "");
        assert_string_equal(ports[i].product, "");
    }
    assert_int_equal(port_list(root, ports, 2), 2); /* as many as fit */
}

static void an_adapter_says_what_it_is(void **unused)
{
    (void)unused;
    struct port ports[PORTS_MAX];
    make_terminal("ttyUSB0", NULL);
    make_folder("sys/devices/usb1/1-1/1-1:1.0/ttyUSB0");
    make_file("sys/devices/usb1/1-1/idVendor", "0403\n");
    make_file("sys/devices/usb1/1-1/product", "FT232R \33[2J UART\n");
    make_file("sys/devices/usb1/1-1/manufacturer", "FTDI\n");
    assert_int_equal(symlink("../../../devices/usb1/1-1/1-1:1.0/ttyUSB0",
                             in_root("sys/class/tty/ttyUSB0/device")),
                     0);
    assert_int_equal(port_list(root, ports, PORTS_MAX), 1);
    assert_string_equal(ports[0].product, "FT232R ?[2J UART"); /* nothing a terminal would obey */
    assert_string_equal(ports[0].maker, "FTDI");
    assert_string_equal(ports[0].serial, "");
}

static void what_is_no_port_is_said_to_be_none(void **unused)
{
    (void)unused;
    char problem[PORT_PROBLEM_MAX];
    make_file("dev/ttyUSB0", "");
    assert_int_equal(port_open(in_root("dev/ttyUSB0"), problem), -1);
    assert_non_null(strstr(problem, "not a serial port"));
    assert_int_equal(port_open("/dev/null", problem), -1);
    assert_non_null(strstr(problem, "not a serial device"));
    assert_int_equal(port_open(in_root("dev/ttyUSB1"), problem), -1);
    assert_non_null(strstr(problem, "no such port"));
}

/* --- one of them, as a pseudo-terminal ---------------------------------------------------------- */

struct line {
    int far, near;
};

static struct line open_line(void)
{
    char problem[PORT_PROBLEM_MAX];
    struct line l = {.far = posix_openpt(O_RDWR | O_NOCTTY)};
    assert_true(l.far >= 0 && grantpt(l.far) == 0 && unlockpt(l.far) == 0);
    l.near = port_open(ptsname(l.far), problem);
    assert_true(l.near >= 0);
    return l;
}

static void close_line(struct line *l)
{
    port_close(l->near);
    assert_int_equal(close(l->far), 0);
}

static void bytes_go_both_ways_as_they_are(void **unused)
{
    (void)unused;
    struct line l = open_line();
    uint8_t all[256], got[256];
    for (unsigned i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    assert_true(port_ask(l.near, all, sizeof all));
    for (size_t n = 0; n < sizeof got;) {
        ssize_t more = read(l.far, got + n, sizeof got - n);
        assert_true(more > 0);
        n += (size_t)more;
    }
    assert_memory_equal(got, all, sizeof all);
    assert_int_equal(write(l.far, all, sizeof all), sizeof all);
    memset(got, 0, sizeof got);
    for (size_t n = 0; n < sizeof got;) {
        int more = port_read(l.near, got + n, sizeof got - n, port_now_ms() + 10000);
        assert_true(more > 0);
        n += (size_t)more;
    }
    assert_memory_equal(got, all, sizeof all);
    close_line(&l);
}

static void what_came_before_a_question_is_no_answer(void **unused)
{
    (void)unused;
    struct line l = open_line();
    uint8_t got[8];
    assert_int_equal(write(l.far, "old", 3), 3);
    assert_int_equal(port_read(l.near, got, 1, port_now_ms() + 10000), 1); /* it has come */
    assert_true(port_ask(l.near, (const uint8_t *)"?", 1));
    assert_int_equal(port_read(l.near, got, sizeof got, port_now_ms()), 0);
    close_line(&l);
}

static void a_wait_ends_in_time_or_when_the_port_is_gone(void **unused)
{
    (void)unused;
    struct line l = open_line();
    uint8_t byte;
    int64_t begin_ms = port_now_ms();
    assert_int_equal(port_read(l.near, &byte, 1, begin_ms + 20), 0);
    assert_true(port_now_ms() >= begin_ms + 20);
    assert_int_equal(close(l.far), 0);
    assert_int_equal(port_read(l.near, &byte, 1, port_now_ms() + 10000), -1);
    assert_false(port_is_interrupted());
    port_close(l.near);
}

static void an_interrupt_ends_a_wait_until_it_is_forgotten(void **unused)
{
    (void)unused;
    struct line l = open_line();
    uint8_t byte;
    port_catch_interrupts();
    assert_int_equal(raise(SIGINT), 0);
    assert_int_equal(port_read(l.near, &byte, 1, port_now_ms() + 10000), -1);
    assert_true(port_is_interrupted());
    port_go_on();
    assert_int_equal(port_read(l.near, &byte, 1, port_now_ms() + 1), 0);
    close_line(&l);
}

static void a_port_in_use_is_said_to_be(void **unused)
{
    (void)unused;
    struct line l = open_line();
    char problem[PORT_PROBLEM_MAX];
    assert_int_equal(port_open(ptsname(l.far), problem), -1);
    assert_non_null(strstr(problem, "another program uses it"));
    close_line(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_machine_without_ports_has_none, make_root, remove_root),
        cmocka_unit_test_setup_teardown(plugs_and_chips_that_are_there_are_ports, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(an_adapter_says_what_it_is, make_root, remove_root),
        cmocka_unit_test_setup_teardown(what_is_no_port_is_said_to_be_none, make_root, remove_root),
        cmocka_unit_test(bytes_go_both_ways_as_they_are),
        cmocka_unit_test(what_came_before_a_question_is_no_answer),
        cmocka_unit_test(a_wait_ends_in_time_or_when_the_port_is_gone),
        cmocka_unit_test(an_interrupt_ends_a_wait_until_it_is_forgotten),
        cmocka_unit_test(a_port_in_use_is_said_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
