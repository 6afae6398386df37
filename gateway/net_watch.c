#include "net_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SETTLE_MS = 500 };

static bool is_arrival(const struct nlmsghdr *m)
{
    return m->nlmsg_type == RTM_NEWLINK || m->nlmsg_type == RTM_NEWADDR ||
           m->nlmsg_type == RTM_NEWROUTE;
}

static void on_message(struct loop_fd *watch, uint32_t events)
{
    struct net_watch *w = CONTAINER_OF(watch, struct net_watch, watch);
    _Alignas(struct nlmsghdr) char bytes[8192];
    (void)events;
    ssize_t n = recv(watch->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    unsigned left = n > 0 ? (unsigned)n : 0;
    w->arrived = w->arrived || n < 0; /* too many to be kept for us: something will have come */
    for (const struct nlmsghdr *m = (const void *)bytes; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left))
        w->arrived = w->arrived || is_arrival(m);
    if (!w->settle.active)
        loop_set_timer(w->loop, &w->settle, SETTLE_MS);
}

static void on_settled(struct loop_timer *timer)
{
    struct net_watch *w = CONTAINER_OF(timer, struct net_watch, settle);
    bool arrived = w->arrived;
    w->arrived = false;
    w->changed(w, arrived);
}

bool net_watch_open(struct net_watch *w, struct loop *l)
{
    const struct sockaddr_nl groups = {.nl_family = AF_NETLINK,
                                       .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR |
                                                    RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                                                    RTMGRP_IPV6_ROUTE};
    w->loop = l;
    w->settle.expired = on_settled;
    w->watch = (struct loop_fd){
        .ready = on_message,
        .fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
    if (w->watch.fd >= 0 &&
        bind(w->watch.fd, (const struct sockaddr *)&groups, sizeof groups) == 0 &&
        loop_watch(l, &w->watch, EPOLLIN) == 0)
        return true;
    if (w->watch.fd >= 0)
        close(w->watch.fd);
    w->watch.fd = -1;
    return false;
}

void net_watch_close(struct net_watch *w)
{
    if (!w->loop || w->watch.fd < 0)
        return;
    loop_cancel_timer(w->loop, &w->settle);
    loop_watch(w->loop, &w->watch, 0);
    close(w->watch.fd);
    w->watch.fd = -1;
}
