/* clock_floor.h - the time at which certificates are judged while the system's clock may be wrong.
 *
 * A box without a battery starts in 1970 or in the year its system was made.  It cannot be earlier, though, than the
 * build of this program, than the last time it knew (the file `clock` in the state folder: UTC seconds, a newline), or
 * than its meter says.  A meter is believed only while nothing better is known, and never kept: one with a clock in
 * 2099 must not spoil certificates for ever.  Nor may the system's own clock: what lies 20 years after the build is
 * wrong, and a time server has the last word.
 */
#ifndef CLOCK_FLOOR_H
#define CLOCK_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CLOCK_FLOOR_SAVE_S = 24 * 3600,            /* how far what is kept may be off */
    CLOCK_FLOOR_AHEAD_S = 20 * 365 * 24 * 3600 /* after the build: nothing is believed beyond */
};

/* UTC seconds; private. */
struct clock_floor {
    int64_t known_s; /* the latest the system's clock was known to say, or the build */
    int64_t saved_s; /* what the file says, or the build */
    int64_t meter_s; /* READING_NO_TIME: unknown */
    bool keeps;      /* there is a state folder */
};

/* Begins with the build and what was kept; "" is no folder.  What cannot be read is logged and not counted.  Blocks on
 * the disk: at start. */
void clock_floor_load(struct clock_floor *f, const char *state_dir);

/* The time of a meter's telegram, instead of the one before; READING_NO_TIME: the meter has none. */
void clock_floor_note_meter(struct clock_floor *f, int64_t utc_s);

/* The system's clock (wall_clock_s()).  When a time server set it (wall_clock_is_synchronised()) it replaces what was
 * known, else it only raises it. */
void clock_floor_note_clock(struct clock_floor *f, int64_t wall_s, bool synchronised);

/* The time at which certificates are judged: the system's clock (READING_NO_TIME: not set) or the lower bound. */
int64_t clock_floor_now(const struct clock_floor *f, int64_t wall_s);

/* The time to keep now, since what is kept is a day or more off it; READING_NO_TIME: nothing to do.  It is for
 * clock_floor_save() on a worker and, when that went well, for clock_floor_saved(). */
int64_t clock_floor_due(const struct clock_floor *f);

/* Keeps the time.  Blocks on the disk.  False with errno. */
bool clock_floor_save(const char *state_dir, int64_t utc_s);

/* It is kept. */
void clock_floor_saved(struct clock_floor *f, int64_t utc_s);

#endif
