/* live.h - the values on a terminal: a table that redraws, or one line a second without a terminal. */
#ifndef LIVE_H
#define LIVE_H

#include "http.h"
#include "meter.h"
#include "modbus_listeners.h"
#include "mqtt.h"

struct live {
    struct loop *loop;
    const struct meter *meter;
    const struct modbus_listeners *modbus;
    struct mqtt *const *mqtt; /* *mqtt NULL: off */
    const struct mqtt_counters *mqtt_counters;
    const struct outbox *outbox;
    const struct http *http; /* NULL: off */
    /* private */
    struct loop_timer tick;
    bool is_terminal;
};

/* Begins to draw on standard output, once a second. */
void live_start(struct live *v);
void live_stop(struct live *v);

#endif
