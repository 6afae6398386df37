/* update_record.c on a real disk. */
#include "update_record.h"

#include "folder_kit_test.h"
#include "loop_kit_test.h"
#include "settings.h"

#include <string.h>

#define OLD "0.1.0+security.1"
#define NEW "0.2.0+security.1"

enum { NOW_S = 1780396000 };

static struct loop loop;
static struct update_saver saver;
static int told;
static bool kept;

static void on_saved(struct update_saver *s, bool ok)
{
    assert_ptr_equal(s, &saver);
    told++;
    kept = ok;
}

static int begin(void **unused)
{
    (void)unused;
    told = 0;
    loop_init(&loop);
    saver = (struct update_saver){.loop = &loop, .state_dir = folder, .saved = on_saved};
    return make_folder_for("update_record", false) ? 0 : -1;
}

static int end(void **unused)
{
    (void)unused;
    update_record_close(&saver);
    loop_close(&loop);
    empty_folder();
    return rmdir(folder);
}

static struct update_record record(enum update_phase phase)
{
    return (struct update_record){
        .phase = phase, .from = OLD, .to = NEW, .booted = "A", .meter_live = true, .time_s = NOW_S};
}

static void save(struct update_record r)
{
    update_record_save(&saver, &r);
    loop_kit_settle(&loop);
    assert_true(kept);
}

static void put(const char *name, const char *text)
{
    assert_true(atomic_file_write(folder, name, text, strlen(text)));
}

static void assert_says(const char *name, const char *text)
{
    size_t length;
    char *found = atomic_file_read(folder, name, 4096, &length);
    if (text) {
        assert_non_null(found);
        assert_string_equal(found, text);
    } else {
        assert_null(found);
    }
    free(found);
}

static struct update_record resume(const char *running)
{
    struct update_record r;
    assert_true(update_record_resume(&r, folder, running, NOW_S + 5));
    return r;
}

static void without_a_file_there_was_no_update(void **unused)
{
    (void)unused;
    assert_int_equal(resume(OLD).phase, UPDATE_NONE);
    assert_int_equal(count_files(), 0);
}

static void what_is_saved_is_remembered(void **unused)
{
    (void)unused;
    struct update_record r = record(UPDATE_INSTALLING), read;
    snprintf(r.reason, sizeof r.reason, "\"it\" \xC3\xA9");
    save(r);
    read = resume(OLD);
    assert_int_equal(read.phase, UPDATE_INSTALLING);
    assert_string_equal(read.from, OLD);
    assert_string_equal(read.to, NEW);
    assert_string_equal(read.booted, "A");
    assert_string_equal(read.reason, r.reason);
    assert_true(read.meter_live);
    assert_int_equal(read.time_s, NOW_S);
}

/* A reason in another language, as long as it gets: half a character could not be saved, nor anything with it. */
/* Half a character could not be saved, nor could anything with it. */
static void a_long_reason_is_cut_between_characters(void **unused)
{
    (void)unused;
    static const char accent[] = "\xC3\xA9";
    char reason[2 * UPDATE_WHY_MAX];
    for (size_t shift = 0; shift < 2; shift++) {
        struct update_record r = record(UPDATE_INSTALLING);
        for (size_t i = 0; i < sizeof reason - 1; i++)
            reason[i] = i < shift ? 'x' : accent[(i - shift) % 2];
        reason[sizeof reason - 1] = 0;
        update_record_end(&r, false, reason, NOW_S);
        save(r);
        r = resume(OLD);
        assert_int_equal(r.phase, UPDATE_OVER);
        assert_int_equal(strlen(r.reason), UPDATE_WHY_MAX - 2 + shift);
        assert_memory_equal(r.reason, reason, strlen(r.reason));
    }
}

static void a_new_system_begins_with_the_settings_of_before(void **unused)
{
    (void)unused;
    put(SETTINGS_FILE, "before");
    save(record(UPDATE_INSTALLING));
    assert_says(SETTINGS_BEFORE_FILE, "before");
    save(record(UPDATE_INSTALLED));
    for (int start = 0; start < 3; start++) {
        assert_int_equal(resume(NEW).phase, UPDATE_TRIED);
        assert_says(SETTINGS_FILE, "before");
        put(SETTINGS_FILE, "spoiled by the new system");
    }
    put(SETTINGS_FILE, "of the new system, which is well");
    save(record(UPDATE_OVER));
    assert_says(SETTINGS_FILE, "of the new system, which is well");
    assert_says(SETTINGS_BEFORE_FILE, NULL);
}

static void the_old_system_has_its_settings_back(void **unused)
{
    (void)unused;
    put(SETTINGS_FILE, "before");
    save(record(UPDATE_INSTALLING));
    save(record(UPDATE_INSTALLED));
    (void)resume(NEW);
    put(SETTINGS_FILE, "of a later version");
    struct update_record r = resume(OLD);
    assert_int_equal(r.phase, UPDATE_OVER);
    assert_false(r.ok);
    assert_string_equal(r.reason, UPDATE_FELL_BACK);
    assert_int_equal(r.time_s, NOW_S + 5);
    assert_says(SETTINGS_FILE, "before");
    assert_says(SETTINGS_BEFORE_FILE, NULL);
    put(SETTINGS_FILE, "changed since");
    assert_int_equal(resume(OLD).phase, UPDATE_OVER);
    assert_says(SETTINGS_FILE, "changed since");
}

static void what_is_changed_until_the_restart_is_kept_too(void **unused)
{
    (void)unused;
    put(SETTINGS_FILE, "before");
    save(record(UPDATE_INSTALLING));
    save(record(UPDATE_INSTALLED));
    put(SETTINGS_FILE, "changed by the user");
    for (int start = 0; start < 3; start++) {
        assert_int_equal(resume(NEW).phase, UPDATE_TRIED);
        assert_says(SETTINGS_FILE, "changed by the user");
        put(SETTINGS_FILE, "spoiled by the new system");
    }
    (void)resume(OLD);
    assert_says(SETTINGS_FILE, "changed by the user");
}

/* The slots were switched, and the power went before that was noted. */
static void a_new_system_that_nobody_announced_is_on_trial(void **unused)
{
    (void)unused;
    put(SETTINGS_FILE, "before");
    save(record(UPDATE_INSTALLING));
    assert_int_equal(resume(NEW).phase, UPDATE_TRIED);
    put(SETTINGS_FILE, "spoiled by the new system");
    assert_int_equal(resume(NEW).phase, UPDATE_TRIED);
    assert_says(SETTINGS_FILE, "before");
}

static void a_release_that_is_not_known_is_neither_the_new_nor_the_old_one(void **unused)
{
    static const enum update_phase phases[] = {UPDATE_INSTALLED, UPDATE_TRIED};
    (void)unused;
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        struct update_record r = record(phases[i]);
        r.from[0] = 0;
        save(r);
        assert_int_equal(resume("").phase, phases[i]);
        r = record(phases[i]);
        r.to[0] = 0;
        save(r);
        assert_int_equal(resume("").phase, phases[i]);
    }
}

/* No room for the note, but the new system could set the settings aside. */
static void settings_are_not_lost_by_a_start_that_was_not_noted(void **unused)
{
    (void)unused;
    put(SETTINGS_FILE, "before");
    save(record(UPDATE_INSTALLING));
    save(record(UPDATE_INSTALLED));
    assert_true(atomic_file_set_aside(folder, SETTINGS_FILE, "aside"));
    assert_int_equal(resume(NEW).phase, UPDATE_TRIED);
    assert_says(SETTINGS_FILE, "before");
    (void)resume(OLD);
    assert_says(SETTINGS_FILE, "before");
}

static void no_settings_are_settings_too(void **unused)
{
    (void)unused;
    save(record(UPDATE_INSTALLING));
    save(record(UPDATE_INSTALLED));
    (void)resume(NEW);
    put(SETTINGS_FILE, "of the new system");
    (void)resume(OLD);
    assert_says(SETTINGS_FILE, NULL);
}

/* The gateway is started again before the box is. */
static void the_old_system_that_was_never_left_keeps_its_settings(void **unused)
{
    (void)unused;
    put(SETTINGS_FILE, "before");
    save(record(UPDATE_INSTALLING));
    save(record(UPDATE_INSTALLED));
    put(SETTINGS_FILE, "changed since");
    assert_int_equal(resume(OLD).phase, UPDATE_INSTALLED);
    assert_says(SETTINGS_FILE, "changed since");
}

/* A repair: which of two equal systems runs is not known from here. */
static void the_same_release_again_leaves_settings_alone(void **unused)
{
    struct update_record r = record(UPDATE_INSTALLED);
    (void)unused;
    snprintf(r.to, sizeof r.to, OLD);
    put(SETTINGS_FILE, "now");
    put(SETTINGS_BEFORE_FILE, "before");
    save(r);
    assert_int_equal(resume(OLD).phase, UPDATE_INSTALLED);
    assert_says(SETTINGS_FILE, "now");
}

static void a_file_that_cannot_be_read_is_no_update(void **unused)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"Phase\":\"installed\"}",
        "{\"Phase\":\"lost\",\"From\":\"a\",\"To\":\"b\",\"Booted\":\"A\",\"MeterLive\":true,"
        "\"Ok\":false,\"Reason\":\"\",\"Time\":1}",
        "{\"Phase\":\"installed\",\"From\":1,\"To\":\"b\",\"Booted\":\"A\",\"MeterLive\":true,"
        "\"Ok\":false,\"Reason\":\"\",\"Time\":1}"};
    (void)unused;
    put(SETTINGS_FILE, "now");
    put(SETTINGS_BEFORE_FILE, "before");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put("update.json", texts[i]);
        assert_int_equal(resume(NEW).phase, UPDATE_NONE);
        assert_says(SETTINGS_FILE, "now");
    }
}

static void without_a_folder_nothing_is_kept(void **unused)
{
    struct update_record r = record(UPDATE_INSTALLING), read;
    (void)unused;
    saver.state_dir = "";
    update_record_save(&saver, &r);
    assert_int_equal(told, 1);
    assert_false(kept);
    assert_true(update_record_resume(&read, "", NEW, NOW_S));
    assert_int_equal(read.phase, UPDATE_NONE);
}

static void a_folder_that_is_gone_is_told(void **unused)
{
    struct update_record r = record(UPDATE_INSTALLING);
    (void)unused;
    saver.state_dir = "/nonexistent";
    update_record_save(&saver, &r);
    loop_kit_settle(&loop);
    assert_int_equal(told, 1);
    assert_false(kept);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_file_there_was_no_update),
        TEST(what_is_saved_is_remembered),
        TEST(a_long_reason_is_cut_between_characters),
        TEST(a_new_system_begins_with_the_settings_of_before),
        TEST(the_old_system_has_its_settings_back),
        TEST(what_is_changed_until_the_restart_is_kept_too),
        TEST(a_new_system_that_nobody_announced_is_on_trial),
        TEST(a_release_that_is_not_known_is_neither_the_new_nor_the_old_one),
        TEST(settings_are_not_lost_by_a_start_that_was_not_noted),
        TEST(no_settings_are_settings_too),
        TEST(the_old_system_that_was_never_left_keeps_its_settings),
        TEST(the_same_release_again_leaves_settings_alone),
        TEST(a_file_that_cannot_be_read_is_no_update),
        TEST(without_a_folder_nothing_is_kept),
        TEST(a_folder_that_is_gone_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
