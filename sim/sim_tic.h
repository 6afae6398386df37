/* sim_tic.h - the TIC frames of the simulated meter, as 7-bit characters. */
#ifndef SIM_TIC_H
#define SIM_TIC_H

#include "sim_text.h"
#include "sim_view.h"

/* The profiles' columns in the table of labels. */
enum sim_tic_column { SIM_TIC_MONO = 1, SIM_TIC_TRI = 2, SIM_TIC_PRODUCER = 4 };

/* Writes a standard-mode frame, STX to ETX. */
void sim_tic_write(struct sim_text *t, enum sim_tic_column column, const struct sim_view *v);

/* Writes a historic-mode frame (single phase, peak/off-peak contract), STX to ETX. */
void sim_tic_write_historic(struct sim_text *t, const struct sim_view *v);

#endif
