/* update.h - newer versions of this program: who brings them, and what is said to who asks for one. */
#ifndef UPDATE_H
#define UPDATE_H

#include <stdbool.h>

enum { UPDATE_ERROR_MAX = 160 };

/* "package-manager" */
const char *update_managed_by(void);

/* Begins an update from an https URL that was checked (command_check_url).  False: `error` says why not. */
bool update_from_url(const char *url, char error[static UPDATE_ERROR_MAX]);

/* The same for a bundle that was sent to us. */
bool update_from_upload(char error[static UPDATE_ERROR_MAX]);

#endif
