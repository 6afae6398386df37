/* tic_labels.h - the labels of TIC frames (Enedis-NOI-CPT_54E V3) and what they mean.  Private to
 * tic.c. */
#ifndef TIC_LABELS_H
#define TIC_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TIC_LABELS_N = 71,
    TIC_LABEL_MAX = 9,     /* the clause says 8, yet the meters send SMAXSN1-1 */
    TIC_HORODATE_LEN = 13, /* SAAMMJJhhmmss */
    TIC_DATA_MAX = 98,     /* PJOURF+1, PPOINTE */
    TIC_TEXT_MIN = 9,      /* "VTIC" HT "02" HT checksum; historic: "PPOT" SP "00" SP checksum */
    TIC_TEXT_MAX = 109     /* "PJOURF+1" HT data HT checksum */
};

/* What the data of a group is made of. */
enum tic_kind {
    TIC_NUMBER,   /* digits; the value is multiplied by `scale` and goes to quantity `target` */
    TIC_STATUS,   /* STGE: digits and A to F, to quantity `target` */
    TIC_DATE,     /* no data, the horodate is the value */
    TIC_DIGITS,   /* digits kept as text `target` */
    TIC_TEXT,     /* 0x20 to 0x7E, padded with blanks; text `target` */
    TIC_SCHEDULE, /* 11 blocks HHMMSSSS or NONUTILE; text `target` */
    TIC_KINDS_N
};

/* Properties of a label. */
enum {
    TIC_HORODATE = 1,     /* the group has a horodate, without the flag it has none */
    TIC_BLANK_SEASON = 2, /* that horodate's season may be a blank */
    TIC_3PH = 4,          /* only three-phase meters send it */
    TIC_PRODUCER = 8      /* only meters in producer mode send it */
};

struct tic_label {
    char name[TIC_LABEL_MAX + 3]; /* and the HT after it; padded with NUL */
    uint8_t name_length;          /* without the HT */
    uint8_t spare_bits;           /* of the first eight characters, those after the HT */
    uint8_t length;               /* of the data, exact */
    uint8_t group_length;         /* from the label to the checksum */
    uint8_t kind;                 /* enum tic_kind */
    uint8_t flags;
    uint8_t target; /* enum quantity or enum reading_text_id, by kind */
    uint16_t scale; /* numbers: units of the quantity in one unit of the meter */
    uint16_t max;   /* numbers: largest sensible value as printed; 0 = all digits are good */
};

/* In transmission order. */
extern const struct tic_label tic_labels[TIC_LABELS_N];

/* True when `text`, the characters of a group before the separator of its checksum, is a known
 * historic label, a blank, and data as long as that label's. */
bool tic_historic_known(const uint8_t *text, size_t len);

/* Eight characters at once, for work on all of them in one operation: the first is the lowest byte.
 * Compilers make one load of this, whatever the byte order. */
static inline uint64_t tic_word(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* A word of eight times this byte. */
#define TIC_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Bit 7 of each byte that is not `c`.  Characters and c are below 0x80. */
static inline uint64_t tic_differs(uint64_t characters, uint8_t c)
{
    return (characters ^ TIC_EACH(c)) + TIC_EACH(0x7f);
}

/* True when `text` starts with this label and an HT; `start` is its first eight characters.
 * TIC_LABEL_MAX + 1 bytes must be readable; their bit 7 is ignored. */
static inline bool tic_label_is(const struct tic_label *label, const uint8_t *text, uint64_t start)
{
    uint64_t differs = tic_word((const uint8_t *)label->name) ^ start;
    if (differs << label->spare_bits != 0)
        return false;
    for (unsigned i = 8; i <= label->name_length; i++)
        if ((text[i] & 0x7f) != label->name[i])
            return false;
    return true;
}

/* The label that `text` starts with, or NULL.  Looks at `expected` first and then on: groups come
 * in the order of the table, with gaps. */
static inline const struct tic_label *tic_label_find(const uint8_t *text,
                                                     const struct tic_label *expected)
{
    uint64_t start = tic_word(text) & TIC_EACH(0x7f);
    for (const struct tic_label *l = expected; l < tic_labels + TIC_LABELS_N; l++)
        if (tic_label_is(l, text, start))
            return l;
    for (const struct tic_label *l = tic_labels; l < expected; l++)
        if (tic_label_is(l, text, start))
            return l;
    return NULL;
}

#endif
