#include "settings.h"

#include "atomic_file.h"
#include "core/text_out.h"
#include "heap.h"
#include "http_head.h"
#include "log.h"
#include "network_trial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define DAMAGED_FILE "config.json.damaged"
#define NEWER_FILE "config.json.newer"

static void name_version(struct settings *s)
{
    snprintf(s->etag, sizeof s->etag, "\"%08x-%u\"", s->start, s->revision);
}

/* --- loading ---------------------------------------------------------------------------------- */

static void note_problem(struct settings *s, const struct config_errors *errors,
                         enum config_file_result result)
{
    if (result == CONFIG_FILE_DAMAGED)
        snprintf(
            s->problem, sizeof s->problem,
            "the stored configuration was damaged: defaults are used, and the file is kept as %s",
            DAMAGED_FILE);
    else if (errors->count)
        snprintf(s->problem, sizeof s->problem,
                 "%s in the stored configuration cannot be used (%.*s): the default holds",
                 errors->list[0].pointer, text_precision(errors->list[0].detail, 120),
                 errors->list[0].detail);
    if (s->problem[0])
        log_warning("settings", "%s/%s: %s", s->state_dir, SETTINGS_FILE, s->problem);
}

static bool take_file(struct settings *s, const char *text, size_t length)
{
    struct config_errors errors;
    errno = 0;
    enum config_file_result result = config_read_file(&s->now, text, length, &errors);
    if (heap_is_short())
        return false;
    note_problem(s, &errors, result);
    s->set_aside = result == CONFIG_FILE_NEWER || result == CONFIG_FILE_PARTLY;
    if (result == CONFIG_FILE_DAMAGED &&
        !atomic_file_set_aside(s->state_dir, SETTINGS_FILE, DAMAGED_FILE))
        log_warning("settings", "%s/%s: %s", s->state_dir, DAMAGED_FILE, strerror(errno));
    return true;
}

static bool read_kept(struct settings *s)
{
    size_t length = 0;
    bool ok = true;
    char *text = atomic_file_read(s->state_dir, SETTINGS_FILE, CONFIG_FILE_MAX, &length);
    if (text || errno == EFBIG)
        ok = take_file(s, text ? text : "", length);
    else if (heap_is_short())
        ok = false;
    else if (errno != ENOENT)
        snprintf(s->problem, sizeof s->problem,
                 "the stored configuration cannot be read (%s): defaults are used", strerror(errno));
    if (text)
        explicit_bzero(text, length);
    free(text);
    return ok;
}

/* --- changing --------------------------------------------------------------------------------- */

/* The file stays where it is until another takes its place, so this is a copy; one that is gone needs none. */
static bool keep_copy(const char *state_dir)
{
    return atomic_file_copy(state_dir, SETTINGS_FILE, NEWER_FILE, CONFIG_FILE_MAX) ||
           errno == ENOENT;
}

/* A factory reset leaves nothing behind that the user has set. */
static bool remove_all(const char *state_dir)
{
    return atomic_file_remove(state_dir, NETWORK_TRIAL_FILE) &&
           atomic_file_remove(state_dir, NEWER_FILE) &&
           atomic_file_remove(state_dir, DAMAGED_FILE) &&
           atomic_file_remove(state_dir, SETTINGS_BEFORE_FILE) &&
           atomic_file_change(state_dir, SETTINGS_FILE, NULL, 0, CONFIG_FILE_MAX);
}

static bool replace(const struct settings *s)
{
    return s->text ? atomic_file_change(s->state_dir, SETTINGS_FILE, s->text, strlen(s->text),
                                        CONFIG_FILE_MAX)
                   : remove_all(s->state_dir);
}

/* On the worker.  A file that says more than we know, or what we cannot use, is kept beside the new one. */
static void run_save(struct worker_job *job)
{
    struct settings *s = CONTAINER_OF(job, struct settings, job);
    bool first = !s->first_text || atomic_file_write(s->state_dir, s->first_name, s->first_text,
                                                     strlen(s->first_text));
    bool ok = first && (!s->text || !s->set_aside || keep_copy(s->state_dir)) && replace(s);
    s->error = ok ? 0 : errno;
    s->failed = first ? SETTINGS_FILE : s->first_name;
}

static void forget(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static void forget_text(struct settings *s)
{
    forget(&s->text);
    forget(&s->first_text);
}

static void begin_next(struct settings *s);

static void end_change(struct settings *s, enum settings_result result)
{
    struct settings_change *change = s->running;
    s->running = NULL;
    explicit_bzero(&s->candidate, sizeof s->candidate);
    change->done(change, result);
}

static void commit(struct settings *s)
{
    char names[1024];
    unsigned doors = config_changed_doors(&s->now, &s->candidate);
    config_changed_names(&s->now, &s->candidate, names, sizeof names);
    if (doors)
        log_info("settings", "changed:%s", names);
    s->now = s->candidate;
    s->set_aside = false;
    s->problem[0] = 0;
    s->revision++;
    name_version(s);
    s->owner->apply(s->owner, doors);
    end_change(s, SETTINGS_DONE);
}

static void fail_to_save(struct settings *s, const char *file, int error)
{
    s->running->error = error;
    log_error("settings", "%s/%s: %s; the old settings stay", s->state_dir, file, strerror(error));
    s->owner->undo(s->owner);
    end_change(s, SETTINGS_NOT_SAVED);
}

static void on_saved(struct worker_job *job)
{
    struct settings *s = CONTAINER_OF(job, struct settings, job);
    forget_text(s);
    if (s->error)
        fail_to_save(s, s->failed, s->error);
    else
        commit(s);
    begin_next(s);
}

/* Hands the candidate to the worker. */
static void save(struct settings *s)
{
    bool reset = !s->running->patch && !s->running->from;
    s->text = reset ? NULL : config_file_text(&s->candidate);
    if (s->state_dir[0] == 0) {
        forget_text(s);
        commit(s);
        return;
    }
    errno = ENOMEM;
    if ((!reset && !s->text) || worker_start(s->loop, &s->job) < 0) {
        int problem = errno;
        forget_text(s);
        fail_to_save(s, SETTINGS_FILE, problem);
    }
}

static bool make_candidate(struct settings *s, struct settings_change *change)
{
    change->errors.count = 0;
    s->candidate = change->patch || change->from ? s->now : s->defaults;
    if (change->from)
        config_take(&s->candidate, change->from, change->doors);
    return !change->patch || config_patch(&s->candidate, change->patch, &change->errors);
}

static void begin(struct settings *s, struct settings_change *change)
{
    s->running = change;
    if (change->if_match && !http_head_etag_matches(change->if_match, s->etag, false)) {
        end_change(s, SETTINGS_OUTDATED);
        return;
    }
    bool good = make_candidate(s, change);
    bool same = good && (change->patch || change->from) && s->candidate.was_set == s->now.was_set &&
                config_changed_doors(&s->now, &s->candidate) == 0;
    if (same)
        end_change(s, SETTINGS_DONE);
    else if (good && s->owner->prepare(s->owner, &s->now, &s->candidate, &change->errors))
        save(s);
    else
        end_change(s, SETTINGS_BAD);
}

static void begin_next(struct settings *s)
{
    struct settings_change *change;
    while (!s->running && !s->held && (change = s->waiting) != NULL) {
        s->waiting = change->next;
        begin(s, change);
    }
}

void settings_begin(struct settings *s, struct settings_change *change)
{
    struct settings_change **link = &s->waiting;
    while (*link)
        link = &(*link)->next;
    change->next = NULL;
    *link = change;
    begin_next(s);
}

void settings_hold(struct settings *s, bool on)
{
    s->held = on;
    begin_next(s);
}

/* --- life ------------------------------------------------------------------------------------- */

bool settings_load(struct settings *s, struct loop *l, const char *state_dir,
                   const struct config *defaults)
{
    memset(s, 0, sizeof *s);
    s->loop = l;
    s->state_dir = state_dir;
    s->now = s->defaults = *defaults;
    s->job = (struct worker_job){.run = run_save, .done = on_saved};
    if (getrandom(&s->start, sizeof s->start, GRND_NONBLOCK) < 0)
        s->start = (uint32_t)l->now_ms;
    name_version(s);
    return state_dir[0] == 0 || read_kept(s);
}

void settings_write_first(struct settings *s, const char *name, char *text)
{
    forget(&s->first_text);
    s->first_name = name;
    s->first_text = text;
}

bool settings_is_patched(const struct settings *s)
{
    return s->running && s->running->patch;
}

bool settings_is_applying(const struct settings *s, const struct settings_change *change)
{
    return s->running == change;
}

bool settings_are_factory(const struct settings *s)
{
    return s->now.was_set == 0;
}

void settings_default_port(struct settings *s, int port)
{
    s->defaults.modbus_port = port;
    if (!config_is_set(&s->now, "/Modbus/Port"))
        s->now.modbus_port = port;
}

void settings_note_problem(struct settings *s, const char *problem)
{
    if (s->problem[0] == 0)
        snprintf(s->problem, sizeof s->problem, "%s", problem);
}

/* What was being saved is told as it ended; what waits is told that it was not. */
void settings_close(struct settings *s)
{
    struct settings_change *waiting = s->waiting;
    s->waiting = NULL;
    if (s->job.busy) {
        worker_join(&s->job);
        on_saved(&s->job);
    }
    while (waiting) {
        struct settings_change *change = waiting;
        waiting = change->next;
        change->error = ECANCELED;
        change->done(change, SETTINGS_NOT_SAVED);
    }
    explicit_bzero(&s->now, sizeof s->now);
    explicit_bzero(&s->candidate, sizeof s->candidate);
}
