/* derive_grid_test.c - the kind of grid, and the voltages and currents that depend on it. */
#include "derive_kit_test.h"

static struct reading p1_with(struct derive_settings settings, const struct given *given)
{
    struct derive_state state = {0};
    struct reading r = reading_of(STANDARD_P1, given);
    derive(&r, &settings, &state);
    return r;
}

/* --- grid and voltages ------------------------------------------------------------------------ */

static void grid_type_of_the_meter_decides(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_GRID_TYPE, 230}, VOLTAGES(227800, 0, 231500)));
    assert_int_equal(r.grid, GRID_DELTA);
    assert_int_equal(r.phases, 3);
    assert_known(&r, Q_VOLTAGE_L12, 227800);
    assert_known(&r, Q_VOLTAGE_L32, 231500);
    assert_unknown(&r, Q_VOLTAGE_L31);
    for (int n = 0; n < 3; n++)
        assert_unknown(&r, (enum quantity)(Q_VOLTAGE_L1 + n));
    assert_unknown(&r, Q_VOLTAGE_MEAN_LN);
    assert_unknown(&r, Q_VOLTAGE_MEAN_LL);
    assert_known(&r, Q_METER_VOLTAGE_L1, 227800); /* what a charger looks for stays */
    assert_known(&r, Q_METER_VOLTAGE_L2, 0);
    assert_known(&r, Q_LINE_VOLTAGE_L12, 227800);
    assert_known(&r, Q_LINE_VOLTAGE_L32, 231500);
    assert_unknown(&r, Q_LINE_VOLTAGE_L31);

    r = p1(GIVEN({Q_GRID_TYPE, 400}, VOLTAGES(230000, 0, 231000)));
    assert_int_equal(r.grid, GRID_STAR);
    assert_known(&r, Q_VOLTAGE_L2, 0);
    assert_unknown(&r, Q_VOLTAGE_L12);
    assert_unknown(&r, Q_VOLTAGE_L32);
}

static void u31_is_estimated_only_by_setting(void **unused)
{
    (void)unused;
    const struct derive_settings estimate = {.estimate_u31 = true};
    struct reading r = p1_with(estimate, GIVEN({Q_GRID_TYPE, 230}, VOLTAGES(227800, 0, 231500)));
    assert_known(&r, Q_VOLTAGE_L31, 229672); /* sqrt(a^2 + b^2 - ab) */
    assert_known(&r, Q_LINE_VOLTAGE_L31, 229672);
    assert_known(&r, Q_VOLTAGE_MEAN_LL, 229657);
    r = p1_with(estimate, GIVEN({Q_GRID_TYPE, 230}, {Q_METER_VOLTAGE_L1, 227800}));
    assert_unknown(&r, Q_VOLTAGE_L31);
    r = p1_with(estimate, GIVEN({Q_GRID_TYPE, 400}, VOLTAGES(227800, 0, 231500)));
    assert_unknown(&r, Q_VOLTAGE_L31);
}

static void setting_overrides_the_meters_grid(void **unused)
{
    (void)unused;
    const struct derive_settings star = {.grid = GRID_ALWAYS_STAR};
    const struct derive_settings delta = {.grid = GRID_ALWAYS_DELTA};
    struct reading r = p1_with(star, GIVEN({Q_GRID_TYPE, 230}, VOLTAGES(227800, 0, 231500)));
    assert_int_equal(r.grid, GRID_STAR);
    assert_known(&r, Q_VOLTAGE_L1, 227800);
    assert_unknown(&r, Q_VOLTAGE_L12);
    r = p1_with(delta, GIVEN({Q_GRID_TYPE, 400}, VOLTAGES(230000, 231000, 232000)));
    assert_int_equal(r.grid, GRID_DELTA);
    assert_unknown(&r, Q_VOLTAGE_L1);
    assert_known(&r, Q_VOLTAGE_L12, 230000);
    assert_known(&r, Q_VOLTAGE_L32, 232000);
}

/* Belgian meters before e-MUCS 2.1 do not say which grid they are on. */
static enum reading_grid judged(struct derive_state *state, const struct given *given)
{
    struct reading r = reading_of(STANDARD_P1, given);
    r.emucs_version = 50213;
    derive(&r, &defaults, state);
    assert_true(reading_has(&r, Q_VOLTAGE_L12) == (r.grid == GRID_DELTA));
    assert_true(reading_has(&r, Q_VOLTAGE_L2) == (r.grid != GRID_DELTA && r.phases == 3));
    return (enum reading_grid)r.grid;
}

#define DELTA_TELEGRAM GIVEN(VOLTAGES(227800, 0, 231500), CURRENTS(1600, 1660, 1410))
#define STAR_TELEGRAM GIVEN(VOLTAGES(230100, 229500, 231700), CURRENTS(1600, 800, 1500))
#define L2_LOST_TELEGRAM GIVEN(VOLTAGES(230100, 0, 231700), CURRENTS(1600, 0, 1600))

static void delta_is_seen_at_once_and_latched_after_ten(void **unused)
{
    (void)unused;
    struct derive_state state = {0};
    for (int i = 0; i < 9; i++) {
        assert_int_equal(judged(&state, DELTA_TELEGRAM), GRID_DELTA);
        assert_int_equal(state.latched_grid, GRID_UNKNOWN);
    }
    assert_int_equal(judged(&state, DELTA_TELEGRAM), GRID_DELTA);
    assert_int_equal(state.latched_grid, GRID_DELTA);
    /* currents that do not close, voltages that are gone: still delta */
    assert_int_equal(judged(&state, GIVEN(VOLTAGES(0, 0, 0), CURRENTS(0, 0, 0))), GRID_DELTA);
    for (int i = 0; i < 300; i++)
        assert_int_equal(judged(&state, DELTA_TELEGRAM), GRID_DELTA);
}

static void a_lost_phase_never_makes_a_delta_grid(void **unused)
{
    (void)unused;
    struct derive_state state = {0};
    assert_int_equal(judged(&state, STAR_TELEGRAM), GRID_STAR);
    for (int i = 0; i < 300; i++)
        assert_int_equal(judged(&state, L2_LOST_TELEGRAM), GRID_STAR);
    assert_int_equal(judged(&state, STAR_TELEGRAM), GRID_STAR);
}

static void a_start_with_a_lost_phase_is_put_right(void **unused)
{
    (void)unused;
    struct derive_state state = {0};
    for (int i = 0; i < 20; i++)
        assert_int_equal(judged(&state, L2_LOST_TELEGRAM), GRID_DELTA);
    for (int i = 0; i < 9; i++)
        assert_int_equal(judged(&state, STAR_TELEGRAM), GRID_DELTA);
    assert_int_equal(judged(&state, STAR_TELEGRAM), GRID_STAR);
    for (int i = 0; i < 20; i++)
        assert_int_equal(judged(&state, L2_LOST_TELEGRAM), GRID_STAR);
}

static void star_votes_must_be_in_a_row(void **unused)
{
    (void)unused;
    struct derive_state state = {0};
    for (int i = 0; i < 10; i++)
        (void)judged(&state, DELTA_TELEGRAM);
    for (int i = 0; i < 50; i++)
        assert_int_equal(judged(&state, i % 10 == 9 ? DELTA_TELEGRAM : STAR_TELEGRAM), GRID_DELTA);
}

static void what_does_not_look_like_delta(void **unused)
{
    (void)unused;
    static const struct given telegrams[][7] = {
        {VOLTAGES(227800, 0, 231500), CURRENTS(1600, 3200, 1410), {Q_N, 0}}, /* sum exceeded */
        {VOLTAGES(227800, 0, 231500), CURRENTS(7970, 1000, 1410), {Q_N, 0}}, /* below the difference */
        {VOLTAGES(227800, 0, 231500), CURRENTS(1000, 1000, 7970), {Q_N, 0}},
        {VOLTAGES(227800, 0, 231500), CURRENTS(1000, 6900, 7970), {Q_N, 0}},
        {VOLTAGES(227800, 0, 231500), CURRENTS(3000, 9000, 4000), {Q_N, 0}}, /* whole amperes */
        {VOLTAGES(227800, 0, 231500), {Q_METER_CURRENT_L1, 1600}, {Q_N, 0}}, /* currents not known */
        {VOLTAGES(227800, 1000, 231500), CURRENTS(1600, 1660, 1410), {Q_N, 0}},
        {VOLTAGES(179900, 0, 231500), CURRENTS(1600, 1660, 1410), {Q_N, 0}},
        {VOLTAGES(227800, 0, 260001), CURRENTS(1600, 1660, 1410), {Q_N, 0}},
        {VOLTAGES(227800, 0, 0), CURRENTS(1600, 1660, 1410), {Q_N, 0}}, /* star wired on one phase */
    };
    for (size_t i = 0; i < sizeof telegrams / sizeof telegrams[0]; i++) {
        struct derive_state state = {0};
        assert_int_equal(judged(&state, telegrams[i]), GRID_UNKNOWN);
        assert_int_equal(state.delta_votes, 0);
    }
    struct reading r = p1(DELTA_TELEGRAM); /* not Belgian */
    assert_int_equal(r.grid, GRID_UNKNOWN);
}

static void rounded_currents_close_within_an_ampere(void **unused)
{
    (void)unused;
    struct derive_state state = {0};
    assert_int_equal(judged(&state, GIVEN(VOLTAGES(227800, 0, 231500), CURRENTS(3000, 8000, 4000))),
                     GRID_DELTA);
}

static void single_phase_and_silent_meters(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN({Q_METER_VOLTAGE_L1, 231200}, {Q_METER_CURRENT_L1, 4000}));
    assert_int_equal(r.grid, GRID_STAR);
    assert_int_equal(r.phases, 1);
    assert_known(&r, Q_VOLTAGE_L1, 231200);
    assert_known(&r, Q_VOLTAGE_MEAN_LN, 231200);
    assert_known(&r, Q_CURRENT_MEAN, 4000);
    assert_known(&r, Q_CURRENT_NEUTRAL, 4000);
    assert_unknown(&r, Q_LINE_VOLTAGE_L12);
    assert_unknown(&r, Q_VOLTAGE_MEAN_LL);
    r = p1(GIVEN(CURRENTS(11000, 4000, 1000))); /* DSMR 4.2 has no voltages */
    assert_int_equal(r.grid, GRID_UNKNOWN);
    assert_int_equal(r.phases, 3);
    assert_unknown(&r, Q_VOLTAGE_L1);
    assert_unknown(&r, Q_CURRENT_NEUTRAL);
    r = p1(GIVEN({Q_METER_CURRENT_L2, 1000}));
    assert_int_equal(r.phases, 3);
    r = p1(GIVEN({Q_METER_CURRENT_L3, 1000}));
    assert_int_equal(r.phases, 3);
    r = p1(GIVEN({Q_POWER_IMPORT, 3}));
    assert_int_equal(r.phases, 0);
    assert_unknown(&r, Q_CURRENT_MEAN);
}

static void line_voltages_of_a_star(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN(VOLTAGES(230000, 230000, 240000)));
    assert_known(&r, Q_LINE_VOLTAGE_L12, 398372);
    assert_known(&r, Q_LINE_VOLTAGE_L32, 407063);
    assert_known(&r, Q_LINE_VOLTAGE_L31, 407063);
    assert_known(&r, Q_VOLTAGE_MEAN_LL, 404166);
    assert_known(&r, Q_VOLTAGE_MEAN_LN, 233333);
    assert_unknown(&r, Q_VOLTAGE_L12);
}

static void line_voltages_need_three_live_phases(void **unused)
{
    (void)unused;
    struct reading r = p1(GIVEN(VOLTAGES(230000, 0, 240000)));
    assert_unknown(&r, Q_LINE_VOLTAGE_L12);
    assert_unknown(&r, Q_LINE_VOLTAGE_L32);
    assert_unknown(&r, Q_LINE_VOLTAGE_L31);
    r = p1(GIVEN({Q_METER_VOLTAGE_L1, 230000}, {Q_METER_VOLTAGE_L3, 240000}));
    assert_unknown(&r, Q_LINE_VOLTAGE_L31);
    assert_unknown(&r, Q_VOLTAGE_MEAN_LN);
}

/* --- currents --------------------------------------------------------------------------------- */

static void currents_as_the_meter_sends_them(void **unused)
{
    (void)unused;
    struct reading r = p1(
        GIVEN(CURRENTS(11000, 4000, 1500), {Q_POWER_L1, -2735}, VOLTAGES(230000, 230000, 230000)));
    assert_known(&r, Q_CURRENT_L1, 11000);
    assert_known(&r, Q_CURRENT_L2, 4000);
    assert_known(&r, Q_CURRENT_L3, 1500);
    assert_known(&r, Q_CURRENT_MEAN, 5500);
}

static void signed_currents_follow_the_phases_power(void **unused)
{
    (void)unused;
    struct reading r = p1_with(as_signed, GIVEN(CURRENTS(11000, 4000, 1000), {Q_POWER, -4000},
                                                {Q_POWER_L1, -2735}, {Q_POWER_L2, 0}));
    assert_known(&r, Q_CURRENT_L1, -11000);
    assert_known(&r, Q_CURRENT_L2, 4000);
    assert_known(&r, Q_CURRENT_L3, 1000); /* its power is not known */
    assert_known(&r, Q_METER_CURRENT_L1, 11000);
    assert_known(&r, Q_CURRENT_MEAN, -2000);
}

static void derived_currents_are_power_by_voltage(void **unused)
{
    (void)unused;
    struct reading r =
        p1_with(as_derived, GIVEN(CURRENTS(11000, 4000, 1000), VOLTAGES(230000, 230000, 99000),
                                  {Q_POWER_L1, -2735}, {Q_POWER_L2, 959}, {Q_POWER_L3, -50}));
    assert_known(&r, Q_CURRENT_L1, -11891);
    assert_known(&r, Q_CURRENT_L2, 4170);
    assert_known(&r, Q_CURRENT_L3, -1000); /* no voltage to divide by: signed at least */
    r = p1_with(as_derived, GIVEN({Q_METER_VOLTAGE_L1, 100000}, {Q_POWER_L1, 50}));
    assert_known(&r, Q_CURRENT_L1, 500); /* a meter that sends no current */
}

static void derived_currents_must_fit_the_meters(void **unused)
{
    (void)unused;
    /* 100 W by 200 V is 0.5 A; the meter's 1 A is what that may round to, 2 A is a reactive load */
    struct reading r = p1_with(as_derived, GIVEN({Q_METER_CURRENT_L1, 1000},
                                                 {Q_METER_VOLTAGE_L1, 200000}, {Q_POWER_L1, 100}));
    assert_known(&r, Q_CURRENT_L1, 500);
    r = p1_with(as_derived, GIVEN({Q_METER_CURRENT_L1, 2000}, {Q_METER_VOLTAGE_L1, 200000},
                                  {Q_POWER_L1, -100}));
    assert_known(&r, Q_CURRENT_L1, -2000);
    r = p1_with(as_derived, GIVEN({Q_METER_CURRENT_L1, 1000}, {Q_METER_VOLTAGE_L1, 200000},
                                  {Q_POWER_L1, 400})); /* 2.0 A is a whole ampere off */
    assert_known(&r, Q_CURRENT_L1, 1000);
    r = p1_with(as_derived,
                GIVEN({Q_METER_CURRENT_L1, 1000}, {Q_METER_VOLTAGE_L1, 200000}, {Q_POWER_L1, 399}));
    assert_known(&r, Q_CURRENT_L1, 1995);
}

static void derived_currents_replace_whole_amperes_only(void **unused)
{
    (void)unused;
    struct reading r = p1_with(as_derived, GIVEN(CURRENTS(1000, 2000, 1410), {Q_POWER_L1, 250},
                                                 VOLTAGES(230000, 230000, 230000)));
    assert_known(&r, Q_CURRENT_L1, 1000); /* 1.41 A says that this meter has decimals */
    r = p1_with(as_derived, GIVEN(CURRENTS(1410, 2000, 1000), {Q_POWER_L2, 250},
                                  VOLTAGES(230000, 230000, 230000)));
    assert_known(&r, Q_CURRENT_L2, 2000);
}

static void derived_currents_are_not_for_delta_grids(void **unused)
{
    (void)unused;
    struct reading r = p1_with(as_derived, GIVEN({Q_GRID_TYPE, 230}, CURRENTS(1000, 8000, 8000),
                                                 VOLTAGES(230000, 0, 230000), {Q_POWER_L1, -250}));
    assert_known(&r, Q_CURRENT_L1, 1000);
    assert_known(&r, Q_CURRENT_L2, 8000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid_type_of_the_meter_decides),
        cmocka_unit_test(u31_is_estimated_only_by_setting),
        cmocka_unit_test(setting_overrides_the_meters_grid),
        cmocka_unit_test(delta_is_seen_at_once_and_latched_after_ten),
        cmocka_unit_test(a_lost_phase_never_makes_a_delta_grid),
        cmocka_unit_test(a_start_with_a_lost_phase_is_put_right),
        cmocka_unit_test(star_votes_must_be_in_a_row),
        cmocka_unit_test(what_does_not_look_like_delta),
        cmocka_unit_test(rounded_currents_close_within_an_ampere),
        cmocka_unit_test(single_phase_and_silent_meters),
        cmocka_unit_test(line_voltages_of_a_star),
        cmocka_unit_test(line_voltages_need_three_live_phases),
        cmocka_unit_test(currents_as_the_meter_sends_them),
        cmocka_unit_test(signed_currents_follow_the_phases_power),
        cmocka_unit_test(derived_currents_are_power_by_voltage),
        cmocka_unit_test(derived_currents_must_fit_the_meters),
        cmocka_unit_test(derived_currents_replace_whole_amperes_only),
        cmocka_unit_test(derived_currents_are_not_for_delta_grids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
