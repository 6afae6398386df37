/* p1_server.h - telegrams over TCP, to many readers.
 *
 * Whoever connects gets the newest telegram at once, if it is still live, and each one that follows.  A reader that
 * is slow gets whole telegrams all the same: it skips those that come while one is on its way, and goes on with the
 * newest.  What readers send is read and dropped.  One that takes nothing for 30 s is closed, one too many is refused.
 */
#ifndef P1_SERVER_H
#define P1_SERVER_H

#include "address.h"
#include "core/p1.h"
#include "loop.h"

enum {
    P1_READERS_MAX = 16,
    P1_SERVED_MAX = P1_TELEGRAM_MAX + 2, /* the longest telegram, with its CR LF */
    P1_STUCK_MS = 30000,
    P1_SERVER_ERROR_MAX = 320
};

struct p1_server_counters {
    uint64_t sent;                     /* telegrams that the network took, each reader's counted */
    uint64_t skipped;                  /* telegrams that a reader was too slow for */
    uint64_t accepted, refused, stuck; /* readers */
};

struct p1_server;

/* Listens at ADDR:PORT, [IPV6]:PORT or PORT, and serves from now on.  NULL: `error` says why, in one line. */
struct p1_server *p1_server_open(struct loop *l, const char *listen,
                                 char error[static P1_SERVER_ERROR_MAX]);

/* Ends all connections; NULL is fine. */
void p1_server_close(struct p1_server *s);

/* The next telegram, for all readers: at most P1_SERVED_MAX bytes, which are copied. */
void p1_server_send(struct p1_server *s, const void *telegram, size_t n);

/* The newest telegram has become too old: it is not begun any more. */
void p1_server_expire(struct p1_server *s);

/* Where it listens, with the port that is bound; how many readers there are; what was counted. */
void p1_server_address(const struct p1_server *s, char text[static ADDRESS_TEXT_MAX]);
int p1_server_readers(const struct p1_server *s);
struct p1_server_counters p1_server_get_counters(const struct p1_server *s);

#endif
