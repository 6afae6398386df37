/* spool_driver.c - what spool_crash_test.py uses: the real spool, to write with and to look into images with.
 *
 *   spool_driver write FOLDER STEP...
 *   spool_driver read                    folders on standard input, one a line
 *
 * A step is "append", "remove=ID" (through it), "bytes=N" (the file's bound) or "reopen".  After each, once it is done,
 * a line says what is kept: "mark\tFIRST-LAST next ID", with "none" for the range of an empty spool.  It ends without a
 * close, as a kill would end it, unless the last step is "close".
 *
 *   spool_driver insist FOLDER STEP...
 *
 * takes a step that fails again, as the gateway does, some times: a line "failed\tTEXT" says why.
 *
 * For each folder that is read comes the same line without "mark", or what is wrong with it.  The content of a batch is
 * that of its id, so that it is known when it comes back.
 */
#include "spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXTS = 8, FOLDER_MAX = 600, TRIES = 4 };

static char error[SPOOL_ERROR_MAX];
static struct spool_limits limits = {.max_bytes = 1 << 26};

static void make_batch(struct spool_batch *batch, int64_t id)
{
    uint32_t state = (uint32_t)id;
    batch->count = TEXTS;
    batch->length = 0;
    for (int i = 0; i < TEXTS; i++) {
        char *text = batch->texts + batch->length;
        int n = snprintf(text, 64, "{\"ts\":%" PRId64, id * TEXTS + i);
        for (int digits = 0; digits < 20;
             digits++) { /* of about 800 bytes compressed, as a day's are */
            state = state * 1664525 + 1013904223;
            n += snprintf(text + n, 64, ",%u", state >> 8);
        }
        batch->length += (size_t)n + 1;
    }
}

static bool is_batch(const struct spool_batch *batch)
{
    static struct spool_batch expected;
    make_batch(&expected, batch->id);
    return batch->count == expected.count && batch->length == expected.length &&
           memcmp(batch->texts, expected.texts, expected.length) == 0;
}

struct kept {
    int64_t first, last; /* 0: none */
};

/* False: `error`. */
static bool read_all(struct spool *s, struct kept *kept)
{
    static struct spool_batch batch;
    *kept = (struct kept){0};
    uint64_t readings = 0;
    for (batch.id = 0;;) {
        if (!spool_read(s, batch.id, &batch, error))
            return false;
        if (batch.id == 0)
            break;
        if (!is_batch(&batch) || (kept->last && batch.id != kept->last + 1)) {
            snprintf(error, sizeof error, "batch %" PRId64 " is wrong, after %" PRId64, batch.id,
                     kept->last);
            return false;
        }
        kept->first = kept->first ? kept->first : batch.id;
        kept->last = batch.id;
        readings += batch.count;
    }
    struct spool_counts counts = spool_get_counts(s);
    snprintf(error, sizeof error, "%" PRIu64 " readings, counted as %" PRIu64, readings,
             counts.readings);
    return readings == counts.readings;
}

static const char *text_of(struct kept kept, int64_t next)
{
    static char text[100];
    if (kept.first)
        snprintf(text, sizeof text, "%" PRId64 "-%" PRId64 " next %" PRId64, kept.first, kept.last,
                 next);
    else
        snprintf(text, sizeof text, "none next %" PRId64, next);
    return text;
}

static struct spool *open_sound(const char *folder)
{
    bool set_aside = false;
    struct spool *s = spool_open(folder, &limits, &set_aside, error);
    if (!s || !set_aside)
        return s;
    snprintf(error, sizeof error, "set aside");
    spool_close(s);
    return NULL;
}

/* --- write ------------------------------------------------------------------------------------ */

static bool append(struct spool *s, int64_t *next)
{
    static struct spool_batch batch;
    make_batch(&batch, *next);
    if (!spool_append(s, &batch, 0, NULL, error))
        return false;
    snprintf(error, sizeof error, "id %" PRId64 " instead of %" PRId64, batch.id, *next);
    return batch.id == (*next)++;
}

static bool take_step(struct spool **s, const char *folder, const char *step, int64_t *next)
{
    const char *value = strchr(step, '=');
    int64_t number = value ? strtoll(value + 1, NULL, 10) : 0;
    if (strcmp(step, "append") == 0)
        return append(*s, next);
    if (strncmp(step, "remove=", 7) == 0)
        return spool_remove_through(*s, number, error);
    if (strncmp(step, "bytes=", 6) == 0) {
        limits.max_bytes = number;
        spool_set_limits(*s, &limits);
        return true;
    }
    spool_close(*s);
    *s = strcmp(step, "reopen") == 0 ? open_sound(folder) : NULL;
    return *s || strcmp(step, "close") == 0;
}

static bool say_what_is_kept(struct spool *s, int64_t next)
{
    struct kept kept;
    if (!read_all(s, &kept))
        return false;
    printf("mark\t%s\n", text_of(kept, next));
    return fflush(stdout) == 0;
}

/* A step, and what is kept after it, in so many tries. */
static bool take_in(int tries, struct spool **s, const char *folder, const char *step, int64_t *next)
{
    bool done = false;
    for (int i = 0; i < tries; i++) {
        done = done || take_step(s, folder, step, next);
        if (done && (!*s || say_what_is_kept(*s, *next)))
            return true;
        printf("failed\t%s\n", error);
        if (*s && spool_is_damaged(*s))
            return false;
    }
    return false;
}

static int write_steps(const char *folder, char *const *steps, int tries)
{
    struct spool *s = NULL;
    struct kept kept;
    int64_t next = 1;
    bool good = false;
    for (int i = 0; !good && i < tries; i++) {
        spool_close(s);
        s = open_sound(folder);
        good = s && read_all(s, &kept);
    }
    if (good)
        next = kept.last + 1;
    for (; good && s && *steps; steps++)
        good = take_in(tries, &s, folder, *steps, &next);
    if (!good)
        fprintf(stderr, "spool_driver: %s: %s\n", *steps ? *steps : "open", error);
    fflush(NULL);
    _exit(good ? 0 : 1);
}

/* --- read ------------------------------------------------------------------------------------- */

/* What is in it; then whether it can be used. */
static bool look_into(struct spool *s, struct kept *kept, int64_t *next)
{
    static struct spool_batch batch;
    struct kept again;
    if (!read_all(s, kept))
        return false;
    make_batch(&batch, 1);
    if (!spool_append(s, &batch, 0, NULL, error))
        return false;
    *next = batch.id;
    return spool_remove_through(s, kept->last, error) && spool_read(s, 0, &batch, error) &&
           batch.id == *next && spool_remove_through(s, *next, error) && read_all(s, &again);
}

static int read_folders(void)
{
    char folder[FOLDER_MAX];
    while (fgets(folder, sizeof folder, stdin)) {
        struct kept kept;
        int64_t next = 0;
        folder[strcspn(folder, "\n")] = 0;
        struct spool *s = open_sound(folder);
        bool good = s && look_into(s, &kept, &next);
        spool_close(s);
        printf("%s\n", good ? text_of(kept, next) : error);
        fflush(stdout);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "write") == 0)
        return write_steps(argv[2], argv + 3, 1);
    if (argc > 2 && strcmp(argv[1], "insist") == 0)
        return write_steps(argv[2], argv + 3, TRIES);
    if (argc == 2 && strcmp(argv[1], "read") == 0)
        return read_folders();
    return 1;
}
