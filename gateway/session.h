/* session.h - one user at a time: the address that used the interface last holds it for 60 seconds.
 *
 * Pure: the clock is passed in, monotonic milliseconds.  A zeroed session is free.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { SESSION_MS = 60000 };

struct session {
    struct sockaddr_storage address;
    int64_t used_ms;
    int streams; /* open event streams of its holder: they hold it as well */
    bool held;
};

/* May a request from this address pass?  True: it holds the session from now on.  False: another address
 * does.  Ports do not count, and IPv4 in IPv6 is IPv4. */
bool session_admit(struct session *s, const struct sockaddr_storage *address, int64_t now_ms);

/* An event stream of the holder begins, ends; its end counts as use. */
void session_begin_stream(struct session *s);
void session_end_stream(struct session *s, int64_t now_ms);

/* True if somebody holds it at this moment. */
bool session_is_held(const struct session *s, int64_t now_ms);

/* Milliseconds until it is free; 0: it is.  While an event stream is open: SESSION_MS. */
int64_t session_left_ms(const struct session *s, int64_t now_ms);

/* Frees it.  Its streams do not hold it any more: close them first, or without session_end_stream(), which
 * would end those of the next holder. */
void session_end(struct session *s);

#endif
