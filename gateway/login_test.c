#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "login.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

static char kept[LOGIN_HASH_MAX]; /* hash of "correct horse" */

static int hash_once(void **unused)
{
    (void)unused;
    return login_hash("correct horse", kept) ? 0 : -1;
}

static bool takes(const char *password)
{
    return login_check(password, strlen(password), kept);
}

static void a_key_has_characters_of_base32_only(void **unused)
{
    char key[LOGIN_KEY_LEN + 1];
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        assert_true(login_make_key(key));
        assert_int_equal(strlen(key), LOGIN_KEY_LEN);
        assert_int_equal(strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), LOGIN_KEY_LEN);
    }
}

/* 120,000 characters of 32 kinds: 3750 each, give or take 60 (one sigma). */
static void all_characters_are_as_likely(void **unused)
{
    char key[LOGIN_KEY_LEN + 1];
    int count[256] = {0};
    (void)unused;
    for (int i = 0; i < 10000; i++) {
        assert_true(login_make_key(key));
        for (int k = 0; k < LOGIN_KEY_LEN; k++)
            count[(unsigned char)key[k]]++;
    }
    for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; *c; c++)
        assert_in_range(count[(unsigned char)*c], 3750 - 480, 3750 + 480);
}

static void keys_differ(void **unused)
{
    char a[LOGIN_KEY_LEN + 1], b[LOGIN_KEY_LEN + 1];
    (void)unused;
    assert_true(login_make_key(a) && login_make_key(b));
    assert_string_not_equal(a, b);
}

static void the_password_that_was_hashed_is_taken(void **unused)
{
    (void)unused;
    assert_true(takes("correct horse"));
}

static void other_passwords_are_not_taken(void **unused)
{
    static const char *const wrong[] = {
        "",   "correct hors", "correct horse ", " correct horse", "Correct horse", "correct horsf",
        "$y$"};
    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (takes(wrong[i]))
            fail_msg("\"%s\" was taken", wrong[i]);
    assert_false(takes(kept));
}

static void a_nul_does_not_end_a_password(void **unused)
{
    static const char with_nul[] = "correct horse\0battery";
    (void)unused;
    assert_false(login_check(with_nul, sizeof with_nul - 1, kept));
    assert_false(login_check(with_nul, strlen(with_nul) + 1, kept));
    assert_false(login_check("\0", 1, kept));
    assert_true(login_check(with_nul, strlen(with_nul), kept));
}

static void hashes_are_yescrypt_with_a_salt_of_their_own(void **unused)
{
    char other[LOGIN_HASH_MAX];
    (void)unused;
    assert_memory_equal(kept, "$y$", 3);
    assert_null(strstr(kept, "correct"));
    assert_true(login_hash("correct horse", other));
    assert_string_not_equal(other, kept);
    assert_true(login_check("correct horse", 13, other));
}

static void a_password_of_the_greatest_length_counts_to_its_last_byte(void **unused)
{
    char hash[LOGIN_HASH_MAX], password[LOGIN_PASSWORD_MAX + 2];
    (void)unused;
    memset(password, '\xC3', sizeof password);
    password[LOGIN_PASSWORD_MAX] = 0;
    assert_true(login_hash(password, hash));
    assert_true(login_check(password, LOGIN_PASSWORD_MAX, hash));
    assert_false(login_check(password, LOGIN_PASSWORD_MAX - 1, hash));
    password[LOGIN_PASSWORD_MAX] = '\xC3';
    assert_false(login_check(password, LOGIN_PASSWORD_MAX + 1, hash));
}

static void empty_and_endless_passwords_are_not_hashed(void **unused)
{
    char hash[LOGIN_HASH_MAX], password[LOGIN_PASSWORD_MAX + 2];
    (void)unused;
    memset(password, 'p', sizeof password - 1);
    password[LOGIN_PASSWORD_MAX + 1] = 0;
    assert_false(login_hash(password, hash));
    assert_false(login_hash("", hash));
}

static void a_hash_that_cannot_be_used_takes_nothing(void **unused)
{
    static const char *const damaged[] = {"",
                                          "*",
                                          "*0",
                                          "correct horse",
                                          "$y$",
                                          "$y$$",
                                          "$y$j8T$",
                                          "$y$j8T$x7T8agBrVf9WCkf3KdEJz1",
                                          "$y$j8T$x7T8agBrVf9WCkf3KdEJz1$",
                                          "$y$$x7T8agBrVf9WCkf3KdEJz1$zzYw",
                                          "$y$\xFF\xFF$x7T8$zz"};
    (void)unused;
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        assert_false(login_check("correct horse", 13, damaged[i]));
        assert_false(login_check("", 0, damaged[i]));
    }
}

static void a_hash_with_one_character_changed_takes_nothing(void **unused)
{
    char damaged[LOGIN_HASH_MAX];
    size_t last = strlen(kept) - 1;
    (void)unused;
    memcpy(damaged, kept, sizeof damaged);
    damaged[last - 1] = damaged[last - 1] == 'A' ? 'B' : 'A';
    assert_false(login_check("correct horse", 13, damaged));
    memcpy(damaged, kept, sizeof damaged);
    damaged[last] = 0;
    assert_false(login_check("correct horse", 13, damaged));
}

static void a_hash_that_was_cut_or_changed_is_none(void **unused)
{
    static const char *const others[] = {"", "$y$", "$y$$$", "$6$j8T$x7T8", "$y$j8T$x7T8$"};
    char damaged[LOGIN_HASH_MAX + 1];
    size_t length = strlen(kept);
    (void)unused;
    assert_true(login_is_hash(kept));
    for (size_t n = 0; n < length; n++) {
        memcpy(damaged, kept, sizeof kept);
        damaged[n] = 0;
        assert_false(login_is_hash(damaged));
        memcpy(damaged, kept, sizeof kept);
        damaged[n] = kept[n] == '$' ? 'a' : '$';
        assert_false(login_is_hash(damaged));
    }
    snprintf(damaged, sizeof damaged, "%sa", kept);
    assert_false(login_is_hash(damaged));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(login_is_hash(others[i]));
}

static void hashes_of_weaker_kinds_are_not_used(void **unused)
{
    struct crypt_data data = {0};
    static const char *const settings[] = {"$1$abcdefgh$", "$6$abcdefgh$", "$5$abcdefgh$"};
    (void)unused;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const char *hash = crypt_rn("correct horse", settings[i], &data, sizeof data);
        if (hash)
            assert_false(login_check("correct horse", 13, hash));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_characters_of_base32_only),
        cmocka_unit_test(all_characters_are_as_likely),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(the_password_that_was_hashed_is_taken),
        cmocka_unit_test(other_passwords_are_not_taken),
        cmocka_unit_test(a_nul_does_not_end_a_password),
        cmocka_unit_test(hashes_are_yescrypt_with_a_salt_of_their_own),
        cmocka_unit_test(a_password_of_the_greatest_length_counts_to_its_last_byte),
        cmocka_unit_test(empty_and_endless_passwords_are_not_hashed),
        cmocka_unit_test(a_hash_that_cannot_be_used_takes_nothing),
        cmocka_unit_test(a_hash_with_one_character_changed_takes_nothing),
        cmocka_unit_test(a_hash_that_was_cut_or_changed_is_none),
        cmocka_unit_test(hashes_of_weaker_kinds_are_not_used),
    };
    return cmocka_run_group_tests(tests, hash_once, NULL);
}
