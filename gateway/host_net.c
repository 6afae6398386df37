#include "host_net.h"

#include "route.h"

#include <ctype.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void read_default_route(struct host_net *net)
{
    struct route route;
    if (!route_default(&route))
        return;
    address_format_host(&route.router, net->gateway);
    snprintf(net->interface, sizeof net->interface, "%s", route.interface);
}

static void read_name_servers(struct host_net *net)
{
    char line[256], server[ADDRESS_TEXT_MAX];
    FILE *f = fopen("/etc/resolv.conf", "re");
    while (f && fgets(line, sizeof line, f))
        if (net->dns_count < HOST_NET_DNS && sscanf(line, "nameserver %63s", server) == 1)
            snprintf(net->dns[net->dns_count++], ADDRESS_TEXT_MAX, "%s", server);
    if (f)
        fclose(f);
}

static void add_address(struct host_net *net, const struct ifaddrs *i, int family)
{
    struct sockaddr_storage address = {0};
    if (!i->ifa_addr || i->ifa_addr->sa_family != family || (i->ifa_flags & IFF_LOOPBACK) ||
        !(i->ifa_flags & IFF_UP) || net->address_count == HOST_NET_ADDRESSES)
        return;
    memcpy(&address, i->ifa_addr,
           family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    address_format_host(&address, net->address[net->address_count++]);
    if (net->interface[0] == 0)
        snprintf(net->interface, sizeof net->interface, "%s", i->ifa_name);
}

static void read_interfaces(struct host_net *net)
{
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) < 0)
        return;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        add_address(net, i, AF_INET);
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        add_address(net, i, AF_INET6);
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        if (strcmp(i->ifa_name, net->interface) == 0)
            net->link = (i->ifa_flags & IFF_UP) && (i->ifa_flags & IFF_RUNNING);
    freeifaddrs(list);
}

void host_net_read(struct host_net *net)
{
    memset(net, 0, sizeof *net);
    if (gethostname(net->host_name, sizeof net->host_name - 1) < 0)
        net->host_name[0] = 0;
    read_default_route(net);
    read_interfaces(net);
    read_name_servers(net);
}

bool host_net_has_address(const struct host_net *net)
{
    for (size_t i = 0; i < net->address_count; i++)
        if (strncmp(net->address[i], "169.254.", 8) != 0 &&
            strncmp(net->address[i], "fe80:", 5) != 0)
            return true;
    return false;
}

/* The address of a card, in capitals; false where it is made up by software, or all zeros. */
static bool mac_of(const char *card, char mac[static 18])
{
    char path[300], line[64] = "";
    struct stat st;
    snprintf(path, sizeof path, "/sys/class/net/%.200s/device", card);
    if (stat(path, &st) < 0)
        return false;
    snprintf(path, sizeof path, "/sys/class/net/%.200s/address", card);
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(line, sizeof line, f) && strlen(line) == 18 && line[17] == '\n';
    if (f)
        fclose(f);
    for (int i = 0; ok && i < 17; i++)
        mac[i] = (char)toupper((unsigned char)line[i]);
    mac[17] = 0;
    return ok && strcmp(mac, "00:00:00:00:00:00") != 0;
}

bool host_net_mac(char mac[static 18])
{
    char found[18];
    const struct dirent *entry;
    DIR *cards = opendir("/sys/class/net");
    mac[0] = 0;
    while (cards && (entry = readdir(cards)) != NULL)
        if (entry->d_name[0] != '.' && mac_of(entry->d_name, found) &&
            (mac[0] == 0 || strcmp(found, mac) < 0))
            memcpy(mac, found, sizeof found);
    if (cards)
        closedir(cards);
    return mac[0] != 0;
}
