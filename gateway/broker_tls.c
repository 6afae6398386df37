#include "broker_tls.h"

#include "core/reading.h"
#include "heap.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    DAY_S = 86400,
    SHA256_LEN = SHA256_DIGEST_LENGTH,
    PIN_BASE64_LEN = 44,
    SECURITY_LEVEL = 2, /* 112 bits: RSA with 2048, P-256, SHA-256 */
    SECURITY_BITS = 112,
    HOST_MAX = 256,
    NAME_MAX_TOLD = 60, /* bytes of a name in a certificate that are told */
    NAMES_MAX_TOLD = 80,
    DATE_MAX = 32
};

static const char pin_prefix[] = "sha256:";

struct broker_tls {
    SSL_CTX *context;
    char host[HOST_MAX];
    int64_t now_s;
    bool pinned, own_authority; /* `ca` holds a pin; certificates */
    bool shows_own, asked;      /* we have a certificate; the broker asked for it */
    unsigned char pin[SHA256_LEN];
    char problem[BROKER_TLS_ERROR_MAX];
};

/* --- texts ------------------------------------------------------------------------------------ */

/* False, for the caller to return. */
__attribute__((format(printf, 2, 3))) static bool fail(char error[static BROKER_TLS_ERROR_MAX],
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, BROKER_TLS_ERROR_MAX, format, arguments);
    va_end(arguments);
    return false;
}

/* Neither control characters nor what turns the direction of a text or breaks its line. */
static bool is_printable(unsigned long c)
{
    return c >= ' ' && (c < 0x7F || c > 0x9F) && c != 0x200E && c != 0x200F && c != 0x2028 &&
           c != 0x2029 && (c < 0x202A || c > 0x202E) && (c < 0x2066 || c > 0x2069);
}

/* Bytes of a certificate, which anybody can have made, as UTF-8 that can be shown; cut where the room ends. */
static void copy_printable(char *text, size_t capacity, const unsigned char *bytes, size_t length)
{
    size_t n = 0;
    while (length && n + 1 < capacity) {
        unsigned long character;
        int size = UTF8_getc(bytes, (int)length, &character);
        size_t step = size > 0 ? (size_t)size : 1;
        bool good = size > 0 && is_printable(character);
        if (good && step >= capacity - n)
            break;
        if (good)
            memcpy(text + n, bytes, step);
        else
            text[n] = '?';
        n += good ? step : 1;
        bytes += step;
        length -= step;
    }
    text[n] = 0;
}

static void put_name(char *text, size_t capacity, const X509_NAME *name)
{
    char *bytes = NULL;
    BIO *out = BIO_new(BIO_s_mem());
    text[0] = 0;
    if (out && X509_NAME_print_ex(out, name, 0,
                                  XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        long length = BIO_get_mem_data(out, &bytes);
        copy_printable(text, capacity, (const unsigned char *)bytes,
                       length > 0 ? (size_t)length : 0);
    }
    BIO_free(out);
}

static void put_date(char text[static DATE_MAX], const ASN1_TIME *date)
{
    struct tm utc;
    if (ASN1_TIME_to_tm(date, &utc) != 1 || strftime(text, DATE_MAX, "%Y-%m-%d", &utc) == 0)
        snprintf(text, DATE_MAX, "a day that cannot be read");
}

static void put_hex(char text[static 2 * SHA256_LEN + 1],
                    const unsigned char digest[static SHA256_LEN])
{
    for (size_t i = 0; i < SHA256_LEN; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* --- certificates and keys -------------------------------------------------------------------- */

/* Without time_t, which ends with 2038 on some machines. */
static bool to_seconds(const ASN1_TIME *date, int64_t *s)
{
    int days, rest;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool ok = epoch && ASN1_TIME_diff(&days, &rest, epoch, date) == 1;
    if (ok)
        *s = (int64_t)days * DAY_S + rest;
    ASN1_TIME_free(epoch);
    return ok;
}

static bool digest_key(const X509 *certificate, unsigned char digest[static SHA256_LEN])
{
    unsigned char *der = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    bool ok = length > 0 && SHA256(der, (size_t)length, digest);
    OPENSSL_free(der);
    return ok;
}

/* The next certificate of a text; other blocks are stepped over.  NULL: there is none, or one that cannot be read. */
static X509 *next_certificate(BIO *in, bool *damaged)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long length = 0;
    X509 *certificate = NULL;
    *damaged = false;
    while (!certificate && !*damaged && PEM_read_bio(in, &name, &header, &data, &length)) {
        if (strcmp(name, PEM_STRING_X509) == 0) {
            const unsigned char *at = data;
            certificate = d2i_X509(NULL, &at, length);
            *damaged = !certificate || at != data + length || !X509_get0_pubkey(certificate);
        }
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    if (!certificate && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        *damaged = true;
    if (!*damaged)
        return certificate;
    X509_free(certificate);
    return NULL;
}

static void free_certificates(STACK_OF(X509) * list)
{
    sk_X509_pop_free(list, X509_free);
}

/* All certificates of a text, at least one.  NULL: `error` says why not. */
static STACK_OF(X509) * read_certificates(const char *pem, char error[static BROKER_TLS_ERROR_MAX])
{
    X509 *certificate;
    bool damaged = false;
    if (strstr(pem, "PRIVATE KEY-----")) {
        fail(error, "this holds a private key: give the certificates only");
        return NULL;
    }
    BIO *in = BIO_new_mem_buf(pem, -1);
    STACK_OF(X509) *list = sk_X509_new_null();
    while (in && list && (certificate = next_certificate(in, &damaged)))
        if (!sk_X509_push(list, certificate)) {
            X509_free(certificate);
            damaged = true;
            break;
        }
    BIO_free(in);
    int count = sk_X509_num(list);
    if (count > 0 && !damaged)
        return list;
    free_certificates(list);
    if (damaged)
        fail(error,
             "certificate %d of this cannot be read: copy it whole, with its BEGIN and END lines",
             (count > 0 ? count : 0) + 1);
    else
        fail(error, "this holds no certificate (-----BEGIN CERTIFICATE-----)");
    return NULL;
}

/* The bytes of a memory BIO, which is wiped and freed, as text. */
static bool take_text(BIO *out, char *text, size_t capacity)
{
    char *bytes = NULL;
    long length = BIO_get_mem_data(out, &bytes);
    bool ok = length >= 0 && (size_t)length < capacity;
    if (ok) {
        memcpy(text, bytes, (size_t)length);
        text[length] = 0;
    }
    BIO_free(out);
    return ok;
}

/* LF line ends, and nothing between the certificates.  False: it does not fit; the text is left as it was. */
static bool write_certificates(const STACK_OF(X509) * list, char *pem, size_t capacity)
{
    BIO *out = BIO_new(BIO_s_mem());
    bool ok = out != NULL;
    for (int i = 0; ok && i < sk_X509_num(list); i++)
        ok = PEM_write_bio_X509(out, sk_X509_value(list, i)) == 1;
    if (ok)
        return take_text(out, pem, capacity);
    BIO_free(out);
    return false;
}

/* In place of OpenSSL's own, which asks at the terminal. */
static int refuse_passphrase(char *buffer, int size, int for_writing, void *context)
{
    (void)buffer, (void)size, (void)for_writing, (void)context;
    return -1;
}

static EVP_PKEY *read_key(const char *pem, char error[static BROKER_TLS_ERROR_MAX])
{
    BIO *in = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, refuse_passphrase, NULL) : NULL;
    BIO_free(in);
    if (!key && strstr(pem, "ENCRYPTED"))
        fail(error, "the key is encrypted: remove its passphrase first, e.g. openssl pkey -in "
                    "key.pem -out plain.pem");
    else if (!key)
        fail(error, "this holds no private key that can be read (-----BEGIN PRIVATE KEY-----)");
    return key;
}

/* --- the identity of a client ----------------------------------------------------------------- */

struct own {
    STACK_OF(X509) * chain; /* its own certificate first */
    EVP_PKEY *key;
};

static void free_own(struct own *own)
{
    free_certificates(own->chain);
    EVP_PKEY_free(own->key);
}

/* Why it cannot identify a client.  NULL: it can.  Dates are not judged: this box's clock may be wrong. */
static const char *fault_of_own(X509 *certificate)
{
    uint32_t flags = X509_get_extension_flags(certificate);
    if (flags & EXFLAG_INVALID)
        return "the certificate has extensions that cannot be read";
    if (flags & EXFLAG_CA)
        return "the first certificate is that of an authority (CA:TRUE): this box's own comes "
               "first, made with "
               "CA:FALSE";
    if (flags & EXFLAG_XKUSAGE && !(X509_get_extended_key_usage(certificate) & XKU_SSL_CLIENT))
        return "the certificate is not for a client: its extendedKeyUsage lacks clientAuth";
    if (X509_check_purpose(certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1)
        return "the certificate is not for a client: its keyUsage lacks digitalSignature";
    return NULL;
}

/* What the key signs the certificate verifies.  The library compares the public half only, which is kept beside the
 * private one: that may be damaged all the same. */
static bool signs_for(EVP_PKEY *key, X509 *certificate)
{
    static const unsigned char trial[] = "trial";
    unsigned char signature[OPENSSL_RSA_MAX_MODULUS_BITS / 8];
    size_t length = sizeof signature;
    EVP_MD_CTX *signing = EVP_MD_CTX_new(), *verifying = EVP_MD_CTX_new();
    bool ok =
        signing && verifying && EVP_DigestSignInit(signing, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestSign(signing, signature, &length, trial, sizeof trial) == 1 &&
        EVP_DigestVerifyInit(verifying, NULL, NULL, NULL, X509_get0_pubkey(certificate)) == 1 &&
        EVP_DigestVerify(verifying, signature, length, trial, sizeof trial) == 1;
    EVP_MD_CTX_free(signing);
    EVP_MD_CTX_free(verifying);
    return ok;
}

static bool check_own_key(const struct own *own, char error[static BROKER_TLS_ERROR_MAX])
{
    if (EVP_PKEY_get_security_bits(own->key) < SECURITY_BITS)
        return fail(error,
                    "the key is too weak (%d bits): it takes RSA with 2048 bits or more, or P-256",
                    EVP_PKEY_get_bits(own->key));
    if (!signs_for(own->key, sk_X509_value(own->chain, 0)))
        return fail(error, "the key is not that of the certificate");
    return true;
}

/* Reads and checks both; what is in `own` is to be freed in any case. */
static bool read_own(const char *certificate, const char *key, struct own *own, bool *of_key,
                     char error[static BROKER_TLS_ERROR_MAX])
{
    *own = (struct own){0};
    *of_key = strnlen(certificate, BROKER_TLS_IDENTITY_MAX) < BROKER_TLS_IDENTITY_MAX;
    if (!*of_key || strnlen(key, BROKER_TLS_IDENTITY_MAX) == BROKER_TLS_IDENTITY_MAX)
        return fail(error, "this is longer than %d bytes", BROKER_TLS_IDENTITY_MAX - 1);
    *of_key = false;
    own->chain = read_certificates(certificate, error);
    if (!own->chain)
        return false;
    const char *fault = fault_of_own(sk_X509_value(own->chain, 0));
    if (fault)
        return fail(error, "%s", fault);
    *of_key = true;
    own->key = read_key(key, error);
    return own->key && check_own_key(own, error);
}

/* The library judges by its security level: a chain signed with SHA-1 is refused here. */
static bool use_own(SSL_CTX *context, const struct own *own, char error[static BROKER_TLS_ERROR_MAX])
{
    bool ok = SSL_CTX_use_certificate(context, sk_X509_value(own->chain, 0)) == 1 &&
              SSL_CTX_use_PrivateKey(context, own->key) == 1;
    for (int i = 1; ok && i < sk_X509_num(own->chain); i++)
        ok = SSL_CTX_add1_chain_cert(context, sk_X509_value(own->chain, i)) == 1;
    if (ok)
        return true;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return fail(error, "the certificate cannot be used: %s", reason ? reason : "out of memory");
}

/* A context of the kind all connections have; trusts nobody yet. */
static SSL_CTX *make_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context)
        return NULL;
    /* after what the system's openssl.cnf may have set */
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(context, 0) == 1 &&
        SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM") == 1)
        return context;
    SSL_CTX_free(context);
    return NULL;
}

bool broker_tls_check_identity(const char *certificate, const char *key, bool *of_key,
                               char error[static BROKER_TLS_ERROR_MAX])
{
    struct own own;
    bool ok = read_own(certificate, key, &own, of_key, error);
    if (ok) {
        *of_key = false;
        SSL_CTX *context = make_context();
        ok = context ? use_own(context, &own, error) : fail(error, "out of memory");
        SSL_CTX_free(context);
    }
    free_own(&own);
    ERR_clear_error();
    return ok;
}

bool broker_tls_tidy_identity(char certificate[static BROKER_TLS_IDENTITY_MAX],
                              char key[static BROKER_TLS_IDENTITY_MAX])
{
    struct own own;
    bool of_key;
    char error[BROKER_TLS_ERROR_MAX];
    BIO *out = BIO_new(BIO_s_mem());
    bool ok = read_own(certificate, key, &own, &of_key, error) && out &&
              PEM_write_bio_PKCS8PrivateKey(out, own.key, NULL, NULL, 0, NULL, NULL) == 1 &&
              write_certificates(own.chain, certificate, BROKER_TLS_IDENTITY_MAX);
    if (ok)
        ok = take_text(out, key, BROKER_TLS_IDENTITY_MAX);
    else
        BIO_free(out);
    free_own(&own);
    ERR_clear_error();
    return ok;
}

bool broker_tls_read(const char *certificate, struct broker_tls_facts *facts)
{
    char error[BROKER_TLS_ERROR_MAX];
    unsigned char digest[SHA256_LEN], of_key[SHA256_LEN];
    STACK_OF(X509) *list = read_certificates(certificate, error);
    X509 *first = list ? sk_X509_value(list, 0) : NULL;
    bool ok = first && to_seconds(X509_get0_notBefore(first), &facts->not_before_s) &&
              to_seconds(X509_get0_notAfter(first), &facts->not_after_s) &&
              digest_key(first, of_key) && X509_digest(first, EVP_sha256(), digest, NULL) == 1;
    if (ok) {
        put_name(facts->subject, sizeof facts->subject, X509_get_subject_name(first));
        put_name(facts->issuer, sizeof facts->issuer, X509_get_issuer_name(first));
        put_hex(facts->sha256, digest);
        put_hex(facts->key_sha256, of_key);
    }
    free_certificates(list);
    ERR_clear_error();
    return ok;
}

/* --- the setting `ca` ------------------------------------------------------------------------- */

static bool is_pin(const char *ca)
{
    return strncasecmp(ca, pin_prefix, strlen(pin_prefix)) == 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Two digits for each byte; a colon may follow it, as in what openssl prints. */
static bool parse_hex(const char *text, unsigned char pin[static SHA256_LEN])
{
    for (size_t i = 0; i < SHA256_LEN; i++) {
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return false;
        pin[i] = (unsigned char)(high << 4 | low);
        text += 2;
        text += *text == ':' && i + 1 < SHA256_LEN;
    }
    return *text == 0;
}

static bool parse_base64(const char *text, unsigned char pin[static SHA256_LEN])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[PIN_BASE64_LEN / 4 * 3];
    if (strspn(text, alphabet) != PIN_BASE64_LEN - 1 ||
        strcmp(text + PIN_BASE64_LEN - 1, "=") != 0 ||
        EVP_DecodeBlock(bytes, (const unsigned char *)text, PIN_BASE64_LEN) != (int)sizeof bytes)
        return false;
    memcpy(pin, bytes, SHA256_LEN);
    return true;
}

static bool parse_pin(const char *ca, unsigned char pin[static SHA256_LEN],
                      char error[static BROKER_TLS_ERROR_MAX])
{
    char text[3 * SHA256_LEN + 1];
    ca += strlen(pin_prefix);
    ca += strspn(ca, " \t\r\n");
    snprintf(text, sizeof text, "%s", ca);
    text[strcspn(text, " \t\r\n")] = 0;
    size_t rest = strlen(text);
    if (ca[rest + strspn(ca + rest, " \t\r\n")] == 0 &&
        (parse_hex(text, pin) || parse_base64(text, pin)))
        return true;
    return fail(error, "\"sha256:\" must be followed by 64 hex digits or the base64 of 32 bytes: "
                       "the SHA-256 of the "
                       "broker's public key");
}

static bool check_pin(char ca[static BROKER_TLS_CA_MAX], char error[static BROKER_TLS_ERROR_MAX])
{
    char hex[2 * SHA256_LEN + 1];
    unsigned char pin[SHA256_LEN];
    if (!parse_pin(ca, pin, error))
        return false;
    put_hex(hex, pin);
    snprintf(ca, BROKER_TLS_CA_MAX, "%s%s", pin_prefix, hex);
    return true;
}

static bool check_certificates(char ca[static BROKER_TLS_CA_MAX],
                               char error[static BROKER_TLS_ERROR_MAX])
{
    STACK_OF(X509) *list = read_certificates(ca, error);
    bool ok = list && (write_certificates(list, ca, BROKER_TLS_CA_MAX) ||
                       fail(error, "the certificates of this are longer than %d bytes",
                            BROKER_TLS_CA_MAX - 1));
    free_certificates(list);
    ERR_clear_error();
    return ok;
}

bool broker_tls_check_ca(char ca[static BROKER_TLS_CA_MAX], char error[static BROKER_TLS_ERROR_MAX])
{
    size_t length = strnlen(ca, BROKER_TLS_CA_MAX), blanks = 0;
    if (length == BROKER_TLS_CA_MAX)
        return fail(error, "this is longer than %d bytes", BROKER_TLS_CA_MAX - 1);
    while (isspace((unsigned char)ca[blanks]))
        blanks++;
    memmove(ca, ca + blanks, length - blanks + 1);
    return ca[0] == 0 || (is_pin(ca) ? check_pin(ca, error) : check_certificates(ca, error));
}

/* --- what was wrong --------------------------------------------------------------------------- */

/* Keeps what is told first: what follows is its consequence. */
__attribute__((format(printf, 2, 3))) static void tell(struct broker_tls *t, const char *format, ...)
{
    va_list arguments;
    if (t->problem[0])
        return;
    va_start(arguments, format);
    vsnprintf(t->problem, sizeof t->problem, format, arguments);
    va_end(arguments);
}

/* Whose certificate is at fault. */
static void put_owner(char text[static NAME_MAX_TOLD + 40], X509_STORE_CTX *store)
{
    char name[NAME_MAX_TOLD];
    const X509 *certificate = X509_STORE_CTX_get_current_cert(store);
    if (!certificate || X509_STORE_CTX_get_error_depth(store) == 0) {
        snprintf(text, NAME_MAX_TOLD + 40, "the broker's certificate");
        return;
    }
    put_name(name, sizeof name, X509_get_subject_name(certificate));
    snprintf(text, NAME_MAX_TOLD + 40, "the authority's certificate (%s)", name);
}

static void tell_end(struct broker_tls *t, X509_STORE_CTX *store)
{
    char owner[NAME_MAX_TOLD + 40], date[DATE_MAX];
    put_owner(owner, store);
    put_date(date, X509_get0_notAfter(X509_STORE_CTX_get_current_cert(store)));
    tell(t, "%s ended on %s: it has to be renewed", owner, date);
}

static void tell_begin(struct broker_tls *t, X509_STORE_CTX *store)
{
    char owner[NAME_MAX_TOLD + 40], date[DATE_MAX];
    put_owner(owner, store);
    put_date(date, X509_get0_notBefore(X509_STORE_CTX_get_current_cert(store)));
    tell(t, "%s is valid only from %s: is this box's clock right?", owner, date);
}

static void tell_issuer(struct broker_tls *t, X509_STORE_CTX *store)
{
    char name[NAME_MAX_TOLD];
    put_name(name, sizeof name, X509_get_issuer_name(X509_STORE_CTX_get_current_cert(store)));
    if (t->own_authority)
        tell(t,
             "the broker's certificate is not signed by one of MQTT/CA (issuer %s): set it to the "
             "broker's CA, and "
             "have the broker send its whole chain",
             name);
    else
        tell(t,
             "the broker's certificate is not signed by an authority trusted here (issuer %s): set "
             "MQTT/CA to its CA "
             "certificate",
             name);
}

/* A name as a certificate holds it; "": of another kind. */
static void put_alternative(char text[static NAME_MAX_TOLD], const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    const unsigned char *bytes =
        type == GEN_DNS || type == GEN_IPADD ? ASN1_STRING_get0_data(value) : NULL;
    size_t length = bytes ? (size_t)ASN1_STRING_length(value) : 0;
    text[0] = 0;
    if (type == GEN_DNS)
        copy_printable(text, NAME_MAX_TOLD, bytes, length);
    else if (type == GEN_IPADD && (length == 4 || length == 16))
        inet_ntop(length == 4 ? AF_INET : AF_INET6, bytes, text, NAME_MAX_TOLD);
}

/* As many names as there is room for.  False: there are none. */
static bool put_alternatives(char text[static NAMES_MAX_TOLD], const X509 *certificate)
{
    size_t n = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    text[0] = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        char name[NAME_MAX_TOLD];
        put_alternative(name, sk_GENERAL_NAME_value(names, i));
        if (name[0] == 0)
            continue;
        if (n + strlen(name) + sizeof ", ..." > NAMES_MAX_TOLD) {
            snprintf(text + n, NAMES_MAX_TOLD - n, "%s...", n ? ", " : "");
            break;
        }
        n += (size_t)snprintf(text + n, NAMES_MAX_TOLD - n, "%s%s", n ? ", " : "", name);
    }
    GENERAL_NAMES_free(names);
    return text[0] != 0;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static void tell_names(struct broker_tls *t, X509_STORE_CTX *store)
{
    char names[NAMES_MAX_TOLD];
    if (put_alternatives(names, X509_STORE_CTX_get0_cert(store)))
        tell(t, "the broker's certificate is for %s, not for %.60s", names, t->host);
    else
        tell(t,
             "the broker's certificate names no host (a common name alone does not count): make it "
             "anew with "
             "subjectAltName=%s:%.60s",
             is_address(t->host) ? "IP" : "DNS", t->host);
}

static void tell_key(struct broker_tls *t, X509_STORE_CTX *store)
{
    unsigned char digest[SHA256_LEN];
    char hex[2 * SHA256_LEN + 1] = "?";
    if (digest_key(X509_STORE_CTX_get0_cert(store), digest))
        put_hex(hex, digest);
    tell(t, "the broker's key is %s%s, not the one set in MQTT/CA", pin_prefix, hex);
}

/* What can be wrong with a chain: how to tell it, or what follows the words "the broker's certificate". */
static const struct {
    int error;
    void (*tell)(struct broker_tls *t, X509_STORE_CTX *store);
    const char *text;
} faults[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, tell_end, NULL},
    {X509_V_ERR_CERT_NOT_YET_VALID, tell_begin, NULL},
    {X509_V_ERR_HOSTNAME_MISMATCH, tell_names, NULL},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, tell_names, NULL},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, tell_issuer, NULL},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, tell_issuer, NULL},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, tell_issuer, NULL},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, tell_issuer, NULL},
    {X509_V_ERR_APPLICATION_VERIFICATION, tell_key, NULL},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, NULL,
     "is signed by itself and not trusted here: set MQTT/CA to it, if it is the right one"},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, NULL,
     "has a wrong signature: an authority of that name is trusted here, but has another key"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, NULL,
     "has a key that is too weak: it takes RSA with 2048 bits, or P-256"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, NULL,
     "has a key that is too weak: it takes RSA with 2048 bits, or P-256"},
    {X509_V_ERR_CA_MD_TOO_WEAK, NULL, "is signed with SHA-1 or worse: it takes SHA-256"},
    {X509_V_ERR_INVALID_PURPOSE, NULL,
     "is not for a TLS server: see its keyUsage and extendedKeyUsage"},
    {X509_V_ERR_INVALID_CA, NULL, "has signed another, and is not that of an authority (CA:FALSE)"},
};

static void explain(struct broker_tls *t, X509_STORE_CTX *store)
{
    char owner[NAME_MAX_TOLD + 40];
    int error = X509_STORE_CTX_get_error(store);
    put_owner(owner, store);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (faults[i].error == error && faults[i].tell)
            faults[i].tell(t, store);
        else if (faults[i].error == error)
            tell(t, "%s %s", owner, faults[i].text);
    tell(t, "%s cannot be trusted: %s", owner, X509_verify_cert_error_string(error));
}

/* --- judging a broker ------------------------------------------------------------------------- */

static int judge_dates(const struct broker_tls *t, const X509 *certificate)
{
    int64_t from_s, to_s, now_s = t->now_s == READING_NO_TIME ? time(NULL) : t->now_s;
    if (!to_seconds(X509_get0_notBefore(certificate), &from_s))
        return X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD;
    if (!to_seconds(X509_get0_notAfter(certificate), &to_s))
        return X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD;
    return now_s < from_s ? X509_V_ERR_CERT_NOT_YET_VALID
           : now_s > to_s ? X509_V_ERR_CERT_HAS_EXPIRED
                          : X509_V_OK;
}

/* The broker's certificate has the pinned key; that it holds it the signature of the handshake will show. */
static bool has_pinned_key(const struct broker_tls *t, X509_STORE_CTX *store)
{
    unsigned char digest[SHA256_LEN];
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    int error = X509_V_ERR_APPLICATION_VERIFICATION;
    if (certificate && digest_key(certificate, digest) && memcmp(digest, t->pin, sizeof digest) == 0)
        error = judge_dates(t, certificate);
    X509_STORE_CTX_set_error_depth(store, 0);
    X509_STORE_CTX_set_current_cert(store, certificate);
    X509_STORE_CTX_set_error(store, error);
    return error == X509_V_OK;
}

/* In place of X509_verify_cert(), which is called with all that the context says: store, time, name, purpose. */
static int judge_broker(X509_STORE_CTX *store, void *context)
{
    struct broker_tls *t = context;
    if (t->pinned ? has_pinned_key(t, store) : X509_verify_cert(store) == 1)
        return 1;
    explain(t, store);
    return 0;
}

/* Why a broker ended a handshake.  `ours`: it is about the certificate of this box. */
static const struct {
    int alert;
    bool ours;
    const char *name, *advice;
} refusals[] = {
    {SSL_AD_BAD_CERTIFICATE, true, "bad certificate",
     "make the certificate of this box known to it"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, true, "unsupported certificate",
     "give this box one of another kind"},
    {SSL_AD_CERTIFICATE_REVOKED, true, "certificate revoked", "give this box another one"},
    {SSL_AD_CERTIFICATE_EXPIRED, true, "certificate expired", "give this box a new one"},
    {SSL_AD_CERTIFICATE_UNKNOWN, true, "certificate unknown",
     "make the certificate of this box known to it"},
    {SSL_AD_UNKNOWN_CA, true, "unknown CA",
     "make the certificate of this box, or its CA, known to it"},
    {SSL_AD_ACCESS_DENIED, true, "access denied", "make the certificate of this box known to it"},
    {SSL_AD_CERTIFICATE_REQUIRED, true, "certificate required", "it got none that it can use"},
    {SSL_AD_HANDSHAKE_FAILURE, true, "handshake failure", "it got none that it can use"},
    {SSL_AD_PROTOCOL_VERSION, false, "protocol version", "it must speak TLS 1.2 or later"},
    {SSL_AD_UNRECOGNIZED_NAME, false, "unrecognized name",
     "it does not go by the name in MQTT/Broker"},
};

/* In TLS 1.2 a handshake failure may be about anything, as long as the broker has not asked for our certificate. */
static bool is_understood(const struct broker_tls *t, int alert)
{
    return alert != SSL_AD_HANDSHAKE_FAILURE || t->asked;
}

static void tell_refusal(struct broker_tls *t, int alert)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i].alert == alert && is_understood(t, alert))
            tell(t, "the broker %s (alert: %s): %s",
                 refusals[i].ours ? "refuses our certificate" : "ended the handshake",
                 refusals[i].name, refusals[i].advice);
    tell(t, "the broker ended the connection (alert: %s)", SSL_alert_desc_string_long(alert));
}

/* Why a handshake failed on our side, if it was not the certificate. */
static const struct {
    int reason;
    const char *text;
} obstacles[] = {
    {SSL_R_WRONG_VERSION_NUMBER,
     "what answers there does not speak TLS: is this the broker's port for TLS?"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING,
     "the broker ended the connection in place of a handshake: is this its port for TLS?"},
    {SSL_R_UNSUPPORTED_PROTOCOL,
     "the broker speaks an old TLS only: it must speak TLS 1.2 or later"},
};

/* The queue was empty when the handshake went on. */
static void tell_obstacle(struct broker_tls *t, unsigned long error)
{
    const char *reason = ERR_reason_error_string(error);
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return;
    for (size_t i = 0; i < sizeof obstacles / sizeof obstacles[0]; i++)
        if (obstacles[i].reason == ERR_GET_REASON(error))
            tell(t, "%s", obstacles[i].text);
    tell(t, "the broker's TLS cannot be used: %s", reason ? reason : "no reason is known");
}

/* Sees the broker's alerts and the end of each step of the handshake.  With TLS 1.3 what the broker says of our
 * certificate comes when our side of the handshake is done. */
static void on_info(const SSL *ssl, int where, int value)
{
    struct broker_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (where == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
        tell_refusal(t, value & 0xFF);
    else if (where == SSL_CB_CONNECT_EXIT && value <= 0)
        tell_obstacle(t, ERR_peek_last_error());
}

/* The broker's CertificateRequest. */
static int on_asked(SSL *ssl, void *context)
{
    struct broker_tls *t = context;
    (void)ssl;
    t->asked = true;
    return 1;
}

/* --- the context ------------------------------------------------------------------------------ */

static bool trust_certificates(SSL_CTX *context, const char *ca,
                               char error[static BROKER_TLS_ERROR_MAX])
{
    STACK_OF(X509) *list = read_certificates(ca, error);
    bool ok = list != NULL;
    for (int i = 0; ok && i < sk_X509_num(list); i++)
        ok = X509_STORE_add_cert(SSL_CTX_get_cert_store(context), sk_X509_value(list, i)) == 1 ||
             fail(error, "out of memory");
    free_certificates(list);
    return ok;
}

/* Any of the certificates that were set will do as an end: a root, one below it, or the broker's own. */
static bool set_trust(struct broker_tls *t, const char *ca, char error[static BROKER_TLS_ERROR_MAX])
{
    char why[BROKER_TLS_ERROR_MAX];
    t->pinned = is_pin(ca);
    t->own_authority = ca[0] && !t->pinned;
    if (!ca[0])
        return SSL_CTX_set_default_verify_paths(t->context) == 1 || fail(error, "out of memory");
    if (t->pinned ? !parse_pin(ca, t->pin, why) : !trust_certificates(t->context, ca, why))
        return fail(error, "MQTT/CA: %.180s", why);
    if (t->own_authority)
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(t->context), X509_V_FLAG_PARTIAL_CHAIN);
    return true;
}

/* RFC 9525: the name stands in subjectAltName, never in the common name; a wildcard is a whole label, the first. */
static bool set_name(struct broker_tls *t, const char *host, char error[static BROKER_TLS_ERROR_MAX])
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(t->context);
    size_t length = strlen(host);
    length -= length && host[length - 1] == '.'; /* of a name that is written whole */
    if (length == 0 || length >= sizeof t->host || host[0] == '.')
        return fail(error, "the broker's name \"%.80s\" cannot stand in a certificate", host);
    memcpy(t->host, host, length);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                               X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool ok = is_address(t->host) ? X509_VERIFY_PARAM_set1_ip_asc(param, t->host) == 1
                                  : X509_VERIFY_PARAM_set1_host(param, t->host, 0) == 1;
    return ok || fail(error, "out of memory");
}

static bool set_own(struct broker_tls *t, const struct broker_tls_settings *s,
                    char error[static BROKER_TLS_ERROR_MAX])
{
    struct own own;
    bool of_key;
    t->shows_own = s->certificate[0] != 0;
    if (!t->shows_own)
        return true;
    bool ok =
        read_own(s->certificate, s->key, &own, &of_key, error) && use_own(t->context, &own, error);
    free_own(&own);
    return ok;
}

static bool set_up(struct broker_tls *t, const struct broker_tls_settings *s,
                   char error[static BROKER_TLS_ERROR_MAX])
{
    t->now_s = s->now_s;
    t->context = make_context();
    if (!t->context)
        return fail(error, "out of memory");
    SSL_CTX_set_app_data(t->context, t);
    SSL_CTX_set_info_callback(t->context, on_info);
    SSL_CTX_set_cert_verify_callback(t->context, judge_broker, t);
    SSL_CTX_set_cert_cb(t->context, on_asked, t);
    if (s->now_s != READING_NO_TIME)
        X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(t->context), (time_t)s->now_s);
    return set_trust(t, s->ca, error) && set_name(t, s->host, error) && set_own(t, s, error);
}

struct broker_tls *broker_tls_new(const struct broker_tls_settings *settings,
                                  char error[static BROKER_TLS_ERROR_MAX])
{
    struct broker_tls *t = heap_new(sizeof *t);
    if (!t) {
        fail(error, "out of memory");
        return NULL;
    }
    bool ok = set_up(t, settings, error);
    ERR_clear_error();
    if (ok)
        return t;
    broker_tls_free(t);
    return NULL;
}

void broker_tls_free(struct broker_tls *t)
{
    if (t)
        SSL_CTX_free(t->context);
    free(t);
}

struct ssl_ctx_st *broker_tls_context(struct broker_tls *t)
{
    return t->context;
}

const char *broker_tls_problem(const struct broker_tls *t)
{
    return t->problem;
}

const char *broker_tls_suspicion(const struct broker_tls *t)
{
    if (!t->asked)
        return "";
    if (!t->shows_own)
        return "the broker asked for a certificate, got none and ended the connection: with "
               "MQTT/Username empty this box shows one";
    return "the broker asked for our certificate and ended the connection: make the certificate "
           "of this box, or its CA, known to it";
}
