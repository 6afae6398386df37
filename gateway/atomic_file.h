/* atomic_file.h - small files that are whole after a power cut: the old content or the new one.
 *
 * Temporary file NAME.new in the same folder, fsync, rename, fsync of the folder.  These calls block on the
 * disk: at start they may be called directly, later from a worker only.  Calls that overlap, from threads or
 * other processes, wait for each other; of two that write the same file the one that came later wins.
 *
 * A name is that of a file in the folder, without '/'.
 */
#ifndef ATOMIC_FILE_H
#define ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    ATOMIC_FILE_PATH_MAX = 512, /* for folder/name in messages; the calls do not need it */
    ATOMIC_FILE_NAME_MAX = 64   /* with the terminating NUL; ENAMETOOLONG beyond */
};

/* Makes the folder if it is missing, for its owner alone (0700); the folder it lies in must be there.  The
 * rights of one that is there stay as they are.  False with errno; ENOTDIR: a file has that name. */
bool atomic_file_make_folder(const char *folder);

/* Replaces folder/name by these bytes, for its owner alone (0600).  False with errno: the old content is
 * still there (or, when the last fsync of the folder failed, one of both). */
bool atomic_file_write(const char *folder, const char *name, const void *bytes, size_t length);

/* The same, for everybody to read (0644). */
bool atomic_file_publish(const char *folder, const char *name, const void *bytes, size_t length);

/* Reads folder/name whole, into memory the caller frees, with a NUL behind it that *length does not
 * count.  NULL with errno; ENOENT when it is not there, EFBIG when it is longer than max. */
char *atomic_file_read(const char *folder, const char *name, size_t max, size_t *length);

/* Replaces folder/to by the bytes of folder/from, of which there may be `max`; what lay in memory is wiped.  False with
 * errno; ENOENT when there is no folder/from. */
bool atomic_file_copy(const char *folder, const char *from, const char *to, size_t max);

/* Removes folder/name durably, and what a power cut may have left of its successor.  True also if it was
 * not there; else false with errno. */
bool atomic_file_remove(const char *folder, const char *name);

/* Replaces folder/name by these bytes, or with NULL removes it; when that fails, puts back what was there before (up to
 * max bytes of it), since a write that failed in its last step has taken place all the same.  False with errno: the old
 * content is there, unless the disk fails twice. */
bool atomic_file_change(const char *folder, const char *name, const void *bytes, size_t length,
                        size_t max);

/* Renames folder/name to folder/aside durably, over whatever was there.  False with errno. */
bool atomic_file_set_aside(const char *folder, const char *name, const char *aside);

#endif
