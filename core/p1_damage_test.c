/* p1_damage_test.c - what a serial line does to P1 telegrams: parity read as data, and flipped bits. */
#include "p1_kit_test.h"

#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seven_bits_even_parity_read_as_8n1),
        cmocka_unit_test(parity_error_gives_up_the_telegram),
        cmocka_unit_test(eight_bits_after_seven),
        cmocka_unit_test(cut_seven_bit_telegrams_in_any_chunks),
        cmocka_unit_test(no_flipped_bit_changes_a_dsmr5_value),
        cmocka_unit_test(no_flipped_bit_changes_an_emucs_value),
        cmocka_unit_test(flipped_bits_without_any_check),
        cmocka_unit_test(parity_sees_every_flipped_bit),
    };
    return cmocka_run_group_tests(tests, list_files, NULL);
}
