/* p1_run.h - a P1 stream that is fed any bytes in any chunks; what it says is the fuzzer's to judge.
 *
 *   stream ... | size of the buffer 1 | chunks 1       so that plain telegrams serve as first inputs
 *
 * The highest bit of `chunks` asks for right CRCs: else no mutation would be seen behind them.
 */
#ifndef P1_RUN_H
#define P1_RUN_H

#include "core/p1.h"
#include "crc.h"
#include "fuzz.h"

#include <string.h>

enum { INPUT_MAX = 16384, REPAIRS = 0x80 };

struct run {
    struct p1_stream stream;
    struct reading reading;
    const uint8_t *fed; /* the first byte that no event has spoken of; the fuzzer's own */
    const uint8_t *at;  /* behind the last byte that was fed */
    uint32_t digest;    /* of all events, with their telegrams and readings */
};

/* What the stream reported; the fuzzer's own. */
void note(struct run *r, enum p1_event event);

static uint8_t with_parity(uint8_t c)
{
    return (uint8_t)(__builtin_parity(c) ? c | 0x80 : c);
}

/* Writes the CRC of the telegram [begin, bang] behind it, with parity bits if it has them. */
static void write_crc(uint8_t *p, size_t begin, size_t bang)
{
    bool seven_bit = p[begin] != '/';
    uint16_t crc = CRC_ARC;
    for (size_t i = begin; i <= bang; i++) {
        uint8_t c = seven_bit ? p[i] & 0x7F : p[i];
        crc = crc_of(crc, &c, 1);
    }
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = (uint8_t) "0123456789ABCDEF"[crc >> (12 - 4 * i) & 0xF];
        p[bang + 1 + i] = seven_bit ? with_parity(c) : c;
    }
}

/* From each '/', unless it is in a telegram, to the next '!' that begins a line. */
static void repair(uint8_t *p, size_t n)
{
    size_t begin = n;
    for (size_t i = 1; i + 4 < n; i++) {
        if ((p[i - 1] & 0x7F) == '/' && begin == n)
            begin = i - 1;
        if ((p[i] & 0x7F) == '!' && (p[i - 1] & 0x7F) == '\n' && begin < n) {
            write_crc(p, begin, i);
            begin = n;
        }
    }
}

/* A new stream with a buffer of `cap` bytes, n bytes, and silence; `chunks` chooses the pieces, 0 is one. */
static void feed(struct run *r, const uint8_t *p, size_t n, size_t cap, uint8_t chunks)
{
    uint8_t *buffer = malloc(cap);
    uint32_t random = chunks;
    memset(r, 0, sizeof *r);
    p1_init(&r->stream, &r->reading, buffer, cap);
    r->fed = r->at = p;
    while (n > 0) {
        enum p1_event event;
        size_t offered = next_chunk(&random, chunks, n);
        size_t used = p1_feed(&r->stream, p, offered, &event);
        demand(used == offered || (used < offered && event != P1_MORE));
        r->at = p += used;
        n -= used;
        note(r, event);
    }
    note(r, p1_silence(&r->stream));
    free(buffer);
}

/* At once and in chunks: that makes no difference. */
static void run_both(const uint8_t *data, size_t n, size_t cap, uint8_t chunks)
{
    static struct run whole, chunked;
    static uint8_t bytes[INPUT_MAX];
    n = n < INPUT_MAX ? n : INPUT_MAX;
    memcpy(bytes, data, n);
    if (chunks & REPAIRS)
        repair(bytes, n);
    feed(&whole, bytes, n, cap, 0);
    feed(&chunked, bytes, n, cap, chunks & 0x7F);
    demand(whole.digest == chunked.digest);
    demand(memcmp(&whole.stream.stats, &chunked.stream.stats, sizeof whole.stream.stats) == 0);
}

#endif
