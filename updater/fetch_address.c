#include "fetch_address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { V4_BYTES = 4, V6_BYTES = 16 };

static const char of_loopback[] = "a loopback address";

/* The first `bits` of an address; the first row that fits counts. */
static const struct range {
    size_t bytes; /* V4_BYTES or V6_BYTES */
    unsigned bits;
    uint8_t prefix[V6_BYTES];
    const char *what;
} ranges[] = {
    {V4_BYTES, 8, {0}, "an unspecified address"},
    {V4_BYTES, 8, {127}, of_loopback},
    {V4_BYTES, 16, {169, 254}, "a link-local address"},
    {V4_BYTES, 4, {224}, "a multicast address"},
    {V4_BYTES, 4, {240}, "a reserved address"},
    {V6_BYTES, 128, {0}, "an unspecified address"},
    {V6_BYTES, 128, {[15] = 1}, of_loopback},
    {V6_BYTES, 96, {0}, "a reserved address"}, /* IPv4-compatible, RFC 4291 2.5.5.1 */
    {V6_BYTES, 10, {0xfe, 0x80}, "a link-local address"},
    {V6_BYTES, 8, {0xff}, "a multicast address"},
};

static bool is_in(const struct range *r, const uint8_t *address, size_t bytes)
{
    size_t whole = r->bits / 8;
    uint8_t mask = (uint8_t)(0xff00 >> r->bits % 8);
    return r->bytes == bytes && memcmp(r->prefix, address, whole) == 0 &&
           (whole == bytes || ((r->prefix[whole] ^ address[whole]) & mask) == 0);
}

static const char *range_of(const uint8_t *address, size_t bytes)
{
    for (size_t i = 0; i < COUNT(ranges); i++)
        if (is_in(&ranges[i], address, bytes))
            return ranges[i].what;
    return NULL;
}

/* A socket can be bound to an address of this machine and to no other, and asking so needs no netlink. */
static bool is_own(const struct sockaddr *address, socklen_t length)
{
    struct sockaddr_storage any_port = {0};
    memcpy(&any_port, address, length);
    if (address->sa_family == AF_INET)
        ((struct sockaddr_in *)&any_port)->sin_port = 0;
    else
        ((struct sockaddr_in6 *)&any_port)->sin6_port = 0;
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool own = fd >= 0 && bind(fd, (const struct sockaddr *)&any_port, length) == 0;
    if (fd >= 0)
        close(fd);
    return own;
}

static const char *fault(const struct sockaddr *address, socklen_t length, const uint8_t *bytes,
                         size_t count, bool loopback)
{
    const char *range = range_of(bytes, count);
    if (range)
        return range == of_loopback && loopback ? NULL : range;
    return is_own(address, length) ? "an address of this machine itself" : NULL;
}

static const char *fault_v4(in_addr_t network_order, bool loopback)
{
    const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = network_order};
    uint8_t bytes[V4_BYTES];
    memcpy(bytes, &v4.sin_addr, sizeof bytes);
    return fault((const struct sockaddr *)&v4, sizeof v4, bytes, sizeof bytes, loopback);
}

const char *fetch_address_fault(const struct sockaddr *address, bool loopback)
{
    struct sockaddr_in6 v6;
    struct sockaddr_in v4;
    in_addr_t inner;
    switch (address->sa_family) {
    case AF_INET:
        memcpy(&v4, address, sizeof v4);
        return fault_v4(v4.sin_addr.s_addr, loopback);
    case AF_INET6:
        memcpy(&v6, address, sizeof v6);
        memcpy(&inner, v6.sin6_addr.s6_addr + V6_BYTES - V4_BYTES, sizeof inner);
        return IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)
                   ? fault_v4(inner, loopback)
                   : fault(address, sizeof v6, v6.sin6_addr.s6_addr, V6_BYTES, loopback);
    default:
        return "neither an IPv4 nor an IPv6 address";
    }
}
