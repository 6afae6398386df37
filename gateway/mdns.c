#include "mdns.h"

#include "log.h"

#include <stdio.h>
#include <string.h>

#define AVAHI "org.freedesktop.Avahi"
#define AVAHI_SERVER AVAHI ".Server"
#define AVAHI_GROUP AVAHI ".EntryGroup"

/* Of Avahi's interface: every interface, both families; and that an address has another name already, the host's. */
enum { ANY_INTERFACE = -1, ANY_FAMILY = -1, NO_REVERSE = 16 };

enum {
    AGAIN_MS = 60000, /* a name may be free by then */
    /* Long after Avahi has asked whether a name is free.  0.8 never gets there if a card loses its address then. */
    REGISTERED_MS = 10000
};

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
 * state stays.  An Avahi that is slow may yet do it. */
static int on_answer(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct mdns_group *g = context;
    char what[200];
    (void)unused;
    if (!sd_bus_message_is_method_error(answer, NULL) ||
        sd_bus_message_is_method_error(answer, SD_BUS_ERROR_NO_REPLY))
        return 0;
    snprintf(what, sizeof what, "refuses: %s", bus_error_text(answer));
    fail(g, what);
    return 0;
}

static sd_bus_message *new_call(struct mdns_group *g, const char *method)
{
    return bus_new_call(&g->mdns->avahi, g->path, AVAHI_GROUP, method);
}

/* Sends a call whose arguments were appended with this result. */
static int finish_call(struct mdns_group *g, sd_bus_message *call, int result)
{
    if (result >= 0)
        return bus_call(&g->mdns->avahi, call, on_answer, g);
    sd_bus_message_unref(call);
    return result;
}

static int call_plain(struct mdns_group *g, const char *method)
{
    return finish_call(g, new_call(g, method), 0);
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
    bool is_found = g->mdns->records.address_count > 0;
    if (!g->path[0])
        return;
    g->state = MDNS_UNCOMMITTED;
    if (is_found)
        loop_set_timer(g->mdns->loop, &g->mdns->again, REGISTERED_MS);
    int result = is_found ? fill(g) : call_plain(g, "Reset");
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
    if (sd_bus_message_read(signal, "is", &state, &problem) < 0 || state < MDNS_UNCOMMITTED ||
        state > MDNS_FAILURE)
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
    if (g->path[0])
        return 0;
    if (bus_is_from(&g->mdns->avahi, answer) && !sd_bus_message_is_method_error(answer, NULL))
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
    struct bus_peer *avahi = &g->mdns->avahi;
    int result =
        bus_call(avahi, bus_new_call(avahi, "/", AVAHI_SERVER, "EntryGroupNew"), on_group, g);
    if (result < 0)
        log_warning("mdns", "%s: %s", name_of(g), strerror(-result));
}

/* --- whether Avahi is there ------------------------------------------------------------------- */

/* Whatever was there is gone. */
static void forget_groups(struct mdns *m)
{
    loop_cancel_timer(m->loop, &m->again);
    m->own = m->shared = (struct mdns_group){.mdns = m};
}

static void on_came(struct bus_peer *avahi)
{
    struct mdns *m = CONTAINER_OF(avahi, struct mdns, avahi);
    int result =
        bus_match(avahi, "interface='" AVAHI_GROUP "',member='StateChanged'", on_group_state, m);
    if (result < 0)
        log_warning("mdns", "what Avahi says is not heard: %s", strerror(-result));
    ask_for_group(&m->own);
    ask_for_group(&m->shared);
}

static void on_left(struct bus_peer *avahi, const char *why)
{
    log_info("mdns", "%s: this box is not found by name until it is there", why);
    forget_groups(CONTAINER_OF(avahi, struct mdns, avahi));
}

static void try_again(struct mdns_group *g)
{
    if (!g->path[0])
        ask_for_group(g);
    else if (g->state != MDNS_ESTABLISHED)
        publish(g);
}

static void on_again(struct loop_timer *timer)
{
    struct mdns *m = CONTAINER_OF(timer, struct mdns, again);
    try_again(&m->own);
    try_again(&m->shared);
}

/* --- life ------------------------------------------------------------------------------------- */

void mdns_open(struct mdns *m, struct loop *l, struct bus *b)
{
    m->loop = l;
    m->bus = b;
    m->avahi = (struct bus_peer){.name = AVAHI, .came = on_came, .left = on_left};
    m->again.expired = on_again;
    forget_groups(m);
}

/* The connection may stay, for others, and with it what Avahi keeps for us. */
static void withdraw(struct mdns *m)
{
    struct mdns_group *const groups[] = {&m->own, &m->shared};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (groups[i]->path[0])
            (void)call_plain(groups[i], "Free");
    bus_remove(&m->avahi);
    forget_groups(m);
}

void mdns_set(struct mdns *m, const struct mdns_records *records)
{
    if (!m->loop || memcmp(records, &m->records, sizeof *records) == 0)
        return;
    m->records = *records;
    if (records->service_count == 0) {
        withdraw(m);
        return;
    }
    if (!m->avahi.bus)
        bus_add(m->bus, &m->avahi);
    publish(&m->own);
    publish(&m->shared);
    bus_wake(m->bus);
}

void mdns_close(struct mdns *m)
{
    if (m->loop)
        withdraw(m);
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
