/* panel_parts.h - what the panel's LED and button can be wired to: a kind each, in panel_led_*.c and panel_button_*.c.
 *
 * A part is configured once, and opened again and again while what it is wired to comes and goes.  Nothing blocks.
 * Where `problem` is handed over, false or -1 means that it says why, in a few words.
 */
#ifndef PANEL_PARTS_H
#define PANEL_PARTS_H

#include "panel.h"

#define PANEL_LEDS_FOLDER "/sys/class/leds"

struct panel_part;

struct panel_kind {
    const char *scheme; /* with the colon */
    size_t size;        /* of its struct, which begins with struct panel_part */
    /* Reads the text behind the scheme; false: it is of another form. */
    bool (*configure)(struct panel_part *part, const char *rest);
    bool (*open)(struct panel_part *part, char problem[static PANEL_PROBLEM_MAX]);
    /* Undoes what open did, also half of it; may be called twice. */
    void (*close)(struct panel_part *part);
    /* Of an LED: shows a colour. */
    bool (*show)(struct panel_part *part, struct led_color color,
                 char problem[static PANEL_PROBLEM_MAX]);
    /* Of a button: 1 it is down, 0 up, -1 it is gone. */
    int (*level)(struct panel_part *part, char problem[static PANEL_PROBLEM_MAX]);
};

struct panel_part {
    const struct panel_kind *kind;
    const char *leds_folder; /* PANEL_LEDS_FOLDER, but in tests */
    int fd; /* of an open button: can be read when the level may have changed; what is read is of no interest */
};

extern const struct panel_kind panel_led_class, panel_led_gpio, panel_button_evdev,
    panel_button_gpio;

/* panel_open() with another folder of LEDs, which must outlive it. */
struct panel *panel_open_in(const char *leds_folder, struct loop *l, const char *led,
                            const char *button, struct panel_owner *owner);

#endif
