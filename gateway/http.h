/* http.h - the HTTPS server of the page and the API, and the landing page on port 80.
 *
 * libmicrohttpd on our loop (http_door), strict heads (http_head), one login (http_auth), one user at a time
 * (session).  Routes are a table; a handler answers at once or later, and never blocks.  Nothing of a request
 * reaches a file name.
 */
#ifndef HTTP_H
#define HTTP_H

#include "core/text_out.h"
#include "http_auth.h"
#include "http_certificate.h"
#include "http_door.h"
#include "http_head.h"
#include "identity.h"
#include "session.h"

#include <jansson.h>

enum {
    HTTP_GET = 1 << 0, /* HEAD, too */
    HTTP_POST = 1 << 1,
    HTTP_PATCH = 1 << 2,
    HTTP_UPLOADS =
        1 << 3 /* what is posted may be a file, not only JSON: see struct http_upload_route */
};

enum http_access {
    HTTP_PUBLIC, /* for everybody, at both doors */
    HTTP_LOGIN,  /* user and password, and the session */
    HTTP_PAGE,   /* user and password: the page's files, which then show who holds the session */
    HTTP_METRICS /* the login or the token of /metrics */
};

struct http_request;

struct http_route {
    const char *path;
    unsigned methods; /* HTTP_GET... */
    enum http_access access;
    const char *summary; /* for the OpenAPI document */
    /* Calls one of http_answer...() now or later, once.  `context` is that of the server. */
    void (*serve)(struct http_request *r, void *context);
    const void *data; /* of the handler; with HTTP_UPLOADS a struct http_upload_route */
};

/* A file (application/octet-stream) that is taken as it comes, since it is too long to be kept. */
struct http_upload_route {
    size_t max; /* bytes */
    /* Its sender is known to be the user, and nothing of it has come: calls http_begin_upload(), or answers why not. */
    void (*begin)(struct http_request *r, void *context);
};

/* A file on its way.  Whoever takes it owns this until `gone`. */
struct http_upload {
    /* How many of the next bytes it takes now; after fewer than all nothing comes until http_upload_go_on(). */
    size_t (*take)(struct http_upload *u, const char *bytes, size_t length);
    /* All has come: calls one of http_answer...() now or later, once.  It may also be called before. */
    void (*all)(struct http_upload *u);
    /* The last call: it was answered, or its connection has ended. */
    void (*gone)(struct http_upload *u);
    struct http_request *request; /* read-only; NULL: none */
    bool holds;                   /* private: the session */
};

struct http_request {
    const char *method, *path;
    struct http_head head;
    const char *body; /* with a NUL behind it */
    size_t body_length;
    const struct http_route *route;
    /* private */
    struct http *http;
    struct MHD_Connection *connection;
    struct http_connection *place;
    struct auth_check check;
    struct MHD_Response *answer; /* NULL though `answered`: out of memory, which ends the connection */
    unsigned status;
    bool answered;
    size_t received;
    char *buffer;
    bool secure, started, suspended, close_after;
    bool is_upload, opened; /* its body is a file; it is let come */
    struct http_stream *stream;
    struct http_upload *upload;
    struct http_request *next;
};

/* Server-sent events.  Begun by a handler; asks for an event whenever the one before was taken. */
struct http_stream {
    /* Appends the next event; nothing: the stream sleeps until http_stream_wake(). */
    void (*next)(struct http_stream *s, struct text_out *out);
    void (*gone)(struct http_stream *s); /* the last call */
    /* private */
    struct http_request *request;
    bool asleep, finished;
    bool holds; /* the session */
    struct loop_fd
        watch; /* for the end of the connection: the library does not look while the stream sleeps */
    char *text;
    size_t length, sent;
};

struct http_counters {
    uint64_t requests;
};

struct http_settings {
    const char *http, *https; /* listening addresses; "off" */
    const char *state_dir;
    const char *more_names; /* further names and addresses of this box, with commas; "" none */
    const char *certificate_file, *key_file; /* own ones, PEM; "" = those of the identity */
    struct identity *identity;               /* its web certificate is renewed in place */
    const char *metrics_token;
    const struct http_route *routes;
    size_t route_count;
    void *context; /* of the handlers */
    /* Somebody who knows the login has asked for something from there; NULL: nobody wants to know. */
    void (*reached)(void *context, const struct sockaddr_storage *from);
};

/* The longest event is a state with 64 clients at each of nine Modbus listeners, up to 115 bytes for each, beside some
 * 20 KiB of all else.  What does not fit is not sent. */
enum { HTTP_ERROR_MAX = 320, HTTP_EVENT_MAX = 96 * 1024 };

struct http {
    struct loop *loop;
    struct http_settings settings;
    struct http_door *plain, *secure;
    struct http_places places;
    struct auth auth;
    struct session session;
    struct certificate_names names;
    struct http_counters counters;
    /* private */
    struct http_certificate certificate;
    struct http_request *requests;
    struct loop_timer refresh;
    struct http_renewal *renewal;
    bool closing;
};

/* Opens both doors.  NULL: `error` says why; errno EACCES: a port needs a privilege. */
struct http *http_open(struct loop *l, const struct http_settings *settings,
                       char error[static HTTP_ERROR_MAX]);
void http_close(struct http *h);

/* The answers: JSON (taken over; NULL is out of memory), bytes that are copied, bytes that live as long as the
 * process, and a problem (RFC 9457) with an optional array of {pointer, detail} (taken over).  etag, encoding: NULL:
 * none; retry_after_s: 0: none. */
void http_answer_json(struct http_request *r, unsigned status, json_t *json, const char *etag);
void http_answer_text(struct http_request *r, unsigned status, const char *type, const void *bytes,
                      size_t length);
void http_answer_static(struct http_request *r, const char *type, const void *bytes, size_t length,
                        const char *encoding, const char *etag);
void http_answer_problem(struct http_request *r, unsigned status, const char *detail,
                         json_t *errors);
void http_answer_wait(struct http_request *r, unsigned status, const char *detail,
                      int64_t retry_after_s);

/* Answers with a stream of events.  The stream is the caller's until `gone`.  False: there is none, since HEAD was
 * asked or memory is out; that was answered. */
bool http_answer_stream(struct http_request *r, struct http_stream *s);
void http_stream_wake(struct http_stream *s);

/* Lets a file come: from the `begin` of its route only. */
void http_begin_upload(struct http_request *r, struct http_upload *u);
void http_upload_go_on(struct http_upload *u);

/* Ends all streams: who reads them must log in anew. */
void http_end_streams(struct http *h);

/* Frees the session, too: whoever held it is gone. */
void http_end_session(struct http *h);

/* Who asks. */
const struct sockaddr_storage *http_address(const struct http_request *r);

/* The body as JSON, strictly; NULL: 400 was answered. */
json_t *http_body_json(struct http_request *r);

#endif
