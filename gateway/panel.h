/* panel.h - the front of the box: its LED (led.h) and its button (button.h), and where they are wired to.
 *
 *   --led     off | log | class:NAME | gpio:CHIP:RED,GREEN,BLUE[,low]
 *             NAME: of the multicolour LED class, below /sys/class/leds; CHIP: gpiochip0, or its label; three different
 *             lines by number, which show orange as red and green together
 *   --button  off | evdev:PATH[:KEY] | gpio:CHIP:LINE[,low]
 *             KEY: number of the key, else any key of the device; low: pressed is 0
 *
 * What is not there (yet), or goes, is no error: one line says so, and it is tried again every ten seconds.
 */
#ifndef PANEL_H
#define PANEL_H

#include "button.h"
#include "led.h"
#include "loop.h"

enum { PANEL_ERROR_MAX = 300, PANEL_PATH_MAX = 128, PANEL_PROBLEM_MAX = 160 };

/* Checks the text of an option.  False: `error` says what would be right. */
bool panel_check_led(const char *text, char error[static PANEL_ERROR_MAX]);
bool panel_check_button(const char *text, char error[static PANEL_ERROR_MAX]);

struct panel_owner {
    /* On the loop.  What the LED has to show follows from these; asked for every 100 ms or so, so it must be cheap. */
    void (*facts)(struct panel_owner *owner, struct led_facts *facts);
    /* The button did something: never BUTTON_NOTHING. */
    void (*pressed)(struct panel_owner *owner, enum button_event event);
};

struct panel_info {
    enum led_state led;
    const char *led_problem; /* "": none, or no LED is wired */
    bool has_button, down;
    enum button_event last; /* since start; BUTTON_NOTHING: none */
    int64_t last_ms;        /* when, on the loop's clock */
    const char *button_problem;
};

struct panel;

/* Begins.  `led` and `button` passed the checks.  NULL: out of memory. */
struct panel *panel_open(struct loop *l, const char *led, const char *button,
                         struct panel_owner *owner);

/* The LED is left red: the box does nothing for anybody from now on. */
void panel_close(struct panel *p);

/* The LED's state is worked out anew now, not only at the next look. */
void panel_look(struct panel *p);

/* What can be said of both now. */
struct panel_info panel_get_info(const struct panel *p);

#endif
