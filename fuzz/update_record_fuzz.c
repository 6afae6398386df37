/* update_record_fuzz.c - any bytes as what is remembered of an update, and as a release: what is taken over can be kept
 * and read again, and is the same then; of two releases the floor forbids the lower one, and only that.
 */
#include "gateway/update_record.h"

#include "gateway/log.h"

#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    demand(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

/* With settings and those of before, by two bits of `which`, or without. */
static void write_settings(const char *folder, size_t which)
{
    static const char *const names[] = {"config.json", "config.json.before"};
    char path[64];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
        if (which >> i & 1)
            write_file(path, (const uint8_t *)"{}", 2);
    }
}

static void demand_texts(const struct update_record *r)
{
    demand(memchr(r->from, 0, sizeof r->from) && memchr(r->to, 0, sizeof r->to));
    demand(memchr(r->booted, 0, sizeof r->booted) && memchr(r->reason, 0, sizeof r->reason));
    demand(r->phase <= UPDATE_OVER);
}

/* What is kept of it is read again, whatever phase it is in. */
static void demand_kept(const char *folder, const struct update_record *r)
{
    struct update_record again;
    char path[64];
    struct stat s;
    snprintf(path, sizeof path, "%s/update.json", folder);
    demand(stat(path, &s) == 0);
    update_record_resume(&again, folder, "", 7);
    demand_texts(&again);
    demand(again.phase == r->phase && again.ok == r->ok && again.meter_live == r->meter_live &&
           again.time_s == r->time_s);
    demand(strcmp(again.from, r->from) == 0 && strcmp(again.to, r->to) == 0 &&
           strcmp(again.reason, r->reason) == 0);
}

/* A start of the new system, and one of the old. */
static void try_record(const uint8_t *data, size_t size)
{
    static char folder[] = "/dev/shm/update_record_XXXXXX", path[64];
    struct update_record r;
    if (!path[0]) {
        demand(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/update.json", folder);
        log_set_level(LOG_LEVEL_ERROR);
    }
    static const char *const running[] = {"1.0.0+security.1", "0.1.0+security.0"};
    for (size_t i = 0; i < sizeof running / sizeof running[0]; i++) {
        write_file(path, data, size);
        write_settings(folder, size);
        update_record_resume(&r, folder, running[i], 1780396000);
        demand_texts(&r);
        if (r.phase == UPDATE_TRIED || r.phase == UPDATE_OVER)
            demand_kept(folder, &r);
        update_record_resume(&r, "", running[i], 1780396000);
        demand(r.phase == UPDATE_NONE);
        unlink(path);
    }
}

static void try_release(const char *text)
{
    static const struct update_version floor = {1, 2, 3, 4};
    struct update_version v, again, higher;
    char written[UPDATE_RELEASE_MAX], error[UPDATE_VERSION_ERROR_MAX] = "";
    if (!update_version_read(text, &v))
        return;
    update_version_text(&v, written);
    demand(strncmp(written, text, strlen(written)) == 0 && update_version_read(written, &again));
    demand(memcmp(&v, &again, sizeof v) == 0);
    bool allowed = update_version_allowed(&v, &floor, error);
    demand(allowed == (error[0] == 0));
    higher = update_version_higher(&v, &floor);
    demand(update_version_allowed(&higher, &floor, error) &&
           update_version_allowed(&higher, &v, error));
    demand(allowed == (memcmp(&higher, &v, sizeof v) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of_input(data, size);
    try_release(text);
    if (size && data[0] == '{')
        try_record(data, size);
    free(text);
    return 0;
}
