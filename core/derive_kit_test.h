/* derive_kit_test.h - what the tests of derive share: readings made of what a telegram says. */
#ifndef DERIVE_KIT_TEST_H
#define DERIVE_KIT_TEST_H

#include "derive.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* What a telegram says, a list that ends with Q_N. */
struct given {
    enum quantity quantity;
    int64_t value;
};

#define GIVEN(...) ((const struct given[]){__VA_ARGS__, {Q_N, 0}})

#define VOLTAGES(u1, u2, u3) \
    {Q_METER_VOLTAGE_L1, (u1)}, {Q_METER_VOLTAGE_L2, (u2)}, \
    { \
        Q_METER_VOLTAGE_L3, (u3) \
    }
#define CURRENTS(i1, i2, i3) \
    {Q_METER_CURRENT_L1, (i1)}, {Q_METER_CURRENT_L2, (i2)}, \
    { \
        Q_METER_CURRENT_L3, (i3) \
    }

#define assert_known(r, q, expected) \
    do { \
        assert_true(reading_has((r), (q))); \
        assert_int_equal((r)->value[q], (expected)); \
    } while (0)
#define assert_unknown(r, q) assert_false(reading_has((r), (q)))

static const struct derive_settings defaults;
static const struct derive_settings as_signed = {.current = CURRENT_SIGNED};
static const struct derive_settings as_derived = {.current = CURRENT_DERIVED};

static inline struct reading reading_of(enum reading_standard standard, const struct given *given)
{
    struct reading r;
    reading_clear(&r);
    r.standard = (uint8_t)standard;
    for (; given->quantity != Q_N; given++)
        reading_set(&r, given->quantity, given->value);
    return r;
}

static inline struct reading p1(const struct given *given)
{
    struct derive_state state = {0};
    struct reading r = reading_of(STANDARD_P1, given);
    derive(&r, &defaults, &state);
    return r;
}

/* ---- random readings ---- */

static inline uint64_t random_bits(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static inline int64_t random_value(enum quantity q, uint64_t *seed)
{
    uint64_t bits = random_bits(seed);
    int64_t value = (int64_t)(bits >> 8) & ((INT64_C(1) << (bits % 25)) - 1);
    if (q == Q_GRID_TYPE)
        return bits % 3 ? 230 : 400;
    if (quantities[q].unit == UNIT_V && bits % 2)
        return 100000 + (int64_t)(bits >> 8) % 160000;
    bool has_sign = q == Q_POWER || q == Q_REACTIVE || (q >= Q_POWER_L1 && q <= Q_POWER_L3);
    return has_sign && bits & 128 ? -value : value;
}

/* Whatever a meter sends and leaves out.  Unknown values hold `rubbish`. */
static inline struct reading random_reading(uint64_t seed, int64_t rubbish)
{
    static const uint8_t standards[] = {STANDARD_P1, STANDARD_P1, STANDARD_TIC, STANDARD_UNKNOWN};
    struct reading r;
    reading_clear(&r);
    uint64_t bits = random_bits(&seed), density = bits % 100;
    r.standard = standards[bits >> 20 & 3];
    r.object_errors = bits >> 30 & 1;
    r.emucs_version = bits >> 31 & 1 ? 50217 : 0;
    r.phases = r.standard == STANDARD_TIC ? (bits >> 32 & 1 ? 1 : 3) : 0;
    for (int q = 0; q < Q_N; q++) {
        r.value[q] = rubbish;
        if (random_bits(&seed) % 100 < density)
            reading_set(&r, (enum quantity)q, random_value((enum quantity)q, &seed));
    }
    return r;
}

static inline void derive_randomly(struct reading *r, uint64_t seed,
                                   const struct derive_state *before)
{
    struct derive_state state = *before;
    uint64_t bits = random_bits(&seed);
    const struct derive_settings settings = {.current = (enum derive_current)(bits % 3),
                                             .grid = (enum derive_grid)(bits / 3 % 3),
                                             .estimate_u31 = bits >> 40 & 1};
    derive(r, &settings, &state);
}

static inline void assert_same(const struct reading *a, const struct reading *b)
{
    assert_memory_equal(a->known, b->known, sizeof a->known);
    for (int q = 0; q < Q_N; q++)
        if (reading_has(a, (enum quantity)q))
            assert_int_equal(a->value[q], b->value[q]);
    assert_int_equal(a->grid, b->grid);
    assert_int_equal(a->phases, b->phases);
    assert_int_equal(a->export_unmeasured, b->export_unmeasured);
}

#endif
