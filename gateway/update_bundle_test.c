/* update_bundle.c on a real disk. */
#include "update_bundle.h"

#include "bundle_kit_test.h"
#include "folder_kit_test.h"
#include "loop_kit_test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { MIB = 1 << 20 };

static struct loop loop;
static struct update_bundle bundle;
static int told, problem;

static void on_written(struct update_bundle *b, int what)
{
    assert_ptr_equal(b, &bundle);
    told++;
    problem = what;
}

static int begin(void **unused)
{
    (void)unused;
    told = 0;
    problem = -1;
    loop_init(&loop);
    bundle = (struct update_bundle){.written = on_written, .fd = -1};
    return make_folder_for("update_bundle", false) ? 0 : -1;
}

static int end(void **unused)
{
    (void)unused;
    update_bundle_close(&bundle);
    loop_kit_settle(&loop);
    loop_close(&loop);
    empty_folder();
    return rmdir(folder);
}

static char byte_at(size_t i)
{
    return (char)(i * 2654435761U >> 13);
}

/* Sends `length` bytes in pieces, as a network would, waiting where it is told to. */
static void send_bytes(size_t length, size_t piece)
{
    static char bytes[MIB];
    for (size_t at = 0; at < length;) {
        size_t n = length - at < piece ? length - at : piece;
        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(at + i);
        size_t taken = update_bundle_take(&bundle, bytes, n);
        assert_true(taken <= n);
        if (taken < n) {
            loop_kit_settle(&loop);
            assert_int_equal(problem, 0);
        }
        at += taken;
    }
}

static void seal(void)
{
    problem = -1;
    update_bundle_seal(&bundle);
    loop_kit_settle(&loop);
    assert_int_equal(problem, EBADMSG); /* sealed, and no bundle */
    assert_string_not_equal(bundle.fault, "");
}

static void assert_holds(size_t length)
{
    static char bytes[MIB];
    char path[UPDATE_PATH_MAX];
    struct stat about;
    size_t at = 0;
    update_bundle_path(&bundle, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &about), 0);
    assert_int_equal(about.st_size, length);
    assert_int_equal(about.st_nlink, 0);
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0; at += (size_t)n)
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(bytes[i], byte_at(at + (size_t)i));
    assert_int_equal(at, length);
    close(fd);
}

static void what_is_sent_is_what_another_process_reads(void **unused)
{
    static const size_t lengths[] = {1, 4096, MIB - 1, MIB, MIB + 1, 5 * MIB + 12345};
    (void)unused;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_true(update_bundle_open(&bundle, &loop, folder, (int64_t)lengths[i]));
        send_bytes(lengths[i], 16 * 1024 + 1);
        assert_int_equal(bundle.length, lengths[i]);
        seal();
        assert_holds(lengths[i]);
        assert_int_equal(count_files(), 0); /* it has no name */
        update_bundle_close(&bundle);
    }
}

static void a_sealed_bundle_cannot_be_written(void **unused)
{
    (void)unused;
    assert_true(update_bundle_open(&bundle, &loop, folder, 100));
    send_bytes(100, 100);
    seal();
    assert_int_equal(write(bundle.fd, "x", 1), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(fcntl(bundle.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_holds(100);
}

static void while_it_writes_it_takes_nothing(void **unused)
{
    (void)unused;
    assert_true(update_bundle_open(&bundle, &loop, folder, -1));
    send_bytes(MIB, MIB);
    assert_int_equal(update_bundle_take(&bundle, "x", 1), 0);
    assert_int_equal(told, 0);
    loop_kit_settle(&loop);
    assert_int_equal(told, 1);
    assert_int_equal(update_bundle_take(&bundle, "x", 1), 1);
}

static void sealing_waits_for_what_is_being_written(void **unused)
{
    (void)unused;
    assert_true(update_bundle_open(&bundle, &loop, folder, -1));
    send_bytes(MIB, MIB);
    update_bundle_seal(&bundle);
    loop_kit_settle(&loop);
    assert_int_equal(told, 1);
    assert_int_equal(problem, EBADMSG);
    assert_holds(MIB);
}

static void what_has_the_shape_of_a_bundle_is_one(void **unused)
{
    static uint8_t bytes[8 * BLOCK];
    uint64_t length = bundle_kit_make(bytes, 3 * BLOCK, 1, 0);
    (void)unused;
    assert_true(update_bundle_open(&bundle, &loop, folder, (int64_t)length));
    assert_int_equal(update_bundle_take(&bundle, (char *)bytes, length), length);
    update_bundle_seal(&bundle);
    loop_kit_settle(&loop);
    assert_int_equal(problem, 0);
}

/* As a downloader that does not end. */
static void who_keeps_it_open_for_writing_spoils_it(void **unused)
{
    (void)unused;
    assert_true(update_bundle_open(&bundle, &loop, folder, -1));
    int kept = dup(bundle.fd);
    assert_true(kept >= 0);
    update_bundle_seal(&bundle);
    loop_kit_settle(&loop);
    close(kept);
    assert_int_equal(problem, EBUSY);
}

static void what_has_no_room_is_refused_at_once(void **unused)
{
    (void)unused;
    assert_false(update_bundle_open(&bundle, &loop, folder, INT64_MAX / 2));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(bundle.fd, -1);
}

static void a_folder_that_is_not_there_is_an_error(void **unused)
{
    (void)unused;
    assert_false(update_bundle_open(&bundle, &loop, "/nonexistent/folder", 1));
    assert_int_equal(errno, ENOENT);
}

static void a_disk_that_refuses_is_told(void **unused)
{
    (void)unused;
    assert_true(update_bundle_open(&bundle, &loop, folder, -1));
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0 && dup2(full, bundle.fd) == bundle.fd);
    close(full);
    send_bytes(MIB, MIB);
    loop_kit_settle(&loop);
    assert_int_equal(problem, ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_sent_is_what_another_process_reads, begin, end),
        cmocka_unit_test_setup_teardown(a_sealed_bundle_cannot_be_written, begin, end),
        cmocka_unit_test_setup_teardown(while_it_writes_it_takes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(sealing_waits_for_what_is_being_written, begin, end),
        cmocka_unit_test_setup_teardown(what_has_the_shape_of_a_bundle_is_one, begin, end),
        cmocka_unit_test_setup_teardown(who_keeps_it_open_for_writing_spoils_it, begin, end),
        cmocka_unit_test_setup_teardown(what_has_no_room_is_refused_at_once, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_that_is_not_there_is_an_error, begin, end),
        cmocka_unit_test_setup_teardown(a_disk_that_refuses_is_told, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
