/* nm.h - NetworkManager over D-Bus: what it says of our two network cards, and what it is asked to do.
 *
 * Profiles are put into its memory, not on the disk: the configuration is the one place where settings are kept.
 * Other people's profiles are neither changed nor removed.  All calls return at once; what comes of them is told by
 * `changed` and `failed`.
 */
#ifndef NM_H
#define NM_H

#include "bus.h"
#include "network_profile.h"

enum { NM_TEXT_MAX = 80, NM_NETWORKS_MAX = 32, NM_DNS_MAX = 3, NM_PROBLEM_MAX = 160 };
enum { NM_CARDS = 2 }; /* by enum config_interface: INTERFACE_ETHERNET, INTERFACE_WIFI */

/* NMDeviceState. */
enum nm_state {
    NM_UNKNOWN = 0,
    NM_UNMANAGED = 10,
    NM_UNAVAILABLE = 20, /* no cable, or a radio switched off */
    NM_DISCONNECTED = 30,
    NM_PREPARE = 40,
    NM_CONFIG = 50,
    NM_NEED_AUTH = 60,
    NM_IP_CONFIG = 70,
    NM_IP_CHECK = 80,
    NM_SECONDARIES = 90,
    NM_ACTIVATED = 100,
    NM_DEACTIVATING = 110,
    NM_FAILED = 120
};

struct nm_address {
    char text[ADDRESS_TEXT_MAX];
    uint32_t prefix;
};

/* One network card as NetworkManager sees it. */
struct nm_card {
    bool present;
    char interface[16];
    uint32_t state;   /* enum nm_state */
    uint32_t failure; /* NMDeviceStateReason of the last attempt, if it failed; 0: it did not */
    bool carrier;     /* the cable, or the radio, carries a signal */
    int active; /* enum network_kind of our profile that is active or being activated; -1: none, or another's */
    bool busy;    /* some profile is active or being activated, ours or not */
    bool settled; /* nothing we asked for `active` is still under way */
    size_t address_count, dns_count;
    struct nm_address address[4]; /* IPv4; of those more are not kept */
    char gateway[ADDRESS_TEXT_MAX], dns[NM_DNS_MAX][ADDRESS_TEXT_MAX];
    char ssid[NETWORK_SSID_MAX + 1]; /* of the network joined; "": none */
    uint8_t signal;                  /* of it, 0..100 */
};

enum nm_security { NM_OPEN, NM_WPA2, NM_WPA3_ONLY, NM_OTHER_SECURITY };
enum { NM_SECURITIES = NM_OTHER_SECURITY + 1 };
extern const char *const nm_security_names[NM_SECURITIES]; /* "open", "wpa2", "wpa3", "other" */

/* A Wi-Fi network in reach. */
struct nm_network {
    char ssid[NETWORK_SSID_MAX + 1]; /* UTF-8; those without a name, or with other bytes, are left out */
    uint8_t signal;                  /* 0..100 */
    enum nm_security security;
    uint32_t frequency_mhz;
};

struct nm_owner {
    /* Something of what is shown here is different; also: NetworkManager came or left. */
    void (*changed)(struct nm_owner *owner);
    /* What was asked for a kind of profile was refused. */
    void (*failed)(struct nm_owner *owner, enum network_kind kind, const char *why);
    /* A scan has ended: nm_networks() is new. */
    void (*scanned)(struct nm_owner *owner);
};

struct nm;

/* Begins to look for NetworkManager.  The cards: names of network cards, "" = the first of its kind.  NULL: out of
 * memory. */
struct nm *nm_open(struct bus *b, struct loop *l, const char *ethernet, const char *wifi,
                   struct nm_owner *owner);

/* Leaves everything as it is: the network outlives us. */
void nm_close(struct nm *n);

/* NetworkManager runs and has told everything once.  When it was not and is again, nothing that was put is there. */
bool nm_is_ready(const struct nm *n);

/* A card as it is now; `card` is an enum config_interface. */
const struct nm_card *nm_card(const struct nm *n, int card);

/* Adds the profile, or changes it; what is active stays so until nm_activate() or nm_reapply(). */
void nm_put(struct nm *n, const struct network_profile *p);

/* Removes it. */
void nm_drop(struct nm *n, enum network_kind kind);

/* Has the profile of this kind activated on its card, in place of whatever is active there. */
void nm_activate(struct nm *n, enum network_kind kind);

/* Gives a changed IP part of the profile to the card without taking the link down. */
void nm_reapply(struct nm *n, const struct network_profile *p);

/* Takes down whatever is active on the card, which stays so. */
void nm_disconnect(struct nm *n, int card);

/* Looks for Wi-Fi networks; `scanned` follows, within 15 s, whatever happens.  A radio that is an access point cannot
 * look: the networks stay those of before. */
void nm_scan(struct nm *n);

/* What the last scan found: each name once, with its best signal, the best first. */
size_t nm_networks(const struct nm *n, const struct nm_network **list);

/* A failure in words, for people: "the Wi-Fi password is wrong"; "" for 0. */
const char *nm_failure_text(uint32_t failure);

/* True for a failure that means: there is no cable, or no such network in reach. */
bool nm_failure_is_absence(uint32_t failure);

#endif
