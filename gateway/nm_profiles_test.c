/* nm.c: what NetworkManager is asked to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nm_kit_test.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* --- profiles --------------------------------------------------------------------------------- */

static void what_is_not_there_is_added_else_updated(void **unused)
{
    (void)unused;
    nm_kit_put(NETWORK_WIFI, "one45678");
    nm_kit_put(NETWORK_ETHERNET, "");
    bus_kit_settle();
    journal_expect("find1 find0 add1(22,one45678) add0(22,)");
    nm_kit_put(NETWORK_WIFI, "two45678");
    bus_kit_settle();
    journal_expect("find1 update1(2,two45678)");
    kit.known[NETWORK_WIFI] = false; /* somebody removed it */
    nm_kit_put(NETWORK_WIFI, "two45678");
    bus_kit_settle();
    journal_expect("find1 add1(22,two45678)");
}

static void of_what_comes_meanwhile_the_newest_is_put(void **unused)
{
    static const char *const slow[] = {"GetConnectionByUuid", "AddConnection2"};
    static const char *const done[] = {
        "find1 add1(22,new45678) find1 update1(2,new45678)",
        "find1 add1(22,old45678) find1 update1(2,new45678)",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(slow); i++) {
        kit.known[NETWORK_WIFI] = false;
        kit.held = slow[i];
        nm_kit_put(NETWORK_WIFI, "old45678");
        bus_kit_settle();
        nm_kit_put(NETWORK_WIFI, "mid45678");
        nm_kit_put(NETWORK_WIFI, "new45678");
        bus_kit_settle();
        nm_kit_answer_pending();
        journal_expect(done[i]);
    }
}

static void what_is_dropped_is_deleted_if_it_is_there(void **unused)
{
    (void)unused;
    nm_drop(kit.nm, NETWORK_WIFI);
    bus_kit_settle();
    journal_expect("find1");
    kit.known[NETWORK_WIFI] = true; /* of an earlier life of ours */
    nm_drop(kit.nm, NETWORK_WIFI);
    bus_kit_settle();
    journal_expect("find1 delete1");
}

/* Whatever is under way, the last wish holds. */
static void a_drop_and_a_put_take_each_others_place(void **unused)
{
    (void)unused;
    kit.held = "AddConnection2";
    nm_kit_put(NETWORK_WIFI, "12345678");
    nm_activate(kit.nm, NETWORK_WIFI);
    bus_kit_settle();
    nm_drop(kit.nm, NETWORK_WIFI);
    nm_kit_answer_pending();
    journal_expect("find1 add1(22,12345678) find1 delete1");

    kit.held = "Delete";
    kit.known[NETWORK_WIFI] = true;
    nm_drop(kit.nm, NETWORK_WIFI);
    bus_kit_settle();
    nm_kit_put(NETWORK_WIFI, "12345678");
    nm_kit_answer_pending();
    journal_expect("find1 delete1 find1 add1(22,12345678)");

    kit.held = "GetConnectionByUuid";
    nm_drop(kit.nm, NETWORK_WIFI);
    bus_kit_settle();
    nm_kit_put(NETWORK_WIFI, "new45678");
    nm_kit_answer_pending();
    journal_expect("find1 update1(2,new45678) find1 update1(2,new45678)");
}

static void an_activation_waits_for_its_profile(void **unused)
{
    (void)unused;
    nm_activate(kit.nm, NETWORK_ETHERNET);
    bus_kit_settle();
    journal_expect("");
    nm_kit_put(NETWORK_ETHERNET, "");
    bus_kit_settle();
    journal_expect("find0 add0(22,) activate0@" NM_KIT_ETHERNET);
    nm_activate(kit.nm, NETWORK_ETHERNET);
    bus_kit_settle();
    journal_expect("activate0@" NM_KIT_ETHERNET);
    nm_kit_put(NETWORK_ACCESS_POINT, "");
    nm_activate(kit.nm, NETWORK_ACCESS_POINT);
    bus_kit_settle();
    journal_expect("find2 add2(22,) activate2@" NM_KIT_WIFI);
}

static void an_activation_waits_for_the_one_before(void **unused)
{
    (void)unused;
    nm_kit_put(NETWORK_ETHERNET, "");
    kit.held = "ActivateConnection";
    nm_activate(kit.nm, NETWORK_ETHERNET);
    bus_kit_settle();
    nm_activate(kit.nm, NETWORK_ETHERNET);
    nm_activate(kit.nm, NETWORK_ETHERNET);
    nm_kit_answer_pending();
    journal_expect("find0 add0(22,) activate0@" NM_KIT_ETHERNET " activate0@" NM_KIT_ETHERNET);
}

static void settings_are_reapplied_to_the_card(void **unused)
{
    const struct network_profile eth = nm_kit_profile(NETWORK_ETHERNET, ""),
                                 wlan = nm_kit_profile(NETWORK_WIFI, "");
    (void)unused;
    nm_reapply(kit.nm, &eth);
    bus_kit_settle();
    journal_expect("reapply(eth0,0,0)@" NM_KIT_ETHERNET);
    kit.wifi.path = NULL;
    nm_kit_tell_change();
    nm_reapply(kit.nm, &wlan);
    nm_disconnect(kit.nm, INTERFACE_WIFI);
    bus_kit_settle();
    journal_expect("");
}

/* Told once with its reason; then everything can be asked for as before. */
static void what_is_refused_is_told_and_nothing_is_stuck(void **unused)
{
    static const struct {
        const char *method, *done;
    } cases[] = {
        {"AddConnection2", "find0 failed0(not for you)"},
        {"Update2", "find0 failed0(not for you)"},
        {"ActivateConnection", "find0 update0(2,) failed0(not for you)"},
        {"Delete", "find0 failed0(not for you)"},
        {"Reapply", "find0 update0(2,) activate0@" NM_KIT_ETHERNET " failed0(not for you)"},
    };
    const struct network_profile p = nm_kit_profile(NETWORK_ETHERNET, "");
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        kit.refused = cases[i].method;
        kit.known[NETWORK_ETHERNET] = i > 0;
        if (strcmp(kit.refused, "Delete") == 0) {
            nm_drop(kit.nm, NETWORK_ETHERNET);
        } else {
            nm_put(kit.nm, &p);
            nm_activate(kit.nm, NETWORK_ETHERNET);
        }
        bus_kit_settle();
        if (strcmp(kit.refused, "Reapply") == 0)
            nm_reapply(kit.nm, &p);
        bus_kit_settle();
        journal_expect(cases[i].done);
        kit.refused = "";
        kit.known[NETWORK_ETHERNET] = false;
        nm_put(kit.nm, &p);
        nm_activate(kit.nm, NETWORK_ETHERNET);
        bus_kit_settle();
        journal_expect("find0 add0(22,) activate0@" NM_KIT_ETHERNET);
    }
}

/* --- what is settled -------------------------------------------------------------------------- */

static bool is_settled(void)
{
    return nm_kit_card(INTERFACE_ETHERNET)->settled;
}

static void put_and_activate(void)
{
    nm_kit_put(NETWORK_ETHERNET, "");
    nm_activate(kit.nm, NETWORK_ETHERNET);
}

/* What was active before is shown for a moment longer, and has the addresses of before. */
static void what_is_shown_counts_when_the_activation_is_done(void **unused)
{
    (void)unused;
    nm_kit_show_card(&kit.ethernet, NM_ACTIVATED, "/a/1", NETWORK_ETHERNET);
    assert_true(is_settled());
    kit.held = "ActivateConnection";
    put_and_activate();
    assert_false(is_settled());
    bus_kit_settle();
    nm_kit_tell_change();
    assert_false(is_settled());
    nm_kit_answer_pending();
    nm_kit_tell_change();
    assert_false(is_settled());
    nm_kit_show_card(&kit.ethernet, NM_PREPARE, "/a/2", NETWORK_ETHERNET);
    assert_true(is_settled());
}

/* A new active connection that we did not ask for is the same profile. */
static void one_that_it_activates_by_itself_is_settled(void **unused)
{
    (void)unused;
    nm_kit_show_card(&kit.ethernet, NM_DISCONNECTED, NULL, -1);
    assert_false(is_settled());
    put_and_activate();
    bus_kit_settle();
    nm_kit_show_card(&kit.ethernet, NM_ACTIVATED, "/a/1", NETWORK_ETHERNET);
    assert_true(is_settled());
    nm_kit_show_card(&kit.ethernet, NM_UNAVAILABLE, NULL, -1);
    assert_false(is_settled());
    nm_kit_show_card(&kit.ethernet, NM_IP_CONFIG, "/a/2", NETWORK_ETHERNET);
    assert_true(is_settled());
}

static void one_that_could_not_be_replaced_stays_settled(void **unused)
{
    (void)unused;
    nm_kit_show_card(&kit.ethernet, NM_ACTIVATED, "/a/1", NETWORK_ETHERNET);
    kit.refused = "ActivateConnection";
    put_and_activate();
    bus_kit_settle();
    nm_kit_tell_change();
    assert_true(is_settled());
}

static void a_put_is_under_way_until_it_is_answered(void **unused)
{
    (void)unused;
    nm_kit_show_card(&kit.ethernet, NM_ACTIVATED, "/a/1", NETWORK_ETHERNET);
    kit.held = "AddConnection2";
    nm_kit_put(NETWORK_ETHERNET, "");
    bus_kit_settle();
    nm_kit_tell_change();
    assert_false(is_settled());
    nm_kit_answer_pending();
    bus_kit_pass(NM_KIT_REFRESH_MS);
    assert_true(is_settled());
}

static void another_profile_is_nothing_of_ours(void **unused)
{
    (void)unused;
    nm_kit_show_card(&kit.ethernet, NM_ACTIVATED, "/a/1", -1);
    assert_false(is_settled());
    assert_true(nm_kit_card(INTERFACE_ETHERNET)->busy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nm_kit_begin, nm_kit_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_there_is_added_else_updated),
        TEST(of_what_comes_meanwhile_the_newest_is_put),
        TEST(what_is_dropped_is_deleted_if_it_is_there),
        TEST(a_drop_and_a_put_take_each_others_place),
        TEST(an_activation_waits_for_its_profile),
        TEST(an_activation_waits_for_the_one_before),
        TEST(settings_are_reapplied_to_the_card),
        TEST(what_is_refused_is_told_and_nothing_is_stuck),
        TEST(what_is_shown_counts_when_the_activation_is_done),
        TEST(one_that_it_activates_by_itself_is_settled),
        TEST(one_that_could_not_be_replaced_stays_settled),
        TEST(a_put_is_under_way_until_it_is_answered),
        TEST(another_profile_is_nothing_of_ours),
    };
    return cmocka_run_group_tests(tests, bus_kit_make_place, bus_kit_remove_place);
}
