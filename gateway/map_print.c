#include "map_print.h"

#include "core/register_write.h"
#include "csv.h"
#include "map_row.h"

#include <string.h>

/* --- map files -------------------------------------------------------------------------------- */

static bool needs_quotes(const char *text)
{
    size_t length = strlen(text);
    return strpbrk(text, ",;\"") ||
           (length && (csv_is_blank(text[0]) || csv_is_blank(text[length - 1])));
}

static void put_cell(FILE *to, const char *text, char end)
{
    bool quotes = needs_quotes(text);
    if (quotes)
        fputc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', to);
        fputc(*text, to);
    }
    if (quotes)
        fputc('"', to);
    fputc(end, to);
}

static void put_type(struct text_out *out, const struct register_row *row)
{
    text_put(out, map_row_types[row->type]);
    if (map_row_is_text(row)) {
        text_char(out, ':');
        text_decimal(out, row->length, 0);
    }
}

static void put_scale(struct text_out *out, const struct register_row *row)
{
    struct decimal scale = map_row_scale(row);
    if (scale.mantissa != 1 || scale.exponent != 0)
        decimal_put(out, scale);
}

static void put_text(struct text_out *out, const struct register_row *row)
{
    for (size_t i = 0; i < 2 * (size_t)row->length && row->text[i]; i++)
        text_char(out, row->text[i]);
}

static void put_fixed(struct text_out *out, const struct register_row *row)
{
    if (row->source == FROM_TEXT)
        put_text(out, row);
    else if (map_row_has_number(row))
        decimal_put(out, map_row_number(row));
    else
        map_row_put_codes(out, row);
}

static void print_built(FILE *to, void (*put)(struct text_out *, const struct register_row *),
                        const struct register_row *row)
{
    char cell[MAP_ROW_CELL_MAX];
    struct text_out out;
    text_init(&out, cell, sizeof cell);
    put(&out, row);
    put_cell(to, cell, ',');
}

static void print_csv_row(FILE *to, const struct map_walk_row *at)
{
    const struct register_row *row = at->row;
    bool both = at->in[SPACE_INPUT] && at->in[SPACE_HOLDING];
    fprintf(to, "0x%04X,%s,", row->address, map_row_name(row));
    print_built(to, put_type, row);
    print_built(to, put_scale, row);
    put_cell(to, map_row_orders[row->order], ',');
    print_built(to, put_fixed, row);
    put_cell(to, map_row_forms[row->form], ',');
    put_cell(to, both ? "" : at->in[SPACE_INPUT] ? "4" : "3", ',');
    put_cell(to, row->title ? row->title : "", '\n');
}

void map_print_csv(FILE *to, const struct register_map *map)
{
    const bool property[MAP_PROPERTIES] = {
        [MAP_WORD_ORDER] = map->word_order == WORD_ORDER_SWAPPED,
        [MAP_FUNCTION_16] = map->writes_many,
        [MAP_UNKNOWN] = map->marks_unknown,
        [MAP_SIGNED_MARK] = map->unknown_is_max,
    };
    struct map_walk walk = map_walk_begin(map);
    struct map_walk_row at;
    fprintf(to, "map,%s,", map->name);
    put_cell(to, map->title, '\n');
    for (int i = 0; i < MAP_PROPERTIES; i++)
        fprintf(to, "%s,%s\n", map_properties[i].name, map_properties[i].values[property[i]]);
    if (map->alone.value)
        fprintf(to, "alone,0x%04X,%u\n", map->alone.address, map->alone.value);
    fputs("register,quantity,type,scale,word order,fixed value,form,function,title\n", to);
    while (map_walk_next(&walk, &at))
        print_csv_row(to, &at);
}

/* --- cells of the table ----------------------------------------------------------------------- */

/* What a row is shown with. */
struct shown {
    const struct register_map *map;
    const struct register_image *image;
    const struct reading *reading;
};

/* The unit of one step of the register: "W", "kWh", "0.1 V", "1/1.13 W". */
static void put_unit(struct text_out *out, const struct register_row *row)
{
    if (row->source != FROM_QUANTITY)
        return;
    static const struct {
        int exponent;
        const char *letter;
    } prefixes[] = {{0, ""}, {-3, "k"}, {3, "m"}, {-6, "M"}};
    enum quantity_unit unit = quantities[row->of].unit;
    bool kilo = unit == UNIT_KVA;
    const char *name = quantity_unit_name(kilo ? UNIT_VA : unit);
    struct decimal scale = map_row_scale(row);
    int exponent = scale.exponent - 3 * kilo;
    for (size_t i = 0; name[0] && scale.mantissa == 1 && i < sizeof prefixes / sizeof prefixes[0];
         i++)
        if (prefixes[i].exponent == exponent) {
            text_put(out, prefixes[i].letter);
            text_put(out, name);
            return;
        }
    bool is_plain = scale.mantissa == 1 && scale.exponent == 0;
    if (scale.mantissa != 1)
        text_put(out, "1/");
    if (!is_plain)
        decimal_put(out, scale.mantissa == 1 ? decimal_make(1, -scale.exponent) : scale);
    if (!is_plain && name[0])
        text_char(out, ' ');
    text_put(out, quantity_unit_name(unit));
}

static void put_shows(struct text_out *out, const struct register_row *row)
{
    bool has_title = row->title && row->title[0];
    if (row->source == FROM_QUANTITY || !has_title)
        text_put(out, map_row_name(row));
    if (row->form != FORM_PLAIN) {
        text_put(out, ", ");
        text_put(out, map_row_forms[row->form]);
    }
    if (row->source == FROM_QUANTITY && has_title)
        text_put(out, ": ");
    if (has_title)
        text_put(out, row->title);
    if (has_title && (row->source == FROM_NOTHING || map_row_is_accepted(row))) {
        text_put(out, ", ");
        text_put(out, map_row_name(row));
    }
}

static void put_table_type(struct text_out *out, const struct register_row *row)
{
    text_put(out, map_row_types[row->type]);
    if (row->order != ROW_ORDER_OF_MAP) {
        text_char(out, ' ');
        text_put(out, map_row_orders[row->order]);
    }
}

/* The number that a master finds in the row's registers. */
static struct decimal read_number(const struct shown *s, const struct map_walk_row *at)
{
    const struct register_row *row = at->row;
    unsigned length = register_row_length(row);
    uint8_t bytes[8];
    uint64_t bits = 0;
    bool swapped = register_row_is_swapped(row, (enum word_order)s->map->word_order);
    register_image_read(s->image, at->in[SPACE_INPUT] ? SPACE_INPUT : SPACE_HOLDING, row->address,
                        length, bytes);
    for (unsigned i = 0; i < length; i++) {
        const uint8_t *word = bytes + 2 * (size_t)(swapped ? length - 1 - i : i);
        bits = bits << 16 | (uint64_t)word[0] << 8 | word[1];
    }
    uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof f);
    if (row->type == REG_F32)
        return decimal_of_float(f);
    if (row->type == REG_S16)
        return decimal_make((int16_t)bits, 0);
    return decimal_make(row->type == REG_S32 ? (int32_t)bits : (int64_t)bits, 0);
}

static bool is_known(const struct shown *s, const struct register_row *row)
{
    if (row->source == FROM_QUANTITY)
        return reading_has(s->reading, (enum quantity)row->of);
    return map_row_has_number(row);
}

static void put_value(struct text_out *out, const struct shown *s, const struct map_walk_row *at)
{
    if (is_known(s, at->row))
        decimal_put(out, read_number(s, at));
    else
        put_fixed(out, at->row);
    if (out->length == 0)
        text_char(out, '-');
}

/* --- table ------------------------------------------------------------------------------------ */

/* Characters, not bytes. */
static int width_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

enum { HEX, DEC, REGS, FC, TYPE, UNIT, SHOWS, VALUE, TABLE_COLUMNS };
static const char *const heads[TABLE_COLUMNS] = {"hex",  "dec",  "regs",  "fc",
                                                 "type", "unit", "shows", "value"};
struct table_row {
    char cell[TABLE_COLUMNS][MAP_ROW_CELL_MAX];
};

static void make_row(const struct shown *s, const struct map_walk_row *at, struct table_row *row)
{
    static void (*const put[TABLE_COLUMNS])(struct text_out *, const struct register_row *) = {
        [TYPE] = put_table_type, [UNIT] = put_unit, [SHOWS] = put_shows};
    struct text_out out;
    bool both = at->in[SPACE_INPUT] && at->in[SPACE_HOLDING];
    for (int i = TYPE; i < VALUE; i++) {
        text_init(&out, row->cell[i], MAP_ROW_CELL_MAX);
        put[i](&out, at->row);
    }
    text_init(&out, row->cell[VALUE], MAP_ROW_CELL_MAX);
    put_value(&out, s, at);
    snprintf(row->cell[HEX], MAP_ROW_CELL_MAX, "0x%04X", at->row->address);
    snprintf(row->cell[DEC], MAP_ROW_CELL_MAX, "%u", at->row->address);
    snprintf(row->cell[REGS], MAP_ROW_CELL_MAX, "%u", register_row_length(at->row));
    snprintf(row->cell[FC], MAP_ROW_CELL_MAX, "%s",
             both                  ? "03+04"
             : at->in[SPACE_INPUT] ? "04"
                                   : "03");
}

static void print_row(FILE *to, const char *const cells[static TABLE_COLUMNS],
                      const int width[static TABLE_COLUMNS])
{
    for (int i = 0; i < VALUE; i++)
        fprintf(to, "%s%*s  ", cells[i], width[i] - width_of(cells[i]), "");
    fprintf(to, "%s\n", cells[VALUE]);
}

/* Walks the map twice with the same step: to measure the columns, and to print them. */
static void each_row(const struct shown *s, bool vendor, FILE *to, int width[static TABLE_COLUMNS])
{
    const struct register_map own = {.input = register_vendor_block};
    struct map_walk walks[] = {map_walk_begin(s->map), map_walk_begin(&own)};
    struct map_walk_row at;
    for (int w = 0; w < (vendor ? 2 : 1); w++)
        while (map_walk_next(&walks[w], &at)) {
            struct table_row row;
            const char *cells[TABLE_COLUMNS];
            make_row(s, &at, &row);
            for (int i = 0; i < TABLE_COLUMNS; i++) {
                cells[i] = row.cell[i];
                if (width_of(cells[i]) > width[i])
                    width[i] = width_of(cells[i]);
            }
            if (to)
                print_row(to, cells, width);
        }
}

/* Asks who takes writes; what it takes is thrown away. */
static bool can_be_written(const struct register_image *image, const struct register_row *row)
{
    static const uint8_t zeros[8] = {0};
    struct register_device any = {0};
    return row->source == FROM_SETTING &&
           register_write(image, WORD_ORDER_NORMAL, row->address, register_row_length(row), zeros,
                          &any) != WRITE_NO_SETTING;
}

static void print_writable(const struct shown *s, bool vendor, FILE *to)
{
    const struct register_table tables[] = {register_map_space(s->map, SPACE_HOLDING),
                                            register_vendor_block};
    int count = 0;
    for (int t = 0; t < (vendor ? 2 : 1); t++)
        for (size_t i = 0; i < tables[t].count; i++)
            if (can_be_written(s->image, &tables[t].rows[i]))
                fprintf(to, "%s0x%04X",
                        count++ ? " " : "Can be written: ", tables[t].rows[i].address);
    if (count)
        fprintf(to, ". Function code%s.\n", s->map->writes_many ? "s 06 and 16" : " 06");
    else
        fputs("No register can be written.\n", to);
}

static void print_alone(const struct register_map *map, FILE *to)
{
    if (map->alone.value)
        fprintf(to, " 0x%04X reads %u where it is all that is read.", map->alone.address,
                map->alone.value);
}

static void print_head(const struct shown *s, bool vendor, FILE *to)
{
    const struct register_map *map = s->map;
    fprintf(to, "%s: %s\n", map->name, map->title);
    fprintf(to, "Values of several registers: %s word first. %s. Registers not listed read 0.%s",
            map->word_order == WORD_ORDER_SWAPPED ? "low" : "high",
            map->holding.count ? "Function codes 03 and 04 read registers of their own"
                               : "Function codes 03 and 04 read the same",
            map->marks_unknown ? " Unknown values are marked, never 0." : "");
    print_alone(map, to);
    fputc('\n', to);
    print_writable(s, vendor, to);
    fputc('\n', to);
}

void map_print_table(FILE *to, const struct register_map *map, bool vendor, const struct reading *r)
{
    struct register_image image;
    const struct register_device nobody = {.serial = ""};
    const struct register_style style = {.order = (enum word_order)map->word_order};
    const struct shown s = {.map = map, .image = &image, .reading = r};
    int width[TABLE_COLUMNS];
    if (!register_image_init(&image, map, vendor))
        return; /* no map of the list is like that */
    register_image_render(&image, r, &nobody, &style);
    for (int i = 0; i < TABLE_COLUMNS; i++)
        width[i] = width_of(heads[i]);
    print_head(&s, vendor, to);
    each_row(&s, vendor, NULL, width);
    print_row(to, heads, width);
    each_row(&s, vendor, to, width);
}
