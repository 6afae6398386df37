/* messages.h - a reading as JSON.  The keys of power_instant are those of the Smart Connect manual
 * V1.8, section 5.4, in its order; readings is ours and shows everything. */
#ifndef MESSAGES_H
#define MESSAGES_H

#include "reading.h"
#include "text_out.h"

enum {
    MESSAGE_POWER_INSTANT_MAX = 2048, /* every value at its widest fits */
    MESSAGE_READINGS_MAX = 24576      /* with all texts, logs and histories at their limits */
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

#endif
