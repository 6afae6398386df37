/* model.h - what numbers and times say, read a second time and in another way: with exact fractions, and by the C
 * library's calendar.
 */
#ifndef MODEL_H
#define MODEL_H

#include "fuzz.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* What stands in parentheses: -?d+(.d+)?, and a unit without its '*' and blanks. */
struct model_number {
    const char *text;
    size_t length;
    char unit[12];
};

/* A unit up to the ')'. */
static inline bool model_read_unit(struct model_number *n, const char *p, const char *end)
{
    size_t unit = 0;
    memset(n->unit, 0, sizeof n->unit);
    p += p < end && *p == '*';
    for (; p < end && *p != ')' && unit < sizeof n->unit - 1; p++)
        if (*p != ' ')
            n->unit[unit++] =
                (char)(*p == '\x93' ? '\xB3' : *p); /* differs by the bit of upper case, too */
    return p < end && *p == ')';
}

/* Reads it up to its ')'; false: it is no number. */
static inline bool model_read(const char *p, const char *end, struct model_number *n)
{
    size_t whole, fraction = 0;
    *n = (struct model_number){.text = p};
    p += p < end && *p == '-';
    for (whole = 0; p < end && isdigit((unsigned char)*p); p++)
        whole++;
    if (p < end && *p == '.')
        for (p++; p < end && isdigit((unsigned char)*p); p++)
            fraction++;
    n->length = (size_t)(p - n->text);
    return whole > 0 && p[-1] != '.' && n->length <= 18 && model_read_unit(n, p, end);
}

/* 10^3 or 10^0 of `unit`; -1: neither. */
static inline int model_exponent(const struct model_number *n, const char *unit)
{
    bool kilo = unit[0] && (n->unit[0] == 'k' || n->unit[0] == 'K');
    return strcasecmp(n->unit + kilo, unit) == 0 ? 3 * kilo : -1;
}

/* Whether it is value / 10^decimals when multiplied by 10^exponent, rounded half away from zero. */
static inline bool model_is(const struct model_number *n, int exponent, unsigned decimals,
                            int64_t value)
{
    bool negative = n->text[0] == '-', fraction = false;
    __int128 digits = 0, by = 1;
    exponent += (int)decimals;
    for (size_t i = negative; i < n->length; i++) {
        if (n->text[i] == '.') {
            fraction = true;
            continue;
        }
        digits = digits * 10 + (n->text[i] - '0');
        exponent -= fraction;
    }
    for (; exponent > 0; exponent--)
        digits *= 10;
    for (; exponent < 0; exponent++)
        by *= 10;
    digits = (2 * digits + by) / (2 * by);
    return value == (int64_t)(negative ? -digits : digits);
}

/* YYMMDDhhmmss and S or W, an hour or two east of UTC, as UTC seconds; -1: no such time. */
static inline int64_t model_time(const char *p)
{
    int field[6];
    for (int i = 0; i < 6; i++) {
        if (!isdigit((unsigned char)p[2 * i]) || !isdigit((unsigned char)p[2 * i + 1]))
            return -1;
        field[i] = 10 * (p[2 * i] - '0') + p[2 * i + 1] - '0';
    }
    if (p[12] != 'S' && p[12] != 'W')
        return -1;
    struct tm t = {.tm_year = field[0] + 100,
                   .tm_mon = field[1] - 1,
                   .tm_mday = field[2],
                   .tm_hour = field[3],
                   .tm_min = field[4],
                   .tm_sec = field[5]};
    const struct tm written = t;
    time_t utc_s = timegm(&t);
    bool exists = t.tm_mon == written.tm_mon && t.tm_mday == written.tm_mday &&
                  t.tm_hour == written.tm_hour && t.tm_min == written.tm_min &&
                  t.tm_sec == written.tm_sec;
    return exists ? (int64_t)utc_s - (p[12] == 'S' ? 7200 : 3600) : -1;
}

#endif
