/* cortexm.h - what every Cortex-M3 has, whoever made the chip: start, interrupts, SysTick, reset.
 *
 * All interrupts have one priority, so none interrupts another, and the deepest stack is that of the loop and one
 * interrupt.  A fault resets: the settings are safe, and a meter says all again within seconds.
 */
#ifndef CORTEXM_H
#define CORTEXM_H

#include <stdbool.h>
#include <stdint.h>

enum { CLOCK_TICK_US = 1000 };

/* A handler in the table of vectors.  A board's own begin behind the 16 of the core, in section ".vectors.board". */
typedef void vector(void);
#define BOARD_VECTORS __attribute__((section(".vectors.board"), used))

/* A register at an address. */
static inline volatile uint32_t *register_at(uintptr_t address)
{
    return (volatile uint32_t *)address;
}

/* Waits until the masked bits of a register are `wanted`, or so many looks were in vain (false). */
bool register_becomes(uintptr_t address, uint32_t mask, uint32_t wanted, uint32_t looks);

/* Turns interrupts off, and back to what they were. */
static inline uint32_t interrupts_off(void)
{
    uint32_t were;
    __asm__ volatile("mrs %0, primask\n\tcpsid i" : "=r"(were) : : "memory");
    return were;
}
static inline void interrupts_restore(uint32_t were)
{
    __asm__ volatile("msr primask, %0" : : "r"(were) : "memory");
}

/* Lets an interrupt of the board (0, 1, ...) come. */
void interrupt_allow(unsigned number);

/* Starts the clock on a core that runs at so many MHz. */
void clock_start(uint32_t core_mhz);

/* Microseconds since then; never goes back.  In interrupts, too. */
int64_t clock_us(void);

/* Sleeps until an interrupt, unless there is something that was heard. */
void core_sleep(void);

/* Starts anew, as after power-up. */
_Noreturn void core_reset(void);

/* Where the core begins: prepares memory and calls main(). */
_Noreturn void reset_entry(void);
int main(void);

#endif
