/* choices.h - the names to choose from: of settings, by value, and for lines that refuse another. */
#ifndef CHOICES_H
#define CHOICES_H

enum { CHOICES_MAX = 320 };

/* Names by value, NULL at the end, of the enums derive_grid, derive_current, mqtt_profile, modbus_framing,
 * served_order, unknown_policy, stale_policy (on the network, and on a bus), rs485_direction, p1_out_format and
 * network_backend. */
extern const char *const choices_grid[];
extern const char *const choices_current[];
extern const char *const choices_profile[];
extern const char *const choices_framing[];
extern const char *const choices_update[];
extern const char *const choices_word_order[];
extern const char *const choices_unknown[];
extern const char *const choices_stale[];
extern const char *const choices_rtu_stale[];
extern const char *const choices_direction[];
extern const char *const choices_p1_out[];
extern const char *const choices_network[];

/* The value of a name; -1: it is none of them. */
int choices_find(const char *const *names, const char *name);

/* Writes the names of all register maps, or simulated meters, each behind a blank; " ..." in place
 * of those that do not fit. */
void choices_of_maps(char names[static CHOICES_MAX]);
void choices_of_profiles(char names[static CHOICES_MAX]);

#endif
