/* update_record.h - what is remembered of an update over the restart that belongs to it: the file `update.json`.
 *
 * The settings of before lie beside it until it is over: a system on trial begins each time with them, and so does the
 * one that is taken back.
 */
#ifndef UPDATE_RECORD_H
#define UPDATE_RECORD_H

#include "update_version.h"
#include "worker.h"

#define UPDATE_FELL_BACK \
    "the new system was started and did not report that it is well: the one of before was taken " \
    "back"

enum { UPDATE_WHY_MAX = 240, UPDATE_SLOT_MAX = 32 };

enum update_phase {
    UPDATE_NONE,       /* there was no update so far */
    UPDATE_INSTALLING, /* into the slot that is not booted */
    UPDATE_INSTALLED,  /* to be booted */
    UPDATE_TRIED,      /* was booted at least once, and has not proved itself */
    UPDATE_OVER
};

struct update_record {
    enum update_phase phase;
    char from[UPDATE_RELEASE_MAX], to[UPDATE_RELEASE_MAX]; /* releases; "": not known */
    char booted[UPDATE_SLOT_MAX]; /* the slot it was asked for in, as the boot loader calls it */
    bool meter_live;              /* at that moment */
    bool ok;                      /* of what is over */
    char reason[UPDATE_WHY_MAX];
    int64_t time_s; /* UTC when it was over; READING_NO_TIME: not known */
};

/* At start, before the settings are loaded: what is remembered; `running` is this system's release, "": unknown.
 * If it is the new one it is on trial from now on, even if the power went before it was noted as installed; if it is
 * the old one again, though the new one was tried, the update is over and failed.  The settings are those that the new
 * one found at its first start: they are put back at its later ones, and in the old one.  Blocks on the disk.
 * "": no folder.  False: there is too little memory to read it, and all stays as it is. */
bool update_record_resume(struct update_record *r, const char *state_dir, const char *running,
                          int64_t now_s);

/* It is over. */
void update_record_end(struct update_record *r, bool ok, const char *reason, int64_t now_s);

/* Saving, by a worker.  Start it zeroed. */
struct update_saver {
    struct loop *loop;
    const char *state_dir; /* "": nothing is kept */
    /* On the loop, when it is saved, or could not be (which was logged). */
    void (*saved)(struct update_saver *s, bool ok);
    /* private */
    struct update_record record;
    struct worker_job job;
    bool ok;
};

/* Saves it; with UPDATE_INSTALLING the settings as they are, too, and with UPDATE_OVER those go.  One at a time. */
void update_record_save(struct update_saver *s, const struct update_record *r);

/* Waits for the worker. */
void update_record_close(struct update_saver *s);

#endif
