/* decimal_fuzz.c - any text as a number: what is taken is what strtod() makes of it, and printed it reads as the same;
 * and any float is the shortest decimal that gives it back.
 */
#include "gateway/decimal.h"

#include "fuzz.h"

#include <math.h>
#include <string.h>

enum { TEXT_MAX = 400, EXPONENT_MAX = 1000 };

static void demand_round_trip(struct decimal d, char point)
{
    char text[TEXT_MAX];
    struct text_out out;
    struct decimal again;
    int64_t whole;
    text_init(&out, text, sizeof text - 1);
    decimal_put(&out, d);
    demand(!out.overflow);
    text[out.length] = 0;
    for (char *p = strchr(text, '.'); p && point == ','; p = NULL)
        *p = ',';
    demand(decimal_parse(text, point, &again) && again.mantissa == d.mantissa &&
           again.exponent == d.exponent);
    if (decimal_is_whole(d, &whole))
        demand((double)whole == strtod(text, NULL));
}

static void try_text(char *text, char point)
{
    struct decimal d;
    if (!decimal_parse(text, point, &d))
        return;
    demand(d.mantissa ? d.mantissa % 10 != 0 : d.exponent == 0);
    if (abs(d.exponent) <= EXPONENT_MAX) /* 10e1000 is one more */
        demand_round_trip(d, point);
    char *end, *comma = strchr(text, ',');
    if (comma)
        *comma = '.';
    double expected = strtod(text, &end);
    double got =
        (double)((long double)d.mantissa * powl(10, d.exponent)); /* 10^-313 is no double */
    demand(*end == 0);
    if (fabs(expected) > 1e-300 && fabs(expected) < 1e300) /* beyond, doubles are no measure */
        demand(fabs(expected - got) <= 1e-12 * fabs(expected));
}

static void try_float(const uint8_t *data)
{
    float f;
    memcpy(&f, data, sizeof f);
    struct decimal d = decimal_of_float(f);
    if (!isfinite(f))
        demand(d.mantissa == 0 && d.exponent == 0);
    else
        demand_round_trip(d, '.');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX];
    if (size < 1 || size > sizeof text)
        return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (size > sizeof(float))
        try_float(data + 1);
    try_text(text, data[0] & 1 ? '.' : ',');
    return 0;
}
