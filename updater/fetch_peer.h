/* fetch_peer.h - who asked for a download: the UNIX stream socket to it, and the file it wants filled; what is said is
 * in update_lines.h.
 */
#ifndef FETCH_PEER_H
#define FETCH_PEER_H

#include "gateway/update_lines.h"

enum { FETCH_REQUEST_LIMIT_MS = 5000 }; /* how long a request may take to come */

struct fetch_peer {
    int socket;
    /* private */
    int file, files; /* the first descriptor that came, -1: none; how many came */
    bool gone;
    char line[UPDATE_REQUEST_MAX];
};

/* CLOCK_BOOTTIME in milliseconds. */
int64_t fetch_clock_ms(void);

/* Waits for the request and its descriptor, for FETCH_REQUEST_LIMIT_MS at most; request->url lies in *p.  False:
 * `error` says in one line of printable ASCII what is wrong with them. */
bool fetch_peer_receive(struct fetch_peer *p, int socket, struct update_request *request,
                        char error[static UPDATE_REASON_MAX]);

/* Writes bytes into the file at an offset; false with errno. */
bool fetch_peer_write(const struct fetch_peer *p, const char *bytes, size_t n, int64_t offset);

/* True if the other side has hung up, or said something after its request.  Does not block. */
bool fetch_peer_gone(struct fetch_peer *p);

/* Say a word and a number of bytes, or why it failed; what is not printable ASCII becomes '?', and what is too long is
 * cut.  May block for 10 s while the other side does not read; then it counts as gone. */
void fetch_peer_count(struct fetch_peer *p, const char *word, int64_t bytes);
void fetch_peer_fail(struct fetch_peer *p, const char *reason);

#endif
