#include "serial_port.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static speed_t speed_of(unsigned baud)
{
    static const struct {
        unsigned baud;
        speed_t speed;
    } speeds[] = {{1200, B1200},   {2400, B2400},   {4800, B4800},   {9600, B9600},
                  {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200}};
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        if (speeds[i].baud == baud)
            return speeds[i].speed;
    return B9600;
}

/* A pseudo-terminal has no parity, which the C library takes for an error; everything else must be as it was set. */
static bool is_all_but_parity(int fd, const struct termios *wanted)
{
    struct termios t;
    return tcgetattr(fd, &t) == 0 && cfgetospeed(&t) == cfgetospeed(wanted) &&
           (t.c_cflag | PARENB) == (wanted->c_cflag | PARENB) && t.c_iflag == wanted->c_iflag;
}

/* Raw, receiver on.  Break and errors come as bytes, or as marks. */
static bool set_line(int fd, const struct serial_line *line)
{
    struct termios t;
    if (tcgetattr(fd, &t) < 0)
        return false;
    cfmakeraw(&t);
    t.c_iflag &= ~(tcflag_t)INPCK;
    if (line->mark_errors)
        t.c_iflag |= INPCK | PARMRK;
    t.c_cflag = (t.c_cflag & ~(tcflag_t)(CSTOPB | CRTSCTS | PARODD)) | CREAD | CLOCAL;
    if (line->even_parity)
        t.c_cflag |= PARENB;
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    cfsetispeed(&t, speed_of(line->baud));
    cfsetospeed(&t, speed_of(line->baud));
    return tcsetattr(fd, TCSANOW, &t) == 0 || (errno == EINVAL && is_all_but_parity(fd, &t));
}

bool serial_port_set(int fd, const struct serial_line *line)
{
    return set_line(fd, line) && tcflush(fd, TCIFLUSH) == 0;
}

/* A second reader would take half of the bytes.  The lock stops another of us even as root, the mode
 * stops everyone else. */
static bool claim(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return false;
    ioctl(fd, TIOCEXCL);
    return true;
}

/* Adapters on USB collect bytes for up to 16 ms unless they are told not to. */
static void ask_for_low_latency(int fd)
{
    struct serial_struct s;
    if (ioctl(fd, TIOCGSERIAL, &s) == 0 && !(s.flags & (int)ASYNC_LOW_LATENCY)) {
        s.flags |= (int)ASYNC_LOW_LATENCY;
        ioctl(fd, TIOCSSERIAL, &s);
    }
}

/* What is wrong with an open port; NULL: it is ours. */
static const char *take_over(int fd, const struct serial_line *line)
{
    if (!claim(fd))
        return "another program reads it";
    if (!serial_port_set(fd, line))
        return errno == ENOTTY ? "not a serial device" : strerror(errno);
    ask_for_low_latency(fd);
    return NULL;
}

int serial_port_open(const char *path, const struct serial_line *line, const char **problem)
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        *problem = errno == EBUSY ? "another program reads it" : strerror(errno);
    else if ((*problem = take_over(fd, line)) != NULL) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool serial_port_write(int fd, const uint8_t *bytes, size_t n)
{
    int queued;
    if (ioctl(fd, TIOCOUTQ, &queued) == 0 && queued > 0)
        tcflush(fd, TCOFLUSH);
    return write(fd, bytes, n) >= 0 || errno == EAGAIN || errno == EINTR;
}

void serial_port_close(int fd)
{
    if (fd < 0)
        return;
    ioctl(fd, TIOCNXCL);
    close(fd);
}

/* How much of a mark has been seen. */
enum { NO_MARK, MARK_FF, MARK_FF_00 };

size_t serial_unmark(struct serial_unmark *u, const uint8_t *bytes, size_t n, uint8_t *good,
                     unsigned *bad)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = bytes[i];
        if (u->seen == NO_MARK && c == 0xFF) {
            u->seen = MARK_FF;
        } else if (u->seen == MARK_FF && c == 0) {
            u->seen = MARK_FF_00;
        } else {
            *bad += u->seen == MARK_FF_00;
            if (u->seen != MARK_FF_00)
                good[used++] = c;
            u->seen = NO_MARK;
        }
    }
    return used;
}
