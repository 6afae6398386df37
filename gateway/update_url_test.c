#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "update_url.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define URL "https://updates.example/a.raucb"

static const char *const good_urls[] = {
    "https://a.b/",
    URL,
    "https://Update.Example.COM/Path/File",
    "https://update.example:443/x",
    "https://update.example:1/x",
    "https://update.example:65535/x",
    "https://nas.lan/v2.raucb",
    "https://nas.local/v2.raucb",
    "https://1.2.3.4.example/x",
    "https://0x7f.example/x",
    "https://xn--bcher-kva.example/x",
    "https://a-b.c--d.example/x",
    "https://localhost-1.example/x",
    "https://a.example//x/./y/../z;p=1?q=a/b?c&d=@:!$'()*+,~_",
    "https://a.example/user@host",
    "https://a.example/%20%2F%ff%FF",
};

static const struct {
    const char *url, *says;
} bad_urls[] = {
    /* scheme */
    {"", "begin with https://"},
    {"https", "begin with https://"},
    {"https:/a.example/x", "begin with https://"},
    {"http://a.example/x", "begin with https://"},
    {"HTTPS://a.example/x", "begin with https://"},
    {" https://a.example/x", "begin with https://"},
    {"file:///etc/passwd", "begin with https://"},
    {"ftp://a.example/x", "begin with https://"},
    {"//a.example/x", "begin with https://"},
    {"/etc/passwd", "begin with https://"},
    {"javascript:alert(1)", "begin with https://"},
    /* host */
    {"https://", "1 to 253 bytes"},
    {"https:///x", "1 to 253 bytes"},
    {"https://:443/x", "1 to 253 bytes"},
    {"https://?x", "1 to 253 bytes"},
    {"https://%61.example/x", "may hold letters, digits"},
    {"https://update/x", "a dot in it"},
    {"https://2130706433/x", "a dot in it"},
    {"https://0x7f000001/x", "a dot in it"},
    {"https://127.0.0.1/x", "not an address"},
    {"https://127.1/x", "not an address"},
    {"https://0x7f.1/x", "not an address"},
    {"https://0x7f.0x1/x", "not an address"},
    {"https://0177.0.0.01/x", "not an address"},
    {"https://127.0.0.0x1:443/x", "not an address"},
    {"https://169.254.169.254/latest", "not an address"},
    {"https://192.168.1.1/x", "not an address"},
    {"https://256.256.256.256/x", "not an address"},
    {"https://1.2.3.4.5/x", "not an address"},
    {"https://[::1]/x", "not an address"},
    {"https://[fe80::1%25eth0]/x", "not an address"},
    {"https://[::ffff:127.0.0.1]/x", "not an address"},
    {"https://localhost/x", "localhost"},
    {"https://LocalHost:8443/x", "localhost"},
    {"https://a.localhost/x", "localhost"},
    {"https://localhost.localdomain/x", "localhost"},
    {"https://localhost./x", "localhost"},
    {"https://a..example/x", "part of the host's name"},
    {"https://.example/x", "part of the host's name"},
    {"https://a.example./x", "part of the host's name"},
    {"https://127.0.0.1./x", "part of the host's name"},
    {"https://-a.example/x", "part of the host's name"},
    {"https://a-.example/x", "part of the host's name"},
    {"https://a.-example/x", "part of the host's name"},
    {"https://a_b.example/x", "may hold letters, digits"},
    {"https://b\xC3\xBC"
     "cher.example/x",
     "may hold letters, digits"},
    {"https://a.example\\.evil.example/x", "may hold letters, digits"},
    {"https://a.example%2f.evil.example/x", "may hold letters, digits"},
    {"https://a.example%00.evil.example/x", "may hold letters, digits"},
    {"https://a.example\t/x", "may hold letters, digits"},
    /* user */
    {"https://user@a.example/x", "must not name a user"},
    {"https://user:secret@a.example/x", "must not name a user"},
    {"https://a.example:443@evil.example/x", "must not name a user"},
    {"https://@a.example/x", "must not name a user"},
    {"https://a.example\\@evil.example/x", "must not name a user"},
    /* port */
    {"https://a.example:/x", "1 to 65535"},
    {"https://a.example:0/x", "1 to 65535"},
    {"https://a.example:00443/x", "1 to 65535"},
    {"https://a.example:65536/x", "1 to 65535"},
    {"https://a.example:100000/x", "1 to 65535"},
    {"https://a.example:18446744073709551617/x", "1 to 65535"},
    {"https://a.example:-1/x", "1 to 65535"},
    {"https://a.example:+443/x", "1 to 65535"},
    {"https://a.example:https/x", "1 to 65535"},
    {"https://a.example:443:443/x", ":PORT or /PATH"},
    {"https://a.example:44x/x", ":PORT or /PATH"},
    /* path */
    {"https://a.example", ":PORT or /PATH"},
    {"https://a.example:443", ":PORT or /PATH"},
    {"https://a.example?x", ":PORT or /PATH"},
    {"https://a.example#x", ":PORT or /PATH"},
    {"https://a.example/x#y", "a fragment"},
    {"https://a.example/x#", "a fragment"},
    {"https://a.example/x y", "must be written with %"},
    {"https://a.example/x\n", "must be written with %"},
    {"https://a.example/x\r\nHost: evil.example", "must be written with %"},
    {"https://a.example/\x7f", "must be written with %"},
    {"https://a.example/\xC3\xBC", "must be written with %"},
    {"https://a.example/\"", "must be written with %"},
    {"https://a.example/`id`", "must be written with %"},
    {"https://a.example/\\", "must be written with %"},
    {"https://a.example/<x>", "must be written with %"},
    {"https://a.example/{x}", "must be written with %"},
    {"https://a.example/%", "two hex digits"},
    {"https://a.example/%2", "two hex digits"},
    {"https://a.example/%2g", "two hex digits"},
    {"https://a.example/%%20", "two hex digits"},
};

static void an_update_comes_from_a_named_host_by_https(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(good_urls); i++) {
        const char *fault = update_url_fault(good_urls[i]);
        if (fault)
            fail_msg("%s: %s", good_urls[i], fault);
    }
}

static void and_from_nowhere_else(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(bad_urls); i++) {
        const char *fault = update_url_fault(bad_urls[i].url);
        if (!fault)
            fail_msg("%s was taken", bad_urls[i].url);
        if (!strstr(fault, bad_urls[i].says))
            fail_msg("%s: %s", bad_urls[i].url, fault);
    }
}

/* The fault of a host of labels of 63 bytes and one of n. */
static const char *fault_of_host(size_t labels, size_t n)
{
    static char url[512];
    size_t at = (size_t)snprintf(url, sizeof url, "https://");
    for (; labels > 0; labels--) {
        memset(url + at, 'x', 63);
        url[at + 63] = '.';
        at += 64;
    }
    memset(url + at, 'x', n);
    snprintf(url + at + n, sizeof url - at - n, ".example/");
    return update_url_fault(url);
}

static void a_name_and_its_parts_are_bounded(void **unused)
{
    (void)unused;
    assert_null(fault_of_host(0, 63));
    assert_non_null(strstr(fault_of_host(0, 64), "too long"));
    assert_null(fault_of_host(3, 253 - 3 * 64 - 8));
    assert_non_null(strstr(fault_of_host(3, 253 - 3 * 64 - 8 + 1), "1 to 253"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_comes_from_a_named_host_by_https),
        cmocka_unit_test(and_from_nowhere_else),
        cmocka_unit_test(a_name_and_its_parts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
