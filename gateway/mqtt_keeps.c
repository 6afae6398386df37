#include "mqtt_keeps.h"

#include "atomic_file.h"
#include "heap.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_DISCOVERY, KEEP_COMMANDS, KEEPS };
enum { FILE_MAX = 16384 };

static const char *const names[KEEPS] = {"mqtt-discovery", "mqtt-commands"};

static char *discovery_text(const struct mqtt_keeps *k)
{
    return strdup(k->discovery);
}

static char *commands_text(const struct mqtt_keeps *k)
{
    return command_memory_text(&k->commands);
}

static char *(*const text_of[KEEPS])(const struct mqtt_keeps *k) = {discovery_text, commands_text};

/* --- saving ----------------------------------------------------------------------------------- */

static void run_save(struct worker_job *job)
{
    struct mqtt_keeps *k = CONTAINER_OF(job, struct mqtt_keeps, job);
    k->good = true;
    for (int i = 0; i < KEEPS; i++) {
        const char *text = k->texts[i];
        if (!(k->saving & 1u << i))
            continue;
        if (!text || !(text[0] ? atomic_file_write(k->folder, names[i], text, strlen(text))
                               : atomic_file_remove(k->folder, names[i]))) {
            log_warning("mqtt", "%s/%s cannot be written: %s", k->folder, names[i],
                        text ? strerror(errno) : "out of memory");
            k->good = false;
        }
    }
}

static void free_texts(struct mqtt_keeps *k)
{
    for (int i = 0; i < KEEPS; i++) {
        free(k->texts[i]);
        k->texts[i] = NULL;
    }
}

static void tell(struct mqtt_keeps_waiter *list, bool kept)
{
    while (list) {
        struct mqtt_keeps_waiter *next = list->next;
        list->done(list, kept);
        list = next;
    }
}

static void make_texts(struct mqtt_keeps *k)
{
    k->saving = k->dirty;
    k->dirty = 0;
    k->saved = k->waiting;
    k->waiting = NULL;
    for (int i = 0; i < KEEPS; i++)
        k->texts[i] = k->saving & 1u << i ? text_of[i](k) : NULL;
}

static void finish(struct mqtt_keeps *k)
{
    struct mqtt_keeps_waiter *list = k->saved;
    k->saved = NULL;
    free_texts(k);
    tell(list, k->good);
}

static void start_saving(struct mqtt_keeps *k)
{
    if (k->job.busy || !k->dirty)
        return;
    make_texts(k);
    if (worker_start(k->loop, &k->job) == 0)
        return;
    k->good = false;
    finish(k);
}

static void on_saved(struct worker_job *job)
{
    struct mqtt_keeps *k = CONTAINER_OF(job, struct mqtt_keeps, job);
    finish(k);
    start_saving(k);
}

void mqtt_keeps_save_discovery(struct mqtt_keeps *k)
{
    if (k->folder[0] == 0)
        return;
    k->dirty |= 1u << KEEP_DISCOVERY;
    start_saving(k);
}

void mqtt_keeps_save_commands(struct mqtt_keeps *k, struct mqtt_keeps_waiter *waiter)
{
    if (k->folder[0] == 0) {
        waiter->done(waiter, false);
        return;
    }
    waiter->next = k->waiting;
    k->waiting = waiter;
    k->dirty |= 1u << KEEP_COMMANDS;
    start_saving(k);
}

static void take_out(struct mqtt_keeps_waiter **list, const struct mqtt_keeps_waiter *waiter)
{
    while (*list && *list != waiter)
        list = &(*list)->next;
    if (*list)
        *list = waiter->next;
}

void mqtt_keeps_cancel(struct mqtt_keeps *k, struct mqtt_keeps_waiter *waiter)
{
    take_out(&k->waiting, waiter);
    take_out(&k->saved, waiter);
}

/* --- life ------------------------------------------------------------------------------------- */

/* Of the characters that home_assistant_topic() leaves in.  Another one the library or the broker would refuse, each
 * time there is a connection. */
static bool is_topic(const char *text, size_t length)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";
    return strspn(text, good) == length;
}

bool mqtt_keeps_load(struct mqtt_keeps *k, struct loop *l, const char *state_dir)
{
    size_t length = 0;
    k->loop = l;
    k->folder = state_dir;
    k->job = (struct worker_job){.run = run_save, .done = on_saved};
    if (state_dir[0] == 0)
        return true;
    char *topic =
        atomic_file_read(state_dir, names[KEEP_DISCOVERY], sizeof k->discovery - 1, &length);
    if (topic && is_topic(topic, length))
        memcpy(k->discovery, topic, length + 1);
    else if (topic)
        log_warning("mqtt", "%s/%s is damaged and not used", state_dir, names[KEEP_DISCOVERY]);
    free(topic);
    char *ids = atomic_file_read(state_dir, names[KEEP_COMMANDS], FILE_MAX, &length);
    errno = ids ? 0 : errno;
    if (ids)
        command_memory_read(&k->commands, ids, length);
    free(ids);
    return !heap_is_short();
}

void mqtt_keeps_close(struct mqtt_keeps *k)
{
    if (!k->loop)
        return;
    if (k->job.busy) {
        worker_join(&k->job);
        finish(k);
    }
    if (!k->dirty)
        return;
    make_texts(k);
    run_save(&k->job);
    finish(k);
}
