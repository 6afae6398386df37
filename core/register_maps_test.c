#include "maps/maps_kit_test.h"

#include <stdio.h>
#include <stdlib.h>

/* What holds for every map of the table.  Its image is compared with a model of the address space that is filled from
 * the rows by rules of its own: with integers only, floats by way of their decimal digits. */

enum { SPACE_SIZE = 65536, SERIAL_DIGITS = 9 };

static const struct register_device device = {
    .serial = "001234567890",
    .firmware = 0x0A0B0C,
    .setting = {[SETTING_ADDRESS] = 16,
                [SETTING_BAUD] = 115200,
                [SETTING_BAUD_LOW] = 0xC200,
                [SETTING_BAUD_HIGH] = 1,
                [SETTING_PARITY] = 1,
                [SETTING_TERMINATION] = 1,
                [SETTING_P1_STATUS] = 2,
                [SETTING_DATA_AGE] = 7},
};

/* --- the model -------------------------------------------------------------------------------- */

/* One way to show a map. */
struct setup {
    const struct register_map *map;
    bool vendor;
    struct register_style style;
    const struct reading *reading;
};

static int64_t within(int64_t value, int64_t min, int64_t max)
{
    return value < min ? min : value > max ? max : value;
}

/* value * 10^shift, half away from zero, within the limits. */
static int64_t scaled(int64_t value, int shift, int64_t min, int64_t max)
{
    int64_t p = ten_to(shift < 0 ? -shift : shift);
    if (shift >= 0)
        return value > max / p ? max : value < min / p ? min : within(value * p, min, max);
    int64_t rest = value % p;
    int64_t away = 2 * (rest < 0 ? -rest : rest) >= p ? (value < 0 ? -1 : 1) : 0;
    return within(value / p + away, min, max);
}

static uint64_t float_of_digits(int64_t value, int shift)
{
    char digits[40];
    (void)snprintf(digits, sizeof digits, "%llde%d", (long long)value, shift);
    float f = strtof(digits, NULL);
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static int64_t formed(const struct register_row *row, const struct reading *r, int64_t value)
{
    int64_t magnitude = value < 0 ? -value : value;
    int phase = (int)row->of - (int)Q_CURRENT_L1;
    enum quantity power = phase >= 0 && phase < 3 ? (enum quantity)(Q_POWER_L1 + phase) : Q_POWER;
    if (row->form == FORM_ABSOLUTE)
        return magnitude;
    if (row->form == FORM_SIGN_OF_POWER && reading_has(r, power) && r->value[power] < 0)
        return -magnitude;
    return value;
}

static uint64_t unknown_number(const struct setup *s, const struct register_row *row)
{
    return unknown_of(s->map, (enum register_type)row->type, s->style.unknown);
}

static uint64_t quantity_number(const struct setup *s, const struct register_row *row)
{
    enum quantity q = (enum quantity)row->of;
    int64_t value = 0;
    int shift = row->exponent - quantity_decimals[q];
    if (reading_has(s->reading, q))
        value = formed(row, s->reading, s->reading->value[q]);
    else if (q == Q_FREQUENCY && s->style.nominal_hz)
        value = s->style.nominal_hz * ten_to(quantity_decimals[q]);
    else
        return unknown_number(s, row);
    if (row->factor != 0)
        value *= row->factor;
    if (row->type == REG_F32)
        return float_of_digits(value, shift);
    return (uint64_t)scaled(value, shift, types[row->type].min,
                            highest_of(s->map, (enum register_type)row->type));
}

static uint32_t serial_number(void)
{
    return (uint32_t)strtoul(device.serial + strlen(device.serial) - SERIAL_DIGITS, NULL, 10);
}

static uint32_t setting_number(const struct setup *s, const struct register_row *row)
{
    const struct reading *r = s->reading;
    uint32_t value = device.setting[row->of];
    if (row->of == SETTING_ACCEPTED)
        return row->number;
    if (row->of == SETTING_WIRING)
        value = r->phases == 1 ? 1 : r->grid == GRID_DELTA ? 2 : 3;
    for (const struct setting_code *c = row->codes; c; c++) {
        if (c->code == CODE_END)
            return 0;
        if (c->value == value)
            return c->code;
    }
    return value;
}

static uint64_t row_number(const struct setup *s, const struct register_row *row)
{
    uint32_t number = 0;
    switch (row->source) {
    case FROM_QUANTITY:
        return quantity_number(s, row);
    case FROM_NOTHING:
        return unknown_number(s, row);
    case FROM_SETTING:
        number = setting_number(s, row);
        break;
    case FROM_SERIAL:
        number = serial_number();
        break;
    case FROM_FIRMWARE:
        number = device.firmware;
        break;
    default:
        number = row->number;
    }
    return row->type == REG_F32 ? float_of_digits((int32_t)number, row->exponent) : number;
}

static void model_row(const struct setup *s, const struct register_row *row, uint8_t *space)
{
    uint8_t *at = space + 2 * (size_t)row->address;
    if (row->type == REG_ASCII || row->type == REG_ASCII_LOW) {
        const char *text = row->source == FROM_SERIAL ? device.serial : row->text;
        for (size_t i = 0; i < 2u * row->length && text[i]; i++)
            at[row->type == REG_ASCII_LOW ? i ^ 1 : i] = (uint8_t)text[i];
        return;
    }
    bool low_first = row->order == ROW_ORDER_OF_MAP ? s->style.order == WORD_ORDER_SWAPPED
                                                    : row->order == ROW_ORDER_SWAPPED;
    uint64_t number = row_number(s, row);
    for (unsigned i = 0; i < types[row->type].registers; i++) {
        unsigned place = low_first ? i : types[row->type].registers - 1 - i;
        at[2 * place] = (uint8_t)(number >> 16 * i >> 8);
        at[2 * place + 1] = (uint8_t)(number >> 16 * i);
    }
}

/* One space as it should read: 65,536 registers, and as many bytes as the longest read behind them. */
static const uint8_t *model(const struct setup *s, enum register_space space)
{
    static uint8_t spaces[REGISTER_SPACES][2 * (SPACE_SIZE + MODBUS_READ_MAX)];
    struct register_table table = s->map->input;
    if (space == SPACE_HOLDING && s->map->holding.count)
        table = s->map->holding;
    memset(spaces[space], 0, sizeof spaces[space]);
    for (size_t i = 0; i < table.count; i++)
        model_row(s, &table.rows[i], spaces[space]);
    for (size_t i = 0; s->vendor && i < register_vendor_block.count; i++)
        model_row(s, &register_vendor_block.rows[i], spaces[space]);
    return spaces[space];
}

/* What one register reads when it is read alone. */
static const uint8_t *model_alone(const struct register_map *map, const uint8_t *space, uint32_t at)
{
    static uint8_t alone[2];
    if (map->alone.value == 0 || map->alone.address != at)
        return space + 2 * (size_t)at;
    alone[0] = (uint8_t)(map->alone.value >> 8);
    alone[1] = (uint8_t)map->alone.value;
    return alone;
}

/* --- what is compared ------------------------------------------------------------------------- */

static void render(struct register_image *image, const struct setup *s)
{
    assert_true(register_image_init(image, s->map, s->vendor));
    register_image_render(image, s->reading, &device, &s->style);
}

static void compare_in_full(const struct setup *s)
{
    static uint8_t read[2 * SPACE_SIZE];
    struct register_image image;
    render(&image, s);
    for (int space = SPACE_INPUT; space < REGISTER_SPACES; space++) {
        const uint8_t *expected = model(s, (enum register_space)space);
        register_image_read(&image, (enum register_space)space, 0, SPACE_SIZE, read);
        bool same = memcmp(read, expected, sizeof read) == 0;
        for (size_t i = 0; !same && i < sizeof read; i++)
            if (read[i] != expected[i])
                fail_msg("%s, space %d, register 0x%04zX: byte %02X, not %02X", s->map->name, space,
                         i / 2, read[i], expected[i]);
    }
}

/* In every way a map can be shown. */
static void compare_every_way(const struct reading *r)
{
    const struct register_map *map;
    for (size_t i = 0; (map = register_map_at(i)) != NULL; i++)
        for (unsigned way = 0; way < 16; way++)
            compare_in_full(
                &(struct setup){.map = map,
                                .vendor = way & 1,
                                .style = {.order = way & 2 ? WORD_ORDER_SWAPPED : WORD_ORDER_NORMAL,
                                          .unknown = way & 4 ? UNKNOWN_NAN : UNKNOWN_ZERO,
                                          .nominal_hz = way & 8 ? 50 : 0},
                                .reading = r});
}

/* A value of its own for each quantity, some of them negative, with digits below any map's steps. */
static struct reading everything_known(void)
{
    struct reading r;
    reading_clear(&r);
    for (int q = 0; q < Q_N; q++) {
        int64_t value = INT64_C(1234567) + 7919 * q;
        bool counts = quantities[q].kind == KIND_COUNTER;
        reading_set(&r, (enum quantity)q, q % 3 == 0 && !counts ? -value : value);
    }
    r.phases = 3;
    r.grid = GRID_STAR;
    return r;
}

static void every_value_is_where_its_row_says(void **unused)
{
    (void)unused;
    struct reading r = everything_known();
    compare_every_way(&r);
    for (int q = 0; q < Q_N; q++)
        reading_set(&r, (enum quantity)q, -r.value[q]);
    compare_every_way(&r);
    for (int q = 0; q < Q_N; q++)
        reading_set(&r, (enum quantity)q, 0);
    compare_every_way(&r);
}

static void nothing_known_reads_as_the_map_says(void **unused)
{
    (void)unused;
    struct reading r;
    reading_clear(&r);
    for (int q = 0; q < Q_N; q++)
        r.value[q] = 4711; /* must not show */
    compare_every_way(&r);
    r.phases = 1;
    compare_every_way(&r);
    r.phases = 3;
    r.grid = GRID_DELTA;
    compare_every_way(&r);
}

/* Without a reading: as with one, but for what a meter says, which reads 0. */
static void no_telegram_yet(void **unused)
{
    (void)unused;
    const struct register_map *map;
    struct register_device wired = device; /* a reading's matter, unless it was set */
    wired.setting[SETTING_WIRING] = 3;
    for (size_t i = 0; (map = register_map_at(i)) != NULL; i++) {
        struct reading none;
        reading_clear(&none);
        struct setup s = {.map = map, .vendor = true, .reading = &none};
        struct register_image image;
        s.style.order = (enum word_order)map->word_order;
        assert_true(register_image_init(&image, map, true));
        register_image_render(&image, NULL, &wired, &s.style);
        for (int space = SPACE_INPUT; space < REGISTER_SPACES; space++) {
            const uint8_t *expected = model(&s, (enum register_space)space);
            for (uint32_t at = 0; at < SPACE_SIZE; at++) {
                uint8_t got[2];
                static const uint8_t zero[2];
                register_image_read(&image, (enum register_space)space, at, 1, got);
                bool measured =
                    register_image_is_measured(&image, (enum register_space)space, at, 1);
                if (memcmp(got, measured ? zero : model_alone(map, expected, at), 2) != 0)
                    fail_msg("%s, register 0x%04X", map->name, (unsigned)at);
            }
        }
    }
}

/* Values about which a type ends, in the steps of a row; of 64 bits, those that a double still tells apart. */
static size_t edges(const struct register_row *row, int64_t values[16])
{
    int shift = row->exponent - quantity_decimals[row->of];
    int64_t p = ten_to(shift < 0 ? -shift : shift);
    int64_t min = types[row->type].min, max = within(types[row->type].max, 0, INT64_C(1) << 36);
    int64_t first = shift < 0 ? min * p : min / p, last = shift < 0 ? max * p : max / p;
    const int64_t about[] = {0,         1,         -1,        first - p, first - 1, first,
                             first + 1, last - p,  last - 1,  last,      last + 1,  last + p,
                             last * 2,  first * 2, 999999999, -999999999};
    memcpy(values, about, sizeof about);
    return sizeof about / sizeof about[0];
}

static void compare_edges(const struct register_map *map, const struct register_row *row)
{
    int64_t values[16];
    size_t n = edges(row, values);
    for (size_t i = 0; i < n; i++)
        for (int power = -1; power <= 1; power += 2) {
            static uint8_t space[2 * SPACE_SIZE];
            uint8_t got[8];
            struct register_image image;
            struct reading r = everything_known();
            for (int p = Q_POWER_L1; p <= Q_POWER_L3; p++)
                reading_set(&r, (enum quantity)p, power);
            reading_set(&r, Q_POWER, power);
            reading_set(&r, (enum quantity)row->of, values[i]);
            struct register_table one = {row, 1};
            const struct register_map alone = {.name = map->name,
                                               .input = one,
                                               .marks_unknown = map->marks_unknown,
                                               .unknown_is_max = map->unknown_is_max};
            const struct setup s = {.map = &alone, .reading = &r};
            render(&image, &s);
            model_row(&s, row, space);
            unsigned length = register_row_length(row);
            register_image_read(&image, SPACE_INPUT, row->address, length, got);
            if (memcmp(got, space + 2 * (size_t)row->address, 2 * (size_t)length) != 0)
                fail_msg("%s, register 0x%04X: %lld is not shown as it should be", map->name,
                         (unsigned)row->address, (long long)values[i]);
        }
}

static void every_row_keeps_to_the_limits_of_its_type(void **unused)
{
    (void)unused;
    const struct register_map *map;
    for (size_t i = 0; (map = register_map_at(i)) != NULL; i++)
        for (int space = SPACE_INPUT; space < REGISTER_SPACES; space++) {
            struct register_table table = register_map_space(map, (enum register_space)space);
            for (size_t k = 0; k < table.count; k++)
                if (table.rows[k].source == FROM_QUANTITY)
                    compare_edges(map, &table.rows[k]);
        }
}

/* --- all requests ----------------------------------------------------------------------------- */

static bool is_answered_right(const struct modbus_bank *bank, uint8_t code, const uint8_t *expected,
                              uint32_t start, uint32_t n)
{
    const uint8_t pdu[] = {code, (uint8_t)(start >> 8), (uint8_t)start, 0, (uint8_t)n};
    uint8_t out[MODBUS_PDU_MAX];
    size_t length = modbus_pdu_reply(bank, pdu, sizeof pdu, out);
    uint8_t exception = n < 1 || n > MODBUS_READ_MAX ? MODBUS_ILLEGAL_VALUE
                        : start + n > SPACE_SIZE     ? MODBUS_ILLEGAL_ADDRESS
                                                     : MODBUS_OK;
    if (exception)
        return length == 2 && out[0] == (code | 0x80) && out[1] == exception;
    const uint8_t *at =
        n == 1 ? model_alone(bank->image->map, expected, start) : expected + 2 * (size_t)start;
    return length == 2 + 2 * n && out[0] == code && out[1] == 2 * n &&
           memcmp(out + 2, at, 2 * n) == 0;
}

static void ask_everything(const struct setup *s, const struct register_image *image, uint8_t code)
{
    const struct modbus_bank bank = {.image = image, .id = {"", "", ""}};
    const uint8_t *expected = model(s, code == 3 ? SPACE_HOLDING : SPACE_INPUT);
    for (uint32_t start = 0; start < SPACE_SIZE; start++)
        for (uint32_t n = 0; n <= MODBUS_READ_MAX + 1; n++)
            if (!is_answered_right(&bank, code, expected, start, n))
                fail_msg("%s, code %u: %u registers from 0x%04X", s->map->name, code, (unsigned)n,
                         (unsigned)start);
}

/* 65,536 starts by 127 quantities.  Code 04 is asked only where it does not read the registers of 03; that it reads
 * the same there is in every_value_is_where_its_row_says(). */
static void every_start_and_quantity_is_answered_right(void **unused)
{
    (void)unused;
    const struct reading r = everything_known();
    const struct register_map *map;
    for (size_t i = 0; (map = register_map_at(i)) != NULL; i++) {
        struct setup s = {.map = map, .vendor = true, .reading = &r};
        struct register_image image;
        s.style.order = (enum word_order)map->word_order;
        render(&image, &s);
        ask_everything(&s, &image, 3);
        if (map->holding.count)
            ask_everything(&s, &image, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_where_its_row_says),
        cmocka_unit_test(nothing_known_reads_as_the_map_says),
        cmocka_unit_test(no_telegram_yet),
        cmocka_unit_test(every_row_keeps_to_the_limits_of_its_type),
        cmocka_unit_test(every_start_and_quantity_is_answered_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
