/* gateway_network.c - the network among the other modules: settings that are taken back, users that are gone. */
#include "gateway_parts.h"

#include "forwarding.h"
#include "log.h"
#include "network_trial.h"

#include <stdio.h>
#include <string.h>

/* Disks that are full do not stay so: it is tried again when the trial, begun anew, ends. */
static void on_taken_back(struct settings_change *change, enum settings_result result)
{
    struct gateway *g = CONTAINER_OF(change, struct gateway, take_back);
    if (result != SETTINGS_DONE)
        log_error("network", "the settings of before cannot be saved: %s", strerror(change->error));
    network_settled(g->network, result == SETTINGS_DONE);
    explicit_bzero(&g->proven, sizeof g->proven);
}

static void on_roll_back(struct network_owner *owner, const struct config *before)
{
    struct gateway *g = CONTAINER_OF(owner, struct gateway, network_owner);
    g->proven = *before;
    g->take_back =
        (struct settings_change){.from = &g->proven, .doors = DOOR_NETWORK, .done = on_taken_back};
    settings_begin(&g->settings, &g->take_back);
}

static void on_hold(struct network_owner *owner, bool on)
{
    struct gateway *g = CONTAINER_OF(owner, struct gateway, network_owner);
    settings_hold(&g->settings, on);
}

/* Connections that lead nowhere must not keep the page from their user, who comes back from elsewhere. */
static void on_leaving(struct network_owner *owner)
{
    struct gateway *g = CONTAINER_OF(owner, struct gateway, network_owner);
    if (g->http)
        http_end_session(g->http);
}

bool gateway_open_network(struct gateway *g)
{
    const struct options *o = &g->options;
    const struct network_settings settings = {.managed = o->network == NETWORK_MANAGER,
                                              .ethernet = o->ethernet,
                                              .wifi = o->wifi,
                                              .state_dir = o->state,
                                              .forwards = forwarding_is_on,
                                              .config = &g->settings.now,
                                              .usual = &g->defaults,
                                              .identity = &g->identity};
    g->network_owner =
        (struct network_owner){.roll_back = on_roll_back, .hold = on_hold, .leaving = on_leaving};
    g->network = network_open(&g->loop, &g->bus, &settings, &g->network_owner);
    return g->network != NULL;
}

void gateway_prepare_network(struct gateway *g, const struct config *candidate)
{
    char *text = settings_is_patched(&g->settings)
                     ? network_before(g->network, &g->before, candidate)
                     : NULL;
    if (text)
        settings_write_first(&g->settings, NETWORK_TRIAL_FILE, text);
}

void gateway_undo_network(struct gateway *g)
{
    network_discard(g->network);
}

void gateway_apply_network(struct gateway *g)
{
    if (!network_get_info(g->network).managed)
        log_info("network", "the host looks after its network itself: the settings are kept only");
    network_changed(g->network, &g->before, settings_is_patched(&g->settings));
}

void gateway_note_reached(void *context, const struct sockaddr_storage *from)
{
    struct gateway *g = CONTAINER_OF((struct api *)context, struct gateway, api);
    network_reached(g->network, from);
}
