/* The frame (Enedis-NOI-CPT_54E, 5.3.6), s being HT in standard and SP in historic mode:
 *
 *     STX { LF label [s horodate] s data s checksum CR } ETX
 *
 * horodate: season (E summer, H winter) and YYMMDDhhmmss.  checksum: (sum & 0x3F) + 0x20, the sum
 * running from the label to the s before the checksum: included in standard, excluded in historic
 * mode.
 */
#include "sim_tic.h"

#include "sim_clock.h"

enum { STX = 0x02, ETX = 0x03, TARIFFS = 2 };

struct group;

struct form {
    void (*write)(struct sim_text *t, const struct group *g, const struct sim_view *v);
};

struct group {
    uint8_t columns; /* set of sim_tic_column that send it */
    bool horodate;
    const char *label;
    uint8_t width; /* characters of data */
    const struct form *form;
    uint8_t source;            /* enum sim_source */
    const char *text[TARIFFS]; /* for TEXT and ID [0]; for BY_TARIFF one per tariff */
};

/* How a mode delimits and adds up. */
struct mode {
    char separator;
    bool sum_separator; /* the one before the checksum */
};

static const struct mode standard = {'\t', true};
static const struct mode historic = {' ', false};

static void write_text(struct sim_text *t, const struct group *g, const struct sim_view *v)
{
    (void)v;
    sim_text_str(t, g->text[0]);
}

static void write_by_tariff(struct sim_text *t, const struct group *g, const struct sim_view *v)
{
    sim_text_str(t, g->text[v->value[SIM_TARIFF] - 1]);
}

/* The row's digits, then six of the seed. */
static void write_id(struct sim_text *t, const struct group *g, const struct sim_view *v)
{
    sim_text_str(t, g->text[0]);
    sim_text_number(t, v->serial, 6, 0);
}

static void write_number(struct sim_text *t, const struct group *g, const struct sim_view *v)
{
    sim_text_number(t, v->value[g->source], g->width, 0);
}

static void write_hex(struct sim_text *t, const struct group *g, const struct sim_view *v)
{
    sim_text_hex(t, (uint32_t)v->value[g->source], g->width);
}

static const struct form TEXT = {write_text};
static const struct form BY_TARIFF = {write_by_tariff};
static const struct form ID = {write_id};
static const struct form NUMBER = {write_number};
static const struct form HEX = {write_hex};

enum {
    MONO = SIM_TIC_MONO,
    THREE = SIM_TIC_TRI | SIM_TIC_PRODUCER,
    PROD = SIM_TIC_PRODUCER,
    ALL = MONO | THREE,
    NONE = 0, /* a label of the standard that no profile has occasion to send */
};

#define UNUSED8 " NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE"

/* All 71 labels of 6.2.3 in the order of transmission. */
static const struct group groups[] = {
    {MONO, false, "ADSC", 12, &ID, SIM_ZERO, {"992061"}},
    {THREE, false, "ADSC", 12, &ID, SIM_ZERO, {"992063"}},
    {ALL, false, "VTIC", 2, &TEXT, SIM_ZERO, {"02"}},
    {ALL, true, "DATE", 0, &TEXT, SIM_ZERO, {""}},
    {ALL, false, "NGTF", 16, &TEXT, SIM_ZERO, {"H PLEINE/CREUSE "}},
    {ALL, false, "LTARF", 16, &BY_TARIFF, SIM_ZERO, {" HEURE  CREUSE  ", " HEURE  PLEINE  "}},
    {ALL, false, "EAST", 9, &NUMBER, SIM_IMPORT_WH, {0}},
    {ALL, false, "EASF01", 9, &NUMBER, SIM_IMPORT_T1_WH, {0}},
    {ALL, false, "EASF02", 9, &NUMBER, SIM_IMPORT_T2_WH, {0}},
    {ALL, false, "EASF03", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASF04", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASF05", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASF06", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASF07", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASF08", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASF09", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASF10", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASD01", 9, &NUMBER, SIM_IMPORT_T1_WH, {0}},
    {ALL, false, "EASD02", 9, &NUMBER, SIM_IMPORT_T2_WH, {0}},
    {ALL, false, "EASD03", 9, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "EASD04", 9, &NUMBER, SIM_ZERO, {0}},
    {PROD, false, "EAIT", 9, &NUMBER, SIM_EXPORT_WH, {0}},
    {PROD, false, "ERQ1", 9, &NUMBER, SIM_Q1_VARH, {0}},
    {PROD, false, "ERQ2", 9, &NUMBER, SIM_Q2_VARH, {0}},
    {PROD, false, "ERQ3", 9, &NUMBER, SIM_Q3_VARH, {0}},
    {PROD, false, "ERQ4", 9, &NUMBER, SIM_Q4_VARH, {0}},
    {ALL, false, "IRMS1", 3, &NUMBER, SIM_I1_A, {0}},
    {THREE, false, "IRMS2", 3, &NUMBER, SIM_I2_A, {0}},
    {THREE, false, "IRMS3", 3, &NUMBER, SIM_I3_A, {0}},
    {ALL, false, "URMS1", 3, &NUMBER, SIM_U1_V, {0}},
    {THREE, false, "URMS2", 3, &NUMBER, SIM_U2_V, {0}},
    {THREE, false, "URMS3", 3, &NUMBER, SIM_U3_V, {0}},
    {ALL, false, "PREF", 2, &NUMBER, SIM_PREF_KVA, {0}},
    {ALL, false, "PCOUP", 2, &NUMBER, SIM_PREF_KVA, {0}},
    {ALL, false, "SINSTS", 5, &NUMBER, SIM_SINSTS_VA, {0}},
    {THREE, false, "SINSTS1", 5, &NUMBER, SIM_SINSTS1_VA, {0}},
    {THREE, false, "SINSTS2", 5, &NUMBER, SIM_SINSTS2_VA, {0}},
    {THREE, false, "SINSTS3", 5, &NUMBER, SIM_SINSTS3_VA, {0}},
    {ALL, true, "SMAXSN", 5, &NUMBER, SIM_SMAXSN_VA, {0}},
    {THREE, true, "SMAXSN1", 5, &NUMBER, SIM_SMAXSN1_VA, {0}},
    {THREE, true, "SMAXSN2", 5, &NUMBER, SIM_SMAXSN2_VA, {0}},
    {THREE, true, "SMAXSN3", 5, &NUMBER, SIM_SMAXSN3_VA, {0}},
    {ALL, true, "SMAXSN-1", 5, &NUMBER, SIM_SMAXSN_LAST_VA, {0}},
    {THREE, true, "SMAXSN1-1", 5, &NUMBER, SIM_SMAXSN1_LAST_VA, {0}},
    {THREE, true, "SMAXSN2-1", 5, &NUMBER, SIM_SMAXSN2_LAST_VA, {0}},
    {THREE, true, "SMAXSN3-1", 5, &NUMBER, SIM_SMAXSN3_LAST_VA, {0}},
    {PROD, false, "SINSTI", 5, &NUMBER, SIM_SINSTI_VA, {0}},
    {PROD, true, "SMAXIN", 5, &NUMBER, SIM_SMAXIN_VA, {0}},
    {PROD, true, "SMAXIN-1", 5, &NUMBER, SIM_SMAXIN_LAST_VA, {0}},
    {ALL, true, "CCASN", 5, &NUMBER, SIM_CCASN_W, {0}},
    {ALL, true, "CCASN-1", 5, &NUMBER, SIM_CCASN_LAST_W, {0}},
    {PROD, true, "CCAIN", 5, &NUMBER, SIM_CCAIN_W, {0}},
    {PROD, true, "CCAIN-1", 5, &NUMBER, SIM_CCAIN_LAST_W, {0}},
    {ALL, true, "UMOY1", 3, &NUMBER, SIM_UMOY1_V, {0}},
    {THREE, true, "UMOY2", 3, &NUMBER, SIM_UMOY2_V, {0}},
    {THREE, true, "UMOY3", 3, &NUMBER, SIM_UMOY3_V, {0}},
    {ALL, false, "STGE", 8, &HEX, SIM_STGE, {0}},
    {NONE, true, "DPM1", 2, &NUMBER, SIM_ZERO, {0}},
    {NONE, true, "FPM1", 2, &NUMBER, SIM_ZERO, {0}},
    {NONE, true, "DPM2", 2, &NUMBER, SIM_ZERO, {0}},
    {NONE, true, "FPM2", 2, &NUMBER, SIM_ZERO, {0}},
    {NONE, true, "DPM3", 2, &NUMBER, SIM_ZERO, {0}},
    {NONE, true, "FPM3", 2, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "MSG1", 32, &TEXT, SIM_ZERO, {"PAS DE          MESSAGE         "}},
    {NONE, false, "MSG2", 16, &TEXT, SIM_ZERO, {"                "}},
    {ALL, false, "PRM", 14, &ID, SIM_ZERO, {"99000000"}},
    {ALL, false, "RELAIS", 3, &NUMBER, SIM_RELAYS, {0}},
    {ALL, false, "NTARF", 2, &NUMBER, SIM_TARIFF, {0}},
    {ALL, false, "NJOURF", 2, &NUMBER, SIM_ZERO, {0}},
    {ALL, false, "NJOURF+1", 2, &NUMBER, SIM_ZERO, {0}},
    /* index 1 with the contact closed from 22:00 to 06:00, else index 2 with it open */
    {ALL, false, "PJOURF+1", 98, &TEXT, SIM_ZERO, {"0000C001 06008002 2200C001" UNUSED8}},
    {NONE, false, "PPOINTE", 98, &TEXT, SIM_ZERO, {"0000C001 06008002 2200C001" UNUSED8}},
};

/* 6.1, single phase, "heures creuses" contract. */
static const struct group historic_groups[] = {
    {ALL, false, "ADCO", 12, &ID, SIM_ZERO, {"992061"}},
    {ALL, false, "OPTARIF", 4, &TEXT, SIM_ZERO, {"HC.."}},
    {ALL, false, "ISOUSC", 2, &NUMBER, SIM_ISOUSC_A, {0}},
    {ALL, false, "HCHC", 9, &NUMBER, SIM_IMPORT_T1_WH, {0}},
    {ALL, false, "HCHP", 9, &NUMBER, SIM_IMPORT_T2_WH, {0}},
    {ALL, false, "PTEC", 4, &BY_TARIFF, SIM_ZERO, {"HC..", "HP.."}},
    {ALL, false, "IINST", 3, &NUMBER, SIM_I1_A, {0}},
    {ALL, false, "IMAX", 3, &TEXT, SIM_ZERO, {"090"}},
    {ALL, false, "PAPP", 5, &NUMBER, SIM_PAPP_VA, {0}},
    {ALL, false, "HHPHC", 1, &TEXT, SIM_ZERO, {"A"}},
    {ALL, false, "MOTDETAT", 6, &TEXT, SIM_ZERO, {"000000"}},
};

static void write_horodate(struct sim_text *t, int64_t utc_s)
{
    sim_text_char(t, sim_clock_local(utc_s).summer ? 'E' : 'H');
    sim_text_stamp(t, utc_s);
}

static void write_checksum(struct sim_text *t, size_t from, size_t to)
{
    unsigned sum = 0;
    for (size_t i = from; i < to; i++)
        sum += t->bytes[i];
    sim_text_char(t, (char)((sum & 0x3F) + 0x20));
}

static void write_group(struct sim_text *t, const struct mode *m, const struct group *g,
                        const struct sim_view *v)
{
    sim_text_char(t, '\n');
    size_t from = t->len;
    sim_text_str(t, g->label);
    sim_text_char(t, m->separator);
    if (g->horodate) {
        write_horodate(t, v->utc_s[g->source]);
        sim_text_char(t, m->separator);
    }
    g->form->write(t, g, v);
    size_t data_end = t->len;
    sim_text_char(t, m->separator);
    write_checksum(t, from, m->sum_separator ? t->len : data_end);
    sim_text_char(t, '\r');
}

static void write_frame(struct sim_text *t, const struct mode *m, const struct group *table,
                        size_t n, uint8_t column, const struct sim_view *v)
{
    sim_text_char(t, STX);
    for (size_t i = 0; i < n; i++) {
        const struct group *g = &table[i];
        if ((g->columns & column) != 0)
            write_group(t, m, g, v);
    }
    sim_text_char(t, ETX);
}

void sim_tic_write(struct sim_text *t, enum sim_tic_column column, const struct sim_view *v)
{
    write_frame(t, &standard, groups, sizeof groups / sizeof groups[0], (uint8_t)column, v);
}

void sim_tic_write_historic(struct sim_text *t, const struct sim_view *v)
{
    write_frame(t, &historic, historic_groups, sizeof historic_groups / sizeof historic_groups[0],
                ALL, v);
}
