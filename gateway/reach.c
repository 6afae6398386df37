#include "reach.h"

#include "address.h"
#include "core/text_out.h"
#include "heap.h"
#include "log.h"
#include "ping.h"
#include "route.h"
#include "worker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE = 3, /* failures in a row that are worth a line in the log: one lost packet is not */
    LABEL_MAX = 63,
    ADDRESSES_MAX = 16, /* of a name: more are not looked at */
    HTTP_PORT = 80,     /* that of a router's page: it answers or refuses */
    HTTPS_PORT = 443,
    WHY_MAX = REACH_TARGET_MAX + 80
};

/* A name on its way to an address; belongs to the worker while it runs. */
struct lookup {
    struct worker_job job;
    struct reach *owner; /* NULL: nobody waits for it any more */
    char name[REACH_TARGET_MAX];
    unsigned pick; /* which of several addresses, counted round */
    struct sockaddr_storage address;
    int result; /* of getaddrinfo() */
};

/* One of the two that are asked. */
struct asked {
    struct reach *reach;
    const char *name; /* for the log */
    int tcp_port;
    enum ping_step (*find)(struct asked *a);
    struct ping ping;
    struct loop_timer timer;
    struct loop_fd watch; /* of the attempt under way; fd -1: none */
    bool tcp;             /* it is a TCP connection, not an echo */
    struct sockaddr_storage address;
    bool loss_logged;
    char why[WHY_MAX]; /* the latest attempt has not passed */
};

struct reach {
    struct loop *loop;
    struct asked gateway, internet;
    struct lookup *lookup; /* under way; NULL: none */
    char target[REACH_TARGET_MAX];
};

/* --- the target as text ----------------------------------------------------------------------- */

static bool parse_numeric(const char *text, struct sockaddr_storage *address)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct sockaddr_in6 b = {.sin6_family = AF_INET6};
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, text, &a.sin_addr) == 1)
        memcpy(address, &a, sizeof a);
    else if (inet_pton(AF_INET6, text, &b.sin6_addr) == 1)
        memcpy(address, &b, sizeof b);
    return address->ss_family != AF_UNSPEC;
}

/* A link-local address would need an interface, and one that holds an IPv4 address is that address. */
static bool is_of_one_machine(const struct sockaddr_storage *address)
{
    const struct in6_addr *a = &((const struct sockaddr_in6 *)address)->sin6_addr;
    unsigned first = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24;
    if (address->ss_family == AF_INET)
        return first != 0 && first < 224;
    return !IN6_IS_ADDR_UNSPECIFIED(a) && !IN6_IS_ADDR_MULTICAST(a) && !IN6_IS_ADDR_LINKLOCAL(a) &&
           !IN6_IS_ADDR_V4MAPPED(a);
}

static bool is_label(const char *label, size_t length)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    return length >= 1 && length <= LABEL_MAX && strspn(label, allowed) >= length &&
           label[0] != '-' && label[length - 1] != '-';
}

/* What ends in a number would be read as an IPv4 address by some: 1.2.3 as 1.2.0.3. */
static bool is_host_name(const char *name)
{
    const char *label = name;
    for (size_t n = strcspn(label, "."); is_label(label, n); n = strcspn(label, ".")) {
        bool last = label[n] == 0 || label[n + 1] == 0; /* a dot may end it */
        if (last)
            return strlen(name) <= REACH_NAME_MAX && strspn(label, "0123456789") < n;
        label += n + 1;
    }
    return false;
}

bool reach_check_target(const char *target, char error[static REACH_ERROR_MAX])
{
    struct sockaddr_storage address;
    bool numeric = parse_numeric(target, &address);
    if (target[0] == 0 || (numeric ? is_of_one_machine(&address) : is_host_name(target)))
        return true;
    snprintf(error, REACH_ERROR_MAX,
             numeric
                 ? "\"%.*s\" is not the address of one machine that can be reached from anywhere"
                 : "\"%.*s\": a host name or an address alone, like example.org or 192.0.2.1",
             text_precision(target, 60), target);
    return false;
}

/* --- attempts --------------------------------------------------------------------------------- */

static int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void hang_up(struct asked *a)
{
    if (a->watch.fd < 0)
        return;
    loop_watch(a->reach->loop, &a->watch, 0);
    if (a->tcp)
        address_reset(a->watch.fd);
    else
        close(a->watch.fd);
    a->watch.fd = -1;
}

static void note_why(struct asked *a, const char *problem)
{
    char host[ADDRESS_TEXT_MAX];
    address_format_host(&a->address, host);
    snprintf(a->why, sizeof a->why, "%s: %s", host, problem);
}

/* One line when it is lost for longer, and one when it is back. */
static void tell(struct asked *a)
{
    if (a->ping.failed_in_a_row >= PATIENCE && !a->loss_logged) {
        log_info("network", "the %s cannot be reached: %s", a->name, a->why);
        a->loss_logged = true;
    } else if (a->ping.state.ok && a->loss_logged) {
        log_info("network", "the %s can be reached again", a->name);
        a->loss_logged = false;
    }
}

/* An echo socket; where the kernel allows none to this user, TCP.  -1 with errno. */
static int open_socket(struct asked *a)
{
    const int how = SOCK_NONBLOCK | SOCK_CLOEXEC, family = a->address.ss_family;
    int fd = socket(family, SOCK_DGRAM | how, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    a->tcp = fd < 0 && (errno == EACCES || errno == EPERM || errno == EPROTONOSUPPORT);
    return a->tcp ? socket(family, SOCK_STREAM | how, 0) : fd;
}

static bool send_echo(const struct asked *a)
{
    uint8_t packet[PING_ECHO_LEN];
    ping_put_request(&a->ping, a->address.ss_family, packet);
    return send(a->watch.fd, packet, sizeof packet, MSG_NOSIGNAL) == (ssize_t)sizeof packet;
}

/* False, with errno: it cannot be sent. */
static bool begin(struct asked *a)
{
    const struct sockaddr *to = (const struct sockaddr *)&a->address;
    a->watch.fd = open_socket(a);
    if (a->watch.fd < 0)
        return false;
    address_set_port(&a->address, a->tcp ? a->tcp_port : 0);
    if (connect(a->watch.fd, to, address_length(&a->address)) < 0 && errno != EINPROGRESS &&
        errno != ECONNREFUSED)
        return false;
    if (!a->tcp && !send_echo(a))
        return false;
    return loop_watch(a->reach->loop, &a->watch, a->tcp ? EPOLLOUT : EPOLLIN) == 0;
}

static void fail(struct asked *a, int error)
{
    note_why(a, strerror(error));
    hang_up(a);
    ping_failed(&a->ping);
}

static void carry_out(struct asked *a, enum ping_step step)
{
    if (step == PING_FIND)
        step = a->find(a);
    if (step == PING_SEND) {
        note_why(a, "no answer");
        if (!begin(a))
            fail(a, errno);
    }
    tell(a);
}

static void on_due(struct loop_timer *timer)
{
    struct asked *a = CONTAINER_OF(timer, struct asked, timer);
    uint8_t token[PING_TOKEN_LEN];
    int64_t now_us = clock_us();
    loop_set_timer(a->reach->loop, timer, REACH_PERIOD_MS);
    hang_up(a);
    if (getrandom(token, sizeof token, GRND_NONBLOCK) != (ssize_t)sizeof token)
        memcpy(token, &now_us, sizeof token); /* in the first moments after power-on */
    enum ping_step step = ping_due(&a->ping, now_us, token);
    tell(a);
    carry_out(a, step);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* A connection or a refusal: both come from there.  0, or errno. */
static int take_connection(const struct asked *a)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(a->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        return errno;
    return error == ECONNREFUSED ? 0 : error;
}

/* 0: the reply came; EAGAIN: nothing of interest; else what went wrong.  The kernel gives every reply with the
 * identifier of this socket, from wherever. */
static int take_echo(const struct asked *a)
{
    uint8_t packet[PING_ECHO_LEN + 1]; /* a reply that is too long must be seen to be */
    struct sockaddr_storage from = {0};
    socklen_t length = sizeof from;
    ssize_t n = recvfrom(a->watch.fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &length);
    if (n < 0)
        return errno == EINTR ? EAGAIN : errno;
    bool is_reply = address_same_host(&from, &a->address) &&
                    ping_is_reply(&a->ping, a->address.ss_family, packet, (size_t)n);
    return is_reply ? 0 : EAGAIN;
}

static void on_answer(struct loop_fd *watch, uint32_t events)
{
    struct asked *a = CONTAINER_OF(watch, struct asked, watch);
    (void)events;
    int error = a->tcp ? take_connection(a) : take_echo(a);
    if (error == EAGAIN)
        return;
    if (error)
        fail(a, error);
    else if (ping_answered(&a->ping, clock_us()))
        hang_up(a);
    tell(a);
}

/* --- addresses -------------------------------------------------------------------------------- */

static enum ping_step find_router(struct asked *a)
{
    struct route route;
    bool found = route_default(&route);
    a->address = route.router;
    if (!found)
        snprintf(a->why, sizeof a->why, "there is no default route");
    return ping_found(&a->ping, clock_us(), found);
}

/* Some name servers answer with 0.0.0.0 or 127.0.0.1 what they block: that would be this machine. */
static bool is_elsewhere(const struct sockaddr_storage *address)
{
    const struct in6_addr *a = &((const struct sockaddr_in6 *)address)->sin6_addr;
    unsigned first = ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24;
    return is_of_one_machine(address) &&
           (address->ss_family == AF_INET ? first != 127 : !IN6_IS_ADDR_LOOPBACK(a));
}

/* Takes another address at each failure: IPv6 may be broken where IPv4 works. */
static bool pick_address(struct lookup *lookup, const struct addrinfo *list)
{
    struct sockaddr_storage usable[ADDRESSES_MAX];
    unsigned count = 0;
    for (; list && count < ADDRESSES_MAX; list = list->ai_next) {
        memcpy(&usable[count], list->ai_addr, list->ai_addrlen);
        count += is_elsewhere(&usable[count]);
    }
    if (count)
        lookup->address = usable[lookup->pick % count];
    return count > 0;
}

static void run_lookup(struct worker_job *job)
{
    struct lookup *lookup = CONTAINER_OF(job, struct lookup, job);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    lookup->result = getaddrinfo(lookup->name, NULL, &hints, &list);
    if (lookup->result == 0 && !pick_address(lookup, list))
        lookup->result = EAI_NONAME;
    if (list)
        freeaddrinfo(list);
}

/* What was found for a target of before is told as well: ping_found() knows. */
static void on_lookup_done(struct worker_job *job)
{
    struct lookup *lookup = CONTAINER_OF(job, struct lookup, job);
    struct reach *r = lookup->owner;
    if (r) {
        struct asked *a = &r->internet;
        r->lookup = NULL;
        if (strcmp(lookup->name, r->target) == 0)
            a->address = lookup->address;
        if (lookup->result)
            snprintf(a->why, sizeof a->why, "%s: %s", lookup->name, gai_strerror(lookup->result));
        carry_out(a, ping_found(&a->ping, clock_us(), lookup->result == 0));
    }
    free(lookup);
}

static enum ping_step find_internet(struct asked *a)
{
    struct reach *r = a->reach;
    struct lookup *lookup = heap_new(sizeof *lookup);
    snprintf(a->why, sizeof a->why, "%s: its address is still being looked up", r->target);
    if (lookup) {
        *lookup = (struct lookup){.job = {.run = run_lookup, .done = on_lookup_done},
                                  .owner = r,
                                  .pick = a->ping.failed_in_a_row};
        memcpy(lookup->name, r->target, sizeof lookup->name);
        r->lookup = lookup;
    }
    if (lookup && worker_start(r->loop, &lookup->job) == 0)
        return PING_WAIT;
    free(lookup);
    r->lookup = NULL;
    snprintf(a->why, sizeof a->why, "out of memory or threads");
    return ping_found(&a->ping, clock_us(), false);
}

/* --- life ------------------------------------------------------------------------------------- */

static void init(struct asked *a, struct reach *r, const char *name, int tcp_port,
                 enum ping_step (*find)(struct asked *a))
{
    *a = (struct asked){.reach = r,
                        .name = name,
                        .tcp_port = tcp_port,
                        .find = find,
                        .timer.expired = on_due,
                        .watch = {.ready = on_answer, .fd = -1}};
}

static void start(struct asked *a, enum ping_target target)
{
    hang_up(a);
    a->loss_logged = false;
    ping_set(&a->ping, target);
    if (target == PING_OFF)
        loop_cancel_timer(a->reach->loop, &a->timer);
    else
        loop_set_timer(a->reach->loop, &a->timer, 0);
}

struct reach *reach_open(struct loop *l, const char *internet_target)
{
    struct reach *r = heap_new(sizeof *r);
    if (!r)
        return NULL;
    r->loop = l;
    init(&r->gateway, r, "router", HTTP_PORT, find_router);
    init(&r->internet, r, "internet", HTTPS_PORT, find_internet);
    start(&r->gateway, PING_ROUTE);
    reach_set_target(r, internet_target);
    return r;
}

static void stop(struct asked *a)
{
    hang_up(a);
    loop_cancel_timer(a->reach->loop, &a->timer);
}

void reach_close(struct reach *r)
{
    if (!r)
        return;
    stop(&r->gateway);
    stop(&r->internet);
    if (r->lookup)
        r->lookup->owner = NULL;
    free(r);
}

void reach_set_target(struct reach *r, const char *internet_target)
{
    struct sockaddr_storage numeric;
    bool is_address = parse_numeric(internet_target, &numeric);
    snprintf(r->target, sizeof r->target, "%s", internet_target);
    if (is_address)
        r->internet.address = numeric;
    start(&r->internet, internet_target[0] == 0 ? PING_OFF : is_address ? PING_ADDRESS : PING_NAME);
}

struct reach_state reach_gateway(const struct reach *r)
{
    return r->gateway.ping.state;
}

struct reach_state reach_internet(const struct reach *r)
{
    return r->internet.ping.state;
}
