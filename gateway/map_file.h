/* map_file.h - a user's own register map, from a CSV file.
 *
 *   map,My-Meter,What it is          lines before the header: its name, and what holds for the whole map
 *   word order,swapped
 *   register,quantity,type,scale,word order,fixed value,title
 *   0x5002,voltage_l1_v,float32,,,,
 *   0x5012,power_w,float32,0.001,,,kW
 *   0x4000,,uint16,,,17,model
 *
 * docs/registers.md tells the whole format; `smart-connect registers --format csv` prints it.  A file is taken whole or
 * not at all.
 */
#ifndef MAP_FILE_H
#define MAP_FILE_H

#include "core/register_image.h"

enum {
    MAP_ERROR_MAX = 300,
    MAP_FILE_SIZE_MAX = 256 * 1024,
    MAP_FILE_ROWS_MAX = REGISTER_IMAGE_MAX, /* of one space: no row is shorter than a register */
    MAP_FILE_CODES_MAX = 512,               /* of all settings, with an end for each */
    MAP_FILE_TEXT_MAX = 48 * 1024,          /* of all titles and texts */
    MAP_NAME_MAX = 40,
    MAP_TITLE_MAX = 120,
    MAP_FIRST_OWN_REGISTER = 0xFE00 /* from here on: the gateway's own, in every map */
};

/* A map and all it points to; it must not be moved. */
struct map_file {
    struct register_map map;
    /* private */
    struct register_row rows[REGISTER_SPACES][MAP_FILE_ROWS_MAX];
    struct setting_code codes[MAP_FILE_CODES_MAX];
    char text[MAP_FILE_TEXT_MAX];
    size_t codes_used, text_used;
};

/* Reads a map from the bytes of a file called `name`.  False: `error` begins with "NAME:LINE:COLUMN: ", counted from 1,
 * and `file` holds no map. */
bool map_file_parse(struct map_file *file, const char *name, const char *bytes, size_t length,
                    char error[static MAP_ERROR_MAX]);

/* The same from a file; it may block on the disk. */
bool map_file_read(struct map_file *file, const char *path, char error[static MAP_ERROR_MAX]);

#endif
