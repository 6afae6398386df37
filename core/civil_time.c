#include "civil_time.h"

/* Between 1901 and 2099 every fourth year is a leap year. */
static bool is_leap(int year)
{
    return (year & 3) == 0;
}

static uint8_t days_in_month(int year, int month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return (uint8_t)(days[month - 1] + (month == 2 && is_leap(year)));
}

/* Days since 1970-01-01. */
static int32_t days_from_civil(int year, int month, int day)
{
    static const uint16_t before_month[12] = {0,   31,  59,  90,  120, 151,
                                              181, 212, 243, 273, 304, 334};
    return (year - 1970) * 365 + (year - 1969) / 4 + before_month[month - 1] +
           (month > 2 && is_leap(year)) + day - 1;
}

/* Two digits each at p[0], p[2], p[4], p[6] as four numbers in the even bytes, lowest first; a
 * character that is no digit clears *all_digits. */
static inline uint64_t two_digit_fields(const uint8_t *p, bool *all_digits)
{
    uint64_t chars = (uint64_t)p[7] << 56 | (uint64_t)p[6] << 48 | (uint64_t)p[5] << 40 |
                     (uint64_t)p[4] << 32 | (uint64_t)p[3] << 24 | (uint64_t)p[2] << 16 |
                     (uint64_t)p[1] << 8 | p[0];
    uint64_t digits = chars ^ UINT64_C(0x3030303030303030);
    uint64_t above_nine = (digits + UINT64_C(0x7676767676767676)) | digits;
    if (above_nine & UINT64_C(0x8080808080808080))
        *all_digits = false;
    return (digits * 10 + (digits >> 8)) & UINT64_C(0x00FF00FF00FF00FF);
}

bool civil_time_parse(const uint8_t digits[static 12], struct civil_time *out)
{
    bool all_digits = true;
    uint64_t date = two_digit_fields(digits, &all_digits);
    uint64_t time = two_digit_fields(digits + 4, &all_digits);
    unsigned year = date & 0xFF, month = date >> 16 & 0xFF, day = date >> 32 & 0xFF;
    unsigned hour = date >> 48 & 0xFF, minute = time >> 32 & 0xFF, second = time >> 48 & 0xFF;
    /* 70 and more is 1970 and later, and 00 to 09 is no clock either */
    if (!all_digits || year - 10 >= 60 || month < 1 || month > 12 || day < 1 ||
        (day > 28 && day > days_in_month(2000 + (int)year, (int)month)) || hour > 23 ||
        minute > 59 || second > 59)
        return false;
    *out = (struct civil_time){.year = (int16_t)(2000 + year),
                               .month = (uint8_t)month,
                               .day = (uint8_t)day,
                               .hour = (uint8_t)hour,
                               .minute = (uint8_t)minute,
                               .second = (uint8_t)second};
    return true;
}

int64_t civil_time_to_utc(const struct civil_time *t, int32_t offset_s)
{
    int64_t days = days_from_civil(t->year, t->month, t->day);
    return days * 86400 + t->hour * 3600 + t->minute * 60 + t->second - offset_s;
}

void civil_time_from_utc(int64_t utc_s, int32_t offset_s, struct civil_time *out)
{
    int64_t local_s = utc_s + offset_s;
    int32_t days = (int32_t)(local_s / 86400), second_of_day = (int32_t)(local_s % 86400);
    int year = 1970 + days / 366;
    while (days_from_civil(year + 1, 1, 1) <= days)
        year++;
    int32_t day_of_year = days - days_from_civil(year, 1, 1);
    int month = 1;
    while (day_of_year >= days_in_month(year, month))
        day_of_year -= days_in_month(year, month++);
    *out = (struct civil_time){.year = (int16_t)year,
                               .month = (uint8_t)month,
                               .day = (uint8_t)(day_of_year + 1),
                               .hour = (uint8_t)(second_of_day / 3600),
                               .minute = (uint8_t)(second_of_day / 60 % 60),
                               .second = (uint8_t)(second_of_day % 60)};
}
