/* modbus_model.h - what a map's registers read, and how long RTU requests are, found a second time: by looking at a
 * table of all 65536 registers, which is filled row by row.
 */
#ifndef MODBUS_MODEL_H
#define MODBUS_MODEL_H

#include "core/modbus.h"
#include "crc.h"
#include "fuzz.h"

enum { MODEL_REGISTERS = 65536, MODEL_UNKNOWN_FUNCTION = 0xFFFF };

struct modbus_model {
    uint16_t word[MODEL_REGISTERS]; /* 0 where the map has nothing */
    bool is_measured[MODEL_REGISTERS];
};

/* Two words of a number. */
static inline void model_put_u32(uint16_t *word, uint32_t number, bool low_first)
{
    word[low_first ? 0 : 1] = (uint16_t)number;
    word[low_first ? 1 : 0] = (uint16_t)(number >> 16);
}

static inline void model_put_text(uint16_t *word, size_t words, const char *text, bool low_first)
{
    for (size_t i = 0; i < 2 * words && text[i]; i++)
        word[i / 2] |= (uint16_t)((unsigned char)text[i] << (i % 2 == low_first ? 8 : 0));
}

/* Whole numbers that floats have exactly. */
static inline void model_put_float(uint16_t *word, double value, bool low_first)
{
    float single = (float)value;
    uint32_t bits;
    demand((double)single == value);
    memcpy(&bits, &single, sizeof bits);
    model_put_u32(word, bits, low_first);
}

/* The start and count of a read, the other way round. */
static inline uint32_t model_u16(const uint8_t *p)
{
    return p[0] * 256u + p[1];
}

/* The answer to a read (03, 04) of a map that has the same registers for both; `refusal` is for what is measured. */
static inline void demand_read_is_right(const struct modbus_model *m, enum modbus_exception refusal,
                                        const uint8_t *pdu, size_t n, const uint8_t *answer,
                                        size_t answer_n)
{
    uint32_t start = n == 5 ? model_u16(pdu + 1) : 0, count = n == 5 ? model_u16(pdu + 3) : 0;
    unsigned exception = count < 1 || count > 125 ? 3 : start + count > MODEL_REGISTERS ? 2 : 0;
    for (uint32_t i = 0; !exception && i < count; i++)
        exception = m->is_measured[start + i] ? refusal : 0;
    if (exception == MODBUS_NO_ANSWER) {
        demand(answer_n == 0);
        return;
    }
    if (exception) {
        demand(answer_n == 2 && answer[0] == (pdu[0] | 0x80) && answer[1] == exception);
        return;
    }
    demand(answer_n == 2 + 2 * count && answer[0] == pdu[0] && answer[1] == 2 * count);
    for (uint32_t i = 0; i < count; i++)
        demand(model_u16(answer + 2 + 2 * i) == m->word[start + i]);
}

/* Bytes of the RTU request at p; 0: its length is not there yet. */
static inline size_t model_request_length(const uint8_t *p, size_t n)
{
    static const uint8_t counted_at[256] = {
        [0x0F] = 6, [0x10] = 6, [0x14] = 2, [0x15] = 2, [0x17] = 10};
    static const uint8_t length[256] = {
        [0x01] = 8, [0x02] = 8, [0x03] = 8, [0x04] = 8, [0x05] = 8,  [0x06] = 8, [0x07] = 4,
        [0x08] = 8, [0x0B] = 4, [0x0C] = 4, [0x11] = 4, [0x16] = 10, [0x18] = 6, [0x2B] = 7};
    if (n < 2)
        return 0;
    size_t at = counted_at[p[1]];
    if (at)
        return n > at ? at + 3u + p[at] : 0;
    return length[p[1]] ? length[p[1]] : MODEL_UNKNOWN_FUNCTION;
}

#endif
