#include "json_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int asked, fails_at; /* allocations of the library; 0: none fails */

static void *allocate(size_t n)
{
    if (++asked == fails_at) {
        errno = ENOMEM;
        return NULL;
    }
    return malloc(n);
}

static json_t *build(void)
{
    json_t *list = json_array();
    for (int i = 0; i < 40; i++)
        json_array_append_new(list,
                              json_pack("{s:i, s:s}", "number", i, "a longer name", "some text"));
    return json_pack("{s:o}", "list", list);
}

static int set_up(void **unused)
{
    (void)unused;
    asked = fails_at = 0;
    json_set_alloc_funcs(allocate, free);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    json_set_alloc_funcs(malloc, free);
    return 0;
}

static void a_text_is_whole_or_none(void **unused)
{
    (void)unused;
    json_t *json = build();
    char *usual = json_text(json, JSON_COMPACT);
    assert_non_null(usual);
    int nothing = 0, calls = asked;
    for (int n = 1; n <= calls; n++) {
        asked = 0;
        fails_at = n;
        char *text = json_text(json, JSON_COMPACT);
        assert_true(!text || strcmp(text, usual) == 0);
        nothing += !text;
        free(text);
    }
    assert_true(nothing > 2);
    free(usual);
    json_decref(json);
}

static void what_is_built_is_whole_or_nothing(void **unused)
{
    (void)unused;
    json_t *usual = build();
    int calls = asked;
    for (int n = 1; n <= calls; n++) {
        asked = 0;
        fails_at = n;
        errno = 0;
        assert_null(json_whole(build()));
    }
    fails_at = 0;
    errno = 0;
    json_t *json = json_whole(build());
    assert_true(json_equal(json, usual));
    json_decref(json);
    json_decref(usual);
}

static void nothing_has_no_text(void **unused)
{
    (void)unused;
    assert_null(json_text(NULL, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_text_is_whole_or_none),
        TEST(what_is_built_is_whole_or_nothing),
        TEST(nothing_has_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
