#include "update_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SILENCE_MS = UPDATE_SILENCE_S * 1000 };

void update_fetch_stop(struct update_fetch *f)
{
    if (!f->running)
        return;
    f->running = false;
    loop_cancel_timer(f->loop, &f->silence);
    loop_watch(f->loop, &f->watch, 0);
    close(f->watch.fd);
}

static void end(struct update_fetch *f, const char *reason)
{
    update_fetch_stop(f);
    f->done(f, !reason, reason);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Each returns NULL, or what does not fit together. */

static const char *on_size(struct update_fetch *f, int64_t bytes)
{
    if (f->size >= 0 || bytes > f->max_bytes || bytes < f->got)
        return "the downloader announces a size that cannot be";
    f->size = bytes;
    return NULL;
}

static const char *on_got(struct update_fetch *f, int64_t bytes)
{
    if (bytes < f->got || bytes > (f->size >= 0 ? f->size : f->max_bytes))
        return "the downloader counts what cannot be";
    f->got = bytes;
    return NULL;
}

static const char *on_done(struct update_fetch *f, int64_t bytes)
{
    struct stat s;
    const char *fault = on_got(f, bytes);
    if (fault)
        return fault;
    if ((f->size >= 0 && bytes != f->size) || fstat(f->file, &s) < 0 || s.st_size != bytes)
        return "the downloader says that it is done, but the file has another size";
    return NULL;
}

static const char *(*const counts[])(struct update_fetch *f, int64_t bytes) = {
    [UPDATE_SIZE] = on_size,
    [UPDATE_GOT] = on_got,
    [UPDATE_DONE] = on_done,
};

static void on_line(struct update_fetch *f, size_t length)
{
    struct update_answer answer;
    if (!update_answer_parse(f->line, length, &answer)) {
        end(f, "the downloader talks nonsense");
        return;
    }
    const char *fault =
        answer.word == UPDATE_FAILED ? answer.reason : counts[answer.word](f, answer.bytes);
    if (fault || answer.word == UPDATE_DONE) {
        end(f, fault);
        return;
    }
    loop_set_timer(f->loop, &f->silence, SILENCE_MS);
    f->progress(f, f->got, f->size);
}

/* --- the socket ------------------------------------------------------------------------------- */

/* One line a round, so that what a callback did to this download is seen before anything else is done with it: what is
 * behind the line stays in the kernel. */
static void on_ready(struct loop_fd *watch, uint32_t events)
{
    struct update_fetch *f = CONTAINER_OF(watch, struct update_fetch, watch);
    size_t room = sizeof f->line - f->length;
    (void)events;
    ssize_t n = recv(watch->fd, f->line + f->length, room, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end(f, "the downloader hung up before the end");
        return;
    }
    char *line_end = memchr(f->line + f->length, '\n', (size_t)n);
    size_t taken = line_end ? (size_t)(line_end + 1 - (f->line + f->length)) : (size_t)n;
    (void)recv(watch->fd, f->line + f->length, taken, MSG_DONTWAIT);
    f->length += taken;
    if (line_end) {
        size_t length = f->length - 1;
        *line_end = 0;
        f->length = 0;
        on_line(f, length);
    } else if (f->length == sizeof f->line) {
        end(f, "the downloader talks nonsense");
    }
}

static void on_silence(struct loop_timer *timer)
{
    end(CONTAINER_OF(timer, struct update_fetch, silence),
        "the downloader has said nothing for two minutes");
}

/* --- the request ------------------------------------------------------------------------------ */

static bool send_request(int fd, const char *line, size_t length, int file)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec text = {.iov_base = (void *)(uintptr_t)line, .iov_len = length};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    control.header = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof file)};
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length;
}

/* Connecting to a UNIX socket is done at once or not at all. */
static int connect_to(const char *path, char error[static UPDATE_REASON_MAX])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof address.sun_path) {
        snprintf(error, UPDATE_REASON_MAX,
                 "the path of the downloader's socket is longer than %zu bytes",
                 sizeof address.sun_path - 1);
        return -1;
    }
    memcpy(address.sun_path, path, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    snprintf(error, UPDATE_REASON_MAX, "the downloader cannot be reached at %.100s: %s", path,
             strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

bool update_fetch_start(struct update_fetch *f, struct loop *l, const char *socket_path, int file,
                        int64_t max_bytes, const char *url, char error[static UPDATE_REASON_MAX])
{
    char line[UPDATE_REQUEST_MAX + 1];
    struct update_request request;
    int n = snprintf(line, sizeof line, "get %lld %s", (long long)max_bytes, url);
    if (n >= UPDATE_REQUEST_MAX) {
        snprintf(error, UPDATE_REASON_MAX, "the URL is too long");
        return false;
    }
    if (!update_request_parse(line, (size_t)n, &request, error))
        return false;
    int fd = connect_to(socket_path, error);
    if (fd < 0)
        return false;
    line[n] = '\n';
    f->watch = (struct loop_fd){.ready = on_ready, .fd = fd};
    if (!send_request(fd, line, (size_t)n + 1, file) || loop_watch(l, &f->watch, EPOLLIN) < 0) {
        snprintf(error, UPDATE_REASON_MAX, "the downloader cannot be asked: %s", strerror(errno));
        close(fd);
        return false;
    }
    f->loop = l;
    f->silence = (struct loop_timer){.expired = on_silence};
    f->running = true;
    f->file = file;
    f->max_bytes = max_bytes;
    f->size = -1;
    f->got = 0;
    f->length = 0;
    loop_set_timer(l, &f->silence, SILENCE_MS);
    return true;
}
