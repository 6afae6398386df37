#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network_trial.h"

#include "config_kit_test.h"
#include "folder_kit_test.h"
#include "log.h"
#include "loop_kit_test.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#define FILE_NAME NETWORK_TRIAL_FILE
#define HOME "{\"Version\":1,\"Settings\":{\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"Home\"}}}}"

enum { LIMIT_MS = 60000 };

static struct loop loop;
static struct network_trial trial;
static int expired;
static bool busy;

static void on_expired(struct network_trial *t)
{
    assert_ptr_equal(t, &trial);
    assert_true(t->running);
    expired++;
}

static void on_busy(struct network_trial *t, bool on)
{
    assert_ptr_equal(t, &trial);
    busy = on;
}

static void open_in(const char *state_dir)
{
    trial = (struct network_trial){.expired = on_expired,
                                   .busy = on_busy,
                                   .loop = &loop,
                                   .state_dir = state_dir,
                                   .usual = &defaults};
    assert_true(network_trial_open(&trial, LIMIT_MS));
}

/* As after a restart of the program. */
static void open_again(void)
{
    network_trial_close(&trial);
    open_in(folder);
}

static void put(const char *text)
{
    assert_true(atomic_file_write(folder, FILE_NAME, text, strlen(text)));
}

static bool is_kept(void)
{
    struct stat st;
    return lstat(path_of(FILE_NAME), &st) == 0;
}

static void expect_kept(const char *ssid)
{
    size_t length;
    char *text = atomic_file_read(folder, FILE_NAME, CONFIG_FILE_MAX, &length);
    assert_non_null(text);
    assert_non_null(strstr(text, ssid));
    free(text);
}

/* The settings before a change are those of this network. */
static void begin_from(const char *ssid)
{
    snprintf(config.wifi_ssid, sizeof config.wifi_ssid, "%s", ssid);
    network_trial_begin(&trial, &config, LIMIT_MS);
}

static void expect_running(const char *ssid, int64_t left_ms)
{
    assert_true(trial.running);
    assert_string_equal(trial.before.wifi_ssid, ssid);
    assert_int_equal(network_trial_left_ms(&trial), left_ms);
}

static void expect_over(void)
{
    assert_false(trial.running);
    assert_int_equal(network_trial_left_ms(&trial), -1);
    assert_string_equal(trial.before.wifi_ssid, "");
    assert_false(is_kept());
    loop_kit_run(&loop, 2 * LIMIT_MS);
    assert_int_equal(expired, 0);
}

/* The file holds what was set: a name is set here. */
static int begin_test(void **unused)
{
    expired = 0;
    busy = false;
    start_from_defaults(unused);
    assert_true(patch("{\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"Home\"}}}"));
    loop_init(&loop);
    if (!make_folder_for("network_trial_test", false))
        return -1;
    open_in(folder);
    return 0;
}

static int end_test(void **unused)
{
    (void)unused;
    network_trial_close(&trial);
    loop_close(&loop);
    empty_folder();
    rmdir(folder);
    return 0;
}

/* --- its time --------------------------------------------------------------------------------- */

static void at_first_none_runs(void **unused)
{
    (void)unused;
    expect_over();
}

static void it_expires_once_and_runs_until_it_is_ended(void **unused)
{
    (void)unused;
    begin_from("Home");
    expect_running("Home", LIMIT_MS);
    loop_kit_run(&loop, LIMIT_MS - 1);
    expect_running("Home", 1);
    assert_int_equal(expired, 0);
    loop_kit_run(&loop, 10 * LIMIT_MS);
    assert_int_equal(expired, 1);
    expect_running("Home", 0);
    network_trial_end(&trial);
    loop_kit_settle(&loop);
    expired = 0;
    expect_over();
}

static void begun_again_it_keeps_what_was_before_the_first_change(void **unused)
{
    (void)unused;
    begin_from("Home");
    loop_kit_run(&loop, LIMIT_MS / 2);
    begin_from("Cafe");
    expect_running("Home", LIMIT_MS);
    loop_kit_run(&loop, LIMIT_MS - 1);
    assert_int_equal(expired, 0);
    loop_kit_settle(&loop);
    expect_kept("Home");
    loop_kit_run(&loop, 1);
    assert_int_equal(expired, 1);
    network_trial_begin(&trial, &trial.before, LIMIT_MS);
    expect_running("Home", LIMIT_MS);
}

static void another_one_begins_from_what_is_there_then(void **unused)
{
    (void)unused;
    begin_from("Home");
    loop_kit_settle(&loop);
    network_trial_end(&trial);
    loop_kit_settle(&loop);
    begin_from("Cafe");
    loop_kit_settle(&loop);
    expect_running("Cafe", LIMIT_MS);
    expect_kept("Cafe");
}

/* --- its file --------------------------------------------------------------------------------- */

static void at_start_it_begins_anew(void **unused)
{
    (void)unused;
    begin_from("Home");
    loop_kit_run(&loop, LIMIT_MS / 2);
    open_again();
    expect_running("Home", LIMIT_MS);
    assert_int_equal(config_changed_doors(&trial.before, &config), 0);
    assert_true(trial.before.was_set == config.was_set);
    open_again();
    expect_running("Home", LIMIT_MS);
    loop_kit_run(&loop, LIMIT_MS);
    assert_int_equal(expired, 1);
    network_trial_end(&trial);
    loop_kit_settle(&loop);
    expired = 0;
    expect_over();
    open_again();
    expect_over();
}

static void the_file_is_for_nobody_else(void **unused)
{
    struct stat st;
    (void)unused;
    begin_from("Home");
    loop_kit_settle(&loop);
    assert_int_equal(lstat(path_of(FILE_NAME), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_damaged_file_is_no_trial(void **unused)
{
    static const char *const damaged[] = {"", "{", "null", "{\"Version\":1,\"Settings\":{\"WiFi\"",
                                          HOME "x"};
    (void)unused;
    for (size_t i = 0; i < COUNT(damaged); i++) {
        network_trial_close(&trial);
        put(damaged[i]);
        open_in(folder);
        loop_kit_settle(&loop);
        expect_over();
    }
}

static void what_it_says_of_the_network_counts(void **unused)
{
    (void)unused;
    put("{\"Version\":2,\"Settings\":{\"New\":1,\"MQTT\":{\"Keepalive\":1},"
        "\"WiFi\":{\"ConnectionData\":{\"WiFiSSID\":\"Home\"}}}}");
    open_again();
    expect_running("Home", LIMIT_MS);
}

static void a_file_that_cannot_be_read_is_no_trial(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of(FILE_NAME), 0700), 0);
    open_again();
    assert_false(trial.running);
    begin_from("Home"); /* nor can it be written */
    loop_kit_settle(&loop);
    expect_running("Home", LIMIT_MS);
}

/* --- a slow disk ------------------------------------------------------------------------------ */

static void what_ends_while_it_is_written_leaves_no_file(void **unused)
{
    (void)unused;
    begin_from("Home");
    network_trial_end(&trial);
    loop_kit_settle(&loop);
    expect_over();
}

static void of_several_the_last_is_kept(void **unused)
{
    (void)unused;
    begin_from("Home");
    network_trial_end(&trial);
    begin_from("Cafe");
    network_trial_end(&trial);
    begin_from("Bar");
    loop_kit_settle(&loop);
    expect_kept("Bar");
    expect_running("Bar", LIMIT_MS);
}

/* The folder's lock; closed, it is free. */
static int hold_folder(void)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
    return fd;
}

static void it_tells_while_the_file_is_written_or_removed(void **unused)
{
    (void)unused;
    for (int i = 0; i < 2; i++) {
        begin_from("Home");
        assert_true(busy);
        if (i == 0)
            loop_kit_settle(&loop);
        assert_int_equal(busy, i); /* else it goes on with the next */
        network_trial_end(&trial);
        assert_true(busy);
        loop_kit_settle(&loop);
        assert_false(busy);
        assert_false(is_kept());
    }
}

/* Also where there was no file, or none can be removed. */
static void it_tells_when_that_is_done(void **unused)
{
    (void)unused;
    network_trial_end(&trial);
    assert_true(busy);
    loop_kit_settle(&loop);
    assert_false(busy);
    assert_int_equal(mkdir(path_of(FILE_NAME), 0700), 0);
    network_trial_end(&trial);
    assert_true(busy);
    loop_kit_settle(&loop);
    assert_false(busy);
}

/* Whether its file is gone when the next one begins, or is still being removed. */
static void one_that_ended_takes_no_file_from_the_next(void **unused)
{
    (void)unused;
    for (int removed_first = 0; removed_first < 2; removed_first++) {
        begin_from("Home");
        loop_kit_settle(&loop);
        int lock = hold_folder();
        network_trial_end(&trial);
        if (removed_first) {
            close(lock);
            loop_kit_settle(&loop);
            assert_false(is_kept());
        }
        begin_from("Cafe");
        if (!removed_first)
            close(lock);
        loop_kit_settle(&loop);
        expect_kept("Cafe");
        network_trial_end(&trial);
        loop_kit_settle(&loop);
    }
}

static void the_end_of_the_program_waits_for_the_disk(void **unused)
{
    (void)unused;
    begin_from("Home");
    network_trial_close(&trial);
    expect_kept("Home");
    open_in(folder);
    expect_running("Home", LIMIT_MS);
    network_trial_end(&trial);
    begin_from("Cafe");
    network_trial_close(&trial);
    expect_kept("Cafe");
    open_in(folder);
    begin_from("Bar");
    network_trial_end(&trial);
    open_again();
    expect_over();
}

static void without_a_folder_nothing_is_kept(void **unused)
{
    (void)unused;
    network_trial_close(&trial);
    open_in("");
    begin_from("Home");
    assert_false(busy);
    loop_kit_run(&loop, LIMIT_MS);
    assert_int_equal(expired, 1);
    expect_running("Home", 0);
    network_trial_end(&trial);
    expired = 0;
    expect_over();
    assert_int_equal(count_files(), 0);
}

static void one_that_was_never_opened_can_be_closed(void **unused)
{
    struct network_trial none = {0};
    (void)unused;
    assert_int_equal(network_trial_left_ms(&none), -1);
    network_trial_close(&none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin_test, end_test)

static int drop_warnings(void **unused)
{
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(at_first_none_runs),
        TEST(it_expires_once_and_runs_until_it_is_ended),
        TEST(begun_again_it_keeps_what_was_before_the_first_change),
        TEST(another_one_begins_from_what_is_there_then),
        TEST(at_start_it_begins_anew),
        TEST(the_file_is_for_nobody_else),
        TEST(a_damaged_file_is_no_trial),
        TEST(what_it_says_of_the_network_counts),
        TEST(a_file_that_cannot_be_read_is_no_trial),
        TEST(what_ends_while_it_is_written_leaves_no_file),
        TEST(of_several_the_last_is_kept),
        TEST(it_tells_while_the_file_is_written_or_removed),
        TEST(it_tells_when_that_is_done),
        TEST(one_that_ended_takes_no_file_from_the_next),
        TEST(the_end_of_the_program_waits_for_the_disk),
        TEST(without_a_folder_nothing_is_kept),
        TEST(one_that_was_never_opened_can_be_closed),
    };
    return cmocka_run_group_tests(tests, drop_warnings, NULL);
}
