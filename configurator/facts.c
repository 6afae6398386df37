#include "facts.h"

#include "core/bytes.h"

#include <stdio.h>
#include <string.h>

enum { VERSION_BYTES = 4 };

bool facts_get(const uint8_t *payload, size_t n, struct facts *facts)
{
    unsigned texts = 0;
    memset(facts, 0, sizeof *facts);
    if (n <= VERSION_BYTES || n - VERSION_BYTES > sizeof facts->texts || payload[n - 1] != 0)
        return false;
    facts->firmware = get_le32(payload);
    for (size_t i = VERSION_BYTES; i < n; i++) {
        uint8_t c = payload[i];
        texts += c == 0;
        facts->texts[i - VERSION_BYTES] = c == 0 || (c >= 0x20 && c < 0x7F) ? (char)c : '?';
    }
    if (texts < FACTS_MAP)
        return false;
    facts->maps = (uint8_t)(texts - FACTS_MAP);
    return true;
}

const char *facts_text(const struct facts *facts, unsigned i)
{
    const char *text = facts->texts;
    while (i--)
        text += strlen(text) + 1;
    return text;
}

void facts_version(const struct facts *facts, char out[static FACTS_VERSION_MAX])
{
    uint32_t version = facts->firmware;
    snprintf(out, FACTS_VERSION_MAX, "%u.%u.%u", (unsigned)(version >> 16),
             (unsigned)(version >> 8 & 0xFF), (unsigned)(version & 0xFF));
}
