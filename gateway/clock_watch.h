/* clock_watch.h - feeds the lower bound of the time (clock_floor.h) from the meter and the system's clock, and keeps
 * it. */
#ifndef CLOCK_WATCH_H
#define CLOCK_WATCH_H

#include "clock_floor.h"
#include "meter.h"
#include "worker.h"

struct clock_watch {
    struct clock_floor floor;
    /* private */
    struct loop *loop;
    struct meter *meter;
    const char *state_dir;
    struct meter_listener listener;
    struct loop_timer timer;
    struct worker_job job; /* keeps `saving_s` */
    int64_t saving_s;
    bool saved;
};

/* Begins; reads what was kept: it blocks on the disk. */
void clock_watch_open(struct clock_watch *w, struct loop *l, struct meter *meter,
                      const char *state_dir);
void clock_watch_close(struct clock_watch *w);

#endif
