#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "crc16.h"
#include "maps/maps.h"
#include "rtu_slave.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { OURS = 16, OTHER = 17, DAY_S = 86400 };

/* A slave, and the line it hears, on a clock of our own that starts late enough to be no small number. */
struct line {
    struct rtu_slave slave;
    struct register_image image;
    struct register_device device;
    struct modbus_bank bank;
    int64_t now_us;
    uint32_t char_us, silence_us;
    size_t answers, answer_length; /* since begin(), and the last one */
    int64_t answered_us;
    uint8_t answer[RTU_ADU_MAX];
};

static const struct register_row rows[] = {
    ROW_F32(0x5000, Q_VOLTAGE_L1),
    ROW_FIXED(0x5002, REG_U16, 20802, "code"),
    ROW_SETTING(0x5003, REG_U16, SETTING_ADDRESS, NULL, "address"),
};
static const struct register_map map = {.name = "Test", .title = "test", .input = TABLE(rows)};

static struct rtu_slave_settings settings_of(uint32_t baud, bool even_parity)
{
    return (struct rtu_slave_settings){.address = OURS, .baud = baud, .even_parity = even_parity};
}

static void begin_with(struct line *l, const struct rtu_slave_settings *settings)
{
    static const struct register_style style = {.order = WORD_ORDER_NORMAL};
    struct reading r;
    memset(l, 0, sizeof *l);
    reading_clear(&r);
    reading_set(&r, Q_VOLTAGE_L1, 230000);
    l->device.serial = "1";
    (void)register_device_set(&l->device, SETTING_ADDRESS, OURS);
    assert_true(register_image_init(&l->image, &map, true));
    register_image_render(&l->image, &r, &l->device, &style);
    l->bank = (struct modbus_bank){.image = &l->image,
                                   .id = {"v", "p", "1"},
                                   .writable = &l->device,
                                   .order = WORD_ORDER_NORMAL};
    l->now_us = INT64_C(1000000) * DAY_S;
    l->char_us = rtu_characters_us(settings->baud, settings->even_parity, 1);
    l->silence_us = rtu_silence_us(settings->baud, settings->even_parity);
    rtu_slave_init(&l->slave, settings, &l->bank);
}

static void begin(struct line *l)
{
    const struct rtu_slave_settings settings = settings_of(9600, true);
    begin_with(l, &settings);
}

/* Lets time pass, and polls whenever something is due. */
static void pass(struct line *l, int64_t us)
{
    int64_t end_us = l->now_us + us, due_us;
    while ((due_us = rtu_slave_due_us(&l->slave)) <= end_us) {
        size_t n;
        l->now_us = due_us > l->now_us ? due_us : l->now_us;
        const uint8_t *answer = rtu_slave_poll(&l->slave, l->now_us, &n);
        if (!answer)
            continue;
        memcpy(l->answer, answer, n);
        l->answer_length = n;
        l->answers++;
        l->answered_us = l->now_us;
    }
    l->now_us = end_us;
}

/* Bytes as a line carries them: each takes its time, and nothing is between them but `gap_us`. */
static void hear_with_gaps(struct line *l, const uint8_t *bytes, size_t n, int64_t gap_us)
{
    for (size_t i = 0; i < n; i++) {
        pass(l, (i ? gap_us : 0) + l->char_us);
        rtu_slave_bytes(&l->slave, bytes + i, 1, l->now_us);
    }
}

static void hear(struct line *l, const uint8_t *bytes, size_t n)
{
    hear_with_gaps(l, bytes, n, 0);
}

/* Several at once, as a driver hands them over. */
static void hear_at_once(struct line *l, const uint8_t *bytes, size_t n)
{
    rtu_slave_bytes(&l->slave, bytes, n, l->now_us);
}

struct frame {
    uint8_t bytes[RTU_ADU_MAX];
    size_t n;
};

static struct frame frame_of(uint8_t unit, const uint8_t *pdu, size_t n)
{
    struct frame f = {.n = n + 3};
    f.bytes[0] = unit;
    memcpy(f.bytes + 1, pdu, n);
    uint16_t crc = crc16_update(CRC16_MODBUS_INIT, f.bytes, n + 1);
    f.bytes[n + 1] = (uint8_t)crc;
    f.bytes[n + 2] = (uint8_t)(crc >> 8);
    return f;
}

#define FRAME(unit, ...) \
    frame_of((unit), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct frame voltage_request(uint8_t unit)
{
    return FRAME(unit, 3, 0x50, 0, 0, 2);
}

static struct frame voltage_reply(uint8_t unit)
{
    return FRAME(unit, 3, 4, 0x43, 0x66, 0, 0);
}

static void say(struct line *l, struct frame f)
{
    hear(l, f.bytes, f.n);
}

/* Long enough for anything that is due, an answer's own time on the line too. */
static void wait(struct line *l)
{
    pass(l, 1000000 + (int64_t)300 * l->char_us);
}

static void assert_answered(const struct line *l, size_t answers, struct frame expected)
{
    assert_int_equal(l->answers, answers);
    assert_int_equal(l->answer_length, expected.n);
    assert_memory_equal(l->answer, expected.bytes, expected.n);
}

static const struct {
    uint32_t baud;
    uint32_t char_us[2], silence_us[2]; /* 8N1, 8E1 */
} lines[] = {
    {1200, {8334, 9167}, {29167, 32084}}, {2400, {4167, 4584}, {14584, 16042}},
    {4800, {2084, 2292}, {7292, 8021}},   {9600, {1042, 1146}, {3646, 4011}},
    {19200, {521, 573}, {1823, 2006}},    {38400, {261, 287}, {1750, 1750}},
    {57600, {174, 191}, {1750, 1750}},    {115200, {87, 96}, {1750, 1750}},
};

/* Calls a test at every speed and with both parities. */
static void at_every_speed(void (*test)(struct line *l))
{
    static struct line l;
    for (size_t i = 0; i < COUNT(lines); i++)
        for (int even = 0; even < 2; even++) {
            const struct rtu_slave_settings settings = settings_of(lines[i].baud, even);
            begin_with(&l, &settings);
            test(&l);
        }
}

/* --- time ------------------------------------------------------------------------------------- */

static void characters_and_silences_are_as_long_as_the_standard_says(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(lines); i++)
        for (int even = 0; even < 2; even++) {
            assert_int_equal(rtu_characters_us(lines[i].baud, even, 1), lines[i].char_us[even]);
            assert_int_equal(rtu_silence_us(lines[i].baud, even), lines[i].silence_us[even]);
        }
    assert_int_equal(rtu_characters_us(9600, true, 256), 293334);
}

static void answers_after_exactly_the_silence(struct line *l)
{
    say(l, voltage_request(OURS));
    int64_t end_us = l->now_us;
    pass(l, l->silence_us - 1);
    assert_int_equal(l->answers, 0);
    wait(l);
    assert_answered(l, 1, voltage_reply(OURS));
    assert_int_equal(l->answered_us, end_us + l->silence_us);
}

static void a_request_is_answered_t35_after_it(void **unused)
{
    (void)unused;
    at_every_speed(answers_after_exactly_the_silence);
}

static void the_turnaround_makes_the_answer_later(void **unused)
{
    (void)unused;
    static const uint32_t turnarounds_us[] = {0, 1, 4010, 4011, 4012, 20000};
    struct line l;
    for (size_t i = 0; i < COUNT(turnarounds_us); i++) {
        struct rtu_slave_settings settings = settings_of(9600, true);
        settings.turnaround_us = turnarounds_us[i];
        begin_with(&l, &settings);
        say(&l, voltage_request(OURS));
        int64_t end_us = l.now_us;
        wait(&l);
        assert_answered(&l, 1, voltage_reply(OURS));
        assert_int_equal(l.answered_us,
                         end_us + (turnarounds_us[i] > 4011 ? turnarounds_us[i] : 4011));
    }
}

static void forgives_gaps_below_the_silence(struct line *l)
{
    struct frame f = voltage_request(OURS);
    const int64_t half_us = l->char_us / 2, gaps_us[] = {half_us, 3 * half_us, 3 * half_us + 1,
                                                         l->silence_us - l->char_us - 1};
    for (size_t i = 0; i < COUNT(gaps_us); i++) {
        hear_with_gaps(l, f.bytes, f.n, gaps_us[i]);
        wait(l);
        assert_answered(l, i + 1, voltage_reply(OURS));
    }
}

static void gaps_of_t15_within_a_frame_are_forgiven(void **unused)
{
    (void)unused;
    at_every_speed(forgives_gaps_below_the_silence);
}

static void drops_a_frame_with_a_silence(struct line *l)
{
    struct frame f = voltage_request(OURS);
    for (size_t cut = 1; cut < f.n; cut++) {
        hear(l, f.bytes, cut);
        pass(l, l->silence_us);
        hear(l, f.bytes + cut, f.n - cut);
        wait(l);
    }
    assert_int_equal(l->answers, 0);
    assert_int_equal(l->slave.counters.garbled, 2 * (f.n - 1));
    say(l, f);
    wait(l);
    assert_int_equal(l->answers, 1);
}

static void a_silence_of_t35_within_a_frame_ends_it(void **unused)
{
    (void)unused;
    at_every_speed(drops_a_frame_with_a_silence);
}

static void slack_forgives_what_a_driver_delays(void **unused)
{
    (void)unused;
    struct frame f = voltage_request(OURS);
    struct line l;
    for (size_t cut = 1; cut < f.n; cut++) {
        struct rtu_slave_settings settings = settings_of(9600, true);
        settings.slack_us = 20000;
        begin_with(&l, &settings);
        hear_at_once(&l, f.bytes, cut);
        pass(&l, l.silence_us + 20000 - 1);
        hear_at_once(&l, f.bytes + cut, f.n - cut);
        wait(&l);
        assert_answered(&l, 1, voltage_reply(OURS));
        hear_at_once(&l, f.bytes, cut);
        pass(&l, l.silence_us + 20001 + (int64_t)f.n * l.char_us);
        hear_at_once(&l, f.bytes + cut, f.n - cut);
        wait(&l);
        assert_int_equal(l.answers, 1);
        say(&l, f);
        wait(&l);
        assert_int_equal(l.answers, 2);
    }
}

static void the_line_is_busy_while_an_answer_is_sent(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    say(&l, voltage_request(OURS));
    pass(&l, l.silence_us);
    assert_int_equal(l.answers, 1);
    int64_t sent_us = l.answered_us + rtu_characters_us(9600, true, 9);
    assert_int_equal(rtu_slave_sent_us(&l.slave), sent_us);
    struct frame f =
        voltage_request(OURS); /* a master that does not wait: not over our own answer */
    hear_at_once(&l, f.bytes, f.n);
    wait(&l);
    assert_int_equal(l.answers, 2);
    assert_true(l.answered_us >= sent_us);
}

/* --- frames ----------------------------------------------------------------------------------- */

static void golden_frames(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    say(&l, FRAME(OURS, 3, 0x50, 2, 0, 1));
    wait(&l);
    assert_answered(&l, 1, FRAME(OURS, 3, 2, 0x51, 0x42));
    say(&l, FRAME(OURS, 5, 0, 0, 0, 0));
    wait(&l);
    assert_answered(&l, 2, FRAME(OURS, 0x85, 1));
    say(&l, FRAME(OURS, 8, 0, 0, 0x55, 0x55));
    wait(&l);
    assert_answered(&l, 3, FRAME(OURS, 8, 0, 0, 0x55, 0x55));
    assert_int_equal(l.slave.counters.requests, 3);
    assert_int_equal(l.slave.counters.exceptions, 1);
}

static void a_function_nobody_knows_is_answered_with_01(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    say(&l, FRAME(OURS, 0x42));
    wait(&l);
    assert_answered(&l, 1, FRAME(OURS, 0xC2, 1));
    say(&l, FRAME(OURS, 0x64, 1, 2, 3, 4, 5, 6, 7));
    wait(&l);
    assert_answered(&l, 2, FRAME(OURS, 0xE4, 1));
}

static void any_bit_flipped_costs_the_frame(void **unused)
{
    (void)unused;
    static struct line l;
    const struct frame good = voltage_request(OURS);
    begin(&l);
    for (size_t bit = 0; bit < 8 * good.n; bit++) {
        struct frame f = good;
        f.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        say(&l, f);
        wait(&l);
    }
    assert_int_equal(l.answers, 0);
    assert_int_equal(l.slave.counters.garbled, 8 * good.n);
    say(&l, good);
    wait(&l);
    assert_int_equal(l.answers, 1);
}

static void noise_before_a_frame_costs_nothing(void **unused)
{
    (void)unused;
    static struct line l;
    uint8_t noise[40];
    begin(&l);
    for (unsigned i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)(i * 37 + 11);
    for (size_t n = 1; n <= sizeof noise; n++) {
        hear(&l, noise, n);
        say(&l, voltage_request(OURS));
        wait(&l);
        assert_answered(&l, n, voltage_reply(OURS));
    }
    static const uint8_t half[] = {OURS, 3, 0x50, 0,
                                   0}; /* a frame that was broken off, and said again */
    hear(&l, half, sizeof half);
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_answered(&l, sizeof noise + 1, voltage_reply(OURS));
    assert_int_equal(l.slave.counters.garbled, sizeof noise + 1);
}

static void noise_behind_a_frame_costs_it(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    say(&l, voltage_request(OURS));
    hear(&l, (const uint8_t[]){0}, 1);
    wait(&l);
    assert_int_equal(l.answers, 0);
    assert_int_equal(l.slave.counters.overtaken, 1);
}

static void a_byte_with_a_bad_parity_costs_its_frame(void **unused)
{
    (void)unused;
    static struct line l;
    const struct frame f = voltage_request(OURS);
    begin(&l);
    for (size_t bad = 0; bad < f.n; bad++) {
        hear(&l, f.bytes, bad);
        pass(&l, l.char_us);
        rtu_slave_line_error(&l.slave, l.now_us);
        hear(&l, f.bytes + bad + 1, f.n - bad - 1);
        wait(&l);
        assert_int_equal(l.answers, 0);
    }
    assert_int_equal(l.slave.counters.line_errors, f.n);
    rtu_slave_line_error(&l.slave, l.now_us); /* a spike before a frame does not */
    say(&l, f);
    wait(&l);
    assert_int_equal(l.answers, 1);
}

/* --- others on the bus ------------------------------------------------------------------------ */

static void what_is_for_others_is_left_to_them(void **unused)
{
    (void)unused;
    static struct line l;
    begin(&l);
    for (unsigned unit = 1; unit < 256; unit++) {
        if (unit == OURS)
            continue;
        say(&l, voltage_request((uint8_t)unit));
        pass(&l, 2 * (int64_t)l.silence_us);
        say(&l, voltage_reply((uint8_t)unit));
        pass(&l, 2 * (int64_t)l.silence_us);
    }
    assert_int_equal(l.answers, 0);
    assert_int_equal(l.slave.counters.foreign, 2 * 254);
    assert_int_equal(l.slave.counters.garbled, 0);
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_int_equal(l.answers, 1);
}

static void a_reply_that_looks_like_a_request_for_us_is_stepped_over(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    uint8_t pdu[10] = {3, 8};
    memcpy(pdu + 2, voltage_request(OURS).bytes, 8);
    say(&l, frame_of(OTHER, pdu, sizeof pdu));
    wait(&l);
    assert_int_equal(l.answers, 0);
    assert_int_equal(l.slave.counters.foreign, 1);
}

static void a_reader_that_hands_over_all_at_once_is_no_problem(void **unused)
{
    (void)unused;
    struct line l;
    uint8_t bytes[64];
    size_t n = 0;
    const struct frame frames[] = {voltage_request(OTHER), voltage_reply(OTHER),
                                   voltage_request(OURS)};
    begin(&l);
    for (size_t i = 0; i < COUNT(frames); i++) {
        memcpy(bytes + n, frames[i].bytes, frames[i].n);
        n += frames[i].n;
    }
    hear_at_once(&l, bytes, n);
    wait(&l);
    assert_answered(&l, 1, voltage_reply(OURS));
    assert_int_equal(l.slave.counters.foreign, 2);
}

static void of_two_requests_without_a_pause_the_last_is_answered(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    say(&l, FRAME(OURS, 3, 0x50, 2, 0, 1));
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_answered(&l, 1, voltage_reply(OURS));
    assert_int_equal(l.slave.counters.overtaken, 1);
    say(&l, voltage_request(OURS)); /* and one for somebody else takes the word, too */
    say(&l, voltage_request(OTHER));
    wait(&l);
    assert_int_equal(l.answers, 1);
}

static void requests_a_silence_apart_are_both_answered(struct line *l)
{
    for (size_t i = 1; i <= 20; i++) {
        say(l, voltage_request(OURS));
        pass(l, l->silence_us);
        assert_int_equal(l->answers, i);
        pass(l, rtu_slave_sent_us(&l->slave) - l->now_us + l->silence_us);
    }
}

static void back_to_back_requests_are_all_answered(void **unused)
{
    (void)unused;
    at_every_speed(requests_a_silence_apart_are_both_answered);
}

static void values_that_were_taken_are_counted(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    say(&l, FRAME(OURS, 6, 0x50, 3, 0, 99)); /* taken */
    wait(&l);
    say(&l, FRAME(0, 6, 0x50, 3, 0, 98)); /* taken */
    wait(&l);
    say(&l, FRAME(OURS, 6, 0x50, 3, 0, 0)); /* out of range */
    wait(&l);
    say(&l, FRAME(0, 6, 0x50, 3, 0, 0));
    wait(&l);
    say(&l, FRAME(OURS, 16, 0x50, 3, 0, 1, 2, 0, 7)); /* not with this map */
    wait(&l);
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_int_equal(l.answers, 4);
    assert_int_equal(l.slave.counters.writes, 2);
    assert_int_equal(l.device.setting[SETTING_ADDRESS], 98);
}

static void broadcasts_are_obeyed_in_silence(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    for (int i = 0; i < 12; i++) {
        say(&l, FRAME(0, 8, 0, 0, 0x55, 0x55));
        wait(&l);
    }
    say(&l, FRAME(0, 3, 0x50, 0, 0, 2));
    wait(&l);
    assert_int_equal(l.device.setting[SETTING_ADDRESS], OURS);
    say(&l, FRAME(0, 6, 0x50, 3, 0, 99));
    wait(&l);
    assert_int_equal(l.answers, 0);
    assert_int_equal(l.slave.counters.broadcasts, 14);
    assert_int_equal(l.device.setting[SETTING_ADDRESS], 99);
}

static void stale_values_can_be_met_with_silence(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    l.bank.refusal = MODBUS_NO_ANSWER;
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_int_equal(l.answers, 0);
    l.bank.refusal = MODBUS_OK;
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_int_equal(l.answers, 1);
}

/* --- echoes ----------------------------------------------------------------------------------- */

/* A request, and what an adapter that hears itself makes of the answer. */
static void say_and_echo(struct line *l, struct frame f)
{
    say(l, f);
    for (int i = 0; i < 20; i++) {
        size_t before = l->answers;
        pass(l, l->silence_us);
        if (l->answers == before)
            break;
        hear(l, l->answer, l->answer_length);
    }
    wait(l);
}

static void an_adapter_that_hears_itself_is_no_problem(void **unused)
{
    (void)unused;
    static struct line l;
    begin(&l);
    for (size_t i = 1; i <= 10; i++) {
        say_and_echo(&l, voltage_request(OURS));
        assert_int_equal(l.answers, i);
        assert_int_equal(l.slave.counters.echoes, i);
    }
    for (size_t i = 1; i <= 10; i++) { /* whose answer looks like the request */
        say_and_echo(&l, FRAME(OURS, 6, 0x50, 3, 0, 5));
        assert_int_equal(l.answers, 10 + i);
    }
    say_and_echo(&l, FRAME(OURS, 0x42)); /* an exception */
    assert_int_equal(l.answers, 21);
}

static void a_write_heard_again_does_not_go_round_for_ever(void **unused)
{
    (void)unused;
    static struct line l;
    begin(&l);
    say_and_echo(&l, FRAME(OURS, 6, 0x50, 3, 0, 5));
    assert_in_range(l.answers, 2, 4);
    assert_int_equal(l.slave.counters.echoes, 1);
}

static void what_is_said_again_is_answered_again(void **unused)
{
    (void)unused;
    static struct line l;
    const struct frame frames[] = {FRAME(OURS, 6, 0x50, 3, 0, 5), FRAME(OURS, 8, 0, 0, 1, 2),
                                   voltage_request(OURS)};
    begin(&l);
    say_and_echo(&l, voltage_request(OURS)); /* an adapter that hears itself, and is taken away */
    for (size_t i = 0; i < COUNT(frames); i++)
        for (size_t k = 1; k <= 12; k++) {
            say(&l, frames[i]);
            wait(&l);
            assert_int_equal(l.answers, 1 + 12 * i + k);
        }
}

/* Somebody stopped the clock: the master has long gone on. */
static void nobody_is_answered_late(void **unused)
{
    (void)unused;
    struct line l;
    size_t n;
    begin(&l);
    for (int late = 0; late < 2; late++) {
        say(&l, voltage_request(OURS));
        l.now_us += l.silence_us + (late ? 500001 : 500000);
        const uint8_t *answer = rtu_slave_poll(&l.slave, l.now_us, &n);
        assert_int_equal(answer == NULL, late);
        wait(&l);
    }
    assert_int_equal(l.slave.counters.overtaken, 1);
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_int_equal(l.answers, 1);
}

static void other_settings_leave_what_is_known_of_the_adapter(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    say_and_echo(&l, voltage_request(OURS));
    const struct rtu_slave_settings other = settings_of(19200, false);
    say(&l, FRAME(OURS, 6, 0x50, 3, 0, 5));
    pass(&l, l.silence_us);
    assert_int_equal(l.answers, 2);
    rtu_slave_set(&l.slave, &other);
    l.char_us = rtu_characters_us(19200, false, 1);
    hear(&l, l.answer, l.answer_length);
    wait(&l);
    assert_int_equal(l.answers, 2);
    assert_int_equal(l.slave.counters.echoes, 2);
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_int_equal(l.answers, 3);
}

/* --- anything --------------------------------------------------------------------------------- */

static void any_bytes_at_any_time_leave_it_alive(void **unused)
{
    (void)unused;
    static struct line l;
    struct rtu_slave_settings settings = settings_of(115200, false);
    settings.slack_us = 3000;
    begin_with(&l, &settings);
    srand(1);
    for (int i = 0; i < 30000; i++) {
        uint8_t bytes[300];
        size_t n = (size_t)rand() % (rand() % 4 ? 12 : sizeof bytes);
        for (size_t k = 0; k < n; k++)
            bytes[k] = rand() % 3 ? (uint8_t)rand() : OURS;
        rtu_slave_bytes(&l.slave, bytes, n, l.now_us);
        pass(&l, rand() % 3000);
    }
    wait(&l);
    size_t before = l.answers;
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_answered(&l, before + 1, voltage_reply(OURS));
}

static void the_clock_of_events_is_kept(void **unused)
{
    (void)unused;
    struct line l;
    begin(&l);
    assert_true(l.slave.last_byte_ms == INT64_MIN && l.slave.last_request_ms == INT64_MIN);
    say(&l, voltage_request(OTHER));
    assert_int_equal(l.slave.last_byte_ms, l.now_us / 1000);
    wait(&l);
    assert_true(l.slave.last_request_ms == INT64_MIN);
    say(&l, voltage_request(OURS));
    wait(&l);
    assert_int_equal(l.slave.last_request_ms, l.answered_us / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_and_silences_are_as_long_as_the_standard_says),
        cmocka_unit_test(a_request_is_answered_t35_after_it),
        cmocka_unit_test(the_turnaround_makes_the_answer_later),
        cmocka_unit_test(gaps_of_t15_within_a_frame_are_forgiven),
        cmocka_unit_test(a_silence_of_t35_within_a_frame_ends_it),
        cmocka_unit_test(slack_forgives_what_a_driver_delays),
        cmocka_unit_test(the_line_is_busy_while_an_answer_is_sent),
        cmocka_unit_test(golden_frames),
        cmocka_unit_test(a_function_nobody_knows_is_answered_with_01),
        cmocka_unit_test(any_bit_flipped_costs_the_frame),
        cmocka_unit_test(noise_before_a_frame_costs_nothing),
        cmocka_unit_test(noise_behind_a_frame_costs_it),
        cmocka_unit_test(a_byte_with_a_bad_parity_costs_its_frame),
        cmocka_unit_test(what_is_for_others_is_left_to_them),
        cmocka_unit_test(a_reply_that_looks_like_a_request_for_us_is_stepped_over),
        cmocka_unit_test(a_reader_that_hands_over_all_at_once_is_no_problem),
        cmocka_unit_test(of_two_requests_without_a_pause_the_last_is_answered),
        cmocka_unit_test(back_to_back_requests_are_all_answered),
        cmocka_unit_test(values_that_were_taken_are_counted),
        cmocka_unit_test(broadcasts_are_obeyed_in_silence),
        cmocka_unit_test(stale_values_can_be_met_with_silence),
        cmocka_unit_test(an_adapter_that_hears_itself_is_no_problem),
        cmocka_unit_test(a_write_heard_again_does_not_go_round_for_ever),
        cmocka_unit_test(what_is_said_again_is_answered_again),
        cmocka_unit_test(nobody_is_answered_late),
        cmocka_unit_test(other_settings_leave_what_is_known_of_the_adapter),
        cmocka_unit_test(any_bytes_at_any_time_leave_it_alive),
        cmocka_unit_test(the_clock_of_events_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
