#include "http.h"

#include "core/reading.h"
#include "heap.h"
#include "http_requests.h"
#include "log.h"
#include "wall_clock.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFRESH_MS = 30000, PEM_FILE_MAX = 64 * 1024 };

/* TLS 1.3 and 1.2 with ECDHE and authenticated encryption, nothing else. */
#define TLS_PRIORITIES \
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+ECDHE-ECDSA:+ECDHE-RSA:+AES-128-GCM:+AES-256-GCM:+CHACHA20-" \
    "POLY1305:" \
    "+AEAD:+GROUP-X25519:+GROUP-SECP256R1:+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-" \
    "ECDSA-SHA384:" \
    "+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-" \
    "SHA256:" \
    "+COMP-NULL:+CTYPE-X509:%SERVER_PRECEDENCE"

/* --- names and the certificate ---------------------------------------------------------------- */

static void find_names(struct http *h, struct certificate_names *names)
{
    struct host_net net;
    host_net_read(&net);
    identity_names(h->settings.identity, &net, h->settings.more_names, names);
}

/* The web certificate made anew, on a worker, on a copy of the identity. */
struct http_renewal {
    struct worker_job job;
    struct http *http;
    struct identity identity;
    struct certificate_names names;
    int64_t now_s;
    bool ok, renewed;
};

static void run_renewal(struct worker_job *job)
{
    struct http_renewal *n = CONTAINER_OF(job, struct http_renewal, job);
    n->ok = identity_renew_web(n->http->settings.state_dir, &n->identity, &n->names, n->now_s,
                               &n->renewed);
}

static void use_renewed(struct http *h, const struct http_renewal *n)
{
    struct identity *id = h->settings.identity;
    if (!http_certificate_use(&h->certificate, n->identity.web_key, n->identity.web_certificate))
        return;
    memcpy(id->web_key, n->identity.web_key, sizeof id->web_key);
    memcpy(id->web_certificate, n->identity.web_certificate, sizeof id->web_certificate);
    log_info("http", "the web certificate is renewed");
}

static void on_renewed(struct worker_job *job)
{
    struct http_renewal *n = CONTAINER_OF(job, struct http_renewal, job);
    struct http *h = n->http;
    if (!n->ok)
        log_warning("http", "the web certificate cannot be renewed in %s", h->settings.state_dir);
    else if (n->renewed)
        use_renewed(h, n);
    h->renewal = NULL;
    identity_wipe(&n->identity);
    free(n);
}

static void start_renewal(struct http *h)
{
    struct http_renewal *n = h->renewal ? NULL : heap_new(sizeof *n);
    if (!n)
        return;
    n->job = (struct worker_job){.run = run_renewal, .done = on_renewed};
    n->http = h;
    n->identity = *h->settings.identity;
    n->names = h->names;
    n->now_s = wall_clock_s();
    h->renewal = n;
    if (worker_start(h->loop, &n->job) == 0)
        return;
    h->renewal = NULL;
    free(n);
}

/* Addresses come and go; a certificate that lacks one, or ends soon, is made anew. */
static void on_refresh(struct loop_timer *timer)
{
    struct http *h = CONTAINER_OF(timer, struct http, refresh);
    const struct identity *id = h->settings.identity;
    find_names(h, &h->names);
    const struct certificate_request wanted = {
        .common_name = id->serial, .names = &h->names, .now_s = wall_clock_s(), .for_server = true};
    if (h->settings.certificate_file[0] == 0 && wanted.now_s != READING_NO_TIME &&
        certificate_check(id->web_key, id->web_certificate, &wanted, IDENTITY_WEB_MARGIN_DAYS) !=
            CERTIFICATE_GOOD)
        start_renewal(h);
    loop_set_timer(h->loop, &h->refresh, REFRESH_MS);
}

/* A PEM file whole, into memory the caller frees; NULL with errno. */
static char *read_pem(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = f ? heap_new(PEM_FILE_MAX) : NULL;
    bool ok = text && (fread(text, 1, PEM_FILE_MAX - 1, f) > 0 || !ferror(f));
    int problem = errno;
    if (f)
        fclose(f);
    if (!ok) {
        free(text);
        text = NULL;
    }
    errno = problem;
    return text;
}

static bool use_own_certificate(struct http *h, char error[static HTTP_ERROR_MAX])
{
    const struct http_settings *s = &h->settings;
    char *chain = read_pem(s->certificate_file);
    char *key = chain ? read_pem(s->key_file) : NULL;
    const char *file = chain ? s->key_file : s->certificate_file;
    if (!key)
        snprintf(error, HTTP_ERROR_MAX, "%.200s: %s", file, strerror(errno));
    bool ok = key && http_certificate_use(&h->certificate, key, chain);
    if (key && !ok)
        snprintf(error, HTTP_ERROR_MAX,
                 "%.100s and %.100s: no certificate chain and its key in PEM form",
                 s->certificate_file, s->key_file);
    if (key)
        explicit_bzero(key, strlen(key));
    free(key);
    free(chain);
    errno = EINVAL;
    return ok;
}

static bool start_certificate(struct http *h, char error[static HTTP_ERROR_MAX])
{
    const struct identity *id = h->settings.identity;
    if (h->settings.certificate_file[0])
        return use_own_certificate(h, error);
    if (http_certificate_use(&h->certificate, id->web_key, id->web_certificate))
        return true;
    snprintf(error, HTTP_ERROR_MAX, "the web certificate cannot be used");
    errno = EINVAL;
    return false;
}

/* --- life ------------------------------------------------------------------------------------- */

static bool is_known(void *context, const struct sockaddr_storage *address)
{
    struct http *h = context;
    return throttle_is_known(&h->auth.throttle, address);
}

static struct http_door *open_door(struct http *h, bool secure, char error[static HTTP_ERROR_MAX])
{
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_requests_uri, h},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_requests_completed, h},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES},
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)http_certificate_show},
        {MHD_OPTION_END, 0, NULL}};
    if (!secure)
        options[2].option = MHD_OPTION_END;
    const struct http_door_settings settings = {
        .listen = secure ? h->settings.https : h->settings.http,
        .option = secure ? "https" : "http",
        .places = &h->places,
        .options = options,
        .flags = secure ? MHD_USE_TLS : 0,
        .handler = secure ? http_requests_secure : http_requests_plain,
        .is_known = is_known,
        .context = h,
        .tls_context = &h->certificate};
    return http_door_open(h->loop, &settings, error);
}

static bool open_doors(struct http *h, char error[static HTTP_ERROR_MAX])
{
    h->secure = open_door(h, true, error);
    if (!h->secure)
        return false;
    if (strcmp(h->settings.http, "off") == 0)
        return true;
    h->plain = open_door(h, false, error);
    return h->plain != NULL;
}

struct http *http_open(struct loop *l, const struct http_settings *settings,
                       char error[static HTTP_ERROR_MAX])
{
    struct http *h = heap_new(sizeof *h);
    if (!h) {
        snprintf(error, HTTP_ERROR_MAX, "out of memory");
        return NULL;
    }
    h->loop = l;
    h->settings = *settings;
    h->refresh.expired = on_refresh;
    find_names(h, &h->names);
    if (auth_init(&h->auth, l, settings->state_dir, settings->metrics_token,
                  identity_hash(settings->identity)) &&
        start_certificate(h, error) && open_doors(h, error)) {
        loop_set_timer(l, &h->refresh, REFRESH_MS);
        return h;
    }
    int problem = errno;
    http_close(h);
    errno = problem;
    return NULL;
}

void http_close(struct http *h)
{
    if (!h)
        return;
    loop_cancel_timer(h->loop, &h->refresh);
    http_requests_end(h);
    http_door_close(h->plain);
    http_door_close(h->secure);
    auth_close(&h->auth);
    if (h->renewal) {
        worker_join(&h->renewal->job);
        identity_wipe(&h->renewal->identity);
        free(h->renewal);
    }
    http_certificate_free(&h->certificate);
    free(h);
}
