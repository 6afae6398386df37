#include "modbus_rtu.h"

#include "crc16.h"

enum {
    RTU_OVERHEAD = 3, /* unit and CRC */
    RTU_ADU_MIN = 4
};

/* How long requests are (Application Protocol V1.1b3, clause 6): a PDU of `length` bytes, and as many
 * more as the byte at `count_at` says. */
static const struct {
    uint8_t function, length, count_at;
} requests[] = {
    {0x01, 5, 0}, {0x02, 5, 0}, {0x03, 5, 0},  {0x04, 5, 0}, {0x05, 5, 0},
    {0x06, 5, 0}, {0x07, 1, 0}, {0x08, 5, 0},  {0x0B, 1, 0}, {0x0C, 1, 0},
    {0x0F, 6, 5}, {0x10, 6, 5}, {0x11, 1, 0},  {0x14, 2, 1}, {0x15, 2, 1},
    {0x16, 7, 0}, {0x18, 3, 0}, {0x17, 10, 9}, {0x2B, 4, 0},
};

/* The length of the frame that these bytes begin; 0: more of them are needed to know it.  What has an
 * unknown function code is tried as one frame. */
static size_t frame_length(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        if (requests[i].function != bytes[1])
            continue;
        size_t count_at = requests[i].count_at;
        if (count_at == 0)
            return requests[i].length + (size_t)RTU_OVERHEAD;
        return n > 1 + count_at ? requests[i].length + (size_t)RTU_OVERHEAD + bytes[1 + count_at]
                                : 0;
    }
    return n < RTU_ADU_MIN ? RTU_ADU_MIN : n;
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
    size_t length = frame_length(bytes, n);
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

size_t rtu_reply(const struct modbus_bank *bank, const struct modbus_frame *frame,
                 uint8_t out[static RTU_ADU_MAX])
{
    out[0] = frame->adu[0];
    size_t n = 1 + modbus_pdu_reply(bank, frame->adu + 1, frame->total - RTU_OVERHEAD, out + 1);
    uint16_t crc = crc16_update(CRC16_MODBUS_INIT, out, n);
    out[n] = (uint8_t)crc;
    out[n + 1] = (uint8_t)(crc >> 8);
    return n + 2;
}
