/* p1_kit_test.c - what the tests of P1 share. */
#define _POSIX_C_SOURCE 200809L

#include "p1_kit_test.h"

#include "crc16.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/data"
#endif

struct seen seen;
struct p1_stream stream;
struct reading reading;

static uint8_t buffer[BUFFER_MAX];

/* ---- feeding ---- */

void start_stream(void)
{
    p1_init(&stream, &reading, buffer, sizeof buffer);
    memset(&seen, 0, sizeof seen);
}

void note(enum p1_event event)
{
    seen.events[event]++;
    if (event != P1_TELEGRAM)
        return;
    seen.reading = reading;
    if (CORE_IS_SMALL) /* there is none */
        return;
    assert_in_range(stream.telegram_len, 6, sizeof seen.telegram.p);
    seen.telegram.n = stream.telegram_len;
    memcpy(seen.telegram.p, stream.telegram, stream.telegram_len);
}

void feed(const void *from, size_t n, size_t chunk)
{
    const uint8_t *p = from;
    while (n > 0) {
        enum p1_event event;
        size_t offered = n < chunk ? n : chunk, used = p1_feed(&stream, p, offered, &event);
        assert_true(used <= offered);
        assert_true(used == offered || event != P1_MORE);
        note(event);
        p += used;
        n -= used;
    }
}

void feed_string(const char *s)
{
    feed(s, strlen(s), ALL_AT_ONCE);
}

void run(const void *p, size_t n, size_t chunk)
{
    start_stream();
    feed(p, n, chunk);
    note(p1_silence(&stream));
}

void assert_counts(unsigned telegrams, unsigned bad_crc, unsigned bad_frame)
{
    assert_int_equal(seen.events[P1_TELEGRAM], telegrams);
    assert_int_equal(seen.events[P1_BAD_CRC], bad_crc);
    assert_int_equal(seen.events[P1_BAD_FRAME], bad_frame);
}

/* ---- building ---- */

void append(struct bytes *b, const void *p, size_t n)
{
    assert_true(n <= sizeof b->p - b->n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void append_string(struct bytes *b, const char *s)
{
    append(b, s, strlen(s));
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the formats are the tests' own */
void seal(struct bytes *b, const char *format, const char *tail)
{
    char digits[16];
    append_string(b, "!");
    snprintf(digits, sizeof digits, format, (unsigned)crc16_update(CRC16_ARC_INIT, b->p, b->n));
    append_string(b, digits);
    append_string(b, tail);
}
#pragma GCC diagnostic pop

const struct bytes *telegram(const char *lines)
{
    static struct bytes b;
    b.n = 0;
    append_string(&b, "/TST5 meter\r\n\r\n");
    append_string(&b, lines);
    seal(&b, "%04X", "\r\n");
    return &b;
}

void decode(const char *lines)
{
    const struct bytes *t = telegram(lines);
    run(t->p, t->n, 1);
    assert_counts(1, 0, 0);
    struct reading byte_by_byte = seen.reading;
    run(t->p, t->n, ALL_AT_ONCE);
    assert_counts(1, 0, 0);
    assert_memory_equal(&byte_by_byte, &seen.reading, sizeof seen.reading);
}

#ifndef CORE_SMALL
const char *text_of(enum reading_text_id id)
{
    static char out[4096];
    reading_text(&seen.reading, id, seen.telegram.p, seen.telegram.n, out, sizeof out);
    return out;
}
#endif

/* ---- the files ---- */

void load(const char *name, const char *suffix, struct bytes *b)
{
    char path[512];
    snprintf(path, sizeof path, "%s/p1/%s.%s", TEST_DATA_DIR, name, suffix);
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    b->n = fread(b->p, 1, sizeof b->p - 1, f);
    b->p[b->n] = 0;
    fclose(f);
}

char good_files[FILES_MAX][NAME_MAX_LEN], broken_files[FILES_MAX][NAME_MAX_LEN];
size_t good_n, broken_n;

int list_files(void **state)
{
    (void)state;
    DIR *d = opendir(TEST_DATA_DIR "/p1");
    struct dirent *e;
    if (!d)
        return -1;
    while ((e = readdir(d)) != NULL) {
        const char *dot = strrchr(e->d_name, '.');
        bool broken = strncmp(e->d_name, "broken_", 7) == 0;
        size_t *n = broken ? &broken_n : &good_n;
        if (!dot || strcmp(dot, ".txt") != 0 || dot - e->d_name >= NAME_MAX_LEN || *n == FILES_MAX)
            continue;
        memcpy((broken ? broken_files : good_files)[(*n)++], e->d_name, (size_t)(dot - e->d_name));
    }
    closedir(d);
    return 0;
}

bool is_seven_bit_file(const char *name)
{
    return strstr(name, "7e1") != NULL;
}
