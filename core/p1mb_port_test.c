#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "p1mb_port.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { HEAD = P1MB_HEAD_BYTES, NOW_MS = 1000000 };

/* --- frames ----------------------------------------------------------------------------------- */

struct frame {
    uint8_t bytes[P1MB_FRAME_MAX];
    size_t n;
};

static struct frame frame_of(uint8_t command, const uint8_t *payload, size_t n)
{
    struct frame f;
    f.n = p1mb_frame(command, payload, n, f.bytes);
    return f;
}

#define FRAME(command, ...) \
    frame_of((command), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct frame request(uint8_t command)
{
    return frame_of(command, NULL, 0);
}

/* 19200 8N1, address 17, terminated, map 2. */
static const uint8_t setup_bytes[P1MB_SETUP_BYTES] = {0x00, 0x4B, 0, 0, 17, 0, 1, 2};

static struct frame write_request(void)
{
    return frame_of(P1MB_WRITE, setup_bytes, sizeof setup_bytes);
}

/* What is wrong in a frame of which one byte is changed. */
static struct frame changed(struct frame f, size_t at, uint8_t mask)
{
    f.bytes[at] ^= mask;
    return f;
}

static bool takes(struct p1mb_framing *f, const uint8_t *bytes, size_t n, int64_t now_ms)
{
    size_t frames = 0;
    for (size_t i = 0; i < n; i++)
        frames += p1mb_framing_take(f, bytes[i], now_ms);
    assert_true(frames <= 1);
    return frames;
}

/* The examples of docs/protocols.md. */
static void frames_are_those_of_the_document(void **unused)
{
    (void)unused;
    static const struct {
        struct frame frame;
        uint8_t command;
    } examples[] = {
        {{{0x02, 0x01, 0x01, 0x00, 0x21, 0x90}, 6}, P1MB_IDENTIFY},
        {{{0x02, 0x01, 0x02, 0x00, 0x21, 0x60}, 6}, P1MB_READ},
        {{{0x02, 0x01, 0x04, 0x00, 0x22, 0xC0}, 6}, P1MB_REBOOT},
        {{{0x02, 0x01, 0x05, 0x00, 0x23, 0x50}, 6}, P1MB_LEAVE},
    };
    static const uint8_t write[] = {0x02, 0x01, 0x03, 0x08, 0x00, 0x4B, 0x00,
                                    0x00, 0x11, 0x00, 0x01, 0x02, 0xEB, 0xBE};
    for (size_t i = 0; i < COUNT(examples); i++) {
        struct frame f = request(examples[i].command);
        assert_int_equal(f.n, examples[i].frame.n);
        assert_memory_equal(f.bytes, examples[i].frame.bytes, f.n);
    }
    struct frame f = write_request();
    assert_int_equal(f.n, sizeof write);
    assert_memory_equal(f.bytes, write, f.n);
}

static void a_frame_of_any_length_comes_back(void **unused)
{
    (void)unused;
    struct p1mb_framing framing = {0};
    uint8_t payload[P1MB_PAYLOAD_MAX];
    for (size_t n = 0; n <= sizeof payload; n++) {
        for (size_t i = 0; i < n; i++)
            payload[i] = (uint8_t)(n * 7 + i * 2);
        struct frame f = frame_of(0x42, payload, n);
        assert_int_equal(f.n, HEAD + n + 2);
        for (size_t i = 0; i + 1 < f.n; i++)
            assert_false(p1mb_framing_take(&framing, f.bytes[i], NOW_MS));
        assert_true(p1mb_framing_take(&framing, f.bytes[f.n - 1], NOW_MS));
        assert_int_equal(framing.version, P1MB_VERSION);
        assert_int_equal(framing.command, 0x42);
        assert_int_equal(framing.length, n);
        assert_memory_equal(framing.payload, payload, n);
    }
}

static void a_payload_may_be_in_its_place_already(void **unused)
{
    (void)unused;
    struct frame f = {.n = 0}, expected = write_request();
    memcpy(f.bytes + HEAD, setup_bytes, sizeof setup_bytes);
    f.n = p1mb_frame(P1MB_WRITE, f.bytes + HEAD, sizeof setup_bytes, f.bytes);
    assert_int_equal(f.n, expected.n);
    assert_memory_equal(f.bytes, expected.bytes, f.n);
}

static void a_frame_that_is_cut_anywhere_is_over_after_a_pause(void **unused)
{
    (void)unused;
    struct frame f = write_request();
    for (size_t cut = 0; cut < f.n; cut++) {
        struct p1mb_framing framing = {0};
        assert_false(takes(&framing, f.bytes, cut, NOW_MS));
        assert_true(takes(&framing, f.bytes, f.n, NOW_MS + P1MB_PAUSE_MS));
    }
}

static void a_short_pause_ends_no_frame(void **unused)
{
    (void)unused;
    struct frame f = write_request();
    struct p1mb_framing framing = {0};
    for (size_t i = 0; i < f.n; i++)
        assert_int_equal(
            p1mb_framing_take(&framing, f.bytes[i], NOW_MS + (int64_t)i * (P1MB_PAUSE_MS - 1)),
            i + 1 == f.n);
}

static void a_flipped_bit_costs_the_frame_and_not_the_next(void **unused)
{
    (void)unused;
    struct frame f = write_request();
    for (size_t bit = 0; bit < f.n * 8; bit++) {
        struct p1mb_framing framing = {0};
        struct frame bad = changed(f, bit / 8, (uint8_t)(1 << bit % 8));
        assert_false(takes(&framing, bad.bytes, bad.n, NOW_MS));
        assert_true(takes(&framing, f.bytes, f.n, NOW_MS + P1MB_PAUSE_MS));
    }
}

static void no_frame_is_longer_than_can_be_kept(void **unused)
{
    (void)unused;
    struct frame f = request(P1MB_READ);
    for (unsigned length = P1MB_PAYLOAD_MAX + 1; length <= UINT8_MAX; length++) {
        struct p1mb_framing framing = {0};
        const uint8_t head[HEAD] = {0x02, P1MB_VERSION, P1MB_WRITE, (uint8_t)length};
        assert_false(takes(&framing, head, sizeof head, NOW_MS));
        assert_true(takes(&framing, f.bytes, f.n, NOW_MS));
    }
}

static void what_is_no_start_is_skipped(void **unused)
{
    (void)unused;
    struct frame f = request(P1MB_READ);
    struct p1mb_framing framing = {0};
    for (unsigned byte = 0; byte <= UINT8_MAX; byte++)
        if (byte != 0x02)
            assert_false(p1mb_framing_take(&framing, (uint8_t)byte, NOW_MS));
    assert_true(takes(&framing, f.bytes, f.n, NOW_MS));
}

/* --- setups ----------------------------------------------------------------------------------- */

static void a_setup_comes_back(void **unused)
{
    (void)unused;
    static const uint32_t bauds[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};
    for (unsigned i = 0; i < 8 * 4 * 4; i++) {
        const struct p1mb_setup setup = {.bus = {.baud = bauds[i % 8],
                                                 .address = (uint8_t)(i + 1),
                                                 .even_parity = i & 8,
                                                 .termination = i & 16},
                                         .map = (uint8_t)(i / 32)};
        struct p1mb_setup back;
        uint8_t bytes[P1MB_SETUP_BYTES];
        p1mb_setup_put(&setup, bytes);
        assert_int_equal(p1mb_setup_get(bytes, 4, &back), P1MB_DONE);
        assert_true(p1mb_settings_equal(&setup.bus, &back.bus));
        assert_int_equal(setup.map, back.map);
    }
}

static void each_setting_has_its_range(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t at, value;
        enum p1mb_status status;
    } cases[] = {
        {0, 0x01, P1MB_BAD_BAUD},
        {1, 0x25, P1MB_BAD_BAUD},
        {2, 1, P1MB_BAD_BAUD},
        {3, 0x80, P1MB_BAD_BAUD},
        {4, 0, P1MB_BAD_ADDRESS},
        {4, 1, P1MB_DONE},
        {4, 247, P1MB_DONE},
        {4, 248, P1MB_BAD_ADDRESS},
        {4, 255, P1MB_BAD_ADDRESS},
        {5, 1, P1MB_DONE},
        {5, 2, P1MB_BAD_LINE},
        {5, 255, P1MB_BAD_LINE},
        {6, 2, P1MB_BAD_TERMINATION},
        {6, 255, P1MB_BAD_TERMINATION},
        {7, 3, P1MB_DONE},
        {7, 4, P1MB_BAD_MAP},
        {7, 255, P1MB_BAD_MAP},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t bytes[P1MB_SETUP_BYTES];
        struct p1mb_setup setup;
        memcpy(bytes, setup_bytes, sizeof bytes);
        bytes[cases[i].at] = cases[i].value;
        assert_int_equal(p1mb_setup_get(bytes, 4, &setup), cases[i].status);
    }
}

/* --- a device --------------------------------------------------------------------------------- */

struct device {
    struct p1mb_port_owner owner;
    struct p1mb_port port;
    struct p1mb_setup active, kept;
    bool memory_fails;
    unsigned writes, reboots;
    int64_t now_ms;
    struct frame answer; /* the last one; n 0: there was none */
};

static const char *map_name(uint8_t i)
{
    static const char *const names[] = {"Inepro-PRO380", "Acrel-ACR10RH", "Eastron-SDM630", "Xemex"};
    assert_true(i < COUNT(names));
    return names[i];
}

static struct device *device_of(struct p1mb_port_owner *owner)
{
    return (struct device *)((char *)owner - offsetof(struct device, owner));
}

static void owner_read(struct p1mb_port_owner *owner, struct p1mb_setup out[static 2])
{
    out[0] = device_of(owner)->active;
    out[1] = device_of(owner)->kept;
}

static bool owner_write(struct p1mb_port_owner *owner, const struct p1mb_setup *setup)
{
    struct device *d = device_of(owner);
    d->writes++;
    if (!d->memory_fails)
        d->kept = *setup;
    return !d->memory_fails;
}

static void owner_reboot(struct p1mb_port_owner *owner)
{
    device_of(owner)->reboots++;
}

static void begin(struct device *d)
{
    memset(d, 0, sizeof *d);
    d->owner = (struct p1mb_port_owner){.product = "P1MB",
                                        .board = "lm3s6965",
                                        .serial = "00112233AABB",
                                        .firmware = 0x000100,
                                        .map_name = map_name,
                                        .maps = 4,
                                        .read = owner_read,
                                        .write = owner_write,
                                        .reboot = owner_reboot};
    d->active = d->kept = (struct p1mb_setup){.bus = p1mb_defaults(), .map = 2};
    d->now_ms = NOW_MS;
    p1mb_port_init(&d->port, &d->owner);
}

/* Returns how many bytes were the telegram parser's. */
static size_t hear(struct device *d, const uint8_t *bytes, size_t n)
{
    size_t foreign = p1mb_port_take(&d->port, bytes, n, d->now_ms);
    const uint8_t *answer = p1mb_port_answer(&d->port, &d->answer.n);
    assert_int_equal(answer == NULL, d->answer.n == 0);
    if (answer)
        memcpy(d->answer.bytes, answer, d->answer.n);
    assert_null(p1mb_port_answer(&d->port, &(size_t){0})); /* given once */
    return foreign;
}

static void hear_key(struct device *d)
{
    assert_false(d->port.open);
    assert_int_equal(hear(d, p1mb_key, sizeof p1mb_key), sizeof p1mb_key);
    assert_true(d->port.open);
    assert_int_equal(d->answer.n, 0);
}

static void begin_session(struct device *d)
{
    begin(d);
    hear_key(d);
}

static void ask(struct device *d, struct frame f)
{
    assert_int_equal(hear(d, f.bytes, f.n), 0);
}

static void assert_answer(const struct device *d, struct frame expected)
{
    assert_int_equal(d->answer.n, expected.n);
    assert_memory_equal(d->answer.bytes, expected.bytes, expected.n);
}

static void assert_status(const struct device *d, uint8_t command, enum p1mb_status status)
{
    assert_answer(d, FRAME(command | P1MB_ANSWER, (uint8_t)status));
}

/* --- the key ---------------------------------------------------------------------------------- */

static const char telegram[] = "/XXX5TEST\r\n\r\n1-0:1.7.0(00.412*kW)\r\n!ABCD\r\n";

static void the_key_opens_in_mid_telegram(void **unused)
{
    (void)unused;
    static struct device d;
    uint8_t bytes[sizeof telegram + P1MB_KEY_BYTES + 6];
    const struct frame f = request(P1MB_LEAVE);
    for (size_t at = 0; at < sizeof telegram; at++) {
        memcpy(bytes, telegram, at);
        memcpy(bytes + at, p1mb_key, P1MB_KEY_BYTES);
        memcpy(bytes + at + P1MB_KEY_BYTES, f.bytes, f.n);
        begin(&d); /* all at once: what came before the session, and the key, is the parser's */
        assert_int_equal(hear(&d, bytes, at + P1MB_KEY_BYTES + f.n), at + P1MB_KEY_BYTES);
        assert_status(&d, P1MB_LEAVE, P1MB_DONE);
        begin(&d); /* byte by byte */
        for (size_t i = 0; i < at + P1MB_KEY_BYTES + f.n; i++)
            assert_int_equal(hear(&d, bytes + i, 1), i < at + P1MB_KEY_BYTES);
        assert_status(&d, P1MB_LEAVE, P1MB_DONE);
    }
}

static void the_key_may_begin_within_what_looks_like_it(void **unused)
{
    (void)unused;
    static struct device d;
    for (size_t seen = 0; seen < P1MB_KEY_BYTES; seen++) {
        begin(&d);
        assert_int_equal(hear(&d, p1mb_key, seen), seen);
        hear_key(&d);
    }
    /* 1B 50 31 4D 42 3F 1B is followed by the rest of another key */
    begin(&d);
    assert_int_equal(hear(&d, p1mb_key, 7), 7);
    assert_int_equal(hear(&d, p1mb_key + 1, 7), 7);
    assert_true(d.port.open);
}

static void nothing_but_the_key_opens(void **unused)
{
    (void)unused;
    static struct device d;
    for (size_t bit = 0; bit < P1MB_KEY_BYTES * 8; bit++) {
        uint8_t bytes[P1MB_KEY_BYTES];
        memcpy(bytes, p1mb_key, sizeof bytes);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        begin(&d);
        assert_int_equal(hear(&d, bytes, sizeof bytes), sizeof bytes);
        assert_false(d.port.open);
    }
    begin(&d);
    assert_int_equal(hear(&d, (const uint8_t *)telegram, sizeof telegram), sizeof telegram);
    assert_false(d.port.open);
}

/* 7E1 as an 8N1 receiver sees it, too. */
static void no_character_of_a_telegram_is_one_of_the_keys_ends(void **unused)
{
    (void)unused;
    for (unsigned c = 0; c < 0x80; c++) {
        if (c < 0x20 && c != '\r' && c != '\n')
            continue;
        for (unsigned parity = 0; parity <= 0x80; parity += 0x80)
            assert_false((c | parity) == p1mb_key[0] ||
                         (c | parity) == p1mb_key[P1MB_KEY_BYTES - 1]);
    }
}

static void frames_outside_of_a_session_are_not_answered(void **unused)
{
    (void)unused;
    static struct device d;
    begin(&d);
    const struct frame f = request(P1MB_IDENTIFY);
    assert_int_equal(hear(&d, f.bytes, f.n), f.n);
    assert_int_equal(d.answer.n, 0);
}

/* --- commands --------------------------------------------------------------------------------- */

static void identify_tells_what_the_device_is(void **unused)
{
    (void)unused;
    static struct device d;
    static const char identity[] = "\0\x00\x01\0\0"
                                   "P1MB\0lm3s6965\0"
                                   "00112233AABB\0"
                                   "Inepro-PRO380\0Acrel-ACR10RH\0Eastron-SDM630\0Xemex";
    begin_session(&d);
    ask(&d, request(P1MB_IDENTIFY));
    assert_answer(&d, frame_of(0x81, (const uint8_t *)identity, sizeof identity));
}

static void texts_that_do_not_fit_are_cut(void **unused)
{
    (void)unused;
    static struct device d;
    static char text[P1MB_PAYLOAD_MAX + 1];
    struct p1mb_framing framing = {0};
    for (size_t n = 150; n < sizeof text; n++) {
        memset(text, 'x', n);
        text[n] = 0;
        begin_session(&d);
        d.owner.serial = text;
        ask(&d, request(P1MB_IDENTIFY));
        assert_true(takes(&framing, d.answer.bytes, d.answer.n, NOW_MS));
        assert_int_equal(framing.payload[framing.length - 1], 0);
    }
}

static void read_tells_both_setups(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    ask(&d, write_request());
    assert_status(&d, P1MB_WRITE, P1MB_DONE);
    ask(&d, request(P1MB_READ));
    assert_answer(&d, FRAME(0x82, 0, 0x80, 0x25, 0, 0, 16, 1, 0, 2, 0x00, 0x4B, 0, 0, 17, 0, 1, 2));
}

static void a_setup_that_is_not_good_is_not_written(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    ask(&d, FRAME(P1MB_WRITE, 0x00, 0x4B, 0, 0, 17, 0, 1, 4));
    assert_status(&d, P1MB_WRITE, P1MB_BAD_MAP);
    ask(&d, FRAME(P1MB_WRITE, 0x01, 0x4B, 0, 0, 17, 0, 1, 2));
    assert_status(&d, P1MB_WRITE, P1MB_BAD_BAUD);
    assert_int_equal(d.writes, 0);
}

static void a_memory_that_fails_is_told(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    d.memory_fails = true;
    ask(&d, write_request());
    assert_status(&d, P1MB_WRITE, P1MB_NOT_KEPT);
    assert_int_equal(d.writes, 1);
}

static void reboot_is_asked_of_the_owner(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    ask(&d, request(P1MB_REBOOT));
    assert_status(&d, P1MB_REBOOT, P1MB_DONE);
    assert_int_equal(d.reboots, 1);
}

static void other_commands_are_unknown(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    for (unsigned command = 0; command < P1MB_ANSWER; command++) {
        if (command >= P1MB_IDENTIFY && command <= P1MB_LEAVE)
            continue;
        ask(&d, request((uint8_t)command));
        assert_status(&d, (uint8_t)command, P1MB_UNKNOWN_COMMAND);
    }
}

static void answers_are_not_answered(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    for (unsigned command = P1MB_ANSWER; command <= UINT8_MAX; command++) {
        ask(&d, request((uint8_t)command));
        assert_int_equal(d.answer.n, 0);
    }
    assert_true(d.port.open);
}

static void each_command_has_its_length(void **unused)
{
    (void)unused;
    static struct device d;
    static const uint8_t zeros[P1MB_PAYLOAD_MAX];
    begin_session(&d);
    for (uint8_t command = P1MB_IDENTIFY; command <= P1MB_LEAVE; command++)
        for (size_t n = 0; n <= sizeof zeros; n++) {
            if (n == (command == P1MB_WRITE ? P1MB_SETUP_BYTES : 0))
                continue;
            ask(&d, frame_of(command, zeros, n));
            assert_status(&d, command, P1MB_BAD_LENGTH);
        }
    assert_true(d.port.open);
    assert_int_equal(d.writes + d.reboots, 0);
}

static void another_version_is_told_ours(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    ask(&d, (struct frame){{0x02, 0x02, 0x04, 0x00, 0xD2, 0xC0}, 6});
    assert_status(&d, P1MB_REBOOT, P1MB_BAD_VERSION);
    assert_int_equal(d.answer.bytes[1], P1MB_VERSION);
    assert_int_equal(d.reboots, 0);
}

/* --- the session ------------------------------------------------------------------------------ */

static void leave_ends_the_session_behind_its_answer(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    ask(&d, request(P1MB_LEAVE));
    assert_status(&d, P1MB_LEAVE, P1MB_DONE);
    assert_false(d.port.open);
    assert_int_equal(hear(&d, (const uint8_t *)telegram, sizeof telegram), sizeof telegram);
    hear_key(&d);
}

static void what_comes_behind_a_leave_at_once_is_not_the_parsers(void **unused)
{
    (void)unused;
    static struct device d;
    struct frame f = request(P1MB_LEAVE);
    memcpy(f.bytes + f.n, p1mb_key, sizeof p1mb_key);
    begin_session(&d);
    assert_int_equal(hear(&d, f.bytes, f.n + sizeof p1mb_key), 0);
    assert_status(&d, P1MB_LEAVE, P1MB_DONE);
    assert_true(d.port.open); /* by the key behind it */
}

static void nothing_in_a_session_is_the_parsers(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    assert_int_equal(hear(&d, (const uint8_t *)telegram, sizeof telegram), 0);
    assert_int_equal(d.answer.n, 0);
    ask(&d, request(P1MB_REBOOT));
    assert_status(&d, P1MB_REBOOT, P1MB_DONE);
}

static void a_minute_of_silence_ends_the_session(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    d.now_ms += P1MB_SESSION_MS - 1;
    p1mb_port_poll(&d.port, d.now_ms);
    assert_true(d.port.open);
    ask(&d, request(P1MB_READ)); /* a good frame keeps it */
    d.now_ms += P1MB_SESSION_MS - 1;
    p1mb_port_poll(&d.port, d.now_ms);
    assert_true(d.port.open);
    assert_int_equal(hear(&d, p1mb_key, sizeof p1mb_key), 0); /* and so does a key */
    d.now_ms += P1MB_SESSION_MS - 1;
    p1mb_port_poll(&d.port, d.now_ms);
    assert_true(d.port.open);
    p1mb_port_poll(&d.port, d.now_ms + 1);
    assert_false(d.port.open);
}

/* The cable was pulled without a `leave`, and the meter is back within the minute. */
static void telegrams_do_not_keep_a_session(void **unused)
{
    (void)unused;
    static struct device d;
    const struct frame bad = changed(request(P1MB_READ), HEAD, 1);
    begin_session(&d);
    for (int at_ms = 1000; at_ms < P1MB_SESSION_MS; at_ms += 1000) {
        d.now_ms = NOW_MS + at_ms;
        ask(&d, bad);
        assert_int_equal(hear(&d, (const uint8_t *)telegram, sizeof telegram), 0);
    }
    d.now_ms = NOW_MS + P1MB_SESSION_MS;
    assert_int_equal(hear(&d, (const uint8_t *)telegram, sizeof telegram), sizeof telegram);
    assert_false(d.port.open);
}

static void it_ends_unpolled_too(void **unused)
{
    (void)unused;
    static struct device d;
    begin_session(&d);
    d.now_ms += P1MB_SESSION_MS;
    const struct frame f = request(P1MB_REBOOT);
    assert_int_equal(hear(&d, f.bytes, f.n), f.n);
    assert_int_equal(d.answer.n + d.reboots, 0);
}

static void damage_costs_a_frame_and_never_the_session(void **unused)
{
    (void)unused;
    static struct device d;
    const struct frame f = write_request();
    for (size_t bit = 0; bit < f.n * 8; bit++) {
        begin_session(&d);
        ask(&d, changed(f, bit / 8, (uint8_t)(1 << bit % 8)));
        assert_int_equal(d.answer.n + d.writes, 0);
        d.now_ms += P1MB_PAUSE_MS;
        ask(&d, f);
        assert_status(&d, P1MB_WRITE, P1MB_DONE);
    }
}

static void another_key_makes_a_fresh_start(void **unused)
{
    (void)unused;
    static struct device d;
    const struct frame f = write_request();
    for (size_t cut = 0; cut < f.n; cut++) { /* no pause is needed */
        begin_session(&d);
        assert_int_equal(hear(&d, f.bytes, cut), 0);
        assert_int_equal(hear(&d, p1mb_key, sizeof p1mb_key), 0);
        ask(&d, f);
        assert_status(&d, P1MB_WRITE, P1MB_DONE);
        assert_int_equal(d.writes, 1);
    }
}

static void an_answer_that_nobody_took_is_gone(void **unused)
{
    (void)unused;
    static struct device d;
    const struct frame f = request(P1MB_READ);
    size_t n;
    begin_session(&d);
    (void)p1mb_port_take(&d.port, f.bytes, f.n, d.now_ms);
    (void)p1mb_port_take(&d.port, (const uint8_t *)"x", 1, d.now_ms);
    assert_null(p1mb_port_answer(&d.port, &n));
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_those_of_the_document),
        cmocka_unit_test(a_frame_of_any_length_comes_back),
        cmocka_unit_test(a_payload_may_be_in_its_place_already),
        cmocka_unit_test(a_frame_that_is_cut_anywhere_is_over_after_a_pause),
        cmocka_unit_test(a_short_pause_ends_no_frame),
        cmocka_unit_test(a_flipped_bit_costs_the_frame_and_not_the_next),
        cmocka_unit_test(no_frame_is_longer_than_can_be_kept),
        cmocka_unit_test(what_is_no_start_is_skipped),
        cmocka_unit_test(a_setup_comes_back),
        cmocka_unit_test(each_setting_has_its_range),
        cmocka_unit_test(the_key_opens_in_mid_telegram),
        cmocka_unit_test(the_key_may_begin_within_what_looks_like_it),
        cmocka_unit_test(nothing_but_the_key_opens),
        cmocka_unit_test(no_character_of_a_telegram_is_one_of_the_keys_ends),
        cmocka_unit_test(frames_outside_of_a_session_are_not_answered),
        cmocka_unit_test(identify_tells_what_the_device_is),
        cmocka_unit_test(texts_that_do_not_fit_are_cut),
        cmocka_unit_test(read_tells_both_setups),
        cmocka_unit_test(a_setup_that_is_not_good_is_not_written),
        cmocka_unit_test(a_memory_that_fails_is_told),
        cmocka_unit_test(reboot_is_asked_of_the_owner),
        cmocka_unit_test(other_commands_are_unknown),
        cmocka_unit_test(answers_are_not_answered),
        cmocka_unit_test(each_command_has_its_length),
        cmocka_unit_test(another_version_is_told_ours),
        cmocka_unit_test(leave_ends_the_session_behind_its_answer),
        cmocka_unit_test(what_comes_behind_a_leave_at_once_is_not_the_parsers),
        cmocka_unit_test(nothing_in_a_session_is_the_parsers),
        cmocka_unit_test(a_minute_of_silence_ends_the_session),
        cmocka_unit_test(telegrams_do_not_keep_a_session),
        cmocka_unit_test(it_ends_unpolled_too),
        cmocka_unit_test(damage_costs_a_frame_and_never_the_session),
        cmocka_unit_test(another_key_makes_a_fresh_start),
        cmocka_unit_test(an_answer_that_nobody_took_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
