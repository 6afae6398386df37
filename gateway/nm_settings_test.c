/* nm_settings.c: what it appends is read back, all of it, and compared as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal_kit_test.h"
#include "message_kit_test.h"
#include "nm_settings.h"

#include <arpa/inet.h>
#include <errno.h>

/* --- reading back ----------------------------------------------------------------------------- */

/* Bytes as text, 32-bit numbers as the IPv4 addresses they are in memory. */
static void note_array(sd_bus_message *m, char type)
{
    char address[INET_ADDRSTRLEN];
    const void *first = NULL;
    size_t size = 0;
    assert_true(sd_bus_message_read_array(m, type, &first, &size) >= 0);
    if (type == 'y')
        journal_note("y\"%.*s\"", (int)size, (const char *)first);
    for (size_t i = 0; type == 'u' && i < size; i += sizeof(uint32_t))
        journal_note("u%s", inet_ntop(AF_INET, (const char *)first + i, address, sizeof address));
}

static void note_basic(sd_bus_message *m, char type)
{
    union {
        const char *text;
        int32_t number; /* of "i", "u" and "b" */
    } value;
    assert_non_null(strchr("siub", type));
    assert_true(sd_bus_message_read_basic(m, type, &value) > 0);
    if (type == 's')
        journal_note("\"%s\"", value.text);
    else
        journal_note("%c%d", type, (int)value.number);
}

static void note_container(sd_bus_message *m, char type, const char *contents);

/* Whatever the message holds from here to the end of its container. */
static void note_values(sd_bus_message *m)
{
    const char *contents;
    char type;
    while (sd_bus_message_peek_type(m, &type, &contents) > 0) {
        if (type == 'a' && (contents[0] == 'y' || contents[0] == 'u'))
            note_array(m, contents[0]);
        else if (contents)
            note_container(m, type, contents);
        else
            note_basic(m, type);
    }
}

static void note_container(sd_bus_message *m, char type, const char *contents)
{
    const char *key;
    assert_true(sd_bus_message_enter_container(m, type, contents) > 0);
    if (type == 'a')
        journal_note("[");
    if (type == 'e') {
        assert_true(sd_bus_message_read(m, "s", &key) > 0);
        journal_note("%s", key);
    }
    note_values(m);
    if (type == 'a')
        journal_note("]");
    assert_true(sd_bus_message_exit_container(m) >= 0);
}

static void assert_says(const struct network_profile *p, const char *text)
{
    sd_bus_message *m = new_message();
    assert_true(nm_settings_append(m, p) >= 0);
    seal(m);
    assert_string_equal(sd_bus_message_get_signature(m, true), "a{sa{sv}}");
    note_values(m);
    journal_expect(text);
    sd_bus_message_unref(m);
}

/* --- what is said ----------------------------------------------------------------------------- */

#define HOST_NAME "smart-connect-00112233aabb"
#define ETHERNET \
    "[ connection [ id \"Smart Connect Ethernet\" uuid \"cd1a0fbd-256c-459f-a464-d96388a0130e\"" \
    " type \"802-3-ethernet\" interface-name \"eth0\" autoconnect b1 autoconnect-priority i100" \
    " autoconnect-retries i0 ] "
#define WIFI(autoconnect) \
    "[ connection [ id \"Smart Connect Wi-Fi\" uuid \"254667b4-709b-4a58-a413-79d7c1c0743a\"" \
    " type \"802-11-wireless\" interface-name \"wlan0\" autoconnect " autoconnect \
    " autoconnect-priority i100 autoconnect-retries i0 ] 802-11-wireless [ ssid y\"Home\"" \
    " mode \"infrastructure\" hidden b1 powersave u2 ] "
#define KEY "802-11-wireless-security [ key-mgmt \"wpa-psk\" psk \"12345678\" proto [ \"rsn\" ] ] "
#define ACCESS_POINT \
    "[ connection [ id \"Smart Connect access point\" uuid " \
    "\"9c760f09-250e-413f-b9d7-3f55233eda3b\"" \
    " type \"802-11-wireless\" interface-name \"wlan0\" autoconnect b0 autoconnect-priority i100" \
    " autoconnect-retries i0 ] 802-11-wireless [ ssid y\"SC-00112233AABB\" mode \"ap\"" \
    " band \"bg\" ] 802-11-wireless-security [ key-mgmt \"wpa-psk\" psk \"abcd-efgh\"" \
    " proto [ \"rsn\" ] pairwise [ \"ccmp\" ] group [ \"ccmp\" ] pmf i1 ] "
#define DHCP "ipv4 [ method \"auto\" dhcp-hostname \"" HOST_NAME "\" dhcp-timeout i2147483647"
#define IPV6 " ] ipv6 [ method \"auto\" ] ]"

static const struct {
    struct network_profile profile;
    const char *said;
} cases[] = {
    {{.kind = NETWORK_ETHERNET, .interface = "eth0", .autoconnect = true, .host_name = HOST_NAME},
     ETHERNET DHCP IPV6},
    {{.kind = NETWORK_ETHERNET,
      .interface = "eth0",
      .autoconnect = true,
      .host_name = HOST_NAME,
      .link_local = true},
     ETHERNET DHCP " link-local i3" IPV6},
    {{.kind = NETWORK_ETHERNET,
      .interface = "eth0",
      .autoconnect = true,
      .method = METHOD_STATIC,
      .address = "192.168.1.20",
      .prefix = 16,
      .gateway = "192.168.1.1",
      .dns = "10.0.0.2",
      .host_name = HOST_NAME},
     ETHERNET "ipv4 [ method \"manual\" address-data [ [ address \"192.168.1.20\" prefix u16 ] ]"
              " gateway \"192.168.1.1\" dns u10.0.0.2" IPV6},
    {{.kind = NETWORK_ETHERNET,
      .interface = "eth0",
      .autoconnect = true,
      .method = METHOD_STATIC,
      .address = "10.0.0.2",
      .prefix = 30},
     ETHERNET "ipv4 [ method \"manual\" address-data [ [ address \"10.0.0.2\" prefix u30 ] ]" IPV6},
    {{.kind = NETWORK_WIFI,
      .interface = "wlan0",
      .autoconnect = true,
      .host_name = HOST_NAME,
      .ssid = "Home",
      .key = "12345678"},
     WIFI("b1") KEY DHCP IPV6},
    {{.kind = NETWORK_WIFI, .interface = "wlan0", .host_name = HOST_NAME, .ssid = "Home"},
     WIFI("b0") DHCP IPV6},
    {{.kind = NETWORK_WIFI,
      .interface = "wlan0",
      .autoconnect = true,
      .method = METHOD_STATIC,
      .address = "10.1.2.3",
      .prefix = 8,
      .gateway = "10.0.0.1",
      .ssid = "Home",
      .key = "12345678"},
     WIFI("b1") KEY "ipv4 [ method \"manual\" address-data [ [ address \"10.1.2.3\" prefix u8 ] ]"
                    " gateway \"10.0.0.1\"" IPV6},
    {{.kind = NETWORK_ACCESS_POINT,
      .interface = "wlan0",
      .method = METHOD_SHARED,
      .address = "192.168.71.1",
      .prefix = 24,
      .ssid = "SC-00112233AABB",
      .key = "abcd-efgh"},
     ACCESS_POINT
     "ipv4 [ method \"shared\" address-data [ [ address \"192.168.71.1\" prefix u24 ] ]"
     " ] ipv6 [ method \"disabled\" ] ]"},
};

static void a_profile_says_this_and_nothing_else(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_says(&cases[i].profile, cases[i].said);
}

/* Both calls that take a profile take flags behind it. */
static void more_may_follow(void **unused)
{
    sd_bus_message *m = new_message();
    (void)unused;
    assert_true(nm_settings_append(m, &cases[0].profile) >= 0);
    assert_true(sd_bus_message_append(m, "u", UINT32_C(7)) >= 0);
    seal(m);
    assert_string_equal(sd_bus_message_get_signature(m, true), "a{sa{sv}}u");
    sd_bus_message_unref(m);
}

static void a_message_that_takes_no_more_is_an_error(void **unused)
{
    sd_bus_message *m = new_message();
    (void)unused;
    seal(m);
    assert_int_equal(nm_settings_append(m, &cases[0].profile), -EPERM);
    sd_bus_message_unref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_says_this_and_nothing_else),
        cmocka_unit_test(more_may_follow),
        cmocka_unit_test(a_message_that_takes_no_more_is_an_error),
    };
    return cmocka_run_group_tests(tests, message_kit_begin, message_kit_end);
}
