#include "nm.h"

#include "heap.h"
#include "log.h"
#include "nm_objects.h"
#include "nm_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NM "org.freedesktop.NetworkManager"
#define NM_PATH "/org/freedesktop/NetworkManager"
#define NM_DEVICE NM ".Device"
#define NM_WIRELESS NM_DEVICE ".Wireless"
#define NM_SETTINGS NM ".Settings"
#define NM_SETTINGS_PATH NM_PATH "/Settings"

enum { REFRESH_MS = 50, REFRESH_AGAIN_MS = 2000, SCAN_MS = 12000 };
enum {
    IN_MEMORY = 0x2,
    NOT_AT_ONCE = 0x20
}; /* NMSettingsAddConnection2Flags, NMSettingsUpdate2Flags */

/* A profile of ours.  One thing after another is asked of NetworkManager for it: what comes meanwhile waits. */
struct nm_slot {
    struct nm *nm;
    enum network_kind kind;
    struct network_profile profile;
    bool put;      /* to be put, or put anew */
    bool drop;     /* to be removed */
    bool activate; /* to be activated once it is there */
    bool busy;
    bool activating;          /* and NetworkManager has not answered */
    char path[NM_TEXT_MAX];   /* NetworkManager's object; "": not known */
    char before[NM_TEXT_MAX]; /* what was active when we last activated it, and is to go */
};

struct nm {
    struct bus_peer peer;
    struct loop *loop;
    struct nm_owner *owner;
    char names[NM_CARDS][16];
    bool ready;
    struct nm_objects objects;
    const struct nm_device *device[NM_CARDS]; /* in objects; NULL: none */
    struct nm_card card[NM_CARDS];
    uint32_t failure[NM_CARDS];
    struct nm_slot slot[NETWORK_KINDS];
    /* what NetworkManager shows is asked for again after any of its signals */
    struct loop_timer refresh;
    bool asking, ask_again;
    /* scanning */
    struct loop_timer scan_ends;
    int64_t scanned_ms; /* the last one's end when ours began */
    size_t network_count;
    struct nm_network network[NM_NETWORKS_MAX];
};

static void work(struct nm_slot *s);

/* --- what it shows ---------------------------------------------------------------------------- */

static bool is_settled(const struct nm *n, int card)
{
    int kind = n->card[card].active;
    const struct nm_slot *s = kind < 0 ? NULL : &n->slot[kind];
    return s && !s->busy && !s->put && !s->drop && !s->activate && !s->activating &&
           strcmp(s->before, n->device[card]->active) != 0;
}

/* A radio that is an access point looks at no other. */
static bool can_scan(const struct nm *n)
{
    return n->device[INTERFACE_WIFI] && n->card[INTERFACE_WIFI].active != NETWORK_ACCESS_POINT;
}

static void end_scan(struct nm *n)
{
    loop_cancel_timer(n->loop, &n->scan_ends);
    if (can_scan(n))
        n->network_count = nm_objects_networks(&n->objects, n->network);
    n->owner->scanned(n->owner);
}

static void describe(struct nm *n, int card, bool *changed)
{
    struct nm_card now;
    n->device[card] = nm_objects_card(&n->objects, card, n->names[card]);
    nm_objects_describe(&n->objects, n->device[card], &now);
    if (now.state == NM_ACTIVATED || !now.present)
        n->failure[card] = 0;
    now.failure = n->failure[card];
    const bool was_settled = n->card[card].settled;
    now.settled = was_settled;
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): zeroed before it was filled */
    *changed = *changed || memcmp(&now, &n->card[card], sizeof now) != 0;
    memcpy(&n->card[card], &now, sizeof now);
    n->card[card].settled = is_settled(n, card);
    *changed = *changed || n->card[card].settled != was_settled;
}

static void look(struct nm *n)
{
    bool changed = !n->ready;
    n->ready = true;
    for (int card = 0; card < NM_CARDS; card++)
        describe(n, card, &changed);
    const struct nm_device *wifi = n->device[INTERFACE_WIFI];
    if (n->scan_ends.active && wifi && wifi->scanned_ms != n->scanned_ms)
        end_scan(n);
    if (changed)
        n->owner->changed(n->owner);
}

/* Of an answer that breaks off nothing can be used, and what was read before is gone. */
static bool take_objects(struct nm *n, sd_bus_message *answer)
{
    if (sd_bus_message_is_method_error(answer, NULL))
        return false;
    memset(n->device, 0, sizeof n->device);
    return nm_objects_read(answer, &n->objects) >= 0;
}

static int on_objects(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct nm *n = context;
    (void)unused;
    n->asking = false;
    if (take_objects(n, answer))
        look(n);
    else
        loop_set_timer(n->loop, &n->refresh, REFRESH_AGAIN_MS);
    if (n->ask_again)
        loop_set_timer(n->loop, &n->refresh, REFRESH_MS);
    return 0;
}

static void on_refresh(struct loop_timer *timer)
{
    struct nm *n = CONTAINER_OF(timer, struct nm, refresh);
    n->ask_again = n->asking;
    if (n->asking)
        return;
    n->asking = bus_call(&n->peer,
                         bus_new_call(&n->peer, "/org/freedesktop",
                                      "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"),
                         on_objects, n) >= 0;
}

static void refresh_soon(struct nm *n)
{
    if (!n->refresh.active)
        loop_set_timer(n->loop, &n->refresh, REFRESH_MS);
}

/* The reason is gone from the objects as soon as the state moves on, so it is taken from the signal. */
static void note_state(struct nm *n, sd_bus_message *signal)
{
    uint32_t now, before, reason;
    const char *path = sd_bus_message_get_path(signal);
    if (sd_bus_message_read(signal, "uuu", &now, &before, &reason) < 0 || now != NM_FAILED)
        return;
    for (int card = 0; card < NM_CARDS; card++)
        if (n->device[card] && strcmp(n->device[card]->path, path) == 0)
            n->failure[card] = reason;
}

static int on_signal(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
    struct nm *n = context;
    (void)unused;
    if (sd_bus_message_is_signal(signal, NM_DEVICE, "StateChanged"))
        note_state(n, signal);
    refresh_soon(n);
    return 0;
}

/* --- profiles --------------------------------------------------------------------------------- */

static void fail(struct nm_slot *s, const char *why)
{
    log_warning("network", "%s: NetworkManager refuses: %s", network_profile_names[s->kind], why);
    s->nm->owner->failed(s->nm->owner, s->kind, why);
}

/* The end of what was asked for a profile.  True: it went well. */
static bool take_answer(struct nm_slot *s, sd_bus_message *answer)
{
    s->busy = false;
    if (!sd_bus_message_is_method_error(answer, NULL))
        return true;
    s->activate = s->activating = false;
    fail(s, bus_error_text(answer));
    return false;
}

/* What is next for the profile. */
static void go_on(struct nm_slot *s)
{
    work(s);
    refresh_soon(s->nm);
}

static void begin(struct nm_slot *s, sd_bus_message *call, sd_bus_message_handler_t done)
{
    s->busy = bus_call(&s->nm->peer, call, done, s) >= 0;
    if (!s->busy)
        fail(s, "out of memory");
}

static int on_put(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct nm_slot *s = context;
    const char *path;
    (void)unused;
    if (take_answer(s, answer) && !s->path[0] && sd_bus_message_read(answer, "o", &path) >= 0)
        snprintf(s->path, sizeof s->path, "%s", path);
    go_on(s);
    return 0;
}

/* Behind the settings both calls take flags and no further arguments. */
static void put_by(struct nm_slot *s, sd_bus_message *call, int flags)
{
    if (call && (nm_settings_append(call, &s->profile) < 0 ||
                 sd_bus_message_append(call, "ua{sv}", (uint32_t)flags, 0) < 0))
        call = sd_bus_message_unref(call);
    begin(s, call, on_put);
}

static sd_bus_message *new_profile_call(struct nm_slot *s, const char *method)
{
    return bus_new_call(&s->nm->peer, s->path, NM_SETTINGS ".Connection", method);
}

static int on_dropped(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct nm_slot *s = context;
    (void)unused;
    s->path[0] = 0;
    (void)take_answer(s, answer);
    go_on(s);
    return 0;
}

/* One that is there already may be of an earlier life of ours. */
static int on_found(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct nm_slot *s = context;
    const char *path = "";
    bool drop = s->drop;
    (void)unused;
    s->busy = s->drop = false;
    if (!sd_bus_message_is_method_error(answer, NULL))
        (void)sd_bus_message_read(answer, "o", &path);
    snprintf(s->path, sizeof s->path, "%s", path);
    if (drop && s->path[0])
        begin(s, new_profile_call(s, "Delete"), on_dropped);
    else if (drop)
        go_on(s);
    else if (s->path[0])
        put_by(s, new_profile_call(s, "Update2"), IN_MEMORY);
    else
        put_by(s, bus_new_call(&s->nm->peer, NM_SETTINGS_PATH, NM_SETTINGS, "AddConnection2"),
               IN_MEMORY | NOT_AT_ONCE);
    return 0;
}

static void find(struct nm_slot *s)
{
    sd_bus_message *call =
        bus_new_call(&s->nm->peer, NM_SETTINGS_PATH, NM_SETTINGS, "GetConnectionByUuid");
    if (call && sd_bus_message_append(call, "s", network_profile_uuids[s->kind]) < 0)
        call = sd_bus_message_unref(call);
    begin(s, call, on_found);
}

static int card_of(enum network_kind kind)
{
    return kind == NETWORK_ETHERNET ? INTERFACE_ETHERNET : INTERFACE_WIFI;
}

static int on_activated(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct nm_slot *s = context;
    (void)unused;
    s->activating = false;
    if (!take_answer(s, answer))
        s->before[0] = 0;
    go_on(s);
    return 0;
}

static void activate(struct nm_slot *s)
{
    struct nm *n = s->nm;
    const struct nm_device *device = n->device[card_of(s->kind)];
    sd_bus_message *call = bus_new_call(&n->peer, NM_PATH, NM, "ActivateConnection");
    s->activate = false;
    s->activating = true;
    snprintf(s->before, sizeof s->before, "%s", device ? device->active : "");
    if (call && sd_bus_message_append(call, "ooo", s->path, device ? device->path : "/", "/") < 0)
        call = sd_bus_message_unref(call);
    begin(s, call, on_activated);
}

static void work(struct nm_slot *s)
{
    if (s->busy || !s->nm->peer.owner[0])
        return;
    if (s->put || s->drop) {
        s->put = false;
        find(s);
    } else if (s->activate && s->path[0]) {
        activate(s);
    }
}

void nm_put(struct nm *n, const struct network_profile *p)
{
    struct nm_slot *s = &n->slot[p->kind];
    s->profile = *p;
    s->put = true;
    s->drop = false;
    n->failure[card_of(p->kind)] = 0;
    work(s);
}

void nm_drop(struct nm *n, enum network_kind kind)
{
    struct nm_slot *s = &n->slot[kind];
    explicit_bzero(&s->profile, sizeof s->profile);
    s->put = s->activate = false;
    s->drop = true;
    work(s);
}

void nm_activate(struct nm *n, enum network_kind kind)
{
    struct nm_slot *s = &n->slot[kind];
    s->activate = true;
    n->card[card_of(kind)].settled = false;
    work(s);
}

static int on_reapplied(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    (void)unused;
    if (sd_bus_message_is_method_error(answer, NULL))
        fail(context, bus_error_text(answer));
    return 0;
}

void nm_reapply(struct nm *n, const struct network_profile *p)
{
    const struct nm_device *device = n->device[card_of(p->kind)];
    sd_bus_message *call =
        device ? bus_new_call(&n->peer, device->path, NM_DEVICE, "Reapply") : NULL;
    if (call && (nm_settings_append(call, p) < 0 ||
                 sd_bus_message_append(call, "tu", UINT64_C(0), UINT32_C(0)) < 0))
        call = sd_bus_message_unref(call);
    (void)bus_call(&n->peer, call, on_reapplied, &n->slot[p->kind]);
}

void nm_disconnect(struct nm *n, int card)
{
    if (n->device[card])
        (void)bus_call(&n->peer,
                       bus_new_call(&n->peer, n->device[card]->path, NM_DEVICE, "Disconnect"), NULL,
                       NULL);
}

/* --- scanning --------------------------------------------------------------------------------- */

static void on_scan_ends(struct loop_timer *timer)
{
    end_scan(CONTAINER_OF(timer, struct nm, scan_ends));
}

/* An error may mean that a scan runs already, or ended just now: what is known is as good as new in a moment. */
static int on_scan_begun(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    (void)context;
    (void)unused;
    if (sd_bus_message_is_method_error(answer, NULL))
        log_debug("network", "scan: %s", bus_error_text(answer));
    return 0;
}

void nm_scan(struct nm *n)
{
    const struct nm_device *wifi = n->device[INTERFACE_WIFI];
    if (n->scan_ends.active)
        return;
    loop_set_timer(n->loop, &n->scan_ends, can_scan(n) ? SCAN_MS : 0);
    if (!can_scan(n))
        return;
    n->scanned_ms = wifi->scanned_ms;
    sd_bus_message *call = bus_new_call(&n->peer, wifi->path, NM_WIRELESS, "RequestScan");
    if (call && sd_bus_message_append(call, "a{sv}", 0) < 0)
        call = sd_bus_message_unref(call);
    (void)bus_call(&n->peer, call, on_scan_begun, n);
}

size_t nm_networks(const struct nm *n, const struct nm_network **list)
{
    *list = n->network;
    return n->network_count;
}

/* --- failures in words ------------------------------------------------------------------------ */

enum { REASON_CARRIER = 40, REASON_SSID_NOT_FOUND = 53 };

bool nm_failure_is_absence(uint32_t failure)
{
    return failure == REASON_CARRIER || failure == REASON_SSID_NOT_FOUND;
}

const char *nm_failure_text(uint32_t failure)
{
    static const struct {
        uint32_t reason; /* NMDeviceStateReason */
        const char *text;
    } texts[] = {
        {0, ""},
        {5, "no IP address could be had"},
        {7, "the Wi-Fi password is wrong"},
        {8, "the Wi-Fi network broke the connection off"},
        {9, "the Wi-Fi network wants something this box does not know"},
        {10, "the Wi-Fi network does not let this box in"},
        {11, "the Wi-Fi network does not answer, or the password is wrong"},
        {18, "the access point's DHCP server could not be started"},
        {19, "the access point's DHCP server failed"},
        {35, "the network card lacks its firmware"},
        {REASON_CARRIER, "the cable was pulled out, or the network is gone"},
        {REASON_SSID_NOT_FOUND, "no Wi-Fi network of this name is in reach"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].reason == failure)
            return texts[i].text;
    return "NetworkManager cannot connect; its log says more";
}

/* --- life ------------------------------------------------------------------------------------- */

static void forget(struct nm *n)
{
    n->ready = n->asking = n->ask_again = false;
    memset(n->card, 0, sizeof n->card);
    memset(n->device, 0, sizeof n->device);
    memset(n->failure, 0, sizeof n->failure);
    loop_cancel_timer(n->loop, &n->refresh);
    for (int kind = 0; kind < NETWORK_KINDS; kind++)
        n->slot[kind] = (struct nm_slot){.nm = n, .kind = (enum network_kind)kind};
    for (int card = 0; card < NM_CARDS; card++)
        n->card[card].active = -1;
}

static void on_came(struct bus_peer *peer)
{
    struct nm *n = CONTAINER_OF(peer, struct nm, peer);
    forget(n);
    if (bus_match(peer, "path_namespace='/org/freedesktop'", on_signal, n) < 0)
        log_warning("network", "NetworkManager cannot be listened to: out of memory");
    loop_set_timer(n->loop, &n->refresh, 0);
}

static void on_left(struct bus_peer *peer, const char *why)
{
    struct nm *n = CONTAINER_OF(peer, struct nm, peer);
    log_warning("network", "%s: the network stays as it is until it is there", why);
    forget(n);
    if (n->scan_ends.active)
        loop_set_timer(n->loop, &n->scan_ends, 0);
    n->owner->changed(n->owner);
}

struct nm *nm_open(struct bus *b, struct loop *l, const char *ethernet, const char *wifi,
                   struct nm_owner *owner)
{
    struct nm *n = heap_new(sizeof *n);
    if (!n)
        return NULL;
    n->loop = l;
    n->owner = owner;
    n->peer = (struct bus_peer){.name = NM, .came = on_came, .left = on_left};
    n->refresh.expired = on_refresh;
    n->scan_ends.expired = on_scan_ends;
    snprintf(n->names[INTERFACE_ETHERNET], sizeof n->names[0], "%s", ethernet);
    snprintf(n->names[INTERFACE_WIFI], sizeof n->names[0], "%s", wifi);
    forget(n);
    bus_add(b, &n->peer);
    return n;
}

void nm_close(struct nm *n)
{
    if (!n)
        return;
    bus_remove(&n->peer);
    loop_cancel_timer(n->loop, &n->refresh);
    loop_cancel_timer(n->loop, &n->scan_ends);
    explicit_bzero(n->slot, sizeof n->slot);
    free(n);
}

bool nm_is_ready(const struct nm *n)
{
    return n->ready;
}

const struct nm_card *nm_card(const struct nm *n, int card)
{
    return &n->card[card];
}
