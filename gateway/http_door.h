/* http_door.h - connections of the HTTP doors: who gets in, how long he may take, and the library's turn on our loop.
 *
 * We accept ourselves and hand the sockets to libmicrohttpd, which has no thread of its own: so a connection is
 * counted before a byte of it is parsed, a deadline is a shutdown() from outside, and one round of the loop begins
 * one handshake at most.
 */
#ifndef HTTP_DOOR_H
#define HTTP_DOOR_H

#include "address.h"
#include "loop.h"

#include <microhttpd.h>

enum {
    HTTP_CONNECTIONS = 64, /* at the same time, in all */
    HTTP_CONNECTIONS_PER_ADDRESS = 8,
    HTTP_REQUEST_MS =
        10000, /* for a whole request, from the first byte (or the connection's begin) to its last */
    HTTP_IDLE_MS = 30000,   /* between two requests */
    HTTP_ANSWER_MS = 60000, /* for taking an answer */
    HTTP_EVICTABLE_MS =
        1000 /* in a full house who has been waiting for a request this long may go */
};

struct http_door;

struct http_connection {
    struct http_door *door; /* NULL: the place is free */
    struct sockaddr_storage address;
    int fd;
    int64_t since_ms;    /* in this state */
    int64_t deadline_ms; /* INT64_MAX: none */
    bool busy;           /* a request was begun and not finished yet */
    bool served;         /* one was finished: who idles after that is the first to go */
    bool from_here;      /* a program on this machine: the gateway itself, when it tries its page */
};

/* Places for connections; the doors share them. */
struct http_places {
    struct http_connection list[HTTP_CONNECTIONS];
    uint64_t refused; /* connections: full house, or too many of one address */
};

struct http_door_settings {
    const char *listen; /* see address_parse() */
    const char *option; /* its name, for errors */
    struct http_places *places;
    /* MHD's options behind those of the door: an array that ends with MHD_OPTION_END. */
    const struct MHD_OptionItem *options;
    unsigned flags; /* MHD_USE_TLS or 0 */
    MHD_AccessHandlerCallback handler;
    /* Did a right login come from there?  Then a stranger's place is his where there is no other, as it is for programs
     * on this machine. */
    bool (*is_known)(void *context, const struct sockaddr_storage *address);
    void *context;     /* of both */
    void *tls_context; /* gnutls_session_get_ptr() of a connection's session */
};

enum { HTTP_DOOR_ERROR_MAX = 320 };

/* Listens, and serves from now on.  NULL: `error` says why, with errno. */
struct http_door *http_door_open(struct loop *l, const struct http_door_settings *settings,
                                 char error[static HTTP_DOOR_ERROR_MAX]);

/* Ends all connections.  Suspended ones must have been resumed before. */
void http_door_close(struct http_door *d);

/* Lets the library work in the next round of the loop: after a resume. */
void http_door_kick(struct http_door *d);

/* The library had something to do: it need not wait for the next event. */
void http_door_note_work(struct http_door *d);

/* The place of a connection of the library. */
struct http_connection *http_connection_of(struct MHD_Connection *connection);

/* From now on the connection has this long; INT64_MAX: as long as it likes.  busy: a request is under way. */
void http_connection_allow(struct http_connection *c, int64_t ms, bool busy);

/* A request is under way: the connection has this long, and no longer than it had already. */
void http_connection_hurry(struct http_connection *c, int64_t ms);

/* Where it listens. */
const struct sockaddr_storage *http_door_bound(const struct http_door *d);

#endif
