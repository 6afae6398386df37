#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "outbox.h"

#include "broken_disk_kit_test.h"
#include "folder_kit_test.h"
#include "log.h"
#include "loop_kit_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    TEXTS_MAX = 60000,
    MESSAGES_MAX = 120000,
    NEVER = -1,
    IN_MEMORY_MAX = 10, /* texts, and seconds of them, that a power cut may take */
    /* As in outbox.c. */
    STALL_MS = 5000,
    LIVE_IN_FLIGHT_MAX = 8,
    LATE_IN_FLIGHT_MAX = 10
};

static struct loop loop;
static struct outbox *outbox;
static struct outbox_settings settings;

/* What was put in, by number from 0. */
static struct {
    int64_t added_ms;
    unsigned connection; /* in which it was sent last; 0: never */
    bool settled;        /* acknowledged, and this outbox was told: it must not come again */
    bool arrived, refused;
    bool on_disk; /* see look_at_disk() */
} texts[TEXTS_MAX];
static int texts_n;

static uint64_t dropped_before; /* by outboxes that are closed */
static int64_t owed;            /* texts that were put in and neither settled nor refused */
static int64_t unsure; /* of these: acknowledged, but they may have been on the way to the disk */

/* --- the broker ------------------------------------------------------------------------------- */

struct message {
    enum { FLYING, ANSWERED, LOST } state;
    int text, number;
    bool late;
    int64_t sent_ms;
};

static bool take_text(struct outbox_door *door, const char *text, size_t length, bool late,
                      int *number, bool *refused);
static void on_answers(struct loop_timer *timer);

static struct {
    struct outbox_door door;
    struct loop_timer answers;
    bool up, busy;
    bool answers_in_send; /* QoS 0 */
    int64_t answer_ms;    /* how long it takes; NEVER: the test answers */
    int refuse;           /* a text it does not take, at all */
    unsigned connection;
    int last_live, last_late; /* texts; the latter of those new to this connection */
    int number;
} broker;

static struct message messages[MESSAGES_MAX];
static int messages_n, first_flying;

/* Of any length, and hard to compress. */
static const char *text_of(int i)
{
    static char text[OUTBOX_TEXT_MAX];
    uint32_t state = (uint32_t)i;
    int length = snprintf(text, sizeof text, "{\"reading\":%d,\"filler\":\"", i);
    for (int end = length + i * 37 % 1500; length < end; length++) {
        state = state * 1664525 + 1013904223;
        text[length] = (char)('A' + (state >> 16) % 58 % 26);
    }
    snprintf(text + length, sizeof text - (size_t)length, "\"}");
    return text;
}

static bool answer(struct message *m, bool taken)
{
    assert_int_equal(m->state, FLYING);
    m->state = ANSWERED;
    texts[m->text].arrived |= taken;
    texts[m->text].refused |= !taken;
    bool maybe_written = loop.jobs && loop.now_ms - m->sent_ms >= STALL_MS;
    bool known = outbox_acked(outbox, m->number, taken);
    assert_false(known && texts[m->text].settled);
    if (known && maybe_written) {
        unsure++;
    } else if (known) {
        texts[m->text].settled = true;
        owed--;
    }
    return known;
}

/* Of the messages that are under way the one with this place in line; NULL: there are not so many. */
static struct message *flying(int place)
{
    for (int i = first_flying; i < messages_n; i++)
        if (messages[i].state == FLYING && place-- == 0)
            return &messages[i];
    return NULL;
}

static int flying_n(void)
{
    int n = 0;
    for (int i = first_flying; i < messages_n; i++)
        n += messages[i].state == FLYING;
    return n;
}

static int late_flying_n(void)
{
    int n = 0;
    for (int i = first_flying; i < messages_n; i++)
        n += messages[i].state == FLYING && messages[i].late;
    return n;
}

/* All that is true of every message of every test. */
static void assert_may_be_sent(int i, const char *text, size_t length, bool late)
{
    assert_true(broker.up);
    assert_in_range(i, 0, texts_n - 1);
    assert_string_equal(text, text_of(i));
    assert_int_equal(length, strlen(text));
    assert_false(texts[i].settled);
    if (!late)
        assert_true(i > broker.last_live);
    else if (texts[i].connection != broker.connection)
        assert_true(i > broker.last_late); /* in order */
}

static void expect_answers(void)
{
    if (broker.answer_ms != NEVER && !broker.answers.active && flying(0))
        loop_set_timer(&loop, &broker.answers, flying(0)->sent_ms + broker.answer_ms - loop.now_ms);
}

static bool take_text(struct outbox_door *door, const char *text, size_t length, bool late,
                      int *number, bool *refused)
{
    int i = -1;
    assert_ptr_equal(door, &broker.door);
    assert_int_equal(sscanf(text, "{\"reading\":%d,", &i), 1);
    assert_may_be_sent(i, text, length, late);
    *refused = i == broker.refuse;
    if (*refused) {
        texts[i].refused = true;
        owed--;
    }
    if (*refused || broker.busy)
        return false;
    *number = ++broker.number;
    if (!late)
        broker.last_live = i;
    else if (texts[i].connection != broker.connection)
        broker.last_late = i;
    texts[i].connection = broker.connection;
    assert_true(messages_n < MESSAGES_MAX);
    messages[messages_n++] =
        (struct message){.text = i, .number = *number, .late = late, .sent_ms = loop.now_ms};
    if (broker.answers_in_send)
        answer(&messages[messages_n - 1], true);
    expect_answers();
    return true;
}

static void skip_answered(void)
{
    while (first_flying < messages_n && messages[first_flying].state != FLYING)
        first_flying++;
}

static void on_answers(struct loop_timer *timer)
{
    struct message *m;
    (void)timer;
    while ((m = flying(0)) != NULL && m->sent_ms + broker.answer_ms <= loop.now_ms)
        answer(m, true);
    skip_answered();
    outbox_pump(outbox); /* as a link does behind what it has read */
    expect_answers();
}

static void answer_all(void)
{
    for (struct message *m; (m = flying(0)) != NULL;)
        answer(m, true);
    skip_answered();
}

static void come_up(bool fresh)
{
    broker.up = true;
    broker.connection++;
    broker.number = 0; /* numbers begin anew with each connection */
    broker.last_late = -1;
    outbox_up(outbox, &broker.door, fresh);
    outbox_pump(outbox);
}

static void lose_connection(void)
{
    for (struct message *m; (m = flying(0)) != NULL;)
        m->state = LOST;
    skip_answered();
    loop_cancel_timer(&loop, &broker.answers);
    broker.up = false;
}

static void go_down(void)
{
    lose_connection();
    outbox_down(outbox);
}

/* --- the outbox ------------------------------------------------------------------------------- */

static void open_outbox(const char *in)
{
    outbox = outbox_open(&loop, in, &settings);
    assert_non_null(outbox);
    broker.last_live = -1;
    for (int i = 0; i < texts_n; i++)
        texts[i].settled = false;
}

static void close_outbox(void)
{
    lose_connection();
    dropped_before += outbox_get_counts(outbox).dropped;
    outbox_close(outbox);
    outbox = NULL;
}

static void restart(void)
{
    close_outbox();
    open_outbox(folder);
}

static uint64_t waiting(void)
{
    return outbox_get_counts(outbox).waiting;
}

static uint64_t dropped(void)
{
    return dropped_before + outbox_get_counts(outbox).dropped;
}

static int add(void)
{
    int i = texts_n++;
    const char *text = text_of(i);
    assert_true(texts_n <= TEXTS_MAX);
    texts[i].added_ms = loop.now_ms;
    owed++;
    memcpy(outbox_next(outbox), text, strlen(text));
    outbox_add(outbox, strlen(text));
    return i;
}

static void run(int64_t ms)
{
    loop_kit_settle(&loop);
    loop_kit_run(&loop, ms);
}

/* So many texts, one a second. */
static void add_for(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        add();
        run(1000);
    }
}

/* --- the folder ------------------------------------------------------------------------------- */

static bool exists(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

static void copy_file(const char *from, const char *to)
{
    size_t length;
    char *bytes = atomic_file_read(folder, from, 1 << 26, &length);
    if (bytes)
        assert_true(atomic_file_write(path_of("copy"), to, bytes, length));
    free(bytes);
}

static void note_on_disk(const struct spool_batch *batch)
{
    const char *text = batch->texts;
    for (size_t i = 0; i < batch->count; i++, text += strlen(text) + 1) {
        int number = -1;
        sscanf(text, "{\"reading\":%d,", &number);
        assert_in_range(number, 0, texts_n - 1);
        assert_string_equal(text, text_of(number));
        texts[number].on_disk = true;
    }
}

/* What a power cut at this moment would leave. */
static int look_at_disk(void)
{
    static struct spool_batch batch;
    const struct spool_limits limits = {.max_bytes = 1 << 26};
    char error[SPOOL_ERROR_MAX] = "";
    bool set_aside;
    int n = 0;
    for (int i = 0; i < texts_n; i++)
        texts[i].on_disk = false;
    if (!exists(SPOOL_FILE))
        return 0;
    assert_true(atomic_file_make_folder(path_of("copy")));
    copy_file(SPOOL_FILE, SPOOL_FILE);
    copy_file(SPOOL_FILE "-wal", SPOOL_FILE "-wal");
    struct spool *copy = spool_open(path_of("copy"), &limits, &set_aside, error);
    assert_string_equal(error, "");
    assert_non_null(copy);
    assert_false(set_aside);
    for (batch.id = 0; spool_read(copy, batch.id, &batch, error) && batch.id;)
        note_on_disk(&batch);
    spool_close(copy);
    assert_true(spool_delete(path_of("copy")));
    assert_int_equal(rmdir(path_of("copy")), 0);
    for (int i = 0; i < texts_n; i++)
        n += texts[i].on_disk;
    return n;
}

static void assert_disk_holds(int first, int last)
{
    look_at_disk();
    for (int i = 0; i < texts_n; i++)
        assert_int_equal(texts[i].on_disk, first <= i && i <= last);
}

/* --- setup ------------------------------------------------------------------------------------ */

static void forget_all(void)
{
    memset(texts, 0, sizeof texts[0] * (size_t)texts_n);
    memset(&broker, 0, sizeof broker);
    broker.door.send = take_text;
    broker.answers.expired = on_answers;
    broker.answer_ms = 20;
    broker.refuse = -1;
    texts_n = messages_n = first_flying = 0;
    dropped_before = 0;
    owed = unsure = 0;
}

/* As at the beginning of a test. */
static void begin_anew(void)
{
    close_outbox();
    assert_true(spool_delete(folder));
    forget_all();
    open_outbox(folder);
}

static int set_up(void **unused)
{
    (void)unused;
    if (!make_folder_for("outbox_test", true))
        return -1;
    break_disk();
    settings = (struct outbox_settings){.keep_days = 7, .keep_mib = 64, .late_per_s = 20};
    forget_all();
    loop_init(&loop);
    open_outbox(folder);
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    if (outbox)
        close_outbox();
    loop_close(&loop);
    empty_folder();
    return rmdir(folder);
}

static void reopen_in(const char *in)
{
    close_outbox();
    open_outbox(in);
}

/* From here on a broker takes all there is, and then nothing is owed or kept. */
static void let_all_go(void)
{
    broker.answer_ms = 20;
    broker.busy = broker.answers_in_send = false;
    if (!broker.up)
        come_up(true);
    expect_answers();
    outbox_pump(outbox);
    for (int i = 0; i < 100000 && (i < 120 || waiting() || flying(0)); i++)
        run(100);
    run(10000);
    assert_int_equal(waiting(), 0);
    assert_null(flying(0));
    assert_in_range(owed, 0, unsure);
    assert_int_equal(look_at_disk(), 0);
    assert_string_equal(outbox_problem(outbox), "");
    int sent = messages_n;
    restart();
    come_up(true);
    run(10000);
    assert_int_equal(messages_n, sent);
}

/* Numbers of texts that never arrived nor were refused; all are `first` and above, and below `end`. */
static int missing_between(int first, int end)
{
    int n = 0;
    for (int i = 0; i < texts_n; i++) {
        if (texts[i].arrived || texts[i].refused)
            continue;
        assert_in_range(i, first, end - 1);
        n++;
    }
    return n;
}

static void assert_all_arrived(void)
{
    for (int i = 0; i < texts_n; i++)
        assert_true(texts[i].arrived);
    assert_int_equal(dropped(), 0);
}

/* --- while the broker takes messages ---------------------------------------------------------- */

static void the_newest_goes_live_at_once_and_is_gone_when_it_is_acknowledged(void **unused)
{
    (void)unused;
    broker.answer_ms = NEVER;
    come_up(true);
    add();
    assert_int_equal(messages_n, 1);
    assert_false(messages[0].late);
    loop_kit_pass(&loop, 300);
    assert_int_equal(outbox_unanswered_ms(outbox), 300);
    assert_true(answer(&messages[0], true));
    assert_int_equal(outbox_unanswered_ms(outbox), 0);
    assert_int_equal(waiting(), 0);
    go_down();
    come_up(true);
    run(20000);
    assert_int_equal(messages_n, 1);
}

static void assert_never_written(int seconds)
{
    int before = messages_n;
    for (int i = 0; i < seconds; i++) {
        add_for(1);
        assert_false(exists(SPOOL_FILE));
    }
    assert_int_equal(messages_n - before, seconds);
    for (int i = before; i < messages_n; i++)
        assert_false(messages[i].late);
}

static void nothing_is_written_while_the_broker_takes_messages(void **unused)
{
    static const int64_t times_ms[] = {0, 20, 900, 3000, 4900};
    (void)unused;
    come_up(true);
    for (size_t i = 0; i < sizeof times_ms / sizeof times_ms[0]; i++) {
        broker.answer_ms = times_ms[i];
        assert_never_written(2000);
    }
    run(5000);
    assert_int_equal(waiting(), 0);
    assert_all_arrived();
}

static void nothing_is_written_when_a_restart_of_the_broker_takes_some_seconds(void **unused)
{
    (void)unused;
    come_up(true);
    for (int i = 0; i < 100; i++) {
        add_for(20);
        go_down();
        add_for(5);
        come_up(true);
    }
    run(5000);
    assert_false(exists(SPOOL_FILE));
    assert_int_equal(waiting(), 0);
    assert_all_arrived();
}

/* More of them are under way than go to disk otherwise. */
static void nothing_is_written_when_readings_are_many_and_answers_slow(void **unused)
{
    (void)unused;
    broker.answer_ms = 3000;
    come_up(true);
    for (int i = 0; i < 240; i++) {
        add();
        run(250);
    }
    assert_false(exists(SPOOL_FILE));
    run(5000);
    assert_int_equal(waiting(), 0);
    assert_all_arrived();
}

static void more_than_the_connection_takes_goes_to_disk_and_is_not_dropped(void **unused)
{
    (void)unused;
    broker.answer_ms = 3000;
    come_up(true);
    for (int i = 0; i < 600; i++) {
        add();
        run(100);
        assert_int_equal(dropped(), 0);
    }
    let_all_go();
    assert_all_arrived();
}

static void what_the_connection_does_not_take_now_goes_live_when_it_does(void **unused)
{
    (void)unused;
    broker.busy = true;
    come_up(true);
    add();
    run(700);
    assert_int_equal(messages_n, 0);
    broker.busy = false;
    outbox_pump(outbox);
    assert_int_equal(messages_n, 1);
    assert_false(messages[0].late);
}

static void an_acknowledgement_before_send_returns_counts(void **unused)
{
    (void)unused;
    add_for(33);
    broker.answers_in_send = true;
    come_up(true);
    add_for(100);
    assert_int_equal(waiting(), 0);
    assert_int_equal(outbox_unanswered_ms(outbox), 0);
    assert_int_equal(messages_n, texts_n);
    let_all_go();
    assert_all_arrived();
}

static void a_number_that_is_not_under_way_is_none_of_ours(void **unused)
{
    (void)unused;
    broker.answer_ms = NEVER;
    assert_false(outbox_acked(outbox, 0, true));
    come_up(true);
    assert_false(outbox_acked(outbox, 0, true));
    assert_false(outbox_acked(outbox, 1, false));
    add();
    assert_false(outbox_acked(outbox, 2, true));
    assert_true(answer(&messages[0], true));
    assert_false(outbox_acked(outbox, 1, true));
    assert_false(outbox_acked(outbox, 1, false));
    add();
    go_down();
    assert_false(outbox_acked(outbox, 2, true));
    assert_int_equal(dropped(), 0);
    let_all_go();
    assert_all_arrived();
}

/* --- while it does not ------------------------------------------------------------------------ */

static void one_reading_is_on_disk_within_ten_seconds(void **unused)
{
    (void)unused;
    add();
    run(7000);
    assert_false(exists(SPOOL_FILE));
    run(3000);
    assert_disk_holds(0, 0);
    assert_int_equal(waiting(), 1);
}

static void ten_readings_are_on_disk_at_once_however_fast_they_come(void **unused)
{
    (void)unused;
    for (int i = 0; i < IN_MEMORY_MAX; i++)
        add();
    loop_kit_settle(&loop);
    assert_disk_holds(0, IN_MEMORY_MAX - 1);
}

static void what_waits_behind_a_replay_is_on_disk_in_time(void **unused)
{
    (void)unused;
    add_for(300);
    for (int i = 0; i < 5; i++)
        add();
    come_up(false);
    run(9500);
    look_at_disk();
    for (int i = 0; i < texts_n; i++)
        assert_true(texts[i].on_disk || texts[i].arrived);
    assert_false(texts[304].arrived);
}

static void a_power_cut_takes_ten_seconds_of_readings_at_most(void **unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++) {
        add_for(1);
        int kept = look_at_disk();
        assert_true(texts_n - kept <= IN_MEMORY_MAX);
        assert_disk_holds(0, kept - 1); /* the oldest ones */
        assert_int_equal(waiting(), texts_n);
    }
}

static void readings_that_come_slowly_are_on_disk_in_time_too(void **unused)
{
    (void)unused;
    for (int i = 0; i < 30; i++) {
        add();
        run(3700);
        look_at_disk();
        for (int t = 0; t < texts_n; t++)
            assert_true(texts[t].on_disk || loop.now_ms - texts[t].added_ms < 10000);
    }
}

static void a_broker_that_acknowledges_nothing_is_as_good_as_none(void **unused)
{
    (void)unused;
    broker.answer_ms = NEVER;
    come_up(true);
    for (int i = 0; i < 60; i++) {
        add_for(1);
        assert_int_equal(outbox_unanswered_ms(outbox), (i + 1) * 1000);
        assert_true(texts_n - look_at_disk() <= IN_MEMORY_MAX + 1);
        assert_int_equal(dropped(), 0);
    }
    assert_true(answer(flying(flying_n() - 1), true));
    assert_true(outbox_unanswered_ms(outbox) < 55000);
    go_down();
    assert_int_equal(outbox_unanswered_ms(outbox), 0);
    let_all_go();
    assert_all_arrived();
}

static void a_connection_that_takes_nothing_more_is_as_good_as_none(void **unused)
{
    (void)unused;
    broker.busy = true;
    come_up(true);
    for (int i = 0; i < 60; i++) {
        add_for(1);
        assert_true(texts_n - look_at_disk() <= IN_MEMORY_MAX + 1);
    }
    assert_int_equal(outbox_unanswered_ms(outbox), 0);
    let_all_go();
    assert_all_arrived();
}

/* --- when it is back -------------------------------------------------------------------------- */

static void the_newest_goes_live_first_and_the_rest_late_in_order(void **unused)
{
    (void)unused;
    add_for(95);
    run(500);
    come_up(true);
    assert_int_equal(messages_n, 1);
    assert_int_equal(messages[0].text, 94);
    assert_false(messages[0].late);
    run(10000);
    assert_int_equal(messages_n, 95);
    for (int i = 1; i < 95; i++) {
        assert_int_equal(messages[i].text, i - 1);
        assert_true(messages[i].late);
    }
    assert_int_equal(outbox_get_counts(outbox).sent_late, 94);
    let_all_go();
    assert_all_arrived();
}

static void a_newest_that_is_stale_goes_late(void **unused)
{
    (void)unused;
    add_for(3);
    come_up(false);
    run(1000);
    assert_int_equal(messages_n, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(messages[i].text, i);
        assert_true(messages[i].late);
    }
    add();
    assert_false(messages[3].late);
}

/* Within any second. */
static void assert_late_rate(int per_s)
{
    for (int i = 0; i + per_s < messages_n; i++)
        assert_true(messages[i + per_s].sent_ms - messages[i].sent_ms >= per_s * (1000 / per_s));
}

static void what_waited_goes_at_the_rate_that_is_set(void **unused)
{
    static const int rates[] = {1, 7, 20, 250};
    (void)unused;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        settings.late_per_s = rates[i];
        begin_anew();
        add_for(60);
        come_up(false);
        int64_t begin_ms = loop.now_ms;
        while (outbox_get_counts(outbox).waiting && loop.now_ms < begin_ms + 90000)
            run(10);
        assert_late_rate(rates[i]);
        assert_true(loop.now_ms - begin_ms <= 60000 / rates[i] + 1500);
    }
}

static void only_so_many_late_ones_are_under_way(void **unused)
{
    (void)unused;
    for (int i = 0; i < 60; i++) {
        add(); /* at the tenth a batch is written */
        loop_kit_settle(&loop);
    }
    broker.answer_ms = NEVER;
    come_up(false);
    for (int i = 0; i < 40; i++) {
        run(100);
        assert_true(late_flying_n() <= LATE_IN_FLIGHT_MAX);
    }
    assert_int_equal(late_flying_n(), LATE_IN_FLIGHT_MAX);
    answer(flying(0), true);
    run(1000);
    assert_true(late_flying_n() <= LATE_IN_FLIGHT_MAX);
    let_all_go();
    assert_all_arrived();
}

static void in_memory_too_only_so_many_are_under_way(void **unused)
{
    (void)unused;
    reopen_in("");
    broker.answer_ms = NEVER;
    add_for(40);
    come_up(false);
    run(3000);
    assert_int_equal(late_flying_n(), LATE_IN_FLIGHT_MAX);
    for (int i = 0; i < 20; i++)
        add();
    run(3000);
    assert_int_equal(late_flying_n(), LATE_IN_FLIGHT_MAX);
    assert_int_equal(flying_n(), LATE_IN_FLIGHT_MAX + LIVE_IN_FLIGHT_MAX);
}

static void what_is_live_goes_at_once_during_a_long_replay(void **unused)
{
    (void)unused;
    add_for(600);
    come_up(false);
    for (int i = 0; i < 20; i++) {
        int before = messages_n, text = add();
        assert_int_equal(messages_n, before + 1);
        assert_int_equal(messages[before].text, text);
        assert_false(messages[before].late);
        run(1000);
    }
    assert_true(waiting() > 100);
    let_all_go();
    assert_all_arrived();
}

static void what_was_acknowledged_is_not_sent_again_and_the_rest_is(void **unused)
{
    (void)unused;
    add_for(50);
    broker.answer_ms = NEVER;
    come_up(false);
    run(2000);
    answer(flying(0), true);
    answer(flying(1), true); /* the third */
    int again = flying_n(), sent = messages_n;
    go_down();
    run(60000);
    assert_int_equal(waiting(), 48);
    come_up(false);
    run(2000);
    assert_int_equal(messages[sent].text, 1);
    assert_int_equal(messages[sent + 1].text, 3);
    assert_true(messages_n - sent >= again);
    let_all_go(); /* where nothing that is settled may be sent */
    assert_all_arrived();
}

static void a_live_one_that_was_not_acknowledged_goes_late(void **unused)
{
    (void)unused;
    broker.answer_ms = NEVER;
    come_up(true);
    add();
    add();
    answer(&messages[1], true);
    go_down();
    assert_int_equal(waiting(), 1);
    come_up(true);
    run(1000);
    assert_int_equal(messages_n, 3);
    assert_int_equal(messages[2].text, 0);
    assert_true(messages[2].late);
}

static void nothing_leaves_the_disk_before_it_is_acknowledged(void **unused)
{
    (void)unused;
    add_for(200);
    look_at_disk();
    int kept = 0;
    while (kept < texts_n && texts[kept].on_disk)
        kept++;
    assert_true(kept >= 190);
    broker.answer_ms = 700;
    come_up(false);
    while (waiting()) {
        run(300);
        look_at_disk();
        for (int i = 0; i < kept; i++)
            assert_true(texts[i].on_disk || texts[i].arrived);
    }
    run(6000);
    assert_int_equal(look_at_disk(), 0);
}

static void a_refused_one_is_dropped_and_holds_up_nothing(void **unused)
{
    static const int refused[] = {0, 12, 25, 49};
    (void)unused;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        begin_anew();
        broker.refuse = refused[i];
        add_for(50);
        come_up(true);
        run(10000);
        assert_int_equal(waiting(), 0);
        assert_int_equal(dropped(), 1);
        assert_int_equal(messages_n, 49);
        let_all_go();
    }
}

static void one_that_the_broker_answers_with_no_is_dropped_too(void **unused)
{
    (void)unused;
    add_for(30);
    broker.answer_ms = NEVER;
    come_up(true);
    run(2000);
    uint64_t noes = 0;
    while (flying(0)) {
        assert_true(answer(flying(0), false));
        noes++;
        run(200);
    }
    assert_int_equal(noes, 30);
    assert_int_equal(dropped(), 30);
    assert_int_equal(outbox_get_counts(outbox).sent_late, 0);
    let_all_go();
}

/* --- bounds ----------------------------------------------------------------------------------- */

static void without_a_folder_the_oldest_are_dropped_and_counted(void **unused)
{
    (void)unused;
    reopen_in("");
    add_for(100);
    assert_int_equal(waiting(), OUTBOX_SLOTS);
    assert_int_equal(dropped(), 100 - OUTBOX_SLOTS);
    come_up(true);
    run(10000);
    assert_int_equal(waiting(), 0);
    assert_int_equal(missing_between(0, 100 - OUTBOX_SLOTS), 100 - OUTBOX_SLOTS);
    assert_int_equal(dropped(), 100 - OUTBOX_SLOTS);
}

static void what_was_sent_and_never_acknowledged_is_dropped_and_counted_too(void **unused)
{
    (void)unused;
    reopen_in("");
    broker.answer_ms = NEVER;
    come_up(true);
    add_for(200);
    assert_int_equal(dropped(), 200 - OUTBOX_SLOTS);
    go_down();
    assert_int_equal(waiting(), OUTBOX_SLOTS);
    broker.answer_ms = 20;
    come_up(true);
    run(10000);
    assert_int_equal(waiting(), 0);
    assert_int_equal(missing_between(0, 200 - OUTBOX_SLOTS), 200 - OUTBOX_SLOTS);
}

static void no_days_keep_nothing_and_what_is_kept_already_goes(void **unused)
{
    (void)unused;
    add_for(30);
    settings.keep_days = 0;
    outbox_set(outbox, &settings);
    int kept = look_at_disk();
    add_for(100);
    assert_int_equal(look_at_disk(), kept);
    assert_int_equal(waiting(), kept + OUTBOX_SLOTS);
    restart();
    run(0);
    owed = (int64_t)waiting();
    assert_int_equal(owed, kept);
    let_all_go();
    assert_int_equal(missing_between(kept, texts_n), texts_n - kept);
}

static void settings_count_from_the_moment_they_are_set(void **unused)
{
    (void)unused;
    settings.keep_days = 0;
    settings.late_per_s = 1;
    outbox_set(outbox, &settings);
    add_for(40);
    assert_int_equal(look_at_disk(), 0);
    settings.keep_days = 1;
    outbox_set(outbox, &settings);
    run(10000);
    assert_disk_holds(0, 39);
    come_up(false);
    run(5000);
    assert_true(messages_n <= 5);
    settings.late_per_s = 100;
    outbox_set(outbox, &settings);
    run(3000);
    assert_int_equal(messages_n, 40);
    let_all_go();
    assert_all_arrived();
}

/* Ten a second, until the disk has no more room and something was dropped. */
static void fill_disk(void)
{
    for (int i = 0; i < 8000; i += 10) {
        for (int k = 0; k < 10; k++)
            add();
        run(1000);
    }
    assert_true(dropped() > 0);
}

static void the_oldest_on_disk_are_dropped_at_its_bound_and_counted(void **unused)
{
    (void)unused;
    settings.keep_mib = 1;
    outbox_set(outbox, &settings);
    fill_disk();
    assert_true(outbox_get_counts(outbox).disk_bytes < 2 << 20);
    assert_int_equal(waiting() + dropped(), texts_n);
    int first_kept = (int)dropped();
    settings.late_per_s = 1000;
    outbox_set(outbox, &settings);
    come_up(false);
    run(3000);
    assert_int_equal(messages[0].text, first_kept);
}

/* It has been acknowledged, or is read from the disk and not sent yet, as the connection ends; then the disk fills. */
static void what_is_dropped_on_disk_alone_is_not_lost(void **unused)
{
    (void)unused;
    settings.keep_mib = 1;
    settings.late_per_s = 100;
    outbox_set(outbox, &settings);
    add_for(60);
    come_up(false);
    run(400); /* less than a removal waits for */
    uint64_t left = waiting();
    assert_in_range(left, 1, 59);
    go_down();
    fill_disk();
    assert_int_equal(waiting() + dropped(), texts_n - (60 - (int)left));
    settings.late_per_s = 1000;
    outbox_set(outbox, &settings);
    come_up(false);
    run(60000);
    assert_int_equal(waiting(), 0);
    assert_int_equal(missing_between(0, texts_n), dropped());
}

/* --- restarts --------------------------------------------------------------------------------- */

static void what_is_in_memory_at_the_end_is_kept(void **unused)
{
    (void)unused;
    settings.keep_days = 0;
    begin_anew();
    add_for(60);
    settings.keep_days = 7;
    outbox_set(outbox, &settings);
    restart(); /* before there was any job */
    run(0);
    assert_int_equal(waiting(), 60);
    let_all_go();
    assert_all_arrived();
}

static void what_a_former_process_left_is_sent_late(void **unused)
{
    (void)unused;
    add_for(45);
    restart();
    run(0);
    assert_int_equal(waiting(), 45);
    add_for(3);
    come_up(true);
    assert_int_equal(messages[0].text, 47);
    let_all_go();
    for (int i = 1; i < 48; i++)
        assert_int_equal(messages[i].text, i - 1);
    assert_all_arrived();
}

static void what_was_acknowledged_is_not_kept_over_a_restart(void **unused)
{
    (void)unused;
    add_for(60);
    settings.late_per_s = 100;
    outbox_set(outbox, &settings);
    come_up(false);
    run(400); /* less than a removal waits for */
    uint64_t left = waiting();
    assert_true(left < 30 && left > 0);
    restart();
    run(0);
    assert_in_range(waiting(), left, left + SPOOL_TEXTS_MAX - 1); /* a batch goes as a whole */
}

static void a_disk_that_is_slow_to_open_does_not_let_newer_ones_pass(void **unused)
{
    (void)unused;
    add_for(45);
    restart(); /* and the disk is not heard of */
    for (int i = 0; i < 5; i++) {
        add();
        loop_kit_pass(&loop, 1000);
    }
    come_up(true);
    loop_kit_pass(&loop, 3000);
    assert_int_equal(messages_n, 1);
    let_all_go();
    assert_all_arrived();
}

/* Each letter is something that happens.  Small ones are settled before the next; the jobs of capitals are not. */
static void act(char letter)
{
    switch (letter) {
    case 'a':
    case 'A':
        add();
        loop_kit_pass(&loop, 1000);
        break;
    case 't':
    case 'T':
        loop_kit_pass(&loop, 1000);
        break;
    case 'i':
    case 'I':
        loop_kit_pass(&loop, 50);
        break;
    case 'u':
    case 'U':
        if (!broker.up)
            come_up(true);
        break;
    case 'd':
    case 'D':
        if (broker.up)
            go_down();
        break;
    case 'k':
    case 'K':
        answer_all();
        outbox_pump(outbox);
        break;
    }
    if (letter >= 'a')
        loop_kit_settle(&loop);
}

static void play(const char *story, size_t event_at, void (*event)(void))
{
    broker.answer_ms = NEVER;
    for (size_t i = 0; story[i]; i++) {
        if (i == event_at)
            event();
        act(story[i]);
    }
}

static const char story[] =
    "aaaaaaaaaAAaaaaUTiiikIIKuaaaakiiKIaDaaaaaaaaaaaaaAuiiiiiiiiiiiikaiiiiikKaiIiKaA"
    "ttttTTdaaaaaaaaaaaaaaaaaaaaTTTuTaaiiiiikaiiKaKiKiKiiiikiiTTTTkkakakdaaau";

static void no_restart_at_any_moment_loses_anything(void **unused)
{
    (void)unused;
    for (size_t at = 0; at < sizeof story; at++) {
        begin_anew();
        play(story, at, restart);
        run(0);
        owed = (int64_t)waiting() + flying_n();
        let_all_go();
        assert_all_arrived();
    }
}

/* --- forgetting ------------------------------------------------------------------------------- */

static int forgotten; /* texts below are */

static void forget(void)
{
    outbox_forget(outbox);
    forgotten = texts_n;
    for (int i = 0; i < forgotten; i++)
        texts[i].settled = true; /* must not come again */
    owed = 0;
}

static void forget_and_end(void)
{
    forget();
    restart();
    for (int i = 0; i < forgotten; i++)
        texts[i].settled = true;
}

static void assert_forgets_at_any_moment(void (*event)(void))
{
    for (size_t at = 0; at < sizeof story - 1; at += 2) {
        begin_anew();
        forgotten = 0;
        play(story, at, event);
        if (at < 10)
            assert_true(texts_n - forgotten > 40);
        let_all_go();
        for (int i = forgotten; i < texts_n; i++)
            assert_true(texts[i].arrived);
        assert_int_equal(dropped(), 0);
    }
}

static void what_is_forgotten_at_any_moment_never_comes_and_what_follows_does(void **unused)
{
    (void)unused;
    assert_forgets_at_any_moment(forget);
}

static void what_is_forgotten_at_the_very_end_is_forgotten(void **unused)
{
    (void)unused;
    assert_forgets_at_any_moment(forget_and_end);
}

static void forgetting_leaves_no_file(void **unused)
{
    (void)unused;
    add_for(40);
    assert_true(exists(SPOOL_FILE));
    forget();
    run(0);
    assert_false(exists(SPOOL_FILE));
    assert_int_equal(waiting(), 0);
    assert_int_equal(outbox_get_counts(outbox).disk_bytes, 0);
}

/* What came after is not written to the file that was to go. */
static void forgetting_that_fails_does_not_hold_up_the_end(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of(SPOOL_FILE ".bad"), 0700), 0);
    add_for(20);
    forget();
    for (int i = 0; i < 5; i++)
        add();
    run(0);
    assert_true(outbox_problem(outbox)[0]);
    close_outbox();
    assert_int_equal(rmdir(path_of(SPOOL_FILE ".bad")), 0);
    open_outbox(folder);
}

/* --- a disk that fails ------------------------------------------------------------------------ */

static void a_disk_that_fails_from_the_start_is_told_and_tried_again(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of(SPOOL_FILE), 0700), 0);
    add_for(20);
    assert_non_null(strstr(outbox_problem(outbox), SPOOL_FILE));
    assert_int_equal(waiting(), 20);
    assert_int_equal(rmdir(path_of(SPOOL_FILE)), 0);
    add_for(40);
    assert_string_equal(outbox_problem(outbox), "");
    assert_true(look_at_disk() >= 50);
    let_all_go();
    assert_all_arrived();
}

static void memory_is_the_bound_while_a_disk_fails(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of(SPOOL_FILE), 0700), 0);
    add_for(100);
    assert_int_equal(waiting(), OUTBOX_SLOTS);
    assert_int_equal(dropped(), 100 - OUTBOX_SLOTS);
    assert_int_equal(rmdir(path_of(SPOOL_FILE)), 0);
    run(40000);
    owed -= (int64_t)dropped();
    let_all_go();
    assert_int_equal(missing_between(0, 36), 36);
    assert_int_equal(dropped(), 36);
}

static void what_is_in_memory_goes_although_the_disk_fails(void **unused)
{
    (void)unused;
    assert_true(atomic_file_write(folder, "not-a-folder", "", 0));
    reopen_in(path_of("not-a-folder"));
    add_for(30);
    come_up(true);
    run(3000);
    assert_int_equal(messages_n, 30);
    assert_int_equal(waiting(), 0);
    assert_all_arrived();
}

static void it_goes_although_a_file_that_is_there_cannot_be_opened(void **unused)
{
    (void)unused;
    assert_int_equal(mkdir(path_of(SPOOL_FILE), 0700), 0);
    restart();
    add_for(5);
    come_up(false);
    run(3000);
    assert_int_equal(messages_n, 5);
    assert_int_equal(waiting(), 0);
}

static void let_files_grow_to(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_disk_that_is_full_for_a_while_loses_nothing_in_bounds(void **unused)
{
    (void)unused;
    signal(SIGXFSZ, SIG_IGN);
    add_for(40);
    int kept = look_at_disk();
    struct stat st;
    assert_int_equal(stat(path_of(SPOOL_FILE "-wal"), &st), 0);
    let_files_grow_to((rlim_t)st.st_size);
    add_for(30);
    assert_true(outbox_problem(outbox)[0]);
    assert_int_equal(waiting(), 70);
    let_files_grow_to(RLIM_INFINITY);
    assert_int_equal(look_at_disk(), kept);
    run(35000);
    assert_string_equal(outbox_problem(outbox), "");
    assert_disk_holds(0, 69);
    let_all_go();
    assert_all_arrived();
}

/* Nothing can be written; what is there goes, and so does what comes meanwhile. */
static void what_is_on_a_disk_that_takes_nothing_more_is_sent(void **unused)
{
    static const int errors[] = {ENOSPC, EROFS, EIO};
    (void)unused;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        begin_anew();
        add_for(200);
        broken_disk.write_error = errors[i];
        come_up(true);
        for (int breaks = 0; breaks < 4; breaks++) {
            add_for(60);
            go_down();
            add_for(10);
            come_up(true);
        }
        run(30000);
        assert_all_arrived();
        assert_int_equal(waiting(), 0);
        assert_true(outbox_problem(outbox)[0]);
        broken_disk.write_error = 0;
        add_for(60);
        let_all_go();
    }
}

static void move(const char *from, const char *to)
{
    char name[ATOMIC_FILE_PATH_MAX];
    snprintf(name, sizeof name, "%s", path_of(from));
    assert_int_equal(rename(name, path_of(to)), 0);
}

/* It could not be opened at the start; that it was opened for the first that had to be written is seen. */
static void what_is_behind_an_append_that_fails_is_sent(void **unused)
{
    (void)unused;
    add_for(200);
    close_outbox();
    move(SPOOL_FILE, "elsewhere");
    assert_int_equal(mkdir(path_of(SPOOL_FILE), 0700), 0);
    open_outbox(folder);
    run(1000);
    assert_true(outbox_problem(outbox)[0]);
    assert_int_equal(rmdir(path_of(SPOOL_FILE)), 0);
    move("elsewhere", SPOOL_FILE);
    broken_disk.write_error = ENOSPC;
    add_for(60);
    come_up(true);
    run(60000);
    assert_all_arrived();
    broken_disk.write_error = 0;
    add_for(60);
    let_all_go();
}

static void one_error_of_the_disk_costs_nothing(void **unused)
{
    (void)unused;
    add_for(1200);
    restart();
    run(0);
    settings.late_per_s = 100;
    outbox_set(outbox, &settings);
    come_up(false);
    for (int errors = 0; errors < 3; errors++) {
        run(2000);
        broken_disk.reads = 1;
        for (int i = 0; i < 100 && broken_disk.reads; i++)
            run(100);
        assert_int_equal(broken_disk.reads, 0);
        run(31000);
    }
    assert_false(exists(SPOOL_FILE ".bad"));
    let_all_go();
    assert_all_arrived();
}

static void a_damaged_file_is_set_aside_at_the_start(void **unused)
{
    static char garbage[8192];
    (void)unused;
    memset(garbage, 0xA5, sizeof garbage);
    close_outbox();
    assert_true(atomic_file_write(folder, SPOOL_FILE, garbage, sizeof garbage));
    open_outbox(folder);
    run(0);
    assert_true(exists(SPOOL_FILE ".bad"));
    assert_int_equal(waiting(), 0);
    add_for(40);
    assert_true(look_at_disk() >= 30);
    let_all_go();
    assert_all_arrived();
}

/* By another process: a close of ours would take the lock off. */
static void damage_file(void)
{
    static char garbage[4096];
    struct stat st;
    int status = -1;
    memset(garbage, 0xA5, sizeof garbage);
    assert_int_equal(stat(path_of(SPOOL_FILE), &st), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path_of(SPOOL_FILE), O_WRONLY);
        for (off_t at = 4096; at < st.st_size; at += 4096)
            if (pwrite(fd, garbage, sizeof garbage, at) != (ssize_t)sizeof garbage)
                _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* Some texts are in memory and arrive yet; those that were only on disk are lost and counted. */
static void damage_while_it_is_used_costs_what_was_on_disk_and_is_counted(void **unused)
{
    (void)unused;
    add_for(2000);
    restart(); /* the log is in the file now */
    run(0);
    come_up(false);
    run(1000);
    damage_file();
    for (int i = 0; i < 100 && !exists(SPOOL_FILE ".bad"); i++)
        run(1000);
    assert_true(exists(SPOOL_FILE ".bad"));
    go_down();
    int first = texts_n;
    add_for(300); /* batches with ids that the old file had, too */
    come_up(false);
    run(30000);
    for (int i = first; i < texts_n; i++)
        assert_true(texts[i].arrived);
    assert_int_equal(waiting(), 0);
    assert_int_equal(missing_between(0, first), dropped());
    owed = 0;
    let_all_go();
}

static void damage_at_the_end_costs_nothing_that_is_in_memory(void **unused)
{
    (void)unused;
    add_for(2000);
    restart();
    run(0);
    damage_file();
    int first = texts_n;
    for (int i = 0; i < 5; i++)
        add();
    restart();
    run(0);
    come_up(false);
    run(5000);
    assert_true(exists(SPOOL_FILE ".bad"));
    for (int i = first; i < texts_n; i++)
        assert_true(texts[i].arrived);
}

/* --- slow disks ------------------------------------------------------------------------------- */

static void what_is_being_written_is_not_sent_meanwhile(void **unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++)
        add(); /* and they are being written */
    broker.answer_ms = 0;
    come_up(true);
    loop_kit_pass(&loop, 3000);
    add(); /* live */
    loop_kit_pass(&loop, 2000);
    let_all_go();
    assert_int_equal(messages_n, 11); /* each once */
    assert_all_arrived();
}

static void what_memory_drops_while_it_is_being_written_is_not_lost(void **unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++)
        add();
    for (int i = 0; i < 60; i++) {
        add();
        loop_kit_pass(&loop, 1000);
    }
    run(0);
    assert_int_equal(waiting() + dropped(), texts_n);
    owed -= (int64_t)dropped();
    let_all_go();
    assert_int_equal(missing_between(0, texts_n), dropped());
}

/* The ring has no room for any of the batch that is being written; the next ones wait for it all the same. */
static void order_is_kept_behind_a_disk_that_hangs(void **unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++)
        add();
    for (int i = 0; i < 66; i++) {
        add();
        loop_kit_pass(&loop, 1000);
    }
    come_up(false);
    loop_kit_pass(&loop, 3000);
    assert_int_equal(messages_n, 0);
    run(20000); /* take_text() looks at the order */
    assert_int_equal(waiting(), 0);
    assert_int_equal(missing_between(0, texts_n), dropped());
}

/* A batch is acknowledged while the disk makes room by it. */
static void what_is_acknowledged_while_it_is_dropped_is_counted_once(void **unused)
{
    (void)unused;
    settings.keep_mib = 1;
    settings.late_per_s = 1000;
    outbox_set(outbox, &settings);
    fill_disk();
    come_up(false);
    run(50); /* the next removal is seconds away */
    broker.answer_ms = NEVER;
    loop_cancel_timer(&loop, &broker.answers);
    for (int i = 0; i < 8; i++) {
        outbox_pump(outbox);
        run(15);
        broker.busy = true;
        for (int k = 0; k < 49; k++)
            add();
        answer_all();
        run(0);
        int arrived = texts_n - missing_between(0, texts_n);
        assert_int_equal(arrived + (int)(waiting() + dropped()), texts_n);
        broker.busy = false;
    }
}

/* --- anything --------------------------------------------------------------------------------- */

static uint32_t random_state;

static int random_below(int n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (int)((random_state >> 8) % (uint32_t)n);
}

static void restart_anyhow(void)
{
    int64_t before = owed;
    restart();
    loop_kit_settle(&loop);
    owed = (int64_t)waiting();
    assert_true(before - unsure <= owed && owed < before + SPOOL_TEXTS_MAX); /* batches are whole */
    unsure = 0;
}

static void answer_some(void)
{
    for (int n = random_below(flying_n() + 1); n > 0; n--)
        answer(flying(random_below(flying_n())), random_below(20) > 0);
    skip_answered();
    outbox_pump(outbox);
}

static void set_anything(void)
{
    settings.late_per_s = 1 + random_below(100);
    settings.keep_days = 1 + random_below(9);
    outbox_set(outbox, &settings);
}

static void toggle_connection(void)
{
    if (broker.up)
        go_down();
    else
        come_up(random_below(2));
}

static void add_and_wait(void)
{
    add();
    loop_kit_pass(&loop, 100 + random_below(1500));
    loop_kit_settle(&loop);
}

static void add_while_the_disk_is_slow(void)
{
    for (int n = random_below(12); n > 0; n--) {
        add();
        loop_kit_pass(&loop, 300 + random_below(900));
    }
}

static void wait_some(void)
{
    run(random_below(2500));
}

static void wait_long(void)
{
    run(random_below(30000));
}

static void answer_foreign(void)
{
    assert_false(outbox_acked(outbox, 100000 + random_below(1000), true));
}

static void toggle_busy(void)
{
    broker.busy = !broker.busy && random_below(2);
    outbox_pump(outbox);
}

static void toggle_answers_in_send(void)
{
    broker.answers_in_send = !broker.answers_in_send && random_below(2);
}

static void do_anything(void)
{
    static const struct {
        int weight;
        void (*act)(void);
    } acts[] = {
        {350, add_and_wait},
        {20, add_while_the_disk_is_slow},
        {200, wait_some},
        {5, wait_long},
        {250, answer_some},
        {20, toggle_connection},
        {3, restart_anyhow},
        {10, toggle_busy},
        {5, toggle_answers_in_send},
        {3, set_anything},
        {5, answer_foreign},
    };
    int total = 0, i = 0;
    for (size_t k = 0; k < sizeof acts / sizeof acts[0]; k++)
        total += acts[k].weight;
    int drawn = random_below(total);
    while (drawn >= acts[i].weight)
        drawn -= acts[i++].weight;
    acts[i].act();
}

static void assert_counts_are_right(void)
{
    loop_kit_settle(&loop);
    int64_t least = owed - unsure - flying_n(), n = (int64_t)waiting();
    assert_true(least <= n && n <= owed);
}

/* OUTBOX_SEED repeats a run, OUTBOX_STEPS makes it longer or shorter. */
static void whatever_happens_nothing_is_lost_and_late_ones_are_in_order(void **unused)
{
    const char *seed = getenv("OUTBOX_SEED"), *steps = getenv("OUTBOX_STEPS");
    random_state = seed ? (uint32_t)strtoul(seed, NULL, 10) : (uint32_t)time(NULL);
    print_message("OUTBOX_SEED=%u\n", random_state);
    (void)unused;
    broker.answer_ms = NEVER;
    for (long n = steps ? strtol(steps, NULL, 10) : 10000; n > 0; n--) {
        do_anything();
        if (random_below(10) == 0)
            assert_counts_are_right();
    }
    uint64_t noes = dropped();
    let_all_go();
    assert_int_equal(missing_between(0, 0), 0); /* all were taken or refused */
    assert_int_equal(dropped(), noes);
}

int main(void)
{
#define WITH_OUTBOX(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_OUTBOX(the_newest_goes_live_at_once_and_is_gone_when_it_is_acknowledged),
        WITH_OUTBOX(nothing_is_written_while_the_broker_takes_messages),
        WITH_OUTBOX(nothing_is_written_when_a_restart_of_the_broker_takes_some_seconds),
        WITH_OUTBOX(nothing_is_written_when_readings_are_many_and_answers_slow),
        WITH_OUTBOX(more_than_the_connection_takes_goes_to_disk_and_is_not_dropped),
        WITH_OUTBOX(what_the_connection_does_not_take_now_goes_live_when_it_does),
        WITH_OUTBOX(an_acknowledgement_before_send_returns_counts),
        WITH_OUTBOX(a_number_that_is_not_under_way_is_none_of_ours),
        WITH_OUTBOX(one_reading_is_on_disk_within_ten_seconds),
        WITH_OUTBOX(ten_readings_are_on_disk_at_once_however_fast_they_come),
        WITH_OUTBOX(what_waits_behind_a_replay_is_on_disk_in_time),
        WITH_OUTBOX(a_power_cut_takes_ten_seconds_of_readings_at_most),
        WITH_OUTBOX(readings_that_come_slowly_are_on_disk_in_time_too),
        WITH_OUTBOX(a_broker_that_acknowledges_nothing_is_as_good_as_none),
        WITH_OUTBOX(a_connection_that_takes_nothing_more_is_as_good_as_none),
        WITH_OUTBOX(the_newest_goes_live_first_and_the_rest_late_in_order),
        WITH_OUTBOX(a_newest_that_is_stale_goes_late),
        WITH_OUTBOX(what_waited_goes_at_the_rate_that_is_set),
        WITH_OUTBOX(only_so_many_late_ones_are_under_way),
        WITH_OUTBOX(in_memory_too_only_so_many_are_under_way),
        WITH_OUTBOX(what_is_live_goes_at_once_during_a_long_replay),
        WITH_OUTBOX(what_was_acknowledged_is_not_sent_again_and_the_rest_is),
        WITH_OUTBOX(a_live_one_that_was_not_acknowledged_goes_late),
        WITH_OUTBOX(nothing_leaves_the_disk_before_it_is_acknowledged),
        WITH_OUTBOX(a_refused_one_is_dropped_and_holds_up_nothing),
        WITH_OUTBOX(one_that_the_broker_answers_with_no_is_dropped_too),
        WITH_OUTBOX(without_a_folder_the_oldest_are_dropped_and_counted),
        WITH_OUTBOX(what_was_sent_and_never_acknowledged_is_dropped_and_counted_too),
        WITH_OUTBOX(no_days_keep_nothing_and_what_is_kept_already_goes),
        WITH_OUTBOX(settings_count_from_the_moment_they_are_set),
        WITH_OUTBOX(the_oldest_on_disk_are_dropped_at_its_bound_and_counted),
        WITH_OUTBOX(what_is_dropped_on_disk_alone_is_not_lost),
        WITH_OUTBOX(what_is_in_memory_at_the_end_is_kept),
        WITH_OUTBOX(what_a_former_process_left_is_sent_late),
        WITH_OUTBOX(what_was_acknowledged_is_not_kept_over_a_restart),
        WITH_OUTBOX(a_disk_that_is_slow_to_open_does_not_let_newer_ones_pass),
        WITH_OUTBOX(no_restart_at_any_moment_loses_anything),
        WITH_OUTBOX(what_is_forgotten_at_any_moment_never_comes_and_what_follows_does),
        WITH_OUTBOX(what_is_forgotten_at_the_very_end_is_forgotten),
        WITH_OUTBOX(forgetting_leaves_no_file),
        WITH_OUTBOX(forgetting_that_fails_does_not_hold_up_the_end),
        WITH_OUTBOX(a_disk_that_fails_from_the_start_is_told_and_tried_again),
        WITH_OUTBOX(memory_is_the_bound_while_a_disk_fails),
        WITH_OUTBOX(what_is_in_memory_goes_although_the_disk_fails),
        WITH_OUTBOX(it_goes_although_a_file_that_is_there_cannot_be_opened),
        WITH_OUTBOX(a_disk_that_is_full_for_a_while_loses_nothing_in_bounds),
        WITH_OUTBOX(what_is_on_a_disk_that_takes_nothing_more_is_sent),
        WITH_OUTBOX(what_is_behind_an_append_that_fails_is_sent),
        WITH_OUTBOX(one_error_of_the_disk_costs_nothing),
        WITH_OUTBOX(a_damaged_file_is_set_aside_at_the_start),
        WITH_OUTBOX(damage_while_it_is_used_costs_what_was_on_disk_and_is_counted),
        WITH_OUTBOX(damage_at_the_end_costs_nothing_that_is_in_memory),
        WITH_OUTBOX(what_is_being_written_is_not_sent_meanwhile),
        WITH_OUTBOX(what_memory_drops_while_it_is_being_written_is_not_lost),
        WITH_OUTBOX(order_is_kept_behind_a_disk_that_hangs),
        WITH_OUTBOX(what_is_acknowledged_while_it_is_dropped_is_counted_once),
        WITH_OUTBOX(whatever_happens_nothing_is_lost_and_late_ones_are_in_order),
    };
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
