/* authorization.h - the value of a request's Authorization field: a scheme, blanks, and what is sent by it (RFC 9110,
 * 11.6.2).
 *
 * Pure.  One login has one spelling: base64 is taken only as RFC 4648 writes it, with its padding, and without a bit or
 * byte that says nothing.
 */
#ifndef AUTHORIZATION_H
#define AUTHORIZATION_H

#include "login.h"

#include <stdbool.h>
#include <stddef.h>

#define AUTHORIZATION_USER "user" /* the only one there is */

/* Who says to be the user, and by which password. */
struct authorization_login {
    bool user_is_right;
    size_t length; /* bytes of the password, which may be any */
    char password[LOGIN_PASSWORD_MAX];
};

/* What stands behind a scheme, which may be written in any case; to the end of the value.  NULL: it is another. */
const char *authorization_behind(const char *value, size_t length, const char *scheme);

/* User and password of Basic credentials (RFC 7617).  Any that make no sense, are too long, or for which there is no
 * memory are those of a wrong user with an empty password. */
void authorization_basic(const char *value, size_t length, struct authorization_login *login);

#endif
