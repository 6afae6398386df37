#include "api.h"

#include "core/messages.h"
#include "wall_clock.h"
#include "web_files.h"

#include <string.h>

enum { TICK_MS = 1000 };

/* clang-format off */
const struct http_route api_routes[] = {
    {"/api/v1/config", HTTP_GET | HTTP_PATCH, HTTP_LOGIN,
     "the user configuration, secrets masked; PATCH changes the settings it names, all or none",
     api_serve_config, NULL},
    {"/api/v1/status", HTTP_GET, HTTP_LOGIN,
     "the configuration and the live state of everything", api_serve_status, NULL},
    {"/api/v1/firmware", HTTP_GET | HTTP_POST | HTTP_UPLOADS, HTTP_LOGIN,
     "what runs here and how an update goes; POST begins one: a bundle, or the URL of one", api_serve_firmware,
     &api_bundle_upload},
    {"/api/v1/reset", HTTP_POST, HTTP_LOGIN,
     "reconnects to the network (soft), or sets all settings back (factory)", api_serve_reset, NULL},
    {"/api/v1/password", HTTP_POST, HTTP_LOGIN,
     "chooses another password for the page; the one until now is asked for", api_serve_password, NULL},
    {"/api/v1/mqtt/certificate", HTTP_GET | HTTP_POST, HTTP_LOGIN,
     "what identifies the box to a broker; POST puts the owner's own in its place", api_serve_certificate, NULL},
    {"/api/v1/wifi", HTTP_GET | HTTP_POST, HTTP_LOGIN,
     "the Wi-Fi networks in reach, as last seen; POST looks for them", api_serve_wifi, NULL},
    {"/api/v1/access-point", HTTP_POST, HTTP_LOGIN,
     "starts the box's own access point, or ends it", api_serve_access_point, NULL},
    {"/api/v1/telegram", HTTP_GET, HTTP_LOGIN,
     "the latest telegram, byte for byte", api_serve_telegram, NULL},
    {"/api/v1/readings", HTTP_GET, HTTP_LOGIN,
     "everything the latest telegram says", api_serve_readings, NULL},
    {"/api/v1/live", HTTP_GET, HTTP_LOGIN,
     "server-sent events: each reading, and the state when it changes", api_serve_live, NULL},
    {"/api/v1/history", HTTP_GET, HTTP_LOGIN,
     "the powers of the last hour", api_serve_history, NULL},
    {"/api/v1/openapi.json", HTTP_GET, HTTP_LOGIN,
     "this document", api_serve_openapi, NULL},
    {"/metrics", HTTP_GET, HTTP_METRICS,
     "Prometheus text format; the login, or the token of the setting Metrics/Token", api_serve_metrics, NULL},
};
/* clang-format on */
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];

/* --- routes ----------------------------------------------------------------------------------- */

/* Files of the landing page: it is shown to everybody. */
static bool is_public(const char *path)
{
    return strcmp(path, "/landing.css") == 0 || strcmp(path, "/favicon.svg") == 0;
}

static void add_file(struct api *api, const char *path, const struct web_file *file)
{
    enum http_access access = is_public(path) ? HTTP_PUBLIC : HTTP_PAGE;
    if (api->route_count < API_ROUTES_MAX)
        api->routes[api->route_count++] =
            (struct http_route){path, HTTP_GET, access, "", api_serve_file, file};
}

static void make_routes(struct api *api)
{
    memcpy(api->routes, api_routes, sizeof api_routes);
    api->route_count = api_route_count;
    for (size_t i = 0; i < web_file_count; i++) {
        add_file(api, web_files[i].path, &web_files[i]);
        if (strcmp(web_files[i].path, "/index.html") == 0) {
            add_file(api, "/", &web_files[i]);
            add_file(api, "/config", &web_files[i]);
        }
    }
}

void api_serve_file(struct http_request *r, void *context)
{
    const struct web_file *file = r->route->data;
    const char *accepts = r->head.value[FIELD_ACCEPT_ENCODING];
    (void)context;
    if (accepts && strstr(accepts, "gzip"))
        http_answer_static(r, file->type, file->gzip, file->gzip_size, "gzip", file->etag);
    else
        http_answer_static(r, file->type, file->plain, file->plain_size, NULL, file->etag);
}

/* --- what the meter said ---------------------------------------------------------------------- */

static const struct meter_snapshot *latest_or_404(const struct api *api, struct http_request *r)
{
    const struct meter_snapshot *latest = meter_latest(api->meter);
    if (!latest)
        http_answer_problem(r, 404, meter_state_text(meter_get_state(api->meter)), NULL);
    return latest;
}

/* A P1 telegram is complete with its CRC and taken there; the line end that follows belongs to it all the same, and
 * is of the kind of those before. */
static size_t add_line_end(char *telegram, size_t length)
{
    const char *lf = memchr(telegram, '\n', length);
    if (!lf || telegram[length - 1] == '\n')
        return length;
    if (lf > telegram && lf[-1] == '\r')
        telegram[length++] = '\r';
    telegram[length++] = '\n';
    return length;
}

void api_serve_telegram(struct http_request *r, void *context)
{
    struct api *api = context;
    const struct meter_snapshot *latest = latest_or_404(api, r);
    if (!latest)
        return;
    size_t n = latest->telegram_len;
    memcpy(api->message, latest->telegram, n);
    if (latest->reading.standard == STANDARD_P1)
        n = add_line_end(api->message, n);
    http_answer_text(r, 200, "text/plain", api->message, n);
}
_Static_assert(HISTORY_JSON_MAX >= P1_TELEGRAM_MAX + 2,
               "a telegram fits where answers are written");

void api_serve_readings(struct http_request *r, void *context)
{
    struct api *api = context;
    struct text_out out;
    const struct meter_snapshot *latest = latest_or_404(api, r);
    if (!latest)
        return;
    text_init(&out, api->message, sizeof api->message);
    message_readings(&out, &latest->reading, latest->telegram, latest->telegram_len);
    http_answer_text(r, 200, "application/json", out.buffer, out.length);
}

void api_serve_history(struct http_request *r, void *context)
{
    struct api *api = context;
    struct text_out out;
    text_init(&out, api->message, sizeof api->message);
    history_write(&api->history, &out, api->loop->now_ms, wall_clock_s());
    http_answer_text(r, 200, "application/json", out.buffer, out.length);
}

bool api_is_changing(const struct api *api)
{
    return api->password || api->certificate || api->reset;
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_reading(struct meter_listener *listener, const struct meter_snapshot *latest)
{
    struct api *api = CONTAINER_OF(listener, struct api, listener);
    history_add(&api->history, &latest->reading, api->loop->now_ms);
    api_live_reading(api);
}

static void on_stale(struct meter_listener *listener)
{
    api_live_tick(CONTAINER_OF(listener, struct api, listener));
}

static void on_tick(struct loop_timer *timer)
{
    struct api *api = CONTAINER_OF(timer, struct api, tick);
    api_live_tick(api);
    loop_set_timer(api->loop, &api->tick, TICK_MS);
}

void api_start(struct api *api)
{
    api->started_ms = loop_clock_ms();
    api->tick.expired = on_tick;
    api->listener = (struct meter_listener){.reading = on_reading, .stale = on_stale};
    make_routes(api);
    history_init(&api->history);
    meter_add_listener(api->meter, &api->listener);
    loop_set_timer(api->loop, &api->tick, TICK_MS);
}

void api_stop(struct api *api)
{
    if (!api->tick.expired)
        return;
    meter_remove_listener(api->meter, &api->listener);
    loop_cancel_timer(api->loop, &api->tick);
}
