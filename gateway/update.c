#include "update.h"

#include "log.h"

#include <stdio.h>

const char *update_managed_by(void)
{
    return "package-manager";
}

bool update_from_upload(char error[static UPDATE_ERROR_MAX])
{
    snprintf(error, UPDATE_ERROR_MAX,
             "managed by the package manager: update the package smart-connect there");
    return false;
}

bool update_from_url(const char *url, char error[static UPDATE_ERROR_MAX])
{
    log_info("update", "asked to update from %s", url);
    return update_from_upload(error);
}
