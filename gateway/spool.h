/* spool.h - readings that wait for the broker, on disk: SQLite with a write-ahead log and synchronous FULL.
 *
 * What spool_append() has taken outlasts a power cut, even one that spoils the sector being written.  Readings
 * are kept by the batch, compressed, so that a day of one each second costs some five MiB; they come back in the
 * order they went in, and go by the batch, too.  When a bound is reached the oldest batches make room.
 *
 * Every call blocks on the disk: they are for a worker's thread, one at a time.  A folder's spool is open once
 * only.
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_FILE "readings.db" /* in the folder; its log -wal beside it while it is open */

enum {
    SPOOL_TEXTS_MAX = 16,    /* readings of one batch */
    SPOOL_BYTES_MAX = 32768, /* of all their texts, each with its NUL */
    SPOOL_ERROR_MAX = 200
};

struct spool_limits {
    int64_t max_bytes; /* of the file; its log takes another 270 KiB */
    int64_t max_age_s; /* of a batch; 0: however old */
};

/* Readings in order, as texts one behind the other, each with its NUL. */
struct spool_batch {
    int64_t id;    /* ascending; 0: there is none */
    size_t count;  /* texts */
    size_t length; /* bytes of all texts */
    char texts[SPOOL_BYTES_MAX];
};

/* Batches of which nothing is lost when a bound takes them: spool_append() says what became of them. */
struct spool_safe {
    int64_t sent_id;               /* up to this one the broker has them; 0: none */
    int64_t held_id;               /* this one is in memory, too; 0: none */
    uint64_t sent_gone, held_gone; /* readings of theirs that are not on the disk any more */
};

struct spool_counts {
    uint64_t readings; /* that wait */
    uint64_t dropped; /* since the spool was opened: the oldest, when a bound was reached, but for safe ones */
    int64_t bytes; /* of the file and its log */
};

struct spool;

/* Opens the spool of this folder, and makes it if it is missing; the folder is there.  One that is damaged, or of a
 * later version, is set aside as readings.db.bad (over the last such one) and a new one begun: *set_aside.  NULL:
 * `error` says why there can be none now (another process has it, the disk is full, it may not be written, it is
 * no file). */
struct spool *spool_open(const char *folder, const struct spool_limits *limits, bool *set_aside,
                         char error[static SPOOL_ERROR_MAX]);

/* NULL: nothing happens. */
void spool_close(struct spool *s);

/* Other bounds from now on; they are kept at the next append. */
void spool_set_limits(struct spool *s, const struct spool_limits *limits);

/* The clock was set, so those that wait may have a wrong time: they do not go by age any more, as long as the spool is
 * open. */
void spool_forget_times(struct spool *s);

/* Adds a batch; its id is set.  now_s: UTC for the age, READING_NO_TIME: it has none, and none is judged.  One that
 * has no time, or a later one than now, does not go by age.  True: the batch is on the disk, and so is what was
 * dropped for it; the newest stays, whatever the bound.  `safe`: NULL, or what is counted there and not as dropped.
 * False: nothing was changed; `error` says why. */
bool spool_append(struct spool *s, struct spool_batch *batch, int64_t now_s,
                  struct spool_safe *safe, char error[static SPOOL_ERROR_MAX]);

/* Reads the oldest batch with an id above `after`.  True with id 0: there is none.  A batch that cannot be read back
 * is skipped and counted as dropped.  False: `error`. */
bool spool_read(struct spool *s, int64_t after, struct spool_batch *batch,
                char error[static SPOOL_ERROR_MAX]);

/* Removes all batches up to this id: the broker has them.  An id never comes again.  When nothing waits any more the
 * file becomes small.  False: nothing was removed; `error`. */
bool spool_remove_through(struct spool *s, int64_t id, char error[static SPOOL_ERROR_MAX]);

/* As they are now. */
struct spool_counts spool_get_counts(const struct spool *s);

/* True if a call that failed found the file damaged: close it, and open it anew, which sets it aside. */
bool spool_is_damaged(const struct spool *s);

/* Deletes the spool of a folder and what was set aside: a factory reset.  False with errno. */
bool spool_delete(const char *folder);

#endif
