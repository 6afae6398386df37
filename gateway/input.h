/* input.h - where a meter's bytes come from.
 *
 *   serial:/dev/ttyUSB0        8 data bits, no parity, whatever the meter's line; parity is for software
 *   tcp:HOST:PORT              a raw telegram stream such as ser2net's
 *   file:PATH[?speed=max]      replay, at the telegrams' own pace or as fast as it goes
 *   sim:PROFILE[?seed=N]       the built-in simulated meter
 *
 * An input that fails opens itself again, after 1 s, 2 s ... 30 s.
 */
#ifndef INPUT_H
#define INPUT_H

#include "loop.h"

enum { INPUT_ERROR_MAX = 256, INPUT_READ_MAX = 4096 };

struct input;

/* Whom an input reports to. */
struct input_owner {
    /* Bytes came.  They are the input's. */
    void (*bytes)(struct input_owner *owner, const uint8_t *bytes, size_t n);
    /* The line is open (detail: what), or it was lost or could not be opened (detail: why). */
    void (*opened)(struct input_owner *owner, const char *detail);
    void (*lost)(struct input_owner *owner, const char *detail);
    /* There is nothing more to come: the end of a replay. */
    void (*ended)(struct input_owner *owner, const char *detail);
};

/* Makes an input for a URL and starts opening it.  NULL: `error` says in one line what is wrong with
 * the URL; that the thing behind it is not there yet is no error. */
struct input *input_open(struct loop *l, const char *url, struct input_owner *owner,
                         char error[static INPUT_ERROR_MAX]);

/* Checks a URL without opening it. */
bool input_check(const char *url, char error[static INPUT_ERROR_MAX]);

/* Whether the speed can be chosen here. */
bool input_has_speed(const struct input *in);

/* Sets the speed of a serial line, now and after opening it again. */
void input_set_speed(struct input *in, unsigned baud);

/* Closes and frees; NULL is fine. */
void input_close(struct input *in);

/* --- for the kinds of input (input_*.c) -------------------------------------------------------- */

struct input_kind {
    const char *scheme; /* with the colon */
    size_t size;        /* of its struct, which begins with struct input */
    /* Reads the part of the URL behind the scheme; false: error is filled. */
    bool (*configure)(struct input *in, const char *rest, char error[static INPUT_ERROR_MAX]);
    void (*open)(struct input *in);  /* start opening; ends in input_opened() or input_lost() */
    void (*close)(struct input *in); /* undo what open did; also called after a loss */
    void (*set_speed)(struct input *in, unsigned baud); /* NULL: has none */
};

struct input {
    const struct input_kind *kind;
    struct loop *loop;
    struct input_owner *owner;
    struct loop_timer retry;
    int64_t retry_delay_ms;
    char name[200]; /* for logs: the URL */
};

extern const struct input_kind input_kind_serial, input_kind_tcp, input_kind_file, input_kind_sim;

/* The line stands; back-off begins anew with the first bytes. */
void input_opened(struct input *in, const char *detail);
/* The line is lost or could not be opened: closes it and tries again later. */
void input_lost(struct input *in, const char *detail);
/* There is nothing more to come, and no use in trying again. */
void input_ended(struct input *in, const char *detail);
/* Bytes for the owner. */
void input_bytes(struct input *in, const uint8_t *bytes, size_t n);

/* The value of `key` in "...?key=value&..." as a slice of `rest`; NULL when it is not there. */
const char *input_parameter(const char *rest, const char *key, size_t *length);
/* False with an error if `rest` has a parameter other than `key`. */
bool input_only_parameter(const char *rest, const char *key, char error[static INPUT_ERROR_MAX]);

#endif
