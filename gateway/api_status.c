/* api_status.c - the live state of everything, as one object. */
#include "api.h"
#include "choices.h"
#include "core/messages.h"
#include "host_net.h"
#include "json_text.h"
#include "map_list.h"
#include "wall_clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

json_t *api_text(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static double seconds(int64_t ms)
{
    return (double)(ms - ms % 100) / 1000; /* tenths */
}

static json_t *counter(uint64_t n)
{
    return json_integer((json_int_t)n);
}

json_t *api_time(int64_t utc_s)
{
    char text[32];
    struct tm utc;
    time_t s = (time_t)utc_s;
    if (utc_s == READING_NO_TIME || s != utc_s || !gmtime_r(&s, &utc)) /* time_t may end with 2038 */
        return json_null();
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return json_string(text);
}

/* --- the meter -------------------------------------------------------------------------------- */

static const char *const meter_state_names[METER_STATES] = {
    [METER_STARTING] = "starting",     [METER_NOT_OPEN] = "not-open",
    [METER_ENDED] = "ended",           [METER_NO_SIGNAL] = "no-signal",
    [METER_UNREADABLE] = "unreadable", [METER_HISTORIC] = "historic",
    [METER_ENCRYPTED] = "encrypted",   [METER_LIVE] = "live",
};

/* What is not known before the first telegram is null. */
static const char *const reading_keys[] = {"Standard",       "Phases",  "Version",
                                           "Identification", "DataAge", "StaleAfter"};

static void add_reading(json_t *meter, const struct api *api, const struct meter_snapshot *latest)
{
    const struct reading *r = &latest->reading;
    char id[256];
    (void)reading_text(r, TEXT_IDENTIFICATION, latest->telegram, latest->telegram_len, id,
                       sizeof id);
    unsigned version = r->p1_version ? r->p1_version : (unsigned)r->emucs_version;
    json_object_set_new(meter, "Standard", json_string(r->standard == STANDARD_TIC ? "tic" : "p1"));
    json_object_set_new(meter, "Phases", json_integer(r->phases));
    json_object_set_new(meter, "Version", version ? json_integer(version) : json_null());
    json_object_set_new(meter, "Identification", api_text(id));
    json_object_set_new(meter, "DataAge", json_real(seconds(api->loop->now_ms - r->received_ms)));
    json_object_set_new(meter, "StaleAfter", json_real(seconds(meter_stale_limit_ms(api->meter))));
}

static json_t *notes_json(const struct meter_snapshot *latest)
{
    json_t *notes = json_array();
    if (latest && latest->reading.export_unmeasured)
        json_array_append_new(
            notes,
            json_string("the meter exports but is not in producer mode: the export is unknown"));
    if (latest && message_time(&latest->reading) != latest->reading.meter_time_s)
        json_array_append_new(notes, json_string("the meter's clock cannot be used: time stamps "
                                                 "are the gateway's"));
    return notes;
}

static json_t *meter_json(const struct api *api)
{
    enum meter_state state = meter_get_state(api->meter);
    const struct meter_snapshot *latest = meter_latest(api->meter);
    json_t *meter =
        json_pack("{s:b, s:s, s:s, s:s, s:b, s:o}", "Ok", state == METER_LIVE, "State",
                  meter_state_names[state], "Text", meter_state_text(state), "Input", api->input,
                  "Stale", meter_is_stale(api->meter), "Notes", notes_json(latest));
    for (size_t i = 0; i < sizeof reading_keys / sizeof reading_keys[0]; i++)
        json_object_set_new(meter, reading_keys[i], json_null());
    if (latest)
        add_reading(meter, api, latest);
    return meter;
}

/* --- lights ---------------------------------------------------------------------------------- */

static json_t *reached(struct reach_state s)
{
    return s.known ? json_boolean(s.ok) : json_null();
}

/* --- LED and button --------------------------------------------------------------------------- */

static json_t *led_json(const struct panel_info *panel)
{
    const struct led_pattern *pattern = &led_patterns[panel->led];
    return json_pack("{s:s, s:s, s:o}", "State", pattern->name, "Color", pattern->color, "Problem",
                     api_text(panel->led_problem));
}

static json_t *button_json(const struct panel_info *panel, int64_t now_ms)
{
    bool used = panel->last != BUTTON_NOTHING;
    if (!panel->has_button)
        return json_null();
    return json_pack("{s:b, s:o, s:o, s:o}", "Pressed", panel->down, "Last",
                     api_text(button_event_names[panel->last]), "LastAge",
                     used ? json_real(seconds(now_ms - panel->last_ms)) : json_null(), "Problem",
                     api_text(panel->button_problem));
}

/* --- doors ------------------------------------------------------------------------------------ */

static json_t *mqtt_connection_json(const struct api *api)
{
    const struct mqtt *m = *api->mqtt;
    if (!m)
        return json_pack("{s:o, s:s, s:n, s:n, s:s}", "Ok",
                         api->mqtt_refusal[0] ? json_false() : json_null(), "State",
                         api->mqtt_refusal[0] ? "refused" : "off", "Host", "Port", "Detail",
                         api->mqtt_refusal);
    return json_pack("{s:b, s:s, s:s, s:i, s:s}", "Ok", mqtt_is_connected(m), "State",
                     mqtt_is_connected(m) ? "connected" : "connecting", "Host", mqtt_broker_host(m),
                     "Port", mqtt_broker_port(m), "Detail", mqtt_problem(m));
}

/* How the broker is spoken to, and what waits for it. */
static json_t *mqtt_json(const struct api *api)
{
    const struct mqtt *m = *api->mqtt;
    const struct outbox_counts waiting = outbox_get_counts(api->outbox);
    const struct mqtt_link *link = m && mqtt_is_connected(m) ? mqtt_link_of(m) : NULL;
    json_t *mqtt = mqtt_connection_json(api);
    json_object_set_new(mqtt, "Version", link ? json_string(mqtt_link_version(link)) : json_null());
    json_object_set_new(mqtt, "TLS", link ? json_boolean(mqtt_link_is_secure(link)) : json_null());
    json_object_set_new(mqtt, "Waiting", counter(waiting.waiting));
    json_object_set_new(mqtt, "DiskBytes", json_integer((json_int_t)waiting.disk_bytes));
    json_object_set_new(mqtt, "KeepProblem", api_text(outbox_problem(api->outbox)));
    json_object_set_new(mqtt, "LastRefusal", api_text(m ? mqtt_last_refusal(m) : ""));
    return mqtt;
}

static json_t *clients_json(const struct modbus_tcp *m)
{
    struct modbus_tcp_client_info info;
    json_t *list = json_array();
    for (int i = 0; i < MODBUS_CLIENTS_MAX; i++)
        if (modbus_tcp_client_at(m, i, &info))
            json_array_append_new(list, json_pack("{s:s, s:f, s:o}", "Address", info.address,
                                                  "Idle", seconds(info.idle_ms), "Requests",
                                                  counter(info.requests)));
    return list;
}

/* What one listener serves, and to whom; NULL: off, with what it would serve. */
static json_t *listener_json(const struct modbus_tcp *m, struct modbus_tcp_served served)
{
    char address[ADDRESS_TEXT_MAX] = "";
    if (m)
        modbus_tcp_address(m, address);
    return json_pack("{s:o, s:s, s:s, s:s, s:o, s:s}", "Address", api_text(address), "Map",
                     served.map->name, "WordOrder", choices_word_order[served.order], "Framing",
                     choices_framing[served.framing], "Clients", m ? clients_json(m) : json_array(),
                     "LastRefusal", m ? modbus_tcp_last_refusal(m) : "");
}

static json_t *main_listener_json(const struct api *api)
{
    const struct config *c = &api->settings->now;
    const struct modbus_tcp *m = api->modbus->main;
    if (m)
        return listener_json(m, modbus_tcp_get_served(m));
    const struct register_map *map = map_list_find(c->meter_type);
    return listener_json(
        NULL, (struct modbus_tcp_served){
                  .map = map, .order = served_order_of((enum served_order)c->word_order, map)});
}

static json_t *also_json(const struct modbus_listeners *l)
{
    json_t *list = json_array();
    for (int i = 0; i < l->also_count; i++)
        json_array_append_new(
            list, listener_json(l->also[i].server, modbus_tcp_get_served(l->also[i].server)));
    return list;
}

/* By map: the order that the real meter has. */
static json_t *orders_json(void)
{
    const struct register_map *map;
    json_t *orders = json_object();
    for (size_t i = 0; (map = map_list_at(i)) != NULL; i++)
        json_object_set_new(orders, map->name, json_string(choices_word_order[map->word_order]));
    return orders;
}

static json_t *modbus_json(const struct api *api)
{
    json_t *modbus = main_listener_json(api);
    bool on = modbus_listeners_at(api->modbus, 0) != NULL;
    json_object_set_new(modbus, "Ok", on ? json_true() : json_null());
    json_object_set_new(modbus, "Maps", config_map_names());
    json_object_set_new(modbus, "MeterOrders", orders_json());
    json_object_set_new(modbus, "Also", also_json(api->modbus));
    return modbus;
}

static json_t *bus_json(const struct p1mb_settings *bus)
{
    char line[RTU_LINE_MAX];
    rtu_bus_format_line(bus, line);
    return json_pack("{s:i, s:s, s:b}", "Address", (int)bus->address, "Line", line, "Termination",
                     (int)bus->termination);
}

static json_t *rtu_counters_json(const struct rtu_slave_counters *c)
{
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"bytes", c->bytes},           {"requests", c->requests},
        {"exceptions", c->exceptions}, {"broadcasts", c->broadcasts},
        {"foreign", c->foreign},       {"overtaken", c->overtaken},
        {"garbled", c->garbled},       {"line_errors", c->line_errors},
        {"echoes", c->echoes},
    };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        json_object_set_new(object, counters[i].name, counter(counters[i].value));
    return object;
}

/* The bus as it is, and what waits for a reboot. */
static json_t *rtu_json(const struct rtu_bus *m)
{
    if (!m)
        return json_null();
    const struct rtu_bus_info i = rtu_bus_get_info(m);
    bool waiting = !p1mb_settings_equal(&i.active, &i.staged);
    return json_pack("{s:b, s:s, s:o, s:o, s:s, s:s, s:o, s:o, s:s, s:{s:s, s:s, s:s}, s:o}", "Ok",
                     i.problem[0] == 0, "Port", i.path, "Problem", api_text(i.problem), "Hint",
                     api_text(i.hint), "Map", i.map, "WordOrder", choices_word_order[i.order],
                     "Active", bus_json(&i.active), "AfterReboot",
                     waiting ? bus_json(&i.staged) : json_null(), "Direction",
                     choices_direction[i.direction], "Leds", "PWR",
                     rtu_bus_light_name((enum p1mb_light)i.leds.pwr), "P1",
                     rtu_bus_light_name((enum p1mb_light)i.leds.p1), "485",
                     rtu_bus_light_name((enum p1mb_light)i.leds.rs485), "Counters",
                     rtu_counters_json(&i.counters));
}

static json_t *p1_out_json(const struct p1_out *o)
{
    struct p1_out_info info;
    json_t *list = json_array();
    for (int i = 0; p1_out_at(o, i, &info); i++)
        json_array_append_new(
            list, json_pack("{s:s, s:b, s:o, s:o}", "To", info.to, "Ok", info.problem[0] == 0,
                            "Problem", api_text(info.problem), "Readers",
                            info.readers < 0 ? json_null() : json_integer(info.readers)));
    return list;
}

static json_t *session_json(const struct api *api)
{
    char address[ADDRESS_TEXT_MAX] = "";
    const struct http *h = *api->http;
    if (h && session_is_held(&h->session, api->loop->now_ms))
        address_format_host(&h->session.address, address);
    return json_pack("{s:o}", "Address", api_text(address));
}

/* Who is not asked has no counts: null, not 0. */
static void add_pings(json_t *counters, const char *pass, const char *fail, struct reach_state s)
{
    json_object_set_new(counters, pass, s.on ? counter(s.pass) : json_null());
    json_object_set_new(counters, fail, s.on ? counter(s.fail) : json_null());
}

static json_t *counters_json(const struct api *api)
{
    const struct meter_counters c = meter_get_counters(api->meter);
    const struct modbus_tcp_counters m = modbus_listeners_counters(api->modbus);
    const struct mqtt_counters *q = api->mqtt_counters;
    const struct outbox_counts outbox = outbox_get_counts(api->outbox);
    const struct p1_out_counters p1 = p1_out_get_counters(api->p1_out);
    const struct http *h = *api->http;
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"uptime", (uint64_t)(api->loop->now_ms - api->started_ms) / 1000},
        {"telegrams_pass", c.telegrams_pass},
        {"telegrams_fail", c.telegrams_fail},
        {"telegrams_frame_fail", c.telegrams_frame_fail},
        {"object_errors", c.object_errors},
        {"bytes", c.bytes},
        {"modbus_requests", m.requests},
        {"modbus_exceptions", m.exceptions},
        {"modbus_accepted", m.accepted},
        {"modbus_refused", m.refused},
        {"modbus_replaced", m.replaced},
        {"modbus_dropped_idle", m.dropped_idle},
        {"modbus_bad_frames", m.bad_frames + m.foreign_frames},
        {"p1_out_sent", p1.tcp.sent},
        {"p1_out_skipped", p1.tcp.skipped},
        {"p1_out_refused", p1.tcp.refused},
        {"p1_out_stuck", p1.tcp.stuck},
        {"p1_out_copied_bytes", p1.serial.copied},
        {"p1_out_lost_bytes", p1.serial.lost},
        {"mqtt_event_connect", q->link.connects},
        {"mqtt_event_errors", q->link.event_errors},
        {"mqtt_send_pass", q->link.send_pass},
        {"mqtt_send_fail", q->link.send_fail},
        {"mqtt_sent_late", outbox.sent_late},
        {"mqtt_dropped", outbox.dropped},
        {"mqtt_commands", q->commands_done},
        {"mqtt_commands_refused", mqtt_refused_commands(q)},
        {"http_requests", h ? h->counters.requests : 0},
        {"http_refused_connections", h ? h->places.refused : 0},
        {"logins_failed", h ? h->auth.throttle.failures : 0},
    };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        json_object_set_new(object, counters[i].name, counter(counters[i].value));
    add_pings(object, "gw_ping_pass", "gw_ping_fail", reach_gateway(api->reach));
    add_pings(object, "internet_ping_pass", "internet_ping_fail", reach_internet(api->reach));
    return object;
}

/* --- all of it -------------------------------------------------------------------------------- */

json_t *api_state(const struct api *api)
{
    struct host_net net;
    const struct panel_info panel = panel_get_info(api->panel);
    host_net_read(&net);
    errno = 0;
    return json_whole(json_pack(
        "{s:s, s:o, s:s, s:o, s:I, s:o, s:{s:b, s:o}, s:o, s:{s:o}, s:o, s:o, s:o, s:o, s:o, s:o, "
        "s:o, s:{s:o, "
        "s:i, s:b}, s:o, "
        "s:{s:s, s:i}, s:o}",
        "Serial", api->identity->serial, "Mac", api_text(api->identity->mac), "Product",
        "Smart Connect", "Time", api_time(wall_clock_s()), "Uptime",
        (json_int_t)(api->loop->now_ms - api->started_ms) / 1000, "Meter", meter_json(api), "Link",
        "Ok", net.link, "Interface", api_text(net.interface), "Network", api_network(api, &net),
        "Internet", "Ok", reached(reach_internet(api->reach)), "MQTT", mqtt_json(api), "Modbus",
        modbus_json(api), "RTU", rtu_json(api->rtu), "P1Out", p1_out_json(api->p1_out), "Led",
        led_json(&panel), "Button", button_json(&panel, api->loop->now_ms), "Session",
        session_json(api), "Configuration", "Problem", api_text(api->settings->problem), "Revision",
        (int)api->settings->revision, "Factory", (int)settings_are_factory(api->settings),
        "Counters", counters_json(api), "Versions", "Program", SMART_CONNECT_VERSION,
        "Configuration", CONFIG_VERSION, "Firmware", api_firmware_state(api)));
}

void api_serve_status(struct http_request *r, void *context)
{
    const struct api *api = context;
    json_t *status = config_json(&api->settings->now);
    json_t *state = status ? api_state(api) : NULL;
    if (state && json_object_set_new(status, "State", state) == 0) {
        http_answer_json(r, 200, status, NULL);
        return;
    }
    json_decref(status);
    http_answer_wait(r, 503, "out of memory", 10);
}
