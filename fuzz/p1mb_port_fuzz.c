/* Bytes at a P1MB's P1 port, with pauses between them: the same happens whether they come one by one or at once, every
 * answer is a good frame, no setup is kept that is not good, and no session stays open that nobody is in.
 *
 *   { pause 1, n 1, n bytes } ...     pause: in 300 ms; the highest bit of the first asks for right CRCs
 */
#include "core/p1mb_port.h"

#include "pieces.h"

enum { PAUSE_MS = 300, MAPS = 3 }; /* a frame does not go on behind a pause */

struct device {
    struct p1mb_port_owner owner;
    struct p1mb_port port;
    struct p1mb_setup kept;
    int64_t now_ms, heard_ms; /* now; of the last byte that a frame begins or a key ends with */
    uint32_t happened;        /* a digest */
    size_t foreign;
};

static const char *map_name(uint8_t i)
{
    demand(i < MAPS);
    return "Maker-Model";
}

static void note(struct p1mb_port_owner *owner, char what)
{
    struct device *d = (struct device *)owner;
    d->happened = digest(d->happened, &what, 1);
    d->happened = digest(d->happened, &d->now_ms, sizeof d->now_ms);
}

static void owner_read(struct p1mb_port_owner *owner, struct p1mb_setup out[static 2])
{
    note(owner, 'r');
    out[0] = out[1] = ((struct device *)owner)->kept;
}

static bool owner_write(struct p1mb_port_owner *owner, const struct p1mb_setup *setup)
{
    note(owner, 'w');
    demand(p1mb_settings_are_good(&setup->bus) && setup->map < MAPS);
    ((struct device *)owner)->kept = *setup;
    return setup->bus.termination;
}

static void owner_reboot(struct p1mb_port_owner *owner)
{
    note(owner, 'b');
}

static void check_answer(struct device *d)
{
    struct p1mb_framing framing = {0};
    size_t n;
    const uint8_t *answer = p1mb_port_answer(&d->port, &n);
    if (!answer)
        return;
    demand(n <= P1MB_FRAME_MAX);
    for (size_t i = 0; i < n; i++)
        demand(p1mb_framing_take(&framing, answer[i], 0) == (i + 1 == n));
    demand(framing.command & P1MB_ANSWER && framing.length && framing.payload[0] < P1MB_STATUS_N);
}

/* Without frames and keys it is over in a minute, whatever else comes. */
static void check_session(struct device *d, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] == CONFIGURATION_START || bytes[i] == p1mb_key[P1MB_KEY_BYTES - 1])
            d->heard_ms = d->now_ms;
    demand(!d->port.open || d->now_ms - d->heard_ms < P1MB_SESSION_MS);
}

static void hear(struct device *d, const uint8_t *bytes, size_t n)
{
    size_t foreign = p1mb_port_take(&d->port, bytes, n, d->now_ms);
    demand(foreign <= n);
    d->foreign += foreign;
    check_answer(d);
    check_session(d, bytes, n);
}

static void run(struct device *d, bool at_once, const uint8_t *data, size_t size)
{
    *d = (struct device){.owner = {.product = "P1MB",
                                   .board = "fuzz",
                                   .serial = "1",
                                   .map_name = map_name,
                                   .maps = MAPS,
                                   .read = owner_read,
                                   .write = owner_write,
                                   .reboot = owner_reboot}};
    p1mb_port_init(&d->port, &d->owner);
    while (size > 2) {
        size_t n = data[1] < size - 2 ? data[1] : size - 2;
        d->now_ms += (int64_t)(data[0] & 0x7F) * PAUSE_MS;
        for (size_t at = 0; at < n; at += at_once ? n : 1)
            hear(d, data + 2 + at, at_once ? n : 1);
        data += 2 + n;
        size -= 2 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct device whole, single;
    const uint8_t *pieces = pieces_copy(data, size, size && data[0] & REPAIRS);
    run(&whole, true, pieces, size);
    run(&single, false, pieces, size);
    demand(whole.happened == single.happened && whole.port.open == single.port.open);
    demand(whole.foreign <= single.foreign); /* less where a session was left in mid bytes */
    return 0;
}
