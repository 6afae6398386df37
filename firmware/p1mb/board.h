/* board.h - what a board can do for the P1MB: two UARTs, lights, a clock, settings that last.
 *
 * One struct of functions, so that main.c and core/ know no register.  Interrupts stay below it: they fill rings that
 * uart_read() empties, and send what uart_write() was given.
 */
#ifndef BOARD_H
#define BOARD_H

#include "flash.h"

#include <stddef.h>

enum board_uart { UART_P1, UART_RS485, UART_N };
enum board_light { LIGHT_PWR, LIGHT_P1, LIGHT_RS485, LIGHT_N };

struct board {
    const char *name;
    const char *serial; /* digits and upper-case hex letters; of the chip where it has one */
    struct flash flash;

    /* Clocks, pins, interrupts, watchdog; raises the data request line. */
    void (*start)(void);
    /* Microseconds since the start. */
    int64_t (*now_us)(void);
    /* Sleeps until an interrupt, some milliseconds at most. */
    void (*sleep)(void);
    /* The watchdog resets the board about 2 s after the last call. */
    void (*feed_watchdog)(void);
    void (*reboot)(void);

    /* Sets a UART's line, 8N1 or 8E1; what it had received is dropped. */
    void (*uart_set)(enum board_uart uart, uint32_t baud, bool even_parity);
    /* Takes up to `max` received bytes; *at_us is when the last byte came, also where it is not among them. */
    size_t (*uart_read)(enum board_uart uart, uint8_t *bytes, size_t max, int64_t *at_us);
    /* Bytes that were lost, or came with a bad parity or stop bit, since the last call. */
    unsigned (*uart_errors)(enum board_uart uart);
    /* Sends n bytes, which stay readable until uart_is_sending() is false.  On the bus, the driver is on for just as
     * long. */
    void (*uart_write)(enum board_uart uart, const uint8_t *bytes, size_t n);
    bool (*uart_is_sending)(
        enum board_uart uart); /* to be asked again and again: it may be what ends it */

    void (*set_light)(enum board_light light, bool lit);
    void (*set_termination)(bool on);
};

/* The board this firmware is built for. */
extern const struct board board;

#endif
