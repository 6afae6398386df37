/* field.h - what can be set in a P1MB, as one table: flags, fields of the window and reports come from its rows.
 *
 * Each setting is one of a row of values, which are numbered from 0.
 */
#ifndef FIELD_H
#define FIELD_H

#include "facts.h"

enum { FIELDS = 5, FIELD_NAME_MAX = 192 };

enum field_kind { FIELD_NUMBER, FIELD_TEXT, FIELD_SWITCH };

struct field {
    const char *flag;  /* "baud"; also its key in JSON */
    const char *title; /* "Modbus baud rate" */
    const char *range; /* what it may be, for help and refusals */
    enum field_kind kind;
    /* How many values there are; `facts` is NULL while no device was asked, and a map has then none. */
    unsigned (*count)(const struct facts *facts);
    unsigned (*get)(const struct p1mb_setup *setup);
    void (*set)(struct p1mb_setup *setup, unsigned value);
    void (*name)(unsigned value, const struct facts *facts, char out[static FIELD_NAME_MAX]);
};

/* All of them, in the order of the window. */
extern const struct field fields[FIELDS];

/* The value that is called so, in any case; of a map the part after the maker is enough.  -1: none is. */
int field_find(const struct field *field, const struct facts *facts, const char *name);

/* Writes the name of the value a setup has. */
void field_show(const struct field *field, const struct facts *facts,
                const struct p1mb_setup *setup, char out[static FIELD_NAME_MAX]);

#endif
