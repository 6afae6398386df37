/* bytes.h - numbers in bytes, the low byte first. */
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>

/* Writes the two bytes of a number. */
static inline void put_le16(uint8_t *p, uint16_t number)
{
    p[0] = (uint8_t)number;
    p[1] = (uint8_t)(number >> 8);
}

/* Writes the four bytes of a number, and reads them. */
static inline void put_le32(uint8_t *p, uint32_t number)
{
    for (int i = 0; i < 4; i++, number >>= 8)
        p[i] = (uint8_t)number;
}

static inline uint32_t get_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#endif
