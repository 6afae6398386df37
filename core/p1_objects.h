/* p1_objects.h - the data lines of a P1 telegram: objects to quantities.  Used by p1.c alone. */
#ifndef P1_OBJECTS_H
#define P1_OBJECTS_H

#include "p1.h"

/* Where the decoder is and what it fills. */
struct p1_decoder {
    struct reading *reading;
    const uint8_t *origin; /* the telegram's '/'; texts are kept as offsets from here */
    int32_t winter_offset_s;
#ifndef CORE_SMALL
    uint8_t *layout; /* P1_LAYOUT_LINES bytes kept from telegram to telegram; any content is fine */
#endif
};

/* Decodes the complete lines in [p, end), whose last byte ends a line, and returns where it stopped:
 * end, or the start of a line that begins with '!' or '/' and is not a data line.  A line that
 * begins with '(' continues the line before it (DSMR 2 and 3).  An object that makes no sense is
 * counted in reading->object_errors and leaves its quantity unknown; unknown objects are ignored.
 * *line counts the lines of the telegram. */
const uint8_t *p1_decode_lines(const struct p1_decoder *d, unsigned *line, const uint8_t *p,
                               const uint8_t *end);

#endif
