/* civil_time.h - meter time stamps to UTC, without a time-zone database.
 *
 * Meters print local civil time with a season letter.  The letter alone gives the offset, so the
 * doubled hour of October is unambiguous: 02:30 summer precedes 02:30 winter.
 */
#ifndef CIVIL_TIME_H
#define CIVIL_TIME_H

#include <stdbool.h>
#include <stdint.h>

struct civil_time {
    int16_t year; /* 1970..2099 */
    uint8_t month, day, hour, minute, second;
};

/* Central European winter time, UTC+1.  Summer time is one hour more. */
#define CIVIL_CET_OFFSET_S 3600

/* Reads "YYMMDDhhmmss" (12 digits, years 2000 + YY).  False when a byte is no digit, a field is out of
 * range for its month and year, or the year is before 2010 (meters without a clock start at 2000 or
 * 1970). */
bool civil_time_parse(const uint8_t digits[static 12], struct civil_time *out);

/* Seconds since 1970-01-01 00:00:00 UTC of civil time `t` at `offset_s` seconds east of UTC. */
int64_t civil_time_to_utc(const struct civil_time *t, int32_t offset_s);

/* The reverse: UTC seconds (1970..2099) to civil time at that offset. */
void civil_time_from_utc(int64_t utc_s, int32_t offset_s, struct civil_time *out);

#endif
