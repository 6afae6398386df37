#include "uarts.h"

#include "cortexm.h"
#include "ring.h"

/* A ring holds what comes in 22 ms of the fastest line, longer than the loop is ever busy with a telegram. */
static struct uart {
    struct ring heard;
    volatile uint32_t heard_us; /* when the last byte came, modulo 2^32 */
    volatile uint32_t errors;   /* ever */
    uint32_t errors_told;
    const uint8_t *next; /* to send; the interrupt's while `left` is not 0 */
    volatile size_t left;
    volatile bool sending;
} uarts[UART_N];

/* --- of interrupts ---------------------------------------------------------------------------- */

void uart_heard(enum board_uart uart, uint8_t byte)
{
    uarts[uart].heard_us = (uint32_t)clock_us();
    if (!ring_put(&uarts[uart].heard, byte))
        uart_heard_badly(uart);
}

void uart_heard_badly(enum board_uart uart)
{
    uarts[uart].errors++;
}

bool uart_next(enum board_uart uart, uint8_t *byte)
{
    struct uart *u = &uarts[uart];
    size_t left = u->left;
    if (left == 0)
        return false;
    *byte = *u->next++;
    u->left = left - 1;
    return true;
}

bool uart_awaits_end(enum board_uart uart)
{
    return uarts[uart].sending && uarts[uart].left == 0;
}

void uart_sent(enum board_uart uart)
{
    uarts[uart].sending = false;
}

/* --- of the loop ------------------------------------------------------------------------------ */

void uart_queue(enum board_uart uart, const uint8_t *bytes, size_t n)
{
    struct uart *u = &uarts[uart];
    u->next = bytes;
    u->left = n;
    u->sending = true;
}

bool uart_has_heard(void)
{
    for (size_t uart = 0; uart < UART_N; uart++)
        if (uarts[uart].heard.put != uarts[uart].heard.taken)
            return true;
    return false;
}

void uart_drop(enum board_uart uart)
{
    ring_clear(&uarts[uart].heard);
}

/* The time is read after the bytes: one that comes in between makes it too late by a character, never too early. */
size_t uart_read(enum board_uart uart, uint8_t *bytes, size_t max, int64_t *at_us)
{
    struct uart *u = &uarts[uart];
    size_t n = ring_take(&u->heard, bytes, max);
    uint32_t heard_us = u->heard_us;
    int64_t now_us = clock_us();
    *at_us = now_us - (uint32_t)((uint32_t)now_us - heard_us);
    return n;
}

unsigned uart_errors(enum board_uart uart)
{
    struct uart *u = &uarts[uart];
    uint32_t errors = u->errors, fresh = errors - u->errors_told;
    u->errors_told = errors;
    return fresh;
}

bool uart_is_sending(enum board_uart uart)
{
    return uarts[uart].sending;
}
