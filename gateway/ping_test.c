#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ping.h"

#include <string.h>

enum { MS = 1000, PERIOD = REACH_PERIOD_MS * MS };

static const int64_t HOUR = 3600ll * 1000 * MS;
static struct ping ping;
static int64_t now;
static const uint8_t token[PING_TOKEN_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};

static int start_anew(void **unused)
{
    (void)unused;
    memset(&ping, 0, sizeof ping);
    now = 1000000 * MS;
    return 0;
}

static enum ping_step due(void)
{
    return ping_due(&ping, now, token);
}

static enum ping_step found(bool there_is_one)
{
    return ping_found(&ping, now, there_is_one);
}

static bool answered_after(int64_t us)
{
    now += us;
    return ping_answered(&ping, now);
}

static void assert_counted(uint64_t pass, uint64_t fail)
{
    assert_int_equal(ping.state.pass, pass);
    assert_int_equal(ping.state.fail, fail);
}

static void assert_state(bool known, bool ok)
{
    assert_int_equal(ping.state.known, known);
    assert_int_equal(ping.state.ok, ok);
}

/* --- one attempt ------------------------------------------------------------------------------ */

static void nothing_is_known_before_the_first_attempt_ended(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    assert_true(ping.state.on);
    assert_state(false, false);
    assert_int_equal(due(), PING_SEND);
    assert_state(false, false);
    assert_counted(0, 0);
}

static void an_answer_in_time_passes_and_is_measured(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    assert_true(answered_after(1234));
    assert_state(true, true);
    assert_counted(1, 0);
    assert_int_equal(ping.state.rtt_us, 1234);
}

static void an_answer_at_the_last_moment_passes(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    assert_true(answered_after(PERIOD - 1));
    assert_counted(1, 0);
}

static void a_late_answer_is_ignored_and_the_attempt_fails_once(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    assert_false(answered_after(PERIOD));
    assert_counted(0, 0);
    assert_int_equal(due(), PING_SEND);
    assert_counted(0, 1);
    assert_state(true, false);
}

static void a_second_answer_is_ignored(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    assert_true(answered_after(5 * MS));
    assert_false(answered_after(5 * MS));
    assert_counted(1, 0);
    assert_int_equal(ping.state.rtt_us, 5 * MS);
}

static void an_answer_nobody_asked_for_is_ignored(void **unused)
{
    (void)unused;
    assert_false(answered_after(1));
    ping_set(&ping, PING_ADDRESS);
    assert_false(answered_after(1));
    assert_counted(0, 0);
    assert_state(false, false);
}

static void what_cannot_be_sent_fails_at_once_and_only_once(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    ping_failed(&ping);
    assert_counted(0, 1);
    assert_state(true, false);
    ping_failed(&ping);
    assert_false(answered_after(1));
    assert_counted(0, 1);
    now += PERIOD;
    assert_int_equal(due(), PING_SEND);
    assert_counted(0, 1);
}

static void failures_in_a_row_end_with_an_answer(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    for (unsigned i = 0; i < 4; i++, now += PERIOD) {
        due();
        assert_int_equal(ping.failed_in_a_row, i);
    }
    assert_true(answered_after(-PERIOD + 1));
    assert_int_equal(ping.failed_in_a_row, 0);
    assert_counted(1, 3);
}

/* --- the clock -------------------------------------------------------------------------------- */

static void a_jump_of_an_hour_costs_one_attempt(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    assert_false(answered_after(HOUR));
    assert_int_equal(due(), PING_SEND);
    assert_counted(0, 1);
    assert_true(answered_after(2 * MS));
    now += PERIOD;
    assert_int_equal(due(), PING_SEND);
    assert_counted(1, 1);
}

static void a_jump_between_attempts_costs_none(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    assert_true(answered_after(MS));
    now += HOUR;
    assert_int_equal(due(), PING_SEND);
    assert_counted(1, 0);
    assert_true(answered_after(MS));
    assert_counted(2, 0);
}

static void each_attempt_counts_exactly_once_whatever_happens(void **unused)
{
    (void)unused;
    uint64_t random = 12345, attempts = 0;
    ping_set(&ping, PING_NAME);
    for (int i = 0; i < 100000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned what = (unsigned)(random >> 33) % 6;
        now += (int64_t)((random >> 40) % 2000) * MS;
        if (what == 0)
            due(), attempts++;
        else if (what <= 2 && ping.finding)
            found(what == 1);
        else if (what == 3)
            ping_failed(&ping);
        else
            ping_answered(&ping, now);
        uint64_t ended = ping.state.pass + ping.state.fail;
        assert_in_range(attempts - ended, 0, 1);
    }
    assert_true(ping.state.pass > 1000 && ping.state.fail > 1000);
}

/* --- addresses that are found ----------------------------------------------------------------- */

static void a_route_is_found_anew_for_each_attempt(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ROUTE);
    for (int i = 0; i < 3; i++, now += PERIOD) {
        assert_int_equal(due(), PING_FIND);
        assert_int_equal(found(true), PING_SEND);
        assert_true(answered_after(1));
    }
    assert_counted(3, 0);
}

static void without_a_route_each_attempt_fails_at_once(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ROUTE);
    for (unsigned i = 1; i <= 3; i++, now += PERIOD) {
        assert_int_equal(due(), PING_FIND);
        assert_int_equal(found(false), PING_WAIT);
        assert_counted(0, i);
    }
    assert_state(true, false);
}

static void a_name_is_looked_up_once_while_it_answers(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    assert_int_equal(due(), PING_FIND);
    assert_int_equal(found(true), PING_SEND);
    assert_true(answered_after(1));
    for (int i = 0; i < 3; i++) {
        now += PERIOD;
        assert_int_equal(due(), PING_SEND);
        assert_true(answered_after(1));
    }
    assert_counted(4, 0);
}

static void a_name_is_looked_up_again_after_a_failure(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    due();
    found(true);
    now += PERIOD;
    assert_int_equal(due(), PING_FIND);
    assert_counted(0, 1);
    found(true);
    ping_failed(&ping);
    now += PERIOD;
    assert_int_equal(due(), PING_FIND);
    assert_counted(0, 2);
}

static void a_slow_lookup_within_the_period_is_no_failure(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    due();
    now += PERIOD - 2;
    assert_int_equal(found(true), PING_SEND);
    assert_counted(0, 0);
    assert_true(answered_after(1));
    assert_counted(1, 0);
    assert_int_equal(ping.state.rtt_us, 1);
}

static void a_lookup_that_lasts_fails_each_period_and_is_not_begun_again(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    assert_int_equal(due(), PING_FIND);
    for (unsigned i = 1; i <= 4; i++) {
        now += PERIOD;
        assert_int_equal(due(), PING_WAIT);
        assert_counted(0, i);
    }
    now += MS;
    assert_int_equal(found(true), PING_SEND);
    assert_true(answered_after(MS));
    assert_counted(1, 4);
}

static void a_lookup_that_fails_is_tried_again_in_the_next_period(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    due();
    now += MS;
    assert_int_equal(found(false), PING_WAIT);
    assert_counted(0, 1);
    now += PERIOD;
    assert_int_equal(due(), PING_FIND);
    assert_counted(0, 1);
}

static void an_address_that_came_too_late_is_asked_next(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    due();
    now += HOUR;
    assert_int_equal(found(true), PING_WAIT);
    assert_counted(0, 0);
    assert_int_equal(due(), PING_SEND);
    assert_counted(0, 1);
}

/* --- another target --------------------------------------------------------------------------- */

static void a_target_that_is_off_is_never_asked_and_unknown(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_OFF);
    for (int i = 0; i < 3; i++, now += PERIOD)
        assert_int_equal(due(), PING_WAIT);
    assert_false(ping.state.on);
    assert_state(false, false);
    assert_counted(0, 0);
}

static void counters_go_on_over_off_and_on(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    assert_true(answered_after(MS));
    ping_set(&ping, PING_OFF);
    assert_false(ping.state.on);
    assert_state(false, false);
    assert_counted(1, 0);
    ping_set(&ping, PING_ADDRESS);
    assert_state(false, false);
    assert_int_equal(due(), PING_SEND);
    assert_true(answered_after(MS));
    assert_counted(2, 0);
}

static void an_attempt_under_way_is_dropped_with_its_target(void **unused)
{
    static const enum ping_target next[] = {PING_OFF, PING_ADDRESS, PING_NAME};
    (void)unused;
    for (size_t i = 0; i < sizeof next / sizeof next[0]; i++) {
        ping_set(&ping, PING_ADDRESS);
        due();
        ping_set(&ping, next[i]);
        assert_false(answered_after(MS));
        ping_failed(&ping);
        now += PERIOD;
        due();
        assert_counted(0, 0);
        assert_state(false, false);
    }
}

static void what_is_found_for_the_target_before_is_not_asked(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    assert_int_equal(due(), PING_FIND);
    ping_set(&ping, PING_NAME);
    assert_int_equal(due(), PING_WAIT); /* never two at once */
    assert_int_equal(found(true), PING_FIND);
    assert_int_equal(found(true), PING_SEND);
    assert_true(answered_after(MS));
    assert_counted(1, 0);
}

static void a_lookup_that_failed_for_the_target_before_is_no_failure(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    due();
    ping_set(&ping, PING_NAME);
    due();
    assert_int_equal(found(false), PING_FIND);
    assert_counted(0, 0);
    assert_state(false, false);
}

static void an_address_is_asked_while_a_name_before_it_is_still_looked_up(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    due();
    ping_set(&ping, PING_ADDRESS);
    assert_int_equal(due(), PING_SEND);
    assert_int_equal(found(true), PING_WAIT);
    assert_true(answered_after(MS));
    now += PERIOD;
    assert_int_equal(due(), PING_SEND);
    assert_counted(1, 0);
}

static void a_lookup_that_ends_after_switching_off_does_nothing(void **unused)
{
    (void)unused;
    ping_set(&ping, PING_NAME);
    due();
    ping_set(&ping, PING_OFF);
    assert_int_equal(found(true), PING_WAIT);
    assert_int_equal(due(), PING_WAIT);
    ping_set(&ping, PING_NAME);
    assert_int_equal(due(), PING_FIND);
    assert_counted(0, 0);
}

/* --- packets ---------------------------------------------------------------------------------- */

static const struct {
    sa_family_t family;
    uint8_t request, reply;
} kinds[] = {{AF_INET, 8, 0}, {AF_INET6, 128, 129}};

/* The reply to the attempt under way; the kernel has put its identifier and checksum in. */
static void reply(int kind, uint8_t packet[static PING_ECHO_LEN + 1])
{
    ping_put_request(&ping, kinds[kind].family, packet);
    packet[0] = kinds[kind].reply;
    packet[2] = 0xAB;
    packet[5] = 0xCD;
    packet[PING_ECHO_LEN] = 0;
}

static bool accepts(int kind, const uint8_t *packet, size_t length)
{
    return ping_is_reply(&ping, kinds[kind].family, packet, length);
}

static void a_request_holds_its_sequence_and_token(void **unused)
{
    uint8_t packet[PING_ECHO_LEN];
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    ping.sequence = 0x1233;
    due();
    for (int kind = 0; kind < 2; kind++) {
        const uint8_t wanted[] = {
            kinds[kind].request, 0, 0, 0, 0, 0, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8};
        ping_put_request(&ping, kinds[kind].family, packet);
        assert_memory_equal(packet, wanted, sizeof wanted);
    }
}

static void the_reply_is_known_and_every_changed_bit_of_it_is_not(void **unused)
{
    uint8_t packet[PING_ECHO_LEN + 1];
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    for (int kind = 0; kind < 2; kind++) {
        reply(kind, packet);
        assert_true(accepts(kind, packet, PING_ECHO_LEN));
        for (int bit = 0; bit < 8 * PING_ECHO_LEN; bit++) {
            bool kernels = bit / 8 >= 2 && bit / 8 <= 5;
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(accepts(kind, packet, PING_ECHO_LEN), kernels);
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void a_reply_of_another_length_or_family_is_none(void **unused)
{
    uint8_t packet[PING_ECHO_LEN + 1];
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    for (int kind = 0; kind < 2; kind++) {
        reply(kind, packet);
        for (size_t length = 0; length <= PING_ECHO_LEN + 1; length++)
            assert_int_equal(accepts(kind, packet, length), length == PING_ECHO_LEN);
        assert_false(accepts(1 - kind, packet, PING_ECHO_LEN));
    }
}

static void our_own_request_is_no_reply(void **unused)
{
    uint8_t packet[PING_ECHO_LEN];
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    for (int kind = 0; kind < 2; kind++) {
        ping_put_request(&ping, kinds[kind].family, packet);
        assert_false(accepts(kind, packet, sizeof packet));
    }
}

static void the_reply_to_the_attempt_before_is_none(void **unused)
{
    uint8_t packet[PING_ECHO_LEN + 1];
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    due();
    reply(0, packet);
    now += PERIOD;
    due();
    assert_false(accepts(0, packet, PING_ECHO_LEN));
}

static void the_sequence_wraps_around(void **unused)
{
    uint8_t packet[PING_ECHO_LEN + 1];
    (void)unused;
    ping_set(&ping, PING_ADDRESS);
    for (int i = 0; i < 65536 + 3; i++, now += PERIOD) {
        due();
        reply(0, packet);
        assert_true(accepts(0, packet, PING_ECHO_LEN));
        assert_true(answered_after(MS));
    }
    assert_int_equal(ping.sequence, 3);
    assert_counted(65536 + 3, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, start_anew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_known_before_the_first_attempt_ended),
        TEST(an_answer_in_time_passes_and_is_measured),
        TEST(an_answer_at_the_last_moment_passes),
        TEST(a_late_answer_is_ignored_and_the_attempt_fails_once),
        TEST(a_second_answer_is_ignored),
        TEST(an_answer_nobody_asked_for_is_ignored),
        TEST(what_cannot_be_sent_fails_at_once_and_only_once),
        TEST(failures_in_a_row_end_with_an_answer),
        TEST(a_jump_of_an_hour_costs_one_attempt),
        TEST(a_jump_between_attempts_costs_none),
        TEST(each_attempt_counts_exactly_once_whatever_happens),
        TEST(a_route_is_found_anew_for_each_attempt),
        TEST(without_a_route_each_attempt_fails_at_once),
        TEST(a_name_is_looked_up_once_while_it_answers),
        TEST(a_name_is_looked_up_again_after_a_failure),
        TEST(a_slow_lookup_within_the_period_is_no_failure),
        TEST(a_lookup_that_lasts_fails_each_period_and_is_not_begun_again),
        TEST(a_lookup_that_fails_is_tried_again_in_the_next_period),
        TEST(an_address_that_came_too_late_is_asked_next),
        TEST(a_target_that_is_off_is_never_asked_and_unknown),
        TEST(counters_go_on_over_off_and_on),
        TEST(an_attempt_under_way_is_dropped_with_its_target),
        TEST(what_is_found_for_the_target_before_is_not_asked),
        TEST(a_lookup_that_failed_for_the_target_before_is_no_failure),
        TEST(an_address_is_asked_while_a_name_before_it_is_still_looked_up),
        TEST(a_lookup_that_ends_after_switching_off_does_nothing),
        TEST(a_request_holds_its_sequence_and_token),
        TEST(the_reply_is_known_and_every_changed_bit_of_it_is_not),
        TEST(a_reply_of_another_length_or_family_is_none),
        TEST(our_own_request_is_no_reply),
        TEST(the_reply_to_the_attempt_before_is_none),
        TEST(the_sequence_wraps_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
