/* fail_alloc.c - lets memory be short: of the allocations of a program the n-th fails, or all from there on.
 *
 *   LD_PRELOAD=.../libfail_alloc.so FAIL_ALLOC=FILE program ...
 *
 * FILE is one `struct orders`, mapped by the program and by who tests it, so that it can be armed and disarmed at any
 * moment; whoever writes `armed` last sees the other fields obeyed.  All numbers are native 64-bit ones.
 *
 * A program that ends by a signal leaves behind whose code it was: the libraries on its stack, innermost first, and
 * from where the allocation was asked for that failed last.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES = 32, STACK_TEXT = 4000 };

struct orders {
    uint64_t armed;
    uint64_t first,
        last;        /* of these allocations since it was armed all fail; the first is number 1 */
    uint64_t calls;  /* so many were asked for while armed, */
    uint64_t failed; /* and so many of them failed */
    uint64_t signal; /* that ended the program; 0: none */
    char stack[STACK_TEXT];
};

static struct orders *orders; /* NULL: nothing fails */
/* Of an allocation that failed in this thread.  Another model of thread-local storage might allocate it. */
static _Thread_local void *last_caller __attribute__((tls_model("initial-exec")));

/* --- the end by a signal ---------------------------------------------------------------------- */

static size_t note_frame(size_t at, const void *address)
{
    Dl_info info = {0};
    const char *slash = dladdr(address, &info) ? strrchr(info.dli_fname, '/') : NULL;
    int n = snprintf(orders->stack + at, STACK_TEXT - at, "%s+%#tx\n", slash ? slash + 1 : "?",
                     (const char *)address - (const char *)info.dli_fbase);
    return n > 0 && at + (size_t)n < STACK_TEXT ? at + (size_t)n : at;
}

static void on_end(int number)
{
    void *frames[FRAMES];
    size_t at = 0;
    __atomic_store_n(&orders->armed, 0, __ATOMIC_SEQ_CST); /* what follows may allocate */
    int n = backtrace(frames, FRAMES);
    for (int i = 2; i < n; i++) /* behind this function and the kernel's return */
        at = note_frame(at, frames[i]);
    at += (size_t)snprintf(orders->stack + at, STACK_TEXT - at, "failed last for ");
    (void)note_frame(at < STACK_TEXT ? at : STACK_TEXT - 1, last_caller);
    orders->signal = (uint64_t)number;
    raise(number); /* the handler is gone by then */
}

static void watch_signals(void)
{
    static const int numbers[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
    const struct sigaction action = {.sa_handler = on_end,
                                     .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    void *frame[1];
    (void)backtrace(frame, 1); /* loads what it needs while there is memory */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("FAIL_ALLOC");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        abort(); /* a test of nothing */
    watch_signals();
    orders = map;
}

/* --- allocations ------------------------------------------------------------------------------ */

static bool fails(void *caller)
{
    if (!orders || !__atomic_load_n(&orders->armed, __ATOMIC_SEQ_CST))
        return false;
    uint64_t number = __atomic_add_fetch(&orders->calls, 1, __ATOMIC_SEQ_CST);
    if (number < orders->first || number > orders->last)
        return false;
    __atomic_add_fetch(&orders->failed, 1, __ATOMIC_SEQ_CST);
    last_caller = caller;
    errno = ENOMEM;
    return true;
}

/* Of libc, or of a sanitizer.  dlsym() allocates nothing where it finds what it looks for. */
#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
    real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define CALLER __builtin_return_address(0)

void *malloc(size_t n)
{
    REAL(malloc);
    return fails(CALLER) ? NULL : real(n);
}

void *calloc(size_t n, size_t size)
{
    REAL(calloc);
    return fails(CALLER) ? NULL : real(n, size);
}

/* As free() it cannot fail. */
void *realloc(void *old, size_t n)
{
    REAL(realloc);
    return n > 0 && fails(CALLER) ? NULL : real(old, n);
}

void *reallocarray(void *old, size_t n, size_t size)
{
    REAL(reallocarray);
    return n > 0 && size > 0 && fails(CALLER) ? NULL : real(old, n, size);
}

void *memalign(size_t alignment, size_t n)
{
    REAL(memalign);
    return fails(CALLER) ? NULL : real(alignment, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    REAL(aligned_alloc);
    return fails(CALLER) ? NULL : real(alignment, n);
}

int posix_memalign(void **memory, size_t alignment, size_t n)
{
    REAL(posix_memalign);
    return fails(CALLER) ? ENOMEM : real(memory, alignment, n);
}
