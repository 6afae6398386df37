#include "journal_kit_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char journal[4000];

void journal_note(const char *format, ...)
{
    size_t used = strlen(journal);
    va_list arguments;
    if (used > 0 && used < sizeof journal - 1) {
        journal[used++] = ' ';
        journal[used] = 0;
    }
    va_start(arguments, format);
    vsnprintf(journal + used, sizeof journal - used, format, arguments);
    va_end(arguments);
}

void journal_forget(void)
{
    journal[0] = 0;
}

void journal_expect(const char *words)
{
    assert_string_equal(journal, words);
    journal_forget();
}
