#include "credential.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER "/etc/smart-connect/credentials"

static const char prefix[] = "credential:";

enum { NAME_MAX_LENGTH = 64 };

bool credential_is_one(const char *text)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static const char *name_of(const char *text)
{
    return text + strlen(prefix);
}

bool credential_check(const char *text, char error[static CREDENTIAL_ERROR_MAX])
{
    const char *name = name_of(text);
    size_t length =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (length > 0 && length <= NAME_MAX_LENGTH && name[length] == 0 && name[0] != '.')
        return true;
    snprintf(error, CREDENTIAL_ERROR_MAX,
             "\"%.80s\": use credential:NAME, the name of a file in " FOLDER, text);
    return false;
}

bool credential_resolve(char *text, size_t capacity, char error[static CREDENTIAL_ERROR_MAX])
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char path[512];
    if (!credential_is_one(text))
        return true;
    if (!credential_check(text, error))
        return false;
    if (!folder) {
        snprintf(error, CREDENTIAL_ERROR_MAX,
                 "systemd hands credentials to services only: run this as one, or give the path of "
                 "the file");
        return false;
    }
    size_t length =
        (size_t)snprintf(path, sizeof path, "%s/smart-connect_%s", folder, name_of(text));
    if (length >= sizeof path || length >= capacity)
        errno = ENAMETOOLONG;
    else if (access(path, R_OK) == 0) {
        memcpy(text, path, length + 1);
        return true;
    }
    snprintf(error, CREDENTIAL_ERROR_MAX,
             "%.200s: %s; put it into " FOLDER "/%.64s and restart the service", path,
             strerror(errno), name_of(text));
    return false;
}
