#include "update_url.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum { NAME_MAX_DNS = 253, LABEL_MAX_DNS = 63, PORT_MAX = 65535 };

static const char *label_fault(const char *label, size_t length)
{
    if (length == 0 || length > LABEL_MAX_DNS || label[0] == '-' || label[length - 1] == '-')
        return "a part of the host's name is empty, too long, or has a hyphen at its end";
    if (length == strlen("localhost") && strncasecmp(label, "localhost", length) == 0)
        return "the host must not be localhost";
    return NULL;
}

/* An address in any of the forms that inet_aton(3) takes (127.1, 0x7f.0x1) ends in a label that begins with a digit;
 * no top-level name does. */
static const char *host_fault(const char *host, size_t length)
{
    char name[NAME_MAX_DNS + 1];
    if (length == 0 || length > NAME_MAX_DNS)
        return "the host must be a name of 1 to 253 bytes";
    if (strspn(host, LETTERS DIGITS "-.") < length)
        return "the host's name may hold letters, digits, hyphens and dots";
    memcpy(name, host, length);
    name[length] = 0;
    const char *last = strrchr(name, '.');
    last = last ? last + 1 : name;
    for (const char *label = name; label <= last; label += strcspn(label, ".") + 1) {
        const char *fault = label_fault(label, strcspn(label, "."));
        if (fault)
            return fault;
    }
    if (last == name)
        return "the host must be a full name with a dot in it";
    return isalpha((unsigned char)last[0]) ? NULL : "the host must be a name, not an address";
}

/* Steps over :PORT if there is one. */
static bool skip_port(const char **at)
{
    if (**at != ':')
        return true;
    const char *port = *at + 1;
    size_t digits = strspn(port, DIGITS);
    *at = port + digits;
    return digits > 0 && port[0] != '0' && strtol(port, NULL, 10) <= PORT_MAX; /* saturates */
}

/* RFC 3986 pchar, "/" and, for a query, "?". */
static const char *path_fault(const char *path)
{
    if (path[0] != '/')
        return "after the host's name must follow :PORT or /PATH";
    for (const char *p = path; *p; p++) {
        if (*p == '#')
            return "a fragment (#) means nothing here: leave it out";
        if (!strchr(LETTERS DIGITS "-._~!$&'()*+,;=:@/?%", *p))
            return "the path holds a character that must be written with %";
        if (*p == '%' && !(isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2])))
            return "after % must follow two hex digits";
    }
    return NULL;
}

const char *update_url_fault(const char *url)
{
    static const char scheme[] = "https://";
    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return "it must begin with https://";
    const char *host = url + strlen(scheme), *at = host + strcspn(host, ":/?#");
    if (host[strcspn(host, "@/?#")] == '@')
        return "it must not name a user";
    if (*host == '[')
        return "the host must be a name, not an address";
    const char *fault = host_fault(host, (size_t)(at - host));
    if (fault)
        return fault;
    return skip_port(&at) ? path_fault(at) : "the port must be a number from 1 to 65535";
}
