/* bus.h - the system's D-Bus on our loop, and the services there that we talk to.
 *
 * One connection for all.  A service (a peer) comes and goes: its user is told, and speaks to it by its unique name, so
 * that none is started, and none is meant that came later.  Without a bus everybody is gone, and it is tried again each
 * minute.  Nothing blocks.
 */
#ifndef BUS_H
#define BUS_H

#include "loop.h"

#include <systemd/sd-bus.h>

enum { BUS_OWNER_MAX = 32 };

/* A service we want to talk to; a member of its user. */
struct bus_peer {
    const char *name; /* "org.freedesktop.Avahi" */
    /* It runs, and nothing of an earlier run is left: what is wanted of it is to be asked for here, each time. */
    void (*came)(struct bus_peer *p);
    /* It runs no more, or does not run at first; its matches and calls are dropped.  `why` says what to log: "Avahi is
     * gone".  Told once until it comes; came and left take turns. */
    void (*left)(struct bus_peer *p, const char *why);
    char owner[BUS_OWNER_MAX]; /* read-only: its unique name; "": it does not run */
    struct bus *bus;           /* read-only; NULL: not in use */
    /* private */
    bool told_left;
    sd_bus_slot *changes, *question; /* who owns the name */
    struct bus_use *uses;            /* matches, and calls without an answer so far */
    struct bus_peer *next;
};

struct bus {
    /* private */
    sd_bus *sd; /* NULL: no bus */
    struct loop *loop;
    struct loop_fd watch;
    struct loop_timer timeout; /* of the bus */
    struct loop_timer wake;    /* to look what there is to do */
    struct bus_peer *peers;
};

/* Connects when the first peer is added. */
void bus_open(struct bus *b, struct loop *l);

/* Looks for a service from now on; came or left follows, never from within this call.  The peer stays the caller's. */
void bus_add(struct bus *b, struct bus_peer *p);

/* Forgets it: nothing is told any more, and its matches and calls are dropped; what was sent is sent.  Without peers
 * the connection ends, soon.  May be called by any handler, also of this peer, and if it was not added. */
void bus_remove(struct bus_peer *p);

/* Tries now, and not in a minute, to find a bus that was not there. */
void bus_wake(struct bus *b);

/* Removes all peers, and ends the connection at once.  Not from handlers of the bus. */
void bus_close(struct bus *b);

/* A call to the peer as it runs now, for arguments to be appended.  NULL: out of memory, or it does not run. */
sd_bus_message *bus_new_call(struct bus_peer *p, const char *path, const char *interface,
                             const char *method);

/* Sends a call, which is taken over in any case.  `done` is given the answer, which may be an error, or after 25 s that
 * there was none (SD_BUS_ERROR_NO_REPLY); its result is ignored.  It is not called if the peer leaves or is removed
 * before.  NULL: nobody wants to know.  0, or negative errno: nothing was sent; also for `call` NULL. */
int bus_call(struct bus_peer *p, sd_bus_message *call, sd_bus_message_handler_t done, void *context);

/* Has the peer's signals that fit the rule given to the handler, whose result is ignored, until it leaves or is
 * removed.  The rule has neither type nor sender: "interface='...',member='...'".  0, or negative errno. */
int bus_match(struct bus_peer *p, const char *rule, sd_bus_message_handler_t handler, void *context);

/* True if a message comes from this peer as it runs now. */
bool bus_is_from(const struct bus_peer *p, sd_bus_message *m);

/* A call that failed: its error's text, or name; "" where it did not. */
const char *bus_error_text(sd_bus_message *answer);

#endif
