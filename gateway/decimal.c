#include "decimal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DIGITS_MAX = 18,    /* what fits int64_t in any case */
    FLOAT_DIGITS = 9,   /* tell any two floats apart */
    EXPONENT_MAX = 1000 /* far beyond what any use allows */
};

/* DIGITS_MAX nines. */
#define MANTISSA_MAX INT64_C(999999999999999999)

struct decimal decimal_make(int64_t mantissa, int exponent)
{
    if (mantissa == 0)
        return (struct decimal){0, 0};
    for (; mantissa % 10 == 0; mantissa /= 10)
        exponent++;
    return (struct decimal){mantissa, exponent};
}

static bool parse_hex(const char *digits, int64_t *mantissa)
{
    char *end;
    errno = 0;
    *mantissa = strtoll(digits, &end, 16);
    return isxdigit((unsigned char)digits[0]) && digits[1] != 'x' && digits[1] != 'X' &&
           *end == 0 && errno == 0 && *mantissa <= MANTISSA_MAX;
}

/* What stands behind the digits: nothing, or e and a power of ten. */
static bool parse_exponent(const char *text, int *exponent)
{
    if (*text == 0)
        return true;
    char *end;
    long power = strtol(text + 1, &end, 10);
    bool is_signed = text[1] == '-' || text[1] == '+';
    bool ok =
        (*text == 'e' || *text == 'E') && isdigit((unsigned char)text[1 + is_signed]) && *end == 0;
    if (!ok || power < -EXPONENT_MAX || power > EXPONENT_MAX)
        return false;
    *exponent += (int)power;
    return true;
}

static bool parse_digits(const char *p, char point, int64_t *mantissa, int *exponent)
{
    int digits = 0, significant = 0;
    bool fraction = false;
    for (; isdigit((unsigned char)*p) || (*p == point && !fraction); p++) {
        if (*p == point) {
            fraction = true;
            continue;
        }
        digits++;
        significant += significant > 0 || *p != '0';
        if (significant > DIGITS_MAX)
            return false;
        *mantissa = *mantissa * 10 + (*p - '0');
        *exponent -= fraction;
    }
    return digits > 0 && parse_exponent(p, exponent);
}

bool decimal_parse(const char *text, char point, struct decimal *out)
{
    bool negative = *text == '-';
    const char *p = text + negative;
    int64_t mantissa = 0;
    int exponent = 0;
    bool hex = p[0] == '0' && (p[1] == 'x' || p[1] == 'X');
    if (hex ? !parse_hex(p + 2, &mantissa) : !parse_digits(p, point, &mantissa, &exponent))
        return false;
    *out = decimal_make(negative ? -mantissa : mantissa, exponent);
    return true;
}

struct decimal decimal_of_float(float f)
{
    struct decimal d = {0, 0};
    for (int digits = 0; isfinite(f) && digits < FLOAT_DIGITS; digits++) {
        char text[32];
        snprintf(text, sizeof text, "%.*e", digits, (double)f);
        (void)decimal_parse(text, '.', &d);
        if (strtof(text, NULL) == f)
            break;
    }
    return d;
}

bool decimal_is_whole(struct decimal d, int64_t *whole)
{
    *whole = d.mantissa;
    for (int i = 0; i < d.exponent; i++)
        if (__builtin_mul_overflow(*whole, 10, whole))
            return false;
    return d.exponent >= 0;
}

/* Zeros behind the digits count when it is read again. */
static bool is_short(struct decimal d)
{
    int digits = d.exponent > 0 ? d.exponent : 0;
    for (int64_t rest = d.mantissa; rest; rest /= 10)
        digits++;
    return digits <= DIGITS_MAX;
}

void decimal_put(struct text_out *out, struct decimal d)
{
    bool plain = d.exponent >= -DIGITS_MAX && is_short(d);
    text_decimal(out, d.mantissa, plain && d.exponent < 0 ? (unsigned)-d.exponent : 0);
    for (int i = 0; plain && i < d.exponent; i++)
        text_char(out, '0');
    if (!plain) {
        text_char(out, 'e');
        text_decimal(out, d.exponent, 0);
    }
}
