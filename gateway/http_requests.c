#include "http_requests.h"

#include "heap.h"

#include <stdlib.h>
#include <string.h>

const struct sockaddr_storage *http_address(const struct http_request *r)
{
    return &r->place->address;
}

void *http_requests_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http *h = context;
    struct http_request *r = heap_new(sizeof *r);
    if (!r)
        return NULL;
    r->http = h;
    r->connection = connection;
    r->place = http_connection_of(connection);
    http_connection_hurry(r->place, HTTP_REQUEST_MS);
    http_head_uri(&r->head, uri);
    r->next = h->requests;
    h->requests = r;
    return r;
}

void http_requests_completed(void *context, struct MHD_Connection *connection, void **request,
                             enum MHD_RequestTerminationCode how)
{
    struct http *h = context;
    struct http_request *r = *request, **link = &h->requests;
    (void)connection;
    (void)how;
    if (!r)
        return;
    while (*link != r)
        link = &(*link)->next;
    *link = r->next;
    http_stream_end(r);
    http_upload_end(r);
    if (r->answer)
        MHD_destroy_response(r->answer);
    http_connection_allow(r->place, HTTP_IDLE_MS, false);
    r->place->served = true;
    if (r->buffer)
        explicit_bzero(r->buffer, r->received);
    free(r->buffer);
    free(r);
    *request = NULL;
}

static enum MHD_Result take_field(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_length, const char *value, size_t value_length)
{
    struct http_request *r = context;
    (void)kind;
    http_head_add(&r->head, name, name_length, value ? value : "", value_length);
    return MHD_YES;
}

static enum MHD_Result queue(struct http_request *r)
{
    if (!r->answer)
        return MHD_NO; /* out of memory: the connection ends */
    http_connection_allow(r->place, HTTP_ANSWER_MS, true);
    return MHD_queue_response(r->connection, r->status, r->answer);
}

/* The head has come.  Where it cannot be trusted nothing more is read: what follows might not be what it seems.  What
 * is refused for other reasons is answered when the body has come, so that the answer is not lost in a reset; but of a
 * file, which can be long, nothing is let come.  The connection ends in all cases. */
static bool take_head(struct http_request *r, const char *path, const char *method,
                      const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    r->started = true;
    r->path = path;
    r->method = method;
    r->close_after = true;
    http_head_begin(&r->head, method, version);
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, take_field, r);
    const struct http_upload_route *upload = http_upload_of(r);
    if (http_head_end(&r->head, info->header_size, upload ? upload->max : HTTP_BODY_MAX) != 0) {
        http_answer_problem(r, (unsigned)r->head.status, r->head.problem, NULL);
        return false;
    }
    if (r->secure)
        http_check_secure(r);
    r->is_upload = upload && !r->answered;
    return true;
}

static enum MHD_Result make_room(struct http_request *r)
{
    r->body_length = r->head.body_length;
    r->body = r->buffer = malloc(r->body_length + 1);
    if (!r->buffer)
        return MHD_NO;
    r->buffer[0] = 0;
    return MHD_YES;
}

static enum MHD_Result sleep_until_answered(struct http_request *r)
{
    r->suspended = true;
    http_connection_allow(r->place, INT64_MAX, true);
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

/* A file is let come when its sender is known, also one that is refused; but nothing of strangers, nor of who waits to
 * be asked for it, which he does not for long. */
static enum MHD_Result open_upload(struct http_request *r, bool waits)
{
    bool is_stranger = r->status == 401 || r->status == 429;
    if (r->answered && (is_stranger || waits))
        return queue(r);
    if (!r->answered && !r->upload)
        return sleep_until_answered(r);
    http_upload_open(r);
    return MHD_YES;
}

static enum MHD_Result start(struct http_request *r, const char *path, const char *method,
                             const char *version)
{
    if (!take_head(r, path, method, version))
        return queue(r);
    if (r->is_upload) {
        http_dispatch_secure(r);
        return open_upload(r, r->head.value[FIELD_EXPECT]);
    }
    if (r->head.body_length > HTTP_BODY_MAX)
        return queue(r); /* a file that was refused: what is kept in memory is never that long */
    if (!r->answered)
        r->close_after = false;
    return make_room(r);
}

static enum MHD_Result take_body(struct http_request *r, const char *upload, size_t *upload_size)
{
    if (*upload_size > r->body_length - r->received)
        return MHD_NO; /* more than was said: the library would not do that */
    memcpy(r->buffer + r->received, upload, *upload_size);
    r->received += *upload_size;
    r->buffer[r->received] = 0;
    *upload_size = 0;
    return MHD_YES;
}

static enum MHD_Result carry_on(struct http_request *r, const char *path, const char *method,
                                const char *version, const char *upload, size_t *upload_size,
                                void (*dispatch)(struct http_request *r))
{
    if (!r || (r->started && !r->answered && r->http->closing))
        return MHD_NO;
    if (!r->started)
        return start(r, path, method, version);
    if (r->is_upload && !r->opened)
        return open_upload(r, false);
    if (*upload_size)
        return r->is_upload ? http_upload_take(r, upload, upload_size)
                            : take_body(r, upload, upload_size);
    if (!r->answered)
        dispatch(r);
    return r->answered ? queue(r) : sleep_until_answered(r);
}

/* NOLINTNEXTLINE(readability-function-size): the library's type */
enum MHD_Result http_requests_secure(void *context, struct MHD_Connection *connection,
                                     const char *path, const char *method, const char *version,
                                     const char *upload, size_t *upload_size, void **request)
{
    struct http_request *r = *request;
    (void)context;
    (void)connection;
    if (r)
        r->secure = true;
    return carry_on(r, path, method, version, upload, upload_size,
                    r && r->is_upload ? http_upload_all : http_dispatch_secure);
}

/* NOLINTNEXTLINE(readability-function-size): the library's type */
enum MHD_Result http_requests_plain(void *context, struct MHD_Connection *connection,
                                    const char *path, const char *method, const char *version,
                                    const char *upload, size_t *upload_size, void **request)
{
    (void)context;
    (void)connection;
    return carry_on(*request, path, method, version, upload, upload_size, http_dispatch_plain);
}

void http_requests_end(struct http *h)
{
    h->closing = true;
    for (struct http_request *r = h->requests; r; r = r->next) {
        bool sleeps = r->suspended || (r->stream && r->stream->asleep);
        r->suspended = false;
        if (r->stream)
            r->stream->asleep = false;
        if (sleeps)
            MHD_resume_connection(r->connection);
    }
}
