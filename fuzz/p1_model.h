/* p1_model.h - what a whole telegram says, found a second time: each value in parentheses, behind which OBIS reference
 * it stands, and at which place.  What a parser took must be there, and the telegram must have its CRC.
 */
#ifndef P1_MODEL_H
#define P1_MODEL_H

#include "core/reading.h"
#include "crc.h"
#include "model.h"

enum { MODEL_VALUES_MAX = 4096 };

/* A-B:C.D.E, of which B counts as M-Bus channel where A is 0. */
struct model_reference {
    unsigned channel, c, d, e;
};

struct model_value {
    struct model_reference of;
    unsigned place; /* 0: the first one behind its reference */
    const char *text;
    size_t length;
    bool is_number;
    struct model_number number;
    int64_t time_s; /* -1: it is none */
};

struct model_telegram {
    struct model_value value[MODEL_VALUES_MAX];
    size_t values;
};

/* --- reading it --------------------------------------------------------------------------------------------------- */

/* One to three digits; a small build takes numbers with zeros before them, the full one compares characters. */
static inline const char *model_group(const char *p, const char *end, unsigned *n)
{
    const char *begin = p;
    for (*n = 0; p < end && isdigit((unsigned char)*p); p++)
        *n = *n < 1000 ? *n * 10 + (unsigned)(*p - '0') : *n;
    return p == begin || (!CORE_IS_SMALL && p - begin > 1 && *begin == '0') ? NULL : p;
}

/* Reads it, and steps over a group F; NULL: the line begins with none. */
static inline const char *model_reference(const char *p, const char *end, struct model_reference *of)
{
    if (end - p < 5 || (*p != '0' && *p != '1') || p[1] != '-' || !isdigit((unsigned char)p[2]) ||
        p[3] != ':')
        return NULL;
    of->channel = *p == '0' ? (unsigned)(p[2] - '0') : 0;
    p = model_group(p + 4, end, &of->c);
    p = p && p < end && *p == '.' ? model_group(p + 1, end, &of->d) : NULL;
    p = p && p < end && *p == '.' ? model_group(p + 1, end, &of->e) : NULL;
    if (p && p < end && (*p == '.' || *p == '*'))
        while (p < end && *p != '(' && *p != '\n')
            p++;
    return p && p < end && *p == '(' ? p : NULL;
}

static inline void model_keep(struct model_telegram *t, const struct model_reference *of,
                              unsigned place, const char *text, const char *close)
{
    struct model_value *v = &t->value[t->values];
    demand(t->values++ < MODEL_VALUES_MAX);
    *v = (struct model_value){
        .of = *of, .place = place, .text = text, .length = (size_t)(close - text)};
    v->is_number = model_read(text, close + 1, &v->number);
    v->time_s = v->length == 13 ? model_time(text) : -1;
}

/* The values from the '(' at p on, which may go on in the next line. */
static inline void model_values(struct model_telegram *t, const struct model_reference *of,
                                const char *p, const char *end)
{
    for (unsigned place = 0; p < end && *p == '('; place++) {
        const char *text = ++p;
        while (p < end && *p != ')' && *p != '\n')
            p++;
        if (p == end || *p == '\n')
            return;
        model_keep(t, of, place, text, p++);
        const char *next = p + (p < end && *p == '\r');
        next += next < end && *next == '\n';
        p = next < end && *next == '(' ? next : p;
    }
}

static inline void model_scan(struct model_telegram *t, const char *telegram, size_t n)
{
    const char *end = telegram + n;
    t->values = 0;
    for (const char *p = telegram; (p = memchr(p, '\n', (size_t)(end - p))) != NULL;) {
        struct model_reference of;
        const char *values = model_reference(++p, end, &of);
        if (values)
            model_values(t, &of, values, end);
    }
}

/* The telegram of a small build, which keeps none, among bytes that end with it.  It begins with the first / and three
 * letters, but a '/' that begins a line begins anew. */
static inline const uint8_t *model_find(const uint8_t *p, const uint8_t *end)
{
    for (const uint8_t *line = end; --line > p;)
        if (line[0] == '/' && line[-1] == '\n') {
            p = line;
            break;
        }
    for (; end - p > 4; p++)
        if (p[0] == '/' && isalpha(p[1]) && isalpha(p[2]) && isalpha(p[3]))
            return p;
    abort();
}

/* --- finding in it ------------------------------------------------------------------------------------------------ */

static inline bool model_stands_at(const struct model_value *v, struct model_reference of,
                                   unsigned place)
{
    return v->of.channel == of.channel && v->of.c == of.c && v->of.d == of.d && v->of.e == of.e &&
           v->place == place;
}

static inline bool model_has_number(const struct model_telegram *t, struct model_reference of,
                                    unsigned place, const char *unit, unsigned decimals,
                                    int64_t value)
{
    for (const struct model_value *v = t->value; v < t->value + t->values; v++) {
        int exponent =
            v->is_number && model_stands_at(v, of, place) ? model_exponent(&v->number, unit) : -1;
        if (exponent >= 0 && model_is(&v->number, exponent, decimals, value))
            return true;
    }
    return false;
}

/* READING_NO_TIME is what an unreadable one becomes. */
static inline bool model_has_time(const struct model_telegram *t, struct model_reference of,
                                  unsigned place, int64_t utc_s)
{
    for (const struct model_value *v = t->value; v < t->value + t->values; v++)
        if (model_stands_at(v, of, place) && v->time_s == utc_s)
            return true;
    return utc_s == READING_NO_TIME;
}

/* --- what quantities are called ----------------------------------------------------------------------------------- */

/* Neighbours, one for each phase, are C, C + 20 and C + 40; for each tariff E, E + 1 and so on. */
struct model_row {
    enum quantity first;
    unsigned c, d, e, place, neighbours, c_step, e_step;
    const char *unit;
};

#define MODEL_ONE(q, c, d, e, unit) \
    { \
        Q_##q, c, d, e, 0, 1, 0, 0, unit \
    }
#define MODEL_PHASES(q, c, d, e, unit) \
    { \
        Q_##q##_L1, c, d, e, 0, 3, 20, 0, unit \
    }
#define MODEL_ALL(q, c, unit) MODEL_ONE(q, c, 7, 0, unit), MODEL_PHASES(q, c + 20, 7, 0, unit)

static const struct model_row model_rows[] = {
    MODEL_ALL(POWER_IMPORT, 1, "w"),
    MODEL_ALL(POWER_EXPORT, 2, "w"),
    MODEL_ALL(REACTIVE_IMPORT, 3, "var"),
    MODEL_ALL(REACTIVE_EXPORT, 4, "var"),
    MODEL_ALL(APPARENT_IMPORT, 9, "va"),
    MODEL_ALL(APPARENT_EXPORT, 10, "va"),
    MODEL_ALL(POWER_FACTOR, 13, ""),
    MODEL_ALL(POWER, 16, "w"),
    MODEL_PHASES(METER_CURRENT, 31, 7, 0, "a"),
    MODEL_PHASES(METER_VOLTAGE, 32, 7, 0, "v"),
    MODEL_PHASES(VOLTAGE_SAGS, 32, 32, 0, ""),
    MODEL_PHASES(VOLTAGE_SWELLS, 32, 36, 0, ""),
    MODEL_PHASES(FUSE, 31, 4, 0, "a"),
    {Q_FUSE_EXPORT, 31, 4, 0, 1, 1, 0, 0, "a"},
    {Q_FUSE_EXPORT, 51, 4, 0, 1, 1, 0, 0, "a"},
    {Q_FUSE_EXPORT, 71, 4, 0, 1, 1, 0, 0, "a"},
    {Q_REACTIVE_Q1, 5, 7, 0, 0, 4, 1, 0, "var"},
    {Q_REACTIVE_ENERGY_Q1, 5, 8, 0, 0, 4, 1, 0, "varh"},
    {Q_ENERGY_IMPORT, 1, 8, 0, 0, 5, 0, 1, "wh"},
    {Q_ENERGY_EXPORT, 2, 8, 0, 0, 5, 0, 1, "wh"},
    MODEL_ONE(REACTIVE_ENERGY_IMPORT, 3, 8, 0, "varh"),
    MODEL_ONE(REACTIVE_ENERGY_EXPORT, 4, 8, 0, "varh"),
    MODEL_ONE(ENERGY_ABSOLUTE, 15, 8, 0, "wh"),
    MODEL_ONE(FREQUENCY, 14, 7, 0, "hz"),
    MODEL_ONE(CURRENT_NEUTRAL, 91, 7, 0, "a"),
    MODEL_ONE(DEMAND_QUARTER, 1, 4, 0, "w"),
    {Q_DEMAND_MONTH_PEAK, 1, 6, 0, 1, 1, 0, 0, "w"},
    MODEL_ONE(LIMITER_W, 17, 0, 0, "w"),
    MODEL_ONE(LIMITER_VA, 17, 0, 0, "va"),
    MODEL_ONE(GRID_TYPE, 94, 32, 1, ""),
    MODEL_ONE(TARIFF, 96, 14, 0, ""),
    MODEL_ONE(BREAKER, 96, 3, 10, ""),
    MODEL_ONE(POWER_FAILURES, 96, 7, 21, ""),
    MODEL_ONE(LONG_POWER_FAILURES, 96, 7, 9, ""),
};

static inline bool model_says(const struct model_telegram *t, enum quantity q, int64_t value)
{
    const struct model_row *end = model_rows + sizeof model_rows / sizeof model_rows[0];
    for (const struct model_row *row = model_rows; row < end; row++) {
        unsigned nth = (unsigned)q - (unsigned)row->first;
        struct model_reference of = {0, row->c + nth * row->c_step, row->d,
                                     row->e + nth * row->e_step};
        if (q >= row->first && nth < row->neighbours &&
            model_has_number(t, of, row->place, row->unit, quantity_decimals[q], value))
            return true;
    }
    return false;
}

static const struct model_reference model_dsmr_version = {0, 0, 2, 8},
                                    model_emucs_version = {0, 96, 1, 4}, model_clock = {0, 1, 0, 0};

static inline void demand_version(const struct model_telegram *t, int64_t version)
{
    demand(version == 0 || model_has_number(t, model_dsmr_version, 0, "", 0, version) ||
           model_has_number(t, model_emucs_version, 0, "", 0, version));
}

static inline void demand_quantities(const struct model_telegram *t, const struct reading *r)
{
    for (int q = 0; q < READING_VALUES_N; q++)
        if (reading_has(r, (enum quantity)q))
            demand(model_says(t, (enum quantity)q, r->value[q]));
    demand_version(t, r->p1_version);
    demand_version(t, r->emucs_version);
}

/* --- whether it is whole ------------------------------------------------------------------------------------------ */

/* What every standard with a CRC has, or what no meter sends. */
static inline bool model_demands_crc(const struct model_telegram *t, const uint8_t *p, size_t n)
{
    for (const struct model_value *v = t->value; v < t->value + t->values; v++) {
        bool is_text = v->length > 0 && v->text[0] != '(';
        if ((is_text && model_stands_at(v, model_dsmr_version, 0)) ||
            (is_text && model_stands_at(v, model_emucs_version, 0)) ||
            (v->time_s >= 0 && model_stands_at(v, model_clock, 0)))
            return true;
    }
    for (size_t i = 1; i < n; i++)
        if (p[i] >= 0x80 || (p[i] == '/' && i + 4 < n && isalpha(p[i + 1]) && isalpha(p[i + 2]) &&
                             isalpha(p[i + 3]) && p[i + 4] != '\r' && p[i + 4] != '\n'))
            return true;
    return false;
}

/* The telegram from its '/' to the last digit of its CRC; t is what model_scan() made of it. */
static inline void demand_whole(const struct model_telegram *t, const uint8_t *p, size_t n)
{
    size_t bang = n;
    unsigned printed = 0;
    while (bang > 0 && p[bang - 1] != '!')
        bang--;
    demand(bang > 1 && p[bang - 2] == '\n' && n - bang <= 4);
    for (size_t i = bang; i < n; i++) {
        demand(isxdigit(p[i]));
        printed = printed << 4 | (unsigned)(isdigit(p[i]) ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    }
    if (n > bang)
        demand(printed == crc_of(CRC_ARC, p, bang));
    else
        demand(!CORE_IS_SMALL && !model_demands_crc(t, p, n));
}

#endif
