/* panel_led_gpio.c - an LED on three lines, one a colour, that can be lit or not and nothing between.
 *
 * A component is lit from 128 on, so orange is red and green together.  The patterns stay different: where red and
 * green take turns one of both is lit; green/orange is green with red blinking, red/orange red with green blinking.
 *
 * Whether the lines stay as they are once we are gone is the chip's decision.
 */
#include "panel_gpio.h"
#include "panel_parts.h"

enum { LIT_FROM = 128, COLORS = 3 };

struct led_gpio {
    struct panel_part part;
    struct panel_gpio_place place;
    struct gpiod_chip *chip; /* NULL: not open */
    struct gpiod_line_bulk lines;
};

static struct led_gpio *led_of(struct panel_part *part)
{
    return CONTAINER_OF(part, struct led_gpio, part);
}

static bool configure(struct panel_part *part, const char *rest)
{
    return panel_gpio_parse(rest, COLORS, &led_of(part)->place);
}

static bool open_led(struct panel_part *part, char problem[static PANEL_PROBLEM_MAX])
{
    static const int dark[COLORS];
    struct led_gpio *l = led_of(part);
    int flags = l->place.low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
    l->chip = panel_gpio_open(&l->place, problem);
    if (!l->chip)
        return false;
    if (gpiod_chip_get_lines(l->chip, l->place.line, COLORS, &l->lines) == 0 &&
        gpiod_line_request_bulk_output_flags(&l->lines, PANEL_GPIO_CONSUMER, flags, dark) == 0)
        return true;
    return panel_gpio_refused(&l->place, problem);
}

static bool show(struct panel_part *part, struct led_color color,
                 char problem[static PANEL_PROBLEM_MAX])
{
    struct led_gpio *l = led_of(part);
    const int lit[COLORS] = {color.red >= LIT_FROM, color.green >= LIT_FROM, color.blue >= LIT_FROM};
    return gpiod_line_set_value_bulk(&l->lines, lit) == 0 || panel_gpio_refused(&l->place, problem);
}

static void close_led(struct panel_part *part)
{
    struct led_gpio *l = led_of(part);
    if (l->chip)
        gpiod_chip_close(l->chip);
    l->chip = NULL;
}

const struct panel_kind panel_led_gpio = {
    .scheme = "gpio:",
    .size = sizeof(struct led_gpio),
    .configure = configure,
    .open = open_led,
    .close = close_led,
    .show = show,
};
