/* Requests of a Modbus client over TCP, cut wherever the fuzzer likes: the answers are those of the same bytes in one
 * piece.
 *
 *   pieces 8 | stream ...      the stream comes in pieces of 1 + pieces[0], 1 + pieces[1] ... bytes
 *
 * The bits of pieces[0] choose what is refused, by how, and the framing.
 */
#include "core/crc16.h"
#include "core/modbus_rtu.h"

#include "fuzz.h"

#include <string.h>

enum { PIECES = 8, ANSWERS_MAX = 1 << 20 };
enum { IS_STALE = 1, IS_SILENT = 2, IS_RTU = 4, IS_WRITABLE = 8 }; /* bits of pieces[0] */

static struct register_image image;
static struct modbus_bank bank = {
    .image = &image,
    .id = {"Vendor", "Product",
           "1.0, and more than the sixty-four characters that fit into an answer"}};
static struct register_device device = {.serial = "001234567890"};
static bool is_rtu;

struct client {
    uint8_t answers[ANSWERS_MAX];
    size_t answered;
    bool closed;
};

static size_t answer_tcp(const struct modbus_frame *frame, uint8_t *out)
{
    size_t n = mbap_reply(&bank, frame, out);
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
    if (n == 0)
        return 0;
    demand(n >= 5 && n <= RTU_ADU_MAX && crc16_update(CRC16_MODBUS_INIT, out, n) == 0);
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

static void prepare(void)
{
    static struct register_map map;
    map = *register_map_find("empro");
    map.writes_many = true;
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_METER_VOLTAGE_L1, 230100);
    demand(register_image_init(&image, &map, false));
    register_image_render(
        &image, &r, &device,
        &(struct register_style){.order = WORD_ORDER_SWAPPED, .unknown = UNKNOWN_ZERO});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct client whole, cut;
    if (!image.map)
        prepare();
    if (size < PIECES)
        return 0;
    whole.answered = cut.answered = 0;
    whole.closed = cut.closed = false;
    is_rtu = data[0] & IS_RTU;
    bank.refusal = !(data[0] & IS_STALE) ? MODBUS_OK
                   : data[0] & IS_SILENT ? MODBUS_NO_ANSWER
                                         : MODBUS_TARGET_SILENT;
    bank.writable = data[0] & IS_WRITABLE ? &device : NULL;
    (void)serve(&whole, data + PIECES, size - PIECES);
    serve_in_pieces(&cut, data, data + PIECES, size - PIECES);
    if (is_rtu) /* the end of a request with an unknown function code is where the piece ends */
        return 0;
    demand(whole.closed == cut.closed && whole.answered == cut.answered);
    demand(memcmp(whole.answers, cut.answers, whole.answered) == 0);
    return 0;
}
