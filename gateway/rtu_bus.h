/* rtu_bus.h - the P1MB's job: a Modbus RTU slave on a serial port, with settings that a master may write.
 *
 * What is written is staged and readable at once; it becomes active when the Reboot register is written, when the owner
 * says so, or at the next start.  A port that is not there, or goes, is tried again every few seconds.
 */
#ifndef RTU_BUS_H
#define RTU_BUS_H

#include "core/p1mb.h"
#include "core/rtu_slave.h"
#include "modbus_source.h"
#include "rs485.h"

/* The lines there are, for error messages. */
#define RTU_LINES \
    "1200, 2400, 4800, 9600, 19200, 38400, 57600 or 115200, and -8N1 or -8E1, as in 9600-8E1"

enum { RTU_PROBLEM_MAX = 200, RTU_LINE_MAX = 16 };

struct rtu_bus_settings {
    const char *path;         /* of the port; stays the caller's */
    struct p1mb_settings bus; /* address and line */
    enum rs485_direction direction;
    int turnaround_ms;                    /* least time between a request and its answer; 0: t3.5 */
    struct modbus_source_settings source; /* vendor, writes and device.setting are set here */
};

/* Who keeps what masters write. */
struct rtu_bus_owner {
    /* These settings were staged by a master. */
    void (*staged)(struct rtu_bus_owner *owner, const struct p1mb_settings *bus);
};

struct rtu_bus;

/* Begins to serve, as soon as the port is there.  NULL: `problem` says why not. */
struct rtu_bus *rtu_bus_open(struct loop *l, struct meter *meter,
                             const struct rtu_bus_settings *settings, struct rtu_bus_owner *owner,
                             char problem[static RTU_PROBLEM_MAX]);
void rtu_bus_close(struct rtu_bus *m);

/* Other settings from now on, but for path, direction and turnaround.  A bus that is what a master has staged goes on
 * waiting for the reboot; any other is active at once.  False: the map does not fit; nothing changed. */
bool rtu_bus_set(struct rtu_bus *m, const struct rtu_bus_settings *settings);

/* What was staged becomes active, as soon as no answer is being sent. */
void rtu_bus_reboot(struct rtu_bus *m);

struct rtu_bus_info {
    const char *path, *map;
    const char *problem; /* why the port is not served; "": it is */
    const char *hint;    /* something that was asked for and cannot be had; "": nothing */
    struct p1mb_settings active, staged;
    enum rs485_direction
        direction; /* how the bus is turned; DIRECTION_AUTO while the port is not open */
    enum word_order order;
    struct p1mb_leds leds;
    struct rtu_slave_counters counters;
};

/* What can be said of it now; texts live until the next call into this module. */
struct rtu_bus_info rtu_bus_get_info(const struct rtu_bus *m);

/* "9600-8E1" of speed and parity, and back.  False: `text` is none, or a line no P1MB has. */
void rtu_bus_format_line(const struct p1mb_settings *bus, char text[static RTU_LINE_MAX]);
bool rtu_bus_parse_line(const char *text, struct p1mb_settings *bus);

/* "off", "on" or "blinking". */
const char *rtu_bus_light_name(enum p1mb_light light);

#endif
