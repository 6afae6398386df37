#include "button.h"

const char *const button_event_names[BUTTON_EVENTS] = {
    [BUTTON_NOTHING] = "",
    [BUTTON_SHORT] = "soft-reset",
    [BUTTON_HELD] = "access-point",
    [BUTTON_LONG] = "factory-reset",
};

void button_init(struct button *b, bool down, int64_t now_ms)
{
    *b = (struct button){.down = down, .raw = down, .armed = !down, .raw_ms = now_ms};
}

void button_set(struct button *b, bool down, int64_t now_ms)
{
    if (down == b->raw)
        return;
    b->raw = down;
    b->raw_ms = now_ms;
}

static void press(struct button *b)
{
    b->down = true;
    b->down_ms = b->raw_ms;
    b->told = BUTTON_NOTHING;
}

static enum button_event release(struct button *b)
{
    bool meant = b->armed && b->raw_ms - b->down_ms < BUTTON_SHORT_MS;
    b->down = false;
    b->armed = true;
    return meant ? BUTTON_SHORT : BUTTON_NOTHING;
}

/* What comes next while it stays down, and after how long; BUTTON_NOTHING: nothing does. */
static enum button_event next_of(const struct button *b, int64_t *after_ms)
{
    bool waits = b->down && b->armed && b->told < BUTTON_LONG;
    *after_ms = b->told < BUTTON_HELD ? BUTTON_HELD_MS : BUTTON_LONG_MS;
    return !waits ? BUTTON_NOTHING : b->told < BUTTON_HELD ? BUTTON_HELD : BUTTON_LONG;
}

/* Nobody watched the button while the machine slept: what that made due must not delete somebody's settings. */
static enum button_event held(struct button *b, int64_t now_ms)
{
    int64_t after_ms;
    enum button_event event = next_of(b, &after_ms);
    int64_t late_ms = now_ms - b->down_ms - after_ms;
    if (event == BUTTON_NOTHING || late_ms < 0)
        return BUTTON_NOTHING;
    b->armed = late_ms <= BUTTON_LATE_MS;
    if (b->armed)
        b->told = event;
    return b->armed ? event : BUTTON_NOTHING;
}

enum button_event button_step(struct button *b, int64_t now_ms)
{
    bool counts = b->raw != b->down && now_ms - b->raw_ms >= BUTTON_BOUNCE_MS;
    if (counts && !b->raw)
        return release(b);
    if (counts)
        press(b);
    return b->raw ? held(b, now_ms) : BUTTON_NOTHING;
}

int64_t button_due_ms(const struct button *b, int64_t now_ms)
{
    int64_t after_ms, due_ms;
    if (b->raw != b->down)
        due_ms = b->raw_ms + BUTTON_BOUNCE_MS;
    else if (next_of(b, &after_ms) != BUTTON_NOTHING)
        due_ms = b->down_ms + after_ms;
    else
        return -1;
    return due_ms > now_ms ? due_ms - now_ms : 0;
}
