#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "maps/maps.h"
#include "register_write.h"

/* A map of settings in every type, and beside them what is none. */
enum {
    AT_ADDRESS = 10,
    AT_BAUD,        /* 2 registers */
    AT_PARITY = 13, /* by codes */
    AT_TERMINATION,
    AT_FLOAT_ADDRESS,     /* 2 registers */
    AT_FLOAT_PARITY = 17, /* 2 registers, by codes */
    AT_FIXED = 19,
    AT_POWER, /* 2 registers */
    AT_STATUS = 22,
    AT_AGE,
    AT_ACCEPTED,
    AT_FLOAT_ACCEPTED, /* 2 registers */
    AT_WIRING = 27,
    AT_BAUD_LOW,
    AT_BAUD_HIGH,
    AT_REBOOT,
    AT_ALWAYS_NORMAL,      /* 2 registers, whatever the order of the image */
    AT_ALWAYS_SWAPPED = 33 /* 2 registers */
};

static const struct setting_code parities[] = {{1, 3}, {0, 9}, {0, CODE_END}};

static const struct register_row rows[] = {
    ROW_SETTING(AT_ADDRESS, REG_U16, SETTING_ADDRESS, NULL, "address"),
    ROW_SETTING(AT_BAUD, REG_U32, SETTING_BAUD, NULL, "baud rate"),
    ROW_SETTING(AT_PARITY, REG_U16, SETTING_PARITY, parities, "parity"),
    ROW_SETTING(AT_TERMINATION, REG_U16, SETTING_TERMINATION, NULL, "termination"),
    ROW_SETTING(AT_FLOAT_ADDRESS, REG_F32, SETTING_ADDRESS, NULL, "address as a float"),
    ROW_SETTING(AT_FLOAT_PARITY, REG_F32, SETTING_PARITY, parities, "parity as a float"),
    ROW_FIXED(AT_FIXED, REG_U16, 7, "fixed"),
    ROW_F32(AT_POWER, Q_POWER),
    ROW_SETTING(AT_STATUS, REG_U16, SETTING_P1_STATUS, NULL, "status"),
    ROW_SETTING(AT_AGE, REG_U16, SETTING_DATA_AGE, NULL, "age"),
    ROW_ACCEPTED(AT_ACCEPTED, REG_U16, 60, "accepted"),
    ROW_ACCEPTED(AT_FLOAT_ACCEPTED, REG_F32, 60, "accepted as a float"),
    ROW_SETTING(AT_WIRING, REG_U16, SETTING_WIRING, NULL, "wiring"),
    ROW_SETTING(AT_BAUD_LOW, REG_U16, SETTING_BAUD_LOW, NULL, "baud rate, low"),
    ROW_SETTING(AT_BAUD_HIGH, REG_U16, SETTING_BAUD_HIGH, NULL, "baud rate, high"),
    ROW_SETTING(AT_REBOOT, REG_U16, SETTING_REBOOT, NULL, "reboot"),
    {.address = AT_ALWAYS_NORMAL,
     .source = FROM_SETTING,
     .type = REG_U32,
     .of = SETTING_BAUD,
     .order = ROW_ORDER_NORMAL,
     .title = "baud rate"},
    {.address = AT_ALWAYS_SWAPPED,
     .source = FROM_SETTING,
     .type = REG_U32,
     .of = SETTING_BAUD,
     .order = ROW_ORDER_SWAPPED,
     .title = "baud rate"},
};
static const struct register_map map = {.name = "Test-Map", .input = TABLE(rows)};

/* The settings as a device has them when it is new. */
static const struct register_device fresh = {
    .serial = "001234567890",
    .setting = {
        [SETTING_ADDRESS] = 16, [SETTING_BAUD] = 9600, [SETTING_BAUD_LOW] = 9600, [SETTING_PARITY] = 1}};
static struct register_image image;
static struct register_device device;

static int begin(void **unused)
{
    (void)unused;
    device = fresh;
    assert_true(register_image_init(&image, &map, false));
    return 0;
}

static enum register_write_result put(enum word_order order, uint32_t address, uint32_t count,
                                      const uint16_t *words)
{
    uint8_t bytes[16];
    assert_true(2 * count <= sizeof bytes);
    for (uint32_t i = 0; i < count; i++) {
        bytes[2 * i] = (uint8_t)(words[i] >> 8);
        bytes[2 * i + 1] = (uint8_t)words[i];
    }
    return register_write(&image, order, address, count, bytes, &device);
}

static enum register_write_result put_word(uint32_t address, uint16_t word)
{
    return put(WORD_ORDER_NORMAL, address, 1, &word);
}

static enum register_write_result put_long(enum word_order order, uint32_t address, uint32_t number)
{
    const uint16_t high = (uint16_t)(number >> 16), low = (uint16_t)number;
    const uint16_t words[] = {order == WORD_ORDER_SWAPPED ? low : high,
                              order == WORD_ORDER_SWAPPED ? high : low};
    return put(order, address, 2, words);
}

static uint32_t float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static void assert_unchanged(void)
{
    assert_memory_equal(device.setting, fresh.setting, sizeof device.setting);
}

/* --- one setting ------------------------------------------------------------------------------ */

static void every_value_of_a_setting_is_in_or_out_of_its_range(void **unused)
{
    (void)unused;
    static const struct {
        uint16_t at;
        enum register_setting setting;
        uint32_t min, max;
    } ranges[] = {
        {AT_ADDRESS, SETTING_ADDRESS, 1, 247},   {AT_TERMINATION, SETTING_TERMINATION, 0, 1},
        {AT_WIRING, SETTING_WIRING, 1, 3},       {AT_BAUD_LOW, SETTING_BAUD_LOW, 0, 65535},
        {AT_BAUD_HIGH, SETTING_BAUD_HIGH, 0, 1}, {AT_REBOOT, SETTING_REBOOT, 1, 1},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        for (uint32_t value = 0; value <= 65535; value++) {
            bool fits = value >= ranges[i].min && value <= ranges[i].max;
            device = fresh;
            assert_int_equal(put_word(ranges[i].at, (uint16_t)value),
                             fits ? WRITE_TAKEN : WRITE_BAD_VALUE);
            if (fits)
                assert_int_equal(device.setting[ranges[i].setting], value);
            else
                assert_unchanged();
        }
}

static void a_speed_is_one_of_eight(void **unused)
{
    (void)unused;
    static const uint32_t bauds[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};
    size_t known = 0;
    for (uint32_t baud = 0; baud <= 0x20000; baud++) {
        device = fresh;
        bool is_known = known < 8 && bauds[known] == baud;
        known += is_known;
        assert_int_equal(register_baud_is_known(baud), is_known);
        assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_BAUD, baud),
                         is_known ? WRITE_TAKEN : WRITE_BAD_VALUE);
        assert_int_equal(device.setting[SETTING_BAUD], is_known ? baud : 9600);
    }
    assert_int_equal(known, 8);
    assert_false(register_baud_is_known(UINT32_MAX));
}

static void a_value_is_set_without_a_register(void **unused)
{
    (void)unused;
    assert_true(register_device_set(&device, SETTING_ADDRESS, 247));
    assert_int_equal(device.setting[SETTING_ADDRESS], 247);
    assert_false(register_device_set(&device, SETTING_ADDRESS, 248));
    assert_false(register_device_set(&device, SETTING_ADDRESS, 0));
    assert_false(register_device_set(&device, SETTING_ADDRESS, UINT32_MAX));
    assert_int_equal(device.setting[SETTING_ADDRESS], 247);
    assert_false(register_device_set(&device, SETTING_P1_STATUS, 1));
    assert_false(register_device_set(&device, SETTING_DATA_AGE, 1));
    assert_true(
        register_device_set(&device, SETTING_PARITY, 0)); /* by value, not by a meter's code */
    assert_int_equal(device.setting[SETTING_PARITY], 0);
}

static void codes_are_taken_for_values(void **unused)
{
    (void)unused;
    assert_int_equal(put_word(AT_PARITY, 9), WRITE_TAKEN);
    assert_int_equal(device.setting[SETTING_PARITY], 0);
    assert_int_equal(put_word(AT_PARITY, 3), WRITE_TAKEN);
    assert_int_equal(device.setting[SETTING_PARITY], 1);
    static const uint16_t none[] = {0, 1, 2, 4, 8, 10, 0x0103, CODE_END};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(put_word(AT_PARITY, none[i]), WRITE_BAD_VALUE);
    assert_unchanged();
}

static void what_is_accepted_is_forgotten(void **unused)
{
    (void)unused;
    static const uint32_t numbers[] = {0, 1, 0x7FC00000, 0xBF800000, UINT32_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(put_word(AT_ACCEPTED, (uint16_t)numbers[i]), WRITE_TAKEN);
        assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_FLOAT_ACCEPTED, numbers[i]), WRITE_TAKEN);
    }
    uint8_t shown[6];
    const struct register_style style = {.order = WORD_ORDER_NORMAL};
    register_image_render(&image, NULL, &device, &style);
    register_image_read(&image, SPACE_HOLDING, AT_ACCEPTED, 3, shown);
    static const uint8_t expected[] = {0, 60, 0x42, 0x70, 0, 0};
    assert_memory_equal(shown, expected, sizeof expected);
}

/* --- values of two registers ------------------------------------------------------------------ */

static void two_registers_follow_the_word_order(void **unused)
{
    (void)unused;
    for (int order = WORD_ORDER_NORMAL; order <= WORD_ORDER_SWAPPED; order++) {
        device = fresh;
        assert_int_equal(put_long((enum word_order)order, AT_BAUD, 115200), WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_BAUD], 115200);
        assert_int_equal(put_long((enum word_order)order, AT_FLOAT_ADDRESS, float_bits(200.0F)),
                         WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_ADDRESS], 200);
        assert_int_equal(put_long((enum word_order)order, AT_FLOAT_PARITY, float_bits(9.0F)),
                         WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_PARITY], 0);
    }
    device = fresh;
    static const uint16_t wrong[] = {0xC200, 0x0001}; /* 115200 with the low word first */
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_BAUD, 2, wrong), WRITE_BAD_VALUE);
    assert_unchanged();
}

static void a_row_may_have_a_word_order_of_its_own(void **unused)
{
    (void)unused;
    static const uint16_t normal[] = {0x0001, 0xC200}, swapped[] = {0xC200, 0x0001};
    for (int order = WORD_ORDER_NORMAL; order <= WORD_ORDER_SWAPPED; order++) {
        device = fresh;
        assert_int_equal(put((enum word_order)order, AT_ALWAYS_NORMAL, 2, normal), WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_BAUD], 115200);
        device = fresh;
        assert_int_equal(put((enum word_order)order, AT_ALWAYS_SWAPPED, 2, swapped), WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_BAUD], 115200);
        device = fresh;
        assert_int_equal(put((enum word_order)order, AT_ALWAYS_NORMAL, 2, swapped), WRITE_BAD_VALUE);
        assert_int_equal(put((enum word_order)order, AT_ALWAYS_SWAPPED, 2, normal), WRITE_BAD_VALUE);
        assert_unchanged();
    }
}

static void floats_must_be_whole_numbers(void **unused)
{
    (void)unused;
    for (uint32_t value = 1; value <= 247; value++) {
        assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_FLOAT_ADDRESS, float_bits((float)value)),
                         WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_ADDRESS], value);
    }
    device = fresh;
    static const float bad[] = {0.0F,     -0.0F,       0.5F,          0.999F, 1.5F,
                                -1.0F,    -16.0F,      246.5F,        248.0F, 1e-40F,
                                65537.0F, 16777216.0F, 4294967297.0F, 3e38F};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_FLOAT_ADDRESS, float_bits(bad[i])),
                         WRITE_BAD_VALUE);
    static const uint32_t no_numbers[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000,
                                          0x7F800001, 0x7FFFFFFF, 0x00000001, 0x80000001};
    for (size_t i = 0; i < sizeof no_numbers / sizeof no_numbers[0]; i++)
        assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_FLOAT_ADDRESS, no_numbers[i]),
                         WRITE_BAD_VALUE);
    assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_FLOAT_PARITY, float_bits(9.5F)),
                     WRITE_BAD_VALUE);
    assert_unchanged();
}

static void zero_is_a_whole_number(void **unused)
{
    (void)unused;
    static const struct register_row one[] = {
        ROW_SETTING(0, REG_F32, SETTING_PARITY, NULL, "parity as a float")};
    static const struct register_map floats = {.name = "Test-Floats", .input = TABLE(one)};
    static const uint32_t zeros[] = {0x00000000, 0x80000000};
    assert_true(register_image_init(&image, &floats, false));
    for (size_t i = 0; i < 2; i++) {
        device = fresh;
        assert_int_equal(put_long(WORD_ORDER_NORMAL, 0, zeros[i]), WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_PARITY], 0);
    }
}

/* --- what cannot be written ------------------------------------------------------------------- */

static void only_settings_can_be_written(void **unused)
{
    (void)unused;
    static const uint32_t others[] = {
        0,      AT_ADDRESS - 1,        AT_FIXED, AT_POWER, AT_POWER + 1, AT_STATUS,
        AT_AGE, AT_ALWAYS_SWAPPED + 2, 0xFE01,   65535};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(put_word(others[i], 1), WRITE_NO_SETTING);
    assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_POWER, 0), WRITE_NO_SETTING);
    assert_unchanged();
}

static void half_a_setting_is_none(void **unused)
{
    (void)unused;
    static const uint16_t words[] = {1, 0, 9600};
    assert_int_equal(put_word(AT_BAUD, 0), WRITE_NO_SETTING);
    assert_int_equal(put_word(AT_BAUD + 1, 9600), WRITE_NO_SETTING);
    assert_int_equal(put_word(AT_FLOAT_ACCEPTED, 0), WRITE_NO_SETTING);
    assert_int_equal(put_word(AT_FLOAT_ACCEPTED + 1, 0), WRITE_NO_SETTING);
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_ADDRESS, 2, words), WRITE_NO_SETTING);
    assert_unchanged();
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_ADDRESS, 3, words), WRITE_TAKEN);
}

static void a_write_is_taken_as_a_whole_or_not_at_all(void **unused)
{
    (void)unused;
    static const uint16_t good[] = {200, 0, 19200, 9, 1};
    for (size_t bad = 0; bad < 5; bad++) {
        uint16_t words[5];
        memcpy(words, good, sizeof words);
        words[bad] = 0xEEEE;
        assert_int_equal(put(WORD_ORDER_NORMAL, AT_ADDRESS, 5, words), WRITE_BAD_VALUE);
        assert_unchanged();
    }
    static const uint16_t ends_outside[] = {0, 9600, 9600, 0, 0};
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_ALWAYS_NORMAL, 5, ends_outside), WRITE_NO_SETTING);
    assert_unchanged();
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_ADDRESS, 5, good), WRITE_TAKEN);
    assert_int_equal(device.setting[SETTING_ADDRESS], 200);
    assert_int_equal(device.setting[SETTING_BAUD], 19200);
    assert_int_equal(device.setting[SETTING_PARITY], 0);
    assert_int_equal(device.setting[SETTING_TERMINATION], 1);
}

/* Which complaint it is depends on what comes first. */
static void the_first_fault_is_named(void **unused)
{
    (void)unused;
    static const uint16_t value_first[] = {2, 0x4170, 0, 0x4110, 0, 7};
    static const uint16_t setting_first[] = {1, 0x4170, 0, 0x4110, 0, 7};
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_TERMINATION, 6, value_first), WRITE_BAD_VALUE);
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_TERMINATION, 6, setting_first), WRITE_NO_SETTING);
    assert_unchanged();
}

/* --- halves of the baud rate ------------------------------------------------------------------ */

static void the_halves_and_the_whole_say_the_same(void **unused)
{
    (void)unused;
    assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_BAUD, 115200), WRITE_TAKEN);
    assert_int_equal(device.setting[SETTING_BAUD_LOW], 0xC200);
    assert_int_equal(device.setting[SETTING_BAUD_HIGH], 1);
    assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_BAUD, 1200), WRITE_TAKEN);
    assert_int_equal(device.setting[SETTING_BAUD_LOW], 1200);
    assert_int_equal(device.setting[SETTING_BAUD_HIGH], 0);
    assert_int_equal(put_word(AT_BAUD_LOW, 57600), WRITE_TAKEN);
    assert_int_equal(device.setting[SETTING_BAUD], 57600);
}

static void halves_may_come_in_either_order(void **unused)
{
    (void)unused;
    static const struct {
        uint16_t at, word;
    } orders[2][2] = {{{AT_BAUD_LOW, 0xC200}, {AT_BAUD_HIGH, 1}},
                      {{AT_BAUD_HIGH, 1}, {AT_BAUD_LOW, 0xC200}}};
    for (int i = 0; i < 2; i++) {
        device = fresh;
        assert_int_equal(put_word(orders[i][0].at, orders[i][0].word), WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_BAUD], 9600); /* not yet */
        assert_int_equal(put_word(AT_REBOOT, 1), WRITE_BAD_VALUE);
        assert_int_equal(device.setting[SETTING_REBOOT], 0);
        assert_int_equal(put_word(orders[i][1].at, orders[i][1].word), WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_BAUD], 115200);
        assert_int_equal(put_word(AT_REBOOT, 1), WRITE_TAKEN);
        assert_int_equal(device.setting[SETTING_REBOOT], 1);
    }
}

static void a_whole_mends_its_halves(void **unused)
{
    (void)unused;
    assert_int_equal(put_word(AT_BAUD_LOW, 4711), WRITE_TAKEN);
    assert_int_equal(put_word(AT_REBOOT, 1), WRITE_BAD_VALUE);
    assert_int_equal(put_long(WORD_ORDER_NORMAL, AT_BAUD, 9600), WRITE_TAKEN);
    assert_int_equal(put_word(AT_REBOOT, 1), WRITE_TAKEN);
}

/* In one request the halves are there when the reboot is looked at. */
static void halves_and_reboot_in_one_request(void **unused)
{
    (void)unused;
    static const uint16_t good[] = {0xC200, 1, 1}, bad[] = {0xC201, 1, 1};
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_BAUD_LOW, 3, bad), WRITE_BAD_VALUE);
    assert_unchanged();
    assert_int_equal(put(WORD_ORDER_NORMAL, AT_BAUD_LOW, 3, good), WRITE_TAKEN);
    assert_int_equal(device.setting[SETTING_BAUD], 115200);
    assert_int_equal(device.setting[SETTING_REBOOT], 1);
}

/* --- maps ------------------------------------------------------------------------------------- */

static void check_vendor_block(const struct register_map *of)
{
    static const struct {
        uint16_t address, word;
        enum register_write_result result;
    } steps[] = {
        {0xFE00, 0x5343, WRITE_NO_SETTING}, {0xFE01, 0, WRITE_BAD_VALUE},
        {0xFE01, 248, WRITE_BAD_VALUE},     {0xFE01, 247, WRITE_TAKEN},
        {0xFE02, 0xC200, WRITE_TAKEN},      {0xFE0F, 1, WRITE_BAD_VALUE},
        {0xFE03, 2, WRITE_BAD_VALUE},       {0xFE03, 1, WRITE_TAKEN},
        {0xFE04, 2, WRITE_BAD_VALUE},       {0xFE04, 0, WRITE_TAKEN},
        {0xFE05, 2, WRITE_BAD_VALUE},       {0xFE05, 1, WRITE_TAKEN},
        {0xFE06, 1, WRITE_NO_SETTING},      {0xFE07, 1, WRITE_NO_SETTING},
        {0xFE08, 0, WRITE_NO_SETTING},      {0xFE09, 0, WRITE_NO_SETTING},
        {0xFE0A, 0, WRITE_NO_SETTING},      {0xFE0E, 1, WRITE_NO_SETTING},
        {0xFE0F, 0, WRITE_BAD_VALUE},       {0xFE0F, 2, WRITE_BAD_VALUE},
        {0xFE0F, 1, WRITE_TAKEN},           {0xFE10, 1, WRITE_NO_SETTING},
    };
    static const uint32_t expected[SETTING_N] = {
        [SETTING_ADDRESS] = 247, [SETTING_BAUD] = 115200, [SETTING_BAUD_LOW] = 0xC200,
        [SETTING_BAUD_HIGH] = 1, [SETTING_PARITY] = 0,    [SETTING_TERMINATION] = 1,
        [SETTING_REBOOT] = 1,
    };
    device = fresh;
    assert_true(register_image_init(&image, of, true));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (put_word(steps[i].address, steps[i].word) != steps[i].result)
            fail_msg("%s: %u to 0x%04X", of->name, steps[i].word, steps[i].address);
    assert_memory_equal(device.setting, expected, sizeof expected);
}

static void every_map_has_the_vendor_block(void **unused)
{
    (void)unused;
    const struct register_map *of;
    for (size_t i = 0; (of = register_map_at(i)) != NULL; i++)
        check_vendor_block(of);
    check_vendor_block(&map);
}

static void without_the_vendor_block_it_cannot_be_written(void **unused)
{
    (void)unused;
    const struct register_map *of;
    for (size_t i = 0; (of = register_map_at(i)) != NULL; i++) {
        assert_true(register_image_init(&image, of, false));
        for (uint32_t at = 0xFE00; at <= 0xFE0F; at++)
            assert_int_equal(put_word(at, 1), WRITE_NO_SETTING);
    }
    assert_unchanged();
}

/* Settings are holding registers where a map tells the spaces apart. */
static void settings_are_looked_for_among_holding_registers(void **unused)
{
    (void)unused;
    static const struct register_row in[] = {ROW_F32(0, Q_POWER)};
    static const struct register_row held[] = {
        ROW_SETTING(0, REG_U16, SETTING_ADDRESS, NULL, "address")};
    static const struct register_map two = {
        .name = "Test-Spaces", .input = TABLE(in), .holding = TABLE(held)};
    assert_true(register_image_init(&image, &two, false));
    assert_int_equal(put_word(0, 42), WRITE_TAKEN);
    assert_int_equal(device.setting[SETTING_ADDRESS], 42);
    assert_int_equal(put_word(1, 42), WRITE_NO_SETTING);
}

/* What a map shows of a setting can be written back, in the map's words. */
static void every_setting_of_every_map_can_be_written_back(void **unused)
{
    (void)unused;
    const struct register_map *of;
    for (size_t i = 0; (of = register_map_at(i)) != NULL; i++)
        for (int order = WORD_ORDER_NORMAL; order <= WORD_ORDER_SWAPPED; order++) {
            const struct register_style style = {.order = (enum word_order)order};
            const struct register_table held = register_map_space(of, SPACE_HOLDING);
            device = fresh;
            device.setting[SETTING_WIRING] = 3;
            assert_true(register_image_init(&image, of, false));
            register_image_render(&image, NULL, &device, &style);
            for (size_t k = 0; k < held.count; k++) {
                const struct register_row *row = &held.rows[k];
                bool is_reading = row->of == SETTING_P1_STATUS || row->of == SETTING_DATA_AGE;
                if (row->source != FROM_SETTING || row->of == SETTING_REBOOT || is_reading)
                    continue;
                uint8_t bytes[8];
                struct register_device before = device;
                register_image_read(&image, SPACE_HOLDING, row->address, register_row_length(row),
                                    bytes);
                if (register_write(&image, style.order, row->address, register_row_length(row),
                                   bytes, &device) != WRITE_TAKEN)
                    fail_msg("%s: register 0x%04X", of->name, row->address);
                device.setting[SETTING_ACCEPTED] = before.setting[SETTING_ACCEPTED];
                assert_memory_equal(device.setting, before.setting, sizeof before.setting);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_value_of_a_setting_is_in_or_out_of_its_range, begin),
        cmocka_unit_test_setup(a_speed_is_one_of_eight, begin),
        cmocka_unit_test_setup(a_value_is_set_without_a_register, begin),
        cmocka_unit_test_setup(codes_are_taken_for_values, begin),
        cmocka_unit_test_setup(what_is_accepted_is_forgotten, begin),
        cmocka_unit_test_setup(two_registers_follow_the_word_order, begin),
        cmocka_unit_test_setup(a_row_may_have_a_word_order_of_its_own, begin),
        cmocka_unit_test_setup(floats_must_be_whole_numbers, begin),
        cmocka_unit_test_setup(zero_is_a_whole_number, begin),
        cmocka_unit_test_setup(only_settings_can_be_written, begin),
        cmocka_unit_test_setup(half_a_setting_is_none, begin),
        cmocka_unit_test_setup(a_write_is_taken_as_a_whole_or_not_at_all, begin),
        cmocka_unit_test_setup(the_first_fault_is_named, begin),
        cmocka_unit_test_setup(the_halves_and_the_whole_say_the_same, begin),
        cmocka_unit_test_setup(halves_may_come_in_either_order, begin),
        cmocka_unit_test_setup(a_whole_mends_its_halves, begin),
        cmocka_unit_test_setup(halves_and_reboot_in_one_request, begin),
        cmocka_unit_test_setup(every_map_has_the_vendor_block, begin),
        cmocka_unit_test_setup(without_the_vendor_block_it_cannot_be_written, begin),
        cmocka_unit_test_setup(settings_are_looked_for_among_holding_registers, begin),
        cmocka_unit_test_setup(every_setting_of_every_map_can_be_written_back, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
