/* map_list.h - the register maps one can choose from: those of core/maps, then those of the user's files.
 *
 * There is one list in the process.  It is filled at the start, before options and settings are checked against it;
 * from then on it only grows, and what it holds is never freed: maps are referred to by their addresses.
 */
#ifndef MAP_LIST_H
#define MAP_LIST_H

#include "map_file.h"

enum { MAP_LIST_FILES_MAX = 8 };

/* The map that is called so, in full or by the part after the maker, any case; NULL: none. */
const struct register_map *map_list_find(const char *name);

/* The i-th map; NULL past the last. */
const struct register_map *map_list_at(size_t i);

/* Adds the map of a file; may block on the disk.  False: `error` says where and why.  A map called like one that is
 * there already is refused, also if only the parts after the maker are the same. */
bool map_list_add_file(const char *path, char error[static MAP_ERROR_MAX]);

#endif
