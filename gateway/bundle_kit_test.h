/* bundle_kit_test.h - a bundle as far as its lengths are concerned: see update_shape.h. */
#ifndef BUNDLE_KIT_TEST_H
#define BUNDLE_KIT_TEST_H

#include <stdint.h>
#include <string.h>

enum { BLOCK = 4096, CMS_SIZE = 0x123 + 4 };

/* The last part: the length of the CMS; returns where it ends. */
static inline uint64_t bundle_kit_put_tail(uint8_t *bytes, uint64_t at, uint64_t cms)
{
    for (int i = 0; i < 8; i++)
        bytes[at++] = (uint8_t)(cms >> (8 * (7 - i)));
    return at;
}

/* Writes one into zeroed bytes; `extra` bytes stand before the CMS.  Returns its length. */
static inline uint64_t bundle_kit_make(uint8_t *bytes, uint32_t used, uint32_t tree_blocks,
                                       uint32_t extra)
{
    static const uint8_t cms_head[] = {0x30, 0x82, 0x01, 0x23, 0x06};
    memcpy(bytes, "hsqs", 4);
    bytes[28] = 4;
    for (int i = 0; i < 4; i++)
        bytes[40 + i] = (uint8_t)(used >> (8 * i));
    uint64_t at = (used + BLOCK - 1) / BLOCK * BLOCK + tree_blocks * BLOCK + extra;
    memcpy(bytes + at, cms_head, sizeof cms_head);
    return bundle_kit_put_tail(bytes, at + CMS_SIZE, CMS_SIZE);
}

#endif
