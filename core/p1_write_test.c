/* p1_write_test.c - what is written can be read again, and says what programs for DSMR 5 look for. */
#include "p1_kit_test.h"

#include "civil_time.h"
#include "derive.h"
#include "p1_write.h"
#include "tic.h"

#include <stdio.h>
#include <string.h>

enum { WINTER = CIVIL_CET_OFFSET_S, NOON_S = 1784116800 /* 2026-07-15 12:00:00 UTC */ };

static char written[P1_WRITE_MAX];
static struct reading given; /* a reading of the test's own */

static void complete(struct reading *r)
{
    static const struct derive_settings settings;
    struct derive_state state = {0};
    derive(r, &settings, &state);
}

/* Writes it, and has it read again: seen.reading. */
static void write_and_read(const struct reading *r, const uint8_t *telegram, size_t telegram_len)
{
    size_t n = p1_write(r, WINTER, telegram, telegram_len, written);
    assert_int_equal(strlen(written), n);
    assert_int_equal(written[0], '/');
    assert_string_equal(written + n - 2, "\r\n");
    assert_int_equal(written[n - 7], '!');
    run(written, n, ALL_AT_ONCE);
    assert_counts(1, 0, 0);
    assert_int_equal(seen.reading.object_errors, 0);
}

static void write_given(void)
{
    complete(&given);
    write_and_read(&given, NULL, 0);
}

static void assert_line(const char *line)
{
    if (!strstr(written, line))
        fail_msg("%s is not in\n%s", line, written);
}

static void assert_no_line(const char *begin)
{
    if (strstr(written, begin))
        fail_msg("%s is in\n%s", begin, written);
}

static int start_with_nothing(void **unused)
{
    (void)unused;
    reading_clear(&given);
    given.standard = STANDARD_P1;
    return 0;
}

static void set(enum quantity q, reading_value value)
{
    reading_set(&given, q, value);
}

/* ---- round trips ------------------------------------------------------------------------------- */

/* As near as the digits that are written. */
static void assert_kept(const char *name, const struct reading *before, enum quantity q)
{
    const struct reading *r = &seen.reading;
    reading_value step = quantities[q].unit == UNIT_V ? 50 : quantities[q].unit == UNIT_A ? 5 : 0;
    if (!reading_has(before, q))
        return;
    if (!reading_has(r, q) || r->value[q] < before->value[q] - step ||
        r->value[q] > before->value[q] + step)
        fail_msg("%s: %s was %lld, and is %lld in\n%s", name, quantities[q].name,
                 (long long)before->value[q],
                 reading_has(r, q) ? (long long)r->value[q] : INT64_MIN, written);
}

static void assert_same_channel(const char *name, const struct reading_mbus *before,
                                const struct reading_mbus *after)
{
    assert_int_equal(after->medium, before->medium);
    if (before->unit == MBUS_UNIT_UNKNOWN || before->time_s == READING_NO_TIME)
        return;
    if (after->unit != before->unit || after->value != before->value ||
        after->time_s != before->time_s || after->uncorrected != before->uncorrected)
        fail_msg("%s: a channel is another in\n%s", name, written);
}

static void every_dialect_says_the_same_in_dsmr_5(void **unused)
{
    static const enum quantity kept[] = {Q_POWER,
                                         Q_POWER_IMPORT,
                                         Q_POWER_EXPORT,
                                         Q_ENERGY_IMPORT,
                                         Q_ENERGY_IMPORT_T1,
                                         Q_ENERGY_IMPORT_T2,
                                         Q_ENERGY_EXPORT,
                                         Q_ENERGY_EXPORT_T1,
                                         Q_ENERGY_EXPORT_T2,
                                         Q_TARIFF,
                                         Q_METER_VOLTAGE_L1,
                                         Q_METER_VOLTAGE_L2,
                                         Q_METER_VOLTAGE_L3,
                                         Q_METER_CURRENT_L1,
                                         Q_METER_CURRENT_L2,
                                         Q_METER_CURRENT_L3,
                                         Q_POWER_L1,
                                         Q_POWER_L2,
                                         Q_POWER_L3,
                                         Q_POWER_FAILURES,
                                         Q_VOLTAGE_SAGS_L1,
                                         Q_VOLTAGE_SWELLS_L3,
                                         Q_LONG_POWER_FAILURES,
                                         Q_DEMAND_QUARTER,
                                         Q_DEMAND_MONTH_PEAK};
    static struct bytes file;
    static struct seen before;
    char id[200], id_after[200];
    (void)unused;
    for (size_t i = 0; i < good_n; i++) {
        load(good_files[i], "txt", &file);
        run(file.p, file.n, ALL_AT_ONCE);
        before = seen;
        complete(&before.reading);
        write_and_read(&before.reading, before.telegram.p, before.telegram.n);
        complete(&seen.reading);
        for (size_t q = 0; q < sizeof kept / sizeof kept[0]; q++)
            assert_kept(good_files[i], &before.reading, kept[q]);
        for (int c = 0; c < READING_MBUS_N; c++)
            assert_same_channel(good_files[i], &before.reading.mbus[c], &seen.reading.mbus[c]);
        assert_int_equal(seen.reading.p1_version, 50);
        assert_int_equal(seen.reading.meter_time_s, before.reading.meter_time_s);
        (void)reading_text(&before.reading, TEXT_METER_ID, before.telegram.p, before.telegram.n, id,
                           49);
        (void)reading_text(&seen.reading, TEXT_METER_ID, seen.telegram.p, seen.telegram.n, id_after,
                           sizeof id_after);
        assert_string_equal(id_after, id);
    }
}

static void what_is_written_again_is_the_same(void **unused)
{
    static struct bytes file;
    static char first[P1_WRITE_MAX];
    (void)unused;
    load("dsmr22", "txt", &file);
    run(file.p, file.n, ALL_AT_ONCE);
    static struct seen before;
    before = seen;
    complete(&before.reading);
    write_and_read(&before.reading, before.telegram.p, before.telegram.n);
    memcpy(first, written, sizeof first);
    before = seen;
    complete(&before.reading);
    write_and_read(&before.reading, before.telegram.p, before.telegram.n);
    assert_string_equal(written, first);
}

/* ---- what programs look for -------------------------------------------------------------------- */

static void nothing_known_is_a_telegram_that_says_nothing(void **unused)
{
    (void)unused;
    write_given();
    assert_memory_equal(written, "/TIC5 SMART CONNECT\r\n\r\n1-3:0.2.8(50)\r\n!", 39);
}

static void a_net_power_becomes_import_and_export(void **unused)
{
    (void)unused;
    set(Q_POWER, -1234);
    set(Q_POWER_L2, 56);
    write_given();
    assert_line("1-0:1.7.0(00.000*kW)\r\n1-0:2.7.0(01.234*kW)\r\n");
    assert_line("1-0:41.7.0(00.056*kW)\r\n");
    assert_line("1-0:42.7.0(00.000*kW)\r\n");
    assert_no_line("1-0:21.7.0");
}

static void totals_are_added(void **unused)
{
    (void)unused;
    set(Q_ENERGY_IMPORT_T1, 1500);
    set(Q_ENERGY_IMPORT_T2, 499);
    write_given();
    assert_line("1-0:1.8.1(000001.500*kWh)\r\n1-0:1.8.2(000000.499*kWh)\r\n");
    assert_line("1-0:1.8.0(000001.999*kWh)\r\n");
    assert_no_line("1-0:2.8.");
}

static void a_total_without_tariffs_is_in_the_first(void **unused)
{
    (void)unused;
    set(Q_ENERGY_EXPORT, 123456789012);
    write_given();
    assert_line("1-0:2.8.1(123456789.012*kWh)\r\n1-0:2.8.2(000000.000*kWh)\r\n");
    assert_line("1-0:2.8.0(123456789.012*kWh)\r\n");
}

static void a_damaged_object_may_be_the_tariff(void **unused)
{
    (void)unused;
    set(Q_ENERGY_EXPORT, 5000);
    given.object_errors = 1;
    write_given();
    assert_line("1-0:2.8.0(000005.000*kWh)\r\n");
    assert_no_line("1-0:2.8.1");
}

static void a_single_phase_has_all_power_and_the_others_none(void **unused)
{
    (void)unused;
    set(Q_POWER_IMPORT, 420);
    set(Q_METER_VOLTAGE_L1, 230150);
    set(Q_METER_CURRENT_L1, 1996);
    write_given();
    assert_line("1-0:32.7.0(230.2*V)\r\n1-0:52.7.0(000.0*V)\r\n1-0:72.7.0(000.0*V)\r\n");
    assert_line("1-0:31.7.0(002.00*A)\r\n1-0:51.7.0(000.00*A)\r\n1-0:71.7.0(000.00*A)\r\n");
    assert_line("1-0:21.7.0(00.420*kW)\r\n1-0:41.7.0(00.000*kW)\r\n1-0:61.7.0(00.000*kW)\r\n"
                "1-0:22.7.0(00.000*kW)\r\n");
}

static void what_three_phases_do_not_say_stays_unknown(void **unused)
{
    (void)unused;
    set(Q_METER_CURRENT_L1, 1000);
    set(Q_METER_CURRENT_L3, 2000);
    write_given();
    assert_no_line("1-0:51.7.0");
    assert_no_line("1-0:32.7.0");
    assert_no_line("1-0:21.7.0");
}

/* ---- TIC --------------------------------------------------------------------------------------- */

static void start_tic(uint8_t phases)
{
    given.standard = STANDARD_TIC;
    given.phases = phases;
    given.meter_time_s = NOON_S;
    set(Q_ENERGY_IMPORT, 7654321);
    set(Q_TARIFF, 7);
}

static void a_single_phase_linky(void **unused)
{
    (void)unused;
    start_tic(1);
    set(Q_APPARENT_IMPORT, 690);
    set(Q_METER_VOLTAGE_L1, 230000);
    set(Q_METER_CURRENT_L1, 3000);
    write_given();
    assert_line("0-0:1.0.0(260715140000S)\r\n");
    assert_line("1-0:1.8.0(007654.321*kWh)\r\n0-0:96.14.0(0007)\r\n1-0:1.7.0(00.690*kW)\r\n"
                "1-0:2.7.0(00.000*kW)\r\n");
    assert_line("1-0:21.7.0(00.690*kW)\r\n");
    assert_line("1-0:62.7.0(00.000*kW)\r\n");
    assert_no_line("1-0:2.8.0");
}

static void a_single_phase_linky_that_exports(void **unused)
{
    (void)unused;
    start_tic(1);
    set(Q_APPARENT_IMPORT, 0);
    set(Q_APPARENT_EXPORT, 1500);
    set(Q_METER_CURRENT_L1, 7000);
    write_given();
    assert_line("1-0:2.7.0(01.500*kW)\r\n");
    assert_line("1-0:21.7.0(00.000*kW)\r\n");
    assert_line("1-0:22.7.0(01.500*kW)\r\n");
}

/* Its export is unknown, as it has no export registers. */
static void a_consumers_linky_that_exports(void **unused)
{
    (void)unused;
    start_tic(1);
    set(Q_APPARENT_IMPORT, 0);
    set(Q_METER_CURRENT_L1, 7000);
    set(Q_TIC_STATUS, TIC_STGE_EXPORTING);
    write_given();
    assert_line("1-0:1.7.0(00.000*kW)\r\n");
    assert_true(given.export_unmeasured);
    assert_no_line("1-0:2.7.0");
    assert_no_line("1-0:22.7.0");
}

static void a_phase_of_a_linky_that_exports_is_unknown(void **unused)
{
    (void)unused;
    start_tic(3);
    set(Q_APPARENT_IMPORT, 500);
    for (int n = 0; n < 3; n++) {
        set((enum quantity)(Q_APPARENT_IMPORT_L1 + n), n * 400);
        set((enum quantity)(Q_METER_CURRENT_L1 + n), 2000);
    }
    write_given();
    assert_line("1-0:21.7.0(00.000*kW)\r\n1-0:41.7.0(00.400*kW)\r\n");
    assert_no_line("1-0:22.7.0");
    assert_line("1-0:42.7.0(00.000*kW)\r\n");
}

/* ---- times, texts and sizes -------------------------------------------------------------------- */

static void the_season_is_that_of_the_eu(void **unused)
{
    static const struct {
        int64_t utc_s;
        const char *line;
    } times[] = {
        {1774745999, "0-0:1.0.0(260329015959W)"}, {1774746000, "0-0:1.0.0(260329030000S)"},
        {1792889999, "0-0:1.0.0(261025025959S)"}, {1792890000, "0-0:1.0.0(261025020000W)"},
        {1711846800, "0-0:1.0.0(240331030000S)"}, {1711846799, "0-0:1.0.0(240331015959W)"},
        {1743296400, "0-0:1.0.0(250330030000S)"}, {1761440400, "0-0:1.0.0(251026020000W)"},
        {1767225599, "0-0:1.0.0(260101005959W)"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        given.meter_time_s = times[i].utc_s;
        write_given();
        assert_line(times[i].line);
        assert_int_equal(seen.reading.meter_time_s, times[i].utc_s);
    }
}

static void no_time_is_no_line_and_the_gateways_helps(void **unused)
{
    (void)unused;
    write_given();
    assert_no_line("0-0:1.0.0");
    given.received_s = NOON_S;
    write_given();
    assert_line("0-0:1.0.0(260715140000S)");
    given.received_s = INT64_MAX;
    write_given();
    assert_no_line("0-0:1.0.0");
}

static void an_identification_never_looks_like_a_begin_or_an_end(void **unused)
{
    static const uint8_t telegram[] = "/ABC5/DEF5!\x80\x01 x";
    (void)unused;
    given.text[TEXT_IDENTIFICATION] = (struct reading_text){1, sizeof telegram - 2};
    write_and_read(&given, telegram, sizeof telegram - 1);
    assert_memory_equal(written, "/ABC5_DEF5___ x\r\n\r\n", 19);
}

static void the_longest_of_everything_fits(void **unused)
{
    static uint8_t telegram[512];
    (void)unused;
    memset(telegram, 'A', sizeof telegram);
    for (int q = 0; q < Q_N; q++)
        set((enum quantity)q, READING_VALUE_MAX);
    for (int id = 0; id < TEXT_N; id++)
        given.text[id] = (struct reading_text){0, sizeof telegram};
    for (int i = 0; i < READING_MBUS_N; i++)
        given.mbus[i] = (struct reading_mbus){
            .value = INT64_MAX, .time_s = NOON_S, .unit = MBUS_UNIT_DM3, .medium = 255};
    given.meter_time_s = given.peak_time_s = NOON_S;
    size_t n = p1_write(&given, WINTER, telegram, sizeof telegram, written);
    assert_true(n < P1_WRITE_MAX - 1);
    assert_string_equal(written + n - 2, "\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_dialect_says_the_same_in_dsmr_5, list_files),
        cmocka_unit_test(what_is_written_again_is_the_same),
        cmocka_unit_test_setup(nothing_known_is_a_telegram_that_says_nothing, start_with_nothing),
        cmocka_unit_test_setup(a_net_power_becomes_import_and_export, start_with_nothing),
        cmocka_unit_test_setup(totals_are_added, start_with_nothing),
        cmocka_unit_test_setup(a_total_without_tariffs_is_in_the_first, start_with_nothing),
        cmocka_unit_test_setup(a_damaged_object_may_be_the_tariff, start_with_nothing),
        cmocka_unit_test_setup(a_single_phase_has_all_power_and_the_others_none, start_with_nothing),
        cmocka_unit_test_setup(what_three_phases_do_not_say_stays_unknown, start_with_nothing),
        cmocka_unit_test_setup(a_single_phase_linky, start_with_nothing),
        cmocka_unit_test_setup(a_single_phase_linky_that_exports, start_with_nothing),
        cmocka_unit_test_setup(a_consumers_linky_that_exports, start_with_nothing),
        cmocka_unit_test_setup(a_phase_of_a_linky_that_exports_is_unknown, start_with_nothing),
        cmocka_unit_test_setup(the_season_is_that_of_the_eu, start_with_nothing),
        cmocka_unit_test_setup(no_time_is_no_line_and_the_gateways_helps, start_with_nothing),
        cmocka_unit_test_setup(an_identification_never_looks_like_a_begin_or_an_end,
                               start_with_nothing),
        cmocka_unit_test_setup(the_longest_of_everything_fits, start_with_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
