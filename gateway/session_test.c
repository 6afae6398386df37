#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "session.h"

#include "address.h"

#define OWNER "192.0.2.7:40000"
#define OTHER "192.0.2.8:40000"

static bool admit(struct session *s, const char *text, int64_t now_ms)
{
    struct sockaddr_storage address;
    socklen_t length;
    assert_true(address_parse(text, &address, &length));
    return session_admit(s, &address, now_ms);
}

static void nobody_holds_a_zeroed_session(void **unused)
{
    struct session s = {0};
    (void)unused;
    assert_false(session_is_held(&s, 0));
    assert_int_equal(session_left_ms(&s, 0), 0);
    assert_true(admit(&s, OWNER, 0));
    assert_true(session_is_held(&s, 0));
    assert_int_equal(session_left_ms(&s, 0), SESSION_MS);
}

static void a_second_address_waits_to_the_millisecond(void **unused)
{
    struct session s = {0};
    (void)unused;
    assert_true(admit(&s, OWNER, 1000));
    assert_false(admit(&s, OTHER, 1000));
    assert_false(admit(&s, OTHER, 1000 + SESSION_MS - 1));
    assert_int_equal(session_left_ms(&s, 1000 + SESSION_MS - 1), 1);
    assert_false(session_is_held(&s, 1000 + SESSION_MS));
    assert_int_equal(session_left_ms(&s, 1000 + SESSION_MS), 0);
    assert_int_equal(session_left_ms(&s, 1000 + 10 * SESSION_MS), 0);
    assert_true(admit(&s, OTHER, 1000 + SESSION_MS));
    assert_false(admit(&s, OWNER, 1000 + SESSION_MS));
}

static void each_request_of_the_holder_prolongs(void **unused)
{
    struct session s = {0};
    (void)unused;
    for (int64_t now = 0; now < 10 * SESSION_MS; now += SESSION_MS - 1) {
        assert_true(admit(&s, OWNER, now));
        assert_int_equal(session_left_ms(&s, now), SESSION_MS);
    }
}

static void a_refused_request_does_not_prolong(void **unused)
{
    struct session s = {0};
    (void)unused;
    assert_true(admit(&s, OWNER, 0));
    assert_false(admit(&s, OTHER, 30000));
    assert_int_equal(session_left_ms(&s, 30000), 30000);
}

static void a_host_is_one_whatever_its_port_and_family(void **unused)
{
    struct session s = {0};
    (void)unused;
    assert_true(admit(&s, OWNER, 0));
    assert_true(admit(&s, "192.0.2.7:1", 1));
    assert_true(admit(&s, "[::ffff:192.0.2.7]:2", 2));
    assert_false(admit(&s, "[2001:db8::7]:2", 3));
}

static void an_open_stream_holds_it(void **unused)
{
    struct session s = {0};
    (void)unused;
    assert_true(admit(&s, OWNER, 0));
    session_begin_stream(&s);
    session_begin_stream(&s);
    assert_int_equal(session_left_ms(&s, 100 * SESSION_MS), SESSION_MS);
    assert_false(admit(&s, OTHER, 100 * SESSION_MS));
    session_end_stream(&s, 100 * SESSION_MS);
    assert_false(admit(&s, OTHER, 200 * SESSION_MS));
    session_end_stream(&s, 200 * SESSION_MS);
    assert_int_equal(session_left_ms(&s, 200 * SESSION_MS), SESSION_MS);
    assert_false(admit(&s, OTHER, 201 * SESSION_MS - 1));
    assert_true(admit(&s, OTHER, 201 * SESSION_MS));
}

static void the_end_frees_it_at_once(void **unused)
{
    struct session s = {0};
    (void)unused;
    assert_true(admit(&s, OWNER, 0));
    session_begin_stream(&s);
    session_end(&s);
    assert_false(session_is_held(&s, 0));
    assert_int_equal(session_left_ms(&s, 0), 0);
    assert_true(admit(&s, OTHER, 0));
    assert_int_equal(session_left_ms(&s, 1000), SESSION_MS - 1000);
}

static void a_stream_that_ends_late_does_not_count(void **unused)
{
    struct session s = {0};
    (void)unused;
    assert_true(admit(&s, OWNER, 0));
    session_begin_stream(&s);
    session_end(&s);
    session_end_stream(&s, 5);
    assert_false(session_is_held(&s, 5));
    assert_true(admit(&s, OTHER, 10));
    session_begin_stream(&s);
    assert_false(admit(&s, OWNER, 10 + 2 * SESSION_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_holds_a_zeroed_session),
        cmocka_unit_test(a_second_address_waits_to_the_millisecond),
        cmocka_unit_test(each_request_of_the_holder_prolongs),
        cmocka_unit_test(a_refused_request_does_not_prolong),
        cmocka_unit_test(a_host_is_one_whatever_its_port_and_family),
        cmocka_unit_test(an_open_stream_holds_it),
        cmocka_unit_test(the_end_frees_it_at_once),
        cmocka_unit_test(a_stream_that_ends_late_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
