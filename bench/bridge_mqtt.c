/* bridge_mqtt.c - the smallest way from a meter to MQTT: no checksum, no parser; at the end of a
 * telegram the telegram itself is the message.
 *
 *   bridge_mqtt TTY PORT TOPIC
 */
#include "loopback.h"

#include <mosquitto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TELEGRAM_MAX = 4096, TAIL = 7 /* !XXXX CR LF */ };

static struct bridge {
    struct mosquitto *client;
    const char *topic;
    int tty;
    size_t length;
    char telegram[TELEGRAM_MAX];
} bridge;

static void read_meter(void)
{
    char *end = bridge.telegram + bridge.length;
    ssize_t n = read(bridge.tty, end, TELEGRAM_MAX - bridge.length);
    if (n <= 0)
        exit(0);
    bridge.length += (size_t)n;
    end += n;
    if (bridge.length >= TAIL && end[-1] == '\n' && end[-TAIL] == '!') {
        mosquitto_publish(bridge.client, NULL, bridge.topic, (int)bridge.length, bridge.telegram, 0,
                          false);
        bridge.length = 0;
    } else if (bridge.length == TELEGRAM_MAX) {
        bridge.length = 0;
    }
}

static void connect_broker(int port)
{
    mosquitto_lib_init();
    bridge.client = mosquitto_new("bridge", true, NULL);
    if (!bridge.client)
        fail("mosquitto_new");
    mosquitto_int_option(bridge.client, MOSQ_OPT_TCP_NODELAY, 1);
    if (mosquitto_connect(bridge.client, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS)
        fail("no broker");
    for (int i = 0; i < 10; i++)
        mosquitto_loop(bridge.client, 20, 1);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fail("usage: bridge_mqtt TTY PORT TOPIC");
    bridge.tty = serial_open(argv[1]);
    bridge.topic = argv[3];
    connect_broker((int)number_argument(argv[2], "port: 1 to 65535", 1, 65535));
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct pollfd watched[] = {{.fd = bridge.tty, .events = POLLIN},
                                   {.fd = mosquitto_socket(bridge.client), .events = POLLIN}};
        poll(watched, 2, 1000);
        if (watched[0].revents)
            read_meter();
        if (watched[1].revents)
            mosquitto_loop_read(bridge.client, 1);
        if (mosquitto_want_write(bridge.client))
            mosquitto_loop_write(bridge.client, 1);
        mosquitto_loop_misc(bridge.client);
    }
}
