/* gateway.h - the house: the modules of one running gateway, and what each of them is given. */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "api.h"
#include "bus.h"
#include "clock_watch.h"
#include "factory_reset.h"
#include "history.h"
#include "http.h"
#include "identity.h"
#include "live.h"
#include "mdns.h"
#include "modbus_listeners.h"
#include "mqtt.h"
#include "net_watch.h"
#include "network.h"
#include "options.h"
#include "p1_out.h"
#include "panel.h"
#include "reach.h"
#include "rtu_bus.h"
#include "rtu_keep.h"
#include "settings.h"
#include "update.h"

struct gateway {
    struct loop loop;
    struct options options; /* from flags and device file */
    struct identity identity;
    struct config defaults;
    struct settings settings;
    struct settings_owner owner;
    struct meter *meter;
    struct modbus_listeners modbus;
    int modbus_port_before; /* of the main one, while a change of it is being saved */
    struct rtu_bus *rtu;    /* NULL: off */
    struct rtu_bus_owner rtu_owner;
    struct rtu_keep rtu_keep;
    struct p1_out p1_out;
    struct clock_watch clock;
    struct reach *reach;
    struct mqtt *mqtt; /* NULL: off */
    struct mqtt_counters mqtt_counters;
    struct mqtt_keeps mqtt_keeps;
    struct mqtt_host mqtt_host;
    struct net_watch net_watch;
    struct bus bus;
    struct network *network;
    struct network_owner network_owner;
    struct config before; /* the configuration that is being changed */
    struct config proven; /* what the network is taken back to */
    struct settings_change take_back;
    struct mdns mdns;
    struct outbox *outbox;
    struct panel *panel;
    struct panel_owner panel_owner;
    struct update *update;
    struct update_owner update_owner;
    struct {
        unsigned revision;
        int step;
    } update_told;              /* over MQTT */
    bool serving;               /* gateway_open() has ended well */
    bool initialised;           /* meter and network have come, or had the time to */
    bool has_address;           /* others can reach, when it was looked at last */
    int64_t address_seen_ms;    /* when that was */
    struct factory_reset reset; /* by the button */
    int64_t reset_ms;           /* the latest factory reset; 0: none since start */
    int64_t started_ms;
    struct loop_timer mqtt_again;      /* there was too little memory for the broker */
    char mqtt_refusal[MQTT_ERROR_MAX]; /* why the configured broker cannot be used; "": it can */
    struct api api;
    struct http *http; /* NULL: off */
    struct live live;
};

enum { GATEWAY_ERROR_MAX = 420 };

/* Opens everything the options ask for.  False: `error` says in one line what cannot be used; gateway_close() is
 * still needed. */
bool gateway_open(struct gateway *g, char error[static GATEWAY_ERROR_MAX]);
void gateway_close(struct gateway *g);

#endif
