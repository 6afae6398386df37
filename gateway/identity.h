/* identity.h - who this box is. */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdbool.h>

enum { IDENTITY_SERIAL_LEN = 12 };

struct identity {
    char serial[IDENTITY_SERIAL_LEN + 1]; /* twelve hex digits, upper case */
};

/* Finds the serial number: the one kept in `state_dir`, else one from the network card's address (else
 * from the machine id), which is then kept there, so that it stays when the card is changed.  An empty
 * state_dir keeps nothing.  *kept: it is in the folder now; if not, errno says why, and the number is
 * found anew next time.  False: there is nothing to make one from. */
bool identity_load(const char *state_dir, struct identity *id, bool *kept);

/* Twelve hex digits. */
bool identity_is_serial(const char *text);

#endif
