/* Requests of a Modbus client over TCP, cut wherever the fuzzer likes: the answers are those of the same bytes in one
 * piece, and what is read is what the map's table says (modbus_model.h).
 *
 *   pieces 8 | stream ...      the stream comes in pieces of 1 + pieces[0], 1 + pieces[1] ... bytes
 *
 * The bits of pieces[0] choose what is refused, by how, the framing, and whether RTU frames get their right CRCs: else
 * no mutation would be seen behind them.
 */
#include "core/modbus_rtu.h"

#include "modbus_model.h"

#include <string.h>

enum { PIECES = 8, ANSWERS_MAX = 1 << 20, INPUT_MAX = 16384 };
enum {
    IS_STALE = 1,
    IS_SILENT = 2,
    IS_RTU = 4,
    IS_WRITABLE = 8,
    REPAIRS = 0x80
}; /* bits of pieces[0] */

static struct register_image image;
static struct modbus_bank bank = {
    .image = &image,
    .id = {"Vendor", "Product",
           "1.0, and more than the sixty-four characters that fit into an answer"}};
static struct register_device device = {.serial = "001234567890"};
static struct modbus_model model;
static bool is_rtu;

struct client {
    uint8_t answers[ANSWERS_MAX];
    size_t answered;
    bool closed;
    bool guessed; /* met an unknown function code, whose request ends where the piece ends */
};

static void check_pdu(const uint8_t *pdu, size_t n, const uint8_t *answer, size_t answer_n)
{
    if (pdu[0] == 0x03 || pdu[0] == 0x04)
        demand_read_is_right(&model, bank.refusal, pdu, n, answer, answer_n);
}

static size_t answer_tcp(const struct modbus_frame *frame, uint8_t *out)
{
    size_t n = mbap_reply(&bank, frame, out);
    check_pdu(frame->adu + MBAP_HEADER, frame->total - MBAP_HEADER, out + MBAP_HEADER,
              n ? n - MBAP_HEADER : 0);
    if (n == 0)
        return 0;
    demand(n >= MBAP_HEADER + 2 && n <= MBAP_ADU_MAX && (size_t)(out[4] << 8 | out[5]) == n - 6);
    demand(memcmp(out, frame->adu, 4) == 0 && out[6] == frame->adu[6]);
    demand((out[7] & 0x7F) == (frame->adu[7] & 0x7F) && ((out[7] & 0x80) == 0 || n == 9));
    return n;
}

static size_t answer_rtu(const struct modbus_frame *frame, uint8_t *out)
{
    size_t n = rtu_reply(&bank, frame, out);
    demand(ends_with_crc(frame->adu, frame->total));
    check_pdu(frame->adu + 1, frame->total - 3, out + 1, n ? n - 3 : 0);
    if (n == 0)
        return 0;
    demand(n >= 5 && n <= RTU_ADU_MAX && ends_with_crc(out, n));
    demand(out[0] == frame->adu[0] && (out[1] & 0x7F) == (frame->adu[1] & 0x7F) &&
           ((out[1] & 0x80) == 0 || n == 5));
    return n;
}

static void answer(struct client *c, const struct modbus_frame *frame)
{
    uint8_t out[MBAP_ADU_MAX];
    size_t n = is_rtu ? answer_rtu(frame, out) : answer_tcp(frame, out);
    demand(n > 0 || bank.refusal == MODBUS_NO_ANSWER);
    if (n > ANSWERS_MAX - c->answered)
        return;
    memcpy(c->answers + c->answered, out, n);
    c->answered += n;
}

/* Answers the complete frames in n bytes; returns how many bytes they were. */
static size_t serve(struct client *c, const uint8_t *bytes, size_t n)
{
    struct modbus_frame frame;
    size_t used = 0;
    for (;;) {
        c->guessed =
            c->guessed || model_request_length(bytes + used, n - used) == MODEL_UNKNOWN_FUNCTION;
        enum modbus_frame_result result = is_rtu ? rtu_parse(bytes + used, n - used, &frame)
                                                 : mbap_parse(bytes + used, n - used, &frame);
        if (result == FRAME_REQUEST)
            answer(c, &frame);
        c->closed = c->closed || result == FRAME_BAD;
        if (result == FRAME_MORE || result == FRAME_BAD)
            return used;
        demand(frame.adu == bytes + used && frame.total <= n - used);
        used += frame.total;
    }
}

/* With a receive buffer that holds one frame. */
static void serve_in_pieces(struct client *c, const uint8_t *pieces, const uint8_t *bytes, size_t n)
{
    uint8_t buffer[MBAP_ADU_MAX];
    size_t have = 0;
    for (size_t i = 0; n > 0 && !c->closed; i++) {
        size_t piece = 1u + pieces[i % PIECES], room = sizeof buffer - have;
        demand(room > 0);
        piece = piece < room ? piece : room;
        piece = piece < n ? piece : n;
        memcpy(buffer + have, bytes, piece);
        have += piece;
        bytes += piece;
        n -= piece;
        size_t used = serve(c, buffer, have);
        have -= used;
        memmove(buffer, buffer + used, have);
    }
}

/* All quantities but some are known, each by a number of its own. */
static bool is_known(unsigned q)
{
    return q % 7 != 0;
}

static void fill_reading(struct reading *r)
{
    reading_clear(r);
    for (unsigned q = 0; q < Q_N; q++) {
        int64_t value = q + 1;
        for (unsigned i = 0; i < quantity_decimals[q]; i++)
            value *= 10;
        if (is_known(q))
            reading_set(r, (enum quantity)q, value);
    }
}

static double shown(const struct register_row *row)
{
    demand(row->exponent == 0 && (row->source == FROM_FIXED || row->source == FROM_QUANTITY));
    if (row->source == FROM_FIXED)
        return row->number;
    demand(row->form == FORM_PLAIN && row->factor == 0);
    return is_known(row->of) ? row->of + 1 : 0;
}

static uint32_t number_of(const struct register_row *row)
{
    if (row->source == FROM_SERIAL)
        return (uint32_t)strtoul(device.serial + strlen(device.serial) - 9, NULL, 10);
    return row->source == FROM_FIRMWARE ? device.firmware : (uint32_t)shown(row);
}

static void fill_model(const struct register_row *row)
{
    uint16_t *word = &model.word[row->address];
    demand(row->order == ROW_ORDER_OF_MAP);
    if (row->type == REG_ASCII_LOW)
        model_put_text(word, row->length, row->source == FROM_SERIAL ? device.serial : row->text,
                       true);
    else if (row->type == REG_F32)
        model_put_float(word, shown(row), true);
    else if (row->type == REG_U32)
        model_put_u32(word, number_of(row), true);
    else
        *word = (uint16_t)number_of(row);
    for (unsigned i = 0; i < (row->type == REG_F32 ? 2 : 1) && row->source == FROM_QUANTITY; i++)
        model.is_measured[row->address + i] = true;
}

/* Each register alone, and all of them in blocks. */
static void read_all(void)
{
    static const uint32_t counts[] = {1, 7, MODBUS_READ_MAX};
    uint8_t answer[MODBUS_PDU_MAX];
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (uint32_t at = 0; at + counts[i] <= MODEL_REGISTERS; at += counts[i]) {
            const uint8_t pdu[] = {0x03 + at % 2, (uint8_t)(at >> 8), (uint8_t)at, 0,
                                   (uint8_t)counts[i]};
            check_pdu(pdu, sizeof pdu, answer, modbus_pdu_reply(&bank, pdu, sizeof pdu, answer));
        }
}

static void prepare(void)
{
    static struct register_map map;
    struct reading r;
    map = *register_map_find("empro");
    map.writes_many = true;
    fill_reading(&r);
    demand(register_image_init(&image, &map, false));
    register_image_render(
        &image, &r, &device,
        &(struct register_style){.order = WORD_ORDER_SWAPPED, .unknown = UNKNOWN_ZERO});
    for (size_t i = 0; i < map.input.count; i++)
        fill_model(&map.input.rows[i]);
    read_all();
}

/* Behind each request whose function code is known. */
static void repair(uint8_t *p, size_t n)
{
    for (size_t length; n > 1; p += length, n -= length) {
        length = model_request_length(p, n);
        if (length == 0 || length > n || length == MODEL_UNKNOWN_FUNCTION) {
            length = 1;
            continue;
        }
        put_crc(p, length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct client whole, cut;
    static uint8_t bytes[INPUT_MAX];
    if (!image.map)
        prepare();
    if (size < PIECES || size > INPUT_MAX)
        return 0;
    whole.answered = cut.answered = 0;
    whole.closed = cut.closed = whole.guessed = cut.guessed = false;
    is_rtu = data[0] & IS_RTU;
    bank.refusal = !(data[0] & IS_STALE) ? MODBUS_OK
                   : data[0] & IS_SILENT ? MODBUS_NO_ANSWER
                                         : MODBUS_TARGET_SILENT;
    bank.writable = data[0] & IS_WRITABLE ? &device : NULL;
    size -= PIECES;
    memcpy(bytes, data + PIECES, size);
    if (is_rtu && data[0] & REPAIRS)
        repair(bytes, size);
    (void)serve(&whole, bytes, size);
    serve_in_pieces(&cut, data, bytes, size);
    if (is_rtu && whole.guessed)
        return 0;
    demand(whole.closed == cut.closed && whole.answered == cut.answered);
    demand(memcmp(whole.answers, cut.answers, whole.answered) == 0);
    return 0;
}
