/* Bytes on an RS485 bus, with pauses between them: the answers are the same whether a driver hands over each byte or up
 * to three at once, less than the silence that ends a frame.
 *
 *   cuts 8 | { pause 1, n 1, n bytes } ...     pause: in 4 characters; none is shorter than an answer may be
 */
#include "core/rtu_slave.h"

#include "fuzz.h"

#include <string.h>

enum { CUTS = 8, UNIT = 16, SLACK_US = 300, PIECE_MAX = 3, PAUSE_MIN = 70 };

static const struct register_row rows[] = {
    {.address = 0, .source = FROM_FIXED, .type = REG_U32, .number = 20802, .title = "code"},
    {.address = 2, .source = FROM_SETTING, .type = REG_U16, .of = SETTING_ADDRESS, .title = "address"},
};
static const struct register_map map = {
    .name = "fuzz", .title = "fuzz", .input = {.rows = rows, .count = 2}, .writes_many = true};

struct line {
    struct rtu_slave slave;
    struct register_image image;
    struct register_device device;
    struct modbus_bank bank;
    int64_t now_us;
    uint32_t char_us, answers; /* answers: a digest of them and their times */
};

static void begin(struct line *l)
{
    static const struct register_style style = {.order = WORD_ORDER_NORMAL};
    const struct rtu_slave_settings settings = {
        .address = UNIT, .baud = 9600, .even_parity = true, .slack_us = SLACK_US};
    *l = (struct line){.device = {.serial = "1", .setting = {[SETTING_ADDRESS] = UNIT}}};
    demand(register_image_init(&l->image, &map, true));
    register_image_render(&l->image, NULL, &l->device, &style);
    l->bank =
        (struct modbus_bank){.image = &l->image, .id = {"v", "p", "1"}, .writable = &l->device};
    l->char_us = rtu_characters_us(9600, true, 1);
    rtu_slave_init(&l->slave, &settings, &l->bank);
}

static void note_answer(struct line *l, const uint8_t *answer, size_t n)
{
    demand(n >= 5 && n <= RTU_ADU_MAX && answer[0] == UNIT);
    l->answers = digest(l->answers, &l->now_us, sizeof l->now_us);
    l->answers = digest(l->answers, answer, n);
    demand(l->device.setting[SETTING_ADDRESS] >= 1 && l->device.setting[SETTING_ADDRESS] <= 247);
}

static void pass(struct line *l, int64_t us)
{
    int64_t end_us = l->now_us + us, due_us;
    for (int polls = 0; (due_us = rtu_slave_due_us(&l->slave)) <= end_us; polls++) {
        size_t n;
        demand(polls < 8);
        l->now_us = due_us > l->now_us ? due_us : l->now_us;
        const uint8_t *answer = rtu_slave_poll(&l->slave, l->now_us, &n);
        if (answer)
            note_answer(l, answer, n);
    }
    l->now_us = end_us;
}

/* Byte by byte, or some at once: each piece is there when its last byte is. */
static void hear(struct line *l, const uint8_t *bytes, size_t n, const uint8_t *cuts)
{
    for (size_t i = 0; n; i++) {
        size_t piece = cuts ? 1u + cuts[i % CUTS] % PIECE_MAX : 1;
        piece = piece < n ? piece : n;
        pass(l, (int64_t)piece * l->char_us);
        rtu_slave_bytes(&l->slave, bytes, piece, l->now_us);
        bytes += piece;
        n -= piece;
    }
}

static void run(struct line *l, const uint8_t *cuts, const uint8_t *data, size_t size)
{
    begin(l);
    while (size > 2) {
        size_t n = data[1] < size - 2 ? data[1] : size - 2;
        if (data[0] >= PAUSE_MIN)
            pass(l, (int64_t)data[0] * l->char_us * 4);
        hear(l, data + 2, n, cuts);
        data += 2 + n;
        size -= 2 + n;
    }
    pass(l, 1000000);
    demand(rtu_slave_due_us(&l->slave) == RTU_NEVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct line whole, cut;
    if (size < CUTS)
        return 0;
    run(&whole, NULL, data + CUTS, size - CUTS);
    run(&cut, data, data + CUTS, size - CUTS);
    demand(whole.answers == cut.answers);
    demand(memcmp(&whole.slave.counters, &cut.slave.counters, sizeof whole.slave.counters) == 0);
    return 0;
}
