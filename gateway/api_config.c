/* api_config.c - what changes something: configuration, reset, firmware. */
#include "api.h"
#include "factory_reset.h"
#include "heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A change on its way through the settings. */
struct config_change {
    struct settings_change change;
    struct http_request *request;
    struct api *api;
};

static json_t *errors_json(const struct config_errors *errors)
{
    json_t *list = json_array();
    for (size_t i = 0; i < errors->count; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "pointer", errors->list[i].pointer,
                                              "detail", errors->list[i].detail));
    return list;
}

static void answer_config(struct http_request *r, const struct api *api)
{
    http_answer_json(r, 200, config_json(&api->settings->now), api->settings->etag);
}

/* Of what cannot be written. */
static unsigned status_of(int error)
{
    return error == ENOSPC || error == EDQUOT ? 507 : 500;
}

static void answer_failure(struct http_request *r, const struct settings_change *change,
                           enum settings_result result)
{
    char detail[160];
    if (result == SETTINGS_BAD) {
        http_answer_problem(r, 422, "settings that cannot be used; nothing was changed",
                            errors_json(&change->errors));
    } else if (result == SETTINGS_OUTDATED) {
        http_answer_problem(r, 412, "the configuration was changed meanwhile; read it again", NULL);
    } else {
        snprintf(detail, sizeof detail, "the settings cannot be saved: %s; nothing was changed",
                 strerror(change->error));
        http_answer_problem(r, status_of(change->error), detail, NULL);
    }
}

static void on_config_done(struct settings_change *change, enum settings_result result)
{
    struct config_change *c = CONTAINER_OF(change, struct config_change, change);
    if (result == SETTINGS_DONE)
        answer_config(c->request, c->api);
    else
        answer_failure(c->request, change, result);
    json_decref(change->patch);
    free(c);
}

/* Takes the patch over. */
static void begin_change(struct http_request *r, struct api *api, json_t *patch)
{
    struct config_change *c = heap_new(sizeof *c);
    if (!c) {
        json_decref(patch);
        http_answer_wait(r, 503, "out of memory", 10);
        return;
    }
    c->request = r;
    c->api = api;
    c->change = (struct settings_change){
        .patch = patch, .if_match = r->head.value[FIELD_IF_MATCH], .done = on_config_done};
    settings_begin(api->settings, &c->change);
}

void api_serve_config(struct http_request *r, void *context)
{
    struct api *api = context;
    if (strcmp(r->method, "PATCH") != 0) {
        answer_config(r, api);
        return;
    }
    json_t *patch = http_body_json(r);
    if (patch)
        begin_change(r, api, patch);
}

/* --- reset ------------------------------------------------------------------------------------ */

/* A factory reset that was asked for here. */
struct reset_request {
    struct factory_reset reset;
    struct http_request *request;
};

static void on_reset_done(struct factory_reset *reset, enum factory_reset_result result)
{
    struct reset_request *q = CONTAINER_OF(reset, struct reset_request, reset);
    char text[FACTORY_RESET_TEXT_MAX];
    factory_reset_text(reset, result, text);
    if (result == FACTORY_RESET_DONE)
        http_answer_json(q->request, 202, json_pack("{s:s}", "Result", "factory settings"), NULL);
    else if (result == FACTORY_RESET_BUSY)
        http_answer_wait(q->request, 503, text, 1);
    else if (result == FACTORY_RESET_KEPT)
        answer_failure(q->request, &reset->change, reset->settings);
    else
        http_answer_problem(q->request, status_of(reset->error), text, NULL);
    free(q);
}

static void begin_reset(struct http_request *r, struct api *api)
{
    struct reset_request *q = heap_new(sizeof *q);
    if (!q) {
        http_answer_wait(r, 503, "out of memory", 10);
        return;
    }
    q->request = r;
    q->reset = (struct factory_reset){
        .api = api, .if_match = r->head.value[FIELD_IF_MATCH], .done = on_reset_done};
    factory_reset_begin(&q->reset);
}

/* {}, {"Mode":"soft"} or {"Mode":"factory"}; an empty body is soft, too. */
static bool read_mode(struct http_request *r, bool *factory)
{
    *factory = false;
    if (r->body_length == 0)
        return true;
    json_t *json = http_body_json(r);
    if (!json)
        return false;
    const json_t *mode = json_object_get(json, "Mode");
    const char *name = json_string_value(mode);
    *factory = name && strcmp(name, "factory") == 0;
    bool good = json_is_object(json) && json_object_size(json) == (mode ? 1 : 0) &&
                (!mode || *factory || (name && strcmp(name, "soft") == 0));
    if (!good)
        http_answer_problem(r, 422, "use {\"Mode\":\"soft\"} or {\"Mode\":\"factory\"}",
                            json_pack("[{s:s, s:s}]", "pointer", "/Mode", "detail",
                                      "must be \"soft\" or \"factory\""));
    json_decref(json);
    return good;
}

void api_serve_reset(struct http_request *r, void *context)
{
    struct api *api = context;
    bool factory;
    if (!read_mode(r, &factory))
        return;
    if (factory) {
        begin_reset(r, api);
        return;
    }
    api->reconnect(api);
    http_answer_json(r, 202, json_pack("{s:s}", "Result", "reconnecting"), NULL);
}
