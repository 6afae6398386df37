#include "modbus_tcp.h"

#include "heap.h"
#include "listener.h"
#include "log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SWEEP_MS = 1000,
    EVICTABLE_AFTER_MS = 15000, /* idle this long: may go when another needs the place */
    PARTIAL_FRAME_MS = 5000,    /* a frame that does not end within this is no frame */
    RECEIVE_MAX = 1024,         /* several pipelined requests at once */
    SEND_MAX =
        2 * MBAP_ADU_MAX, /* answers waiting for a client that does not read; then reading stops */
    REFUSALS_LOGGED_MS = 60000, /* at most one line in this time, whoever knocks */
    BACKLOG = 1024, /* a burst of attempts must not cost others a second for their SYN */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_COUNT = 3
};

enum {
    WRITE_ONE = 0x06,
    WRITE_MANY = 0x10
}; /* function codes of answers to writes that were taken */

struct client {
    struct loop_fd watch; /* .fd < 0: the place is free */
    struct modbus_tcp *server;
    int64_t last_request_ms; /* last complete request, or the connection's begin */
    int64_t partial_since_ms;
    size_t received, unsent; /* bytes in the buffers */
    uint64_t requests;
    struct sockaddr_storage address;
    uint8_t receive[RECEIVE_MAX], send[SEND_MAX];
};

struct modbus_tcp {
    struct loop *loop;
    struct modbus_tcp_settings settings;
    struct modbus_source source;
    struct listener listener;
    struct loop_timer sweep;
    struct modbus_tcp_counters counters; /* without the requests of those who are connected */
    char last_refusal[160];
    int64_t refusal_logged_ms; /* 0: never */
    struct client clients[MODBUS_CLIENTS_MAX];
};

/* --- connections ------------------------------------------------------------------------------ */

static void close_client(struct client *c)
{
    c->server->counters.requests += c->requests;
    loop_watch(c->server->loop, &c->watch, 0);
    close(c->watch.fd);
    c->watch.fd = -1;
}

/* Sends what waits.  False: the connection is gone. */
static bool flush(struct client *c)
{
    ssize_t n = send(c->watch.fd, c->send, c->unsent, MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->unsent -= (size_t)n;
    if (c->unsent)
        memmove(c->send, c->send + n, c->unsent);
    return true;
}

/* What was staged can be read at once.  There is no line it could become active on. */
static void show_written(struct modbus_tcp *m)
{
    m->source.settings.device.setting[SETTING_REBOOT] = 0;
    modbus_source_refresh(&m->source);
}

/* Appends the answer to what waits to be sent. */
static inline void answer(struct client *c, const struct modbus_frame *frame, bool rtu)
{
    struct modbus_tcp *m = c->server;
    const struct modbus_bank *bank = modbus_source_bank(&m->source);
    uint8_t *out = c->send + c->unsent;
    c->unsent += rtu ? rtu_reply(bank, frame, out) : mbap_reply(bank, frame, out);
    c->requests++;
    uint8_t function = out[rtu ? 1 : MBAP_HEADER];
    m->counters.exceptions += function >> 7;
    if (bank->writable && (function == WRITE_ONE || function == WRITE_MANY))
        show_written(m);
}

/* Answers the complete requests at the start of the buffer for as long as answers have room.  False:
 * the stream cannot be followed any more. */
static bool answer_requests(struct client *c)
{
    struct modbus_tcp *m = c->server;
    const bool rtu = m->settings.framing == FRAMING_RTU;
    enum modbus_frame_result result = FRAME_MORE;
    size_t used = 0;
    while (used < c->received && SEND_MAX - c->unsent >= MBAP_ADU_MAX) {
        struct modbus_frame frame;
        const uint8_t *bytes = c->receive + used;
        size_t n = c->received - used;
        result = rtu ? rtu_parse(bytes, n, &frame) : mbap_parse(bytes, n, &frame);
        if (result == FRAME_MORE || result == FRAME_BAD)
            break;
        used += frame.total;
        if (result == FRAME_SKIP) {
            m->counters.foreign_frames++;
            continue;
        }
        answer(c, &frame, rtu);
        c->last_request_ms = m->loop->now_ms;
    }
    c->received -= used;
    if (used && c->received) {
        memmove(c->receive, c->receive + used, c->received);
        c->partial_since_ms = m->loop->now_ms;
    }
    return result != FRAME_BAD;
}

/* Reads while answers have room, writes while some wait. */
static void wait_for_more(struct client *c)
{
    uint32_t events = c->unsent ? EPOLLOUT : 0;
    if (SEND_MAX - c->unsent >= MBAP_ADU_MAX)
        events |= EPOLLIN;
    if (events != c->watch.events)
        loop_watch(c->server->loop, &c->watch, events);
}

static bool receive(struct client *c)
{
    ssize_t n = recv(c->watch.fd, c->receive + c->received, RECEIVE_MAX - c->received, 0);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    if (c->received == 0)
        c->partial_since_ms = c->server->loop->now_ms;
    c->received += (size_t)n;
    return true;
}

/* Answers what came and sends it, again while sending makes room: requests that wait here wake nobody. */
static bool serve(struct client *c)
{
    size_t before;
    do {
        before = c->received;
        bool followed = answer_requests(c);
        if (c->unsent && !flush(c))
            return false;
        if (!followed) {
            c->server->counters.bad_frames++;
            return false;
        }
    } while (c->received && c->received < before);
    return true;
}

static void on_client(struct loop_fd *watch, uint32_t events)
{
    struct client *c = CONTAINER_OF(watch, struct client, watch);
    bool alive = true;
    if (events & EPOLLOUT) {
        alive = flush(c);
        c->partial_since_ms = c->server->loop->now_ms; /* only now its requests are read on */
    }
    if (alive && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && c->received < RECEIVE_MAX)
        alive = receive(c);
    if (alive && serve(c))
        wait_for_more(c);
    else
        close_client(c);
}

static int64_t idle_ms(const struct client *c)
{
    return c->server->loop->now_ms - c->last_request_ms;
}

static bool is_overdue(const struct client *c)
{
    int64_t limit_ms = (int64_t)c->server->settings.idle_timeout_s * 1000;
    bool stuck = c->received && c->server->loop->now_ms - c->partial_since_ms > PARTIAL_FRAME_MS &&
                 SEND_MAX - c->unsent >= MBAP_ADU_MAX;
    return stuck || (limit_ms && idle_ms(c) > limit_ms);
}

static void on_sweep(struct loop_timer *timer)
{
    struct modbus_tcp *m = CONTAINER_OF(timer, struct modbus_tcp, sweep);
    for (int i = 0; i < MODBUS_CLIENTS_MAX; i++) {
        struct client *c = &m->clients[i];
        if (c->watch.fd < 0 || !is_overdue(c))
            continue;
        m->counters.dropped_idle++;
        close_client(c);
    }
    loop_set_timer(m->loop, &m->sweep, SWEEP_MS);
}

/* --- who gets a place ------------------------------------------------------------------------- */

static struct client *free_place(struct modbus_tcp *m)
{
    struct client *c = m->clients;
    if (modbus_tcp_clients(m) >= m->settings.max_clients)
        return NULL;
    while (c->watch.fd >= 0)
        c++;
    return c;
}

/* The client idle longest among those from `address`, or among all (NULL). */
static struct client *idle_longest(struct modbus_tcp *m, const struct sockaddr_storage *address)
{
    struct client *found = NULL;
    for (int i = 0; i < MODBUS_CLIENTS_MAX; i++) {
        struct client *c = &m->clients[i];
        if (c->watch.fd >= 0 && (!address || address_same_host(&c->address, address)) &&
            (!found || c->last_request_ms < found->last_request_ms))
            found = c;
    }
    return found;
}

/* Finds a place by the rules of the house; NULL: none. */
static struct client *make_place(struct modbus_tcp *m, const struct sockaddr_storage *address)
{
    struct client *c = free_place(m);
    if (c)
        return c;
    c = idle_longest(m, address);
    if (c) {
        m->counters.replaced++;
        close_client(c);
        return c;
    }
    c = idle_longest(m, NULL);
    if (!c || idle_ms(c) <= EVICTABLE_AFTER_MS)
        return NULL;
    m->counters.dropped_idle++;
    close_client(c);
    return c;
}

static void refuse(struct modbus_tcp *m, int fd, const struct sockaddr_storage *address)
{
    char who[ADDRESS_TEXT_MAX], holder[ADDRESS_TEXT_MAX], line[sizeof m->last_refusal];
    address_reset(fd);
    m->counters.refused++;
    address_format_host(address, who);
    address_format_host(&idle_longest(m, NULL)->address, holder);
    snprintf(line, sizeof line, "refused %s, in use by %s", who, holder);
    bool quiet =
        m->refusal_logged_ms && m->loop->now_ms - m->refusal_logged_ms < REFUSALS_LOGGED_MS;
    if (!quiet && strcmp(line, m->last_refusal) != 0) {
        log_warning("modbus", "%s (%d clients at most)", line, m->settings.max_clients);
        m->refusal_logged_ms = m->loop->now_ms;
    }
    memcpy(m->last_refusal, line, sizeof line);
}

static void tune(int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    address_keep_alive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
}

static void admit(struct modbus_tcp *m, int fd, const struct sockaddr_storage *address)
{
    struct client *c = make_place(m, address);
    if (!c) {
        refuse(m, fd, address);
        return;
    }
    tune(fd);
    c->watch = (struct loop_fd){.ready = on_client, .fd = fd};
    c->received = c->unsent = 0;
    c->requests = 0;
    c->last_request_ms = c->partial_since_ms = m->loop->now_ms;
    c->address = *address;
    m->counters.accepted++;
    if (loop_watch(m->loop, &c->watch, EPOLLIN) < 0) {
        close(fd);
        c->watch.fd = -1;
    }
}

static void on_accepted(struct listener *l, int fd, const struct sockaddr_storage *address)
{
    admit(CONTAINER_OF(l, struct modbus_tcp, listener), fd, address);
}

/* --- life ------------------------------------------------------------------------------------- */

static bool start_listening(struct modbus_tcp *m, char error[static MODBUS_TCP_ERROR_MAX])
{
    const struct modbus_tcp_settings *s = &m->settings;
    char why[LISTENER_ERROR_MAX];
    if (listener_open(&m->listener, m->loop, s->listen, s->option, why))
        return true;
    snprintf(error, MODBUS_TCP_ERROR_MAX, "--%s %.60s: %s", s->option, s->listen, why);
    return false;
}

bool modbus_tcp_move(struct modbus_tcp *m, int port, char error[static MODBUS_TCP_ERROR_MAX])
{
    if (listener_move(&m->listener, port))
        return true;
    snprintf(error, MODBUS_TCP_ERROR_MAX, "port %d: %s", port,
             errno == EADDRINUSE ? "another program uses it"
             : errno == EACCES   ? "ports below 1024 need a privilege this process has not"
                                 : strerror(errno));
    return false;
}

static struct modbus_tcp *allocate(struct loop *l, const struct modbus_tcp_settings *settings)
{
    struct modbus_tcp *m = heap_new(sizeof *m);
    if (!m)
        return NULL;
    m->loop = l;
    m->settings = *settings;
    m->sweep.expired = on_sweep;
    m->listener = (struct listener){
        .accepted = on_accepted, .refused = &m->counters.refused, .backlog = BACKLOG};
    for (int i = 0; i < MODBUS_CLIENTS_MAX; i++) {
        m->clients[i].watch.fd = -1;
        m->clients[i].server = m;
    }
    return m;
}

bool modbus_tcp_set(struct modbus_tcp *m, const struct modbus_tcp_settings *settings)
{
    struct modbus_tcp_settings mixed = *settings;
    mixed.listen = m->settings.listen;
    mixed.option = m->settings.option;
    mixed.framing = m->settings.framing;
    mixed.source.device = m->source.settings.device;
    if (!modbus_source_set(&m->source, &mixed.source))
        return false;
    m->settings = mixed;
    while (modbus_tcp_clients(m) > settings->max_clients)
        close_client(idle_longest(m, NULL));
    return true;
}

struct modbus_tcp *modbus_tcp_open(struct loop *l, struct meter *meter,
                                   const struct modbus_tcp_settings *settings,
                                   char error[static MODBUS_TCP_ERROR_MAX])
{
    struct modbus_tcp *m = allocate(l, settings);
    if (!m) {
        snprintf(error, MODBUS_TCP_ERROR_MAX, "out of memory");
        return NULL;
    }
    bool fits = modbus_source_open(&m->source, l, meter, &settings->source);
    if (!fits)
        snprintf(error, MODBUS_TCP_ERROR_MAX, "map %s does not fit the image",
                 settings->source.map->name);
    if (!fits || !start_listening(m, error)) {
        int problem = errno;
        modbus_tcp_close(m);
        errno = problem;
        return NULL;
    }
    loop_set_timer(l, &m->sweep, SWEEP_MS);
    return m;
}

void modbus_tcp_close(struct modbus_tcp *m)
{
    if (!m)
        return;
    modbus_source_close(&m->source);
    for (int i = 0; i < MODBUS_CLIENTS_MAX; i++)
        if (m->clients[i].watch.fd >= 0)
            close_client(&m->clients[i]);
    loop_cancel_timer(m->loop, &m->sweep);
    listener_close(&m->listener);
    free(m);
}

void modbus_tcp_address(const struct modbus_tcp *m, char text[static ADDRESS_TEXT_MAX])
{
    address_format(&m->listener.bound, text);
}

int modbus_tcp_port(const struct modbus_tcp *m)
{
    return address_port(&m->listener.bound);
}

struct modbus_tcp_counters modbus_tcp_get_counters(const struct modbus_tcp *m)
{
    struct modbus_tcp_counters sum = m->counters;
    for (int i = 0; i < MODBUS_CLIENTS_MAX; i++)
        if (m->clients[i].watch.fd >= 0)
            sum.requests += m->clients[i].requests;
    return sum;
}

int modbus_tcp_clients(const struct modbus_tcp *m)
{
    int n = 0;
    for (int i = 0; i < MODBUS_CLIENTS_MAX; i++)
        n += m->clients[i].watch.fd >= 0;
    return n;
}

const char *modbus_tcp_last_refusal(const struct modbus_tcp *m)
{
    return m->last_refusal;
}

bool modbus_tcp_client_at(const struct modbus_tcp *m, int i, struct modbus_tcp_client_info *info)
{
    const struct client *c = &m->clients[i];
    if (c->watch.fd < 0)
        return false;
    address_format(&c->address, info->address);
    info->idle_ms = idle_ms(c);
    info->requests = c->requests;
    return true;
}

struct modbus_tcp_served modbus_tcp_get_served(const struct modbus_tcp *m)
{
    return (struct modbus_tcp_served){.map = m->settings.source.map,
                                      .order = modbus_source_bank(&m->source)->order,
                                      .framing = m->settings.framing};
}
