/* rtu_keep.h - what a Modbus master staged on the bus is kept in the user configuration, so that it becomes active when
 * the power is cycled, too. */
#ifndef RTU_KEEP_H
#define RTU_KEEP_H

#include "core/p1mb.h"
#include "settings.h"

/* Zero but for `settings`, which must outlive it. */
struct rtu_keep {
    struct settings *settings;
    /* private */
    struct settings_change change;
    json_t *patch;               /* of the change under way; NULL: there is none */
    struct p1mb_settings wanted; /* the latest */
    bool changed;                /* since the change under way began */
    bool stopped;
};

/* Begins to keep `bus`; what cannot be saved is logged, and active until the next start all the same. */
void rtu_keep_save(struct rtu_keep *k, const struct p1mb_settings *bus);

/* True while the settings that are applied are what was kept here. */
bool rtu_keep_is_applied(const struct rtu_keep *k);

/* What is not being saved yet will not be: to be called before settings_close(). */
void rtu_keep_stop(struct rtu_keep *k);

/* The settings of the bus that a configuration holds. */
struct p1mb_settings rtu_keep_bus(const struct config *c);

#endif
