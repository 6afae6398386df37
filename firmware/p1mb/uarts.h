/* uarts.h - what the UARTs of all boards share: what came, and what is to be sent.
 *
 * The board's interrupts move single bytes between these and its registers.
 */
#ifndef UARTS_H
#define UARTS_H

#include "board.h"

/* The board's interrupts tell: this byte came; one was lost, or came with a bad parity or stop bit. */
void uart_heard(enum board_uart uart, uint8_t byte);
void uart_heard_badly(enum board_uart uart);

/* The next byte to send.  False: there is none, all were handed out. */
bool uart_next(enum board_uart uart, uint8_t *byte);

/* True if all bytes were handed out, and the last of them was not reported by uart_sent(). */
bool uart_awaits_end(enum board_uart uart);

/* The last stop bit has left. */
void uart_sent(enum board_uart uart);

/* Takes bytes to send, for uart_next(); call it with interrupts off. */
void uart_queue(enum board_uart uart, const uint8_t *bytes, size_t n);

/* True if something that was heard has not been taken. */
bool uart_has_heard(void);

/* Drops what was heard. */
void uart_drop(enum board_uart uart);

/* What all boards have alike, of their struct board: from here, and from cortexm.h. */
#define BOARD_SHARED \
    .now_us = clock_us, .sleep = core_sleep, .reboot = core_reset, .uart_read = uart_read, \
    .uart_errors = uart_errors

/* These are the board's (board.h). */
size_t uart_read(enum board_uart uart, uint8_t *bytes, size_t max, int64_t *at_us);
unsigned uart_errors(enum board_uart uart);
bool uart_is_sending(enum board_uart uart);

#endif
