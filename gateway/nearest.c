#include "nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_LEN = 40, BEGINNING_MIN = 3 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool is_same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* From the distances of some beginning of a word to each beginning of b, those of one letter more. */
static void next_row(unsigned *row, char letter, const char *b, size_t length)
{
    unsigned diagonal = row[0]++;
    for (size_t j = 1; j <= length; j++) {
        unsigned changed = diagonal + !is_same_letter(letter, b[j - 1]);
        diagonal = row[j];
        row[j] = least(changed, least(row[j - 1], row[j]) + 1);
    }
}

/* Letters to insert, drop or change to come from one to the other (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[NAME_MAX_LEN + 1];
    size_t length = strlen(b);
    for (unsigned j = 0; j <= length; j++)
        row[j] = j;
    for (; *a; a++)
        next_row(row, *a, b, length);
    return row[length];
}

void nearest_try(struct nearest *n, const char *written, const char *name)
{
    size_t length = strlen(written), name_length = strlen(name);
    if (length > NAME_MAX_LEN || name_length > NAME_MAX_LEN || name_length == 0)
        return;
    bool begins = length >= BEGINNING_MIN && strncasecmp(written, name, length) == 0;
    size_t wrong = begins ? 0 : distance(written, name);
    size_t rank = begins ? name_length - length : NAME_MAX_LEN + wrong;
    if (wrong * 3 > length || (n->name && rank >= n->rank))
        return;
    *n = (struct nearest){.name = name, .rank = rank};
}
