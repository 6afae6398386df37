#include "p1mb.h"

/* --- settings --------------------------------------------------------------------------------- */

struct p1mb_settings p1mb_defaults(void)
{
    return (struct p1mb_settings){
        .baud = P1MB_BAUD_DEFAULT, .address = P1MB_ADDRESS_DEFAULT, .even_parity = true};
}

bool p1mb_settings_are_good(const struct p1mb_settings *settings)
{
    return settings->address >= 1 && settings->address <= 247 &&
           register_baud_is_known(settings->baud);
}

void p1mb_stage(const struct p1mb_settings *settings, struct register_device *device)
{
    (void)register_device_set(device, SETTING_ADDRESS, settings->address);
    (void)register_device_set(device, SETTING_BAUD, settings->baud);
    (void)register_device_set(device, SETTING_PARITY, settings->even_parity);
    (void)register_device_set(device, SETTING_TERMINATION, settings->termination);
}

struct p1mb_settings p1mb_staged(const struct register_device *device)
{
    const uint32_t *setting = device->setting;
    return (struct p1mb_settings){.baud = setting[SETTING_BAUD],
                                  .address = (uint8_t)setting[SETTING_ADDRESS],
                                  .even_parity = setting[SETTING_PARITY] != 0,
                                  .termination = setting[SETTING_TERMINATION] != 0};
}

bool p1mb_settings_equal(const struct p1mb_settings *a, const struct p1mb_settings *b)
{
    return a->baud == b->baud && a->address == b->address && a->even_parity == b->even_parity &&
           a->termination == b->termination;
}

/* --- LEDs ------------------------------------------------------------------------------------- */

static bool was_lately(int64_t event_ms, int64_t now_ms, int64_t shown_ms)
{
    return event_ms != P1MB_NEVER && now_ms - event_ms < shown_ms;
}

struct p1mb_leds p1mb_leds(const struct p1mb_events *e, int64_t now_ms)
{
    struct p1mb_leds leds = {.pwr = LIGHT_ON};
    bool valid = was_lately(e->valid_telegram_ms, now_ms, P1MB_P1_SHOWN_MS);
    bool damaged = was_lately(e->damaged_telegram_ms, now_ms, P1MB_P1_SHOWN_MS) &&
                   e->damaged_telegram_ms > e->valid_telegram_ms;
    leds.p1 = damaged ? LIGHT_BLINKING : valid ? LIGHT_ON : LIGHT_OFF;
    if (was_lately(e->request_ms, now_ms, P1MB_BUS_SHOWN_MS))
        leds.rs485 = LIGHT_ON;
    else if (was_lately(e->bus_byte_ms, now_ms, P1MB_BUS_SHOWN_MS))
        leds.rs485 = LIGHT_BLINKING;
    return leds;
}

bool p1mb_light_is_lit(enum p1mb_light light, int64_t now_ms)
{
    return light == LIGHT_ON || (light == LIGHT_BLINKING && now_ms / P1MB_BLINK_MS % 2 == 0);
}
