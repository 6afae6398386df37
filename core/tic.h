/* tic.h - Linky TIC frames, standard mode (Enedis-NOI-CPT_54E V3): framing and decoding.
 *
 *   STX | LF label HT [horodate HT] data HT checksum CR | ... | ETX       7 bits, even parity
 *
 *   label      1..9 characters, one of the 71 of clause 6.2.2
 *   horodate   SAAMMJJhhmmss, S = H winter, E summer, h/e clock degraded, blank = not applicable
 *   data       fixed width per label
 *   checksum   (sum of label .. last HT, both included) & 0x3F, + 0x20; may be a blank
 *
 * A frame is salvaged group by group: a damaged group loses that value only.  The frame is
 * committed on ETX; what was lost is unknown in its reading, never the value of the frame before
 * (only EAST and EAIT are held while a new value is in doubt).  Texts are slices of the frame
 * without the padding blanks.  Horodates other than DATE's are checked, not kept.
 *
 * Without parity the checksum cannot see bit 6 of a character.  The rules of the fields catch that
 * everywhere but in the free texts (NGTF, LTARF, MSG1, MSG2).
 *
 * Historic mode (1200 baud, LF label SP data SP checksum CR, checksum without the last SP) is
 * recognised and reported, not decoded.
 */
#ifndef TIC_H
#define TIC_H

#include "reading.h"

enum {
    TIC_FRAME_MAX = 2048, /* buffer for a frame; the largest legal one has 1727 bytes (71 labels) */
    TIC_SILENCE_MS = 500  /* a live line never pauses longer than 34 ms; see tic_silence() */
};

/* Status word STGE (clause 6.2.3.14), Q_TIC_STATUS. */
#define TIC_STGE_PRODUCER (UINT32_C(1) << 8)
#define TIC_STGE_EXPORTING (UINT32_C(1) << 9)
#define TIC_STGE_CLOCK_DEGRADED (UINT32_C(1) << 16)
#define TIC_STGE_STANDARD_MODE (UINT32_C(1) << 17)

enum tic_event {
    TIC_MORE,  /* all bytes consumed, nothing to report */
    TIC_FRAME, /* a frame is complete: the reading and the frame are valid until the next call */
    TIC_FRAME_FAILED, /* a frame was given up: EOT, lost ETX, overflow, or no good group in it */
    TIC_HISTORIC /* the first good historic group of a frame; nothing else comes of that frame */
};

/* How characters arrive. */
enum tic_parity {
    /* Two good groups decide: CR comes as 8D with parity, as 0D without.  32 groups running with
     * bad parity reopen the question. */
    TIC_PARITY_AUTO,
    /* Bytes of an 8N1 UART: bit 7 is the even parity of the character, and checked. */
    TIC_PARITY_EVEN,
    /* 7-bit characters: the UART or the peer has checked and stripped parity.  A byte with bit 7
     * set is damaged. */
    TIC_PARITY_NONE
};

struct tic_stats {
    uint32_t frames_ok;      /* every group of the frame was good */
    uint32_t frames_partial; /* committed, but at least one group was lost */
    uint32_t frames_failed;
    uint32_t groups_ok;        /* counts outside of frames, too, like _unknown and _historic */
    uint32_t groups_parity;    /* dropped: a byte with bad parity */
    uint32_t groups_checksum;  /* dropped: checksum, separator or length wrong */
    uint32_t groups_senseless; /* dropped: good checksum, but the content is none (rule 3 to 5) */
    uint32_t groups_unknown;   /* good checksum, label not in the table: ignored */
    uint32_t groups_historic;
    uint32_t values_implausible; /* EAST/EAIT held back, SINSTSn replaced */
};

/* A meter index (EAST, EAIT) with the doubt about its next value; see tic.c, plausibility. */
struct tic_index {
    struct tic_index_point {
        int64_t wh;
        int64_t at_ms; /* monotonic */
        int64_t at_s;  /* meter time, READING_NO_TIME when unknown */
        bool known;
    } accepted, candidate;
};

struct tic_stream {
    /* the caller's */
    struct reading *reading; /* being filled; complete when TIC_FRAME is returned */
    uint8_t *frame;          /* characters of the frame, parity stripped, from STX to ETX */
    size_t frame_cap;        /* at least TIC_FRAME_MAX */
    int32_t winter_offset_s; /* UTC offset of season H; CIVIL_CET_OFFSET_S unless set (overseas) */
    enum tic_parity parity;
    struct tic_stats stats; /* only ever counts up; wraps at 2^32 */
    /* read-only */
    size_t frame_len;
    uint8_t phases; /* 0 not known yet, 1 or 3; sticky */
    bool producer;  /* export labels were seen; sticky */
    /* private */
    struct {
        size_t group_start;   /* offset in frame of the first character after the group's LF */
        struct tic_gathered { /* over the bytes of the group, eight side by side; see tic.c */
            uint64_t odd, high, sums;
        } group;
        const struct tic_label *next_label; /* the one after the last good one */
        bool seen[71];                      /* labels of this frame: rule 5 */
        struct tic_index east, eait;
        uint16_t good_groups, historic_groups, lost_groups; /* of this frame */
        uint8_t state;
        uint8_t frame_flags; /* of all labels of this frame */
        uint8_t frames_without_3ph, frames_without_producer;
        uint8_t latched_parity; /* TIC_PARITY_AUTO while not decided */
        uint8_t parity_vote;    /* what the last good group spoke for */
        uint8_t parity_failures;
    } priv;
};

/* Prepares a stream.  `reading` and `frame` stay the caller's and must outlive the stream. */
void tic_init(struct tic_stream *s, struct reading *reading, uint8_t *frame, size_t frame_cap);

/* Consumes bytes until they are used up or there is something to report; returns how many were
 * used and sets *event.  Call again with the rest, which may be all of it.  now_ms is a monotonic
 * clock, used only to judge how far an energy index may have moved; wraps are not expected in 64
 * bits.  Never blocks, allocates nothing, accepts any bytes. */
size_t tic_feed(struct tic_stream *s, const uint8_t *bytes, size_t n, int64_t now_ms,
                enum tic_event *event);

/* Tells the stream that the line has been silent for TIC_SILENCE_MS: an open frame is given up.
 * Returns TIC_FRAME_FAILED if there was one, else TIC_MORE. */
enum tic_event tic_silence(struct tic_stream *s);

#endif
