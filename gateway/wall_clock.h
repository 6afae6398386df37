/* wall_clock.h - the time of day, for people and certificates; what is measured is measured on the loop's clock. */
#ifndef WALL_CLOCK_H
#define WALL_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* UTC seconds now; READING_NO_TIME (core/reading.h) while the clock was never set. */
int64_t wall_clock_s(void);

/* When this program was built, UTC seconds (CMake's BUILD_DATE_S). */
int64_t wall_clock_build_s(void);

/* A clock before the build was never set: not in 1970, nor at the date of the system's release, where systemd starts
 * one. */
bool wall_clock_is_set(int64_t utc_s);

/* True if a time server has set the clock since the machine started, as systemd-timesyncd tells; with another client
 * it is not known, so false. */
bool wall_clock_is_synchronised(void);

#endif
