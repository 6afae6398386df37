/* api_metrics.c - Prometheus text format: families of samples as a table.  What is not known is left out. */
#include "api.h"
#include "core/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
/* One family of the meter's quantities: a total, quantities that follow each other, or both. */
static const struct family {
    const char *name, *help, *type;
    int total; /* enum quantity, or -1; its label says "total" */
    int first; /* enum quantity, or -1: that of labels[0], and its neighbours follow */
    const char *label;
    const char *values[5]; /* of the label, for first and what follows it */
} families[] = {
    {"active_power_watts", "import minus export", "gauge", Q_POWER, Q_POWER_L1, "phase",
     {"l1", "l2", "l3"}},
    {"import_power_watts", "taken from the grid", "gauge", Q_POWER_IMPORT, Q_POWER_IMPORT_L1, "phase",
     {"l1", "l2", "l3"}},
    {"export_power_watts", "given to the grid", "gauge", Q_POWER_EXPORT, Q_POWER_EXPORT_L1, "phase",
     {"l1", "l2", "l3"}},
    {"reactive_power_vars", "import minus export", "gauge", Q_REACTIVE, Q_REACTIVE_L1, "phase",
     {"l1", "l2", "l3"}},
    {"apparent_power_voltamperes", "apparent power", "gauge", Q_APPARENT, Q_APPARENT_L1, "phase",
     {"l1", "l2", "l3"}},
    {"power_factor_ratio", "negative for export", "gauge", Q_POWER_FACTOR, Q_POWER_FACTOR_L1, "phase",
     {"l1", "l2", "l3"}},
    {"voltage_volts", "phase to neutral", "gauge", -1, Q_VOLTAGE_L1, "phase", {"l1", "l2", "l3"}},
    {"line_voltage_volts", "between phases, on a grid without neutral", "gauge", -1, Q_VOLTAGE_L12,
     "phases", {"l12", "l32", "l31"}},
    {"current_amperes", "phase current, as the setting Meter/Current shows it", "gauge", -1, Q_CURRENT_L1,
     "phase", {"l1", "l2", "l3"}},
    {"import_energy_watthours_total", "taken from the grid", "counter", Q_ENERGY_IMPORT,
     Q_ENERGY_IMPORT_T1, "tariff", {"1", "2", "3", "4"}},
    {"export_energy_watthours_total", "given to the grid", "counter", Q_ENERGY_EXPORT,
     Q_ENERGY_EXPORT_T1, "tariff", {"1", "2", "3", "4"}},
    {"reactive_energy_varhours_total", "by quadrant", "counter", -1, Q_REACTIVE_ENERGY_Q1, "quadrant",
     {"1", "2", "3", "4"}},
    {"voltage_sags_total", "too low for a moment", "counter", -1, Q_VOLTAGE_SAGS_L1, "phase", {"l1", "l2", "l3"}},
    {"voltage_swells_total", "too high for a moment", "counter", -1, Q_VOLTAGE_SWELLS_L1, "phase", {"l1", "l2", "l3"}},
    {"power_failures_total", "of any length", "counter", Q_POWER_FAILURES, -1, "", {NULL}},
    {"long_power_failures_total", "of minutes and more", "counter", Q_LONG_POWER_FAILURES, -1, "", {NULL}},
    {"demand_quarter_watts", "mean of the running quarter of an hour", "gauge", Q_DEMAND_QUARTER, -1, "",
     {NULL}},
    {"demand_month_peak_watts", "highest quarter of the month", "gauge", Q_DEMAND_MONTH_PEAK, -1, "",
     {NULL}},
};
/* clang-format on */

#define PREFIX "smartconnect_"

static void put_head(struct text_out *out, const char *name, const char *help, const char *type)
{
    text_put(out, "# HELP " PREFIX);
    text_put(out, name);
    text_char(out, ' ');
    text_put(out, help);
    text_put(out, "\n# TYPE " PREFIX);
    text_put(out, name);
    text_char(out, ' ');
    text_put(out, type);
    text_char(out, '\n');
}

static void put_label(struct text_out *out, const char *label, const char *value)
{
    text_put(out, label);
    text_char(out, '=');
    text_json_string(out, value);
}

static void put_name(struct text_out *out, const char *name, const char *label, const char *value)
{
    text_put(out, PREFIX);
    text_put(out, name);
    if (label[0]) {
        text_char(out, '{');
        put_label(out, label, value);
        text_char(out, '}');
    }
    text_char(out, ' ');
}

static void put_sample(struct text_out *out, const char *name, const char *label, const char *value,
                       int64_t number, unsigned decimals)
{
    put_name(out, name, label, value);
    text_decimal(out, number, decimals);
    text_char(out, '\n');
}

static void put_quantity(struct text_out *out, const struct reading *r, const struct family *f,
                         int quantity, const char *value)
{
    enum quantity q = (enum quantity)quantity;
    if (quantity >= 0 && reading_has(r, q))
        put_sample(out, f->name, f->label, value, r->value[q], quantity_decimals[q]);
}

static bool family_is_known(const struct reading *r, const struct family *f)
{
    bool known = f->total >= 0 && reading_has(r, (enum quantity)f->total);
    for (int i = 0; f->first >= 0 && f->values[i]; i++)
        known = known || reading_has(r, (enum quantity)(f->first + i));
    return known;
}

static void put_families(struct text_out *out, const struct reading *r)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const struct family *f = &families[i];
        if (!family_is_known(r, f))
            continue;
        put_head(out, f->name, f->help, f->type);
        put_quantity(out, r, f, f->total, "total");
        for (int n = 0; f->first >= 0 && f->values[n]; n++)
            put_quantity(out, r, f, f->first + n, f->values[n]);
    }
}

/* Gas, water, heat: by M-Bus channel. */
static void put_mbus(struct text_out *out, const struct reading *r)
{
    static const struct {
        const char *name, *help;
        unsigned decimals;
    } units[] = {
        [MBUS_UNIT_DM3] = {"mbus_volume_cubic_meters_total", "gas or water, by M-Bus channel", 3},
        [MBUS_UNIT_MJ] = {"mbus_heat_gigajoules_total", "heat or cold, by M-Bus channel", 3},
        [MBUS_UNIT_WH] = {"mbus_energy_watthours_total", "energy, by M-Bus channel", 0},
    };
    for (unsigned unit = MBUS_UNIT_DM3; unit <= MBUS_UNIT_WH; unit++) {
        bool begun = false;
        for (int i = 0; i < READING_MBUS_N; i++) {
            if (r->mbus[i].unit != unit)
                continue;
            if (!begun)
                put_head(out, units[unit].name, units[unit].help, "counter");
            begun = true;
            put_sample(out, units[unit].name, "channel", (const char[]){(char)('1' + i), 0},
                       r->mbus[i].value, units[unit].decimals);
        }
    }
}

/* --- the gateway itself ----------------------------------------------------------------------- */

static void put_one(struct text_out *out, const char *name, const char *help, const char *type,
                    int64_t number, unsigned decimals)
{
    put_head(out, name, help, type);
    put_sample(out, name, "", "", number, decimals);
}

static void put_telegrams(struct text_out *out, const struct api *api)
{
    static const char name[] = "telegrams_total";
    const struct meter_counters c = meter_get_counters(api->meter);
    put_head(out, name, "telegrams, by what became of them", "counter");
    put_sample(out, name, "result", "ok", (int64_t)c.telegrams_pass, 0);
    put_sample(out, name, "result", "crc", (int64_t)c.telegrams_fail, 0);
    put_sample(out, name, "result", "frame", (int64_t)c.telegrams_frame_fail, 0);
    put_one(out, "object_errors_total", "objects of accepted telegrams that made no sense",
            "counter", (int64_t)c.object_errors, 0);
    put_one(out, "meter_up", "1 while telegrams come", "gauge", !meter_is_stale(api->meter), 0);
}

static void put_modbus(struct text_out *out, const struct api *api)
{
    static const char name[] = "modbus_connections_total";
    if (!modbus_listeners_at(api->modbus, 0))
        return;
    const struct modbus_tcp_counters m = modbus_listeners_counters(api->modbus);
    put_one(out, "modbus_clients", "connected now", "gauge", modbus_listeners_clients(api->modbus),
            0);
    put_one(out, "modbus_requests_total", "requests", "counter", (int64_t)m.requests, 0);
    put_one(out, "modbus_exceptions_total", "requests answered with an exception", "counter",
            (int64_t)m.exceptions, 0);
    put_head(out, name, "connections, by what became of them", "counter");
    put_sample(out, name, "result", "accepted", (int64_t)m.accepted, 0);
    put_sample(out, name, "result", "replaced", (int64_t)m.replaced, 0);
    put_sample(out, name, "result", "idle", (int64_t)m.dropped_idle, 0);
    put_sample(out, name, "result", "refused", (int64_t)m.refused, 0);
}

static void put_rtu(struct text_out *out, const struct api *api)
{
    static const char name[] = "rtu_frames_total";
    if (!api->rtu)
        return;
    const struct rtu_slave_counters c = rtu_bus_get_info(api->rtu).counters;
    put_one(out, "rtu_requests_total", "requests for us", "counter", (int64_t)c.requests, 0);
    put_one(out, "rtu_exceptions_total", "requests answered with an exception", "counter",
            (int64_t)c.exceptions, 0);
    put_one(out, "rtu_line_errors_total", "bytes with a bad parity or stop bit", "counter",
            (int64_t)c.line_errors, 0);
    put_head(out, name, "what else was heard on the bus", "counter");
    put_sample(out, name, "kind", "broadcast", (int64_t)c.broadcasts, 0);
    put_sample(out, name, "kind", "foreign", (int64_t)c.foreign, 0);
    put_sample(out, name, "kind", "garbled", (int64_t)c.garbled, 0);
    put_sample(out, name, "kind", "overtaken", (int64_t)c.overtaken, 0);
}

static void put_p1_out(struct text_out *out, const struct api *api)
{
    static const char telegrams[] = "p1_out_telegrams_total";
    static const char readers[] = "p1_out_connections_total";
    static const char bytes[] = "p1_out_serial_bytes_total";
    const struct p1_out_counters c = p1_out_get_counters(api->p1_out);
    if (api->p1_out->count == 0)
        return;
    put_one(out, "p1_out_readers", "connected now", "gauge", c.readers, 0);
    put_head(out, telegrams, "telegrams for TCP readers, by what became of them", "counter");
    put_sample(out, telegrams, "result", "sent", (int64_t)c.tcp.sent, 0);
    put_sample(out, telegrams, "result", "skipped", (int64_t)c.tcp.skipped, 0);
    put_head(out, readers, "TCP readers, by what became of them", "counter");
    put_sample(out, readers, "result", "accepted", (int64_t)c.tcp.accepted, 0);
    put_sample(out, readers, "result", "refused", (int64_t)c.tcp.refused, 0);
    put_sample(out, readers, "result", "stuck", (int64_t)c.tcp.stuck, 0);
    put_head(out, bytes, "bytes for serial ports, by what became of them", "counter");
    put_sample(out, bytes, "result", "copied", (int64_t)c.serial.copied, 0);
    put_sample(out, bytes, "result", "lost", (int64_t)c.serial.lost, 0);
}

static void put_mqtt(struct text_out *out, const struct api *api)
{
    static const char name[] = "mqtt_messages_total";
    static const char commands[] = "mqtt_commands_total";
    const struct mqtt_counters *q = api->mqtt_counters;
    const struct outbox_counts waiting = outbox_get_counts(api->outbox);
    put_one(out, "mqtt_connected", "1 while a broker takes messages", "gauge",
            *api->mqtt && mqtt_is_connected(*api->mqtt), 0);
    put_one(out, "mqtt_connects_total", "connections that a broker accepted", "counter",
            (int64_t)q->link.connects, 0);
    put_one(out, "mqtt_errors_total", "failed attempts and lost connections", "counter",
            (int64_t)q->link.event_errors, 0);
    put_head(out, name, "messages, by what became of them", "counter");
    put_sample(out, name, "result", "acknowledged", (int64_t)q->link.send_pass, 0);
    put_sample(out, name, "result", "failed", (int64_t)q->link.send_fail, 0);
    put_one(out, "mqtt_readings_waiting", "for the broker", "gauge", (int64_t)waiting.waiting, 0);
    put_one(out, "mqtt_readings_disk_bytes", "that they take", "gauge", waiting.disk_bytes, 0);
    put_one(out, "mqtt_readings_late_total", "readings sent after their time", "counter",
            (int64_t)waiting.sent_late, 0);
    put_one(out, "mqtt_readings_dropped_total", "readings that never reached the broker", "counter",
            (int64_t)waiting.dropped, 0);
    put_head(out, commands, "commands from the broker", "counter");
    put_sample(out, commands, "result", "done", (int64_t)q->commands_done, 0);
    put_sample(out, commands, "result", "refused", (int64_t)mqtt_refused_commands(q), 0);
}

static void put_ping(struct text_out *out, const char *target, const char *result, uint64_t count)
{
    text_put(out, PREFIX "ping_total{");
    put_label(out, "target", target);
    text_char(out, ',');
    put_label(out, "result", result);
    text_put(out, "} ");
    text_decimal(out, (int64_t)count, 0);
    text_char(out, '\n');
}

static void put_pings(struct text_out *out, const struct api *api)
{
    const struct {
        const char *name;
        struct reach_state state;
    } targets[] = {{"gateway", reach_gateway(api->reach)}, {"internet", reach_internet(api->reach)}};
    put_head(out, "ping_total", "attempts to reach a target, by what became of them", "counter");
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (!targets[i].state.on)
            continue;
        put_ping(out, targets[i].name, "pass", targets[i].state.pass);
        put_ping(out, targets[i].name, "fail", targets[i].state.fail);
    }
}

/* /proc/self/statm: pages in all, pages resident, ... */
static int64_t resident_bytes(void)
{
    char line[128] = "";
    FILE *f = fopen("/proc/self/statm", "re");
    bool ok = f && fgets(line, sizeof line, f);
    if (f)
        fclose(f);
    const char *resident = strchr(line, ' ');
    return ok && resident ? strtoll(resident, NULL, 10) * sysconf(_SC_PAGESIZE) : 0;
}

static void put_process(struct text_out *out, const struct api *api)
{
    const struct http *h = *api->http;
    put_head(out, "build_info", "the program", "gauge");
    put_sample(out, "build_info", "version", SMART_CONNECT_VERSION, 1, 0);
    put_one(out, "uptime_seconds", "since start", "gauge",
            (api->loop->now_ms - api->started_ms) / 1000, 0);
    put_one(out, "resident_memory_bytes", "of the process", "gauge", resident_bytes(), 0);
    put_one(out, "http_requests_total", "requests to page and API", "counter",
            (int64_t)h->counters.requests, 0);
    put_one(out, "http_connections_refused_total", "connections above the limits", "counter",
            (int64_t)h->places.refused, 0);
    put_one(out, "logins_failed_total", "wrong logins", "counter",
            (int64_t)h->auth.throttle.failures, 0);
}

void api_serve_metrics(struct http_request *r, void *context)
{
    struct api *api = context;
    struct text_out out;
    const struct meter_snapshot *latest = meter_latest(api->meter);
    text_init(&out, api->message, sizeof api->message);
    if (latest && !meter_is_stale(api->meter)) {
        put_families(&out, &latest->reading);
        put_mbus(&out, &latest->reading);
    }
    if (latest)
        put_one(&out, "telegram_age_seconds", "since the latest valid telegram", "gauge",
                api->loop->now_ms - latest->reading.received_ms, 3);
    put_telegrams(&out, api);
    put_modbus(&out, api);
    put_rtu(&out, api);
    put_p1_out(&out, api);
    put_mqtt(&out, api);
    put_pings(&out, api);
    put_process(&out, api);
    http_answer_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", out.buffer, out.length);
}
