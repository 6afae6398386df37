#include "network_profile.h"

#include "mdns_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const network_profile_names[NETWORK_KINDS] = {
    [NETWORK_ETHERNET] = "Smart Connect Ethernet",
    [NETWORK_WIFI] = "Smart Connect Wi-Fi",
    [NETWORK_ACCESS_POINT] = "Smart Connect access point",
};

/* Random ones (RFC 4122, version 4), made once. */
const char *const network_profile_uuids[NETWORK_KINDS] = {
    [NETWORK_ETHERNET] = "cd1a0fbd-256c-459f-a464-d96388a0130e",
    [NETWORK_WIFI] = "254667b4-709b-4a58-a413-79d7c1c0743a",
    [NETWORK_ACCESS_POINT] = "9c760f09-250e-413f-b9d7-3f55233eda3b",
};

static void set_static(struct network_profile *p, const struct config_ip *ip)
{
    p->method = METHOD_STATIC;
    p->prefix = (uint32_t)strtoul(ip->netmask, NULL, 10);
    snprintf(p->address, sizeof p->address, "%.15s", ip->address);
    snprintf(p->gateway, sizeof p->gateway, "%.15s", ip->gateway);
    snprintf(p->dns, sizeof p->dns, "%.15s", ip->dns);
}

static void set_client(struct network_profile *p, const struct config *c, const struct identity *id)
{
    const struct config_ip *ip = p->kind == NETWORK_WIFI ? &c->wifi : &c->ethernet;
    int interface = p->kind == NETWORK_WIFI ? INTERFACE_WIFI : INTERFACE_ETHERNET;
    p->autoconnect = c->default_interface == interface;
    if (ip->mode == IP_STATIC)
        set_static(p, ip);
    mdns_records_host_name(id->serial, p->host_name);
    if (p->kind != NETWORK_WIFI)
        return;
    snprintf(p->ssid, sizeof p->ssid, "%.32s", c->wifi_ssid);
    snprintf(p->key, sizeof p->key, "%.64s", c->wifi_password);
}

static void set_access_point(struct network_profile *p, const struct identity *id)
{
    p->method = METHOD_SHARED;
    p->prefix = NETWORK_AP_PREFIX;
    snprintf(p->address, sizeof p->address, "%s", NETWORK_AP_ADDRESS);
    identity_ssid(id, p->ssid);
    snprintf(p->key, sizeof p->key, "%s", id->ap_key);
}

void network_profile_make(struct network_profile *p, enum network_kind kind, const char *interface,
                          const struct config *c, const struct identity *id)
{
    memset(p, 0, sizeof *p);
    p->kind = kind;
    snprintf(p->interface, sizeof p->interface, "%s", interface);
    if (kind == NETWORK_ACCESS_POINT)
        set_access_point(p, id);
    else
        set_client(p, c, id);
}

bool network_profile_equal(const struct network_profile *a, const struct network_profile *b)
{
    /* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): zeroed before it was filled */
    return memcmp(a, b, sizeof *a) == 0;
}
