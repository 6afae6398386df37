/* register_write.h - what a master writes to the settings of the meter it believes to see.
 *
 * A write is taken as a whole or not at all.  What it says is staged in the device's settings; the owner makes it
 * active when SETTING_REBOOT was written.
 */
#ifndef REGISTER_WRITE_H
#define REGISTER_WRITE_H

#include "register_image.h"

enum register_write_result {
    WRITE_TAKEN,
    WRITE_NO_SETTING, /* one of the registers is no setting, or only a part of one */
    WRITE_BAD_VALUE /* out of the setting's range; at the reboot: the halves of the baud rate make none */
};

/* Writes `count` registers (wire order, 2 * count bytes) from `address` on into device->setting.  32-bit settings must
 * be written as a whole; their word order is that of the style the image is rendered in. */
enum register_write_result register_write(const struct register_image *image, enum word_order order,
                                          uint32_t address, uint32_t count, const uint8_t *values,
                                          struct register_device *device);

/* Sets one setting by value (not by the meter's code); false: out of its range, nothing changed. */
bool register_device_set(struct register_device *device, enum register_setting setting,
                         uint32_t value);

/* The speeds a line can run at: 1200, 2400, 4800, 9600, 19200, 38400, 57600 and 115200 baud. */
enum { REGISTER_BAUDS = 8 };
extern const uint32_t register_bauds[REGISTER_BAUDS];

/* True if this is one of them. */
bool register_baud_is_known(uint32_t baud);

#endif
