#include "map_row.h"

#include <string.h>

const char *const map_row_types[REG_TYPE_N] = {
    [REG_F32] = "float32", [REG_U16] = "uint16",  [REG_S16] = "int16",
    [REG_U32] = "uint32",  [REG_S32] = "int32",   [REG_ACC32] = "acc32",
    [REG_U64] = "uint64",  [REG_ASCII] = "ascii", [REG_ASCII_LOW] = "ascii-low",
};

const char *const map_row_settings[SETTING_N] = {
    [SETTING_ADDRESS] = "address",     [SETTING_BAUD] = "baud",
    [SETTING_BAUD_LOW] = "baud_low",   [SETTING_BAUD_HIGH] = "baud_high",
    [SETTING_PARITY] = "parity",       [SETTING_TERMINATION] = "termination",
    [SETTING_WIRING] = "wiring",       [SETTING_REBOOT] = "reboot",
    [SETTING_P1_STATUS] = "p1_status", [SETTING_DATA_AGE] = "data_age",
    [SETTING_ACCEPTED] = "accepted",
};

const char *const map_row_forms[MAP_ROW_FORMS] = {
    [FORM_PLAIN] = "",
    [FORM_ABSOLUTE] = "absolute",
    [FORM_SIGN_OF_POWER] = "signed-by-power",
};

const char *const map_row_orders[MAP_ROW_ORDERS] = {
    [ROW_ORDER_OF_MAP] = "",
    [ROW_ORDER_NORMAL] = "normal",
    [ROW_ORDER_SWAPPED] = "swapped",
};

const char *const map_row_sources[MAP_ROW_SOURCES] = {
    [FROM_QUANTITY] = "",
    [FROM_FIXED] = "",
    [FROM_TEXT] = "",
    [FROM_SERIAL] = "serial",
    [FROM_FIRMWARE] = "firmware",
    [FROM_SETTING] = "",
    [FROM_NOTHING] = "unavailable",
};

const struct map_property_words map_properties[MAP_PROPERTIES] = {
    [MAP_WORD_ORDER] = {"word order", {"normal", "swapped"}},
    [MAP_FUNCTION_16] = {"function 16", {"off", "on"}},
    [MAP_UNKNOWN] = {"unknown", {"as set", "marked"}},
    [MAP_SIGNED_MARK] = {"signed mark", {"lowest", "highest"}},
};

bool map_row_is_text(const struct register_row *row)
{
    return row->type == REG_ASCII || row->type == REG_ASCII_LOW;
}

const char *map_row_name(const struct register_row *row)
{
    if (row->source == FROM_QUANTITY)
        return quantities[row->of].name;
    return row->source == FROM_SETTING ? map_row_settings[row->of] : map_row_sources[row->source];
}

struct decimal map_row_scale(const struct register_row *row)
{
    struct decimal factor = {1, 0};
    if (row->source != FROM_QUANTITY)
        return factor;
    if (row->factor != 0)
        factor.mantissa = row->factor;
    return decimal_make(factor.mantissa, factor.exponent + row->exponent);
}

struct decimal map_row_number(const struct register_row *row)
{
    switch (row->type) {
    case REG_U16:
        return decimal_make((uint16_t)row->number, 0);
    case REG_S16:
        return decimal_make((int16_t)row->number, 0);
    case REG_S32:
        return decimal_make((int32_t)row->number, 0);
    case REG_F32:
        return decimal_make((int32_t)row->number, row->exponent);
    default:
        return decimal_make(row->number, 0);
    }
}

bool map_row_is_accepted(const struct register_row *row)
{
    return row->source == FROM_SETTING && row->of == SETTING_ACCEPTED;
}

bool map_row_has_number(const struct register_row *row)
{
    return row->source == FROM_FIXED || map_row_is_accepted(row);
}

static bool has_codes(const struct register_row *row)
{
    return row->source == FROM_SETTING && !map_row_is_accepted(row) && row->codes;
}

void map_row_put_codes(struct text_out *out, const struct register_row *row)
{
    if (!has_codes(row))
        return;
    for (const struct setting_code *c = row->codes; c->code != CODE_END; c++) {
        if (c != row->codes)
            text_char(out, ' ');
        text_decimal(out, c->value, 0);
        text_char(out, '=');
        text_decimal(out, c->code, 0);
    }
}

/* --- comparing -------------------------------------------------------------------------------- */

static bool same_decimal(struct decimal a, struct decimal b)
{
    return a.mantissa == b.mantissa && a.exponent == b.exponent;
}

/* A missing text is as good as an empty one. */
static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_codes(const struct register_row *a, const struct register_row *b)
{
    if (!has_codes(a) || !has_codes(b))
        return has_codes(a) == has_codes(b);
    const struct setting_code *x = a->codes, *y = b->codes;
    while (x->code != CODE_END && x->code == y->code && x->value == y->value) {
        x++;
        y++;
    }
    return x->code == CODE_END && y->code == CODE_END;
}

static bool uses_of(const struct register_row *row)
{
    return row->source == FROM_QUANTITY || row->source == FROM_SETTING;
}

bool map_row_is_equal(const struct register_row *a, const struct register_row *b)
{
    return a->address == b->address && a->source == b->source && a->type == b->type &&
           (!uses_of(a) || a->of == b->of) && a->form == b->form && a->order == b->order &&
           register_row_length(a) == register_row_length(b) &&
           same_decimal(map_row_scale(a), map_row_scale(b)) &&
           (!map_row_has_number(a) || same_decimal(map_row_number(a), map_row_number(b))) &&
           (a->source != FROM_TEXT || same_text(a->text, b->text)) && same_codes(a, b) &&
           same_text(a->title, b->title);
}

/* --- walking ---------------------------------------------------------------------------------- */

struct map_walk map_walk_begin(const struct register_map *map)
{
    return (struct map_walk){.space = {
                                 [SPACE_INPUT] = register_map_space(map, SPACE_INPUT),
                                 [SPACE_HOLDING] = register_map_space(map, SPACE_HOLDING),
                             }};
}

static void step(struct register_table *table)
{
    table->rows++;
    table->count--;
}

bool map_walk_next(struct map_walk *walk, struct map_walk_row *next)
{
    struct register_table *input = &walk->space[SPACE_INPUT],
                          *holding = &walk->space[SPACE_HOLDING];
    if (!input->count && !holding->count)
        return false;
    bool both = input->count && holding->count && map_row_is_equal(input->rows, holding->rows);
    bool from_input =
        input->count && (!holding->count || input->rows->address <= holding->rows->address);
    next->in[SPACE_INPUT] = both || from_input;
    next->in[SPACE_HOLDING] = both || !from_input;
    next->row = from_input ? input->rows : holding->rows;
    if (next->in[SPACE_INPUT])
        step(input);
    if (next->in[SPACE_HOLDING])
        step(holding);
    return true;
}
