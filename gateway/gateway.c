#include "gateway_parts.h"

#include "heap.h"
#include "listener.h"
#include "log.h"
#include "map_list.h"
#include "wall_clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIRMWARE_VERSION \
    ((uint32_t)SMART_CONNECT_MAJOR << 16 | (uint32_t)SMART_CONNECT_MINOR << 8 | SMART_CONNECT_PATCH)

/* Where a default port needs a privilege the process has not. */
enum { UNPRIVILEGED_MODBUS = 1502, UNPRIVILEGED_HTTP = 8080, UNPRIVILEGED_HTTPS = 8443 };

enum { PAGE_URL_MAX = 128 };

enum {
    LAST_JOBS_MS = 500, /* at the end, for connections that are being left or made */
    MQTT_AGAIN_MS = 10000
};

/* --- identity --------------------------------------------------------------------------------- */

/* The usual folder may be one we cannot write, one that was asked for may not. */
static bool accept_unkept(struct gateway *g, int problem, char error[static GATEWAY_ERROR_MAX])
{
    if (options_was_set(&g->options, "state") || heap_is_short()) {
        snprintf(error, GATEWAY_ERROR_MAX, "--state %.200s: %s; use a folder that can be written",
                 g->options.state, strerror(problem));
        return false;
    }
    log_info("run", "%s: %s; the serial number %s is not kept", g->options.state, strerror(problem),
             g->identity.serial);
    g->options.state[0] = 0;
    return true;
}

static bool find_identity(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    bool kept = false;
    if (identity_load(g->options.state, g->options.serial, &g->identity, &kept))
        return kept || g->options.state[0] == 0 || accept_unkept(g, errno, error);
    snprintf(error, GATEWAY_ERROR_MAX, "no serial number: %s",
             heap_is_short() ? strerror(errno)
                             : "no network card and no machine id; use --serial HEX");
    return false;
}

/* --- settings into what modules want ---------------------------------------------------------- */

static struct meter_settings meter_settings(const struct gateway *g)
{
    const struct config *c = &g->settings.now;
    return (struct meter_settings){.kind = (enum meter_kind)g->options.meter_kind,
                                   .stale_after_ms = c->stale_after_s * 1000,
                                   .winter_offset_s = g->options.meter_utc_offset_h * 3600,
                                   .derive = {.current = (enum derive_current)c->current,
                                              .grid = (enum derive_grid)c->grid,
                                              .estimate_u31 = c->estimate_u31}};
}

/* The line of the emulated meter, which TCP has not, as most of these meters leave the factory. */
static struct register_device tcp_device(const struct gateway *g)
{
    struct register_device device = {.serial = g->identity.serial, .firmware = FIRMWARE_VERSION};
    (void)register_device_set(&device, SETTING_ADDRESS, 1);
    (void)register_device_set(&device, SETTING_BAUD, 9600);
    return device;
}

static struct modbus_source_settings source_settings(const struct gateway *g)
{
    const struct config *c = &g->settings.now;
    return (struct modbus_source_settings){.map = map_list_find(c->meter_type),
                                           .order = (enum served_order)c->word_order,
                                           .unknown = (enum unknown_policy)c->unknown,
                                           .stale = (enum stale_policy)c->stale,
                                           .stale_current_a = c->stale_current_a,
                                           .nominal_hz = c->nominal_hz,
                                           .writes = g->options.modbus_writes,
                                           .device = tcp_device(g)};
}

static struct modbus_tcp_settings modbus_settings(const struct gateway *g, const char *listen)
{
    const struct config *c = &g->settings.now;
    return (struct modbus_tcp_settings){.listen = listen,
                                        .option = "modbus",
                                        .framing = (enum modbus_framing)g->options.modbus_framing,
                                        .max_clients = c->modbus_clients,
                                        .idle_timeout_s = c->modbus_idle_timeout_s,
                                        .source = source_settings(g)};
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool open_meter(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    const struct meter_settings settings = meter_settings(g);
    char why[INPUT_ERROR_MAX] =
        "no meter given; use --meter serial:/dev/ttyUSB0 or --meter sim:dsmr50";
    if (g->options.meter[0])
        g->meter = meter_open(&g->loop, g->options.meter, &settings, why);
    if (!g->meter)
        snprintf(error, GATEWAY_ERROR_MAX, "%s", why);
    return g->meter != NULL;
}

static bool open_reach(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    g->reach = reach_open(&g->loop, g->settings.now.ping_target);
    if (!g->reach)
        snprintf(error, GATEWAY_ERROR_MAX, "out of memory");
    return g->reach != NULL;
}

/* "ADDR:PORT" or "PORT" with another port. */
static void with_port(const char *listen, int port, char *text, size_t capacity)
{
    const char *colon = strrchr(listen, ':');
    int address = colon ? (int)(colon - listen) + 1 : 0;
    snprintf(text, capacity, "%.*s%d", address, listen, port);
}

static void open_modbus_at(struct gateway *g, const char *place,
                           char error[static MODBUS_TCP_ERROR_MAX])
{
    const struct modbus_tcp_settings settings = modbus_settings(g, place);
    g->modbus.main = modbus_tcp_open(&g->loop, g->meter, &settings, error);
}

/* At the port the user has set.  It may be taken this time: that must not keep the box from serving, and the setting
 * stays for the next start. */
static void open_modbus_as_set(struct gateway *g)
{
    char place[OPTION_TEXT_MAX + 8], why[MODBUS_TCP_ERROR_MAX], problem[SETTINGS_PROBLEM_MAX];
    if (!config_is_set(&g->settings.now, "/Modbus/Port"))
        return;
    with_port(g->options.modbus, g->settings.now.modbus_port, place, sizeof place);
    open_modbus_at(g, place, why);
    if (g->modbus.main)
        return;
    snprintf(problem, sizeof problem, "Modbus cannot be served at port %d (%s): the default is used",
             g->settings.now.modbus_port, strerror(errno));
    log_error("modbus", "%s", problem);
    settings_note_problem(&g->settings, problem);
}

/* As flags and device file say, or the usual port, or the one people know from such cases. */
static bool open_modbus_by_default(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    char why[MODBUS_TCP_ERROR_MAX], place[OPTION_TEXT_MAX + 8];
    open_modbus_at(g, g->options.modbus, why);
    if (!g->modbus.main && errno == EACCES && !options_was_set(&g->options, "modbus")) {
        with_port(g->options.modbus, UNPRIVILEGED_MODBUS, place, sizeof place);
        log_warning("modbus", "port 502 needs a privilege; listening on %s instead", place);
        open_modbus_at(g, place, why);
    }
    if (g->modbus.main)
        settings_default_port(&g->settings, modbus_tcp_port(g->modbus.main));
    else
        snprintf(error, GATEWAY_ERROR_MAX, "%s", why);
    return g->modbus.main != NULL;
}

static bool open_main_modbus(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    if (strcmp(g->options.modbus, "off") == 0)
        return true;
    open_modbus_as_set(g);
    return g->modbus.main || open_modbus_by_default(g, error);
}

static bool open_modbus(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    const struct option_list *also = &g->options.modbus_also;
    const struct modbus_tcp_settings settings = modbus_settings(g, "");
    bool open = open_main_modbus(g, error);
    for (int i = 0; open && i < also->count; i++)
        open =
            modbus_listeners_add(&g->modbus, &g->loop, g->meter, also->text[i], &settings, error);
    return open;
}

/* --- the bus ---------------------------------------------------------------------------------- */

static struct rtu_bus_settings rtu_settings(const struct gateway *g)
{
    const struct config *c = &g->settings.now;
    return (struct rtu_bus_settings){
        .path = g->options.rtu,
        .bus = rtu_keep_bus(c),
        .direction = (enum rs485_direction)g->options.rtu_direction,
        .turnaround_ms = g->options.rtu_turnaround_ms,
        .source = {.map = map_list_find(c->rtu_map),
                   .order = ORDER_OF_METER,
                   .stale = (enum stale_policy)c->rtu_stale,
                   .stale_current_a = c->stale_current_a,
                   .nominal_hz = c->nominal_hz,
                   .device = {.serial = g->identity.serial, .firmware = FIRMWARE_VERSION}}};
}

/* A master wrote: kept at once, active when it says so. */
static void on_rtu_staged(struct rtu_bus_owner *owner, const struct p1mb_settings *bus)
{
    rtu_keep_save(&CONTAINER_OF(owner, struct gateway, rtu_owner)->rtu_keep, bus);
}

static bool is_the_meters(const struct gateway *g, const char *port)
{
    static const char serial[] = "serial:";
    return strncmp(g->options.meter, serial, strlen(serial)) == 0 &&
           strcmp(g->options.meter + strlen(serial), port) == 0;
}

static bool open_rtu(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    char why[RTU_PROBLEM_MAX];
    const struct rtu_bus_settings settings = rtu_settings(g);
    g->rtu_owner.staged = on_rtu_staged;
    g->rtu_keep.settings = &g->settings;
    if (g->options.rtu[0] == 0)
        return true;
    if (is_the_meters(g, g->options.rtu)) {
        snprintf(error, GATEWAY_ERROR_MAX, "--rtu %.200s: the meter is read there", g->options.rtu);
        return false;
    }
    g->rtu = rtu_bus_open(&g->loop, g->meter, &settings, &g->rtu_owner, why);
    if (!g->rtu)
        snprintf(error, GATEWAY_ERROR_MAX, "--rtu %.200s: %s", g->options.rtu, why);
    return g->rtu != NULL;
}

static void apply_rtu(struct gateway *g)
{
    struct rtu_bus_settings settings = rtu_settings(g);
    if (g->rtu && rtu_keep_is_applied(&g->rtu_keep))
        settings.bus =
            rtu_bus_get_info(g->rtu).staged; /* it comes from there; more may be staged by now */
    if (g->rtu)
        (void)rtu_bus_set(g->rtu, &settings); /* every map of the table fits: a test says so */
}

/* --- telegrams passed on ---------------------------------------------------------------------- */

/* A port has one user. */
static const char *user_of(const struct gateway *g, const char *port)
{
    return !port[0]                            ? NULL
           : is_the_meters(g, port)            ? "the meter is read there"
           : strcmp(g->options.rtu, port) == 0 ? "it is that of --rtu"
                                               : NULL;
}

static bool open_p1_out(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    const struct option_list *list = &g->options.p1_out;
    bool open = true;
    g->p1_out.loop = &g->loop;
    g->p1_out.meter = g->meter;
    g->p1_out.format = (enum p1_out_format)g->options.p1_out_format;
    g->p1_out.winter_offset_s = g->options.meter_utc_offset_h * 3600;
    for (int i = 0; open && i < list->count; i++) {
        const char *user = user_of(g, p1_out_port(list->text[i]));
        if (user)
            snprintf(error, GATEWAY_ERROR_MAX, "--p1-out %.200s: %s", list->text[i], user);
        open = !user && p1_out_add(&g->p1_out, list->text[i], error);
    }
    return open;
}

static struct outbox_settings outbox_settings(const struct gateway *g)
{
    const struct config *c = &g->settings.now;
    return (struct outbox_settings){.keep_days = c->mqtt_keep_days,
                                    .keep_mib = c->mqtt_keep_mib,
                                    .late_per_s = c->mqtt_late_rate};
}

/* Without a name: the device's certificate where there is TLS. */
static struct mqtt_link_settings link_settings(const struct gateway *g)
{
    const struct config *c = &g->settings.now;
    bool by_certificate = c->mqtt_username[0] == 0;
    return (struct mqtt_link_settings){
        .serial = g->identity.serial,
        .username = c->mqtt_username,
        .password = c->mqtt_password,
        .ca = c->mqtt_ca,
        .certificate = by_certificate ? identity_mqtt_certificate(&g->identity) : "",
        .key = by_certificate ? identity_mqtt_key(&g->identity) : "",
        .keepalive_s = c->mqtt_keepalive_s,
        .clock = &g->clock.floor};
}

/* Where a person who sees the box elsewhere finds its page. */
static void page_url(const struct gateway *g, char url[static PAGE_URL_MAX])
{
    struct host_net net;
    host_net_read(&net);
    url[0] = 0;
    if (g->http && net.address_count)
        snprintf(url, PAGE_URL_MAX,
                 strchr(net.address[0], ':') ? "https://[%s]:%d/" : "https://%s:%d/",
                 net.address[0], address_port(http_door_bound(g->http->secure)));
}

/* The broker of the settings, if there is one that can be used. */
static void open_mqtt(struct gateway *g)
{
    const struct config *c = &g->settings.now;
    char page[PAGE_URL_MAX];
    page_url(g, page);
    const struct mqtt_settings settings = {.link = link_settings(g),
                                           .url = c->mqtt_broker,
                                           .site = c->mqtt_site,
                                           .profile = (enum mqtt_profile)c->mqtt_profile,
                                           .interval_s = c->mqtt_interval_s,
                                           .deadband_w = c->mqtt_deadband_w,
                                           .counters_interval_s = c->mqtt_counters_interval_s,
                                           .commands = c->mqtt_commands,
                                           .home_assistant = c->mqtt_home_assistant,
                                           .home_assistant_prefix = c->mqtt_home_assistant_prefix,
                                           .page = page,
                                           .started_ms = g->started_ms,
                                           .counters = &g->mqtt_counters,
                                           .keeps = &g->mqtt_keeps,
                                           .outbox = g->outbox,
                                           .reach = g->reach,
                                           .host = &g->mqtt_host};
    g->mqtt_refusal[0] = 0;
    loop_cancel_timer(&g->loop, &g->mqtt_again);
    if (!c->mqtt_enabled || c->mqtt_broker[0] == 0)
        return;
    errno = 0;
    g->mqtt = mqtt_open(&g->loop, g->meter, &settings, g->mqtt_refusal);
    if (!g->mqtt && heap_is_short())
        loop_set_timer(&g->loop, &g->mqtt_again, MQTT_AGAIN_MS);
    if (!g->mqtt)
        log_warning("mqtt", "%s", g->mqtt_refusal);
}

static void on_mqtt_again(struct loop_timer *timer)
{
    open_mqtt(CONTAINER_OF(timer, struct gateway, mqtt_again));
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static bool prepare_secrets(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    struct host_net net;
    struct certificate_names names;
    char why[IDENTITY_ERROR_MAX];
    host_net_read(&net);
    identity_names(&g->identity, &net, g->options.http_names, &names);
    if (identity_load_secrets(g->options.state, &g->identity, &names, wall_clock_s(), why))
        return true;
    snprintf(error, GATEWAY_ERROR_MAX, "%s", why);
    return false;
}

static void open_http_at(struct gateway *g, const char *http, const char *https,
                         char error[static HTTP_ERROR_MAX])
{
    const struct options *o = &g->options;
    const struct http_settings settings = {.http = http,
                                           .https = https,
                                           .state_dir = o->state,
                                           .more_names = o->http_names,
                                           .certificate_file = o->https_cert,
                                           .key_file = o->https_key,
                                           .identity = &g->identity,
                                           .metrics_token = g->settings.now.metrics_token,
                                           .routes = g->api.routes,
                                           .route_count = g->api.route_count,
                                           .context = &g->api,
                                           .reached = gateway_note_reached};
    g->http = http_open(&g->loop, &settings, error);
}

/* The usual ports may need a privilege, or belong to a web server of this machine. */
static void fall_back_to_high_ports(struct gateway *g, char error[static HTTP_ERROR_MAX])
{
    char http[OPTION_TEXT_MAX], https[OPTION_TEXT_MAX];
    const struct options *o = &g->options;
    snprintf(http, sizeof http, "%s", o->http);
    snprintf(https, sizeof https, "%s", o->https);
    if (!options_was_set(o, "http"))
        with_port(o->http, UNPRIVILEGED_HTTP, http, sizeof http);
    if (!options_was_set(o, "https"))
        with_port(o->https, UNPRIVILEGED_HTTPS, https, sizeof https);
    log_warning("http", "%s; trying %s and %s instead", error, http, https);
    open_http_at(g, http, https, error);
}

/* What was asked for is had or the start fails, as it does where memory is short; what is only usual must not keep the
 * meter from its chargers. */
static bool open_http_doors(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    char why[HTTP_ERROR_MAX];
    const struct options *o = &g->options;
    bool chosen = options_was_set(o, "http") && options_was_set(o, "https");
    open_http_at(g, o->http, o->https, why);
    if (!g->http && (errno == EACCES || errno == EADDRINUSE) && !chosen)
        fall_back_to_high_ports(g, why);
    if (g->http)
        return true;
    if (heap_is_short() || options_was_set(o, "http") || options_was_set(o, "https")) {
        snprintf(error, GATEWAY_ERROR_MAX, "%s", why);
        return false;
    }
    log_warning("http", "%s; the page is off", why);
    return true;
}

/* The page needs a login, and that must be kept where its owner can read it. */
static bool open_http(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    const struct options *o = &g->options;
    if (strcmp(o->https, "off") == 0)
        return true;
    if (o->state[0] && prepare_secrets(g, error))
        return open_http_doors(g, error);
    if (o->state[0]) { /* a full disk, say: chargers still need the meter; what a restart may mend is no such thing */
        bool is_short = heap_is_short();
        log_error("http", "%s; the page is off", error);
        return !is_short && !options_was_set(o, "https");
    }
    if (options_was_set(o, "https")) {
        snprintf(error, GATEWAY_ERROR_MAX, "--https needs --state DIR: the login is kept there");
        return false;
    }
    log_info("http", "the page is off: its login needs a folder to be kept in; see --state");
    return true;
}

/* --- being found ------------------------------------------------------------------------------ */

/* RTU over TCP is no service that others could know. */
static void add_modbus_records(const struct gateway *g, struct mdns_records *r)
{
    struct sockaddr_storage bound;
    socklen_t unused;
    char address[ADDRESS_TEXT_MAX];
    const struct modbus_tcp *m;
    for (int i = 0; (m = modbus_listeners_at(&g->modbus, i)) != NULL; i++) {
        const struct modbus_tcp_served served = modbus_tcp_get_served(m);
        modbus_tcp_address(m, address);
        if (served.framing == FRAMING_MBAP && address_parse(address, &bound, &unused))
            mdns_records_add_modbus(r, &bound, served.map->name);
    }
}

/* What is open, and at which addresses, as of now. */
static void announce(struct gateway *g)
{
    struct mdns_records records;
    struct ifaddrs *addresses = NULL;
    mdns_records_begin(&records, g->identity.serial);
    if (g->http && g->http->plain)
        mdns_records_add_web(&records, "_http._tcp", http_door_bound(g->http->plain));
    if (g->http)
        mdns_records_add_web(&records, "_https._tcp", http_door_bound(g->http->secure));
    add_modbus_records(g, &records);
    if (getifaddrs(&addresses) == 0)
        mdns_records_add_addresses(&records, addresses);
    freeifaddrs(addresses);
    mdns_set(&g->mdns, &records);
}

/* --- changes while it runs -------------------------------------------------------------------- */

static bool move_modbus(struct gateway *g, int port, struct config_errors *errors)
{
    char why[MODBUS_TCP_ERROR_MAX];
    if (!g->modbus.main || modbus_tcp_move(g->modbus.main, port, why))
        return true;
    errors->count = 1;
    snprintf(errors->list[0].pointer, CONFIG_POINTER_MAX, "/Modbus/Port");
    snprintf(errors->list[0].detail, CONFIG_DETAIL_MAX, "%s", why);
    return false;
}

static bool on_prepare(struct settings_owner *owner, const struct config *before,
                       const struct config *candidate, struct config_errors *errors)
{
    struct gateway *g = CONTAINER_OF(owner, struct gateway, owner);
    struct config_errors unused;
    g->before = *before;
    g->modbus_port_before = g->modbus.main ? modbus_tcp_port(g->modbus.main) : 0;
    bool same = before->modbus_port == candidate->modbus_port; /* it may have been taken at start */
    bool good = move_modbus(g, candidate->modbus_port, same ? &unused : errors) || same;
    if (good)
        gateway_prepare_network(g, candidate);
    return good;
}

static void on_undo(struct settings_owner *owner)
{
    struct gateway *g = CONTAINER_OF(owner, struct gateway, owner);
    struct config_errors unused;
    (void)move_modbus(g, g->modbus_port_before, &unused);
    gateway_undo_network(g);
}

static void apply_modbus(struct gateway *g)
{
    const struct modbus_tcp_settings settings = modbus_settings(g, "");
    modbus_listeners_set(&g->modbus, &settings); /* every map of the table fits: a test says so */
    announce(g);
}

static void apply_mqtt(struct gateway *g)
{
    const struct outbox_settings settings = outbox_settings(g);
    mqtt_leave(g->mqtt);
    g->mqtt = NULL;
    outbox_set(g->outbox, &settings);
    open_mqtt(g);
}

static void apply_meter(struct gateway *g)
{
    const struct meter_settings settings = meter_settings(g);
    meter_set(g->meter, &settings);
    apply_modbus(g); /* what is too old may be so no more */
    apply_rtu(g);
}

static void apply_reach(struct gateway *g)
{
    reach_set_target(g->reach, g->settings.now.ping_target);
}

static void on_apply(struct settings_owner *owner, unsigned doors)
{
    struct gateway *g = CONTAINER_OF(owner, struct gateway, owner);
    static const struct {
        unsigned door;
        void (*apply)(struct gateway *g);
    } hooks[] = {
        {DOOR_METER, apply_meter}, {DOOR_MODBUS, apply_modbus},
        {DOOR_MQTT, apply_mqtt},   {DOOR_NETWORK, gateway_apply_network},
        {DOOR_REACH, apply_reach}, {DOOR_RTU, apply_rtu},
    };
    for (size_t i = 0; i < sizeof hooks / sizeof hooks[0]; i++)
        if (doors & hooks[i].door)
            hooks[i].apply(g);
}

/* Soft reset: what can be connected anew is. */
static void on_reconnect(struct api *api)
{
    struct gateway *g = CONTAINER_OF(api, struct gateway, api);
    log_info("run", "soft reset: reconnecting");
    network_reconnect(g->network);
    apply_mqtt(g);
    if (g->rtu)
        rtu_bus_reboot(g->rtu);
}

/* The same, asked for by a broker. */
static void on_mqtt_reset(struct mqtt_host *host)
{
    struct gateway *g = CONTAINER_OF(host, struct gateway, mqtt_host);
    on_reconnect(&g->api);
}

static json_t *on_mqtt_status(struct mqtt_host *host)
{
    return api_state(&CONTAINER_OF(host, struct gateway, mqtt_host)->api);
}

/* Factory reset: what was measured here goes, too. */
static void on_forget(struct api *api)
{
    struct gateway *g = CONTAINER_OF(api, struct gateway, api);
    outbox_forget(g->outbox);
    network_forget(g->network);
    g->reset_ms = g->loop.now_ms;
    panel_look(g->panel);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool open_outbox(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    const struct outbox_settings settings = outbox_settings(g);
    g->outbox = outbox_open(&g->loop, g->options.state, &settings);
    if (!g->outbox)
        snprintf(error, GATEWAY_ERROR_MAX, "out of memory");
    return g->outbox != NULL;
}

static void on_network(struct net_watch *w, bool arrived)
{
    struct gateway *g = CONTAINER_OF(w, struct gateway, net_watch);
    if (g->mqtt && arrived)
        mqtt_hurry(g->mqtt);
    announce(g);
    gateway_look_at_addresses(g);
    panel_look(g->panel);
}

/* Without the page nobody has made the device's certificate yet. */
static bool start_mqtt(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    char why[GATEWAY_ERROR_MAX];
    g->mqtt_host = (struct mqtt_host){.status = on_mqtt_status, .reset = on_mqtt_reset};
    g->mqtt_again.expired = on_mqtt_again;
    gateway_offer_update(g);
    if (!mqtt_keeps_load(&g->mqtt_keeps, &g->loop, g->options.state)) {
        snprintf(error, GATEWAY_ERROR_MAX, "out of memory");
        return false;
    }
    if (!g->http && g->options.state[0] && g->settings.now.mqtt_broker[0] &&
        !prepare_secrets(g, why))
        log_error("mqtt", "%s; there is no device certificate", why);
    open_mqtt(g);
    return true;
}

static void watch_network(struct gateway *g)
{
    g->net_watch.changed = on_network;
    if (!net_watch_open(&g->net_watch, &g->loop))
        log_info("network", "changes of the network are not heard of: %s", strerror(errno));
    if (g->options.mdns)
        mdns_open(&g->mdns, &g->loop, &g->bus);
    announce(g);
}

static void start_api(struct gateway *g)
{
    g->api = (struct api){.loop = &g->loop,
                          .meter = g->meter,
                          .reach = g->reach,
                          .network = g->network,
                          .modbus = &g->modbus,
                          .rtu = g->rtu,
                          .p1_out = &g->p1_out,
                          .mqtt = &g->mqtt,
                          .mqtt_counters = &g->mqtt_counters,
                          .outbox = g->outbox,
                          .mdns = &g->mdns,
                          .panel = g->panel,
                          .update = g->update,
                          .mqtt_refusal = g->mqtt_refusal,
                          .settings = &g->settings,
                          .identity = &g->identity,
                          .state_dir = g->options.state,
                          .http = &g->http,
                          .input = g->options.meter,
                          .reconnect = on_reconnect,
                          .forget = on_forget};
    api_start(&g->api);
}

bool gateway_open(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    g->owner = (struct settings_owner){.prepare = on_prepare, .undo = on_undo, .apply = on_apply};
    listener_inherit(&g->loop);
    if (!gateway_open_panel(g, error) || !find_identity(g, error))
        return false;
    if (!gateway_open_update(g)) {
        snprintf(error, GATEWAY_ERROR_MAX, "out of memory");
        return false;
    }
    if (!settings_load(&g->settings, &g->loop, g->options.state, &g->defaults)) {
        snprintf(error, GATEWAY_ERROR_MAX, "out of memory");
        return false;
    }
    g->settings.owner = &g->owner;
    g->started_ms = loop_clock_ms();
    bus_open(&g->bus, &g->loop);
    if (!open_meter(g, error) || !open_reach(g, error) || !open_modbus(g, error) ||
        !open_p1_out(g, error) || !open_rtu(g, error) || !open_outbox(g, error))
        return false;
    if (!gateway_open_network(g)) {
        snprintf(error, GATEWAY_ERROR_MAX, "out of memory");
        return false;
    }
    clock_watch_open(&g->clock, &g->loop, g->meter, g->options.state);
    start_api(g);
    if (!open_http(g, error) || !start_mqtt(g, error))
        return false;
    watch_network(g);
    gateway_start_update(g);
    gateway_look_at_addresses(g);
    g->serving = true;
    panel_look(g->panel);
    return true;
}

void gateway_close(struct gateway *g)
{
    g->serving = false;
    if (g->panel)
        panel_look(g->panel);
    mdns_close(&g->mdns);
    rtu_keep_stop(&g->rtu_keep);
    if (g->settings.loop)
        settings_close(&g->settings); /* requests that wait for it are still there */
    factory_reset_close(&g->api);
    api_password_close(&g->api);
    api_certificate_close(&g->api);
    http_close(g->http);
    api_stop(&g->api);
    update_close(g->update);
    network_close(g->network);
    bus_close(&g->bus);
    net_watch_close(&g->net_watch);
    loop_cancel_timer(&g->loop, &g->mqtt_again);
    mqtt_close(g->mqtt);
    outbox_close(g->outbox);
    mqtt_keeps_close(&g->mqtt_keeps);
    modbus_listeners_close(&g->modbus);
    rtu_bus_close(g->rtu);
    p1_out_close(&g->p1_out);
    reach_close(g->reach);
    clock_watch_close(&g->clock);
    meter_close(g->meter);
    worker_drain(&g->loop, LAST_JOBS_MS);
    panel_close(g->panel);
    listener_disinherit();
    loop_close(&g->loop);
    identity_wipe(&g->identity);
    explicit_bzero(&g->defaults, sizeof g->defaults);
    explicit_bzero(&g->before, sizeof g->before);
    explicit_bzero(&g->proven, sizeof g->proven);
}
