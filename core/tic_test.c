/* Frames are made here from values of our own; checksums are computed by add_group(), in the
 * plain way of clause 5.3.6 and not in that of tic.c.  The vectors in test_vectors are Enedis's
 * and public. */
#include "tic.h"
#include "tic_labels.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define PERIOD_MS 1300

struct bytes {
    size_t n;
    uint8_t at[4096];
};

static void add_raw(struct bytes *b, const char *characters)
{
    size_t n = strlen(characters);
    assert_true(b->n + n <= sizeof b->at);
    memcpy(b->at + b->n, characters, n);
    b->n += n;
}

static char checksum_of(const char *characters, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint8_t)characters[i];
    return (char)((sum & 0x3f) + 0x20);
}

static void add_group(struct bytes *b, const char *label, const char *horodate, const char *data)
{
    char text[160];
    int n = horodate != NULL ? snprintf(text, sizeof text, "%s\t%s\t%s\t", label, horodate, data)
                             : snprintf(text, sizeof text, "%s\t%s\t", label, data);
    const char end[] = {checksum_of(text, (size_t)n), '\r', '\0'};
    add_raw(b, "\n");
    add_raw(b, text);
    add_raw(b, end);
}

static void add_historic(struct bytes *b, const char *label, const char *data)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s %s", label, data);
    const char end[] = {' ', checksum_of(text, (size_t)n), '\r', '\0'};
    add_raw(b, "\n");
    add_raw(b, text);
    add_raw(b, end);
}

/* What a test frame says, and what must come of it. */
static const struct sample {
    const char *label, *horodate, *data;
    int quantity; /* -1: none */
    int64_t value;
    const char *text;
} samples[] = {
    {"ADSC", NULL, "041799887766", -1, TEXT_METER_ID, "041799887766"},
    {"VTIC", NULL, "02", Q_TIC_VERSION, 2, NULL},
    {"DATE", "E260715083001", "", -1, -1, NULL},
    {"NGTF", NULL, " H PLEINE/CREUSE", -1, TEXT_CALENDAR, "H PLEINE/CREUSE"},
    {"LTARF", NULL, "  HEURE  PLEINE ", -1, TEXT_TARIFF_NAME, "HEURE  PLEINE"},
    {"EAST", NULL, "123456789", Q_ENERGY_IMPORT, 123456789, NULL},
    {"EASF01", NULL, "000000001", Q_ENERGY_SUPPLIER_01, 1, NULL},
    {"EASF02", NULL, "000000020", Q_ENERGY_SUPPLIER_02, 20, NULL},
    {"EASF03", NULL, "000000300", Q_ENERGY_SUPPLIER_03, 300, NULL},
    {"EASF04", NULL, "000004000", Q_ENERGY_SUPPLIER_04, 4000, NULL},
    {"EASF05", NULL, "000050000", Q_ENERGY_SUPPLIER_05, 50000, NULL},
    {"EASF06", NULL, "000600000", Q_ENERGY_SUPPLIER_06, 600000, NULL},
    {"EASF07", NULL, "007000000", Q_ENERGY_SUPPLIER_07, 7000000, NULL},
    {"EASF08", NULL, "080000000", Q_ENERGY_SUPPLIER_08, 80000000, NULL},
    {"EASF09", NULL, "900000000", Q_ENERGY_SUPPLIER_09, 900000000, NULL},
    {"EASF10", NULL, "999999999", Q_ENERGY_SUPPLIER_10, 999999999, NULL},
    {"EASD01", NULL, "000000101", Q_ENERGY_DISTRIBUTOR_01, 101, NULL},
    {"EASD02", NULL, "000000202", Q_ENERGY_DISTRIBUTOR_02, 202, NULL},
    {"EASD03", NULL, "000000303", Q_ENERGY_DISTRIBUTOR_03, 303, NULL},
    {"EASD04", NULL, "000000404", Q_ENERGY_DISTRIBUTOR_04, 404, NULL},
    {"EAIT", NULL, "000654321", Q_ENERGY_EXPORT, 654321, NULL},
    {"ERQ1", NULL, "000001111", Q_REACTIVE_ENERGY_Q1, 1111, NULL},
    {"ERQ2", NULL, "000002222", Q_REACTIVE_ENERGY_Q2, 2222, NULL},
    {"ERQ3", NULL, "000003333", Q_REACTIVE_ENERGY_Q3, 3333, NULL},
    {"ERQ4", NULL, "000004444", Q_REACTIVE_ENERGY_Q4, 4444, NULL},
    {"IRMS1", NULL, "007", Q_METER_CURRENT_L1, 7000, NULL},
    {"IRMS2", NULL, "012", Q_METER_CURRENT_L2, 12000, NULL},
    {"IRMS3", NULL, "000", Q_METER_CURRENT_L3, 0, NULL},
    {"URMS1", NULL, "231", Q_METER_VOLTAGE_L1, 231000, NULL},
    {"URMS2", NULL, "229", Q_METER_VOLTAGE_L2, 229000, NULL},
    {"URMS3", NULL, "235", Q_METER_VOLTAGE_L3, 235000, NULL},
    {"PREF", NULL, "18", Q_CONTRACT_POWER, 18, NULL},
    {"PCOUP", NULL, "20", Q_CUTOFF_POWER, 20, NULL},
    {"SINSTS", NULL, "04365", Q_APPARENT_IMPORT, 4365, NULL},
    {"SINSTS1", NULL, "01617", Q_APPARENT_IMPORT_L1, 1617, NULL},
    {"SINSTS2", NULL, "02748", Q_APPARENT_IMPORT_L2, 2748, NULL},
    {"SINSTS3", NULL, "00000", Q_APPARENT_IMPORT_L3, 0, NULL},
    {"SMAXSN", "E260715070512", "08120", Q_IMPORT_MAX_TODAY, 8120, NULL},
    {"SMAXSN1", "E260715070513", "03120", Q_IMPORT_MAX_TODAY_L1, 3120, NULL},
    {"SMAXSN2", "E260715070514", "04120", Q_IMPORT_MAX_TODAY_L2, 4120, NULL},
    {"SMAXSN3", "E260715070515", "05120", Q_IMPORT_MAX_TODAY_L3, 5120, NULL},
    {"SMAXSN-1", "E260714191844", "09230", Q_IMPORT_MAX_YESTERDAY, 9230, NULL},
    {"SMAXSN1-1", "E260714191845", "03230", Q_IMPORT_MAX_YESTERDAY_L1, 3230, NULL},
    {"SMAXSN2-1", "E260714191846", "04230", Q_IMPORT_MAX_YESTERDAY_L2, 4230, NULL},
    {"SMAXSN3-1", "E260714191847", "05230", Q_IMPORT_MAX_YESTERDAY_L3, 5230, NULL},
    {"SINSTI", NULL, "00017", Q_APPARENT_EXPORT, 17, NULL},
    {"SMAXIN", "E260715120000", "02950", Q_EXPORT_MAX_TODAY, 2950, NULL},
    {"SMAXIN-1", "E260714121110", "03001", Q_EXPORT_MAX_YESTERDAY, 3001, NULL},
    {"CCASN", "E260715080000", "01650", Q_LOAD_CURVE_IMPORT, 1650, NULL},
    {"CCASN-1", "E260715073000", "00786", Q_LOAD_CURVE_IMPORT_PREV, 786, NULL},
    {"CCAIN", "E260715080000", "00001", Q_LOAD_CURVE_EXPORT, 1, NULL},
    {"CCAIN-1", "E260715073000", "00002", Q_LOAD_CURVE_EXPORT_PREV, 2, NULL},
    {"UMOY1", "E260715082000", "230", Q_VOLTAGE_10MIN_L1, 230000, NULL},
    {"UMOY2", "E260715082000", "239", Q_VOLTAGE_10MIN_L2, 239000, NULL},
    {"UMOY3", "E260715082000", "243", Q_VOLTAGE_10MIN_L3, 243000, NULL},
    {"STGE", NULL, "013A0501", Q_TIC_STATUS, 0x013a0501, NULL},
    {"DPM1", " 260716060000", "01", Q_PEAK_1_START, 1, NULL},
    {"FPM1", " 260717060000", "02", Q_PEAK_1_END, 2, NULL},
    {"DPM2", " 260718060000", "03", Q_PEAK_2_START, 3, NULL},
    {"FPM2", " 260719060000", "04", Q_PEAK_2_END, 4, NULL},
    {"DPM3", " 260720060000", "05", Q_PEAK_3_START, 5, NULL},
    {"FPM3", "E260721060000", "06", Q_PEAK_3_END, 6, NULL},
    {"MSG1", NULL, "PAS DE          MESSAGE         ", -1, TEXT_MESSAGE, "PAS DE          MESSAGE"},
    {"MSG2", NULL, "a~b {ultra} 0?@ ", -1, TEXT_MESSAGE_2, "a~b {ultra} 0?@"},
    {"PRM", NULL, "19199887766554", -1, TEXT_EAN, "19199887766554"},
    {"RELAIS", NULL, "140", Q_RELAYS, 140, NULL},
    {"NTARF", NULL, "02", Q_TARIFF_INDEX, 2, NULL},
    {"NJOURF", NULL, "00", Q_DAY_PROFILE, 0, NULL},
    {"NJOURF+1", NULL, "09", Q_DAY_PROFILE_NEXT, 9, NULL},
    {"PJOURF+1", NULL,
     "0000C001 06008002 16008001 NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE "
     "NONUTILE",
     -1, TEXT_DAY_SCHEDULE,
     "0000C001 06008002 16008001 NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE "
     "NONUTILE"},
    {"PPOINTE", NULL,
     "000040FF 0600ABCD 22004001 NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE "
     "23590000",
     -1, TEXT_PEAK_SCHEDULE,
     "000040FF 0600ABCD 22004001 NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE "
     "23590000"},
};

#define DATE_S 1784097001 /* 2026-07-15 06:30:01 UTC */

enum { SAMPLES_N = sizeof samples / sizeof *samples };

/* Replaces the data of one label; or adds nothing for it when data is NULL. */
static void add_samples(struct bytes *b, const char *label, const char *data)
{
    for (const struct sample *p = samples; p < samples + SAMPLES_N; p++) {
        bool changed = label != NULL && strcmp(p->label, label) == 0;
        if (!changed || data != NULL)
            add_group(b, p->label, p->horodate, changed ? data : p->data);
    }
}

/* All 71 labels: 1727 bytes, the largest legal frame. */
static struct bytes full_frame(void)
{
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_samples(&b, NULL, NULL);
    add_raw(&b, "\003");
    return b;
}

static struct bytes frame_of(const char *label, const char *horodate, const char *data)
{
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_group(&b, label, horodate, data);
    add_raw(&b, "\003");
    return b;
}

static void add_even_parity(struct bytes *b)
{
    for (size_t i = 0; i < b->n; i++)
        for (uint8_t rest = b->at[i] & 0x7f; rest != 0; rest &= (uint8_t)(rest - 1))
            b->at[i] ^= 0x80;
}

/* A stream, and what it has reported. */
struct decoder {
    struct tic_stream s;
    struct reading r, last; /* last: of the last frame */
    uint8_t frame[TIC_FRAME_MAX], last_frame[TIC_FRAME_MAX];
    size_t last_len;
    int frames, failed, historic;
    int64_t now_ms;
};

static void decoder_init(struct decoder *d, enum tic_parity parity)
{
    memset(d, 0, sizeof *d);
    tic_init(&d->s, &d->r, d->frame, sizeof d->frame);
    d->s.parity = parity;
}

static void note(struct decoder *d, enum tic_event event)
{
    d->failed += event == TIC_FRAME_FAILED;
    d->historic += event == TIC_HISTORIC;
    if (event != TIC_FRAME)
        return;
    d->frames++;
    memcpy(&d->last, &d->r, sizeof d->last);
    memcpy(d->last_frame, d->frame, d->s.frame_len);
    d->last_len = d->s.frame_len;
}

static void feed(struct decoder *d, const uint8_t *bytes, size_t n, size_t chunk)
{
    uint8_t exact[4096]; /* so that a sanitizer sees a read past the end */
    for (size_t done = 0; done < n;) {
        size_t size = n - done < chunk ? n - done : chunk;
        enum tic_event event;
        size = size < sizeof exact ? size : sizeof exact;
        memcpy(exact + sizeof exact - size, bytes + done, size);
        done += tic_feed(&d->s, exact + sizeof exact - size, size, d->now_ms, &event);
        note(d, event);
    }
}

static void feed_frame(struct decoder *d, const struct bytes *b)
{
    d->now_ms += PERIOD_MS;
    feed(d, b->at, b->n, sizeof b->at);
}

static const char *text_of(const struct decoder *d, enum reading_text_id id)
{
    static char out[256];
    reading_text(&d->last, id, d->last_frame, d->last_len, out, sizeof out);
    return out;
}

static void assert_is_full(const struct decoder *d)
{
    assert_int_equal(d->last.standard, STANDARD_TIC);
    assert_int_equal(d->last.object_errors, 0);
    assert_int_equal(d->last.meter_time_s, DATE_S);
    assert_false(d->last.meter_time_degraded);
    for (const struct sample *p = samples; p < samples + SAMPLES_N; p++) {
        if (p->quantity >= 0) {
            assert_true(reading_has(&d->last, (enum quantity)p->quantity));
            assert_int_equal(d->last.value[p->quantity], p->value);
        } else if (p->text != NULL) {
            assert_string_equal(text_of(d, (enum reading_text_id)p->value), p->text);
        }
    }
}

/* ---- Content ---- */

static void test_every_label(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = full_frame();
    assert_int_equal(SAMPLES_N, TIC_LABELS_N);
    for (int i = 0; i < SAMPLES_N; i++) {
        assert_memory_equal(tic_labels[i].name, samples[i].label, tic_labels[i].name_length);
        assert_int_equal(tic_labels[i].length, strlen(samples[i].data));
    }
    assert_int_equal(b.n, 1727);
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 1);
    assert_is_full(&d);
    assert_int_equal(d.s.stats.groups_ok, 71);
    assert_int_equal(d.s.stats.frames_ok, 1);
    assert_int_equal(d.last_len, b.n);
    assert_memory_equal(d.last_frame, b.at, b.n);
    assert_int_equal(d.s.phases, 3);
    assert_true(d.s.producer);
}

static void test_any_order(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0};
    add_raw(&b, "\002");
    for (int i = SAMPLES_N - 1; i >= 0; i--)
        add_group(&b, samples[i].label, samples[i].horodate, samples[i].data);
    add_raw(&b, "\003");
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &b);
    assert_is_full(&d);
}

/* Whole groups with the checksum that Enedis or a real meter printed. */
static void test_vectors(void **state)
{
    (void)state;
    static const char *const groups[] = {
        "ADSC\t031664001115\t)",
        "VTIC\t02\tJ",
        "DATE\tE170915101601\t\t>",
        "EASD01\t000000000\t ",
        "SMAXSN-1\tH200213085118\t09562\t ",
        "DPM1\t 200214060000\t00\t\\",
        "NGTF\t     TEMPO      \tF",
        "IRMS1\t003\t1",
        "SINSTI\t01253\tG",
        "EAIT\t000671631\t]",
        "STGE\t003A0301\t=",
        "PJOURF+1\t00008001 NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE "
        "NONUTILE "
        "NONUTILE NONUTILE\t9",
    };
    struct decoder d;
    struct bytes b = {0};
    add_raw(&b, "\002");
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        add_raw(&b, "\n");
        add_raw(&b, groups[i]);
        add_raw(&b, "\r");
    }
    add_raw(&b, "\003");
    for (size_t chunk = 1; chunk <= b.n; chunk += b.n - 1) {
        decoder_init(&d, TIC_PARITY_NONE);
        feed(&d, b.at, b.n, chunk);
        assert_int_equal(d.s.stats.groups_ok, sizeof groups / sizeof *groups);
        assert_int_equal(d.s.stats.frames_ok, 1);
        assert_int_equal(d.last.meter_time_s, 1505463361);
        assert_int_equal(d.last.value[Q_APPARENT_EXPORT], 1253);
        assert_string_equal(text_of(&d, TEXT_CALENDAR), "TEMPO");
    }
}

static void test_date(void **state)
{
    (void)state;
    static const struct {
        const char *horodate;
        int64_t time_s;
        bool degraded, good;
    } dates[] = {
        {"H081225223518", 0, false, false}, /* no meter of this kind existed before 2010 */
        {"H181225223518", 1545773718, false, true},
        {"E170915101601", 1505463361, false, true},
        {"H230301091834", 1677658714, false, true},
        {"E261025023000", 1792888200, false, true}, /* the doubled hour: summer first */
        {"H261025023000", 1792891800, false, true},
        {"h230301091834", 0, true, true},
        {"e170915101601", 0, true, true},
        {"h000101000000", 0, true, true}, /* a lost clock may start anywhere */
        {" 230301091834", 0, false, false},
        {"H230229000000", 0, false, false},
        {"H230301240000", 0, false, false},
        {"H2303010918 4", 0, false, false},
        {"X230301091834", 0, false, false},
    };
    struct decoder d;
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
        struct bytes b = {0};
        add_raw(&b, "\002");
        add_group(&b, "DATE", dates[i].horodate, "");
        add_group(&b, "VTIC", NULL, "02");
        add_raw(&b, "\003");
        decoder_init(&d, TIC_PARITY_AUTO);
        feed_frame(&d, &b);
        assert_int_equal(d.last.meter_time_s, dates[i].time_s);
        assert_int_equal(d.last.meter_time_degraded, dates[i].degraded);
        assert_int_equal(d.s.stats.groups_senseless, !dates[i].good);
        assert_int_equal(d.last.object_errors, !dates[i].good);
    }
    /* An island at UTC-4, without summer time. */
    struct bytes b = frame_of("DATE", "H230301051834", "");
    decoder_init(&d, TIC_PARITY_AUTO);
    d.s.winter_offset_s = -4 * 3600;
    feed_frame(&d, &b);
    assert_int_equal(d.last.meter_time_s, 1677662314);
}

static void test_status(void **state)
{
    (void)state;
    static const struct {
        const char *printed;
        uint32_t value;
        bool producer, exporting, degraded;
    } vectors[] = {
        {"003A0001", 0x003a0001, false, false, false}, {"013A0501", 0x013a0501, true, false, false},
        {"002A0301", 0x002a0301, true, true, false},   {"003AC301", 0x003ac301, true, true, false},
        {"463A0800", 0x463a0800, false, false, false}, {"003A4201", 0x003a4201, false, true, false},
        {"FFFFFFFF", 0xffffffff, true, true, true},    {"003B0001", 0x003b0001, false, false, true},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct decoder d;
        struct bytes b = {0};
        add_raw(&b, "\002");
        add_group(&b, "DATE", "H230301091834", "");
        add_group(&b, "STGE", NULL, vectors[i].printed);
        add_raw(&b, "\003");
        decoder_init(&d, TIC_PARITY_AUTO);
        feed_frame(&d, &b);
        int64_t status = d.last.value[Q_TIC_STATUS];
        assert_int_equal(status, vectors[i].value);
        assert_int_equal((status & TIC_STGE_PRODUCER) != 0, vectors[i].producer);
        assert_int_equal((status & TIC_STGE_EXPORTING) != 0, vectors[i].exporting);
        assert_true((status & TIC_STGE_STANDARD_MODE) != 0);
        assert_int_equal(d.last.meter_time_degraded, vectors[i].degraded);
        assert_int_equal(d.last.meter_time_s, vectors[i].degraded ? 0 : 1677658714);
    }
}

/* Good checksum, and yet no sense: rule 3, and the bounds of rule 4. */
static void test_senseless(void **state)
{
    (void)state;
    static const struct {
        const char *label, *horodate, *data;
    } groups[] = {
        {"EAST", NULL, "12345678"},
        {"EAST", NULL, "1234567890"},
        {"EAST", NULL, "12345678A"},
        {"EAST", NULL, " 12345678"},
        {"EAST", NULL, "\t12345678"},
        {"EAST", NULL, "/23456789"},
        {"EAST", NULL, ":23456789"},
        {"EAST", "H230301091834", "123456789"},
        {"EAST", "", "123456789"},
        {"SMAXSN", NULL, "01024"},
        {"SMAXSN", " 230301091834", "01024"},
        {"SMAXSN", "H231301091834", "01024"},
        {"SMAXSN", "H23030109183", "01024"},
        {"SMAXSN", "H230301091834", "0102"},
        {"DPM1", "X230301091834", "00"},
        {"DPM1", " 230301099834", "00"},
        {"DATE", NULL, "H230301091834"},
        {"DATE", "H230301091834", "0"},
        {"URMS1", NULL, "301"},
        {"IRMS1", NULL, "201"},
        {"UMOY1", "H230301091834", "301"},
        {"RELAIS", NULL, "256"},
        {"STGE", NULL, "003a0001"},
        {"STGE", NULL, "003G0001"},
        {"ADSC", NULL, "02q876531015"},
        {"PRM", NULL, "1919988776655A"},
        {"NGTF", NULL, "TEMPO  \177        "},
        {"NGTF", NULL, "TEMPO\t          "},
        {"PJOURF+1", NULL,
         "0000C001_06008002 16008001 NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE "
         "NONUTILE NONUTILE"},
        {"PJOURF+1", NULL,
         "0A00C001 06008002 16008001 NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE "
         "NONUTILE NONUTILE"},
        {"PJOURF+1", NULL,
         "0000C001 06008002 16008001 NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE NONUTILE "
         "NONUTILE nonutile"},
    };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (size_t chunk = 1; chunk < 4096; chunk += 4094) {
            struct decoder d;
            struct bytes b = {0};
            add_raw(&b, "\002");
            add_group(&b, groups[i].label, groups[i].horodate, groups[i].data);
            add_group(&b, "VTIC", NULL, "02");
            add_raw(&b, "\003");
            decoder_init(&d, TIC_PARITY_NONE);
            feed(&d, b.at, b.n, chunk);
            assert_int_equal(d.s.stats.groups_senseless, 1);
            assert_int_equal(d.s.stats.groups_ok, 1);
            assert_int_equal(d.s.stats.frames_partial, 1);
            assert_int_equal(d.last.object_errors, 1);
        }
}

static void test_unknown_label(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_group(&b, "VTIC", NULL, "03");
    add_group(&b, "NEWLABEL", NULL, "12345");
    add_group(&b, "SMAXSN4-1", "H230301091834", "01024");
    add_group(&b, "TOOLONGALABEL", NULL, "1");
    add_group(&b, "NTARF", NULL, "01");
    add_raw(&b, "\003");
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &b);
    assert_int_equal(d.s.stats.groups_unknown, 3);
    assert_int_equal(d.s.stats.groups_ok, 2);
    assert_int_equal(d.s.stats.frames_ok, 1);
    assert_int_equal(d.last.object_errors, 0);
}

static void test_duplicate(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_group(&b, "SINSTS", NULL, "00100");
    add_group(&b, "SINSTS", NULL, "00200");
    add_raw(&b, "\003");
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &b);
    assert_int_equal(d.last.value[Q_APPARENT_IMPORT], 100);
    assert_int_equal(d.last.object_errors, 1);
    assert_int_equal(d.s.stats.groups_senseless, 1);
    assert_int_equal(d.s.stats.frames_partial, 1);
}

/* Rule 8, and rule 7: what is not in the frame is unknown, whatever the last one said. */
static void test_missing_groups(void **state)
{
    (void)state;
    static const char *const labels[] = {"ADSC", "PRM", "NGTF", "LTARF", "SINSTS", "DATE", "STGE"};
    struct decoder d;
    struct bytes full = full_frame();
    decoder_init(&d, TIC_PARITY_AUTO);
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        struct bytes b = {0};
        add_raw(&b, "\002");
        add_samples(&b, labels[i], NULL);
        add_raw(&b, "\003");
        feed_frame(&d, &full);
        feed_frame(&d, &b);
        assert_int_equal(d.s.stats.groups_ok, (i + 1) * 141);
        assert_int_equal(d.last.object_errors, 0);
        for (const struct sample *p = samples; p < samples + SAMPLES_N; p++) {
            bool absent = strcmp(p->label, labels[i]) == 0;
            if (p->quantity >= 0)
                assert_int_equal(reading_has(&d.last, (enum quantity)p->quantity), !absent);
            else if (p->text != NULL)
                assert_int_equal(d.last.text[p->value].length > 0, !absent);
            else
                assert_int_equal(d.last.meter_time_s != READING_NO_TIME, !absent);
        }
    }
}

/* ---- The line ---- */

static void test_cut_anywhere(void **state)
{
    (void)state;
    struct bytes b = full_frame();
    for (int even = 0; even < 2; even++) {
        struct decoder whole, d;
        decoder_init(&whole, TIC_PARITY_AUTO);
        feed(&whole, b.at, b.n, b.n);
        assert_is_full(&whole);
        for (size_t chunk = 1; chunk <= 130; chunk++) {
            decoder_init(&d, TIC_PARITY_AUTO);
            feed(&d, b.at, b.n, chunk);
            assert_int_equal(d.frames, 1);
            assert_memory_equal(&d.last, &whole.last, sizeof d.last);
            assert_memory_equal(&d.s.stats, &whole.s.stats, sizeof d.s.stats);
        }
        for (size_t cut = 1; cut < b.n; cut++) {
            decoder_init(&d, TIC_PARITY_AUTO);
            feed(&d, b.at, cut, cut);
            assert_int_equal(d.frames, 0);
            feed(&d, b.at + cut, b.n - cut, b.n);
            assert_int_equal(d.frames, 1);
            assert_memory_equal(&d.last, &whole.last, sizeof d.last);

            decoder_init(&d, TIC_PARITY_AUTO);
            feed(&d, b.at, cut, cut);
            assert_int_equal(tic_silence(&d.s), TIC_FRAME_FAILED);
            assert_int_equal(tic_silence(&d.s), TIC_MORE);
            feed(&d, b.at, b.n, b.n);
            assert_int_equal(d.frames, 1);
            assert_memory_equal(&d.last, &whole.last, sizeof d.last);
        }
        add_even_parity(&b);
    }
}

/* The first partial frame is no frame, wherever it starts. */
static void test_starts_anywhere(void **state)
{
    (void)state;
    struct bytes b = full_frame();
    for (size_t start = 1; start < b.n; start++) {
        struct decoder d;
        decoder_init(&d, TIC_PARITY_AUTO);
        feed(&d, b.at + start, b.n - start, b.n);
        assert_int_equal(d.frames, 0);
        assert_int_equal(d.failed, 0);
        feed(&d, b.at, b.n, b.n);
        assert_int_equal(d.frames, 1);
        assert_is_full(&d);
        assert_int_equal(d.s.stats.groups_checksum + d.s.stats.groups_senseless, 0);
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void test_garbage(void **state)
{
    (void)state;
    static uint8_t garbage[65536];
    static const enum tic_parity parities[] = {TIC_PARITY_AUTO, TIC_PARITY_EVEN, TIC_PARITY_NONE};
    static const uint8_t fills[] = {0x00, 0xff, 0x0d, 0x8d, 0x0a, 0x02, 0x82, 0x03, 0x09};
    for (size_t kind = 0; kind < sizeof fills + 20; kind++)
        for (size_t p = 0; p < 3; p++) {
            uint32_t seed = (uint32_t)kind;
            struct decoder d;
            struct bytes b = full_frame();
            if (parities[p] == TIC_PARITY_EVEN)
                add_even_parity(&b);
            for (size_t i = 0; i < sizeof garbage; i++)
                garbage[i] = kind < sizeof fills ? fills[kind] : (uint8_t)next_random(&seed);
            decoder_init(&d, parities[p]);
            feed(&d, garbage, sizeof garbage, 1 + kind * 150);
            assert_int_equal(d.frames, 0);
            feed_frame(&d, &b);
            feed_frame(&d, &b);
            assert_true(d.frames >= 1);
            assert_is_full(&d);
        }
}

static void test_interrupted(void **state)
{
    (void)state;
    static const char *const ends[] = {
        "\004",             /* EOT: the meter interrupts itself */
        "\nEAST\t0000\004", /* the same within a group */
        "",                 /* ETX lost: the next STX tells */
        "\nEAST\t0000",
    };
    struct bytes full = full_frame();
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct decoder d;
        struct bytes b = {0};
        add_raw(&b, "\002");
        add_group(&b, "SINSTS", NULL, "00100");
        add_raw(&b, ends[i]);
        decoder_init(&d, TIC_PARITY_AUTO);
        feed_frame(&d, &b);
        feed_frame(&d, &full);
        assert_int_equal(d.frames, 1);
        assert_int_equal(d.failed, 1);
        assert_int_equal(d.s.stats.frames_failed, 1);
        assert_is_full(&d);
    }
}

static void test_frame_ends(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0}, full = full_frame();
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &full);
    add_raw(&b, "\003\003\002\002\002\002"); /* ETX twice, STX twice: nothing is lost by it */
    feed_frame(&d, &b);
    feed_frame(&d, &full);
    assert_int_equal(d.frames, 2);
    assert_int_equal(d.failed, 0);
    b.n = 0;
    add_raw(&b, "\002\nEAST\t00000000\t.\r\003"); /* nothing good in it */
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 2);
    assert_int_equal(d.failed, 1);
    assert_int_equal(d.s.stats.groups_checksum, 1);
    /* The CR of the last group is damaged: that group is lost, the frame is not. */
    b = full;
    b.at[b.n - 2] = 'M';
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 3);
    assert_int_equal(d.last.object_errors, 1);
    assert_int_equal(d.last.text[TEXT_PEAK_SCHEDULE].length, 0);
    feed_frame(&d, &full);
    assert_int_equal(d.frames, 4);
    assert_is_full(&d);
}

/* A C that lost its bit 6 reads as ETX.  The first half is good, the second is no frame. */
static void test_false_etx(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = full_frame(), full = full_frame();
    *(uint8_t *)memchr(b.at + 900, 'C', 400) = 0x03;
    decoder_init(&d, TIC_PARITY_NONE);
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 1);
    assert_int_equal(d.s.stats.frames_partial, 1);
    feed_frame(&d, &full);
    assert_int_equal(d.frames, 2);
    assert_int_equal(d.failed, 0);
    assert_is_full(&d);
}

/* A byte with bad parity before the LF belongs to that group, in whichever pieces it comes. */
static void test_stray_control_byte(void **state)
{
    (void)state;
    struct bytes b = full_frame();
    add_even_parity(&b);
    uint8_t *lf = memchr(b.at + 900, '\n', 400);
    memmove(lf + 1, lf, b.n - (size_t)(lf - b.at));
    b.n++;
    *lf = 0x0b;
    for (size_t chunk = 1; chunk <= b.n; chunk += b.n - 1) {
        struct decoder d;
        decoder_init(&d, TIC_PARITY_EVEN);
        feed(&d, b.at, b.n, chunk);
        assert_int_equal(d.frames, 1);
        assert_int_equal(d.s.stats.groups_ok, 70);
        assert_int_equal(d.s.stats.groups_parity, 1);
    }
}

static void test_overflow(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0}, full = full_frame();
    decoder_init(&d, TIC_PARITY_AUTO);
    add_raw(&b, "\002\n");
    feed_frame(&d, &b);
    for (int i = 0; i < 3000; i++)
        feed(&d, (const uint8_t *)"\nx", 2, 2);
    assert_int_equal(d.failed, 1);
    assert_int_equal(d.s.stats.frames_failed, 1);
    feed_frame(&d, &full);
    assert_int_equal(d.frames, 1);
    assert_is_full(&d);
}

/* The first byte after a pause is the weakest: STX came as 'C', and LF as 0F, which parity
 * misses. */
static void test_damaged_starts(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = full_frame(), damaged = full_frame();
    damaged.at[0] = 'C';
    for (size_t i = 2; i < damaged.n; i++)
        if (damaged.at[i] == '\n')
            damaged.at[i] = 0x0f;
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &b);
    for (int i = 0; i < 3; i++) {
        memset(&d.last, 0, sizeof d.last);
        feed_frame(&d, &damaged);
        assert_is_full(&d);
    }
    assert_int_equal(d.frames, 4);
    assert_int_equal(d.failed, 0);
    feed_frame(&d, &b);
    assert_int_equal(d.frames, 5);
}

/* ---- Flipped bits ---- */

static const struct sample *sample_at(const struct bytes *b, size_t offset)
{
    int group = -1;
    for (size_t i = 0; i <= offset; i++)
        group += b->at[i] == '\n';
    return group >= 0 && group < SAMPLES_N ? &samples[group] : NULL;
}

/* The whole list of what the checksum cannot see in 7-bit input, because bit 6 is not in its sum,
 * and no rule of the field can either: a character of a free text that stays printable. */
static bool is_invisible(const struct bytes *b, size_t offset, int bit)
{
    static const char *const free_texts[] = {"NGTF", "LTARF", "MSG1", "MSG2"};
    const struct sample *p = sample_at(b, offset);
    uint8_t flipped = b->at[offset] ^ 0x40;
    if (bit != 6 || p == NULL || flipped < ' ' || flipped > '~')
        return false;
    size_t data = offset;
    while (b->at[data] != '\t' && b->at[data] != '\n' && b->at[data] != '\r')
        data--;
    if (b->at[data] != '\t' || b->at[offset + 1] == '\r' || b->at[offset] < ' ')
        return false; /* label, checksum, separators */
    for (size_t i = 0; i < sizeof free_texts / sizeof *free_texts; i++)
        if (strcmp(p->label, free_texts[i]) == 0)
            return true;
    return false;
}

/* True when all that the last reading knows is right. */
static bool is_right(const struct decoder *d)
{
    if (d->last.meter_time_s != DATE_S && d->last.meter_time_s != READING_NO_TIME)
        return false;
    for (const struct sample *p = samples; p < samples + SAMPLES_N; p++) {
        if (p->quantity >= 0 && reading_has(&d->last, (enum quantity)p->quantity) &&
            d->last.value[p->quantity] != p->value)
            return false;
        if (p->quantity < 0 && p->text != NULL && d->last.text[p->value].length > 0 &&
            strcmp(text_of(d, (enum reading_text_id)p->value), p->text) != 0)
            return false;
    }
    return !d->last.meter_time_degraded;
}

static void flip_every_bit(enum tic_parity parity, bool even)
{
    struct bytes plain = full_frame(), b = full_frame();
    int wrong = 0;
    if (even)
        add_even_parity(&b);
    for (size_t offset = 0; offset < b.n; offset++)
        for (int bit = 0; bit < 8; bit++) {
            struct decoder d;
            decoder_init(&d, parity);
            b.at[offset] ^= (uint8_t)(1u << bit);
            bool right = true;
            for (size_t done = 0; done < b.n;) {
                enum tic_event event;
                done += tic_feed(&d.s, b.at + done, b.n - done, 0, &event);
                note(&d, event);
                right = right && (event != TIC_FRAME || is_right(&d));
            }
            assert_int_equal(right, even || !is_invisible(&plain, offset, bit));
            wrong += !right;
            b.at[offset] ^= (uint8_t)(1u << bit);
            feed_frame(&d, &b);
            assert_true(d.frames >= 1);
            assert_is_full(&d);
        }
    /* NGTF 2 blanks and '/', LTARF 5 blanks, MSG1 20, MSG2 all but '?' and '@', of 13816 flips. */
    assert_int_equal(wrong, even ? 0 : 3 + 5 + 20 + 14);
}

static void test_flips_without_parity(void **state)
{
    (void)state;
    flip_every_bit(TIC_PARITY_NONE, false);
    flip_every_bit(TIC_PARITY_AUTO, false);
}

static void test_flips_with_parity(void **state)
{
    (void)state;
    flip_every_bit(TIC_PARITY_EVEN, true);
    flip_every_bit(TIC_PARITY_AUTO, true);
}

/* The noise of a real line: single ones read as zeros.  Parity costs a damaged group, and no
 * other. */
static void test_salvage(void **state)
{
    (void)state;
    uint32_t seed = 6;
    for (int run = 0; run < 2000; run++) {
        struct decoder d;
        struct bytes plain = full_frame(), b = full_frame();
        bool hit[SAMPLES_N] = {false};
        int hits = 0;
        add_even_parity(&b);
        for (int i = 0; i < 5; i++) {
            size_t offset = 1 + next_random(&seed) % (b.n - 2);
            uint8_t bit = (uint8_t)(1u << next_random(&seed) % 8);
            const struct sample *p = sample_at(&plain, offset);
            assert_non_null(p);
            if ((b.at[offset] & bit) == 0 || hit[p - samples])
                continue;
            b.at[offset] ^= bit;
            hit[p - samples] = true;
            hits++;
        }
        decoder_init(&d, TIC_PARITY_EVEN);
        feed_frame(&d, &b);
        assert_int_equal(d.frames, 1);
        assert_int_equal(d.s.stats.groups_ok, SAMPLES_N - hits);
        assert_true(is_right(&d));
        for (const struct sample *p = samples; p < samples + SAMPLES_N; p++)
            if (p->quantity >= 0)
                assert_int_equal(reading_has(&d.last, (enum quantity)p->quantity),
                                 !hit[p - samples]);
        assert_int_equal(d.s.stats.frames_partial, hits > 0);
        if (hits > 0)
            assert_true(d.last.object_errors >= hits);
    }
}

/* ---- Parity ---- */

static void test_parity_modes(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes plain = full_frame(), even = full_frame();
    add_even_parity(&even);
    decoder_init(&d, TIC_PARITY_EVEN);
    feed_frame(&d, &even);
    assert_is_full(&d);
    feed_frame(&d, &plain);
    assert_int_equal(d.frames, 1);

    decoder_init(&d, TIC_PARITY_NONE);
    feed_frame(&d, &plain);
    assert_is_full(&d);
    feed_frame(&d, &even);
    assert_int_equal(d.frames, 1);
    assert_true(d.s.stats.groups_parity > 0 || d.s.stats.frames_failed > 0);
}

/* AUTO follows when the input changes, at the cost of a frame, and is not put off by noise. */
static void test_parity_changes(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes frames[2] = {full_frame(), full_frame()};
    add_even_parity(&frames[1]);
    decoder_init(&d, TIC_PARITY_AUTO);
    for (int change = 0; change < 6; change++) {
        feed_frame(&d, &frames[change % 2]);
        feed_frame(&d, &frames[change % 2]);
        d.frames = 0;
        feed_frame(&d, &frames[change % 2]);
        assert_int_equal(d.frames, 1);
        assert_is_full(&d);
    }
    /* The parity bit of one CR is lost: no reason to change one's mind. */
    struct bytes noisy = frames[1];
    for (size_t i = 0, n = 0; i < noisy.n; i++)
        if (noisy.at[i] == 0x8d && n++ % 3 == 0)
            noisy.at[i] = 0x0d;
    uint32_t good = d.s.stats.groups_ok;
    feed_frame(&d, &noisy);
    assert_int_equal(d.s.stats.groups_ok - good, SAMPLES_N - 24);
}

/* ---- Historic mode ---- */

static void test_historic_frame(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_raw(&b, "\nADCO 031664001115 3\r\nPTEC HP..  \r\nIINST 009  \r\nPAPP 02840 /\r");
    add_raw(&b, "\nMOTDETAT 000000 B\r\nPPOT 00 #\r");
    add_historic(&b, "OPTARIF", "BBR(");
    add_historic(&b, "BBRHPJR", "000123456");
    add_historic(&b, "HHPHC", "A");
    add_raw(&b, "\003");
    for (int even = 0; even < 2; even++) {
        decoder_init(&d, TIC_PARITY_AUTO);
        for (int i = 0; i < 3; i++)
            feed_frame(&d, &b);
        assert_int_equal(d.historic, 3);
        assert_int_equal(d.frames, 0);
        assert_int_equal(d.failed, 0);
        assert_int_equal(d.s.stats.groups_historic, 27);
        assert_int_equal(d.s.stats.groups_ok, 0);
        assert_int_equal(d.s.stats.groups_checksum, 0);
        for (size_t i = 0; i < sizeof d.r.known / sizeof *d.r.known; i++)
            assert_int_equal(d.r.known[i], 0);
        add_even_parity(&b);
    }
}

static void test_historic_start(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_historic(&b, "ADCO", "031664001115");
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &b);
    assert_int_equal(d.historic, 1);
    assert_int_equal(tic_silence(&d.s), TIC_MORE);
    /* In the rest of a frame, too. */
    decoder_init(&d, TIC_PARITY_AUTO);
    feed(&d, b.at + 2, b.n - 2, b.n);
    assert_int_equal(d.historic, 1);
}

/* A group is good by the rule of its mode only, and a frame has one mode. */
static void test_modes_apart(void **state)
{
    (void)state;
    static const char *const groups[] = {
        "PAPP\t02840\t/", /* standard separators around a historic sum */
        "PMAX 17480 \177",
        "EAST 123456789 ",     /* its checksum is added below, by the standard rule */
        "ADCO 03166400111 3",  /* length */
        "ABCD 031664001115 &", /* no label */
    };
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        struct decoder d;
        struct bytes b = {0};
        const char end[] = {checksum_of(groups[i], strlen(groups[i])), '\r', '\0'};
        add_raw(&b, "\002\n");
        add_raw(&b, groups[i]);
        add_raw(&b, i == 2 ? end : "\r");
        add_raw(&b, "\003");
        decoder_init(&d, TIC_PARITY_AUTO);
        feed_frame(&d, &b);
        assert_int_equal(d.historic, 0);
        assert_int_equal(d.frames, 0);
        assert_int_equal(d.s.stats.groups_ok, 0);
    }
    struct decoder d;
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_group(&b, "VTIC", NULL, "02");
    add_historic(&b, "ADCO", "031664001115");
    add_raw(&b, "\003\002");
    add_historic(&b, "ADCO", "031664001115");
    add_group(&b, "VTIC", NULL, "02");
    add_raw(&b, "\003");
    for (size_t chunk = 1; chunk <= b.n; chunk += b.n - 1) {
        decoder_init(&d, TIC_PARITY_NONE);
        feed(&d, b.at, b.n, chunk);
        assert_int_equal(d.frames, 1);
        assert_int_equal(d.historic, 1);
        assert_int_equal(d.s.stats.groups_ok, 1);
        assert_int_equal(d.s.stats.groups_historic, 1);
        assert_int_equal(d.s.stats.groups_checksum, 2);
    }
}

/* ---- Plausibility ---- */

static int64_t feed_index(struct decoder *d, const char *label, int64_t wh, const char *date,
                          int64_t now_ms)
{
    char data[16];
    struct bytes b = {0};
    snprintf(data, sizeof data, "%09d", (int)wh);
    add_raw(&b, "\002");
    if (date != NULL)
        add_group(&b, "DATE", date, "");
    add_group(&b, label, NULL, data);
    add_group(&b, "PCOUP", NULL, "18");
    add_raw(&b, "\003");
    d->now_ms = now_ms;
    feed(d, b.at, b.n, b.n);
    enum quantity q = label[2] == 'S' ? Q_ENERGY_IMPORT : Q_ENERGY_EXPORT;
    assert_true(reading_has(&d->last, q));
    return d->last.value[q];
}

static void test_index(void **state)
{
    (void)state;
    static const char *const labels[] = {"EAST", "EAIT"};
    for (int i = 0; i < 2; i++) {
        const char *label = labels[i];
        struct decoder d;
        decoder_init(&d, TIC_PARITY_AUTO);
        assert_int_equal(feed_index(&d, label, 1000, NULL, 0), 1000);
        assert_int_equal(feed_index(&d, label, 1003, NULL, 1300), 1003);
        assert_int_equal(feed_index(&d, label, 900, NULL, 2600), 1003);   /* falls */
        assert_int_equal(feed_index(&d, label, 1004, NULL, 3900), 1004);  /* was damage */
        assert_int_equal(feed_index(&d, label, 9004, NULL, 5200), 1004);  /* jumps */
        assert_int_equal(feed_index(&d, label, 99004, NULL, 6500), 1004); /* another doubt */
        assert_int_equal(feed_index(&d, label, 99005, NULL, 7800), 99005);
        assert_int_equal(d.s.stats.values_implausible, 3);
        /* A new meter, or 999999999 to 0. */
        assert_int_equal(feed_index(&d, label, 5, NULL, 9100), 99005);
        assert_int_equal(feed_index(&d, label, 5, NULL, 10400), 5);
        /* An hour's gap: 18 kVA may have taken 18 kWh, not 19. */
        assert_int_equal(feed_index(&d, label, 18005, NULL, 10400 + 3600000), 18005);
        assert_int_equal(feed_index(&d, label, 37006, NULL, 10400 + 7200000), 18005);
        assert_int_equal(d.s.stats.values_implausible, 5);
    }
}

/* A recording replayed at once: the meter's own clock says that an hour has passed. */
static void test_index_by_meter_clock(void **state)
{
    (void)state;
    struct decoder d;
    decoder_init(&d, TIC_PARITY_AUTO);
    assert_int_equal(feed_index(&d, "EAST", 1000, "H230301080000", 0), 1000);
    assert_int_equal(feed_index(&d, "EAST", 5000, "H230301090000", 0), 5000);
    assert_int_equal(feed_index(&d, "EAST", 9000, "H230301090001", 0), 5000);
}

static void test_absurd_phase_power(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_group(&b, "IRMS1", NULL, "002");
    add_group(&b, "IRMS2", NULL, "002");
    add_group(&b, "URMS1", NULL, "230");
    add_group(&b, "URMS2", NULL, "230");
    add_group(&b, "URMS3", NULL, "230");
    add_group(&b, "SINSTS", NULL, "01407");
    add_group(&b, "SINSTS1", NULL, "48370");
    add_group(&b, "SINSTS2", NULL, "00690");
    add_group(&b, "SINSTS3", NULL, "41187"); /* no current to judge it by */
    add_raw(&b, "\003");
    decoder_init(&d, TIC_PARITY_AUTO);
    feed_frame(&d, &b);
    assert_int_equal(d.last.value[Q_APPARENT_IMPORT], 1407);
    assert_int_equal(d.last.value[Q_APPARENT_IMPORT_L1], 460);
    assert_int_equal(d.last.value[Q_APPARENT_IMPORT_L2], 690);
    assert_int_equal(d.last.value[Q_APPARENT_IMPORT_L3], 41187);
    assert_int_equal(d.s.stats.values_implausible, 1);
}

static struct bytes single_phase_frame(void)
{
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_group(&b, "IRMS1", NULL, "002");
    add_group(&b, "URMS1", NULL, "230");
    add_group(&b, "SINSTS", NULL, "00460");
    add_raw(&b, "\003");
    return b;
}

static void test_capabilities_stick(void **state)
{
    (void)state;
    struct decoder d;
    struct bytes full = full_frame(), single = single_phase_frame();
    struct bytes damaged = single_phase_frame();
    damaged.at[4] ^= 1;
    decoder_init(&d, TIC_PARITY_AUTO);
    assert_int_equal(d.s.phases, 0);
    feed_frame(&d, &damaged); /* of what was lost nothing is known */
    assert_int_equal(d.s.phases, 0);
    feed_frame(&d, &single);
    assert_int_equal(d.s.phases, 1);
    assert_false(d.s.producer);
    feed_frame(&d, &full);
    assert_int_equal(d.s.phases, 3);
    assert_true(d.s.producer);
    for (int i = 0; i < 30; i++)
        feed_frame(&d, &damaged);
    assert_int_equal(d.s.phases, 3);
    for (int i = 0; i < 9; i++)
        feed_frame(&d, &single);
    assert_int_equal(d.s.phases, 3);
    assert_true(d.s.producer);
    feed_frame(&d, &full);
    for (int i = 0; i < 9; i++)
        feed_frame(&d, &single);
    assert_int_equal(d.s.phases, 3);
    feed_frame(&d, &single); /* the tenth complete frame without them */
    assert_int_equal(d.s.phases, 1);
    assert_false(d.s.producer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_label),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_date),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_senseless),
        cmocka_unit_test(test_unknown_label),
        cmocka_unit_test(test_duplicate),
        cmocka_unit_test(test_missing_groups),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_starts_anywhere),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_frame_ends),
        cmocka_unit_test(test_false_etx),
        cmocka_unit_test(test_stray_control_byte),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_damaged_starts),
        cmocka_unit_test(test_flips_without_parity),
        cmocka_unit_test(test_flips_with_parity),
        cmocka_unit_test(test_salvage),
        cmocka_unit_test(test_parity_modes),
        cmocka_unit_test(test_parity_changes),
        cmocka_unit_test(test_historic_frame),
        cmocka_unit_test(test_historic_start),
        cmocka_unit_test(test_modes_apart),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_index_by_meter_clock),
        cmocka_unit_test(test_absurd_phase_power),
        cmocka_unit_test(test_capabilities_stick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
