/* authorization_fuzz.c - any bytes as the value of an Authorization field, and any login written as one: a decoder of
 * its own says what Basic credentials mean, and nothing else is taken for that.
 *
 *   mode 1 | value, or login (mode & 1)
 */
#include "gateway/authorization.h"

#include "fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { DECODED_MAX = 8192 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int digit(char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* Four characters as RFC 4648 has them: the bytes, 1 to 3; 0: they are none.  Unused bits are zero. */
static size_t quantum(const char *four, bool last, char *bytes)
{
    size_t pads = last ? (four[3] == '=') + (four[3] == '=' && four[2] == '=') : 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        int d = i < 4 - pads ? digit(four[i]) : 0;
        if (d < 0)
            return 0;
        bits = bits << 6 | (uint32_t)d;
    }
    if (bits & ((UINT32_C(1) << 8 * pads) - 1))
        return 0;
    for (size_t i = 0; i < 3 - pads; i++)
        bytes[i] = (char)(bits >> (16 - 8 * i));
    return 3 - pads;
}

/* The credentials, if it is Basic and they are base64.  NULL: it is not. */
static char *model_of(const char *value, size_t size, size_t *length)
{
    static const char scheme[] = "basic ";
    static char decoded[DECODED_MAX];
    size_t at = 0, n;
    for (; at < sizeof scheme - 1; at++)
        if (at >= size || tolower((unsigned char)value[at]) != scheme[at])
            return NULL;
    while (at < size && value[at] == ' ')
        at++;
    if ((size - at) % 4 != 0)
        return NULL;
    for (*length = 0; at < size; at += 4, *length += n)
        if ((n = quantum(value + at, at + 4 == size, decoded + *length)) == 0)
            return NULL;
    return decoded;
}

static void demand_as_modelled(const char *value, size_t size,
                               const struct authorization_login *login)
{
    size_t length = 0;
    const char *credentials = model_of(value, size, &length);
    const char *colon = credentials && length ? memchr(credentials, ':', length) : NULL;
    size_t user = colon ? (size_t)(colon - credentials) : 0;
    if (!colon || length - user - 1 > LOGIN_PASSWORD_MAX) {
        demand(!login->user_is_right && login->length == 0);
        return;
    }
    demand(login->length == length - user - 1 &&
           memcmp(login->password, colon + 1, login->length) == 0);
    demand(login->user_is_right == (user == 4 && memcmp(credentials, "user", 4) == 0));
}

/* With a NUL behind it, as libmicrohttpd has it. */
static void try_value(const uint8_t *data, size_t size, struct authorization_login *login)
{
    char *value = text_of_input(data, size);
    authorization_basic(value, size, login);
    demand_as_modelled(value, size, login);
    const char *token = authorization_behind(value, size, "Bearer");
    demand(!token || (token > value + strlen("Bearer") && token <= value + size));
    free(value);
}

static size_t encode(const uint8_t *data, size_t size, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i += 3, n += 4) {
        size_t bytes = size - i < 3 ? size - i : 3;
        uint32_t bits = 0;
        for (size_t b = 0; b < 3; b++)
            bits = bits << 8 | (b < bytes ? data[i + b] : 0);
        for (size_t c = 0; c < 4; c++)
            out[n + c] = c <= bytes ? alphabet[bits >> (18 - 6 * c) & 63] : '=';
    }
    return n;
}

/* A login that can be is taken as it is. */
static void try_login(const uint8_t *data, size_t size)
{
    static char value[DECODED_MAX * 2];
    struct authorization_login login;
    size_t n = (size_t)snprintf(value, sizeof value, "Basic ");
    n += encode(data, size, value + n);
    try_value((const uint8_t *)value, n, &login);
    const uint8_t *colon = size ? memchr(data, ':', size) : NULL;
    size_t length = colon ? size - (size_t)(colon - data) - 1 : 0;
    demand(!colon || length > LOGIN_PASSWORD_MAX || login.length == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct authorization_login login;
    if (size < 1 || size > DECODED_MAX)
        return 0;
    if (data[0] & 1)
        try_login(data + 1, size - 1);
    else
        try_value(data + 1, size - 1, &login);
    return 0;
}
