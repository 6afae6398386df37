/* bus.c against a bus played by bus_kit_test.c, and two services played here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus.h"
#include "bus_kit_test.h"
#include "journal_kit_test.h"
#include "loop_kit_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ONE "org.example.One"
#define TWO "org.example.Two"
#define THING "org.example.Thing"
#define RULE "interface='" THING "'"

enum { MINUTE_MS = 60000, SIGNALS = 200, RULE_TOO_LONG = 1000, RULE_ARGUMENTS_MAX = 64 };

static struct loop loop;
static struct bus bus;
static struct bus_peer one, two;
static struct bus_peer *to_remove[2]; /* by whichever handler runs next */
static sd_bus_message *pending;       /* a call of "Later" */

/* --- both ends -------------------------------------------------------------------------------- */

static const char *short_name(const struct bus_peer *p)
{
    return p == &one ? "One" : "Two";
}

static void remove_what_is_to_be(void)
{
    for (size_t i = 0; i < 2 && to_remove[i]; i++)
        bus_remove(to_remove[i]);
    memset(to_remove, 0, sizeof to_remove);
}

static void on_came(struct bus_peer *p)
{
    journal_note("%s=%s", short_name(p), p->owner);
    remove_what_is_to_be();
}

static void on_left(struct bus_peer *p, const char *why)
{
    assert_string_equal(p->owner, "");
    journal_note("%s-(%s)", short_name(p), why);
    remove_what_is_to_be();
}

static int on_answer(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    const char *text = "";
    (void)unused;
    if (!sd_bus_message_is_method_error(answer, NULL))
        assert_true(sd_bus_message_read(answer, "s", &text) > 0);
    journal_note("%s:%s%s", short_name(context), text, bus_error_text(answer));
    remove_what_is_to_be();
    return -EINVAL;
}

static int on_signal(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
    (void)unused;
    assert_true(bus_is_from(context, signal));
    journal_note("%s!%s", short_name(context), sd_bus_message_get_member(signal));
    remove_what_is_to_be();
    return 1;
}

/* "Echo" gives its text back, "Fail" fails, "Later" is answered by the test. */
static void serve(sd_bus_message *call)
{
    const char *method = sd_bus_message_get_member(call), *text;
    assert_true(sd_bus_message_read(call, "s", &text) > 0);
    if (strcmp(method, "Later") == 0)
        pending = sd_bus_message_ref(call);
    else if (strcmp(method, "Fail") == 0)
        bus_kit_answer_error(call, THING ".Error", text[0] ? text : NULL);
    else
        bus_kit_answer(call, "s", text);
}

static void answer_pending(void)
{
    assert_non_null(pending);
    bus_kit_answer(pending, "s", "late");
    pending = sd_bus_message_unref(pending);
    bus_kit_settle();
}

static int ask(struct bus_peer *p, const char *method, const char *text)
{
    sd_bus_message *call = bus_new_call(p, "/", THING, method);
    assert_true(!call || sd_bus_message_append(call, "s", text) >= 0);
    return bus_call(p, call, on_answer, p);
}

static void tell(const char *sender, const char *interface, const char *member)
{
    bus_kit_send(sender, bus_kit_new_signal("/", interface, member));
    bus_kit_settle();
}

static void add(struct bus_peer *p)
{
    bus_add(&bus, p);
    bus_kit_settle();
}

/* One and two run and are known. */
static void add_both(void)
{
    bus_kit_own(ONE, ":1.7");
    bus_kit_own(TWO, ":1.8");
    add(&one);
    add(&two);
    journal_expect("One=:1.7 Two=:1.8");
}

static int begin(void **unused)
{
    (void)unused;
    journal_forget();
    memset(to_remove, 0, sizeof to_remove);
    one = (struct bus_peer){.name = ONE, .came = on_came, .left = on_left};
    two = (struct bus_peer){.name = TWO, .came = on_came, .left = on_left};
    loop_init(&loop);
    bus_kit_begin(&loop, serve);
    bus_open(&bus, &loop);
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    bus_close(&bus);
    pending = sd_bus_message_unref(pending);
    bus_kit_end();
    loop_close(&loop);
    return 0;
}

/* --- who is there ----------------------------------------------------------------------------- */

static void without_peers_there_is_no_connection(void **unused)
{
    (void)unused;
    bus_kit_settle();
    assert_false(bus_kit_is_connected());
    add_both();
    bus_remove(&one);
    bus_kit_settle();
    assert_true(bus_kit_is_connected());
    bus_remove(&two);
    bus_kit_settle();
    assert_false(bus_kit_is_connected());
    bus_kit_pass(2 * MINUTE_MS);
    assert_false(bus_kit_is_connected());
    journal_expect("");
}

static void nothing_is_told_from_within_a_call(void **unused)
{
    (void)unused;
    bus_kit_listen(false);
    bus_add(&bus, &one);
    journal_expect("");
    bus_kit_settle();
    journal_expect("One-(no system bus (No such file or directory))");
}

static void a_service_may_come_go_and_return(void **unused)
{
    (void)unused;
    add(&one);
    journal_expect("One-(One does not run)");
    assert_string_equal(one.owner, "");
    bus_kit_own(ONE, ":1.7");
    journal_expect("One=:1.7");
    bus_kit_own(ONE, "");
    journal_expect("One-(One is gone)");
    bus_kit_own(ONE, ":1.9");
    journal_expect("One=:1.9");
}

static void one_that_comes_while_it_is_asked_for_comes_once(void **unused)
{
    (void)unused;
    bus_kit_own_when_asked(":1.7");
    add(&one);
    journal_expect("One=:1.7");
}

static void one_in_place_of_another_leaves_and_comes(void **unused)
{
    (void)unused;
    add_both();
    bus_kit_own(ONE, ":1.9");
    journal_expect("One-(One is gone) One=:1.9");
    to_remove[0] = &one;
    bus_kit_own(ONE, ":1.10");
    journal_expect("One-(One is gone)");
}

static void an_absent_one_is_told_once(void **unused)
{
    (void)unused;
    add(&one);
    bus_kit_own(TWO, ":1.8");
    add(&two);
    journal_expect("One-(One does not run) Two=:1.8");
    bus_kit_hang_up();
    bus_kit_settle();
    journal_expect("Two-(no system bus (Connection reset by peer))");
    bus_kit_pass(MINUTE_MS);
    journal_expect("Two=:1.8");
    bus_remove(&one);
    add(&one);
    journal_expect("One-(One does not run)");
}

static void a_bus_is_tried_again_each_minute(void **unused)
{
    (void)unused;
    bus_kit_listen(false);
    bus_kit_own(ONE, ":1.7");
    add(&one);
    journal_expect("One-(no system bus (No such file or directory))");
    bus_kit_pass(MINUTE_MS);
    bus_kit_listen(true);
    bus_kit_pass(MINUTE_MS - 1);
    journal_expect("");
    bus_kit_pass(1);
    journal_expect("One=:1.7");
}

static void woken_it_tries_at_once(void **unused)
{
    (void)unused;
    bus_kit_listen(false);
    bus_kit_own(ONE, ":1.7");
    add(&one);
    journal_forget();
    bus_kit_listen(true);
    bus_wake(&bus);
    bus_kit_settle();
    journal_expect("One=:1.7");
}

static void a_bus_that_hangs_up_takes_all_with_it_and_brings_all_back(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(ask(&one, "Later", ""), 0);
    assert_int_equal(bus_match(&two, RULE, on_signal, &two), 0);
    bus_kit_settle();
    bus_kit_hang_up();
    bus_kit_settle();
    journal_expect("Two-(no system bus (Connection reset by peer)) "
                   "One-(no system bus (Connection reset by peer))");
    bus_kit_pass(MINUTE_MS);
    journal_expect("Two=:1.8 One=:1.7");
    assert_int_equal(bus_kit_matches(), 2);
    tell(":1.8", THING, "Changed");
    journal_expect("");
}

static void who_is_told_may_remove_others(void **unused)
{
    (void)unused;
    add_both();
    to_remove[0] = &one;
    bus_kit_hang_up();
    bus_kit_settle();
    journal_expect("Two-(no system bus (Connection reset by peer))");
    bus_kit_pass(MINUTE_MS);
    journal_expect("Two=:1.8");
    add(&one);
    journal_expect("One=:1.7");
    to_remove[0] = &one;
    to_remove[1] = &two;
    bus_kit_hang_up();
    bus_kit_settle();
    journal_expect("One-(no system bus (Connection reset by peer))");
}

static void one_that_comes_may_be_removed_by_itself(void **unused)
{
    (void)unused;
    bus_kit_own(ONE, ":1.7");
    to_remove[0] = &one;
    add(&one);
    journal_expect("One=:1.7");
    assert_null(one.bus);
    assert_false(bus_kit_is_connected());
}

static void removed_and_added_it_is_new(void **unused)
{
    (void)unused;
    add_both();
    bus_remove(&one);
    bus_remove(&one);
    bus_add(&bus, &one);
    assert_string_equal(one.owner, "");
    bus_kit_settle();
    journal_expect("One=:1.7");
    assert_int_equal(bus_kit_matches(), 2);
}

static void closed_it_tells_nothing(void **unused)
{
    (void)unused;
    add_both();
    bus_close(&bus);
    assert_null(one.bus);
    bus_remove(&one);
    bus_kit_settle();
    journal_expect("");
    assert_false(bus_kit_is_connected());
}

/* --- calls ------------------------------------------------------------------------------------ */

static void a_call_gets_its_answer(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(ask(&one, "Echo", "a"), 0);
    assert_int_equal(ask(&two, "Echo", "b"), 0);
    assert_int_equal(ask(&one, "Fail", "bad luck"), 0);
    assert_int_equal(ask(&one, "Fail", ""), 0);
    bus_kit_settle();
    journal_expect("One:a Two:b One:bad luck One:" THING ".Error");
}

static void an_answer_may_be_of_no_interest(void **unused)
{
    sd_bus_message *call;
    (void)unused;
    add_both();
    call = bus_new_call(&one, "/", THING, "Later");
    assert_true(sd_bus_message_append(call, "s", "") >= 0);
    assert_int_equal(bus_call(&one, call, NULL, NULL), 0);
    bus_kit_settle();
    assert_non_null(pending);
    assert_true(sd_bus_message_get_expect_reply(pending) == 0);
}

static void the_loop_wakes_when_an_answer_is_overdue(void **unused)
{
    (void)unused;
    add_both();
    bus_kit_pass(MINUTE_MS);
    assert_null(loop.timers);
    assert_int_equal(ask(&one, "Later", ""), 0);
    bus_kit_settle();
    assert_non_null(loop.timers);
    assert_in_range(loop.timers->due_ms - loop.now_ms, 15000, 25001);
    answer_pending();
    assert_null(loop.timers);
}

static void who_does_not_run_cannot_be_called(void **unused)
{
    (void)unused;
    assert_null(bus_new_call(&one, "/", THING, "Echo"));
    assert_int_equal(ask(&one, "Echo", ""), -ENOTCONN);
    assert_int_equal(bus_match(&one, RULE, on_signal, &one), -ENOTCONN);
    add(&one);
    assert_int_equal(ask(&one, "Echo", ""), -ENOTCONN);
    assert_int_equal(bus_match(&one, RULE, on_signal, &one), -ENOTCONN);
    bus_kit_own(ONE, ":1.7");
    assert_int_equal(bus_call(&one, NULL, on_answer, &one), -ENOMEM);
}

static void an_answer_after_it_left_reaches_nobody(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(ask(&one, "Later", ""), 0);
    bus_kit_settle();
    bus_kit_own(ONE, "");
    bus_kit_own(ONE, ":1.9");
    journal_forget();
    answer_pending();
    journal_expect("");
}

static void an_answer_after_it_was_removed_reaches_nobody(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(ask(&one, "Later", ""), 0);
    bus_kit_settle();
    bus_remove(&one);
    answer_pending();
    journal_expect("");
}

static void what_was_sent_before_it_was_removed_is_done(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(ask(&one, "Later", ""), 0);
    bus_remove(&one);
    bus_kit_settle();
    assert_non_null(pending);
}

static void an_answer_may_remove_the_peer(void **unused)
{
    (void)unused;
    add_both();
    to_remove[0] = &one;
    assert_int_equal(ask(&one, "Echo", "a"), 0);
    assert_int_equal(ask(&one, "Echo", "b"), 0);
    assert_int_equal(ask(&two, "Echo", "c"), 0);
    bus_kit_settle();
    journal_expect("One:a Two:c");
}

/* --- signals ---------------------------------------------------------------------------------- */

static void signals_are_those_of_the_peer_that_fit(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(bus_match(&one, RULE ",member='Changed'", on_signal, &one), 0);
    bus_kit_settle();
    tell(":1.7", THING, "Changed");
    tell(":1.7", THING, "Other");
    tell(":1.7", "org.example.Other", "Changed");
    tell(":1.8", THING, "Changed");
    journal_expect("One!Changed");
}

static void two_rules_that_fit_are_both_told(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(bus_match(&one, RULE, on_signal, &one), 0);
    assert_int_equal(bus_match(&one, RULE ",member='Changed'", on_signal, &one), 0);
    bus_kit_settle();
    tell(":1.7", THING, "Changed");
    journal_expect("One!Changed One!Changed");
}

static void rules_end_with_the_peer(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(bus_match(&one, RULE, on_signal, &one), 0);
    assert_int_equal(bus_match(&two, RULE, on_signal, &two), 0);
    bus_kit_settle();
    assert_int_equal(bus_kit_matches(), 4);
    bus_kit_own(ONE, "");
    assert_int_equal(bus_kit_matches(), 3);
    bus_remove(&two);
    bus_kit_settle();
    assert_int_equal(bus_kit_matches(), 1);
    journal_forget();
    tell(":1.7", THING, "Changed");
    tell(":1.8", THING, "Changed");
    journal_expect("");
}

static void a_signal_may_remove_the_peer(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(bus_match(&one, RULE, on_signal, &one), 0);
    assert_int_equal(bus_match(&one, RULE, on_signal, &one), 0);
    assert_int_equal(bus_match(&two, RULE, on_signal, &two), 0);
    bus_kit_settle();
    to_remove[0] = &one;
    tell(":1.7", THING, "Changed");
    tell(":1.7", THING, "Changed");
    tell(":1.8", THING, "Changed");
    journal_expect("One!Changed Two!Changed");
}

static void more_than_a_turn_of_signals_all_arrive(void **unused)
{
    char expected[SIGNALS * 6] = "One!S";
    (void)unused;
    add_both();
    assert_int_equal(bus_match(&one, RULE, on_signal, &one), 0);
    bus_kit_settle();
    for (int i = 0; i < SIGNALS; i++)
        bus_kit_send(":1.7", bus_kit_new_signal("/", THING, "S"));
    for (size_t i = 1; i < SIGNALS; i++)
        memcpy(expected + i * 6 - 1, " One!S", 7);
    bus_kit_settle();
    journal_expect(expected);
}

/* Cut somewhere, it could be a rule that fits more. */
static void expect_too_long(const char *interface)
{
    char rule[RULE_TOO_LONG];
    int length = snprintf(rule, sizeof rule, "interface='%s'", interface);
    for (int i = 0; i < RULE_ARGUMENTS_MAX; i++)
        length += snprintf(rule + length, sizeof rule - (size_t)length, ",arg%d='x'", i);
    assert_int_equal(bus_match(&one, rule, on_signal, &one), -EINVAL);
}

static void rules_that_cannot_be_are_refused(void **unused)
{
    (void)unused;
    add_both();
    assert_int_equal(bus_match(&one, "nonsense", on_signal, &one), -EINVAL);
    for (const char *name = "org.example.Some.Thing"; strlen(name) > strlen("Some.Thing"); name++)
        expect_too_long(name);
    bus_kit_settle();
    assert_int_equal(bus_kit_matches(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_peers_there_is_no_connection),
        TEST(nothing_is_told_from_within_a_call),
        TEST(a_service_may_come_go_and_return),
        TEST(one_that_comes_while_it_is_asked_for_comes_once),
        TEST(one_in_place_of_another_leaves_and_comes),
        TEST(an_absent_one_is_told_once),
        TEST(a_bus_is_tried_again_each_minute),
        TEST(woken_it_tries_at_once),
        TEST(a_bus_that_hangs_up_takes_all_with_it_and_brings_all_back),
        TEST(who_is_told_may_remove_others),
        TEST(one_that_comes_may_be_removed_by_itself),
        TEST(removed_and_added_it_is_new),
        TEST(closed_it_tells_nothing),
        TEST(a_call_gets_its_answer),
        TEST(an_answer_may_be_of_no_interest),
        TEST(the_loop_wakes_when_an_answer_is_overdue),
        TEST(who_does_not_run_cannot_be_called),
        TEST(an_answer_after_it_left_reaches_nobody),
        TEST(an_answer_after_it_was_removed_reaches_nobody),
        TEST(what_was_sent_before_it_was_removed_is_done),
        TEST(an_answer_may_remove_the_peer),
        TEST(signals_are_those_of_the_peer_that_fit),
        TEST(two_rules_that_fit_are_both_told),
        TEST(rules_end_with_the_peer),
        TEST(a_signal_may_remove_the_peer),
        TEST(more_than_a_turn_of_signals_all_arrive),
        TEST(rules_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, bus_kit_make_place, bus_kit_remove_place);
}
