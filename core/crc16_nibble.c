#include "crc16.h"

/* crc16_update() half a byte at a time: 16 entries are enough on a microcontroller. */
static const uint16_t table[16] = {
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
};

uint16_t crc16_update(uint16_t crc, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        crc = (uint16_t)((crc >> 4) ^ table[crc & 15]);
        crc = (uint16_t)((crc >> 4) ^ table[crc & 15]);
    }
    return crc;
}
