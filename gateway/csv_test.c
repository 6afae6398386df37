#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csv.h"

#include <string.h>

static struct csv csv;

static enum csv_result begin(const char *text)
{
    csv_begin(&csv, text, strlen(text));
    return csv_next(&csv);
}

static void assert_cell(int i, int column, const char *text)
{
    assert_true(i < csv.cells);
    assert_string_equal(csv.cell[i].text, text);
    assert_int_equal(csv.cell[i].column, column);
}

static void assert_bad(const char *text, int line, int column, const char *why)
{
    enum csv_result result = begin(text);
    while (result == CSV_LINE)
        result = csv_next(&csv);
    assert_int_equal(result, CSV_BAD);
    assert_string_equal(csv.error, why);
    assert_int_equal(csv.line, line);
    assert_int_equal(csv.error_column, column);
}

static void cells_lose_blanks_but_not_inside_quotes(void **unused)
{
    (void)unused;
    assert_int_equal(begin("a, b c ,\" d \",,\t\"e\"\t,f"), CSV_LINE);
    assert_int_equal(csv.cells, 6);
    assert_cell(0, 1, "a");
    assert_cell(1, 4, "b c");
    assert_cell(2, 9, " d ");
    assert_cell(3, 15, "");
    assert_cell(4, 17, "e");
    assert_cell(5, 22, "f");
    assert_int_equal(csv_next(&csv), CSV_END);
}

static void quotes_hold_separators_and_quotes(void **unused)
{
    (void)unused;
    assert_int_equal(begin("\"a,\"\"b\"\";\",5\" pipe,\"\"\n"), CSV_LINE);
    assert_int_equal(csv.cells, 3);
    assert_cell(0, 1, "a,\"b\";");
    assert_cell(1, 12, "5\" pipe");
    assert_cell(2, 20, "");
}

static void columns_count_characters(void **unused)
{
    (void)unused;
    assert_int_equal(begin("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x94\x8C,x"), CSV_LINE);
    assert_cell(1, 5, "x");
}

static void the_first_line_says_what_separates(void **unused)
{
    (void)unused;
    assert_int_equal(begin("# a,b\n\"a,b\";c\nd,e;f"), CSV_LINE);
    assert_int_equal(csv.cells, 2);
    assert_cell(0, 1, "a,b");
    assert_int_equal(csv_next(&csv), CSV_LINE);
    assert_cell(0, 1, "d,e");
    assert_int_equal(begin("a,b;c\nd;e"), CSV_LINE);
    assert_cell(1, 3, "b;c");
    assert_int_equal(csv_next(&csv), CSV_LINE);
    assert_int_equal(csv.cells, 1);
}

static void what_says_nothing_is_passed_over_and_counted(void **unused)
{
    (void)unused;
    assert_int_equal(
        begin("\xEF\xBB\xBF\r\n  \r\n # remark \"\r\n\"# a, b\"\r\n,,\r\na,b\r\n\r\n#"), CSV_LINE);
    assert_int_equal(csv.line, 6);
    assert_cell(0, 1, "a");
    assert_cell(1, 3, "b");
    assert_int_equal(csv_next(&csv), CSV_END);
    assert_int_equal(csv.line, 8);
    assert_int_equal(begin(""), CSV_END);
    assert_int_equal(begin("\n"), CSV_END);
}

static void quotes_must_be_closed_and_stand_alone(void **unused)
{
    (void)unused;
    assert_bad("a\nb, \"c\nd\"", 2, 4, "the quote is not closed in this line");
    assert_bad("a,\"b\"c", 1, 6, "behind a closing quote there must be a ','");
    assert_bad("a;\"b\",c", 1, 6, "behind a closing quote there must be a ';'");
}

static void only_utf8_text_is_taken(void **unused)
{
    (void)unused;
    static const char *const bad[] = {"\x80",
                                      "\xC3",
                                      "\xC3z",
                                      "\xC0\xAF",
                                      "\xC1\xBF",
                                      "\xE0\x9F\xBF",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xE0\x80\xAF",
                                      "\xED\xA0\x80",
                                      "\xE2\x82",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[20] = "a\n\xC3\xA4 ";
        strncat(text, bad[i], 8);
        enum csv_result result = begin(text);
        assert_int_equal(result, CSV_LINE);
        assert_int_equal(csv_next(&csv), CSV_BAD);
        assert_int_equal(csv.line, 2);
        assert_int_equal(csv.error_column, 3);
        assert_non_null(strstr(csv.error, "is not UTF-8"));
    }
}

static void control_characters_are_refused(void **unused)
{
    (void)unused;
    assert_bad("a\nb\x1B[2J", 2, 2, "control character 0x1B: this is no text file");
    assert_bad("a\rb", 1, 2, "control character 0x0D: this is no text file");
    assert_bad("\x7F", 1, 1, "control character 0x7F: this is no text file");
    assert_bad("x\xC2\x9B", 1, 2, "control character 0x9B: this is no text file");
    csv_begin(&csv, "a\0b", 3);
    assert_int_equal(csv_next(&csv), CSV_BAD);
    assert_int_equal(csv.error_column, 2);
}

static void lines_and_their_cells_are_bounded(void **unused)
{
    char line[CSV_LINE_MAX + 2];
    (void)unused;
    memset(line, 'x', sizeof line);
    line[CSV_LINE_MAX] = 0;
    assert_int_equal(begin(line), CSV_LINE);
    assert_int_equal(strlen(csv.cell[0].text), CSV_LINE_MAX);
    line[CSV_LINE_MAX] = 'x';
    line[CSV_LINE_MAX + 1] = 0;
    assert_bad(line, 1, CSV_LINE_MAX + 1, "the line is longer than 1000 bytes");
    memset(line, ',', CSV_LINE_MAX);
    line[0] = 'x';
    line[CSV_CELLS_MAX - 1] = 0;
    assert_int_equal(begin(line), CSV_LINE);
    assert_int_equal(csv.cells, CSV_CELLS_MAX - 1);
    line[CSV_CELLS_MAX - 1] = ',';
    line[CSV_CELLS_MAX + 1] = 0;
    assert_bad(line, 1, CSV_CELLS_MAX + 2, "more than 32 cells");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_lose_blanks_but_not_inside_quotes),
        cmocka_unit_test(quotes_hold_separators_and_quotes),
        cmocka_unit_test(columns_count_characters),
        cmocka_unit_test(the_first_line_says_what_separates),
        cmocka_unit_test(what_says_nothing_is_passed_over_and_counted),
        cmocka_unit_test(quotes_must_be_closed_and_stand_alone),
        cmocka_unit_test(only_utf8_text_is_taken),
        cmocka_unit_test(control_characters_are_refused),
        cmocka_unit_test(lines_and_their_cells_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
