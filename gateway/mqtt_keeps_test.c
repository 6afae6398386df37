#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mqtt_keeps.h"

#include "folder_kit_test.h"
#include "log.h"
#include "loop_kit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DISCOVERY "mqtt-discovery"
#define COMMANDS "mqtt-commands"
#define TOPIC "homeassistant/device/smart_connect_0A1B2C3D4E5F/config"

static struct loop loop;
static struct mqtt_keeps keeps;

/* Someone who waits. */
struct test_waiter {
    struct mqtt_keeps_waiter waiter;
    int told;
    bool kept;
    char *file;               /* of the ids, as it was then; NULL: there was none */
    struct test_waiter *next; /* asks when this one is told */
};

static char *content_of(const char *name)
{
    size_t length;
    return atomic_file_read(folder, name, 100000, &length);
}

static void assert_holds(const char *name, const char *text)
{
    char *found = content_of(name);
    assert_non_null(found);
    assert_string_equal(found, text);
    free(found);
}

static bool is_there(const char *name)
{
    char *found = content_of(name);
    free(found);
    return found != NULL;
}

static void put(const char *name, const char *text)
{
    assert_true(atomic_file_write(folder, name, text, strlen(text)));
}

static void load_from(const char *state_dir)
{
    memset(&keeps, 0, sizeof keeps);
    assert_true(mqtt_keeps_load(&keeps, &loop, state_dir));
}

static void load_again(void)
{
    mqtt_keeps_close(&keeps);
    load_from(folder);
}

static void set_topic(const char *topic)
{
    snprintf(keeps.discovery, sizeof keeps.discovery, "%s", topic);
}

static void set_id(int place, const char *id)
{
    snprintf(keeps.commands.used[place].id, COMMAND_ID_MAX, "%s", id);
    keeps.commands.used[place].expires_s = 1780396129;
}

static void save_for(struct test_waiter *w)
{
    mqtt_keeps_save_commands(&keeps, &w->waiter);
}

static void on_told(struct mqtt_keeps_waiter *waiter, bool kept)
{
    struct test_waiter *w = CONTAINER_OF(waiter, struct test_waiter, waiter);
    w->told++;
    w->kept = kept;
    free(w->file);
    w->file = content_of(COMMANDS);
    if (w->next)
        save_for(w->next);
}

static struct test_waiter new_waiter(void)
{
    return (struct test_waiter){.waiter.done = on_told};
}

static void assert_told(struct test_waiter *w, const char *id)
{
    assert_int_equal(w->told, 1);
    assert_true(w->kept);
    assert_non_null(w->file);
    assert_non_null(strstr(w->file, id));
    free(w->file);
    w->file = NULL;
}

static int set_up(void **unused)
{
    (void)unused;
    if (!make_folder_for("mqtt_keeps_test", false))
        return -1;
    loop_init(&loop);
    load_from(folder);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    mqtt_keeps_close(&keeps);
    loop_close(&loop);
    remove(path_of(DISCOVERY));
    remove(path_of(COMMANDS));
    return rmdir(folder);
}

static void nothing_is_there_at_first_and_nothing_is_written_unasked(void **unused)
{
    (void)unused;
    assert_string_equal(keeps.discovery, "");
    assert_string_equal(keeps.commands.used[0].id, "");
    load_again();
    assert_false(is_there(DISCOVERY));
    assert_false(is_there(COMMANDS));
}

static void the_topic_comes_back_after_a_restart(void **unused)
{
    (void)unused;
    set_topic(TOPIC);
    mqtt_keeps_save_discovery(&keeps);
    loop_kit_settle(&loop);
    assert_holds(DISCOVERY, TOPIC);
    assert_false(is_there(COMMANDS));
    load_again();
    assert_string_equal(keeps.discovery, TOPIC);
}

static void no_topic_is_no_file(void **unused)
{
    (void)unused;
    put(DISCOVERY, TOPIC);
    load_again();
    set_topic("");
    mqtt_keeps_save_discovery(&keeps);
    loop_kit_settle(&loop);
    assert_false(is_there(DISCOVERY));
    load_again();
    assert_string_equal(keeps.discovery, "");
}

static void ids_come_back_after_a_restart(void **unused)
{
    struct test_waiter w = new_waiter();
    (void)unused;
    set_id(0, "7f3c-0001");
    set_id(5, "7f3c-0002");
    save_for(&w);
    loop_kit_settle(&loop);
    assert_told(&w, "7f3c-0002");
    load_again();
    assert_string_equal(keeps.commands.used[0].id, "7f3c-0001");
    assert_string_equal(keeps.commands.used[1].id, "7f3c-0002");
    assert_int_equal(keeps.commands.used[1].expires_s, 1780396129);
    assert_string_equal(keeps.commands.used[2].id, "");
}

static void as_many_ids_as_there_may_be_come_back(void **unused)
{
    struct test_waiter w = new_waiter();
    (void)unused;
    for (int i = 0; i < COMMAND_REMEMBERED; i++) {
        char id[COMMAND_ID_MAX];
        snprintf(id, sizeof id, "%064d", i);
        set_id(i, id);
    }
    save_for(&w);
    loop_kit_settle(&loop);
    assert_told(&w, "0000000063");
    load_again();
    for (int i = 0; i < COMMAND_REMEMBERED; i++)
        assert_int_equal(strtol(keeps.commands.used[i].id, NULL, 10), i);
}

static void one_who_waits_is_told_when_it_is_on_disk_and_not_before(void **unused)
{
    struct test_waiter w = new_waiter();
    (void)unused;
    set_id(0, "7f3c-0001");
    save_for(&w);
    assert_int_equal(w.told, 0);
    loop_kit_pass(&loop, 60000);
    assert_int_equal(w.told, 0);
    loop_kit_settle(&loop);
    assert_told(&w, "7f3c-0001");
}

/* The first write may have begun without the second id. */
static void who_comes_while_it_is_being_written_is_told_after_the_next_write(void **unused)
{
    struct test_waiter a = new_waiter(), b = new_waiter(), c = new_waiter();
    (void)unused;
    set_id(0, "7f3c-0001");
    save_for(&a);
    set_id(1, "7f3c-0002");
    save_for(&b);
    set_id(2, "7f3c-0003");
    save_for(&c);
    set_topic(TOPIC);
    mqtt_keeps_save_discovery(&keeps);
    loop_kit_settle(&loop);
    assert_null(strstr(a.file, "7f3c-0002"));
    assert_told(&a, "7f3c-0001");
    assert_told(&b, "7f3c-0002");
    assert_told(&c, "7f3c-0003");
    assert_holds(DISCOVERY, TOPIC);
}

static void one_who_is_told_may_ask_again(void **unused)
{
    struct test_waiter a = new_waiter(), b = new_waiter(), c = new_waiter();
    (void)unused;
    a.next = &b;
    b.next = &c;
    set_id(0, "7f3c-0001");
    save_for(&a);
    loop_kit_settle(&loop);
    assert_told(&a, "7f3c-0001");
    assert_told(&b, "7f3c-0001");
    assert_told(&c, "7f3c-0001");
}

static void one_who_is_gone_is_not_told(void **unused)
{
    struct test_waiter w[] = {new_waiter(), new_waiter(), new_waiter(), new_waiter()};
    (void)unused;
    set_id(0, "7f3c-0001");
    save_for(&w[0]); /* under way */
    for (int i = 1; i < 4; i++)
        save_for(&w[i]); /* waiting for the next */
    mqtt_keeps_cancel(&keeps, &w[0].waiter);
    mqtt_keeps_cancel(&keeps, &w[2].waiter);
    mqtt_keeps_cancel(&keeps, &w[2].waiter); /* twice is no matter */
    loop_kit_settle(&loop);
    assert_int_equal(w[0].told, 0);
    assert_int_equal(w[2].told, 0);
    assert_told(&w[1], "7f3c-0001");
    assert_told(&w[3], "7f3c-0001");
    mqtt_keeps_cancel(&keeps, &w[1].waiter);
}

static void a_close_keeps_what_is_still_to_be_kept(void **unused)
{
    struct test_waiter a = new_waiter(), b = new_waiter();
    (void)unused;
    set_id(0, "7f3c-0001");
    save_for(&a);
    set_id(1, "7f3c-0002");
    set_topic(TOPIC);
    save_for(&b);
    mqtt_keeps_save_discovery(&keeps);
    load_again(); /* without a turn of the loop */
    assert_told(&a, "7f3c-0001");
    assert_told(&b, "7f3c-0002");
    assert_string_equal(keeps.discovery, TOPIC);
    assert_string_equal(keeps.commands.used[1].id, "7f3c-0002");
}

static void without_a_folder_nothing_is_kept_and_that_is_said(void **unused)
{
    struct test_waiter w = new_waiter();
    (void)unused;
    mqtt_keeps_close(&keeps);
    load_from("");
    set_topic(TOPIC);
    mqtt_keeps_save_discovery(&keeps);
    save_for(&w);
    assert_int_equal(w.told, 1);
    assert_false(w.kept);
    assert_int_equal(loop.jobs, 0);
}

static void what_cannot_be_written_is_said_and_the_next_may_be(void **unused)
{
    struct test_waiter a = new_waiter(), b = new_waiter();
    (void)unused;
    assert_int_equal(mkdir(path_of(COMMANDS), 0700), 0);
    set_id(0, "7f3c-0001");
    set_topic(TOPIC);
    save_for(&a);
    mqtt_keeps_save_discovery(&keeps);
    loop_kit_settle(&loop);
    assert_int_equal(a.told, 1);
    assert_false(a.kept);
    assert_holds(DISCOVERY, TOPIC);
    assert_int_equal(rmdir(path_of(COMMANDS)), 0);
    save_for(&b);
    loop_kit_settle(&loop);
    assert_told(&b, "7f3c-0001");
}

static void a_folder_that_is_gone_costs_nothing_but_what_is_kept(void **unused)
{
    struct test_waiter w = new_waiter();
    (void)unused;
    mqtt_keeps_close(&keeps);
    load_from("/nonexistent/folder");
    assert_string_equal(keeps.discovery, "");
    set_topic(TOPIC);
    mqtt_keeps_save_discovery(&keeps);
    save_for(&w);
    loop_kit_settle(&loop);
    assert_int_equal(w.told, 1);
    assert_false(w.kept);
}

static void a_damaged_file_of_ids_is_no_ids(void **unused)
{
    static const char *const texts[] = {
        "", "{", "[]", "null", "{\"7f3c-0001\":\"soon\"}", "{\"7f3c 0001\":1}", "\xFF\xFE{}",
    };
    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(COMMANDS, texts[i]);
        load_again();
        assert_string_equal(keeps.commands.used[0].id, "");
    }
}

static void files_that_are_too_long_are_not_read(void **unused)
{
    static char text[40000];
    (void)unused;
    memset(text, 'a', sizeof text - 1);
    put(DISCOVERY, text);
    put(COMMANDS, text);
    load_again();
    assert_string_equal(keeps.discovery, "");
    assert_string_equal(keeps.commands.used[0].id, "");
    text[HOME_ASSISTANT_TOPIC_MAX - 1] = 0;
    put(DISCOVERY, text);
    load_again();
    assert_string_equal(keeps.discovery, text);
}

static void one_that_was_never_loaded_can_be_closed(void **unused)
{
    struct mqtt_keeps zeroed = {0};
    (void)unused;
    mqtt_keeps_close(&zeroed);
}

int main(void)
{
#define WITH_KEEPS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_KEEPS(nothing_is_there_at_first_and_nothing_is_written_unasked),
        WITH_KEEPS(the_topic_comes_back_after_a_restart),
        WITH_KEEPS(no_topic_is_no_file),
        WITH_KEEPS(ids_come_back_after_a_restart),
        WITH_KEEPS(as_many_ids_as_there_may_be_come_back),
        WITH_KEEPS(one_who_waits_is_told_when_it_is_on_disk_and_not_before),
        WITH_KEEPS(who_comes_while_it_is_being_written_is_told_after_the_next_write),
        WITH_KEEPS(one_who_is_told_may_ask_again),
        WITH_KEEPS(one_who_is_gone_is_not_told),
        WITH_KEEPS(a_close_keeps_what_is_still_to_be_kept),
        WITH_KEEPS(without_a_folder_nothing_is_kept_and_that_is_said),
        WITH_KEEPS(what_cannot_be_written_is_said_and_the_next_may_be),
        WITH_KEEPS(a_folder_that_is_gone_costs_nothing_but_what_is_kept),
        WITH_KEEPS(a_damaged_file_of_ids_is_no_ids),
        WITH_KEEPS(files_that_are_too_long_are_not_read),
        cmocka_unit_test(one_that_was_never_loaded_can_be_closed),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
