/* config_rows.c - the table of settings, and what a single value must be. */
#include "choices.h"
#include "config.h"
#include "map_list.h"
#include "mqtt.h"
#include "reach.h"
#include "rtu_bus.h"
#include "core/text_out.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const interfaces[] = {"Ethernet", "WiFi", NULL};
static const char *const ip_modes[] = {"DHCP", "Static", NULL};

/* Writes the usual spelling over what was meant: SPEC 4 lets the maker's name and the case be left out. */
static bool check_map(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    char choices[CHOICES_MAX];
    const struct register_map *map = map_list_find(text);
    if (map) {
        snprintf(text, CONFIG_TEXT_MAX, "%s", map->name);
        return true;
    }
    choices_of_maps(choices);
    snprintf(detail, CONFIG_DETAIL_MAX, "no such register map; there are%s", choices);
    return false;
}

static bool check_line(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    struct p1mb_settings bus = p1mb_defaults();
    if (rtu_bus_parse_line(text, &bus))
        return true;
    snprintf(detail, CONFIG_DETAIL_MAX, "no line; use " RTU_LINES);
    return false;
}

/* An address one machine can have or be reached at: not 0.x, 127.x, 224.x and above. */
static bool check_address(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    struct in_addr a;
    if (inet_pton(AF_INET, text, &a) != 1) {
        snprintf(detail, CONFIG_DETAIL_MAX, "no IPv4 address; write it like 192.168.1.20");
        return false;
    }
    unsigned first = ntohl(a.s_addr) >> 24;
    if (first != 0 && first != 127 && first < 224)
        return true;
    snprintf(detail, CONFIG_DETAIL_MAX, "not the address of one machine in a network");
    return false;
}

static bool check_netmask(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    size_t digits = strspn(text, "0123456789");
    if (digits <= 2 && text[digits] == 0 && (text[0] != '0' || digits == 1) &&
        strtol(text, NULL, 10) <= 32)
        return true;
    snprintf(detail, CONFIG_DETAIL_MAX,
             "the number of network bits, \"0\" to \"32\"; \"24\" is 255.255.255.0");
    return false;
}

static bool check_wifi_password(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    size_t n = strlen(text);
    bool printable = true;
    for (const char *p = text; *p; p++)
        printable = printable && *p >= ' ' && *p <= '~';
    if (printable && (n <= 63 || strspn(text, "0123456789abcdefABCDEF") == n))
        return true;
    snprintf(
        detail, CONFIG_DETAIL_MAX,
        "a WPA2 password: 8 to 63 letters, digits and signs without accents, or 64 hex digits");
    return false;
}

/* What another module says of a text. */
static bool told(bool good, const char *why, char detail[static CONFIG_DETAIL_MAX])
{
    if (!good)
        text_copy(detail, CONFIG_DETAIL_MAX, why);
    return good;
}

static bool check_ping_target(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    char why[REACH_ERROR_MAX];
    return told(reach_check_target(text, why), why, detail);
}

static bool check_broker(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    char why[MQTT_ERROR_MAX];
    return told(mqtt_check_url(text, why), why, detail);
}

static bool check_site(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    char why[MQTT_ERROR_MAX];
    return told(mqtt_check_site(text, why), why, detail);
}

static bool check_username(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    char why[MQTT_ERROR_MAX];
    return told(mqtt_check_username(text, why), why, detail);
}

/* Writes it in its usual form. */
static bool check_ca(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    char why[BROKER_TLS_ERROR_MAX];
    return told(broker_tls_check_ca(text, why), why, detail);
}

/* One level of a topic, as Home Assistant takes it. */
static bool check_prefix(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    if (text[strspn(text, good)] == 0 && text[0] != '/')
        return true;
    snprintf(detail, CONFIG_DETAIL_MAX, "letters, digits and - _ . / only, not / at the beginning");
    return false;
}

static bool check_token(char *text, char detail[static CONFIG_DETAIL_MAX])
{
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-._~+/=", *p)) {
            snprintf(detail, CONFIG_DETAIL_MAX, "letters, digits and - . _ ~ + / = only");
            return false;
        }
    return true;
}

/* clang-format off */
#define OFFSET(field) \
    .offset = offsetof(struct config, field), .size = sizeof((struct config *)NULL)->field
#define DEFAULT_IS(field) .option = 1 + offsetof(struct options, field)
#define TEXT(field, low, high, test) \
    OFFSET(field), .type = CONFIG_TEXT, .min = (low), .max = (high), .check = (test)
#define MAP(field) TEXT(field, 1, 64, check_map), .map = true
#define SECRET(field, low, high, test) TEXT(field, low, high, test), .secret = true
#define NUMBER(field, low, high) OFFSET(field), .type = CONFIG_NUMBER, .min = (low), .max = (high)
#define CHOICE(field, names) OFFSET(field), .type = CONFIG_CHOICE, .choices = (names)
#define SWITCH(field) OFFSET(field), .type = CONFIG_SWITCH
/* NOLINTBEGIN(bugprone-macro-parentheses): pieces of rows */
#define IP_ROWS(interface, field) \
    {"/" interface "/IpMode", "DHCP", "where the IPv4 address comes from", \
     DOOR_NETWORK, CHOICE(field.mode, ip_modes)}, \
    {"/" interface "/StaticIPv4/IpAddress", "", "static address", \
     DOOR_NETWORK, TEXT(field.address, 7, 15, check_address)}, \
    {"/" interface "/StaticIPv4/Netmask", "24", "bits of the network: \"24\" is 255.255.255.0", \
     DOOR_NETWORK, TEXT(field.netmask, 1, 2, check_netmask)}, \
    {"/" interface "/StaticIPv4/Gateway", "", "router or charger; empty: none", \
     DOOR_NETWORK, TEXT(field.gateway, 7, 15, check_address)}, \
    {"/" interface "/StaticIPv4/DNS", "", "name server, may be the gateway; empty: none", \
     DOOR_NETWORK, TEXT(field.dns, 7, 15, check_address)}
/* NOLINTEND(bugprone-macro-parentheses) */

const struct config_row config_rows[] = {
    {"/MeterType", "PhoenixContact-EMPro", "the meter that is emulated: name of a register map",
     DOOR_MODBUS, MAP(meter_type), DEFAULT_IS(map)},

    {"/DefaultNetIf", "Ethernet", "the interface that is used; one at a time",
     DOOR_NETWORK, CHOICE(default_interface, interfaces)},
    IP_ROWS("Ethernet", ethernet),
    IP_ROWS("WiFi", wifi),
    {"/WiFi/ConnectionData/WiFiSSID", "", "name of the Wi-Fi network, at most 32 bytes",
     DOOR_NETWORK, TEXT(wifi_ssid, 1, 32, NULL)},
    {"/WiFi/ConnectionData/WiFiPassword", "", "its WPA2 password",
     DOOR_NETWORK, SECRET(wifi_password, 8, 64, check_wifi_password)},

    {"/Network/Rollback", "true", "if the page is not reached again within 60 s of a change of the network, "
     "the settings of before return",
     DOOR_TRIAL, SWITCH(network_rollback)},

    {"/Internet/PingTarget", "",
     "a host or address that answers pings when the internet is there; empty: nothing is asked",
     DOOR_REACH, TEXT(ping_target, 1, REACH_NAME_MAX, check_ping_target)},

    {"/MQTT/Enabled", "true", "MQTT is on when this is true and a broker is set",
     DOOR_MQTT, SWITCH(mqtt_enabled)},
    {"/MQTT/Broker", "", "mqtts://HOST[:PORT], or mqtt://HOST[:PORT] without TLS; port 8883 always means TLS",
     DOOR_MQTT, TEXT(mqtt_broker, 1, 200, check_broker), DEFAULT_IS(mqtt)},
    {"/MQTT/Site", "", "identifier of the installation in topics; empty is written `default`",
     DOOR_MQTT, TEXT(mqtt_site, 1, 64, check_site), DEFAULT_IS(mqtt_site)},
    {"/MQTT/Username", "", "empty: the device certificate identifies the box",
     DOOR_MQTT, TEXT(mqtt_username, 1, CONFIG_TEXT_MAX - 1, check_username), DEFAULT_IS(mqtt_username)},
    {"/MQTT/Password", "", "of the user name",
     DOOR_MQTT, SECRET(mqtt_password, 1, CONFIG_TEXT_MAX - 1, NULL)},
    {"/MQTT/Keepalive", "30", "seconds; also how soon a dead connection is found",
     DOOR_MQTT, NUMBER(mqtt_keepalive_s, 5, 3600), DEFAULT_IS(mqtt_keepalive_s)},
    {"/MQTT/CA", "", "who vouches for a TLS broker: PEM certificates, or sha256: and the hash of the broker's own "
     "key; empty: the authorities this system trusts",
     DOOR_MQTT, TEXT(mqtt_ca, 1, CONFIG_LONG_TEXT_MAX - 1, check_ca), .lines = true},
    {"/MQTT/Publish", "telegram", "when power_instant is sent: each telegram, the mean over an interval, or when a "
     "power changed",
     DOOR_MQTT, CHOICE(mqtt_profile, choices_profile), DEFAULT_IS(mqtt_profile)},
    {"/MQTT/Interval", "10", "seconds of the mean; with change, the longest silence",
     DOOR_MQTT, NUMBER(mqtt_interval_s, 1, 3600), DEFAULT_IS(mqtt_interval_s)},
    {"/MQTT/Deadband", "10", "watts by which a power must move to count as changed",
     DOOR_MQTT, NUMBER(mqtt_deadband_w, 1, 100000)},
    {"/MQTT/CountersInterval", "60", "seconds between device_counters messages",
     DOOR_MQTT, NUMBER(mqtt_counters_interval_s, 1, 86400)},
    {"/MQTT/KeepDays", "7", "days for which readings are kept on disk while the broker is away; 0: not on disk",
     DOOR_MQTT, NUMBER(mqtt_keep_days, 0, 366), DEFAULT_IS(mqtt_keep_days)},
    {"/MQTT/KeepMiB", "64", "MiB of disk they may take; then the oldest go",
     DOOR_MQTT, NUMBER(mqtt_keep_mib, 1, 4096)},
    {"/MQTT/LateRate", "20", "readings a second that are sent late, when the broker is back",
     DOOR_MQTT, NUMBER(mqtt_late_rate, 1, 1000)},
    {"/MQTT/Commands", "true", "take commands, from a broker with TLS only",
     DOOR_MQTT, SWITCH(mqtt_commands)},
    {"/MQTT/HomeAssistant", "false", "tell Home Assistant which entities there are (MQTT discovery)",
     DOOR_MQTT, SWITCH(mqtt_home_assistant), DEFAULT_IS(mqtt_home_assistant)},
    {"/MQTT/HomeAssistantPrefix", "homeassistant", "first part of its discovery topics",
     DOOR_MQTT, TEXT(mqtt_home_assistant_prefix, 1, 60, check_prefix)},

    {"/Modbus/Port", "502", "TCP port of the Modbus server",
     DOOR_MODBUS_PORT, NUMBER(modbus_port, 1, 65535)},
    {"/Modbus/MaxClients", "4", "clients at the same time",
     DOOR_MODBUS, NUMBER(modbus_clients, 1, MODBUS_CLIENTS_MAX), DEFAULT_IS(modbus_clients)},
    {"/Modbus/IdleTimeout", "60", "seconds without a request after which a client goes; 0: never",
     DOOR_MODBUS, NUMBER(modbus_idle_timeout_s, 0, 86400), DEFAULT_IS(modbus_idle_timeout_s)},
    {"/Modbus/WordOrder", "meter",
     "of 32-bit values: as the emulated meter, low word first (swapped) or high word first (normal)",
     DOOR_MODBUS, CHOICE(word_order, choices_word_order), DEFAULT_IS(word_order)},
    {"/Modbus/Unknown", "zero", "what a register reads while its value is unknown",
     DOOR_MODBUS, CHOICE(unknown, choices_unknown), DEFAULT_IS(unknown)},
    {"/Modbus/Stale", "exception", "what is answered while the reading is too old",
     DOOR_MODBUS, CHOICE(stale, choices_stale), DEFAULT_IS(stale)},
    {"/Modbus/StaleCurrent", "80", "amperes per phase shown with high-current",
     DOOR_MODBUS | DOOR_RTU, NUMBER(stale_current_a, 1, 10000), DEFAULT_IS(stale_current_a)},
    {"/Modbus/NominalFrequency", "0",
     "hertz shown where the meter tells none, as some inverters refuse 0 Hz; 0: unknown",
     DOOR_MODBUS | DOOR_RTU, NUMBER(nominal_hz, 0, 60), DEFAULT_IS(nominal_hz)},

    {"/RTU/MeterType", "Xemex", "the meter that is emulated on the RS485 bus: name of a register map",
     DOOR_RTU, MAP(rtu_map), DEFAULT_IS(rtu_map)},
    {"/RTU/Address", "16", "address on the bus",
     DOOR_RTU, NUMBER(rtu_address, 1, 247), DEFAULT_IS(rtu_address)},
    {"/RTU/Line", "9600-8E1", "speed and parity: 1200 to 115200, -8N1 or -8E1",
     DOOR_RTU, TEXT(rtu_line, 8, 10, check_line), DEFAULT_IS(rtu_line)},
    {"/RTU/Termination", "false", "switch the port's terminating resistor on, where it has one",
     DOOR_RTU, SWITCH(rtu_termination), DEFAULT_IS(rtu_termination)},
    {"/RTU/Stale", "exception", "what is answered on the bus while the reading is too old",
     DOOR_RTU, CHOICE(rtu_stale, choices_rtu_stale), DEFAULT_IS(rtu_stale)},

    {"/Meter/StaleAfter", "0", "seconds after which a reading is too old; 0: by the meter's own pace",
     DOOR_METER, NUMBER(stale_after_s, 0, 3600), DEFAULT_IS(stale_after_s)},
    {"/Meter/Grid", "auto", "auto judges Belgian 3x230 V grids without neutral by the meter",
     DOOR_METER, CHOICE(grid, choices_grid), DEFAULT_IS(grid)},
    {"/Meter/Current", "meter", "phase currents: as sent, with the sign of the power, or power / voltage",
     DOOR_METER, CHOICE(current, choices_current), DEFAULT_IS(current)},
    {"/Meter/EstimateU31", "false", "delta grid: estimate the line voltage no telegram holds",
     DOOR_METER, SWITCH(estimate_u31), DEFAULT_IS(estimate_u31)},

    {"/Metrics/Token", "", "lets a reader of /metrics in without the login; empty: nobody",
     DOOR_METRICS, SECRET(metrics_token, 16, 128, check_token)},
};
const size_t config_row_count = sizeof config_rows / sizeof config_rows[0];
_Static_assert(sizeof config_rows / sizeof config_rows[0] <= 64, "config.was_set has 64 bits");
/* clang-format on */
