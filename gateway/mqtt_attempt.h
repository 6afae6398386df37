/* mqtt_attempt.h - one attempt to connect to a broker, on a worker: from its name to its yes or no.  Part of
 * mqtt_link. */
#ifndef MQTT_ATTEMPT_H
#define MQTT_ATTEMPT_H

#include "broker_tls.h"
#include "mqtt_link.h"
#include "worker.h"

struct mosquitto;

/* Settings that a link and its attempts share; touched on the loop only, but for what stands in it. */
struct mqtt_link_config {
    int users;
    struct broker broker;
    int keepalive_s;
    char *client_id, *username, *password, *ca, *certificate, *key, *will_topic;
};

/* The copy.  NULL: out of memory. */
struct mqtt_link_config *mqtt_link_config_new(const struct mqtt_link_settings *settings);

/* Gives up one use; the last one wipes and frees. */
void mqtt_link_config_drop(struct mqtt_link_config *c);

/* Filled by the link: job.done, owner, config, version, now_s.  It belongs to the worker while it runs. */
struct mqtt_attempt {
    struct worker_job job;
    struct mqtt_link *owner; /* NULL: nobody waits for it any more */
    struct mqtt_link_config *config;
    int version;   /* MQTT_PROTOCOL_V5 or _V311: to begin with, then what was agreed on */
    int64_t now_s; /* for certificates; READING_NO_TIME: the system's clock */
    /* what came out */
    struct mosquitto *client; /* connected; NULL: `error` says why not */
    struct broker_tls *tls;   /* the client's; NULL: plain */
    int max_qos;
    bool older_only; /* the broker said that it does not speak MQTT 5 */
    bool retains;    /* the broker keeps retained messages */
    char error[MQTT_LINK_PROBLEM_MAX];
    /* private */
    bool modest; /* the last will is neither retained nor of QoS 1 */
    int connack; /* -1: none yet; else the broker's answer */
};

/* job.run of an attempt. */
void mqtt_attempt_run(struct worker_job *job);

/* What a call of libmosquitto on a connection returned, for what it is: with TLS the library tells a sudden end as an
 * error of the system, and loses its errno on the way. */
int mqtt_attempt_plainly(int result, const struct broker_tls *tls);

/* What a call of libmosquitto returned, in words; `tls` may know better. */
void mqtt_attempt_describe(int result, const struct broker_tls *tls,
                           char text[static MQTT_LINK_PROBLEM_MAX]);

/* Bytes received over a TCP connection so far; 0: unknown. */
uint64_t mqtt_attempt_received(int fd);

enum {
    MQTT_RECEIVE_MAX =
        65536 /* bytes a second: acknowledgements and commands are small; more is no broker's business */
};

#endif
