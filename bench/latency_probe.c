/* latency_probe.c - how long after a telegram's last byte is its value to be had?
 *
 *   latency_probe mqtt PORT SAMPLES LINK...             until an MQTT message holds the telegram's energy
 *   latency_probe modbus ADDRESS SAMPLES LINK:PORT...   until two registers read something new
 *
 * Makes a pseudo-terminal for each LINK, a symbolic link to it, and says "ready".  Then each line gets
 * a telegram in turn, at the pace of 115200 Bd; so all suffer the same noise, and one clock sees both
 * ends.  Prints a line of microseconds per sample, a column per LINK; the first samples, in which the
 * peers get going, are left out.  Modbus registers are read back to back while a telegram's value is
 * awaited, so half a round trip is part of the figure.
 */
#include "core/crc16.h"
#include "loopback.h"

#include <fcntl.h>
#include <mosquitto.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

enum {
    LANES_MAX = 4,
    SETTLE = 3,          /* samples each lane may lose at first */
    PATIENCE_MS = 10000, /* for these: a gateway looks for its meter first */
    TIMEOUT_MS = 2000,
    PAUSE_NS = 40000000, /* after a telegram, at least */
    PIECE = 16,
    PIECE_NS = 1388889, /* 16 characters of 10 bits at 115200 Bd */
    TELEGRAM_MAX = 2048,
    REGISTER_BYTES = 4
};

struct lane {
    int tty, held_open; /* the two ends; ours of the second keeps it alive between peers */
    int modbus_fd;
    uint16_t transaction;
    uint8_t registers[REGISTER_BYTES];
};

static struct probe {
    struct mosquitto *broker; /* NULL: Modbus */
    uint16_t address;
    bool subscribed;
    char token[32];      /* what the awaited message holds */
    char raw_token[32];  /* or this */
    uint64_t arrived_ns; /* 0: not yet */
    unsigned serial;     /* of the telegram */
    int lanes_n;
    struct lane lanes[LANES_MAX];
} probe;

/* --- telegrams -------------------------------------------------------------------------------- */

/* DSMR 5, three phases and gas.  %u.%03u is the energy, all that differs. */
static const char telegram_format[] =
    "/XMX5LGF0010455445512\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0(260115101500W)\r\n"
    "0-0:96.1.1(4530303939313233343536373839303234)\r\n1-0:1.8.1(%06u.%03u*kWh)\r\n"
    "1-0:1.8.2(000000.000*kWh)\r\n1-0:2.8.1(003456.123*kWh)\r\n1-0:2.8.2(004567.321*kWh)\r\n"
    "0-0:96.14.0(0001)\r\n1-0:1.7.0(01.234*kW)\r\n1-0:2.7.0(00.000*kW)\r\n0-0:96.7.21(00013)\r\n"
    "0-0:96.7.9(00004)\r\n1-0:99.97.0(2)(0-0:96.7.19)(240512093012S)(0000002861*s)"
    "(250927041655S)(0000000417*s)\r\n1-0:32.32.0(00007)\r\n1-0:52.32.0(00005)\r\n"
    "1-0:72.32.0(00006)\r\n1-0:32.36.0(00001)\r\n1-0:52.36.0(00000)\r\n1-0:72.36.0(00001)\r\n"
    "0-0:96.13.0()\r\n1-0:32.7.0(232.7*V)\r\n1-0:52.7.0(234.5*V)\r\n1-0:72.7.0(224.2*V)\r\n"
    "1-0:31.7.0(002*A)\r\n1-0:51.7.0(001*A)\r\n1-0:71.7.0(002*A)\r\n1-0:21.7.0(00.498*kW)\r\n"
    "1-0:41.7.0(00.295*kW)\r\n1-0:61.7.0(00.441*kW)\r\n1-0:22.7.0(00.000*kW)\r\n"
    "1-0:42.7.0(00.000*kW)\r\n1-0:62.7.0(00.000*kW)\r\n0-1:24.1.0(003)\r\n"
    "0-1:96.1.0(4730303838313233343536373839303233)\r\n"
    "0-1:24.2.1(260115100000W)(06543.219*m3)\r\n!";

/* Writes the next telegram; its energy is a number of Wh that a float holds exactly. */
static size_t make_telegram(char out[static TELEGRAM_MAX])
{
    unsigned wh = 4321000 + ++probe.serial;
    snprintf(probe.token, sizeof probe.token, ":%u,", wh);
    snprintf(probe.raw_token, sizeof probe.raw_token, "(%06u.%03u*", wh / 1000, wh % 1000);
    int n = snprintf(out, TELEGRAM_MAX, telegram_format, wh / 1000, wh % 1000);
    unsigned crc = crc16_update(CRC16_ARC_INIT, (const uint8_t *)out, (size_t)n);
    n += snprintf(out + n, TELEGRAM_MAX - (size_t)n, "%04X\r\n", crc);
    return (size_t)n;
}

static void write_all(int fd, const char *p, size_t n)
{
    if (write(fd, p, n) != (ssize_t)n)
        die("write to the pseudo-terminal");
}

/* Sends it as a serial line would; returns when its last bytes left. */
static uint64_t send_telegram(const struct lane *l)
{
    char text[TELEGRAM_MAX];
    size_t n = make_telegram(text), at = 0;
    uint64_t next_ns = clock_ns();
    for (; n - at > PIECE; at += PIECE) {
        write_all(l->tty, text + at, PIECE);
        next_ns += PIECE_NS;
        sleep_until_ns(next_ns);
    }
    uint64_t sent_ns = clock_ns();
    write_all(l->tty, text + at, n - at);
    return sent_ns;
}

/* --- MQTT ------------------------------------------------------------------------------------- */

static void on_message(struct mosquitto *m, void *context, const struct mosquitto_message *message)
{
    uint64_t now_ns = clock_ns();
    size_t n = (size_t)message->payloadlen;
    (void)m;
    (void)context;
    if (memmem(message->payload, n, probe.token, strlen(probe.token)) ||
        memmem(message->payload, n, probe.raw_token, strlen(probe.raw_token)))
        probe.arrived_ns = now_ns;
}

static void on_subscribed(struct mosquitto *m, void *context, int id, int n, const int *granted)
{
    (void)m;
    (void)context;
    (void)id;
    (void)n;
    (void)granted;
    probe.subscribed = true;
}

static void subscribe(int port)
{
    mosquitto_lib_init();
    probe.broker = mosquitto_new("probe", true, NULL);
    if (!probe.broker)
        fail("mosquitto_new");
    mosquitto_message_callback_set(probe.broker, on_message);
    mosquitto_subscribe_callback_set(probe.broker, on_subscribed);
    mosquitto_int_option(probe.broker, MOSQ_OPT_TCP_NODELAY, 1);
    if (mosquitto_connect(probe.broker, "127.0.0.1", port, 60) != MOSQ_ERR_SUCCESS ||
        mosquitto_subscribe(probe.broker, NULL, "#", 0) != MOSQ_ERR_SUCCESS)
        fail("no broker");
    for (int i = 0; i < 100 && !probe.subscribed; i++)
        mosquitto_loop(probe.broker, 20, 1);
}

/* Also keeps the connection alive. */
static void await_message(uint64_t until_ns)
{
    while (!probe.arrived_ns && clock_ns() < until_ns) {
        struct pollfd p = {.fd = mosquitto_socket(probe.broker), .events = POLLIN};
        if (poll(&p, 1, 100) > 0 && mosquitto_loop_read(probe.broker, 1) != MOSQ_ERR_SUCCESS)
            fail("the broker is gone");
        if (mosquitto_want_write(probe.broker))
            mosquitto_loop_write(probe.broker, 1);
        mosquitto_loop_misc(probe.broker);
    }
}

/* --- Modbus ----------------------------------------------------------------------------------- */

/* False: an exception. */
static bool read_registers(struct lane *l, uint8_t out[static REGISTER_BYTES])
{
    l->transaction++;
    const uint8_t request[12] = {(uint8_t)(l->transaction >> 8),
                                 (uint8_t)l->transaction,
                                 [5] = 6,
                                 [6] = 1,
                                 [7] = 3,
                                 [8] = (uint8_t)(probe.address >> 8),
                                 [9] = (uint8_t)probe.address,
                                 [11] = 2};
    uint8_t answer[9 + REGISTER_BYTES];
    size_t received = 0, expected = sizeof answer;
    if (send(l->modbus_fd, request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request)
        die("send");
    while (received < expected) {
        ssize_t n = recv(l->modbus_fd, answer + received, expected - received, 0);
        if (n <= 0)
            die("the server closed a connection");
        received += (size_t)n;
        expected = received >= 9 && answer[7] & 0x80 ? 9 : sizeof answer;
    }
    memcpy(out, answer + 9, REGISTER_BYTES);
    return expected == sizeof answer;
}

static void await_registers(struct lane *l, uint64_t until_ns)
{
    uint8_t now[REGISTER_BYTES];
    while (!probe.arrived_ns && clock_ns() < until_ns)
        if (read_registers(l, now) && memcmp(now, l->registers, sizeof now) != 0)
            probe.arrived_ns = clock_ns();
    if (probe.arrived_ns)
        memcpy(l->registers, now, sizeof now);
}

/* --- samples ---------------------------------------------------------------------------------- */

/* Microseconds; below 0: it did not come. */
static double sample(struct lane *l, int timeout_ms)
{
    probe.arrived_ns = 0;
    uint64_t sent_ns = send_telegram(l);
    uint64_t until_ns = sent_ns + (uint64_t)timeout_ms * 1000000;
    if (probe.broker)
        await_message(until_ns);
    else
        await_registers(l, until_ns);
    /* of changing length, so that nobody's timers fall into step */
    sleep_until_ns(clock_ns() + PAUSE_NS + probe.serial * 977 % 3000 * 1000);
    return probe.arrived_ns ? (double)(probe.arrived_ns - sent_ns) / 1e3 : -1;
}

/* The first value may take seconds, until the peer has found its meter. */
static void settle(struct lane *l)
{
    uint64_t until_ns = clock_ns() + (uint64_t)PATIENCE_MS * 1000000;
    while (sample(l, 200) < 0)
        if (clock_ns() > until_ns)
            fail("a peer shows no value");
    for (int i = 0; i < SETTLE; i++)
        (void)sample(l, TIMEOUT_MS);
}

static void open_lane(struct lane *l, const char *link)
{
    struct termios t;
    l->tty = posix_openpt(O_RDWR | O_NOCTTY);
    if (l->tty < 0 || grantpt(l->tty) < 0 || unlockpt(l->tty) < 0)
        die("pseudo-terminal");
    l->held_open = open(ptsname(l->tty), O_RDWR | O_NOCTTY);
    if (l->held_open < 0 || tcgetattr(l->held_open, &t) < 0)
        die("pseudo-terminal");
    cfmakeraw(&t);
    tcsetattr(l->held_open, TCSANOW, &t);
    unlink(link);
    if (symlink(ptsname(l->tty), link) < 0)
        die(link);
}

static void open_lanes(int n, char **texts, int ports[])
{
    for (int i = 0; i < n; i++) {
        char *colon = strrchr(texts[i], ':');
        if (!probe.broker && !colon)
            fail("Modbus needs LINK:PORT");
        if (!probe.broker) {
            *colon = 0;
            ports[i] = (int)number_argument(colon + 1, "port: 1 to 65535", 1, 65535);
        }
        open_lane(&probe.lanes[i], texts[i]);
    }
    probe.lanes_n = n;
}

static void run(int samples)
{
    for (int i = 0; i < probe.lanes_n; i++)
        settle(&probe.lanes[i]);
    for (int s = 0; s < samples; s++) {
        for (int i = 0; i < probe.lanes_n; i++)
            printf("%s%.1f", i ? " " : "", sample(&probe.lanes[i], TIMEOUT_MS));
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    int ports[LANES_MAX] = {0};
    if (argc < 5 || argc > 4 + LANES_MAX)
        fail(
            "usage: latency_probe mqtt PORT SAMPLES LINK... | modbus ADDRESS SAMPLES LINK:PORT...");
    long number = number_argument(argv[2], "port or address: 0 to 65535", 0, 65535);
    if (strcmp(argv[1], "mqtt") == 0)
        subscribe((int)number);
    else
        probe.address = (uint16_t)number;
    open_lanes(argc - 4, argv + 4, ports);
    printf("ready\n");
    fflush(stdout);
    (void)getchar(); /* the peers are started now */
    for (int i = 0; i < probe.lanes_n && !probe.broker; i++)
        probe.lanes[i].modbus_fd = loopback_connect(ports[i]);
    run((int)number_argument(argv[3], "samples: 1 to 100000", 1, 100000));
}
