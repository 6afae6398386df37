/* tic_kit_test.c - what the tests of TIC share.
 *
 * Checksums are computed by add_group(), in the plain way of clause 5.3.6 and not in that of tic.c.
 */
#include "tic_kit_test.h"

#include <stdio.h>
#include <string.h>

#define PERIOD_MS 1300

void add_raw(struct bytes *b, const char *characters)
{
    size_t n = strlen(characters);
    assert_true(b->n + n <= sizeof b->at);
    memcpy(b->at + b->n, characters, n);
    b->n += n;
}

char checksum_of(const char *characters, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (uint8_t)characters[i];
    return (char)((sum & 0x3f) + 0x20);
}

void add_group(struct bytes *b, const char *label, const char *horodate, const char *data)
{
    char text[160];
    int n = horodate != NULL ? snprintf(text, sizeof text, "%s\t%s\t%s\t", label, horodate, data)
                             : snprintf(text, sizeof text, "%s\t%s\t", label, data);
    const char end[] = {checksum_of(text, (size_t)n), '\r', '\0'};
    add_raw(b, "\n");
    add_raw(b, text);
    add_raw(b, end);
}

void add_historic(struct bytes *b, const char *label, const char *data)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%s %s", label, data);
    const char end[] = {' ', checksum_of(text, (size_t)n), '\r', '\0'};
    add_raw(b, "\n");
    add_raw(b, text);
    add_raw(b, end);
}

const struct sample samples[] = {
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

_Static_assert(sizeof samples / sizeof *samples == SAMPLES_N, "samples");

void add_samples(struct bytes *b, const char *label, const char *data)
{
    for (const struct sample *p = samples; p < samples + SAMPLES_N; p++) {
        bool changed = label != NULL && strcmp(p->label, label) == 0;
        if (!changed || data != NULL)
            add_group(b, p->label, p->horodate, changed ? data : p->data);
    }
}

struct bytes full_frame(void)
{
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_samples(&b, NULL, NULL);
    add_raw(&b, "\003");
    return b;
}

struct bytes frame_of(const char *label, const char *horodate, const char *data)
{
    struct bytes b = {0};
    add_raw(&b, "\002");
    add_group(&b, label, horodate, data);
    add_raw(&b, "\003");
    return b;
}

void add_even_parity(struct bytes *b)
{
    for (size_t i = 0; i < b->n; i++)
        for (uint8_t rest = b->at[i] & 0x7f; rest != 0; rest &= (uint8_t)(rest - 1))
            b->at[i] ^= 0x80;
}

void decoder_init(struct decoder *d, enum tic_parity parity)
{
    memset(d, 0, sizeof *d);
    tic_init(&d->s, &d->r, d->frame, sizeof d->frame);
    d->s.parity = parity;
}

void note(struct decoder *d, enum tic_event event)
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

void feed(struct decoder *d, const uint8_t *bytes, size_t n, size_t chunk)
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

void feed_frame(struct decoder *d, const struct bytes *b)
{
    d->now_ms += PERIOD_MS;
    feed(d, b->at, b->n, sizeof b->at);
}

const char *text_of(const struct decoder *d, enum reading_text_id id)
{
    static char out[256];
    reading_text(&d->last, id, d->last_frame, d->last_len, out, sizeof out);
    return out;
}

void assert_is_full(const struct decoder *d)
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
