#include "sim.h"

#include "sim_p1.h"
#include "sim_tic.h"

#define START_MIN_UTC_S INT64_C(1262304000) /* 2010-01-01 */
#define START_MAX_UTC_S INT64_C(4102358400) /* 2099-12-31 */

/* The expensive hours.  Dutch meters count them in register 2, Belgian ones in register 1. */
static const struct household_tariff netherlands = {
    .day_from_h = 7, .day_to_h = 23, .weekend_is_night = true, .day = 1, .night = 0};
static const struct household_tariff belgium = {
    .day_from_h = 7, .day_to_h = 22, .weekend_is_night = true, .day = 0, .night = 1};
static const struct household_tariff france = {
    .day_from_h = 6, .day_to_h = 22, .weekend_is_night = false, .day = 1, .night = 0};

/* A TIC interval is the frame's time on the line (ten bits a character) and a pause of some 20 ms.
 */
static const struct sim_profile profiles[] = {
    {
        .name = "dsmr42",
        .title = "Dutch DSMR 4.2, three phases, solar, gas: a telegram every 10 s",
        .interval_ms = 10000,
        .baud = 115200,
        .dialect = SIM_P1,
        .column = SIM_P1_DSMR42,
        .house = {.phases = 3,
                  .has = HAS_GAS,
                  .solar_wp = 4000,
                  .mbus_period_s = 3600,
                  .tariff = &netherlands},
    },
    {
        .name = "dsmr50",
        .title = "Dutch DSMR 5.0, three phases, solar, car, gas: a telegram every second",
        .interval_ms = 1000,
        .baud = 115200,
        .dialect = SIM_P1,
        .column = SIM_P1_DSMR50,
        .house = {.phases = 3,
                  .has = HAS_GAS | HAS_EV,
                  .solar_wp = 5500,
                  .mbus_period_s = 300,
                  .tariff = &netherlands},
    },
    {
        .name = "emucs",
        .title = "Belgian e-MUCS 1.7.1, 3x400 V, solar, car, gas and water, peak demand",
        .interval_ms = 1000,
        .baud = 115200,
        .dialect = SIM_P1,
        .column = SIM_P1_EMUCS,
        .house = {.phases = 3,
                  .has = HAS_GAS | HAS_WATER | HAS_EV,
                  .solar_wp = 5000,
                  .mbus_period_s = 300,
                  .tariff = &belgium},
    },
    {
        .name = "emucs-delta",
        .title = "Belgian e-MUCS 2.1 on a 3x230 V grid without neutral, solar, gas and water",
        .interval_ms = 1000,
        .baud = 115200,
        .dialect = SIM_P1,
        .column = SIM_P1_DELTA,
        .house = {.phases = 3,
                  .delta = true,
                  .has = HAS_GAS | HAS_WATER,
                  .solar_wp = 4500,
                  .mbus_period_s = 300,
                  .tariff = &belgium},
    },
    {
        .name = "tic-mono",
        .title = "Linky, standard mode, single phase, consumer",
        .interval_ms = 921,
        .baud = 9600,
        .seven_bit_even = true,
        .is_tic = true,
        .dialect = SIM_TIC_STANDARD,
        .column = SIM_TIC_MONO,
        .house = {.phases = 1, .has = HAS_TANK, .mbus_period_s = 3600, .tariff = &france},
    },
    {
        .name = "tic-tri",
        .title = "Linky, standard mode, three phases, consumer with a car",
        .interval_ms = 1285,
        .baud = 9600,
        .seven_bit_even = true,
        .is_tic = true,
        .dialect = SIM_TIC_STANDARD,
        .column = SIM_TIC_TRI,
        .house = {.phases = 3, .has = HAS_TANK | HAS_EV, .mbus_period_s = 3600, .tariff = &france},
    },
    {
        .name = "tic-producer",
        .title = "Linky, standard mode, three phases, producer with a large roof",
        .interval_ms = 1522,
        .baud = 9600,
        .seven_bit_even = true,
        .is_tic = true,
        .dialect = SIM_TIC_STANDARD,
        .column = SIM_TIC_PRODUCER,
        .house = {.phases = 3,
                  .has = HAS_TANK,
                  .solar_wp = 9000,
                  .mbus_period_s = 3600,
                  .tariff = &france},
    },
    {
        .name = "tic-historic",
        .title = "Linky, historic mode (1200 baud), single phase: what a gateway must recognise",
        .interval_ms = 1440,
        .baud = 1200,
        .seven_bit_even = true,
        .is_tic = true,
        .dialect = SIM_TIC_HISTORIC,
        .column = SIM_TIC_MONO,
        .house = {.phases = 1, .has = HAS_TANK, .mbus_period_s = 3600, .tariff = &france},
    },
};

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

const struct sim_profile *sim_profile_at(size_t i)
{
    return i < sizeof profiles / sizeof profiles[0] ? &profiles[i] : NULL;
}

const struct sim_profile *sim_profile_find(const char *name)
{
    const struct sim_profile *p;
    for (size_t i = 0; (p = sim_profile_at(i)) != NULL; i++) {
        if (same(p->name, name))
            return p;
    }
    return NULL;
}

void sim_init(struct sim *s, const struct sim_profile *p, uint64_t seed, int64_t start_utc_s)
{
    if (start_utc_s < START_MIN_UTC_S)
        start_utc_s = START_MIN_UTC_S;
    if (start_utc_s > START_MAX_UTC_S)
        start_utc_s = START_MAX_UTC_S;
    s->profile = p;
    s->serial = (uint32_t)(seed % 1000000);
    household_init(&s->house, &p->house, seed, start_utc_s);
}

void sim_advance(struct sim *s, uint32_t elapsed_ms)
{
    household_advance(&s->house, elapsed_ms);
}

size_t sim_telegram(const struct sim *s, uint8_t *out, size_t cap)
{
    struct sim_view v;
    struct sim_text t;

    sim_view_fill(&v, s);
    sim_text_init(&t, out, cap);
    switch (s->profile->dialect) {
    case SIM_P1:
        sim_p1_write(&t, (enum sim_p1_column)s->profile->column, &v);
        break;
    case SIM_TIC_STANDARD:
        sim_tic_write(&t, (enum sim_tic_column)s->profile->column, &v);
        break;
    case SIM_TIC_HISTORIC:
        sim_tic_write_historic(&t, &v);
        break;
    }
    return t.overflow ? 0 : t.len;
}

void sim_add_even_parity(uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned x = bytes[i] & 0x7Fu;
        unsigned fold = x ^ (x >> 4);
        fold ^= fold >> 2;
        fold ^= fold >> 1;
        bytes[i] = (uint8_t)(x | (fold & 1) << 7);
    }
}
