/* mqtt_commands.h - commands that came over MQTT: judged as they come, done and answered when the link is ready.
 * Part of mqtt. */
#ifndef MQTT_COMMANDS_H
#define MQTT_COMMANDS_H

#include "mqtt.h"

enum { COMMANDS_WAITING = 4 };

/* A command that was judged. */
struct mqtt_judged {
    struct command command;
    enum command_verdict verdict;
    char name[32]; /* as the topic has it */
    char error[COMMAND_ERROR_MAX];
};

struct mqtt_commands {
    struct loop *loop;
    struct meter *meter;
    struct mqtt_link *link;
    struct mqtt_keeps *keeps;
    struct mqtt_host *host;
    struct mqtt_counters *counters;
    const char *base; /* of topics: "devices/SITE/smart-connect/SERIAL" */
    const char *serial;
    char last_refusal[COMMAND_ERROR_MAX];
    /* private */
    struct mqtt_judged waiting[COMMANDS_WAITING];
    size_t count;
    struct mqtt_keeps_waiter waiter; /* for the id of the first one to be kept */
    bool keeping, asking, kept, kept_well, flooded;
    char *response; /* to the first one, when it is known */
    struct loop_timer reset;
};

/* The fields before `private` are filled in. */
void mqtt_commands_start(struct mqtt_commands *c);
void mqtt_commands_stop(struct mqtt_commands *c);

/* Asks the broker for commands. */
void mqtt_commands_subscribe(struct mqtt_commands *c);

/* Takes note of a message if it is a command. */
void mqtt_commands_take(struct mqtt_commands *c, const char *topic, const void *payload,
                        size_t length, bool retained);

/* Does what is due and answers, as long as the link takes it. */
void mqtt_commands_pump(struct mqtt_commands *c);

#endif
