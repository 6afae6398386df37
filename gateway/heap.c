#include "heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int_fast64_t failed;

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
