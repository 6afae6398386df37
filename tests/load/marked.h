/* marked.h - telegrams in which every value follows from a number, as harness.marked() of the system tests makes them.
 */
#ifndef MARKED_H
#define MARKED_H

#include <stddef.h>
#include <stdint.h>

enum { MARKED_MAX = 1024, MARKED_POWERS = 100000 };

/* Writes telegram n: powers are n % MARKED_POWERS W, energies n Wh (n < 10^9), voltages n % 2500 tenths of a volt,
 * currents n % 1000 A.  utc_s: when the meter says it was.  Returns its length. */
size_t marked_write(char out[static MARKED_MAX], unsigned n, int64_t utc_s);

#endif
