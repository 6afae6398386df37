/* messages_kit_test.c - what the tests of messages share. */
#include "messages_kit_test.h"

#include "derive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- a checker of JSON (RFC 8259) in valid UTF-8 ---------------------------------------------- */

static const char *after_value(const char *s);

static const char *after_digits(const char *s)
{
    if (*s < '0' || *s > '9')
        return NULL;
    while (*s >= '0' && *s <= '9')
        s++;
    return s;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?, and no "-0": we print no exponents. */
static const char *after_number(const char *s)
{
    const char *digits = *s == '-' ? s + 1 : s;
    const char *end = after_digits(digits);
    if (end == NULL || (*digits == '0' && end > digits + 1))
        return NULL;
    return *end == '.' ? after_digits(end + 1) : end;
}

/* One character of a string; its UTF-8 has the shortest form. */
static const char *after_character(const char *s)
{
    const unsigned char *c = (const unsigned char *)s;
    if (c[0] == '\\') {
        if (c[1] == 'u')
            return strspn(s + 2, "0123456789abcdefABCDEF") >= 4 ? s + 6 : NULL;
        return c[1] != '\0' && strchr("\"\\/bfnrt", c[1]) ? s + 2 : NULL;
    }
    if (c[0] < 0x80)
        return c[0] >= 0x20 ? s + 1 : NULL;
    return c[0] >= 0xC2 && c[0] <= 0xDF && (c[1] & 0xC0) == 0x80 ? s + 2 : NULL;
}

static const char *after_string(const char *s)
{
    if (*s++ != '"')
        return NULL;
    while (s != NULL && *s != '"')
        s = after_character(s);
    return s == NULL ? NULL : s + 1;
}

static const char *after_member(const char *s)
{
    s = after_string(s);
    return s == NULL || *s != ':' ? NULL : after_value(s + 1);
}

/* Elements between commas up to `close`. */
static const char *after_list(const char *s, char close, const char *(*after_element)(const char *))
{
    if (*++s == close)
        return s + 1;
    for (;;) {
        s = after_element(s);
        if (s == NULL || (*s != ',' && *s != close))
            return NULL;
        if (*s++ == close)
            return s;
    }
}

static const char *after_value(const char *s)
{
    static const char *const words[] = {"null", "true", "false"};
    for (size_t i = 0; i < 3; i++)
        if (strncmp(s, words[i], strlen(words[i])) == 0)
            return s + strlen(words[i]);
    switch (*s) {
    case '{':
        return after_list(s, '}', after_member);
    case '[':
        return after_list(s, ']', after_value);
    case '"':
        return after_string(s);
    default:
        return after_number(s);
    }
}

bool is_json(const char *text)
{
    const char *end = after_value(text);
    return end != NULL && *end == '\0';
}

void assert_json(const char *text)
{
    assert_true(is_json(text));
    assert_int_equal(*text, '{');
    assert_null(strchr(text, '\n'));
}

/* --- telegrams -------------------------------------------------------------------------------- */

/* CRC-16/ARC bit by bit, unlike the table-driven one. */
static unsigned crc_bitwise(const char *s, size_t n)
{
    unsigned crc = 0;
    for (size_t i = 0; i < n; i++) {
        crc ^= (uint8_t)s[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xA001u : crc >> 1;
    }
    return crc;
}

/* Feeds a telegram that ends with '!', its CRC behind it, and derives. */
void decode(struct bench *b, const char *telegram)
{
    static const struct derive_settings settings;
    struct derive_state state = {0};
    enum p1_event event;
    char crc[16];
    size_t n = strlen(telegram);
    (void)snprintf(crc, sizeof crc, "%04X\r\n", crc_bitwise(telegram, n));
    p1_init(&b->stream, &b->reading, b->buffer, sizeof b->buffer);
    assert_int_equal(p1_feed(&b->stream, (const uint8_t *)telegram, n, &event), n);
    assert_int_equal(event, P1_MORE);
    (void)p1_feed(&b->stream, (const uint8_t *)crc, 6, &event);
    assert_int_equal(event, P1_TELEGRAM);
    derive(&b->reading, &settings, &state);
}

struct bench *new_bench(void)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    reading_clear(&b->reading);
    return b;
}

/* --- limits ----------------------------------------------------------------------------------- */

/* All numbers, logs and channels at their widest. */
void fill_numbers(struct reading *r)
{
    for (int q = 0; q < Q_N; q++)
        reading_set(r, (enum quantity)q, -INT64_C(20000000000111));
    r->meter_time_s = r->peak_time_s = INT64_C(-4102444800);
    r->sequence = INT64_MAX;
    r->object_errors = UINT16_MAX;
    r->failures_n = READING_FAILURES_N;
    r->peaks_n = READING_PEAKS_N;
    for (int i = 0; i < READING_FAILURES_N; i++)
        r->failures[i] = (struct reading_failure){INT64_C(-4102444800), UINT32_MAX};
    for (int i = 0; i < READING_PEAKS_N; i++)
        r->peaks[i] =
            (struct reading_peak){INT64_C(-4102444800), INT64_C(-4102444800), -2000000000};
    for (int i = 0; i < READING_MBUS_N; i++)
        r->mbus[i] = (struct reading_mbus){.value = INT64_C(1000000000001),
                                           .time_s = INT64_C(-4102444800),
                                           .unit = MBUS_UNIT_WH,
                                           .medium = 255,
                                           .valve = 127};
}

/* The bytes of a whole telegram, shared out to all texts: n bytes for the message, the rest equally. */
void fill_texts(struct bench *b, uint8_t byte, size_t message)
{
    size_t each = (P1_TELEGRAM_MAX - message) / (TEXT_N - 1), offset = 0;
    memset(b->buffer, byte, sizeof b->buffer);
    for (int id = 0; id < TEXT_N; id++) {
        size_t n = id == TEXT_MESSAGE ? message : each;
        b->reading.text[id] = (struct reading_text){(uint16_t)offset, (uint16_t)n};
        offset += n;
    }
    b->reading.standard = STANDARD_P1;
    b->stream.telegram = b->buffer;
    b->stream.telegram_len = sizeof b->buffer;
}
