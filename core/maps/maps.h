/* maps.h - the register maps, one file each.  A new map is one new file, a line here and a line in the
 * list of register_map.c. */
#ifndef MAPS_H
#define MAPS_H

#include "../register_map.h"

/* Shorthands for rows. */
#define ROW_F32(at, of) \
    { \
        .address = (at), .source = FROM_QUANTITY, .type = REG_F32, .quantity = (uint8_t)(of) \
    }
#define ROW_U16(at, of) \
    { \
        .address = (at), .source = FROM_QUANTITY, .type = REG_U16, .quantity = (uint8_t)(of) \
    }
#define ROW_FIXED(at, of_type, number, what) \
    { \
        .address = (at), .source = FROM_FIXED, .type = (of_type), .fixed = (number), \
        .title = (what) \
    }
#define ROW_TEXT(at, of_type, registers, characters, what) \
    { \
        .address = (at), .source = FROM_FIXED, .type = (of_type), .length = (registers), \
        .text = (characters), .title = (what) \
    }
#define ROW_SERIAL(at, of_type, registers, what) \
    { \
        .address = (at), .source = FROM_SERIAL, .type = (of_type), .length = (registers), \
        .title = (what) \
    }
#define ROW_FIRMWARE(at, of_type, what) \
    { \
        .address = (at), .source = FROM_FIRMWARE, .type = (of_type), .title = (what) \
    }
#define ROW_COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

extern const struct register_map map_empro;

#endif
