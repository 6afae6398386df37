/* flash.h - two sectors of flash memory, as what keeps settings sees them.
 *
 * Erasing makes every byte of a sector FF.  Programming writes whole units, each once after an erase; a power cut
 * during either leaves the bytes that were under way undefined.
 */
#ifndef FLASH_H
#define FLASH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FLASH_SECTORS = 2,
    FLASH_UNIT_MAX = 8 /* bytes */
};

struct flash {
    void *context;         /* the board's */
    uint32_t sector_bytes; /* what is erased at once; a multiple of 16 */
    uint8_t unit_bytes;    /* what is programmed at once: 1, 2, 4 or 8 */
    /* The first byte of a sector, which can be read like any memory. */
    const uint8_t *(*sector)(const struct flash *f, unsigned sector);
    /* These block until it is done (tens of milliseconds for an erase).  False: the memory reports an error. */
    bool (*erase)(const struct flash *f, unsigned sector);
    /* offset and n are multiples of unit_bytes. */
    bool (*program)(const struct flash *f, unsigned sector, uint32_t offset, const uint8_t *bytes,
                    uint32_t n);
};

#endif
