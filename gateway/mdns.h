/* mdns.h - the box is found by name: its records (mdns_records.h) are given to Avahi, over D-Bus (bus.h).
 *
 * Avahi answers on the network; it probes for each name first, so that two boxes do not both have smart-connect.local.
 * Whose it is keeps it; the other is told, goes by its own name, and asks again each minute.  What Avahi does not come
 * to an end with is given to it anew.  Where there is no system bus or no Avahi nothing is announced: one line says so,
 * and it is done once they come.  Ended or killed, we are gone from the bus, and Avahi takes everything back.
 */
#ifndef MDNS_H
#define MDNS_H

#include "bus.h"
#include "mdns_records.h"

enum { MDNS_PATH_MAX = 80 };

/* As Avahi counts them. */
enum mdns_state {
    MDNS_UNCOMMITTED,
    MDNS_REGISTERING,
    MDNS_ESTABLISHED,
    MDNS_COLLISION,
    MDNS_FAILURE
};

/* What stands or falls together.  Private. */
struct mdns_group {
    struct mdns *mdns;
    char path[MDNS_PATH_MAX]; /* Avahi's object; "": none */
    enum mdns_state state;
    enum mdns_state told; /* the last end that was logged */
};

/* Start it zeroed. */
struct mdns {
    /* private */
    struct loop *loop; /* NULL: off */
    struct bus *bus;
    struct bus_peer avahi;   /* in use while there is something to tell */
    struct loop_timer again; /* for what did not work */
    struct mdns_group own, shared;
    struct mdns_records records;
};

/* Switches it on; nothing is told before mdns_set().  To be closed before the bus. */
void mdns_open(struct mdns *m, struct loop *l, struct bus *b);

/* From now on these records are told; without services none are.  Costs nothing if they are as they were, or while
 * it is off. */
void mdns_set(struct mdns *m, const struct mdns_records *records);

/* Takes everything back. */
void mdns_close(struct mdns *m);

/* The i-th name under which the box is found now, the shortest first; NULL past the last. */
const char *mdns_name(const struct mdns *m, int i);

#endif
