#include "cortexm.h"

#include "uarts.h"

#include <stddef.h>

/* ARMv7-M Architecture Reference Manual, B3.2 and B3.3. */
enum {
    SYST_CSR = 0xE000E010,
    SYST_RVR = 0xE000E014,
    SYST_CVR = 0xE000E018,
    SYST_RUN = 7, /* count, interrupt, at the core's clock */
    NVIC_ISER = 0xE000E100,
    SCB_ICSR = 0xE000ED04,
    ICSR_PENDSTSET = 1 << 26,
    SCB_AIRCR = 0xE000ED0C,
    AIRCR_RESET = 0x05FA0004
};
#define CORE_REGISTER(name) (*register_at((uintptr_t)(name)))

/* --- reset ------------------------------------------------------------------------------------- */

_Noreturn void core_reset(void)
{
    CORE_REGISTER(SCB_AIRCR) = (uint32_t)AIRCR_RESET;
    for (;;) {
    }
}

/* --- registers and interrupts ----------------------------------------------------------------- */

bool register_becomes(uintptr_t address, uint32_t mask, uint32_t wanted, uint32_t looks)
{
    while ((*register_at(address) & mask) != wanted)
        if (looks-- == 0)
            return false;
    return true;
}

void interrupt_allow(unsigned number)
{
    *register_at((uintptr_t)NVIC_ISER + number / 32 * 4) = 1u << number % 32;
}

/* With interrupts off, so that none comes between looking and sleeping; one that waits ends the sleep all the same. */
void core_sleep(void)
{
    uint32_t were = interrupts_off();
    if (!uart_has_heard())
        __asm__ volatile("dsb\n\twfi" : : : "memory");
    interrupts_restore(were);
}

/* --- clock ------------------------------------------------------------------------------------ */

static int64_t ticked_us, told_us;
static uint32_t mhz;

void clock_start(uint32_t core_mhz)
{
    mhz = core_mhz;
    CORE_REGISTER(SYST_RVR) = core_mhz * CLOCK_TICK_US - 1;
    CORE_REGISTER(SYST_CVR) = 0;
    CORE_REGISTER(SYST_CSR) = SYST_RUN;
}

static void clock_tick(void)
{
    ticked_us += CLOCK_TICK_US;
}

/* SysTick counts down, and asks for its interrupt as it reaches 0.  While that waits, in another interrupt or here with
 * interrupts off, the tick is counted here; the counter is read again, for it may have begun anew in between. */
int64_t clock_us(void)
{
    uint32_t were = interrupts_off();
    uint32_t period = mhz * CLOCK_TICK_US, left = CORE_REGISTER(SYST_CVR);
    int64_t us = ticked_us;
    if (CORE_REGISTER(SCB_ICSR) & (uint32_t)ICSR_PENDSTSET) {
        us += CLOCK_TICK_US;
        left = CORE_REGISTER(SYST_CVR);
        if (left == 0)
            left = period;
    }
    us += (period - left) / mhz;
    /* A tick that is lost, while flash memory stalls the core, must not take the time back. */
    if (us > told_us)
        told_us = us;
    us = told_us;
    interrupts_restore(were);
    return us;
}

/* --- vectors ---------------------------------------------------------------------------------- */

/* Of the linker script. */
extern const uint32_t stack_top[];

union first_vector {
    vector *handler;
    const uint32_t *stack;
};

__attribute__((section(".vectors"), used)) static const union first_vector vectors[16] = {
    {.stack = stack_top},    {.handler = reset_entry},
    {.handler = core_reset}, /* NMI: a watchdog's */
    {.handler = core_reset}, {.handler = core_reset},
    {.handler = core_reset}, {.handler = core_reset},
    {.handler = NULL},       {.handler = NULL},
    {.handler = NULL},       {.handler = NULL},
    {.handler = core_reset}, {.handler = core_reset},
    {.handler = NULL},       {.handler = core_reset},
    {.handler = clock_tick},
};
