/* http_stream.c - server-sent events. */
#include "http_requests.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STREAM_BLOCK = 4096 };

/* The library asks for bytes.  An event is made when the one before is sent whole, so a reader who is slow gets
 * newer events, not more of them. */
static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t capacity)
{
    struct http_stream *s = context;
    (void)position;
    if (s->request->http->closing || s->finished)
        return MHD_CONTENT_READER_END_OF_STREAM; /* ..._WITH_ERROR, and 0.9.75 forgets the connection */
    if (s->sent == s->length) {
        struct text_out out;
        text_init(&out, s->text, HTTP_EVENT_MAX);
        s->next(s, &out);
        s->length = out.overflow ? 0 : out.length;
        s->sent = 0;
    }
    size_t n = s->length - s->sent < capacity ? s->length - s->sent : capacity;
    http_connection_allow(s->request->place, n ? HTTP_ANSWER_MS : INT64_MAX, true);
    if (n == 0) {
        s->asleep = true;
        MHD_suspend_connection(s->request->connection);
        return 0;
    }
    memcpy(buffer, s->text + s->sent, n);
    s->sent += n;
    return (ssize_t)n;
}

static void finish_stream(struct http_stream *s)
{
    s->finished = true;
    loop_watch(s->request->http->loop, &s->watch, 0);
    http_stream_wake(s);
}

static void on_peer_gone(struct loop_fd *watch, uint32_t events)
{
    (void)events;
    finish_stream(CONTAINER_OF(watch, struct http_stream, watch));
}

void http_end_streams(struct http *h)
{
    for (struct http_request *r = h->requests; r; r = r->next)
        if (r->stream)
            finish_stream(r->stream);
}

void http_end_session(struct http *h)
{
    for (struct http_request *r = h->requests; r; r = r->next) {
        if (r->stream)
            r->stream->holds = false;
        if (r->upload)
            r->upload->holds = false;
    }
    http_end_streams(h);
    session_end(&h->session);
}

/* Without a descriptor for it the next event finds out. */
static void watch_peer(struct http_stream *s)
{
    s->finished = false;
    s->watch = (struct loop_fd){.ready = on_peer_gone,
                                .fd = fcntl(s->request->place->fd, F_DUPFD_CLOEXEC, 0)};
    if (s->watch.fd >= 0)
        (void)loop_watch(s->request->http->loop, &s->watch, EPOLLRDHUP);
}

static void unwatch_peer(struct http_stream *s)
{
    if (s->watch.fd < 0)
        return;
    loop_watch(s->request->http->loop, &s->watch, 0);
    close(s->watch.fd);
}

bool http_answer_stream(struct http_request *r, struct http_stream *s)
{
    if (strcmp(r->method, "HEAD") == 0) {
        http_answer_text(r, 200, "text/event-stream", "", 0);
        return false;
    }
    s->text = malloc(HTTP_EVENT_MAX);
    s->request = r;
    s->length = s->sent = 0;
    s->asleep = false;
    struct MHD_Response *answer =
        s->text ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, s,
                                                    NULL)
                : NULL;
    r->close_after = true;
    http_add_fields(r, &answer, "text/event-stream", "no-store");
    if (!answer) {
        free(s->text);
        http_answer_wait(r, 503, "out of memory", 10);
        return false;
    }
    watch_peer(s);
    r->stream = s;
    s->holds = true;
    session_begin_stream(&r->http->session);
    http_give(r, 200, answer);
    return true;
}

void http_stream_wake(struct http_stream *s)
{
    if (!s->asleep)
        return;
    s->asleep = false;
    MHD_resume_connection(s->request->connection);
    http_door_kick(s->request->place->door);
}

void http_stream_end(struct http_request *r)
{
    struct http_stream *s = r->stream;
    if (!s)
        return;
    unwatch_peer(s);
    if (s->holds)
        session_end_stream(&r->http->session, r->http->loop->now_ms);
    free(s->text);
    s->gone(s);
}
