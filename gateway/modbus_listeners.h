/* modbus_listeners.h - the Modbus TCP listeners of a gateway: the main one, and those beside it.
 *
 *   modbus-also = ADDR:PORT[,map=NAME][,word-order=ORDER][,framing=FRAMING][,unknown=WHAT][,stale=WHAT][,clients=N]
 *                 [,writes=on|off]
 *
 * What an entry does not give is as the main listener has it, also when that changes; only writes are off then.
 */
#ifndef MODBUS_LISTENERS_H
#define MODBUS_LISTENERS_H

#include "modbus_tcp.h"

enum { MODBUS_ALSO_MAX = 8, MODBUS_ALSO_ERROR_MAX = 420 };

/* One entry of modbus-also.  Numbers are -1, and map is NULL, where the main listener's hold. */
struct modbus_also {
    char listen[ADDRESS_TEXT_MAX];
    const struct register_map *map;
    int order;   /* enum served_order */
    int framing; /* enum modbus_framing */
    int unknown; /* enum unknown_policy */
    int stale;   /* enum stale_policy */
    int clients; /* 1..MODBUS_CLIENTS_MAX */
    int writes;  /* 0 or 1; never -1 */
};

/* Reads an entry.  False: `error` says which part is wrong and what would be right. */
bool modbus_also_parse(const char *text, struct modbus_also *also,
                       char error[static MODBUS_ALSO_ERROR_MAX]);

/* What a listener of this entry serves beside a main one with these settings.  Its `listen` is the entry's. */
struct modbus_tcp_settings modbus_also_settings(const struct modbus_also *also,
                                                const struct modbus_tcp_settings *main);

/* Start it zeroed. */
struct modbus_listeners {
    struct modbus_tcp *main; /* NULL: off; its owner opens it */
    int also_count;
    struct modbus_listener {
        struct modbus_also wants;
        struct modbus_tcp *server;
    } also[MODBUS_ALSO_MAX];
};

/* Opens one more beside a main one with these settings.  False: `error` says why. */
bool modbus_listeners_add(struct modbus_listeners *l, struct loop *loop, struct meter *meter,
                          const char *text, const struct modbus_tcp_settings *main,
                          char error[static MODBUS_ALSO_ERROR_MAX]);

/* Other settings of the main one from now on, and of those that follow it; see modbus_tcp_set().  All maps must fit. */
void modbus_listeners_set(struct modbus_listeners *l, const struct modbus_tcp_settings *main);

/* Closes them all, the main one too. */
void modbus_listeners_close(struct modbus_listeners *l);

/* The i-th that is open, the main one first; NULL past the last. */
const struct modbus_tcp *modbus_listeners_at(const struct modbus_listeners *l, int i);

/* Sums over all. */
struct modbus_tcp_counters modbus_listeners_counters(const struct modbus_listeners *l);
int modbus_listeners_clients(const struct modbus_listeners *l);

#endif
