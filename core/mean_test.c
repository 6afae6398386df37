/* mean_test.c - many readings as one. */
#include "derive_kit_test.h"
#include "mean.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The mean of n readings that are all the same kind of telegram. */
static struct reading mean_of(const struct reading *readings, size_t n)
{
    struct mean m;
    struct reading mean = readings[n - 1];
    mean_clear(&m);
    for (size_t i = 0; i < n; i++)
        mean_add(&m, &readings[i]);
    assert_int_equal(m.readings, n);
    mean_take(&m, &mean);
    return mean;
}

#define MEAN(...) \
    mean_of((const struct reading[]){__VA_ARGS__}, COUNT(((const struct reading[]){__VA_ARGS__})))

static struct reading tic(const struct given *given)
{
    struct derive_state state = {0};
    struct reading r = reading_of(STANDARD_TIC, given);
    r.phases = 1;
    derive(&r, &defaults, &state);
    return r;
}

/* --- what is averaged ------------------------------------------------------------------------- */

static void the_momentary_is_averaged_and_the_rest_is_the_latest(void **unused)
{
    (void)unused;
    struct reading a =
        p1(GIVEN({Q_POWER_IMPORT, 100}, {Q_METER_VOLTAGE_L1, 230000}, {Q_METER_CURRENT_L1, 4000},
                 {Q_FREQUENCY, 49980}, {Q_ENERGY_IMPORT, 1000}, {Q_TARIFF, 1},
                 {Q_DEMAND_QUARTER, 500}, {Q_DEMAND_MONTH_PEAK, 2000}, {Q_FUSE_L1, 25000}));
    struct reading b =
        p1(GIVEN({Q_POWER_IMPORT, 300}, {Q_METER_VOLTAGE_L1, 231000}, {Q_METER_CURRENT_L1, 6000},
                 {Q_FREQUENCY, 50000}, {Q_ENERGY_IMPORT, 1010}, {Q_TARIFF, 2},
                 {Q_DEMAND_QUARTER, 900}, {Q_DEMAND_MONTH_PEAK, 2500}, {Q_FUSE_L1, 40000}));
    a.meter_time_s = 1780396069;
    b.meter_time_s = 1780396070;
    b.mbus[0].value = 77;
    struct reading r = MEAN(a, b);
    assert_known(&r, Q_POWER, 200);
    assert_known(&r, Q_POWER_IMPORT, 200);
    assert_known(&r, Q_APPARENT, 200);
    assert_known(&r, Q_VOLTAGE_L1, 230500);
    assert_known(&r, Q_METER_CURRENT_L1, 5000);
    assert_known(&r, Q_FREQUENCY, 49990);
    assert_known(&r, Q_ENERGY_IMPORT, 1010);
    assert_known(&r, Q_TARIFF, 2);
    assert_known(&r, Q_DEMAND_QUARTER, 900);
    assert_known(&r, Q_DEMAND_MONTH_PEAK, 2500);
    assert_known(&r, Q_FUSE_L1, 40000);
    assert_int_equal(r.meter_time_s, 1780396070);
    assert_int_equal(r.mbus[0].value, 77);
}

static void what_the_meter_averages_itself_is_not_momentary(void **unused)
{
    static const uint8_t momentary[] = {
        Q_POWER,       Q_POWER_EXPORT_L3, Q_REACTIVE_Q4, Q_APPARENT_IMPORT_L2, Q_POWER_FACTOR,
        Q_FREQUENCY,   Q_CURRENT_NEUTRAL, Q_CURRENT_L1,  Q_METER_CURRENT_L3,   Q_VOLTAGE_MEAN_LL,
        Q_VOLTAGE_L12, Q_LINE_VOLTAGE_L31};
    static const uint8_t others[] = {Q_ENERGY_IMPORT,
                                     Q_REACTIVE_ENERGY_Q1,
                                     Q_VOLTAGE_SAGS_L1,
                                     Q_POWER_FAILURES,
                                     Q_LIMITER_W,
                                     Q_LIMITER_VA,
                                     Q_FUSE_L1,
                                     Q_FUSE_EXPORT,
                                     Q_DEMAND_QUARTER,
                                     Q_DEMAND_MONTH_PEAK,
                                     Q_IMPORT_MAX_TODAY,
                                     Q_EXPORT_MAX_YESTERDAY,
                                     Q_LOAD_CURVE_IMPORT,
                                     Q_LOAD_CURVE_EXPORT_PREV,
                                     Q_VOLTAGE_10MIN_L1,
                                     Q_CONTRACT_POWER,
                                     Q_TARIFF,
                                     Q_TIC_STATUS};
    (void)unused;
    for (size_t i = 0; i < COUNT(momentary); i++)
        assert_true(mean_is_momentary((enum quantity)momentary[i]));
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(mean_is_momentary((enum quantity)others[i]));
}

static void only_readings_that_know_a_value_count(void **unused)
{
    (void)unused;
    struct reading r = MEAN(p1(GIVEN({Q_POWER_IMPORT, 100}, {Q_FREQUENCY, 50000})),
                            p1(GIVEN({Q_POWER_IMPORT, 200})),
                            p1(GIVEN({Q_POWER_IMPORT, 600}, {Q_FREQUENCY, 50100})));
    assert_known(&r, Q_POWER_IMPORT, 300);
    assert_known(&r, Q_FREQUENCY, 50050);
}

static void what_the_latest_does_not_know_is_unknown(void **unused)
{
    (void)unused;
    struct reading r = MEAN(p1(GIVEN({Q_POWER_IMPORT, 100}, {Q_FREQUENCY, 50000})),
                            p1(GIVEN({Q_POWER_IMPORT, 200})));
    assert_known(&r, Q_POWER_IMPORT, 150);
    assert_unknown(&r, Q_FREQUENCY);
}

static void halves_round_away_from_zero(void **unused)
{
    static const struct {
        int64_t values[3];
        size_t n;
        int64_t mean;
    } rows[] = {{{1, 2}, 2, 2},        {{-1, -2}, 2, -2}, {{0, 1}, 2, 1},   {{0, -1}, 2, -1},
                {{1, 1, 2}, 3, 1},     {{1, 2, 2}, 3, 2}, {{-1, 1}, 2, 0},  {{-1, -1, -2}, 3, -1},
                {{-1, -2, -2}, 3, -2}, {{7}, 1, 7},       {{-3, 2}, 2, -1}, {{0, 0, 1}, 3, 0}};
    (void)unused;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reading readings[3];
        for (size_t k = 0; k < rows[i].n; k++)
            readings[k] = reading_of(STANDARD_P1, GIVEN({Q_CURRENT_L1, rows[i].values[k]}));
        struct reading r = mean_of(readings, rows[i].n);
        assert_known(&r, Q_CURRENT_L1, rows[i].mean);
    }
}

static void a_mean_begins_anew(void **unused)
{
    (void)unused;
    struct mean m;
    struct reading r = p1(GIVEN({Q_POWER_IMPORT, 1000}));
    mean_clear(&m);
    mean_add(&m, &r);
    mean_clear(&m);
    r = p1(GIVEN({Q_POWER_IMPORT, 10}));
    mean_add(&m, &r);
    assert_int_equal(m.readings, 1);
    mean_take(&m, &r);
    assert_known(&r, Q_POWER_IMPORT, 10);
}

static void the_mean_of_none_is_the_reading_itself(void **unused)
{
    (void)unused;
    struct mean m;
    struct reading before = p1(GIVEN({Q_POWER_IMPORT, 1000}, {Q_REACTIVE_IMPORT, 300}));
    struct reading r = before;
    mean_clear(&m);
    mean_take(&m, &r);
    assert_same(&before, &r);
}

/* --- import minus export ---------------------------------------------------------------------- */

static struct reading through_zero(int64_t import, int64_t export)
{
    return p1(GIVEN({Q_POWER_IMPORT, import}, {Q_POWER_EXPORT, export}, {Q_POWER_IMPORT_L1, import},
                    {Q_POWER_EXPORT_L1, export}, {Q_REACTIVE_IMPORT, import},
                    {Q_REACTIVE_EXPORT, export}));
}

/* 100.5 - 0.25 is 100.25, but the parts that are shown are 101 and 0. */
static void power_stays_import_minus_export(void **unused)
{
    static const uint8_t sets[][3] = {{Q_POWER, Q_POWER_IMPORT, Q_POWER_EXPORT},
                                      {Q_POWER_L1, Q_POWER_IMPORT_L1, Q_POWER_EXPORT_L1},
                                      {Q_REACTIVE, Q_REACTIVE_IMPORT, Q_REACTIVE_EXPORT}};
    (void)unused;
    struct reading r =
        MEAN(through_zero(201, 0), through_zero(201, 0), through_zero(0, 1), through_zero(0, 0));
    for (size_t i = 0; i < COUNT(sets); i++) {
        assert_known(&r, (enum quantity)sets[i][0], 101);
        assert_known(&r, (enum quantity)sets[i][1], 101);
        assert_known(&r, (enum quantity)sets[i][2], 0);
    }
}

static void power_of_the_meters_own_is_averaged(void **unused)
{
    (void)unused;
    struct reading r = MEAN(p1(GIVEN({Q_POWER, 90}, {Q_POWER_IMPORT, 100}, {Q_POWER_EXPORT, 0})),
                            p1(GIVEN({Q_POWER, 190}, {Q_POWER_IMPORT, 200}, {Q_POWER_EXPORT, 0})));
    assert_known(&r, Q_POWER, 140);
    assert_known(&r, Q_POWER_IMPORT, 150);
}

static void power_of_tic_is_import_minus_export(void **unused)
{
    (void)unused;
    struct reading r =
        MEAN(tic(GIVEN({Q_APPARENT_IMPORT, 201}, {Q_APPARENT_EXPORT, 0}, {Q_TIC_STATUS, 0x100})),
             tic(GIVEN({Q_APPARENT_IMPORT, 201}, {Q_APPARENT_EXPORT, 0}, {Q_TIC_STATUS, 0x100})),
             tic(GIVEN({Q_APPARENT_IMPORT, 0}, {Q_APPARENT_EXPORT, 1}, {Q_TIC_STATUS, 0x100})),
             tic(GIVEN({Q_APPARENT_IMPORT, 0}, {Q_APPARENT_EXPORT, 0}, {Q_TIC_STATUS, 0x100})));
    assert_known(&r, Q_POWER_IMPORT, 101);
    assert_known(&r, Q_POWER_EXPORT, 0);
    assert_known(&r, Q_POWER, 101);
    assert_known(&r, Q_APPARENT, 101); /* 201 + 201 + 1 + 0, of 4 */
    assert_unknown(&r, Q_POWER_FACTOR);
}

/* --- power factor ----------------------------------------------------------------------------- */

static struct reading active(int64_t import, int64_t export)
{
    return p1(GIVEN({Q_POWER_IMPORT, import}, {Q_POWER_EXPORT, export}));
}

static void power_factor_is_the_sign_of_the_mean_power(void **unused)
{
    (void)unused;
    struct reading r = MEAN(active(1000, 0), active(0, 400));
    assert_known(&r, Q_POWER, 300);
    assert_known(&r, Q_POWER_FACTOR, 1000);
    assert_known(&r, Q_APPARENT, 700);
    r = MEAN(active(1000, 0), active(0, 1400));
    assert_known(&r, Q_POWER_FACTOR, -1000);
    r = MEAN(active(1000, 0), active(0, 1000));
    assert_known(&r, Q_POWER, 0);
    assert_unknown(&r, Q_POWER_FACTOR);
    r = MEAN(active(1000, 0), active(0, 0)); /* the latest has none */
    assert_known(&r, Q_POWER_FACTOR, 1000);
}

static struct reading reactive(int64_t import, int64_t export, int64_t var)
{
    return p1(GIVEN({Q_POWER_IMPORT, import}, {Q_POWER_EXPORT, export}, {Q_REACTIVE_IMPORT, var},
                    {Q_REACTIVE_EXPORT, 0}, {Q_POWER_IMPORT_L1, import}, {Q_POWER_EXPORT_L1, export},
                    {Q_REACTIVE_IMPORT_L1, var}, {Q_REACTIVE_EXPORT_L1, 0}));
}

static void power_factor_is_the_quotient_of_the_means(void **unused)
{
    (void)unused;
    /* 300 W of 500 VA and -800 W of 1000 VA: 0.6 and -0.8 would be -0.1 */
    struct reading r = MEAN(reactive(300, 0, 400), reactive(0, 800, 600));
    assert_known(&r, Q_APPARENT, 750);
    assert_known(&r, Q_POWER_FACTOR, -333); /* -250 / 750 */
    assert_known(&r, Q_POWER_FACTOR_L1, -333);
    r = MEAN(reactive(0, 0, 0), reactive(0, 0, 0));
    assert_unknown(&r, Q_POWER_FACTOR);
    assert_unknown(&r, Q_POWER_FACTOR_L1);
}

static void power_factor_of_the_meters_own_is_averaged(void **unused)
{
    (void)unused;
    struct reading r =
        MEAN(p1(GIVEN({Q_POWER_IMPORT, 1000}, {Q_POWER_FACTOR, 900}, {Q_POWER_FACTOR_L2, 700})),
             p1(GIVEN({Q_POWER_IMPORT, 3000}, {Q_POWER_FACTOR, 951}, {Q_POWER_FACTOR_L2, 710})));
    assert_known(&r, Q_POWER_FACTOR, 926);
    assert_known(&r, Q_POWER_FACTOR_L2, 705);
}

/* --- properties ------------------------------------------------------------------------------- */

static struct reading random_derived(uint64_t i)
{
    uint64_t seed = i * UINT64_C(0x9E3779B97F4A7C15);
    const struct derive_state state = {0};
    struct reading r = random_reading(seed, INT64_C(-123456789012));
    derive_randomly(&r, seed, &state);
    return r;
}

static void equal_readings_are_their_own_mean(void **unused)
{
    (void)unused;
    for (uint64_t i = 1; i <= 5000; i++) {
        struct reading readings[7];
        for (size_t k = 0; k < COUNT(readings); k++)
            readings[k] = random_derived(i);
        struct reading r = mean_of(readings, 1 + i % COUNT(readings));
        assert_same(&readings[0], &r);
    }
}

/* A quantity that another rule than averaging may have changed. */
static bool is_consequence(int q)
{
    return q == Q_POWER || q == Q_REACTIVE || (q >= Q_POWER_L1 && q <= Q_POWER_L3) ||
           (q >= Q_REACTIVE_L1 && q <= Q_REACTIVE_L3) || q == Q_POWER_FACTOR ||
           (q >= Q_POWER_FACTOR_L1 && q <= Q_POWER_FACTOR_L3);
}

static void assert_between(const struct reading *r, const struct reading *readings, size_t n, int q)
{
    int64_t least = INT64_MAX, most = INT64_MIN;
    for (size_t k = 0; k < n; k++) {
        int64_t value = readings[k].value[q];
        if (!reading_has(&readings[k], (enum quantity)q))
            continue;
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    assert_true(r->value[q] >= least && r->value[q] <= most);
}

static void a_mean_lies_between_its_readings(void **unused)
{
    (void)unused;
    for (uint64_t i = 1; i <= 5000; i++) {
        struct reading readings[5];
        for (size_t k = 0; k < COUNT(readings); k++)
            readings[k] = random_derived(i * COUNT(readings) + k);
        const struct reading *latest = &readings[COUNT(readings) - 1];
        struct reading r = mean_of(readings, COUNT(readings));
        for (int q = 0; q < Q_N; q++) {
            if (is_consequence(q))
                continue;
            assert_int_equal(reading_has(&r, (enum quantity)q),
                             reading_has(latest, (enum quantity)q));
            if (reading_has(&r, (enum quantity)q) && mean_is_momentary((enum quantity)q))
                assert_between(&r, readings, COUNT(readings), q);
            else if (reading_has(&r, (enum quantity)q))
                assert_int_equal(r.value[q], latest->value[q]);
        }
        if (reading_has(&r, Q_POWER_FACTOR) && !reading_has(latest, Q_POWER_FACTOR))
            assert_in_range(r.value[Q_POWER_FACTOR] + 1000, 0, 2000);
    }
}

static void sums_hold_a_million_of_the_largest(void **unused)
{
    static const int64_t largest = (INT64_C(1) << 43) - 1;
    (void)unused;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct mean m;
        struct reading r = reading_of(STANDARD_P1, GIVEN({Q_CURRENT_L1, sign * largest}));
        mean_clear(&m);
        for (int i = 0; i < 1 << 20; i++)
            mean_add(&m, &r);
        mean_take(&m, &r);
        assert_known(&r, Q_CURRENT_L1, sign * largest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_momentary_is_averaged_and_the_rest_is_the_latest),
        cmocka_unit_test(what_the_meter_averages_itself_is_not_momentary),
        cmocka_unit_test(only_readings_that_know_a_value_count),
        cmocka_unit_test(what_the_latest_does_not_know_is_unknown),
        cmocka_unit_test(halves_round_away_from_zero),
        cmocka_unit_test(a_mean_begins_anew),
        cmocka_unit_test(the_mean_of_none_is_the_reading_itself),
        cmocka_unit_test(power_stays_import_minus_export),
        cmocka_unit_test(power_of_the_meters_own_is_averaged),
        cmocka_unit_test(power_of_tic_is_import_minus_export),
        cmocka_unit_test(power_factor_is_the_sign_of_the_mean_power),
        cmocka_unit_test(power_factor_is_the_quotient_of_the_means),
        cmocka_unit_test(power_factor_of_the_meters_own_is_averaged),
        cmocka_unit_test(equal_readings_are_their_own_mean),
        cmocka_unit_test(a_mean_lies_between_its_readings),
        cmocka_unit_test(sums_hold_a_million_of_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
