/* The telegram, lines ended by CR LF, the CRC over everything from '/' to '!':
 *
 *     /SIM5HOUSE            the invented maker, baud identifier 5
 *
 *     1-0:1.8.1(001234.567*kWh)
 *     ...
 *     !1A2B
 *
 * DSMR 4.2.2 and 5.0.2 P1 companion, chapter 6; e-MUCS P1 1.7.1 and 2.1.  The order of lines is
 * free by specification; this is the usual one.
 */
#include "sim_p1.h"

#include "crc16.h"
#include "sim_clock.h"

struct line;

/* How a value is written; digits counts those before and after the dot, as Fn(x,y) does. */
struct form {
    void (*write)(struct sim_text *t, const struct line *l, const struct sim_view *v);
    uint8_t digits, decimals;
    const char *unit; /* NULL: none */
};

struct line {
    uint8_t columns; /* set of sim_p1_column that print it */
    const char *obis;
    const struct form *form;
    uint8_t source;   /* enum sim_source */
    const char *text; /* for TEXT and ID */
};

static void write_stamp(struct sim_text *t, int64_t utc_s)
{
    sim_text_char(t, '(');
    sim_text_stamp(t, utc_s);
    sim_text_str(t, sim_clock_local(utc_s).summer ? "S)" : "W)");
}

static void write_value(struct sim_text *t, int64_t value, const struct form *f)
{
    sim_text_char(t, '(');
    sim_text_number(t, value, f->digits, f->decimals);
    if (f->unit != NULL) {
        sim_text_char(t, '*');
        sim_text_str(t, f->unit);
    }
    sim_text_char(t, ')');
}

static void write_number(struct sim_text *t, const struct line *l, const struct sim_view *v)
{
    write_value(t, v->value[l->source], l->form);
}

static void write_timed(struct sim_text *t, const struct line *l, const struct sim_view *v)
{
    write_stamp(t, v->utc_s[l->source]);
    write_number(t, l, v);
}

static void write_time(struct sim_text *t, const struct line *l, const struct sim_view *v)
{
    write_stamp(t, v->utc_s[l->source]);
}

static void write_text(struct sim_text *t, const struct line *l, const struct sim_view *v)
{
    (void)v;
    sim_text_char(t, '(');
    sim_text_str(t, l->text);
    sim_text_char(t, ')');
}

/* An id is the hex of its characters: the row's text and six digits of the seed. */
static void write_id(struct sim_text *t, const struct line *l, const struct sim_view *v)
{
    char digits[8];
    struct sim_text serial;
    sim_text_init(&serial, (uint8_t *)digits, sizeof digits - 1);
    sim_text_number(&serial, v->serial, 6, 0);
    digits[serial.len] = '\0';

    sim_text_char(t, '(');
    sim_text_hex_of(t, l->text);
    sim_text_hex_of(t, digits);
    sim_text_char(t, ')');
}

/* (count)(0-0:96.7.19)(end)(duration*s)... newest first */
static void write_failures(struct sim_text *t, const struct line *l, const struct sim_view *v)
{
    static const struct form DURATION = {NULL, 10, 0, "s"};
    sim_text_char(t, '(');
    sim_text_number(t, HOUSEHOLD_FAILURES, 1, 0);
    sim_text_str(t, l->text);
    for (size_t i = 0; i < HOUSEHOLD_FAILURES; i++) {
        write_stamp(t, v->house->failure[i].end_utc_s);
        write_value(t, v->house->failure[i].duration_s, &DURATION);
    }
}

/* (count)(1-0:1.6.0)(1-0:1.6.0)(end of month)(time of peak)(kW)... oldest first */
static void write_peaks(struct sim_text *t, const struct line *l, const struct sim_view *v)
{
    struct sim_clock now = sim_clock_local(v->house->utc_s);
    sim_text_char(t, '(');
    sim_text_number(t, HOUSEHOLD_MONTHS, 2, 0);
    sim_text_str(t, l->text);
    for (int32_t i = HOUSEHOLD_MONTHS - 1; i >= 0; i--) {
        const struct household_peak *p = &v->house->peak[i];
        write_stamp(t, sim_clock_month_start(now.year, now.month - i));
        write_stamp(t, p->utc_s);
        write_value(t, p->w, l->form);
    }
}

static const struct form TEXT = {write_text, 0, 0, NULL};
static const struct form ID = {write_id, 0, 0, NULL};
static const struct form TIME = {write_time, 0, 0, NULL};
static const struct form COUNT = {write_number, 5, 0, NULL};
static const struct form TARIFF = {write_number, 4, 0, NULL};
static const struct form ENERGY = {write_number, 9, 3, "kWh"};
static const struct form POWER = {write_number, 5, 3, "kW"};
static const struct form VOLTAGE = {write_number, 4, 1, "V"};
static const struct form CURRENT = {write_number, 3, 0, "A"};
static const struct form FINE_CURRENT = {write_number, 5, 2, "A"};
static const struct form TIMED_POWER = {write_timed, 5, 3, "kW"};
static const struct form TIMED_VOLUME = {write_timed, 8, 3, "m3"};
static const struct form FAILURES = {write_failures, 0, 0, NULL};
static const struct form PEAKS = {write_peaks, 5, 3, "kW"};

enum {
    NL = SIM_P1_DSMR42 | SIM_P1_DSMR50,
    BE = SIM_P1_EMUCS | SIM_P1_DELTA,
    NL42 = SIM_P1_DSMR42,
    NL50 = SIM_P1_DSMR50,
    BE17 = SIM_P1_EMUCS,
    BE21 = SIM_P1_DELTA,
    ALL = NL | BE,
};

static const struct line lines[] = {
    {NL42, "1-3:0.2.8", &TEXT, SIM_ZERO, "42"},
    {NL50, "1-3:0.2.8", &TEXT, SIM_ZERO, "50"},
    {BE17, "0-0:96.1.4", &TEXT, SIM_ZERO, "50217"},
    {BE21, "0-0:96.1.4", &TEXT, SIM_ZERO, "50221"},
    {BE, "0-0:96.1.1", &ID, SIM_ZERO, "1SIM00"},
    {BE21, "0-0:96.1.2", &ID, SIM_ZERO, "540000000000"},
    {ALL, "0-0:1.0.0", &TIME, SIM_ZERO, NULL},
    {NL, "0-0:96.1.1", &ID, SIM_ZERO, "SIM00000000"},
    {BE21, "1-0:94.32.1", &TEXT, SIM_ZERO, "230"},
    {ALL, "1-0:1.8.1", &ENERGY, SIM_IMPORT_T1_WH, NULL},
    {ALL, "1-0:1.8.2", &ENERGY, SIM_IMPORT_T2_WH, NULL},
    {ALL, "1-0:2.8.1", &ENERGY, SIM_EXPORT_T1_WH, NULL},
    {ALL, "1-0:2.8.2", &ENERGY, SIM_EXPORT_T2_WH, NULL},
    {ALL, "0-0:96.14.0", &TARIFF, SIM_TARIFF, NULL},
    {BE, "1-0:1.4.0", &POWER, SIM_QUARTER_W, NULL},
    {BE, "1-0:1.6.0", &TIMED_POWER, SIM_MONTH_PEAK_W, NULL},
    {BE, "0-0:98.1.0", &PEAKS, SIM_ZERO, ")(1-0:1.6.0)(1-0:1.6.0)"},
    {ALL, "1-0:1.7.0", &POWER, SIM_IMPORT_W, NULL},
    {ALL, "1-0:2.7.0", &POWER, SIM_EXPORT_W, NULL},
    {NL, "0-0:96.7.21", &COUNT, SIM_FAILURES, NULL},
    {NL, "0-0:96.7.9", &COUNT, SIM_LONG_FAILURES, NULL},
    {NL, "1-0:99.97.0", &FAILURES, SIM_ZERO, ")(0-0:96.7.19)"},
    {NL, "1-0:32.32.0", &COUNT, SIM_SAGS_L1, NULL},
    {NL, "1-0:52.32.0", &COUNT, SIM_SAGS_L2, NULL},
    {NL, "1-0:72.32.0", &COUNT, SIM_SAGS_L3, NULL},
    {NL, "1-0:32.36.0", &COUNT, SIM_SWELLS_L1, NULL},
    {NL, "1-0:52.36.0", &COUNT, SIM_SWELLS_L2, NULL},
    {NL, "1-0:72.36.0", &COUNT, SIM_SWELLS_L3, NULL},
    {NL42, "0-0:96.13.1", &TEXT, SIM_ZERO, ""},
    {NL, "0-0:96.13.0", &TEXT, SIM_ZERO, ""},
    {NL50, "1-0:32.7.0", &VOLTAGE, SIM_U1_DV, NULL},
    {NL50, "1-0:52.7.0", &VOLTAGE, SIM_U2_DV, NULL},
    {NL50, "1-0:72.7.0", &VOLTAGE, SIM_U3_DV, NULL},
    {NL, "1-0:31.7.0", &CURRENT, SIM_I1_A, NULL},
    {NL, "1-0:51.7.0", &CURRENT, SIM_I2_A, NULL},
    {NL, "1-0:71.7.0", &CURRENT, SIM_I3_A, NULL},
    {ALL, "1-0:21.7.0", &POWER, SIM_IMPORT_L1_W, NULL},
    {ALL, "1-0:41.7.0", &POWER, SIM_IMPORT_L2_W, NULL},
    {ALL, "1-0:61.7.0", &POWER, SIM_IMPORT_L3_W, NULL},
    {ALL, "1-0:22.7.0", &POWER, SIM_EXPORT_L1_W, NULL},
    {ALL, "1-0:42.7.0", &POWER, SIM_EXPORT_L2_W, NULL},
    {ALL, "1-0:62.7.0", &POWER, SIM_EXPORT_L3_W, NULL},
    {BE, "1-0:32.7.0", &VOLTAGE, SIM_U1_DV, NULL},
    {BE, "1-0:52.7.0", &VOLTAGE, SIM_U2_DV, NULL},
    {BE, "1-0:72.7.0", &VOLTAGE, SIM_U3_DV, NULL},
    {BE, "1-0:31.7.0", &FINE_CURRENT, SIM_I1_CA, NULL},
    {BE, "1-0:51.7.0", &FINE_CURRENT, SIM_I2_CA, NULL},
    {BE, "1-0:71.7.0", &FINE_CURRENT, SIM_I3_CA, NULL},
    {BE, "0-0:96.3.10", &TEXT, SIM_ZERO, "1"},
    {BE17, "0-0:17.0.0", &TEXT, SIM_ZERO, "999.9*kW"},
    {BE21, "0-0:17.0.0", &TEXT, SIM_ZERO, "99.999*kW"},
    {BE17, "1-0:31.4.0", &TEXT, SIM_ZERO, "999*A"},
    {BE21, "1-0:31.4.0", &TEXT, SIM_ZERO, "999.99*A"},
    {BE, "0-0:96.13.0", &TEXT, SIM_ZERO, ""},
    {ALL, "0-1:24.1.0", &TEXT, SIM_ZERO, "003"},
    {NL, "0-1:96.1.0", &ID, SIM_ZERO, "GAS00000000"},
    {NL, "0-1:24.2.1", &TIMED_VOLUME, SIM_GAS_DM3, NULL},
    {BE, "0-1:96.1.1", &ID, SIM_ZERO, "7SIMGAS0"},
    {BE21, "0-1:96.1.2", &ID, SIM_ZERO, "540000000001"},
    {BE, "0-1:24.4.0", &TEXT, SIM_ZERO, "1"},
    {BE, "0-1:24.2.3", &TIMED_VOLUME, SIM_GAS_DM3, NULL},
    {BE, "0-2:24.1.0", &TEXT, SIM_ZERO, "007"},
    {BE, "0-2:96.1.1", &ID, SIM_ZERO, "8SIMWATER0"},
    {BE21, "0-2:96.1.2", &ID, SIM_ZERO, "540000000002"},
    {BE, "0-2:24.2.1", &TIMED_VOLUME, SIM_WATER_DM3, NULL},
};

void sim_p1_write(struct sim_text *t, enum sim_p1_column column, const struct sim_view *v)
{
    sim_text_str(t, "/SIM5HOUSE\r\n\r\n");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const struct line *l = &lines[i];
        if ((l->columns & column) == 0)
            continue;
        sim_text_str(t, l->obis);
        l->form->write(t, l, v);
        sim_text_str(t, "\r\n");
    }
    sim_text_char(t, '!');
    sim_text_hex(t, crc16_update(CRC16_ARC_INIT, t->bytes, t->len), 4);
    sim_text_str(t, "\r\n");
}
