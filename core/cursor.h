/* cursor.h - a reader of bytes that carries its end, so that no loop can run past it. */
#ifndef CURSOR_H
#define CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *p, *end;
};

/* The next byte, or -1 at the end. */
static inline int cursor_peek(const struct cursor *c)
{
    return c->p < c->end ? *c->p : -1;
}

/* Steps over `byte` if it is the next one. */
static inline bool cursor_accept(struct cursor *c, uint8_t byte)
{
    if (c->p >= c->end || *c->p != byte)
        return false;
    c->p++;
    return true;
}

/* Stops at the first `byte`; false if there is none, the cursor is then at its end. */
static inline bool cursor_find(struct cursor *c, uint8_t byte)
{
    while (c->p < c->end && *c->p != byte)
        c->p++;
    return c->p < c->end;
}

/* Value of a hex digit in either case, or -1. */
static inline int cursor_hex_digit(uint8_t c)
{
    if ((unsigned)c - '0' <= 9)
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
