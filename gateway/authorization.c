#include "authorization.h"

#include <gnutls/gnutls.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

const char *authorization_behind(const char *value, size_t length, const char *scheme)
{
    size_t n = strlen(scheme);
    if (length <= n || strncasecmp(value, scheme, n) != 0 || value[n] != ' ')
        return NULL;
    for (; n < length && value[n] == ' '; n++)
        ;
    return value + n;
}

/* GnuTLS is as strict as RFC 4648 about the end, but steps over blanks and the like. */
static bool is_base64(const char *text, size_t length)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    for (size_t i = 0; i < length; i++)
        if (text[i] == 0 || !strchr(alphabet, text[i]))
            return false;
    return true;
}

/* The user, a colon, the password, which may have more of them. */
static void split(const gnutls_datum_t *text, struct authorization_login *login)
{
    const unsigned char *colon = text->size ? memchr(text->data, ':', text->size) : NULL;
    if (!colon)
        return;
    size_t user = (size_t)(colon - text->data), length = text->size - user - 1;
    if (length > LOGIN_PASSWORD_MAX)
        return;
    memcpy(login->password, colon + 1, length);
    login->length = length;
    login->user_is_right =
        user == strlen(AUTHORIZATION_USER) && memcmp(text->data, AUTHORIZATION_USER, user) == 0;
}

void authorization_basic(const char *value, size_t length, struct authorization_login *login)
{
    const char *credentials = authorization_behind(value, length, "Basic");
    gnutls_datum_t in, out = {NULL, 0};
    login->user_is_right = false;
    login->length = 0;
    if (!credentials)
        return;
    in.data = (unsigned char *)(uintptr_t)credentials;
    in.size = (unsigned)(length - (size_t)(credentials - value));
    if (!is_base64(credentials, in.size) || gnutls_base64_decode2(&in, &out) < 0)
        return;
    split(&out, login);
    gnutls_memset(out.data, 0, out.size);
    gnutls_free(out.data);
}
