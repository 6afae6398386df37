/* p1_copy.h - a second serial port that says what the meter says: byte by byte, noise too, at 115200 8N1.
 *
 * A port that is not there, or goes, is tried again every few seconds.  Bytes that it does not take at once wait,
 * 16 KiB at most and 2 s; then they are lost in one stretch, and the copy goes on with what comes, in the middle of a
 * telegram.
 */
#ifndef P1_COPY_H
#define P1_COPY_H

#include "loop.h"

enum { P1_COPY_QUEUE = 16384, P1_COPY_STALL_MS = 2000, P1_COPY_RETRY_MS = 2000 };

struct p1_copy_counters {
    uint64_t copied, lost; /* bytes; lost: to a full port, or while there was none */
};

struct p1_copy;

/* Begins to copy as soon as the port is there.  NULL: out of memory. */
struct p1_copy *p1_copy_open(struct loop *l, const char *path);

/* NULL is fine. */
void p1_copy_close(struct p1_copy *c);

/* The next n bytes of the meter. */
void p1_copy_bytes(struct p1_copy *c, const uint8_t *bytes, size_t n);

/* Where it goes; why the port is not served, "": it is; what was counted. */
const char *p1_copy_path(const struct p1_copy *c);
const char *p1_copy_problem(const struct p1_copy *c);
struct p1_copy_counters p1_copy_get_counters(const struct p1_copy *c);

#endif
