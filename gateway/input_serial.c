/* input_serial.c - a serial line, always 8N1: seven-bit senders carry their parity in bit 7, where
 * software checks it, and a pseudo-terminal cannot do otherwise. */
#include "input.h"
#include "serial_port.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DEFAULT_BAUD = 115200 };

struct input_serial {
    struct input base;
    struct loop_fd watch;
    unsigned baud;
    char path[160];
};

static struct input_serial *serial(struct input *in)
{
    return CONTAINER_OF(in, struct input_serial, base);
}

static bool serial_configure(struct input *in, const char *rest, char error[static INPUT_ERROR_MAX])
{
    struct input_serial *s = serial(in);
    if (rest[0] != '/' || strlen(rest) >= sizeof s->path) {
        snprintf(error, INPUT_ERROR_MAX,
                 "\"serial:%.80s\": the device must be an absolute path such as /dev/ttyUSB0", rest);
        return false;
    }
    snprintf(s->path, sizeof s->path, "%s", rest);
    s->watch.fd = -1;
    s->baud = DEFAULT_BAUD;
    return true;
}

static struct serial_line line_of(const struct input_serial *s)
{
    return (struct serial_line){.baud = s->baud};
}

static void on_serial(struct loop_fd *watch, uint32_t events)
{
    struct input_serial *s = CONTAINER_OF(watch, struct input_serial, watch);
    uint8_t bytes[INPUT_READ_MAX];
    ssize_t n = read(watch->fd, bytes, sizeof bytes);
    (void)events;
    if (n > 0)
        input_bytes(&s->base, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        input_lost(&s->base, n == 0 ? "the device is gone" : strerror(errno));
}

static void serial_open(struct input *in)
{
    struct input_serial *s = serial(in);
    const struct serial_line line = line_of(s);
    const char *problem;
    int fd = serial_port_open(s->path, &line, &problem);
    s->watch = (struct loop_fd){.ready = on_serial, .fd = fd};
    if (fd < 0) {
        input_lost(in, problem);
        return;
    }
    /* The P1 data request line: some adapters wire DTR or RTS to it. */
    int lines = TIOCM_DTR | TIOCM_RTS;
    ioctl(fd, TIOCMBIS, &lines);
    if (loop_watch(in->loop, &s->watch, EPOLLIN) < 0)
        input_lost(in, strerror(errno));
    else
        input_opened(in, s->path);
}

static void serial_close(struct input *in)
{
    struct input_serial *s = serial(in);
    if (s->watch.fd < 0)
        return;
    loop_watch(in->loop, &s->watch, 0);
    serial_port_close(s->watch.fd);
    s->watch.fd = -1;
}

static void serial_set_speed(struct input *in, unsigned baud)
{
    struct input_serial *s = serial(in);
    s->baud = baud;
    const struct serial_line line = line_of(s);
    if (s->watch.fd >= 0)
        (void)serial_port_set(s->watch.fd, &line);
}

const struct input_kind input_kind_serial = {
    .scheme = "serial:",
    .size = sizeof(struct input_serial),
    .configure = serial_configure,
    .open = serial_open,
    .close = serial_close,
    .set_speed = serial_set_speed,
};
