/* panel.c and its kinds: with a folder that plays /sys/class/leds, a FIFO that plays an input device, and functions
 * that play libgpiod. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop_kit_test.h"
#include "panel_parts.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <gpiod.h>
#include <linux/input.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LED "class:rgb:status"
#define LED_FOLDER "rgb:status"

enum { RETRY_MS = 10000, HOUR_MS = 3600000, SHOWN_MAX = 4000 };

static struct loop loop;
static struct panel *panel;
static struct led_facts facts;
static int asked;     /* for the facts */
static char told[32]; /* what the button did, a letter each: s, h, l */
static char folder[] = "/tmp/panel_test.XXXXXX", path[128];

/* --- the owner -------------------------------------------------------------------------------- */

static void on_facts(struct panel_owner *owner, struct led_facts *f)
{
    (void)owner;
    *f = facts;
    asked++;
}

static void on_pressed(struct panel_owner *owner, enum button_event event)
{
    size_t n = strlen(told);
    (void)owner;
    assert_true(n + 1 < sizeof told);
    told[n] = "-shl"[event];
    told[n + 1] = 0;
}

static struct panel_owner panel_owner = {.facts = on_facts, .pressed = on_pressed};

static void open_panel(const char *led, const char *button)
{
    char error[PANEL_ERROR_MAX];
    assert_true(panel_check_led(led, error) && panel_check_button(button, error));
    panel = panel_open_in(folder, &loop, led, button, &panel_owner);
    assert_non_null(panel);
}

static void pass(int64_t ms)
{
    loop_kit_settle(&loop);
    loop_kit_run(&loop, ms);
}

static void assert_told(const char *letters)
{
    assert_string_equal(told, letters);
    told[0] = 0;
}

/* What is known from now on; the panel looks at once. */
static void know(struct led_facts f)
{
    facts = f;
    panel_look(panel);
}

static const struct led_facts of_state[LED_STATES] = {
    [LED_BOOTING] = {.booting = true},
    [LED_INITIALISING] = {.initialising = true},
    [LED_NORMAL] = {.data = true, .address = true},
    [LED_NO_METER_DATA] = {.address = true},
    [LED_NO_IP] = {.data = true},
    [LED_NO_DATA_NO_IP] = {.data = false},
    [LED_ACCESS_POINT] = {.data = true, .access_point = true},
    [LED_ACCESS_POINT_DARK] = {.access_point = true},
};

static const char *led_problem(void)
{
    return panel_get_info(panel).led_problem;
}

static const char *button_problem(void)
{
    return panel_get_info(panel).button_problem;
}

/* --- an LED of the kernel --------------------------------------------------------------------- */

static int intensity = -1; /* the other end of multi_intensity */

static const char *led_file(const char *name)
{
    snprintf(path, sizeof path, "%s/" LED_FOLDER "/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(led_file(name), "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static void assert_holds(const char *name, const char *text)
{
    char found[64] = "";
    FILE *f = fopen(led_file(name), "r");
    assert_non_null(f);
    found[fread(found, 1, sizeof found - 1, f)] = 0;
    fclose(f);
    assert_string_equal(found, text);
}

static void plug_led(const char *colors, const char *max)
{
    snprintf(path, sizeof path, "%s/" LED_FOLDER, folder);
    assert_int_equal(mkdir(path, 0700), 0);
    if (colors)
        put("multi_index", colors);
    put("max_brightness", max);
    put("brightness", "7\n");
    put("trigger", "none [heartbeat]\n");
    assert_int_equal(mkfifo(led_file("multi_intensity"), 0600), 0);
    intensity = open(led_file("multi_intensity"), O_RDWR | O_NONBLOCK);
    assert_true(intensity >= 0);
}

static void unplug_led(void)
{
    static const char *const files[] = {"multi_index", "max_brightness", "brightness", "trigger",
                                        "multi_intensity"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        (void)unlink(led_file(files[i]));
    snprintf(path, sizeof path, "%s/" LED_FOLDER, folder);
    (void)rmdir(path);
    if (intensity >= 0)
        close(intensity);
    intensity = -1;
}

/* What was written since the last look, a line each. */
static void assert_written(const char *lines)
{
    char found[SHOWN_MAX];
    ssize_t n = read(intensity, found, sizeof found - 1);
    assert_true(n >= 0 || errno == EAGAIN);
    found[n < 0 ? 0 : n] = 0;
    assert_string_equal(found, lines);
}

/* --- a button of the kernel ------------------------------------------------------------------- */

static int device = -1; /* the other end of the input device */
static uint8_t keys[KEY_MAX / 8 + 1], pressed_keys[KEY_MAX / 8 + 1];
static int ioctl_error;

static const char *device_path(void)
{
    snprintf(path, sizeof path, "%s/by-path:1.0-event", folder);
    return path;
}

static void set_bit(uint8_t *bits, int key, bool on)
{
    bits[key / 8] = (uint8_t)(on ? bits[key / 8] | 1 << key % 8 : bits[key / 8] & ~(1 << key % 8));
}

static void plug_button(void)
{
    assert_int_equal(mkfifo(device_path(), 0600), 0);
    device = open(device_path(), O_RDWR | O_NONBLOCK);
    assert_true(device >= 0);
    memset(keys, 0, sizeof keys);
    memset(pressed_keys, 0, sizeof pressed_keys);
    set_bit(keys, KEY_PROG1, true);
    set_bit(keys, KEY_A, true);
    ioctl_error = 0;
}

static void unplug_button(void)
{
    if (device >= 0)
        close(device);
    device = -1;
    (void)unlink(device_path());
}

static void send_event(int key, int value)
{
    const struct input_event e[] = {{.type = EV_KEY, .code = (uint16_t)key, .value = value},
                                    {.type = EV_SYN}};
    assert_int_equal(write(device, e, sizeof e), sizeof e);
    loop_kit_settle(&loop);
}

static void set_key(int key, bool down)
{
    set_bit(pressed_keys, key, down);
    send_event(key, down);
}

static void press_key(int key, int64_t ms)
{
    set_key(key, true);
    pass(ms);
    set_key(key, false);
    pass(1000);
}

/* Of a device that is one; in place of the C library's. */
int ioctl(int fd, unsigned long request, ...)
{
    struct stat st;
    va_list more;
    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    if (_IOC_TYPE(request) != 'E')
        return (int)syscall(SYS_ioctl, fd, request, argument);
    assert_int_equal(_IOC_SIZE(request), sizeof keys);
    errno = fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode) ? ENOTTY : ioctl_error;
    if (errno)
        return -1;
    memcpy(argument, request == EVIOCGKEY(sizeof keys) ? pressed_keys : keys, sizeof keys);
    return sizeof keys;
}

static const char *evdev(const char *key)
{
    static char option[2 * PANEL_PATH_MAX];
    snprintf(option, sizeof option, "evdev:%s%s", device_path(), key);
    return option;
}

/* --- a GPIO chip ------------------------------------------------------------------------------ */

enum { CHIP_LINES = 28 };

struct gpiod_chip {
    bool open;
};
struct gpiod_line {
    unsigned offset;
};

static struct gpiod_chip chip;
static struct gpiod_line chip_lines[CHIP_LINES];
static int chip_error, request_error; /* an errno; 0: fine */
static bool has_bias, line_value;
static int requested_flags;
static char lit[SHOWN_MAX]; /* what the lines showed since the last look: a word of letters each */
static int edges[2] = {-1, -1};

static void plug_chip(void)
{
    memset(&chip, 0, sizeof chip);
    for (unsigned i = 0; i < CHIP_LINES; i++)
        chip_lines[i].offset = i;
    chip_error = request_error = 0;
    has_bias = true;
    line_value = false;
    lit[0] = 0;
}

static int fail_with(int error)
{
    errno = error;
    return error ? -1 : 0;
}

struct gpiod_chip *gpiod_chip_open_lookup(const char *descr)
{
    if (fail_with(strcmp(descr, "gpiochip0") == 0 ? chip_error : ENOENT) < 0)
        return NULL;
    assert_false(chip.open);
    chip.open = true;
    return &chip;
}

void gpiod_chip_close(struct gpiod_chip *c)
{
    assert_true(c->open);
    c->open = false;
    for (int i = 0; i < 2; i++) {
        if (edges[i] >= 0)
            close(edges[i]);
        edges[i] = -1;
    }
}

struct gpiod_line *gpiod_chip_get_line(struct gpiod_chip *c, unsigned int offset)
{
    assert_true(c->open);
    return fail_with(offset < CHIP_LINES ? 0 : EINVAL) < 0 ? NULL : &chip_lines[offset];
}

int gpiod_chip_get_lines(struct gpiod_chip *c, unsigned int *offsets, unsigned int count,
                         struct gpiod_line_bulk *bulk)
{
    gpiod_line_bulk_init(bulk);
    for (unsigned i = 0; i < count; i++) {
        struct gpiod_line *line = gpiod_chip_get_line(c, offsets[i]);
        if (!line)
            return -1;
        gpiod_line_bulk_add(bulk, line);
    }
    return 0;
}

int gpiod_line_request_bulk_output_flags(struct gpiod_line_bulk *bulk, const char *consumer,
                                         int flags, const int *values)
{
    assert_int_equal(gpiod_line_bulk_num_lines(bulk), 3);
    assert_string_equal(consumer, "smart-connect");
    assert_true(!values[0] && !values[1] && !values[2]);
    requested_flags = flags;
    return fail_with(request_error);
}

int gpiod_line_set_value_bulk(struct gpiod_line_bulk *bulk, const int *values)
{
    size_t n = strlen(lit);
    assert_true(chip.open);
    assert_int_equal(gpiod_line_bulk_get_line(bulk, 0)->offset, 17);
    assert_int_equal(gpiod_line_bulk_get_line(bulk, 2)->offset, 22);
    if (fail_with(chip_error) < 0)
        return -1;
    snprintf(lit + n, sizeof lit - n, "%s%s%s%s", n ? " " : "", values[0] ? "R" : "",
             values[1] ? "G" : "",
             values[2]                ? "B"
             : values[0] || values[1] ? ""
                                      : "-");
    return 0;
}

int gpiod_line_request_both_edges_events_flags(struct gpiod_line *line, const char *consumer,
                                               int flags)
{
    const int bias = GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN;
    assert_int_equal(line->offset, 23);
    assert_string_equal(consumer, "smart-connect");
    if (fail_with(flags & bias && !has_bias ? EINVAL : request_error) < 0)
        return -1;
    requested_flags = flags;
    assert_int_equal(pipe2(edges, O_CLOEXEC), 0);
    return 0;
}

int gpiod_line_event_get_fd(struct gpiod_line *line)
{
    assert_int_equal(line->offset, 23);
    return edges[0];
}

int gpiod_line_get_value(struct gpiod_line *line)
{
    assert_int_equal(line->offset, 23);
    return fail_with(chip_error) < 0 ? -1 : line_value;
}

/* An edge that waits to be read. */
static void set_line(bool value)
{
    const struct timespec edge = {1, 2};
    line_value = value;
    assert_int_equal(write(edges[1], &edge, sizeof edge), sizeof edge);
}

static void press_line(int64_t ms)
{
    set_line(true);
    pass(ms);
    set_line(false);
    pass(1000);
}

static void assert_lit(const char *words)
{
    assert_string_equal(lit, words);
    lit[0] = 0;
}

/* --- setup ------------------------------------------------------------------------------------ */

static int start(void **unused)
{
    (void)unused;
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN);
    loop_init(&loop);
    memcpy(strrchr(folder, '.') + 1, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    facts = of_state[LED_BOOTING];
    asked = 0;
    told[0] = 0;
    panel = NULL;
    plug_chip();
    return 0;
}

static int end(void **unused)
{
    (void)unused;
    panel_close(panel);
    loop_close(&loop);
    unplug_led();
    unplug_button();
    assert_false(chip.open);
    return rmdir(folder);
}

/* --- options ---------------------------------------------------------------------------------- */

static void the_texts_of_options_are_checked(void **unused)
{
    static const char *const leds[] = {"off",
                                       "log",
                                       "class:status",
                                       "class:input3:rgb:indicator",
                                       "gpio:gpiochip0:17,27,22",
                                       "gpio:pinctrl-rp1:0,1,2,low"};
    static const char *const buttons[] = {"off",
                                          "evdev:/dev/input/event0",
                                          "evdev:/dev/input/event0:148",
                                          "evdev:/dev/input/by-path/pci-0:1:1.0-event",
                                          "gpio:gpiochip0:23",
                                          "gpio:gpiochip0:23,low"};
    char error[PANEL_ERROR_MAX];
    (void)unused;
    for (size_t i = 0; i < sizeof leds / sizeof leds[0]; i++)
        assert_true(panel_check_led(leds[i], error));
    for (size_t i = 0; i < sizeof buttons / sizeof buttons[0]; i++)
        assert_true(panel_check_button(buttons[i], error));
}

static void texts_that_mean_nothing_are_refused_and_quoted(void **unused)
{
    static const char *const leds[] = {"",
                                       "on",
                                       "Off",
                                       "class:",
                                       "class:..",
                                       "class:a/b",
                                       "gpio:",
                                       "gpio:c",
                                       "gpio:c:1,2",
                                       "gpio:c:1,2,3,4",
                                       "gpio:c:1,2,2",
                                       "gpio::1,2,3",
                                       "gpio:c:1,2,-3",
                                       "gpio:c:1,2,3,high",
                                       "gpio:c:1,2,10000",
                                       "gpio:c:1, 2,3",
                                       "evdev:/dev/x"};
    static const char *const buttons[] = {"",
                                          "log",
                                          "evdev:",
                                          "evdev:event0",
                                          "evdev:/dev/x:768",
                                          "evdev:/dev/x:99999999999999999999",
                                          "gpio:c",
                                          "gpio:c:",
                                          "gpio:c:1,2",
                                          "gpio:c:1,",
                                          "gpio:c:1low",
                                          "gpio:a-chip-of-a-name-that-is-too-long:1",
                                          "class:status"};
    char error[PANEL_ERROR_MAX], quoted[80];
    (void)unused;
    for (size_t i = 0; i < sizeof leds / sizeof leds[0]; i++) {
        assert_false(panel_check_led(leds[i], error));
        snprintf(quoted, sizeof quoted, "\"%s\": use off, log, ", leds[i]);
        assert_int_equal(strncmp(error, quoted, strlen(quoted)), 0);
    }
    for (size_t i = 0; i < sizeof buttons / sizeof buttons[0]; i++) {
        assert_false(panel_check_button(buttons[i], error));
        snprintf(quoted, sizeof quoted, "\"%s\": use off, evdev:", buttons[i]);
        assert_int_equal(strncmp(error, quoted, strlen(quoted)), 0);
    }
}

/* --- the state -------------------------------------------------------------------------------- */

static void facts_are_asked_for_ten_times_a_second_and_at_once_when_told(void **unused)
{
    (void)unused;
    open_panel("log", "off");
    assert_int_equal(asked, 1);
    pass(10000);
    assert_int_equal(asked, 101);
    know(of_state[LED_NO_IP]);
    assert_int_equal(asked, 102);
    assert_int_equal(panel_get_info(panel).led, LED_NO_IP);
}

static void without_an_led_a_second_is_soon_enough(void **unused)
{
    (void)unused;
    open_panel("off", "off");
    facts = of_state[LED_NORMAL];
    pass(10000);
    assert_in_range(asked, 10, 12);
    assert_int_equal(panel_get_info(panel).led, LED_NORMAL);
    assert_string_equal(led_problem(), "");
    assert_false(panel_get_info(panel).has_button);
}

/* --- the multicolour class -------------------------------------------------------------------- */

static void the_led_is_taken_over_and_red_at_once(void **unused)
{
    (void)unused;
    plug_led("red green blue\n", "255\n");
    open_panel(LED, "off");
    assert_written("255 0 0\n");
    assert_holds("brightness", "255\n");
    assert_holds("trigger", "none\n");
    assert_string_equal(led_problem(), "");
}

static void a_steady_colour_is_written_once(void **unused)
{
    (void)unused;
    plug_led("red green blue\n", "255\n");
    open_panel(LED, "off");
    know(of_state[LED_NORMAL]);
    pass(HOUR_MS);
    assert_written("255 0 0\n0 255 0\n");
    assert_holds("brightness", "255\n");
}

static void two_colours_are_written_twice_a_second(void **unused)
{
    static const struct {
        enum led_state state;
        const char *lines; /* of a period */
    } rows[] = {
        {LED_NO_METER_DATA, "255 0 0\n0 255 0\n"},     {LED_NO_IP, "0 255 0\n255 128 0\n"},
        {LED_NO_DATA_NO_IP, "255 0 0\n255 128 0\n"},   {LED_ACCESS_POINT, "0 0 255\n0 0 0\n"},
        {LED_ACCESS_POINT_DARK, "0 0 255\n255 0 0\n"},
    };
    char lines[100];
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        plug_led("red green blue\n", "255\n");
        facts = of_state[rows[i].state];
        open_panel(LED, "off");
        pass(1999);
        snprintf(lines, sizeof lines, "%s%s", rows[i].lines, rows[i].lines);
        assert_written(lines);
        panel_close(panel);
        unplug_led();
    }
    panel = NULL;
}

static void changing_colours_are_six_in_one_and_a_half_seconds(void **unused)
{
    (void)unused;
    plug_led("red green blue\n", "255\n");
    open_panel(LED, "off");
    know(of_state[LED_INITIALISING]);
    pass(1499);
    assert_written("255 0 0\n255 255 0\n0 255 0\n0 255 255\n0 0 255\n255 0 255\n");
}

/* Each state begins with its first colour, whenever the one before ended. */
static void a_pattern_begins_when_its_state_does(void **unused)
{
    (void)unused;
    plug_led("red green blue\n", "255\n");
    open_panel(LED, "off");
    know(of_state[LED_NO_DATA_NO_IP]);
    pass(700);
    know(of_state[LED_ACCESS_POINT]);
    assert_written("255 0 0\n255 128 0\n0 0 255\n");
    pass(499);
    assert_written("");
    pass(1);
    assert_written("0 0 0\n");
}

static void colours_are_written_in_the_leds_own_order_and_scale(void **unused)
{
    (void)unused;
    plug_led("blue amber green red white\n", "100\n");
    facts = of_state[LED_NO_IP];
    open_panel(LED, "off");
    pass(500);
    assert_written("0 0 100 0 0\n0 0 50 100 0\n");
    assert_holds("brightness", "100\n");
}

static void orange_is_red_and_green_on_an_led_that_is_on_or_off(void **unused)
{
    (void)unused;
    plug_led("red green blue", "1");
    facts = of_state[LED_NO_DATA_NO_IP];
    open_panel(LED, "off");
    pass(500);
    assert_written("1 0 0\n1 1 0\n");
}

static void an_led_that_cannot_be_ours_is_named(void **unused)
{
    static const struct {
        const char *colors, *problem;
    } rows[] = {
        {NULL, "it is no multicolour LED"},
        {"red green\n", "it has not the colours red, green and blue"},
        {"white red amber blue\n", "it has not the colours"},
        {"", "it has not the colours"},
        {"red green blue a b c d e f g h i j k l m n\n", "it has not the colours"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        plug_led(rows[i].colors, "255\n");
        open_panel(LED, "off");
        assert_non_null(strstr(led_problem(), rows[i].problem));
        assert_holds("trigger", "none [heartbeat]\n");
        assert_written("");
        panel_close(panel);
        unplug_led();
    }
    panel = NULL;
}

static void an_led_may_come_later(void **unused)
{
    (void)unused;
    open_panel(LED, "off");
    assert_non_null(strstr(led_problem(), LED_FOLDER ": No such file"));
    know(of_state[LED_NORMAL]);
    pass(RETRY_MS - 1);
    plug_led("red green blue\n", "255\n");
    assert_written("");
    pass(1);
    assert_written("0 255 0\n");
    assert_string_equal(led_problem(), "");
}

static void an_led_that_goes_is_looked_for_again(void **unused)
{
    (void)unused;
    plug_led("red green blue\n", "255\n");
    open_panel(LED, "off");
    know(of_state[LED_ACCESS_POINT]);
    unplug_led();
    pass(500);
    assert_non_null(strstr(led_problem(), "multi_intensity: "));
    pass(RETRY_MS);
    assert_non_null(strstr(led_problem(), "No such file"));
    plug_led("red green blue\n", "255\n");
    know(of_state[LED_NORMAL]);
    pass(RETRY_MS);
    assert_written("0 255 0\n");
    assert_holds("brightness", "255\n");
    assert_string_equal(led_problem(), "");
}

static void at_the_end_it_is_red(void **unused)
{
    (void)unused;
    plug_led("red green blue\n", "255\n");
    facts = of_state[LED_NORMAL];
    open_panel(LED, "off");
    panel_close(panel);
    panel = NULL;
    assert_written("0 255 0\n255 0 0\n");
}

/* --- three lines ------------------------------------------------------------------------------ */

static void three_lines_show_every_state(void **unused)
{
    static const char *const shows[LED_STATES] = {
        [LED_BOOTING] = "R",
        [LED_INITIALISING] = "R RG G GB B RB R RG",
        [LED_NORMAL] = "G",
        [LED_NO_METER_DATA] = "R G R G",
        [LED_NO_IP] = "G RG G RG",
        [LED_NO_DATA_NO_IP] = "R RG R RG",
        [LED_ACCESS_POINT] = "B - B -",
        [LED_ACCESS_POINT_DARK] = "B R B R",
    };
    (void)unused;
    for (int i = 0; i < LED_STATES; i++) {
        facts = of_state[i];
        open_panel("gpio:gpiochip0:17,27,22", "off");
        pass(1999);
        assert_lit(shows[i]);
        assert_int_equal(requested_flags, 0);
        panel_close(panel);
        lit[0] = 0;
    }
    panel = NULL;
}

static void lines_that_light_when_low_are_asked_for_as_such(void **unused)
{
    (void)unused;
    open_panel("gpio:gpiochip0:17,27,22,low", "off");
    assert_int_equal(requested_flags, GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW);
    assert_lit("R");
}

static void lines_that_cannot_be_had_are_tried_again(void **unused)
{
    static const struct {
        int chip, request;
        const char *led, *problem;
    } rows[] = {
        {ENOENT, 0, "gpio:gpiochip0:17,27,22", "GPIO chip gpiochip0: No such file"},
        {EACCES, 0, "gpio:gpiochip0:17,27,22", "GPIO chip gpiochip0: Permission denied"},
        {0, EBUSY, "gpio:gpiochip0:17,27,22", "the kernel or another program has the line"},
        {0, EINVAL, "gpio:gpiochip0:17,27,22", "it has no such line"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        chip_error = rows[i].chip;
        request_error = rows[i].request;
        open_panel(rows[i].led, "off");
        assert_non_null(strstr(led_problem(), rows[i].problem));
        assert_false(chip.open);
        chip_error = request_error = 0;
        pass(RETRY_MS);
        assert_string_equal(led_problem(), "");
        assert_lit("R");
        panel_close(panel);
        lit[0] = 0;
    }
    panel = NULL;
}

static void a_line_the_chip_has_not_is_named(void **unused)
{
    (void)unused;
    open_panel("gpio:gpiochip0:17,27,28", "off");
    assert_non_null(strstr(led_problem(), "it has no such line"));
}

static void a_chip_that_goes_is_looked_for_again(void **unused)
{
    (void)unused;
    open_panel("gpio:gpiochip0:17,27,22", "off");
    chip_error = ENODEV;
    know(of_state[LED_NORMAL]);
    assert_non_null(strstr(led_problem(), "No such device"));
    assert_false(chip.open);
    chip_error = 0;
    pass(RETRY_MS);
    assert_lit("R G");
}

/* --- an input device -------------------------------------------------------------------------- */

static void a_key_does_what_its_time_says(void **unused)
{
    (void)unused;
    plug_button();
    open_panel("off", evdev(""));
    press_key(KEY_PROG1, 200);
    assert_told("s");
    press_key(KEY_PROG1, 3000);
    assert_told("");
    press_key(KEY_PROG1, 6000);
    assert_told("h");
    press_key(KEY_PROG1, 20000);
    assert_told("hl");
}

static void the_latest_use_and_the_level_are_known(void **unused)
{
    struct panel_info info;
    (void)unused;
    plug_button();
    open_panel("off", evdev(""));
    info = panel_get_info(panel);
    assert_true(info.has_button && !info.down && info.last == BUTTON_NOTHING);
    set_key(KEY_A, true);
    pass(BUTTON_HELD_MS);
    info = panel_get_info(panel);
    assert_true(info.down && info.last == BUTTON_HELD);
    int64_t at_ms = info.last_ms;
    set_key(KEY_A, false);
    pass(1000);
    info = panel_get_info(panel);
    assert_true(!info.down && info.last == BUTTON_HELD && info.last_ms == at_ms);
    press_key(KEY_A, 100);
    info = panel_get_info(panel);
    assert_true(info.last == BUTTON_SHORT && info.last_ms > at_ms);
}

static void repeats_are_no_presses(void **unused)
{
    (void)unused;
    plug_button();
    open_panel("off", evdev(":148"));
    set_key(KEY_PROG1, true);
    for (int i = 0; i < 40; i++, pass(33))
        send_event(KEY_PROG1, 2);
    set_key(KEY_PROG1, false);
    pass(1000);
    assert_told("s");
}

static void other_keys_are_not_the_button(void **unused)
{
    (void)unused;
    plug_button();
    open_panel("off", evdev(":148"));
    press_key(KEY_A, 200);
    press_key(KEY_A, BUTTON_LONG_MS);
    assert_told("");
    press_key(KEY_PROG1, 200);
    assert_told("s");
}

/* Two keys of one device are one button, which is up when both are. */
static void any_key_will_do_where_none_is_named(void **unused)
{
    (void)unused;
    plug_button();
    open_panel("off", evdev(""));
    set_key(KEY_A, true);
    pass(500);
    set_key(KEY_PROG1, true);
    pass(500);
    set_key(KEY_A, false);
    pass(500);
    assert_told("");
    set_key(KEY_PROG1, false);
    pass(1000);
    assert_told("s");
}

static void a_key_that_is_down_at_start_means_nothing(void **unused)
{
    (void)unused;
    plug_button();
    set_bit(pressed_keys, KEY_PROG1, true);
    open_panel("off", evdev(""));
    assert_true(panel_get_info(panel).down);
    pass(BUTTON_LONG_MS);
    set_key(KEY_PROG1, false);
    pass(1000);
    assert_told("");
    press_key(KEY_PROG1, 100);
    assert_told("s");
}

/* The finger may still be on it when it comes back. */
static void a_device_that_goes_takes_its_press_along(void **unused)
{
    (void)unused;
    plug_button();
    open_panel("off", evdev(""));
    set_key(KEY_PROG1, true);
    pass(4000);
    unplug_button();
    pass(0);
    assert_string_equal(button_problem(), "the device is gone");
    assert_false(panel_get_info(panel).down);
    pass(RETRY_MS);
    assert_non_null(strstr(button_problem(), "No such file"));
    plug_button();
    set_bit(pressed_keys, KEY_PROG1, true);
    pass(RETRY_MS);
    assert_string_equal(button_problem(), "");
    pass(BUTTON_LONG_MS);
    assert_told("");
    set_key(KEY_PROG1, false);
    pass(1000);
    press_key(KEY_PROG1, 100);
    assert_told("s");
}

static void a_device_that_answers_no_more_is_looked_for_again(void **unused)
{
    (void)unused;
    plug_button();
    open_panel("off", evdev(""));
    ioctl_error = ENODEV;
    set_key(KEY_PROG1, true);
    assert_non_null(strstr(button_problem(), "No such device"));
    set_bit(pressed_keys, KEY_PROG1, false);
    ioctl_error = 0;
    pass(RETRY_MS);
    assert_string_equal(button_problem(), "");
    press_key(KEY_PROG1, 100);
    assert_told("s");
}

static void what_is_no_button_is_named(void **unused)
{
    (void)unused;
    open_panel("off", "evdev:/dev/null");
    assert_string_equal(button_problem(), "it is no input device");
    panel_close(panel);
    plug_button();
    open_panel("off", evdev(":30"));
    assert_string_equal(button_problem(), "");
    panel_close(panel);
    open_panel("off", evdev(":31"));
    assert_string_equal(button_problem(), "it has no such key");
    panel_close(panel);
    memset(keys, 0, sizeof keys);
    open_panel("off", evdev(""));
    assert_string_equal(button_problem(), "it has no keys");
}

/* --- a line ----------------------------------------------------------------------------------- */

static void a_line_does_what_its_time_says(void **unused)
{
    (void)unused;
    open_panel("off", "gpio:gpiochip0:23");
    assert_int_equal(requested_flags, GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_DOWN);
    press_line(200);
    assert_told("s");
    press_line(6000);
    assert_told("h");
    press_line(20000);
    assert_told("hl");
}

static void a_line_that_is_low_when_pressed_is_pulled_up(void **unused)
{
    (void)unused;
    open_panel("off", "gpio:gpiochip0:23,low");
    assert_int_equal(requested_flags,
                     GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW | GPIOD_LINE_REQUEST_FLAG_BIAS_PULL_UP);
    press_line(200);
    assert_told("s");
}

static void a_chip_without_pull_resistors_will_do(void **unused)
{
    (void)unused;
    has_bias = false;
    open_panel("off", "gpio:gpiochip0:23,low");
    assert_int_equal(requested_flags, GPIOD_LINE_REQUEST_FLAG_ACTIVE_LOW);
    assert_string_equal(button_problem(), "");
    press_line(200);
    assert_told("s");
}

static void a_line_that_bounces_is_one_press(void **unused)
{
    (void)unused;
    open_panel("off", "gpio:gpiochip0:23");
    for (int i = 0; i < 9; i++, pass(3))
        set_line(i % 2 == 0);
    pass(300);
    for (int i = 0; i < 9; i++, pass(3))
        set_line(i % 2 != 0);
    pass(1000);
    assert_told("s");
}

/* The loop was busy for six seconds, and the timer is looked at before what waits to be read. */
static void a_finger_that_left_while_the_loop_was_late_held_nothing(void **unused)
{
    (void)unused;
    open_panel("off", "gpio:gpiochip0:23");
    set_line(true);
    pass(1000);
    set_line(false);
    loop_kit_pass(&loop, BUTTON_HELD_MS);
    pass(1000);
    assert_told("");
}

static void a_line_that_cannot_be_had_is_tried_again(void **unused)
{
    (void)unused;
    request_error = EBUSY;
    open_panel("off", "gpio:gpiochip0:23");
    assert_non_null(strstr(button_problem(), "another program has the line"));
    assert_false(chip.open);
    request_error = 0;
    pass(RETRY_MS);
    assert_string_equal(button_problem(), "");
    chip_error = ENODEV;
    set_line(true);
    pass(0);
    assert_non_null(strstr(button_problem(), "No such device"));
    chip_error = 0;
    pass(RETRY_MS);
    set_line(false);
    pass(1000);
    press_line(100);
    assert_told("s");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_texts_of_options_are_checked),
        TEST(texts_that_mean_nothing_are_refused_and_quoted),
        TEST(facts_are_asked_for_ten_times_a_second_and_at_once_when_told),
        TEST(without_an_led_a_second_is_soon_enough),
        TEST(the_led_is_taken_over_and_red_at_once),
        TEST(a_steady_colour_is_written_once),
        TEST(two_colours_are_written_twice_a_second),
        TEST(changing_colours_are_six_in_one_and_a_half_seconds),
        TEST(a_pattern_begins_when_its_state_does),
        TEST(colours_are_written_in_the_leds_own_order_and_scale),
        TEST(orange_is_red_and_green_on_an_led_that_is_on_or_off),
        TEST(an_led_that_cannot_be_ours_is_named),
        TEST(an_led_may_come_later),
        TEST(an_led_that_goes_is_looked_for_again),
        TEST(at_the_end_it_is_red),
        TEST(three_lines_show_every_state),
        TEST(lines_that_light_when_low_are_asked_for_as_such),
        TEST(lines_that_cannot_be_had_are_tried_again),
        TEST(a_line_the_chip_has_not_is_named),
        TEST(a_chip_that_goes_is_looked_for_again),
        TEST(a_key_does_what_its_time_says),
        TEST(the_latest_use_and_the_level_are_known),
        TEST(repeats_are_no_presses),
        TEST(other_keys_are_not_the_button),
        TEST(any_key_will_do_where_none_is_named),
        TEST(a_key_that_is_down_at_start_means_nothing),
        TEST(a_device_that_goes_takes_its_press_along),
        TEST(a_device_that_answers_no_more_is_looked_for_again),
        TEST(what_is_no_button_is_named),
        TEST(a_line_does_what_its_time_says),
        TEST(a_line_that_is_low_when_pressed_is_pulled_up),
        TEST(a_chip_without_pull_resistors_will_do),
        TEST(a_line_that_bounces_is_one_press),
        TEST(a_finger_that_left_while_the_loop_was_late_held_nothing),
        TEST(a_line_that_cannot_be_had_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
