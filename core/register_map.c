#include "register_map.h"

#include "maps/maps.h"

unsigned register_row_length(const struct register_row *row)
{
    static const uint8_t lengths[REG_TYPE_N] = {
        [REG_F32] = 2, [REG_U16] = 1,   [REG_S16] = 1, [REG_U32] = 2,
        [REG_S32] = 2, [REG_ACC32] = 2, [REG_U64] = 4,
    };
    return lengths[row->type] ? lengths[row->type] : row->length;
}

unsigned register_row_repeats(const struct register_row *row)
{
    return CORE_IS_SMALL && row->length && row->source == FROM_QUANTITY ? row->length : 1;
}

unsigned register_row_span(const struct register_row *row)
{
    return register_row_length(row) * register_row_repeats(row);
}

const struct setting_code *register_row_codes(const struct register_map *map,
                                              const struct register_row *row)
{
#ifdef CORE_SMALL
    if (row->number == 0)
        return NULL;
    return row->of == SETTING_BAUD ? map->baud_codes : map->line_codes;
#else
    (void)map;
    return row->codes;
#endif
}

bool register_row_is_swapped(const struct register_row *row, enum word_order order)
{
    return row->order == ROW_ORDER_OF_MAP ? order == WORD_ORDER_SWAPPED
                                          : row->order == ROW_ORDER_SWAPPED;
}

struct register_table register_map_space(const struct register_map *map, enum register_space space)
{
    return space == SPACE_HOLDING && map->holding.count ? map->holding : map->input;
}

static const struct register_row vendor_rows[] = {
    ROW_FIXED(0xFE00, REG_U16, 0x5343, "\"SC\": this block is there"),
    ROW_SETTING(0xFE01, REG_U16, SETTING_ADDRESS, NULL, "address, 1 to 247"),
    ROW_SETTING(0xFE02, REG_U16, SETTING_BAUD_LOW, NULL, "baud rate, low 16 bits"),
    ROW_SETTING(0xFE03, REG_U16, SETTING_BAUD_HIGH, NULL, "baud rate, high 16 bits"),
    ROW_SETTING(0xFE04, REG_U16, SETTING_PARITY, NULL, "line: 0 = 8N1, 1 = 8E1"),
    ROW_SETTING(0xFE05, REG_U16, SETTING_TERMINATION, NULL, "termination: 0 off, 1 on"),
    ROW_SETTING(0xFE06, REG_U16, SETTING_P1_STATUS, NULL,
                "meter: 0 silent, 1 good telegrams, 2 damaged ones"),
    ROW_SETTING(0xFE07, REG_U16, SETTING_DATA_AGE, NULL,
                "age of the values in seconds; 65535: there are none"),
    {.address = 0xFE08,
     .source = FROM_FIRMWARE,
     .type = REG_U32,
     .order = ROW_ORDER_NORMAL, /* in every map */
     ROW_TITLE("firmware version, high word first: major << 16 | minor << 8 | patch")},
    ROW_SETTING(0xFE0F, REG_U16, SETTING_REBOOT, NULL, "write 1: what was written becomes active"),
};
const struct register_table register_vendor_block = TABLE(vendor_rows);

/* The table of maps: a row each. */
static const struct register_map *const maps[] = {
#define MAP_POINTER(id) &map_##id,
    MAP_TABLE(MAP_POINTER)
#undef MAP_POINTER
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

bool register_map_is_called(const struct register_map *map, const char *name)
{
    return same_ignoring_case(name, map->name) || same_ignoring_case(name, model_of(map->name));
}

const struct register_map *register_map_find(const char *name)
{
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++)
        if (register_map_is_called(maps[i], name))
            return maps[i];
    return NULL;
}
