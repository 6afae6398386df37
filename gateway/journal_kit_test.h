/* journal_kit_test.h - what happened, in words: noted by a test's other end, compared by the test. */
#ifndef JOURNAL_KIT_TEST_H
#define JOURNAL_KIT_TEST_H

/* Adds a word, behind a blank. */
void journal_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails unless these are all words since the last time, and forgets them. */
void journal_expect(const char *words);

/* Forgets all words. */
void journal_forget(void);

#endif
