#include "network_parts.h"

#include "core/text_out.h"
#include "heap.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 1000,
    APPLY_MS = 1000, /* the answer to who changed something has left by then */
    QUIET_AGAIN_MS = 5000,
    TRY_MAX_MS = 60000, /* a router that was switched on again is found within that time */
    SCAN_FRESH_MS = 60000
};

/* --- profiles --------------------------------------------------------------------------------- */

static bool is_wanted(const struct network *n, enum network_kind kind)
{
    const struct nm_card *card =
        network_card_at(n, kind == NETWORK_ETHERNET ? INTERFACE_ETHERNET : INTERFACE_WIFI);
    if (!card->present)
        return false;
    if (kind == NETWORK_ACCESS_POINT)
        return n->ap != AP_OFF && !n->ap_scans;
    return kind == NETWORK_ETHERNET || n->settings.config->wifi_ssid[0];
}

void network_try_at_once(struct network *n)
{
    n->try_ms = n->loop->now_ms;
    n->try_wait_ms = NETWORK_TRY_MIN_MS;
}

static void try_later(struct network *n)
{
    n->try_ms = n->loop->now_ms + n->try_wait_ms;
    n->try_wait_ms = 2 * n->try_wait_ms < TRY_MAX_MS ? 2 * n->try_wait_ms : TRY_MAX_MS;
}

/* Not without a cable, which would be refused, nor while the radio is an access point. */
static bool can_activate(const struct network *n)
{
    return n->has[network_wanted_kind(n)] &&
           network_card_at(n, network_wanted_card(n))->state > NM_UNAVAILABLE &&
           !(network_wanted_card(n) == INTERFACE_WIFI && network_radio_is_taken(n));
}

static void activate(struct network *n)
{
    if (!can_activate(n))
        return;
    nm_activate(n->nm, network_wanted_kind(n));
    try_later(n);
}

/* The first time after a start the card may be up already, with this profile as it was. */
static void give(struct network *n, const struct network_profile *p)
{
    bool first = !n->has[p->kind];
    n->given[p->kind] = *p;
    n->has[p->kind] = true;
    nm_put(n->nm, p);
    if (p->kind != network_wanted_kind(n))
        return;
    if (first && network_is_up(n) && !n->refusal[0])
        nm_reapply(n->nm, p);
    else
        activate(n);
}

/* What was refused is given again, but not at once. */
static bool is_waiting(const struct network *n, enum network_kind kind)
{
    return n->refusal[0] && kind == network_wanted_kind(n) && !n->has[kind] &&
           n->loop->now_ms < n->try_ms;
}

static void take_away(struct network *n, enum network_kind kind)
{
    n->has[kind] = false;
    explicit_bzero(&n->given[kind], sizeof n->given[kind]);
    nm_drop(n->nm, kind);
}

static void keep_profiles(struct network *n)
{
    struct network_profile p;
    for (int kind = 0; kind < NETWORK_KINDS; kind++) {
        int card = kind == NETWORK_ETHERNET ? INTERFACE_ETHERNET : INTERFACE_WIFI;
        bool wanted = is_wanted(n, (enum network_kind)kind);
        network_profile_make(&p, (enum network_kind)kind, network_card_at(n, card)->interface,
                             n->settings.config, n->settings.identity);
        if (wanted && !is_waiting(n, p.kind) &&
            !(n->has[kind] && network_profile_equal(&p, &n->given[kind])))
            give(n, &p);
        else if (!wanted && n->has[kind])
            take_away(n, (enum network_kind)kind);
    }
    explicit_bzero(&p, sizeof p);
}

/* --- the wanted card, and the other ----------------------------------------------------------- */

static void keep_wanted(struct network *n)
{
    const struct nm_card *card = network_card_at(n, network_wanted_card(n));
    if (network_is_up(n) && card->state == NM_ACTIVATED && n->has[network_wanted_kind(n)]) {
        n->try_wait_ms = NETWORK_TRY_MIN_MS;
        n->refusal[0] = 0;
    }
    if (!network_is_up(n) && card->state != NM_DEACTIVATING && n->loop->now_ms >= n->try_ms)
        activate(n);
}

/* One card at a time (SPEC 8), but for the access point beside a cable.  Without the wanted one the other is better
 * than none; and another's connection is left alone until ours is there, as somebody may be reaching us by it. */
static void quiet_other(struct network *n)
{
    int other = network_wanted_card(n) == INTERFACE_WIFI ? INTERFACE_ETHERNET : INTERFACE_WIFI;
    const struct nm_card *card = network_card_at(n, other);
    bool may_be = (other == INTERFACE_WIFI && network_radio_is_taken(n)) ||
                  (card->active < 0 && !network_is_connected(n) && !network_is_link_local_only(n));
    if (!network_card_at(n, network_wanted_card(n))->present || !card->busy || may_be ||
        n->loop->now_ms < n->quiet_ms)
        return;
    n->quiet_ms = n->loop->now_ms + QUIET_AGAIN_MS;
    nm_disconnect(n->nm, other);
}

static void set_link_local(struct network *n, bool on)
{
    struct network_profile p = n->given[network_wanted_kind(n)];
    p.link_local = n->link_local = on;
    nm_reapply(n->nm, &p);
    explicit_bzero(&p, sizeof p);
    log_info("network", "%s: %s", network_card_at(n, network_wanted_card(n))->interface,
             on ? "no DHCP server answers: taking a link-local address meanwhile"
                : "a DHCP server has answered");
}

/* An address of our own while DHCP is not answered, and none when it is.  An activation begins without. */
static void follow_dhcp(struct network *n)
{
    const struct nm_card *card = network_card_at(n, network_wanted_card(n));
    if (!network_is_up(n) || !card->settled || card->state < NM_IP_CONFIG ||
        n->given[network_wanted_kind(n)].method != METHOD_DHCP) {
        n->alone_since_ms = -1;
        n->link_local = false;
        return;
    }
    if (network_has_address(card, false)) {
        n->alone_since_ms = -1;
        if (n->link_local)
            set_link_local(n, false);
        return;
    }
    if (n->alone_since_ms < 0)
        n->alone_since_ms = n->loop->now_ms;
    if (!n->link_local && n->loop->now_ms - n->alone_since_ms >= NETWORK_DHCP_MS)
        set_link_local(n, true);
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Who set it up from the access point is on his way to the network that was joined: that it was is proof enough. */
static void look_at_joining(struct network *n)
{
    if (!n->joining || !network_is_connected(n))
        return;
    network_end_access_point(n, "the Wi-Fi network was joined");
    if (n->trial.running)
        network_trial_end(&n->trial);
}

/* While the card tries again, it has none. */
static void note_failure(struct network *n)
{
    const struct nm_card *card = network_card_at(n, network_wanted_card(n));
    if (card->failure)
        n->failure = card->failure;
    else if (network_is_connected(n))
        n->failure = 0;
}

static void follow_move(struct network *n)
{
    bool arrived = n->move == LEAVING && (network_is_connected(n) || network_is_link_local_only(n));
    if (n->move == TO_LEAVE || arrived)
        n->owner->leaving(n->owner);
    n->move = n->move == TO_LEAVE ? LEAVING : arrived ? STAYING : n->move;
}

static void look(struct network *n)
{
    if (!nm_is_ready(n->nm)) {
        memset(n->has, 0, sizeof n->has);
        n->refusal[0] = 0;
        network_try_at_once(n);
        return;
    }
    if (n->loop->now_ms < n->apply_ms)
        return;
    note_failure(n);
    follow_move(n);
    keep_profiles(n);
    network_keep_access_point(n);
    keep_wanted(n);
    quiet_other(n);
    follow_dhcp(n);
    look_at_joining(n);
}

static void on_look(struct loop_timer *timer)
{
    struct network *n = CONTAINER_OF(timer, struct network, look);
    look(n);
    loop_set_timer(n->loop, &n->look, LOOK_MS);
}

static void on_changed(struct nm_owner *owner)
{
    look(CONTAINER_OF(owner, struct network, nm_owner));
}

static void on_failed(struct nm_owner *owner, enum network_kind kind, const char *why)
{
    struct network *n = CONTAINER_OF(owner, struct network, nm_owner);
    if (kind != network_wanted_kind(n) || !n->has[kind])
        return;
    n->has[kind] = false; /* given anew, in case that somebody has removed it */
    snprintf(n->refusal, sizeof n->refusal, "NetworkManager refuses: %.*s",
             text_precision(why, sizeof n->refusal - sizeof "NetworkManager refuses: "), why);
    if (n->loop->now_ms >= n->try_ms)
        try_later(n);
}

static void on_scanned(struct nm_owner *owner)
{
    struct network *n = CONTAINER_OF(owner, struct network, nm_owner);
    n->scanning = false;
    n->scanned_ms = n->loop->now_ms;
    n->ap_scans = false;
    look(n);
}

/* --- trials ----------------------------------------------------------------------------------- */

static void on_expired(struct network_trial *t)
{
    struct network *n = CONTAINER_OF(t, struct network, trial);
    const char *why =
        n->failure ? nm_failure_text(n->failure) : "nobody reached the page with them";
    log_warning("network", "%s: the network settings of before return", why);
    snprintf(n->taken_back, sizeof n->taken_back,
             "the changed network settings were taken back: %s", why);
    n->owner->roll_back(n->owner, &t->before);
}

static void on_busy(struct network_trial *t, bool on)
{
    struct network *n = CONTAINER_OF(t, struct network, trial);
    n->owner->hold(n->owner, on);
}

/* The settings that are in force differ, not only those of the other card. */
static bool is_affected(const struct network *n, const struct config *before,
                        const struct config *after)
{
    struct network_profile was, is;
    enum network_kind kind =
        after->default_interface == INTERFACE_WIFI ? NETWORK_WIFI : NETWORK_ETHERNET;
    network_profile_make(&was, kind, "", before, n->settings.identity);
    network_profile_make(&is, kind, "", after, n->settings.identity);
    bool same = network_profile_equal(&was, &is);
    explicit_bzero(&was, sizeof was);
    explicit_bzero(&is, sizeof is);
    return !same;
}

char *network_before(const struct network *n, const struct config *before,
                     const struct config *candidate)
{
    if (!n->nm || !candidate->network_rollback || !is_affected(n, before, candidate))
        return NULL;
    return config_file_text(n->trial.running ? &n->trial.before : before);
}

void network_discard(struct network *n)
{
    if (n->nm && !n->trial.running)
        network_trial_end(&n->trial);
}

void network_changed(struct network *n, const struct config *before, bool tried)
{
    if (!n->nm || !is_affected(n, before, n->settings.config))
        return;
    n->move = TO_LEAVE;
    n->apply_ms = n->loop->now_ms + APPLY_MS;
    network_try_at_once(n);
    bool was_joining = n->joining;
    n->joining = n->ap != AP_OFF && tried && network_wanted_card(n) == INTERFACE_WIFI;
    if (was_joining && !n->joining)
        network_begin_access_point(n); /* back from a network that could not be joined */
    if (tried) {
        n->taken_back[0] = 0;
        n->failure = 0;
    }
    if (tried && n->settings.config->network_rollback)
        network_trial_begin(&n->trial, before, NETWORK_TRIAL_MS);
    else if (tried && n->trial.running)
        network_trial_end(&n->trial); /* of a change that this one takes the place of */
}

void network_settled(struct network *n, bool done)
{
    if (done)
        network_trial_end(&n->trial);
    else if (n->trial.running) /* a factory reset may have ended it meanwhile */
        network_trial_begin(&n->trial, &n->trial.before, NETWORK_TRIAL_MS);
}

void network_forget(struct network *n)
{
    if (!n->nm)
        return;
    if (n->trial.running)
        network_trial_end(&n->trial);
    n->taken_back[0] = 0;
    n->ap_problem = "";
    network_end_access_point(n, "factory reset");
}

/* A program on the box gets through whatever its network is like. */
static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

void network_reached(struct network *n, const struct sockaddr_storage *from)
{
    char address[ADDRESS_TEXT_MAX];
    address_format_host(from, address);
    bool by_ap = strncmp(address, "192.168.71.", 11) == 0 && n->ap == AP_ON;
    if (by_ap)
        n->ap_end_ms = n->loop->now_ms + NETWORK_AP_IDLE_MS;
    if (!n->nm || by_ap || is_loopback(address) || !n->trial.running || n->move == TO_LEAVE ||
        !(network_is_connected(n) || network_is_link_local_only(n)))
        return;
    log_info("network", "the page was reached from %s: the new settings hold", address);
    network_trial_end(&n->trial);
}

/* --- what is asked of it ---------------------------------------------------------------------- */

static const char *lacking(const struct network *n)
{
    if (!n->nm)
        return "the host looks after its network itself; see the option --network";
    if (!nm_is_ready(n->nm))
        return "NetworkManager does not run";
    return network_card_at(n, INTERFACE_WIFI)->present ? NULL : "there is no Wi-Fi card";
}

bool network_scan(struct network *n, const char **why)
{
    *why = lacking(n);
    if (*why)
        return false;
    if (network_card_at(n, INTERFACE_WIFI)->active == NETWORK_ACCESS_POINT)
        return true; /* what was seen before is all that can be told */
    n->scanning = true;
    nm_scan(n->nm);
    return true;
}

bool network_access_point(struct network *n, bool on, const char **why)
{
    *why = lacking(n);
    if (!*why && on && !n->settings.identity->ap_key[0])
        *why = "it has no key, since there is no page to set the box up with";
    if (*why)
        return false;
    if (!on) {
        network_end_access_point(n, "it is not wanted any more");
    } else if (n->ap == AP_OFF) {
        log_info("network", "access point starting");
        network_begin_access_point(n);
        n->ap_scans = n->scanned_ms < 0 || n->loop->now_ms - n->scanned_ms > SCAN_FRESH_MS;
        if (n->ap_scans)
            (void)network_scan(n, why);
    }
    look(n);
    return true;
}

void network_reconnect(struct network *n)
{
    if (!n->nm || !nm_is_ready(n->nm))
        return;
    network_end_access_point(n, "soft reset");
    activate(n);
}

size_t network_list(const struct network *n, const struct nm_network **list)
{
    *list = NULL;
    return n->nm ? nm_networks(n->nm, list) : 0;
}

/* --- life ------------------------------------------------------------------------------------- */

/* The one that was running when the box went down; if only the file is there, the change was never saved. */
static bool take_up_trial(struct network *n)
{
    n->trial.expired = on_expired;
    n->trial.busy = on_busy;
    n->trial.loop = n->loop;
    n->trial.state_dir = n->settings.state_dir;
    n->trial.usual = n->settings.usual;
    if (!network_trial_open(&n->trial, NETWORK_TRIAL_MS))
        return false;
    if (!n->trial.running)
        return true;
    if (is_affected(n, &n->trial.before, n->settings.config))
        log_info("network", "the network was changed and not tried before the box went down");
    else
        network_trial_end(&n->trial);
    return true;
}

static bool start(struct network *n, struct bus *b)
{
    n->nm_owner =
        (struct nm_owner){.changed = on_changed, .failed = on_failed, .scanned = on_scanned};
    n->nm = nm_open(b, n->loop, n->settings.ethernet, n->settings.wifi, &n->nm_owner);
    if (!n->nm)
        return false;
    if (!take_up_trial(n))
        return false;
    loop_set_timer(n->loop, &n->look, LOOK_MS);
    return true;
}

struct network *network_open(struct loop *l, struct bus *b, const struct network_settings *settings,
                             struct network_owner *owner)
{
    struct network *n = heap_new(sizeof *n);
    if (!n)
        return NULL;
    n->loop = l;
    n->owner = owner;
    n->settings = *settings;
    n->look.expired = on_look;
    n->alone_since_ms = n->scanned_ms = -1;
    n->try_wait_ms = NETWORK_TRY_MIN_MS;
    n->ap_problem = "";
    if (!settings->managed || start(n, b))
        return n;
    network_close(n);
    return NULL;
}

void network_close(struct network *n)
{
    if (!n)
        return;
    loop_cancel_timer(n->loop, &n->look);
    network_trial_close(&n->trial);
    nm_close(n->nm);
    explicit_bzero(n->given, sizeof n->given);
    free(n);
}
