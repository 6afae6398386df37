#include "network_trial.h"

#include "atomic_file.h"
#include "heap.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void forget(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

/* --- the file --------------------------------------------------------------------------------- */

static void run_write(struct worker_job *job)
{
    struct network_trial *t = CONTAINER_OF(job, struct network_trial, job);
    const char *text = t->writing;
    bool ok = text ? atomic_file_write(t->state_dir, NETWORK_TRIAL_FILE, text, strlen(text))
                   : atomic_file_remove(t->state_dir, NETWORK_TRIAL_FILE);
    if (!ok)
        log_warning("network", "%s/%s: %s", t->state_dir, NETWORK_TRIAL_FILE, strerror(errno));
}

/* Has the file say what it shall; what changes meanwhile is written afterwards. */
static void write_file(struct network_trial *t)
{
    t->again = t->job.busy;
    if (!t->state_dir[0] || t->job.busy)
        return;
    forget(&t->writing);
    t->writing = t->text ? strdup(t->text) : NULL;
    bool good = (t->writing || !t->text) && worker_start(t->loop, &t->job) == 0;
    if (!good)
        log_warning("network", "%s/%s: out of memory", t->state_dir, NETWORK_TRIAL_FILE);
    t->busy(t, good);
}

static void on_written(struct worker_job *job)
{
    struct network_trial *t = CONTAINER_OF(job, struct network_trial, job);
    forget(&t->writing);
    if (t->again)
        write_file(t);
    else
        t->busy(t, false);
}

/* --- the trial -------------------------------------------------------------------------------- */

static void on_timer(struct loop_timer *timer)
{
    struct network_trial *t = CONTAINER_OF(timer, struct network_trial, timer);
    t->expired(t);
}

static void run(struct network_trial *t, int64_t limit_ms)
{
    t->running = true;
    loop_set_timer(t->loop, &t->timer, limit_ms);
}

bool network_trial_open(struct network_trial *t, int64_t limit_ms)
{
    struct config_errors errors;
    size_t length = 0;
    t->timer.expired = on_timer;
    t->job = (struct worker_job){.run = run_write, .done = on_written};
    t->text = t->state_dir[0]
                  ? atomic_file_read(t->state_dir, NETWORK_TRIAL_FILE, CONFIG_FILE_MAX, &length)
                  : NULL;
    if (!t->text)
        return t->state_dir[0] == 0 || !heap_is_short();
    t->before = *t->usual;
    errno = 0;
    enum config_file_result result = config_read_file(&t->before, t->text, length, &errors);
    if (heap_is_short())
        return false;
    if (result == CONFIG_FILE_DAMAGED)
        network_trial_end(t);
    else
        run(t, limit_ms);
    return true;
}

void network_trial_begin(struct network_trial *t, const struct config *before, int64_t limit_ms)
{
    if (!t->running) {
        t->before = *before;
        forget(&t->text);
        t->text = config_file_text(before);
        if (t->text) /* an earlier one may have ended while the settings were saved */
            write_file(t);
    }
    run(t, limit_ms);
}

void network_trial_end(struct network_trial *t)
{
    loop_cancel_timer(t->loop, &t->timer);
    t->running = false;
    explicit_bzero(&t->before, sizeof t->before);
    forget(&t->text);
    write_file(t);
}

int64_t network_trial_left_ms(const struct network_trial *t)
{
    if (!t->running)
        return -1;
    return t->timer.active && t->timer.due_ms > t->loop->now_ms ? t->timer.due_ms - t->loop->now_ms
                                                                : 0;
}

void network_trial_close(struct network_trial *t)
{
    if (!t->loop)
        return;
    loop_cancel_timer(t->loop, &t->timer);
    if (t->job.busy) {
        worker_join(&t->job);
        on_written(&t->job);
    }
    if (t->job.busy)
        worker_join(&t->job);
    forget(&t->text);
    forget(&t->writing);
    explicit_bzero(&t->before, sizeof t->before);
}
