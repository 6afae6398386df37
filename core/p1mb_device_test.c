#include "p1_kit_test.h"

#include "crc16.h"
#include "flash_kit_test.h"
#include "p1mb_device.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    SECTOR_BYTES = 1024,
    P1_BYTE_US = 87, /* 115200 8N1 */
    TICK_US = 5000,  /* so often a board polls, if nothing is due */
    INEPRO = 0,
    ACREL,
    EASTRON,
    XEMEX
};

/* What the telegram says. */
static const char house[] = "1-3:0.2.8(50)\r\n"
                            "0-0:1.0.0(230116120000W)\r\n"
                            "0-0:96.1.1(4530303434303037313331363530363138)\r\n"
                            "1-0:1.8.1(001000.000*kWh)\r\n"
                            "1-0:1.8.2(000234.000*kWh)\r\n"
                            "1-0:2.8.1(000012.000*kWh)\r\n"
                            "1-0:2.8.2(000003.000*kWh)\r\n"
                            "1-0:1.7.0(01.386*kW)\r\n"
                            "1-0:2.7.0(00.000*kW)\r\n"
                            "1-0:32.7.0(230.1*V)\r\n"
                            "1-0:52.7.0(231.2*V)\r\n"
                            "1-0:72.7.0(232.3*V)\r\n"
                            "1-0:31.7.0(001.00*A)\r\n"
                            "1-0:51.7.0(002.00*A)\r\n"
                            "1-0:71.7.0(003.00*A)\r\n"
                            "1-0:21.7.0(00.230*kW)\r\n"
                            "1-0:41.7.0(00.462*kW)\r\n"
                            "1-0:61.7.0(00.694*kW)\r\n"
                            "1-0:22.7.0(00.000*kW)\r\n"
                            "1-0:42.7.0(00.000*kW)\r\n"
                            "1-0:62.7.0(00.000*kW)\r\n";

/* A P1MB on a clock of our own, and what it said last. */
static struct flash_model memory;
static struct p1mb_device device;
static int64_t now_us;
static struct {
    uint8_t bytes[RTU_ADU_MAX];
    size_t n, count; /* count: answers since the start */
} answer;
static struct {
    uint8_t bytes[P1MB_FRAME_MAX];
    size_t n, count;
} p1_answer;

/* --- driving it ------------------------------------------------------------------------------- */

static void poll(void)
{
    size_t n;
    const uint8_t *bytes = p1mb_device_poll(&device, now_us, &n);
    if (bytes) {
        memcpy(answer.bytes, bytes, n);
        answer.n = n;
        answer.count++;
    }
    bytes = p1mb_device_p1_answer(&device, &n);
    if (bytes) {
        memcpy(p1_answer.bytes, bytes, n);
        p1_answer.n = n;
        p1_answer.count++;
    }
}

/* Like a board: it sleeps no longer than a tick, and not over what is due. */
static void pass(int64_t us)
{
    int64_t end_us = now_us + us;
    while (now_us < end_us) {
        int64_t step_us = end_us - now_us < TICK_US ? end_us - now_us : TICK_US;
        while (step_us > 1 && p1mb_device_is_due_within(&device, now_us, step_us - 1))
            step_us /= 2;
        now_us += step_us;
        poll();
    }
}

static void pass_s(int64_t s)
{
    pass(s * 1000000);
}

static void start(void)
{
    static const struct p1mb_identity identity = {
        .board = "model", .serial = "00A1", .firmware = 1 << 16 | 20 << 8 | 255};
    memset(&device, 0xA5, sizeof device);
    p1mb_device_init(&device, &identity, &memory.flash, now_us);
    answer.n = answer.count = p1_answer.n = p1_answer.count = 0;
}

/* A device that was never used. */
static int set_up(void **unused)
{
    (void)unused;
    now_us = INT64_C(1000000) * 86400;
    flash_model_init(&memory, SECTOR_BYTES, 8, 1);
    start();
    return 0;
}

static void hear_p1_of(const void *bytes, size_t n, size_t chunk)
{
    for (size_t at = 0; at < n; at += chunk) {
        size_t piece = n - at < chunk ? n - at : chunk;
        pass(P1_BYTE_US * (int64_t)piece);
        p1mb_device_hear_p1(&device, (const uint8_t *)bytes + at, piece, now_us);
        poll();
    }
}

static void hear_p1(const void *bytes, size_t n)
{
    hear_p1_of(bytes, n, 1);
}

static void hear_house(void)
{
    const struct bytes *t = telegram(house);
    hear_p1(t->p, t->n);
}

static void hear_bus(const uint8_t *bytes, size_t n)
{
    const struct p1mb_settings *bus = &device.active.bus;
    for (size_t i = 0; i < n; i++) {
        pass(rtu_characters_us(bus->baud, bus->even_parity, 1));
        p1mb_device_hear_bus(&device, bytes + i, 1, now_us);
    }
}

/* Says a frame on the bus and waits; true if it was answered. */
static bool ask(const uint8_t *pdu, size_t n, uint8_t unit)
{
    uint8_t adu[RTU_ADU_MAX];
    size_t before = answer.count;
    adu[0] = unit;
    memcpy(adu + 1, pdu, n);
    uint16_t crc = crc16_update(CRC16_MODBUS_INIT, adu, n + 1);
    adu[n + 1] = (uint8_t)crc;
    adu[n + 2] = (uint8_t)(crc >> 8);
    hear_bus(adu, n + 3);
    pass(60000);
    if (answer.count == before)
        return false;
    assert_int_equal(answer.count, before + 1);
    assert_int_equal(answer.bytes[0], unit);
    assert_int_equal(crc16_update(CRC16_MODBUS_INIT, answer.bytes, answer.n), 0);
    return true;
}

/* --- what is read and written ----------------------------------------------------------------- */

/* The bytes of `count` registers; NULL: an exception. */
static const uint8_t *read_registers(uint8_t function, unsigned address, unsigned count)
{
    const uint8_t pdu[] = {function, (uint8_t)(address >> 8), (uint8_t)address, 0, (uint8_t)count};
    assert_true(ask(pdu, sizeof pdu, device.active.bus.address));
    if (answer.bytes[1] != function)
        return NULL;
    assert_int_equal(answer.bytes[2], 2 * count);
    return answer.bytes + 3;
}

static uint32_t number_at(uint8_t function, unsigned address, unsigned count)
{
    const uint8_t *p = read_registers(function, address, count);
    uint32_t number = 0;
    assert_non_null(p);
    for (unsigned i = 0; i < 2 * count; i++)
        number = number << 8 | p[i];
    return number;
}

static uint16_t word_at(unsigned address)
{
    return (uint16_t)number_at(3, address, 1);
}

static void assert_float(uint8_t function, unsigned address, double expected)
{
    uint32_t bits = number_at(function, address, 2);
    float f;
    memcpy(&f, &bits, sizeof f);
    assert_float_equal(f, expected, 0.0001);
}

static bool write_word(unsigned address, unsigned value)
{
    const uint8_t pdu[] = {6, (uint8_t)(address >> 8), (uint8_t)address, (uint8_t)(value >> 8),
                           (uint8_t)value};
    assert_true(ask(pdu, sizeof pdu, device.active.bus.address));
    return answer.bytes[1] == 6;
}

enum { TOTAL_POWER = 0x0034, VOLTAGE_L1 = 0x0000 }; /* of the SDM630 */
enum {
    VENDOR_ADDRESS = 0xFE01,
    VENDOR_BAUD_LOW,
    VENDOR_BAUD_HIGH,
    VENDOR_LINE,
    VENDOR_TERMINATION,
    VENDOR_STATUS,
    VENDOR_AGE,
    VENDOR_REBOOT = 0xFE0F
};

static void assert_refused(unsigned address, unsigned exception)
{
    assert_null(read_registers(4, address, 2));
    assert_int_equal(answer.bytes[1], 0x84);
    assert_int_equal(answer.bytes[2], exception);
}

static void assert_leds(enum p1mb_light p1, enum p1mb_light rs485)
{
    const struct p1mb_leds leds = p1mb_device_leds(&device, now_us / 1000);
    assert_int_equal(leds.pwr, LIGHT_ON);
    assert_int_equal(leds.p1, p1);
    assert_int_equal(leds.rs485, rs485);
}

static void start_with(uint8_t map)
{
    const struct p1mb_setup setup = {.bus = p1mb_defaults(), .map = map};
    assert_true(p1mb_store_save(&memory.flash, &setup));
    start();
    assert_int_equal(device.active.map, map);
}

/* --- telegrams -------------------------------------------------------------------------------- */

static void the_order_of_the_maps_never_changes(void **unused)
{
    (void)unused;
    static const char *const names[P1MB_MAPS] = {"Inepro-PRO380", "Acrel-ACR10RH", "Eastron-SDM630",
                                                 "Xemex"};
    for (uint8_t i = 0; i < P1MB_MAPS; i++)
        assert_string_equal(register_map_at(i)->name, names[i]);
    assert_int_equal(device.active.map, EASTRON);
    assert_int_equal(device.active.bus.address, 16);
    assert_int_equal(device.active.bus.baud, 9600);
    assert_true(device.active.bus.even_parity);
}

static void an_eastron_shows_the_telegram(void **unused)
{
    (void)unused;
    start_with(EASTRON);
    hear_house();
    assert_float(4, VOLTAGE_L1, 230.1);
    assert_float(4, 0x0002, 231.2);
    assert_float(4, 0x0004, 232.3);
    assert_float(4, 0x0006, 1);
    assert_float(4, 0x000A, 3);
    assert_float(4, 0x0010, 694);
    assert_float(4, TOTAL_POWER, 1386);
    assert_float(4, 0x0048, 1234);
    assert_float(4, 0x004A, 15);
    assert_float(4, 0x0046, 0); /* a frequency is in no telegram */
    assert_float(3, 0x0014, 16);
}

static void an_inepro_shows_the_telegram(void **unused)
{
    (void)unused;
    start_with(INEPRO);
    hear_house();
    for (uint8_t function = 3; function <= 4; function++) {
        assert_float(function, 0x5002, 230.1);
        assert_float(function, 0x500E, 2);
        assert_float(function, 0x5012, 1.386);
        assert_float(function, 0x6000, 1234);
        assert_float(function, 0x6018, 15);
    }
}

static void an_acrel_shows_the_telegram(void **unused)
{
    (void)unused;
    start_with(ACREL);
    hear_house();
    assert_int_equal(word_at(0), 16);
    assert_int_equal(word_at(243), 2301);
    assert_int_equal(word_at(251), 30);
    assert_int_equal(number_at(3, 259, 2), 1386);
    assert_int_equal(number_at(4, 365, 2), 1234);
}

static void a_xemex_shows_the_telegram(void **unused)
{
    (void)unused;
    start_with(XEMEX);
    hear_house();
    assert_int_equal(word_at(0x4002), 20802);
    assert_float(4, 0x500C, 1);
    assert_float(4, 0x5010, 3);
    assert_float(3, 0x5012, 1.386);
}

static void every_map_has_the_vendor_block(void **unused)
{
    (void)unused;
    for (uint8_t map = 0; map < P1MB_MAPS; map++) {
        start_with(map);
        assert_int_equal(word_at(0xFE00), 0x5343);
        assert_int_equal(word_at(VENDOR_ADDRESS), 16);
        assert_int_equal(word_at(VENDOR_BAUD_LOW), 9600);
        assert_int_equal(word_at(VENDOR_BAUD_HIGH), 0);
        assert_int_equal(word_at(VENDOR_LINE), 1);
        assert_int_equal(word_at(VENDOR_TERMINATION), 0);
        assert_int_equal(number_at(3, 0xFE08, 2), 0x0114FF);
        assert_int_equal(word_at(VENDOR_REBOOT), 0);
    }
}

/* Cut at every length, then whole; values stay those of the last good one. */
static void half_a_telegram_changes_nothing(void **unused)
{
    (void)unused;
    struct bytes half;
    hear_house();
    half = *telegram("1-0:1.7.0(09.999*kW)\r\n1-0:32.7.0(999.9*V)\r\n");
    for (size_t n = 1; n < half.n - 2; n++) {
        hear_p1(half.p, n);
        pass_s(6);
        assert_float(4, TOTAL_POWER, 1386);
        assert_float(4, VOLTAGE_L1, 230.1);
        hear_house();
    }
    assert_leds(LIGHT_ON, LIGHT_ON);
}

static void a_damaged_telegram_changes_nothing_and_blinks(void **unused)
{
    (void)unused;
    hear_house();
    assert_leds(LIGHT_ON, LIGHT_OFF);
    const struct bytes *good = telegram(house);
    for (size_t i = 5; i < good->n - 2; i += 7) {
        struct bytes damaged = *good;
        damaged.p[i] ^= 0x01;
        hear_p1(damaged.p, damaged.n);
        pass_s(6);
        assert_float(4, VOLTAGE_L1, 230.1);
        assert_float(4, TOTAL_POWER, 1386);
        assert_leds(LIGHT_BLINKING, LIGHT_ON);
        assert_int_equal(word_at(VENDOR_STATUS), 2);
        good = telegram(house);
        hear_p1(good->p, good->n);
        assert_leds(LIGHT_ON, LIGHT_ON);
        assert_int_equal(word_at(VENDOR_STATUS), 1);
    }
}

static void a_telegram_may_come_in_any_pieces(void **unused)
{
    (void)unused;
    const struct bytes *t = telegram(house);
    for (size_t chunk = 1; chunk <= t->n; chunk += 1 + chunk / 8) {
        start();
        hear_p1_of(t->p, t->n, chunk);
        assert_float(4, TOTAL_POWER, 1386);
    }
}

/* 1 KiB of message, as DSMR 5 allows: four times the buffer for lines. */
static void a_telegram_is_longer_than_the_buffer(void **unused)
{
    (void)unused;
    struct bytes lines = {0};
    append_string(&lines, house);
    append_string(&lines, "0-0:96.13.0(");
    for (int i = 0; i < 1024; i++)
        append_string(&lines, "30");
    append_string(&lines, ")\r\n1-0:2.7.0(00.111*kW)\r\n");
    lines.p[lines.n] = 0;
    const struct bytes *t = telegram((const char *)lines.p);
    hear_p1(t->p, t->n);
    assert_float(4, VOLTAGE_L1, 230.1);
    assert_leds(LIGHT_ON, LIGHT_ON);
}

/* --- silence ---------------------------------------------------------------------------------- */

static void values_are_zero_before_the_first_telegram(void **unused)
{
    (void)unused;
    for (unsigned address = 0; address < 0x180; address += 2)
        assert_int_equal(number_at(4, address, 2), 0);
    assert_int_equal(word_at(VENDOR_STATUS), 0);
    assert_int_equal(word_at(VENDOR_AGE), 65535);
    assert_leds(LIGHT_OFF, LIGHT_ON);
}

static void zeros_end_after_35_seconds(void **unused)
{
    (void)unused;
    pass_s(34);
    assert_int_equal(number_at(4, TOTAL_POWER, 2), 0);
    pass_s(1);
    assert_refused(TOTAL_POWER, MODBUS_TARGET_SILENT);
    assert_float(3, 0x0014, 16); /* the address is no measured value */
    assert_int_equal(word_at(VENDOR_ADDRESS), 16);
    hear_house();
    assert_float(4, TOTAL_POWER, 1386);
}

static void silence_refuses_after_35_seconds(void **unused)
{
    (void)unused;
    hear_house();
    pass_s(34);
    assert_float(4, TOTAL_POWER, 1386);
    assert_int_equal(word_at(VENDOR_AGE), 34);
    pass_s(1);
    assert_refused(TOTAL_POWER, MODBUS_TARGET_SILENT);
    assert_int_equal(word_at(VENDOR_AGE), 35);
    assert_int_equal(word_at(VENDOR_STATUS), 0);
    hear_house();
    assert_float(4, TOTAL_POWER, 1386);
    assert_int_equal(word_at(VENDOR_AGE), 0);
}

static void damage_for_35_seconds_is_no_better_than_silence(void **unused)
{
    (void)unused;
    struct bytes damaged = *telegram(house);
    damaged.p[20] ^= 1;
    hear_house();
    for (int s = 0; s < 36; s++) {
        hear_p1(damaged.p, damaged.n);
        pass_s(1);
    }
    assert_refused(TOTAL_POWER, MODBUS_TARGET_SILENT);
    assert_int_equal(word_at(VENDOR_STATUS), 2);
}

static void the_age_ends_at_65534(void **unused)
{
    (void)unused;
    hear_house();
    now_us += INT64_C(1000000) * 65533;
    poll();
    assert_int_equal(word_at(VENDOR_AGE), 65533);
    now_us += INT64_C(1000000) * 86400 * 365;
    poll();
    assert_int_equal(word_at(VENDOR_AGE), 65534);
    assert_refused(VOLTAGE_L1, MODBUS_TARGET_SILENT);
}

/* Status and age are shown while the next telegram comes, whose half is in the reading already. */
static void values_stay_while_a_telegram_is_coming(void **unused)
{
    (void)unused;
    struct bytes next = *telegram("1-0:1.7.0(09.999*kW)\r\n1-0:32.7.0(999.9*V)\r\n");
    hear_house();
    hear_p1(next.p, next.n - 8);
    pass_s(3);
    assert_int_equal(word_at(VENDOR_AGE), 3);
    assert_float(4, TOTAL_POWER, 1386);
    hear_p1(next.p + next.n - 8, 8);
    assert_float(4, TOTAL_POWER, 9999);
}

static void the_wiring_stays_while_a_telegram_is_coming(void **unused)
{
    (void)unused;
    const struct bytes *t = telegram("1-0:1.8.0(000001.000*kWh)\r\n0-0:1.0.0(230116120000W)\r\n"
                                     "1-0:32.7.0(230.0*V)\r\n1-0:31.7.0(001*A)\r\n");
    assert_float(3, 0x000A, 3);
    hear_p1(t->p, t->n);
    assert_float(3, 0x000A, 1);
    hear_p1(t->p, 20);
    pass_s(3);
    assert_float(3, 0x000A, 1);
}

/* --- the bus ---------------------------------------------------------------------------------- */

static void what_is_not_for_it_is_not_answered(void **unused)
{
    (void)unused;
    static const uint8_t read[] = {4, 0, 0, 0, 2};
    assert_false(ask(read, sizeof read, 17));
    assert_leds(LIGHT_OFF, LIGHT_BLINKING);
    assert_false(ask(read, sizeof read, 0));
    assert_true(ask(read, sizeof read, 16));
    assert_leds(LIGHT_OFF, LIGHT_ON);
    pass_s(11);
    assert_leds(LIGHT_OFF, LIGHT_OFF);
}

static void an_answer_comes_after_the_silence_of_each_line(void **unused)
{
    (void)unused;
    static const uint32_t bauds[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200};
    static const uint8_t read[] = {16, 4, 0, 0, 0, 2, 0x72, 0x8A};
    for (size_t i = 0; i < 2 * COUNT(bauds); i++) {
        struct p1mb_setup setup = {.bus = p1mb_defaults(), .map = EASTRON};
        setup.bus.baud = bauds[i / 2];
        setup.bus.even_parity = i & 1;
        assert_true(p1mb_store_save(&memory.flash, &setup));
        start();
        uint32_t silence_us = rtu_silence_us(setup.bus.baud, setup.bus.even_parity);
        hear_bus(read, sizeof read);
        pass(silence_us - 1);
        assert_int_equal(answer.count, 0);
        pass(1);
        assert_int_equal(answer.count, 1);
        assert_int_equal(answer.n, 9);
    }
}

static void a_line_error_costs_the_frame(void **unused)
{
    (void)unused;
    static const uint8_t read[] = {16, 4, 0, 0, 0, 2, 0x72, 0x8A};
    hear_bus(read, 4);
    pass(1146);
    p1mb_device_bus_error(&device, now_us);
    hear_bus(read + 5, 3);
    pass(60000);
    assert_int_equal(answer.count, 0);
    hear_bus(read, sizeof read);
    pass(60000);
    assert_int_equal(answer.count, 1);
}

/* --- settings a master writes ----------------------------------------------------------------- */

static void what_is_written_is_kept_and_active_after_the_reboot(void **unused)
{
    (void)unused;
    assert_true(write_word(VENDOR_ADDRESS, 42));
    assert_true(write_word(VENDOR_BAUD_LOW, 115200 & 0xFFFF));
    assert_true(write_word(VENDOR_LINE, 0)); /* between the halves */
    assert_true(write_word(VENDOR_BAUD_HIGH, 115200 >> 16));
    assert_true(write_word(VENDOR_TERMINATION, 1));
    assert_int_equal(device.active.bus.address, 16);
    assert_int_equal(word_at(VENDOR_ADDRESS), 42); /* at 16 still, as all of this was */
    assert_false(p1mb_device_wants_reboot(&device));
    start();
    assert_int_equal(device.active.bus.address, 42);
    assert_int_equal(device.active.bus.baud, 115200);
    assert_false(device.active.bus.even_parity);
    assert_true(device.active.bus.termination);
    assert_int_equal(word_at(VENDOR_ADDRESS), 42);
    hear_house();
    assert_float(4, TOTAL_POWER, 1386);
}

static void each_map_takes_its_own_address_register(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t map, pdu[11], n;
    } writes[] = {
        {INEPRO, {6, 0x40, 0x03, 0, 7}, 5},
        {ACREL, {6, 0, 0, 0, 7}, 5},
        {EASTRON, {16, 0, 0x14, 0, 2, 4, 0x40, 0xE0, 0, 0}, 10},
        {XEMEX, {6, 0x40, 0x03, 0, 7}, 5},
    };
    for (size_t i = 0; i < COUNT(writes); i++) {
        start_with(writes[i].map);
        assert_true(ask(writes[i].pdu, writes[i].n, 16));
        assert_int_equal(answer.bytes[1], writes[i].pdu[0]);
        start();
        assert_int_equal(device.active.bus.address, 7);
        assert_int_equal(device.active.map, writes[i].map);
    }
}

static void a_reboot_waits_until_its_answer_has_left(void **unused)
{
    (void)unused;
    static const uint8_t request[] = {16, 6, 0xFE, 0x0F, 0, 1, 0x4A, 0xA0};
    size_t before = answer.count;
    assert_true(write_word(VENDOR_ADDRESS, 42));
    hear_bus(request, sizeof request);
    while (answer.count == before + 1)
        pass(100);
    int64_t left_us = now_us + rtu_characters_us(9600, true, sizeof request);
    while (now_us < left_us - 200) {
        assert_false(p1mb_device_wants_reboot(&device));
        pass(100);
    }
    pass(1000);
    assert_true(p1mb_device_wants_reboot(&device));
    start();
    assert_false(p1mb_device_wants_reboot(&device));
    assert_int_equal(device.active.bus.address, 42);
}

static void half_of_a_speed_is_no_setting_and_forbids_the_reboot(void **unused)
{
    (void)unused;
    assert_true(write_word(VENDOR_BAUD_LOW, 115200 & 0xFFFF));
    assert_false(write_word(VENDOR_REBOOT, 1));
    pass_s(1);
    assert_false(p1mb_device_wants_reboot(&device));
    start();
    assert_int_equal(device.active.bus.baud, 9600);
}

static void a_broadcast_is_obeyed_without_an_answer(void **unused)
{
    (void)unused;
    static const uint8_t address[] = {6, 0xFE, 0x01, 0, 99}, reboot[] = {6, 0xFE, 0x0F, 0, 1};
    assert_false(ask(address, sizeof address, 0));
    assert_int_equal(word_at(VENDOR_ADDRESS), 99);
    assert_false(ask(reboot, sizeof reboot, 0));
    assert_true(p1mb_device_wants_reboot(&device));
    start();
    assert_int_equal(device.active.bus.address, 99);
}

static void a_value_out_of_range_changes_nothing(void **unused)
{
    (void)unused;
    assert_false(write_word(VENDOR_ADDRESS, 0));
    assert_int_equal(answer.bytes[2], MODBUS_ILLEGAL_VALUE);
    assert_false(write_word(VENDOR_ADDRESS, 248));
    assert_false(write_word(VENDOR_STATUS, 1));
    assert_int_equal(answer.bytes[2], MODBUS_ILLEGAL_ADDRESS);
    assert_false(write_word(VOLTAGE_L1, 1));
    assert_int_equal(memory.units, 0);
}

static void writing_what_is_there_wears_nothing(void **unused)
{
    (void)unused;
    for (int times = 0; times < 100; times++)
        assert_true(write_word(VENDOR_ADDRESS, 16));
    assert_int_equal(memory.units + memory.erases, 0);
}

static void what_cannot_be_kept_is_not_shown(void **unused)
{
    (void)unused;
    memory.erase_fails[0] = true;
    assert_true(write_word(VENDOR_ADDRESS, 42));
    assert_int_equal(word_at(VENDOR_ADDRESS), 16);
    start();
    assert_int_equal(device.active.bus.address, 16);
}

/* The memory loses power while it keeps what a master wrote. */
static void a_power_cut_leaves_the_old_or_the_new(void **unused)
{
    (void)unused;
    for (volatile int step = 0; step < 4; step++) {
        memory.steps_left = -1;
        assert_int_equal(set_up(NULL), 0);
        assert_true(write_word(VENDOR_ADDRESS, 20));
        memory.steps_left = step;
        if (setjmp(memory.cut) == 0)
            assert_true(write_word(VENDOR_ADDRESS, 30));
        flash_model_power_up(&memory);
        start();
        assert_true(device.active.bus.address == 20 || device.active.bus.address == 30);
        assert_true(write_word(VENDOR_ADDRESS, 40));
        start();
        assert_int_equal(device.active.bus.address, 40);
    }
}

/* --- the configuration session ---------------------------------------------------------------- */

static void open_session(void)
{
    hear_p1(p1mb_key, sizeof p1mb_key);
}

/* The status of the answer. */
static unsigned command(uint8_t code, const uint8_t *payload, size_t n)
{
    uint8_t frame[P1MB_FRAME_MAX];
    size_t before = p1_answer.count;
    hear_p1(frame, p1mb_frame(code, payload, n, frame));
    assert_int_equal(p1_answer.count, before + 1);
    assert_int_equal(p1_answer.bytes[2], code | P1MB_ANSWER);
    return p1_answer.bytes[4];
}

static void a_session_tells_what_is_there(void **unused)
{
    (void)unused;
    static const char texts[] = "P1MB\0model\0"
                                "00A1\0Inepro-PRO380\0Acrel-ACR10RH\0Eastron-SDM630\0Xemex";
    open_session();
    assert_int_equal(command(P1MB_IDENTIFY, NULL, 0), P1MB_DONE);
    static const uint8_t version[] = {255, 20, 1, 0};
    assert_memory_equal(p1_answer.bytes + 5, version, sizeof version);
    assert_memory_equal(p1_answer.bytes + 9, texts, sizeof texts);
}

static void a_session_sets_the_device_up(void **unused)
{
    (void)unused;
    const struct p1mb_setup new = {.bus = {.baud = 19200, .address = 33, .termination = true},
                                   .map = XEMEX};
    const struct p1mb_setup old = {.bus = p1mb_defaults(), .map = EASTRON};
    uint8_t payload[P1MB_SETUP_BYTES], expected[2 * P1MB_SETUP_BYTES];
    p1mb_setup_put(&new, payload);
    p1mb_setup_put(&old, expected);
    p1mb_setup_put(&new, expected + P1MB_SETUP_BYTES);
    hear_house();
    open_session();
    assert_int_equal(command(P1MB_WRITE, payload, sizeof payload), P1MB_DONE);
    assert_int_equal(command(P1MB_READ, NULL, 0), P1MB_DONE);
    assert_memory_equal(p1_answer.bytes + 5, expected, sizeof expected);
    assert_int_equal(word_at(VENDOR_ADDRESS), 33); /* and the bus goes on meanwhile */
    assert_float(4, TOTAL_POWER, 1386);
    assert_false(p1mb_device_wants_reboot(&device));
    assert_int_equal(command(P1MB_REBOOT, NULL, 0), P1MB_DONE);
    poll();
    assert_true(p1mb_device_wants_reboot(&device));
    start();
    assert_int_equal(device.active.map, XEMEX);
    assert_int_equal(device.active.bus.address, 33);
    hear_house();
    assert_float(3, 0x5012, 1.386);
}

static void a_master_and_a_session_write_the_same_settings(void **unused)
{
    (void)unused;
    struct p1mb_setup setup = {.bus = p1mb_defaults(), .map = INEPRO};
    uint8_t payload[P1MB_SETUP_BYTES];
    setup.bus.address = 50;
    p1mb_setup_put(&setup, payload);
    assert_true(write_word(VENDOR_ADDRESS, 40));
    open_session();
    assert_int_equal(command(P1MB_WRITE, payload, sizeof payload), P1MB_DONE);
    assert_int_equal(word_at(VENDOR_ADDRESS), 50);
    assert_true(write_word(VENDOR_ADDRESS, 60));
    start();
    assert_int_equal(device.active.bus.address, 60);
    assert_int_equal(device.active.map, INEPRO); /* which no master can change */
}

static void a_session_says_when_the_memory_fails(void **unused)
{
    (void)unused;
    const struct p1mb_setup setup = {.bus = p1mb_defaults(), .map = INEPRO};
    uint8_t payload[P1MB_SETUP_BYTES];
    p1mb_setup_put(&setup, payload);
    memory.erase_fails[0] = true;
    open_session();
    assert_int_equal(command(P1MB_WRITE, payload, sizeof payload), P1MB_NOT_KEPT);
    start();
    assert_int_equal(device.active.map, EASTRON);
}

static void telegrams_are_none_in_a_session_and_some_behind_it(void **unused)
{
    (void)unused;
    open_session();
    hear_house();
    assert_leds(LIGHT_OFF, LIGHT_OFF);
    assert_int_equal(command(P1MB_LEAVE, NULL, 0), P1MB_DONE);
    hear_house();
    assert_leds(LIGHT_ON, LIGHT_OFF);
    open_session();
    pass_s(61);
    hear_house();
    assert_leds(LIGHT_ON, LIGHT_OFF);
    assert_float(4, TOTAL_POWER, 1386);
}

/* --- many things at once ---------------------------------------------------------------------- */

/* A meter of each second, a master of ten times a second and both at any moment of each other. */
static void both_ports_at_once(void **unused)
{
    (void)unused;
    const struct bytes t = *telegram(house);
    static const uint8_t read[] = {16, 4, 0, 0x34, 0, 2, 0x33, 0x44};
    size_t p1_at = 0, bus_at = 0, asked = 0;
    int64_t p1_us = now_us, bus_us = now_us, end_us = now_us + INT64_C(60000000);
    while (now_us < end_us) {
        int64_t next_us = p1_us < bus_us ? p1_us : bus_us;
        pass(next_us - now_us);
        if (now_us == p1_us) {
            p1mb_device_hear_p1(&device, t.p + p1_at, 1, now_us);
            p1_at = (p1_at + 1) % t.n;
            p1_us += p1_at ? P1_BYTE_US : 1000000;
        }
        if (now_us == bus_us) {
            p1mb_device_hear_bus(&device, read + bus_at, 1, now_us);
            bus_at = (bus_at + 1) % sizeof read;
            bus_us += bus_at ? 1146 : 100000;
            asked += bus_at == 0;
        }
    }
    assert_in_range(asked, 500, 600);
    assert_in_range(answer.count, asked - 1, asked);
    assert_float(4, TOTAL_POWER, 1386);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_order_of_the_maps_never_changes),
        TEST(an_eastron_shows_the_telegram),
        TEST(an_inepro_shows_the_telegram),
        TEST(an_acrel_shows_the_telegram),
        TEST(a_xemex_shows_the_telegram),
        TEST(every_map_has_the_vendor_block),
        TEST(half_a_telegram_changes_nothing),
        TEST(a_damaged_telegram_changes_nothing_and_blinks),
        TEST(a_telegram_may_come_in_any_pieces),
        TEST(a_telegram_is_longer_than_the_buffer),
        TEST(values_are_zero_before_the_first_telegram),
        TEST(zeros_end_after_35_seconds),
        TEST(silence_refuses_after_35_seconds),
        TEST(damage_for_35_seconds_is_no_better_than_silence),
        TEST(the_age_ends_at_65534),
        TEST(values_stay_while_a_telegram_is_coming),
        TEST(the_wiring_stays_while_a_telegram_is_coming),
        TEST(what_is_not_for_it_is_not_answered),
        TEST(an_answer_comes_after_the_silence_of_each_line),
        TEST(a_line_error_costs_the_frame),
        TEST(what_is_written_is_kept_and_active_after_the_reboot),
        TEST(each_map_takes_its_own_address_register),
        TEST(a_reboot_waits_until_its_answer_has_left),
        TEST(half_of_a_speed_is_no_setting_and_forbids_the_reboot),
        TEST(a_broadcast_is_obeyed_without_an_answer),
        TEST(a_value_out_of_range_changes_nothing),
        TEST(writing_what_is_there_wears_nothing),
        TEST(what_cannot_be_kept_is_not_shown),
        TEST(a_power_cut_leaves_the_old_or_the_new),
        TEST(a_session_tells_what_is_there),
        TEST(a_session_sets_the_device_up),
        TEST(a_master_and_a_session_write_the_same_settings),
        TEST(a_session_says_when_the_memory_fails),
        TEST(telegrams_are_none_in_a_session_and_some_behind_it),
        TEST(both_ports_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
