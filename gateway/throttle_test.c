#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "throttle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND_MS = 1000, STEP_MS = 100, LOCK_MS = THROTTLE_FIRST_LOCK_S * SECOND_MS };

static struct throttle throttle;

static int start_anew(void **unused)
{
    (void)unused;
    throttle_init(&throttle);
    return 0;
}

/* --- addresses -------------------------------------------------------------------------------- */

static struct sockaddr_storage host(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct sockaddr_in6 b = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &a.sin_addr) == 1)
        memcpy(&address, &a, sizeof a);
    else if (inet_pton(AF_INET6, text, &b.sin6_addr) == 1)
        memcpy(&address, &b, sizeof b);
    else
        fail_msg("\"%s\" is no address", text);
    return address;
}

/* One of 65536: 10.0.0.0 and so on. */
static struct sockaddr_storage attacker(int i)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(0x0A000000u | (unsigned)i)};
    memcpy(&address, &a, sizeof a);
    return address;
}

static int64_t ask(const char *text, int64_t now_ms)
{
    struct sockaddr_storage a = host(text);
    return throttle_ask(&throttle, &a, now_ms);
}

static bool fails(const char *text, int64_t now_ms)
{
    struct sockaddr_storage a = host(text);
    return throttle_failed(&throttle, &a, now_ms);
}

static void passes(const char *text)
{
    struct sockaddr_storage a = host(text);
    throttle_passed(&throttle, &a);
}

static int64_t locked(const char *text, int64_t now_ms)
{
    struct sockaddr_storage a = host(text);
    return throttle_locked_ms(&throttle, &a, now_ms);
}

static bool known(const char *text)
{
    struct sockaddr_storage a = host(text);
    return throttle_is_known(&throttle, &a);
}

/* Fails n times at the same moment, as checks do that ran side by side. */
static void fails_times(const char *text, int n, int64_t now_ms)
{
    while (n--)
        fails(text, now_ms);
}

/* --- one address ------------------------------------------------------------------------------ */

static void the_fifth_failure_locks_for_a_minute(void **unused)
{
    int64_t now = 500;
    (void)unused;
    for (int i = 0; i < THROTTLE_FREE_FAILURES - 1; i++, now += SECOND_MS) {
        assert_int_equal(ask("192.0.2.7", now), 0);
        assert_false(fails("192.0.2.7", now));
        assert_int_equal(locked("192.0.2.7", now), 0);
    }
    assert_int_equal(ask("192.0.2.7", now), 0);
    assert_true(fails("192.0.2.7", now));
    assert_int_equal(locked("192.0.2.7", now), LOCK_MS);
    assert_int_equal(ask("192.0.2.7", now), LOCK_MS);
    assert_int_equal(ask("192.0.2.7", now + LOCK_MS - 1), 1);
    assert_int_equal(ask("192.0.2.7", now + LOCK_MS), 0);
    assert_int_equal(throttle.failures, THROTTLE_FREE_FAILURES);
}

static void each_failure_after_that_doubles_up_to_an_hour(void **unused)
{
    static const int expected_s[] = {60, 120, 240, 480, 960, 1920, 3600, 3600, 3600};
    int64_t now = 0;
    (void)unused;
    fails_times("192.0.2.7", THROTTLE_FREE_FAILURES - 1, now);
    for (size_t i = 0; i < sizeof expected_s / sizeof expected_s[0]; i++) {
        assert_int_equal(ask("192.0.2.7", now), 0);
        assert_true(fails("192.0.2.7", now));
        assert_int_equal(locked("192.0.2.7", now), expected_s[i] * SECOND_MS);
        now += locked("192.0.2.7", now);
    }
    fails_times("192.0.2.7", 1000, now);
    assert_int_equal(locked("192.0.2.7", now), THROTTLE_LONGEST_LOCK_S * SECOND_MS);
}

static void a_right_login_forgets(void **unused)
{
    (void)unused;
    fails_times("192.0.2.7", 4, 0);
    passes("192.0.2.7");
    fails_times("192.0.2.7", 4, 1000);
    assert_int_equal(locked("192.0.2.7", 1000), 0);
    fails("192.0.2.7", 2000);
    assert_int_equal(locked("192.0.2.7", 2000), LOCK_MS);
}

static void a_day_without_failures_forgets(void **unused)
{
    const int64_t day = THROTTLE_FORGET_S * INT64_C(1000);
    (void)unused;
    fails_times("192.0.2.7", 4, 0);
    assert_true(fails("192.0.2.7", day - 1));
    assert_int_equal(locked("192.0.2.7", day - 1), LOCK_MS);
    fails_times("192.0.2.8", 4, 0);
    assert_false(fails("192.0.2.8", day));
    fails_times("192.0.2.8", 3, day);
    assert_int_equal(locked("192.0.2.8", day), 0);
    assert_true(fails("192.0.2.8", day));
}

static void ipv4_in_ipv6_is_the_same_address(void **unused)
{
    (void)unused;
    fails_times("192.0.2.7", 3, 0);
    fails_times("::ffff:192.0.2.7", 2, 0);
    assert_int_equal(locked("192.0.2.7", 0), LOCK_MS);
    assert_int_equal(locked("::ffff:192.0.2.7", 0), LOCK_MS);
    assert_int_equal(locked("::ffff:192.0.2.8", 0), 0);
    assert_int_equal(locked("192.0.2.8", 0), 0);
}

static void ipv6_addresses_count_by_their_64(void **unused)
{
    (void)unused;
    fails_times("2001:db8:0:1::1", 3, 0);
    fails_times("2001:db8:0:1:ffff:ffff:ffff:ffff", 2, 0);
    assert_int_equal(locked("2001:db8:0:1:1234::5", 0), LOCK_MS);
    assert_int_equal(locked("2001:db8:0:2::1", 0), 0);
    assert_int_equal(locked("2001:db8::1", 0), 0);
}

static void link_local_neighbours_count_one_by_one(void **unused)
{
    (void)unused;
    fails_times("fe80::1", 5, 0);
    assert_int_equal(locked("fe80::1", 0), LOCK_MS);
    assert_int_equal(locked("fe80::2", 0), 0);
}

/* Else somebody in the owner's network took the owner's place at the doors, and guessed at his pace. */
static void a_neighbour_of_who_is_known_is_not_known(void **unused)
{
    (void)unused;
    passes("2001:db8:0:1::3");
    passes("fe80::3");
    assert_true(known("2001:db8:0:1::3"));
    assert_true(known("fe80::3"));
    assert_false(known("2001:db8:0:1::2"));
    assert_false(known("2001:db8:0:1::"));
    assert_false(known("fe80::2"));
    passes("192.0.2.7");
    assert_true(known("::ffff:192.0.2.7"));
}

static void a_lock_of_neighbours_is_none_of_who_is_known(void **unused)
{
    (void)unused;
    passes("2001:db8:0:1::3");
    fails_times("2001:db8:0:1::2", 5, 0);
    assert_int_equal(locked("2001:db8:0:1::2", 0), LOCK_MS);
    assert_int_equal(locked("2001:db8:0:1::4", 0), LOCK_MS);
    assert_int_equal(locked("2001:db8:0:1::3", 0), 0);
    assert_int_equal(ask("2001:db8:0:1::3", 0), 0);
    assert_true(known("2001:db8:0:1::3"));
    passes("2001:db8:0:1::3");
    assert_int_equal(locked("2001:db8:0:1::2", 0), LOCK_MS);
}

static void who_is_known_counts_for_himself(void **unused)
{
    (void)unused;
    passes("2001:db8:0:1::3");
    fails_times("2001:db8:0:1::2", 4, 0);
    fails_times("2001:db8:0:1::3", 4, 0);
    assert_int_equal(locked("2001:db8:0:1::2", 0), 0);
    assert_int_equal(locked("2001:db8:0:1::3", 0), 0);
    passes("2001:db8:0:1::3");
    fails_times("2001:db8:0:1::3", 4, 0);
    assert_int_equal(locked("2001:db8:0:1::3", 0), 0);
    assert_true(fails("2001:db8:0:1::2", 0));
}

/* The address would else be free again as one of its /64. */
static void who_was_known_is_locked_with_his_64(void **unused)
{
    char text[THROTTLE_TEXT_MAX];
    (void)unused;
    passes("2001:db8:0:1::3");
    fails_times("2001:db8:0:1::3", 4, 0);
    assert_true(fails("2001:db8:0:1::3", 0));
    assert_false(known("2001:db8:0:1::3"));
    assert_int_equal(locked("2001:db8:0:1::3", 0), LOCK_MS);
    assert_int_equal(locked("2001:db8:0:1::4", 0), LOCK_MS);
    throttle_write(&throttle, 0, text, sizeof text);
    assert_string_equal(text, "20010db8000000010000000000000000 5 60\n");
    assert_true(fails("2001:db8:0:1::3", LOCK_MS));
    assert_int_equal(locked("2001:db8:0:1::3", LOCK_MS), 2 * LOCK_MS);
}

static void a_lock_of_who_was_known_goes_on_where_his_64_was(void **unused)
{
    (void)unused;
    passes("2001:db8:0:1::3");
    fails_times("2001:db8:0:1::2", 6, 0);
    fails_times("2001:db8:0:1::3", 5, 1000);
    assert_int_equal(locked("2001:db8:0:1::2", 1000), 4 * LOCK_MS);
    assert_int_equal(locked("2001:db8:0:1::3", 1000), 4 * LOCK_MS);
    assert_int_equal(throttle.failures, 11);
}

/* What he failed when he was known before is not counted when he is again. */
static void who_is_known_again_begins_anew(void **unused)
{
    (void)unused;
    passes("2001:db8:0:1::3");
    fails_times("2001:db8:0:1::3", 4, 0);
    for (int i = 0; i < THROTTLE_KNOWN; i++) {
        struct sockaddr_storage a = attacker(i);
        throttle_passed(&throttle, &a);
    }
    assert_false(known("2001:db8:0:1::3"));
    passes("2001:db8:0:1::3");
    assert_false(fails("2001:db8:0:1::3", 0));
    assert_true(known("2001:db8:0:1::3"));
}

static void an_address_written_like_its_64_is_locked_with_it(void **unused)
{
    (void)unused;
    passes("2001:db8:0:1::");
    fails_times("2001:db8:0:1::2", 5, 0);
    assert_int_equal(locked("2001:db8:0:1::", 0), LOCK_MS);
    assert_false(known("2001:db8:0:1::"));
}

/* --- quotas ----------------------------------------------------------------------------------- */

static void suspects_share_one_check_a_second(void **unused)
{
    (void)unused;
    fails("192.0.2.7", 0);
    fails("192.0.2.8", 0);
    assert_int_equal(ask("192.0.2.7", 100), 0);
    assert_int_equal(ask("192.0.2.7", 100), SECOND_MS);
    assert_int_equal(ask("192.0.2.8", 350), 750);
    assert_int_equal(ask("192.0.2.8", 1100), 0);
    assert_int_equal(ask("192.0.2.7", 1101), 999);
}

static void fresh_addresses_share_ten_checks_a_second(void **unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++) {
        struct sockaddr_storage a = attacker(i);
        assert_int_equal(throttle_ask(&throttle, &a, 5000 + i), 0);
    }
    assert_int_equal(ask("192.0.2.7", 5010), 990);
    assert_int_equal(ask("192.0.2.7", 6000), 0);
}

static void the_known_do_not_wait_for_the_others(void **unused)
{
    (void)unused;
    passes("192.0.2.7");
    passes("192.0.2.8");
    fails("192.0.2.8", 0);
    fails("192.0.2.1", 0);
    assert_int_equal(ask("192.0.2.1", 0), 0);
    for (int i = 0; i < 10; i++) {
        struct sockaddr_storage a = attacker(i);
        assert_int_equal(throttle_ask(&throttle, &a, 0), 0);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask("192.0.2.7", 10), 0);
        assert_int_equal(ask("192.0.2.8", 10), 0);
    }
    assert_int_equal(ask("192.0.2.7", 10), SECOND_MS);
}

static void a_lock_ends_being_known(void **unused)
{
    (void)unused;
    passes("192.0.2.7");
    fails_times("192.0.2.7", 5, 0);
    assert_int_equal(ask("192.0.2.7", 0), LOCK_MS);
    fails("192.0.2.1", LOCK_MS);
    assert_int_equal(ask("192.0.2.1", LOCK_MS), 0);
    assert_int_equal(ask("192.0.2.7", LOCK_MS), SECOND_MS);
}

static void only_the_last_ones_that_passed_are_known(void **unused)
{
    (void)unused;
    for (int i = 0; i <= THROTTLE_KNOWN; i++) {
        struct sockaddr_storage a = attacker(i);
        throttle_passed(&throttle, &a);
        throttle_passed(&throttle, &a);
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask("192.0.2.7", 0), 0);
    for (int i = 0; i <= THROTTLE_KNOWN; i++) {
        struct sockaddr_storage a = attacker(i);
        assert_int_equal(throttle_is_known(&throttle, &a), i != 0);
        assert_int_equal(throttle_ask(&throttle, &a, 0), i == 0 ? SECOND_MS : 0);
    }
}

/* --- crowds ----------------------------------------------------------------------------------- */

/* Every address of a crowd asks in each step and guesses wrongly when it may.  Returns the checks. */
static int guess(int first, int crowd, int64_t now_ms)
{
    int checks = 0;
    for (int i = first; i < first + crowd; i++) {
        struct sockaddr_storage a = attacker(i);
        if (throttle_ask(&throttle, &a, now_ms) != 0)
            continue;
        throttle_failed(&throttle, &a, now_ms);
        checks++;
    }
    return checks;
}

static void a_thousand_guesses_from_one_address_get_nowhere(void **unused)
{
    int checks = 0;
    (void)unused;
    for (int i = 0; i < 1000; i++)
        checks += guess(0, 1, i * STEP_MS);
    assert_int_equal(checks,
                     THROTTLE_FREE_FAILURES + 1); /* in 100 s: the free ones, one after 60 s */
}

static void one_address_needs_a_month_for_a_thousand_checks(void **unused)
{
    struct sockaddr_storage a = attacker(0);
    int64_t now = 0;
    (void)unused;
    for (int checks = 0; checks < 1000; checks++) {
        int64_t wait = throttle_ask(&throttle, &a, now);
        now += wait;
        assert_int_equal(wait ? throttle_ask(&throttle, &a, now) : 0, 0);
        throttle_failed(&throttle, &a, now);
    }
    assert_true(now > INT64_C(30) * 86400 * SECOND_MS);
}

static void fifty_addresses_share_one_check_a_second(void **unused)
{
    const int crowd = 50;
    int checks = 0;
    (void)unused;
    for (int i = 0; i < 1000 / crowd; i++)
        checks += guess(0, crowd, i * STEP_MS);
    assert_in_range(checks, 1,
                    20 + 2); /* a thousand guesses in 2 s: ten fresh and one suspect in each */
    for (int i = 1000 / crowd; i < 6000; i++) {
        checks += guess(0, crowd, i * STEP_MS);
        assert_true(checks <= crowd + i / 10 + 1);
    }
}

/* Asks until it is let in, each time after the crowd.  Returns the milliseconds it took. */
static int64_t wait_behind(int crowd, const char *text, int64_t now_ms)
{
    int64_t begin_ms = now_ms;
    for (guess(0, crowd, now_ms); ask(text, now_ms) != 0; guess(0, crowd, now_ms))
        now_ms += STEP_MS;
    passes(text);
    return now_ms - begin_ms;
}

static void a_fresh_address_gets_in_beside_a_crowd(void **unused)
{
    char text[32];
    (void)unused;
    for (int crowd = 1; crowd <= 50; crowd += 49) {
        int64_t now = 0;
        throttle_init(&throttle);
        for (; now < 5 * SECOND_MS; now += STEP_MS) /* in which each of the crowd is fresh once */
            guess(0, crowd, now);
        for (int i = 0; i < 200; i++, now += 3 * SECOND_MS) {
            snprintf(text, sizeof text, "192.0.2.%d", i);
            assert_int_equal(wait_behind(crowd, text, now), 0);
        }
    }
}

/* The worst moment: the crowd begins just now, and each of it comes before the user. */
static void a_fresh_address_gets_in_behind_a_fresh_crowd(void **unused)
{
    (void)unused;
    assert_int_equal(wait_behind(1, "192.0.2.7", 0), 0);
    throttle_init(&throttle);
    assert_true(wait_behind(15, "192.0.2.7", 0) <= 2 * SECOND_MS);
    throttle_init(&throttle);
    assert_true(wait_behind(50, "192.0.2.7", 0) <= 5 * SECOND_MS);
}

static void a_known_address_gets_in_whatever_the_crowd(void **unused)
{
    (void)unused;
    passes("192.0.2.7");
    for (int i = 0; i < 300; i++) {
        guess(i * 7 % 500, 500, i * STEP_MS);
        if (i % 10 == 0)
            assert_int_equal(ask("192.0.2.7", i * STEP_MS), 0);
    }
}

/* Of 2000 addresses each is forgotten before its second turn. */
static void a_crowd_that_overflows_the_table_gets_two_checks_a_second(void **unused)
{
    int checks = 0;
    (void)unused;
    for (int i = 0; i < 6000; i++) {
        checks += guess(i % 200 * 10, 10, i * STEP_MS);
        assert_true(checks <= THROTTLE_ADDRESSES + 2 * (i / 10 + 1));
    }
}

/* --- the full table --------------------------------------------------------------------------- */

static void fill_table(int failures, int64_t now_ms)
{
    for (int i = 0; i < THROTTLE_ADDRESSES; i++) {
        struct sockaddr_storage a = attacker(i);
        for (int n = 0; n < failures; n++)
            throttle_failed(&throttle, &a, now_ms + i);
    }
}

static int64_t attacker_locked(int i, int64_t now_ms)
{
    struct sockaddr_storage a = attacker(i);
    return throttle_locked_ms(&throttle, &a, now_ms);
}

static void a_crowd_does_not_unlock_one_of_it(void **unused)
{
    (void)unused;
    fails_times("192.0.2.7", 7, 0);
    fill_table(1, 1000);
    fill_table(3, 2000);
    assert_int_equal(locked("192.0.2.7", 3000), 237 * SECOND_MS);
}

/* Not locked any more, but his next failure costs what it would have cost. */
static void a_crowd_does_not_wash_out_old_failures(void **unused)
{
    (void)unused;
    fails_times("192.0.2.7", 7, 0);
    fill_table(4, 1000000);
    fails("192.0.2.7", 2000000);
    assert_int_equal(locked("192.0.2.7", 2000000), 480 * SECOND_MS);
}

static void the_one_that_failed_longest_ago_makes_room(void **unused)
{
    (void)unused;
    fill_table(4, 0);
    fails("192.0.2.7", 1000);
    struct sockaddr_storage first = attacker(0), second = attacker(1);
    assert_false(throttle_failed(&throttle, &first, 3000)); /* its four were forgotten */
    assert_true(throttle_failed(&throttle, &second, 3000));
}

static void of_locked_ones_that_whose_lock_ends_first_makes_room(void **unused)
{
    (void)unused;
    fill_table(5, 0);
    fails("192.0.2.7", 1000);
    assert_int_equal(attacker_locked(0, 1000), 0);
    assert_int_equal(attacker_locked(1, 1000), LOCK_MS - 999);
    fails("192.0.2.8", 1001); /* takes the place of the one that is not locked */
    assert_int_equal(attacker_locked(1, 1001), LOCK_MS - 1000);
}

static void fresh_addresses_get_one_check_a_second_while_the_table_is_full(void **unused)
{
    const int64_t day = THROTTLE_FORGET_S * INT64_C(1000);
    (void)unused;
    fill_table(1, 0);
    assert_int_equal(ask("192.0.2.7", 5000), 0);
    assert_int_equal(ask("192.0.2.8", 5001), 999);
    assert_int_equal(ask("192.0.2.8", 6000), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask("192.0.2.9", day), 0); /* the first of the table is forgotten */
}

/* --- keeping ---------------------------------------------------------------------------------- */

static void locks_are_written_a_line_each(void **unused)
{
    char text[THROTTLE_TEXT_MAX];
    (void)unused;
    fails_times("192.0.2.7", 6, 0);
    fails_times("192.0.2.8", 4, 0);
    fails_times("2001:db8::1", 5, 0);
    size_t length = throttle_write(&throttle, 1500, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_string_equal(text, "00000000000000000000ffffc0000207 6 119\n"
                              "20010db8000000000000000000000000 5 59\n");
    throttle_write(&throttle, 60000, text, sizeof text);
    assert_string_equal(text, "00000000000000000000ffffc0000207 6 60\n"
                              "20010db8000000000000000000000000 5 0\n");
}

static void locks_survive_a_restart(void **unused)
{
    char text[THROTTLE_TEXT_MAX];
    const int64_t before = 1000000, after = 20;
    (void)unused;
    fails_times("192.0.2.7", 6, before);
    fails_times("fe80::1", 9, before);
    fails_times("2001:db8::1", 5, before - LOCK_MS);
    throttle_write(&throttle, before + 10000, text, sizeof text);
    throttle_init(&throttle);
    assert_int_equal(throttle_read(&throttle, after, text), 3);
    assert_int_equal(locked("192.0.2.7", after), 110 * SECOND_MS);
    assert_int_equal(locked("fe80::1", after), 950 * SECOND_MS);
    assert_int_equal(locked("2001:db8::1", after), 0);
    assert_true(fails("2001:db8::1", after)); /* its failures still count: the sixth */
    assert_int_equal(locked("2001:db8::1", after), 120 * SECOND_MS);
}

static void a_full_table_fits_its_text(void **unused)
{
    char text[THROTTLE_TEXT_MAX], again[THROTTLE_TEXT_MAX];
    (void)unused;
    fill_table(200, 0);
    size_t length = throttle_write(&throttle, 300, text, sizeof text);
    assert_int_equal(length, THROTTLE_TEXT_MAX - 1);
    throttle_init(&throttle);
    assert_int_equal(throttle_read(&throttle, 300, text), THROTTLE_ADDRESSES);
    throttle_write(&throttle, 300, again, sizeof again);
    assert_string_equal(again, text);
}

static void lines_that_do_not_fit_are_left_out(void **unused)
{
    enum { LINE = 32 + sizeof " 5 60" };
    char text[100];
    (void)unused;
    fill_table(5, 0);
    for (size_t capacity = 1; capacity <= sizeof text; capacity++) {
        memset(text, 'x', sizeof text);
        size_t length = throttle_write(&throttle, 300, text, capacity);
        assert_int_equal(length, (capacity - 1) / LINE * LINE);
        assert_int_equal(text[length], 0);
    }
}

static void what_is_no_line_is_skipped(void **unused)
{
    static const char text[] = "\n"
                               "00000000000000000000ffffc0000207 6 118 \n"
                               "00000000000000000000ffffc0000207 6\n"
                               "00000000000000000000ffffc0000207  6 118\n"
                               "00000000000000000000ffffc0000207 +6 118\n"
                               "00000000000000000000ffffc0000207 6 -1\n"
                               "00000000000000000000ffffc0000207 4 118\n"
                               "00000000000000000000ffffc0000207 100 118\n"
                               "00000000000000000000ffffc0000207 6 3601\n"
                               "00000000000000000000ffffc0000207 6 99999999999999999999999\n"
                               "00000000000000000000ffffc0000207 4294967302 118\n"
                               "00000000000000000000ffffc00002 6 118\n"
                               "00000000000000000000ffffc000020711 6 118\n"
                               "0000000000000000000Gffffc0000207 6 118\n"
                               "20010db8000000000000000000000001 6 118\n"
                               "00000000000000000000ffffc0000208 6 118\n"
                               "00000000000000000000ffffc0000207 6 118";
    (void)unused;
    assert_int_equal(throttle_read(&throttle, 0, text), 1);
    assert_int_equal(locked("192.0.2.7", 0), 0);
    assert_int_equal(locked("192.0.2.8", 0), 118 * SECOND_MS);
}

static uint32_t random_bits(uint32_t *seed)
{
    return (*seed = *seed * 1664525 + 1013904223) >> 8;
}

/* Nobody may be locked for longer than an hour, whatever was read. */
static void assert_sound(int64_t now_ms)
{
    for (int i = 0; i < THROTTLE_ADDRESSES; i++) {
        const struct throttle_entry *e = &throttle.entries[i];
        assert_in_range(e->failures, 0, THROTTLE_MOST_FAILURES);
        assert_true(e->locked_until_ms <= now_ms + THROTTLE_LONGEST_LOCK_S * SECOND_MS);
        assert_true(e->last_failure_ms <= now_ms);
    }
}

static void damaged_texts_do_no_harm(void **unused)
{
    char whole[THROTTLE_TEXT_MAX], text[THROTTLE_TEXT_MAX];
    uint32_t seed = 1;
    (void)unused;
    fill_table(8, 0);
    throttle_write(&throttle, 300, whole, sizeof whole);
    size_t length = strlen(whole);
    for (int round = 0; round < 2000; round++) {
        memcpy(text, whole, length + 1);
        for (uint32_t n = random_bits(&seed) % 200; n > 0; n--)
            text[random_bits(&seed) % length] = (char)random_bits(&seed);
        text[random_bits(&seed) % length] = 0;
        throttle_init(&throttle);
        assert_true(throttle_read(&throttle, 5000, text) <= THROTTLE_ADDRESSES);
        assert_sound(5000);
    }
}

/* In memory of its exact size, so that the sanitizer sees a step too far. */
static void texts_of_random_characters_do_no_harm(void **unused)
{
    static const char likely[] = "0123456789abcdefABCDEF \n-+x\r\t";
    uint32_t seed = 2;
    (void)unused;
    for (int round = 0; round < 20000; round++) {
        size_t length = random_bits(&seed) % 100;
        char *text = malloc(length + 1);
        assert_non_null(text);
        for (size_t i = 0; i < length; i++)
            text[i] = round % 2 ? likely[random_bits(&seed) % (sizeof likely - 1)]
                                : (char)random_bits(&seed);
        text[length] = 0;
        throttle_read(&throttle, 5000, text);
        free(text);
    }
    assert_sound(5000);
}

#define ANEW(test) cmocka_unit_test_setup(test, start_anew)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ANEW(the_fifth_failure_locks_for_a_minute),
        ANEW(each_failure_after_that_doubles_up_to_an_hour),
        ANEW(a_right_login_forgets),
        ANEW(a_day_without_failures_forgets),
        ANEW(ipv4_in_ipv6_is_the_same_address),
        ANEW(ipv6_addresses_count_by_their_64),
        ANEW(link_local_neighbours_count_one_by_one),
        ANEW(a_neighbour_of_who_is_known_is_not_known),
        ANEW(a_lock_of_neighbours_is_none_of_who_is_known),
        ANEW(who_is_known_counts_for_himself),
        ANEW(who_was_known_is_locked_with_his_64),
        ANEW(a_lock_of_who_was_known_goes_on_where_his_64_was),
        ANEW(who_is_known_again_begins_anew),
        ANEW(an_address_written_like_its_64_is_locked_with_it),
        ANEW(suspects_share_one_check_a_second),
        ANEW(fresh_addresses_share_ten_checks_a_second),
        ANEW(the_known_do_not_wait_for_the_others),
        ANEW(a_lock_ends_being_known),
        ANEW(only_the_last_ones_that_passed_are_known),
        ANEW(a_thousand_guesses_from_one_address_get_nowhere),
        ANEW(one_address_needs_a_month_for_a_thousand_checks),
        ANEW(fifty_addresses_share_one_check_a_second),
        ANEW(a_fresh_address_gets_in_beside_a_crowd),
        ANEW(a_fresh_address_gets_in_behind_a_fresh_crowd),
        ANEW(a_known_address_gets_in_whatever_the_crowd),
        ANEW(a_crowd_that_overflows_the_table_gets_two_checks_a_second),
        ANEW(a_crowd_does_not_unlock_one_of_it),
        ANEW(a_crowd_does_not_wash_out_old_failures),
        ANEW(the_one_that_failed_longest_ago_makes_room),
        ANEW(of_locked_ones_that_whose_lock_ends_first_makes_room),
        ANEW(fresh_addresses_get_one_check_a_second_while_the_table_is_full),
        ANEW(locks_are_written_a_line_each),
        ANEW(locks_survive_a_restart),
        ANEW(a_full_table_fits_its_text),
        ANEW(lines_that_do_not_fit_are_left_out),
        ANEW(what_is_no_line_is_skipped),
        ANEW(damaged_texts_do_no_harm),
        ANEW(texts_of_random_characters_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
