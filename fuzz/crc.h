/* crc.h - the CRC of telegrams (starting with CRC_ARC) and of frames (CRC_MODBUS) a second time, bit by bit. */
#ifndef CRC_H
#define CRC_H

#include <stddef.h>
#include <stdint.h>

enum { CRC_ARC = 0, CRC_MODBUS = 0xFFFF };

static inline uint16_t crc_of(uint16_t crc, const uint8_t *p, size_t n)
{
    for (size_t bit = 0; bit < 8 * n; bit++) {
        unsigned differs = (crc ^ p[bit / 8] >> bit % 8) & 1u;
        crc = (uint16_t)(crc >> 1 ^ (differs ? 0xA001 : 0));
    }
    return crc;
}

/* A frame's right CRC in the place of its last two bytes; it has more than these. */
static inline void put_crc(uint8_t *p, size_t n)
{
    uint16_t crc = crc_of(CRC_MODBUS, p, n - 2);
    p[n - 2] = (uint8_t)crc;
    p[n - 1] = (uint8_t)(crc >> 8);
}

/* Whether a frame ends with the CRC of what is before it, low byte first. */
static inline int ends_with_crc(const uint8_t *p, size_t n)
{
    return n > 2 && crc_of(CRC_MODBUS, p, n - 2) == (uint16_t)(p[n - 2] | p[n - 1] << 8);
}

#endif
