/* What a P1MB says of itself, by whoever answers at the port: whatever is accepted has all its texts, and nothing in
 * them that a terminal would obey. */
#include "configurator/facts.h"

#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct facts facts;
    if (size == 0 || !facts_get(data, size, &facts))
        return 0;
    char version[FACTS_VERSION_MAX];
    demand(size <= P1MB_PAYLOAD_MAX + 4);
    facts_version(&facts, version);
    demand(strlen(version) >= 5);
    for (unsigned i = 0; i < (unsigned)FACTS_MAP + facts.maps; i++) {
        const char *text = facts_text(&facts, i);
        demand(text >= facts.texts && text + strlen(text) < facts.texts + sizeof facts.texts);
        for (; *text; text++)
            demand(*text >= 0x20 && *text < 0x7F);
    }
    return 0;
}
