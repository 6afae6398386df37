/* Bytes on an RS485 bus, with pauses between them: the answers are the same whether a driver hands over each byte or up
 * to three at once, less than the silence that ends a frame, and they answer what came last.
 *
 *   cuts 6 | line 1 | what 1 | { pause 1, n 1, n bytes } ...
 *
 *   pause      in 4 characters; none is shorter than an answer may be.  Without bytes it says what happens instead
 *   line       speed, parity, slack
 *   what       whether each n bytes end with a right CRC, and whether the adapter hears itself
 */
#include "core/rtu_slave.h"

#include "modbus_model.h"
#include "pieces.h"

enum { CUTS = 6, LINE = CUTS, WHAT, HEAD };
enum {
    UNIT = 16,
    SLACK_US = 300,
    TURNAROUND_US = 100000,
    LATE_US = 1000000,
    SETTLED_US = 10000000
};
enum { CODE = 20802, VENDOR_BLOCK = 0xFE00 };
enum { PIECE_MAX = 3, PAUSE_MIN = 70, POLLS_MAX = 64 };
enum {
    IS_ODD = 8,
    HAS_SLACK = 16,
    TAKES_TIME = 32,
    IS_SWAPPED = 64
};                                /* of LINE, beside three bits for the speed */
enum { ECHOES = 1, IS_BUSY = 2 }; /* of WHAT, beside REPAIRS */
enum { LINE_ERROR, SET, NO_POLL, BYTE_WITHOUT_POLL, EVENTS }; /* what a pause without bytes means */

static const struct register_row rows[] = {
    {.address = 0, .source = FROM_FIXED, .type = REG_U32, .number = CODE, .title = "code"},
    {.address = 2, .source = FROM_SETTING, .type = REG_U16, .of = SETTING_ADDRESS, .title = "address"},
    {.address = 4, .source = FROM_QUANTITY, .type = REG_U32, .of = Q_POWER_IMPORT},
    {.address = 6, .source = FROM_SETTING, .type = REG_F32, .of = SETTING_BAUD_LOW},
    {.address = 8, .source = FROM_SETTING, .type = REG_U16, .of = SETTING_BAUD_HIGH},
    {.address = 9, .source = FROM_SETTING, .type = REG_U32, .of = SETTING_BAUD},
};
static const struct register_map map = {
    .name = "fuzz",
    .title = "fuzz",
    .input = {.rows = rows, .count = sizeof rows / sizeof rows[0]},
    .writes_many = true};

struct line {
    struct rtu_slave slave;
    struct register_image image;
    struct register_device device;
    struct modbus_bank bank;
    int64_t now_us;
    uint32_t char_us, answers; /* answers: a digest of them and their times */
    struct rtu_slave_settings settings;
    bool echoes;
    uint8_t heard[RTU_ADU_MAX]; /* the last of the bytes */
    size_t heard_n;
};

static void begin(struct line *l, const uint8_t *head)
{
    static const struct register_style style = {.order = WORD_ORDER_NORMAL};
    *l = (struct line){.settings = {.address = UNIT,
                                    .baud = register_bauds[head[LINE] % REGISTER_BAUDS],
                                    .even_parity = !(head[LINE] & IS_ODD),
                                    .turnaround_us = head[LINE] & TAKES_TIME ? TURNAROUND_US : 0,
                                    .slack_us = head[LINE] & HAS_SLACK ? SLACK_US : 0},
                       .echoes = head[WHAT] & ECHOES,
                       .device = {.serial = "1", .setting = {[SETTING_ADDRESS] = UNIT}}};
    demand(register_image_init(&l->image, &map, true));
    register_image_render(&l->image, NULL, &l->device, &style);
    l->bank =
        (struct modbus_bank){.image = &l->image, .id = {"v", "p", "1"}, .writable = &l->device};
    l->bank.order = head[LINE] & IS_SWAPPED ? WORD_ORDER_SWAPPED : WORD_ORDER_NORMAL;
    l->bank.refusal = head[WHAT] & IS_BUSY ? MODBUS_NO_ANSWER : MODBUS_OK;
    l->char_us = rtu_characters_us(l->settings.baud, l->settings.even_parity, 1);
    rtu_slave_init(&l->slave, &l->settings, &l->bank);
}

static void bytes_come(struct line *l, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (l->heard_n == sizeof l->heard)
            memmove(l->heard, l->heard + 1, --l->heard_n);
        l->heard[l->heard_n++] = bytes[i];
    }
    rtu_slave_bytes(&l->slave, bytes, n, l->now_us);
}

/* Registers of the map read as the rows say; those behind it are the vendor block's. */
static bool is_read(const uint8_t *request, const uint8_t *answer, size_t answer_n)
{
    uint32_t start = model_u16(request + 2), count = model_u16(request + 4);
    if (answer[2] != 2 * count || answer_n != 5 + 2 * count)
        return false;
    for (uint32_t i = 0; i < count && start + i < VENDOR_BLOCK; i++) {
        uint32_t expected = start + i == 1 ? CODE : start + i == 2 ? UNIT : 0;
        if (model_u16(answer + 3 + 2 * i) != expected)
            return false;
    }
    return true;
}

static bool is_answer_to(const uint8_t *request, size_t n, const uint8_t *answer, size_t answer_n)
{
    if (request[0] != UNIT || request[1] != (answer[1] & 0x7F) || !ends_with_crc(request, n))
        return false;
    switch (answer[1]) {
    case 0x03:
    case 0x04:
        return n == 8 && is_read(request, answer, answer_n);
    case 0x06:
        return answer_n == n && memcmp(answer, request, n) == 0;
    case 0x10:
        return answer_n == 8 && memcmp(answer, request, 6) == 0;
    default:
        return !(answer[1] & 0x80) || answer_n == 5;
    }
}

/* The request ends with what was heard last. */
static void demand_request(const struct line *l, const uint8_t *answer, size_t answer_n)
{
    for (size_t n = 4; n <= l->heard_n; n++)
        if (is_answer_to(l->heard + l->heard_n - n, n, answer, answer_n))
            return;
    abort();
}

static void note_answer(struct line *l, const uint8_t *answer, size_t n)
{
    demand(n >= 5 && n <= RTU_ADU_MAX && answer[0] == UNIT && ends_with_crc(answer, n));
    demand_request(l, answer, n);
    l->answers = digest(l->answers, &l->now_us, sizeof l->now_us);
    l->answers = digest(l->answers, answer, n);
    demand(l->device.setting[SETTING_ADDRESS] >= 1 && l->device.setting[SETTING_ADDRESS] <= 247);
}

static void pass(struct line *l, int64_t us)
{
    int64_t end_us = l->now_us + us, due_us;
    for (int polls = 0; (due_us = rtu_slave_due_us(&l->slave)) <= end_us; polls++) {
        size_t n;
        demand(polls < POLLS_MAX);
        l->now_us = due_us > l->now_us ? due_us : l->now_us;
        const uint8_t *answer = rtu_slave_poll(&l->slave, l->now_us, &n);
        if (answer)
            note_answer(l, answer, n);
        if (answer && l->echoes) {
            l->now_us += (int64_t)n * l->char_us;
            bytes_come(l, answer, n);
        }
    }
    l->now_us = end_us > l->now_us ? end_us : l->now_us;
}

/* Byte by byte, or some at once: each piece is there when its last byte is. */
static void hear(struct line *l, const uint8_t *bytes, size_t n, const uint8_t *cuts)
{
    for (size_t i = 0; n; i++) {
        size_t piece = cuts ? 1u + cuts[i % CUTS] % PIECE_MAX : 1;
        piece = piece < n ? piece : n;
        pass(l, (int64_t)piece * l->char_us);
        bytes_come(l, bytes, piece);
        bytes += piece;
        n -= piece;
    }
}

static void happen(struct line *l, int event)
{
    if (event == LINE_ERROR)
        rtu_slave_line_error(&l->slave, l->now_us);
    else if (event == SET)
        rtu_slave_set(&l->slave, &l->settings);
    else { /* the caller is held up: for an answer, or before it has seen the bytes */
        pass(l, event == NO_POLL ? 4 * (int64_t)l->char_us : 0);
        l->now_us += LATE_US;
    }
    if (event == BYTE_WITHOUT_POLL)
        bytes_come(l, (const uint8_t[]){0}, 1);
}

static void run(struct line *l, const uint8_t *head, const uint8_t *cuts, const uint8_t *data,
                size_t size)
{
    begin(l, head);
    while (size > 2) {
        size_t n = data[1] < size - 2 ? data[1] : size - 2;
        if (data[0] >= PAUSE_MIN)
            pass(l, (int64_t)data[0] * l->char_us * 4);
        if (n == 0)
            happen(l, data[0] % EVENTS);
        hear(l, data + 2, n, cuts);
        data += 2 + n;
        size -= 2 + n;
    }
    pass(l, SETTLED_US);
    demand(rtu_slave_due_us(&l->slave) == RTU_NEVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct line whole, cut;
    if (size < HEAD)
        return 0;
    const uint8_t *pieces = pieces_copy(data + HEAD, size - HEAD, data[WHAT] & REPAIRS);
    run(&whole, data, NULL, pieces, size - HEAD);
    run(&cut, data, data, pieces, size - HEAD);
    demand(whole.answers == cut.answers);
    demand(memcmp(&whole.slave.counters, &cut.slave.counters, sizeof whole.slave.counters) == 0);
    return 0;
}
