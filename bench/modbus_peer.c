/* modbus_peer.c - the peer: libmodbus' server as it is usually written, select() over the connections,
 * then modbus_receive() and modbus_reply().
 *
 *   modbus_peer PORT
 */
#include "loopback.h"

#include <modbus.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

enum { REGISTERS_FROM = 0x8000, REGISTERS = 256 };

struct peer {
    modbus_t *modbus;
    modbus_mapping_t *registers;
    int listener, highest;
    fd_set all;
};

static void admit(struct peer *p)
{
    int fd = modbus_tcp_accept(p->modbus, &p->listener);
    if (fd < 0)
        return;
    FD_SET(fd, &p->all);
    if (fd > p->highest)
        p->highest = fd;
}

static void answer(struct peer *p, int fd)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    modbus_set_socket(p->modbus, fd);
    int n = modbus_receive(p->modbus, request);
    if (n > 0) {
        (void)modbus_reply(p->modbus, request, n, p->registers);
    } else if (n < 0) {
        close(fd);
        FD_CLR(fd, &p->all);
    }
}

static void serve(struct peer *p)
{
    fd_set ready = p->all;
    if (select(p->highest + 1, &ready, NULL, NULL, NULL) < 0)
        die("select");
    for (int fd = 0; fd <= p->highest; fd++) {
        if (!FD_ISSET(fd, &ready))
            continue;
        if (fd == p->listener)
            admit(p);
        else
            answer(p, fd);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        fail("usage: modbus_peer PORT");
    struct peer p = {
        .registers = modbus_mapping_new_start_address(0, 0, 0, 0, REGISTERS_FROM, REGISTERS, 0, 0)};
    p.modbus =
        modbus_new_tcp("127.0.0.1", (int)number_argument(argv[1], "port: 1 to 65535", 1, 65535));
    p.listener = p.highest = p.modbus ? modbus_tcp_listen(p.modbus, 128) : -1;
    if (!p.registers || p.listener < 0)
        die("listen");
    FD_ZERO(&p.all);
    FD_SET(p.listener, &p.all);
    printf("ready\n");
    fflush(stdout);
    for (;;)
        serve(&p);
}
