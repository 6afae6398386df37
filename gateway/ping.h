/* ping.h - one target that is asked again and again: when, by what, what is an answer, and what is known from it.
 *
 * Pure: no sockets, no names, and the clock (monotonic, in us) is passed in.  Each step says what the caller has to
 * do next.  An attempt lasts until it is answered, has failed, or the next one is due; each attempt that ends adds one
 * to `pass` or `fail`.  What comes later or twice is ignored.
 *
 * An echo request and its reply (RFC 792; RFC 4443, 4.1 and 4.2):
 *
 *   T C K K I I S S R R R R R R R R
 *
 *   T type, C code (0)
 *   K checksum, I identifier of the socket: both are the kernel's
 *   S sequence number, high byte first
 *   R random bytes, fresh in each request: who has not seen it cannot answer it
 */
#ifndef PING_H
#define PING_H

#include "reach.h"

#include <sys/socket.h>

enum { PING_ECHO_LEN = 16, PING_TOKEN_LEN = 8 };

enum ping_target {
    PING_OFF,     /* nothing is asked */
    PING_ADDRESS, /* the address is known for ever */
    PING_ROUTE,   /* it is found anew for each attempt */
    PING_NAME     /* it is found, kept while it answers, and found again after a failure */
};

/* What the caller does now. */
enum ping_step {
    PING_WAIT, /* nothing */
    PING_FIND, /* find the address, then say so with ping_found() */
    PING_SEND  /* send a request, and say ping_failed() if that cannot be done */
};

struct ping {
    struct reach_state state;
    unsigned failed_in_a_row;
    uint16_t sequence; /* of the latest request */
    uint8_t token[PING_TOKEN_LEN];
    /* private */
    enum ping_target target;
    enum { AWAIT_DUE, AWAIT_FOUND, AWAIT_ANSWER } awaited;
    bool address_known;
    bool finding;  /* PING_FIND was said, and ping_found() was not called yet */
    bool outdated; /* what is being found is for a target before this one */
    int64_t begun_us, sent_us;
};

/* Another target, or none: nothing is known of it, and an attempt that is under way is dropped and not counted.  The
 * counters go on.  `p` begins zeroed. */
void ping_set(struct ping *p, enum ping_target target);

/* The time for an attempt has come: the one before, if it has no answer yet, has failed.  `token` is random. */
enum ping_step ping_due(struct ping *p, int64_t now_us, const uint8_t token[static PING_TOKEN_LEN]);

/* The end of PING_FIND, however late; `found` false: there is no address.  It may say PING_FIND again: the target was
 * another one when it began. */
enum ping_step ping_found(struct ping *p, int64_t now_us, bool found);

/* The request was answered.  False: that was too late, or nobody asked. */
bool ping_answered(struct ping *p, int64_t now_us);

/* The request could not be sent, or an error came back. */
void ping_failed(struct ping *p);

/* Writes the echo request of the attempt that is under way; `family` is AF_INET or AF_INET6. */
void ping_put_request(const struct ping *p, sa_family_t family,
                      uint8_t packet[static PING_ECHO_LEN]);

/* True if these bytes are the reply to it. */
bool ping_is_reply(const struct ping *p, sa_family_t family, const uint8_t *packet, size_t length);

#endif
