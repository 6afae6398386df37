/* net_watch.h - tells when this machine's network changed: a link, an address or a route came (rtnetlink). */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include "loop.h"

struct net_watch {
    void (*changed)(struct net_watch *w); /* on the loop, once for what comes within half a second */
    /* private */
    struct loop *loop;
    struct loop_fd watch;
    struct loop_timer settle;
};

/* Begins to listen; `changed` was filled in.  False with errno: it is never called then. */
bool net_watch_open(struct net_watch *w, struct loop *l);
void net_watch_close(struct net_watch *w);

#endif
