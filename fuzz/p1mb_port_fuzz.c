/* Bytes at a P1MB's P1 port, with pauses between them: the same happens whether they come one by one or at once, what
 * is done and answered is what the frame asks for whose last byte came last, and no session stays open that nobody is
 * in.
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
    uint32_t happened; /* a digest, answers apart: of several frames at once the last is answered */
    size_t foreign;
    bool at_once;
    uint8_t last[P1MB_FRAME_MAX]; /* bytes heard */
    size_t last_n;
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

/* The eight bytes of a setup. */
static void put_setup(const struct p1mb_setup *setup, uint8_t out[static P1MB_SETUP_BYTES])
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(setup->bus.baud >> 8 * i);
    out[4] = setup->bus.address;
    out[5] = setup->bus.even_parity;
    out[6] = setup->bus.termination;
    out[7] = setup->map;
}

static bool owner_write(struct p1mb_port_owner *owner, const struct p1mb_setup *setup)
{
    struct device *d = (struct device *)owner;
    uint8_t bytes[P1MB_SETUP_BYTES];
    note(owner, 'w');
    demand(p1mb_settings_are_good(&setup->bus) && setup->map < MAPS);
    put_setup(setup, bytes);
    d->happened = digest(d->happened, bytes, sizeof bytes);
    d->kept = *setup;
    return setup->bus.termination;
}

static void owner_reboot(struct p1mb_port_owner *owner)
{
    note(owner, 'b');
}

/* --- what is to be answered, by the table of docs/protocols.md --------------------------------------------------- */

static uint8_t judge_setup(const uint8_t *setup)
{
    static const uint32_t bauds[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};
    uint32_t baud = setup[0] | setup[1] * 256u | setup[2] * 65536u | setup[3] * 16777216u;
    bool is_known = false;
    for (size_t i = 0; i < sizeof bauds / sizeof bauds[0]; i++)
        is_known = is_known || bauds[i] == baud;
    return !is_known                               ? P1MB_BAD_BAUD
           : setup[4] == 0 || setup[4] > 247       ? P1MB_BAD_ADDRESS
           : setup[5] > 1                          ? P1MB_BAD_LINE
           : setup[6] > 1                          ? P1MB_BAD_TERMINATION
           : setup[7] >= MAPS                      ? P1MB_BAD_MAP
           : setup[6] == 0 /* see owner_write() */ ? P1MB_NOT_KEPT
                                                   : P1MB_DONE;
}

static uint8_t judge(const uint8_t *frame)
{
    if (frame[1] != 1)
        return P1MB_BAD_VERSION;
    if (frame[2] < 1 || frame[2] > 5)
        return P1MB_UNKNOWN_COMMAND;
    if (frame[3] != (frame[2] == P1MB_WRITE ? P1MB_SETUP_BYTES : 0))
        return P1MB_BAD_LENGTH;
    return frame[2] == P1MB_WRITE ? judge_setup(frame + 4) : P1MB_DONE;
}

/* An answer's payload behind the status; its length. */
static size_t expect(const struct device *d, const uint8_t *frame, uint8_t *out)
{
    static const char identity[] = "\0\0\0\0P1MB\0fuzz\0001\0Maker-Model\0Maker-Model\0Maker-Model";
    if (frame[2] == P1MB_IDENTIFY) {
        memcpy(out, identity, sizeof identity);
        return sizeof identity;
    }
    if (frame[2] != P1MB_READ)
        return 0;
    put_setup(&d->kept, out);
    put_setup(&d->kept, out + P1MB_SETUP_BYTES);
    return 2 * P1MB_SETUP_BYTES;
}

/* The frame with this command that ends with the last byte heard; there is one. */
static const uint8_t *find_frame(const struct device *d, uint8_t command)
{
    for (size_t n = P1MB_HEAD_BYTES + 2; n <= d->last_n; n++) {
        const uint8_t *frame = d->last + d->last_n - n;
        if (frame[0] == CONFIGURATION_START && frame[2] == command &&
            frame[3] == n - P1MB_HEAD_BYTES - 2 && ends_with_crc(frame + 1, n - 1))
            return frame;
    }
    abort();
}

static void check_answer(struct device *d)
{
    uint8_t payload[P1MB_PAYLOAD_MAX];
    size_t n, more = 0;
    const uint8_t *answer = p1mb_port_answer(&d->port, &n);
    if (!answer)
        return;
    demand(n >= P1MB_HEAD_BYTES + 3 && n <= P1MB_FRAME_MAX && ends_with_crc(answer + 1, n - 1));
    demand(answer[0] == CONFIGURATION_START && answer[1] == 1 && answer[2] & P1MB_ANSWER);
    demand(answer[3] == n - P1MB_HEAD_BYTES - 2 && answer[4] < P1MB_STATUS_N);
    if (d->at_once)
        return;
    const uint8_t *frame = find_frame(d, answer[2] & 0x7F);
    payload[0] = judge(frame);
    if (payload[0] == P1MB_DONE)
        more = expect(d, frame, payload + 1);
    demand(answer[3] == 1 + more && memcmp(answer + 4, payload, 1 + more) == 0);
    if (frame[2] == P1MB_WRITE && (payload[0] == P1MB_DONE || payload[0] == P1MB_NOT_KEPT)) {
        put_setup(&d->kept, payload);
        demand(memcmp(payload, frame + 4, P1MB_SETUP_BYTES) == 0);
    }
}

static void remember(struct device *d, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (d->last_n == sizeof d->last)
            memmove(d->last, d->last + 1, --d->last_n);
        d->last[d->last_n++] = bytes[i];
    }
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
    remember(d, bytes, n);
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
                                   .reboot = owner_reboot},
                         .at_once = at_once};
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
