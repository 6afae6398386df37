/* start.c - from reset to main(): prepares memory.
 *
 * Built without link-time optimisation, which would know main.c's data better than the loops that clear it here, and
 * might use them before.
 */
#include "cortexm.h"

#include <stddef.h>

/* Of the linker script. */
extern uint32_t stack_limit[], data_begin[], data_end[], bss_begin[], bss_end[];
extern const uint32_t data_image[];

enum { STACK_PAINT = 0x5AFE5AFE };

static void fill(uint32_t *from, const uint32_t *to, uint32_t value)
{
    while (from < to)
        *from++ = value;
}

/* The stack is painted so that its deepest use can be seen later; what this function uses of it is spared. */
_Noreturn void reset_entry(void)
{
    const uint32_t *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    fill(stack_limit, here, STACK_PAINT);
    for (size_t i = 0; data_begin + i < data_end; i++)
        data_begin[i] = data_image[i];
    fill(bss_begin, bss_end, 0);
    (void)main();
    core_reset();
}
