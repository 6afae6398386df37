/* http_auth.h - who may come in: the login, checked on a worker, and the token of /metrics.
 *
 * A right login is remembered as a keyed digest, so only the first request of a user costs a slow hash.  All ways
 * in go through the same throttle.
 */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include "authorization.h"
#include "login.h"
#include "throttle.h"
#include "worker.h"

enum { HTTP_AUTH_DIGEST = 32 };

enum auth_result {
    AUTH_PASSED,
    AUTH_MISSING, /* no Authorization field */
    AUTH_WRONG,
    AUTH_LOCKED, /* too many wrong ones from this address: whatever it sent, it must wait */
    AUTH_LATER   /* too many checks just now */
};

/* One check; part of whatever waits for it, and its own until done is called. */
struct auth_check {
    const struct sockaddr_storage *address;
    const char *authorization; /* the field's value; NULL: there is none */
    size_t length;
    bool takes_token; /* a bearer token will do, too */
    void (*done)(struct auth_check *check, enum auth_result result, int64_t wait_ms);
    struct auth_check *next; /* private */
};

struct auth {
    struct loop *loop;
    const char *state_dir; /* "": nothing is kept */
    const char *token;     /* of /metrics, in the configuration; "": none */
    struct throttle throttle;
    /* private */
    char hash[LOGIN_HASH_MAX], checked_hash[LOGIN_HASH_MAX]; /* now, and that of the worker */
    unsigned char key[HTTP_AUTH_DIGEST], good[HTTP_AUTH_DIGEST];
    bool has_good;
    struct auth_check *waiting, *running;
    struct worker_job job;
    unsigned char digest[HTTP_AUTH_DIGEST]; /* of what the worker checks */
    struct authorization_login login;       /* and what it is given */
    bool right;
    struct worker_job save;
    bool save_again;
    char locks[THROTTLE_TEXT_MAX];
    size_t locks_length;
};

/* Takes over the locks that were kept.  The strings stay the caller's.  False: no random numbers, or too
 * little memory to know the locks. */
bool auth_init(struct auth *a, struct loop *l, const char *state_dir, const char *token,
               const char *login_hash);

/* Checks; done is called at once or later, from the loop. */
void auth_begin(struct auth *a, struct auth_check *check);

/* Another password opens from now on; who is logged in must log in anew. */
void auth_use_hash(struct auth *a, const char *hash);

/* A wrong password was given in another way than to log in: it counts all the same. */
void auth_note_wrong(struct auth *a, const struct sockaddr_storage *address);

/* Forgets the locks: after a factory reset. */
void auth_forget_locks(struct auth *a);

/* Waits for the workers; checks that wait are never answered. */
void auth_close(struct auth *a);

#endif
