#include "input.h"

#include "heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MIN_MS = 1000, RETRY_MAX_MS = 30000 };

static const struct input_kind *const kinds[] = {&input_kind_serial, &input_kind_tcp,
                                                 &input_kind_file, &input_kind_sim};

static const struct input_kind *find_kind(const char *url)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strncmp(url, kinds[i]->scheme, strlen(kinds[i]->scheme)) == 0)
            return kinds[i];
    return NULL;
}

static void on_retry(struct loop_timer *timer)
{
    struct input *in = CONTAINER_OF(timer, struct input, retry);
    in->kind->open(in);
}

/* Makes the input, not opened. */
static struct input *configure(struct loop *l, const char *url, struct input_owner *owner,
                               char error[static INPUT_ERROR_MAX])
{
    const struct input_kind *kind = find_kind(url);
    if (!kind) {
        snprintf(error, INPUT_ERROR_MAX,
                 "\"%.80s\" is no meter input; use serial:DEVICE, tcp:HOST:PORT, file:PATH or "
                 "sim:PROFILE",
                 url);
        return NULL;
    }
    struct input *in = heap_new(kind->size);
    if (!in) {
        snprintf(error, INPUT_ERROR_MAX, "out of memory");
        return NULL;
    }
    in->kind = kind;
    in->loop = l;
    in->owner = owner;
    in->retry.expired = on_retry;
    in->retry_delay_ms = RETRY_MIN_MS;
    snprintf(in->name, sizeof in->name, "%s", url);
    if (kind->configure(in, url + strlen(kind->scheme), error))
        return in;
    free(in);
    return NULL;
}

bool input_check(const char *url, char error[static INPUT_ERROR_MAX])
{
    struct input *in = configure(NULL, url, NULL, error);
    free(in);
    return in != NULL;
}

struct input *input_open(struct loop *l, const char *url, struct input_owner *owner,
                         char error[static INPUT_ERROR_MAX])
{
    struct input *in = configure(l, url, owner, error);
    if (in)
        loop_set_timer(l, &in->retry, 0);
    return in;
}

bool input_has_speed(const struct input *in)
{
    return in->kind->set_speed != NULL;
}

void input_set_speed(struct input *in, unsigned baud)
{
    if (in->kind->set_speed)
        in->kind->set_speed(in, baud);
}

void input_close(struct input *in)
{
    if (!in)
        return;
    loop_cancel_timer(in->loop, &in->retry);
    in->kind->close(in);
    free(in);
}

void input_opened(struct input *in, const char *detail)
{
    in->owner->opened(in->owner, detail);
}

void input_lost(struct input *in, const char *detail)
{
    in->kind->close(in);
    loop_set_timer(in->loop, &in->retry, in->retry_delay_ms);
    in->retry_delay_ms *= 2;
    if (in->retry_delay_ms > RETRY_MAX_MS)
        in->retry_delay_ms = RETRY_MAX_MS;
    in->owner->lost(in->owner, detail);
}

void input_ended(struct input *in, const char *detail)
{
    in->kind->close(in);
    in->owner->ended(in->owner, detail);
}

void input_bytes(struct input *in, const uint8_t *bytes, size_t n)
{
    in->retry_delay_ms = RETRY_MIN_MS;
    in->owner->bytes(in->owner, bytes, n);
}

const char *input_parameter(const char *rest, const char *key, size_t *length)
{
    const char *p = strchr(rest, '?');
    size_t key_length = strlen(key);
    while (p) {
        p++;
        if (strncmp(p, key, key_length) == 0 && p[key_length] == '=') {
            p += key_length + 1;
            *length = strcspn(p, "&");
            return p;
        }
        p = strchr(p, '&');
    }
    return NULL;
}

bool input_only_parameter(const char *rest, const char *key, char error[static INPUT_ERROR_MAX])
{
    const char *p = strchr(rest, '?');
    size_t length;
    if (!p)
        return true;
    if (input_parameter(rest, key, &length) == p + 2 + strlen(key) && !strchr(p, '&'))
        return true;
    snprintf(error, INPUT_ERROR_MAX, "\"%.60s\": only ?%s=... is known here", p, key);
    return false;
}
