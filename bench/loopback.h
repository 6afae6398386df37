/* loopback.h - what all programs of the bench share: sockets on 127.0.0.1, a clock, an end.
 *
 * These programs measure or are measured against; a failure of theirs ends them with a line.
 */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_ns(void);

/* Sleeps until clock_ns() is at least this. */
void sleep_until_ns(uint64_t until_ns);

/* Prints "WHAT: the error of errno" and exits with 1; fail() prints WHAT alone. */
_Noreturn void die(const char *what);
_Noreturn void fail(const char *what);

/* A whole number from min to max, or the end: `what` names it. */
long number_argument(const char *text, const char *what, long min, long max);

/* A listening socket on a port of 127.0.0.1. */
int loopback_listen(int port);

/* Takes the next connection, without Nagle's delay. */
int loopback_accept(int listener);

/* A blocking connection to a port of 127.0.0.1, without Nagle's delay. */
int loopback_connect(int port);

/* An epoll set; loopback_watch() adds fd for reading, with fd itself as the event's data. */
int loopback_epoll(void);
void loopback_watch(int epoll_fd, int fd);

/* A raw, blocking serial line (or pseudo-terminal) at 115200 Bd. */
int serial_open(const char *path);

#endif
