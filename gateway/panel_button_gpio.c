/* panel_button_gpio.c - a button on a line of a GPIO chip.  The line is pulled to where it is while nobody presses, so
 * that a button to ground or to the supply needs no resistor. */
#include "panel_gpio.h"
#include "panel_parts.h"

#include <fcntl.h>

struct button_gpio {
    struct panel_part part;
    struct panel_gpio_place place;
    struct gpiod_chip *chip; /* NULL: not open */
    struct gpiod_line *line;
};

static struct button_gpio *button_of(struct panel_part *part)
{
    return CONTAINER_OF(part, struct button_gpio, part);
}

static bool configure(struct panel_part *part, const char *rest)
{
    return panel_gpio_parse(rest, 1, &button_of(part)->place);
}

/* Kernels before 5.5 know no pull resistors, and some chips have none. */
static bool request(struct button_gpio *b)
{
    int pulled = b->place.low
                     ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP
                     : GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN;
    int floating = b->place.low ? GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW : 0;
    return gpiod_line_request_both_edges_events_flags(b->line, PANEL_GPIO_CONSUMER, pulled) == 0 ||
           gpiod_line_request_both_edges_events_flags(b->line, PANEL_GPIO_CONSUMER, floating) == 0;
}

static bool open_button(struct panel_part *part, char problem[static PANEL_PROBLEM_MAX])
{
    struct button_gpio *b = button_of(part);
    b->chip = panel_gpio_open(&b->place, problem);
    if (!b->chip)
        return false;
    b->line = gpiod_chip_get_line(b->chip, b->place.line[0]);
    if (b->line && request(b)) {
        part->fd = gpiod_line_event_get_fd(b->line);
        if (fcntl(part->fd, F_SETFL, O_NONBLOCK) == 0)
            return true;
    }
    return panel_gpio_refused(&b->place, problem);
}

static int level(struct panel_part *part, char problem[static PANEL_PROBLEM_MAX])
{
    const struct button_gpio *b = button_of(part);
    int value = gpiod_line_get_value(b->line);
    if (value < 0)
        (void)panel_gpio_refused(&b->place, problem);
    return value;
}

static void close_button(struct panel_part *part)
{
    struct button_gpio *b = button_of(part);
    if (b->chip)
        gpiod_chip_close(b->chip);
    b->chip = NULL;
    part->fd = -1;
}

const struct panel_kind panel_button_gpio = {
    .scheme = "gpio:",
    .size = sizeof(struct button_gpio),
    .configure = configure,
    .open = open_button,
    .close = close_button,
    .level = level,
};
