#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "address.h"
#include "route.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static struct route route;

static int start_anew(void **unused)
{
    (void)unused;
    memset(&route, 0, sizeof route);
    return 0;
}

static void assert_router(const char *address, const char *interface)
{
    char text[ADDRESS_TEXT_MAX];
    assert_int_not_equal(route.router.ss_family, AF_UNSPEC);
    address_format_host(&route.router, text);
    assert_string_equal(text, address);
    assert_string_equal(route.interface, interface);
}

static void assert_none(void)
{
    assert_int_equal(route.router.ss_family, AF_UNSPEC);
}

/* An IPv4 line; the table holds the bytes of an address as one number of this machine. */
static void take(const char *interface, const char *destination, const char *gateway,
                 unsigned flags, unsigned metric, const char *mask)
{
    char line[200];
    const char *const texts[] = {destination, gateway, mask};
    struct in_addr a[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(inet_pton(AF_INET, texts[i], &a[i]), 1);
    snprintf(line, sizeof line, "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0    ", interface,
             a[0].s_addr, a[1].s_addr, flags, metric, a[2].s_addr);
    route_take_ipv4(&route, line);
}

static void the_default_route_is_found_among_others(void **unused)
{
    (void)unused;
    route_take_ipv4(&route,
                    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU");
    take("eth0", "192.0.2.0", "0.0.0.0", 1, 0, "255.255.255.0");
    take("eth0", "0.0.0.0", "192.0.2.1", 3, 100, "0.0.0.0");
    take("eth1", "198.51.100.0", "192.0.2.9", 3, 0, "255.255.255.0");
    assert_router("192.0.2.1", "eth0");
}

static void the_lowest_metric_wins_wherever_it_stands(void **unused)
{
    (void)unused;
    take("wlan0", "0.0.0.0", "192.0.2.2", 3, 600, "0.0.0.0");
    take("eth0", "0.0.0.0", "192.0.2.1", 3, 100, "0.0.0.0");
    take("usb0", "0.0.0.0", "192.0.2.3", 3, 100, "0.0.0.0");
    assert_router("192.0.2.1", "eth0");
}

static void half_of_all_addresses_is_no_default_route(void **unused)
{
    (void)unused;
    take("tun0", "0.0.0.0", "203.0.113.1", 3, 0, "128.0.0.0");
    assert_none();
}

static void a_route_without_router_or_that_is_down_does_not_count(void **unused)
{
    (void)unused;
    take("ppp0", "0.0.0.0", "0.0.0.0", 1, 0, "0.0.0.0");
    take("eth0", "0.0.0.0", "192.0.2.1", 2, 0, "0.0.0.0");
    take("lo", "0.0.0.0", "192.0.2.1", 0x203, 0, "0.0.0.0");
    assert_none();
}

#define ANY "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "

static void an_ipv6_router_is_found_with_its_interface(void **unused)
{
    (void)unused;
    route_take_ipv6(&route, "fe800000000000000000000000000000 40 " ANY
                            "00000100 00000002 00000000 00000001     eth0");
    route_take_ipv6(
        &route,
        ANY "fe8000000000000000000000000000a1 00000400 00000002 00000000 00450003     eth0");
    route_take_ipv6(
        &route,
        ANY "fd000000000000000000000000000001 00000401 00000002 00000000 00000003     eth1");
    assert_router("fe80::a1", "eth0");
}

static void the_route_that_refuses_is_no_ipv6_router(void **unused)
{
    (void)unused;
    route_take_ipv6(
        &route,
        ANY "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo");
    assert_none();
}

static void an_ipv6_route_for_some_destinations_or_sources_is_none(void **unused)
{
    (void)unused;
    route_take_ipv6(&route,
                    "20000000000000000000000000000000 03 00000000000000000000000000000000 00 "
                    "fe8000000000000000000000000000a1 00000400 00000002 00000000 00000003 eth0");
    route_take_ipv6(&route,
                    "00000000000000000000000000000000 00 20010db8000000000000000000000000 30 "
                    "fe8000000000000000000000000000a1 00000400 00000002 00000000 00000003 eth0");
    assert_none();
}

static void lines_of_another_form_are_stepped_over(void **unused)
{
    static const char *const lines[] = {
        "",
        "x",
        "eth0\t00000000",
        "eth0\t0\t0\t3\t0\t0\t0\t",
        ANY "fe80 00000400 00000002 00000000 00000003 eth0",
        ANY "fe8000000000000000000000000000zz 00000400 00000002 00000000 00000003 eth0",
        ANY "fe8000000000000000000000000000a1 00000400 00000002 00000000 00000003"};
    (void)unused;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        route_take_ipv4(&route, lines[i]);
        route_take_ipv6(&route, lines[i]);
    }
    assert_none();
}

#define TEST(name) cmocka_unit_test_setup(name, start_anew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_default_route_is_found_among_others),
        TEST(the_lowest_metric_wins_wherever_it_stands),
        TEST(half_of_all_addresses_is_no_default_route),
        TEST(a_route_without_router_or_that_is_down_does_not_count),
        TEST(an_ipv6_router_is_found_with_its_interface),
        TEST(the_route_that_refuses_is_no_ipv6_router),
        TEST(an_ipv6_route_for_some_destinations_or_sources_is_none),
        TEST(lines_of_another_form_are_stepped_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
