/* network_ap.c - the box's own access point: it begins, is opened if it leads nowhere, and ends. */
#include "network_parts.h"

#include "log.h"

enum { AP_START_MS = 45000 };

void network_end_access_point(struct network *n, const char *why)
{
    if (n->ap != AP_OFF)
        log_info("network", "access point ended: %s", why);
    n->ap = AP_OFF;
    n->joining = n->ap_scans = false;
    network_try_at_once(n);
}

static void fail_access_point(struct network *n, const char *why)
{
    n->ap_problem = why;
    network_end_access_point(n, why);
}

/* NetworkManager lets the kernel forward for a shared network, a script of ours (docs/operations.md) forbids that
 * before the access point is up. */
static void open_access_point(struct network *n)
{
    if (n->settings.forwards()) {
        fail_access_point(n, "the access point would route into the network: NetworkManager lacks "
                             "the script 90-smart-connect");
        return;
    }
    n->ap = AP_ON;
    n->ap_end_ms = n->loop->now_ms + NETWORK_AP_IDLE_MS;
    log_info("network", "access point %s is open, the page is at https://%s/",
             n->given[NETWORK_ACCESS_POINT].ssid, NETWORK_AP_ADDRESS);
}

void network_keep_access_point(struct network *n)
{
    const struct nm_card *card = network_card_at(n, INTERFACE_WIFI);
    bool active = card->active == NETWORK_ACCESS_POINT && card->busy && card->settled;
    if (n->ap == AP_OFF || n->joining || n->ap_scans)
        return;
    if (n->ap == AP_STARTING && active && card->state == NM_ACTIVATED)
        open_access_point(n);
    else if (n->loop->now_ms >= n->ap_end_ms && n->ap == AP_ON)
        network_end_access_point(n, "nobody used it");
    else if (n->loop->now_ms >= n->ap_end_ms)
        fail_access_point(n, "the radio could not be made an access point");
    else if (!active && n->has[NETWORK_ACCESS_POINT] && n->loop->now_ms >= n->ap_try_ms) {
        nm_activate(n->nm, NETWORK_ACCESS_POINT);
        n->ap_try_ms = n->loop->now_ms + AP_START_MS / 3;
    }
}

void network_begin_access_point(struct network *n)
{
    n->ap = AP_STARTING;
    n->joining = false;
    n->ap_problem = "";
    n->ap_end_ms = n->loop->now_ms + AP_START_MS;
    n->ap_try_ms = n->loop->now_ms;
}
