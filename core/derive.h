/* derive.h - quantities a meter does not send, each by one rule (docs/protocols.md has them all).
 *
 * A value that the meter sends is never replaced.  What cannot be known stays unknown.
 */
#ifndef DERIVE_H
#define DERIVE_H

#include "reading.h"

/* Which phase currents are published.  P1 and TIC currents have no sign and are often whole amperes. */
enum derive_current {
    CURRENT_AS_METER, /* as the meter sends them */
    CURRENT_SIGNED,   /* with the sign of the phase's power: negative when it exports */
    CURRENT_DERIVED   /* power / voltage where both are known and the meter's has no decimals */
};

/* Belgian 3x230 V grids have no neutral; a meter that does not say which grid it is on is judged. */
enum derive_grid { GRID_BY_METER, GRID_ALWAYS_STAR, GRID_ALWAYS_DELTA };

struct derive_settings {
    enum derive_current current;
    enum derive_grid grid;
    bool estimate_u31; /* delta: U31 is in no telegram; estimate it from a balanced set */
};

/* What is remembered from telegram to telegram of one meter.  Start it zeroed. */
struct derive_state {
    uint8_t delta_votes, star_votes;
    uint8_t latched_grid; /* enum reading_grid */
};

/* Fills in what follows from the meter's own values.  Allocates nothing, cannot fail.  A small build knows no other
 * settings than zeros. */
void derive(struct reading *r, const struct derive_settings *settings, struct derive_state *state);

/* The rule for power factors alone: fills in those that are unknown, from the powers that are there. */
void derive_power_factors(struct reading *r);

/* The rounded-down square root. */
uint32_t derive_sqrt(uint64_t x);

#endif
