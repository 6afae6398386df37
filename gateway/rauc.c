#include "rauc.h"

#include "bus_fields.h"
#include "core/text_out.h"
#include "loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RAUC "de.pengutronix.rauc"
#define INSTALLER RAUC ".Installer"
#define PROPERTIES "org.freedesktop.DBus.Properties"

static sd_bus_message *new_call(struct rauc *r, const char *method)
{
    return bus_new_call(&r->peer, "/", INSTALLER, method);
}

static bool is_error(sd_bus_message *answer)
{
    return sd_bus_message_is_method_error(answer, NULL) > 0;
}

/* --- properties ------------------------------------------------------------------------------- */

static int read_text(sd_bus_message *m, char *text)
{
    const char *value;
    int result = sd_bus_message_read(m, "v", "s", &value);
    if (result >= 0)
        text_copy(text, RAUC_TEXT_MAX, value);
    return result;
}

static int read_compatible(struct rauc *r, sd_bus_message *m)
{
    return read_text(m, r->compatible);
}

static int read_last_error(struct rauc *r, sd_bus_message *m)
{
    return read_text(m, r->last_error);
}

/* How far it is, what it does, and how deep in its tree of steps. */
static int read_progress(struct rauc *r, sd_bus_message *m)
{
    int32_t percent, depth;
    const char *step;
    int result = sd_bus_message_read(m, "v", "(isi)", &percent, &step, &depth);
    if (result < 0)
        return result;
    r->percent = percent < 0 ? 0 : percent > 100 ? 100 : percent;
    text_copy(r->step, sizeof r->step, step);
    return result;
}

static const struct {
    const char *name;
    int (*read)(struct rauc *r, sd_bus_message *m);
} properties[] = {
    {"Compatible", read_compatible}, {"LastError", read_last_error}, {"Progress", read_progress}};

static int read_property(struct rauc *r, sd_bus_message *m, const char *name)
{
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++)
        if (strcmp(properties[i].name, name) == 0)
            return properties[i].read(r, m);
    return sd_bus_message_skip(m, "v");
}

static int read_properties(struct rauc *r, sd_bus_message *m)
{
    const char *name;
    int result = sd_bus_message_enter_container(m, 'a', "{sv}");
    while (result >= 0 && (result = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
        result = sd_bus_message_read(m, "s", &name);
        if (result >= 0)
            result = read_property(r, m, name);
        if (result >= 0)
            result = sd_bus_message_exit_container(m);
    }
    return result;
}

static int on_changed(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
    struct rauc *r = context;
    (void)unused;
    if (sd_bus_message_skip(signal, "s") >= 0 && read_properties(r, signal) >= 0)
        r->owner->progress(r->owner);
    return 0;
}

static int on_all(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct rauc *r = context;
    (void)unused;
    if (!is_error(answer) && read_properties(r, answer) >= 0)
        r->owner->progress(r->owner);
    return 0;
}

static int ask_properties(struct rauc *r)
{
    sd_bus_message *call = bus_new_call(&r->peer, "/", PROPERTIES, "GetAll");
    if (call && sd_bus_message_append(call, "s", INSTALLER) < 0)
        call = sd_bus_message_unref(call);
    return bus_call(&r->peer, call, on_all, r);
}

/* --- slots ------------------------------------------------------------------------------------ */

static const struct bus_field slot_fields[] = {
    {"bootname", BUS_TEXT, offsetof(struct rauc_slot, boot), RAUC_NAME_MAX},
    {"state", BUS_TEXT, offsetof(struct rauc_slot, state), RAUC_NAME_MAX},
    {"boot-status", BUS_TEXT, offsetof(struct rauc_slot, health), RAUC_NAME_MAX},
    {"bundle.version", BUS_TEXT, offsetof(struct rauc_slot, release), RAUC_TEXT_MAX},
    {"installed.timestamp", BUS_TEXT, offsetof(struct rauc_slot, installed), RAUC_TEXT_MAX},
};

static int read_slot(sd_bus_message *m, struct rauc_slot *slot)
{
    const char *name;
    int result = sd_bus_message_read(m, "s", &name);
    if (result < 0)
        return result;
    snprintf(slot->name, sizeof slot->name, "%s", name);
    return bus_read_fields(m, slot_fields, sizeof slot_fields / sizeof slot_fields[0], slot);
}

/* By name, which is the order of the disk; RAUC has its own. */
static void insert(struct rauc *r, const struct rauc_slot *slot)
{
    size_t i = r->slot_count;
    if (i == RAUC_SLOTS_MAX)
        return;
    for (; i > 0 && strcmp(r->slot[i - 1].name, slot->name) > 0; i--)
        r->slot[i] = r->slot[i - 1];
    r->slot[i] = *slot;
    r->slot_count++;
}

static int read_slots(struct rauc *r, sd_bus_message *m)
{
    int result = sd_bus_message_enter_container(m, 'a', "(sa{sv})");
    r->slot_count = 0;
    while (result >= 0 && (result = sd_bus_message_enter_container(m, 'r', "sa{sv}")) > 0) {
        struct rauc_slot slot = {0};
        result = read_slot(m, &slot);
        if (result >= 0)
            result = sd_bus_message_exit_container(m);
        if (result >= 0)
            insert(r, &slot);
    }
    return result;
}

static int on_slots(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct rauc *r = context;
    (void)unused;
    if (!is_error(answer) && read_slots(r, answer) < 0)
        r->slot_count = 0;
    r->owner->slots(r->owner);
    return 0;
}

int rauc_ask_slots(struct rauc *r)
{
    return bus_call(&r->peer, new_call(r, "GetSlotStatus"), on_slots, r);
}

const struct rauc_slot *rauc_booted(const struct rauc *r)
{
    for (size_t i = 0; i < r->slot_count; i++)
        if (strcmp(r->slot[i].state, "booted") == 0)
            return &r->slot[i];
    return NULL;
}

/* --- bundles ---------------------------------------------------------------------------------- */

/* All that RAUC 1.8 says here is "rauc info error"; an answer that does not come is no verdict. */
static const char *why_refused(sd_bus_message *answer)
{
    bool late = sd_bus_message_is_method_error(answer, SD_BUS_ERROR_NO_REPLY) > 0 ||
                sd_bus_message_is_method_error(answer, SD_BUS_ERROR_TIMEOUT) > 0 ||
                sd_bus_message_is_method_error(answer, "org.freedesktop.DBus.Error.Timeout") > 0;
    return late
               ? "RAUC does not answer; try again"
               : "its signature or its manifest is not good; why is in the journal of rauc.service";
}

static int on_info(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct rauc *r = context;
    const char *compatible, *version;
    (void)unused;
    if (is_error(answer))
        r->owner->checked(r->owner, NULL, NULL, why_refused(answer));
    else if (sd_bus_message_read(answer, "ss", &compatible, &version) < 0)
        r->owner->checked(r->owner, NULL, NULL, "RAUC's answer cannot be read");
    else
        r->owner->checked(r->owner, compatible, version, NULL);
    return 0;
}

int rauc_check(struct rauc *r, const char *path)
{
    sd_bus_message *call = new_call(r, "Info");
    if (call && sd_bus_message_append(call, "s", path) < 0)
        call = sd_bus_message_unref(call);
    return bus_call(&r->peer, call, on_info, r);
}

/* That it has begun is no news; what it refuses to begin is over. */
static int on_begun(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct rauc *r = context;
    (void)unused;
    if (is_error(answer))
        r->owner->completed(r->owner, bus_error_text(answer));
    return 0;
}

static int on_completed(sd_bus_message *signal, void *context, sd_bus_error *unused)
{
    struct rauc *r = context;
    int32_t result;
    (void)unused;
    if (sd_bus_message_read(signal, "i", &result) < 0)
        return 0;
    const char *error = r->last_error[0] ? r->last_error : "RAUC does not say why";
    r->owner->completed(r->owner, result == 0 ? NULL : error);
    return 0;
}

int rauc_install(struct rauc *r, const char *path)
{
    sd_bus_message *call = new_call(r, "InstallBundle");
    if (call && sd_bus_message_append(call, "sa{sv}", path, 0) < 0)
        call = sd_bus_message_unref(call);
    return bus_call(&r->peer, call, on_begun, r);
}

static int on_marked(sd_bus_message *answer, void *context, sd_bus_error *unused)
{
    struct rauc *r = context;
    (void)unused;
    r->owner->marked_good(r->owner, is_error(answer) ? bus_error_text(answer) : NULL);
    return 0;
}

int rauc_mark_good(struct rauc *r)
{
    sd_bus_message *call = new_call(r, "Mark");
    if (call && sd_bus_message_append(call, "ss", "good", "booted") < 0)
        call = sd_bus_message_unref(call);
    return bus_call(&r->peer, call, on_marked, r);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_came(struct bus_peer *p)
{
    struct rauc *r = CONTAINER_OF(p, struct rauc, peer);
    r->percent = 0;
    r->step[0] = r->last_error[0] = 0;
    (void)bus_match(p, "interface='" PROPERTIES "',member='PropertiesChanged',arg0='" INSTALLER "'",
                    on_changed, r);
    (void)bus_match(p, "interface='" INSTALLER "',member='Completed'", on_completed, r);
    (void)ask_properties(r);
    r->owner->came(r->owner);
}

static void on_left(struct bus_peer *p, const char *why)
{
    struct rauc *r = CONTAINER_OF(p, struct rauc, peer);
    r->slot_count = 0;
    r->owner->left(r->owner, why);
}

void rauc_open(struct rauc *r, struct bus *b, struct rauc_owner *owner)
{
    *r = (struct rauc){.peer = {.name = RAUC, .came = on_came, .left = on_left}, .owner = owner};
    bus_add(b, &r->peer);
}

void rauc_close(struct rauc *r)
{
    bus_remove(&r->peer);
}

bool rauc_is_there(const struct rauc *r)
{
    return r->peer.owner[0] != 0;
}
