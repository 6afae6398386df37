#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "atomic_file.h"

#include "folder_kit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_test_folder(void **unused)
{
    (void)unused;
    return make_folder_for("atomic_file_test", false) ? 0 : -1;
}

static int remove_test_folder(void **unused)
{
    (void)unused;
    empty_folder();
    return rmdir(folder);
}

static void put(const char *name, const char *text)
{
    assert_true(atomic_file_write(folder, name, text, strlen(text)));
}

static void assert_holds(const char *name, const char *text)
{
    size_t length = 0;
    char *bytes = atomic_file_read(folder, name, 1000, &length);
    assert_non_null(bytes);
    assert_string_equal(bytes, text);
    assert_int_equal(length, strlen(text));
    free(bytes);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void what_is_written_is_read(void **unused)
{
    (void)unused;
    put("a", "first");
    assert_holds("a", "first");
    put("a", "");
    assert_holds("a", "");
    put("a", "second, and longer");
    assert_holds("a", "second, and longer");
    assert_int_equal(count_files(), 1);
}

static void bytes_of_any_kind_come_back(void **unused)
{
    static char bytes[300000];
    size_t length = 0;
    (void)unused;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 >> 3);
    assert_true(atomic_file_write(folder, "a", bytes, sizeof bytes));
    char *back = atomic_file_read(folder, "a", sizeof bytes, &length);
    assert_non_null(back);
    assert_int_equal(length, sizeof bytes);
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_int_equal(back[length], 0);
    free(back);
}

static void only_the_owner_may_read_whatever_the_umask(void **unused)
{
    static const mode_t masks[] = {0, 022, 0777};
    (void)unused;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        mode_t before = umask(masks[i]);
        put("a", "secret");
        umask(before);
        assert_int_equal(mode_of(path_of("a")), 0600);
    }
}

static void what_is_published_all_may_read(void **unused)
{
    (void)unused;
    put("a", "secret");
    mode_t before = umask(0777);
    assert_true(atomic_file_publish(folder, "a", "known", 5));
    umask(before);
    assert_holds("a", "known");
    assert_int_equal(mode_of(path_of("a")), 0644);
}

static void a_file_open_to_all_is_replaced_by_one_that_is_not(void **unused)
{
    (void)unused;
    put("a", "old");
    assert_int_equal(chmod(path_of("a"), 0666), 0);
    put("a", "new");
    assert_int_equal(mode_of(path_of("a")), 0600);
}

static void too_long_a_file_is_not_read(void **unused)
{
    size_t length;
    (void)unused;
    put("a", "12345");
    assert_null(atomic_file_read(folder, "a", 4, &length));
    assert_int_equal(errno, EFBIG);
    char *bytes = atomic_file_read(folder, "a", 5, &length);
    assert_non_null(bytes);
    free(bytes);
}

static void what_cannot_be_read_says_why(void **unused)
{
    size_t length;
    (void)unused;
    assert_null(atomic_file_read(folder, "a", 100, &length));
    assert_int_equal(errno, ENOENT);
    assert_null(atomic_file_read(path_of("missing"), "a", 100, &length));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkdir(path_of("d"), 0700), 0);
    assert_null(atomic_file_read(folder, "d", 1000000, &length));
    assert_int_equal(errno, EISDIR);
}

static void what_a_power_cut_left_is_no_obstacle(void **unused)
{
    (void)unused;
    put("a.new", "half writ");
    put("a", "whole");
    assert_holds("a", "whole");
    assert_int_equal(count_files(), 1);
}

static void a_link_in_the_place_of_the_temporary_file_is_not_followed(void **unused)
{
    (void)unused;
    put("victim", "untouched");
    assert_int_equal(symlink("victim", path_of("a.new")), 0);
    put("a", "mine");
    assert_holds("victim", "untouched");
    assert_holds("a", "mine");
    assert_int_equal(count_files(), 2);
}

/* A file that may not grow beyond 1000 bytes stands for a full disk: the first write is a short one. */
static void a_full_disk_leaves_the_old_content_and_no_rest(void **unused)
{
    static const char bytes[3000];
    struct rlimit before, small;
    (void)unused;
    put("a", "old");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 1000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool written = atomic_file_write(folder, "a", bytes, sizeof bytes);
    int error = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(written);
    assert_int_equal(error, EFBIG);
    assert_holds("a", "old");
    assert_int_equal(count_files(), 1);
}

static void a_failed_rename_leaves_no_rest(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of("d"), 0700), 0);
    assert_false(atomic_file_write(folder, "d", "x", 1));
    assert_int_equal(errno, EISDIR);
    assert_int_equal(count_files(), 1);
}

static void a_folder_that_is_missing_is_an_error_of_its_own(void **unused)
{
    (void)unused;
    assert_false(atomic_file_write(path_of("missing"), "a", "x", 1));
    assert_int_equal(errno, ENOENT);
    assert_false(atomic_file_set_aside(path_of("missing"), "a", "b"));
    assert_int_equal(errno, ENOENT);
}

static void a_name_that_is_too_long_is_refused(void **unused)
{
    char name[ATOMIC_FILE_NAME_MAX + 1];
    (void)unused;
    memset(name, 'n', sizeof name);
    name[ATOMIC_FILE_NAME_MAX - 5] = 0;
    put(name, "with .new it just fits");
    name[ATOMIC_FILE_NAME_MAX - 5] = 'n';
    name[ATOMIC_FILE_NAME_MAX - 4] = 0;
    assert_false(atomic_file_write(folder, name, "x", 1));
    assert_int_equal(errno, ENAMETOOLONG);
    assert_false(atomic_file_remove(folder, name));
    assert_int_equal(errno, ENAMETOOLONG);
}

static void a_folder_is_made_for_its_owner_alone(void **unused)
{
    (void)unused;
    mode_t before = umask(0);
    assert_true(atomic_file_make_folder(path_of("d")));
    umask(0777);
    assert_true(atomic_file_make_folder(path_of("e")));
    umask(before);
    assert_int_equal(mode_of(path_of("d")), 0700);
    assert_int_equal(mode_of(path_of("e")), 0700);
}

static void a_folder_that_is_there_stays_as_it_is(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of("d"), 0700), 0);
    assert_int_equal(chmod(path_of("d"), 0750), 0);
    assert_true(atomic_file_make_folder(path_of("d")));
    assert_int_equal(mode_of(path_of("d")), 0750);
}

static void what_cannot_be_made_a_folder_says_why(void **unused)
{
    (void)unused;
    put("a", "a file");
    assert_false(atomic_file_make_folder(path_of("a")));
    assert_int_equal(errno, ENOTDIR);
    assert_false(atomic_file_make_folder(path_of("missing/d")));
    assert_int_equal(errno, ENOENT);
}

static void a_removed_file_and_its_rests_are_gone(void **unused)
{
    (void)unused;
    put("a", "x");
    put("a.new", "half writ");
    assert_true(atomic_file_remove(folder, "a"));
    assert_int_equal(count_files(), 0);
    assert_true(atomic_file_remove(folder, "a"));
    assert_true(atomic_file_remove(path_of("missing"), "a"));
}

static void a_folder_is_not_removed(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of("d"), 0700), 0);
    assert_false(atomic_file_remove(folder, "d"));
    assert_int_equal(errno, EISDIR);
}

static void a_change_is_written_or_removed(void **unused)
{
    (void)unused;
    assert_true(atomic_file_change(folder, "a", "one", 3, 100));
    assert_holds("a", "one");
    assert_true(atomic_file_change(folder, "a", "two", 3, 100));
    assert_holds("a", "two");
    assert_true(atomic_file_change(folder, "a", NULL, 0, 100));
    assert_int_equal(count_files(), 0);
    assert_true(atomic_file_change(folder, "a", NULL, 0, 100));
}

static void what_could_not_be_put_back_is_not_changed(void **unused)
{
    (void)unused;
    put("a", "more than ten bytes");
    assert_false(atomic_file_change(folder, "a", "one", 3, 10));
    assert_int_equal(errno, EFBIG);
    assert_holds("a", "more than ten bytes");
}

static void a_file_set_aside_replaces_what_was_there(void **unused)
{
    (void)unused;
    put("a", "damaged");
    put("a.bad", "older");
    assert_true(atomic_file_set_aside(folder, "a", "a.bad"));
    assert_holds("a.bad", "damaged");
    assert_int_equal(count_files(), 1);
    assert_false(atomic_file_set_aside(folder, "a", "a.bad"));
    assert_int_equal(errno, ENOENT);
    assert_holds("a.bad", "damaged");
}

enum { WRITERS = 4, ROUNDS = 25, LONG = 20000 };

/* Fills a file with one letter, again and again. */
static void *write_letters(void *letter)
{
    char bytes[LONG];
    memset(bytes, *(const char *)letter, sizeof bytes);
    for (int i = 0; i < ROUNDS; i++)
        if (!atomic_file_write(folder, "a", bytes, sizeof bytes))
            return letter;
    return NULL;
}

static void writers_at_the_same_time_do_not_mix(void **unused)
{
    static char letters[WRITERS] = {'a', 'b', 'c', 'd'};
    pthread_t threads[WRITERS];
    void *failed;
    (void)unused;
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_letters, &letters[i]), 0);
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    size_t length = 0;
    char *bytes = atomic_file_read(folder, "a", LONG, &length);
    assert_non_null(bytes);
    assert_int_equal(length, LONG);
    for (size_t i = 1; i < length; i++)
        assert_int_equal(bytes[i], bytes[0]);
    free(bytes);
    assert_int_equal(count_files(), 1);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_test_folder, remove_test_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_is_written_is_read),
        IN_FOLDER(bytes_of_any_kind_come_back),
        IN_FOLDER(only_the_owner_may_read_whatever_the_umask),
        IN_FOLDER(what_is_published_all_may_read),
        IN_FOLDER(a_file_open_to_all_is_replaced_by_one_that_is_not),
        IN_FOLDER(too_long_a_file_is_not_read),
        IN_FOLDER(what_cannot_be_read_says_why),
        IN_FOLDER(what_a_power_cut_left_is_no_obstacle),
        IN_FOLDER(a_link_in_the_place_of_the_temporary_file_is_not_followed),
        IN_FOLDER(a_full_disk_leaves_the_old_content_and_no_rest),
        IN_FOLDER(a_failed_rename_leaves_no_rest),
        IN_FOLDER(a_folder_that_is_missing_is_an_error_of_its_own),
        IN_FOLDER(a_name_that_is_too_long_is_refused),
        IN_FOLDER(a_folder_is_made_for_its_owner_alone),
        IN_FOLDER(a_folder_that_is_there_stays_as_it_is),
        IN_FOLDER(what_cannot_be_made_a_folder_says_why),
        IN_FOLDER(a_removed_file_and_its_rests_are_gone),
        IN_FOLDER(a_folder_is_not_removed),
        IN_FOLDER(a_change_is_written_or_removed),
        IN_FOLDER(what_could_not_be_put_back_is_not_changed),
        IN_FOLDER(a_file_set_aside_replaces_what_was_there),
        IN_FOLDER(writers_at_the_same_time_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
