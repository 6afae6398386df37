#include "csv.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A line on the way to its cells. */
struct line {
    const char *at, *end;
    int column; /* of the character at `at` */
};

static bool __attribute__((format(printf, 3, 4)))
refuse(struct csv *c, int column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(c->error, sizeof c->error, format, arguments);
    va_end(arguments);
    c->error_column = column;
    return false;
}

void csv_begin(struct csv *c, const char *bytes, size_t length)
{
    static const char mark[] = "\xEF\xBB\xBF";
    memset(c, 0, sizeof *c);
    c->at = bytes;
    c->end = bytes + length;
    if (length >= 3 && memcmp(bytes, mark, 3) == 0)
        c->at += 3;
}

/* --- characters ------------------------------------------------------------------------------- */

bool csv_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Bytes of the UTF-8 character at p, and its number; 0: there is none. */
static size_t character(const char *p, size_t left, uint32_t *number)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)p[0];
    size_t n = first < 0x80             ? 1
               : (first & 0xE0) == 0xC0 ? 2
               : (first & 0xF0) == 0xE0 ? 3
               : (first & 0xF8) == 0xF0 ? 4
                                        : 0;
    if (n == 0 || n > left)
        return 0;
    *number = n == 1 ? first : first & (0x7FU >> n);
    for (size_t i = 1; i < n; i++) {
        if (((uint8_t)p[i] & 0xC0) != 0x80)
            return 0;
        *number = *number << 6 | ((uint8_t)p[i] & 0x3F);
    }
    bool surrogate = *number >= 0xD800 && *number <= 0xDFFF;
    return *number < least[n] || *number > 0x10FFFF || surrogate ? 0 : n;
}

/* Characters that can do no harm on a terminal, and not too many of them. */
static bool check_characters(struct csv *c, struct line line)
{
    const char *begin = line.at;
    for (; line.at < line.end; line.column++) {
        uint32_t number;
        size_t n = character(line.at, (size_t)(line.end - line.at), &number);
        if (n == 0)
            return refuse(c, line.column, "byte 0x%02X is not UTF-8; save the file as UTF-8",
                          (uint8_t)*line.at);
        if ((number < 0x20 && number != '\t') || (number >= 0x7F && number < 0xA0))
            return refuse(c, line.column, "control character 0x%02X: this is no text file",
                          (unsigned)number);
        line.at += n;
        if (line.at - begin > CSV_LINE_MAX)
            return refuse(c, line.column, "the line is longer than %d bytes", CSV_LINE_MAX);
    }
    return true;
}

/* --- cells ------------------------------------------------------------------------------------ */

static char take(struct line *line)
{
    char c = *line->at++;
    bool goes_on = line->at < line->end && ((uint8_t)*line->at & 0xC0) == 0x80;
    if (!goes_on)
        line->column++;
    return c;
}

static void skip_blanks(struct line *line)
{
    while (line->at < line->end && csv_is_blank(*line->at))
        take(line);
}

static bool at_separator(const struct csv *c, const struct line *line)
{
    return line->at == line->end || *line->at == c->separator;
}

/* Copies what stands in quotes, without them; NULL: they are not closed. */
static char *take_quoted(struct line *line, char *out)
{
    take(line);
    while (line->at < line->end) {
        char c = take(line);
        bool doubled = c == '"' && line->at < line->end && *line->at == '"';
        if (c == '"' && !doubled)
            return out;
        if (doubled)
            take(line);
        *out++ = c;
    }
    return NULL;
}

static char *take_plain(const struct csv *c, struct line *line, char *out)
{
    char *begin = out;
    while (!at_separator(c, line))
        *out++ = take(line);
    while (out > begin && csv_is_blank(out[-1]))
        out--;
    return out;
}

/* Reads one cell to `out`; NULL: refused. */
static char *take_cell(struct csv *c, struct line *line, char *out)
{
    skip_blanks(line);
    struct csv_cell *cell = &c->cell[c->cells++];
    *cell = (struct csv_cell){.text = out, .column = line->column};
    bool quoted = line->at < line->end && *line->at == '"';
    out = quoted ? take_quoted(line, out) : take_plain(c, line, out);
    if (!out) {
        refuse(c, cell->column, "the quote is not closed in this line");
        return NULL;
    }
    skip_blanks(line);
    if (!at_separator(c, line)) {
        refuse(c, line->column, "behind a closing quote there must be a '%c'", c->separator);
        return NULL;
    }
    *out++ = 0;
    return out;
}

static bool split(struct csv *c, struct line line)
{
    char *out = c->text;
    for (c->cells = 0;;) {
        if (c->cells == CSV_CELLS_MAX)
            return refuse(c, line.column, "more than %d cells", CSV_CELLS_MAX);
        out = take_cell(c, &line, out);
        if (!out || line.at == line.end)
            return out != NULL;
        take(&line);
    }
}

/* --- lines ------------------------------------------------------------------------------------ */

/* The first of ',' and ';' that is in no quotes. */
static char find_separator(const struct line *line)
{
    bool quoted = false;
    for (const char *p = line->at; p < line->end; p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (!quoted && (*p == ',' || *p == ';'))
            return *p;
    }
    return ',';
}

static struct line take_line(struct csv *c)
{
    struct line line = {
        .at = c->at, .end = memchr(c->at, '\n', (size_t)(c->end - c->at)), .column = 1};
    c->line++;
    c->at = line.end ? line.end + 1 : c->end;
    if (!line.end)
        line.end = c->end;
    if (line.end > line.at && line.end[-1] == '\r')
        line.end--;
    return line;
}

/* Nothing, or a remark; a spreadsheet puts a remark with a comma into quotes. */
static bool says_nothing(struct line line)
{
    skip_blanks(&line);
    if (line.at < line.end && *line.at == '"')
        line.at++;
    return line.at == line.end || *line.at == '#';
}

static bool has_text(const struct csv *c)
{
    for (int i = 0; i < c->cells; i++)
        if (c->cell[i].text[0])
            return true;
    return false;
}

enum csv_result csv_next(struct csv *c)
{
    while (c->at < c->end) {
        struct line line = take_line(c);
        if (!check_characters(c, line))
            return CSV_BAD;
        if (says_nothing(line))
            continue;
        if (!c->separator)
            c->separator = find_separator(&line);
        if (!split(c, line))
            return CSV_BAD;
        if (has_text(c))
            return CSV_LINE;
    }
    return CSV_END;
}
