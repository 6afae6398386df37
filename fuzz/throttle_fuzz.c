/* throttle_fuzz.c - any logins by any addresses, and any bytes as the locks that were kept: no lock is longer than an
 * hour, nobody who is locked is let in, nobody is known for what a neighbour of his /64 did, nobody who is known is
 * locked for it, and what is written reads as the same.
 *
 *   n 1 | { what 1, address 1, pause 2 } n times | kept text
 */
#include "gateway/throttle.h"

#include "fuzz.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
    STEP = 4,
    FILLS_MAX = 1,
    NEIGHBOUR = 8,
    HOUR_MS = THROTTLE_LONGEST_LOCK_S * 1000,
    PAUSE_MS = 20
};

/* IPv4, a link-local address, one of a /64 of its own or of one with neighbours, and IPv4 in IPv6. */
static struct sockaddr_storage address_of(uint8_t number)
{
    static const uint8_t prefix[4][16] = {
        {0}, {0xFE, 0x80}, {0x20, 0x01, 0x0D, 0xB8}, {[10] = 0xFF, [11] = 0xFF, [12] = 192}};
    struct sockaddr_storage address = {0};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    const struct sockaddr_in four = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(0x0A000000u + number)};
    memcpy(&six.sin6_addr, prefix[number & 3], 16);
    if (number & 4)
        six.sin6_addr.s6_addr[7] = number;
    else
        six.sin6_addr.s6_addr[15] = number / NEIGHBOUR;
    if (number & 3)
        memcpy(&address, &six, sizeof six);
    else
        memcpy(&address, &four, sizeof four);
    return address;
}

/* Has this number neighbours in its /64, none of whose addresses is written like it? */
static bool has_neighbours(uint8_t number)
{
    return (number & 7) == 2 && number / NEIGHBOUR >= 2;
}

/* A failure, perhaps with a lock: that of the /64 is everybody's in it but of who is known. */
static void fail(struct throttle *t, uint8_t number, int64_t now_ms)
{
    const struct sockaddr_storage address = address_of(number),
                                  neighbour = address_of(number ^ NEIGHBOUR);
    bool neighbour_is_known = throttle_is_known(t, &neighbour),
         locked = throttle_failed(t, &address, now_ms);
    int64_t locked_ms = throttle_locked_ms(t, &address, now_ms);
    demand(locked == (locked_ms > 0));
    demand(!locked || !throttle_is_known(t, &address));
    if (has_neighbours(number) && neighbour_is_known)
        demand(throttle_is_known(t, &neighbour) && !throttle_locked_ms(t, &neighbour, now_ms));
    else if (has_neighbours(number) && locked)
        demand(throttle_locked_ms(t, &neighbour, now_ms) == locked_ms);
}

/* The table is full of a crowd that failed so often each. */
static void fill(struct throttle *t, int failures, int64_t now_ms)
{
    char text[THROTTLE_TEXT_MAX];
    size_t length = 0;
    for (unsigned i = 0; i < THROTTLE_ADDRESSES; i++)
        length +=
            (size_t)snprintf(text + length, sizeof text - length,
                             "00000000000000000000ffff0b00%04x %d %u\n", i, failures, i % 3 * 60);
    demand(throttle_read(t, now_ms, text) == THROTTLE_ADDRESSES);
}

static void step(struct throttle *t, int *fills, uint8_t what, uint8_t number, int64_t now_ms)
{
    const struct sockaddr_storage address = address_of(number),
                                  neighbour = address_of(number ^ NEIGHBOUR);
    bool neighbour_was_known = throttle_is_known(t, &neighbour);
    int64_t locked_ms = throttle_locked_ms(t, &address, now_ms),
            wait_ms = throttle_ask(t, &address, now_ms);
    demand(locked_ms >= 0 && locked_ms <= HOUR_MS && wait_ms >= 0);
    demand(locked_ms == 0 || (wait_ms == locked_ms && !throttle_is_known(t, &address)));
    if (what % 8 == 7 && *fills < FILLS_MAX) {
        fill(t, THROTTLE_FREE_FAILURES + what / 64, now_ms);
        (*fills)++;
    } else if (what & 1) {
        fail(t, number, now_ms);
    } else if (what & 2) {
        throttle_passed(t, &address);
        demand(throttle_is_known(t, &address) && throttle_locked_ms(t, &address, now_ms) == 0);
    }
    demand(neighbour_was_known || !throttle_is_known(t, &neighbour));
}

static void demand_kept(const struct throttle *t, int64_t now_ms)
{
    static char text[THROTTLE_TEXT_MAX], again[THROTTLE_TEXT_MAX], part[100];
    static struct throttle read;
    size_t length = throttle_write(t, now_ms, text, sizeof text), lines = 0;
    demand(length < sizeof text && text[length] == 0);
    for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    demand(throttle_write(t, now_ms, part, sizeof part) < sizeof part &&
           memchr(part, 0, sizeof part));
    throttle_init(&read);
    demand(throttle_read(&read, now_ms, text) == lines);
    demand(throttle_write(&read, now_ms, again, sizeof again) == length && strlen(again) == length);
}

static void try_text(const uint8_t *data, size_t size, int64_t now_ms)
{
    static struct throttle t;
    char *text = text_of_input(data, size);
    throttle_init(&t);
    (void)throttle_read(&t, now_ms, text);
    for (int i = 0; i < THROTTLE_ADDRESSES; i++)
        demand(t.entries[i].locked_until_ms <= now_ms + HOUR_MS &&
               t.entries[i].failures <= THROTTLE_MOST_FAILURES);
    demand_kept(&t, now_ms);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct throttle t;
    int64_t now_ms = 1000000;
    int fills = 0;
    if (size < 1)
        return 0;
    size_t steps = data[0];
    throttle_init(&t);
    for (data++, size--; steps && size >= STEP; steps--, data += STEP, size -= STEP) {
        now_ms += (int64_t)(data[2] << 8 | data[3]) * PAUSE_MS;
        step(&t, &fills, data[0], data[1], now_ms);
    }
    demand_kept(&t, now_ms);
    try_text(data, size, now_ms);
    return 0;
}
