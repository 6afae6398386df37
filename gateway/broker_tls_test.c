/* broker_tls_test.c - real handshakes in memory: our context at one end, a broker of the test at the other, used as
 * libmosquitto uses it.  Keys and certificates are made here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker_tls.h"

#include "certificate.h"
#include "core/reading.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW_S INT64_C(1790000000) /* 2026-09-21 */
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { DAY_S = 86400, PEM_MAX = 32768, SHA256_LEN = 32 };

static EVP_PKEY *root_key, *middle_key, *broker_key, *client_key, *rsa_key, *weak_key;
static char error[BROKER_TLS_ERROR_MAX];

/* --- certificates ----------------------------------------------------------------------------- */

/* What a certificate says; zero is the usual. */
struct wish {
    const char *name;                   /* common name */
    const char *names, *uses, *key_use; /* subjectAltName, extendedKeyUsage, keyUsage */
    bool authority, sha1;
    int from_day, to_day; /* from NOW_S; 0 and 0: a year before to a year after */
};

static void add_extension(X509 *c, int nid, const char *value)
{
    if (!value)
        return;
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(c, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static void add_name(X509_NAME *name, const char *text)
{
    assert_int_equal(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                                (const unsigned char *)text, -1, -1, 0),
                     1);
}

/* issuer NULL: signed by itself. */
static X509 *make(const struct wish *w, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial = 1;
    X509 *c = X509_new();
    int from = w->from_day || w->to_day ? w->from_day : -365,
        to = w->from_day || w->to_day ? w->to_day : 365;
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
    ASN1_TIME_set(X509_getm_notBefore(c), (time_t)(NOW_S + (int64_t)from * DAY_S));
    ASN1_TIME_set(X509_getm_notAfter(c), (time_t)(NOW_S + (int64_t)to * DAY_S));
    add_name(X509_get_subject_name(c), w->name);
    X509_set_issuer_name(c, X509_get_subject_name(issuer ? issuer : c));
    X509_set_pubkey(c, key);
    add_extension(c, NID_basic_constraints, w->authority ? "critical,CA:TRUE" : "CA:FALSE");
    add_extension(c, NID_subject_alt_name, w->names);
    add_extension(c, NID_ext_key_usage, w->uses);
    add_extension(c, NID_key_usage, w->key_use);
    assert_true(X509_sign(c, issuer ? issuer_key : key, w->sha1 ? EVP_sha1() : EVP_sha256()) > 0);
    return c;
}

/* Appends what was written, and frees it. */
static void take(BIO *out, char *pem)
{
    char *bytes;
    size_t n = strlen(pem), length = (size_t)BIO_get_mem_data(out, &bytes);
    assert_true(n + length < PEM_MAX);
    memcpy(pem + n, bytes, length);
    pem[n + length] = 0;
    BIO_free(out);
}

static void append(char *pem, const X509 *certificate)
{
    BIO *out = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(out, certificate), 1);
    take(out, pem);
}

static const char *pem_of(const X509 *certificate)
{
    static char pem[PEM_MAX];
    pem[0] = 0;
    append(pem, certificate);
    return pem;
}

/* passphrase NULL: not encrypted. */
static const char *key_pem(EVP_PKEY *key, const char *passphrase)
{
    static char pem[PEM_MAX];
    BIO *out = BIO_new(BIO_s_mem());
    pem[0] = 0;
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(out, key, passphrase ? EVP_aes_128_cbc() : NULL, passphrase,
                                      passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
        1);
    take(out, pem);
    return pem;
}

static void digest_of_key(EVP_PKEY *key, unsigned char digest[static SHA256_LEN])
{
    unsigned char *der = NULL;
    int length = i2d_PUBKEY(key, &der);
    assert_true(length > 0);
    SHA256(der, (size_t)length, digest);
    OPENSSL_free(der);
}

static const char *pin_of(EVP_PKEY *key)
{
    static char pin[80];
    unsigned char digest[SHA256_LEN];
    digest_of_key(key, digest);
    size_t n = (size_t)snprintf(pin, sizeof pin, "sha256:");
    for (size_t i = 0; i < sizeof digest; i++)
        n += (size_t)snprintf(pin + n, sizeof pin - n, "%02x", digest[i]);
    return pin;
}

/* --- the authority and its broker ------------------------------------------------------------- */

static const struct wish root_wish = {.name = "Test Root", .authority = true};
static const struct wish middle_wish = {.name = "Test Middle", .authority = true};
static const struct wish broker_wish = {
    .name = "broker", .names = "DNS:broker.example", .uses = "serverAuth"};
static X509 *root, *middle;

static int make_keys(void **unused)
{
    (void)unused;
    root_key = EVP_EC_gen("P-256");
    middle_key = EVP_EC_gen("P-256");
    broker_key = EVP_EC_gen("P-256");
    client_key = EVP_EC_gen("P-256");
    rsa_key = EVP_RSA_gen(2048);
    weak_key = EVP_RSA_gen(1024);
    if (!root_key || !middle_key || !broker_key || !client_key || !rsa_key || !weak_key)
        return -1;
    root = make(&root_wish, root_key, NULL, NULL);
    middle = make(&middle_wish, middle_key, root, root_key);
    return 0;
}

static int free_keys(void **unused)
{
    (void)unused;
    X509_free(root);
    X509_free(middle);
    EVP_PKEY *keys[] = {root_key, middle_key, broker_key, client_key, rsa_key, weak_key};
    for (size_t i = 0; i < COUNT(keys); i++)
        EVP_PKEY_free(keys[i]);
    return 0;
}

/* A broker, and how it is reached; zero is the usual. */
struct meeting {
    X509 *certificate; /* of the broker, freed here; NULL: one that the root has signed */
    EVP_PKEY *key;     /* its own */
    X509 *sent;        /* along with it */
    int version;       /* the only one it speaks */
    X509 *clients;     /* the authority of those it lets in; NULL: anybody */
    const char *ca, *host, *own_certificate, *own_key;
    int64_t now_s;
    bool no_time; /* READING_NO_TIME in place of NOW_S */
};

struct outcome {
    bool connected; /* a byte of the broker came through */
    char problem[BROKER_TLS_ERROR_MAX];
    char suspicion[BROKER_TLS_ERROR_MAX];
    char client[64]; /* the common name that the broker saw */
    int version;
};

static SSL_CTX *make_broker(const struct meeting *m)
{
    SSL_CTX *broker = SSL_CTX_new(TLS_server_method());
    X509 *own = m->certificate ? m->certificate : make(&broker_wish, broker_key, root, root_key);
    SSL_CTX_set_security_level(broker, 0);
    SSL_CTX_set_cipher_list(broker, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(broker, m->version);
    SSL_CTX_set_max_proto_version(broker, m->version);
    assert_int_equal(SSL_CTX_use_certificate(broker, own), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(broker, m->key ? m->key : broker_key), 1);
    if (m->sent)
        SSL_CTX_add1_chain_cert(broker, m->sent);
    if (m->clients) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(broker), m->clients);
        X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(broker), (time_t)NOW_S);
        SSL_CTX_set_verify(broker, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    X509_free(own);
    return broker;
}

static struct broker_tls *make_tls(const struct meeting *m)
{
    static char root_pem[PEM_MAX];
    root_pem[0] = 0;
    append(root_pem, root);
    const struct broker_tls_settings settings = {.host = m->host ? m->host : "broker.example",
                                                 .ca = m->ca ? m->ca : root_pem,
                                                 .certificate =
                                                     m->own_certificate ? m->own_certificate : "",
                                                 .key = m->own_key ? m->own_key : "",
                                                 .now_s = m->no_time ? READING_NO_TIME
                                                          : m->now_s ? m->now_s
                                                                     : NOW_S};
    struct broker_tls *t = broker_tls_new(&settings, error);
    if (!t)
        fail_msg("%s", error);
    return t;
}

/* Turns both ends until nothing moves, and reads the byte that the broker sends. */
static bool talk(SSL *client, SSL *broker)
{
    char byte = 0;
    bool greeted = false;
    for (int i = 0; i < 20; i++) {
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(broker);
        if (SSL_is_init_finished(broker) && !greeted)
            greeted = SSL_write(broker, "x", 1) == 1;
        if (SSL_is_init_finished(client) && SSL_read(client, &byte, 1) == 1)
            break;
    }
    ERR_clear_error();
    return byte == 'x';
}

static void note_client(SSL *broker, struct outcome *o)
{
    X509 *c = SSL_get1_peer_certificate(broker);
    o->client[0] = 0;
    if (c)
        X509_NAME_get_text_by_NID(X509_get_subject_name(c), NID_commonName, o->client,
                                  sizeof o->client);
    X509_free(c);
}

static struct outcome meet(struct meeting m)
{
    struct outcome o;
    BIO *ours, *theirs;
    SSL_CTX *context = make_broker(&m);
    struct broker_tls *t = make_tls(&m);
    SSL *client = SSL_new(broker_tls_context(t)), *broker = SSL_new(context);
    assert_int_equal(BIO_new_bio_pair(&ours, 0, &theirs, 0), 1);
    SSL_set_bio(client, ours, ours);
    SSL_set_bio(broker, theirs, theirs);
    assert_int_equal(SSL_set_tlsext_host_name(client, (char *)(m.host ? m.host : "broker.example")),
                     1);
    SSL_set_connect_state(client);
    SSL_set_accept_state(broker);
    o.connected = talk(client, broker);
    o.version = SSL_version(client);
    note_client(broker, &o);
    SSL_free(client);
    SSL_free(broker);
    SSL_CTX_free(context);
    snprintf(o.problem, sizeof o.problem, "%s", broker_tls_problem(t));
    snprintf(o.suspicion, sizeof o.suspicion, "%s",
             broker_tls_suspicion(t)); /* libmosquitto's SSL is gone by now */
    broker_tls_free(t);
    return o;
}

static void assert_lets_in(struct meeting m)
{
    struct outcome o = meet(m);
    if (!o.connected || o.problem[0])
        fail_msg("refused: %s", o.problem);
}

static void assert_refuses(struct meeting m, const char *problem)
{
    struct outcome o = meet(m);
    assert_false(o.connected);
    assert_string_equal(o.problem, problem);
}

/* --- chains ----------------------------------------------------------------------------------- */

static void a_broker_of_the_authority_that_was_set_is_trusted(void **unused)
{
    (void)unused;
    assert_lets_in((struct meeting){0});
    assert_lets_in((struct meeting){.certificate = make(&broker_wish, rsa_key, root, root_key),
                                    .key = rsa_key});
}

static void tls_1_3_and_1_2_are_spoken(void **unused)
{
    (void)unused;
    assert_int_equal(meet((struct meeting){0}).version, TLS1_3_VERSION);
    assert_lets_in((struct meeting){.version = TLS1_2_VERSION});
    assert_lets_in((struct meeting){.version = TLS1_2_VERSION,
                                    .certificate = make(&broker_wish, rsa_key, root, root_key),
                                    .key = rsa_key});
}

static void older_tls_is_not_spoken(void **unused)
{
    static const int old[] = {TLS1_VERSION, TLS1_1_VERSION};
    (void)unused;
    for (size_t i = 0; i < COUNT(old); i++)
        assert_refuses((struct meeting){.version = old[i]},
                       "the broker ended the handshake (alert: protocol version): it must speak "
                       "TLS 1.2 or later");
}

static void a_broker_of_another_authority_is_refused(void **unused)
{
    (void)unused;
    X509 *other =
        make(&(struct wish){.name = "Other Root", .authority = true}, middle_key, NULL, NULL);
    struct meeting m = {.certificate = make(&broker_wish, broker_key, other, middle_key)};
    assert_refuses(m, "the broker's certificate is not signed by one of MQTT/CA (issuer CN=Other "
                      "Root): set it to the "
                      "broker's CA, and have the broker send its whole chain");
    m = (struct meeting){.certificate = make(&broker_wish, broker_key, other, middle_key),
                         .sent = other};
    assert_refuses(m, "the broker's certificate is not signed by one of MQTT/CA (issuer CN=Other "
                      "Root): set it to the "
                      "broker's CA, and have the broker send its whole chain");
    X509_free(other);
}

/* The authority was made anew, under its old name. */
static void an_authority_of_the_same_name_with_another_key_is_told(void **unused)
{
    (void)unused;
    X509 *other = make(&root_wish, middle_key, NULL, NULL);
    struct meeting m = {.certificate = make(&broker_wish, broker_key, other, middle_key)};
    assert_refuses(m, "the broker's certificate has a wrong signature: an authority of that name "
                      "is trusted here, but "
                      "has another key");
    X509_free(other);
}

static void one_authority_of_several_is_enough(void **unused)
{
    static char ca[PEM_MAX];
    (void)unused;
    X509 *other =
        make(&(struct wish){.name = "Other Root", .authority = true}, middle_key, NULL, NULL);
    ca[0] = 0;
    append(ca, other);
    append(ca, root);
    assert_lets_in((struct meeting){.ca = ca});
    X509_free(other);
}

static void an_intermediate_has_to_be_sent_or_set(void **unused)
{
    (void)unused;
    struct meeting m = {.certificate = make(&broker_wish, broker_key, middle, middle_key)};
    assert_refuses(m, "the broker's certificate is not signed by one of MQTT/CA (issuer CN=Test "
                      "Middle): set it to the "
                      "broker's CA, and have the broker send its whole chain");
    m = (struct meeting){.certificate = make(&broker_wish, broker_key, middle, middle_key),
                         .sent = middle};
    assert_lets_in(m);
    m = (struct meeting){.certificate = make(&broker_wish, broker_key, middle, middle_key),
                         .ca = pem_of(middle)};
    assert_lets_in(m);
}

static void a_certificate_signed_by_itself_is_trusted_when_it_was_set(void **unused)
{
    (void)unused;
    X509 *self = make(&broker_wish, broker_key, NULL, NULL);
    X509_up_ref(self);
    assert_lets_in((struct meeting){.certificate = self, .ca = pem_of(self)});
    assert_refuses((struct meeting){.certificate = self},
                   "the broker's certificate is signed by itself and not trusted here: set MQTT/CA "
                   "to it, if it is the "
                   "right one");
}

static void the_brokers_own_certificate_may_be_set_without_its_authority(void **unused)
{
    (void)unused;
    X509 *own = make(&broker_wish, broker_key, root, root_key);
    X509_up_ref(own);
    assert_lets_in((struct meeting){.certificate = own, .ca = pem_of(own)});
    assert_refuses((struct meeting){.certificate = own, .ca = pem_of(own), .host = "other.example"},
                   "the broker's certificate is for broker.example, not for other.example");
}

static void what_is_no_authority_signs_nobody(void **unused)
{
    (void)unused;
    X509 *plain = make(&(struct wish){.name = "Plain"}, middle_key, root, root_key);
    struct meeting m = {.certificate = make(&broker_wish, broker_key, plain, middle_key),
                        .sent = plain};
    assert_refuses(m, "the authority's certificate (CN=Plain) has signed another, and is not that "
                      "of an authority "
                      "(CA:FALSE)");
    X509_free(plain);
}

static void a_certificate_for_clients_is_not_for_a_broker(void **unused)
{
    struct wish w = broker_wish;
    (void)unused;
    w.uses = "clientAuth";
    struct meeting m = {.certificate = make(&w, broker_key, root, root_key)};
    assert_refuses(
        m,
        "the broker's certificate is not for a TLS server: see its keyUsage and extendedKeyUsage");
    X509 *own = make(&w, broker_key, root, root_key);
    m = (struct meeting){.certificate = own, .ca = pem_of(own)};
    assert_refuses(
        m,
        "the broker's certificate is not for a TLS server: see its keyUsage and extendedKeyUsage");
    w.uses = NULL;
    assert_lets_in((struct meeting){.certificate = make(&w, broker_key, root, root_key)});
}

static void weak_keys_and_old_hashes_are_refused(void **unused)
{
    struct wish sha1 = broker_wish;
    (void)unused;
    sha1.sha1 = true;
    assert_refuses((struct meeting){.certificate = make(&broker_wish, weak_key, root, root_key),
                                    .key = weak_key},
                   "the broker's certificate has a key that is too weak: it takes RSA with 2048 "
                   "bits, or P-256");
    assert_refuses((struct meeting){.certificate = make(&sha1, broker_key, root, root_key)},
                   "the broker's certificate is signed with SHA-1 or worse: it takes SHA-256");
    X509 *weak = make(&root_wish, weak_key, NULL, NULL);
    assert_refuses((struct meeting){.certificate = make(&broker_wish, broker_key, weak, weak_key),
                                    .ca = pem_of(weak)},
                   "the authority's certificate (CN=Test Root) has a key that is too weak: it "
                   "takes RSA with 2048 bits, "
                   "or P-256");
    X509_free(weak);
}

/* The place of the system's store is OpenSSL's to know; its variable says another. */
static void without_a_setting_the_systems_store_is_asked(void **unused)
{
    char path[] = "/tmp/broker_tls_test.XXXXXX";
    (void)unused;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char *pem = pem_of(root);
    assert_int_equal(write(fd, pem, strlen(pem)), strlen(pem));
    close(fd);
    setenv("SSL_CERT_DIR", "/nowhere", 1);
    setenv("SSL_CERT_FILE", path, 1);
    struct outcome known = meet((struct meeting){.ca = ""});
    setenv("SSL_CERT_FILE", "/nowhere", 1);
    struct outcome unknown = meet((struct meeting){.ca = ""});
    unlink(path);
    unsetenv("SSL_CERT_FILE");
    unsetenv("SSL_CERT_DIR");
    assert_true(known.connected);
    assert_false(unknown.connected);
    assert_string_equal(
        unknown.problem,
        "the broker's certificate is not signed by an authority trusted here (issuer "
        "CN=Test Root): set MQTT/CA to its CA certificate");
}

/* --- dates ------------------------------------------------------------------------------------ */

static void dates_are_judged_at_the_time_that_was_given(void **unused)
{
    struct wish w = broker_wish;
    (void)unused;
    w.from_day = -10;
    w.to_day = 10;
#define AT(when) \
    ((struct meeting){.certificate = make(&w, broker_key, root, root_key), .now_s = when})
    assert_lets_in(AT(NOW_S));
    assert_lets_in(AT(NOW_S + 10 * DAY_S - 1));
    assert_lets_in(AT(NOW_S - 10 * DAY_S + 1));
    assert_refuses(AT(NOW_S + 11 * DAY_S),
                   "the broker's certificate ended on 2026-10-01: it has to be renewed");
    assert_refuses(
        AT(NOW_S - 11 * DAY_S),
        "the broker's certificate is valid only from 2026-09-11: is this box's clock right?");
#undef AT
}

/* From 1971 to 1999, and to 2108: wherever this is tried, the first is over and the other is not. */
static void without_a_time_the_systems_clock_holds(void **unused)
{
    struct wish w = broker_wish;
    (void)unused;
    w.from_day = -20000;
    for (size_t pinned = 0; pinned < 2; pinned++) {
        w.to_day = 30000;
        X509 *good = make(&w, broker_key, NULL, NULL);
        assert_lets_in((struct meeting){
            .certificate = good, .ca = pinned ? pin_of(broker_key) : pem_of(good), .no_time = true});
        w.to_day = -10000;
        X509 *old = make(&w, broker_key, NULL, NULL);
        assert_refuses((struct meeting){.certificate = old,
                                        .ca = pinned ? pin_of(broker_key) : pem_of(old),
                                        .no_time = true},
                       "the broker's certificate ended on 1999-05-06: it has to be renewed");
    }
}

static void the_dates_of_an_authority_count_too(void **unused)
{
    (void)unused;
    X509 *old =
        make(&(struct wish){.name = "Old Root", .authority = true, .from_day = -900, .to_day = -1},
             root_key, NULL, NULL);
    struct meeting m = {.certificate = make(&broker_wish, broker_key, old, root_key),
                        .ca = pem_of(old)};
    assert_refuses(
        m, "the authority's certificate (CN=Old Root) ended on 2026-09-20: it has to be renewed");
    X509_free(old);
}

/* --- names ------------------------------------------------------------------------------------ */

static struct meeting named(const char *names, const char *host)
{
    struct wish w = broker_wish;
    w.names = names;
    return (struct meeting){.certificate = make(&w, broker_key, root, root_key), .host = host};
}

static void a_broker_must_go_by_the_name_it_is_reached_by(void **unused)
{
    static const struct {
        const char *names, *host;
        bool fits;
    } cases[] = {
        {"DNS:a.example", "a.example", true},
        {"DNS:a.example", "A.EXAMPLE", true},
        {"DNS:a.example", "a.example.", true},
        {"DNS:a.example,DNS:b.example", "b.example", true},
        {"DNS:broker", "broker", true},
        {"DNS:my_broker.lan", "my_broker.lan", true},
        {"DNS:a.example", "b.example", false},
        {"DNS:a.example", "x.a.example", false},
        {"DNS:a.example", "example", false},
        {"DNS:*.example.org", "a.example.org", true},
        {"DNS:*.example.org", "example.org", false},
        {"DNS:*.example.org", "a.b.example.org", false},
        {"DNS:a*.example.org", "ab.example.org", false},
        {"DNS:*a.example.org", "ba.example.org", false},
        {"DNS:a.*.example.org", "a.b.example.org", false},
        {"DNS:*", "broker", false},
        {"IP:192.0.2.7", "192.0.2.7", true},
        {"IP:192.0.2.7", "192.0.2.8", false},
        {"IP:2001:db8::7", "2001:db8::7", true},
        {"IP:2001:db8::7", "2001:DB8:0:0:0:0:0:7", true},
        {"IP:2001:db8::7", "2001:db8::8", false},
        {"DNS:192.0.2.7", "192.0.2.7", false},
        {"DNS:*.0.2.7", "192.0.2.7", false},
        {"email:a@broker.example", "broker.example", false},
        {"URI:mqtts://broker.example", "broker.example", false},
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct outcome o = meet(named(cases[i].names, cases[i].host));
        if (o.connected != cases[i].fits || (o.problem[0] == 0) != cases[i].fits)
            fail_msg("%s for %s: %s", cases[i].names, cases[i].host, o.problem);
    }
}

static void the_names_of_a_certificate_are_told(void **unused)
{
    (void)unused;
    assert_refuses(
        named("DNS:a.example,IP:192.0.2.7,email:a@b.c,IP:2001:db8::7,DNS:b.example", "c.example"),
        "the broker's certificate is for a.example, 192.0.2.7, 2001:db8::7, b.example, not for "
        "c.example");
    assert_refuses(named("DNS:a.example", "192.0.2.9"),
                   "the broker's certificate is for a.example, not for 192.0.2.9");
    assert_refuses(named("DNS:one.long.name.example,DNS:two.long.name.example,DNS:the.third.one.is."
                         "too.long.example,DNS:x",
                         "y"),
                   "the broker's certificate is for one.long.name.example, two.long.name.example, "
                   "..., not for y");
}

/* RFC 9525; those who have such a certificate are told how to make a better one. */
static void a_common_name_alone_does_not_count(void **unused)
{
    (void)unused;
    struct wish w = {.name = "broker.example"};
    assert_refuses((struct meeting){.certificate = make(&w, broker_key, root, root_key)},
                   "the broker's certificate names no host (a common name alone does not count): "
                   "make it anew with "
                   "subjectAltName=DNS:broker.example");
    w.name = "192.0.2.7";
    assert_refuses(
        (struct meeting){.certificate = make(&w, broker_key, root, root_key), .host = "192.0.2.7"},
        "the broker's certificate names no host (a common name alone does not count): make it anew "
        "with "
        "subjectAltName=IP:192.0.2.7");
    w = (struct wish){.name = "broker.example", .names = "DNS:other.example"};
    assert_refuses((struct meeting){.certificate = make(&w, broker_key, root, root_key)},
                   "the broker's certificate is for other.example, not for broker.example");
}

/* subjectAltName with bytes that no tool would write. */
static X509 *with_raw_name(const char *bytes, int length)
{
    struct wish w = broker_wish;
    w.names = NULL;
    X509 *c = make(&w, broker_key, root, root_key);
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    ASN1_STRING_set(value, bytes, length);
    GENERAL_NAME_set0_value(name, GEN_DNS, value);
    sk_GENERAL_NAME_push(names, name);
    assert_int_equal(X509_add1_ext_i2d(c, NID_subject_alt_name, names, 0, 0), 1);
    GENERAL_NAMES_free(names);
    assert_true(X509_sign(c, root_key, EVP_sha256()) > 0);
    return c;
}

static void hostile_names_are_shown_as_text(void **unused)
{
    static const char nul[] = "broker.example\0.evil.example";
    static const char lines[] = "a\r\nb\x1b[31m\xc2\x9b\xff\xe2\x80\xae:";
    (void)unused;
    assert_refuses(
        (struct meeting){.certificate = with_raw_name(nul, sizeof nul - 1)},
        "the broker's certificate is for broker.example?.evil.example, not for broker.example");
    assert_refuses((struct meeting){.certificate = with_raw_name(lines, sizeof lines - 1)},
                   "the broker's certificate is for a??b?[31m???:, not for broker.example");
    X509 *other = make(&(struct wish){.name = "M\xc3\xbcller,\n\xe2\x80\xae", .authority = true},
                       middle_key, NULL, NULL);
    assert_refuses(
        (struct meeting){.certificate = make(&broker_wish, broker_key, other, middle_key)},
        "the broker's certificate is not signed by one of MQTT/CA (issuer "
        "CN=M\xc3\xbcller\\,\\0A?): set it to "
        "the broker's CA, and have the broker send its whole chain");
    X509_free(other);
}

static void long_names_are_cut(void **unused)
{
    char name[250], host[BROKER_TLS_ERROR_MAX];
    (void)unused;
    memset(name, 'n', sizeof name);
    memset(host, 'h', sizeof host);
    host[127] = 0;
    struct outcome o =
        meet((struct meeting){.certificate = with_raw_name(name, sizeof name), .host = host});
    assert_false(o.connected);
    assert_non_null(strstr(o.problem, "not for hhhh"));
    assert_true(strlen(o.problem) < BROKER_TLS_ERROR_MAX - 1);
}

/* --- pins ------------------------------------------------------------------------------------- */

static void a_pinned_key_is_trusted_whatever_its_certificate_says(void **unused)
{
    (void)unused;
    const char *pin = pin_of(broker_key);
    assert_lets_in((struct meeting){.ca = pin, .host = "other.example"});
    assert_lets_in((struct meeting){.ca = pin, .host = "192.0.2.1", .version = TLS1_2_VERSION});
    assert_lets_in(
        (struct meeting){.ca = pin, .certificate = make(&broker_wish, broker_key, NULL, NULL)});
    struct wish w = {.name = "nothing"};
    assert_lets_in(
        (struct meeting){.ca = pin, .certificate = make(&w, broker_key, middle, middle_key)});
    assert_lets_in((struct meeting){
        .ca = pin_of(rsa_key), .certificate = make(&w, rsa_key, NULL, NULL), .key = rsa_key});
}

static void another_key_than_the_pinned_one_is_told(void **unused)
{
    char problem[BROKER_TLS_ERROR_MAX], pin[80];
    (void)unused;
    snprintf(problem, sizeof problem, "the broker's key is %s, not the one set in MQTT/CA",
             pin_of(broker_key));
    snprintf(pin, sizeof pin, "%s", pin_of(client_key));
    assert_refuses((struct meeting){.ca = pin}, problem);
    assert_refuses((struct meeting){.ca = pin_of(root_key), .sent = root},
                   problem); /* the leaf's, not the chain's */
}

static void a_pinned_key_has_dates_as_well(void **unused)
{
    struct wish w = broker_wish;
    (void)unused;
    w.from_day = -10;
    w.to_day = 10;
    const char *pin = pin_of(broker_key);
#define AT(when) \
    ((struct meeting){.ca = pin, .certificate = make(&w, broker_key, NULL, NULL), .now_s = when})
    assert_lets_in(AT(NOW_S));
    assert_refuses(AT(NOW_S + 11 * DAY_S),
                   "the broker's certificate ended on 2026-10-01: it has to be renewed");
    assert_refuses(
        AT(NOW_S - 11 * DAY_S),
        "the broker's certificate is valid only from 2026-09-11: is this box's clock right?");
#undef AT
}

/* --- alerts ----------------------------------------------------------------------------------- */

static const struct wish client_wish = {.name = "00112233AABB", .uses = "clientAuth"};

static void our_certificate_is_shown_with_its_chain(void **unused)
{
    static char chain[PEM_MAX];
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)unused;
    X509 *own = make(&client_wish, client_key, middle, middle_key);
    chain[0] = 0;
    append(chain, own);
    append(chain, middle);
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct outcome o = meet((struct meeting){.clients = root,
                                                 .version = versions[i],
                                                 .own_certificate = chain,
                                                 .own_key = key_pem(client_key, NULL)});
        if (!o.connected)
            fail_msg("%s", o.problem);
        assert_string_equal(o.client, "00112233AABB");
    }
    X509_free(own);
}

static void the_device_certificate_can_be_shown(void **unused)
{
    static char key[CERTIFICATE_PEM_MAX], certificate[CERTIFICATE_PEM_MAX];
    struct certificate_request request = {
        .common_name = "00112233AABB", .now_s = NOW_S, .valid_days = 7300};
    bool of_key;
    (void)unused;
    assert_true(certificate_make_key(key) && certificate_make(key, &request, certificate));
    assert_true(broker_tls_check_identity(certificate, key, &of_key, error));
    BIO *in = BIO_new_mem_buf(certificate, -1);
    X509 *device = PEM_read_bio_X509(in, NULL, NULL, NULL);
    struct outcome o =
        meet((struct meeting){.clients = device, .own_certificate = certificate, .own_key = key});
    assert_true(o.connected);
    assert_string_equal(o.client, "00112233AABB");
    X509_free(device);
    BIO_free(in);
}

/* With TLS 1.3 this comes when our side of the handshake is done. */
static void a_broker_that_refuses_our_certificate_is_told(void **unused)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)unused;
    X509 *own = make(&client_wish, client_key, NULL, NULL);
    X509 *old = make(&(struct wish){.name = "old", .from_day = -20, .to_day = -10}, client_key,
                     root, root_key);
    for (size_t i = 0; i < COUNT(versions); i++) {
        struct meeting m = {
            .clients = root, .version = versions[i], .own_key = key_pem(client_key, NULL)};
        m.own_certificate = pem_of(own);
        assert_refuses(m, "the broker refuses our certificate (alert: unknown CA): make the "
                          "certificate of this box, or "
                          "its CA, known to it");
        m.own_certificate = pem_of(old);
        assert_refuses(m, "the broker refuses our certificate (alert: certificate expired): give "
                          "this box a new one");
    }
    X509_free(own);
    X509_free(old);
}

static void a_broker_that_wants_a_certificate_and_gets_none_is_told(void **unused)
{
    (void)unused;
    assert_refuses((struct meeting){.clients = root, .version = TLS1_3_VERSION},
                   "the broker refuses our certificate (alert: certificate required): it got none "
                   "that it can use");
    assert_refuses((struct meeting){.clients = root, .version = TLS1_2_VERSION},
                   "the broker refuses our certificate (alert: handshake failure): it got none "
                   "that it can use");
}

/* Its alert may be lost: then it is suspected, and a broker that asks for none is not. */
static void a_broker_that_asked_for_our_certificate_is_suspected(void **unused)
{
    (void)unused;
    assert_string_equal(meet((struct meeting){0}).suspicion, "");
    assert_string_equal(meet((struct meeting){.clients = root}).suspicion,
                        "the broker asked for a certificate, got none and ended the connection: "
                        "with MQTT/Username empty this box shows one");
    X509 *own = make(&client_wish, client_key, NULL, NULL);
    struct meeting m = {
        .clients = root, .own_certificate = pem_of(own), .own_key = key_pem(client_key, NULL)};
    assert_string_equal(meet(m).suspicion,
                        "the broker asked for our certificate and ended the connection: make the "
                        "certificate of this box, or its CA, known to it");
    X509_free(own);
}

/* Feeds bytes, and then the end, to a client that waits for an answer to its hello; returns the problem. */
static const char *problem_with(const void *bytes, int length)
{
    static char problem[BROKER_TLS_ERROR_MAX];
    struct broker_tls *t = make_tls(&(struct meeting){0});
    SSL *client = SSL_new(broker_tls_context(t));
    BIO *in = BIO_new(BIO_s_mem());
    SSL_set_bio(client, in, BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client);
    assert_true(SSL_do_handshake(client) <= 0);
    assert_string_equal(broker_tls_problem(t), "");
    BIO_write(in, bytes, length);
    BIO_set_mem_eof_return(in, 0);
    assert_true(SSL_do_handshake(client) <= 0);
    ERR_clear_error();
    SSL_free(client);
    snprintf(problem, sizeof problem, "%s", broker_tls_problem(t));
    broker_tls_free(t);
    return problem;
}

static void what_does_not_speak_tls_is_told(void **unused)
{
    static const char connack[] = {0x20, 0x02, 0x00, 0x05, 0x20, 0x02, 0x00, 0x05};
    static const unsigned char tls_1_1[47] = {0x16, 3,  2, 0, 42,          2,    0,
                                              0,    38, 3, 2, [44] = 0xC0, 0x14, 0};
    (void)unused;
    assert_string_equal(
        problem_with(connack, sizeof connack),
        "what answers there does not speak TLS: is this the broker's port for TLS?");
    assert_string_equal(
        problem_with("", 0),
        "the broker ended the connection in place of a handshake: is this its port for TLS?");
    assert_string_equal(problem_with(tls_1_1, sizeof tls_1_1),
                        "the broker speaks an old TLS only: it must speak TLS 1.2 or later");
    assert_string_equal(
        problem_with("\x16\x03\x03\x00\x00", 5),
        "the broker ended the connection in place of a handshake: is this its port for TLS?");
    assert_string_equal(problem_with("\x17\x03\x03\x00\x01x", 6),
                        "the broker's TLS cannot be used: unexpected message");
}

static void only_fatal_alerts_are_told(void **unused)
{
    static const char warning[] = {0x15, 3, 3, 0, 2, 1, 0x70},
                      fatal[] = {0x15, 3, 3, 0, 2, 2, 0x70};
    (void)unused;
    assert_string_equal(
        problem_with(warning, sizeof warning),
        "the broker ended the connection in place of a handshake: is this its port for TLS?");
    assert_string_equal(
        problem_with(fatal, sizeof fatal),
        "the broker ended the handshake (alert: unrecognized name): it does not go by the name in "
        "MQTT/Broker");
}

/* --- settings that cannot be used ------------------------------------------------------------- */

static void assert_unusable(const struct broker_tls_settings *s, const char *why)
{
    error[0] = 0;
    assert_null(broker_tls_new(s, error));
    assert_string_equal(error, why);
    assert_int_equal(ERR_peek_error(), 0);
}

static void settings_that_cannot_be_used_are_told(void **unused)
{
    (void)unused;
    struct broker_tls_settings s = {
        .host = "h", .ca = "", .certificate = "", .key = "", .now_s = NOW_S};
    s.ca = "nonsense";
    assert_unusable(&s, "MQTT/CA: this holds no certificate (-----BEGIN CERTIFICATE-----)");
    s.ca = "sha256:00";
    assert_unusable(&s, "MQTT/CA: \"sha256:\" must be followed by 64 hex digits or the base64 of "
                        "32 bytes: the SHA-256 of "
                        "the broker's public key");
    s.ca = "";
    s.host = "";
    assert_unusable(&s, "the broker's name \"\" cannot stand in a certificate");
    s.host = ".example.org"; /* OpenSSL would take any name below */
    assert_unusable(&s, "the broker's name \".example.org\" cannot stand in a certificate");
    s.host = "h";
    s.certificate = "x";
    assert_unusable(&s, "this holds no certificate (-----BEGIN CERTIFICATE-----)");
    broker_tls_free(NULL);
}

/* --- the setting `ca` ------------------------------------------------------------------------- */

static char ca[BROKER_TLS_CA_MAX];

static bool check(const char *text)
{
    assert_true(strlen(text) < sizeof ca);
    memset(ca, 0, sizeof ca);
    memcpy(ca, text, strlen(text));
    error[0] = 0;
    bool ok = broker_tls_check_ca(ca, error);
    assert_true(ok == (error[0] == 0));
    assert_int_equal(ERR_peek_error(), 0);
    return ok;
}

static void assert_usual(const char *text, const char *usual)
{
    if (!check(text))
        fail_msg("%.60s: %s", text, error);
    assert_string_equal(ca, usual);
}

static void assert_no_ca(const char *text, const char *why)
{
    assert_false(check(text));
    assert_string_equal(error, why);
    assert_memory_equal(ca, text, strlen(text)); /* left as it was */
}

static void a_pin_is_written_in_one_form(void **unused)
{
    static const char usual[] =
        "sha256:00f1e2d3c4b5a69788796a5b4c3d2e1f000102030405060708090a0b0c0d0efa";
    (void)unused;
    assert_usual(usual, usual);
    assert_usual("SHA256:00F1E2D3C4B5A69788796A5B4C3D2E1F000102030405060708090A0B0C0D0EFA\r\n",
                 usual);
    assert_usual(
        " sha256: "
        "00:F1:E2:D3:C4:B5:A6:97:88:79:6A:5B:4C:3D:2E:1F:00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:"
        "0E:FA",
        usual);
    assert_usual("sha256:APHi08S1ppeIeWpbTD0uHwABAgMEBQYHCAkKCwwNDvo=", usual);
}

static void a_pin_that_is_none_is_refused(void **unused)
{
    static const char *const wrong[] = {
        "sha256:",
        "sha256:00f1e2d3c4b5a69788796a5b4c3d2e1f000102030405060708090a0b0c0d0ef",
        "sha256:00f1e2d3c4b5a69788796a5b4c3d2e1f000102030405060708090a0b0c0d0efa0",
        "sha256:00f1e2d3c4b5a69788796a5b4c3d2e1f000102030405060708090a0b0c0d0efg",
        "sha256:00f1e2d3c4b5a69788796a5b4c3d2e1f000102030405060708090a0b0c0d0efa:",
        "sha256::00f1e2d3c4b5a69788796a5b4c3d2e1f000102030405060708090a0b0c0d0efa",
        "sha256:0:0f1e2d3c4b5a69788796a5b4c3d2e1f000102030405060708090a0b0c0d0efa",
        "sha256:00f1e2d3c4b5a69788796a5b4c3d2e1f000102030405060708090a0b0c0d0efa x",
        "sha256:APHi08S1ppeIeWpbTD0uHwABAgMEBQYHCAkKCwwNDvo",
        "sha256:APHi08S1ppeIeWpbTD0uHwABAgMEBQYHCAkKCwwNDv==",
        "sha256:APHi08S1ppeIeWpbTD0uHwABAgMEBQYHCAkKCwwNDvo=A",
        "sha256:APHi08S1ppeIeWpbTD0uHwABAgMEBQYHCAkKCwwN-vo=",
        "sha256:APHi08S1ppeIeWpbTD0uHwABAgMEBQYHCAkKCwwNDvoA",
    };
    (void)unused;
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_no_ca(wrong[i], "\"sha256:\" must be followed by 64 hex digits or the base64 of 32 "
                               "bytes: the SHA-256 of "
                               "the broker's public key");
}

/* Line ends of Windows, blanks around, and one long text before. */
static void certificates_are_kept_and_nothing_else(void **unused)
{
    static char usual[PEM_MAX], text[PEM_MAX];
    (void)unused;
    usual[0] = 0;
    append(usual, root);
    append(usual, middle);
    assert_usual("", "");
    assert_usual(" \r\n", "");
    assert_usual(usual, usual);
    size_t n =
        (size_t)snprintf(text, sizeof text, "\r\nsubject=CN = Test Root\r\n# of the broker\r\n");
    for (const char *p = usual; *p; p++)
        n += (size_t)snprintf(text + n, sizeof text - n, *p == '\n' ? "\r\n" : "%c", *p);
    snprintf(text + n, sizeof text - n,
             "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\nand that was all");
    assert_usual(text, usual);
}

static void a_text_without_a_good_certificate_is_refused(void **unused)
{
    static char text[PEM_MAX];
    (void)unused;
    assert_no_ca("broker.example", "this holds no certificate (-----BEGIN CERTIFICATE-----)");
    assert_no_ca("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
                 "this holds no certificate (-----BEGIN CERTIFICATE-----)");
    assert_no_ca(
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "certificate 1 of this cannot be read: copy it whole, with its BEGIN and END lines");
    snprintf(text, sizeof text, "%s%s", pem_of(root), "-----BEGIN CERTIFICATE-----\nMIIB");
    assert_no_ca(
        text, "certificate 2 of this cannot be read: copy it whole, with its BEGIN and END lines");
    snprintf(text, sizeof text, "%s%s", pem_of(root), key_pem(client_key, NULL));
    assert_no_ca(text, "this holds a private key: give the certificates only");
    assert_no_ca(key_pem(client_key, "secret"),
                 "this holds a private key: give the certificates only");
}

/* A whole certificate in good PEM, and one byte more. */
static void bytes_behind_a_certificate_are_refused(void **unused)
{
    static char text[PEM_MAX];
    unsigned char der[2048], *end = der;
    (void)unused;
    int length = i2d_X509(root, &end);
    BIO *out = BIO_new(BIO_s_mem());
    text[0] = 0;
    der[length] = 0;
    assert_true(PEM_write_bio(out, "CERTIFICATE", "", der, length + 1) > 0);
    take(out, text);
    assert_no_ca(
        text, "certificate 1 of this cannot be read: copy it whole, with its BEGIN and END lines");
}

static void a_text_that_is_too_long_is_refused(void **unused)
{
    (void)unused;
    memset(ca, 'x', sizeof ca);
    assert_false(broker_tls_check_ca(ca, error));
    assert_string_equal(error, "this is longer than 8191 bytes");
}

/* Base64 in long lines becomes longer when it is written in short ones. */
static void a_text_that_becomes_too_long_is_refused(void **unused)
{
    static char text[PEM_MAX], names[8000];
    size_t n = 0;
    (void)unused;
    for (int i = 0; n < 6510; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%sDNS:n%d.broker.example", n ? "," : "",
                              i);
    struct wish w = broker_wish;
    w.names = names;
    X509 *big = make(&w, broker_key, root, root_key);
    const char *pem = pem_of(big);
    size_t length = 0, column = 0;
    const char *body = strchr(pem, '\n') + 1, *end = strstr(pem, "-----END");
    length = (size_t)snprintf(text, sizeof text, "-----BEGIN CERTIFICATE-----\n");
    for (const char *p = body; p < end; p++) {
        if (*p == '\n')
            continue;
        text[length++] = *p;
        if (++column % 200 == 0)
            text[length++] = '\n';
    }
    snprintf(text + length, sizeof text - length, "\n-----END CERTIFICATE-----\n");
    X509_free(big);
    if (strlen(text) >= BROKER_TLS_CA_MAX || strlen(pem) < BROKER_TLS_CA_MAX)
        fail_msg("%zu to %zu bytes do not show it", strlen(text), strlen(pem));
    assert_no_ca(text, "the certificates of this are longer than 8191 bytes");
}

/* Whatever the damage: a good answer or a reason, and what is accepted is accepted again as it is. */
static void assert_stands(const char *text)
{
    static char first[BROKER_TLS_CA_MAX];
    struct broker_tls_facts facts;
    (void)broker_tls_read(text, &facts);
    if (!check(text))
        return;
    memcpy(first, ca, sizeof first);
    assert_usual(first, first);
}

static void a_text_may_end_anywhere(void **unused)
{
    static char whole[PEM_MAX], text[PEM_MAX];
    (void)unused;
    whole[0] = 0;
    append(whole, root);
    append(whole, middle);
    for (size_t n = 0; n <= strlen(whole); n++) {
        snprintf(text, sizeof text, "%.*s", (int)n, whole);
        assert_stands(text);
    }
    for (size_t n = 0; n <= 80; n++) {
        snprintf(text, sizeof text, "%.*s", (int)n, pin_of(root_key));
        assert_stands(text);
    }
}

static void any_bit_may_be_flipped(void **unused)
{
    static char whole[PEM_MAX], text[PEM_MAX];
    (void)unused;
    whole[0] = 0;
    append(whole, root);
    for (size_t n = 0; n < 8 * strlen(whole); n++) {
        snprintf(text, sizeof text, "%s", whole);
        text[n / 8] = (char)(text[n / 8] ^ 1 << n % 8);
        assert_stands(text);
    }
}

/* --- identities ------------------------------------------------------------------------------- */

static void assert_identity_refused(const char *certificate, const char *key, bool key_at_fault,
                                    const char *why)
{
    bool of_key = !key_at_fault;
    error[0] = 0;
    assert_false(broker_tls_check_identity(certificate, key, &of_key, error));
    assert_string_equal(error, why);
    assert_true(of_key == key_at_fault);
    assert_int_equal(ERR_peek_error(), 0);
}

static void assert_wish_refused(const struct wish *w, const char *why)
{
    X509 *own = make(w, client_key, root, root_key);
    assert_identity_refused(pem_of(own), key_pem(client_key, NULL), false, why);
    X509_free(own);
}

static void an_identity_that_can_be_used_is_taken(void **unused)
{
    static const struct wish good[] = {
        {.name = "plain"},
        {.name = "client", .uses = "clientAuth"},
        {.name = "both", .uses = "serverAuth,clientAuth"},
        {.name = "use", .key_use = "digitalSignature,keyEncipherment"},
        {.name = "over", .from_day = -20, .to_day = -10},
        {.name = "coming", .from_day = 10, .to_day = 20},
    };
    bool of_key;
    (void)unused;
    for (size_t i = 0; i < COUNT(good); i++) {
        X509 *own = make(&good[i], client_key, root, root_key),
             *rsa = make(&good[i], rsa_key, NULL, NULL);
        if (!broker_tls_check_identity(pem_of(own), key_pem(client_key, NULL), &of_key, error))
            fail_msg("%s: %s", good[i].name, error);
        if (!broker_tls_check_identity(pem_of(rsa), key_pem(rsa_key, NULL), &of_key, error))
            fail_msg("%s, RSA: %s", good[i].name, error);
        X509_free(own);
        X509_free(rsa);
    }
}

static void a_certificate_that_is_not_a_clients_is_refused(void **unused)
{
    (void)unused;
    assert_wish_refused(&(struct wish){.name = "CA", .authority = true},
                        "the first certificate is that of an authority (CA:TRUE): this box's own "
                        "comes first, made with "
                        "CA:FALSE");
    assert_wish_refused(
        &(struct wish){.name = "server", .uses = "serverAuth"},
        "the certificate is not for a client: its extendedKeyUsage lacks clientAuth");
    assert_wish_refused(&(struct wish){.name = "use", .key_use = "keyEncipherment"},
                        "the certificate is not for a client: its keyUsage lacks digitalSignature");
    assert_wish_refused(&(struct wish){.name = "old", .sha1 = true},
                        "the certificate cannot be used: ca md too weak");
}

static void a_key_that_cannot_be_used_is_refused(void **unused)
{
    static char certificate[PEM_MAX], text[PEM_MAX];
    (void)unused;
    X509 *own = make(&client_wish, client_key, root, root_key),
         *weak = make(&client_wish, weak_key, root, root_key);
    certificate[0] = 0;
    append(certificate, own);
    assert_identity_refused(certificate, key_pem(broker_key, NULL), true,
                            "the key is not that of the certificate");
    assert_identity_refused(certificate, key_pem(rsa_key, NULL), true,
                            "the key is not that of the certificate");
    assert_identity_refused(
        certificate, key_pem(client_key, "secret"), true,
        "the key is encrypted: remove its passphrase first, e.g. openssl pkey -in key.pem -out "
        "plain.pem");
    assert_identity_refused(
        certificate,
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
        "00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        true,
        "the key is encrypted: remove its passphrase first, e.g. openssl pkey -in key.pem -out "
        "plain.pem");
    assert_identity_refused(
        certificate, "", true,
        "this holds no private key that can be read (-----BEGIN PRIVATE KEY-----)");
    assert_identity_refused(
        certificate, certificate, true,
        "this holds no private key that can be read (-----BEGIN PRIVATE KEY-----)");
    assert_identity_refused(
        pem_of(weak), key_pem(weak_key, NULL), true,
        "the key is too weak (1024 bits): it takes RSA with 2048 bits or more, or P-256");
    snprintf(text, sizeof text, "%s%s", certificate, key_pem(client_key, NULL));
    assert_identity_refused(text, key_pem(client_key, NULL), false,
                            "this holds a private key: give the certificates only");
    memset(text, '\n', BROKER_TLS_IDENTITY_MAX);
    text[BROKER_TLS_IDENTITY_MAX] = 0;
    assert_identity_refused(text, key_pem(client_key, NULL), false,
                            "this is longer than 16383 bytes");
    assert_identity_refused(certificate, text, true, "this is longer than 16383 bytes");
    X509_free(own);
    X509_free(weak);
}

/* As `openssl ecparam -genkey` writes it: the curve first, and the key in its old form. */
static const char *old_form(EVP_PKEY *key)
{
    static char pem[PEM_MAX];
    BIO *out = BIO_new(BIO_s_mem());
    pem[0] = 0;
    BIO_puts(out, "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
    assert_int_equal(PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL), 1);
    take(out, pem);
    assert_non_null(strstr(pem, "BEGIN EC PRIVATE KEY"));
    return pem;
}

static void an_identity_is_tidied_up(void **unused)
{
    static char certificate[BROKER_TLS_IDENTITY_MAX], key[BROKER_TLS_IDENTITY_MAX], usual[PEM_MAX];
    bool of_key;
    (void)unused;
    X509 *own = make(&client_wish, client_key, middle, middle_key);
    usual[0] = 0;
    append(usual, own);
    append(usual, middle);
    snprintf(certificate, sizeof certificate, "Bag Attributes\n    secret: 1234\n%.8000s", usual);
    snprintf(key, sizeof key, "%.2000s%.8000s", old_form(client_key), usual);
    assert_true(broker_tls_check_identity(certificate, key, &of_key, error));
    assert_true(broker_tls_tidy_identity(certificate, key));
    assert_string_equal(certificate, usual);
    assert_string_equal(key, key_pem(client_key, NULL));
    assert_false(broker_tls_tidy_identity(certificate, usual));
    X509_free(own);
}

static BIGNUM *secret_of(const char *pem)
{
    BIGNUM *secret = NULL;
    BIO *in = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &secret), 1);
    EVP_PKEY_free(key);
    BIO_free(in);
    return secret;
}

/* A damaged key is refused, unless the bit says nothing, as that of a line end or a version. */
static void any_bit_of_a_key_may_be_flipped(void **unused)
{
    static char certificate[BROKER_TLS_IDENTITY_MAX], key[BROKER_TLS_IDENTITY_MAX], whole[PEM_MAX];
    size_t accepted = 0;
    bool of_key;
    (void)unused;
    X509 *own = make(&client_wish, client_key, root, root_key);
    snprintf(whole, sizeof whole, "%s", key_pem(client_key, NULL));
    BIGNUM *secret = secret_of(whole);
    snprintf(certificate, sizeof certificate, "%.8000s", pem_of(own));
    for (size_t n = 0; n < 8 * strlen(whole); n += 3) { /* two or three of each byte */
        snprintf(key, sizeof key, "%.8000s", whole);
        key[n / 8] = (char)(key[n / 8] ^ 1 << n % 8);
        if (!broker_tls_check_identity(certificate, key, &of_key, error)) {
            assert_true(of_key);
            continue;
        }
        accepted++;
        assert_true(broker_tls_tidy_identity(certificate, key));
        BIGNUM *found = secret_of(key);
        assert_int_equal(BN_cmp(found, secret), 0);
        BN_free(found);
    }
    assert_in_range(accepted, 1, 100);
    BN_free(secret);
    X509_free(own);
}

/* --- facts ------------------------------------------------------------------------------------ */

static void the_facts_of_a_certificate_are_read(void **unused)
{
    struct broker_tls_facts facts;
    unsigned char digest[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1];
    (void)unused;
    struct wish w = {.name = "Z\xc3\xa4hler, 1", .from_day = -1, .to_day = 30000};
    X509 *own = make(&w, client_key, root, root_key);
    assert_true(broker_tls_read(pem_of(own), &facts));
    assert_string_equal(facts.subject, "CN=Z\xc3\xa4hler\\, 1");
    assert_string_equal(facts.issuer, "CN=Test Root");
    assert_int_equal(facts.not_before_s, NOW_S - DAY_S);
    assert_int_equal(facts.not_after_s, NOW_S + INT64_C(30000) * DAY_S); /* 2108 */
    assert_string_equal(facts.key_sha256, pin_of(client_key) + strlen("sha256:"));
    X509_digest(own, EVP_sha256(), digest, NULL);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(facts.sha256, hex);
    X509_free(own);
    assert_false(broker_tls_read("", &facts));
    assert_false(broker_tls_read("-----BEGIN CERTIFICATE-----\n", &facts));
}

/* Characters of two bytes, at even and at odd places. */
static void long_subjects_are_cut_between_characters(void **unused)
{
    struct broker_tls_facts facts;
    (void)unused;
    for (size_t shift = 0; shift < 2; shift++) {
        X509 *own = make(&(struct wish){.name = "x"}, client_key, root, root_key);
        for (size_t i = 0; i < 10; i++) {
            char part[66] = "x";
            for (size_t n = i == 9 ? shift : 0; n < 62; n += 2)
                memcpy(part + n, "\xc3\xa4", 3);
            X509_NAME_add_entry_by_NID(X509_get_subject_name(own), NID_organizationalUnitName,
                                       MBSTRING_UTF8, (unsigned char *)part, -1, -1, 0);
        }
        assert_true(broker_tls_read(pem_of(own), &facts));
        size_t length = strlen(facts.subject);
        assert_int_equal(length, 255 - shift); /* one byte may be left, where no character fits */
        assert_memory_equal(facts.subject + length - 2, "\xc3\xa4", 2);
        X509_free(own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broker_of_the_authority_that_was_set_is_trusted),
        cmocka_unit_test(tls_1_3_and_1_2_are_spoken),
        cmocka_unit_test(older_tls_is_not_spoken),
        cmocka_unit_test(a_broker_of_another_authority_is_refused),
        cmocka_unit_test(an_authority_of_the_same_name_with_another_key_is_told),
        cmocka_unit_test(one_authority_of_several_is_enough),
        cmocka_unit_test(an_intermediate_has_to_be_sent_or_set),
        cmocka_unit_test(a_certificate_signed_by_itself_is_trusted_when_it_was_set),
        cmocka_unit_test(the_brokers_own_certificate_may_be_set_without_its_authority),
        cmocka_unit_test(what_is_no_authority_signs_nobody),
        cmocka_unit_test(a_certificate_for_clients_is_not_for_a_broker),
        cmocka_unit_test(weak_keys_and_old_hashes_are_refused),
        cmocka_unit_test(without_a_setting_the_systems_store_is_asked),
        cmocka_unit_test(dates_are_judged_at_the_time_that_was_given),
        cmocka_unit_test(without_a_time_the_systems_clock_holds),
        cmocka_unit_test(the_dates_of_an_authority_count_too),
        cmocka_unit_test(a_broker_must_go_by_the_name_it_is_reached_by),
        cmocka_unit_test(the_names_of_a_certificate_are_told),
        cmocka_unit_test(a_common_name_alone_does_not_count),
        cmocka_unit_test(hostile_names_are_shown_as_text),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(a_pinned_key_is_trusted_whatever_its_certificate_says),
        cmocka_unit_test(another_key_than_the_pinned_one_is_told),
        cmocka_unit_test(a_pinned_key_has_dates_as_well),
        cmocka_unit_test(our_certificate_is_shown_with_its_chain),
        cmocka_unit_test(the_device_certificate_can_be_shown),
        cmocka_unit_test(a_broker_that_refuses_our_certificate_is_told),
        cmocka_unit_test(a_broker_that_wants_a_certificate_and_gets_none_is_told),
        cmocka_unit_test(a_broker_that_asked_for_our_certificate_is_suspected),
        cmocka_unit_test(what_does_not_speak_tls_is_told),
        cmocka_unit_test(only_fatal_alerts_are_told),
        cmocka_unit_test(settings_that_cannot_be_used_are_told),
        cmocka_unit_test(a_pin_is_written_in_one_form),
        cmocka_unit_test(a_pin_that_is_none_is_refused),
        cmocka_unit_test(certificates_are_kept_and_nothing_else),
        cmocka_unit_test(a_text_without_a_good_certificate_is_refused),
        cmocka_unit_test(bytes_behind_a_certificate_are_refused),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
        cmocka_unit_test(a_text_that_becomes_too_long_is_refused),
        cmocka_unit_test(a_text_may_end_anywhere),
        cmocka_unit_test(any_bit_may_be_flipped),
        cmocka_unit_test(an_identity_that_can_be_used_is_taken),
        cmocka_unit_test(a_certificate_that_is_not_a_clients_is_refused),
        cmocka_unit_test(a_key_that_cannot_be_used_is_refused),
        cmocka_unit_test(an_identity_is_tidied_up),
        cmocka_unit_test(any_bit_of_a_key_may_be_flipped),
        cmocka_unit_test(the_facts_of_a_certificate_are_read),
        cmocka_unit_test(long_subjects_are_cut_between_characters),
    };
    return cmocka_run_group_tests_name("broker_tls", tests, make_keys, free_keys);
}
