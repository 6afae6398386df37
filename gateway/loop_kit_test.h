/* loop_kit_test.h - loop.h on a clock that belongs to the test.  Linked into a test, it takes the place of loop.c.
 *
 * Time stands still but for loop_kit_pass() and loop_kit_run().  The threads of worker.h are real: a job's end is
 * waited for where the test says so, and nowhere else, so that a disk is as slow as a test wants it.
 */
#ifndef LOOP_KIT_TEST_H
#define LOOP_KIT_TEST_H

#include "loop.h"

/* Waits until no job of worker.h is under way, and delivers to file descriptors until none is ready. */
void loop_kit_settle(struct loop *l);

/* Time passes: timers run, each at its time.  No file descriptor is looked at. */
void loop_kit_pass(struct loop *l, int64_t ms);

/* The same, and what the timers began is settled before time goes on. */
void loop_kit_run(struct loop *l, int64_t ms);

#endif
