/* tic_line_test.c - what the line does to TIC frames: cuts, garbage, flipped bits, parity. */
#include "tic_kit_test.h"

#include <string.h>

/* ---- The line ---- */

static void test_cut_anywhere(void **state)
{
    (void)state;
    struct bytes b = full_frame();
    for (int even = 0; even < 2; even++) {
        struct decoder whole, d;
        decoder_init(&whole, TIC_PARITY_AUTO);
        feed(&whole, b.at, b.n, b.n);
        assert_is_full(&whole);
        for (size_t chunk = 1; chunk <= 130; chunk++) {
            decoder_init(&d, TIC_PARITY_AUTO);
            feed(&d, b.at, b.n, chunk);
            assert_int_equal(d.frames, 1);
            assert_memory_equal(&d.last, &whole.last, sizeof d.last);
            assert_memory_equal(&d.s.stats, &whole.s.stats, sizeof d.s.stats);
        }
        for (size_t cut = 1; cut < b.n; cut++) {
            decoder_init(&d, TIC_PARITY_AUTO);
            feed(&d, b.at, cut, cut);
            assert_int_equal(d.frames, 0);
            feed(&d, b.at + cut, b.n - cut, b.n);
            assert_int_equal(d.frames, 1);
            assert_memory_equal(&d.last, &whole.last, sizeof d.last);

            decoder_init(&d, TIC_PARITY_AUTO);
            feed(&d, b.at, cut, cut);
            assert_int_equal(tic_silence(&d.s), TIC_FRAME_FAILED);
            assert_int_equal(tic_silence(&d.s), TIC_MORE);
            feed(&d, b.at, b.n, b.n);
            assert_int_equal(d.frames, 1);
            assert_memory_equal(&d.last, &whole.last, sizeof d.last);
        }
        add_even_parity(&b);
    }
}

/* The first partial frame is no frame, wherever it starts. */
static void test_starts_anywhere(void **state)
{
    (void)state;
    struct bytes b = full_frame();
    for (size_t start = 1; start < b.n; start++) {
        struct decoder d;
        decoder_init(&d, TIC_PARITY_AUTO);
        feed(&d, b.at + start, b.n - start, b.n);
        assert_int_equal(d.frames, 0);
        assert_int_equal(d.failed, 0);
        feed(&d, b.at, b.n, b.n);
        assert_int_equal(d.frames, 1);
        assert_is_full(&d);
        assert_int_equal(d.s.stats.groups_checksum + d.s.stats.groups_senseless, 0);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void test_garbage(void **state)
{
    (void)state;
    static uint8_t garbage[65536];
    static const enum tic_parity parities[] = {TIC_PARITY_AUTO, TIC_PARITY_EVEN, TIC_PARITY_NONE};
    static const uint8_t fills[] = {0x00, 0xff, 0x0d, 0x8d, 0x0a, 0x02, 0x82, 0x03, 0x09};
    for (size_t kind = 0; kind < sizeof fills + 20; kind++)
        for (size_t p = 0; p < 3; p++) {
            uint32_t seed = (uint32_t)kind;
            struct decoder d;
            struct bytes b = full_frame();
            if (parities[p] == TIC_PARITY_EVEN)
                add_even_parity(&b);
            for (size_t i = 0; i < sizeof garbage; i++)
                garbage[i] = kind < sizeof fills ? fills[kind] : (uint8_t)next_random(&seed);
            decoder_init(&d, parities[p]);
            feed(&d, garbage, sizeof garbage, 1 + kind * 150);
            assert_int_equal(d.frames, 0);
            feed_frame(&d, &b);
            feed_frame(&d, &b);
            assert_true(d.frames >= 1);
            assert_is_full(&d);
        }
}

static void test_interrupted(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "\004",             /* EOT: the meter interrupts itself */
        "\nEAST\t0000\004", /* the same within a group */
        "",                 /* ETX lost: the next STX tells */
        "\nEAST\t0000",
    };
    struct bytes full = full_frame();
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct decoder d;
        struct bytes b = {0};
        add_raw(&b, "\002");
        add_group(&b, "SINSTS", NULL, "00100");
        add_raw(&b, ends[i]);
        decoder_init(&d, TIC_PARITY_AUTO);
        feed_frame(&d, &b);
        feed_frame(&d, &full);
        assert_int_equal(d.frames, 1);
        assert_int_equal(d.failed, 1);
        assert_int_equal(d.s.stats.frames_failed, 1);
        assert_is_full(&d);
    }
}

static void test_frame_ends(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0}, full = full_frame();
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &full);
    add_raw(&b, "\003\003\002\002\002\002"); /* ETX twice, STX twice: nothing is lost by it */
    feed_frame(&d, &b);
    feed_frame(&d, &full);
    assert_int_equal(d.frames, 2);
    assert_int_equal(d.failed, 0);
    b.n = 0;
    add_raw(&b, "\002\nEAST\t00000000\t.\r\003"); /* nothing good in it */
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 2);
    assert_int_equal(d.failed, 1);
    assert_int_equal(d.s.stats.groups_checksum, 1);
    /* The CR of the last group is damaged: that group is lost, the frame is not. */
    b = full;
    b.at[b.n - 2] = 'M';
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 3);
    assert_int_equal(d.last.object_errors, 1);
    assert_int_equal(d.last.text[TEXT_PEAK_SCHEDULE].length, 0);
    feed_frame(&d, &full);
    assert_int_equal(d.frames, 4);
    assert_is_full(&d);
}

/* A C that lost its bit 6 reads as ETX.  The first half is good, the second is no frame. */
static void test_false_etx(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = full_frame(), full = full_frame();
    *(uint8_t *)memchr(b.at + 900, 'C', 400) = 0x03;
    decoder_init(&d, TIC_PARITY_NONE);
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 1);
    assert_int_equal(d.s.stats.frames_partial, 1);
    feed_frame(&d, &full);
    assert_int_equal(d.frames, 2);
    assert_int_equal(d.failed, 0);
    assert_is_full(&d);
}

/* A byte with bad parity before the LF belongs to that group, in whichever pieces it comes. */
static void test_stray_control_byte(void **state)
{
    (void)state;
    struct bytes b = full_frame();
    add_even_parity(&b);
    uint8_t *lf = memchr(b.at + 900, '\n', 400);
    memmove(lf + 1, lf, b.n - (size_t)(lf - b.at));
    b.n++;
    *lf = 0x0b;
    for (size_t chunk = 1; chunk <= b.n; chunk += b.n - 1) {
        struct decoder d;
        decoder_init(&d, TIC_PARITY_EVEN);
        feed(&d, b.at, b.n, chunk);
        assert_int_equal(d.frames, 1);
        assert_int_equal(d.s.stats.groups_ok, 70);
        assert_int_equal(d.s.stats.groups_parity, 1);
    }
}

static void test_overflow(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0}, full = full_frame();
    decoder_init(&d, TIC_PARITY_AUTO);
    add_raw(&b, "\002\n");
    feed_frame(&d, &b);
    for (int i = 0; i < 3000; i++)
        feed(&d, (const uint8_t *)"\nx", 2, 2);
    assert_int_equal(d.failed, 1);
    assert_int_equal(d.s.stats.frames_failed, 1);
    feed_frame(&d, &full);
    assert_int_equal(d.frames, 1);
    assert_is_full(&d);
}

/* The first byte after a pause is the weakest: STX came as 'C', and LF as 0F, which parity
 * misses. */
static void test_damaged_starts(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = full_frame(), damaged = full_frame();
    damaged.at[0] = 'C';
    for (size_t i = 2; i < damaged.n; i++)
        if (damaged.at[i] == '\n')
            damaged.at[i] = 0x0f;
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &b);
    for (int i = 0; i < 3; i++) {
        memset(&d.last, 0, sizeof d.last);
        feed_frame(&d, &damaged);
        assert_is_full(&d);
    }
    assert_int_equal(d.frames, 4);
    assert_int_equal(d.failed, 0);
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 5);
}

/* ---- Flipped bits ---- */

static const struct sample *sample_at(const struct bytes *b, size_t offset)
{
    int group = -1;
    for (size_t i = 0; i <= offset; i++)
        group += b->at[i] == '\n';
    return group >= 0 && group < SAMPLES_N ? &samples[group] : NULL;
}

/* The whole list of what the checksum cannot see in 7-bit input, because bit 6 is not in its sum,
 * and no rule of the field can either: a character of a free text that stays printable. */
static bool is_invisible(const struct bytes *b, size_t offset, int bit)
{
    static const char *const free_texts[] = {"NGTF", "LTARF", "MSG1", "MSG2"};
    const struct sample *p = sample_at(b, offset);
    uint8_t flipped = b->at[offset] ^ 0x40;
    if (bit != 6 || p == NULL || flipped < ' ' || flipped > '~')
        return false;
    size_t data = offset;
    while (b->at[data] != '\t' && b->at[data] != '\n' && b->at[data] != '\r')
        data--;
    if (b->at[data] != '\t' || b->at[offset + 1] == '\r' || b->at[offset] < ' ')
        return false; /* label, checksum, separators */
    for (size_t i = 0; i < sizeof free_texts / sizeof *free_texts; i++)
        if (strcmp(p->label, free_texts[i]) == 0)
            return true;
    return false;
}

/* True when all that the last reading knows is right. */
static bool is_right(const struct decoder *d)
{
    if (d->last.meter_time_s != DATE_S && d->last.meter_time_s != READING_NO_TIME)
        return false;
    for (const struct sample *p = samples; p < samples + SAMPLES_N; p++) {
        if (p->quantity >= 0 && reading_has(&d->last, (enum quantity)p->quantity) &&
            d->last.value[p->quantity] != p->value)
            return false;
        if (p->quantity < 0 && p->text != NULL && d->last.text[p->value].length > 0 &&
            strcmp(text_of(d, (enum reading_text_id)p->value), p->text) != 0)
            return false;
    }
    return !d->last.meter_time_degraded;
}

static void flip_every_bit(enum tic_parity parity, bool even)
{
    struct bytes plain = full_frame(), b = full_frame();
    int wrong = 0;
    if (even)
        add_even_parity(&b);
    for (size_t offset = 0; offset < b.n; offset++)
        for (int bit = 0; bit < 8; bit++) {
            struct decoder d;
            decoder_init(&d, parity);
            b.at[offset] ^= (uint8_t)(1u << bit);
            bool right = true;
            for (size_t done = 0; done < b.n;) {
                enum tic_event event;
                done += tic_feed(&d.s, b.at + done, b.n - done, 0, &event);
                note(&d, event);
                right = right && (event != TIC_FRAME || is_right(&d));
            }
            assert_int_equal(right, even || !is_invisible(&plain, offset, bit));
            wrong += !right;
            b.at[offset] ^= (uint8_t)(1u << bit);
            feed_frame(&d, &b);
            assert_true(d.frames >= 1);
            assert_is_full(&d);
        }
    /* NGTF 2 blanks and '/', LTARF 5 blanks, MSG1 20, MSG2 all but '?' and '@', of 13816 flips. */
    assert_int_equal(wrong, even ? 0 : 3 + 5 + 20 + 14);
}

static void test_flips_without_parity(void **state)
{
    (void)state;
    flip_every_bit(TIC_PARITY_NONE, false);
    flip_every_bit(TIC_PARITY_AUTO, false);
}

static void test_flips_with_parity(void **state)
{
    (void)state;
    flip_every_bit(TIC_PARITY_EVEN, true);
    flip_every_bit(TIC_PARITY_AUTO, true);
}

/* The noise of a real line: single ones read as zeros.  Parity costs a damaged group, and no
 * other. */
static void test_salvage(void **state)
{
    (void)state;
    uint32_t seed = 6;
    for (int run = 0; run < 2000; run++) {
        struct decoder d;
        struct bytes plain = full_frame(), b = full_frame();
        bool hit[SAMPLES_N] = {false};
        int hits = 0;
        add_even_parity(&b);
        for (int i = 0; i < 5; i++) {
            size_t offset = 1 + next_random(&seed) % (b.n - 2);
            uint8_t bit = (uint8_t)(1u << next_random(&seed) % 8);
            const struct sample *p = sample_at(&plain, offset);
            assert_non_null(p);
            if ((b.at[offset] & bit) == 0 || hit[p - samples])
                continue;
            b.at[offset] ^= bit;
            hit[p - samples] = true;
            hits++;
        }
        decoder_init(&d, TIC_PARITY_EVEN);
        feed_frame(&d, &b);
        assert_int_equal(d.frames, 1);
        assert_int_equal(d.s.stats.groups_ok, SAMPLES_N - hits);
        assert_true(is_right(&d));
        for (const struct sample *p = samples; p < samples + SAMPLES_N; p++)
            if (p->quantity >= 0)
                assert_int_equal(reading_has(&d.last, (enum quantity)p->quantity),
                                 !hit[p - samples]);
        assert_int_equal(d.s.stats.frames_partial, hits > 0);
        if (hits > 0)
            assert_true(d.last.object_errors >= hits);
    }
}

/* ---- Parity ---- */

static void test_parity_modes(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes plain = full_frame(), even = full_frame();
    add_even_parity(&even);
    decoder_init(&d, TIC_PARITY_EVEN);
    feed_frame(&d, &even);
    assert_is_full(&d);
    feed_frame(&d, &plain);
    assert_int_equal(d.frames, 1);

    decoder_init(&d, TIC_PARITY_NONE);
    feed_frame(&d, &plain);
    assert_is_full(&d);
    feed_frame(&d, &even);
    assert_int_equal(d.frames, 1);
    assert_true(d.s.stats.groups_parity > 0 || d.s.stats.frames_failed > 0);
}

/* AUTO follows when the input changes, at the cost of a frame, and is not put off by noise. */
static void test_parity_changes(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes frames[2] = {full_frame(), full_frame()};
    add_even_parity(&frames[1]);
    decoder_init(&d, TIC_PARITY_AUTO);
    for (int change = 0; change < 6; change++) {
        feed_frame(&d, &frames[change % 2]);
        feed_frame(&d, &frames[change % 2]);
        d.frames = 0;
        feed_frame(&d, &frames[change % 2]);
        assert_int_equal(d.frames, 1);
        assert_is_full(&d);
    }
    /* The parity bit of one CR is lost: no reason to change one's mind. */
    struct bytes noisy = frames[1];
    for (size_t i = 0, n = 0; i < noisy.n; i++)
        if (noisy.at[i] == 0x8d && n++ % 3 == 0)
            noisy.at[i] = 0x0d;
    uint32_t good = d.s.stats.groups_ok;
    feed_frame(&d, &noisy);
    assert_int_equal(d.s.stats.groups_ok - good, SAMPLES_N - 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_starts_anywhere),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_frame_ends),
        cmocka_unit_test(test_false_etx),
        cmocka_unit_test(test_stray_control_byte),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_damaged_starts),
        cmocka_unit_test(test_flips_without_parity),
        cmocka_unit_test(test_flips_with_parity),
        cmocka_unit_test(test_salvage),
        cmocka_unit_test(test_parity_modes),
        cmocka_unit_test(test_parity_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
