/* p1_test.c - P1 telegrams: framing, resynchronisation, checksum and every object.
 *
 * tests/data/p1 holds one telegram per dialect (NAME.txt, the bytes as a meter sends them) with what
 * it must decode to (NAME.expected, see describe()), and broken ones named for what is broken.
 */
#define _POSIX_C_SOURCE 200809L

#include "p1.h"

#include "crc16.h"
#include "p1_values.h"

#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/data"
#endif

enum { ALL_AT_ONCE = 1 << 20, TEXT_MAX = 16384, GARBAGE_N = 65536 };

struct bytes {
    size_t n;
    uint8_t p[TEXT_MAX];
};

/* What came out of a stream: the last telegram and its reading, and how often what was reported. */
static struct {
    struct bytes telegram;
    struct reading reading;
    unsigned events[P1_BAD_FRAME + 1];
} seen;

static struct p1_stream stream;
static struct reading reading;
static uint8_t buffer[P1_TELEGRAM_MAX];

/* ---- feeding ---- */

static void start_stream(void)
{
    p1_init(&stream, &reading, buffer, sizeof buffer);
    memset(&seen, 0, sizeof seen);
}

static void note(enum p1_event event)
{
    seen.events[event]++;
    if (event != P1_TELEGRAM)
        return;
    assert_in_range(stream.telegram_len, 6, sizeof seen.telegram.p);
    seen.telegram.n = stream.telegram_len;
    memcpy(seen.telegram.p, stream.telegram, stream.telegram_len);
    seen.reading = reading;
}

static void feed(const void *from, size_t n, size_t chunk)
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

static void feed_string(const char *s)
{
    feed(s, strlen(s), ALL_AT_ONCE);
}

/* A fresh stream, the bytes, and silence behind them. */
static void run(const void *p, size_t n, size_t chunk)
{
    start_stream();
    feed(p, n, chunk);
    note(p1_silence(&stream));
}

static void assert_counts(unsigned telegrams, unsigned bad_crc, unsigned bad_frame)
{
    assert_int_equal(seen.events[P1_TELEGRAM], telegrams);
    assert_int_equal(seen.events[P1_BAD_CRC], bad_crc);
    assert_int_equal(seen.events[P1_BAD_FRAME], bad_frame);
}

/* ---- building ---- */

static void append(struct bytes *b, const void *p, size_t n)
{
    assert_true(n <= sizeof b->p - b->n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

static void append_string(struct bytes *b, const char *s)
{
    append(b, s, strlen(s));
}

/* '!', the CRC in `format`, and `tail`. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the formats are this file's own */
static void seal(struct bytes *b, const char *format, const char *tail)
{
    char digits[16];
    append_string(b, "!");
    snprintf(digits, sizeof digits, format, (unsigned)crc16_update(CRC16_ARC_INIT, b->p, b->n));
    append_string(b, digits);
    append_string(b, tail);
}
#pragma GCC diagnostic pop

/* A telegram with a good CRC: an identification line, then `lines`. */
static const struct bytes *telegram(const char *lines)
{
    static struct bytes b;
    b.n = 0;
    append_string(&b, "/TST5 meter\r\n\r\n");
    append_string(&b, lines);
    seal(&b, "%04X", "\r\n");
    return &b;
}

/* Decodes lines in a telegram of their own, and one by one; the reading is in seen.reading. */
static void decode(const char *lines)
{
    const struct bytes *t = telegram(lines);
    run(t->p, t->n, 1);
    assert_counts(1, 0, 0);
    struct reading byte_by_byte = seen.reading;
    run(t->p, t->n, ALL_AT_ONCE);
    assert_counts(1, 0, 0);
    assert_memory_equal(&byte_by_byte, &seen.reading, sizeof seen.reading);
}

static const char *text_of(enum reading_text_id id)
{
    static char out[4096];
    reading_text(&seen.reading, id, seen.telegram.p, seen.telegram.n, out, sizeof out);
    return out;
}

/* A sender at 7 bits, even parity, read as 8N1. */
static void set_parity(struct bytes *b)
{
    for (size_t i = 0; i < b->n; i++) {
        unsigned ones = 0;
        for (unsigned bit = 0; bit < 7; bit++)
            ones += b->p[i] >> bit & 1;
        b->p[i] = (uint8_t)((b->p[i] & 0x7F) | (ones % 2 ? 0x80 : 0));
    }
}

/* xorshift32: the same noise on every run. */
static uint32_t noise(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* ---- the files ---- */

static void load(const char *name, const char *suffix, struct bytes *b)
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

enum { FILES_MAX = 64, NAME_MAX_LEN = 64 };

static char good_files[FILES_MAX][NAME_MAX_LEN], broken_files[FILES_MAX][NAME_MAX_LEN];
static size_t good_n, broken_n;

static int list_files(void **state)
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

struct description {
    size_t n;
    char s[TEXT_MAX];
};

__attribute__((format(printf, 2, 3))) static void line(struct description *d, const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(d->s + d->n, sizeof d->s - d->n, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof d->s - d->n);
    d->n += (size_t)n;
}

static void describe_mbus(struct description *d, int channel, const struct reading_mbus *m)
{
    static const char *const units[] = {"none", "dm3", "mj", "wh"};
    if (m->medium || m->unit || m->valve >= 0)
        line(d, "mbus_%d medium %u %s %lld time %lld valve %d uncorrected %d\n", channel, m->medium,
             units[m->unit], (long long)m->value, (long long)m->time_s, m->valve, m->uncorrected);
}

/* Everything known, a line each, as in the files NAME.expected. */
static void describe(struct description *d)
{
    const struct reading *r = &seen.reading;
    d->n = 0;
    line(d, "telegrams_ok %u\n", stream.stats.telegrams_ok);
    line(d, "telegrams_bad_crc %u\n", stream.stats.telegrams_bad_crc);
    line(d, "telegrams_bad_frame %u\n", stream.stats.telegrams_bad_frame);
    if (stream.winter_offset_s != 3600)
        line(d, "winter_offset_s %d\n", (int)stream.winter_offset_s);
    for (int q = 0; q < Q_N; q++)
        if (reading_has(r, (enum quantity)q))
            line(d, "%s %lld\n", quantities[q].name, (long long)r->value[q]);
    for (int t = 0; t < TEXT_N; t++)
        if (r->text[t].length)
            line(d, "text %s %s\n", reading_text_name((enum reading_text_id)t),
                 text_of((enum reading_text_id)t));
    if (r->meter_time_s)
        line(d, "meter_time_s %lld\n", (long long)r->meter_time_s);
    if (r->peak_time_s)
        line(d, "peak_time_s %lld\n", (long long)r->peak_time_s);
    if (r->p1_version)
        line(d, "p1_version %u\n", r->p1_version);
    if (r->emucs_version)
        line(d, "emucs_version %u\n", (unsigned)r->emucs_version);
    if (r->object_errors)
        line(d, "object_errors %u\n", r->object_errors);
    for (int i = 0; i < r->failures_n; i++)
        line(d, "failure_%d %lld %u\n", i + 1, (long long)r->failures[i].end_s,
             (unsigned)r->failures[i].duration_s);
    for (int i = 0; i < r->peaks_n; i++)
        line(d, "peak_%d %lld %lld %d\n", i + 1, (long long)r->peaks[i].month_s,
             (long long)r->peaks[i].time_s, (int)r->peaks[i].power_w);
    for (int i = 0; i < READING_MBUS_N && seen.telegram.n; i++)
        describe_mbus(d, i + 1, &r->mbus[i]);
}

/* Reports the lines of `a` that `b` has not; returns how many. */
static int report_missing(const char *file, const char *what, const char *a, const char *b)
{
    int missing = 0;
    for (const char *end; (end = strchr(a, '\n')) != NULL; a = end + 1) {
        size_t n = (size_t)(end + 1 - a);
        const char *found = b;
        while (*found && strncmp(found, a, n) != 0)
            found = strchr(found, '\n') + 1;
        if (*found)
            continue;
        print_error("%s: %s: %.*s", file, what, (int)n, a);
        missing++;
    }
    return missing;
}

static void check_file(const char *name)
{
    static struct bytes t, expected;
    static struct description got;
    int offset_s;
    load(name, "txt", &t);
    load(name, "expected", &expected);
    const char *offset = strstr((const char *)expected.p, "winter_offset_s ");
    start_stream();
    if (offset && sscanf(offset, "winter_offset_s %d", &offset_s) == 1)
        stream.winter_offset_s = offset_s;
    feed(t.p, t.n, ALL_AT_ONCE);
    note(p1_silence(&stream));
    describe(&got);
    int wrong = report_missing(name, "missing", (const char *)expected.p, got.s) +
                report_missing(name, "unexpected", got.s, (const char *)expected.p);
    assert_int_equal(wrong, 0);
}

static void files_decode_to_what_is_expected(void **state)
{
    (void)state;
    assert_true(good_n >= 16);
    for (size_t i = 0; i < good_n; i++)
        check_file(good_files[i]);
}

static void broken_files_lose_what_is_broken_alone(void **state)
{
    (void)state;
    assert_true(broken_n >= 18);
    for (size_t i = 0; i < broken_n; i++)
        check_file(broken_files[i]);
}

/* ---- chunks ---- */

/* The same bytes in other chunks must come to the same end. */
static void assert_chunking_is_unseen(const struct bytes *t, const char *name)
{
    static struct bytes whole_telegram;
    run(t->p, t->n, ALL_AT_ONCE);
    struct reading whole = seen.reading;
    struct p1_stats stats = stream.stats;
    whole_telegram = seen.telegram;
    for (size_t cut = 0; cut < t->n + 40; cut++) {
        start_stream();
        if (cut < t->n) {
            feed(t->p, cut, ALL_AT_ONCE);
            feed(t->p + cut, t->n - cut, ALL_AT_ONCE);
        } else {
            feed(t->p, t->n, cut - t->n + 1);
        }
        note(p1_silence(&stream));
        if (memcmp(&whole, &seen.reading, sizeof whole) != 0 ||
            memcmp(&stats, &stream.stats, sizeof stats) != 0 ||
            whole_telegram.n != seen.telegram.n ||
            memcmp(whole_telegram.p, seen.telegram.p, seen.telegram.n) != 0)
            fail_msg("%s: cut %zu differs", name, cut);
    }
}

static void every_chunking_gives_the_same(void **state)
{
    static struct bytes t;
    (void)state;
    for (size_t i = 0; i < good_n; i++) {
        load(good_files[i], "txt", &t);
        assert_chunking_is_unseen(&t, good_files[i]);
    }
    for (size_t i = 0; i < broken_n; i++) {
        load(broken_files[i], "txt", &t);
        assert_chunking_is_unseen(&t, broken_files[i]);
    }
}

static void telegrams_back_to_back(void **state)
{
    static struct bytes t, twice;
    (void)state;
    for (size_t i = 0; i < good_n; i++) {
        load(good_files[i], "txt", &t);
        twice.n = 0;
        append(&twice, t.p, t.n);
        append(&twice, t.p, t.n);
        for (size_t chunk = 1; chunk < ALL_AT_ONCE; chunk = chunk * 3 + 1) {
            start_stream();
            feed(twice.p, twice.n, chunk);
            assert_counts(2, 0, 0);
            assert_int_equal(stream.stats.bytes_skipped, 0);
        }
    }
}

static void whole_telegram_ends_at_the_fourth_digit(void **state)
{
    static struct bytes t;
    (void)state;
    load("dsmr50_three_phase", "txt", &t);
    start_stream();
    feed(t.p, t.n - 3, ALL_AT_ONCE);
    assert_counts(0, 0, 0);
    feed(t.p + t.n - 3, 1, ALL_AT_ONCE);
    assert_counts(1, 0, 0);
    assert_int_equal(seen.telegram.n, t.n - 2);
    assert_memory_equal(seen.telegram.p, t.p, t.n - 2);
}

/* ---- resynchronisation ---- */

static bool is_seven_bit_file(const char *name)
{
    return strstr(name, "7e1") != NULL;
}

/* Feeds the first `cut` bytes of one telegram and all of another: the second must be decoded as if it
 * had come alone. */
static void cut_then_whole(const struct bytes *first, size_t cut, const struct bytes *second,
                           size_t chunk)
{
    static struct bytes telegram_alone;
    run(second->p, second->n, ALL_AT_ONCE);
    struct reading alone = seen.reading;
    telegram_alone = seen.telegram;
    start_stream();
    feed(first->p, cut, chunk);
    feed(second->p, second->n, chunk);
    if (seen.events[P1_TELEGRAM] != 1u + (cut + 2 >= first->n))
        fail_msg("cut at %zu: %u telegrams", cut, seen.events[P1_TELEGRAM]);
    if (memcmp(&seen.reading, &alone, sizeof alone) != 0)
        fail_msg("cut at %zu: another reading", cut);
    assert_int_equal(seen.telegram.n, telegram_alone.n);
    assert_memory_equal(seen.telegram.p, telegram_alone.p, seen.telegram.n);
}

static void telegram_cut_anywhere_before_a_whole_one(void **state)
{
    static struct bytes a, b;
    (void)state;
    for (size_t i = 0; i < good_n; i++) {
        const char *first = good_files[i], *second = good_files[(i + 1) % good_n];
        if (is_seven_bit_file(first) != is_seven_bit_file(second))
            second = first;
        load(first, "txt", &a);
        load(second, "txt", &b);
        for (size_t cut = 0; cut < a.n - 2; cut++) {
            cut_then_whole(&a, cut, &b, ALL_AT_ONCE);
            if (cut % 16 == 0 || i == 0)
                cut_then_whole(&a, cut, &b, 1);
        }
    }
}

static void telegram_that_stops_is_given_up_by_silence(void **state)
{
    static struct bytes t;
    (void)state;
    load("dsmr50_three_phase", "txt", &t);
    for (size_t cut = 0; cut < t.n; cut++) {
        run(t.p, cut, ALL_AT_ONCE);
        assert_counts(cut >= t.n - 2, 0, cut >= 5 && cut < t.n - 2);
        assert_int_equal(p1_silence(&stream), P1_MORE);
        feed(t.p, t.n, ALL_AT_ONCE);
        assert_int_equal(seen.events[P1_TELEGRAM], 1 + (cut >= t.n - 2));
    }
}

static void begins_in_the_middle(void **state)
{
    static struct bytes t;
    (void)state;
    load("emucs171_peaks13", "txt", &t);
    for (size_t from = 1; from < t.n; from++) {
        start_stream();
        feed(t.p + from, t.n - from, ALL_AT_ONCE);
        assert_counts(0, 0, 0);
        feed(t.p, t.n, ALL_AT_ONCE);
        assert_counts(1, 0, 0);
    }
}

/* Noise that looks like the start of a telegram of 8 bits hides one of 7; the second one is found. */
static void assert_good_after(const uint8_t *garbage, size_t n, const char *what)
{
    static const char *const names[] = {"dsmr50_three_phase", "dsmr22", "slovenia_7e1"};
    static struct bytes t;
    for (size_t i = 0; i < 3; i++) {
        load(names[i], "txt", &t);
        start_stream();
        feed(garbage, n, i == 0 ? 1009 : ALL_AT_ONCE);
        feed(t.p, t.n, ALL_AT_ONCE);
        if (is_seven_bit_file(names[i]) && seen.events[P1_TELEGRAM] == 0)
            feed(t.p, t.n, ALL_AT_ONCE);
        if (seen.events[P1_TELEGRAM] != 1 || memcmp(seen.telegram.p + 1, "ISk5", 2) != 0)
            fail_msg("%s behind %s: %u telegrams", names[i], what, seen.events[P1_TELEGRAM]);
    }
}

static void fill(uint8_t *p, size_t n, const char *pattern)
{
    for (size_t i = 0, period = strlen(pattern); i < n; i++)
        p[i] = (uint8_t)pattern[i % period];
}

static void telegram_behind_64_kib_of_garbage(void **state)
{
    static const char *const patterns[] = {
        "\xFF",       "/",     "/A",        "/AAA5",
        "\r\n",       "\n",    "!",         "\n!",
        "(",          "0",     "/AAA5\r\n", "/AAA5\r\n(",
        "/AAA5\n!\n", "\xAF",  "\n/1",      "\xAF\x41\x41\x41\x35",
        "/AAA\n",     "//AAA", "\x80"};
    static uint8_t garbage[GARBAGE_N];
    (void)state;
    memset(garbage, 0, sizeof garbage);
    assert_good_after(garbage, sizeof garbage, "NUL");
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        fill(garbage, sizeof garbage, patterns[i]);
        assert_good_after(garbage, sizeof garbage, patterns[i]);
    }
}

static void telegram_behind_random_garbage(void **state)
{
    /* the second alphabet is made of what telegrams are made of, so that many false ones begin */
    static const char alphabet[] = "/ISk5AB\r\n!(01.:-*";
    static uint8_t garbage[GARBAGE_N];
    (void)state;
    for (uint32_t seed = 1; seed <= 8; seed++) {
        uint32_t random = seed;
        for (size_t i = 0; i < sizeof garbage; i++)
            garbage[i] = (uint8_t)(noise(&random) >> 11);
        assert_good_after(garbage, sizeof garbage, "random bytes");
        for (size_t i = 0; i < sizeof garbage; i++)
            garbage[i] = (uint8_t)alphabet[(noise(&random) >> 11) % (sizeof alphabet - 1)];
        assert_good_after(garbage, sizeof garbage, "random P1 characters");
    }
}

/* A start that is none, then noise that fills the buffer just when the real telegram begins. */
static void telegram_across_the_end_of_a_full_buffer(void **state)
{
    static uint8_t garbage[2 * P1_TELEGRAM_MAX];
    (void)state;
    memset(garbage, 'x', sizeof garbage);
    memcpy(garbage, "/abcd", 5);
    for (size_t n = P1_TELEGRAM_MAX - 1000; n < P1_TELEGRAM_MAX + 10; n++) {
        assert_good_after(garbage, n, "a line that fills the buffer");
        if (n % 50 == 0)
            n += 30;
        if (n > P1_TELEGRAM_MAX - 10)
            continue;
        n += 5;
    }
}

static void endless_line(void **state)
{
    static uint8_t endless[100000];
    (void)state;
    memset(endless, '7', sizeof endless);
    assert_good_after(endless, sizeof endless, "a line that never began");
    memcpy(endless, "/ISK5", 5);
    assert_good_after(endless, sizeof endless, "an identification without end");
    memcpy(endless, "/ISK5\r\n0-0:96.13.0(", 20);
    assert_good_after(endless, sizeof endless, "a text without end");
    memcpy(endless, "/ISK5\r\n/1", 10);
    start_stream();
    feed(endless, sizeof endless, 1);
    assert_counts(0, 0, 1);
    assert_int_equal(stream.stats.bytes_skipped, sizeof endless - P1_TELEGRAM_MAX);
}

/* ---- line ends, checksum digits ---- */

static void line_ends(void **state)
{
    static struct bytes t, lf, cr, bare;
    (void)state;
    load("dsmr50_three_phase", "txt", &t);
    lf.n = cr.n = 0;
    for (size_t i = 0; i < t.n - 7; i++) {
        if (t.p[i] != '\r')
            append(&lf, t.p + i, 1);
        if (t.p[i] != '\n')
            append(&cr, t.p + i, 1);
    }
    bare = lf;
    append(&bare, t.p + t.n - 7, 7);
    run(bare.p, bare.n, ALL_AT_ONCE);
    assert_counts(0, 1, 0); /* the meter's CRC is over CR LF */
    seal(&lf, "%04X", "\n");
    run(lf.p, lf.n, ALL_AT_ONCE);
    assert_counts(1, 0, 0);
    assert_int_equal(seen.reading.value[Q_POWER_IMPORT], 412);
    assert_string_equal(text_of(TEXT_IDENTIFICATION), "ISK5\\2M550T-9042");
    seal(&cr, "%04X", "\r");
    run(cr.p, cr.n, ALL_AT_ONCE);
    assert_counts(0, 0, 1); /* one line without end */
    feed(cr.p, cr.n, ALL_AT_ONCE);
    feed(t.p, t.n, ALL_AT_ONCE);
    assert_int_equal(seen.events[P1_TELEGRAM], 1);
    run(t.p, t.n - 2, ALL_AT_ONCE);
    assert_counts(1, 0, 0); /* no final CR LF */
    run(t.p, t.n - 1, ALL_AT_ONCE);
    assert_counts(1, 0, 0);
}

static void blank_lines_may_stand_anywhere(void **state)
{
    (void)state;
    start_stream();
    for (int blank = 0; blank < 3; blank++) {
        struct bytes b = {.n = 0};
        append_string(&b, blank == 0   ? "/TST5\r\n"
                          : blank == 1 ? "/TST5\r\n\r\n"
                                       : "/TST5\r\n\r\n\n");
        append_string(&b, "1-0:1.7.0(00.001*kW)\r\n");
        append_string(&b, blank == 2 ? "\r\n\r\n" : "");
        append_string(&b, "1-0:2.7.0(00.002*kW)\r\n");
        seal(&b, "%04X", "\r\n");
        run(b.p, b.n, ALL_AT_ONCE);
        assert_counts(1, 0, 0);
        assert_int_equal(seen.reading.value[Q_POWER_IMPORT], 1);
        assert_int_equal(seen.reading.value[Q_POWER_EXPORT], 2);
        assert_int_equal(seen.reading.object_errors, 0);
    }
}

/* A telegram whose CRC has leading zeros, by trying times. */
static void with_short_crc(struct bytes *b, uint16_t below)
{
    for (unsigned n = 0; n < 1000000; n++) {
        b->n = 0;
        append_string(b, "/TST5\r\n\r\n");
        char value[64];
        snprintf(value, sizeof value, "1-0:1.8.1(%06u.000*kWh)\r\n!", n);
        append_string(b, value);
        if (crc16_update(CRC16_ARC_INIT, b->p, b->n) < below) {
            b->n--;
            return;
        }
    }
    fail();
}

static void assert_sealed(const struct bytes *open, const char *format, const char *tail,
                          bool accepted)
{
    struct bytes b = *open;
    seal(&b, format, tail);
    for (size_t chunk = 1; chunk < ALL_AT_ONCE; chunk = chunk * 7 + 1) {
        run(b.p, b.n, chunk);
        if (seen.events[P1_TELEGRAM] != accepted || (!accepted && seen.events[P1_BAD_CRC] != 1))
            fail_msg("CRC as %s and %s", format, tail);
    }
}

static void checksum_digits(void **state)
{
    struct bytes b, small;
    (void)state;
    with_short_crc(&b, 0x1000);
    with_short_crc(&small, 0x10);
    assert_sealed(&b, "%04X", "\r\n", true);
    assert_sealed(&b, "%04x", "\r\n", true);
    assert_sealed(&b, "%04X", "\n", true);
    assert_sealed(&b, "%04X", "", true);
    assert_sealed(&b, "%X", "\r\n", true);
    assert_sealed(&b, "%x", "\n", true);
    assert_sealed(&small, "%X", "\r\n", true);
    assert_sealed(&b, "%X", "5/", false);
    assert_sealed(&b, "%X", " \r\n", false);
    assert_sealed(&b, "%X", "g\r\n", false);
    assert_sealed(&b, " %04X", "\r\n", false);
    assert_sealed(&b, "-%04X", "\r\n", false);
    assert_sealed(&b, "0x%04X", "\r\n", false);
    assert_sealed(&b, "0%04X", "\r\n", false); /* five digits: the first four are it */
    assert_sealed(&b, "%04X1", "\r\n", true);
    assert_sealed(&b, "XYZW", "\r\n", false);
}

static void nul_behind_the_checksum(void **state)
{
    static const char *const formats[] = {"%04X", "%X"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bytes b;
        with_short_crc(&b, 0x1000);
        seal(&b, formats[i], "");
        append(&b, "\0\r\n", 3);
        append(&b, b.p, b.n);
        run(b.p, b.n, ALL_AT_ONCE);
        assert_counts(2, 0, 0);
    }
}

static void wrong_checksums(void **state)
{
    static const char *const digits[] = {"0000", "FFFF", "1234", "", "0", "G000", " "};
    static struct bytes t;
    (void)state;
    load("dsmr50_three_phase", "txt", &t);
    for (size_t i = 0; i < sizeof digits / sizeof digits[0]; i++) {
        struct bytes b = t;
        b.n -= 6;
        append_string(&b, digits[i]);
        append_string(&b, "\r\n");
        append(&b, t.p, t.n);
        run(b.p, b.n, ALL_AT_ONCE);
        assert_counts(1, 1, 0);
        assert_int_equal(stream.stats.telegrams_bad_crc, 1);
    }
}

static void checksum_of_the_specification_vector(void **state)
{
    static const char t[] =
        "/KFM5KAIFA-METER\r\n\r\n1-0:1.8.1(000671.578*kWh)\r\n1-0:1.7.0(00.318*kW)\r\n"
        "!1E1D\r\n";
    (void)state;
    run(t, sizeof t - 1, ALL_AT_ONCE);
    assert_counts(1, 0, 0);
    assert_int_equal(seen.reading.value[Q_ENERGY_IMPORT_T1], 671578);
    assert_int_equal(seen.reading.value[Q_POWER_IMPORT], 318);
}

/* Only DSMR 2.2 and 3.0 have no CRC, and neither version nor time. */
static void checksum_may_be_missing_in_dsmr_2_and_3_alone(void **state)
{
    static const struct {
        const char *lines;
        bool accepted;
    } rows[] = {
        {"1-0:1.8.1(00001.000*kWh)\r\n", true},
        {"1-0:1.8.0(00001.000*kWh)\r\n", true},
        {"1-0:1.8.1(00001.000*kWh)\r\n1-3:0.2.8(42)\r\n", false},
        {"1-0:1.8.1(00001.000*kWh)\r\n1-3:0.2.8()\r\n", true},
        {"1-0:1.8.1(00001.000*kWh)\r\n0-0:96.1.4(50217)\r\n", false},
        {"1-0:1.8.1(00001.000*kWh)\r\n0-0:96.1.4(2020)\r\n", false},
        {"1-0:1.8.1(00001.000*kWh)\r\n0-0:1.0.0(240101000000W)\r\n", false},
        {"1-0:1.8.1(00001.000*kWh)\r\n0-0:1.0.0(000101000000W)\r\n", false}, /* makes no sense */
        {"1-0:1.8.1(00001.000*kWh)\r\nnoise\r\n", false},
        {"1-0:1.8.1(00001.000*kWh)\r\n0-0:96.13.0(4\xB1)\r\n", false}, /* 8 bits: no DSMR 2 or 3 */
        {"1-0:1.7.0(0001.00*kW)\r\n", false},                          /* no energy: noise */
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes b = {.n = 0};
        append_string(&b, "/ISk5\\2MT382\r\n\r\n");
        append_string(&b, rows[i].lines);
        append_string(&b, "!\r\n");
        run(b.p, b.n, ALL_AT_ONCE);
        assert_counts(rows[i].accepted, !rows[i].accepted, 0);
    }
}

/* ---- '/' in odd places ---- */

static void slashes_inside(void **state)
{
    static const char *const idents[] = {"/HLY5/D545-METER",   "/ISK5/test-/-test", "/NWA-x",
                                         "/ADN9 6534",         "/ISK5/abcde/fghij", "/abc/",
                                         "/Ene5\\T210/ESMR5.0"};
    (void)state;
    for (size_t i = 0; i < sizeof idents / sizeof idents[0]; i++) {
        struct bytes b = {.n = 0};
        append_string(&b, idents[i]);
        append_string(&b, "\r\n\r\n0-0:96.13.0(ask/your/supplier/now/abcd)\r\n/1\r\n/\r\n/ab\r\n"
                          "1-0:1.7.0(00.001*kW)\r\n/abc\r\n1-0:2.7.0(00.002*kW)\r\n/\r\n");
        seal(&b, "%04X", "\r\n");
        for (size_t chunk = 1; chunk < 400; chunk++) {
            run(b.p, b.n, chunk);
            assert_counts(1, 0, 0);
            assert_string_equal(text_of(TEXT_IDENTIFICATION), idents[i] + 1);
            assert_string_equal(text_of(TEXT_MESSAGE), "ask/your/supplier/now/abcd");
            assert_int_equal(seen.reading.value[Q_POWER_IMPORT], 1);
            assert_int_equal(seen.reading.value[Q_POWER_EXPORT], 2);
            assert_int_equal(seen.reading.object_errors, 5);
        }
    }
}

static void what_is_no_start(void **state)
{
    static const char *const noises[] = {
        "/",        "/A",   "/ABC", "/ABC\r", "/ABC\n",           "/AB1x",   "/1BC5",
        "/ISk\r\n", "x/AB", "/ /A", "/IS/",   "\xAF\xC9\x53\xEB", "/I\xD3k5"};
    static struct bytes t;
    (void)state;
    load("dsmr42_three_phase", "txt", &t);
    for (size_t i = 0; i < sizeof noises / sizeof noises[0]; i++) {
        for (size_t chunk = 1; chunk < 12; chunk++) {
            start_stream();
            feed(noises[i], strlen(noises[i]), chunk);
            feed(t.p, t.n, chunk);
            assert_int_equal(seen.events[P1_TELEGRAM], 1);
            assert_int_equal(seen.reading.value[Q_POWER_EXPORT], 3412);
        }
    }
}

static void start_at_the_start_of_a_line_cuts_the_telegram_before(void **state)
{
    static const char cut[] = "/AAA5\r\n\r\n1-0:1.7.0(00.001*kW)\r\n";
    struct bytes b = *telegram("1-0:2.7.0(00.002*kW)\r\n");
    (void)state;
    for (size_t chunk = 1; chunk < 100; chunk++) {
        start_stream();
        for (int i = 0; i < 5; i++)
            feed(cut, sizeof cut - 1, chunk);
        feed(b.p, b.n, chunk);
        assert_counts(1, 0, 5);
        assert_false(reading_has(&seen.reading, Q_POWER_IMPORT));
        assert_int_equal(stream.stats.telegrams_bad_frame, 5);
    }
}

/* More starts in one line than are tried: the latest ones are. */
static void many_starts_in_mid_line(void **state)
{
    (void)state;
    start_stream();
    for (int i = 0; i < 1000; i++)
        feed_string("/abc5");
    const struct bytes *t = telegram("1-0:2.7.0(00.002*kW)\r\n");
    feed(t->p, t->n, ALL_AT_ONCE);
    assert_counts(1, 0, 0);
    assert_int_equal(stream.stats.telegrams_bad_frame, 1);
    assert_memory_equal(seen.telegram.p, t->p, t->n - 2);
}

/* ---- 7 bits, even parity ---- */

static void seven_bits_even_parity_read_as_8n1(void **state)
{
    static struct bytes eight, seven;
    (void)state;
    for (size_t i = 0; i < good_n; i++) {
        load(good_files[i], "txt", &eight);
        if (is_seven_bit_file(good_files[i]) || strcmp(good_files[i], "hungary") == 0)
            continue;
        run(eight.p, eight.n, ALL_AT_ONCE);
        struct reading expected = seen.reading;
        seven = eight;
        set_parity(&seven);
        run(seven.p, seven.n, ALL_AT_ONCE);
        assert_counts(1, 0, 0);
        assert_memory_equal(&seen.reading, &expected, sizeof expected);
        assert_memory_equal(seen.telegram.p, eight.p, seen.telegram.n);
        run(seven.p, seven.n, 1);
        assert_counts(1, 0, 0);
    }
}

static void parity_error_gives_up_the_telegram(void **state)
{
    static struct bytes t, b;
    (void)state;
    load("slovenia_7e1", "txt", &t);
    for (size_t i = 0; i < t.n; i++) {
        b = t;
        b.p[i] ^= 0x80;
        append(&b, t.p, t.n);
        run(b.p, b.n, ALL_AT_ONCE);
        /* in the start: not even recognised; behind '!' CR the telegram is complete */
        assert_counts(i == t.n - 1 ? 2 : 1, 0, i >= 5 && i < t.n - 1);
    }
}

/* The line's format changes with the meter: what was open in the other one is given up. */
static void eight_bits_after_seven(void **state)
{
    static struct bytes seven, eight;
    (void)state;
    load("slovenia_7e1", "txt", &seven);
    load("dsmr50_three_phase", "txt", &eight);
    for (size_t cut = 0; cut <= seven.n; cut++) {
        start_stream();
        feed(seven.p, cut, ALL_AT_ONCE);
        feed(eight.p, eight.n, ALL_AT_ONCE);
        assert_int_equal(seen.reading.p1_version, 50);
        assert_int_equal(seen.events[P1_TELEGRAM], 1 + (cut + 1 >= seven.n));
        feed(seven.p, seven.n, ALL_AT_ONCE);
        assert_int_equal(seen.reading.p1_version, 0);
    }
}

/* A start cut by the edge of a chunk is put back as it came. */
static void cut_seven_bit_telegrams_in_any_chunks(void **state)
{
    static struct bytes t, b;
    (void)state;
    load("slovenia_7e1", "txt", &t);
    b.n = 0;
    append(&b, t.p, 100);
    for (size_t i = 0; i < 100; i++)
        if (t.p[i] == '\n')
            b.n = i + 1;
    append(&b, t.p, t.n);
    b.p[b.n - t.n + 3] ^= 0x80; /* one start damaged ... */
    append(&b, t.p, t.n);       /* ... and a good one */
    for (size_t chunk = 1; chunk < 200; chunk++) {
        run(b.p, b.n, chunk);
        assert_counts(1, 0, 1);
    }
}

/* ---- every bit flipped ---- */

/* Only what comes behind the CRC, and the bit that tells 'A' from 'a' in its digits, can be flipped
 * unseen: a CRC-16 with this polynomial sees every single wrong bit. */
static bool flip_is_harmless(const struct bytes *t, size_t byte, unsigned bit)
{
    if (byte >= t->n - 2)
        return true;
    return byte >= t->n - 6 && t->p[byte] >= 'A' && t->p[byte] <= 'F' && bit == 5;
}

static void assert_flips_are_seen(const char *name)
{
    static struct bytes t;
    load(name, "txt", &t);
    run(t.p, t.n, ALL_AT_ONCE);
    struct reading whole = seen.reading;
    for (size_t byte = 0; byte < t.n; byte++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            t.p[byte] ^= (uint8_t)(1u << bit);
            run(t.p, t.n, ALL_AT_ONCE);
            t.p[byte] ^= (uint8_t)(1u << bit);
            if (seen.events[P1_TELEGRAM] != flip_is_harmless(&t, byte, bit))
                fail_msg("%s: bit %u of byte %zu", name, bit, byte);
            if (seen.events[P1_TELEGRAM])
                assert_memory_equal(&seen.reading, &whole, sizeof whole);
        }
    }
}

static void no_flipped_bit_changes_a_dsmr5_value(void **state)
{
    (void)state;
    assert_flips_are_seen("dsmr50_three_phase");
}

static void no_flipped_bit_changes_an_emucs_value(void **state)
{
    (void)state;
    assert_flips_are_seen("emucs171_peaks13");
}

/* Without CRC and parity some flips cannot be seen: those that make another digit of a digit, another
 * reference of a reference, another character of a text, or a line vanish in the one before it. */
struct flips {
    unsigned refused, same, other_digit, other_reference, other_text, merged_lines, elsewhere;
};

static void classify(struct flips *f, const struct bytes *t, size_t byte, bool same)
{
    size_t line_start = byte, open;
    while (line_start > 0 && t->p[line_start - 1] != '\n')
        line_start--;
    for (open = line_start; open < t->n && t->p[open] != '(' && t->p[open] != '\n';)
        open++;
    bool text = memcmp(t->p + line_start, "/ISk5", 5) == 0 ||
                memcmp(t->p + line_start + 4, "96.1.", 5) == 0;
    if (same)
        f->same++;
    else if (t->p[byte] == '\r' || t->p[byte] == '\n')
        f->merged_lines++;
    else if (text && (byte > open || t->p[line_start] == '/'))
        f->other_text++;
    else if (byte < open)
        f->other_reference++;
    else if (t->p[byte] >= '0' && t->p[byte] <= '9')
        f->other_digit++;
    else
        f->elsewhere++;
}

static void flipped_bits_without_any_check(void **state)
{
    static struct bytes t;
    struct flips f = {.refused = 0};
    (void)state;
    load("dsmr22", "txt", &t);
    run(t.p, t.n, ALL_AT_ONCE);
    struct reading whole = seen.reading;
    static struct bytes whole_telegram;
    whole_telegram = seen.telegram;
    for (size_t byte = 0; byte < t.n; byte++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            t.p[byte] ^= (uint8_t)(1u << bit);
            run(t.p, t.n, ALL_AT_ONCE);
            t.p[byte] ^= (uint8_t)(1u << bit);
            bool same = memcmp(&seen.reading, &whole, sizeof whole) == 0;
            for (int id = 0; id < TEXT_N && same; id++)
                same = memcmp(seen.telegram.p + whole.text[id].offset,
                              whole_telegram.p + whole.text[id].offset, whole.text[id].length) == 0;
            if (!seen.events[P1_TELEGRAM])
                f.refused++;
            else
                classify(&f, &t, byte, same);
            if (seen.events[P1_TELEGRAM] && bit == 7)
                assert_true(byte >= t.n - 1); /* none but the last LF is ever of 8 bits */
        }
    }
    assert_int_equal(f.elsewhere, 0);
    assert_true(f.refused > t.n * 8 / 2);
    assert_true(f.other_digit > 0 && f.other_reference > 0 && f.other_text > 0 &&
                f.merged_lines > 0);
}

/* With parity nothing of it gets through; the last LF stands behind the telegram. */
static void parity_sees_every_flipped_bit(void **state)
{
    static const char *const names[] = {"dsmr22", "dsmr30"};
    static struct bytes t;
    (void)state;
    for (int i = 0; i < 2; i++) {
        load(names[i], "txt", &t);
        set_parity(&t);
        for (size_t byte = 0; byte < t.n; byte++) {
            for (unsigned bit = 0; bit < 8; bit++) {
                t.p[byte] ^= (uint8_t)(1u << bit);
                run(t.p, t.n, ALL_AT_ONCE);
                t.p[byte] ^= (uint8_t)(1u << bit);
                assert_int_equal(seen.events[P1_TELEGRAM], byte == t.n - 1);
            }
        }
    }
}

/* ---- objects ---- */

static void every_quantity_and_unit(void **state)
{
    static const struct {
        const char *line;
        enum quantity quantity;
        long long value;
    } rows[] = {
        /* energies, and every spelling of their units */
        {"1-0:1.8.1(123456.789*kWh)", Q_ENERGY_IMPORT_T1, 123456789},
        {"1-0:1.8.2(000000.001*kWh)", Q_ENERGY_IMPORT_T2, 1},
        {"1-0:1.8.3(000003.000*kWh)", Q_ENERGY_IMPORT_T3, 3000},
        {"1-0:1.8.4(000004.000*kWh)", Q_ENERGY_IMPORT_T4, 4000},
        {"1-0:1.8.0(00010117.368*kWh)", Q_ENERGY_IMPORT, 10117368},
        {"1-0:2.8.1(123456.789*kWh)", Q_ENERGY_EXPORT_T1, 123456789},
        {"1-0:2.8.2(000000.001*kWh)", Q_ENERGY_EXPORT_T2, 1},
        {"1-0:2.8.3(000003.000*kWh)", Q_ENERGY_EXPORT_T3, 3000},
        {"1-0:2.8.4(000004.000*kWh)", Q_ENERGY_EXPORT_T4, 4000},
        {"1-0:2.8.0(00010117.368*kWh)", Q_ENERGY_EXPORT, 10117368},
        {"1-0:15.8.0(000800.817*kWh)", Q_ENERGY_ABSOLUTE, 800817},
        {"1-0:1.8.0(006545766*Wh)", Q_ENERGY_IMPORT, 6545766},
        {"1-0:1.8.0(000000.500*kwh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0(000000.500*kWh )", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0(000000.500* kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0(000000.500kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0(000000.500 kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0(000000.500*KWH)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0(500*wh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0(0.0004*kWh)", Q_ENERGY_IMPORT, 0}, /* rounded half away from zero */
        {"1-0:1.8.0(0.0005*kWh)", Q_ENERGY_IMPORT, 1},
        {"1-0:1.8.0(0.00000000000001*kWh)", Q_ENERGY_IMPORT, 0},
        {"1-0:1.8.0(5*kWh)", Q_ENERGY_IMPORT, 5000},
        {"1-0:1.8.0(000000000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0(9999999999.999*kWh)", Q_ENERGY_IMPORT, 9999999999999},
        /* A-B in all variants that name electricity, group F in all that say nothing */
        {"0-0:1.8.0(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        {"1-1:1.8.0(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        {"1-9:1.8.0(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0.255(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0*255(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:32.32.0.255(00004)", Q_VOLTAGE_SAGS_L1, 4},
        {"1-0:32.32.0*255(00004)", Q_VOLTAGE_SAGS_L1, 4},
        {"0-0:96.7.21*255(00004)", Q_POWER_FAILURES, 4},
        {"1-0:94.32.1.0(230)", Q_GRID_TYPE, 230},
        {"1-0:1.8.0.0(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0*1(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        {"1-0:1.8.0*99(000000.500*kWh)", Q_ENERGY_IMPORT, 500},
        /* reactive energies */
        {"1-0:3.8.0(000012.345*kvarh)", Q_REACTIVE_ENERGY_IMPORT, 12345},
        {"1-0:4.8.0(00001260.519*kVArh)", Q_REACTIVE_ENERGY_EXPORT, 1260519},
        {"1-0:3.8.0(000000747*varh)", Q_REACTIVE_ENERGY_IMPORT, 747},
        {"1-0:5.8.0(000000.668*kvarh)", Q_REACTIVE_ENERGY_Q1, 668},
        {"1-0:6.8.0(000000.071*kvarh)", Q_REACTIVE_ENERGY_Q2, 71},
        {"1-0:7.8.0(000160.487*kvarh)", Q_REACTIVE_ENERGY_Q3, 160487},
        {"1-0:8.8.0(000143.346*kvarh)", Q_REACTIVE_ENERGY_Q4, 143346},
        /* powers */
        {"1-0:1.7.0(01.193*kW)", Q_POWER_IMPORT, 1193},
        {"1-0:1.7.0(0001.01*kW)", Q_POWER_IMPORT, 1010},
        {"1-0:1.7.0(000000286*W)", Q_POWER_IMPORT, 286},
        {"1-0:1.7.0(01.193*kw)", Q_POWER_IMPORT, 1193},
        {"1-0:1.7.0(01.193kW)", Q_POWER_IMPORT, 1193},
        {"1-0:2.7.0(00.002*kW)", Q_POWER_EXPORT, 2},
        {"1-0:16.7.0(-01.618*kW)", Q_POWER, -1618},
        {"1-0:16.7.0(01.618*kW)", Q_POWER, 1618},
        {"1-0:36.7.0(-00.001*kW)", Q_POWER_L1, -1},
        {"1-0:56.7.0(00.002*kW)", Q_POWER_L2, 2},
        {"1-0:76.7.0(-00.003*kW)", Q_POWER_L3, -3},
        {"1-0:36.7.0(-0.0015*kW)", Q_POWER_L1, -2},
        {"1-0:21.7.0(00.021*kW)", Q_POWER_IMPORT_L1, 21},
        {"1-0:41.7.0(00.041*kW)", Q_POWER_IMPORT_L2, 41},
        {"1-0:61.7.0(00.061*kW)", Q_POWER_IMPORT_L3, 61},
        {"1-0:22.7.0(00.022*kW)", Q_POWER_EXPORT_L1, 22},
        {"1-0:42.7.0(00.042*kW)", Q_POWER_EXPORT_L2, 42},
        {"1-0:62.7.0(00.062*kW)", Q_POWER_EXPORT_L3, 62},
        {"1-0:1.4.0(01.964*kW)", Q_DEMAND_QUARTER, 1964},
        {"1-0:1.6.0(240703184500S)(04.120*kW)", Q_DEMAND_MONTH_PEAK, 4120},
        {"1-0:3.7.0(0001.279*kVAr)", Q_REACTIVE_IMPORT, 1279},
        {"1-0:4.7.0(000000166*var)", Q_REACTIVE_EXPORT, 166},
        {"1-0:4.7.0(000000166*VAr)", Q_REACTIVE_EXPORT, 166},
        {"1-0:4.7.0(00.166*Kvar)", Q_REACTIVE_EXPORT, 166},
        {"1-0:4.7.0(00.166*kvar)", Q_REACTIVE_EXPORT, 166},
        {"1-0:23.7.0(00.023*kvar)", Q_REACTIVE_IMPORT_L1, 23},
        {"1-0:43.7.0(00.043*kvar)", Q_REACTIVE_IMPORT_L2, 43},
        {"1-0:63.7.0(00.063*kvar)", Q_REACTIVE_IMPORT_L3, 63},
        {"1-0:24.7.0(00.024*kvar)", Q_REACTIVE_EXPORT_L1, 24},
        {"1-0:44.7.0(00.044*kvar)", Q_REACTIVE_EXPORT_L2, 44},
        {"1-0:64.7.0(00.064*kvar)", Q_REACTIVE_EXPORT_L3, 64},
        {"1-0:5.7.0(00.005*kvar)", Q_REACTIVE_Q1, 5},
        {"1-0:6.7.0(00.006*kvar)", Q_REACTIVE_Q2, 6},
        {"1-0:7.7.0(00.504*kvar)", Q_REACTIVE_Q3, 504},
        {"1-0:8.7.0(00.008*kvar)", Q_REACTIVE_Q4, 8},
        {"1-0:9.7.0(02.376*kVA)", Q_APPARENT_IMPORT, 2376},
        {"1-0:9.7.0(2376*VA)", Q_APPARENT_IMPORT, 2376},
        {"1-0:10.7.0(02.376*kva)", Q_APPARENT_EXPORT, 2376},
        {"1-0:29.7.0(00.029*kVA)", Q_APPARENT_IMPORT_L1, 29},
        {"1-0:49.7.0(00.049*kVA)", Q_APPARENT_IMPORT_L2, 49},
        {"1-0:69.7.0(00.069*kVA)", Q_APPARENT_IMPORT_L3, 69},
        {"1-0:30.7.0(00.030*kVA)", Q_APPARENT_EXPORT_L1, 30},
        {"1-0:50.7.0(00.050*kVA)", Q_APPARENT_EXPORT_L2, 50},
        {"1-0:70.7.0(00.070*kVA)", Q_APPARENT_EXPORT_L3, 70},
        {"1-0:13.7.0(-1.000)", Q_POWER_FACTOR, -1000},
        {"1-0:13.7.0(1)", Q_POWER_FACTOR, 1000},
        {"1-0:33.7.0(0.98)", Q_POWER_FACTOR_L1, 980},
        {"1-0:53.7.0(-0.951)", Q_POWER_FACTOR_L2, -951},
        {"1-0:73.7.0(0.000)", Q_POWER_FACTOR_L3, 0},
        /* voltages, currents, frequency */
        {"1-0:32.7.0(220.1*V)", Q_METER_VOLTAGE_L1, 220100},
        {"1-0:52.7.0(000.0*V)", Q_METER_VOLTAGE_L2, 0},
        {"1-0:72.7.0(0.2319*kV)", Q_METER_VOLTAGE_L3, 231900},
        {"1-0:32.7.0(220.1V)", Q_METER_VOLTAGE_L1, 220100},
        {"1-0:31.7.0(001*A)", Q_METER_CURRENT_L1, 1000},
        {"1-0:51.7.0(007.74*A)", Q_METER_CURRENT_L2, 7740},
        {"1-0:71.7.0(006.9*A)", Q_METER_CURRENT_L3, 6900},
        {"1-0:71.7.0(0.00352*kA)", Q_METER_CURRENT_L3, 3520},
        {"1-0:31.7.0(005A)", Q_METER_CURRENT_L1, 5000},
        {"1-0:91.7.0(000.31*A)", Q_CURRENT_NEUTRAL, 310},
        {"1-0:14.7.0(49.98*Hz)", Q_FREQUENCY, 49980},
        {"1-0:14.7.0(0.04998*kHz)", Q_FREQUENCY, 49980},
        /* events and states */
        {"1-0:32.32.0(00002)", Q_VOLTAGE_SAGS_L1, 2},
        {"1-0:52.32.0(00003)", Q_VOLTAGE_SAGS_L2, 3},
        {"1-0:72.32.0(00004)", Q_VOLTAGE_SAGS_L3, 4},
        {"1-0:32.36.0(00005)", Q_VOLTAGE_SWELLS_L1, 5},
        {"1-0:52.36.0(00006)", Q_VOLTAGE_SWELLS_L2, 6},
        {"1-0:72.36.0(00007)", Q_VOLTAGE_SWELLS_L3, 7},
        {"0-0:32.32.0(00002)", Q_VOLTAGE_SAGS_L1, 2}, /* as Luxembourg's table has it */
        {"0-0:96.7.21(00004)", Q_POWER_FAILURES, 4},
        {"0-0:96.7.9(00002)", Q_LONG_POWER_FAILURES, 2},
        {"0-0:96.14.0(0001)", Q_TARIFF, 1},
        {"0-0:96.14.0(0009)", Q_TARIFF, 9},
        {"0-0:96.3.10(2)", Q_BREAKER, 2},
        {"1-0:94.32.1(400)", Q_GRID_TYPE, 400},
        /* limits */
        {"0-0:17.0.0(016.1*kW)", Q_LIMITER_W, 16100},
        {"0-0:17.0.0(90.000*kW)", Q_LIMITER_W, 90000},
        {"0-0:17.0.0(009.9*kW)", Q_LIMITER_W, 9900},
        {"0-0:17.0.0(099.9*kW)", Q_LIMITER_W, 99900},
        {"0-0:17.0.0(12.300*kVA)", Q_LIMITER_VA, 12300},
        {"1-0:31.4.0(025*A)", Q_FUSE_L1, 25000},
        {"1-0:31.4.0(099*A)", Q_FUSE_L1, 99000},
        {"1-0:51.4.0(200.00*A)", Q_FUSE_L2, 200000},
        {"1-0:71.4.0(063.00*A)", Q_FUSE_L3, 63000},
        {"1-1:31.4.0(100*A)(-063*A)", Q_FUSE_L1, 100000},
        {"1-1:31.4.0(100*A)(-063*A)", Q_FUSE_EXPORT, -63000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char lines[256];
        snprintf(lines, sizeof lines, "%s\r\n", rows[i].line);
        decode(lines);
        if (!reading_has(&seen.reading, rows[i].quantity) ||
            seen.reading.value[rows[i].quantity] != rows[i].value || seen.reading.object_errors)
            fail_msg("%s: %lld", rows[i].line, (long long)seen.reading.value[rows[i].quantity]);
    }
}

static unsigned known_quantities(void)
{
    unsigned n = 0;
    for (int q = 0; q < Q_N; q++)
        n += reading_has(&seen.reading, (enum quantity)q);
    return n;
}

/* Lines that say nothing: no value and no error.  The frequency behind them must be untouched. */
static void what_says_nothing_is_unknown(void **state)
{
    static const char *const lines[] = {
        "",
        "(00.001*kW)", /* continues the blank line */
        "0-0:17.0.0(999.9*kW)",
        "0-0:17.0.0(99.999*kW)",
        "0-0:17.0.0(999*kW)",
        "0-0:17.0.0(0999.00*kW)",
        "0-0:17.0.0(999.9*kVA)",
        "1-0:31.4.0(999*A)",
        "1-0:31.4.0(999.99*A)",
        "1-0:51.4.0(999.9*A)",
        "1-0:13.7.0(4.556)",
        "1-0:33.7.0(-1.001)",
        "1-0:53.7.0(1.001)",
        "1-0:1.7.0()",
        "1-0:32.7.0()",
        "0-0:96.14.0()",
        "0-0:96.3.10()",
        "0-0:1.0.0()",
        "1-0:1.6.0()()",
        "0-0:17.0.0()",
        "1-0:31.4.0()",
        "1-0:13.7.0()",
        "1-0:1.8.0.255()",
        "0-0:96.7.21()",
        "0-0:96.13.0()",
        "0-0:96.1.1()",
        "1-3:0.2.8()",
        "1-3:0.2.8((ER11))",
        "1-0:1.8.0((ER23))",
        "1-0:99.97.0()",
        "1-0:99.97.0(0)(0-0:96.7.19)",
        "1-0:99.97.0(0)",
        "0-0:98.1.0()",
        "0-0:98.1.0(0)(1-0:1.6.0)(1-0:1.6.0)()",
        "0-0:98.1.0(0)",
        "0-0:98.1.0(230701000000S)(000040.777*kWh)(000000.030*kvarh)(03.564*kW)",
        "0-2:96.1.0()",
        "0-2:24.1.0()",
        "0-2:24.2.1()",
        "0-2:24.4.0()",
        "0-1:24.3.0()",
        "1-0:99.99.9(unknown)",
        "1-0:256.8.0(1*kWh)",
        "1-0:1.7(1*kW)",
        "1-0:1(1*kW)",
        "0-0:C.1.0(123)",
        "0-5:24.2.1(240706153005S)(02718.281*m3)",
        "0-9:24.1.0(003)",
        "0-6:96.1.0(4142)",
        "0-0:24.2.1(240706153005S)(02718.281*m3)",
        "0-1:1.7.0(00.001*kW)",
        "7-0:1.8.0(1*kWh)",
        "6-1:1.7.0(00.001*kW)",
        "1-0:3.8.1(000000000*varh)",
        "1-0:16.24.0(-01.618*kW)",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char all[512];
        snprintf(all, sizeof all, "%s\r\n1-0:14.7.0(50.00*Hz)\r\n", lines[i]);
        decode(all);
        const struct reading *r = &seen.reading;
        struct reading_mbus none = {.valve = -1};
        if (known_quantities() != 1 || r->value[Q_FREQUENCY] != 50000 || r->object_errors ||
            r->failures_n || r->peaks_n || r->meter_time_s || r->peak_time_s || r->p1_version)
            fail_msg("%s: %u errors, %u known", lines[i], r->object_errors, known_quantities());
        for (int c = 0; c < READING_MBUS_N; c++)
            assert_memory_equal(&r->mbus[c], &none, sizeof none);
    }
}

/* Lines that make no sense: counted, no value, and the line behind them is untouched. */
static void what_makes_no_sense_loses_itself_alone(void **state)
{
    static const char *const lines[] = {
        /* numbers */
        "1-0:1.7.0(+01.193*kW)",
        "1-0:1.7.0(1e3*kW)",
        "1-0:1.7.0(1E3*W)",
        "1-0:1.7.0(nan*kW)",
        "1-0:1.7.0(inf*kW)",
        "1-0:1.7.0(0x10*W)",
        "1-0:1.7.0(01,193*kW)",
        "1-0:1.7.0(1.2.3*kW)",
        "1-0:1.7.0(.5*kW)",
        "1-0:1.7.0(5.*kW)",
        "1-0:1.7.0(.*kW)",
        "1-0:1.7.0(*kW)",
        "1-0:1.7.0(-*kW)",
        "1-0:1.7.0(-00.001*kW)",
        "1-0:1.7.0(--1*kW)",
        "1-0:16.7.0(--1*kW)",
        "1-0:1.7.0( 1*kW)",
        "1-0:1.7.0(1234567890123456789012345678901234567890*kW)",
        "1-0:1.7.0(18446744073709551617*W)",
        "1-0:1.7.0(00000000000000001*W)",
        "1-0:1.7.0(1.00000000000000000*kW)",
        "1-0:1.7.0(kW)",
        "1-0:1.7.0(one*kW)",
        "1-0:1.7.0(1\t*kW)",
        "1-0:1.7.0(1*k\x01W)",
        "1-0:31.7.0(-003*A)",
        "1-0:32.7.0(-230.0*V)",
        "1-0:1.8.0(-1*kWh)",
        "0-0:96.7.21(-1)",
        /* units */
        "1-0:1.7.0(00.001)",
        "1-0:1.7.0(00.001*)",
        "1-0:1.7.0(00.001*kWh)",
        "1-0:1.7.0(00.001*V)",
        "1-0:1.7.0(00.001*MW)",
        "1-0:1.7.0(00.001*kWkWkWkWkW)",
        "1-0:1.8.0(1*kW)",
        "1-0:32.7.0(230.0*A)",
        "1-0:32.7.0(230.0)",
        "1-0:3.8.0(1*kWh)",
        "1-0:9.7.0(1*kW)",
        "1-0:14.7.0(50*s)",
        "0-0:96.14.0(1*s)",
        "1-0:13.7.0(1*kW)",
        "0-0:17.0.0(1*A)",
        "0-0:17.0.0(1)",
        "1-0:31.4.0(1*V)",
        "1-0:31.4.0(-1*A)",
        "1-0:31.4.0(1)",
        "1-0:1.7.0(00.001**kW)",
        /* beyond every range */
        "1-0:1.7.0(20000.001*kW)",
        "1-0:1.8.0(10000000000.001*kWh)",
        "1-0:32.7.0(60000.1*V)",
        "1-0:31.7.0(20000.1*A)",
        "1-0:14.7.0(100.1*Hz)",
        "0-0:96.7.21(1000000001)",
        "1-0:9.7.0(99999.999*kVA)",
        "1-0:1.8.0(9999999999999999*kWh)",
        "1-0:32.7.0(9999999999999999*kV)",
        "1-0:16.7.0(-20000.001*kW)",
        /* parentheses */
        "1-0:1.7.0(00.001*kW",
        "1-0:1.7.0(",
        "1-0:1.7.0",
        "1-0:1.7.0)00.001*kW(",
        "1-0:1.7.0((00.001*kW))",
        "1-0:1.7.0(00.001(1)*kW)",
        "1-0:1.7.0[00.001*kW]",
        "0-0:96.13.0(4142",
        "0-0:96.13.0",
        "0-0:96.1.1(",
        "1-3:0.2.8(50",
        "0-0:1.0.0(240706153042S",
        "1-0:1.8.0*255",
        "1-0:1.8.0.255",
        "1-0:1.8.0.12345(000000.500*kWh)",
        /* references */
        "noise",
        "1-0",
        "1-0:",
        "1-01.7.0(00.001*kW)",
        "1:0:1.7.0(00.001*kW)",
        "10:1.7.0(1*kW)",
        "-1-0:1.7.0(1*W)",
        "1-10:1.7.0(00.001*kW)",
        "a-0:1.7.0(00.001*kW)",
        "1-a:1.7.0(00.001*kW)",
        "1-0:1.7.0 (00.001*kW)",
        "1-0:(00.001*kW)",
        "1-0:1\x01.7.0(00.001*kW)",
        "*",
        " ",
        "\xFF\xFF",
        "2-",
        "7-0",
        "1-0:*.2(0",
        "1-0:*2(0)",
        "1-0:1.7.0.0.0.0.0.0(1*kW)",
        "1-0:123456789(1*kW)",
        /* times */
        "0-0:1.0.0(241306153042S)",
        "0-0:1.0.0(240230000000W)",
        "0-0:1.0.0(240706153042)",
        "0-0:1.0.0(240706153042s)",
        "0-0:1.0.0(240706153042X)",
        "0-0:1.0.0(240706253042S)",
        "0-0:1.0.0(240706156042S)",
        "0-0:1.0.0(240706153060S)",
        "0-0:1.0.0(240700153042S)",
        "0-0:1.0.0(240006153042S)",
        "0-0:1.0.0(000101000000W)",
        "0-0:1.0.0(700101010000W)",
        "0-0:1.0.0(000000000000W)",
        "0-0:1.0.0(632525252525W)",
        "0-0:1.0.0(35255255255255255S)",
        "0-0:1.0.0(250000000000W)",
        "0-0:1.0.0(091231235959W)",
        "0-0:1.0.0(2407061530 2S)",
        "0-0:1.0.0(2024070615304S)",
        "1-0:1.6.0(240703184500S)",
        "1-0:1.6.0(240703184500S)(-04.120*kW)",
        "1-0:1.6.0(04.120*kW)",
        "1-0:1.6.0(240703184500S04.120*kW)",
        /* lists */
        "1-0:99.97.0(1)",
        "1-0:99.97.0(1)(0-0:96.7.19)",
        "1-0:99.97.0(11)(0-0:96.7.19)",
        "1-0:99.97.0(1000)(0-0:96.7.19)",
        "1-0:99.97.0(-1)(0-0:96.7.19)",
        "1-0:99.97.0(1.5)(0-0:96.7.19)",
        "1-0:99.97.0(x)",
        "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)",
        "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)(0000002714)",
        "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)(-000002714*s)",
        "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)(4294967296*s)",
        "1-0:99.97.0(2)(0-0:96.7.19)(230118074131W)(0000002714*s)",
        "0-0:98.1.0(1)",
        "0-0:98.1.0(1)(1-0:1.6.0)",
        "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)",
        "0-0:98.1.0(14)(1-0:1.6.0)(1-0:1.6.0)",
        "0-0:98.1.0(1)\r\n1-0:9.9(S)",
        "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)",
        "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)(03.118)",
        "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)(-03.118*kW)",
        /* M-Bus */
        "0-1:24.1.0(256)",
        "0-1:24.1.0(-1)",
        "0-1:24.1.0(gas)",
        "0-1:24.4.0(128)",
        "0-1:24.4.0(-1)",
        "0-1:24.2.1(632525252525S)(00000.000)",
        "0-1:24.2.1(632525252525S)(00012.345*m3)",
        "0-1:24.2.1(240706153005S)(00012.345)",
        "0-1:24.2.1(240706153005S)(00012.345*kW)",
        "0-1:24.2.1(240706153005S)",
        "0-1:24.2.1(00012.345*m3)",
        "0-1:24.2.1(240706153005S)(-0001.000*m3)",
        "0-1:24.2.1(700101010000W)(00000000)",
        "0-1:24.2.3(632525252525W)(00000.000)",
        "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)",
        "0-1:24.3.0(161107190000)(00)(60)(1)",
        "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(bar)\r\n(00001.001)",
        "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(x)",
        "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n\r\n(00001.001)",
        "1-0:1.7.0\r\n(00.001*kW)",
    };
    struct reading_mbus none = {.valve = -1};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char all[512];
        snprintf(all, sizeof all, "%s\r\n1-0:91.7.0(000.31*A)\r\n", lines[i]);
        decode(all);
        const struct reading *r = &seen.reading;
        if (known_quantities() != 1 || r->value[Q_CURRENT_NEUTRAL] != 310 || r->object_errors != 1 ||
            r->failures_n || r->peaks_n || r->meter_time_s || r->peak_time_s || r->p1_version)
            fail_msg("%s: %u errors, %u known", lines[i], r->object_errors, known_quantities());
        assert_memory_equal(&r->mbus[0], &none, sizeof none);
        assert_int_equal(stream.stats.object_errors, 1);
    }
}

static void first_of_duplicates_wins(void **state)
{
    (void)state;
    decode(
        "1-0:1.7.0(00.001*kW)\r\n1-0:1.7.0(00.002*kW)\r\n"
        "1-0:32.7.0(x)\r\n1-0:32.7.0(230.0*V)\r\n1-0:32.7.0(231.0*V)\r\n"
        "0-0:1.0.0(000101000000W)\r\n0-0:1.0.0(240101000000W)\r\n0-0:1.0.0(240101000001W)\r\n"
        "0-0:96.13.0()\r\n0-0:96.13.0(4142)\r\n0-0:96.13.0(4344)\r\n"
        "1-3:0.2.8(50)\r\n1-3:0.2.8(42)\r\n0-0:96.1.4(50217)\r\n0-0:96.1.4(50221)\r\n"
        "1-0:1.6.0(240101001500W)(01.000*kW)\r\n1-0:1.6.0(240102001500W)(02.000*kW)\r\n"
        "1-0:99.97.0(1)(0-0:96.7.19)(230118074131W)(0000000001*s)\r\n"
        "1-0:99.97.0(2)(0-0:96.7.19)(230118074131W)(0000000002*s)(230118074131W)(0000000002*s)\r\n"
        "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)(03.118*kW)\r\n"
        "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230801000000S)(230714181500S)(04.118*kW)\r\n"
        "0-1:24.1.0(003)\r\n0-1:24.1.0(007)\r\n0-1:96.3.10(1)\r\n0-1:96.3.10(0)\r\n"
        "0-1:24.2.1(632525252525S)(00000.000)\r\n0-1:24.2.3(240101000000W)(00001.000*m3)\r\n"
        "0-1:24.2.1(240101000100W)(00002.000*m3)\r\n"
        "0-1:96.1.0()\r\n0-1:96.1.0(4145)\r\n0-1:96.1.1(4146)\r\n");
    const struct reading *r = &seen.reading;
    assert_int_equal(r->value[Q_POWER_IMPORT], 1);
    assert_int_equal(r->value[Q_METER_VOLTAGE_L1], 230000);
    assert_int_equal(r->meter_time_s, 1704063600);
    assert_string_equal(text_of(TEXT_MESSAGE), "AB");
    assert_int_equal(r->p1_version, 50);
    assert_int_equal(r->emucs_version, 50217);
    assert_string_equal(text_of(TEXT_VERSION), "50");
    assert_int_equal(r->value[Q_DEMAND_MONTH_PEAK], 1000);
    assert_int_equal(r->peak_time_s, 1704064500);
    assert_int_equal(r->failures_n, 1);
    assert_int_equal(r->failures[0].duration_s, 1);
    assert_int_equal(r->peaks[0].power_w, 3118);
    assert_int_equal(r->mbus[0].medium, MBUS_GAS);
    assert_int_equal(r->mbus[0].valve, 1);
    assert_int_equal(r->mbus[0].value, 1000);
    assert_int_equal(r->mbus[0].time_s, 1704063600);
    assert_true(r->mbus[0].uncorrected);
    assert_string_equal(text_of(TEXT_MBUS_ID_1), "AE");
    assert_int_equal(r->object_errors, 3);
}

static void mbus_channels(void **state)
{
    (void)state;
    decode("0-1:24.1.0(003)\r\n0-1:24.2.1(240706153005S)(02718.281*m3)\r\n"
           "0-2:24.1.0(007)\r\n0-2:24.2.1(240706153005W)(02718.281*m\xB3)\r\n0-2:24.4.0(2)\r\n"
           "0-3:24.1.0(012)\r\n0-3:24.2.1(240706153005S)(00002.718*GJ)\r\n0-3:96.3.10(0)\r\n"
           "0-4:24.1.0(002)\r\n0-4:24.2.1(240706153005S)(00002.718*kWh)\r\n0-4:96.1.2(3534)\r\n"
           "0-5:24.1.0(002)\r\n0-5:24.2.1(240706153005S)(00009.999*kWh)\r\n");
    const struct reading_mbus *m = seen.reading.mbus;
    static const struct reading_mbus expected[READING_MBUS_N] = {
        {.value = 2718281,
         .time_s = 1720272605,
         .unit = MBUS_UNIT_DM3,
         .medium = MBUS_GAS,
         .valve = -1},
        {.value = 2718281,
         .time_s = 1720276205,
         .unit = MBUS_UNIT_DM3,
         .medium = MBUS_WATER,
         .valve = 2},
        {.value = 2718,
         .time_s = 1720272605,
         .unit = MBUS_UNIT_MJ,
         .medium = MBUS_HEAT_INLET,
         .valve = 0},
        {.value = 2718,
         .time_s = 1720272605,
         .unit = MBUS_UNIT_WH,
         .medium = MBUS_ELECTRICITY,
         .valve = -1},
    };
    for (int i = 0; i < READING_MBUS_N; i++) {
        assert_int_equal(m[i].value, expected[i].value);
        assert_int_equal(m[i].time_s, expected[i].time_s);
        assert_int_equal(m[i].unit, expected[i].unit);
        assert_int_equal(m[i].medium, expected[i].medium);
        assert_int_equal(m[i].valve, expected[i].valve);
        assert_false(m[i].uncorrected);
    }
    assert_string_equal(text_of(TEXT_MBUS_EAN_4), "54");
    assert_int_equal(seen.reading.object_errors, 0);
    decode("0-1:24.2.1(240706153005S)(2718281*dm3)\r\n0-2:24.2.1(240706153005S)(2718*MJ)\r\n"
           "0-3:24.2.1(240706153005S)(2718*Wh)\r\n");
    assert_int_equal(m[0].value, 2718281);
    assert_int_equal(m[1].unit, MBUS_UNIT_MJ);
    assert_int_equal(m[1].value, 2718);
    assert_int_equal(m[2].value, 2718);
}

static void folded_gas_lines(void **state)
{
    static const char *const folds[] = {"\r\n(", "\n(", "("};
    (void)state;
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++) {
        char lines[256];
        snprintf(
            lines, sizeof lines,
            "0-3:24.3.0(161107190000)(00)(60)(1)(0-3:24.2.1)(m3)%s00001.001)\r\n0-3:24.4.0(1)\r\n",
            folds[i]);
        decode(lines);
        assert_int_equal(seen.reading.mbus[2].value, 1001);
        assert_int_equal(seen.reading.mbus[2].unit, MBUS_UNIT_DM3);
        assert_int_equal(seen.reading.mbus[2].time_s, READING_NO_TIME);
        assert_int_equal(seen.reading.mbus[2].valve, 1);
        assert_int_equal(seen.reading.object_errors, 0);
    }
}

static void failure_log_of_every_length(void **state)
{
    (void)state;
    for (int n = 0; n <= READING_FAILURES_N; n++) {
        char lines[1024];
        int used = snprintf(lines, sizeof lines, "1-0:99.97.0(%d)(0-0:96.7.19)", n);
        for (int i = 0; i < n + n % 2; i++) /* an odd count says one too few */
            used += snprintf(lines + used, sizeof lines - (size_t)used,
                             "(23011%d07413%dW)(%010d*s)", i % 10, i % 10, 1000 + i);
        snprintf(lines + used, sizeof lines - (size_t)used, "\r\n1-0:91.7.0(000.31*A)\r\n");
        decode(lines);
        assert_int_equal(seen.reading.failures_n, n);
        assert_int_equal(seen.reading.object_errors, n == 0 ? 0 : 0);
        assert_int_equal(seen.reading.value[Q_CURRENT_NEUTRAL], 310);
        for (int i = 0; i < n; i++) {
            assert_int_equal(seen.reading.failures[i].duration_s, 1000 + i);
            assert_int_equal(seen.reading.failures[i].end_s, 1673332890 + 86401 * i);
        }
    }
    /* a failure whose time is none is a failure still */
    decode("1-0:99.97.0(1)(0-0:96.7.19)(000101000001W)(2147583646*s)\r\n");
    assert_int_equal(seen.reading.failures_n, 1);
    assert_int_equal(seen.reading.failures[0].end_s, READING_NO_TIME);
    assert_int_equal(seen.reading.failures[0].duration_s, 2147583646);
}

static void peak_history_of_every_length(void **state)
{
    (void)state;
    for (int n = 0; n <= READING_PEAKS_N; n++) {
        char lines[1024];
        int used = snprintf(lines, sizeof lines, "0-0:98.1.0(%d)(1-0:1.6.0)(1-0:1.6.0)", n);
        for (int i = 0; i < n; i++)
            used += snprintf(lines + used, sizeof lines - (size_t)used,
                             "(2308%02d000000S)(230714%02d1500S)(%02d.118*kW)", i + 1, i, i);
        snprintf(lines + used, sizeof lines - (size_t)used, "%s\r\n1-0:91.7.0(000.31*A)\r\n",
                 n ? "" : "()");
        decode(lines);
        assert_int_equal(seen.reading.peaks_n, n);
        assert_int_equal(seen.reading.object_errors, 0);
        assert_int_equal(seen.reading.value[Q_CURRENT_NEUTRAL], 310);
        for (int i = 0; i < n; i++) {
            assert_int_equal(seen.reading.peaks[i].power_w, 1000 * i + 118);
            assert_int_equal(seen.reading.peaks[i].month_s, 1690840800 + 86400 * i);
            assert_int_equal(seen.reading.peaks[i].time_s, 1689286500 + 3600 * i);
        }
    }
}

/* ---- texts ---- */

static void texts(void **state)
{
    static const struct {
        const char *line;
        enum reading_text_id id;
        const char *text;
    } rows[] = {
        {"0-0:96.1.1(4530303434)", TEXT_METER_ID, "E0044"},
        {"0-0:96.1.0(393930)", TEXT_METER_ID, "990"},
        {"0-0:96.1.1(00000000000000)", TEXT_METER_ID,
         "00000000000000"},                                    /* no printable characters */
        {"0-0:96.1.1(453030343)", TEXT_METER_ID, "453030343"}, /* odd */
        {"0-0:96.1.1(xxxxxx)", TEXT_METER_ID, "xxxxxx"},       /* redacted */
        {"0-0:96.1.1(<hidden>)", TEXT_METER_ID, "<hidden>"},
        {"0-0:96.1.1(7A6bC3)", TEXT_METER_ID, "zk\xC3\x83"},
        {"0-0:96.1.2(3534)", TEXT_EAN, "54"},
        {"0-0:96.1.2(------)", TEXT_EAN, "------"},
        {"0-0:42.0.0(534147)", TEXT_LOGICAL_NAME, "SAG"},
        {"1-3:0.2.8(50)", TEXT_VERSION, "50"},
        {"0-0:96.1.4(50217)", TEXT_VERSION, "50217"},
        {"0-0:96.1.4(20202020)", TEXT_VERSION, "20202020"},
        {"0-0:96.13.0(4142)", TEXT_MESSAGE, "AB"},
        {"0-0:96.13.0(3C7363726970743E)", TEXT_MESSAGE, "<script>"},
        {"0-0:96.13.0(22)", TEXT_MESSAGE, "\""},
        {"0-0:96.13.0(\xFF\xFE)", TEXT_MESSAGE, "\xC3\xBF\xC3\xBE"},
        {"0-0:96.13.1(3031)", TEXT_MESSAGE_2, "01"},
        {"0-0:96.13.2(4143)", TEXT_MESSAGE_3, "AC"},
        {"0-0:96.13.3(4144)", TEXT_MESSAGE_4, "AD"},
        {"0-0:96.13.4(4145)", TEXT_MESSAGE_5, "AE"},
        {"0-0:96.13.5(4146)", TEXT_MESSAGE_6, "AF"},
        {"0-1:96.1.0(4147)", TEXT_MBUS_ID_1, "AG"},
        {"0-2:96.1.1(4148)", TEXT_MBUS_ID_2, "AH"},
        {"0-3:96.1.0(4149)", TEXT_MBUS_ID_3, "AI"},
        {"0-4:96.1.0(414A)", TEXT_MBUS_ID_4, "AJ"},
        {"0-1:96.1.2(414B)", TEXT_MBUS_EAN_1, "AK"},
        {"0-2:96.1.2(414C)", TEXT_MBUS_EAN_2, "AL"},
        {"0-3:96.1.2(414D)", TEXT_MBUS_EAN_3, "AM"},
        {"0-4:96.1.2(414E)", TEXT_MBUS_EAN_4, "AN"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "%s\r\n", rows[i].line);
        decode(lines);
        assert_string_equal(text_of(rows[i].id), rows[i].text);
        assert_int_equal(seen.reading.object_errors, 0);
    }
}

static void text_of_1024_characters(void **state)
{
    char lines[2200], expected[1025];
    size_t n = (size_t)snprintf(lines, sizeof lines, "0-0:96.13.0(");
    (void)state;
    for (int i = 0; i < 1024; i++) {
        expected[i] = (char)('A' + i % 26);
        n += (size_t)snprintf(lines + n, sizeof lines - n, "%02X", (unsigned)expected[i]);
    }
    expected[1024] = 0;
    snprintf(lines + n, sizeof lines - n, ")\r\n1-0:91.7.0(000.31*A)\r\n");
    decode(lines);
    assert_int_equal(seen.reading.text[TEXT_MESSAGE].length, 2048);
    assert_string_equal(text_of(TEXT_MESSAGE), expected);
    assert_int_equal(seen.reading.value[Q_CURRENT_NEUTRAL], 310);
}

static void identification_holds_any_byte(void **state)
{
    struct bytes b = {.n = 0};
    (void)state;
    append(&b, "/ISK5\x02\0\xAB(!)/\r\r\n\r\n", 17);
    seal(&b, "%04X", "\r\n");
    run(b.p, b.n, 1);
    assert_counts(1, 0, 0);
    assert_string_equal(text_of(TEXT_IDENTIFICATION), "ISK5??\xC2\xAB(!)/?");
}

/* ---- versions, times ---- */

static void versions(void **state)
{
    static const struct {
        const char *line;
        unsigned p1, emucs;
    } rows[] = {
        {"1-3:0.2.8(40)", 40, 0},
        {"1-3:0.2.8(42)", 42, 0},
        {"1-3:0.2.8(50)", 50, 0},
        {"1-3:0.2.8(99)", 99, 0},
        {"0-0:96.1.4(50213)", 0, 50213},
        {"0-0:96.1.4(50221)", 0, 50221},
        {"0-0:96.1.4(202020202020)", 0, 0},
        {"1-3:0.2.8(5.0)", 0, 0},
        {"1-3:0.2.8(-5)", 0, 0},
        {"1-3:0.2.8(v50)", 0, 0},
        {"1-3:0.2.8(50a)", 0, 0},
        {"0-0:96.1.4(4294967296)", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "%s\r\n", rows[i].line);
        decode(lines);
        assert_int_equal(seen.reading.p1_version, rows[i].p1);
        assert_int_equal(seen.reading.emucs_version, rows[i].emucs);
        assert_int_equal(seen.reading.object_errors, 0);
    }
}

static void season_letters(void **state)
{
    static const struct {
        const char *digits;
        int32_t winter_offset_s;
        int64_t utc_s;
    } rows[] = {
        {"260602122749S", 3600, 1780396069},
        {"241027023000S", 3600, 1729989000}, /* the doubled hour, first time ... */
        {"241027023000W", 3600, 1729992600}, /* ... and second time */
        {"240331023000S", 3600, 1711845000}, /* an hour that is in no clock: the letter decides */
        {"240130142210W", 7200, 1706617330}, /* Lithuania */
        {"240730142210S", 7200, 1722338530},
        {"100101000000W", 3600, 1262300400}, /* the first one believed */
        {"691231235959W", 3600, 3155756399}, /* the last one */
        {"240229000000W", 0, 1709164800},
    };
    int64_t utc_s;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(p1_time_parse((const uint8_t *)rows[i].digits, rows[i].winter_offset_s, &utc_s));
        assert_int_equal(utc_s, rows[i].utc_s);
    }
    assert_false(p1_time_parse((const uint8_t *)"240229000000w", 3600, &utc_s));
    assert_false(p1_time_parse((const uint8_t *)"240229000000)", 3600, &utc_s));
    assert_false(p1_time_parse((const uint8_t *)"230229000000W", 3600, &utc_s));
    assert_false(p1_time_parse((const uint8_t *)"700101000000W", 3600, &utc_s));
}

/* ---- sizes, counters, state ---- */

static void buffers_of_every_size(void **state)
{
    static struct bytes t, small;
    (void)state;
    load("dsmr42_single_phase", "txt", &t);
    small = *telegram("1-0:2.7.0(00.002*kW)\r\n");
    for (size_t cap = 0; cap < t.n + 10; cap = cap < 80 ? cap + 1 : cap + 23) {
        uint8_t *exact = malloc(cap + !cap); /* so that a sanitizer sees the first byte too many */
        start_stream();
        p1_init(&stream, &reading, exact, cap);
        feed(t.p, t.n, ALL_AT_ONCE);
        feed(small.p, small.n, ALL_AT_ONCE);
        feed(t.p, t.n, 1);
        assert_int_equal(seen.events[P1_TELEGRAM], 2 * (cap >= t.n - 2) + (cap >= small.n - 2));
        free(exact);
    }
}

/* Offsets of texts have 16 bits: a buffer of more is not used beyond that. */
static void buffer_of_more_than_64_kib(void **state)
{
    enum { CAP = 200000 };
    uint8_t *big = malloc(CAP), *t = malloc(CAP);
    (void)state;
    start_stream();
    p1_init(&stream, &reading, big, CAP);
    memset(t, 'x', CAP);
    memcpy(t, "/ISK5\r\n", 7);
    memcpy(t + 70000, "\r\n0-0:96.13.0(4142)\r\n!", 23);
    char digits[5];
    snprintf(digits, sizeof digits, "%04X", (unsigned)crc16_update(CRC16_ARC_INIT, t, 70023));
    memcpy(t + 70023, digits, 4);
    feed(t, 70027, ALL_AT_ONCE);
    assert_counts(0, 0, 1);
    const struct bytes *small = telegram("1-0:2.7.0(00.002*kW)\r\n");
    feed(small->p, small->n, ALL_AT_ONCE);
    assert_counts(1, 0, 1);
    free(big);
    free(t);
}

static void counters(void **state)
{
    static const char text[] = "noise\r\n/TST5\r\n\r\n1-0:1.7.0(x)\r\nxx\r\n!0000\r\n??\r\n";
    (void)state;
    start_stream();
    feed_string(text);
    const struct bytes *t = telegram("1-0:1.7.0(x)\r\nxx\r\n1-0:1.7.0(00.001*kW)\r\n");
    feed(t->p, t->n, ALL_AT_ONCE);
    feed(t->p, t->n, ALL_AT_ONCE);
    assert_int_equal(stream.stats.telegrams_ok, 2);
    assert_int_equal(stream.stats.telegrams_bad_crc, 1);
    assert_int_equal(stream.stats.telegrams_bad_frame, 0);
    assert_int_equal(stream.stats.object_errors, 4);
    assert_int_equal(stream.stats.bytes_skipped, 7);
}

/* Errors of one telegram stop counting at the limit of their field instead of starting over. */
static void object_errors_saturate(void **state)
{
    static uint8_t big[65000], t[65000];
    size_t n = 0;
    (void)state;
    start_stream();
    p1_init(&stream, &reading, big, sizeof big);
    memcpy(t, "/ISK5\r\n", 7);
    for (n = 7; n < 64900; n++)
        t[n] = n % 2 ? '/' : '\n';
    t[n++] = '\n';
    t[n++] = '!';
    snprintf((char *)t + n, 5, "%04X", (unsigned)crc16_update(CRC16_ARC_INIT, t, n));
    enum p1_event event = P1_MORE;
    for (size_t used = 0; used < n + 4 && event == P1_MORE;)
        used += p1_feed(&stream, t + used, n + 4 - used, &event);
    assert_int_equal(event, P1_TELEGRAM);
    assert_in_range(reading.object_errors, 32000, 33000);
}

/* More lines than the layout remembers, and a layout that changes from telegram to telegram. */
static void layouts(void **state)
{
    char lines[4096];
    (void)state;
    start_stream();
    for (int shift = 0; shift < 5; shift++) {
        size_t n = 0;
        for (int i = 0; i < 100; i++)
            n += (size_t)snprintf(lines + n, sizeof lines - n, "%s",
                                  i == 90 + shift  ? "1-0:2.7.0(00.002*kW)\r\n"
                                  : i == 3 * shift ? "1-0:1.7.0(00.001*kW)\r\n"
                                  : i % 7 == shift ? "0-1:24.1.0(003)\r\n"
                                                   : "0-0:96.13.0()\r\n");
        const struct bytes *t = telegram(lines);
        feed(t->p, t->n, ALL_AT_ONCE);
        assert_int_equal(seen.events[P1_TELEGRAM], shift + 1);
        assert_int_equal(seen.reading.value[Q_POWER_IMPORT], 1);
        assert_int_equal(seen.reading.value[Q_POWER_EXPORT], 2);
        assert_int_equal(seen.reading.object_errors, 0);
    }
}

static void reading_holds_nothing_of_the_telegram_before(void **state)
{
    (void)state;
    decode("1-0:1.7.0(00.001*kW)\r\n0-1:24.1.0(003)\r\n0-0:96.13.0(4142)\r\n");
    const struct bytes *t = telegram("1-0:2.7.0(00.002*kW)\r\n");
    feed(t->p, t->n, ALL_AT_ONCE);
    assert_false(reading_has(&seen.reading, Q_POWER_IMPORT));
    assert_int_equal(seen.reading.mbus[0].medium, MBUS_NONE);
    assert_int_equal(seen.reading.text[TEXT_MESSAGE].length, 0);
    assert_int_equal(seen.reading.standard, STANDARD_P1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_decode_to_what_is_expected),
        cmocka_unit_test(broken_files_lose_what_is_broken_alone),
        cmocka_unit_test(every_chunking_gives_the_same),
        cmocka_unit_test(telegrams_back_to_back),
        cmocka_unit_test(whole_telegram_ends_at_the_fourth_digit),
        cmocka_unit_test(telegram_cut_anywhere_before_a_whole_one),
        cmocka_unit_test(telegram_that_stops_is_given_up_by_silence),
        cmocka_unit_test(begins_in_the_middle),
        cmocka_unit_test(telegram_behind_64_kib_of_garbage),
        cmocka_unit_test(telegram_behind_random_garbage),
        cmocka_unit_test(telegram_across_the_end_of_a_full_buffer),
        cmocka_unit_test(endless_line),
        cmocka_unit_test(line_ends),
        cmocka_unit_test(blank_lines_may_stand_anywhere),
        cmocka_unit_test(checksum_digits),
        cmocka_unit_test(nul_behind_the_checksum),
        cmocka_unit_test(wrong_checksums),
        cmocka_unit_test(checksum_of_the_specification_vector),
        cmocka_unit_test(checksum_may_be_missing_in_dsmr_2_and_3_alone),
        cmocka_unit_test(slashes_inside),
        cmocka_unit_test(what_is_no_start),
        cmocka_unit_test(start_at_the_start_of_a_line_cuts_the_telegram_before),
        cmocka_unit_test(many_starts_in_mid_line),
        cmocka_unit_test(seven_bits_even_parity_read_as_8n1),
        cmocka_unit_test(parity_error_gives_up_the_telegram),
        cmocka_unit_test(eight_bits_after_seven),
        cmocka_unit_test(cut_seven_bit_telegrams_in_any_chunks),
        cmocka_unit_test(no_flipped_bit_changes_a_dsmr5_value),
        cmocka_unit_test(no_flipped_bit_changes_an_emucs_value),
        cmocka_unit_test(flipped_bits_without_any_check),
        cmocka_unit_test(parity_sees_every_flipped_bit),
        cmocka_unit_test(every_quantity_and_unit),
        cmocka_unit_test(what_says_nothing_is_unknown),
        cmocka_unit_test(what_makes_no_sense_loses_itself_alone),
        cmocka_unit_test(first_of_duplicates_wins),
        cmocka_unit_test(mbus_channels),
        cmocka_unit_test(folded_gas_lines),
        cmocka_unit_test(failure_log_of_every_length),
        cmocka_unit_test(peak_history_of_every_length),
        cmocka_unit_test(texts),
        cmocka_unit_test(text_of_1024_characters),
        cmocka_unit_test(identification_holds_any_byte),
        cmocka_unit_test(versions),
        cmocka_unit_test(season_letters),
        cmocka_unit_test(buffers_of_every_size),
        cmocka_unit_test(buffer_of_more_than_64_kib),
        cmocka_unit_test(counters),
        cmocka_unit_test(object_errors_saturate),
        cmocka_unit_test(layouts),
        cmocka_unit_test(reading_holds_nothing_of_the_telegram_before),
    };
    return cmocka_run_group_tests(tests, list_files, NULL);
}
