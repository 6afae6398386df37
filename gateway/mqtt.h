/* mqtt.h - readings to an MQTT broker.
 *
 *   devices/<site>/smart-connect/<serial>/data/power_instant   each valid telegram
 *   devices/<site>/smart-connect/<serial>/status               online | offline, retained, last will
 *
 * Looking up the broker's name, connecting and the handshake run on a thread of their own; from then on
 * all is non-blocking on the loop.  A broker that is away, slow or silent costs messages, which are
 * counted, and nothing else.
 */
#ifndef MQTT_H
#define MQTT_H

#include "meter.h"

enum {
    MQTT_ERROR_MAX = 200,
    MQTT_HOST_MAX = 128,
    MQTT_TOPIC_MAX = 256,
    MQTT_SITE_MAX = 64,   /* bytes */
    MQTT_SECRET_MAX = 257 /* of a user name or password, with its NUL */
};

struct mqtt_counters {
    uint64_t connects;      /* CONNACKs that said yes */
    uint64_t event_errors;  /* failed attempts and lost connections */
    uint64_t sent, dropped; /* messages */
};

struct mqtt_settings {
    const char *broker; /* mqtt://host[:port] */
    const char *site;   /* "" is written `default` in topics */
    const char *serial;
    const char *username; /* "" = none */
    const char *password;
    int keepalive_s;                /* also how soon a half-open connection is found */
    struct mqtt_counters *counters; /* the caller's, and counted on: one broker after another */
};

struct mqtt;

/* Checks the form of a broker URL; whether this version can connect there, too; the name of a site.
 * False: `error` says in one line what is wrong. */
bool mqtt_check_url(const char *url, char error[static MQTT_ERROR_MAX]);
bool mqtt_check_broker(const char *url, char error[static MQTT_ERROR_MAX]);
bool mqtt_check_site(const char *site, char error[static MQTT_ERROR_MAX]);

/* Starts connecting, and publishes each reading of the meter from then on.  The strings are copied.
 * NULL: `error` says why the settings cannot be used. */
struct mqtt *mqtt_open(struct loop *l, struct meter *meter, const struct mqtt_settings *settings,
                       char error[static MQTT_ERROR_MAX]);

/* Says `offline` and disconnects; waits at most half a second for the broker to take it. */
void mqtt_close(struct mqtt *m);

/* The same without waiting here: the goodbye goes on by itself while another connection may begin. */
void mqtt_leave(struct mqtt *m);

/* The broker, and the topic filter that takes in all we publish. */
const char *mqtt_broker_host(const struct mqtt *m);
int mqtt_broker_port(const struct mqtt *m);
const char *mqtt_topics(const struct mqtt *m);

/* True from the broker's yes until the connection is lost. */
bool mqtt_is_connected(const struct mqtt *m);

/* Why there is no connection; "" while there is one, and before the first attempt ended. */
const char *mqtt_problem(const struct mqtt *m);

#endif
