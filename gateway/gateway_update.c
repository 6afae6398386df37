/* gateway_update.c - updates of the whole system, and the house they are for. */
#include "gateway_parts.h"

#include "log.h"

#include <stdio.h>

enum { MS_PER_S = 1000 };

static struct gateway *of_owner(struct update_owner *owner)
{
    return CONTAINER_OF(owner, struct gateway, update_owner);
}

static void on_changed(struct update_owner *owner)
{
    struct gateway *g = of_owner(owner);
    const struct update_info info = update_get_info(g->update);
    const int step = info.percent / API_FIRMWARE_STEP;
    if (info.revision == g->update_told.revision && step == g->update_told.step)
        return;
    g->update_told.revision = info.revision;
    g->update_told.step = step;
    if (g->mqtt)
        mqtt_firmware_changed(g->mqtt);
}

static bool on_meter_is_live(struct update_owner *owner)
{
    return meter_get_state(of_owner(owner)->meter) == METER_LIVE;
}

static const char *on_settings_problem(struct update_owner *owner)
{
    return of_owner(owner)->settings.problem;
}

static const struct sockaddr_storage *on_page(struct update_owner *owner)
{
    const struct gateway *g = of_owner(owner);
    return g->http ? http_door_bound(g->http->secure) : NULL;
}

bool gateway_open_update(struct gateway *g)
{
    const struct options *o = &g->options;
    const struct update_settings settings = {.manager = (enum update_manager)o->update,
                                             .state_dir = o->state,
                                             .folder = o->update_folder,
                                             .fetch_socket = o->update_fetch,
                                             .release_path = o->update_release,
                                             .floor_path = o->update_floor,
                                             .trial_ms = (int64_t)o->update_trial_s * MS_PER_S};
    g->update = update_open(&settings);
    return g->update;
}

void gateway_start_update(struct gateway *g)
{
    g->update_owner = (struct update_owner){.changed = on_changed,
                                            .meter_is_live = on_meter_is_live,
                                            .settings_problem = on_settings_problem,
                                            .page = on_page};
    update_start(g->update, &g->loop, &g->bus, &g->update_owner);
}

static struct gateway *of_host(struct mqtt_host *host)
{
    return CONTAINER_OF(host, struct gateway, mqtt_host);
}

static bool on_mqtt_update(struct mqtt_host *host, const char *url, char *error)
{
    return update_from_url(of_host(host)->update, url, error) == UPDATE_ACCEPTED;
}

static json_t *on_mqtt_firmware(struct mqtt_host *host)
{
    return api_firmware_message(&of_host(host)->api);
}

void gateway_offer_update(struct gateway *g)
{
    g->mqtt_host.update = on_mqtt_update;
    if (g->options.update == UPDATE_BY_RAUC)
        g->mqtt_host.firmware = on_mqtt_firmware;
}
