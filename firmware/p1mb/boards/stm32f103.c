/* stm32f103.c - STM32F103C8, as on the "Blue Pill" boards: a Cortex-M3 at 72 MHz.
 *
 * Built and reviewed, never run on the hardware.
 *
 *   P1        USART1: PA10 receives, through an inverter, since the characters of a P1 data line are inverted; PA9
 *             drives the data request line, whose idle level, high, is "requested", and answers on it; 4 V and more
 *             of it are a buffer's
 *   RS485     USART2: PA2 transmits, PA3 receives, PA1 turns the driver on
 *   lights    PC13 PWR (the board's own LED, lit while low), PB12 P1, PB13 RS485; PB14 termination
 *   settings  the last two pages of 64 KiB of flash memory
 *   serial    the chip's 96-bit identity
 *
 * RM0008: flash interface and clocks (3, 7; PM0075 for programming), GPIO (9), IWDG (19), USART (27), identity (30).
 */
#include "../board.h"
#include "../cortexm.h"
#include "../uarts.h"

enum {
    LOOKS = 100000, /* some tens of milliseconds */

    RCC_CR = 0x40021000,
    CR_HSI = 1 << 0, /* stays on: flash memory is programmed by it */
    CR_HSE = 1 << 16,
    CR_HSE_READY = 1 << 17,
    CR_PLL = 1 << 24,
    CR_PLL_READY = 1 << 25,
    RCC_CFGR = 0x40021004,
    CFGR_PLL_HSE_X9 = 7 << 18 | 1 << 16,
    CFGR_PLL_HSI_X8 = 14 << 18, /* half of 8 MHz, times 16 */
    CFGR_APB1_HALF = 4 << 8,
    CFGR_USE_PLL = 2,
    CFGR_USED = 3 << 2,
    CFGR_PLL_IS_USED = 2 << 2,
    RCC_APB2ENR = 0x40021018,
    APB2_ON = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 14, /* ports A, B, C; USART1 */
    RCC_APB1ENR = 0x4002101C,
    APB1_ON = 1 << 17, /* USART2 */

    GPIO_A = 0x40010800,
    GPIO_B = 0x40010C00,
    GPIO_C = 0x40011000,
    GPIO_CRL = 0x00, /* how pins 0 to 7 work */
    GPIO_CRH = 0x04, /* 8 to 15 */
    GPIO_BSRR = 0x10,

    USART1 = 0x40013800,
    USART2 = 0x40004400,
    USART1_IRQ = 37,
    USART2_IRQ = 38,
    USART_SR = 0x00 / 4,           /* these count words */
    SR_BAD_BYTE = 1 << 1 | 1 << 0, /* framing, parity */
    SR_OVERRUN = 1 << 3,
    SR_RECEIVED = 1 << 5,
    USART_DR = 0x04 / 4,
    USART_BRR = 0x08 / 4,
    USART_CR1 = 0x0C / 4,
    CR1_ON = 1 << 13 | 1 << 5 | 1 << 3 | 1 << 2, /* both directions, interrupt as a byte came */
    CR1_8E1 = 1 << 12 | 1 << 10,                 /* the parity bit is a ninth */
    CR1_INT_SENT = 1 << 6,                       /* these two have the bits of their states in SR */
    CR1_INT_ROOM = 1 << 7,

    IWDG_KR = 0x40003000,
    IWDG_START = 0xCCCC,
    IWDG_FEED = 0xAAAA,
    IWDG_UNLOCK = 0x5555,
    IWDG_PR = 0x40003004,
    IWDG_BY_64 = 4,
    IWDG_RLR = 0x40003008,
    IWDG_2_S = 1250, /* at 40 kHz; its oscillator may have 30 to 60 */

    FLASH_ACR = 0x40022000,
    ACR_72_MHZ = 1 << 4 | 2, /* prefetch, two wait states */
    FLASH_KEYR = 0x40022004,
    FLASH_KEY_1 = 0x45670123,
    FLASH_KEY_2 = 0xCDEF89AB,
    FLASH_SR = 0x4002200C,
    SR_BUSY = 1 << 0,
    SR_ERRORS = 1 << 2 | 1 << 4,
    SR_END = 1 << 5,
    FLASH_CR = 0x40022010,
    CR_PROGRAM = 1 << 0,
    CR_ERASE = 1 << 1,
    CR_START = 1 << 6,
    CR_LOCK = 1 << 7,
    FLASH_AR = 0x40022014,
    FLASH_LOOKS = 1000000, /* 40 ms and more */
    PAGE_BYTES = 1024,

    IDENTITY = 0x1FFFF7E8,
    IDENTITY_BYTES = 12,
};

/* Of the linker script: the two pages of settings. */
extern uint8_t settings_memory[];

/* --- pins ------------------------------------------------------------------------------------- */

/* What is written to a port's BSRR to turn the pin's load on and off. */
struct pin {
    uint32_t port, on, off;
};
enum { RESET = 16 }; /* a bit so far up clears the pin */

static const struct pin lights[LIGHT_N] = {
    [LIGHT_PWR] = {GPIO_C, 1u << (13 + RESET), 1u << 13},
    [LIGHT_P1] = {GPIO_B, 1u << 12, 1u << (12 + RESET)},
    [LIGHT_RS485] = {GPIO_B, 1u << 13, 1u << (13 + RESET)},
};
static const struct pin termination = {GPIO_B, 1u << 14, 1u << (14 + RESET)};
static const struct pin driver = {GPIO_A, 1u << 1, 1u << (1 + RESET)};

static void set_pin(const struct pin *pin, bool on)
{
    *register_at(pin->port + GPIO_BSRR) = on ? pin->on : pin->off;
}

/* Four bits a pin, pin 0 or 8 the lowest: 2 output, A output of a USART, 8 input pulled to its output bit, 4 input. */
static void start_pins(void)
{
    set_pin(&driver, false);
    *register_at(GPIO_A + GPIO_BSRR) = 1u << 3 | 1u << 10;
    *register_at(GPIO_A + GPIO_CRL) = 0x44448A24; /* PA1 driver, PA2 and PA3 USART2 */
    *register_at(GPIO_A + GPIO_CRH) = 0x444448A4; /* PA9 and PA10 USART1 */
    *register_at(GPIO_B + GPIO_CRH) = 0x42224444; /* PB12 to PB14 lights, termination */
    *register_at(GPIO_C + GPIO_CRH) = 0x44244444; /* PC13 light */
}

/* --- UARTs ------------------------------------------------------------------------------------ */

static uint32_t core_mhz;

/* The registers of a UART. */
static volatile uint32_t *usart_of(enum board_uart uart)
{
    return register_at(uart == UART_P1 ? USART1 : USART2);
}

/* Reading the status, then the data, clears the errors. */
static void receive(enum board_uart uart, volatile uint32_t *usart, uint32_t status)
{
    uint8_t byte = (uint8_t)usart[USART_DR];
    if (status & (SR_BAD_BYTE | SR_OVERRUN))
        uart_heard_badly(uart);
    if (status & SR_RECEIVED && !(status & SR_BAD_BYTE))
        uart_heard(uart, byte);
}

/* Behind the last byte, the interrupt for its last stop bit is waited for in place of that for room. */
static void send(enum board_uart uart, volatile uint32_t *usart)
{
    uint8_t byte;
    if (uart_next(uart, &byte))
        usart[USART_DR] = byte;
    else
        usart[USART_CR1] ^= CR1_INT_ROOM | CR1_INT_SENT;
}

static void end_sending(enum board_uart uart, volatile uint32_t *usart)
{
    usart[USART_CR1] ^= CR1_INT_SENT;
    if (uart == UART_RS485)
        set_pin(&driver, false);
    uart_sent(uart);
}

/* Of the interrupts for room and for the end one is asked for at most. */
static void serve(enum board_uart uart)
{
    volatile uint32_t *usart = usart_of(uart);
    uint32_t status = usart[USART_SR], due = status & usart[USART_CR1];
    if (status & (SR_RECEIVED | SR_OVERRUN))
        receive(uart, usart, status);
    if (due & CR1_INT_ROOM)
        send(uart, usart);
    if (due & CR1_INT_SENT)
        end_sending(uart, usart);
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
    [USART1_IRQ] = serve_p1,
    [USART2_IRQ] = serve_rs485,
};

/* USART2 is on the slower of the two buses. */
static void uart_set(enum board_uart uart, uint32_t baud, bool even_parity)
{
    uint32_t clock = core_mhz * 1000000 / (uart == UART_P1 ? 1 : 2);
    volatile uint32_t *usart = usart_of(uart);
    usart[USART_CR1] = 0;
    usart[USART_BRR] = (clock + baud / 2) / baud;
    uart_drop(uart);
    usart[USART_CR1] = CR1_ON | (even_parity ? CR1_8E1 : 0);
}

/* There is room, so the interrupt comes at once and takes the first byte. */
static void uart_write(enum board_uart uart, const uint8_t *bytes, size_t n)
{
    uint32_t were = interrupts_off();
    if (uart == UART_RS485)
        set_pin(&driver, true);
    uart_queue(uart, bytes, n);
    usart_of(uart)[USART_CR1] |= CR1_INT_ROOM;
    interrupts_restore(were);
}

/* --- flash memory ----------------------------------------------------------------------------- */

/* While it works the core stands still, as its instructions come from the same memory: an erase costs ticks of the
 * clock, and what P1 sends in 40 ms. */
static bool flash_works(void)
{
    bool done = register_becomes(FLASH_SR, SR_BUSY, 0, FLASH_LOOKS);
    uint32_t status = *register_at(FLASH_SR);
    *register_at(FLASH_SR) = status & (SR_ERRORS | SR_END);
    return done && !(status & SR_ERRORS);
}

static void flash_allow(uint32_t what)
{
    if (*register_at(FLASH_CR) & CR_LOCK) {
        *register_at(FLASH_KEYR) = FLASH_KEY_1;
        *register_at(FLASH_KEYR) = (uint32_t)FLASH_KEY_2;
    }
    *register_at(FLASH_CR) = what;
}

static const uint8_t *flash_sector(const struct flash *f, unsigned sector)
{
    return (const uint8_t *)f->context + sector * PAGE_BYTES;
}

static bool flash_erase(const struct flash *f, unsigned sector)
{
    flash_allow(CR_ERASE);
    *register_at(FLASH_AR) = (uint32_t)(uintptr_t)flash_sector(f, sector);
    *register_at(FLASH_CR) = CR_ERASE | CR_START;
    bool good = flash_works();
    *register_at(FLASH_CR) = CR_LOCK;
    return good;
}

static bool flash_program(const struct flash *f, unsigned sector, uint32_t offset,
                          const uint8_t *bytes, uint32_t n)
{
    volatile uint16_t *to = (volatile uint16_t *)((uintptr_t)flash_sector(f, sector) + offset);
    bool good = true;
    flash_allow(CR_PROGRAM);
    for (uint32_t i = 0; good && i < n; i += 2) {
        *to++ = (uint16_t)(bytes[i] | bytes[i + 1] << 8);
        good = flash_works();
    }
    *register_at(FLASH_CR) = CR_LOCK;
    return good;
}

/* --- the rest --------------------------------------------------------------------------------- */

/* 72 MHz from the crystal; where that does not swing, 64 MHz from the chip's own oscillator, good to a percent. */
static void start_core(void)
{
    *register_at(RCC_CR) |= CR_HSE;
    bool crystal = register_becomes(RCC_CR, CR_HSE_READY, CR_HSE_READY, LOOKS);
    uint32_t config = CFGR_APB1_HALF | (crystal ? CFGR_PLL_HSE_X9 : CFGR_PLL_HSI_X8);
    core_mhz = crystal ? 72 : 64;
    *register_at(FLASH_ACR) = ACR_72_MHZ;
    *register_at(RCC_CFGR) = config;
    *register_at(RCC_CR) |= CR_PLL;
    (void)register_becomes(RCC_CR, CR_PLL_READY, CR_PLL_READY, LOOKS);
    *register_at(RCC_CFGR) = config | CFGR_USE_PLL;
    (void)register_becomes(RCC_CFGR, CFGR_USED, CFGR_PLL_IS_USED, LOOKS);
}

static void feed_watchdog(void)
{
    *register_at(IWDG_KR) = IWDG_FEED;
}

static void start_watchdog(void)
{
    *register_at(IWDG_KR) = IWDG_START;
    *register_at(IWDG_KR) = IWDG_UNLOCK;
    *register_at(IWDG_PR) = IWDG_BY_64;
    *register_at(IWDG_RLR) = IWDG_2_S;
    feed_watchdog();
}

static char serial[2 * IDENTITY_BYTES + 1];

static void read_serial(void)
{
    static const char digits[] = "0123456789ABCDEF";
    const volatile uint8_t *identity = (const volatile uint8_t *)IDENTITY;
    for (unsigned i = 0; i < IDENTITY_BYTES; i++) {
        serial[2 * i] = digits[identity[i] >> 4];
        serial[2 * i + 1] = digits[identity[i] & 15];
    }
}

static void start(void)
{
    start_watchdog();
    start_core();
    *register_at(RCC_APB2ENR) = APB2_ON;
    *register_at(RCC_APB1ENR) = APB1_ON;
    start_pins();
    read_serial();
    clock_start(core_mhz);
    interrupt_allow(USART1_IRQ);
    interrupt_allow(USART2_IRQ);
}

static void set_light(enum board_light light, bool lit)
{
    set_pin(&lights[light], lit);
}

static void set_termination(bool on)
{
    set_pin(&termination, on);
}

const struct board board = {
    .name = "stm32f103",
    .serial = serial,
    .flash = {.context = settings_memory,
              .sector_bytes = PAGE_BYTES,
              .unit_bytes = 2,
              .sector = flash_sector,
              .erase = flash_erase,
              .program = flash_program},
    BOARD_SHARED,
    .start = start,
    .feed_watchdog = feed_watchdog,
    .uart_set = uart_set,
    .uart_write = uart_write,
    .uart_is_sending = uart_is_sending,
    .set_light = set_light,
    .set_termination = set_termination,
};
