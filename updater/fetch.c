/* fetch.c - smart-connect-fetch: downloads one update for who is at the other end of standard input, a UNIX stream
 * socket; see gateway/update_lines.h for what is said there.
 *
 * A program of its own, so that what foreign servers can do to TLS and HTTP they do to a user without rights, which can
 * read nothing of ours and write to one descriptor.
 */
#include "fetch_https.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STALL_S = 60, STALL_MIN_S = 2, STALL_MAX_S = 3600, EXIT_USAGE = 2 };

static int usage(FILE *out, int status)
{
    fputs("Usage: smart-connect-fetch [OPTION]...\n"
          "Downloads an update for the gateway; systemd runs it for each connection to\n"
          "smart-connect-fetch.socket.  What is said there: docs/protocols.md.\n\n"
          "  --ca FILE          trust these authorities (PEM) in place of the system's\n"
          "  --stall-s N        give up when less than 1 KiB/s comes for N seconds, or\n"
          "                     connecting takes half of it (default 60)\n"
          "  --allow-loopback   for tests: allow servers at 127.0.0.0/8 and ::1\n"
          "  --resolve NAME:PORT:ADDRESS\n"
          "                     for tests: what NAME is, in place of what DNS says;\n"
          "                     may be given four times\n"
          "  --help             show this\n\n"
          "Exit status: 0 done, 1 not, 2 wrong usage.\n",
          out);
    return status;
}

static bool read_seconds(const char *text, int *seconds)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < STALL_MIN_S || n > STALL_MAX_S)
        return false;
    *seconds = (int)n;
    return true;
}

/* -1: go on, else the exit status. */
static int read_options(int argc, char *argv[], struct fetch_settings *s)
{
    static const struct option known[] = {
        {"ca", required_argument, NULL, 'c'},       {"stall-s", required_argument, NULL, 's'},
        {"allow-loopback", no_argument, NULL, 'l'}, {"resolve", required_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},           {0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) >= 0) {
        if (c == 'h')
            return usage(stdout, EXIT_SUCCESS);
        if (c == 'c')
            s->ca = optarg;
        else if (c == 'r' && s->resolve_n < FETCH_RESOLVE_MAX)
            s->resolve[s->resolve_n++] = optarg;
        else if (c == 'l')
            s->allow_loopback = true;
        else if (c != 's')
            return usage(stderr, EXIT_USAGE);
        else if (!read_seconds(optarg, &s->stall_s)) {
            fprintf(stderr, "smart-connect-fetch: --stall-s %s: use 2 to 3600 seconds\n", optarg);
            return EXIT_USAGE;
        }
    }
    return optind == argc ? -1 : usage(stderr, EXIT_USAGE);
}

static bool is_stream_socket(int fd)
{
    int domain = 0, type = 0;
    socklen_t size = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

static int serve(const struct fetch_settings *settings)
{
    static struct fetch_peer peer;
    struct update_request request;
    char reason[UPDATE_REASON_MAX];
    int64_t bytes = 0;
    enum fetch_end end = FETCH_FAILED;
    if (fetch_peer_receive(&peer, STDIN_FILENO, &request, reason))
        end = fetch_https(&peer, &request, settings, &bytes, reason);
    if (end == FETCH_DONE)
        fetch_peer_count(&peer, "done", bytes);
    else if (end == FETCH_FAILED)
        fetch_peer_fail(&peer, reason);
    return end == FETCH_DONE ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    struct fetch_settings settings = {.stall_s = STALL_S};
    /* Proxies, key logs, other resolvers: nothing of the environment is asked for. */
    clearenv();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of size is an error of write(2) */
    int status = read_options(argc, argv, &settings);
    if (status >= 0)
        return status;
    if (!is_stream_socket(STDIN_FILENO)) {
        fputs("smart-connect-fetch: standard input must be a UNIX stream socket: systemd runs this "
              "program for each connection to smart-connect-fetch.socket\n",
              stderr);
        return EXIT_USAGE;
    }
    return serve(&settings);
}
