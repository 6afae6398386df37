/* p1_lines_fuzz.c - any bytes in any chunks (p1_run.h): the small build's stream must say the same as for the bytes at
 * once.
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
    if (size >= 2)
        run_both(data, size - 2, data[size - 2] + 1u, data[size - 1]);
    return 0;
}
