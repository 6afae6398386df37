#include "rtu_slave.h"

#include "integers.h"

#include <string.h>

enum {
    FAST_BAUD = 19200, /* above it silences have a fixed length (clause 2.5.1.1) */
    FAST_SILENCE_US = 1750,
    ECHO_LIKE_MAX = 3, /* so often in a row nobody asks at once for what we have just answered */
    LATE_US =
        500000 /* nobody waits any more, and the answer would be taken for that to the next request */
};

/* --- time ------------------------------------------------------------------------------------- */

uint32_t rtu_characters_us(uint32_t baud, bool even_parity, uint32_t count)
{
    uint32_t bits = count * (even_parity ? 11 : 10),
             hundreds = baud / 100; /* of baud; each speed is so many */
    return (bits * 10000 + hundreds - 1) / hundreds;
}

uint32_t rtu_silence_us(uint32_t baud, bool even_parity)
{
    uint32_t half_bits = 7 * (even_parity ? 11 : 10); /* 3.5 characters, in half bits */
    return baud > FAST_BAUD ? FAST_SILENCE_US : (half_bits * 500000 + baud - 1) / baud;
}

static int64_t silence_us(const struct rtu_slave *s)
{
    return rtu_silence_us(s->settings.baud, s->settings.even_parity);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t rtu_slave_due_us(const struct rtu_slave *s)
{
    switch (s->state) {
    case AWAIT_BYTES:
        return RTU_NEVER;
    case AWAIT_SILENCE:
        return later(s->last_byte_us + silence_us(s), s->sent_us);
    case AWAIT_REST:
        return s->last_byte_us + silence_us(s) + s->settings.slack_us;
    case AWAIT_TURNAROUND:
        return s->last_byte_us + later(silence_us(s), s->settings.turnaround_us);
    case AWAIT_SENT:
        return s->sent_us;
    }
    return RTU_NEVER;
}

int64_t rtu_slave_sent_us(const struct rtu_slave *s)
{
    return s->sent_us;
}

/* --- what the bytes are ----------------------------------------------------------------------- */

enum found { FOUND_NOISE, FOUND_FOREIGN, FOUND_BROADCAST, FOUND_REQUEST };

/* What begins at `bytes`, of which n are there up to the silence, and how long it is. */
static enum found find_frame(const struct rtu_slave *s, const uint8_t *bytes, size_t n,
                             size_t *length)
{
    bool ours = bytes[0] == s->settings.address;
    *length = rtu_request_at(bytes, n);
    if (!*length && ours)
        *length = rtu_unknown_at(bytes, n);
    if (*length)
        return ours ? FOUND_REQUEST : bytes[0] == 0 ? FOUND_BROADCAST : FOUND_FOREIGN;
    *length = rtu_reply_at(bytes, n);
    if (*length)
        return FOUND_FOREIGN;
    *length = 1;
    return FOUND_NOISE;
}

static void forget_bytes(struct rtu_slave *s, size_t n)
{
    s->received -= n;
    memmove(s->buffer, s->buffer + n, s->received);
}

/* The first frame after our answer may be its echo, but only while the answer is on its way back to us. */
static bool is_like_our_answer(const struct rtu_slave *s, const uint8_t *bytes, size_t n)
{
    int64_t end_us = s->sent_us + silence_us(s) + s->settings.slack_us;
    return s->last_byte_us <= end_us && n == s->sent && memcmp(bytes, s->reply, n) == 0;
}

/* Some adapters hand back what they send; the answer to a read, which no master says, tells whether this one does.
 * Answers that have the form of a request (function codes 06 and 08) are only then taken for echoes, or after some of
 * them in a row, which would go round for ever. */
static bool is_echo(struct rtu_slave *s, const uint8_t *bytes, size_t n)
{
    bool like = is_like_our_answer(s, bytes, n), telling = !rtu_request_at(s->reply, s->sent);
    if (telling)
        s->hears_itself = like;
    s->echo_like = like ? (uint8_t)(s->echo_like + 1) : 0;
    s->sent = 0;
    return like && (s->hears_itself || s->echo_like > ECHO_LIKE_MAX);
}

/* What was found in the buffer. */
struct survey {
    size_t request, request_length; /* the last request for us; length 0: none */
    size_t known;                   /* bytes up to the end of the last frame */
    size_t noise;                   /* bytes behind it */
};

static void count_frame(struct rtu_slave *s, struct survey *found, enum found kind, size_t at,
                        size_t length)
{
    if (!CORE_IS_SMALL && s->sent && is_echo(s, s->buffer + at, length)) {
        s->counters.echoes++;
        kind = FOUND_NOISE;
    }
    s->counters.foreign += kind == FOUND_FOREIGN;
    s->counters.broadcasts += kind == FOUND_BROADCAST;
    s->counters.overtaken += found->request_length != 0;
    s->counters.garbled += found->noise != 0;
    found->request = at;
    found->request_length = kind == FOUND_REQUEST ? length : 0;
    found->known = at + length;
    found->noise = 0;
}

static bool is_write(uint8_t function)
{
    return function == 0x06 || function == 0x10;
}

/* Answers, and counts what was written: an exception's function code is another. */
static size_t reply_to(struct rtu_slave *s, const uint8_t *adu, size_t length, uint8_t *out)
{
    const struct modbus_frame frame = {.adu = adu, .total = length};
    size_t n = rtu_reply(s->bank, &frame, out);
    s->counters.writes += n && is_write(out[1]);
    return n;
}

/* A broadcast asks everyone to write; nobody answers. */
static void obey_broadcast(struct rtu_slave *s, const uint8_t *adu, size_t length)
{
    uint8_t unheard[RTU_ADU_MAX];
    if (is_write(adu[1]))
        (void)reply_to(s, adu, length, unheard);
}

static struct survey survey_bytes(struct rtu_slave *s)
{
    struct survey found = {0};
    for (size_t at = 0; at < s->received;) {
        size_t length;
        enum found kind = find_frame(s, s->buffer + at, s->received - at, &length);
        if (kind == FOUND_NOISE)
            found.noise++;
        else
            count_frame(s, &found, kind, at, length);
        if (kind == FOUND_BROADCAST)
            obey_broadcast(s, s->buffer + at, length);
        at += length;
    }
    return found;
}

/* --- what is done about them ------------------------------------------------------------------ */

static void drop_noise(struct rtu_slave *s)
{
    s->counters.garbled += s->received != 0;
    s->received = 0;
    s->state = AWAIT_BYTES;
}

/* The line has been silent for t3.5. */
static void take_stock(struct rtu_slave *s)
{
    struct survey found = survey_bytes(s);
    if (found.request_length && found.noise == 0) {
        forget_bytes(s, found.request);
        s->state = AWAIT_TURNAROUND;
        return;
    }
    s->counters.overtaken += found.request_length != 0;
    forget_bytes(s, found.known);
    s->state = AWAIT_REST;
    if (s->received == 0 || s->settings.slack_us == 0)
        drop_noise(s);
}

static const uint8_t *answer(struct rtu_slave *s, int64_t now_us, size_t *n)
{
    int64_t due_us = rtu_slave_due_us(s);
    if (now_us - due_us > LATE_US) {
        s->counters.overtaken++;
        s->received = 0;
        s->state = AWAIT_BYTES;
        return NULL;
    }
    *n = s->sent = reply_to(s, s->buffer, s->received, s->reply);
    s->counters.requests++;
    s->last_request_ms = milliseconds(now_us);
    s->received = 0;
    s->state = AWAIT_BYTES;
    if (s->sent == 0)
        return NULL;
    s->counters.exceptions += s->reply[1] >> 7;
    s->sent_us =
        now_us + rtu_characters_us(s->settings.baud, s->settings.even_parity, (uint32_t)s->sent);
    s->state = AWAIT_SENT;
    return s->reply;
}

const uint8_t *rtu_slave_poll(struct rtu_slave *s, int64_t now_us, size_t *n)
{
    *n = 0;
    if (s->state == AWAIT_SILENCE && now_us >= rtu_slave_due_us(s))
        take_stock(s);
    if (s->state == AWAIT_REST && now_us >= rtu_slave_due_us(s))
        drop_noise(s);
    if (s->state == AWAIT_SENT && now_us >= rtu_slave_due_us(s))
        s->state = AWAIT_BYTES;
    if (s->state == AWAIT_TURNAROUND && now_us >= rtu_slave_due_us(s))
        return answer(s, now_us, n);
    return NULL;
}

/* --- bytes ------------------------------------------------------------------------------------ */

void rtu_slave_init(struct rtu_slave *s, const struct rtu_slave_settings *settings,
                    const struct modbus_bank *bank)
{
    memset(s, 0, sizeof *s);
    s->settings = *settings;
    s->bank = bank;
    s->last_request_ms = s->last_byte_ms = INT64_MIN;
}

void rtu_slave_set(struct rtu_slave *s, const struct rtu_slave_settings *settings)
{
    s->settings = *settings;
    s->received = 0;
    s->state = AWAIT_BYTES;
}

/* There was a silence, and more came before anybody looked: what came before it is over. */
static void end_unanswered(struct rtu_slave *s)
{
    const struct survey found = survey_bytes(s);
    s->counters.overtaken += found.request_length != 0;
    forget_bytes(s, found.known);
    drop_noise(s);
}

/* Something came: also where a request waited to be answered. */
static void hear(struct rtu_slave *s, int64_t now_us)
{
    s->state = AWAIT_SILENCE;
    s->last_byte_us = now_us;
    s->last_byte_ms = milliseconds(now_us);
}

/* More than any frame holds came without a silence: the older half cannot be wanted any more. */
static void make_room(struct rtu_slave *s)
{
    s->counters.garbled++;
    forget_bytes(s, s->received / 2);
}

void rtu_slave_bytes(struct rtu_slave *s, const uint8_t *bytes, size_t n, int64_t now_us)
{
    int64_t begin_us =
        now_us - rtu_characters_us(s->settings.baud, s->settings.even_parity, (uint32_t)n);
    if (n == 0)
        return;
    if (s->received && begin_us - s->last_byte_us > silence_us(s) + s->settings.slack_us)
        end_unanswered(s);
    hear(s, now_us);
    s->counters.bytes += (rtu_count)n;
    for (size_t i = 0; i < n; i++) {
        if (s->received == sizeof s->buffer)
            make_room(s);
        s->buffer[s->received++] = bytes[i];
    }
}

void rtu_slave_line_error(struct rtu_slave *s, int64_t now_us)
{
    s->counters.line_errors++;
    hear(s, now_us);
}
