/* messages_kit_test.h - what the tests of messages share: a checker of JSON, and readings made of telegrams. */
#ifndef MESSAGES_KIT_TEST_H
#define MESSAGES_KIT_TEST_H

#include "messages.h"
#include "p1.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* True for one JSON value (RFC 8259) in valid UTF-8. */
bool is_json(const char *text);

/* `text` is one JSON object on one line. */
void assert_json(const char *text);

/* A P1 stream and what it made of one telegram. */
struct bench {
    struct p1_stream stream;
    struct reading reading;
    uint8_t buffer[P1_TELEGRAM_MAX];
    char json[MESSAGE_READINGS_MAX];
};

/* One with nothing known; free() it. */
struct bench *new_bench(void);

/* Feeds a telegram that ends with '!', its CRC behind it, and derives. */
void decode(struct bench *b, const char *telegram);

/* All numbers, logs and channels at their widest. */
void fill_numbers(struct reading *r);

/* The bytes of a whole telegram, shared out to all texts: n bytes for the message, the rest equally. */
void fill_texts(struct bench *b, uint8_t byte, size_t message);

#endif
