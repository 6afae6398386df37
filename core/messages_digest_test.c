/* messages_digest_test.c - what makes the digest of the meter message another one, and what does not. */
#include "messages_kit_test.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char emucs[] =
    "/SCN5 x\r\n\r\n0-0:96.1.4(50217)\r\n0-0:1.0.0(260602122749S)\r\n0-0:96.1.1(4530)\r\n"
    "0-0:96.13.0(4142434445)\r\n1-0:1.7.0(01.500*kW)\r\n1-0:2.7.0(00.000*kW)\r\n"
    "1-0:1.4.0(01.250*kW)\r\n1-0:1.6.0(260601120000S)(02.500*kW)\r\n0-0:96.14.0(0001)\r\n"
    "0-1:24.1.0(003)\r\n0-1:96.3.10(1)\r\n0-1:24.2.3(260602122500S)(00112.384*m3)\r\n"
    "1-0:99.97.0(1)(0-0:96.7.19)(260101000000W)(0000000241*s)\r\n"
    "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(260601000000S)(260510120000S)(04.321*kW)\r\n!";

static struct bench *decoded(const char *telegram)
{
    struct bench *b = new_bench();
    decode(b, telegram);
    return b;
}

static uint32_t digest_of(const struct bench *b, const struct reading *r)
{
    return message_meter_digest(r, b->stream.telegram, b->stream.telegram_len);
}

static uint32_t digest(const struct bench *b)
{
    return digest_of(b, &b->reading);
}

static void the_same_again_has_the_same_digest(void **unused)
{
    (void)unused;
    struct bench *a = decoded(emucs), *b = decoded(emucs);
    assert_int_equal(digest(a), digest(b));
    free(a);
    free(b);
}

static void some_quantities_count(void **unused)
{
    static const struct {
        uint8_t quantity;
        bool counts;
    } rows[] = {
        {Q_TARIFF, true},
        {Q_BREAKER, true},
        {Q_LIMITER_W, true},
        {Q_LIMITER_VA, true},
        {Q_FUSE_L1, true},
        {Q_FUSE_EXPORT, true},
        {Q_DEMAND_MONTH_PEAK, true},
        {Q_GRID_TYPE, true},
        {Q_CONTRACT_POWER, true},
        {Q_CUTOFF_POWER, true},
        {Q_TIC_STATUS, true},
        {Q_RELAYS, true},
        {Q_TARIFF_INDEX, true},
        {Q_DAY_PROFILE, true},
        {Q_DAY_PROFILE_NEXT, true},
        {Q_PEAK_1_START, true},
        {Q_PEAK_3_END, true},
        {Q_POWER, false},
        {Q_POWER_FACTOR, false},
        {Q_FREQUENCY, false},
        {Q_METER_VOLTAGE_L1, false},
        {Q_CURRENT_MEAN, false},
        {Q_APPARENT_IMPORT, false},
        {Q_ENERGY_IMPORT_T1, false},
        {Q_ENERGY_SUPPLIER_03, false},
        {Q_REACTIVE_ENERGY_Q2, false},
        {Q_POWER_FAILURES, false},
        {Q_VOLTAGE_SAGS_L2, false},
        {Q_DEMAND_QUARTER, false},
        {Q_IMPORT_MAX_TODAY, false},
        {Q_EXPORT_MAX_YESTERDAY, false},
        {Q_LOAD_CURVE_IMPORT, false},
        {Q_VOLTAGE_10MIN_L3, false},
    };
    (void)unused;
    struct bench *b = decoded(emucs);
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum quantity q = (enum quantity)rows[i].quantity;
        struct reading r = b->reading;
        reading_unset(&r, q);
        uint32_t unknown = digest_of(b, &r);
        reading_set(&r, q, 0);
        uint32_t zero = digest_of(b, &r);
        reading_set(&r, q, 1);
        uint32_t one = digest_of(b, &r);
        assert_int_equal(unknown != zero, rows[i].counts);
        assert_int_equal(zero != one, rows[i].counts);
    }
    free(b);
}

static void the_direction_in_the_status_does_not_count(void **unused)
{
    (void)unused;
    struct bench *b = decoded(emucs);
    reading_set(&b->reading, Q_TIC_STATUS, 0x013A0501);
    uint32_t before = digest(b);
    for (int bit = 0; bit < 32; bit++) {
        b->reading.value[Q_TIC_STATUS] ^= INT64_C(1) << bit;
        assert_int_equal(digest(b) != before, bit != 9);
        b->reading.value[Q_TIC_STATUS] ^= INT64_C(1) << bit;
    }
    free(b);
}

static void some_members_count(void **unused)
{
#define MEMBER(member, counts) \
    { \
        offsetof(struct reading, member), counts \
    }
    static const struct {
        size_t offset;
        bool counts;
    } rows[] = {
        MEMBER(standard, true),
        MEMBER(grid, true),
        MEMBER(phases, true),
        MEMBER(peak_time_s, true),
        MEMBER(mbus[0].value, true),
        MEMBER(mbus[0].unit, true),
        MEMBER(mbus[0].medium, true),
        MEMBER(mbus[0].valve, true),
        MEMBER(mbus[0].uncorrected, true),
        MEMBER(mbus[3].unit, true),
        MEMBER(mbus[3].valve, true),
        MEMBER(failures_n, true),
        MEMBER(failures[0].end_s, true),
        MEMBER(failures[0].duration_s, true),
        MEMBER(peaks_n, true),
        MEMBER(peaks[0].month_s, true),
        MEMBER(peaks[0].time_s, true),
        MEMBER(peaks[0].power_w, true),
        MEMBER(mbus[0].time_s, false),
        MEMBER(mbus[3].value, false), /* it has no unit, so it is none */
        MEMBER(failures[1].end_s, false),
        MEMBER(peaks[1].power_w, false),
        MEMBER(meter_time_s, false),
        MEMBER(meter_time_degraded, false),
        MEMBER(received_s, false),
        MEMBER(received_ms, false),
        MEMBER(sequence, false),
        MEMBER(object_errors, false),
        MEMBER(mbus_errors, false),
    };
#undef MEMBER
    (void)unused;
    struct bench *b = decoded(emucs);
    uint32_t before = digest(b);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reading r = b->reading;
        ((uint8_t *)&r)[rows[i].offset] ^= 1;
        if ((digest_of(b, &r) != before) != rows[i].counts)
            fail_msg("row %zu", i);
    }
    free(b);
}

static void the_time_of_the_peak_counts_with_the_peak_only(void **unused)
{
    (void)unused;
    struct bench *b = decoded(emucs);
    reading_unset(&b->reading, Q_DEMAND_MONTH_PEAK);
    uint32_t before = digest(b);
    b->reading.peak_time_s++;
    assert_int_equal(digest(b), before);
    free(b);
}

/* The telegrams differ in the message alone, and in what does not count. */
static uint32_t digest_with(const char *message, const char *power)
{
    char telegram[256];
    struct text_out t;
    text_init(&t, telegram, sizeof telegram);
    text_put(&t, "/SCN5 x\r\n\r\n1-3:0.2.8(50)\r\n1-0:1.7.0(");
    text_put(&t, power);
    text_put(&t, "*kW)\r\n0-0:96.13.0(");
    text_put(&t, message);
    text_put(&t, ")\r\n0-0:96.1.1(4530)\r\n!");
    struct bench *b = decoded(telegram);
    uint32_t found = digest(b);
    free(b);
    return found;
}

static void texts_count_wherever_they_stand(void **unused)
{
    static const char *const messages[] = {
        "", "41", "42", "4142", "41424344", "41424345", "4142434445", "4142434446", "4041434445"};
    (void)unused;
    for (size_t i = 0; i < COUNT(messages); i++) {
        assert_int_equal(digest_with(messages[i], "1.5"), digest_with(messages[i], "00001.6"));
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(digest_with(messages[i], "1.5"), digest_with(messages[k], "1.5"));
    }
}

static void the_same_text_elsewhere_is_another(void **unused)
{
    (void)unused;
    struct bench *b = decoded(emucs);
    uint32_t before = digest(b);
    b->reading.text[TEXT_MESSAGE_2] = b->reading.text[TEXT_MESSAGE];
    b->reading.text[TEXT_MESSAGE] = (struct reading_text){0, 0};
    assert_int_not_equal(digest(b), before);
    free(b);
}

static void a_text_outside_of_the_telegram_is_none(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    uint32_t none = message_meter_digest(&b->reading, NULL, 0);
    b->reading.text[TEXT_MESSAGE] = (struct reading_text){4, 10};
    assert_int_equal(message_meter_digest(&b->reading, b->buffer, 13), none);
    assert_int_not_equal(message_meter_digest(&b->reading, b->buffer, 14), none);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_again_has_the_same_digest),
        cmocka_unit_test(some_quantities_count),
        cmocka_unit_test(the_direction_in_the_status_does_not_count),
        cmocka_unit_test(some_members_count),
        cmocka_unit_test(the_time_of_the_peak_counts_with_the_peak_only),
        cmocka_unit_test(texts_count_wherever_they_stand),
        cmocka_unit_test(the_same_text_elsewhere_is_another),
        cmocka_unit_test(a_text_outside_of_the_telegram_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
