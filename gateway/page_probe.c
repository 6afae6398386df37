#include "page_probe.h"

#include "address.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is shown to everybody. */
#define PROBED "/favicon.svg"

enum { ANSWER_MAX = 64, REQUEST_MAX = 160, MS_PER_S = 1000 };

/* --- on the worker ---------------------------------------------------------------------------- */

static bool fail(struct page_probe *p, const char *what, const char *why)
{
    snprintf(p->problem, sizeof p->problem, "%s: %s", what, why);
    return false;
}

static bool send_request(struct page_probe *p, gnutls_session_t tls)
{
    char host[ADDRESS_TEXT_MAX], request[REQUEST_MAX];
    address_format_host(&p->at, host);
    bool ipv6 = strchr(host, ':') != NULL;
    int n = snprintf(request, sizeof request,
                     "GET " PROBED " HTTP/1.1\r\nHost: %s%s%s\r\nConnection: close\r\n\r\n",
                     ipv6 ? "[" : "", host, ipv6 ? "]" : "");
    return gnutls_record_send(tls, request, (size_t)n) == n || fail(p, "HTTP", "not sent");
}

static bool read_answer(struct page_probe *p, gnutls_session_t tls)
{
    static const char good[] = "HTTP/1.1 200 ";
    char answer[ANSWER_MAX] = "";
    ssize_t n = gnutls_record_recv(tls, answer, sizeof answer - 1);
    if (n < 0)
        return fail(p, "HTTP", gnutls_strerror((int)n));
    answer[strcspn(answer, "\r\n")] = 0;
    return strncmp(answer, good, strlen(good)) == 0 || fail(p, "HTTP", answer);
}

/* It is our own socket on our own machine: whose certificate it is does not matter here. */
static bool speak(struct page_probe *p, gnutls_session_t tls, int fd)
{
    gnutls_set_default_priority(tls);
    gnutls_transport_set_int(tls, fd);
    gnutls_handshake_set_timeout(tls, PAGE_PROBE_S * MS_PER_S);
    int result;
    do
        result = gnutls_handshake(tls);
    while (result < 0 && !gnutls_error_is_fatal(result));
    if (result < 0)
        return fail(p, "TLS", gnutls_strerror(result));
    return send_request(p, tls) && read_answer(p, tls);
}

static bool speak_tls(struct page_probe *p, int fd)
{
    gnutls_certificate_credentials_t none = NULL;
    gnutls_session_t tls = NULL;
    bool ready = gnutls_certificate_allocate_credentials(&none) == 0 &&
                 gnutls_init(&tls, GNUTLS_CLIENT) == 0 &&
                 gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, none) == 0;
    bool ok = ready ? speak(p, tls, fd) : fail(p, "TLS", "out of memory");
    if (tls)
        gnutls_deinit(tls);
    if (none)
        gnutls_certificate_free_credentials(none);
    return ok;
}

static int connect_to(const struct sockaddr_storage *at)
{
    const struct timeval limit = {.tv_sec = PAGE_PROBE_S};
    int fd = socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, (const struct sockaddr *)at, address_length(at)) == 0)
        return fd;
    int problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

static void run(struct worker_job *job)
{
    struct page_probe *p = CONTAINER_OF(job, struct page_probe, job);
    int fd = connect_to(&p->at);
    p->problem[0] = 0;
    if (fd < 0) {
        (void)fail(p, "TCP", strerror(errno));
        return;
    }
    (void)speak_tls(p, fd);
    close(fd);
}

/* --- on the loop ------------------------------------------------------------------------------ */

static void on_done(struct worker_job *job)
{
    struct page_probe *p = CONTAINER_OF(job, struct page_probe, job);
    p->done(p, p->problem[0] ? p->problem : NULL);
}

/* A server that listens everywhere is asked on the loopback. */
static void make_reachable(struct sockaddr_storage *at)
{
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)at;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)at;
    if (at->ss_family == AF_INET && ipv4->sin_addr.s_addr == htonl(INADDR_ANY))
        ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (at->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ipv6->sin6_addr))
        ipv6->sin6_addr = in6addr_loopback;
}

void page_probe_start(struct page_probe *p, struct loop *l, const struct sockaddr_storage *bound)
{
    p->at = *bound;
    make_reachable(&p->at);
    p->job = (struct worker_job){.run = run, .done = on_done};
    if (worker_start(l, &p->job) < 0)
        p->done(p, strerror(errno));
}

void page_probe_close(struct page_probe *p)
{
    worker_join(&p->job);
}
