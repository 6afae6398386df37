/* map_row.h - a row of a register map, in words and numbers: what map files, lists and documents share. */
#ifndef MAP_ROW_H
#define MAP_ROW_H

#include "core/register_map.h"
#include "decimal.h"

/* How they are written, by value; map_row_types without the ":N" of texts. */
extern const char *const map_row_types[REG_TYPE_N], *const map_row_settings[SETTING_N];
enum { MAP_ROW_FORMS = 3, MAP_ROW_ORDERS = 3, MAP_ROW_SOURCES = FROM_NOTHING + 1 };
extern const char *const map_row_forms[MAP_ROW_FORMS], *const map_row_orders[MAP_ROW_ORDERS];
/* Of sources that are no table themselves; "" for those. */
extern const char *const map_row_sources[MAP_ROW_SOURCES];

/* The words a map file may have before its header line, and their values. */
enum map_property { MAP_WORD_ORDER, MAP_FUNCTION_16, MAP_UNKNOWN, MAP_SIGNED_MARK, MAP_PROPERTIES };
struct map_property_words {
    const char *name, *values[2]; /* values[0] is the default */
};
extern const struct map_property_words map_properties[MAP_PROPERTIES];

/* Bytes of what a cell of a map file holds, with a NUL: of the row's codes, which have no other bound.  Printed, a line
 * with them and the longest title stays below CSV_LINE_MAX. */
enum { MAP_ROW_CELL_MAX = 512 };

/* True for "ascii" and "ascii-low". */
bool map_row_is_text(const struct register_row *row);

/* What the row shows, as column `quantity` of a map file says it. */
const char *map_row_name(const struct register_row *row);

/* By what the value in its unit is multiplied. */
struct decimal map_row_scale(const struct register_row *row);

/* The value of FROM_FIXED and SETTING_ACCEPTED. */
struct decimal map_row_number(const struct register_row *row);

/* True if the row always reads its .number: fixed values, and settings that are taken and mean nothing. */
bool map_row_has_number(const struct register_row *row);
/* The latter alone. */
bool map_row_is_accepted(const struct register_row *row);

/* Appends a setting's codes, "9600=2 19200=3"; nothing if it has none. */
void map_row_put_codes(struct text_out *out, const struct register_row *row);

/* True if they show the same, whatever addresses their texts have. */
bool map_row_is_equal(const struct register_row *a, const struct register_row *b);

/* Goes through one or two spaces at once. */
struct map_walk {
    struct register_table space[REGISTER_SPACES]; /* what is left */
};
struct map_walk_row {
    const struct register_row *row;
    bool in[REGISTER_SPACES];
};

/* Starts at the first rows of a map. */
struct map_walk map_walk_begin(const struct register_map *map);

/* The next row in ascending order; one that is the same in both spaces comes once.  False: there is none. */
bool map_walk_next(struct map_walk *walk, struct map_walk_row *next);

#endif
