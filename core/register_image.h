/* register_image.h - a register map filled from one reading.
 *
 * Encoded once per telegram in wire order, so that a Modbus read is a bounds check and a copy, and all values of one
 * response come from one telegram.
 */
#ifndef REGISTER_IMAGE_H
#define REGISTER_IMAGE_H

#include "register_map.h"

#include <string.h>

/* What a register reads while its quantity is unknown. */
enum unknown_policy { UNKNOWN_ZERO, UNKNOWN_NAN };

/* How an image shows values. */
struct register_style {
    enum word_order order;
    enum unknown_policy unknown; /* for maps that mark unknown anyway, no matter */
    uint8_t nominal_hz; /* shown for the frequency while that is unknown; 0: as unknown as the rest */
};

/* What of the device itself a map can show.  Strings stay the caller's. */
struct register_device {
    const char *serial; /* digits and upper-case hex letters */
    uint32_t firmware;  /* major << 16 | minor << 8 | patch */
    uint32_t setting[SETTING_N];
};

enum {
    REGISTER_SEGMENTS_MAX = 24, /* runs of registers a map may have */
    REGISTER_FEW = 8,           /* registers of a short read */
    REGISTER_PAGE_BITS =
        CORE_IS_SMALL ? 16 : 8, /* segments are looked up by the rest of the address */
    REGISTER_PAGES = 1 << (16 - REGISTER_PAGE_BITS),
    REGISTER_IMAGE_MAX = 640 /* registers of all runs together */
};

/* Registers in wire order: big endian, address order.  Private to register_image.c, but for `map` and `vendor`. */
struct register_image {
    const struct register_map *map;
    bool vendor; /* with the vendor block of the P1MB */
    struct register_segment {
        uint16_t address, count;
        uint16_t offset; /* of its first register in data, in registers */
    } segments[REGISTER_SEGMENTS_MAX + REGISTER_SPACES];    /* those of the input registers first */
    uint8_t first_segment[REGISTER_SPACES][REGISTER_PAGES]; /* by the page of an address */
    uint8_t holding_segments; /* where those of the holding registers begin */
    uint16_t register_count;
    uint8_t data[(REGISTER_IMAGE_MAX + 1) * 2]; /* and one that reads 0 */
};

/* Lays out an image for a map; every register reads 0 until it is rendered.  False if the map does not fit
 * REGISTER_SEGMENTS_MAX or REGISTER_IMAGE_MAX, its rows are not ascending, or one is empty. */
bool register_image_init(struct register_image *image, const struct register_map *map, bool vendor);

/* Fills the image from a reading, which must be derived already; without one (NULL), only the rows that show none: the
 * others stay.  A value that a row's type cannot hold is shown as the type's nearest limit. */
void register_image_render(struct register_image *image, const struct reading *r,
                           const struct register_device *device, const struct register_style *style);

/* The first segment that ends behind `address`, below 65536.  Private. */
static inline const struct register_segment *
register_image_segment(const struct register_image *image, enum register_space space,
                       uint32_t address)
{
    const struct register_segment *s =
        image->segments + image->first_segment[space][address >> REGISTER_PAGE_BITS];
    while (address >= (uint32_t)s->address + s->count)
        s++;
    return s;
}

/* The same as register_image_read(), for any registers.  Private. */
void register_image_gather(const struct register_image *image, enum register_space space,
                           uint32_t address, uint32_t count, uint8_t *out);

/* Copies `count` registers from `address` to out (2 * count bytes, wire order).  Registers outside the map read 0.
 * count is at least 1, and address + count at most 65536.  What chargers ask for every second, a few registers of one
 * segment, is copied right here. */
static inline void register_image_read(const struct register_image *image, enum register_space space,
                                       uint32_t address, uint32_t count, uint8_t *out)
{
    if (!CORE_IS_SMALL && count > 1 && count <= REGISTER_FEW) {
        const struct register_segment *s = register_image_segment(image, space, address);
        if (address >= s->address && address + count <= (uint32_t)s->address + s->count) {
            memcpy(out, image->data + 2 * (s->offset + address - s->address), 2 * count);
            return;
        }
    }
    register_image_gather(image, space, address, count, out);
}

/* True if any of these registers shows what a meter said. */
bool register_image_is_measured(const struct register_image *image, enum register_space space,
                                uint32_t address, uint32_t count);

#endif
