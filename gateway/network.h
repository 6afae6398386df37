/* network.h - the box's own network (SPEC 8): what is to be active, and what becomes of a change.
 *
 *   host             nothing is changed; the kernel's view is reported
 *   networkmanager   our profiles (network_profile.h) are kept active through NetworkManager (nm.h), one card at a time
 *
 * DHCP that nobody answers in NETWORK_DHCP_MS, time for three attempts, gets a link-local address beside it, and goes
 * on asking about once a minute.  A changed network is on trial: if nobody reaches the page within NETWORK_TRIAL_MS,
 * the settings of before return.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "nm.h"
#include "settings.h"

enum {
    NETWORK_DHCP_MS = 16000,
    NETWORK_TRIAL_MS = 60000,
    NETWORK_AP_IDLE_MS = 600000 /* an access point that nobody uses ends */
};

enum network_state {
    NETWORK_OFF,        /* left to the host */
    NETWORK_NO_MANAGER, /* NetworkManager does not run */
    NETWORK_NO_CARD,
    NETWORK_NO_LINK, /* no cable, or no such Wi-Fi in reach */
    NETWORK_CONNECTING,
    NETWORK_LINK_LOCAL, /* no DHCP server answers */
    NETWORK_CONNECTED,
    NETWORK_FAILED /* tried again; see problem */
};
enum { NETWORK_STATES = NETWORK_FAILED + 1 };
extern const char *const network_state_names[NETWORK_STATES];

enum network_ap { AP_OFF, AP_STARTING, AP_ON };
enum { NETWORK_APS = AP_ON + 1 };
extern const char *const network_ap_names[NETWORK_APS];

struct network_info {
    bool managed; /* by us, through NetworkManager */
    enum network_state state;
    int interface;              /* enum config_interface: the one that is wanted */
    const struct nm_card *card; /* of it; NULL: there is none */
    const char *problem;        /* in words; "": none */
    enum network_ap access_point;
    int64_t trial_left_ms; /* -1: no change is on trial */
    bool scanning;
    int64_t scan_age_ms; /* -1: there was none */
};

struct network_owner {
    /* Nobody reached the page: the network settings of `before` are to hold again; they stay in place until
     * network_settled(). */
    void (*roll_back)(struct network_owner *owner, const struct config *before);
    /* The file of a trial is being written or removed: no change may be saved meanwhile, as what is kept for it could
     * be lost.  Told when that begins, maybe more than once, and when it is done; also within network_open(). */
    void (*hold)(struct network_owner *owner, bool on);
    /* Addresses change: who is connected is gone without a word.  Told when the change begins, and when it is done. */
    void (*leaving)(struct network_owner *owner);
};

/* Its strings and pointers stay the caller's. */
struct network_settings {
    bool managed;
    const char *ethernet, *wifi; /* network cards; "": the first of its kind */
    const char *state_dir;
    bool (*forwards)(void); /* the kernel passes packets on between networks: forwarding_is_on */
    const struct config *config, *usual; /* now, and the defaults */
    const struct identity *identity;
};

struct network;

/* Begins.  NULL: out of memory. */
struct network *network_open(struct loop *l, struct bus *b, const struct network_settings *settings,
                             struct network_owner *owner);

/* The network stays as it is. */
void network_close(struct network *n);

/* What has to be in the file NETWORK_TRIAL_FILE before the candidate is saved, as it will be on trial: memory of the
 * caller (free).  NULL: nothing. */
char *network_before(const struct network *n, const struct config *before,
                     const struct config *candidate);

/* The candidate was not saved. */
void network_discard(struct network *n);

/* The configuration has changed from `before`.  `tried`: it is to prove itself, if the user wants that. */
void network_changed(struct network *n, const struct config *before, bool tried);

/* What roll_back asked for is done; or it could not be saved, and will be asked for again. */
void network_settled(struct network *n, bool done);

/* Factory reset: nothing is on trial any more, and an access point ends. */
void network_forget(struct network *n);

/* Soft reset: ends an access point, connects anew. */
void network_reconnect(struct network *n);

/* Starts the access point, or ends it.  False: `*why` says why it cannot be. */
bool network_access_point(struct network *n, bool on, const char **why);

/* Looks for Wi-Fi networks.  False: the same. */
bool network_scan(struct network *n, const char **why);
size_t network_list(const struct network *n, const struct nm_network **list);

/* Somebody who knows the login has reached the page from there. */
void network_reached(struct network *n, const struct sockaddr_storage *from);

/* How it is now. */
struct network_info network_get_info(const struct network *n);

#endif
