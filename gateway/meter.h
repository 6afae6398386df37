/* meter.h - from a meter's bytes to readings: finds out what speaks, decodes, derives, publishes, and
 * knows how old the latest reading is. */
#ifndef METER_H
#define METER_H

#include "core/derive.h"
#include "core/p1.h"
#include "core/tic.h"
#include "input.h"

enum meter_kind { METER_AUTO, METER_P1, METER_TIC };

/* What can be said of the meter. */
enum meter_state {
    METER_STARTING, /* opened a moment ago: a meter may be silent for ten seconds between telegrams */
    METER_NOT_OPEN,   /* the input cannot be opened, or was lost */
    METER_ENDED,      /* the end of a replay */
    METER_NO_SIGNAL,  /* open, but no bytes come */
    METER_UNREADABLE, /* bytes come, but no valid telegram */
    METER_HISTORIC,   /* a Linky in historic mode */
    METER_ENCRYPTED,  /* Luxembourg, Austria: encrypted telegrams */
    METER_LIVE,
    METER_STATES
};

struct meter_settings {
    enum meter_kind kind;
    int32_t stale_after_ms; /* 0: by the meter's own pace, see meter_stale_limit_ms() */
    int32_t winter_offset_s;
    struct derive_settings derive;
};

/* The latest valid telegram and what it says. */
struct meter_snapshot {
    struct reading reading;
    size_t telegram_len;
    uint8_t telegram[P1_TELEGRAM_MAX];
};

/* A door of the house.  Registered once; called on the loop, must not block. */
struct meter_listener {
    void (*reading)(struct meter_listener *listener, const struct meter_snapshot *latest);
    /* The latest reading is too old to be served as live.  Followed by reading() when it is not. */
    void (*stale)(struct meter_listener *listener);
    struct meter_listener *next; /* private */
};

/* Gets every byte as it comes from the input, noise too, before anything is made of it.  The same rules. */
struct meter_tap {
    void (*bytes)(struct meter_tap *tap, const uint8_t *bytes, size_t n);
    struct meter_tap *next; /* private */
};

/* Sums over all that was received since start. */
struct meter_counters {
    uint64_t bytes;
    uint64_t telegrams_pass;       /* P1: CRC good; TIC: every group good */
    uint64_t telegrams_fail;       /* P1: CRC wrong; TIC: a group was lost, the rest was used */
    uint64_t telegrams_frame_fail; /* cut, too long, never ended */
    uint64_t object_errors;
};

struct meter;

/* Makes a meter on `url` and starts reading it.  NULL: `error` says what is wrong with the URL. */
struct meter *meter_open(struct loop *l, const char *url, const struct meter_settings *settings,
                         char error[static INPUT_ERROR_MAX]);
void meter_close(struct meter *m);

/* The listener stays its owner's; it is not called for readings before it was added. */
void meter_add_listener(struct meter *m, struct meter_listener *listener);

/* From now on it is not called any more. */
void meter_remove_listener(struct meter *m, struct meter_listener *listener);

/* The same for a tap; one that was never added is fine to remove. */
void meter_add_tap(struct meter *m, struct meter_tap *tap);
void meter_remove_tap(struct meter *m, struct meter_tap *tap);

/* Other settings from now on, but for kind and time zone: the age limit at once, derived values with the next
 * telegram. */
void meter_set(struct meter *m, const struct meter_settings *settings);

/* The latest reading, however old; NULL before the first. */
const struct meter_snapshot *meter_latest(const struct meter *m);

/* True until the first telegram and while the latest is older than the limit. */
bool meter_is_stale(const struct meter *m);
enum meter_state meter_get_state(const struct meter *m);
/* One line for people: what the state is and what to do about it. */
const char *meter_state_text(enum meter_state state);
struct meter_counters meter_get_counters(const struct meter *m);

/* The age from which a reading is stale: the setting, else 10 s, or 35 s for meters that send every ten
 * seconds: by the pace that was seen, and before two telegrams by the version (DSMR 4.2 and earlier). */
int64_t meter_stale_limit_ms(const struct meter *m);

#endif
