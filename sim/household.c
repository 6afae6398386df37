#include "household.h"

#include "sim_clock.h"

enum {
    DAY_S = 86400,
    QUARTER_S = 900,
    CURVE_S = 1800,
    MEAN_U_S = 600,
    Y_SCALE = 1024, /* struct household_maximum */
    U_NOMINAL_DV = 2335,
    U_LOW_DV = 2220,
    U_HIGH_DV = 2410,
    ALWAYS = 65535, /* starts again within a minute */
};

/* When a load starts: share of its starts that falls into each hour, in percent. */
enum shape { FLAT, MEALS, EVENING, DAYTIME, NIGHT, SHAPES };

static const uint8_t shape_percent[SHAPES][2][24] = {
    /* [0] Monday to Friday, [1] weekend */
    [FLAT] = {{4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4},
              {4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4}},
    [MEALS] = {{0, 0, 0, 0, 0, 1, 10, 17, 5, 2, 2, 2, 6, 3, 1, 2, 5, 14, 16, 7, 4, 2, 1, 0},
               {0, 0, 0, 0, 0, 0, 1, 5, 12, 11, 5, 5, 12, 7, 3, 3, 5, 11, 12, 5, 2, 1, 0, 0}},
    [EVENING] = {{0, 0, 0, 0, 0, 1, 6, 6, 1, 0, 0, 0, 1, 1, 1, 2, 5, 12, 20, 18, 14, 9, 3, 0},
                 {1, 0, 0, 0, 0, 0, 1, 4, 6, 4, 2, 2, 3, 3, 3, 4, 6, 10, 15, 14, 12, 7, 2, 1}},
    [DAYTIME] = {{0, 0, 0, 0, 0, 0, 2, 8, 12, 10, 8, 6, 6, 6, 6, 6, 6, 8, 8, 5, 3, 0, 0, 0},
                 {0, 0, 0, 0, 0, 0, 0, 3, 14, 24, 26, 22, 16, 16, 18, 16, 12, 6, 4, 2, 0, 0, 0, 0}},
    [NIGHT] = {{25, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 40},
               {25, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 40}},
};

struct load {
    uint8_t need;   /* all of these household_has, else the load does not exist */
    uint8_t phases; /* bit n: on phase n + 1 */
    uint8_t shape;
    bool heating;        /* more starts in winter, none in midsummer */
    uint16_t starts_x10; /* per day, times 10 */
    uint16_t min_s, max_s;
    uint16_t cycle_s, duty_s; /* draws its power during duty_s of each cycle_s; 0 = always */
    int16_t p_w, q_var;       /* on each of its phases */
    uint16_t gas, water;      /* dm3/h */
};

static const struct load loads[HOUSEHOLD_LOADS] = {
    /* need, phases, shape, heating, starts, min..max s, cycle, duty s, W, var, gas, water dm3/h */
    /* fridge and freezer */
    {0, 2, FLAT, false, ALWAYS, 2400, 3000, 3000, 900, 85, 60, 0, 0},
    {0, 4, FLAT, false, ALWAYS, 3300, 4200, 4200, 1300, 70, 45, 0, 0},
    /* kettle, oven, hob */
    {0, 1, MEALS, false, 50, 120, 240, 0, 0, 2000, 0, 0, 0},
    {0, 4, MEALS, false, 8, 1800, 3600, 300, 180, 2200, 0, 0, 0},
    {0, 2, MEALS, false, 15, 900, 1800, 40, 28, 1800, 0, 0, 0},
    /* washing machine: heats first, then turns; vacuum cleaner */
    {0, 1, DAYTIME, false, 7, 3600, 5400, 5400, 1300, 1950, 150, 0, 0},
    {0, 1, DAYTIME, false, 3, 600, 1500, 0, 0, 900, 250, 0, 0},
    /* lights, screens */
    {0, 4, EVENING, false, 30, 3600, 10800, 0, 0, 160, -20, 0, 0},
    {0, 2, EVENING, false, 25, 3600, 9000, 0, 0, 140, -45, 0, 0},
    /* car, water heater */
    {HAS_EV, 7, EVENING, false, 6, 5400, 14400, 0, 0, 3680, -60, 0, 0},
    {HAS_TANK, 1, NIGHT, false, 12, 7200, 14400, 0, 0, 2200, 0, 0, 0},
    /* boiler with its pump, shower */
    {HAS_GAS, 1, FLAT, true, 160, 900, 1800, 0, 0, 90, 30, 1100, 0},
    {HAS_GAS, 1, MEALS, false, 25, 300, 600, 0, 0, 60, 20, 1700, 540},
    /* tap, toilet */
    {HAS_WATER, 0, MEALS, false, 100, 20, 60, 0, 0, 0, 0, 0, 400},
    {HAS_WATER, 0, FLAT, false, 110, 60, 61, 0, 0, 0, 0, 0, 420},
};

static const int32_t base_w[3] = {75, 110, 60};
static const int32_t base_var[3] = {-25, -40, -15};

/* splitmix64 (public domain, Sebastiano Vigna): any seed is a good seed. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* 0 .. n-1 */
static uint32_t below(struct household *h, uint32_t n)
{
    return (uint32_t)(((next_random(&h->random) >> 32) * n) >> 32);
}

/* low .. high */
static int32_t between(struct household *h, int32_t low, int32_t high)
{
    return low + (int32_t)below(h, (uint32_t)(high - low) + 1);
}

static int32_t clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : value > high ? high : value;
}

static int64_t divide_round(int64_t a, int64_t b)
{
    return (a < 0 ? a - b / 2 : a + b / 2) / b;
}

static uint64_t square(int64_t a)
{
    return (uint64_t)(a * a);
}

static uint32_t root(uint64_t x)
{
    uint64_t r = 0;
    for (uint64_t bit = UINT64_C(1) << 62; bit != 0; bit >>= 2) {
        bool fits = x >= r + bit;
        if (fits)
            x -= r + bit;
        r = fits ? (r >> 1) + bit : r >> 1;
    }
    return (uint32_t)r;
}

/* One wave of a sine made of two parabolas: x in 0..period, result -1000..1000. */
static int32_t wave(int32_t x, int32_t period)
{
    int32_t half = period / 2;
    int32_t sign = x < half ? 1 : -1;
    int32_t y = x % half;
    return sign * (4000 * y / half * (half - y) / half);
}

uint64_t household_units(uint64_t register_ms)
{
    return register_ms / HOUSEHOLD_UNIT_MS;
}

uint64_t household_import_wms(const struct household *h)
{
    return h->import_wms[0] + h->import_wms[1];
}

uint64_t household_export_wms(const struct household *h)
{
    return h->export_wms[0] + h->export_wms[1];
}

uint32_t household_maximum_va(uint64_t y)
{
    return root(y / Y_SCALE);
}

uint32_t household_quarter_w(const struct household *h)
{
    return (uint32_t)((household_import_wms(h) - h->quarter_mark_wms) / (QUARTER_S * 1000));
}

/* Clear-sky sun in 1/1000: a parabola over the day, whose length and height follow the season. */
static uint32_t clear_sky(int32_t season, int64_t utc_s)
{
    const int32_t noon_min = 11 * 60 + 40; /* UTC, five degrees east */
    int32_t half_min = (725 + 255 * season / 1000) / 2;
    int32_t from_noon = (int32_t)(utc_s / 60 % 1440) - noon_min;
    int32_t x = from_noon * 1000 / half_min;
    if (x <= -1000 || x >= 1000)
        return 0;
    int32_t height = 625 + 300 * season / 1000;
    return (uint32_t)(height * (1000 - x * x / 1000) / 1000);
}

static void choose_sky(struct household *h)
{
    static const struct {
        uint8_t percent;
        uint16_t low, high;
    } skies[] = {{50, 850, 1000}, {35, 400, 1000}, {15, 250, 500}};
    uint32_t draw = below(h, 100);
    size_t i = 0;
    while (draw >= skies[i].percent)
        draw -= skies[i++].percent;
    h->sky_low = skies[i].low;
    h->sky_high = skies[i].high;
}

static void start_loads(struct household *h)
{
    bool weekend = h->weekday >= 5;
    for (size_t i = 0; i < HOUSEHOLD_LOADS; i++) {
        const struct load *l = &loads[i];
        if (h->load[i].left_s > 0 || (l->need & h->config->has) != l->need)
            continue;
        uint32_t starts = l->starts_x10;
        if (l->heating)
            starts = starts * (uint32_t)(1000 - h->season) / 1000;
        /* per minute: starts / 10 * percent / 100 / 60 */
        if (below(h, 60000) >= starts * shape_percent[l->shape][weekend][h->hour])
            continue;
        h->load[i].left_s = (uint32_t)between(h, l->min_s, l->max_s);
        h->load[i].age_s = 0;
    }
}

static void close_quarter(struct household *h)
{
    uint32_t w = household_quarter_w(h);
    if (w > h->month_peak.w)
        h->month_peak = (struct household_peak){w, h->utc_s};
    h->quarter_mark_wms = household_import_wms(h);
}

static void close_curve(struct household_curve *c, uint64_t now_wms)
{
    c->mean_w[1] = c->mean_w[0];
    c->mean_w[0] = (uint32_t)((now_wms - c->mark) / (CURVE_S * 1000));
    c->mark = now_wms;
}

static void close_mean_u(struct household *h)
{
    for (size_t n = 0; n < 3; n++) {
        if (h->u_samples > 0)
            h->mean_u_dv[n] = h->u_sum_dv[n] / h->u_samples;
        h->u_sum_dv[n] = 0;
    }
    h->u_samples = 0;
    h->mean_u_utc_s = h->utc_s;
}

static void close_maximum(struct household_maximum *m, int64_t utc_s)
{
    m->last_va = household_maximum_va(m->max);
    m->last_utc_s = m->max_utc_s;
    m->max = 0;
    m->max_utc_s = utc_s;
}

static void close_day(struct household *h)
{
    for (size_t n = 0; n < 4; n++)
        close_maximum(&h->import_max[n], h->utc_s);
    close_maximum(&h->export_max, h->utc_s);
    choose_sky(h);
}

static void close_month(struct household *h)
{
    for (size_t i = HOUSEHOLD_MONTHS - 1; i > 0; i--)
        h->peak[i] = h->peak[i - 1];
    h->peak[0] = h->month_peak;
    h->month_peak = (struct household_peak){0, h->utc_s};
}

static void report_mbus(struct household *h)
{
    h->mbus_gas_dm3 = household_units(h->gas_dm3ms);
    h->mbus_water_dm3 = household_units(h->water_dm3ms);
    h->mbus_utc_s = h->utc_s;
}

/* Short dips and rises that no one-second reading shows, only their counters. */
static void disturb_grid(struct household *h)
{
    struct household_phase *p = &h->phase[below(h, 3)];
    uint32_t draw = below(h, 20000);
    p->sags = (uint16_t)(p->sags + (draw < 3));
    p->swells = (uint16_t)(p->swells + (draw == 3));
}

/* Whatever ends at this second, ends before the new minute's loads start. */
static void close_periods(struct household *h, const struct sim_clock *now)
{
    if (h->utc_s % QUARTER_S == 0)
        close_quarter(h);
    if (h->utc_s % MEAN_U_S == 0)
        close_mean_u(h);
    if (h->utc_s % CURVE_S == 0) {
        close_curve(&h->import_curve, household_import_wms(h));
        close_curve(&h->export_curve, household_export_wms(h));
        h->curve_utc_s = h->utc_s;
    }
    if (h->utc_s % h->config->mbus_period_s == 0)
        report_mbus(h);
    if (now->hour == 0 && now->minute == 0)
        close_day(h);
    if (now->day == 1 && now->hour == 0 && now->minute == 0)
        close_month(h);
}

static void begin_minute(struct household *h)
{
    const struct household_tariff *t = h->config->tariff;
    struct sim_clock now = sim_clock_local(h->utc_s);

    close_periods(h, &now);
    h->hour = now.hour;
    h->weekday = now.weekday;
    h->season = wave((now.yday + 366 - 80) % 366, 366);
    h->sun = clear_sky(h->season, h->utc_s);
    bool day = now.hour >= t->day_from_h && now.hour < t->day_to_h &&
               !(t->weekend_is_night && now.weekday >= 5);
    h->tariff = day ? t->day : t->night;
    if (below(h, 8) == 0)
        h->clear_goal = (uint32_t)between(h, (int32_t)h->sky_low, (int32_t)h->sky_high);
    disturb_grid(h);
    start_loads(h);
}

static void draw_load(struct household *h, const struct load *l)
{
    for (size_t n = 0; n < 3; n++) {
        if ((l->phases >> n & 1) == 0)
            continue;
        h->load_w[n] += l->p_w;
        h->load_var[n] += l->q_var;
    }
    h->gas_flow += l->gas;
    h->water_flow += l->water;
}

static void run_loads(struct household *h)
{
    h->gas_flow = 0;
    h->water_flow = 0;
    for (size_t n = 0; n < 3; n++) {
        h->base_w[n] = clamp(h->base_w[n] + between(h, -2, 2), base_w[n] - 20, base_w[n] + 20);
        h->load_w[n] = h->base_w[n];
        h->load_var[n] = base_var[n];
    }
    for (size_t i = 0; i < HOUSEHOLD_LOADS; i++) {
        struct household_load_state *s = &h->load[i];
        if (s->left_s == 0)
            continue;
        if (loads[i].cycle_s == 0 || s->age_s % loads[i].cycle_s < loads[i].duty_s)
            draw_load(h, &loads[i]);
        s->age_s++;
        s->left_s--;
    }
}

/* A three-phase inverter: a third of the sun on each phase. */
static void shine(struct household *h)
{
    int32_t step = clamp((int32_t)h->clear_goal - (int32_t)h->clear, -6, 6);
    h->clear = (uint32_t)((int32_t)h->clear + step);
    int32_t solar_w = (int32_t)((uint64_t)h->config->solar_wp * h->sun * h->clear / 1000000);
    for (size_t n = 0; n < 3; n++) {
        h->load_w[n] -= solar_w / 3;
        h->load_var[n] += solar_w / 3 / 50;
    }
}

/* A single-phase house has everything on phase 1. */
static void merge_phases(struct household *h)
{
    for (size_t n = 1; n < 3; n++) {
        h->load_w[0] += h->load_w[n];
        h->load_var[0] += h->load_var[n];
        h->load_w[n] = 0;
        h->load_var[n] = 0;
    }
}

/* Load pulls the voltage down, sun pushes it up, and the street has its own evenings. */
static uint32_t voltage_dv(struct household *h, size_t n)
{
    int32_t evening_dv = h->hour >= 17 && h->hour < 22 ? 12 : 0;
    h->wander_dv[n] = clamp(h->wander_dv[n] + between(h, -1, 1), -25, 25);
    int32_t u = U_NOMINAL_DV + h->wander_dv[n] - evening_dv - h->load_w[n] / 100;
    return (uint32_t)clamp(u, U_LOW_DV, U_HIGH_DV);
}

static void measure_star(struct household *h)
{
    for (size_t n = 0; n < h->config->phases; n++) {
        struct household_phase *p = &h->phase[n];
        p->u_dv = voltage_dv(h, n);
        p->p_w = h->load_w[n];
        p->q_var = h->load_var[n];
        p->s_cva = root((square(p->p_w) + square(p->q_var)) * 10000);
        p->i_ma = (p->s_cva * 100 + p->u_dv / 2) / p->u_dv;
    }
}

/* A voltage in mV or a current in mA as real and imaginary part. */
struct phasor {
    int64_t re, im;
};

static struct phasor minus(struct phasor a, struct phasor b)
{
    return (struct phasor){a.re - b.re, a.im - b.im};
}

/* Current of a load: I = conj(S / U). */
static struct phasor load_current(struct phasor u, int64_t p_w, int64_t q_var)
{
    int64_t uu = u.re * u.re + u.im * u.im;
    return (struct phasor){divide_round((p_w * u.re + q_var * u.im) * 1000000, uu),
                           divide_round((p_w * u.im - q_var * u.re) * 1000000, uu)};
}

/* One element of the two-wattmeter circuit: a line current against the voltage to line 2. */
static void measure_element(struct household_phase *p, struct phasor u, struct phasor i)
{
    p->p_w = (int32_t)divide_round(u.re * i.re + u.im * i.im, 1000000);
    p->q_var = (int32_t)divide_round(u.im * i.re - u.re * i.im, 1000000);
}

static uint32_t magnitude(struct phasor a)
{
    return root(square(a.re) + square(a.im));
}

/* Three lines, no neutral: U32 leads U12 by 60 degrees, and the line currents sum to zero. */
static void measure_delta(struct household *h)
{
    struct household_phase *p = h->phase;
    p[0].u_dv = voltage_dv(h, 0);
    p[2].u_dv = voltage_dv(h, 2);

    int64_t u32_mv = (int64_t)p[2].u_dv * 100;
    struct phasor u12 = {(int64_t)p[0].u_dv * 100, 0};
    struct phasor u32 = {u32_mv / 2, u32_mv * 866025 / 1000000};
    struct phasor u23 = {-u32.re, -u32.im};
    struct phasor u31 = minus(u32, u12);

    struct phasor i12 = load_current(u12, h->load_w[0], h->load_var[0]);
    struct phasor i23 = load_current(u23, h->load_w[1], h->load_var[1]);
    struct phasor i31 = load_current(u31, h->load_w[2], h->load_var[2]);

    measure_element(&p[0], u12, minus(i12, i31));
    measure_element(&p[2], u32, minus(i31, i23));
    p[0].i_ma = magnitude(minus(i12, i31));
    p[1].i_ma = magnitude(minus(i23, i12));
    p[2].i_ma = magnitude(minus(i31, i23));
}

static void add_phases(struct household *h)
{
    int64_t s_cva = 0;
    h->p_w = 0;
    h->q_var = 0;
    for (size_t n = 0; n < 3; n++) {
        const struct household_phase *p = &h->phase[n];
        h->p_w += p->p_w;
        h->q_var += p->q_var;
        s_cva += p->p_w < 0 ? -(int64_t)p->s_cva : (int64_t)p->s_cva;
        h->u_sum_dv[n] += p->u_dv;
    }
    h->s_va = (int32_t)divide_round(s_cva, 100);
    h->u_samples++;
}

static void filter_maximum(struct household_maximum *m, int64_t va, int64_t utc_s)
{
    m->y = (square(va) * Y_SCALE * 8 + m->y * 992) / 1000;
    if (m->y <= m->max)
        return;
    m->max = m->y;
    m->max_utc_s = utc_s;
}

static void filter_maxima(struct household *h)
{
    int64_t total_va = h->s_va < 0 ? -h->s_va : h->s_va;
    bool imports = h->p_w >= 0;

    filter_maximum(&h->import_max[0], imports ? total_va : 0, h->utc_s);
    filter_maximum(&h->export_max, imports ? 0 : total_va, h->utc_s);
    for (size_t n = 0; n < 3; n++) {
        const struct household_phase *p = &h->phase[n];
        filter_maximum(&h->import_max[n + 1], p->p_w >= 0 ? p->s_cva / 100 : 0, h->utc_s);
    }
}

static void begin_second(struct household *h)
{
    if (h->utc_s % 60 == 0)
        begin_minute(h);
    run_loads(h);
    shine(h);
    if (h->config->phases == 1)
        merge_phases(h);
    if (h->config->delta)
        measure_delta(h);
    else
        measure_star(h);
    add_phases(h);
    filter_maxima(h);
}

/* Quadrants by the signs of P and Q: 1 ++, 2 -+, 3 --, 4 +-. */
static size_t quadrant(const struct household *h)
{
    if (h->q_var >= 0)
        return h->p_w >= 0 ? 0 : 1;
    return h->p_w >= 0 ? 3 : 2;
}

static void integrate(struct household *h, uint32_t ms)
{
    uint64_t p = (uint64_t)(h->p_w < 0 ? -h->p_w : h->p_w);
    uint64_t q = (uint64_t)(h->q_var < 0 ? -h->q_var : h->q_var);
    uint64_t *energy = h->p_w < 0 ? h->export_wms : h->import_wms;

    energy[h->tariff] += p * ms;
    h->reactive_varms[quadrant(h)] += q * ms;
    h->gas_dm3ms += (uint64_t)h->gas_flow * ms;
    h->water_dm3ms += (uint64_t)h->water_flow * ms;
}

void household_advance(struct household *h, uint32_t elapsed_ms)
{
    while (elapsed_ms > 0) {
        uint32_t left_ms = 1000 - h->past_ms;
        uint32_t ms = elapsed_ms < left_ms ? elapsed_ms : left_ms;
        integrate(h, ms);
        elapsed_ms -= ms;
        h->past_ms += ms;
        if (h->past_ms < 1000)
            continue;
        h->past_ms = 0;
        h->utc_s++;
        begin_second(h);
    }
}

/* A counter that has run for years: somewhere between low and high units. */
static uint64_t past_units(struct household *h, int32_t low, int32_t high)
{
    uint64_t fraction = below(h, HOUSEHOLD_UNIT_MS);
    return (uint64_t)between(h, low, high) * HOUSEHOLD_UNIT_MS + fraction;
}

static void init_counters(struct household *h)
{
    for (size_t i = 0; i < 2; i++) {
        h->import_wms[i] = past_units(h, 1200000, 4800000);
        if (h->config->solar_wp > 0)
            h->export_wms[i] = past_units(h, 800000, 3900000);
    }
    for (size_t i = 0; i < 4; i++)
        h->reactive_varms[i] = past_units(h, 40000, 900000);
    h->gas_dm3ms = past_units(h, 1500000, 4000000);
    h->water_dm3ms = past_units(h, 200000, 700000);
    h->quarter_mark_wms = household_import_wms(h);
    h->import_curve.mark = household_import_wms(h);
    h->export_curve.mark = household_export_wms(h);
}

static void init_grid(struct household *h)
{
    int64_t end_utc_s = h->utc_s;
    for (size_t n = 0; n < 3; n++) {
        h->base_w[n] = base_w[n];
        h->phase[n].sags = (uint16_t)between(h, 0, 9);
        h->phase[n].swells = (uint16_t)between(h, 0, 2);
        h->mean_u_dv[n] = U_NOMINAL_DV;
    }
    h->failures = (uint16_t)between(h, HOUSEHOLD_FAILURES, 15);
    for (size_t i = 0; i < HOUSEHOLD_FAILURES; i++) {
        end_utc_s -= between(h, 20 * DAY_S, 300 * DAY_S);
        h->failure[i].end_utc_s = end_utc_s;
        h->failure[i].duration_s = (uint32_t)between(h, 181, 14400);
    }
}

/* A peak in some quarter hour that ends within from..to. */
static struct household_peak past_peak(struct household *h, int64_t from_utc_s, int64_t to_utc_s)
{
    int32_t quarters = (int32_t)((to_utc_s - from_utc_s) / QUARTER_S);
    if (quarters < 1)
        return (struct household_peak){0, from_utc_s};
    uint32_t w = (uint32_t)between(h, 2500, 6500);
    return (struct household_peak){w, from_utc_s + (int64_t)between(h, 1, quarters) * QUARTER_S};
}

static void init_peaks(struct household *h)
{
    /* A month that ends at this very second is still to be closed, by begin_minute(). */
    struct sim_clock now = sim_clock_local(h->utc_s - 1);
    int64_t end_utc_s = sim_clock_month_start(now.year, now.month);
    h->month_peak = past_peak(h, end_utc_s, h->utc_s);
    for (int32_t i = 0; i < HOUSEHOLD_MONTHS; i++) {
        int64_t begin_utc_s = sim_clock_month_start(now.year, now.month - 1 - i);
        h->peak[i] = past_peak(h, begin_utc_s, end_utc_s);
        end_utc_s = begin_utc_s;
    }
}

/* The begin of the day before, so that yesterday's maxima are real ones (an hour off when the
 * clocks change in between, which the day's own end puts right). */
static int64_t yesterday(int64_t utc_s)
{
    struct sim_clock now = sim_clock_local(utc_s);
    int32_t of_day_s = now.hour * 3600 + now.minute * 60 + now.second;
    return utc_s - of_day_s - DAY_S;
}

void household_init(struct household *h, const struct household_config *config, uint64_t seed,
                    int64_t start_utc_s)
{
    *h = (struct household){.config = config, .random = seed};
    h->utc_s = yesterday(start_utc_s);
    init_counters(h);
    init_grid(h);
    init_peaks(h);
    close_day(h);
    h->clear = h->sky_high;
    h->clear_goal = h->sky_high;
    begin_second(h);
    while (h->utc_s < start_utc_s)
        household_advance(h, 1000);
}
