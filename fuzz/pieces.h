/* pieces.h - input that is a row of pieces, { what 1, n 1, n bytes } ..., each of which may be a frame with a CRC. */
#ifndef PIECES_H
#define PIECES_H

#include "crc.h"
#include "fuzz.h"

#include <string.h>

enum { INPUT_MAX = 16384, REPAIRS = 0x80, CONFIGURATION_START = 0x02 };

/* A copy of the input; with `repairs` each piece ends with its right CRC, for no mutation would be seen behind a wrong
 * one.  What begins like a frame of the configuration protocol is one: its first byte does not count. */
static const uint8_t *pieces_copy(const uint8_t *data, size_t size, bool repairs)
{
    static uint8_t bytes[INPUT_MAX];
    demand(size <= INPUT_MAX);
    if (size)
        memcpy(bytes, data, size);
    for (uint8_t *p = bytes; repairs && size > 2;) {
        size_t n = p[1] < size - 2 ? p[1] : size - 2, skipped = p[2] == CONFIGURATION_START;
        if (n > 2 + skipped)
            put_crc(p + 2 + skipped, n - skipped);
        p += 2 + n;
        size -= 2 + n;
    }
    return bytes;
}

#endif
