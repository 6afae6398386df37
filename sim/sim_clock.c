#include "sim_clock.h"

enum { DAY_S = 86400, HOUR_S = 3600 };

/* Days from 1970-01-01. Years are counted from March, so that the leap day is the last of its year.
 */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static void date_from_days(struct sim_clock *c, int64_t days)
{
    int64_t z = days + 719468;
    int64_t era = z / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t m = (5 * doy + 2) / 153;

    c->day = (uint8_t)(doy - (153 * m + 2) / 5 + 1);
    c->month = (uint8_t)(m < 10 ? m + 3 : m - 9);
    c->year = (int32_t)(yoe + era * 400 + (c->month <= 2 ? 1 : 0));
    c->yday = (uint16_t)(days - days_from_date(c->year, 1, 1));
    c->weekday = (uint8_t)((days + 3) % 7); /* 1970-01-01 was a Thursday */
}

/* The instant of a change: 01:00 UTC on the last Sunday of a month of 31 days. */
static int64_t change_utc(int64_t year, int64_t month)
{
    int64_t last = days_from_date(year, month, 31);
    int64_t past_sunday = (last + 4) % 7;
    return (last - past_sunday) * DAY_S + HOUR_S;
}

static bool is_summer(int64_t utc_s)
{
    struct sim_clock c;
    date_from_days(&c, utc_s / DAY_S);
    return utc_s >= change_utc(c.year, 3) && utc_s < change_utc(c.year, 10);
}

struct sim_clock sim_clock_local(int64_t utc_s)
{
    struct sim_clock c;
    bool summer = is_summer(utc_s);
    int64_t local = utc_s + (summer ? 2 : 1) * HOUR_S;
    int64_t of_day = local % DAY_S;

    date_from_days(&c, local / DAY_S);
    c.hour = (uint8_t)(of_day / HOUR_S);
    c.minute = (uint8_t)(of_day / 60 % 60);
    c.second = (uint8_t)(of_day % 60);
    c.summer = summer;
    return c;
}

int64_t sim_clock_month_start(int32_t year, int32_t month)
{
    int64_t months = (int64_t)year * 12 + month - 1;
    int64_t m = months % 12 + 1;
    /* A month never begins on a day of change: April to October begin in summer time. */
    int64_t offset_h = m >= 4 && m <= 10 ? 2 : 1;
    return days_from_date(months / 12, m, 1) * DAY_S - offset_h * HOUR_S;
}
