#include "tic.h"

#include "civil_time.h"
#include "tic_labels.h"

#include <string.h>

#define STX 0x02
#define ETX 0x03
#define EOT 0x04
#define HT '\t'
#define LF '\n'
#define CR '\r'
#define DEL 0x7f

enum state {
    AWAIT_STX,   /* in the rest of a lost frame: its groups only tell mode and parity */
    AWAIT_GROUP, /* between two frames */
    AWAIT_ETX    /* in a frame */
};

enum {
    STICKY_FRAMES = 10,       /* complete frames without L2, L3 (export) before we unlearn them */
    PARITY_FAILURES_MAX = 32, /* groups in a row after which TIC_PARITY_AUTO decides again */
    INDEX_SLACK_WH = 10, /* the index steps in Wh, and the breaker bears an overload for a while */
    CUTOFF_POWER_MAX_KVA = 36, /* largest supply behind a Linky, for frames without PCOUP */
    SUMMER_S = 3600,
    READ_AHEAD = 8 /* room after the frame, so that a word may be read at any of its characters */
};

static void start_group(struct tic_stream *s)
{
    s->priv.group_start = s->frame_len;
    s->priv.group = (struct tic_gathered){0, 0, 0};
}

static void start_frame(struct tic_stream *s, enum state state)
{
    reading_clear(s->reading);
    memset(s->priv.seen, 0, sizeof s->priv.seen);
    s->priv.good_groups = 0;
    s->priv.historic_groups = 0;
    s->priv.lost_groups = 0;
    s->priv.next_label = tic_labels;
    s->priv.frame_flags = 0;
    s->priv.state = (uint8_t)state;
    s->frame_len = 0;
    start_group(s);
}

void tic_init(struct tic_stream *s, struct reading *reading, uint8_t *frame, size_t frame_cap)
{
    memset(s, 0, sizeof *s);
    s->reading = reading;
    s->frame = frame;
    s->frame_cap = frame_cap;
    s->winter_offset_s = CIVIL_CET_OFFSET_S;
    start_frame(s, AWAIT_STX);
}

/* ---- Parity (clause 5.3: 7 bits, even) ---- */

/* Bit 0 of each byte is its parity, the other bits mean nothing. */
static uint64_t parities(uint64_t bytes)
{
    bytes ^= bytes >> 4;
    bytes ^= bytes >> 2;
    return bytes ^ bytes >> 1;
}

static enum tic_parity parity_in_use(const struct tic_stream *s)
{
    return s->parity != TIC_PARITY_AUTO ? s->parity : (enum tic_parity)s->priv.latched_parity;
}

static bool is_odd(const struct tic_gathered *g)
{
    return (g->odd & TIC_EACH(1)) != 0;
}

/* Rule 1, for a byte or a group of them: some have odd parity over their eight bits, some have
 * bit 7 set.  While undecided the bytes must be wholly good under one of the two views.  They
 * cannot be under both: CR is 8D, even and high, or 0D, odd and not high. */
static bool has_bad_parity(const struct tic_stream *s, const struct tic_gathered *g)
{
    enum tic_parity parity = parity_in_use(s);
    bool high = (g->high & TIC_EACH(0x80)) != 0;
    if (parity == TIC_PARITY_AUTO)
        return is_odd(g) && high;
    return parity == TIC_PARITY_EVEN ? is_odd(g) : high;
}

/* Two good groups running that speak for the same view decide.  A single one could be an accident
 * of noise, more would only lose time. */
static void note_good_parity(struct tic_stream *s, uint8_t raw_cr)
{
    s->priv.parity_failures = 0;
    if (s->priv.latched_parity != TIC_PARITY_AUTO)
        return;
    uint8_t vote = raw_cr == CR ? TIC_PARITY_NONE : TIC_PARITY_EVEN;
    if (vote == s->priv.parity_vote)
        s->priv.latched_parity = vote;
    s->priv.parity_vote = vote;
}

/* The other view makes every group fail, for its CR alone.  So does a broken line, but then
 * deciding again costs nothing. */
static void note_bad_parity(struct tic_stream *s)
{
    if (++s->priv.parity_failures < PARITY_FAILURES_MAX)
        return;
    s->priv.parity_failures = 0;
    s->priv.latched_parity = TIC_PARITY_AUTO;
    s->priv.parity_vote = TIC_PARITY_AUTO;
}

/* ---- Data of a group, by kind ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (c >= 'A' && c <= 'F');
}

static void set_text(struct tic_stream *s, uint8_t id, const uint8_t *p, size_t len)
{
    s->reading->text[id].offset = (uint16_t)(p - s->frame);
    s->reading->text[id].length = (uint16_t)len;
}

/* Up to eight digits as a number, or -1: pairs, then fours, then all, side by side. */
static int64_t read_digits(const uint8_t *p, unsigned n)
{
    /* The last digit goes to the top byte; the zeros that fill up from below are leading ones. */
    uint64_t digits = (tic_word(p) ^ TIC_EACH('0')) << (8 * (8 - n));
    if (((digits + TIC_EACH(0x76)) & TIC_EACH(0x80)) != 0)
        return -1;
    digits = (digits * 10 + (digits >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
    digits = (digits * 100 + (digits >> 16)) & UINT64_C(0x0000ffff0000ffff);
    return (int64_t)((digits * 10000 + (digits >> 32)) & UINT32_MAX);
}

static bool take_number(struct tic_stream *s, const struct tic_label *label, const uint8_t *data)
{
    unsigned n = label->length, ninth = 0;
    if (n > 8) { /* energies have nine digits */
        n--;
        ninth = *data++ - (unsigned)'0';
    }
    int64_t value = read_digits(data, n);
    if (value < 0 || ninth > 9 || (label->max != 0 && value > label->max))
        return false;
    value += (int64_t)ninth * 100000000;
    reading_set(s->reading, (enum quantity)label->target, value * label->scale);
    return true;
}

static bool take_status(struct tic_stream *s, const struct tic_label *label, const uint8_t *data)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < label->length; i++) {
        if (!is_hex(data[i]))
            return false;
        value = value << 4 | (uint32_t)(is_digit(data[i]) ? data[i] - '0' : data[i] - 'A' + 10);
    }
    reading_set(s->reading, (enum quantity)label->target, value);
    return true;
}

/* The data is empty; the horodate, which is known to be good, lies before it. */
static bool take_date(struct tic_stream *s, const struct tic_label *label, const uint8_t *data)
{
    (void)label;
    const uint8_t *horodate = data - 1 - TIC_HORODATE_LEN;
    struct civil_time t;
    if (horodate[0] == 'h' || horodate[0] == 'e') {
        s->reading->meter_time_degraded = true;
    } else if (civil_time_parse(horodate + 1, &t)) {
        int32_t summer_s = horodate[0] == 'E' ? SUMMER_S : 0;
        s->reading->meter_time_s = civil_time_to_utc(&t, s->winter_offset_s + summer_s);
    }
    return true;
}

static bool take_digits(struct tic_stream *s, const struct tic_label *label, const uint8_t *data)
{
    for (unsigned i = 0; i < label->length; i++)
        if (!is_digit(data[i]))
            return false;
    set_text(s, label->target, data, label->length);
    return true;
}

/* The padding is not part of the text. */
static bool take_text(struct tic_stream *s, const struct tic_label *label, const uint8_t *data)
{
    size_t len = label->length;
    uint64_t good = TIC_EACH(0x80);       /* bit 7 of each column: all were 0x20 to 0x7E */
    for (size_t i = 0; i < len; i += 8) { /* lengths are 16 and 32 */
        uint64_t word = tic_word(data + i);
        good &= (word + TIC_EACH(0x80 - ' ')) & tic_differs(word, DEL);
    }
    if (good != TIC_EACH(0x80))
        return false;
    while (len > 0 && data[len - 1] == ' ')
        len--;
    for (; len > 0 && *data == ' '; len--)
        data++;
    set_text(s, label->target, data, len);
    return true;
}

/* HHMM decimal, SSSS hexadecimal (clause 6.2.3.18), or the word for an unused block. */
static bool is_schedule_block(const uint8_t *p)
{
    if (memcmp(p, "NONUTILE", 8) == 0)
        return true;
    for (int i = 0; i < 8; i++)
        if (!(i < 4 ? is_digit(p[i]) : is_hex(p[i])))
            return false;
    return true;
}

static bool take_schedule(struct tic_stream *s, const struct tic_label *label, const uint8_t *data)
{
    for (size_t i = 0; i < label->length; i += 9)
        if (!is_schedule_block(data + i) || (i + 8 < label->length && data[i + 8] != ' '))
            return false;
    set_text(s, label->target, data, label->length);
    return true;
}

static bool (*const take_data[TIC_KINDS_N])(struct tic_stream *, const struct tic_label *,
                                            const uint8_t *) = {
    [TIC_NUMBER] = take_number, [TIC_STATUS] = take_status, [TIC_DATE] = take_date,
    [TIC_DIGITS] = take_digits, [TIC_TEXT] = take_text,     [TIC_SCHEDULE] = take_schedule,
};

/* Clause 6.2.1.1.  Lower-case: the meter's clock was lost and may have restarted in any year, which
 * civil_time_parse() would refuse with those before 2010 and from 70 on; 20 years on and 40 years
 * back, the calendar is the same. */
static bool is_horodate(const uint8_t *p, bool blank_season)
{
    uint8_t digits[12];
    struct civil_time t;
    if (p[0] == 'H' || p[0] == 'E' || (p[0] == ' ' && blank_season))
        return civil_time_parse(p + 1, &t);
    if (p[0] != 'h' && p[0] != 'e')
        return false;
    memcpy(digits, p + 1, sizeof digits);
    if (digits[0] == '0')
        digits[0] = '2';
    else if (digits[0] >= '7' && digits[0] <= '9')
        digits[0] = (uint8_t)(digits[0] - 4);
    return civil_time_parse(digits, &t);
}

/* ---- Groups ---- */

/* Clause 5.3.6: only the low six bits of the checksum's sum count, so eight sums of six bits run
 * side by side, one for each byte of a word. */
static uint64_t add_word(uint64_t sums, uint64_t characters)
{
    return (sums + (characters & TIC_EACH(0x3f))) & TIC_EACH(0x3f);
}

/* The sum of a group's characters up to its CR; that one and the checksum itself do not belong. */
static unsigned checksum_sum(uint64_t sums, unsigned checksum)
{
    uint32_t four = (uint32_t)((sums + (sums >> 32)) & TIC_EACH(0x3f));
    return ((four * 0x01010101u) >> 24) - CR - checksum;
}

/* Rule 2 in standard mode: the separator before the checksum is part of the sum. */
static inline bool is_standard(const uint8_t *text, size_t len, uint64_t sums)
{
    unsigned checksum = text[len - 1];
    return text[len - 2] == HT && checksum == (checksum_sum(sums, checksum) & 0x3f) + 0x20;
}

/* Rule 2 in historic mode: the separator is not part of the sum. */
static bool is_historic(const uint8_t *text, size_t len, uint64_t sums)
{
    unsigned checksum = text[len - 1];
    return text[len - 2] == ' ' &&
           checksum == ((checksum_sum(sums, checksum) - ' ') & 0x3f) + 0x20 &&
           tic_historic_known(text, len - 2);
}

/* A damaged group costs its own value only.  Outside a frame there is nothing to lose. */
static void lose_group(struct tic_stream *s, uint32_t *counter)
{
    if (s->priv.state != AWAIT_ETX)
        return;
    (*counter)++;
    s->priv.lost_groups++;
}

/* Rule 3: the group is exactly what the table says. */
static bool take_content(struct tic_stream *s, const struct tic_label *label, const uint8_t *text,
                         size_t len)
{
    const uint8_t *data = text + label->name_length + 1;
    if (len != label->group_length)
        return false;
    if ((label->flags & TIC_HORODATE) != 0) {
        if (data[TIC_HORODATE_LEN] != HT || !is_horodate(data, label->flags & TIC_BLANK_SEASON))
            return false;
        data += TIC_HORODATE_LEN + 1;
    }
    return take_data[label->kind](s, label, data);
}

/* Rules 3 and 5, for a group whose checksum is good.  False when it changed nothing. */
static bool take_group(struct tic_stream *s, const struct tic_label *label, const uint8_t *text,
                       size_t len)
{
    bool *seen = &s->priv.seen[label - tic_labels];
    if (*seen || !take_content(s, label, text, len))
        return false;
    *seen = true;
    s->priv.next_label = label + 1;
    s->priv.frame_flags |= label->flags;
    s->priv.good_groups++;
    s->stats.groups_ok++;
    return true;
}

/* Clause 6.1.  One good group is certain enough, but one report per frame is enough too. */
static enum tic_event take_historic_group(struct tic_stream *s, uint8_t raw_cr)
{
    note_good_parity(s, raw_cr);
    s->stats.groups_historic++;
    return s->priv.historic_groups++ == 0 ? TIC_HISTORIC : TIC_MORE;
}

/* The characters between LF and CR.  The last one is the checksum, which may be a blank, and the
 * one before it decides on the mode.  A frame is all in one mode: to try both rules on each group
 * would double the chance of accepting damage. */
static enum tic_event judge_group(struct tic_stream *s, const uint8_t *text, size_t len,
                                  uint8_t raw_cr)
{
    const struct tic_gathered *g = &s->priv.group;
    if (has_bad_parity(s, g)) {
        note_bad_parity(s);
        lose_group(s, &s->stats.groups_parity);
        return TIC_MORE;
    }
    bool has_length = len >= TIC_TEXT_MIN && len <= TIC_TEXT_MAX;
    if (has_length && s->priv.good_groups == 0 && is_historic(text, len, g->sums))
        return take_historic_group(s, raw_cr);
    if (!has_length || s->priv.historic_groups > 0 || !is_standard(text, len, g->sums)) {
        lose_group(s, &s->stats.groups_checksum);
        return TIC_MORE;
    }
    const struct tic_label *label = tic_label_find(text, s->priv.next_label);
    if (label == NULL) {
        s->stats.groups_unknown++; /* VTIC may rise and bring new labels */
        return TIC_MORE;
    }
    note_good_parity(s, raw_cr);
    if (!take_group(s, label, text, len))
        lose_group(s, &s->stats.groups_senseless);
    return TIC_MORE;
}

/* ---- Plausibility of a whole frame: rule 4 ---- */

static bool may_follow(const struct tic_index_point *before, const struct tic_index_point *now,
                       int64_t power_kva)
{
    if (!before->known || now->wh < before->wh)
        return false;
    /* The meter's clock counts too: a recorded line may be replayed faster than it was. */
    int64_t elapsed_ms = now->at_ms > before->at_ms ? now->at_ms - before->at_ms : 0;
    if (now->at_s != READING_NO_TIME && before->at_s != READING_NO_TIME &&
        (now->at_s - before->at_s) * 1000 > elapsed_ms)
        elapsed_ms = (now->at_s - before->at_s) * 1000;
    return now->wh - before->wh <= INDEX_SLACK_WH + power_kva * elapsed_ms / 3600;
}

/* An index that falls, or jumps by more than the connection can carry, is damage that the checksum
 * missed.  The last good one stands until a second frame agrees with the new one. */
static void judge_index(struct tic_stream *s, struct tic_index *index, enum quantity q,
                        int64_t power_kva, int64_t now_ms)
{
    struct reading *r = s->reading;
    if (!reading_has(r, q))
        return;
    struct tic_index_point now = {r->value[q], now_ms, r->meter_time_s, true};
    if (!index->accepted.known || may_follow(&index->accepted, &now, power_kva) ||
        may_follow(&index->candidate, &now, power_kva)) {
        index->accepted = now;
        index->candidate.known = false;
        return;
    }
    index->candidate = now;
    reading_set(r, q, index->accepted.wh);
    s->stats.values_implausible++;
}

/* Some three-phase meters send absurd SINSTS1 to 3 with good checksums.  IRMSn is rounded, so the
 * true current is less than one ampere above it. */
static void judge_apparent(struct tic_stream *s)
{
    struct reading *r = s->reading;
    for (int phase = 0; phase < 3; phase++) {
        enum quantity power = (enum quantity)(Q_APPARENT_IMPORT_L1 + phase);
        enum quantity volts = (enum quantity)(Q_METER_VOLTAGE_L1 + phase);
        enum quantity amps = (enum quantity)(Q_METER_CURRENT_L1 + phase);
        if (!reading_has(r, power) || !reading_has(r, volts) || !reading_has(r, amps))
            continue;
        int64_t u_v = r->value[volts] / 1000, i_a = r->value[amps] / 1000;
        if (r->value[power] > u_v * (i_a + 1)) {
            reading_set(r, power, u_v * i_a);
            s->stats.values_implausible++;
        }
    }
}

static void judge_reading(struct tic_stream *s, int64_t now_ms)
{
    struct reading *r = s->reading;
    if (reading_has(r, Q_TIC_STATUS) && (r->value[Q_TIC_STATUS] & TIC_STGE_CLOCK_DEGRADED) != 0)
        r->meter_time_degraded = true;
    if (r->meter_time_degraded)
        r->meter_time_s = READING_NO_TIME;
    int64_t power_kva = CUTOFF_POWER_MAX_KVA;
    if (reading_has(r, Q_CUTOFF_POWER) && r->value[Q_CUTOFF_POWER] > 0)
        power_kva = r->value[Q_CUTOFF_POWER];
    judge_index(s, &s->priv.east, Q_ENERGY_IMPORT, power_kva, now_ms);
    judge_index(s, &s->priv.eait, Q_ENERGY_EXPORT, power_kva, now_ms);
    judge_apparent(s);
}

/* ---- Frames ---- */

/* Rule 7: what the meter is does not change with a lost group.  True while the labels come, and for
 * STICKY_FRAMES complete frames without them. */
static bool is_still(bool labels_seen, bool was, bool complete, uint8_t *frames_without)
{
    if (labels_seen)
        *frames_without = 0;
    else if (was && complete)
        was = ++*frames_without < STICKY_FRAMES;
    return labels_seen || was;
}

static void learn_capabilities(struct tic_stream *s)
{
    bool complete = s->priv.lost_groups == 0;
    uint8_t flags = s->priv.frame_flags;
    if (is_still(flags & TIC_3PH, s->phases == 3, complete, &s->priv.frames_without_3ph))
        s->phases = 3;
    else if (complete && reading_has(s->reading, Q_METER_VOLTAGE_L1))
        s->phases = 1;
    s->producer =
        is_still(flags & TIC_PRODUCER, s->producer, complete, &s->priv.frames_without_producer);
}

/* Rule 6.  A historic frame is no failure of the line, it has been reported. */
static enum tic_event give_up_frame(struct tic_stream *s)
{
    bool failed = s->priv.state == AWAIT_ETX && s->priv.historic_groups == 0;
    start_frame(s, AWAIT_STX);
    if (!failed)
        return TIC_MORE;
    s->stats.frames_failed++;
    return TIC_FRAME_FAILED;
}

/* An ETX that does not follow a CR may be a damaged character: what comes after it is then no new
 * frame unless it starts with STX. */
static enum tic_event end_frame(struct tic_stream *s, bool has_cut_text, int64_t now_ms)
{
    bool in_place = s->frame_len < 2 || s->frame[s->frame_len - 2] == CR;
    if (!in_place && !has_cut_text) /* right after an LF; a group with text is counted already */
        lose_group(s, &s->stats.groups_checksum);
    enum state next = in_place ? AWAIT_GROUP : AWAIT_STX;
    if (s->priv.state != AWAIT_ETX || s->priv.good_groups == 0) {
        enum tic_event event = give_up_frame(s);
        s->priv.state = (uint8_t)next;
        return event;
    }
    judge_reading(s, now_ms);
    learn_capabilities(s);
    s->reading->standard = STANDARD_TIC;
    s->reading->phases = s->phases;
    s->reading->object_errors = s->priv.lost_groups;
    if (s->priv.lost_groups == 0)
        s->stats.frames_ok++;
    else
        s->stats.frames_partial++;
    s->priv.state = (uint8_t)next;
    return TIC_FRAME;
}

/* STX. In an open frame that has something in it, that frame's ETX is lost. */
static enum tic_event begin_frame(struct tic_stream *s)
{
    bool has_content = s->priv.good_groups > 0 || s->priv.lost_groups > 0;
    enum tic_event event = has_content ? give_up_frame(s) : TIC_MORE;
    if (s->priv.state != AWAIT_ETX || s->frame_len > 1) /* else skip_gap() has opened it */
        start_frame(s, AWAIT_ETX);
    s->frame[0] = STX;
    s->frame_len = 1;
    start_group(s);
    return event;
}

/* The last character of the frame is a control byte other than HT; `raw` is how it came.  CR ends a
 * group, and any other starts one, for LF gets damaged as well: it is the first after a pause. */
static enum tic_event take_control(struct tic_stream *s, uint8_t raw, int64_t now_ms)
{
    size_t len = s->frame_len - 1 - s->priv.group_start;
    uint8_t c = raw & 0x7f;
    if (c == CR) {
        enum tic_event event = judge_group(s, s->frame + s->priv.group_start, len, raw);
        start_group(s);
        return event;
    }
    if (len > 0) { /* a group without CR */
        bool bad_parity = has_bad_parity(s, &s->priv.group);
        lose_group(s, bad_parity ? &s->stats.groups_parity : &s->stats.groups_checksum);
        start_group(s);
    }
    s->priv.group_start = s->frame_len;
    s->priv.group.sums = 0;
    struct tic_gathered this_byte = {parities(raw), raw, 0};
    if (has_bad_parity(s, &this_byte))
        return TIC_MORE; /* a damaged C must not end the frame as an ETX */
    if (c == STX)
        return begin_frame(s);
    if (c == ETX)
        return end_frame(s, len > 0, now_ms);
    return c == EOT ? give_up_frame(s) : TIC_MORE;
}

/* ---- Bytes ---- */

/* A byte of a frame, or of the rest of one. */
static enum tic_event take_byte(struct tic_stream *s, uint8_t raw, int64_t now_ms)
{
    uint8_t c = raw & 0x7f;
    s->frame[s->frame_len++] = c;
    s->priv.group.odd |= parities(raw);
    s->priv.group.high |= raw;
    s->priv.group.sums = add_word(s->priv.group.sums, c);
    return c < ' ' && c != HT ? take_control(s, raw, now_ms) : TIC_MORE;
}

static inline bool is_clean(uint64_t bytes, bool even)
{
    return ((even ? parities(bytes) : bytes >> 7) & TIC_EACH(1)) == 0;
}

/* How many bytes from the first one on have good parity, in steps of eight. */
static inline size_t clean_run(const uint8_t *bytes, size_t n, bool even)
{
    const uint8_t *p = bytes, *last = bytes + n - 8;
    while (p <= last && is_clean(tic_word(p), even))
        p += 8;
    return p > last && is_clean(tic_word(last), even) ? n : (size_t)(p - bytes);
}

/* The same by the parity in use; none while that is not decided, which takes two groups. */
static size_t count_clean(const struct tic_stream *s, const uint8_t *bytes, size_t n)
{
    enum tic_parity parity = parity_in_use(s);
    if (n < 8 || parity == TIC_PARITY_AUTO)
        return 0;
    return parity == TIC_PARITY_EVEN ? clean_run(bytes, n, true) : clean_run(bytes, n, false);
}

/* Eight characters without their bit 7, in any byte order. */
static void copy_word(uint8_t *to, const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    word &= TIC_EACH(0x7f);
    memcpy(to, &word, sizeof word);
}

/* Copies at least eight characters and returns their sums; the last step copies some again. */
static uint64_t copy_and_sum(uint8_t *to, const uint8_t *from, size_t n)
{
    uint64_t sums = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        copy_word(to + i, from + i);
        sums = add_word(sums, tic_word(from + i));
    }
    if (i < n) {
        copy_word(to + n - 8, from + n - 8);
        sums = add_word(sums, tic_word(from + n - 8) >> (8 * (8 - (n - i))));
    }
    return sums;
}

/* The quick way for what nearly all input is: whole good groups.  The label tells where the CR
 * must be, so nothing is searched; what is good byte by byte is good here, and everything else is
 * left to take_byte().  `bytes` are free of bad parity.  Returns how many were used. */
static size_t take_whole_groups(struct tic_stream *s, const uint8_t *bytes, size_t n)
{
    uint8_t *to = s->frame + s->frame_len;
    size_t used = 0;
    while (n - used >= TIC_TEXT_MIN + 2 && bytes[used] == LF) {
        const uint8_t *text = bytes + used + 1;
        const struct tic_label *label = tic_label_find(text, s->priv.next_label);
        if (label == NULL)
            break;
        size_t len = label->group_length;
        if (len + 2 > n - used || (text[len] & 0x7f) != CR)
            break;
        uint64_t sums = copy_and_sum(to + used + 1, text, len + 1);
        if (!is_standard(to + used + 1, len, sums) || !take_group(s, label, to + used + 1, len))
            break;
        to[used] = LF;
        used += len + 2;
        s->priv.parity_failures = 0;
    }
    s->frame_len += used;
    s->priv.group_start = s->frame_len;
    return used;
}

/* Between frames: skips to the byte that opens the next one.  That is any control byte, because STX
 * gets damaged too, but none of those that end something. */
static size_t skip_gap(struct tic_stream *s, const uint8_t *bytes, size_t n)
{
    const uint32_t ends = 1u << HT | 1u << CR | 1u << ETX | 1u << EOT;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = bytes[i] & 0x7f;
        if (c < ' ' && (ends >> c & 1) == 0) {
            start_frame(s, AWAIT_ETX);
            return i;
        }
    }
    return n;
}

/* True right after a CR or an STX, if the frame is not known to be one of historic mode. */
static bool is_between_groups(const struct tic_stream *s)
{
    return s->frame_len == s->priv.group_start && (s->priv.group.odd | s->priv.group.high) == 0 &&
           s->priv.historic_groups == 0;
}

size_t tic_feed(struct tic_stream *s, const uint8_t *bytes, size_t n, int64_t now_ms,
                enum tic_event *event)
{
    size_t cap = (s->frame_cap < TIC_FRAME_MAX ? s->frame_cap : TIC_FRAME_MAX) - READ_AHEAD;
    size_t used = 0, clean_end = 0;
    *event = TIC_MORE;
    while (used < n && *event == TIC_MORE) {
        if (s->priv.state == AWAIT_GROUP) {
            used += skip_gap(s, bytes + used, n - used);
            continue;
        }
        size_t room = cap - s->frame_len;
        if (bytes[used] == LF && is_between_groups(s)) {
            if (clean_end <= used)
                clean_end = used + count_clean(s, bytes + used, n - used);
            size_t clean = clean_end - used;
            used += take_whole_groups(s, bytes + used, clean < room ? clean : room);
            room = cap - s->frame_len;
        }
        if (used == n)
            break;
        *event = room > 0 ? take_byte(s, bytes[used++], now_ms) : give_up_frame(s);
    }
    return used;
}

enum tic_event tic_silence(struct tic_stream *s)
{
    return give_up_frame(s);
}
