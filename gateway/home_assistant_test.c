#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "home_assistant.h"

#include "decoder.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define SERIAL "02FC00000001"
#define BASE "devices/home/smart-connect/" SERIAL
#define GATEWAYS_OWN 5 /* entities that need no reading */

static const struct home_assistant_settings usual = {
    .prefix = "homeassistant", .serial = SERIAL, .base = BASE, .pace_s = 10, .page = ""};

static char buffer[HOME_ASSISTANT_CONFIG_MAX];
static struct meter_snapshot latest;
static json_t *message; /* what was made last */

/* --- making messages -------------------------------------------------------------------------- */

static int start(void **unused)
{
    (void)unused;
    memset(&latest, 0, sizeof latest);
    reading_clear(&latest.reading);
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    json_decref(message);
    message = NULL;
    return 0;
}

static void keep_reading(struct decoder *d, const struct reading *r, const uint8_t *telegram,
                         size_t length)
{
    (void)d;
    latest.reading = *r;
    latest.telegram_len = length;
    memcpy(latest.telegram, telegram, length);
}

static void load(const char *path)
{
    static struct decoder decoder;
    decoder_init(&decoder, keep_reading);
    assert_true(decoder_read(&decoder, path));
    assert_true(decoder.valid);
}

/* The entities of the latest reading. */
static json_t *components(const struct home_assistant_settings *s)
{
    struct text_out out;
    json_decref(message);
    text_init(&out, buffer, sizeof buffer);
    home_assistant_config(&out, s, &latest);
    assert_false(out.overflow);
    assert_null(strchr(buffer, '\n'));
    message = json_loads(buffer, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(message);
    return json_object_get(message, "cmps");
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void assert_has(const json_t *all, const char *ids)
{
    char id[64];
    int n;
    for (; sscanf(ids, " %63s%n", id, &n) == 1; ids += n)
        if (!json_object_get(all, id))
            fail_msg("no entity %s", id);
}

static void assert_has_not(const json_t *all, const char *ids)
{
    char id[64];
    int n;
    for (; sscanf(ids, " %63s%n", id, &n) == 1; ids += n)
        if (json_object_get(all, id))
            fail_msg("there is an entity %s", id);
}

/* An entity's class, unit, state class and template; NULL: none. */
static void assert_is(const json_t *all, const char *id, const char *const expected[4])
{
    static const char *const keys[] = {"dev_cla", "unit_of_meas", "stat_cla", "val_tpl"};
    for (int i = 0; i < 4; i++) {
        const char *found = text_at(json_object_get(all, id), keys[i]);
        if (expected[i] && found)
            assert_string_equal(found, expected[i]);
        else if (expected[i] != found)
            fail_msg("%s: %s is %s", id, keys[i], found ? found : "missing");
    }
}

#define assert_entity(all, id, ...) assert_is((all), (id), (const char *const[4]){__VA_ARGS__})

static void know_everything(void)
{
    static const uint8_t media[READING_MBUS_N] = {MBUS_GAS, MBUS_WARM_WATER, MBUS_COOLING_OUTLET,
                                                  MBUS_ELECTRICITY};
    static const uint8_t units[READING_MBUS_N] = {MBUS_UNIT_DM3, MBUS_UNIT_DM3, MBUS_UNIT_MJ,
                                                  MBUS_UNIT_WH};
    struct reading *r = &latest.reading;
    for (int q = 0; q < Q_N; q++)
        reading_set(r, (enum quantity)q, 1);
    for (int id = 0; id < TEXT_N; id++)
        r->text[id].length = 1;
    for (int i = 0; i < READING_MBUS_N; i++)
        r->mbus[i] = (struct reading_mbus){.unit = units[i], .medium = media[i], .valve = -1};
    r->meter_time_s = 1780396069;
}

/* --- which entities --------------------------------------------------------------------------- */

static void before_anything_is_known_there_is_only_the_gateway(void **unused)
{
    (void)unused;
    json_t *all = components(&usual);
    assert_int_equal(json_object_size(all), GATEWAYS_OWN);
    assert_has(all, "telegrams_good telegrams_bad telegrams_incomplete mqtt_connects uptime");
}

static void a_three_phase_meter_with_gas(void **unused)
{
    (void)unused;
    load("tests/data/p1/dsmr50_three_phase.txt");
    json_t *all = components(&usual);
    assert_has(
        all,
        "power power_import power_export power_l1 power_l2 power_l3 voltage_l1 voltage_l3 "
        "current_l2"
        " energy_import energy_export energy_import_t1 energy_export_t2 tariff gas_1 power_failures"
        " long_power_failures voltage_sags_l1 voltage_swells_l3 meter_id version meter_time");
    assert_has_not(
        all, "voltage_l12 energy_import_t3 contract_power energy_supplier_1 frequency water_1 gas_2"
             " demand_quarter demand_month_peak breaker fuse_l1 tariff_name restart");
    assert_entity(all, "power", "power", "W", "measurement", "{{ value_json['P']|default(none) }}");
    assert_entity(all, "voltage_l2", "voltage", "V", "measurement",
                  "{{ (value_json['l2']|default({}))['U']|default(none) }}");
    assert_entity(
        all, "energy_import", "energy", "kWh", "total_increasing",
        "{% set v=value_json['E_IMPORT']|default(none) %}{{ v/1000 if v is number else none }}");
    assert_entity(
        all, "gas_1", "gas", "m³", "total_increasing",
        "{{ ((value_json['mbus']|default({}))['1']|default({}))['value']|default(none) }}");
    assert_entity(all, "tariff", NULL, NULL, NULL,
                  "{{ (value_json['values']|default({}))['tariff']|default(none) }}");
    assert_string_equal(text_at(json_object_get(message, "dev"), "mdl"), "P1 gateway");
}

static void a_single_phase_meter_has_no_other_phases(void **unused)
{
    (void)unused;
    load("tests/data/p1/dsmr42_single_phase.txt");
    json_t *all = components(&usual);
    assert_has(all, "power power_l1 current_l1 energy_import");
    assert_has_not(all, "power_l2 power_l3 current_l2 voltage_l2 voltage_l12");
}

static void a_belgian_delta_grid_with_peaks(void **unused)
{
    (void)unused;
    load("tests/data/p1/emucs21_delta.txt");
    json_t *all = components(&usual);
    assert_has(all, "voltage_l12 voltage_l32 current_l1 demand_quarter demand_month_peak"
                    " demand_month_peak_time");
    assert_has_not(
        all, "voltage_l1 voltage_l2 voltage_l3 voltage_l31"); /* this one measures two of three */
    assert_entity(all, "voltage_l32", "voltage", "V", "measurement",
                  "{{ value_json['U32']|default(none) }}");
    assert_entity(all, "demand_month_peak_time", "timestamp", NULL, NULL,
                  "{% set v=value_json['demand_month_peak_ts']|default(none) %}"
                  "{{ as_datetime(v) if v is number else none }}");
    assert_entity(
        all, "breaker", "enum", NULL,
        NULL, "{{ {0:'off',1:'on',2:'ready'}.get((value_json['values']|default({}))['breaker']|default(none)) }}");
}

static void a_linky(void **unused)
{
    (void)unused;
    load("tests/data/tic/producer.bin");
    json_t *all = components(&usual);
    assert_has(all, "apparent_power contract_power tariff_name tariff_index relays day_profile "
                    "energy_supplier_1"
                    " energy_supplier_10 ean meter_time");
    assert_has_not(all, "tariff gas_1 energy_supplier_11 energy_distributor_1");
    assert_entity(
        all, "contract_power", "apparent_power", "VA", "measurement",
        "{% set v=(value_json['values']|default({}))['contract_power_kva']|default(none) %}"
        "{{ v*1000 if v is number else none }}");
    assert_entity(
        all, "energy_supplier_10", "energy", "kWh", "total_increasing",
        "{% set v=(value_json['values']|default({}))['energy_supplier_10_wh']|default(none) %}"
        "{{ v/1000 if v is number else none }}");
    assert_string_equal(text_at(json_object_get(message, "dev"), "mdl"), "TIC gateway");
}

static void each_medium_has_its_own_class_and_channel(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t medium, unit;
        const char *id, *expected[3];
    } rows[] = {
        {MBUS_GAS, MBUS_UNIT_DM3, "gas_3", {"gas", "m³", "total_increasing"}},
        {MBUS_WATER, MBUS_UNIT_DM3, "water_3", {"water", "m³", "total_increasing"}},
        {MBUS_WARM_WATER, MBUS_UNIT_DM3, "warm_water_3", {"water", "m³", "total_increasing"}},
        {MBUS_HEAT, MBUS_UNIT_MJ, "heat_3", {"energy", "GJ", "total_increasing"}},
        {MBUS_HEAT, MBUS_UNIT_DM3, "volume_3", {"volume", "m³", "total_increasing"}},
        {MBUS_COOLING_INLET, MBUS_UNIT_MJ, "cooling_3", {"energy", "GJ", "total_increasing"}},
        {MBUS_ELECTRICITY, MBUS_UNIT_WH, "electricity_3", {"energy", "kWh", "total_increasing"}},
        {MBUS_HEAT, MBUS_UNIT_WH, "energy_3", {"energy", "kWh", "total_increasing"}},
        {99, MBUS_UNIT_MJ, "energy_3", {"energy", "GJ", "total_increasing"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        latest.reading.mbus[2] =
            (struct reading_mbus){.unit = rows[i].unit, .medium = rows[i].medium};
        json_t *all = components(&usual);
        assert_int_equal(json_object_size(all), GATEWAYS_OWN + 1);
        assert_entity(
            all, rows[i].id, rows[i].expected[0], rows[i].expected[1], rows[i].expected[2],
            "{{ ((value_json['mbus']|default({}))['3']|default({}))['value']|default(none) }}");
    }
    latest.reading.mbus[2] = (struct reading_mbus){.medium = MBUS_GAS, .valve = 1};
    assert_int_equal(json_object_size(components(&usual)), GATEWAYS_OWN);
}

static void a_quantity_alone_makes_its_entities_and_no_others(void **unused)
{
    (void)unused;
    size_t sum = 0;
    for (int q = 0; q < Q_N; q++) {
        struct home_assistant_set set = {0};
        reading_clear(&latest.reading);
        reading_set(&latest.reading, (enum quantity)q, 0);
        size_t n = json_object_size(components(&usual)) - GATEWAYS_OWN;
        assert_int_equal(n, q == Q_DEMAND_MONTH_PEAK ? 2
                                                     : home_assistant_learn(&set, &latest.reading));
        sum += n;
    }
    know_everything();
    size_t texts = 7, mbus = READING_MBUS_N, clock = 1;
    assert_int_equal(json_object_size(components(&usual)),
                     GATEWAYS_OWN + sum + texts + mbus + clock);
}

static void what_was_learnt_stays_in_the_message(void **unused)
{
    (void)unused;
    struct home_assistant_set set = {0};
    struct home_assistant_settings s = usual;
    load("tests/data/p1/dsmr50_three_phase.txt");
    assert_true(home_assistant_learn(&set, &latest.reading));
    size_t n = json_object_size(components(&usual));
    reading_clear(&latest.reading);
    reading_set(&latest.reading, Q_FREQUENCY, 50000);
    s.learnt = &set;
    json_t *all = components(&s);
    assert_int_equal(json_object_size(all), n + 1);
    assert_has(all, "gas_1 version meter_time power_l2 frequency");
}

/* --- learning --------------------------------------------------------------------------------- */

static void the_same_again_is_nothing_new(void **unused)
{
    (void)unused;
    struct home_assistant_set set = {0};
    know_everything();
    assert_true(home_assistant_learn(&set, &latest.reading));
    assert_false(home_assistant_learn(&set, &latest.reading));
    reading_clear(&latest.reading);
    assert_false(home_assistant_learn(&set, &latest.reading));
    know_everything();
    assert_false(home_assistant_learn(&set, &latest.reading));
}

static void each_kind_of_news_is_noticed_once(void **unused)
{
    (void)unused;
    struct home_assistant_set set = {0};
    struct reading *r = &latest.reading;
    assert_false(home_assistant_learn(&set, r));
    reading_set(r, Q_VOLTAGE_L3, 231000);
    assert_true(home_assistant_learn(&set, r));
    r->text[TEXT_MESSAGE].length = 5;
    assert_true(home_assistant_learn(&set, r));
    r->meter_time_s = 1780396069;
    assert_true(home_assistant_learn(&set, r));
    r->mbus[1] = (struct reading_mbus){.medium = MBUS_GAS, .unit = MBUS_UNIT_DM3};
    assert_true(home_assistant_learn(&set, r));
    assert_false(home_assistant_learn(&set, r));
    r->mbus[1].unit = MBUS_UNIT_UNKNOWN; /* no contact for a while */
    assert_false(home_assistant_learn(&set, r));
    r->mbus[1] =
        (struct reading_mbus){.medium = MBUS_WATER, .unit = MBUS_UNIT_DM3}; /* another meter */
    assert_true(home_assistant_learn(&set, r));
}

static void what_has_no_entity_is_no_news(void **unused)
{
    (void)unused;
    struct home_assistant_set set = {0};
    reading_set(&latest.reading, Q_METER_VOLTAGE_L1, 231000);
    reading_set(&latest.reading, Q_VOLTAGE_MEAN_LN, 231000);
    reading_set(&latest.reading, Q_PEAK_3_END, 1);
    latest.reading.text[TEXT_MBUS_ID_1].length = 34;
    assert_false(home_assistant_learn(&set, &latest.reading));
}

/* --- what an entity says ---------------------------------------------------------------------- */

static void ids_are_one_of_a_kind_and_well_formed(void **unused)
{
    (void)unused;
    json_t *seen = json_object(), *entity;
    const char *id;
    struct home_assistant_settings s = usual;
    s.commands = true;
    know_everything();
    json_t *all = components(&s);
    json_object_foreach(all, id, entity)
    {
        char unique[128], domain[16];
        snprintf(unique, sizeof unique, "smart-connect_" SERIAL "_%s", id);
        assert_string_equal(text_at(entity, "uniq_id"), unique);
        snprintf(domain, sizeof domain, "%s.", text_at(entity, "p"));
        const char *entity_id = text_at(entity, "def_ent_id");
        assert_int_equal(strncmp(entity_id, domain, strlen(domain)), 0);
        const char *object = entity_id + strlen(domain);
        assert_int_equal(strspn(object, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(object));
        assert_null(json_object_get(seen, text_at(entity, "name")));
        json_object_set_new(seen, text_at(entity, "name"), json_true());
    }
    json_decref(seen);
}

static void what_is_measured_now_expires_and_counters_do_not(void **unused)
{
    (void)unused;
    struct home_assistant_settings s = usual;
    know_everything();
    json_t *all = components(&s);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(all, "power"), "exp_aft")),
                     50);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(all, "voltage_l12"), "exp_aft")), 50);
    static const char *const forever[] = {
        "energy_import",  "energy_import_t1",   "gas_1",   "power_failures", "tariff",
        "demand_quarter", "reactive_energy_q1", "message", "uptime"};
    for (size_t i = 0; i < sizeof forever / sizeof forever[0]; i++)
        assert_null(json_object_get(json_object_get(all, forever[i]), "exp_aft"));
    s.pace_s = 1;
    all = components(&s);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(all, "power"), "exp_aft")),
                     30);
}

static void the_meters_entities_need_the_gateway_and_the_meter(void **unused)
{
    (void)unused;
    know_everything();
    json_t *all = components(&usual), *list = json_object_get(message, "avty");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(text_at(json_array_get(list, 0), "t"), BASE "/status");
    assert_string_equal(text_at(json_array_get(list, 1), "t"), BASE "/meter-status");
    assert_string_equal(text_at(message, "avty_mode"), "all");
    assert_null(json_object_get(json_object_get(all, "energy_import"), "avty"));
    list = json_object_get(json_object_get(all, "uptime"), "avty");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(text_at(json_array_get(list, 0), "t"), BASE "/status");
}

static void values_come_from_the_topic_they_stand_in(void **unused)
{
    (void)unused;
    know_everything();
    json_t *all = components(&usual);
    assert_string_equal(text_at(message, "stat_t"), BASE "/data/power_instant");
    assert_null(text_at(json_object_get(all, "power"), "stat_t"));
    assert_string_equal(text_at(json_object_get(all, "energy_import_t1"), "stat_t"),
                        BASE "/data/meter");
    assert_string_equal(text_at(json_object_get(all, "gas_1"), "stat_t"), BASE "/data/meter");
    assert_string_equal(text_at(json_object_get(all, "message"), "stat_t"), BASE "/data/meter");
    assert_string_equal(text_at(json_object_get(all, "uptime"), "stat_t"),
                        BASE "/data/device_counters");
}

static void the_restart_button_is_there_when_commands_are_taken(void **unused)
{
    (void)unused;
    struct home_assistant_settings s = usual;
    assert_has_not(components(&s), "restart");
    s.commands = true;
    json_t *button = json_object_get(components(&s), "restart");
    assert_string_equal(text_at(button, "p"), "button");
    assert_string_equal(text_at(button, "def_ent_id"), "button.smart_connect_02fc00000001_restart");
    assert_string_equal(text_at(button, "cmd_t"), BASE "/cmd/reset");
    assert_string_equal(text_at(button, "pl_prs"), SERIAL);
    assert_non_null(strstr(text_at(button, "cmd_tpl"), "\"device\":{{ value|tojson }}"));
}

static void the_device_says_where_its_page_is(void **unused)
{
    (void)unused;
    struct home_assistant_settings s = usual;
    (void)components(&s);
    json_t *device = json_object_get(message, "dev");
    assert_string_equal(text_at(device, "name"), "Smart Connect " SERIAL);
    assert_string_equal(text_at(device, "sn"), SERIAL);
    assert_string_equal(text_at(device, "sw"), SMART_CONNECT_VERSION);
    assert_null(json_object_get(device, "cu"));
    assert_string_equal(text_at(json_object_get(message, "o"), "name"), "Smart Connect");
    s.page = "https://192.168.1.5/";
    (void)components(&s);
    assert_string_equal(text_at(json_object_get(message, "dev"), "cu"), "https://192.168.1.5/");
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void everything_known_at_the_longest_site_fits(void **unused)
{
    (void)unused;
    struct home_assistant_settings s = usual;
    char base[160] = "devices/", page[256] = "https://";
    memset(base + 8, '"', 64); /* two bytes each */
    strncat(base, "/smart-connect/" SERIAL, sizeof base - strlen(base) - 1);
    memset(page + 8, '"', sizeof page - 9);
    s.base = base;
    s.page = page;
    s.commands = true;
    know_everything();
    (void)components(&s);
    assert_string_equal(text_at(json_object_get(message, "dev"), "cu"), page);
    print_message("%zu bytes of %d\n", strlen(buffer), HOME_ASSISTANT_CONFIG_MAX);
}

static void a_small_buffer_is_reported(void **unused)
{
    (void)unused;
    struct text_out out;
    know_everything();
    (void)components(&usual);
    size_t whole = strlen(buffer);
    for (size_t capacity = 1; capacity <= whole; capacity += 97) {
        text_init(&out, buffer, capacity);
        home_assistant_config(&out, &usual, &latest);
        assert_true(out.overflow);
    }
    text_init(&out, buffer, whole + 1);
    home_assistant_config(&out, &usual, &latest);
    assert_false(out.overflow);
}

static void a_base_too_long_for_a_topic_is_reported(void **unused)
{
    (void)unused;
    static char base[1000];
    struct home_assistant_settings s = usual;
    struct text_out out;
    memset(base, 'x', sizeof base - 1);
    s.base = base;
    text_init(&out, buffer, sizeof buffer);
    home_assistant_config(&out, &s, &latest);
    assert_true(out.overflow);
}

static void a_hostile_site_and_serial_stay_in_their_strings(void **unused)
{
    (void)unused;
    struct home_assistant_settings s = usual;
    char topic[HOME_ASSISTANT_TOPIC_MAX];
    s.serial = "A\"},{{ 1 }}\\\n#+/";
    s.base = "devices/zu\"Hause\\ü{{ x }}/smart-connect/A";
    s.commands = true;
    know_everything();
    json_t *all = components(&s);
    json_t *button = json_object_get(all, "restart");
    assert_string_equal(text_at(json_object_get(message, "dev"), "sn"), s.serial);
    assert_string_equal(text_at(button, "pl_prs"), s.serial);
    assert_null(strstr(text_at(button, "cmd_tpl"), "{{ 1 }}"));
    assert_string_equal(text_at(button, "cmd_t"),
                        "devices/zu\"Hause\\ü{{ x }}/smart-connect/A/cmd/reset");
    assert_string_equal(text_at(json_object_get(all, "power"), "def_ent_id"),
                        "sensor.smart_connect_a______1_________power");
    home_assistant_topic(&s, topic);
    assert_string_equal(topic, "homeassistant/device/smart-connect-A______1________/config");
}

static void the_topic_names_the_box(void **unused)
{
    (void)unused;
    struct home_assistant_settings s = usual;
    char topic[HOME_ASSISTANT_TOPIC_MAX], prefix[2 * HOME_ASSISTANT_TOPIC_MAX] = "";
    home_assistant_topic(&s, topic);
    assert_string_equal(topic, "homeassistant/device/smart-connect-" SERIAL "/config");
    memset(prefix, 'p', sizeof prefix - 1);
    s.prefix = prefix;
    home_assistant_topic(&s, topic);
    assert_int_equal(strlen(topic), HOME_ASSISTANT_TOPIC_MAX - 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(before_anything_is_known_there_is_only_the_gateway),
        TEST(a_three_phase_meter_with_gas),
        TEST(a_single_phase_meter_has_no_other_phases),
        TEST(a_belgian_delta_grid_with_peaks),
        TEST(a_linky),
        TEST(each_medium_has_its_own_class_and_channel),
        TEST(a_quantity_alone_makes_its_entities_and_no_others),
        TEST(what_was_learnt_stays_in_the_message),
        TEST(the_same_again_is_nothing_new),
        TEST(each_kind_of_news_is_noticed_once),
        TEST(what_has_no_entity_is_no_news),
        TEST(ids_are_one_of_a_kind_and_well_formed),
        TEST(what_is_measured_now_expires_and_counters_do_not),
        TEST(the_meters_entities_need_the_gateway_and_the_meter),
        TEST(values_come_from_the_topic_they_stand_in),
        TEST(the_restart_button_is_there_when_commands_are_taken),
        TEST(the_device_says_where_its_page_is),
        TEST(everything_known_at_the_longest_site_fits),
        TEST(a_small_buffer_is_reported),
        TEST(a_base_too_long_for_a_topic_is_reported),
        TEST(a_hostile_site_and_serial_stay_in_their_strings),
        TEST(the_topic_names_the_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
