#include "modbus_source.h"

#include <stdio.h>

enum {
    NOMINAL_VOLTAGE_V = 230,
    ZERO_MAX_MS =
        35000 /* the longest that a healthy meter may take to its first telegram, whatever is set */
};

enum word_order served_order_of(enum served_order order, const struct register_map *map)
{
    return (enum word_order)(order == ORDER_OF_METER ? map->word_order : order);
}

/* --- what is shown ---------------------------------------------------------------------------- */

void modbus_source_refresh(struct modbus_source *s)
{
    register_image_render(&s->image, s->shown, &s->settings.device, &s->style);
}

static void show(struct modbus_source *s, const struct reading *r, enum unknown_policy unknown)
{
    s->shown = r;
    s->style.unknown = unknown;
    modbus_source_refresh(s);
    s->bank.refusal = MODBUS_OK;
}

static void show_reading(struct meter_listener *listener, const struct meter_snapshot *latest)
{
    struct modbus_source *s = CONTAINER_OF(listener, struct modbus_source, listener);
    show(s, &latest->reading, s->settings.unknown);
}

static void show_zero(struct modbus_source *s)
{
    reading_clear(&s->substitute);
    show(s, &s->substitute, UNKNOWN_ZERO);
}

/* A house that takes all it may: a charger that trusts this reduces to its minimum.  What was read
 * last stays, energies above all, since a counter that drops to 0 is taken for a new meter. */
static void load_fully(struct reading *r, int64_t current_a)
{
    int64_t phase_w = current_a * NOMINAL_VOLTAGE_V;
    for (int n = 0; n < 3; n++) {
        enum quantity voltage = (enum quantity)(Q_METER_VOLTAGE_L1 + n);
        reading_set(r, (enum quantity)(Q_CURRENT_L1 + n), current_a * 1000);
        reading_set(r, (enum quantity)(Q_POWER_L1 + n), phase_w);
        reading_set(r, (enum quantity)(Q_POWER_IMPORT_L1 + n), phase_w);
        reading_set(r, (enum quantity)(Q_POWER_EXPORT_L1 + n), 0);
        if (!reading_has(r, voltage))
            reading_set(r, voltage, NOMINAL_VOLTAGE_V * 1000);
    }
    reading_set(r, Q_CURRENT_MEAN, current_a * 1000);
    reading_set(r, Q_POWER, 3 * phase_w);
    reading_set(r, Q_POWER_IMPORT, 3 * phase_w);
    reading_set(r, Q_POWER_EXPORT, 0);
}

static void show_fully_loaded(struct modbus_source *s)
{
    const struct meter_snapshot *latest = meter_latest(s->meter);
    if (latest)
        s->substitute = latest->reading;
    else
        reading_clear(&s->substitute);
    load_fully(&s->substitute, s->settings.stale_current_a);
    show(s, &s->substitute, s->settings.unknown);
}

static void refuse_by_exception(struct modbus_source *s)
{
    s->bank.refusal = MODBUS_TARGET_SILENT;
}

static void refuse_by_silence(struct modbus_source *s)
{
    s->bank.refusal = MODBUS_NO_ANSWER;
}

static void hold(struct modbus_source *s)
{
    if (!meter_latest(s->meter))
        refuse_by_exception(s);
}

static void show_stale(struct meter_listener *listener)
{
    static void (*const policies[])(struct modbus_source *) = {
        [STALE_EXCEPTION] = refuse_by_exception,
        [STALE_HOLD] = hold,
        [STALE_ZERO] = show_zero,
        [STALE_HIGH_CURRENT] = show_fully_loaded,
        [STALE_SILENT] = refuse_by_silence,
    };
    struct modbus_source *s = CONTAINER_OF(listener, struct modbus_source, listener);
    policies[s->settings.stale](s);
}

/* --- before the first telegram ---------------------------------------------------------------- */

static int64_t grace_left_ms(const struct modbus_source *s)
{
    int64_t limit_ms = meter_stale_limit_ms(s->meter);
    if (limit_ms > ZERO_MAX_MS)
        limit_ms = ZERO_MAX_MS;
    return s->opened_ms + limit_ms - s->loop->now_ms;
}

static void on_grace_over(struct loop_timer *timer)
{
    struct modbus_source *s = CONTAINER_OF(timer, struct modbus_source, grace);
    if (!meter_latest(s->meter))
        show_stale(&s->listener);
}

static void await_first(struct modbus_source *s)
{
    if (s->settings.zero_before_first && grace_left_ms(s) > 0) {
        show_zero(s);
        loop_set_timer(s->loop, &s->grace, grace_left_ms(s));
    } else {
        show_stale(&s->listener);
    }
}

/* --- life ------------------------------------------------------------------------------------- */

/* Serves by these settings what the meter said last; the image is laid out for their map. */
static void take_settings(struct modbus_source *s, const struct modbus_source_settings *settings)
{
    const struct meter_snapshot *latest = meter_latest(s->meter);
    enum word_order order = served_order_of(settings->order, settings->map);
    s->settings = *settings;
    s->style = (struct register_style){
        .order = order, .unknown = settings->unknown, .nominal_hz = (uint8_t)settings->nominal_hz};
    s->bank = (struct modbus_bank){.image = &s->image,
                                   .id = {"Smart Connect", settings->map->name, s->revision},
                                   .writable = settings->writes ? &s->settings.device : NULL,
                                   .order = order};
    reading_clear(&s->substitute);
    s->shown = &s->substitute;
    modbus_source_refresh(s);
    loop_cancel_timer(s->loop, &s->grace);
    if (!latest) {
        await_first(s);
        return;
    }
    show_reading(&s->listener, latest);
    if (meter_is_stale(s->meter))
        show_stale(&s->listener);
}

bool modbus_source_open(struct modbus_source *s, struct loop *l, struct meter *meter,
                        const struct modbus_source_settings *settings)
{
    uint32_t version = settings->device.firmware;
    *s = (struct modbus_source){0};
    if (!register_image_init(&s->image, settings->map, settings->vendor))
        return false;
    s->loop = l;
    s->meter = meter;
    s->opened_ms = l->now_ms;
    s->listener = (struct meter_listener){.reading = show_reading, .stale = show_stale};
    s->grace.expired = on_grace_over;
    snprintf(s->revision, sizeof s->revision, "%u.%u.%u", version >> 16 & 0xFF, version >> 8 & 0xFF,
             version & 0xFF);
    take_settings(s, settings);
    meter_add_listener(meter, &s->listener);
    return true;
}

bool modbus_source_set(struct modbus_source *s, const struct modbus_source_settings *settings)
{
    struct register_image image;
    if (!register_image_init(&image, settings->map, settings->vendor))
        return false;
    s->image = image;
    take_settings(s, settings);
    return true;
}

void modbus_source_close(struct modbus_source *s)
{
    if (!s->meter)
        return;
    loop_cancel_timer(s->loop, &s->grace);
    meter_remove_listener(s->meter, &s->listener);
    s->meter = NULL;
}
