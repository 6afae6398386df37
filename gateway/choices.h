/* choices.h - the names to choose from, for lines that refuse another. */
#ifndef CHOICES_H
#define CHOICES_H

enum { CHOICES_MAX = 200 };

/* Writes the names of all register maps, or simulated meters, each behind a blank; cut where they do
 * not fit. */
void choices_of_maps(char names[static CHOICES_MAX]);
void choices_of_profiles(char names[static CHOICES_MAX]);

#endif
