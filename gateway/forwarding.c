#include "forwarding.h"

#include <linux/netconf.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* RTM_GETNETCONF: header, family, and the interface asked for: all of them. */
struct question {
    struct nlmsghdr header;
    struct netconfmsg family;
    _Alignas(NLMSG_ALIGNTO) struct rtattr attribute;
    int interface;
};

static bool ask(int fd)
{
    struct question q = {
        .header = {.nlmsg_len = sizeof q, .nlmsg_type = RTM_GETNETCONF, .nlmsg_flags = NLM_F_REQUEST},
        .family = {.ncm_family = AF_INET},
        .attribute = {.rta_len = RTA_LENGTH(sizeof q.interface), .rta_type = NETCONFA_IFINDEX},
        .interface = NETCONFA_IFINDEX_ALL};
    _Static_assert(offsetof(struct question, attribute) ==
                       NLMSG_LENGTH(NLMSG_ALIGN(sizeof q.family)),
                   "as the kernel takes it apart");
    return send(fd, &q, sizeof q, 0) == sizeof q;
}

/* What the kernel answers at once, or an error, which has another type. */
static bool read_answer(int fd, int *value)
{
    _Alignas(struct nlmsghdr) char bytes[1024];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    const struct nlmsghdr *m = (const void *)bytes;
    if (n < 0 || !NLMSG_OK(m, (unsigned)n) || m->nlmsg_type != RTM_NEWNETCONF)
        return false;
    size_t skipped = NLMSG_ALIGN(sizeof(struct netconfmsg));
    const struct rtattr *a = (const void *)((const char *)NLMSG_DATA(m) + skipped);
    unsigned left =
        m->nlmsg_len < NLMSG_LENGTH(skipped) ? 0 : m->nlmsg_len - (unsigned)NLMSG_LENGTH(skipped);
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == NETCONFA_FORWARDING && a->rta_len == RTA_LENGTH(sizeof *value)) {
            memcpy(value, RTA_DATA(a), sizeof *value);
            return true;
        }
    return false;
}

bool forwarding_is_on(void)
{
    int value = 1;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    bool known = fd >= 0 && ask(fd) && read_answer(fd, &value);
    if (fd >= 0)
        close(fd);
    return !known || value != 0;
}
