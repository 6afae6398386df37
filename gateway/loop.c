#include "loop.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

int64_t loop_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int loop_init(struct loop *l)
{
    memset(l, 0, sizeof *l);
    l->now_ms = loop_clock_ms();
    l->signals.fd = -1;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    return l->epoll_fd < 0 ? -1 : 0;
}

void loop_close(struct loop *l)
{
    if (l->signals.fd >= 0)
        close(l->signals.fd);
    close(l->epoll_fd);
    l->epoll_fd = l->signals.fd = -1;
}

/* An event of this round that has not been delivered yet must not reach a watch that is gone. */
static void forget_pending(struct loop *l, const struct loop_fd *watch)
{
    for (int i = l->batch_pos; i < l->batch_len; i++)
        if (l->batch[i].data.ptr == watch)
            l->batch[i].data.ptr = NULL;
}

int loop_watch(struct loop *l, struct loop_fd *watch, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = watch};
    int operation = watch->events == 0 ? EPOLL_CTL_ADD
                    : events == 0      ? EPOLL_CTL_DEL
                                       : EPOLL_CTL_MOD;
    if (watch->events == events)
        return 0;
    if (events == 0)
        forget_pending(l, watch);
    watch->events = events;
    if (epoll_ctl(l->epoll_fd, operation, watch->fd, &e) == 0)
        return 0;
    if (operation == EPOLL_CTL_ADD)
        watch->events = 0;
    return -1;
}

void loop_cancel_timer(struct loop *l, struct loop_timer *timer)
{
    struct loop_timer **link = &l->timers;
    while (timer->active && *link != timer)
        link = &(*link)->next;
    if (timer->active)
        *link = timer->next;
    timer->active = false;
}

void loop_set_timer(struct loop *l, struct loop_timer *timer, int64_t delay_ms)
{
    struct loop_timer **link = &l->timers;
    loop_cancel_timer(l, timer);
    timer->due_ms = l->now_ms + delay_ms;
    timer->set_in = l->round;
    while (*link && (*link)->due_ms <= timer->due_ms)
        link = &(*link)->next;
    timer->next = *link;
    timer->active = true;
    *link = timer;
}

/* A timer set by one of these handlers waits for the next round, however short: a handler that sets
 * itself again and again must not keep the loop from its file descriptors. */
static void run_due_timers(struct loop *l)
{
    struct loop_timer *timer = l->timers;
    l->round++;
    while (timer && timer->due_ms <= l->now_ms) {
        if (timer->set_in == l->round) {
            timer = timer->next;
            continue;
        }
        loop_cancel_timer(l, timer);
        timer->expired(timer);
        timer = l->timers;
    }
}

static int wait_ms(const struct loop *l)
{
    if (!l->timers)
        return -1;
    int64_t wait = l->timers->due_ms - l->now_ms;
    return wait < 0 ? 0 : wait > INT_MAX ? INT_MAX : (int)wait;
}

static void deliver_batch(struct loop *l)
{
    while (l->batch_pos < l->batch_len) {
        const struct epoll_event *e = &l->batch[l->batch_pos++];
        struct loop_fd *watch = e->data.ptr;
        if (watch)
            watch->ready(watch, e->events);
    }
}

static inline void turn(struct loop *l, int wait)
{
    int n = epoll_wait(l->epoll_fd, l->batch, LOOP_BATCH, wait);
    l->batch_len = n < 0 ? 0 : n;
    l->batch_pos = 0;
    l->now_ms = loop_clock_ms();
    deliver_batch(l);
    run_due_timers(l);
}

void loop_turn(struct loop *l, int limit_ms)
{
    int wait = wait_ms(l);
    turn(l, wait < 0 || wait > limit_ms ? limit_ms : wait);
}

void loop_run(struct loop *l)
{
    l->stopping = false;
    while (!l->stopping)
        turn(l, wait_ms(l));
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

static void on_stop_signal(struct loop_fd *watch, uint32_t events)
{
    struct loop *l = CONTAINER_OF(watch, struct loop, signals);
    struct signalfd_siginfo info;
    (void)events;
    if (read(watch->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    l->stop_signal = (int)info.ssi_signo;
    loop_stop(l);
}

int loop_stop_on_signals(struct loop *l)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN); /* sent when a lease of ours is broken */
    sigprocmask(SIG_BLOCK, &set, NULL);
    l->signals = (struct loop_fd){.ready = on_stop_signal,
                                  .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)};
    return l->signals.fd < 0 ? -1 : loop_watch(l, &l->signals, EPOLLIN);
}

int loop_stop_signal(const struct loop *l)
{
    return l->stop_signal;
}
