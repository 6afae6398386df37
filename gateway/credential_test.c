/* credential_test.c - names of credentials, and the files they stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "credential.h"

#include "folder_kit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 256 };

static char text[CAPACITY], error[CREDENTIAL_ERROR_MAX];

static int begin(void **unused)
{
    (void)unused;
    if (!make_folder_for("credential", false))
        return -1;
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    error[0] = 0;
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    unsetenv("CREDENTIALS_DIRECTORY");
    empty_folder();
    return rmdir(folder);
}

static bool resolve(const char *wanted)
{
    snprintf(text, sizeof text, "%s", wanted);
    return credential_resolve(text, sizeof text, error);
}

static void a_name_becomes_the_path_of_its_file(void **unused)
{
    (void)unused;
    assert_true(atomic_file_write(folder, "smart-connect_mqtt-password", "x\n", 2));
    assert_true(resolve("credential:mqtt-password"));
    assert_string_equal(text, path_of("smart-connect_mqtt-password"));
}

static void what_is_no_credential_stays(void **unused)
{
    static const char *const others[] = {"", "/etc/ssl/key.pem", "sha256:00", "credential",
                                         "Credential:x"};
    (void)unused;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_true(resolve(others[i]));
        assert_string_equal(text, others[i]);
    }
}

static void one_that_is_missing_is_explained(void **unused)
{
    (void)unused;
    assert_false(resolve("credential:https-key"));
    assert_string_equal(text, "credential:https-key");
    assert_non_null(strstr(error, path_of("smart-connect_https-key")));
    assert_non_null(strstr(error, "No such file"));
    assert_non_null(strstr(error, "put it into /etc/smart-connect/credentials/https-key"));
}

static void without_systemd_there_are_none(void **unused)
{
    (void)unused;
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_false(resolve("credential:https-key"));
    assert_non_null(strstr(error, "run this as one"));
}

static void names_that_could_leave_the_folder_are_refused(void **unused)
{
    static const char *const bad[] = {"credential:",   "credential:../shadow", "credential:a/b",
                                      "credential:.x", "credential:a b",       "credential:a\n"};
    char longest[CAPACITY];
    (void)unused;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(credential_check(bad[i], error));
        assert_non_null(strstr(error, "use credential:NAME"));
        assert_false(resolve(bad[i]));
    }
    int length = snprintf(longest, sizeof longest, "credential:%064d", 0);
    assert_true(credential_check(longest, error));
    snprintf(longest + length, sizeof longest - (size_t)length, "0");
    assert_false(credential_check(longest, error));
}

static void a_path_that_does_not_fit_is_refused(void **unused)
{
    (void)unused;
    assert_true(atomic_file_write(folder, "smart-connect_a", "x\n", 2));
    snprintf(text, sizeof text, "credential:a");
    assert_false(credential_resolve(text, strlen(path_of("smart-connect_a")), error));
    assert_non_null(strstr(error, "too long"));
    assert_true(credential_resolve(text, strlen(path_of("smart-connect_a")) + 1, error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_becomes_the_path_of_its_file),
        TEST(what_is_no_credential_stays),
        TEST(one_that_is_missing_is_explained),
        TEST(without_systemd_there_are_none),
        TEST(names_that_could_leave_the_folder_are_refused),
        TEST(a_path_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
