#include "mdns_records.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PRODUCT "Smart Connect"

void mdns_records_begin(struct mdns_records *r, const char *serial)
{
    char host_name[MDNS_HOST_NAME_MAX];
    memset(r, 0, sizeof *r);
    snprintf(r->serial, sizeof r->serial, "%s", serial);
    mdns_records_host_name(serial, host_name);
    snprintf(r->own_name, sizeof r->own_name, "%s.local", host_name);
}

void mdns_records_host_name(const char *serial, char name[static MDNS_HOST_NAME_MAX])
{
    snprintf(name, MDNS_HOST_NAME_MAX, "smart-connect-%.12s", serial);
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
}

/* --- services --------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr_storage *bound)
{
    char text[ADDRESS_TEXT_MAX];
    address_format_host(bound, text);
    return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0;
}

/* The name need be unique among services of one type only. */
static void name_service(const struct mdns_records *r, struct mdns_service *s)
{
    bool first = true;
    for (int i = 0; i < r->service_count; i++)
        first = first && strcmp(r->service[i].type, s->type) != 0;
    if (first)
        snprintf(s->name, sizeof s->name, PRODUCT " %.12s", r->serial);
    else
        snprintf(s->name, sizeof s->name, PRODUCT " %.12s port %u", r->serial, s->port);
}

/* A service with a room for one more text; NULL: it is not to be told of. */
static char *add_service(struct mdns_records *r, const char *type,
                         const struct sockaddr_storage *bound)
{
    struct mdns_service *s = &r->service[r->service_count];
    if (!bound || is_loopback(bound) || r->service_count == MDNS_SERVICES_MAX)
        return NULL;
    snprintf(s->type, sizeof s->type, "%s", type);
    s->port = (uint16_t)address_port(bound);
    name_service(r, s);
    snprintf(s->text[0], MDNS_TEXT_MAX, "txtvers=1");
    snprintf(s->text[1], MDNS_TEXT_MAX, "product=" PRODUCT);
    snprintf(s->text[2], MDNS_TEXT_MAX, "serial=%.12s", r->serial);
    snprintf(s->text[3], MDNS_TEXT_MAX, "version=" SMART_CONNECT_VERSION);
    r->service_count++;
    return s->text[4];
}

void mdns_records_add_web(struct mdns_records *r, const char *type,
                          const struct sockaddr_storage *bound)
{
    char *text = add_service(r, type, bound);
    if (text)
        snprintf(text, MDNS_TEXT_MAX, "path=/");
}

void mdns_records_add_modbus(struct mdns_records *r, const struct sockaddr_storage *bound,
                             const char *map)
{
    char *text = add_service(r, "_modbus._tcp", bound);
    if (text)
        snprintf(text, MDNS_TEXT_MAX, "map=%s", map);
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool is_link_local(const struct sockaddr *a)
{
    return a->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LINKLOCAL(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static bool is_usable(const struct ifaddrs *i)
{
    return i->ifa_addr && (i->ifa_flags & IFF_UP) && !(i->ifa_flags & IFF_LOOPBACK) &&
           (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6);
}

static bool has_better(const struct ifaddrs *list, const char *interface)
{
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        if (is_usable(i) && strcmp(i->ifa_name, interface) == 0 && !is_link_local(i->ifa_addr))
            return true;
    return false;
}

/* Without the scope that a link-local address may have: it is told on its own interface. */
static void add_address(struct mdns_records *r, const struct sockaddr *a, const char *interface)
{
    struct mdns_address *next = &r->address[r->address_count];
    const void *bytes =
        a->sa_family == AF_INET
            ? (const void *)&((const struct sockaddr_in *)(const void *)a)->sin_addr
            : (const void *)&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    next->interface = (int)if_nametoindex(interface);
    if (next->interface && inet_ntop(a->sa_family, bytes, next->text, sizeof next->text))
        r->address_count++;
}

void mdns_records_add_addresses(struct mdns_records *r, const struct ifaddrs *list)
{
    for (const struct ifaddrs *i = list; i && r->address_count < MDNS_ADDRESSES_MAX; i = i->ifa_next)
        if (is_usable(i) && !(is_link_local(i->ifa_addr) && has_better(list, i->ifa_name)))
            add_address(r, i->ifa_addr, i->ifa_name);
}
