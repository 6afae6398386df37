#include "rtu_keep.h"

#include "log.h"
#include "rtu_bus.h"

#include <string.h>

struct p1mb_settings rtu_keep_bus(const struct config *c)
{
    struct p1mb_settings bus = {.address = (uint8_t)c->rtu_address,
                                .termination = c->rtu_termination != 0};
    (void)rtu_bus_parse_line(c->rtu_line, &bus); /* it was checked when it was set */
    return bus;
}

/* What differs from what is kept: the rest goes on following the device file. */
static json_t *patch_to(const struct config *now, const struct p1mb_settings *bus)
{
    const struct p1mb_settings before = rtu_keep_bus(now);
    char line[RTU_LINE_MAX];
    json_t *rtu = json_object();
    rtu_bus_format_line(bus, line);
    if (bus->address != before.address)
        json_object_set_new(rtu, "Address", json_integer(bus->address));
    if (strcmp(line, now->rtu_line) != 0)
        json_object_set_new(rtu, "Line", json_string(line));
    if (bus->termination != before.termination)
        json_object_set_new(rtu, "Termination", json_boolean(bus->termination));
    return json_pack("{s:o}", "RTU", rtu);
}

static void begin(struct rtu_keep *k);

static void on_kept(struct settings_change *change, enum settings_result result)
{
    struct rtu_keep *k = CONTAINER_OF(change, struct rtu_keep, change);
    if (result != SETTINGS_DONE)
        log_error("rtu", "what was written on the bus is not kept: %s",
                  result == SETTINGS_NOT_SAVED ? strerror(change->error)
                                               : "the configuration refuses it");
    json_decref(k->patch);
    k->patch = NULL;
    if (k->changed && !k->stopped)
        begin(k);
}

static void begin(struct rtu_keep *k)
{
    k->changed = false;
    k->patch = patch_to(&k->settings->now, &k->wanted);
    k->change = (struct settings_change){.patch = k->patch, .done = on_kept};
    if (k->patch) /* NULL would mean the defaults */
        settings_begin(k->settings, &k->change);
    else
        log_error("rtu", "what was written on the bus is not kept: out of memory");
}

bool rtu_keep_is_applied(const struct rtu_keep *k)
{
    return settings_is_applying(k->settings, &k->change);
}

void rtu_keep_stop(struct rtu_keep *k)
{
    k->stopped = true;
}

void rtu_keep_save(struct rtu_keep *k, const struct p1mb_settings *bus)
{
    k->wanted = *bus;
    k->changed = !k->stopped;
    if (k->changed && !k->patch)
        begin(k);
}
