/* bridge_modbus.c - the smallest way from a meter to Modbus TCP: no checksum, no parser; at the end of
 * a telegram the digits of one energy index become two registers, which every address shows.
 *
 *   bridge_modbus TTY PORT
 */
#include "loopback.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { REQUEST = 12, EVENTS = 16, TELEGRAM_MAX = 4096, TAIL = 7 /* !XXXX CR LF */ };

static const char energy[] = "1-0:1.8.1(";

static struct bridge {
    int tty, listener, epoll_fd;
    uint32_t registers; /* two of them, in wire order */
    size_t length;
    char telegram[TELEGRAM_MAX + 1];
} bridge;

static void take_energy(void)
{
    char *kwh = strstr(bridge.telegram, energy);
    if (!kwh)
        return;
    unsigned long whole = strtoul(kwh + strlen(energy), &kwh, 10);
    bridge.registers = htonl((uint32_t)(whole * 1000 + strtoul(kwh + 1, NULL, 10)));
}

static void read_meter(void)
{
    char *end = bridge.telegram + bridge.length;
    ssize_t n = read(bridge.tty, end, TELEGRAM_MAX - bridge.length);
    if (n <= 0)
        exit(0);
    bridge.length += (size_t)n;
    end += n;
    *end = 0;
    if (bridge.length >= TAIL && end[-1] == '\n' && end[-TAIL] == '!') {
        take_energy();
        bridge.length = 0;
    } else if (bridge.length == TELEGRAM_MAX) {
        bridge.length = 0;
    }
}

static void answer(int fd)
{
    uint8_t in[260], out[9 + sizeof bridge.registers];
    if (read(fd, in, sizeof in) < REQUEST) {
        close(fd);
        return;
    }
    memcpy(out, in, 8);
    out[4] = 0;
    out[5] = sizeof out - 6;
    out[8] = sizeof bridge.registers;
    memcpy(out + 9, &bridge.registers, sizeof bridge.registers);
    if (write(fd, out, sizeof out) < 0)
        close(fd);
}

static void handle(int fd)
{
    if (fd == bridge.tty)
        read_meter();
    else if (fd == bridge.listener)
        loopback_watch(bridge.epoll_fd, loopback_accept(bridge.listener));
    else
        answer(fd);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        fail("usage: bridge_modbus TTY PORT");
    bridge.tty = serial_open(argv[1]);
    bridge.listener = loopback_listen((int)number_argument(argv[2], "port: 1 to 65535", 1, 65535));
    bridge.epoll_fd = loopback_epoll();
    loopback_watch(bridge.epoll_fd, bridge.tty);
    loopback_watch(bridge.epoll_fd, bridge.listener);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n = epoll_wait(bridge.epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            handle(events[i].data.fd);
    }
}
