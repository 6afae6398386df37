/* ring.h - bytes from an interrupt to the loop, or back: one side puts, the other takes, nobody waits.
 *
 * The counts only ever grow and wrap at 2^32; their difference is what is in the ring.  Each is written by one side,
 * in one instruction, so neither side needs interrupts to be off.
 */
#ifndef RING_H
#define RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_BYTES = 256 }; /* a power of two */

/* Zeroed, it is empty. */
struct ring {
    volatile uint32_t put; /* bytes that were put, ever */
    volatile uint32_t taken;
    uint8_t bytes[RING_BYTES];
};

/* Keeps the compiler from moving a byte past the count that hands it over; one core needs no more. */
static inline void ring_hand_over(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

/* Puts a byte.  False: the ring is full, and the byte is lost. */
static inline bool ring_put(struct ring *r, uint8_t byte)
{
    uint32_t put = r->put;
    if (put - r->taken == RING_BYTES)
        return false;
    r->bytes[put & (RING_BYTES - 1)] = byte;
    ring_hand_over();
    r->put = put + 1;
    return true;
}

/* Takes up to `max` bytes, oldest first; returns how many. */
static inline size_t ring_take(struct ring *r, uint8_t *bytes, size_t max)
{
    uint32_t taken = r->taken;
    size_t there = r->put - taken, n = there < max ? there : max;
    ring_hand_over();
    for (size_t i = 0; i < n; i++)
        bytes[i] = r->bytes[taken++ & (RING_BYTES - 1)];
    ring_hand_over();
    r->taken = taken;
    return n;
}

/* Drops what is in the ring; the taking side's. */
static inline void ring_clear(struct ring *r)
{
    r->taken = r->put;
}

#endif
