/* update_bundle.h - a bundle on its way to the installer: a file without a name.
 *
 * There is nothing to swap: what was checked and what is installed are one open file.  Before that it is sealed: no
 * descriptor that can write is left.  Bytes are gathered, and written by a worker.
 */
#ifndef UPDATE_BUNDLE_H
#define UPDATE_BUNDLE_H

#include "update_shape.h"
#include "worker.h"

#include <stdint.h>

enum {
    UPDATE_BUNDLE_MAX = 1 << 30, /* bytes of a bundle */
    UPDATE_SPARE_MAX = 16 << 20, /* bytes that must be left on the disk for everybody else */
    UPDATE_PATH_MAX = 40
};

struct update_bundle {
    /* The bytes taken so far are written, and it takes more; or it is sealed.  `problem`: an errno, 0: none; EBADMSG:
     * it is sealed, and no bundle, as `fault` says; EBUSY: others keep it open for writing. */
    void (*written)(struct update_bundle *b, int problem);
    int fd;                             /* read-only; -1: none */
    int64_t length;                     /* read-only: bytes taken */
    char fault[UPDATE_SHAPE_ERROR_MAX]; /* read-only */
    /* private */
    struct loop *loop;
    char *pending;
    size_t pending_length;
    bool ending;  /* no more comes */
    bool sealing; /* the worker does it */
    int problem;
    struct worker_job job;
};

/* Makes the file, without a name, in a folder.  `expected` bytes must have room there, -1: unknown.  False with errno
 * (ENOSPC, EOPNOTSUPP: no such files there); b->written is the caller's to set. */
bool update_bundle_open(struct update_bundle *b, struct loop *l, const char *folder,
                        int64_t expected);

/* Takes bytes: how many.  Fewer than all: the rest after `written`. */
size_t update_bundle_take(struct update_bundle *b, const char *bytes, size_t length);

/* No more comes, from here or from who writes to b->fd: what waits is written, and it is sealed; `written` follows. */
void update_bundle_seal(struct update_bundle *b);

/* How another process opens it: "/proc/PID/fd/N". */
void update_bundle_path(const struct update_bundle *b, char path[static UPDATE_PATH_MAX]);

/* Waits for the worker.  The file is closed by another, soon, and gone when nobody else has it open.  Also if there is
 * none. */
void update_bundle_close(struct update_bundle *b);

#endif
