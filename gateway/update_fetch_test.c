#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "update_fetch.h"

#include "folder_kit_test.h"
#include "loop_kit_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define URL "https://updates.example/a.raucb"

enum { MAX = 1000 };

static struct loop loop;
static struct update_fetch fetch;
static int listener, peer, file;
static char error[UPDATE_REASON_MAX];

/* What the owner was told. */
static struct {
    int progresses, ends;
    int64_t bytes, size;
    bool ok;
    char reason[UPDATE_REASON_MAX];
} told;
static bool stop_at_progress, start_at_end;

static bool start(const char *url)
{
    error[0] = 0;
    return update_fetch_start(&fetch, &loop, path_of("socket"), file, MAX, url, error);
}

static void on_progress(struct update_fetch *f, int64_t bytes, int64_t size)
{
    told.progresses++;
    told.bytes = bytes;
    told.size = size;
    if (stop_at_progress)
        update_fetch_stop(f);
}

static void on_done(struct update_fetch *f, bool ok, const char *reason)
{
    assert_ptr_equal(f, &fetch);
    told.ends++;
    told.ok = ok;
    snprintf(told.reason, sizeof told.reason, "%s", reason ? reason : "");
    assert_true(ok == !reason);
    if (start_at_end) {
        start_at_end = false;
        assert_true(start(URL));
    }
}

static int set_up(void **unused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)unused;
    if (!make_folder_for("update_fetch", false) || loop_init(&loop) < 0)
        return -1;
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path_of("socket"));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer = -1;
    file = memfd_create("bundle", MFD_CLOEXEC);
    fetch = (struct update_fetch){.progress = on_progress, .done = on_done};
    memset(&told, 0, sizeof told);
    stop_at_progress = start_at_end = false;
    return file < 0 || bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
                   listen(listener, 4) < 0
               ? -1
               : 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    update_fetch_stop(&fetch);
    loop_close(&loop); /* it holds nothing of ours any more */
    close(listener);
    close(file);
    if (peer >= 0)
        close(peer);
    empty_folder();
    return rmdir(folder);
}

/* --- the downloader --------------------------------------------------------------------------- */

/* The request, as text; the descriptor that came with it. */
static int accept_request(char *text, size_t capacity)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec room = {.iov_base = text, .iov_len = capacity - 1};
    struct msghdr message = {.msg_iov = &room,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    int fd;
    peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    ssize_t n = recvmsg(peer, &message, MSG_CMSG_CLOEXEC);
    assert_true(n > 0);
    text[n] = 0;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    assert_non_null(c);
    assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof fd));
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static void begin(void)
{
    char text[UPDATE_REQUEST_MAX];
    assert_true(start(URL));
    close(accept_request(text, sizeof text));
}

static void say(const char *text)
{
    assert_int_equal(send(peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    loop_kit_settle(&loop);
}

static void assert_progress(int64_t bytes, int64_t size)
{
    assert_int_equal(told.bytes, bytes);
    assert_int_equal(told.size, size);
}

static void assert_failed(const char *reason)
{
    assert_int_equal(told.ends, 1);
    assert_false(told.ok);
    if (!strstr(told.reason, reason))
        fail_msg("\"%s\" is not in \"%s\"", reason, told.reason);
    assert_false(fetch.running);
}

static bool peer_was_left(void)
{
    char byte;
    return recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void the_request_is_one_line_with_the_file(void **unused)
{
    char text[UPDATE_REQUEST_MAX];
    struct stat sent, ours;
    (void)unused;
    assert_true(start(URL));
    int fd = accept_request(text, sizeof text);
    assert_string_equal(text, "get 1000 " URL "\n");
    assert_int_equal(fstat(fd, &sent), 0);
    assert_int_equal(fstat(file, &ours), 0);
    assert_true(sent.st_ino == ours.st_ino && sent.st_dev == ours.st_dev);
    close(fd);
}

static void a_download_is_followed_to_its_end(void **unused)
{
    (void)unused;
    begin();
    say("got 0\n");
    assert_progress(0, -1);
    say("size 500\n");
    assert_progress(0, 500);
    say("got 200\ngot 200\ngot 300\n");
    assert_progress(300, 500);
    assert_int_equal(told.progresses, 5);
    assert_int_equal(ftruncate(file, 500), 0);
    say("done 500\n");
    assert_true(told.ok);
    assert_int_equal(told.ends, 1);
    assert_true(peer_was_left());
}

static void the_size_need_not_be_known_and_may_be_nothing(void **unused)
{
    (void)unused;
    begin();
    say("done 0\n");
    assert_true(told.ok);
    assert_int_equal(told.progresses, 0);
}

static void answers_may_come_byte_by_byte(void **unused)
{
    static const char text[] = "size 1\ngot 1\ndone 1\n";
    (void)unused;
    begin();
    assert_int_equal(ftruncate(file, 1), 0);
    for (size_t i = 0; text[i]; i++)
        say((const char[]){text[i], 0});
    assert_true(told.ok);
    assert_int_equal(told.progresses, 2);
}

static void a_failure_is_told_in_the_downloaders_words(void **unused)
{
    (void)unused;
    begin();
    say("size 5\ngot 2\nfailed updates.example: HTTP 404\n");
    assert_failed("updates.example: HTTP 404");
    assert_int_equal(told.progresses, 2);
}

static const struct {
    const char *said, *reason;
} nonsense[] = {
    {"\n", "nonsense"},
    {"hello\n", "nonsense"},
    {"got\n", "nonsense"},
    {"got -1\n", "nonsense"},
    {"got 1 \n", "nonsense"},
    {"got 1\r\n", "nonsense"},
    {"got 99999999999999999999\n", "nonsense"},
    {"failed \n", "nonsense"},
    {"failed \x1b[2J\n", "nonsense"},
    {"size 1001\n", "a size that cannot be"},
    {"size 10\nsize 10\n", "a size that cannot be"},
    {"got 11\nsize 10\n", "a size that cannot be"},
    {"got 1001\n", "counts what cannot be"},
    {"size 10\ngot 11\n", "counts what cannot be"},
    {"got 10\ngot 9\n", "counts what cannot be"},
    {"got 10\ndone 9\n", "counts what cannot be"},
    {"done 1001\n", "counts what cannot be"},
    {"size 10\ndone 9\n", "another size"},
    {"size 10\ngot 10\ndone 10\n", "another size"}, /* the file is empty */
    {"done 1\n", "another size"},
};

static void what_does_not_fit_together_is_not_believed(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(nonsense); i++) {
        memset(&told, 0, sizeof told);
        begin();
        say(nonsense[i].said);
        if (told.ends != 1 || told.ok || !strstr(told.reason, nonsense[i].reason))
            fail_msg("%s: %d %s", nonsense[i].said, told.ends, told.reason);
        assert_false(fetch.running);
        close(peer);
        peer = -1;
    }
}

static void a_line_is_bounded(void **unused)
{
    char text[UPDATE_ANSWER_MAX + 1];
    (void)unused;
    memset(text, 'x', sizeof text);
    text[UPDATE_ANSWER_MAX - 1] = 0;
    begin();
    say(text);
    assert_int_equal(told.ends, 0);
    say("x");
    assert_failed("nonsense");
}

static void who_hangs_up_before_the_end_has_failed(void **unused)
{
    static const char *const said[] = {"", "size 5\n", "done 0"};
    (void)unused;
    for (size_t i = 0; i < COUNT(said); i++) {
        memset(&told, 0, sizeof told);
        begin();
        say(said[i]);
        close(peer);
        peer = -1;
        loop_kit_settle(&loop);
        assert_failed("hung up");
    }
}

static void who_says_nothing_for_two_minutes_is_given_up(void **unused)
{
    (void)unused;
    begin();
    loop_kit_run(&loop, 119999);
    say("got 0\n");
    loop_kit_run(&loop, 119999);
    say("got"); /* a line that does not end is none */
    assert_int_equal(told.ends, 0);
    loop_kit_run(&loop, 1);
    assert_failed("nothing for two minutes");
    assert_true(peer_was_left());
}

static void what_is_stopped_is_not_told(void **unused)
{
    (void)unused;
    update_fetch_stop(&fetch); /* nothing is under way */
    begin();
    update_fetch_stop(&fetch);
    update_fetch_stop(&fetch);
    assert_true(peer_was_left());
    loop_kit_run(&loop, 200000);
    assert_int_equal(told.ends, 0);
}

static void it_may_be_stopped_while_it_tells(void **unused)
{
    (void)unused;
    begin();
    stop_at_progress = true;
    say("got 1\ngot 2\ndone 2\n");
    assert_int_equal(told.progresses, 1);
    assert_int_equal(told.ends, 0);
}

static void another_may_begin_at_the_end(void **unused)
{
    char text[UPDATE_REQUEST_MAX];
    (void)unused;
    begin();
    start_at_end = true;
    say("failed once\n");
    assert_int_equal(told.ends, 1);
    assert_true(fetch.running);
    close(peer);
    close(accept_request(text, sizeof text));
    say("done 0\n");
    assert_int_equal(told.ends, 2);
    assert_true(told.ok);
}

static void what_cannot_be_asked_is_an_error(void **unused)
{
    char url[UPDATE_REQUEST_MAX + 32];
    (void)unused;
    assert_false(start("http://updates.example/a"));
    assert_non_null(strstr(error, "must begin with https://"));
    assert_false(start(URL "\nget 1 " URL));
    assert_non_null(strstr(error, "must be written with %"));
    memset(url, 'x', sizeof url);
    memcpy(url, URL, strlen(URL));
    url[sizeof url - 1] = 0;
    assert_false(start(url));
    assert_string_equal(error, "the URL is too long");
    assert_false(update_fetch_start(&fetch, &loop, path_of("socket"), file, 0, URL, error));
    assert_non_null(strstr(error, "MAXBYTES"));
    assert_false(update_fetch_start(&fetch, &loop, path_of("socket"), -1, MAX, URL, error));
    assert_non_null(strstr(error, "cannot be asked: Bad file descriptor"));
    assert_false(update_fetch_start(&fetch, &loop, path_of("none"), file, MAX, URL, error));
    assert_non_null(strstr(error, "cannot be reached at /tmp/update_fetch."));
    assert_non_null(strstr(error, "No such file or directory"));
    assert_false(update_fetch_start(&fetch, &loop, url, file, MAX, URL, error));
    assert_non_null(strstr(error, "longer than 107 bytes"));
    assert_int_equal(told.ends, 0);
}

#define FETCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FETCH_TEST(the_request_is_one_line_with_the_file),
        FETCH_TEST(a_download_is_followed_to_its_end),
        FETCH_TEST(the_size_need_not_be_known_and_may_be_nothing),
        FETCH_TEST(answers_may_come_byte_by_byte),
        FETCH_TEST(a_failure_is_told_in_the_downloaders_words),
        FETCH_TEST(what_does_not_fit_together_is_not_believed),
        FETCH_TEST(a_line_is_bounded),
        FETCH_TEST(who_hangs_up_before_the_end_has_failed),
        FETCH_TEST(who_says_nothing_for_two_minutes_is_given_up),
        FETCH_TEST(what_is_stopped_is_not_told),
        FETCH_TEST(it_may_be_stopped_while_it_tells),
        FETCH_TEST(another_may_begin_at_the_end),
        FETCH_TEST(what_cannot_be_asked_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
