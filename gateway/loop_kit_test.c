#include "loop_kit_test.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { WATCHES_MAX = 32, JOB_LIMIT_MS = 60000, FIRST_MS = 1000000 };

static struct loop_fd *watches[WATCHES_MAX];

int64_t loop_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int loop_init(struct loop *l)
{
    *l = (struct loop){.now_ms = FIRST_MS};
    memset(watches, 0, sizeof watches);
    return 0;
}

void loop_close(struct loop *l)
{
    assert_null(l->timers);
    for (int i = 0; i < WATCHES_MAX; i++)
        assert_null(watches[i]);
}

/* --- timers ----------------------------------------------------------------------------------- */

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
    while (*link && (*link)->due_ms <= timer->due_ms)
        link = &(*link)->next;
    timer->next = *link;
    timer->active = true;
    *link = timer;
}

static void pass(struct loop *l, int64_t ms, void (*after_each)(struct loop *l))
{
    int64_t until_ms = l->now_ms + ms;
    while (l->timers && l->timers->due_ms <= until_ms) {
        struct loop_timer *timer = l->timers;
        l->now_ms = timer->due_ms > l->now_ms ? timer->due_ms : l->now_ms;
        loop_cancel_timer(l, timer);
        timer->expired(timer);
        after_each(l);
    }
    l->now_ms = until_ms;
}

static void do_nothing(struct loop *l)
{
    (void)l;
}

void loop_kit_pass(struct loop *l, int64_t ms)
{
    pass(l, ms, do_nothing);
}

void loop_kit_run(struct loop *l, int64_t ms)
{
    pass(l, ms, loop_kit_settle);
}

/* --- file descriptors ------------------------------------------------------------------------- */

int loop_watch(struct loop *l, struct loop_fd *watch, uint32_t events)
{
    int i = 0;
    (void)l;
    while (i < WATCHES_MAX && watches[i] != (watch->events ? watch : NULL))
        i++;
    if (watch->events == 0 && events == 0)
        return 0;
    assert_true(i < WATCHES_MAX);
    watches[i] = events ? watch : NULL;
    watch->events = events;
    return 0;
}

/* One that is ready; NULL: none became so in time. */
static struct loop_fd *next_ready(int limit_ms, uint32_t *events)
{
    struct pollfd fds[WATCHES_MAX];
    for (int i = 0; i < WATCHES_MAX; i++)
        fds[i] = (struct pollfd){.fd = watches[i] ? watches[i]->fd : -1,
                                 .events = watches[i] ? (short)watches[i]->events : 0};
    if (poll(fds, WATCHES_MAX, limit_ms) <= 0)
        return NULL;
    for (int i = 0; i < WATCHES_MAX; i++) {
        if (watches[i] && fds[i].revents) {
            *events = (uint32_t)fds[i].revents; /* the bits of poll are those of epoll */
            return watches[i];
        }
    }
    return NULL;
}

void loop_kit_settle(struct loop *l)
{
    struct loop_fd *watch;
    uint32_t events;
    while ((watch = next_ready(l->jobs ? JOB_LIMIT_MS : 0, &events)) != NULL)
        watch->ready(watch, events);
    assert_int_equal(l->jobs, 0);
}

/* --- the rest of loop.h ----------------------------------------------------------------------- */

void loop_turn(struct loop *l, int limit_ms)
{
    (void)limit_ms;
    loop_kit_settle(l);
}

void loop_run(struct loop *l)
{
    l->stopping = false;
    while (!l->stopping && l->timers)
        loop_kit_run(l, l->timers->due_ms - l->now_ms);
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

int loop_stop_on_signals(struct loop *l)
{
    (void)l;
    return 0;
}

int loop_stop_signal(const struct loop *l)
{
    return l->stop_signal;
}
