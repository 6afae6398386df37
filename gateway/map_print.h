/* map_print.h - a register map as a table for people, and as a map file. */
#ifndef MAP_PRINT_H
#define MAP_PRINT_H

#include "core/reading.h"
#include "core/register_map.h"

#include <stdio.h>

/* Prints the map as map_file_parse() reads it. */
void map_print_csv(FILE *to, const struct register_map *map);

/* Prints the map with what each register reads of this reading, in the unit it is sent in; "-" for what is unknown or
 * belongs to a device.  vendor: with the registers every map has of the gateway itself. */
void map_print_table(FILE *to, const struct register_map *map, bool vendor, const struct reading *r);

#endif
