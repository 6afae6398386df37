/* update_version.h - the version of a whole system, and which one may follow another.
 *
 *   0.1.0+security.3    version of the program, and the security counter
 *
 * The counter goes up when a flaw was mended that nobody may have back.  A release is refused if its counter or its
 * version is below that of the floor.  Pure.
 */
#ifndef UPDATE_VERSION_H
#define UPDATE_VERSION_H

#include <stdbool.h>
#include <stdint.h>

enum { UPDATE_RELEASE_MAX = 56, UPDATE_VERSION_ERROR_MAX = 200 };

struct update_version {
    uint32_t major, minor, patch;
    uint32_t security;
};

/* Reads a release; an end of line may follow.  False: it is none; numbers fit, without sign and leading zeros. */
bool update_version_read(const char *text, struct update_version *v);

/* Writes it as it is read. */
void update_version_text(const struct update_version *v, char text[static UPDATE_RELEASE_MAX]);

/* May a release be installed where nothing below `floor` may?  False: `error` says in a line why not. */
bool update_version_allowed(const struct update_version *v, const struct update_version *floor,
                            char error[static UPDATE_VERSION_ERROR_MAX]);

/* The floor that forbids what either of two forbids. */
struct update_version update_version_higher(const struct update_version *a,
                                            const struct update_version *b);

#endif
