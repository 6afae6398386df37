#include "meter.h"

#include "core/messages.h"
#include "heap.h"
#include "log.h"
#include "wall_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 1000,
    STALE_FAST_MS = 10000, /* meters that send every second */
    STALE_SLOW_MS = 35000, /* meters that send every ten seconds */
    SLOW_INTERVAL_MS = 4000,
    RECENT_MS = 12000, /* "bytes come" means within this time; slow meters send every ten seconds */
    RELEARN_AFTER_MS = 10000,
    QUIET_MS = 60000, /* this long without damage ends a series of it */
    WINDOW = 256      /* bytes by which a wrong speed is recognised */
};

/* Speeds to listen at, in turn, until something valid comes. */
static const struct line {
    unsigned baud;
    bool p1, tic;
    int dwell_ms; /* DSMR 4.2 and earlier are silent for ten seconds between telegrams */
} lines[] = {
    {115200, true, false, 11000}, /* DSMR 4, 5, e-MUCS */
    {9600, true, true, 11000},    /* TIC standard mode; DSMR 2 and 3 */
    {1200, false, true, 5000},    /* TIC historic mode, to name it */
};
enum { LINES = sizeof lines / sizeof lines[0] };

struct meter {
    struct input_owner owner;
    struct loop *loop;
    struct input *input;
    struct loop_timer tick, stale_timer;
    struct meter_settings settings;
    struct meter_listener *listeners;
    struct meter_tap *taps;
    /* what speaks */
    enum meter_kind speaking; /* METER_AUTO: not known yet */
    unsigned line;            /* index of lines, for inputs with a speed */
    int64_t line_since_ms;
    unsigned window_bytes, window_zeros,
        window_odd; /* bytes seen at this speed; 00 or 80; odd parity */
    bool open, ended, loss_logged, saw_encrypted;
    uint8_t encrypted_matched; /* bytes of an encrypted telegram's head seen in a row */
    /* how it goes */
    enum meter_state state;
    bool stale;
    int64_t opened_ms, last_byte_ms, last_valid_ms, last_bad_ms, last_historic_ms;
    int64_t clock_said_ms;        /* when it was said last whose time stamps are: 0, never */
    bool clock_said_meter;        /* and that they are the meter's */
    int64_t shortest_interval_ms; /* between two valid telegrams; 0 = fewer than two */
    uint64_t sequence, bytes;
    struct derive_state derive_state;
    struct p1_stream p1;
    struct tic_stream tic;
    struct reading p1_reading, tic_reading;
    uint8_t p1_buffer[P1_TELEGRAM_MAX], tic_frame[TIC_FRAME_MAX];
    struct meter_snapshot latest;
};

static const char *const state_texts[METER_STATES] = {
    [METER_STARTING] = "waiting for the meter's first telegram",
    [METER_NOT_OPEN] = "the meter input cannot be opened",
    [METER_ENDED] = "the end of the replay is reached",
    [METER_NO_SIGNAL] = "no signal from the meter: check the cable and that its port is activated",
    [METER_UNREADABLE] =
        "the meter sends, but nothing that can be read: check cable, polarity and kind",
    [METER_HISTORIC] = "meter is in historic mode: ask Enedis or the supplier for standard mode",
    [METER_ENCRYPTED] = "the meter sends encrypted telegrams, which are not supported",
    [METER_LIVE] = "receiving",
};

const char *meter_state_text(enum meter_state state)
{
    return state_texts[state];
}

static bool wants_p1(const struct meter *m)
{
    return m->settings.kind != METER_TIC && m->speaking != METER_TIC;
}

static bool wants_tic(const struct meter *m)
{
    return m->settings.kind != METER_P1 && m->speaking != METER_P1;
}

static bool line_fits(const struct meter *m, unsigned line)
{
    return m->settings.kind == METER_AUTO || (m->settings.kind == METER_P1 && lines[line].p1) ||
           (m->settings.kind == METER_TIC && lines[line].tic);
}

/* --- age -------------------------------------------------------------------------------------- */

int64_t meter_stale_limit_ms(const struct meter *m)
{
    const struct reading *r = &m->latest.reading;
    if (m->settings.stale_after_ms)
        return m->settings.stale_after_ms;
    if (r->standard == STANDARD_TIC || r->p1_version >= 50)
        return STALE_FAST_MS;
    if (m->shortest_interval_ms)
        return m->shortest_interval_ms >= SLOW_INTERVAL_MS ? STALE_SLOW_MS : STALE_FAST_MS;
    return r->emucs_version ? STALE_FAST_MS : STALE_SLOW_MS;
}

static void learn_interval(struct meter *m)
{
    int64_t interval_ms = m->loop->now_ms - m->last_valid_ms;
    if (m->last_valid_ms && interval_ms > 0 &&
        (m->shortest_interval_ms == 0 || interval_ms < m->shortest_interval_ms))
        m->shortest_interval_ms = interval_ms;
    m->last_valid_ms = m->loop->now_ms;
}

/* --- state ------------------------------------------------------------------------------------ */

static bool was_recent(const struct meter *m, int64_t then_ms)
{
    return then_ms && m->loop->now_ms - then_ms < RECENT_MS;
}

static enum meter_state judge_state(const struct meter *m)
{
    if (m->last_valid_ms && !m->stale)
        return METER_LIVE;
    if (!m->open)
        return m->ended ? METER_ENDED : m->loss_logged ? METER_NOT_OPEN : METER_STARTING;
    if (was_recent(m, m->last_historic_ms))
        return METER_HISTORIC;
    if (!was_recent(m, m->last_byte_ms) || m->last_byte_ms == m->last_valid_ms)
        return !m->last_valid_ms && was_recent(m, m->opened_ms) ? METER_STARTING : METER_NO_SIGNAL;
    return m->saw_encrypted ? METER_ENCRYPTED : METER_UNREADABLE;
}

static void log_live(const struct meter *m)
{
    const struct reading *r = &m->latest.reading;
    char id[100];
    if (r->standard == STANDARD_TIC) {
        log_info("meter", "receiving TIC standard mode, %d phase%s%s", r->phases,
                 r->phases == 1 ? "" : "s", m->tic.producer ? ", producer" : "");
        return;
    }
    (void)reading_text(r, TEXT_IDENTIFICATION, m->latest.telegram, m->latest.telegram_len, id,
                       sizeof id);
    log_info("meter", "receiving P1 from %s, version %u, %d phase%s", id,
             r->p1_version ? r->p1_version : (unsigned)r->emucs_version, r->phases,
             r->phases == 1 ? "" : "s");
}

static void update_state(struct meter *m)
{
    enum meter_state state = judge_state(m);
    if (state == m->state)
        return;
    m->state = state;
    if (state == METER_LIVE)
        log_live(m);
    else if (state != METER_STARTING)
        log_warning("meter", "%s", state_texts[state]);
}

static void on_stale(struct loop_timer *timer)
{
    struct meter *m = CONTAINER_OF(timer, struct meter, stale_timer);
    m->stale = true;
    log_warning("meter", "no valid telegram for %lld s: values are stale",
                (long long)((m->loop->now_ms - m->last_valid_ms) / 1000));
    for (struct meter_listener *l = m->listeners; l; l = l->next)
        l->stale(l);
    update_state(m);
}

/* --- telegrams -------------------------------------------------------------------------------- */

/* On a bad line the time comes and goes with every other frame: said once in QUIET_MS. */
static void note_time_source(struct meter *m, const struct reading *now)
{
    bool is_meter = now->meter_time_s != READING_NO_TIME && message_time(now) == now->meter_time_s;
    bool just_said = m->loop->now_ms - m->clock_said_ms < QUIET_MS;
    if (m->clock_said_ms && (just_said || is_meter == m->clock_said_meter))
        return;
    m->clock_said_ms = m->loop->now_ms;
    m->clock_said_meter = is_meter;
    if (is_meter)
        log_info("meter", "time stamps are the meter's");
    else
        log_warning("meter", "time stamps are the gateway's: the meter's clock is %s",
                    now->meter_time_s == READING_NO_TIME ? "not sent or not readable"
                    : now->meter_time_degraded           ? "degraded"
                                                         : "over a day off");
}

static void note_unmeasured_export(const struct reading *before, const struct reading *now)
{
    if (now->export_unmeasured && !before->export_unmeasured)
        log_warning("meter",
                    "the meter exports but is not in producer mode: the export is unknown");
    if (before->export_unmeasured && !now->export_unmeasured)
        log_info("meter", "the meter imports again");
}

/* Takes over a decoded reading: completes it, makes it the latest and tells everyone. */
static void publish(struct meter *m, struct reading *r, const uint8_t *telegram, size_t telegram_len)
{
    learn_interval(m);
    r->received_s = wall_clock_s();
    r->received_ms = m->loop->now_ms;
    r->sequence = ++m->sequence;
    derive(r, &m->settings.derive, &m->derive_state);
    note_time_source(m, r);
    note_unmeasured_export(&m->latest.reading, r);
    bool was_stale = m->stale;
    m->latest.reading = *r;
    memcpy(m->latest.telegram, telegram, telegram_len);
    m->latest.telegram_len = telegram_len;
    m->stale = false;
    loop_set_timer(m->loop, &m->stale_timer, meter_stale_limit_ms(m));
    for (struct meter_listener *l = m->listeners; l; l = l->next)
        l->reading(l, &m->latest);
    if (was_stale)
        update_state(m);
}

/* The first of a series of damaged telegrams is said, the rest is counted. */
static void note_bad(struct meter *m, const char *what)
{
    bool first = m->last_bad_ms == 0 || m->loop->now_ms - m->last_bad_ms > QUIET_MS;
    m->last_bad_ms = m->loop->now_ms;
    if (first && m->sequence)
        log_warning("meter", "%s dropped; more of them are only counted", what);
}

static void feed_p1(struct meter *m, const uint8_t *bytes, size_t n)
{
    if (m->loop->now_ms - m->last_byte_ms > P1_SILENCE_MS)
        (void)p1_silence(&m->p1);
    for (size_t used = 0; used < n;) {
        enum p1_event event;
        used += p1_feed(&m->p1, bytes + used, n - used, &event);
        if (event == P1_TELEGRAM) {
            m->speaking = METER_P1;
            publish(m, &m->p1_reading, m->p1.telegram, m->p1.telegram_len);
        } else if (event == P1_BAD_CRC) {
            note_bad(m, "a telegram with a wrong CRC was");
        } else if (event == P1_BAD_FRAME) {
            note_bad(m, "an incomplete telegram was");
        }
    }
}

static void feed_tic(struct meter *m, const uint8_t *bytes, size_t n)
{
    if (m->loop->now_ms - m->last_byte_ms > TIC_SILENCE_MS)
        (void)tic_silence(&m->tic);
    for (size_t used = 0; used < n;) {
        enum tic_event event;
        used += tic_feed(&m->tic, bytes + used, n - used, m->loop->now_ms, &event);
        if (event == TIC_FRAME) {
            m->speaking = METER_TIC;
            publish(m, &m->tic_reading, m->tic.frame, m->tic.frame_len);
        } else if (event == TIC_FRAME_FAILED) {
            note_bad(m, "an incomplete frame was");
        } else if (event == TIC_HISTORIC) {
            m->last_historic_ms = m->loop->now_ms;
        }
    }
}

/* --- speed ------------------------------------------------------------------------------------ */

static bool has_odd_parity(uint8_t byte)
{
    return __builtin_parity(byte);
}

static void listen_at(struct meter *m, unsigned line)
{
    m->line = line;
    m->line_since_ms = m->loop->now_ms;
    m->window_bytes = m->window_zeros = m->window_odd = 0;
    m->saw_encrypted = false;
    m->speaking = METER_AUTO;
    log_debug("meter", "listening at %u baud", lines[line].baud);
    input_set_speed(m->input, lines[line].baud);
}

static void listen_at_next(struct meter *m)
{
    unsigned line = m->line;
    do
        line = (line + 1) % LINES;
    while (!line_fits(m, line));
    listen_at(m, line);
}

/* Head of an encrypted telegram: DB 08, system title 8, 82, length 2, 30 (-1: any byte). */
static bool matches_encrypted(uint8_t *matched, uint8_t byte)
{
    static const int16_t head[] = {0xDB, 0x08, -1, -1, -1, -1, -1, -1, -1, -1, 0x82, -1, -1, 0x30};
    bool fits = head[*matched] < 0 || head[*matched] == byte;
    *matched = fits ? (uint8_t)(*matched + 1) : byte == 0xDB;
    if (*matched < sizeof head / sizeof head[0])
        return false;
    *matched = 0;
    return true;
}

static void watch_window(struct meter *m, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n && m->window_bytes < WINDOW; i++, m->window_bytes++) {
        m->window_zeros += (bytes[i] & 0x7F) == 0;
        m->window_odd += has_odd_parity(bytes[i]);
    }
    for (size_t i = 0; i < n && !m->saw_encrypted; i++)
        m->saw_encrypted = matches_encrypted(&m->encrypted_matched, bytes[i]);
}

/* A slower line heard too fast is all 00 (and 80); a faster one heard at 9600 has random parity, where
 * a seven-bit sender has none wrong. */
static bool is_wrong_speed(const struct meter *m)
{
    if (m->window_bytes < WINDOW / 4)
        return false;
    if (m->window_zeros * 10 >= m->window_bytes * 9)
        return true;
    return lines[m->line].baud == 9600 && m->window_bytes == WINDOW && m->window_odd * 4 >= WINDOW;
}

static void find_speed(struct meter *m)
{
    int64_t now_ms = m->loop->now_ms, here_ms = now_ms - m->line_since_ms;
    if (!input_has_speed(m->input) || !m->open)
        return;
    bool working = (m->last_valid_ms && !m->stale) || was_recent(m, m->last_historic_ms);
    if (working || (m->speaking != METER_AUTO && now_ms - m->last_valid_ms < RELEARN_AFTER_MS))
        return;
    if (here_ms >= lines[m->line].dwell_ms || (here_ms >= TICK_MS && is_wrong_speed(m)))
        listen_at_next(m);
}

/* --- the input's reports ---------------------------------------------------------------------- */

static void on_bytes(struct input_owner *owner, const uint8_t *bytes, size_t n)
{
    struct meter *m = CONTAINER_OF(owner, struct meter, owner);
    m->bytes += n;
    for (struct meter_tap *tap = m->taps; tap; tap = tap->next)
        tap->bytes(tap, bytes, n);
    if (m->speaking == METER_AUTO)
        watch_window(m, bytes, n);
    if (wants_p1(m))
        feed_p1(m, bytes, n);
    if (wants_tic(m))
        feed_tic(m, bytes, n);
    m->last_byte_ms = m->loop->now_ms;
}

static void on_opened(struct input_owner *owner, const char *detail)
{
    struct meter *m = CONTAINER_OF(owner, struct meter, owner);
    m->open = true;
    m->opened_ms = m->loop->now_ms;
    m->loss_logged = false;
    log_info("meter", "reading from %s", detail);
}

static void on_lost(struct input_owner *owner, const char *detail)
{
    struct meter *m = CONTAINER_OF(owner, struct meter, owner);
    if (!m->loss_logged)
        log_warning("meter", "%s: %s", m->input->name, detail);
    m->loss_logged = true;
    m->open = false;
    (void)p1_silence(&m->p1);
    (void)tic_silence(&m->tic);
}

static void on_ended(struct input_owner *owner, const char *detail)
{
    struct meter *m = CONTAINER_OF(owner, struct meter, owner);
    log_info("meter", "%s: %s", m->input->name, detail);
    m->open = false;
    m->ended = true;
}

static void on_meter_tick(struct loop_timer *timer)
{
    struct meter *m = CONTAINER_OF(timer, struct meter, tick);
    if (m->loop->now_ms - m->last_byte_ms > P1_SILENCE_MS)
        (void)p1_silence(&m->p1);
    find_speed(m);
    /* the first seconds belong to looking around */
    if (m->last_valid_ms || m->loop->now_ms - m->line_since_ms > 2 * TICK_MS || !m->open)
        update_state(m);
    loop_set_timer(m->loop, &m->tick, TICK_MS);
}

/* --- life ------------------------------------------------------------------------------------- */

struct meter *meter_open(struct loop *l, const char *url, const struct meter_settings *settings,
                         char error[static INPUT_ERROR_MAX])
{
    struct meter *m = heap_new(sizeof *m);
    if (!m) {
        snprintf(error, INPUT_ERROR_MAX, "out of memory");
        return NULL;
    }
    m->owner = (struct input_owner){
        .bytes = on_bytes, .opened = on_opened, .lost = on_lost, .ended = on_ended};
    m->loop = l;
    m->settings = *settings;
    m->stale = true;
    m->state = METER_STATES; /* so that the first one is said */
    m->tick.expired = on_meter_tick;
    m->stale_timer.expired = on_stale;
    p1_init(&m->p1, &m->p1_reading, m->p1_buffer, sizeof m->p1_buffer);
    tic_init(&m->tic, &m->tic_reading, m->tic_frame, sizeof m->tic_frame);
    m->p1.winter_offset_s = m->tic.winter_offset_s = settings->winter_offset_s;
    m->input = input_open(l, url, &m->owner, error);
    if (!m->input) {
        free(m);
        return NULL;
    }
    listen_at(m, line_fits(m, 0) ? 0 : 1);
    loop_set_timer(l, &m->tick, TICK_MS);
    return m;
}

void meter_close(struct meter *m)
{
    if (!m)
        return;
    loop_cancel_timer(m->loop, &m->tick);
    loop_cancel_timer(m->loop, &m->stale_timer);
    input_close(m->input);
    free(m);
}

void meter_add_listener(struct meter *m, struct meter_listener *listener)
{
    struct meter_listener **link = &m->listeners;
    while (*link)
        link = &(*link)->next;
    listener->next = NULL;
    *link = listener;
}

void meter_remove_listener(struct meter *m, struct meter_listener *listener)
{
    struct meter_listener **link = &m->listeners;
    while (*link && *link != listener)
        link = &(*link)->next;
    if (*link)
        *link = listener->next;
}

void meter_add_tap(struct meter *m, struct meter_tap *tap)
{
    tap->next = m->taps;
    m->taps = tap;
}

void meter_remove_tap(struct meter *m, struct meter_tap *tap)
{
    struct meter_tap **link = &m->taps;
    while (*link && *link != tap)
        link = &(*link)->next;
    if (*link)
        *link = tap->next;
}

void meter_set(struct meter *m, const struct meter_settings *settings)
{
    m->settings.stale_after_ms = settings->stale_after_ms;
    m->settings.derive = settings->derive;
    m->derive_state = (struct derive_state){0};
    int64_t left_ms = meter_stale_limit_ms(m) - (m->loop->now_ms - m->last_valid_ms);
    if (m->sequence == 0)
        return;
    m->stale = m->stale && left_ms <= 0;
    if (!m->stale)
        loop_set_timer(m->loop, &m->stale_timer, left_ms);
    update_state(m);
}

const struct meter_snapshot *meter_latest(const struct meter *m)
{
    return m->sequence ? &m->latest : NULL;
}

bool meter_is_stale(const struct meter *m)
{
    return m->stale;
}

enum meter_state meter_get_state(const struct meter *m)
{
    return judge_state(m);
}

struct meter_counters meter_get_counters(const struct meter *m)
{
    const struct p1_stats *p1 = &m->p1.stats;
    const struct tic_stats *tic = &m->tic.stats;
    if (m->speaking == METER_TIC)
        return (struct meter_counters){.bytes = m->bytes,
                                       .telegrams_pass = tic->frames_ok,
                                       .telegrams_fail = tic->frames_partial,
                                       .telegrams_frame_fail = tic->frames_failed,
                                       .object_errors = tic->groups_senseless};
    return (struct meter_counters){.bytes = m->bytes,
                                   .telegrams_pass = p1->telegrams_ok,
                                   .telegrams_fail = p1->telegrams_bad_crc,
                                   .telegrams_frame_fail = p1->telegrams_bad_frame,
                                   .object_errors = p1->object_errors};
}
