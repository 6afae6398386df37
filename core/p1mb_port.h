/* p1mb_port.h - the configuration protocol on a P1MB's P1 connector, 115200 baud 8N1 (docs/protocols.md, byte by byte).
 *
 *   key      1B 50 31 4D 42 3F 1B 04       opens a session; no telegram holds 1B or 04
 *   frame    02 | version 1 | command | length | payload ... | CRC-16/MODBUS of version to payload, low byte first
 *   answer   the same with command + 80 hex; the first byte of its payload is a status
 *
 *   command           payload of the request    payload of the answer behind the status
 *   01 identify       none                      identity: firmware version 4 bytes, then texts, each ended by 00:
 *                                               product, board, serial number, and the maps' names in their order
 *   02 read           none                      two setups: what is active, what becomes so at the reboot
 *   03 write          a setup                   none
 *   04 reboot         none                      none; the device reboots behind the answer
 *   05 leave          none                      none; the session is over behind the answer
 *
 *   setup, 8 bytes    baud rate 4 bytes (low byte first), address, line (0 8N1, 1 8E1), termination (0, 1), map
 *
 * A session ends 60 s after the last key or good frame: a meter that is plugged in again sends neither.  In it nothing
 * is taken for a telegram; a frame whose CRC is wrong, or whose bytes pause for 200 ms, is forgotten without an answer,
 * and so is an answer.  Another key makes a fresh start.
 */
#ifndef P1MB_PORT_H
#define P1MB_PORT_H

#include "p1mb_store.h"

#include <stddef.h>

enum {
    P1MB_PORT_BAUD = 115200,
    P1MB_KEY_BYTES = 8,
    P1MB_VERSION = 1,
    P1MB_PAYLOAD_MAX = 192,
    P1MB_HEAD_BYTES = 4, /* of a frame, before its payload */
    P1MB_FRAME_MAX = P1MB_HEAD_BYTES + P1MB_PAYLOAD_MAX + 2,
    P1MB_ANSWER = 0x80, /* in the command of an answer */
    P1MB_SESSION_MS = 60000,
    P1MB_PAUSE_MS = 200 /* within a frame; longer, and the frame is over */
};

/* The key sequence. */
extern const uint8_t p1mb_key[P1MB_KEY_BYTES];

enum p1mb_command { P1MB_IDENTIFY = 1, P1MB_READ, P1MB_WRITE, P1MB_REBOOT, P1MB_LEAVE };

/* --- frames, for both ends --- */

/* Writes a frame into out and returns its length; n is at most P1MB_PAYLOAD_MAX.  The payload may be in its place in
 * `out` already, from P1MB_HEAD_BYTES on. */
size_t p1mb_frame(uint8_t command, const uint8_t *payload, size_t n,
                  uint8_t out[static P1MB_FRAME_MAX]);

/* Collects a frame from bytes as they come.  Start it zeroed. */
struct p1mb_framing {
    /* valid after p1mb_framing_take() returned true, until its next call */
    uint8_t version, command, length;
    uint8_t payload[P1MB_PAYLOAD_MAX];
    /* private */
    uint16_t received; /* bytes of the frame; 0: its 02 is awaited */
    uint16_t crc;
    int64_t last_ms; /* the last byte's, of a frame or not */
};

/* Takes one byte that came at now_ms, any monotonic clock.  True: a frame with a good CRC is complete. */
bool p1mb_framing_take(struct p1mb_framing *f, uint8_t byte, int64_t now_ms);

/* --- the device's end --- */

/* What the device is, and what it does when it is asked to.  All of it stays the caller's. */
struct p1mb_port_owner {
    const char *product, *board, *serial;
    uint32_t firmware; /* major << 16 | minor << 8 | patch */
    const char *(*map_name)(uint8_t i);
    uint8_t maps;
    /* The settings: active, then those of the next start. */
    void (*read)(struct p1mb_port_owner *owner, struct p1mb_setup out[static 2]);
    /* Keeps a setup that is good.  False: the memory failed. */
    bool (*write)(struct p1mb_port_owner *owner, const struct p1mb_setup *setup);
    /* Reboots, once the answer has left. */
    void (*reboot)(struct p1mb_port_owner *owner);
};

struct p1mb_port {
    struct p1mb_port_owner *owner;
    bool open; /* read-only: a session is under way */
    /* private */
    uint8_t key_seen; /* bytes of the key that came */
    struct p1mb_framing framing;
    int64_t heard_ms; /* the last key or good frame of the session */
    uint8_t answer[P1MB_FRAME_MAX];
    size_t answer_bytes;
};

/* Begins without a session. */
void p1mb_port_init(struct p1mb_port *p, struct p1mb_port_owner *owner);

/* Takes the bytes that came at now_ms.  Returns how many of them are no business of the session's: they came before it
 * opened, the bytes of the key among them, and are the telegram parser's.  The rest was taken. */
size_t p1mb_port_take(struct p1mb_port *p, const uint8_t *bytes, size_t n, int64_t now_ms);

/* Ends a session in which nobody has asked for a minute; call it now and then. */
void p1mb_port_poll(struct p1mb_port *p, int64_t now_ms);

/* The answer to send, *n bytes; NULL: there is none.  It is given once, and valid until the next p1mb_port_take().  Who
 * asks waits for it; of several requests in one p1mb_port_take() the last is answered. */
const uint8_t *p1mb_port_answer(struct p1mb_port *p, size_t *n);

#endif
