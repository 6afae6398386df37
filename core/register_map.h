/* register_map.h - a meter's Modbus registers as data.
 *
 * A map is const: tables of rows (register, what it shows, type, scale), one file each in maps/.  register_image.h
 * fills it from a reading; register_write.h takes what a master writes to its settings.
 */
#ifndef REGISTER_MAP_H
#define REGISTER_MAP_H

#include "reading.h"

enum register_type {
    REG_F32, /* IEEE 754 single, 2 registers */
    REG_U16, /* 1 register */
    REG_S16,
    REG_U32, /* 2 registers */
    REG_S32,
    REG_ACC32,     /* a U32 that counts, where 0 means unknown (SunSpec) */
    REG_U64,       /* 4 registers */
    REG_ASCII,     /* `length` registers, first character in the high byte */
    REG_ASCII_LOW, /* the same with the first character in the low byte (Phoenix Contact) */
    REG_TYPE_N
};

/* Order of the registers of a value.  "123.456" = 42F6 E979: normal writes 42F6 first, swapped E979. */
enum word_order { WORD_ORDER_NORMAL, WORD_ORDER_SWAPPED };

/* Where a row's value comes from. */
enum register_source {
    FROM_QUANTITY, /* .of: enum quantity; .factor: a whole factor beside the exponent, 0 = none */
    FROM_FIXED,    /* .number, at the row's exponent */
    FROM_TEXT,     /* .text; ASCII types */
    FROM_SERIAL,   /* the device's serial number: ASCII, or its last nine digits as a number */
    FROM_FIRMWARE, /* firmware version: major << 16 | minor << 8 | patch */
    FROM_SETTING, /* .of: enum register_setting; .codes: how the meter writes it, NULL = as it is */
    FROM_NOTHING  /* of the real meter, in no telegram: reads what unknown reads */
};

/* What of the emulated meter's settings means something here. */
enum register_setting {
    SETTING_ADDRESS, /* unit id, 1..247 */
    SETTING_BAUD,
    SETTING_BAUD_LOW, /* its two halves, where a meter has them apart; checked together at the reboot */
    SETTING_BAUD_HIGH,
    SETTING_PARITY,      /* 0 none (8N1), 1 even (8E1) */
    SETTING_TERMINATION, /* 0 off, 1 on */
    SETTING_WIRING, /* 1 one phase, 2 three phases, 3 three phases and neutral; 0: as the reading says */
    SETTING_REBOOT,    /* write 1: what was staged becomes active; reads 0 */
    SETTING_P1_STATUS, /* 0 silence, 1 valid telegrams, 2 damaged ones; not writable */
    SETTING_DATA_AGE, /* seconds since the last valid telegram, at most 65534; 65535: there was none; not writable */
    SETTING_ACCEPTED, /* has no meaning here: reads .number; any value is accepted, and forgotten */
    SETTING_N
};

/* How a meter writes a setting: pairs, up to one with CODE_END.  A small build has the low half of a value, which is
 * enough to know 115200 baud by. */
#ifdef CORE_SMALL
typedef uint16_t setting_value;
#else
typedef uint32_t setting_value;
#endif
struct setting_code {
    setting_value value;
    uint16_t code;
};
enum { CODE_END = 0xFFFF };

/* What is made of a quantity before it is shown. */
enum register_form {
    FORM_PLAIN,
    FORM_ABSOLUTE, /* without its sign */
    FORM_SIGN_OF_POWER /* with the sign of the same phase's power, of the total for what belongs to no phase */
};

/* Whose word order a row follows. */
enum row_order { ROW_ORDER_OF_MAP, ROW_ORDER_NORMAL, ROW_ORDER_SWAPPED };

struct register_row {
    uint16_t address; /* 0-based, as on the wire */
#ifdef CORE_SMALL
    uint8_t source : 4, type : 4;
    uint8_t of;
    int8_t exponent : 4;
    uint8_t form : 2, order : 2;
    uint8_t length; /* how many neighbouring quantities it shows in a row; 0 = one (ROWS_3() in maps/maps.h) */
    uint16_t number; /* of a setting: 1 = written by the map's codes */
#else
    uint8_t source;  /* enum register_source */
    uint8_t type;    /* enum register_type */
    uint8_t of;      /* enum quantity or enum register_setting */
    int8_t exponent; /* shown value = value in its unit * 10^exponent: 3 shows V as mV, -3 W as kW */
    uint8_t length;  /* registers of an ASCII row */
    uint8_t form : 4;  /* enum register_form */
    uint8_t order : 4; /* enum row_order */
    union {
        uint32_t number;
        int32_t factor;
        const char *text;
        const struct setting_code *codes;
    };
    const char *title; /* for lists and documents, where the quantity's name does not say it */
#endif
};
_Static_assert((int)Q_N <= 256 && (int)SETTING_N <= 256, "register_row.of has 8 bits");

/* Rows in ascending addresses, not overlapping. */
struct register_table {
    const struct register_row *rows;
    size_t count;
};

/* Input registers are read with function code 04, holding registers with 03. */
enum register_space { SPACE_INPUT, SPACE_HOLDING, REGISTER_SPACES };

/* A register that reads otherwise while it is the only one that is read. */
struct register_alone {
    uint16_t address, value; /* value 0: there is none */
};

struct register_map {
    const char *name; /* as MeterType spells it: "PhoenixContact-EMPro" */
    FULL_ONLY(const char *title;)
    struct register_table input;
    struct register_table holding; /* no rows: 03 and 04 read the same registers */
    struct register_alone alone;
    uint8_t word_order;  /* enum word_order: the real meter's */
    bool writes_many;    /* the real meter's settings are written with function code 16, too */
    bool marks_unknown;  /* the layout has a value for "not available": unknown is never 0 in it */
    bool unknown_is_max; /* ... and signed types mark with 7F.., not with 80.. */
    /* how it writes speed and line, NULL = as they are */
    SMALL_ONLY(const struct setting_code *baud_codes, *line_codes;)
};

/* How a row of this map writes its setting; NULL: as it is. */
const struct setting_code *register_row_codes(const struct register_map *map,
                                              const struct register_row *row);

/* Registers of a row's value. */
unsigned register_row_length(const struct register_row *row);

/* How many neighbouring quantities a row shows: more than one in a small build alone. */
unsigned register_row_repeats(const struct register_row *row);

/* Registers a row takes. */
unsigned register_row_span(const struct register_row *row);

/* True if a row's low word stands first, where its map's rows follow `order`. */
bool register_row_is_swapped(const struct register_row *row, enum word_order order);

/* The rows of one space of a map. */
struct register_table register_map_space(const struct register_map *map, enum register_space space);

/* The P1MB's own registers, 0xFE00..0xFE0F, which it has beside those of any map. */
extern const struct register_table register_vendor_block;

/* The map called `name`, in full ("PhoenixContact-EMPro") or by the part after the maker ("empro"), any case. */
bool register_map_is_called(const struct register_map *map, const char *name);

/* The first map of the table that is called so; NULL: none. */
const struct register_map *register_map_find(const char *name);

/* The i-th map; NULL past the last. */
const struct register_map *register_map_at(size_t i);

#endif
