#include "text_out.h"

#include <string.h>

void text_init(struct text_out *t, char *buffer, size_t capacity)
{
    *t = (struct text_out){.buffer = buffer, .capacity = capacity};
    buffer[0] = 0;
}

void text_char(struct text_out *t, char c)
{
    if (t->capacity - t->length < 2) {
        t->overflow = true;
        return;
    }
    t->buffer[t->length++] = c;
    t->buffer[t->length] = 0;
}

void text_put(struct text_out *t, const char *string)
{
    while (*string)
        text_char(t, *string++);
}

void text_decimal(struct text_out *t, int64_t value, unsigned decimals)
{
    char reversed[24];
    unsigned n = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (; decimals && rest % 10 == 0; decimals--)
        rest /= 10;
    do {
        reversed[n++] = (char)('0' + rest % 10);
        rest /= 10;
        if (n == decimals)
            reversed[n++] = '.';
    } while (rest || n <= decimals);
    if (decimals && reversed[n - 1] == '.')
        reversed[n++] = '0';
    if (value < 0)
        text_char(t, '-');
    while (n)
        text_char(t, reversed[--n]);
}

void text_json_string(struct text_out *t, const char *string)
{
    static const char hex[] = "0123456789abcdef";
    text_char(t, '"');
    for (; *string; string++) {
        unsigned char c = (unsigned char)*string;
        if (c == '"' || c == '\\') {
            text_char(t, '\\');
            text_char(t, (char)c);
        } else if (c < 0x20) {
            text_put(t, "\\u00");
            text_char(t, hex[c >> 4]);
            text_char(t, hex[c & 15]);
        } else {
            text_char(t, (char)c);
        }
    }
    text_char(t, '"');
}

size_t text_fitting(const char *text, size_t max)
{
    size_t length = 0;
    while (length < max && text[length])
        length++;
    if (text[length] == 0)
        return length;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
        length--;
    return length;
}

void text_copy(char *to, size_t size, const char *text)
{
    size_t length = text_fitting(text, size - 1);
    memcpy(to, text, length);
    to[length] = 0;
}
