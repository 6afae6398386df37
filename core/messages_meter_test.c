/* messages_meter_test.c - the meter message: what power_instant leaves out. */
#include "messages_kit_test.h"

#include "derive.h"
#include "tic_kit_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TEST_DATA_DIR
#define TEST_DATA_DIR "tests/data"
#endif

static const char *meter_of(struct bench *b, const uint8_t *telegram, size_t telegram_len)
{
    struct text_out t;
    text_init(&t, b->json, MESSAGE_METER_MAX);
    message_meter(&t, &b->reading, telegram, telegram_len);
    assert_false(t.overflow);
    assert_json(b->json);
    return b->json;
}

static const char *meter(struct bench *b)
{
    return meter_of(b, b->stream.telegram, b->stream.telegram_len);
}

/* Decodes a file of one telegram, up to its '!'. */
static void decode_file(struct bench *b, const char *path)
{
    static char telegram[P1_TELEGRAM_MAX];
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("cannot open %s", path);
    telegram[fread(telegram, 1, sizeof telegram - 1, f)] = 0;
    fclose(f);
    assert_non_null(strchr(telegram, '!'));
    strchr(telegram, '!')[1] = 0;
    decode(b, telegram);
}

static void a_dsmr_meter_with_gas(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    decode_file(b, TEST_DATA_DIR "/p1/dsmr50_three_phase.txt");
    b->reading.received_s = 1720272643;
    assert_string_equal(
        meter(b),
        "{\"ts\":1720272642,\"meter_ts\":1720272642,\"standard\":\"p1\",\"grid\":\"star\","
        "\"phases\":3,"
        "\"values\":{\"current_mean_a\":1,\"voltage_mean_ln_v\":233.1,"
        "\"voltage_mean_ll_v\":403.742,\"meter_voltage_l1_v\":233.4,"
        "\"meter_voltage_l2_v\":231.9,\"meter_voltage_l3_v\":234,\"meter_current_l1_a\":2,"
        "\"meter_current_l2_a\":1,\"meter_current_l3_a\":0,\"line_voltage_l12_v\":402.962,"
        "\"line_voltage_l32_v\":403.483,\"line_voltage_l31_v\":404.78,"
        "\"energy_import_t1_wh\":4711123,\"energy_import_t2_wh\":3912708,"
        "\"energy_export_t1_wh\":1860044,\"energy_export_t2_wh\":4105911,\"tariff\":2},\"mbus\":{"
        "\"1\":{\"medium\":3,\"value\":2718.281,\"unit\":\"m3\",\"ts\":1720272605,"
        "\"uncorrected\":false}},\"texts\":{\"identification\":\"ISK5\\\\2M550T-9042\","
        "\"meter_id\":\"E0050000000004242\",\"version\":\"50\",\"mbus_1_id\":\"G0050000000006117\"}"
        ","
        "\"power_failure_log\":[{\"end_ts\":1674024091,\"duration_s\":2714},{"
        "\"end_ts\":1660572622,\"duration_s\":948}],\"peak_history\":[]}");
    free(b);
}

static void a_linky(void **unused)
{
    (void)unused;
    static const struct derive_settings settings;
    static struct decoder d;
    struct derive_state state = {0};
    struct bytes frame = full_frame();
    struct bench *b = new_bench();
    decoder_init(&d, TIC_PARITY_NONE);
    feed_frame(&d, &frame);
    assert_int_equal(d.frames, 1);
    b->reading = d.last;
    derive(&b->reading, &settings, &state);
    assert_string_equal(
        meter_of(b, d.last_frame, d.last_len),
        "{\"ts\":1784097001,\"meter_ts\":1784097001,\"standard\":\"tic\",\"grid\":\"star\","
        "\"phases\":3,"
        "\"values\":{\"apparent_import_va\":4365,\"apparent_export_va\":17,"
        "\"current_mean_a\":6.333,\"voltage_mean_ln_v\":231.667,\"voltage_mean_ll_v\":401.264,"
        "\"meter_voltage_l1_v\":231,\"meter_voltage_l2_v\":229,\"meter_voltage_l3_v\":235,"
        "\"meter_current_l1_a\":7,\"meter_current_l2_a\":12,\"meter_current_l3_a\":0,"
        "\"apparent_import_l1_va\":1617,\"apparent_import_l2_va\":2748,"
        "\"apparent_import_l3_va\":0,\"line_voltage_l12_v\":398.373,"
        "\"line_voltage_l32_v\":401.847,\"line_voltage_l31_v\":403.573,\"tic_version\":2,"
        "\"energy_supplier_01_wh\":1,\"energy_supplier_02_wh\":20,\"energy_supplier_03_wh\":300,"
        "\"energy_supplier_04_wh\":4000,\"energy_supplier_05_wh\":50000,"
        "\"energy_supplier_06_wh\":600000,\"energy_supplier_07_wh\":7000000,"
        "\"energy_supplier_08_wh\":80000000,\"energy_supplier_09_wh\":900000000,"
        "\"energy_supplier_10_wh\":999999999,\"energy_distributor_01_wh\":101,"
        "\"energy_distributor_02_wh\":202,\"energy_distributor_03_wh\":303,"
        "\"energy_distributor_04_wh\":404,\"contract_power_kva\":18,\"cutoff_power_kva\":20,"
        "\"import_max_today_va\":8120,\"import_max_today_l1_va\":3120,"
        "\"import_max_today_l2_va\":4120,\"import_max_today_l3_va\":5120,"
        "\"import_max_yesterday_va\":9230,\"import_max_yesterday_l1_va\":3230,"
        "\"import_max_yesterday_l2_va\":4230,\"import_max_yesterday_l3_va\":5230,"
        "\"export_max_today_va\":2950,\"export_max_yesterday_va\":3001,"
        "\"load_curve_import_w\":1650,\"load_curve_import_prev_w\":786,"
        "\"load_curve_export_w\":1,\"load_curve_export_prev_w\":2,\"voltage_10min_l1_v\":230,"
        "\"voltage_10min_l2_v\":239,\"voltage_10min_l3_v\":243,\"tic_status\":20579585,"
        "\"relays\":140,\"tariff_index\":2,\"day_profile\":0,\"day_profile_next\":9,"
        "\"peak_1_start\":1,\"peak_1_end\":2,\"peak_2_start\":3,\"peak_2_end\":4,\"peak_3_start\":"
        "5,"
        "\"peak_3_end\":6},\"mbus\":{},\"texts\":{\"meter_id\":\"041799887766\","
        "\"ean\":\"19199887766554\",\"message\":\"PAS DE          MESSAGE\",\"message_2\":\"a~b {"
        "ultra} 0?@\",\"calendar\":\"H PLEINE/CREUSE\",\"tariff_name\":\"HEURE  PLEINE\","
        "\"day_schedule\":\"0000C001 06008002 16008001 NONUTILE NONUTILE NONUTILE NONUTILE N"
        "ONUTILE NONUTILE NONUTILE NONUTILE\","
        "\"peak_schedule\":\"000040FF 0600ABCD 22004001 NONUTILE NONUTILE NONUTILE NONUTILE "
        "NONUTILE NONUTILE NONUTILE 23590000\"},\"power_failure_log\":[],\"peak_history\":[]}");
    free(b);
}

static void nothing_known_is_no_value(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    assert_string_equal(meter_of(b, NULL, 0),
                        "{\"ts\":null,\"meter_ts\":null,\"standard\":\"unknown\","
                        "\"grid\":\"unknown\",\"phases\":0,\"values\":{},\"mbus\":{},"
                        "\"texts\":{},\"power_failure_log\":[],\"peak_history\":[]}");
    free(b);
}

/* Every quantity is in one of the two: with one value each, both together show all values once. */
static void power_instant_and_meter_share_the_quantities(void **unused)
{
    (void)unused;
    char instant[MESSAGE_POWER_INSTANT_MAX], value[32];
    struct bench *b = new_bench();
    struct text_out t;
    for (int q = 0; q < Q_N; q++)
        reading_set(&b->reading, (enum quantity)q,
                    (quantity_decimals[q] ? 1000 : 1) * (INT64_C(1000) + q));
    text_init(&t, instant, sizeof instant);
    message_power_instant(&t, &b->reading);
    (void)meter_of(b, NULL, 0);
    for (int q = 0; q < Q_N; q++) {
        (void)snprintf(value, sizeof value, ":%d", 1000 + q);
        bool in_meter = strstr(b->json, value) != NULL, in_instant = strstr(instant, value) != NULL;
        if (in_meter == in_instant)
            fail_msg("%s", quantities[q].name);
    }
    free(b);
}

static void meter_at_all_limits_fits(void **unused)
{
    (void)unused;
    static const uint8_t bytes[] = {'2', 0xFF, '"', '\\', 0x01};
    struct bench *b = new_bench();
    fill_numbers(&b->reading);
    for (size_t i = 0; i < sizeof bytes; i++)
        for (size_t message = 0; message <= 4096; message += 1024) {
            fill_texts(b, bytes[i], message);
            (void)meter(b);
        }
    free(b);
}

static void too_small_a_buffer_is_told(void **unused)
{
    (void)unused;
    struct bench *b = new_bench();
    fill_numbers(&b->reading);
    fill_texts(b, '2', 1024);
    size_t n = strlen(meter(b));
    for (size_t capacity = 1; capacity <= n + 1; capacity += capacity < n - 8 ? 97 : 1) {
        char *text = malloc(capacity);
        struct text_out t;
        assert_non_null(text);
        text_init(&t, text, capacity);
        message_meter(&t, &b->reading, b->stream.telegram, b->stream.telegram_len);
        assert_true(t.overflow == (capacity <= n));
        free(text);
    }
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dsmr_meter_with_gas),
        cmocka_unit_test(a_linky),
        cmocka_unit_test(nothing_known_is_no_value),
        cmocka_unit_test(power_instant_and_meter_share_the_quantities),
        cmocka_unit_test(meter_at_all_limits_fits),
        cmocka_unit_test(too_small_a_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
