/* rs485.h - who drives the bus: the direction of a half-duplex RS485 port, and its terminating resistor. */
#ifndef RS485_H
#define RS485_H

#include <stdbool.h>

enum rs485_direction {
    DIRECTION_AUTO, /* the kernel where the port's driver can, else RTS where there is one, else nobody */
    DIRECTION_KERNEL, /* TIOCSRS485: the driver turns the bus at the last stop bit */
    DIRECTION_RTS,    /* we raise RTS before an answer, and drop it when it has left */
    DIRECTION_NONE    /* the adapter does it by itself */
};

struct rs485 {
    int fd;
    enum rs485_direction used; /* never DIRECTION_AUTO */
    bool terminated;           /* the resistor is on */
    bool tells_empty;          /* the driver knows when the last bit has left */
};

/* Takes a port over, in the direction of receiving.  False: the port cannot do what is asked for (DIRECTION_KERNEL,
 * DIRECTION_RTS).  A resistor that cannot be switched is no error: see terminated. */
bool rs485_open(struct rs485 *r, int fd, enum rs485_direction wanted, bool termination);

/* To be called before an answer is written. */
void rs485_begin_sending(const struct rs485 *r);

/* To be called when the answer should have left.  False: some of it has not; try again a character later.  With `now`
 * the bus is given back all the same. */
bool rs485_end_sending(const struct rs485 *r, bool now);

#endif
