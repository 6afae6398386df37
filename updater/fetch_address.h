/* fetch_address.h - where an update may come from: any host but this one, by an address of a network with routers. */
#ifndef FETCH_ADDRESS_H
#define FETCH_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* NULL: one may connect there.  Else what the address is, as in "an address of this machine itself": unspecified,
 * loopback, link-local, multicast, reserved, of neither IPv4 nor IPv6, or of this machine, which the kernel is asked
 * for.  IPv4 within IPv6 counts as what it is.  `loopback` allows 127.0.0.0/8 and ::1.  Does not block. */
const char *fetch_address_fault(const struct sockaddr *address, bool loopback);

#endif
