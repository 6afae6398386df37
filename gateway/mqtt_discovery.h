/* mqtt_discovery.h - keeps Home Assistant's discovery message at the broker what it should be: there, current, or gone.
 * Part of mqtt. */
#ifndef MQTT_DISCOVERY_H
#define MQTT_DISCOVERY_H

#include "mqtt.h"

struct mqtt_discovery {
    struct loop *loop;
    struct meter *meter;
    struct mqtt_link *link;
    struct mqtt_keeps *keeps;
    bool on;
    struct home_assistant_settings settings;
    const char *prefix;
    /* private */
    char topic[HOME_ASSISTANT_TOPIC_MAX], birth_topic[HOME_ASSISTANT_TOPIC_MAX];
    struct loop_timer birth;
    bool due, remove_due, known;
    int removing; /* number of the message that removes; 0: none is on its way */
};

/* The fields before `private` are filled in. */
void mqtt_discovery_start(struct mqtt_discovery *d);
void mqtt_discovery_stop(struct mqtt_discovery *d);

/* A new connection. */
void mqtt_discovery_up(struct mqtt_discovery *d);

/* A telegram, which may know more than those before. */
void mqtt_discovery_reading(struct mqtt_discovery *d, const struct reading *r);

/* Home Assistant says it has started?  It is told again after a moment.  True if the message was that. */
bool mqtt_discovery_take(struct mqtt_discovery *d, const char *topic, const void *payload,
                         size_t length);

/* The broker took, or refused, the message of this number. */
void mqtt_discovery_acked(struct mqtt_discovery *d, int number, bool taken);

/* Sends what is due, as long as the link takes it. */
void mqtt_discovery_pump(struct mqtt_discovery *d);

#endif
