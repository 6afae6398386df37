/* cmd_registers.c - `smart-connect registers`: a register map, with what it reads of a telegram. */
#include "choices.h"
#include "commands.h"
#include "decoder.h"
#include "map_list.h"
#include "map_print.h"

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

static void print_registers_help(void)
{
    printf(
        "usage: smart-connect registers [OPTION...] [FILE|-]\n\n"
        "Prints a register map; with a file, what registers read after its last valid telegram.\n\n"
        "  --map NAME                   the map, one of those below; the last --map-file, if there "
        "is one\n"
        "  --map-file PATH              adds a map of your own; may be given several times\n"
        "  --format table | csv         csv is what --map-file reads: a start for a map of your "
        "own [table]\n"
        "  --vendor                     with the registers that every map has of the gateway "
        "itself\n\n"
        "Maps:\n");
    const struct register_map *map;
    for (size_t i = 0; (map = map_list_at(i)) != NULL; i++)
        printf("  %-22s %s\n", map->name, map->title);
}

static int unknown_map(const char *name)
{
    char choices[CHOICES_MAX];
    choices_of_maps(choices);
    return command_usage_error("registers", "--map \"%.40s\" is no register map; there are%s", name,
                               choices);
}

/* What the flags ask for. */
struct request {
    const char *map_name;           /* NULL: none was named */
    const struct register_map *map; /* then this one: of the last map file, or the first of all */
    bool csv, vendor, help;
};

static int read_format(struct request *request, const char *format)
{
    request->csv = strcmp(format, "csv") == 0;
    if (request->csv || strcmp(format, "table") == 0)
        return EXIT_GOOD;
    return command_usage_error("registers", "--format \"%.40s\" is none of table csv", format);
}

static int add_file(struct request *request, const char *path)
{
    char error[MAP_ERROR_MAX];
    if (!map_list_add_file(path, error))
        return command_usage_error("registers", "--map-file %s", error);
    for (size_t i = 0; map_list_at(i); i++)
        request->map = map_list_at(i);
    return EXIT_GOOD;
}

static int read_flag(struct request *request, int flag)
{
    if (flag == 'f')
        return read_format(request, optarg);
    if (flag == 'p')
        return add_file(request, optarg);
    if (flag == 'm')
        request->map_name = optarg;
    request->vendor = request->vendor || flag == 'v';
    request->help = request->help || flag == 'h';
    return EXIT_GOOD;
}

static int read_flags(int argc, char **argv, struct request *request)
{
    static const struct option flags[] = {
        {"map", required_argument, NULL, 'm'},    {"map-file", required_argument, NULL, 'p'},
        {"format", required_argument, NULL, 'f'}, {"vendor", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {0}};
    int flag, result = EXIT_GOOD;
    opterr = 0;
    while (result == EXIT_GOOD && (flag = getopt_long(argc, argv, ":", flags, NULL)) != -1)
        result = flag == '?' || flag == ':' ? command_option_error("registers", flag, argv)
                                            : read_flag(request, flag);
    if (result == EXIT_GOOD && request->csv && request->vendor)
        result = command_usage_error("registers", "--vendor: those registers are in no map file");
    if (result == EXIT_GOOD && optind + 1 < argc)
        result = command_usage_error("registers", "one file at a time, not also \"%.60s\"",
                                     argv[optind + 1]);
    return result;
}

int command_registers(int argc, char **argv)
{
    static struct decoder d;
    struct request request = {.map = map_list_at(0)};
    int result = read_flags(argc, argv, &request);
    if (result != EXIT_GOOD)
        return result;
    if (request.help) {
        print_registers_help();
        return EXIT_GOOD;
    }
    const struct register_map *map =
        request.map_name ? map_list_find(request.map_name) : request.map;
    if (!map)
        return unknown_map(request.map_name);
    reading_clear(&last_reading);
    decoder_init(&d, keep_reading);
    if (optind < argc && !decoder_read(&d, argv[optind]))
        return command_usage_error("registers", "%s: %s", argv[optind], strerror(errno));
    if (request.csv)
        map_print_csv(stdout, map);
    else
        map_print_table(stdout, map, request.vendor, &last_reading);
    if (optind < argc && d.valid == 0) {
        fflush(stdout);
        decoder_report(&d);
        return EXIT_NOTHING_VALID;
    }
    return EXIT_GOOD;
}
