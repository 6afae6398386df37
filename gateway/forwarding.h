/* forwarding.h - does this machine pass packets on from one network to another? */
#ifndef FORWARDING_H
#define FORWARDING_H

#include <stdbool.h>

/* Asks the kernel whether it forwards IPv4 (net.ipv4.ip_forward), by netlink: a sandbox may hide /proc/sys.  True also
 * when it does not say.  Does not block. */
bool forwarding_is_on(void);

#endif
