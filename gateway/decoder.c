#include "decoder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Frames of a file may lie any time apart, so no rise of an index is too fast. */
enum {
    PRETENDED_STEP_MS = 86400000,
    TIC_GROUPS_CERTAIN = 3 /* so many good groups are no accident, even without a whole frame */
};

void decoder_init(struct decoder *d, void (*reading)(struct decoder *d, const struct reading *r,
                                                     const uint8_t *telegram, size_t length))
{
    memset(d, 0, sizeof *d);
    d->reading = reading;
    p1_init(&d->p1, &d->p1_reading, d->p1_buffer, sizeof d->p1_buffer);
    tic_init(&d->tic, &d->tic_reading, d->tic_frame, sizeof d->tic_frame);
}

static void finish(struct decoder *d, struct reading *r, const uint8_t *telegram, size_t length)
{
    r->sequence = ++d->valid;
    derive(r, &d->settings, &d->derive_state);
    d->reading(d, r, telegram, length);
}

static void feed_p1(struct decoder *d, const uint8_t *bytes, size_t n)
{
    for (size_t used = 0; used < n;) {
        enum p1_event event;
        used += p1_feed(&d->p1, bytes + used, n - used, &event);
        if (event == P1_TELEGRAM)
            finish(d, &d->p1_reading, d->p1.telegram, d->p1.telegram_len);
    }
}

static void feed_tic(struct decoder *d, const uint8_t *bytes, size_t n)
{
    for (size_t used = 0; used < n;) {
        enum tic_event event;
        used += tic_feed(&d->tic, bytes + used, n - used, d->pretended_ms, &event);
        if (event == TIC_FRAME)
            finish(d, &d->tic_reading, d->tic.frame, d->tic.frame_len);
        d->pretended_ms += event == TIC_FRAME ? PRETENDED_STEP_MS : 0;
    }
}

bool decoder_read(struct decoder *d, const char *path)
{
    static const uint8_t end_of_line[] = "\r\n"; /* the last P1 telegram may lack it */
    uint8_t bytes[4096];
    ssize_t n;
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((n = read(fd, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0) {
            feed_p1(d, bytes, (size_t)n);
            feed_tic(d, bytes, (size_t)n);
        }
    int problem = errno;
    if (fd != STDIN_FILENO)
        close(fd);
    errno = problem;
    if (n < 0)
        return false;
    feed_p1(d, end_of_line, 2);
    (void)p1_silence(&d->p1);
    (void)tic_silence(&d->tic);
    return true;
}

void decoder_report(const struct decoder *d)
{
    const struct p1_stats *p1 = &d->p1.stats;
    const struct tic_stats *tic = &d->tic.stats;
    uint32_t frames = tic->frames_ok + tic->frames_partial;
    if (p1->telegrams_ok || p1->telegrams_bad_crc || (p1->telegrams_bad_frame && !frames))
        fprintf(
            stderr,
            "P1: %u telegrams good, %u with a wrong CRC, %u incomplete, %u objects without sense\n",
            p1->telegrams_ok, p1->telegrams_bad_crc, p1->telegrams_bad_frame, p1->object_errors);
    if (frames || tic->groups_ok > TIC_GROUPS_CERTAIN)
        fprintf(stderr,
                "TIC: %u frames good, %u with groups lost, %u incomplete; groups: %u good, %u bad "
                "parity, %u bad checksum, %u without sense, %u unknown\n",
                tic->frames_ok, tic->frames_partial, tic->frames_failed, tic->groups_ok,
                tic->groups_parity, tic->groups_checksum, tic->groups_senseless,
                tic->groups_unknown);
    if (tic->groups_historic)
        fprintf(stderr, "%s (%u groups seen, not decoded)\n", meter_state_text(METER_HISTORIC),
                tic->groups_historic);
    if (d->valid == 0 && !tic->groups_historic)
        fprintf(stderr, "no valid telegram\n");
}
