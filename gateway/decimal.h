/* decimal.h - numbers as people write them, kept exactly: digits and a power of ten. */
#ifndef DECIMAL_H
#define DECIMAL_H

#include "core/text_out.h"

/* mantissa * 10^exponent; the mantissa does not end in 0, and 0 is 0 * 10^0. */
struct decimal {
    int64_t mantissa;
    int exponent;
};

/* Takes trailing zeros from the mantissa. */
struct decimal decimal_make(int64_t mantissa, int exponent);

/* Reads "-12", "0.001", "1e-3" or "0x5002"; `point` is the decimal point, '.' or ','.  False: it is no number, or has
 * more than 18 digits. */
bool decimal_parse(const char *text, char point, struct decimal *out);

/* The shortest decimal that is nearest to this float and to no other; of what is no number, 0. */
struct decimal decimal_of_float(float f);

/* The number itself, if it is whole; false: it is none, or does not fit. */
bool decimal_is_whole(struct decimal d, int64_t *whole);

/* Appends it as decimal_parse() reads it. */
void decimal_put(struct text_out *out, struct decimal d);

#endif
