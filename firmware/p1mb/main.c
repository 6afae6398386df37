/* main.c - the P1MB firmware: bytes between the board and core/p1mb_device, and nothing else. */
#include "board.h"
#include "integers.h"
#include "p1mb_device.h"

enum {
    HEARD_MAX = 128,         /* of a fuller ring the rest comes with the next turn */
    AWAKE_US = 1500,         /* what is due sooner than the next tick is not slept over */
    FEED_WATCHDOG_US = 5000, /* some ticks: the time itself must go on, or the watchdog bites */
};

static struct p1mb_device device;

static void hear_p1(void)
{
    uint8_t bytes[HEARD_MAX];
    int64_t at_us;
    if (board.uart_is_sending(UART_P1)) /* an answer, which the next bytes would overwrite */
        return;
    size_t n = board.uart_read(UART_P1, bytes, sizeof bytes, &at_us);
    if (n)
        p1mb_device_hear_p1(&device, bytes, n, at_us);
}

static void hear_bus(void)
{
    uint8_t bytes[HEARD_MAX];
    int64_t at_us;
    size_t n = board.uart_read(UART_RS485, bytes, sizeof bytes, &at_us);
    if (n)
        p1mb_device_hear_bus(&device, bytes, n, at_us);
    if (board.uart_errors(UART_RS485))
        p1mb_device_bus_error(&device, board.now_us());
}

/* A port that is sending is not asked for more: answers lie where the next ones go. */
static void answer(int64_t now_us)
{
    const uint8_t *bytes;
    size_t n;
    if (!board.uart_is_sending(UART_RS485) && (bytes = p1mb_device_poll(&device, now_us, &n)))
        board.uart_write(UART_RS485, bytes, n);
    if (!board.uart_is_sending(UART_P1) && (bytes = p1mb_device_p1_answer(&device, &n)))
        board.uart_write(UART_P1, bytes, n);
}

static void show_lights(int64_t now_us)
{
    const int64_t now_ms = milliseconds(now_us);
    const struct p1mb_leds leds = p1mb_device_leds(&device, now_ms);
    board.set_light(LIGHT_PWR, p1mb_light_is_lit((enum p1mb_light)leds.pwr, now_ms));
    board.set_light(LIGHT_P1, p1mb_light_is_lit((enum p1mb_light)leds.p1, now_ms));
    board.set_light(LIGHT_RS485, p1mb_light_is_lit((enum p1mb_light)leds.rs485, now_ms));
}

static void reboot_if_wanted(void)
{
    if (p1mb_device_wants_reboot(&device) && !board.uart_is_sending(UART_P1) &&
        !board.uart_is_sending(UART_RS485))
        board.reboot();
}

static bool may_sleep(int64_t now_us)
{
    return !p1mb_device_is_due_within(&device, now_us, AWAKE_US) &&
           !board.uart_is_sending(UART_P1) && !board.uart_is_sending(UART_RS485);
}

static void start(void)
{
    board.start();
    const struct p1mb_identity identity = {
        .board = board.name,
        .serial = board.serial,
        .firmware = FIRMWARE_VERSION,
    };
    p1mb_device_init(&device, &identity, &board.flash, board.now_us());
    const struct p1mb_settings *bus = &device.active.bus;
    board.set_termination(bus->termination);
    board.uart_set(UART_P1, P1MB_PORT_BAUD, false);
    board.uart_set(UART_RS485, bus->baud, bus->even_parity);
}

int main(void)
{
    start();
    for (int64_t fed_us = 0;;) {
        hear_p1();
        hear_bus();
        int64_t now_us = board.now_us();
        answer(now_us);
        show_lights(now_us);
        reboot_if_wanted();
        if (now_us - fed_us >= FEED_WATCHDOG_US) {
            board.feed_watchdog();
            fed_us = now_us;
        }
        if (may_sleep(now_us))
            board.sleep();
    }
}
