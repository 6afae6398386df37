#include "sim_text.h"

#include "sim_clock.h"

void sim_text_init(struct sim_text *t, uint8_t *out, size_t cap)
{
    t->bytes = out;
    t->cap = cap;
    t->len = 0;
    t->overflow = false;
}

void sim_text_char(struct sim_text *t, char c)
{
    if (t->len >= t->cap) {
        t->overflow = true;
        return;
    }
    t->bytes[t->len++] = (uint8_t)c;
}

void sim_text_str(struct sim_text *t, const char *s)
{
    while (*s != '\0')
        sim_text_char(t, *s++);
}

void sim_text_hex(struct sim_text *t, uint32_t value, unsigned digits)
{
    while (digits-- > 0)
        sim_text_char(t, "0123456789ABCDEF"[(value >> (4 * digits)) & 15]);
}

void sim_text_hex_of(struct sim_text *t, const char *s)
{
    for (; *s != '\0'; s++)
        sim_text_hex(t, (uint8_t)*s, 2);
}

void sim_text_number(struct sim_text *t, int64_t value, unsigned digits, unsigned decimals)
{
    int64_t scale = 1;
    for (unsigned i = 1; i < digits; i++)
        scale *= 10;
    for (; digits > 0; digits--, scale /= 10) {
        if (digits == decimals)
            sim_text_char(t, '.');
        sim_text_char(t, (char)('0' + value / scale % 10));
    }
}

void sim_text_stamp(struct sim_text *t, int64_t utc_s)
{
    struct sim_clock c = sim_clock_local(utc_s);
    const int field[] = {c.year % 100, c.month, c.day, c.hour, c.minute, c.second};
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++)
        sim_text_number(t, field[i], 2, 0);
}
