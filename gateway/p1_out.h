/* p1_out.h - the meter's telegrams, passed on to programs that want them themselves.
 *
 *   p1-out = tcp:ADDR:PORT     each valid telegram, to many readers: p1_server.h
 *   p1-out = serial:DEVICE     every byte of the input, as it comes: p1_copy.h
 */
#ifndef P1_OUT_H
#define P1_OUT_H

#include "meter.h"
#include "p1_copy.h"
#include "p1_server.h"

enum { P1_OUT_MAX = 8, P1_OUT_ERROR_MAX = P1_SERVER_ERROR_MAX, P1_OUT_TO_MAX = 280 };

/* What TCP readers get; its names are choices_p1_out[]. */
enum p1_out_format {
    P1_OUT_RAW, /* the telegram as it came, from '/' to CR LF; a frame of TIC from STX to ETX */
    P1_OUT_P1 /* a telegram of DSMR 5 that says the same, whatever the meter speaks: core/p1_write.h */
};

/* One of the two is there. */
struct p1_out_way {
    struct p1_server *server;
    struct p1_copy *copy;
};

/* Start it zeroed, and fill in what is the owner's. */
struct p1_out {
    struct loop *loop;
    struct meter *meter;
    enum p1_out_format format;
    int32_t winter_offset_s; /* of the times that are written */
    /* private */
    struct meter_listener listener;
    struct meter_tap tap;
    int count;
    struct p1_out_way ways[P1_OUT_MAX];
};

/* Checks an entry without opening anything.  False: `error` says what would be right. */
bool p1_out_check(const char *text, char error[static P1_OUT_ERROR_MAX]);

/* The port of an entry with serial:, else "". */
const char *p1_out_port(const char *text);

/* Opens one more.  A port that is not there yet is no error; an address that cannot be listened at is.  False: `error`
 * says why, in one line. */
bool p1_out_add(struct p1_out *o, const char *text, char error[static P1_OUT_ERROR_MAX]);

/* Closes them all; also before the first was added. */
void p1_out_close(struct p1_out *o);

/* What can be said of the i-th. */
struct p1_out_info {
    char to[P1_OUT_TO_MAX]; /* "tcp:127.0.0.1:8088", "serial:/dev/ttyUSB1" */
    const char *problem;    /* why it does not work now; "": it does */
    int readers;            /* -1: no server */
};

/* Fills it in.  False: there is none. */
bool p1_out_at(const struct p1_out *o, int i, struct p1_out_info *info);

struct p1_out_counters {
    int readers;
    struct p1_server_counters tcp;
    struct p1_copy_counters serial;
};

/* Sums over all. */
struct p1_out_counters p1_out_get_counters(const struct p1_out *o);

#endif
