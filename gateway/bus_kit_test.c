#include "bus_kit_test.h"

#include "loop_kit_test.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define DBUS "org.freedesktop.DBus"

enum { ROUNDS = 30, NAMES_MAX = 4, NAME_MAX_BYTES = 64 };

static char folder[] = "/tmp/bus_kit.XXXXXX", path[64];
static struct loop *loop;
static void (*serve_call)(sd_bus_message *call);
static int listener = -1, matches;
static sd_bus *client; /* NULL: nobody is connected */
static const char *owner_when_asked;
static struct {
    char name[NAME_MAX_BYTES], owner[NAME_MAX_BYTES];
} names[NAMES_MAX];

/* --- what is said ----------------------------------------------------------------------------- */

/* The client may have left, and does not wait for answers. */
void bus_kit_send(const char *sender, sd_bus_message *m)
{
    int result;
    assert_true(sd_bus_message_set_sender(m, sender) >= 0);
    result = sd_bus_send(client, m, NULL);
    assert_true(result >= 0 || result == -ECONNRESET);
    sd_bus_message_unref(m);
}

sd_bus_message *bus_kit_new_answer(sd_bus_message *call)
{
    sd_bus_message *m = NULL;
    assert_true(sd_bus_message_new_method_return(call, &m) >= 0);
    return m;
}

sd_bus_message *bus_kit_new_signal(const char *object, const char *interface, const char *member)
{
    sd_bus_message *m = NULL;
    assert_true(sd_bus_message_new_signal(client, &m, object, interface, member) >= 0);
    return m;
}

/* Calls without a destination are the bus's: its greeting. */
static const char *callee(sd_bus_message *call)
{
    const char *to = sd_bus_message_get_destination(call);
    return to ? to : DBUS;
}

void bus_kit_answer(sd_bus_message *call, const char *types, ...)
{
    sd_bus_message *m = bus_kit_new_answer(call);
    va_list arguments;
    va_start(arguments, types);
    if (types[0])
        assert_true(sd_bus_message_appendv(m, types, arguments) >= 0);
    va_end(arguments);
    bus_kit_send(callee(call), m);
}

void bus_kit_answer_error(sd_bus_message *call, const char *name, const char *text)
{
    const sd_bus_error e = {.name = name, .message = text};
    sd_bus_message *m = NULL;
    assert_true(sd_bus_message_new_method_error(call, &m, &e) >= 0);
    bus_kit_send(callee(call), m);
}

/* --- the bus ---------------------------------------------------------------------------------- */

/* The owner of a name, or where to put it; "": nobody's. */
static char *owner_of(const char *name)
{
    int i = 0;
    while (i < NAMES_MAX && names[i].name[0] && strcmp(names[i].name, name) != 0)
        i++;
    assert_true(i < NAMES_MAX);
    snprintf(names[i].name, sizeof names[i].name, "%s", name);
    return names[i].owner;
}

static void change_owner(const char *name, const char *owner)
{
    char before[NAME_MAX_BYTES];
    memcpy(before, owner_of(name), sizeof before);
    snprintf(owner_of(name), sizeof before, "%s", owner);
    if (client) {
        sd_bus_message *m = bus_kit_new_signal("/org/freedesktop/DBus", DBUS, "NameOwnerChanged");
        assert_true(sd_bus_message_append(m, "sss", name, before, owner) >= 0);
        bus_kit_send(DBUS, m);
    }
}

void bus_kit_own(const char *name, const char *owner)
{
    change_owner(name, owner);
    if (client)
        bus_kit_settle();
}

void bus_kit_own_when_asked(const char *owner)
{
    owner_when_asked = owner;
}

static void say_owner(sd_bus_message *call)
{
    const char *name;
    assert_true(sd_bus_message_read(call, "s", &name) > 0);
    if (owner_when_asked)
        change_owner(name, owner_when_asked);
    owner_when_asked = NULL;
    if (owner_of(name)[0])
        bus_kit_answer(call, "s", owner_of(name));
    else
        bus_kit_answer_error(call, SD_BUS_ERROR_NAME_HAS_NO_OWNER, "no");
}

static void say_hello(sd_bus_message *call)
{
    bus_kit_answer(call, "s", ":1.1");
}

static void add_match(sd_bus_message *call)
{
    matches++;
    bus_kit_answer(call, "");
}

static void remove_match(sd_bus_message *call)
{
    (void)call;
    assert_true(matches-- > 0);
}

static void serve_bus(sd_bus_message *call)
{
    static const struct {
        const char *method;
        void (*serve)(sd_bus_message *call);
    } methods[] = {{"Hello", say_hello},
                   {"GetNameOwner", say_owner},
                   {"AddMatch", add_match},
                   {"RemoveMatch", remove_match}};
    size_t i = 0, n = sizeof methods / sizeof methods[0];
    while (i < n && strcmp(sd_bus_message_get_member(call), methods[i].method) != 0)
        i++;
    assert_true(i < n);
    methods[i].serve(call);
}

static int on_message(sd_bus_message *m, void *context, sd_bus_error *unused)
{
    (void)context, (void)unused;
    if (!sd_bus_message_is_method_call(m, NULL, NULL))
        return 0;
    (strcmp(callee(m), DBUS) == 0 ? serve_bus : serve_call)(m);
    return 1;
}

static void greet(void)
{
    sd_id128_t id = {.bytes = {1}};
    int fd = listener < 0 ? -1 : accept(listener, NULL, NULL);
    if (fd < 0)
        return;
    assert_null(client);
    assert_true(sd_bus_new(&client) >= 0 && sd_bus_set_fd(client, fd, fd) >= 0 &&
                sd_bus_set_server(client, 1, id) >= 0 && sd_bus_set_anonymous(client, 1) >= 0 &&
                sd_bus_add_filter(client, NULL, on_message, NULL) >= 0 && sd_bus_start(client) >= 0);
}

bool bus_kit_is_connected(void)
{
    return client;
}

void bus_kit_hang_up(void)
{
    client = sd_bus_close_unref(client);
    matches = 0;
}

int bus_kit_matches(void)
{
    return matches;
}

void bus_kit_settle(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        int result = 1;
        greet();
        while (client && result > 0)
            result = sd_bus_process(client, NULL);
        if (result < 0)
            bus_kit_hang_up();
        loop_kit_settle(loop);
        loop_kit_run(loop, 0);
    }
}

void bus_kit_pass(int64_t ms)
{
    loop_kit_pass(loop, ms);
    bus_kit_settle();
}

/* --- life ------------------------------------------------------------------------------------- */

int bus_kit_make_place(void **unused)
{
    char address[128];
    (void)unused;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/bus", folder);
    snprintf(address, sizeof address, "unix:path=%s", path);
    return setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
}

int bus_kit_remove_place(void **unused)
{
    (void)unused;
    return rmdir(folder);
}

static void stop_listening(void)
{
    if (listener >= 0) {
        close(listener);
        unlink(path);
    }
    listener = -1;
}

void bus_kit_listen(bool on)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    stop_listening();
    if (!on)
        return;
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 4), 0);
}

void bus_kit_begin(struct loop *l, void (*serve)(sd_bus_message *call))
{
    loop = l;
    serve_call = serve;
    owner_when_asked = NULL;
    memset(names, 0, sizeof names);
    bus_kit_listen(true);
}

void bus_kit_end(void)
{
    bus_kit_settle();
    assert_null(client);
    bus_kit_listen(false);
}
