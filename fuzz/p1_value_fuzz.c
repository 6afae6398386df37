/* p1_value_fuzz.c - single values of P1 lines, against a model that reads them another way (model.h): what is accepted
 * is what the digits say, and what was printed plainly is accepted.
 *
 *   dimension 1 | decimals, and the largest count 1 | text ...      in a block of its own: nothing behind it is read
 */
#include "core/p1_values.h"

#include "model.h"

#include <stdio.h>

enum { TEXT_MAX = 64, WINTER_S = 3600 };

static const char *const base_units[DIM_N] = {
    [DIM_POWER] = "W",   [DIM_REACTIVE] = "var", [DIM_APPARENT] = "VA",
    [DIM_ENERGY] = "Wh", [DIM_VOLTAGE] = "V",    [DIM_REACTIVE_ENERGY] = "varh",
    [DIM_CURRENT] = "A", [DIM_FREQUENCY] = "Hz", [DIM_VOLUME] = "dm3",
    [DIM_HEAT] = "MJ",   [DIM_SECONDS] = "s",    [DIM_NONE] = "",
};

/* Units that are a thousand of one, but not by a "k". */
static bool is_thousand(const char *unit, enum p1_dimension dimension)
{
    return (dimension == DIM_VOLUME &&
            (strcasecmp(unit, "m3") == 0 || strcasecmp(unit, "m\xB3") == 0)) ||
           (dimension == DIM_HEAT && strcasecmp(unit, "gj") == 0);
}

static bool read_back(const char *text, enum p1_dimension dimension, unsigned decimals,
                      int64_t *value)
{
    const uint8_t *p = (const uint8_t *)text;
    struct cursor c = {p, p + strlen(text)};
    return p1_read_value(&c, dimension, decimals, value) && c.p == c.end;
}

/* value / 10^decimals, whose digits may end in zeros, as a meter prints it; read again it is the same. */
static void demand_printed_is_read(enum p1_dimension dimension, unsigned decimals, int64_t value)
{
    char text[TEXT_MAX];
    int64_t again, one = 1, digits = value < 0 ? -value : value;
    for (unsigned i = 0; i < decimals; i++)
        one *= 10;
    if (digits / one >= INT64_C(1000000000000)) /* with its decimals more digits than are read */
        return;
    int n =
        snprintf(text, sizeof text, "(%s%06lld", value < 0 ? "-" : "", (long long)(digits / one));
    if (decimals)
        n += snprintf(text + n, sizeof text - (size_t)n, ".%0*lld", (int)decimals,
                      (long long)(digits % one));
    snprintf(text + n, sizeof text - (size_t)n, "*%s)", base_units[dimension]);
    demand(read_back(text, dimension, decimals, &again) && again == value);
}

static void try_value(const uint8_t *p, size_t n, enum p1_dimension dimension, unsigned decimals)
{
    struct cursor c = {p, p + n};
    struct model_number model;
    int64_t value;
    if (!p1_read_value(&c, dimension, decimals, &value)) {
        demand(c.p == p);
        return;
    }
    demand(c.p > p && c.p <= c.end && p[0] == '(' && c.p[-1] == ')');
    demand(model_read((const char *)p + 1, (const char *)c.p, &model));
    int exponent =
        is_thousand(model.unit, dimension) ? 3 : model_exponent(&model, base_units[dimension]);
    demand(exponent >= 0 && model_is(&model, exponent, decimals, value));
    demand_printed_is_read(dimension, decimals, value);
}

/* Whether its digits are nines, but for zeros before and behind them; and how many. */
static bool has_nines(const struct model_number *n, size_t *whole, size_t *fraction)
{
    const char *p = n->text, *end = p + n->length;
    *whole = *fraction = 0;
    while (memchr(p, '.', n->length) && end[-1] == '0')
        end--;
    while (p < end && *p == '0')
        p++;
    for (; p < end && *p == '9'; p++)
        ++*whole;
    if (p < end && *p == '.')
        for (p++; p < end && *p == '9'; p++)
            ++*fraction;
    return p == end;
}

/* 999, 0999.90 and 99.999 are off, 9.9 kW, 99 A and 9.9999 are limits; more nines behind 99.999 are neither's. */
static void try_off(const uint8_t *p, size_t n)
{
    struct cursor c = {p, p + n};
    struct p1_printed printed;
    struct model_number model;
    size_t whole, fraction;
    if (!p1_read_printed(&c, &printed))
        return;
    demand(model_read((const char *)p + 1, (const char *)c.p, &model));
    bool nines = has_nines(&model, &whole, &fraction);
    if (whole != 2 || fraction <= 3)
        demand(p1_is_off(&printed) == (nines && (whole > 2 || (whole == 2 && fraction == 3))));
}

static void try_count(const uint8_t *p, size_t n, unsigned max)
{
    struct cursor c = {p, p + n};
    struct model_number model;
    unsigned count;
    if (!p1_read_count(&c, max, &count))
        return;
    demand(count <= max && model_read((const char *)p + 1, (const char *)c.p, &model));
    demand(model.unit[0] == 0 && model_is(&model, 0, 0, count));
}

static void try_time(const uint8_t *p, size_t n)
{
    struct cursor c = {p, p + n};
    int64_t utc_s;
    int64_t model = n > 14 && p[14] == ')' ? model_time((const char *)p + 1) : -1;
    if (!p1_read_time(&c, WINTER_S, &utc_s)) {
        demand(n == 0 || p[0] != '(' || model < 0);
        return;
    }
    demand(p[0] == '(' && c.p[-1] == ')');
    if (utc_s != READING_NO_TIME)
        demand(utc_s == model);
    else
        demand(model < 0 || p[1] == '0' ||
               p[1] >= '7'); /* the clock of a meter that was never set */
}

static void try_slices(const uint8_t *p, size_t n, int wanted)
{
    struct cursor c = {p, p + n};
    if (!p1_skip_values(&c, wanted))
        return;
    int open = 0, close = 0;
    for (; p < c.p; p++) {
        open += *p == '(';
        close += *p == ')';
        demand(*p != '\n');
    }
    demand(close == wanted && open >= wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t n = size - 2;
    uint8_t *copy = malloc(n);
    if (n)
        memcpy(copy, data + 2, n);
    try_value(copy, n, (enum p1_dimension)(data[0] % DIM_N), data[1] % 4);
    try_off(copy, n);
    try_count(copy, n, data[1]);
    try_time(copy, n);
    try_slices(copy, n, data[1] % 8);
    free(copy);
    return 0;
}
