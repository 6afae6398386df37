/* fuzz.h - what the fuzz targets share: a demand that ends the run, and a digest of what was seen. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's entry; every target defines it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void demand(bool condition)
{
    if (!condition)
        abort();
}

/* The input as a text with a NUL behind it, in memory that ends there; the caller frees it. */
static inline char *text_of_input(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    demand(text != NULL);
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    return text;
}

/* FNV-1a, continued. */
static inline uint32_t digest(uint32_t so_far, const void *from, size_t n)
{
    const uint8_t *p = from;
    for (size_t i = 0; i < n; i++)
        so_far = (so_far ^ p[i]) * 16777619;
    return so_far;
}

/* The size of the next chunk of n bytes: all of them for chunks 0, else 1..chunks, seemingly random. */
static inline size_t next_chunk(uint32_t *random, uint8_t chunks, size_t n)
{
    *random = *random * 1664525 + 1013904223;
    size_t size = chunks ? 1 + *random / 65536 % chunks : n;
    return size < n ? size : n;
}

#endif
