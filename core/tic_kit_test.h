/* tic_kit_test.h - what the tests of TIC share: frames are made from values of our own and fed to a
 * stream.  Part of every tic*_test.c; a failure in here fails the test that called. */
#ifndef TIC_KIT_TEST_H
#define TIC_KIT_TEST_H

#include "tic.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define DATE_S 1784097001 /* 2026-07-15 06:30:01 UTC */

struct bytes {
    size_t n;
    uint8_t at[4096];
};

/* What a test frame says, and what must come of it. */
struct sample {
    const char *label, *horodate, *data;
    int quantity; /* -1: none */
    int64_t value;
    const char *text;
};

enum { SAMPLES_N = 71 };
extern const struct sample samples[];

/* A stream, and what it has reported. */
struct decoder {
    struct tic_stream s;
    struct reading r, last; /* last: of the last frame */
    uint8_t frame[TIC_FRAME_MAX], last_frame[TIC_FRAME_MAX];
    size_t last_len;
    int frames, failed, historic;
    int64_t now_ms;
};

/* ---- building ---- */

/* Appends characters as they are. */
void add_raw(struct bytes *b, const char *characters);

/* The checksum character of a group, clause 5.3.6. */
char checksum_of(const char *characters, size_t n);

/* Appends a group with its checksum; horodate is NULL where the label has none. */
void add_group(struct bytes *b, const char *label, const char *horodate, const char *data);

/* The same in historic mode. */
void add_historic(struct bytes *b, const char *label, const char *data);

/* All samples.  Replaces the data of one label; or adds nothing for it when data is NULL. */
void add_samples(struct bytes *b, const char *label, const char *data);

/* All 71 labels: 1727 bytes, the largest legal frame. */
struct bytes full_frame(void);

/* A frame of one group. */
struct bytes frame_of(const char *label, const char *horodate, const char *data);

/* Puts the parity bit in every byte. */
void add_even_parity(struct bytes *b);

/* ---- feeding ---- */

/* A fresh stream that has reported nothing. */
void decoder_init(struct decoder *d, enum tic_parity parity);

/* Keeps what the stream reports. */
void note(struct decoder *d, enum tic_event event);

/* Feeds n bytes, `chunk` of them at a time, and keeps what the stream reports. */
void feed(struct decoder *d, const uint8_t *bytes, size_t n, size_t chunk);

/* Feeds a frame at once, one period after the one before. */
void feed_frame(struct decoder *d, const struct bytes *b);

/* A text of the last frame.  Valid until the next one. */
const char *text_of(const struct decoder *d, enum reading_text_id id);

/* The last frame was a full_frame(). */
void assert_is_full(const struct decoder *d);

#endif
