#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct http_head head;

/* --- the library's part ----------------------------------------------------------------------- */

/* The bytes of a request as libmicrohttpd 0.9.75 leaves them: one block, in which ':' and line ends became NULs.
 * Read as leniently as it reads, so that all of the strictness is that of the module. */
struct block {
    char bytes[20000];
    size_t length, at;
    char folded[4][200]; /* names that a fold made it copy */
    size_t folds;
};

static struct block block;

/* The next line, ended by LF or CR LF, which become NULs.  NULL: there is none. */
static char *next_line(void)
{
    char *line = block.bytes + block.at;
    char *end = memchr(line, '\n', block.length - block.at);
    if (!end)
        return NULL;
    block.at = (size_t)(end + 1 - block.bytes);
    *end = 0;
    if (end > line && end[-1] == '\r')
        end[-1] = 0;
    return line;
}

/* A line that begins with a blank goes on: with the name, not with the value, which is the library's error. */
static char *unfold(char *name)
{
    char *rest = block.bytes + block.at;
    while (*rest == ' ' || *rest == '\t') {
        assert_true(block.folds < COUNT(block.folded));
        char *copy = block.folded[block.folds++];
        char *line = next_line();
        assert_non_null(line);
        snprintf(copy, sizeof block.folded[0], "%s%s", name, line + strspn(line, " \t"));
        name = copy;
        rest = block.bytes + block.at;
    }
    return name;
}

/* METHOD, blanks, URI, a blank, VERSION.  False: the library itself answers. */
static bool read_request_line(char *line)
{
    size_t n = strlen(line);
    char *uri = memchr(line, ' ', n), *version = memrchr(line, ' ', n);
    if (!uri || uri == version)
        return false;
    *uri++ = 0;
    uri += strspn(uri, " ");
    if (version < uri)
        return false;
    *version++ = 0;
    http_head_uri(&head, uri);
    http_head_begin(&head, line, version);
    return true;
}

static bool read_field(char *line)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return false;
    *colon = 0;
    char *value = colon + 1 + strspn(colon + 1, " \t");
    char *name = unfold(line);
    http_head_add(&head, name, strlen(name), value, strlen(value));
    return true;
}

static size_t body_max = HTTP_BODY_MAX;

/* What http_head_end() says of these bytes; -1: the library answers itself. */
static int status_of(const char *bytes, size_t length)
{
    memset(&block, 'x', sizeof block);
    assert_true(length < sizeof block.bytes);
    memcpy(block.bytes, bytes, length);
    block.length = length;
    block.at = block.folds = 0;
    char *line = next_line();
    if (!line || !read_request_line(line))
        return -1;
    while ((line = next_line()) != NULL && line[0])
        if (!read_field(line))
            return -1;
    return line ? http_head_end(&head, block.at, body_max) : -1;
}

/* A case, with NULs in it if need be. */
struct head_case {
    const char *bytes;
    size_t length;
    int status;
};

#define CASE(text, status) \
    { \
        "" text, sizeof(text) - 1, status \
    }
#define GET(rest) "GET / HTTP/1.1\r\nHost: box\r\n" rest "\r\n"

static void assert_statuses(const struct head_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int status = status_of(cases[i].bytes, cases[i].length);
        if (status != cases[i].status)
            fail_msg("%zu: \"%.60s\": %d, wanted %d (%s)", i, cases[i].bytes, status,
                     cases[i].status, head.problem ? head.problem : "no problem");
        assert_int_equal(status != 0, head.problem != NULL);
    }
}

/* --- good heads ------------------------------------------------------------------------------- */

static void good_heads_pass(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET(""), 0),
        CASE("GET / HTTP/1.0\r\nHost: box\r\n\r\n", 0),
        CASE("PATCH /api/v1/config HTTP/1.1\r\nHost:box:8443\r\nContent-Length:2\r\n\r\n", 0),
        CASE("OPTIONS / HTTP/1.1\r\nhost: box\r\n\r\n", 0),
        CASE("M-SEARCH /a?b=c&d=%20e HTTP/1.1\r\nHOST:\t box \t\r\n\r\n", 0),
        CASE("GET /%00%2e%2e/~!$&'()*+,;=:@-._ HTTP/1.1\r\nHost: box\r\n\r\n", 0),
        CASE(GET("X-Empty:\r\nX-Blank:  \r\nX-Tab: a\tb\r\n"), 0),
        CASE(GET("X-Latin: K\xFC"
                 "che\r\nX-UTF8: K\xC3\xBC"
                 "che\r\nx!#$%&'*+-.^_`|~9: :\r\n"),
             0),
        CASE(GET("Accept-Encoding: gzip\r\nAccept-Encoding: br\r\n"), 0),
        CASE(GET("If-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\n"), 0),
        CASE(GET("Cookie: a\r\nCookie: b\r\n"), 0), /* of no interest */
        CASE(GET("Expect: 100-continue\r\n"), 0),
        CASE(GET("Expect: 100-Continue\r\n"), 0),
        CASE(GET("Content-Length: 65536\r\n"), 0),
        CASE(GET("Content-Length: 0\r\n"), 0),
        CASE(GET("Content-Length: 0005\r\n"), 0),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void fields_of_interest_are_found_in_any_case(void **unused)
{
    static const char request[] =
        "PATCH /api/v1/config HTTP/1.1\r\nhOST: box:8443 \t\r\nauthorization:Basic eA==\r\n"
        "CONTENT-LENGTH: 12\r\nContent-type: application/json\r\nX-Other: 1\r\n"
        "Origin: https://box:8443\r\nsec-fetch-site: same-origin\r\nIf-Match: \"a\"\r\n"
        "If-None-Match: \"b\"\r\nAccept-Encoding: gzip, br\r\nExpect: 100-continue\r\n\r\n";
    static const char *const values[FIELD_N] = {
        [FIELD_HOST] = "box:8443",
        [FIELD_AUTHORIZATION] = "Basic eA==",
        [FIELD_CONTENT_LENGTH] = "12",
        [FIELD_CONTENT_TYPE] = "application/json",
        [FIELD_ORIGIN] = "https://box:8443",
        [FIELD_FETCH_SITE] = "same-origin",
        [FIELD_IF_MATCH] = "\"a\"",
        [FIELD_IF_NONE_MATCH] = "\"b\"",
        [FIELD_ACCEPT_ENCODING] = "gzip, br",
        [FIELD_EXPECT] = "100-continue",
    };
    (void)unused;
    assert_int_equal(status_of(request, sizeof request - 1), 0);
    assert_int_equal(head.body_length, 12);
    for (int i = 0; i < FIELD_N; i++) {
        assert_int_equal(values[i] != NULL, head.value[i] != NULL);
        if (values[i]) {
            assert_int_equal(head.length[i], strlen(values[i]));
            assert_memory_equal(head.value[i], values[i], head.length[i]);
        }
    }
}

static void a_head_without_these_fields_has_none(void **unused)
{
    static const char request[] = GET("Content: a\r\nContent-Lengt: 5\r\nContent-Lengthy: 5\r\n");
    (void)unused;
    assert_int_equal(status_of(request, sizeof request - 1), 0);
    assert_int_equal(head.body_length, 0);
    for (int i = 0; i < FIELD_N; i++)
        assert_int_equal(head.value[i] != NULL, i == FIELD_HOST);
}

/* --- lines ------------------------------------------------------------------------------------ */

static void folded_fields_are_refused(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET("Content-Length: 5\r\n x\r\n"), 400),
        CASE(GET("X: a\r\n b\r\n"), 400),
        CASE(GET("X: a\r\n\tb\r\n"), 400),
        CASE(GET("X: a\r\n \r\n"), 400),
        CASE(GET("X: a\r\n b\r\n c\r\n"), 400),
        CASE(GET("X: a\r\n b\r\nY: c\r\n"), 400),
        CASE(GET("X:\r\n b\r\n"), 400),
        CASE(GET(" X: a\r\n"), 400),
        CASE(GET("X: a\r\n Transfer-Encoding: chunked\r\n"), 400)};
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void lines_that_end_with_lf_alone_are_refused(void **unused)
{
    static const struct head_case cases[] = {
        CASE("GET / HTTP/1.1\nHost: box\r\n\r\n", 400),
        CASE("GET / HTTP/1.1\r\nHost: box\n\r\n", 400),
        CASE("GET / HTTP/1.1\r\nHost: box\r\n\n", 400),
        CASE("GET / HTTP/1.1\nHost: box\n\n", 400),
        CASE(GET("X: a\n"), 400),
        CASE(GET("X: a\nY: b\r\n"), 400),
        CASE(GET("X: a\nY: b \r\n"), 400), /* a blank too many makes up for the CR */
        CASE(GET("X: a\nY:  b\r\n"), 400),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void a_cr_within_a_line_is_refused(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET("X: a\rb\r\n"), 400),
        CASE(GET("X: a\r\r\n"), 400),
        CASE(GET("X\r: a\r\n"), 400),
        CASE(GET("X:\ra\r\n"), 400),
        CASE("GET /\r HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET / HTTP/1.1\r\r\nHost: box\r\n\r\n", 505),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void nuls_are_refused_wherever_they_stand(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET("X: a\0b\r\n"), 400),
        CASE(GET("X: a\0\r\n"), 400),
        CASE(GET("X: \0\r\n"), 400),
        CASE(GET("Host2: a\0Content-Length: 5\r\n"), 400),
        CASE("GET /\0 HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET /a\0b HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("G\0ET / HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET / HTTP/1.1\0\r\nHost: box\r\n\r\n", 400),
        CASE("GET / HTTP/1.1\r\nHost: box\0\r\n\r\n", 400),
        CASE(GET("\0X: a\r\n"), 400), /* ends the head for the library */
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int status = status_of(cases[i].bytes, cases[i].length);
        if (status == 0)
            fail_msg("%zu was taken", i);
    }
}

/* Put anywhere into a good head, a control byte must not pass. */
static void no_control_byte_passes(void **unused)
{
    static const char good[] = "GET /a?b HTTP/1.1\r\nHost: box\r\nX: a b\r\nY:\r\n\r\n";
    static const char bytes[] = {0, 1, 7, 8, '\n', 0x0B, 0x0C, '\r', 0x1B, 0x1F, 0x7F};
    (void)unused;
    for (size_t k = 0; k < sizeof bytes; k++)
        for (size_t i = 0; i < sizeof good - 1; i++) {
            char request[sizeof good + 1];
            memcpy(request, good, i);
            request[i] = bytes[k];
            memcpy(request + i + 1, good + i, sizeof good - i);
            /* before the CR of a line, or for it, it ends the line as CR does: harmless */
            if (bytes[k] == 0 && good[i] == '\n')
                continue;
            if (bytes[k] == '\n' && i == sizeof good - 2) /* behind the head */
                continue;
            if (status_of(request, sizeof good) == 0)
                fail_msg("byte %d at %zu was taken", bytes[k], i);
        }
}

/* --- the request line ------------------------------------------------------------------------- */

static void the_request_line_has_single_blanks(void **unused)
{
    static const struct head_case cases[] = {
        CASE("GET  / HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET /  HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET / a HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET /\t HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET\t/ / HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET / HTTP/1.1 \r\nHost: box\r\n\r\n", 505),
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_not_equal(status_of(cases[i].bytes, cases[i].length), 0);
}

static void the_path_is_ascii_that_begins_with_a_slash(void **unused)
{
    static const struct head_case cases[] = {
        CASE("GET * HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET a HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET http://box/ HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("CONNECT box:443 HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET /\xC3\xBC HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET /\xFF HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET /\x80?a HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET /?\x1F HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("GET /?\x7F HTTP/1.1\r\nHost: box\r\n\r\n", 400),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
    http_head_uri(&head, "");
    assert_int_equal(head.status, 400);
}

static void the_method_is_a_token(void **unused)
{
    static const struct head_case cases[] = {
        CASE("G(T / HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("G\"T / HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE("\xC3\xBC / HTTP/1.1\r\nHost: box\r\n\r\n", 400),
        CASE(" / HTTP/1.1\r\nHost: box\r\n\r\n", 400),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void the_version_is_one_of_two(void **unused)
{
    static const char *const others[] = {"HTTP/1.2", "HTTP/0.9",  "HTTP/2.0", "HTTP/1.10",
                                         "http/1.1", "HTTP/1.1x", "HTTP/1,1", "HTTP/11",
                                         "1.1",      "HTTP/1."};
    char request[100];
    (void)unused;
    for (size_t i = 0; i < COUNT(others); i++) {
        int n = snprintf(request, sizeof request, "GET / %s\r\nHost: box\r\n\r\n", others[i]);
        assert_int_equal(status_of(request, (size_t)n), 505);
    }
}

/* --- fields ----------------------------------------------------------------------------------- */

static void names_are_tokens(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET("Transfer-Encoding : chunked\r\n"), 400),
        CASE(GET("Transfer-Encoding\t: chunked\r\n"), 400),
        CASE(GET("Content-Length : 5\r\n"), 400),
        CASE(GET("X Y: a\r\n"), 400),
        CASE(GET("X(: a\r\n"), 400),
        CASE(GET("X\xC3\xBC: a\r\n"), 400),
        CASE(GET("X\x7F: a\r\n"), 400),
        CASE(GET("X\x01: a\r\n"), 400),
        CASE(GET(": a\r\n"), 400), /* ends the head for the library */
        CASE("GET / HTTP/1.1\r\nHost : box\r\n\r\n", 400),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void values_hold_no_control_bytes(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET("X: a\x01\r\n"), 400),
        CASE(GET("X: \x08\r\n"), 400),
        CASE(GET("X: a\x0B\r\n"), 400),
        CASE(GET("X: a\x1F"
                 "b\r\n"),
             400),
        CASE(GET("X: a\x7F\r\n"), 400),
        CASE(GET("Authorization: Basic \x1B\r\n"), 400),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void a_field_that_may_come_once_comes_once(void **unused)
{
    static const char *const names[] = {"Host",           "Authorization",     "Content-Length",
                                        "Content-Type",   "Transfer-Encoding", "Origin",
                                        "Sec-Fetch-Site", "If-Match",          "Expect"};
    char request[200];
    (void)unused;
    for (size_t i = 0; i < COUNT(names); i++) {
        int n = snprintf(request, sizeof request,
                         "GET / HTTP/1.1\r\nhost: box\r\n%s: 1\r\nX: a\r\n%s: 1\r\n\r\n", names[i],
                         names[i]);
        assert_int_equal(status_of(request, (size_t)n), 400);
        assert_string_equal(head.problem, "a header field that may come once came twice");
    }
}

static void a_length_is_digits_up_to_the_limit(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET("Content-Length:\r\n"), 400),
        CASE(GET("Content-Length: \r\n"), 400),
        CASE(GET("Content-Length: +5\r\n"), 400),
        CASE(GET("Content-Length: -5\r\n"), 400),
        CASE(GET("Content-Length: 0x5\r\n"), 400),
        CASE(GET("Content-Length: 5, 5\r\n"), 400),
        CASE(GET("Content-Length: 5,\r\n"), 400),
        CASE(GET("Content-Length: 5 5\r\n"), 400),
        CASE(GET("Content-Length: 5.0\r\n"), 400),
        CASE(GET("Content-Length: 1e1\r\n"), 400),
        CASE(GET("Content-Length: five\r\n"), 400),
        CASE(GET("Content-Length: \xD9\xA5\r\n"), 400),
        CASE(GET("Content-Length: 65537\r\n"), 413),
        CASE(GET("Content-Length: 655360\r\n"), 413),
        CASE(GET("Content-Length: 4294967296\r\n"), 413),
        CASE(GET("Content-Length: 18446744073709551615\r\n"), 413),
        CASE(GET("Content-Length: 18446744073709551616\r\n"), 413),
        CASE(GET("Content-Length: 18446744073709551621\r\n"), 413),
        CASE(GET("Content-Length: 99999999999999999999999999999999999999999\r\n"), 413),
        CASE(GET("Content-Length: 99999999999999999999999999999999999999x\r\n"), 400),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void lengths_are_read_as_they_are(void **unused)
{
    static const size_t lengths[] = {0, 1, 9, 10, 12345, 65535, 65536};
    char request[100];
    (void)unused;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        int n = snprintf(request, sizeof request, GET("Content-Length: %zu\r\n"), lengths[i]);
        assert_int_equal(status_of(request, (size_t)n), 0);
        assert_int_equal(head.body_length, lengths[i]);
    }
}

static void a_file_may_be_longer(void **unused)
{
    static const struct head_case good[] = {CASE(GET("Content-Length: 65537\r\n"), 0),
                                            CASE(GET("Content-Length: 1000000\r\n"), 0)};
    static const struct head_case bad[] = {
        CASE(GET("Content-Length: 1000001\r\n"), 413),
        CASE(GET("Content-Length: 18446744073709551616\r\n"), 413),
        CASE(GET("Content-Length: 18446744073710551616\r\n"), 413)};
    (void)unused;
    body_max = 1000000;
    assert_statuses(good, COUNT(good));
    assert_statuses(bad, COUNT(bad));
    body_max = HTTP_BODY_MAX;
}

static void transfer_codings_are_refused(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET("Transfer-Encoding: chunked\r\n"), 501),
        CASE(GET("transfer-encoding:chunked\r\n"), 501),
        CASE(GET("Transfer-Encoding: xchunked\r\n"), 501),
        CASE(GET("Transfer-Encoding: identity, chunked\r\n"), 501),
        CASE(GET("Transfer-Encoding:\r\n"), 501),
        CASE(GET("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 501),
        CASE(GET("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 501),
        CASE("POST / HTTP/1.0\r\nHost: box\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void a_head_names_its_host(void **unused)
{
    static const struct head_case cases[] = {
        CASE("GET / HTTP/1.1\r\n\r\n", 400),
        CASE("GET / HTTP/1.0\r\n\r\n", 400),
        CASE("GET / HTTP/1.1\r\nX-Host: box\r\n\r\n", 400),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
    assert_string_equal(head.problem, "the Host field is missing");
}

static void one_expectation_is_known(void **unused)
{
    static const struct head_case cases[] = {
        CASE(GET("Expect: 200-ok\r\n"), 417),
        CASE(GET("Expect: 100-continue, x\r\n"), 417),
        CASE(GET("Expect:\r\n"), 417),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

static void a_head_has_up_to_8192_bytes(void **unused)
{
    static char request[HTTP_HEAD_MAX + 100];
    static const char begin[] = "GET / HTTP/1.1\r\nHost: box\r\nX: ", end[] = "\r\n\r\n";
    (void)unused;
    for (int over = 0; over < 2; over++) {
        size_t length = HTTP_HEAD_MAX + (size_t)over;
        memset(request, 'a', sizeof request);
        memcpy(request, begin, sizeof begin - 1);
        memcpy(request + length - (sizeof end - 1), end, sizeof end);
        assert_int_equal(status_of(request, length), over ? 431 : 0);
    }
}

static void the_first_problem_is_told(void **unused)
{
    static const struct head_case cases[] = {
        CASE("GET * HTTP/1.2\r\nX : a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        CASE("GET / HTTP/1.2\r\nX : a\r\nTransfer-Encoding: chunked\r\n\r\n", 505),
        CASE("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n", 501),
    };
    (void)unused;
    assert_statuses(cases, COUNT(cases));
}

/* --- hosts ------------------------------------------------------------------------------------ */

static void a_host_is_found_in_its_field(void **unused)
{
    static const char *const cases[][2] = {
        {"box", "box"},
        {"Box.LOCAL", "box.local"},
        {"box:8443", "box"},
        {"box:", "box"},
        {"box.local.", "box.local"},
        {"box.local.:443", "box.local"},
        {"192.0.2.5", "192.0.2.5"},
        {"192.0.2.5:443", "192.0.2.5"},
        {"[::1]", "::1"},
        {"[2001:DB8::5]:8443", "2001:db8::5"},
        {"[fe80::1]:", "fe80::1"},
    };
    char host[64];
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(http_head_host(cases[i][0], host, sizeof host));
        assert_string_equal(host, cases[i][1]);
    }
}

static void what_is_no_host_is_refused(void **unused)
{
    static const char *const cases[] = {
        "",     ".",      ":",        ":443",    ".:443",     "[",          "[]",        "[]:443",
        "[::1", "[::1]x", "[::1]443", "[::1]:x", "[::1]:4:3", "::1",        "a:b",       "a:443x",
        "a:-1", "a:+1",   "a: 443",   "a:443 ",  "a:443:443", "user:p@box", "http://box"};
    char host[64];
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (http_head_host(cases[i], host, sizeof host))
            fail_msg("\"%s\" was taken as \"%s\"", cases[i], host);
}

/* What cannot be a host name must at least not be taken for another one. */
static void what_surrounds_a_host_is_not_dropped(void **unused)
{
    static const char *const cases[] = {
        "user@box", "]:443", "box/path",   "box?x", "box#x", "box,other",  "box other",
        " box",     "box ",  "b\xC3\xB6x", "box..", "*",     "box\\@other"};
    char host[64];
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (http_head_host(cases[i], host, sizeof host)) {
            assert_string_not_equal(host, "box");
            assert_string_not_equal(host, "other");
        }
}

static void a_host_that_does_not_fit_is_refused(void **unused)
{
    char host[8], too_long[20] = "1234567";
    (void)unused;
    assert_true(http_head_host(too_long, host, sizeof host));
    assert_true(http_head_host("1234567.:443", host, sizeof host));
    assert_false(http_head_host("12345678", host, sizeof host));
    assert_false(http_head_host("[1234:5678]", host, sizeof host));
}

/* --- origins ---------------------------------------------------------------------------------- */

static bool same_origin(const char *host, const char *origin, const char *site)
{
    struct http_head h = {0};
    h.value[FIELD_HOST] = host;
    h.value[FIELD_ORIGIN] = origin;
    h.value[FIELD_FETCH_SITE] = site;
    return http_head_same_origin(&h);
}

static void our_page_and_scripts_are_believed(void **unused)
{
    (void)unused;
    assert_true(same_origin("box", NULL, NULL)); /* curl */
    assert_true(same_origin("box", "https://box", NULL));
    assert_true(same_origin("box:8443", "https://box:8443", "same-origin"));
    assert_true(same_origin("Box", "https://box", "same-origin"));
    assert_true(same_origin("[::1]:8443", "https://[::1]:8443", NULL));
    assert_true(same_origin("box", NULL, "none")); /* typed into the address line */
}

static void other_pages_are_not(void **unused)
{
    static const char *const origins[] = {"https://other",
                                          "http://box",
                                          "https://box:8443",
                                          "https://box.other",
                                          "https://boxx",
                                          "https://bo",
                                          "https://",
                                          "null",
                                          "",
                                          "box",
                                          "https://box/",
                                          "HTTPS://box",
                                          "https://user@box"};
    static const char *const sites[] = {"cross-site", "same-site", "", "None", "same-origin "};
    (void)unused;
    for (size_t i = 0; i < COUNT(origins); i++)
        assert_false(same_origin("box", origins[i], NULL));
    for (size_t i = 0; i < COUNT(sites); i++) {
        assert_false(same_origin("box", NULL, sites[i]));
        assert_false(same_origin("box", "https://box", sites[i]));
    }
    assert_false(same_origin("box", "https://other", "same-origin"));
    assert_false(same_origin(NULL, "https://box", NULL));
}

/* --- types and tags --------------------------------------------------------------------------- */

static bool is_json(const char *type)
{
    struct http_head h = {0};
    h.value[FIELD_CONTENT_TYPE] = type;
    return http_head_is_json(&h);
}

static void json_is_known_by_its_type(void **unused)
{
    static const char *const good[] = {"application/json",
                                       "Application/JSON",
                                       "application/merge-patch+json",
                                       "application/json;charset=utf-8",
                                       "application/json; charset=UTF-8",
                                       "application/json ; charset=utf-8",
                                       "application/merge-patch+json; charset=utf-8"};
    static const char *const bad[] = {"",
                                      "text/plain",
                                      "application/x-www-form-urlencoded",
                                      "multipart/form-data",
                                      "application/jsonx",
                                      "application/json-patch+json",
                                      "application/jso",
                                      "application/json; charset=latin1",
                                      "application/json; charset=utf-16",
                                      "application/json; charset=utf-8; x=y",
                                      "application/json, text/plain",
                                      "text/plain; application/json",
                                      "text/json",
                                      " application/json"};
    (void)unused;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(is_json(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(is_json(bad[i]));
    assert_false(is_json(NULL));
}

static void a_tag_is_found_in_a_list(void **unused)
{
    static const char *const lists[] = {
        "\"a-1\"", "*", "\"b\",\"a-1\"", "\"a-1\" , \"b\"", ",\t\"a-1\",,", "\"a-1\" "};
    (void)unused;
    for (size_t i = 0; i < COUNT(lists); i++) {
        assert_true(http_head_etag_matches(lists[i], "\"a-1\"", false));
        assert_true(http_head_etag_matches(lists[i], "\"a-1\"", true));
    }
}

static void other_tags_are_not(void **unused)
{
    static const char *const lists[] = {
        "",   "a-1", "\"a-1", "a-1\"", "\"a-1\"x",  "x\"a-1\"", "\"A-1\"",  "\"a-12\"",   "\"a-\"",
        "**", "* ",  "\"*\"", ",",     "w/\"a-1\"", "W/ \"a-1", "W\"a-1\"", "W/W/\"a-1\""};
    (void)unused;
    for (size_t i = 0; i < COUNT(lists); i++) {
        assert_false(http_head_etag_matches(lists[i], "\"a-1\"", false));
        assert_false(http_head_etag_matches(lists[i], "\"a-1\"", true));
    }
    assert_false(http_head_etag_matches("W/\"a-1\"", "\"a-1\"", false));
    assert_true(http_head_etag_matches("W/\"a-1\"", "\"a-1\"", true));
    assert_true(http_head_etag_matches("\"b\", W/\"a-1\"", "\"a-1\"", true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_heads_pass),
        cmocka_unit_test(fields_of_interest_are_found_in_any_case),
        cmocka_unit_test(a_head_without_these_fields_has_none),
        cmocka_unit_test(folded_fields_are_refused),
        cmocka_unit_test(lines_that_end_with_lf_alone_are_refused),
        cmocka_unit_test(a_cr_within_a_line_is_refused),
        cmocka_unit_test(nuls_are_refused_wherever_they_stand),
        cmocka_unit_test(no_control_byte_passes),
        cmocka_unit_test(the_request_line_has_single_blanks),
        cmocka_unit_test(the_path_is_ascii_that_begins_with_a_slash),
        cmocka_unit_test(the_method_is_a_token),
        cmocka_unit_test(the_version_is_one_of_two),
        cmocka_unit_test(names_are_tokens),
        cmocka_unit_test(values_hold_no_control_bytes),
        cmocka_unit_test(a_field_that_may_come_once_comes_once),
        cmocka_unit_test(a_length_is_digits_up_to_the_limit),
        cmocka_unit_test(lengths_are_read_as_they_are),
        cmocka_unit_test(a_file_may_be_longer),
        cmocka_unit_test(transfer_codings_are_refused),
        cmocka_unit_test(a_head_names_its_host),
        cmocka_unit_test(one_expectation_is_known),
        cmocka_unit_test(a_head_has_up_to_8192_bytes),
        cmocka_unit_test(the_first_problem_is_told),
        cmocka_unit_test(a_host_is_found_in_its_field),
        cmocka_unit_test(what_is_no_host_is_refused),
        cmocka_unit_test(what_surrounds_a_host_is_not_dropped),
        cmocka_unit_test(a_host_that_does_not_fit_is_refused),
        cmocka_unit_test(our_page_and_scripts_are_believed),
        cmocka_unit_test(other_pages_are_not),
        cmocka_unit_test(json_is_known_by_its_type),
        cmocka_unit_test(a_tag_is_found_in_a_list),
        cmocka_unit_test(other_tags_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
