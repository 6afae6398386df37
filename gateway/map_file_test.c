#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/register_write.h"
#include "csv.h"
#include "map_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME "map,My-Map,Mine\n"
#define HEAD "register,quantity,type,scale,word order,fixed value,form,function,title\n"
#define BEGIN NAME HEAD /* two lines */

static struct map_file file;
static char error[MAP_ERROR_MAX];

static const struct register_map *load(const char *text)
{
    if (!map_file_parse(&file, "m.csv", text, strlen(text), error))
        fail_msg("%s", error);
    return &file.map;
}

static void assert_refused(const char *text, const char *why)
{
    assert_false(map_file_parse(&file, "m.csv", text, strlen(text), error));
    assert_string_equal(error, why);
    assert_null(file.map.name);
    assert_int_equal(file.map.input.count, 0);
}

/* A file of one row. */
static const struct register_row *row_of(const char *line)
{
    char text[2000];
    snprintf(text, sizeof text, BEGIN "%s\n", line);
    const struct register_map *map = load(text);
    assert_int_equal(map->input.count, 1);
    return map->input.rows;
}

/* A file whose row is refused, at this column. */
static void assert_row_refused(const char *line, int column, const char *why)
{
    char text[2000], whole[2 * MAP_ERROR_MAX];
    snprintf(text, sizeof text, BEGIN "%s\n", line);
    snprintf(whole, sizeof whole, "m.csv:3:%d: %s", column, why);
    assert_refused(text, whole);
}

/* --- good files ------------------------------------------------------------------------------- */

static void a_file_becomes_a_map(void **unused)
{
    (void)unused;
    const struct register_map *map = load(
        "\xEF\xBB\xBF# my own meter\r\nmap,My-Map,Mine\r\nword order,swapped\r\nfunction 16,on\r\n"
        "unknown,marked\r\nsigned mark,highest\r\n\r\n" HEAD
        "0x4000,,uint16,,,0x11,,,model\r\n20482,voltage_l1_v,float32,,,,,,\r\n");
    assert_string_equal(map->name, "My-Map");
    assert_string_equal(map->title, "Mine");
    assert_int_equal(map->word_order, WORD_ORDER_SWAPPED);
    assert_true(map->writes_many && map->marks_unknown && map->unknown_is_max);
    assert_int_equal(map->input.count, 2);
    assert_int_equal(map->holding.count, 0);
    const struct register_row *row = map->input.rows;
    assert_int_equal(row[0].address, 0x4000);
    assert_int_equal(row[0].source, FROM_FIXED);
    assert_int_equal(row[0].type, REG_U16);
    assert_int_equal(row[0].number, 17);
    assert_string_equal(row[0].title, "model");
    assert_int_equal(row[1].address, 0x5002);
    assert_int_equal(row[1].source, FROM_QUANTITY);
    assert_int_equal(row[1].of, Q_VOLTAGE_L1);
    assert_int_equal(row[1].type, REG_F32);
    assert_null(row[1].title);
}

static void the_shortest_file_has_the_usual_meaning(void **unused)
{
    (void)unused;
    const struct register_map *map =
        load("map,x\nquantity,type,register,fixed value,word order,scale\npower_w,int32,7");
    assert_string_equal(map->title, "x");
    assert_int_equal(map->word_order, WORD_ORDER_NORMAL);
    assert_false(map->writes_many || map->marks_unknown || map->unknown_is_max);
    assert_int_equal(map->input.rows[0].address, 7);
    assert_int_equal(map->input.rows[0].of, Q_POWER);
}

static void names_and_titles_may_be_those_of_columns(void **unused)
{
    (void)unused;
    assert_string_equal(load("map,My-Meter,Register\n" HEAD "0,tariff,uint16\n")->title,
                        "Register");
    assert_string_equal(load("map,register\n" HEAD "0,tariff,uint16\n")->name, "register");
    const struct register_map *map =
        load(NAME "word order,register,quantity,type,scale,fixed value\nswapped,0,power_w,int32\n");
    assert_int_equal(map->input.rows[0].order, ROW_ORDER_SWAPPED);
}

static void each_property_is_said_alone(void **unused)
{
    (void)unused;
    const struct register_map *map = load("word order,swapped\n" NAME HEAD "0,tariff,uint16\n");
    assert_int_equal(map->word_order, WORD_ORDER_SWAPPED);
    assert_false(map->writes_many || map->marks_unknown || map->unknown_is_max);
    map = load("Function 16,ON\n" NAME HEAD "0,tariff,uint16\n");
    assert_true(map->writes_many);
    assert_false(map->word_order || map->marks_unknown || map->unknown_is_max);
    map = load("unknown,marked\n" NAME HEAD "0,tariff,uint16\n");
    assert_true(map->marks_unknown);
    assert_false(map->word_order || map->writes_many || map->unknown_is_max);
    map = load("signed mark,highest\n" NAME HEAD "0,tariff,uint16\n");
    assert_true(map->unknown_is_max);
    assert_false(map->word_order || map->writes_many || map->marks_unknown);
}

static void a_register_can_read_otherwise_alone(void **unused)
{
    (void)unused;
    uint8_t out[4];
    struct register_image image;
    const struct register_map *map = load("alone,0x000B,1650\n" BEGIN "10,power_w,int32\n");
    assert_int_equal(map->alone.address, 11);
    assert_int_equal(map->alone.value, 1650);
    assert_true(register_image_init(&image, map, false));
    register_image_read(&image, SPACE_INPUT, 11, 1, out);
    assert_int_equal(out[0] << 8 | out[1], 1650);
}

static void a_spreadsheets_semicolons_and_decimal_commas_are_read(void **unused)
{
    (void)unused;
    const struct register_map *map =
        load("map;My-Map;a, b;;;;\nregister;quantity;type;scale;word order;fixed value;\n"
             "1;power_w;float32;0,001;;;\n3;;float32;;;2,18;\n");
    assert_string_equal(map->title, "a, b");
    assert_int_equal(map->input.rows[0].exponent, -3);
    assert_int_equal(map->input.rows[1].number, 218);
    assert_int_equal(map->input.rows[1].exponent, -2);
}

static void types_have_their_lengths(void **unused)
{
    (void)unused;
    static const struct {
        const char *word;
        enum register_type type;
        unsigned length;
    } types[] = {{"float32", REG_F32, 2}, {"uint16", REG_U16, 1}, {"INT16", REG_S16, 1},
                 {"uint32", REG_U32, 2},  {"int32", REG_S32, 2},  {"acc32", REG_ACC32, 2},
                 {"uint64", REG_U64, 4}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char line[80];
        snprintf(line, sizeof line, "0,tariff,%s,,,,", types[i].word);
        assert_int_equal(row_of(line)->type, types[i].type);
        assert_int_equal(register_row_length(row_of(line)), types[i].length);
    }
    assert_int_equal(register_row_length(row_of("0,serial,ascii:9,,,,")), 9);
    assert_int_equal(row_of("0,,ascii-low:2,,,AbC,")->type, REG_ASCII_LOW);
    assert_string_equal(row_of("0,,ascii-low:2,,,AbC,")->text, "AbC");
    assert_string_equal(row_of("0,,ascii:2,,,\" , \",")->text, " , ");
    assert_string_equal(row_of("0,,ascii:2,,,,")->text, "");
}

static void a_row_shows_more_than_quantities(void **unused)
{
    (void)unused;
    assert_int_equal(row_of("0,serial,uint32,,,,")->source, FROM_SERIAL);
    assert_int_equal(row_of("0,firmware,uint32,,,,")->source, FROM_FIRMWARE);
    assert_int_equal(row_of("0,unavailable,float32,,,,")->source, FROM_NOTHING);
    const struct register_row *row = row_of("0,baud,uint16,,,9600=2 19200=0x03,");
    assert_int_equal(row->source, FROM_SETTING);
    assert_int_equal(row->of, SETTING_BAUD);
    assert_int_equal(row->codes[0].value, 9600);
    assert_int_equal(row->codes[0].code, 2);
    assert_int_equal(row->codes[1].code, 3);
    assert_int_equal(row->codes[2].code, CODE_END);
    assert_null(row_of("0,address,uint16,,,,")->codes);
    assert_null(row_of("0,baud,uint32,,,,")->codes);
    row = row_of("0,accepted,int16,,,-2,");
    assert_int_equal(row->of, SETTING_ACCEPTED);
    assert_int_equal((int16_t)row->number, -2);
    assert_int_equal(row_of("0,accepted,uint16,,,,")->number, 0);
}

static void assert_scale(const char *scale, int exponent, int factor)
{
    char line[80];
    snprintf(line, sizeof line, "0,power_w,float32,%s,,,", scale);
    const struct register_row *row = row_of(line);
    assert_int_equal(row->exponent, exponent);
    assert_int_equal(row->factor, factor);
}

static void scales_are_powers_of_ten_and_whole_factors(void **unused)
{
    (void)unused;
    assert_scale("", 0, 0);
    assert_scale("1", 0, 0);
    assert_scale("0.001", -3, 0);
    assert_scale("1E-03", -3, 0);
    assert_scale("10", 1, 0);
    assert_scale("1.13", -2, 113);
    assert_scale("-1", 0, -1);
    assert_scale("16777216", 0, 16777216);
    assert_row_refused("0,power_w,float32,0,,,", 19,
                       "\"0\" is no scale; use a factor like 0.001, 10 or 1.13, and not 0");
    assert_row_refused("0,power_w,float32,\"1,13\",,,", 19,
                       "\"1,13\" is no scale; use a factor like 0.001, 10 or 1.13, and not 0");
    assert_row_refused(
        "0,power_w,float32,3.14159265,,,", 19,
        "scale 3.14159265 is too fine or too large: 7 digits, and powers of ten from "
        "-12 to 12");
    assert_row_refused(
        "0,power_w,float32,1e13,,,", 19,
        "scale 1e13 is too fine or too large: 7 digits, and powers of ten from -12 to 12");
    assert_row_refused("0,serial,uint32,10,,,", 17,
                       "a scale is for quantities; leave it empty here");
}

static void fixed_numbers_fit_their_type(void **unused)
{
    (void)unused;
    static const struct {
        const char *type, *fits[2], *does_not[3];
    } types[] = {
        {"uint16", {"0", "0xFFFF"}, {"-1", "65536", "1.5"}},
        {"int16", {"-32768", "32767"}, {"-32769", "32768", "0xFFFF"}},
        {"uint32", {"0", "4294967295"}, {"-1", "4294967296", "1e10"}},
        {"int32", {"-2147483648", "2147483647"}, {"-2147483649", "2147483648", "1e300"}},
        {"acc32", {"0", "4294967295"}, {"-1", "4294967296", "0.1"}},
        {"uint64", {"0", "4294967295"}, {"-1", "4294967296", "0.1"}},
        {"float32", {"-2147483647", "2e12"}, {"12345678901", "1e-13", "3e22"}},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        char line[80], why[120];
        for (size_t k = 0; k < 2; k++) {
            snprintf(line, sizeof line, "0,,%s,,,%s,", types[i].type, types[i].fits[k]);
            assert_int_equal(row_of(line)->source, FROM_FIXED);
        }
        for (size_t k = 0; k < 3; k++) {
            snprintf(line, sizeof line, "0,,%s,,,%s,", types[i].type, types[i].does_not[k]);
            snprintf(why, sizeof why, "%s does not fit type %s", types[i].does_not[k],
                     types[i].type);
            assert_row_refused(line, 7 + (int)strlen(types[i].type), why);
        }
    }
    assert_int_equal((int16_t)row_of("0,,int16,,,-5,")->number, -5);
    assert_int_equal(row_of("0,,float32,,,2e12,")->exponent, 3);
    assert_int_equal(row_of("0,,float32,,,2e12,")->number, 2000000000);
}

static void word_order_and_form_belong_to_a_row(void **unused)
{
    (void)unused;
    assert_int_equal(row_of("0,power_w,int32,,,,,,")->order, ROW_ORDER_OF_MAP);
    assert_int_equal(row_of("0,power_w,int32,,normal,,,,")->order, ROW_ORDER_NORMAL);
    assert_int_equal(row_of("0,power_w,int32,,swapped,,,,")->order, ROW_ORDER_SWAPPED);
    assert_int_equal(row_of("0,current_l1_a,int32,,,,absolute,,")->form, FORM_ABSOLUTE);
    assert_int_equal(row_of("0,current_l1_a,int32,,,,signed-by-power,,")->form, FORM_SIGN_OF_POWER);
    assert_row_refused("0,power_w,int32,,CDAB,,,,", 18,
                       "\"CDAB\" is no word order; use normal, swapped or nothing");
    assert_row_refused("0,power_w,int32,,,,positive,,", 20,
                       "\"positive\" is no form; use absolute, signed-by-power or nothing");
    assert_row_refused("0,serial,int32,,,,absolute,,", 19,
                       "a form is for quantities; leave it empty here");
}

static void a_row_can_be_for_one_function_code(void **unused)
{
    (void)unused;
    const struct register_map *map =
        load(BEGIN "0,power_w,int32,,,,,4,\n0,address,uint16,,,,,3,\n1,baud_low,uint16,,,,,3,\n"
                   "9,tariff,uint16,,,,,3+4,\n10,current_l1_a,uint16,,,,,,\n");
    assert_int_equal(map->input.count, 3);
    assert_int_equal(map->holding.count, 4);
    assert_int_equal(map->input.rows[0].of, Q_POWER);
    assert_int_equal(map->holding.rows[1].of, SETTING_BAUD_LOW);
    assert_int_equal(map->holding.rows[2].of, Q_TARIFF);
    assert_int_equal(map->holding.rows[3].of, Q_CURRENT_L1);
    map = load(BEGIN "5,power_w,int32,,,,,3,\n");
    assert_int_equal(map->input.count, 0);
    assert_int_equal(map->holding.count, 1);
    assert_row_refused("0,power_w,int32,,,,,16,", 21,
                       "\"16\" is no function code; use 3, 4, 3+4 or nothing");
}

/* What the whole thing is for. */
static void a_loaded_map_serves_registers(void **unused)
{
    (void)unused;
    const struct register_device device = {.serial = "001122334455"};
    const struct register_style style = {.order = WORD_ORDER_NORMAL};
    struct register_image image;
    struct reading r;
    uint8_t out[14];
    load(BEGIN "1,power_w,float32,0.001,,,,,\n3,voltage_l1_v,uint16,10,,,,,\n4,,ascii:2,,,Ab,,,\n"
               "6,power_w,int16,1.13,,,absolute,,\n");
    reading_clear(&r);
    reading_set(&r, Q_POWER, -1500);
    reading_set(&r, Q_VOLTAGE_L1, 231200);
    assert_true(register_image_init(&image, &file.map, true));
    register_image_render(&image, &r, &device, &style);
    register_image_read(&image, SPACE_HOLDING, 0, 7, out);
    static const uint8_t wanted[] = {0,          0,   0xBF, 0xC0, 0, 0,         2312 >> 8,
                                     2312 & 255, 'A', 'b',  0,    0, 1695 >> 8, 1695 & 255};
    assert_memory_equal(out, wanted, sizeof wanted);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void unknown_words_are_named_with_a_guess(void **unused)
{
    (void)unused;
    assert_row_refused("0x5002,voltage,float32,,,,", 8,
                       "no quantity is called \"voltage\"; did you mean voltage_l1_v?");
    assert_row_refused(
        "0x5002,frobnicate,float32,,,,", 8,
        "no quantity is called \"frobnicate\"; see smart-connect decode --format readings");
    assert_row_refused("0x5002,serail,float32,,,,", 8,
                       "no quantity is called \"serail\"; did you mean serial?");
    assert_row_refused("0,power_w,float64,,,,", 11,
                       "\"float64\" is no type; use float32, uint16, int16, uint32, int32, acc32, "
                       "uint64, ascii:N or ascii-low:N");
    assert_row_refused("65536,power_w,int32,,,,", 1,
                       "\"65536\" is no register; use 0 to 65535 or 0x0000 to 0xFFFF");
    assert_row_refused("x,power_w,int32,,,,", 1,
                       "\"x\" is no register; use 0 to 65535 or 0x0000 to 0xFFFF");
    assert_row_refused(",power_w,int32,,,,", 1,
                       "\"\" is no register; use 0 to 65535 or 0x0000 to 0xFFFF");
}

static void columns_are_checked(void **unused)
{
    (void)unused;
    assert_refused(
        NAME "register,quantity,type,scale,word order,fixed value,colour\n",
        "m.csv:2:53: no column is called \"colour\"; there are register, quantity, type, "
        "scale, word order, fixed value, form, function and title");
    assert_refused(NAME "register,quantitty,type\n",
                   "m.csv:2:10: no column is called \"quantitty\"; did you mean quantity?");
    assert_refused(NAME "register,type,register\n", "m.csv:2:15: column register is there twice");
    assert_refused(NAME "register,type,scale,word order,fixed value\n",
                   "m.csv:2:1: column quantity is missing in this header line");
    assert_refused(NAME "register,quantity,type,scale,word order\n",
                   "m.csv:2:1: column fixed value is missing in this header line");
    assert_refused(HEAD "0,power_w,int32,,,,,,\n",
                   "m.csv:1:1: before this line the map needs a name: map,My-Meter,Title");
    assert_refused(NAME
                   "register,quantity,type,scale,word order,fixed value\n0,power_w,int32,,,,x\n",
                   "m.csv:3:20: \"x\" stands in a column without a name");
}

static void lines_before_the_header_are_checked(void **unused)
{
    (void)unused;
    assert_refused("map\n",
                   "m.csv:1:1: a map needs a name of up to 40 letters, digits, '-', '_' and '.': "
                   "map,My-Meter,Title");
    static const char *const names[] = {
        "a b", "-a", "a-", "\xC3\xA4", "", "12345678901234567890123456789012345678901"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "map,%s,x\n", names[i]);
        assert_refused(text, "m.csv:1:5: a map needs a name of up to 40 letters, digits, '-', '_' "
                             "and '.': map,My-Meter,Title");
    }
    static const char *const alone[] = {"alone,0xFE00,1", "alone,-1,1", "alone,x,1", "alone,0,0",
                                        "alone,0,65536",  "alone,0,",   "alone,0"};
    for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++)
        assert_refused(alone[i], "m.csv:1:7: a register that reads otherwise alone is written "
                                 "alone,0x000B,1650");
    assert_refused("alone,0,1\nalone,1,1\n", "m.csv:2:1: \"alone\" is in line 1 already");
    assert_refused(NAME NAME, "m.csv:2:1: \"map\" is in line 1 already");
    assert_refused("unknown,zero\n", "m.csv:1:9: \"zero\": unknown is as set or marked");
    assert_refused("word order,CDAB\n", "m.csv:1:12: \"CDAB\": word order is normal or swapped");
    assert_refused("function 16\n", "m.csv:1:1: \"function 16\": function 16 is off or on");
    assert_refused("function 16,on,off\n", "m.csv:1:16: \"off\" is too much here");
    assert_refused("function 16,on\nfunction 16,on\n",
                   "m.csv:2:1: \"function 16\" is in line 1 already");
}

static void files_without_rows_are_refused(void **unused)
{
    (void)unused;
    static const char no_header[] = "m.csv:1:1: the file ends without a header line: "
                                    "register,quantity,type,scale,word order,fixed value";
    assert_refused(NAME, no_header);
    assert_refused("# nothing\n", no_header);
    assert_refused(BEGIN, "m.csv:2:1: the file ends without a row that shows something");
}

static void rows_ascend_and_do_not_overlap(void **unused)
{
    (void)unused;
    assert_refused(BEGIN "0x5002,power_w,int32,,,,,,\n\n0x5000,tariff,uint16,,,,,,\n",
                   "m.csv:5:1: register 0x5000 comes behind 0x5002 (line 3): put rows in order");
    assert_refused(BEGIN "0x5002,power_w,int32,,,,,,\n0x5001,tariff,uint16,,,,,,\n",
                   "m.csv:4:1: register 0x5001 comes behind 0x5002 (line 3): put rows in order");
    assert_refused(BEGIN "0x5002,power_w,int32,,,,,,\n0x5002,tariff,uint16,,,,,,\n",
                   "m.csv:4:1: register 0x5002 is in line 3 already");
    assert_refused(BEGIN "0x5002,power_w,int32,,,,,,\n0x5003,tariff,uint16,,,,,,\n",
                   "m.csv:4:1: register 0x5003 is a part of 0x5002 (line 3), which takes 2");
    assert_refused(BEGIN "2,power_w,int32,,,,,3,\n2,power_w,int32,,,,,4,\n3,tariff,uint16,,,,,3,\n",
                   "m.csv:5:1: register 0x0003 is a part of 0x0002 (line 3), which takes 2");
}

static void registers_end_before_the_gateways_own(void **unused)
{
    (void)unused;
    assert_int_equal(row_of("0xFDFE,power_w,int32,,,,")->address, 0xFDFE);
    assert_row_refused("0xFDFF,power_w,int32,,,,", 1,
                       "registers from 0xFE00 on are the gateway's own, in every map");
    assert_row_refused("65535,power_w,int32,,,,", 1,
                       "register 0xFFFF and the 2 it takes reach past 0xFFFF");
}

static void append_row(char *text, size_t size, unsigned address, const char *rest)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%u,%s\n", address, rest);
}

/* Loads rows `step` registers apart until one is refused; returns how many went in. */
static unsigned count_rows(unsigned step, const char *rest, const char *why)
{
    static char text[MAP_FILE_SIZE_MAX];
    snprintf(text, sizeof text, "%s", BEGIN);
    unsigned rows = 0;
    for (;; rows++) {
        append_row(text, sizeof text, rows * step, rest);
        if (!map_file_parse(&file, "m.csv", text, strlen(text), error))
            break;
    }
    char place[40];
    snprintf(place, sizeof place, "m.csv:%u:1: ", rows + 3);
    assert_memory_equal(error, place, strlen(place));
    assert_non_null(strstr(error, why));
    return rows;
}

static void a_map_has_the_size_an_image_takes(void **unused)
{
    (void)unused;
    static const char limit[] = "too much from here on: a map has at most 640 registers";
    assert_int_equal(count_rows(125, "serial,ascii:125,,,,,,", limit), 4);
    assert_int_equal(count_rows(1000, "tariff,uint16,,,,,,", limit),
                     23); /* and one of the gateway */
    assert_int_equal(count_rows(16, "tariff,uint16,,,,,,", limit), 39);
}

static void texts_and_codes_are_bounded(void **unused)
{
    (void)unused;
    assert_row_refused("0,,ascii:2,,,12345,", 14, "\"12345\" has 5 characters, but ascii:2 holds 4");
    assert_row_refused("0,,ascii:2,,,\xC3\xA4,", 14,
                       "registers hold ASCII texts, \"\xC3\xA4\" is more than that");
    assert_row_refused("0,serial,ascii,,,,", 10,
                       "a text needs its length in registers, 1 to 125: ascii:8");
    assert_row_refused("0,serial,ascii:126,,,,", 10,
                       "a text needs its length in registers, 1 to 125: ascii:8");
    assert_row_refused("0,power_w,uint16:1,,,,", 11,
                       "\"uint16:1\" is no type; use float32, uint16, int16, uint32, int32, acc32, "
                       "uint64, ascii:N or ascii-low:N");
    char line[200];
    snprintf(line, sizeof line, "0,tariff,uint16,,,,,,%0121d", 0);
    assert_row_refused(line, 22, "the title is longer than 120 bytes");
    snprintf(line, sizeof line, "tariff,uint16,,,,,,%0120d", 0);
    assert_int_equal(MAP_FILE_TEXT_MAX / 121, 406);
    static char text[MAP_FILE_SIZE_MAX];
    snprintf(text, sizeof text, "%s", BEGIN);
    for (unsigned i = 0; i < 407; i++)
        append_row(text, sizeof text, i, line);
    assert_refused(text, "m.csv:409:24: the texts of a map have 49152 bytes at most, all together");
}

/* With 42 codes of twelve bytes behind the first. */
static const char *row_of_codes(const char *first)
{
    static char line[CSV_LINE_MAX];
    int n = snprintf(line, sizeof line, "0,baud_low,uint16,,,%s", first);
    for (int code = 10000; code < 10042; code++)
        n += snprintf(line + n, sizeof line - (size_t)n, " %d=%d", code, code);
    return line;
}

/* However they are written. */
static void codes_are_no_more_than_can_be_printed(void **unused)
{
    (void)unused;
    static const char why[] = "the codes of baud_low have more than 511 characters, with all "
                              "digits written; leave out some";
    assert_int_equal(row_of(row_of_codes("100=100"))->codes[42].code, 10041);
    assert_row_refused(row_of_codes("1000=100"), 21, why);
    assert_row_refused(row_of_codes("1e3=100"), 21, why);
}

static void codes_are_checked(void **unused)
{
    (void)unused;
    assert_row_refused("0,baud,uint32,,,\" \",", 17,
                       "\" \" holds no codes; leave it empty, or write 9600=2 19200=3");
    assert_row_refused("0,baud,uint16,,,9600=2 19200,", 17,
                       "\"9600=2 19200\": the codes of baud are written 9600=2 19200=3, with codes "
                       "below 65535");
    assert_row_refused("0,baud,uint16,,,9600=65535,", 17,
                       "\"9600=65535\": the codes of baud are written 9600=2 19200=3, with codes "
                       "below 65535");
    assert_row_refused("0,baud,uint16,,,96000=2,", 17, "baud cannot be 96000");
    assert_row_refused("0,parity,uint16,,,0=1 1=1,", 19, "code 1 of parity is there twice");
    assert_row_refused("0,baud,uint16,,,,", 17,
                       "baud goes up to 115200, more than uint16 holds: give its codes (9600=2 "
                       "19200=3), or use baud_low and baud_high");
}

static void what_makes_no_sense_together_is_refused(void **unused)
{
    (void)unused;
    assert_row_refused("0,,uint16,,,,", 13,
                       "neither a quantity nor a fixed value: what shall be shown?");
    assert_row_refused("0,power_w,int32,,,5,", 19,
                       "power_w has a value already; leave the fixed value empty");
    assert_row_refused("0,power_w,ascii:4,,,,", 3,
                       "power_w is a number: type ascii is for serial and for fixed texts");
    assert_row_refused("0,unavailable,ascii:4,,,,", 3,
                       "unavailable is a number: type ascii is for serial and for fixed texts");
    assert_row_refused("0,firmware,ascii:4,,,,", 3,
                       "firmware is a number: type ascii is for serial and for fixed texts");
    assert_row_refused("0,serial,uint16,,,,", 3, "serial does not fit uint16; use uint32");
    assert_row_refused("0,,uint16,,,many,", 13, "\"many\" is no number");
}

static void a_bad_line_is_named_with_its_column(void **unused)
{
    (void)unused;
    assert_refused(BEGIN "0,power_w,int32,,,,,,\"\xC3\xA4\nx\n",
                   "m.csv:3:22: the quote is not closed in this line");
    assert_refused(BEGIN "0,power_w,int32,,,,,,\xC3\xA4\xFF\n",
                   "m.csv:3:23: byte 0xFF is not UTF-8; save the file as UTF-8");
    static const char nul[] = NAME "regis\0ter\n";
    assert_false(map_file_parse(&file, "m.csv", nul, sizeof nul - 1, error));
    assert_string_equal(error, "m.csv:2:6: control character 0x00: this is no text file");
}

static void every_beginning_of_a_file_is_a_map_or_an_error(void **unused)
{
    (void)unused;
    static const char text[] = BEGIN "0,power_w,int32,0.1,,,absolute,4,\"a \"\"b\"\"\"\n"
                                     "2,baud,uint16,,swapped,9600=2,,3,\n3,,ascii:2,,,Ab,,,\n";
    for (size_t n = 0; n < sizeof text; n++)
        if (!map_file_parse(&file, "m.csv", text, n, error))
            assert_memory_equal(error, "m.csv:", 6);
    assert_true(map_file_parse(&file, "m.csv", text, sizeof text - 1, error));
}

/* --- files ------------------------------------------------------------------------------------ */

static char path[] = "/tmp/map_file_test.XXXXXX";

static void write_file(const void *bytes, size_t length)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, length, f), length);
    fclose(f);
}

static void a_file_is_read_from_disk(void **unused)
{
    (void)unused;
    static const char text[] = BEGIN "0,power_w,int32,,,,,,\n";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    write_file(text, sizeof text - 1);
    assert_true(map_file_read(&file, path, error));
    assert_string_equal(file.map.name, "My-Map");
    static char big[MAP_FILE_SIZE_MAX + 1];
    memset(big, '\n', sizeof big);
    memcpy(big, text, sizeof text - 1);
    write_file(big, MAP_FILE_SIZE_MAX);
    assert_true(map_file_read(&file, path, error));
    write_file(big, sizeof big);
    assert_false(map_file_read(&file, path, error));
    assert_non_null(strstr(error, ":1:1: the file is larger than 262144 bytes"));
    unlink(path);
    assert_false(map_file_read(&file, path, error));
    assert_non_null(strstr(error, "No such file"));
    assert_false(map_file_read(&file, "/", error));
    assert_string_equal(error, "/: Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_becomes_a_map),
        cmocka_unit_test(the_shortest_file_has_the_usual_meaning),
        cmocka_unit_test(names_and_titles_may_be_those_of_columns),
        cmocka_unit_test(each_property_is_said_alone),
        cmocka_unit_test(a_register_can_read_otherwise_alone),
        cmocka_unit_test(a_spreadsheets_semicolons_and_decimal_commas_are_read),
        cmocka_unit_test(types_have_their_lengths),
        cmocka_unit_test(a_row_shows_more_than_quantities),
        cmocka_unit_test(scales_are_powers_of_ten_and_whole_factors),
        cmocka_unit_test(fixed_numbers_fit_their_type),
        cmocka_unit_test(word_order_and_form_belong_to_a_row),
        cmocka_unit_test(a_row_can_be_for_one_function_code),
        cmocka_unit_test(a_loaded_map_serves_registers),
        cmocka_unit_test(unknown_words_are_named_with_a_guess),
        cmocka_unit_test(columns_are_checked),
        cmocka_unit_test(lines_before_the_header_are_checked),
        cmocka_unit_test(files_without_rows_are_refused),
        cmocka_unit_test(rows_ascend_and_do_not_overlap),
        cmocka_unit_test(registers_end_before_the_gateways_own),
        cmocka_unit_test(a_map_has_the_size_an_image_takes),
        cmocka_unit_test(texts_and_codes_are_bounded),
        cmocka_unit_test(codes_are_no_more_than_can_be_printed),
        cmocka_unit_test(codes_are_checked),
        cmocka_unit_test(what_makes_no_sense_together_is_refused),
        cmocka_unit_test(a_bad_line_is_named_with_its_column),
        cmocka_unit_test(every_beginning_of_a_file_is_a_map_or_an_error),
        cmocka_unit_test(a_file_is_read_from_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
