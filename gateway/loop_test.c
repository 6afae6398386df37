#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What happened, in letters. */
static char trace[64];
static struct loop loop;

static void note(char letter)
{
    size_t n = strlen(trace);
    assert_true(n + 1 < sizeof trace);
    trace[n] = letter;
    trace[n + 1] = 0;
}

struct named_timer {
    struct loop_timer timer;
    char letter;
    struct named_timer *other; /* what the handler does something to */
};

static char letter_of(struct loop_timer *timer)
{
    return CONTAINER_OF(timer, struct named_timer, timer)->letter;
}

static void note_timer(struct loop_timer *timer)
{
    note(letter_of(timer));
}

static void stop(struct loop_timer *timer)
{
    note_timer(timer);
    loop_stop(&loop);
}

static void cancel_other(struct loop_timer *timer)
{
    note_timer(timer);
    loop_cancel_timer(&loop, &CONTAINER_OF(timer, struct named_timer, timer)->other->timer);
}

static void set_again_at_once(struct loop_timer *timer)
{
    note_timer(timer);
    if (strlen(trace) < 20)
        loop_set_timer(&loop, timer, 0);
}

static struct named_timer named(char letter, void (*expired)(struct loop_timer *timer))
{
    return (struct named_timer){.letter = letter, .timer.expired = expired};
}

struct named_pipe {
    struct loop_fd watch;
    char letter;
    int write_fd;
    struct named_pipe *other; /* stops being waited for by the handler */
};

static void read_and_note(struct loop_fd *watch, uint32_t events)
{
    struct named_pipe *p = CONTAINER_OF(watch, struct named_pipe, watch);
    char byte;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(watch->fd, &byte, 1), 1);
    note(p->letter);
}

static void read_and_remove_other(struct loop_fd *watch, uint32_t events)
{
    struct named_pipe *p = CONTAINER_OF(watch, struct named_pipe, watch);
    read_and_note(watch, events);
    assert_int_equal(loop_watch(&loop, &p->other->watch, 0), 0);
}

static struct named_pipe open_pipe(char letter,
                                   void (*ready)(struct loop_fd *watch, uint32_t events))
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    return (struct named_pipe){
        .letter = letter, .watch = {.ready = ready, .fd = fds[0]}, .write_fd = fds[1]};
}

static void send_byte(const struct named_pipe *p)
{
    assert_int_equal(write(p->write_fd, "x", 1), 1);
}

static void close_pipe(struct named_pipe *p)
{
    loop_watch(&loop, &p->watch, 0);
    close(p->watch.fd);
    close(p->write_fd);
}

static int set_up(void **unused)
{
    (void)unused;
    trace[0] = 0;
    return loop_init(&loop);
}

static int tear_down(void **unused)
{
    (void)unused;
    loop_close(&loop);
    return 0;
}

static void timers_run_in_order_of_their_time(void **unused)
{
    struct named_timer a = named('a', note_timer), b = named('b', note_timer), c = named('c', stop);
    (void)unused;
    loop_set_timer(&loop, &c.timer, 3);
    loop_set_timer(&loop, &a.timer, 1);
    loop_set_timer(&loop, &b.timer, 2);
    loop_run(&loop);
    assert_string_equal(trace, "abc");
}

static void timers_of_the_same_time_run_in_the_order_they_were_set(void **unused)
{
    struct named_timer a = named('a', note_timer), b = named('b', note_timer), c = named('c', stop);
    (void)unused;
    loop_set_timer(&loop, &a.timer, 0);
    loop_set_timer(&loop, &b.timer, 0);
    loop_set_timer(&loop, &c.timer, 0);
    loop_run(&loop);
    assert_string_equal(trace, "abc");
}

static void a_timer_never_runs_early(void **unused)
{
    struct named_timer a = named('a', stop);
    int64_t begin_ms = loop.now_ms;
    (void)unused;
    loop_set_timer(&loop, &a.timer, 15);
    loop_run(&loop);
    assert_true(loop.now_ms - begin_ms >= 15);
}

static void an_active_timer_is_moved(void **unused)
{
    struct named_timer a = named('a', note_timer), b = named('b', stop);
    (void)unused;
    loop_set_timer(&loop, &a.timer, 1);
    loop_set_timer(&loop, &b.timer, 3);
    loop_set_timer(&loop, &a.timer, 2);
    loop_run(&loop);
    assert_string_equal(trace, "ab");
    trace[0] = 0;
    loop_set_timer(&loop, &a.timer, 1);
    loop_set_timer(&loop, &a.timer, 60000);
    loop_set_timer(&loop, &b.timer, 3);
    loop_run(&loop);
    assert_string_equal(trace, "b");
    loop_cancel_timer(&loop, &a.timer);
}

static void a_cancelled_timer_does_not_run(void **unused)
{
    struct named_timer a = named('a', note_timer), b = named('b', stop);
    (void)unused;
    loop_set_timer(&loop, &a.timer, 0);
    loop_set_timer(&loop, &b.timer, 0);
    loop_cancel_timer(&loop, &a.timer);
    loop_cancel_timer(&loop, &a.timer); /* twice is no matter */
    loop_run(&loop);
    assert_string_equal(trace, "b");
}

static void a_handler_may_cancel_a_timer_due_at_the_same_time(void **unused)
{
    struct named_timer a = named('a', cancel_other), b = named('b', note_timer),
                       c = named('c', stop);
    (void)unused;
    a.other = &b;
    loop_set_timer(&loop, &a.timer, 0);
    loop_set_timer(&loop, &b.timer, 0);
    loop_set_timer(&loop, &c.timer, 0);
    loop_run(&loop);
    assert_string_equal(trace, "ac");
}

static void a_timer_that_sets_itself_again_lets_others_run(void **unused)
{
    struct named_pipe p = open_pipe('p', read_and_note);
    struct named_timer a = named('a', set_again_at_once), b = named('b', stop);
    (void)unused;
    assert_int_equal(loop_watch(&loop, &p.watch, EPOLLIN), 0);
    send_byte(&p);
    send_byte(&p);
    loop_set_timer(&loop, &a.timer, 0);
    loop_set_timer(&loop, &b.timer, 50);
    loop_run(&loop);
    assert_memory_equal(trace, "papa", 4);
    loop_cancel_timer(&loop, &a.timer);
    close_pipe(&p);
}

static void a_descriptor_is_delivered_while_it_is_waited_for(void **unused)
{
    struct named_pipe p = open_pipe('p', read_and_note);
    struct named_timer end = named('.', stop);
    (void)unused;
    send_byte(&p);
    loop_set_timer(&loop, &end.timer, 1);
    loop_run(&loop);
    assert_string_equal(trace, ".");
    assert_int_equal(loop_watch(&loop, &p.watch, EPOLLIN), 0);
    assert_int_equal(loop_watch(&loop, &p.watch, EPOLLIN), 0); /* again is no matter */
    loop_set_timer(&loop, &end.timer, 1);
    loop_run(&loop);
    assert_string_equal(trace, ".p.");
    assert_int_equal(loop_watch(&loop, &p.watch, 0), 0);
    assert_int_equal(loop_watch(&loop, &p.watch, 0), 0);
    send_byte(&p);
    loop_set_timer(&loop, &end.timer, 1);
    loop_run(&loop);
    assert_string_equal(trace, ".p..");
    close_pipe(&p);
}

static void a_watch_removed_in_the_same_round_is_not_delivered(void **unused)
{
    struct named_pipe a = open_pipe('a', read_and_remove_other),
                      b = open_pipe('b', read_and_remove_other);
    struct named_timer end = named('.', stop);
    (void)unused;
    a.other = &b;
    b.other = &a;
    assert_int_equal(loop_watch(&loop, &a.watch, EPOLLIN), 0);
    assert_int_equal(loop_watch(&loop, &b.watch, EPOLLIN), 0);
    send_byte(&a);
    send_byte(&b);
    loop_set_timer(&loop, &end.timer, 2);
    loop_run(&loop);
    assert_true(strcmp(trace, "a.") == 0 || strcmp(trace, "b.") == 0);
    close_pipe(&a);
    close_pipe(&b);
}

static void a_descriptor_that_cannot_be_waited_for_is_an_error(void **unused)
{
    struct loop_fd closed = {.ready = read_and_note, .fd = -1};
    (void)unused;
    assert_int_equal(loop_watch(&loop, &closed, EPOLLIN), -1);
    assert_int_equal(closed.events, 0);
}

static void of_signals_only_those_to_stop_it_end_it(void **unused)
{
    sigset_t before;
    (void)unused;
    sigprocmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(loop_stop_on_signals(&loop), 0);
    raise(SIGPIPE);
    raise(SIGIO);
    assert_int_equal(loop_stop_signal(&loop), 0);
    raise(SIGTERM);
    loop_run(&loop);
    assert_int_equal(loop_stop_signal(&loop), SIGTERM);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

int main(void)
{
#define IN_A_LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IN_A_LOOP(timers_run_in_order_of_their_time),
        IN_A_LOOP(timers_of_the_same_time_run_in_the_order_they_were_set),
        IN_A_LOOP(a_timer_never_runs_early),
        IN_A_LOOP(an_active_timer_is_moved),
        IN_A_LOOP(a_cancelled_timer_does_not_run),
        IN_A_LOOP(a_handler_may_cancel_a_timer_due_at_the_same_time),
        IN_A_LOOP(a_timer_that_sets_itself_again_lets_others_run),
        IN_A_LOOP(a_descriptor_is_delivered_while_it_is_waited_for),
        IN_A_LOOP(a_watch_removed_in_the_same_round_is_not_delivered),
        IN_A_LOOP(a_descriptor_that_cannot_be_waited_for_is_an_error),
        IN_A_LOOP(of_signals_only_those_to_stop_it_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
