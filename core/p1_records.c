/* p1_records.c - the objects of a telegram that are more than a number: texts, limits, logs, M-Bus channels.  A small
 * build has none of them.
 */
#include "p1_records.h"

#include "p1_values.h"

/* A limit that is off stays unknown. */
static bool limit(const struct p1_decoder *d, unsigned target, enum p1_dimension dim,
                  const struct p1_printed *n)
{
    reading_value value;
    if (n->digits < 0 || !p1_convert(n, dim, quantity_decimals[target], &value))
        return false;
    if (!p1_is_off(n))
        reading_set_first(d->reading, (enum quantity)target, value);
    return true;
}

/* 17.0.0: kW in the Netherlands and Belgium, kVA in Luxembourg. */
bool p1_limiter(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                unsigned channel)
{
    struct p1_printed n;
    (void)channel;
    (void)o;
    return p1_read_printed(c, &n) &&
           (limit(d, Q_LIMITER_W, DIM_POWER, &n) || limit(d, Q_LIMITER_VA, DIM_APPARENT, &n));
}

/* 31.4.0: (max*A), and in Luxembourg a second value (-max*A) for export. */
bool p1_fuse(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
             unsigned channel)
{
    struct p1_printed n;
    reading_value export_ma;
    (void)channel;
    if (!p1_read_printed(c, &n) || !limit(d, o->target, DIM_CURRENT, &n))
        return false;
    if (cursor_peek(c) != '(')
        return true;
    if (!p1_read_value(c, DIM_CURRENT, quantity_decimals[Q_FUSE_EXPORT], &export_ma))
        return false;
    reading_set_first(d->reading, Q_FUSE_EXPORT, export_ma);
    return true;
}

/* Keeps the slice; channel 1..4 selects the neighbour for M-Bus texts.  Empty is no text, no error. */
bool p1_text(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
             unsigned channel)
{
    struct cursor slice;
    if (!p1_read_open(c) || !p1_read_slice(c, &slice))
        return false;
    struct reading_text *t = &d->reading->text[o->target + (channel ? channel - 1 : 0)];
    if (t->length == 0 && *slice.p != ')' && *slice.p != '(')
        *t = (struct reading_text){.offset = (uint16_t)(slice.p - d->origin),
                                   .length = (uint16_t)(slice.end - slice.p)};
    return true;
}

/* 99.97.0 (n)(0-0:96.7.19) then n times (end time)(duration*s), the latest first. */
bool p1_failure_log(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                    unsigned channel)
{
    struct reading *r = d->reading;
    unsigned n;
    (void)o;
    (void)channel;
    if (!p1_read_count(c, READING_FAILURES_N, &n))
        return false;
    if (n == 0 || r->failures_n)
        return true;
    if (!p1_skip_values(c, 1))
        return false;
    for (unsigned i = 0; i < n; i++) {
        reading_value duration_s;
        if (!p1_read_time(c, d->winter_offset_s, &r->failures[i].end_s) ||
            !p1_read_value(c, DIM_SECONDS, 0, &duration_s) || duration_s < 0)
            return false;
        r->failures[i].duration_s = (uint32_t)duration_s;
    }
    r->failures_n = (uint8_t)n;
    return true;
}

/* More digits than a count of months has. */
static bool begins_with_time(const struct cursor *c)
{
    int digits = 0;
    while (digits < 3 && c->end - c->p > 4 && (unsigned)c->p[1 + digits] - '0' <= 9)
        digits++;
    return digits == 3;
}

/* 98.1.0 (n)(1-0:1.6.0)(1-0:1.6.0) then n times (month)(time of peak)(kW).  Hungary prints energies of
 * the last month under this code, beginning with a time: another object, ignored. */
bool p1_peak_history(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                     unsigned channel)
{
    struct reading *r = d->reading;
    unsigned n;
    (void)channel;
    if (begins_with_time(c))
        return true;
    if (!p1_read_count(c, READING_PEAKS_N, &n))
        return false;
    if (n == 0 || r->peaks_n)
        return true;
    if (!p1_skip_values(c, 2))
        return false;
    for (unsigned i = 0; i < n; i++) {
        reading_value power_w;
        if (!p1_read_time(c, d->winter_offset_s, &r->peaks[i].month_s) ||
            !p1_read_time(c, d->winter_offset_s, &r->peaks[i].time_s) ||
            !p1_read_value(c, (enum p1_dimension)o->dimension, 0, &power_w) || power_w < 0)
            return false;
        r->peaks[i].power_w = (int32_t)power_w;
    }
    r->peaks_n = (uint8_t)n;
    return true;
}

/* 0-n:24.1.0: the kind of device, (003) gas. */
bool p1_mbus_medium(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                    unsigned channel)
{
    struct reading_mbus *m = &d->reading->mbus[channel - 1];
    unsigned medium;
    (void)o;
    if (!p1_read_count(c, UINT8_MAX, &medium))
        return false;
    if (m->medium == MBUS_NONE)
        m->medium = (uint8_t)medium;
    return true;
}

enum { RELAY, VALVE };

/* 0-n:24.4.0, the valve; 0-n:96.3.10, the switch of a slave meter, but in Belgium and Luxembourg a relay
 * of the main meter that has nothing to do with what is on the channel: the valve outranks it. */
bool p1_mbus_valve(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                   unsigned channel)
{
    struct reading_mbus *m = &d->reading->mbus[channel - 1];
    unsigned state;
    if (!p1_read_count(c, INT8_MAX, &state))
        return false;
    if (m->valve < 0 || o->target == VALVE)
        m->valve = (int8_t)state;
    return true;
}

/* Sets the channel's value in the unit its printed one belongs to. */
static bool mbus_value(struct reading_mbus *m, const struct p1_printed *n, int64_t time_s)
{
    static const struct {
        uint8_t dimension, unit;
    } kinds[] = {{DIM_VOLUME, MBUS_UNIT_DM3}, {DIM_HEAT, MBUS_UNIT_MJ}, {DIM_ENERGY, MBUS_UNIT_WH}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        reading_value value;
        if (!p1_convert(n, (enum p1_dimension)kinds[i].dimension, 0, &value) || value < 0)
            continue;
        if (m->unit == MBUS_UNIT_UNKNOWN) {
            m->value = value;
            m->unit = kinds[i].unit;
            m->time_s = time_s;
        }
        return true;
    }
    return false;
}

/* 0-n:24.2.1 (time)(value*unit).  A channel without contact to its meter prints an impossible time
 * (632525252525S) or no unit: its value is unknown then, which is normal and no error of ours, but
 * it is counted so that it can be seen. */
bool p1_mbus_reading(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                     unsigned channel)
{
    struct p1_printed n;
    int64_t time_s;
    (void)o;
    return p1_read_time(c, d->winter_offset_s, &time_s) && time_s != READING_NO_TIME &&
           p1_read_printed(c, &n) && mbus_value(&d->reading->mbus[channel - 1], &n, time_s);
}

/* 0-n:24.2.3: Belgian gas, not temperature-corrected. */
bool p1_mbus_gas_uncorrected(const struct p1_decoder *d, const struct p1_object *o,
                             struct cursor *c, unsigned channel)
{
    struct reading_mbus *m = &d->reading->mbus[channel - 1];
    bool first = m->unit == MBUS_UNIT_UNKNOWN;
    if (!p1_mbus_reading(d, o, c, channel))
        return false;
    if (first)
        m->uncorrected = true;
    return true;
}

/* DSMR 2 and 3, 0-n:24.3.0 (time)(00)(60)(1)(0-n:24.2.1)(m3) CR LF (value): the time has no season
 * letter, so it is no time; unit and value stand apart. */
bool p1_mbus_reading_dsmr3(const struct p1_decoder *d, const struct p1_object *o, struct cursor *c,
                           unsigned channel)
{
    struct p1_printed n;
    p1_unit unit;
    (void)o;
    if (!p1_skip_values(c, 5) || !p1_read_open(c) || !p1_read_unit(c, &unit) || !p1_read_close(c))
        return false;
    (void)cursor_accept(c, '\r');
    (void)cursor_accept(c, '\n');
    if (!p1_read_open(c) || !p1_read_number(c, &n) || !p1_read_close(c))
        return false;
    n.unit = unit;
    return mbus_value(&d->reading->mbus[channel - 1], &n, READING_NO_TIME);
}

/* clang-format off */
/* 0-n, n = M-Bus channel 1..4 */
const struct p1_object p1_mbus_objects[P1_MBUS_OBJECTS] = {
    P1_OBJECT(24, 1, 0, P1_MBUS_MEDIUM, 0, 0),
    P1_OBJECT(24, 2, 1, P1_MBUS_READING, 0, 0),
    P1_OBJECT(24, 2, 3, P1_MBUS_GAS_UNCORRECTED, 0, 0),
    P1_OBJECT(24, 3, 0, P1_MBUS_READING_DSMR3, 0, 0),
    P1_OBJECT(24, 4, 0, P1_MBUS_VALVE, VALVE, 0),
    P1_OBJECT(96, 1, 0, P1_TEXT, TEXT_MBUS_ID_1, 0),
    P1_OBJECT(96, 1, 1, P1_TEXT, TEXT_MBUS_ID_1, 0),
    P1_OBJECT(96, 1, 2, P1_TEXT, TEXT_MBUS_EAN_1, 0),
    P1_OBJECT(96, 3, 10, P1_MBUS_VALVE, RELAY, 0),
};
/* clang-format on */
