/* route.h - the default route: the router that gets what is not for a neighbour.
 *
 * Read from route and ipv6_route in /proc/self/net, which a sandbox leaves visible, without memory from the heap: it is
 * asked every few seconds.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct route {
    struct sockaddr_storage router; /* family AF_UNSPEC: none; a link-local one has its scope */
    char interface[IF_NAMESIZE];
    uint32_t metric;
};

/* Asks the kernel now: the default route of IPv4, or that of IPv6 where there is none.  False: neither has a router. */
bool route_default(struct route *r);

/* Takes over what a line of /proc/self/net/route says, if that is a default route through a router and better than *r.
 * `r` begins zeroed. */
void route_take_ipv4(struct route *r, const char *line);

/* The same for /proc/self/net/ipv6_route; the scope of a link-local router is left to the caller. */
void route_take_ipv6(struct route *r, const char *line);

#endif
