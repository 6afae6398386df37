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

#endif
