#include "choices.h"

#include "core/register_map.h"
#include "core/text_out.h"
#include "sim/sim.h"

const char *const choices_grid[] = {"auto", "star", "delta", NULL};
const char *const choices_current[] = {"meter", "signed", "derived", NULL};
const char *const choices_profile[] = {"telegram", "mean", "change", NULL};
const char *const choices_word_order[] = {"normal", "swapped", NULL};
const char *const choices_unknown[] = {"zero", "nan", NULL};
const char *const choices_stale[] = {"exception", "hold", "zero", "high-current", NULL};

static void add_name(struct text_out *out, const char *name)
{
    text_char(out, ' ');
    text_put(out, name);
}

void choices_of_maps(char names[static CHOICES_MAX])
{
    const struct register_map *map;
    struct text_out out;
    text_init(&out, names, CHOICES_MAX);
    for (size_t i = 0; (map = register_map_at(i)) != NULL; i++)
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
