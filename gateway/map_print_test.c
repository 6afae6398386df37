#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csv.h"
#include "map_file.h"
#include "map_print.h"
#include "map_row.h"

#include <stdlib.h>
#include <string.h>

static struct map_file file;
static char error[MAP_ERROR_MAX];

/* What a map prints; the caller frees it. */
static char *csv_of(const struct register_map *map)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    map_print_csv(f, map);
    fclose(f);
    return text;
}

static char *table_of(const struct register_map *map, bool vendor, const struct reading *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    map_print_table(f, map, vendor, r);
    fclose(f);
    return text;
}

static const struct register_map *load(const char *text)
{
    if (!map_file_parse(&file, "m.csv", text, strlen(text), error))
        fail_msg("%s", error);
    return &file.map;
}

static void assert_same_rows(struct register_table a, struct register_table b)
{
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++)
        assert_true(map_row_is_equal(&a.rows[i], &b.rows[i]));
}

/* A different value for each quantity, some of them negative. */
static void fill(struct reading *r)
{
    reading_clear(r);
    for (int q = 0; q < Q_N; q++)
        reading_set(r, (enum quantity)q, (q % 3 == 1 ? -1 : 1) * (1234567 + 7919 * (int64_t)q));
}

static void render(struct register_image *image, const struct register_map *map,
                   const struct reading *r, enum word_order order)
{
    struct register_device device = {.serial = "0011AABBCCDD", .firmware = 0x010203};
    for (enum register_setting s = 0; s < SETTING_N; s++)
        device.setting[s] = s == SETTING_BAUD ? 9600 : 1;
    assert_true(register_image_init(image, map, false));
    register_image_render(image, r, &device,
                          &(struct register_style){.order = order, .unknown = UNKNOWN_NAN});
}

static void assert_same_registers(const struct register_map *a, const struct register_map *b,
                                  const struct reading *r)
{
    for (enum word_order order = WORD_ORDER_NORMAL; order <= WORD_ORDER_SWAPPED; order++) {
        struct register_image one, other;
        render(&one, a, r, order);
        render(&other, b, r, order);
        for (enum register_space s = SPACE_INPUT; s < REGISTER_SPACES; s++)
            for (uint32_t address = 0; address < 65536; address += 64) {
                uint8_t x[128], y[128];
                register_image_read(&one, s, address, 64, x);
                register_image_read(&other, s, address, 64, y);
                assert_memory_equal(x, y, sizeof x);
            }
    }
}

static void assert_comes_back(const struct register_map *map)
{
    struct reading full, empty;
    char *text = csv_of(map);
    const struct register_map *again = load(text);
    assert_string_equal(again->name, map->name);
    assert_string_equal(again->title, map->title);
    assert_int_equal(again->word_order, map->word_order);
    assert_int_equal(again->alone.address, map->alone.address);
    assert_int_equal(again->alone.value, map->alone.value);
    assert_int_equal(again->writes_many, map->writes_many);
    assert_int_equal(again->marks_unknown, map->marks_unknown);
    assert_int_equal(again->unknown_is_max, map->unknown_is_max);
    for (enum register_space s = SPACE_INPUT; s < REGISTER_SPACES; s++)
        assert_same_rows(register_map_space(again, s), register_map_space(map, s));
    fill(&full);
    reading_clear(&empty);
    assert_same_registers(map, again, &full);
    assert_same_registers(map, again, &empty);
    free(text);
}

static void every_map_of_the_core_comes_back_from_its_csv(void **unused)
{
    (void)unused;
    const struct register_map *map;
    for (size_t i = 0; (map = register_map_at(i)) != NULL; i++)
        assert_comes_back(map);
}

/* All a map can have. */
#define EVERYTHING \
    "map,My-Map,\"A, \"\"B\"\"\"\nword order,swapped\nfunction 16,on\nunknown,marked\n" \
    "signed mark,highest\nalone,0x0008,1650\n" \
    "register,quantity,type,scale,word order,fixed value,form,function,title\n" \
    "0x0001,serial,ascii-low:6,,,,,,serial number\n" \
    "0x0007,firmware,uint32,,normal,,,,\n" \
    "0x0009,,ascii:2,,,\" , \",,,\n" \
    "0x000B,,float32,,,-2.18,,,version\n" \
    "0x000D,,int16,,,-5,,,\n" \
    "0x0010,power_w,int32,0.001,,,,4,\"kW; \xC3\xA4\"\n" \
    "0x0010,address,uint16,,,,,3,\n" \
    "0x0011,baud,uint16,,,9600=2 115200=10,,3,\n" \
    "0x0012,voltage_l1_v,uint16,10,,,,4,\n" \
    "0x0012,accepted,uint16,,,7,,3,\n" \
    "0x0013,current_l1_a,int32,1000,,,signed-by-power,4,\n" \
    "0x0015,power_w,int16,1.13,,,absolute,4,\n" \
    "0x0016,contract_power_kva,float32,0.1,,,,4,\n" \
    "0x0018,energy_import_wh,uint32,0.1,,,,4,\n" \
    "0x001A,power_factor,int16,1000,,,,4,\n" \
    "0x0020,unavailable,uint64,,,,,,frequency\n"

static void what_was_written_so_is_printed_so(void **unused)
{
    (void)unused;
    char *text = csv_of(load(EVERYTHING));
    assert_string_equal(text, EVERYTHING);
    free(text);
}

/* With the most codes there can be, the longest names, and a title of quotes, each of which is written as two. */
static void the_longest_line_comes_back(void **unused)
{
    (void)unused;
    char quotes[2 * MAP_TITLE_MAX + 1], map[2 * CSV_LINE_MAX];
    memset(quotes, '"', sizeof quotes - 1);
    quotes[sizeof quotes - 1] = 0;
    int n =
        snprintf(map, sizeof map,
                 "map,M,T\nword order,normal\nfunction 16,off\nunknown,as set\nsigned mark,lowest\n"
                 "register,quantity,type,scale,word order,fixed value,form,function,title\n"
                 "0xFDFE,termination,float32,,swapped,0=10000");
    for (int code = 10001; code <= 10063; code++)
        n += snprintf(map + n, sizeof map - (size_t)n, " 0=%d", code);
    snprintf(map + n, sizeof map - (size_t)n, ",,3,\"%s\"\n", quotes);
    char *text = csv_of(load(map));
    assert_string_equal(text, map);
    free(text);
}

static void a_map_without_rows_for_04_comes_back(void **unused)
{
    (void)unused;
    static const char text[] =
        "map,M,T\nword order,normal\nfunction 16,off\nunknown,as set\nsigned mark,lowest\n"
        "register,quantity,type,scale,word order,fixed value,form,function,title\n"
        "0x0005,power_w,int32,,,,,3,\n";
    char *again = csv_of(load(text));
    assert_string_equal(again, text);
    free(again);
}

static void scales_are_printed_short(void **unused)
{
    (void)unused;
    static const struct register_row rows[] = {
        {.source = FROM_QUANTITY, .type = REG_S32, .of = Q_POWER, .exponent = -1, .factor = 113},
        {.address = 2, .source = FROM_FIXED, .type = REG_S16, .number = 0xFFFF}};
    const struct register_map map = {.name = "M", .title = "T", .input = {rows, 2}};
    char *text = csv_of(&map);
    assert_non_null(strstr(text, "0x0000,power_w,int32,11.3,,,,,\n"));
    assert_non_null(strstr(text, "0x0002,,int16,,,-1,,,\n"));
    assert_same_rows(load(text)->input, map.input);
    free(text);
}

/* Demands a line of the table, blanks between the cells left out. */
static void assert_line(const char *table, const char *wanted)
{
    size_t n = strlen(table) + 1;
    char *squeezed = malloc(n), *out = squeezed;
    assert_non_null(squeezed);
    for (const char *p = table; *p; p++)
        if (p[0] != ' ' || p[1] != ' ')
            *out++ = *p;
    *out = 0;
    if (!strstr(squeezed, wanted))
        fail_msg("no line \"%s\" in\n%s", wanted, squeezed);
    free(squeezed);
}

static void the_table_shows_what_a_master_reads(void **unused)
{
    (void)unused;
    struct reading r;
    reading_clear(&r);
    reading_set(&r, Q_POWER, -1500);
    reading_set(&r, Q_POWER_L1, -500);
    reading_set(&r, Q_VOLTAGE_L1, 231260);
    reading_set(&r, Q_CURRENT_L1, 2175);
    reading_set(&r, Q_CONTRACT_POWER, 9);
    reading_set(&r, Q_ENERGY_IMPORT, 12345678);
    reading_set(&r, Q_POWER_FACTOR, 998);
    char *table = table_of(load(EVERYTHING), false, &r);
    static const char *const lines[] = {
        "My-Map: A, \"B\"\n",
        "Values of several registers: low word first. Function codes 03 and 04 read registers of "
        "their "
        "own. Registers not listed read 0. Unknown values are marked, never 0. 0x0008 reads 1650 "
        "where it is all that is read.\n",
        "Can be written: 0x0010 0x0011 0x0012. Function codes 06 and 16.\n",
        "\nhex dec regs fc type unit shows value\n",
        "\n0x0001 1 6 03+04 ascii-low serial number -\n",
        "\n0x0007 7 2 03+04 uint32 normal firmware -\n",
        "\n0x0009 9 2 03+04 ascii , \n",
        "\n0x000B 11 2 03+04 float32 version -2.18\n",
        "\n0x000D 13 1 03+04 int16 -5\n",
        "\n0x0010 16 1 03 uint16 address -\n",
        "\n0x0010 16 2 04 int32 kW power_w: kW; \xC3\xA4 -2\n",
        "\n0x0011 17 1 03 uint16 baud 9600=2 115200=10\n",
        "\n0x0012 18 1 03 uint16 accepted 7\n",
        "\n0x0012 18 1 04 uint16 0.1 V voltage_l1_v 2313\n",
        "\n0x0013 19 2 04 int32 mA current_l1_a, signed-by-power -2175\n",
        "\n0x0015 21 1 04 int16 1/1.13 W power_w, absolute 1695\n",
        "\n0x0016 22 2 04 float32 10 kVA contract_power_kva 0.9\n",
        "\n0x0018 24 2 04 uint32 10 Wh energy_import_wh 1234568\n",
        "\n0x001A 26 1 04 int16 0.001 power_factor 998\n",
        "\n0x0020 32 4 03+04 uint64 frequency, unavailable -\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_line(table, lines[i]);
    assert_null(strstr(table, "0xFE00"));
    free(table);
}

static void unknown_is_no_number_in_the_table(void **unused)
{
    (void)unused;
    struct reading r;
    reading_clear(&r);
    char *table = table_of(load(EVERYTHING), false, &r);
    assert_line(table, "\n0x0012 18 1 04 uint16 0.1 V voltage_l1_v -\n");
    assert_line(table, "\n0x000D 13 1 03+04 int16 -5\n");
    free(table);
}

static void the_gateways_own_registers_come_on_demand(void **unused)
{
    (void)unused;
    struct reading r;
    reading_clear(&r);
    load("map,M,T\nregister,quantity,type,scale,word order,fixed value\n0,tariff,uint16\n");
    char *table = table_of(&file.map, false, &r);
    assert_line(table, "No register can be written.\n");
    assert_line(
        table,
        "Values of several registers: high word first. Function codes 03 and 04 read the same. "
        "Registers not listed read 0.\n");
    free(table);
    table = table_of(&file.map, true, &r);
    assert_line(table,
                "Can be written: 0xFE01 0xFE02 0xFE03 0xFE04 0xFE05 0xFE0F. Function code 06.\n");
    assert_line(table, "\n0xFE00 65024 1 03+04 uint16 \"SC\": this block is there 21315\n");
    free(table);
}

static void assert_unit(const char *quantity, const char *scale, const char *unit)
{
    struct reading r;
    char text[200], line[100];
    reading_clear(&r);
    snprintf(text, sizeof text,
             "map,M\nregister,quantity,type,scale,word order,fixed value\n0,%s,int16,%s,,\n",
             quantity, scale);
    snprintf(line, sizeof line, "\n0x0000 0 1 03+04 int16 %s %s -\n", unit, quantity);
    char *table = table_of(load(text), false, &r);
    assert_line(table, line);
    free(table);
}

static void units_are_those_of_one_step(void **unused)
{
    (void)unused;
    assert_unit("power_w", "", "W");
    assert_unit("power_w", "0.001", "kW");
    assert_unit("power_w", "0.000001", "MW");
    assert_unit("power_w", "0.1", "10 W");
    assert_unit("voltage_l1_v", "1000", "mV");
    assert_unit("voltage_l1_v", "100", "0.01 V");
    assert_unit("voltage_l1_v", "25", "1/25 V");
    assert_unit("contract_power_kva", "", "kVA");
    assert_unit("contract_power_kva", "1000", "VA");
    assert_unit("contract_power_kva", "0.001", "MVA");
    assert_unit("power_factor", "100", "0.01");
    assert_unit("power_factor", "5", "1/5");
}

static void columns_stand_below_their_heads(void **unused)
{
    (void)unused;
    struct reading r;
    reading_clear(&r);
    char *table = table_of(load(EVERYTHING), true, &r), *rest = NULL;
    size_t shows = 0, lines = 0;
    for (char *line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "hex", 3) == 0)
            shows = (size_t)(strstr(line, "shows") - line);
        if (strncmp(line, "0x", 2) != 0)
            continue;
        assert_true(shows > 0);
        assert_memory_equal(line + shows - 2, "  ", 2);
        assert_true(line[shows] != ' ' || strstr(line, "ascii") || strstr(line, "int16"));
        lines++;
    }
    assert_int_equal(lines, 16 + register_vendor_block.count);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_map_of_the_core_comes_back_from_its_csv),
        cmocka_unit_test(what_was_written_so_is_printed_so),
        cmocka_unit_test(the_longest_line_comes_back),
        cmocka_unit_test(a_map_without_rows_for_04_comes_back),
        cmocka_unit_test(scales_are_printed_short),
        cmocka_unit_test(the_table_shows_what_a_master_reads),
        cmocka_unit_test(unknown_is_no_number_in_the_table),
        cmocka_unit_test(the_gateways_own_registers_come_on_demand),
        cmocka_unit_test(units_are_those_of_one_step),
        cmocka_unit_test(columns_stand_below_their_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
