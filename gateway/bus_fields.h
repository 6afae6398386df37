/* bus_fields.h - dictionaries of D-Bus (a{sv}) read into structs by a table. */
#ifndef BUS_FIELDS_H
#define BUS_FIELDS_H

#include <stddef.h>
#include <systemd/sd-bus.h>

enum bus_type {
    BUS_BOOL,  /* b -> bool */
    BUS_BYTE,  /* y -> uint8_t */
    BUS_U32,   /* u -> uint32_t */
    BUS_I64,   /* x -> int64_t */
    BUS_TEXT,  /* s or o -> char[size]; what is too long is cut between characters */
    BUS_BYTES, /* ay -> struct bus_bytes */
};

enum { BUS_BYTES_MAX = 32 }; /* an SSID: IEEE 802.11, 9.4.2.2 */

struct bus_bytes {
    uint8_t length; /* what is longer than the room is cut */
    char byte[BUS_BYTES_MAX];
};

struct bus_field {
    const char *key;
    enum bus_type type;
    size_t offset, size; /* size: of BUS_TEXT */
};

/* Reads the dictionary the message stands at into *target: keys of the table whose value has the type, nothing else is
 * touched.  Keys we do not know are skipped, so are values of another type.  Negative errno: the message is broken. */
int bus_read_fields(sd_bus_message *m, const struct bus_field *fields, size_t count, void *target);

/* Reads an array of dictionaries (aa{sv}) into the first `max` elements of `size` bytes each; *n: how many.  More are
 * skipped. */
int bus_read_list(sd_bus_message *m, const struct bus_field *fields, size_t count, void *first,
                  size_t size, size_t max, size_t *n);

#endif
