/* maps.h - the register maps, one file each.  A new map is one new file here and a row in this table; the file defines
 * map_NAME, as empro.c does. */
#ifndef MAPS_H
#define MAPS_H

#include "../register_map.h"

#define MAP_TABLE(ROW) \
    ROW(empro) \
    ROW(eastron_sdm630) \
    ROW(inepro_pro380) \
    ROW(acrel_acr10rh) \
    ROW(xemex) \
    ROW(sunspec) \
    ROW(carlo_gavazzi_em24) \
    ROW(abb_b23)

#define MAP_DECLARATION(id) extern const struct register_map map_##id;
/* The maps themselves. */
MAP_TABLE(MAP_DECLARATION)
#undef MAP_DECLARATION

/* A firmware image has no use for titles. */
#ifdef REGISTER_TITLES_LEFT_OUT
#define ROW_TITLE(what) NULL
#else
#define ROW_TITLE(what) (what)
#endif

/* Shorthands for rows: a quantity as it is, with 10^exponent, or in another form. */
#define ROW_FORMED(at, of_type, quantity, of_exponent, of_form) \
    { \
        .address = (at), .source = FROM_QUANTITY, .type = (of_type), .of = (uint8_t)(quantity), \
        .exponent = (of_exponent), .form = (of_form) \
    }
#define ROW_SCALED(at, of_type, quantity, of_exponent) \
    ROW_FORMED(at, of_type, quantity, of_exponent, FORM_PLAIN)
#define ROW_F32(at, quantity) ROW_SCALED(at, REG_F32, quantity, 0)
#define ROW_U16(at, quantity) ROW_SCALED(at, REG_U16, quantity, 0)
#define ROW_FIXED_SCALED(at, of_type, of_number, of_exponent, what) \
    { \
        .address = (at), .source = FROM_FIXED, .type = (of_type), .number = (uint32_t)(of_number), \
        .exponent = (of_exponent), .title = ROW_TITLE(what) \
    }
#define ROW_FIXED(at, of_type, of_number, what) ROW_FIXED_SCALED(at, of_type, of_number, 0, what)
#define ROW_TEXT(at, of_type, registers, characters, what) \
    { \
        .address = (at), .source = FROM_TEXT, .type = (of_type), .length = (registers), \
        .text = (characters), .title = ROW_TITLE(what) \
    }
#define ROW_SERIAL(at, of_type, registers, what) \
    { \
        .address = (at), .source = FROM_SERIAL, .type = (of_type), .length = (registers), \
        .title = ROW_TITLE(what) \
    }
#define ROW_FIRMWARE(at, of_type, what) \
    { \
        .address = (at), .source = FROM_FIRMWARE, .type = (of_type), .title = ROW_TITLE(what) \
    }
#define ROW_NOTHING(at, of_type, what) \
    { \
        .address = (at), .source = FROM_NOTHING, .type = (of_type), .title = ROW_TITLE(what) \
    }
#define ROW_SETTING(at, of_type, setting, of_codes, what) \
    { \
        .address = (at), .source = FROM_SETTING, .type = (of_type), .of = (setting), \
        .codes = (of_codes), .title = ROW_TITLE(what) \
    }
/* A setting that is taken and means nothing here. */
#define ROW_ACCEPTED(at, of_type, of_number, what) \
    { \
        .address = (at), .source = FROM_SETTING, .type = (of_type), .of = SETTING_ACCEPTED, \
        .number = (of_number), .title = ROW_TITLE(what) \
    }
#define TABLE(of_rows) \
    { \
        .rows = (of_rows), .count = sizeof(of_rows) / sizeof((of_rows)[0]) \
    }

#endif
