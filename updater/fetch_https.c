#include "fetch_https.h"

#include "fetch_address.h"
#include "gateway/update_url.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    HTTP_OK = 200,
    REDIRECTS_MAX = 3,
    TOTAL_LIMIT_MS = 2 * 3600 * 1000,
    STALL_BYTES_S = 1024,
    SAY_MS = 250,           /* at most so often how far it is */
    SAY_ANYWAY_MS = 4000,   /* and so often that it lives */
    OTHER_BODY_MAX = 65536, /* of an answer that is not 200: it is dropped */
    URL_MAX = 4096,
    HOST_SHOWN_MAX = 60
};

struct fetch {
    struct fetch_peer *peer;
    const struct fetch_settings *settings;
    CURL *curl;
    int64_t max_bytes, bytes, other_bytes;
    int64_t until_ms, said_ms, said_bytes;
    bool size_known, head_whole;
    const char *address_fault; /* of the host's latest address that was refused */
    char url[URL_MAX], host[HOST_SHOWN_MAX + 1];
    char *reason; /* UPDATE_REASON_MAX; "": nothing is wrong, as far as we know */
    char curl_error[CURL_ERROR_SIZE];
};

/* The first reason stays: what follows comes from it. */
__attribute__((format(printf, 2, 3))) static bool fail(struct fetch *f, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (!f->reason[0])
        vsnprintf(f->reason, UPDATE_REASON_MAX, format, arguments);
    va_end(arguments);
    return false;
}

/* --- what libcurl asks and tells -------------------------------------------------------------- */

static long status_of(struct fetch *f)
{
    long status = 0;
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static bool is_chunked(struct fetch *f)
{
    struct curl_header *encoding;
    return curl_easy_header(f->curl, "Transfer-Encoding", 0, CURLH_HEADER, -1, &encoding) == 0 &&
           strcasecmp(encoding->value, "chunked") == 0;
}

/* An answer must tell its end: with this libcurl a TLS connection that was cut looks like one that ended. */
static void look_at_size(struct fetch *f)
{
    curl_off_t size = -1;
    if (f->size_known || !f->head_whole || status_of(f) != HTTP_OK)
        return;
    curl_easy_getinfo(f->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    f->size_known = size >= 0;
    if (size > f->max_bytes)
        fail(f, "%s: the file has %lld bytes, and at most %lld are allowed", f->host,
             (long long)size, (long long)f->max_bytes);
    else if (f->size_known)
        fetch_peer_count(f->peer, "size", size);
    else if (!is_chunked(f))
        fail(f, "%s: the answer has neither a Content-Length nor chunks", f->host);
}

/* libcurl takes a connection that is lost within the head for the end of an empty answer.  A head ends in an empty
 * line, and there may be several; what follows the last chunk comes here, too. */
static size_t on_head(char *line, size_t one, size_t n, void *context)
{
    struct fetch *f = context;
    bool begins = n > 5 && memcmp(line, "HTTP/", 5) == 0;
    f->head_whole = !begins && (f->head_whole || (n > 0 && (line[0] == '\r' || line[0] == '\n')));
    return one * n;
}

static bool write_body(struct fetch *f, const char *bytes, size_t n)
{
    look_at_size(f);
    if (f->reason[0])
        return false;
    if ((int64_t)n > f->max_bytes - f->bytes)
        return fail(f, "%s: the file has more than the %lld bytes that are allowed", f->host,
                    (long long)f->max_bytes);
    if (!fetch_peer_write(f->peer, bytes, n, f->bytes))
        return fail(f, "cannot write the file: %s", strerror(errno));
    f->bytes += (int64_t)n;
    return true;
}

static size_t on_body(char *bytes, size_t one, size_t n, void *context)
{
    struct fetch *f = context;
    if (status_of(f) == HTTP_OK)
        return write_body(f, bytes, n) ? one * n : 0;
    f->other_bytes += (int64_t)n;
    return f->other_bytes <= OTHER_BODY_MAX ? one * n : 0;
}

/* Called with each piece and once a second; other than 0 ends it. */
static int on_progress(void *context, curl_off_t size, curl_off_t got, curl_off_t to_send,
                       curl_off_t sent)
{
    struct fetch *f = context;
    int64_t since_ms = fetch_clock_ms() - f->said_ms;
    (void)size, (void)got, (void)to_send, (void)sent;
    look_at_size(f);
    if (since_ms >= SAY_ANYWAY_MS || (since_ms >= SAY_MS && f->bytes != f->said_bytes)) {
        fetch_peer_count(f->peer, "got", f->bytes);
        f->said_ms += since_ms;
        f->said_bytes = f->bytes;
    }
    return f->reason[0] || fetch_peer_gone(f->peer);
}

/* Names mean what DNS says at this moment, so what counts is the address that is connected to. */
static curl_socket_t on_connect(void *context, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct fetch *f = context;
    const char *fault = fetch_address_fault(&a->addr, f->settings->allow_loopback);
    (void)purpose;
    if (fault)
        f->address_fault = fault;
    return fault ? CURL_SOCKET_BAD : socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* --- one address ------------------------------------------------------------------------------ */

static bool set_up(struct fetch *f)
{
    const struct {
        CURLoption option;
        long value;
    } numbers[] = {
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2}, /* or later */
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_FOLLOWLOCATION, 0}, /* each URL goes by our rules */
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_CONNECTTIMEOUT, f->settings->stall_s / 2},
        {CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_S},
        {CURLOPT_LOW_SPEED_TIME, f->settings->stall_s},
        {CURLOPT_NOPROGRESS, 0},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_QUICK_EXIT, 1}, /* no waiting for a name that is still being looked up */
    };
    const struct {
        CURLoption option;
        const char *value;
    } texts[] = {
        {CURLOPT_PROTOCOLS_STR, "https"},
        {CURLOPT_PROXY, ""},
        {CURLOPT_USERAGENT, "smart-connect/" SMART_CONNECT_VERSION},
        {CURLOPT_CAINFO, f->settings->ca},
    };
    CURLcode code = CURLE_OK;
    for (size_t i = 0; !code && i < sizeof numbers / sizeof numbers[0]; i++)
        code = curl_easy_setopt(f->curl, numbers[i].option, numbers[i].value);
    for (size_t i = 0; !code && i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].value)
            code = curl_easy_setopt(f->curl, texts[i].option, texts[i].value);
    if (!code && f->settings->ca)
        code = curl_easy_setopt(f->curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, f->curl_error);
    curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(f->curl, CURLOPT_XFERINFODATA, f);
    curl_easy_setopt(f->curl, CURLOPT_OPENSOCKETFUNCTION, on_connect);
    curl_easy_setopt(f->curl, CURLOPT_OPENSOCKETDATA, f);
    return !code || fail(f, "libcurl cannot be set up: %s", curl_easy_strerror(code));
}

/* "updates.example" of "https://updates.example:8443/x" */
static void take_host(struct fetch *f)
{
    const char *host = f->url + strlen("https://");
    snprintf(f->host, sizeof f->host, "%.*s", (int)strcspn(host, ":/"), host);
}

static bool explain(struct fetch *f, CURLcode code)
{
    const char *says = f->curl_error[0] ? f->curl_error : curl_easy_strerror(code);
    if (code == CURLE_COULDNT_CONNECT && f->address_fault)
        return fail(f, "%s is %s: updates come from other hosts", f->host, f->address_fault);
    return fail(f, "%s: %s", f->host, says);
}

/* Asks for f->url.  True: it was answered, in whatever way. */
static bool ask(struct fetch *f)
{
    const char *fault = update_url_fault(f->url);
    int64_t left_ms = f->until_ms - fetch_clock_ms();
    if (fault)
        return fail(f, "redirected to a URL that cannot be used: %s", fault);
    if (left_ms <= 0)
        return fail(f, "not done within 2 h");
    take_host(f);
    f->head_whole = false;
    f->other_bytes = 0;
    f->address_fault = NULL;
    f->curl_error[0] = 0;
    curl_easy_setopt(f->curl, CURLOPT_URL, f->url);
    curl_easy_setopt(f->curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
    CURLcode code = curl_easy_perform(f->curl);
    if (code && f->other_bytes <= OTHER_BODY_MAX)
        return explain(f, code);
    if (!f->head_whole)
        return fail(f, "%s: the connection ended within the head of the answer", f->host);
    look_at_size(f); /* of an empty file no byte came */
    return !f->reason[0];
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Where the answer leads to becomes f->url; false if nowhere. */
static bool redirected(struct fetch *f)
{
    char *to = NULL;
    curl_easy_getinfo(f->curl, CURLINFO_REDIRECT_URL, &to);
    if (!to)
        return false;
    if (strlen(to) >= sizeof f->url)
        return fail(f, "%s: redirects to a URL of more than %d bytes", f->host, URL_MAX - 1);
    memcpy(f->url, to, strlen(to) + 1);
    return true;
}

static bool get(struct fetch *f)
{
    int redirects = 0;
    if (!set_up(f) || !ask(f))
        return false;
    while (redirected(f)) {
        if (redirects++ == REDIRECTS_MAX)
            return fail(f, "%s: redirects once more, after %d times", f->host, REDIRECTS_MAX);
        if (!ask(f))
            return false;
    }
    return status_of(f) == HTTP_OK ||
           fail(f, "%s: answers HTTP %ld in place of 200", f->host, status_of(f));
}

enum fetch_end fetch_https(struct fetch_peer *peer, const struct update_request *request,
                           const struct fetch_settings *settings, int64_t *bytes,
                           char reason[static UPDATE_REASON_MAX])
{
    struct fetch f = {.peer = peer,
                      .settings = settings,
                      .max_bytes = request->max_bytes,
                      .until_ms = fetch_clock_ms() + TOTAL_LIMIT_MS,
                      .said_ms = fetch_clock_ms(),
                      .reason = reason};
    struct curl_slist *resolve = NULL;
    for (int i = 0; i < settings->resolve_n; i++)
        resolve = curl_slist_append(resolve, settings->resolve[i]);
    reason[0] = 0;
    snprintf(f.url, sizeof f.url, "%s", request->url);
    f.curl = curl_global_init(CURL_GLOBAL_DEFAULT) == 0 ? curl_easy_init() : NULL;
    if (f.curl)
        curl_easy_setopt(f.curl, CURLOPT_RESOLVE, resolve);
    bool good = f.curl ? get(&f) : fail(&f, "libcurl does not start: out of memory");
    curl_easy_cleanup(f.curl);
    curl_slist_free_all(resolve);
    curl_global_cleanup();
    *bytes = f.bytes;
    if (good)
        return FETCH_DONE;
    return fetch_peer_gone(peer) ? FETCH_CANCELLED : FETCH_FAILED;
}
