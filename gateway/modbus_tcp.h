/* modbus_tcp.h - the Modbus TCP server: one register map, one listening address, a few clients.
 *
 * A full house makes room by rule: a client from the same address replaces its old connection; else
 * the client idle longest, if for over 15 s, goes; else the new one is refused at once and counted.
 */
#ifndef MODBUS_TCP_H
#define MODBUS_TCP_H

#include "address.h"
#include "core/modbus_rtu.h"
#include "modbus_source.h"

enum { MODBUS_CLIENTS_MAX = 64, MODBUS_TCP_ERROR_MAX = 320 };

/* How requests are wrapped on the connection. */
enum modbus_framing { FRAMING_MBAP, FRAMING_RTU };

struct modbus_tcp_settings {
    const char *listen; /* see address_parse() */
    const char *option; /* that asks for it, for errors: "modbus" */
    enum modbus_framing framing;
    int max_clients;    /* 1..MODBUS_CLIENTS_MAX */
    int idle_timeout_s; /* a client without a complete request goes after this; 0 = never */
    struct modbus_source_settings source; /* what is served; but STALE_SILENT, which TCP does not know */
};

struct modbus_tcp_counters {
    uint64_t requests, exceptions;
    uint64_t accepted, replaced, dropped_idle, refused;
    uint64_t bad_frames;     /* MBAP lengths that cannot be: the connection was closed */
    uint64_t foreign_frames; /* skipped: another protocol identifier; RTU: noise, a byte each */
};

struct modbus_tcp;

/* Listens, and serves from now on.  NULL: `error` says why, in one line. */
struct modbus_tcp *modbus_tcp_open(struct loop *l, struct meter *meter,
                                   const struct modbus_tcp_settings *settings,
                                   char error[static MODBUS_TCP_ERROR_MAX]);
void modbus_tcp_close(struct modbus_tcp *m);

/* Other settings from now on, connections stay but those above a lower max_clients: of these the ones
 * idle longest go.  The listening address, the framing and what masters have staged stay.  False: the map does not fit;
 * nothing changed. */
bool modbus_tcp_set(struct modbus_tcp *m, const struct modbus_tcp_settings *settings);

/* Listens at another port of the same address.  Connections stay.  False: `error` says why, and the old port
 * is still served. */
bool modbus_tcp_move(struct modbus_tcp *m, int port, char error[static MODBUS_TCP_ERROR_MAX]);

/* What is served, and how. */
struct modbus_tcp_served {
    const struct register_map *map;
    enum word_order order; /* in force */
    enum modbus_framing framing;
};

/* What it is now. */
struct modbus_tcp_served modbus_tcp_get_served(const struct modbus_tcp *m);

/* The address and port that are bound. */
void modbus_tcp_address(const struct modbus_tcp *m, char text[static ADDRESS_TEXT_MAX]);
int modbus_tcp_port(const struct modbus_tcp *m);
struct modbus_tcp_counters modbus_tcp_get_counters(const struct modbus_tcp *m);
int modbus_tcp_clients(const struct modbus_tcp *m);

struct modbus_tcp_client_info {
    char address[ADDRESS_TEXT_MAX]; /* with its port */
    int64_t idle_ms;                /* since its last complete request, or since it connected */
    uint64_t requests;
};

/* What is at place i, 0..MODBUS_CLIENTS_MAX-1.  False: nobody. */
bool modbus_tcp_client_at(const struct modbus_tcp *m, int i, struct modbus_tcp_client_info *info);
/* The last refusal as people read it ("refused 192.0.2.7, in use by 192.0.2.5"); "" if there was none. */
const char *modbus_tcp_last_refusal(const struct modbus_tcp *m);

#endif
