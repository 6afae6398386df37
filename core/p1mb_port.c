#include "p1mb_port.h"

#include "bytes.h"
#include "crc16.h"

#include <string.h>

enum { FRAME_START = 0x02, CRC_BYTES = 2 };

const uint8_t p1mb_key[P1MB_KEY_BYTES] = {0x1B, 0x50, 0x31, 0x4D, 0x42, 0x3F, 0x1B, 0x04};

/* --- frames ----------------------------------------------------------------------------------- */

size_t p1mb_frame(uint8_t command, const uint8_t *payload, size_t n,
                  uint8_t out[static P1MB_FRAME_MAX])
{
    const uint8_t head[P1MB_HEAD_BYTES] = {FRAME_START, P1MB_VERSION, command, (uint8_t)n};
    if (n)
        memmove(out + P1MB_HEAD_BYTES, payload, n);
    memcpy(out, head, P1MB_HEAD_BYTES);
    n += P1MB_HEAD_BYTES;
    put_le16(out + n, crc16_update(CRC16_MODBUS_INIT, out + 1, n - 1));
    return n + CRC_BYTES;
}

/* Puts byte `at` of a frame, its start apart, where it belongs. */
static void keep_byte(struct p1mb_framing *f, size_t at, uint8_t byte)
{
    if (at == 1)
        f->version = byte;
    else if (at == 2)
        f->command = byte;
    else if (at == 3)
        f->length = byte;
    else if (at < (size_t)P1MB_HEAD_BYTES + f->length)
        f->payload[at - P1MB_HEAD_BYTES] = byte;
}

bool p1mb_framing_take(struct p1mb_framing *f, uint8_t byte, int64_t now_ms)
{
    if (now_ms - f->last_ms >= P1MB_PAUSE_MS)
        f->received = 0;
    f->last_ms = now_ms;
    if (f->received == 0) {
        f->received = byte == FRAME_START;
        f->crc = CRC16_MODBUS_INIT;
        return false;
    }
    f->crc = crc16_update(f->crc, &byte, 1);
    keep_byte(f, f->received++, byte);
    if (f->received < P1MB_HEAD_BYTES)
        return false;
    bool complete = f->received == P1MB_HEAD_BYTES + f->length + CRC_BYTES;
    if (complete || f->length > P1MB_PAYLOAD_MAX)
        f->received = 0;
    return complete && f->crc == 0; /* the CRC of what ends with its CRC */
}

/* --- commands --------------------------------------------------------------------------------- */

/* An answer's payload on its way; a text that does not fit is cut. */
struct writer {
    uint8_t *at, *end;
};

static void put_text(struct writer *w, const char *text)
{
    while (*text && w->end - w->at > 1)
        *w->at++ = (uint8_t)*text++;
    if (w->at < w->end)
        *w->at++ = 0;
}

static enum p1mb_status identify(struct p1mb_port *p, struct writer *w)
{
    const struct p1mb_port_owner *owner = p->owner;
    put_le32(w->at, owner->firmware);
    w->at += 4;
    put_text(w, owner->product);
    put_text(w, owner->board);
    put_text(w, owner->serial);
    for (uint8_t i = 0; i < owner->maps; i++)
        put_text(w, owner->map_name(i));
    return P1MB_DONE;
}

static enum p1mb_status read_setups(struct p1mb_port *p, struct writer *w)
{
    struct p1mb_setup setups[2];
    p->owner->read(p->owner, setups);
    for (unsigned i = 0; i < 2; i++, w->at += P1MB_SETUP_BYTES)
        p1mb_setup_put(&setups[i], w->at);
    return P1MB_DONE;
}

static enum p1mb_status write_setup(struct p1mb_port *p, struct writer *w)
{
    struct p1mb_setup setup;
    enum p1mb_status status = p1mb_setup_get(p->framing.payload, p->owner->maps, &setup);
    (void)w;
    if (status == P1MB_DONE && !p->owner->write(p->owner, &setup))
        status = P1MB_NOT_KEPT;
    return status;
}

static enum p1mb_status reboot(struct p1mb_port *p, struct writer *w)
{
    (void)w;
    p->owner->reboot(p->owner);
    return P1MB_DONE;
}

static enum p1mb_status leave(struct p1mb_port *p, struct writer *w)
{
    (void)w;
    p->open = false;
    return P1MB_DONE;
}

static const struct {
    uint8_t length; /* of the request's payload */
    enum p1mb_status (*run)(struct p1mb_port *p, struct writer *w);
} commands[] = {
    [P1MB_IDENTIFY] = {0, identify},
    [P1MB_READ] = {0, read_setups},
    [P1MB_WRITE] = {P1MB_SETUP_BYTES, write_setup},
    [P1MB_REBOOT] = {0, reboot},
    [P1MB_LEAVE] = {0, leave},
};

static enum p1mb_status run(struct p1mb_port *p, struct writer *w)
{
    const struct p1mb_framing *f = &p->framing;
    if (f->version != P1MB_VERSION)
        return P1MB_BAD_VERSION;
    if (f->command < P1MB_IDENTIFY || f->command > P1MB_LEAVE)
        return P1MB_UNKNOWN_COMMAND;
    if (f->length != commands[f->command].length)
        return P1MB_BAD_LENGTH;
    return commands[f->command].run(p, w);
}

static void answer_frame(struct p1mb_port *p)
{
    uint8_t *payload = p->answer + P1MB_HEAD_BYTES;
    struct writer w = {payload + 1, payload + P1MB_PAYLOAD_MAX};
    if (p->framing.command & P1MB_ANSWER)
        return;
    payload[0] = (uint8_t)run(p, &w);
    p->answer_bytes =
        p1mb_frame(p->framing.command | P1MB_ANSWER, payload, (size_t)(w.at - payload), p->answer);
}

/* --- the session ------------------------------------------------------------------------------ */

void p1mb_port_init(struct p1mb_port *p, struct p1mb_port_owner *owner)
{
    memset(p, 0, sizeof *p);
    p->owner = owner;
}

/* Looks for the key; true at its last byte. */
static bool ends_key(struct p1mb_port *p, uint8_t byte)
{
    if (byte == p1mb_key[p->key_seen])
        p->key_seen++;
    else if (p->key_seen == P1MB_KEY_BYTES - 1 && byte == p1mb_key[1])
        p->key_seen = 2; /* the key's second 1B was the first of another key */
    else
        p->key_seen = byte == p1mb_key[0];
    if (p->key_seen < P1MB_KEY_BYTES)
        return false;
    p->key_seen = 0;
    return true;
}

static void hear(struct p1mb_port *p, uint8_t byte, int64_t now_ms)
{
    if (p->open && p1mb_framing_take(&p->framing, byte, now_ms)) {
        p->heard_ms = now_ms;
        answer_frame(p);
    }
    if (!ends_key(p, byte))
        return;
    p->open = true;
    p->heard_ms = now_ms;
    p->framing.received = 0;
}

size_t p1mb_port_take(struct p1mb_port *p, const uint8_t *bytes, size_t n, int64_t now_ms)
{
    size_t foreign = 0;
    p1mb_port_poll(p, now_ms);
    p->answer_bytes = 0;
    for (; foreign < n && !p->open; foreign++)
        hear(p, bytes[foreign], now_ms);
    for (size_t i = foreign; i < n; i++)
        hear(p, bytes[i], now_ms);
    return foreign;
}

void p1mb_port_poll(struct p1mb_port *p, int64_t now_ms)
{
    if (p->open && now_ms - p->heard_ms >= P1MB_SESSION_MS)
        p->open = false;
}

const uint8_t *p1mb_port_answer(struct p1mb_port *p, size_t *n)
{
    *n = p->answer_bytes;
    p->answer_bytes = 0;
    return *n ? p->answer : NULL;
}
