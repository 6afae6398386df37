#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network_kit_test.h"

#include "folder_kit_test.h"
#include "log.h"
#include "network_trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct network_kit kit;
static struct config usual;
static struct loop_timer refusal; /* its answer takes a moment */
static enum network_kind refused;

/* --- in place of nm.c ------------------------------------------------------------------------- */

struct nm {
    int unused;
};

static struct nm nm;

static void on_refusal(struct loop_timer *timer)
{
    (void)timer;
    kit.nm_owner->failed(kit.nm_owner, refused, "not for you");
}

struct nm *nm_open(struct bus *b, struct loop *l, const char *ethernet, const char *wifi,
                   struct nm_owner *owner)
{
    (void)b, (void)l;
    assert_string_equal(ethernet, "eth0");
    assert_string_equal(wifi, "");
    kit.nm_owner = owner;
    refusal.expired = on_refusal;
    return &nm;
}

void nm_close(struct nm *n)
{
    if (n)
        loop_cancel_timer(&kit.loop, &refusal);
}

bool nm_is_ready(const struct nm *n)
{
    (void)n;
    return kit.ready;
}

const struct nm_card *nm_card(const struct nm *n, int card)
{
    (void)n;
    return &kit.card[card];
}

void nm_put(struct nm *n, const struct network_profile *p)
{
    (void)n;
    kit.given[p->kind] = *p;
    journal_note("put%d", (int)p->kind);
}

void nm_drop(struct nm *n, enum network_kind kind)
{
    (void)n;
    journal_note("drop%d", (int)kind);
}

void nm_activate(struct nm *n, enum network_kind kind)
{
    (void)n;
    journal_note("up%d", (int)kind);
    kit.card[kind == NETWORK_ETHERNET ? INTERFACE_ETHERNET : INTERFACE_WIFI].settled = false;
    refused = kind;
    if (kit.refuses)
        loop_set_timer(&kit.loop, &refusal, 1);
}

void nm_reapply(struct nm *n, const struct network_profile *p)
{
    (void)n;
    kit.given[p->kind] = *p;
    journal_note("reapply%d%s", (int)p->kind, p->link_local ? "+link-local" : "");
    refused = p->kind;
    if (kit.refuses)
        loop_set_timer(&kit.loop, &refusal, 1);
}

void nm_disconnect(struct nm *n, int card)
{
    (void)n;
    journal_note("down%d", card);
}

void nm_scan(struct nm *n)
{
    (void)n;
    journal_note("scan");
}

size_t nm_networks(const struct nm *n, const struct nm_network **list)
{
    static const struct nm_network one = {.ssid = "Home"};
    (void)n;
    *list = &one;
    return 1;
}

const char *nm_failure_text(uint32_t failure)
{
    static char text[32];
    snprintf(text, sizeof text, "failure %u", failure);
    return text;
}

bool nm_failure_is_absence(uint32_t failure)
{
    return failure == 53;
}

/* --- the owner -------------------------------------------------------------------------------- */

static void on_roll_back(struct network_owner *owner, const struct config *before)
{
    (void)owner;
    kit.before = *before;
    journal_note("rollback");
}

static void on_leaving(struct network_owner *owner)
{
    (void)owner;
    journal_note("leaving");
}

static void on_hold(struct network_owner *owner, bool on)
{
    (void)owner;
    kit.held = on;
}

static struct network_owner owner = {
    .roll_back = on_roll_back, .hold = on_hold, .leaving = on_leaving};

static struct config patched(const char *text)
{
    struct config_errors errors;
    struct config candidate = kit.config;
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    if (!config_patch(&candidate, json, &errors))
        fail_msg("%s: %s", errors.list[0].pointer, errors.list[0].detail);
    json_decref(json);
    return candidate;
}

char *network_kit_before(const char *text)
{
    const struct config candidate = patched(text);
    return network_before(kit.network, &kit.config, &candidate);
}

static void keep(const char *text)
{
    if (text && kit.settings.state_dir[0])
        assert_true(atomic_file_write(folder, NETWORK_TRIAL_FILE, text, strlen(text)));
}

void network_kit_save_first(const struct config *before)
{
    char *text = config_file_text(before);
    keep(text);
    free(text);
}

static void change(const char *text, bool tried)
{
    const struct config before = kit.config;
    kit.config = patched(text);
    network_changed(kit.network, &before, tried);
}

void network_kit_change_untried(const char *text)
{
    change(text, false);
}

void network_kit_prepare(const char *text)
{
    if (kit.held)
        loop_kit_settle(&kit.loop);
    assert_false(kit.held);
    char *before = network_kit_before(text);
    keep(before);
    free(before);
}

void network_kit_apply(const char *text)
{
    change(text, true);
}

void network_kit_change(const char *text)
{
    network_kit_prepare(text);
    network_kit_apply(text);
}

void network_kit_take_back(bool saved)
{
    const struct config failed = kit.config;
    if (saved) {
        config_take(&kit.config, &kit.before, DOOR_NETWORK);
        network_changed(kit.network, &failed, false);
    }
    network_settled(kit.network, saved);
}

void network_kit_reach(const char *from)
{
    struct sockaddr_storage address;
    socklen_t length;
    assert_true(address_parse(from, &address, &length));
    network_reached(kit.network, &address);
}

/* --- the cards -------------------------------------------------------------------------------- */

void network_kit_tell(void)
{
    kit.nm_owner->changed(kit.nm_owner);
}

void network_kit_run_manager(bool on)
{
    kit.ready = on;
    network_kit_tell();
}

static void add_address(struct nm_card *card, const char *address)
{
    if (address[0])
        snprintf(card->address[card->address_count++].text, ADDRESS_TEXT_MAX, "%s", address);
}

void network_kit_connect(enum network_kind kind, const char *address, const char *another)
{
    struct nm_card *card =
        &kit.card[kind == NETWORK_ETHERNET ? INTERFACE_ETHERNET : INTERFACE_WIFI];
    card->state = address[0] || another[0] ? NM_ACTIVATED : NM_IP_CONFIG;
    card->active = (int)kind;
    card->busy = card->settled = true;
    card->failure = 0;
    card->address_count = 0;
    add_address(card, address);
    add_address(card, another);
    network_kit_tell();
}

void network_kit_set_state(int which, uint32_t state)
{
    struct nm_card *card = &kit.card[which];
    card->state = state;
    card->active = -1;
    card->busy = card->settled = false;
    card->address_count = 0;
    network_kit_tell();
}

void network_kit_pass(int64_t ms)
{
    loop_kit_run(&kit.loop, ms);
}

static bool forwards(void)
{
    return kit.forwards;
}

void network_kit_expect_state(enum network_state state, const char *problem)
{
    const struct network_info info = network_get_info(kit.network);
    assert_string_equal(network_state_names[info.state], network_state_names[state]);
    assert_string_equal(info.problem, problem);
}

/* --- life ------------------------------------------------------------------------------------- */

int network_kit_make_place(void **unused)
{
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    return make_folder_for("network_test", true) ? 0 : -1;
}

int network_kit_remove_place(void **unused)
{
    (void)unused;
    return rmdir(folder);
}

static struct nm_card idle_card(const char *name)
{
    struct nm_card card = {.present = true, .state = NM_DISCONNECTED, .carrier = true, .active = -1};
    snprintf(card.interface, sizeof card.interface, "%s", name);
    return card;
}

int network_kit_begin(void **unused)
{
    struct options options;
    (void)unused;
    options_defaults(&options);
    config_defaults(&usual, &options);
    kit = (struct network_kit){.identity = {.serial = "00112233AABB", .ap_key = "abcd-efgh"}};
    kit.config = usual;
    kit.card[INTERFACE_ETHERNET] = idle_card("eth0");
    kit.card[INTERFACE_WIFI] = idle_card("wlan0");
    kit.settings = (struct network_settings){.managed = true,
                                             .ethernet = "eth0",
                                             .wifi = "",
                                             .state_dir = "",
                                             .forwards = forwards,
                                             .config = &kit.config,
                                             .usual = &usual,
                                             .identity = &kit.identity};
    journal_forget();
    return loop_init(&kit.loop);
}

int network_kit_end(void **unused)
{
    (void)unused;
    network_close(kit.network);
    loop_close(&kit.loop);
    empty_folder();
    return 0;
}

void network_kit_keep(void)
{
    kit.settings.state_dir = folder;
}

char *network_kit_kept(void)
{
    size_t length;
    return atomic_file_read(folder, NETWORK_TRIAL_FILE, CONFIG_FILE_MAX, &length);
}

void network_kit_open(const char *text)
{
    kit.config = patched(text);
    kit.network = network_open(&kit.loop, NULL, &kit.settings, &owner);
    assert_non_null(kit.network);
}

void network_kit_start(const char *text)
{
    network_kit_open(text);
    network_kit_run_manager(true);
}
