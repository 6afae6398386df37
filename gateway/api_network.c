/* api_network.c - the network as it is, the Wi-Fi networks in reach, the access point. */
#include "api.h"
#include "json_text.h"

#include <errno.h>
#include <string.h>

/* --- state ------------------------------------------------------------------------------------ */

static json_t *list_of(size_t count, const char (*text)[ADDRESS_TEXT_MAX])
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(text[i]));
    return list;
}

static json_t *local_names_json(const struct mdns *m)
{
    const char *name;
    json_t *list = json_array();
    for (int i = 0; (name = mdns_name(m, i)) != NULL; i++)
        json_array_append_new(list, json_string(name));
    return list;
}

static json_t *addresses_json(const struct nm_card *card)
{
    json_t *list = json_array();
    for (size_t i = 0; i < card->address_count; i++)
        json_array_append_new(
            list, json_sprintf("%s/%u", card->address[i].text, (unsigned)card->address[i].prefix));
    return list;
}

static json_t *card_json(const struct nm_card *card)
{
    if (!card)
        return json_null();
    return json_pack("{s:s, s:b, s:o, s:o, s:o}", "Name", card->interface, "Carrier",
                     (int)card->carrier, "Addresses", addresses_json(card), "SSID",
                     api_text(card->ssid), "Signal",
                     card->ssid[0] ? json_integer(card->signal) : json_null());
}

static json_t *access_point_json(const struct api *api, enum network_ap state)
{
    char ssid[IDENTITY_SSID_MAX];
    identity_ssid(api->identity, ssid);
    return json_pack("{s:s, s:s, s:s}", "State", network_ap_names[state], "SSID", ssid, "Address",
                     NETWORK_AP_ADDRESS);
}

static json_t *trial_json(int64_t left_ms)
{
    return left_ms < 0 ? json_null()
                       : json_pack("{s:I}", "Left", (json_int_t)(left_ms + 999) / 1000);
}

/* What the box calls itself where it looks after its network, else what the machine is called. */
static json_t *host_name_json(const struct api *api, const struct host_net *net, bool managed)
{
    char own[MDNS_HOST_NAME_MAX];
    mdns_records_host_name(api->identity->serial, own);
    return json_string(managed ? own : net->host_name);
}

static json_t *interface_json(const struct network_info *info)
{
    static const char *const names[] = {
        [INTERFACE_ETHERNET] = "Ethernet", [INTERFACE_WIFI] = "WiFi"};
    return info->managed ? json_string(names[info->interface]) : json_null();
}

/* The kernel's view, and NetworkManager's where we ask it. */
json_t *api_network(const struct api *api, const struct host_net *net)
{
    const struct network_info info = network_get_info(api->network);
    const struct reach_state gateway = reach_gateway(api->reach);
    const struct nm_card *card = info.card && info.card->dns_count ? info.card : NULL;
    return json_pack(
        "{s:b, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "Ok",
        (int)host_net_has_address(net), "Managed", (int)info.managed, "State",
        network_state_names[info.state], "Problem", api_text(info.problem), "Interface",
        interface_json(&info), "HostName", host_name_json(api, net, info.managed), "LocalNames",
        local_names_json(api->mdns), "Addresses", list_of(net->address_count, net->address),
        "Gateway", api_text(net->gateway), "GatewayOk",
        gateway.known ? json_boolean(gateway.ok) : json_null(), "DNS",
        card ? list_of(card->dns_count, card->dns) : list_of(net->dns_count, net->dns), "Card",
        card_json(info.card), "AccessPoint", access_point_json(api, info.access_point), "Trial",
        trial_json(info.trial_left_ms));
}

/* --- what is asked for ------------------------------------------------------------------------ */

static void answer_begun(struct http_request *r, bool begun, const char *why, const char *result)
{
    if (begun)
        http_answer_json(r, 202, json_pack("{s:s}", "Result", result), NULL);
    else
        http_answer_problem(r, 409, why, NULL);
}

static json_t *network_list_json(const struct network *n)
{
    const struct nm_network *found;
    size_t count = network_list(n, &found);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:I}", "SSID", found[i].ssid,
                                              "Signal", (int)found[i].signal, "Security",
                                              nm_security_names[found[i].security], "Frequency",
                                              (json_int_t)found[i].frequency_mhz));
    return list;
}

static void answer_networks(struct http_request *r, const struct network *n)
{
    const struct network_info info = network_get_info(n);
    errno = 0;
    http_answer_json(r, 200,
                     json_whole(json_pack(
                         "{s:b, s:o, s:o}", "Scanning", (int)info.scanning, "Age",
                         info.scan_age_ms < 0 ? json_null() : json_integer(info.scan_age_ms / 1000),
                         "Networks", network_list_json(n))),
                     NULL);
}

/* An empty body, or an object without members. */
static bool body_is_empty(struct http_request *r)
{
    if (r->body_length == 0)
        return true;
    json_t *json = http_body_json(r);
    if (!json)
        return false;
    bool empty = json_is_object(json) && json_object_size(json) == 0;
    json_decref(json);
    if (!empty)
        http_answer_problem(r, 422, "send {} or nothing", NULL);
    return empty;
}

void api_serve_wifi(struct http_request *r, void *context)
{
    struct api *api = context;
    const char *why;
    if (strcmp(r->method, "POST") != 0) {
        answer_networks(r, api->network);
        return;
    }
    if (!body_is_empty(r))
        return;
    bool begun = network_scan(api->network, &why);
    answer_begun(r, begun, why, "scanning");
}

void api_serve_access_point(struct http_request *r, void *context)
{
    struct api *api = context;
    const char *why;
    json_t *json = http_body_json(r);
    if (!json)
        return;
    const json_t *active = json_object_get(json, "Active");
    bool good = json_is_boolean(active) && json_object_size(json) == 1, on = json_is_true(active);
    json_decref(json);
    if (!good) {
        http_answer_problem(
            r, 422, "use {\"Active\":true} or {\"Active\":false}",
            json_pack("[{s:s, s:s}]", "pointer", "/Active", "detail", "must be true or false"));
        return;
    }
    bool begun = network_access_point(api->network, on, &why);
    answer_begun(r, begun, why, on ? "starting" : "ending");
}
