#include "mdns.h"

#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define AVAHI "org.freedesktop.Avahi"
#define AVAHI_SERVER AVAHI ".Server"
#define AVAHI_GROUP AVAHI ".EntryGroup"
#define DBUS "org.freedesktop.DBus"

/* Of Avahi's interface: every interface, both families; and that an address has another name already, the host's. */
enum { ANY_INTERFACE = -1, ANY_FAMILY = -1, NO_REVERSE = 16 };

enum {
    AGAIN_MS = 60000,     /* a name may be free, or a bus be there by then */
    MESSAGES_A_TURN = 32, /* so that a chatty bus does not hold up the others */
    US_PER_MS = 1000
};

/* From the Avahi that runs now, and not from somebody else on the bus, or one that is gone. */
static bool is_avahis(const struct mdns *m, sd_bus_message *message)
{
    const char *sender = sd_bus_message_get_sender(message);
    return sender && m->owner[0] && strcmp(sender, m->owner) == 0;
}

static const char *name_of(const struct mdns_group *g)
{
    return g == &g->mdns->shared ? MDNS_SHARED_NAME : g->mdns->records.own_name;
}

/* --- what is asked of Avahi ------------------------------------------------------------------- */

/* Said once, and tried again later. */
static void fail(struct mdns_group *g, const char *what)
{
    if (g->told != MDNS_FAILURE)
        log_warning("mdns", "%s: Avahi %s", name_of(g), what);
    g->told = MDNS_FAILURE;
    loop_set_timer(g->mdns->loop, &g->mdns->again, AGAIN_MS);
}

/* An answer that is an error, by Avahi or by the bus's policy.  A group that lacks something is still of use, so its
 * state stays.  Of an Avahi that is gone the bus says so by itself. */
static int on_answer(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct mdns_group *g = context;
    const sd_bus_error *e = sd_bus_message_get_error(answer);
    char what[200];
    (void)unused;
    if (!e || !g->mdns->owner[0] || sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) ||
        sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN))
        return 0;
    snprintf(what, sizeof what, "refuses: %s", e->message ? e->message : e->name);
    fail(g, what);
    return 0;
}

/* To Avahi as it runs now: by its unique name, so that none is started, and none is meant that came later. */
static sd_bus_message *new_call(const struct mdns_group *g, const char *method)
{
    sd_bus_message *call = NULL;
    (void)sd_bus_message_new_method_call(g->mdns->bus, &call, g->mdns->owner, g->path, AVAHI_GROUP,
                                         method);
    return call;
}

/* Sends a call whose arguments were appended with this result. */
static int finish_call(struct mdns_group *g, sd_bus_message *call, int result)
{
    if (result >= 0)
        result = sd_bus_call_async(g->mdns->bus, NULL, call, on_answer, g, 0);
    sd_bus_message_unref(call);
    return result;
}

static int call_plain(struct mdns_group *g, const char *method)
{
    sd_bus_message *call = new_call(g, method);
    return finish_call(g, call, call ? 0 : -ENOMEM);
}

static int add_address(struct mdns_group *g, const struct mdns_address *a)
{
    sd_bus_message *call = new_call(g, "AddAddress");
    int result = sd_bus_message_append(call, "iiuss", a->interface, ANY_FAMILY,
                                       (uint32_t)NO_REVERSE, name_of(g), a->text);
    return finish_call(g, call, result);
}

static int append_texts(sd_bus_message *call, const struct mdns_service *s)
{
    int result = sd_bus_message_open_container(call, 'a', "ay");
    for (int i = 0; result >= 0 && i < MDNS_TEXTS_MAX && s->text[i][0]; i++)
        result = sd_bus_message_append_array(call, 'y', s->text[i], strlen(s->text[i]));
    return result < 0 ? result : sd_bus_message_close_container(call);
}

static int add_service(struct mdns_group *g, const struct mdns_service *s)
{
    sd_bus_message *call = new_call(g, "AddService");
    int result =
        sd_bus_message_append(call, "iiussssq", ANY_INTERFACE, ANY_FAMILY, UINT32_C(0), s->name,
                              s->type, "local", g->mdns->records.own_name, s->port);
    if (result >= 0)
        result = append_texts(call, s);
    return finish_call(g, call, result);
}

/* Replaces what the group holds.  The bus keeps the order of calls, so no answer is waited for. */
static int fill(struct mdns_group *g)
{
    const struct mdns_records *r = &g->mdns->records;
    int services = g == &g->mdns->own ? r->service_count : 0;
    int result = call_plain(g, "Reset");
    for (int i = 0; result >= 0 && i < r->address_count; i++)
        result = add_address(g, &r->address[i]);
    for (int i = 0; result >= 0 && i < services; i++)
        result = add_service(g, &r->service[i]);
    return result < 0 ? result : call_plain(g, "Commit");
}

/* Without an address there is nothing to find. */
static void publish(struct mdns_group *g)
{
    int result;
    if (!g->path[0])
        return;
    g->state = MDNS_UNCOMMITTED;
    result = g->mdns->records.address_count ? fill(g) : call_plain(g, "Reset");
    if (result < 0)
        log_warning("mdns", "%s: %s", name_of(g), strerror(-result));
}

/* --- what Avahi says -------------------------------------------------------------------------- */

static void tell(const struct mdns_group *g)
{
    const struct mdns *m = g->mdns;
    if (g->state == MDNS_ESTABLISHED)
        log_info("mdns", "found as %s", name_of(g));
    else if (g->state == MDNS_FAILURE)
        log_warning("mdns", "%s: Avahi cannot announce it", name_of(g));
    else if (g == &m->shared)
        log_info("mdns", "%s is another box; this one is %s", name_of(g), m->records.own_name);
    else
        log_warning("mdns", "%s is another box: do two have one serial number?", name_of(g));
}

static void take_state(struct mdns_group *g, int state)
{
    g->state = (enum mdns_state)state;
    if (state < MDNS_ESTABLISHED)
        return;
    if (state != MDNS_ESTABLISHED)
        loop_set_timer(g->mdns->loop, &g->mdns->again, AGAIN_MS);
    if (g->told != g->state)
        tell(g);
    g->told = g->state;
}

static int on_group_state(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
    struct mdns *m = context;
    struct mdns_group *const groups[] = {&m->own, &m->shared};
    int32_t state;
    const char *problem;
    (void)unused;
    if (!is_avahis(m, signal) || sd_bus_message_read(signal, "is", &state, &problem) < 0 ||
        state < MDNS_UNCOMMITTED || state > MDNS_FAILURE)
        return 0;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strcmp(sd_bus_message_get_path(signal), groups[i]->path) == 0)
            take_state(groups[i], state);
    return 0;
}

/* Avahi may be too busy to answer in time; a group that comes twice stays empty. */
static int on_group(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct mdns_group *g = context;
    const char *path = "";
    (void)unused;
    if (!g->mdns->owner[0] || g->path[0])
        return 0;
    if (is_avahis(g->mdns, answer) && !sd_bus_message_is_method_error(answer, NULL))
        (void)sd_bus_message_read(answer, "o", &path);
    if (path[0] && strlen(path) < sizeof g->path) {
        snprintf(g->path, sizeof g->path, "%s", path);
        publish(g);
        return 0;
    }
    fail(g, "gives no entry group");
    return 0;
}

static void ask_for_group(struct mdns_group *g)
{
    if (sd_bus_call_method_async(g->mdns->bus, NULL, g->mdns->owner, "/", AVAHI_SERVER,
                                 "EntryGroupNew", on_group, g, NULL) < 0)
        log_warning("mdns", "%s: out of memory", name_of(g));
}

/* --- whether Avahi is there ------------------------------------------------------------------- */

static void say_absent(struct mdns *m, const char *what)
{
    if (!m->said_absent)
        log_info("mdns", "%s: this box is not found by name until it is there", what);
    m->said_absent = true;
}

/* An owner: asked for both groups.  None: whatever was there is gone. */
static void take_owner(struct mdns *m, const char *owner)
{
    struct mdns_group *const groups[] = {&m->own, &m->shared};
    if (strcmp(owner, m->owner) == 0)
        return;
    snprintf(m->owner, sizeof m->owner, "%s", strlen(owner) < sizeof m->owner ? owner : "");
    loop_cancel_timer(m->loop, &m->again);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        *groups[i] = (struct mdns_group){.mdns = m};
        if (m->owner[0])
            ask_for_group(groups[i]);
    }
    if (m->owner[0])
        m->said_absent = false;
}

static int on_owner_changed(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
    struct mdns *m = context;
    const char *name, *before, *now;
    (void)unused;
    if (sd_bus_message_read(signal, "sss", &name, &before, &now) < 0)
        return 0;
    take_owner(m, now);
    if (!m->owner[0])
        say_absent(m, "Avahi is gone");
    return 0;
}

static int on_owner(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct mdns *m = context;
    const char *owner = "";
    (void)unused;
    if (!sd_bus_message_is_method_error(answer, NULL) &&
        sd_bus_message_read(answer, "s", &owner) >= 0)
        take_owner(m, owner);
    if (!m->owner[0])
        say_absent(m, "Avahi does not run");
    return 0;
}

/* The owner is asked for after its changes are listened for, so none is missed. */
static int begin(struct mdns *m)
{
    int result = sd_bus_add_match_async(m->bus, NULL,
                                        "type='signal',sender='" DBUS "',interface='" DBUS
                                        "',member='NameOwnerChanged',arg0='" AVAHI "'",
                                        on_owner_changed, NULL, m);
    if (result >= 0)
        result = sd_bus_add_match_async(
            m->bus, NULL, "type='signal',interface='" AVAHI_GROUP "',member='StateChanged'",
            on_group_state, NULL, m);
    if (result >= 0)
        result = sd_bus_call_method_async(m->bus, NULL, DBUS, "/org/freedesktop/DBus", DBUS,
                                          "GetNameOwner", on_owner, m, "s", AVAHI);
    return result;
}

/* --- the bus on our loop ---------------------------------------------------------------------- */

static void disconnect(struct mdns *m)
{
    loop_cancel_timer(m->loop, &m->timeout);
    loop_cancel_timer(m->loop, &m->again);
    if (m->watch.events)
        loop_watch(m->loop, &m->watch, 0);
    sd_bus_close_unref(m->bus);
    m->bus = NULL;
    m->owner[0] = 0;
    m->own = m->shared = (struct mdns_group){.mdns = m};
}

static void lose(struct mdns *m, int problem)
{
    char what[120];
    snprintf(what, sizeof what, "no system bus (%s)", strerror(problem));
    disconnect(m);
    say_absent(m, what);
    loop_set_timer(m->loop, &m->again, AGAIN_MS);
}

/* Milliseconds until the bus wants to look at its own timeouts; it tells the time in microseconds. */
static int64_t until_ms(uint64_t due_us)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    int64_t due_ms = (int64_t)(due_us / US_PER_MS) + 1;
    return due_us == 0 || due_ms <= now_ms ? 0 : due_ms - now_ms;
}

/* Waits for what the bus wants now.  Its events are poll's, whose bits are epoll's. */
static int wait_more(struct mdns *m)
{
    uint64_t due_us = UINT64_MAX;
    int events = sd_bus_get_events(m->bus);
    int result = events < 0 ? events : sd_bus_get_timeout(m->bus, &due_us);
    if (result >= 0 && (uint32_t)events != m->watch.events)
        result = loop_watch(m->loop, &m->watch, (uint32_t)events) < 0 ? -errno : 0;
    if (due_us == UINT64_MAX)
        loop_cancel_timer(m->loop, &m->timeout);
    else
        loop_set_timer(m->loop, &m->timeout, until_ms(due_us));
    return result;
}

/* Lets the bus read, write and call our handlers. */
static void turn(struct mdns *m)
{
    int result = 1;
    for (int i = 0; result > 0 && i < MESSAGES_A_TURN; i++)
        result = sd_bus_process(m->bus, NULL);
    if (result >= 0)
        result = wait_more(m);
    if (result < 0)
        lose(m, -result);
}

static void on_ready(struct loop_fd *watch, uint32_t events)
{
    (void)events;
    turn(CONTAINER_OF(watch, struct mdns, watch));
}

static void on_timeout(struct loop_timer *timer)
{
    turn(CONTAINER_OF(timer, struct mdns, timeout));
}

/* Does not block: the socket is local, and the bus greets us in its own time. */
static void connect_bus(struct mdns *m)
{
    int result = sd_bus_open_system(&m->bus);
    if (result >= 0)
        result = m->watch.fd = sd_bus_get_fd(m->bus);
    if (result >= 0)
        result = begin(m);
    if (result < 0)
        lose(m, -result);
    else
        turn(m);
}

static void try_again(struct mdns_group *g)
{
    if (!g->path[0])
        ask_for_group(g);
    else if (g->state != MDNS_REGISTERING && g->state != MDNS_ESTABLISHED)
        publish(g);
}

static void on_again(struct loop_timer *timer)
{
    struct mdns *m = CONTAINER_OF(timer, struct mdns, again);
    struct mdns_group *const groups[] = {&m->own, &m->shared};
    if (!m->bus) {
        connect_bus(m);
        return;
    }
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        try_again(groups[i]);
    turn(m);
}

/* --- life ------------------------------------------------------------------------------------- */

void mdns_open(struct mdns *m, struct loop *l)
{
    m->loop = l;
    m->watch.ready = on_ready;
    m->timeout.expired = on_timeout;
    m->again.expired = on_again;
    m->own.mdns = m->shared.mdns = m;
}

void mdns_set(struct mdns *m, const struct mdns_records *records)
{
    if (!m->loop || memcmp(records, &m->records, sizeof *records) == 0)
        return;
    m->records = *records;
    if (records->service_count == 0) {
        disconnect(m);
        return;
    }
    if (!m->bus) {
        connect_bus(m);
        return;
    }
    publish(&m->own);
    publish(&m->shared);
    turn(m);
}

void mdns_close(struct mdns *m)
{
    if (m->loop)
        disconnect(m);
    m->loop = NULL;
}

const char *mdns_name(const struct mdns *m, int i)
{
    const struct mdns_group *const groups[] = {&m->shared, &m->own};
    for (size_t n = 0; n < sizeof groups / sizeof groups[0]; n++)
        if (groups[n]->state == MDNS_ESTABLISHED && i-- == 0)
            return name_of(groups[n]);
    return NULL;
}
