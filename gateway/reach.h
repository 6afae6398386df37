/* reach.h - can the router be reached, and the internet?  A ping each every 3 s (SPEC 8), counted.
 *
 * ICMP or ICMPv6 echo through an unprivileged datagram socket where the kernel allows it (net.ipv4.ping_group_range),
 * else a TCP connection (the router's port 80, the internet's 443), of which a refusal is an answer, too.  One attempt
 * at a time for each target; what is not answered before the next one is due has failed.  The internet is asked only if
 * a target is set: a fresh box is silent.
 */
#ifndef REACH_H
#define REACH_H

#include "loop.h"

enum {
    REACH_NAME_MAX = 253,   /* bytes of a host name: RFC 1035, 2.3.4 */
    REACH_TARGET_MAX = 256, /* with its NUL */
    REACH_ERROR_MAX = 160,
    REACH_PERIOD_MS = 3000
};

/* What is known of one target. */
struct reach_state {
    bool on;        /* it is asked at all */
    bool known;     /* an attempt has ended */
    bool ok;        /* the last one was answered */
    int64_t rtt_us; /* of the last answer */
    uint64_t pass, fail;
};

struct reach;

/* Checks the internet target: a host name, an IPv4 or an IPv6 address; "": none. */
bool reach_check_target(const char *target, char error[static REACH_ERROR_MAX]);

/* Begins.  The router is that of the default route at each attempt (IPv4's, else IPv6's); while there is none its
 * attempt fails at once.  The internet target's name is looked up on a worker, one lookup at a time, and again when it
 * fails.  What is lost for three attempts, and its return, is a line in the log.  NULL: out of memory. */
struct reach *reach_open(struct loop *l, const char *internet_target);
void reach_close(struct reach *r);

/* Another target from now on; the counters go on.  An attempt that is under way is dropped: it is not counted. */
void reach_set_target(struct reach *r, const char *internet_target);

/* What is known of the router now. */
struct reach_state reach_gateway(const struct reach *r);

/* What is known of the internet now; not `on` without a target. */
struct reach_state reach_internet(const struct reach *r);

#endif
