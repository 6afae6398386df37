#include "factory_reset.h"

#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void end(struct factory_reset *reset, enum factory_reset_result result)
{
    reset->api->reset = NULL;
    reset->done(reset, result);
}

static void run_rest(struct worker_job *job)
{
    struct factory_reset *reset = CONTAINER_OF(job, struct factory_reset, job);
    const char *folder = reset->api->state_dir;
    if (!identity_keep_password(folder, "") || !identity_keep_mqtt(folder, "", ""))
        reset->error = errno;
}

static void use_rest(struct api *api)
{
    api_use_password(api, "");
    if (*api->http)
        auth_forget_locks(&(*api->http)->auth);
    api_use_certificate(api, "", "");
}

static void on_rest_done(struct worker_job *job)
{
    struct factory_reset *reset = CONTAINER_OF(job, struct factory_reset, job);
    if (!reset->error)
        use_rest(reset->api);
    end(reset, reset->error ? FACTORY_RESET_HALF : FACTORY_RESET_DONE);
}

/* Removing files may take a while, so a worker does it; where nothing is kept there are none. */
static void begin_rest(struct factory_reset *reset)
{
    reset->api->forget(reset->api);
    if (reset->api->state_dir[0] == 0) {
        on_rest_done(&reset->job);
    } else if (worker_start(reset->api->loop, &reset->job) < 0) {
        reset->error = errno;
        end(reset, FACTORY_RESET_HALF);
    }
}

static void on_settings_done(struct settings_change *change, enum settings_result result)
{
    struct factory_reset *reset = CONTAINER_OF(change, struct factory_reset, change);
    reset->settings = result;
    if (result == SETTINGS_DONE)
        begin_rest(reset);
    else
        end(reset, FACTORY_RESET_KEPT);
}

void factory_reset_begin(struct factory_reset *reset)
{
    struct api *api = reset->api;
    reset->error = 0;
    reset->job = (struct worker_job){.run = run_rest, .done = on_rest_done};
    reset->change = (struct settings_change){.if_match = reset->if_match, .done = on_settings_done};
    if (api_is_changing(api)) {
        reset->done(reset, FACTORY_RESET_BUSY);
        return;
    }
    api->reset = reset;
    settings_begin(api->settings, &reset->change);
}

static void kept_text(const struct factory_reset *reset, char text[static FACTORY_RESET_TEXT_MAX])
{
    const struct config_error *first = &reset->change.errors.list[0];
    if (reset->settings == SETTINGS_BAD)
        snprintf(text, FACTORY_RESET_TEXT_MAX, "%s %s; nothing was changed", first->pointer,
                 first->detail);
    else
        snprintf(text, FACTORY_RESET_TEXT_MAX,
                 "the settings cannot be set back: %s; nothing was changed",
                 strerror(reset->change.error));
}

void factory_reset_text(const struct factory_reset *reset, enum factory_reset_result result,
                        char text[static FACTORY_RESET_TEXT_MAX])
{
    text[0] = 0;
    if (result == FACTORY_RESET_BUSY)
        snprintf(text, FACTORY_RESET_TEXT_MAX, "%s", API_CHANGING);
    else if (result == FACTORY_RESET_KEPT)
        kept_text(reset, text);
    else if (result == FACTORY_RESET_HALF)
        snprintf(text, FACTORY_RESET_TEXT_MAX,
                 "the settings are those of the factory, but password and certificate cannot be: "
                 "%s; try again",
                 strerror(reset->error));
}

void factory_reset_close(struct api *api)
{
    struct factory_reset *reset = api->reset;
    if (!reset)
        return;
    worker_join(&reset->job);
    on_rest_done(&reset->job);
}
