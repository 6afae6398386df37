/* sim_clock.h - the simulated meter's calendar: UTC to the legal time of Central Europe.
 *
 * Summer time runs from the last Sunday of March to the last Sunday of October, both at 01:00 UTC.
 * No time-zone database, no libc time functions: the same result on every machine.  The gateway's
 * own conversion (core/civil_time.h) is deliberately not used: one error must not sit on both
 * sides.
 */
#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct sim_clock {
    int32_t year;    /* four digits */
    uint8_t month;   /* 1..12 */
    uint8_t day;     /* 1..31 */
    uint8_t hour;    /* 0..23, legal time */
    uint8_t minute;  /* 0..59 */
    uint8_t second;  /* 0..59 */
    uint8_t weekday; /* 0 = Monday .. 6 = Sunday */
    uint16_t yday;   /* 0 = 1 January */
    bool summer;     /* true: UTC+2 (P1 "S", TIC "E"); false: UTC+1 (P1 "W", TIC "H") */
};

/* Legal time at utc_s (seconds since 1970-01-01 UTC; years 1970 to 9999). */
struct sim_clock sim_clock_local(int64_t utc_s);

/* UTC seconds at which the legal month begins (00:00:00 local on its first day).
 * month counts from 1; 0, 13 and beyond count on into the neighbouring years.
 */
int64_t sim_clock_month_start(int32_t year, int32_t month);

#endif
