/* facts.h - what a P1MB says of itself. */
#ifndef FACTS_H
#define FACTS_H

#include "core/p1mb_port.h"

enum facts_text {
    FACTS_PRODUCT,
    FACTS_BOARD,
    FACTS_SERIAL,
    FACTS_MAP /* and those behind it: the names of its maps */
};

struct facts {
    uint32_t firmware; /* major << 16 | minor << 8 | patch */
    uint8_t maps;
    /* private */
    char texts[P1MB_PAYLOAD_MAX]; /* printable, each ended by 00 */
};

/* Reads the payload of an answer to P1MB_IDENTIFY, from behind its status.  What is not printable ASCII becomes '?'.
 * False: it makes no sense. */
bool facts_get(const uint8_t *payload, size_t n, struct facts *facts);

/* One of its texts; `i` is below FACTS_MAP + maps.  It lives as long as `facts`. */
const char *facts_text(const struct facts *facts, unsigned i);

enum { FACTS_VERSION_MAX = 16 };

/* Writes the firmware's version as "1.2.3". */
void facts_version(const struct facts *facts, char out[static FACTS_VERSION_MAX]);

#endif
