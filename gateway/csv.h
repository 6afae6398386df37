/* csv.h - comma-separated text a line at a time, with the place of every cell.
 *
 * As spreadsheets and people write it: RFC 4180, but that a cell ends with its line; ',' or ';', whichever the first
 * line uses; LF or CRLF; with or without a byte order mark.  Blank lines, and those that begin with '#', say nothing.
 */
#ifndef CSV_H
#define CSV_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CSV_LINE_MAX = 1000, /* bytes */
    CSV_CELLS_MAX = 32,
    CSV_ERROR_MAX = 100
};

struct csv_cell {
    const char *
        text; /* without quotes, and without blanks around it if it had none; until the next csv_next() */
    int column; /* of its first character, from 1, in characters */
};

struct csv {
    int line; /* of what was read last, from 1 */
    int cells;
    struct csv_cell cell[CSV_CELLS_MAX];
    char separator; /* ',' or ';'; 0: no line was read yet */
    int error_column;
    char error[CSV_ERROR_MAX];
    /* private */
    const char *at, *end;
    char text[CSV_LINE_MAX + CSV_CELLS_MAX + 1];
};

/* Blanks around a cell are none of it, unless it is quoted. */
bool csv_is_blank(char c);

enum csv_result { CSV_LINE, CSV_END, CSV_BAD };

/* Starts at the first line of these bytes, which stay the caller's. */
void csv_begin(struct csv *c, const char *bytes, size_t length);

/* Reads the next line that says something into c->cell; it has at least one cell with text.  CSV_END: there is none,
 * and c->line is the last one.  CSV_BAD: c->error says what is wrong in line c->line from c->error_column on. */
enum csv_result csv_next(struct csv *c);

#endif
