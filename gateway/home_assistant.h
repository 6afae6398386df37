/* home_assistant.h - Home Assistant's MQTT discovery, device form (2024.11 and later): one retained message that says
 * which entities there are and where their values come.
 *
 *   topic    PREFIX/device/smart-connect-SERIAL/config
 *   message  {"dev":{..},"o":{..},"avty":[..],"avty_mode":"all","stat_t":"BASE/data/power_instant","cmps":{ID:{..},..}}
 *
 * Values come from BASE/data/power_instant, BASE/data/meter and BASE/data/device_counters (core/messages.h); what they
 * call null, or leave out, is unknown there too.  BASE/status and BASE/meter-status say `online` or `offline`: of the
 * meter's entities both must be online, of the gateway's own the first.  The restart button writes to BASE/cmd/reset.
 *
 * Pure: makes texts, sends nothing.  Nothing may be sent before the first valid telegram.
 */
#ifndef HOME_ASSISTANT_H
#define HOME_ASSISTANT_H

#include "meter.h"

#include "core/text_out.h"

enum { HOME_ASSISTANT_TOPIC_MAX = 256, HOME_ASSISTANT_CONFIG_MAX = 48 * 1024 };

/* The entities that readings gave reason for, until now.  Start it zeroed. */
struct home_assistant_set {
    uint32_t known[(Q_N + 31) / 32]; /* quantities that have an entity */
    uint32_t texts;                  /* a bit per text that has one */
    uint8_t mbus[READING_MBUS_N];    /* what a channel measures, 0 = no value yet; private */
    bool meter_clock;
};

struct home_assistant_settings {
    const char *prefix; /* of discovery topics; "homeassistant" unless somebody chose another */
    const char *serial;
    const char *
        base; /* "devices/SITE/smart-connect/SERIAL": our topics follow behind a slash; valid UTF-8 */
    int pace_s; /* at the latest every so many seconds a power_instant message comes: expire_after is 5 of them, but
                         at least 30 s */
    bool commands;    /* the broker connection takes commands: the restart button is offered */
    const char *page; /* URL of the web page for `cu`; "": none */
    const struct home_assistant_set
        *learnt; /* these entities are in the message too; NULL: only the reading's */
};

/* PREFIX/device/smart-connect-SERIAL/config; what Home Assistant allows in no topic becomes '_'. */
void home_assistant_topic(const struct home_assistant_settings *s,
                          char topic[static HOME_ASSISTANT_TOPIC_MAX]);

/* The discovery message: an entity for each quantity that this reading knows or that was learnt, for each M-Bus meter
 * with a value, and for the gateway itself.  Appends JSON on one line. */
void home_assistant_config(struct text_out *out, const struct home_assistant_settings *s,
                           const struct meter_snapshot *latest);

/* Adds what the reading knows; what was known once stays, so that an entity outlives a value that is away for a while.
 * True if something was new: then the message has another entity, and is to be sent anew.  Quantities that have no
 * entity do not count (the values as the meter printed them, most of what only a TIC meter counts). */
bool home_assistant_learn(struct home_assistant_set *set, const struct reading *r);

#endif
