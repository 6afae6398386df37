#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network_profile.h"

#include "config_kit_test.h"

#define HOST_NAME "smart-connect-00112233aabb"
#define CABLE_STATIC \
    "\"Ethernet\":{\"IpMode\":\"Static\",\"StaticIPv4\":{\"IpAddress\":\"192.168.1.20\"," \
    "\"Netmask\":\"16\",\"Gateway\":\"192.168.1.1\",\"DNS\":\"9.9.9.9\"}}"
#define CABLE_BARE \
    "\"Ethernet\":{\"IpMode\":\"Static\",\"StaticIPv4\":{\"IpAddress\":\"10.0.0.2\",\"Netmask\":" \
    "\"30\"}}"
#define CABLE_UNUSED \
    "\"Ethernet\":{\"IpMode\":\"DHCP\",\"StaticIPv4\":{\"IpAddress\":\"10.0.0.2\",\"Netmask\":" \
    "\"30\"," \
    "\"Gateway\":\"10.0.0.1\",\"DNS\":\"9.9.9.9\"}}"
#define WIFI_STATIC \
    "\"IpMode\":\"Static\",\"StaticIPv4\":{\"IpAddress\":\"10.1.2.3\",\"Netmask\":\"8\"," \
    "\"Gateway\":\"10.0.0.1\",\"DNS\":\"10.0.0.2\"}"
#define WIFI(more, ssid, key) \
    "\"WiFi\":{" more "\"ConnectionData\":{\"WiFiSSID\":\"" ssid "\",\"WiFiPassword\":\"" key "\"" \
    "}}"
#define BY_WIFI "\"DefaultNetIf\":\"WiFi\","
#define LONG_NAME \
    "K\xC3\xBC" \
    "che 6789 123456789 12345678"
#define LONG_KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct identity identity = {.serial = "00112233AABB", .ap_key = "abcd-efgh"};

static const struct {
    const char *patch;
    enum network_kind kind;
    struct network_profile expected;
} cases[] = {
    {"{}",
     NETWORK_ETHERNET,
     {.interface = "eth0", .autoconnect = true, .method = METHOD_DHCP, .host_name = HOST_NAME}},
    {"{" CABLE_UNUSED "}",
     NETWORK_ETHERNET,
     {.interface = "eth0", .autoconnect = true, .method = METHOD_DHCP, .host_name = HOST_NAME}},
    {"{" CABLE_STATIC "}",
     NETWORK_ETHERNET,
     {.interface = "eth0",
      .autoconnect = true,
      .method = METHOD_STATIC,
      .address = "192.168.1.20",
      .prefix = 16,
      .gateway = "192.168.1.1",
      .dns = "9.9.9.9",
      .host_name = HOST_NAME}},
    {"{" CABLE_BARE "}",
     NETWORK_ETHERNET,
     {.interface = "eth0",
      .autoconnect = true,
      .method = METHOD_STATIC,
      .address = "10.0.0.2",
      .prefix = 30,
      .host_name = HOST_NAME}},
    {"{" BY_WIFI WIFI("", "Home", "12345678") "}",
     NETWORK_ETHERNET,
     {.interface = "eth0", .method = METHOD_DHCP, .host_name = HOST_NAME}},
    {"{" BY_WIFI WIFI("", "Home", "12345678") "}",
     NETWORK_WIFI,
     {.interface = "wlan0",
      .autoconnect = true,
      .method = METHOD_DHCP,
      .host_name = HOST_NAME,
      .ssid = "Home",
      .key = "12345678"}},
    {"{" CABLE_STATIC "," WIFI("", "Home", "12345678") "}",
     NETWORK_WIFI,
     {.interface = "wlan0",
      .method = METHOD_DHCP,
      .host_name = HOST_NAME,
      .ssid = "Home",
      .key = "12345678"}},
    {"{" BY_WIFI WIFI("", "Open", "") "}",
     NETWORK_WIFI,
     {.interface = "wlan0",
      .autoconnect = true,
      .method = METHOD_DHCP,
      .host_name = HOST_NAME,
      .ssid = "Open"}},
    {"{" BY_WIFI WIFI(WIFI_STATIC ",", LONG_NAME, LONG_KEY) "}",
     NETWORK_WIFI,
     {.interface = "wlan0",
      .autoconnect = true,
      .method = METHOD_STATIC,
      .address = "10.1.2.3",
      .prefix = 8,
      .gateway = "10.0.0.1",
      .dns = "10.0.0.2",
      .host_name = HOST_NAME,
      .ssid = LONG_NAME,
      .key = LONG_KEY}},
    {"{" BY_WIFI CABLE_STATIC "," WIFI(WIFI_STATIC ",", "Home", "12345678") "}",
     NETWORK_ACCESS_POINT,
     {.interface = "wlan0",
      .method = METHOD_SHARED,
      .address = "192.168.71.1",
      .prefix = 24,
      .ssid = "SC-00112233AABB",
      .key = "abcd-efgh"}},
};

/* Where something else was before. */
static void make(struct network_profile *p, enum network_kind kind)
{
    memset(p, 0x5A, sizeof *p);
    network_profile_make(p, kind, kind == NETWORK_ETHERNET ? "eth0" : "wlan0", &config, &identity);
}

static void profiles_say_what_is_configured(void **unused)
{
    struct network_profile expected, made;
    for (size_t i = 0; i < COUNT(cases); i++) {
        start_from_defaults(unused);
        assert_true(patch(cases[i].patch));
        expected = cases[i].expected;
        expected.kind = cases[i].kind;
        make(&made, cases[i].kind);
        assert_memory_equal(&made, &expected, sizeof made);
        assert_true(network_profile_equal(&made, &expected));
    }
}

static void one_that_differs_in_anything_is_another(void **unused)
{
    struct network_profile one, other;
    (void)unused;
    make(&one, NETWORK_WIFI);
    for (size_t bit = 0; bit < sizeof one * 8; bit++) {
        make(&other, NETWORK_WIFI);
        ((unsigned char *)&other)[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_false(network_profile_equal(&one, &other));
    }
}

static void a_card_has_the_longest_name_there_is(void **unused)
{
    struct network_profile p;
    (void)unused;
    network_profile_make(&p, NETWORK_ETHERNET, "enx00112233aabb", &config, &identity);
    assert_string_equal(p.interface, "enx00112233aabb");
}

/* They are found again by these, so they never change. */
static void names_and_uuids_are_fixed(void **unused)
{
    static const struct {
        const char *name, *uuid;
    } fixed[NETWORK_KINDS] = {
        {"Smart Connect Ethernet", "cd1a0fbd-256c-459f-a464-d96388a0130e"},
        {"Smart Connect Wi-Fi", "254667b4-709b-4a58-a413-79d7c1c0743a"},
        {"Smart Connect access point", "9c760f09-250e-413f-b9d7-3f55233eda3b"},
    };
    (void)unused;
    for (int kind = 0; kind < NETWORK_KINDS; kind++) {
        assert_string_equal(network_profile_names[kind], fixed[kind].name);
        assert_string_equal(network_profile_uuids[kind], fixed[kind].uuid);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, start_from_defaults)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(profiles_say_what_is_configured),
        TEST(one_that_differs_in_anything_is_another),
        TEST(a_card_has_the_longest_name_there_is),
        TEST(names_and_uuids_are_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
