/* crc16_test.c - both builds of crc16_update(), side by side. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "crc16.h"

/* Each build under a name of its own. */
#define crc16_update crc16_slice8
uint16_t crc16_slice8(uint16_t crc, const uint8_t *p, size_t n);
#include "crc16_slice8.c"
#undef crc16_update
#define crc16_update crc16_nibble
uint16_t crc16_nibble(uint16_t crc, const uint8_t *p, size_t n);
#include "crc16_nibble.c"
#undef crc16_update

static uint16_t (*const builds[2])(uint16_t, const uint8_t *, size_t) = {crc16_slice8, crc16_nibble};

static uint16_t crc_of(int build, uint16_t init, const char *s)
{
    return builds[build](init, (const uint8_t *)s, strlen(s));
}

/* Bit by bit, as the polynomial is written. */
static uint16_t by_definition(uint16_t crc, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1);
    }
    return crc;
}

static void known_vectors(void **state)
{
    static const struct {
        const char *text;
        uint16_t init, crc;
    } rows[] = {
        {"", CRC16_ARC_INIT, 0x0000},
        {"", CRC16_MODBUS_INIT, 0xFFFF},
        {"123456789", CRC16_ARC_INIT, 0xBB3D},
        {"123456789", CRC16_MODBUS_INIT, 0x4B37},
        {"/some !", CRC16_ARC_INIT, 0xA3D4},
        {"/KFM5KAIFA-METER\r\n\r\n1-0:1.8.1(000671.578*kWh)\r\n1-0:1.7.0(00.318*kW)\r\n!",
         CRC16_ARC_INIT, 0x1E1D},
        /* without the '!', and with other line ends: what a wrong coverage would give */
        {"/KFM5KAIFA-METER\r\n\r\n1-0:1.8.1(000671.578*kWh)\r\n1-0:1.7.0(00.318*kW)\r\n",
         CRC16_ARC_INIT, 0x1D09},
        {"/KFM5KAIFA-METER\n\n1-0:1.8.1(000671.578*kWh)\n1-0:1.7.0(00.318*kW)\n!", CRC16_ARC_INIT,
         0xA249},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int build = 0; build < 2; build++)
            assert_int_equal(crc_of(build, rows[i].init, rows[i].text), rows[i].crc);
}

/* A Modbus RTU request with its CRC behind it, low byte first, leaves 0. */
static void modbus_frame_with_its_crc_leaves_nothing(void **state)
{
    static const uint8_t frame[] = {0x01, 0x03, 0x00, 0x00, 0x00, 0x0A, 0xC5, 0xCD};
    (void)state;
    for (int build = 0; build < 2; build++) {
        assert_int_equal(builds[build](CRC16_MODBUS_INIT, frame, 6), 0xCDC5);
        assert_int_equal(builds[build](CRC16_MODBUS_INIT, frame, 8), 0);
    }
}

static void fill(uint8_t *p, size_t n)
{
    uint32_t random = 1;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
}

static void every_split_gives_the_same(void **state)
{
    uint8_t bytes[67];
    (void)state;
    fill(bytes, sizeof bytes);
    uint16_t whole = by_definition(CRC16_ARC_INIT, bytes, sizeof bytes);
    for (int build = 0; build < 2; build++) {
        for (size_t a = 0; a <= sizeof bytes; a++) {
            for (size_t b = a; b <= sizeof bytes; b++) {
                uint16_t crc = builds[build](CRC16_ARC_INIT, bytes, a);
                crc = builds[build](crc, bytes + a, b - a);
                assert_int_equal(builds[build](crc, bytes + b, sizeof bytes - b), whole);
            }
        }
    }
}

/* Reaches every entry of every table. */
static void both_are_the_polynomial(void **state)
{
    static uint8_t bytes[20000];
    (void)state;
    fill(bytes, sizeof bytes);
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t place = 0; place < 8; place++) {
            uint8_t eight[8] = {0};
            eight[place] = (uint8_t)byte;
            for (int build = 0; build < 2; build++)
                assert_int_equal(builds[build](CRC16_ARC_INIT, eight, 8),
                                 by_definition(CRC16_ARC_INIT, eight, 8));
        }
    for (size_t n = 0; n < sizeof bytes; n = n * 2 + 1)
        for (int build = 0; build < 2; build++)
            assert_int_equal(builds[build](CRC16_MODBUS_INIT, bytes, n),
                             by_definition(CRC16_MODBUS_INIT, bytes, n));
}

static void every_single_bit_is_seen(void **state)
{
    uint8_t bytes[200];
    (void)state;
    fill(bytes, sizeof bytes);
    for (int build = 0; build < 2; build++) {
        uint16_t whole = builds[build](CRC16_ARC_INIT, bytes, sizeof bytes);
        for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_not_equal(builds[build](CRC16_ARC_INIT, bytes, sizeof bytes), whole);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(modbus_frame_with_its_crc_leaves_nothing),
        cmocka_unit_test(every_split_gives_the_same),
        cmocka_unit_test(both_are_the_polynomial),
        cmocka_unit_test(every_single_bit_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
