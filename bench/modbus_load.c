/* modbus_load.c - a closed loop of Modbus TCP reads: each client sends its next request when the answer
 * to the one before is there, and checks every answer.
 *
 *   modbus_load PORT CLIENTS ADDRESS REGISTERS ms T       after a short warm-up, for T ms
 *   modbus_load PORT CLIENTS ADDRESS REGISTERS count N    exactly N requests, all clients together
 *   modbus_load PORT CLIENTS ADDRESS REGISTERS paced T [RATE]
 *                                                         for T ms, no closed loop: RATE requests/s (160), the clients
 *                                                         in turn, each measured from the moment it was due
 *
 * Prints: requests/s, p50, p90, p99 and the longest of the round trip in microseconds.
 */
#include "loopback.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 64,
    ANSWER_MAX = 260,
    LATENCIES_MAX = 1 << 22,
    WARM_UP_MS = 60,
    STALL_MS = 2000,
    RATE = 160 /* 8 clients with 20 requests/s each */
};

struct client {
    int fd;
    uint16_t transaction;
    uint64_t sent_ns;
    uint64_t due_ns; /* the next request, when paced */
    bool waits;      /* for an answer */
    size_t received;
    uint8_t answer[ANSWER_MAX];
};

static struct load {
    uint16_t address, registers;
    int clients_n, epoll_fd;
    long limit; /* ms or requests, see end_ns */
    long sent, answered;
    int waiting;               /* for answers, when paced */
    uint64_t begin_ns, end_ns; /* what counts; end 0: `limit` requests */
    size_t latencies_n;
    uint32_t latencies_ns[LATENCIES_MAX];
    struct client clients[CLIENTS_MAX];
} load;

static size_t answer_length(void)
{
    return 9 + 2 * (size_t)load.registers;
}

static void send_request(struct client *c)
{
    c->transaction++;
    const uint8_t request[12] = {(uint8_t)(c->transaction >> 8),
                                 (uint8_t)c->transaction,
                                 [5] = 6,
                                 [6] = 1,
                                 [7] = 3,
                                 [8] = (uint8_t)(load.address >> 8),
                                 [9] = (uint8_t)load.address,
                                 [11] = (uint8_t)load.registers};
    c->received = 0;
    c->sent_ns = clock_ns();
    load.sent++;
    if (send(c->fd, request, sizeof request, MSG_NOSIGNAL) != (ssize_t)sizeof request)
        die("send");
}

static void check_answer(const struct client *c)
{
    const uint8_t head[9] = {(uint8_t)(c->transaction >> 8),
                             (uint8_t)c->transaction,
                             [4] = (uint8_t)((answer_length() - 6) >> 8),
                             [5] = (uint8_t)(answer_length() - 6),
                             [6] = 1,
                             [7] = 3,
                             [8] = (uint8_t)(2 * load.registers)};
    if (c->received != answer_length() || memcmp(c->answer, head, sizeof head) != 0)
        fail("an answer is not the one to the request");
}

/* True when the answer is complete. */
static bool receive_some(struct client *c, int flags)
{
    ssize_t n = recv(c->fd, c->answer + c->received, sizeof c->answer - c->received, flags);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        die("the server closed a connection");
    c->received += (size_t)n;
    if (c->received >= 9 && c->answer[7] & 0x80)
        fail("the server answered with an exception");
    return c->received >= answer_length();
}

static void note_latency(const struct client *c, uint64_t now_ns)
{
    if (now_ns < load.begin_ns || (load.end_ns && now_ns > load.end_ns))
        return;
    load.answered++;
    if (load.latencies_n < LATENCIES_MAX)
        load.latencies_ns[load.latencies_n++] = (uint32_t)(now_ns - c->sent_ns);
}

/* Takes a complete answer; sends the next request unless the run is over. */
static void take_answer(struct client *c)
{
    uint64_t now_ns = clock_ns();
    check_answer(c);
    note_latency(c, now_ns);
    if (load.end_ns ? now_ns < load.end_ns : load.sent < load.limit)
        send_request(c);
    else
        load.clients_n--;
}

static void run_one(struct client *c)
{
    send_request(c);
    while (load.clients_n) {
        while (!receive_some(c, 0))
            ;
        take_answer(c);
    }
}

static void run_many(void)
{
    struct epoll_event events[CLIENTS_MAX];
    for (int i = 0, n = load.clients_n; i < n; i++)
        send_request(&load.clients[i]);
    while (load.clients_n) {
        int n = epoll_wait(load.epoll_fd, events, CLIENTS_MAX, STALL_MS);
        if (n == 0)
            fail("no answer for 2 s");
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            if (receive_some(c, MSG_DONTWAIT))
                take_answer(c);
        }
    }
}

/* Sends what is due where a client is free: a request that is late because the one before was counts as late.  When
 * the next one is due. */
static uint64_t send_due(uint64_t period_ns)
{
    uint64_t now_ns = clock_ns(), next_ns = UINT64_MAX;
    for (int i = 0; i < load.clients_n; i++) {
        struct client *c = &load.clients[i];
        if (!c->waits && c->due_ns <= now_ns && c->due_ns < load.end_ns) {
            send_request(c);
            c->sent_ns = c->due_ns;
            c->due_ns += period_ns;
            c->waits = true;
            load.waiting++;
        }
        if (!c->waits && c->due_ns < next_ns)
            next_ns = c->due_ns;
    }
    return next_ns;
}

static void take_paced(struct client *c)
{
    if (!receive_some(c, MSG_DONTWAIT))
        return;
    check_answer(c);
    note_latency(c, clock_ns());
    c->waits = false;
    load.waiting--;
}

static int wait_until_ns(struct epoll_event events[static CLIENTS_MAX], uint64_t until_ns)
{
    uint64_t now_ns = clock_ns(), most_ns = (uint64_t)STALL_MS * 1000000;
    uint64_t wait_ns = until_ns <= now_ns            ? 0
                       : until_ns - now_ns < most_ns ? until_ns - now_ns
                                                     : most_ns;
    const struct timespec limit = {.tv_sec = (time_t)(wait_ns / 1000000000),
                                   .tv_nsec = (long)(wait_ns % 1000000000)};
    return epoll_pwait2(load.epoll_fd, events, CLIENTS_MAX, &limit, NULL);
}

static void run_paced(long rate)
{
    struct epoll_event events[CLIENTS_MAX];
    uint64_t pace_ns = 1000000000 / (uint64_t)rate;
    for (int i = 0; i < load.clients_n; i++)
        load.clients[i].due_ns = load.begin_ns + (uint64_t)i * pace_ns;
    for (;;) {
        uint64_t next_ns = send_due(pace_ns * (uint64_t)load.clients_n);
        if (next_ns >= load.end_ns && load.waiting == 0)
            return;
        int n = wait_until_ns(events, next_ns);
        if (n == 0 && load.waiting && clock_ns() < next_ns)
            fail("no answer for 2 s");
        for (int i = 0; i < n; i++)
            take_paced(events[i].data.ptr);
    }
}

static void connect_clients(int port)
{
    load.epoll_fd = loopback_epoll();
    for (int i = 0; i < load.clients_n; i++) {
        struct client *c = &load.clients[i];
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        c->fd = loopback_connect(port);
        if (epoll_ctl(load.epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
            die("epoll");
    }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Of sorted latencies. */
static double percentile_us(size_t percent)
{
    size_t i = load.latencies_n * percent / 100;
    return load.latencies_ns[i] / 1e3;
}

static void print_result(double seconds)
{
    if (load.latencies_n == 0)
        fail("no answer in time");
    qsort(load.latencies_ns, load.latencies_n, sizeof load.latencies_ns[0], by_value);
    printf("%.1f %.2f %.2f %.2f %.2f\n", (double)load.answered / seconds, percentile_us(50),
           percentile_us(90), percentile_us(99), load.latencies_ns[load.latencies_n - 1] / 1e3);
}

int main(int argc, char **argv)
{
    if (argc != 7 && argc != 8)
        fail("usage: modbus_load PORT CLIENTS ADDRESS REGISTERS ms|count|paced N [RATE]");
    int port = (int)number_argument(argv[1], "port: 1 to 65535", 1, 65535);
    load.clients_n = (int)number_argument(argv[2], "clients: 1 to 64", 1, CLIENTS_MAX);
    load.address = (uint16_t)number_argument(argv[3], "address: 0 to 65535", 0, 65535);
    load.registers = (uint16_t)number_argument(argv[4], "registers: 1 to 125", 1, 125);
    load.limit = number_argument(argv[6], "ms or count: 1 to 1000000", 1, 1000000);
    /* touched before, so that no page fault falls into the measurement */
    memset(load.latencies_ns, 1, sizeof load.latencies_ns);
    connect_clients(port);
    load.begin_ns = clock_ns();
    bool paced = strcmp(argv[5], "paced") == 0;
    if (paced || strcmp(argv[5], "ms") == 0) {
        load.begin_ns += (uint64_t)WARM_UP_MS * 1000000;
        load.end_ns = load.begin_ns + (uint64_t)load.limit * 1000000;
    }
    if (paced)
        run_paced(argc == 8 ? number_argument(argv[7], "rate: 1 to 1000000", 1, 1000000) : RATE);
    else if (load.clients_n == 1)
        run_one(&load.clients[0]);
    else
        run_many();
    print_result((double)((load.end_ns ? load.end_ns : clock_ns()) - load.begin_ns) / 1e9);
}
