/* update_shape.h - is a file just as long as the parts of a bundle say?
 *
 *   squashfs, padded | hash tree | CMS | length of the CMS
 *   n x 4096         | m x 4096  |     | 8 bytes, big-endian
 *
 * RAUC 1.8 ends with a failed assertion when the first two are no whole blocks, and installs what has bytes added that
 * nothing ever reads; for both a good bundle with its signature is enough.  So this is asked first.  It proves nothing
 * of the content: that is for the signature and the tree.  Pure.
 */
#ifndef UPDATE_SHAPE_H
#define UPDATE_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UPDATE_SHAPE_ERROR_MAX = 160 };

/* Reads `length` bytes at an offset; false: they cannot be read.  Never asked for bytes behind the end. */
typedef bool update_shape_read(void *context, uint64_t at, void *to, size_t length);

/* `size`: of the file, in bytes.  False: `error` says in a line what is wrong with it. */
bool update_shape_is_right(update_shape_read *read, void *context, uint64_t size,
                           char error[static UPDATE_SHAPE_ERROR_MAX]);

#endif
