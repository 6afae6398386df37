/* Requests of a Modbus TCP client, cut wherever the fuzzer likes: the answers are those of the same
 * bytes in one piece.
 *
 *   pieces 8 | stream ...      the stream comes in pieces of 1 + pieces[0], 1 + pieces[1] ... bytes
 */
#include "core/modbus.h"

#include "fuzz.h"

#include <string.h>

enum { PIECES = 8, ANSWERS_MAX = 1 << 20 };

static struct register_image image;
static struct modbus_bank bank = {.image = &image, .id = {"Vendor", "Product", "1.0"}};

struct client {
    uint8_t answers[ANSWERS_MAX];
    size_t answered;
    bool closed;
};

static void answer(struct client *c, const struct modbus_frame *frame)
{
    uint8_t out[MBAP_ADU_MAX];
    size_t n = mbap_reply(&bank, frame, out);
    demand(n >= MBAP_HEADER + 2 && n <= MBAP_ADU_MAX && (size_t)(out[4] << 8 | out[5]) == n - 6);
    demand(memcmp(out, frame->adu, 4) == 0 && out[6] == frame->adu[6]);
    demand((out[7] & 0x7F) == (frame->adu[7] & 0x7F) && ((out[7] & 0x80) == 0 || n == 9));
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
        enum modbus_frame_result result = mbap_parse(bytes + used, n - used, &frame);
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
    static const struct register_device identity = {.serial = "001234567890"};
    const struct register_map *map = register_map_find("empro");
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_METER_VOLTAGE_L1, 230100);
    demand(register_image_init(&image, map, false));
    register_image_render(
        &image, &r, &identity,
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
    bank.refusal = data[0] & 1 ? MODBUS_TARGET_SILENT : MODBUS_OK;
    (void)serve(&whole, data + PIECES, size - PIECES);
    serve_in_pieces(&cut, data, data + PIECES, size - PIECES);
    demand(whole.closed == cut.closed && whole.answered == cut.answered);
    demand(memcmp(whole.answers, cut.answers, whole.answered) == 0);
    return 0;
}
