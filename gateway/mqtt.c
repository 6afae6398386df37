#include "mqtt.h"

#include "core/mean.h"
#include "core/messages.h"
#include "heap.h"
#include "json_text.h"
#include "log.h"
#include "mqtt_commands.h"
#include "mqtt_discovery.h"

#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    METER_EVERY_MS = 300000,   /* the slow values, also when nothing changed */
    COUNTERS_FIRST_MS = 5000,  /* after the connection is there */
    ANSWER_TIMEOUT_MS = 30000, /* a broker that acknowledges nothing for so long is left */
    TICK_MS = 1000
};

/* What is to be said at the next chance. */
enum due {
    DUE_STATUS = 1 << 0,
    DUE_METER_STATUS = 1 << 1,
    DUE_METER = 1 << 2,
    DUE_COUNTERS = 1 << 3,
    DUE_FIRMWARE = 1 << 4
};

/* A mean or a change on its way. */
struct thinning {
    enum mqtt_profile profile;
    int64_t interval_ms, deadband_w;
    int64_t since_ms; /* of the window, or of the last message */
    struct mean mean;
    struct reading last; /* PUBLISH_MEAN: the latest of the window; PUBLISH_CHANGE: what was said last */
    bool any;
};

struct mqtt {
    struct loop *loop;
    struct meter *meter;
    struct meter_listener listener;
    struct mqtt_link *link;
    struct mqtt_link_owner link_owner;
    struct outbox *outbox;
    struct outbox_door door;
    struct mqtt_commands commands;
    struct mqtt_discovery discovery;
    struct mqtt_counters *counters;
    const struct reach *reach;
    struct loop_timer tick, counters_timer;
    struct thinning thin;
    struct heap_watch heap;
    bool takes_commands, was_stale;
    int64_t counters_interval_ms, started_ms, meter_said_ms;
    uint32_t meter_digest;
    unsigned due; /* enum due */
    struct broker broker;
    char base[MQTT_TOPIC_MAX], status_topic[MQTT_TOPIC_MAX], meter_status_topic[MQTT_TOPIC_MAX],
        power_topic[MQTT_TOPIC_MAX], late_topic[MQTT_TOPIC_MAX], counters_topic[MQTT_TOPIC_MAX],
        meter_topic[MQTT_TOPIC_MAX], firmware_topic[MQTT_TOPIC_MAX], all_topics[MQTT_TOPIC_MAX];
    char serial[41], prefix[64], page[128];
    char message[MESSAGE_METER_MAX];
};

/* --- checks ----------------------------------------------------------------------------------- */

bool mqtt_check_url(const char *url, char error[static MQTT_ERROR_MAX])
{
    struct broker b;
    return broker_parse(url, &b, error);
}

/* What the library would refuse at each attempt to connect.  It is not quoted: it may be no text at all. */
static bool check_text(const char *what, const char *text, char error[static MQTT_ERROR_MAX])
{
    if (mosquitto_validate_utf8(text, (int)strlen(text)) == MOSQ_ERR_SUCCESS)
        return true;
    snprintf(error, MQTT_ERROR_MAX,
             "%s: MQTT takes neither control characters, which U+0080 to U+009F are too, nor "
             "noncharacters such as U+FFFF, nor bytes that are not UTF-8",
             what);
    return false;
}

bool mqtt_check_site(const char *site, char error[static MQTT_ERROR_MAX])
{
    size_t n = 0;
    for (const char *p = site; *p; p++, n++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F || strchr("+#/", *p)) {
            snprintf(error, MQTT_ERROR_MAX,
                     "site \"%.*s\": blanks, control characters and + # / cannot stand in a topic",
                     text_precision(site, 60), site);
            return false;
        }
    if (n <= MQTT_SITE_MAX)
        return check_text("site", site, error);
    snprintf(error, MQTT_ERROR_MAX, "site \"%.*s...\": at most %d bytes", text_precision(site, 60),
             site, MQTT_SITE_MAX);
    return false;
}

bool mqtt_check_username(const char *name, char error[static MQTT_ERROR_MAX])
{
    return check_text("user name", name, error);
}

uint64_t mqtt_refused_commands(const struct mqtt_counters *c)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < COMMAND_VERDICTS; i++)
        sum += c->commands_refused[i];
    return sum;
}

/* --- messages that are made when they are due ------------------------------------------------- */

static void make_status(struct mqtt *m, struct text_out *out)
{
    (void)m;
    text_put(out, "online");
}

static void make_meter_status(struct mqtt *m, struct text_out *out)
{
    text_put(out, meter_is_stale(m->meter) ? "offline" : "online");
}

static void make_meter(struct mqtt *m, struct text_out *out)
{
    const struct meter_snapshot *latest = meter_latest(m->meter);
    message_meter(out, &latest->reading, latest->telegram, latest->telegram_len);
}

static int64_t pings(const struct reach_state *s, uint64_t count)
{
    return s->on ? (int64_t)count : COUNTER_UNKNOWN;
}

static void make_counters(struct mqtt *m, struct text_out *out)
{
    const struct meter_counters c = meter_get_counters(m->meter);
    const struct mqtt_link_counters *l = &m->counters->link;
    const struct reach_state gateway = reach_gateway(m->reach), internet = reach_internet(m->reach);
    const struct heap_figures heap = heap_look(&m->heap);
    const struct device_counters d = {
        .uptime_s = (m->loop->now_ms - m->started_ms) / 1000,
        .gateway_ping_pass = pings(&gateway, gateway.pass),
        .gateway_ping_fail = pings(&gateway, gateway.fail),
        .internet_ping_pass = pings(&internet, internet.pass),
        .internet_ping_fail = pings(&internet, internet.fail),
        .telegrams_pass = (int64_t)c.telegrams_pass,
        .telegrams_fail = (int64_t)c.telegrams_fail,
        .telegrams_frame_fail = (int64_t)c.telegrams_frame_fail,
        .mqtt_event_errors = (int64_t)l->event_errors,
        .mqtt_event_connect = (int64_t)l->connects,
        .mqtt_send_pass = (int64_t)l->send_pass,
        .mqtt_send_fail = (int64_t)l->send_fail,
        .heap_free = heap.free,
        .heap_min_free = heap.min_free,
        .heap_largest_free = heap.largest_free,
        .heap_failed_allocs = heap.failed_allocs,
    };
    message_device_counters(out, &d);
}

static void make_firmware(struct mqtt *m, struct text_out *out)
{
    json_t *json = m->commands.host->firmware(m->commands.host);
    char *text = json_text(json, JSON_COMPACT);
    text_put(out, text ? text : "null");
    json_decref(json);
    free(text);
}

/* In the order they are said. */
static const struct {
    unsigned due;
    bool retain;
    size_t topic; /* in struct mqtt */
    void (*make)(struct mqtt *m, struct text_out *out);
} sayings[] = {
    {DUE_STATUS, true, offsetof(struct mqtt, status_topic), make_status},
    {DUE_METER_STATUS, true, offsetof(struct mqtt, meter_status_topic), make_meter_status},
    {DUE_METER, false, offsetof(struct mqtt, meter_topic), make_meter},
    {DUE_COUNTERS, false, offsetof(struct mqtt, counters_topic), make_counters},
    {DUE_FIRMWARE, true, offsetof(struct mqtt, firmware_topic), make_firmware},
};

static void say_what_is_due(struct mqtt *m)
{
    struct text_out out;
    int number;
    for (size_t i = 0; i < sizeof sayings / sizeof sayings[0]; i++) {
        if (!(m->due & sayings[i].due))
            continue;
        text_init(&out, m->message, sizeof m->message);
        sayings[i].make(m, &out);
        if (mqtt_link_publish(m->link, (const char *)m + sayings[i].topic, m->message, out.length,
                              sayings[i].retain, 0, &number) == LINK_BUSY)
            return;
        m->due &= ~sayings[i].due;
    }
}

/* --- the link's events ------------------------------------------------------------------------ */

static struct mqtt *of_owner(struct mqtt_link_owner *owner)
{
    return CONTAINER_OF(owner, struct mqtt, link_owner);
}

static bool send_reading(struct outbox_door *door, const char *text, size_t length, bool late,
                         int *number, bool *refused)
{
    struct mqtt *m = CONTAINER_OF(door, struct mqtt, door);
    enum mqtt_link_sent sent = mqtt_link_publish(m->link, late ? m->late_topic : m->power_topic,
                                                 text, length, false, 0, number);
    *refused = sent == LINK_REFUSED;
    return sent == LINK_TAKEN;
}

static void on_up(struct mqtt_link_owner *owner)
{
    struct mqtt *m = of_owner(owner);
    bool fresh = !meter_is_stale(m->meter);
    bool commands = m->takes_commands && mqtt_link_is_secure(m->link);
    m->due = DUE_STATUS | DUE_METER_STATUS | (fresh ? DUE_METER : 0) |
             (m->commands.host->firmware ? DUE_FIRMWARE : 0);
    m->discovery.settings.commands = commands;
    if (commands)
        mqtt_commands_subscribe(&m->commands);
    mqtt_discovery_up(&m->discovery);
    outbox_up(m->outbox, &m->door, fresh);
    loop_set_timer(m->loop, &m->counters_timer, COUNTERS_FIRST_MS);
}

static void on_down(struct mqtt_link_owner *owner)
{
    struct mqtt *m = of_owner(owner);
    m->due = 0;
    outbox_down(m->outbox);
    loop_cancel_timer(m->loop, &m->counters_timer);
}

static void on_acked(struct mqtt_link_owner *owner, int number, bool taken)
{
    struct mqtt *m = of_owner(owner);
    if (!outbox_acked(m->outbox, number, taken))
        mqtt_discovery_acked(&m->discovery, number, taken);
}

static void on_message(struct mqtt_link_owner *owner, const char *topic, const void *payload,
                       size_t length, bool retained)
{
    struct mqtt *m = of_owner(owner);
    if (!mqtt_discovery_take(&m->discovery, topic, payload, length) && m->takes_commands &&
        mqtt_link_is_secure(m->link))
        mqtt_commands_take(&m->commands, topic, payload, length, retained);
}

/* A message comes at least so often. */
static int pace_s(const struct mqtt *m)
{
    int64_t telegram_ms = meter_stale_limit_ms(m->meter) / 3;
    int64_t pace_ms =
        m->thin.profile == PUBLISH_EACH ? telegram_ms : telegram_ms + m->thin.interval_ms;
    return (int)(pace_ms / 1000);
}

static void on_ready(struct mqtt_link_owner *owner)
{
    struct mqtt *m = of_owner(owner);
    say_what_is_due(m);
    outbox_pump(m->outbox);
    m->discovery.settings.pace_s = pace_s(m);
    mqtt_discovery_pump(&m->discovery);
    mqtt_commands_pump(&m->commands);
}

/* --- readings --------------------------------------------------------------------------------- */

static void put_out(struct mqtt *m, const struct reading *r)
{
    struct text_out out;
    text_init(&out, outbox_next(m->outbox), OUTBOX_TEXT_MAX);
    message_power_instant(&out, r);
    outbox_add(m->outbox, out.length);
}
_Static_assert((int)MESSAGE_POWER_INSTANT_MAX <= (int)OUTBOX_TEXT_MAX, "every message fits");

static void end_window(struct mqtt *m)
{
    struct thinning *t = &m->thin;
    if (!t->any)
        return;
    mean_take(&t->mean, &t->last);
    put_out(m, &t->last);
    mean_clear(&t->mean);
    t->any = false;
}

static void publish_each(struct mqtt *m, const struct reading *r)
{
    put_out(m, r);
}

static void publish_mean(struct mqtt *m, const struct reading *r)
{
    struct thinning *t = &m->thin;
    int64_t window_ms = r->received_ms - r->received_ms % t->interval_ms;
    if (window_ms != t->since_ms)
        end_window(m);
    t->since_ms = window_ms;
    mean_add(&t->mean, r);
    t->last = *r;
    t->any = true;
}

static void publish_change(struct mqtt *m, const struct reading *r)
{
    struct thinning *t = &m->thin;
    if (t->any && r->received_ms - t->since_ms < t->interval_ms &&
        !message_power_changed(&t->last, r, t->deadband_w))
        return;
    t->last = *r;
    t->any = true;
    t->since_ms = r->received_ms;
    put_out(m, r);
}

/* The slow values, when one of them changed or it is time. */
static void note_meter(struct mqtt *m, const struct meter_snapshot *latest)
{
    uint32_t digest =
        message_meter_digest(&latest->reading, latest->telegram, latest->telegram_len);
    if (digest == m->meter_digest && m->loop->now_ms - m->meter_said_ms < METER_EVERY_MS)
        return;
    m->meter_digest = digest;
    m->meter_said_ms = m->loop->now_ms;
    m->due |= DUE_METER;
}

static void on_reading(struct meter_listener *listener, const struct meter_snapshot *latest)
{
    static void (*const publish[])(struct mqtt * m, const struct reading *r) = {
        [PUBLISH_EACH] = publish_each,
        [PUBLISH_MEAN] = publish_mean,
        [PUBLISH_CHANGE] = publish_change,
    };
    struct mqtt *m = CONTAINER_OF(listener, struct mqtt, listener);
    publish[m->thin.profile](m, &latest->reading);
    mqtt_discovery_reading(&m->discovery, &latest->reading);
    note_meter(m, latest);
    if (m->was_stale)
        m->due |= DUE_METER_STATUS;
    m->was_stale = false;
    if (m->due && mqtt_link_is_up(m->link))
        on_ready(&m->link_owner);
}

static void on_stale(struct meter_listener *listener)
{
    struct mqtt *m = CONTAINER_OF(listener, struct mqtt, listener);
    if (m->thin.profile == PUBLISH_MEAN)
        end_window(m);
    m->was_stale = true;
    m->due |= DUE_METER_STATUS;
    say_what_is_due(m);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void on_tick(struct loop_timer *timer)
{
    struct mqtt *m = CONTAINER_OF(timer, struct mqtt, tick);
    loop_set_timer(m->loop, &m->tick, TICK_MS);
    if (outbox_unanswered_ms(m->outbox) > ANSWER_TIMEOUT_MS)
        mqtt_link_break(m->link, "the broker acknowledges nothing");
}

static void on_counters(struct loop_timer *timer)
{
    struct mqtt *m = CONTAINER_OF(timer, struct mqtt, counters_timer);
    loop_set_timer(m->loop, &m->counters_timer, m->counters_interval_ms);
    m->due |= DUE_COUNTERS;
    say_what_is_due(m);
}

/* --- life ------------------------------------------------------------------------------------- */

static void name_topics(struct mqtt *m, const char *site)
{
    const struct {
        char *topic;
        const char *end;
    } topics[] = {
        {m->status_topic, "status"},
        {m->meter_status_topic, "meter-status"},
        {m->power_topic, "data/power_instant"},
        {m->late_topic, "data/power_instant_late"},
        {m->counters_topic, "data/device_counters"},
        {m->meter_topic, "data/meter"},
        {m->firmware_topic, "firmware"},
        {m->all_topics, "#"},
    };
    snprintf(m->base, sizeof m->base, "devices/%.64s/smart-connect/%.40s",
             site[0] ? site : "default", m->serial);
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
        snprintf(topics[i].topic, MQTT_TOPIC_MAX, "%.200s/%s", m->base, topics[i].end);
}

static void set_up_thinning(struct mqtt *m, const struct mqtt_settings *s)
{
    m->thin.profile = s->profile;
    m->thin.interval_ms = (int64_t)s->interval_s * 1000;
    m->thin.deadband_w = s->deadband_w;
    mean_clear(&m->thin.mean);
}

static void set_up_parts(struct mqtt *m, const struct mqtt_settings *s)
{
    m->commands = (struct mqtt_commands){.loop = m->loop,
                                         .meter = m->meter,
                                         .link = m->link,
                                         .keeps = s->keeps,
                                         .host = s->host,
                                         .counters = s->counters,
                                         .base = m->base,
                                         .serial = m->serial};
    m->discovery =
        (struct mqtt_discovery){.loop = m->loop,
                                .meter = m->meter,
                                .link = m->link,
                                .keeps = s->keeps,
                                .on = s->home_assistant,
                                .settings = {.serial = m->serial, .base = m->base, .page = m->page},
                                .prefix = m->prefix};
    mqtt_commands_start(&m->commands);
    mqtt_discovery_start(&m->discovery);
}

static bool open_link(struct mqtt *m, const struct mqtt_settings *s)
{
    struct mqtt_link_settings settings = s->link;
    settings.broker = m->broker;
    settings.will_topic = m->status_topic;
    m->link_owner = (struct mqtt_link_owner){
        .up = on_up, .down = on_down, .acked = on_acked, .message = on_message, .ready = on_ready};
    m->link = mqtt_link_open(m->loop, &settings, &m->link_owner, &s->counters->link);
    return m->link != NULL;
}

static void copy_settings(struct mqtt *m, const struct mqtt_settings *s)
{
    m->outbox = s->outbox;
    m->counters = s->counters;
    m->reach = s->reach;
    m->takes_commands = s->commands;
    m->counters_interval_ms = (int64_t)s->counters_interval_s * 1000;
    m->started_ms = s->started_ms;
    snprintf(m->serial, sizeof m->serial, "%s", s->link.serial);
    snprintf(m->prefix, sizeof m->prefix, "%s", s->home_assistant_prefix);
    snprintf(m->page, sizeof m->page, "%s", s->page);
}

static void start(struct mqtt *m)
{
    m->door.send = send_reading;
    m->was_stale = meter_is_stale(m->meter);
    m->listener = (struct meter_listener){.reading = on_reading, .stale = on_stale};
    m->tick.expired = on_tick;
    m->counters_timer.expired = on_counters;
    meter_add_listener(m->meter, &m->listener);
    loop_set_timer(m->loop, &m->tick, TICK_MS);
}

struct mqtt *mqtt_open(struct loop *l, struct meter *meter, const struct mqtt_settings *settings,
                       char error[static MQTT_ERROR_MAX])
{
    struct broker broker;
    if (!broker_parse(settings->url, &broker, error) || !mqtt_check_site(settings->site, error))
        return NULL;
    struct mqtt *m = heap_new(sizeof *m);
    if (m) {
        m->loop = l;
        m->meter = meter;
        m->broker = broker;
        copy_settings(m, settings);
        name_topics(m, settings->site);
        set_up_thinning(m, settings);
    }
    if (!m || !open_link(m, settings)) {
        free(m);
        snprintf(error, MQTT_ERROR_MAX, "out of memory");
        return NULL;
    }
    set_up_parts(m, settings);
    start(m);
    return m;
}

/* Takes the door out of the house, but for its link. */
static void detach(struct mqtt *m)
{
    meter_remove_listener(m->meter, &m->listener);
    loop_cancel_timer(m->loop, &m->tick);
    loop_cancel_timer(m->loop, &m->counters_timer);
    mqtt_commands_stop(&m->commands);
    mqtt_discovery_stop(&m->discovery);
    if (m->thin.profile == PUBLISH_MEAN)
        end_window(m);
}

void mqtt_close(struct mqtt *m)
{
    if (!m)
        return;
    detach(m);
    mqtt_link_close(m->link);
    outbox_down(m->outbox);
    free(m);
}

void mqtt_leave(struct mqtt *m)
{
    if (!m)
        return;
    detach(m);
    mqtt_link_leave(m->link);
    outbox_down(m->outbox);
    free(m);
}

void mqtt_hurry(struct mqtt *m)
{
    mqtt_link_hurry(m->link);
}

void mqtt_firmware_changed(struct mqtt *m)
{
    if (!mqtt_link_is_up(m->link) || !m->commands.host->firmware)
        return;
    m->due |= DUE_FIRMWARE;
    say_what_is_due(m);
}

/* --- what can be seen ------------------------------------------------------------------------- */

const char *mqtt_broker_host(const struct mqtt *m)
{
    return m->broker.host;
}

int mqtt_broker_port(const struct mqtt *m)
{
    return m->broker.port;
}

const char *mqtt_topics(const struct mqtt *m)
{
    return m->all_topics;
}

const struct mqtt_link *mqtt_link_of(const struct mqtt *m)
{
    return m->link;
}

bool mqtt_is_connected(const struct mqtt *m)
{
    return mqtt_link_is_up(m->link);
}

const char *mqtt_problem(const struct mqtt *m)
{
    return mqtt_link_problem(m->link);
}

const char *mqtt_last_refusal(const struct mqtt *m)
{
    return m->commands.last_refusal;
}
