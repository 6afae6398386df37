#include "integers.h"

int64_t divide_rounded(int64_t x, uint64_t by)
{
    uint64_t quotient = divide(magnitude(x) + by / 2, by, 0);
    return x < 0 ? -(int64_t)quotient : (int64_t)quotient;
}

/* By hand, but 16 bits at a time, as the processor divides 32: each round of a P1MB's loop asks the time. */
int64_t milliseconds(int64_t us)
{
    uint64_t x = (uint64_t)us, ms = 0;
    uint32_t rest = 0;
    for (int digit = 0; digit < 4; digit++, x <<= 16) {
        uint32_t part = rest << 16 | (uint16_t)(x >> 48);
        ms = ms << 16 | part / 1000;
        rest = part % 1000;
    }
    return (int64_t)ms;
}

#ifdef CORE_SMALL

uint64_t power_of_ten(unsigned exponent)
{
    uint64_t power = 1;
    while (exponent--)
        power *= 10;
    return power;
}

/* By hand, a bit at a time. */
uint64_t divide(uint64_t x, uint64_t by, uint64_t *rest)
{
    uint64_t left = 0;
    for (int bit = 0; bit < 64; bit++) {
        left = left << 1 | x >> 63;
        x <<= 1;
        if (left >= by) {
            left -= by;
            x |= 1;
        }
    }
    if (rest)
        *rest = left;
    return x;
}

#else

const uint64_t powers_of_ten[POWER_OF_TEN_MAX + 1] = {1,
                                                      10,
                                                      100,
                                                      1000,
                                                      10000,
                                                      100000,
                                                      1000000,
                                                      10000000,
                                                      100000000,
                                                      1000000000,
                                                      UINT64_C(10000000000),
                                                      UINT64_C(100000000000),
                                                      UINT64_C(1000000000000),
                                                      UINT64_C(10000000000000),
                                                      UINT64_C(100000000000000),
                                                      UINT64_C(1000000000000000),
                                                      UINT64_C(10000000000000000),
                                                      UINT64_C(100000000000000000),
                                                      UINT64_C(1000000000000000000)};

#endif
