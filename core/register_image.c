#include "register_image.h"

#include <string.h>

enum {
    GAP_MAX = 16 /* registers: a gap up to this size is kept in a segment as zeros */
};

/* --- layout ----------------------------------------------------------------------------------- */

/* Notes for each 256 addresses the first segment that reaches into them or lies behind. */
static void index_segments(struct register_image *image, enum register_space space, uint8_t first)
{
    const struct register_segment *s = image->segments;
    uint8_t segment = first;
    for (unsigned page = 0; page < REGISTER_PAGES; page++) {
        while ((uint32_t)s[segment].address + s[segment].count <= page << 8)
            segment++;
        image->first_segment[space][page] = segment;
    }
}

/* Makes room for a row behind what is there; `last` is the segment before it, NULL if it is a space's first. */
static struct register_segment *add_row(struct register_image *image, struct register_segment *last,
                                        uint8_t *free, const struct register_row *row)
{
    struct register_segment *s = last;
    uint32_t end = row->address + (uint32_t)register_row_length(row);
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

static double power_of_ten(int exponent)
{
    double p = 1;
    for (; exponent > 0; exponent--)
        p *= 10;
    return p;
}

/* The one place where a float is made: value * 10^exponent.  Dividing keeps 231.2 exact where
 * multiplying by 0.001 would not. */
static double shown_value(int64_t value, int exponent)
{
    return exponent < 0 ? (double)value / power_of_ten(-exponent)
                        : (double)value * power_of_ten(exponent);
}

static uint64_t float_bits(double shown)
{
    float f = (float)shown;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Range of the integer types, and what they read when unknown is to be told from zero. */
static const struct {
    double min, max;
    uint64_t unknown, unknown_is_max;
} ranges[REG_TYPE_N] = {
    [REG_F32] = {0, 0, 0x7FC00000, 0x7FC00000},
    [REG_U16] = {0, 65534, 0xFFFF, 0xFFFF},
    [REG_S16] = {-32767, 32767, 0x8000, 0x7FFF},
    [REG_U32] = {0, 4294967294.0, 0xFFFFFFFF, 0xFFFFFFFF},
    [REG_S32] = {-2147483647.0, 2147483647.0, 0x80000000, 0x7FFFFFFF},
    [REG_ACC32] = {0, 4294967295.0, 0, 0},
    [REG_U64] = {0, 9007199254740992.0, UINT64_MAX, UINT64_MAX},
};

static uint64_t number_bits(enum register_type type, double shown, bool unknown_is_max)
{
    if (type == REG_F32)
        return float_bits(shown);
    bool marks_max = unknown_is_max && ranges[type].unknown != ranges[type].unknown_is_max;
    double rounded = shown < 0 ? shown - 0.5 : shown + 0.5;
    double max = marks_max ? ranges[type].max - 1 : ranges[type].max;
    if (rounded < ranges[type].min)
        rounded = ranges[type].min;
    if (rounded > max)
        rounded = max;
    return (uint64_t)(int64_t)rounded;
}

static uint64_t unknown_bits(const struct source *from, const struct register_row *row)
{
    if (from->style->unknown != UNKNOWN_NAN && !from->map->marks_unknown)
        return 0;
    return from->map->unknown_is_max ? ranges[row->type].unknown_is_max : ranges[row->type].unknown;
}

/* The power whose sign a quantity without one has. */
static enum quantity power_beside(enum quantity q)
{
    return q >= Q_CURRENT_L1 && q <= Q_CURRENT_L3 ? (enum quantity)(Q_POWER_L1 + (q - Q_CURRENT_L1))
                                                  : Q_POWER;
}

static double formed(const struct register_row *row, const struct reading *r, double shown)
{
    enum quantity power = power_beside((enum quantity)row->of);
    if (row->form == FORM_ABSOLUTE)
        return shown < 0 ? -shown : shown;
    bool exports = row->form == FORM_SIGN_OF_POWER && reading_has(r, power) && r->value[power] < 0;
    return exports && shown > 0 ? -shown : shown;
}

static uint64_t quantity_bits(const struct source *from, const struct register_row *row)
{
    enum quantity q = (enum quantity)row->of;
    double shown = 0;
    if (reading_has(from->reading, q))
        shown =
            formed(row, from->reading,
                   shown_value(from->reading->value[q], row->exponent - quantities[q].decimals));
    else if (q == Q_FREQUENCY && from->style->nominal_hz)
        shown = shown_value(from->style->nominal_hz, row->exponent);
    else
        return unknown_bits(from, row);
    if (row->factor != 0)
        shown *= (double)row->factor;
    return number_bits((enum register_type)row->type, shown, from->map->unknown_is_max);
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
    if (r && r->phases == 1)
        return ONE_PHASE;
    return r && r->grid == GRID_DELTA ? THREE_PHASES : THREE_PHASES_AND_NEUTRAL;
}

static uint32_t setting_number(const struct source *from, const struct register_row *row)
{
    uint32_t value = from->device->setting[row->of];
    if (row->of == SETTING_ACCEPTED)
        return row->number;
    if (row->of == SETTING_WIRING && value == 0)
        value = wiring_of(from->reading);
    if (!row->codes)
        return value;
    for (const struct setting_code *c = row->codes; c->code != CODE_END; c++)
        if (c->value == value)
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
    if (row->type == REG_F32)
        return float_bits(shown_value((int32_t)number, row->exponent));
    return number;
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

static void put_text(uint8_t *out, const char *text, unsigned length, bool low_first)
{
    for (unsigned i = 0; i < 2 * length; i++) {
        out[low_first ? i ^ 1 : i] = (uint8_t)*text;
        if (*text)
            text++;
    }
}

static void put_row(uint8_t *out, const struct source *from, const struct register_row *row)
{
    bool swapped = register_row_is_swapped(row, from->style->order);
    if (row->type == REG_ASCII || row->type == REG_ASCII_LOW)
        put_text(out, row->source == FROM_SERIAL ? from->device->serial : row->text, row->length,
                 row->type == REG_ASCII_LOW);
    else
        put_number(out, row_bits(from, row), register_row_length(row), swapped);
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
            if (from->reading || row->source != FROM_QUANTITY)
                put_row(out, from, row);
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
            address < row->address + (uint32_t)register_row_length(row))
            return true;
    }
    return false;
}
