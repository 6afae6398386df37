/* serial_port.h - a serial line that is ours alone: raw, 8 data bits, no flow control. */
#ifndef SERIAL_PORT_H
#define SERIAL_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct serial_line {
    unsigned baud;    /* 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200 */
    bool even_parity; /* else none; one stop bit either way */
    bool mark_errors; /* hand over bytes with a bad parity or stop bit as marks: see serial_unmark() */
};

/* Opens a port, claims it for this process and sets the line.  The descriptor, which does not block; -1: *problem says
 * why, in words to follow the port's name. */
int serial_port_open(const char *path, const struct serial_line *line, const char **problem);

/* Sets the line of an open port; what was received before is thrown away. */
bool serial_port_set(int fd, const struct serial_line *line);

/* Writes n bytes at once, or none: what is still queued of an earlier write never left, and is thrown away.  False with
 * errno: the port is gone. */
bool serial_port_write(int fd, const uint8_t *bytes, size_t n);

/* Gives the claim up and closes; -1 is fine. */
void serial_port_close(int fd);

/* Takes marks out of what was read from a port with mark_errors (termios(3), PARMRK): FF FF is FF, FF 00 x a bad x. */
struct serial_unmark {
    uint8_t seen; /* bytes of a mark that has not ended; start with 0 */
};

/* Writes the good ones of n bytes to `good` (n bytes long, may be `bytes` itself), and returns how many; *bad counts
 * the others. */
size_t serial_unmark(struct serial_unmark *u, const uint8_t *bytes, size_t n, uint8_t *good,
                     unsigned *bad);

#endif
