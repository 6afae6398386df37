#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool.h"

#include "broken_disk_kit_test.h"
#include "folder_kit_test.h"
#include "core/reading.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXTS = 10, MIB = 1 << 20 };
#define LONG_TEXT \
    "no database, but long enough to be read as its header, which has one hundred bytes, and " \
    "then some"
#define NOW INT64_C(1780396069)

static const struct spool_limits roomy = {.max_bytes = 64 * MIB};
static char error[SPOOL_ERROR_MAX];
static struct spool *spool;

/* --- kit -------------------------------------------------------------------------------------- */

static void open_with(const struct spool_limits *limits, bool expect_set_aside)
{
    bool set_aside = !expect_set_aside;
    spool = spool_open(folder, limits, &set_aside, error);
    if (!spool)
        fail_msg("%s", error);
    assert_int_equal(set_aside, expect_set_aside);
}

static void close_spool(void)
{
    spool_close(spool);
    spool = NULL;
}

static void reopen(void)
{
    close_spool();
    open_with(&roomy, false);
}

static int make_folder(void **unused)
{
    (void)unused;
    return make_folder_for("spool_test", true) ? 0 : -1;
}

static int make_spool(void **unused)
{
    bool set_aside;
    if (make_folder(unused) < 0)
        return -1;
    spool = spool_open(folder, &roomy, &set_aside, error);
    return spool ? 0 : -1;
}

static int remove_all(void **unused)
{
    (void)unused;
    close_spool();
    empty_folder();
    return rmdir(folder);
}

static bool exists(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static off_t size_of(const char *name)
{
    struct stat st;
    assert_int_equal(stat(path_of(name), &st), 0);
    return st.st_size;
}

/* Of another program, while the spool is closed. */
static void change_file(const char *statement)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path_of(SPOOL_FILE), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, statement, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void add_text(struct spool_batch *batch, const char *text)
{
    size_t length = strlen(text) + 1;
    assert_true(length <= SPOOL_BYTES_MAX - batch->length);
    memcpy(batch->texts + batch->length, text, length);
    batch->length += length;
    batch->count++;
}

static uint32_t random_number(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* The batch of this number, always the same: ten messages, which compress to some 600 bytes. */
static void make_batch(struct spool_batch *batch, int64_t number)
{
    uint32_t state = (uint32_t)number;
    char text[200];
    memset(batch, 0, sizeof *batch);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(text, sizeof text,
                 "{\"ts\":%lld,\"P\":%u,\"l1\":{\"U\":%u,\"I\":%u},\"n\":\"%08x%08x%08x\"}",
                 (long long)(NOW + 10 * number + i), random_number(&state) % 4000,
                 2300 + random_number(&state) % 100, random_number(&state) % 20,
                 random_number(&state), random_number(&state), random_number(&state));
        add_text(batch, text);
    }
}

static bool is_batch(const struct spool_batch *batch, int64_t number)
{
    static struct spool_batch expected;
    make_batch(&expected, number);
    return batch->count == expected.count && batch->length == expected.length &&
           memcmp(batch->texts, expected.texts, expected.length) == 0;
}

static bool append_at(int64_t number, int64_t now_s)
{
    static struct spool_batch batch;
    make_batch(&batch, number);
    if (!spool_append(spool, &batch, now_s, NULL, error))
        return false;
    assert_int_equal(batch.id, number);
    return true;
}

/* Those of these numbers, which become their ids. */
static void append(int64_t from, int64_t to)
{
    for (int64_t number = from; number <= to; number++)
        if (!append_at(number, NOW))
            fail_msg("%s", error);
}

/* The id of what comes after this one, whose content is that of its number; 0: nothing does. */
static int64_t next(int64_t after)
{
    static struct spool_batch batch;
    if (!spool_read(spool, after, &batch, error))
        fail_msg("%s", error);
    if (batch.id)
        assert_true(is_batch(&batch, batch.id));
    return batch.id;
}

static void assert_holds(int64_t from, int64_t to)
{
    int64_t after = 0;
    for (int64_t id = from; id <= to; id++, after = next(after))
        assert_int_equal(next(after), id);
    assert_int_equal(next(after), 0);
    assert_int_equal(spool_get_counts(spool).readings, to < from ? 0 : (to - from + 1) * TEXTS);
}

static void assert_dropped(uint64_t batches)
{
    assert_int_equal(spool_get_counts(spool).dropped, batches * TEXTS);
}

static void remove_through(int64_t id)
{
    if (!spool_remove_through(spool, id, error))
        fail_msg("%s", error);
}

/* --- in and out ------------------------------------------------------------------------------- */

static void a_new_spool_is_empty(void **unused)
{
    (void)unused;
    assert_holds(1, 0);
    assert_dropped(0);
    assert_true(spool_get_counts(spool).bytes > 0);
    assert_false(spool_is_damaged(spool));
}

static void batches_come_back_in_the_order_they_went_in(void **unused)
{
    (void)unused;
    append(1, 50);
    assert_holds(1, 50);
    assert_holds(1, 50);
    assert_int_equal(next(17), 18);
    assert_int_equal(next(-5), 1);
    assert_int_equal(next(INT64_MAX), 0);
}

static void what_was_appended_is_there_after_a_restart(void **unused)
{
    (void)unused;
    append(1, 3);
    reopen();
    assert_holds(1, 3);
    append(4, 5);
    reopen();
    assert_holds(1, 5);
}

/* It ends as power cuts do, without a close; the disk goes on. */
static void what_was_appended_is_there_after_a_kill(void **unused)
{
    (void)unused;
    append(1, 2);
    close_spool();
    pid_t child = fork();
    if (child == 0) {
        bool set_aside;
        spool = spool_open(folder, &roomy, &set_aside, error);
        _exit(spool && append_at(3, NOW) && append_at(4, NOW) ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    open_with(&roomy, false);
    assert_holds(1, 4);
}

static void assert_comes_back(struct spool_batch *batch)
{
    static struct spool_batch back;
    assert_true(spool_append(spool, batch, NOW, NULL, error));
    assert_true(spool_read(spool, batch->id - 1, &back, error));
    assert_int_equal(back.id, batch->id);
    assert_int_equal(back.count, batch->count);
    assert_int_equal(back.length, batch->length);
    assert_memory_equal(back.texts, batch->texts, batch->length);
}

static void empty_texts_come_back(void **unused)
{
    static struct spool_batch batch;
    (void)unused;
    memset(&batch, 0, sizeof batch);
    add_text(&batch, "");
    assert_comes_back(&batch);
    for (int i = 1; i < SPOOL_TEXTS_MAX; i++)
        add_text(&batch, "");
    assert_comes_back(&batch);
    assert_int_equal(spool_get_counts(spool).readings, 1 + SPOOL_TEXTS_MAX);
}

/* Sixteen texts of bytes that do not get smaller. */
static void a_batch_at_its_limits_comes_back(void **unused)
{
    static struct spool_batch batch;
    uint32_t state = 1;
    (void)unused;
    batch.count = SPOOL_TEXTS_MAX;
    batch.length = SPOOL_BYTES_MAX;
    for (size_t i = 0; i < SPOOL_BYTES_MAX; i++)
        batch.texts[i] = (char)(i % 2048 == 2047 ? 0 : 1 + random_number(&state) % 255);
    assert_comes_back(&batch);
    memset(batch.texts, 'x', SPOOL_BYTES_MAX - 1);
    batch.count = 1;
    assert_comes_back(&batch);
}

static void assert_refused(size_t count, size_t length, const char *bytes)
{
    static struct spool_batch batch;
    batch.id = 77;
    batch.count = count;
    batch.length = length;
    memset(batch.texts, 'x', sizeof batch.texts);
    memcpy(batch.texts, bytes, length < 8 ? length : 8);
    assert_false(spool_append(spool, &batch, NOW, NULL, error));
    assert_int_equal(batch.id, 77);
    assert_non_null(strstr(error, "batch"));
    assert_false(spool_is_damaged(spool));
}

static void what_is_no_batch_is_refused(void **unused)
{
    static const char zeros[8];
    (void)unused;
    assert_refused(0, 0, zeros);
    assert_refused(1, 0, zeros);
    assert_refused(0, 1, zeros);
    assert_refused(2, 1, zeros);
    assert_refused(1, 2, zeros);
    assert_refused(1, 3, "abc\0xxxx");
    assert_refused(2, 4, "a\0bcxxxx");
    assert_refused(SPOOL_TEXTS_MAX + 1, 8, zeros);
    assert_refused(1, SPOOL_BYTES_MAX + 1, "xxxxxxxx");
    assert_holds(1, 0);
}

/* --- removal ---------------------------------------------------------------------------------- */

static void what_is_removed_is_gone_for_good(void **unused)
{
    (void)unused;
    append(1, 10);
    remove_through(4);
    assert_holds(5, 10);
    remove_through(4);
    remove_through(0);
    remove_through(-1);
    assert_holds(5, 10);
    reopen();
    assert_holds(5, 10);
    assert_dropped(0);
}

static void an_id_never_comes_again(void **unused)
{
    (void)unused;
    append(1, 3);
    remove_through(3);
    append(4, 4);
    remove_through(INT64_MAX);
    assert_holds(1, 0);
    reopen();
    append(5, 5);
    assert_holds(5, 5);
    remove_through(5);
    remove_through(5);
    reopen();
    reopen();
    append(6, 6);
    assert_holds(6, 6);
}

static void an_empty_spool_gives_the_disk_back(void **unused)
{
    (void)unused;
    append(1, 1000);
    reopen();
    assert_true(size_of(SPOOL_FILE) > 300 * 1024);
    remove_through(999);
    assert_holds(1000, 1000);
    remove_through(1000);
    assert_true(spool_get_counts(spool).bytes <= 64 * 1024);
    assert_true(size_of(SPOOL_FILE) <= 64 * 1024);
    append(1001, 1002);
    reopen();
    assert_holds(1001, 1002);
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void the_oldest_make_room_when_the_file_is_full(void **unused)
{
    static const struct spool_limits tight = {.max_bytes = 100 * 1024};
    (void)unused;
    spool_set_limits(spool, &tight);
    append(1, 1000);
    int64_t oldest = next(0);
    assert_in_range(oldest, 700, 950);
    assert_holds(oldest, 1000);
    assert_dropped((uint64_t)oldest - 1);
    reopen();
    assert_holds(oldest, 1000);
    assert_dropped(0);
    assert_true(size_of(SPOOL_FILE) <= tight.max_bytes + 4 * 4096);
}

static void a_smaller_bound_holds_from_the_next_append_on(void **unused)
{
    static const struct spool_limits tight = {.max_bytes = 50 * 1024};
    (void)unused;
    append(1, 500);
    spool_set_limits(spool, &tight);
    assert_holds(1, 500);
    append(501, 501);
    int64_t oldest = next(0);
    assert_true(oldest > 400);
    assert_holds(oldest, 501);
    assert_dropped((uint64_t)oldest - 1);
}

static void the_newest_stays_whatever_the_bound(void **unused)
{
    static const struct spool_limits none = {.max_bytes = 1};
    (void)unused;
    append(1, 20);
    spool_set_limits(spool, &none);
    append(21, 21);
    assert_holds(21, 21);
    assert_dropped(20);
    append(22, 22);
    assert_holds(22, 22);
    assert_dropped(21);
}

static void what_is_safe_goes_without_being_counted_as_dropped(void **unused)
{
    static const struct spool_limits none = {.max_bytes = 1};
    static struct spool_batch batch;
    struct spool_safe safe = {.sent_id = 5, .held_id = 7};
    (void)unused;
    append(1, 20);
    spool_set_limits(spool, &none);
    make_batch(&batch, 21);
    assert_true(spool_append(spool, &batch, NOW, &safe, error));
    assert_holds(21, 21);
    assert_int_equal(safe.sent_gone, 5 * TEXTS);
    assert_int_equal(safe.held_gone, TEXTS);
    assert_dropped(20 - 5 - 1);
}

static void limit_age(int64_t max_age_s)
{
    const struct spool_limits limits = {.max_bytes = 64 * MIB, .max_age_s = max_age_s};
    spool_set_limits(spool, &limits);
}

static void append_each_at(int64_t from, const int64_t *times, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_true(append_at(from + (int64_t)i, times[i]));
}

static void the_old_go_when_they_are_too_old(void **unused)
{
    static const int64_t times[] = {NOW, NOW + 10, NOW + 20, NOW + 110, NOW + 111, NOW + 121};
    (void)unused;
    limit_age(100);
    append_each_at(1, times, 4);
    assert_holds(2, 4);
    append_each_at(5, times + 4, 1);
    assert_holds(3, 5);
    append_each_at(6, times + 5, 1);
    assert_holds(4, 6);
    assert_dropped(3);
    limit_age(0);
    assert_true(append_at(7, NOW + 100000));
    assert_holds(4, 7);
    reopen();
    assert_holds(4, 7);
}

static void no_age_is_judged_without_a_clock(void **unused)
{
    (void)unused;
    limit_age(100);
    assert_true(append_at(1, NOW));
    assert_true(append_at(2, READING_NO_TIME));
    assert_holds(1, 2);
    assert_true(append_at(3, NOW + 1000));
    assert_int_equal(next(0), 2);
    assert_holds(2, 3);
    assert_true(append_at(4, NOW + 100000));
    assert_int_equal(next(0), 2);
    assert_int_equal(next(2), 4);
    assert_dropped(2);
}

/* Of the clock that was set just before the third the first two know nothing; nor of what it is set back to. */
static void times_of_before_the_clock_was_set_are_not_judged(void **unused)
{
    (void)unused;
    limit_age(100);
    assert_true(append_at(1, NOW));
    assert_true(append_at(2, NOW + 10));
    spool_forget_times(spool);
    assert_true(append_at(3, NOW + 5000));
    assert_holds(1, 3);
    assert_true(append_at(4, NOW + 5101));
    assert_int_equal(next(2), 4);
    assert_dropped(1);
    spool_forget_times(spool);
    assert_true(append_at(5, NOW + 20));
    assert_true(append_at(6, NOW + 121));
    assert_int_equal(next(0), 1);
    assert_int_equal(next(2), 4);
    assert_int_equal(next(4), 6);
    assert_dropped(2);
}

/* The clock was wrong for a while. */
static void what_comes_from_the_future_does_not_protect_the_old_behind_it(void **unused)
{
    (void)unused;
    limit_age(100);
    assert_true(append_at(1, READING_NO_TIME));
    assert_true(append_at(2, NOW + 5000));
    assert_true(append_at(3, READING_NO_TIME));
    assert_true(append_at(4, NOW));
    assert_true(append_at(5, NOW + 101));
    assert_int_equal(next(3), 5);
    assert_dropped(1);
    assert_true(append_at(6, NOW + 5101));
    assert_int_equal(next(0), 1);
    assert_int_equal(next(1), 3);
    assert_int_equal(next(3), 6);
    assert_dropped(3);
    reopen();
    limit_age(100);
    assert_true(append_at(7, NOW + 6000));
    assert_int_equal(next(0), 1);
    assert_int_equal(next(1), 3);
    assert_int_equal(next(3), 7);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* The closed spool, to begin with again. */
struct copy {
    char *bytes;
    size_t length;
};

static struct copy close_and_copy(void)
{
    struct copy copy;
    close_spool();
    copy.bytes = atomic_file_read(folder, SPOOL_FILE, MIB, &copy.length);
    assert_non_null(copy.bytes);
    return copy;
}

static void put(const struct copy *copy, size_t length)
{
    assert_true(atomic_file_write(folder, SPOOL_FILE, copy->bytes, length));
}

static void a_row_that_cannot_be_read_is_skipped_and_counted(void **unused)
{
    static const char *const damages[] = {
        "UPDATE batch SET packed = zeroblob(length(packed)) WHERE id = 3",
        "UPDATE batch SET packed = substr(packed, 1, length(packed) - 1) WHERE id = 3",
        "UPDATE batch SET packed = NULL WHERE id = 3",
        "UPDATE batch SET packed = '' WHERE id = 3",
        "UPDATE batch SET packed = 7 WHERE id = 3",
        "UPDATE batch SET length = length + 1 WHERE id = 3",
        "UPDATE batch SET length = -1 WHERE id = 3",
        "UPDATE batch SET length = 'x' WHERE id = 3",
        "UPDATE batch SET sum = sum + 1 WHERE id = 3",
        "UPDATE batch SET kept_s = kept_s + 1 WHERE id = 3",
        "UPDATE batch SET kept_s = NULL WHERE id = 3",
        "REPLACE INTO batch SELECT 3, kept_s, count, length, sum, packed FROM batch WHERE id = 4",
    };
    (void)unused;
    append(1, 5);
    struct copy copy = close_and_copy();
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        put(&copy, copy.length);
        change_file(damages[i]);
        open_with(&roomy, false);
        assert_int_equal(next(1), 2);
        for (int again = 0; again < 2; again++) {
            assert_int_equal(next(2), 4);
            assert_dropped(1);
            assert_int_equal(spool_get_counts(spool).readings, 4 * TEXTS);
        }
        close_spool();
    }
    free(copy.bytes);
}

static void a_count_that_is_none_does_not_spoil_the_others(void **unused)
{
    static const char *const counts[] = {"0",    "-1",  "11",   "17", "9223372036854775807",
                                         "NULL", "'x'", "1e300"};
    char statement[100];
    (void)unused;
    append(1, 3);
    struct copy copy = close_and_copy();
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        snprintf(statement, sizeof statement, "UPDATE batch SET count = %s WHERE id = 2", counts[i]);
        put(&copy, copy.length);
        change_file(statement);
        open_with(&roomy, false);
        assert_true(spool_get_counts(spool).readings <= 2 * TEXTS + SPOOL_TEXTS_MAX);
        assert_int_equal(next(1), 3);
        assert_true(spool_get_counts(spool).dropped <= SPOOL_TEXTS_MAX);
        assert_int_equal(spool_get_counts(spool).readings, 2 * TEXTS);
        close_spool();
    }
    free(copy.bytes);
}

/* A new one was begun, and the old one lies beside it. */
static void assert_set_aside(void)
{
    open_with(&roomy, true);
    assert_true(exists(SPOOL_FILE ".bad"));
    assert_holds(1, 0);
    append(1, 2);
    reopen();
    assert_holds(1, 2);
}

static void what_is_not_ours_is_set_aside(void **unused)
{
    static const char *const changes[] = {
        "PRAGMA user_version=2",
        "PRAGMA application_id=7",
        "CREATE TABLE another(id)",
        "CREATE TRIGGER t AFTER INSERT ON batch BEGIN DELETE FROM batch; END",
        "DROP TABLE removed",
        "ALTER TABLE batch ADD COLUMN more",
        "UPDATE batch SET id = 9223372036854775807",
        "REPLACE INTO removed VALUES(1, 9223372036854775807)",
    };
    (void)unused;
    append(1, 1);
    struct copy copy = close_and_copy();
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        put(&copy, copy.length);
        change_file(changes[i]);
        assert_set_aside();
        close_spool();
    }
    free(copy.bytes);
}

static void garbage_is_set_aside_over_what_was_before(void **unused)
{
    static const char *const texts[] = {"xx", "SQLite format 3", LONG_TEXT};
    size_t length;
    (void)unused;
    close_spool();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_true(atomic_file_write(folder, SPOOL_FILE, texts[i], strlen(texts[i])));
        assert_true(atomic_file_write(folder, SPOOL_FILE "-wal", texts[i], strlen(texts[i])));
        assert_set_aside();
        char *aside = atomic_file_read(folder, SPOOL_FILE ".bad", 1000, &length);
        assert_non_null(aside);
        assert_string_equal(aside, texts[i]);
        free(aside);
        close_spool();
        assert_int_equal(count_files(), 2);
    }
}

/* Opens what is there, and reads, appends and removes; whatever comes back was stored.  True if it was set aside. */
static bool use_damaged(void)
{
    static struct spool_batch batch;
    bool set_aside, good;
    spool = spool_open(folder, &roomy, &set_aside, error);
    if (!spool)
        fail_msg("%s", error);
    batch.id = 0;
    do {
        good = spool_read(spool, batch.id, &batch, error);
        if (good && batch.id)
            assert_true(is_batch(&batch, batch.id));
    } while (good && batch.id);
    make_batch(&batch, 1);
    good = good && spool_append(spool, &batch, NOW, NULL, error) &&
           spool_remove_through(spool, batch.id, error);
    if (!good && !spool_is_damaged(spool))
        fail_msg("%s", error);
    close_spool();
    return set_aside;
}

/* To SQLite a file of one byte is an empty one. */
static void a_file_cut_anywhere_is_no_obstacle(void **unused)
{
    int set_aside = 0, tries = 0;
    (void)unused;
    append(1, 40);
    remove_through(10);
    struct copy copy = close_and_copy();
    for (size_t length = 2; length < copy.length; length += length < 200 ? 1 : 509, tries++) {
        put(&copy, length);
        set_aside += use_damaged();
    }
    assert_int_equal(set_aside, tries);
    put(&copy, copy.length);
    assert_false(use_damaged());
    put(&copy, 0);
    assert_false(use_damaged());
    free(copy.bytes);
}

/* Bytes anywhere, then each of the first two hundred. */
static void flipped_bytes_are_no_obstacle_and_never_get_out(void **unused)
{
    uint32_t state = 1;
    int set_aside = 0, tries = 0;
    (void)unused;
    append(1, 40);
    remove_through(10);
    struct copy copy = close_and_copy();
    for (size_t i = 0; i < 1000; i++, tries++) {
        size_t at = i < 200 ? i : random_number(&state) % copy.length;
        char flip = (char)(1u << random_number(&state) % 8);
        copy.bytes[at] = (char)(copy.bytes[at] ^ flip);
        put(&copy, copy.length);
        set_aside += use_damaged();
        copy.bytes[at] = (char)(copy.bytes[at] ^ flip);
    }
    assert_in_range(set_aside, 50, tries - 50);
    free(copy.bytes);
}

static void pages_of_garbage_are_no_obstacle(void **unused)
{
    uint32_t state = 1;
    (void)unused;
    append(1, 60);
    struct copy copy = close_and_copy(), bad = {.length = copy.length};
    bad.bytes = malloc(copy.length);
    assert_non_null(bad.bytes);
    for (size_t page = 0; page < copy.length; page += 4096)
        for (int kind = 0; kind < 3; kind++) {
            memcpy(bad.bytes, copy.bytes, copy.length);
            for (size_t i = page; i < page + 4096; i++)
                bad.bytes[i] = (char)(kind == 0 ? 0 : kind == 1 ? 0xFF : random_number(&state));
            put(&bad, bad.length);
            use_damaged();
        }
    free(bad.bytes);
    free(copy.bytes);
}

/* The log of a spool that was killed: what is whole of it counts. */
static void a_damaged_log_costs_its_end_only(void **unused)
{
    size_t log_length, length;
    uint32_t state = 1;
    (void)unused;
    append(1, 2);
    reopen();
    append(3, 8);
    char *file = atomic_file_read(folder, SPOOL_FILE, MIB, &length);
    char *log = atomic_file_read(folder, SPOOL_FILE "-wal", MIB, &log_length);
    close_spool();
    assert_non_null(file);
    assert_non_null(log);
    for (int i = 0; i < 300; i++) {
        size_t at = random_number(&state) % log_length;
        log[at] ^= 4;
        assert_true(atomic_file_write(folder, SPOOL_FILE, file, length));
        assert_true(atomic_file_write(folder, SPOOL_FILE "-wal", log, i % 2 ? log_length : at));
        log[at] ^= 4;
        open_with(&roomy, false);
        int64_t last = 2;
        while (next(last))
            last = next(last);
        assert_holds(1, last);
        close_spool();
    }
    free(log);
    free(file);
}

/* While it is open, behind its back. */
static void damage_that_shows_later_is_told_and_set_aside(void **unused)
{
    char garbage[4096];
    (void)unused;
    append(1, 400);
    reopen();
    assert_false(spool_is_damaged(spool));
    pid_t child = fork(); /* another process: our close would take the lock off */
    if (child == 0) {
        memset(garbage, 0xA5, sizeof garbage);
        int fd = open(path_of(SPOOL_FILE), O_WRONLY);
        for (off_t at = 4096; at < size_of(SPOOL_FILE); at += 4096)
            if (pwrite(fd, garbage, sizeof garbage, at) != (ssize_t)sizeof garbage)
                _exit(1);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    static struct spool_batch batch;
    bool good = true;
    for (batch.id = 0; good && !spool_is_damaged(spool);) {
        good = spool_read(spool, batch.id, &batch, error);
        assert_true(!good || batch.id != 0);
    }
    assert_true(spool_is_damaged(spool));
    assert_non_null(strstr(error, "damaged"));
    close_spool();
    assert_set_aside();
}

static void damage_that_a_check_passes_is_set_aside_all_the_same(void **unused)
{
    (void)unused;
    close_spool();
    assert_true(atomic_file_set_aside(folder, SPOOL_FILE, SPOOL_FILE ".damaged"));
    assert_set_aside();
    assert_false(exists(SPOOL_FILE ".damaged"));
}

/* --- places ----------------------------------------------------------------------------------- */

static void assert_not_opened(const char *reason)
{
    bool set_aside = true;
    assert_null(spool_open(folder, &roomy, &set_aside, error));
    assert_false(set_aside);
    if (!strstr(error, reason) || !strstr(error, SPOOL_FILE))
        fail_msg("%s", error);
}

static void a_second_process_is_refused_and_does_no_harm(void **unused)
{
    (void)unused;
    append(1, 2);
    pid_t child = fork();
    if (child == 0) {
        bool set_aside;
        struct spool *second = spool_open(folder, &roomy, &set_aside, error);
        _exit(second || set_aside || !strstr(error, "another process uses it") ? 1 : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_not_opened("another process uses it");
    append(3, 3);
    assert_holds(1, 3);
    reopen();
    assert_holds(1, 3);
}

static void what_is_no_file_in_its_place_is_not_touched(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of(SPOOL_FILE), 0700), 0);
    assert_not_opened("directory");
    assert_int_equal(rmdir(path_of(SPOOL_FILE)), 0);
    assert_int_equal(symlink("elsewhere", path_of(SPOOL_FILE)), 0);
    assert_not_opened("symbolic link");
    assert_false(exists("elsewhere"));
    assert_int_equal(unlink(path_of(SPOOL_FILE)), 0);
    assert_int_equal(mkfifo(path_of(SPOOL_FILE), 0600), 0);
    assert_not_opened("");
    assert_int_equal(unlink(path_of(SPOOL_FILE)), 0);
    assert_int_equal(mkdir(path_of(SPOOL_FILE "-wal"), 0700), 0);
    assert_not_opened("directory");
}

static void a_missing_folder_is_not_made(void **unused)
{
    (void)unused;
    assert_int_equal(rmdir(folder), 0);
    assert_not_opened("No such file");
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void a_folder_with_a_long_name_is_an_error_that_says_so(void **unused)
{
    static char name[2000];
    bool set_aside;
    (void)unused;
    memset(name, 'x', sizeof name - 1);
    assert_null(spool_open(name, &roomy, &set_aside, error));
    assert_non_null(strstr(error, "too long"));
}

static void what_may_not_be_written_says_so(void **unused)
{
    (void)unused;
    if (geteuid() == 0)
        skip();
    assert_int_equal(chmod(folder, 0500), 0);
    assert_not_opened("Permission denied");
    assert_int_equal(chmod(folder, 0700), 0);
    open_with(&roomy, false);
    append(1, 1);
    close_spool();
    assert_int_equal(chmod(path_of(SPOOL_FILE), 0400), 0);
    assert_not_opened("Permission denied");
    assert_int_equal(chmod(path_of(SPOOL_FILE), 0600), 0);
    open_with(&roomy, false);
    assert_holds(1, 1);
}

static void a_folder_may_have_any_name(void **unused)
{
    static const char *const names[] = {"a b", "a?psow=1", "a#b",   "a%20b",
                                        "%",   "\xc3\xa4", "file:x"};
    char path[ATOMIC_FILE_PATH_MAX], inner[ATOMIC_FILE_PATH_MAX + 64];
    (void)unused;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool set_aside;
        snprintf(path, sizeof path, "%s", path_of(names[i]));
        assert_int_equal(mkdir(path, 0700), 0);
        spool = spool_open(path, &roomy, &set_aside, error);
        if (!spool)
            fail_msg("%s", error);
        append(1, 1);
        assert_holds(1, 1);
        close_spool();
        snprintf(inner, sizeof inner, "%s/%s", path, SPOOL_FILE);
        assert_int_equal(access(inner, F_OK), 0);
        assert_int_equal(count_files(), 1);
        assert_true(spool_delete(path));
        assert_int_equal(rmdir(path), 0);
    }
}

static void only_the_owner_may_read_whatever_the_umask(void **unused)
{
    static const mode_t masks[] = {0, 022, 0777};
    struct stat st;
    (void)unused;
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        mode_t before = umask(masks[i]);
        open_with(&roomy, false);
        append(1, 1);
        umask(before);
        assert_int_equal(stat(path_of(SPOOL_FILE), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(path_of(SPOOL_FILE "-wal"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(count_files(), 2);
        close_spool();
        assert_true(spool_delete(folder));
    }
}

static void a_deleted_spool_leaves_nothing(void **unused)
{
    (void)unused;
    append(1, 2);
    close_spool();
    assert_true(atomic_file_write(folder, SPOOL_FILE ".bad", "x", 1));
    assert_true(atomic_file_write(folder, SPOOL_FILE ".damaged", "x", 1));
    assert_true(atomic_file_write(folder, SPOOL_FILE "-wal", "x", 1));
    assert_true(atomic_file_write(folder, "another", "x", 1));
    assert_true(spool_delete(folder));
    assert_int_equal(count_files(), 1);
    assert_true(spool_delete(folder));
    assert_true(spool_delete("/nonexistent/folder"));
    open_with(&roomy, false);
    assert_holds(1, 0);
}

/* --- a full disk ------------------------------------------------------------------------------ */

static void let_files_grow_to(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_refuses_and_keeps_what_it_has(void **unused)
{
    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 0; room < 20000; room += 1500) {
        append(1, 8);
        let_files_grow_to((rlim_t)size_of(SPOOL_FILE "-wal") + room);
        int64_t last = 8;
        while (append_at(last + 1, NOW))
            last++;
        assert_non_null(strstr(error, "could not be kept"));
        assert_false(spool_is_damaged(spool));
        assert_false(append_at(last + 1, NOW));
        assert_holds(1, last);
        let_files_grow_to(RLIM_INFINITY);
        append(last + 1, last + 3);
        assert_holds(1, last + 3);
        reopen();
        assert_holds(1, last + 3);
        close_spool();
        assert_true(spool_delete(folder));
        open_with(&roomy, false);
    }
}

static void a_disk_full_from_the_start_is_an_error(void **unused)
{
    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t room = 0; room < 16384; room += 512) {
        bool set_aside;
        let_files_grow_to(room);
        spool = spool_open(folder, &roomy, &set_aside, error);
        let_files_grow_to(RLIM_INFINITY);
        assert_false(set_aside);
        close_spool();
        open_with(&roomy, false);
        append(1, 1);
        close_spool();
        assert_true(spool_delete(folder));
    }
}

/* Reads on until the disk fails: what spool_read() says then. */
static bool read_with_an_error(void)
{
    static struct spool_batch batch;
    bool good = true;
    broken_disk.reads = 1;
    for (int64_t id = 1; good && broken_disk.reads; id = id % 400 + 1)
        good = spool_read(spool, id, &batch, error);
    return good;
}

/* SQLite calls either damage. */
static void what_cannot_be_read_is_damage_when_it_is_so_often(void **unused)
{
    (void)unused;
    append(1, 400);
    reopen();
    break_disk();
    for (int errors = 0; errors < 10; errors++) {
        assert_false(read_with_an_error());
        assert_non_null(strstr(error, "Input/output error"));
        assert_false(spool_is_damaged(spool));
        assert_holds(1, 400);
    }
    assert_false(read_with_an_error());
    assert_true(spool_is_damaged(spool));
    close_spool();
    assert_set_aside();
}

#define WITH_SPOOL(test) cmocka_unit_test_setup_teardown(test, make_spool, remove_all)
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SPOOL(a_new_spool_is_empty),
        WITH_SPOOL(batches_come_back_in_the_order_they_went_in),
        WITH_SPOOL(what_was_appended_is_there_after_a_restart),
        WITH_SPOOL(what_was_appended_is_there_after_a_kill),
        WITH_SPOOL(empty_texts_come_back),
        WITH_SPOOL(a_batch_at_its_limits_comes_back),
        WITH_SPOOL(what_is_no_batch_is_refused),
        WITH_SPOOL(what_is_removed_is_gone_for_good),
        WITH_SPOOL(an_id_never_comes_again),
        WITH_SPOOL(an_empty_spool_gives_the_disk_back),
        WITH_SPOOL(the_oldest_make_room_when_the_file_is_full),
        WITH_SPOOL(a_smaller_bound_holds_from_the_next_append_on),
        WITH_SPOOL(what_is_safe_goes_without_being_counted_as_dropped),
        WITH_SPOOL(the_newest_stays_whatever_the_bound),
        WITH_SPOOL(the_old_go_when_they_are_too_old),
        WITH_SPOOL(no_age_is_judged_without_a_clock),
        WITH_SPOOL(times_of_before_the_clock_was_set_are_not_judged),
        WITH_SPOOL(what_comes_from_the_future_does_not_protect_the_old_behind_it),
        WITH_SPOOL(a_row_that_cannot_be_read_is_skipped_and_counted),
        WITH_SPOOL(a_count_that_is_none_does_not_spoil_the_others),
        WITH_SPOOL(what_is_not_ours_is_set_aside),
        WITH_SPOOL(garbage_is_set_aside_over_what_was_before),
        WITH_SPOOL(a_file_cut_anywhere_is_no_obstacle),
        WITH_SPOOL(flipped_bytes_are_no_obstacle_and_never_get_out),
        WITH_SPOOL(pages_of_garbage_are_no_obstacle),
        WITH_SPOOL(a_damaged_log_costs_its_end_only),
        WITH_SPOOL(damage_that_shows_later_is_told_and_set_aside),
        WITH_SPOOL(damage_that_a_check_passes_is_set_aside_all_the_same),
        WITH_SPOOL(a_second_process_is_refused_and_does_no_harm),
        IN_FOLDER(what_is_no_file_in_its_place_is_not_touched),
        IN_FOLDER(a_missing_folder_is_not_made),
        IN_FOLDER(a_folder_with_a_long_name_is_an_error_that_says_so),
        IN_FOLDER(what_may_not_be_written_says_so),
        IN_FOLDER(a_folder_may_have_any_name),
        IN_FOLDER(only_the_owner_may_read_whatever_the_umask),
        WITH_SPOOL(a_deleted_spool_leaves_nothing),
        WITH_SPOOL(a_full_disk_refuses_and_keeps_what_it_has),
        IN_FOLDER(a_disk_full_from_the_start_is_an_error),
        WITH_SPOOL(what_cannot_be_read_is_damage_when_it_is_so_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
