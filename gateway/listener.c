#include "listener.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { PAUSE_MS = 200 };

/* --- connections ------------------------------------------------------------------------------ */

/* Who waits goes on waiting, and the loop would come back at once. */
static bool is_stuck(const struct listener *l, int problem)
{
    bool no_descriptor = problem == EMFILE || problem == ENFILE;
    return problem == ENOMEM || problem == ENOBUFS || (no_descriptor && l->reserve_fd < 0);
}

static void on_pause_over(struct loop_timer *timer)
{
    struct listener *l = CONTAINER_OF(timer, struct listener, pause);
    if (loop_watch(l->loop, &l->watch, EPOLLIN) < 0)
        loop_set_timer(l->loop, &l->pause, PAUSE_MS);
}

static void on_listen(struct loop_fd *watch, uint32_t events)
{
    struct listener *l = CONTAINER_OF(watch, struct listener, watch);
    struct sockaddr_storage address;
    (void)events;
    int fd = address_accept(watch->fd, &l->reserve_fd, &address);
    if (fd >= 0) {
        l->accepted(l, fd, &address);
        return;
    }
    if (is_stuck(l, errno)) {
        loop_watch(l->loop, &l->watch, 0);
        loop_set_timer(l->loop, &l->pause, PAUSE_MS);
    } else if (l->refused) {
        *l->refused += errno == EMFILE || errno == ENFILE;
    }
}

static void stop_accepting(struct listener *l)
{
    loop_watch(l->loop, &l->watch, 0);
    loop_cancel_timer(l->loop, &l->pause);
}

static void read_bound(int fd, struct sockaddr_storage *bound)
{
    socklen_t length = sizeof *bound;
    getsockname(fd, (struct sockaddr *)bound, &length);
}

static int start(struct listener *l, struct loop *loop, int fd)
{
    l->loop = loop;
    l->watch = (struct loop_fd){.ready = on_listen, .fd = fd};
    l->pause.expired = on_pause_over;
    read_bound(fd, &l->bound);
    return loop_watch(loop, &l->watch, EPOLLIN);
}

/* --- what systemd opened ---------------------------------------------------------------------- */

/* One socket of systemd's; `idle` refuses while no door uses it. */
static struct inherited {
    struct listener idle;
    bool in_use;
} inherited[LISTENER_INHERITED_MAX];
static int inherited_count;

static void refuse(struct listener *l, int fd, const struct sockaddr_storage *address)
{
    (void)l;
    (void)address;
    address_reset(fd);
}

static bool is_tcp_listener(int fd)
{
    return sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0;
}

static void take_over(struct loop *loop, int fd, const char *name)
{
    char address[ADDRESS_TEXT_MAX];
    if (inherited_count == LISTENER_INHERITED_MAX || !is_tcp_listener(fd)) {
        log_warning("listener", "the socket \"%.60s\" of systemd is closed: %s", name,
                    inherited_count == LISTENER_INHERITED_MAX
                        ? "there are too many"
                        : "it is no TCP listener (ListenStream=PORT)");
        close(fd);
        return;
    }
    struct listener *idle = &inherited[inherited_count].idle;
    *idle = (struct listener){.accepted = refuse,
                              .reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    inherited[inherited_count++].in_use = false;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)start(idle, loop, fd);
    address_format(&idle->bound, address);
    log_debug("listener", "systemd listens at %s (%.60s)", address, name);
}

void listener_inherit(struct loop *l)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);
    if (count < 0)
        log_warning("listener", "sockets of systemd cannot be taken over: %s", strerror(-count));
    for (int i = 0; i < count; i++) {
        take_over(l, SD_LISTEN_FDS_START + i, names[i]);
        free(names[i]);
    }
    free(names);
}

void listener_disinherit(void)
{
    for (struct inherited *i = inherited; i < inherited + inherited_count; i++) {
        stop_accepting(&i->idle);
        close(i->idle.watch.fd);
        if (i->idle.reserve_fd >= 0)
            close(i->idle.reserve_fd);
    }
    inherited_count = 0;
}

/* systemd has no [::] on a machine without IPv6. */
static bool is_all_addresses(const struct sockaddr_storage *address)
{
    char host[ADDRESS_TEXT_MAX];
    address_format_host(address, host);
    return strcmp(host, "::") == 0 || strcmp(host, "0.0.0.0") == 0;
}

static bool is_place(const struct sockaddr_storage *wanted, const struct sockaddr_storage *bound)
{
    return address_port(wanted) == address_port(bound) &&
           (address_same_host(wanted, bound) ||
            (wanted->ss_family == AF_INET6 && is_all_addresses(wanted) && is_all_addresses(bound)));
}

static struct inherited *find_inherited(const struct sockaddr_storage *wanted)
{
    for (struct inherited *i = inherited; i < inherited + inherited_count; i++)
        if (!i->in_use && is_place(wanted, &i->idle.bound))
            return i;
    return NULL;
}

/* The inherited socket at this port, whatever its address and user. */
static const struct inherited *at_port(int port)
{
    for (const struct inherited *i = inherited; i < inherited + inherited_count; i++)
        if (address_port(&i->idle.bound) == port)
            return i;
    return NULL;
}

static int borrow(struct inherited *i, int backlog)
{
    stop_accepting(&i->idle);
    i->in_use = true;
    listen(i->idle.watch.fd, backlog);
    return i->idle.watch.fd;
}

/* False: it is not one of them. */
static bool give_back(int fd)
{
    for (struct inherited *i = inherited; i < inherited + inherited_count; i++) {
        if (!i->in_use || i->idle.watch.fd != fd)
            continue;
        i->in_use = false;
        loop_watch(i->idle.loop, &i->idle.watch, EPOLLIN);
        return true;
    }
    return false;
}

/* --- life ------------------------------------------------------------------------------------- */

static void stop(struct listener *l)
{
    stop_accepting(l);
    if (!give_back(l->watch.fd))
        close(l->watch.fd);
}

/* Listens there in place of where it listened before.  False with errno: it listens where it did. */
static bool listen_at(struct listener *l, struct loop *loop, const struct sockaddr_storage *address)
{
    struct inherited *ready = find_inherited(address);
    int fd = ready ? borrow(ready, l->backlog)
                   : address_listen(address, address_length(address), l->backlog);
    if (fd < 0)
        return false;
    if (l->loop)
        stop(l);
    return start(l, loop, fd) == 0;
}

static void explain(int problem, const struct sockaddr_storage *address, const char *option,
                    char error[static LISTENER_ERROR_MAX])
{
    char remedy[160], theirs[ADDRESS_TEXT_MAX];
    const struct inherited *other = problem == EADDRINUSE ? at_port(address_port(address)) : NULL;
    address_remedy(problem, option, remedy, sizeof remedy);
    if (other) {
        address_format(&other->idle.bound, theirs);
        snprintf(remedy, sizeof remedy,
                 "systemd opened %s for us: choose that with --%s, or ListenStream= anew", theirs,
                 option);
    }
    snprintf(error, LISTENER_ERROR_MAX, "%s; %s", strerror(problem), remedy);
}

bool listener_open(struct listener *l, struct loop *loop, const char *where, const char *option,
                   char error[static LISTENER_ERROR_MAX])
{
    struct sockaddr_storage address;
    socklen_t length;
    if (!address_parse(where, &address, &length)) {
        snprintf(error, LISTENER_ERROR_MAX, "use ADDR:PORT, [IPV6]:PORT or PORT");
        errno = EINVAL;
        return false;
    }
    l->loop = NULL;
    if (listen_at(l, loop, &address)) {
        l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return true;
    }
    int problem = errno;
    explain(problem, &address, option, error);
    errno = problem;
    return false;
}

bool listener_move(struct listener *l, int port)
{
    struct sockaddr_storage address = l->bound;
    address_set_port(&address, port);
    return address_port(&l->bound) == port || listen_at(l, l->loop, &address);
}

void listener_close(struct listener *l)
{
    if (!l->loop)
        return;
    stop(l);
    if (l->reserve_fd >= 0)
        close(l->reserve_fd);
    l->loop = NULL;
}
