/* host_net.h - what the kernel says of this machine's network: read only, nothing is changed. */
#ifndef HOST_NET_H
#define HOST_NET_H

#include "address.h"

enum { HOST_NET_ADDRESSES = 16, HOST_NET_DNS = 3, HOST_NET_NAME_MAX = 64 };

struct host_net {
    char host_name[HOST_NET_NAME_MAX];
    char interface[HOST_NET_NAME_MAX]; /* that of the default route, else the first with an address; "" none */
    bool link;                         /* it is up and has a carrier */
    char gateway[ADDRESS_TEXT_MAX]; /* of IPv4, or of IPv6 where IPv4 has none; "" neither */
    size_t address_count, dns_count;
    char address[HOST_NET_ADDRESSES][ADDRESS_TEXT_MAX]; /* of all interfaces but loopback, IPv4 first */
    char dns[HOST_NET_DNS][ADDRESS_TEXT_MAX];
};

/* Asks the kernel now.  Does not block but for reading /proc, /sys and /etc/resolv.conf. */
void host_net_read(struct host_net *net);

/* True if there is an address others can reach: not link-local alone. */
bool host_net_has_address(const struct host_net *net);

/* The hardware address of an Ethernet card that is really one ("02:FC:00:00:00:01"): the lowest of all, so that
 * their order does not matter.  False: there is none. */
bool host_net_mac(char mac[static 18]);

#endif
