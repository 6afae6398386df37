#include "broker_url.h"

#include "core/text_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN_PORT = 1883, TLS_PORT = 8883 };

/* The end of a host name or address: behind the bracket of an IPv6 address.  NULL: it does not begin as one. */
static const char *end_of_host(const char *text)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    static const char ipv6[] = "0123456789abcdefABCDEF:.";
    const char *end =
        text[0] == '[' ? text + 1 + strspn(text + 1, ipv6) : text + strspn(text, name);
    if (text[0] == '[')
        return *end == ']' && end > text + 2 ? end + 1 : NULL;
    return end > text ? end : NULL;
}

/* host[:port] behind the scheme. */
static bool parse_host_port(const char *text, struct broker *b)
{
    const char *rest = end_of_host(text);
    size_t brackets = text[0] == '[';
    size_t length = rest ? (size_t)(rest - text) - 2 * brackets : 0;
    if (!rest || length >= sizeof b->host)
        return false;
    memcpy(b->host, text + brackets, length);
    b->host[length] = 0;
    if (*rest == 0)
        return true;
    char *end;
    long port = strtol(rest + 1, &end, 10);
    b->port = (int)port;
    return *rest == ':' && rest[1] >= '0' && rest[1] <= '9' && *end == 0 && port >= 1 &&
           port <= 65535;
}

static bool has_blanks(const char *url)
{
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7F)
            return true;
    return false;
}

/* Bytes of a URL that go into an error: whole characters of UTF-8, so that it can go into JSON. */
static int quotable(const char *url)
{
    return text_precision(url, 80);
}

bool broker_parse(const char *url, struct broker *b, char error[static BROKER_URL_ERROR_MAX])
{
    static const char plain[] = "mqtt://", secure[] = "mqtts://";
    bool is_secure = strncmp(url, secure, strlen(secure)) == 0;
    *b = (struct broker){.port = is_secure ? TLS_PORT : PLAIN_PORT};
    if (has_blanks(url) || (!is_secure && strncmp(url, plain, strlen(plain)) != 0)) {
        snprintf(error, BROKER_URL_ERROR_MAX,
                 "broker \"%.*s\": use mqtts://HOST or mqtts://HOST:PORT, mqtt:// without TLS",
                 quotable(url), url);
        return false;
    }
    if (!parse_host_port(strstr(url, "://") + 3, b)) {
        snprintf(error, BROKER_URL_ERROR_MAX,
                 "broker \"%.*s\": use mqtts://HOST:PORT, port 1 to 65535", quotable(url), url);
        return false;
    }
    b->tls = is_secure || b->port == TLS_PORT;
    return true;
}
