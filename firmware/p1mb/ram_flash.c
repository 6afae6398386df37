#include "ram_flash.h"

#include <string.h>

enum { ERASED = 0xFF };

static uint8_t *sector_bytes(const struct flash *f, unsigned sector)
{
    return (uint8_t *)f->context + sector * f->sector_bytes;
}

const uint8_t *ram_flash_sector(const struct flash *f, unsigned sector)
{
    return sector_bytes(f, sector);
}

bool ram_flash_erase(const struct flash *f, unsigned sector)
{
    memset(sector_bytes(f, sector), ERASED, f->sector_bytes);
    return true;
}

bool ram_flash_program(const struct flash *f, unsigned sector, uint32_t offset,
                       const uint8_t *bytes, uint32_t n)
{
    uint8_t *to = sector_bytes(f, sector) + offset;
    for (uint32_t i = 0; i < n; i++)
        if (to[i] != ERASED)
            return false;
    memcpy(to, bytes, n);
    return true;
}
