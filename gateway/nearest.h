/* nearest.h - the name somebody may have meant. */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

/* The best guess so far; start it zeroed. */
struct nearest {
    const char *name; /* NULL: nothing was like it */
    size_t rank;      /* the less, the nearer */
};

/* Compares what was written with one more name, in any case.  Nearest is the shortest name that begins so; then one
 * with up to a third of the letters wrong. */
void nearest_try(struct nearest *n, const char *written, const char *name);

#endif
