#include "choices.h"

#include "core/text_out.h"
#include "map_list.h"
#include "sim/sim.h"

#include <string.h>

const char *const choices_grid[] = {"auto", "star", "delta", NULL};
const char *const choices_current[] = {"meter", "signed", "derived", NULL};
const char *const choices_profile[] = {"telegram", "mean", "change", NULL};
const char *const choices_framing[] = {"mbap", "rtu", NULL};
const char *const choices_update[] = {"package-manager", "rauc", NULL};
const char *const choices_word_order[] = {"normal", "swapped", "meter", NULL};
const char *const choices_unknown[] = {"zero", "nan", NULL};
const char *const choices_stale[] = {"exception", "hold", "zero", "high-current", NULL};

const char *const choices_rtu_stale[] = {"exception",    "hold",   "zero",
                                         "high-current", "silent", NULL};
const char *const choices_direction[] = {"auto", "kernel", "rts", "none", NULL};
const char *const choices_p1_out[] = {"raw", "p1", NULL};

const char *const choices_network[] = {"host", "networkmanager", NULL};

int choices_find(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

/* Adds a whole name, or says that there are more. */
static void add_name(struct text_out *out, const char *name)
{
    static const char more[] = " ...";
    size_t room = out->capacity - out->length;
    if (out->overflow || room < sizeof more)
        return;
    out->overflow = strlen(name) + 1 + sizeof more > room;
    text_put(out, out->overflow ? more : " ");
    if (!out->overflow)
        text_put(out, name);
}

void choices_of_maps(char names[static CHOICES_MAX])
{
    const struct register_map *map;
    struct text_out out;
    text_init(&out, names, CHOICES_MAX);
    for (size_t i = 0; (map = map_list_at(i)) != NULL; i++)
        add_name(&out, map->name);
}

void choices_of_profiles(char names[static CHOICES_MAX])
{
    const struct sim_profile *profile;
    struct text_out out;
    text_init(&out, names, CHOICES_MAX);
    for (size_t i = 0; (profile = sim_profile_at(i)) != NULL; i++)
        add_name(&out, profile->name);
}
