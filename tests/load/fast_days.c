/* fast_days.c - days of a gateway in minutes: sets the gateway's clock a second on, is its meter, its Modbus client and
 * the store behind its broker, and waits for all of them before the next second.
 *
 *   fast_days CLOCK          a file with struct steering, see steered_clock.c
 *
 * Prints "ready PORT", where the meter is.  Then takes lines:
 *
 *   begin MODBUS PID         the gateway is there, its clock stands
 *   hear PORT                there is a broker at this port: subscribes, and waits until that is done
 *   deaf                     there is none any more
 *   away                     the gateway may not reach it; it is waited for again once a live reading has come
 *   run N                    N seconds, each with a telegram
 *   silent N                 N seconds without
 *   settle N                 seconds with a telegram until all that were sent have arrived, N at most
 *   forgive N                so many will never arrive
 *
 * and answers each with: telegrams sent, readings that arrived, of these late, those that came twice, reads of Modbus.
 * What is not as it should be ends it with a line.
 */
#include "loopback.h"
#include "marked.h"
#include "steering.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <mosquitto.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    S_NS = 1000000000,
    MS_NS = 1000000,
    STEPS = 20, /* the pace of late readings */
    TELEGRAMS_MAX = 4000000,
    /* of real time: */
    WORK_MS = 20,       /* what a worker of the gateway may take before the clock goes on */
    PATIENCE_MS = 20000 /* the machine may do much else */
};

static const size_t power_at = 2 * 0x16, phases_at = 2 * 0x1E; /* in an answer from 0x8000 */

static struct days {
    struct steering *clock;
    int listener, meter_fd, modbus_fd, stat_fd;
    struct mosquitto *store; /* NULL: there is no broker */
    bool subscribed, following;
    unsigned n, arrived, forgiven, late, twice, last_live, last_late;
    long reads;
    int64_t *said_s; /* by telegram: when the meter said it was */
    bool *has;       /* by telegram: it has arrived */
} days;

static int64_t wall_s(void)
{
    return (days.clock->now_ns + days.clock->ahead_ns) / S_NS;
}

static bool is_late(uint64_t begin_ns)
{
    return clock_ns() - begin_ns > (uint64_t)PATIENCE_MS * MS_NS;
}

/* --- the store --------------------------------------------------------------------------------- */

static long number_behind(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    if (!at)
        fail(name);
    return strtol(at + strlen(name), NULL, 10);
}

/* Newer than all before of its topic, unless it is one that came already. */
static void take(unsigned n, bool late)
{
    unsigned *last = late ? &days.last_late : &days.last_live;
    if (days.has[n]) {
        days.twice++;
        return;
    }
    if (n < *last)
        fail("a reading came after a newer one");
    days.has[n] = true;
    days.arrived++;
    days.late += late;
    *last = n;
    days.following = days.following || (!late && n == days.n);
}

static void on_message(struct mosquitto *store, void *context, const struct mosquitto_message *m)
{
    char text[MARKED_MAX];
    (void)store;
    (void)context;
    const char *topic = strstr(m->topic, "/data/power_instant");
    if (!topic)
        return;
    snprintf(text, sizeof text, "%.*s", m->payloadlen, (const char *)m->payload);
    unsigned n = (unsigned)number_behind(text, "\"E_IMPORT\":");
    if (n < 1 || n > days.n || number_behind(text, "\"ts\":") != days.said_s[n] ||
        number_behind(text, "\"P\":") != n % MARKED_POWERS ||
        number_behind(text, "\"E_EXPORT\":") != n)
        fail("a reading was never sent, or is of two telegrams");
    take(n, strstr(topic, "_late") != NULL);
}

static void on_subscribe(struct mosquitto *store, void *context, int id, int n, const int *granted)
{
    (void)store;
    (void)context;
    (void)id;
    (void)n;
    (void)granted;
    days.subscribed = true;
}

/* Takes what is there. */
static void listen_to_store(void)
{
    unsigned before;
    if (!days.store)
        return;
    do {
        before = days.arrived + days.twice;
        if (mosquitto_loop(days.store, 0, 1) != MOSQ_ERR_SUCCESS)
            fail("the store lost the broker");
    } while (days.arrived + days.twice != before);
}

static void wait_for_store(void)
{
    struct pollfd p = {.fd = mosquitto_socket(days.store), .events = POLLIN};
    poll(&p, 1, 1);
    listen_to_store();
}

static void hear(int port)
{
    days.store = mosquitto_new(NULL, true, NULL);
    if (!days.store)
        fail("mosquitto_new");
    mosquitto_message_callback_set(days.store, on_message);
    mosquitto_subscribe_callback_set(days.store, on_subscribe);
    if (mosquitto_connect(days.store, "127.0.0.1", port, 3600) != MOSQ_ERR_SUCCESS)
        fail("no broker");
    while (mosquitto_subscribe(days.store, NULL, "#", 1) != MOSQ_ERR_SUCCESS)
        mosquitto_loop(days.store, 20, 1);
    for (days.subscribed = false; !days.subscribed;)
        mosquitto_loop(days.store, 20, 1);
}

static void deaf(void)
{
    listen_to_store();
    mosquitto_destroy(days.store);
    days.store = NULL;
    days.following = false;
}

/* --- the charger ------------------------------------------------------------------------------- */

static void receive_all(uint8_t *to, size_t n)
{
    if (recv(days.modbus_fd, to, n, MSG_WAITALL) != (ssize_t)n)
        die("the gateway closed the connection of Modbus");
}

/* The low word comes first. */
static float float_at(const uint8_t *p)
{
    uint32_t bits = (uint32_t)p[2] << 24 | (uint32_t)p[3] << 16 | (uint32_t)p[0] << 8 | p[1];
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The power of the telegram all values are of; -1: it is not served as live. */
static long read_registers(void)
{
    static const uint8_t request[12] = {[5] = 6, [6] = 1, [7] = 3, [8] = 0x80, [11] = 125};
    uint8_t head[9], data[250];
    if (send(days.modbus_fd, request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request)
        die("send to Modbus");
    receive_all(head, sizeof head);
    days.reads++;
    if (head[7] == 0x83 && head[8] == 0x0B)
        return -1;
    if (head[7] != 3 || head[8] != sizeof data)
        fail("no answer of Modbus");
    receive_all(data, sizeof data);
    for (size_t i = 0; i < 3; i++)
        if (memcmp(data + phases_at + 4 * i, data + power_at, 4) != 0)
            fail("an answer of Modbus mixes two telegrams");
    return (long)float_at(data + power_at);
}

/* --- the time ---------------------------------------------------------------------------------- */

static int threads(void)
{
    char text[1024];
    ssize_t n = pread(days.stat_fd, text, sizeof text - 1, 0);
    if (n <= 0)
        fail("the gateway has ended");
    text[n] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; at && field < 20; field++)
        at = strchr(at + 1, ' ');
    return at ? (int)strtol(at, NULL, 10) : 0;
}

static void send_telegram(void)
{
    char text[MARKED_MAX];
    if (++days.n == TELEGRAMS_MAX)
        fail("too many days");
    days.said_s[days.n] = wall_s();
    size_t length = marked_write(text, days.n, wall_s());
    if (send(days.meter_fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
        die("send to the gateway as its meter");
}

static void wait_for_workers(uint64_t begin_ns)
{
    while (threads() > 1 && clock_ns() - begin_ns < (uint64_t)WORK_MS * MS_NS)
        usleep(50);
}

/* Until the telegram is in the registers, and the store has it, or the disk if there is no broker. */
static void wait_for_gateway(void)
{
    uint64_t begin_ns = clock_ns();
    while (read_registers() != days.n % MARKED_POWERS)
        if (is_late(begin_ns))
            fail("a telegram does not come to the registers");
    if (!days.following)
        wait_for_workers(begin_ns);
    listen_to_store();
    while (days.following && days.last_live < days.n) {
        wait_for_store();
        if (is_late(begin_ns))
            fail("readings do not come to the store");
    }
}

static void advance(int64_t ns)
{
    __atomic_store_n(&days.clock->now_ns, days.clock->now_ns + ns, __ATOMIC_RELEASE);
}

static void second(bool with_telegram)
{
    advance(S_NS);
    if (with_telegram) {
        send_telegram();
        wait_for_gateway();
    } else {
        read_registers();
        listen_to_store();
    }
}

/* For what the gateway does more often than once a second. */
static void second_in_steps(void)
{
    for (int i = 1; i < STEPS; i++) {
        advance(S_NS / STEPS);
        read_registers();
        wait_for_workers(clock_ns());
        listen_to_store();
    }
    advance(S_NS / STEPS);
    send_telegram();
    wait_for_gateway();
}

/* --- what is asked ----------------------------------------------------------------------------- */

static void begin(long modbus, long pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    days.stat_fd = open(path, O_RDONLY | O_CLOEXEC);
    days.meter_fd = loopback_accept(days.listener);
    days.modbus_fd = loopback_connect((int)modbus);
    if (days.stat_fd < 0)
        die(path);
}

static void run(long seconds, bool with_telegram)
{
    while (seconds-- > 0)
        second(with_telegram);
}

static void settle(long seconds)
{
    while (days.arrived + days.forgiven < days.n && seconds-- > 0)
        second_in_steps();
}

static void obey(const char *line)
{
    long a = 0, b = 0;
    char word[16] = "";
    if (sscanf(line, "%15s %ld %ld", word, &a, &b) < 1)
        fail("an empty line");
    if (strcmp(word, "begin") == 0)
        begin(a, b);
    else if (strcmp(word, "hear") == 0)
        hear((int)a);
    else if (strcmp(word, "deaf") == 0)
        deaf();
    else if (strcmp(word, "away") == 0)
        days.following = false;
    else if (strcmp(word, "forgive") == 0)
        days.forgiven += (unsigned)a;
    else if (strcmp(word, "settle") == 0)
        settle(a);
    else if (strcmp(word, "run") == 0 || strcmp(word, "silent") == 0)
        run(a, word[0] == 'r');
    else
        fail(word);
    printf("%u %u %u %u %ld\n", days.n, days.arrived, days.late, days.twice, days.reads);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[128];
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        fail("usage: fast_days CLOCK");
    days.clock = mmap(NULL, sizeof *days.clock, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    days.said_s = calloc(TELEGRAMS_MAX, sizeof *days.said_s);
    days.has = calloc(TELEGRAMS_MAX, sizeof *days.has);
    days.listener = loopback_listen(0);
    if (days.clock == MAP_FAILED || !days.said_s || !days.has ||
        getsockname(days.listener, (struct sockaddr *)&address, &size) < 0)
        die("begin");
    mosquitto_lib_init();
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin))
        obey(line);
}
