/* maps.h - the register maps, one file each.  A new map is one new file here and a row in this table; the file defines
 * map_NAME, as empro.c does. */
#ifndef MAPS_H
#define MAPS_H

#include "../register_map.h"

#ifdef CORE_SMALL
/* A P1MB keeps the number of its map: the order never changes. */
#define MAP_TABLE(ROW) \
    ROW(inepro_pro380) \
    ROW(acrel_acr10rh) \
    ROW(eastron_sdm630) \
    ROW(xemex)
#else
#define MAP_TABLE(ROW) \
    ROW(empro) \
    ROW(eastron_sdm630) \
    ROW(inepro_pro380) \
    ROW(acrel_acr10rh) \
    ROW(xemex) \
    ROW(sunspec) \
    ROW(carlo_gavazzi_em24) \
    ROW(abb_b23)
#endif

#define MAP_DECLARATION(id) extern const struct register_map map_##id;
/* The maps themselves. */
MAP_TABLE(MAP_DECLARATION)
#undef MAP_DECLARATION

/* As wide as a row's. */
#define MAP_NUMBER(number) FULL_ONLY((uint32_t))(number)

/* A small build has no use for titles. */
#define ROW_TITLE(what) FULL_ONLY(.title = (what))

/* Shorthands for rows: a quantity as it is, with 10^exponent, or in another form. */
#define ROW_FORMED(at, of_type, quantity, of_exponent, of_form) \
    { \
        .address = (at), .source = FROM_QUANTITY, .type = (of_type), .of = (uint8_t)(quantity), \
        .exponent = (of_exponent), .form = (of_form) \
    }
/* Three of them, of neighbouring quantities, `step` registers (those of one) apart; one row in a small build. */
#ifdef CORE_SMALL
#define ROWS_3(at, step, of_type, quantity, of_exponent, of_form) \
    { \
        .address = (at), .source = FROM_QUANTITY, .type = (of_type), .of = (uint8_t)(quantity), \
        .exponent = (of_exponent), .form = (of_form), .length = 3 \
    }
#else
#define ROWS_3(at, step, of_type, quantity, of_exponent, of_form) \
    ROW_FORMED(at, of_type, quantity, of_exponent, of_form), \
        ROW_FORMED((at) + (step), of_type, (quantity) + 1, of_exponent, of_form), \
        ROW_FORMED((at) + 2 * (step), of_type, (quantity) + 2, of_exponent, of_form)
#endif
#define ROWS_3_F32(at, quantity, of_exponent) \
    ROWS_3(at, 2, REG_F32, quantity, of_exponent, FORM_PLAIN)
#define ROW_SCALED(at, of_type, quantity, of_exponent) \
    ROW_FORMED(at, of_type, quantity, of_exponent, FORM_PLAIN)
#define ROW_F32(at, quantity) ROW_SCALED(at, REG_F32, quantity, 0)
#define ROW_U16(at, quantity) ROW_SCALED(at, REG_U16, quantity, 0)
#define ROW_FIXED_SCALED(at, of_type, of_number, of_exponent, what) \
    { \
        .address = (at), .source = FROM_FIXED, .type = (of_type), .number = MAP_NUMBER(of_number), \
        .exponent = (of_exponent), ROW_TITLE(what) \
    }
#define ROW_FIXED(at, of_type, of_number, what) ROW_FIXED_SCALED(at, of_type, of_number, 0, what)
/* Texts; two characters are a number in a small build, and longer ones are not in it. */
#ifdef CORE_SMALL
#define ROW_TEXT_2(at, characters, what) \
    ROW_FIXED(at, REG_U16, (characters)[0] << 8 | (characters)[1], what)
#else
#define ROW_TEXT_2(at, characters, what) ROW_TEXT(at, REG_ASCII, 1, characters, what)
#define ROW_TEXT(at, of_type, registers, characters, what) \
    { \
        .address = (at), .source = FROM_TEXT, .type = (of_type), .length = (registers), \
        .text = (characters), ROW_TITLE(what) \
    }
#endif
#define ROW_SERIAL(at, of_type, registers, what) \
    { \
        .address = (at), .source = FROM_SERIAL, .type = (of_type), .length = (registers), \
        ROW_TITLE(what) \
    }
#define ROW_FIRMWARE(at, of_type, what) \
    { \
        .address = (at), .source = FROM_FIRMWARE, .type = (of_type), ROW_TITLE(what) \
    }
/* With its own comma: a small build, where unknown reads 0 as what is not there does, leaves it out. */
#define ROW_NOTHING(at, of_type, what) \
    FULL_ONLY({.address = (at), .source = FROM_NOTHING, .type = (of_type), ROW_TITLE(what)}, )
/* A setting as it is, or as the meter's own codes say; a small build finds these in the map. */
#ifdef CORE_SMALL
#define ROW_SETTING(at, of_type, setting, of_codes, what) \
    { \
        .address = (at), .source = FROM_SETTING, .type = (of_type), .of = (setting) \
    }
#define ROW_CODED(at, of_type, setting, of_codes, what) \
    { \
        .address = (at), .source = FROM_SETTING, .type = (of_type), .of = (setting), .number = 1 \
    }
#else
#define ROW_SETTING(at, of_type, setting, of_codes, what) \
    { \
        .address = (at), .source = FROM_SETTING, .type = (of_type), .of = (setting), \
        .codes = (of_codes), ROW_TITLE(what) \
    }
#define ROW_CODED(at, of_type, setting, of_codes, what) \
    ROW_SETTING(at, of_type, setting, of_codes, what)
#endif
/* A setting that is taken and means nothing here. */
#define ROW_ACCEPTED(at, of_type, of_number, what) \
    { \
        .address = (at), .source = FROM_SETTING, .type = (of_type), .of = SETTING_ACCEPTED, \
        .number = (of_number), ROW_TITLE(what) \
    }
#define TABLE(of_rows) \
    { \
        .rows = (of_rows), .count = sizeof(of_rows) / sizeof((of_rows)[0]) \
    }

#endif
