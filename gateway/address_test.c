#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "address.h"

#include <string.h>
#include <unistd.h>

static void assert_read_as(const char *text, const char *expected)
{
    struct sockaddr_storage address;
    socklen_t length = 0;
    char written[ADDRESS_TEXT_MAX];
    assert_true(address_parse(text, &address, &length));
    assert_true(length > 0);
    address_format(&address, written);
    assert_string_equal(written, expected);
}

static void what_is_written_can_be_read_again(void **unused)
{
    (void)unused;
    assert_read_as("127.0.0.1:502", "127.0.0.1:502");
    assert_read_as("0.0.0.0:0", "0.0.0.0:0");
    assert_read_as("255.255.255.255:65535", "255.255.255.255:65535");
    assert_read_as("[::1]:1502", "[::1]:1502");
    assert_read_as("[fe80::1234:5678:9abc:def0]:1", "[fe80::1234:5678:9abc:def0]:1");
    assert_read_as("[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
                   "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void a_port_alone_means_all_addresses(void **unused)
{
    (void)unused;
    assert_read_as("502", "[::]:502");
    assert_read_as("0", "[::]:0");
}

static void ipv4_in_ipv6_is_written_as_ipv4(void **unused)
{
    (void)unused;
    assert_read_as("[::ffff:192.0.2.7]:502", "192.0.2.7:502");
}

static void what_is_no_address_is_refused(void **unused)
{
    static const char *const wrong[] = {
        "",
        ":",
        ":502",
        "502 ",
        " 502",
        "+502",
        "-1",
        "65536",
        "99999999999999999999",
        "0x1F6",
        "localhost:502",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:502x",
        "127.0.0.1:-1",
        "127.0.0.1:65536",
        "127.0.0.256:502",
        "127.1:502",
        "1.2.3.4.5:502",
        "::1:502",
        "::1",
        "[::1]",
        "[::1:502",
        "::1]:502",
        "[]:502",
        "[:502",
        "[127.0.0.1]:502",
        "[::1]x:502",
        "[::g]:502",
        "*:502",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff:502",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff]:502"};
    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sockaddr_storage address;
        socklen_t length;
        if (address_parse(wrong[i], &address, &length))
            fail_msg("\"%s\" was read", wrong[i]);
    }
}

static bool same(const char *a, const char *b)
{
    struct sockaddr_storage x, y;
    socklen_t length;
    assert_true(address_parse(a, &x, &length) && address_parse(b, &y, &length));
    return address_same_host(&x, &y);
}

static void hosts_are_compared_without_ports(void **unused)
{
    (void)unused;
    assert_true(same("192.0.2.7:1", "192.0.2.7:2"));
    assert_true(same("192.0.2.7:1", "[::ffff:192.0.2.7]:1"));
    assert_true(same("[2001:db8::1]:1", "[2001:DB8:0::1]:2"));
    assert_false(same("192.0.2.7:1", "192.0.2.8:1"));
    assert_false(same("[2001:db8::1]:1", "[2001:db8::2]:1"));
    assert_false(same("[::]:1", "0.0.0.0:1"));
}

/* Connects from `source` to a listener at `target`; what the listener's side says of its peer. */
static bool seen_as_of_this_machine(const char *source, const char *target)
{
    struct sockaddr_storage from, at, peer;
    socklen_t length;
    assert_true(address_parse(source, &from, &length) && address_parse(target, &at, &length));
    int listener = address_listen(&at, length, 1), reserve = -1;
    assert_true(listener >= 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    int client = socket(at.ss_family, SOCK_STREAM, 0);
    assert_int_equal(bind(client, (struct sockaddr *)&from, address_length(&from)), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, length), 0);
    int fd = address_accept(listener, &reserve, &peer);
    bool seen = address_is_of_this_machine(fd, &peer);
    close(fd);
    close(client);
    close(listener);
    return seen;
}

static void who_has_the_address_he_reaches_is_of_this_machine(void **unused)
{
    (void)unused;
    assert_true(seen_as_of_this_machine("127.0.0.1:0", "127.0.0.1:0"));
    assert_true(seen_as_of_this_machine("127.0.0.5:0", "127.0.0.5:0"));
    assert_false(seen_as_of_this_machine("127.0.0.5:0", "127.0.0.1:0"));
    assert_false(address_is_of_this_machine(-1, &(struct sockaddr_storage){.ss_family = AF_INET}));
}

static void the_host_alone_has_no_brackets(void **unused)
{
    struct sockaddr_storage address;
    socklen_t length;
    char text[ADDRESS_TEXT_MAX];
    (void)unused;
    assert_true(address_parse("[2001:db8::1]:502", &address, &length));
    address_format_host(&address, text);
    assert_string_equal(text, "2001:db8::1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_can_be_read_again),
        cmocka_unit_test(a_port_alone_means_all_addresses),
        cmocka_unit_test(ipv4_in_ipv6_is_written_as_ipv4),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(hosts_are_compared_without_ports),
        cmocka_unit_test(who_has_the_address_he_reaches_is_of_this_machine),
        cmocka_unit_test(the_host_alone_has_no_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
