#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "facts.h"

static const char whole[] = "\3\2\1\0P1MB\0board\0serial\0One-A\0Two";
enum { WHOLE = sizeof whole, HEAD = 4 };

static bool get(const char *payload, size_t n, struct facts *f)
{
    return facts_get((const uint8_t *)payload, n, f);
}

static void all_of_it_is_read(void **unused)
{
    (void)unused;
    struct facts f;
    char version[FACTS_VERSION_MAX];
    assert_true(get(whole, WHOLE, &f));
    assert_int_equal(f.maps, 2);
    assert_string_equal(facts_text(&f, FACTS_PRODUCT), "P1MB");
    assert_string_equal(facts_text(&f, FACTS_BOARD), "board");
    assert_string_equal(facts_text(&f, FACTS_SERIAL), "serial");
    assert_string_equal(facts_text(&f, FACTS_MAP), "One-A");
    assert_string_equal(facts_text(&f, FACTS_MAP + 1), "Two");
    facts_version(&f, version);
    assert_string_equal(version, "1.2.3");
}

/* Whatever is accepted has its three texts, each with an end. */
static void cut_anywhere_it_is_refused_or_has_fewer_maps(void **unused)
{
    (void)unused;
    for (size_t n = 0; n < WHOLE; n++) {
        struct facts f;
        const bool ends = n > HEAD && whole[n - 1] == 0;
        const bool good = ends && n >= HEAD + sizeof "P1MB" + sizeof "board" + sizeof "serial";
        assert_int_equal(get(whole, n, &f), good);
        if (good)
            assert_int_equal(f.maps, n > HEAD + sizeof "P1MB" + sizeof "board" + sizeof "serial");
    }
}

static void what_a_terminal_would_obey_is_not_kept(void **unused)
{
    (void)unused;
    char payload[WHOLE];
    for (unsigned c = 1; c <= UINT8_MAX; c++) {
        struct facts f;
        memcpy(payload, whole, WHOLE);
        payload[HEAD] = (char)c;
        assert_true(get(payload, WHOLE, &f));
        assert_int_equal(facts_text(&f, FACTS_PRODUCT)[0], c >= 0x20 && c < 0x7F ? (int)c : '?');
    }
}

static void as_many_texts_as_fit_are_taken(void **unused)
{
    (void)unused;
    char payload[P1MB_PAYLOAD_MAX + HEAD + 1] = {0};
    struct facts f;
    assert_true(get(payload, P1MB_PAYLOAD_MAX + HEAD, &f));
    assert_int_equal(f.maps, P1MB_PAYLOAD_MAX - FACTS_MAP);
    assert_string_equal(facts_text(&f, FACTS_MAP + f.maps - 1u), "");
    assert_false(get(payload, sizeof payload, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_read),
        cmocka_unit_test(cut_anywhere_it_is_refused_or_has_fewer_maps),
        cmocka_unit_test(what_a_terminal_would_obey_is_not_kept),
        cmocka_unit_test(as_many_texts_as_fit_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
