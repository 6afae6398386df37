/* p1.h - P1 telegrams (DSMR 2.2 to 5, SMR 5, e-MUCS and relatives): framing and decoding.
 *
 *   /XXX5<identification> CR LF CR LF <data lines, each CR LF> ! <4 hex> CR LF
 *
 *   data line   A-B:C.D.E(value)(value)...      value: digits, text, or a time YYMMDDhhmmssX
 *   CRC         CRC-16/ARC from '/' up to and including '!', four hex digits, most significant first
 *               (DSMR P1 companion 5.0.2, clauses 5.12 and 6.2)
 *
 * Bytes are taken as they come: each line is decoded when it is complete and the CRC runs along, so
 * after the last byte only the comparison remains.  A telegram with a wrong CRC changes nothing.
 * After a good CRC an object that makes no sense loses that object only.
 *
 * Two builds of it exist: p1.c, and p1_lines.c for a small build, which keeps a line at a time.
 */
#ifndef P1_H
#define P1_H

#include "reading.h"

enum {
    P1_LAYOUT_LINES = 64, /* lines of a telegram whose place in the table is remembered */
    P1_TELEGRAM_MAX =
        8192, /* longest with everything at its limit: 4314 bytes; 1 s of line: 11520 */
    P1_SILENCE_MS =
        5000 /* a telegram that stops for this long is cut off for good; see p1_silence() */
};

enum p1_event {
    P1_MORE,     /* all bytes consumed, nothing to report */
    P1_TELEGRAM, /* a valid telegram: the reading and the telegram are valid until the next call */
    P1_BAD_CRC,  /* a whole telegram whose CRC is wrong or missing: it changed nothing */
    P1_BAD_FRAME /* a telegram was given up: cut by another, too long, silence, bad parity */
};

struct p1_stats {
    uint32_t telegrams_ok;
    uint32_t telegrams_bad_crc;
    uint32_t telegrams_bad_frame;
    uint32_t object_errors; /* objects of accepted telegrams that made no sense */
    uint32_t bytes_skipped; /* bytes outside telegrams, line ends apart */
};

struct p1_stream {
    /* the caller's */
    struct reading *reading; /* being filled; complete when P1_TELEGRAM is returned */
    uint8_t *buffer;
    size_t buffer_cap; /* P1_TELEGRAM_MAX, or less if longer telegrams may be dropped; in a small build for one line */
    int32_t winter_offset_s; /* UTC offset of letter W; CIVIL_CET_OFFSET_S unless set otherwise */
    struct p1_stats stats;   /* only ever counts up; wraps at 2^32 */
    /* read-only, valid with P1_TELEGRAM: from '/' to the last CRC digit, without the final CR LF; not in a small
     * build */
    const uint8_t *telegram;
    size_t telegram_len;
    /* private */
    struct {
        size_t len;      /* bytes in buffer */
        size_t line;     /* offset of the first byte not decoded yet; always a line's start */
        size_t crc_done; /* offset up to which crc is computed */
        size_t origin;   /* offset of the telegram's '/' */
        uint16_t crc;
        unsigned line_number;
#ifndef CORE_SMALL
        uint8_t layout[P1_LAYOUT_LINES]; /* where line n of the last telegram stood in the table */
#endif
        uint8_t state;
        bool seven_bit; /* 7E1 sender read as 8N1: bit 7 is even parity, checked and stripped */
    } priv;
};

/* Prepares a stream.  `reading` and `buffer` stay the caller's and must outlive the stream. */
void p1_init(struct p1_stream *s, struct reading *reading, uint8_t *buffer, size_t buffer_cap);

/* Consumes bytes until they are used up or there is something to report; returns how many were used
 * and sets *event.  Call again with the rest, which may be all of them.  Never blocks, allocates nothing,
 * accepts any bytes.  A sender at 7 bits, even parity, read as 8N1 is recognised by its first byte (AF for '/'). */
size_t p1_feed(struct p1_stream *s, const uint8_t *bytes, size_t n, enum p1_event *event);

/* Tells the stream that the line has been silent for P1_SILENCE_MS: an open telegram is given up.
 * Returns P1_BAD_FRAME if there was one, else P1_MORE. */
enum p1_event p1_silence(struct p1_stream *s);

#endif
