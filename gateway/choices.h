/* choices.h - the names to choose from: of settings, by value, and for lines that refuse another. */
#ifndef CHOICES_H
#define CHOICES_H

enum { CHOICES_MAX = 200 };

/* Names by value, NULL at the end, of the enums derive_grid, derive_current, mqtt_profile, word_order,
 * unknown_policy and stale_policy. */
extern const char *const choices_grid[],
    *const choices_current[], *const choices_profile[], *const choices_word_order[],
                                                            *const choices_unknown[],
                                                                *const choices_stale[];

/* Writes the names of all register maps, or simulated meters, each behind a blank; cut where they do
 * not fit. */
void choices_of_maps(char names[static CHOICES_MAX]);
void choices_of_profiles(char names[static CHOICES_MAX]);

#endif
