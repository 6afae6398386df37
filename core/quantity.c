#include "quantity.h"

#include "small.h"

#define QUANTITY_ROW(id, key, of_unit, digits, of_kind) \
    [Q_##id] = {.name = (key), .unit = (of_unit), .kind = (of_kind)},
const struct quantity_info quantities[Q_N] = {QUANTITY_TABLE(QUANTITY_ROW)};
#undef QUANTITY_ROW

#define QUANTITY_DECIMALS(id, key, of_unit, digits, of_kind) [Q_##id] = (digits),
const uint8_t quantity_decimals[] = {QUANTITY_TABLE_P1(QUANTITY_DECIMALS)
                                         FULL_ONLY(QUANTITY_TABLE_TIC(QUANTITY_DECIMALS))};
#undef QUANTITY_DECIMALS

const char *quantity_unit_name(enum quantity_unit unit)
{
    static const char *const names[UNIT_N] = {
        [UNIT_NONE] = "", [UNIT_COUNT] = "",    [UNIT_W] = "W",     [UNIT_VAR] = "var",
        [UNIT_VA] = "VA", [UNIT_V] = "V",       [UNIT_A] = "A",     [UNIT_HZ] = "Hz",
        [UNIT_WH] = "Wh", [UNIT_VARH] = "varh", [UNIT_KVA] = "kVA",
    };
    return names[unit];
}
