/* sim.h - a simulated electricity meter.
 *
 * A household (household.h) is measured by one of several meters (profiles).  The caller moves the
 * time and asks for the telegram of the present moment:
 *
 *     struct sim meter;
 *     uint8_t telegram[SIM_TELEGRAM_MAX];
 *     sim_init(&meter, sim_profile_find("dsmr50"), seed, now_utc_s);
 *     for (;;) {
 *         send(telegram, sim_telegram(&meter, telegram, sizeof telegram));
 *         sim_advance(&meter, meter.profile->interval_ms);
 *     }
 *
 * Pure: no clock, no heap, no system calls, no global state.  The same profile, seed and start give
 * the same bytes on every machine.  Every id is invented.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "household.h"

enum {
    SIM_TELEGRAM_MAX = 4096 /* no profile's telegram is longer */
};

enum sim_dialect { SIM_P1, SIM_TIC_STANDARD, SIM_TIC_HISTORIC };

struct sim_profile {
    const char *name;     /* as typed by the user: "dsmr50" */
    const char *title;    /* one line for help texts */
    uint32_t interval_ms; /* from the begin of one telegram to the begin of the next */
    uint32_t baud;
    bool seven_bit_even; /* the line is 7E1; else 8N1 */
    bool is_tic;
    enum sim_dialect dialect;
    uint8_t column; /* the profile's bit in the line tables of sim_p1.c and sim_tic.c */
    struct household_config house;
};

/* Meter and household.  Private to sim/, except that anything may be read. */
struct sim {
    const struct sim_profile *profile;
    uint32_t serial; /* six decimal digits of the invented ids, from the seed */
    struct household house;
};

/* The profile of that name; NULL when there is none. */
const struct sim_profile *sim_profile_find(const char *name);

/* The i-th profile; NULL past the end. */
const struct sim_profile *sim_profile_at(size_t i);

/* Makes s a meter of profile p at start_utc_s, UTC seconds since 1970.  Meters print two-digit
 * years and receivers refuse the first ten: a start outside 2010..2099 is moved to the nearer
 * bound.  Lives the two days before (see household_init), some 20 ms of work. */
void sim_init(struct sim *s, const struct sim_profile *p, uint64_t seed, int64_t start_utc_s);

/* Moves the time.  The steps' sizes do not matter: ten of 100 ms are one of 1000 ms. */
void sim_advance(struct sim *s, uint32_t elapsed_ms);

/* Writes the telegram of the present moment to out[0..cap) and returns its length; 0 when cap is
 * too small (out is then undefined).  SIM_TELEGRAM_MAX is always enough.  TIC comes as 7-bit
 * characters: parity belongs to the line, see sim_add_even_parity(). */
size_t sim_telegram(const struct sim *s, uint8_t *out, size_t cap);

/* Puts even parity of the low seven bits into bit 7 of each byte: what an 8N1 receiver sees of a
 * 7E1 line. */
void sim_add_even_parity(uint8_t *bytes, size_t n);

#endif
