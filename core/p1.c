#include "p1.h"

#include "civil_time.h"
#include "crc16.h"
#include "cursor.h"
#include "p1_objects.h"

#include <string.h>

enum state {
    AWAIT_SLASH,
    AWAIT_START, /* '/' seen; three letters and one more byte make it a telegram */
    IN_TELEGRAM
};

enum {
    START_LEN = 5,      /* "/ISk5", "/NWA-" */
    RESTARTS_TRIED = 8, /* bounds the work on a hostile telegram full of '/' */
    STEP_MAX = 2048     /* bounds what is copied for a hostile telegram of a few bytes */
};

#define PARITY_BIT 0x80

void p1_init(struct p1_stream *s, struct reading *reading, uint8_t *buffer, size_t buffer_cap)
{
    memset(s, 0, sizeof *s);
    s->reading = reading;
    s->buffer = buffer;
    s->buffer_cap = buffer_cap < UINT16_MAX ? buffer_cap : UINT16_MAX; /* offsets of texts */
    s->winter_offset_s = CIVIL_CET_OFFSET_S;
    reading_clear(reading);
}

static bool has_even_parity(uint8_t byte)
{
    byte ^= (uint8_t)(byte >> 4);
    return ((0x9669 >> (byte & 15)) & 1) != 0;
}

static bool is_letter(uint8_t byte)
{
    byte |= 0x20;
    return byte >= 'a' && byte <= 'z';
}

/* '/', three letters, one more byte that is not the line's end; fewer bytes may become that. */
static bool is_start(const uint8_t *p, size_t n)
{
    return p[0] == '/' && (n < 2 || is_letter(p[1])) && (n < 3 || is_letter(p[2])) &&
           (n < 4 || is_letter(p[3])) && (n < START_LEN || (p[4] != '\r' && p[4] != '\n'));
}

/* Strips even parity up to the first character that has it wrong; returns how many were right. */
static size_t strip_parity(uint8_t *p, size_t n)
{
    size_t i = 0;
    for (; i < n && has_even_parity(p[i]); i++)
        p[i] &= (uint8_t)~PARITY_BIT;
    return i;
}

/* Begins to decode at offset `origin` of the buffer. */
static void begin(struct p1_stream *s, size_t origin)
{
    s->priv.state = IN_TELEGRAM;
    s->priv.line = s->priv.crc_done = s->priv.origin = origin;
    s->priv.line_number = 0;
    s->priv.crc = CRC16_ARC_INIT;
    reading_clear(s->reading);
    s->reading->standard = STANDARD_P1;
}

/* Skips to the next byte that may begin a telegram: '/', with a parity bit or without. */
static size_t seek(struct p1_stream *s, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t character = bytes[i] & (uint8_t)~PARITY_BIT;
        if (character == '/') {
            s->priv.state = AWAIT_START;
            s->priv.len = 0;
            return i;
        }
        if (character != '\r' && character != '\n')
            s->stats.bytes_skipped++;
    }
    return n;
}

/* Drops the first byte and what follows it up to the next byte that may begin a telegram. */
static void drop_false_start(struct p1_stream *s)
{
    size_t i = 1 + seek(s, s->buffer + 1, START_LEN - 1);
    s->stats.bytes_skipped++;
    s->priv.len = START_LEN - i;
    memmove(s->buffer, s->buffer + i, s->priv.len);
    s->priv.state = s->priv.len ? AWAIT_START : AWAIT_SLASH;
}

/* Collects the first bytes, which are kept as they came until it is clear how to read them. */
static size_t collect_start(struct p1_stream *s, const uint8_t *bytes, size_t n)
{
    size_t want = START_LEN - s->priv.len, take = n < want ? n : want;
    uint8_t stripped[START_LEN];
    memcpy(s->buffer + s->priv.len, bytes, take);
    s->priv.len += take;
    if (s->priv.len < START_LEN)
        return take;
    memcpy(stripped, s->buffer, START_LEN);
    s->priv.seven_bit = strip_parity(stripped, START_LEN) == START_LEN;
    if (is_start(s->priv.seven_bit ? stripped : s->buffer, START_LEN)) {
        if (s->priv.seven_bit)
            memcpy(s->buffer, stripped, START_LEN);
        begin(s, 0);
    } else {
        drop_false_start(s);
    }
    return take;
}

static enum p1_event give_up(struct p1_stream *s)
{
    s->priv.state = AWAIT_SLASH;
    s->stats.telegrams_bad_frame++;
    return P1_BAD_FRAME;
}

/* Offset after the last line that became surely complete with the bytes from `fresh` on: the byte
 * behind its end has come and is not '(', which would continue it.  priv.line if none did. */
static size_t complete_lines_end(const struct p1_stream *s, size_t fresh)
{
    size_t first = fresh > s->priv.line ? fresh : s->priv.line + 1;
    for (size_t i = s->priv.len; i-- > first;)
        if (s->buffer[i - 1] == '\n' && s->buffer[i] != '(')
            return i;
    return s->priv.line;
}

/* The identification line: everything after '/', whatever bytes it holds. */
static bool decode_identification(struct p1_stream *s, size_t fresh)
{
    size_t i = fresh > s->priv.origin ? fresh : s->priv.origin;
    while (i < s->priv.len && s->buffer[i] != '\n')
        i++;
    if (i == s->priv.len)
        return false;
    s->priv.line = i + 1;
    if (s->buffer[i - 1] == '\r')
        i--;
    s->reading->text[TEXT_IDENTIFICATION] =
        (struct reading_text){.offset = 1, .length = (uint16_t)(i - s->priv.origin - 1)};
    return true;
}

/* Decodes the lines up to `end`, and leaves priv.line at the first one that is none. */
static void decode_lines(struct p1_stream *s, size_t end)
{
    const struct p1_decoder d = {.reading = s->reading,
                                 .origin = s->buffer + s->priv.origin,
                                 .winter_offset_s = s->winter_offset_s,
                                 .layout = s->priv.layout};
    if (s->priv.line < end)
        s->priv.line = (size_t)(p1_decode_lines(&d, &s->priv.line_number, s->buffer + s->priv.line,
                                                s->buffer + end) -
                                s->buffer);
}

static void update_crc(struct p1_stream *s, size_t end)
{
    if (end <= s->priv.crc_done)
        return;
    s->priv.crc = crc16_update(s->priv.crc, s->buffer + s->priv.crc_done, end - s->priv.crc_done);
    s->priv.crc_done = end;
}

/* The CRC behind '!'. */
struct printed_crc {
    uint16_t value;
    uint8_t digits; /* 0..4; fewer than 4 when a meter does not pad */
    size_t end;     /* offset behind it */
    bool complete;  /* four digits, or something that ends them */
    bool terminated_badly;
};

static struct printed_crc read_crc(const struct p1_stream *s, size_t bang)
{
    struct printed_crc c = {.end = bang + 1};
    while (c.digits < 4 && c.end < s->priv.len) {
        int digit = cursor_hex_digit(s->buffer[c.end]);
        if (digit < 0)
            break;
        c.value = (uint16_t)(c.value << 4 | digit);
        c.digits++;
        c.end++;
    }
    c.complete = c.digits == 4 || c.end < s->priv.len;
    if (c.digits < 4 && c.end < s->priv.len) {
        uint8_t terminator = s->buffer[c.end];
        c.terminated_badly = terminator != '\r' && terminator != '\n' && terminator != 0;
    }
    return c;
}

/* Offset of the last start in (from, end); from if there is none. */
static size_t last_start(const struct p1_stream *s, size_t from, size_t end)
{
    while (end-- > from + 1)
        if (s->buffer[end] == '/' && is_start(s->buffer + end, START_LEN))
            return end;
    return from;
}

static bool is_seven_bit(const uint8_t *p, size_t n)
{
    while (n && *p < PARITY_BIT)
        p++, n--;
    return n == 0;
}

/* DSMR 2.2 and 3.0 telegrams have no CRC.  They also have neither version nor time, which every later
 * standard has.  Without a check at all nothing in them may be wrong or look like a second start, and
 * noise between '/' and '!' is none of them. */
static bool may_lack_crc(const struct p1_stream *s, size_t bang)
{
    const struct reading *r = s->reading;
    size_t origin = s->priv.origin;
    return r->p1_version == 0 && r->emucs_version == 0 && r->text[TEXT_VERSION].length == 0 &&
           r->meter_time_s == READING_NO_TIME && r->object_errors == 0 &&
           (reading_has(r, Q_ENERGY_IMPORT_T1) || reading_has(r, Q_ENERGY_IMPORT)) &&
           is_seven_bit(s->buffer + origin, bang - origin) && last_start(s, origin, bang) == origin;
}

static bool is_valid(const struct p1_stream *s, size_t bang, const struct printed_crc *c)
{
    if (c->terminated_badly)
        return false;
    return c->digits ? c->value == s->priv.crc : may_lack_crc(s, bang);
}

/* At '!'.  Sets *end behind the telegram once it is there. */
static enum p1_event finish(struct p1_stream *s, size_t *end)
{
    size_t bang = s->priv.line;
    struct printed_crc c = read_crc(s, bang);
    if (!c.complete)
        return P1_MORE;
    *end = c.end;
    update_crc(s, bang + 1);
    s->priv.state = AWAIT_SLASH;
    return is_valid(s, bang, &c) ? P1_TELEGRAM : P1_BAD_CRC;
}

/* A line that begins with '/' is no data line.  If it looks like a start, the telegram before it was
 * cut; *end is then where the new one begins. */
static enum p1_event at_slash(struct p1_stream *s, size_t lines_end, size_t *end)
{
    const uint8_t *line = s->buffer + s->priv.line;
    size_t n = s->priv.len - s->priv.line;
    bool start = is_start(line, n);
    if (start && n >= START_LEN) {
        *end = s->priv.line;
        return give_up(s);
    }
    if (start || lines_end == s->priv.line)
        return P1_MORE;
    while (*line++ != '\n')
        ;
    s->priv.line = (size_t)(line - s->buffer);
    if (s->reading->object_errors < UINT16_MAX)
        s->reading->object_errors++;
    return P1_MORE;
}

/* Decodes what became complete with the bytes from `fresh` on. */
static enum p1_event decode(struct p1_stream *s, size_t fresh, size_t *end)
{
    enum p1_event event = P1_MORE;
    size_t lines_end, stopped_at;
    if (s->priv.line == s->priv.origin && !decode_identification(s, fresh))
        return P1_MORE;
    lines_end = complete_lines_end(s, fresh);
    do {
        decode_lines(s, lines_end);
        stopped_at = s->priv.line;
        if (stopped_at < s->priv.len && s->buffer[stopped_at] == '!')
            event = finish(s, end);
        else if (stopped_at < s->priv.len && s->buffer[stopped_at] == '/')
            event = at_slash(s, lines_end, end);
    } while (event == P1_MORE && s->priv.line != stopped_at);
    if (event == P1_MORE)
        update_crc(s, s->priv.line);
    return event;
}

/* A telegram cut in mid line with the next one right behind it has a wrong CRC, but the second one
 * has not: tries the places inside that look like a start, latest first.  A '/' in a text is
 * harmless, because only a CRC that fits decides; without one the latest start does. */
static enum p1_event decode_inner_telegram(struct p1_stream *s, size_t *end)
{
    size_t bang = s->priv.line, outer = s->priv.origin, start = bang;
    struct printed_crc c = read_crc(s, bang);
    for (int tried = 0; tried < RESTARTS_TRIED && !c.terminated_badly; tried++) {
        start = last_start(s, outer, start);
        if (start == outer)
            break;
        if (c.digits && crc16_update(CRC16_ARC_INIT, s->buffer + start, bang + 1 - start) != c.value)
            continue;
        begin(s, start);
        return decode(s, start, end);
    }
    return P1_BAD_CRC;
}

static enum p1_event advance(struct p1_stream *s, size_t fresh, size_t *end)
{
    enum p1_event event = decode(s, fresh, end);
    if (event == P1_BAD_CRC) {
        event = decode_inner_telegram(s, end);
        if (event == P1_TELEGRAM)
            s->stats.telegrams_bad_frame++;
        else
            s->stats.telegrams_bad_crc++;
    }
    if (event == P1_TELEGRAM) {
        s->telegram = s->buffer + s->priv.origin;
        s->telegram_len = *end - s->priv.origin;
        s->stats.telegrams_ok++;
        s->stats.object_errors += s->reading->object_errors;
    }
    return event;
}

/* Moves the bytes [start, end) to the front and drops the others. */
static void keep(struct p1_stream *s, size_t start, size_t end)
{
    s->priv.len = end - start;
    memmove(s->buffer, s->buffer + start, s->priv.len);
}

/* Back to where starts are collected, with bytes as they came. */
static void await_start(struct p1_stream *s)
{
    s->priv.state = s->priv.len ? AWAIT_START : AWAIT_SLASH;
    for (size_t i = 0; s->priv.seven_bit && i < s->priv.len; i++)
        if (!has_even_parity(s->buffer[i]))
            s->buffer[i] |= PARITY_BIT;
}

/* Gives up a telegram that fills the buffer.  What looks like a start in mid line is kept: noise may
 * have begun like a telegram and a real one have followed.  Dropping a quarter at least bounds how
 * often a byte is moved. */
static enum p1_event overflow(struct p1_stream *s)
{
    size_t start = s->buffer_cap / 4 + 1, end;
    while (start < s->priv.len && !is_start(s->buffer + start, s->priv.len - start))
        start++;
    keep(s, start, s->priv.len);
    if (s->priv.len < START_LEN) {
        await_start(s);
    } else {
        begin(s, 0);
        (void)decode(s, 0, &end); /* no end in it: it would have ended the one given up */
    }
    s->stats.telegrams_bad_frame++;
    return P1_BAD_FRAME;
}

static size_t take(struct p1_stream *s, const uint8_t *bytes, size_t n, enum p1_event *event)
{
    size_t old_len = s->priv.len, room = s->buffer_cap - old_len, end = 0;
    size_t step = room < STEP_MAX ? room : STEP_MAX, copied = n < step ? n : step;
    memcpy(s->buffer + old_len, bytes, copied);
    n = s->priv.seven_bit ? strip_parity(s->buffer + old_len, copied) : copied;
    s->priv.len += n;
    *event = advance(s, old_len, &end);
    if (*event == P1_MORE) {
        if (n < copied) /* damaged, or not of 7 bits at all */
            *event = give_up(s);
        else if (s->priv.len == s->buffer_cap)
            *event = overflow(s);
        return n;
    }
    if (end >= old_len)
        return end - old_len;
    keep(s, end, old_len);
    await_start(s);
    return 0;
}

size_t p1_feed(struct p1_stream *s, const uint8_t *bytes, size_t n, enum p1_event *event)
{
    size_t used = 0;
    *event = P1_MORE;
    if (s->buffer_cap < START_LEN)
        return n; /* nothing fits */
    while (used < n && *event == P1_MORE) {
        if (s->priv.state == AWAIT_SLASH)
            used += seek(s, bytes + used, n - used);
        else if (s->priv.state == AWAIT_START)
            used += collect_start(s, bytes + used, n - used);
        else
            used += take(s, bytes + used, n - used, event);
    }
    return used;
}

enum p1_event p1_silence(struct p1_stream *s)
{
    if (s->priv.state == IN_TELEGRAM)
        return give_up(s);
    s->priv.state = AWAIT_SLASH;
    return P1_MORE;
}
