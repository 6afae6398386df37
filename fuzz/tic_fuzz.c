/* tic_fuzz.c - any bytes in any chunks: the TIC stream must say the same as for the bytes at once.
 *
 * The last byte chooses the chunks and the one before it how parity is treated, so that plain frames
 * serve as first inputs.
 */
#include "core/tic.h"

#include "fuzz.h"

#include <string.h>

struct run {
    struct tic_stream stream;
    struct reading reading;
    uint8_t frame[TIC_FRAME_MAX];
    uint32_t digest; /* of all events, with their frames and readings */
};

static void note(struct run *r, enum tic_event event)
{
    const struct tic_stream *s = &r->stream;
    if (event == TIC_MORE)
        return;
    r->digest = digest(r->digest, &event, sizeof event);
    if (event != TIC_FRAME)
        return;
    demand(s->frame_len > 0 && s->frame_len <= sizeof r->frame &&
           r->reading.standard == STANDARD_TIC);
    for (int t = 0; t < TEXT_N; t++)
        demand((size_t)r->reading.text[t].offset + r->reading.text[t].length <= s->frame_len);
    r->digest = digest(r->digest, &r->reading, sizeof r->reading);
    r->digest = digest(r->digest, s->frame, s->frame_len);
}

static void feed(struct run *r, const uint8_t *p, size_t n, enum tic_parity parity, uint8_t chunks)
{
    uint32_t random = chunks;
    memset(r, 0, sizeof *r);
    tic_init(&r->stream, &r->reading, r->frame, sizeof r->frame);
    r->stream.parity = parity;
    while (n > 0) {
        enum tic_event event;
        size_t offered = next_chunk(&random, chunks, n);
        size_t used = tic_feed(&r->stream, p, offered, 0, &event);
        demand(used == offered || (used < offered && event != TIC_MORE));
        note(r, event);
        p += used;
        n -= used;
    }
    note(r, tic_silence(&r->stream));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole, chunked;
    if (size < 2)
        return 0;
    enum tic_parity parity = (enum tic_parity)(data[size - 2] % 3);
    feed(&whole, data, size - 2, parity, 0);
    feed(&chunked, data, size - 2, parity, data[size - 1]);
    demand(whole.digest == chunked.digest);
    demand(memcmp(&whole.stream.stats, &chunked.stream.stats, sizeof whole.stream.stats) == 0);
    return 0;
}
