/* steered_clock.c - the clocks of a running program go by a file, and its heap is counted.
 *
 *   LD_PRELOAD=.../libsteered_clock.so STEERED_CLOCK=FILE program ...
 *
 * FILE holds a struct steering.  While the time stands, a wait with a limit ends when somebody sets the time to its
 * end, or when what is waited for happens, and that in real time.  Timers of the kernel (timerfd, SO_RCVTIMEO) are not
 * steered.  Each block of the heap begins with its length, so that what is counted does not depend on what the
 * allocator has room for.
 */
#include "steering.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { S_NS = 1000000000, MS_NS = 1000000, LOOK_NS = MS_NS };

/* glibc's own, behind the names that are taken over here. */
void *__libc_malloc(size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *block);

static struct steering unsteered, *steering = &unsteered;

__attribute__((constructor)) static void find_steering(void)
{
    const char *path = getenv("STEERED_CLOCK");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    struct steering *map = mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return;
    map->blocks = unsteered.blocks;
    map->bytes = unsteered.bytes;
    steering = map;
}

/* --- the heap ---------------------------------------------------------------------------------- */

/* In front of each block, as large as the strictest alignment of malloc(). */
struct head {
    _Alignas(16) size_t length;
    void *begin; /* what glibc knows of */
};

static void count(int blocks, int64_t bytes)
{
    __atomic_fetch_add(&steering->blocks, blocks, __ATOMIC_RELAXED);
    __atomic_fetch_add(&steering->bytes, bytes, __ATOMIC_RELAXED);
}

static struct head *head_of(void *block)
{
    return (struct head *)block - 1;
}

static void *allocate(size_t alignment, size_t n)
{
    size_t room = alignment > sizeof(struct head) ? alignment : sizeof(struct head);
    if (n > PTRDIFF_MAX - room) {
        errno = ENOMEM;
        return NULL;
    }
    char *begin = alignment > _Alignof(struct head) ? __libc_memalign(alignment, n + room)
                                                    : __libc_malloc(n + room);
    if (!begin)
        return NULL;
    *head_of(begin + room) = (struct head){.length = n, .begin = begin};
    count(1, (int64_t)n);
    return begin + room;
}

void *malloc(size_t n)
{
    return allocate(1, n);
}

void free(void *block)
{
    if (!block)
        return;
    count(-1, -(int64_t)head_of(block)->length);
    __libc_free(head_of(block)->begin);
}

void *calloc(size_t n, size_t size)
{
    size_t length;
    if (__builtin_mul_overflow(n, size, &length)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = malloc(length);
    return block ? memset(block, 0, length) : NULL;
}

void *realloc(void *old, size_t n)
{
    if (!old)
        return malloc(n);
    if (n == 0) {
        free(old);
        return NULL;
    }
    size_t length = head_of(old)->length;
    void *block = malloc(n);
    if (!block)
        return NULL;
    memcpy(block, old, length < n ? length : n);
    free(old);
    return block;
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return allocate(alignment, n);
}

void *memalign(size_t alignment, size_t n)
{
    return allocate(alignment, n);
}

int posix_memalign(void **block, size_t alignment, size_t n)
{
    *block = allocate(alignment, n);
    return *block ? 0 : ENOMEM;
}

size_t malloc_usable_size(void *block)
{
    return block ? head_of(block)->length : 0;
}

/* --- the time ---------------------------------------------------------------------------------- */

static bool stands(void)
{
    return __atomic_load_n(&steering->stands, __ATOMIC_ACQUIRE) != 0;
}

static int64_t kernel_ns(clockid_t clock)
{
    struct timespec t;
    syscall(SYS_clock_gettime, clock, &t);
    return (int64_t)t.tv_sec * S_NS + t.tv_nsec;
}

static int64_t now_ns(clockid_t clock)
{
    bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    int64_t ns = stands() ? __atomic_load_n(&steering->now_ns, __ATOMIC_ACQUIRE) : kernel_ns(clock);
    return wall ? ns + __atomic_load_n(&steering->ahead_ns, __ATOMIC_ACQUIRE) : ns;
}

/* Times of processes and threads stay what they are. */
static bool is_steered(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC ||
           clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_BOOTTIME;
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    if (!is_steered(clock))
        return (int)syscall(SYS_clock_gettime, clock, t);
    int64_t ns = now_ns(clock);
    *t = (struct timespec){.tv_sec = ns / S_NS, .tv_nsec = ns % S_NS};
    return 0;
}

time_t time(time_t *t)
{
    time_t now = now_ns(CLOCK_REALTIME) / S_NS;
    if (t)
        *t = now;
    return now;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    (void)zone;
    int64_t ns = now_ns(CLOCK_REALTIME);
    *t = (struct timeval){.tv_sec = ns / S_NS, .tv_usec = ns % S_NS / 1000};
    return 0;
}

/* True when a wait is to look again: nothing came, and it is not over. */
static bool goes_on(int n, int64_t until_ns)
{
    return n == 0 && stands() && now_ns(CLOCK_MONOTONIC) < until_ns;
}

static int64_t end_ns(int64_t limit_ns)
{
    return limit_ns < 0 ? INT64_MAX : now_ns(CLOCK_MONOTONIC) + limit_ns;
}

static int wait_for_events(int fd, struct epoll_event *events, int n, int limit_ms)
{
    return (int)syscall(SYS_epoll_pwait, fd, events, n, limit_ms, NULL, 8);
}

int epoll_wait(int fd, struct epoll_event *events, int n, int limit_ms)
{
    if (!stands())
        return wait_for_events(fd, events, n, limit_ms);
    int64_t until_ns = end_ns((int64_t)limit_ms * MS_NS);
    int came = wait_for_events(fd, events, n, 0);
    while (goes_on(came, until_ns))
        came = wait_for_events(fd, events, n, LOOK_NS / MS_NS);
    return came;
}

/* libmosquitto's, while it connects; sets are changed only when something came, or the wait is over. */
int pselect(int n, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict errors,
            const struct timespec *restrict limit, const sigset_t *restrict signals)
{
    static int (*original)(int, fd_set *, fd_set *, fd_set *, const struct timespec *,
                           const sigset_t *);
    if (!original)
        *(void **)&original = dlsym(RTLD_NEXT, "pselect");
    if (!stands())
        return original(n, reads, writes, errors, limit, signals);
    int64_t until_ns = end_ns(limit ? (int64_t)limit->tv_sec * S_NS + limit->tv_nsec : -1);
    fd_set *const sets[3] = {reads, writes, errors};
    fd_set wanted[3];
    for (int i = 0; i < 3; i++)
        if (sets[i])
            wanted[i] = *sets[i];
    for (;;) {
        int came =
            original(n, reads, writes, errors, &(struct timespec){.tv_nsec = LOOK_NS}, signals);
        if (!goes_on(came, until_ns))
            return came;
        for (int i = 0; i < 3; i++)
            if (sets[i])
                *sets[i] = wanted[i];
    }
}
