/* http_answer.c - the answers of a request: their fields, their bodies, their problems. */
#include "heap.h"
#include "http_requests.h"
#include "json_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *value;
} common_fields[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
                                "'self' data:; connect-src 'self'; "
                                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
};

void http_add_field(struct MHD_Response **answer, const char *name, const char *value)
{
    if (!*answer || MHD_add_response_header(*answer, name, value) == MHD_YES)
        return;
    MHD_destroy_response(*answer);
    *answer = NULL;
}

void http_add_fields(struct http_request *r, struct MHD_Response **answer, const char *type,
                     const char *cache)
{
    for (size_t i = 0; i < sizeof common_fields / sizeof common_fields[0]; i++)
        http_add_field(answer, common_fields[i].name, common_fields[i].value);
    http_add_field(answer, "Content-Type", type);
    http_add_field(answer, "Cache-Control", cache);
    if (r->secure) { /* browsers complain about these where there is no TLS */
        http_add_field(answer, "Cross-Origin-Opener-Policy", "same-origin");
        http_add_field(answer, "Strict-Transport-Security", "max-age=31536000");
    }
    if (r->close_after)
        http_add_field(answer, "Connection", "close");
}

void http_wake(struct http_request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    http_door_kick(r->place->door);
}

/* Takes the answer over; if the library waits for it, wakes it. */
void http_give(struct http_request *r, unsigned status, struct MHD_Response *answer)
{
    r->answer = answer;
    r->answered = true;
    r->status = status;
    http_wake(r);
}

static struct MHD_Response *copy_of(const void *bytes, size_t length)
{
    return MHD_create_response_from_buffer(length, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);
}

static void answer_bytes(struct http_request *r, unsigned status, const char *type,
                         const void *bytes, size_t length, const char *etag)
{
    struct MHD_Response *answer = copy_of(bytes, length);
    http_add_fields(r, &answer, type, "no-store");
    if (etag)
        http_add_field(&answer, "ETag", etag);
    http_give(r, status, answer);
}

void http_answer_text(struct http_request *r, unsigned status, const char *type, const void *bytes,
                      size_t length)
{
    answer_bytes(r, status, type, bytes, length, NULL);
}

void http_answer_json(struct http_request *r, unsigned status, json_t *json, const char *etag)
{
    char *text = json_text(json, JSON_COMPACT | JSON_REAL_PRECISION(10));
    if (text)
        answer_bytes(r, status, "application/json", text, strlen(text), etag);
    else
        http_answer_problem(r, 503, "out of memory", NULL);
    json_decref(json);
    free(text);
}

void http_answer_static(struct http_request *r, const char *type, const void *bytes, size_t length,
                        const char *encoding, const char *etag)
{
    const char *known = r->head.value[FIELD_IF_NONE_MATCH];
    bool unchanged = known && http_head_etag_matches(known, etag, true);
    struct MHD_Response *answer = MHD_create_response_from_buffer(
        unchanged ? 0 : length, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
    http_add_fields(r, &answer, type, "no-cache");
    http_add_field(&answer, "ETag", etag);
    http_add_field(&answer, "Vary", "Accept-Encoding");
    if (encoding)
        http_add_field(&answer, "Content-Encoding", encoding);
    http_give(r, unchanged ? 304 : 200, answer);
}

static json_t *problem_json(unsigned status, const char *detail, json_t *errors)
{
    json_t *json =
        json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title",
                  MHD_get_reason_phrase_for(status), "status", (int)status, "detail", detail);
    if (errors)
        json_object_set_new(json, "errors", errors);
    return json;
}

static void answer_problem(struct http_request *r, unsigned status, const char *detail,
                           json_t *errors, int64_t retry_after_s)
{
    char seconds[24];
    json_t *json = problem_json(status, detail, errors);
    char *text = json_text(json, JSON_COMPACT);
    struct MHD_Response *answer = text ? copy_of(text, strlen(text)) : NULL;
    json_decref(json);
    free(text);
    http_add_fields(r, &answer, "application/problem+json", "no-store");
    snprintf(seconds, sizeof seconds, "%lld", (long long)retry_after_s);
    if (retry_after_s > 0)
        http_add_field(&answer, "Retry-After", seconds);
    if (status == 401)
        http_add_field(&answer, "WWW-Authenticate",
                       "Basic realm=\"Smart Connect\", charset=\"UTF-8\"");
    http_give(r, status, answer);
}

void http_answer_problem(struct http_request *r, unsigned status, const char *detail, json_t *errors)
{
    answer_problem(r, status, detail, errors, 0);
}

void http_answer_wait(struct http_request *r, unsigned status, const char *detail,
                      int64_t retry_after_s)
{
    answer_problem(r, status, detail, NULL, retry_after_s);
}

void http_answer_wrong_method(struct http_request *r, unsigned methods)
{
    char allow[32];
    snprintf(allow, sizeof allow, "%s%s%s", methods & HTTP_GET ? "GET, HEAD" : "",
             methods & HTTP_PATCH ? ", PATCH" : "",
             methods & HTTP_POST ? (methods & HTTP_GET ? ", POST" : "POST") : "");
    http_answer_problem(r, 405, "this address does not know that method; see Allow", NULL);
    http_add_field(&r->answer, "Allow", allow);
}

json_t *http_body_json(struct http_request *r)
{
    json_error_t error;
    char detail[JSON_ERROR_TEXT_LENGTH + 64];
    errno = 0;
    json_t *json = json_loadb(r->body, r->body_length, JSON_REJECT_DUPLICATES, &error);
    if (json)
        return json;
    if (heap_is_short()) {
        http_answer_problem(r, 503, "out of memory", NULL);
        return NULL;
    }
    char *quoted = strstr(error.text, " near "); /* what stands there may be a secret */
    if (quoted)
        *quoted = 0;
    snprintf(detail, sizeof detail, "the body is no JSON: line %d, column %d: %s", error.line,
             error.column, error.text);
    http_answer_problem(r, 400, detail, NULL);
    return NULL;
}
