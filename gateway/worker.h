/* worker.h - work that may block (DNS, connecting) on a thread of its own; its end comes to the loop.
 *
 * One job struct runs one job at a time.  While it runs, everything it points to belongs to it.
 */
#ifndef WORKER_H
#define WORKER_H

#include "loop.h"

#include <pthread.h>

struct worker_job {
    void (*run)(struct worker_job *job);  /* on the thread */
    void (*done)(struct worker_job *job); /* on the loop, after run returned */
    bool busy;                            /* read-only: from worker_start() until done is called */
    /* private */
    struct loop *loop;
    struct loop_fd finished;
    pthread_t thread;
};

/* Starts job->run on a thread.  0, or -1 with errno; done is not called then. */
int worker_start(struct loop *l, struct worker_job *job);

/* Turns the loop until all jobs have ended and done was called, for limit_ms at most: before the loop is closed, when
 * jobs of modules that are gone may still be under way. */
void worker_drain(struct loop *l, int64_t limit_ms);

/* Waits for a job that is under way, and drops it: done is not called.  For the end of the process. */
void worker_join(struct worker_job *job);

#endif
