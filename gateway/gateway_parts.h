/* gateway_parts.h - inside the house: what of gateway.c has a file of its own. */
#ifndef GATEWAY_PARTS_H
#define GATEWAY_PARTS_H

#include "gateway.h"

/* The network of the box, as the options say who looks after it.  False: out of memory. */
bool gateway_open_network(struct gateway *g);

/* The candidate is going to be saved; the undo of that. */
void gateway_prepare_network(struct gateway *g, const struct config *candidate);
void gateway_undo_network(struct gateway *g);

/* The settings have changed from g->before. */
void gateway_apply_network(struct gateway *g);

/* For http_settings: somebody has reached the page.  The context is the API's. */
void gateway_note_reached(void *context, const struct sockaddr_storage *from);

/* Updates, as the options say who brings them: before the settings are loaded.  False: out of memory. */
bool gateway_open_update(struct gateway *g);

/* Begins, with all doors open; and what of it can be had over MQTT, before that is opened. */
void gateway_start_update(struct gateway *g);
void gateway_offer_update(struct gateway *g);

/* LED and button, as the options say: first of all, so that the LED says that the box is booting.  False: `error` says
 * why not. */
bool gateway_open_panel(struct gateway *g, char error[static GATEWAY_ERROR_MAX]);

/* What the LED shows of addresses is asked for anew. */
void gateway_look_at_addresses(struct gateway *g);

#endif
