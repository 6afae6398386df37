#include "nm_objects.h"

#include <stdlib.h>
#include <string.h>

#define NM "org.freedesktop.NetworkManager"

enum { FLAG_CARRIER = 0x10000 };                     /* NMDeviceInterfaceFlags */
enum { POINT_PRIVACY = 1 };                          /* NM80211ApFlags */
enum { SECURITY_PSK = 0x100, SECURITY_SAE = 0x400 }; /* NM80211ApSecurityFlags */

const char *const nm_security_names[NM_SECURITIES] = {"open", "wpa2", "wpa3", "other"};

/* --- reading ---------------------------------------------------------------------------------- */

/* clang-format off */
#define AT(kind, field) offsetof(struct kind, field), sizeof((struct kind *)NULL)->field
static const struct bus_field device_fields[] = {
    {"Interface", BUS_TEXT, AT(nm_device, interface)},
    {"DeviceType", BUS_U32, AT(nm_device, type)},
    {"State", BUS_U32, AT(nm_device, state)},
    {"InterfaceFlags", BUS_U32, AT(nm_device, flags)},
    {"ActiveConnection", BUS_TEXT, AT(nm_device, active)},
    {"Ip4Config", BUS_TEXT, AT(nm_device, ip4)},
    {"ActiveAccessPoint", BUS_TEXT, AT(nm_device, point)}, /* of the Wireless interface, as the next */
    {"LastScan", BUS_I64, AT(nm_device, scanned_ms)},
};
static const struct bus_field active_fields[] = {
    {"Uuid", BUS_TEXT, AT(nm_active, uuid)},
};
static const struct bus_field point_fields[] = {
    {"Ssid", BUS_BYTES, AT(nm_point, ssid)},
    {"Strength", BUS_BYTE, AT(nm_point, strength)},
    {"Frequency", BUS_U32, AT(nm_point, frequency_mhz)},
    {"Flags", BUS_U32, AT(nm_point, flags)},
    {"WpaFlags", BUS_U32, AT(nm_point, wpa)},
    {"RsnFlags", BUS_U32, AT(nm_point, rsn)},
};
static const struct bus_field address_fields[] = {
    {"address", BUS_TEXT, AT(nm_address, text)},
    {"prefix", BUS_U32, AT(nm_address, prefix)},
};
/* clang-format on */
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* A device is told of in two interfaces: the second completes what the first said. */
static int take_device(sd_bus_message *m, const char *path, struct nm_objects *o)
{
    size_t i = 0;
    while (i < o->device_count && strcmp(o->device[i].path, path) != 0)
        i++;
    if (i == NM_DEVICES_MAX)
        return sd_bus_message_skip(m, "a{sv}");
    struct nm_device *d = &o->device[i];
    if (i == o->device_count) {
        *d = (struct nm_device){.scanned_ms = -1};
        snprintf(d->path, sizeof d->path, "%s", path);
        o->device_count++;
    }
    return bus_read_fields(m, device_fields, COUNT(device_fields), d);
}

static int take_active(sd_bus_message *m, const char *path, struct nm_objects *o)
{
    if (o->active_count == NM_ACTIVES_MAX)
        return sd_bus_message_skip(m, "a{sv}");
    struct nm_active *a = &o->active[o->active_count++];
    *a = (struct nm_active){0};
    snprintf(a->path, sizeof a->path, "%s", path);
    return bus_read_fields(m, active_fields, COUNT(active_fields), a);
}

static int take_point(sd_bus_message *m, const char *path, struct nm_objects *o)
{
    if (o->point_count == NM_POINTS_MAX)
        return sd_bus_message_skip(m, "a{sv}");
    struct nm_point *p = &o->point[o->point_count++];
    *p = (struct nm_point){0};
    snprintf(p->path, sizeof p->path, "%s", path);
    return bus_read_fields(m, point_fields, COUNT(point_fields), p);
}

static int take_gateway(sd_bus_message *m, struct nm_ip4 *ip)
{
    const char *gateway;
    int result = sd_bus_message_read(m, "s", &gateway);
    if (result >= 0)
        snprintf(ip->gateway, sizeof ip->gateway, "%s", gateway);
    return result;
}

static int take_addresses(sd_bus_message *m, struct nm_ip4 *ip)
{
    return bus_read_list(m, address_fields, COUNT(address_fields), ip->address,
                         sizeof ip->address[0], NM_ADDRESSES_MAX, &ip->address_count);
}

static int take_dns(sd_bus_message *m, struct nm_ip4 *ip)
{
    return bus_read_list(m, address_fields, 1, ip->dns, sizeof ip->dns[0], NM_DNS_MAX,
                         &ip->dns_count);
}

/* The value of one key of an IPv4 configuration; one of another type is skipped. */
static int take_ip4_value(sd_bus_message *m, const char *key, struct nm_ip4 *ip)
{
    static const struct {
        const char *key, *type;
        int (*take)(sd_bus_message *m, struct nm_ip4 *ip);
    } values[] = {{"Gateway", "s", take_gateway},
                  {"AddressData", "aa{sv}", take_addresses},
                  {"NameserverData", "aa{sv}", take_dns}};
    const char *type;
    size_t i = 0;
    int result = sd_bus_message_peek_type(m, NULL, &type);
    if (result < 0)
        return result;
    while (i < COUNT(values) &&
           (strcmp(values[i].key, key) != 0 || strcmp(values[i].type, type) != 0))
        i++;
    if (i == COUNT(values))
        return sd_bus_message_skip(m, "v");
    result = sd_bus_message_enter_container(m, 'v', type);
    if (result >= 0)
        result = values[i].take(m, ip);
    return result < 0 ? result : sd_bus_message_exit_container(m);
}

static int take_ip4(sd_bus_message *m, const char *path, struct nm_objects *o)
{
    const char *key;
    int result, entry;
    if (o->ip4_count == NM_DEVICES_MAX)
        return sd_bus_message_skip(m, "a{sv}");
    struct nm_ip4 *ip = &o->ip4[o->ip4_count++];
    memset(ip, 0, sizeof *ip);
    snprintf(ip->path, sizeof ip->path, "%s", path);
    result = sd_bus_message_enter_container(m, 'a', "{sv}");
    while (result >= 0 && (entry = sd_bus_message_enter_container(m, 'e', "sv")) != 0) {
        result = entry < 0 ? entry : sd_bus_message_read(m, "s", &key);
        if (result >= 0)
            result = take_ip4_value(m, key, ip);
        if (result >= 0)
            result = sd_bus_message_exit_container(m);
    }
    return result < 0 ? result : sd_bus_message_exit_container(m);
}

static const struct {
    const char *interface;
    int (*take)(sd_bus_message *m, const char *path, struct nm_objects *o);
} readers[] = {
    {NM ".Device", take_device},
    {NM ".Device.Wireless", take_device},
    {NM ".Connection.Active", take_active},
    {NM ".IP4Config", take_ip4},
    {NM ".AccessPoint", take_point},
};

static int read_interface(sd_bus_message *m, const char *path, struct nm_objects *o)
{
    const char *interface;
    int result = sd_bus_message_read(m, "s", &interface);
    if (result < 0)
        return result;
    for (size_t i = 0; i < COUNT(readers); i++)
        if (strcmp(readers[i].interface, interface) == 0)
            return readers[i].take(m, path, o);
    return sd_bus_message_skip(m, "a{sv}");
}

static int read_object(sd_bus_message *m, struct nm_objects *o)
{
    const char *path;
    int entry, result = sd_bus_message_read(m, "o", &path);
    if (result >= 0)
        result = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
    while (result >= 0 && (entry = sd_bus_message_enter_container(m, 'e', "sa{sv}")) != 0) {
        result = entry < 0 ? entry : read_interface(m, path, o);
        if (result >= 0)
            result = sd_bus_message_exit_container(m);
    }
    return result < 0 ? result : sd_bus_message_exit_container(m);
}

int nm_objects_read(sd_bus_message *answer, struct nm_objects *o)
{
    int entry, result = sd_bus_message_enter_container(answer, 'a', "{oa{sa{sv}}}");
    o->device_count = o->active_count = o->ip4_count = o->point_count = 0;
    while (result >= 0 && (entry = sd_bus_message_enter_container(answer, 'e', "oa{sa{sv}}")) != 0) {
        result = entry < 0 ? entry : read_object(answer, o);
        if (result >= 0)
            result = sd_bus_message_exit_container(answer);
    }
    return result;
}

/* --- what it says ----------------------------------------------------------------------------- */

static bool is_kind(const struct nm_device *d, int kind, bool by_name)
{
    if (kind == INTERFACE_WIFI)
        return d->type == NM_TYPE_WIFI;
    return d->type == NM_TYPE_ETHERNET || (by_name && d->type == NM_TYPE_VETH);
}

/* Those it looks after first, then by name. */
static bool is_better(const struct nm_device *a, const struct nm_device *b)
{
    bool managed_a = a->state > NM_UNMANAGED, managed_b = b->state > NM_UNMANAGED;
    return managed_a != managed_b ? managed_a : strcmp(a->interface, b->interface) < 0;
}

const struct nm_device *nm_objects_card(const struct nm_objects *o, int kind, const char *name)
{
    const struct nm_device *best = NULL;
    for (const struct nm_device *d = o->device; d < o->device + o->device_count; d++)
        if (is_kind(d, kind, name[0] != 0) && (!name[0] || strcmp(d->interface, name) == 0) &&
            (!best || is_better(d, best)))
            best = d;
    return best;
}

static int kind_of(const struct nm_objects *o, const char *path)
{
    for (const struct nm_active *a = o->active; a < o->active + o->active_count; a++)
        for (int kind = 0; kind < NETWORK_KINDS; kind++)
            if (strcmp(a->path, path) == 0 && strcmp(a->uuid, network_profile_uuids[kind]) == 0)
                return kind;
    return -1;
}

static void describe_ip4(const struct nm_ip4 *ip, struct nm_card *card)
{
    card->address_count = ip->address_count;
    card->dns_count = ip->dns_count;
    memcpy(card->address, ip->address, sizeof card->address);
    memcpy(card->gateway, ip->gateway, sizeof card->gateway);
    for (size_t i = 0; i < ip->dns_count; i++)
        memcpy(card->dns[i], ip->dns[i].text, sizeof card->dns[i]);
}
_Static_assert(sizeof((struct nm_card *)NULL)->address == sizeof((struct nm_ip4 *)NULL)->address,
               "as many are kept");

/* A name as text; "" where it has none, or is no UTF-8. */
static void ssid_text(const struct bus_bytes *ssid, char text[static NETWORK_SSID_MAX + 1])
{
    json_t *checked = json_stringn(ssid->byte, ssid->length);
    text[0] = 0;
    if (checked && !memchr(ssid->byte, 0, ssid->length)) {
        memcpy(text, ssid->byte, ssid->length);
        text[ssid->length] = 0;
    }
    json_decref(checked);
}
_Static_assert((int)BUS_BYTES_MAX <= (int)NETWORK_SSID_MAX, "a name fits");

void nm_objects_describe(const struct nm_objects *o, const struct nm_device *device,
                         struct nm_card *card)
{
    memset(card, 0, sizeof *card);
    card->active = -1;
    if (!device)
        return;
    card->present = true;
    snprintf(card->interface, sizeof card->interface, "%s", device->interface);
    card->state = device->state;
    card->carrier = device->flags & FLAG_CARRIER;
    card->busy = device->state >= NM_PREPARE && device->state <= NM_ACTIVATED;
    card->active = kind_of(o, device->active);
    for (const struct nm_ip4 *ip = o->ip4; ip < o->ip4 + o->ip4_count; ip++)
        if (strcmp(ip->path, device->ip4) == 0)
            describe_ip4(ip, card);
    for (const struct nm_point *p = o->point; p < o->point + o->point_count; p++)
        if (strcmp(p->path, device->point) == 0) {
            ssid_text(&p->ssid, card->ssid);
            card->signal = p->strength;
        }
}

static enum nm_security security_of(const struct nm_point *p)
{
    if (p->rsn & SECURITY_PSK)
        return NM_WPA2;
    if (p->rsn & SECURITY_SAE)
        return NM_WPA3_ONLY;
    return (p->flags & POINT_PRIVACY) || p->rsn || p->wpa ? NM_OTHER_SECURITY : NM_OPEN;
}

static int by_signal(const void *a, const void *b)
{
    const struct nm_network *x = a, *y = b;
    return x->signal != y->signal ? y->signal - x->signal : strcmp(x->ssid, y->ssid);
}

/* Takes one into the list: a name that is there with less signal is replaced; of a full list the weakest goes. */
static size_t add_network(struct nm_network list[static NM_NETWORKS_MAX], size_t n,
                          const struct nm_network *found)
{
    size_t i = 0, weakest = 0;
    while (i < n && strcmp(list[i].ssid, found->ssid) != 0)
        i++;
    for (size_t k = 0; k < n; k++)
        if (list[k].signal < list[weakest].signal)
            weakest = k;
    if (i == NM_NETWORKS_MAX)
        i = weakest;
    if (i == n || list[i].signal < found->signal)
        list[i] = *found;
    return i == n ? n + 1 : n;
}

size_t nm_objects_networks(const struct nm_objects *o,
                           struct nm_network list[static NM_NETWORKS_MAX])
{
    size_t n = 0;
    for (const struct nm_point *p = o->point; p < o->point + o->point_count; p++) {
        struct nm_network found = {
            .signal = p->strength, .security = security_of(p), .frequency_mhz = p->frequency_mhz};
        ssid_text(&p->ssid, found.ssid);
        if (found.ssid[0])
            n = add_network(list, n, &found);
    }
    qsort(list, n, sizeof list[0], by_signal);
    return n;
}
