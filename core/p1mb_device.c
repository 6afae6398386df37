#include "p1mb_device.h"

#include "integers.h"

#include <string.h>

/* What is not known reads 0; words follow the emulated meter, as masters expect of it. */
static struct register_style style_of(const struct p1mb_device *d)
{
    return (struct register_style){.order = d->bank.order, .unknown = UNKNOWN_ZERO};
}

static const char *map_name(uint8_t i)
{
    return register_map_at(i)->name;
}

/* --- registers -------------------------------------------------------------------------------- */

static void show_reading(struct p1mb_device *d)
{
    const struct register_style style = style_of(d);
    register_image_render(&d->image, &d->reading, &d->registers, &style);
}

/* Values stay: the reading may be half of the next one. */
static void show_settings(struct p1mb_device *d)
{
    const struct register_style style = style_of(d);
    register_image_render(&d->image, NULL, &d->registers, &style);
}

/* --- settings --------------------------------------------------------------------------------- */

/* Keeps what the bus is to run with after the next start. */
static bool keep(struct p1mb_device *d, const struct p1mb_setup *setup)
{
    bool kept = p1mb_store_save(d->flash, setup);
    if (kept)
        d->kept = *setup;
    return kept;
}

static void show_kept(struct p1mb_device *d)
{
    p1mb_stage(&d->kept.bus, &d->registers);
    show_settings(d);
}

/* A master has written: it is told so when it is kept.  What cannot be kept is not shown. */
static void take_written(struct p1mb_device *d)
{
    const struct p1mb_setup staged = {.bus = p1mb_staged(&d->registers), .map = d->kept.map};
    if (p1mb_setup_equal(&staged, &d->kept) || keep(d, &staged))
        show_settings(d);
    else
        show_kept(d);
}

/* --- the configuration session ---------------------------------------------------------------- */

static struct p1mb_device *device_of(struct p1mb_port_owner *owner)
{
    return (struct p1mb_device *)(void *)((char *)owner - offsetof(struct p1mb_device, owner));
}

static void read_setups(struct p1mb_port_owner *owner, struct p1mb_setup out[static 2])
{
    out[0] = device_of(owner)->active;
    out[1] = device_of(owner)->kept;
}

static bool write_setup(struct p1mb_port_owner *owner, const struct p1mb_setup *setup)
{
    struct p1mb_device *d = device_of(owner);
    bool kept = keep(d, setup);
    if (kept)
        show_kept(d);
    return kept;
}

static void reboot(struct p1mb_port_owner *owner)
{
    device_of(owner)->registers.setting[SETTING_REBOOT] = 1;
}

/* --- the start -------------------------------------------------------------------------------- */

static void start_bus(struct p1mb_device *d)
{
    const struct register_map *map = register_map_at(d->active.map);
    const struct p1mb_settings *bus = &d->active.bus;
    const struct rtu_slave_settings line = {
        .address = bus->address, .even_parity = bus->even_parity, .baud = bus->baud};
    d->bank = (struct modbus_bank){
        .image = &d->image, .writable = &d->registers, .order = (enum word_order)map->word_order};
    (void)register_image_init(&d->image, map, true); /* the maps are ours, and fit */
    rtu_slave_init(&d->slave, &line, &d->bank);
}

void p1mb_device_init(struct p1mb_device *d, const struct p1mb_identity *identity,
                      const struct flash *flash, int64_t now_us)
{
    memset(d, 0, sizeof *d);
    d->active = (struct p1mb_setup){.bus = p1mb_defaults(), .map = P1MB_MAP_DEFAULT};
    (void)p1mb_store_load(flash, P1MB_MAPS, &d->active);
    d->kept = d->active;
    d->flash = flash;
    d->owner = (struct p1mb_port_owner){.product = "P1MB",
                                        .board = identity->board,
                                        .serial = identity->serial,
                                        .firmware = identity->firmware,
                                        .map_name = map_name,
                                        .maps = P1MB_MAPS,
                                        .read = read_setups,
                                        .write = write_setup,
                                        .reboot = reboot};
    d->registers.serial = identity->serial;
    d->registers.firmware = identity->firmware;
    d->events = (struct p1mb_events){P1MB_NEVER, P1MB_NEVER, P1MB_NEVER, P1MB_NEVER};
    d->started_ms = d->last_p1_ms = milliseconds(now_us);
    p1mb_port_init(&d->port, &d->owner);
    p1_init(&d->p1, &d->reading, d->line, sizeof d->line);
    p1mb_stage(&d->active.bus, &d->registers);
    (void)p1mb_stage_status(&d->events, d->started_ms, &d->registers);
    start_bus(d);
    show_reading(d); /* nothing is known yet */
}

/* --- the P1 port ------------------------------------------------------------------------------ */

static void note(struct p1mb_device *d, enum p1_event event, int64_t now_ms)
{
    static const struct derive_settings as_sent = {.current = CURRENT_AS_METER};
    if (event == P1_BAD_CRC || event == P1_BAD_FRAME)
        d->events.damaged_telegram_ms = now_ms;
    if (event != P1_TELEGRAM)
        return;
    d->events.valid_telegram_ms = now_ms;
    derive(&d->reading, &as_sent, &d->derived);
    (void)p1mb_stage_status(&d->events, now_ms, &d->registers);
    show_reading(d);
}

void p1mb_device_hear_p1(struct p1mb_device *d, const uint8_t *bytes, size_t n, int64_t now_us)
{
    int64_t now_ms = milliseconds(now_us);
    enum p1_event event;
    n = p1mb_port_take(&d->port, bytes, n, now_ms);
    if (n)
        d->last_p1_ms = now_ms;
    for (size_t used = 0; used < n; note(d, event, now_ms))
        used += p1_feed(&d->p1, bytes + used, n - used, &event);
}

const uint8_t *p1mb_device_p1_answer(struct p1mb_device *d, size_t *n)
{
    return p1mb_port_answer(&d->port, n);
}

/* How long it is that there were no good values: since the last telegram, or the start. */
static bool is_stale(const struct p1mb_device *d, int64_t now_ms)
{
    int64_t good_ms = d->events.valid_telegram_ms;
    return now_ms - (good_ms == P1MB_NEVER ? d->started_ms : good_ms) >= P1MB_STALE_MS;
}

static void watch_meter(struct p1mb_device *d, int64_t now_ms)
{
    if (now_ms - d->last_p1_ms > P1_SILENCE_MS)
        note(d, p1_silence(&d->p1), now_ms);
    d->bank.refusal = is_stale(d, now_ms) ? MODBUS_TARGET_SILENT : MODBUS_OK;
    if (p1mb_stage_status(&d->events, now_ms, &d->registers))
        show_settings(d);
}

/* --- the bus ---------------------------------------------------------------------------------- */

void p1mb_device_hear_bus(struct p1mb_device *d, const uint8_t *bytes, size_t n, int64_t now_us)
{
    rtu_slave_bytes(&d->slave, bytes, n, now_us);
}

void p1mb_device_bus_error(struct p1mb_device *d, int64_t now_us)
{
    rtu_slave_line_error(&d->slave, now_us);
}

const uint8_t *p1mb_device_poll(struct p1mb_device *d, int64_t now_us, size_t *n)
{
    int64_t now_ms = milliseconds(now_us);
    rtu_count writes = d->slave.counters.writes;
    p1mb_port_poll(&d->port, now_ms);
    watch_meter(d, now_ms);
    const uint8_t *answer = rtu_slave_poll(&d->slave, now_us, n);
    if (d->slave.counters.writes != writes)
        take_written(d);
    d->reboot = d->registers.setting[SETTING_REBOOT] && now_us >= rtu_slave_sent_us(&d->slave);
    return answer;
}

bool p1mb_device_is_due_within(const struct p1mb_device *d, int64_t now_us, int64_t within_us)
{
    return rtu_slave_due_us(&d->slave) - within_us <= now_us;
}

/* --- what the board does ---------------------------------------------------------------------- */

struct p1mb_leds p1mb_device_leds(const struct p1mb_device *d, int64_t now_ms)
{
    struct p1mb_events events = d->events;
    events.request_ms = d->slave.last_request_ms;
    events.bus_byte_ms = d->slave.last_byte_ms;
    return p1mb_leds(&events, now_ms);
}

bool p1mb_device_wants_reboot(const struct p1mb_device *d)
{
    return d->reboot;
}
