/* panel_gpio.h - lines of a GPIO chip, as the options name them: what LED and button share. */
#ifndef PANEL_GPIO_H
#define PANEL_GPIO_H

#include "panel.h"

#include <gpiod.h>

enum { PANEL_GPIO_CHIP_MAX = 32, PANEL_GPIO_LINES_MAX = 3 };

#define PANEL_GPIO_CONSUMER "smart-connect" /* what gpioinfo shows as the user of a line */

struct panel_gpio_place {
    char chip[PANEL_GPIO_CHIP_MAX]; /* its name or label: gpiochip0, pinctrl-bcm2711 */
    unsigned line[PANEL_GPIO_LINES_MAX];
    bool low; /* lit, or pressed, is 0 */
};

/* Reads "CHIP:LINE,...[,low]" with `count` different lines.  False: it is of another form. */
bool panel_gpio_parse(const char *text, int count, struct panel_gpio_place *place);

/* Opens the chip.  NULL: `problem` says why it cannot be. */
struct gpiod_chip *panel_gpio_open(const struct panel_gpio_place *place,
                                   char problem[static PANEL_PROBLEM_MAX]);

/* Says in `problem` why its lines cannot be had or used, by errno; returns false. */
bool panel_gpio_refused(const struct panel_gpio_place *place,
                        char problem[static PANEL_PROBLEM_MAX]);

#endif
