/* derive_test.c - powers, energies, what TIC lacks, and rules that hold for every reading. */
#include "derive_kit_test.h"

/* Like p1(), with one object of the telegram that made no sense. */
static struct reading p1_damaged(const struct given *given)
{
    struct derive_state state = {0};
    struct reading r = reading_of(STANDARD_P1, given);
    r.object_errors = 1;
    derive(&r, &defaults, &state);
    return r;
}

static struct reading tic(uint8_t phases, uint16_t errors, const struct given *given)
{
    struct derive_state state = {0};
    struct reading r = reading_of(STANDARD_TIC, given);
    r.phases = phases;
    r.object_errors = errors;
    derive(&r, &defaults, &state);
    return r;
}

/* --- active power ----------------------------------------------------------------------------- */

static void total_power_is_of_the_meters_totals(void **unused)
{
    (void)unused;
    struct reading r =
        p1(GIVEN({Q_POWER_IMPORT, 0}, {Q_POWER_EXPORT, 4023}, {Q_POWER_IMPORT_L1, 0},
                 {Q_POWER_EXPORT_L1, 2735}, {Q_POWER_IMPORT_L2, 0}, {Q_POWER_EXPORT_L2, 959},
                 {Q_POWER_IMPORT_L3, 10}, {Q_POWER_EXPORT_L3, 364}));
    assert_known(&r, Q_POWER, -4023);
    assert_known(&r, Q_POWER_L1, -2735);
    assert_known(&r, Q_POWER_L2, -959);
    assert_known(&r, Q_POWER_L3, -354);
}

static void total_power_is_never_the_sum_of_phases(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER_IMPORT_L1, 100}, {Q_POWER_IMPORT_L2, 200},
                                {Q_POWER_IMPORT_L3, 300}, {Q_POWER_EXPORT_L1, 0}));
    assert_known(&r, Q_POWER_L1, 100);
    assert_unknown(&r, Q_POWER);
    assert_unknown(&r, Q_POWER_IMPORT);
    assert_unknown(&r, Q_APPARENT);
    assert_unknown(&r, Q_POWER_FACTOR);
}

static void export_that_is_not_sent_is_nothing(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER_IMPORT, 500}, {Q_POWER_IMPORT_L1, 500}));
    assert_known(&r, Q_POWER, 500);
    assert_known(&r, Q_POWER_L1, 500);
    assert_unknown(&r, Q_POWER_EXPORT);
    assert_unknown(&r, Q_POWER_EXPORT_L1);
}

static void export_that_may_have_been_bad_is_unknown(void **unused)
{
    (void)unused;
    struct reading r = p1_damaged(GIVEN({Q_POWER_IMPORT, 0}, {Q_POWER_IMPORT_L1, 0},
                                        {Q_POWER_IMPORT_L2, 7}, {Q_POWER_EXPORT_L2, 0}));
    assert_unknown(&r, Q_POWER);
    assert_unknown(&r, Q_POWER_L1);
    assert_known(&r, Q_POWER_L2, 7);
    r = p1_damaged(GIVEN({Q_POWER_IMPORT, 1}, {Q_POWER_EXPORT, 2}));
    assert_known(&r, Q_POWER, -1);
}

static void export_alone_says_nothing(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER_EXPORT, 500}, {Q_POWER_EXPORT_L1, 500}));
    assert_unknown(&r, Q_POWER);
    assert_unknown(&r, Q_POWER_L1);
}

static void what_the_meter_sends_is_never_replaced(void **unused)
{
    (void)unused;
    struct reading r =
        p1(GIVEN({Q_POWER, -7}, {Q_POWER_IMPORT, 100}, {Q_POWER_L1, -8}, {Q_POWER_IMPORT_L1, 100},
                 {Q_REACTIVE_IMPORT, 5}, {Q_REACTIVE_Q1, 100}, {Q_REACTIVE_Q2, 100},
                 {Q_ENERGY_IMPORT, 9}, {Q_ENERGY_IMPORT_T1, 100}, {Q_POWER_FACTOR, 123},
                 {Q_CURRENT_NEUTRAL, 11}, {Q_METER_CURRENT_L1, 5000}));
    assert_known(&r, Q_POWER, -7);
    assert_known(&r, Q_POWER_L1, -8);
    assert_known(&r, Q_REACTIVE_IMPORT, 5);
    assert_known(&r, Q_ENERGY_IMPORT, 9);
    assert_known(&r, Q_POWER_FACTOR, 123);
    assert_known(&r, Q_CURRENT_NEUTRAL, 11);
}

/* --- reactive power --------------------------------------------------------------------------- */

static void reactive_is_import_minus_export(void **unused)
{
    (void)unused;
    struct reading r =
        p1(GIVEN({Q_REACTIVE_IMPORT, 30}, {Q_REACTIVE_EXPORT, 70}, {Q_REACTIVE_IMPORT_L3, 5},
                 {Q_REACTIVE_EXPORT_L3, 6}, {Q_REACTIVE_EXPORT_L1, 6}));
    assert_known(&r, Q_REACTIVE, -40);
    assert_known(&r, Q_REACTIVE_L3, -1);
    assert_unknown(&r, Q_REACTIVE_L1);
    assert_unknown(&r, Q_REACTIVE_L2);
    r = p1_damaged(
        GIVEN({Q_REACTIVE_IMPORT, 30}, {Q_REACTIVE_IMPORT_L1, 4}, {Q_REACTIVE_EXPORT_L1, 1}));
    assert_unknown(&r, Q_REACTIVE);
    assert_known(&r, Q_REACTIVE_L1, 3);
}

static void reactive_comes_from_quadrants(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_REACTIVE_Q1, 1}, {Q_REACTIVE_Q2, 20}, {Q_REACTIVE_Q3, 300},
                                {Q_REACTIVE_Q4, 4000}));
    assert_known(&r, Q_REACTIVE_IMPORT, 21);
    assert_known(&r, Q_REACTIVE_EXPORT, 4300);
    assert_known(&r, Q_REACTIVE, -4279);
    r = p1(GIVEN({Q_REACTIVE_Q1, 1}, {Q_REACTIVE_Q3, 2}, {Q_REACTIVE_Q4, 3}));
    assert_unknown(&r, Q_REACTIVE_IMPORT);
    assert_known(&r, Q_REACTIVE_EXPORT, 5);
    assert_unknown(&r, Q_REACTIVE);
}

/* --- apparent power --------------------------------------------------------------------------- */

static void apparent_of_the_meter_comes_first(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_APPARENT_IMPORT, 900}, {Q_APPARENT_EXPORT, 0},
                                {Q_POWER_IMPORT, 300}, {Q_REACTIVE_IMPORT, 400}));
    assert_known(&r, Q_APPARENT, 900);
    r = p1(GIVEN({Q_APPARENT_IMPORT, 0}, {Q_APPARENT_EXPORT, 700}));
    assert_known(&r, Q_APPARENT, 700);
    r = p1(GIVEN({Q_APPARENT_IMPORT, 0}, {Q_APPARENT_EXPORT, 0}));
    assert_known(&r, Q_APPARENT, 0);
    r = p1(GIVEN({Q_APPARENT_IMPORT, 0}));
    assert_known(&r, Q_APPARENT, 0);
}

static void apparent_of_the_meter_with_a_bad_half(void **unused)
{
    (void)unused;
    struct reading r = p1_damaged(GIVEN({Q_APPARENT_IMPORT, 1}));
    assert_known(&r, Q_APPARENT, 1); /* the other is 0 then */
    r = p1_damaged(GIVEN({Q_APPARENT_IMPORT, 0}));
    assert_unknown(&r, Q_APPARENT);
    r = p1_damaged(GIVEN({Q_APPARENT_EXPORT, 0}, {Q_APPARENT_EXPORT_L2, 0}));
    assert_unknown(&r, Q_APPARENT);
    assert_unknown(&r, Q_APPARENT_L2);
    r = p1_damaged(GIVEN({Q_APPARENT_EXPORT, 0}, {Q_POWER, 300}, {Q_REACTIVE, -400}));
    assert_known(&r, Q_APPARENT, 500);
}

static void apparent_from_active_and_reactive(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER, -300}, {Q_REACTIVE, 400}, {Q_POWER_L1, 300}));
    assert_known(&r, Q_APPARENT, 500);
    r = p1(GIVEN({Q_POWER, 1}, {Q_REACTIVE, 1})); /* 1.414 */
    assert_known(&r, Q_APPARENT, 1);
    r = p1(GIVEN({Q_POWER, 2}, {Q_REACTIVE, 2})); /* 2.828 */
    assert_known(&r, Q_APPARENT, 3);
    r = p1(GIVEN({Q_POWER, 20000000}, {Q_REACTIVE, -20000000}));
    assert_known(&r, Q_APPARENT, 28284271);
}

static void apparent_from_phases_as_the_manual_has_it(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER, -4023}, {Q_POWER_L1, -2735}, {Q_POWER_L2, 959},
                                {Q_POWER_L3, -364}, {Q_REACTIVE_L1, 5}));
    assert_known(&r, Q_APPARENT, 4058);
    r = p1(GIVEN({Q_POWER, -230}, {Q_POWER_L1, -231}, {Q_METER_CURRENT_L1, 1000}));
    assert_known(&r, Q_APPARENT, 231);
    r = p1(GIVEN({Q_POWER, -4023}));
    assert_known(&r, Q_APPARENT, 4023);
}

static void apparent_is_of_the_total_where_a_phase_is_unknown(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER, -4023}, {Q_POWER_L1, -2735}, {Q_POWER_L2, -959},
                                {Q_METER_CURRENT_L3, 1000}));
    assert_known(&r, Q_APPARENT, 4023);
    r = p1_damaged(GIVEN({Q_POWER, -4023}, {Q_POWER_L1, -2735}, {Q_POWER_IMPORT_L2, 0}));
    assert_known(&r, Q_APPARENT, 4023);
}

static void apparent_of_a_phase(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_APPARENT_IMPORT_L1, 50}, {Q_POWER_L1, 3}, {Q_REACTIVE_L1, 4},
                                {Q_POWER_L2, 3}, {Q_REACTIVE_L2, -4}, {Q_POWER_L3, 364},
                                {Q_METER_VOLTAGE_L3, 230000}, {Q_METER_CURRENT_L3, 2000}));
    assert_known(&r, Q_APPARENT_L1, 50);
    assert_known(&r, Q_APPARENT_L2, 5);
    assert_unknown(&r, Q_APPARENT_L3);
}

/* --- power factor ----------------------------------------------------------------------------- */

static void power_factor_is_p_by_s_where_q_is_known(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER, -300}, {Q_REACTIVE, 400}));
    assert_known(&r, Q_POWER_FACTOR, -600);
    r = p1(GIVEN({Q_POWER, 2}, {Q_REACTIVE, 0}, {Q_APPARENT_IMPORT, 3}));
    assert_known(&r, Q_POWER_FACTOR, 667);
    r = p1(GIVEN({Q_POWER, 1000}, {Q_REACTIVE, 0}, {Q_APPARENT_IMPORT, 999}));
    assert_known(&r, Q_POWER_FACTOR, 1000); /* never above 1 */
    r = p1(GIVEN({Q_POWER, -1000}, {Q_REACTIVE, 0}, {Q_APPARENT_EXPORT, 999}));
    assert_known(&r, Q_POWER_FACTOR, -1000);
}

static void power_factor_is_the_sign_of_p_where_q_is_unknown(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER, -4023}));
    assert_known(&r, Q_POWER_FACTOR, -1000);
    r = p1(GIVEN({Q_POWER, 1}));
    assert_known(&r, Q_POWER_FACTOR, 1000);
    assert_unknown(&r, Q_POWER_FACTOR_L1);
}

static void power_factor_at_no_power(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER, 0}));
    assert_unknown(&r, Q_POWER_FACTOR);
    r = p1(GIVEN({Q_POWER, 0}, {Q_REACTIVE, 0}, {Q_POWER_L1, 0}, {Q_REACTIVE_L1, 0}));
    assert_unknown(&r, Q_POWER_FACTOR);
    assert_unknown(&r, Q_POWER_FACTOR_L1);
    r = p1(GIVEN({Q_POWER, 0}, {Q_REACTIVE, 300})); /* all of it is reactive */
    assert_known(&r, Q_POWER_FACTOR, 0);
}

static void power_factor_of_a_phase(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_POWER_L2, 3}, {Q_REACTIVE_L2, 4}, {Q_POWER_L3, 3},
                                {Q_APPARENT_IMPORT_L3, 4}, {Q_POWER_FACTOR_L1, 77}));
    assert_known(&r, Q_POWER_FACTOR_L1, 77);
    assert_known(&r, Q_POWER_FACTOR_L2, 600);
    assert_unknown(&r, Q_POWER_FACTOR_L3);
    r = p1(GIVEN({Q_POWER_L1, -3}, {Q_REACTIVE_L1, 4}));
    assert_known(&r, Q_POWER_FACTOR_L1, -600);
}

/* --- energies --------------------------------------------------------------------------------- */

static void energy_total_is_the_sum_of_tariffs(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_ENERGY_IMPORT_T1, 31240615}, {Q_ENERGY_IMPORT_T2, 25260294},
                                {Q_ENERGY_EXPORT_T1, 1}, {Q_ENERGY_EXPORT_T2, 2},
                                {Q_ENERGY_EXPORT_T3, 4}, {Q_ENERGY_EXPORT_T4, 8}));
    assert_known(&r, Q_ENERGY_IMPORT, 56500909);
    assert_known(&r, Q_ENERGY_EXPORT, 15);
    r = p1(GIVEN({Q_ENERGY_IMPORT_T1, 5}));
    assert_known(&r, Q_ENERGY_IMPORT, 5);
    assert_unknown(&r, Q_ENERGY_EXPORT);
}

static void energy_total_needs_every_tariff(void **unused)
{
    (void)unused;
    struct reading r = p1_damaged(
        GIVEN({Q_ENERGY_IMPORT_T1, 1}, {Q_ENERGY_IMPORT_T2, 2}, {Q_ENERGY_EXPORT_T2, 2}));
    assert_known(&r, Q_ENERGY_IMPORT, 3); /* something else was bad */
    assert_unknown(&r, Q_ENERGY_EXPORT);
    r = p1_damaged(GIVEN({Q_ENERGY_IMPORT_T1, 1}));
    assert_unknown(&r, Q_ENERGY_IMPORT);
    r = p1_damaged(GIVEN({Q_ENERGY_IMPORT_T1, 1}, {Q_ENERGY_IMPORT_T2, 2}, {Q_ENERGY_IMPORT_T4, 4}));
    assert_unknown(&r, Q_ENERGY_IMPORT); /* who sends T4 sends T3 */
}

/* --- TIC -------------------------------------------------------------------------------------- */

enum { PRODUCER = 1 << 8, EXPORTING = 1 << 9 };

static void tic_single_phase_consumer(void **unused)
{
    (void)unused;
    struct reading r = tic(1, 0,
                           GIVEN({Q_APPARENT_IMPORT, 1234}, {Q_TIC_STATUS, 0},
                                 {Q_METER_VOLTAGE_L1, 231000}, {Q_METER_CURRENT_L1, 5000}));
    assert_known(&r, Q_POWER, 1234);
    assert_known(&r, Q_POWER_IMPORT, 1234);
    assert_unknown(&r, Q_POWER_EXPORT);
    assert_known(&r, Q_POWER_L1, 1234);
    assert_known(&r, Q_POWER_IMPORT_L1, 1234);
    assert_unknown(&r, Q_POWER_L2);
    assert_known(&r, Q_APPARENT, 1234);
    assert_known(&r, Q_APPARENT_L1, 1234);
    assert_unknown(&r, Q_POWER_FACTOR);
    assert_known(&r, Q_CURRENT_L1, 5000);
    assert_known(&r, Q_CURRENT_NEUTRAL, 5000);
    assert_int_equal(r.grid, GRID_STAR);
    assert_false(r.export_unmeasured);
}

static void tic_consumer_at_rest(void **unused)
{
    (void)unused;
    struct reading r =
        tic(1, 0, GIVEN({Q_APPARENT_IMPORT, 0}, {Q_TIC_STATUS, 0}, {Q_METER_CURRENT_L1, 0}));
    assert_false(r.export_unmeasured);
    assert_known(&r, Q_POWER, 0);
    assert_known(&r, Q_APPARENT, 0);
    assert_known(&r, Q_APPARENT_L1, 0);
    r = tic(1, 0, GIVEN({Q_APPARENT_IMPORT, 1}, {Q_METER_CURRENT_L1, 1000}));
    assert_known(&r, Q_APPARENT_L1, 1); /* imports, if only 1 VA */
}

static void tic_three_phases(void **unused)
{
    (void)unused;
    struct reading r = tic(3, 0,
                           GIVEN({Q_APPARENT_IMPORT, 13}, {Q_APPARENT_IMPORT_L1, 0},
                                 {Q_APPARENT_IMPORT_L2, 568}, {Q_APPARENT_IMPORT_L3, 0},
                                 CURRENTS(1000, 3000, 0), VOLTAGES(230000, 231000, 232000)));
    assert_known(&r, Q_POWER, 13);
    assert_known(&r, Q_POWER_L1, 0);
    assert_known(&r, Q_POWER_L2, 568);
    assert_known(&r, Q_APPARENT_L2, 568);
    assert_unknown(&r, Q_APPARENT_L1);  /* exports: 0 VA, but a current flows */
    assert_known(&r, Q_APPARENT_L3, 0); /* really nothing */
    assert_known(&r, Q_LINE_VOLTAGE_L12, 399238);
    assert_known(&r, Q_CURRENT_MEAN, 1333);
}

static void tic_producer(void **unused)
{
    (void)unused;
    struct reading r =
        tic(1, 0,
            GIVEN({Q_APPARENT_IMPORT, 0}, {Q_APPARENT_EXPORT, 3000},
                  {Q_TIC_STATUS, PRODUCER | EXPORTING}, {Q_METER_CURRENT_L1, 13000}));
    assert_known(&r, Q_POWER, -3000);
    assert_known(&r, Q_POWER_IMPORT, 0);
    assert_known(&r, Q_POWER_EXPORT, 3000);
    assert_known(&r, Q_POWER_L1, 0); /* never negative */
    assert_known(&r, Q_APPARENT, 3000);
    assert_unknown(&r, Q_APPARENT_L1);
    assert_unknown(&r, Q_POWER_FACTOR);
    assert_false(r.export_unmeasured);
}

static void tic_consumer_that_exports(void **unused)
{
    (void)unused;
    struct reading r = tic(
        1, 0, GIVEN({Q_APPARENT_IMPORT, 0}, {Q_TIC_STATUS, EXPORTING}, {Q_METER_CURRENT_L1, 7000}));
    assert_true(r.export_unmeasured);
    assert_unknown(&r, Q_POWER);
    assert_unknown(&r, Q_POWER_EXPORT);
    assert_unknown(&r, Q_APPARENT);
    assert_unknown(&r, Q_APPARENT_L1);
    assert_known(&r, Q_POWER_IMPORT, 0);
    assert_known(&r, Q_POWER_L1, 0);
    r = tic(1, 0, GIVEN({Q_APPARENT_IMPORT, 0}, {Q_TIC_STATUS, EXPORTING}, {Q_METER_CURRENT_L1, 0}));
    assert_false(r.export_unmeasured); /* nothing flows */
    assert_known(&r, Q_POWER, 0);
    r = tic(1, 0, GIVEN({Q_APPARENT_IMPORT, 40}, {Q_TIC_STATUS, EXPORTING}));
    assert_false(r.export_unmeasured);
    assert_known(&r, Q_POWER, 40);
    r = tic(1, 0,
            GIVEN({Q_APPARENT_IMPORT, 0}, {Q_APPARENT_EXPORT, 55},
                  {Q_TIC_STATUS, EXPORTING})); /* measured, whatever the other bit says */
    assert_false(r.export_unmeasured);
    assert_known(&r, Q_POWER, -55);
    assert_known(&r, Q_APPARENT, 55);
}

static void tic_lost_groups(void **unused)
{
    (void)unused;
    struct reading r = tic(1, 1, GIVEN({Q_APPARENT_IMPORT, 0}, {Q_TIC_STATUS, PRODUCER}));
    assert_unknown(&r, Q_POWER); /* SINSTI may have been the lost one */
    assert_unknown(&r, Q_APPARENT);
    r = tic(1, 1, GIVEN({Q_APPARENT_IMPORT, 0})); /* STGE too */
    assert_unknown(&r, Q_POWER);
    r = tic(1, 0, GIVEN({Q_APPARENT_IMPORT, 0}, {Q_TIC_STATUS, PRODUCER}));
    assert_unknown(&r, Q_POWER);
    r = tic(1, 1, GIVEN({Q_APPARENT_IMPORT, 1}, {Q_TIC_STATUS, PRODUCER}));
    assert_known(&r, Q_POWER, 1); /* who imports does not export */
    assert_known(&r, Q_APPARENT, 1);
    r = tic(1, 1, GIVEN({Q_APPARENT_EXPORT, 0}, {Q_TIC_STATUS, PRODUCER}));
    assert_unknown(&r, Q_POWER);
    assert_unknown(&r, Q_APPARENT);
    r = tic(1, 1, GIVEN({Q_APPARENT_EXPORT, 1}, {Q_TIC_STATUS, PRODUCER}));
    assert_known(&r, Q_POWER, -1);
    assert_known(&r, Q_APPARENT, 1);
    assert_unknown(&r, Q_POWER_L1);
    r = tic(3, 0, GIVEN({Q_TIC_STATUS, 0}));
    assert_unknown(&r, Q_POWER);
}

static void tic_current_modes(void **unused)
{
    (void)unused;
    static const struct derive_settings *const modes[] = {&as_signed, &as_derived};
    for (size_t i = 0; i < 2; i++) {
        struct derive_state state = {0};
        struct reading r = reading_of(
            STANDARD_TIC, GIVEN({Q_APPARENT_IMPORT_L1, 0}, {Q_APPARENT_IMPORT_L2, 568},
                                CURRENTS(1000, 3000, 2000), VOLTAGES(230000, 230000, 230000)));
        r.phases = 3;
        derive(&r, modes[i], &state);
        assert_known(&r, Q_CURRENT_L1, -1000); /* 0 VA at 1 A: exports */
        /* 568 VA at 230 V is finer than 3 A, and rounds to 2 A, which is within what 3 A stands for */
        assert_known(&r, Q_CURRENT_L2, i == 0 ? 3000 : 2470);
        assert_known(&r, Q_CURRENT_L3, 2000);
    }
}

/* --- properties ------------------------------------------------------------------------------- */

static void random_readings_keep_the_rules(void **unused)
{
    (void)unused;
    for (uint64_t i = 1; i <= 20000; i++) {
        uint64_t seed = i * UINT64_C(0x9E3779B97F4A7C15);
        const struct derive_state state = {(uint8_t)(i % 11), 0, (uint8_t)(i / 11 % 3)};
        struct reading before = random_reading(seed, 0), once = before;
        derive_randomly(&once, seed, &state);
        for (int q = 0; q < Q_N; q++)
            if (reading_has(&before, (enum quantity)q))
                assert_known(&once, (enum quantity)q, before.value[q]);

        struct reading twice = once;
        derive_randomly(&twice, seed, &state);
        assert_same(&once, &twice);

        struct reading rubbish = random_reading(seed, INT64_C(-123456789012));
        derive_randomly(&rubbish, seed, &state);
        assert_same(&once, &rubbish);
    }
}

static void nothing_comes_from_nothing(void **unused)
{
    (void)unused;
    for (int standard = STANDARD_UNKNOWN; standard <= STANDARD_TIC_HISTORIC; standard++) {
        struct derive_state state = {0};
        const struct derive_settings all = {CURRENT_DERIVED, GRID_BY_METER, true};
        struct reading r = reading_of((enum reading_standard)standard, GIVEN({Q_N, 0}));
        derive(&r, &all, &state);
        for (int q = 0; q < Q_N; q++)
            assert_unknown(&r, (enum quantity)q);
        assert_int_equal(r.phases, 0);
    }
}

static void assert_root(uint64_t x)
{
    uint64_t root = derive_sqrt(x);
    assert_true(root * root <= x);
    assert_true(root == UINT32_MAX || (root + 1) * (root + 1) > x);
}

static void square_roots(void **unused)
{
    (void)unused;
    for (uint64_t x = 0; x < 200000; x++)
        assert_root(x);
    for (uint64_t root = 1; root <= UINT32_MAX; root += 1 + root / 1000) {
        assert_root(root * root - 1);
        assert_root(root * root);
        assert_root(root * root + 1);
    }
    assert_int_equal(derive_sqrt(UINT64_MAX), UINT32_MAX);
    assert_int_equal(derive_sqrt(UINT64_C(0xFFFFFFFE00000001)), UINT32_MAX);
    assert_int_equal(derive_sqrt(UINT64_C(0xFFFFFFFE00000000)), UINT32_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(total_power_is_of_the_meters_totals),
        cmocka_unit_test(total_power_is_never_the_sum_of_phases),
        cmocka_unit_test(export_that_is_not_sent_is_nothing),
        cmocka_unit_test(export_that_may_have_been_bad_is_unknown),
        cmocka_unit_test(export_alone_says_nothing),
        cmocka_unit_test(what_the_meter_sends_is_never_replaced),
        cmocka_unit_test(reactive_is_import_minus_export),
        cmocka_unit_test(reactive_comes_from_quadrants),
        cmocka_unit_test(apparent_of_the_meter_comes_first),
        cmocka_unit_test(apparent_of_the_meter_with_a_bad_half),
        cmocka_unit_test(apparent_from_active_and_reactive),
        cmocka_unit_test(apparent_from_phases_as_the_manual_has_it),
        cmocka_unit_test(apparent_is_of_the_total_where_a_phase_is_unknown),
        cmocka_unit_test(apparent_of_a_phase),
        cmocka_unit_test(power_factor_is_p_by_s_where_q_is_known),
        cmocka_unit_test(power_factor_is_the_sign_of_p_where_q_is_unknown),
        cmocka_unit_test(power_factor_at_no_power),
        cmocka_unit_test(power_factor_of_a_phase),
        cmocka_unit_test(energy_total_is_the_sum_of_tariffs),
        cmocka_unit_test(energy_total_needs_every_tariff),
        cmocka_unit_test(tic_single_phase_consumer),
        cmocka_unit_test(tic_consumer_at_rest),
        cmocka_unit_test(tic_three_phases),
        cmocka_unit_test(tic_producer),
        cmocka_unit_test(tic_consumer_that_exports),
        cmocka_unit_test(tic_lost_groups),
        cmocka_unit_test(tic_current_modes),
        cmocka_unit_test(random_readings_keep_the_rules),
        cmocka_unit_test(nothing_comes_from_nothing),
        cmocka_unit_test(square_roots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
