#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fetch_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *fault_of(const char *text, bool loopback)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443)};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return fetch_address_fault((const struct sockaddr *)&v4, loopback);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return fetch_address_fault((const struct sockaddr *)&v6, loopback);
}

/* Addresses for documentation, which no machine has, and the neighbours of each range. */
static void hosts_of_the_internet_and_of_private_networks_are_allowed(void **unused)
{
    static const char *const good[] = {
        "192.0.2.1",        "1.0.0.0",          "126.255.255.255",
        "128.0.0.0",        "169.253.0.1",      "169.255.0.1",
        "223.255.255.255",  "10.255.255.254",   "172.31.99.9",
        "192.168.255.254",  "2001:db8::1",      "::1:0:0:1",
        "fd00:1::99",       "fe40::1",          "fec0::1",
        "feff::1",          "64:ff9b::1",       "1::",
        "::ffff:192.0.2.1", "::fffe:127.0.0.1",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(good); i++) {
        const char *fault = fault_of(good[i], false);
        if (fault)
            fail_msg("%s: %s", good[i], fault);
    }
}

static const struct {
    const char *address, *what;
} bad[] = {
    {"0.0.0.0", "unspecified"},
    {"0.255.255.255", "unspecified"},
    {"127.0.0.1", "loopback"},
    {"127.255.255.255", "loopback"},
    {"169.254.0.0", "link-local"},
    {"169.254.169.254", "link-local"},
    {"224.0.0.1", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.1", "reserved"},
    {"255.255.255.255", "reserved"},
    {"::", "unspecified"},
    {"::1", "loopback"},
    {"::2", "reserved"},
    {"::127.0.0.1", "reserved"},
    {"fe80::1", "link-local"},
    {"febf::1", "link-local"},
    {"ff02::1", "multicast"},
    {"::ffff:0.0.0.0", "unspecified"},
    {"::ffff:127.0.0.1", "loopback"},
    {"::ffff:169.254.169.254", "link-local"},
    {"::ffff:255.255.255.255", "reserved"},
};

static void what_is_of_this_host_or_of_no_router_is_refused(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(bad); i++) {
        const char *fault = fault_of(bad[i].address, false);
        if (!fault || !strstr(fault, bad[i].what))
            fail_msg("%s: %s", bad[i].address, fault ? fault : "was allowed");
    }
}

static void loopback_can_be_allowed_and_nothing_else(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(bad); i++) {
        bool allowed = !fault_of(bad[i].address, true);
        if (allowed != (strcmp(bad[i].what, "loopback") == 0))
            fail_msg("%s: %s", bad[i].address, allowed ? "allowed" : "refused");
    }
}

static void other_families_are_refused(void **unused)
{
    static const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    (void)unused;
    assert_non_null(fetch_address_fault((const struct sockaddr *)&local, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_of_the_internet_and_of_private_networks_are_allowed),
        cmocka_unit_test(what_is_of_this_host_or_of_no_router_is_refused),
        cmocka_unit_test(loopback_can_be_allowed_and_nothing_else),
        cmocka_unit_test(other_families_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
