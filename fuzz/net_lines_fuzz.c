/* net_lines_fuzz.c - any text as a line of the kernel's routing tables, and any bytes as the reply to a ping: a router
 * that is taken over is there and has an interface; only who knows the request can answer it.
 */
#include "gateway/ping.h"
#include "gateway/route.h"

#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>

static void try_lines(const char *line)
{
    struct route r = {0}, before;
    route_take_ipv4(&r, line);
    demand(r.router.ss_family == AF_UNSPEC || r.router.ss_family == AF_INET);
    before = r;
    route_take_ipv4(&r, line); /* no better than itself */
    demand(memcmp(&r, &before, sizeof r) == 0);
    static const char worse[] = "eth9 0 1 3 0 0 4000000000 0",
                      better[] = "eth8 0 1 3 0 0 3999999999 0";
    struct route best = {0};
    route_take_ipv4(&best, worse);
    route_take_ipv4(&best, line);
    route_take_ipv4(&best, better);
    demand(best.metric <= 3999999999);
    route_take_ipv6(&r, line);
    demand(memchr(r.interface, 0, sizeof r.interface));
    if (r.router.ss_family == AF_UNSPEC)
        demand(r.interface[0] == 0 && r.metric == 0);
    else
        demand(r.interface[0] && strstr(line, r.interface));
}

static void try_reply(const uint8_t *data, size_t size, sa_family_t family)
{
    static const uint8_t token[PING_TOKEN_LEN] = {0x9E, 0x37, 0x79, 0xB9, 0x7F, 0x4A, 0x7C, 0x15};
    struct ping p = {0};
    uint8_t request[PING_ECHO_LEN];
    ping_set(&p, PING_ADDRESS);
    demand(ping_due(&p, 1000000, token) == PING_SEND);
    ping_put_request(&p, family, request);
    demand(!ping_is_reply(&p, family, request, sizeof request)); /* our own, heard again */
    if (ping_is_reply(&p, family, data, size))
        demand(size == sizeof request && memcmp(data + 6, request + 6, sizeof request - 6) == 0 &&
               data[0] != request[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *line = text_of_input(data, size);
    try_lines(line);
    try_reply(data, size, AF_INET);
    try_reply(data, size, AF_INET6);
    free(line);
    return 0;
}
