/* tic_fuzz.c - any bytes in any chunks: the TIC stream must say the same as for the bytes at once, and nothing that its
 * frame does not contain.
 *
 *   stream ... | how parity is treated 1 | chunks 1        so that plain frames serve as first inputs
 *
 * The highest bit of `chunks` asks for right checksums: else no mutation would be seen behind them.
 */
#include "core/tic.h"
#include "core/tic_labels.h"

#include "fuzz.h"

#include <ctype.h>
#include <string.h>

enum { INPUT_MAX = 16384, REPAIRS = 0x80, FRAME_MS = 1500 };

struct run {
    struct tic_stream stream;
    struct reading reading;
    uint8_t frame[TIC_FRAME_MAX];
    uint32_t digest; /* of all events, with their frames and readings */
    int64_t frames;  /* so many: they come FRAME_MS after each other */
};

/* --- what a frame says, found a second time, without state ------------------------------------------------------- */

/* The next run of characters without control bytes but HT, *n of them; NULL: there is none. */
static const char *next_group(const char **at, const char *end, size_t *n)
{
    const char *p = *at;
    while (p < end && *p < ' ' && *p != '\t')
        p++;
    const char *group = p;
    while (p < end && (*p >= ' ' || *p == '\t'))
        p++;
    *at = p;
    *n = (size_t)(p - group);
    return *n ? group : NULL;
}

static bool has_checksum(const char *group, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i + 1 < n; i++)
        sum += (unsigned char)group[i];
    return n > 2 && group[n - 1] == (char)((sum & 0x3F) + 0x20);
}

/* The data of a group, digits of this base, as a number; -1: it is none, or the group has another label. */
static int64_t value_of(const char *group, size_t n, const struct tic_label *label, int base)
{
    if (n < label->name_length + 4u || memcmp(group, label->name, label->name_length + 1u) != 0)
        return -1;
    const char *end = group + n - 2, *data = end;
    int64_t value = 0;
    while (data[-1] != '\t')
        data--;
    if (end - data > 9)
        return -1;
    for (; data < end; data++) {
        if (!isxdigit((unsigned char)*data) || (base == 10 && !isdigit((unsigned char)*data)))
            return -1;
        value = value * base + (isdigit((unsigned char)*data) ? *data - '0' : *data - 'A' + 10);
    }
    return value;
}

static bool says(const struct run *r, const struct tic_label *label, int64_t value)
{
    const char *at = (const char *)r->frame, *end = at + r->stream.frame_len, *group;
    int base = label->kind == TIC_STATUS ? 16 : 10,
        scale = label->kind == TIC_STATUS ? 1 : label->scale;
    size_t n;
    while ((group = next_group(&at, end, &n)) != NULL)
        if (has_checksum(group, n) && value_of(group, n, label, base) * scale == value)
            return true;
    return false;
}

/* Values that the frame before decides on, or others of the frame. */
static bool is_judged(const struct run *r, int q)
{
    return r->stream.stats.values_implausible > 0 &&
           (q == Q_ENERGY_IMPORT || q == Q_ENERGY_EXPORT ||
            (q >= Q_APPARENT_IMPORT_L1 && q <= Q_APPARENT_IMPORT_L3));
}

static const struct tic_label *label_of(int q)
{
    for (const struct tic_label *l = tic_labels; l < tic_labels + TIC_LABELS_N; l++)
        if ((l->kind == TIC_NUMBER || l->kind == TIC_STATUS) && l->target == q)
            return l;
    return NULL;
}

static void demand_contained(const struct run *r)
{
    for (int q = 0; q < Q_N; q++)
        if (reading_has(&r->reading, (enum quantity)q) && !is_judged(r, q)) {
            const struct tic_label *label = label_of(q);
            demand(label && says(r, label, r->reading.value[q]));
        }
}

/* --- the run ------------------------------------------------------------------------------------------------------ */

/* Writes the checksum between the last LF and each CR, and parity bits where the CR has one. */
static void repair(uint8_t *p, size_t n)
{
    size_t begin = n;
    for (size_t i = 0; i < n; i++) {
        if ((p[i] & 0x7F) == '\n')
            begin = i + 1;
        if ((p[i] & 0x7F) != '\r' || begin >= n || i < begin + 3)
            continue;
        unsigned sum = 0;
        for (size_t k = begin; k + 1 < i; k++)
            sum += p[k] & 0x7F;
        p[i - 1] = (uint8_t)((sum & 0x3F) + 0x20);
        for (size_t k = begin; k < i; k++) {
            p[k] &= 0x7F;
            if (p[i] & 0x80 && __builtin_parity(p[k]))
                p[k] |= 0x80;
        }
        begin = n;
    }
}

static void note(struct run *r, enum tic_event event)
{
    const struct tic_stream *s = &r->stream;
    if (event == TIC_MORE)
        return;
    r->digest = digest(r->digest, &event, sizeof event);
    if (event != TIC_FRAME)
        return;
    r->frames++;
    demand(s->frame_len > 0 && s->frame_len <= sizeof r->frame &&
           r->reading.standard == STANDARD_TIC);
    for (int t = 0; t < TEXT_N; t++)
        demand((size_t)r->reading.text[t].offset + r->reading.text[t].length <= s->frame_len);
    r->digest = digest(r->digest, &r->reading, sizeof r->reading);
    r->digest = digest(r->digest, s->frame, s->frame_len);
    demand_contained(r);
}

static void feed(struct run *r, const uint8_t *p, size_t n, enum tic_parity parity, uint8_t chunks)
{
    uint32_t random = chunks;
    memset(r, 0, sizeof *r);
    tic_init(&r->stream, &r->reading, r->frame, sizeof r->frame);
    r->stream.parity = parity;
    while (n > 0) {
        enum tic_event event;
        size_t offered = next_chunk(&random, chunks, n);
        size_t used = tic_feed(&r->stream, p, offered, r->frames * FRAME_MS, &event);
        demand(used == offered || (used < offered && event != TIC_MORE));
        note(r, event);
        p += used;
        n -= used;
    }
    note(r, tic_silence(&r->stream));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run whole, chunked;
    static uint8_t bytes[INPUT_MAX];
    if (size < 2 || size > INPUT_MAX)
        return 0;
    enum tic_parity parity = (enum tic_parity)(data[size - 2] % 3);
    memcpy(bytes, data, size);
    if (data[size - 1] & REPAIRS)
        repair(bytes, size - 2);
    feed(&whole, bytes, size - 2, parity, 0);
    feed(&chunked, bytes, size - 2, parity, data[size - 1] & 0x7F);
    demand(whole.digest == chunked.digest);
    demand(memcmp(&whole.stream.stats, &chunked.stream.stats, sizeof whole.stream.stats) == 0);
    return 0;
}
