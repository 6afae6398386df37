#include "maps_kit_test.h"

/* Where the models begin. */
enum { INTEGERS = 40070, FLOATS = 40177 };

#define INTEGER(offset, quantity, exponent) AT(INTEGERS + (offset), REG_S16, quantity, exponent)
#define COUNTER(offset, quantity) AT(INTEGERS + (offset), REG_ACC32, quantity, 0)
#define FLOAT(offset, quantity) AT_F32(FLOATS + (offset), quantity)

/* clang-format off */
/* Models 203 and 213 by their definitions: offset from the model's id, exponent = - scale factor. */
static const struct place places[] = {
    INTEGER(3, Q_CURRENT_L1, 2),         INTEGER(4, Q_CURRENT_L2, 2),         INTEGER(5, Q_CURRENT_L3, 2),
    INTEGER(7, Q_VOLTAGE_MEAN_LN, 1),
    INTEGER(8, Q_VOLTAGE_L1, 1),         INTEGER(9, Q_VOLTAGE_L2, 1),         INTEGER(10, Q_VOLTAGE_L3, 1),
    INTEGER(11, Q_VOLTAGE_MEAN_LL, 1),
    INTEGER(12, Q_LINE_VOLTAGE_L12, 1),  INTEGER(13, Q_LINE_VOLTAGE_L32, 1),  INTEGER(14, Q_LINE_VOLTAGE_L31, 1),
    INTEGER(16, Q_FREQUENCY, 2),
    INTEGER(18, Q_POWER, -1),
    INTEGER(19, Q_POWER_L1, -1),         INTEGER(20, Q_POWER_L2, -1),         INTEGER(21, Q_POWER_L3, -1),
    INTEGER(23, Q_APPARENT, -1),
    INTEGER(24, Q_APPARENT_L1, -1),      INTEGER(25, Q_APPARENT_L2, -1),      INTEGER(26, Q_APPARENT_L3, -1),
    INTEGER(28, Q_REACTIVE, -1),
    INTEGER(29, Q_REACTIVE_L1, -1),      INTEGER(30, Q_REACTIVE_L2, -1),      INTEGER(31, Q_REACTIVE_L3, -1),
    INTEGER(33, Q_POWER_FACTOR, 3),
    INTEGER(34, Q_POWER_FACTOR_L1, 3),   INTEGER(35, Q_POWER_FACTOR_L2, 3),   INTEGER(36, Q_POWER_FACTOR_L3, 3),
    COUNTER(38, Q_ENERGY_EXPORT),   COUNTER(46, Q_ENERGY_IMPORT),
    COUNTER(72, Q_REACTIVE_ENERGY_Q1), COUNTER(80, Q_REACTIVE_ENERGY_Q2),
    COUNTER(88, Q_REACTIVE_ENERGY_Q3), COUNTER(96, Q_REACTIVE_ENERGY_Q4),

    FLOAT(4, Q_CURRENT_L1),         FLOAT(6, Q_CURRENT_L2),         FLOAT(8, Q_CURRENT_L3),
    FLOAT(10, Q_VOLTAGE_MEAN_LN),
    FLOAT(12, Q_VOLTAGE_L1),        FLOAT(14, Q_VOLTAGE_L2),        FLOAT(16, Q_VOLTAGE_L3),
    FLOAT(18, Q_VOLTAGE_MEAN_LL),
    FLOAT(20, Q_LINE_VOLTAGE_L12),  FLOAT(22, Q_LINE_VOLTAGE_L32),  FLOAT(24, Q_LINE_VOLTAGE_L31),
    FLOAT(26, Q_FREQUENCY),
    FLOAT(28, Q_POWER),
    FLOAT(30, Q_POWER_L1),          FLOAT(32, Q_POWER_L2),          FLOAT(34, Q_POWER_L3),
    FLOAT(36, Q_APPARENT),
    FLOAT(38, Q_APPARENT_L1),       FLOAT(40, Q_APPARENT_L2),       FLOAT(42, Q_APPARENT_L3),
    FLOAT(44, Q_REACTIVE),
    FLOAT(46, Q_REACTIVE_L1),       FLOAT(48, Q_REACTIVE_L2),       FLOAT(50, Q_REACTIVE_L3),
    FLOAT(52, Q_POWER_FACTOR),
    FLOAT(54, Q_POWER_FACTOR_L1),   FLOAT(56, Q_POWER_FACTOR_L2),   FLOAT(58, Q_POWER_FACTOR_L3),
    FLOAT(60, Q_ENERGY_EXPORT),     FLOAT(68, Q_ENERGY_IMPORT),
    FLOAT(92, Q_REACTIVE_ENERGY_Q1),  FLOAT(100, Q_REACTIVE_ENERGY_Q2),
    FLOAT(108, Q_REACTIVE_ENERGY_Q3), FLOAT(116, Q_REACTIVE_ENERGY_Q4),
};

/* Where the scale factor of a point of model 203 is: that of the points up to `last`. */
static const struct {
    uint16_t last, at;
} factors[] = {{5, 6}, {14, 15}, {16, 17}, {21, 22}, {26, 27}, {31, 32}, {36, 37}, {53, 54}, {103, 104}};
/* clang-format on */

static const struct subject meter = {
    .map = &map_sunspec,
    .name = "SunSpec",
    .short_name = "sunspec",
    .input = {PLACES(places)},
};

/* Where a client that starts at "SunS" finds a model; 0: it does not.  Reads two registers a step, as clients do. */
static uint32_t find_model(const struct bench *b, uint16_t id)
{
    uint32_t at = 40002;
    for (;;) {
        struct answer a = ask_words(b, 1, 3, at, 2);
        assert_int_equal(a.n, 6);
        uint16_t found = (uint16_t)(a.pdu[2] << 8 | a.pdu[3]);
        uint16_t length = (uint16_t)(a.pdu[4] << 8 | a.pdu[5]);
        if (found == id)
            return at;
        if (found == 0xFFFF) {
            assert_int_equal(length, 0);
            return 0;
        }
        at += 2u + length;
        assert_true(at < 41000);
    }
}

static void a_client_finds_every_model(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_sunspec);
    assert_answer(ask_words(&b, 1, 3, 40000, 2), 3, 4, 'S', 'u', 'n', 'S');
    assert_int_equal(find_model(&b, 1), 40002);
    assert_int_equal(find_model(&b, 203), 40070);
    assert_int_equal(find_model(&b, 213), 40177);
    assert_int_equal(find_model(&b, 0xFFFF), 40303);
    static const uint16_t others[] = {101, 103, 160, 201, 202, 204, 211, 212, 214};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(find_model(&b, others[i]), 0);
    assert_int_equal(word_at(&b, 40003), 66);
    assert_int_equal(word_at(&b, 40071), 105);
    assert_int_equal(word_at(&b, 40178), 124);
}

/* What is the same in every telegram is there before the first one. */
static void the_models_are_found_while_the_meter_is_silent(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_sunspec);
    register_image_render(&b.image, NULL, &b.device, &b.style);
    b.bank.refusal = MODBUS_TARGET_SILENT;
    assert_int_equal(find_model(&b, 213), 40177);
    assert_int_equal(ask_words(&b, 1, 3, 40004, 66).n, 2 + 132);
    assert_answer(ask_words(&b, 1, 3, 40070, 4), 0x83, 0x0B);
    assert_answer(ask_words(&b, 1, 3, 40088, 1), 0x83, 0x0B);
    assert_answer(ask_words(&b, 1, 3, 40092, 1), 3, 2, 0, 1); /* W_SF */
}

static void the_device_says_what_it_is(void **unused)
{
    (void)unused;
    struct bench b;
    char text[33] = "";
    begin(&b, &map_sunspec);
    b.device.setting[SETTING_ADDRESS] = 126;
    show(&b);
    register_image_read(&b.image, SPACE_HOLDING, 40004, 16, (uint8_t *)text);
    assert_string_equal(text, "Smart Connect");
    register_image_read(&b.image, SPACE_HOLDING, 40020, 16, (uint8_t *)text);
    assert_string_equal(text, "Meter gateway");
    register_image_read(&b.image, SPACE_HOLDING, 40052, 16, (uint8_t *)text);
    assert_string_equal(text, "001234567890");
    for (uint32_t at = 40036; at < 40044; at++) /* no options */
        assert_int_equal(word_at(&b, at), 0);
    assert_int_equal(word_at(&b, 40044), '1' << 8 | '.');
    assert_int_equal(word_at(&b, 40068), 126);
    assert_int_equal(word_at(&b, 40069), 0x8000);
}

static int scale_factor_of(const struct bench *b, uint16_t offset)
{
    for (size_t i = 0; i < COUNT(factors); i++)
        if (offset <= factors[i].last)
            return (int16_t)word_at(b, INTEGERS + factors[i].at);
    fail();
    return 0;
}

static bool near(double a, double b, double step)
{
    return a - b < step && b - a < step;
}

/* Each point of model 203 as a client makes it, the number times ten to its scale factor; power factors in percent. */
static void check_scaled(const struct bench *b, const struct place *p)
{
    uint16_t offset = (uint16_t)(p->address - INTEGERS);
    int factor = scale_factor_of(b, offset), decimals = quantity_decimals[p->quantity];
    double scale = factor < 0 ? 1.0 / (double)ten_to(-factor) : (double)ten_to(factor);
    double shown = value_of(p->type, number_at(b, p->address, types[p->type].registers)) * scale;
    double value = (double)b->reading.value[p->quantity] / (double)ten_to(decimals);
    assert_true(near(shown, offset >= 33 && offset <= 36 ? 100 * value : value, scale * 0.501));
}

static void the_scale_factors_are_those_of_the_values(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_sunspec);
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        know_everything(&b, (enum direction)direction);
        for (size_t i = 0; i < COUNT(places); i++)
            if (places[i].address < FLOATS)
                check_scaled(&b, &places[i]);
    }
}

/* Three phases of 80 A at 253 V, the highest a grid may have. */
static void the_scale_factors_hold_a_household(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_sunspec);
    reading_set(&b.reading, Q_CURRENT_L1, 80000);
    reading_set(&b.reading, Q_VOLTAGE_L1, 253000);
    reading_set(&b.reading, Q_LINE_VOLTAGE_L12, 438200);
    reading_set(&b.reading, Q_POWER, 3 * 80 * 253);
    reading_set(&b.reading, Q_POWER_L1, -80 * 253);
    reading_set(&b.reading, Q_REACTIVE, 3 * 80 * 253);
    reading_set(&b.reading, Q_APPARENT, 3 * 80 * 253);
    reading_set(&b.reading, Q_FREQUENCY, 52000);
    reading_set(&b.reading, Q_POWER_FACTOR, -1000);
    reading_set(&b.reading, Q_ENERGY_IMPORT, 4000000001);
    show(&b);
    assert_int_equal(word_at(&b, 40073), 8000);
    assert_int_equal(word_at(&b, 40078), 2530);
    assert_int_equal(word_at(&b, 40082), 4382);
    assert_int_equal(word_at(&b, 40088), 6072);
    assert_int_equal(word_at(&b, 40089), (uint16_t)-2024);
    assert_int_equal(word_at(&b, 40093), 6072);
    assert_int_equal(word_at(&b, 40098), 6072);
    assert_int_equal(word_at(&b, 40086), 5200);
    assert_int_equal(word_at(&b, 40103), (uint16_t)-1000);                      /* -100.0 % */
    assert_answer(ask_words(&b, 1, 3, 40116, 2), 3, 4, 0xEE, 0x6B, 0x28, 0x01); /* 4000000001 */
    assert_true(float_at(&b, 40177 + 28) == 60720.0F);
}

static void what_no_telegram_says_is_not_implemented(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_sunspec);
    know_everything(&b, IMPORTS);
    assert_int_equal(word_at(&b, 40072), 0x8000);          /* total current */
    assert_int_equal(number_at(&b, 40179, 2), 0x7FC00000); /* and as float */
    for (uint32_t at = 40125; at < 40141; at++)            /* apparent energy */
        assert_int_equal(word_at(&b, at), 0);
    assert_int_equal(word_at(&b, 40141), 0x8000);   /* TotVAh_SF */
    for (uint32_t at = 40110; at <= 40114; at += 2) /* export of each phase */
        assert_int_equal(number_at(&b, at, 2), 0);
    assert_int_equal(number_at(&b, 40070 + 105, 2), 0); /* no events */
    assert_int_equal(number_at(&b, 40177 + 124, 2), 0);
}

/* One phase: the others are not implemented, by either policy. */
static void a_single_phase_leaves_the_others_out(void **unused)
{
    (void)unused;
    struct bench b;
    for (int policy = UNKNOWN_ZERO; policy <= UNKNOWN_NAN; policy++) {
        begin(&b, &map_sunspec);
        b.style.unknown = (enum unknown_policy)policy;
        reading_set(&b.reading, Q_CURRENT_L1, 16000);
        show(&b);
        assert_int_equal(word_at(&b, 40073), 1600);
        assert_int_equal(word_at(&b, 40074), 0x8000);
        assert_int_equal(word_at(&b, 40075), 0x8000);
        assert_true(float_at(&b, 40177 + 4) == 16.0F);
        assert_int_equal(number_at(&b, 40177 + 6, 2), 0x7FC00000);
    }
}

static void a_whole_model_is_read_at_once(void **unused)
{
    (void)unused;
    struct bench b;
    begin(&b, &map_sunspec);
    know_everything(&b, IMPORTS);
    struct answer whole = ask_words(&b, 1, 3, 40072, 105);
    assert_int_equal(whole.n, 2 + 210);
    for (uint32_t i = 0; i < 105; i++)
        assert_int_equal(whole.pdu[2 + 2 * i] << 8 | whole.pdu[3 + 2 * i], word_at(&b, 40072 + i));
    assert_int_equal(ask_words(&b, 1, 3, 40179, 124).n, 2 + 248);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TESTS_OF(meter),
        cmocka_unit_test(a_client_finds_every_model),
        cmocka_unit_test(the_models_are_found_while_the_meter_is_silent),
        cmocka_unit_test(the_device_says_what_it_is),
        cmocka_unit_test(the_scale_factors_are_those_of_the_values),
        cmocka_unit_test(the_scale_factors_hold_a_household),
        cmocka_unit_test(what_no_telegram_says_is_not_implemented),
        cmocka_unit_test(a_single_phase_leaves_the_others_out),
        cmocka_unit_test(a_whole_model_is_read_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
