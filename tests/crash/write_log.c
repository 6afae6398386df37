/* write_log.c - writes down what a program changes below one folder; images.py makes of it what a power cut could
 * have left.
 *
 *   WRITE_LOG_FOLDER=DIR WRITE_LOG=FILE LD_PRELOAD=.../libwrite_log.so program ...
 *
 * Each change that succeeded is a line appended to FILE, its words separated by tabs, names relative to DIR:
 *
 *   create   INODE NAME          a new, empty file
 *   mkdir    INODE NAME
 *   write    INODE OFFSET HEX    the bytes, two digits each
 *   truncate INODE SIZE
 *   rename   NAME TO
 *   unlink   NAME                or rmdir
 *   sync     INODE               fsync or fdatasync of a file
 *   syncdir  NAME                of a folder; "." is DIR
 *
 * A change and its line are made under one lock, so the order is the true one.  Others may append lines of their
 * own.  What libc does inside itself (stdio) is not seen, nor are mmap and links: compare the end of the log with
 * the folder.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WRITE_MAX = 1 << 20 }; /* bytes at once */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static int log_fd = -1; /* nothing is watched */

__attribute__((constructor)) static void start_watching(void)
{
    const char *dir = getenv("WRITE_LOG_FOLDER"), *path = getenv("WRITE_LOG");
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    if (dir && path && realpath(dir, folder))
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
}

/* --- which file ------------------------------------------------------------------------------- */

/* An absolute path as seen from the folder; NULL: it lies elsewhere. */
static const char *below_folder(const char *path)
{
    size_t n = strlen(folder);
    if (log_fd < 0 || strncmp(path, folder, n) != 0 || (path[n] != 0 && path[n] != '/'))
        return NULL;
    return path[n] ? path + n + 1 : ".";
}

static const char *name_of_fd(int fd, char path[static PATH_MAX])
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = 0;
    return below_folder(path);
}

/* The entry itself, where it is a link. */
static const char *name_of(int dir, const char *entry, char path[static PATH_MAX])
{
    char parent[PATH_MAX + 32] = "", real[PATH_MAX];
    const char *slash = strrchr(entry, '/');
    int n = entry[0] == '/'   ? 0
            : dir == AT_FDCWD ? snprintf(parent, sizeof parent, "./")
                              : snprintf(parent, sizeof parent, "/proc/self/fd/%d/", dir);
    if (slash)
        snprintf(parent + n, PATH_MAX, "%.*s", (int)(slash - entry) + 1, entry);
    if (!realpath(parent, real) ||
        snprintf(path, PATH_MAX, "%s/%s", real, slash ? slash + 1 : entry) >= PATH_MAX)
        return NULL;
    return below_folder(path);
}

static uintmax_t inode_of(int fd)
{
    struct stat st = {0};
    (void)fstat(fd, &st);
    return st.st_ino;
}

/* --- the log ---------------------------------------------------------------------------------- */

/* Under the lock.  A log with a gap proves nothing: better no program. */
__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    static char line[2 * WRITE_MAX + PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n >= (int)sizeof line || syscall(SYS_write, log_fd, line, n) != n)
        abort();
}

static void note_write(int fd, off_t offset, const unsigned char *bytes, size_t length)
{
    static char hex[2 * WRITE_MAX + 1];
    for (size_t i = 0; i < length && i < WRITE_MAX; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    if (length > WRITE_MAX)
        abort();
    note("write\t%ju\t%jd\t%s\n", inode_of(fd), (intmax_t)offset, hex);
}

static long unlocked(long result)
{
    pthread_mutex_unlock(&lock);
    return result;
}

/* --- changes, by the names libc has for them -------------------------------------------------- */

static int open_entry(int dir, const char *entry, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat st;
    const char *name = flags & (O_CREAT | O_TRUNC) ? name_of(dir, entry, path) : NULL;
    pthread_mutex_lock(&lock);
    bool was_there = name && fstatat(dir, entry, &st, 0) == 0;
    long fd = syscall(SYS_openat, dir, entry, flags, mode);
    if (fd >= 0 && name && !was_there)
        note("create\t%ju\t%s\n", inode_of((int)fd), name);
    else if (fd >= 0 && name && flags & O_TRUNC)
        note("truncate\t%ju\t0\n", (uintmax_t)st.st_ino);
    return (int)unlocked(fd);
}

/* Writes that are not ours may block, and must not with our lock. */
ssize_t write(int fd, const void *bytes, size_t length)
{
    char path[PATH_MAX];
    if (!name_of_fd(fd, path))
        return syscall(SYS_write, fd, bytes, length);
    pthread_mutex_lock(&lock);
    off_t offset = lseek(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    long n = syscall(SYS_write, fd, bytes, length);
    if (n > 0)
        note_write(fd, offset, bytes, (size_t)n);
    return unlocked(n);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    long n = syscall(SYS_pwrite64, fd, bytes, length, offset);
    if (n > 0 && name_of_fd(fd, path))
        note_write(fd, offset, bytes, (size_t)n);
    return unlocked(n);
}

int ftruncate(int fd, off_t size)
{
    char path[PATH_MAX];
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_ftruncate, fd, size);
    if (result == 0 && name_of_fd(fd, path))
        note("truncate\t%ju\t%jd\n", inode_of(fd), (intmax_t)size);
    return (int)unlocked(result);
}

/* Into the folder, out of it, or an exchange: images.py knows no such thing. */
int renameat2(int dir, const char *entry, int to_dir, const char *to, unsigned flags)
{
    char path[PATH_MAX], to_path[PATH_MAX];
    const char *name = name_of(dir, entry, path), *to_name = name_of(to_dir, to, to_path);
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_renameat2, dir, entry, to_dir, to, flags);
    if (result == 0 && (!name != !to_name || (name && flags)))
        abort();
    if (result == 0 && name)
        note("rename\t%s\t%s\n", name, to_name);
    return (int)unlocked(result);
}

int unlinkat(int dir, const char *entry, int flags)
{
    char path[PATH_MAX];
    const char *name = name_of(dir, entry, path);
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_unlinkat, dir, entry, flags);
    if (name && result == 0)
        note("unlink\t%s\n", name);
    return (int)unlocked(result);
}

int mkdirat(int dir, const char *entry, mode_t mode)
{
    char path[PATH_MAX];
    struct stat st;
    const char *name = name_of(dir, entry, path);
    pthread_mutex_lock(&lock);
    long result = syscall(SYS_mkdirat, dir, entry, mode);
    if (name && result == 0 && fstatat(dir, entry, &st, 0) == 0)
        note("mkdir\t%ju\t%s\n", (uintmax_t)st.st_ino, name);
    return (int)unlocked(result);
}

static int sync_fd(long call, int fd)
{
    char path[PATH_MAX];
    struct stat st;
    pthread_mutex_lock(&lock);
    long result = syscall(call, fd);
    const char *name = result == 0 ? name_of_fd(fd, path) : NULL;
    if (name && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        note("syncdir\t%s\n", name);
    else if (name)
        note("sync\t%ju\n", inode_of(fd));
    return (int)unlocked(result);
}

/* clang-format off */
/* The mode is there only where a file may be made. */
#define WITH_MODE(call) \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    return call

int open(const char *entry, int flags, ...) { WITH_MODE(open_entry(AT_FDCWD, entry, flags, mode)); }
int openat(int dir, const char *entry, int flags, ...) { WITH_MODE(open_entry(dir, entry, flags, mode)); }
int mkdir(const char *entry, mode_t mode) { return mkdirat(AT_FDCWD, entry, mode); }
int rename(const char *entry, const char *to) { return renameat2(AT_FDCWD, entry, AT_FDCWD, to, 0); }
int renameat(int dir, const char *entry, int to_dir, const char *to) { return renameat2(dir, entry, to_dir, to, 0); }
int unlink(const char *entry) { return unlinkat(AT_FDCWD, entry, 0); }
int fsync(int fd) { return sync_fd(SYS_fsync, fd); }
int fdatasync(int fd) { return sync_fd(SYS_fdatasync, fd); }

/* off_t has 64 bits here. */
int open64(const char *, int, ...) __attribute__((alias("open")));
int openat64(int, const char *, int, ...) __attribute__((alias("openat")));
ssize_t pwrite64(int, const void *, size_t, off64_t) __attribute__((alias("pwrite")));
int ftruncate64(int, off64_t) __attribute__((alias("ftruncate")));
/* clang-format on */
