#include "update_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE = 1 << 20, /* for the worker at once */
    WRITER_LOOKS = 200,
    WRITER_PAUSE_NS = 10000000
};

/* --- on the worker ---------------------------------------------------------------------------- */

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

/* Has anybody the file open for writing?  Then there is no lease; where a file system has none, it cannot be told. */
static bool has_writer(int fd)
{
    if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
        return errno == EAGAIN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
}

/* A downloader that is done may need a moment to end. */
static int wait_for_writers(int fd)
{
    const struct timespec pause = {.tv_nsec = WRITER_PAUSE_NS};
    for (int i = 0; i < WRITER_LOOKS; i++) {
        if (!has_writer(fd))
            return 0;
        (void)nanosleep(&pause, NULL);
    }
    return EBUSY;
}

/* The same file, in a descriptor that cannot write; then nobody has one that can. */
static int reopen(struct update_bundle *b)
{
    char path[UPDATE_PATH_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d", b->fd);
    if (fchmod(b->fd, S_IRUSR) < 0)
        return errno;
    int sealed = open(path, O_RDONLY | O_CLOEXEC);
    if (sealed < 0)
        return errno;
    close(b->fd);
    b->fd = sealed;
    return wait_for_writers(sealed);
}

static bool read_at(void *context, uint64_t at, void *to, size_t length)
{
    const int *fd = context;
    return pread(*fd, to, length, (off_t)at) == (ssize_t)length;
}

static int judge(struct update_bundle *b)
{
    struct stat about;
    if (fstat(b->fd, &about) < 0)
        return errno;
    errno = 0;
    if (update_shape_is_right(read_at, &b->fd, (uint64_t)about.st_size, b->fault))
        return 0;
    return errno ? errno : EBADMSG; /* a disk that cannot be read says nothing of the bundle */
}

/* All of it has come.  What the disk cannot hold shows now. */
static int seal(struct update_bundle *b)
{
    if (fdatasync(b->fd) < 0)
        return errno;
    int problem = reopen(b);
    return problem ? problem : judge(b);
}

/* The disk begins at once, so that the end has not to wait for all of it; that is no promise. */
static void run(struct worker_job *job)
{
    struct update_bundle *b = CONTAINER_OF(job, struct update_bundle, job);
    b->problem = write_all(b->fd, b->pending, b->pending_length);
    (void)sync_file_range(b->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    if (b->problem == 0 && b->sealing)
        b->problem = seal(b);
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void on_done(struct worker_job *job);

static void write_out(struct update_bundle *b)
{
    b->sealing = b->ending;
    b->job = (struct worker_job){.run = run, .done = on_done};
    if (worker_start(b->loop, &b->job) < 0)
        b->written(b, errno);
}

static void on_done(struct worker_job *job)
{
    struct update_bundle *b = CONTAINER_OF(job, struct update_bundle, job);
    b->pending_length = 0;
    if (b->ending && !b->sealing && b->problem == 0)
        write_out(b);
    else
        b->written(b, b->problem);
}

static bool has_room(int fd, int64_t expected)
{
    struct statvfs disk;
    if (fstatvfs(fd, &disk) < 0)
        return false;
    uint64_t wanted = (uint64_t)UPDATE_SPARE_MAX + (expected > 0 ? (uint64_t)expected : 0);
    errno = ENOSPC;
    return (uint64_t)disk.f_bavail * disk.f_frsize >= wanted;
}

bool update_bundle_open(struct update_bundle *b, struct loop *l, const char *folder,
                        int64_t expected)
{
    b->loop = l;
    b->length = 0;
    b->pending_length = 0;
    b->ending = b->sealing = false;
    b->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
    b->pending = b->fd < 0 ? NULL : malloc(PIECE);
    if (b->fd >= 0 && b->pending && has_room(b->fd, expected))
        return true;
    int problem = errno;
    update_bundle_close(b);
    errno = problem;
    return false;
}

size_t update_bundle_take(struct update_bundle *b, const char *bytes, size_t length)
{
    size_t room = b->job.busy ? 0 : PIECE - b->pending_length;
    size_t n = length < room ? length : room;
    if (n == 0)
        return 0;
    memcpy(b->pending + b->pending_length, bytes, n);
    b->pending_length += n;
    b->length += (int64_t)n;
    if (b->pending_length == PIECE)
        write_out(b);
    return n;
}

void update_bundle_seal(struct update_bundle *b)
{
    b->ending = true;
    if (!b->job.busy)
        write_out(b);
}

void update_bundle_path(const struct update_bundle *b, char path[static UPDATE_PATH_MAX])
{
    snprintf(path, UPDATE_PATH_MAX, "/proc/%d/fd/%d", (int)getpid(), b->fd);
}

struct closing {
    struct worker_job job;
    int fd;
};

static void run_closing(struct worker_job *job)
{
    close(CONTAINER_OF(job, struct closing, job)->fd);
}

static void on_closed(struct worker_job *job)
{
    free(CONTAINER_OF(job, struct closing, job));
}

/* To free the blocks of a long file takes a disk its time. */
static void close_apart(struct loop *l, int fd)
{
    struct closing *c = malloc(sizeof *c);
    if (c) {
        *c = (struct closing){.job = {.run = run_closing, .done = on_closed}, .fd = fd};
        if (worker_start(l, &c->job) == 0)
            return;
    }
    free(c);
    close(fd);
}

void update_bundle_close(struct update_bundle *b)
{
    worker_join(&b->job);
    if (b->fd >= 0)
        close_apart(b->loop, b->fd);
    b->fd = -1;
    free(b->pending);
    b->pending = NULL;
}
