/* mdns.c against a bus and an Avahi played by this test, in the same thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log.h"
#include "loop_kit_test.h"
#include "mdns.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BUS "org.freedesktop.DBus"
#define AVAHI "org.freedesktop.Avahi"
#define OWNER ":1.7"
#define OWN "smart-connect-00112233aabb.local"

enum { MINUTE_MS = 60000, ROUNDS = 30 };

static struct loop loop;
static struct mdns mdns;
static struct mdns_records records;

/* The other end. */
static char folder[] = "/tmp/mdns_test.XXXXXX", path[64];
static int listener = -1;
static sd_bus *bus;         /* NULL: nobody is connected */
static const char *owner;   /* of Avahi's name; "": it does not run */
static const char *refused; /* Avahi answers this method with an error; "" none */
static int groups;          /* that were asked for */
static char journal[2000];  /* what was asked of Avahi, a word each */

/* --- the bus ---------------------------------------------------------------------------------- */

static void note(const char *group, const char *what, const char *more)
{
    size_t used = strlen(journal);
    snprintf(journal + used, sizeof journal - used, "%s%s%s%s%s", used ? " " : "", group, what,
             more[0] ? ":" : "", more);
}

static void send_as(const char *sender, sd_bus_message *message)
{
    assert_true(sd_bus_message_set_sender(message, sender) >= 0);
    assert_true(sd_bus_send(bus, message, NULL) >= 0);
    sd_bus_message_unref(message);
}

static void answer(sd_bus_message *call, const char *sender, const char *type, const char *value)
{
    sd_bus_message *m = NULL;
    assert_true(sd_bus_message_new_method_return(call, &m) >= 0);
    if (type)
        assert_true(sd_bus_message_append(m, type, value) >= 0);
    send_as(sender, m);
}

static void answer_error(sd_bus_message *call, const char *sender, const char *name)
{
    sd_bus_message *m = NULL;
    assert_true(sd_bus_message_new_method_errorf(call, &m, name, "no") >= 0);
    send_as(sender, m);
}

static void serve_bus(sd_bus_message *call, const char *method)
{
    if (strcmp(method, "Hello") == 0)
        answer(call, BUS, "s", ":1.1");
    else if (strcmp(method, "GetNameOwner") != 0)
        answer(call, BUS, NULL, NULL);
    else if (owner[0])
        answer(call, BUS, "s", owner);
    else
        answer_error(call, BUS, SD_BUS_ERROR_NAME_HAS_NO_OWNER);
}

/* The last argument that is a text says enough here: an address, or the host of a service. */
static void serve_avahi(sd_bus_message *call, const char *method)
{
    char text[MDNS_PATH_MAX + 8];
    const char *group = sd_bus_message_get_path(call), *name = "", *more = "";
    int32_t i;
    uint32_t u;
    assert_string_equal(sd_bus_message_get_destination(call), owner);
    if (strcmp(method, refused) == 0) {
        answer_error(call, owner, AVAHI ".Refused");
        return;
    }
    if (strcmp(method, "EntryGroupNew") == 0) {
        snprintf(text, sizeof text, "/group/%d", ++groups);
        answer(call, owner, "o", text);
        return;
    }
    if (strcmp(method, "AddAddress") == 0)
        assert_true(sd_bus_message_read(call, "iiuss", &i, &i, &u, &name, &more) > 0);
    if (strcmp(method, "AddService") == 0)
        assert_true(sd_bus_message_read(call, "iiuss", &i, &i, &u, &name, &more) > 0);
    note(group + strlen("/group/"), method, more);
    answer(call, owner, NULL, NULL);
}

static int serve(sd_bus_message *call, void *context, sd_bus_error *unused)
{
    (void)context, (void)unused;
    if (!sd_bus_message_is_method_call(call, NULL, NULL))
        return 0;
    const char *to = sd_bus_message_get_destination(call);
    (to && strcmp(to, BUS) != 0 ? serve_avahi : serve_bus)(call, sd_bus_message_get_member(call));
    return 1;
}

static void greet(void)
{
    sd_id128_t id = {.bytes = {1}};
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        return;
    assert_null(bus);
    assert_true(sd_bus_new(&bus) >= 0 && sd_bus_set_fd(bus, fd, fd) >= 0 &&
                sd_bus_set_server(bus, 1, id) >= 0 && sd_bus_set_anonymous(bus, 1) >= 0 &&
                sd_bus_add_filter(bus, NULL, serve, NULL) >= 0 && sd_bus_start(bus) >= 0);
}

static void leave(void)
{
    bus = sd_bus_close_unref(bus);
}

/* Both ends say what they have to say. */
static void settle(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        int result = 1;
        greet();
        while (bus && result > 0)
            result = sd_bus_process(bus, NULL);
        if (result < 0)
            leave();
        loop_kit_settle(&loop);
    }
}

static void tell_state(const char *sender, int group, int state)
{
    char where[32];
    sd_bus_message *m = NULL;
    snprintf(where, sizeof where, "/group/%d", group);
    assert_true(sd_bus_message_new_signal(bus, &m, where, AVAHI ".EntryGroup", "StateChanged") >= 0);
    assert_true(sd_bus_message_append(m, "is", state, "") >= 0);
    send_as(sender, m);
    settle();
}

static void change_owner(const char *now)
{
    sd_bus_message *m = NULL;
    assert_true(
        sd_bus_message_new_signal(bus, &m, "/org/freedesktop/DBus", BUS, "NameOwnerChanged") >= 0);
    assert_true(sd_bus_message_append(m, "sss", AVAHI, owner, now) >= 0);
    owner = now;
    send_as(BUS, m);
    settle();
}

/* --- tests ------------------------------------------------------------------------------------ */

static void listen_at_path(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 4), 0);
}

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
    owner = OWNER;
    refused = "";
    groups = 0;
    journal[0] = 0;
    listen_at_path();
    loop_init(&loop);
    memset(&mdns, 0, sizeof mdns);
    mdns_open(&mdns, &loop);
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
    settle();
    assert_null(bus);
    close(listener);
    unlink(path);
    loop_close(&loop);
    return 0;
}

static void publish(void)
{
    mdns_set(&mdns, &records);
    settle();
}

#define OWN_CALLS "1Reset 1AddAddress:192.0.2.5 1AddService:_modbus._tcp 1Commit"
#define SHARED_CALLS "2Reset 2AddAddress:192.0.2.5 2Commit"

static void both_groups_are_filled_in_order(void **unused)
{
    (void)unused;
    publish();
    assert_string_equal(journal, OWN_CALLS " " SHARED_CALLS);
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
    sd_bus_message *m = NULL;
    (void)unused;
    publish();
    tell_state(":1.66", 1, MDNS_ESTABLISHED);
    tell_state(OWNER, 3, MDNS_ESTABLISHED);
    tell_state(OWNER, 1, MDNS_FAILURE + 1);
    tell_state(OWNER, 1, -1);
    assert_true(
        sd_bus_message_new_signal(bus, &m, "/group/1", AVAHI ".EntryGroup", "StateChanged") >= 0);
    assert_true(sd_bus_message_append(m, "s", "2") >= 0);
    send_as(OWNER, m);
    settle();
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
    journal[0] = 0;
    loop_kit_pass(&loop, MINUTE_MS - 1);
    settle();
    assert_string_equal(journal, "");
    loop_kit_pass(&loop, 1);
    settle();
    assert_string_equal(journal, SHARED_CALLS);
    tell_state(OWNER, 2, MDNS_ESTABLISHED);
    assert_string_equal(mdns_name(&mdns, 0), MDNS_SHARED_NAME);
    loop_kit_pass(&loop, 2 * MINUTE_MS);
    settle();
    assert_string_equal(journal, SHARED_CALLS);
}

static void the_same_costs_nothing_and_a_change_fills_anew(void **unused)
{
    (void)unused;
    publish();
    journal[0] = 0;
    publish();
    assert_string_equal(journal, "");
    snprintf(records.address[0].text, sizeof records.address[0].text, "%s", "192.0.2.6");
    add_door("1503");
    publish();
    assert_string_equal(journal, "1Reset 1AddAddress:192.0.2.6 1AddService:_modbus._tcp "
                                 "1AddService:_modbus._tcp 1Commit "
                                 "2Reset 2AddAddress:192.0.2.6 2Commit");
}

static void without_an_address_nothing_is_told(void **unused)
{
    (void)unused;
    records.address_count = 0;
    publish();
    assert_string_equal(journal, "1Reset 2Reset");
}

static void without_a_door_we_leave_the_bus(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    records.service_count = 0;
    publish();
    assert_null(bus);
    assert_null(mdns_name(&mdns, 0));
    loop_kit_pass(&loop, 2 * MINUTE_MS);
    settle();
    assert_null(bus);
}

static void what_avahi_refuses_is_tried_again(void **unused)
{
    (void)unused;
    refused = "Commit";
    publish();
    loop_kit_pass(&loop, MINUTE_MS);
    settle();
    refused = "";
    journal[0] = 0;
    loop_kit_pass(&loop, MINUTE_MS);
    settle();
    assert_string_equal(journal, OWN_CALLS " " SHARED_CALLS);
}

static void an_avahi_that_gives_no_group_is_asked_again(void **unused)
{
    (void)unused;
    refused = "EntryGroupNew";
    publish();
    loop_kit_pass(&loop, MINUTE_MS);
    settle();
    assert_string_equal(journal, "");
    refused = "";
    loop_kit_pass(&loop, MINUTE_MS);
    settle();
    assert_string_equal(journal, OWN_CALLS " " SHARED_CALLS);
}

static void another_avahi_gets_everything_anew(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    change_owner("");
    assert_null(mdns_name(&mdns, 0));
    groups = 0;
    journal[0] = 0;
    change_owner(":1.9");
    assert_string_equal(journal, OWN_CALLS " " SHARED_CALLS);
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    assert_null(mdns_name(&mdns, 0));
    tell_state(":1.9", 1, MDNS_ESTABLISHED);
    assert_string_equal(mdns_name(&mdns, 0), OWN);
}

static void avahi_may_come_later(void **unused)
{
    (void)unused;
    owner = "";
    publish();
    assert_string_equal(journal, "");
    change_owner(OWNER);
    assert_string_equal(journal, OWN_CALLS " " SHARED_CALLS);
}

static void a_bus_that_ends_is_looked_for_again(void **unused)
{
    (void)unused;
    publish();
    tell_state(OWNER, 1, MDNS_ESTABLISHED);
    leave();
    settle();
    assert_null(mdns_name(&mdns, 0));
    assert_null(bus);
    groups = 0;
    journal[0] = 0;
    loop_kit_pass(&loop, MINUTE_MS);
    settle();
    assert_string_equal(journal, OWN_CALLS " " SHARED_CALLS);
}

static void a_bus_may_come_later(void **unused)
{
    (void)unused;
    close(listener);
    unlink(path);
    publish();
    listen_at_path();
    loop_kit_pass(&loop, MINUTE_MS);
    settle();
    assert_string_equal(journal, OWN_CALLS " " SHARED_CALLS);
}

static void off_means_off(void **unused)
{
    (void)unused;
    mdns_close(&mdns);
    publish();
    assert_null(bus);
    assert_null(mdns_name(&mdns, 0));
}

static int make_folder(void **unused)
{
    char address[128];
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/bus", folder);
    snprintf(address, sizeof address, "unix:path=%s", path);
    return setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
}

static int remove_folder(void **unused)
{
    (void)unused;
    return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_groups_are_filled_in_order),
        TEST(names_are_those_that_hold),
        TEST(only_avahi_is_believed),
        TEST(a_name_that_is_taken_is_asked_for_again_and_nothing_else),
        TEST(the_same_costs_nothing_and_a_change_fills_anew),
        TEST(without_an_address_nothing_is_told),
        TEST(without_a_door_we_leave_the_bus),
        TEST(what_avahi_refuses_is_tried_again),
        TEST(an_avahi_that_gives_no_group_is_asked_again),
        TEST(another_avahi_gets_everything_anew),
        TEST(avahi_may_come_later),
        TEST(a_bus_that_ends_is_looked_for_again),
        TEST(a_bus_may_come_later),
        TEST(off_means_off),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
