/* gateway_panel.c - LED and button among the other modules: what is shown, and what a press does. */
#include "gateway_parts.h"

#include "log.h"

#include <stdio.h>

enum {
    INITIALISING_MS = 15000, /* for meter and network to come */
    RESET_SHOWN_MS = 2000,   /* on the LED */
    ADDRESS_MS = 5000        /* how old a look at the addresses may be if no change was heard of */
};

void gateway_look_at_addresses(struct gateway *g)
{
    struct host_net net;
    host_net_read(&net);
    g->has_address = host_net_has_address(&net);
    g->address_seen_ms = g->loop.now_ms;
}

static void on_led_facts(struct panel_owner *owner, struct led_facts *facts)
{
    struct gateway *g = CONTAINER_OF(owner, struct gateway, panel_owner);
    int64_t now_ms = g->loop.now_ms;
    facts->booting = !g->serving;
    if (facts->booting) /* the others are not open yet, or not any more */
        return;
    if (now_ms - g->address_seen_ms >= ADDRESS_MS)
        gateway_look_at_addresses(g);
    facts->access_point = network_get_info(g->network).access_point != AP_OFF;
    facts->data = !meter_is_stale(g->meter);
    facts->address = g->has_address;
    g->initialised = g->initialised || (facts->data && facts->address) ||
                     now_ms - g->started_ms >= INITIALISING_MS;
    facts->initialising = (!g->initialised && !facts->access_point) ||
                          (g->reset_ms && now_ms - g->reset_ms < RESET_SHOWN_MS);
}

static void press_short(struct gateway *g)
{
    g->api.reconnect(&g->api);
}

static void press_held(struct gateway *g)
{
    const char *why = "it is for a box in factory state, and settings were changed";
    if (!settings_are_factory(&g->settings) || !network_access_point(g->network, true, &why))
        log_info("network", "no access point: %s", why);
    panel_look(g->panel);
}

static void on_reset_done(struct factory_reset *reset, enum factory_reset_result result)
{
    char text[FACTORY_RESET_TEXT_MAX];
    factory_reset_text(reset, result, text);
    if (result == FACTORY_RESET_DONE)
        log_info("run", "factory reset: done");
    else
        log_error("run", "factory reset: %s", text);
}

static void press_long(struct gateway *g)
{
    if (g->api.reset == &g->reset)
        return; /* it is under way */
    g->reset = (struct factory_reset){.api = &g->api, .done = on_reset_done};
    factory_reset_begin(&g->reset);
}

static void on_pressed(struct panel_owner *owner, enum button_event event)
{
    typedef void action(struct gateway * g);
    static action *const actions[BUTTON_EVENTS] = {
        [BUTTON_SHORT] = press_short,
        [BUTTON_HELD] = press_held,
        [BUTTON_LONG] = press_long,
    };
    struct gateway *g = CONTAINER_OF(owner, struct gateway, panel_owner);
    if (g->serving) /* not once the others are being closed */
        actions[event](g);
}

bool gateway_open_panel(struct gateway *g, char error[static GATEWAY_ERROR_MAX])
{
    g->panel_owner = (struct panel_owner){.facts = on_led_facts, .pressed = on_pressed};
    g->panel = panel_open(&g->loop, g->options.led, g->options.button, &g->panel_owner);
    if (!g->panel)
        snprintf(error, GATEWAY_ERROR_MAX, "out of memory");
    return g->panel != NULL;
}
