#include "field.h"

#include "core/register_write.h"

#include <stdio.h>
#include <string.h>

enum { ADDRESSES = 247 };

static unsigned count_bauds(const struct facts *facts)
{
    (void)facts;
    return REGISTER_BAUDS;
}

static unsigned get_baud(const struct p1mb_setup *setup)
{
    unsigned i = 0;
    while (i + 1 < REGISTER_BAUDS && register_bauds[i] != setup->bus.baud)
        i++;
    return i;
}

static void set_baud(struct p1mb_setup *setup, unsigned value)
{
    setup->bus.baud = register_bauds[value];
}

static void name_baud(unsigned value, const struct facts *facts, char out[static FIELD_NAME_MAX])
{
    (void)facts;
    snprintf(out, FIELD_NAME_MAX, "%u", (unsigned)register_bauds[value]);
}

static unsigned count_two(const struct facts *facts)
{
    (void)facts;
    return 2;
}

static unsigned get_line(const struct p1mb_setup *setup)
{
    return setup->bus.even_parity;
}

static void set_line(struct p1mb_setup *setup, unsigned value)
{
    setup->bus.even_parity = value;
}

static void name_line(unsigned value, const struct facts *facts, char out[static FIELD_NAME_MAX])
{
    (void)facts;
    snprintf(out, FIELD_NAME_MAX, "%s", value ? "8E1" : "8N1");
}

static unsigned count_addresses(const struct facts *facts)
{
    (void)facts;
    return ADDRESSES;
}

static unsigned get_address(const struct p1mb_setup *setup)
{
    return setup->bus.address - 1u;
}

static void set_address(struct p1mb_setup *setup, unsigned value)
{
    setup->bus.address = (uint8_t)(value + 1);
}

static void name_address(unsigned value, const struct facts *facts, char out[static FIELD_NAME_MAX])
{
    (void)facts;
    snprintf(out, FIELD_NAME_MAX, "%u", value + 1);
}

static unsigned get_termination(const struct p1mb_setup *setup)
{
    return setup->bus.termination;
}

static void set_termination(struct p1mb_setup *setup, unsigned value)
{
    setup->bus.termination = value;
}

static void name_termination(unsigned value, const struct facts *facts,
                             char out[static FIELD_NAME_MAX])
{
    (void)facts;
    snprintf(out, FIELD_NAME_MAX, "%s", value ? "on" : "off");
}

static unsigned count_maps(const struct facts *facts)
{
    return facts ? facts->maps : 0;
}

static unsigned get_map(const struct p1mb_setup *setup)
{
    return setup->map;
}

static void set_map(struct p1mb_setup *setup, unsigned value)
{
    setup->map = (uint8_t)value;
}

static void name_map(unsigned value, const struct facts *facts, char out[static FIELD_NAME_MAX])
{
    snprintf(out, FIELD_NAME_MAX, "%s", facts_text(facts, FACTS_MAP + value));
}

/* clang-format off */
const struct field fields[FIELDS] = {
    {"baud", "Modbus baud rate", "1200, 2400, 4800, 9600, 19200, 38400, 57600 or 115200", FIELD_NUMBER,
     count_bauds, get_baud, set_baud, name_baud},
    {"line", "Modbus line settings", "8N1 or 8E1", FIELD_TEXT,
     count_two, get_line, set_line, name_line},
    {"address", "Modbus device address", "1 to 247", FIELD_NUMBER,
     count_addresses, get_address, set_address, name_address},
    {"termination", "Modbus termination", "on or off", FIELD_SWITCH,
     count_two, get_termination, set_termination, name_termination},
    {"map", "Modbus register map", "a map the device has; the part after the maker is enough", FIELD_TEXT,
     count_maps, get_map, set_map, name_map},
};
/* clang-format on */

int field_find(const struct field *field, const struct facts *facts, const char *name)
{
    for (unsigned i = 0; i < field->count(facts); i++) {
        char text[FIELD_NAME_MAX];
        const struct register_map map = {.name = text}; /* other values have no maker to leave out */
        field->name(i, facts, text);
        if (register_map_is_called(&map, name))
            return (int)i;
    }
    return -1;
}

void field_show(const struct field *field, const struct facts *facts,
                const struct p1mb_setup *setup, char out[static FIELD_NAME_MAX])
{
    field->name(field->get(setup), facts, out);
}
