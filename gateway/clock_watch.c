#include "clock_watch.h"

#include "core/reading.h"
#include "log.h"
#include "wall_clock.h"

#include <errno.h>
#include <string.h>

enum { LOOK_MS = 60000 };

static void run_save(struct worker_job *job)
{
    struct clock_watch *w = CONTAINER_OF(job, struct clock_watch, job);
    w->saved = clock_floor_save(w->state_dir, w->saving_s);
    if (!w->saved)
        log_warning("run", "%s: the time cannot be kept: %s", w->state_dir, strerror(errno));
}

static void on_saved(struct worker_job *job)
{
    struct clock_watch *w = CONTAINER_OF(job, struct clock_watch, job);
    if (w->saved)
        clock_floor_saved(&w->floor, w->saving_s);
}

static void look(struct clock_watch *w)
{
    clock_floor_note_clock(&w->floor, wall_clock_s(), wall_clock_is_synchronised());
    w->saving_s = w->job.busy ? w->saving_s : clock_floor_due(&w->floor);
    if (!w->job.busy && w->saving_s != READING_NO_TIME)
        (void)worker_start(w->loop, &w->job); /* else in a minute */
}

static void on_look(struct loop_timer *timer)
{
    struct clock_watch *w = CONTAINER_OF(timer, struct clock_watch, timer);
    loop_set_timer(w->loop, &w->timer, LOOK_MS);
    look(w);
}

static void on_reading(struct meter_listener *listener, const struct meter_snapshot *latest)
{
    struct clock_watch *w = CONTAINER_OF(listener, struct clock_watch, listener);
    const struct reading *r = &latest->reading;
    clock_floor_note_meter(&w->floor, r->meter_time_degraded ? READING_NO_TIME : r->meter_time_s);
}

static void ignore_stale(struct meter_listener *listener)
{
    (void)listener;
}

void clock_watch_open(struct clock_watch *w, struct loop *l, struct meter *meter,
                      const char *state_dir)
{
    w->loop = l;
    w->meter = meter;
    w->state_dir = state_dir;
    w->timer.expired = on_look;
    w->job = (struct worker_job){.run = run_save, .done = on_saved};
    w->listener = (struct meter_listener){.reading = on_reading, .stale = ignore_stale};
    clock_floor_load(&w->floor, state_dir);
    meter_add_listener(meter, &w->listener);
    on_look(&w->timer);
}

void clock_watch_close(struct clock_watch *w)
{
    if (!w->loop)
        return;
    loop_cancel_timer(w->loop, &w->timer);
    meter_remove_listener(w->meter, &w->listener);
    worker_join(&w->job);
}
