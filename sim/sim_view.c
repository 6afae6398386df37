#include "sim_view.h"

enum { CURVE_S = 1800, PREF_SINGLE_KVA = 12, PREF_THREE_KVA = 18, CONTRACT_V = 200 };

static int64_t positive(int64_t x)
{
    return x > 0 ? x : 0;
}

static int64_t divide_round(int64_t a, int64_t b)
{
    return (a + b / 2) / b;
}

static void set_at(struct sim_view *v, size_t source, int64_t value, int64_t utc_s)
{
    v->value[source] = value;
    v->utc_s[source] = utc_s;
}

static void fill_energies(struct sim_view *v, const struct household *h)
{
    int64_t *x = v->value;
    for (size_t i = 0; i < 2; i++) {
        x[SIM_IMPORT_T1_WH + i] = (int64_t)household_units(h->import_wms[i]);
        x[SIM_EXPORT_T1_WH + i] = (int64_t)household_units(h->export_wms[i]);
    }
    for (size_t i = 0; i < 4; i++)
        x[SIM_Q1_VARH + i] = (int64_t)household_units(h->reactive_varms[i]);
    x[SIM_IMPORT_WH] = x[SIM_IMPORT_T1_WH] + x[SIM_IMPORT_T2_WH];
    x[SIM_EXPORT_WH] = x[SIM_EXPORT_T1_WH] + x[SIM_EXPORT_T2_WH];
    x[SIM_TARIFF] = h->tariff + 1;
    x[SIM_QUARTER_W] = household_quarter_w(h);
    set_at(v, SIM_MONTH_PEAK_W, h->month_peak.w, h->month_peak.utc_s);
    set_at(v, SIM_GAS_DM3, (int64_t)h->mbus_gas_dm3, h->mbus_utc_s);
    set_at(v, SIM_WATER_DM3, (int64_t)h->mbus_water_dm3, h->mbus_utc_s);
}

static void fill_phases(struct sim_view *v, const struct household *h)
{
    int64_t *x = v->value;
    x[SIM_IMPORT_W] = positive(h->p_w);
    x[SIM_EXPORT_W] = positive(-h->p_w);
    for (size_t n = 0; n < 3; n++) {
        const struct household_phase *p = &h->phase[n];
        x[SIM_IMPORT_L1_W + n] = positive(p->p_w);
        x[SIM_EXPORT_L1_W + n] = positive(-p->p_w);
        x[SIM_U1_DV + n] = p->u_dv;
        x[SIM_U1_V + n] = divide_round(p->u_dv, 10);
        x[SIM_I1_CA + n] = divide_round(p->i_ma, 10);
        x[SIM_I1_A + n] = divide_round(p->i_ma, 1000);
        x[SIM_SAGS_L1 + n] = p->sags;
        x[SIM_SWELLS_L1 + n] = p->swells;
    }
    x[SIM_FAILURES] = h->failures;
    x[SIM_LONG_FAILURES] = HOUSEHOLD_FAILURES;
}

/* TIC takes the direction of the whole from the active power, its size from the phases' S. */
static void fill_apparent(struct sim_view *v, const struct household *h)
{
    int64_t *x = v->value;
    int64_t total_va = h->s_va < 0 ? -(int64_t)h->s_va : h->s_va;
    x[SIM_SINSTS_VA] = h->p_w >= 0 ? total_va : 0;
    x[SIM_SINSTI_VA] = h->p_w >= 0 ? 0 : total_va;
    x[SIM_PAPP_VA] = divide_round(x[SIM_SINSTS_VA], 10) * 10;
    for (size_t n = 0; n < 3; n++) {
        const struct household_phase *p = &h->phase[n];
        x[SIM_SINSTS1_VA + n] = p->p_w >= 0 ? divide_round(p->s_cva, 100) : 0;
        set_at(v, SIM_UMOY1_V + n, divide_round(h->mean_u_dv[n], 10), h->mean_u_utc_s);
    }
}

static void fill_maximum(struct sim_view *v, size_t today, size_t yesterday,
                         const struct household_maximum *m)
{
    set_at(v, today, household_maximum_va(m->max), m->max_utc_s);
    set_at(v, yesterday, m->last_va, m->last_utc_s);
}

static void fill_curves(struct sim_view *v, const struct household *h)
{
    for (size_t n = 0; n < 4; n++)
        fill_maximum(v, SIM_SMAXSN_VA + n, SIM_SMAXSN_LAST_VA + n, &h->import_max[n]);
    fill_maximum(v, SIM_SMAXIN_VA, SIM_SMAXIN_LAST_VA, &h->export_max);
    for (size_t i = 0; i < 2; i++) {
        int64_t end_utc_s = h->curve_utc_s - (int64_t)i * CURVE_S;
        set_at(v, SIM_CCASN_W + i, h->import_curve.mean_w[i], end_utc_s);
        set_at(v, SIM_CCAIN_W + i, h->export_curve.mean_w[i], end_utc_s);
    }
}

/* The contract, and the status register as Enedis-NOI-CPT_54E 6.2.3.14 counts its bits. */
static void fill_status(struct sim_view *v, const struct sim *s)
{
    const struct household *h = &s->house;
    int64_t *x = v->value;
    bool three = s->profile->house.phases == 3;
    bool cheap = h->tariff == s->profile->house.tariff->night;
    int64_t pref_kva = three ? PREF_THREE_KVA : PREF_SINGLE_KVA;

    x[SIM_PREF_KVA] = pref_kva;
    x[SIM_ISOUSC_A] = pref_kva * 1000 / CONTRACT_V;
    x[SIM_RELAYS] = cheap; /* the contact feeds the water heater in the cheap hours */

    uint32_t stge = 0;
    stge |= cheap ? 0 : 1;                                       /* 0: contact open */
    stge |= (uint32_t)(x[SIM_SINSTS_VA] > pref_kva * 1000) << 7; /* 7: above PREF */
    stge |= (uint32_t)(s->profile->house.solar_wp > 0) << 8;     /* 8: producer */
    stge |= (uint32_t)(h->p_w < 0) << 9;                         /* 9: active energy negative */
    stge |= (uint32_t)h->tariff << 10;                           /* 10-13: supplier index - 1 */
    stge |= (uint32_t)h->tariff << 14;                           /* 14-15: distributor index - 1 */
    stge |= UINT32_C(1) << 17;                                   /* 17: standard mode */
    stge |= UINT32_C(3) << 19;                                   /* 19-20: Euridis with security */
    stge |= UINT32_C(2) << 21;                                   /* 21-22: PLC registered */
    stge |= UINT32_C(1) << 23;                                   /* 23: PLC synchronised */
    x[SIM_STGE] = stge;
}

void sim_view_fill(struct sim_view *v, const struct sim *s)
{
    *v = (struct sim_view){.serial = s->serial, .house = &s->house};
    for (size_t i = 0; i < SIM_SOURCES; i++)
        v->utc_s[i] = s->house.utc_s;
    fill_energies(v, &s->house);
    fill_phases(v, &s->house);
    fill_apparent(v, &s->house);
    fill_curves(v, &s->house);
    fill_status(v, s);
}
