#include "p1_server.h"

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
    BACKLOG = 64,
    DROP_MAX = 4096,      /* of what a reader sends, at once */
    QUIET_LOG_MS = 60000, /* at most one line in this time, whoever knocks */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_INTERVAL_S = 10,
    KEEPALIVE_COUNT = 3
};

struct reader {
    struct loop_fd watch; /* .fd < 0: the place is free */
    struct p1_server *server;
    uint64_t begun;       /* number of the telegram it was given last */
    int64_t progress_ms;  /* it took something, or had nothing to take */
    size_t rest_at, rest; /* of the telegram on its way: what the kernel has not taken */
    struct sockaddr_storage address;
    uint8_t telegram[P1_SERVED_MAX];
};

struct p1_server {
    struct loop *loop;
    struct listener listener;
    struct loop_timer sweep;
    struct p1_server_counters counters;
    int64_t refusal_logged_ms; /* 0: never */
    uint64_t number;           /* of telegrams so far */
    size_t newest_len;         /* 0: there is none that is live */
    uint8_t newest[P1_SERVED_MAX];
    struct reader readers[P1_READERS_MAX];
};

/* --- a reader --------------------------------------------------------------------------------- */

static void close_reader(struct reader *r)
{
    loop_watch(r->server->loop, &r->watch, 0);
    close(r->watch.fd);
    r->watch.fd = -1;
}

/* Gives bytes to the kernel.  False: the connection is gone. */
static bool give(struct reader *r, const uint8_t *bytes, size_t n, size_t *taken)
{
    ssize_t sent = send(r->watch.fd, bytes, n, MSG_NOSIGNAL);
    *taken = sent > 0 ? (size_t)sent : 0;
    if (*taken)
        r->progress_ms = r->server->loop->now_ms;
    return sent >= 0 || errno == EAGAIN || errno == EINTR;
}

static bool wants_newest(const struct reader *r)
{
    return r->server->newest_len && r->begun < r->server->number;
}

static bool send_rest(struct reader *r)
{
    size_t taken;
    if (!give(r, r->telegram + r->rest_at, r->rest, &taken))
        return false;
    r->rest_at += taken;
    r->rest -= taken;
    r->server->counters.sent += r->rest == 0;
    return true;
}

/* From where it is for all readers; what the kernel does not take at once is kept, since that place will change. */
static bool begin_newest(struct reader *r)
{
    struct p1_server *s = r->server;
    size_t taken;
    if (!give(r, s->newest, s->newest_len, &taken))
        return false;
    if (taken == 0)
        return true;
    s->counters.skipped += s->number - r->begun - 1;
    r->begun = s->number;
    r->rest_at = 0;
    r->rest = s->newest_len - taken;
    memcpy(r->telegram, s->newest + taken, r->rest);
    s->counters.sent += r->rest == 0;
    return true;
}

/* Waits until the kernel takes more, while there is more.  False: it cannot. */
static bool wait_for_more(struct reader *r)
{
    uint32_t events = r->rest || wants_newest(r) ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (events == r->watch.events)
        return true;
    r->progress_ms = r->server->loop->now_ms;
    return loop_watch(r->server->loop, &r->watch, events) == 0;
}

/* Sends what there is to send, as far as it goes. */
static void serve(struct reader *r)
{
    bool alive = !r->rest || send_rest(r);
    if (alive && !r->rest && wants_newest(r))
        alive = begin_newest(r);
    if (!alive || !wait_for_more(r))
        close_reader(r);
}

/* Reads and drops.  False: the reader has closed. */
static bool drop_received(struct reader *r)
{
    uint8_t bytes[DROP_MAX];
    ssize_t n = recv(r->watch.fd, bytes, sizeof bytes, 0);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_reader(struct loop_fd *watch, uint32_t events)
{
    struct reader *r = CONTAINER_OF(watch, struct reader, watch);
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !drop_received(r))
        close_reader(r);
    else
        serve(r);
}

/* --- all of them ------------------------------------------------------------------------------ */

static void close_stuck(struct reader *r)
{
    char who[ADDRESS_TEXT_MAX];
    address_format_host(&r->address, who);
    log_warning("p1-out", "%s takes nothing: closed", who);
    r->server->counters.stuck++;
    close_reader(r);
}

static void on_sweep(struct loop_timer *timer)
{
    struct p1_server *s = CONTAINER_OF(timer, struct p1_server, sweep);
    for (struct reader *r = s->readers; r < s->readers + P1_READERS_MAX; r++)
        if (r->watch.fd >= 0 && (r->watch.events & EPOLLOUT) &&
            s->loop->now_ms - r->progress_ms >= P1_STUCK_MS)
            close_stuck(r);
    loop_set_timer(s->loop, &s->sweep, SWEEP_MS);
}

void p1_server_send(struct p1_server *s, const void *telegram, size_t n)
{
    memcpy(s->newest, telegram, n);
    s->newest_len = n;
    s->number++;
    for (struct reader *r = s->readers; r < s->readers + P1_READERS_MAX; r++)
        if (r->watch.fd >= 0)
            serve(r);
}

void p1_server_expire(struct p1_server *s)
{
    s->newest_len = 0;
}

/* --- who gets a place ------------------------------------------------------------------------- */

static void refuse(struct p1_server *s, int fd, const struct sockaddr_storage *address)
{
    char who[ADDRESS_TEXT_MAX];
    int64_t now_ms = s->loop->now_ms;
    address_reset(fd);
    s->counters.refused++;
    if (s->refusal_logged_ms && now_ms - s->refusal_logged_ms < QUIET_LOG_MS)
        return;
    s->refusal_logged_ms = now_ms;
    address_format_host(address, who);
    log_warning("p1-out", "refused %s: there are %d readers already", who, P1_READERS_MAX);
}

/* What the kernel holds back stays below a telegram, so that a slow reader goes on with the newest and not with what
 * was queued long ago. */
static void tune(int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &on, sizeof on);
    address_keep_alive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
}

static struct reader *free_place(struct p1_server *s)
{
    for (struct reader *r = s->readers; r < s->readers + P1_READERS_MAX; r++)
        if (r->watch.fd < 0)
            return r;
    return NULL;
}

static void admit(struct p1_server *s, int fd, const struct sockaddr_storage *address)
{
    struct reader *r = free_place(s);
    if (!r) {
        refuse(s, fd, address);
        return;
    }
    tune(fd);
    r->watch = (struct loop_fd){.ready = on_reader, .fd = fd};
    r->rest = 0;
    r->begun = s->newest_len ? s->number - 1 : s->number;
    r->address = *address;
    s->counters.accepted++;
    serve(r);
}

static void on_accepted(struct listener *l, int fd, const struct sockaddr_storage *address)
{
    admit(CONTAINER_OF(l, struct p1_server, listener), fd, address);
}

/* --- life ------------------------------------------------------------------------------------- */

struct p1_server *p1_server_open(struct loop *l, const char *listen,
                                 char error[static P1_SERVER_ERROR_MAX])
{
    char why[LISTENER_ERROR_MAX];
    struct p1_server *s = heap_new(sizeof *s);
    if (!s) {
        snprintf(error, P1_SERVER_ERROR_MAX, "out of memory");
        return NULL;
    }
    s->loop = l;
    s->listener = (struct listener){
        .accepted = on_accepted, .refused = &s->counters.refused, .backlog = BACKLOG};
    s->sweep.expired = on_sweep;
    for (struct reader *r = s->readers; r < s->readers + P1_READERS_MAX; r++) {
        r->watch.fd = -1;
        r->server = s;
    }
    if (!listener_open(&s->listener, l, listen, "p1-out", why)) {
        snprintf(error, P1_SERVER_ERROR_MAX, "--p1-out tcp:%.60s: %s", listen, why);
        p1_server_close(s);
        return NULL;
    }
    loop_set_timer(l, &s->sweep, SWEEP_MS);
    return s;
}

void p1_server_close(struct p1_server *s)
{
    if (!s)
        return;
    for (struct reader *r = s->readers; r < s->readers + P1_READERS_MAX; r++)
        if (r->watch.fd >= 0)
            close_reader(r);
    loop_cancel_timer(s->loop, &s->sweep);
    listener_close(&s->listener);
    free(s);
}

void p1_server_address(const struct p1_server *s, char text[static ADDRESS_TEXT_MAX])
{
    address_format(&s->listener.bound, text);
}

int p1_server_readers(const struct p1_server *s)
{
    int n = 0;
    for (int i = 0; i < P1_READERS_MAX; i++)
        n += s->readers[i].watch.fd >= 0;
    return n;
}

struct p1_server_counters p1_server_get_counters(const struct p1_server *s)
{
    return s->counters;
}
