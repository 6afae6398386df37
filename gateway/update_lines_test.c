#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "update_lines.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define URL "https://updates.example/a.raucb"

static char error[UPDATE_REASON_MAX];
static struct update_request request;
static struct update_answer answer;

static bool is_request(const char *line)
{
    error[0] = 0;
    return update_request_parse(line, strlen(line), &request, error);
}

static void a_request_says_how_much_and_from_where(void **unused)
{
    (void)unused;
    assert_true(is_request("get 1 " URL));
    assert_int_equal(request.max_bytes, 1);
    assert_string_equal(request.url, URL);
    assert_true(is_request("get 9223372036854775807 " URL "?x=1"));
    assert_int_equal(request.max_bytes, INT64_MAX);
    assert_string_equal(error, "");
}

static void a_bad_request_is_refused_with_the_reason(void **unused)
{
    static const char *const wrong[][2] = {
        {"", "a request is"},
        {"get", "a request is"},
        {"GET 1 " URL, "a request is"},
        {" get 1 " URL, "a request is"},
        {"put 1 " URL, "a request is"},
        {"get\t1 " URL, "a request is"},
        {"get ", "MAXBYTES must"},
        {"get  1 " URL, "MAXBYTES must"},
        {"get 0 " URL, "MAXBYTES must"},
        {"get 01 " URL, "MAXBYTES must"},
        {"get -1 " URL, "MAXBYTES must"},
        {"get +1 " URL, "MAXBYTES must"},
        {"get 1k " URL, "MAXBYTES must"},
        {"get 9223372036854775808 " URL, "MAXBYTES must"},
        {"get 99999999999999999999999 " URL, "MAXBYTES must"},
        {"get 1", "MAXBYTES must"},
        {"get 1\t" URL, "MAXBYTES must"},
        {"get 1 ", "must begin with https://"},
        {"get 1  " URL, "must begin with https://"},
        {"get 1 http://updates.example/a", "must begin with https://"},
        {"get 1 https://me@updates.example/a", "must not name a user"},
        {"get 1 https://192.0.2.1/a", "not an address"},
        {"get 1 " URL " ", "must be written with %"},
        {"get 1 " URL "\r", "must be written with %"},
        {"get 1 " URL "\xff", "must be written with %"},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (is_request(wrong[i][0]))
            fail_msg("\"%s\" was taken", wrong[i][0]);
        if (!strstr(error, wrong[i][1]))
            fail_msg("\"%s\": %s", wrong[i][0], error);
        assert_true(strlen(error) < UPDATE_REASON_MAX - 1);
    }
}

static void a_line_with_a_nul_is_none(void **unused)
{
    static const char line[] = "get 1 " URL "\0x", counted[] = "got 1\0";
    (void)unused;
    assert_false(update_request_parse(line, sizeof line - 1, &request, error));
    assert_non_null(strstr(error, "a line of text"));
    assert_false(update_answer_parse(counted, sizeof counted - 1, &answer));
}

static bool is_answer(const char *line)
{
    return update_answer_parse(line, strlen(line), &answer);
}

static void assert_counts(const char *line, enum update_word word, int64_t bytes)
{
    assert_true(is_answer(line));
    assert_int_equal(answer.word, word);
    assert_int_equal(answer.bytes, bytes);
    assert_null(answer.reason);
}

static void answers_are_read(void **unused)
{
    (void)unused;
    assert_counts("size 0", UPDATE_SIZE, 0);
    assert_counts("got 20971520", UPDATE_GOT, 20971520);
    assert_counts("done 9223372036854775807", UPDATE_DONE, INT64_MAX);
    assert_true(is_answer("failed updates.example: HTTP 404 ~"));
    assert_int_equal(answer.word, UPDATE_FAILED);
    assert_string_equal(answer.reason, "updates.example: HTTP 404 ~");
}

static void what_is_no_answer_is_refused(void **unused)
{
    static const char *const wrong[] = {
        "",
        "size",
        "size ",
        "size -1",
        "size 1 ",
        "size 1 2",
        "size  1",
        "size 01",
        "size 0x1",
        "Size 1",
        "sized 1",
        "got",
        "got 1\r",
        "got 1.0",
        "done",
        "done x",
        "failed",
        "failed ",
        "failed a\tb",
        "failed \xe9",
        "ok 1",
        "got 9223372036854775808",
        " got 1",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(wrong); i++)
        if (is_answer(wrong[i]))
            fail_msg("\"%s\" was taken", wrong[i]);
}

static void a_reason_is_bounded(void **unused)
{
    char line[7 + UPDATE_REASON_MAX + 1];
    (void)unused;
    memset(line, 'x', sizeof line);
    memcpy(line, "failed ", 7);
    line[7 + UPDATE_REASON_MAX] = 0;
    assert_false(is_answer(line));
    line[7 + UPDATE_REASON_MAX - 1] = 0;
    assert_true(is_answer(line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_says_how_much_and_from_where),
        cmocka_unit_test(a_bad_request_is_refused_with_the_reason),
        cmocka_unit_test(a_line_with_a_nul_is_none),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(a_reason_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
