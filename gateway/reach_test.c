#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reach.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void assert_taken(const char *target)
{
    char error[REACH_ERROR_MAX] = "";
    if (!reach_check_target(target, error))
        fail_msg("%s", error);
}

/* What is refused is quoted. */
static void assert_refused(const char *target)
{
    char error[REACH_ERROR_MAX] = "", begin[80];
    if (reach_check_target(target, error))
        fail_msg("\"%s\" was taken", target);
    snprintf(begin, sizeof begin, "\"%.60s\"", target);
    assert_memory_equal(error, begin, strlen(begin));
}

static void no_target_is_a_target(void **unused)
{
    (void)unused;
    assert_taken("");
}

static void host_names_are_taken(void **unused)
{
    static const char *const names[] = {"example.org", "example.org.", "a",
                                        "router",      "A-b.C9.x_y",   "1and1.com",
                                        "9.9.9.9.dns", "4.in-x",       "xn--caf-dma.example"};
    (void)unused;
    for (size_t i = 0; i < COUNT(names); i++)
        assert_taken(names[i]);
}

static void addresses_of_one_machine_are_taken(void **unused)
{
    static const char *const addresses[] = {
        "192.0.2.1", "1.0.0.1", "223.255.255.254", "127.0.0.1", "2001:db8::1", "fd00::1", "::1"};
    (void)unused;
    for (size_t i = 0; i < COUNT(addresses); i++)
        assert_taken(addresses[i]);
}

static void addresses_of_none_or_many_are_refused(void **unused)
{
    static const char *const addresses[] = {"0.0.0.0",         "0.1.2.3", "224.0.0.1",
                                            "255.255.255.255", "::",      "ff02::1",
                                            "fe80::1",         "febf::1", "240.0.0.1",
                                            "::ffff:192.0.2.1"};
    (void)unused;
    for (size_t i = 0; i < COUNT(addresses); i++)
        assert_refused(addresses[i]);
}

static void what_some_would_read_as_an_address_is_refused(void **unused)
{
    static const char *const numbers[] = {"1",           "1.2.3",     "192.0.2.256",
                                          "192.0.2.1.",  "192.0.2",   "3232235777",
                                          "192.0.2.1.7", "example.1", "0.0.0.00"};
    (void)unused;
    for (size_t i = 0; i < COUNT(numbers); i++)
        assert_refused(numbers[i]);
}

static void what_is_more_or_less_than_a_name_is_refused(void **unused)
{
    static const char *const texts[] = {".",
                                        "..",
                                        ".example.org",
                                        "example..org",
                                        "example.org..",
                                        "-a.org",
                                        "a-.org",
                                        "exa mple.org",
                                        " example.org",
                                        "example.org ",
                                        "example.org:443",
                                        "https://example.org",
                                        "example.org/x",
                                        "user@example.org",
                                        "[2001:db8::1]",
                                        "2001:db8::g",
                                        "fe80::1%eth0",
                                        "a,b",
                                        "caf\xC3\xA9.example",
                                        "a\n",
                                        "$(reboot)",
                                        "%s%n",
                                        "*"};
    (void)unused;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_refused(texts[i]);
}

static void a_label_has_63_letters_and_a_name_253(void **unused)
{
    char label[80], name[400];
    (void)unused;
    memset(label, 'a', sizeof label);
    label[64] = 0;
    assert_refused(label);
    label[63] = 0;
    assert_taken(label);
    snprintf(name, sizeof name, "%s.%s.%s.%.61s", label, label, label, label);
    assert_int_equal(strlen(name), REACH_NAME_MAX);
    assert_taken(name);
    snprintf(name, sizeof name, "%s.%s.%s.%.62s", label, label, label, label);
    assert_refused(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_target_is_a_target),
        cmocka_unit_test(host_names_are_taken),
        cmocka_unit_test(addresses_of_one_machine_are_taken),
        cmocka_unit_test(addresses_of_none_or_many_are_refused),
        cmocka_unit_test(what_some_would_read_as_an_address_is_refused),
        cmocka_unit_test(what_is_more_or_less_than_a_name_is_refused),
        cmocka_unit_test(a_label_has_63_letters_and_a_name_253),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
