/* network_view.c - the network as it is: what is wanted, how far it has come, and how that is told. */
#include "network_parts.h"

#include <string.h>

const char *const network_state_names[NETWORK_STATES] = {
    [NETWORK_OFF] = "off",
    [NETWORK_NO_MANAGER] = "no-manager",
    [NETWORK_NO_CARD] = "no-card",
    [NETWORK_NO_LINK] = "no-link",
    [NETWORK_CONNECTING] = "connecting",
    [NETWORK_LINK_LOCAL] = "link-local",
    [NETWORK_CONNECTED] = "connected",
    [NETWORK_FAILED] = "failed",
};

const char *const network_ap_names[NETWORK_APS] = {"off", "starting", "on"};

int network_wanted_card(const struct network *n)
{
    return n->settings.config->default_interface;
}

enum network_kind network_wanted_kind(const struct network *n)
{
    return network_wanted_card(n) == INTERFACE_WIFI ? NETWORK_WIFI : NETWORK_ETHERNET;
}

const struct nm_card *network_card_at(const struct network *n, int card)
{
    return nm_card(n->nm, card);
}

static bool is_link_local(const struct nm_address *a)
{
    return strncmp(a->text, "169.254.", 8) == 0;
}

bool network_has_address(const struct nm_card *card, bool link_local)
{
    for (size_t i = 0; i < card->address_count; i++)
        if (is_link_local(&card->address[i]) == link_local)
            return true;
    return false;
}

/* The wanted profile holds the card, as far as NetworkManager knows by now. */
bool network_is_up(const struct network *n)
{
    const struct nm_card *card = network_card_at(n, network_wanted_card(n));
    return card->active == (int)network_wanted_kind(n) && card->busy;
}

bool network_is_connected(const struct network *n)
{
    const struct nm_card *card = network_card_at(n, network_wanted_card(n));
    return network_is_up(n) && card->settled && card->state >= NM_IP_CONFIG &&
           network_has_address(card, false);
}

bool network_is_link_local_only(const struct network *n)
{
    const struct nm_card *card = network_card_at(n, network_wanted_card(n));
    return network_is_up(n) && card->settled && n->link_local && network_has_address(card, true);
}

bool network_radio_is_taken(const struct network *n)
{
    return n->ap != AP_OFF && !n->joining;
}

/* --- what is told of it ----------------------------------------------------------------------- */

/* A refusal is the last that was heard of it. */
static bool is_refused(const struct network *n)
{
    return n->refusal[0] && !network_is_up(n);
}

static enum network_state state_of(const struct network *n)
{
    if (!n->nm)
        return NETWORK_OFF;
    if (!nm_is_ready(n->nm))
        return NETWORK_NO_MANAGER;
    const struct nm_card *card = network_card_at(n, network_wanted_card(n));
    if (!card->present)
        return NETWORK_NO_CARD;
    if (network_is_connected(n))
        return NETWORK_CONNECTED;
    if (network_is_link_local_only(n))
        return NETWORK_LINK_LOCAL;
    if (card->state <= NM_UNAVAILABLE || nm_failure_is_absence(card->failure))
        return NETWORK_NO_LINK;
    return card->failure || is_refused(n) ? NETWORK_FAILED : NETWORK_CONNECTING;
}

static const char *problem_of(const struct network *n, const struct nm_card *card)
{
    if (card && card->present && card->state == NM_UNMANAGED)
        return "NetworkManager does not look after this network card";
    if (card && card->failure)
        return nm_failure_text(card->failure);
    if (card && is_refused(n))
        return n->refusal;
    if (n->taken_back[0])
        return n->taken_back;
    return n->ap_problem;
}

struct network_info network_get_info(const struct network *n)
{
    const struct nm_card *card = n->nm ? network_card_at(n, network_wanted_card(n)) : NULL;
    return (struct network_info){.managed = n->nm != NULL,
                                 .state = state_of(n),
                                 .interface = network_wanted_card(n),
                                 .card = card && card->present ? card : NULL,
                                 .problem = problem_of(n, card),
                                 .access_point = n->joining ? AP_OFF : n->ap,
                                 .trial_left_ms = network_trial_left_ms(&n->trial),
                                 .scanning = n->scanning,
                                 .scan_age_ms =
                                     n->scanned_ms < 0 ? -1 : n->loop->now_ms - n->scanned_ms};
}
