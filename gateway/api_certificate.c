/* api_certificate.c - what identifies the box to a broker: shown without its key, and replaced by the owner's own. */
#include "api.h"
#include "heap.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A change on its way through a worker: keys take a while to be checked, and so may the disk. */
struct certificate_change {
    struct worker_job job;
    struct http_request *request;
    struct api *api;
    char key[BROKER_TLS_IDENTITY_MAX],
        certificate[BROKER_TLS_IDENTITY_MAX]; /* "" and "": back to the device's */
    bool of_key;                              /* the key is at fault */
    char complaint[BROKER_TLS_ERROR_MAX];     /* "": both can be used */
    int error;                                /* an errno; 0: kept */
};

static void run_change(struct worker_job *job)
{
    struct certificate_change *c = CONTAINER_OF(job, struct certificate_change, job);
    if (c->certificate[0] &&
        !broker_tls_check_identity(c->certificate, c->key, &c->of_key, c->complaint))
        return;
    if (c->certificate[0] && !broker_tls_tidy_identity(c->certificate, c->key))
        c->error = ENOMEM;
    else if (!identity_keep_mqtt(c->api->state_dir, c->key, c->certificate))
        c->error = errno;
}

/* A line end closes the text, also where a file was read without it. */
static json_t *pem_json(const char *pem)
{
    size_t length = strlen(pem);
    return json_sprintf("%s%s", pem, length && pem[length - 1] == '\n' ? "" : "\n");
}

static json_t *certificate_json(const struct identity *id)
{
    struct broker_tls_facts facts;
    const char *certificate = identity_mqtt_certificate(id);
    if (!broker_tls_read(certificate, &facts))
        return NULL;
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:s, s:s}", "Source",
                     id->mqtt_certificate[0] ? "own" : "device", "Certificate",
                     pem_json(certificate), "Subject", facts.subject, "Issuer", facts.issuer,
                     "NotBefore", api_time(facts.not_before_s), "NotAfter",
                     api_time(facts.not_after_s), "SHA256", facts.sha256, "KeySHA256",
                     facts.key_sha256);
}

static void refuse(struct http_request *r, const char *pointer, const char *detail)
{
    http_answer_problem(r, 422, "the certificate was not changed",
                        json_pack("[{s:s, s:s}]", "pointer", pointer, "detail", detail));
}

static void answer_not_kept(struct http_request *r, int error)
{
    char detail[160];
    snprintf(detail, sizeof detail, "the certificate cannot be kept: %s; it was not changed",
             strerror(error));
    http_answer_problem(r, error == ENOSPC || error == EDQUOT ? 507 : 500, detail, NULL);
}

void api_use_certificate(struct api *api, const char *key, const char *certificate)
{
    struct identity *id = api->identity;
    if (strcmp(id->mqtt_key, key) == 0 && strcmp(id->mqtt_certificate, certificate) == 0)
        return;
    explicit_bzero(id->mqtt_key, sizeof id->mqtt_key);
    snprintf(id->mqtt_key, sizeof id->mqtt_key, "%s", key);
    snprintf(id->mqtt_certificate, sizeof id->mqtt_certificate, "%s", certificate);
    log_info("mqtt", "the certificate shown to brokers is %s",
             certificate[0] ? "the owner's own" : "the device's again");
    api->reconnect(api);
}

static void free_change(struct certificate_change *c)
{
    explicit_bzero(c, sizeof *c);
    free(c);
}

static void on_changed(struct worker_job *job)
{
    struct certificate_change *c = CONTAINER_OF(job, struct certificate_change, job);
    c->api->certificate = NULL;
    if (c->complaint[0]) {
        refuse(c->request, c->of_key ? "/Key" : "/Certificate", c->complaint);
    } else if (c->error) {
        answer_not_kept(c->request, c->error);
    } else {
        api_use_certificate(c->api, c->key, c->certificate);
        http_answer_json(c->request, 200, certificate_json(c->api->identity), NULL);
    }
    free_change(c);
}

/* A text, or "" for null and for what is not there.  False: that it is none of these, or too long, was answered. */
static bool read_text(struct http_request *r, const json_t *json, const char *pointer,
                      char text[static BROKER_TLS_IDENTITY_MAX])
{
    const json_t *value = json_object_get(json, pointer + 1);
    const char *found = json_is_string(value) ? json_string_value(value) : "";
    if (value && !json_is_string(value) && !json_is_null(value))
        refuse(r, pointer, "is no text (PEM)");
    else if (strlen(found) >= BROKER_TLS_IDENTITY_MAX)
        refuse(r, pointer, "is longer than 16383 bytes");
    else {
        memcpy(text, found, strlen(found) + 1);
        return true;
    }
    return false;
}

/* Takes key and certificate out of the body.  False: that was answered. */
static bool read_change(struct certificate_change *c, const json_t *json)
{
    const json_t *certificate = json_object_get(json, "Certificate");
    size_t known = (size_t)(certificate != NULL) + (size_t)(json_object_get(json, "Key") != NULL);
    if (!json_is_object(json) || json_object_size(json) != known)
        refuse(c->request, "", "only Certificate and Key");
    else if (!certificate)
        refuse(c->request, "/Certificate", "is missing");
    else if (read_text(c->request, json, "/Certificate", c->certificate) &&
             read_text(c->request, json, "/Key", c->key)) {
        if (c->certificate[0] || !c->key[0])
            return true;
        refuse(c->request, "/Certificate", "is missing: a key alone cannot be used");
    }
    return false;
}

/* NULL: one is under way, or memory is out, and that was answered. */
static struct certificate_change *make_change(struct http_request *r, struct api *api)
{
    struct certificate_change *c = api_is_changing(api) ? NULL : heap_new(sizeof *c);
    if (!c) {
        http_answer_wait(r, 503, API_CHANGING, 1);
        return NULL;
    }
    c->job = (struct worker_job){.run = run_change, .done = on_changed};
    c->request = r;
    c->api = api;
    return c;
}

static void start_change(struct certificate_change *c)
{
    c->api->certificate = c;
    if (worker_start(c->api->loop, &c->job) == 0)
        return;
    c->api->certificate = NULL;
    http_answer_wait(c->request, 503, "out of memory", 10);
    free_change(c);
}

static void change(struct http_request *r, struct api *api)
{
    json_t *json = http_body_json(r);
    struct certificate_change *c = json ? make_change(r, api) : NULL;
    if (c && read_change(c, json))
        start_change(c);
    else if (c)
        free_change(c);
    json_decref(json);
}

void api_serve_certificate(struct http_request *r, void *context)
{
    struct api *api = context;
    if (strcmp(r->method, "POST") == 0)
        change(r, api);
    else
        http_answer_json(r, 200, certificate_json(api->identity), NULL);
}

void api_certificate_close(struct api *api)
{
    struct certificate_change *c = api->certificate;
    if (!c)
        return;
    worker_join(&c->job);
    on_changed(&c->job);
}
