#include "update_record.h"

#include "atomic_file.h"
#include "config.h"
#include "core/reading.h"
#include "core/text_out.h"
#include "heap.h"
#include "json_text.h"
#include "log.h"
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "update.json"

enum { FILE_MAX = 4096 };

static const char *const phase_names[] = {[UPDATE_NONE] = "none",
                                          [UPDATE_INSTALLING] = "installing",
                                          [UPDATE_INSTALLED] = "installed",
                                          [UPDATE_TRIED] = "tried",
                                          [UPDATE_OVER] = "over"};

enum { PHASES = sizeof phase_names / sizeof phase_names[0] };

/* --- the file --------------------------------------------------------------------------------- */

static bool write_record(const char *state_dir, const struct update_record *r)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:I}", "Phase", phase_names[r->phase],
                  "From", r->from, "To", r->to, "Booted", r->booted, "MeterLive", r->meter_live,
                  "Ok", r->ok, "Reason", r->reason, "Time", (json_int_t)r->time_s);
    char *text = json_text(json, JSON_COMPACT);
    bool ok = text && atomic_file_write(state_dir, FILE_NAME, text, strlen(text));
    if (!ok)
        log_error("update", "%s/%s: %s", state_dir, FILE_NAME,
                  text ? strerror(errno) : "out of memory");
    json_decref(json);
    free(text);
    return ok;
}

static bool find_phase(const char *name, enum update_phase *phase)
{
    for (int i = 0; i < PHASES; i++)
        if (strcmp(phase_names[i], name) == 0) {
            *phase = (enum update_phase)i;
            return true;
        }
    return false;
}

static bool take_record(json_t *json, struct update_record *r)
{
    const char *phase, *from, *to, *booted, *reason;
    int meter_live, ok;
    json_int_t time_s;
    if (json_unpack(json, "{s:s, s:s, s:s, s:s, s:b, s:b, s:s, s:I}", "Phase", &phase, "From",
                    &from, "To", &to, "Booted", &booted, "MeterLive", &meter_live, "Ok", &ok,
                    "Reason", &reason, "Time", &time_s) < 0 ||
        !find_phase(phase, &r->phase))
        return false;
    text_copy(r->from, sizeof r->from, from);
    text_copy(r->to, sizeof r->to, to);
    text_copy(r->booted, sizeof r->booted, booted);
    text_copy(r->reason, sizeof r->reason, reason);
    r->meter_live = meter_live;
    r->ok = ok;
    r->time_s = time_s;
    return true;
}

/* False: there is too little memory for it. */
static bool read_record(const char *state_dir, struct update_record *r)
{
    size_t length;
    char *text = atomic_file_read(state_dir, FILE_NAME, FILE_MAX, &length);
    errno = text ? 0 : errno;
    json_t *json = text ? json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct update_record read = {.time_s = READING_NO_TIME};
    bool ok = true;
    if (json && take_record(json, &read))
        *r = read;
    else if (heap_is_short())
        ok = false;
    else if (text || errno != ENOENT)
        log_warning("update", "%s/%s cannot be read: what it says of an update is lost", state_dir,
                    FILE_NAME);
    json_decref(json);
    free(text);
    return ok;
}

/* --- the settings of before ------------------------------------------------------------------- */

/* Where there is none, the other goes. */
static bool mirror(const char *state_dir, const char *from, const char *to)
{
    return atomic_file_copy(state_dir, from, to, CONFIG_FILE_MAX) ||
           (errno == ENOENT && atomic_file_remove(state_dir, to));
}

static bool keep_settings(const char *state_dir)
{
    bool ok = mirror(state_dir, SETTINGS_FILE, SETTINGS_BEFORE_FILE);
    if (!ok)
        log_error("update", "the settings cannot be kept for a return: %s", strerror(errno));
    return ok;
}

static void put_settings_back(const char *state_dir)
{
    if (!mirror(state_dir, SETTINGS_BEFORE_FILE, SETTINGS_FILE))
        log_error("update", "the settings of before the update are not put back: %s",
                  strerror(errno));
}

/* At the new system's first start the file is still the old one's, with what was changed since the installation began.
 * It is missing only if that start is not the first, and the first could not be noted: a reset removes both. */
static void take_over_settings(const char *state_dir)
{
    if (atomic_file_copy(state_dir, SETTINGS_FILE, SETTINGS_BEFORE_FILE, CONFIG_FILE_MAX))
        return;
    if (errno == ENOENT)
        put_settings_back(state_dir);
    else
        log_error("update", "the settings cannot be kept for a return: %s", strerror(errno));
}

/* What is kept of an update that is over is what became of it. */
static bool save(const char *state_dir, const struct update_record *r)
{
    if (r->phase == UPDATE_INSTALLING && !keep_settings(state_dir))
        return false;
    if (!write_record(state_dir, r))
        return false;
    return r->phase != UPDATE_OVER || atomic_file_remove(state_dir, SETTINGS_BEFORE_FILE);
}

/* --- after a restart -------------------------------------------------------------------------- */

bool update_record_resume(struct update_record *r, const char *state_dir, const char *running,
                          int64_t now_s)
{
    *r = (struct update_record){.time_s = READING_NO_TIME};
    if (state_dir[0] && !read_record(state_dir, r))
        return false;
    if (r->phase == UPDATE_NONE || r->phase == UPDATE_OVER || strcmp(r->from, r->to) == 0)
        return true;
    if (running[0] == 0)
        return true; /* nobody can tell whether it is the new one or the old one */
    bool was_tried = r->phase == UPDATE_TRIED;
    if (strcmp(running, r->to) == 0) {
        if (was_tried)
            put_settings_back(state_dir);
        else
            take_over_settings(state_dir);
        r->phase = UPDATE_TRIED;
        (void)write_record(state_dir, r);
    } else if (was_tried && strcmp(running, r->from) == 0) {
        put_settings_back(state_dir);
        update_record_end(r, false, UPDATE_FELL_BACK, now_s);
        (void)save(state_dir, r);
    }
    return true;
}

void update_record_end(struct update_record *r, bool ok, const char *reason, int64_t now_s)
{
    r->phase = UPDATE_OVER;
    r->ok = ok;
    text_copy(r->reason, sizeof r->reason, reason);
    r->time_s = now_s;
}

/* --- saving ----------------------------------------------------------------------------------- */

static void run(struct worker_job *job)
{
    struct update_saver *s = CONTAINER_OF(job, struct update_saver, job);
    s->ok = save(s->state_dir, &s->record);
}

static void on_done(struct worker_job *job)
{
    struct update_saver *s = CONTAINER_OF(job, struct update_saver, job);
    s->saved(s, s->ok);
}

void update_record_save(struct update_saver *s, const struct update_record *r)
{
    s->record = *r;
    s->job = (struct worker_job){.run = run, .done = on_done};
    if (!s->state_dir[0] || worker_start(s->loop, &s->job) < 0)
        s->saved(s, false);
}

void update_record_close(struct update_saver *s)
{
    worker_join(&s->job);
}
