#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "settings.h"

#include "folder_kit_test.h"
#include "log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "config.json"
#define FIRST_NAME "first"
#define A10 "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"
#define HOME "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"home\"}}}"

static struct loop loop;
static struct settings settings;
static struct config defaults;

/* What happened, in letters: p prepare, u undo, a apply, d done (D: not done). */
static char trace[64];
static bool refuse;
static const char *comes_first; /* what `prepare` has written first; NULL: nothing */
static unsigned doors;          /* of the last apply */
static bool patched;            /* it was asked for by a patch */

/* A change, and how it ended. */
struct test_change {
    struct settings_change change;
    json_t *patch;
    bool ended, stop;
    enum settings_result result;
    char etag[SETTINGS_ETAG_MAX];
    char *file;               /* as it was when done was called; NULL: none */
    struct test_change *next; /* begun by done */
};

/* --- the folder ------------------------------------------------------------------------------- */

static void put(const char *text)
{
    assert_true(atomic_file_write(folder, FILE_NAME, text, strlen(text)));
}

/* The caller frees it. */
static char *get(const char *name)
{
    size_t length;
    return atomic_file_read(folder, name, 1000000, &length);
}

static void assert_holds(const char *name, const char *text)
{
    char *found = get(name);
    assert_non_null(found);
    assert_string_equal(found, text);
    free(found);
}

static bool is_there(const char *name)
{
    struct stat st;
    return lstat(path_of(name), &st) == 0;
}

/* --- the owner -------------------------------------------------------------------------------- */

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
    (void)owner;
    note('p');
    assert_ptr_equal(before, &settings.now);
    assert_ptr_not_equal(candidate, &settings.now);
    if (!refuse && comes_first)
        settings_write_first(&settings, FIRST_NAME, strdup(comes_first));
    if (!refuse)
        return true;
    errors->count = 1;
    snprintf(errors->list[0].pointer, CONFIG_POINTER_MAX, "/Modbus/Port");
    snprintf(errors->list[0].detail, CONFIG_DETAIL_MAX, "is taken");
    return false;
}

static void on_undo(struct settings_owner *owner)
{
    (void)owner;
    note('u');
}

static void on_apply(struct settings_owner *owner, unsigned changed)
{
    (void)owner;
    note('a');
    doors = changed;
    patched = settings_is_patched(&settings);
}

static struct settings_owner owner = {.prepare = on_prepare, .undo = on_undo, .apply = on_apply};

/* --- changes ---------------------------------------------------------------------------------- */

static void begin(struct test_change *c)
{
    settings_begin(&settings, &c->change);
}

static void on_done(struct settings_change *change, enum settings_result result)
{
    struct test_change *c = CONTAINER_OF(change, struct test_change, change);
    assert_false(c->ended);
    note(result == SETTINGS_DONE ? 'd' : 'D');
    c->ended = true;
    c->result = result;
    c->file = get(FILE_NAME);
    memcpy(c->etag, settings.etag, sizeof c->etag);
    if (c->next)
        begin(c->next);
    if (c->stop)
        loop_stop(&loop);
}

/* NULL: a factory reset. */
static struct test_change change(const char *patch)
{
    struct test_change c = {.change = {.done = on_done}, .stop = true};
    if (patch) {
        c.patch = json_loads(patch, 0, NULL);
        assert_non_null(c.patch);
        c.change.patch = c.patch;
    }
    return c;
}

static void forget(struct test_change *c)
{
    json_decref(c->patch);
    free(c->file);
}

/* Begins a change, and has the loop run until it is done. */
static void run(struct test_change *c)
{
    begin(c);
    if (!c->ended)
        loop_run(&loop);
    assert_true(c->ended);
}

static void run_with_result(const char *patch, enum settings_result result)
{
    struct test_change c = change(patch);
    run(&c);
    assert_int_equal(c.result, result);
    forget(&c);
}

/* --- life ------------------------------------------------------------------------------------- */

static void load_from(const char *state_dir)
{
    assert_true(settings_load(&settings, &loop, state_dir, &defaults));
    settings.owner = &owner;
}

static void load(void)
{
    load_from(folder);
}

/* As after a restart of the program. */
static void load_again(void)
{
    settings_close(&settings);
    load();
}

static int begin_test(void **unused)
{
    struct options options;
    (void)unused;
    trace[0] = 0;
    refuse = false;
    comes_first = NULL;
    doors = 0;
    options_defaults(&options);
    config_defaults(&defaults, &options);
    memset(&settings, 0, sizeof settings);
    return make_folder_for("settings_test", false) ? loop_init(&loop) : -1;
}

static int end_test(void **unused)
{
    (void)unused;
    settings_close(&settings);
    loop_close(&loop);
    empty_folder();
    rmdir(folder);
    return 0;
}

/* Loading complains in the log as well. */
static int drop_warnings(void **unused)
{
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

/* --- loading ---------------------------------------------------------------------------------- */

static void without_a_file_the_defaults_hold(void **unused)
{
    (void)unused;
    load();
    assert_memory_equal(&settings.now, &defaults, sizeof defaults);
    assert_string_equal(settings.problem, "");
    assert_int_equal(settings.etag[0], '"');
    assert_int_equal(settings.etag[strlen(settings.etag) - 1], '"');
    assert_false(is_there(FILE_NAME));
}

static void what_is_kept_is_loaded(void **unused)
{
    (void)unused;
    put(HOME);
    load();
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_string_equal(settings.defaults.mqtt_site, "");
    assert_string_equal(settings.problem, "");
    assert_holds(FILE_NAME, HOME);
}

static void the_etag_of_another_start_is_another(void **unused)
{
    char before[SETTINGS_ETAG_MAX];
    (void)unused;
    load();
    memcpy(before, settings.etag, sizeof before);
    load_again();
    assert_string_not_equal(settings.etag, before);
}

static void a_damaged_file_is_set_aside(void **unused)
{
    (void)unused;
    put("{\"Version\":1,\"Settings\":{\"MQTT\":{\"Si");
    load();
    assert_memory_equal(&settings.now, &defaults, sizeof defaults);
    assert_string_equal(settings.problem,
                        "the stored configuration was damaged: defaults are used, and the file is "
                        "kept as config.json.damaged");
    assert_false(is_there(FILE_NAME));
    assert_holds("config.json.damaged", "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Si");
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
    assert_string_equal(settings.problem, "");
    assert_true(is_there("config.json.damaged"));
    load_again();
    assert_string_equal(settings.problem, "");
    assert_string_equal(settings.now.mqtt_site, "home");
}

/* A good file with blanks before it, of `size` bytes in all. */
static void put_with_size(size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, ' ', size);
    memcpy(text + size - strlen(HOME), HOME, sizeof HOME);
    put(text);
    free(text);
}

static void an_oversized_file_is_damaged(void **unused)
{
    (void)unused;
    put_with_size(CONFIG_FILE_MAX);
    load();
    assert_string_equal(settings.now.mqtt_site, "home");
    put_with_size(CONFIG_FILE_MAX + 1);
    load_again();
    assert_string_equal(settings.now.mqtt_site, "");
    assert_non_null(strstr(settings.problem, "damaged"));
    assert_false(is_there(FILE_NAME));
    assert_true(is_there("config.json.damaged"));
}

static void an_unreadable_file_is_a_problem_and_stays(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of(FILE_NAME), 0700), 0);
    load();
    assert_memory_equal(&settings.now, &defaults, sizeof defaults);
    assert_string_equal(settings.problem, "the stored configuration cannot be read (Is a "
                                          "directory): defaults are used");
    assert_true(is_there(FILE_NAME));
    assert_false(is_there("config.json.damaged"));
}

static void what_cannot_be_used_is_named(void **unused)
{
    (void)unused;
    put("{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"home\",\"Keepalive\":1}}}");
    load();
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_string_equal(settings.problem, "/MQTT/Keepalive in the stored configuration cannot be "
                                          "used (must be a whole number from 5 to 3600): the "
                                          "default holds");
}

/* Or the whole status could not be told. */
static void what_is_named_is_text_that_json_can_hold(void **unused)
{
    static const char format[] = "{\"Version\":1,\"Settings\":{\"%.*s" A10 A10 A10 A10 A10 "\":1}}";
    static const char site[] =
        "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Site\":\"%.*s" A10 A10 A10 "/\"}}}";
    char text[400];
    (void)unused;
    load();
    for (int shift = 0; shift < 4; shift++) {
        snprintf(text, sizeof text, shift < 2 ? format : site, shift % 2, "x");
        put(text);
        load_again();
        json_t *told = json_string(settings.problem);
        assert_non_null(told);
        assert_non_null(strstr(settings.problem, ": the default holds"));
        json_decref(told);
    }
}

/* A step back to an older program must not cost what the newer one knew. */
static void a_newer_file_is_kept_when_ours_is_saved(void **unused)
{
    static const char newer[] =
        "{\"Version\":2,\"Settings\":{\"MQTT\":{\"Site\":\"home\",\"Qos\":1}}}";
    (void)unused;
    put(newer);
    load();
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_holds(FILE_NAME, newer);
    assert_false(is_there("config.json.newer"));
    run_with_result("{\"MQTT\":{\"Keepalive\":60}}", SETTINGS_DONE);
    assert_holds("config.json.newer", newer);
    load_again();
    assert_string_equal(settings.problem, "");
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_int_equal(settings.now.mqtt_keepalive_s, 60);
    run_with_result("{\"MQTT\":{\"Keepalive\":61}}", SETTINGS_DONE);
    assert_holds("config.json.newer", newer);
}

static void so_is_a_file_of_which_a_part_could_not_be_used(void **unused)
{
    static const char partly[] = "{\"Version\":1,\"Settings\":{\"MQTT\":{\"Keepalive\":1}}}";
    (void)unused;
    put(partly);
    load();
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
    assert_holds("config.json.newer", partly);
    assert_string_equal(settings.problem, "");
    load_again();
    assert_string_equal(settings.problem, "");
    assert_string_equal(settings.now.mqtt_site, "home");
}

/* --- a change --------------------------------------------------------------------------------- */

static void a_change_is_saved_before_it_is_applied(void **unused)
{
    struct test_change c = change("{\"MQTT\":{\"Site\":\"home\",\"Password\":\"hush\"}}");
    struct stat st;
    (void)unused;
    load();
    begin(&c);
    assert_string_equal(trace, "p");
    assert_string_equal(settings.now.mqtt_site, "");
    loop_run(&loop);
    assert_string_equal(trace, "pad");
    assert_int_equal(c.result, SETTINGS_DONE);
    assert_int_equal(doors, DOOR_MQTT);
    assert_string_equal(settings.now.mqtt_site, "home");
    json_t *file = json_loads(c.file, 0, NULL);
    json_t *wanted = json_pack("{s:i, s:{s:{s:s, s:s}}}", "Version", 1, "Settings", "MQTT", "Site",
                               "home", "Password", "hush");
    assert_true(json_equal(file, wanted));
    assert_int_equal(stat(path_of(FILE_NAME), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    json_decref(file);
    json_decref(wanted);
    forget(&c);
}

static void a_change_outlives_a_restart(void **unused)
{
    (void)unused;
    load();
    run_with_result("{\"MQTT\":{\"Site\":\"home\"},\"Modbus\":{\"Port\":1502}}", SETTINGS_DONE);
    run_with_result("{\"MQTT\":{\"Site\":\"\"}}", SETTINGS_DONE);
    const struct config before = settings.now;
    load_again();
    assert_int_equal(config_changed_doors(&before, &settings.now), 0);
    assert_int_equal(before.was_set, settings.now.was_set);
}

static void each_change_has_an_etag_of_its_own(void **unused)
{
    char before[SETTINGS_ETAG_MAX];
    (void)unused;
    load();
    for (int i = 0; i < 3; i++) {
        memcpy(before, settings.etag, sizeof before);
        run_with_result(i % 2 ? "{\"MQTT\":{\"Site\":\"a\"}}" : "{\"MQTT\":{\"Site\":\"b\"}}",
                        SETTINGS_DONE);
        assert_string_not_equal(settings.etag, before);
    }
    assert_int_equal(settings.revision, 3);
}

static void what_changes_nothing_is_done_at_once(void **unused)
{
    struct test_change c = change("{\"MQTT\":{\"Site\":\"home\",\"Password\":\"********\"}}");
    (void)unused;
    put(HOME);
    load();
    char before[SETTINGS_ETAG_MAX];
    memcpy(before, settings.etag, sizeof before);
    begin(&c);
    assert_string_equal(trace, "d");
    assert_int_equal(c.result, SETTINGS_DONE);
    assert_string_equal(settings.etag, before);
    assert_holds(FILE_NAME, HOME); /* which is not how we write it */
    forget(&c);
}

/* It is kept from now on, whatever the default becomes. */
static void a_default_that_is_set_is_saved(void **unused)
{
    (void)unused;
    load();
    run_with_result("{\"MQTT\":{\"Site\":\"\"}}", SETTINGS_DONE);
    assert_string_equal(trace, "pad");
    assert_int_equal(doors, 0);
    char *file = get(FILE_NAME);
    assert_non_null(strstr(file, "\"Site\": \"\""));
    free(file);
}

static void a_bad_change_gets_no_further(void **unused)
{
    struct test_change c = change("{\"MQTT\":{\"Site\":\"a/b\",\"Keepalive\":60}}");
    (void)unused;
    put(HOME);
    load();
    begin(&c);
    assert_string_equal(trace, "D");
    assert_int_equal(c.result, SETTINGS_BAD);
    assert_int_equal(c.change.errors.count, 1);
    assert_string_equal(c.change.errors.list[0].pointer, "/MQTT/Site");
    assert_int_equal(settings.now.mqtt_keepalive_s, 30);
    assert_holds(FILE_NAME, HOME);
    forget(&c);
}

static void what_the_owner_refuses_is_not_saved(void **unused)
{
    struct test_change c = change("{\"Modbus\":{\"Port\":1}}");
    (void)unused;
    put(HOME);
    load();
    refuse = true;
    char before[SETTINGS_ETAG_MAX];
    memcpy(before, settings.etag, sizeof before);
    begin(&c);
    assert_string_equal(trace, "pD");
    assert_int_equal(c.result, SETTINGS_BAD);
    assert_string_equal(c.change.errors.list[0].detail, "is taken");
    assert_int_equal(settings.now.modbus_port, 502);
    assert_string_equal(settings.etag, before);
    assert_holds(FILE_NAME, HOME);
    refuse = false;
    run_with_result("{\"Modbus\":{\"Port\":1}}", SETTINGS_DONE);
    forget(&c);
}

static void without_a_folder_a_change_is_applied_at_once(void **unused)
{
    struct test_change c = change("{\"MQTT\":{\"Site\":\"home\"}}"), reset = change(NULL);
    (void)unused;
    load_from("");
    begin(&c);
    assert_string_equal(trace, "pad");
    assert_string_equal(settings.now.mqtt_site, "home");
    begin(&reset);
    assert_string_equal(trace, "padpad");
    assert_string_equal(settings.now.mqtt_site, "");
    forget(&c);
}

/* --- If-Match --------------------------------------------------------------------------------- */

static enum settings_result result_if(const char *if_match)
{
    struct test_change c = change("{\"MQTT\":{\"Site\":\"home\"}}");
    c.change.if_match = if_match;
    run(&c);
    forget(&c);
    return c.result;
}

static void a_change_may_name_the_configuration_it_is_for(void **unused)
{
    char list[200];
    (void)unused;
    load();
    assert_int_equal(result_if(settings.etag), SETTINGS_DONE);
    assert_int_equal(result_if(settings.etag), SETTINGS_DONE);
    assert_int_equal(result_if("*"), SETTINGS_DONE);
    assert_int_equal(result_if(NULL), SETTINGS_DONE);
    snprintf(list, sizeof list, "\"other\", %s,\t\"x\"", settings.etag);
    assert_int_equal(result_if(list), SETTINGS_DONE);
}

static void a_change_for_another_configuration_is_outdated(void **unused)
{
    static const char *const others[] = {"", "\"", "\"\"", "\"other\"", "**", "\"*\"", ", ,", "x"};
    char text[100];
    (void)unused;
    load();
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(result_if(others[i]), SETTINGS_OUTDATED);
    snprintf(text, sizeof text, "W/%s", settings.etag);
    assert_int_equal(result_if(text), SETTINGS_OUTDATED);
    snprintf(text, sizeof text, "%sx", settings.etag);
    assert_int_equal(result_if(text), SETTINGS_OUTDATED);
    snprintf(text, sizeof text, "%s", settings.etag);
    text[strlen(text) - 1] = 0;
    assert_int_equal(result_if(text), SETTINGS_OUTDATED);
    memcpy(text, settings.etag, sizeof settings.etag);
    assert_false(is_there(FILE_NAME));
    assert_null(strpbrk(trace, "pua"));
    trace[0] = 0;
    run_with_result("{\"MQTT\":{\"Keepalive\":60}}", SETTINGS_DONE);
    assert_int_equal(result_if(text), SETTINGS_OUTDATED);
    assert_string_equal(settings.now.mqtt_site, "");
}

/* Of two who read the same and change it, the second is told. */
static void of_two_for_the_same_configuration_one_is_outdated(void **unused)
{
    struct test_change first = change("{\"MQTT\":{\"Site\":\"first\"}}"),
                       second = change("{\"MQTT\":{\"Site\":\"second\"}}");
    char etag[SETTINGS_ETAG_MAX];
    (void)unused;
    load();
    memcpy(etag, settings.etag, sizeof etag);
    first.change.if_match = second.change.if_match = etag;
    first.stop = false;
    begin(&first);
    run(&second);
    assert_int_equal(first.result, SETTINGS_DONE);
    assert_int_equal(second.result, SETTINGS_OUTDATED);
    assert_string_equal(settings.now.mqtt_site, "first");
    forget(&first);
    forget(&second);
}

/* --- several ---------------------------------------------------------------------------------- */

static void changes_come_one_after_another(void **unused)
{
    struct test_change first = change("{\"MQTT\":{\"Site\":\"first\",\"Keepalive\":60}}"),
                       bad = change("{\"MQTT\":{\"Site\":5}}"),
                       second = change("{\"MQTT\":{\"Site\":\"second\"}}");
    (void)unused;
    load();
    first.stop = bad.stop = false;
    begin(&first);
    begin(&bad);
    begin(&second);
    assert_string_equal(trace, "p");
    loop_run(&loop);
    assert_string_equal(trace, "padDpad");
    assert_non_null(strstr(first.file, "first"));
    assert_non_null(strstr(bad.file, "first"));
    assert_non_null(strstr(second.file, "second"));
    assert_string_not_equal(first.etag, second.etag);
    assert_string_equal(settings.now.mqtt_site, "second");
    assert_int_equal(settings.now.mqtt_keepalive_s, 60);
    forget(&first);
    forget(&bad);
    forget(&second);
}

static void done_may_begin_another_change_which_waits_its_turn(void **unused)
{
    struct test_change first = change("{\"MQTT\":{\"Site\":\"first\"}}"),
                       second = change("{\"MQTT\":{\"Site\":\"second\"}}"),
                       third = change("{\"MQTT\":{\"Site\":\"third\"}}");
    (void)unused;
    load();
    first.stop = second.stop = false;
    first.next = &third;
    begin(&first);
    begin(&second);
    loop_run(&loop);
    assert_string_equal(trace, "padpadpad");
    assert_string_equal(settings.now.mqtt_site, "third");
    assert_non_null(strstr(third.file, "third"));
    forget(&first);
    forget(&second);
    forget(&third);
}

static void while_they_are_held_no_change_begins(void **unused)
{
    struct test_change first = change("{\"MQTT\":{\"Site\":\"first\"}}"),
                       second = change("{\"MQTT\":{\"Site\":\"second\"}}");
    (void)unused;
    load();
    settings_hold(&settings, false);
    settings_hold(&settings, true);
    first.stop = false;
    begin(&first);
    begin(&second);
    settings_hold(&settings, true);
    assert_string_equal(trace, "");
    settings_hold(&settings, false);
    assert_string_equal(trace, "p");
    settings_hold(&settings, true); /* what has begun goes on */
    while (!first.ended)
        loop_turn(&loop, -1);
    assert_string_equal(trace, "pad");
    settings_hold(&settings, false);
    loop_run(&loop);
    assert_string_equal(trace, "padpad");
    assert_string_equal(settings.now.mqtt_site, "second");
    forget(&first);
    forget(&second);
}

static void what_is_held_to_the_end_is_not_saved(void **unused)
{
    struct test_change c = change("{\"MQTT\":{\"Site\":\"home\"}}");
    (void)unused;
    load();
    settings_hold(&settings, true);
    begin(&c);
    settings_close(&settings);
    assert_int_equal(c.result, SETTINGS_NOT_SAVED);
    assert_int_equal(c.change.error, ECANCELED);
    assert_false(is_there(FILE_NAME));
    forget(&c);
    load();
}

static void the_end_waits_for_what_is_being_saved(void **unused)
{
    struct test_change first = change("{\"MQTT\":{\"Site\":\"first\"}}"),
                       second = change("{\"MQTT\":{\"Site\":\"second\"}}"), last = change(NULL);
    (void)unused;
    load();
    begin(&first);
    begin(&second);
    begin(&last);
    settings_close(&settings);
    assert_true(first.ended && second.ended && last.ended);
    assert_int_equal(first.result, SETTINGS_DONE);
    assert_int_equal(second.result, SETTINGS_NOT_SAVED);
    assert_int_equal(second.change.error, ECANCELED);
    assert_int_equal(last.result, SETTINGS_NOT_SAVED);
    load();
    assert_string_equal(settings.now.mqtt_site, "first");
    forget(&first);
    forget(&second);
    forget(&last);
}

/* --- what cannot be saved --------------------------------------------------------------------- */

static void assert_not_saved(int error)
{
    struct test_change c = change("{\"MQTT\":{\"Site\":\"new\"}}");
    char etag[SETTINGS_ETAG_MAX];
    const struct config before = settings.now;
    memcpy(etag, settings.etag, sizeof etag);
    trace[0] = 0;
    run(&c);
    assert_string_equal(trace, "puD");
    assert_int_equal(c.result, SETTINGS_NOT_SAVED);
    assert_int_equal(c.change.error, error);
    assert_memory_equal(&settings.now, &before, sizeof before);
    assert_string_equal(settings.etag, etag);
    forget(&c);
}

static void without_its_folder_the_old_configuration_stays(void **unused)
{
    (void)unused;
    load();
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
    empty_folder();
    assert_int_equal(rmdir(folder), 0);
    assert_not_saved(ENOENT);
    assert_int_equal(mkdir(folder, 0700), 0);
    run_with_result("{\"MQTT\":{\"Keepalive\":60}}", SETTINGS_DONE);
    load_again();
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_int_equal(settings.now.mqtt_keepalive_s, 60);
}

static void a_file_in_the_place_of_the_folder_is_no_place_either(void **unused)
{
    (void)unused;
    load();
    assert_int_equal(rmdir(folder), 0);
    FILE *file = fopen(folder, "w");
    assert_non_null(file);
    fclose(file);
    assert_not_saved(ENOTDIR);
    assert_int_equal(unlink(folder), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
}

/* Whatever fails, and a power cut is no other: the file is the old one, not none. */
static void a_file_that_is_to_be_kept_is_there_until_ours_is(void **unused)
{
    static const char newer[] = "{\"Version\":2,\"Settings\":{\"MQTT\":{\"Site\":\"home\"}}}";
    (void)unused;
    put(newer);
    load();
    assert_int_equal(mkdir(path_of(FILE_NAME ".new"), 0700), 0); /* nothing can be written */
    assert_not_saved(EISDIR);
    assert_holds(FILE_NAME, newer);
    assert_int_equal(rmdir(path_of(FILE_NAME ".new")), 0);
    run_with_result("{\"MQTT\":{\"Site\":\"new\"}}", SETTINGS_DONE);
    assert_holds("config.json.newer", newer);
}

static void a_file_that_is_gone_need_not_be_kept(void **unused)
{
    (void)unused;
    put("{\"Version\":2,\"Settings\":{\"MQTT\":{\"Site\":\"home\"}}}");
    load();
    assert_int_equal(unlink(path_of(FILE_NAME)), 0);
    run_with_result("{\"MQTT\":{\"Keepalive\":60}}", SETTINGS_DONE);
    load_again();
    assert_string_equal(settings.now.mqtt_site, "home");
}

/* A file that may not grow beyond 10 bytes stands for a full disk. */
static void a_full_disk_leaves_the_old_file(void **unused)
{
    struct rlimit before, small;
    (void)unused;
    put(HOME);
    load();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 10;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct test_change c = change("{\"MQTT\":{\"Site\":\"new\"}}");
    run(&c);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(c.result, SETTINGS_NOT_SAVED);
    assert_int_equal(c.change.error, EFBIG);
    assert_string_equal(trace, "puD");
    assert_holds(FILE_NAME, HOME);
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_false(is_there(FILE_NAME ".new"));
    forget(&c);
}

static void a_failure_does_not_hold_up_those_that_wait(void **unused)
{
    struct test_change first = change("{\"MQTT\":{\"Site\":\"first\"}}"),
                       same = change("{\"MQTT\":{\"Password\":\"********\"}}");
    (void)unused;
    load();
    assert_int_equal(rmdir(folder), 0);
    first.stop = false;
    begin(&first);
    run(&same);
    assert_string_equal(trace, "puDd");
    forget(&first);
    forget(&same);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* --- a file that comes first ------------------------------------------------------------------ */

static void what_comes_first_is_saved_with_one_change_only(void **unused)
{
    struct stat st;
    (void)unused;
    load();
    comes_first = "hush";
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
    assert_string_equal(trace, "pad");
    assert_holds(FIRST_NAME, "hush");
    assert_int_equal(stat(path_of(FIRST_NAME), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(unlink(path_of(FIRST_NAME)), 0);
    comes_first = NULL;
    run_with_result("{\"MQTT\":{\"Site\":\"new\"}}", SETTINGS_DONE);
    assert_false(is_there(FIRST_NAME));
}

/* The settings are the last step: after a power cut before it, the old ones are there. */
static void it_is_there_before_the_settings_are(void **unused)
{
    (void)unused;
    put(HOME);
    load();
    comes_first = "hush";
    assert_int_equal(mkdir(path_of(FILE_NAME ".new"), 0700), 0);
    assert_not_saved(EISDIR);
    assert_holds(FIRST_NAME, "hush"); /* `undo`, which was called, may remove it */
    assert_holds(FILE_NAME, HOME);
}

static void where_it_cannot_be_written_nothing_is_saved(void **unused)
{
    (void)unused;
    put(HOME);
    load();
    comes_first = "hush";
    assert_int_equal(mkdir(path_of(FIRST_NAME ".new"), 0700), 0);
    assert_not_saved(EISDIR);
    assert_holds(FILE_NAME, HOME);
    assert_false(is_there(FIRST_NAME));
    comes_first = NULL; /* of which nothing is left for the next change */
    run_with_result("{\"MQTT\":{\"Site\":\"new\"}}", SETTINGS_DONE);
    assert_false(is_there(FIRST_NAME));
}

static void without_a_folder_nothing_comes_first(void **unused)
{
    (void)unused;
    load_from("");
    comes_first = "hush";
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
    assert_string_equal(trace, "pad");
    load_again();
    comes_first = NULL;
    run_with_result("{\"MQTT\":{\"Site\":\"new\"}}", SETTINGS_DONE);
    assert_false(is_there(FIRST_NAME));
}

/* --- factory reset ---------------------------------------------------------------------------- */

static void a_factory_reset_goes_back_to_the_defaults(void **unused)
{
    struct test_change reset = change(NULL);
    (void)unused;
    load();
    run_with_result("{\"MQTT\":{\"Site\":\"home\",\"Password\":\"hush\"},\"Modbus\":{\"Port\":1}}",
                    SETTINGS_DONE);
    trace[0] = 0;
    run(&reset);
    assert_string_equal(trace, "pad");
    assert_null(reset.file);
    assert_int_equal(doors, DOOR_MQTT | DOOR_MODBUS_PORT);
    assert_memory_equal(&settings.now, &defaults, sizeof defaults);
    assert_false(is_there(FILE_NAME));
    load_again();
    assert_memory_equal(&settings.now, &defaults, sizeof defaults);
    assert_string_equal(settings.problem, "");
}

/* Secrets are in all of them. */
static void a_factory_reset_leaves_no_file_behind(void **unused)
{
    (void)unused;
    assert_true(atomic_file_write(folder, "config.json.damaged", "{", 1));
    assert_true(atomic_file_write(folder, "config.json.newer", "{", 1));
    assert_true(atomic_file_write(folder, "config.json.new", "{", 1));
    assert_true(atomic_file_write(folder, "serial", "x", 1));
    put("{\"Version\":2,\"Settings\":{\"MQTT\":{\"Password\":\"hush\"}}}");
    load();
    run_with_result(NULL, SETTINGS_DONE);
    assert_false(is_there(FILE_NAME));
    assert_false(is_there("config.json.damaged"));
    assert_false(is_there("config.json.newer"));
    assert_false(is_there("config.json.new"));
    assert_true(is_there("serial")); /* the identity stays */
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
    load_again();
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_string_equal(settings.now.mqtt_password, "");
}

static void a_reset_that_cannot_be_kept_changes_nothing(void **unused)
{
    (void)unused;
    put(HOME);
    load();
    assert_int_equal(mkdir(path_of(FILE_NAME ".new"), 0700), 0);
    run_with_result(NULL, SETTINGS_NOT_SAVED);
    assert_string_equal(trace, "puD");
    assert_string_equal(settings.now.mqtt_site, "home");
    assert_holds(FILE_NAME, HOME);
}

/* --- taking back ------------------------------------------------------------------------------ */

#define WIFI_AND_SITE \
    "{\"DefaultNetIf\":\"WiFi\",\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"Home\"}},\"MQTT\":{" \
    "\"Site\":\"new\"}}"

static void take_back(const struct config *from, enum settings_result result)
{
    struct test_change c = change(NULL);
    c.change.from = from;
    c.change.doors = DOOR_NETWORK;
    run(&c);
    assert_int_equal(c.result, result);
    forget(&c);
}

static void settings_of_a_door_are_taken_back(void **unused)
{
    (void)unused;
    put(HOME);
    load();
    const struct config before = settings.now;
    run_with_result(WIFI_AND_SITE, SETTINGS_DONE);
    trace[0] = 0;
    take_back(&before, SETTINGS_DONE);
    assert_string_equal(trace, "pad");
    assert_int_equal(doors, DOOR_NETWORK);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(settings.now.wifi_ssid, "");
        assert_int_equal(settings.now.default_interface, INTERFACE_ETHERNET);
        assert_false(config_is_set(&settings.now, "/DefaultNetIf"));
        assert_string_equal(settings.now.mqtt_site, "new");
        load_again();
    }
}

static void what_is_as_it_was_need_not_be_taken_back(void **unused)
{
    (void)unused;
    load();
    const struct config before = settings.now;
    take_back(&before, SETTINGS_DONE);
    assert_string_equal(trace, "d");
    assert_false(is_there(FILE_NAME));
    run_with_result("{\"Ethernet\":{\"IpMode\":\"DHCP\"}}", SETTINGS_DONE);
    trace[0] = 0;
    take_back(&before, SETTINGS_DONE); /* no value differs, but it was set */
    assert_string_equal(trace, "pad");
    assert_true(settings_are_factory(&settings));
}

static void what_cannot_be_saved_is_not_taken_back(void **unused)
{
    (void)unused;
    load();
    const struct config before = settings.now;
    run_with_result(WIFI_AND_SITE, SETTINGS_DONE);
    trace[0] = 0;
    assert_int_equal(mkdir(path_of(FILE_NAME ".new"), 0700), 0);
    take_back(&before, SETTINGS_NOT_SAVED);
    assert_string_equal(trace, "puD");
    assert_string_equal(settings.now.wifi_ssid, "Home");
}

static void only_a_patch_is_the_users_change(void **unused)
{
    (void)unused;
    load();
    const struct config before = settings.now;
    run_with_result(WIFI_AND_SITE, SETTINGS_DONE);
    assert_true(patched);
    assert_false(settings_is_patched(&settings));
    take_back(&before, SETTINGS_DONE);
    assert_false(patched);
    run_with_result(NULL, SETTINGS_DONE);
    assert_false(patched);
}

static void it_is_as_it_left_the_factory_until_something_is_set(void **unused)
{
    (void)unused;
    load();
    assert_true(settings_are_factory(&settings));
    settings_default_port(&settings, 1502);
    assert_true(settings_are_factory(&settings));
    run_with_result("{\"Modbus\":{\"Port\":1502}}", SETTINGS_DONE);
    assert_false(settings_are_factory(&settings));
    load_again();
    assert_false(settings_are_factory(&settings));
    run_with_result(NULL, SETTINGS_DONE);
    assert_true(settings_are_factory(&settings));
}

/* --- the port --------------------------------------------------------------------------------- */

static void another_default_port_holds_where_none_was_set(void **unused)
{
    (void)unused;
    load();
    char before[SETTINGS_ETAG_MAX];
    memcpy(before, settings.etag, sizeof before);
    settings_default_port(&settings, 1502);
    assert_int_equal(settings.now.modbus_port, 1502);
    assert_int_equal(settings.now.was_set, 0);
    assert_string_equal(settings.etag, before);
    assert_false(is_there(FILE_NAME));
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
    char *file = get(FILE_NAME);
    assert_null(strstr(file, "Port"));
    free(file);
    run_with_result("{\"Modbus\":{\"Port\":502}}", SETTINGS_DONE);
    run_with_result(NULL, SETTINGS_DONE);
    assert_int_equal(settings.now.modbus_port, 1502);
}

/* Also one that is the same as the default: it was asked for. */
static void a_port_that_was_set_stays(void **unused)
{
    static const char *const files[] = {"{\"Version\":1,\"Settings\":{\"Modbus\":{\"Port\":1000}}}",
                                        "{\"Version\":1,\"Settings\":{\"Modbus\":{\"Port\":502}}}"};
    (void)unused;
    for (int i = 0; i < 2; i++) {
        put(files[i]);
        load();
        settings_default_port(&settings, 1502);
        assert_int_equal(settings.now.modbus_port, i ? 502 : 1000);
        assert_int_equal(settings.defaults.modbus_port, 1502);
        settings_close(&settings);
    }
    load();
}

static void a_problem_at_start_is_told_until_the_next_change(void **unused)
{
    (void)unused;
    load();
    settings_note_problem(&settings, "the port is taken");
    settings_note_problem(&settings, "another");
    assert_string_equal(settings.problem, "the port is taken");
    run_with_result("{\"MQTT\":{\"Site\":\"a/b\"}}", SETTINGS_BAD);
    assert_string_equal(settings.problem, "the port is taken");
    run_with_result("{\"MQTT\":{\"Site\":\"home\"}}", SETTINGS_DONE);
    assert_string_equal(settings.problem, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_file_the_defaults_hold),
        TEST(what_is_kept_is_loaded),
        TEST(the_etag_of_another_start_is_another),
        TEST(a_damaged_file_is_set_aside),
        TEST(an_oversized_file_is_damaged),
        TEST(an_unreadable_file_is_a_problem_and_stays),
        TEST(what_cannot_be_used_is_named),
        TEST(what_is_named_is_text_that_json_can_hold),
        TEST(a_newer_file_is_kept_when_ours_is_saved),
        TEST(so_is_a_file_of_which_a_part_could_not_be_used),
        TEST(a_change_is_saved_before_it_is_applied),
        TEST(a_change_outlives_a_restart),
        TEST(each_change_has_an_etag_of_its_own),
        TEST(what_changes_nothing_is_done_at_once),
        TEST(a_default_that_is_set_is_saved),
        TEST(a_bad_change_gets_no_further),
        TEST(what_the_owner_refuses_is_not_saved),
        TEST(without_a_folder_a_change_is_applied_at_once),
        TEST(a_change_may_name_the_configuration_it_is_for),
        TEST(a_change_for_another_configuration_is_outdated),
        TEST(of_two_for_the_same_configuration_one_is_outdated),
        TEST(changes_come_one_after_another),
        TEST(done_may_begin_another_change_which_waits_its_turn),
        TEST(while_they_are_held_no_change_begins),
        TEST(what_is_held_to_the_end_is_not_saved),
        TEST(the_end_waits_for_what_is_being_saved),
        TEST(without_its_folder_the_old_configuration_stays),
        TEST(a_file_in_the_place_of_the_folder_is_no_place_either),
        TEST(a_file_that_is_to_be_kept_is_there_until_ours_is),
        TEST(a_file_that_is_gone_need_not_be_kept),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(a_failure_does_not_hold_up_those_that_wait),
        TEST(what_comes_first_is_saved_with_one_change_only),
        TEST(it_is_there_before_the_settings_are),
        TEST(where_it_cannot_be_written_nothing_is_saved),
        TEST(without_a_folder_nothing_comes_first),
        TEST(a_factory_reset_goes_back_to_the_defaults),
        TEST(a_factory_reset_leaves_no_file_behind),
        TEST(a_reset_that_cannot_be_kept_changes_nothing),
        TEST(settings_of_a_door_are_taken_back),
        TEST(what_is_as_it_was_need_not_be_taken_back),
        TEST(what_cannot_be_saved_is_not_taken_back),
        TEST(only_a_patch_is_the_users_change),
        TEST(it_is_as_it_left_the_factory_until_something_is_set),
        TEST(another_default_port_holds_where_none_was_set),
        TEST(a_port_that_was_set_stays),
        TEST(a_problem_at_start_is_told_until_the_next_change),
    };
    return cmocka_run_group_tests(tests, drop_warnings, NULL);
}
