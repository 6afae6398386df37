/* panel_button_evdev.c - a button that the kernel has as a key of an input device.  The device is not grabbed: others
 * may listen, too.
 *
 * Events only tell that it is time to ask which keys are down.  So repeats mean nothing, several keys may be one
 * button, and events that the kernel dropped are no loss.
 */
#include "panel_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ANY_KEY = -1, KEY_BYTES = KEY_MAX / 8 + 1 };

struct button_evdev {
    struct panel_part part;
    char path[PANEL_PATH_MAX];
    int key; /* ANY_KEY, or its number */
};

static struct button_evdev *button_of(struct panel_part *part)
{
    return CONTAINER_OF(part, struct button_evdev, part);
}

/* The number behind the last colon; paths of /dev/input/by-path hold colons as well. */
static int key_of(const char *path, size_t *path_len)
{
    const char *colon = strrchr(path, ':');
    *path_len = strlen(path);
    if (!colon || colon[1] == 0 || colon[1 + strspn(colon + 1, "0123456789")] != 0)
        return ANY_KEY;
    *path_len = (size_t)(colon - path);
    unsigned long key = strtoul(colon + 1, NULL, 10);
    return key <= KEY_MAX ? (int)key : KEY_MAX + 1;
}

static bool configure(struct panel_part *part, const char *rest)
{
    struct button_evdev *b = button_of(part);
    size_t length;
    b->key = key_of(rest, &length);
    if (rest[0] != '/' || length >= sizeof b->path || b->key > KEY_MAX)
        return false;
    snprintf(b->path, sizeof b->path, "%.*s", (int)length, rest);
    return true;
}

/* Asks for the keys that are down, or that the device has.  False with errno. */
static bool ask(int fd, unsigned long request, uint8_t keys[static KEY_BYTES])
{
    memset(keys, 0, KEY_BYTES);
    return ioctl(fd, request, keys) >= 0;
}

static bool holds(const uint8_t *keys, int key)
{
    bool any = false;
    if (key != ANY_KEY)
        return keys[key / 8] >> key % 8 & 1;
    for (int i = 0; i < KEY_BYTES; i++)
        any = any || keys[i];
    return any;
}

static bool open_button(struct panel_part *part, char problem[static PANEL_PROBLEM_MAX])
{
    struct button_evdev *b = button_of(part);
    uint8_t keys[KEY_BYTES];
    const char *why = NULL;
    part->fd = open(b->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (part->fd < 0)
        why = strerror(errno);
    else if (!ask(part->fd, EVIOCGBIT(EV_KEY, KEY_BYTES), keys))
        why = errno == ENOTTY || errno == EINVAL ? "it is no input device" : strerror(errno);
    else if (!holds(keys, b->key))
        why = b->key == ANY_KEY ? "it has no keys" : "it has no such key";
    if (why)
        snprintf(problem, PANEL_PROBLEM_MAX, "%s", why);
    return !why;
}

static int level(struct panel_part *part, char problem[static PANEL_PROBLEM_MAX])
{
    const struct button_evdev *b = button_of(part);
    uint8_t keys[KEY_BYTES];
    if (ask(part->fd, EVIOCGKEY(KEY_BYTES), keys))
        return holds(keys, b->key);
    snprintf(problem, PANEL_PROBLEM_MAX, "%s", strerror(errno));
    return -1;
}

static void close_button(struct panel_part *part)
{
    if (part->fd >= 0)
        close(part->fd);
    part->fd = -1;
}

const struct panel_kind panel_button_evdev = {
    .scheme = "evdev:",
    .size = sizeof(struct button_evdev),
    .configure = configure,
    .open = open_button,
    .close = close_button,
    .level = level,
};
