/* integers.h - arithmetic on 64 bits: as it is, or in a small build without the compiler's own division, which takes
 * much room. */
#ifndef INTEGERS_H
#define INTEGERS_H

#include "small.h"

#include <stdint.h>

enum { POWER_OF_TEN_MAX = 18 };

#ifdef CORE_SMALL

/* 10^exponent; exponent is at most POWER_OF_TEN_MAX. */
uint64_t power_of_ten(unsigned exponent);

/* x / by, rounded down; by is not 0.  *rest, where that is not NULL, is what is left. */
uint64_t divide(uint64_t x, uint64_t by, uint64_t *rest);

#else

/* The table behind power_of_ten(). */
extern const uint64_t powers_of_ten[POWER_OF_TEN_MAX + 1];

static inline uint64_t power_of_ten(unsigned exponent)
{
    return powers_of_ten[exponent];
}

static inline uint64_t divide(uint64_t x, uint64_t by, uint64_t *rest)
{
    if (rest)
        *rest = x % by;
    return x / by;
}

#endif

static inline uint64_t magnitude(int64_t x)
{
    return x < 0 ? -(uint64_t)x : (uint64_t)x;
}

/* Whole milliseconds of a time that is not negative. */
int64_t milliseconds(int64_t us);

/* x / by to the nearest, half away from zero; by is above 1, or x not the least of its type. */
int64_t divide_rounded(int64_t x, uint64_t by);

#endif
