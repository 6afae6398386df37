#include "mqtt.h"

#include "core/messages.h"
#include "log.h"
#include "worker.h"

#include <errno.h>
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    DEFAULT_PORT = 1883,
    TLS_PORT = 8883,
    CONNACK_TIMEOUT_MS = 10000,
    RETRY_MIN_MS = 1000,
    RETRY_MAX_MS = 300000,
    HOUSEKEEPING_MS = 1000, /* keepalive pings and their absence */
    GOODBYE_MS = 500
};

struct broker {
    char host[MQTT_HOST_MAX];
    int port;
    bool tls;
};

/* One attempt to connect; belongs to the worker while it runs. */
struct attempt {
    struct worker_job job;
    struct mqtt *owner; /* NULL: nobody waits for it any more */
    struct mosquitto *client;
    struct broker broker;
    int keepalive_s;
    int connack; /* -1: none yet; else the broker's answer */
    char error[160];
};

struct mqtt {
    struct loop *loop;
    struct meter *meter;
    struct meter_listener listener;
    struct loop_timer retry, housekeeping;
    struct loop_fd watch;     /* the connection, while there is one */
    struct mosquitto *client; /* NULL: not connected */
    struct attempt *attempt;
    struct broker broker;
    int keepalive_s;
    int64_t retry_limit_ms;
    bool loss_logged;
    char problem[MQTT_ERROR_MAX]; /* why the last attempt failed or the connection was lost */
    bool reading_waits;           /* for the connection: the latest one, which was not sent yet */
    struct mqtt_counters *counters;
    char site[MQTT_SITE_MAX + 1], serial[41], username[MQTT_SECRET_MAX], password[MQTT_SECRET_MAX];
    char status_topic[MQTT_TOPIC_MAX], power_topic[MQTT_TOPIC_MAX], all_topics[MQTT_TOPIC_MAX];
    char message[MESSAGE_POWER_INSTANT_MAX];
};

/* --- settings --------------------------------------------------------------------------------- */

/* The end of a host name or address: behind the bracket of an IPv6 address.  NULL: it does not begin as one. */
static const char *end_of_host(const char *text)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    static const char ipv6[] = "0123456789abcdefABCDEF:.";
    const char *end =
        text[0] == '[' ? text + 1 + strspn(text + 1, ipv6) : text + strspn(text, name);
    if (text[0] == '[')
        return *end == ']' && end > text + 2 ? end + 1 : NULL;
    return end > text ? end : NULL;
}

/* host[:port] behind the scheme. */
static bool parse_host_port(const char *text, struct broker *b)
{
    const char *rest = end_of_host(text);
    size_t brackets = text[0] == '[';
    size_t length = rest ? (size_t)(rest - text) - 2 * brackets : 0;
    if (!rest || length >= sizeof b->host)
        return false;
    memcpy(b->host, text + brackets, length);
    b->host[length] = 0;
    if (*rest == 0)
        return true;
    char *end;
    long port = strtol(rest + 1, &end, 10);
    b->port = (int)port;
    return *rest == ':' && rest[1] >= '0' && rest[1] <= '9' && *end == 0 && port >= 1 &&
           port <= 65535;
}

static bool parse_broker(const char *url, struct broker *b, char error[static MQTT_ERROR_MAX])
{
    static const char plain[] = "mqtt://", secure[] = "mqtts://";
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F)
            url = "";
    bool is_secure = strncmp(url, secure, strlen(secure)) == 0;
    *b = (struct broker){.port = is_secure ? TLS_PORT : DEFAULT_PORT};
    if (!is_secure && strncmp(url, plain, strlen(plain)) != 0) {
        snprintf(error, MQTT_ERROR_MAX, "broker \"%.80s\": use mqtt://HOST or mqtt://HOST:PORT",
                 url);
        return false;
    }
    if (!parse_host_port(strstr(url, "://") + 3, b)) {
        snprintf(error, MQTT_ERROR_MAX, "broker \"%.80s\": use mqtt://HOST:PORT, port 1 to 65535",
                 url);
        return false;
    }
    b->tls = is_secure || b->port == TLS_PORT;
    return true;
}

bool mqtt_check_url(const char *url, char error[static MQTT_ERROR_MAX])
{
    struct broker b;
    return parse_broker(url, &b, error);
}

static bool can_connect(const struct broker *b, const char *url, char error[static MQTT_ERROR_MAX])
{
    if (b->tls)
        snprintf(error, MQTT_ERROR_MAX,
                 "broker \"%.80s\" means TLS, which this version cannot do yet; use mqtt:// with "
                 "another port",
                 url);
    return !b->tls;
}

bool mqtt_check_broker(const char *url, char error[static MQTT_ERROR_MAX])
{
    struct broker b;
    return parse_broker(url, &b, error) && can_connect(&b, url, error);
}

bool mqtt_check_site(const char *site, char error[static MQTT_ERROR_MAX])
{
    size_t n = 0;
    for (const char *p = site; *p; p++, n++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F || strchr("+#/", *p)) {
            snprintf(error, MQTT_ERROR_MAX,
                     "site \"%.60s\": blanks, control characters and + # / cannot stand in a topic",
                     site);
            return false;
        }
    if (n <= MQTT_SITE_MAX)
        return true;
    snprintf(error, MQTT_ERROR_MAX, "site \"%.60s...\": at most %d bytes", site, MQTT_SITE_MAX);
    return false;
}

/* --- connecting, on the worker's thread ------------------------------------------------------- */

static void on_connack(struct mosquitto *client, void *context, int answer)
{
    struct attempt *a = context;
    (void)client;
    a->connack = answer;
}

static void describe(struct attempt *a, int result)
{
    const char *why = result == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(result);
    snprintf(a->error, sizeof a->error, "%s", why);
}

/* Waits for the broker's answer. */
static void await_connack(struct attempt *a)
{
    int64_t until_ms = loop_clock_ms() + CONNACK_TIMEOUT_MS;
    while (a->connack < 0) {
        int result = mosquitto_loop(a->client, 100, 1);
        if (result != MOSQ_ERR_SUCCESS && a->connack < 0) {
            describe(a, result);
            return;
        }
        if (loop_clock_ms() > until_ms) {
            snprintf(a->error, sizeof a->error, "no answer within %d s", CONNACK_TIMEOUT_MS / 1000);
            return;
        }
    }
    if (a->connack)
        snprintf(a->error, sizeof a->error, "refused: %s", mosquitto_connack_string(a->connack));
}

static void run_attempt(struct worker_job *job)
{
    struct attempt *a = CONTAINER_OF(job, struct attempt, job);
    int result = mosquitto_connect(a->client, a->broker.host, a->broker.port, a->keepalive_s);
    if (result == MOSQ_ERR_SUCCESS)
        await_connack(a);
    else
        describe(a, result);
}

/* --- connected, on the loop ------------------------------------------------------------------- */

/* Anywhere between 1 s and a limit that doubles, so that a thousand gateways do not come at once. */
static int64_t retry_delay_ms(struct mqtt *m)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint32_t)m->loop->now_ms;
    int64_t delay = RETRY_MIN_MS + random % (m->retry_limit_ms - RETRY_MIN_MS + 1);
    m->retry_limit_ms = m->retry_limit_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : m->retry_limit_ms * 2;
    return delay;
}

static void retry_later(struct mqtt *m, const char *why)
{
    m->counters->event_errors++;
    snprintf(m->problem, sizeof m->problem, "%s", why);
    if (!m->loss_logged)
        log_warning("mqtt", "%s port %d: %s; trying again", m->broker.host, m->broker.port, why);
    m->loss_logged = true;
    loop_set_timer(m->loop, &m->retry, retry_delay_ms(m));
}

static void lose_connection(struct mqtt *m, int result)
{
    const char *why = result == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(result);
    loop_watch(m->loop, &m->watch, 0);
    loop_cancel_timer(m->loop, &m->housekeeping);
    mosquitto_destroy(m->client);
    m->client = NULL;
    retry_later(m, why);
}

/* Takes the library's answer to any call; waits for what it needs next. */
static void carry_on(struct mqtt *m, int result)
{
    if (result != MOSQ_ERR_SUCCESS)
        lose_connection(m, result);
    else
        loop_watch(m->loop, &m->watch, EPOLLIN | (mosquitto_want_write(m->client) ? EPOLLOUT : 0));
}

static void on_broker(struct loop_fd *watch, uint32_t events)
{
    struct mqtt *m = CONTAINER_OF(watch, struct mqtt, watch);
    int result = MOSQ_ERR_SUCCESS;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        result = mosquitto_loop_read(m->client, 1);
    if (result == MOSQ_ERR_SUCCESS && (events & EPOLLOUT))
        result = mosquitto_loop_write(m->client, 1);
    carry_on(m, result);
}

static void on_housekeeping(struct loop_timer *timer)
{
    struct mqtt *m = CONTAINER_OF(timer, struct mqtt, housekeeping);
    loop_set_timer(m->loop, &m->housekeeping, HOUSEKEEPING_MS);
    carry_on(m, mosquitto_loop_misc(m->client));
}

/* --- messages --------------------------------------------------------------------------------- */

/* A connection that has not taken the message before takes no more: nothing piles up. */
static void publish(struct mqtt *m, const char *topic, const char *message, size_t length)
{
    if (mosquitto_want_write(m->client)) {
        m->counters->dropped++;
        return;
    }
    int result = mosquitto_publish(m->client, NULL, topic, (int)length, message, 0, false);
    if (result == MOSQ_ERR_SUCCESS)
        m->counters->sent++;
    else
        m->counters->dropped++;
    carry_on(m, result);
}

/* Without a connection the latest reading waits for one and takes the place of the one before. */
static void publish_reading(struct meter_listener *listener, const struct meter_snapshot *latest)
{
    struct mqtt *m = CONTAINER_OF(listener, struct mqtt, listener);
    struct text_out out;
    if (!m->client) {
        m->counters->dropped += m->reading_waits;
        m->reading_waits = true;
        return;
    }
    text_init(&out, m->message, sizeof m->message);
    message_power_instant(&out, &latest->reading);
    if (out.overflow)
        m->counters->dropped++;
    else
        publish(m, m->power_topic, m->message, out.length);
}

/* MQTT says what the meter said and when; a reading that ages is not said again. */
static void ignore_stale(struct meter_listener *listener)
{
    (void)listener;
}

/* --- attempts ---------------------------------------------------------------------------------- */

static int publish_status(struct mosquitto *client, const char *topic, const char *status)
{
    return mosquitto_publish(client, NULL, topic, (int)strlen(status), status, 1, true);
}

static void use_connection(struct mqtt *m, struct mosquitto *client)
{
    m->client = client;
    m->watch = (struct loop_fd){.ready = on_broker, .fd = mosquitto_socket(client)};
    m->counters->connects++;
    m->retry_limit_ms = 2 * RETRY_MIN_MS;
    m->loss_logged = false;
    log_info("mqtt", "connected to %s port %d", m->broker.host, m->broker.port);
    loop_set_timer(m->loop, &m->housekeeping, HOUSEKEEPING_MS);
    carry_on(m, publish_status(m->client, m->status_topic, "online"));
    if (m->client && m->reading_waits && !meter_is_stale(m->meter))
        publish_reading(&m->listener, meter_latest(m->meter));
    m->reading_waits = false;
}

static void on_attempt_done(struct worker_job *job)
{
    struct attempt *a = CONTAINER_OF(job, struct attempt, job);
    struct mqtt *m = a->owner;
    if (m)
        m->attempt = NULL;
    if (m && a->error[0] == 0) {
        mosquitto_connect_callback_set(a->client, NULL);
        use_connection(m, a->client);
    } else {
        mosquitto_destroy(a->client);
        if (m)
            retry_later(m, a->error);
    }
    free(a);
}

/* A client with its will, not connected. */
static struct mosquitto *make_client(const struct mqtt *m, struct attempt *a)
{
    char id[64];
    snprintf(id, sizeof id, "smart-connect-%.40s", m->serial);
    struct mosquitto *client = mosquitto_new(id, true, a);
    if (!client)
        return NULL;
    mosquitto_connect_callback_set(client, on_connack);
    mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    int result =
        mosquitto_will_set(client, m->status_topic, (int)strlen("offline"), "offline", 1, true);
    if (result == MOSQ_ERR_SUCCESS && m->username[0])
        result = mosquitto_username_pw_set(client, m->username, m->password);
    if (result == MOSQ_ERR_SUCCESS)
        return client;
    mosquitto_destroy(client);
    return NULL;
}

static void start_attempt(struct mqtt *m)
{
    struct attempt *a = calloc(1, sizeof *a);
    if (a) {
        a->job.run = run_attempt;
        a->job.done = on_attempt_done;
        a->owner = m;
        a->broker = m->broker;
        a->keepalive_s = m->keepalive_s;
        a->connack = -1;
        a->client = make_client(m, a);
    }
    if (a && a->client && worker_start(m->loop, &a->job) == 0) {
        m->attempt = a;
        return;
    }
    if (a && a->client)
        mosquitto_destroy(a->client);
    free(a);
    retry_later(m, "out of memory or threads");
}

static void on_mqtt_retry(struct loop_timer *timer)
{
    start_attempt(CONTAINER_OF(timer, struct mqtt, retry));
}

/* --- life ------------------------------------------------------------------------------------- */

static void name_topic(const struct mqtt *m, const char *end, char topic[static MQTT_TOPIC_MAX])
{
    snprintf(topic, MQTT_TOPIC_MAX, "devices/%s/smart-connect/%.40s/%s",
             m->site[0] ? m->site : "default", m->serial, end);
}

static void copy_settings(struct mqtt *m, const struct mqtt_settings *s)
{
    snprintf(m->site, sizeof m->site, "%s", s->site);
    snprintf(m->serial, sizeof m->serial, "%s", s->serial);
    snprintf(m->username, sizeof m->username, "%s", s->username);
    snprintf(m->password, sizeof m->password, "%s", s->password);
    m->keepalive_s = s->keepalive_s;
    m->counters = s->counters;
}

struct mqtt *mqtt_open(struct loop *l, struct meter *meter, const struct mqtt_settings *settings,
                       char error[static MQTT_ERROR_MAX])
{
    struct broker broker;
    if (!parse_broker(settings->broker, &broker, error) ||
        !can_connect(&broker, settings->broker, error) || !mqtt_check_site(settings->site, error))
        return NULL;
    struct mqtt *m = calloc(1, sizeof *m);
    if (!m) {
        snprintf(error, MQTT_ERROR_MAX, "out of memory");
        return NULL;
    }
    m->loop = l;
    m->meter = meter;
    m->broker = broker;
    copy_settings(m, settings);
    m->retry_limit_ms = 2 * RETRY_MIN_MS;
    m->retry.expired = on_mqtt_retry;
    m->housekeeping.expired = on_housekeeping;
    m->listener = (struct meter_listener){.reading = publish_reading, .stale = ignore_stale};
    name_topic(m, "status", m->status_topic);
    name_topic(m, "data/power_instant", m->power_topic);
    name_topic(m, "#", m->all_topics);
    mosquitto_lib_init();
    meter_add_listener(meter, &m->listener);
    start_attempt(m);
    return m;
}

/* Says `offline` and gives the broker a moment to take it.  Blocks that long. */
static void say_goodbye(struct mosquitto *client, const char *status_topic)
{
    int64_t until_ms = loop_clock_ms() + GOODBYE_MS;
    int result = publish_status(client, status_topic, "offline");
    if (result == MOSQ_ERR_SUCCESS)
        result = mosquitto_disconnect(client);
    while (result == MOSQ_ERR_SUCCESS && mosquitto_want_write(client) && loop_clock_ms() < until_ms)
        result = mosquitto_loop(client, 50, 1);
    mosquitto_destroy(client);
}

/* Takes the door out of the house; what is left is the connection, if there is one. */
static struct mosquitto *detach(struct mqtt *m)
{
    struct mosquitto *client = m->client;
    meter_remove_listener(m->meter, &m->listener);
    loop_cancel_timer(m->loop, &m->retry);
    loop_cancel_timer(m->loop, &m->housekeeping);
    if (client)
        loop_watch(m->loop, &m->watch, 0);
    if (m->attempt)
        m->attempt->owner = NULL;
    return client;
}

static void forget(struct mqtt *m)
{
    explicit_bzero(m->password, sizeof m->password);
    free(m);
}

void mqtt_close(struct mqtt *m)
{
    if (!m)
        return;
    struct mosquitto *client = detach(m);
    if (client)
        say_goodbye(client, m->status_topic);
    forget(m);
}

/* A connection on its way out, on the worker's thread. */
struct farewell {
    struct worker_job job;
    struct mosquitto *client;
    char status_topic[MQTT_TOPIC_MAX];
};

static void run_farewell(struct worker_job *job)
{
    struct farewell *f = CONTAINER_OF(job, struct farewell, job);
    say_goodbye(f->client, f->status_topic);
}

static void on_farewell_done(struct worker_job *job)
{
    free(CONTAINER_OF(job, struct farewell, job));
}

void mqtt_leave(struct mqtt *m)
{
    if (!m)
        return;
    struct mosquitto *client = detach(m);
    struct farewell *f = client ? calloc(1, sizeof *f) : NULL;
    if (f) {
        f->job.run = run_farewell;
        f->job.done = on_farewell_done;
        f->client = client;
        memcpy(f->status_topic, m->status_topic, sizeof f->status_topic);
    }
    if (client && (!f || worker_start(m->loop, &f->job) < 0)) {
        mosquitto_destroy(client); /* without a word: the last will says it */
        free(f);
    }
    forget(m);
}

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

bool mqtt_is_connected(const struct mqtt *m)
{
    return m->client != NULL;
}

const char *mqtt_problem(const struct mqtt *m)
{
    return m->client ? "" : m->problem;
}
