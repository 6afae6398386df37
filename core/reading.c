#include "reading.h"

#include "cursor.h"

#include <string.h>

void reading_clear(struct reading *r)
{
    memset(r, 0, sizeof *r);
    FULL_ONLY(for (int i = 0; i < READING_MBUS_N; i++) r->mbus[i].valve = -1;)
}

#ifdef CORE_SMALL

__attribute__((noinline)) bool reading_has(const struct reading *r, enum quantity q)
{
    return (r->known[(unsigned)q >> 5] >> ((unsigned)q & 31)) & 1;
}

__attribute__((noinline)) void reading_set(struct reading *r, enum quantity q, reading_value value)
{
    r->value[q] = value;
    r->known[(unsigned)q >> 5] |= UINT32_C(1) << ((unsigned)q & 31);
}

#else

/* How a text is printed in the telegram, and its name in our JSON. */
static const struct {
    const char *name;
    bool hex; /* P1 prints it as the hex digits of its characters */
} texts[TEXT_N] = {
    [TEXT_IDENTIFICATION] = {"identification", false},
    [TEXT_METER_ID] = {"meter_id", true},
    [TEXT_EAN] = {"ean", true},
    [TEXT_LOGICAL_NAME] = {"logical_name", true},
    [TEXT_VERSION] = {"version", false},
    [TEXT_MESSAGE] = {"message", true},
    [TEXT_MESSAGE_2] = {"message_2", true},
    [TEXT_MESSAGE_3] = {"message_3", true},
    [TEXT_MESSAGE_4] = {"message_4", true},
    [TEXT_MESSAGE_5] = {"message_5", true},
    [TEXT_MESSAGE_6] = {"message_6", true},
    [TEXT_CALENDAR] = {"calendar", false},
    [TEXT_TARIFF_NAME] = {"tariff_name", false},
    [TEXT_DAY_SCHEDULE] = {"day_schedule", false},
    [TEXT_PEAK_SCHEDULE] = {"peak_schedule", false},
    [TEXT_MBUS_ID_1] = {"mbus_1_id", true},
    [TEXT_MBUS_ID_2] = {"mbus_2_id", true},
    [TEXT_MBUS_ID_3] = {"mbus_3_id", true},
    [TEXT_MBUS_ID_4] = {"mbus_4_id", true},
    [TEXT_MBUS_EAN_1] = {"mbus_1_ean", true},
    [TEXT_MBUS_EAN_2] = {"mbus_2_ean", true},
    [TEXT_MBUS_EAN_3] = {"mbus_3_ean", true},
    [TEXT_MBUS_EAN_4] = {"mbus_4_ean", true},
};

const char *reading_text_name(enum reading_text_id id)
{
    return texts[id].name;
}

/* Byte i of a text, decoded if it is hex. */
static uint8_t text_byte(const uint8_t *p, size_t i, bool hex)
{
    return (uint8_t)(hex ? cursor_hex_digit(p[2 * i]) * 16 + cursor_hex_digit(p[2 * i + 1]) : p[i]);
}

/* Of ASCII and of Latin-1; a terminal may take either for a command. */
static bool is_control(int c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

/* Clean hex: an even number of hex digits whose characters are all printable.  Ids are also seen as
 * plain digits ("00000000000000"), and those are shown as they are. */
static bool is_clean_hex(const uint8_t *p, size_t n)
{
    if (n % 2)
        return false;
    for (size_t i = 0; i < n; i += 2) {
        int high = cursor_hex_digit(p[i]), low = cursor_hex_digit(p[i + 1]);
        if (high < 0 || low < 0 || is_control(high << 4 | low))
            return false;
    }
    return true;
}

const uint8_t *reading_text_bytes(const struct reading *r, enum reading_text_id id,
                                  const uint8_t *telegram, size_t telegram_len, size_t *n)
{
    struct reading_text t = r->text[id];
    bool inside = t.offset <= telegram_len && t.length <= telegram_len - t.offset;
    *n = inside ? t.length : 0;
    return *n ? telegram + t.offset : NULL;
}

size_t reading_text(const struct reading *r, enum reading_text_id id, const uint8_t *telegram,
                    size_t telegram_len, char *out, size_t cap)
{
    size_t used = 0, n;
    if (cap == 0)
        return 0;
    const uint8_t *p = reading_text_bytes(r, id, telegram, telegram_len, &n);
    bool hex = texts[id].hex && r->standard == STANDARD_P1 && is_clean_hex(p, n);
    if (hex)
        n /= 2;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = text_byte(p, i, hex);
        if (is_control(c))
            c = '?';
        if (cap - used < (c < 0x80 ? 2u : 3u))
            break;
        if (c < 0x80) {
            out[used++] = (char)c;
        } else {
            out[used++] = (char)(0xC0 | c >> 6);
            out[used++] = (char)(0x80 | (c & 0x3F));
        }
    }
    out[used] = 0;
    return used;
}

#endif
