#include "register_image.h"

#include "integers.h"

#include <string.h>

enum {
    GAP_MAX = 16 /* registers: a gap up to this size is kept in a segment as zeros */
};

/* --- layout ----------------------------------------------------------------------------------- */

/* Notes for each page of addresses the first segment that reaches into them or lies behind. */
static void index_segments(struct register_image *image, enum register_space space, uint8_t first)
{
    const struct register_segment *s = image->segments;
    uint8_t segment = first;
    for (unsigned page = 0; page < REGISTER_PAGES; page++) {
        while ((uint32_t)s[segment].address + s[segment].count <= page << REGISTER_PAGE_BITS)
            segment++;
        image->first_segment[space][page] = segment;
    }
}

/* Makes room for a row behind what is there; `last` is the segment before it, NULL if it is a space's first. */
static struct register_segment *add_row(struct register_image *image, struct register_segment *last,
                                        uint8_t *free, const struct register_row *row)
{
    struct register_segment *s = last;
    uint32_t end = row->address + (uint32_t)register_row_span(row);
    uint32_t last_end = s ? (uint32_t)s->address + s->count : 0;
    if ((s && row->address < last_end) || end == row->address || end > 65536)
        return NULL;
    if (!s || row->address - last_end > GAP_MAX) {
        if (*free == REGISTER_SEGMENTS_MAX)
            return NULL;
        s = &image->segments[(*free)++];
        *s = (struct register_segment){.address = row->address, .offset = image->register_count};
    }
    s->count = (uint16_t)(end - s->address);
    if (s->offset + s->count > REGISTER_IMAGE_MAX)
        return NULL;
    image->register_count = (uint16_t)(s->offset + s->count);
    return s;
}

/* The tables that make up one space: the map's, and the vendor block behind it. */
enum { SPACE_TABLES = 2 };

static struct register_table space_table(const struct register_image *image,
                                         enum register_space space, unsigned i)
{
    if (i == 0)
        return register_map_space(image->map, space);
    return image->vendor ? register_vendor_block : (struct register_table){NULL, 0};
}

/* Ends the segments of a space with one that any search comes to: the last register, of which the map has nothing. */
static void end_segments(struct register_image *image, uint8_t *free)
{
    image->segments[(*free)++] =
        (struct register_segment){.address = 65535, .count = 1, .offset = REGISTER_IMAGE_MAX};
}

/* Lays one space out in the segments from *free on. */
static bool lay_out(struct register_image *image, enum register_space space, uint8_t *free)
{
    struct register_segment *s = NULL;
    uint8_t first = *free;
    for (unsigned t = 0; t < SPACE_TABLES; t++) {
        const struct register_table table = space_table(image, space, t);
        for (size_t i = 0; i < table.count; i++)
            if (!(s = add_row(image, s, free, &table.rows[i])))
                return false;
    }
    end_segments(image, free);
    index_segments(image, space, first);
    return true;
}

bool register_image_init(struct register_image *image, const struct register_map *map, bool vendor)
{
    uint8_t free = 0;
    memset(image, 0, sizeof *image);
    image->map = map;
    image->vendor = vendor;
    if (!lay_out(image, SPACE_INPUT, &free))
        return false;
    image->holding_segments = free;
    if (map->holding.count)
        return lay_out(image, SPACE_HOLDING, &free);
    memcpy(image->first_segment[SPACE_HOLDING], image->first_segment[SPACE_INPUT],
           sizeof image->first_segment[SPACE_INPUT]);
    return true;
}

/* --- values ----------------------------------------------------------------------------------- */

/* What rendering goes by. */
struct source {
    const struct reading *reading;
    const struct register_device *device;
    const struct register_style *style;
    const struct register_map *map;
};

/* value * 10^exponent as an IEEE 754 single, to the nearest, ties to even: 231.2 V in mV with -3 is exactly what a
 * compiler makes of 231.2F. */
static uint32_t float_bits(int64_t value, int exponent)
{
    enum { MANTISSA = 24, GUARD = 2, BIAS = 127 };
    uint64_t digits = magnitude(value), rest,
             divisor = power_of_ten(exponent < 0 ? (unsigned)-exponent : 0);
    int binary = GUARD + MANTISSA - 1 + BIAS;
    bool inexact = false;
    for (; exponent > 0; exponent--) {
        for (; digits >> 60; digits >>= 1)
            binary++;
        digits *= 10;
    }
    digits = divide(digits, divisor, &rest);
    if ((digits | rest) == 0)
        return 0;
    for (; digits >> (MANTISSA + GUARD - 1) == 0; binary--) {
        rest *= 2;
        digits = digits * 2 + (rest >= divisor);
        rest -= rest >= divisor ? divisor : 0;
    }
    for (; digits >> (MANTISSA + GUARD); digits >>= 1, binary++)
        inexact = inexact || digits & 1;
    inexact = inexact || rest || digits & 1;
    uint32_t mantissa = (uint32_t)(digits >> GUARD);
    mantissa += digits & 2 && (inexact || mantissa & 1);
    /* a mantissa that was rounded up to 2^24 carries into the exponent */
    return (value < 0 ? UINT32_C(1) << 31 : 0) + ((uint32_t)binary << (MANTISSA - 1)) + mantissa -
           (UINT32_C(1) << (MANTISSA - 1));
}

/* What is beyond 64 bits is their limit. */
static int64_t product(int64_t a, int64_t b)
{
    int64_t result;
    if (CORE_IS_SMALL) /* no factors there, and no exponent above 3 */
        return a * b;
    if (__builtin_mul_overflow(a, b, &result))
        return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
    return result;
}

/* value * 10^exponent to the nearest, half away from zero. */
static int64_t whole_number(int64_t value, int exponent)
{
    if (exponent < 0)
        return divide_rounded(value, power_of_ten((unsigned)-exponent));
    return product(value, (int64_t)power_of_ten((unsigned)exponent));
}

#ifndef CORE_SMALL
/* What types read when unknown is to be told from zero. */
static const struct {
    uint64_t unknown, unknown_is_max;
} marks[REG_TYPE_N] = {
    [REG_F32] = {0x7FC00000, 0x7FC00000}, [REG_U16] = {0xFFFF, 0xFFFF},
    [REG_S16] = {0x8000, 0x7FFF},         [REG_U32] = {0xFFFFFFFF, 0xFFFFFFFF},
    [REG_S32] = {0x80000000, 0x7FFFFFFF}, [REG_ACC32] = {0, 0},
    [REG_U64] = {UINT64_MAX, UINT64_MAX},
};
#endif

/* The highest value of a whole type that does not mean unknown, whether or not it is marked so. */
static int64_t highest_of(const struct register_row *row, bool is_signed,
                          const struct register_map *map)
{
#ifdef CORE_SMALL
    (void)map;
#else
    if (row->type == REG_U64)
        return INT64_C(1) << 53;
    if (row->type == REG_ACC32)
        return UINT32_MAX;
    if (is_signed && map->unknown_is_max)
        return (INT64_C(1) << (16 * register_row_length(row) - 1)) - 2;
#endif
    return (INT64_C(1) << (16 * register_row_length(row) - is_signed)) - (is_signed ? 1 : 2);
}

/* value * 10^exponent as a row's type has it. */
static uint64_t number_bits(const struct source *from, const struct register_row *row,
                            int64_t value, int exponent)
{
    bool is_signed = row->type == REG_S16 || row->type == REG_S32;
    if (row->type == REG_F32)
        return float_bits(value, exponent);
    int64_t whole = whole_number(value, exponent), max = highest_of(row, is_signed, from->map);
    int64_t min = is_signed ? -(INT64_C(1) << (16 * register_row_length(row) - 1)) + 1 : 0;
    if (whole < min)
        whole = min;
    return (uint64_t)(whole > max ? max : whole);
}

static uint64_t unknown_bits(const struct source *from, const struct register_row *row)
{
#ifdef CORE_SMALL
    (void)from;
    (void)row;
#else
    if (from->style->unknown == UNKNOWN_NAN || from->map->marks_unknown)
        return from->map->unknown_is_max ? marks[row->type].unknown_is_max
                                         : marks[row->type].unknown;
#endif
    return 0;
}

/* The power whose sign a quantity without one has. */
static enum quantity power_beside(enum quantity q)
{
    return q >= Q_CURRENT_L1 && q <= Q_CURRENT_L3 ? (enum quantity)(Q_POWER_L1 + (q - Q_CURRENT_L1))
                                                  : Q_POWER;
}

static int64_t negated(int64_t value)
{
    return value == INT64_MIN ? INT64_MAX : -value;
}

static int64_t formed(const struct register_row *row, const struct reading *r, int64_t value)
{
    enum quantity power = power_beside((enum quantity)row->of);
    if (row->form == FORM_ABSOLUTE)
        return value < 0 ? negated(value) : value;
    bool exports = row->form == FORM_SIGN_OF_POWER && reading_has(r, power) && r->value[power] < 0;
    return exports && value > 0 ? -value : value;
}

static uint64_t quantity_bits(const struct source *from, const struct register_row *row)
{
    enum quantity q = (enum quantity)row->of;
    int64_t value;
    int exponent = row->exponent;
    if (reading_has(from->reading, q)) {
        value = formed(row, from->reading, from->reading->value[q]);
        exponent -= quantity_decimals[q];
    } else if (q == Q_FREQUENCY && from->style->nominal_hz) {
        value = from->style->nominal_hz;
    } else {
        return unknown_bits(from, row);
    }
    FULL_ONLY(if (row->factor != 0) value = product(value, row->factor);)
    return number_bits(from, row, value, exponent);
}

/* The last digits of a serial number that fit 32 bits; letters count as their hex value's last digit. */
static uint32_t serial_number(const char *serial)
{
    uint32_t number = 0;
    for (const char *p = serial; *p; p++) {
        unsigned digit = (unsigned)(*p <= '9' ? *p - '0' : (*p | 0x20) - 'a' + 10) % 10;
        number = (number % 100000000) * 10 + digit;
    }
    return number;
}

/* One phase, three, or three and neutral; what is not known is taken for the last. */
static uint32_t wiring_of(const struct reading *r)
{
    enum { ONE_PHASE = 1, THREE_PHASES, THREE_PHASES_AND_NEUTRAL };
    if (r->phases == 1)
        return ONE_PHASE;
    return r->grid == GRID_DELTA ? THREE_PHASES : THREE_PHASES_AND_NEUTRAL;
}

static bool shows_reading(const struct source *from, const struct register_row *row)
{
    bool of_reading = row->of == SETTING_WIRING && from->device->setting[SETTING_WIRING] == 0;
    return row->source == FROM_QUANTITY || (row->source == FROM_SETTING && of_reading);
}

static uint32_t setting_number(const struct source *from, const struct register_row *row)
{
    uint32_t value = from->device->setting[row->of];
    if (row->of == SETTING_ACCEPTED)
        return row->number;
    if (row->of == SETTING_WIRING && value == 0)
        value = wiring_of(from->reading);
    const struct setting_code *c = register_row_codes(from->map, row);
    if (!c)
        return value;
    for (; c->code != CODE_END; c++)
        if (c->value == (setting_value)value)
            return c->code;
    return 0;
}

static uint64_t row_bits(const struct source *from, const struct register_row *row)
{
    uint32_t number = row->number;
    if (row->source == FROM_QUANTITY)
        return quantity_bits(from, row);
    if (row->source == FROM_NOTHING)
        return unknown_bits(from, row);
    if (row->source == FROM_SETTING)
        number = setting_number(from, row);
    if (row->source == FROM_SERIAL)
        number = serial_number(from->device->serial);
    if (row->source == FROM_FIRMWARE)
        number = from->device->firmware;
    return row->type == REG_F32 ? float_bits((int32_t)number, row->exponent) : number;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void put_number(uint8_t *out, uint64_t bits, unsigned count, bool swapped)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned place = swapped ? i : count - 1 - i;
        out[2 * place] = (uint8_t)(bits >> (16 * i + 8));
        out[2 * place + 1] = (uint8_t)(bits >> 16 * i);
    }
}

#ifndef CORE_SMALL
static void put_text(uint8_t *out, const char *text, unsigned length, bool low_first)
{
    for (unsigned i = 0; i < 2 * length; i++) {
        out[low_first ? i ^ 1 : i] = (uint8_t)*text;
        if (*text)
            text++;
    }
}

#endif

static void put_row(uint8_t *out, const struct source *from, const struct register_row *row)
{
    bool swapped = register_row_is_swapped(row, from->style->order);
#ifndef CORE_SMALL
    if (row->type == REG_ASCII || row->type == REG_ASCII_LOW) {
        put_text(out, row->source == FROM_SERIAL ? from->device->serial : row->text, row->length,
                 row->type == REG_ASCII_LOW);
        return;
    }
#endif
    put_number(out, row_bits(from, row), register_row_length(row), swapped);
}

/* A small build has one row for what stands three times. */
static void put_values(uint8_t *out, const struct source *from, const struct register_row *row)
{
    struct register_row one = *row;
    for (unsigned n = register_row_repeats(row); n; n--) {
        put_row(out, from, &one);
        out += 2 * (size_t)register_row_length(row);
        one.of++;
    }
}

/* Where a register of a space lies in the image; segments ascend, and so do the rows. */
static uint8_t *locate(struct register_image *image, unsigned *segment, uint16_t address)
{
    while (address >= (uint32_t)image->segments[*segment].address + image->segments[*segment].count)
        ++*segment;
    const struct register_segment *s = &image->segments[*segment];
    return image->data + 2 * (size_t)(s->offset + address - s->address);
}

static void render_space(struct register_image *image, enum register_space space,
                         const struct source *from)
{
    unsigned segment = space == SPACE_HOLDING ? image->holding_segments : 0;
    for (unsigned t = 0; t < SPACE_TABLES; t++) {
        const struct register_table table = space_table(image, space, t);
        for (size_t i = 0; i < table.count; i++) {
            const struct register_row *row = &table.rows[i];
            uint8_t *out = locate(image, &segment, row->address);
            if (from->reading || !shows_reading(from, row))
                put_values(out, from, row);
        }
    }
}

void register_image_render(struct register_image *image, const struct reading *r,
                           const struct register_device *device, const struct register_style *style)
{
    const struct source from = {.reading = r, .device = device, .style = style, .map = image->map};
    render_space(image, SPACE_INPUT, &from);
    if (image->map->holding.count)
        render_space(image, SPACE_HOLDING, &from);
}

/* --- reading ---------------------------------------------------------------------------------- */

static bool is_alone(const struct register_image *image, uint32_t address, uint32_t count)
{
    const struct register_alone *alone = &image->map->alone;
    return count == 1 && alone->value != 0 && address == alone->address;
}

void register_image_gather(const struct register_image *image, enum register_space space,
                           uint32_t address, uint32_t count, uint8_t *out)
{
    const struct register_segment *s = register_image_segment(image, space, address);
    if (is_alone(image, address, count)) {
        put_number(out, image->map->alone.value, 1, false);
        return;
    }
    if (address >= s->address && address + count <= (uint32_t)s->address + s->count) {
        memcpy(out, image->data + 2 * (s->offset + address - s->address), 2 * count);
        return;
    }
    memset(out, 0, 2 * count);
    for (; s->address < address + count; s++) {
        uint32_t from = s->address > address ? s->address : address;
        uint32_t segment_end = (uint32_t)s->address + s->count;
        uint32_t to = segment_end < address + count ? segment_end : address + count;
        memcpy(out + 2 * (from - address), image->data + 2 * (s->offset + from - s->address),
               2 * (to - from));
        if (segment_end == 65536)
            break;
    }
}

bool register_image_is_measured(const struct register_image *image, enum register_space space,
                                uint32_t address, uint32_t count)
{
    const struct register_table table = register_map_space(image->map, space);
    if (is_alone(image, address, count))
        return false;
    for (size_t i = 0; i < table.count; i++) {
        const struct register_row *row = &table.rows[i];
        if (row->source == FROM_QUANTITY && row->address < address + count &&
            address < row->address + (uint32_t)register_row_span(row))
            return true;
    }
    return false;
}
