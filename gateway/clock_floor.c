#include "clock_floor.h"

#include "atomic_file.h"
#include "core/reading.h"
#include "log.h"
#include "wall_clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 32 };

static const char file_name[] = "clock";

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool is_plausible(int64_t utc_s)
{
    int64_t build_s = wall_clock_build_s();
    return utc_s >= build_s && utc_s - build_s <= CLOCK_FLOOR_AHEAD_S;
}

/* Up to twelve digits and a line feed: what clock_floor_save() writes. */
static bool parse(const char *text, size_t length, int64_t *utc_s)
{
    size_t digits = strspn(text, "0123456789");
    *utc_s = strtoll(text, NULL, 10);
    return digits > 0 && digits <= 12 && length == digits + 1 && text[digits] == '\n';
}

static int64_t read_kept(const char *state_dir)
{
    int64_t kept_s;
    size_t length = 0;
    char *text = atomic_file_read(state_dir, file_name, FILE_MAX, &length);
    if (!text) {
        if (errno != ENOENT)
            log_warning("clock", "%s/%s: %s", state_dir, file_name, strerror(errno));
        return READING_NO_TIME;
    }
    bool good = parse(text, length, &kept_s);
    free(text);
    /* one from before the build is old, not wrong: an update does that */
    if (good && kept_s - wall_clock_build_s() <= CLOCK_FLOOR_AHEAD_S)
        return kept_s;
    log_warning("clock", "%s/%s holds no time that can be: it is not counted", state_dir, file_name);
    return READING_NO_TIME;
}

void clock_floor_load(struct clock_floor *f, const char *state_dir)
{
    bool keeps = state_dir[0] != 0;
    int64_t kept_s = keeps ? read_kept(state_dir) : READING_NO_TIME;
    int64_t floor_s = later(wall_clock_build_s(), kept_s);
    *f = (struct clock_floor){.known_s = floor_s, .saved_s = floor_s, .keeps = keeps};
}

void clock_floor_note_meter(struct clock_floor *f, int64_t utc_s)
{
    f->meter_s = is_plausible(utc_s) ? utc_s : READING_NO_TIME;
}

void clock_floor_note_clock(struct clock_floor *f, int64_t wall_s, bool synchronised)
{
    if (is_plausible(wall_s))
        f->known_s = synchronised ? wall_s : later(f->known_s, wall_s);
}

int64_t clock_floor_now(const struct clock_floor *f, int64_t wall_s)
{
    return wall_s == READING_NO_TIME ? later(f->known_s, f->meter_s) : later(f->known_s, wall_s);
}

int64_t clock_floor_due(const struct clock_floor *f)
{
    return f->keeps && llabs(f->known_s - f->saved_s) >= CLOCK_FLOOR_SAVE_S ? f->known_s
                                                                            : READING_NO_TIME;
}

bool clock_floor_save(const char *state_dir, int64_t utc_s)
{
    char text[FILE_MAX];
    int n = snprintf(text, sizeof text, "%" PRId64 "\n", utc_s);
    return atomic_file_write(state_dir, file_name, text, (size_t)n);
}

void clock_floor_saved(struct clock_floor *f, int64_t utc_s)
{
    f->saved_s = utc_s;
}
