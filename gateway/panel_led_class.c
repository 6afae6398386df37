/* panel_led_class.c - an LED that the kernel has in its multicolour class: the files of /sys/class/leds/NAME.
 *
 *   multi_index       its colours in their order: "red green blue", any order, there may be more
 *   multi_intensity   written: a number for each of them, 0 to max_brightness
 *   brightness        of the whole; written once
 *   trigger           what else the kernel lets it show: "none" from now on
 *
 * The kernel hands what is written to the LED later, so writing does not wait.
 */
#include "panel_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLORS_MAX = 16, FILE_MAX = 256 };

struct led_class {
    struct panel_part part;
    char name[PANEL_PATH_MAX];
    int folder, intensity; /* -1: not open */
    unsigned max;
    int count;
    int component[COLORS_MAX]; /* of each colour of the LED: 0 to 2 of ours, -1 another */
    bool bright;               /* brightness was written */
};

static struct led_class *led_of(struct panel_part *part)
{
    return CONTAINER_OF(part, struct led_class, part);
}

static bool configure(struct panel_part *part, const char *rest)
{
    struct led_class *l = led_of(part);
    l->folder = l->intensity = -1;
    snprintf(l->name, sizeof l->name, "%s", rest);
    return rest[0] != 0 && rest[0] != '.' && !strchr(rest, '/') && strlen(rest) < sizeof l->name;
}

/* --- files ------------------------------------------------------------------------------------ */

static bool read_file(const struct led_class *l, const char *file, char text[static FILE_MAX])
{
    int fd = openat(l->folder, file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, FILE_MAX - 1);
    int problem = errno;
    text[n < 0 ? 0 : n] = 0;
    if (fd >= 0)
        close(fd);
    errno = problem;
    return n >= 0;
}

/* In one call: a file of the kernel takes a whole value, wherever it is written. */
static bool write_text(int fd, const char *text)
{
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static int open_file(const struct led_class *l, const char *file)
{
    return openat(l->folder, file, O_WRONLY | O_TRUNC | O_CLOEXEC);
}

static bool write_file(const struct led_class *l, const char *file, const char *text)
{
    int fd = open_file(l, file);
    bool written = write_text(fd, text);
    int problem = errno;
    if (fd >= 0)
        close(fd);
    errno = problem;
    return written;
}

static bool fail(const char *file, char problem[static PANEL_PROBLEM_MAX])
{
    snprintf(problem, PANEL_PROBLEM_MAX, "%.90s: %s", file, strerror(errno));
    return false;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int component_of(const char *color)
{
    static const char *const names[] = {"red", "green", "blue"};
    for (int i = 0; i < 3; i++)
        if (strcmp(color, names[i]) == 0)
            return i;
    return -1;
}

/* False: one of the three is missing, or there are more colours than we can write. */
static bool take_colors(struct led_class *l, char text[static FILE_MAX])
{
    unsigned found = 0;
    char *rest, *color = strtok_r(text, " \n", &rest);
    for (l->count = 0; color && l->count < COLORS_MAX; color = strtok_r(NULL, " \n", &rest)) {
        int i = component_of(color);
        found |= i < 0 ? 0 : 1U << i;
        l->component[l->count++] = i;
    }
    return found == 7 && !color;
}

static bool read_colors(struct led_class *l, char problem[static PANEL_PROBLEM_MAX])
{
    char text[FILE_MAX];
    const char *why = NULL;
    if (!read_file(l, "multi_index", text))
        why = errno == ENOENT ? "it is no multicolour LED: it has no multi_index" : strerror(errno);
    else if (!take_colors(l, text))
        why = "it has not the colours red, green and blue: see multi_index";
    if (why)
        snprintf(problem, PANEL_PROBLEM_MAX, "%s", why);
    return !why;
}

static bool read_max(struct led_class *l, char problem[static PANEL_PROBLEM_MAX])
{
    char text[FILE_MAX];
    if (!read_file(l, "max_brightness", text))
        return fail("max_brightness", problem);
    l->max = (unsigned)strtoul(text, NULL, 10);
    return true;
}

/* Kernels without triggers have no such file. */
static bool take_over(struct led_class *l, char problem[static PANEL_PROBLEM_MAX])
{
    if (!write_file(l, "trigger", "none\n") && errno != ENOENT)
        return fail("trigger", problem);
    l->intensity = open_file(l, "multi_intensity");
    return l->intensity >= 0 || fail("multi_intensity", problem);
}

static bool open_led(struct panel_part *part, char problem[static PANEL_PROBLEM_MAX])
{
    struct led_class *l = led_of(part);
    char path[2 * PANEL_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", part->leds_folder, l->name);
    l->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    l->bright = false;
    if (l->folder < 0)
        return fail(path, problem);
    return read_colors(l, problem) && read_max(l, problem) && take_over(l, problem);
}

static void close_led(struct panel_part *part)
{
    struct led_class *l = led_of(part);
    if (l->intensity >= 0)
        close(l->intensity);
    if (l->folder >= 0)
        close(l->folder);
    l->intensity = l->folder = -1;
}

/* --- showing ---------------------------------------------------------------------------------- */

/* Rounded: an LED that is on or off has a max of 1, and orange must not be red there. */
static unsigned scale(const struct led_class *l, uint8_t component)
{
    return (component * l->max + 127) / 255;
}

static bool write_color(const struct led_class *l, struct led_color color)
{
    const uint8_t ours[] = {color.red, color.green, color.blue};
    char text[FILE_MAX];
    int n = 0;
    for (int i = 0; i < l->count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%u%c",
                      l->component[i] < 0 ? 0 : scale(l, ours[l->component[i]]),
                      i + 1 < l->count ? ' ' : '\n');
    return write_text(l->intensity, text);
}

/* The colour first: it must not flash in the one from before. */
static bool show(struct panel_part *part, struct led_color color,
                 char problem[static PANEL_PROBLEM_MAX])
{
    struct led_class *l = led_of(part);
    char text[16];
    snprintf(text, sizeof text, "%u\n", l->max);
    if (!write_color(l, color))
        return fail("multi_intensity", problem);
    l->bright = l->bright || write_file(l, "brightness", text);
    return l->bright || fail("brightness", problem);
}

const struct panel_kind panel_led_class = {
    .scheme = "class:",
    .size = sizeof(struct led_class),
    .configure = configure,
    .open = open_led,
    .close = close_led,
    .show = show,
};
