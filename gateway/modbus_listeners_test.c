#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modbus_listeners.h"

#include "log.h"
#include "loop_kit_test.h"

#include <string.h>

static struct loop loop;
static struct meter *meter;
static struct modbus_listeners listeners;
static struct modbus_also also;
static struct modbus_tcp_settings settings;
static char error[MODBUS_ALSO_ERROR_MAX];

static const struct modbus_tcp_settings main_settings = {
    .listen = "127.0.0.1:0",
    .option = "modbus",
    .max_clients = 4,
    .idle_timeout_s = 60,
    .source = {.order = ORDER_OF_METER, .stale = STALE_HOLD, .stale_current_a = 63, .writes = true},
};

static int start_from_the_main_settings(void **unused)
{
    (void)unused;
    settings = main_settings;
    settings.source.map = register_map_at(0);
    settings.source.device = (struct register_device){.serial = "123456"};
    return 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

static void parse(const char *text)
{
    if (!modbus_also_parse(text, &also, error))
        fail_msg("%s: %s", text, error);
}

static void an_address_alone_follows_the_main_listener_in_all_but_writes(void **unused)
{
    (void)unused;
    parse("127.0.0.1:1503");
    const struct modbus_tcp_settings s = modbus_also_settings(&also, &settings);
    assert_string_equal(s.listen, "127.0.0.1:1503");
    assert_string_equal(s.option, "modbus-also");
    assert_ptr_equal(s.source.map, settings.source.map);
    assert_int_equal(s.source.order, ORDER_OF_METER);
    assert_int_equal(s.source.stale, STALE_HOLD);
    assert_int_equal(s.source.stale_current_a, 63);
    assert_int_equal(s.max_clients, 4);
    assert_int_equal(s.framing, FRAMING_MBAP);
    assert_false(s.source.writes);
}

static void what_is_given_wins(void **unused)
{
    (void)unused;
    parse("[::1]:1503,map=EMPRO,word-order=normal,framing=rtu,unknown=nan,stale=zero,clients=64,"
          "writes=on");
    settings.source.map = NULL;
    const struct modbus_tcp_settings s = modbus_also_settings(&also, &settings);
    assert_string_equal(s.source.map->name, "PhoenixContact-EMPro");
    assert_int_equal(s.source.order, ORDER_NORMAL);
    assert_int_equal(s.framing, FRAMING_RTU);
    assert_int_equal(s.source.unknown, UNKNOWN_NAN);
    assert_int_equal(s.source.stale, STALE_ZERO);
    assert_int_equal(s.max_clients, 64);
    assert_true(s.source.writes);
}

static void the_order_of_the_meter_can_be_asked_for(void **unused)
{
    (void)unused;
    parse("1503,word-order=meter");
    settings.source.order = ORDER_NORMAL;
    assert_int_equal(modbus_also_settings(&also, &settings).source.order, ORDER_OF_METER);
}

static void an_error_names_the_part_and_what_would_be_right(void **unused)
{
    static const char *const wrong[][3] = {
        {"", "\"\" is no address", "ADDR:PORT"},
        {"off", "\"off\" is no address", "PORT"},
        {"1503x,map=empro", "\"1503x\" is no address", "PORT"},
        {"map=empro", "\"map=empro\" is no address", "PORT"},
        {"1503,map=none", "map=none: no such register map", "PhoenixContact-EMPro"},
        {"1503,map=", "map=: no such register map", "PhoenixContact-EMPro"},
        {"1503,word-order=CDAB", "word-order=CDAB: use", "normal swapped meter"},
        {"1503,framing=ascii", "framing=ascii: use", "mbap rtu"},
        {"1503,unknown=0", "unknown=0: use", "zero nan"},
        {"1503,stale=silent", "stale=silent: use", "exception hold zero high-current"},
        {"1503,clients=0", "clients=0: use", "1 to 64"},
        {"1503,clients=65", "clients=65: use", "1 to 64"},
        {"1503,clients=4x", "clients=4x: use", "1 to 64"},
        {"1503,clients=", "clients=: use", "1 to 64"},
        {"1503,writes=yes", "writes=yes: use", "off on"},
        {"1503,baud=9600", "\"baud=9600\": use",
         "map= word-order= framing= unknown= stale= clients= writes="},
        {"1503,map", "\"map\": use", "map="},
        {"1503,", "\"\": use", "map="},
        {"1503,framing=rtu,,", "\"\": use", "map="},
        {"1503, framing=rtu", "\" framing=rtu\": use", "framing="},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (modbus_also_parse(wrong[i][0], &also, error))
            fail_msg("\"%s\" was taken", wrong[i][0]);
        if (strncmp(error, wrong[i][1], strlen(wrong[i][1])) != 0 || !strstr(error, wrong[i][2]))
            fail_msg("\"%s\": %s", wrong[i][0], error);
    }
}

static void huge_entries_make_bounded_errors(void **unused)
{
    static const char *const begins[] = {"", "1503,", "1503,map=", "1503,clients=", "1503,framing="};
    static char text[300];
    (void)unused;
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
        for (size_t length = strlen(begins[i]); length < sizeof text; length++) {
            memset(text, '9', sizeof text);
            memcpy(text, begins[i], strlen(begins[i]));
            text[length] = 0;
            bool good = modbus_also_parse(text, &also, error);
            assert_true(good || strlen(error) < MODBUS_ALSO_ERROR_MAX);
        }
    assert_string_equal(error, "longer than 255 characters");
}

/* --- listeners -------------------------------------------------------------------------------- */

static int open_main(void **unused)
{
    static const struct meter_settings meter_settings;
    char why[INPUT_ERROR_MAX];
    (void)start_from_the_main_settings(unused);
    log_set_level(LOG_LEVEL_ERROR);
    listeners = (struct modbus_listeners){0};
    if (loop_init(&loop) < 0)
        return -1;
    meter = meter_open(&loop, "file:/nonexistent/telegrams", &meter_settings, why);
    listeners.main = modbus_tcp_open(&loop, meter, &settings, error);
    return listeners.main ? 0 : -1;
}

static int close_all(void **unused)
{
    (void)unused;
    modbus_listeners_close(&listeners);
    meter_close(meter);
    loop_close(&loop);
    return 0;
}

static bool add(const char *text)
{
    return modbus_listeners_add(&listeners, &loop, meter, text, &settings, error);
}

static void assert_orders(enum word_order main_order, enum word_order first, enum word_order second)
{
    assert_int_equal(modbus_tcp_get_served(modbus_listeners_at(&listeners, 0)).order, main_order);
    assert_int_equal(modbus_tcp_get_served(modbus_listeners_at(&listeners, 1)).order, first);
    assert_int_equal(modbus_tcp_get_served(modbus_listeners_at(&listeners, 2)).order, second);
}

static void those_that_follow_change_with_the_main_one_and_others_do_not(void **unused)
{
    (void)unused;
    assert_true(add("127.0.0.1:0"));
    assert_true(add("127.0.0.1:0,word-order=normal,framing=rtu"));
    assert_null(modbus_listeners_at(&listeners, 3));
    assert_orders(WORD_ORDER_SWAPPED, WORD_ORDER_SWAPPED, WORD_ORDER_NORMAL);
    settings.source.order = ORDER_NORMAL;
    modbus_listeners_set(&listeners, &settings);
    assert_orders(WORD_ORDER_NORMAL, WORD_ORDER_NORMAL, WORD_ORDER_NORMAL);
    settings.source.order = ORDER_SWAPPED;
    modbus_listeners_set(&listeners, &settings);
    assert_orders(WORD_ORDER_SWAPPED, WORD_ORDER_SWAPPED, WORD_ORDER_NORMAL);
    assert_int_equal(modbus_tcp_get_served(modbus_listeners_at(&listeners, 2)).framing, FRAMING_RTU);
}

static void there_may_be_others_without_the_main_one(void **unused)
{
    (void)unused;
    modbus_tcp_close(listeners.main);
    listeners.main = NULL;
    assert_null(modbus_listeners_at(&listeners, 0));
    assert_true(add("127.0.0.1:0"));
    assert_non_null(modbus_listeners_at(&listeners, 0));
    assert_null(modbus_listeners_at(&listeners, 1));
    modbus_listeners_set(&listeners, &settings);
}

static void a_port_that_is_taken_is_an_error_that_names_the_option(void **unused)
{
    char address[ADDRESS_TEXT_MAX];
    (void)unused;
    modbus_tcp_address(listeners.main, address);
    assert_false(add(address));
    assert_non_null(strstr(error, "--modbus-also 127.0.0.1:"));
    assert_non_null(strstr(error, "choose another with --modbus-also"));
    assert_null(modbus_listeners_at(&listeners, 1));
}

static void one_more_than_fit_is_refused(void **unused)
{
    (void)unused;
    for (int i = 0; i < MODBUS_ALSO_MAX; i++)
        assert_true(add("127.0.0.1:0"));
    assert_false(add("127.0.0.1:0"));
    assert_string_equal(error, "--modbus-also: 8 listeners at most");
}

#define ENTRY_TEST(name) cmocka_unit_test_setup(name, start_from_the_main_settings)
#define LISTENER_TEST(name) cmocka_unit_test_setup_teardown(name, open_main, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENTRY_TEST(an_address_alone_follows_the_main_listener_in_all_but_writes),
        ENTRY_TEST(what_is_given_wins),
        ENTRY_TEST(the_order_of_the_meter_can_be_asked_for),
        ENTRY_TEST(an_error_names_the_part_and_what_would_be_right),
        ENTRY_TEST(huge_entries_make_bounded_errors),
        LISTENER_TEST(those_that_follow_change_with_the_main_one_and_others_do_not),
        LISTENER_TEST(there_may_be_others_without_the_main_one),
        LISTENER_TEST(a_port_that_is_taken_is_an_error_that_names_the_option),
        LISTENER_TEST(one_more_than_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
