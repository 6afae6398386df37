#include "mqtt_discovery.h"

#include "heap.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    BIRTH_DELAY_MIN_MS = 1000, /* a hundred devices must not all answer at once */
    BIRTH_DELAY_SPAN_MS = 9000
};

static void on_birth(struct loop_timer *timer)
{
    struct mqtt_discovery *d = CONTAINER_OF(timer, struct mqtt_discovery, birth);
    d->due = d->known;
    mqtt_discovery_pump(d);
}

bool mqtt_discovery_take(struct mqtt_discovery *d, const char *topic, const void *payload,
                         size_t length)
{
    static const char online[] = "online";
    uint16_t random = 0;
    if (!d->on || strcmp(topic, d->birth_topic) != 0)
        return false;
    if (length != sizeof online - 1 || memcmp(payload, online, length) != 0)
        return true;
    (void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
    loop_set_timer(d->loop, &d->birth, BIRTH_DELAY_MIN_MS + random % BIRTH_DELAY_SPAN_MS);
    return true;
}

void mqtt_discovery_up(struct mqtt_discovery *d)
{
    bool elsewhere = strcmp(d->keeps->discovery, d->topic) != 0;
    d->due = d->on && d->known;
    d->removing = 0;
    d->remove_due = d->keeps->discovery[0] && (!d->on || elsewhere);
    if (d->on)
        (void)mqtt_link_subscribe(d->link, d->birth_topic);
}

void mqtt_discovery_reading(struct mqtt_discovery *d, const struct reading *r)
{
    if (!d->on || !home_assistant_learn(&d->keeps->learnt, r))
        return;
    d->known = true;
    d->due = true;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* The note of it goes first: what lies at a broker and is forgotten would lie there for ever. */
static void note_topic(struct mqtt_discovery *d)
{
    if (strcmp(d->keeps->discovery, d->topic) == 0)
        return;
    snprintf(d->keeps->discovery, sizeof d->keeps->discovery, "%s", d->topic);
    mqtt_keeps_save_discovery(d->keeps);
}

static void send_config(struct mqtt_discovery *d)
{
    struct text_out out;
    int number;
    char *message = heap_new(HOME_ASSISTANT_CONFIG_MAX);
    if (!message)
        return;
    text_init(&out, message, HOME_ASSISTANT_CONFIG_MAX);
    home_assistant_config(&out, &d->settings, meter_latest(d->meter));
    note_topic(d);
    if (out.overflow)
        log_error("mqtt", "the discovery message is too long");
    d->due = !out.overflow && mqtt_link_publish(d->link, d->topic, message, out.length, true, 0,
                                                &number) == LINK_BUSY;
    free(message);
}

/* An empty retained message takes the old one away, and all its entities with it. */
static void send_removal(struct mqtt_discovery *d)
{
    if (mqtt_link_publish(d->link, d->keeps->discovery, "", 0, true, 0, &d->removing) != LINK_BUSY)
        d->remove_due = false;
}

void mqtt_discovery_acked(struct mqtt_discovery *d, int number, bool taken)
{
    if (!d->removing || number != d->removing)
        return;
    d->removing = 0;
    if (!taken)
        return;
    d->keeps->discovery[0] = 0;
    mqtt_keeps_save_discovery(d->keeps);
}

void mqtt_discovery_pump(struct mqtt_discovery *d)
{
    if (d->remove_due)
        send_removal(d);
    if (d->due && !d->remove_due && !d->removing && meter_latest(d->meter))
        send_config(d);
}

/* --- life ------------------------------------------------------------------------------------- */

void mqtt_discovery_start(struct mqtt_discovery *d)
{
    const struct meter_snapshot *latest = meter_latest(d->meter);
    d->birth.expired = on_birth;
    d->settings.prefix = d->prefix;
    d->settings.learnt = &d->keeps->learnt; /* what a single telegram lacks is not gone */
    home_assistant_topic(&d->settings, d->topic);
    snprintf(d->birth_topic, sizeof d->birth_topic, "%s/status", d->prefix);
    d->known = latest != NULL;
    if (latest)
        mqtt_discovery_reading(d, &latest->reading);
}

void mqtt_discovery_stop(struct mqtt_discovery *d)
{
    loop_cancel_timer(d->loop, &d->birth);
}
