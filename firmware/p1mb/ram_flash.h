/* ram_flash.h - two sectors of RAM that behave as flash memory does, for boards without one that can be written. */
#ifndef RAM_FLASH_H
#define RAM_FLASH_H

#include "flash.h"

/* Functions of struct flash; its context is the first byte of the two sectors. */
const uint8_t *ram_flash_sector(const struct flash *f, unsigned sector);
bool ram_flash_erase(const struct flash *f, unsigned sector);
/* False also where a unit was not erased. */
bool ram_flash_program(const struct flash *f, unsigned sector, uint32_t offset,
                       const uint8_t *bytes, uint32_t n);

#endif
