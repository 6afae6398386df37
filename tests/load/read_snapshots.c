/* read_snapshots.c - reads 125 registers again and again; all values of an answer must be of one telegram.
 *
 *   read_snapshots PORT READS DEPTH      so many requests are on their way at a time
 *
 * The register map is that of snapshot_map.csv: 32-bit numbers, all the number of a telegram of feed_meter, from the
 * first register to the last.  Prints: reads, telegrams seen, reads in which two values differed, reads of an older
 * telegram than the one before.
 */
#include "loopback.h"
#include "marked.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    REGISTERS = 125,
    HEAD = 9,
    ANSWER = HEAD + 2 * REGISTERS,
    DEPTH_MAX = 64,
    LAST = HEAD + 2 * (REGISTERS - 2),
    GAP = 122
};

static struct reader {
    int fd;
    uint16_t sent, taken; /* transactions */
    bool began;
    uint32_t last;
    long telegrams, torn, back;
} reader;

static void request(void)
{
    uint16_t t = ++reader.sent;
    const uint8_t bytes[12] = {
        (uint8_t)(t >> 8), (uint8_t)t, [5] = 6, [6] = 1, [7] = 3, [11] = REGISTERS};
    if (send(reader.fd, bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes)
        die("send");
}

static uint32_t value_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The pair of the first and the last two registers, and all between but the one that is left over. */
static bool is_whole(const uint8_t *answer)
{
    uint32_t n = value_at(answer + HEAD);
    for (const uint8_t *p = answer + HEAD; p < answer + HEAD + 2 * GAP; p += 4)
        if (value_at(p) != n)
            return false;
    return value_at(answer + LAST) == n;
}

static void judge(const uint8_t *answer)
{
    uint16_t t = ++reader.taken;
    const uint8_t head[HEAD] = {
        (uint8_t)(t >> 8), (uint8_t)t, [5] = ANSWER - 6, [6] = 1, [7] = 3, [8] = 2 * REGISTERS};
    if (memcmp(answer, head, sizeof head) != 0)
        fail("an answer is not the one to the request");
    uint32_t n = value_at(answer + HEAD);
    uint32_t step = (n + MARKED_POWERS - reader.last) % MARKED_POWERS;
    reader.torn += !is_whole(answer);
    reader.back += reader.began && step > MARKED_POWERS / 2;
    reader.telegrams += !reader.began || step != 0;
    reader.last = n;
    reader.began = true;
}

int main(int argc, char **argv)
{
    static uint8_t bytes[DEPTH_MAX * ANSWER];
    size_t have = 0;
    if (argc != 4)
        fail("usage: read_snapshots PORT READS DEPTH");
    reader.fd = loopback_connect((int)number_argument(argv[1], "port: 1 to 65535", 1, 65535));
    long reads = number_argument(argv[2], "reads: 1 to 10^9", 1, 1000000000), left = reads;
    long begun = number_argument(argv[3], "depth: 1 to 64", 1, DEPTH_MAX);
    for (long i = 0; i < begun; i++)
        request();
    while (left > 0) {
        ssize_t n = recv(reader.fd, bytes + have, sizeof bytes - have, 0);
        if (n <= 0)
            die("the server closed the connection");
        have += (size_t)n;
        size_t at = 0;
        for (; have - at >= ANSWER && left > 0; at += ANSWER, left--) {
            if (bytes[at + 7] & 0x80)
                fail("the server answered with an exception");
            judge(bytes + at);
            if (begun++ < reads)
                request();
        }
        have -= at;
        memmove(bytes, bytes + at, have);
    }
    printf("%ld %ld %ld %ld\n", reads, reader.telegrams, reader.torn, reader.back);
}
