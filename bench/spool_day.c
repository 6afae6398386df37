/* spool_day.c - what a day without a broker costs: a reading each second, kept ten at a time.
 *
 *   spool_day FOLDER [READINGS]     FOLDER: an empty one, on a real disk
 *
 * Prints a line of figures, "name=value" each: the bytes of the day's messages, of file and log at its end, and
 * those written on the way; the milliseconds of an append, the mean and the longest, of opening all of it again,
 * and of reading and removing a batch; the KiB of memory that the open spool takes, SQLite's code included.
 *
 * The house is the simulated one with three phases and a DSMR 5 meter.
 */
#include "core/derive.h"
#include "core/messages.h"
#include "core/p1.h"
#include "loopback.h"
#include "sim.h"
#include "spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DAY = 86400, BATCH = 10 };
#define START_S INT64_C(1780396069)
#define NS_PER_MS 1e6

struct bench {
    struct sim meter;
    struct p1_stream p1;
    struct reading reading;
    struct derive_state derive_state;
    int64_t now_s;
    uint64_t message_bytes, append_ns, longest_ns;
    struct spool_batch batch;
    uint8_t buffer[P1_TELEGRAM_MAX];
};

/* The number behind a word in a file of /proc/self. */
static int64_t own_figure(const char *path, const char *word)
{
    char line[200];
    long long number = -1;
    FILE *f = fopen(path, "r");
    if (!f)
        die(path);
    while (number < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, word, strlen(word)) == 0)
            number = strtoll(line + strlen(word), NULL, 10);
    fclose(f);
    return number;
}

static int64_t memory_kib(void)
{
    return own_figure("/proc/self/status", "VmRSS:");
}

static int64_t written_bytes(void)
{
    return own_figure("/proc/self/io", "write_bytes:");
}

/* The next second's message, behind the others of the batch. */
static void add_message(struct bench *b)
{
    static const struct derive_settings settings;
    uint8_t telegram[SIM_TELEGRAM_MAX];
    struct text_out out;
    enum p1_event event = P1_MORE;
    size_t length = sim_telegram(&b->meter, telegram, sizeof telegram);
    for (size_t used = 0; used < length && event == P1_MORE;)
        used += p1_feed(&b->p1, telegram + used, length - used, &event);
    if (event != P1_TELEGRAM)
        fail("the simulated telegram is not good");
    b->reading.received_s = b->now_s++;
    derive(&b->reading, &settings, &b->derive_state);
    text_init(&out, b->batch.texts + b->batch.length, sizeof b->batch.texts - b->batch.length);
    message_power_instant(&out, &b->reading);
    b->batch.length += strlen(b->batch.texts + b->batch.length) + 1;
    b->batch.count++;
    sim_advance(&b->meter, b->meter.profile->interval_ms);
}

static void append(struct bench *b, struct spool *s)
{
    char error[SPOOL_ERROR_MAX];
    uint64_t start_ns = clock_ns();
    if (!spool_append(s, &b->batch, b->now_s, NULL, error))
        fail(error);
    uint64_t took_ns = clock_ns() - start_ns;
    b->append_ns += took_ns;
    if (took_ns > b->longest_ns)
        b->longest_ns = took_ns;
}

static void append_all(struct bench *b, struct spool *s, long batches)
{
    for (long i = 0; i < batches; i++) {
        b->batch.count = b->batch.length = 0;
        for (int n = 0; n < BATCH; n++)
            add_message(b);
        b->message_bytes += b->batch.length;
        append(b, s);
    }
}

static struct spool *open_spool(const char *folder)
{
    static const struct spool_limits limits = {.max_bytes = 64 << 20, .max_age_s = 365 * DAY};
    char error[SPOOL_ERROR_MAX];
    bool set_aside;
    struct spool *s = spool_open(folder, &limits, &set_aside, error);
    if (!s || set_aside)
        fail(s ? "the folder held a spool that was set aside" : error);
    return s;
}

/* As the broker's return does; how many there were. */
static long drain(struct bench *b, struct spool *s)
{
    char error[SPOOL_ERROR_MAX];
    for (long batches = 0;; batches++) {
        if (!spool_read(s, 0, &b->batch, error))
            fail(error);
        if (b->batch.id == 0)
            return batches;
        if (!spool_remove_through(s, b->batch.id, error))
            fail(error);
    }
}

int main(int argc, char **argv)
{
    static struct bench b;
    if (argc < 2)
        fail("usage: spool_day FOLDER [READINGS]");
    long batches =
        (argc > 2 ? number_argument(argv[2], "readings: 10 to 10000000", BATCH, 10000000) : DAY) /
        BATCH;
    b.now_s = START_S;
    sim_init(&b.meter, sim_profile_find("dsmr50"), 1, START_S);
    p1_init(&b.p1, &b.reading, b.buffer, sizeof b.buffer);

    int64_t memory_before = memory_kib(), written_before = written_bytes();
    struct spool *s = open_spool(argv[1]);
    append_all(&b, s, batches);
    int64_t memory = memory_kib() - memory_before, written = written_bytes() - written_before;
    int64_t kept_bytes = spool_get_counts(s).bytes;
    spool_close(s);

    uint64_t opening_ns = clock_ns();
    s = open_spool(argv[1]);
    opening_ns = clock_ns() - opening_ns;
    uint64_t drain_ns = clock_ns();
    if (drain(&b, s) != batches)
        fail("not all came back");
    drain_ns = clock_ns() - drain_ns;
    printf("readings=%ld message_bytes=%" PRIu64 " kept_bytes=%" PRId64 " written_bytes=%" PRId64
           " append_ms=%.2f append_max_ms=%.1f open_ms=%.1f drain_ms=%.2f emptied_bytes=%" PRId64
           " memory_kib=%" PRId64 "\n",
           batches * BATCH, b.message_bytes, kept_bytes, written,
           (double)b.append_ns / NS_PER_MS / (double)batches, (double)b.longest_ns / NS_PER_MS,
           (double)opening_ns / NS_PER_MS, (double)drain_ns / NS_PER_MS / (double)batches,
           spool_get_counts(s).bytes, memory);
    spool_close(s);
    return 0;
}
