#include "map_file.h"

#include "core/register_write.h"
#include "csv.h"
#include "heap.h"
#include "map_row.h"
#include "nearest.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    TEXT_REGISTERS_MAX = 125, /* what one request can read */
    SCALE_EXPONENT_MAX = 12,
    FLOAT_WHOLE_MAX = 1 << 24, /* a float holds all whole numbers up to here */
    NO_COLUMN = -1
};

/* The columns, in the order in which their cells are understood. */
enum column {
    COLUMN_REGISTER,
    COLUMN_TYPE,
    COLUMN_QUANTITY,
    COLUMN_SCALE,
    COLUMN_FIXED_VALUE,
    COLUMN_WORD_ORDER,
    COLUMN_FORM,
    COLUMN_FUNCTION,
    COLUMN_TITLE,
    COLUMNS
};

struct parser {
    struct map_file *file;
    const char *name; /* for errors */
    char *error;
    struct csv csv;
    int column[COLUMNS]; /* the index of its cell, or NO_COLUMN */
    int header_cells;
    int map_line, alone_line, property_line[MAP_PROPERTIES]; /* where it was said; 0: not yet */
    bool property[MAP_PROPERTIES];
    struct {
        size_t rows;
        int last_line;
    } space[REGISTER_SPACES];
    bool split; /* a row is for one function code only */
    /* the row on the way */
    struct register_row row;
    bool in[REGISTER_SPACES];
};

static bool __attribute__((format(printf, 3, 4)))
refuse(struct parser *p, int column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = snprintf(p->error, MAP_ERROR_MAX, "%.100s:%d:%d: ", p->name,
                     p->csv.line ? p->csv.line : 1, column);
    vsnprintf(p->error + n, (size_t)(MAP_ERROR_MAX - n), format, arguments);
    va_end(arguments);
    return false;
}

static bool refuse_end(struct parser *p, const char *what)
{
    return refuse(p, 1, "the file ends without %s", what);
}

/* --- what many cells share -------------------------------------------------------------------- */

/* Copies a text to where the map's rows may point to; NULL: there is no room left. */
static const char *keep(struct map_file *file, const char *text)
{
    size_t size = strlen(text) + 1;
    if (size > MAP_FILE_TEXT_MAX - file->text_used)
        return NULL;
    char *kept = memcpy(file->text + file->text_used, text, size);
    file->text_used += size;
    return kept;
}

static bool keep_cell(struct parser *p, const struct csv_cell *cell, const char **kept)
{
    *kept = keep(p->file, cell->text);
    return *kept ||
           refuse(p, cell->column, "the texts of a map have %d bytes at most, all together",
                  MAP_FILE_TEXT_MAX);
}

static bool parse_number(const struct parser *p, const char *text, struct decimal *number)
{
    return decimal_parse(text, p->csv.separator == ';' && strchr(text, ',') ? ',' : '.', number);
}

static bool parse_whole(const struct parser *p, const char *text, int64_t *number)
{
    struct decimal d;
    return parse_number(p, text, &d) && decimal_is_whole(d, number);
}

/* Where a word stands in a list of them; `count` if it is not there. */
static size_t find_word(const char *const *words, size_t count, const char *word)
{
    size_t i = 0;
    while (i < count && strcasecmp(words[i], word) != 0)
        i++;
    return i;
}

static bool is_set(const struct csv_cell *cell)
{
    return cell->text[0] != 0;
}

/* --- the cells of a row ----------------------------------------------------------------------- */

static bool read_register(struct parser *p, const struct csv_cell *cell)
{
    int64_t address;
    if (!parse_whole(p, cell->text, &address) || address < 0 || address > 65535)
        return refuse(p, cell->column,
                      "\"%.40s\" is no register; use 0 to 65535 or 0x0000 to 0xFFFF", cell->text);
    p->row.address = (uint16_t)address;
    return true;
}

static bool unknown_type(struct parser *p, const struct csv_cell *cell)
{
    return refuse(p, cell->column,
                  "\"%.40s\" is no type; use float32, uint16, int16, uint32, int32, acc32, uint64, "
                  "ascii:N or ascii-low:N",
                  cell->text);
}

static bool read_type(struct parser *p, const struct csv_cell *cell)
{
    char word[16];
    int64_t length = 0;
    const char *colon = strchr(cell->text, ':');
    size_t n = colon ? (size_t)(colon - cell->text) : strlen(cell->text);
    if (n >= sizeof word)
        return unknown_type(p, cell);
    memcpy(word, cell->text, n);
    word[n] = 0;
    size_t type = find_word(map_row_types, REG_TYPE_N, word);
    p->row.type = (uint8_t)type;
    if (type == REG_TYPE_N || (colon && !map_row_is_text(&p->row)))
        return unknown_type(p, cell);
    if (!map_row_is_text(&p->row))
        return true;
    if (!colon || !parse_whole(p, colon + 1, &length) || length < 1 || length > TEXT_REGISTERS_MAX)
        return refuse(p, cell->column, "a text needs its length in registers, 1 to %d: %s:8",
                      TEXT_REGISTERS_MAX, word);
    p->row.length = (uint8_t)length;
    return true;
}

static void try_words(struct nearest *n, const char *written, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        nearest_try(n, written, words[i]);
}

static bool unknown_quantity(struct parser *p, const struct csv_cell *cell)
{
    struct nearest n = {0};
    for (size_t q = 0; q < Q_N; q++)
        nearest_try(&n, cell->text, quantities[q].name);
    try_words(&n, cell->text, map_row_sources, MAP_ROW_SOURCES);
    try_words(&n, cell->text, map_row_settings, SETTING_N);
    if (n.name)
        return refuse(p, cell->column, "no quantity is called \"%.40s\"; did you mean %s?",
                      cell->text, n.name);
    return refuse(p, cell->column,
                  "no quantity is called \"%.40s\"; see smart-connect decode --format readings",
                  cell->text);
}

static bool find_quantity(const char *name, struct register_row *row)
{
    for (size_t q = 0; q < Q_N; q++)
        if (strcasecmp(quantities[q].name, name) == 0) {
            row->source = FROM_QUANTITY;
            row->of = (uint8_t)q;
            return true;
        }
    return false;
}

static bool find_source(const char *word, struct register_row *row)
{
    size_t source = find_word(map_row_sources, MAP_ROW_SOURCES, word);
    size_t setting = find_word(map_row_settings, SETTING_N, word);
    if (word[0] == 0)
        row->source = map_row_is_text(row) ? FROM_TEXT : FROM_FIXED;
    else if (source < MAP_ROW_SOURCES)
        row->source = (uint8_t)source;
    else if (setting < SETTING_N) {
        row->source = FROM_SETTING;
        row->of = (uint8_t)setting;
    } else {
        return find_quantity(word, row);
    }
    return true;
}

/* What does not fit 16 bits, and is not meant to be cut. */
static bool needs_32_bits(const struct register_row *row)
{
    return row->source == FROM_SERIAL || row->source == FROM_FIRMWARE;
}

static bool read_quantity(struct parser *p, const struct csv_cell *cell)
{
    struct register_row *row = &p->row;
    if (!find_source(cell->text, row))
        return unknown_quantity(p, cell);
    if (map_row_is_text(row) && row->source != FROM_TEXT && row->source != FROM_SERIAL)
        return refuse(p, cell->column,
                      "%.40s is a number: type %s is for serial and for fixed texts", cell->text,
                      map_row_types[row->type]);
    if (needs_32_bits(row) && register_row_length(row) < 2)
        return refuse(p, cell->column, "%s does not fit %s; use uint32", cell->text,
                      map_row_types[row->type]);
    return true;
}

static bool read_scale(struct parser *p, const struct csv_cell *cell)
{
    struct decimal scale;
    if (!is_set(cell))
        return true;
    if (p->row.source != FROM_QUANTITY)
        return refuse(p, cell->column, "a scale is for quantities; leave it empty here");
    if (!parse_number(p, cell->text, &scale) || scale.mantissa == 0)
        return refuse(p, cell->column,
                      "\"%.40s\" is no scale; use a factor like 0.001, 10 or 1.13, and not 0",
                      cell->text);
    if (llabs(scale.mantissa) > FLOAT_WHOLE_MAX || abs(scale.exponent) > SCALE_EXPONENT_MAX)
        return refuse(
            p, cell->column,
            "scale %.40s is too fine or too large: 7 digits, and powers of ten from -%d to %d",
            cell->text, SCALE_EXPONENT_MAX, SCALE_EXPONENT_MAX);
    p->row.exponent = (int8_t)scale.exponent;
    p->row.factor = scale.mantissa == 1 ? 0 : (int32_t)scale.mantissa;
    return true;
}

/* A fixed number of a float: up to ten digits, and the rest as a power of ten. */
static bool fix_float(struct register_row *row, struct decimal number)
{
    int64_t mantissa = number.mantissa;
    if (llabs(mantissa) > INT32_MAX || abs(number.exponent) > SCALE_EXPONENT_MAX)
        return false;
    for (; number.exponent > 0 && llabs(mantissa * 10) <= INT32_MAX; number.exponent--)
        mantissa *= 10;
    row->number = (uint32_t)mantissa;
    row->exponent = (int8_t)number.exponent;
    return true;
}

/* What a fixed number may be; 64 bits are kept as 32. */
static bool fix_integer(struct register_row *row, struct decimal number)
{
    static const struct {
        int64_t min, max;
    } limits[REG_TYPE_N] = {
        [REG_U16] = {0, UINT16_MAX},   [REG_S16] = {INT16_MIN, INT16_MAX},
        [REG_U32] = {0, UINT32_MAX},   [REG_S32] = {INT32_MIN, INT32_MAX},
        [REG_ACC32] = {0, UINT32_MAX}, [REG_U64] = {0, UINT32_MAX},
    };
    int64_t whole;
    bool fits = decimal_is_whole(number, &whole) && whole >= limits[row->type].min &&
                whole <= limits[row->type].max;
    row->number = (uint32_t)whole;
    return fits;
}

static bool read_fixed_number(struct parser *p, const struct csv_cell *cell)
{
    struct decimal number;
    if (!parse_number(p, cell->text, &number))
        return refuse(p, cell->column, "\"%.40s\" is no number", cell->text);
    bool fits = p->row.type == REG_F32 ? fix_float(&p->row, number) : fix_integer(&p->row, number);
    return fits || refuse(p, cell->column, "%.40s does not fit type %s", cell->text,
                          map_row_types[p->row.type]);
}

static bool read_fixed_text(struct parser *p, const struct csv_cell *cell)
{
    size_t length = strlen(cell->text), room = 2 * (size_t)p->row.length;
    for (const char *c = cell->text; *c; c++)
        if (!isprint((unsigned char)*c))
            return refuse(p, cell->column,
                          "registers hold ASCII texts, \"%.40s\" is more than that", cell->text);
    if (length > room)
        return refuse(p, cell->column, "\"%.40s\" has %zu characters, but %s:%d holds %zu",
                      cell->text, length, map_row_types[p->row.type], p->row.length, room);
    return keep_cell(p, cell, &p->row.text);
}

/* Reads one "value=code". */
static bool parse_code(const struct parser *p, char *word, struct setting_code *code)
{
    char *equals = strchr(word, '=');
    int64_t value, number;
    if (!equals)
        return false;
    *equals = 0;
    if (!parse_whole(p, word, &value) || !parse_whole(p, equals + 1, &number) || value < 0 ||
        value > UINT32_MAX || number < 0 || number >= CODE_END)
        return false;
    *code = (struct setting_code){.value = (uint32_t)value, .code = (uint16_t)number};
    return true;
}

static bool has_code(const struct setting_code *codes, const struct setting_code *end, uint16_t code)
{
    for (; codes < end; codes++)
        if (codes->code == code)
            return true;
    return false;
}

/* Adds a code to those of this row, from `first` on. */
static bool add_code(struct parser *p, const struct csv_cell *cell, char *word, size_t first)
{
    struct map_file *file = p->file;
    struct register_device any = {0};
    struct setting_code code;
    const char *setting = map_row_settings[p->row.of];
    if (!parse_code(p, word, &code))
        return refuse(p, cell->column,
                      "\"%.60s\": the codes of %s are written 9600=2 19200=3, with codes below %d",
                      cell->text, setting, CODE_END);
    if (!register_device_set(&any, (enum register_setting)p->row.of, code.value))
        return refuse(p, cell->column, "%s cannot be %u", setting, (unsigned)code.value);
    if (has_code(file->codes + first, file->codes + file->codes_used, code.code))
        return refuse(p, cell->column, "code %u of %s is there twice", code.code, setting);
    if (file->codes_used + 2 > MAP_FILE_CODES_MAX)
        return refuse(p, cell->column, "more than %d codes in a map", MAP_FILE_CODES_MAX);
    file->codes[file->codes_used++] = code;
    return true;
}

/* The same number can be written shorter, as 1e3: what counts is how we print it. */
static bool check_codes_fit(struct parser *p, const struct csv_cell *cell)
{
    char text[MAP_ROW_CELL_MAX];
    struct text_out out;
    text_init(&out, text, sizeof text);
    map_row_put_codes(&out, &p->row);
    return !out.overflow ||
           refuse(
               p, cell->column,
               "the codes of %s have more than %d characters, with all digits written; leave out "
               "some",
               map_row_settings[p->row.of], MAP_ROW_CELL_MAX - 1);
}

static bool read_codes(struct parser *p, const struct csv_cell *cell)
{
    size_t first = p->file->codes_used;
    char text[CSV_LINE_MAX + 1], *rest = NULL;
    snprintf(text, sizeof text, "%s", cell->text);
    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (!add_code(p, cell, word, first))
            return false;
    if (p->file->codes_used == first)
        return refuse(p, cell->column,
                      "\"%.60s\" holds no codes; leave it empty, or write 9600=2 19200=3",
                      cell->text);
    p->file->codes[p->file->codes_used++].code = CODE_END;
    p->row.codes = p->file->codes + first;
    return check_codes_fit(p, cell);
}

/* A speed that 16 bits do not hold must be written in another way. */
static bool check_no_codes(struct parser *p, const struct csv_cell *cell)
{
    bool too_small = p->row.of == SETTING_BAUD && register_row_length(&p->row) < 2;
    return !too_small || refuse(p, cell->column,
                                "baud goes up to 115200, more than %s holds: give its codes "
                                "(9600=2 19200=3), or use baud_low and baud_high",
                                map_row_types[p->row.type]);
}

static bool read_fixed_value(struct parser *p, const struct csv_cell *cell)
{
    const struct register_row *row = &p->row;
    if (row->source == FROM_TEXT)
        return read_fixed_text(p, cell);
    if (row->source == FROM_FIXED && !is_set(cell))
        return refuse(p, cell->column, "neither a quantity nor a fixed value: what shall be shown?");
    if (row->source == FROM_FIXED)
        return read_fixed_number(p, cell);
    if (map_row_is_accepted(row))
        return !is_set(cell) || read_fixed_number(p, cell);
    if (row->source == FROM_SETTING)
        return is_set(cell) ? read_codes(p, cell) : check_no_codes(p, cell);
    return !is_set(cell) ||
           refuse(p, cell->column, "%s has a value already; leave the fixed value empty",
                  map_row_name(row));
}

static bool read_word_order(struct parser *p, const struct csv_cell *cell)
{
    size_t order = find_word(map_row_orders, MAP_ROW_ORDERS, cell->text);
    p->row.order = order & 0xF;
    return order < MAP_ROW_ORDERS ||
           refuse(p, cell->column, "\"%.40s\" is no word order; use normal, swapped or nothing",
                  cell->text);
}

static bool read_form(struct parser *p, const struct csv_cell *cell)
{
    size_t form = find_word(map_row_forms, MAP_ROW_FORMS, cell->text);
    if (form == MAP_ROW_FORMS)
        return refuse(p, cell->column,
                      "\"%.40s\" is no form; use absolute, signed-by-power or nothing", cell->text);
    if (form && p->row.source != FROM_QUANTITY)
        return refuse(p, cell->column, "a form is for quantities; leave it empty here");
    p->row.form = form & 0xF;
    return true;
}

static bool read_function(struct parser *p, const struct csv_cell *cell)
{
    static const char *const words[] = {"", "3+4", "3", "4"};
    size_t function = find_word(words, sizeof words / sizeof words[0], cell->text);
    if (function == sizeof words / sizeof words[0])
        return refuse(p, cell->column, "\"%.40s\" is no function code; use 3, 4, 3+4 or nothing",
                      cell->text);
    p->in[SPACE_HOLDING] = function < 3;
    p->in[SPACE_INPUT] = function != 2;
    p->split = p->split || function >= 2;
    return true;
}

static bool read_title(struct parser *p, const struct csv_cell *cell)
{
    if (strlen(cell->text) > MAP_TITLE_MAX)
        return refuse(p, cell->column, "the title is longer than %d bytes", MAP_TITLE_MAX);
    return !is_set(cell) || keep_cell(p, cell, &p->row.title);
}

static const struct {
    const char *name;
    bool may_be_missing;
    bool (*read)(struct parser *p, const struct csv_cell *cell);
} columns[COLUMNS] = {
    [COLUMN_REGISTER] = {"register", false, read_register},
    [COLUMN_TYPE] = {"type", false, read_type},
    [COLUMN_QUANTITY] = {"quantity", false, read_quantity},
    [COLUMN_SCALE] = {"scale", false, read_scale},
    [COLUMN_FIXED_VALUE] = {"fixed value", false, read_fixed_value},
    [COLUMN_WORD_ORDER] = {"word order", false, read_word_order},
    [COLUMN_FORM] = {"form", true, read_form},
    [COLUMN_FUNCTION] = {"function", true, read_function},
    [COLUMN_TITLE] = {"title", true, read_title},
};

/* --- rows ------------------------------------------------------------------------------------- */

/* Behind the row before, and inside of what there is. */
static bool check_place(struct parser *p, int column, enum register_space space)
{
    const struct register_row *row = &p->row;
    if (p->space[space].rows == 0)
        return true;
    const struct register_row *last = &p->file->rows[space][p->space[space].rows - 1];
    int line = p->space[space].last_line;
    if (row->address < last->address)
        return refuse(p, column, "register 0x%04X comes behind 0x%04X (line %d): put rows in order",
                      row->address, last->address, line);
    if (row->address == last->address)
        return refuse(p, column, "register 0x%04X is in line %d already", row->address, line);
    if (row->address < last->address + register_row_length(last))
        return refuse(p, column, "register 0x%04X is a part of 0x%04X (line %d), which takes %u",
                      row->address, last->address, line, register_row_length(last));
    return true;
}

static bool check_end(struct parser *p, int column)
{
    unsigned long end = p->row.address + (unsigned long)register_row_length(&p->row);
    if (end > 65536)
        return refuse(p, column, "register 0x%04X and the %u it takes reach past 0xFFFF",
                      p->row.address, register_row_length(&p->row));
    return end <= MAP_FIRST_OWN_REGISTER ||
           refuse(p, column, "registers from 0x%04X on are the gateway's own, in every map",
                  MAP_FIRST_OWN_REGISTER);
}

/* Asks who will serve it; so the first row that is too much is the one that is named. */
static bool check_size(struct parser *p, int column)
{
    struct register_image image;
    struct register_map *map = &p->file->map;
    map->input = (struct register_table){p->file->rows[SPACE_INPUT], p->space[SPACE_INPUT].rows};
    map->holding = (struct register_table){p->file->rows[SPACE_HOLDING],
                                           p->split ? p->space[SPACE_HOLDING].rows : 0};
    return register_image_init(&image, map, true) ||
           refuse(
               p, column,
               "too much from here on: a map has at most %d registers, with gaps up to 16 and the "
               "gateway's own, in %d runs",
               REGISTER_IMAGE_MAX, REGISTER_SEGMENTS_MAX);
}

static bool add_row(struct parser *p, int column)
{
    if (!check_end(p, column))
        return false;
    for (enum register_space s = SPACE_INPUT; s < REGISTER_SPACES; s++) {
        if (!p->in[s])
            continue;
        if (!check_place(p, column, s))
            return false;
        p->file->rows[s][p->space[s].rows++] = p->row;
        p->space[s].last_line = p->csv.line;
    }
    return check_size(p, column);
}

/* A cell of this line; an empty one where the line is too short for it. */
static struct csv_cell cell_of(const struct parser *p, enum column column)
{
    int i = p->column[column];
    if (i != NO_COLUMN && i < p->csv.cells)
        return p->csv.cell[i];
    return (struct csv_cell){.text = "", .column = p->csv.cell[p->csv.cells - 1].column};
}

static bool check_other_cells(struct parser *p)
{
    for (int i = 0; i < p->csv.cells; i++) {
        bool has_name = false;
        for (int c = 0; c < COLUMNS; c++)
            has_name = has_name || p->column[c] == i;
        if (!has_name && is_set(&p->csv.cell[i]))
            return refuse(p, p->csv.cell[i].column, "\"%.40s\" stands in a column without a name",
                          p->csv.cell[i].text);
    }
    return true;
}

static bool read_row(struct parser *p)
{
    p->row = (struct register_row){0};
    if (!check_other_cells(p))
        return false;
    for (enum column c = 0; c < COLUMNS; c++) {
        const struct csv_cell cell = cell_of(p, c);
        if (!columns[c].read(p, &cell))
            return false;
    }
    return add_row(p, cell_of(p, COLUMN_REGISTER).column);
}

/* --- lines before the rows -------------------------------------------------------------------- */

static bool is_map_name(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= MAP_NAME_MAX && name[0] != '-' && name[n - 1] != '-' &&
           name[strspn(name,
                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")] == 0;
}

static bool check_cells(struct parser *p, int count)
{
    for (int i = count; i < p->csv.cells; i++)
        if (is_set(&p->csv.cell[i]))
            return refuse(p, p->csv.cell[i].column, "\"%.40s\" is too much here",
                          p->csv.cell[i].text);
    return true;
}

static bool check_once(struct parser *p, int *line)
{
    if (*line)
        return refuse(p, p->csv.cell[0].column, "\"%s\" is in line %d already", p->csv.cell[0].text,
                      *line);
    *line = p->csv.line;
    return true;
}

/* map,NAME,TITLE */
static bool read_map_line(struct parser *p)
{
    struct register_map *map = &p->file->map;
    const struct csv_cell *name = &p->csv.cell[p->csv.cells > 1 ? 1 : 0];
    const struct csv_cell *title = &p->csv.cell[p->csv.cells > 2 ? 2 : 0];
    if (!check_once(p, &p->map_line) || !check_cells(p, 3))
        return false;
    if (p->csv.cells < 2 || !is_map_name(name->text))
        return refuse(
            p, name->column,
            "a map needs a name of up to %d letters, digits, '-', '_' and '.': map,My-Meter,Title",
            MAP_NAME_MAX);
    if (p->csv.cells < 3 || !is_set(title))
        title = name;
    if (strlen(title->text) > MAP_TITLE_MAX)
        return refuse(p, title->column, "the title is longer than %d bytes", MAP_TITLE_MAX);
    return keep_cell(p, name, &map->name) && keep_cell(p, title, &map->title);
}

/* alone,REGISTER,VALUE */
static bool read_alone_line(struct parser *p)
{
    int64_t address, value;
    const struct csv_cell *cell = p->csv.cell;
    if (!check_once(p, &p->alone_line) || !check_cells(p, 3))
        return false;
    if (p->csv.cells < 3 || !parse_whole(p, cell[1].text, &address) || address < 0 ||
        address >= MAP_FIRST_OWN_REGISTER || !parse_whole(p, cell[2].text, &value) || value < 1 ||
        value > UINT16_MAX)
        return refuse(p, cell[p->csv.cells > 1 ? 1 : 0].column,
                      "a register that reads otherwise alone is written alone,0x000B,1650");
    p->file->map.alone = (struct register_alone){(uint16_t)address, (uint16_t)value};
    return true;
}

static bool read_property(struct parser *p, size_t property)
{
    const struct map_property_words *words = &map_properties[property];
    const struct csv_cell *cell = &p->csv.cell[p->csv.cells > 1 ? 1 : 0];
    if (!check_once(p, &p->property_line[property]) || !check_cells(p, 2))
        return false;
    size_t value = find_word(words->values, 2, cell->text);
    p->property[property] = value == 1;
    return value < 2 || refuse(p, cell->column, "\"%.40s\": %s is %s or %s", cell->text,
                               words->name, words->values[0], words->values[1]);
}

static bool unknown_column(struct parser *p, const struct csv_cell *cell)
{
    struct nearest n = {0};
    for (int c = 0; c < COLUMNS; c++)
        nearest_try(&n, cell->text, columns[c].name);
    if (n.name)
        return refuse(p, cell->column, "no column is called \"%.40s\"; did you mean %s?",
                      cell->text, n.name);
    return refuse(p, cell->column,
                  "no column is called \"%.40s\"; there are register, quantity, type, scale, word "
                  "order, fixed value, form, function and title",
                  cell->text);
}

static enum column find_column(const char *name)
{
    enum column c = 0;
    while (c < COLUMNS && strcasecmp(columns[c].name, name) != 0)
        c++;
    return c;
}

static bool read_header(struct parser *p)
{
    for (int i = 0; i < p->csv.cells; i++) {
        const struct csv_cell *cell = &p->csv.cell[i];
        if (!is_set(cell))
            continue;
        enum column c = find_column(cell->text);
        if (c == COLUMNS)
            return unknown_column(p, cell);
        if (p->column[c] != NO_COLUMN)
            return refuse(p, cell->column, "column %s is there twice", columns[c].name);
        p->column[c] = i;
    }
    for (int c = 0; c < COLUMNS; c++)
        if (p->column[c] == NO_COLUMN && !columns[c].may_be_missing)
            return refuse(p, 1, "column %s is missing in this header line", columns[c].name);
    return p->map_line || refuse(p, 1, "before this line the map needs a name: map,My-Meter,Title");
}

static bool is_header(const struct parser *p)
{
    for (int i = 0; i < p->csv.cells; i++)
        if (find_column(p->csv.cell[i].text) == COLUMN_REGISTER)
            return true;
    return false;
}

/* A line before the rows; *is_done: it was the header. */
static bool read_head_line(struct parser *p, bool *is_done)
{
    const char *word = p->csv.cell[0].text;
    size_t property = 0;
    while (property < MAP_PROPERTIES && strcasecmp(map_properties[property].name, word) != 0)
        property++;
    *is_done = false;
    if (strcasecmp(word, "map") == 0) /* its title may be "Register" */
        return read_map_line(p);
    if (strcasecmp(word, "alone") == 0)
        return read_alone_line(p);
    if (property < MAP_PROPERTIES && !is_header(p)) /* a column is called "word order", too */
        return read_property(p, property);
    *is_done = true;
    return read_header(p);
}

/* --- files ------------------------------------------------------------------------------------ */

static bool read_lines(struct parser *p)
{
    enum csv_result result;
    bool in_rows = false;
    while ((result = csv_next(&p->csv)) == CSV_LINE)
        if (in_rows ? !read_row(p) : !read_head_line(p, &in_rows))
            return false;
    if (result == CSV_BAD)
        return refuse(p, p->csv.error_column, "%s", p->csv.error);
    if (!in_rows)
        return refuse_end(p, "a header line: register,quantity,type,scale,word order,fixed value");
    return p->space[SPACE_INPUT].rows || p->space[SPACE_HOLDING].rows ||
           refuse_end(p, "a row that shows something");
}

static void set_properties(struct register_map *map, const bool property[static MAP_PROPERTIES])
{
    map->word_order = property[MAP_WORD_ORDER] ? WORD_ORDER_SWAPPED : WORD_ORDER_NORMAL;
    map->writes_many = property[MAP_FUNCTION_16];
    map->marks_unknown = property[MAP_UNKNOWN];
    map->unknown_is_max = property[MAP_SIGNED_MARK];
}

bool map_file_parse(struct map_file *file, const char *name, const char *bytes, size_t length,
                    char error[static MAP_ERROR_MAX])
{
    struct parser p = {.file = file, .name = name, .error = error};
    memset(file, 0, sizeof *file);
    for (int c = 0; c < COLUMNS; c++)
        p.column[c] = NO_COLUMN;
    csv_begin(&p.csv, bytes, length);
    if (length > MAP_FILE_SIZE_MAX) {
        p.csv.line = 1;
        return refuse(&p, 1, "the file is larger than %d bytes", MAP_FILE_SIZE_MAX);
    }
    if (!read_lines(&p)) {
        file->map = (struct register_map){0};
        return false;
    }
    set_properties(&file->map, p.property);
    return true;
}

bool map_file_read(struct map_file *file, const char *path, char error[static MAP_ERROR_MAX])
{
    size_t capacity = MAP_FILE_SIZE_MAX + 1;
    FILE *f = fopen(path, "re");
    char *bytes = f ? heap_new(capacity) : NULL;
    size_t length = bytes ? fread(bytes, 1, capacity, f) : 0;
    bool ok = bytes && !ferror(f);
    if (!ok)
        snprintf(error, MAP_ERROR_MAX, "%.150s: %s", path, strerror(errno));
    if (f)
        fclose(f);
    ok = ok && map_file_parse(file, path, bytes, length, error);
    free(bytes);
    return ok;
}
