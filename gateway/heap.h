/* heap.h - the process's own heap, for the device counters, and allocations that can be seen to fail. */
#ifndef HEAP_H
#define HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_figures {
    int64_t free;          /* bytes the process has from the kernel and does not use */
    int64_t min_free;      /* the least of what was seen */
    int64_t largest_free;  /* of these, the piece at the top that could go back to the kernel */
    int64_t failed_allocs; /* of heap_new() since start */
};

/* Start it zeroed. */
struct heap_watch {
    int64_t min_free;
    int looks;
};

/* Call it first in a process that runs for months.  All threads have one heap, of which the figures are, and large
 * pieces go back to the kernel at once: a heap for each of a few workers that come and go keeps pages that nobody
 * uses. */
void heap_begin(void);

/* Gives the kernel back the pages that nobody uses, also those between others: call it now and then.  It takes some
 * tens of microseconds. */
void heap_trim(void);

/* Looks now. */
struct heap_figures heap_look(struct heap_watch *w);

/* calloc(1, size) that counts its failures. */
void *heap_new(size_t size);

/* True if errno, which was 0 before, tells of too little memory or too few descriptors: what could not be read then is
 * not damaged, and must not be made anew.  Every allocation that fails sets it, also those of libraries that say
 * something else. */
bool heap_is_short(void);

#endif
