/* address_fuzz.c - any text as an address to listen at and as the URL of a broker: what is taken reads as the same when
 * it is written anew, what is refused has a reason.
 */
#include "gateway/address.h"
#include "gateway/broker_url.h"

#include "fuzz.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static void try_address(const char *text)
{
    struct sockaddr_storage address, again;
    socklen_t length, length_again;
    char written[ADDRESS_TEXT_MAX];
    if (!address_parse(text, &address, &length))
        return;
    const char *colon = strrchr(text, ':');
    demand(length == address_length(&address));
    demand(address_port(&address) == strtol(colon ? colon + 1 : text, NULL, 10));
    address_format(&address, written);
    demand(address_parse(written, &again, &length_again) &&
           address_port(&again) == address_port(&address));
    demand(address_same_host(&address, &again) && address_same_host(&again, &address));
    address_set_port(&again, 1);
    demand(address_port(&again) == 1 && address_same_host(&address, &again));
}

/* One line for people and for JSON. */
static void demand_line(const char *error, size_t max)
{
    size_t n = strnlen(error, max);
    demand(n > 0 && n < max - 1);
}

static void demand_same_broker(const struct broker *b)
{
    struct broker again;
    char written[BROKER_HOST_MAX + 32], error[BROKER_URL_ERROR_MAX];
    bool ipv6 = strchr(b->host, ':') != NULL;
    snprintf(written, sizeof written, "%s://%s%s%s:%d", b->tls ? "mqtts" : "mqtt", ipv6 ? "[" : "",
             b->host, ipv6 ? "]" : "", b->port);
    demand(broker_parse(written, &again, error));
    demand(strcmp(again.host, b->host) == 0 && again.port == b->port && again.tls == b->tls);
}

static void try_broker(const char *text)
{
    struct broker b;
    char error[BROKER_URL_ERROR_MAX] = "";
    if (!broker_parse(text, &b, error)) {
        demand_line(error, sizeof error);
        return;
    }
    demand(b.host[0] && strnlen(b.host, sizeof b.host) < sizeof b.host && strstr(text, b.host));
    demand(b.port >= 1 && b.port <= 65535 && (b.tls || b.port != 8883));
    demand_same_broker(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = text_of_input(data, size);
    try_address(text);
    try_broker(text);
    free(text);
    return 0;
}
