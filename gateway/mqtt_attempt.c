#include "mqtt_attempt.h"

#include "address.h"
#include "heap.h"
#include "mqtt_guard.h"

#include <errno.h>
#include <linux/tcp.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    ANSWER_TIMEOUT_MS = 10000, /* for both handshakes, TLS and MQTT, from the TCP connection on */
    MQTT_WINDOW = 8192,
    TURN_MS = 100,
    GONE_TURNS = 5, /* the library does not see every end of a connection during a handshake */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_COUNT = 3,
    GIVE_UP_S = 60
};

/* --- settings --------------------------------------------------------------------------------- */

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void mqtt_link_config_drop(struct mqtt_link_config *c)
{
    if (!c || --c->users > 0)
        return;
    free(c->client_id);
    free(c->username);
    free_secret(c->password);
    free(c->ca);
    free(c->certificate);
    free_secret(c->key);
    free(c->will_topic);
    free(c);
}

struct mqtt_link_config *mqtt_link_config_new(const struct mqtt_link_settings *s)
{
    struct mqtt_link_config *c = heap_new(sizeof *c);
    if (!c)
        return NULL;
    c->users = 1;
    c->broker = s->broker;
    c->keepalive_s = s->keepalive_s;
    if (asprintf(&c->client_id, "smart-connect-%.40s", s->serial) < 0)
        c->client_id = NULL;
    c->username = strdup(s->username);
    c->password = strdup(s->password);
    c->ca = strdup(s->ca);
    c->certificate = strdup(s->certificate);
    c->key = strdup(s->key);
    c->will_topic = strdup(s->will_topic);
    if (c->client_id && c->username && c->password && c->ca && c->certificate && c->key &&
        c->will_topic)
        return c;
    mqtt_link_config_drop(c);
    return NULL;
}

/* --- what went wrong -------------------------------------------------------------------------- */

int mqtt_attempt_plainly(int result, const struct broker_tls *tls)
{
    return tls && result == MOSQ_ERR_ERRNO ? MOSQ_ERR_CONN_LOST : result;
}

void mqtt_attempt_describe(int result, const struct broker_tls *tls,
                           char text[static MQTT_LINK_PROBLEM_MAX])
{
    const char *why = result == MOSQ_ERR_ERRNO       ? strerror(errno)
                      : result == MOSQ_ERR_KEEPALIVE ? "it does not answer any more"
                                                     : mosquitto_strerror(result);
    const char *better = tls ? broker_tls_problem(tls) : "";
    snprintf(text, MQTT_LINK_PROBLEM_MAX, "%s", better[0] ? better : why);
    size_t n = strlen(text);
    if (n && text[n - 1] == '.') /* the library speaks in sentences */
        text[n - 1] = 0;
}

uint64_t mqtt_attempt_received(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_bytes_received
                                                                      : 0;
}

static bool is_gone(int fd)
{
    struct pollfd p = {.fd = fd};
    return fd < 0 || (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)));
}

/* --- the client ------------------------------------------------------------------------------- */

static void on_connack(struct mosquitto *client, void *context, int answer, int flags,
                       const mosquitto_property *properties)
{
    struct mqtt_attempt *a = context;
    uint8_t max_qos = 1, retains = 1;
    (void)client;
    (void)flags;
    a->connack = answer;
    if (mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &max_qos, false))
        a->max_qos = max_qos < 1 ? max_qos : 1;
    if (mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE, &retains, false))
        a->retains = retains != 0;
}

static int set_up_client(struct mqtt_attempt *a, struct mosquitto *client)
{
    static const char offline[] = "offline";
    const struct mqtt_link_config *c = a->config;
    int result = mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, a->version);
    mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_v5_callback_set(client, on_connack);
    if (result == MOSQ_ERR_SUCCESS)
        result = mosquitto_will_set(client, c->will_topic, sizeof offline - 1, offline,
                                    a->modest ? 0 : 1, !a->modest);
    if (result == MOSQ_ERR_SUCCESS && c->username[0])
        result = mosquitto_username_pw_set(client, c->username, c->password);
    /* the library would set up the context anew, and refuses one without a CA file of its own */
    if (result == MOSQ_ERR_SUCCESS && a->tls)
        result = mosquitto_int_option(client, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    if (result == MOSQ_ERR_SUCCESS && a->tls)
        result = mosquitto_void_option(client, MOSQ_OPT_SSL_CTX, broker_tls_context(a->tls));
    return result;
}

static bool make_client(struct mqtt_attempt *a)
{
    a->client = mosquitto_new(a->config->client_id, true, a);
    int result = a->client ? set_up_client(a, a->client) : MOSQ_ERR_NOMEM;
    if (result != MOSQ_ERR_SUCCESS)
        mqtt_attempt_describe(result, NULL, a->error);
    return result == MOSQ_ERR_SUCCESS;
}

static void drop_client(struct mqtt_attempt *a)
{
    if (a->client)
        mosquitto_destroy(a->client);
    a->client = NULL;
}

/* --- connecting ------------------------------------------------------------------------------- */

/* The broker is none, or none for us: it ended the connection in place of an answer, or answered with nonsense. */
static bool is_stumbling(int result)
{
    return result == MOSQ_ERR_CONN_LOST || result == MOSQ_ERR_PROTOCOL ||
           result == MOSQ_ERR_MALFORMED_PACKET;
}

/* What is likelier than what the library says; "": nothing. */
static const char *suspicion(const struct mqtt_attempt *a)
{
    return a->tls && !broker_tls_problem(a->tls)[0] ? broker_tls_suspicion(a->tls) : "";
}

/* Said behind it. */
static const char *advice(const struct mqtt_attempt *a)
{
    return a->tls ? "" : "; if that is its port for TLS, set MQTT/Broker to mqtts://";
}

static void describe_failure(struct mqtt_attempt *a, int result)
{
    char text[MQTT_LINK_PROBLEM_MAX];
    bool stumbled = is_stumbling(result);
    mqtt_attempt_describe(result, a->tls, text);
    if (result == MOSQ_ERR_KEEPALIVE)
        snprintf(a->error, sizeof a->error, "no answer within %d s", ANSWER_TIMEOUT_MS / 1000);
    else if (stumbled && suspicion(a)[0])
        snprintf(a->error, sizeof a->error, "%s", suspicion(a));
    else
        snprintf(a->error, sizeof a->error, "%.160s%s", text, stumbled ? advice(a) : "");
}

/* Waits for the broker's answer.  A MOSQ_ERR. */
static int await_connack(struct mqtt_attempt *a)
{
    int gone = 0, result = MOSQ_ERR_SUCCESS;
    int64_t until_ms = loop_clock_ms() + ANSWER_TIMEOUT_MS;
    while (a->connack < 0 && result == MOSQ_ERR_SUCCESS) {
        int fd = mosquitto_socket(a->client);
        gone = is_gone(fd) ? gone + 1 : 0;
        result = gone > GONE_TURNS ? MOSQ_ERR_CONN_LOST : mqtt_guard_loop(a->client, TURN_MS);
        result = mqtt_attempt_plainly(result, a->tls);
        if (loop_clock_ms() > until_ms)
            result = MOSQ_ERR_KEEPALIVE;
        else if (mqtt_attempt_received(fd) > MQTT_RECEIVE_MAX)
            result = MOSQ_ERR_PROTOCOL;
    }
    return a->connack >= 0 ? MOSQ_ERR_SUCCESS : result;
}

static void describe_refusal(struct mqtt_attempt *a)
{
    const char *why = a->version == MQTT_PROTOCOL_V5 ? mosquitto_reason_string(a->connack)
                                                     : mosquitto_connack_string(a->connack);
    snprintf(a->error, sizeof a->error, "refused: %s", why);
}

/* The library reads a message of 256 MiB in one go as long as more of it is there, and the loop waits: no broker may be
 * able to send that fast. */
static void limit_receiving(int fd)
{
    const int bytes = MQTT_WINDOW;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &bytes, sizeof bytes);
}

/* A broker may switch MQTT's own keepalive off; TCP's finds a peer that is gone all the same. */
static void keep_alive(int fd)
{
    address_keep_alive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
    address_give_up(fd, GIVE_UP_S);
}

/* One connection: a->client is connected, or `error` says why not. */
static int try_once(struct mqtt_attempt *a)
{
    const struct mqtt_link_config *c = a->config;
    a->connack = -1;
    a->max_qos = 1;
    a->retains = true;
    a->error[0] = 0;
    if (!make_client(a))
        return MOSQ_ERR_NOMEM;
    int result = mosquitto_connect(a->client, c->broker.host, c->broker.port, c->keepalive_s);
    if (result == MOSQ_ERR_ERRNO && errno == EPROTO) /* behind the handshake */
        result = MOSQ_ERR_CONN_LOST;
    if (result == MOSQ_ERR_SUCCESS) {
        limit_receiving(mosquitto_socket(a->client));
        keep_alive(mosquitto_socket(a->client));
        result = await_connack(a);
    }
    if (result != MOSQ_ERR_SUCCESS)
        describe_failure(a, result);
    else if (a->connack > 0)
        describe_refusal(a);
    return result;
}

/* A strict broker that retains nothing, or has no QoS 1, refuses our last will. */
static bool wants_a_modest_will(const struct mqtt_attempt *a)
{
    return !a->modest &&
           (a->connack == MQTT_RC_RETAIN_NOT_SUPPORTED || a->connack == MQTT_RC_QOS_NOT_SUPPORTED);
}

/* The broker says that it does not speak MQTT 5, */
static bool says_older_version(const struct mqtt_attempt *a)
{
    return a->connack == CONNACK_REFUSED_PROTOCOL_VERSION ||
           a->connack == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION;
}

/* or that can be guessed. */
static bool wants_an_older_version(const struct mqtt_attempt *a, int result)
{
    bool distrusted = a->tls && broker_tls_problem(a->tls)[0];
    return a->version == MQTT_PROTOCOL_V5 &&
           (says_older_version(a) || (is_stumbling(result) && !distrusted));
}

static bool make_tls(struct mqtt_attempt *a)
{
    const struct mqtt_link_config *c = a->config;
    const struct broker_tls_settings settings = {.host = c->broker.host,
                                                 .ca = c->ca,
                                                 .certificate = c->certificate,
                                                 .key = c->key,
                                                 .now_s = a->now_s};
    char why[BROKER_TLS_ERROR_MAX];
    a->tls = broker_tls_new(&settings, why);
    if (!a->tls)
        snprintf(a->error, sizeof a->error, "%s", why);
    return a->tls != NULL;
}

static int try_again(struct mqtt_attempt *a)
{
    drop_client(a);
    return try_once(a);
}

/* Again in another form, where the broker's answer says that it would take one. */
static void connect_in_some_form(struct mqtt_attempt *a)
{
    int result = try_once(a);
    if (wants_a_modest_will(a)) {
        a->modest = true;
        result = try_again(a);
    }
    if (!wants_an_older_version(a, result))
        return;
    a->older_only = says_older_version(a);
    a->version = MQTT_PROTOCOL_V311;
    (void)try_again(a);
    if (a->error[0])
        a->version = MQTT_PROTOCOL_V5; /* it was not the version, then */
}

void mqtt_attempt_run(struct worker_job *job)
{
    struct mqtt_attempt *a = CONTAINER_OF(job, struct mqtt_attempt, job);
    if (a->config->broker.tls && !make_tls(a))
        return;
    connect_in_some_form(a);
    if (a->error[0] == 0)
        return;
    drop_client(a);
    broker_tls_free(a->tls);
    a->tls = NULL;
}
