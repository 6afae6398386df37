#include "http_auth.h"

#include "address.h"
#include "atomic_file.h"
#include "heap.h"
#include "log.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define LOCKS_FILE "locks"

/* --- locks that outlive a restart ------------------------------------------------------------- */

static void write_locks(struct worker_job *job)
{
    const struct auth *a = CONTAINER_OF(job, struct auth, save);
    if (!atomic_file_write(a->state_dir, LOCKS_FILE, a->locks, a->locks_length))
        log_warning("http", "%s/%s: %s; a restart will forget the locks", a->state_dir, LOCKS_FILE,
                    strerror(errno));
}

static void keep_locks(struct auth *a)
{
    a->save_again = a->save.busy;
    if (a->state_dir[0] == 0 || a->save.busy)
        return;
    a->locks_length = throttle_write(&a->throttle, a->loop->now_ms, a->locks, sizeof a->locks);
    (void)worker_start(a->loop, &a->save); /* without a thread the next lock is kept */
}

static void on_locks_written(struct worker_job *job)
{
    struct auth *a = CONTAINER_OF(job, struct auth, save);
    if (a->save_again)
        keep_locks(a);
}

/* False: there is too little memory to know who is locked out. */
static bool load_locks(struct auth *a)
{
    size_t n;
    char *text =
        a->state_dir[0] ? atomic_file_read(a->state_dir, LOCKS_FILE, sizeof a->locks, &n) : NULL;
    bool known = text || a->state_dir[0] == 0 || !heap_is_short();
    if (text)
        (void)throttle_read(&a->throttle, a->loop->now_ms, text);
    free(text);
    return known;
}

/* --- one check -------------------------------------------------------------------------------- */

static void make_digest(const struct auth *a, const struct auth_check *c,
                        unsigned char digest[static HTTP_AUTH_DIGEST])
{
    (void)gnutls_hmac_fast(GNUTLS_MAC_SHA256, a->key, sizeof a->key, c->authorization, c->length,
                           digest);
}

static bool is_token(const struct auth *a, const struct auth_check *c)
{
    const char *token = authorization_behind(c->authorization, c->length, "Bearer");
    size_t n = strlen(a->token), length;
    if (!token || !c->takes_token || n == 0)
        return false;
    length = c->length - (size_t)(token - c->authorization);
    return length == n && gnutls_memcmp(token, a->token, n) == 0;
}

static void run_check(struct worker_job *job)
{
    struct auth *a = CONTAINER_OF(job, struct auth, job);
    a->right =
        login_check(a->login.password, a->login.length, a->checked_hash) && a->login.user_is_right;
}

void auth_note_wrong(struct auth *a, const struct sockaddr_storage *address)
{
    char who[ADDRESS_TEXT_MAX];
    bool locked = throttle_failed(&a->throttle, address, a->loop->now_ms);
    address_format_host(address, who);
    log_warning("http", "wrong login from %s%s", who, locked ? "; locked for some time" : "");
    if (locked)
        keep_locks(a);
}

static void fail(struct auth *a, struct auth_check *c)
{
    auth_note_wrong(a, c->address);
    c->done(c, AUTH_WRONG, 0);
}

static void pass(struct auth *a, struct auth_check *c)
{
    char who[ADDRESS_TEXT_MAX];
    address_format_host(c->address, who);
    log_info("http", "login from %s", who);
    throttle_passed(&a->throttle, c->address);
    memcpy(a->good, a->digest, sizeof a->good);
    a->has_good = true;
    c->done(c, AUTH_PASSED, 0);
}

/* A login that passed before. */
static bool is_good_already(const struct auth *a, const struct auth_check *c)
{
    unsigned char digest[HTTP_AUTH_DIGEST];
    make_digest(a, c, digest);
    return a->has_good && gnutls_memcmp(digest, a->good, sizeof digest) == 0;
}

static void start_slow_check(struct auth *a, struct auth_check *c)
{
    authorization_basic(c->authorization, c->length, &a->login);
    make_digest(a, c, a->digest);
    memcpy(a->checked_hash, a->hash, sizeof a->checked_hash);
    a->running = c;
    if (worker_start(a->loop, &a->job) == 0)
        return;
    a->running = NULL;
    c->done(c, AUTH_LATER, 1000);
}

/* Who is locked is refused, and who is known is answered from memory without asking the throttle.  False: he is
 * neither, or what he says is new. */
static bool answer_at_once(const struct auth *a, struct auth_check *c)
{
    int64_t locked_ms = throttle_locked_ms(&a->throttle, c->address, a->loop->now_ms);
    if (locked_ms > 0)
        c->done(c, AUTH_LOCKED, locked_ms);
    else if (throttle_is_known(&a->throttle, c->address) &&
             (is_good_already(a, c) || is_token(a, c)))
        c->done(c, AUTH_PASSED, 0);
    else
        return false;
    return true;
}

/* All others ask first: who is only told to wait would else find the right guess among any number of wrong ones.  A
 * token makes nobody known, and forgives nothing. */
static void check(struct auth *a, struct auth_check *c)
{
    if (answer_at_once(a, c))
        return;
    bool known = throttle_is_known(&a->throttle, c->address);
    int64_t wait_ms = throttle_ask(&a->throttle, c->address, a->loop->now_ms);
    if (wait_ms > 0) {
        c->done(c, AUTH_LATER, wait_ms);
    } else if (is_token(a, c)) {
        c->done(c, AUTH_PASSED, 0);
    } else if (!known && is_good_already(a, c)) {
        throttle_passed(&a->throttle, c->address);
        c->done(c, AUTH_PASSED, 0);
    } else {
        start_slow_check(a, c);
    }
}

/* One slow check at a time, in the order they came. */
static void check_next(struct auth *a)
{
    struct auth_check *c;
    while (!a->running && (c = a->waiting) != NULL) {
        a->waiting = c->next;
        check(a, c);
    }
}

static void on_checked(struct worker_job *job)
{
    struct auth *a = CONTAINER_OF(job, struct auth, job);
    struct auth_check *c = a->running;
    a->running = NULL;
    explicit_bzero(&a->login, sizeof a->login);
    if (strcmp(a->checked_hash, a->hash) != 0)
        auth_begin(a, c); /* the password was changed meanwhile */
    else if (a->right)
        pass(a, c);
    else
        fail(a, c);
    check_next(a);
}

void auth_begin(struct auth *a, struct auth_check *check)
{
    struct auth_check **link = &a->waiting;
    if (!check->authorization) {
        check->done(check, AUTH_MISSING, 0);
        return;
    }
    if (answer_at_once(a, check))
        return; /* he need not wait behind a crowd of strangers, each of whom takes long */
    while (*link)
        link = &(*link)->next;
    check->next = NULL;
    *link = check;
    check_next(a);
}

/* --- life ------------------------------------------------------------------------------------- */

bool auth_init(struct auth *a, struct loop *l, const char *state_dir, const char *token,
               const char *login_hash)
{
    memset(a, 0, sizeof *a);
    a->loop = l;
    a->state_dir = state_dir;
    a->token = token;
    a->job = (struct worker_job){.run = run_check, .done = on_checked};
    a->save = (struct worker_job){.run = write_locks, .done = on_locks_written};
    memcpy(a->hash, login_hash, sizeof a->hash);
    throttle_init(&a->throttle);
    return load_locks(a) && getrandom(a->key, sizeof a->key, 0) == sizeof a->key;
}

void auth_use_hash(struct auth *a, const char *hash)
{
    snprintf(a->hash, sizeof a->hash, "%s", hash);
    a->has_good = false;
}

void auth_forget_locks(struct auth *a)
{
    uint64_t failures = a->throttle.failures;
    throttle_init(&a->throttle);
    a->throttle.failures = failures;
    keep_locks(a);
}

void auth_close(struct auth *a)
{
    worker_join(&a->job);
    worker_join(&a->save);
    explicit_bzero(&a->login, sizeof a->login);
    explicit_bzero(a->key, sizeof a->key);
}
