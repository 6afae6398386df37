/* A whole P1MB: bytes at both of its ports, errors of the line and pauses, on a memory that may fail.  Every answer is
 * a good frame, lights and settings are possible ones, what the bus runs with changes at a start only, and what a meter
 * measured stands in its telegram.
 *
 *   map and memory 1 | { what 1, n 1, n bytes } ...     what: 2 bits for the port or a start, 6 for the pause before
 *
 * The highest bit of the first byte lets the memory fail, the next one asks for right CRCs.
 */
#include "core/p1mb_device.h"

#include "p1_model.h"
#include "pieces.h"

enum { MEMORY_FAILS = 0x80, CRCS_ARE_RIGHT = 0x40 };
enum { SECTOR_BYTES = 64, PAUSE_US = 40000, LONG_PAUSE_US = 36000000, LONGEST = 63, CHAR_US = 87 };

enum what { TO_P1, TO_BUS, LINE_ERROR, START };

static struct p1mb_device device;
static int64_t now_us;
static uint8_t memory[FLASH_SECTORS][SECTOR_BYTES];
static bool memory_fails;

static uint8_t heard[INPUT_MAX]; /* from the meter, behind the last telegram but its last byte */
static size_t heard_n;
static int64_t heard_ms;

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
    heard_n = 0;
    heard_ms = now_us / 1000;
    demand(p1mb_settings_are_good(&device.active.bus) && device.active.map < P1MB_MAPS);
}

/* Of the quantities that no other is made of if it lacks. */
static void demand_measured(void)
{
    static const struct {
        enum quantity first;
        int neighbours;
    } rows[] = {{Q_METER_VOLTAGE_L1, 3}, {Q_METER_CURRENT_L1, 3}, {Q_ENERGY_IMPORT_T1, 4},
                {Q_ENERGY_EXPORT_T1, 4}, {Q_FREQUENCY, 1},        {Q_DEMAND_QUARTER, 1}};
    static struct model_telegram t;
    const uint8_t *telegram = model_find(heard, heard + heard_n);
    size_t n = (size_t)(heard + heard_n - telegram);
    model_scan(&t, (const char *)telegram, n);
    demand_whole(&t, telegram, n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (int k = 0; k < rows[i].neighbours; k++) {
            enum quantity q = quantity_nth(rows[i].first, k);
            demand(!reading_has(&device.reading, q) || model_says(&t, q, device.reading.value[q]));
        }
}

/* One byte, which is a meter's unless a session is open. */
static void hear_p1(uint8_t byte)
{
    const struct p1_stats before = device.p1.stats;
    bool is_foreign = !device.port.open;
    if (now_us / 1000 - heard_ms > P1_SILENCE_MS)
        heard_n = 0;
    p1mb_device_hear_p1(&device, &byte, 1, now_us);
    if (!is_foreign)
        return;
    heard_ms = now_us / 1000;
    heard[heard_n++] = byte;
    const struct p1_stats *now = &device.p1.stats;
    if (now->telegrams_ok != before.telegrams_ok)
        demand_measured();
    if (now->telegrams_ok != before.telegrams_ok ||
        now->telegrams_bad_crc != before.telegrams_bad_crc ||
        now->telegrams_bad_frame != before.telegrams_bad_frame) {
        heard[0] = byte;
        heard_n = 1;
    }
}

static void hear(enum what what, const uint8_t *bytes, size_t n)
{
    pass((int64_t)n * CHAR_US);
    for (size_t i = 0; what == TO_P1 && i < n; i++)
        hear_p1(bytes[i]);
    if (what == TO_BUS)
        p1mb_device_hear_bus(&device, bytes, n, now_us);
    else if (what == LINE_ERROR)
        p1mb_device_bus_error(&device, now_us);
    else if (what == START)
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
