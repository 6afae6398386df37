/* throttle.h - wrong logins cost time: by address, so that nobody locks another one out.
 *
 * An address that failed five times in a row is locked for 60 s, and for twice as long with each failure
 * after that, up to an hour.  A right login forgets its failures; so does a day without any.  Failures of IPv6
 * addresses count by their /64, of link-local ones (whose /64 is everybody) and known ones each for itself.  A
 * known one that locks itself locks its /64, and counts with it from then on.
 *
 * Who is not locked shares the checks with others of his kind, so that no crowd keeps the processor busy:
 *
 *   known     logged in rightly before, one of the last eight    ten a second
 *   suspects  failed                                             one a second
 *   fresh     nothing known of them                              ten a second; one while the table is full
 *
 * Only a whole address is known, none of its neighbours in the /64, and it stays so until it is locked: neither
 * a crowd nor a slip of the fingers keeps the owner out.  The table is full when 256 addresses failed within a
 * day.  Then the fresh ones can be a crowd that is forgotten as fast as it fails, so together they get no more
 * than the suspects.
 *
 * Pure: the clock is passed in, monotonic milliseconds.
 */
#ifndef THROTTLE_H
#define THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    THROTTLE_ADDRESSES = 256, /* remembered at the same time */
    THROTTLE_KNOWN = 8,
    THROTTLE_FREE_FAILURES = 5,  /* the last of them locks */
    THROTTLE_MOST_FAILURES = 99, /* counted; more make no difference */
    THROTTLE_FIRST_LOCK_S = 60,
    THROTTLE_LONGEST_LOCK_S = 3600,
    THROTTLE_FORGET_S = 86400,
    THROTTLE_LINE_MAX = 41, /* 32 hex digits, 2 and 4 decimal ones, two blanks, line feed */
    THROTTLE_TEXT_MAX = THROTTLE_ADDRESSES * THROTTLE_LINE_MAX + 1
};

/* An address that failed; private but for tests. */
struct throttle_entry {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d; IPv6: /64, rest 0; link-local and known ones whole */
    int failures;        /* 0: the place is free */
    int64_t locked_until_ms, last_failure_ms;
};

/* So many checks in the second that begins with the first of them. */
struct throttle_quota {
    int64_t since_ms;
    int count;
};

struct throttle {
    uint64_t failures; /* all wrong logins since start */
    /* private */
    struct throttle_entry entries[THROTTLE_ADDRESSES];
    struct throttle_quota known_quota, suspects_quota, fresh_quota;
    struct {
        uint8_t address[16];
        bool used;
    } known[THROTTLE_KNOWN];
    int next_known; /* the place that is taken next: of the one that came first */
};

/* Knows nobody. */
void throttle_init(struct throttle *t);

/* May a login from this address be checked now?  0: yes, and it counts as begun.  Else the milliseconds after
 * which to ask again; the login must be refused whether right or wrong. */
int64_t throttle_ask(struct throttle *t, const struct sockaddr_storage *address, int64_t now_ms);

/* Tells how a check ended.  A full table forgets, to make room, an address that is not locked: that with the
 * fewest failures, and of these the one that failed longest ago; if all are locked, the one whose lock ends
 * first.  True from throttle_failed: the address is locked now, so the table should be kept. */
bool throttle_failed(struct throttle *t, const struct sockaddr_storage *address, int64_t now_ms);
void throttle_passed(struct throttle *t, const struct sockaddr_storage *address);

/* True if a right login came from this address and no lock since.  Whoever keeps right logins in a cache may
 * answer those of known addresses from it without asking.  For others he must ask first: who is only told to
 * wait would else see the right guess among any number of wrong ones. */
bool throttle_is_known(const struct throttle *t, const struct sockaddr_storage *address);

/* Milliseconds this address is still locked; 0: it is not. */
int64_t throttle_locked_ms(const struct throttle *t, const struct sockaddr_storage *address,
                           int64_t now_ms);

/* The addresses that were locked, as text to keep, a line each: address in hex, failures, seconds left
 * ("00000000000000000000ffffc0000207 6 118\n"; 0: the lock is over, its failures still count).  Returns the
 * length written, without the terminating NUL.  Lines that do not fit are left out; THROTTLE_TEXT_MAX holds
 * them all, and the capacity is at least 1. */
size_t throttle_write(const struct throttle *t, int64_t now_ms, char *text, size_t capacity);

/* Takes over what throttle_write() made; the seconds left count anew from now_ms, and so does the day after
 * which failures are forgotten.  Lines that are no such lines, and numbers out of range, are skipped: a
 * damaged file locks nobody for ever.  Returns the lines taken. */
size_t throttle_read(struct throttle *t, int64_t now_ms, const char *text);

#endif
