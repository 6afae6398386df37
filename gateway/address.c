#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool parse_port(const char *text, in_port_t *port)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || value > 65535)
        return false;
    *port = htons((in_port_t)value);
    return true;
}

static bool parse_ipv6(const char *host, in_port_t port, struct sockaddr_storage *address,
                       socklen_t *length)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = port};
    if (inet_pton(AF_INET6, host, &a.sin6_addr) != 1)
        return false;
    memcpy(address, &a, sizeof a);
    *length = sizeof a;
    return true;
}

static bool parse_ipv4(const char *host, in_port_t port, struct sockaddr_storage *address,
                       socklen_t *length)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = port};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        return false;
    memcpy(address, &a, sizeof a);
    *length = sizeof a;
    return true;
}

bool address_parse(const char *text, struct sockaddr_storage *address, socklen_t *length)
{
    char host[ADDRESS_TEXT_MAX];
    in_port_t port;
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    memset(address, 0, sizeof *address);
    if (!parse_port(colon ? colon + 1 : text, &port))
        return false;
    if (!colon)
        return parse_ipv6("::", port, address, length);
    if (n == 0 || n >= sizeof host)
        return false;
    memcpy(host, text, n);
    host[n] = 0;
    if (host[0] != '[')
        return parse_ipv4(host, port, address, length);
    if (host[n - 1] != ']')
        return false;
    host[n - 1] = 0;
    return parse_ipv6(host + 1, port, address, length);
}

/* The IPv4 address inside an IPv6 one (::ffff:a.b.c.d), or NULL. */
static const uint8_t *mapped_ipv4(const struct sockaddr_storage *address)
{
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)address;
    if (address->ss_family == AF_INET)
        return (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
    return IN6_IS_ADDR_V4MAPPED(&a->sin6_addr) ? a->sin6_addr.s6_addr + 12 : NULL;
}

void address_format_host(const struct sockaddr_storage *address, char text[static ADDRESS_TEXT_MAX])
{
    const uint8_t *ipv4 = mapped_ipv4(address);
    text[0] = 0;
    if (ipv4)
        inet_ntop(AF_INET, ipv4, text, ADDRESS_TEXT_MAX);
    else
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, text,
                  ADDRESS_TEXT_MAX);
}

void address_format(const struct sockaddr_storage *address, char text[static ADDRESS_TEXT_MAX])
{
    char host[ADDRESS_TEXT_MAX];
    address_format_host(address, host);
    snprintf(text, ADDRESS_TEXT_MAX, mapped_ipv4(address) ? "%.46s:%d" : "[%.46s]:%d", host,
             address_port(address));
}

/* The port stands at the same place in both kinds. */
int address_port(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

void address_set_port(struct sockaddr_storage *address, int port)
{
    ((struct sockaddr_in *)address)->sin_port = htons((in_port_t)port);
}

socklen_t address_length(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

void address_reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

void address_refuse_next(int listener, int *reserve_fd)
{
    close(*reserve_fd);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        address_reset(fd);
    *reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int address_accept(int listener, int *reserve_fd, struct sockaddr_storage *address)
{
    socklen_t length = sizeof *address;
    memset(address, 0, sizeof *address);
    int fd = accept4(listener, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int problem = errno;
    if (fd < 0 && (problem == EMFILE || problem == ENFILE))
        address_refuse_next(listener, reserve_fd);
    errno = problem;
    return fd;
}

bool address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    char x[ADDRESS_TEXT_MAX], y[ADDRESS_TEXT_MAX];
    address_format_host(a, x);
    address_format_host(b, y);
    return strcmp(x, y) == 0;
}

bool address_is_of_this_machine(int fd, const struct sockaddr_storage *peer)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    memset(&own, 0, sizeof own);
    return getsockname(fd, (struct sockaddr *)&own, &length) == 0 && address_same_host(&own, peer);
}

void address_keep_alive(int fd, int idle_s, int interval_s, int probes)
{
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

void address_give_up(int fd, int after_s)
{
    const unsigned after_ms = (unsigned)after_s * 1000;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &after_ms, sizeof after_ms);
}

static int listen_on(const struct sockaddr_storage *address, socklen_t length, int backlog)
{
    const int on = 1, off = 0;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (const struct sockaddr *)address, length) == 0 && listen(fd, backlog) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* A machine without IPv6 has no [::]. */
int address_listen(const struct sockaddr_storage *address, socklen_t length, int backlog)
{
    int fd = listen_on(address, length, backlog);
    if (fd >= 0 || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL) ||
        address->ss_family != AF_INET6)
        return fd;
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)address;
    if (memcmp(&a->sin6_addr, &in6addr_any, sizeof in6addr_any) != 0)
        return fd;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = a->sin6_port};
    struct sockaddr_storage ipv4 = {0};
    memcpy(&ipv4, &any, sizeof any);
    return listen_on(&ipv4, sizeof any, backlog);
}

void address_remedy(int problem, const char *option, char *text, size_t capacity)
{
    if (problem == EADDRINUSE)
        snprintf(text, capacity,
                 "another program uses this port; stop it or choose another with --%s", option);
    else if (problem == EACCES)
        snprintf(text, capacity,
                 "ports below 1024 need a privilege; choose one above with --%s, or give the "
                 "program CAP_NET_BIND_SERVICE",
                 option);
    else if (problem == EADDRNOTAVAIL)
        snprintf(text, capacity,
                 "this machine has no such address; give --%s the port alone for all addresses",
                 option);
    else
        snprintf(text, capacity, "choose another address with --%s", option);
}
