#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certificate.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

enum { DAY_S = 86400, DAYS = 3650, MARGIN_DAYS = 30 };

#define NOW_S INT64_C(1790000000) /* September 2026 */

static char key[CERTIFICATE_PEM_MAX];
static struct certificate_names names;

static struct certificate_request request(void)
{
    return (struct certificate_request){.common_name = "AABBCC112233",
                                        .names = &names,
                                        .now_s = NOW_S,
                                        .valid_days = DAYS,
                                        .for_server = true};
}

static int make_key_and_names(void **unused)
{
    (void)unused;
    return certificate_make_key(key) && certificate_names_add(&names, "smart-connect.local") &&
                   certificate_names_add(&names, "192.0.2.5") &&
                   certificate_names_add(&names, "fe80::1")
               ? 0
               : -1;
}

static void make(const struct certificate_request *r, char pem[static CERTIFICATE_PEM_MAX])
{
    assert_true(certificate_make(key, r, pem));
}

/* The library's view of a PEM text; the caller frees it. */
static gnutls_x509_crt_t open_pem(char *pem)
{
    gnutls_x509_crt_t certificate;
    gnutls_datum_t text = {(unsigned char *)pem, (unsigned)strlen(pem)};
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_crt_import(certificate, &text, GNUTLS_X509_FMT_PEM), 0);
    return certificate;
}

/* --- names ------------------------------------------------------------------------------------ */

static void names_are_kept_once_in_one_spelling(void **unused)
{
    struct certificate_names n = {0};
    (void)unused;
    assert_true(certificate_names_add(&n, "Box.Local"));
    assert_true(certificate_names_add(&n, "box.local"));
    assert_true(certificate_names_add(&n, "FE80:0:0::1"));
    assert_true(certificate_names_add(&n, "fe80::1"));
    assert_true(certificate_names_add(&n, "192.0.2.5"));
    assert_int_equal(n.count, 3);
    assert_string_equal(n.name[0], "box.local");
    assert_string_equal(n.name[1], "fe80::1");
    assert_string_equal(n.name[2], "192.0.2.5");
}

static void names_are_found_in_any_spelling(void **unused)
{
    (void)unused;
    assert_true(certificate_names_have(&names, "Smart-Connect.LOCAL"));
    assert_true(certificate_names_have(&names, "fe80:0:0:0:0:0:0:1"));
    assert_true(certificate_names_have(&names, "192.0.2.5"));
    assert_false(certificate_names_have(&names, "192.0.2.50"));
    assert_false(certificate_names_have(&names, "smart-connect"));
    assert_false(certificate_names_have(&names, ""));
}

static void what_is_no_name_is_refused(void **unused)
{
    static const char *const wrong[] = {
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a.-b",
        "a b",
        "a_b",
        "*.local",
        "a/b",
        "b\xC3\xB6x",
        "a\nb",
        "fe80::1%eth0",
        "[::1]",
        "192.0.2.5:443",
        "0123456789012345678901234567890123456789012345678901234567890123",
        "0123456789.0123456789.0123456789.0123456789.0123456789.0123456789"};
    struct certificate_names n = {0};
    (void)unused;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (certificate_names_add(&n, wrong[i]))
            fail_msg("\"%s\" was taken", wrong[i]);
    assert_int_equal(n.count, 0);
}

static void the_longest_name_is_taken(void **unused)
{
    struct certificate_names n = {0};
    char name[CERTIFICATE_NAME_MAX];
    (void)unused;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_true(certificate_names_add(&n, name));
    assert_true(certificate_names_have(&n, name));
}

static struct certificate_names full_list(void)
{
    struct certificate_names n = {0};
    for (int i = 0; i < CERTIFICATE_NAMES_MAX; i++) {
        char name[CERTIFICATE_NAME_MAX];
        memset(name, 'n', sizeof name - 1);
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('a' + i / 26);
        name[sizeof name - 1] = 0;
        assert_true(certificate_names_add(&n, name));
    }
    return n;
}

static void a_full_list_takes_no_other_name(void **unused)
{
    struct certificate_names n = full_list();
    (void)unused;
    assert_false(certificate_names_add(&n, "one.more"));
    assert_true(certificate_names_add(&n, n.name[7]));
    assert_int_equal(n.count, CERTIFICATE_NAMES_MAX);
}

/* --- making ----------------------------------------------------------------------------------- */

static void keys_are_pem_and_differ(void **unused)
{
    static const char begin[] = "-----BEGIN PRIVATE KEY-----\n";
    char other[CERTIFICATE_PEM_MAX];
    (void)unused;
    assert_memory_equal(key, begin, sizeof begin - 1);
    assert_non_null(strstr(key, "-----END PRIVATE KEY-----\n"));
    assert_true(certificate_make_key(other));
    assert_string_not_equal(other, key);
}

static void a_certificate_says_what_was_asked(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    unsigned ca = 1, usage = 0, bits = 0;
    (void)unused;
    make(&r, pem);
    gnutls_x509_crt_t c = open_pem(pem);
    assert_int_equal(gnutls_x509_crt_get_version(c), 3);
    assert_int_equal(gnutls_x509_crt_get_pk_algorithm(c, &bits), GNUTLS_PK_ECDSA);
    assert_int_equal(bits, 256);
    assert_int_equal(gnutls_x509_crt_get_signature_algorithm(c), GNUTLS_SIGN_ECDSA_SHA256);
    assert_int_equal(gnutls_x509_crt_get_activation_time(c), NOW_S - DAY_S);
    assert_int_equal(gnutls_x509_crt_get_expiration_time(c), NOW_S + (int64_t)DAYS * DAY_S);
    assert_int_equal(gnutls_x509_crt_get_basic_constraints(c, NULL, &ca, NULL), 0);
    assert_int_equal(ca, 0);
    assert_int_equal(gnutls_x509_crt_get_key_usage(c, &usage, NULL), 0);
    assert_int_equal(usage, GNUTLS_KEY_DIGITAL_SIGNATURE);
    gnutls_x509_crt_deinit(c);
}

static void assert_purpose(bool for_server, const char *oid)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX], found[64];
    size_t length = sizeof found;
    r.for_server = for_server;
    make(&r, pem);
    gnutls_x509_crt_t c = open_pem(pem);
    assert_int_equal(gnutls_x509_crt_get_key_purpose_oid(c, 0, found, &length, NULL), 0);
    assert_string_equal(found, oid);
    length = sizeof found;
    assert_int_equal(gnutls_x509_crt_get_key_purpose_oid(c, 1, found, &length, NULL),
                     GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE);
    gnutls_x509_crt_deinit(c);
}

static void a_certificate_is_for_a_server_or_a_client(void **unused)
{
    (void)unused;
    assert_purpose(true, GNUTLS_KP_TLS_WWW_SERVER);
    assert_purpose(false, GNUTLS_KP_TLS_WWW_CLIENT);
}

static void clients_find_the_names(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    make(&r, pem);
    gnutls_x509_crt_t c = open_pem(pem);
    assert_true(gnutls_x509_crt_check_hostname(c, "smart-connect.local"));
    assert_true(gnutls_x509_crt_check_hostname(c, "192.0.2.5"));
    assert_true(gnutls_x509_crt_check_hostname(c, "fe80::1"));
    assert_false(gnutls_x509_crt_check_hostname(c, "192.0.2.6"));
    assert_false(gnutls_x509_crt_check_hostname(c, "other.local"));
    gnutls_x509_crt_deinit(c);
}

static void addresses_are_bytes(void **unused)
{
    static const unsigned char ipv4[] = {192, 0, 2, 5}, ipv6[16] = {0xFE, 0x80, [15] = 1};
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX], san[64];
    size_t length = sizeof san;
    (void)unused;
    make(&r, pem);
    gnutls_x509_crt_t c = open_pem(pem);
    assert_int_equal(gnutls_x509_crt_get_subject_alt_name(c, 1, san, &length, NULL),
                     GNUTLS_SAN_IPADDRESS);
    assert_int_equal(length, sizeof ipv4);
    assert_memory_equal(san, ipv4, sizeof ipv4);
    length = sizeof san;
    assert_int_equal(gnutls_x509_crt_get_subject_alt_name(c, 2, san, &length, NULL),
                     GNUTLS_SAN_IPADDRESS);
    assert_int_equal(length, sizeof ipv6);
    assert_memory_equal(san, ipv6, sizeof ipv6);
    gnutls_x509_crt_deinit(c);
}

static void serial_numbers_are_positive_and_differ(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    unsigned char serial[2][32];
    (void)unused;
    for (int i = 0; i < 20; i++) {
        size_t length = sizeof serial[0];
        make(&r, pem);
        gnutls_x509_crt_t c = open_pem(pem);
        assert_int_equal(gnutls_x509_crt_get_serial(c, serial[i % 2], &length), 0);
        assert_int_equal(length, 16);
        assert_in_range(serial[i % 2][0], 0x40, 0x7F);
        gnutls_x509_crt_deinit(c);
    }
    assert_memory_not_equal(serial[0], serial[1], 16);
}

static void the_longest_list_fits(void **unused)
{
    struct certificate_names n = full_list();
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    r.names = &n;
    r.common_name = "0123456789012345678901234567890123456789012345678901234567890123";
    make(&r, pem);
    assert_int_equal(certificate_check(key, pem, &r, MARGIN_DAYS), CERTIFICATE_GOOD);
}

static void what_cannot_be_said_is_refused(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    assert_false(certificate_make("", &r, pem));
    assert_false(certificate_make("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                                  &r, pem));
    r.common_name = "";
    assert_false(certificate_make(key, &r, pem));
    r.common_name = "01234567890123456789012345678901234567890123456789012345678901234";
    assert_false(certificate_make(key, &r, pem));
}

/* --- checking --------------------------------------------------------------------------------- */

static enum certificate_state state_of(const char *pem, const struct certificate_request *wanted)
{
    return certificate_check(key, pem, wanted, MARGIN_DAYS);
}

static void what_was_made_is_good(void **unused)
{
    static const char *const common_names[] = {"AABBCC112233", "a,b+c \"d\\", "B\xC3\xB6x"};
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    for (int i = 0; i < 6; i++) {
        r.common_name = common_names[i % 3];
        r.for_server = i < 3;
        make(&r, pem);
        assert_int_equal(state_of(pem, &r), CERTIFICATE_GOOD);
    }
}

static void without_names_is_good_as_well(void **unused)
{
    static const struct certificate_names none;
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    r.names = NULL;
    make(&r, pem);
    assert_int_equal(state_of(pem, &r), CERTIFICATE_GOOD);
    r.names = &none;
    make(&r, pem);
    assert_int_equal(state_of(pem, &r), CERTIFICATE_GOOD);
}

static void a_certificate_ends(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    make(&r, pem);
    r.now_s = NOW_S + (int64_t)(DAYS - MARGIN_DAYS) * DAY_S - 1;
    assert_int_equal(state_of(pem, &r), CERTIFICATE_GOOD);
    r.now_s++;
    assert_int_equal(state_of(pem, &r), CERTIFICATE_ENDING);
    r.now_s = NOW_S + (int64_t)DAYS * 2 * DAY_S;
    assert_int_equal(state_of(pem, &r), CERTIFICATE_ENDING);
}

/* Made with a clock that was ahead. */
static void a_certificate_of_the_future_does_not_do(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    make(&r, pem);
    r.now_s = NOW_S - DAY_S;
    assert_int_equal(state_of(pem, &r), CERTIFICATE_GOOD);
    r.now_s--;
    assert_int_equal(state_of(pem, &r), CERTIFICATE_ENDING);
}

static void a_missing_name_is_seen_and_one_too_many_forgiven(void **unused)
{
    static const char *const others[] = {"192.0.2.6", "fe80::2", "other.local", "smart-connect"};
    char pem[CERTIFICATE_PEM_MAX];
    struct certificate_request r = request();
    struct certificate_names fewer = {0};
    (void)unused;
    make(&r, pem);
    r.names = &fewer;
    assert_true(certificate_names_add(&fewer, "fe80::1"));
    assert_int_equal(state_of(pem, &r), CERTIFICATE_GOOD);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct certificate_names more = names;
        assert_true(certificate_names_add(&more, others[i]));
        r.names = &more;
        assert_int_equal(state_of(pem, &r), CERTIFICATE_OTHER_NAMES);
    }
}

static void another_common_name_is_seen(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    make(&r, pem);
    r.common_name = "AABBCC112234";
    assert_int_equal(state_of(pem, &r), CERTIFICATE_OTHER_NAMES);
    r.common_name = "AABBCC11223";
    assert_int_equal(state_of(pem, &r), CERTIFICATE_OTHER_NAMES);
}

static void another_key_does_not_do(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX], other[CERTIFICATE_PEM_MAX];
    (void)unused;
    make(&r, pem);
    assert_true(certificate_make_key(other));
    assert_int_equal(certificate_check(other, pem, &r, MARGIN_DAYS), CERTIFICATE_UNUSABLE);
    assert_int_equal(certificate_check("", pem, &r, MARGIN_DAYS), CERTIFICATE_UNUSABLE);
}

static void another_purpose_does_not_do(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    make(&r, pem);
    r.for_server = false;
    assert_int_equal(state_of(pem, &r), CERTIFICATE_UNUSABLE);
}

/* Every character of the base64 changed, one at a time: a signed text has no bit that does not matter. */
static void damage_is_seen_wherever_it_is(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    make(&r, pem);
    char *end = strstr(pem, "\n-----END");
    assert_non_null(end);
    for (char *p = strstr(pem, "-----\n") + 6; p < end; p++) {
        char before = *p;
        if (before == '\n' || before == '=')
            continue;
        *p = before == 'A' ? '/' : 'A';
        if (state_of(pem, &r) != CERTIFICATE_UNUSABLE)
            fail_msg("a change at %d was not seen", (int)(p - pem));
        *p = before;
    }
}

/* Before its last line, of which the library wants the beginning only. */
static void a_text_cut_anywhere_is_no_certificate(void **unused)
{
    struct certificate_request r = request();
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    make(&r, pem);
    for (char *end = strstr(pem, "\n-----END"); end > pem; end--) {
        *end = 0;
        assert_int_equal(state_of(pem, &r), CERTIFICATE_UNUSABLE);
    }
    assert_int_equal(state_of("", &r), CERTIFICATE_UNUSABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_kept_once_in_one_spelling),
        cmocka_unit_test(names_are_found_in_any_spelling),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(the_longest_name_is_taken),
        cmocka_unit_test(a_full_list_takes_no_other_name),
        cmocka_unit_test(keys_are_pem_and_differ),
        cmocka_unit_test(a_certificate_says_what_was_asked),
        cmocka_unit_test(a_certificate_is_for_a_server_or_a_client),
        cmocka_unit_test(clients_find_the_names),
        cmocka_unit_test(addresses_are_bytes),
        cmocka_unit_test(serial_numbers_are_positive_and_differ),
        cmocka_unit_test(the_longest_list_fits),
        cmocka_unit_test(what_cannot_be_said_is_refused),
        cmocka_unit_test(what_was_made_is_good),
        cmocka_unit_test(without_names_is_good_as_well),
        cmocka_unit_test(a_certificate_ends),
        cmocka_unit_test(a_certificate_of_the_future_does_not_do),
        cmocka_unit_test(a_missing_name_is_seen_and_one_too_many_forgiven),
        cmocka_unit_test(another_common_name_is_seen),
        cmocka_unit_test(another_key_does_not_do),
        cmocka_unit_test(another_purpose_does_not_do),
        cmocka_unit_test(damage_is_seen_wherever_it_is),
        cmocka_unit_test(a_text_cut_anywhere_is_no_certificate),
    };
    return cmocka_run_group_tests(tests, make_key_and_names, NULL);
}
