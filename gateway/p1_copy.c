#include "p1_copy.h"

#include "heap.h"
#include "log.h"
#include "serial_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PATH_MAX_LEN = 256, PROBLEM_MAX = 120, DROP_MAX = 512, QUIET_LOG_MS = 60000 };

struct p1_copy {
    struct loop *loop;
    struct loop_fd watch; /* the port; .fd < 0: not open */
    struct loop_timer retry, stall;
    struct p1_copy_counters counters;
    bool losing;            /* until the queue is empty again */
    int64_t loss_logged_ms; /* 0: never */
    size_t queue_at, queued;
    char path[PATH_MAX_LEN], problem[PROBLEM_MAX];
    uint8_t queue[P1_COPY_QUEUE];
};

/* --- losses ----------------------------------------------------------------------------------- */

static void drop_queue(struct p1_copy *c)
{
    c->counters.lost += c->queued;
    c->queued = c->queue_at = 0;
    c->losing = false;
    loop_cancel_timer(c->loop, &c->stall);
}

static void log_loss(struct p1_copy *c)
{
    if (c->loss_logged_ms && c->loop->now_ms - c->loss_logged_ms < QUIET_LOG_MS)
        return;
    c->loss_logged_ms = c->loop->now_ms;
    log_warning("p1-out", "%s does not take all bytes; more losses are only counted", c->path);
}

static void lose_port(struct p1_copy *c, const char *problem)
{
    if (strcmp(problem, c->problem) != 0)
        log_warning("p1-out", "%s: %s; trying again every %d s", c->path, problem,
                    P1_COPY_RETRY_MS / 1000);
    snprintf(c->problem, sizeof c->problem, "%s", problem);
    drop_queue(c);
    if (c->watch.fd >= 0)
        loop_watch(c->loop, &c->watch, 0);
    serial_port_close(c->watch.fd);
    c->watch.fd = -1;
    loop_set_timer(c->loop, &c->retry, P1_COPY_RETRY_MS);
}

/* --- the way of the bytes --------------------------------------------------------------------- */

/* Gives bytes to the port and returns how many it took; it may be lost by that. */
static size_t give(struct p1_copy *c, const uint8_t *bytes, size_t n)
{
    ssize_t taken = write(c->watch.fd, bytes, n);
    if (taken < 0 && errno != EAGAIN && errno != EINTR)
        lose_port(c, strerror(errno));
    if (taken <= 0)
        return 0;
    c->counters.copied += (size_t)taken;
    return (size_t)taken;
}

/* Watches for room while something waits, and for how long none comes. */
static void wait_for_room(struct p1_copy *c)
{
    loop_watch(c->loop, &c->watch, c->queued ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (c->queued)
        loop_set_timer(c->loop, &c->stall, P1_COPY_STALL_MS);
    else
        loop_cancel_timer(c->loop, &c->stall);
}

/* Behind what waits already; bytes that do not fit are lost, and all that follow until the queue is empty. */
static void enqueue(struct p1_copy *c, const uint8_t *bytes, size_t n)
{
    bool was_waiting = c->queued > 0;
    if (c->losing || n > P1_COPY_QUEUE - c->queued) {
        c->losing = was_waiting;
        c->counters.lost += n;
        log_loss(c);
        return;
    }
    memmove(c->queue, c->queue + c->queue_at, c->queued);
    memcpy(c->queue + c->queued, bytes, n);
    c->queue_at = 0;
    c->queued += n;
    if (!was_waiting)
        wait_for_room(c);
}

void p1_copy_bytes(struct p1_copy *c, const uint8_t *bytes, size_t n)
{
    size_t taken = c->watch.fd >= 0 && !c->queued ? give(c, bytes, n) : 0;
    if (c->watch.fd < 0)
        c->counters.lost += n - taken;
    else if (taken < n)
        enqueue(c, bytes + taken, n - taken);
}

static void send_queue(struct p1_copy *c)
{
    size_t taken = give(c, c->queue + c->queue_at, c->queued);
    if (taken == 0)
        return;
    c->queue_at += taken;
    c->queued -= taken;
    c->losing = c->losing && c->queued;
    wait_for_room(c);
}

/* Old bytes are worth nothing, those that the port holds neither: who listens again must not take them for new. */
static void on_stall(struct loop_timer *timer)
{
    struct p1_copy *c = CONTAINER_OF(timer, struct p1_copy, stall);
    log_loss(c);
    drop_queue(c);
    tcflush(c->watch.fd, TCOFLUSH);
    wait_for_room(c);
}

/* --- the port --------------------------------------------------------------------------------- */

/* What comes from there is dropped.  False: it is gone. */
static bool drop_received(struct p1_copy *c)
{
    uint8_t bytes[DROP_MAX];
    ssize_t n = read(c->watch.fd, bytes, sizeof bytes);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return true;
    lose_port(c, n == 0 ? "the device is gone" : strerror(errno));
    return false;
}

static void on_port(struct loop_fd *watch, uint32_t events)
{
    struct p1_copy *c = CONTAINER_OF(watch, struct p1_copy, watch);
    bool there = !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || drop_received(c);
    if (there && c->queued && (events & EPOLLOUT))
        send_queue(c);
}

static void on_retry(struct loop_timer *timer)
{
    static const struct serial_line line = {.baud = 115200};
    struct p1_copy *c = CONTAINER_OF(timer, struct p1_copy, retry);
    const char *problem;
    int fd = serial_port_open(c->path, &line, &problem);
    c->watch = (struct loop_fd){.ready = on_port, .fd = fd};
    if (fd < 0 || loop_watch(c->loop, &c->watch, EPOLLIN) < 0) {
        lose_port(c, fd < 0 ? problem : strerror(errno));
        return;
    }
    c->problem[0] = 0;
    log_info("p1-out", "copying to %s", c->path);
}

/* --- life ------------------------------------------------------------------------------------- */

struct p1_copy *p1_copy_open(struct loop *l, const char *path)
{
    struct p1_copy *c = heap_new(sizeof *c);
    if (!c)
        return NULL;
    c->loop = l;
    c->watch.fd = -1;
    c->retry.expired = on_retry;
    c->stall.expired = on_stall;
    snprintf(c->path, sizeof c->path, "%s", path);
    on_retry(&c->retry);
    return c;
}

void p1_copy_close(struct p1_copy *c)
{
    if (!c)
        return;
    loop_cancel_timer(c->loop, &c->retry);
    loop_cancel_timer(c->loop, &c->stall);
    if (c->watch.fd >= 0)
        loop_watch(c->loop, &c->watch, 0);
    serial_port_close(c->watch.fd);
    free(c);
}

const char *p1_copy_path(const struct p1_copy *c)
{
    return c->path;
}

const char *p1_copy_problem(const struct p1_copy *c)
{
    return c->problem;
}

struct p1_copy_counters p1_copy_get_counters(const struct p1_copy *c)
{
    return c->counters;
}
