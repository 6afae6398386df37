#include "bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DBUS "org.freedesktop.DBus"

enum {
    AGAIN_MS = 60000,     /* a bus may be there by then */
    MESSAGES_A_TURN = 32, /* so that a chatty bus does not hold up the others */
    US_PER_MS = 1000,
    WHY_MAX = 160,
    RULE_MAX = 512
};

/* A match, or a call whose answer is awaited. */
struct bus_use {
    struct bus_use *next;
    struct bus_peer *peer;
    sd_bus_slot *slot;
    sd_bus_message_handler_t handler;
    void *context;
};

/* --- matches and calls ------------------------------------------------------------------------ */

static struct bus_use *new_use(struct bus_peer *p, sd_bus_message_handler_t handler, void *context)
{
    struct bus_use *use = calloc(1, sizeof *use);
    if (!use)
        return NULL;
    *use = (struct bus_use){.next = p->uses, .peer = p, .handler = handler, .context = context};
    p->uses = use;
    return use;
}

/* Also while its handler runs: the bus keeps what it needs of the slot until then. */
static void release(struct bus_use *use)
{
    sd_bus_slot_unref(use->slot);
    free(use);
}

static void drop(struct bus_use *use)
{
    struct bus_use **link = &use->peer->uses;
    while (*link != use)
        link = &(*link)->next;
    *link = use->next;
    release(use);
}

/* The peer does not run, or not as it did. */
static void forget_owner(struct bus_peer *p)
{
    struct bus_use *use;
    p->owner[0] = 0;
    while ((use = p->uses) != NULL) {
        p->uses = use->next;
        release(use);
    }
}

static int on_answer(sd_bus_message *answer, void *context, sd_bus_error *error)
{
    struct bus_use *use = context;
    sd_bus_message_handler_t handler = use->handler;
    void *its_context = use->context;
    drop(use);
    (void)handler(answer, its_context, error);
    return 0;
}

/* Nothing of `use` is touched after its handler, which may have removed the peer. */
static int on_signal(sd_bus_message *signal, void *context, sd_bus_error *error)
{
    const struct bus_use *use = context;
    (void)use->handler(signal, use->context, error);
    return 0;
}

sd_bus_message *bus_new_call(struct bus_peer *p, const char *path, const char *interface,
                             const char *method)
{
    sd_bus_message *call = NULL;
    if (p->owner[0])
        (void)sd_bus_message_new_method_call(p->bus->sd, &call, p->owner, path, interface, method);
    return call;
}

static int send_call(struct bus_peer *p, sd_bus_message *call, sd_bus_message_handler_t done,
                     void *context)
{
    struct bus_use *use;
    int result;
    if (!done)
        return sd_bus_call_async(p->bus->sd, NULL, call, NULL, NULL, 0);
    use = new_use(p, done, context);
    if (!use)
        return -ENOMEM;
    result = sd_bus_call_async(p->bus->sd, &use->slot, call, on_answer, use, 0);
    if (result < 0)
        drop(use);
    return result;
}

int bus_call(struct bus_peer *p, sd_bus_message *call, sd_bus_message_handler_t done, void *context)
{
    int result = !p->owner[0] ? -ENOTCONN : !call ? -ENOMEM : send_call(p, call, done, context);
    sd_bus_message_unref(call);
    if (result < 0)
        return result;
    bus_wake(p->bus);
    return 0;
}

static int add_match(struct bus_peer *p, const char *rule, struct bus_use *use)
{
    char whole[RULE_MAX];
    int length = snprintf(whole, sizeof whole, "type='signal',sender='%s',%s", p->owner, rule);
    if (length < 0 || (size_t)length >= sizeof whole)
        return -EINVAL;
    return sd_bus_add_match_async(p->bus->sd, &use->slot, whole, on_signal, NULL, use);
}

int bus_match(struct bus_peer *p, const char *rule, sd_bus_message_handler_t handler, void *context)
{
    struct bus_use *use;
    int result;
    if (!p->owner[0])
        return -ENOTCONN;
    use = new_use(p, handler, context);
    if (!use)
        return -ENOMEM;
    result = add_match(p, rule, use);
    if (result < 0) {
        drop(use);
        return result;
    }
    bus_wake(p->bus);
    return 0;
}

bool bus_is_from(const struct bus_peer *p, sd_bus_message *m)
{
    const char *sender = sd_bus_message_get_sender(m);
    return sender && p->owner[0] && strcmp(sender, p->owner) == 0;
}

const char *bus_error_text(sd_bus_message *answer)
{
    const sd_bus_error *e = sd_bus_message_get_error(answer);
    return !e ? "" : e->message ? e->message : e->name;
}

/* --- who is there ----------------------------------------------------------------------------- */

static void tell_came(struct bus_peer *p, const char *owner)
{
    snprintf(p->owner, sizeof p->owner, "%s", owner);
    p->told_left = false;
    p->came(p);
}

/* Nothing of the peer is touched after it was told: it may be gone. */
static void tell_left(struct bus_peer *p, const char *why)
{
    if (p->told_left)
        return;
    p->told_left = true;
    p->left(p, why);
}

/* "org.freedesktop.Avahi", "is gone": "Avahi is gone". */
static void tell_left_by_itself(struct bus_peer *p, const char *what)
{
    const char *dot = strrchr(p->name, '.');
    char why[WHY_MAX];
    snprintf(why, sizeof why, "%s %s", dot ? dot + 1 : p->name, what);
    tell_left(p, why);
}

static bool is_known(const struct bus *b, const struct bus_peer *p)
{
    const struct bus_peer *one = b->peers;
    while (one && one != p)
        one = one->next;
    return one;
}

static int on_owner_changed(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
    struct bus_peer *p = context;
    const struct bus *b = p->bus;
    const char *name, *before, *now;
    (void)unused;
    if (sd_bus_message_read(signal, "sss", &name, &before, &now) < 0 || strcmp(now, p->owner) == 0)
        return 0;
    if (p->owner[0]) {
        forget_owner(p);
        tell_left_by_itself(p, "is gone");
    }
    if (now[0] && is_known(b, p))
        tell_came(p, now);
    return 0;
}

/* An owner that changed meanwhile was told by on_owner_changed(). */
static int on_owner(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct bus_peer *p = context;
    const char *owner = "";
    (void)unused;
    p->question = sd_bus_slot_unref(p->question);
    if (p->owner[0])
        return 0;
    if (!sd_bus_message_is_method_error(answer, NULL) &&
        sd_bus_message_read(answer, "s", &owner) >= 0 && owner[0])
        tell_came(p, owner);
    else
        tell_left_by_itself(p, "does not run");
    return 0;
}

/* The owner is asked for after its changes are listened for, so none is missed. */
static int seek(struct bus_peer *p)
{
    char rule[RULE_MAX];
    int result;
    snprintf(rule, sizeof rule,
             "type='signal',sender='" DBUS "',interface='" DBUS
             "',member='NameOwnerChanged',arg0='%s'",
             p->name);
    result = sd_bus_add_match_async(p->bus->sd, &p->changes, rule, on_owner_changed, NULL, p);
    if (result >= 0)
        result = sd_bus_call_method_async(p->bus->sd, &p->question, DBUS, "/org/freedesktop/DBus",
                                          DBUS, "GetNameOwner", on_owner, p, "s", p->name);
    return result;
}

static void forget(struct bus_peer *p)
{
    forget_owner(p);
    p->question = sd_bus_slot_unref(p->question);
    p->changes = sd_bus_slot_unref(p->changes);
}

/* --- the bus on our loop ---------------------------------------------------------------------- */

static void disconnect(struct bus *b)
{
    loop_cancel_timer(b->loop, &b->timeout);
    loop_cancel_timer(b->loop, &b->wake);
    if (b->watch.events)
        loop_watch(b->loop, &b->watch, 0);
    for (struct bus_peer *p = b->peers; p; p = p->next)
        forget(p);
    b->sd = sd_bus_close_unref(b->sd);
}

static struct bus_peer *first_untold(const struct bus *b)
{
    struct bus_peer *p = b->peers;
    while (p && p->told_left)
        p = p->next;
    return p;
}

/* Whom is told may add and remove peers, so each search begins anew. */
static void lose(struct bus *b, int problem)
{
    struct bus_peer *p;
    char why[WHY_MAX];
    snprintf(why, sizeof why, "no system bus (%s)", strerror(problem));
    disconnect(b);
    loop_set_timer(b->loop, &b->wake, AGAIN_MS);
    while ((p = first_untold(b)) != NULL)
        tell_left(p, why);
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
static int wait_more(struct bus *b)
{
    uint64_t due_us = UINT64_MAX;
    int events = sd_bus_get_events(b->sd);
    int result = events < 0 ? events : sd_bus_get_timeout(b->sd, &due_us);
    if (result >= 0 && (uint32_t)events != b->watch.events)
        result = loop_watch(b->loop, &b->watch, (uint32_t)events) < 0 ? -errno : 0;
    if (due_us == UINT64_MAX)
        loop_cancel_timer(b->loop, &b->timeout);
    else
        loop_set_timer(b->loop, &b->timeout, until_ms(due_us));
    return result;
}

/* A connection that ends would answer each call with an error; that its peers have left says it all. */
static int process(sd_bus *sd)
{
    return sd_bus_is_open(sd) > 0 ? sd_bus_process(sd, NULL) : -ECONNRESET;
}

/* Lets the bus read, write and call our handlers. */
static void turn(struct bus *b)
{
    int result = 1;
    for (int i = 0; result > 0 && i < MESSAGES_A_TURN; i++)
        result = process(b->sd);
    if (result >= 0)
        result = wait_more(b);
    if (result < 0)
        lose(b, -result);
}

static void on_ready(struct loop_fd *watch, uint32_t events)
{
    (void)events;
    turn(CONTAINER_OF(watch, struct bus, watch));
}

static void on_timeout(struct loop_timer *timer)
{
    turn(CONTAINER_OF(timer, struct bus, timeout));
}

/* Does not block: the socket is local, and the bus greets us in its own time. */
static int connect_bus(struct bus *b)
{
    int result = sd_bus_open_system(&b->sd);
    return result < 0 ? result : (b->watch.fd = sd_bus_get_fd(b->sd));
}

static void on_wake(struct loop_timer *timer)
{
    struct bus *b = CONTAINER_OF(timer, struct bus, wake);
    int result = 0;
    if (!b->peers) {
        disconnect(b);
        return;
    }
    if (!b->sd)
        result = connect_bus(b);
    for (struct bus_peer *p = b->peers; p && result >= 0; p = p->next)
        if (!p->changes)
            result = seek(p);
    if (result < 0)
        lose(b, -result);
    else
        turn(b);
}

/* --- life ------------------------------------------------------------------------------------- */

void bus_open(struct bus *b, struct loop *l)
{
    *b = (struct bus){
        .loop = l, .watch.ready = on_ready, .timeout.expired = on_timeout, .wake.expired = on_wake};
}

void bus_wake(struct bus *b)
{
    loop_set_timer(b->loop, &b->wake, 0);
}

void bus_add(struct bus *b, struct bus_peer *p)
{
    p->bus = b;
    p->told_left = false;
    p->next = b->peers;
    b->peers = p;
    bus_wake(b);
}

void bus_remove(struct bus_peer *p)
{
    struct bus *b = p->bus;
    struct bus_peer **link;
    if (!b)
        return;
    for (link = &b->peers; *link != p;)
        link = &(*link)->next;
    *link = p->next;
    forget(p);
    p->bus = NULL;
    if (b->sd)
        bus_wake(b);
}

void bus_close(struct bus *b)
{
    if (!b->loop)
        return;
    while (b->peers)
        bus_remove(b->peers);
    disconnect(b);
    b->loop = NULL;
}
