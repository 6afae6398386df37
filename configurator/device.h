/* device.h - a P1MB at a serial port, in a configuration session (core/p1mb_port.h). */
#ifndef DEVICE_H
#define DEVICE_H

#include "facts.h"
#include "port.h"

enum {
    DEVICE_PROBLEM_MAX = 512,
    DEVICE_TIMEOUT_MS = 1000, /* longer than a memory takes to keep a setup */
    DEVICE_TIMEOUT_MIN_MS = 50,
    DEVICE_TIMEOUT_MAX_MS = 60000
};

struct device {
    /* read-only, after device_open() */
    struct facts facts;
    struct p1mb_setup active, next;   /* what it runs with, and will after a reboot */
    char problem[DEVICE_PROBLEM_MAX]; /* why the last call failed, and what to do */
    /* private */
    const char *path;
    int port, timeout_ms;
    struct p1mb_framing framing;
    unsigned attempts;
    size_t heard; /* bytes, since the question */
    bool heard_text, answered;
};

/* Opens the port and reads all there is to know.  An answer is waited for `timeout_ms`, three times.  False: see
 * d->problem; device_close() is due all the same. */
bool device_open(struct device *d, const char *path, int timeout_ms);

enum device_update {
    UPDATE_FAILED,  /* see d->problem */
    UPDATE_NOTHING, /* it has these settings already */
    UPDATE_WRITTEN, /* read back and compared; active after a reboot */
    UPDATE_ACTIVE   /* and that was done, and compared as well */
};

/* Makes a setup the device's: writes it, unless it is there already, and reboots the device if it shall. */
enum device_update device_update(struct device *d, const struct p1mb_setup *wanted, bool reboot);

/* Reboots it, and waits until it runs with what it kept. */
bool device_reboot(struct device *d);

/* Leaves the session and closes the port, whatever happened. */
void device_close(struct device *d);

#endif
