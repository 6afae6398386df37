/* api_password.c - the owner's own password. */
#include "api.h"
#include "heap.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASSWORD_MIN = 10 };

/* A change on its way through a worker: hashing is slow, and so may the disk be. */
struct password_change {
    struct worker_job job;
    struct http_request *request;
    struct api *api;
    char old[LOGIN_PASSWORD_MAX + 1], chosen[LOGIN_PASSWORD_MAX + 1];
    char hash_now[LOGIN_HASH_MAX], hash[LOGIN_HASH_MAX];
    bool old_is_right;
    int error; /* an errno; 0: kept */
};

static void run_change(struct worker_job *job)
{
    struct password_change *p = CONTAINER_OF(job, struct password_change, job);
    p->old_is_right = login_check(p->old, strlen(p->old), p->hash_now);
    if (!p->old_is_right)
        return;
    if (!login_hash(p->chosen, p->hash))
        p->error = ENOMEM;
    else if (!identity_keep_password(p->api->state_dir, p->hash))
        p->error = errno;
}

static json_t *fault(const char *pointer, const char *detail)
{
    return json_pack("[{s:s, s:s}]", "pointer", pointer, "detail", detail);
}

static void refuse(struct http_request *r, const char *pointer, const char *detail)
{
    http_answer_problem(r, 422, "the password was not changed", fault(pointer, detail));
}

static void answer_not_kept(struct http_request *r, int error)
{
    char detail[160];
    snprintf(detail, sizeof detail, "the password cannot be kept: %s; it was not changed",
             strerror(error));
    http_answer_problem(r, error == ENOSPC || error == EDQUOT ? 507 : 500, detail, NULL);
}

void api_use_password(struct api *api, const char *hash)
{
    struct http *h = *api->http;
    struct identity *id = api->identity;
    explicit_bzero(id->password_hash, sizeof id->password_hash);
    snprintf(id->password_hash, sizeof id->password_hash, "%s", hash);
    log_info("http", "the password is %s", hash[0] ? "changed" : "the label's again");
    if (!h)
        return;
    auth_use_hash(&h->auth, identity_hash(id));
    http_end_streams(h);
}

static void free_change(struct password_change *p)
{
    explicit_bzero(p, sizeof *p);
    free(p);
}

static void on_changed(struct worker_job *job)
{
    struct password_change *p = CONTAINER_OF(job, struct password_change, job);
    p->api->password = NULL;
    if (!p->old_is_right) {
        auth_note_wrong(&(*p->api->http)->auth, http_address(p->request));
        refuse(p->request, "/OldPassword", "is not the password that opens now");
    } else if (p->error) {
        answer_not_kept(p->request, p->error);
    } else {
        api_use_password(p->api, p->hash);
        http_answer_json(p->request, 200, json_pack("{s:s}", "Result", "changed"), NULL);
    }
    free_change(p);
}

/* NULL: one is under way, or memory is out, and that was answered. */
static struct password_change *make_change(struct http_request *r, struct api *api)
{
    struct password_change *p = api_is_changing(api) ? NULL : heap_new(sizeof *p);
    if (!p) {
        http_answer_wait(r, 503, API_CHANGING, 1);
        return NULL;
    }
    p->job = (struct worker_job){.run = run_change, .done = on_changed};
    p->request = r;
    p->api = api;
    snprintf(p->hash_now, sizeof p->hash_now, "%s", identity_hash(api->identity));
    return p;
}

static void start_change(struct password_change *p)
{
    p->api->password = p;
    if (worker_start(p->api->loop, &p->job) == 0)
        return;
    p->api->password = NULL;
    http_answer_wait(p->request, 503, "out of memory", 10);
    free_change(p);
}

/* What a password must be, or NULL: it is. */
static const char *complaint(const char *chosen, size_t length)
{
    if (length < PASSWORD_MIN || length > LOGIN_PASSWORD_MAX)
        return "must have 10 to 128 bytes";
    for (const char *c = chosen; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            return "must not hold control characters";
    for (size_t period = 1; period <= 2; period++)
        if (memcmp(chosen, chosen + period, length - period) == 0)
            return "is too easy: one or two characters again and again";
    return NULL;
}

/* Takes the two passwords out of the body.  False: that was answered. */
static bool read_passwords(struct password_change *p, const json_t *json)
{
    const char *old = json_string_value(json_object_get(json, "OldPassword"));
    const char *chosen = json_string_value(json_object_get(json, "NewPassword"));
    const char *wrong = chosen ? complaint(chosen, strlen(chosen)) : "is missing, or no text";
    if (json_is_object(json) && json_object_size(json) != (size_t)(old != NULL) + (chosen != NULL))
        refuse(p->request, "", "only OldPassword and NewPassword, both texts");
    else if (!old || strlen(old) > LOGIN_PASSWORD_MAX)
        refuse(p->request, "/OldPassword", "is missing, or no password");
    else if (wrong)
        refuse(p->request, "/NewPassword", wrong);
    else if (strcmp(old, chosen) == 0)
        refuse(p->request, "/NewPassword", "is the one that opens now");
    else {
        snprintf(p->old, sizeof p->old, "%s", old);
        snprintf(p->chosen, sizeof p->chosen, "%s", chosen);
        return true;
    }
    return false;
}

void api_serve_password(struct http_request *r, void *context)
{
    struct api *api = context;
    json_t *json = http_body_json(r);
    struct password_change *p = json ? make_change(r, api) : NULL;
    if (p && read_passwords(p, json))
        start_change(p);
    else if (p)
        free_change(p);
    json_decref(json);
}

void api_password_close(struct api *api)
{
    struct password_change *p = api->password;
    if (!p)
        return;
    worker_join(&p->job);
    on_changed(&p->job);
}
