/* decoder.h - telegrams of any kind from a file to readings, for the commands that need no gateway. */
#ifndef DECODER_H
#define DECODER_H

#include "core/p1.h"
#include "core/tic.h"
#include "meter.h"

struct decoder {
    /* Each valid telegram, derived; r and the telegram are valid during the call. */
    void (*reading)(struct decoder *d, const struct reading *r, const uint8_t *telegram,
                    size_t length);
    uint64_t valid;
    /* private */
    struct derive_settings settings;
    struct derive_state derive_state;
    int64_t pretended_ms;
    struct p1_stream p1;
    struct tic_stream tic;
    struct reading p1_reading, tic_reading;
    uint8_t p1_buffer[P1_TELEGRAM_MAX], tic_frame[TIC_FRAME_MAX];
};

/* `reading` is called for each valid telegram. */
void decoder_init(struct decoder *d, void (*reading)(struct decoder *d, const struct reading *r,
                                                     const uint8_t *telegram, size_t length));

/* Reads a file, or standard input for "-", to its end.  False, with errno: it cannot be read. */
bool decoder_read(struct decoder *d, const char *path);

/* Says on standard error, in lines, how many telegrams were good, bad, incomplete or historic. */
void decoder_report(const struct decoder *d);

#endif
