#include "backoff.h"

/* FNV-1a: neighbouring serial numbers lie far apart. */
static uint32_t hash(const char *text)
{
    uint32_t h = 2166136261;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619;
    return h;
}

void backoff_init(struct backoff *b, const char *serial)
{
    b->floor_ms = BACKOFF_MIN_MS + hash(serial) % BACKOFF_MIN_MS;
    backoff_reset(b);
}

void backoff_reset(struct backoff *b)
{
    b->limit_ms = 2 * b->floor_ms;
}

int64_t backoff_next_ms(struct backoff *b, uint32_t random)
{
    int64_t wait_ms = b->floor_ms + random % (b->limit_ms - b->floor_ms + 1);
    b->limit_ms = b->limit_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : b->limit_ms * 2;
    return wait_ms;
}
