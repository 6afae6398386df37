#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mdns_records.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SERIAL "00112233AABB"

static struct mdns_records records;

static const struct sockaddr_storage *at(const char *place)
{
    static struct sockaddr_storage address;
    socklen_t length;
    assert_true(address_parse(place, &address, &length));
    return &address;
}

static int begin(void **unused)
{
    (void)unused;
    memset(&records, 0xA5, sizeof records);
    mdns_records_begin(&records, SERIAL);
    return 0;
}

static void a_box_has_a_name_of_its_own(void **unused)
{
    (void)unused;
    assert_string_equal(records.own_name, "smart-connect-00112233aabb.local");
    assert_int_equal(records.service_count, 0);
    assert_int_equal(records.address_count, 0);
}

static void a_service_says_what_it_is(void **unused)
{
    static const char *const texts[MDNS_TEXTS_MAX] = {
        "txtvers=1",      "product=Smart Connect",
        "serial=" SERIAL, "version=" SMART_CONNECT_VERSION,
        "path=/",         ""};
    (void)unused;
    mdns_records_add_web(&records, "_https._tcp", at("8443"));
    assert_int_equal(records.service_count, 1);
    assert_string_equal(records.service[0].type, "_https._tcp");
    assert_string_equal(records.service[0].name, "Smart Connect " SERIAL);
    assert_int_equal(records.service[0].port, 8443);
    for (int i = 0; i < MDNS_TEXTS_MAX; i++)
        assert_string_equal(records.service[0].text[i], texts[i]);
}

static void modbus_tells_its_map_and_further_ones_their_port(void **unused)
{
    (void)unused;
    mdns_records_add_web(&records, "_http._tcp", at("80"));
    mdns_records_add_modbus(&records, at("192.0.2.1:502"), "Eastron-SDM630");
    mdns_records_add_modbus(&records, at("[::]:65535"), "SunSpec");
    assert_int_equal(records.service_count, 3);
    assert_string_equal(records.service[1].type, "_modbus._tcp");
    assert_string_equal(records.service[1].name, "Smart Connect " SERIAL);
    assert_string_equal(records.service[1].text[4], "map=Eastron-SDM630");
    assert_string_equal(records.service[2].name, "Smart Connect " SERIAL " port 65535");
    assert_int_equal(records.service[2].port, 65535);
    assert_string_equal(records.service[2].text[4], "map=SunSpec");
}

static void what_nobody_else_can_reach_is_not_told(void **unused)
{
    (void)unused;
    mdns_records_add_web(&records, "_http._tcp", at("127.0.0.1:80"));
    mdns_records_add_web(&records, "_http._tcp", at("127.1.2.3:80"));
    mdns_records_add_web(&records, "_https._tcp", at("[::1]:443"));
    mdns_records_add_modbus(&records, at("[::ffff:127.0.0.1]:502"), "SunSpec");
    mdns_records_add_web(&records, "_http._tcp", NULL);
    assert_int_equal(records.service_count, 0);
}

static void there_is_room_for_so_many(void **unused)
{
    char map[300];
    (void)unused;
    memset(map, 'm', sizeof map - 1);
    map[sizeof map - 1] = 0;
    for (int i = 0; i < MDNS_SERVICES_MAX + 3; i++)
        mdns_records_add_modbus(&records, at("502"), map);
    assert_int_equal(records.service_count, MDNS_SERVICES_MAX);
    assert_int_equal(strlen(records.service[MDNS_SERVICES_MAX - 1].text[4]), MDNS_TEXT_MAX - 1);
    assert_string_equal(records.service[MDNS_SERVICES_MAX - 1].text[5], "");
}

static void the_same_is_the_same_to_the_last_byte(void **unused)
{
    struct mdns_records other;
    (void)unused;
    memset(&other, 0x5A, sizeof other);
    mdns_records_begin(&other, SERIAL);
    mdns_records_add_modbus(&records, at("502"), "SunSpec");
    mdns_records_add_modbus(&other, at("502"), "SunSpec");
    assert_memory_equal(&records, &other, sizeof records);
    mdns_records_add_modbus(&other, at("503"), "SunSpec");
    assert_memory_not_equal(&records, &other, sizeof records);
}

/* --- addresses -------------------------------------------------------------------------------- */

enum { UP = IFF_UP | IFF_RUNNING };

/* One address of an interface, as getifaddrs() tells it; NULL: none, as it does for the link itself. */
struct row {
    char *interface;
    unsigned flags;
    const char *address;
};

/* The only interface of which every machine knows the number. */
static char some_interface[] = "lo", other_interface[] = "lo-other";

static void add(const struct row *rows, size_t count)
{
    static struct ifaddrs list[32];
    static struct sockaddr_storage address[32];
    assert_true(count <= 32);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].address)
            address[i] = *at(rows[i].address);
        list[i] =
            (struct ifaddrs){.ifa_next = i + 1 < count ? &list[i + 1] : NULL,
                             .ifa_name = rows[i].interface,
                             .ifa_flags = rows[i].flags,
                             .ifa_addr = rows[i].address ? (struct sockaddr *)&address[i] : NULL};
    }
    mdns_records_add_addresses(&records, count ? list : NULL);
}

static void both_families_are_told_where_they_are(void **unused)
{
    const struct row rows[] = {{some_interface, UP, NULL},
                               {some_interface, UP, "192.0.2.5:0"},
                               {some_interface, UP, "[2001:db8::5]:0"},
                               {some_interface, UP, "[fe80::5]:0"}};
    (void)unused;
    add(rows, sizeof rows / sizeof rows[0]);
    assert_int_equal(records.address_count, 2);
    assert_string_equal(records.address[0].text, "192.0.2.5");
    assert_string_equal(records.address[1].text, "2001:db8::5");
    assert_int_equal(records.address[0].interface, if_nametoindex(some_interface));
}

static void a_link_local_address_is_told_where_there_is_no_other(void **unused)
{
    const struct row rows[] = {{other_interface, UP, "192.0.2.5:0"},
                               {some_interface, 0, "192.0.2.6:0"},
                               {some_interface, UP, "[fe80::5]:0"}};
    (void)unused;
    add(rows, sizeof rows / sizeof rows[0]);
    assert_int_equal(records.address_count, 1);
    assert_string_equal(records.address[0].text, "fe80::5");
}

static void loopback_and_what_is_down_is_not_told(void **unused)
{
    const struct row rows[] = {{some_interface, UP | IFF_LOOPBACK, "127.0.0.1:0"},
                               {some_interface, UP | IFF_LOOPBACK, "[::1]:0"},
                               {some_interface, IFF_BROADCAST, "192.0.2.5:0"}};
    (void)unused;
    add(rows, sizeof rows / sizeof rows[0]);
    add(NULL, 0);
    assert_int_equal(records.address_count, 0);
}

static void an_interface_that_is_gone_already_has_no_addresses(void **unused)
{
    const struct row rows[] = {{other_interface, UP, "192.0.2.5:0"}};
    (void)unused;
    add(rows, 1);
    assert_int_equal(records.address_count, 0);
}

static void there_is_room_for_so_many_addresses(void **unused)
{
    struct row rows[MDNS_ADDRESSES_MAX + 5];
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        rows[i] = (struct row){some_interface, UP, "192.0.2.5:0"};
    add(rows, sizeof rows / sizeof rows[0]);
    assert_int_equal(records.address_count, MDNS_ADDRESSES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_box_has_a_name_of_its_own, begin),
        cmocka_unit_test_setup(a_service_says_what_it_is, begin),
        cmocka_unit_test_setup(modbus_tells_its_map_and_further_ones_their_port, begin),
        cmocka_unit_test_setup(what_nobody_else_can_reach_is_not_told, begin),
        cmocka_unit_test_setup(there_is_room_for_so_many, begin),
        cmocka_unit_test_setup(the_same_is_the_same_to_the_last_byte, begin),
        cmocka_unit_test_setup(both_families_are_told_where_they_are, begin),
        cmocka_unit_test_setup(a_link_local_address_is_told_where_there_is_no_other, begin),
        cmocka_unit_test_setup(loopback_and_what_is_down_is_not_told, begin),
        cmocka_unit_test_setup(an_interface_that_is_gone_already_has_no_addresses, begin),
        cmocka_unit_test_setup(there_is_room_for_so_many_addresses, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
