/* messages.h - a reading as JSON.  The keys of power_instant are those of the Smart Connect manual
 * V1.8, section 5.4, in its order, and so are those of device_counters; readings, which shows everything, and meter,
 * which shows what power_instant leaves out, are ours. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "reading.h"
#include "text_out.h"

enum {
    MESSAGE_POWER_INSTANT_MAX = 2048, /* every value at its widest fits */
    MESSAGE_METER_MAX = 24576,        /* with all texts, logs and histories at their limits */
    MESSAGE_READINGS_MAX = 24576,
    MESSAGE_COUNTERS_MAX = 1024
};

/* A count that may be unknown: it is not counted here. */
#define COUNTER_UNKNOWN INT64_C(-1)

/* What device_counters says, in the manual's order. */
struct device_counters {
    int64_t uptime_s;
    int64_t gateway_ping_pass, gateway_ping_fail;
    int64_t internet_ping_pass, internet_ping_fail;
    int64_t telegrams_pass, telegrams_fail, telegrams_frame_fail;
    int64_t mqtt_event_errors, mqtt_event_connect;
    int64_t mqtt_send_pass, mqtt_send_fail;
    int64_t heap_free, heap_min_free, heap_largest_free, heap_failed_allocs;
};

/* The UTC time stamp of a message: the meter's if it is plausible, else the gateway's.  The meter's is
 * not plausible when its clock is degraded or more than a day off the gateway's.  READING_NO_TIME when
 * neither is known. */
int64_t message_time(const struct reading *r);

/* Appends the power_instant object, on one line.  Unknown values are null. */
void message_power_instant(struct text_out *out, const struct reading *r);

/* Appends all that is known as one object on one line: {"ts":..,"standard":..,"values":{..},..}.
 * `telegram` is the one the reading was made from. */
void message_readings(struct text_out *out, const struct reading *r, const uint8_t *telegram,
                      size_t telegram_len);

/* Appends the device_counters object (manual V1.8, 5.4), on one line; COUNTER_UNKNOWN is null. */
void message_device_counters(struct text_out *out, const struct device_counters *c);

/* Appends what power_instant leaves out as one object on one line, most of which changes slowly: tariff and energies by
 * tariff, limits, demand peaks, M-Bus meters, ids, messages, logs.  Quantities, texts and M-Bus channels that are not
 * known are left out; the objects and lists they would stand in are always there. */
void message_meter(struct text_out *out, const struct reading *r, const uint8_t *telegram,
                   size_t telegram_len);

/* A digest of what message_meter() says, but for what moves with every telegram or period: when it differs, something
 * changed that is worth saying at once.  That is: standard, grid and phases; the quantities of KIND_STATE (quantity.h;
 * of STGE not the direction) and the time of the month's peak; value, unit, medium and valve of each M-Bus channel;
 * texts; logs.  A change of one word of 32 bits always shows, a greater one is missed once in 2^32.  Allocates nothing;
 * meant for every telegram. */
uint32_t message_meter_digest(const struct reading *r, const uint8_t *telegram, size_t telegram_len);

/* True if `now` says something else than `before` in power_instant that matters: a power (active, reactive or apparent)
 * differs, by at least deadband_w, an event was counted, or a value became known or unknown (but for the power factor,
 * which comes and goes at 0 W).  With a deadband of 0 or 1 any difference of a power matters. */
bool message_power_changed(const struct reading *before, const struct reading *now,
                           int64_t deadband_w);

#endif
