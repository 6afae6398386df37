#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker_url.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Names of this many bytes; the longest one that is taken has 127. */
#define TEN "abcdefghij"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define LONGEST HUNDRED TEN TEN "abcdefg"

static char error[BROKER_URL_ERROR_MAX];

static void a_broker_has_a_host_and_a_port_and_tls_or_not(void **unused)
{
    static const struct {
        const char *url;
        struct broker broker;
    } cases[] = {
        {"mqtt://broker", {"broker", 1883, false}},
        {"mqtts://broker", {"broker", 8883, true}},
        {"mqtt://broker.example:1884", {"broker.example", 1884, false}},
        {"mqtts://broker.example:1883", {"broker.example", 1883, true}},
        {"mqtt://192.168.1.9:1883", {"192.168.1.9", 1883, false}},
        {"mqtt://[::1]", {"::1", 1883, false}},
        {"mqtts://[2001:db8::9]:8884", {"2001:db8::9", 8884, true}},
        {"mqtt://[::ffff:10.0.0.1]:1", {"::ffff:10.0.0.1", 1, false}},
        {"mqtt://my-host_2.Lan:65535", {"my-host_2.Lan", 65535, false}},
        {"mqtt://" LONGEST, {LONGEST, 1883, false}},
        {"mqtt://[1111:2222:3333:4444:5555:6666:7777:8888]:42",
         {"1111:2222:3333:4444:5555:6666:7777:8888", 42, false}},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct broker b;
        assert_true(broker_parse(cases[i].url, &b, error));
        assert_string_equal(b.host, cases[i].broker.host);
        assert_int_equal(b.port, cases[i].broker.port);
        assert_int_equal(b.tls, cases[i].broker.tls);
    }
}

static void the_port_of_tls_means_tls(void **unused)
{
    struct broker b;
    (void)unused;
    assert_true(broker_parse("mqtt://broker:8883", &b, error));
    assert_true(b.tls);
    assert_true(broker_parse("mqtt://[::1]:8883", &b, error));
    assert_true(b.tls);
    assert_true(broker_parse("mqtt://broker:18883", &b, error));
    assert_false(b.tls);
}

/* One line that quotes the URL, and can go into JSON. */
static void assert_refused(const char *url)
{
    struct broker b;
    memset(error, 0x7E, sizeof error);
    assert_false(broker_parse(url, &b, error));
    assert_non_null(memchr(error, 0, sizeof error));
    assert_non_null(strstr(error, "mqtts://HOST"));
    json_t *json = json_string(error);
    assert_non_null(json);
    json_decref(json);
}

static void what_is_no_broker_is_refused(void **unused)
{
    static const char *const urls[] = {
        "",
        "broker",
        "broker:1883",
        "://broker",
        "http://broker",
        "MQTT://broker",
        "mqtt:/broker",
        "mqttss://broker",
        "xmqtt://broker",
        " mqtt://broker",
        "mqtt://",
        "mqtts://",
        "mqtt://:1883",
        "mqtt:///",
        "mqtt://broker/",
        "mqtt://broker/path",
        "mqtt://broker:1883/path",
        "mqtt://broker?x",
        "mqtt://broker#x",
        "mqtt://user@broker",
        "mqtt://user:word@broker",
        "mqtt://broker:",
        "mqtt://broker:0",
        "mqtt://broker:65536",
        "mqtt://broker:4294968179",           /* 2^32 + 883 */
        "mqtt://broker:18446744073709553499", /* 2^64 + 1883 */
        "mqtt://broker:-1",
        "mqtt://broker:+1883",
        "mqtt://broker: 1883",
        "mqtt://broker:1883 ",
        "mqtt://broker:1883x",
        "mqtt://broker:0x75b",
        "mqtt://broker:18.83",
        "mqtt://broker:1883:1884",
        "mqtt://bro ker",
        "mqtt://bro\tker",
        "mqtt://broker\n",
        "mqtt://bro\x7Fker",
        "mqtt://br\xC3\xB6ker",
        "mqtt://bro%6ber",
        "mqtt://bro*er",
        "mqtt://[]",
        "mqtt://[]:1883",
        "mqtt://[:]",
        "mqtt://[::1",
        "mqtt://[::1]1883",
        "mqtt://[::1]:",
        "mqtt://[::1]]",
        "mqtt://[[::1]]",
        "mqtt://[broker]",
        "mqtt://[fe80::1%eth0]",
        "mqtt://::1",
        "mqtt://::1:1883",
        "mqtt://" LONGEST "h",
        "mqtt://" LONGEST "h:1883",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(urls); i++)
        assert_refused(urls[i]);
}

static void an_error_is_not_cut_within_a_character(void **unused)
{
    static const char *const letters[] = {"\xC3\xB6", "\xE2\x82\xAC", "\xF0\x9F\x94\x8C"};
    (void)unused;
    for (size_t i = 0; i < COUNT(letters); i++) {
        for (int before = 0; before < 90; before++) {
            char url[400];
            int n = snprintf(url, sizeof url, "mqtt://%.*s", before, HUNDRED);
            while (n < 300)
                n += snprintf(url + n, sizeof url - (size_t)n, "%s", letters[i]);
            assert_refused(url);
            assert_refused(url + 1); /* with the other complaint */
        }
    }
}

static void no_text_of_any_length_is_too_much(void **unused)
{
    static char url[70000];
    (void)unused;
    memset(url, 'a', sizeof url - 1);
    assert_refused(url);
    memcpy(url, "mqtt://", 7);
    assert_refused(url);
    memset(url + 7, '1', sizeof url - 8);
    memcpy(url + 7, "b:", 2);
    assert_refused(url);
    memset(url + 7, ':', sizeof url - 8);
    memcpy(url + 7, "[", 1);
    assert_refused(url);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_has_a_host_and_a_port_and_tls_or_not),
        cmocka_unit_test(the_port_of_tls_means_tls),
        cmocka_unit_test(what_is_no_broker_is_refused),
        cmocka_unit_test(an_error_is_not_cut_within_a_character),
        cmocka_unit_test(no_text_of_any_length_is_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
