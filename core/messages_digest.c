/* messages_digest.c - the digest of what the meter message says.
 *
 * FNV-1a, a word of 32 bits at a time, folded so that high bits reach low ones.  Each step is one-to-one, so one word
 * that differs always shows.
 */
#include "messages.h"

#include "tic.h"

#define FNV_BASIS UINT32_C(2166136261)
#define FNV_PRIME UINT32_C(16777619)

static uint32_t add_word(uint32_t digest, uint32_t word)
{
    digest = (digest ^ word) * FNV_PRIME;
    return digest ^ digest >> 15;
}

static uint32_t add_number(uint32_t digest, int64_t number)
{
    digest = add_word(digest, (uint32_t)number);
    return add_word(digest, (uint32_t)((uint64_t)number >> 32));
}

static uint32_t add_bytes(uint32_t digest, const uint8_t *p, size_t n)
{
    digest = add_word(digest, (uint32_t)n);
    for (; n >= 4; n -= 4, p += 4)
        digest = add_word(digest,
                          p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
    while (n)
        digest = add_word(digest, p[--n]);
    return digest;
}

/* In STGE, the direction of the current comes and goes with the power, which power_instant says. */
static int64_t state_value(const struct reading *r, int q)
{
    return q == Q_TIC_STATUS ? r->value[q] & ~(int64_t)TIC_STGE_EXPORTING : r->value[q];
}

/* Of the quantities only the states count (quantity.h). */
static uint32_t add_states(uint32_t digest, const struct reading *r)
{
    for (int q = 0; q < Q_N; q++) {
        if (quantities[q].kind != KIND_STATE || !reading_has(r, (enum quantity)q))
            continue;
        digest = add_word(digest, (uint32_t)q);
        digest = add_number(digest, state_value(r, q));
    }
    return reading_has(r, Q_DEMAND_MONTH_PEAK) ? add_number(digest, r->peak_time_s) : digest;
}

/* Not the time of the value: a meter that reports the same again has nothing to say. */
static uint32_t add_mbus(uint32_t digest, const struct reading_mbus *m)
{
    digest = add_word(digest, (uint32_t)m->medium << 24 | (uint32_t)(uint8_t)m->valve << 16 |
                                  (uint32_t)m->unit << 8 | m->uncorrected);
    return m->unit == MBUS_UNIT_UNKNOWN ? digest : add_number(digest, m->value);
}

static uint32_t add_texts(uint32_t digest, const struct reading *r, const uint8_t *telegram,
                          size_t telegram_len)
{
    for (int id = 0; id < TEXT_N; id++) {
        size_t n;
        const uint8_t *p =
            reading_text_bytes(r, (enum reading_text_id)id, telegram, telegram_len, &n);
        digest = add_bytes(digest, p, n);
    }
    return digest;
}

static uint32_t add_logs(uint32_t digest, const struct reading *r)
{
    digest = add_word(digest, (uint32_t)r->failures_n << 8 | r->peaks_n);
    for (int i = 0; i < r->failures_n; i++) {
        digest = add_number(digest, r->failures[i].end_s);
        digest = add_word(digest, r->failures[i].duration_s);
    }
    for (int i = 0; i < r->peaks_n; i++) {
        digest = add_number(digest, r->peaks[i].month_s);
        digest = add_number(digest, r->peaks[i].time_s);
        digest = add_word(digest, (uint32_t)r->peaks[i].power_w);
    }
    return digest;
}

uint32_t message_meter_digest(const struct reading *r, const uint8_t *telegram, size_t telegram_len)
{
    uint32_t digest = add_word(FNV_BASIS, (uint32_t)r->standard << 16 | (uint32_t)r->grid << 8 |
                                              (uint32_t)r->phases);
    digest = add_states(digest, r);
    for (int i = 0; i < READING_MBUS_N; i++)
        digest = add_mbus(digest, &r->mbus[i]);
    digest = add_texts(digest, r, telegram, telegram_len);
    return add_logs(digest, r);
}
