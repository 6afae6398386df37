/* reading_test.c - what is known, and texts as slices of their telegram. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "reading.h"

static void a_cleared_reading_knows_nothing(void **state)
{
    struct reading r;
    (void)state;
    memset(&r, 0xA5, sizeof r);
    reading_clear(&r);
    for (int q = 0; q < Q_N; q++)
        assert_false(reading_has(&r, (enum quantity)q));
    assert_int_equal(r.meter_time_s, READING_NO_TIME);
    assert_int_equal(r.peak_time_s, READING_NO_TIME);
    assert_int_equal(r.standard, STANDARD_UNKNOWN);
    assert_int_equal(r.grid, GRID_UNKNOWN);
    for (int i = 0; i < READING_MBUS_N; i++) {
        assert_int_equal(r.mbus[i].unit, MBUS_UNIT_UNKNOWN);
        assert_int_equal(r.mbus[i].valve, -1);
    }
    for (int t = 0; t < TEXT_N; t++)
        assert_int_equal(r.text[t].length, 0);
}

static void each_quantity_is_known_by_itself(void **state)
{
    struct reading r;
    (void)state;
    reading_clear(&r);
    for (int q = 0; q < Q_N; q++) {
        reading_set(&r, (enum quantity)q, -q);
        for (int other = 0; other < Q_N; other++)
            assert_int_equal(reading_has(&r, (enum quantity)other), other == q);
        assert_int_equal(r.value[q], -q);
        reading_unset(&r, (enum quantity)q);
        assert_false(reading_has(&r, (enum quantity)q));
    }
}

static void names_of_texts(void **state)
{
    (void)state;
    for (int a = 0; a < TEXT_N; a++) {
        const char *name = reading_text_name((enum reading_text_id)a);
        assert_non_null(name);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
        for (int b = 0; b < a; b++)
            assert_string_not_equal(name, reading_text_name((enum reading_text_id)b));
    }
}

/* The text `telegram` as a whole, of kind `id` and standard P1. */
static size_t text(enum reading_text_id id, const char *telegram, char *out, size_t cap)
{
    struct reading r;
    size_t n = strlen(telegram);
    reading_clear(&r);
    r.standard = STANDARD_P1;
    r.text[id] = (struct reading_text){.offset = 0, .length = (uint16_t)n};
    return reading_text(&r, id, (const uint8_t *)telegram, n, out, cap);
}

static void hex_and_raw(void **state)
{
    static const struct {
        enum reading_text_id id;
        const char *printed, *shown;
    } rows[] = {
        {TEXT_METER_ID, "4530303434", "E0044"},
        {TEXT_METER_ID, "4a4B", "JK"},
        {TEXT_METER_ID, "4a4", "4a4"},   /* an odd count */
        {TEXT_METER_ID, "4a4g", "4a4g"}, /* no hex */
        {TEXT_METER_ID, "0000", "0000"}, /* no printable characters */
        {TEXT_METER_ID, "411F", "411F"},
        {TEXT_METER_ID, "417F", "417F"},
        {TEXT_METER_ID, "4180", "4180"}, /* nor any in Latin-1 */
        {TEXT_METER_ID, "419F", "419F"},
        {TEXT_METER_ID, "41A0", "A\xC2\xA0"},
        {TEXT_METER_ID, "20", " "},
        {TEXT_METER_ID, "", ""},
        {TEXT_METER_ID, "41 42", "41 42"},
        {TEXT_MESSAGE, "C3A9", "\xC3\x83\xC2\xA9"}, /* taken as Latin-1, whatever was meant */
        {TEXT_MESSAGE, "E9", "\xC3\xA9"},
        {TEXT_MESSAGE, "FF", "\xC3\xBF"},
        {TEXT_MESSAGE, "\xFF\xE9", "\xC3\xBF\xC3\xA9"},
        {TEXT_MESSAGE,
         "a\x01"
         "b\x1B[0m\x7F",
         "a?b?[0m?"},
        {TEXT_MESSAGE,
         "\x80\x9B"
         "2J\x9F",
         "??2J?"},                             /* control bytes of Latin-1 */
        {TEXT_IDENTIFICATION, "4142", "4142"}, /* never hex */
        {TEXT_VERSION, "50", "50"},
        {TEXT_CALENDAR, "4142", "4142"},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(text(rows[i].id, rows[i].printed, out, sizeof out), strlen(rows[i].shown));
        assert_string_equal(out, rows[i].shown);
    }
}

static void hex_is_of_p1_alone(void **state)
{
    struct reading r;
    char out[16];
    (void)state;
    reading_clear(&r);
    r.standard = STANDARD_TIC;
    r.text[TEXT_METER_ID] = (struct reading_text){.offset = 1, .length = 4};
    assert_int_equal(reading_text(&r, TEXT_METER_ID, (const uint8_t *)"x4142y", 6, out, sizeof out),
                     4);
    assert_string_equal(out, "4142");
}

/* UTF-8 of what a Latin-1 byte can become: one byte, or C2..C3 and one of 80..BF. */
static void assert_utf8(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c < 0x80) {
            assert_in_range(c, 0x20, 0x7E);
            continue;
        }
        assert_in_range(c, 0xC2, 0xC3);
        assert_true(++i < n);
        assert_in_range((unsigned char)s[i], 0x80, 0xBF);
    }
}

static void any_bytes_are_utf8_and_cut_at_a_character(void **state)
{
    uint8_t bytes[256];
    char out[600], before[600] = "";
    struct reading r;
    (void)state;
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)(i * 7 + 13);
    reading_clear(&r);
    r.standard = STANDARD_P1;
    r.text[TEXT_MESSAGE] = (struct reading_text){.offset = 0, .length = 256};
    for (size_t cap = 1; cap < sizeof out; cap++) {
        memset(out, 0x5A, sizeof out);
        size_t n = reading_text(&r, TEXT_MESSAGE, bytes, sizeof bytes, out, cap);
        assert_true(n < cap);
        assert_int_equal(out[n], 0);
        assert_int_equal(strlen(out), n);
        assert_true(cap == sizeof out - 1 || out[cap] == 0x5A);
        assert_utf8(out, n);
        assert_memory_equal(out, before, strlen(before));
        memcpy(before, out, n + 1);
    }
    assert_int_equal(strlen(before), 256 + 96);
    assert_int_equal(reading_text(&r, TEXT_MESSAGE, bytes, sizeof bytes, out, 0), 0);
}

static void a_slice_outside_the_telegram_is_empty(void **state)
{
    static const struct reading_text slices[] = {
        {0, 9},         {8, 1}, {9, 0}, {9, 1}, {1, 8}, {UINT16_MAX, 1}, {UINT16_MAX, UINT16_MAX},
        {1, UINT16_MAX}};
    struct reading r;
    char out[16];
    (void)state;
    reading_clear(&r);
    for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) {
        r.text[TEXT_MESSAGE] = slices[i];
        memset(out, 'x', sizeof out);
        assert_int_equal(
            reading_text(&r, TEXT_MESSAGE, (const uint8_t *)"12345678", 8, out, sizeof out), 0);
        assert_string_equal(out, "");
    }
    r.text[TEXT_MESSAGE] = (struct reading_text){0, 8};
    assert_int_equal(
        reading_text(&r, TEXT_MESSAGE, (const uint8_t *)"12345678", 8, out, sizeof out), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cleared_reading_knows_nothing),
        cmocka_unit_test(each_quantity_is_known_by_itself),
        cmocka_unit_test(names_of_texts),
        cmocka_unit_test(hex_and_raw),
        cmocka_unit_test(hex_is_of_p1_alone),
        cmocka_unit_test(any_bytes_are_utf8_and_cut_at_a_character),
        cmocka_unit_test(a_slice_outside_the_telegram_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
