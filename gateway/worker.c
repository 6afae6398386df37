#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void *run_job(void *argument)
{
    struct worker_job *job = argument;
    uint64_t one = 1;
    job->run(job);
    /* cannot fail: the counter is far from its limit */
    if (write(job->finished.fd, &one, sizeof one) < 0)
        return NULL;
    return NULL;
}

void worker_join(struct worker_job *job)
{
    if (!job->busy)
        return;
    loop_watch(job->loop, &job->finished, 0);
    pthread_join(job->thread, NULL);
    close(job->finished.fd);
    job->busy = false;
    job->loop->jobs--;
}

void worker_drain(struct loop *l, int64_t limit_ms)
{
    int64_t until_ms = loop_clock_ms() + limit_ms;
    while (l->jobs && loop_clock_ms() < until_ms)
        loop_turn(l, 20);
}

static void on_finished(struct loop_fd *watch, uint32_t events)
{
    struct worker_job *job = CONTAINER_OF(watch, struct worker_job, finished);
    (void)events;
    worker_join(job);
    job->done(job);
}

/* Signals belong to the loop's thread. */
static int create_thread(struct worker_job *job)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&job->thread, NULL, run_job, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

int worker_start(struct loop *l, struct worker_job *job)
{
    job->loop = l;
    job->finished = (struct loop_fd){.ready = on_finished, .fd = eventfd(0, EFD_CLOEXEC)};
    if (job->finished.fd < 0)
        return -1;
    int error = loop_watch(l, &job->finished, EPOLLIN) < 0 ? errno : create_thread(job);
    if (error == 0) {
        job->busy = true;
        l->jobs++;
        return 0;
    }
    loop_watch(l, &job->finished, 0);
    close(job->finished.fd);
    errno = error;
    return -1;
}
