/* tls_load.c - TLS clients of the page: full handshakes at a steady pace, or idle connections.
 *
 *   tls_load PORT shake RATE MS   RATE handshakes a second for MS milliseconds; prints how many were done
 *   tls_load PORT hold N          N connections with a finished handshake, until standard input ends
 *
 * Source addresses go around 127.0.1.1 to 127.0.1.16, since the server limits connections by address.
 */
#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOURCES = 16, HELD_MAX = 64 };

static gnutls_certificate_credentials_t credentials;

static int connect_from(int source, int port)
{
    const int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x7F000101 + (uint32_t)(source % SOURCES))};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof from) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    return fd;
}

/* A session after its handshake; the certificate is self-signed, so nobody looks at it. */
static gnutls_session_t shake(int fd)
{
    gnutls_session_t session;
    int result;
    if (gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_TICKETS) < 0 ||
        gnutls_set_default_priority(session) < 0 ||
        gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) < 0)
        fail("gnutls");
    gnutls_transport_set_int(session, fd);
    do
        result = gnutls_handshake(session);
    while (result == GNUTLS_E_INTERRUPTED || result == GNUTLS_E_AGAIN);
    if (result < 0)
        fail(gnutls_strerror(result));
    return session;
}

static void shake_hands(int port, long rate, long ms)
{
    uint64_t begin_ns = clock_ns(), end_ns = begin_ns + (uint64_t)ms * 1000000;
    long n = 0;
    for (; clock_ns() < end_ns; n++) {
        sleep_until_ns(begin_ns + (uint64_t)n * 1000000000 / (uint64_t)rate);
        int fd = connect_from((int)n, port);
        gnutls_session_t session = shake(fd);
        gnutls_bye(session, GNUTLS_SHUT_WR);
        gnutls_deinit(session);
        close(fd);
    }
    printf("%ld\n", n);
}

static void hold(int port, long n)
{
    char byte;
    for (long i = 0; i < n; i++)
        (void)shake(connect_from((int)i, port));
    printf("%ld\n", n);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        fail("usage: tls_load PORT shake RATE MS | tls_load PORT hold N");
    int port = (int)number_argument(argv[1], "port: 1 to 65535", 1, 65535);
    gnutls_certificate_allocate_credentials(&credentials);
    if (strcmp(argv[2], "hold") == 0)
        hold(port, number_argument(argv[3], "connections: 1 to 64", 1, HELD_MAX));
    else if (argc == 5)
        shake_hands(port, number_argument(argv[3], "rate: 1 to 10000", 1, 10000),
                    number_argument(argv[4], "ms: 1 to 1000000", 1, 1000000));
    else
        fail("shake needs RATE and MS");
}
