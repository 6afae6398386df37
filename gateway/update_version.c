#include "update_version.h"

#include <stdio.h>
#include <string.h>

static bool read_number(const char **at, const char *before, uint32_t *number)
{
    const char *p = *at;
    uint64_t n = 0;
    size_t prefix = strlen(before);
    if (strncmp(p, before, prefix) != 0)
        return false;
    p += prefix;
    const char *digits = p;
    for (; *p >= '0' && *p <= '9' && n <= UINT32_MAX; p++)
        n = n * 10 + (uint64_t)(*p - '0');
    if (p == digits || n > UINT32_MAX || (*digits == '0' && p > digits + 1))
        return false;
    *number = (uint32_t)n;
    *at = p;
    return true;
}

bool update_version_read(const char *text, struct update_version *v)
{
    struct update_version read;
    if (!read_number(&text, "", &read.major) || !read_number(&text, ".", &read.minor) ||
        !read_number(&text, ".", &read.patch) || !read_number(&text, "+security.", &read.security))
        return false;
    if (strcmp(text, "") != 0 && strcmp(text, "\n") != 0)
        return false;
    *v = read;
    return true;
}

void update_version_text(const struct update_version *v, char text[static UPDATE_RELEASE_MAX])
{
    snprintf(text, UPDATE_RELEASE_MAX, "%u.%u.%u+security.%u", (unsigned)v->major,
             (unsigned)v->minor, (unsigned)v->patch, (unsigned)v->security);
}

static bool is_older(const struct update_version *a, const struct update_version *b)
{
    return a->major != b->major   ? a->major < b->major
           : a->minor != b->minor ? a->minor < b->minor
                                  : a->patch < b->patch;
}

bool update_version_allowed(const struct update_version *v, const struct update_version *floor,
                            char error[static UPDATE_VERSION_ERROR_MAX])
{
    char text[UPDATE_RELEASE_MAX], lowest[UPDATE_RELEASE_MAX];
    bool less_secure = v->security < floor->security;
    if (!less_secure && !is_older(v, floor))
        return true;
    update_version_text(v, text);
    update_version_text(floor, lowest);
    snprintf(error, UPDATE_VERSION_ERROR_MAX,
             less_secure ? "%s has a flaw that was mended since: nothing below %s is installed here"
                         : "%s is older: nothing below %s is installed here",
             text, lowest);
    return false;
}

struct update_version update_version_higher(const struct update_version *a,
                                            const struct update_version *b)
{
    struct update_version higher = is_older(a, b) ? *b : *a;
    higher.security = a->security > b->security ? a->security : b->security;
    return higher;
}
