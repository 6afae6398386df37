#include "outbox.h"

#include "core/reading.h"
#include "heap.h"
#include "log.h"
#include "wall_clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    IN_FLIGHT_MAX = 8,       /* live messages that wait for an answer */
    LATE_IN_FLIGHT_MAX = 10, /* late ones */
    KEEP_AFTER_MS = 8000,    /* then a text goes to disk: with timer and disk within ten seconds */
    KEEP_EVERY = 10,         /* texts in one batch, at one a second */
    STALL_MS = 5000,         /* nothing acknowledged for so long: the broker takes nothing */
    TICK_MS = 1000,
    REMOVE_EVERY_MS = 5000, /* what was acknowledged goes from the disk */
    DISK_RETRY_MS = 30000,
    TOLD_EVERY_MS = 600000, /* of a disk that now fails, now does not */
    CLOCK_STEP_S = 3600     /* since the last batch: the clock was set; slewing is far slower */
};

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_SENT };

struct slot {
    enum slot_state state;
    int number;       /* of the message, while it is sent */
    bool late;        /* sent as late */
    int64_t since_ms; /* when it came */
    int64_t sent_ms;
    size_t length;
    char text[OUTBOX_TEXT_MAX];
};

/* A batch from the disk, on its way.  Its count is 0 when there is none, its id when its file is gone. */
struct replay {
    struct spool_batch batch;
    size_t acked;
    struct {
        enum slot_state state;
        int number;
        int64_t sent_ms;
        size_t offset;
    } text[SPOOL_TEXTS_MAX];
};

enum job_kind { JOB_OPEN, JOB_APPEND, JOB_READ, JOB_REMOVE, JOB_FORGET, JOB_KINDS };

/* What the worker does; all of it is the worker's while job.busy. */
struct disk {
    struct worker_job job;
    enum job_kind kind;
    char folder[512];
    struct spool *spool; /* NULL: not open */
    struct spool_limits limits;
    struct spool_batch batch;
    struct spool_safe safe;
    int64_t now_s, id;
    bool clock_set; /* since the last append */
    bool good, set_aside, damaged;
    struct spool_counts counts;
    char error[SPOOL_ERROR_MAX];
};

struct outbox {
    struct loop *loop;
    struct outbox_door *door; /* NULL: no connection */
    struct outbox_settings settings;
    struct loop_timer tick, late;
    struct slot slots[OUTBOX_SLOTS]; /* a ring: from `first`, `count` of them, oldest first */
    size_t first, count;
    bool fresh;          /* the newest, if it waits, is still live */
    int64_t progress_ms; /* of the last acknowledgement, or of the connection */
    struct disk disk;
    size_t appending;   /* of the oldest slots, those in the batch that is being appended */
    uint64_t overtaken; /* texts of that batch that had to leave the ring meanwhile */
    bool may_exist;     /* a file was there at start, or was made */
    bool unread;        /* the disk has batches behind read_id, or may have: it is not open yet */
    bool forget;        /* asked for */
    int64_t clock_ahead_s; /* of the loop's clock, the time of day, at the last batch; 0: not known */
    int64_t again_ms[JOB_KINDS]; /* when each may be tried after it failed */
    int64_t damaged_ms, told_ms; /* when the last damage was found, and trouble logged; 0: never */
    bool cannot_read;            /* that is the problem, not writing */
    int64_t read_id;   /* up to this one the batches of the disk were taken into the replay, */
    int64_t remove_id; /* and up to this one acknowledged */
    int64_t removed_ms;
    uint64_t finished; /* texts on disk that were acknowledged, */
    uint64_t removing; /* and those of them that are being removed */
    int64_t kept_sent_ms; /* when the oldest text was sent that went to disk since the last answer; 0: none */
    struct replay replay;
    struct spool_counts counts; /* of the disk, as it was after its last job */
    uint64_t sent_late, dropped;
    char problem[OUTBOX_PROBLEM_MAX];
};
_Static_assert((int)KEEP_EVERY <= (int)SPOOL_TEXTS_MAX && (int)SPOOL_TEXTS_MAX < (int)OUTBOX_SLOTS,
               "a batch fits");

static void next_job(struct outbox *o);

/* --- the ring --------------------------------------------------------------------------------- */

static struct slot *slot_at(struct outbox *o, size_t i)
{
    return &o->slots[(o->first + i) % OUTBOX_SLOTS];
}

/* Takes away the oldest. */
static void pop(struct outbox *o)
{
    slot_at(o, 0)->state = SLOT_FREE;
    o->first = (o->first + 1) % OUTBOX_SLOTS;
    o->count--;
    if (o->appending)
        o->appending--;
}

/* Slots are freed in any order and leave the ring when they are its oldest. */
static void pop_free(struct outbox *o)
{
    while (o->count && slot_at(o, 0)->state == SLOT_FREE)
        pop(o);
}

/* Of one that was sent nobody can tell whether it will arrive: it is given up like the others. */
static void drop_oldest(struct outbox *o)
{
    if (o->appending)
        o->overtaken++;
    else
        o->dropped++;
    pop(o);
    pop_free(o);
}

static size_t slots_sent(struct outbox *o, bool late)
{
    size_t n = 0;
    for (size_t i = 0; i < o->count; i++)
        n += slot_at(o, i)->state == SLOT_SENT && slot_at(o, i)->late == late;
    return n;
}

static bool on_disk(const struct outbox *o)
{
    return o->unread || o->replay.batch.count > 0;
}

/* --- sending ---------------------------------------------------------------------------------- */

/* True: it is on its way or gone; false: it still waits. */
static bool send_slot(struct outbox *o, struct slot *s, bool late)
{
    bool refused = false;
    s->state = SLOT_SENT; /* the answer may come before send returns */
    s->late = late;
    s->sent_ms = o->loop->now_ms;
    if (o->door->send(o->door, s->text, s->length, late, &s->number, &refused))
        return true;
    s->state = refused ? SLOT_FREE : SLOT_WAITING;
    o->dropped += refused;
    pop_free(o);
    return refused;
}

static bool send_newest(struct outbox *o)
{
    struct slot *newest = o->count > o->appending ? slot_at(o, o->count - 1) : NULL;
    if (!o->door || !o->fresh || !newest || newest->state != SLOT_WAITING ||
        slots_sent(o, false) >= IN_FLIGHT_MAX)
        return false;
    o->fresh = false;
    if (send_slot(o, newest, false))
        return true;
    o->fresh = true; /* until a newer one comes */
    return false;
}

/* Behind those that are being appended all have to wait: these come later, from the disk, also if none of them is in
 * the ring any more. */
static struct slot *oldest_waiting(struct outbox *o)
{
    size_t waiting = o->count - (o->fresh && o->count ? 1 : 0); /* the newest goes as live */
    for (size_t i = 0; i < waiting && !o->appending && !o->overtaken; i++)
        if (slot_at(o, i)->state == SLOT_WAITING)
            return slot_at(o, i);
    return NULL;
}

/* The texts of a batch that wait: those that were never sent, or not acknowledged by a broker that went. */
static bool send_from_replay(struct outbox *o)
{
    struct replay *r = &o->replay;
    bool refused = false;
    for (size_t i = 0; i < r->batch.count; i++) {
        if (r->text[i].state != SLOT_WAITING)
            continue;
        const char *text = r->batch.texts + r->text[i].offset;
        r->text[i].state = SLOT_SENT;
        r->text[i].sent_ms = o->loop->now_ms;
        if (o->door->send(o->door, text, strlen(text), true, &r->text[i].number, &refused))
            return true;
        r->text[i].state = refused ? SLOT_FREE : SLOT_WAITING;
        r->acked += refused;
        o->dropped += refused;
        return refused;
    }
    return false;
}

static size_t late_in_flight(struct outbox *o)
{
    size_t n = slots_sent(o, true);
    for (size_t i = 0; i < o->replay.batch.count; i++)
        n += o->replay.text[i].state == SLOT_SENT;
    return n;
}

static bool something_late(struct outbox *o)
{
    return on_disk(o) || oldest_waiting(o);
}

static void finish_replay(struct outbox *o)
{
    struct replay *r = &o->replay;
    if (r->batch.count == 0 || r->acked < r->batch.count)
        return;
    if (r->batch.id) {
        o->remove_id = r->batch.id;
        o->finished += r->batch.count;
    }
    r->batch.count = r->acked = 0;
    next_job(o);
}

/* One at a time, and the oldest first: what is on disk is older than what is in memory. */
static void send_late(struct outbox *o)
{
    if (!o->door || late_in_flight(o) >= LATE_IN_FLIGHT_MAX)
        return;
    if (on_disk(o)) {
        (void)send_from_replay(o);
        finish_replay(o);
    } else if (oldest_waiting(o)) {
        (void)send_slot(o, oldest_waiting(o), true);
    }
}

static void start_sending_late(struct outbox *o)
{
    if (o->door && !o->late.active && something_late(o))
        loop_set_timer(o->loop, &o->late, 1000 / o->settings.late_per_s);
}

static void on_late(struct loop_timer *timer)
{
    struct outbox *o = CONTAINER_OF(timer, struct outbox, late);
    send_late(o);
    start_sending_late(o);
}

void outbox_pump(struct outbox *o)
{
    (void)send_newest(o);
    start_sending_late(o);
}

/* --- answers ---------------------------------------------------------------------------------- */

static bool answer_slot(struct outbox *o, int number, bool taken)
{
    for (size_t i = 0; i < o->count; i++) {
        struct slot *s = slot_at(o, i);
        if (s->state != SLOT_SENT || s->number != number)
            continue;
        s->state = SLOT_FREE;
        o->sent_late += taken && s->late;
        o->dropped += !taken;
        pop_free(o);
        return true;
    }
    return false;
}

static bool answer_replay(struct outbox *o, int number, bool taken)
{
    struct replay *r = &o->replay;
    for (size_t i = 0; i < r->batch.count; i++) {
        if (r->text[i].state != SLOT_SENT || r->text[i].number != number)
            continue;
        r->text[i].state = SLOT_FREE;
        r->acked++;
        o->sent_late += taken;
        o->dropped += !taken;
        finish_replay(o);
        return true;
    }
    return false;
}

bool outbox_acked(struct outbox *o, int number, bool taken)
{
    if (!answer_slot(o, number, taken) && !answer_replay(o, number, taken))
        return false;
    o->progress_ms = o->loop->now_ms;
    o->kept_sent_ms = 0;
    return true;
}

int64_t outbox_unanswered_ms(const struct outbox *o)
{
    int64_t oldest_ms = o->kept_sent_ms ? o->kept_sent_ms : o->loop->now_ms;
    for (size_t i = 0; i < OUTBOX_SLOTS; i++)
        if (o->slots[i].state == SLOT_SENT && o->slots[i].sent_ms < oldest_ms)
            oldest_ms = o->slots[i].sent_ms;
    for (size_t i = 0; i < o->replay.batch.count; i++)
        if (o->replay.text[i].state == SLOT_SENT && o->replay.text[i].sent_ms < oldest_ms)
            oldest_ms = o->replay.text[i].sent_ms;
    return o->loop->now_ms - oldest_ms;
}

void outbox_up(struct outbox *o, struct outbox_door *door, bool fresh)
{
    o->door = door;
    o->fresh = o->fresh && fresh;
    o->progress_ms = o->loop->now_ms;
    next_job(o);
    start_sending_late(o);
}

void outbox_down(struct outbox *o)
{
    o->door = NULL;
    o->kept_sent_ms = 0;
    loop_cancel_timer(o->loop, &o->late);
    for (size_t i = 0; i < o->count; i++)
        if (slot_at(o, i)->state == SLOT_SENT)
            slot_at(o, i)->state = SLOT_WAITING;
    for (size_t i = 0; i < o->replay.batch.count; i++)
        if (o->replay.text[i].state == SLOT_SENT)
            o->replay.text[i].state = SLOT_WAITING;
}

/* --- new texts -------------------------------------------------------------------------------- */

char *outbox_next(struct outbox *o)
{
    if (o->count == OUTBOX_SLOTS)
        drop_oldest(o);
    return slot_at(o, o->count)->text;
}

void outbox_add(struct outbox *o, size_t length)
{
    struct slot *s = slot_at(o, o->count++);
    s->state = SLOT_WAITING;
    s->length = length;
    s->text[length] = 0;
    s->since_ms = o->loop->now_ms;
    o->fresh = true;
    outbox_pump(o);
    next_job(o);
}

/* --- the disk: what is due -------------------------------------------------------------------- */

static bool is_memory_short(const struct outbox *o)
{
    return o->count > OUTBOX_SLOTS - SPOOL_TEXTS_MAX;
}

/* Nothing is written while the broker takes messages. */
static bool is_append_due(struct outbox *o)
{
    bool stalled = !o->door || o->loop->now_ms - o->progress_ms > STALL_MS;
    if (o->settings.keep_days == 0 || o->count == 0)
        return false;
    bool old = o->loop->now_ms - slot_at(o, 0)->since_ms >= KEEP_AFTER_MS;
    return (stalled && (old || o->count >= KEEP_EVERY)) || (on_disk(o) && old) ||
           is_memory_short(o);
}

static bool is_remove_due(const struct outbox *o)
{
    return o->disk.spool && o->finished &&
           (!on_disk(o) || o->loop->now_ms - o->removed_ms >= REMOVE_EVERY_MS);
}

static bool is_read_due(const struct outbox *o)
{
    return o->disk.spool && o->door && o->replay.batch.count == 0 && o->unread;
}

/* --- the disk: jobs --------------------------------------------------------------------------- */

static void open_spool(struct disk *d)
{
    d->spool = spool_open(d->folder, &d->limits, &d->set_aside, d->error);
    d->good = d->spool != NULL;
}

static void append_to_spool(struct disk *d)
{
    if (!d->spool)
        open_spool(d);
    if (d->spool)
        spool_set_limits(d->spool, &d->limits);
    if (d->spool && d->clock_set)
        spool_forget_times(d->spool);
    d->clock_set &= !d->spool;
    d->good = d->spool && spool_append(d->spool, &d->batch, d->now_s, &d->safe, d->error);
}

static void read_from_spool(struct disk *d)
{
    d->good = spool_read(d->spool, d->id, &d->batch, d->error);
}

static void remove_from_spool(struct disk *d)
{
    d->good = spool_remove_through(d->spool, d->id, d->error);
}

static void forget_spool(struct disk *d)
{
    spool_close(d->spool);
    d->spool = NULL;
    d->good = spool_delete(d->folder);
    if (!d->good)
        snprintf(d->error, sizeof d->error, "%s", strerror(errno));
}

static void run_disk(struct worker_job *job)
{
    static void (*const run[])(struct disk * d) = {
        [JOB_OPEN] = open_spool,      [JOB_APPEND] = append_to_spool,
        [JOB_READ] = read_from_spool, [JOB_REMOVE] = remove_from_spool,
        [JOB_FORGET] = forget_spool,
    };
    struct disk *d = CONTAINER_OF(job, struct disk, job);
    d->set_aside = false;
    d->error[0] = 0;
    run[d->kind](d);
    d->damaged = !d->good && d->spool && spool_is_damaged(d->spool);
    d->counts = d->spool ? spool_get_counts(d->spool) : (struct spool_counts){0};
    if (d->damaged) {
        spool_close(d->spool);
        d->spool = NULL;
    }
}

static void prepare_job(struct outbox *o, enum job_kind kind)
{
    o->disk.kind = kind;
    o->disk.id = kind == JOB_REMOVE ? o->remove_id : o->read_id;
    o->disk.limits = (struct spool_limits){.max_bytes = (int64_t)o->settings.keep_mib << 20,
                                           .max_age_s = (int64_t)o->settings.keep_days * 86400};
    o->disk.safe = (struct spool_safe){.sent_id = o->finished ? o->remove_id : 0,
                                       .held_id = o->replay.batch.id};
    o->removing = o->finished;
}

static void note_trouble(struct outbox *o);

static void start_job(struct outbox *o, enum job_kind kind)
{
    prepare_job(o, kind);
    if (worker_start(o->loop, &o->disk.job) == 0)
        return;
    snprintf(o->disk.error, sizeof o->disk.error, "%s", strerror(errno));
    o->disk.damaged = false;
    note_trouble(o);
}

/* On its way, or about to be: no business of the disk, unless there is no room to wait for an answer. */
static bool is_under_way(struct outbox *o, size_t i)
{
    const struct slot *s = slot_at(o, i);
    bool newest = i == o->count - 1;
    return o->door && !is_memory_short(o) &&
           ((s->state == SLOT_SENT && o->loop->now_ms - s->sent_ms < STALL_MS) ||
            (newest && o->fresh && o->loop->now_ms - s->since_ms < STALL_MS));
}

/* The time of the batch to come.  A clock that was set tells nothing of how long the others have waited: one that had
 * no battery, and was set only now, would make them all too old. */
static void look_at_clock(struct outbox *o)
{
    int64_t now_s = wall_clock_s(), ahead_s = now_s - o->loop->now_ms / 1000;
    o->disk.now_s = now_s;
    if (now_s == READING_NO_TIME)
        return;
    if (o->clock_ahead_s && llabs(ahead_s - o->clock_ahead_s) > CLOCK_STEP_S)
        o->disk.clock_set = true;
    o->clock_ahead_s = ahead_s;
}

/* The oldest texts as a batch.  False: they are under way, all of them. */
static bool fill_batch(struct outbox *o)
{
    struct spool_batch *b = &o->disk.batch;
    b->count = b->length = 0;
    for (o->appending = 0; o->appending < o->count && b->count < SPOOL_TEXTS_MAX; o->appending++) {
        if (is_under_way(o, o->appending))
            break;
        const struct slot *s = slot_at(o, o->appending);
        if (s->state == SLOT_FREE)
            continue;
        memcpy(b->texts + b->length, s->text, s->length + 1);
        b->length += s->length + 1;
        b->count++;
    }
    look_at_clock(o);
    return b->count > 0;
}

static bool may_try(const struct outbox *o, enum job_kind kind)
{
    return o->loop->now_ms >= o->again_ms[kind];
}

/* One that failed holds up none of the others: what is on a disk that is full can be read and sent. */
static void next_job(struct outbox *o)
{
    if (o->disk.job.busy || o->disk.folder[0] == 0)
        return;
    if (o->forget) {
        if (may_try(o, JOB_FORGET))
            start_job(o, JOB_FORGET);
    } else if (may_try(o, JOB_APPEND) && is_append_due(o) && fill_batch(o)) {
        start_job(o, JOB_APPEND);
    } else if (may_try(o, JOB_OPEN) && !o->disk.spool && o->may_exist) {
        start_job(o, JOB_OPEN);
    } else if (may_try(o, JOB_REMOVE) && is_remove_due(o)) {
        start_job(o, JOB_REMOVE);
    } else if (may_try(o, JOB_READ) && is_read_due(o)) {
        start_job(o, JOB_READ);
    }
}

/* --- the disk: what came out ------------------------------------------------------------------ */

static void take_opened(struct outbox *o)
{
    o->unread = o->counts.readings > 0;
    if (o->disk.set_aside)
        log_warning("mqtt", "the kept readings were damaged and are set aside");
}

/* What went from the disk as a bound was reached, and is not lost.  The batch that was in memory then may have been
 * acknowledged meanwhile. */
static void take_safe(struct outbox *o, const struct spool_safe *safe)
{
    o->finished -= safe->sent_gone;
    if (safe->held_gone && o->replay.batch.count && o->replay.batch.id == safe->held_id)
        o->replay.batch.id = 0;
    else
        o->finished -= safe->held_gone;
}

/* What is in the batch is on disk: it leaves the memory, whether or not it was on its way. */
static void take_appended(struct outbox *o)
{
    take_opened(o); /* it may have been opened for it */
    take_safe(o, &o->disk.safe);
    o->may_exist = true;
    o->unread = true;
    o->overtaken = 0;
    while (o->appending) {
        const struct slot *s = slot_at(o, 0);
        if (s->state == SLOT_SENT && !o->kept_sent_ms)
            o->kept_sent_ms = s->sent_ms;
        pop(o); /* which counts it down */
    }
    pop_free(o);
}

static void take_batch(struct outbox *o)
{
    struct replay *r = &o->replay;
    size_t offset = 0;
    o->unread = o->disk.batch.id != 0;
    if (!o->unread)
        return;
    r->batch = o->disk.batch;
    r->acked = 0;
    for (size_t i = 0; i < r->batch.count; i++) {
        r->text[i].state = SLOT_WAITING;
        r->text[i].offset = offset;
        offset += strlen(r->batch.texts + offset) + 1;
    }
    o->read_id = r->batch.id;
}

static void take_removed(struct outbox *o)
{
    o->removed_ms = o->loop->now_ms;
    o->finished -= o->removing;
}

/* The next file has ids of its own. */
static void leave_file(struct outbox *o)
{
    o->read_id = 0;
    o->unread = false;
    o->finished = 0;
    o->replay.batch.id = 0;
}

static void take_forgotten(struct outbox *o)
{
    o->forget = o->may_exist = o->cannot_read = false;
    leave_file(o);
}

/* What is on its way from the disk is in memory, and is not lost. */
static void lose_file(struct outbox *o)
{
    uint64_t safe = o->finished + (o->replay.batch.id ? o->replay.batch.count : 0);
    struct spool_counts *c = &o->disk.counts;
    o->dropped += c->dropped + (c->readings > safe ? c->readings - safe : 0);
    *c = (struct spool_counts){0};
    leave_file(o);
}

/* A file that is damaged is left for a new one at once; if that is damaged, too, it waits as for any other trouble. */
static bool is_first_damage(struct outbox *o)
{
    int64_t before_ms = o->damaged_ms;
    if (!o->disk.damaged)
        return false;
    o->damaged_ms = o->loop->now_ms;
    return before_ms == 0 || o->loop->now_ms - before_ms > DISK_RETRY_MS;
}

static void tell_trouble(struct outbox *o)
{
    bool told = o->told_ms && o->loop->now_ms - o->told_ms < TOLD_EVERY_MS;
    if (o->problem[0] == 0 && !told) {
        log_warning("mqtt", "readings cannot be kept on disk: %s", o->disk.error);
        o->told_ms = o->loop->now_ms;
    }
    snprintf(o->problem, sizeof o->problem, "%s", o->disk.error);
    o->cannot_read = o->disk.kind == JOB_READ && !o->disk.damaged;
}

static void note_trouble(struct outbox *o)
{
    tell_trouble(o);
    o->dropped += o->overtaken;
    o->overtaken = 0;
    o->appending = 0;
    if (o->disk.kind == JOB_OPEN)
        o->unread = false; /* what is in memory need not wait for it */
    else if (o->disk.kind == JOB_APPEND && o->disk.spool)
        o->unread = true; /* it may have been opened for it, and hold older ones */
    if (!is_first_damage(o))
        o->again_ms[o->disk.kind] = o->loop->now_ms + DISK_RETRY_MS;
}

static void take_result(struct outbox *o)
{
    static void (*const take[])(struct outbox * o) = {
        [JOB_OPEN] = take_opened,    [JOB_APPEND] = take_appended,  [JOB_READ] = take_batch,
        [JOB_REMOVE] = take_removed, [JOB_FORGET] = take_forgotten,
    };
    if (o->disk.kind == JOB_FORGET)
        o->dropped += o->counts.dropped;
    if (o->disk.damaged)
        lose_file(o);
    o->counts = o->disk.counts;
    if (o->forget && o->disk.kind != JOB_FORGET)
        return; /* it does not matter any more */
    if (!o->disk.good) {
        note_trouble(o);
        return;
    }
    take[o->disk.kind](o);
    if ((o->disk.kind == JOB_READ) == o->cannot_read) /* reading says nothing of writing */
        o->problem[0] = 0;
}

static void on_disk_done(struct worker_job *job)
{
    struct outbox *o = CONTAINER_OF(job, struct outbox, disk.job);
    take_result(o);
    next_job(o);
    start_sending_late(o);
}

/* --- life ------------------------------------------------------------------------------------- */

static void on_tick(struct loop_timer *timer)
{
    struct outbox *o = CONTAINER_OF(timer, struct outbox, tick);
    loop_set_timer(o->loop, &o->tick, TICK_MS);
    next_job(o);
    start_sending_late(o);
}

static bool has_file(const char *folder)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, SPOOL_FILE);
    return access(path, F_OK) == 0;
}

struct outbox *outbox_open(struct loop *l, const char *folder,
                           const struct outbox_settings *settings)
{
    struct outbox *o = heap_new(sizeof *o);
    if (!o)
        return NULL;
    o->loop = l;
    o->settings = *settings;
    o->tick.expired = on_tick;
    o->late.expired = on_late;
    o->disk.job = (struct worker_job){.run = run_disk, .done = on_disk_done};
    snprintf(o->disk.folder, sizeof o->disk.folder, "%s", folder);
    o->may_exist = o->unread = folder[0] && has_file(folder);
    on_tick(&o->tick);
    return o;
}

/* Texts that wait and are nowhere else. */
static uint64_t in_memory(const struct outbox *o)
{
    const struct replay *r = &o->replay;
    uint64_t n = r->batch.id ? 0 : r->batch.count - r->acked;
    for (size_t i = 0; i < OUTBOX_SLOTS; i++)
        n += o->slots[i].state == SLOT_WAITING;
    return n;
}

/* Blocks on the disk. */
static bool run_now(struct outbox *o, enum job_kind kind)
{
    prepare_job(o, kind);
    run_disk(&o->disk.job);
    take_result(o);
    return o->disk.good;
}

static void keep_the_rest(struct outbox *o)
{
    int anew = 1;           /* once more, in a new file, if the one that is there is damaged */
    bool good = !o->forget; /* the file was to go, and could not */
    while (good && o->settings.keep_days > 0 && fill_batch(o))
        good = run_now(o, JOB_APPEND) || (o->disk.damaged && anew-- > 0);
}

void outbox_close(struct outbox *o)
{
    if (!o)
        return;
    outbox_down(o);
    loop_cancel_timer(o->loop, &o->tick);
    if (o->disk.job.busy) {
        worker_join(&o->disk.job);
        take_result(o);
    }
    if (o->forget)
        run_now(o, JOB_FORGET);
    if (o->disk.spool && o->finished)
        run_now(o, JOB_REMOVE);
    if (o->disk.folder[0])
        keep_the_rest(o);
    unsigned long long lost = in_memory(o);
    if (lost)
        log_warning("mqtt", "%llu readings that waited in memory are lost", lost);
    spool_close(o->disk.spool);
    free(o);
}

void outbox_set(struct outbox *o, const struct outbox_settings *settings)
{
    o->settings = *settings;
}

void outbox_forget(struct outbox *o)
{
    while (o->count)
        pop(o);
    o->fresh = o->unread = false;
    o->overtaken = 0;
    o->replay.batch.count = o->replay.acked = 0;
    o->forget = o->disk.folder[0] != 0;
    next_job(o);
}

struct outbox_counts outbox_get_counts(const struct outbox *o)
{
    const struct replay *r = &o->replay;
    uint64_t gone = o->finished + (r->batch.id ? r->acked : 0);
    return (struct outbox_counts){
        .waiting = in_memory(o) + (o->counts.readings > gone ? o->counts.readings - gone : 0),
        .disk_bytes = o->counts.bytes,
        .sent_late = o->sent_late,
        .dropped = o->dropped + o->counts.dropped};
}

const char *outbox_problem(const struct outbox *o)
{
    return o->problem;
}
