/* nm_settings.h - a connection profile as NetworkManager wants it on the bus (a{sa{sv}}). */
#ifndef NM_SETTINGS_H
#define NM_SETTINGS_H

#include "network_profile.h"

#include <systemd/sd-bus.h>

/* Appends it.  Negative errno: the message cannot take more. */
int nm_settings_append(sd_bus_message *m, const struct network_profile *p);

#endif
