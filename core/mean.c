#include "mean.h"

#include "derive.h"
#include "integers.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void mean_clear(struct mean *m)
{
    memset(m, 0, sizeof *m);
}

bool mean_is_momentary(enum quantity q)
{
    return quantities[q].kind == KIND_MOMENTARY;
}

void mean_add(struct mean *m, const struct reading *r)
{
    m->readings++;
    for (int q = 0; q < Q_N; q++) {
        if (!reading_has(r, (enum quantity)q) || !mean_is_momentary((enum quantity)q))
            continue;
        m->sum[q] += r->value[q];
        m->count[q]++;
    }
}

/* --- import minus export ---------------------------------------------------------------------- */

struct difference {
    uint8_t result, plus, minus;
};

static const struct difference differences[] = {
    {Q_POWER, Q_POWER_IMPORT, Q_POWER_EXPORT},
    {Q_POWER_L1, Q_POWER_IMPORT_L1, Q_POWER_EXPORT_L1},
    {Q_POWER_L2, Q_POWER_IMPORT_L2, Q_POWER_EXPORT_L2},
    {Q_POWER_L3, Q_POWER_IMPORT_L3, Q_POWER_EXPORT_L3},
    {Q_REACTIVE, Q_REACTIVE_IMPORT, Q_REACTIVE_EXPORT},
    {Q_REACTIVE_L1, Q_REACTIVE_IMPORT_L1, Q_REACTIVE_EXPORT_L1},
    {Q_REACTIVE_L2, Q_REACTIVE_IMPORT_L2, Q_REACTIVE_EXPORT_L2},
    {Q_REACTIVE_L3, Q_REACTIVE_IMPORT_L3, Q_REACTIVE_EXPORT_L3},
};

/* A meter may send a total of its own that is not the difference of its parts. */
static bool is_difference(const struct reading *r, const struct difference *d)
{
    return reading_has(r, (enum quantity)d->result) && reading_has(r, (enum quantity)d->plus) &&
           reading_has(r, (enum quantity)d->minus) &&
           r->value[d->result] == r->value[d->plus] - r->value[d->minus];
}

/* --- power factors ---------------------------------------------------------------------------- */

/* Leaves those the meter measured itself. */
static void forget_derived_factors(struct reading *r)
{
    static const uint8_t factors[] = {Q_POWER_FACTOR, Q_POWER_FACTOR_L1, Q_POWER_FACTOR_L2,
                                      Q_POWER_FACTOR_L3};
    struct reading derived = *r;
    for (size_t i = 0; i < COUNT(factors); i++)
        reading_unset(&derived, (enum quantity)factors[i]);
    derive_power_factors(&derived);
    for (size_t i = 0; i < COUNT(factors); i++)
        if (reading_has(&derived, (enum quantity)factors[i]) &&
            derived.value[factors[i]] == r->value[factors[i]])
            reading_unset(r, (enum quantity)factors[i]);
}

/* --- the mean --------------------------------------------------------------------------------- */

static void take_means(const struct mean *m, struct reading *r)
{
    for (int q = 0; q < Q_N; q++)
        if (m->count[q] && reading_has(r, (enum quantity)q))
            r->value[q] = divide_rounded(m->sum[q], m->count[q]);
}

void mean_take(const struct mean *m, struct reading *r)
{
    bool held[COUNT(differences)];
    for (size_t i = 0; i < COUNT(differences); i++)
        held[i] = is_difference(r, &differences[i]);
    forget_derived_factors(r);
    take_means(m, r);
    for (size_t i = 0; i < COUNT(differences); i++)
        if (held[i])
            r->value[differences[i].result] =
                r->value[differences[i].plus] - r->value[differences[i].minus];
    derive_power_factors(r);
}
