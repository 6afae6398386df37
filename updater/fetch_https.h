/* fetch_https.h - one download over HTTPS, by libcurl: HTTP 200 with a body that fits, from a host whose certificate
 * and address were looked at, and nothing else.
 */
#ifndef FETCH_HTTPS_H
#define FETCH_HTTPS_H

#include "fetch_peer.h"

enum { FETCH_RESOLVE_MAX = 4 };

struct fetch_settings {
    const char *ca; /* file of trusted authorities; NULL: the system's */
    /* "NAME:PORT:ADDRESS": what NAME is there, in place of what DNS says */
    const char *resolve[FETCH_RESOLVE_MAX];
    int resolve_n;
    bool allow_loopback; /* see fetch_address.h */
    int stall_s; /* 2 or more: less than 1 KiB/s for so long is the end; connecting has half of it */
};

enum fetch_end {
    FETCH_DONE,     /* the file is whole: *bytes long */
    FETCH_FAILED,   /* `reason` says why */
    FETCH_CANCELLED /* the peer has gone */
};

/* Fetches what was requested into the peer's file, and tells the peer how far it is.  Blocks, for two hours at most;
 * call it once. */
enum fetch_end fetch_https(struct fetch_peer *peer, const struct update_request *request,
                           const struct fetch_settings *settings, int64_t *bytes,
                           char reason[static UPDATE_REASON_MAX]);

#endif
