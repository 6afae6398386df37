#include "fetch_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 8, SEND_LIMIT_S = 10 };

/* --- the request ------------------------------------------------------------------------------ */

int64_t fetch_clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Keeps the first descriptor that comes, and closes all others. */
static void take_files(struct fetch_peer *p, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (p->files++ == 0)
                p->file = fd;
            else
                close(fd);
        }
    }
    /* of those that found no place it is only known that there were some */
    p->files += message->msg_flags & MSG_CTRUNC ? FILES_MAX : 0;
}

/* What recv(2) returns; waits until the clock says until_ms, and gives ETIMEDOUT then. */
static ssize_t receive_some(struct fetch_peer *p, char *bytes, size_t capacity, int64_t until_ms)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FILES_MAX * sizeof(int))];
    struct iovec room = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &room, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct pollfd ready = {.fd = p->socket, .events = POLLIN};
    int64_t left_ms = until_ms - fetch_clock_ms();
    if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) == 0) {
        errno = ETIMEDOUT;
        return -1;
    }
    ssize_t n = recvmsg(p->socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n >= 0)
        take_files(p, &message);
    return n;
}

/* Returns NULL when a line is there, without its LF. */
static const char *receive_line(struct fetch_peer *p, size_t *length)
{
    int64_t until_ms = fetch_clock_ms() + FETCH_REQUEST_LIMIT_MS;
    size_t got = 0;
    for (;;) {
        ssize_t n = receive_some(p, p->line + got, sizeof p->line - got, until_ms);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return errno == ETIMEDOUT ? "no request came within 5 s" : strerror(errno);
        if (n == 0)
            return "the request ended before its line did";
        char *end = memchr(p->line + got, '\n', (size_t)n);
        got += (size_t)n;
        *length = end ? (size_t)(end - p->line) : 0;
        if (end && *length + 1 < got)
            return "a request is one line, and more followed";
        if (end) {
            *end = 0;
            return NULL;
        }
        if (got == sizeof p->line)
            return "the request is longer than 2048 bytes";
    }
}

static const char *file_fault(const struct fetch_peer *p)
{
    struct stat s;
    if (p->files != 1)
        return p->files == 0 ? "no descriptor came with the request: send one to write to"
                             : "several descriptors came with the request: send one";
    int flags = fcntl(p->file, F_GETFL);
    if (flags < 0 || fstat(p->file, &s) < 0)
        return strerror(errno);
    if (!S_ISREG(s.st_mode))
        return "the descriptor is not that of a regular file";
    if ((flags & O_ACCMODE) == O_RDONLY) /* so it is with O_PATH, too */
        return "the descriptor is not open for writing";
    return s.st_size ? "the descriptor is that of a file that is not empty" : NULL;
}

bool fetch_peer_receive(struct fetch_peer *p, int socket, struct update_request *request,
                        char error[static UPDATE_REASON_MAX])
{
    const struct timeval limit = {.tv_sec = SEND_LIMIT_S};
    size_t length = 0;
    *p = (struct fetch_peer){.socket = socket, .file = -1};
    (void)setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const char *fault = receive_line(p, &length);
    if (!fault && !update_request_parse(p->line, length, request, error))
        return false;
    if (!fault)
        fault = file_fault(p);
    if (fault)
        snprintf(error, UPDATE_REASON_MAX, "%s", fault);
    return !fault;
}

/* --- the file --------------------------------------------------------------------------------- */

bool fetch_peer_write(const struct fetch_peer *p, const char *bytes, size_t n, int64_t offset)
{
    while (n > 0) {
        ssize_t written = pwrite(p->file, bytes, n, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes += written;
        n -= (size_t)written;
        offset += written;
    }
    return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

bool fetch_peer_gone(struct fetch_peer *p)
{
    struct pollfd ready = {.fd = p->socket, .events = POLLIN | POLLRDHUP};
    p->gone = p->gone || poll(&ready, 1, 0) != 0;
    return p->gone;
}

static void say(struct fetch_peer *p, const char *line)
{
    size_t n = strlen(line);
    if (!p->gone)
        p->gone = send(p->socket, line, n, MSG_NOSIGNAL) != (ssize_t)n;
}

void fetch_peer_count(struct fetch_peer *p, const char *word, int64_t bytes)
{
    char line[UPDATE_ANSWER_MAX];
    snprintf(line, sizeof line, "%s %lld\n", word, (long long)bytes);
    say(p, line);
}

void fetch_peer_fail(struct fetch_peer *p, const char *reason)
{
    char line[UPDATE_ANSWER_MAX];
    size_t begin = (size_t)snprintf(line, sizeof line, "failed "), n = 0;
    for (; reason[n] && n < UPDATE_REASON_MAX - 1; n++)
        line[begin + n] = reason[n] >= ' ' && reason[n] <= '~' ? reason[n] : '?';
    memcpy(line + begin + n, "\n", sizeof "\n");
    say(p, line);
}
