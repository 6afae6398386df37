/* lm3s6965evb.c - Stellaris LM3S6965 evaluation board: a Cortex-M3 at 50 MHz, as QEMU emulates it (lm3s6965evb).
 *
 *   P1        UART0, PA0 and PA1
 *   RS485     UART1, PD2 and PD3
 *   pins      PB0 PWR light, PB1 P1 light, PB2 RS485 light, PB3 driver on, PB4 termination
 *   settings  RAM that no reset clears: QEMU has no controller for this chip's flash memory, so that they outlast a
 *             reset and not a power cut; the chip itself can do better
 *
 * LM3S6965 data sheet: system control (clause 5), watchdog (10), GPIO (8), UART (12).
 */
#include "../board.h"
#include "../cortexm.h"
#include "../ram_flash.h"
#include "../uarts.h"

enum {
    CORE_MHZ = 50,

    SYSCTL_RIS = 0x400FE050,
    RIS_PLL_LOCKED = 1 << 6,
    SYSCTL_RCC = 0x400FE060,
    RCC_50_MHZ = 3 << 23 | 1 << 22 | 0xE << 6, /* a crystal of 8 MHz, the PLL's 200 MHz / 4 */
    RCC_PLL_OFF = 1 << 13,
    RCC_BYPASS = 1 << 11,
    PLL_LOOKS = 100000,
    SYSCTL_RCGC0 = 0x400FE100,
    RCGC0_WATCHDOG = 1 << 3,
    SYSCTL_RCGC1 = 0x400FE104,
    RCGC1_UARTS = 1 << 0 | 1 << 1,
    SYSCTL_RCGC2 = 0x400FE108,
    RCGC2_PORTS = 1 << 0 | 1 << 1 | 1 << 3, /* A, B and D */

    GPIO_A = 0x40004000,
    GPIO_B = 0x40005000,
    GPIO_D = 0x40007000,
    GPIO_DIR = 0x400,
    GPIO_AFSEL = 0x420,
    GPIO_DEN = 0x51C,
    PIN_DRIVER = 3, /* of port B, behind those of the lights */
    PIN_TERMINATION = 4,
    PINS_OUT = 0x1F,

    UART0 = 0x4000C000,
    UART_BYTES = 0x1000, /* from one to the next */
    UART_IRQ = 5,        /* of the first */
    UART_DR = 0x00,
    DR_ERRORS = 0xF00, /* overrun, break, parity, framing */
    DR_OVERRUN = 0x800,
    UART_FR = 0x18,
    FR_BUSY = 1 << 3,
    FR_RX_EMPTY = 1 << 4,
    UART_IBRD = 0x24,
    UART_FBRD = 0x28,
    UART_LCRH = 0x2C,
    LCRH_8_BITS = 3 << 5, /* without FIFOs, so that a byte's time is its own */
    LCRH_EVEN = 1 << 2 | 1 << 1,
    UART_CTL = 0x30,
    CTL_ON = 1 << 9 | 1 << 8 | 1 << 0,
    UART_IM = 0x38,
    UART_MIS = 0x40,
    UART_ICR = 0x44,
    INT_RX = 1 << 4,
    INT_TX = 1 << 5,

    WATCHDOG = 0x40000000,
    WATCHDOG_LOAD = WATCHDOG + 0x000,
    WATCHDOG_CTL = WATCHDOG + 0x008,
    WATCHDOG_ON = 3, /* nobody hears its interrupt at the first 0; reset at the second */
    WATCHDOG_ICR = WATCHDOG + 0x00C, /* any write forgets the first 0, and loads it anew */
    WATCHDOG_LOCK = WATCHDOG + 0xC00,
    WATCHDOG_KEY = 0x1ACCE551,
    WATCHDOG_US = 1000000,

    SETTINGS_SECTOR_BYTES = 128,
};

/* Of the linker script. */
extern uint8_t settings_memory[];

static volatile uint32_t *uart_register(enum board_uart uart, uint32_t offset)
{
    return register_at((uintptr_t)(UART0 + (uint32_t)uart * UART_BYTES + offset));
}

/* Writes one pin of port B; a data register's address says which pins it is about. */
static void set_pin(unsigned pin, bool on)
{
    *register_at((uintptr_t)(GPIO_B + (4u << pin))) = on ? 1u << pin : 0;
}

/* --- UARTs ------------------------------------------------------------------------------------ */

static void receive(enum board_uart uart)
{
    *uart_register(uart, UART_ICR) = INT_RX;
    while (!(*uart_register(uart, UART_FR) & FR_RX_EMPTY)) {
        uint32_t data = *uart_register(uart, UART_DR);
        if (data & DR_ERRORS)
            uart_heard_badly(uart);
        if (!(data & (DR_ERRORS & ~DR_OVERRUN)))
            uart_heard(uart, (uint8_t)data);
    }
}

static void send(enum board_uart uart)
{
    uint8_t byte;
    *uart_register(uart, UART_ICR) = INT_TX;
    if (uart_next(uart, &byte))
        *uart_register(uart, UART_DR) = byte;
}

static void serve(enum board_uart uart)
{
    receive(uart);
    if (*uart_register(uart, UART_MIS) & INT_TX)
        send(uart);
}

static void serve_p1(void)
{
    serve(UART_P1);
}

static void serve_rs485(void)
{
    serve(UART_RS485);
}

BOARD_VECTORS static vector *const vectors[] = {
    [UART_IRQ + UART_P1] = serve_p1,
    [UART_IRQ + UART_RS485] = serve_rs485,
};

/* Divisors are in 1/64 of 16 clocks; they take effect as LCRH is written. */
static void uart_set(enum board_uart uart, uint32_t baud, bool even_parity)
{
    uint32_t divisor = (CORE_MHZ * 4000000 + baud / 2) / baud;
    *uart_register(uart, UART_CTL) = 0;
    *uart_register(uart, UART_IBRD) = divisor / 64;
    *uart_register(uart, UART_FBRD) = divisor % 64;
    *uart_register(uart, UART_LCRH) = LCRH_8_BITS | (even_parity ? LCRH_EVEN : 0);
    uart_drop(uart);
    *uart_register(uart, UART_IM) = INT_RX | INT_TX;
    *uart_register(uart, UART_CTL) = CTL_ON;
}

static void uart_write(enum board_uart uart, const uint8_t *bytes, size_t n)
{
    uint32_t were = interrupts_off();
    if (uart == UART_RS485)
        set_pin(PIN_DRIVER, true);
    uart_queue(uart, bytes, n);
    send(uart);
    interrupts_restore(were);
}

/* This UART has no interrupt for the end of the last stop bit, so that is looked for. */
static bool is_sending(enum board_uart uart)
{
    if (uart_awaits_end(uart) && !(*uart_register(uart, UART_FR) & FR_BUSY)) {
        if (uart == UART_RS485)
            set_pin(PIN_DRIVER, false);
        uart_sent(uart);
    }
    return uart_is_sending(uart);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* Without the crystal the core stays at the 12 MHz it has; then nothing fits, but the watchdog. */
static void start_core(void)
{
    uint32_t rcc = RCC_50_MHZ | RCC_BYPASS;
    *register_at(SYSCTL_RCC) = rcc | RCC_PLL_OFF;
    *register_at(SYSCTL_RCC) = rcc;
    (void)register_becomes(SYSCTL_RIS, RIS_PLL_LOCKED, RIS_PLL_LOCKED, PLL_LOOKS);
    *register_at(SYSCTL_RCC) = RCC_50_MHZ;
}

static void feed_watchdog(void)
{
    *register_at(WATCHDOG_ICR) = 1;
}

static void start_watchdog(void)
{
    *register_at(WATCHDOG_LOCK) = WATCHDOG_KEY;
    *register_at(WATCHDOG_LOAD) = CORE_MHZ * WATCHDOG_US;
    *register_at(WATCHDOG_CTL) = WATCHDOG_ON;
}

/* The two pins of a UART. */
static void give_pins(uintptr_t port, uint32_t pins)
{
    *register_at(port + GPIO_AFSEL) |= pins;
    *register_at(port + GPIO_DEN) |= pins;
}

static void start(void)
{
    start_core();
    *register_at(SYSCTL_RCGC0) = RCGC0_WATCHDOG;
    *register_at(SYSCTL_RCGC1) = RCGC1_UARTS;
    *register_at(SYSCTL_RCGC2) = RCGC2_PORTS;
    /* Clocks take three cycles to come; reading back takes as long. */
    (void)*register_at(SYSCTL_RCGC2);
    start_watchdog();
    *register_at((uintptr_t)(GPIO_B + GPIO_DIR)) = PINS_OUT;
    *register_at((uintptr_t)(GPIO_B + GPIO_DEN)) = PINS_OUT;
    give_pins(GPIO_A, 1 << 0 | 1 << 1);
    give_pins(GPIO_D, 1 << 2 | 1 << 3);
    clock_start(CORE_MHZ);
    interrupt_allow(UART_IRQ + UART_P1);
    interrupt_allow(UART_IRQ + UART_RS485);
}

static void set_light(enum board_light light, bool lit)
{
    set_pin(light, lit);
}

static void set_termination(bool on)
{
    set_pin(PIN_TERMINATION, on);
}

const struct board board = {
    .name = "lm3s6965evb",
    .serial = "000006965",
    .flash = {.context = settings_memory,
              .sector_bytes = SETTINGS_SECTOR_BYTES,
              .unit_bytes = 4,
              .sector = ram_flash_sector,
              .erase = ram_flash_erase,
              .program = ram_flash_program},
    BOARD_SHARED,
    .start = start,
    .feed_watchdog = feed_watchdog,
    .uart_set = uart_set,
    .uart_write = uart_write,
    .uart_is_sending = is_sending,
    .set_light = set_light,
    .set_termination = set_termination,
};
