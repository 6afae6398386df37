/* settings.h - the user configuration as it is now: loaded, changed as a whole or not at all, kept, applied.
 *
 * A change is checked, then saved by a worker, then applied: who is told that it is done can pull the plug.  Changes
 * come one after another, in the order they were asked for.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "config.h"
#include "worker.h"

/* Files of the state folder: the settings; those of before an update that has not proved itself (update_record.h). */
#define SETTINGS_FILE "config.json"
#define SETTINGS_BEFORE_FILE "config.json.before"

enum { SETTINGS_ETAG_MAX = 32, SETTINGS_PROBLEM_MAX = 280 };

enum settings_result {
    SETTINGS_DONE,     /* saved and applied; or there was nothing to change */
    SETTINGS_BAD,      /* change->errors says what is wrong */
    SETTINGS_OUTDATED, /* the configuration is not the one of change->if_match any more */
    SETTINGS_NOT_SAVED /* change->error, an errno: the old configuration stays */
};

/* One change; its own until done is called. */
struct settings_change {
    json_t *patch; /* stays the caller's; NULL: back to the defaults (factory reset), but for: */
    const struct config *from; /* not NULL, without a patch: the settings of `doors` as they are there */
    unsigned doors;
    const char *if_match; /* ETags; NULL: whatever it is now */
    void (*done)(struct settings_change *change, enum settings_result result);
    struct config_errors errors;
    int error;
    struct settings_change *next; /* private */
};

/* Those who take the settings over. */
struct settings_owner {
    /* Does what can fail (a port) for the candidate.  False: errors says why, and nothing is changed. */
    bool (*prepare)(struct settings_owner *owner, const struct config *before,
                    const struct config *candidate, struct config_errors *errors);
    /* The candidate was not saved: as before it was prepared. */
    void (*undo)(struct settings_owner *owner);
    /* settings->now is in force from now on; doors: those that it changes. */
    void (*apply)(struct settings_owner *owner, unsigned doors);
};

struct settings {
    struct loop *loop;
    const char *state_dir; /* "": nothing is kept */
    struct settings_owner *owner;
    struct config now, defaults;
    unsigned revision;                  /* changes since start */
    char etag[SETTINGS_ETAG_MAX];       /* of the configuration now, in quotes */
    char problem[SETTINGS_PROBLEM_MAX]; /* of the file, at start; "": none */
    /* private */
    uint32_t start;
    struct settings_change *waiting, *running;
    bool held;
    struct config candidate;
    struct worker_job job;
    char *text; /* what the worker writes; NULL: it removes the file */
    const char *first_name;
    char *first_text; /* what it writes before; NULL: nothing */
    bool set_aside;
    const char *failed; /* with error: the file that could not be written */
    int error;
};

/* Reads what is kept.  A damaged file is set aside and the defaults hold; problem says so.  `defaults` is copied.
 * False: there is too little memory to read it, and it stays. */
bool settings_load(struct settings *s, struct loop *l, const char *state_dir,
                   const struct config *defaults);

/* Begins a change; done is called at once or later, from the loop. */
void settings_begin(struct settings *s, struct settings_change *change);

/* While they are held no change begins: those that are asked for wait.  What has begun goes on. */
void settings_hold(struct settings *s, bool on);

/* True while this is the change that is being saved or applied. */
bool settings_is_applying(const struct settings *s, const struct settings_change *change);

/* For `prepare`: this file of the state folder has to be on the disk before the candidate is, or it is not saved.
 * `text` is taken over.  `undo` may have to remove it. */
void settings_write_first(struct settings *s, const char *name, char *text);

/* True while what is saved or applied was asked for by a patch: no reset, and nothing that is taken back. */
bool settings_is_patched(const struct settings *s);

/* True if nothing is set: as it left the factory. */
bool settings_are_factory(const struct settings *s);

/* Another default, found out at start (a port): no change, nothing is saved. */
void settings_default_port(struct settings *s, int port);

/* Something in the settings could not be done at start: `problem` says it until the next change, unless there was one
 * before. */
void settings_note_problem(struct settings *s, const char *problem);

/* Waits for the worker, and calls done for all that is under way. */
void settings_close(struct settings *s);

#endif
