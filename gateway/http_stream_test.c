/* http_stream.c: the end of a session, with requests and streams that have no connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_requests.h"

#include "loop_kit_test.h"

static struct loop loop;
static struct http http;
static int gone;

/* A request that is answered by a stream, as http_answer_stream() leaves it. */
struct reader {
    struct http_request request;
    struct http_stream stream;
};

static void on_gone(struct http_stream *s)
{
    (void)s;
    gone++;
}

static void begin_stream(struct reader *r)
{
    *r = (struct reader){
        .request = {.http = &http, .stream = &r->stream, .next = http.requests},
        .stream = {.request = &r->request, .gone = on_gone, .holds = true, .watch.fd = -1}};
    http.requests = &r->request;
    session_begin_stream(&http.session);
}

static void end_request(struct reader *r)
{
    struct http_request **link = &http.requests;
    while (*link != &r->request)
        link = &(*link)->next;
    *link = r->request.next;
    http_stream_end(&r->request);
}

static bool admit(const char *text)
{
    struct sockaddr_storage address;
    socklen_t length;
    assert_true(address_parse(text, &address, &length));
    return session_admit(&http.session, &address, loop.now_ms);
}

static int begin(void **unused)
{
    (void)unused;
    gone = 0;
    http = (struct http){.loop = &loop};
    return loop_init(&loop);
}

static int end(void **unused)
{
    (void)unused;
    loop_close(&loop);
    return 0;
}

static void streams_hold_the_session_until_they_end(void **unused)
{
    struct reader one, two;
    (void)unused;
    assert_true(admit("192.0.2.7:1"));
    begin_stream(&one);
    begin_stream(&two);
    loop_kit_pass(&loop, 2 * SESSION_MS);
    assert_false(admit("192.0.2.8:1"));
    http_end_streams(&http);
    assert_true(one.stream.finished && two.stream.finished);
    assert_false(admit("192.0.2.8:1"));
    end_request(&one);
    end_request(&two);
    assert_int_equal(gone, 2);
    loop_kit_pass(&loop, SESSION_MS - 1);
    assert_false(admit("192.0.2.8:1"));
    loop_kit_pass(&loop, 1);
    assert_true(admit("192.0.2.8:1"));
}

/* Whoever comes next has it at once, and keeps it: what is left of the one before ends later. */
static void a_session_that_is_ended_is_free_at_once(void **unused)
{
    struct reader before, next;
    (void)unused;
    assert_true(admit("192.0.2.7:1"));
    begin_stream(&before);
    http_end_session(&http);
    assert_true(before.stream.finished);
    assert_true(admit("192.0.2.8:1"));
    begin_stream(&next);
    assert_false(next.stream.finished);
    end_request(&before);
    loop_kit_pass(&loop, 2 * SESSION_MS);
    assert_false(admit("192.0.2.7:1"));
    end_request(&next);
    loop_kit_pass(&loop, SESSION_MS);
    assert_true(admit("192.0.2.7:1"));
}

static void without_a_session_nothing_ends(void **unused)
{
    struct reader one;
    (void)unused;
    http_end_session(&http);
    assert_true(admit("192.0.2.7:1"));
    begin_stream(&one);
    assert_false(one.stream.finished);
    end_request(&one);
    assert_int_equal(session_left_ms(&http.session, loop.now_ms), SESSION_MS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(streams_hold_the_session_until_they_end),
        TEST(a_session_that_is_ended_is_free_at_once),
        TEST(without_a_session_nothing_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
