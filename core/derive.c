#include "derive.h"

#include "integers.h"
#include "tic.h"

enum {
    PHASES = 3,
    GRID_VOTES = 10, /* telegrams in a row before the grid is taken for settled */
    WHOLE_AMPERE_MA = 1000
};

/* A quantity that is absent from a telegram without a bad object is one this meter does not send,
 * and counts as nothing; in a telegram with one it may be the object that was bad. */
static bool known_or_not_sent(const struct reading *r, enum quantity q)
{
    return reading_has(r, q) || r->object_errors == r->mbus_errors;
}

static reading_value value_or_zero(const struct reading *r, enum quantity q)
{
    return reading_has(r, q) ? r->value[q] : 0;
}

static reading_value absolute(reading_value x)
{
    return x < 0 ? -x : x;
}

uint32_t derive_sqrt(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= x)
            root |= bit;
    return (uint32_t)root;
}

/* sqrt(a^2 + b^2 + factor * a * b), to the nearest.  Values are below 2^26: 60 kV in mV, 20 MW in W. */
static reading_value root_of_squares(reading_value x, reading_value y, int factor)
{
    int64_t a = x, b = y;
    uint64_t square = (uint64_t)(a * a + b * b + factor * a * b);
    uint64_t root = derive_sqrt(square);
    return (reading_value)(root + (square - root * root > root));
}

/* result = plus - minus */
static void derive_difference(struct reading *r, enum quantity result, enum quantity plus,
                              enum quantity minus)
{
    if (reading_has(r, plus) && known_or_not_sent(r, minus))
        reading_set_first(r, result, r->value[plus] - value_or_zero(r, minus));
}

/* An energy total is the sum of its tariffs where the meter sends none.  A meter has two of them, or
 * all up to its highest. */
static void derive_energy_total(struct reading *r, enum quantity total, enum quantity tariff_1)
{
    int64_t sum = 0;
    bool any = false;
    for (int i = 3; i >= 0; i--) {
        enum quantity tariff = quantity_nth(tariff_1, i);
        if (!known_or_not_sent(r, tariff) && (any || i < 2))
            return;
        any = any || reading_has(r, tariff);
        sum += value_or_zero(r, tariff);
    }
    if (any && (!CORE_IS_SMALL || sum <= INT32_MAX))
        reading_set_first(r, total, (reading_value)sum);
}

static bool has_phase(const struct reading *r, int n)
{
    return reading_has(r, quantity_nth(Q_METER_VOLTAGE_L1, n)) ||
           reading_has(r, quantity_nth(Q_METER_CURRENT_L1, n)) ||
           reading_has(r, quantity_nth(Q_POWER_L1, n)) ||
           reading_has(r, quantity_nth(Q_POWER_IMPORT_L1, n));
}

static void count_phases(struct reading *r)
{
    if (has_phase(r, 1) || has_phase(r, 2))
        r->phases = 3;
    else if (has_phase(r, 0))
        r->phases = 1;
}

/* --- which grid ------------------------------------------------------------------------------- */

static bool in_range(const struct reading *r, enum quantity q, reading_value low, reading_value high)
{
    return reading_has(r, q) && r->value[q] >= low && r->value[q] <= high;
}

/* The phasors of three line currents without a neutral add up to nothing, so each is at most the sum
 * and at least the difference of the other two, within what rounding takes. */
static bool currents_close(const struct reading *r)
{
    reading_value i[PHASES], tolerance = WHOLE_AMPERE_MA;
    for (int n = 0; n < PHASES; n++) {
        if (!reading_has(r, quantity_nth(Q_METER_CURRENT_L1, n)))
            return false;
        i[n] = r->value[quantity_nth(Q_METER_CURRENT_L1, n)];
        if ((int32_t)i[n] % WHOLE_AMPERE_MA)
            tolerance = 50;
    }
    return i[1] <= i[0] + i[2] + tolerance && i[1] + tolerance >= absolute(i[0] - i[2]);
}

/* A Belgian meter without neutral measures against L2: U1 and U3 are line voltages, U2 is 0. */
static bool looks_like_delta(const struct reading *r)
{
    return r->emucs_version != 0 && in_range(r, Q_METER_VOLTAGE_L1, 180000, 260000) &&
           in_range(r, Q_METER_VOLTAGE_L2, 0, 999) &&
           in_range(r, Q_METER_VOLTAGE_L3, 180000, 260000) && currents_close(r);
}

static bool looks_like_star(const struct reading *r)
{
    return in_range(r, Q_METER_VOLTAGE_L1, 100000, READING_VALUE_MAX) &&
           (r->phases == 1 || in_range(r, Q_METER_VOLTAGE_L2, 100000, READING_VALUE_MAX));
}

/* Votes, so that a lost phase never turns one grid into the other. */
static enum reading_grid judge_grid(const struct reading *r, struct derive_state *state)
{
    bool delta = looks_like_delta(r), star = looks_like_star(r);
    state->delta_votes =
        delta ? (uint8_t)(state->delta_votes + (state->delta_votes < GRID_VOTES)) : 0;
    state->star_votes = star ? (uint8_t)(state->star_votes + (state->star_votes < GRID_VOTES)) : 0;
    if (state->latched_grid == GRID_UNKNOWN && star)
        state->latched_grid = GRID_STAR;
    if (state->latched_grid == GRID_UNKNOWN && state->delta_votes == GRID_VOTES)
        state->latched_grid = GRID_DELTA;
    if (state->latched_grid == GRID_DELTA && state->star_votes == GRID_VOTES)
        state->latched_grid = GRID_STAR;
    if (state->latched_grid != GRID_UNKNOWN)
        return (enum reading_grid)state->latched_grid;
    return delta ? GRID_DELTA : GRID_UNKNOWN;
}

static enum reading_grid find_grid(const struct reading *r, const struct derive_settings *settings,
                                   struct derive_state *state)
{
    if (settings->grid != GRID_BY_METER)
        return settings->grid == GRID_ALWAYS_DELTA ? GRID_DELTA : GRID_STAR;
    if (!CORE_IS_SMALL && r->standard != STANDARD_P1)
        return GRID_STAR;
    if (reading_has(r, Q_GRID_TYPE))
        return r->value[Q_GRID_TYPE] == 230 ? GRID_DELTA : GRID_STAR;
    return judge_grid(r, state);
}

/* --- voltages --------------------------------------------------------------------------------- */

static void copy_known(struct reading *r, enum quantity to, enum quantity from)
{
    if (reading_has(r, from))
        reading_set_first(r, to, r->value[from]);
}

static void derive_delta_voltages(struct reading *r, bool estimate_u31)
{
    copy_known(r, Q_VOLTAGE_L12, Q_METER_VOLTAGE_L1);
    copy_known(r, Q_VOLTAGE_L32, Q_METER_VOLTAGE_L3);
    /* 60 degrees between them in a balanced set */
    if (estimate_u31 && reading_has(r, Q_VOLTAGE_L12) && reading_has(r, Q_VOLTAGE_L32))
        reading_set_first(r, Q_VOLTAGE_L31,
                          root_of_squares(r->value[Q_VOLTAGE_L12], r->value[Q_VOLTAGE_L32], -1));
    copy_known(r, Q_LINE_VOLTAGE_L12, Q_VOLTAGE_L12);
    copy_known(r, Q_LINE_VOLTAGE_L32, Q_VOLTAGE_L32);
    copy_known(r, Q_LINE_VOLTAGE_L31, Q_VOLTAGE_L31);
}

/* Between two phases at 120 degrees: sqrt(Ua^2 + Ub^2 + Ua Ub). */
static void derive_line_voltage(struct reading *r, enum quantity result, enum quantity a,
                                enum quantity b)
{
    reading_set_first(r, result, root_of_squares(r->value[a], r->value[b], 1));
}

static void derive_star_voltages(struct reading *r)
{
    for (int n = 0; n < PHASES; n++)
        copy_known(r, quantity_nth(Q_VOLTAGE_L1, n), quantity_nth(Q_METER_VOLTAGE_L1, n));
    /* With a phase at 0 V it may as well be a delta grid that is not recognised. */
    for (int n = 0; n < PHASES; n++)
        if (!in_range(r, quantity_nth(Q_VOLTAGE_L1, n), 1, READING_VALUE_MAX))
            return;
    derive_line_voltage(r, Q_LINE_VOLTAGE_L12, Q_VOLTAGE_L1, Q_VOLTAGE_L2);
    derive_line_voltage(r, Q_LINE_VOLTAGE_L32, Q_VOLTAGE_L3, Q_VOLTAGE_L2);
    derive_line_voltage(r, Q_LINE_VOLTAGE_L31, Q_VOLTAGE_L3, Q_VOLTAGE_L1);
}

/* The mean of three neighbours; of the first alone on a single-phase meter. */
static void derive_mean(struct reading *r, enum quantity result, enum quantity first, int count)
{
    reading_value sum = 0;
    for (int n = 0; n < count; n++) {
        if (!reading_has(r, quantity_nth(first, n)))
            return;
        sum += r->value[quantity_nth(first, n)];
    }
    reading_set_first(r, result, (reading_value)divide_rounded(sum, (unsigned)count));
}

/* --- active power ----------------------------------------------------------------------------- */

static void derive_powers_p1(struct reading *r)
{
    derive_difference(r, Q_POWER, Q_POWER_IMPORT, Q_POWER_EXPORT);
    for (int n = 0; n < PHASES; n++)
        derive_difference(r, quantity_nth(Q_POWER_L1, n), quantity_nth(Q_POWER_IMPORT_L1, n),
                          quantity_nth(Q_POWER_EXPORT_L1, n));
}

static bool has_current(const struct reading *r)
{
    for (int n = 0; n < PHASES; n++)
        if (value_or_zero(r, quantity_nth(Q_METER_CURRENT_L1, n)) > 0)
            return true;
    return false;
}

/* TIC says volt-amperes only; they are served as watts, as the original does.  SINSTS and SINSTI are
 * never both above 0, so one of them above 0 tells the other. */
static void derive_total_power_tic(struct reading *r)
{
    uint32_t status = (uint32_t)value_or_zero(r, Q_TIC_STATUS);
    bool producer = (status & TIC_STGE_PRODUCER) != 0,
         exporting = (status & TIC_STGE_EXPORTING) != 0;
    reading_value import = value_or_zero(r, Q_APPARENT_IMPORT),
                  export = value_or_zero(r, Q_APPARENT_EXPORT);
    bool has_import = reading_has(r, Q_APPARENT_IMPORT),
         has_export = reading_has(r, Q_APPARENT_EXPORT);
    copy_known(r, Q_POWER_IMPORT, Q_APPARENT_IMPORT);
    copy_known(r, Q_POWER_EXPORT, Q_APPARENT_EXPORT);
    r->export_unmeasured =
        exporting && !producer && !has_export && has_import && import == 0 && has_current(r);
    if (r->export_unmeasured)
        return;
    bool export_is_zero = has_export || import > 0 || (!producer && r->object_errors == 0);
    bool import_is_zero = has_import || export > 0;
    if ((has_import || has_export) && export_is_zero && import_is_zero)
        reading_set_first(r, Q_POWER, import - export);
}

/* Per phase only import is known; 0 while the phase exports.  A single-phase meter has no SINSTS1. */
static void derive_phase_powers_tic(struct reading *r)
{
    if (r->phases == 1)
        copy_known(r, Q_APPARENT_IMPORT_L1, Q_APPARENT_IMPORT);
    for (int n = 0; n < PHASES; n++) {
        copy_known(r, quantity_nth(Q_POWER_IMPORT_L1, n), quantity_nth(Q_APPARENT_IMPORT_L1, n));
        copy_known(r, quantity_nth(Q_POWER_L1, n), quantity_nth(Q_APPARENT_IMPORT_L1, n));
    }
}

/* --- reactive and apparent power, power factor ------------------------------------------------ */

static void derive_sum(struct reading *r, enum quantity result, enum quantity a, enum quantity b)
{
    if (reading_has(r, a) && reading_has(r, b))
        reading_set_first(r, result, r->value[a] + r->value[b]);
}

static void derive_reactive(struct reading *r)
{
    derive_sum(r, Q_REACTIVE_IMPORT, Q_REACTIVE_Q1, Q_REACTIVE_Q2);
    derive_sum(r, Q_REACTIVE_EXPORT, Q_REACTIVE_Q3, Q_REACTIVE_Q4);
    derive_difference(r, Q_REACTIVE, Q_REACTIVE_IMPORT, Q_REACTIVE_EXPORT);
    for (int n = 0; n < PHASES; n++)
        derive_difference(r, quantity_nth(Q_REACTIVE_L1, n), quantity_nth(Q_REACTIVE_IMPORT_L1, n),
                          quantity_nth(Q_REACTIVE_EXPORT_L1, n));
}

/* The meter's own: import or export, of which one is 0.  False when it sends none, or when the one
 * that may not be 0 was bad. */
static bool apparent_of_meter(const struct reading *r, enum quantity import, enum quantity export,
                              reading_value *va)
{
    reading_value in = value_or_zero(r, import), out = value_or_zero(r, export);
    *va = in > out ? in : out;
    if (*va > 0)
        return true;
    return reading_has(r, import) && known_or_not_sent(r, export);
}

/* The sum of |Pn| over the phases this meter has; |P| where one of them is unknown. */
static reading_value sum_of_phase_powers(const struct reading *r)
{
    reading_value sum = 0;
    bool any = false;
    for (int n = 0; n < PHASES; n++) {
        if (reading_has(r, quantity_nth(Q_POWER_L1, n))) {
            sum += absolute(r->value[quantity_nth(Q_POWER_L1, n)]);
            any = true;
        } else if (has_phase(r, n)) {
            return absolute(r->value[Q_POWER]);
        }
    }
    return any ? sum : absolute(r->value[Q_POWER]);
}

static void derive_apparent_total(struct reading *r)
{
    reading_value va;
    if (apparent_of_meter(r, Q_APPARENT_IMPORT, Q_APPARENT_EXPORT, &va)) {
        if (!r->export_unmeasured)
            reading_set_first(r, Q_APPARENT, va);
    } else if (reading_has(r, Q_POWER) && reading_has(r, Q_REACTIVE)) {
        reading_set_first(r, Q_APPARENT,
                          root_of_squares(r->value[Q_POWER], r->value[Q_REACTIVE], 0));
    } else if (reading_has(r, Q_POWER)) {
        reading_set_first(r, Q_APPARENT, sum_of_phase_powers(r));
    }
}

/* TIC prints 0 VA for a phase that exports; its apparent power is unknown then. */
static bool is_exporting_tic_phase(const struct reading *r, int n)
{
    return reading_is_tic(r) && in_range(r, quantity_nth(Q_APPARENT_IMPORT_L1, n), 0, 0) &&
           in_range(r, quantity_nth(Q_METER_CURRENT_L1, n), WHOLE_AMPERE_MA, READING_VALUE_MAX);
}

static void derive_apparent_phase(struct reading *r, int n)
{
    enum quantity power = quantity_nth(Q_POWER_L1, n), reactive = quantity_nth(Q_REACTIVE_L1, n);
    reading_value va;
    if (apparent_of_meter(r, quantity_nth(Q_APPARENT_IMPORT_L1, n),
                          quantity_nth(Q_APPARENT_EXPORT_L1, n), &va)) {
        if (!is_exporting_tic_phase(r, n))
            reading_set_first(r, quantity_nth(Q_APPARENT_L1, n), va);
    } else if (reading_has(r, power) && reading_has(r, reactive)) {
        reading_set_first(r, quantity_nth(Q_APPARENT_L1, n),
                          root_of_squares(r->value[power], r->value[reactive], 0));
    }
}

/* P / S in thousandths, never above 1. */
static void derive_power_factor(struct reading *r, enum quantity result, enum quantity power,
                                enum quantity apparent)
{
    if (!reading_has(r, power) || !reading_has(r, apparent) || r->value[apparent] == 0)
        return;
    int64_t factor = divide_rounded((int64_t)r->value[power] * 1000, (uint64_t)r->value[apparent]);
    reading_set_first(r, result,
                      (reading_value)(factor > 1000    ? 1000
                                      : factor < -1000 ? -1000
                                                       : factor));
}

void derive_power_factors(struct reading *r)
{
    for (int n = 0; n < PHASES; n++)
        if (reading_has(r, quantity_nth(Q_REACTIVE_L1, n)))
            derive_power_factor(r, quantity_nth(Q_POWER_FACTOR_L1, n), quantity_nth(Q_POWER_L1, n),
                                quantity_nth(Q_APPARENT_L1, n));
    if (reading_is_tic(r))
        return;
    if (reading_has(r, Q_REACTIVE))
        derive_power_factor(r, Q_POWER_FACTOR, Q_POWER, Q_APPARENT);
    else if (reading_has(r, Q_POWER) && r->value[Q_POWER] != 0)
        reading_set_first(r, Q_POWER_FACTOR, r->value[Q_POWER] > 0 ? 1000 : -1000);
}

/* --- currents --------------------------------------------------------------------------------- */

static bool meter_currents_are_coarse(const struct reading *r)
{
    for (int n = 0; n < PHASES; n++)
        if ((int32_t)value_or_zero(r, quantity_nth(Q_METER_CURRENT_L1, n)) % WHOLE_AMPERE_MA)
            return false;
    return true;
}

/* P/U is the active current alone: it replaces the meter's only where it fits what a whole ampere can
 * stand for, so a reactive load is not hidden. */
static bool current_from_power(const struct reading *r, int n, reading_value *current_ma)
{
    enum quantity power = quantity_nth(Q_POWER_L1, n), voltage = quantity_nth(Q_VOLTAGE_L1, n);
    enum quantity meter = quantity_nth(Q_METER_CURRENT_L1, n);
    if (!reading_has(r, power) || !reading_has(r, voltage) || r->value[voltage] < 100000)
        return false;
    *current_ma = (reading_value)divide_rounded((int64_t)r->value[power] * 1000000,
                                                (uint64_t)r->value[voltage]);
    return !reading_has(r, meter) ||
           (meter_currents_are_coarse(r) &&
            absolute(absolute(*current_ma) - r->value[meter]) < WHOLE_AMPERE_MA);
}

static void derive_current(struct reading *r, int n, enum derive_current mode)
{
    enum quantity meter = quantity_nth(Q_METER_CURRENT_L1, n),
                  result = quantity_nth(Q_CURRENT_L1, n);
    reading_value current_ma;
    if (mode == CURRENT_DERIVED && current_from_power(r, n, &current_ma)) {
        reading_set_first(r, result, current_ma);
    } else if (reading_has(r, meter)) {
        bool exporting =
            is_exporting_tic_phase(r, n) || value_or_zero(r, quantity_nth(Q_POWER_L1, n)) < 0;
        current_ma = r->value[meter];
        reading_set_first(r, result,
                          mode != CURRENT_AS_METER && exporting ? -current_ma : current_ma);
    }
}

static void derive_currents(struct reading *r, enum derive_current mode)
{
    for (int n = 0; n < PHASES; n++)
        derive_current(r, n, mode);
    if (r->phases)
        derive_mean(r, Q_CURRENT_MEAN, Q_CURRENT_L1, r->phases);
    if (r->phases == 1)
        copy_known(r, Q_CURRENT_NEUTRAL, Q_CURRENT_L1);
}

void derive(struct reading *r, const struct derive_settings *settings, struct derive_state *state)
{
    static const struct derive_settings as_sent;
    if (CORE_IS_SMALL)
        settings = &as_sent;
    if (r->phases == 0)
        count_phases(r);
    r->grid = (uint8_t)find_grid(r, settings, state);
    if (r->grid == GRID_DELTA)
        derive_delta_voltages(r, settings->estimate_u31);
    else
        derive_star_voltages(r);
    if (r->phases)
        derive_mean(r, Q_VOLTAGE_MEAN_LN, Q_VOLTAGE_L1, r->phases);
    derive_mean(r, Q_VOLTAGE_MEAN_LL, Q_LINE_VOLTAGE_L12, PHASES);
    derive_energy_total(r, Q_ENERGY_IMPORT, Q_ENERGY_IMPORT_T1);
    derive_energy_total(r, Q_ENERGY_EXPORT, Q_ENERGY_EXPORT_T1);
    if (reading_is_tic(r)) {
        derive_total_power_tic(r);
        derive_phase_powers_tic(r);
    } else {
        derive_powers_p1(r);
    }
    derive_reactive(r);
    derive_apparent_total(r);
    for (int n = 0; n < PHASES; n++)
        derive_apparent_phase(r, n);
    derive_power_factors(r);
    derive_currents(r, r->grid == GRID_DELTA && settings->current == CURRENT_DERIVED
                           ? CURRENT_AS_METER
                           : settings->current);
}
