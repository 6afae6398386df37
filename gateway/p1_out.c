#include "p1_out.h"

#include "core/p1_write.h"

#include <stdio.h>
#include <string.h>

_Static_assert((int)P1_WRITE_MAX <= (int)P1_SERVED_MAX && (int)TIC_FRAME_MAX <= (int)P1_SERVED_MAX,
               "p1_server_send() takes each form");

/* The schemes of entries. */
static const char tcp[] = "tcp:", serial[] = "serial:";

/* What stands behind the scheme; NULL: it is another. */
static const char *behind(const char *text, const char *scheme)
{
    size_t n = strlen(scheme);
    return strncmp(text, scheme, n) == 0 ? text + n : NULL;
}

const char *p1_out_port(const char *text)
{
    const char *path = behind(text, serial);
    return path ? path : "";
}

bool p1_out_check(const char *text, char error[static P1_OUT_ERROR_MAX])
{
    struct sockaddr_storage address;
    socklen_t length;
    const char *listen = behind(text, tcp);
    if (listen ? address_parse(listen, &address, &length) : p1_out_port(text)[0] == '/')
        return true;
    snprintf(error, P1_OUT_ERROR_MAX,
             "\"%.60s\": use tcp:PORT, tcp:ADDR:PORT, tcp:[IPV6]:PORT or serial:DEVICE with an "
             "absolute path such as serial:/dev/ttyUSB1",
             text);
    return false;
}

/* --- what the meter says ---------------------------------------------------------------------- */

static void send_all(const struct p1_out *o, const void *telegram, size_t n)
{
    for (int i = 0; i < o->count; i++)
        if (o->ways[i].server)
            p1_server_send(o->ways[i].server, telegram, n);
}

/* The line end behind a telegram's CRC is not part of the snapshot. */
static size_t raw_form(const struct meter_snapshot *latest, char out[static P1_SERVED_MAX])
{
    size_t n = latest->telegram_len;
    memcpy(out, latest->telegram, n);
    if (latest->reading.standard == STANDARD_P1) {
        out[n++] = '\r';
        out[n++] = '\n';
    }
    return n;
}

static void on_reading(struct meter_listener *listener, const struct meter_snapshot *latest)
{
    const struct p1_out *o = CONTAINER_OF(listener, struct p1_out, listener);
    char out[P1_SERVED_MAX];
    size_t n = o->format == P1_OUT_RAW ? raw_form(latest, out)
                                       : p1_write(&latest->reading, o->winter_offset_s,
                                                  latest->telegram, latest->telegram_len, out);
    send_all(o, out, n);
}

static void on_stale(struct meter_listener *listener)
{
    const struct p1_out *o = CONTAINER_OF(listener, struct p1_out, listener);
    for (int i = 0; i < o->count; i++)
        if (o->ways[i].server)
            p1_server_expire(o->ways[i].server);
}

static void on_bytes(struct meter_tap *tap, const uint8_t *bytes, size_t n)
{
    const struct p1_out *o = CONTAINER_OF(tap, struct p1_out, tap);
    for (int i = 0; i < o->count; i++)
        if (o->ways[i].copy)
            p1_copy_bytes(o->ways[i].copy, bytes, n);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool is_copied_already(const struct p1_out *o, const char *path)
{
    for (int i = 0; i < o->count; i++)
        if (o->ways[i].copy && strcmp(p1_copy_path(o->ways[i].copy), path) == 0)
            return true;
    return false;
}

static bool open_way(struct p1_out *o, struct p1_out_way *way, const char *text, char *error)
{
    const char *listen = behind(text, tcp), *path = p1_out_port(text);
    if (listen) {
        way->server = p1_server_open(o->loop, listen, error);
    } else if (is_copied_already(o, path)) {
        snprintf(error, P1_OUT_ERROR_MAX, "--p1-out serial:%.150s is given twice", path);
    } else {
        way->copy = p1_copy_open(o->loop, path);
        snprintf(error, P1_OUT_ERROR_MAX, "out of memory");
    }
    return way->server || way->copy;
}

bool p1_out_add(struct p1_out *o, const char *text, char error[static P1_OUT_ERROR_MAX])
{
    if (o->count == P1_OUT_MAX) {
        snprintf(error, P1_OUT_ERROR_MAX, "--p1-out: %d of them at most", P1_OUT_MAX);
        return false;
    }
    if (!p1_out_check(text, error) || !open_way(o, &o->ways[o->count], text, error))
        return false;
    if (o->count++ > 0)
        return true;
    o->listener = (struct meter_listener){.reading = on_reading, .stale = on_stale};
    o->tap = (struct meter_tap){.bytes = on_bytes};
    meter_add_listener(o->meter, &o->listener);
    meter_add_tap(o->meter, &o->tap);
    return true;
}

void p1_out_close(struct p1_out *o)
{
    if (o->count == 0)
        return;
    meter_remove_listener(o->meter, &o->listener);
    meter_remove_tap(o->meter, &o->tap);
    while (o->count) {
        struct p1_out_way *way = &o->ways[--o->count];
        p1_server_close(way->server);
        p1_copy_close(way->copy);
        *way = (struct p1_out_way){NULL, NULL};
    }
}

/* --- status ----------------------------------------------------------------------------------- */

bool p1_out_at(const struct p1_out *o, int i, struct p1_out_info *info)
{
    char address[ADDRESS_TEXT_MAX];
    if (i >= o->count)
        return false;
    const struct p1_out_way *way = &o->ways[i];
    *info = (struct p1_out_info){.problem = "", .readers = -1};
    if (way->server) {
        p1_server_address(way->server, address);
        snprintf(info->to, sizeof info->to, "%s%s", tcp, address);
        info->readers = p1_server_readers(way->server);
    } else {
        snprintf(info->to, sizeof info->to, "%s%s", serial, p1_copy_path(way->copy));
        info->problem = p1_copy_problem(way->copy);
    }
    return true;
}

static void add_server(struct p1_out_counters *sum, const struct p1_server *server)
{
    const struct p1_server_counters one = p1_server_get_counters(server);
    sum->readers += p1_server_readers(server);
    sum->tcp.sent += one.sent;
    sum->tcp.skipped += one.skipped;
    sum->tcp.accepted += one.accepted;
    sum->tcp.refused += one.refused;
    sum->tcp.stuck += one.stuck;
}

struct p1_out_counters p1_out_get_counters(const struct p1_out *o)
{
    struct p1_out_counters sum = {0};
    for (int i = 0; i < o->count; i++) {
        const struct p1_out_way *way = &o->ways[i];
        if (way->server) {
            add_server(&sum, way->server);
        } else {
            const struct p1_copy_counters one = p1_copy_get_counters(way->copy);
            sum.serial.copied += one.copied;
            sum.serial.lost += one.lost;
        }
    }
    return sum;
}
