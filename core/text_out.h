/* text_out.h - builds text in a buffer of fixed size; an overflow is remembered and checked once. */
#ifndef TEXT_OUT_H
#define TEXT_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_out {
    char *buffer;
    size_t capacity; /* one byte of it is kept for the terminating NUL */
    size_t length;
    bool overflow; /* something did not fit; what is in the buffer is cut and must not be used */
};

/* Starts an empty text in buffer, which stays the caller's; capacity is at least 1. */
void text_init(struct text_out *t, char *buffer, size_t capacity);

/* Appends characters as they are. */
void text_put(struct text_out *t, const char *string);
void text_char(struct text_out *t, char c);

/* Appends value / 10^decimals (decimals <= 18) without trailing zeros: (231200, 3) is 231.2. */
void text_decimal(struct text_out *t, int64_t value, unsigned decimals);

/* The bytes of a text that fit into `max`: no character of UTF-8 is cut in two. */
size_t text_fitting(const char *text, size_t max);

/* The same, as the precision of "%.*s". */
static inline int text_precision(const char *text, size_t max)
{
    return (int)text_fitting(text, max);
}

/* Copies those that fit into `size` bytes with their NUL. */
void text_copy(char *to, size_t size, const char *text);

/* Appends a JSON string in quotes; `string` must be valid UTF-8. */
void text_json_string(struct text_out *t, const char *string);

#endif
