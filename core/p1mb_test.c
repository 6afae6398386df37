#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "p1mb.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct p1mb_events nothing = {P1MB_NEVER, P1MB_NEVER, P1MB_NEVER, P1MB_NEVER};

/* --- settings --------------------------------------------------------------------------------- */

static void the_defaults_are_the_manuals(void **unused)
{
    (void)unused;
    const struct p1mb_settings d = p1mb_defaults();
    assert_int_equal(d.baud, 9600);
    assert_int_equal(d.address, 16);
    assert_true(d.even_parity);
    assert_false(d.termination);
    assert_true(p1mb_settings_are_good(&d));
}

static void what_is_staged_comes_back(void **unused)
{
    (void)unused;
    static const uint32_t bauds[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};
    struct register_device device = {0};
    for (size_t i = 0; i < COUNT(bauds); i++)
        for (unsigned flags = 0; flags < 4; flags++) {
            const struct p1mb_settings s = {.baud = bauds[i],
                                            .address = (uint8_t)(247 - i),
                                            .even_parity = flags & 1,
                                            .termination = flags >> 1};
            assert_true(p1mb_settings_are_good(&s));
            p1mb_stage(&s, &device);
            const struct p1mb_settings back = p1mb_staged(&device);
            assert_true(p1mb_settings_equal(&s, &back));
            assert_int_equal(device.setting[SETTING_BAUD_HIGH] << 16 |
                                 device.setting[SETTING_BAUD_LOW],
                             bauds[i]);
        }
}

static void each_setting_tells_two_apart(void **unused)
{
    (void)unused;
    const struct p1mb_settings d = p1mb_defaults();
    struct p1mb_settings other[] = {d, d, d, d};
    other[0].baud = 19200;
    other[1].address = 17;
    other[2].even_parity = false;
    other[3].termination = true;
    assert_true(p1mb_settings_equal(&d, &d));
    for (size_t i = 0; i < COUNT(other); i++)
        assert_false(p1mb_settings_equal(&d, &other[i]));
}

static void what_the_device_cannot_be_is_not_good(void **unused)
{
    (void)unused;
    static const struct p1mb_settings bad[] = {
        {.baud = 9600, .address = 0},   {.baud = 9600, .address = 248},
        {.baud = 0, .address = 1},      {.baud = 300, .address = 1},
        {.baud = 9601, .address = 1},   {.baud = 14400, .address = 1},
        {.baud = 230400, .address = 1},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(p1mb_settings_are_good(&bad[i]));
}

/* --- LEDs ------------------------------------------------------------------------------------- */

static void assert_lights(const struct p1mb_events *e, int64_t now_ms, enum p1mb_light p1,
                          enum p1mb_light rs485)
{
    const struct p1mb_leds leds = p1mb_leds(e, now_ms);
    assert_int_equal(leds.pwr, LIGHT_ON);
    assert_int_equal(leds.p1, p1);
    assert_int_equal(leds.rs485, rs485);
}

static void with_nothing_heard_only_power_is_lit(void **unused)
{
    (void)unused;
    assert_lights(&nothing, 0, LIGHT_OFF, LIGHT_OFF);
    assert_lights(&nothing, INT64_C(1) << 40, LIGHT_OFF, LIGHT_OFF);
}

static void the_last_telegram_decides_over_p1(void **unused)
{
    (void)unused;
    struct p1mb_events e = nothing;
    e.valid_telegram_ms = 1000;
    assert_lights(&e, 1000, LIGHT_ON, LIGHT_OFF);
    e.damaged_telegram_ms = 2000;
    assert_lights(&e, 2000, LIGHT_BLINKING, LIGHT_OFF);
    e.valid_telegram_ms = 3000;
    assert_lights(&e, 3000, LIGHT_ON, LIGHT_OFF);
    assert_lights(&e, 3000 + P1MB_P1_SHOWN_MS - 1, LIGHT_ON, LIGHT_OFF);
    assert_lights(&e, 3000 + P1MB_P1_SHOWN_MS, LIGHT_OFF, LIGHT_OFF);
    e = nothing;
    e.damaged_telegram_ms = 0;
    assert_lights(&e, P1MB_P1_SHOWN_MS - 1, LIGHT_BLINKING, LIGHT_OFF);
    assert_lights(&e, P1MB_P1_SHOWN_MS, LIGHT_OFF, LIGHT_OFF);
}

static void a_meter_of_every_ten_seconds_keeps_p1_lit(void **unused)
{
    (void)unused;
    struct p1mb_events e = nothing;
    for (int64_t now_ms = 0; now_ms < 100000; now_ms += 100) {
        if (now_ms % 10000 == 0)
            e.valid_telegram_ms = now_ms;
        assert_lights(&e, now_ms, LIGHT_ON, LIGHT_OFF);
    }
}

static void a_request_lights_485_and_other_bytes_let_it_blink(void **unused)
{
    (void)unused;
    struct p1mb_events e = nothing;
    e.bus_byte_ms = 500;
    assert_lights(&e, 500, LIGHT_OFF, LIGHT_BLINKING);
    e.request_ms = 600;
    assert_lights(&e, 600, LIGHT_OFF, LIGHT_ON);
    e.bus_byte_ms = 5000; /* another unit is spoken to: still on */
    assert_lights(&e, 5000, LIGHT_OFF, LIGHT_ON);
    assert_lights(&e, 600 + P1MB_BUS_SHOWN_MS - 1, LIGHT_OFF, LIGHT_ON);
    assert_lights(&e, 600 + P1MB_BUS_SHOWN_MS, LIGHT_OFF, LIGHT_BLINKING);
    assert_lights(&e, 5000 + P1MB_BUS_SHOWN_MS, LIGHT_OFF, LIGHT_OFF);
}

static void blinking_is_half_a_second_each(void **unused)
{
    (void)unused;
    for (int64_t now_ms = 0; now_ms < 3000; now_ms += 10) {
        assert_true(p1mb_light_is_lit(LIGHT_ON, now_ms));
        assert_false(p1mb_light_is_lit(LIGHT_OFF, now_ms));
        assert_int_equal(p1mb_light_is_lit(LIGHT_BLINKING, now_ms), now_ms % 1000 < 500);
    }
}

static void assert_status(const struct p1mb_events *e, int64_t now_ms, unsigned status,
                          unsigned age_s)
{
    struct register_device device = {0};
    (void)p1mb_stage_status(e, now_ms, &device);
    assert_int_equal(device.setting[SETTING_P1_STATUS], status);
    assert_int_equal(device.setting[SETTING_DATA_AGE], age_s);
    assert_false(p1mb_stage_status(e, now_ms, &device));
}

static void the_registers_say_what_the_led_does_and_how_old_values_are(void **unused)
{
    (void)unused;
    struct p1mb_events e = nothing;
    assert_status(&e, 0, 0, 65535);
    e.damaged_telegram_ms = 0;
    assert_status(&e, 0, 2, 65535);
    e.valid_telegram_ms = 1000;
    assert_status(&e, 999, 1, 0); /* clocks may differ by as much */
    assert_status(&e, 1000, 1, 0);
    assert_status(&e, 1999, 1, 0);
    assert_status(&e, 2000, 1, 1);
    assert_status(&e, 1000 + P1MB_P1_SHOWN_MS, 0, P1MB_P1_SHOWN_MS / 1000);
    assert_status(&e, 65534 * INT64_C(1000) + 999, 0, 65533);
    assert_status(&e, 65535 * INT64_C(1000), 0, 65534);
    assert_status(&e, INT64_C(1) << 50, 0, 65534);
}

static void a_change_of_status_or_age_is_told(void **unused)
{
    (void)unused;
    struct register_device device = {0};
    struct p1mb_events e = nothing;
    assert_true(p1mb_stage_status(&e, 0, &device));
    e.damaged_telegram_ms = 0;
    assert_true(p1mb_stage_status(&e, 0, &device));
    e.valid_telegram_ms = 0;
    assert_true(p1mb_stage_status(&e, 0, &device));
    assert_false(p1mb_stage_status(&e, 999, &device));
    assert_true(p1mb_stage_status(&e, 1000, &device));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_the_manuals),
        cmocka_unit_test(what_is_staged_comes_back),
        cmocka_unit_test(each_setting_tells_two_apart),
        cmocka_unit_test(what_the_device_cannot_be_is_not_good),
        cmocka_unit_test(with_nothing_heard_only_power_is_lit),
        cmocka_unit_test(the_last_telegram_decides_over_p1),
        cmocka_unit_test(a_meter_of_every_ten_seconds_keeps_p1_lit),
        cmocka_unit_test(a_request_lights_485_and_other_bytes_let_it_blink),
        cmocka_unit_test(blinking_is_half_a_second_each),
        cmocka_unit_test(the_registers_say_what_the_led_does_and_how_old_values_are),
        cmocka_unit_test(a_change_of_status_or_age_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
