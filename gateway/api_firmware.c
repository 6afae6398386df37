/* api_firmware.c - what runs here, and newer versions of it: sent, or fetched from elsewhere. */
#include "api.h"
#include "choices.h"
#include "core/reading.h"
#include "heap.h"
#include "json_text.h"
#include "mqtt_command.h"
#include "update_bundle.h"
#include "wall_clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- what is shown ---------------------------------------------------------------------------- */

static json_t *slot_json(const struct rauc_slot *slot)
{
    return json_pack("{s:s, s:s, s:b, s:b, s:o, s:o}", "Name", slot->name, "Boot", slot->boot,
                     "Booted", strcmp(slot->state, "booted") == 0, "Good",
                     strcmp(slot->health, "good") == 0, "Release", api_text(slot->release),
                     "Installed", api_text(slot->installed));
}

static json_t *slots_json(const struct rauc *rauc)
{
    json_t *list = json_array();
    for (size_t i = 0; rauc && i < rauc->slot_count; i++)
        json_array_append_new(list, slot_json(&rauc->slot[i]));
    return list;
}

static json_t *result_json(const struct update_record *r)
{
    if (!r)
        return json_null();
    return json_pack("{s:b, s:o, s:o, s:o, s:o}", "Ok", r->ok, "From", api_text(r->from), "To",
                     api_text(r->to), "Reason", api_text(r->reason), "Time", api_time(r->time_s));
}

static json_t *percent_json(int percent)
{
    return percent < 0 ? json_null() : json_integer(percent);
}

static json_t *firmware_json(const struct update_info *i)
{
    errno = 0;
    return json_whole(json_pack(
        "{s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:o}", "Version", SMART_CONNECT_VERSION,
        "Release", api_text(i->release), "Floor", api_text(i->floor), "Compatible",
        api_text(i->compatible), "ManagedBy", choices_update[i->manager], "State",
        update_state_name(i->state), "Progress", percent_json(i->percent), "Detail",
        api_text(i->detail), "Slots", slots_json(i->rauc), "Result", result_json(i->result)));
}

json_t *api_firmware_state(const struct api *api)
{
    const struct update_info info = update_get_info(api->update);
    return json_pack("{s:s, s:o}", "State", update_state_name(info.state), "Progress",
                     percent_json(info.percent));
}

json_t *api_firmware_message(const struct api *api)
{
    const struct update_info i = update_get_info(api->update);
    int64_t now_s = wall_clock_s();
    int percent = i.percent < 0 ? i.percent : i.percent - i.percent % API_FIRMWARE_STEP;
    return json_pack("{s:o, s:s, s:o, s:s, s:o, s:o}", "ts",
                     now_s == READING_NO_TIME ? json_null() : json_integer(now_s), "version",
                     SMART_CONNECT_VERSION, "release", api_text(i.release), "state",
                     update_state_name(i.state), "progress", percent_json(percent), "result",
                     result_json(i.result));
}

static void answer_state(struct http_request *r, const struct api *api, unsigned status)
{
    const struct update_info info = update_get_info(api->update);
    http_answer_json(r, status, firmware_json(&info), NULL);
}

static void answer_refusal(struct http_request *r, enum update_refusal refusal, const char *error)
{
    static const unsigned statuses[UPDATE_REFUSALS] = {
        [UPDATE_NOT_OURS] = 409, [UPDATE_BUSY] = 409,    [UPDATE_ABSENT] = 503,
        [UPDATE_TOO_LONG] = 413, [UPDATE_NO_ROOM] = 507, [UPDATE_BAD] = 422};
    http_answer_problem(r, statuses[refusal], error, NULL);
}

/* --- by a URL --------------------------------------------------------------------------------- */

static json_t *url_error(const char *detail)
{
    return json_pack("[{s:s, s:s}]", "pointer", "/Url", "detail", detail);
}

static void begin_fetching(struct http_request *r, struct api *api, const char *url)
{
    char why[COMMAND_ERROR_MAX], error[UPDATE_ERROR_MAX];
    if (!command_check_url(url, why)) {
        http_answer_problem(r, 422, why, url_error(why));
        return;
    }
    enum update_refusal refusal = update_from_url(api->update, url, error);
    if (refusal == UPDATE_ACCEPTED)
        answer_state(r, api, 202);
    else
        answer_refusal(r, refusal, error);
}

static void take_url(struct http_request *r, struct api *api)
{
    char error[UPDATE_ERROR_MAX];
    enum update_refusal refusal = update_may_begin(api->update, error);
    if (refusal != UPDATE_ACCEPTED) {
        answer_refusal(r, refusal, error);
        return;
    }
    json_t *json = http_body_json(r);
    if (!json)
        return;
    const char *url = json_string_value(json_object_get(json, "Url"));
    if (url && json_object_size(json) == 1)
        begin_fetching(r, api, url);
    else
        http_answer_problem(
            r, 422, "use {\"Url\":\"https://...\"}, or send a bundle as application/octet-stream",
            url_error("must be an https URL, alone"));
    json_decref(json);
}

void api_serve_firmware(struct http_request *r, void *context)
{
    struct api *api = context;
    if (strcmp(r->method, "POST") == 0)
        take_url(r, api);
    else
        answer_state(r, api, 200);
}

/* --- sent ------------------------------------------------------------------------------------- */

struct bundle_upload {
    struct http_upload upload;
    struct update_sender sender;
    struct api *api;
};

static size_t on_take(struct http_upload *u, const char *bytes, size_t length)
{
    const struct bundle_upload *b = CONTAINER_OF(u, struct bundle_upload, upload);
    return update_take(b->api->update, bytes, length);
}

static void on_all(struct http_upload *u)
{
    update_all_sent(CONTAINER_OF(u, struct bundle_upload, upload)->api->update);
}

static void on_gone(struct http_upload *u)
{
    struct bundle_upload *b = CONTAINER_OF(u, struct bundle_upload, upload);
    update_drop(b->api->update, &b->sender);
    free(b);
}

static void on_go_on(struct update_sender *s)
{
    http_upload_go_on(&CONTAINER_OF(s, struct bundle_upload, sender)->upload);
}

static void on_verdict(struct update_sender *s, enum update_refusal refusal, const char *error)
{
    struct bundle_upload *b = CONTAINER_OF(s, struct bundle_upload, sender);
    if (refusal == UPDATE_ACCEPTED)
        answer_state(b->upload.request, b->api, 202);
    else
        answer_refusal(b->upload.request, refusal, error);
}

static void begin_upload(struct http_request *r, void *context)
{
    struct api *api = context;
    char error[UPDATE_ERROR_MAX] = "out of memory";
    struct bundle_upload *b = heap_new(sizeof *b);
    enum update_refusal refusal = UPDATE_ABSENT;
    if (b) {
        b->upload = (struct http_upload){.take = on_take, .all = on_all, .gone = on_gone};
        b->sender = (struct update_sender){.go_on = on_go_on, .verdict = on_verdict};
        b->api = api;
        refusal = update_from_sender(api->update, &b->sender, (int64_t)r->head.body_length, error);
    }
    if (refusal == UPDATE_ACCEPTED) {
        http_begin_upload(r, &b->upload);
        return;
    }
    free(b);
    answer_refusal(r, refusal, error);
}

const struct http_upload_route api_bundle_upload = {UPDATE_BUNDLE_MAX, begin_upload};
