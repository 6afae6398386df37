/* live.h - the values on a terminal: a table that redraws, or one line a second without a terminal. */
#ifndef LIVE_H
#define LIVE_H

#include "meter.h"
#include "modbus_tcp.h"
#include "mqtt.h"

struct live {
    struct loop *loop;
    const struct meter *meter;
    const struct modbus_tcp *modbus; /* NULL: off */
    const struct mqtt *mqtt;         /* NULL: off */
    /* private */
    struct loop_timer tick;
    bool is_terminal;
};

/* Begins to draw on standard output, once a second. */
void live_start(struct live *v);
void live_stop(struct live *v);

#endif
