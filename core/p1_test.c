/* p1_test.c - the framing of P1 telegrams: chunks, starts over, line ends, checksums, limits. */
#include "p1_kit_test.h"

#include "crc16.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GARBAGE_N = 65536 };

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

/* xorshift32: the same noise on every run. */
static uint32_t noise(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
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
        cmocka_unit_test(buffers_of_every_size),
        cmocka_unit_test(buffer_of_more_than_64_kib),
        cmocka_unit_test(counters),
        cmocka_unit_test(object_errors_saturate),
        cmocka_unit_test(layouts),
        cmocka_unit_test(reading_holds_nothing_of_the_telegram_before),
    };
    return cmocka_run_group_tests(tests, list_files, NULL);
}
