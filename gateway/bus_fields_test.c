#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bus_fields.h"
#include "message_kit_test.h"

#include <stdbool.h>

enum { ROOM = 8, NEVER = 0x5A };

struct sample {
    bool flag;
    uint8_t strength;
    uint32_t number;
    int64_t when;
    char text[ROOM], path[ROOM];
    struct bus_bytes ssid;
};

#define AT(member) offsetof(struct sample, member)

static const struct bus_field fields[] = {
    {"Flag", BUS_BOOL, AT(flag), 0},    {"Strength", BUS_BYTE, AT(strength), 0},
    {"Number", BUS_U32, AT(number), 0}, {"When", BUS_I64, AT(when), 0},
    {"Text", BUS_TEXT, AT(text), ROOM}, {"Path", BUS_TEXT, AT(path), ROOM},
    {"Ssid", BUS_BYTES, AT(ssid), 0},
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static struct sample sample, untouched;

/* --- messages --------------------------------------------------------------------------------- */

static int read_sample(sd_bus_message *m)
{
    int result;
    memset(&sample, NEVER, sizeof sample);
    result = bus_read_fields(m, fields, FIELDS, &sample);
    sd_bus_message_unref(m);
    return result;
}

static void assert_untouched(void)
{
    assert_memory_equal(&sample, &untouched, sizeof sample);
}

static int begin(void **unused)
{
    memset(&untouched, NEVER, sizeof untouched);
    return message_kit_begin(unused);
}

/* --- dictionaries ----------------------------------------------------------------------------- */

static void every_type_is_read(void **unused)
{
    (void)unused;
    assert_int_equal(read_sample(message("a{sv}", 7, "Flag", "b", 1, "Strength", "y", 200, "Number",
                                         "u", UINT32_MAX, "When", "x", INT64_MIN, "Text", "s",
                                         "hello", "Path", "o", "/a/b", "Ssid", "ay", 3, 1, 0, 255)),
                     0);
    assert_true(sample.flag);
    assert_int_equal(sample.strength, 200);
    assert_int_equal(sample.number, UINT32_MAX);
    assert_true(sample.when == INT64_MIN);
    assert_string_equal(sample.text, "hello");
    assert_string_equal(sample.path, "/a/b");
    assert_int_equal(sample.ssid.length, 3);
    assert_memory_equal(sample.ssid.byte, "\x01\x00\xFF", 3);
}

static void false_and_nothing_are_values(void **unused)
{
    (void)unused;
    assert_int_equal(read_sample(message("a{sv}", 5, "Flag", "b", 0, "Number", "u", 0, "Text", "s",
                                         "", "Ssid", "ay", 0, "Strength", "y", 0)),
                     0);
    assert_false(sample.flag);
    assert_int_equal(sample.number, 0);
    assert_int_equal(sample.strength, 0);
    assert_string_equal(sample.text, "");
    assert_int_equal(sample.ssid.length, 0);
}

static void an_empty_dictionary_touches_nothing(void **unused)
{
    (void)unused;
    assert_int_equal(read_sample(message("a{sv}", 0)), 0);
    assert_untouched();
}

static void unknown_keys_are_skipped_whatever_they_hold(void **unused)
{
    sd_bus_message *m =
        message("a{sv}", 5, "", "s", "x", "flag", "b", 1, "Deep", "a{sv}", 1, "Flag", "b", 1,
                "Tuples", "a(ua{ss})", 1, 7, 1, "k", "v", "Number", "u", 9);
    (void)unused;
    assert_int_equal(read_sample(m), 0);
    assert_int_equal(sample.number, 9);
    sample.number = untouched.number;
    assert_untouched();
}

static void another_type_is_no_value(void **unused)
{
    sd_bus_message *m = message("a{sv}", 9, "Flag", "u", 1, "Strength", "u", 7, "Number", "i", 7,
                                "When", "t", UINT64_C(7), "Text", "g", "s", "Path", "as", 1, "s",
                                "Ssid", "s", "ay", "Ssid", "au", 1, 7, "Text", "v", "s", "hello");
    (void)unused;
    assert_int_equal(read_sample(m), 0);
    assert_untouched();
}

static void the_last_of_two_counts(void **unused)
{
    (void)unused;
    assert_int_equal(
        read_sample(message("a{sv}", 3, "Number", "u", 1, "Number", "u", 2, "Number", "s", "3")), 0);
    assert_int_equal(sample.number, 2);
}

static void what_follows_can_be_read(void **unused)
{
    sd_bus_message *m = message("a{sv}u", 1, "Number", "u", 1, 77);
    uint32_t next = 0;
    (void)unused;
    assert_int_equal(bus_read_fields(m, fields, FIELDS, &sample), 0);
    assert_int_equal(sd_bus_message_read(m, "u", &next), 1);
    assert_int_equal(next, 77);
    sd_bus_message_unref(m);
}

/* --- what is too long ------------------------------------------------------------------------- */

static void texts_are_cut_between_characters(void **unused)
{
    static const struct {
        const char *said, *kept;
    } texts[] = {
        {"1234567", "1234567"},   {"12345678", "1234567"},
        {"123456ä", "123456"},    {"12345ä", "12345ä"},
        {"12345€", "12345"},      {"1234€", "1234€"},
        {"1234😀", "1234"},        {"😀😀😀", "😀"},
        {"12345äxxxx", "12345ä"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(read_sample(message("a{sv}", 1, "Text", "s", texts[i].said)), 0);
        assert_string_equal(sample.text, texts[i].kept);
        memset(sample.text, NEVER, sizeof sample.text);
        assert_untouched();
    }
}

static sd_bus_message *message_with_bytes(size_t length)
{
    static const char bytes[BUS_BYTES_MAX + 8] = "0123456789abcdefghijklmnopqrstuvwxyz";
    sd_bus_message *m = new_message();
    assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0 &&
                sd_bus_message_open_container(m, 'e', "sv") >= 0 &&
                sd_bus_message_append(m, "s", "Ssid") >= 0 &&
                sd_bus_message_open_container(m, 'v', "ay") >= 0 &&
                sd_bus_message_append_array(m, 'y', bytes, length) >= 0);
    for (int i = 0; i < 3; i++)
        assert_true(sd_bus_message_close_container(m) >= 0);
    seal(m);
    return m;
}

static void bytes_are_cut(void **unused)
{
    (void)unused;
    for (size_t length = 0; length <= BUS_BYTES_MAX + 4; length++) {
        size_t kept = length < BUS_BYTES_MAX ? length : BUS_BYTES_MAX;
        assert_int_equal(read_sample(message_with_bytes(length)), 0);
        assert_int_equal(sample.ssid.length, kept);
        assert_memory_equal(sample.ssid.byte, "0123456789abcdefghijklmnopqrstuv", kept);
        memset(&sample.ssid, NEVER, sizeof sample.ssid);
        assert_untouched();
    }
}

/* --- lists ------------------------------------------------------------------------------------ */

enum { LIST_MAX = 2 };
static struct sample list[LIST_MAX + 1];

static int read_list(sd_bus_message *m, size_t max, size_t *n)
{
    int result;
    memset(list, NEVER, sizeof list);
    result = bus_read_list(m, fields, FIELDS, list, sizeof list[0], max, n);
    assert_memory_equal(&list[max], &untouched, sizeof untouched);
    return result;
}

static void lists_are_read_in_order(void **unused)
{
    sd_bus_message *m =
        message("aa{sv}", 2, 2, "Number", "u", 1, "Other", "s", "x", 1, "Text", "s", "two");
    size_t n = 7;
    (void)unused;
    assert_int_equal(read_list(m, LIST_MAX, &n), 0);
    assert_int_equal(n, 2);
    assert_int_equal(list[0].number, 1);
    assert_string_equal(list[1].text, "two");
    assert_int_equal(list[1].number, untouched.number);
    sd_bus_message_unref(m);
}

static void an_empty_element_is_one(void **unused)
{
    sd_bus_message *m = message("aa{sv}", 1, 0);
    size_t n = 7;
    (void)unused;
    assert_int_equal(read_list(m, LIST_MAX, &n), 0);
    assert_int_equal(n, 1);
    assert_memory_equal(&list[0], &untouched, sizeof untouched);
    sd_bus_message_unref(m);
}

static void an_empty_list_has_none(void **unused)
{
    sd_bus_message *m = message("aa{sv}", 0);
    size_t n = 7;
    (void)unused;
    assert_int_equal(read_list(m, LIST_MAX, &n), 0);
    assert_int_equal(n, 0);
    sd_bus_message_unref(m);
}

static void more_than_there_is_room_for_is_skipped(void **unused)
{
    (void)unused;
    for (size_t max = 0; max <= LIST_MAX; max++) {
        sd_bus_message *m = message("aa{sv}u", 4, 1, "Number", "u", 1, 1, "Number", "u", 2, 1,
                                    "Number", "u", 3, 0, 77);
        size_t n = 7;
        uint32_t next = 0;
        assert_int_equal(read_list(m, max, &n), 0);
        assert_int_equal(n, max);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(list[i].number, i + 1);
        assert_int_equal(sd_bus_message_read(m, "u", &next), 1);
        assert_int_equal(next, 77);
        sd_bus_message_unref(m);
    }
}

/* A list as a value of a dictionary, as NetworkManager tells its addresses. */
static void a_list_may_be_within_a_variant(void **unused)
{
    sd_bus_message *m = message("v", "aa{sv}", 1, 1, "Number", "u", 24);
    size_t n = 7;
    (void)unused;
    assert_true(sd_bus_message_enter_container(m, 'v', "aa{sv}") > 0);
    assert_int_equal(read_list(m, LIST_MAX, &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(list[0].number, 24);
    assert_true(sd_bus_message_exit_container(m) >= 0);
    sd_bus_message_unref(m);
}

/* --- what is broken --------------------------------------------------------------------------- */

static void other_messages_are_refused(void **unused)
{
    size_t n;
    (void)unused;
    assert_true(read_sample(message("")) < 0);
    assert_true(read_sample(message("s", "Flag")) < 0);
    assert_true(read_sample(message("a{ss}", 1, "Text", "x")) < 0);
    assert_true(read_sample(message("v", "a{sv}", 0)) < 0);
    assert_true(read_sample(message("aa{sv}", 0)) < 0);
    assert_untouched();
    sd_bus_message *const others[] = {message(""), message("a{sv}", 0), message("as", 0)};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_true(read_list(others[i], LIST_MAX, &n) < 0);
        assert_int_equal(n, 0);
        sd_bus_message_unref(others[i]);
    }
}

static sd_bus_message *message_to_break(void)
{
    return message("a{sv}", 6, "Text", "s", "hello", "Path", "o", "/a", "Ssid", "ay", 2, 1, 2,
                   "Flag", "b", 1, "Other", "a{sv}", 1, "x", "s", "y", "Number", "u", 3);
}

/* Read twice: once while its place is sought, once broken. */
static void a_bit_that_flips_costs_the_message_at_most(void **unused)
{
    sd_bus_message *whole = message_to_break();
    size_t bits = body_bits(whole, "{sv}"), refused = 0;
    (void)unused;
    sd_bus_message_unref(whole);
    for (size_t bit = 0; bit < bits; bit++) {
        sd_bus_message *m = message_to_break();
        flip(m, "{sv}", bit);
        memset(&sample, 0, sizeof sample);
        refused += bus_read_fields(m, fields, FIELDS, &sample) < 0;
        assert_non_null(memchr(sample.text, 0, sizeof sample.text));
        assert_non_null(memchr(sample.path, 0, sizeof sample.path));
        assert_true(sample.ssid.length <= BUS_BYTES_MAX);
        sd_bus_message_unref(m);
    }
    assert_in_range(refused, bits / 4, bits - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(false_and_nothing_are_values),
        cmocka_unit_test(an_empty_dictionary_touches_nothing),
        cmocka_unit_test(unknown_keys_are_skipped_whatever_they_hold),
        cmocka_unit_test(another_type_is_no_value),
        cmocka_unit_test(the_last_of_two_counts),
        cmocka_unit_test(what_follows_can_be_read),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(bytes_are_cut),
        cmocka_unit_test(lists_are_read_in_order),
        cmocka_unit_test(an_empty_element_is_one),
        cmocka_unit_test(an_empty_list_has_none),
        cmocka_unit_test(more_than_there_is_room_for_is_skipped),
        cmocka_unit_test(a_list_may_be_within_a_variant),
        cmocka_unit_test(other_messages_are_refused),
        cmocka_unit_test(a_bit_that_flips_costs_the_message_at_most),
    };
    return cmocka_run_group_tests(tests, begin, message_kit_end);
}
