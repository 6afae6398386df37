/* p1_fuzz.c - any bytes in any chunks: the P1 stream must say the same as for the bytes at once.
 *
 * The last byte chooses the chunks and the one before it the size of the buffer, so that plain
 * telegrams serve as first inputs.
 */
#include "core/messages.h"
#include "core/p1.h"

#include "p1_run.h"

#include <string.h>

/* Whatever a telegram says, its message fits. */
static uint32_t digest_meter(const struct run *r, uint32_t so_far)
{
    static char buffer[MESSAGE_METER_MAX];
    const struct p1_stream *s = &r->stream;
    struct text_out message;
    text_init(&message, buffer, sizeof buffer);
    message_meter(&message, &r->reading, s->telegram, s->telegram_len);
    demand(!message.overflow);
    uint32_t meter = message_meter_digest(&r->reading, s->telegram, s->telegram_len);
    return digest(digest(so_far, buffer, message.length), &meter, sizeof meter);
}

void note(struct run *r, enum p1_event event)
{
    const struct p1_stream *s = &r->stream;
    if (event == P1_MORE)
        return;
    r->digest = digest(r->digest, &event, sizeof event);
    r->digest = digest(r->digest, &r->reading,
                       sizeof r->reading); /* refused ones too: few inputs have a good CRC */
    if (event != P1_TELEGRAM)
        return;
    demand(s->telegram >= s->buffer && s->telegram_len >= 7 && s->telegram[0] == '/');
    demand((size_t)(s->telegram - s->buffer) + s->telegram_len <= s->buffer_cap);
    for (int t = 0; t < TEXT_N; t++) {
        char text[300];
        demand(r->reading.text[t].offset + r->reading.text[t].length <= s->telegram_len);
        size_t length = reading_text(&r->reading, (enum reading_text_id)t, s->telegram,
                                     s->telegram_len, text, sizeof text);
        r->digest = digest(r->digest, text, length);
    }
    r->digest = digest(r->digest, s->telegram, s->telegram_len);
    r->digest = digest_meter(r, r->digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole, chunked;
    if (size < 2)
        return 0;
    size_t cap = data[size - 2] < 128 ? P1_TELEGRAM_MAX : (data[size - 2] - 127u) * 8;
    feed(&whole, data, size - 2, cap, 0);
    feed(&chunked, data, size - 2, cap, data[size - 1]);
    demand(whole.digest == chunked.digest);
    demand(memcmp(&whole.stream.stats, &chunked.stream.stats, sizeof whole.stream.stats) == 0);
    return 0;
}
