#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nm_kit_test.h"

#include "log.h"
#include "loop_kit_test.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define OTHER_UUID "00000000-0000-4000-8000-000000000000"

struct nm_kit kit;

/* --- NetworkManager --------------------------------------------------------------------------- */

static void show_all(sd_bus_message *call)
{
    sd_bus_message *m = bus_kit_new_answer(call);
    kit.asked++;
    nm_kit_open(m);
    if (kit.ethernet.path)
        nm_kit_device(m, &kit.ethernet);
    if (kit.wifi.path)
        nm_kit_device(m, &kit.wifi);
    nm_kit_active(m, "/a/1", kit.active_uuid);
    nm_kit_active(m, "/a/2", kit.active_uuid);
    nm_kit_ip4(m, "/ip/1", "192.0.2.5/24", "192.0.2.1", "");
    nm_kit_point(m, &kit.point);
    nm_kit_close(m);
    bus_kit_send(NM_KIT_OWNER, m);
}

static int kind_of(const char *uuid)
{
    int kind = 0;
    while (kind < NETWORK_KINDS && strcmp(network_profile_uuids[kind], uuid) != 0)
        kind++;
    assert_true(kind < NETWORK_KINDS);
    return kind;
}

/* A text of the settings that the call stands at, or ""; the call stands behind them then. */
static const char *take_settings(sd_bus_message *call, const char *wanted)
{
    const char *section, *key, *type, *found = "";
    assert_true(sd_bus_message_enter_container(call, 'a', "{sa{sv}}") > 0);
    while (sd_bus_message_enter_container(call, 'e', "sa{sv}") > 0) {
        assert_true(sd_bus_message_read(call, "s", &section) > 0 &&
                    sd_bus_message_enter_container(call, 'a', "{sv}") > 0);
        while (sd_bus_message_enter_container(call, 'e', "sv") > 0) {
            assert_true(sd_bus_message_read(call, "s", &key) > 0 &&
                        sd_bus_message_peek_type(call, NULL, &type) > 0);
            if (strcmp(key, wanted) == 0 && strcmp(type, "s") == 0)
                assert_true(sd_bus_message_read(call, "v", "s", &found) > 0);
            else
                assert_true(sd_bus_message_skip(call, "v") >= 0);
            assert_true(sd_bus_message_exit_container(call) >= 0);
        }
        assert_true(sd_bus_message_exit_container(call) >= 0 &&
                    sd_bus_message_exit_container(call) >= 0);
    }
    assert_true(sd_bus_message_exit_container(call) >= 0);
    return found;
}

static void find(sd_bus_message *call)
{
    const char *uuid;
    char path[16];
    assert_true(sd_bus_message_read(call, "s", &uuid) > 0);
    snprintf(path, sizeof path, "/s/%d", kind_of(uuid));
    journal_note("find%d", kind_of(uuid));
    if (kit.known[kind_of(uuid)])
        bus_kit_answer(call, "o", path);
    else
        bus_kit_answer_error(call, NM_KIT ".Settings.InvalidConnection", "no such connection");
}

static void add(sd_bus_message *call)
{
    char path[16];
    uint32_t flags;
    const char *uuid = take_settings(call, "uuid");
    int kind = kind_of(uuid);
    assert_true(sd_bus_message_read(call, "u", &flags) > 0 &&
                sd_bus_message_skip(call, "a{sv}") >= 0);
    assert_true(sd_bus_message_rewind(call, true) >= 0);
    journal_note("add%d(%x,%s)", kind, flags, take_settings(call, "psk"));
    kit.known[kind] = true;
    snprintf(path, sizeof path, "/s/%d", kind);
    bus_kit_answer(call, "oa{sv}", path, 0);
}

static void update(sd_bus_message *call)
{
    const char *key = take_settings(call, "psk");
    uint32_t flags;
    assert_true(sd_bus_message_read(call, "u", &flags) > 0 &&
                sd_bus_message_skip(call, "a{sv}") >= 0);
    journal_note("update%s(%x,%s)", sd_bus_message_get_path(call) + strlen("/s/"), flags, key);
    bus_kit_answer(call, "a{sv}", 0);
}

static void drop(sd_bus_message *call)
{
    const char *kind = sd_bus_message_get_path(call) + strlen("/s/");
    journal_note("delete%s", kind);
    kit.known[kind[0] - '0'] = false;
    bus_kit_answer(call, "");
}

static void activate(sd_bus_message *call)
{
    const char *profile, *device, *object;
    assert_true(sd_bus_message_read(call, "ooo", &profile, &device, &object) > 0);
    assert_string_equal(object, "/");
    journal_note("activate%s@%s", profile + strlen("/s/"), device);
    bus_kit_answer(call, "o", "/a/2");
}

static void reapply(sd_bus_message *call)
{
    const char *card = take_settings(call, "interface-name");
    uint64_t version;
    uint32_t flags;
    assert_true(sd_bus_message_read(call, "tu", &version, &flags) > 0);
    journal_note("reapply(%s,%d,%d)@%s", card, (int)version, (int)flags,
                 sd_bus_message_get_path(call));
    bus_kit_answer(call, "");
}

static void disconnect(sd_bus_message *call)
{
    journal_note("disconnect@%s", sd_bus_message_get_path(call));
    bus_kit_answer(call, "");
}

static void scan(sd_bus_message *call)
{
    assert_true(sd_bus_message_skip(call, "a{sv}") >= 0);
    journal_note("scan@%s", sd_bus_message_get_path(call));
    bus_kit_answer(call, "");
}

static void serve(sd_bus_message *call)
{
    static const struct {
        const char *interface, *method;
        void (*serve)(sd_bus_message *call);
    } methods[] = {
        {"org.freedesktop.DBus.ObjectManager", "GetManagedObjects", show_all},
        {NM_KIT ".Settings", "GetConnectionByUuid", find},
        {NM_KIT ".Settings", "AddConnection2", add},
        {NM_KIT ".Settings.Connection", "Update2", update},
        {NM_KIT ".Settings.Connection", "Delete", drop},
        {NM_KIT, "ActivateConnection", activate},
        {NM_KIT ".Device", "Reapply", reapply},
        {NM_KIT ".Device", "Disconnect", disconnect},
        {NM_KIT ".Device.Wireless", "RequestScan", scan},
    };
    size_t i = 0;
    while (i < COUNT(methods) &&
           !sd_bus_message_is_method_call(call, methods[i].interface, methods[i].method))
        i++;
    assert_true(i < COUNT(methods));
    if (strcmp(methods[i].method, kit.held) == 0) {
        assert_null(kit.pending);
        kit.pending = sd_bus_message_ref(call);
    } else if (strcmp(methods[i].method, kit.refused) == 0) {
        bus_kit_answer_error(call, NM_KIT ".PermissionDenied", "not for you");
    } else {
        methods[i].serve(call);
    }
}

void nm_kit_answer_pending(void)
{
    sd_bus_message *call = kit.pending;
    assert_non_null(call);
    kit.held = "";
    kit.pending = NULL;
    serve(call);
    sd_bus_message_unref(call);
    bus_kit_settle();
}

/* --- signals ---------------------------------------------------------------------------------- */

/* Something of what it shows is different now, and is looked at. */
void nm_kit_tell_change(void)
{
    bus_kit_send(NM_KIT_OWNER, bus_kit_new_signal(NM_KIT_ETHERNET, "org.freedesktop.DBus.Properties",
                                                  "PropertiesChanged"));
    bus_kit_settle();
    bus_kit_pass(NM_KIT_REFRESH_MS);
}

void nm_kit_tell_state(const char *path, uint32_t now, uint32_t reason)
{
    sd_bus_message *m = bus_kit_new_signal(path, NM_KIT ".Device", "StateChanged");
    assert_true(sd_bus_message_append(m, "uuu", now, NM_IP_CONFIG, reason) >= 0);
    bus_kit_send(NM_KIT_OWNER, m);
    bus_kit_settle();
    bus_kit_pass(NM_KIT_REFRESH_MS);
}

/* The card is in this state, with this active connection, ours of this kind. */
void nm_kit_show_card(struct nm_kit_device *card, uint32_t state, const char *active, int kind)
{
    card->state = state;
    card->active = active;
    kit.active_uuid = kind < 0 ? OTHER_UUID : network_profile_uuids[kind];
    nm_kit_tell_change();
}

/* --- the owner -------------------------------------------------------------------------------- */

static void on_changed(struct nm_owner *owner)
{
    (void)owner;
    kit.changes++;
}

static void on_failed(struct nm_owner *owner, enum network_kind kind, const char *why)
{
    (void)owner;
    journal_note("failed%d(%s)", (int)kind, why);
}

static void on_scanned(struct nm_owner *owner)
{
    (void)owner;
    journal_note("scanned");
}

static struct nm_owner owner = {.changed = on_changed, .failed = on_failed, .scanned = on_scanned};

struct network_profile nm_kit_profile(enum network_kind kind, const char *key)
{
    struct network_profile p = {.kind = kind, .ssid = "Home"};
    snprintf(p.interface, sizeof p.interface, "%s", kind == NETWORK_ETHERNET ? "eth0" : "wlan0");
    snprintf(p.key, sizeof p.key, "%s", key);
    return p;
}

void nm_kit_put(enum network_kind kind, const char *key)
{
    const struct network_profile p = nm_kit_profile(kind, key);
    nm_put(kit.nm, &p);
}

const struct nm_card *nm_kit_card(int which)
{
    return nm_card(kit.nm, which);
}

int nm_kit_begin_without(void **unused)
{
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    journal_forget();
    kit.changes = kit.asked = 0;
    kit.refused = kit.held = "";
    kit.active_uuid = OTHER_UUID;
    memset(kit.known, 0, sizeof kit.known);
    kit.ethernet = (struct nm_kit_device){NM_KIT_ETHERNET, "eth0", 1, NM_DISCONNECTED, true, NULL,
                                          "/ip/1",         NULL,   0};
    kit.wifi = (struct nm_kit_device){NM_KIT_WIFI, "wlan0", 2,  NM_DISCONNECTED, false, NULL,
                                      NULL,        NULL,    500};
    kit.point = (struct nm_kit_point){"/p/1", "Home", 0, 70, 2412, 0, 0, 0x100};
    loop_init(&kit.loop);
    bus_kit_begin(&kit.loop, serve);
    bus_open(&kit.bus, &kit.loop);
    kit.nm = nm_open(&kit.bus, &kit.loop, "", "wlan0", &owner);
    return kit.nm ? 0 : -1;
}

int nm_kit_begin(void **unused)
{
    int result = nm_kit_begin_without(unused);
    bus_kit_own(NM_KIT, NM_KIT_OWNER);
    bus_kit_settle();
    return result;
}

int nm_kit_end(void **unused)
{
    (void)unused;
    nm_close(kit.nm);
    bus_close(&kit.bus);
    kit.pending = sd_bus_message_unref(kit.pending);
    bus_kit_end();
    loop_close(&kit.loop);
    return 0;
}
