/* factory_reset.h - as it left the factory: all settings are back, what was measured and kept is gone, and so are the
 * owner's own password and certificate.  Who is logged in must log in anew.  The identity stays.
 *
 * First the settings, then the rest: where the second half fails, another reset does it.  One reset at a time, and none
 * while a change of password or certificate is under way.
 */
#ifndef FACTORY_RESET_H
#define FACTORY_RESET_H

#include "api.h"

enum { FACTORY_RESET_TEXT_MAX = 480 };

enum factory_reset_result {
    FACTORY_RESET_DONE,
    FACTORY_RESET_BUSY, /* one is under way, or a change of password or certificate; nothing was changed */
    FACTORY_RESET_KEPT, /* the settings could not be set back: `settings` and `change`; nothing was changed */
    FACTORY_RESET_HALF /* the settings are back, password and certificate could not be: `error` */
};

/* One reset; its own until done is called. */
struct factory_reset {
    struct api *api;
    const char *if_match; /* ETags; NULL: whatever the configuration is now */
    void (*done)(struct factory_reset *reset, enum factory_reset_result result);
    struct settings_change change;
    enum settings_result settings; /* how that ended */
    int error;                     /* an errno */
    struct worker_job job;         /* private */
};

/* Begins; done is called at once or later, from the loop. */
void factory_reset_begin(struct factory_reset *reset);

/* Why it is not done, in one line; "" for FACTORY_RESET_DONE. */
void factory_reset_text(const struct factory_reset *reset, enum factory_reset_result result,
                        char text[static FACTORY_RESET_TEXT_MAX]);

/* Waits for the reset that is under way, and calls its done: at the end, after settings_close(). */
void factory_reset_close(struct api *api);

#endif
