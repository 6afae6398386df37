/* http_upload.c - files that are taken as they come. */
#include "http_requests.h"

enum { PAUSE_MS = 30000 }; /* between two pieces of a file */

void http_begin_upload(struct http_request *r, struct http_upload *u)
{
    u->request = r;
    r->upload = u;
    u->holds = true;
    session_begin_stream(&r->http->session);
    http_connection_allow(r->place, PAUSE_MS, true);
    http_wake(r);
}

void http_upload_go_on(struct http_upload *u)
{
    struct http_request *r = u->request;
    if (r->answered)
        return;
    http_connection_allow(r->place, PAUSE_MS, true);
    http_wake(r);
}

void http_upload_open(struct http_request *r)
{
    r->opened = true;
    http_connection_allow(r->place, PAUSE_MS, true);
}

/* What was answered before all has come is not taken any more, but the rest is let come: a sender whose connection is
 * cut might not see the answer. */
enum MHD_Result http_upload_take(struct http_request *r, const char *bytes, size_t *length)
{
    size_t n = r->answered ? *length : r->upload->take(r->upload, bytes, *length);
    r->received += n;
    *length -= n;
    http_door_note_work(r->place->door);
    http_connection_allow(r->place, PAUSE_MS, true);
    if (*length == 0 || r->answered)
        return MHD_YES;
    http_connection_allow(r->place, INT64_MAX, true);
    r->suspended = true;
    MHD_suspend_connection(r->connection);
    return MHD_YES;
}

void http_upload_all(struct http_request *r)
{
    r->upload->all(r->upload);
}

void http_upload_end(struct http_request *r)
{
    struct http_upload *u = r->upload;
    if (!u)
        return;
    if (u->holds)
        session_end_stream(&r->http->session, r->http->loop->now_ms);
    u->request = NULL;
    u->gone(u);
}
