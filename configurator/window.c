#include "window.h"

#include "device.h"
#include "field.h"

#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What can be chosen, from top to bottom. */
enum place {
    PLACE_PORT,
    PLACE_FIELDS,
    PLACE_READ = PLACE_FIELDS + FIELDS,
    PLACE_UPDATE,
    PLACE_QUIT,
    PLACES
};

/* Rows and columns of 24 and 80. */
enum {
    ROW_TITLE = 0,
    ROW_PORT = 2,
    ROW_PORT_NOTE,
    ROW_P1 = 4,
    ROW_BUS = 8,
    ROW_DEVICE = 15,
    ROW_BUTTONS = 18,
    ROW_MESSAGE = 20,
    ROW_HELP = 23,
    MESSAGE_ROWS = 3,
    COLUMN_TEXT = 2,
    COLUMN_VALUE = 28,
    COLUMN_NOTE = 54,
    COLUMN_END = 80
};

struct window {
    struct port ports[PORTS_MAX];
    size_t port_count, port;
    int timeout_ms;
    bool has_read;        /* device and wanted say something */
    struct device device; /* as it was read last */
    struct p1mb_setup wanted;
    unsigned place;
    bool typing; /* digits of an address that began here */
    bool is_error, quit;
    char message[DEVICE_PROBLEM_MAX];
};

static void say(struct window *w, bool is_error, const char *message)
{
    w->is_error = is_error;
    snprintf(w->message, sizeof w->message, "%s", message);
}

/* --- what is shown ---------------------------------------------------------------------------- */

static void put(int row, int column, attr_t look, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* One line, cut where the screen ends. */
static void put(int row, int column, attr_t look, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    attrset((int)look);
    int end = COLS < COLUMN_END ? COLS : COLUMN_END;
    if (column < end)
        mvaddnstr(row, column, text, end - column);
    attrset(A_NORMAL);
}

/* Breaks lines at blanks. */
static void put_wrapped(int row, int rows, attr_t look, const char *text)
{
    const size_t width = COLUMN_END - COLUMN_TEXT;
    for (; rows > 0 && *text; rows--, row++) {
        size_t n = strlen(text);
        if (n > width)
            for (n = width; n > 1 && text[n] != ' '; n--)
                ;
        put(row, COLUMN_TEXT, look, "%.*s", (int)n, text);
        text += n;
        text += strspn(text, " ");
    }
}

/* A value to choose: bold, inverted where the user is, grey while it means nothing. */
static void put_choice(const struct window *w, unsigned place, int row, bool is_live,
                       const char *value)
{
    const size_t width = COLUMN_END - COLUMN_VALUE - sizeof "< .. >", n = strlen(value);
    attr_t look = (w->place == place ? A_REVERSE : A_NORMAL) | (is_live ? A_BOLD : A_DIM);
    if (n > width) { /* the end of a path tells it from others */
        put(row, COLUMN_VALUE, look, "< ..%s >", value + n - width);
        return;
    }
    put(row, COLUMN_VALUE, look, "< %s >", value);
}

static void draw_port(const struct window *w)
{
    const struct port *p = &w->ports[w->port];
    put(ROW_PORT, COLUMN_TEXT, A_NORMAL, "Serial port");
    if (w->port_count == 0) {
        put_choice(w, PLACE_PORT, ROW_PORT, false, "none found");
        return;
    }
    put_choice(w, PLACE_PORT, ROW_PORT, true, p->path);
    if (p->problem[0])
        put(ROW_PORT_NOTE, COLUMN_VALUE, A_NORMAL, "cannot be opened; Read tells why");
    else
        put(ROW_PORT_NOTE, COLUMN_VALUE, A_NORMAL, "%s %s%s%s", p->maker, p->product,
            p->serial[0] ? ", serial number " : "", p->serial);
}

static void draw_field(const struct window *w, unsigned i)
{
    char wanted[FIELD_NAME_MAX], active[FIELD_NAME_MAX];
    int row = ROW_BUS + 1 + (int)i;
    put(row, COLUMN_TEXT + 2, A_NORMAL, "%s", fields[i].title);
    if (!w->has_read) {
        put_choice(w, PLACE_FIELDS + i, row, false, "-");
        return;
    }
    field_show(&fields[i], &w->device.facts, &w->wanted, wanted);
    field_show(&fields[i], &w->device.facts, &w->device.active, active);
    put_choice(w, PLACE_FIELDS + i, row, true, wanted);
    if (strcmp(wanted, active) != 0)
        put(row, COLUMN_NOTE, A_NORMAL, "active: %s", active);
}

static void draw_device(const struct window *w)
{
    const struct facts *f = &w->device.facts;
    char version[FACTS_VERSION_MAX];
    put(ROW_DEVICE, COLUMN_TEXT, A_NORMAL, "Device");
    if (!w->has_read) {
        put(ROW_DEVICE, COLUMN_VALUE, A_DIM, "not read yet");
        return;
    }
    facts_version(f, version);
    put(ROW_DEVICE, COLUMN_VALUE, A_NORMAL, "%s %s, serial number %s", facts_text(f, FACTS_PRODUCT),
        version, facts_text(f, FACTS_SERIAL));
    put(ROW_DEVICE + 1, COLUMN_VALUE, A_NORMAL, "board %s", facts_text(f, FACTS_BOARD));
}

static void draw_buttons(const struct window *w)
{
    static const char *const names[] = {"[ Read ]", "[ Update ]", "[ Quit ]"};
    int column = COLUMN_VALUE;
    for (unsigned i = 0; i < PLACES - PLACE_READ; i++) {
        put(ROW_BUTTONS, column, w->place == PLACE_READ + i ? A_REVERSE : A_NORMAL, "%s", names[i]);
        column += (int)strlen(names[i]) + 2;
    }
}

static void draw(const struct window *w)
{
    erase();
    put(ROW_TITLE, 0, A_REVERSE, "%-79s", " P1MB Configurator " SMART_CONNECT_VERSION);
    draw_port(w);
    put(ROW_P1, COLUMN_TEXT, A_UNDERLINE, "P1 interface");
    put(ROW_P1 + 1, COLUMN_TEXT + 2, A_NORMAL, "%-26s%s", "P1 baud rate", "115200  (fixed)");
    put(ROW_P1 + 2, COLUMN_TEXT + 2, A_NORMAL, "%-26s%s", "P1 line settings", "8N1  (fixed)");
    put(ROW_BUS, COLUMN_TEXT, A_UNDERLINE, "Modbus interface");
    for (unsigned i = 0; i < FIELDS; i++)
        draw_field(w, i);
    draw_device(w);
    draw_buttons(w);
    put_wrapped(ROW_MESSAGE, MESSAGE_ROWS, w->is_error ? A_BOLD : A_NORMAL, w->message);
    put(ROW_HELP, 0, A_REVERSE, "%-79s",
        " Up, Down, Tab: go  Left, Right: change  Enter: do  r: read  u: update  q: quit");
    refresh();
}

/* --- what the user does ----------------------------------------------------------------------- */

static void begin(struct window *w, const char *what)
{
    say(w, false, what);
    draw(w);
}

static void read_device(struct window *w)
{
    w->has_read = false;
    if (w->port_count == 0)
        w->port_count = port_list("", w->ports, PORTS_MAX);
    if (w->port_count == 0) {
        say(w, true, "No serial port found: plug the configurator cable in, then read.");
        return;
    }
    begin(w, "Reading ...");
    w->has_read = device_open(&w->device, w->ports[w->port].path, w->timeout_ms);
    device_close(&w->device);
    w->wanted = w->device.next;
    say(w, !w->has_read,
        w->has_read ? "Read. Change what you want, then update." : w->device.problem);
}

/* Opens the device that was read, and no other. */
static bool open_again(struct window *w, struct device *d)
{
    if (!device_open(d, w->ports[w->port].path, w->timeout_ms))
        return false;
    if (d->facts.firmware == w->device.facts.firmware &&
        strcmp(facts_text(&d->facts, FACTS_SERIAL), facts_text(&w->device.facts, FACTS_SERIAL)) == 0)
        return true;
    snprintf(d->problem, sizeof d->problem,
             "This is another P1MB than the one that was read: read it first.");
    return false;
}

static void update_device(struct window *w)
{
    static const char *const said[] = {
        [UPDATE_NOTHING] = "Nothing to change: the P1MB has these settings already.",
        [UPDATE_WRITTEN] = "Written.",
        [UPDATE_ACTIVE] = "Written and read back; the P1MB has rebooted and runs with them now.",
    };
    static struct device d;
    enum device_update update = UPDATE_FAILED;
    if (!w->has_read) {
        say(w, true, "Read the P1MB first.");
        return;
    }
    begin(w, "Updating ...");
    if (open_again(w, &d))
        update = device_update(&d, &w->wanted, true);
    device_close(&d);
    say(w, update == UPDATE_FAILED, update == UPDATE_FAILED ? d.problem : said[update]);
    if (update != UPDATE_FAILED)
        w->device = d;
}

static void quit(struct window *w)
{
    w->quit = true;
}

/* Of the buttons, in their order. */
static void (*const actions[])(struct window *w) = {read_device, update_device, quit};

static void go(struct window *w, unsigned steps)
{
    w->place = (w->place + steps) % PLACES;
    w->typing = false;
}

/* The value before or behind, round and round. */
static size_t turned(size_t value, size_t count, bool back)
{
    return count ? (value + (back ? count - 1 : 1)) % count : 0;
}

/* The setting the user is at, once there is something to change; else NULL. */
static const struct field *chosen_field(const struct window *w)
{
    bool is_field = w->place >= PLACE_FIELDS && w->place < PLACE_READ;
    return is_field && w->has_read ? &fields[w->place - PLACE_FIELDS] : NULL;
}

static void turn(struct window *w, bool back)
{
    const struct field *field = chosen_field(w);
    if (w->place == PLACE_PORT) {
        w->port = turned(w->port, w->port_count, back);
        w->has_read &= w->port_count < 2;
    } else if (w->place >= PLACE_READ) {
        go(w, back ? PLACES - 1 : 1);
    } else if (field) {
        size_t count = field->count(&w->device.facts);
        field->set(&w->wanted, (unsigned)turned(field->get(&w->wanted), count, back));
        w->typing = false;
    }
}

/* Digits make a number of those the setting may be. */
static void type(struct window *w, int digit)
{
    const struct field *field = chosen_field(w);
    char old[FIELD_NAME_MAX], text[FIELD_NAME_MAX + 2];
    if (!field)
        return;
    field_show(field, &w->device.facts, &w->wanted, old);
    snprintf(text, sizeof text, "%s%c", w->typing ? old : "", digit);
    int value = field_find(field, &w->device.facts, text);
    if (value < 0)
        value = field_find(field, &w->device.facts, text + strlen(text) - 1);
    if (value >= 0)
        field->set(&w->wanted, (unsigned)value);
    w->typing = value >= 0;
}

static void act(struct window *w)
{
    if (w->place >= PLACE_READ)
        actions[w->place - PLACE_READ](w);
    else
        go(w, 1);
}

static void press(struct window *w, int key)
{
    if (key == KEY_DOWN || key == '\t')
        go(w, 1);
    else if (key == KEY_UP || key == KEY_BTAB)
        go(w, PLACES - 1);
    else if (key == KEY_LEFT || key == KEY_RIGHT)
        turn(w, key == KEY_LEFT);
    else if (key == '\n' || key == KEY_ENTER)
        act(w);
    else if (key >= '0' && key <= '9')
        type(w, key);
    else if (key == 'r' || key == 'u' || key == 'q')
        actions[key == 'r' ? 0 : key == 'u' ? 1 : 2](w);
}

bool window_run(const char *path, int timeout_ms)
{
    enum { LOOK_MS = 200 }; /* for a Ctrl-C */
    static struct window w;
    w.timeout_ms = timeout_ms;
    w.port_count = path ? 1 : port_list("", w.ports, PORTS_MAX);
    if (path)
        snprintf(w.ports[0].path, sizeof w.ports[0].path, "%s", path);
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return false;
    cbreak();
    noecho();
    keypad(stdscr, true);
    curs_set(0);
    timeout(LOOK_MS);
    w.place = PLACE_READ;
    say(&w, false, "Plug the cable into the P1MB, choose its port, and press Enter to read it.");
    draw(&w);
    while (!w.quit && !port_is_interrupted()) {
        int key = getch();
        if (key != ERR) {
            press(&w, key);
            draw(&w);
        }
    }
    endwin();
    delscreen(screen);
    return true;
}
