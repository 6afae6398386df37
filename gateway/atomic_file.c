#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* For the way out of a failure, whose errno the caller wants to see. */
static void close_quietly(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
}

static bool temporary_name(const char *name, char temporary[static ATOMIC_FILE_NAME_MAX])
{
    if (snprintf(temporary, ATOMIC_FILE_NAME_MAX, "%s.new", name) < ATOMIC_FILE_NAME_MAX)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/* The folder, ours until it is closed: two writers share the temporary name, and one would rename what the
 * other has half written.  -1 with errno. */
static int open_folder(const char *folder)
{
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -1;
    while (flock(dir, LOCK_EX) < 0)
        if (errno != EINTR) {
            close_quietly(dir);
            return -1;
        }
    return dir;
}

static bool sync_parent(const char *folder)
{
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return false;
    int parent = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close_quietly(dir);
    if (parent < 0)
        return false;
    bool ok = fsync(parent) == 0;
    close_quietly(parent);
    return ok;
}

bool atomic_file_make_folder(const char *folder)
{
    struct stat st;
    if (mkdir(folder, 0700) == 0) /* less what the umask takes */
        return chmod(folder, 0700) == 0 && sync_parent(folder);
    if (errno != EEXIST || stat(folder, &st) < 0)
        return false;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
    }
    return true;
}

/* A file that is on the disk when this returns true.  What a power cut left, or a link that somebody laid
 * there, is not written through: O_EXCL takes a new file only. */
static bool write_temporary(int dir, const char *temporary, mode_t mode, const void *bytes,
                            size_t length)
{
    if (unlinkat(dir, temporary, 0) < 0 && errno != ENOENT)
        return false;
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (fchmod(fd, mode) < 0 || !write_all(fd, bytes, length) || fsync(fd) < 0) {
        close_quietly(fd);
        return false;
    }
    return close(fd) == 0;
}

static bool replace(int dir, const char *name, mode_t mode, const void *bytes, size_t length)
{
    char temporary[ATOMIC_FILE_NAME_MAX];
    if (!temporary_name(name, temporary))
        return false;
    if (!write_temporary(dir, temporary, mode, bytes, length) ||
        renameat(dir, temporary, dir, name) < 0) {
        int error = errno;
        unlinkat(dir, temporary, 0);
        errno = error;
        return false;
    }
    return fsync(dir) == 0;
}

static bool write_as(const char *folder, const char *name, mode_t mode, const void *bytes,
                     size_t length)
{
    int dir = open_folder(folder);
    if (dir < 0)
        return false;
    bool ok = replace(dir, name, mode, bytes, length);
    close_quietly(dir);
    return ok;
}

bool atomic_file_write(const char *folder, const char *name, const void *bytes, size_t length)
{
    return write_as(folder, name, 0600, bytes, length);
}

bool atomic_file_publish(const char *folder, const char *name, const void *bytes, size_t length)
{
    return write_as(folder, name, 0644, bytes, length);
}

/* Up to `length` bytes; a file that was cut meanwhile has less.  -1 with errno. */
static ssize_t read_all(int fd, char *bytes, size_t length)
{
    size_t got = 0;
    ssize_t n = 1;
    while (got < length && n != 0) {
        n = read(fd, bytes + got, length - got);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            got += (size_t)n;
    }
    return (ssize_t)got;
}

static char *read_open(int fd, size_t max, size_t *length)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return NULL;
    if ((uintmax_t)st.st_size > max) {
        errno = EFBIG;
        return NULL;
    }
    char *bytes = malloc((size_t)st.st_size + 1);
    if (!bytes)
        return NULL;
    ssize_t n = read_all(fd, bytes, (size_t)st.st_size);
    if (n < 0) {
        int error = errno;
        free(bytes);
        errno = error;
        return NULL;
    }
    bytes[n] = 0;
    *length = (size_t)n;
    return bytes;
}

/* Without the lock: a reader sees the old file or the new one. */
char *atomic_file_read(const char *folder, const char *name, size_t max, size_t *length)
{
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return NULL;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    close_quietly(dir);
    if (fd < 0)
        return NULL;
    char *bytes = read_open(fd, max, length);
    close_quietly(fd);
    return bytes;
}

static bool unlink_if_there(int dir, const char *name)
{
    return unlinkat(dir, name, 0) == 0 || errno == ENOENT;
}

bool atomic_file_copy(const char *folder, const char *from, const char *to, size_t max)
{
    size_t length;
    char *bytes = atomic_file_read(folder, from, max, &length);
    if (!bytes)
        return false;
    bool ok = atomic_file_write(folder, to, bytes, length);
    explicit_bzero(bytes, length);
    free(bytes);
    return ok;
}

bool atomic_file_remove(const char *folder, const char *name)
{
    char temporary[ATOMIC_FILE_NAME_MAX];
    if (!temporary_name(name, temporary))
        return false;
    int dir = open_folder(folder);
    if (dir < 0)
        return errno == ENOENT;
    /* synced even if nothing was there: the unlink of a process that was killed may not be on the disk */
    bool ok = unlink_if_there(dir, temporary) && unlink_if_there(dir, name) && fsync(dir) == 0;
    close_quietly(dir);
    return ok;
}

bool atomic_file_set_aside(const char *folder, const char *name, const char *aside)
{
    int dir = open_folder(folder);
    if (dir < 0)
        return false;
    bool ok = renameat(dir, name, dir, aside) == 0 && fsync(dir) == 0;
    close_quietly(dir);
    return ok;
}

static bool write_or_remove(const char *folder, const char *name, const void *bytes, size_t length)
{
    return bytes ? atomic_file_write(folder, name, bytes, length)
                 : atomic_file_remove(folder, name);
}

bool atomic_file_change(const char *folder, const char *name, const void *bytes, size_t length,
                        size_t max)
{
    size_t length_before = 0;
    char *before = atomic_file_read(folder, name, max, &length_before);
    if (!before && errno != ENOENT)
        return false;
    bool ok = write_or_remove(folder, name, bytes, length);
    int error = errno;
    if (!ok)
        (void)write_or_remove(folder, name, before, length_before);
    if (before)
        explicit_bzero(before, length_before); /* it may hold secrets */
    free(before);
    errno = error;
    return ok;
}
