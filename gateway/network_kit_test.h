/* network_kit_test.h - network.c with its owner, and in place of nm.c a NetworkManager that does nothing by itself.
 *
 * What is asked of it, and what the owner is told, is noted in the journal: put, drop, up (activate), reapply with the
 * number of the profile's kind, down with the card's, scan; leaving, rollback.
 */
#ifndef NETWORK_KIT_TEST_H
#define NETWORK_KIT_TEST_H

#include "journal_kit_test.h"
#include "loop_kit_test.h"
#include "network.h"

enum { NETWORK_KIT_LOOK_MS = 1000 }; /* as of network.c */

struct network_kit {
    struct loop loop;
    struct network *network;
    struct network_settings settings;
    struct config config, before; /* now; what is to hold again */
    bool held;                    /* no change may be saved */
    bool forwards;                /* as the kernel says */
    struct identity identity;
    /* NetworkManager */
    struct nm_owner *nm_owner;
    bool ready, refuses; /* it runs; it refuses whatever is activated */
    struct nm_card card[NM_CARDS];
    struct network_profile given[NETWORK_KINDS]; /* that was put or reapplied last */
};

extern struct network_kit kit;

/* Around the tests of a group: a folder, for the kernel's file as well. */
int network_kit_make_place(void **unused);
int network_kit_remove_place(void **unused);

/* Around each test: a box as it left the factory, with both cards and a cable; NetworkManager does not run yet. */
int network_kit_begin(void **unused);
int network_kit_end(void **unused);

/* What a trial keeps lies in that folder; as it is there now: memory of the caller (free).  NULL: nothing. */
void network_kit_keep(void);
char *network_kit_kept(void);

/* These settings lie there, as the first of two files that are being saved. */
void network_kit_save_first(const struct config *before);

/* Opens it: with these settings; and has NetworkManager run, if it shall. */
void network_kit_open(const char *patch);
void network_kit_start(const char *patch);

/* NetworkManager comes or leaves. */
void network_kit_run_manager(bool on);

/* Time passes; nothing else happens. */
void network_kit_pass(int64_t ms);

/* Tells that something of the cards is different. */
void network_kit_tell(void);

/* The card of this kind is activated with it, and has these addresses ("" none); it is down. */
void network_kit_connect(enum network_kind kind, const char *address, const char *another);
void network_kit_set_state(int card, uint32_t state);

/* The user changes settings, as soon as they may be saved; the program does, without a trial. */
void network_kit_change(const char *patch);
void network_kit_change_untried(const char *patch);

/* The first in two steps: what has to be kept is, before the settings are saved; they are. */
void network_kit_prepare(const char *patch);
void network_kit_apply(const char *patch);

/* What has to be kept before this patch is saved: memory of the caller (free).  NULL: nothing. */
char *network_kit_before(const char *patch);

/* What roll_back asked for is done: saved and applied; or it could not be saved. */
void network_kit_take_back(bool saved);

/* Somebody uses the page from there. */
void network_kit_reach(const char *from);

/* Fails unless these are told. */
void network_kit_expect_state(enum network_state state, const char *problem);

#endif
