/* mqtt.h - the MQTT door: readings to a broker, and commands from it.
 *
 * Below devices/<site>/smart-connect/<serial>/ (SPEC of the topics: docs/protocols.md):
 *
 *   data/power_instant            each valid telegram, or fewer by the profile
 *   data/power_instant_late       those that could not be sent at their time, in order
 *   data/device_counters          every minute
 *   data/meter                    slow values: when they change, and every five minutes
 *   firmware                      how an update goes, retained; only where it is ours
 *   status, meter-status          online | offline, retained; the first is the last will
 *   cmd/<name>, .../response      commands, over TLS only
 *
 * A broker that is away, slow or silent costs nothing but time: readings wait (outbox.h).
 */
#ifndef MQTT_H
#define MQTT_H

#include "meter.h"
#include "mqtt_keeps.h"
#include "mqtt_link.h"
#include "outbox.h"
#include "reach.h"

enum {
    MQTT_ERROR_MAX = 200,
    MQTT_TOPIC_MAX = 256,
    MQTT_SITE_MAX = 64, /* bytes */
};

enum mqtt_profile {
    PUBLISH_EACH,  /* telegram, as the manual */
    PUBLISH_MEAN,  /* over an interval */
    PUBLISH_CHANGE /* when a power moved, and once in an interval */
};

struct mqtt_counters {
    struct mqtt_link_counters link;
    uint64_t commands_done;
    uint64_t commands_refused[COMMAND_VERDICTS];
};

/* What the house does for commands. */
struct mqtt_host {
    json_t *(*status)(struct mqtt_host *host); /* NULL: out of memory */
    void (*reset)(struct mqtt_host *host);     /* soft: reconnects; the link may be gone then */
    /* Begins an update; false: `error` (UPDATE_ERROR_MAX) says why not. */
    bool (*update)(struct mqtt_host *host, const char *url, char *error);
    json_t *(*firmware)(struct mqtt_host *host); /* how an update goes; NULL: nothing to tell */
};

struct mqtt_settings {
    struct mqtt_link_settings link; /* but for broker and will_topic, which are made here */
    const char *url;                /* of the broker */
    const char *site;               /* "" is written `default` in topics */
    enum mqtt_profile profile;
    int interval_s; /* PUBLISH_MEAN, PUBLISH_CHANGE */
    int deadband_w; /* PUBLISH_CHANGE */
    int counters_interval_s;
    bool commands; /* are taken, where the connection is TLS */
    bool home_assistant;
    const char *home_assistant_prefix;
    const char *page;   /* URL of the web page; "": none */
    int64_t started_ms; /* of the process, by the loop's clock */
    /* the house's own, for as long as this is open */
    struct mqtt_counters *counters;
    struct mqtt_keeps *keeps;
    struct outbox *outbox;
    const struct reach *reach;
    struct mqtt_host *host;
};

struct mqtt;

/* Of all verdicts. */
uint64_t mqtt_refused_commands(const struct mqtt_counters *c);

/* Checks a broker URL, the name of a site, and a user name.  False: `error` says in one line what is wrong. */
bool mqtt_check_url(const char *url, char error[static MQTT_ERROR_MAX]);
bool mqtt_check_site(const char *site, char error[static MQTT_ERROR_MAX]);
bool mqtt_check_username(const char *name, char error[static MQTT_ERROR_MAX]);

/* Starts connecting, and publishes each reading of the meter from then on.  The strings are copied.
 * NULL: `error` says why the settings cannot be used. */
struct mqtt *mqtt_open(struct loop *l, struct meter *meter, const struct mqtt_settings *settings,
                       char error[static MQTT_ERROR_MAX]);

/* Says `offline` and disconnects; waits at most a second for the broker to take what was sent. */
void mqtt_close(struct mqtt *m);

/* The same without waiting here: the goodbye goes on by itself while another connection may begin. */
void mqtt_leave(struct mqtt *m);

/* The broker, and the topic filter that takes in all we publish. */
const char *mqtt_broker_host(const struct mqtt *m);
int mqtt_broker_port(const struct mqtt *m);
const char *mqtt_topics(const struct mqtt *m);

/* The network came back: a connection that is waited for is tried soon. */
void mqtt_hurry(struct mqtt *m);

/* The message `firmware` may be another one now. */
void mqtt_firmware_changed(struct mqtt *m);

/* The connection: its state, and why there is none. */
const struct mqtt_link *mqtt_link_of(const struct mqtt *m);
bool mqtt_is_connected(const struct mqtt *m);
const char *mqtt_problem(const struct mqtt *m);

/* Why the latest command that was refused was; "": none was. */
const char *mqtt_last_refusal(const struct mqtt *m);

#endif
