/* small.h - what a small build of the core leaves out.
 *
 * CORE_SMALL is defined for a P1MB on a microcontroller.  It reads P1 alone, shows numbers on Modbus alone, and marks
 * what is unknown with 0: so it has no texts, no M-Bus channels, no logs, no quantities of TIC, and no names.  What is
 * left is the same code, but where room matters more than time (integers.h, p1_lines.c, rows of register_map.h).  Both
 * read the same registers out of the same telegrams: tests/small.
 *
 * CORE_IS_SMALL tells it to an `if`; FULL_ONLY() and SMALL_ONLY() hold rows and fields that stand in one of the two.
 */
#ifndef SMALL_H
#define SMALL_H

#ifdef CORE_SMALL
enum { CORE_IS_SMALL = 1 };
#define FULL_ONLY(...)
#define SMALL_ONLY(...) __VA_ARGS__
#else
enum { CORE_IS_SMALL = 0 };
#define FULL_ONLY(...) __VA_ARGS__
#define SMALL_ONLY(...)
#endif

#endif
