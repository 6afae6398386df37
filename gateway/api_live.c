/* api_live.c - the stream of events: readings as they come, the state when it changes and every five seconds. */
#include "api.h"
#include "core/messages.h"
#include "heap.h"
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

enum { HEARTBEAT_MS = 5000 };

struct api_live {
    struct http_stream stream;
    struct api *api;
    struct api_live *next;
    bool reading_due, state_due;
    int64_t state_sent_ms;
};

static void put_reading(struct api *api, struct text_out *out)
{
    const struct meter_snapshot *latest = meter_latest(api->meter);
    if (!latest)
        return;
    text_put(out, "event: reading\ndata: ");
    message_readings(out, &latest->reading, latest->telegram, latest->telegram_len);
    text_put(out, "\n\n");
}

static void put_state(struct api *api, struct text_out *out)
{
    json_t *state = api_state(api);
    char *text = json_text(state, JSON_COMPACT | JSON_REAL_PRECISION(10));
    if (text) {
        text_put(out, "event: state\ndata: ");
        text_put(out, text);
        text_put(out, "\n\n");
    }
    free(text);
    json_decref(state);
}

/* A reader who was slow gets the latest reading, and none of those between. */
static void next_event(struct http_stream *s, struct text_out *out)
{
    struct api_live *live = CONTAINER_OF(s, struct api_live, stream);
    if (live->state_due) {
        live->state_due = false;
        live->state_sent_ms = live->api->loop->now_ms;
        put_state(live->api, out);
    } else if (live->reading_due) {
        live->reading_due = false;
        put_reading(live->api, out);
    }
}

static void on_gone(struct http_stream *s)
{
    struct api_live *live = CONTAINER_OF(s, struct api_live, stream);
    struct api_live **link = &live->api->streams;
    while (*link != live)
        link = &(*link)->next;
    *link = live->next;
    free(live);
}

void api_serve_live(struct http_request *r, void *context)
{
    struct api *api = context;
    struct api_live *live = heap_new(sizeof *live);
    if (!live) {
        http_answer_wait(r, 503, "out of memory", 10);
        return;
    }
    live->stream = (struct http_stream){.next = next_event, .gone = on_gone};
    live->api = api;
    live->reading_due = live->state_due = true;
    if (!http_answer_stream(r, &live->stream)) {
        free(live);
        return;
    }
    live->next = api->streams;
    api->streams = live;
}

void api_live_reading(struct api *api)
{
    for (struct api_live *live = api->streams; live; live = live->next) {
        live->reading_due = true;
        http_stream_wake(&live->stream);
    }
}

/* -1: not known. */
static int reached(struct reach_state s)
{
    return s.known ? s.ok : -1;
}

/* What makes a person look: all of it small numbers, so that two states can be compared. */
static struct api_seen see(const struct api *api)
{
    const struct network_info network = network_get_info(api->network);
    const struct panel_info panel = panel_get_info(api->panel);
    const struct update_info update = update_get_info(api->update);
    return (struct api_seen){.meter = (int)meter_get_state(api->meter),
                             .stale = meter_is_stale(api->meter),
                             .modbus_clients = modbus_listeners_clients(api->modbus),
                             .mqtt = *api->mqtt ? mqtt_is_connected(*api->mqtt) : -1,
                             .mqtt_refused = api->mqtt_refusal[0] != 0,
                             .router = reached(reach_gateway(api->reach)),
                             .internet = reached(reach_internet(api->reach)),
                             .network = (int)network.state,
                             .access_point = (int)network.access_point,
                             .trial = network.trial_left_ms >= 0,
                             .revision = (int)api->settings->revision,
                             .led = (int)panel.led,
                             .led_fails = panel.led_problem[0] != 0,
                             .button = 2 * (int)panel.last + panel.down,
                             .button_fails = panel.button_problem[0] != 0,
                             .update = (int)update.revision,
                             .update_percent = update.percent};
}

void api_live_tick(struct api *api)
{
    const struct api_seen seen = see(api);
    bool changed = memcmp(&seen, &api->seen, sizeof seen) != 0;
    api->seen = seen;
    for (struct api_live *live = api->streams; live; live = live->next) {
        if (!changed && api->loop->now_ms - live->state_sent_ms < HEARTBEAT_MS)
            continue;
        live->state_due = true;
        http_stream_wake(&live->stream);
    }
}
