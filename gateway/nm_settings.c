/* nm_settings.c - the table of what a profile says, in the words of NetworkManager's settings reference
 * (nm-settings-dbus). */
#include "nm_settings.h"

#include <arpa/inet.h>
#include <string.h>

/* DHCP that is not answered is asked on; a profile that fails is tried again without end. */
enum { DHCP_FOREVER = INT32_MAX, RETRY_FOREVER = 0, ABOVE_OTHERS = 100 };
enum { LINK_LOCAL_ENABLED = 3, POWERSAVE_OFF = 2, PMF_OFF = 1 };

static bool is_any(const struct network_profile *p)
{
    (void)p;
    return true;
}

static bool is_ethernet(const struct network_profile *p)
{
    return p->kind == NETWORK_ETHERNET;
}

static bool is_wifi(const struct network_profile *p)
{
    return p->kind != NETWORK_ETHERNET;
}

static bool is_client(const struct network_profile *p)
{
    return p->kind == NETWORK_WIFI;
}

static bool is_access_point(const struct network_profile *p)
{
    return p->kind == NETWORK_ACCESS_POINT;
}

static bool has_key(const struct network_profile *p)
{
    return p->key[0] != 0;
}

static bool is_dhcp(const struct network_profile *p)
{
    return p->method == METHOD_DHCP;
}

static bool is_link_local(const struct network_profile *p)
{
    return p->link_local;
}

static bool is_static(const struct network_profile *p)
{
    return p->method == METHOD_STATIC;
}

static bool is_shared(const struct network_profile *p)
{
    return p->method == METHOD_SHARED;
}

static bool is_no_access_point(const struct network_profile *p)
{
    return !is_access_point(p);
}

static bool has_address(const struct network_profile *p)
{
    return p->address[0] != 0;
}

static bool has_gateway(const struct network_profile *p)
{
    return p->gateway[0] != 0;
}

static bool has_dns(const struct network_profile *p)
{
    return p->dns[0] != 0;
}

/* --- values that are neither a text nor a number ---------------------------------------------- */

static int put_uuid(sd_bus_message *m, const struct network_profile *p)
{
    return sd_bus_message_append(m, "v", "s", network_profile_uuids[p->kind]);
}

static int put_name(sd_bus_message *m, const struct network_profile *p)
{
    return sd_bus_message_append(m, "v", "s", network_profile_names[p->kind]);
}

static int put_autoconnect(sd_bus_message *m, const struct network_profile *p)
{
    return sd_bus_message_append(m, "v", "b", (int)p->autoconnect);
}

static int put_ssid(sd_bus_message *m, const struct network_profile *p)
{
    int result = sd_bus_message_open_container(m, 'v', "ay");
    if (result >= 0)
        result = sd_bus_message_append_array(m, 'y', p->ssid, strlen(p->ssid));
    return result < 0 ? result : sd_bus_message_close_container(m);
}

static int put_addresses(sd_bus_message *m, const struct network_profile *p)
{
    return sd_bus_message_append(m, "v", "aa{sv}", 1, 2, "address", "s", p->address, "prefix", "u",
                                 p->prefix);
}

/* In network byte order. */
static int put_dns(sd_bus_message *m, const struct network_profile *p)
{
    struct in_addr a = {0};
    (void)inet_pton(AF_INET, p->dns, &a);
    return sd_bus_message_append(m, "v", "au", 1, a.s_addr);
}

/* --- the table -------------------------------------------------------------------------------- */

#define WIFI "802-11-wireless"
#define SECURITY "802-11-wireless-security"

/* By section, since each is one dictionary. */
static const char *const sections[] = {"connection", WIFI, SECURITY, "ipv4", "ipv6"};

/* clang-format off */
#define TEXT(value) .type = "s", .text = (value)
#define FIELD(name) .type = "s", .field = 1 + offsetof(struct network_profile, name)
#define LIST(value) .type = "as", .text = (value)
#define NUMBER(kind, value) .type = (kind), .number = (value)
#define CALL(function) .append = (function)
static const struct row {
    const char *section, *key;
    bool (*applies)(const struct network_profile *p);
    const char *type, *text;
    size_t field; /* 1 + offset of a char[]; 0: none */
    int number;
    int (*append)(sd_bus_message *m, const struct network_profile *p);
} rows[] = {
    {"connection", "id", is_any, CALL(put_name)},
    {"connection", "uuid", is_any, CALL(put_uuid)},
    {"connection", "type", is_ethernet, TEXT("802-3-ethernet")},
    {"connection", "type", is_wifi, TEXT(WIFI)},
    {"connection", "interface-name", is_any, FIELD(interface)},
    {"connection", "autoconnect", is_any, CALL(put_autoconnect)},
    {"connection", "autoconnect-priority", is_any, NUMBER("i", ABOVE_OTHERS)},
    {"connection", "autoconnect-retries", is_any, NUMBER("i", RETRY_FOREVER)},

    {WIFI, "ssid", is_wifi, CALL(put_ssid)},
    {WIFI, "mode", is_client, TEXT("infrastructure")},
    {WIFI, "mode", is_access_point, TEXT("ap")},
    {WIFI, "band", is_access_point, TEXT("bg")}, /* which every phone can join */
    {WIFI, "hidden", is_client, NUMBER("b", 1)}, /* a network that hides its name is found, too */
    {WIFI, "powersave", is_client, NUMBER("u", POWERSAVE_OFF)}, /* radios that sleep drop off the network */

    {SECURITY, "key-mgmt", has_key, TEXT("wpa-psk")},
    {SECURITY, "psk", has_key, FIELD(key)},
    {SECURITY, "proto", has_key, LIST("rsn")}, /* WPA2 and nothing older */
    {SECURITY, "pairwise", is_access_point, LIST("ccmp")},
    {SECURITY, "group", is_access_point, LIST("ccmp")},
    {SECURITY, "pmf", is_access_point, NUMBER("i", PMF_OFF)},

    {"ipv4", "method", is_dhcp, TEXT("auto")},
    {"ipv4", "method", is_static, TEXT("manual")},
    {"ipv4", "method", is_shared, TEXT("shared")},
    {"ipv4", "address-data", has_address, CALL(put_addresses)},
    {"ipv4", "gateway", has_gateway, FIELD(gateway)},
    {"ipv4", "dns", has_dns, CALL(put_dns)},
    {"ipv4", "dhcp-hostname", is_dhcp, FIELD(host_name)},
    {"ipv4", "dhcp-timeout", is_dhcp, NUMBER("i", DHCP_FOREVER)},
    {"ipv4", "link-local", is_link_local, NUMBER("i", LINK_LOCAL_ENABLED)},

    {"ipv6", "method", is_no_access_point, TEXT("auto")},
    {"ipv6", "method", is_access_point, TEXT("disabled")},
};
/* clang-format on */
enum { ROWS = sizeof rows / sizeof rows[0], SECTIONS = sizeof sections / sizeof sections[0] };

static bool row_applies(const struct row *row, const char *section, const struct network_profile *p)
{
    return strcmp(row->section, section) == 0 && row->applies(p);
}

static int append_value(sd_bus_message *m, const struct row *row, const struct network_profile *p)
{
    const char *text = row->field ? (const char *)p + row->field - 1 : row->text;
    if (row->append)
        return row->append(m, p);
    if (row->type[0] == 's')
        return sd_bus_message_append(m, "v", "s", text);
    if (row->type[0] == 'a')
        return sd_bus_message_append(m, "v", "as", 1, text);
    return sd_bus_message_append(m, "v", row->type, row->number);
}

static int append_row(sd_bus_message *m, const struct row *row, const struct network_profile *p)
{
    int result = sd_bus_message_open_container(m, 'e', "sv");
    if (result >= 0)
        result = sd_bus_message_append(m, "s", row->key);
    if (result >= 0)
        result = append_value(m, row, p);
    return result < 0 ? result : sd_bus_message_close_container(m);
}

static int append_section(sd_bus_message *m, const char *section, const struct network_profile *p)
{
    int result = sd_bus_message_open_container(m, 'e', "sa{sv}");
    if (result >= 0)
        result = sd_bus_message_append(m, "s", section);
    if (result >= 0)
        result = sd_bus_message_open_container(m, 'a', "{sv}");
    for (int i = 0; result >= 0 && i < ROWS; i++)
        if (row_applies(&rows[i], section, p))
            result = append_row(m, &rows[i], p);
    if (result >= 0)
        result = sd_bus_message_close_container(m);
    return result < 0 ? result : sd_bus_message_close_container(m);
}

/* A section that has nothing to say is left out: an empty one of security would mean something. */
static bool section_applies(const char *section, const struct network_profile *p)
{
    bool applies = false;
    for (int i = 0; i < ROWS; i++)
        applies = applies || row_applies(&rows[i], section, p);
    return applies;
}

int nm_settings_append(sd_bus_message *m, const struct network_profile *p)
{
    int result = sd_bus_message_open_container(m, 'a', "{sa{sv}}");
    for (int i = 0; result >= 0 && i < SECTIONS; i++)
        if (section_applies(sections[i], p))
            result = append_section(m, sections[i], p);
    return result < 0 ? result : sd_bus_message_close_container(m);
}
