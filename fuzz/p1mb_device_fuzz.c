/* A whole P1MB: bytes at both of its ports, errors of the line and pauses, on a memory that may fail.  Every answer is
 * a good frame, lights and settings are possible ones, and what the bus runs with changes at a start only.
 *
 *   map and memory 1 | { what 1, n 1, n bytes } ...     what: 2 bits for the port or a start, 6 for the pause before
 *
 * The highest bit of the first byte lets the memory fail, the next one asks for right CRCs.
 */
#include "core/p1mb_device.h"

#include "pieces.h"

enum { MEMORY_FAILS = 0x80, CRCS_ARE_RIGHT = 0x40 };
enum { SECTOR_BYTES = 64, PAUSE_US = 40000, LONG_PAUSE_US = 36000000, LONGEST = 63, CHAR_US = 87 };

enum what { TO_P1, TO_BUS, LINE_ERROR, START };

static struct p1mb_device device;
static int64_t now_us;
static uint8_t memory[FLASH_SECTORS][SECTOR_BYTES];
static bool memory_fails;

static const uint8_t *sector_of(const struct flash *f, unsigned sector)
{
    (void)f;
    return memory[sector];
}

static bool erase(const struct flash *f, unsigned sector)
{
    (void)f;
    if (!memory_fails)
        memset(memory[sector], 0xFF, SECTOR_BYTES);
    return !memory_fails;
}

static bool program(const struct flash *f, unsigned sector, uint32_t offset, const uint8_t *bytes,
                    uint32_t n)
{
    (void)f;
    demand(sector < FLASH_SECTORS && offset + n <= SECTOR_BYTES);
    for (uint32_t i = 0; i < n && !memory_fails; i++) {
        demand(memory[sector][offset + i] == 0xFF);
        memory[sector][offset + i] = bytes[i];
    }
    return !memory_fails;
}

static const struct flash flash = {.sector_bytes = SECTOR_BYTES,
                                   .unit_bytes = 1,
                                   .sector = sector_of,
                                   .erase = erase,
                                   .program = program};

static void check_answers(const uint8_t *answer, size_t n)
{
    if (answer) {
        demand(n >= 5 && n <= RTU_ADU_MAX && answer[0] == device.active.bus.address);
        demand(ends_with_crc(answer, n));
    }
    answer = p1mb_device_p1_answer(&device, &n);
    if (answer)
        demand(n >= 7 && n <= P1MB_FRAME_MAX && ends_with_crc(answer + 1, n - 1));
}

static void poll(void)
{
    size_t n;
    const uint8_t *answer = p1mb_device_poll(&device, now_us, &n);
    check_answers(answer, n);
    const struct p1mb_leds leds = p1mb_device_leds(&device, now_us / 1000);
    demand(!p1mb_device_is_due_within(&device, now_us, 0));
    (void)p1mb_device_wants_reboot(&device);
    demand(leds.pwr == LIGHT_ON && leds.p1 <= LIGHT_BLINKING && leds.rs485 <= LIGHT_BLINKING);
}

static void pass(int64_t us)
{
    int64_t end_us = now_us + us, due_us;
    for (int polls = 0; (due_us = rtu_slave_due_us(&device.slave)) <= end_us; polls++) {
        demand(polls < 8);
        now_us = due_us > now_us ? due_us : now_us;
        poll();
    }
    now_us = end_us;
    poll();
}

static void start(void)
{
    static const struct p1mb_identity identity = {
        .board = "fuzz", .serial = "1", .firmware = 0x010203};
    p1mb_device_init(&device, &identity, &flash, now_us);
    demand(p1mb_settings_are_good(&device.active.bus) && device.active.map < P1MB_MAPS);
}

static void hear(enum what what, const uint8_t *bytes, size_t n)
{
    pass((int64_t)n * CHAR_US);
    if (what == TO_P1)
        p1mb_device_hear_p1(&device, bytes, n, now_us);
    else if (what == TO_BUS)
        p1mb_device_hear_bus(&device, bytes, n, now_us);
    else if (what == LINE_ERROR)
        p1mb_device_bus_error(&device, now_us);
    else
        start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const struct p1mb_setup first = {.bus = p1mb_defaults(), .map = data[0] % P1MB_MAPS};
    memset(memory, 0, sizeof memory);
    memory_fails = false;
    demand(p1mb_store_save(&flash, &first));
    memory_fails = data[0] & MEMORY_FAILS;
    now_us = 1000000;
    start();
    data = pieces_copy(data + 1, size - 1, data[0] & CRCS_ARE_RIGHT);
    for (size--; size >= 2;) {
        size_t n = data[1] < size - 2 ? data[1] : size - 2;
        unsigned pause = data[0] >> 2;
        const struct p1mb_setup active = device.active;
        pass(pause == LONGEST ? LONG_PAUSE_US : pause * PAUSE_US);
        demand(p1mb_setup_equal(&active, &device.active));
        hear((enum what)(data[0] & 3), data + 2, n);
        data += 2 + n;
        size -= 2 + n;
    }
    pass(1000000);
    return 0;
}
