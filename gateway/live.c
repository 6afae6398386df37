#include "live.h"

#include "core/text_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REDRAW_MS = 1000, VALUE_TEXT_MAX = 24 };

static void format_value(const struct reading *r, enum quantity q, char text[static VALUE_TEXT_MAX])
{
    struct text_out out;
    text_init(&out, text, VALUE_TEXT_MAX);
    if (reading_has(r, q))
        text_decimal(&out, r->value[q], quantity_decimals[q]);
    else
        text_put(&out, "-");
}

/* The rows of the table: a quantity for the total and one for L1, with L2 and L3 behind it. */
static const struct {
    const char *title;
    int total, l1; /* enum quantity, or -1 */
} rows[] = {
    {"power         W", Q_POWER, Q_POWER_L1}, {"voltage       V", -1, Q_METER_VOLTAGE_L1},
    {"current       A", -1, Q_CURRENT_L1},    {"apparent     VA", Q_APPARENT, Q_APPARENT_L1},
    {"import       Wh", Q_ENERGY_IMPORT, -1}, {"export       Wh", Q_ENERGY_EXPORT, -1},
};

static void draw_table(const struct reading *r)
{
    printf("%18s %12s %10s %10s %10s\n", "", "total", "L1", "L2", "L3");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[4][VALUE_TEXT_MAX] = {"", "", "", ""};
        if (rows[i].total >= 0)
            format_value(r, (enum quantity)rows[i].total, text[0]);
        for (int n = 0; n < 3 && rows[i].l1 >= 0; n++)
            format_value(r, (enum quantity)(rows[i].l1 + n), text[n + 1]);
        printf("%18s %12s %10s %10s %10s\n", rows[i].title, text[0], text[1], text[2], text[3]);
    }
}

/* Of the first listener that refused somebody. */
static const char *last_refusal(const struct modbus_listeners *l)
{
    const struct modbus_tcp *m;
    const char *refusal = "";
    for (int i = 0; !refusal[0] && (m = modbus_listeners_at(l, i)) != NULL; i++)
        refusal = modbus_tcp_last_refusal(m);
    return refusal;
}

static void draw_modbus(const struct modbus_listeners *l)
{
    const struct modbus_tcp_counters n = modbus_listeners_counters(l);
    const char *refusal = last_refusal(l);
    if (!modbus_listeners_at(l, 0))
        return;
    printf(" modbus     %d clients, %llu requests, %llu exceptions, %llu bad frames\n"
           "            connections: %llu accepted, %llu replaced, %llu idle, %llu refused%s%s\n",
           modbus_listeners_clients(l), (unsigned long long)n.requests,
           (unsigned long long)n.exceptions, (unsigned long long)(n.bad_frames + n.foreign_frames),
           (unsigned long long)n.accepted, (unsigned long long)n.replaced,
           (unsigned long long)n.dropped_idle, (unsigned long long)n.refused,
           refusal[0] ? ": " : "", refusal);
}

static void draw_doors(const struct live *v)
{
    struct meter_counters c = meter_get_counters(v->meter);
    printf(
        "\n telegrams  %llu good, %llu bad checksum, %llu incomplete; %llu objects without sense\n",
        (unsigned long long)c.telegrams_pass, (unsigned long long)c.telegrams_fail,
        (unsigned long long)c.telegrams_frame_fail, (unsigned long long)c.object_errors);
    draw_modbus(v->modbus);
    if (*v->mqtt) {
        const struct mqtt_counters *n = v->mqtt_counters;
        printf(" mqtt       %s, %llu sent, %llu dropped, %llu connection errors\n",
               mqtt_is_connected(*v->mqtt) ? "connected" : "not connected",
               (unsigned long long)n->link.send_pass,
               (unsigned long long)outbox_get_counts(v->outbox).dropped,
               (unsigned long long)n->link.event_errors);
    }
}

/* What to point at the gateway. */
static void draw_hints(const struct live *v)
{
    printf("\n");
    if (v->http)
        printf(" see the page:       https://127.0.0.1:%d/  user: user, password: "
               "smart-connect label --state %s\n",
               address_port(http_door_bound(v->http->secure)), v->http->settings.state_dir);
    if (v->modbus->main)
        printf(" read the voltages:  mbpoll -m tcp -p %d -a 1 -0 -r 0x8006 -c 3 -t 4:float -1 "
               "127.0.0.1\n",
               modbus_tcp_port(v->modbus->main));
    if (*v->mqtt)
        printf(" hear the messages:  mosquitto_sub -h %s -p %d -t '%s' -v\n",
               mqtt_broker_host(*v->mqtt), mqtt_broker_port(*v->mqtt), mqtt_topics(*v->mqtt));
    printf(" end:                Ctrl-C\n");
}

static void draw_terminal(const struct live *v, const struct meter_snapshot *latest)
{
    printf("\033[H\033[J Smart Connect %s\n meter      %s", SMART_CONNECT_VERSION,
           meter_state_text(meter_get_state(v->meter)));
    if (latest)
        printf("; telegram %llu, %.1f s old%s", (unsigned long long)latest->reading.sequence,
               (double)(v->loop->now_ms - latest->reading.received_ms) / 1000,
               meter_is_stale(v->meter) ? " (stale)" : "");
    if (latest && latest->reading.export_unmeasured)
        printf("\n            exporting, but not in producer mode: the export is unknown");
    printf("\n\n");
    if (latest)
        draw_table(&latest->reading);
    draw_doors(v);
    draw_hints(v);
}

static void draw_line(const struct live *v, const struct meter_snapshot *latest)
{
    struct meter_counters c = meter_get_counters(v->meter);
    if (!latest) {
        printf("%s\n", meter_state_text(meter_get_state(v->meter)));
        return;
    }
    char power[VALUE_TEXT_MAX], phase[3][VALUE_TEXT_MAX];
    format_value(&latest->reading, Q_POWER, power);
    for (int n = 0; n < 3; n++)
        format_value(&latest->reading, (enum quantity)(Q_POWER_L1 + n), phase[n]);
    printf("power_w=%s l1=%s l2=%s l3=%s age_s=%.1f stale=%d good=%llu crc=%llu frame=%llu "
           "modbus_clients=%d modbus_requests=%llu mqtt_sent=%llu mqtt_dropped=%llu\n",
           power, phase[0], phase[1], phase[2],
           (double)(v->loop->now_ms - latest->reading.received_ms) / 1000, meter_is_stale(v->meter),
           (unsigned long long)c.telegrams_pass, (unsigned long long)c.telegrams_fail,
           (unsigned long long)c.telegrams_frame_fail, modbus_listeners_clients(v->modbus),
           (unsigned long long)modbus_listeners_counters(v->modbus).requests,
           (unsigned long long)v->mqtt_counters->link.send_pass,
           (unsigned long long)outbox_get_counts(v->outbox).dropped);
}

static void on_redraw(struct loop_timer *timer)
{
    struct live *v = CONTAINER_OF(timer, struct live, tick);
    const struct meter_snapshot *latest = meter_latest(v->meter);
    if (v->is_terminal)
        draw_terminal(v, latest);
    else
        draw_line(v, latest);
    fflush(stdout);
    loop_set_timer(v->loop, &v->tick, REDRAW_MS);
}

void live_start(struct live *v)
{
    const char *terminal = getenv("TERM");
    v->is_terminal = isatty(STDOUT_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    v->tick.expired = on_redraw;
    if (!v->is_terminal)
        draw_hints(v);
    loop_set_timer(v->loop, &v->tick, REDRAW_MS);
}

void live_stop(struct live *v)
{
    loop_cancel_timer(v->loop, &v->tick);
}
