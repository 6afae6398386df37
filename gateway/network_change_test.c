/* network.c: settings that change, and the access point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network_kit_test.h"

#include <stdlib.h>
#include <string.h>

#define FACTORY "{}"
#define HOME_WIFI \
    "\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"Home\",\"WiFiPassword\":\"12345678\"}}"
#define BY_WIFI "{\"DefaultNetIf\":\"WiFi\"," HOME_WIFI "}"
#define CABLE_TO(address) \
    "\"Ethernet\":{\"IpMode\":\"Static\",\"StaticIPv4\":{\"IpAddress\":\"" address "\"," \
    "\"Netmask\":\"24\"}}"
#define CABLE(address) "{" CABLE_TO(address) "}"
#define ROLLBACK(on) "\"Network\":{\"Rollback\":" on "}"
#define UNTRIED "{" ROLLBACK("false") "}"
#define AN_ADDRESS "192.0.2.5"
#define NEW_ADDRESS "10.0.0.2"
#define LINK_LOCAL "169.254.7.8"
#define SOMEBODY "10.0.0.9:40000"
#define A_PHONE "192.168.71.20:40000"
#define TAKEN_BACK "the changed network settings were taken back: nobody reached the page with them"

enum { SECOND_MS = 1000, MINUTE_MS = 60000, AP_START_MS = 45000 };

static int64_t trial_left_ms(void)
{
    return network_get_info(kit.network).trial_left_ms;
}

/* Connected by cable, with nothing more to do. */
static void start_connected(void)
{
    network_kit_start(FACTORY);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_pass(SECOND_MS);
    journal_forget();
}

/* A change, as far as it is in force and connected. */
static void change(const char *patch, const char *address)
{
    network_kit_change(patch);
    network_kit_pass(2 * SECOND_MS);
    network_kit_connect(NETWORK_ETHERNET, address, "");
    journal_forget();
}

static void start_and_change(void)
{
    start_connected();
    change(CABLE(NEW_ADDRESS), NEW_ADDRESS);
}

/* --- a change --------------------------------------------------------------------------------- */

static void a_change_waits_until_its_answer_has_left(void **unused)
{
    (void)unused;
    start_connected();
    network_kit_change(CABLE(NEW_ADDRESS));
    network_kit_tell();
    network_kit_pass(SECOND_MS - 1);
    journal_expect("");
    network_kit_pass(1);
    journal_expect("leaving put0 up0");
    assert_string_equal(kit.given[NETWORK_ETHERNET].address, NEW_ADDRESS);
    network_kit_expect_state(NETWORK_CONNECTING, "");
    network_kit_connect(NETWORK_ETHERNET, NEW_ADDRESS, "");
    journal_expect("leaving");
    network_kit_pass(SECOND_MS);
    journal_expect("");
}

static void from_one_card_to_the_other(void **unused)
{
    (void)unused;
    start_connected();
    network_kit_change(BY_WIFI);
    network_kit_pass(SECOND_MS);
    journal_expect("leaving put0 put1 up1 down0");
    assert_false(kit.given[NETWORK_ETHERNET].autoconnect);
    network_kit_set_state(INTERFACE_ETHERNET, NM_DISCONNECTED);
    network_kit_connect(NETWORK_WIFI, NEW_ADDRESS, "");
    journal_expect("leaving");
}

static void the_other_cards_settings_are_no_change(void **unused)
{
    (void)unused;
    start_connected();
    network_kit_change("{" HOME_WIFI "}");
    network_kit_pass(SECOND_MS);
    journal_expect("put1");
    assert_int_equal(trial_left_ms(), -1);
    network_kit_change("{\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"\"}}}");
    network_kit_pass(SECOND_MS);
    journal_expect("drop1");
    network_kit_change("{\"MQTT\":{\"Site\":\"home\"}}");
    network_kit_pass(MINUTE_MS);
    journal_expect("");
}

/* --- a trial ---------------------------------------------------------------------------------- */

static void a_change_holds_when_the_page_is_reached(void **unused)
{
    (void)unused;
    start_and_change();
    assert_in_range(trial_left_ms(), 57000, 59000);
    network_kit_reach(SOMEBODY);
    assert_int_equal(trial_left_ms(), -1);
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("");
    network_kit_expect_state(NETWORK_CONNECTED, "");
}

/* The page asks each second: what it reaches may still be the box as it was. */
static void only_settings_that_are_in_force_are_proven(void **unused)
{
    (void)unused;
    start_connected();
    network_kit_pass(SECOND_MS / 2);
    network_kit_change(CABLE(NEW_ADDRESS));
    for (int64_t ms = 0; ms < 2 * SECOND_MS; ms += 10) {
        network_kit_reach(SOMEBODY);
        network_kit_pass(10);
    }
    journal_expect("leaving put0 up0");
    assert_true(trial_left_ms() > 0);
    kit.card[INTERFACE_ETHERNET].settled = true;
    kit.card[INTERFACE_ETHERNET].state = NM_CONFIG;
    network_kit_reach(SOMEBODY);
    assert_true(trial_left_ms() > 0);
    network_kit_connect(NETWORK_ETHERNET, NEW_ADDRESS, "");
    network_kit_reach(SOMEBODY);
    assert_int_equal(trial_left_ms(), -1);
}

static void a_link_local_address_proves_as_much(void **unused)
{
    (void)unused;
    network_kit_start(CABLE(NEW_ADDRESS));
    network_kit_connect(NETWORK_ETHERNET, NEW_ADDRESS, "");
    change("{\"Ethernet\":{\"IpMode\":\"DHCP\"}}", "");
    network_kit_pass(NETWORK_DHCP_MS);
    journal_expect("reapply0+link-local");
    network_kit_reach("169.254.1.1:40000");
    assert_true(trial_left_ms() > 0);
    network_kit_connect(NETWORK_ETHERNET, LINK_LOCAL, "");
    network_kit_reach("169.254.1.1:40000");
    assert_int_equal(trial_left_ms(), -1);
}

static void what_nobody_reaches_is_taken_back(void **unused)
{
    (void)unused;
    start_and_change();
    network_kit_pass(MINUTE_MS - 2 * SECOND_MS - 1);
    journal_expect("");
    assert_int_equal(trial_left_ms(), 1);
    network_kit_pass(1);
    journal_expect("rollback");
    assert_int_equal(kit.before.ethernet.mode, IP_DHCP);
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("");
    network_kit_take_back(true);
    assert_int_equal(trial_left_ms(), -1);
    network_kit_pass(SECOND_MS);
    journal_expect("leaving put0 up0");
    assert_int_equal(kit.given[NETWORK_ETHERNET].method, METHOD_DHCP);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_expect_state(NETWORK_CONNECTED, TAKEN_BACK);
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("leaving");
    network_kit_change(CABLE("10.0.0.3"));
    network_kit_expect_state(NETWORK_CONNECTED, "");
}

static void what_failed_at_first_is_taken_back_for_what_nobody_did_later(void **unused)
{
    (void)unused;
    start_and_change();
    kit.card[INTERFACE_ETHERNET].failure = 5;
    network_kit_set_state(INTERFACE_ETHERNET, NM_DISCONNECTED);
    network_kit_connect(NETWORK_ETHERNET, NEW_ADDRESS, "");
    network_kit_pass(MINUTE_MS - 2 * SECOND_MS);
    network_kit_take_back(true);
    network_kit_pass(SECOND_MS);
    network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
    network_kit_expect_state(NETWORK_CONNECTED, TAKEN_BACK);
}

static void what_cannot_be_saved_is_taken_back_later(void **unused)
{
    (void)unused;
    start_and_change();
    network_kit_pass(MINUTE_MS);
    journal_expect("rollback");
    for (int i = 0; i < 3; i++) {
        network_kit_take_back(false);
        network_kit_pass(NETWORK_TRIAL_MS - 1);
        journal_expect("");
        network_kit_pass(1);
        journal_expect("rollback");
        assert_int_equal(kit.before.ethernet.mode, IP_DHCP);
    }
    network_kit_take_back(true);
    network_kit_pass(SECOND_MS);
    journal_expect("leaving put0 up0");
}

static void of_several_changes_the_settings_before_the_first_return(void **unused)
{
    (void)unused;
    start_and_change();
    network_kit_pass(MINUTE_MS / 2);
    change(CABLE("10.0.0.3"), "10.0.0.3");
    assert_int_equal(trial_left_ms(), NETWORK_TRIAL_MS - 2 * SECOND_MS);
    network_kit_pass(NETWORK_TRIAL_MS - 2 * SECOND_MS);
    journal_expect("rollback");
    assert_int_equal(kit.before.ethernet.mode, IP_DHCP);
}

static void the_user_may_do_without_a_trial(void **unused)
{
    (void)unused;
    start_connected();
    network_kit_change(UNTRIED);
    change(CABLE(NEW_ADDRESS), NEW_ADDRESS);
    assert_int_equal(trial_left_ms(), -1);
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("");
}

static void what_no_user_changed_is_not_tried(void **unused)
{
    (void)unused;
    start_connected();
    network_kit_change_untried(CABLE(NEW_ADDRESS));
    network_kit_pass(SECOND_MS);
    journal_expect("leaving put0 up0");
    assert_int_equal(trial_left_ms(), -1);
}

/* The settings are the new ones, and nobody has reached the page yet. */
static void after_a_power_cut_a_trial_begins_anew(void **unused)
{
    (void)unused;
    network_kit_keep();
    start_and_change();
    network_kit_pass(MINUTE_MS / 2);
    network_close(kit.network);
    network_kit_start("{}");
    journal_expect("put0 reapply0");
    assert_int_equal(trial_left_ms(), NETWORK_TRIAL_MS);
    network_kit_pass(NETWORK_TRIAL_MS);
    journal_expect("rollback");
    network_kit_take_back(true);
    network_kit_pass(SECOND_MS);
    assert_int_equal(kit.given[NETWORK_ETHERNET].method, METHOD_DHCP);
    network_close(kit.network);
    network_kit_start("{}");
    assert_int_equal(trial_left_ms(), -1);
}

/* --- what is kept of a trial ------------------------------------------------------------------ */

/* NULL: nothing. */
static void expect_kept(const struct config *before)
{
    char *kept = network_kit_kept(), *text = before ? config_file_text(before) : NULL;
    assert_int_equal(kept == NULL, text == NULL);
    if (text)
        assert_string_equal(kept, text);
    free(kept);
    free(text);
}

static void what_a_change_needs_to_be_kept_is_known_before(void **unused)
{
    static const struct {
        bool managed;
        const char *now, *patch;
        bool needed;
    } cases[] = {
        {true, FACTORY, CABLE(NEW_ADDRESS), true},
        {true, FACTORY, BY_WIFI, true},
        {true, BY_WIFI, "{\"DefaultNetIf\":\"Ethernet\"}", true},
        {true, UNTRIED, "{" ROLLBACK("true") "," CABLE_TO(NEW_ADDRESS) "}", true},
        {false, FACTORY, CABLE(NEW_ADDRESS), false},
        {true, UNTRIED, CABLE(NEW_ADDRESS), false},
        {true, FACTORY, "{" ROLLBACK("false") "," CABLE_TO(NEW_ADDRESS) "}", false},
        {true, FACTORY, "{" HOME_WIFI "}", false}, /* of the card that is not in use */
        {true, BY_WIFI, CABLE(NEW_ADDRESS), false},
        {true, FACTORY, "{\"MQTT\":{\"Site\":\"home\"}}", false},
        {true, FACTORY, "{\"Ethernet\":{\"IpMode\":\"DHCP\"}}", false}, /* as it is */
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        network_kit_begin(NULL);
        kit.settings.managed = cases[i].managed;
        network_kit_open(cases[i].now);
        char *text = network_kit_before(cases[i].patch), *now = config_file_text(&kit.config);
        if (cases[i].needed != (text != NULL) || (text && strcmp(text, now) != 0))
            fail_msg("%s, %s: %s", cases[i].now, cases[i].patch, text ? text : "nothing");
        free(text);
        free(now);
        network_kit_end(NULL);
    }
}

static void during_a_trial_it_stays_what_was_before_the_first_change(void **unused)
{
    (void)unused;
    network_kit_keep();
    start_connected();
    const struct config factory = kit.config;
    change(CABLE(NEW_ADDRESS), NEW_ADDRESS);
    expect_kept(&factory);
    change(CABLE("10.0.0.3"), "10.0.0.3");
    expect_kept(&factory);
    network_kit_reach(SOMEBODY);
    network_kit_pass(SECOND_MS);
    expect_kept(NULL);
    const struct config proven = kit.config;
    change(CABLE("10.0.0.4"), "10.0.0.4");
    expect_kept(&proven);
}

static void of_a_change_that_was_not_saved_nothing_is_kept(void **unused)
{
    (void)unused;
    network_kit_keep();
    start_connected();
    const struct config factory = kit.config;
    network_kit_prepare(CABLE(NEW_ADDRESS));
    expect_kept(&factory);
    network_discard(kit.network);
    network_kit_pass(SECOND_MS);
    expect_kept(NULL);
    assert_int_equal(trial_left_ms(), -1);
    change(CABLE(NEW_ADDRESS), NEW_ADDRESS);
    network_kit_prepare(CABLE("10.0.0.3"));
    network_discard(kit.network);
    network_kit_pass(SECOND_MS);
    expect_kept(&factory); /* of the change before */
    assert_in_range(trial_left_ms(), 1, NETWORK_TRIAL_MS - SECOND_MS);
}

/* The power was cut between the two files, or the other card was changed later. */
static void a_file_of_what_was_not_saved_begins_no_trial(void **unused)
{
    static const char *const since[] = {FACTORY, "{" HOME_WIFI "}",
                                        "{\"MQTT\":{\"Site\":\"home\"}}"};
    (void)unused;
    for (size_t i = 0; i < sizeof since / sizeof since[0]; i++) {
        network_kit_begin(NULL);
        network_kit_keep();
        network_kit_save_first(&kit.config);
        network_kit_start(since[i]);
        network_kit_connect(NETWORK_ETHERNET, AN_ADDRESS, "");
        journal_forget();
        assert_int_equal(trial_left_ms(), -1);
        network_kit_pass(2 * MINUTE_MS);
        journal_expect("");
        expect_kept(NULL);
        network_kit_end(NULL);
    }
}

/* The request that proves a change may be the next one, which waits until the file is gone. */
static void a_trial_that_ends_takes_nothing_from_the_next(void **unused)
{
    (void)unused;
    network_kit_keep();
    start_and_change();
    const struct config proven = kit.config;
    network_kit_reach(SOMEBODY);
    assert_true(kit.held);
    network_kit_change(CABLE("10.0.0.3"));
    network_kit_pass(SECOND_MS);
    expect_kept(&proven);
    assert_int_equal(trial_left_ms(), NETWORK_TRIAL_MS - SECOND_MS);
}

/* While the one change is being saved, the other is proven. */
static void so_does_one_that_ends_while_the_next_is_saved(void **unused)
{
    (void)unused;
    network_kit_keep();
    start_and_change();
    const struct config proven = kit.config;
    network_kit_prepare(CABLE("10.0.0.3"));
    network_kit_reach(SOMEBODY);
    network_kit_pass(SECOND_MS);
    expect_kept(NULL);
    network_kit_apply(CABLE("10.0.0.3"));
    network_kit_pass(SECOND_MS);
    expect_kept(&proven);
}

static void what_a_factory_reset_forgets_is_not_taken_back_later(void **unused)
{
    (void)unused;
    network_kit_keep();
    start_and_change();
    network_kit_pass(MINUTE_MS);
    journal_expect("rollback");
    network_forget(kit.network);
    network_kit_take_back(false);
    assert_int_equal(trial_left_ms(), -1);
    network_kit_pass(2 * MINUTE_MS);
    journal_expect("");
    expect_kept(NULL);
}

/* --- the access point ------------------------------------------------------------------------- */

static enum network_ap access_point(void)
{
    return network_get_info(kit.network).access_point;
}

static void ask(bool on)
{
    const char *why = "";
    assert_true(network_access_point(kit.network, on, &why));
}

static void end_scan(void)
{
    kit.nm_owner->scanned(kit.nm_owner);
}

/* Of a box without a cable, as it stands at its first place. */
static void start_access_point(void)
{
    kit.card[INTERFACE_ETHERNET].state = NM_UNAVAILABLE;
    network_kit_start(FACTORY);
    ask(true);
    end_scan();
    network_kit_connect(NETWORK_ACCESS_POINT, NETWORK_AP_ADDRESS, "");
    assert_int_equal(access_point(), AP_ON);
    journal_forget();
}

static void it_looks_around_before_it_begins(void **unused)
{
    (void)unused;
    start_connected();
    ask(true);
    ask(true);
    network_kit_pass(SECOND_MS);
    journal_expect("scan");
    assert_int_equal(access_point(), AP_STARTING);
    end_scan();
    journal_expect("put2 up2");
    assert_string_equal(kit.given[NETWORK_ACCESS_POINT].ssid, "SC-00112233AABB");
    assert_string_equal(kit.given[NETWORK_ACCESS_POINT].interface, "wlan0");
    assert_int_equal(access_point(), AP_STARTING);
    network_kit_connect(NETWORK_ACCESS_POINT, NETWORK_AP_ADDRESS, "");
    assert_int_equal(access_point(), AP_ON);
    network_kit_pass(MINUTE_MS);
    journal_expect(""); /* the cable stays, and so does the radio */
    network_kit_expect_state(NETWORK_CONNECTED, "");
}

static void what_was_seen_just_now_will_do(void **unused)
{
    const char *why;
    (void)unused;
    start_connected();
    assert_true(network_scan(kit.network, &why));
    end_scan();
    network_kit_pass(MINUTE_MS);
    journal_expect("scan");
    ask(true);
    journal_expect("put2 up2");
}

static void an_access_point_cannot_look_around(void **unused)
{
    const char *why;
    (void)unused;
    start_access_point();
    assert_true(network_scan(kit.network, &why));
    assert_false(network_get_info(kit.network).scanning);
    journal_expect("");
}

static void expect_lacking(const char *what)
{
    const char *why = "";
    assert_false(network_access_point(kit.network, true, &why));
    assert_non_null(strstr(why, what));
    assert_int_equal(access_point(), AP_OFF);
}

static void what_it_lacks_is_told(void **unused)
{
    const char *why;
    (void)unused;
    network_kit_open(FACTORY);
    expect_lacking("NetworkManager does not run");
    network_kit_run_manager(true);
    kit.identity.ap_key[0] = 0;
    expect_lacking("key");
    kit.card[INTERFACE_WIFI].present = false;
    expect_lacking("no Wi-Fi card");
    assert_false(network_scan(kit.network, &why));
    assert_non_null(strstr(why, "no Wi-Fi card"));
    journal_expect("put0 up0");
}

static void one_that_would_route_ends_at_once(void **unused)
{
    (void)unused;
    kit.forwards = true;
    start_connected();
    ask(true);
    end_scan();
    journal_forget();
    network_kit_connect(NETWORK_ACCESS_POINT, NETWORK_AP_ADDRESS, "");
    assert_int_equal(access_point(), AP_OFF);
    network_kit_expect_state(NETWORK_CONNECTED,
                             "the access point would route into the network: NetworkManager "
                             "lacks the script 90-smart-connect");
    network_kit_set_state(INTERFACE_WIFI, NM_DISCONNECTED);
    journal_expect("down1 drop2");
}

static void one_that_nobody_uses_ends(void **unused)
{
    (void)unused;
    start_access_point();
    network_kit_pass(NETWORK_AP_IDLE_MS - SECOND_MS);
    network_kit_reach(A_PHONE);
    network_kit_pass(NETWORK_AP_IDLE_MS - SECOND_MS);
    assert_int_equal(access_point(), AP_ON);
    journal_expect("");
    network_kit_pass(2 * SECOND_MS);
    assert_int_equal(access_point(), AP_OFF);
    journal_expect("down1 drop2");
    network_kit_expect_state(NETWORK_NO_LINK, "");
}

static void one_that_cannot_start_ends(void **unused)
{
    (void)unused;
    start_connected();
    ask(true);
    end_scan();
    network_kit_pass(AP_START_MS - SECOND_MS);
    journal_expect("scan put2 up2 up2 up2");
    network_kit_pass(2 * SECOND_MS);
    journal_expect("drop2");
    assert_int_equal(access_point(), AP_OFF);
    network_kit_expect_state(NETWORK_CONNECTED, "the radio could not be made an access point");
    ask(true);
    network_kit_expect_state(NETWORK_CONNECTED, "");
}

static void one_that_breaks_off_is_begun_again(void **unused)
{
    (void)unused;
    start_access_point();
    network_kit_pass(MINUTE_MS);
    network_kit_set_state(INTERFACE_WIFI, NM_DISCONNECTED);
    journal_expect("up2");
    network_kit_run_manager(false);
    network_kit_run_manager(true);
    network_kit_pass(AP_START_MS / 3);
    journal_expect("put0 put2 up2");
}

static void without_its_radio_it_ends_in_time(void **unused)
{
    (void)unused;
    start_access_point();
    kit.card[INTERFACE_WIFI] = (struct nm_card){.active = -1};
    network_kit_pass(NETWORK_AP_IDLE_MS);
    journal_expect("drop2");
    assert_int_equal(access_point(), AP_OFF);
}

static void it_ends_when_it_is_not_wanted_any_more(void **unused)
{
    (void)unused;
    start_access_point();
    ask(false);
    assert_int_equal(access_point(), AP_OFF);
    network_kit_set_state(INTERFACE_WIFI, NM_DISCONNECTED);
    journal_expect("drop2 down1");
    ask(false);
    network_kit_pass(MINUTE_MS);
    journal_expect("");
}

static void a_soft_reset_ends_it(void **unused)
{
    (void)unused;
    start_connected();
    ask(true);
    end_scan();
    journal_forget();
    network_reconnect(kit.network);
    assert_int_equal(access_point(), AP_OFF);
    network_kit_pass(SECOND_MS);
    journal_expect("up0 drop2");
}

static void the_radio_is_its_own_until_it_ends(void **unused)
{
    (void)unused;
    network_kit_start(BY_WIFI);
    network_kit_connect(NETWORK_WIFI, AN_ADDRESS, "");
    journal_forget();
    ask(true);
    end_scan();
    network_kit_connect(NETWORK_ACCESS_POINT, NETWORK_AP_ADDRESS, "");
    network_kit_pass(MINUTE_MS);
    journal_expect("scan put2 up2");
    ask(false);
    journal_expect("drop2 up1");
}

/* A box that NetworkManager refuses is set up by its access point all the more. */
static void it_does_not_wait_for_what_is_refused(void **unused)
{
    (void)unused;
    kit.refuses = true;
    network_kit_start(FACTORY);
    network_kit_pass(2 * MINUTE_MS);
    kit.refuses = false;
    journal_forget();
    ask(true);
    end_scan();
    journal_expect("scan put2 up2");
}

static void who_uses_it_proves_nothing(void **unused)
{
    (void)unused;
    start_connected();
    ask(true);
    end_scan();
    network_kit_connect(NETWORK_ACCESS_POINT, NETWORK_AP_ADDRESS, "");
    network_kit_change(CABLE(NEW_ADDRESS));
    assert_int_equal(access_point(), AP_ON);
    for (int i = 0; i < 4; i++) {
        network_kit_reach(A_PHONE);
        network_kit_pass(SECOND_MS);
    }
    network_kit_connect(NETWORK_ETHERNET, NEW_ADDRESS, "");
    network_kit_reach(A_PHONE);
    assert_true(trial_left_ms() > 0);
    assert_int_equal(access_point(), AP_ON);
    ask(false);
    network_kit_reach(A_PHONE); /* somebody's home has that network */
    assert_int_equal(trial_left_ms(), -1);
}

/* --- joining a network ------------------------------------------------------------------------ */

static void start_joining(void)
{
    start_access_point();
    network_kit_change(BY_WIFI);
    network_kit_pass(SECOND_MS);
    journal_expect("leaving put0 put1 up1");
    assert_int_equal(access_point(), AP_OFF);
    assert_int_equal(trial_left_ms(), NETWORK_TRIAL_MS - SECOND_MS);
}

static void a_network_that_was_joined_ends_it(void **unused)
{
    (void)unused;
    start_joining();
    network_kit_connect(NETWORK_WIFI, AN_ADDRESS, "");
    journal_expect("leaving");
    assert_int_equal(access_point(), AP_OFF);
    assert_int_equal(trial_left_ms(), -1);
    network_kit_expect_state(NETWORK_CONNECTED, "");
    network_kit_pass(10 * MINUTE_MS);
    journal_expect("drop2");
}

static void a_network_that_cannot_be_joined_brings_it_back(void **unused)
{
    (void)unused;
    start_joining();
    kit.card[INTERFACE_WIFI].failure = 7;
    network_kit_set_state(INTERFACE_WIFI, NM_DISCONNECTED);
    network_kit_expect_state(NETWORK_FAILED, "failure 7");
    kit.card[INTERFACE_WIFI].failure = 0;
    network_kit_set_state(INTERFACE_WIFI, NM_CONFIG);
    network_kit_pass(NETWORK_TRIAL_MS - SECOND_MS);
    journal_expect("up1 up1 up1 rollback");
    network_kit_take_back(true);
    assert_int_equal(access_point(), AP_STARTING);
    network_kit_pass(SECOND_MS);
    journal_expect("leaving put0 drop1 up2");
    network_kit_connect(NETWORK_ACCESS_POINT, NETWORK_AP_ADDRESS, "");
    assert_int_equal(access_point(), AP_ON);
    network_kit_expect_state(NETWORK_NO_LINK,
                             "the changed network settings were taken back: failure 7");
    network_kit_pass(MINUTE_MS);
    journal_expect("");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, network_kit_begin, network_kit_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_waits_until_its_answer_has_left),
        TEST(from_one_card_to_the_other),
        TEST(the_other_cards_settings_are_no_change),
        TEST(a_change_holds_when_the_page_is_reached),
        TEST(only_settings_that_are_in_force_are_proven),
        TEST(a_link_local_address_proves_as_much),
        TEST(what_nobody_reaches_is_taken_back),
        TEST(what_failed_at_first_is_taken_back_for_what_nobody_did_later),
        TEST(what_cannot_be_saved_is_taken_back_later),
        TEST(of_several_changes_the_settings_before_the_first_return),
        TEST(the_user_may_do_without_a_trial),
        TEST(what_no_user_changed_is_not_tried),
        TEST(after_a_power_cut_a_trial_begins_anew),
        cmocka_unit_test(what_a_change_needs_to_be_kept_is_known_before),
        TEST(during_a_trial_it_stays_what_was_before_the_first_change),
        TEST(of_a_change_that_was_not_saved_nothing_is_kept),
        cmocka_unit_test(a_file_of_what_was_not_saved_begins_no_trial),
        TEST(a_trial_that_ends_takes_nothing_from_the_next),
        TEST(so_does_one_that_ends_while_the_next_is_saved),
        TEST(what_a_factory_reset_forgets_is_not_taken_back_later),
        TEST(it_looks_around_before_it_begins),
        TEST(what_was_seen_just_now_will_do),
        TEST(an_access_point_cannot_look_around),
        TEST(what_it_lacks_is_told),
        TEST(one_that_would_route_ends_at_once),
        TEST(one_that_nobody_uses_ends),
        TEST(one_that_cannot_start_ends),
        TEST(one_that_breaks_off_is_begun_again),
        TEST(without_its_radio_it_ends_in_time),
        TEST(it_ends_when_it_is_not_wanted_any_more),
        TEST(a_soft_reset_ends_it),
        TEST(the_radio_is_its_own_until_it_ends),
        TEST(it_does_not_wait_for_what_is_refused),
        TEST(who_uses_it_proves_nothing),
        TEST(a_network_that_was_joined_ends_it),
        TEST(a_network_that_cannot_be_joined_brings_it_back),
    };
    return cmocka_run_group_tests(tests, network_kit_make_place, network_kit_remove_place);
}
