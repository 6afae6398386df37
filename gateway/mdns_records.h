/* mdns_records.h - what the local network is told of this box: its names, the addresses behind them, its services.
 *
 *   smart-connect-<serial>.local   always; the services are there
 *   smart-connect.local            the name of the manual: of the first box on the network that asks for it
 *
 * Pure: what is open and which addresses there are is passed in.
 */
#ifndef MDNS_RECORDS_H
#define MDNS_RECORDS_H

#include "address.h"

#include <ifaddrs.h>
#include <stdint.h>

/* Avahi takes 32 entries in a group: addresses and services stay below that. */
enum {
    MDNS_TYPE_MAX = 22,
    MDNS_NAME_MAX = 64, /* of DNS: 63 characters in a label */
    MDNS_HOST_NAME_MAX = 27,
    MDNS_ADDRESSES_MAX = 16,
    MDNS_SERVICES_MAX = 12,
    MDNS_TEXTS_MAX = 6,
    MDNS_TEXT_MAX = 64
};

#define MDNS_SHARED_NAME "smart-connect.local"

struct mdns_address {
    int interface; /* the kernel's number: an address is told where it is, and nowhere else */
    char text[ADDRESS_TEXT_MAX];
};

struct mdns_service {
    char type[MDNS_TYPE_MAX];                 /* "_http._tcp" */
    uint16_t port;                            /* 1..65535 */
    char name[MDNS_NAME_MAX];                 /* what people see in a list */
    char text[MDNS_TEXTS_MAX][MDNS_TEXT_MAX]; /* "key=value" of the TXT record; the first "" ends them */
};

/* To be compared as bytes: nothing here is padded; begin with mdns_records_begin(). */
struct mdns_records {
    char own_name[MDNS_NAME_MAX]; /* "smart-connect-00112233aabb.local" */
    char serial[MDNS_TEXT_MAX];
    int address_count, service_count;
    struct mdns_address address[MDNS_ADDRESSES_MAX];
    struct mdns_service service[MDNS_SERVICES_MAX];
};

/* The box's own name without a domain: "smart-connect-00112233aabb". */
void mdns_records_host_name(const char *serial, char name[static MDNS_HOST_NAME_MAX]);

/* Nothing but the names of the box with this serial number. */
void mdns_records_begin(struct mdns_records *r, const char *serial);

/* A web server that listens at `bound`; not told of if nobody else can reach that, or if it is NULL. */
void mdns_records_add_web(struct mdns_records *r, const char *type,
                          const struct sockaddr_storage *bound);

/* A Modbus TCP server that listens there, and the map it serves; the same holds. */
void mdns_records_add_modbus(struct mdns_records *r, const struct sockaddr_storage *bound,
                             const char *map);

/* The addresses of getifaddrs(): of interfaces that are up, none of loopback; a link-local one of IPv6 only where the
 * interface has no other. */
void mdns_records_add_addresses(struct mdns_records *r, const struct ifaddrs *list);

#endif
