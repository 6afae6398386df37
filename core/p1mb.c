#include "p1mb.h"

#include "bytes.h"

enum { AGE_MAX_S = 65534, AGE_NONE = 65535 };

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

bool p1mb_setup_equal(const struct p1mb_setup *a, const struct p1mb_setup *b)
{
    return p1mb_settings_equal(&a->bus, &b->bus) && a->map == b->map;
}

void p1mb_setup_put(const struct p1mb_setup *setup, uint8_t out[static P1MB_SETUP_BYTES])
{
    const struct p1mb_settings *bus = &setup->bus;
    put_le32(out, bus->baud);
    out[4] = bus->address;
    out[5] = bus->even_parity;
    out[6] = bus->termination;
    out[7] = setup->map;
}

enum p1mb_status p1mb_setup_get(const uint8_t in[static P1MB_SETUP_BYTES], uint8_t maps,
                                struct p1mb_setup *setup)
{
    uint32_t baud = get_le32(in);
    *setup = (struct p1mb_setup){
        .bus = {.baud = baud, .address = in[4], .even_parity = in[5] != 0, .termination = in[6] != 0},
        .map = in[7]};
    return !register_baud_is_known(baud)          ? P1MB_BAD_BAUD
           : !p1mb_settings_are_good(&setup->bus) ? P1MB_BAD_ADDRESS
           : in[5] > 1                            ? P1MB_BAD_LINE
           : in[6] > 1                            ? P1MB_BAD_TERMINATION
           : in[7] >= maps                        ? P1MB_BAD_MAP
                                                  : P1MB_DONE;
}

/* --- what happened ---------------------------------------------------------------------------- */

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
    return light == LIGHT_ON ||
           (light == LIGHT_BLINKING && (uint32_t)now_ms / P1MB_BLINK_MS % 2 == 0);
}

static uint32_t age_s(int64_t event_ms, int64_t now_ms)
{
    if (event_ms == P1MB_NEVER)
        return AGE_NONE;
    int64_t age_ms = now_ms > event_ms ? now_ms - event_ms : 0;
    return age_ms < AGE_MAX_S * INT64_C(1000) ? (uint32_t)age_ms / 1000 : AGE_MAX_S;
}

bool p1mb_stage_status(const struct p1mb_events *e, int64_t now_ms, struct register_device *device)
{
    enum { SILENT, GOOD, DAMAGED };
    static const uint8_t status[] = {
        [LIGHT_OFF] = SILENT, [LIGHT_ON] = GOOD, [LIGHT_BLINKING] = DAMAGED};
    uint32_t *setting = device->setting;
    uint32_t old_status = setting[SETTING_P1_STATUS], old_age_s = setting[SETTING_DATA_AGE];
    setting[SETTING_P1_STATUS] = status[p1mb_leds(e, now_ms).p1];
    setting[SETTING_DATA_AGE] = age_s(e->valid_telegram_ms, now_ms);
    return setting[SETTING_P1_STATUS] != old_status || setting[SETTING_DATA_AGE] != old_age_s;
}
