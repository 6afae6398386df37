#include "rtu_bus.h"

#include "choices.h"
#include "heap.h"
#include "log.h"
#include "serial_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_MAX = 512,
    READS_MAX = 4,    /* at once: others want to be served, too */
    SLACK_US = 20000, /* adapters on USB and busy machines hand bytes over so much later */
    RETRY_MS = 2000,
    TICK_MS = 1000, /* of age and status */
    LEAVING_MAX_US =
        200000, /* an answer that has not left the port so long after its time never will */
    ADAPTER_US =
        2000, /* so much later than it was written an answer leaves an adapter that does not tell */
    AGE_MAX_S = 65534,
    AGE_NONE = 65535
};

/* What SETTING_P1_STATUS says. */
enum { P1_SILENT, P1_GOOD, P1_DAMAGED };

struct rtu_bus {
    struct loop *loop;
    struct meter *meter;
    struct rtu_bus_settings settings;
    struct rtu_bus_owner *owner;
    struct modbus_source source;
    struct rtu_slave slave;
    struct serial_unmark unmark;
    struct rs485 bus;
    struct loop_fd watch; /* the port; .fd < 0: not open */
    struct loop_fd alarm; /* a timer in microseconds: the loop's count milliseconds */
    struct loop_timer retry, tick;
    struct p1mb_settings active, reported; /* reported: what the owner was told is staged */
    bool sending;                          /* the bus is ours */
    int64_t look_us; /* while sending: when to see whether the answer has left */
    struct meter_counters seen;
    struct p1mb_events events;
    char problem[RTU_PROBLEM_MAX], hint[RTU_PROBLEM_MAX];
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct register_device *device_of(struct rtu_bus *m)
{
    return &m->source.settings.device;
}

/* --- the line --------------------------------------------------------------------------------- */

static struct rtu_slave_settings slave_settings(const struct rtu_bus *m)
{
    return (struct rtu_slave_settings){.address = m->active.address,
                                       .even_parity = m->active.even_parity,
                                       .baud = m->active.baud,
                                       .turnaround_us = (uint32_t)m->settings.turnaround_ms * 1000,
                                       .slack_us = SLACK_US};
}

static void begin_slave(struct rtu_bus *m)
{
    const struct rtu_slave_settings settings = slave_settings(m);
    rtu_slave_set(&m->slave, &settings);
    m->unmark.seen = 0;
    m->sending = false;
}

static void set_alarm(struct rtu_bus *m)
{
    int64_t due_us = rtu_slave_due_us(&m->slave);
    struct itimerspec t = {0};
    if (m->sending && m->look_us < due_us)
        due_us = m->look_us;
    if (due_us != RTU_NEVER) {
        t.it_value.tv_sec = due_us / 1000000;
        t.it_value.tv_nsec = due_us % 1000000 * 1000 + 1; /* 0 would mean never */
    }
    timerfd_settime(m->alarm.fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static void lose(struct rtu_bus *m, const char *problem)
{
    if (strcmp(problem, m->problem) != 0)
        log_warning("rtu", "%s: %s; trying again every %d s", m->settings.path, problem,
                    RETRY_MS / 1000);
    snprintf(m->problem, sizeof m->problem, "%s", problem);
    if (m->watch.fd >= 0)
        loop_watch(m->loop, &m->watch, 0);
    serial_port_close(m->watch.fd);
    m->watch.fd = -1;
    m->sending = false;
    loop_set_timer(m->loop, &m->retry, RETRY_MS);
}

/* Reads what has come.  False: nothing had. */
static bool hear(struct rtu_bus *m)
{
    uint8_t bytes[READ_MAX];
    unsigned bad = 0;
    ssize_t n = m->watch.fd >= 0 ? read(m->watch.fd, bytes, sizeof bytes) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        if (m->watch.fd >= 0)
            lose(m, n == 0 ? "the device is gone" : strerror(errno));
        return false;
    }
    size_t good = serial_unmark(&m->unmark, bytes, (size_t)n, bytes, &bad);
    int64_t now = now_us();
    rtu_slave_bytes(&m->slave, bytes, good, now);
    for (; bad; bad--)
        rtu_slave_line_error(&m->slave, now);
    return true;
}

static void say(struct rtu_bus *m, const uint8_t *answer, size_t n)
{
    rs485_begin_sending(&m->bus);
    m->sending = true;
    m->look_us = rtu_slave_sent_us(&m->slave) + (m->bus.tells_empty ? 0 : ADAPTER_US);
    if (!serial_port_write(m->watch.fd, answer, n))
        lose(m, strerror(errno));
}

/* The answer should have left: the bus is given back. */
static void stop_sending(struct rtu_bus *m, int64_t now)
{
    bool late = now - rtu_slave_sent_us(&m->slave) >= LEAVING_MAX_US;
    m->sending = !rs485_end_sending(&m->bus, late);
    m->look_us = now + rtu_characters_us(m->active.baud, m->active.even_parity, 1);
}

/* --- settings --------------------------------------------------------------------------------- */

static struct serial_line line_of(const struct p1mb_settings *bus)
{
    return (struct serial_line){
        .baud = bus->baud, .even_parity = bus->even_parity, .mark_errors = true};
}

static void take_bus(struct rtu_bus *m)
{
    bool possible = rs485_open(&m->bus, m->watch.fd, m->settings.direction, m->active.termination);
    m->hint[0] = 0;
    if (!possible)
        snprintf(m->hint, sizeof m->hint, "this port cannot turn the bus by %s; nobody does it now",
                 choices_direction[m->settings.direction]);
    else if (m->active.termination && !m->bus.terminated)
        snprintf(
            m->hint, sizeof m->hint,
            "this port has no terminating resistor that can be switched: use the adapter's own");
    if (m->hint[0])
        log_warning("rtu", "%s: %s", m->settings.path, m->hint);
}

/* On a port whose line is set. */
static void begin(struct rtu_bus *m)
{
    char line[RTU_LINE_MAX];
    begin_slave(m);
    take_bus(m);
    rtu_bus_format_line(&m->active, line);
    log_info("rtu", "%s: address %d, %s, direction by %s", m->settings.path, m->active.address,
             line, choices_direction[m->bus.used]);
}

static void activate(struct rtu_bus *m)
{
    const struct serial_line serial = line_of(&m->active);
    if (m->watch.fd < 0)
        begin_slave(m);
    else if (serial_port_set(m->watch.fd, &serial))
        begin(m);
    else
        lose(m, strerror(errno));
}

static void reboot(struct rtu_bus *m)
{
    m->active = m->reported = p1mb_staged(device_of(m));
    p1mb_stage(&m->active, device_of(m)); /* halves of a speed that never became one are forgotten */
    device_of(m)->setting[SETTING_REBOOT] = 0;
    modbus_source_refresh(&m->source);
    activate(m);
    set_alarm(m);
}

/* A master may have written: tells the owner, and reboots once the answer has left. */
static void look_at_settings(struct rtu_bus *m)
{
    const struct p1mb_settings staged = p1mb_staged(device_of(m));
    if (!p1mb_settings_equal(&staged, &m->reported)) {
        m->reported = staged;
        m->owner->staged(m->owner, &staged);
    }
    if (device_of(m)->setting[SETTING_REBOOT] && !m->sending && m->slave.state != AWAIT_SENT)
        reboot(m);
}

void rtu_bus_reboot(struct rtu_bus *m)
{
    device_of(m)->setting[SETTING_REBOOT] = 1;
    look_at_settings(m);
}

/* --- the loop's events ------------------------------------------------------------------------ */

/* What has come is heard before time is judged: after a busy moment both wait here. */
static void go_on(struct rtu_bus *m)
{
    size_t n;
    uint64_t writes = m->slave.counters.writes;
    for (int reads = 0; reads < READS_MAX && hear(m); reads++)
        ;
    int64_t now = now_us();
    if (m->sending && now >= m->look_us)
        stop_sending(m, now);
    const uint8_t *answer = rtu_slave_poll(&m->slave, now, &n);
    if (answer && m->watch.fd >= 0)
        say(m, answer, n);
    if (m->slave.counters.writes != writes)
        modbus_source_refresh(&m->source);
    look_at_settings(m);
    set_alarm(m);
}

static void on_port(struct loop_fd *watch, uint32_t events)
{
    (void)events;
    go_on(CONTAINER_OF(watch, struct rtu_bus, watch));
}

static void on_alarm(struct loop_fd *watch, uint32_t events)
{
    uint64_t times;
    (void)events;
    if (read(watch->fd, &times, sizeof times) == sizeof times)
        go_on(CONTAINER_OF(watch, struct rtu_bus, alarm));
}

static void open_port(struct rtu_bus *m)
{
    const struct serial_line line = line_of(&m->active);
    const char *problem;
    int fd = serial_port_open(m->settings.path, &line, &problem);
    m->watch = (struct loop_fd){.ready = on_port, .fd = fd};
    if (fd < 0 || loop_watch(m->loop, &m->watch, EPOLLIN) < 0) {
        lose(m, fd < 0 ? problem : strerror(errno));
        return;
    }
    m->problem[0] = 0;
    begin(m);
    set_alarm(m);
}

static void on_retry(struct loop_timer *timer)
{
    open_port(CONTAINER_OF(timer, struct rtu_bus, retry));
}

/* --- status ----------------------------------------------------------------------------------- */

static void note_telegrams(struct rtu_bus *m)
{
    const struct meter_counters c = meter_get_counters(m->meter);
    const struct meter_snapshot *latest = meter_latest(m->meter);
    if (latest)
        m->events.valid_telegram_ms = latest->reading.received_ms;
    if (c.telegrams_pass == m->seen.telegrams_pass &&
        (c.telegrams_fail != m->seen.telegrams_fail ||
         c.telegrams_frame_fail != m->seen.telegrams_frame_fail))
        m->events.damaged_telegram_ms = m->loop->now_ms;
    m->seen = c;
}

static struct p1mb_leds leds_of(const struct rtu_bus *m)
{
    struct p1mb_events events = m->events;
    int64_t to_loop_ms =
        m->loop->now_ms - now_us() / 1000; /* two clocks: they differ by time spent asleep */
    if (m->slave.last_byte_ms != INT64_MIN)
        events.bus_byte_ms = m->slave.last_byte_ms + to_loop_ms;
    if (m->slave.last_request_ms != INT64_MIN)
        events.request_ms = m->slave.last_request_ms + to_loop_ms;
    return p1mb_leds(&events, m->loop->now_ms);
}

static void on_tick(struct loop_timer *timer)
{
    struct rtu_bus *m = CONTAINER_OF(timer, struct rtu_bus, tick);
    note_telegrams(m);
    if (p1mb_stage_status(&m->events, m->loop->now_ms, device_of(m)))
        modbus_source_refresh(&m->source);
    loop_set_timer(m->loop, &m->tick, TICK_MS);
}

struct rtu_bus_info rtu_bus_get_info(const struct rtu_bus *m)
{
    return (struct rtu_bus_info){.path = m->settings.path,
                                 .map = m->source.settings.map->name,
                                 .problem = m->problem,
                                 .hint = m->hint,
                                 .active = m->active,
                                 .staged = p1mb_staged(&m->source.settings.device),
                                 .direction = m->watch.fd < 0 ? DIRECTION_AUTO : m->bus.used,
                                 .order = m->source.bank.order,
                                 .leds = leds_of(m),
                                 .counters = m->slave.counters};
}

const char *rtu_bus_light_name(enum p1mb_light light)
{
    static const char *const names[] = {
        [LIGHT_OFF] = "off", [LIGHT_ON] = "on", [LIGHT_BLINKING] = "blinking"};
    return names[light];
}

/* --- life ------------------------------------------------------------------------------------- */

void rtu_bus_format_line(const struct p1mb_settings *bus, char text[static RTU_LINE_MAX])
{
    snprintf(text, RTU_LINE_MAX, "%u-8%c1", bus->baud, bus->even_parity ? 'E' : 'N');
}

bool rtu_bus_parse_line(const char *text, struct p1mb_settings *bus)
{
    char *end, usual[RTU_LINE_MAX];
    struct p1mb_settings parsed = *bus;
    unsigned long baud = strtoul(text, &end, 10);
    if (baud > 115200 || !register_baud_is_known((uint32_t)baud))
        return false;
    parsed.baud = (uint32_t)baud;
    parsed.even_parity = strcmp(end, "-8E1") == 0;
    rtu_bus_format_line(&parsed, usual);
    if (strcmp(text, usual) != 0)
        return false;
    *bus = parsed;
    return true;
}

/* The source's settings are the owner's, the P1MB's rules, and what is staged. */
static struct modbus_source_settings source_settings(const struct rtu_bus_settings *settings,
                                                     const struct register_device *device)
{
    struct modbus_source_settings source = settings->source;
    source.vendor = source.writes = source.zero_before_first = true;
    if (device)
        memcpy(source.device.setting, device->setting, sizeof source.device.setting);
    return source;
}

bool rtu_bus_set(struct rtu_bus *m, const struct rtu_bus_settings *settings)
{
    const struct p1mb_settings staged = p1mb_staged(device_of(m));
    const struct modbus_source_settings source = source_settings(settings, device_of(m));
    if (!modbus_source_set(&m->source, &source))
        return false;
    bool same = p1mb_settings_equal(&settings->bus, &m->settings.bus) ||
                p1mb_settings_equal(&settings->bus, &staged);
    m->settings.bus = settings->bus;
    if (same)
        return true;
    p1mb_stage(&settings->bus, device_of(m));
    rtu_bus_reboot(m);
    return true;
}

struct rtu_bus *rtu_bus_open(struct loop *l, struct meter *meter,
                             const struct rtu_bus_settings *settings, struct rtu_bus_owner *owner,
                             char problem[static RTU_PROBLEM_MAX])
{
    struct rtu_bus *m = heap_new(sizeof *m);
    snprintf(problem, RTU_PROBLEM_MAX, "out of memory");
    if (!m)
        return NULL;
    *m = (struct rtu_bus){.loop = l,
                          .meter = meter,
                          .settings = *settings,
                          .owner = owner,
                          .watch = {.fd = -1},
                          .alarm = {.ready = on_alarm},
                          .retry = {.expired = on_retry},
                          .tick = {.expired = on_tick},
                          .active = settings->bus,
                          .reported = settings->bus,
                          .events = {P1MB_NEVER, P1MB_NEVER, P1MB_NEVER, P1MB_NEVER}};
    struct modbus_source_settings source = source_settings(settings, NULL);
    p1mb_stage(&settings->bus, &source.device);
    m->alarm.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (m->alarm.fd < 0 || loop_watch(l, &m->alarm, EPOLLIN) < 0)
        snprintf(problem, RTU_PROBLEM_MAX, "%s", strerror(errno));
    else if (!modbus_source_open(&m->source, l, meter, &source))
        snprintf(problem, RTU_PROBLEM_MAX, "map %s does not fit the image",
                 settings->source.map->name);
    else
        problem[0] = 0;
    if (problem[0]) {
        rtu_bus_close(m);
        return NULL;
    }
    const struct rtu_slave_settings line = slave_settings(m);
    rtu_slave_init(&m->slave, &line, modbus_source_bank(&m->source));
    on_tick(&m->tick);
    open_port(m);
    return m;
}

void rtu_bus_close(struct rtu_bus *m)
{
    if (!m)
        return;
    loop_cancel_timer(m->loop, &m->retry);
    loop_cancel_timer(m->loop, &m->tick);
    if (m->watch.fd >= 0)
        loop_watch(m->loop, &m->watch, 0);
    serial_port_close(m->watch.fd);
    if (m->alarm.fd >= 0) {
        loop_watch(m->loop, &m->alarm, 0);
        close(m->alarm.fd);
    }
    modbus_source_close(&m->source);
    free(m);
}
