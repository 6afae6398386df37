#include "http_door.h"

#include "heap.h"
#include "listener.h"
#include "log.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SWEEP_MS = 500,
    BACKLOG = 128,
    MEMORY_PER_CONNECTION = 24 * 1024, /* a head of 8 KiB with 100 fields takes 16 */
    INACTIVITY_S = 120,                /* the library's own, behind our deadlines */
    RUNS_WITHOUT_EVENT = 64,
    RESTLESS_MS = 10,
    /* A client that vanished is gone after 20 s: its stream holds the session, and keeps others out. */
    KEEPALIVE_IDLE_S = 10,
    KEEPALIVE_INTERVAL_S = 5,
    KEEPALIVE_COUNT = 2,
    GIVE_UP_S = 20
};

struct http_door {
    struct loop *loop;
    struct http_door_settings settings;
    struct MHD_Daemon *daemon;
    struct listener listener;
    struct loop_fd working;
    struct loop_timer due, sweep;
    struct http_connection *entering; /* the place of the socket that is being handed over */
    int runs_without_event;
};

/* --- the library's turn ----------------------------------------------------------------------- */

/* While a handshake waits for its client, 0.9.75 wants to run again at once, for ever: that would burn the processor
 * for every client that stalls.  So it may do so a few times between two events, and then has to wait. */
static int64_t patience_ms(struct http_door *d, MHD_UNSIGNED_LONG_LONG delay_ms)
{
    if (delay_ms > 0)
        return (int64_t)delay_ms;
    return ++d->runs_without_event > RUNS_WITHOUT_EVENT ? RESTLESS_MS : 0;
}

static void work(struct http_door *d)
{
    MHD_UNSIGNED_LONG_LONG delay_ms;
    MHD_run(d->daemon);
    if (MHD_get_timeout(d->daemon, &delay_ms) == MHD_YES)
        loop_set_timer(d->loop, &d->due, patience_ms(d, delay_ms));
    else
        loop_cancel_timer(d->loop, &d->due);
}

static void on_working(struct loop_fd *watch, uint32_t events)
{
    struct http_door *d = CONTAINER_OF(watch, struct http_door, working);
    (void)events;
    d->runs_without_event = 0;
    work(d);
}

static void on_due(struct loop_timer *timer)
{
    work(CONTAINER_OF(timer, struct http_door, due));
}

void http_door_kick(struct http_door *d)
{
    loop_set_timer(d->loop, &d->due, 0);
}

void http_door_note_work(struct http_door *d)
{
    d->runs_without_event = 0;
}

/* --- places ----------------------------------------------------------------------------------- */

struct http_connection *http_connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

void http_connection_allow(struct http_connection *c, int64_t ms, bool busy)
{
    c->busy = busy;
    c->since_ms = c->door->loop->now_ms;
    c->deadline_ms = ms == INT64_MAX ? INT64_MAX : c->since_ms + ms;
}

void http_connection_hurry(struct http_connection *c, int64_t ms)
{
    int64_t deadline_ms = c->door->loop->now_ms + ms;
    c->busy = true;
    c->since_ms = c->door->loop->now_ms;
    if (deadline_ms < c->deadline_ms)
        c->deadline_ms = deadline_ms;
}

static void use_tls_context(const struct http_door *d, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info && info->tls_session)
        gnutls_session_set_ptr(info->tls_session, d->settings.tls_context);
}

/* The library tells when it begins and when it has ended with a socket. */
static void on_connection(void *context, struct MHD_Connection *connection, void **place,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_door *d = context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *place = d->entering;
        use_tls_context(d, connection);
    } else if (*place) {
        ((struct http_connection *)*place)->door = NULL;
    }
}

static struct http_connection *free_place(struct http_places *places)
{
    for (int i = 0; i < HTTP_CONNECTIONS; i++)
        if (!places->list[i].door)
            return &places->list[i];
    return NULL;
}

static int count_address(const struct http_places *places, const struct sockaddr_storage *address)
{
    int n = 0;
    for (int i = 0; i < HTTP_CONNECTIONS; i++)
        n += places->list[i].door && address_same_host(&places->list[i].address, address);
    return n;
}

/* Why somebody may lose his place. */
typedef bool may_go(const struct http_door *d, const struct http_connection *c);

/* A browser that finds a connection closed on which it waits for nothing opens another without a word. */
static bool idles(const struct http_door *d, const struct http_connection *c)
{
    return !c->busy && (c->served || d->loop->now_ms - c->since_ms > HTTP_EVICTABLE_MS);
}

static bool is_known(const struct http_door *d, const struct sockaddr_storage *address)
{
    return d->settings.is_known(d->settings.context, address);
}

/* Unless he waits for us: the library sees no end of those. */
static bool is_slow_stranger(const struct http_door *d, const struct http_connection *c)
{
    return c->deadline_ms != INT64_MAX && !c->from_here && !is_known(d, &c->address);
}

/* Of those who may go who is longest at what he does: of one address, or of all (NULL). */
static struct http_connection *longest(const struct http_door *d, may_go *may,
                                       const struct sockaddr_storage *address)
{
    struct http_connection *found = NULL;
    for (int i = 0; i < HTTP_CONNECTIONS; i++) {
        struct http_connection *c = &d->settings.places->list[i];
        if (c->door && may(d, c) && (!address || address_same_host(&c->address, address)) &&
            (!found || c->since_ms < found->since_ms))
            found = c;
    }
    return found;
}

/* The library notices at once, closes, and gives the place back.  What lies in the socket's buffer for a slow reader
 * is not sent any more. */
static void cut(struct http_connection *c)
{
    const struct linger at_once = {.l_onoff = 1};
    c->deadline_ms = INT64_MAX;
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(c->fd, SHUT_RDWR);
    http_door_kick(c->door);
}

/* A free place; where there is none, or this address has all it may, who idles longest gives up his.  Strangers who
 * fill the house with requests that do not end make room for who is known, and for who comes from here: a new system is
 * taken back if it does not reach its own page. */
static struct http_connection *make_place(struct http_door *d,
                                          const struct sockaddr_storage *address, bool from_here)
{
    struct http_places *places = d->settings.places;
    bool crowded = count_address(places, address) >= HTTP_CONNECTIONS_PER_ADDRESS;
    struct http_connection *c = crowded ? NULL : free_place(places);
    if (c)
        return c;
    struct http_connection *victim = longest(d, idles, crowded ? address : NULL);
    if (!victim && !crowded && (from_here || is_known(d, address)))
        victim = longest(d, is_slow_stranger, NULL);
    if (!victim)
        return NULL;
    struct http_door *other = victim->door;
    cut(victim);
    work(other);
    return free_place(places);
}

static void tune(int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    address_keep_alive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
    address_give_up(fd, GIVE_UP_S);
}

static void admit(struct http_door *d, int fd, const struct sockaddr_storage *address)
{
    bool from_here = address_is_of_this_machine(fd, address);
    struct http_connection *c = make_place(d, address, from_here);
    if (!c) {
        d->settings.places->refused++;
        address_reset(fd);
        return;
    }
    tune(fd);
    *c = (struct http_connection){.door = d, .address = *address, .fd = fd, .from_here = from_here};
    http_connection_allow(c, HTTP_REQUEST_MS, false);
    d->entering = c;
    if (MHD_add_connection(d->daemon, fd, (const struct sockaddr *)address,
                           address_length(address)) != MHD_YES)
        c->door = NULL;
    work(d);
}

static void on_accepted(struct listener *l, int fd, const struct sockaddr_storage *address)
{
    admit(CONTAINER_OF(l, struct http_door, listener), fd, address);
}

static void on_sweep(struct loop_timer *timer)
{
    struct http_door *d = CONTAINER_OF(timer, struct http_door, sweep);
    for (int i = 0; i < HTTP_CONNECTIONS; i++) {
        struct http_connection *c = &d->settings.places->list[i];
        if (c->door == d && c->deadline_ms <= d->loop->now_ms)
            cut(c);
    }
    loop_set_timer(d->loop, &d->sweep, SWEEP_MS);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Leaves URIs as they were sent: routes are compared whole, and nothing of them reaches a file. */
static size_t do_not_unescape(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static bool start_library(struct http_door *d)
{
    const struct http_door_settings *s = &d->settings;
    d->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | s->flags, 0, NULL,
        NULL, s->handler, s->context, MHD_OPTION_NOTIFY_CONNECTION, on_connection, d,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)INACTIVITY_S, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HTTP_CONNECTIONS, MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_UNESCAPE_CALLBACK,
        do_not_unescape, NULL, MHD_OPTION_ARRAY, s->options, MHD_OPTION_END);
    if (!d->daemon)
        return false;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(d->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    d->working = (struct loop_fd){.ready = on_working, .fd = info->epoll_fd};
    return loop_watch(d->loop, &d->working, EPOLLIN) == 0;
}

static bool start_listening(struct http_door *d, char error[static HTTP_DOOR_ERROR_MAX])
{
    const struct http_door_settings *s = &d->settings;
    char why[LISTENER_ERROR_MAX];
    if (listener_open(&d->listener, d->loop, s->listen, s->option, why))
        return true;
    snprintf(error, HTTP_DOOR_ERROR_MAX, "--%s %.60s: %s", s->option, s->listen, why);
    return false;
}

struct http_door *http_door_open(struct loop *l, const struct http_door_settings *settings,
                                 char error[static HTTP_DOOR_ERROR_MAX])
{
    struct http_door *d = heap_new(sizeof *d);
    if (!d) {
        snprintf(error, HTTP_DOOR_ERROR_MAX, "out of memory");
        return NULL;
    }
    d->loop = l;
    d->settings = *settings;
    d->due.expired = on_due;
    d->sweep.expired = on_sweep;
    d->working.fd = -1;
    d->listener = (struct listener){
        .accepted = on_accepted, .refused = &settings->places->refused, .backlog = BACKLOG};
    if (start_listening(d, error)) {
        if (start_library(d)) {
            loop_set_timer(l, &d->sweep, SWEEP_MS);
            return d;
        }
        errno = ENOMEM;
        snprintf(error, HTTP_DOOR_ERROR_MAX, "--%s: the HTTP library did not start",
                 settings->option);
    }
    int problem = errno;
    http_door_close(d);
    errno = problem;
    return NULL;
}

void http_door_close(struct http_door *d)
{
    if (!d)
        return;
    loop_cancel_timer(d->loop, &d->due);
    loop_cancel_timer(d->loop, &d->sweep);
    listener_close(&d->listener);
    loop_watch(d->loop, &d->working, 0);
    if (d->daemon) {
        MHD_run(d->daemon); /* what was resumed is so after this only */
        MHD_stop_daemon(d->daemon);
    }
    free(d);
}

const struct sockaddr_storage *http_door_bound(const struct http_door *d)
{
    return &d->listener.bound;
}
