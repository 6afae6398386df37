/* cmd_registers.c - `smart-connect registers`: a register map as a table, with a telegram's values. */
#include "choices.h"
#include "commands.h"
#include "core/register_map.h"
#include "core/text_out.h"
#include "decoder.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static struct reading last_reading;

static void keep_reading(struct decoder *d, const struct reading *r, const uint8_t *telegram,
                         size_t length)
{
    (void)d;
    (void)telegram;
    (void)length;
    last_reading = *r;
}

static const char *const type_names[REG_TYPE_N] = {
    [REG_F32] = "float32", [REG_U16] = "uint16", [REG_S16] = "int16",   [REG_U32] = "uint32",
    [REG_S32] = "int32",   [REG_U64] = "uint64", [REG_ASCII] = "ascii", [REG_ASCII_LOW] = "ascii",
};

static const char *title_of(const struct register_row *row)
{
    return row->source == FROM_QUANTITY ? quantities[row->quantity].name : row->title;
}

static void format_row_value(const struct register_row *row, char *text, size_t cap)
{
    struct text_out out;
    text_init(&out, text, cap);
    if (row->source == FROM_FIXED && row->text)
        text_put(&out, row->text);
    else if (row->source == FROM_FIXED)
        text_decimal(&out, row->fixed, 0);
    else if (row->source == FROM_QUANTITY &&
             reading_has(&last_reading, (enum quantity)row->quantity))
        text_decimal(&out, last_reading.value[row->quantity], quantities[row->quantity].decimals);
    else
        text_char(&out, '-');
}

static void print_map(const struct register_map *map)
{
    printf("%s: %s\n32-bit values: %s word first. Function codes 03 and 04. Registers not listed "
           "read 0.\n\n",
           map->name, map->title, map->word_order == WORD_ORDER_SWAPPED ? "low" : "high");
    printf("%-7s %-6s %-4s %-8s %-5s %-30s %s\n", "hex", "dec", "regs", "type", "unit", "shows",
           "value");
    for (size_t i = 0; i < map->row_count; i++) {
        const struct register_row *row = &map->rows[i];
        const char *unit =
            row->source == FROM_QUANTITY ? quantity_unit_name(quantities[row->quantity].unit) : "";
        char value[64];
        format_row_value(row, value, sizeof value);
        printf("0x%04X  %-6u %-4u %-8s %-5s %-30s %s\n", row->address, row->address,
               register_row_length(row), type_names[row->type], unit, title_of(row), value);
    }
}

static void print_registers_help(void)
{
    printf("usage: smart-connect registers [--map NAME] [FILE|-]\n\n"
           "Prints a register map; with a file, the values of its last valid telegram.  Maps:\n");
    const struct register_map *map;
    for (size_t i = 0; (map = register_map_at(i)) != NULL; i++)
        printf("  %-22s %s\n", map->name, map->title);
}

static int unknown_map(const char *name)
{
    char choices[CHOICES_MAX];
    choices_of_maps(choices);
    return command_usage_error("registers", "--map \"%.40s\" is no register map; there are%s", name,
                               choices);
}

int command_registers(int argc, char **argv)
{
    static const struct option flags[] = {
        {"map", required_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'}, {0}};
    static struct decoder d;
    const struct register_map *map = register_map_at(0);
    int flag;
    opterr = 0;
    while ((flag = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
        if (flag == 'h') {
            print_registers_help();
            return EXIT_GOOD;
        }
        if (flag != 'm')
            return command_option_error("registers", flag, argv);
        map = register_map_find(optarg);
        if (!map)
            return unknown_map(optarg);
    }
    if (optind + 1 < argc)
        return command_usage_error("registers", "one file at a time, not also \"%.60s\"",
                                   argv[optind + 1]);
    reading_clear(&last_reading);
    decoder_init(&d, keep_reading);
    if (optind < argc && !decoder_read(&d, argv[optind]))
        return command_usage_error("registers", "%s: %s", argv[optind], strerror(errno));
    print_map(map);
    if (optind < argc && d.valid == 0) {
        fflush(stdout);
        decoder_report(&d);
        return EXIT_NOTHING_VALID;
    }
    return EXIT_GOOD;
}
