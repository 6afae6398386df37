/* outbox.h - readings on their way to the broker: nothing is lost, and what is live goes first.
 *
 * The newest reading is sent at once and stays here until the broker has acknowledged it.  What could not be sent, or
 * was not acknowledged, waits: in memory for some seconds, then on disk (spool.h), so that a power cut takes ten
 * seconds of readings at most.  While the broker takes messages nothing is written.  What waited is sent later, in
 * order, so many a second; the caller sends it under another topic, since it is not live any more.
 *
 * The disk is worked on by a worker, one job at a time: a slow one holds nothing up.  When memory and disk are full the
 * oldest are dropped, and counted.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "spool.h"
#include "worker.h"

enum {
    OUTBOX_SLOTS = 64,
    OUTBOX_TEXT_MAX = SPOOL_BYTES_MAX / SPOOL_TEXTS_MAX,
    OUTBOX_PROBLEM_MAX = SPOOL_ERROR_MAX
};

/* Where messages go: up while there is a connection. */
struct outbox_door {
    /* Sends a text, live or late.  True: it is on its way, and outbox_acked() or outbox_down() will tell; *number is
     * set before.  False: not now.  *refused: never. */
    bool (*send)(struct outbox_door *door, const char *text, size_t length, bool late, int *number,
                 bool *refused);
};

struct outbox_settings {
    int keep_days;  /* 0: nothing goes to disk */
    int keep_mib;   /* of disk */
    int late_per_s; /* how fast what waited is sent: 1 to 1000 */
};

struct outbox_counts {
    uint64_t waiting; /* now, in memory and on disk */
    int64_t disk_bytes;
    uint64_t sent_late; /* acknowledged */
    uint64_t dropped;   /* given up: bounds, damage, or refused by the broker */
};

struct outbox;

/* Nothing is kept on disk with an empty folder.  What a former process left there is found and sent.  NULL: out of
 * memory. */
struct outbox *outbox_open(struct loop *l, const char *folder,
                           const struct outbox_settings *settings);

/* Puts what waits in memory on disk, blocking, and closes. */
void outbox_close(struct outbox *o);

/* Counts from now on. */
void outbox_set(struct outbox *o, const struct outbox_settings *settings);

/* The place for the next text, of OUTBOX_TEXT_MAX bytes: the caller's until outbox_add(), which takes `length` of them
 * and sends or keeps them. */
char *outbox_next(struct outbox *o);
void outbox_add(struct outbox *o, size_t length);

/* There is a connection; fresh: the newest text that waits may still go as live. */
void outbox_up(struct outbox *o, struct outbox_door *door, bool fresh);
void outbox_down(struct outbox *o);

/* The broker has the message of this number, or refused it for good.  True: it was one of these. */
bool outbox_acked(struct outbox *o, int number, bool taken);

/* The connection may take more. */
void outbox_pump(struct outbox *o);

/* How long the oldest message has been without an answer; 0: there is none on its way. */
int64_t outbox_unanswered_ms(const struct outbox *o);

/* Drops all that waits, on disk, too: a factory reset. */
void outbox_forget(struct outbox *o);

/* dropped and sent_late are since outbox_open(). */
struct outbox_counts outbox_get_counts(const struct outbox *o);

/* Why nothing can be kept on disk now; "": it can. */
const char *outbox_problem(const struct outbox *o);

#endif
