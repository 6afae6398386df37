/* net_watch.h - tells when this machine's network changed: a link, an address or a route came or went (rtnetlink). */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include "loop.h"

struct net_watch {
    /* On the loop, once for what happens within half a second; arrived: something came, too. */
    void (*changed)(struct net_watch *w, bool arrived);
    /* private */
    struct loop *loop;
    struct loop_fd watch;
    struct loop_timer settle;
    bool arrived;
};

/* Begins to listen; `changed` was filled in.  False with errno: it is never called then. */
bool net_watch_open(struct net_watch *w, struct loop *l);
void net_watch_close(struct net_watch *w);

#endif
