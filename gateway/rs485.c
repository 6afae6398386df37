#include "rs485.h"

#include <linux/serial.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#ifndef SER_RS485_TERMINATE_BUS
#define SER_RS485_TERMINATE_BUS (1 << 5) /* Linux 4.20 */
#endif

enum { ENABLED = SER_RS485_ENABLED, TERMINATED = SER_RS485_TERMINATE_BUS };

/* Sets the driver, and reads back: it leaves out what it cannot do. */
static bool set_kernel(struct rs485 *r, struct serial_rs485 wanted)
{
    struct serial_rs485 s;
    memset(&s, 0, sizeof s);
    if (ioctl(r->fd, TIOCSRS485, &wanted) < 0 || ioctl(r->fd, TIOCGRS485, &s) < 0)
        return false;
    r->terminated = (s.flags & TERMINATED) != 0;
    return (s.flags & ENABLED) == (wanted.flags & ENABLED);
}

/* The polarity and delays that a board's maker has set stay. */
static bool ask_kernel(struct rs485 *r, bool termination)
{
    struct serial_rs485 s;
    memset(&s, 0, sizeof s);
    if (ioctl(r->fd, TIOCGRS485, &s) < 0)
        return false;
    if (!(s.flags & ENABLED))
        s.flags = ENABLED | SER_RS485_RTS_ON_SEND;
    s.flags &= ~(unsigned)TERMINATED;
    struct serial_rs485 terminated = s;
    terminated.flags |= TERMINATED;
    if (!(termination && set_kernel(r, terminated)) && !set_kernel(r, s))
        return false;
    r->used = DIRECTION_KERNEL;
    return true;
}

/* Somebody else turns the bus: the driver must not. */
static void leave_kernel(struct rs485 *r)
{
    struct serial_rs485 s;
    memset(&s, 0, sizeof s);
    if (ioctl(r->fd, TIOCGRS485, &s) < 0 || !(s.flags & ENABLED))
        return;
    s.flags &= ~(unsigned)ENABLED;
    (void)set_kernel(r, s);
}

static bool set_rts(int fd, bool on)
{
    int rts = TIOCM_RTS;
    return ioctl(fd, on ? TIOCMBIS : TIOCMBIC, &rts) == 0;
}

static bool take_rts(struct rs485 *r)
{
    if (!set_rts(r->fd, false))
        return false;
    r->used = DIRECTION_RTS;
    return true;
}

bool rs485_open(struct rs485 *r, int fd, enum rs485_direction wanted, bool termination)
{
    unsigned unused;
    *r = (struct rs485){
        .fd = fd, .used = DIRECTION_NONE, .tells_empty = ioctl(fd, TIOCSERGETLSR, &unused) == 0};
    if ((wanted == DIRECTION_AUTO || wanted == DIRECTION_KERNEL) && ask_kernel(r, termination))
        return true;
    if (wanted == DIRECTION_KERNEL)
        return false;
    leave_kernel(r);
    if (wanted == DIRECTION_NONE || take_rts(r))
        return true;
    return wanted == DIRECTION_AUTO;
}

void rs485_begin_sending(const struct rs485 *r)
{
    if (r->used == DIRECTION_RTS)
        (void)set_rts(r->fd, true);
}

bool rs485_end_sending(const struct rs485 *r, bool now)
{
    unsigned status = 0;
    bool empty =
        !r->tells_empty || ioctl(r->fd, TIOCSERGETLSR, &status) < 0 || (status & TIOCSER_TEMT);
    if (!empty && !now)
        return false;
    if (r->used == DIRECTION_RTS)
        (void)set_rts(r->fd, false);
    return true;
}
