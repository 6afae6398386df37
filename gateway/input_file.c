/* input_file.c - replays a file of telegrams.  The pace is that of the telegrams' own times; a telegram
 * without one follows after a second.  A telegram is sent whole when its time has come, so the file is
 * looked through one telegram ahead of what is sent. */
#include "core/p1.h"
#include "core/tic.h"
#include "input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 60000 };

/* Finds the ends of telegrams; what they say but the time is not looked at. */
struct pacer {
    struct reading p1_reading, tic_reading;
    struct p1_stream p1;
    struct tic_stream tic;
    uint8_t p1_buffer[P1_TELEGRAM_MAX], tic_frame[TIC_FRAME_MAX];
    enum { KIND_UNKNOWN, KIND_P1, KIND_TIC } kind;
    int64_t last_time_s;
};

struct input_file {
    struct input base;
    struct loop_timer tick;
    struct pacer pacer;
    off_t sent, due, scanned; /* offsets: sent to the owner <= may be sent now <= looked through */
    int fd;
    bool as_fast_as_possible;
    char path[200];
};

static struct input_file *file(struct input *in)
{
    return CONTAINER_OF(in, struct input_file, base);
}

static bool file_configure(struct input *in, const char *rest, char error[static INPUT_ERROR_MAX])
{
    struct input_file *f = file(in);
    size_t length, path_length = strcspn(rest, "?");
    const char *speed = input_parameter(rest, "speed", &length);
    f->fd = -1;
    if (path_length == 0 || path_length >= sizeof f->path) {
        snprintf(error, INPUT_ERROR_MAX, "\"file:%.80s\": use file:PATH or file:PATH?speed=max",
                 rest);
        return false;
    }
    if (!input_only_parameter(rest, "speed", error))
        return false;
    f->as_fast_as_possible = speed && length == 3 && strncmp(speed, "max", 3) == 0;
    if (speed && !f->as_fast_as_possible) {
        snprintf(error, INPUT_ERROR_MAX, "\"file:%.80s\": the only speed is max", rest);
        return false;
    }
    memcpy(f->path, rest, path_length);
    return true;
}

static void pacer_init(struct pacer *p)
{
    p->kind = KIND_UNKNOWN;
    p->last_time_s = READING_NO_TIME;
    p1_init(&p->p1, &p->p1_reading, p->p1_buffer, sizeof p->p1_buffer);
    tic_init(&p->tic, &p->tic_reading, p->tic_frame, sizeof p->tic_frame);
}

/* Up to the end of the next valid P1 telegram, or all of it. */
static size_t pace_p1(struct pacer *p, const uint8_t *bytes, size_t n, bool *found)
{
    size_t used = 0;
    for (*found = false; used < n && !*found;) {
        enum p1_event event;
        used += p1_feed(&p->p1, bytes + used, n - used, &event);
        *found = event == P1_TELEGRAM;
    }
    return used;
}

static size_t pace_tic(struct pacer *p, const uint8_t *bytes, size_t n, bool *found)
{
    size_t used = 0;
    for (*found = false; used < n && !*found;) {
        enum tic_event event;
        used += tic_feed(&p->tic, bytes + used, n - used, 0, &event);
        *found = event == TIC_FRAME;
    }
    return used;
}

static size_t pace(struct pacer *p, const uint8_t *bytes, size_t n, bool *found)
{
    bool found_p1 = false, found_tic = false;
    size_t used_p1 = p->kind == KIND_TIC ? n : pace_p1(p, bytes, n, &found_p1);
    size_t used_tic = p->kind == KIND_P1 ? n : pace_tic(p, bytes, n, &found_tic);
    if (found_p1 || found_tic)
        p->kind = found_p1 && (!found_tic || used_p1 < used_tic) ? KIND_P1 : KIND_TIC;
    *found = found_p1 || found_tic;
    return p->kind == KIND_P1 ? used_p1 : p->kind == KIND_TIC ? used_tic : n;
}

/* Milliseconds from the telegram before to the one just found. */
static int64_t pause_before(struct pacer *p)
{
    int64_t time_s = p->kind == KIND_P1 ? p->p1_reading.meter_time_s : p->tic_reading.meter_time_s;
    int64_t pause_ms = (time_s - p->last_time_s) * 1000;
    bool usable = time_s != READING_NO_TIME && p->last_time_s != READING_NO_TIME && pause_ms > 0;
    p->last_time_s = time_s;
    return !usable ? DEFAULT_PAUSE_MS : pause_ms > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : pause_ms;
}

/* Sends the next piece of what is due. */
static void send_piece(struct input_file *f)
{
    uint8_t piece[INPUT_READ_MAX];
    size_t n = sizeof piece;
    if (!f->as_fast_as_possible && f->due - f->sent < (off_t)n)
        n = (size_t)(f->due - f->sent);
    ssize_t got = pread(f->fd, piece, n, f->sent);
    if (got <= 0) {
        input_ended(&f->base, got == 0 ? "the end of the file is reached" : strerror(errno));
        return;
    }
    f->sent += got;
    loop_set_timer(f->base.loop, &f->tick, 0);
    input_bytes(&f->base, piece, (size_t)got);
}

/* Looks on for the end of the next telegram; what follows the last one is sent with it. */
static void look_ahead(struct input_file *f)
{
    uint8_t piece[INPUT_READ_MAX];
    bool found = false;
    int64_t pause_ms = 0;
    ssize_t got = pread(f->fd, piece, sizeof piece, f->scanned);
    if (got > 0)
        f->scanned += (off_t)pace(&f->pacer, piece, (size_t)got, &found);
    if (got <= 0 && f->sent == f->scanned) {
        input_ended(&f->base, got == 0 ? "the end of the file is reached" : strerror(errno));
        return;
    }
    if (found)
        pause_ms = pause_before(&f->pacer);
    if (f->due == 0)
        pause_ms = 0; /* the first telegram */
    if (found || got <= 0)
        f->due = f->scanned;
    loop_set_timer(f->base.loop, &f->tick, pause_ms);
}

static void on_file_tick(struct loop_timer *timer)
{
    struct input_file *f = CONTAINER_OF(timer, struct input_file, tick);
    if (f->as_fast_as_possible || f->sent < f->due)
        send_piece(f);
    else
        look_ahead(f);
}

static void file_open(struct input *in)
{
    struct input_file *f = file(in);
    struct stat st;
    /* a device or a pipe would keep the loop waiting */
    f->fd = open(f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        input_lost(in, f->fd < 0 ? strerror(errno) : "not a file; use serial:DEVICE for a device");
        return;
    }
    f->sent = f->due = f->scanned = 0;
    f->tick.expired = on_file_tick;
    pacer_init(&f->pacer);
    input_opened(in, f->path);
    loop_set_timer(in->loop, &f->tick, 0);
}

static void file_close(struct input *in)
{
    struct input_file *f = file(in);
    if (f->fd < 0)
        return;
    loop_cancel_timer(in->loop, &f->tick);
    close(f->fd);
    f->fd = -1;
}

const struct input_kind input_kind_file = {
    .scheme = "file:",
    .size = sizeof(struct input_file),
    .configure = file_configure,
    .open = file_open,
    .close = file_close,
};
