/* p1_write.h - a DSMR 5 telegram made from a reading, for programs that know P1 alone.
 *
 * It holds what such programs ask for, in the form of DSMR P1 companion 5.0.2, whatever the meter speaks:
 *
 *   1-0:1.8.0, 2.8.0   totals, also where the meter sends tariffs only; a total without tariffs is shown in tariff 1
 *   1-0:1.7.0, 2.7.0   import and export, also where the meter sends their difference
 *   L2 and L3          0 on a single-phase meter, which has none; programs look for all three
 *   1-0:31.7.0         amperes with two decimals, as e-MUCS has them
 *   !CRC               always
 *
 * What is unknown is left out, never 0.
 */
#ifndef P1_WRITE_H
#define P1_WRITE_H

#include "reading.h"

enum { P1_WRITE_MAX = 4096 }; /* every line with its longest numbers takes less: a test says so */

/* Writes the telegram, with its last CR LF, and returns its length; a NUL follows it.  `r` went through derive(), and
 * `telegram` is the one it was made from.  Times are local ones, winter_offset_s ahead of UTC in winter, summer time by
 * the rule of the EU. */
size_t p1_write(const struct reading *r, int32_t winter_offset_s, const uint8_t *telegram,
                size_t telegram_len, char out[static P1_WRITE_MAX]);

#endif
