#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "field.h"

enum { BAUD, LINE, ADDRESS, TERMINATION, MAP };

static void fill(struct facts *f)
{
    static const char payload[] = "\0\0\0\0p\0b\0s\0Inepro-PRO380\0Eastron-SDM630\0Xemex";
    assert_true(facts_get((const uint8_t *)payload, sizeof payload, f));
}

static void every_value_has_a_name_that_leads_back(void **unused)
{
    (void)unused;
    static const unsigned counts[FIELDS] = {8, 2, 247, 2, 3};
    struct facts f;
    fill(&f);
    for (size_t i = 0; i < FIELDS; i++) {
        struct p1mb_setup setup = {.bus = p1mb_defaults()};
        assert_int_equal(fields[i].count(&f), counts[i]);
        for (unsigned value = 0; value < counts[i]; value++) {
            char name[FIELD_NAME_MAX];
            fields[i].set(&setup, value);
            assert_int_equal(fields[i].get(&setup), value);
            assert_true(p1mb_settings_are_good(&setup.bus));
            field_show(&fields[i], &f, &setup, name);
            assert_int_equal(field_find(&fields[i], &f, name), value);
        }
    }
}

static void a_field_changes_nothing_else(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < FIELDS; i++) {
        const struct p1mb_setup before = {.bus = p1mb_defaults(), .map = 1};
        struct p1mb_setup setup = before;
        fields[i].set(&setup, fields[i].get(&before) ? 0 : 1);
        for (size_t j = 0; j < FIELDS; j++)
            assert_int_equal(fields[j].get(&setup) == fields[j].get(&before), i != j);
    }
}

static void names_are_those_of_the_device(void **unused)
{
    (void)unused;
    struct facts f;
    struct p1mb_setup setup = {.bus = p1mb_defaults()};
    fill(&f);
    fields[BAUD].set(&setup, (unsigned)field_find(&fields[BAUD], NULL, "19200"));
    fields[LINE].set(&setup, (unsigned)field_find(&fields[LINE], NULL, "8n1"));
    fields[ADDRESS].set(&setup, (unsigned)field_find(&fields[ADDRESS], NULL, "247"));
    fields[TERMINATION].set(&setup, (unsigned)field_find(&fields[TERMINATION], NULL, "ON"));
    fields[MAP].set(&setup, (unsigned)field_find(&fields[MAP], &f, "sdm630"));
    assert_int_equal(setup.bus.baud, 19200);
    assert_false(setup.bus.even_parity);
    assert_int_equal(setup.bus.address, 247);
    assert_true(setup.bus.termination);
    assert_int_equal(setup.map, 1);
}

static void what_is_no_value_is_not_found(void **unused)
{
    (void)unused;
    static const struct {
        size_t field;
        const char *name;
    } none[] = {
        {BAUD, "9601"},   {BAUD, ""},        {BAUD, "9600 "},      {BAUD, "-9600"},
        {LINE, "7E1"},    {LINE, "8E"},      {ADDRESS, "0"},       {ADDRESS, "248"},
        {ADDRESS, "1.5"}, {ADDRESS, "0x10"}, {TERMINATION, "yes"}, {TERMINATION, "1"},
        {MAP, "sdm"},     {MAP, "empro"},    {MAP, "Eastron"},
    };
    struct facts f;
    fill(&f);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(field_find(&fields[none[i].field], &f, none[i].name), -1);
    assert_int_equal(field_find(&fields[MAP], NULL, "xemex"), -1); /* no device, no maps */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_has_a_name_that_leads_back),
        cmocka_unit_test(a_field_changes_nothing_else),
        cmocka_unit_test(names_are_those_of_the_device),
        cmocka_unit_test(what_is_no_value_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
