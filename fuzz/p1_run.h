/* p1_run.h - a P1 stream that is fed any bytes in any chunks; what it says is the fuzzer's to judge. */
#ifndef P1_RUN_H
#define P1_RUN_H

#include "core/p1.h"
#include "fuzz.h"

#include <string.h>

struct run {
    struct p1_stream stream;
    struct reading reading;
    uint32_t digest; /* of all events, with their telegrams and readings */
};

/* What the stream reported; the fuzzer's own. */
void note(struct run *r, enum p1_event event);

/* A new stream with a buffer of `cap` bytes, n bytes, and silence; `chunks` chooses the pieces, 0 is one. */
static void feed(struct run *r, const uint8_t *p, size_t n, size_t cap, uint8_t chunks)
{
    uint8_t *buffer = malloc(cap);
    uint32_t random = chunks;
    memset(r, 0, sizeof *r);
    p1_init(&r->stream, &r->reading, buffer, cap);
    while (n > 0) {
        enum p1_event event;
        size_t offered = next_chunk(&random, chunks, n);
        size_t used = p1_feed(&r->stream, p, offered, &event);
        demand(used == offered || (used < offered && event != P1_MORE));
        note(r, event);
        p += used;
        n -= used;
    }
    note(r, p1_silence(&r->stream));
    free(buffer);
}

#endif
