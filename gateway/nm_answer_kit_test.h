/* nm_answer_kit_test.h - what NetworkManager shows: an answer to GetManagedObjects, an object by a call.  There is more
 * in it than we read, as in a real one. */
#ifndef NM_ANSWER_KIT_TEST_H
#define NM_ANSWER_KIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include <cmocka.h>

#define NM_KIT "org.freedesktop.NetworkManager"

enum { NM_KIT_CARRIER = 0x10000, NM_KIT_UP = 1 }; /* NMDeviceInterfaceFlags */

struct nm_kit_device {
    const char *path, *interface;
    uint32_t type, state;
    bool carrier;
    const char *active, *ip4, *point; /* NULL: "/", none */
    int64_t scanned_ms;
};

struct nm_kit_point {
    const char *path, *ssid;
    size_t length; /* of the name; 0: up to its NUL */
    uint8_t strength;
    uint32_t frequency_mhz, flags, wpa, rsn;
};

static inline void nm_kit_open(sd_bus_message *m)
{
    assert_true(sd_bus_message_open_container(m, 'a', "{oa{sa{sv}}}") >= 0);
}

static inline void nm_kit_close(sd_bus_message *m)
{
    assert_true(sd_bus_message_close_container(m) >= 0);
}

/* An object with one interface, whose properties follow. */
static inline void nm_kit_begin_object(sd_bus_message *m, const char *path, const char *interface)
{
    assert_true(sd_bus_message_open_container(m, 'e', "oa{sa{sv}}") >= 0 &&
                sd_bus_message_append(m, "o", path) >= 0 &&
                sd_bus_message_open_container(m, 'a', "{sa{sv}}") >= 0 &&
                sd_bus_message_open_container(m, 'e', "sa{sv}") >= 0 &&
                sd_bus_message_append(m, "s", interface) >= 0 &&
                sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
}

static inline void nm_kit_end_object(sd_bus_message *m)
{
    for (int i = 0; i < 4; i++)
        nm_kit_close(m);
}

static inline const char *nm_kit_path(const char *path)
{
    return path ? path : "/";
}

static inline void nm_kit_device(sd_bus_message *m, const struct nm_kit_device *d)
{
    uint32_t flags = NM_KIT_UP | (d->carrier ? NM_KIT_CARRIER : 0);
    assert_true(sd_bus_message_append(
                    m, "{oa{sa{sv}}}", d->path, 3, NM_KIT ".Device.Statistics", 1, "TxBytes", "t",
                    UINT64_C(7), NM_KIT ".Device", 8, "Interface", "s", d->interface, "DeviceType",
                    "u", d->type, "State", "u", d->state, "StateReason", "(uu)", d->state, 0,
                    "InterfaceFlags", "u", flags, "ActiveConnection", "o", nm_kit_path(d->active),
                    "Ip4Config", "o", nm_kit_path(d->ip4), "LldpNeighbors", "aa{sv}", 0,
                    NM_KIT ".Device.Wireless", 3, "ActiveAccessPoint", "o", nm_kit_path(d->point),
                    "LastScan", "x", d->scanned_ms, "AccessPoints", "ao", 1, "/point/1") >= 0);
}

static inline void nm_kit_active(sd_bus_message *m, const char *path, const char *uuid)
{
    assert_true(sd_bus_message_append(m, "{oa{sa{sv}}}", path, 1, NM_KIT ".Connection.Active", 3,
                                      "Id", "s", "its name", "Uuid", "s", uuid, "State", "u",
                                      2) >= 0);
}

/* One list of an IPv4 configuration; texts "ADDRESS" or "ADDRESS/PREFIX" with blanks between them. */
static inline void nm_kit_list(sd_bus_message *m, const char *key, const char *texts)
{
    char copy[256], *rest = copy, *address;
    unsigned prefix = 0;
    snprintf(copy, sizeof copy, "%s", texts);
    assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0 &&
                sd_bus_message_append(m, "s", key) >= 0 &&
                sd_bus_message_open_container(m, 'v', "aa{sv}") >= 0 &&
                sd_bus_message_open_container(m, 'a', "a{sv}") >= 0);
    while ((address = strsep(&rest, " ")) != NULL && address[0]) {
        char *slash = strchr(address, '/');
        if (slash && sscanf(slash, "/%u", &prefix) == 1)
            *slash = 0;
        assert_true(sd_bus_message_append(m, "a{sv}", slash ? 2 : 1, "address", "s", address,
                                          "prefix", "u", prefix) >= 0);
    }
    for (int i = 0; i < 3; i++)
        nm_kit_close(m);
}

static inline void nm_kit_ip4(sd_bus_message *m, const char *path, const char *addresses,
                              const char *gateway, const char *dns)
{
    nm_kit_begin_object(m, path, NM_KIT ".IP4Config");
    assert_true(sd_bus_message_append(m, "{sv}{sv}", "Gateway", "s", gateway, "Domains", "as", 0) >=
                0);
    nm_kit_list(m, "AddressData", addresses);
    nm_kit_list(m, "NameserverData", dns);
    nm_kit_end_object(m);
}

static inline void nm_kit_point(sd_bus_message *m, const struct nm_kit_point *p)
{
    nm_kit_begin_object(m, p->path, NM_KIT ".AccessPoint");
    assert_true(
        sd_bus_message_open_container(m, 'e', "sv") >= 0 &&
        sd_bus_message_append(m, "s", "Ssid") >= 0 &&
        sd_bus_message_open_container(m, 'v', "ay") >= 0 &&
        sd_bus_message_append_array(m, 'y', p->ssid, p->length ? p->length : strlen(p->ssid)) >= 0);
    nm_kit_close(m);
    nm_kit_close(m);
    assert_true(sd_bus_message_append(m, "{sv}{sv}{sv}{sv}{sv}{sv}", "Strength", "y", p->strength,
                                      "Frequency", "u", p->frequency_mhz, "Flags", "u", p->flags,
                                      "WpaFlags", "u", p->wpa, "RsnFlags", "u", p->rsn, "HwAddress",
                                      "s", "02:00:00:00:00:01") >= 0);
    nm_kit_end_object(m);
}

#endif
