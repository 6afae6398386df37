/* network_profile.h - the connection profiles we own: what NetworkManager is to do, as plain data.
 *
 * Pure: made from the configuration and the identity.
 */
#ifndef NETWORK_PROFILE_H
#define NETWORK_PROFILE_H

#include "config.h"
#include "identity.h"

enum network_kind { NETWORK_ETHERNET, NETWORK_WIFI, NETWORK_ACCESS_POINT };
enum { NETWORK_KINDS = NETWORK_ACCESS_POINT + 1 };

#define NETWORK_AP_ADDRESS "192.168.71.1"
enum { NETWORK_AP_PREFIX = 24 };

enum network_method { METHOD_DHCP, METHOD_STATIC, METHOD_SHARED };

enum { NETWORK_KEY_MAX = 65, NETWORK_HOST_NAME_MAX = 32, NETWORK_SSID_MAX = 32 };

/* To be compared as bytes: network_profile_make() leaves nothing of it undefined. */
struct network_profile {
    enum network_kind kind;
    char interface[16];             /* the network card's name, "wlan0" */
    bool autoconnect;               /* NetworkManager brings it up by itself */
    enum network_method method;     /* of IPv4 */
    bool link_local;                /* an address 169.254.x.x beside what DHCP gives */
    char address[ADDRESS_TEXT_MAX]; /* METHOD_STATIC, METHOD_SHARED */
    uint32_t prefix;
    char gateway[ADDRESS_TEXT_MAX], dns[ADDRESS_TEXT_MAX]; /* METHOD_STATIC; "": none */
    char host_name[NETWORK_HOST_NAME_MAX];                 /* told to the DHCP server */
    char ssid[NETWORK_SSID_MAX + 1], key[NETWORK_KEY_MAX]; /* "" for Ethernet */
};

/* One profile; autoconnect where it is the interface of the configuration.  An access point never is. */
void network_profile_make(struct network_profile *p, enum network_kind kind, const char *interface,
                          const struct config *c, const struct identity *id);

/* True if both ask for the same. */
bool network_profile_equal(const struct network_profile *a, const struct network_profile *b);

/* Its name and UUID in NetworkManager: always the same, so that they are found again. */
extern const char *const network_profile_names[NETWORK_KINDS];
extern const char *const network_profile_uuids[NETWORK_KINDS];

#endif
