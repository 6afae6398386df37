#include "panel_gpio.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_NUMBER = 9999 };

/* Takes a number from *text.  False: there is none, or one that no line has. */
static bool take_line(const char **text, unsigned *line)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    unsigned long number = strtoul(*text, &end, 10);
    *line = (unsigned)number;
    *text = end;
    return number <= LINE_MAX_NUMBER;
}

static bool is_among(unsigned line, const unsigned *lines, int count)
{
    for (int i = 0; i < count; i++)
        if (lines[i] == line)
            return true;
    return false;
}

bool panel_gpio_parse(const char *text, int count, struct panel_gpio_place *place)
{
    size_t chip_len = strcspn(text, ":");
    if (chip_len == 0 || chip_len >= sizeof place->chip || text[chip_len] != ':')
        return false;
    snprintf(place->chip, sizeof place->chip, "%.*s", (int)chip_len, text);
    text += chip_len;
    for (int i = 0; i < count; i++) {
        if (*text++ != (i ? ',' : ':') || !take_line(&text, &place->line[i]) ||
            is_among(place->line[i], place->line, i))
            return false;
    }
    place->low = strcmp(text, ",low") == 0;
    return place->low || *text == 0;
}

struct gpiod_chip *panel_gpio_open(const struct panel_gpio_place *place,
                                   char problem[static PANEL_PROBLEM_MAX])
{
    struct gpiod_chip *chip = gpiod_chip_open_lookup(place->chip);
    if (!chip)
        snprintf(problem, PANEL_PROBLEM_MAX, "GPIO chip %s: %s", place->chip, strerror(errno));
    return chip;
}

bool panel_gpio_refused(const struct panel_gpio_place *place, char problem[static PANEL_PROBLEM_MAX])
{
    const char *why = errno == EBUSY    ? "the kernel or another program has the line: see gpioinfo"
                      : errno == EINVAL ? "it has no such line, or not for this"
                                        : strerror(errno);
    snprintf(problem, PANEL_PROBLEM_MAX, "GPIO chip %s: %s", place->chip, why);
    return false;
}
