#include "map_list.h"

#include "heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct map_file *files[MAP_LIST_FILES_MAX];
static size_t file_count;

const struct register_map *map_list_at(size_t i)
{
    size_t in_core = 0;
    const struct register_map *map;
    while ((map = register_map_at(in_core)) != NULL)
        if (in_core++ == i)
            return map;
    return i - in_core < file_count ? &files[i - in_core]->map : NULL;
}

const struct register_map *map_list_find(const char *name)
{
    const struct register_map *map;
    for (size_t i = 0; (map = map_list_at(i)) != NULL; i++)
        if (register_map_is_called(map, name))
            return map;
    return NULL;
}

/* The map that has one of these names already: the whole one, or the part after the maker. */
static const struct register_map *find_namesake(const char *name)
{
    const struct register_map *map = map_list_find(name);
    const char *dash = strchr(name, '-');
    return map || !dash ? map : map_list_find(dash + 1);
}

static bool load(struct map_file *file, const char *path, char error[static MAP_ERROR_MAX])
{
    if (!map_file_read(file, path, error))
        return false;
    const struct register_map *other = find_namesake(file->map.name);
    if (other)
        snprintf(error, MAP_ERROR_MAX,
                 "%.100s: there is a map called %s already; give this one another name than %s",
                 path, other->name, file->map.name);
    return !other;
}

bool map_list_add_file(const char *path, char error[static MAP_ERROR_MAX])
{
    struct map_file *file = file_count < MAP_LIST_FILES_MAX ? heap_new(sizeof *file) : NULL;
    if (!file) {
        snprintf(error, MAP_ERROR_MAX, "%.100s: %s", path,
                 file_count < MAP_LIST_FILES_MAX ? "out of memory"
                                                 : "there are 8 map files already");
        return false;
    }
    if (!load(file, path, error)) {
        free(file);
        return false;
    }
    files[file_count++] = file;
    return true;
}
