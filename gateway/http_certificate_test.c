#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_certificate.h"

#include "certificate.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400 };

#define NOW_S INT64_C(1790000000) /* September 2026 */
#define GARBAGE "-----BEGIN CERTIFICATE-----\nMIIBYjCCAQegAwIBAgIQ\n-----END CERTIFICATE-----\n"

/* A key and what goes with it, as PEM. */
struct pair {
    char key[CERTIFICATE_PEM_MAX], chain[2 * CERTIFICATE_PEM_MAX];
};

static struct pair first, second, rsa;
static struct http_certificate certificate;

/* --- making ----------------------------------------------------------------------------------- */

static void make_pair(struct pair *p, const char *name)
{
    const struct certificate_request request = {
        .common_name = name, .now_s = NOW_S, .valid_days = 30, .for_server = true};
    assert_true(certificate_make_key(p->key));
    assert_true(certificate_make(p->key, &request, p->chain));
}

static void take_text(gnutls_datum_t *text, char *pem)
{
    assert_true(text->size < CERTIFICATE_PEM_MAX);
    memcpy(pem, text->data, text->size);
    pem[text->size] = 0;
    gnutls_free(text->data);
}

/* A certificate for `subject`, signed by `issuer` with its key; alone, it signs itself. */
static gnutls_x509_crt_t sign(gnutls_x509_privkey_t subject, const char *name,
                              gnutls_x509_crt_t issuer, gnutls_x509_privkey_t issuer_key)
{
    gnutls_x509_crt_t c;
    assert_int_equal(gnutls_x509_crt_init(&c), 0);
    assert_int_equal(gnutls_x509_crt_set_version(c, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(c, "\1", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(c, (time_t)NOW_S), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(c, (time_t)NOW_S + DAY_S), 0);
    assert_int_equal(gnutls_x509_crt_set_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                                   (unsigned)strlen(name)),
                     0);
    assert_int_equal(gnutls_x509_crt_set_key(c, subject), 0);
    assert_int_equal(
        gnutls_x509_crt_sign2(c, issuer ? issuer : c, issuer_key, GNUTLS_DIG_SHA256, 0), 0);
    return c;
}

static void export(gnutls_x509_crt_t c, char *pem)
{
    gnutls_datum_t text;
    assert_int_equal(gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &text), 0);
    take_text(&text, pem);
}

static gnutls_x509_privkey_t new_key(gnutls_pk_algorithm_t algorithm, unsigned bits)
{
    gnutls_x509_privkey_t key;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(key, algorithm, bits, 0), 0);
    return key;
}

static void export_key(gnutls_x509_privkey_t key, char *pem)
{
    gnutls_datum_t text;
    assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text), 0);
    take_text(&text, pem);
}

/* What a house's own authority hands out: the box's certificate and, behind it, the authority's. */
static void make_chain(struct pair *p, char *root)
{
    const unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
    gnutls_x509_privkey_t root_key = new_key(GNUTLS_PK_ECDSA, bits),
                          key = new_key(GNUTLS_PK_ECDSA, bits);
    gnutls_x509_crt_t issuer = sign(root_key, "authority", NULL, root_key);
    gnutls_x509_crt_t leaf = sign(key, "box", issuer, root_key);
    export_key(key, p->key);
    export(leaf, p->chain);
    export(issuer, root);
    gnutls_x509_crt_deinit(leaf);
    gnutls_x509_crt_deinit(issuer);
    gnutls_x509_privkey_deinit(key);
    gnutls_x509_privkey_deinit(root_key);
}

static int make_pairs(void **unused)
{
    (void)unused;
    make_pair(&first, "first");
    make_pair(&second, "second");
    gnutls_x509_privkey_t key = new_key(GNUTLS_PK_RSA, 2048);
    gnutls_x509_crt_t c = sign(key, "rsa", NULL, key);
    export_key(key, rsa.key);
    export(c, rsa.chain);
    gnutls_x509_crt_deinit(c);
    gnutls_x509_privkey_deinit(key);
    return 0;
}

static int forget_certificate(void **unused)
{
    (void)unused;
    http_certificate_free(&certificate);
    return 0;
}

/* Puts a text behind a chain. */
static void append(char *chain, size_t capacity, const char *pem)
{
    size_t n = strlen(chain), length = strlen(pem);
    assert_true(length < capacity - n);
    memcpy(chain + n, pem, length + 1);
}

/* --- what is shown ---------------------------------------------------------------------------- */

static bool use(const struct pair *p)
{
    return http_certificate_use(&certificate, p->key, p->chain);
}

/* What a new connection is shown: so many certificates, of which the first is for this name. */
static void assert_shown(const char *name, unsigned expected_count)
{
    gnutls_session_t session;
    gnutls_pcert_st *chain = NULL;
    gnutls_privkey_t key = NULL;
    gnutls_x509_crt_t c;
    unsigned count = 99;
    char found[64];
    size_t length = sizeof found;
    assert_int_equal(gnutls_init(&session, GNUTLS_SERVER), 0);
    gnutls_session_set_ptr(session, &certificate);
    assert_int_equal(http_certificate_show(session, NULL, 0, NULL, 0, &chain, &count, &key), 0);
    gnutls_deinit(session);
    assert_int_equal(count, expected_count);
    if (count == 0)
        return;
    assert_non_null(key);
    assert_int_equal(gnutls_x509_crt_init(&c), 0);
    assert_int_equal(gnutls_x509_crt_import(c, &chain[0].cert, GNUTLS_X509_FMT_DER), 0);
    assert_int_equal(
        gnutls_x509_crt_get_dn_by_oid(c, GNUTLS_OID_X520_COMMON_NAME, 0, 0, found, &length), 0);
    assert_string_equal(found, name);
    gnutls_x509_crt_deinit(c);
}

static void at_first_nothing_is_shown(void **unused)
{
    (void)unused;
    assert_shown("", 0);
    http_certificate_free(&certificate);
}

static void what_is_used_is_shown(void **unused)
{
    (void)unused;
    assert_true(use(&first));
    assert_shown("first", 1);
}

static void it_is_replaced_for_new_connections_only(void **unused)
{
    (void)unused;
    assert_true(use(&first));
    const struct http_key_pair shown = certificate.now;
    assert_true(use(&second));
    assert_shown("second", 1);
    assert_ptr_equal(certificate.before.key, shown.key); /* a handshake may hold it */
    assert_int_equal(gnutls_privkey_get_pk_algorithm(shown.key, NULL), GNUTLS_PK_ECDSA);
    assert_true(use(&first));
    assert_true(use(&rsa));
    assert_true(use(&second));
    assert_shown("second", 1);
}

static void the_same_may_be_used_again(void **unused)
{
    (void)unused;
    for (int i = 0; i < 5; i++)
        assert_true(use(&first));
    assert_shown("first", 1);
}

static void freeing_leaves_nothing_to_show(void **unused)
{
    (void)unused;
    assert_true(use(&first));
    assert_true(use(&second));
    http_certificate_free(&certificate);
    assert_shown("", 0);
    http_certificate_free(&certificate);
    assert_true(use(&first));
    assert_shown("first", 1);
}

static void rsa_can_be_used(void **unused)
{
    (void)unused;
    assert_true(use(&rsa));
    assert_shown("rsa", 1);
    assert_int_equal(gnutls_privkey_get_pk_algorithm(certificate.now.key, NULL), GNUTLS_PK_RSA);
}

/* --- chains ----------------------------------------------------------------------------------- */

static void a_chain_of_two_is_shown_whole(void **unused)
{
    struct pair p;
    char root[CERTIFICATE_PEM_MAX];
    (void)unused;
    make_chain(&p, root);
    append(p.chain, sizeof p.chain, root);
    assert_true(use(&p));
    assert_shown("box", 2);
}

/* The box's own comes first, as TLS wants it. */
static void a_chain_in_the_wrong_order_is_refused(void **unused)
{
    struct pair p;
    char chain[2 * CERTIFICATE_PEM_MAX]; /* first the authority's alone */
    (void)unused;
    make_chain(&p, chain);
    append(chain, sizeof chain, p.chain);
    assert_true(use(&first));
    assert_false(http_certificate_use(&certificate, p.key, chain));
    assert_shown("first", 1);
}

static void a_chain_without_end_is_refused(void **unused)
{
    char chain[(HTTP_CHAIN_MAX + 2) * CERTIFICATE_PEM_MAX] = "";
    (void)unused;
    for (unsigned n = 1; n <= HTTP_CHAIN_MAX + 2; n++) {
        append(chain, sizeof chain, n == 1 ? first.chain : second.chain);
        assert_int_equal(http_certificate_use(&certificate, first.key, chain), n <= HTTP_CHAIN_MAX);
        assert_shown("first", n < HTTP_CHAIN_MAX ? n : HTTP_CHAIN_MAX);
    }
}

static void text_around_the_certificates_does_not_matter(void **unused)
{
    char chain[2 * CERTIFICATE_PEM_MAX + 100];
    (void)unused;
    snprintf(chain, sizeof chain, "Bag Attributes\r\n  name: box\n\n%s\n# end\n", first.chain);
    assert_true(http_certificate_use(&certificate, first.key, chain));
    assert_shown("first", 1);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void assert_refused(const char *key, const char *chain)
{
    if (http_certificate_use(&certificate, key, chain))
        fail_msg("taken: %.40s / %.40s", key, chain);
    assert_shown("first", 1);
}

static void a_key_for_another_certificate_is_refused(void **unused)
{
    (void)unused;
    assert_true(use(&first));
    assert_refused(first.key, second.chain);
    assert_refused(second.key, first.chain);
    assert_refused(first.key, rsa.chain);
    assert_refused(rsa.key, first.chain);
}

static void what_cannot_be_read_is_refused(void **unused)
{
    static const char *const garbage[] = {
        "",
        "\n",
        "x",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----",
        GARBAGE,
        "\xFF\xFE\xFD",
    };
    char both[2 * CERTIFICATE_PEM_MAX + sizeof GARBAGE];
    (void)unused;
    assert_true(use(&first));
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        assert_refused(garbage[i], first.chain);
        assert_refused(first.key, garbage[i]);
        assert_refused(garbage[i], garbage[i]);
    }
    assert_refused(first.key, first.key);
    assert_refused(first.chain, first.chain);
    assert_refused(first.chain, first.key);
    snprintf(both, sizeof both, "%s%s", first.chain, GARBAGE);
    assert_refused(first.key, both);
    snprintf(both, sizeof both, "%s%s", GARBAGE, first.chain);
    assert_refused(first.key, both);
}

/* Before the last line, of which the library wants the beginning only. */
static void texts_that_were_cut_are_refused(void **unused)
{
    char cut[2 * CERTIFICATE_PEM_MAX];
    (void)unused;
    assert_true(use(&first));
    for (size_t n = (size_t)(strstr(first.chain, "\n-----END") - first.chain); n > 0;
         n -= n > 7 ? 7 : n) {
        snprintf(cut, sizeof cut, "%.*s", (int)n, first.chain);
        assert_refused(first.key, cut);
    }
    for (size_t n = (size_t)(strstr(first.key, "\n-----END") - first.key); n > 0;
         n -= n > 7 ? 7 : n) {
        snprintf(cut, sizeof cut, "%.*s", (int)n, first.key);
        assert_refused(cut, first.chain);
    }
}

static void a_key_with_a_passphrase_is_refused(void **unused)
{
    gnutls_x509_privkey_t key = new_key(GNUTLS_PK_RSA, 2048);
    gnutls_datum_t text;
    char pem[CERTIFICATE_PEM_MAX];
    (void)unused;
    assert_int_equal(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, "secret",
                                                       GNUTLS_PKCS_PBES2_AES_256, &text),
                     0);
    take_text(&text, pem);
    gnutls_x509_privkey_deinit(key);
    assert_true(use(&first));
    assert_refused(pem, first.chain);
}

#define TEST(name) cmocka_unit_test_teardown(name, forget_certificate)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(at_first_nothing_is_shown),
        TEST(what_is_used_is_shown),
        TEST(it_is_replaced_for_new_connections_only),
        TEST(the_same_may_be_used_again),
        TEST(freeing_leaves_nothing_to_show),
        TEST(rsa_can_be_used),
        TEST(a_chain_of_two_is_shown_whole),
        TEST(a_chain_in_the_wrong_order_is_refused),
        TEST(a_chain_without_end_is_refused),
        TEST(text_around_the_certificates_does_not_matter),
        TEST(a_key_for_another_certificate_is_refused),
        TEST(what_cannot_be_read_is_refused),
        TEST(texts_that_were_cut_are_refused),
        TEST(a_key_with_a_passphrase_is_refused),
    };
    return cmocka_run_group_tests(tests, make_pairs, NULL);
}
