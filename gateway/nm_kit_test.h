/* nm_kit_test.h - nm.c with its owner, on a bus played by bus_kit_test.c, and a NetworkManager played here.
 *
 * What is called of it, and what the owner is told, is noted in the journal; profiles are named by their kind.
 */
#ifndef NM_KIT_TEST_H
#define NM_KIT_TEST_H

#include "bus_kit_test.h"
#include "journal_kit_test.h"
#include "nm.h"
#include "nm_answer_kit_test.h"

#define NM_KIT_OWNER ":1.7"
#define NM_KIT_ETHERNET "/org/freedesktop/eth0"
#define NM_KIT_WIFI "/org/freedesktop/wlan0"

enum { NM_KIT_REFRESH_MS = 50, NM_KIT_AGAIN_MS = 2000, NM_KIT_SCAN_MS = 12000 }; /* as of nm.c */

struct nm_kit {
    struct loop loop;
    struct bus bus;
    struct nm *nm;
    int changes; /* that the owner was told */
    /* what NetworkManager shows: cards (path NULL: none), what is active as "/a/1" and "/a/2", a Wi-Fi network */
    struct nm_kit_device ethernet, wifi;
    struct nm_kit_point point;
    const char *active_uuid;
    bool known[NETWORK_KINDS];  /* profiles that it has */
    const char *refused, *held; /* methods it refuses, or does not answer; "": none */
    sd_bus_message *pending;    /* a call of the latter */
    int asked;                  /* how often, for all it shows */
};

extern struct nm_kit kit;

/* Around each test; NetworkManager runs, or does not yet. */
int nm_kit_begin(void **unused);
int nm_kit_begin_without(void **unused);
int nm_kit_end(void **unused);

/* Answers the call that was held, now. */
void nm_kit_answer_pending(void);

/* Tells that something it shows is different, which is looked at. */
void nm_kit_tell_change(void);

/* The same, with StateChanged of a device. */
void nm_kit_tell_state(const char *path, uint32_t now, uint32_t reason);

/* The card is in this state, with this active connection, of our profile of this kind; -1: of another's. */
void nm_kit_show_card(struct nm_kit_device *card, uint32_t state, const char *active, int kind);

/* A card as nm.c shows it. */
const struct nm_card *nm_kit_card(int which);

/* A profile of the kind for its card, with this key. */
struct network_profile nm_kit_profile(enum network_kind kind, const char *key);
void nm_kit_put(enum network_kind kind, const char *key);

#endif
