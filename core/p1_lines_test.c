/* p1_lines_test.c - telegrams by lines, with a buffer that holds no telegram; in a small build. */
#include "p1_kit_test.h"

#include <stdio.h>
#include <string.h>

/* ---- the files ---- */

/* A sender at 7 bits, and telegrams without a CRC: a P1MB is for DSMR 4 and later. */
static bool is_for_others(const char *name)
{
    return is_seven_bit_file(name) || strncmp(name, "dsmr2", 5) == 0 ||
           strncmp(name, "dsmr3", 5) == 0 || strcmp(name, "netherlands_heat") == 0;
}

/* What a P1MB does not show is not decoded. */
static bool is_left_out(enum quantity q)
{
    return (q >= Q_VOLTAGE_SAGS_L1 && q <= Q_VOLTAGE_SWELLS_L3) ||
           (q >= Q_POWER_FAILURES && q <= Q_LONG_POWER_FAILURES) ||
           (q >= Q_REACTIVE_ENERGY_Q1 && q <= Q_REACTIVE_ENERGY_Q4) ||
           (q >= Q_BREAKER && q <= Q_FUSE_EXPORT);
}

/* What `expected` says of a quantity. */
static bool find_expected(const struct bytes *expected, enum quantity q, long long *value)
{
    char format[80];
    int n = snprintf(format, sizeof format, "\n%s ", quantities[q].name);
    const char *at = strstr((const char *)expected->p, format);
    assert_true(n > 0 && (size_t)n < sizeof format);
    if (!at)
        return false;
    assert_int_equal(sscanf(at + n, "%lld", value), 1);
    return true;
}

static void check_values(const char *name)
{
    static struct bytes expected;
    load(name, "expected", &expected);
    for (int i = 0; i < READING_VALUES_N; i++) {
        enum quantity q = (enum quantity)i;
        long long value = 0;
        bool is_wanted = find_expected(&expected, q, &value) && !is_left_out(q);
        if (reading_has(&seen.reading, q) != is_wanted ||
            (is_wanted && seen.reading.value[q] != value))
            fail_msg("%s: %s is not %lld", name, quantities[q].name, value);
    }
}

static void files_decode_to_the_same_numbers(void **state)
{
    static struct bytes t;
    (void)state;
    for (size_t i = 0; i < good_n; i++) {
        load(good_files[i], "txt", &t);
        run(t.p, t.n, ALL_AT_ONCE);
        if (is_for_others(good_files[i])) {
            assert_int_equal(seen.events[P1_TELEGRAM], 0);
            continue;
        }
        assert_counts(1, 0, 0);
        check_values(good_files[i]);
        for (size_t chunk = 1; chunk < 200; chunk += 7) {
            run(t.p, t.n, chunk);
            assert_counts(1, 0, 0);
            check_values(good_files[i]);
        }
    }
}

/* ---- damage ---- */

static void cut_anywhere_only_the_next_telegram_counts(void **state)
{
    static struct bytes t, cut;
    (void)state;
    load("dsmr50_three_phase", "txt", &t);
    for (size_t n = 1; n < t.n - 2; n++) { /* without CR LF it is whole */
        cut.n = 0;
        append(&cut, t.p, n);
        run(cut.p, cut.n, ALL_AT_ONCE);
        /* so few bytes are no telegram yet */
        assert_counts(0, 0, n > 3);
        append_string(&cut, "\r\n");
        append(&cut, t.p, t.n);
        append(&cut, t.p, t.n);
        run(cut.p, cut.n, ALL_AT_ONCE);
        assert_in_range(seen.events[P1_TELEGRAM], 1, 2);
        check_values("dsmr50_three_phase");
    }
}

/* With the next one right behind, as no other place is: a '/' cannot be a digit. */
static void cut_in_its_crc_costs_no_other_telegram(void **state)
{
    static struct bytes t, cut;
    (void)state;
    load("dsmr50_three_phase", "txt", &t);
    for (size_t digits = 0; digits < 4; digits++)
        for (size_t chunk = 1; chunk < 200; chunk += 7) {
            cut.n = 0;
            append(&cut, t.p, t.n - strlen("1234\r\n") + digits);
            append(&cut, t.p, t.n);
            run(cut.p, cut.n, chunk);
            assert_counts(1, 1, 0);
            assert_int_equal(stream.stats.telegrams_bad_crc, 1);
            assert_int_equal(stream.stats.bytes_skipped, 0);
            check_values("dsmr50_three_phase");
        }
}

static void a_flipped_bit_loses_one_telegram(void **state)
{
    static struct bytes t, b;
    (void)state;
    load("emucs14_single_phase", "txt", &t);
    for (size_t i = 0; i < t.n - 2; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            b = t;
            b.p[i] ^= (uint8_t)(1u << bit);
            append(&b, t.p, t.n);
            append(&b, t.p, t.n);
            run(b.p, b.n, ALL_AT_ONCE);
            /* upper and lower case of a CRC's digit are the same to us */
            bool is_digit = i >= t.n - 6 && bit == 5;
            assert_in_range(seen.events[P1_TELEGRAM], 1, is_digit ? 3 : 2);
            check_values("emucs14_single_phase");
        }
}

static void noise_before_a_telegram_is_skipped(void **state)
{
    static const char *const noise[] = {
        "\xff\x00!0000", "/", "//", "/a", "/ab/", "garbage\r\n", "1-0:1.7.0(9*kW)\r\n!"};
    (void)state;
    for (size_t i = 0; i < sizeof noise / sizeof noise[0]; i++) {
        const struct bytes *t = telegram("1-0:1.7.0(00.273*kW)\r\n");
        start_stream();
        feed_string(noise[i]);
        feed(t->p, t->n, 1);
        assert_counts(1, 0, 0);
        assert_int_equal(seen.reading.value[Q_POWER_IMPORT], 273);
    }
}

static void a_start_gives_up_what_was_open(void **state)
{
    (void)state;
    start_stream();
    feed_string("/TST5 meter\r\n\r\n1-0:1.7.0(09.000*kW)\r\n");
    const struct bytes *t = telegram("1-0:2.7.0(00.273*kW)\r\n");
    feed(t->p, t->n, 1);
    assert_counts(1, 0, 1);
    assert_false(reading_has(&seen.reading, Q_POWER_IMPORT));
    assert_int_equal(seen.reading.value[Q_POWER_EXPORT], 273);
}

static void silence_gives_up_what_was_open(void **state)
{
    (void)state;
    start_stream();
    feed_string("/TST5 meter\r\n\r\n1-0:1.7.0(09.000*kW)\r\n");
    note(p1_silence(&stream));
    feed_string("1-0:2.7.0(00.273*kW)\r\n!0000\r\n");
    note(p1_silence(&stream));
    assert_counts(0, 0, 1);
}

/* ---- lines ---- */

/* A line that fills the buffer, or is longer, is not decoded; what stands behind it is. */
static void long_lines_are_skipped(void **state)
{
    (void)state;
    for (int n = BUFFER_MAX - 40; n < 3 * BUFFER_MAX; n++) {
        static char lines[1000];
        snprintf(lines, sizeof lines, "1-0:1.7.0(00.001*kW)%*s\r\n1-0:2.7.0(00.273*kW)\r\n", n, "");
        decode(lines);
        assert_int_equal(reading_has(&seen.reading, Q_POWER_IMPORT), n + 22 <= BUFFER_MAX);
        assert_int_equal(seen.reading.value[Q_POWER_EXPORT], 273);
    }
}

static void continued_lines_are_no_objects(void **state)
{
    (void)state;
    decode("0-1:24.3.0(120517020000)(08)(60)(1)(0-1:24.2.1)(m3)\r\n(00124.477)\r\n1-0:1.7.0(00.273*"
           "kW)\r\n");
    assert_int_equal(seen.reading.object_errors, 0);
    assert_int_equal(seen.reading.value[Q_POWER_IMPORT], 273);
}

/* ---- numbers ---- */

/* As the whole core has it: p1_objects_test.c. */
static void references_are_as_printed(void **state)
{
    static const struct {
        const char *reference;
        bool is_import;
        unsigned errors;
    } cases[] = {
        {"1.7.0", true, 0},       {"1.7.0.255", true, 0},   {"1.7.0*255", true, 0},
        {"1.7.0*", true, 0},      {"1.7.0.x/z", true, 0},   {"1x7x0", false, 0},
        {"1:7:0", false, 0},      {"1.7x0", false, 0},      {"1.7.0x", false, 0},
        {"1.7.0-", false, 0},     {"01.7.0", false, 0},     {"1.07.0", false, 0},
        {"1.7.00", false, 0},     {"001-07/0", false, 0},   {"1.7.", false, 0},
        {"1.7", false, 0},        {".1.7.0", false, 0},     {"1..7.0", false, 0},
        {"1.263.0", false, 0},    {"257.7.0", false, 0},    {"1.7.256", false, 0},
        {"x.7.0", false, 0},      {"12345678", false, 0},   {"123456789", false, 1},
        {"1.7.0 ", false, 1},     {"1.7.0 junk", false, 1}, {"1. 7.0", false, 1},
        {"1.7.0.2555", false, 1}, {"1.7.0.0.0", true, 0},   {"1.7.0.0.0.0", false, 1},
        {"", false, 1},           {"*255", false, 1},       {"4294967297.7.0", false, 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "1-0:%s(00.273*kW)\r\n", cases[i].reference);
        decode(lines);
        if (reading_has(&seen.reading, Q_POWER_IMPORT) != cases[i].is_import ||
            seen.reading.object_errors != cases[i].errors)
            fail_msg("%s: %u errors", cases[i].reference, seen.reading.object_errors);
    }
}

/* Values have 32 bits: what does not fit is unknown, never another number. */
static void values_that_do_not_fit_are_unknown(void **state)
{
    static const struct {
        const char *printed;
        long long value; /* -1: unknown */
    } cases[] = {
        {"(999999.999*kWh)", 999999999},
        {"(2147483.647*kWh)", 2147483647},
        {"(2147483.648*kWh)", -1},
        {"(4294967.297*kWh)", -1},
        {"(9999999999*kWh)", -1},
        {"(2147483*kWh)", 2147483000},
        {"(2147484*kWh)", -1},
        {"(0000000000001*Wh)", 1},
        {"(1.23456789*kWh)", 1235},
        {"(99999999999999999999*Wh)", -1},
        {"(12.5*Wh)", 13},
        {"(12.4999*Wh)", 12},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "1-0:1.8.0%s\r\n", cases[i].printed);
        decode(lines);
        assert_int_equal(reading_has(&seen.reading, Q_ENERGY_IMPORT), cases[i].value >= 0);
        assert_int_equal(seen.reading.object_errors, cases[i].value < 0);
        if (cases[i].value >= 0)
            assert_int_equal(seen.reading.value[Q_ENERGY_IMPORT], cases[i].value);
    }
}

static void units_decide(void **state)
{
    static const struct {
        const char *line;
        enum quantity q;
        long long value; /* -1: unknown */
    } cases[] = {
        {"1-0:1.7.0(273*W)", Q_POWER_IMPORT, 273},
        {"1-0:1.7.0(00.273*kW)", Q_POWER_IMPORT, 273},
        {"1-0:1.7.0(00.273 KW)", Q_POWER_IMPORT, 273},
        {"1-0:1.7.0(00.273*kWh)", Q_POWER_IMPORT, -1},
        {"1-0:1.7.0(00.273*kvar)", Q_POWER_IMPORT, -1},
        {"1-0:1.7.0(00.273*k)", Q_POWER_IMPORT, -1},
        {"1-0:1.7.0(00.273)", Q_POWER_IMPORT, -1},
        {"1-0:1.7.0(00.273*kkW)", Q_POWER_IMPORT, -1},
        {"1-0:1.7.0(-00.273*kW)", Q_POWER_IMPORT, -1},
        {"1-0:1.7.0(273*\xD7)", Q_POWER_IMPORT, -1}, /* W and w with the bit that stands for k */
        {"1-0:1.7.0(273*\xF7)", Q_POWER_IMPORT, -1},
        {"1-0:1.8.0(5*\xD7h)", Q_ENERGY_IMPORT, -1},
        {"1-0:1.8.0(5*k\xD7h)", Q_ENERGY_IMPORT, -1},
        {"1-0:1.8.0(5*w\xE8)", Q_ENERGY_IMPORT, -1},
        {"1-0:3.8.0(12.345*kvarh)", Q_REACTIVE_ENERGY_IMPORT, 12345},
        {"1-0:3.8.0(12*varh)", Q_REACTIVE_ENERGY_IMPORT, 12},
        {"1-0:32.7.0(230.1*V)", Q_METER_VOLTAGE_L1, 230100},
        {"1-0:32.7.0(10*kV)", Q_METER_VOLTAGE_L1, 10000000},
        {"1-0:32.7.0(61*kV)", Q_METER_VOLTAGE_L1, -1},
        {"1-0:31.7.0(16*A)", Q_METER_CURRENT_L1, 16000},
        {"1-0:14.7.0(49.98*Hz)", Q_FREQUENCY, 49980},
        {"0-0:96.14.0(0002)", Q_TARIFF, 2},
        {"0-0:96.14.0(0002*k)", Q_TARIFF, -1},
        {"1-0:13.7.0(0.97)", Q_POWER_FACTOR, 970},
        {"1-0:1.6.0(260105120000W)(06.134*kW)", Q_DEMAND_MONTH_PEAK, 6134},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char lines[80];
        snprintf(lines, sizeof lines, "%s\r\n", cases[i].line);
        decode(lines);
        if (reading_has(&seen.reading, cases[i].q) != (cases[i].value >= 0) ||
            (cases[i].value >= 0 && seen.reading.value[cases[i].q] != cases[i].value))
            fail_msg("%s", cases[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_decode_to_the_same_numbers),
        cmocka_unit_test(cut_anywhere_only_the_next_telegram_counts),
        cmocka_unit_test(cut_in_its_crc_costs_no_other_telegram),
        cmocka_unit_test(a_flipped_bit_loses_one_telegram),
        cmocka_unit_test(noise_before_a_telegram_is_skipped),
        cmocka_unit_test(a_start_gives_up_what_was_open),
        cmocka_unit_test(silence_gives_up_what_was_open),
        cmocka_unit_test(long_lines_are_skipped),
        cmocka_unit_test(continued_lines_are_no_objects),
        cmocka_unit_test(references_are_as_printed),
        cmocka_unit_test(values_that_do_not_fit_are_unknown),
        cmocka_unit_test(units_decide),
    };
    return cmocka_run_group_tests(tests, list_files, NULL);
}
