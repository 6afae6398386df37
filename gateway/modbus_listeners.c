#include "modbus_listeners.h"

#include "choices.h"
#include "map_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- entries ---------------------------------------------------------------------------------- */

static const char *const off_or_on[] = {"off", "on", NULL};

/* What an entry may say of itself, but for its map. */
static const struct also_key {
    const char *name;
    size_t offset;              /* of an int in struct modbus_also */
    const char *const *choices; /* names by value; NULL: a number up to max */
    int max;
} keys[] = {
    {"word-order", offsetof(struct modbus_also, order), choices_word_order, 0},
    {"framing", offsetof(struct modbus_also, framing), choices_framing, 0},
    {"unknown", offsetof(struct modbus_also, unknown), choices_unknown, 0},
    {"stale", offsetof(struct modbus_also, stale), choices_stale, 0},
    {"clients", offsetof(struct modbus_also, clients), NULL, MODBUS_CLIENTS_MAX},
    {"writes", offsetof(struct modbus_also, writes), off_or_on, 0},
};
enum { KEYS = sizeof keys / sizeof keys[0] };

/* A number from 1 to max; -1: it is none. */
static int number_up_to(int max, const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    return end == text || *end || errno || number < 1 || number > max ? -1 : (int)number;
}

static bool refuse_value(const struct also_key *key, const char *value, char *error)
{
    int n = snprintf(error, MODBUS_ALSO_ERROR_MAX, "%s=%.40s: use", key->name, value);
    if (!key->choices)
        snprintf(error + n, (size_t)(MODBUS_ALSO_ERROR_MAX - n), " 1 to %d", key->max);
    for (int i = 0; key->choices && key->choices[i]; i++)
        n += snprintf(error + n, (size_t)(MODBUS_ALSO_ERROR_MAX - n), " %s", key->choices[i]);
    return false;
}

static bool set_key(struct modbus_also *also, const struct also_key *key, const char *value,
                    char *error)
{
    int number = key->choices ? choices_find(key->choices, value) : number_up_to(key->max, value);
    if (number < 0)
        return refuse_value(key, value, error);
    *(int *)(void *)((char *)also + key->offset) = number;
    return true;
}

static bool set_map(struct modbus_also *also, const char *value, char *error)
{
    char choices[CHOICES_MAX];
    also->map = map_list_find(value);
    if (also->map)
        return true;
    choices_of_maps(choices);
    snprintf(error, MODBUS_ALSO_ERROR_MAX, "map=%.40s: no such register map; there are%s", value,
             choices);
    return false;
}

static bool refuse_key(const char *part, char *error)
{
    int n = snprintf(error, MODBUS_ALSO_ERROR_MAX, "\"%.40s\": use map=", part);
    for (size_t i = 0; i < KEYS; i++)
        n += snprintf(error + n, (size_t)(MODBUS_ALSO_ERROR_MAX - n), " %s=", keys[i].name);
    return false;
}

/* "key=value" */
static bool set_part(struct modbus_also *also, char *part, char *error)
{
    char *value = strchr(part, '=');
    size_t length = value ? (size_t)(value - part) : 0;
    if (length == 3 && memcmp(part, "map", length) == 0)
        return set_map(also, value + 1, error);
    for (size_t i = 0; value && i < KEYS; i++)
        if (strlen(keys[i].name) == length && memcmp(part, keys[i].name, length) == 0)
            return set_key(also, &keys[i], value + 1, error);
    return refuse_key(part, error);
}

static bool set_listen(struct modbus_also *also, const char *text, char *error)
{
    struct sockaddr_storage address;
    socklen_t length;
    bool good = strlen(text) < sizeof also->listen && address_parse(text, &address, &length);
    if (good)
        memcpy(also->listen, text, strlen(text) + 1);
    else
        snprintf(error, MODBUS_ALSO_ERROR_MAX,
                 "\"%.60s\" is no address; use ADDR:PORT, [IPV6]:PORT or PORT", text);
    return good;
}

bool modbus_also_parse(const char *text, struct modbus_also *also,
                       char error[static MODBUS_ALSO_ERROR_MAX])
{
    char copy[256];
    char *rest = copy;
    *also =
        (struct modbus_also){.order = -1, .framing = -1, .unknown = -1, .stale = -1, .clients = -1};
    if ((size_t)snprintf(copy, sizeof copy, "%s", text) >= sizeof copy) {
        snprintf(error, MODBUS_ALSO_ERROR_MAX, "longer than %zu characters", sizeof copy - 1);
        return false;
    }
    bool good = set_listen(also, strsep(&rest, ","), error);
    while (good && rest)
        good = set_part(also, strsep(&rest, ","), error);
    return good;
}

struct modbus_tcp_settings modbus_also_settings(const struct modbus_also *also,
                                                const struct modbus_tcp_settings *main)
{
    struct modbus_tcp_settings s = *main;
    s.listen = also->listen;
    s.option = "modbus-also";
    s.source.writes = also->writes;
    if (also->map)
        s.source.map = also->map;
    if (also->order >= 0)
        s.source.order = (enum served_order)also->order;
    if (also->framing >= 0)
        s.framing = (enum modbus_framing)also->framing;
    if (also->unknown >= 0)
        s.source.unknown = (enum unknown_policy)also->unknown;
    if (also->stale >= 0)
        s.source.stale = (enum stale_policy)also->stale;
    if (also->clients >= 0)
        s.max_clients = also->clients;
    return s;
}

/* --- listeners -------------------------------------------------------------------------------- */

bool modbus_listeners_add(struct modbus_listeners *l, struct loop *loop, struct meter *meter,
                          const char *text, const struct modbus_tcp_settings *main,
                          char error[static MODBUS_ALSO_ERROR_MAX])
{
    struct modbus_listener *one = &l->also[l->also_count];
    if (l->also_count == MODBUS_ALSO_MAX) {
        snprintf(error, MODBUS_ALSO_ERROR_MAX, "--modbus-also: %d listeners at most",
                 MODBUS_ALSO_MAX);
        return false;
    }
    if (!modbus_also_parse(text, &one->wants, error))
        return false;
    const struct modbus_tcp_settings settings = modbus_also_settings(&one->wants, main);
    one->server = modbus_tcp_open(loop, meter, &settings, error);
    l->also_count += one->server != NULL;
    return one->server != NULL;
}

void modbus_listeners_set(struct modbus_listeners *l, const struct modbus_tcp_settings *main)
{
    if (l->main)
        (void)modbus_tcp_set(l->main, main);
    for (int i = 0; i < l->also_count; i++) {
        const struct modbus_tcp_settings settings = modbus_also_settings(&l->also[i].wants, main);
        (void)modbus_tcp_set(l->also[i].server, &settings);
    }
}

void modbus_listeners_close(struct modbus_listeners *l)
{
    modbus_tcp_close(l->main);
    l->main = NULL;
    while (l->also_count)
        modbus_tcp_close(l->also[--l->also_count].server);
}

const struct modbus_tcp *modbus_listeners_at(const struct modbus_listeners *l, int i)
{
    const int mains = l->main ? 1 : 0;
    if (i < mains)
        return l->main;
    return i - mains < l->also_count ? l->also[i - mains].server : NULL;
}

struct modbus_tcp_counters modbus_listeners_counters(const struct modbus_listeners *l)
{
    struct modbus_tcp_counters sum = {0};
    const struct modbus_tcp *m;
    for (int i = 0; (m = modbus_listeners_at(l, i)) != NULL; i++) {
        const struct modbus_tcp_counters one = modbus_tcp_get_counters(m);
        sum.requests += one.requests;
        sum.exceptions += one.exceptions;
        sum.accepted += one.accepted;
        sum.replaced += one.replaced;
        sum.dropped_idle += one.dropped_idle;
        sum.refused += one.refused;
        sum.bad_frames += one.bad_frames;
        sum.foreign_frames += one.foreign_frames;
    }
    return sum;
}

int modbus_listeners_clients(const struct modbus_listeners *l)
{
    const struct modbus_tcp *m;
    int sum = 0;
    for (int i = 0; (m = modbus_listeners_at(l, i)) != NULL; i++)
        sum += modbus_tcp_clients(m);
    return sum;
}
