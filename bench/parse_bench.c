/* parse_bench.c - what a telegram costs, from its bytes to all that is made of it.
 *
 *   parse_bench STAGE FILE count N     handles N telegrams, round and round: for counting tools
 *   parse_bench STAGE FILE ms T        handles telegrams for T ms; prints nanoseconds for one
 *
 * FILE holds 256 telegrams of equal length, as telegrams.py makes them.  Each stage does what those
 * before it do, too:
 *
 *   floor    finds the lines and computes the checksums, decodes nothing
 *   pieces   parses bytes as a serial line brings them, 16 at a time
 *   parse    parses whole telegrams: framing, checksums, every field
 *   derive   and computes what the meter does not send
 *   image    and renders the Modbus registers
 *   json     and prints the MQTT message
 */
#include "core/crc16.h"
#include "core/derive.h"
#include "core/messages.h"
#include "core/p1.h"
#include "core/register_image.h"
#include "core/tic.h"
#include "loopback.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TELEGRAMS = 256, PIECE = 16, P1_TAIL = 6 /* CRC, CR, LF */, FILE_MAX = 1 << 20 };

enum stage { FLOOR, PIECES, PARSE, DERIVE, IMAGE, JSON, STAGES };
static const char *const stage_names[STAGES] = {"floor",  "pieces", "parse",
                                                "derive", "image",  "json"};

struct bench {
    enum stage stage;
    size_t length; /* of one telegram */
    bool is_tic;
    int64_t now_ms;
    struct p1_stream p1;
    struct tic_stream tic;
    struct reading reading;
    struct derive_state derive_state;
    struct register_image image;
    struct text_out message;
    char text[MESSAGE_POWER_INSTANT_MAX];
    uint8_t buffer[P1_TELEGRAM_MAX];
    uint8_t bytes[FILE_MAX];
};

/* --- floors ----------------------------------------------------------------------------------- */

static unsigned count_lines(const uint8_t *p, const uint8_t *end)
{
    unsigned lines = 0;
    while ((p = memchr(p, '\n', (size_t)(end - p)))) {
        lines++;
        p++;
    }
    return lines;
}

static bool check_p1(const uint8_t *p, size_t n)
{
    char digits[5] = {0};
    memcpy(digits, p + n - P1_TAIL, 4);
    unsigned lines = count_lines(p, p + n);
    return lines > 2 && crc16_update(CRC16_ARC_INIT, p, n - P1_TAIL) == strtoul(digits, NULL, 16);
}

/* Sums of all groups, from behind LF to the tab before the checksum. */
static bool check_tic(const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n - 1;
    bool good = true;
    for (p++; p < end && *p == '\n';) {
        unsigned sum = 0;
        for (p++; *p != '\r'; p++)
            sum += *p;
        sum -= p[-1];
        good &= (sum & 0x3F) + 0x20 == p[-1];
        p++;
    }
    return good && p == end;
}

/* --- ours ------------------------------------------------------------------------------------- */

static bool feed_p1(struct bench *b, const uint8_t *p, size_t n)
{
    enum p1_event event = P1_MORE;
    for (size_t used = 0; used < n && event == P1_MORE;)
        used += p1_feed(&b->p1, p + used, n - used, &event);
    return event == P1_TELEGRAM;
}

static bool feed_tic(struct bench *b, const uint8_t *p, size_t n)
{
    enum tic_event event = TIC_MORE;
    for (size_t used = 0; used < n && event == TIC_MORE;)
        used += tic_feed(&b->tic, p + used, n - used, b->now_ms, &event);
    return event == TIC_FRAME;
}

static bool feed(struct bench *b, const uint8_t *p, size_t n)
{
    return b->is_tic ? feed_tic(b, p, n) : feed_p1(b, p, n);
}

static bool feed_pieces(struct bench *b, const uint8_t *p, size_t n)
{
    bool complete = false;
    for (size_t at = 0; at < n; at += PIECE)
        complete |= feed(b, p + at, n - at < PIECE ? n - at : PIECE);
    return complete;
}

static void make_outputs(struct bench *b)
{
    static const struct derive_settings settings;
    static const struct register_device identity = {.serial = "123456", .firmware = 1 << 16};
    const struct register_map *map = register_map_at(0);
    if (b->stage >= DERIVE)
        derive(&b->reading, &settings, &b->derive_state);
    if (b->stage >= IMAGE)
        register_image_render(
            &b->image, &b->reading, &identity,
            &(struct register_style){.order = map->word_order, .unknown = UNKNOWN_ZERO});
    if (b->stage >= JSON) {
        text_init(&b->message, b->text, sizeof b->text);
        message_power_instant(&b->message, &b->reading);
    }
}

/* True if the telegram was good and everything in it made sense. */
static bool handle(struct bench *b, const uint8_t *p)
{
    if (b->stage == FLOOR)
        return b->is_tic ? check_tic(p, b->length) : check_p1(p, b->length);
    b->now_ms += 1000;
    bool good = b->stage == PIECES ? feed_pieces(b, p, b->length) : feed(b, p, b->length);
    if (!good || b->reading.object_errors)
        return false;
    make_outputs(b);
    return !b->message.overflow;
}

static long handle_all(struct bench *b)
{
    long good = 0;
    for (size_t i = 0; i < TELEGRAMS; i++)
        good += handle(b, b->bytes + i * b->length);
    return good;
}

/* --- runs ------------------------------------------------------------------------------------- */

static void load(struct bench *b, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        die(path);
    size_t size = fread(b->bytes, 1, sizeof b->bytes, f);
    fclose(f);
    if (size == 0 || size % TELEGRAMS != 0)
        fail("the file does not hold 256 telegrams of equal length");
    b->length = size / TELEGRAMS;
    b->is_tic = b->bytes[0] == 0x02;
    p1_init(&b->p1, &b->reading, b->buffer, sizeof b->buffer);
    tic_init(&b->tic, &b->reading, b->buffer, sizeof b->buffer);
    if (!register_image_init(&b->image, register_map_at(0), false))
        fail("the first map does not fit the image");
}

static void run_count(struct bench *b, long count)
{
    long good = 0;
    for (long i = 0; i < count; i++)
        good += handle(b, b->bytes + (size_t)(i % TELEGRAMS) * b->length);
    printf("%ld of %ld good\n", good, count);
    if (good != count)
        exit(1);
}

static void run_time(struct bench *b, long ms)
{
    (void)handle_all(b);
    uint64_t start_ns = clock_ns(), now_ns = start_ns;
    long good = 0, total = 0;
    while (now_ns < start_ns + (uint64_t)ms * 1000000) {
        good += handle_all(b);
        total += TELEGRAMS;
        now_ns = clock_ns();
    }
    printf("%.1f\n", (double)(now_ns - start_ns) / (double)total);
    if (good != total)
        exit(1);
}

int main(int argc, char **argv)
{
    static struct bench b;
    if (argc != 5)
        fail("usage: parse_bench STAGE FILE count|ms N");
    while (b.stage < STAGES && strcmp(argv[1], stage_names[b.stage]) != 0)
        b.stage++;
    if (b.stage == STAGES)
        fail("stages: floor, pieces, parse, derive, image, json");
    load(&b, argv[2]);
    long n = number_argument(argv[4], "count or ms: 1 to 1000000", 1, 1000000);
    if (strcmp(argv[3], "ms") == 0)
        run_time(&b, n);
    else
        run_count(&b, n);
}
