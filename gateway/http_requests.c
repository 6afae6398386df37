#include "http_requests.h"

#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { STREAM_BLOCK = 4096, REDIRECT_PATH_MAX = 96 };

/* --- answers ---------------------------------------------------------------------------------- */

static const struct {
    const char *name, *value;
} common_fields[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src "
                                "'self' data:; connect-src 'self'; "
                                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
};

static void add_fields(struct http_request *r, struct MHD_Response *answer, const char *type,
                       const char *cache)
{
    for (size_t i = 0; i < sizeof common_fields / sizeof common_fields[0]; i++)
        MHD_add_response_header(answer, common_fields[i].name, common_fields[i].value);
    MHD_add_response_header(answer, "Content-Type", type);
    MHD_add_response_header(answer, "Cache-Control", cache);
    if (r->secure)
        MHD_add_response_header(answer, "Strict-Transport-Security", "max-age=31536000");
    if (r->close_after)
        MHD_add_response_header(answer, "Connection", "close");
}

/* Takes the answer over; if the library waits for it, wakes it. */
static void give(struct http_request *r, unsigned status, struct MHD_Response *answer)
{
    r->answer = answer;
    r->status = status;
    if (!r->suspended)
        return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    http_door_kick(r->place->door);
}

static struct MHD_Response *copy_of(const void *bytes, size_t length)
{
    return MHD_create_response_from_buffer(length, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY);
}

static void answer_bytes(struct http_request *r, unsigned status, const char *type,
                         const void *bytes, size_t length, const char *etag)
{
    struct MHD_Response *answer = copy_of(bytes, length);
    if (answer) {
        add_fields(r, answer, type, "no-store");
        if (etag)
            MHD_add_response_header(answer, "ETag", etag);
    }
    give(r, status, answer);
}

void http_answer_text(struct http_request *r, unsigned status, const char *type, const void *bytes,
                      size_t length)
{
    answer_bytes(r, status, type, bytes, length, NULL);
}

void http_answer_json(struct http_request *r, unsigned status, json_t *json, const char *etag)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(10)) : NULL;
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
    if (answer) {
        add_fields(r, answer, type, "no-cache");
        MHD_add_response_header(answer, "ETag", etag);
        MHD_add_response_header(answer, "Vary", "Accept-Encoding");
        if (encoding)
            MHD_add_response_header(answer, "Content-Encoding", encoding);
    }
    give(r, unchanged ? 304 : 200, answer);
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
    char *text = json_dumps(json, JSON_COMPACT);
    struct MHD_Response *answer = text ? copy_of(text, strlen(text)) : NULL;
    json_decref(json);
    free(text);
    if (answer) {
        add_fields(r, answer, "application/problem+json", "no-store");
        snprintf(seconds, sizeof seconds, "%lld", (long long)retry_after_s);
        if (retry_after_s > 0)
            MHD_add_response_header(answer, "Retry-After", seconds);
        if (status == 401)
            MHD_add_response_header(answer, "WWW-Authenticate",
                                    "Basic realm=\"Smart Connect\", charset=\"UTF-8\"");
    }
    give(r, status, answer);
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

static void answer_wrong_method(struct http_request *r, unsigned methods)
{
    char allow[32];
    snprintf(allow, sizeof allow, "%s%s%s", methods & HTTP_GET ? "GET, HEAD" : "",
             methods & HTTP_PATCH ? ", PATCH" : "",
             methods & HTTP_POST ? (methods & HTTP_GET ? ", POST" : "POST") : "");
    http_answer_problem(r, 405, "this address does not know that method; see Allow", NULL);
    if (r->answer)
        MHD_add_response_header(r->answer, "Allow", allow);
}

const struct sockaddr_storage *http_address(const struct http_request *r)
{
    return &r->place->address;
}

json_t *http_body_json(struct http_request *r)
{
    json_error_t error;
    char detail[JSON_ERROR_TEXT_LENGTH + 64];
    json_t *json = json_loadb(r->body, r->body_length, JSON_REJECT_DUPLICATES, &error);
    if (json)
        return json;
    char *quoted = strstr(error.text, " near "); /* what stands there may be a secret */
    if (quoted)
        *quoted = 0;
    snprintf(detail, sizeof detail, "the body is no JSON: line %d, column %d: %s", error.line,
             error.column, error.text);
    http_answer_problem(r, 400, detail, NULL);
    return NULL;
}

/* --- streams ---------------------------------------------------------------------------------- */

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
    if (!answer) {
        free(s->text);
        http_answer_wait(r, 503, "out of memory", 10);
        return false;
    }
    watch_peer(s);
    r->stream = s;
    r->close_after = true;
    add_fields(r, answer, "text/event-stream", "no-store");
    session_begin_stream(&r->http->session);
    give(r, 200, answer);
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

static void end_stream(struct http_request *r)
{
    struct http_stream *s = r->stream;
    if (!s)
        return;
    unwatch_peer(s);
    session_end_stream(&r->http->session, r->http->loop->now_ms);
    free(s->text);
    s->gone(s);
}

/* --- what is asked ---------------------------------------------------------------------------- */

static unsigned method_bit(const char *method)
{
    static const struct {
        const char *name;
        unsigned bit;
    } methods[] = {
        {"GET", HTTP_GET}, {"HEAD", HTTP_GET}, {"POST", HTTP_POST}, {"PATCH", HTTP_PATCH}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, method) == 0)
            return methods[i].bit;
    return 0;
}

static const struct http_route *find_route(const struct http *h, const char *path)
{
    for (size_t i = 0; i < h->settings.route_count; i++)
        if (strcmp(h->settings.routes[i].path, path) == 0)
            return &h->settings.routes[i];
    return NULL;
}

/* The address this connection came in at. */
static bool is_own_address(const struct http_request *r, const char *host)
{
    struct sockaddr_storage own = {0};
    socklen_t length = sizeof own;
    char text[ADDRESS_TEXT_MAX];
    if (getsockname(r->place->fd, (struct sockaddr *)&own, &length) < 0)
        return false;
    address_format_host(&own, text);
    return strcmp(text, host) == 0;
}

/* A name that leads here but is none of ours is a trap for browsers (DNS rebinding). */
static bool is_for_us(const struct http_request *r, char host[static CERTIFICATE_NAME_MAX])
{
    return http_head_host(r->head.value[FIELD_HOST], host, CERTIFICATE_NAME_MAX) &&
           (is_own_address(r, host) || certificate_names_have(&r->http->names, host));
}

static void serve(struct http_request *r)
{
    const struct http_route *route = r->route;
    if (!route)
        http_answer_problem(r, 404, "there is nothing at this address", NULL);
    else if (!(route->methods & method_bit(r->method)))
        answer_wrong_method(r, route->methods);
    else
        route->serve(r, r->http->settings.context);
}

static void serve_in_session(struct http_request *r)
{
    struct http *h = r->http;
    char holder[ADDRESS_TEXT_MAX], detail[160];
    if (session_admit(&h->session, &r->place->address, h->loop->now_ms)) {
        serve(r);
        return;
    }
    address_format_host(&h->session.address, holder);
    snprintf(detail, sizeof detail,
             "in use by %s: one user at a time; free 60 seconds after its last request", holder);
    http_answer_wait(r, 409, detail, (session_left_ms(&h->session, h->loop->now_ms) + 999) / 1000);
}

static void on_authenticated(struct auth_check *check, enum auth_result result, int64_t wait_ms)
{
    struct http_request *r = CONTAINER_OF(check, struct http_request, check);
    if (r->http->closing)
        return;
    if (result == AUTH_LOCKED || result == AUTH_LATER)
        http_answer_wait(r, 429,
                         result == AUTH_LOCKED
                             ? "too many wrong logins from this address: it is locked for some time"
                             : "too many logins at this moment; try again",
                         (wait_ms + 999) / 1000);
    else if (result != AUTH_PASSED)
        http_answer_problem(r, 401, "user name `user` and the password of the device's label", NULL);
    else if (r->route && r->route->access != HTTP_LOGIN)
        serve(r);
    else
        serve_in_session(r);
}

static void dispatch_secure(struct http_request *r)
{
    r->http->counters.requests++;
    r->route = find_route(r->http, r->path);
    if (r->route && r->route->access == HTTP_PUBLIC) {
        serve(r);
        return;
    }
    r->check = (struct auth_check){.address = &r->place->address,
                                   .authorization = r->head.value[FIELD_AUTHORIZATION],
                                   .length = r->head.length[FIELD_AUTHORIZATION],
                                   .takes_token = r->route && r->route->access == HTTP_METRICS,
                                   .done = on_authenticated};
    auth_begin(&r->http->auth, &r->check);
}

static bool takes_type(const struct http_request *r)
{
    const struct http_route *route = find_route(r->http, r->path);
    return http_head_is_json(&r->head) ||
           (route && (route->methods & HTTP_FILES) && http_head_is_file(&r->head));
}

/* What can be refused before the body has come. */
static void check_secure(struct http_request *r)
{
    char host[CERTIFICATE_NAME_MAX];
    if (!is_for_us(r, host))
        http_answer_problem(
            r, 403, "this box does not go by the name in Host; use its address, or --http-names",
            NULL);
    else if (method_bit(r->method) == HTTP_GET)
        return;
    else if (!http_head_same_origin(&r->head))
        http_answer_problem(r, 403, "changes are taken from this box's own page only", NULL);
    else if (method_bit(r->method) && !takes_type(r))
        http_answer_problem(r, 415, "send the body as application/json", NULL);
}

/* --- the plain door --------------------------------------------------------------------------- */

static const char landing_format[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
    "<link rel=\"stylesheet\" href=\"/landing.css\"><link rel=\"icon\" href=\"/favicon.svg\">"
    "<title>Smart Connect %s</title></head><body><main><h1>Smart Connect</h1>"
    "<p class=\"serial\">%s</p><a class=\"open\" href=\"%s/\">Open the secure page"
    "<span lang=\"nl\">Naar de beveiligde pagina</span>"
    "<span lang=\"fr\">Ouvrir la page s\u00e9curis\u00e9e</span></a><dl>"
    "<dt>English</dt><dd>Your browser will warn once that it does not know this device's "
    "certificate. User: <b>user</b>. Password: on the label of the device, at <b>login</b>, unless "
    "you have chosen your own.</dd>"
    "<dt lang=\"nl\">Nederlands</dt><dd lang=\"nl\">Uw browser waarschuwt \u00e9\u00e9n keer dat "
    "hij het certificaat van dit apparaat niet kent. Gebruiker: <b>user</b>. Wachtwoord: op het "
    "etiket van het apparaat, bij <b>login</b>, tenzij u zelf een wachtwoord hebt gekozen.</dd>"
    "<dt lang=\"fr\">Fran\u00e7ais</dt><dd lang=\"fr\">Votre navigateur vous avertira une fois "
    "qu\u2019il ne conna\u00eet pas le certificat de cet appareil. Utilisateur\u00a0: <b>user</b>. "
    "Mot de passe\u00a0: sur l\u2019\u00e9tiquette de l\u2019appareil, \u00e0 la ligne "
    "<b>login</b>, sauf si vous avez choisi le v\u00f4tre.</dd></dl></main></body></html>\n";

/* https://HOST[:PORT] under the name the client used. */
static void secure_base(const struct http_request *r, const char *host, char *base, size_t capacity)
{
    int port = address_port(http_door_bound(r->http->secure));
    bool ipv6 = strchr(host, ':') != NULL;
    int n = snprintf(base, capacity, "https://%s%s%s", ipv6 ? "[" : "", host, ipv6 ? "]" : "");
    if (port != 443)
        snprintf(base + n, capacity - (size_t)n, ":%d", port);
}

static void answer_landing(struct http_request *r, const char *base)
{
    char page[sizeof landing_format + 256];
    const char *serial = r->http->settings.identity->serial;
    int n = snprintf(page, sizeof page, landing_format, serial, serial, base);
    http_answer_text(r, 200, "text/html; charset=utf-8", page, (size_t)n);
}

static void answer_redirect(struct http_request *r, const char *base)
{
    char location[160];
    snprintf(location, sizeof location, "%s%s", base, r->path);
    http_answer_problem(r, 308, "the secure door is at Location", NULL);
    if (r->answer)
        MHD_add_response_header(r->answer, "Location", location);
}

static bool lies_behind_the_secure_door(const struct http_request *r)
{
    bool is_api = strncmp(r->path, "/api/", strlen("/api/")) == 0;
    return r->route || (is_api && strlen(r->path) < REDIRECT_PATH_MAX);
}

/* Nothing but the way to the secure door; credentials are not even looked at. */
static void dispatch_plain(struct http_request *r)
{
    char host[CERTIFICATE_NAME_MAX], base[CERTIFICATE_NAME_MAX + 24];
    r->http->counters.requests++;
    if (!is_for_us(r, host)) {
        http_answer_problem(r, 403, "this box does not go by the name in Host; use its address",
                            NULL);
        return;
    }
    secure_base(r, host, base, sizeof base);
    r->route = find_route(r->http, r->path);
    if (r->route && r->route->access == HTTP_PUBLIC)
        serve(r);
    else if (strcmp(r->path, "/") == 0 && method_bit(r->method) == HTTP_GET)
        answer_landing(r, base);
    else if (strcmp(r->path, "/") == 0)
        answer_wrong_method(r, HTTP_GET);
    else if (lies_behind_the_secure_door(r))
        answer_redirect(r, base);
    else
        http_answer_problem(r, 404, "there is nothing at this address", NULL);
}

/* --- the library's callbacks ------------------------------------------------------------------ */

void *http_requests_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http *h = context;
    struct http_request *r = calloc(1, sizeof *r);
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
    end_stream(r);
    if (r->answer)
        MHD_destroy_response(r->answer);
    http_connection_allow(r->place, HTTP_IDLE_MS, false);
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
 * is refused for other reasons is answered when the body has come, so that the answer is not lost in a reset.  The
 * connection ends in both cases. */
static enum MHD_Result start(struct http_request *r, const char *path, const char *method,
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
    if (http_head_end(&r->head, info->header_size) != 0) {
        http_answer_problem(r, (unsigned)r->head.status, r->head.problem, NULL);
        return queue(r);
    }
    if (r->secure)
        check_secure(r);
    if (!r->answer)
        r->close_after = false;
    r->body_length = r->head.body_length;
    r->body = r->buffer = malloc(r->body_length + 1);
    if (!r->buffer)
        return MHD_NO;
    r->buffer[0] = 0;
    return MHD_YES;
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
    if (!r)
        return MHD_NO;
    if (!r->started)
        return start(r, path, method, version);
    if (*upload_size)
        return take_body(r, upload, upload_size);
    if (!r->answer && r->http->closing)
        return MHD_NO;
    if (!r->answer)
        dispatch(r);
    if (r->answer)
        return queue(r);
    r->suspended = true;
    http_connection_allow(r->place, INT64_MAX, true);
    MHD_suspend_connection(r->connection);
    return MHD_YES;
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
    return carry_on(r, path, method, version, upload, upload_size, dispatch_secure);
}

/* NOLINTNEXTLINE(readability-function-size): the library's type */
enum MHD_Result http_requests_plain(void *context, struct MHD_Connection *connection,
                                    const char *path, const char *method, const char *version,
                                    const char *upload, size_t *upload_size, void **request)
{
    (void)context;
    (void)connection;
    return carry_on(*request, path, method, version, upload, upload_size, dispatch_plain);
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
