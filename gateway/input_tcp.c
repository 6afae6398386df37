/* input_tcp.c - a raw telegram stream over TCP, such as ser2net's.  Name look-up and connecting may
 * block for a minute, so a worker does them. */
#include "address.h"
#include "heap.h"
#include "input.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_S = 10,
    KEEPALIVE_IDLE_S = 10,
    KEEPALIVE_INTERVAL_S = 5,
    KEEPALIVE_COUNT = 3
};

/* What the worker needs, apart from the input, which may be closed meanwhile. */
struct tcp_connect {
    struct worker_job job;
    struct input_tcp *input; /* NULL: nobody waits for the result any more */
    int fd;
    char host[128], port[8], error[256];
};

struct input_tcp {
    struct input base;
    struct loop_fd watch;
    struct tcp_connect *connecting;
    char host[128], port[8];
};

static struct input_tcp *tcp(struct input *in)
{
    return CONTAINER_OF(in, struct input_tcp, base);
}

/* HOST:PORT, [IPv6]:PORT */
static bool tcp_configure(struct input *in, const char *rest, char error[static INPUT_ERROR_MAX])
{
    struct input_tcp *t = tcp(in);
    const char *colon = strrchr(rest, ':');
    size_t host_length = colon ? (size_t)(colon - rest) : 0;
    if (host_length > 2 && rest[0] == '[' && rest[host_length - 1] == ']') {
        rest++;
        host_length -= 2;
    }
    char *end;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (!host_length || host_length >= sizeof t->host || port < 1 || port > 65535 || *end) {
        snprintf(error, INPUT_ERROR_MAX, "\"tcp:%.80s\": use tcp:HOST:PORT, port 1 to 65535", rest);
        return false;
    }
    memcpy(t->host, rest, host_length);
    snprintf(t->port, sizeof t->port, "%ld", port);
    t->watch.fd = -1;
    return true;
}

static int connect_to(const struct addrinfo *a)
{
    struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
        return fd;
    int error = errno == EINPROGRESS ? ETIMEDOUT : errno;
    close(fd);
    errno = error;
    return -1;
}

/* On the worker's thread. */
static void run_connect(struct worker_job *job)
{
    struct tcp_connect *c = CONTAINER_OF(job, struct tcp_connect, job);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int problem = getaddrinfo(c->host, c->port, &hints, &found);
    c->fd = -1;
    if (problem) {
        snprintf(c->error, sizeof c->error, "%s", gai_strerror(problem));
        return;
    }
    for (const struct addrinfo *a = found; a && c->fd < 0; a = a->ai_next)
        c->fd = connect_to(a);
    if (c->fd < 0)
        snprintf(c->error, sizeof c->error, "%s", strerror(errno));
    freeaddrinfo(found);
}

static void on_tcp(struct loop_fd *watch, uint32_t events)
{
    struct input_tcp *t = CONTAINER_OF(watch, struct input_tcp, watch);
    uint8_t bytes[INPUT_READ_MAX];
    ssize_t n = recv(watch->fd, bytes, sizeof bytes, 0);
    (void)events;
    if (n > 0)
        input_bytes(&t->base, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        input_lost(&t->base, n == 0 ? "the other side closed the connection" : strerror(errno));
}

static void use_connection(struct input_tcp *t, int fd)
{
    t->watch = (struct loop_fd){.ready = on_tcp, .fd = fd};
    /* a peer that vanished without a word is found by probes */
    address_keep_alive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || loop_watch(t->base.loop, &t->watch, EPOLLIN) < 0)
        input_lost(&t->base, strerror(errno));
    else
        input_opened(&t->base, t->base.name);
}

static void on_connected(struct worker_job *job)
{
    struct tcp_connect *c = CONTAINER_OF(job, struct tcp_connect, job);
    struct input_tcp *t = c->input;
    if (t)
        t->connecting = NULL;
    if (t && c->fd >= 0)
        use_connection(t, c->fd);
    else if (t)
        input_lost(&t->base, c->error);
    else if (c->fd >= 0)
        close(c->fd);
    free(c);
}

static void tcp_open(struct input *in)
{
    struct input_tcp *t = tcp(in);
    struct tcp_connect *c = heap_new(sizeof *c);
    if (!c) {
        input_lost(in, "out of memory");
        return;
    }
    c->job.run = run_connect;
    c->job.done = on_connected;
    c->input = t;
    snprintf(c->host, sizeof c->host, "%s", t->host);
    snprintf(c->port, sizeof c->port, "%s", t->port);
    t->connecting = c;
    if (worker_start(in->loop, &c->job) == 0)
        return;
    t->connecting = NULL;
    free(c);
    input_lost(in, strerror(errno));
}

static void tcp_close(struct input *in)
{
    struct input_tcp *t = tcp(in);
    if (t->connecting)
        t->connecting->input = NULL;
    t->connecting = NULL;
    if (t->watch.fd < 0)
        return;
    loop_watch(in->loop, &t->watch, 0);
    close(t->watch.fd);
    t->watch.fd = -1;
}

const struct input_kind input_kind_tcp = {
    .scheme = "tcp:",
    .size = sizeof(struct input_tcp),
    .configure = tcp_configure,
    .open = tcp_open,
    .close = tcp_close,
};
