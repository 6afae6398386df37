/* loop.h - one thread, one wait: file descriptors and timers on epoll.
 *
 * Records are members of their owner's struct; a handler is given its record and finds the owner with
 * CONTAINER_OF.  The loop allocates nothing and knows none of the modules.  Handlers must not block.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

enum { LOOP_BATCH = 64 };

struct loop_fd {
    void (*ready)(struct loop_fd *watch,
                  uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR */
    int fd;
    uint32_t events; /* private: what is waited for; 0 = not in the loop */
};

struct loop_timer {
    void (*expired)(struct loop_timer *timer);
    int64_t due_ms;          /* private */
    unsigned set_in;         /* private: round in which it was set */
    struct loop_timer *next; /* private */
    bool active;             /* private */
};

struct loop {
    int64_t now_ms; /* CLOCK_BOOTTIME when the loop last woke up; read it, it costs nothing */
    /* private */
    int epoll_fd;
    bool stopping;
    int batch_len, batch_pos;
    unsigned round;
    struct epoll_event batch[LOOP_BATCH];
    struct loop_timer *timers; /* earliest first */
    struct loop_fd signals;
    int stop_signal; /* see loop_stop_on_signals() */
    unsigned jobs;   /* of worker.h: under way */
};

/* 0, or -1 with errno. */
int loop_init(struct loop *l);
void loop_close(struct loop *l);

/* Waits for `events` on watch->fd; with 0, stops waiting.  May be called from handlers, also for a
 * watch whose event is still to be delivered in this round: it will not be.  0, or -1 with errno. */
int loop_watch(struct loop *l, struct loop_fd *watch, uint32_t events);

/* Calls timer->expired once, at the earliest after delay_ms; an active timer is moved. */
void loop_set_timer(struct loop *l, struct loop_timer *timer, int64_t delay_ms);
void loop_cancel_timer(struct loop *l, struct loop_timer *timer);

/* From now on SIGTERM and SIGINT stop the loop, and SIGPIPE and SIGIO are ignored.  0, or -1 with errno. */
int loop_stop_on_signals(struct loop *l);

/* The signal that stopped the loop; 0: none did. */
int loop_stop_signal(const struct loop *l);

/* Runs until loop_stop(). */
void loop_run(struct loop *l);

/* Waits once, for limit_ms at most, and delivers what came. */
void loop_turn(struct loop *l, int limit_ms);
void loop_stop(struct loop *l);

/* CLOCK_BOOTTIME in milliseconds: monotonic, counts suspended time. */
int64_t loop_clock_ms(void);

#endif
