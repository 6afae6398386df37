/* http_dispatch.c - who may ask what, and who answers it. */
#include "http_requests.h"

#include <stdio.h>
#include <string.h>

enum { REDIRECT_PATH_MAX = 96 };

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
        http_answer_wrong_method(r, route->methods);
    else if (r->is_upload)
        http_upload_of(r)->begin(r, r->http->settings.context);
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

/* Only the user: a reader of /metrics is a machine that knows nothing of the settings. */
static void note_reached(const struct http_request *r)
{
    const struct http_settings *s = &r->http->settings;
    if (s->reached && r->route && r->route->access != HTTP_METRICS)
        s->reached(s->context, &r->place->address);
}

static void on_authenticated(struct auth_check *check, enum auth_result result, int64_t wait_ms)
{
    struct http_request *r = CONTAINER_OF(check, struct http_request, check);
    if (r->http->closing)
        return;
    if (result == AUTH_PASSED)
        note_reached(r);
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

void http_dispatch_secure(struct http_request *r)
{
    r->http->counters.requests++;
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

const struct http_upload_route *http_upload_of(const struct http_request *r)
{
    bool is_file = r->secure && method_bit(r->method) == HTTP_POST && http_head_is_file(&r->head);
    const struct http_route *route = is_file ? find_route(r->http, r->path) : NULL;
    return route && (route->methods & HTTP_UPLOADS) ? route->data : NULL;
}

/* Finds the route; what can be refused before the body has come is. */
void http_check_secure(struct http_request *r)
{
    char host[CERTIFICATE_NAME_MAX];
    r->route = find_route(r->http, r->path);
    if (!is_for_us(r, host))
        http_answer_problem(
            r, 403, "this box does not go by the name in Host; use its address, or --http-names",
            NULL);
    else if (method_bit(r->method) == HTTP_GET)
        return;
    else if (!http_head_same_origin(&r->head))
        http_answer_problem(r, 403, "changes are taken from this box's own page only", NULL);
    else if (method_bit(r->method) && !http_head_is_json(&r->head) && !http_upload_of(r))
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
    http_add_field(&r->answer, "Location", location);
}

static bool lies_behind_the_secure_door(const struct http_request *r)
{
    bool is_api = strncmp(r->path, "/api/", strlen("/api/")) == 0;
    return r->route || (is_api && strlen(r->path) < REDIRECT_PATH_MAX);
}

/* Nothing but the way to the secure door; credentials are not even looked at. */
void http_dispatch_plain(struct http_request *r)
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
        http_answer_wrong_method(r, HTTP_GET);
    else if (lies_behind_the_secure_door(r))
        answer_redirect(r, base);
    else
        http_answer_problem(r, 404, "there is nothing at this address", NULL);
}
