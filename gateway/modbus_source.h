/* modbus_source.h - what a Modbus door serves: one register map, filled with what the meter said last.
 *
 * Each door (a TCP listener, the RTU slave) has a source of its own, so that maps, word orders and stale policies may
 * differ.  It is filled once per telegram; a request is a copy out of it.
 */
#ifndef MODBUS_SOURCE_H
#define MODBUS_SOURCE_H

#include "core/modbus.h"
#include "meter.h"

/* What is answered once the reading is too old to be served as live, and before the first.  A refusal meets reads of
 * measured registers only. */
enum stale_policy {
    STALE_EXCEPTION,    /* exception 0B: a charger falls back to its safe current */
    STALE_HOLD,         /* the last values; before the first telegram, exception 0B */
    STALE_ZERO,         /* every value as if it were unknown, and unknown as zero */
    STALE_HIGH_CURRENT, /* the connection looks fully loaded: see stale_current_a; energies stay */
    STALE_SILENT        /* no answer at all; for serial lines */
};

/* Order of the registers of a 32-bit value; the first two are enum word_order. */
enum served_order { ORDER_NORMAL, ORDER_SWAPPED, ORDER_OF_METER };
_Static_assert((int)ORDER_NORMAL == (int)WORD_ORDER_NORMAL &&
                   (int)ORDER_SWAPPED == (int)WORD_ORDER_SWAPPED,
               "an order that is given is an order of words");

struct modbus_source_settings {
    const struct register_map *map;
    enum served_order order;
    enum unknown_policy unknown;
    enum stale_policy stale;
    int stale_current_a; /* per phase, for STALE_HIGH_CURRENT; powers follow at 230 V */
    int nominal_hz;      /* 0..255, shown while the frequency is unknown; 0: it stays unknown */
    bool vendor;         /* with the P1MB's own registers */
    bool writes;         /* what masters write to the map's settings is staged in `device` */
    bool zero_before_first; /* before the first telegram values are unknown, and served, until the meter's limit of age
                               has passed since the source was opened, 35 s at most; then the stale policy holds */
    struct register_device device; /* its strings stay the caller's */
};

/* Part of its door.  Private but for settings.device, which the door may change, and then refreshes. */
struct modbus_source {
    struct modbus_source_settings settings;
    struct loop *loop;
    struct meter *meter;
    struct meter_listener listener;
    struct loop_timer grace; /* ends zero_before_first */
    int64_t opened_ms;
    struct modbus_bank bank;
    struct register_style style;
    const struct reading *shown;
    struct reading substitute; /* shown in place of a stale one, and before the first */
    struct register_image image;
    char revision[16];
};

/* The order in force: that of the map's real meter, or the one that was asked for. */
enum word_order served_order_of(enum served_order order, const struct register_map *map);

/* Serves from now on what `meter` said last.  False: the map does not fit (register_image.h), and there is nothing to
 * be closed. */
bool modbus_source_open(struct modbus_source *s, struct loop *l, struct meter *meter,
                        const struct modbus_source_settings *settings);

/* Other settings from now on, the map and `device` included: what was staged is lost, unless the caller hands it back.
 * False: the map does not fit; nothing changed. */
bool modbus_source_set(struct modbus_source *s, const struct modbus_source_settings *settings);

/* Shows the settings and the age in settings.device as they are now; values stay those of the latest telegram. */
void modbus_source_refresh(struct modbus_source *s);

/* Listens to the meter no longer.  A source that was never opened must be zeroed. */
void modbus_source_close(struct modbus_source *s);

/* What requests are answered from.  It stays valid, at the same place, until the source is closed. */
static inline const struct modbus_bank *modbus_source_bank(const struct modbus_source *s)
{
    return &s->bank;
}

#endif
