#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "message_kit_test.h"
#include "nm_answer_kit_test.h"
#include "nm_objects.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ENTRY "{oa{sa{sv}}}"
#define OTHER_UUID "00000000-0000-4000-8000-000000000000"

enum { TYPE_BRIDGE = 13, PSK = 0x100, EAP = 0x200, SAE = 0x400, OWE = 0x800, PRIVACY = 1 };
enum { STEP = 7 };

static struct nm_objects objects;

/* Seals the answer, reads it into memory where something else was, and forgets it. */
static int read_answer(sd_bus_message *m)
{
    int result;
    seal(m);
    memset(&objects, 0x5A, sizeof objects);
    result = nm_objects_read(m, &objects);
    sd_bus_message_unref(m);
    return result;
}

static sd_bus_message *new_answer(void)
{
    sd_bus_message *m = new_message();
    nm_kit_open(m);
    return m;
}

static void read_whole(sd_bus_message *m)
{
    nm_kit_close(m);
    assert_true(read_answer(m) >= 0);
}

static struct nm_card describe(int kind)
{
    struct nm_card card;
    memset(&card, 0x5A, sizeof card);
    nm_objects_describe(&objects, nm_objects_card(&objects, kind, ""), &card);
    return card;
}

/* --- cards ------------------------------------------------------------------------------------ */

static void read_many_cards(void)
{
    static const struct nm_kit_device devices[] = {
        {"/d/1", "lo", 32, NM_ACTIVATED, true, NULL, NULL, NULL, 0},
        {"/d/2", "eth1", NM_TYPE_ETHERNET, NM_DISCONNECTED, true, NULL, NULL, NULL, 0},
        {"/d/3", "eth0", NM_TYPE_ETHERNET, NM_UNAVAILABLE, false, NULL, NULL, NULL, 0},
        {"/d/4", "aaa0", NM_TYPE_ETHERNET, NM_UNMANAGED, true, NULL, NULL, NULL, 0},
        {"/d/5", "aav0", NM_TYPE_VETH, NM_ACTIVATED, true, NULL, NULL, NULL, 0},
        {"/d/6", "wlan1", NM_TYPE_WIFI, NM_UNMANAGED, true, NULL, NULL, NULL, 0},
        {"/d/7", "wlan0", NM_TYPE_WIFI, NM_UNKNOWN, true, NULL, NULL, NULL, 0},
        {"/d/8", "aab0", TYPE_BRIDGE, NM_ACTIVATED, true, NULL, NULL, NULL, 0},
    };
    sd_bus_message *m = new_answer();
    for (size_t i = 0; i < COUNT(devices); i++)
        nm_kit_device(m, &devices[i]);
    read_whole(m);
}

/* The first by name of those NetworkManager looks after; a virtual one only where it was asked for. */
static void a_card_is_the_one_that_was_named_or_the_first(void **unused)
{
    static const struct {
        int kind;
        const char *name, *found;
    } cases[] = {
        {INTERFACE_ETHERNET, "", "/d/3"},     {INTERFACE_ETHERNET, "eth1", "/d/2"},
        {INTERFACE_ETHERNET, "aaa0", "/d/4"}, {INTERFACE_ETHERNET, "aav0", "/d/5"},
        {INTERFACE_ETHERNET, "wlan0", NULL},  {INTERFACE_ETHERNET, "eth", NULL},
        {INTERFACE_ETHERNET, "aab0", NULL},   {INTERFACE_WIFI, "", "/d/7"},
        {INTERFACE_WIFI, "wlan1", "/d/6"},    {INTERFACE_WIFI, "eth0", NULL},
    };
    (void)unused;
    read_many_cards();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct nm_device *d = nm_objects_card(&objects, cases[i].kind, cases[i].name);
        assert_true((d == NULL) == (cases[i].found == NULL));
        if (d)
            assert_string_equal(d->path, cases[i].found);
    }
}

static void without_cards_there_is_none(void **unused)
{
    struct nm_card card;
    (void)unused;
    read_whole(new_answer());
    assert_null(nm_objects_card(&objects, INTERFACE_ETHERNET, ""));
    assert_null(nm_objects_card(&objects, INTERFACE_WIFI, "wlan0"));
    card = describe(INTERFACE_WIFI);
    assert_false(card.present);
    assert_int_equal(card.active, -1);
    assert_false(card.busy);
    assert_int_equal(card.state, NM_UNKNOWN);
}

/* --- what a card is doing --------------------------------------------------------------------- */

static void read_wifi_card(uint32_t state)
{
    sd_bus_message *m = new_answer();
    nm_kit_ip4(m, "/ip/1", "192.0.2.1/8", "192.0.2.2", "");
    nm_kit_ip4(m, "/ip/2", "192.0.2.5/24 169.254.7.8/16", "192.0.2.1", "9.9.9.9 10.0.0.2");
    nm_kit_active(m, "/a/1", network_profile_uuids[NETWORK_ETHERNET]);
    nm_kit_active(m, "/a/2", network_profile_uuids[NETWORK_WIFI]);
    nm_kit_point(m, &(struct nm_kit_point){"/p/1", "Other", 0, 90, 2412, 0, 0, PSK});
    nm_kit_device(m, &(struct nm_kit_device){"/d/2", "wlan0", NM_TYPE_WIFI, state, true, "/a/2",
                                             "/ip/2", "/p/2", 12345});
    nm_kit_point(m, &(struct nm_kit_point){"/p/2", "Home", 0, 71, 5180, 0, 0, PSK});
    read_whole(m);
}

static void a_card_is_described_from_all_its_objects(void **unused)
{
    (void)unused;
    read_wifi_card(NM_ACTIVATED);
    struct nm_card card = describe(INTERFACE_WIFI);
    assert_true(card.present && card.carrier && card.busy);
    assert_string_equal(card.interface, "wlan0");
    assert_int_equal(card.state, NM_ACTIVATED);
    assert_int_equal(card.active, NETWORK_WIFI);
    assert_int_equal(card.address_count, 2);
    assert_string_equal(card.address[0].text, "192.0.2.5");
    assert_int_equal(card.address[0].prefix, 24);
    assert_string_equal(card.address[1].text, "169.254.7.8");
    assert_int_equal(card.address[1].prefix, 16);
    assert_string_equal(card.gateway, "192.0.2.1");
    assert_int_equal(card.dns_count, 2);
    assert_string_equal(card.dns[0], "9.9.9.9");
    assert_string_equal(card.dns[1], "10.0.0.2");
    assert_string_equal(card.ssid, "Home");
    assert_int_equal(card.signal, 71);
    assert_int_equal(nm_objects_card(&objects, INTERFACE_WIFI, "")->scanned_ms, 12345);
}

/* So that a change can be found by comparing bytes. */
static void the_same_is_described_by_the_same_bytes(void **unused)
{
    (void)unused;
    read_wifi_card(NM_ACTIVATED);
    const struct nm_card once = describe(INTERFACE_WIFI);
    read_many_cards();
    read_wifi_card(NM_ACTIVATED);
    const struct nm_card again = describe(INTERFACE_WIFI);
    assert_memory_equal(&once, &again, sizeof once);
}

static void a_card_is_busy_from_preparing_to_activated(void **unused)
{
    static const uint32_t busy[] = {NM_PREPARE,  NM_CONFIG,      NM_NEED_AUTH, NM_IP_CONFIG,
                                    NM_IP_CHECK, NM_SECONDARIES, NM_ACTIVATED};
    static const uint32_t idle[] = {NM_UNKNOWN,      NM_UNMANAGED,    NM_UNAVAILABLE,
                                    NM_DISCONNECTED, NM_DEACTIVATING, NM_FAILED};
    (void)unused;
    for (size_t i = 0; i < COUNT(busy); i++) {
        read_wifi_card(busy[i]);
        assert_true(describe(INTERFACE_WIFI).busy);
    }
    for (size_t i = 0; i < COUNT(idle); i++) {
        read_wifi_card(idle[i]);
        assert_false(describe(INTERFACE_WIFI).busy);
    }
}

static void what_is_active_is_known_by_its_uuid(void **unused)
{
    (void)unused;
    for (int kind = -1; kind < NETWORK_KINDS; kind++) {
        sd_bus_message *m = new_answer();
        nm_kit_active(m, "/a/1", kind < 0 ? OTHER_UUID : network_profile_uuids[kind]);
        nm_kit_device(m, &(struct nm_kit_device){"/d/1", "eth0", NM_TYPE_ETHERNET, NM_ACTIVATED,
                                                 false, "/a/1", NULL, NULL, 0});
        read_whole(m);
        assert_int_equal(describe(INTERFACE_ETHERNET).active, kind);
        assert_true(describe(INTERFACE_ETHERNET).busy);
        assert_false(describe(INTERFACE_ETHERNET).carrier);
        assert_int_equal(describe(INTERFACE_ETHERNET).address_count, 0);
    }
}

static void a_wifi_card_that_never_looked_says_so(void **unused)
{
    sd_bus_message *m = new_answer();
    (void)unused;
    assert_true(sd_bus_message_append(m, ENTRY, "/d/1", 1, NM_KIT ".Device", 2, "Interface", "s",
                                      "wlan0", "DeviceType", "u", NM_TYPE_WIFI) >= 0);
    read_whole(m);
    assert_int_equal(nm_objects_card(&objects, INTERFACE_WIFI, "")->scanned_ms, -1);
}

/* --- what is too much ------------------------------------------------------------------------- */

static void more_addresses_than_are_kept_are_left_out(void **unused)
{
    sd_bus_message *m = new_answer();
    (void)unused;
    nm_kit_device(m, &(struct nm_kit_device){"/d/1", "eth0", NM_TYPE_ETHERNET, NM_ACTIVATED, true,
                                             NULL, "/ip/1", NULL, 0});
    nm_kit_ip4(m, "/ip/1", "10.0.0.1/8 10.0.0.2/8 10.0.0.3/8 10.0.0.4/8 10.0.0.5/8", "",
               "9.9.9.1 9.9.9.2 9.9.9.3 9.9.9.4");
    read_whole(m);
    struct nm_card card = describe(INTERFACE_ETHERNET);
    assert_int_equal(card.address_count, 4);
    assert_string_equal(card.address[3].text, "10.0.0.4");
    assert_int_equal(card.dns_count, NM_DNS_MAX);
    assert_string_equal(card.dns[NM_DNS_MAX - 1], "9.9.9.3");
    assert_string_equal(card.gateway, "");
}

static void more_objects_than_fit_are_left_out(void **unused)
{
    sd_bus_message *m = new_answer();
    char path[32], name[16];
    (void)unused;
    for (int i = 0; i < NM_POINTS_MAX + 5; i++) {
        snprintf(path, sizeof path, "/o/%d", i);
        snprintf(name, sizeof name, "eth%03d", i);
        nm_kit_device(m, &(struct nm_kit_device){path, name, NM_TYPE_ETHERNET, NM_DISCONNECTED,
                                                 true, path, path, path, 0});
        nm_kit_active(m, path, OTHER_UUID);
        nm_kit_ip4(m, path, "10.0.0.1/8", "", "");
        nm_kit_point(m, &(struct nm_kit_point){path, name, 0, 50, 2412, 0, 0, 0});
    }
    read_whole(m);
    assert_int_equal(objects.device_count, NM_DEVICES_MAX);
    assert_int_equal(objects.active_count, NM_ACTIVES_MAX);
    assert_int_equal(objects.ip4_count, NM_DEVICES_MAX);
    assert_int_equal(objects.point_count, NM_POINTS_MAX);
    assert_string_equal(objects.device[NM_DEVICES_MAX - 1].interface, "eth023");
    assert_string_equal(objects.point[NM_POINTS_MAX - 1].ssid.byte, "eth095");
}

/* Names and paths that NetworkManager does not use: nothing is written beyond its place. */
static void what_is_too_long_is_cut(void **unused)
{
    char path[2 * NM_TEXT_MAX];
    sd_bus_message *m = new_answer();
    (void)unused;
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = 0;
    nm_kit_device(m, &(struct nm_kit_device){path, "eth0-with-a-long-name", NM_TYPE_ETHERNET,
                                             NM_ACTIVATED, true, path, path, path, 0});
    nm_kit_active(m, path, network_profile_uuids[NETWORK_WIFI]);
    nm_kit_ip4(m, path, "10.0.0.1/8", "255.255.255.255", "");
    read_whole(m);
    assert_int_equal(strlen(objects.device[0].path), NM_TEXT_MAX - 1);
    assert_int_equal(strlen(objects.device[0].active), NM_TEXT_MAX - 1);
    assert_int_equal(strlen(objects.active[0].path), NM_TEXT_MAX - 1);
    assert_string_equal(objects.active[0].uuid, network_profile_uuids[NETWORK_WIFI]);
    assert_string_equal(describe(INTERFACE_ETHERNET).interface, "eth0-with-a-lon");
}

/* --- what is broken --------------------------------------------------------------------------- */

static void other_answers_are_refused(void **unused)
{
    sd_bus_message *const others[] = {message(""), message("s", "no"), message("a{sv}", 0),
                                      message("a{oa{sv}}", 1, "/o", 0),
                                      message("a{oas}", 1, "/o", 0)};
    (void)unused;
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_true(nm_objects_read(others[i], &objects) < 0);
        assert_int_equal(objects.device_count, 0);
        sd_bus_message_unref(others[i]);
    }
}

/* A later NetworkManager may say something else by the same key. */
static void values_of_another_type_are_skipped(void **unused)
{
    sd_bus_message *m = new_answer();
    (void)unused;
    assert_true(sd_bus_message_append(m, ENTRY, "/d/1", 1, NM_KIT ".Device", 5, "DeviceType", "u",
                                      NM_TYPE_ETHERNET, "Interface", "u", 7, "State", "s", "up",
                                      "InterfaceFlags", "t", UINT64_MAX, "Ip4Config", "s",
                                      "/ip/1") >= 0);
    assert_true(sd_bus_message_append(m, ENTRY, "/ip/1", 1, NM_KIT ".IP4Config", 3, "Gateway", "u",
                                      7, "AddressData", "aau", 0, "NameserverData", "s",
                                      "9.9.9.9") >= 0);
    nm_kit_ip4(m, "/ip/2", "10.0.0.1/8", "10.0.0.2", "");
    read_whole(m);
    struct nm_card card = describe(INTERFACE_ETHERNET);
    assert_true(card.present);
    assert_string_equal(card.interface, "");
    assert_int_equal(card.state, NM_UNKNOWN);
    assert_false(card.carrier);
    assert_string_equal(card.gateway, "");
    assert_int_equal(card.address_count + card.dns_count, 0);
    assert_string_equal(objects.ip4[1].gateway, "10.0.0.2");
}

static sd_bus_message *answer_to_break(void)
{
    sd_bus_message *m = new_answer();
    nm_kit_device(m, &(struct nm_kit_device){"/d", "wlan0", NM_TYPE_WIFI, NM_ACTIVATED, true, "/a",
                                             "/i", "/p", 1});
    nm_kit_active(m, "/a", network_profile_uuids[NETWORK_WIFI]);
    nm_kit_ip4(m, "/i", "10.0.0.5/8", "10.0.0.1", "9.9.9.9");
    nm_kit_point(m, &(struct nm_kit_point){"/p", "Home", 0, 71, 5180, 0, 0, PSK});
    nm_kit_close(m);
    seal(m);
    return m;
}

/* One bit in seven: each place in a byte has its turn. */
static void a_bit_that_flips_costs_the_answer_at_most(void **unused)
{
    struct nm_network list[NM_NETWORKS_MAX];
    sd_bus_message *whole = answer_to_break();
    size_t bits = body_bits(whole, ENTRY), refused = 0;
    (void)unused;
    sd_bus_message_unref(whole);
    for (size_t bit = 0; bit < bits; bit += STEP) {
        sd_bus_message *m = answer_to_break();
        flip(m, ENTRY, bit);
        memset(&objects, 0, sizeof objects);
        refused += nm_objects_read(m, &objects) < 0;
        const struct nm_card card = describe(INTERFACE_WIFI);
        assert_non_null(memchr(card.ssid, 0, sizeof card.ssid));
        assert_in_range(nm_objects_networks(&objects, list), 0, 1);
        sd_bus_message_unref(m);
    }
    assert_in_range(refused, bits / STEP / 8, bits / STEP - 1);
}

/* --- networks in reach ------------------------------------------------------------------------ */

static struct nm_network networks[NM_NETWORKS_MAX];

/* Reads these points, and lists what they are; how many networks that is. */
static size_t list_points(const struct nm_kit_point *points, size_t count)
{
    sd_bus_message *m = new_answer();
    char path[32];
    for (size_t i = 0; i < count; i++) {
        struct nm_kit_point p = points[i];
        snprintf(path, sizeof path, "/p/%zu", i);
        p.path = path;
        nm_kit_point(m, &p);
    }
    read_whole(m);
    memset(networks, 0x5A, sizeof networks);
    return nm_objects_networks(&objects, networks);
}

static void names_are_those_that_can_be_written(void **unused)
{
    static const struct {
        struct nm_kit_point point;
        const char *name; /* NULL: left out */
    } cases[] = {
        {{.ssid = "Home"}, "Home"},
        {{.ssid = "K\xC3\xBC"
                  "che"},
         "K\xC3\xBC"
         "che"},
        {{.ssid = "0123456789abcdef0123456789ABCDEF"}, "0123456789abcdef0123456789ABCDEF"},
        {{.ssid = " \" '"}, " \" '"},
        {{.ssid = ""}, NULL},                      /* hidden */
        {{.ssid = "\0\0\0\0", .length = 4}, NULL}, /* hidden, as others do it */
        {{.ssid = "Ho\0me", .length = 5}, NULL},   /* two names in one */
        {{.ssid = "K\xFC"
                  "che"},
         NULL},                                                                    /* Latin-1 */
        {{.ssid = "0123456789abcdef0123456789ABCDE\xC3\xBC", .length = 33}, NULL}, /* cut within */
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = list_points(&cases[i].point, 1);
        assert_int_equal(n, cases[i].name != NULL);
        if (n)
            assert_string_equal(networks[0].ssid, cases[i].name);
    }
}

static void a_name_is_listed_once_by_its_best_signal(void **unused)
{
    static const struct nm_kit_point points[] = {
        {.ssid = "Home", .strength = 40, .frequency_mhz = 2412, .rsn = PSK},
        {.ssid = "Cafe", .strength = 60, .frequency_mhz = 2437},
        {.ssid = "Home", .strength = 80, .frequency_mhz = 5180, .rsn = SAE},
        {.ssid = "Home", .strength = 50, .frequency_mhz = 2462, .rsn = PSK},
        {.ssid = "Bar", .strength = 60, .frequency_mhz = 2437},
        {.ssid = "home", .strength = 100, .frequency_mhz = 2472},
    };
    static const struct nm_network expected[] = {
        {"home", 100, NM_OPEN, 2472},
        {"Home", 80, NM_WPA3_ONLY, 5180},
        {"Bar", 60, NM_OPEN, 2437},
        {"Cafe", 60, NM_OPEN, 2437},
    };
    (void)unused;
    assert_int_equal(list_points(points, COUNT(points)), COUNT(expected));
    for (size_t i = 0; i < COUNT(expected); i++) {
        assert_string_equal(networks[i].ssid, expected[i].ssid);
        assert_int_equal(networks[i].signal, expected[i].signal);
        assert_int_equal(networks[i].security, expected[i].security);
        assert_int_equal(networks[i].frequency_mhz, expected[i].frequency_mhz);
    }
}

/* The strong ones come first and last, the weak ones between them. */
static void a_full_list_keeps_the_strongest(void **unused)
{
    struct nm_kit_point points[NM_POINTS_MAX];
    char names[NM_POINTS_MAX][16];
    (void)unused;
    for (int i = 0; i < NM_POINTS_MAX; i++) {
        int from_end = i < NM_POINTS_MAX / 2 ? i : NM_POINTS_MAX - 1 - i;
        snprintf(names[i], sizeof names[i], "n%d", i);
        points[i] = (struct nm_kit_point){.ssid = names[i], .strength = (uint8_t)(100 - from_end)};
    }
    assert_int_equal(list_points(points, NM_POINTS_MAX), NM_NETWORKS_MAX);
    for (int i = 0; i < NM_NETWORKS_MAX; i++)
        assert_int_equal(networks[i].signal, 100 - i / 2);
}

static void a_full_list_takes_a_better_signal_of_a_name_it_has(void **unused)
{
    struct nm_kit_point points[NM_NETWORKS_MAX + 1];
    char names[NM_NETWORKS_MAX][16];
    (void)unused;
    for (int i = 0; i < NM_NETWORKS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        points[i] = (struct nm_kit_point){.ssid = names[i], .strength = (uint8_t)(10 + i)};
    }
    points[NM_NETWORKS_MAX] = (struct nm_kit_point){.ssid = "n5", .strength = 99};
    assert_int_equal(list_points(points, COUNT(points)), NM_NETWORKS_MAX);
    assert_string_equal(networks[0].ssid, "n5");
    assert_int_equal(networks[0].signal, 99);
    assert_string_equal(networks[NM_NETWORKS_MAX - 1].ssid, "n0");
}

static void security_is_what_we_can_join(void **unused)
{
    static const struct {
        uint32_t flags, wpa, rsn;
        enum nm_security security;
    } cases[] = {
        {0, 0, 0, NM_OPEN},
        {2, 0, 0, NM_OPEN}, /* WPS says nothing of a key */
        {PRIVACY, 0, PSK, NM_WPA2},
        {PRIVACY, PSK, PSK, NM_WPA2},
        {PRIVACY, 0, PSK | SAE, NM_WPA2},
        {PRIVACY, 0, PSK | EAP, NM_WPA2},
        {PRIVACY, 0, SAE, NM_WPA3_ONLY},
        {PRIVACY, 0, 0, NM_OTHER_SECURITY},   /* WEP */
        {PRIVACY, PSK, 0, NM_OTHER_SECURITY}, /* WPA of 2003 */
        {PRIVACY, 0, EAP, NM_OTHER_SECURITY},
        {0, 0, OWE, NM_OTHER_SECURITY},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct nm_kit_point p = {
            .ssid = "Home", .flags = cases[i].flags, .wpa = cases[i].wpa, .rsn = cases[i].rsn};
        assert_int_equal(list_points(&p, 1), 1);
        assert_int_equal(networks[0].security, cases[i].security);
    }
    assert_string_equal(nm_security_names[NM_WPA2], "wpa2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_card_is_the_one_that_was_named_or_the_first),
        cmocka_unit_test(without_cards_there_is_none),
        cmocka_unit_test(a_card_is_described_from_all_its_objects),
        cmocka_unit_test(the_same_is_described_by_the_same_bytes),
        cmocka_unit_test(a_card_is_busy_from_preparing_to_activated),
        cmocka_unit_test(what_is_active_is_known_by_its_uuid),
        cmocka_unit_test(a_wifi_card_that_never_looked_says_so),
        cmocka_unit_test(more_addresses_than_are_kept_are_left_out),
        cmocka_unit_test(more_objects_than_fit_are_left_out),
        cmocka_unit_test(what_is_too_long_is_cut),
        cmocka_unit_test(other_answers_are_refused),
        cmocka_unit_test(values_of_another_type_are_skipped),
        cmocka_unit_test(a_bit_that_flips_costs_the_answer_at_most),
        cmocka_unit_test(names_are_those_that_can_be_written),
        cmocka_unit_test(a_name_is_listed_once_by_its_best_signal),
        cmocka_unit_test(a_full_list_keeps_the_strongest),
        cmocka_unit_test(a_full_list_takes_a_better_signal_of_a_name_it_has),
        cmocka_unit_test(security_is_what_we_can_join),
    };
    return cmocka_run_group_tests(tests, message_kit_begin, message_kit_end);
}
