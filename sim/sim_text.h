/* sim_text.h - a bounded writer for telegrams.
 *
 * It carries its end, and an overflow is remembered, so that the caller checks once, at the end.
 */
#ifndef SIM_TEXT_H
#define SIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_text {
    uint8_t *bytes; /* owned by the caller */
    size_t cap;
    size_t len;    /* bytes written, never above cap */
    bool overflow; /* something did not fit: the content is not usable */
};

/* Starts an empty text in out[0..cap). */
void sim_text_init(struct sim_text *t, uint8_t *out, size_t cap);

/* Appends one byte. */
void sim_text_char(struct sim_text *t, char c);

/* Appends a string without its NUL. */
void sim_text_str(struct sim_text *t, const char *s);

/* Appends a string as the hex digits of its characters ("K8" is written "4B38"). */
void sim_text_hex_of(struct sim_text *t, const char *s);

/* Appends the low `digits` (1..8) hex digits of value, upper case. */
void sim_text_hex(struct sim_text *t, uint32_t value, unsigned digits);

/* Appends value with `digits` digits in all (1..18), of them `decimals` behind a dot (0: no dot),
 * zero padded. As in a meter's register, digits beyond the width roll over. value is not negative.
 */
void sim_text_number(struct sim_text *t, int64_t value, unsigned digits, unsigned decimals);

/* Appends the legal time at utc_s as 12 digits, YYMMDDhhmmss. */
void sim_text_stamp(struct sim_text *t, int64_t utc_s);

#endif
