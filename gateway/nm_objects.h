/* nm_objects.h - everything NetworkManager shows (org.freedesktop.DBus.ObjectManager), as plain data.
 *
 * One answer holds it all: devices, what is active on them, their IPv4, the Wi-Fi networks in reach.  Pure but for the
 * message.
 */
#ifndef NM_OBJECTS_H
#define NM_OBJECTS_H

#include "bus_fields.h"
#include "nm.h"

enum { NM_DEVICES_MAX = 24, NM_ACTIVES_MAX = 24, NM_POINTS_MAX = 96, NM_ADDRESSES_MAX = 4 };

/* Of NMDeviceType. */
enum { NM_TYPE_ETHERNET = 1, NM_TYPE_WIFI = 2, NM_TYPE_VETH = 20 };

struct nm_device {
    char path[NM_TEXT_MAX], interface[16], active[NM_TEXT_MAX], ip4[NM_TEXT_MAX],
        point[NM_TEXT_MAX];
    uint32_t type, state, flags;
    int64_t scanned_ms; /* Wi-Fi: the end of the last scan, on the boot clock; -1: never */
};

struct nm_active {
    char path[NM_TEXT_MAX], uuid[40];
};

struct nm_ip4 {
    char path[NM_TEXT_MAX], gateway[ADDRESS_TEXT_MAX];
    size_t address_count, dns_count;
    struct nm_address address[NM_ADDRESSES_MAX];
    struct nm_address dns[NM_DNS_MAX];
};

struct nm_point {
    char path[NM_TEXT_MAX];
    struct bus_bytes ssid;
    uint8_t strength;
    uint32_t frequency_mhz, flags, wpa, rsn;
};

struct nm_objects {
    size_t device_count, active_count, ip4_count, point_count;
    struct nm_device device[NM_DEVICES_MAX];
    struct nm_active active[NM_ACTIVES_MAX];
    struct nm_ip4 ip4[NM_DEVICES_MAX];
    struct nm_point point[NM_POINTS_MAX];
};

/* Reads an answer of GetManagedObjects.  What is more than fits is left out.  Negative errno: it is broken. */
int nm_objects_read(sd_bus_message *answer, struct nm_objects *o);

/* The network card of this name and kind (enum config_interface); name "": the first of its kind that NetworkManager
 * looks after.  NULL: there is none. */
const struct nm_device *nm_objects_card(const struct nm_objects *o, int kind, const char *name);

/* What is known of a card, but for `failure` and `settled`.  `device` NULL: nothing. */
void nm_objects_describe(const struct nm_objects *o, const struct nm_device *device,
                         struct nm_card *card);

/* The networks in reach, as nm_networks() tells them; how many. */
size_t nm_objects_networks(const struct nm_objects *o,
                           struct nm_network list[static NM_NETWORKS_MAX]);

#endif
