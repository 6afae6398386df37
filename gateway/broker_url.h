/* broker_url.h - where a broker is: mqtt://HOST[:PORT] or mqtts://HOST[:PORT].
 *
 * mqtts, and mqtt with port 8883, mean TLS (the manual's own example is written so); plain TCP is mqtt with any other
 * port.
 */
#ifndef BROKER_URL_H
#define BROKER_URL_H

#include <stdbool.h>

enum { BROKER_HOST_MAX = 128, BROKER_URL_ERROR_MAX = 200 };

struct broker {
    char host[BROKER_HOST_MAX]; /* a name or an address, IPv6 without brackets */
    int port;
    bool tls;
};

/* Reads a URL.  False: `error` says in one line what is wrong with it. */
bool broker_parse(const char *url, struct broker *b, char error[static BROKER_URL_ERROR_MAX]);

#endif
