/* mqtt_link.h - a connection to a broker that keeps itself up: made on a worker, driven on the loop.
 *
 * Looking up the broker's name, connecting and the handshakes run on a thread of their own; from the broker's yes
 * on all is non-blocking.  MQTT 5 is tried first and 3.1.1 when the broker does not speak it.  A broker that is
 * gone, silent, too slow or talks too much costs the connection, which is then made anew after a wait (backoff.h).
 *
 * Messages go out with QoS 1, and each that was taken comes back by number once: acknowledged or not.
 */
#ifndef MQTT_LINK_H
#define MQTT_LINK_H

#include "backoff.h"
#include "broker_url.h"
#include "clock_floor.h"
#include "loop.h"

enum { MQTT_LINK_PROBLEM_MAX = 240 };

/* The events of a link.  All come on the loop.  acked and message come in the midst of reading: they only take note,
 * and must not call the link; ready comes behind them. */
struct mqtt_link_owner {
    void (*up)(struct mqtt_link_owner *owner);   /* a new connection; ready follows */
    void (*down)(struct mqtt_link_owner *owner); /* it is lost: nothing more is acknowledged */
    void (*acked)(struct mqtt_link_owner *owner, int number,
                  bool taken); /* !taken: the broker refused it */
    void (*message)(struct mqtt_link_owner *owner, const char *topic, const void *payload,
                    size_t length, bool retained);
    void (*ready)(struct mqtt_link_owner *owner); /* something may be sent now */
};

struct mqtt_link_settings {
    struct broker broker;
    const char *serial;   /* the client id is made of it */
    const char *username; /* "": the certificate says who we are, where there is TLS */
    const char *password;
    const char *ca;                /* as in broker_tls.h */
    const char *certificate, *key; /* of ours, PEM; "": none */
    const char *will_topic; /* there the broker says `offline`, retained, when the connection is lost */
    int keepalive_s;        /* a half-open connection is found within two of them */
    const struct clock_floor *clock; /* the time at which the broker's certificate is judged */
};

struct mqtt_link_counters {
    uint64_t connects;     /* CONNACKs that said yes */
    uint64_t event_errors; /* failed attempts and lost connections */
    uint64_t send_pass;    /* messages the broker acknowledged */
    uint64_t send_fail; /* messages that were sent and refused, or not acknowledged before the connection was lost */
};

enum mqtt_link_sent {
    LINK_TAKEN,  /* it is on its way; acked or down will follow */
    LINK_BUSY,   /* there is no connection, or it takes no more now: ready will follow */
    LINK_REFUSED /* the broker does not take such a message: it is too big */
};

struct mqtt_link;

/* Starts connecting.  Settings are copied, `counters` is the caller's and counted on.  NULL: out of memory. */
struct mqtt_link *mqtt_link_open(struct loop *l, const struct mqtt_link_settings *settings,
                                 struct mqtt_link_owner *owner, struct mqtt_link_counters *counters);

/* Says `offline` and disconnects.  Waits for what was sent to be acknowledged, half a second at most. */
void mqtt_link_close(struct mqtt_link *k);

/* The same without waiting here: the goodbye goes on by itself.  The owner is not called any more, not even for what
 * was sent. */
void mqtt_link_leave(struct mqtt_link *k);

/* Sends a message; *number is that of acked.  expiry_s: the broker may drop it then (MQTT 5); 0: never. */
enum mqtt_link_sent mqtt_link_publish(struct mqtt_link *k, const char *topic, const void *payload,
                                      size_t length, bool retain, uint32_t expiry_s, int *number);

/* Asks for the messages of a topic filter, while the connection is up.  False: it did not work out. */
bool mqtt_link_subscribe(struct mqtt_link *k, const char *filter);

/* Gives the connection up, because of `why`, and makes it anew. */
void mqtt_link_break(struct mqtt_link *k, const char *why);

/* The network came back: tries again soon, not at the end of a long wait, and gives up an attempt that hangs. */
void mqtt_link_hurry(struct mqtt_link *k);

/* What is connected now; and with TLS, which is always verified. */
bool mqtt_link_is_up(const struct mqtt_link *k);
bool mqtt_link_is_secure(const struct mqtt_link *k);

/* "5" or "3.1.1": what is spoken, or was last. */
const char *mqtt_link_version(const struct mqtt_link *k);

/* Why there is no connection; "" while there is one, and before the first attempt ended. */
const char *mqtt_link_problem(const struct mqtt_link *k);

#endif
