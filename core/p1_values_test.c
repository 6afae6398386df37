/* p1_values_test.c - texts, versions and times of P1 telegrams. */
#include "p1_kit_test.h"

#include "p1_values.h"

#include <stdio.h>

/* ---- texts ---- */

static void texts(void **state)
{
    static const struct {
        const char *line;
        enum reading_text_id id;
        const char *text;
    } rows[] = {
        {"0-0:96.1.1(4530303434)", TEXT_METER_ID, "E0044"},
        {"0-0:96.1.0(393930)", TEXT_METER_ID, "990"},
        {"0-0:96.1.1(00000000000000)", TEXT_METER_ID,
         "00000000000000"},                                    /* no printable characters */
        {"0-0:96.1.1(453030343)", TEXT_METER_ID, "453030343"}, /* odd */
        {"0-0:96.1.1(xxxxxx)", TEXT_METER_ID, "xxxxxx"},       /* redacted */
        {"0-0:96.1.1(<hidden>)", TEXT_METER_ID, "<hidden>"},
        {"0-0:96.1.1(7A6bC3)", TEXT_METER_ID, "zk\xC3\x83"},
        {"0-0:96.1.2(3534)", TEXT_EAN, "54"},
        {"0-0:96.1.2(------)", TEXT_EAN, "------"},
        {"0-0:42.0.0(534147)", TEXT_LOGICAL_NAME, "SAG"},
        {"1-3:0.2.8(50)", TEXT_VERSION, "50"},
        {"0-0:96.1.4(50217)", TEXT_VERSION, "50217"},
        {"0-0:96.1.4(20202020)", TEXT_VERSION, "20202020"},
        {"0-0:96.13.0(4142)", TEXT_MESSAGE, "AB"},
        {"0-0:96.13.0(3C7363726970743E)", TEXT_MESSAGE, "<script>"},
        {"0-0:96.13.0(22)", TEXT_MESSAGE, "\""},
        {"0-0:96.13.0(\xFF\xFE)", TEXT_MESSAGE, "\xC3\xBF\xC3\xBE"},
        {"0-0:96.13.1(3031)", TEXT_MESSAGE_2, "01"},
        {"0-0:96.13.2(4143)", TEXT_MESSAGE_3, "AC"},
        {"0-0:96.13.3(4144)", TEXT_MESSAGE_4, "AD"},
        {"0-0:96.13.4(4145)", TEXT_MESSAGE_5, "AE"},
        {"0-0:96.13.5(4146)", TEXT_MESSAGE_6, "AF"},
        {"0-1:96.1.0(4147)", TEXT_MBUS_ID_1, "AG"},
        {"0-2:96.1.1(4148)", TEXT_MBUS_ID_2, "AH"},
        {"0-3:96.1.0(4149)", TEXT_MBUS_ID_3, "AI"},
        {"0-4:96.1.0(414A)", TEXT_MBUS_ID_4, "AJ"},
        {"0-1:96.1.2(414B)", TEXT_MBUS_EAN_1, "AK"},
        {"0-2:96.1.2(414C)", TEXT_MBUS_EAN_2, "AL"},
        {"0-3:96.1.2(414D)", TEXT_MBUS_EAN_3, "AM"},
        {"0-4:96.1.2(414E)", TEXT_MBUS_EAN_4, "AN"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "%s\r\n", rows[i].line);
        decode(lines);
        assert_string_equal(text_of(rows[i].id), rows[i].text);
        assert_int_equal(seen.reading.object_errors, 0);
    }
}

static void text_of_1024_characters(void **state)
{
    char lines[2200], expected[1025];
    size_t n = (size_t)snprintf(lines, sizeof lines, "0-0:96.13.0(");
    (void)state;
    for (int i = 0; i < 1024; i++) {
        expected[i] = (char)('A' + i % 26);
        n += (size_t)snprintf(lines + n, sizeof lines - n, "%02X", (unsigned)expected[i]);
    }
    expected[1024] = 0;
    snprintf(lines + n, sizeof lines - n, ")\r\n1-0:91.7.0(000.31*A)\r\n");
    decode(lines);
    assert_int_equal(seen.reading.text[TEXT_MESSAGE].length, 2048);
    assert_string_equal(text_of(TEXT_MESSAGE), expected);
    assert_int_equal(seen.reading.value[Q_CURRENT_NEUTRAL], 310);
}

static void identification_holds_any_byte(void **state)
{
    struct bytes b = {.n = 0};
    (void)state;
    append(&b, "/ISK5\x02\0\xAB(!)/\r\r\n\r\n", 17);
    seal(&b, "%04X", "\r\n");
    run(b.p, b.n, 1);
    assert_counts(1, 0, 0);
    assert_string_equal(text_of(TEXT_IDENTIFICATION), "ISK5??\xC2\xAB(!)/?");
}

/* ---- versions, times ---- */

static void versions(void **state)
{
    static const struct {
        const char *line;
        unsigned p1, emucs;
    } rows[] = {
        {"1-3:0.2.8(40)", 40, 0},
        {"1-3:0.2.8(42)", 42, 0},
        {"1-3:0.2.8(50)", 50, 0},
        {"1-3:0.2.8(99)", 99, 0},
        {"0-0:96.1.4(50213)", 0, 50213},
        {"0-0:96.1.4(50221)", 0, 50221},
        {"0-0:96.1.4(202020202020)", 0, 0},
        {"1-3:0.2.8(5.0)", 0, 0},
        {"1-3:0.2.8(-5)", 0, 0},
        {"1-3:0.2.8(v50)", 0, 0},
        {"1-3:0.2.8(50a)", 0, 0},
        {"0-0:96.1.4(4294967296)", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char lines[128];
        snprintf(lines, sizeof lines, "%s\r\n", rows[i].line);
        decode(lines);
        assert_int_equal(seen.reading.p1_version, rows[i].p1);
        assert_int_equal(seen.reading.emucs_version, rows[i].emucs);
        assert_int_equal(seen.reading.object_errors, 0);
    }
}

static void season_letters(void **state)
{
    static const struct {
        const char *digits;
        int32_t winter_offset_s;
        int64_t utc_s;
    } rows[] = {
        {"260602122749S", 3600, 1780396069},
        {"241027023000S", 3600, 1729989000}, /* the doubled hour, first time ... */
        {"241027023000W", 3600, 1729992600}, /* ... and second time */
        {"240331023000S", 3600, 1711845000}, /* an hour that is in no clock: the letter decides */
        {"240130142210W", 7200, 1706617330}, /* Lithuania */
        {"240730142210S", 7200, 1722338530},
        {"100101000000W", 3600, 1262300400}, /* the first one believed */
        {"691231235959W", 3600, 3155756399}, /* the last one */
        {"240229000000W", 0, 1709164800},
    };
    int64_t utc_s;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(p1_time_parse((const uint8_t *)rows[i].digits, rows[i].winter_offset_s, &utc_s));
        assert_int_equal(utc_s, rows[i].utc_s);
    }
    assert_false(p1_time_parse((const uint8_t *)"240229000000w", 3600, &utc_s));
    assert_false(p1_time_parse((const uint8_t *)"240229000000)", 3600, &utc_s));
    assert_false(p1_time_parse((const uint8_t *)"230229000000W", 3600, &utc_s));
    assert_false(p1_time_parse((const uint8_t *)"700101000000W", 3600, &utc_s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(text_of_1024_characters),
        cmocka_unit_test(identification_holds_any_byte),
        cmocka_unit_test(versions),
        cmocka_unit_test(season_letters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
