/* network_parts.h - inside the box's network: its state, and what its files ask of each other. */
#ifndef NETWORK_PARTS_H
#define NETWORK_PARTS_H

#include "network.h"
#include "network_trial.h"

enum { NETWORK_TRY_MIN_MS = 5000 };

struct network {
    struct loop *loop;
    struct network_owner *owner;
    struct network_settings settings;
    struct nm_owner nm_owner;
    struct nm *nm; /* NULL: the host looks after its network */
    struct loop_timer look;
    /* what NetworkManager was given since it came */
    struct network_profile given[NETWORK_KINDS];
    bool has[NETWORK_KINDS];
    int64_t apply_ms; /* nothing is done before, so that who changed something has his answer */
    enum { STAYING, TO_LEAVE, LEAVING } move;
    int64_t try_ms,
        try_wait_ms;  /* when the wanted profile is activated again, and how long is waited then */
    int64_t quiet_ms; /* when the other card is taken down again */
    int64_t alone_since_ms; /* DHCP is not answered since; -1: it is, or is not asked */
    bool link_local;        /* the card was given an address of its own meanwhile */
    /* the access point */
    enum network_ap ap;
    bool ap_scans; /* it begins when the radio has looked around */
    bool joining;  /* it pauses: a Wi-Fi network is being joined */
    int64_t ap_end_ms, ap_try_ms;
    const char *ap_problem;
    bool scanning;
    int64_t scanned_ms; /* -1: never */
    struct network_trial trial;
    uint32_t failure; /* the card's last since the change on trial; 0: none, or connected since */
    char taken_back[NM_PROBLEM_MAX]; /* why the last change was; "": it was not */
    char refusal[NM_PROBLEM_MAX];    /* by NetworkManager, since it was last connected; "": none */
};

/* Of network_view: what is wanted, and how it stands with that as far as NetworkManager knows by now. */
int network_wanted_card(const struct network *n);
enum network_kind network_wanted_kind(const struct network *n);
const struct nm_card *network_card_at(const struct network *n, int card);
bool network_has_address(const struct nm_card *card, bool link_local);

/* The wanted profile holds its card; it has an address that others can reach, or only one of its own. */
bool network_is_up(const struct network *n);
bool network_is_connected(const struct network *n);
bool network_is_link_local_only(const struct network *n);

/* The Wi-Fi card is the access point's. */
bool network_radio_is_taken(const struct network *n);

/* Of network.c: the wanted profile is activated at the next look, and soon again if that fails. */
void network_try_at_once(struct network *n);

/* Of network_ap: the access point begins, ends, and goes on as the card allows. */
void network_begin_access_point(struct network *n);
void network_end_access_point(struct network *n, const char *why);
void network_keep_access_point(struct network *n);

#endif
