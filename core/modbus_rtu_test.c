#include "modbus_rtu.h"

#include "crc16.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

/* A map of our own: the voltages and the meter code of a well-known meter at their addresses. */
static const struct register_row rows[] = {
    {.address = 0x0000, .source = FROM_QUANTITY, .type = REG_F32, .of = Q_VOLTAGE_L1},
    {.address = 0x0002, .source = FROM_QUANTITY, .type = REG_F32, .of = Q_VOLTAGE_L2},
    {.address = 0x0004, .source = FROM_QUANTITY, .type = REG_F32, .of = Q_VOLTAGE_L3},
    {.address = 0xFC02, .source = FROM_FIXED, .type = REG_U16, .number = 0x0070},
};
static const struct register_map map = {.name = "test", .input = {rows, 4}};
static struct register_image image;
static struct modbus_bank bank = {.image = &image, .id = {"Vendor", "Product", "1.0"}};

static int set_up(void **state)
{
    static struct reading r;
    const struct register_device identity = {.serial = "0123456789AB"};
    (void)state;
    reading_clear(&r);
    reading_set(&r, Q_VOLTAGE_L1, 230100);
    reading_set(&r, Q_VOLTAGE_L2, 229500);
    reading_set(&r, Q_VOLTAGE_L3, 231700);
    assert_true(register_image_init(&image, &map, false));
    register_image_render(
        &image, &r, &identity,
        &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_ZERO});
    return 0;
}

static void assert_answer(const uint8_t *request, size_t n, const uint8_t *expected,
                          size_t expected_n)
{
    struct modbus_frame frame;
    uint8_t out[RTU_ADU_MAX];
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(rtu_parse(request, cut, &frame), FRAME_MORE);
    assert_int_equal(rtu_parse(request, n, &frame), FRAME_REQUEST);
    assert_int_equal(frame.total, n);
    assert_int_equal(rtu_reply(&bank, &frame, out), expected_n);
    assert_memory_equal(out, expected, expected_n);
}

#define ASSERT_ANSWER(request, expected) \
    assert_answer(request, sizeof(request), expected, sizeof(expected))

static void golden_frames(void **state)
{
    static const uint8_t voltages[] = {0x01, 0x04, 0x00, 0x00, 0x00, 0x06, 0x70, 0x08};
    static const uint8_t voltages_answer[] = {0x01, 0x04, 0x0C, 0x43, 0x66, 0x19, 0x9A, 0x43, 0x65,
                                              0x80, 0x00, 0x43, 0x67, 0xB3, 0x33, 0x8C, 0x84};
    static const uint8_t code[] = {0x01, 0x03, 0xFC, 0x02, 0x00, 0x01, 0x15, 0x9A};
    static const uint8_t code_answer[] = {0x01, 0x03, 0x02, 0x00, 0x70, 0xB9, 0xA0};
    static const uint8_t coil[] = {0x01, 0x05, 0x00, 0x00, 0x00, 0x00, 0xCD, 0xCA};
    static const uint8_t coil_answer[] = {0x01, 0x85, 0x01, 0x83, 0x50};
    (void)state;
    ASSERT_ANSWER(voltages, voltages_answer);
    ASSERT_ANSWER(code, code_answer);
    ASSERT_ANSWER(coil, coil_answer);
}

/* Puts the CRC behind n bytes. */
static size_t seal(uint8_t *adu, size_t n)
{
    uint16_t crc = crc16_update(CRC16_MODBUS_INIT, adu, n);
    adu[n] = (uint8_t)crc;
    adu[n + 1] = (uint8_t)(crc >> 8);
    return n + 2;
}

static void checksum_vector_of_the_standard(void **state)
{
    uint8_t adu[4] = {0x02, 0x07};
    (void)state;
    assert_int_equal(seal(adu, 2), 4);
    assert_int_equal(adu[2], 0x41);
    assert_int_equal(adu[3], 0x12);
}

static void broadcasts_are_stepped_over(void **state)
{
    static const uint8_t echo[] = {0x00, 0x08, 0x00, 0x00, 0x55, 0x55, 0x1E, 0xB5};
    struct modbus_frame frame;
    (void)state;
    assert_int_equal(rtu_parse(echo, sizeof echo, &frame), FRAME_SKIP);
    assert_int_equal(frame.total, sizeof echo);
}

static void every_flipped_bit_is_refused(void **state)
{
    static const uint8_t good[] = {0x01, 0x04, 0x00, 0x00, 0x00, 0x06, 0x70, 0x08};
    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof good; bit++) {
        uint8_t bad[sizeof good];
        struct modbus_frame frame;
        memcpy(bad, good, sizeof good);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_not_equal(rtu_parse(bad, sizeof bad, &frame), FRAME_REQUEST);
    }
}

/* The requests of the functions that are not served have a length too: they are refused in place. */
static void unserved_functions_get_exception_1(void **state)
{
    static const struct {
        uint8_t pdu[16];
        size_t n;
    } requests[] = {
        {{0x06, 0, 0, 0, 1}, 5},
        {{0x07}, 1},
        {{0x10, 0, 0, 0, 2, 4, 1, 2, 3, 4}, 10},
        {{0x11}, 1},
        {{0x16, 0, 4, 0, 0xF2, 0, 0x25}, 7},
        {{0x17, 0, 3, 0, 6, 0, 14, 0, 1, 2, 0, 0xFF}, 12},
        {{0x42, 1, 2}, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        uint8_t adu[RTU_ADU_MAX] = {0x11}, out[RTU_ADU_MAX];
        struct modbus_frame frame;
        memcpy(adu + 1, requests[i].pdu, requests[i].n);
        size_t n = seal(adu, 1 + requests[i].n);
        assert_int_equal(rtu_parse(adu, n, &frame), FRAME_REQUEST);
        assert_int_equal(frame.total, n);
        assert_int_equal(rtu_reply(&bank, &frame, out), 5);
        assert_int_equal(out[1], requests[i].pdu[0] | 0x80);
        assert_int_equal(out[2], MODBUS_ILLEGAL_FUNCTION);
    }
}

static void noise_before_a_frame_costs_a_byte_at_a_time(void **state)
{
    static const uint8_t bytes[] = {0xFF, 0x55, 0x10, 0x01, 0x04, 0x00, 0x00, 0x00, 0x06,
                                    0x70, 0x08, 0x01, 0x04, 0x00, 0x00, 0x00, 0x06, 0x70,
                                    0x08, 0x01, 0x04, 0x00, 0x00, 0x00, 0x06, 0x70, 0x08};
    struct modbus_frame frame;
    size_t used = 0, requests = 0;
    enum modbus_frame_result result;
    (void)state;
    while ((result = rtu_parse(bytes + used, sizeof bytes - used, &frame)) != FRAME_MORE) {
        assert_true(frame.total >= 1 && frame.total <= sizeof bytes - used);
        used += frame.total;
        requests += result == FRAME_REQUEST;
    }
    assert_int_equal(requests, 3);
    assert_int_equal(used, sizeof bytes);
}

static void frames_longer_than_the_standard_allows_are_none(void **state)
{
    static const uint8_t bytes[] = {0x01, 0x10, 0, 0, 0, 1, 0xFF};
    struct modbus_frame frame;
    (void)state;
    assert_int_equal(rtu_parse(bytes, sizeof bytes, &frame), FRAME_SKIP);
    assert_int_equal(frame.total, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_frames),
        cmocka_unit_test(checksum_vector_of_the_standard),
        cmocka_unit_test(broadcasts_are_stepped_over),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(unserved_functions_get_exception_1),
        cmocka_unit_test(noise_before_a_frame_costs_a_byte_at_a_time),
        cmocka_unit_test(frames_longer_than_the_standard_allows_are_none),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
