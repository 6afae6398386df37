#include "device.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    ATTEMPTS = 3,
    REBOOT_TIMEOUTS = 15, /* more than a reboot takes */
    REBOOT_ASK_MS = 250,  /* the first questions are lost */
    LEAVE_MS = 500,
    PAUSE_MS = 100
};

static const char product[] = "P1MB";

static bool fail(struct device *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct device *d, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = snprintf(d->problem, sizeof d->problem, "%s: ", d->path);
    if (n >= 0 && n < (int)sizeof d->problem)
        vsnprintf(d->problem + n, sizeof d->problem - (size_t)n, format, arguments);
    va_end(arguments);
    return false;
}

/* --- questions and answers -------------------------------------------------------------------- */

static void note(struct device *d, uint8_t byte)
{
    d->heard++;
    d->heard_text &= (byte >= 0x20 && byte < 0x7F) || byte == '\r' || byte == '\n';
}

static bool fail_to_read(struct device *d)
{
    return fail(d, port_is_interrupted() ? "interrupted" : "the port is gone");
}

static bool hear_answer(struct device *d, uint8_t command, int64_t until_ms)
{
    uint8_t bytes[64];
    int n;
    while ((n = port_read(d->port, bytes, sizeof bytes, until_ms)) > 0)
        for (int i = 0; i < n; i++) {
            note(d, bytes[i]);
            if (p1mb_framing_take(&d->framing, bytes[i], port_now_ms()) && d->framing.length &&
                d->framing.command == (command | P1MB_ANSWER))
                return true;
        }
    return n < 0 && fail_to_read(d);
}

/* Every question has the key before it, which opens a session that timed out, and clears one of half a frame. */
static bool say(struct device *d, uint8_t command, const uint8_t *payload, size_t n)
{
    uint8_t bytes[P1MB_KEY_BYTES + P1MB_FRAME_MAX];
    memcpy(bytes, p1mb_key, P1MB_KEY_BYTES);
    n = P1MB_KEY_BYTES + p1mb_frame(command, payload, n, bytes + P1MB_KEY_BYTES);
    memset(&d->framing, 0, sizeof d->framing);
    return port_ask(d->port, bytes, n) || fail(d, "the port is gone");
}

static bool explain_silence(struct device *d)
{
    if (d->heard == 0)
        return fail(
            d, "no answer. Is it the right port (`p1mb-config ports`)? Does the cable lead to a "
               "P1MB that has power, and is the meter unplugged from it?");
    if (d->heard_text)
        return fail(
            d, "a meter's telegrams come from there: this is the cable of a meter, not of a P1MB");
    return fail(d, "something answers, but not as a P1MB does");
}

/* What the device says of the last question. */
static bool is_done(struct device *d)
{
    static const char *const refusals[P1MB_STATUS_N] = {
        [P1MB_UNKNOWN_COMMAND] =
            "it does not know the command; is its firmware older than this program?",
        [P1MB_BAD_LENGTH] = "it finds the command of a wrong length",
        [P1MB_BAD_BAUD] = "it refuses the baud rate; nothing was changed",
        [P1MB_BAD_ADDRESS] = "it refuses the address; nothing was changed",
        [P1MB_BAD_LINE] = "it refuses the line settings; nothing was changed",
        [P1MB_BAD_TERMINATION] = "it refuses the termination; nothing was changed",
        [P1MB_BAD_MAP] = "it refuses the register map; nothing was changed",
        [P1MB_NOT_KEPT] = "its memory failed; the old settings count still",
    };
    uint8_t status = d->framing.payload[0];
    if (status == P1MB_BAD_VERSION || d->framing.version != P1MB_VERSION)
        return fail(d,
                    "it speaks version %u of the protocol, this program version %u; take the "
                    "p1mb-config that came with its firmware",
                    d->framing.version, P1MB_VERSION);
    if (status == P1MB_DONE)
        return true;
    return fail(d, "%s",
                status < P1MB_STATUS_N ? refusals[status] : "it answers with an unknown status");
}

/* Asks, and asks again while there is no answer. */
static bool ask(struct device *d, uint8_t command, const uint8_t *payload, size_t n)
{
    d->heard = 0;
    d->heard_text = true;
    d->problem[0] = 0;
    for (unsigned i = 0; i < d->attempts; i++) {
        if (!say(d, command, payload, n))
            return false;
        d->answered = hear_answer(d, command, port_now_ms() + d->timeout_ms);
        if (d->answered)
            return is_done(d);
        if (d->problem[0])
            return false;
    }
    return explain_silence(d);
}

/* --- what is asked ---------------------------------------------------------------------------- */

static bool ask_facts(struct device *d)
{
    if (!ask(d, P1MB_IDENTIFY, NULL, 0))
        return false;
    if (!facts_get(d->framing.payload + 1, d->framing.length - 1u, &d->facts))
        return fail(d, "what it says of itself makes no sense");
    if (strcmp(facts_text(&d->facts, FACTS_PRODUCT), product) != 0)
        return fail(d, "this is no P1MB but a %s", facts_text(&d->facts, FACTS_PRODUCT));
    return true;
}

static bool ask_setups(struct device *d)
{
    const uint8_t *setups = d->framing.payload + 1;
    if (!ask(d, P1MB_READ, NULL, 0))
        return false;
    if (d->framing.length != 1 + 2 * P1MB_SETUP_BYTES ||
        p1mb_setup_get(setups, d->facts.maps, &d->active) != P1MB_DONE ||
        p1mb_setup_get(setups + P1MB_SETUP_BYTES, d->facts.maps, &d->next) != P1MB_DONE)
        return fail(d, "the settings it tells make no sense");
    return true;
}

bool device_open(struct device *d, const char *path, int timeout_ms)
{
    char problem[PORT_PROBLEM_MAX];
    *d = (struct device){.path = path, .timeout_ms = timeout_ms, .attempts = ATTEMPTS};
    d->port = port_open(path, problem);
    if (d->port < 0)
        return fail(d, "%s", problem);
    return ask_facts(d) && ask_setups(d);
}

static bool comes_back_with(struct device *d, const struct p1mb_setup *wanted, int64_t end_ms)
{
    uint8_t unwanted[64];
    do {
        if (port_read(d->port, unwanted, sizeof unwanted, port_now_ms() + PAUSE_MS) < 0)
            return fail_to_read(d);
        if (ask_setups(d) && p1mb_setup_equal(&d->active, wanted))
            return true;
    } while (port_now_ms() < end_ms);
    if (d->answered)
        return fail(
            d, "it runs with other settings after the reboot than were written; read them again");
    return fail(
        d, "it was told to reboot, and does not answer since; look at its power, then read again");
}

bool device_reboot(struct device *d)
{
    const struct p1mb_setup wanted = d->next;
    const int timeout_ms = d->timeout_ms;
    if (!ask(d, P1MB_REBOOT, NULL, 0))
        return false;
    d->attempts = 1;
    d->timeout_ms = timeout_ms < REBOOT_ASK_MS ? timeout_ms : REBOOT_ASK_MS;
    bool done = comes_back_with(d, &wanted, port_now_ms() + (int64_t)REBOOT_TIMEOUTS * timeout_ms);
    d->attempts = ATTEMPTS;
    d->timeout_ms = timeout_ms;
    return done;
}

static bool write_setup(struct device *d, const struct p1mb_setup *wanted)
{
    uint8_t payload[P1MB_SETUP_BYTES];
    p1mb_setup_put(wanted, payload);
    if (!ask(d, P1MB_WRITE, payload, sizeof payload) || !ask_setups(d))
        return false;
    if (!p1mb_setup_equal(&d->next, wanted))
        return fail(d, "what it kept is not what was written; read it, and write again");
    return true;
}

enum device_update device_update(struct device *d, const struct p1mb_setup *wanted, bool reboot)
{
    bool is_kept = p1mb_setup_equal(&d->next, wanted);
    if (is_kept && (!reboot || p1mb_setup_equal(&d->active, wanted)))
        return UPDATE_NOTHING;
    if (!is_kept && !write_setup(d, wanted))
        return UPDATE_FAILED;
    if (!reboot)
        return UPDATE_WRITTEN;
    return device_reboot(d) ? UPDATE_ACTIVE : UPDATE_FAILED;
}

void device_close(struct device *d)
{
    char problem[DEVICE_PROBLEM_MAX];
    if (d->port < 0)
        return;
    memcpy(problem, d->problem, sizeof problem);
    port_go_on();
    if (say(d, P1MB_LEAVE, NULL, 0))
        (void)hear_answer(d, P1MB_LEAVE, port_now_ms() + (d->answered ? LEAVE_MS : 0));
    port_close(d->port);
    d->port = -1;
    memcpy(d->problem, problem, sizeof problem);
}
