#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "register_image.h"
#include "maps/maps.h"

static const struct register_device identity = {.serial = "0012AB345678", .firmware = 0x010203};

static struct register_map map_of(const struct register_row *rows, size_t n)
{
    return (struct register_map){.name = "Test-Map", .input = {rows, n}};
}

static bool fits(const struct register_row *rows, size_t n)
{
    const struct register_map map = map_of(rows, n);
    struct register_image image;
    return register_image_init(&image, &map, false);
}

/* Reads into a buffer of exactly the bytes asked for, so that a byte too many is found. */
static uint16_t *read_words(const struct register_image *image, uint32_t address, uint32_t count)
{
    uint8_t *bytes = malloc(2 * count + 1);
    uint16_t *words = malloc((count + 1) * sizeof *words);
    assert_non_null(bytes);
    assert_non_null(words);
    bytes[2 * count] = 0xA5;
    register_image_read(image, SPACE_INPUT, address, count, bytes);
    for (uint32_t i = 0; i < count; i++)
        words[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
    assert_int_equal(bytes[2 * count], 0xA5);
    free(bytes);
    return words;
}

/* What the image reads from `address` on, as one number, the first register on top. */
static uint64_t read_number(const struct register_image *image, uint32_t address, uint32_t count)
{
    uint16_t *words = read_words(image, address, count);
    uint64_t number = 0;
    for (uint32_t i = 0; i < count; i++)
        number = number << 16 | words[i];
    free(words);
    return number;
}

/* The registers that one row shows of a reading. */
static uint64_t shown(const struct register_row *row, const struct reading *r,
                      enum word_order order, enum unknown_policy unknown)
{
    const struct register_map map = map_of(row, 1);
    struct register_image image;
    assert_true(register_image_init(&image, &map, false));
    register_image_render(&image, r, &identity,
                          &(struct register_style){.order = order, .unknown = unknown});
    return read_number(&image, row->address, register_row_length(row));
}

static uint64_t shown_as(enum register_type type, int8_t exponent, enum quantity q, int64_t value)
{
    const struct register_row row = {.type = (uint8_t)type, .of = (uint8_t)q, .exponent = exponent};
    struct reading r;
    reading_clear(&r);
    reading_set(&r, q, value);
    return shown(&row, &r, WORD_ORDER_NORMAL, UNKNOWN_NAN);
}

static uint64_t shown_unknown(enum register_type type, enum unknown_policy unknown)
{
    const struct register_row row = {.type = (uint8_t)type, .of = (uint8_t)Q_POWER};
    struct reading r;
    reading_clear(&r);
    r.value[Q_POWER] = 77; /* must not show */
    return shown(&row, &r, WORD_ORDER_NORMAL, unknown);
}

/* --- layout ----------------------------------------------------------------------------------- */

static void rows_have_lengths(void **unused)
{
    (void)unused;
    static const uint8_t lengths[REG_TYPE_N] = {
        [REG_F32] = 2,   [REG_U16] = 1, [REG_S16] = 1,   [REG_U32] = 2,      [REG_S32] = 2,
        [REG_ACC32] = 2, [REG_U64] = 4, [REG_ASCII] = 9, [REG_ASCII_LOW] = 9};
    for (int type = 0; type < REG_TYPE_N; type++) {
        const struct register_row row = {.type = (uint8_t)type, .length = 9};
        assert_int_equal(register_row_length(&row), lengths[type]);
    }
}

static void an_empty_map_reads_nothing(void **unused)
{
    (void)unused;
    const struct register_map map = map_of(NULL, 0);
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    assert_true(register_image_init(&image, &map, false));
    register_image_render(
        &image, &r, &identity,
        &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_NAN});
    assert_int_equal(read_number(&image, 0, 4), 0);
    assert_int_equal(read_number(&image, 65532, 4), 0);
}

static void maps_out_of_order_are_refused(void **unused)
{
    (void)unused;
    static const struct register_row descending[] = {ROW_U16(5, Q_TARIFF), ROW_U16(4, Q_TARIFF)};
    static const struct register_row far_descending[] = {ROW_U16(500, Q_TARIFF),
                                                         ROW_U16(4, Q_TARIFF)};
    static const struct register_row twice[] = {ROW_U16(5, Q_TARIFF), ROW_U16(5, Q_TARIFF)};
    static const struct register_row overlapping[] = {ROW_F32(4, Q_POWER), ROW_U16(5, Q_TARIFF)};
    static const struct register_row adjoining[] = {ROW_F32(4, Q_POWER), ROW_U16(6, Q_TARIFF)};
    assert_false(fits(descending, 2));
    assert_false(fits(far_descending, 2));
    assert_false(fits(twice, 2));
    assert_false(fits(overlapping, 2));
    assert_true(fits(adjoining, 2));
}

static void maps_beyond_the_last_register_are_refused(void **unused)
{
    (void)unused;
    static const struct register_row last[] = {ROW_F32(0xFFFE, Q_POWER)};
    static const struct register_row beyond[] = {ROW_F32(0xFFFF, Q_POWER)};
    assert_true(fits(last, 1));
    assert_false(fits(beyond, 1));
}

static void empty_rows_are_refused(void **unused)
{
    (void)unused;
    static const struct register_row rows[] = {ROW_U16(4, Q_TARIFF),
                                               ROW_TEXT(8, REG_ASCII, 0, "", "nothing")};
    assert_false(fits(rows, 2));
    assert_false(fits(rows + 1, 1));
}

static void maps_too_big_are_refused(void **unused)
{
    (void)unused;
    struct register_row rows[REGISTER_IMAGE_MAX + 1];
    for (unsigned i = 0; i < REGISTER_IMAGE_MAX + 1; i++)
        rows[i] = (struct register_row)ROW_U16((uint16_t)i, Q_TARIFF);
    assert_true(fits(rows, REGISTER_IMAGE_MAX));
    assert_false(fits(rows, REGISTER_IMAGE_MAX + 1));
    for (unsigned i = 0; i < REGISTER_SEGMENTS_MAX + 1; i++)
        rows[i].address = (uint16_t)(100 * i);
    assert_true(fits(rows, REGISTER_SEGMENTS_MAX));
    assert_false(fits(rows, REGISTER_SEGMENTS_MAX + 1));
    static const struct register_row texts[] = {
        ROW_TEXT(0, REG_ASCII, 255, "a", "a"), ROW_TEXT(300, REG_ASCII, 255, "b", "b"),
        ROW_TEXT(600, REG_ASCII, 130, "c", "c"), ROW_TEXT(800, REG_ASCII, 1, "d", "d")};
    assert_true(fits(texts, 3));
    assert_false(fits(texts, 4));
}

/* --- forms ------------------------------------------------------------------------------------ */

/* What a row of this form shows of a quantity in thousandths, beside the power of L2 and that of all. */
static int16_t shown_form(enum register_form form, enum quantity q, int64_t value, int64_t power_l2,
                          int64_t power)
{
    const struct register_row row = {
        .type = REG_S16, .of = (uint8_t)q, .exponent = 3, .form = (unsigned)form & 15U};
    struct reading r;
    reading_clear(&r);
    reading_set(&r, q, value);
    reading_set(&r, Q_POWER_L2, power_l2);
    reading_set(&r, Q_POWER, power);
    return (int16_t)shown(&row, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO);
}

static void forms_choose_the_sign(void **unused)
{
    (void)unused;
    assert_int_equal(shown_form(FORM_PLAIN, Q_CURRENT_L2, -5000, 1, 1), -5000);
    assert_int_equal(shown_form(FORM_ABSOLUTE, Q_CURRENT_L2, -5000, -1, -1), 5000);
    assert_int_equal(shown_form(FORM_ABSOLUTE, Q_CURRENT_L2, 5000, -1, -1), 5000);
    assert_int_equal(shown_form(FORM_SIGN_OF_POWER, Q_CURRENT_L2, 5000, -1, 1), -5000);
    assert_int_equal(shown_form(FORM_SIGN_OF_POWER, Q_CURRENT_L2, -5000, -1, 1), -5000);
    assert_int_equal(shown_form(FORM_SIGN_OF_POWER, Q_CURRENT_L2, 5000, 1, -1), 5000);
    assert_int_equal(shown_form(FORM_SIGN_OF_POWER, Q_CURRENT_MEAN, 5000, 1, -1), -5000);
    assert_int_equal(shown_form(FORM_SIGN_OF_POWER, Q_CURRENT_L1, 5000, -1, -1), 5000); /* unknown */
    assert_int_equal(shown_form(FORM_ABSOLUTE, Q_CURRENT_L2, INT64_MIN, 1, 1), 32767);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Registers apart by every gap from none to 40, and both ends of the address space. */
static size_t scattered_rows(struct register_row *rows)
{
    size_t n = 0;
    uint32_t address = 0;
    for (uint32_t gap = 0; gap <= 38; gap++, address += gap)
        rows[n++] = (struct register_row)ROW_FIXED((uint16_t)address, REG_U16,
                                                   (address ^ 0x5A5A) & 0xFFFF, "scattered");
    rows[n++] = (struct register_row)ROW_FIXED(0x8000, REG_U32, 0x12345678, "in the middle");
    rows[n++] = (struct register_row)ROW_FIXED(0xFFFF, REG_U16, 0xBEEF, "the last");
    return n;
}

static void reads_equal_a_naive_model_everywhere(void **unused)
{
    (void)unused;
    static const uint32_t counts[] = {1, 2, 3, 57, 88, 125};
    static uint8_t model[2 * 65536];
    struct register_row rows[64];
    const struct register_map map = map_of(rows, scattered_rows(rows));
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    assert_true(register_image_init(&image, &map, false));
    register_image_render(
        &image, &r, &identity,
        &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_ZERO});
    memset(model, 0, sizeof model);
    for (size_t i = 0; i < map.input.count; i++) {
        unsigned length = register_row_length(&rows[i]);
        for (unsigned k = 0; k < 2 * length; k++)
            model[2 * rows[i].address + k] =
                (uint8_t)(rows[i].number >> (8 * (2 * length - 1 - k)));
    }
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        uint8_t out[250];
        for (uint32_t start = 0; start + counts[c] <= 65536; start++) {
            memset(out, 0xEE, sizeof out);
            register_image_read(&image, SPACE_INPUT, start, counts[c], out);
            if (memcmp(out, model + 2 * start, 2 * counts[c]) != 0)
                fail_msg("%u registers from %u", counts[c], start);
            assert_true(counts[c] == 125 || out[2 * counts[c]] == 0xEE);
        }
    }
}

static void the_whole_space_in_one_read(void **unused)
{
    (void)unused;
    struct register_row rows[64];
    const struct register_map map = map_of(rows, scattered_rows(rows));
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    assert_true(register_image_init(&image, &map, false));
    register_image_render(
        &image, &r, &identity,
        &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_ZERO});
    uint16_t *words = read_words(&image, 0, 65536);
    assert_int_equal(words[0], 0x5A5A);
    assert_int_equal(words[1], 0x5A5B);
    assert_int_equal(words[2], 0);
    assert_int_equal(words[0x8000], 0x1234);
    assert_int_equal(words[0x8001], 0x5678);
    assert_int_equal(words[0xFFFE], 0);
    assert_int_equal(words[0xFFFF], 0xBEEF);
    free(words);
}

static void parts_of_a_value_are_served(void **unused)
{
    (void)unused;
    static const struct register_row rows[] = {ROW_FIXED(7, REG_U32, 0x12345678, "odd start")};
    const struct register_map map = map_of(rows, 1);
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    assert_true(register_image_init(&image, &map, false));
    register_image_render(
        &image, &r, &identity,
        &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_ZERO});
    assert_int_equal(read_number(&image, 7, 1), 0x1234);
    assert_int_equal(read_number(&image, 8, 1), 0x5678);
    assert_int_equal(read_number(&image, 6, 2), 0x1234);
    assert_int_equal(read_number(&image, 8, 2), 0x56780000);
    assert_int_equal(read_number(&image, 6, 4), UINT64_C(0x0000123456780000));
}

static void a_register_may_read_otherwise_alone(void **unused)
{
    (void)unused;
    static const struct register_row rows[] = {ROW_U16(9, Q_TARIFF), ROW_U16(10, Q_TARIFF)};
    struct register_map map = map_of(rows, 2);
    struct register_image image;
    struct reading r;
    const struct register_style style = {.order = WORD_ORDER_NORMAL};
    map.alone = (struct register_alone){.address = 10, .value = 1650};
    reading_clear(&r);
    reading_set(&r, Q_TARIFF, 2);
    assert_true(register_image_init(&image, &map, false));
    register_image_render(&image, &r, &identity, &style);
    assert_int_equal(read_number(&image, 10, 1), 1650);
    assert_int_equal(read_number(&image, 9, 1), 2);
    assert_int_equal(read_number(&image, 9, 2), 0x20002);
    assert_int_equal(read_number(&image, 10, 2), 0x20000);
    assert_false(register_image_is_measured(&image, SPACE_INPUT, 10, 1));
    assert_true(register_image_is_measured(&image, SPACE_INPUT, 10, 2));
    assert_true(register_image_is_measured(&image, SPACE_INPUT, 9, 1));
}

/* A fixed register beside measured ones can be told from them: it is served while the meter is silent. */
static void only_rows_of_quantities_are_measured(void **unused)
{
    (void)unused;
    static const struct register_row rows[] = {
        ROW_FIXED(9, REG_U16, 1, "fixed"), ROW_F32(10, Q_POWER),
        ROW_NOTHING(12, REG_U16, "none") ROW_U16(14, Q_TARIFF)};
    static const bool measured[] = {0, 0, 1, 1, 0, 0, 1, 0};
    const struct register_map map = map_of(rows, 4);
    struct register_image image;
    assert_true(register_image_init(&image, &map, true));
    for (uint32_t start = 8; start < 16; start++)
        for (uint32_t count = 1; start + count <= 16; count++) {
            bool any = false;
            for (uint32_t i = 0; i < count; i++)
                any = any || measured[start + i - 8];
            assert_int_equal(register_image_is_measured(&image, SPACE_INPUT, start, count), any);
        }
    assert_false(register_image_is_measured(&image, SPACE_HOLDING, 0xFE00, 16));
}

/* --- values ----------------------------------------------------------------------------------- */

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static void floats_are_the_nearest_to_the_decimals(void **unused)
{
    (void)unused;
    struct register_image image;
    static const struct register_row rows[] = {ROW_F32(0, Q_VOLTAGE_L1)};
    const struct register_map map = map_of(rows, 1);
    struct reading r;
    reading_clear(&r);
    assert_true(register_image_init(&image, &map, false));
    for (int mv = 0; mv <= 500000; mv += 7) {
        char decimal[32];
        uint8_t b[4];
        (void)snprintf(decimal, sizeof decimal, "%d.%03d", mv / 1000, mv % 1000);
        reading_set(&r, Q_VOLTAGE_L1, mv);
        register_image_render(
            &image, &r, &identity,
            &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_ZERO});
        register_image_read(&image, SPACE_INPUT, 0, 2, b);
        uint32_t got = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        assert_int_equal(got, bits_of(strtof(decimal, NULL)));
    }
}

static void energies_round_to_the_nearest_float(void **unused)
{
    (void)unused;
    static const struct {
        int64_t wh;
        float shown;
    } cases[] = {
        {0, 0.0F},
        {1, 1.0F},
        {16777215, 16777215.0F},
        {16777216, 16777216.0F},
        {16777217, 16777216.0F}, /* half way: to even */
        {16777219, 16777220.0F},
        {56500909, 56500908.0F}, /* the manual's example */
        {99765794, 99765792.0F},
        {INT64_C(10000000000000), 1e13F},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(shown_as(REG_F32, 0, Q_ENERGY_IMPORT, cases[i].wh),
                         bits_of(cases[i].shown));
}

static void exponents_scale(void **unused)
{
    (void)unused;
    assert_int_equal(shown_as(REG_F32, -3, Q_POWER, 1234), 0x3F9DF3B6); /* kW: 1.234 */
    assert_int_equal(shown_as(REG_F32, 0, Q_POWER, -4023), bits_of(-4023.0F));
    assert_int_equal(shown_as(REG_F32, 3, Q_VOLTAGE_L1, 231200), bits_of(231200.0F));
    assert_int_equal(shown_as(REG_U16, 1, Q_VOLTAGE_L1, 231249), 2312);
    assert_int_equal(shown_as(REG_U16, 1, Q_VOLTAGE_L1, 231250), 2313);
    assert_int_equal(shown_as(REG_S16, 3, Q_POWER_FACTOR, -998), 0xFC1A);
    assert_int_equal(shown_as(REG_U64, -1, Q_ENERGY_IMPORT, 56500909), 5650091);
}

static void integers_round_half_away_from_zero(void **unused)
{
    (void)unused;
    static const struct {
        int64_t ma;
        uint16_t shown;
    } cases[] = {{499, 0},  {500, 1},       {1499, 1},      {1500, 2},
                 {-499, 0}, {-500, 0xFFFF}, {-1500, 0xFFFE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(shown_as(REG_S16, 0, Q_CURRENT_L1, cases[i].ma), cases[i].shown);
}

static void integers_stop_at_their_limits(void **unused)
{
    (void)unused;
    static const struct {
        enum register_type type;
        int64_t value;
        uint64_t shown;
    } cases[] = {
        {REG_U16, -1, 0},
        {REG_U16, 65534, 65534},
        {REG_U16, 65535, 65534}, /* FFFF is unknown */
        {REG_U16, INT64_MAX, 65534},
        {REG_S16, 32767, 0x7FFF},
        {REG_S16, 32768, 0x7FFF},
        {REG_S16, -32767, 0x8001},
        {REG_S16, -32768, 0x8001},
        {REG_S16, INT64_MIN, 0x8001},
        {REG_U32, -5, 0},
        {REG_U32, INT64_C(4294967294), 0xFFFFFFFE},
        {REG_U32, INT64_C(4294967295), 0xFFFFFFFE},
        {REG_S32, -1, 0xFFFFFFFF},
        {REG_S32, INT64_C(2147483647), 0x7FFFFFFF},
        {REG_S32, INT64_C(2147483648), 0x7FFFFFFF},
        {REG_S32, INT64_C(-2147483647), 0x80000001},
        {REG_S32, INT64_C(-2147483648), 0x80000001},
        {REG_U64, -1, 0},
        {REG_U64, INT64_C(9999999999999), UINT64_C(9999999999999)},
        {REG_U64, INT64_MAX, UINT64_C(1) << 53},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(shown_as(cases[i].type, 0, Q_POWER, cases[i].value) == cases[i].shown);
}

static uint64_t formed(enum register_form form, int64_t current_ma, int64_t power_w)
{
    const struct register_row row = ROW_FORMED(0, REG_F32, Q_CURRENT_L2, 0, form);
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_CURRENT_L2, current_ma);
    reading_set(&r, Q_POWER_L2, power_w);
    reading_set(&r, Q_POWER, -power_w);
    return shown(&row, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO);
}

static void forms_give_values_their_sign(void **unused)
{
    (void)unused;
    assert_int_equal(formed(FORM_PLAIN, -1500, 1), bits_of(-1.5F));
    assert_int_equal(formed(FORM_PLAIN, 1500, -1), bits_of(1.5F));
    assert_int_equal(formed(FORM_ABSOLUTE, -1500, -1), bits_of(1.5F));
    assert_int_equal(formed(FORM_ABSOLUTE, 1500, -1), bits_of(1.5F));
    assert_int_equal(formed(FORM_SIGN_OF_POWER, 1500, -1), bits_of(-1.5F));
    assert_int_equal(formed(FORM_SIGN_OF_POWER, -1500, -1), bits_of(-1.5F));
    assert_int_equal(formed(FORM_SIGN_OF_POWER, 1500, 1), bits_of(1.5F));
    assert_int_equal(formed(FORM_SIGN_OF_POWER, 0, -1), 0); /* and not -0 */
    assert_int_equal(formed(FORM_ABSOLUTE, 0, -1), 0);
}

static void the_smallest_value_has_a_magnitude(void **unused)
{
    (void)unused;
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_CURRENT_L1, INT64_MIN);
    const struct register_row row = ROW_FORMED(0, REG_S16, Q_CURRENT_L1, 3, FORM_ABSOLUTE);
    assert_int_equal(shown(&row, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO), 0x7FFF);
}

static void unknown_is_zero_or_nan(void **unused)
{
    (void)unused;
    static const uint64_t nans[REG_TYPE_N] = {
        [REG_F32] = 0x7FC00000, [REG_U16] = 0xFFFF,     [REG_S16] = 0x8000,
        [REG_U32] = 0xFFFFFFFF, [REG_S32] = 0x80000000, [REG_U64] = UINT64_MAX,
    };
    for (int type = REG_F32; type <= REG_U64; type++) {
        assert_true(shown_unknown((enum register_type)type, UNKNOWN_ZERO) == 0);
        assert_true(shown_unknown((enum register_type)type, UNKNOWN_NAN) == nans[type]);
    }
}

static void word_orders(void **unused)
{
    (void)unused;
    const struct register_row voltage = ROW_F32(10, Q_VOLTAGE_L1);
    const struct register_row fixed = ROW_FIXED(10, REG_U32, 0x12345678, "fixed");
    const struct register_row single = ROW_FIXED(10, REG_U16, 0x1234, "one register");
    const struct register_row wide = {.type = REG_U64, .of = (uint8_t)Q_ENERGY_IMPORT};
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_VOLTAGE_L1, 123456);
    reading_set(&r, Q_ENERGY_IMPORT, INT64_C(0x0001000200030004));
    assert_int_equal(shown(&voltage, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO), 0x42F6E979);
    assert_int_equal(shown(&voltage, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO), 0xE97942F6);
    assert_int_equal(shown(&fixed, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO), 0x12345678);
    assert_int_equal(shown(&fixed, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO), 0x56781234);
    assert_int_equal(shown(&single, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO), 0x1234);
    assert_true(shown(&wide, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO) == UINT64_C(0x1000200030004));
    assert_true(shown(&wide, &r, WORD_ORDER_SWAPPED, UNKNOWN_ZERO) == UINT64_C(0x0004000300020001));
}

static void texts_fill_their_registers(void **unused)
{
    (void)unused;
    struct reading r;
    reading_clear(&r);
    const struct register_row high = ROW_TEXT(0, REG_ASCII, 4, "1234567", "text");
    const struct register_row low = ROW_TEXT(0, REG_ASCII_LOW, 4, "1234567", "text");
    const struct register_row cut = ROW_TEXT(0, REG_ASCII, 2, "1234567", "text");
    const struct register_row empty = ROW_TEXT(0, REG_ASCII, 2, "", "text");
    for (int order = WORD_ORDER_NORMAL; order <= WORD_ORDER_SWAPPED; order++) {
        assert_true(shown(&high, &r, (enum word_order)order, UNKNOWN_NAN) ==
                    UINT64_C(0x3132333435363700));
        assert_true(shown(&low, &r, (enum word_order)order, UNKNOWN_NAN) ==
                    UINT64_C(0x3231343336350037));
        assert_int_equal(shown(&cut, &r, (enum word_order)order, UNKNOWN_NAN), 0x31323334);
        assert_int_equal(shown(&empty, &r, (enum word_order)order, UNKNOWN_NAN), 0);
    }
}

static uint64_t shown_serial(const char *serial)
{
    static const struct register_row rows[] = {ROW_SERIAL(3, REG_U32, 0, "serial number")};
    const struct register_device of = {.serial = serial};
    const struct register_map map = map_of(rows, 1);
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    assert_true(register_image_init(&image, &map, false));
    register_image_render(
        &image, &r, &of,
        &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_ZERO});
    return read_number(&image, 3, 2);
}

static void the_device_shows_itself(void **unused)
{
    (void)unused;
    struct reading r;
    reading_clear(&r);
    const struct register_row text = ROW_SERIAL(0, REG_ASCII, 4, "serial number");
    const struct register_row firmware = ROW_FIRMWARE(0, REG_U32, "firmware");
    const struct register_row version = {
        .source = FROM_FIXED, .type = REG_F32, .number = 218, .exponent = -2};
    assert_true(shown(&text, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO) == UINT64_C(0x3030313241423334));
    assert_int_equal(shown(&firmware, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO), 0x00010203);
    assert_int_equal(shown(&version, &r, WORD_ORDER_NORMAL, UNKNOWN_ZERO), bits_of(2.18F));
    assert_int_equal(shown_serial(""), 0);
    assert_int_equal(shown_serial("22091039"), 22091039);
    assert_int_equal(shown_serial("9999999999999999999999"), 999999999);
    assert_int_equal(shown_serial("0012AB345678"), 201345678); /* A is 0, B is 1 */
}

static void a_value_that_goes_away_leaves_nothing(void **unused)
{
    (void)unused;
    static const struct register_row rows[] = {ROW_F32(0, Q_POWER), ROW_U16(2, Q_TARIFF)};
    const struct register_map map = map_of(rows, 2);
    struct register_image image;
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_POWER, -1);
    reading_set(&r, Q_TARIFF, 2);
    assert_true(register_image_init(&image, &map, false));
    assert_int_equal(read_number(&image, 0, 3), 0);
    register_image_render(
        &image, &r, &identity,
        &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_ZERO});
    assert_true(read_number(&image, 0, 3) == UINT64_C(0xBF8000000002));
    reading_unset(&r, Q_POWER);
    register_image_render(
        &image, &r, &identity,
        &(struct register_style){.order = WORD_ORDER_NORMAL, .unknown = UNKNOWN_ZERO});
    assert_int_equal(read_number(&image, 0, 3), 2);
}

/* --- the list of maps ------------------------------------------------------------------------- */

static void maps_are_found_by_name(void **unused)
{
    (void)unused;
    static const char *const names[] = {"PhoenixContact-EMPro", "PHOENIXCONTACT-EMPRO", "EMPro",
                                        "empro"};
    static const char *const others[] = {"",       "-",      "Phoenix", "PhoenixContact", "-EMPro",
                                         "EMPro ", "EMPro2", "EMPr",    "PhoenixContact-"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_ptr_equal(register_map_find(names[i]), &map_empro);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_null(register_map_find(others[i]));
}

static void assert_explained(struct register_table table)
{
    for (size_t k = 0; k < table.count; k++) {
        const struct register_row *row = &table.rows[k];
        bool is_text = row->type == REG_ASCII || row->type == REG_ASCII_LOW;
        assert_true(row->type < REG_TYPE_N);
        assert_true(row->source == FROM_QUANTITY ? row->of < Q_N : row->title != NULL);
        assert_true(!is_text || row->source == FROM_SERIAL ||
                    (row->source == FROM_TEXT && row->text));
        assert_true(row->source != FROM_SETTING || row->of < SETTING_N);
    }
}

static void every_map_fits_and_explains_itself(void **unused)
{
    (void)unused;
    const struct register_map *map;
    for (size_t i = 0; (map = register_map_at(i)) != NULL; i++) {
        struct register_image image;
        assert_true(register_image_init(&image, map, true));
        assert_ptr_equal(register_map_find(map->name), map);
        assert_non_null(map->title);
        assert_explained(map->input);
        assert_explained(map->holding);
    }
    assert_explained(register_vendor_block);
    assert_ptr_equal(register_map_at(0), &map_empro);
    assert_null(register_map_at(SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_lengths),
        cmocka_unit_test(an_empty_map_reads_nothing),
        cmocka_unit_test(maps_out_of_order_are_refused),
        cmocka_unit_test(maps_beyond_the_last_register_are_refused),
        cmocka_unit_test(empty_rows_are_refused),
        cmocka_unit_test(maps_too_big_are_refused),
        cmocka_unit_test(forms_choose_the_sign),
        cmocka_unit_test(reads_equal_a_naive_model_everywhere),
        cmocka_unit_test(the_whole_space_in_one_read),
        cmocka_unit_test(parts_of_a_value_are_served),
        cmocka_unit_test(a_register_may_read_otherwise_alone),
        cmocka_unit_test(only_rows_of_quantities_are_measured),
        cmocka_unit_test(floats_are_the_nearest_to_the_decimals),
        cmocka_unit_test(energies_round_to_the_nearest_float),
        cmocka_unit_test(exponents_scale),
        cmocka_unit_test(integers_round_half_away_from_zero),
        cmocka_unit_test(integers_stop_at_their_limits),
        cmocka_unit_test(forms_give_values_their_sign),
        cmocka_unit_test(the_smallest_value_has_a_magnitude),
        cmocka_unit_test(unknown_is_zero_or_nan),
        cmocka_unit_test(word_orders),
        cmocka_unit_test(texts_fill_their_registers),
        cmocka_unit_test(the_device_shows_itself),
        cmocka_unit_test(a_value_that_goes_away_leaves_nothing),
        cmocka_unit_test(maps_are_found_by_name),
        cmocka_unit_test(every_map_fits_and_explains_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
