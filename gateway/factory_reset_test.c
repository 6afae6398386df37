/* factory_reset.c on a folder of the test's own, without a page: as the button has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "factory_reset.h"

#include "folder_kit_test.h"
#include "log.h"
#include "loop_kit_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"home\"}}}"

static struct loop loop;
static struct config defaults;
static struct settings settings;
static struct identity identity;
static struct http *no_http;
static struct api api;

/* What happened, in letters: f forget, r reconnect, d done. */
static char trace[32];
static bool refuse;

/* A reset, and how it ended. */
struct test_reset {
    struct factory_reset reset;
    bool ended;
    enum factory_reset_result result;
    char text[FACTORY_RESET_TEXT_MAX];
};
static struct test_reset reset;

static const char *const of_the_owner[] = {
    "config.json", "config.json.newer", "config.json.damaged",      "config.json.before",
    "password",    "mqtt-identity.pem", "mqtt-identity.pem.damaged"};
enum { OWNERS = sizeof of_the_owner / sizeof of_the_owner[0] };

/* --- what is around it ------------------------------------------------------------------------ */

static void note(char letter)
{
    size_t n = strlen(trace);
    assert_true(n + 1 < sizeof trace);
    trace[n] = letter;
    trace[n + 1] = 0;
}

static bool on_prepare(struct settings_owner *owner, const struct config *before,
                       const struct config *candidate, struct config_errors *errors)
{
    (void)owner, (void)before, (void)candidate;
    errors->count = refuse;
    snprintf(errors->list[0].pointer, CONFIG_POINTER_MAX, "/Modbus/Port");
    snprintf(errors->list[0].detail, CONFIG_DETAIL_MAX, "is taken");
    return !refuse;
}

static void on_undo(struct settings_owner *owner)
{
    (void)owner;
}

static void on_apply(struct settings_owner *owner, unsigned doors)
{
    (void)owner, (void)doors;
}

static struct settings_owner owner = {on_prepare, on_undo, on_apply};

static void on_forget(struct api *a)
{
    (void)a;
    note('f');
}

static void on_reconnect(struct api *a)
{
    (void)a;
    note('r');
}

static void on_done(struct factory_reset *r, enum factory_reset_result result)
{
    struct test_reset *t = CONTAINER_OF(r, struct test_reset, reset);
    assert_false(t->ended);
    t->ended = true;
    t->result = result;
    factory_reset_text(r, result, t->text);
    note('d');
}

static void put(const char *name, const char *text)
{
    assert_true(atomic_file_write(folder, name, text, strlen(text)));
}

static bool is_there(const char *name)
{
    struct stat st;
    return lstat(path_of(name), &st) == 0;
}

static void begin(struct test_reset *t, const char *if_match)
{
    *t = (struct test_reset){.reset = {.api = &api, .if_match = if_match, .done = on_done}};
    factory_reset_begin(&t->reset);
}

static void assert_ended(const struct test_reset *t, enum factory_reset_result result,
                         const char *text)
{
    assert_true(t->ended);
    assert_int_equal(t->result, result);
    assert_non_null(strstr(t->text, text));
    assert_int_equal(t->text[0] == 0, result == FACTORY_RESET_DONE);
}

/* --- setup ------------------------------------------------------------------------------------ */

static void load(const char *state_dir)
{
    assert_true(settings_load(&settings, &loop, state_dir, &defaults));
    settings.owner = &owner;
    identity = (struct identity){.login_hash = "the label's",
                                 .password_hash = "the owner's",
                                 .mqtt_key = "a key",
                                 .mqtt_certificate = "a certificate"};
    api = (struct api){.loop = &loop,
                       .settings = &settings,
                       .identity = &identity,
                       .state_dir = state_dir,
                       .http = &no_http,
                       .forget = on_forget,
                       .reconnect = on_reconnect};
}

/* A box whose owner has set all he can. */
static int start(void **unused)
{
    struct options options;
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    options_defaults(&options);
    config_defaults(&defaults, &options);
    loop_init(&loop);
    trace[0] = 0;
    refuse = false;
    if (!make_folder_for("factory_reset_test", true))
        return -1;
    put("serial", "00112233AABB");
    put("label", "login and key");
    for (int i = 0; i < OWNERS; i++)
        put(of_the_owner[i], CONFIG);
    load(folder);
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    loop_kit_settle(&loop);
    settings_close(&settings);
    factory_reset_close(&api);
    loop_close(&loop);
    empty_folder();
    return rmdir(folder);
}

static void assert_nothing_changed(void)
{
    for (int i = 0; i < OWNERS; i++)
        assert_true(is_there(of_the_owner[i]));
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_string_equal(identity_hash(&identity), "the owner's");
    assert_string_equal(identity.mqtt_certificate, "a certificate");
    assert_false(api_is_changing(&api));
}

static void assert_all_is_back(void)
{
    for (int i = 0; i < OWNERS; i++)
        assert_false(is_there(of_the_owner[i]));
    assert_true(is_there("serial") && is_there("label"));
    assert_string_equal(settings.now.mqtt_site, "");
    assert_int_equal(settings.now.was_set, 0);
    assert_string_equal(identity_hash(&identity), "the label's");
    assert_string_equal(identity.mqtt_key, "");
    assert_string_equal(identity.mqtt_certificate, "");
    assert_false(api_is_changing(&api));
}

/* --- tests ------------------------------------------------------------------------------------ */

static void all_that_the_owner_brought_goes_and_the_identity_stays(void **unused)
{
    (void)unused;
    begin(&reset, NULL);
    assert_false(reset.ended);
    assert_true(api_is_changing(&api));
    loop_kit_settle(&loop);
    assert_ended(&reset, FACTORY_RESET_DONE, "");
    assert_all_is_back();
    assert_string_equal(trace, "frd");
}

static void a_box_in_factory_state_may_be_reset_again(void **unused)
{
    (void)unused;
    begin(&reset, NULL);
    loop_kit_settle(&loop);
    begin(&reset, NULL);
    loop_kit_settle(&loop);
    assert_ended(&reset, FACTORY_RESET_DONE, "");
    assert_all_is_back();
    assert_string_equal(trace, "frdfd"); /* the certificate is the device's already */
}

static void where_nothing_is_kept_nothing_is_removed(void **unused)
{
    (void)unused;
    settings_close(&settings);
    load("");
    begin(&reset, NULL);
    loop_kit_settle(&loop);
    assert_ended(&reset, FACTORY_RESET_DONE, "");
    assert_string_equal(identity_hash(&identity), "the label's");
    assert_true(is_there("password"));
}

static void one_at_a_time(void **unused)
{
    struct test_reset second;
    (void)unused;
    begin(&reset, NULL);
    begin(&second, NULL);
    assert_ended(&second, FACTORY_RESET_BUSY, "under way; try again");
    assert_false(reset.ended);
    loop_kit_settle(&loop);
    assert_ended(&reset, FACTORY_RESET_DONE, "");
    assert_all_is_back();
}

static void none_while_password_or_certificate_change(void **unused)
{
    char something;
    (void)unused;
    for (int i = 0; i < 2; i++) {
        api.password = i == 0 ? (void *)&something : NULL;
        api.certificate = i == 1 ? (void *)&something : NULL;
        begin(&reset, NULL);
        assert_ended(&reset, FACTORY_RESET_BUSY, "under way; try again");
    }
    api.certificate = NULL;
    loop_kit_settle(&loop);
    assert_nothing_changed();
}

static void settings_that_cannot_be_removed_keep_everything(void **unused)
{
    (void)unused;
    assert_int_equal(remove(path_of("config.json.newer")), 0);
    assert_int_equal(mkdir(path_of("config.json.newer"), 0700), 0);
    begin(&reset, NULL);
    loop_kit_settle(&loop);
    assert_ended(&reset, FACTORY_RESET_KEPT, "the settings cannot be set back: Is a directory");
    assert_int_equal(reset.reset.settings, SETTINGS_NOT_SAVED);
    assert_nothing_changed();
    assert_string_equal(trace, "d");
}

static void defaults_that_cannot_be_used_keep_everything(void **unused)
{
    (void)unused;
    refuse = true;
    begin(&reset, NULL);
    loop_kit_settle(&loop);
    assert_ended(&reset, FACTORY_RESET_KEPT, "/Modbus/Port is taken; nothing was changed");
    assert_int_equal(reset.reset.settings, SETTINGS_BAD);
    assert_nothing_changed();
}

static void settings_that_changed_meanwhile_keep_everything(void **unused)
{
    (void)unused;
    begin(&reset, "\"another\"");
    loop_kit_settle(&loop);
    assert_true(reset.ended);
    assert_int_equal(reset.result, FACTORY_RESET_KEPT);
    assert_int_equal(reset.reset.settings, SETTINGS_OUTDATED);
    assert_nothing_changed();
}

static void another_reset_does_what_one_could_not(void **unused)
{
    (void)unused;
    assert_int_equal(remove(path_of("password")), 0);
    assert_int_equal(mkdir(path_of("password"), 0700), 0);
    begin(&reset, NULL);
    loop_kit_settle(&loop);
    assert_ended(&reset, FACTORY_RESET_HALF, "password and certificate cannot be: Is a directory");
    assert_int_equal(reset.reset.error, EISDIR);
    assert_string_equal(settings.now.mqtt_site, "");
    assert_string_equal(identity_hash(&identity), "the owner's");
    assert_string_equal(trace, "fd");
    assert_int_equal(rmdir(path_of("password")), 0);
    begin(&reset, NULL);
    loop_kit_settle(&loop);
    assert_ended(&reset, FACTORY_RESET_DONE, "");
    assert_all_is_back();
}

/* At whatever step the gateway is told to stop. */
static void one_that_is_under_way_at_the_end_is_finished(void **unused)
{
    (void)unused;
    begin(&reset, NULL);
    settings_close(&settings);
    assert_false(reset.ended);
    factory_reset_close(&api);
    assert_ended(&reset, FACTORY_RESET_DONE, "");
    for (int i = 0; i < OWNERS; i++)
        assert_false(is_there(of_the_owner[i]));
    load(folder);
}

static void without_one_there_is_nothing_to_finish(void **unused)
{
    (void)unused;
    factory_reset_close(&api);
    assert_string_equal(trace, "");
    assert_nothing_changed();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_that_the_owner_brought_goes_and_the_identity_stays),
        TEST(a_box_in_factory_state_may_be_reset_again),
        TEST(where_nothing_is_kept_nothing_is_removed),
        TEST(one_at_a_time),
        TEST(none_while_password_or_certificate_change),
        TEST(settings_that_cannot_be_removed_keep_everything),
        TEST(defaults_that_cannot_be_used_keep_everything),
        TEST(settings_that_changed_meanwhile_keep_everything),
        TEST(another_reset_does_what_one_could_not),
        TEST(one_that_is_under_way_at_the_end_is_finished),
        TEST(without_one_there_is_nothing_to_finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
