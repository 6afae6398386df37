/* mdns.c against a bus and an Avahi played by this test, in the same thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus_kit_test.h"
#include "journal_kit_test.h"
#include "log.h"
#include "loop_kit_test.h"
#include "mdns.h"

#include <stdio.h>
#include <string.h>

#define AVAHI "org.freedesktop.Avahi"
#define OWNER ":1.7"
#define OWN "smart-connect-00112233aabb.local"

enum { MINUTE_MS = 60000, REGISTERED_MS = 10000 };

static struct loop loop;
static struct bus bus;
static struct mdns mdns;
static struct mdns_records records;

/* The other end. */
static const char *refused; /* Avahi answers this method with an error; "" none */
static int groups;          /* that were asked for */

/* --- Avahi ------------------------------------------------------------------------------------ */

static void give_group(sd_bus_message *call)
{
    char text[MDNS_PATH_MAX];
    snprintf(text, sizeof text, "/group/%d", ++groups);
    bus_kit_answer(call, "o", text);
}

/* The last argument that is a text says enough here: an address, or the type of a service. */
static void serve_group(sd_bus_message *call, const char *method)
{
    const char *group = sd_bus_message_get_path(call), *name = "", *more = "";
    int32_t i;
    uint32_t u;
    if (strcmp(method, "AddAddress") == 0 || strcmp(method, "AddService") == 0)
        assert_true(sd_bus_message_read(call, "iiuss", &i, &i, &u, &name, &more) > 0);
    journal_note("%s%s%s%s", group + strlen("/group/"), method, more[0] ? ":" : "", more);
    bus_kit_answer(call, "");
}

static void serve(sd_bus_message *call)
{
    const char *method = sd_bus_message_get_member(call);
    if (strcmp(method, refused) == 0)
        bus_kit_answer_error(call, AVAHI ".Refused", "no");
    else if (strcmp(method, "EntryGroupNew") == 0)
        give_group(call);
    else
        serve_group(call, method);
}

static sd_bus_message *new_state(int group)
{
    char where[32];
    snprintf(where, sizeof where, "/group/%d", group);
    return bus_kit_new_signal(where, AVAHI ".EntryGroup", "StateChanged");
}

static void tell_state(const char *sender, int group, int state)
{
    sd_bus_message *m = new_state(group);
    assert_true(sd_bus_message_append(m, "is", state, "") >= 0);
    bus_kit_send(sender, m);
    bus_kit_settle();
}

/* --- tests ------------------------------------------------------------------------------------ */

static void add_door(const char *place)
{
    struct sockaddr_storage address;
    socklen_t length;
    assert_true(address_parse(place, &address, &length));
    mdns_records_add_modbus(&records, &address, "SunSpec");
}

static int begin(void **unused)
{
    (void)unused;
    journal_forget();
    refused = "";
    groups = 0;
    loop_init(&loop);
    bus_kit_begin(&loop, serve);
    bus_kit_own(AVAHI, OWNER);
    memset(&mdns, 0, sizeof mdns);
    bus_open(&bus, &loop);
    mdns_open(&mdns, &loop, &bus);
    mdns_records_begin(&records, "00112233AABB");
    add_door("502");
    records.address_count = 1;
    records.address[0] = (struct mdns_address){.interface = 1, .text = "192.0.2.5"};
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    mdns_close(&mdns);
    bus_close(&bus);
    bus_kit_end();
    loop_close(&loop);
    return 0;
}

static void publish(void)
{
    mdns_set(&mdns, &records);
    bus_kit_settle();
}

#define OWN_CALLS "1Reset 1AddAddress:192.0.2.5 1AddService:_modbus._tcp 1Commit"
#define SHARED_CALLS "2Reset 2AddAddress:192.0.2.5 2Commit"

static void both_groups_are_filled_in_order(void **unused)
{
    (void)unused;
    publish();
    journal_expect(OWN_CALLS " " SHARED_CALLS);
    assert_null(mdns_name(&mdns, 0));
}

static void names_are_those_that_hold(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_REGISTERING);
    assert_null(mdns_name(&mdns, 0));
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    assert_string_equal(mdns_name(&mdns, 0), OWN);
    assert_null(mdns_name(&mdns, 1));
    tell_state(OWNER, 2, MDNS_ESTABLISHED);
    assert_string_equal(mdns_name(&mdns, 0), MDNS_SHARED_NAME);
    assert_string_equal(mdns_name(&mdns, 1), OWN);
    assert_null(mdns_name(&mdns, 2));
}

static void only_avahi_is_believed(void **unused)
{
    sd_bus_message *m;
    (void)unused;
    publish();
    tell_state(":1.66", 1, MDNS_ESTABLISHED);
    tell_state(OWNER, 3, MDNS_ESTABLISHED);
    tell_state(OWNER, 1, MDNS_FAILURE + 1);
    tell_state(OWNER, 1, -1);
    m = new_state(1);
    assert_true(sd_bus_message_append(m, "s", "2") >= 0);
    bus_kit_send(OWNER, m);
    bus_kit_settle();
    assert_null(mdns_name(&mdns, 0));
}

static void a_name_that_is_taken_is_asked_for_again_and_nothing_else(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    tell_state(OWNER, 2, MDNS_ESTABLISHED);
    tell_state(OWNER, 2, MDNS_COLLISION);
    assert_string_equal(mdns_name(&mdns, 0), OWN);
    journal_forget();
    bus_kit_pass(MINUTE_MS - 1);
    journal_expect("");
    bus_kit_pass(1);
    journal_expect(SHARED_CALLS);
    tell_state(OWNER, 2, MDNS_ESTABLISHED);
    assert_string_equal(mdns_name(&mdns, 0), MDNS_SHARED_NAME);
    bus_kit_pass(2 * MINUTE_MS);
    journal_expect("");
}

/* Avahi 0.8, when a card loses its address while it asks whether a name is free. */
static void a_name_that_hangs_is_asked_for_anew(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_REGISTERING);
    tell_state(OWNER, 2, MDNS_ESTABLISHED);
    journal_forget();
    for (int i = 0; i < 2; i++) {
        bus_kit_pass(REGISTERED_MS - 1);
        journal_expect("");
        bus_kit_pass(1);
        journal_expect(OWN_CALLS);
        tell_state(OWNER, 1, MDNS_REGISTERING);
    }
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    bus_kit_pass(2 * MINUTE_MS);
    journal_expect("");
}

static void the_same_costs_nothing_and_a_change_fills_anew(void **unused)
{
    (void)unused;
    publish();
    journal_forget();
    publish();
    journal_expect("");
    snprintf(records.address[0].text, sizeof records.address[0].text, "%s", "192.0.2.6");
    add_door("1503");
    publish();
    journal_expect("1Reset 1AddAddress:192.0.2.6 1AddService:_modbus._tcp "
                   "1AddService:_modbus._tcp 1Commit "
                   "2Reset 2AddAddress:192.0.2.6 2Commit");
}

static void without_an_address_nothing_is_told(void **unused)
{
    (void)unused;
    records.address_count = 0;
    publish();
    journal_expect("1Reset 2Reset");
}

static void without_a_door_we_leave_the_bus(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    records.service_count = 0;
    publish();
    assert_false(bus_kit_is_connected());
    assert_null(mdns_name(&mdns, 0));
    bus_kit_pass(2 * MINUTE_MS);
    assert_false(bus_kit_is_connected());
}

static void ignore(struct bus_peer *p)
{
    (void)p;
}

static void ignore_why(struct bus_peer *p, const char *why)
{
    (void)p, (void)why;
}

static void without_a_door_avahi_keeps_nothing_for_us_on_a_bus_that_stays(void **unused)
{
    struct bus_peer other = {.name = "org.example.Other", .came = ignore, .left = ignore_why};
    (void)unused;
    bus_add(&bus, &other);
    publish();
    journal_forget();
    records.service_count = 0;
    publish();
    journal_expect("1Free 2Free");
    assert_true(bus_kit_is_connected());
    assert_null(mdns_name(&mdns, 0));
    groups = 0;
    add_door("502");
    publish();
    journal_expect(OWN_CALLS " " SHARED_CALLS);
    bus_remove(&other);
}

static void what_avahi_refuses_is_tried_again(void **unused)
{
    (void)unused;
    refused = "Commit";
    publish();
    bus_kit_pass(MINUTE_MS);
    refused = "";
    journal_forget();
    bus_kit_pass(MINUTE_MS);
    journal_expect(OWN_CALLS " " SHARED_CALLS);
}

static void an_avahi_that_gives_no_group_is_asked_again(void **unused)
{
    (void)unused;
    refused = "EntryGroupNew";
    publish();
    bus_kit_pass(MINUTE_MS);
    journal_expect("");
    refused = "";
    bus_kit_pass(MINUTE_MS);
    journal_expect(OWN_CALLS " " SHARED_CALLS);
}

static void another_avahi_gets_everything_anew(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    bus_kit_own(AVAHI, "");
    assert_null(mdns_name(&mdns, 0));
    groups = 0;
    journal_forget();
    bus_kit_own(AVAHI, ":1.9");
    journal_expect(OWN_CALLS " " SHARED_CALLS);
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    assert_null(mdns_name(&mdns, 0));
    tell_state(":1.9", 1, MDNS_ESTABLISHED);
    assert_string_equal(mdns_name(&mdns, 0), OWN);
}

static void avahi_may_come_later(void **unused)
{
    (void)unused;
    bus_kit_own(AVAHI, "");
    publish();
    journal_expect("");
    bus_kit_own(AVAHI, OWNER);
    journal_expect(OWN_CALLS " " SHARED_CALLS);
}

static void a_bus_that_ends_is_looked_for_again(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    bus_kit_hang_up();
    bus_kit_settle();
    assert_null(mdns_name(&mdns, 0));
    assert_false(bus_kit_is_connected());
    groups = 0;
    journal_forget();
    bus_kit_pass(MINUTE_MS);
    journal_expect(OWN_CALLS " " SHARED_CALLS);
}

static void a_bus_may_come_later(void **unused)
{
    (void)unused;
    bus_kit_listen(false);
    publish();
    bus_kit_listen(true);
    bus_kit_pass(MINUTE_MS);
    journal_expect(OWN_CALLS " " SHARED_CALLS);
}

static void off_means_off(void **unused)
{
    (void)unused;
    mdns_close(&mdns);
    publish();
    assert_false(bus_kit_is_connected());
    assert_null(mdns_name(&mdns, 0));
}

static int begin_all(void **unused)
{
    log_set_level(LOG_LEVEL_ERROR);
    return bus_kit_make_place(unused);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_groups_are_filled_in_order),
        TEST(names_are_those_that_hold),
        TEST(only_avahi_is_believed),
        TEST(a_name_that_is_taken_is_asked_for_again_and_nothing_else),
        TEST(a_name_that_hangs_is_asked_for_anew),
        TEST(the_same_costs_nothing_and_a_change_fills_anew),
        TEST(without_an_address_nothing_is_told),
        TEST(without_a_door_we_leave_the_bus),
        TEST(without_a_door_avahi_keeps_nothing_for_us_on_a_bus_that_stays),
        TEST(what_avahi_refuses_is_tried_again),
        TEST(an_avahi_that_gives_no_group_is_asked_again),
        TEST(another_avahi_gets_everything_anew),
        TEST(avahi_may_come_later),
        TEST(a_bus_that_ends_is_looked_for_again),
        TEST(a_bus_may_come_later),
        TEST(off_means_off),
    };
    return cmocka_run_group_tests(tests, begin_all, bus_kit_remove_place);
}
