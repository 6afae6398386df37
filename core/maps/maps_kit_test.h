/* maps_kit_test.h - what the tests of the maps share: a map that is served over RTU and TCP, sample readings, tables of
 * places with a model of what they show, requests of masters, and the tests that each map must pass.  A failure in
 * here fails the test that called. */
#ifndef MAPS_KIT_TEST_H
#define MAPS_KIT_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "crc16.h"
#include "maps.h"
#include "modbus_rtu.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- what is served --------------------------------------------------------------------------- */

struct bench {
    struct reading reading;
    struct register_device device;
    struct register_image image;
    struct register_style style;
    struct modbus_bank bank;
};

/* Renders the reading as it is now. */
static inline void show(struct bench *b)
{
    register_image_render(&b->image, &b->reading, &b->device, &b->style);
}

/* A meter at address 1, 9600 8E1, without the vendor block; nothing is known and reads 0, settings can be written. */
static inline void begin(struct bench *b, const struct register_map *map)
{
    memset(b, 0, sizeof *b);
    reading_clear(&b->reading);
    b->device = (struct register_device){.serial = "001234567890", .firmware = 0x010203};
    assert_true(register_device_set(&b->device, SETTING_ADDRESS, 1));
    assert_true(register_device_set(&b->device, SETTING_BAUD, 9600));
    assert_true(register_device_set(&b->device, SETTING_PARITY, 1));
    b->style.order = (enum word_order)map->word_order;
    b->bank = (struct modbus_bank){.image = &b->image,
                                   .id = {"Vendor", "Product", "1.0"},
                                   .writable = &b->device,
                                   .order = b->style.order};
    assert_true(register_image_init(&b->image, map, true)); /* there is room for it */
    assert_true(register_image_init(&b->image, map, false));
    show(b);
}

/* A number of `count` registers in a word order. */
static inline uint64_t number_in(const uint8_t *bytes, unsigned count, enum word_order order)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = 2 * (order == WORD_ORDER_SWAPPED ? count - 1 - i : i);
        number = number << 16 | (uint64_t)bytes[at] << 8 | bytes[at + 1];
    }
    return number;
}

/* A number of `count` registers of a space, read at once, in the order of the image. */
static inline uint64_t number_of(const struct bench *b, enum register_space space, uint32_t address,
                                 unsigned count)
{
    uint8_t bytes[8];
    register_image_read(&b->image, space, address, count, bytes);
    return number_in(bytes, count, b->style.order);
}

/* The same of the holding registers, which most maps have no others than. */
static inline uint64_t number_at(const struct bench *b, uint32_t address, unsigned count)
{
    return number_of(b, SPACE_HOLDING, address, count);
}

static inline uint16_t word_at(const struct bench *b, uint32_t address)
{
    return (uint16_t)number_at(b, address, 1);
}

static inline float float_of(uint64_t number)
{
    uint32_t bits = (uint32_t)number;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline float float_at(const struct bench *b, uint32_t address)
{
    return float_of(number_at(b, address, 2));
}

/* --- sample readings -------------------------------------------------------------------------- */

/* One value of a reading, in thousandths where the quantity has decimals. */
struct known {
    enum quantity quantity;
    int64_t value;
};

/* These are known now, too, and shown. */
static inline void know(struct bench *b, const struct known *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        reading_set(&b->reading, values[i].quantity, values[i].value);
    show(b);
}

/* A map that shows this and no more. */
static inline void begin_with(struct bench *b, const struct register_map *map,
                              const struct known *values, size_t n)
{
    begin(b, map);
    know(b, values, n);
}

/* Another value for each quantity, within what 16 bits hold at the scales of the maps: 100.0 to 120.0 for what has
 * decimals, power factors below 1, whole thousands for counters. */
static inline int64_t sample(enum quantity q)
{
    if (q == Q_POWER_FACTOR || (q >= Q_POWER_FACTOR_L1 && q <= Q_POWER_FACTOR_L3))
        return 900 - 10 * (int64_t)(q % 64);
    if (quantity_decimals[q])
        return 100000 + 100 * (int64_t)q;
    return quantities[q].kind == KIND_COUNTER ? 1000 * (1000 + (int64_t)q) : 1000 + 7 * (int64_t)q;
}

static inline bool is_power(enum quantity q)
{
    return q == Q_POWER || (q >= Q_POWER_L1 && q <= Q_POWER_L3);
}

static inline bool has_direction(enum quantity q)
{
    return is_power(q) || q == Q_REACTIVE || q == Q_POWER_FACTOR ||
           (q >= Q_REACTIVE_L1 && q <= Q_REACTIVE_L3) ||
           (q >= Q_POWER_FACTOR_L1 && q <= Q_POWER_FACTOR_L3);
}

static inline bool is_current(enum quantity q)
{
    return (q >= Q_CURRENT_L1 && q <= Q_CURRENT_L3) || q == Q_CURRENT_MEAN ||
           q == Q_CURRENT_NEUTRAL;
}

enum direction {
    IMPORTS,
    EXPORTS_POWER,  /* active powers alone are negative */
    EXPORTS,        /* powers and power factors are negative, currents as meters print them */
    EXPORTS_SIGNED, /* currents, too */
    DIRECTIONS
};

static inline void know_everything(struct bench *b, enum direction direction)
{
    for (int i = 0; i < Q_N; i++) {
        enum quantity q = (enum quantity)i;
        bool negative = (direction == EXPORTS_POWER && is_power(q)) ||
                        (direction >= EXPORTS && has_direction(q)) ||
                        (direction == EXPORTS_SIGNED && is_current(q));
        reading_set(&b->reading, q, negative ? -sample(q) : sample(q));
    }
    show(b);
}

/* --- where things are ------------------------------------------------------------------------- */

/* A row of a maker's table: the value is shown in steps of 10^-exponent of its unit. */
struct place {
    uint16_t address;
    enum register_type type;
    enum quantity quantity;
    int exponent; /* 1 shows 230 V as 2300, -3 shows W as kW */
    enum register_form form;
};

/* Shorthands for places of plain values. */
#define AT(address, type, quantity, exponent) \
    { \
        (address), (type), (quantity), (exponent), FORM_PLAIN \
    }
#define AT_F32(address, quantity) AT(address, REG_F32, quantity, 0)

/* A register that is not 0. */
struct word {
    uint16_t address, value;
};

/* What the maker says of one space: all that is measured, and what else is not 0 (in ascending order). */
struct layout {
    const struct place *places;
    size_t place_count;
    const struct word *words;
    size_t word_count;
};

struct subject {
    const struct register_map *map;
    const char *name, *short_name;
    struct layout input;
    struct layout holding; /* empty: 03 and 04 read the same registers */
};

#define PLACES(of_places) .places = (of_places), .place_count = COUNT(of_places)
#define WORDS(of_words) .words = (of_words), .word_count = COUNT(of_words)

static inline const struct layout *layout_of(const struct subject *s, enum register_space space)
{
    bool is_apart = s->holding.place_count || s->holding.word_count;
    return space == SPACE_HOLDING && is_apart ? &s->holding : &s->input;
}

/* What the types hold beside the mark of an unknown value; that mark, and the one of maps where it is the maximum. */
static const struct {
    unsigned registers;
    int64_t min, max;
    uint64_t mark, mark_max;
} types[REG_TYPE_N] = {
    [REG_F32] = {2, 0, 0, 0x7FC00000, 0x7FC00000},
    [REG_U16] = {1, 0, 0xFFFE, 0xFFFF, 0xFFFF},
    [REG_S16] = {1, -0x7FFF, 0x7FFF, 0x8000, 0x7FFF},
    [REG_U32] = {2, 0, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFF},
    [REG_S32] = {2, -0x7FFFFFFF, 0x7FFFFFFF, 0x80000000, 0x7FFFFFFF},
    [REG_ACC32] = {2, 0, 0xFFFFFFFF, 0, 0},
    [REG_U64] = {4, 0, INT64_C(1) << 53, UINT64_MAX, UINT64_MAX},
};

static inline int64_t highest_of(const struct register_map *map, enum register_type type)
{
    bool is_mark = map->unknown_is_max && types[type].mark_max == (uint64_t)types[type].max;
    return types[type].max - is_mark;
}

static inline uint64_t unknown_of(const struct register_map *map, enum register_type type,
                                  enum unknown_policy policy)
{
    if (policy == UNKNOWN_ZERO && !map->marks_unknown)
        return 0;
    return map->unknown_is_max ? types[type].mark_max : types[type].mark;
}

static inline int64_t ten_to(int exponent)
{
    return exponent <= 0 ? 1 : 10 * ten_to(exponent - 1);
}

static inline double formed_value(const struct place *p, const struct reading *r)
{
    double value = (double)r->value[p->quantity];
    if (p->form == FORM_ABSOLUTE)
        return value < 0 ? -value : value;
    if (p->form != FORM_SIGN_OF_POWER)
        return value;
    int phase = (int)p->quantity - (int)Q_CURRENT_L1;
    assert_in_range(phase, 0, 2);
    enum quantity power = (enum quantity)((int)Q_POWER_L1 + phase);
    return value > 0 && reading_has(r, power) && r->value[power] < 0 ? -value : value;
}

/* The bits of a shown value: floats as they are, integers to the nearest, half away from zero, within the limits. */
static inline uint64_t shown_bits(const struct register_map *map, enum register_type type,
                                  double shown)
{
    int64_t min = types[type].min, max = highest_of(map, type);
    uint64_t mask = UINT64_MAX >> (64 - 16 * types[type].registers);
    if (type == REG_F32) {
        float f = (float)shown;
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        return bits;
    }
    if (shown >= (double)max || shown <= (double)min)
        return (uint64_t)(shown < 0 ? min : shown > 0 ? max : 0) & mask;
    return (uint64_t)(int64_t)(shown < 0 ? shown - 0.5 : shown + 0.5) & mask;
}

/* What belongs in a place, by a model that shares nothing with the code but the reading. */
static inline uint64_t expected(const struct bench *b, const struct place *p)
{
    const struct register_map *map = b->image.map;
    double value = 0;
    if (reading_has(&b->reading, p->quantity))
        value = formed_value(p, &b->reading);
    else if (p->quantity == Q_FREQUENCY && b->style.nominal_hz)
        value = 1000.0 * b->style.nominal_hz;
    else
        return unknown_of(map, p->type, b->style.unknown);
    int shift = p->exponent - quantity_decimals[p->quantity];
    return shown_bits(map, p->type,
                      shift < 0 ? value / (double)ten_to(-shift) : value * (double)ten_to(shift));
}

static inline void check_shown(const struct bench *b, enum register_space space,
                               const struct place *p)
{
    uint64_t shown = number_of(b, space, p->address, types[p->type].registers);
    if (shown != expected(b, p))
        fail_msg("%s at 0x%04X: %lld is shown as 0x%llX instead of 0x%llX",
                 quantities[p->quantity].name, (unsigned)p->address,
                 (long long)b->reading.value[p->quantity], (unsigned long long)shown,
                 (unsigned long long)expected(b, p));
}

static inline void check_value(struct bench *b, enum register_space space, const struct place *p,
                               int64_t value)
{
    reading_set(&b->reading, p->quantity, value);
    show(b);
    check_shown(b, space, p);
}

/* Some steps of the place, half a step more and less and next to that, and beyond all limits. */
static inline void check_values(struct bench *b, enum register_space space, const struct place *p)
{
    static const int64_t steps[] = {0, 1, 997, -997};
    int64_t step = ten_to(quantity_decimals[p->quantity] - p->exponent);
    for (size_t i = 0; i < COUNT(steps); i++)
        for (int way = -1; way <= 1; way++) {
            check_value(b, space, p, steps[i] * step + way * (step / 2));
            check_value(b, space, p, steps[i] * step + way * ((step - 1) / 2));
        }
    check_value(b, space, p, INT64_MAX);
    check_value(b, space, p, INT64_MIN);
}

static inline void check_unknown(struct bench *b, enum register_space space, const struct place *p)
{
    reading_unset(&b->reading, p->quantity);
    for (int policy = UNKNOWN_NAN; policy >= UNKNOWN_ZERO; policy--) {
        b->style.unknown = (enum unknown_policy)policy;
        show(b);
        check_shown(b, space, p);
    }
}

/* Rows of a space that show a quantity. */
static inline size_t count_quantities(const struct register_map *map, enum register_space space)
{
    struct register_table table = register_map_space(map, space);
    size_t n = 0;
    for (size_t i = 0; i < table.count; i++)
        n += table.rows[i].source == FROM_QUANTITY;
    return n;
}

/* Each place shows its quantity, among all others and alone, whatever the direction, and that it is unknown; the map
 * shows nothing besides. */
static inline void check_places(const struct register_map *map, enum register_space space,
                                const struct place *places, size_t n)
{
    struct bench b;
    begin(&b, map);
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        know_everything(&b, (enum direction)direction);
        for (size_t i = 0; i < n; i++)
            check_shown(&b, space, &places[i]);
    }
    for (size_t i = 0; i < n; i++) {
        know_everything(&b, IMPORTS);
        check_unknown(&b, space, &places[i]);
        reading_clear(&b.reading);
        check_values(&b, space, &places[i]);
    }
    assert_int_equal(count_quantities(map, space), n);
}

/* --- requests --------------------------------------------------------------------------------- */

struct answer {
    uint8_t pdu[MODBUS_PDU_MAX];
    size_t n;
};

/* A frame with its checksum. */
static inline struct answer ask_frame(const struct bench *b, const uint8_t *adu, size_t n)
{
    uint8_t out[RTU_ADU_MAX];
    struct modbus_frame frame;
    struct answer a;
    assert_int_equal(rtu_parse(adu, n, &frame), FRAME_REQUEST);
    assert_int_equal(frame.total, n);
    size_t length = rtu_reply(&b->bank, &frame, out);
    assert_true(length >= 5);
    assert_int_equal(out[0], adu[0]);
    assert_int_equal(crc16_update(CRC16_MODBUS_INIT, out, length), 0);
    a.n = length - 3;
    memcpy(a.pdu, out + 1, a.n);
    return a;
}

static inline struct answer ask_rtu(const struct bench *b, uint8_t unit, const uint8_t *pdu,
                                    size_t n)
{
    uint8_t adu[RTU_ADU_MAX] = {unit};
    memcpy(adu + 1, pdu, n);
    uint16_t crc = crc16_update(CRC16_MODBUS_INIT, adu, 1 + n);
    adu[1 + n] = (uint8_t)crc;
    adu[2 + n] = (uint8_t)(crc >> 8);
    return ask_frame(b, adu, n + 3);
}

static inline struct answer ask_tcp(const struct bench *b, uint8_t unit, const uint8_t *pdu,
                                    size_t n)
{
    uint8_t adu[MBAP_ADU_MAX] = {0x12, 0x34, 0, 0, 0, (uint8_t)(n + 1), unit}, out[MBAP_ADU_MAX];
    struct modbus_frame frame;
    struct answer a;
    memcpy(adu + MBAP_HEADER, pdu, n);
    assert_int_equal(mbap_parse(adu, MBAP_HEADER + n, &frame), FRAME_REQUEST);
    size_t length = mbap_reply(&b->bank, &frame, out);
    assert_true(length > MBAP_HEADER);
    assert_memory_equal(out, adu, 4);
    assert_int_equal(out[5], length - 6);
    assert_int_equal(out[6], unit);
    a.n = length - MBAP_HEADER;
    memcpy(a.pdu, out + MBAP_HEADER, a.n);
    return a;
}

/* The same over both, with the same answer. */
static inline struct answer ask(const struct bench *b, uint8_t unit, const uint8_t *pdu, size_t n)
{
    struct answer rtu = ask_rtu(b, unit, pdu, n), tcp = ask_tcp(b, unit, pdu, n);
    assert_int_equal(rtu.n, tcp.n);
    assert_memory_equal(rtu.pdu, tcp.pdu, tcp.n);
    return tcp;
}

/* `code` is 03, 04 (address, quantity) or 06 (address, value). */
static inline struct answer ask_words(const struct bench *b, uint8_t unit, uint8_t code,
                                      uint32_t address, uint32_t second)
{
    const uint8_t pdu[] = {code, (uint8_t)(address >> 8), (uint8_t)address, (uint8_t)(second >> 8),
                           (uint8_t)second};
    return ask(b, unit, pdu, sizeof pdu);
}

/* A read that is served; the registers begin at pdu + 2. */
static inline struct answer read_words(const struct bench *b, uint8_t unit, uint8_t code,
                                       uint32_t address, uint32_t count)
{
    struct answer a = ask_words(b, unit, code, address, count);
    assert_int_equal(a.n, 2 + 2 * count);
    assert_int_equal(a.pdu[0], code);
    assert_int_equal(a.pdu[1], 2 * count);
    return a;
}

#define assert_answer(a, ...) \
    do { \
        const struct answer answer_ = (a); \
        const uint8_t expected_[] = {__VA_ARGS__}; \
        assert_int_equal(answer_.n, sizeof expected_); \
        assert_memory_equal(answer_.pdu, expected_, sizeof expected_); \
    } while (0)

/* A frame with its checksum, and the one expected to answer it. */
static inline void check_golden(const struct bench *b, const uint8_t *request, size_t n,
                                const uint8_t *answer, size_t answer_n)
{
    struct answer a = ask_frame(b, request, n);
    assert_int_equal(a.n + 3, answer_n);
    assert_int_equal(crc16_update(CRC16_MODBUS_INIT, answer, answer_n), 0);
    assert_memory_equal(a.pdu, answer + 1, a.n);
}

/* The echo and the broadcast a Victron GX sends while it looks for the speed of a line. */
static inline void check_scan(const struct bench *b)
{
    static const uint8_t broadcast[] = {0x00, 0x08, 0x00, 0x00, 0x55, 0x55, 0x1E, 0xB5};
    struct modbus_frame frame;
    assert_int_equal(rtu_parse(broadcast, sizeof broadcast, &frame), FRAME_SKIP);
    assert_int_equal(frame.total, sizeof broadcast);
    assert_answer(ask(b, 1, broadcast + 1, 5), 0x08, 0x00, 0x00, 0x55, 0x55);
}

/* One read of a master, and all of what it gets, values of one type. */
struct exchange {
    uint8_t unit, code;
    uint16_t address, count;
    enum register_type type;
    double values[12];
};

static inline double value_of(enum register_type type, uint64_t number)
{
    switch (type) {
    case REG_F32:
        return (double)float_of(number);
    case REG_S16:
        return (int16_t)number;
    case REG_S32:
        return (int32_t)number;
    default:
        return (double)number;
    }
}

static inline void check_exchange(const struct bench *b, const struct exchange *e)
{
    unsigned length = types[e->type].registers, n = e->count / length;
    struct answer a = read_words(b, e->unit, e->code, e->address, e->count);
    assert_in_range(n, 1, COUNT(e->values));
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = a.pdu + 2 + 2 * length * i;
        double value = value_of(e->type, number_in(at, length, b->style.order));
        double wanted = e->type == REG_F32 ? (double)(float)e->values[i] : e->values[i];
        if (value != wanted)
            fail_msg("0x%04X, value %zu: %g instead of %g", e->address, i, value, wanted);
    }
}

static inline void check_exchanges(const struct bench *b, const struct exchange *exchanges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_exchange(b, &exchanges[i]);
}

/* A long read: the places within it show the reading, each other register reads 0. */
static inline void check_block(const struct bench *b, uint8_t code, uint32_t start, uint32_t count,
                               const struct layout *layout)
{
    struct answer a = read_words(b, 1, code, start, count);
    size_t within = 0;
    for (size_t i = 0; i < layout->place_count; i++) {
        const struct place *p = &layout->places[i];
        unsigned length = types[p->type].registers;
        if (p->address < start || p->address + length > start + count)
            continue;
        uint8_t *at = a.pdu + 2 + 2 * (p->address - start);
        assert_true(number_in(at, length, b->style.order) == expected(b, p));
        memset(at, 0, 2 * (size_t)length);
        within++;
    }
    assert_true(within > 0);
    for (size_t i = 2; i < a.n; i++)
        assert_int_equal(a.pdu[i], 0);
}

/* One write of a master.  Where it is taken the answer is that of the standard, and the registers read what was
 * written, unless it is a setting without meaning. */
struct write {
    uint8_t pdu[10];   /* function code 06: 5 bytes, 16: 8 or 10 */
    uint8_t exception; /* 0: taken */
    enum register_setting setting;
    uint32_t value; /* of the setting afterwards */
};

#define WRITE_ONE(address, value) \
    { \
        0x06, (uint8_t)((address) >> 8), (uint8_t)(address), (uint8_t)((value) >> 8), \
            (uint8_t)(value) \
    }
#define WRITE_MANY_ONE(address, value) \
    { \
        0x10, (uint8_t)((address) >> 8), (uint8_t)(address), 0, 1, 2, (uint8_t)((value) >> 8), \
            (uint8_t)(value) \
    }
/* Two registers: the bits of a float. */
#define WRITE_FLOAT(address, bits) \
    { \
        0x10, (uint8_t)((address) >> 8), (uint8_t)(address), 0, 2, 4, (uint8_t)((bits) >> 24), \
            (uint8_t)((bits) >> 16), (uint8_t)((bits) >> 8), (uint8_t)(bits) \
    }

static inline void check_read_back(struct bench *b, const uint8_t *write)
{
    bool one = write[0] == 0x06;
    uint32_t count = one ? 1 : write[4];
    show(b);
    struct answer a = read_words(b, 1, 0x03, (uint32_t)write[1] << 8 | write[2], count);
    assert_memory_equal(a.pdu + 2, write + (one ? 3 : 6), 2 * (size_t)count);
}

static inline void check_writes(struct bench *b, const struct write *writes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct write *w = &writes[i];
        struct answer a = ask(b, 1, w->pdu, w->pdu[0] == 0x06 ? 5 : 6u + w->pdu[5]);
        if ((a.n == 2 ? a.pdu[1] : 0) != w->exception)
            fail_msg("write %zu is answered with %02X %02X", i, a.pdu[0], a.pdu[1]);
        if (w->setting != SETTING_ACCEPTED && b->device.setting[w->setting] != w->value)
            fail_msg("write %zu leaves %u", i, (unsigned)b->device.setting[w->setting]);
        if (w->exception) {
            assert_int_equal(a.pdu[0], w->pdu[0] | 0x80);
            continue;
        }
        assert_int_equal(a.n, 5);
        assert_memory_equal(a.pdu, w->pdu, 5);
        if (w->setting != SETTING_ACCEPTED)
            check_read_back(b, w->pdu);
    }
}

/* --- the tests of each map -------------------------------------------------------------------- */

static inline void every_value_is_in_place(void **state)
{
    const struct subject *s = *state;
    for (int i = 0; i < REGISTER_SPACES; i++) {
        enum register_space space = (enum register_space)i;
        check_places(s->map, space, layout_of(s, space)->places, layout_of(s, space)->place_count);
    }
}

/* Inverters may refuse a grid of 0 Hz, and meters of households say none. */
static inline void the_frequency_can_be_nominal(void **state)
{
    const struct subject *s = *state;
    struct bench b;
    size_t places = 0;
    begin(&b, s->map);
    b.style.nominal_hz = 50;
    show(&b);
    for (size_t i = 0; i < s->input.place_count; i++)
        if (s->input.places[i].quantity == Q_FREQUENCY) {
            check_shown(&b, SPACE_INPUT, &s->input.places[i]);
            places++;
        }
    assert_true(places > 0);
}

static inline void the_map_is_found_by_name(void **state)
{
    const struct subject *s = *state;
    assert_ptr_equal(register_map_find(s->name), s->map);
    assert_ptr_equal(register_map_find(s->short_name), s->map);
}

/* Nothing changes: exception 02, or 01 where function code 16 is none of the meter's. */
static inline void what_is_measured_cannot_be_written(void **state)
{
    const struct subject *s = *state;
    const struct layout *layout = layout_of(s, SPACE_HOLDING);
    uint8_t to_many = s->map->writes_many ? MODBUS_ILLEGAL_ADDRESS : MODBUS_ILLEGAL_FUNCTION;
    struct bench b;
    begin(&b, s->map);
    const struct register_device before = b.device;
    for (size_t i = 0; i < layout->place_count; i++) {
        uint16_t at = layout->places[i].address;
        const struct write refused[] = {
            {WRITE_ONE(at, 1), MODBUS_ILLEGAL_ADDRESS, SETTING_ADDRESS, 1},
            {WRITE_FLOAT(at, 0x3F800000), to_many, SETTING_ADDRESS, 1},
        };
        check_writes(&b, refused, COUNT(refused));
    }
    assert_memory_equal(&b.device, &before, sizeof before);
}

static inline void check_words(const struct bench *b, enum register_space space,
                               const struct layout *layout)
{
    size_t next = 0;
    for (uint32_t at = 0; at < 65536; at++) {
        uint64_t wanted = 0;
        if (next < layout->word_count && layout->words[next].address == at)
            wanted = layout->words[next++].value;
        if (number_of(b, space, at, 1) != wanted)
            fail_msg("0x%04X reads 0x%04X instead of 0x%04X", (unsigned)at,
                     (unsigned)number_of(b, space, at, 1), (unsigned)wanted);
    }
    assert_int_equal(next, layout->word_count);
}

/* By either policy the words stay what they are; all other registers of the space read 0 where unknown does. */
static inline void unknown_reads_zero_and_the_identity_stays(void **state)
{
    const struct subject *s = *state;
    struct bench b;
    begin(&b, s->map);
    for (int i = 0; i < REGISTER_SPACES; i++) {
        enum register_space space = (enum register_space)i;
        const struct layout *layout = layout_of(s, space);
        b.style.unknown = UNKNOWN_ZERO;
        show(&b);
        check_words(&b, space, layout);
        b.style.unknown = UNKNOWN_NAN;
        show(&b);
        for (size_t k = 0; k < layout->word_count; k++)
            assert_int_equal(number_of(&b, space, layout->words[k].address, 1),
                             layout->words[k].value);
    }
}

#define TEST_OF(subject, test) cmocka_unit_test_prestate(test, (void *)&(subject))

/* What holds for every map. */
#define TESTS_OF(subject) \
    TEST_OF(subject, every_value_is_in_place), TEST_OF(subject, the_frequency_can_be_nominal), \
        TEST_OF(subject, the_map_is_found_by_name), \
        TEST_OF(subject, what_is_measured_cannot_be_written)

/* And for maps whose unknown values read 0. */
#define TESTS_OF_ZEROS(subject) \
    TESTS_OF(subject), TEST_OF(subject, unknown_reads_zero_and_the_identity_stays)

#endif
