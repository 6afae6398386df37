/* api.h - the HTTPS interface /api/v1 and /metrics: what it shows is what the modules say at that moment. */
#ifndef API_H
#define API_H

#include "history.h"
#include "http.h"
#include "identity.h"
#include "mdns.h"
#include "network.h"
#include "modbus_listeners.h"
#include "mqtt.h"
#include "p1_out.h"
#include "panel.h"
#include "reach.h"
#include "rtu_bus.h"
#include "settings.h"
#include "update.h"

enum { API_ROUTES_MAX = 64 };

#define API_CHANGING \
    "another change of password or certificate, or a factory reset, is under way; try again"

/* What was last seen of the state, to tell when it changes. */
struct api_seen {
    int meter, stale, modbus_clients, mqtt, mqtt_refused, router, internet, revision, network,
        access_point, trial;
    int led, led_fails, button, button_fails;
    int update, update_percent;
};

/* What the API looks at.  Modules come and go with the configuration, so their places are given. */
struct api {
    struct loop *loop;
    struct meter *meter;
    const struct reach *reach;
    struct network *network;
    const struct modbus_listeners *modbus;
    const struct rtu_bus *rtu; /* NULL: off */
    const struct p1_out *p1_out;
    struct mqtt *const *mqtt; /* *mqtt NULL: off */
    const struct mqtt_counters *mqtt_counters;
    const struct outbox *outbox;
    const struct mdns *mdns;
    const struct panel *panel;
    struct update *update;
    const char *mqtt_refusal;
    struct settings *settings;
    struct identity *identity;
    const char *state_dir;
    struct http *const *http;
    const char *input;                  /* URL of the meter */
    void (*reconnect)(struct api *api); /* soft reset */
    void (*forget)(struct api *api);    /* factory reset: what is no setting and goes, too */
    /* private */
    struct history history;
    struct meter_listener listener;
    struct loop_timer tick;
    struct api_live *streams;
    struct password_change *password;       /* under way; NULL: none */
    struct certificate_change *certificate; /* the same */
    struct factory_reset *reset;            /* the same */
    struct api_seen seen;
    struct http_route routes[API_ROUTES_MAX]; /* those of the table, and the files of the page */
    size_t route_count;
    int64_t started_ms;
    char message[HISTORY_JSON_MAX]; /* where answers are written */
};

extern const struct http_route api_routes[];
extern const size_t api_route_count;

/* Begins to listen to the meter; the fields above were filled in. */
void api_start(struct api *api);
void api_stop(struct api *api);

/* The State object of GET /api/v1/status.  NULL: out of memory. */
json_t *api_state(const struct api *api);

/* The Network object of it. */
json_t *api_network(const struct api *api, const struct host_net *net);

/* Of the progress that is told over MQTT, in percent. */
enum { API_FIRMWARE_STEP = 10 };

/* The Firmware object of it; and what is said of updates over MQTT. */
json_t *api_firmware_state(const struct api *api);
json_t *api_firmware_message(const struct api *api);

/* A text, or null where it is empty. */
json_t *api_text(const char *text);

/* UTC seconds as text of ISO 8601; null: unknown. */
json_t *api_time(int64_t utc_s);

/* The OpenAPI 3.1 document, made from the tables of routes and settings.  NULL: out of memory. */
json_t *api_openapi(void);

/* A bundle that is sent to /api/v1/firmware. */
extern const struct http_upload_route api_bundle_upload;

/* The handlers of the table of routes, by file. */
void api_serve_config(struct http_request *r, void *context);
void api_serve_reset(struct http_request *r, void *context);
void api_serve_firmware(struct http_request *r, void *context);
void api_serve_status(struct http_request *r, void *context);
void api_serve_telegram(struct http_request *r, void *context);
void api_serve_readings(struct http_request *r, void *context);
void api_serve_history(struct http_request *r, void *context);
void api_serve_live(struct http_request *r, void *context);
void api_serve_openapi(struct http_request *r, void *context);
void api_serve_metrics(struct http_request *r, void *context);
void api_serve_password(struct http_request *r, void *context);
void api_serve_certificate(struct http_request *r, void *context);
void api_serve_wifi(struct http_request *r, void *context);
void api_serve_access_point(struct http_request *r, void *context);
void api_serve_file(struct http_request *r, void *context);

/* True while a change of password or certificate or a factory reset is under way: there is one at a time, and who comes
 * meanwhile is told API_CHANGING. */
bool api_is_changing(const struct api *api);

/* Of api_password: from now on the password with this hash opens; "": the label's.  Who is logged in must log in
 * anew. */
void api_use_password(struct api *api, const char *hash);

/* Waits for a change of the password that is under way, and answers it. */
void api_password_close(struct api *api);

/* Of api_certificate: from now on the owner's own key and certificate are shown to brokers; "" and "": the device's. */
void api_use_certificate(struct api *api, const char *key, const char *certificate);

/* Waits for a change of the certificate that is under way, and answers it. */
void api_certificate_close(struct api *api);

/* Of api_live: an event for all streams; and what they need each second. */
void api_live_reading(struct api *api);
void api_live_tick(struct api *api);

#endif
