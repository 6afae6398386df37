#include "register_write.h"

enum { BAUD_MAX = 115200 };

const uint32_t register_bauds[REGISTER_BAUDS] = {1200,  2400,  4800,  9600,
                                                 19200, 38400, 57600, BAUD_MAX};

bool register_baud_is_known(uint32_t baud)
{
    for (size_t i = 0; i < REGISTER_BAUDS; i++)
        if (register_bauds[i] == baud)
            return true;
    return false;
}

/* What a setting may be; max 0: it cannot be set. */
enum { ANYTHING = UINT8_MAX };
static const struct {
    uint8_t min, max;
} limits[SETTING_N] = {
    [SETTING_ADDRESS] = {1, 247},       [SETTING_BAUD] = {0, ANYTHING}, /* that is a speed */
    [SETTING_BAUD_LOW] = {0, ANYTHING}, [SETTING_BAUD_HIGH] = {0, 1},   [SETTING_PARITY] = {0, 1},
    [SETTING_TERMINATION] = {0, 1},     [SETTING_WIRING] = {1, 3},      [SETTING_REBOOT] = {1, 1},
    [SETTING_ACCEPTED] = {0, ANYTHING},
};

/* The whole and its halves say the same; halves that make no speed yet leave the whole as it was. */
static void join_baud(struct register_device *device)
{
    uint32_t joined = device->setting[SETTING_BAUD_HIGH] << 16 | device->setting[SETTING_BAUD_LOW];
    if (register_baud_is_known(joined))
        device->setting[SETTING_BAUD] = joined;
}

static void split_baud(struct register_device *device)
{
    device->setting[SETTING_BAUD_LOW] = device->setting[SETTING_BAUD] & 0xFFFF;
    device->setting[SETTING_BAUD_HIGH] = device->setting[SETTING_BAUD] >> 16;
}

static bool halves_fit(const struct register_device *device)
{
    return device->setting[SETTING_BAUD] ==
           (device->setting[SETTING_BAUD_HIGH] << 16 | device->setting[SETTING_BAUD_LOW]);
}

bool register_device_set(struct register_device *device, enum register_setting setting,
                         uint32_t value)
{
    bool in_range = value >= limits[setting].min &&
                    (limits[setting].max == ANYTHING || value <= limits[setting].max);
    if (!in_range || (setting == SETTING_BAUD_LOW && value > UINT16_MAX) ||
        (setting == SETTING_BAUD && !register_baud_is_known(value)) ||
        (setting == SETTING_REBOOT && !halves_fit(device)))
        return false;
    device->setting[setting] = value;
    if (setting == SETTING_BAUD)
        split_baud(device);
    if (setting == SETTING_BAUD_LOW || setting == SETTING_BAUD_HIGH)
        join_baud(device);
    return true;
}

static const struct register_row *find_row(struct register_table table, uint32_t address)
{
    for (size_t i = 0; i < table.count; i++)
        if (table.rows[i].address == address)
            return &table.rows[i];
    return NULL;
}

/* The setting at an address; NULL: there is none that can be written. */
static const struct register_row *find_setting(const struct register_image *image, uint32_t address)
{
    const struct register_row *row =
        find_row(register_map_space(image->map, SPACE_HOLDING), address);
    if (!row && image->vendor)
        row = find_row(register_vendor_block, address);
    return row && row->source == FROM_SETTING && limits[row->of].max ? row : NULL;
}

static uint32_t get_number(const uint8_t *bytes, unsigned count, bool swapped)
{
    uint32_t number = 0;
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *word = bytes + 2 * (size_t)(swapped ? count - 1 - i : i);
        number = number << 16 | (uint32_t)word[0] << 8 | word[1];
    }
    return number;
}

/* The whole number that a float's bits are, without a library: settings are small.  False: it is none. */
static bool whole_number(uint32_t bits, uint32_t *number)
{
    uint32_t mantissa = (bits & 0x7FFFFF) | 0x800000;
    int shift = 23 - ((int)(bits >> 23 & 0xFF) - 127);
    *number = 0;
    if (bits == 0 || bits == 0x80000000)
        return true;
    if (bits >> 31 || shift < 0 || shift > 23 || (mantissa & ((UINT32_C(1) << shift) - 1)) != 0)
        return false;
    *number = mantissa >> shift;
    return true;
}

static bool decode(const struct register_map *map, const struct register_row *row, uint32_t *number)
{
    if (row->type == REG_F32 && row->of != SETTING_ACCEPTED && !whole_number(*number, number))
        return false;
    const struct setting_code *c =
        row->of == SETTING_ACCEPTED ? NULL : register_row_codes(map, row);
    if (!c)
        return true;
    for (; c->code != CODE_END; c++)
        if (c->code == *number) {
            *number = c->value == (setting_value)BAUD_MAX ? BAUD_MAX : c->value;
            return true;
        }
    return false;
}

enum register_write_result register_write(const struct register_image *image, enum word_order order,
                                          uint32_t address, uint32_t count, const uint8_t *values,
                                          struct register_device *device)
{
    struct register_device staged = *device;
    for (uint32_t used = 0; used < count;) {
        const struct register_row *row = find_setting(image, address + used);
        unsigned length = row ? register_row_length(row) : 0;
        if (!row || length > count - used)
            return WRITE_NO_SETTING;
        uint32_t number =
            get_number(values + 2 * (size_t)used, length, register_row_is_swapped(row, order));
        if (!decode(image->map, row, &number) ||
            !register_device_set(&staged, (enum register_setting)row->of, number))
            return WRITE_BAD_VALUE;
        used += length;
    }
    *device = staged;
    return WRITE_TAKEN;
}
