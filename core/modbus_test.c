#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "modbus.h"

/* A bank that serves the EMpro map of three voltages and a current. */
struct bench {
    struct register_image image;
    struct modbus_bank bank;
};

static void begin(struct bench *b, enum word_order order)
{
    static const struct register_device identity = {.serial = "001234567890", .firmware = 0x010203};
    const struct register_map *map = register_map_find("empro");
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_METER_VOLTAGE_L1, 230100);
    reading_set(&r, Q_METER_VOLTAGE_L2, 229500);
    reading_set(&r, Q_METER_VOLTAGE_L3, 231700);
    reading_set(&r, Q_CURRENT_L1, 16000);
    reading_set(&r, Q_POWER_EXPORT_L3, 364);
    reading_set(&r, Q_TARIFF, 2);
    assert_true(register_image_init(&b->image, map, false));
    register_image_render(&b->image, &r, &identity,
                          &(struct register_style){.order = order, .unknown = UNKNOWN_ZERO});
    b->bank = (struct modbus_bank){.image = &b->image, .id = {"Vendor", "SC", "1.2.3"}};
}

struct answer {
    uint8_t bytes[MBAP_ADU_MAX];
    size_t n;
};

/* Request and answer lie in memory of exactly their sizes, so that a byte too far is found. */
static struct answer ask(const struct bench *b, const uint8_t *pdu, size_t n)
{
    struct answer a;
    uint8_t *request = malloc(n), *out = malloc(MODBUS_PDU_MAX);
    assert_true(request != NULL && out != NULL && n >= 1);
    memcpy(request, pdu, n);
    a.n = modbus_pdu_reply(&b->bank, request, n, out);
    assert_true(a.n >= 2 && a.n <= MODBUS_PDU_MAX);
    memcpy(a.bytes, out, a.n);
    free(request);
    free(out);
    return a;
}

static struct answer ask_registers(const struct bench *b, uint8_t code, uint32_t start,
                                   uint32_t quantity)
{
    const uint8_t pdu[] = {code, (uint8_t)(start >> 8), (uint8_t)start, (uint8_t)(quantity >> 8),
                           (uint8_t)quantity};
    return ask(b, pdu, sizeof pdu);
}

static void assert_exception(const struct answer *a, uint8_t code, enum modbus_exception exception)
{
    assert_int_equal(a->n, 2);
    assert_int_equal(a->bytes[0], code | 0x80);
    assert_int_equal(a->bytes[1], exception);
}

#define assert_bytes(a, ...) \
    do { \
        const uint8_t expected[] = {__VA_ARGS__}; \
        assert_int_equal((a)->n, sizeof expected); \
        assert_memory_equal((a)->bytes, expected, sizeof expected); \
    } while (0)

/* --- reading registers ------------------------------------------------------------------------ */

static void quantities_and_addresses(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t start, quantity;
        enum modbus_exception exception;
    } cases[] = {
        {0x8006, 0, MODBUS_ILLEGAL_VALUE},
        {0x8006, 1, MODBUS_OK},
        {0x8006, 2, MODBUS_OK},
        {0x8006, 125, MODBUS_OK},
        {0x8006, 126, MODBUS_ILLEGAL_VALUE},
        {0x8006, 127, MODBUS_ILLEGAL_VALUE},
        {0x8006, 0x0100, MODBUS_ILLEGAL_VALUE},
        {0x8006, 0x0101, MODBUS_ILLEGAL_VALUE},
        {0x8006, 65535, MODBUS_ILLEGAL_VALUE},
        {0, 1, MODBUS_OK},
        {0, 125, MODBUS_OK},
        {65535, 1, MODBUS_OK},
        {65535, 2, MODBUS_ILLEGAL_ADDRESS},
        {65411, 125, MODBUS_OK},
        {65412, 125, MODBUS_ILLEGAL_ADDRESS},
        {65535, 125, MODBUS_ILLEGAL_ADDRESS},
        {65535, 0, MODBUS_ILLEGAL_VALUE},
        {65535, 126, MODBUS_ILLEGAL_VALUE},
        {65535, 65535, MODBUS_ILLEGAL_VALUE},
    };
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (uint8_t code = 3; code <= 4; code++) {
            struct answer a = ask_registers(&b, code, cases[i].start, cases[i].quantity);
            if (cases[i].exception != MODBUS_OK) {
                assert_exception(&a, code, cases[i].exception);
                continue;
            }
            assert_int_equal(a.n, 2 + 2 * cases[i].quantity);
            assert_int_equal(a.bytes[0], code);
            assert_int_equal(a.bytes[1], 2 * cases[i].quantity);
        }
}

/* What every register should read, filled without an image. */
static void naive_model(uint8_t model[2 * 65536])
{
    static const struct {
        uint16_t address;
        uint16_t words[9];
    } known[] = {
        {0x0100, {0x0203, 0x0001}},
        {0x012C, {0x4545, 0x2D4D, 0x414D, 0x3733, 0x0030}},
        {0x0134, {0x3932, 0x3730, 0x3839, 0x0033}},
        {0x013C, {0x3030, 0x3231, 0x3433, 0x3635, 0x3837, 0x3039}},
        {0x0156, {0x38D2, 0x0DFB}},
        {0x2200, {1}},
        {0x8006, {0x199A, 0x4366, 0x8000, 0x4365, 0xB333, 0x4367}},
        {0x800E, {0x0000, 0x4180}},
        {0x8200, {2}},
        {0x8C36, {0x0000, 0x43B6}},
    };
    memset(model, 0, 2 * 65536);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        for (unsigned k = 0; k < 9; k++) {
            model[2 * (known[i].address + k)] = (uint8_t)(known[i].words[k] >> 8);
            model[2 * (known[i].address + k) + 1] = (uint8_t)known[i].words[k];
        }
}

static void every_start_equals_a_naive_model(void **unused)
{
    (void)unused;
    static const uint32_t counts[] = {1, 2, 57, 125};
    static uint8_t model[2 * 65536];
    uint8_t out[MODBUS_PDU_MAX];
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    naive_model(model);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
        for (uint32_t start = 0; start < 65536; start++) {
            uint32_t n = counts[c];
            const uint8_t pdu[] = {(uint8_t)(3 + start % 2), (uint8_t)(start >> 8), (uint8_t)start,
                                   0, (uint8_t)n};
            size_t length = modbus_pdu_reply(&b.bank, pdu, sizeof pdu, out);
            bool ok = start + n > 65536 ? length == 2 && out[1] == MODBUS_ILLEGAL_ADDRESS
                                        : length == 2 + 2 * n && out[1] == 2 * n &&
                                              memcmp(out + 2, model + 2 * start, 2 * n) == 0;
            if (!ok)
                fail_msg("%u registers from %u", n, start);
        }
}

static void codes_03_and_04_return_the_same(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    struct answer holding = ask_registers(&b, 3, 0x8000, 88);
    struct answer input = ask_registers(&b, 4, 0x8000, 88);
    assert_int_equal(holding.n, input.n);
    assert_memory_equal(holding.bytes + 1, input.bytes + 1, input.n - 1);
}

static void stale_data_is_refused_last(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    b.bank.refusal = MODBUS_TARGET_SILENT;
    struct answer a = ask_registers(&b, 3, 0x8006, 6);
    assert_bytes(&a, 0x83, 0x0B);
    a = ask_registers(&b, 4, 0x8034, 3);
    assert_bytes(&a, 0x84, 0x0B);
    a = ask_registers(&b, 4, 0x8035, 1); /* half of a power factor */
    assert_bytes(&a, 0x84, 0x0B);
    a = ask_registers(&b, 4, 0x8036, 3); /* load types, between what is measured */
    assert_bytes(&a, 4, 6, 0, 0, 0, 0, 0, 0);
    a = ask_registers(&b, 4, 0x2200, 1); /* what says nothing of the meter is answered */
    assert_bytes(&a, 4, 2, 0, 1);
    a = ask_registers(&b, 4, 0xFFFF, 1);
    assert_bytes(&a, 4, 2, 0, 0);
    a = ask_registers(&b, 6, 0xFFFF, 0);
    assert_exception(&a, 6, MODBUS_ILLEGAL_FUNCTION);
    a = ask_registers(&b, 3, 0xFFFF, 126);
    assert_exception(&a, 3, MODBUS_ILLEGAL_VALUE);
    a = ask_registers(&b, 3, 0xFFFF, 2);
    assert_exception(&a, 3, MODBUS_ILLEGAL_ADDRESS);
    a = ask(&b, (const uint8_t[]){3, 0x80, 6, 0}, 4);
    assert_exception(&a, 3, MODBUS_ILLEGAL_VALUE);
    a = ask(&b, (const uint8_t[]){8, 0, 0, 0x55, 0x55}, 5); /* these say nothing of the meter */
    assert_bytes(&a, 8, 0, 0, 0x55, 0x55);
    a = ask(&b, (const uint8_t[]){0x2B, 0x0E, 1, 0}, 4);
    assert_int_equal(a.bytes[0], 0x2B);
    b.bank.refusal = MODBUS_DEVICE_FAILURE;
    a = ask_registers(&b, 3, 0x7F90, 125);
    assert_exception(&a, 3, MODBUS_DEVICE_FAILURE);
}

static void lengths_other_than_five_are_illegal(void **unused)
{
    (void)unused;
    uint8_t pdu[MODBUS_PDU_MAX] = {3, 0x80, 0x06, 0, 2};
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (uint8_t code = 3; code <= 4; code++)
        for (size_t n = 1; n <= MODBUS_PDU_MAX; n++) {
            pdu[0] = code;
            struct answer a = ask(&b, pdu, n);
            if (n == 5)
                assert_int_equal(a.n, 6);
            else
                assert_exception(&a, code, MODBUS_ILLEGAL_VALUE);
        }
}

/* --- other functions -------------------------------------------------------------------------- */

static void all_other_function_codes_are_illegal(void **unused)
{
    (void)unused;
    static const size_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 12, 252, 253};
    uint8_t pdu[MODBUS_PDU_MAX] = {0};
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (int code = 0; code < 256; code++) {
        if (code == 0x03 || code == 0x04 || code == 0x08 || code == 0x2B)
            continue;
        pdu[0] = (uint8_t)code;
        for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
            struct answer a = ask(&b, pdu, lengths[i]);
            assert_exception(&a, (uint8_t)code, MODBUS_ILLEGAL_FUNCTION);
        }
    }
}

static void diagnostics_echo(void **unused)
{
    (void)unused;
    uint8_t pdu[MODBUS_PDU_MAX] = {8};
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (size_t i = 3; i < sizeof pdu; i++)
        pdu[i] = (uint8_t)(i * 7);
    for (size_t n = 1; n <= sizeof pdu; n++) {
        struct answer a = ask(&b, pdu, n);
        if (n < 5) {
            assert_exception(&a, 8, MODBUS_ILLEGAL_VALUE);
        } else {
            assert_int_equal(a.n, n);
            assert_memory_equal(a.bytes, pdu, n);
        }
    }
}

static void other_diagnostics_are_illegal(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (unsigned sub = 1; sub < 65536; sub += sub < 40 ? 1 : 215) {
        const uint8_t pdu[] = {8, (uint8_t)(sub >> 8), (uint8_t)sub, 0, 0, 1};
        for (size_t n = 3; n <= sizeof pdu; n++) {
            struct answer a = ask(&b, pdu, n);
            assert_exception(&a, 8, MODBUS_ILLEGAL_FUNCTION);
        }
    }
}

static void identification_streams(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (unsigned code = 1; code <= 3; code++) {
        struct answer all = ask(&b, (const uint8_t[]){0x2B, 0x0E, (uint8_t)code, 0}, 4);
        assert_bytes(&all, 0x2B, 0x0E, (uint8_t)code, 0x81, 0, 0, 3, 0, 6, 'V', 'e', 'n', 'd', 'o',
                     'r', 1, 2, 'S', 'C', 2, 5, '1', '.', '2', '.', '3');
        struct answer a = ask(&b, (const uint8_t[]){0x2B, 0x0E, (uint8_t)code, 1}, 4);
        assert_bytes(&a, 0x2B, 0x0E, (uint8_t)code, 0x81, 0, 0, 2, 1, 2, 'S', 'C', 2, 5, '1', '.',
                     '2', '.', '3');
        for (unsigned object = 3; object < 256; object++) { /* unknown: from the start */
            a = ask(&b, (const uint8_t[]){0x2B, 0x0E, (uint8_t)code, (uint8_t)object}, 4);
            assert_int_equal(a.n, all.n);
            assert_memory_equal(a.bytes, all.bytes, all.n);
        }
    }
}

static void identification_of_one_object(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    struct answer a = ask(&b, (const uint8_t[]){0x2B, 0x0E, 4, 2}, 4);
    assert_bytes(&a, 0x2B, 0x0E, 4, 0x81, 0, 0, 1, 2, 5, '1', '.', '2', '.', '3');
    for (unsigned object = 3; object < 256; object++) {
        a = ask(&b, (const uint8_t[]){0x2B, 0x0E, 4, (uint8_t)object}, 4);
        assert_exception(&a, 0x2B, MODBUS_ILLEGAL_ADDRESS);
    }
}

static void identification_asked_wrongly(void **unused)
{
    (void)unused;
    uint8_t pdu[MODBUS_PDU_MAX] = {0x2B, 0x0E, 1, 0};
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (size_t n = 1; n <= sizeof pdu; n++) {
        struct answer a = ask(&b, pdu, n);
        if (n != 4)
            assert_exception(&a, 0x2B, MODBUS_ILLEGAL_VALUE);
    }
    for (unsigned code = 0; code < 256; code += code == 0 ? 5 : 1) {
        struct answer a = ask(&b, (const uint8_t[]){0x2B, 0x0E, (uint8_t)code, 0}, 4);
        assert_exception(&a, 0x2B, MODBUS_ILLEGAL_VALUE);
    }
    for (unsigned mei = 0; mei < 256; mei += mei == 0x0D ? 2 : 1) /* whatever its length */
        for (size_t n = 2; n <= 11; n++) {
            pdu[1] = (uint8_t)mei;
            struct answer a = ask(&b, pdu, n);
            assert_exception(&a, 0x2B, MODBUS_ILLEGAL_FUNCTION);
        }
}

static void identification_texts_have_a_limit(void **unused)
{
    (void)unused;
    char text[101];
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    memset(text, 'x', 100);
    text[100] = '\0';
    b.bank.id[0] = b.bank.id[1] = text;
    b.bank.id[2] = "";
    struct answer a = ask(&b, (const uint8_t[]){0x2B, 0x0E, 1, 0}, 4);
    assert_int_equal(a.n, 7 + 66 + 66 + 2);
    assert_int_equal(a.bytes[8], 64);
    assert_int_equal(a.bytes[7 + 66 + 66 + 1], 0);
    b.bank.id[2] = text;
    a = ask(&b, (const uint8_t[]){0x2B, 0x0E, 3, 0}, 4);
    assert_int_equal(a.n, 7 + 3 * 66);
}

/* --- MBAP ------------------------------------------------------------------------------------- */

/* Answers the frame at the start of these bytes. */
static struct answer ask_tcp(const struct bench *b, const uint8_t *bytes, size_t n)
{
    struct answer a;
    struct modbus_frame frame;
    uint8_t *out = malloc(MBAP_ADU_MAX);
    assert_non_null(out);
    assert_int_equal(mbap_parse(bytes, n, &frame), FRAME_REQUEST);
    assert_ptr_equal(frame.adu, bytes);
    assert_int_equal(frame.total, n);
    a.n = mbap_reply(&b->bank, &frame, out);
    assert_true(a.n >= 9 && a.n <= MBAP_ADU_MAX);
    assert_int_equal((out[4] << 8 | out[5]) + 6, a.n);
    memcpy(a.bytes, out, a.n);
    free(out);
    return a;
}

static void golden_frames(void **unused)
{
    (void)unused;
    static const uint8_t voltages[] = {0, 1, 0, 0, 0, 6, 1, 3, 0x80, 0x06, 0, 6};
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    struct answer a = ask_tcp(&b, voltages, sizeof voltages);
    assert_bytes(&a, 0, 1, 0, 0, 0, 0x0F, 1, 3, 0x0C, 0x19, 0x9A, 0x43, 0x66, 0x80, 0x00, 0x43,
                 0x65, 0xB3, 0x33, 0x43, 0x67);
    begin(&b, WORD_ORDER_NORMAL);
    a = ask_tcp(&b, voltages, sizeof voltages);
    assert_bytes(&a, 0, 1, 0, 0, 0, 0x0F, 1, 3, 0x0C, 0x43, 0x66, 0x19, 0x9A, 0x43, 0x65, 0x80,
                 0x00, 0x43, 0x67, 0xB3, 0x33);
    a = ask_tcp(&b, (const uint8_t[]){0xAB, 0xCD, 0, 0, 0, 6, 1, 5, 0, 0, 0, 0}, 12);
    assert_bytes(&a, 0xAB, 0xCD, 0, 0, 0, 3, 1, 0x85, 1);
    a = ask_tcp(&b, (const uint8_t[]){0, 2, 0, 0, 0, 6, 1, 3, 0xFF, 0xFF, 0, 2}, 12);
    assert_bytes(&a, 0, 2, 0, 0, 0, 3, 1, 0x83, 2);
    a = ask_tcp(&b, (const uint8_t[]){0, 2, 0, 0, 0, 6, 1, 3, 0x80, 6, 0, 126}, 12);
    assert_bytes(&a, 0, 2, 0, 0, 0, 3, 1, 0x83, 3);
    a = ask_tcp(&b, (const uint8_t[]){0, 2, 0, 0, 0, 2, 0, 0x42}, 8);
    assert_bytes(&a, 0, 2, 0, 0, 0, 3, 0, 0xC2, 1);
}

static void unit_and_transaction_come_back(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (unsigned unit = 0; unit < 256; unit++) {
        const uint8_t bytes[] = {
            0xFE, (uint8_t)(unit * 3), 0, 0, 0, 6, (uint8_t)unit, 4, 0x80, 0x0E, 0, 2};
        struct answer a = ask_tcp(&b, bytes, sizeof bytes);
        assert_bytes(&a, 0xFE, (uint8_t)(unit * 3), 0, 0, 0, 7, (uint8_t)unit, 4, 4, 0, 0, 0x41,
                     0x80);
    }
}

static void a_cut_frame_awaits_the_rest(void **unused)
{
    (void)unused;
    struct modbus_frame frame;
    for (unsigned length = 2; length <= 254; length++) {
        size_t total = 6 + length;
        uint8_t bytes[MBAP_ADU_MAX + 4] = {0, 1, 0, 0, 0, (uint8_t)length};
        for (size_t n = 0; n < total; n++) {
            uint8_t *cut = malloc(n + 1);
            assert_non_null(cut);
            memcpy(cut + 1, bytes, n);
            assert_int_equal(mbap_parse(cut + 1, n, &frame), FRAME_MORE);
            free(cut);
        }
        assert_int_equal(mbap_parse(bytes, total, &frame), FRAME_REQUEST);
        assert_int_equal(frame.total, total);
        assert_int_equal(mbap_parse(bytes, total + 4, &frame), FRAME_REQUEST);
        assert_int_equal(frame.total, total);
    }
}

static void frames_that_come_together(void **unused)
{
    (void)unused;
    static const uint8_t bytes[] = {0, 1, 0, 0, 0, 6, 1, 3, 0x80, 0x0E, 0, 2,  /* good */
                                    0, 2, 0, 1, 0, 4, 9, 9, 9,    9,           /* not Modbus */
                                    0, 3, 0, 0, 0, 6, 1, 4, 0x82, 0x00, 0, 1}; /* good */
    struct bench b;
    struct modbus_frame frame;
    begin(&b, WORD_ORDER_SWAPPED);
    assert_int_equal(mbap_parse(bytes, sizeof bytes, &frame), FRAME_REQUEST);
    assert_int_equal(frame.total, 12);
    struct answer a = ask_tcp(&b, bytes, 12);
    assert_bytes(&a, 0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 0, 0x41, 0x80);
    assert_int_equal(mbap_parse(bytes + 12, sizeof bytes - 12, &frame), FRAME_SKIP);
    assert_int_equal(frame.total, 10);
    a = ask_tcp(&b, bytes + 22, 12);
    assert_bytes(&a, 0, 3, 0, 0, 0, 5, 1, 4, 2, 0, 2);
}

static void lengths_of_frames(void **unused)
{
    (void)unused;
    static const struct {
        unsigned length;
        enum modbus_frame_result result;
    } cases[] = {{0, FRAME_BAD},       {1, FRAME_BAD},      {2, FRAME_REQUEST},
                 {254, FRAME_REQUEST}, {255, FRAME_BAD},    {256, FRAME_BAD},
                 {0x0600, FRAME_BAD},  {0x4854, FRAME_BAD}, {65535, FRAME_BAD}};
    struct bench b;
    begin(&b, WORD_ORDER_SWAPPED);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned length = cases[i].length;
        const uint8_t bytes[MBAP_ADU_MAX] = {0, 1, 0, 0, (uint8_t)(length >> 8), (uint8_t)length,
                                             1, 3};
        struct modbus_frame frame;
        assert_int_equal(mbap_parse(bytes, sizeof bytes, &frame), cases[i].result);
        if (cases[i].result == FRAME_REQUEST) {
            struct answer a = ask_tcp(&b, bytes, 6 + length);
            assert_bytes(&a, 0, 1, 0, 0, 0, 3, 1, 0x83, 3);
        } else { /* bad is bad as soon as it can be seen, and whatever the protocol */
            const uint8_t foreign[6] = {0, 1, 7, 7, bytes[4], bytes[5]};
            assert_int_equal(mbap_parse(bytes, 6, &frame), FRAME_BAD);
            assert_int_equal(mbap_parse(foreign, 6, &frame), FRAME_BAD);
            assert_int_equal(mbap_parse(bytes, 5, &frame), FRAME_MORE);
        }
    }
}

static void the_longest_frames_fit(void **unused)
{
    (void)unused;
    struct bench b;
    uint8_t echo[MBAP_ADU_MAX] = {0, 1, 0, 0, 0, 254, 1, 8, 0, 0};
    begin(&b, WORD_ORDER_SWAPPED);
    struct answer a = ask_tcp(&b, echo, sizeof echo);
    assert_int_equal(a.n, MBAP_ADU_MAX);
    assert_memory_equal(a.bytes, echo, sizeof echo);
    a = ask_tcp(&b, (const uint8_t[]){0, 1, 0, 0, 0, 6, 1, 3, 0x80, 0, 0, 125}, 12);
    assert_int_equal(a.n, MBAP_HEADER + 2 + 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantities_and_addresses),
        cmocka_unit_test(every_start_equals_a_naive_model),
        cmocka_unit_test(codes_03_and_04_return_the_same),
        cmocka_unit_test(stale_data_is_refused_last),
        cmocka_unit_test(lengths_other_than_five_are_illegal),
        cmocka_unit_test(all_other_function_codes_are_illegal),
        cmocka_unit_test(diagnostics_echo),
        cmocka_unit_test(other_diagnostics_are_illegal),
        cmocka_unit_test(identification_streams),
        cmocka_unit_test(identification_of_one_object),
        cmocka_unit_test(identification_asked_wrongly),
        cmocka_unit_test(identification_texts_have_a_limit),
        cmocka_unit_test(golden_frames),
        cmocka_unit_test(unit_and_transaction_come_back),
        cmocka_unit_test(a_cut_frame_awaits_the_rest),
        cmocka_unit_test(frames_that_come_together),
        cmocka_unit_test(lengths_of_frames),
        cmocka_unit_test(the_longest_frames_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
