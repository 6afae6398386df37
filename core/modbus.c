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

/* A handler writes the answer behind the function code and returns the length of all of it, 0 for no answer, or minus
 * an exception; the request has the length its row demands. */
typedef int handler(const struct modbus_bank *bank, const uint8_t *pdu, size_t n, uint8_t *out);

/* FC 03, 04: start 2, quantity 2 -> byte count 1, registers (clauses 6.3, 6.4) */
static int read_registers(const struct modbus_bank *bank, const uint8_t *pdu, size_t n, uint8_t *out)
{
    enum register_space space = pdu[0] == 0x04 ? SPACE_INPUT : SPACE_HOLDING;
    uint32_t start = get_u16(pdu + 1), quantity = get_u16(pdu + 3);
    (void)n;
    if (quantity < 1 || quantity > MODBUS_READ_MAX)
        return -MODBUS_ILLEGAL_VALUE;
    if (start + quantity > 65536)
        return -MODBUS_ILLEGAL_ADDRESS;
    if (bank->refusal != MODBUS_OK &&
        register_image_is_measured(bank->image, space, start, quantity))
        return bank->refusal == MODBUS_NO_ANSWER ? 0 : -(int)bank->refusal;
    out[1] = (uint8_t)(2 * quantity);
    register_image_read(bank->image, space, start, quantity, out + 2);
    return (int)(2 + 2 * quantity);
}

/* Returns `length`, that of the answer, if the write was taken. */
static int write_registers(const struct modbus_bank *bank, uint32_t start, uint32_t quantity,
                           const uint8_t *values, int length)
{
    static const enum modbus_exception exceptions[] = {
        [WRITE_NO_SETTING] = MODBUS_ILLEGAL_ADDRESS,
        [WRITE_BAD_VALUE] = MODBUS_ILLEGAL_VALUE,
    };
    enum register_write_result result =
        register_write(bank->image, bank->order, start, quantity, values, bank->writable);
    return result == WRITE_TAKEN ? length : -(int)exceptions[result];
}

/* FC 06: register 2, value 2 -> the same (clause 6.6). */
static int write_one(const struct modbus_bank *bank, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (!bank->writable)
        return -MODBUS_ILLEGAL_FUNCTION;
    if (n != 5)
        return -MODBUS_ILLEGAL_VALUE;
    memcpy(out, pdu, n);
    return write_registers(bank, get_u16(pdu + 1), 1, pdu + 3, (int)n);
}

/* FC 16: start 2, quantity 2, byte count 1, values -> start, quantity (clause 6.12). */
static int write_many(const struct modbus_bank *bank, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (!bank->writable || !bank->image->map->writes_many)
        return -MODBUS_ILLEGAL_FUNCTION;
    if (n < 6)
        return -MODBUS_ILLEGAL_VALUE;
    uint32_t start = get_u16(pdu + 1), quantity = get_u16(pdu + 3);
    if (quantity < 1 || quantity > MODBUS_WRITE_MAX || pdu[5] != 2 * quantity ||
        n != 6 + 2 * quantity)
        return -MODBUS_ILLEGAL_VALUE;
    if (start + quantity > 65536)
        return -MODBUS_ILLEGAL_ADDRESS;
    memcpy(out, pdu, 5);
    return write_registers(bank, start, quantity, pdu + 6, 5);
}

#ifndef CORE_SMALL

/* FC 08 sub-function 0: the request comes back (clause 6.8). */
static int diagnose(const struct modbus_bank *bank, const uint8_t *pdu, size_t n, uint8_t *out)
{
    (void)bank;
    if (get_u16(pdu + 1) != 0)
        return -MODBUS_ILLEGAL_FUNCTION;
    if (n < 5)
        return -MODBUS_ILLEGAL_VALUE;
    memcpy(out, pdu, n);
    return (int)n;
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
static int identify(const struct modbus_bank *bank, const uint8_t *pdu, size_t n, uint8_t *out)
{
    if (pdu[1] != MEI_DEVICE_ID)
        return -MODBUS_ILLEGAL_FUNCTION;
    if (n != 4)
        return -MODBUS_ILLEGAL_VALUE;
    unsigned code = pdu[2], object = pdu[3];
    if (code < 1 || code > ID_INDIVIDUAL)
        return -MODBUS_ILLEGAL_VALUE;
    if (object >= MODBUS_ID_OBJECTS) {
        if (code == ID_INDIVIDUAL)
            return -MODBUS_ILLEGAL_ADDRESS;
        object = 0;
    }
    unsigned last = code == ID_INDIVIDUAL ? object : MODBUS_ID_OBJECTS - 1;
    const uint8_t head[] = {
        MEI_DEVICE_ID, (uint8_t)code, ID_CONFORMITY, 0, 0, (uint8_t)(last - object + 1)};
    memcpy(out + 1, head, sizeof head);
    return (int)(1 + sizeof head + put_id_objects(bank, object, last, out + 1 + sizeof head));
}

#endif

static const struct function {
    uint8_t code;
    uint8_t min_length, max_length; /* of the request PDU */
    handler *answer;
} functions[] = {
    {0x03, 5, 5, read_registers},                    /* holding registers */
    {0x04, 5, 5, read_registers},                    /* input registers */
    {0x06, 1, MODBUS_PDU_MAX, write_one},            /* one register */
    FULL_ONLY({0x08, 3, MODBUS_PDU_MAX, diagnose}, ) /* diagnostics */
    {0x10, 1, MODBUS_PDU_MAX, write_many},           /* several registers */
    FULL_ONLY({0x2B, 2, MODBUS_PDU_MAX, identify}, ) /* encapsulated interface */
};

size_t modbus_pdu_reply(const struct modbus_bank *bank, const uint8_t *pdu, size_t n,
                        uint8_t out[static MODBUS_PDU_MAX])
{
    int result = -MODBUS_ILLEGAL_FUNCTION;
    out[0] = pdu[0];
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        const struct function *f = &functions[i];
        if (f->code != pdu[0])
            continue;
        result = n < f->min_length || n > f->max_length ? -MODBUS_ILLEGAL_VALUE
                                                        : f->answer(bank, pdu, n, out);
        break;
    }
    if (result >= 0)
        return (size_t)result;
    out[0] = pdu[0] | 0x80;
    out[1] = (uint8_t)-result;
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
    if (n == 0)
        return 0;
    memcpy(out, frame->adu, MBAP_HEADER);
    put_u16(out + 4, 1 + n);
    return MBAP_HEADER + n;
}
