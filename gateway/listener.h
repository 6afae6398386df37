/* listener.h - a TCP socket that listens: one of our own, or one that systemd opened for us.
 *
 * systemd may listen at ports that need a privilege and hand the sockets over when it starts us (socket activation).
 * Which door one is for is found by the address it is bound to.  One that no door uses refuses connections at once: in
 * systemd's hands it goes on to listen, and a client would wait for nobody.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "address.h"
#include "loop.h"

enum { LISTENER_INHERITED_MAX = 16, LISTENER_ERROR_MAX = 240 };

/* Begins zeroed but for what its owner sets. */
struct listener {
    /* Takes over a connection: non-blocking, closed on exec. */
    void (*accepted)(struct listener *l, int fd, const struct sockaddr_storage *address);
    uint64_t *refused; /* counts connections there was no descriptor for; NULL: nobody counts */
    int backlog;       /* connections that may wait to be accepted */
    /* to be read */
    struct sockaddr_storage bound;
    /* private */
    struct loop *loop; /* NULL: closed */
    struct loop_fd watch;
    int reserve_fd;          /* given up to be able to refuse when descriptors run out */
    struct loop_timer pause; /* nobody can be accepted, or refused */
};

/* Takes over what systemd handed to this process, once, before the first listener is opened; sockets that are no TCP
 * listeners are closed and named in the log.  Without any it does nothing.  Does not block. */
void listener_inherit(struct loop *l);

/* Closes what was inherited, when all listeners are closed; systemd's own hold on it stays. */
void listener_disinherit(void);

/* Listens at ADDR:PORT, [IPV6]:PORT or PORT, with the inherited socket that is bound there if there is one.  `option`
 * asks for it.  False with errno: `error` says why and what to do, without naming the address. */
bool listener_open(struct listener *l, struct loop *loop, const char *where, const char *option,
                   char error[static LISTENER_ERROR_MAX]);

/* Listens at another port of the same address from now on.  False with errno: it listens where it did. */
bool listener_move(struct listener *l, int port);

/* Stops listening; connections that were accepted stay.  One that is closed, or zeroed, is left alone. */
void listener_close(struct listener *l);

#endif
