/* p1_kit_test.h - what the tests of P1 share: telegrams are built, fed to a stream, and what it reports
 * is kept.  Part of every p1*_test.c; a failure in here fails the test that called. */
#ifndef P1_KIT_TEST_H
#define P1_KIT_TEST_H

#include "p1.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

enum { BUFFER_MAX = CORE_IS_SMALL ? 128 : P1_TELEGRAM_MAX };
enum { ALL_AT_ONCE = 1 << 20, TEXT_MAX = 16384, FILES_MAX = 64, NAME_MAX_LEN = 64 };

struct bytes {
    size_t n;
    uint8_t p[TEXT_MAX];
};

/* What came out of a stream: the last telegram and its reading, and how often what was reported. */
struct seen {
    struct bytes telegram;
    struct reading reading;
    unsigned events[P1_BAD_FRAME + 1];
};

extern struct seen seen;
extern struct p1_stream stream;
extern struct reading reading; /* what the stream fills */

/* ---- feeding ---- */

/* A fresh stream with a buffer of BUFFER_MAX, and nothing seen. */
void start_stream(void);

/* Keeps what the stream reports. */
void note(enum p1_event event);

/* Feeds n bytes, `chunk` of them at a time. */
void feed(const void *from, size_t n, size_t chunk);
void feed_string(const char *s);

/* A fresh stream, the bytes, and silence behind them. */
void run(const void *p, size_t n, size_t chunk);

/* What must have been reported since the stream was started. */
void assert_counts(unsigned telegrams, unsigned bad_crc, unsigned bad_frame);

/* ---- building ---- */

/* Appends n bytes, or the characters of a string. */
void append(struct bytes *b, const void *p, size_t n);
void append_string(struct bytes *b, const char *s);

/* '!', the CRC in `format`, a printf format of one unsigned, and `tail`. */
void seal(struct bytes *b, const char *format, const char *tail);

/* A telegram with a good CRC: an identification line, then `lines`.  Valid until the next one. */
const struct bytes *telegram(const char *lines);

/* Decodes lines in a telegram of their own, and one by one; the reading is in seen.reading. */
void decode(const char *lines);

/* A text of the telegram seen last; not in a small build.  Valid until the next one. */
const char *text_of(enum reading_text_id id);

/* ---- the files ---- */

/* Reads tests/data/p1/NAME.SUFFIX and puts a NUL behind it. */
void load(const char *name, const char *suffix, struct bytes *b);

/* The names of the telegrams there, filled by list_files(), a setup function of cmocka's. */
extern char good_files[FILES_MAX][NAME_MAX_LEN], broken_files[FILES_MAX][NAME_MAX_LEN];
extern size_t good_n, broken_n;
int list_files(void **state);

/* Whether the file is of a sender at 7 bits, even parity, read as 8N1. */
bool is_seven_bit_file(const char *name);

#endif
