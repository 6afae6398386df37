/* tic_test.c - what TIC frames say: labels, dates, both modes, and what of it is believed.
 *
 * The vectors in test_vectors are Enedis's and public.
 */
#include "tic_kit_test.h"

#include "tic_labels.h"

#include <stdio.h>
#include <string.h>

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
