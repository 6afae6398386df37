/* p1_lines.c - p1.h for a small build, to choose at link time in place of p1.c: a line at a time.
 *
 * The buffer holds one line, so a small one takes telegrams of any length; a longer line, which holds texts or a
 * history, is not decoded.  It takes what a P1MB is for, DSMR 4 and later: 8 bits a character, and a CRC.  A telegram
 * that was cut in mid line, not in its CRC, with the next one right behind it costs both.
 */
#include "p1.h"

#include "civil_time.h"
#include "crc16.h"
#include "cursor.h"
#include "p1_objects.h"

#include <string.h>

enum state {
    AWAIT_SLASH,
    IN_START, /* '/' and three letters make a telegram */
    IN_IDENTIFICATION,
    IN_LINE,
    IN_LONG_LINE, /* longer than the buffer */
    IN_CRC
};

enum { START_LETTERS = 3, CRC_DIGITS = 4 };

void p1_init(struct p1_stream *s, struct reading *reading, uint8_t *buffer, size_t buffer_cap)
{
    memset(s, 0, sizeof *s);
    s->reading = reading;
    s->buffer = buffer;
    s->buffer_cap = buffer_cap;
    s->winter_offset_s = CIVIL_CET_OFFSET_S;
    reading_clear(reading);
}

static enum p1_event give_up(struct p1_stream *s)
{
    s->priv.state = AWAIT_SLASH;
    s->stats.telegrams_bad_frame++;
    return P1_BAD_FRAME;
}

/* At a '/': a telegram that was open is cut. */
static enum p1_event begin(struct p1_stream *s)
{
    enum p1_event event = s->priv.state >= IN_IDENTIFICATION ? give_up(s) : P1_MORE;
    s->priv.state = IN_START;
    s->priv.len = 0;
    s->priv.line_number = 0;
    reading_clear(s->reading);
    s->reading->standard = STANDARD_P1;
    return event;
}

static bool is_letter(uint8_t byte)
{
    byte |= 0x20;
    return byte >= 'a' && byte <= 'z';
}

/* The line in the buffer is complete.  One that begins with '(' continues the one before it: no number of ours is
 * there. */
static void end_line(struct p1_stream *s)
{
    const struct p1_decoder d = {.reading = s->reading};
    if (s->priv.state == IN_LINE && s->buffer[0] != '(')
        (void)p1_decode_lines(&d, &s->priv.line_number, s->buffer, s->buffer + s->priv.len);
    s->priv.state = IN_LINE;
    s->priv.len = 0;
}

static void take_start(struct p1_stream *s, uint8_t byte)
{
    if (!is_letter(byte))
        s->priv.state = AWAIT_SLASH;
    else if (++s->priv.len == START_LETTERS)
        s->priv.state = IN_IDENTIFICATION;
}

static void take_character(struct p1_stream *s, uint8_t byte)
{
    if (s->priv.state == IN_LINE) {
        s->buffer[s->priv.len++] = byte;
        if (s->priv.len == s->buffer_cap && byte != '\n')
            s->priv.state = IN_LONG_LINE;
    }
    if (byte == '\n')
        end_line(s);
}

/* Digit after digit is taken from the CRC: nothing is left of it if they are the same. */
static enum p1_event take_crc_digit(struct p1_stream *s, uint8_t byte)
{
    int digit = cursor_hex_digit(byte);
    unsigned shift = 4 * (unsigned)(CRC_DIGITS - 1 - s->priv.len);
    s->priv.crc ^= (uint16_t)((unsigned)digit << shift);
    if (digit >= 0 && ++s->priv.len < CRC_DIGITS)
        return P1_MORE;
    s->priv.state = AWAIT_SLASH;
    if (digit < 0 || s->priv.crc != 0) {
        s->stats.telegrams_bad_crc++;
        return P1_BAD_CRC;
    }
    s->stats.telegrams_ok++;
    s->stats.object_errors += s->reading->object_errors;
    return P1_TELEGRAM;
}

static enum p1_event take(struct p1_stream *s, uint8_t byte)
{
    bool line_begins = s->priv.state == IN_LINE && s->priv.len == 0;
    enum p1_event event = P1_MORE;
    if (s->priv.state == IN_CRC)
        return take_crc_digit(s, byte);
    if (s->priv.state == IN_START)
        take_start(s, byte); /* what is no letter may be the start itself */
    if (byte == '/' && (s->priv.state == AWAIT_SLASH || line_begins)) {
        event = begin(s);
        s->priv.crc = CRC16_ARC_INIT;
    } else if (line_begins && byte == '!') {
        s->priv.state = IN_CRC;
    } else if (s->priv.state >= IN_IDENTIFICATION) {
        take_character(s, byte);
    }
    s->stats.bytes_skipped += s->priv.state == AWAIT_SLASH && byte != '\r' && byte != '\n';
    s->priv.crc = crc16_update(s->priv.crc, &byte, 1);
    return event;
}

size_t p1_feed(struct p1_stream *s, const uint8_t *bytes, size_t n, enum p1_event *event)
{
    size_t used = 0;
    *event = P1_MORE;
    while (used < n && *event == P1_MORE)
        *event = take(s, bytes[used++]);
    if (*event == P1_BAD_CRC && bytes[used - 1] == '/')
        used--; /* no digit: the CRC was cut by the next telegram, which begins here */
    return used;
}

enum p1_event p1_silence(struct p1_stream *s)
{
    if (s->priv.state >= IN_IDENTIFICATION)
        return give_up(s);
    s->priv.state = AWAIT_SLASH;
    return P1_MORE;
}
