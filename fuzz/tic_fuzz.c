/* tic_fuzz.c - any bytes in any chunks: the TIC stream must say the same as for the bytes at once, and nothing that its
 * frame does not contain.
 *
 *   stream ... | how parity is treated 1 | chunks 1        so that plain frames serve as first inputs
 *
 * The highest bit of `chunks` asks for right checksums: else no mutation would be seen behind them.
 */
#include "core/tic.h"
#include "core/tic_labels.h"

#include "model.h"

enum { INPUT_MAX = 16384, REPAIRS = 0x80, FRAME_MS = 1500, SLACK_WH = 10 };

/* A meter's index: what was reported last, and what is in doubt since. */
struct index {
    int64_t reported, doubted;
    bool is_known, is_doubted;
};

struct run {
    struct tic_stream stream;
    struct reading reading;
    uint8_t frame[TIC_FRAME_MAX];
    uint32_t digest; /* of all events, with their frames and readings */
    int64_t frames;  /* so many: they come FRAME_MS after each other */
    struct index import, export;
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
    return n > 2 && group[n - 2] == '\t' && group[n - 1] == (char)((sum & 0x3F) + 0x20);
}

/* The data of a group, behind its last HT but one; NULL: the group has another label or length, or no good
 * checksum. */
static const char *data_of(const char *group, size_t n, const struct tic_label *label)
{
    if (!has_checksum(group, n) || n != label->group_length ||
        memcmp(group, label->name, label->name_length + 1u) != 0)
        return NULL;
    const char *data = group + n - 2;
    while (data[-1] != '\t')
        data--;
    return data;
}

/* Digits of this base as a number; -1: they are none. */
static int64_t number_in(const char *data, const char *end, int base)
{
    int64_t value = 0;
    if (data == end || end - data > 9)
        return -1;
    for (; data < end; data++) {
        if (!isxdigit((unsigned char)*data) || (base == 10 && !isdigit((unsigned char)*data)))
            return -1;
        value = value * base + (isdigit((unsigned char)*data) ? *data - '0' : *data - 'A' + 10);
    }
    return value;
}

static const struct tic_label *label_of(int q)
{
    for (const struct tic_label *l = tic_labels; l < tic_labels + TIC_LABELS_N; l++)
        if ((l->kind == TIC_NUMBER || l->kind == TIC_STATUS) && l->target == q)
            return l;
    abort();
}

/* The next value that the frame says of q, from *at on; begin with the frame.  False: there is no more. */
static bool next_said(const struct run *r, int q, const char **at, int64_t *value)
{
    const struct tic_label *label = label_of(q);
    const char *end = (const char *)r->frame + r->stream.frame_len, *group, *data;
    bool is_status = label->kind == TIC_STATUS;
    size_t n;
    while ((group = next_group(at, end, &n)) != NULL) {
        data = data_of(group, n, label);
        *value = data ? number_in(data, group + n - 2, is_status ? 16 : 10) : -1;
        if (*value >= 0) {
            *value *= is_status ? 1 : label->scale;
            return true;
        }
    }
    return false;
}

static bool says(const struct run *r, int q, int64_t value)
{
    const char *at = (const char *)r->frame;
    int64_t said;
    while (next_said(r, q, &at, &said))
        if (said == value)
            return true;
    return false;
}

/* An index that falls or jumps is doubted, and stays what it was, until another agrees with it.  If the frame says
 * several, some may be lost for their parity, which is not seen here: any may have been doubted. */
static void demand_index(const struct run *r, struct index *index, int q)
{
    const char *at = (const char *)r->frame;
    int64_t value = r->reading.value[q], said, another;
    bool was_reported = index->is_known && value == index->reported;
    if (!reading_has(&r->reading, (enum quantity)q))
        return;
    demand(next_said(r, q, &at, &said));
    if (next_said(r, q, &at, &another)) {
        demand(was_reported || says(r, q, value));
        *index = (struct index){.reported = value, .is_known = true, .is_doubted = true};
    } else if (value != said) {
        demand(was_reported && (said < value || said > value + SLACK_WH));
        index->doubted = said;
        index->is_doubted = true;
    } else {
        demand(!index->is_known || value >= index->reported ||
               (index->is_doubted && value >= index->doubted));
        *index = (struct index){.reported = value, .is_known = true};
    }
}

/* More than volts and amperes allow becomes their product. */
static void demand_apparent(const struct run *r, int phase)
{
    const struct reading *reading = &r->reading;
    const enum quantity volts = quantity_nth(Q_METER_VOLTAGE_L1, phase),
                        amperes = quantity_nth(Q_METER_CURRENT_L1, phase);
    int q = Q_APPARENT_IMPORT_L1 + phase;
    const char *at = (const char *)r->frame;
    int64_t said, value = reading->value[q], u_v = reading->value[volts] / 1000,
                  i_a = reading->value[amperes] / 1000;
    bool limits = reading_has(reading, volts) && reading_has(reading, amperes);
    if (!reading_has(reading, (enum quantity)q))
        return;
    while (next_said(r, q, &at, &said))
        if (limits && said > u_v * (i_a + 1) ? value == u_v * i_a : value == said)
            return;
    abort();
}

static void demand_values(struct run *r)
{
    demand_index(r, &r->import, Q_ENERGY_IMPORT);
    demand_index(r, &r->export, Q_ENERGY_EXPORT);
    for (int phase = 0; phase < 3; phase++)
        demand_apparent(r, phase);
    for (int q = 0; q < Q_N; q++)
        if (reading_has(&r->reading, (enum quantity)q) && q != Q_ENERGY_IMPORT &&
            q != Q_ENERGY_EXPORT && (q < Q_APPARENT_IMPORT_L1 || q > Q_APPARENT_IMPORT_L3))
            demand(says(r, q, r->reading.value[q]));
}

/* "DATE" HT SAAMMJJhhmmss HT HT checksum: E is summer, H winter. */
static bool is_date(const char *group, size_t n, int64_t utc_s)
{
    char time[13];
    if (n != 21 || !has_checksum(group, n) || memcmp(group, "DATE\t", 5) != 0)
        return false;
    memcpy(time, group + 6, 12);
    time[12] = group[5] == 'E' ? 'S' : group[5] == 'H' ? 'W' : 0;
    return model_time(time) == utc_s;
}

/* Without the blanks around it, all of its data. */
static bool is_text(const char *group, size_t n, unsigned id, const char *at, size_t length)
{
    for (const struct tic_label *l = tic_labels; l < tic_labels + TIC_LABELS_N; l++) {
        const char *data = l->kind >= TIC_DIGITS && l->target == id ? data_of(group, n, l) : NULL;
        const char *end = group + n - 2;
        if (!data)
            continue;
        data += strspn(data, " ");
        while (end > data && end[-1] == ' ')
            end--;
        if (data == at && (size_t)(end - data) == length)
            return true;
    }
    return false;
}

/* Whether a group says the date, or this text. */
static bool has_date(const struct run *r)
{
    const char *at = (const char *)r->frame, *end = at + r->stream.frame_len, *group;
    size_t n;
    while ((group = next_group(&at, end, &n)) != NULL)
        if (is_date(group, n, r->reading.meter_time_s))
            return true;
    return false;
}

static bool has_text(const struct run *r, unsigned id)
{
    const char *frame = (const char *)r->frame, *at = frame, *group;
    const struct reading_text *text = &r->reading.text[id];
    size_t n;
    while ((group = next_group(&at, frame + r->stream.frame_len, &n)) != NULL)
        if (is_text(group, n, id, frame + text->offset, text->length))
            return true;
    return false;
}

static void demand_contained(struct run *r)
{
    demand_values(r);
    demand(r->reading.meter_time_s == READING_NO_TIME || has_date(r));
    for (unsigned id = 0; id < TEXT_N; id++)
        demand(r->reading.text[id].length == 0 || has_text(r, id));
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
