#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024 };

static enum log_level max_level = LOG_LEVEL_INFO;

static const struct {
    const char *name;
    int syslog_priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

void log_set_level(enum log_level level)
{
    max_level = level;
}

static int put_prefix(char *line, size_t cap, enum log_level level)
{
    struct timespec now;
    struct tm utc;
    char stamp[32];
    if (getenv("JOURNAL_STREAM"))
        return snprintf(line, cap, "<%d>", levels[level].syslog_priority);
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    return snprintf(line, cap, "%s.%03ldZ %-7s ", stamp, now.tv_nsec / 1000000, levels[level].name);
}

void log_write(enum log_level level, const char *area, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list arguments;
    if (level > max_level)
        return;
    int n = put_prefix(line, sizeof line, level);
    n += snprintf(line + n, sizeof line - (size_t)n, "%s: ", area);
    va_start(arguments, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n - 1, format, arguments);
    va_end(arguments);
    if (n > LINE_MAX_BYTES - 2)
        n = LINE_MAX_BYTES - 2;
    for (int i = 0; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            line[i] = '?';
    line[n] = '\n';
    /* one write a line, so that lines of two processes do not mix */
    if (write(STDERR_FILENO, line, (size_t)n + 1) < 0)
        return;
}
