#include "register_map.h"

#include "maps/maps.h"

#include <string.h>

enum {
    GAP_MAX = 16 /* registers: a gap up to this size is kept in a segment as zeros */
};

unsigned register_row_length(const struct register_row *row)
{
    static const uint8_t lengths[REG_TYPE_N] = {
        [REG_F32] = 2, [REG_U16] = 1, [REG_S16] = 1, [REG_U32] = 2, [REG_S32] = 2, [REG_U64] = 4,
    };
    return lengths[row->type] ? lengths[row->type] : row->length;
}

/* Notes for each 256 addresses the first segment that reaches into them or lies behind. */
static void index_segments(struct register_image *image)
{
    uint8_t segment = 0;
    for (unsigned page = 0; page < REGISTER_PAGES; page++) {
        const struct register_segment *s = image->segments;
        while (segment < image->segment_count &&
               (uint32_t)s[segment].address + s[segment].count <= page << 8)
            segment++;
        image->first_segment[page] = segment;
    }
}

bool register_image_init(struct register_image *image, const struct register_map *map)
{
    struct register_segment *s = NULL;
    memset(image, 0, sizeof *image);
    for (size_t i = 0; i < map->row_count; i++) {
        const struct register_row *row = &map->rows[i];
        uint32_t end = row->address + (uint32_t)register_row_length(row);
        uint32_t last = s ? (uint32_t)s->address + s->count : 0;
        if ((s && row->address < last) || end == row->address || end > 65536)
            return false;
        if (!s || row->address - last > GAP_MAX) {
            if (image->segment_count == REGISTER_SEGMENTS_MAX)
                return false;
            s = &image->segments[image->segment_count++];
            *s =
                (struct register_segment){.address = row->address, .offset = image->register_count};
        }
        s->count = (uint16_t)(end - s->address);
        if (s->offset + s->count > REGISTER_IMAGE_MAX)
            return false;
        image->register_count = (uint16_t)(s->offset + s->count);
    }
    index_segments(image);
    return true;
}

/* A value ready to be laid out: up to four registers, most significant first. */
struct words {
    uint16_t word[4];
};

static struct words split(uint64_t bits, unsigned count)
{
    struct words w = {{0}};
    for (unsigned i = 0; i < count; i++)
        w.word[i] = (uint16_t)(bits >> (16 * (count - 1 - i)));
    return w;
}

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
    uint64_t unknown;
} ranges[REG_TYPE_N] = {
    [REG_F32] = {0, 0, 0x7FC00000},
    [REG_U16] = {0, 65534, 0xFFFF},
    [REG_S16] = {-32767, 32767, 0x8000},
    [REG_U32] = {0, 4294967294.0, 0xFFFFFFFF},
    [REG_S32] = {-2147483647.0, 2147483647, 0x80000000},
    [REG_U64] = {0, 9007199254740992.0, UINT64_MAX},
};

static uint64_t integer_bits(enum register_type type, double shown)
{
    double rounded = shown < 0 ? shown - 0.5 : shown + 0.5;
    if (rounded < ranges[type].min)
        rounded = ranges[type].min;
    if (rounded > ranges[type].max)
        rounded = ranges[type].max;
    return (uint64_t)(int64_t)rounded;
}

static uint64_t quantity_bits(const struct register_row *row, const struct reading *r,
                              enum unknown_policy unknown)
{
    enum quantity q = (enum quantity)row->quantity;
    if (!reading_has(r, q))
        return unknown == UNKNOWN_NAN ? ranges[row->type].unknown : 0;
    double shown = shown_value(r->value[q], row->exponent - quantities[q].decimals);
    return row->type == REG_F32 ? float_bits(shown)
                                : integer_bits((enum register_type)row->type, shown);
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

static uint64_t row_bits(const struct register_row *row, const struct reading *r,
                         const struct register_identity *identity, enum unknown_policy unknown)
{
    if (row->source == FROM_QUANTITY)
        return quantity_bits(row, r, unknown);
    uint32_t number = row->source == FROM_SERIAL     ? serial_number(identity->serial)
                      : row->source == FROM_FIRMWARE ? identity->firmware
                                                     : row->fixed;
    return row->type == REG_F32 ? float_bits(shown_value(number, row->exponent)) : number;
}

static void put_word(uint8_t *out, uint16_t word)
{
    out[0] = (uint8_t)(word >> 8);
    out[1] = (uint8_t)word;
}

static void put_number(uint8_t *out, uint64_t bits, unsigned count, enum word_order order)
{
    struct words w = split(bits, count);
    for (unsigned i = 0; i < count; i++)
        put_word(out + 2 * i, w.word[order == WORD_ORDER_SWAPPED ? count - 1 - i : i]);
}

static void put_text(uint8_t *out, const char *text, unsigned length, bool low_first)
{
    for (unsigned i = 0; i < 2 * length; i++) {
        out[low_first ? i ^ 1 : i] = (uint8_t)*text;
        if (*text)
            text++;
    }
}

/* Where a register of the map lies in the image; segments ascend, and so do the rows. */
static uint8_t *locate(struct register_image *image, unsigned *segment, uint16_t address)
{
    while (address >= (uint32_t)image->segments[*segment].address + image->segments[*segment].count)
        ++*segment;
    const struct register_segment *s = &image->segments[*segment];
    return image->data + 2 * (size_t)(s->offset + address - s->address);
}

void register_image_render(struct register_image *image, const struct register_map *map,
                           const struct reading *r, const struct register_identity *identity,
                           enum word_order order, enum unknown_policy unknown)
{
    unsigned segment = 0;
    for (size_t i = 0; i < map->row_count; i++) {
        const struct register_row *row = &map->rows[i];
        uint8_t *out = locate(image, &segment, row->address);
        if (row->type == REG_ASCII || row->type == REG_ASCII_LOW)
            put_text(out, row->source == FROM_SERIAL ? identity->serial : row->text, row->length,
                     row->type == REG_ASCII_LOW);
        else
            put_number(out, row_bits(row, r, identity, unknown), register_row_length(row), order);
    }
}

/* The first segment that ends behind `address`, or the end of them. */
static const struct register_segment *find_segment(const struct register_image *image,
                                                   uint32_t address)
{
    const struct register_segment *end = image->segments + image->segment_count;
    const struct register_segment *s = image->segments + image->first_segment[address >> 8];
    while (s < end && address >= (uint32_t)s->address + s->count)
        s++;
    return s;
}

void register_image_read(const struct register_image *image, uint32_t address, uint32_t count,
                         uint8_t *out)
{
    const struct register_segment *s = find_segment(image, address);
    const struct register_segment *end = image->segments + image->segment_count;
    if (s < end && address >= s->address && address + count <= (uint32_t)s->address + s->count) {
        memcpy(out, image->data + 2 * (s->offset + address - s->address), 2 * count);
        return;
    }
    memset(out, 0, 2 * count);
    for (; s < end && s->address < address + count; s++) {
        uint32_t from = s->address > address ? s->address : address;
        uint32_t segment_end = (uint32_t)s->address + s->count;
        uint32_t to = segment_end < address + count ? segment_end : address + count;
        memcpy(out + 2 * (from - address), image->data + 2 * (s->offset + from - s->address),
               2 * (to - from));
    }
}

static const struct register_map *const maps[] = {
    &map_empro,
};

const struct register_map *register_map_at(size_t i)
{
    return i < sizeof maps / sizeof maps[0] ? maps[i] : NULL;
}

static bool same_ignoring_case(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a | 0x20) : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b | 0x20) : *b;
        if (x != y)
            return false;
    }
    return *a == *b;
}

/* The part of "Maker-Model" after the maker. */
static const char *model_of(const char *name)
{
    const char *p = name;
    while (*p && *p != '-')
        p++;
    return *p ? p + 1 : name;
}

const struct register_map *register_map_find(const char *name)
{
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        if (same_ignoring_case(name, maps[i]->name) ||
            same_ignoring_case(name, model_of(maps[i]->name)))
            return maps[i];
    return NULL;
}
