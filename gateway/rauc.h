/* rauc.h - RAUC, the installer of signed bundles, over D-Bus (bus.h): de.pengutronix.rauc.Installer of RAUC 1.8.
 *
 * It does one thing at a time, and so do its users.  Nothing blocks.
 */
#ifndef RAUC_H
#define RAUC_H

#include "bus.h"

enum { RAUC_SLOTS_MAX = 4, RAUC_NAME_MAX = 32, RAUC_TEXT_MAX = 200 };

struct rauc_slot {
    char name[RAUC_NAME_MAX];      /* "rootfs.0" */
    char boot[RAUC_NAME_MAX];      /* how the boot loader calls it: "A" */
    char state[RAUC_NAME_MAX];     /* "booted", "inactive", "active" */
    char health[RAUC_NAME_MAX];    /* of the boot loader: "good", "bad" */
    char release[RAUC_TEXT_MAX];   /* of the bundle that was installed there; "": unknown */
    char installed[RAUC_TEXT_MAX]; /* when, ISO 8601; "": unknown */
};

struct rauc;

/* Who is told.  From the loop; all of them may call rauc_...(). */
struct rauc_owner {
    void (*came)(struct rauc_owner *owner);
    /* What was asked for before has no answer any more. */
    void (*left)(struct rauc_owner *owner, const char *why);
    void (*slots)(
        struct rauc_owner *owner); /* they were asked for: as they are now, or were, or unknown */
    /* A bundle's signature is good, and these are its texts; or NULL and NULL, and `error` says why not. */
    void (*checked)(struct rauc_owner *owner, const char *compatible, const char *version,
                    const char *error);
    void (*progress)(struct rauc_owner *owner);
    void (*completed)(struct rauc_owner *owner, const char *error);   /* NULL: it is installed */
    void (*marked_good)(struct rauc_owner *owner, const char *error); /* NULL: it is */
};

struct rauc {
    struct bus_peer peer;
    struct rauc_owner *owner;
    /* read-only */
    struct rauc_slot slot[RAUC_SLOTS_MAX];
    size_t slot_count; /* 0: not known (yet) */
    char compatible[RAUC_TEXT_MAX];
    char last_error[RAUC_TEXT_MAX];
    int percent;              /* of the installation */
    char step[RAUC_TEXT_MAX]; /* what it is doing */
};

/* Looks for it from now on.  The owner stays the caller's. */
void rauc_open(struct rauc *r, struct bus *b, struct rauc_owner *owner);
void rauc_close(struct rauc *r);

/* Does it run? */
bool rauc_is_there(const struct rauc *r);

/* The slot that was booted; NULL: not known. */
const struct rauc_slot *rauc_booted(const struct rauc *r);

/* Asks.  0: the owner is told how it went; or a negative errno, and he is not. */
int rauc_ask_slots(struct rauc *r);
int rauc_check(struct rauc *r, const char *path);
int rauc_install(struct rauc *r, const char *path);
int rauc_mark_good(struct rauc *r); /* the booted slot */

#endif
