/* wall_clock.h - the time of day, for people and certificates; what is measured is measured on the loop's clock. */
#ifndef WALL_CLOCK_H
#define WALL_CLOCK_H

#include <stdint.h>

/* UTC seconds now; READING_NO_TIME (core/reading.h) while the clock was never set: before 2025. */
int64_t wall_clock_s(void);

#endif
