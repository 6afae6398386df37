/* steering.h - a file through which a test steers the clocks of a program, and sees what it holds of the heap.
 *
 * Both ends map the file; steered_clock.c is the program's end.
 */
#ifndef STEERING_H
#define STEERING_H

#include <stdint.h>

/* Native, in this order; tests/steered_clock.py has it as well. */
struct steering {
    int64_t stands; /* 0: time passes as it does; 1: it is `now_ns`, and stands until somebody sets that */
    int64_t now_ns; /* CLOCK_MONOTONIC and CLOCK_BOOTTIME, while the time stands */
    int64_t ahead_ns; /* CLOCK_REALTIME is ahead of what it would be; of `now_ns` while the time stands */
    int64_t blocks; /* of the heap, that are in use */
    int64_t bytes;  /* in them, as they were asked for */
};

#endif
