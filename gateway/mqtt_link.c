#include "mqtt_link.h"

#include "heap.h"
#include "log.h"
#include "mqtt_attempt.h"
#include "mqtt_guard.h"
#include "wall_clock.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    HOUSEKEEPING_MS = 1000, /* keepalive pings and their absence */
    STEADY_MS = 30000,      /* a connection that lasted so long was a success */
    GOODBYE_MS = 500,
    GOODBYE_TURN_MS = 50,
    HANGS_MS = 3000, /* an attempt that takes longer was begun when there was no network */
    ABANDONED_MAX = 3,
    EVENT_BYTES = 128, /* around an acknowledgement or a message, with what TLS adds */
    SILENT_BYTES = 32, /* a second without any event: keepalive */
    JOBS_MAX = 32      /* an attempt that hangs cannot be stopped, even when its link is gone */
};

static const char TOO_MUCH[] = "it sends more than a broker has to say";

/* What is connected: it outlives its link for a goodbye. */
struct connection {
    struct mosquitto *client;
    struct broker_tls *tls;
    int max_qos;
    bool retains;
};

struct mqtt_link {
    struct loop *loop;
    struct mqtt_link_owner *owner;
    struct mqtt_link_counters *counters;
    struct mqtt_link_config *config;
    const struct clock_floor *clock;
    struct backoff backoff;
    struct loop_timer retry, housekeeping;
    struct loop_fd watch;
    struct connection now; /* client NULL: not connected */
    struct mqtt_attempt *attempt;
    int64_t attempt_since_ms;
    int version;      /* MQTT_PROTOCOL_V5 or _V311: what is spoken */
    int next_version; /* to begin the next attempt with */
    int in_flight;
    int64_t up_since_ms;
    uint64_t received;    /* bytes until this second began */
    uint64_t explained;   /* of those of this second, by events */
    uint64_t unexplained; /* of those before, and not made up for since */
    int broken;     /* a MOSQ_ERR of a call that was not made from the connection's own event */
    int end_reason; /* MQTT 5: what the broker said when it ended the connection; 0: nothing */
    bool loss_logged;
    char problem[MQTT_LINK_PROBLEM_MAX];
};

static void disconnect(struct connection *c)
{
    if (c->client)
        mosquitto_destroy(c->client);
    broker_tls_free(c->tls);
    *c = (struct connection){0};
}

/* --- losing it -------------------------------------------------------------------------------- */

static uint32_t random_number(const struct mqtt_link *k)
{
    uint32_t random;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint32_t)k->loop->now_ms * 2654435761;
    return random;
}

static void retry_later(struct mqtt_link *k, const char *why)
{
    k->counters->event_errors++;
    snprintf(k->problem, sizeof k->problem, "%s", why);
    if (!k->loss_logged)
        log_warning("mqtt", "%s port %d: %s; trying again", k->config->broker.host,
                    k->config->broker.port, why);
    k->loss_logged = true;
    loop_set_timer(k->loop, &k->retry, backoff_next_ms(&k->backoff, random_number(k)));
}

static void lose_connection(struct mqtt_link *k, const char *why)
{
    char text[MQTT_LINK_PROBLEM_MAX];
    snprintf(text, sizeof text, "%s", why);
    loop_watch(k->loop, &k->watch, 0);
    loop_cancel_timer(k->loop, &k->housekeeping);
    disconnect(&k->now);
    k->counters->send_fail += (uint64_t)k->in_flight;
    k->in_flight = 0;
    k->broken = MOSQ_ERR_SUCCESS;
    k->end_reason = 0;
    k->owner->down(k->owner);
    retry_later(k, text);
}

static void lose_by_result(struct mqtt_link *k, int result)
{
    char why[MQTT_LINK_PROBLEM_MAX];
    if (k->end_reason)
        snprintf(why, sizeof why, "ended by the broker: %s", mosquitto_reason_string(k->end_reason));
    else
        mqtt_attempt_describe(mqtt_attempt_plainly(result, k->now.tls), k->now.tls, why);
    lose_connection(k, why);
}

/* --- connected -------------------------------------------------------------------------------- */

/* Nothing is read while something is to be written: the library queues an answer to all it reads, without a bound. */
static void watch_broker(struct mqtt_link *k)
{
    loop_watch(k->loop, &k->watch, mosquitto_want_write(k->now.client) ? EPOLLOUT : EPOLLIN);
}

/* Takes the library's answer to any call; waits for what it needs next. */
static void carry_on(struct mqtt_link *k, int result)
{
    if (result == MOSQ_ERR_SUCCESS)
        result = k->broken;
    if (result == MOSQ_ERR_SUCCESS && mosquitto_socket(k->now.client) < 0)
        result = MOSQ_ERR_CONN_LOST;
    if (result != MOSQ_ERR_SUCCESS)
        lose_by_result(k, result);
    else
        watch_broker(k);
}

/* True while it may go on. */
static bool carry_on_and_offer(struct mqtt_link *k, int result)
{
    carry_on(k, result);
    if (!k->now.client)
        return false;
    if (!mosquitto_want_write(k->now.client)) {
        k->owner->ready(k->owner);
        if (k->now.client)
            carry_on(k, MOSQ_ERR_SUCCESS);
    }
    return k->now.client != NULL;
}

static bool receives_too_much(struct mqtt_link *k)
{
    return mqtt_attempt_received(k->watch.fd) > k->received + MQTT_RECEIVE_MAX;
}

/* Bytes that no event tells of may have been kept by the library, and some are for ever: messages of QoS 2 that are not
 * released, properties of acknowledgements for what was never sent, a message that does not end.  True: too many. */
static bool keeps_too_much(struct mqtt_link *k)
{
    uint64_t received = mqtt_attempt_received(k->watch.fd);
    uint64_t all = k->unexplained + received - k->received;
    uint64_t explained = k->explained + SILENT_BYTES;
    k->unexplained = all > explained ? all - explained : 0;
    k->explained = 0;
    k->received = received;
    return k->unexplained > MQTT_RECEIVE_MAX;
}

static void on_broker(struct loop_fd *watch, uint32_t events)
{
    struct mqtt_link *k = CONTAINER_OF(watch, struct mqtt_link, watch);
    int result = MOSQ_ERR_SUCCESS;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        result = mqtt_guard_read(k->now.client);
    if (result == MOSQ_ERR_SUCCESS && (events & EPOLLOUT))
        result = mosquitto_loop_write(k->now.client, 1);
    if (carry_on_and_offer(k, result) && receives_too_much(k))
        lose_connection(k, TOO_MUCH);
}

static void on_housekeeping(struct loop_timer *timer)
{
    struct mqtt_link *k = CONTAINER_OF(timer, struct mqtt_link, housekeeping);
    loop_set_timer(k->loop, &k->housekeeping, HOUSEKEEPING_MS);
    if (k->loop->now_ms - k->up_since_ms >= STEADY_MS)
        backoff_reset(&k->backoff);
    if (carry_on_and_offer(k, mosquitto_loop_misc(k->now.client)) && keeps_too_much(k))
        lose_connection(k, TOO_MUCH);
}

static void on_published(struct mosquitto *client, void *context, int number, int reason,
                         const mosquitto_property *properties)
{
    struct mqtt_link *k = context;
    bool taken = reason < 0x80; /* MQTT 5, 2.4: from there on it is an error */
    (void)client;
    (void)properties;
    if (k->in_flight == 0)
        return;
    k->in_flight--;
    k->explained += EVENT_BYTES;
    if (taken)
        k->counters->send_pass++;
    else
        k->counters->send_fail++;
    k->owner->acked(k->owner, number, taken);
}

static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *m)
{
    struct mqtt_link *k = context;
    (void)client;
    k->explained += strlen(m->topic) + (size_t)m->payloadlen + EVENT_BYTES;
    k->owner->message(k->owner, m->topic, m->payload, (size_t)m->payloadlen, m->retain);
}

static void on_subscribed(struct mosquitto *client, void *context, int number, int count,
                          const int *granted)
{
    (void)client;
    (void)context;
    (void)number;
    if (count > 0 && granted[0] >= 0x80)
        log_warning("mqtt", "the broker refuses a subscription: let this client read it there");
}

/* The library's own errors are below 0x80 and come back from its calls, too. */
static void on_ended(struct mosquitto *client, void *context, int reason,
                     const mosquitto_property *properties)
{
    struct mqtt_link *k = context;
    (void)client;
    (void)properties;
    k->end_reason = reason >= 0x80 ? reason : 0;
}

/* The context of the callbacks; NULL: there are none any more. */
static void set_callbacks(struct mosquitto *client, struct mqtt_link *k)
{
    mosquitto_user_data_set(client, k);
    mosquitto_connect_v5_callback_set(client, NULL);
    mosquitto_publish_v5_callback_set(client, k ? on_published : NULL);
    mosquitto_subscribe_callback_set(client, k ? on_subscribed : NULL);
    mosquitto_message_callback_set(client, k ? on_message : NULL);
    mosquitto_disconnect_v5_callback_set(client, k ? on_ended : NULL);
}

/* --- attempts --------------------------------------------------------------------------------- */

static void use_connection(struct mqtt_link *k, struct mqtt_attempt *a)
{
    k->now = (struct connection){
        .client = a->client, .tls = a->tls, .max_qos = a->max_qos, .retains = a->retains};
    k->version = a->version;
    if (a->older_only)
        k->next_version = MQTT_PROTOCOL_V311;
    k->watch = (struct loop_fd){.ready = on_broker, .fd = mosquitto_socket(a->client)};
    k->received = mqtt_attempt_received(k->watch.fd);
    k->explained = k->unexplained = 0;
    k->up_since_ms = k->loop->now_ms;
    k->counters->connects++;
    k->loss_logged = false;
    set_callbacks(a->client, k);
    log_info("mqtt", "connected to %s port %d, MQTT %s%s", k->config->broker.host,
             k->config->broker.port, mqtt_link_version(k), k->now.tls ? " over TLS" : "");
    loop_set_timer(k->loop, &k->housekeeping, HOUSEKEEPING_MS);
    k->owner->up(k->owner);
    carry_on_and_offer(k, MOSQ_ERR_SUCCESS);
}

static void free_attempt(struct mqtt_attempt *a)
{
    mqtt_link_config_drop(a->config);
    free(a);
}

static void on_attempt_done(struct worker_job *job)
{
    struct mqtt_attempt *a = CONTAINER_OF(job, struct mqtt_attempt, job);
    struct mqtt_link *k = a->owner;
    struct connection unwanted = {.client = a->client, .tls = a->tls};
    if (k)
        k->attempt = NULL;
    if (!k) {
        if (unwanted.client)
            mosquitto_disconnect(unwanted.client); /* else the broker would tell our last will */
        disconnect(&unwanted);
    } else if (a->client) {
        use_connection(k, a);
    } else {
        retry_later(k, a->error);
    }
    free_attempt(a);
}

static bool start_attempt(struct mqtt_link *k)
{
    struct mqtt_attempt *a = heap_new(sizeof *a);
    if (!a)
        return false;
    a->job = (struct worker_job){.run = mqtt_attempt_run, .done = on_attempt_done};
    a->owner = k;
    a->config = k->config;
    a->config->users++;
    a->version = k->next_version;
    a->now_s = clock_floor_now(k->clock, wall_clock_s());
    if (worker_start(k->loop, &a->job) == 0) {
        k->attempt = a;
        k->attempt_since_ms = k->loop->now_ms;
        return true;
    }
    free_attempt(a);
    return false;
}

static void on_retry(struct loop_timer *timer)
{
    struct mqtt_link *k = CONTAINER_OF(timer, struct mqtt_link, retry);
    if (k->loop->jobs >= JOBS_MAX)
        loop_set_timer(k->loop, &k->retry, k->backoff.floor_ms);
    else if (!start_attempt(k))
        retry_later(k, "out of memory or threads");
}

void mqtt_link_hurry(struct mqtt_link *k)
{
    if (k->now.client)
        return;
    if (k->attempt &&
        (k->loop->now_ms - k->attempt_since_ms < HANGS_MS || k->config->users > 1 + ABANDONED_MAX))
        return;
    if (k->attempt) /* a thread cannot be stopped: it ends by itself, and nobody waits for it */
        k->attempt->owner = NULL;
    k->attempt = NULL;
    backoff_reset(&k->backoff);
    loop_set_timer(k->loop, &k->retry, random_number(k) % k->backoff.floor_ms);
}

/* --- sending ---------------------------------------------------------------------------------- */

static int publish(struct mqtt_link *k, const char *topic, const void *payload, size_t length,
                   bool retain, uint32_t expiry_s, int *number)
{
    mosquitto_property *properties = NULL;
    if (expiry_s && k->version == MQTT_PROTOCOL_V5)
        (void)mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, expiry_s);
    int result = mosquitto_publish_v5(k->now.client, number, topic, (int)length, payload,
                                      k->now.max_qos, retain && k->now.retains, properties);
    mosquitto_property_free_all(&properties);
    return result;
}

/* An error that is no fault of the message is found by the connection's own events at once. */
static void fail_soon(struct mqtt_link *k, int result)
{
    k->broken = result;
    loop_set_timer(k->loop, &k->housekeeping, 0);
}

enum mqtt_link_sent mqtt_link_publish(struct mqtt_link *k, const char *topic, const void *payload,
                                      size_t length, bool retain, uint32_t expiry_s, int *number)
{
    if (!k->now.client || k->broken || mosquitto_want_write(k->now.client))
        return LINK_BUSY;
    k->in_flight++; /* with QoS 0 the acknowledgement comes before the call returns */
    int result = publish(k, topic, payload, length, retain, expiry_s, number);
    if (result == MOSQ_ERR_SUCCESS) {
        watch_broker(k);
        return LINK_TAKEN;
    }
    k->in_flight--;
    if (result == MOSQ_ERR_OVERSIZE_PACKET || result == MOSQ_ERR_PAYLOAD_SIZE) {
        k->counters->send_fail++;
        return LINK_REFUSED;
    }
    fail_soon(k, result);
    return LINK_BUSY;
}

bool mqtt_link_subscribe(struct mqtt_link *k, const char *filter)
{
    int result = k->now.client && !k->broken ? mosquitto_subscribe(k->now.client, NULL, filter, 1)
                                             : MOSQ_ERR_NO_CONN;
    if (k->now.client && result != MOSQ_ERR_SUCCESS)
        fail_soon(k, result);
    return result == MOSQ_ERR_SUCCESS;
}

void mqtt_link_break(struct mqtt_link *k, const char *why)
{
    if (k->now.client)
        lose_connection(k, why);
}

/* --- life ------------------------------------------------------------------------------------- */

struct mqtt_link *mqtt_link_open(struct loop *l, const struct mqtt_link_settings *settings,
                                 struct mqtt_link_owner *owner, struct mqtt_link_counters *counters)
{
    struct mqtt_link *k = heap_new(sizeof *k);
    struct mqtt_link_config *config = k ? mqtt_link_config_new(settings) : NULL;
    if (!config) {
        free(k);
        return NULL;
    }
    k->loop = l;
    k->owner = owner;
    k->counters = counters;
    k->config = config;
    k->clock = settings->clock;
    k->version = k->next_version = MQTT_PROTOCOL_V5;
    k->retry.expired = on_retry;
    k->housekeeping.expired = on_housekeeping;
    backoff_init(&k->backoff, settings->serial);
    mosquitto_lib_init();
    on_retry(&k->retry);
    return k;
}

/* The last message on its way. */
struct last_words {
    int number;
    bool heard;
};

static void on_heard(struct mosquitto *client, void *context, int number, int reason,
                     const mosquitto_property *properties)
{
    struct last_words *last = context;
    (void)client;
    (void)reason;
    (void)properties;
    last->heard = last->heard || number == last->number;
}

/* Says `offline` and gives the broker a moment to take it: a connection that is closed with its answer unread is reset,
 * and what was said is lost.  Blocks that long. */
static void say_goodbye(struct connection *c, const char *will_topic)
{
    static const char offline[] = "offline";
    struct last_words last = {0};
    int64_t until_ms = loop_clock_ms() + GOODBYE_MS;
    mosquitto_user_data_set(c->client, &last);
    mosquitto_publish_v5_callback_set(c->client, on_heard);
    int result = mosquitto_publish(c->client, &last.number, will_topic, sizeof offline - 1, offline,
                                   c->max_qos, c->retains);
    while (result == MOSQ_ERR_SUCCESS && !last.heard && loop_clock_ms() < until_ms)
        result = mqtt_guard_loop(c->client, GOODBYE_TURN_MS);
    if (result == MOSQ_ERR_SUCCESS)
        mosquitto_disconnect(c->client);
    while (result == MOSQ_ERR_SUCCESS && mosquitto_want_write(c->client) &&
           loop_clock_ms() < until_ms)
        result = mqtt_guard_loop(c->client, GOODBYE_TURN_MS);
    disconnect(c);
}

/* Waits a moment for the broker to acknowledge what it has: what it has not is sent again another time. */
static void await_acknowledgements(struct mqtt_link *k)
{
    int64_t until_ms = loop_clock_ms() + GOODBYE_MS;
    int result = MOSQ_ERR_SUCCESS;
    while (result == MOSQ_ERR_SUCCESS && k->in_flight && loop_clock_ms() < until_ms)
        result = mqtt_guard_loop(k->now.client, GOODBYE_TURN_MS);
}

/* Takes the link out of the house; the connection goes to the caller. */
static struct connection detach(struct mqtt_link *k)
{
    struct connection c = k->now;
    loop_cancel_timer(k->loop, &k->retry);
    loop_cancel_timer(k->loop, &k->housekeeping);
    if (c.client) {
        loop_watch(k->loop, &k->watch, 0);
        set_callbacks(c.client, NULL);
    }
    if (k->attempt)
        k->attempt->owner = NULL;
    return c;
}

static void forget(struct mqtt_link *k)
{
    mqtt_link_config_drop(k->config);
    free(k);
}

void mqtt_link_close(struct mqtt_link *k)
{
    if (!k)
        return;
    if (k->now.client)
        await_acknowledgements(k);
    struct connection c = detach(k);
    if (c.client)
        say_goodbye(&c, k->config->will_topic);
    forget(k);
}

/* A connection on its way out, on the worker's thread. */
struct farewell {
    struct worker_job job;
    struct connection connection;
    struct mqtt_link_config *config;
};

static void run_farewell(struct worker_job *job)
{
    struct farewell *f = CONTAINER_OF(job, struct farewell, job);
    say_goodbye(&f->connection, f->config->will_topic);
}

static void on_farewell_done(struct worker_job *job)
{
    struct farewell *f = CONTAINER_OF(job, struct farewell, job);
    mqtt_link_config_drop(f->config);
    free(f);
}

static bool start_farewell(struct mqtt_link *k, struct connection c)
{
    struct farewell *f = heap_new(sizeof *f);
    if (!f)
        return false;
    f->job = (struct worker_job){.run = run_farewell, .done = on_farewell_done};
    f->connection = c;
    f->config = k->config;
    f->config->users++;
    if (worker_start(k->loop, &f->job) == 0)
        return true;
    on_farewell_done(&f->job);
    return false;
}

void mqtt_link_leave(struct mqtt_link *k)
{
    if (!k)
        return;
    struct connection c = detach(k);
    if (c.client && !start_farewell(k, c))
        disconnect(&c); /* without a word: the last will says it */
    forget(k);
}

/* --- what can be seen ------------------------------------------------------------------------- */

bool mqtt_link_is_up(const struct mqtt_link *k)
{
    return k->now.client != NULL;
}

bool mqtt_link_is_secure(const struct mqtt_link *k)
{
    return k->now.tls != NULL;
}

const char *mqtt_link_version(const struct mqtt_link *k)
{
    return k->version == MQTT_PROTOCOL_V5 ? "5" : "3.1.1";
}

const char *mqtt_link_problem(const struct mqtt_link *k)
{
    return k->now.client ? "" : k->problem;
}
