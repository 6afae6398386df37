/* allocation_counter.c - counts heap allocations of a running program, by who asked for them.
 *
 *   LD_PRELOAD=.../liballocation_counter.so ALLOCATION_COUNTS=FILE program ...
 *
 * FILE (24 bytes or more) is mapped and holds three native 64-bit counters, to be read at any time:
 * calls from the program itself, from libmosquitto, from elsewhere (libc, mostly).
 */
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own, behind the names that are taken over here. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

enum caller { PROGRAM, LIBMOSQUITTO, ELSEWHERE, CALLERS };

static struct {
    uintptr_t begin, end;
} code[ELSEWHERE];
static uint64_t *counts; /* NULL: not counting */

static int note_object(struct dl_phdr_info *info, size_t size, void *context)
{
    bool is_first = *(bool *)context; /* the program itself */
    enum caller caller = is_first ? PROGRAM : LIBMOSQUITTO;
    (void)size;
    *(bool *)context = false;
    if (!is_first && !strstr(info->dlpi_name, "libmosquitto"))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        code[caller].begin = info->dlpi_addr + p->p_vaddr;
        code[caller].end = code[caller].begin + p->p_memsz;
    }
    return 0;
}

__attribute__((constructor)) static void start_counting(void)
{
    const char *path = getenv("ALLOCATION_COUNTS");
    bool is_first = true;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    dl_iterate_phdr(note_object, &is_first);
    void *map = mmap(NULL, CALLERS * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    counts = map == MAP_FAILED ? NULL : map;
}

static void count(const void *return_address)
{
    uintptr_t at = (uintptr_t)return_address;
    unsigned caller = PROGRAM;
    if (!counts)
        return;
    while (caller < ELSEWHERE && (at < code[caller].begin || at >= code[caller].end))
        caller++;
    __atomic_fetch_add(&counts[caller], 1, __ATOMIC_RELAXED);
}

void *malloc(size_t n)
{
    count(__builtin_return_address(0));
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    count(__builtin_return_address(0));
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
    count(__builtin_return_address(0));
    return __libc_realloc(old, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    count(__builtin_return_address(0));
    return __libc_memalign(alignment, n);
}
