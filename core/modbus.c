#include "modbus.h"

#include <string.h>

enum {
    MEI_DEVICE_ID = 0x0E,
    ID_INDIVIDUAL = 4,
    ID_CONFORMITY = 0x81, /* basic identification, stream and individual access */
    ID_TEXT_MAX = 64
};

static uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_u16(uint8_t *p, size_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

/* A handler writes the answer behind the function code and sets *length to all of it; the request has
 * the length its row demands. */
typedef enum modbus_exception handler(const struct modbus_bank *bank, const uint8_t *pdu, size_t n,
                                      uint8_t *out, size_t *length);

/* FC 03, 04: start 2, quantity 2 -> byte count 1, registers (clauses 6.3, 6.4) */
static enum modbus_exception read_registers(const struct modbus_bank *bank, const uint8_t *pdu,
                                            size_t n, uint8_t *out, size_t *length)
{
    uint32_t start = get_u16(pdu + 1), quantity = get_u16(pdu + 3);
    (void)n;
    if (quantity < 1 || quantity > MODBUS_READ_MAX)
        return MODBUS_ILLEGAL_VALUE;
    if (start + quantity > 65536)
        return MODBUS_ILLEGAL_ADDRESS;
    if (bank->refusal != MODBUS_OK)
        return bank->refusal;
    out[1] = (uint8_t)(2 * quantity);
    register_image_read(bank->image, start, quantity, out + 2);
    *length = 2 + 2 * quantity;
    return MODBUS_OK;
}

/* FC 08 sub-function 0: the request comes back (clause 6.8). */
static enum modbus_exception diagnose(const struct modbus_bank *bank, const uint8_t *pdu, size_t n,
                                      uint8_t *out, size_t *length)
{
    (void)bank;
    if (get_u16(pdu + 1) != 0)
        return MODBUS_ILLEGAL_FUNCTION;
    if (n < 5)
        return MODBUS_ILLEGAL_VALUE;
    memcpy(out, pdu, n);
    *length = n;
    return MODBUS_OK;
}

/* Appends objects [first, last] of the device identification. */
static size_t put_id_objects(const struct modbus_bank *bank, unsigned first, unsigned last,
                             uint8_t *out)
{
    size_t used = 0;
    for (unsigned id = first; id <= last; id++) {
        size_t n = 0;
        for (; n < ID_TEXT_MAX && bank->id[id][n]; n++)
            out[used + 2 + n] = (uint8_t)bank->id[id][n];
        out[used] = (uint8_t)id;
        out[used + 1] = (uint8_t)n;
        used += 2 + n;
    }
    return used;
}

/* FC 2B / MEI 0E: code 1, object 1 -> code, conformity, more, next, count, objects (clause 6.21).
 * Streams of an unknown object start at 0; the categories above basic hold what basic does. */
static enum modbus_exception identify(const struct modbus_bank *bank, const uint8_t *pdu, size_t n,
                                      uint8_t *out, size_t *length)
{
    if (pdu[1] != MEI_DEVICE_ID)
        return MODBUS_ILLEGAL_FUNCTION;
    if (n != 4)
        return MODBUS_ILLEGAL_VALUE;
    unsigned code = pdu[2], object = pdu[3];
    if (code < 1 || code > ID_INDIVIDUAL)
        return MODBUS_ILLEGAL_VALUE;
    if (object >= MODBUS_ID_OBJECTS) {
        if (code == ID_INDIVIDUAL)
            return MODBUS_ILLEGAL_ADDRESS;
        object = 0;
    }
    unsigned last = code == ID_INDIVIDUAL ? object : MODBUS_ID_OBJECTS - 1;
    const uint8_t head[] = {
        MEI_DEVICE_ID, (uint8_t)code, ID_CONFORMITY, 0, 0, (uint8_t)(last - object + 1)};
    memcpy(out + 1, head, sizeof head);
    *length = 1 + sizeof head + put_id_objects(bank, object, last, out + 1 + sizeof head);
    return MODBUS_OK;
}

static const struct function {
    uint8_t code;
    uint8_t min_length, max_length; /* of the request PDU */
    handler *answer;
} functions[] = {
    {0x03, 5, 5, read_registers},
    {0x04, 5, 5, read_registers},
    {0x08, 3, MODBUS_PDU_MAX, diagnose},
    {0x2B, 2, MODBUS_PDU_MAX, identify},
};

size_t modbus_pdu_reply(const struct modbus_bank *bank, const uint8_t *pdu, size_t n,
                        uint8_t out[static MODBUS_PDU_MAX])
{
    enum modbus_exception exception = MODBUS_ILLEGAL_FUNCTION;
    size_t length = 0;
    out[0] = pdu[0];
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        const struct function *f = &functions[i];
        if (f->code != pdu[0])
            continue;
        exception = n < f->min_length || n > f->max_length ? MODBUS_ILLEGAL_VALUE
                                                           : f->answer(bank, pdu, n, out, &length);
        break;
    }
    if (exception == MODBUS_OK)
        return length;
    out[0] = pdu[0] | 0x80;
    out[1] = (uint8_t)exception;
    return 2;
}

enum modbus_frame_result mbap_parse(const uint8_t *bytes, size_t n, struct modbus_frame *frame)
{
    if (n < 6)
        return FRAME_MORE;
    uint32_t length = get_u16(bytes + 4);
    if (length < 2 || length > 1 + MODBUS_PDU_MAX)
        return FRAME_BAD;
    frame->adu = bytes;
    frame->total = 6 + length;
    if (n < frame->total)
        return FRAME_MORE;
    return get_u16(bytes + 2) == 0 ? FRAME_REQUEST : FRAME_SKIP;
}

size_t mbap_reply(const struct modbus_bank *bank, const struct modbus_frame *frame,
                  uint8_t out[static MBAP_ADU_MAX])
{
    size_t n = modbus_pdu_reply(bank, frame->adu + MBAP_HEADER, frame->total - MBAP_HEADER,
                                out + MBAP_HEADER);
    memcpy(out, frame->adu, MBAP_HEADER);
    put_u16(out + 4, 1 + n);
    return MBAP_HEADER + n;
}
