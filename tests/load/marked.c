#include "marked.h"

#include "core/crc16.h"

#include <stdio.h>
#include <time.h>

static const char head[] =
    "/SCN5 SYSTEM "
    "TEST\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(%02d%02d%02d%02d%02d%02dW)\r\n1-0:1.8.1(%06u.%03u*kWh)"
    "\r\n"
    "1-0:1.8.2(000000.000*kWh)\r\n1-0:2.8.1(%06u.%03u*kWh)\r\n1-0:2.8.2(000000.000*kWh)\r\n"
    "1-0:1.7.0(%02u.%03u*kW)\r\n1-0:2.7.0(00.000*kW)\r\n";
static const char phase[] =
    "1-0:%u.7.0(%03u.%u*V)\r\n1-0:%u.7.0(%03u*A)\r\n1-0:%u.7.0(%02u.%03u*kW)\r\n"
    "1-0:%u.7.0(00.000*kW)\r\n";

size_t marked_write(char out[static MARKED_MAX], unsigned n, int64_t utc_s)
{
    unsigned kwh = n / 1000, wh = n % 1000, kw = n % MARKED_POWERS / 1000, volts = n % 2500;
    time_t winter = (time_t)utc_s + 3600;
    struct tm t;
    gmtime_r(&winter, &t);
    int length = snprintf(out, MARKED_MAX, head, t.tm_year % 100, t.tm_mon + 1, t.tm_mday,
                          t.tm_hour, t.tm_min, t.tm_sec, kwh, wh, kwh, wh, kw, wh);
    for (unsigned p = 20; p <= 60; p += 20)
        length += snprintf(out + length, MARKED_MAX - (size_t)length, phase, p + 12, volts / 10,
                           volts % 10, p + 11, n % 1000, p + 1, kw, wh, p + 2);
    out[length++] = '!';
    unsigned crc = crc16_update(CRC16_ARC_INIT, (const uint8_t *)out, (size_t)length);
    return (size_t)(length + snprintf(out + length, MARKED_MAX - (size_t)length, "%04X\r\n", crc));
}
