#include "route.h"

#include <fcntl.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* --- lines ------------------------------------------------------------------------------------ */

static bool is_better(const struct route *r, unsigned flags, unsigned metric)
{
    const unsigned wanted = RTF_UP | RTF_GATEWAY;
    return (flags & (wanted | RTF_REJECT)) == wanted &&
           (r->router.ss_family == AF_UNSPEC || metric < r->metric);
}

static void take(struct route *r, const void *router, size_t length, const char *interface,
                 unsigned metric)
{
    memset(r, 0, sizeof *r);
    memcpy(&r->router, router, length);
    snprintf(r->interface, sizeof r->interface, "%s", interface);
    r->metric = metric;
}

/* Interface, destination, gateway, flags, RefCnt, Use, metric, mask...: addresses in hex, as they stand in memory.
 * The mask counts: a VPN's 0.0.0.0/1 is no default route. */
void route_take_ipv4(struct route *r, const char *line)
{
    char interface[IF_NAMESIZE];
    unsigned destination, gateway, flags, metric, mask;
    if (sscanf(line, "%15s %x %x %x %*u %*u %u %x", interface, &destination, &gateway, &flags,
               &metric, &mask) != 6 ||
        destination != 0 || mask != 0 || !is_better(r, flags, metric))
        return;
    const struct sockaddr_in router = {.sin_family = AF_INET, .sin_addr.s_addr = gateway};
    take(r, &router, sizeof router, interface, metric);
}

static bool parse_hex_address(const char *hex, struct in6_addr *address)
{
    for (size_t i = 0; i < sizeof address->s6_addr; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &address->s6_addr[i]) != 1)
            return false;
    return true;
}

/* Destination and its length, source and its length, next hop, metric, RefCnt, Use, flags, interface: all in hex. */
void route_take_ipv6(struct route *r, const char *line)
{
    char interface[IF_NAMESIZE], next[33];
    unsigned destination_bits, source_bits, flags, metric;
    struct sockaddr_in6 router = {.sin6_family = AF_INET6};
    if (sscanf(line, "%*32s %x %*32s %x %32s %x %*x %*x %x %15s", &destination_bits, &source_bits,
               next, &metric, &flags, interface) != 6 ||
        destination_bits != 0 || source_bits != 0 || !is_better(r, flags, metric) ||
        strlen(next) != 32 || !parse_hex_address(next, &router.sin6_addr))
        return;
    take(r, &router, sizeof router, interface, metric);
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Gives each line to take_line; one longer than the buffer, which no table has, is nothing. */
static void read_table(const char *path, struct route *r,
                       void (*take_line)(struct route *r, const char *line))
{
    char buffer[2048];
    size_t length = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, buffer + length, sizeof buffer - 1 - length)) > 0) {
        char *line = buffer, *end;
        length += (size_t)n;
        buffer[length] = 0;
        for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
            *end = 0;
            take_line(r, line);
        }
        length -= (size_t)(line - buffer);
        memmove(buffer, line, length);
        if (length == sizeof buffer - 1)
            length = 0;
    }
    if (fd >= 0)
        close(fd);
}

static void add_scope(struct route *r)
{
    struct sockaddr_in6 *router = (struct sockaddr_in6 *)&r->router;
    if (IN6_IS_ADDR_LINKLOCAL(&router->sin6_addr))
        router->sin6_scope_id = if_nametoindex(r->interface);
}

bool route_default(struct route *r)
{
    memset(r, 0, sizeof *r);
    read_table("/proc/self/net/route", r, route_take_ipv4);
    if (r->router.ss_family != AF_UNSPEC)
        return true;
    read_table("/proc/self/net/ipv6_route", r, route_take_ipv6);
    if (r->router.ss_family == AF_UNSPEC)
        return false;
    add_scope(r);
    return true;
}
