#include "heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    LARGE_BYTES = 128 * 1024
}; /* glibc's own, which it would raise after the first large piece */

static atomic_int_fast64_t failed;

void heap_begin(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

void heap_trim(void)
{
    (void)malloc_trim(0);
}

void *heap_new(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        atomic_fetch_add(&failed, 1);
    return memory;
}

bool heap_is_short(void)
{
    return errno == ENOMEM || errno == EMFILE || errno == ENFILE;
}

struct heap_figures heap_look(struct heap_watch *w)
{
    const struct mallinfo2 info = mallinfo2();
    struct heap_figures f = {.free = (int64_t)info.fordblks,
                             .largest_free = (int64_t)info.keepcost,
                             .failed_allocs = atomic_load(&failed)};
    if (w->looks++ == 0 || f.free < w->min_free)
        w->min_free = f.free;
    f.min_free = w->min_free;
    return f;
}
