#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "authorization.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Of a text as long as it says, and no longer. */
static struct authorization_login login_of(const char *text, size_t length)
{
    struct authorization_login login;
    char *value = malloc(length + 1);
    assert_non_null(value);
    memcpy(value, text, length);
    value[length] = 0;
    memset(&login, 0x55, sizeof login);
    authorization_basic(value, length, &login);
    free(value);
    return login;
}

static void user_and_password_are_what_was_encoded(void **unused)
{
    static const struct {
        const char *value;
        bool user_is_right;
        const char *password;
    } cases[] = {
        {"Basic dXNlcjpwYXNzd28=", true, "passwo"},
        {"basic dXNlcjpwYXNz", true, "pass"},
        {"BASIC    dXNlcjpwYXN6eQ==", true, "paszy"},
        {"Basic dXNlcjphOmI6", true, "a:b:"},
        {"Basic dXNlcjo=", true, ""},
        {"Basic YWRtaW46cGFzcw==", false, "pass"},
        {"Basic VXNlcjpwYXNz", false, "pass"},
        {"Basic OnBhc3M=", false, "pass"},
        {"Basic dXNlcjE6cGFzcw==", false, "pass"},
        {"Basic dXNlcjrDqQ==", true, "\xC3\xA9"},
        {"Basic dXNlcjr/+/8=", true, "\xFF\xFB\xFF"},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct authorization_login login = login_of(cases[i].value, strlen(cases[i].value));
        assert_int_equal(login.user_is_right, cases[i].user_is_right);
        assert_int_equal(login.length, strlen(cases[i].password));
        assert_memory_equal(login.password, cases[i].password, login.length);
    }
}

static void a_password_may_have_any_byte(void **unused)
{
    const struct authorization_login login = login_of("Basic dXNlcjphAGI=", 18);
    (void)unused;
    assert_true(login.user_is_right);
    assert_int_equal(login.length, 3);
    assert_memory_equal(login.password, "a\0b", 3);
}

static void what_makes_no_sense_is_a_wrong_user_without_a_password(void **unused)
{
    static const char *const values[] = {
        "",
        "Basic",
        "Basic ",
        "Basic    ",
        "Basi dXNlcjpwYXNz",
        "Basicd dXNlcjpwYXNz",
        "Basic\tdXNlcjpwYXNz",
        "Bearer dXNlcjpwYXNz",
        " Basic dXNlcjpwYXNz",
        "Basic dXNlcg==", /* no colon */
        "Basic dXNlcjpwYXNzd28",
        "Basic dXNlcjpwYXNzd28==",
        "Basic dXNlcjpwYXNzd29=", /* bits that say nothing */
        "Basic dXNlcjpwYXN6eR==",
        "Basic dXNlcjpwYXNz ",
        "Basic dXNl cjpwYXNz",
        "Basic dXNl\ncjpwYXNz",
        "Basic dXNl=cjpw",
        "Basic ====",
        "Basic dXNlcjpwYXN_",
        "Basic dXNlcjpwYXN-",
        "Basic dXNlcjpwYXN6eQ==dXNl",
        "Basic user:pass",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(values); i++) {
        const struct authorization_login login = login_of(values[i], strlen(values[i]));
        assert_false(login.user_is_right);
        assert_int_equal(login.length, 0);
    }
}

/* "user:xx", then three times x for each four characters. */
static void the_longest_password_has_128_bytes(void **unused)
{
    char text[300] = "Basic dXNlcjp4";
    size_t length = strlen(text);
    (void)unused;
    for (size_t bytes = 1; bytes + 3 <= LOGIN_PASSWORD_MAX; bytes += 3, length += 4)
        memcpy(text + length, "eHh4", 4);
    memcpy(text + length, "eA==", 4); /* 127 and one */
    assert_int_equal(login_of(text, length + 4).length, LOGIN_PASSWORD_MAX);
    assert_true(login_of(text, length + 4).user_is_right);
    memcpy(text + length, "eHg=", 4);
    assert_int_equal(login_of(text, length + 4).length, 0);
    assert_false(login_of(text, length + 4).user_is_right);
}

static void cut_anywhere_it_is_another_login_or_none(void **unused)
{
    static const char value[] = "Basic dXNlcjpzZWNyZXQtMTIzNA==";
    (void)unused;
    for (size_t n = 0; n < strlen(value); n++) {
        const struct authorization_login login = login_of(value, n);
        assert_true(login.length < strlen("secret-1234"));
        assert_memory_equal(login.password, "secret-1234", login.length);
    }
}

static void a_token_stands_behind_its_scheme(void **unused)
{
    static const char value[] = "bEaReR   a token";
    (void)unused;
    assert_ptr_equal(authorization_behind(value, strlen(value), "Bearer"), value + 9);
    assert_null(authorization_behind(value, strlen(value), "Basic"));
    assert_null(authorization_behind(value, 6, "Bearer"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_and_password_are_what_was_encoded),
        cmocka_unit_test(a_password_may_have_any_byte),
        cmocka_unit_test(what_makes_no_sense_is_a_wrong_user_without_a_password),
        cmocka_unit_test(the_longest_password_has_128_bytes),
        cmocka_unit_test(cut_anywhere_it_is_another_login_or_none),
        cmocka_unit_test(a_token_stands_behind_its_scheme),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
