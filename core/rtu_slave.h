/* rtu_slave.h - a Modbus RTU slave on a line, as a state machine on the caller's clock (Serial Line Guide V1.02,
 * clause 2.5.1).
 *
 *   bytes come      -> they are collected until the line is silent for t3.5
 *   t3.5 of silence -> the bytes are read as frames: requests and replies of others are stepped over, what is no frame
 *                      is noise.  A request for us that the silence ended is answered, after the turnaround.
 *
 * A frame is known by the length its function code implies and by its CRC, so that noise before it, or a reader that
 * hands over several frames at once, costs nothing.  A silence inside a frame of up to t3.5 + slack is forgiven: bytes
 * pass through drivers and adapters that hand them over in pieces, so the t1.5 of the standard cannot be seen.
 *
 * Nothing blocks, nothing is allocated.  The caller moves the bytes and calls rtu_slave_poll() when it is due.
 */
#ifndef RTU_SLAVE_H
#define RTU_SLAVE_H

#include "modbus_rtu.h"

enum {
    RTU_BUFFER_MAX = RTU_ADU_MAX + 64 /* the longest frame, and what came with it */
};

#define RTU_NEVER INT64_MAX

struct rtu_slave_settings {
    uint8_t address;        /* 1..247 */
    bool even_parity;       /* 8E1, 11 bits a character; else 8N1, 10 bits */
    uint32_t baud;          /* 1200..115200 */
    uint32_t turnaround_us; /* least time from a request's end to the answer; t3.5 where that is longer */
    uint32_t slack_us; /* how much later than on the line bytes may be handed over */
};

#ifdef CORE_SMALL
typedef uint32_t rtu_count; /* wraps around */
#else
typedef uint64_t rtu_count;
#endif

/* Sums since rtu_slave_init(). */
struct rtu_slave_counters {
    rtu_count bytes;
    rtu_count requests;   /* for us; broadcasts apart */
    rtu_count exceptions; /* of these, answered with an exception */
    rtu_count broadcasts; /* never answered */
    rtu_count writes;     /* requests and broadcasts whose values were taken */
    rtu_count foreign;    /* frames of and for other units */
    rtu_count
        overtaken; /* requests for us that were not answered: something came behind them, or we were late */
    rtu_count garbled;     /* runs of bytes that are no frame */
    rtu_count line_errors; /* bytes with a bad parity or stop bit */
    rtu_count echoes;      /* our own frames, heard again */
};

struct rtu_slave {
    struct rtu_slave_counters counters;    /* read it */
    int64_t last_request_ms, last_byte_ms; /* on the clock of now_us; INT64_MIN: never */
    /* private */
    struct rtu_slave_settings settings;
    const struct modbus_bank *bank;
    enum rtu_slave_state {
        AWAIT_BYTES,
        AWAIT_SILENCE,
        AWAIT_REST, /* a frame may go on: pieces come late */
        AWAIT_TURNAROUND,
        AWAIT_SENT
    } state;
    int64_t last_byte_us, sent_us;
    size_t received, sent; /* bytes in the buffers */
    bool hears_itself;     /* the adapter hands back what is sent */
    uint8_t echo_like;     /* requests in a row that look like our last answer */
    uint8_t buffer[RTU_BUFFER_MAX], reply[RTU_ADU_MAX];
};

/* Lengths of time on a line, in microseconds, rounded up: one character; and the silence that ends a frame: 3.5
 * characters, above 19200 baud 1750 us. */
uint32_t rtu_characters_us(uint32_t baud, bool even_parity, uint32_t count);
uint32_t rtu_silence_us(uint32_t baud, bool even_parity);

/* Begins with an empty line.  The bank stays the caller's; what it takes from a write (06, 16), a broadcast one, too,
 * is staged in its device. */
void rtu_slave_init(struct rtu_slave *s, const struct rtu_slave_settings *settings,
                    const struct modbus_bank *bank);

/* Other settings from now on, on an empty line; sums, times and what is known of the adapter stay. */
void rtu_slave_set(struct rtu_slave *s, const struct rtu_slave_settings *settings);

/* n bytes came, the last of them at now_us (monotonic). */
void rtu_slave_bytes(struct rtu_slave *s, const uint8_t *bytes, size_t n, int64_t now_us);

/* A byte came with a bad parity or stop bit.  It is left out, so that its frame's CRC does not fit. */
void rtu_slave_line_error(struct rtu_slave *s, int64_t now_us);

/* When rtu_slave_poll() is to be called, as now_us; RTU_NEVER: when bytes have come. */
int64_t rtu_slave_due_us(const struct rtu_slave *s);

/* Does what is due.  Returns the answer to send at once, *n bytes, or NULL; it stays readable until it is sent, which
 * is taken to last as long as its characters do. */
const uint8_t *rtu_slave_poll(struct rtu_slave *s, int64_t now_us, size_t *n);

/* When the answer that was returned last has left the line, as now_us. */
int64_t rtu_slave_sent_us(const struct rtu_slave *s);

#endif
