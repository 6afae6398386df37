/* mqtt_keeps.h - what MQTT must not forget over a restart, in small files of the state folder:
 *
 *   mqtt-discovery   the topic where a retained discovery message of ours lies, so that it can be taken away
 *   mqtt-commands    ids of commands that are not expired, so that they are not done twice
 */
#ifndef MQTT_KEEPS_H
#define MQTT_KEEPS_H

#include "home_assistant.h"
#include "mqtt_command.h"
#include "worker.h"

/* Who waits for the ids to be kept; its owner's until done is called. */
struct mqtt_keeps_waiter {
    void (*done)(struct mqtt_keeps_waiter *waiter, bool kept);
    struct mqtt_keeps_waiter *next; /* private */
};

struct mqtt_keeps {
    char discovery[HOME_ASSISTANT_TOPIC_MAX]; /* "": none */
    struct command_memory commands;
    struct home_assistant_set learnt; /* since start: in no file, but over a change of settings */
    /* private */
    struct loop *loop;
    const char *folder; /* "": nothing is kept */
    struct worker_job job;
    unsigned dirty, saving;
    struct mqtt_keeps_waiter *waiting, *saved;
    char *texts[2]; /* what the worker writes */
    bool good;
};

/* Reads what is kept: at start, since it blocks on the disk.  False: there is too little memory to know which commands
 * were done. */
bool mqtt_keeps_load(struct mqtt_keeps *k, struct loop *l, const char *state_dir);

/* Waits for the worker, and saves what is still to be saved. */
void mqtt_keeps_close(struct mqtt_keeps *k);

/* Keeps the topic as it is now, by a worker. */
void mqtt_keeps_save_discovery(struct mqtt_keeps *k);

/* Keeps the ids as they are now; done is called, at once or later. */
void mqtt_keeps_save_commands(struct mqtt_keeps *k, struct mqtt_keeps_waiter *waiter);

/* The waiter is gone. */
void mqtt_keeps_cancel(struct mqtt_keeps *k, struct mqtt_keeps_waiter *waiter);

#endif
