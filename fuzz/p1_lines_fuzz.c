/* p1_lines_fuzz.c - any bytes in any chunks: the small build's stream must say the same as for the bytes at once.
 *
 * The last byte chooses the chunks and the one before it the size of the buffer, so that plain
 * telegrams serve as first inputs.
 */
#include "p1_run.h"

void note(struct run *r, enum p1_event event)
{
    if (event == P1_MORE)
        return;
    r->digest = digest(r->digest, &event, sizeof event);
    r->digest = digest(r->digest, &r->reading, sizeof r->reading);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole, chunked;
    if (size < 2)
        return 0;
    size_t cap = data[size - 2] + 1u;
    feed(&whole, data, size - 2, cap, 0);
    feed(&chunked, data, size - 2, cap, data[size - 1]);
    demand(whole.digest == chunked.digest);
    demand(memcmp(&whole.stream.stats, &chunked.stream.stats, sizeof whole.stream.stats) == 0);
    return 0;
}
