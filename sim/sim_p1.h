/* sim_p1.h - the P1 telegrams of the simulated meter. */
#ifndef SIM_P1_H
#define SIM_P1_H

#include "sim_text.h"
#include "sim_view.h"

/* The profiles' columns in the table of lines. */
enum sim_p1_column { SIM_P1_DSMR42 = 1, SIM_P1_DSMR50 = 2, SIM_P1_EMUCS = 4, SIM_P1_DELTA = 8 };

/* Writes the telegram of the profile with this column, '/' to CRC and line end. */
void sim_p1_write(struct sim_text *t, enum sim_p1_column column, const struct sim_view *v);

#endif
