/* content.h - what a bundle may hold beyond what its signature proves: its manifest, its release and one image.
 *
 * RAUC 1.8 takes the image from wherever the manifest says, out of the bundle too, follows links, and waits for ever
 * for a named pipe.  It runs programs that a bundle brings, and finds out that an image is too big when the slot is
 * full.  Only the owner of a signing key can make such bundles; there is no reason to install them.
 */
#ifndef CONTENT_H
#define CONTENT_H

#include <stdbool.h>

enum { CONTENT_ERROR_MAX = 200 };

/* Texts of the environment. */
struct content_target {
    const char *image;  /* file name in the bundle */
    const char *device; /* of the slot */
};

/* What RAUC is about to write where: RAUC_TARGET_SLOTS, RAUC_IMAGE_NAME_N, RAUC_SLOT_DEVICE_N.  False: `error` says in
 * a line what is missing. */
bool content_find_target(struct content_target *target, char error[static CONTENT_ERROR_MAX]);

/* Holds the folder just that, as regular files, and has the image room in its slot?  False: `error` says in a line why
 * not. */
bool content_is_right(const char *folder, const struct content_target *target,
                      char error[static CONTENT_ERROR_MAX]);

#endif
