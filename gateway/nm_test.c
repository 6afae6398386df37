/* nm.c: what NetworkManager shows, and whether it is there; with nm_profiles_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nm_kit_test.h"

enum { REASON_NO_SECRETS = 7 };

/* --- it comes and goes ------------------------------------------------------------------------ */

static void assert_nothing_is_known(void)
{
    assert_false(nm_is_ready(kit.nm));
    for (int i = 0; i < NM_CARDS; i++) {
        assert_false(nm_kit_card(i)->present);
        assert_int_equal(nm_kit_card(i)->active, -1);
    }
}

static void before_it_comes_nothing_is_known(void **unused)
{
    (void)unused;
    assert_nothing_is_known();
    bus_kit_settle();
    assert_nothing_is_known();
    nm_kit_put(NETWORK_ETHERNET, "");
    nm_activate(kit.nm, NETWORK_ETHERNET);
    nm_disconnect(kit.nm, INTERFACE_ETHERNET);
    bus_kit_settle();
    bus_kit_own(NM_KIT, NM_KIT_OWNER);
    bus_kit_settle();
    journal_expect("");
}

static void when_it_comes_it_tells_all(void **unused)
{
    (void)unused;
    assert_true(nm_is_ready(kit.nm));
    assert_int_equal(kit.changes, 1);
    assert_int_equal(kit.asked, 1);
    assert_string_equal(nm_kit_card(INTERFACE_ETHERNET)->interface, "eth0");
    assert_string_equal(nm_kit_card(INTERFACE_ETHERNET)->address[0].text, "192.0.2.5");
    assert_string_equal(nm_kit_card(INTERFACE_WIFI)->interface, "wlan0");
    assert_int_equal(nm_kit_card(INTERFACE_WIFI)->state, NM_DISCONNECTED);
}

static void it_may_have_no_cards_at_all(void **unused)
{
    (void)unused;
    kit.ethernet.path = kit.wifi.path = NULL;
    bus_kit_own(NM_KIT, NM_KIT_OWNER);
    bus_kit_settle();
    assert_true(nm_is_ready(kit.nm));
    assert_int_equal(kit.changes, 1);
    assert_false(nm_kit_card(INTERFACE_ETHERNET)->present);
}

static void when_it_leaves_all_is_forgotten(void **unused)
{
    (void)unused;
    nm_kit_put(NETWORK_WIFI, "12345678");
    bus_kit_settle();
    journal_expect("find1 add1(22,12345678)");
    bus_kit_own(NM_KIT, "");
    assert_nothing_is_known();
    assert_int_equal(kit.changes, 2);
    kit.known[NETWORK_WIFI] = false;
    bus_kit_own(NM_KIT, NM_KIT_OWNER);
    bus_kit_settle();
    assert_true(nm_is_ready(kit.nm));
    assert_int_equal(kit.changes, 3);
    nm_activate(kit.nm, NETWORK_WIFI);
    bus_kit_settle();
    journal_expect("");
    nm_kit_put(NETWORK_WIFI, "12345678");
    bus_kit_settle();
    journal_expect("find1 add1(22,12345678) activate1@" NM_KIT_WIFI);
}

static void one_that_leaves_owes_no_answer(void **unused)
{
    (void)unused;
    kit.held = "GetConnectionByUuid";
    nm_kit_put(NETWORK_ETHERNET, "");
    bus_kit_settle();
    bus_kit_own(NM_KIT, "");
    bus_kit_own(NM_KIT, NM_KIT_OWNER);
    nm_kit_put(NETWORK_WIFI, "");
    nm_kit_answer_pending();
    journal_expect("find0 find1 add1(22,)");
}

static void it_may_end_while_calls_are_under_way(void **unused)
{
    (void)unused;
    kit.held = "GetConnectionByUuid";
    nm_kit_put(NETWORK_ETHERNET, "");
    nm_scan(kit.nm);
    nm_kit_tell_change();
    assert_non_null(kit.pending);
}

/* --- what it shows ---------------------------------------------------------------------------- */

static void a_change_is_told_and_nothing_else(void **unused)
{
    (void)unused;
    nm_kit_tell_change();
    assert_int_equal(kit.changes, 1);
    assert_int_equal(kit.asked, 2);
    nm_kit_show_card(&kit.ethernet, NM_PREPARE, "/a/1", NETWORK_ETHERNET);
    assert_int_equal(kit.changes, 2);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->active, NETWORK_ETHERNET);
    assert_true(nm_kit_card(INTERFACE_ETHERNET)->busy);
    kit.wifi.path = NULL;
    nm_kit_tell_change();
    assert_int_equal(kit.changes, 3);
    assert_false(nm_kit_card(INTERFACE_WIFI)->present);
}

static void many_signals_are_one_question(void **unused)
{
    (void)unused;
    for (int i = 0; i < 20; i++)
        bus_kit_send(NM_KIT_OWNER,
                     bus_kit_new_signal(NM_KIT_ETHERNET, NM_KIT ".Device", "Whatever"));
    bus_kit_settle();
    assert_int_equal(kit.asked, 1);
    bus_kit_pass(NM_KIT_REFRESH_MS);
    assert_int_equal(kit.asked, 2);
    bus_kit_pass(10 * NM_KIT_AGAIN_MS);
    assert_int_equal(kit.asked, 2);
}

static void a_signal_during_the_answer_asks_once_more(void **unused)
{
    (void)unused;
    kit.held = "GetManagedObjects";
    nm_kit_tell_change();
    nm_kit_tell_change();
    nm_kit_tell_change();
    nm_kit_answer_pending();
    assert_int_equal(kit.asked, 2);
    bus_kit_pass(NM_KIT_REFRESH_MS);
    assert_int_equal(kit.asked, 3);
    bus_kit_pass(10 * NM_KIT_AGAIN_MS);
    assert_int_equal(kit.asked, 3);
}

static void what_is_refused_is_asked_again_later(void **unused)
{
    (void)unused;
    kit.refused = "GetManagedObjects";
    nm_kit_show_card(&kit.ethernet, NM_ACTIVATED, "/a/1", NETWORK_ETHERNET);
    kit.refused = "";
    bus_kit_pass(NM_KIT_AGAIN_MS - 1);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->state, NM_DISCONNECTED);
    bus_kit_pass(1);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->state, NM_ACTIVATED);
}

/* What was read before is not there any more then. */
static void an_answer_that_breaks_off_names_no_card(void **unused)
{
    (void)unused;
    kit.held = "GetManagedObjects";
    nm_kit_tell_change();
    bus_kit_answer(kit.pending, "a{oa{sv}}", 0);
    kit.held = "";
    bus_kit_settle();
    nm_kit_put(NETWORK_ETHERNET, "");
    nm_activate(kit.nm, NETWORK_ETHERNET);
    nm_disconnect(kit.nm, INTERFACE_WIFI);
    bus_kit_settle();
    journal_expect("find0 add0(22,) activate0@/");
    bus_kit_pass(NM_KIT_AGAIN_MS);
    nm_disconnect(kit.nm, INTERFACE_WIFI);
    bus_kit_settle();
    journal_expect("disconnect@" NM_KIT_WIFI);
}

/* --- failures --------------------------------------------------------------------------------- */

static void a_reason_is_kept_until_it_is_connected(void **unused)
{
    (void)unused;
    nm_kit_tell_state(NM_KIT_ETHERNET, NM_FAILED, 5);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->failure, 5);
    assert_int_equal(kit.changes, 2);
    nm_kit_show_card(&kit.ethernet, NM_DISCONNECTED, NULL, -1);
    nm_kit_tell_state(NM_KIT_ETHERNET, NM_PREPARE, 0);
    nm_kit_show_card(&kit.ethernet, NM_IP_CONFIG, "/a/1", NETWORK_ETHERNET);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->failure, 5);
    nm_kit_tell_state(NM_KIT_ETHERNET, NM_FAILED, 8);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->failure, 8);
    nm_kit_show_card(&kit.ethernet, NM_ACTIVATED, "/a/1", NETWORK_ETHERNET);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->failure, 0);
    nm_kit_show_card(&kit.ethernet, NM_DISCONNECTED, NULL, -1);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->failure, 0);
}

static void a_failure_is_that_of_its_card(void **unused)
{
    (void)unused;
    nm_kit_tell_state(NM_KIT_WIFI, NM_FAILED, REASON_NO_SECRETS);
    nm_kit_tell_state("/d/other", NM_FAILED, 5);
    assert_int_equal(nm_kit_card(INTERFACE_WIFI)->failure, REASON_NO_SECRETS);
    assert_int_equal(nm_kit_card(INTERFACE_ETHERNET)->failure, 0);
}

static void a_new_profile_has_not_failed_yet(void **unused)
{
    (void)unused;
    nm_kit_tell_state(NM_KIT_WIFI, NM_FAILED, REASON_NO_SECRETS);
    nm_kit_put(NETWORK_WIFI, "12345678");
    bus_kit_settle();
    bus_kit_pass(NM_KIT_REFRESH_MS);
    assert_int_equal(nm_kit_card(INTERFACE_WIFI)->failure, 0);
}

static void failures_are_told_in_words(void **unused)
{
    const char *general = nm_failure_text(UINT32_MAX);
    (void)unused;
    assert_string_equal(nm_failure_text(0), "");
    assert_string_equal(nm_failure_text(REASON_NO_SECRETS), "the Wi-Fi password is wrong");
    assert_true(general[0]);
    assert_ptr_equal(nm_failure_text(1), general);
    for (uint32_t reason = 0; reason < 80; reason++)
        assert_int_equal(nm_failure_is_absence(reason), reason == 40 || reason == 53);
}

/* --- scans ------------------------------------------------------------------------------------ */

static void assert_networks(const char *name)
{
    const struct nm_network *list;
    assert_int_equal(nm_networks(kit.nm, &list), name != NULL);
    if (name)
        assert_string_equal(list[0].ssid, name);
}

static void a_scan_ends_when_the_radio_says_so(void **unused)
{
    (void)unused;
    assert_networks(NULL);
    nm_scan(kit.nm);
    nm_scan(kit.nm);
    bus_kit_settle();
    journal_expect("scan@" NM_KIT_WIFI);
    nm_kit_tell_change();
    journal_expect("");
    assert_networks(NULL);
    kit.wifi.scanned_ms = 600;
    nm_kit_tell_change();
    journal_expect("scanned");
    assert_networks("Home");
    kit.point.ssid = "Other";
    nm_kit_tell_change();
    assert_networks("Home");
    bus_kit_pass(2 * NM_KIT_SCAN_MS);
    journal_expect("");
}

static void a_scan_ends_after_a_while(void **unused)
{
    (void)unused;
    kit.refused = "RequestScan";
    nm_scan(kit.nm);
    bus_kit_settle();
    bus_kit_pass(NM_KIT_SCAN_MS - 1);
    journal_expect("");
    bus_kit_pass(1);
    journal_expect("scanned");
    assert_networks("Home");
}

static void an_access_point_tells_what_was_seen_before(void **unused)
{
    (void)unused;
    nm_scan(kit.nm);
    bus_kit_settle();
    bus_kit_pass(NM_KIT_SCAN_MS);
    journal_expect("scan@" NM_KIT_WIFI " scanned");
    kit.point.ssid = "Other";
    nm_kit_show_card(&kit.wifi, NM_ACTIVATED, "/a/1", NETWORK_ACCESS_POINT);
    nm_scan(kit.nm);
    journal_expect("");
    bus_kit_settle();
    journal_expect("scanned");
    assert_networks("Home");
}

static void without_a_radio_a_scan_ends_at_once(void **unused)
{
    (void)unused;
    kit.wifi.path = NULL;
    nm_kit_tell_change();
    nm_scan(kit.nm);
    bus_kit_settle();
    journal_expect("scanned");
    assert_networks(NULL);
}

static void a_scan_ends_with_networkmanager(void **unused)
{
    (void)unused;
    nm_scan(kit.nm);
    bus_kit_settle();
    bus_kit_own(NM_KIT, "");
    bus_kit_settle();
    journal_expect("scan@" NM_KIT_WIFI " scanned");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nm_kit_begin, nm_kit_end)
#define TEST_WITHOUT(name) cmocka_unit_test_setup_teardown(name, nm_kit_begin_without, nm_kit_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_WITHOUT(before_it_comes_nothing_is_known),
        TEST(when_it_comes_it_tells_all),
        TEST_WITHOUT(it_may_have_no_cards_at_all),
        TEST(when_it_leaves_all_is_forgotten),
        TEST(one_that_leaves_owes_no_answer),
        TEST(it_may_end_while_calls_are_under_way),
        TEST(a_change_is_told_and_nothing_else),
        TEST(many_signals_are_one_question),
        TEST(a_signal_during_the_answer_asks_once_more),
        TEST(what_is_refused_is_asked_again_later),
        TEST(an_answer_that_breaks_off_names_no_card),
        TEST(a_reason_is_kept_until_it_is_connected),
        TEST(a_failure_is_that_of_its_card),
        TEST(a_new_profile_has_not_failed_yet),
        TEST(failures_are_told_in_words),
        TEST(a_scan_ends_when_the_radio_says_so),
        TEST(a_scan_ends_after_a_while),
        TEST(an_access_point_tells_what_was_seen_before),
        TEST(without_a_radio_a_scan_ends_at_once),
        TEST(a_scan_ends_with_networkmanager),
    };
    return cmocka_run_group_tests(tests, bus_kit_make_place, bus_kit_remove_place);
}
