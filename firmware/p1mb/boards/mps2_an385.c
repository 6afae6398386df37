/* mps2_an385.c - Arm's MPS2 board with the AN385 image: a Cortex-M3 at 25 MHz, as QEMU emulates it (mps2-an385).
 *
 *   P1        UART0
 *   RS485     UART1; this UART knows no parity, so 8E1 is sent as 8N1
 *   lights    the board's LEDs 0, 1, 2 (SCC CFG1): PWR, P1, RS485
 *   bus       shield pins (FPGAIO MISC): bit 8 driver on, bit 9 termination
 *   settings  the first 2 KiB of PSRAM, which QEMU can keep in a file
 *
 * Application note AN385; Cortex-M System Design Kit Technical Reference Manual, APB UART and watchdog.
 */
#include "../board.h"
#include "../cortexm.h"
#include "../ram_flash.h"
#include "../uarts.h"

enum {
    CORE_MHZ = 25,

    UART0 = 0x40004000,
    UART_BYTES = 0x1000, /* from one to the next */
    UART_DATA = 0x00,
    UART_STATE = 0x04,
    STATE_RX_FULL = 1 << 1,
    STATE_RX_OVERRUN = 1 << 3, /* write 1 to clear */
    UART_CTRL = 0x08,
    CTRL_TX = 1 << 0 | 1 << 2, /* on, with interrupt */
    CTRL_RX = 1 << 1 | 1 << 3,
    UART_INT = 0x0C,
    INT_TX = 1 << 0,
    INT_RX = 1 << 1,
    UART_BAUDDIV = 0x10,

    WATCHDOG = 0x40008000,
    WATCHDOG_LOAD = WATCHDOG + 0x00,
    WATCHDOG_CTRL = WATCHDOG + 0x08,
    WATCHDOG_ON = 3,                   /* NMI at 0, which resets; reset at the next 0 */
    WATCHDOG_INTCLR = WATCHDOG + 0x0C, /* any write loads it anew */
    WATCHDOG_LOCK = WATCHDOG + 0xC00,
    WATCHDOG_KEY = 0x1ACCE551,
    WATCHDOG_US = 2000000,

    FPGAIO_MISC = 0x4002804C,
    MISC_DRIVER = 1 << 8,
    MISC_TERMINATION = 1 << 9,
    SCC_LEDS = 0x4002F004,

    SETTINGS_SECTOR_BYTES = 1024,
};

/* Of the linker script. */
extern uint8_t settings_memory[];

static uint32_t character_us[UART_N];
static volatile uint32_t left_us[UART_N]; /* when what was sent will have left, modulo 2^32 */

static volatile uint32_t *uart_register(enum board_uart uart, uint32_t offset)
{
    return register_at((uintptr_t)(UART0 + (uint32_t)uart * UART_BYTES + offset));
}

static void set_bits(uintptr_t address, uint32_t bits, bool on)
{
    uint32_t others = *register_at(address) & ~bits;
    *register_at(address) = others | (on ? bits : 0);
}

/* --- UARTs ------------------------------------------------------------------------------------ */

static void receive(enum board_uart uart)
{
    *uart_register(uart, UART_INT) = INT_RX;
    while (*uart_register(uart, UART_STATE) & STATE_RX_FULL)
        uart_heard(uart, (uint8_t)*uart_register(uart, UART_DATA));
    if (*uart_register(uart, UART_STATE) & STATE_RX_OVERRUN) {
        *uart_register(uart, UART_STATE) = STATE_RX_OVERRUN;
        uart_heard_badly(uart);
    }
}

/* The buffer's byte has gone into the shift register, where nobody sees it leave: two characters' time is enough. */
static void send(enum board_uart uart)
{
    uint8_t byte;
    *uart_register(uart, UART_INT) = INT_TX;
    if (uart_next(uart, &byte))
        *uart_register(uart, UART_DATA) = byte;
    left_us[uart] = (uint32_t)clock_us() + 2 * character_us[uart];
}

static void p1_receives(void)
{
    receive(UART_P1);
}

static void p1_sends(void)
{
    send(UART_P1);
}

static void rs485_receives(void)
{
    receive(UART_RS485);
}

static void rs485_sends(void)
{
    send(UART_RS485);
}

BOARD_VECTORS static vector *const vectors[] = {p1_receives, p1_sends, rs485_receives, rs485_sends};

static void uart_set(enum board_uart uart, uint32_t baud, bool even_parity)
{
    (void)even_parity;
    *uart_register(uart, UART_CTRL) = 0;
    *uart_register(uart, UART_BAUDDIV) = (CORE_MHZ * 1000000 + baud / 2) / baud;
    character_us[uart] = 11000000 / baud;
    uart_drop(uart);
    *uart_register(uart, UART_CTRL) = CTRL_TX | CTRL_RX;
}

static void uart_write(enum board_uart uart, const uint8_t *bytes, size_t n)
{
    uint32_t were = interrupts_off();
    if (uart == UART_RS485)
        set_bits(FPGAIO_MISC, MISC_DRIVER, true);
    uart_queue(uart, bytes, n);
    send(uart);
    interrupts_restore(were);
}

static bool is_sending(enum board_uart uart)
{
    if (uart_awaits_end(uart) && (int32_t)((uint32_t)clock_us() - left_us[uart]) >= 0) {
        if (uart == UART_RS485)
            set_bits(FPGAIO_MISC, MISC_DRIVER, false);
        uart_sent(uart);
    }
    return uart_is_sending(uart);
}

/* --- the rest --------------------------------------------------------------------------------- */

static void feed_watchdog(void)
{
    *register_at(WATCHDOG_INTCLR) = 1;
}

static void start(void)
{
    *register_at(WATCHDOG_LOCK) = WATCHDOG_KEY;
    *register_at(WATCHDOG_LOAD) = CORE_MHZ * WATCHDOG_US;
    *register_at(WATCHDOG_CTRL) = WATCHDOG_ON;
    clock_start(CORE_MHZ);
    for (unsigned i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        interrupt_allow(i);
}

static void set_light(enum board_light light, bool lit)
{
    set_bits(SCC_LEDS, 1u << light, lit);
}

static void set_termination(bool on)
{
    set_bits(FPGAIO_MISC, MISC_TERMINATION, on);
}

const struct board board = {
    .name = "mps2-an385",
    .serial = "000000385",
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
