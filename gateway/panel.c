#include "panel.h"

#include "heap.h"
#include "log.h"
#include "panel_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOOK_MS = 100,         /* nobody sees that an LED is later than that */
    LOOK_UNSEEN_MS = 1000, /* without an LED it is only told by the API */
    RETRY_MS = 10000,
    EVENTS_MAX = 4096, /* bytes read at once from a button */
    TEXT_MAX = 256
};

/* One of the two, and what it is wired to. */
struct wire {
    struct panel *panel;
    const char *name;        /* for the log */
    struct panel_part *part; /* NULL: there is none */
    void (*opened)(struct panel *p);
    void (*closing)(struct panel *p);
    struct loop_timer retry;
    bool open;
    char text[TEXT_MAX], problem[PANEL_PROBLEM_MAX];
};

struct panel {
    struct loop *loop;
    struct panel_owner *owner;
    struct loop_timer look;
    /* the LED */
    struct wire led;
    struct loop_timer step; /* to the next colour */
    enum led_state state;
    int64_t since_ms;
    struct led_color shown;
    bool logs;     /* --led log */
    bool is_shown; /* `shown` is what the LED shows */
    /* the button */
    struct wire contact;
    struct loop_fd watch;
    struct loop_timer due;
    struct button button;
    enum button_event last;
    int64_t last_ms;
};

/* --- options ---------------------------------------------------------------------------------- */

static const struct panel_kind *const led_kinds[] = {&panel_led_class, &panel_led_gpio, NULL};
static const struct panel_kind *const button_kinds[] = {&panel_button_evdev, &panel_button_gpio,
                                                        NULL};

/* Makes a part, not opened.  NULL: the text is none of these kinds, or memory is out. */
static struct panel_part *make_part(const struct panel_kind *const *kinds, const char *text)
{
    while (*kinds && strncmp(text, (*kinds)->scheme, strlen((*kinds)->scheme)) != 0)
        kinds++;
    struct panel_part *part = *kinds ? heap_new((*kinds)->size) : NULL;
    if (!part)
        return NULL;
    part->kind = *kinds;
    part->fd = -1;
    if (part->kind->configure(part, text + strlen(part->kind->scheme)))
        return part;
    free(part);
    return NULL;
}

static bool is_of(const struct panel_kind *const *kinds, const char *text)
{
    struct panel_part *part = make_part(kinds, text);
    free(part);
    return part != NULL;
}

static bool is_off(const char *text)
{
    return strcmp(text, "off") == 0;
}

static bool is_log(const char *text)
{
    return strcmp(text, "log") == 0;
}

bool panel_check_led(const char *text, char error[static PANEL_ERROR_MAX])
{
    if (is_off(text) || is_log(text) || is_of(led_kinds, text))
        return true;
    snprintf(error, PANEL_ERROR_MAX,
             "\"%.60s\": use off, log, class:NAME with a name of " PANEL_LEDS_FOLDER
             ", or gpio:CHIP:RED,GREEN,BLUE[,low] with three lines such as "
             "gpio:gpiochip0:17,27,22",
             text);
    return false;
}

bool panel_check_button(const char *text, char error[static PANEL_ERROR_MAX])
{
    if (is_off(text) || is_of(button_kinds, text))
        return true;
    snprintf(error, PANEL_ERROR_MAX,
             "\"%.60s\": use off, evdev:PATH[:KEY] such as evdev:/dev/input/event0, or "
             "gpio:CHIP:LINE[,low] such as gpio:gpiochip0:23,low",
             text);
    return false;
}

/* --- wires ------------------------------------------------------------------------------------ */

static void close_wire(struct wire *w)
{
    if (!w->part)
        return;
    w->closing(w->panel);
    w->part->kind->close(w->part);
    w->open = false;
}

static void lose(struct wire *w, const char *problem)
{
    if (strcmp(problem, w->problem) != 0)
        log_warning("panel", "%s %s: %s; trying again every %d s", w->name, w->text, problem,
                    RETRY_MS / 1000);
    snprintf(w->problem, sizeof w->problem, "%s", problem);
    close_wire(w);
    loop_set_timer(w->panel->loop, &w->retry, RETRY_MS);
}

static void on_retry(struct loop_timer *timer)
{
    struct wire *w = CONTAINER_OF(timer, struct wire, retry);
    char problem[PANEL_PROBLEM_MAX];
    if (!w->part->kind->open(w->part, problem)) {
        lose(w, problem);
        return;
    }
    w->open = true;
    w->opened(w->panel);
    if (!w->open)
        return;
    w->problem[0] = 0;
    log_info("panel", "%s %s is there", w->name, w->text);
}

/* --- LED -------------------------------------------------------------------------------------- */

static bool is_same(struct led_color a, struct led_color b)
{
    return a.red == b.red && a.green == b.green && a.blue == b.blue;
}

/* Writes nothing that is there already. */
static void show(struct panel *p, struct led_color color)
{
    char problem[PANEL_PROBLEM_MAX];
    if (p->is_shown && is_same(color, p->shown))
        return;
    p->shown = color;
    p->is_shown = p->led.part->kind->show(p->led.part, color, problem);
    if (!p->is_shown)
        lose(&p->led, problem);
}

/* The colour of now, and the time of the next. */
static void play(struct panel *p)
{
    int64_t since_ms = p->loop->now_ms - p->since_ms;
    int64_t change_ms = led_change_ms(p->state, since_ms);
    if (!p->led.open)
        return;
    if (change_ms >= 0)
        loop_set_timer(p->loop, &p->step, change_ms);
    else
        loop_cancel_timer(p->loop, &p->step);
    show(p, led_color_at(p->state, since_ms));
}

static void on_step(struct loop_timer *timer)
{
    play(CONTAINER_OF(timer, struct panel, step));
}

static void on_led_closing(struct panel *p)
{
    loop_cancel_timer(p->loop, &p->step);
    p->is_shown = false;
}

static void enter(struct panel *p, enum led_state state)
{
    p->state = state;
    p->since_ms = p->loop->now_ms;
    if (p->logs)
        log_info("led", "%s (%s)", led_patterns[state].color, led_patterns[state].name);
    play(p);
}

static enum led_state ask_state(struct panel *p)
{
    struct led_facts facts = {false};
    p->owner->facts(p->owner, &facts);
    return led_state_of(&facts);
}

void panel_look(struct panel *p)
{
    enum led_state state = ask_state(p);
    if (state != p->state)
        enter(p, state);
}

static void on_look(struct loop_timer *timer)
{
    struct panel *p = CONTAINER_OF(timer, struct panel, look);
    panel_look(p);
    loop_set_timer(p->loop, &p->look, p->logs || p->led.part ? LOOK_MS : LOOK_UNSEEN_MS);
}

/* --- button ----------------------------------------------------------------------------------- */

static void tell(struct panel *p, enum button_event event)
{
    p->last = event;
    p->last_ms = p->loop->now_ms;
    log_info("panel", "the button: %s", button_event_names[event]);
    p->owner->pressed(p->owner, event);
}

/* Asks for the level before time is judged: a finger may have left while the loop was late. */
static void take_level(struct panel *p)
{
    char problem[PANEL_PROBLEM_MAX];
    enum button_event event;
    int level = p->contact.part->kind->level(p->contact.part, problem);
    if (level < 0) {
        lose(&p->contact, problem);
        return;
    }
    button_set(&p->button, level, p->loop->now_ms);
    while ((event = button_step(&p->button, p->loop->now_ms)) != BUTTON_NOTHING)
        tell(p, event);
    int64_t due_ms = button_due_ms(&p->button, p->loop->now_ms);
    if (due_ms >= 0)
        loop_set_timer(p->loop, &p->due, due_ms);
    else
        loop_cancel_timer(p->loop, &p->due);
}

static void on_due(struct loop_timer *timer)
{
    take_level(CONTAINER_OF(timer, struct panel, due));
}

/* What more there is to read comes in the next round. */
static void on_contact(struct loop_fd *watch, uint32_t events)
{
    struct panel *p = CONTAINER_OF(watch, struct panel, watch);
    char bytes[EVENTS_MAX];
    ssize_t n = read(watch->fd, bytes, sizeof bytes);
    (void)events;
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        take_level(p);
    else
        lose(&p->contact, n == 0 ? "the device is gone" : strerror(errno));
}

static void on_contact_opened(struct panel *p)
{
    char problem[PANEL_PROBLEM_MAX];
    int level = p->contact.part->kind->level(p->contact.part, problem);
    button_init(&p->button, level > 0, p->loop->now_ms);
    p->watch = (struct loop_fd){.ready = on_contact, .fd = p->contact.part->fd};
    if (level < 0)
        lose(&p->contact, problem);
    else if (loop_watch(p->loop, &p->watch, EPOLLIN) < 0)
        lose(&p->contact, strerror(errno));
}

/* A press that was under way is none. */
static void on_contact_closing(struct panel *p)
{
    loop_cancel_timer(p->loop, &p->due);
    loop_watch(p->loop, &p->watch, 0);
    button_init(&p->button, false, p->loop->now_ms);
}

/* --- life ------------------------------------------------------------------------------------- */

/* False: memory is out. */
static bool make_wire(struct wire *w, const struct panel_kind *const *kinds, const char *text,
                      const char *leds_folder)
{
    snprintf(w->text, sizeof w->text, "%s", text);
    if (is_off(text) || is_log(text))
        return true;
    w->part = make_part(kinds, text);
    w->retry.expired = on_retry;
    if (w->part)
        w->part->leds_folder = leds_folder;
    return w->part != NULL;
}

static void start(struct panel *p)
{
    p->look.expired = on_look;
    p->step.expired = on_step;
    p->due.expired = on_due;
    enter(p, ask_state(p));
    if (p->led.part)
        on_retry(&p->led.retry);
    if (p->contact.part)
        on_retry(&p->contact.retry);
    loop_set_timer(p->loop, &p->look, LOOK_MS);
}

struct panel *panel_open_in(const char *leds_folder, struct loop *l, const char *led,
                            const char *button, struct panel_owner *owner)
{
    struct panel *p = heap_new(sizeof *p);
    if (!p)
        return NULL;
    p->loop = l;
    p->owner = owner;
    p->logs = is_log(led);
    p->led = (struct wire){.panel = p, .name = "LED", .opened = play, .closing = on_led_closing};
    p->contact = (struct wire){
        .panel = p, .name = "button", .opened = on_contact_opened, .closing = on_contact_closing};
    if (make_wire(&p->led, led_kinds, led, leds_folder) &&
        make_wire(&p->contact, button_kinds, button, leds_folder)) {
        start(p);
        return p;
    }
    panel_close(p);
    return NULL;
}

struct panel *panel_open(struct loop *l, const char *led, const char *button,
                         struct panel_owner *owner)
{
    return panel_open_in(PANEL_LEDS_FOLDER, l, led, button, owner);
}

static void free_wire(struct wire *w)
{
    loop_cancel_timer(w->panel->loop, &w->retry);
    close_wire(w);
    free(w->part);
}

void panel_close(struct panel *p)
{
    if (!p)
        return;
    if (p->led.open)
        show(p, led_color_at(LED_BOOTING, 0));
    loop_cancel_timer(p->loop, &p->look);
    free_wire(&p->led);
    free_wire(&p->contact);
    free(p);
}

struct panel_info panel_get_info(const struct panel *p)
{
    return (struct panel_info){.led = p->state,
                               .led_problem = p->led.problem,
                               .has_button = p->contact.part != NULL,
                               .down = p->button.down,
                               .last = p->last,
                               .last_ms = p->last_ms,
                               .button_problem = p->contact.problem};
}
