/* network.c: what is kept active, and what is told of it; with network_change_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network_kit_test.h"

#include <string.h>

#define FACTORY "{}"
#define HOME_WIFI \
    "\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"Home\",\"WiFiPassword\":\"12345678\"}}"
#define WIFI_TOO "{" HOME_WIFI "}"
#define BY_WIFI "{\"DefaultNetIf\":\"WiFi\"," HOME_WIFI "}"
#define CABLE_STATIC \
    "{\"Ethernet\":{\"IpMode\":\"Static\",\"StaticIPv4\":{\"IpAddress\":\"10.0.0.2\"," \
    "\"Netmask\":\"24\"}}}"
#define AN_ADDRESS "192.0.2.5"
#define LINK_LOCAL "169.254.7.8"
#define REFUSAL "NetworkManager refuses: not for you"
#define UNMANAGED "NetworkManager does not look after this network card"

enum { SECOND_MS = 1000, MINUTE_MS = 60000, ANOTHERS = -1 };

/* --- the wanted card -------------------------------------------------------------------------- */

static void the_wanted_profile_is_brought_up(void **unused)
{
    static const struct {
        const char *settings, *asked;
        enum network_kind kind;
    } cases[] = {
        {FACTORY, "put0 up0", NETWORK_ETHERNET},
        {WIFI_TOO, "put0 up0 put1", NETWORK_ETHERNET},
        {BY_WIFI, "put0 put1 up1", NETWORK_WIFI},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        network_kit_begin(NULL);
        network_kit_open(cases[i].settings);
        network_kit_pass(MINUTE_MS);
        journal_expect("");
        network_kit_run_manager(true);
        journal_expect(cases[i].asked);
        network_kit_connect(cases[i].kind, AN_ADDRESS, "");
        network_kit_pass(10 * MINUTE_MS);
        journal_expect("");
        network_kit_expect_state(NETWORK_CONNECTED, "");
        network_kit_end(NULL);
    }
}

static void profiles_are_made_for_their_cards(void **unused)
{
    (void)unused;
    network_kit_start(WIFI_TOO);
    assert_string_equal(kit.given[NETWORK_ETHERNET].interface, "eth0");
    assert_true(kit.given[NETWORK_ETHERNET].autoconnect);
    assert_string_equal(kit.given[NETWORK_WIFI].interface, "wlan0");
    assert_string_equal(kit.given[NETWORK_WIFI].ssid, "Home");
    assert_false(kit.given[NETWORK_WIFI].autoconnect);
}

/* After a restart of ours the network has not gone. */
static void what_is_up_already_is_not_taken_down(void **unused)
{
    (void)unused;
    network_kit_open(FACTORY);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_run_manager(true);
    network_kit_pass(MINUTE_MS);
    journal_expect("put0 reapply0");
}

static void without_a_cable_nothing_is_tried(void **unused)
{
    (void)unused;
    kit.card[INTERFACE_ETHERNET].state = NM_UNAVAILABLE;
    network_kit_start(FACTORY);
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("put0");
    network_kit_expect_state(NETWORK_NO_LINK, "");
    network_kit_set_state(INTERFACE_ETHERNET, NM_DISCONNECTED);
    journal_expect("up0");
}

static void a_card_may_come_later_and_go(void **unused)
{
    const struct nm_card card = kit.card[INTERFACE_ETHERNET];
    (void)unused;
    kit.card[INTERFACE_ETHERNET] = (struct nm_card){.active = -1};
    network_kit_start(FACTORY);
    network_kit_pass(MINUTE_MS);
    journal_expect("");
    network_kit_expect_state(NETWORK_NO_CARD, "");
    assert_null(network_get_info(kit.network).card);
    kit.card[INTERFACE_ETHERNET] = card;
    network_kit_tell();
    journal_expect("put0 up0");
    kit.card[INTERFACE_ETHERNET] = (struct nm_card){.active = -1};
    network_kit_tell();
    journal_expect("drop0");
}

static void another_manager_gets_everything_anew(void **unused)
{
    (void)unused;
    network_kit_start(WIFI_TOO);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    journal_expect("put0 up0 put1");
    network_kit_run_manager(false);
    network_kit_expect_state(NETWORK_NO_MANAGER, "");
    network_kit_set_state(INTERFACE_ETHERNET, NM_DISCONNECTED);
    network_kit_pass(MINUTE_MS);
    journal_expect("");
    network_kit_run_manager(true);
    journal_expect("put0 up0 put1");
}

/* --- again and again -------------------------------------------------------------------------- */

/* How often the journal would say it if these minutes pass: 5, 10, 20, 40, 60 s between two, and then each minute. */
static void expect_attempts(const char *attempt, int minutes)
{
    static const int first_s[] = {0, 5, 15, 35};
    int second_s = 0;
    for (int next = 0; second_s < minutes * 60; second_s++) {
        bool due = next < 4 ? second_s == first_s[next] : (second_s - 75) % 60 == 0;
        next += due;
        journal_expect(due ? attempt : "");
        network_kit_pass(SECOND_MS);
    }
}

static void one_that_does_not_come_up_is_tried_less_and_less_often(void **unused)
{
    (void)unused;
    network_kit_start(FACTORY);
    journal_expect("put0 up0");
    journal_note("up0");
    expect_attempts("up0", 10);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_pass(MINUTE_MS);
    network_kit_set_state(INTERFACE_ETHERNET, NM_DISCONNECTED);
    expect_attempts("up0", 10);
}

/* Somebody may have removed the profile, so it is put anew. */
static void what_is_refused_is_given_again_less_and_less_often(void **unused)
{
    (void)unused;
    kit.refuses = true;
    network_kit_start(FACTORY);
    expect_attempts("put0 up0", 10);
    network_kit_expect_state(NETWORK_FAILED, REFUSAL);
    kit.refuses = false;
    network_kit_pass(MINUTE_MS);
    journal_forget();
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_expect_state(NETWORK_CONNECTED, "");
    network_kit_set_state(INTERFACE_ETHERNET, NM_DISCONNECTED);
    network_kit_expect_state(NETWORK_CONNECTING, "");
}

/* It is told in JSON. */
static void a_long_refusal_is_cut_between_characters(void **unused)
{
    char why[2 * NM_PROBLEM_MAX + 1] = "";
    (void)unused;
    network_kit_start(FACTORY);
    for (size_t i = 0; i + 2 < sizeof why; i += 2)
        memcpy(why + i, "\xC3\xA4", 2);
    kit.nm_owner->failed(kit.nm_owner, NETWORK_ETHERNET, why);
    const char *told = network_get_info(kit.network).problem;
    assert_int_equal(strlen(told), NM_PROBLEM_MAX - 2); /* one more would be half a character */
}

static void another_manager_may_refuse_nothing(void **unused)
{
    (void)unused;
    kit.refuses = true;
    network_kit_start(FACTORY);
    network_kit_pass(MINUTE_MS);
    kit.refuses = false;
    network_kit_run_manager(false);
    journal_forget();
    network_kit_run_manager(true);
    journal_expect("put0 up0");
    network_kit_expect_state(NETWORK_CONNECTING, "");
}

static void what_cannot_be_reapplied_is_activated(void **unused)
{
    (void)unused;
    kit.refuses = true;
    network_kit_open(FACTORY);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_run_manager(true);
    network_kit_pass(SECOND_MS);
    journal_expect("put0 reapply0");
    kit.refuses = false;
    network_kit_pass(5 * SECOND_MS);
    journal_expect("put0 up0");
}

/* Of a profile that is not wanted, or was dropped meanwhile, nothing is lost. */
static void another_refusal_changes_nothing(void **unused)
{
    (void)unused;
    network_kit_start(WIFI_TOO);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    journal_forget();
    kit.nm_owner->failed(kit.nm_owner, NETWORK_WIFI, "no");
    kit.nm_owner->failed(kit.nm_owner, NETWORK_ACCESS_POINT, "no");
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("");
}

/* --- the other card --------------------------------------------------------------------------- */

static void be_busy(int card, int active)
{
    kit.card[card].active = active;
    kit.card[card].busy = true;
    kit.card[card].state = NM_ACTIVATED;
    network_kit_tell();
}

static void the_other_card_is_taken_down(void **unused)
{
    (void)unused;
    network_kit_start(FACTORY);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    journal_forget();
    be_busy(INTERFACE_WIFI, ANOTHERS);
    journal_expect("down1");
    network_kit_pass(4 * SECOND_MS);
    journal_expect("");
    network_kit_pass(SECOND_MS);
    journal_expect("down1");
    network_kit_set_state(INTERFACE_WIFI, NM_DISCONNECTED);
    network_kit_pass(MINUTE_MS);
    journal_expect("");
}

/* Each card in the place of the other. */
static const struct {
    const char *settings;
    enum network_kind wanted;
    int other;
    const char *down, *link_local;
} sides[] = {
    {FACTORY, NETWORK_ETHERNET, INTERFACE_WIFI, "down1", "reapply0+link-local"},
    {BY_WIFI, NETWORK_WIFI, INTERFACE_ETHERNET, "down0", "reapply1+link-local"},
};

/* As when the other one was wanted a moment ago. */
static void ours_on_the_other_card_is_taken_down_at_once(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        network_kit_begin(NULL);
        network_kit_start(sides[i].settings);
        journal_forget();
        be_busy(sides[i].other, sides[i].wanted == NETWORK_WIFI ? NETWORK_ETHERNET : NETWORK_WIFI);
        journal_expect(sides[i].down);
        network_kit_end(NULL);
    }
}

/* Somebody may be reaching us by it. */
static void anothers_is_left_alone_until_ours_is_connected(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        network_kit_begin(NULL);
        network_kit_start(sides[i].settings);
        be_busy(sides[i].other, ANOTHERS);
        network_kit_connect(sides[i].wanted, "", "");
        journal_forget();
        network_kit_pass(NETWORK_DHCP_MS - NETWORK_KIT_LOOK_MS);
        journal_expect("");
        network_kit_connect(sides[i].wanted, AN_ADDRESS, "");
        journal_expect(sides[i].down);
        network_kit_end(NULL);
    }
}

static void or_until_ours_has_a_link_local_address(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        network_kit_begin(NULL);
        network_kit_start(sides[i].settings);
        be_busy(sides[i].other, ANOTHERS);
        network_kit_connect(sides[i].wanted, "", "");
        journal_forget();
        network_kit_pass(NETWORK_DHCP_MS);
        journal_expect(sides[i].link_local);
        network_kit_connect(sides[i].wanted, LINK_LOCAL, "");
        journal_expect(sides[i].down);
        network_kit_end(NULL);
    }
}

/* A cable that is not plugged in. */
static void anothers_stays_where_ours_does_not_come_up(void **unused)
{
    (void)unused;
    kit.card[INTERFACE_ETHERNET].state = NM_UNAVAILABLE;
    network_kit_start(FACTORY);
    be_busy(INTERFACE_WIFI, ANOTHERS);
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("put0");
}

static void without_the_wanted_card_the_other_may_stay(void **unused)
{
    (void)unused;
    kit.card[INTERFACE_WIFI] = (struct nm_card){.active = -1};
    network_kit_start(BY_WIFI);
    be_busy(INTERFACE_ETHERNET, NETWORK_ETHERNET);
    network_kit_pass(MINUTE_MS);
    journal_expect("put0");
    network_kit_expect_state(NETWORK_NO_CARD, "");
}

/* --- DHCP ------------------------------------------------------------------------------------- */

static void dhcp_that_is_not_answered_gets_a_link_local_address(void **unused)
{
    (void)unused;
    network_kit_start(FACTORY);
    network_kit_connect(NETWORK_ETHERNET, "", "");
    journal_forget();
    network_kit_pass(NETWORK_DHCP_MS - NETWORK_KIT_LOOK_MS);
    journal_expect("");
    network_kit_pass(NETWORK_KIT_LOOK_MS);
    journal_expect("reapply0+link-local");
    network_kit_expect_state(NETWORK_CONNECTING, "");
    network_kit_connect(NETWORK_ETHERNET, LINK_LOCAL, "");
    network_kit_expect_state(NETWORK_LINK_LOCAL, "");
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("");
    network_kit_connect(NETWORK_ETHERNET, LINK_LOCAL, AN_ADDRESS);
    journal_expect("reapply0");
    network_kit_expect_state(NETWORK_CONNECTED, "");
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("");
}

static void the_time_counts_from_when_it_is_asked(void **unused)
{
    (void)unused;
    network_kit_start(FACTORY);
    network_kit_connect(NETWORK_ETHERNET, "", "");
    network_kit_pass(NETWORK_DHCP_MS - NETWORK_KIT_LOOK_MS);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_connect(NETWORK_ETHERNET, "", "");
    journal_forget();
    network_kit_pass(NETWORK_DHCP_MS - NETWORK_KIT_LOOK_MS);
    journal_expect("");
    network_kit_pass(NETWORK_KIT_LOOK_MS);
    journal_expect("reapply0+link-local");
}

/* An activation begins without it. */
static void one_that_is_activated_anew_waits_anew(void **unused)
{
    (void)unused;
    network_kit_start(FACTORY);
    network_kit_connect(NETWORK_ETHERNET, "", "");
    network_kit_pass(NETWORK_DHCP_MS);
    network_kit_connect(NETWORK_ETHERNET, LINK_LOCAL, "");
    journal_forget();
    network_reconnect(kit.network);
    network_kit_pass(SECOND_MS);
    journal_expect("up0");
    network_kit_connect(NETWORK_ETHERNET, "", "");
    network_kit_pass(NETWORK_DHCP_MS - NETWORK_KIT_LOOK_MS);
    journal_expect("");
    network_kit_pass(NETWORK_KIT_LOOK_MS);
    journal_expect("reapply0+link-local");
}

static void a_static_address_needs_no_answer(void **unused)
{
    (void)unused;
    network_kit_start(CABLE_STATIC);
    network_kit_connect(NETWORK_ETHERNET, "", "");
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("put0 up0");
}

/* --- a soft reset ----------------------------------------------------------------------------- */

static void a_soft_reset_connects_anew(void **unused)
{
    (void)unused;
    network_kit_start(FACTORY);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    journal_forget();
    network_reconnect(kit.network);
    journal_expect("up0");
    network_kit_expect_state(NETWORK_CONNECTING, "");
    network_kit_set_state(INTERFACE_ETHERNET, NM_UNAVAILABLE);
    network_reconnect(kit.network);
    network_kit_run_manager(false);
    network_reconnect(kit.network);
    journal_expect("");
}

/* --- what is told ----------------------------------------------------------------------------- */

static void a_state_is_told_for_each_thing_that_can_be(void **unused)
{
    static const struct {
        uint32_t state, failure;
        bool ours, settled;
        const char *address;
        enum network_state told;
        const char *problem;
    } cases[] = {
        {NM_UNMANAGED, 0, false, false, "", NETWORK_NO_LINK, UNMANAGED},
        {NM_UNMANAGED, 7, false, false, "", NETWORK_NO_LINK, UNMANAGED},
        {NM_UNAVAILABLE, 0, false, false, "", NETWORK_NO_LINK, ""},
        {NM_DISCONNECTED, 0, false, false, "", NETWORK_CONNECTING, ""},
        {NM_DISCONNECTED, 7, false, false, "", NETWORK_FAILED, "failure 7"},
        {NM_DISCONNECTED, 53, false, false, "", NETWORK_NO_LINK, "failure 53"},
        {NM_PREPARE, 0, true, true, "", NETWORK_CONNECTING, ""},
        {NM_CONFIG, 0, true, true, AN_ADDRESS, NETWORK_CONNECTING, ""},
        {NM_NEED_AUTH, 7, true, true, "", NETWORK_FAILED, "failure 7"},
        {NM_IP_CONFIG, 0, true, true, "", NETWORK_CONNECTING, ""},
        {NM_IP_CONFIG, 0, true, true, LINK_LOCAL, NETWORK_CONNECTING, ""}, /* not asked for */
        {NM_IP_CONFIG, 0, true, true, AN_ADDRESS, NETWORK_CONNECTED, ""},
        {NM_ACTIVATED, 0, true, true, AN_ADDRESS, NETWORK_CONNECTED, ""},
        {NM_ACTIVATED, 0, true, false, AN_ADDRESS, NETWORK_CONNECTING, ""},
        {NM_ACTIVATED, 0, false, false, AN_ADDRESS, NETWORK_CONNECTING, ""},
        {NM_DEACTIVATING, 0, true, true, AN_ADDRESS, NETWORK_CONNECTING, ""},
        {NM_FAILED, 5, true, true, "", NETWORK_FAILED, "failure 5"},
    };
    struct nm_card *card = &kit.card[INTERFACE_ETHERNET];
    (void)unused;
    network_kit_start(FACTORY);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        network_kit_connect(NETWORK_ETHERNET, cases[i].address, "");
        card->state = cases[i].state;
        card->failure = cases[i].failure;
        card->active = cases[i].ours ? NETWORK_ETHERNET : ANOTHERS;
        card->settled = cases[i].settled;
        card->busy = cases[i].state >= NM_PREPARE && cases[i].state <= NM_ACTIVATED;
        network_kit_expect_state(cases[i].told, cases[i].problem);
    }
}

static void what_is_known_of_the_card_is_told(void **unused)
{
    (void)unused;
    network_kit_start(BY_WIFI);
    struct network_info info = network_get_info(kit.network);
    assert_true(info.managed);
    assert_int_equal(info.interface, INTERFACE_WIFI);
    assert_ptr_equal(info.card, &kit.card[INTERFACE_WIFI]);
    assert_int_equal(info.access_point, AP_OFF);
    assert_int_equal(info.trial_left_ms, -1);
    assert_false(info.scanning);
    assert_int_equal(info.scan_age_ms, -1);
}

static void a_scan_is_told_while_it_runs_and_then_its_age(void **unused)
{
    const struct nm_network *list;
    const char *why = "";
    (void)unused;
    network_kit_start(FACTORY);
    journal_forget();
    assert_true(network_scan(kit.network, &why));
    assert_null(why);
    journal_expect("scan");
    assert_true(network_get_info(kit.network).scanning);
    kit.nm_owner->scanned(kit.nm_owner);
    assert_false(network_get_info(kit.network).scanning);
    network_kit_pass(SECOND_MS);
    assert_int_equal(network_get_info(kit.network).scan_age_ms, SECOND_MS);
    assert_int_equal(network_list(kit.network, &list), 1);
    assert_string_equal(list[0].ssid, "Home");
}

/* --- left to the host ------------------------------------------------------------------------- */

static void a_network_that_is_the_hosts_is_left_alone(void **unused)
{
    const struct nm_network *list;
    const char *why;
    struct network_info info;
    (void)unused;
    kit.settings.managed = false;
    kit.ready = true;
    network_kit_open(BY_WIFI);
    network_kit_change("{\"DefaultNetIf\":\"Ethernet\"}");
    network_kit_reach("192.0.2.9:5");
    network_reconnect(kit.network);
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("");
    network_kit_expect_state(NETWORK_OFF, "");
    info = network_get_info(kit.network);
    assert_false(info.managed);
    assert_null(info.card);
    assert_int_equal(info.trial_left_ms, -1);
    assert_false(network_scan(kit.network, &why));
    assert_non_null(strstr(why, "--network"));
    assert_false(network_access_point(kit.network, true, &why));
    assert_non_null(strstr(why, "--network"));
    assert_int_equal(network_list(kit.network, &list), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, network_kit_begin, network_kit_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wanted_profile_is_brought_up),
        TEST(profiles_are_made_for_their_cards),
        TEST(what_is_up_already_is_not_taken_down),
        TEST(without_a_cable_nothing_is_tried),
        TEST(a_card_may_come_later_and_go),
        TEST(another_manager_gets_everything_anew),
        TEST(one_that_does_not_come_up_is_tried_less_and_less_often),
        TEST(what_is_refused_is_given_again_less_and_less_often),
        TEST(a_long_refusal_is_cut_between_characters),
        TEST(another_manager_may_refuse_nothing),
        TEST(what_cannot_be_reapplied_is_activated),
        TEST(another_refusal_changes_nothing),
        TEST(the_other_card_is_taken_down),
        cmocka_unit_test(ours_on_the_other_card_is_taken_down_at_once),
        cmocka_unit_test(anothers_is_left_alone_until_ours_is_connected),
        cmocka_unit_test(or_until_ours_has_a_link_local_address),
        TEST(anothers_stays_where_ours_does_not_come_up),
        TEST(without_the_wanted_card_the_other_may_stay),
        TEST(dhcp_that_is_not_answered_gets_a_link_local_address),
        TEST(the_time_counts_from_when_it_is_asked),
        TEST(one_that_is_activated_anew_waits_anew),
        TEST(a_static_address_needs_no_answer),
        TEST(a_soft_reset_connects_anew),
        TEST(a_state_is_told_for_each_thing_that_can_be),
        TEST(what_is_known_of_the_card_is_told),
        TEST(a_scan_is_told_while_it_runs_and_then_its_age),
        TEST(a_network_that_is_the_hosts_is_left_alone),
    };
    return cmocka_run_group_tests(tests, network_kit_make_place, network_kit_remove_place);
}
