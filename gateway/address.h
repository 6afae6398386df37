/* address.h - socket addresses as people write them: "502", "127.0.0.1:502", "[::1]:502"; and when a
 * peer at one counts as gone. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT_MAX = 64 };

/* Reads ADDR:PORT, [IPv6]:PORT or PORT alone (all addresses, IPv6 and IPv4).  Addresses are numeric:
 * nothing is looked up.  False: it is none of these. */
bool address_parse(const char *text, struct sockaddr_storage *address, socklen_t *length);

/* Writes address and port as address_parse() reads them; IPv4 in IPv6 is written as IPv4. */
void address_format(const struct sockaddr_storage *address, char text[static ADDRESS_TEXT_MAX]);

/* Writes the address alone. */
void address_format_host(const struct sockaddr_storage *address, char text[static ADDRESS_TEXT_MAX]);

/* The port, its change, and the size of the struct that the kernel wants. */
int address_port(const struct sockaddr_storage *address);
void address_set_port(struct sockaddr_storage *address, int port);
socklen_t address_length(const struct sockaddr_storage *address);

/* Closes a TCP connection with a reset, so that the other side knows at once. */
void address_reset(int fd);

/* Out of descriptors: gives up the reserve (any open descriptor) to let the next connection in and reset it, else it
 * would wake the loop for ever; then takes a reserve again. */
void address_refuse_next(int listener, int *reserve_fd);

/* Takes the next connection of a listener; it does not block.  -1: there was none, or with errno EMFILE or ENFILE no
 * descriptor for it: it was refused, see address_refuse_next(). */
int address_accept(int listener, int *reserve_fd, struct sockaddr_storage *address);

/* True if both are the same host, whatever the ports. */
bool address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* True if the peer of this connection is a program on this very machine: it has the address at which it reached us,
 * which nobody can have who comes over a network. */
bool address_is_of_this_machine(int fd, const struct sockaddr_storage *peer);

/* A non-blocking TCP socket that listens there; all addresses of IPv6 are those of IPv4 too, and of IPv4
 * alone on a machine without IPv6.  -1 with errno. */
int address_listen(const struct sockaddr_storage *address, socklen_t length, int backlog);

/* Writes what to do when an address cannot be listened at, errno `problem`, and --OPTION asks for it. */
void address_remedy(int problem, const char *option, char *text, size_t capacity);

/* Has the kernel probe a silent TCP peer after idle_s, then each interval_s; after `probes` without an
 * answer the connection fails. */
void address_keep_alive(int fd, int idle_s, int interval_s, int probes);

/* The connection fails as well if its TCP peer acknowledges nothing of what was sent, or takes nothing, for this long:
 * while something is under way the kernel does not probe. */
void address_give_up(int fd, int after_s);

#endif
