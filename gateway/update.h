/* update.h - newer versions of the whole system: who brings them, and an update from its bundle to its end.
 *
 *   receiving | fetching -> checking -> installing -> restarting ... trial -> idle
 *
 * Where the box is ours RAUC (rauc.h) installs signed bundles into the slot that is not booted, from the very file that
 * was checked (update_bundle.h).  After the restart the slot is called good when the system is well (update_health.h);
 * until then the boot loader counts, and takes the other one in the end.  Elsewhere a package manager looks after us.
 */
#ifndef UPDATE_H
#define UPDATE_H

#include "rauc.h"
#include "update_record.h"

#include <sys/socket.h>

enum update_manager { UPDATE_BY_PACKAGES, UPDATE_BY_RAUC };

enum update_state {
    UPDATE_IDLE,
    UPDATE_RECEIVING,
    UPDATE_FETCHING,
    UPDATE_CHECKING,
    UPDATE_WRITING,
    UPDATE_RESTARTING,
    UPDATE_WAITING, /* installed; nobody here can restart the box */
    UPDATE_TRIAL,   /* the new system has to prove itself */
    UPDATE_STATES
};

enum { UPDATE_ERROR_MAX = 240, UPDATE_DETAIL_MAX = 240 };

/* Why an update does not begin, or ends before anything was installed. */
enum update_refusal {
    UPDATE_ACCEPTED,
    UPDATE_NOT_OURS, /* a package manager's business */
    UPDATE_BUSY,     /* one at a time, and none while a system is on trial */
    UPDATE_ABSENT,   /* RAUC is not there */
    UPDATE_TOO_LONG,
    UPDATE_NO_ROOM,
    UPDATE_BAD, /* the bundle */
    UPDATE_REFUSALS
};

struct update_settings {
    enum update_manager manager;
    const char *state_dir;    /* "": nothing is kept, so nothing is installed */
    const char *folder;       /* where bundles lie; "": state_dir */
    const char *fetch_socket; /* of the downloader */
    const char *release_path, *floor_path;
    int64_t trial_ms;
};

struct update_owner {
    /* What update_get_info() shows is different now; often. */
    void (*changed)(struct update_owner *owner);
    bool (*meter_is_live)(struct update_owner *owner);
    const char *(*settings_problem)(struct update_owner *owner);        /* "": they could be read */
    const struct sockaddr_storage *(*page)(struct update_owner *owner); /* NULL: none is served */
};

/* Who sends a bundle; the sender's own until the verdict, or update_drop(). */
struct update_sender {
    void (*go_on)(struct update_sender *s); /* after update_take() took less than all */
    void (*verdict)(struct update_sender *s, enum update_refusal refusal, const char *error);
};

struct update_info {
    enum update_manager manager;
    enum update_state state;
    int percent;                        /* -1: unknown */
    const char *detail;                 /* "": nothing to add */
    const char *release;                /* of the running system; "": unknown */
    const char *floor;                  /* "": unknown */
    const char *compatible;             /* which bundles fit; "": unknown */
    const struct rauc *rauc;            /* its slots; NULL: none */
    const struct update_record *result; /* NULL: no update was over so far */
    unsigned revision;                  /* goes up with every change but that of percent */
};

struct update;

/* Resumes what a restart has interrupted, and so is to be called before the settings are loaded.  Texts are copied.
 * Blocks on the disk.  NULL: out of memory. */
struct update *update_open(const struct update_settings *settings);

/* Begins: the loop turns, the doors are open. */
void update_start(struct update *u, struct loop *l, struct bus *b, struct update_owner *owner);
void update_close(struct update *u);

/* How it stands; texts are valid until the loop turns. */
struct update_info update_get_info(const struct update *u);

/* May one begin now?  Not accepted: `error` says why not. */
enum update_refusal update_may_begin(const struct update *u, char error[static UPDATE_ERROR_MAX]);

/* Begins with an https URL that was checked (command_check_url).  Not accepted: `error` says why not. */
enum update_refusal update_from_url(struct update *u, const char *url,
                                    char error[static UPDATE_ERROR_MAX]);

/* Begins with a bundle of this length, whose bytes follow: how many of them are taken now, and that all have come. */
enum update_refusal update_from_sender(struct update *u, struct update_sender *s, int64_t length,
                                       char error[static UPDATE_ERROR_MAX]);
size_t update_take(struct update *u, const char *bytes, size_t length);
void update_all_sent(struct update *u);

/* The sender is gone: nobody is told any verdict; what was not sent whole is not installed. */
void update_drop(struct update *u, const struct update_sender *s);

/* "idle" ... */
const char *update_state_name(enum update_state state);

#endif
