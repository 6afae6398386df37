/* modbus_echo.c - the floor under a Modbus TCP server: answers a read request with as many bytes as a
 * server would, and does nothing else.  One epoll, one read and one write per request.
 *
 *   modbus_echo PORT
 */
#include "loopback.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { REQUEST = 12, EVENTS = 64 };

static void answer(int fd)
{
    uint8_t in[512], out[9 + 2 * 255];
    ssize_t n = read(fd, in, sizeof in);
    if (n < REQUEST) {
        close(fd);
        return;
    }
    uint8_t data = (uint8_t)(2 * in[11]);
    size_t length = 9 + (size_t)data;
    memcpy(out, in, 8);
    out[4] = (uint8_t)((length - 6) >> 8);
    out[5] = (uint8_t)(length - 6);
    out[8] = data;
    memset(out + 9, 0, data);
    if (write(fd, out, length) != (ssize_t)length)
        close(fd);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        fail("usage: modbus_echo PORT");
    int listener = loopback_listen((int)number_argument(argv[1], "port: 1 to 65535", 1, 65535));
    int epoll_fd = loopback_epoll();
    loopback_watch(epoll_fd, listener);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                loopback_watch(epoll_fd, loopback_accept(listener));
            else
                answer(fd);
        }
    }
}
