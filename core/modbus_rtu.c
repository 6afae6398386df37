#include "modbus_rtu.h"

#include "bytes.h"
#include "crc16.h"

enum {
    RTU_OVERHEAD = 3, /* unit and CRC */
    RTU_ADU_MIN = 4
};

/* How long a PDU with this function code is (Application Protocol V1.1b3, clause 6): `length` bytes, and as many
 * more as the byte at `count_at` says. */
struct pdu_length {
    uint8_t function, length, count_at;
};

static const struct pdu_length requests[] = {
    {0x01, 5, 0}, {0x02, 5, 0}, {0x03, 5, 0},  {0x04, 5, 0}, {0x05, 5, 0},
    {0x06, 5, 0}, {0x07, 1, 0}, {0x08, 5, 0},  {0x0B, 1, 0}, {0x0C, 1, 0},
    {0x0F, 6, 5}, {0x10, 6, 5}, {0x11, 1, 0},  {0x14, 2, 1}, {0x15, 2, 1},
    {0x16, 7, 0}, {0x18, 3, 0}, {0x17, 10, 9}, {0x2B, 4, 0},
};

static const struct pdu_length replies[] = {
    {0x01, 2, 1}, {0x02, 2, 1}, {0x03, 2, 1}, {0x04, 2, 1}, {0x05, 5, 0}, {0x06, 5, 0},
    {0x07, 2, 0}, {0x08, 5, 0}, {0x0B, 5, 0}, {0x0C, 2, 1}, {0x0F, 5, 0}, {0x10, 5, 0},
    {0x11, 2, 1}, {0x14, 2, 1}, {0x15, 2, 1}, {0x16, 7, 0}, {0x17, 2, 1},
};

#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

/* The length of the frame that these bytes begin by a table; 0: more of them are needed to know it. */
static size_t frame_length(const struct pdu_length *table, size_t rows, const uint8_t *bytes,
                           size_t n)
{
    for (size_t i = 0; i < rows; i++) {
        if (table[i].function != bytes[1])
            continue;
        size_t count_at = table[i].count_at;
        if (count_at == 0)
            return table[i].length + (size_t)RTU_OVERHEAD;
        return n > 1 + count_at ? table[i].length + (size_t)RTU_OVERHEAD + bytes[1 + count_at] : 0;
    }
    return SIZE_MAX;
}

/* The CRC of a frame with its own CRC behind it is 0. */
static bool has_good_crc(const uint8_t *adu, size_t n)
{
    return crc16_update(CRC16_MODBUS_INIT, adu, n) == 0;
}

enum modbus_frame_result rtu_parse(const uint8_t *bytes, size_t n, struct modbus_frame *frame)
{
    if (n < 2)
        return FRAME_MORE;
    size_t length = frame_length(ROWS(requests), bytes, n);
    if (length == SIZE_MAX) /* what has an unknown function code is tried as one frame */
        length = n < RTU_ADU_MIN ? RTU_ADU_MIN : n;
    frame->adu = bytes;
    frame->total = 1;
    if (length > RTU_ADU_MAX)
        return FRAME_SKIP;
    if (length == 0 || length > n)
        return FRAME_MORE;
    if (!has_good_crc(bytes, length))
        return FRAME_SKIP;
    frame->total = length;
    return bytes[0] == 0 ? FRAME_SKIP : FRAME_REQUEST;
}

/* The frame's length if all of it is there and its CRC is good, else 0. */
static size_t whole_frame(const uint8_t *bytes, size_t n, size_t length)
{
    return length >= RTU_ADU_MIN && length <= n && length <= RTU_ADU_MAX &&
                   has_good_crc(bytes, length)
               ? length
               : 0;
}

size_t rtu_request_at(const uint8_t *bytes, size_t n)
{
    return n < RTU_ADU_MIN ? 0 : whole_frame(bytes, n, frame_length(ROWS(requests), bytes, n));
}

size_t rtu_reply_at(const uint8_t *bytes, size_t n)
{
    if (n < RTU_ADU_MIN)
        return 0;
    if (bytes[1] & 0x80)
        return whole_frame(bytes, n, 2 + RTU_OVERHEAD);
    return whole_frame(bytes, n, frame_length(ROWS(replies), bytes, n));
}

size_t rtu_unknown_at(const uint8_t *bytes, size_t n)
{
    return n < RTU_ADU_MIN || bytes[1] & 0x80 || frame_length(ROWS(requests), bytes, n) != SIZE_MAX
               ? 0
               : whole_frame(bytes, n, n);
}

size_t rtu_reply(const struct modbus_bank *bank, const struct modbus_frame *frame,
                 uint8_t out[static RTU_ADU_MAX])
{
    size_t n = modbus_pdu_reply(bank, frame->adu + 1, frame->total - RTU_OVERHEAD, out + 1);
    if (n == 0)
        return 0;
    out[0] = frame->adu[0];
    n++;
    put_le16(out + n, crc16_update(CRC16_MODBUS_INIT, out, n));
    return n + 2;
}
