/* credential.h - secrets that systemd hands to a service (LoadCredential=), named in options as credential:NAME.
 *
 * The units load the folder /etc/smart-connect/credentials under the name smart-connect, so that its file NAME becomes
 * smart-connect_NAME in the folder that $CREDENTIALS_DIRECTORY names.
 */
#ifndef CREDENTIAL_H
#define CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>

enum { CREDENTIAL_ERROR_MAX = 400 };

/* True if `text` begins with "credential:". */
bool credential_is_one(const char *text);

/* Checks the NAME behind "credential:": letters, digits, '.', '_' and '-', as the name of a file.  False: `error` says
 * what is wrong.  Reads nothing. */
bool credential_check(const char *text, char error[static CREDENTIAL_ERROR_MAX]);

/* Replaces credential:NAME in `text` (of `capacity` bytes) by the path of the file; anything else stays as it is.
 * False: there is none that can be read, `error` says why and what to do, and `text` stays. */
bool credential_resolve(char *text, size_t capacity, char error[static CREDENTIAL_ERROR_MAX]);

#endif
