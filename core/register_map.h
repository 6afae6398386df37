/* register_map.h - a meter's Modbus registers as data, and the image of them a server reads from.
 *
 * A map is a const table of rows (register, what it shows, type, scale).  The image is the map filled
 * from one reading: encoded once per telegram in wire order, so that a Modbus read is a bounds check
 * and a copy, and all values of one response come from one telegram.
 */
#ifndef REGISTER_MAP_H
#define REGISTER_MAP_H

#include "reading.h"

enum register_type {
    REG_F32, /* IEEE 754 single, 2 registers */
    REG_U16, /* 1 register */
    REG_S16,
    REG_U32, /* 2 registers */
    REG_S32,
    REG_U64,       /* 4 registers */
    REG_ASCII,     /* `length` registers, first character in the high byte */
    REG_ASCII_LOW, /* the same with the first character in the low byte (Phoenix Contact) */
    REG_TYPE_N
};

/* Order of the registers of a value.  "123.456" = 42F6 E979: normal writes 42F6 first, swapped E979. */
enum word_order { WORD_ORDER_NORMAL, WORD_ORDER_SWAPPED };

/* What a register reads while its quantity is unknown. */
enum unknown_policy { UNKNOWN_ZERO, UNKNOWN_NAN };

/* Where a row's value comes from. */
enum register_source {
    FROM_QUANTITY,
    FROM_FIXED,   /* .fixed, or .text for ASCII types */
    FROM_SERIAL,  /* the device's serial number: ASCII, or its last digits as a number */
    FROM_FIRMWARE /* firmware version: major << 16 | minor << 8 | patch */
};

struct register_row {
    uint16_t address;
    uint8_t source;   /* enum register_source */
    uint8_t type;     /* enum register_type */
    uint8_t quantity; /* enum quantity, for FROM_QUANTITY */
    int8_t exponent; /* shown value = quantity in its unit * 10^exponent: 3 shows V as mV, -3 W as kW */
    uint8_t length; /* registers of an ASCII row */
    uint32_t fixed;
    const char *text;
    const char *title; /* for lists and documents, where the quantity's name does not say it */
};

struct register_map {
    const char *name; /* as MeterType spells it: "PhoenixContact-EMPro" */
    const char *title;
    enum word_order word_order;
    const struct register_row *rows; /* ascending addresses, not overlapping */
    size_t row_count;
};

/* What of the device itself a map can show.  Strings stay the caller's. */
struct register_identity {
    const char *serial; /* digits and upper-case hex letters */
    uint32_t firmware;  /* major << 16 | minor << 8 | patch */
};

enum {
    REGISTER_SEGMENTS_MAX = 24, /* runs of registers a map may have */
    REGISTER_PAGES = 257,       /* of 256 addresses, and one behind the last */
    REGISTER_IMAGE_MAX = 512    /* registers of all runs together */
};

/* Registers in wire order: big endian, address order.  Private to register_map.c. */
struct register_image {
    struct register_segment {
        uint16_t address, count;
        uint16_t offset; /* of its first register in data, in registers */
    } segments[REGISTER_SEGMENTS_MAX];
    uint8_t segment_count;
    uint8_t first_segment[REGISTER_PAGES]; /* by the high byte of an address */
    uint16_t register_count;
    uint8_t data[REGISTER_IMAGE_MAX * 2];
};

/* Lays out an image for a map; every register reads 0 until it is rendered.  False if the map does not
 * fit REGISTER_SEGMENTS_MAX or REGISTER_IMAGE_MAX, its rows are not ascending, or one is empty. */
bool register_image_init(struct register_image *image, const struct register_map *map);

/* Fills the image from a reading, which must be derived already.  A value that a row's type cannot
 * hold is shown as the type's nearest limit. */
void register_image_render(struct register_image *image, const struct register_map *map,
                           const struct reading *r, const struct register_identity *identity,
                           enum word_order order, enum unknown_policy unknown);

/* Copies `count` registers from `address` to out (2 * count bytes, wire order).  Registers outside the
 * map read 0.  address + count must not exceed 65536. */
void register_image_read(const struct register_image *image, uint32_t address, uint32_t count,
                         uint8_t *out);

/* Registers a row takes. */
unsigned register_row_length(const struct register_row *row);

/* The maps, by their MeterType name or the part after the maker ("empro"), any case.  NULL: no such. */
const struct register_map *register_map_find(const char *name);

/* The i-th map; NULL past the last. */
const struct register_map *register_map_at(size_t i);

#endif
