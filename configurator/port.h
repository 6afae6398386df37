/* port.h - a serial port, and which there are: all of this program that depends on the operating system. */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PORT_PATH_MAX = 128, PORT_TEXT_MAX = 64, PORT_PROBLEM_MAX = 256, PORTS_MAX = 32 };

struct port {
    char path[PORT_PATH_MAX];
    /* of the USB adapter, printable; empty: unknown */
    char product[PORT_TEXT_MAX], maker[PORT_TEXT_MAX], serial[PORT_TEXT_MAX];
    char problem[PORT_PROBLEM_MAX]; /* why one may not open it, and what to do; empty: one may */
};

/* Lists the ports a P1MB may be at, in the order of their names, and returns how many.  `root` is a folder in which dev
 * and sys are; "" is the machine's. */
size_t port_list(const char *root, struct port *ports, size_t max);

/* Opens a port at 115200 8N1 for this process alone.  -1: `problem` says why, to follow the port's name. */
int port_open(const char *path, char problem[static PORT_PROBLEM_MAX]);

/* Waits for bytes until `until_ms` of port_now_ms().  How many came; 0: none; -1: see port_is_interrupted(), or the
 * port is gone. */
int port_read(int fd, uint8_t *bytes, size_t n, int64_t until_ms);

/* Throws away what was received, and sends n bytes.  False: the port is gone. */
bool port_ask(int fd, const uint8_t *bytes, size_t n);

/* Gives a port back. */
void port_close(int fd);

/* Milliseconds of a clock that never jumps. */
int64_t port_now_ms(void);

/* From now on Ctrl-C, and what else ends a program, ends the wait of port_read() instead.  port_is_interrupted() says
 * whether it came, port_go_on() forgets it. */
void port_catch_interrupts(void);
bool port_is_interrupted(void);
void port_go_on(void);

#endif
