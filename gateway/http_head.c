#include "http_head.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const field_names[FIELD_N] = {
    [FIELD_HOST] = "Host",
    [FIELD_AUTHORIZATION] = "Authorization",
    [FIELD_CONTENT_LENGTH] = "Content-Length",
    [FIELD_CONTENT_TYPE] = "Content-Type",
    [FIELD_TRANSFER_ENCODING] = "Transfer-Encoding",
    [FIELD_ORIGIN] = "Origin",
    [FIELD_FETCH_SITE] = "Sec-Fetch-Site",
    [FIELD_IF_MATCH] = "If-Match",
    [FIELD_IF_NONE_MATCH] = "If-None-Match",
    [FIELD_ACCEPT_ENCODING] = "Accept-Encoding",
    [FIELD_EXPECT] = "Expect",
};

/* Lists by nature: these may come in several lines. */
static bool may_repeat(int field)
{
    return field == FIELD_ACCEPT_ENCODING || field == FIELD_IF_NONE_MATCH;
}

static void refuse(struct http_head *h, int status, const char *problem)
{
    if (h->problem)
        return;
    h->status = status;
    h->problem = problem;
}

/* RFC 9110 5.6.2: the characters of a name. */
static bool is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && (!text[i] || !strchr("!#$%&'*+-.^_`|~", text[i])))
            return false;
    return length > 0;
}

static bool has_control_bytes(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7F)
            return true;
    return false;
}

void http_head_uri(struct http_head *h, const char *uri)
{
    memset(h, 0, sizeof *h);
    h->uri = uri;
    h->uri_length = strlen(uri);
    bool good = uri[0] == '/';
    for (const char *p = uri; *p; p++)
        good = good && *p > ' ' && *p <= '~';
    if (!good)
        refuse(h, 400, "the path is not printable ASCII that begins with a slash");
}

void http_head_begin(struct http_head *h, const char *method, const char *version)
{
    h->begin = method;
    h->at = version + strlen(version) + strlen("\r\n");
    if (h->uri != method + strlen(method) + 1 || version != h->uri + h->uri_length + 1)
        refuse(h, 400, "the request line is not METHOD, one blank, path, one blank, HTTP/1.1");
    if (!is_token(method, strlen(method)))
        refuse(h, 400, "the method is none");
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        refuse(h, 505, "use HTTP/1.1");
}

static int find_field(const char *name, size_t length)
{
    for (int i = 0; i < FIELD_N; i++)
        if (strlen(field_names[i]) == length && strncasecmp(field_names[i], name, length) == 0)
            return i;
    return -1;
}

/* What the library leaves of CR LF. */
static bool was_line_end(const char *at)
{
    return at[0] == 0 && at[1] == 0;
}

/* Only blanks and tabs from here up to there. */
static bool is_blank(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    return from == to;
}

void http_head_add(struct http_head *h, const char *name, size_t name_length, const char *value,
                   size_t value_length)
{
    int field = find_field(name, name_length);
    if (name != h->at || value <= name + name_length || !is_blank(name + name_length + 1, value) ||
        !was_line_end(value + value_length))
        refuse(h, 400, "a line of the head is folded, ends without CR, or holds a NUL");
    h->at = value + value_length + strlen("\r\n");
    while (value_length && (value[value_length - 1] == ' ' || value[value_length - 1] == '\t'))
        value_length--;
    if (!is_token(name, name_length))
        refuse(h, 400, "a header field's name holds characters that cannot stand there");
    if (has_control_bytes(value, value_length))
        refuse(h, 400, "a header field holds control characters");
    if (field < 0)
        return;
    if (h->value[field] && !may_repeat(field))
        refuse(h, 400, "a header field that may come once came twice");
    h->value[field] = value;
    h->length[field] = value_length;
}

/* Digits only; what does not fit is the longest there is. */
static bool parse_length(const char *text, size_t length, size_t *value)
{
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        size_t digit = (size_t)(text[i] - '0');
        *value = *value > (SIZE_MAX - digit) / 10 ? SIZE_MAX : *value * 10 + digit;
    }
    return length > 0;
}

int http_head_end(struct http_head *h, size_t size, size_t body_max)
{
    const char *length = h->value[FIELD_CONTENT_LENGTH], *expect = h->value[FIELD_EXPECT];
    if (h->at + strlen("\r\n") != h->begin + size || !was_line_end(h->at))
        refuse(h, 400, "the head does not end with an empty line");
    if (size > HTTP_HEAD_MAX)
        refuse(h, 431, "the head may have 8192 bytes");
    if (h->value[FIELD_TRANSFER_ENCODING])
        refuse(h, 501, "Transfer-Encoding is not supported; send Content-Length");
    if (!h->value[FIELD_HOST])
        refuse(h, 400, "the Host field is missing");
    if (length && !parse_length(length, h->length[FIELD_CONTENT_LENGTH], &h->body_length))
        refuse(h, 400, "Content-Length is no number");
    if (h->body_length > body_max)
        refuse(h, 413,
               body_max == HTTP_BODY_MAX ? "the body may have 65536 bytes"
                                         : "the file is too long for this address");
    if (expect && strcasecmp(expect, "100-continue") != 0)
        refuse(h, 417, "the only expectation known is 100-continue");
    return h->status;
}

bool http_head_host(const char *value, char *host, size_t capacity)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    static const char ipv6[] = "0123456789abcdefABCDEF:.";
    size_t bracket = value[0] == '[', n = strspn(value + bracket, bracket ? ipv6 : name);
    const char *rest = value + bracket + n;
    if (bracket && (*rest++ != ']' || !memchr(value, ':', n)))
        return false;
    if (*rest && (*rest != ':' || rest[1 + strspn(rest + 1, "0123456789")] != 0))
        return false;
    if (n && value[bracket + n - 1] == '.')
        n--;
    if (n == 0 || n >= capacity)
        return false;
    for (size_t i = 0; i < n; i++)
        host[i] = (char)tolower((unsigned char)value[bracket + i]);
    host[n] = 0;
    return true;
}

bool http_head_same_origin(const struct http_head *h)
{
    static const char scheme[] = "https://";
    const char *origin = h->value[FIELD_ORIGIN], *site = h->value[FIELD_FETCH_SITE];
    if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        return false;
    return !origin || (strncmp(origin, scheme, strlen(scheme)) == 0 && h->value[FIELD_HOST] &&
                       strcasecmp(origin + strlen(scheme), h->value[FIELD_HOST]) == 0);
}

bool http_head_is_file(const struct http_head *h)
{
    const char *type = h->value[FIELD_CONTENT_TYPE];
    return type && strcasecmp(type, "application/octet-stream") == 0;
}

bool http_head_is_json(const struct http_head *h)
{
    static const char *const types[] = {"application/json", "application/merge-patch+json"};
    const char *type = h->value[FIELD_CONTENT_TYPE];
    for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++) {
        size_t n = strlen(types[i]);
        if (strncasecmp(type, types[i], n) != 0)
            continue;
        const char *rest = type + n + strspn(type + n, "; \t");
        if (type[n] == 0 ||
            (strchr("; \t", type[n]) && (*rest == 0 || strcasecmp(rest, "charset=utf-8") == 0 ||
                                         strcasecmp(rest, "charset=\"utf-8\"") == 0)))
            return true;
    }
    return false;
}

bool http_head_etag_matches(const char *list, const char *etag, bool weak)
{
    size_t length = strlen(etag);
    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = list + strspn(list, ", \t"); *at;) {
        size_t n = strcspn(at, ", \t");
        const char *tag = weak && strncmp(at, "W/", 2) == 0 ? at + 2 : at;
        if ((size_t)(at + n - tag) == length && strncmp(tag, etag, length) == 0)
            return true;
        at += n + strspn(at + n, ", \t");
    }
    return false;
}
