#include "certificate.h"

#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    DAY_S = 86400,
    SERIAL_LEN = 16,      /* RFC 5280, 4.1.2.2: at most 20 bytes */
    COMMON_NAME_MAX = 64, /* X.520: ub-common-name */
    SHA256_LEN = 32
};

/* A name as a certificate holds it: of an address the bytes. */
struct san {
    gnutls_x509_subject_alt_name_t type;
    unsigned length;
    unsigned char bytes[CERTIFICATE_NAME_MAX];
};

static bool is_label_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* Labels of letters, digits and inner hyphens, with a dot between two (RFC 1123, 2.1).  The 63 characters
 * that one may have are as many as a name of ours has. */
static bool is_host_name(const char *name)
{
    for (;;) {
        size_t n = 0;
        while (is_label_char(name[n]))
            n++;
        if (n == 0 || name[0] == '-' || name[n - 1] == '-')
            return false;
        if (name[n] != '.')
            return name[n] == 0;
        name += n + 1;
    }
}

/* The one spelling we keep. */
static bool normalize(const char *name, char out[static CERTIFICATE_NAME_MAX])
{
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (inet_pton(AF_INET, name, &ipv4) == 1)
        return inet_ntop(AF_INET, &ipv4, out, CERTIFICATE_NAME_MAX) != NULL;
    if (inet_pton(AF_INET6, name, &ipv6) == 1)
        return inet_ntop(AF_INET6, &ipv6, out, CERTIFICATE_NAME_MAX) != NULL;
    size_t length = strnlen(name, CERTIFICATE_NAME_MAX);
    if (length == CERTIFICATE_NAME_MAX || !is_host_name(name))
        return false;
    for (size_t i = 0; i <= length; i++)
        out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    return true;
}

static bool have_normalized(const struct certificate_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return true;
    return false;
}

bool certificate_names_add(struct certificate_names *names, const char *name)
{
    char normal[CERTIFICATE_NAME_MAX];
    if (!normalize(name, normal))
        return false;
    if (have_normalized(names, normal))
        return true;
    if (names->count == CERTIFICATE_NAMES_MAX)
        return false;
    memcpy(names->name[names->count++], normal, sizeof normal);
    return true;
}

bool certificate_names_have(const struct certificate_names *names, const char *name)
{
    char normal[CERTIFICATE_NAME_MAX];
    return normalize(name, normal) && have_normalized(names, normal);
}

static struct san san_of(const char *name)
{
    struct san san = {.type = GNUTLS_SAN_IPADDRESS, .length = 4};
    if (inet_pton(AF_INET, name, san.bytes) == 1)
        return san;
    san.length = 16;
    if (inet_pton(AF_INET6, name, san.bytes) == 1)
        return san;
    san.type = GNUTLS_SAN_DNSNAME;
    san.length = (unsigned)strnlen(name, CERTIFICATE_NAME_MAX);
    memcpy(san.bytes, name, san.length);
    return san;
}

static gnutls_datum_t datum_of(const char *text)
{
    return (gnutls_datum_t){.data = (unsigned char *)text, .size = (unsigned)strlen(text)};
}

/* Moves a text of the library into our buffer, and wipes it there: it may be a key. */
static bool move_text(gnutls_datum_t *text, char pem[static CERTIFICATE_PEM_MAX])
{
    bool ok = text->size < CERTIFICATE_PEM_MAX;
    if (ok) {
        memcpy(pem, text->data, text->size);
        pem[text->size] = 0;
    }
    explicit_bzero(text->data, text->size);
    gnutls_free(text->data);
    return ok;
}

bool certificate_make_key(char pem[static CERTIFICATE_PEM_MAX])
{
    gnutls_x509_privkey_t key;
    gnutls_datum_t text;
    unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
    if (gnutls_x509_privkey_init(&key) < 0)
        return false;
    bool ok = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, bits, 0) >= 0 &&
              gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                                &text) >= 0 &&
              move_text(&text, pem);
    gnutls_x509_privkey_deinit(key);
    return ok;
}

/* Key and certificate, always both, so that there is one way to free them. */
struct pair {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
};

static bool pair_init(struct pair *p)
{
    if (gnutls_x509_privkey_init(&p->key) < 0)
        return false;
    if (gnutls_x509_crt_init(&p->certificate) >= 0)
        return true;
    gnutls_x509_privkey_deinit(p->key);
    return false;
}

static void pair_free(struct pair *p)
{
    gnutls_x509_crt_deinit(p->certificate);
    gnutls_x509_privkey_deinit(p->key);
}

static bool read_key(gnutls_x509_privkey_t key, const char *pem)
{
    gnutls_datum_t text = datum_of(pem);
    return gnutls_x509_privkey_import2(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0;
}

static bool set_serial(gnutls_x509_crt_t certificate)
{
    unsigned char serial[SERIAL_LEN];
    if (gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial) < 0)
        return false;
    serial[0] = (serial[0] & 0x7F) | 0x40; /* positive, and without a leading zero byte */
    return gnutls_x509_crt_set_serial(certificate, serial, sizeof serial) >= 0;
}

/* On 32-bit ARM GnuTLS's time_t ends with 2038. */
static time_t to_time(int64_t s)
{
    return sizeof(time_t) == sizeof(int32_t) && s > INT32_MAX ? (time_t)INT32_MAX : (time_t)s;
}

static bool set_times(gnutls_x509_crt_t certificate, const struct certificate_request *r)
{
    int64_t end_s = r->now_s + (int64_t)r->valid_days * DAY_S;
    return gnutls_x509_crt_set_activation_time(certificate, to_time(r->now_s - DAY_S)) >= 0 &&
           gnutls_x509_crt_set_expiration_time(certificate, to_time(end_s)) >= 0;
}

static const char *purpose_of(const struct certificate_request *r)
{
    return r->for_server ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT;
}

static bool set_uses(gnutls_x509_crt_t certificate, const struct certificate_request *r)
{
    return gnutls_x509_crt_set_basic_constraints(certificate, 0, -1) >= 0 &&
           gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE) >= 0 &&
           gnutls_x509_crt_set_key_purpose_oid(certificate, purpose_of(r), 0) >= 0;
}

static bool set_common_name(gnutls_x509_crt_t certificate, const char *name)
{
    size_t length = strnlen(name, COMMON_NAME_MAX + 1);
    return length > 0 && length <= COMMON_NAME_MAX &&
           gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                         (unsigned)length) >= 0;
}

static bool set_names(gnutls_x509_crt_t certificate, const struct certificate_names *names)
{
    for (size_t i = 0; names && i < names->count; i++) {
        struct san san = san_of(names->name[i]);
        if (gnutls_x509_crt_set_subject_alt_name(certificate, san.type, san.bytes, san.length,
                                                 GNUTLS_FSAN_APPEND) < 0)
            return false;
    }
    return true;
}

static bool fill_in(const struct pair *p, const struct certificate_request *request)
{
    return gnutls_x509_crt_set_version(p->certificate, 3) >= 0 && set_serial(p->certificate) &&
           set_times(p->certificate, request) && set_uses(p->certificate, request) &&
           set_common_name(p->certificate, request->common_name) &&
           set_names(p->certificate, request->names) &&
           gnutls_x509_crt_set_key(p->certificate, p->key) >= 0;
}

static bool sign(const struct pair *p)
{
    return gnutls_x509_crt_sign2(p->certificate, p->certificate, p->key, GNUTLS_DIG_SHA256, 0) >= 0;
}

bool certificate_make(const char *key_pem, const struct certificate_request *request,
                      char pem[static CERTIFICATE_PEM_MAX])
{
    struct pair p;
    gnutls_datum_t text;
    if (!pair_init(&p))
        return false;
    bool ok = read_key(p.key, key_pem) && fill_in(&p, request) && sign(&p) &&
              gnutls_x509_crt_export2(p.certificate, GNUTLS_X509_FMT_PEM, &text) >= 0 &&
              move_text(&text, pem);
    pair_free(&p);
    return ok;
}

static bool read_pair(const struct pair *p, const char *key_pem, const char *pem)
{
    gnutls_datum_t text = datum_of(pem);
    return read_key(p->key, key_pem) &&
           gnutls_x509_crt_import(p->certificate, &text, GNUTLS_X509_FMT_PEM) >= 0;
}

static bool belongs_to_key(const struct pair *p)
{
    unsigned char a[SHA256_LEN], b[SHA256_LEN];
    size_t a_len = sizeof a, b_len = sizeof b;
    return gnutls_x509_crt_get_key_id(p->certificate, GNUTLS_KEYID_USE_SHA256, a, &a_len) >= 0 &&
           gnutls_x509_privkey_get_key_id(p->key, GNUTLS_KEYID_USE_SHA256, b, &b_len) >= 0 &&
           a_len == b_len && memcmp(a, b, a_len) == 0;
}

/* A bit that the card lost does not show before a client refuses the signature, so it is verified.  The
 * list of trusted ones holds the certificate itself; the flags have the library verify it all the same. */
static bool is_signed_by_itself(gnutls_x509_crt_t certificate)
{
    const unsigned flags = GNUTLS_VERIFY_DO_NOT_ALLOW_SAME | GNUTLS_VERIFY_DISABLE_CA_SIGN |
                           GNUTLS_VERIFY_DISABLE_TIME_CHECKS;
    unsigned faults = 0;
    return gnutls_x509_crt_check_issuer(certificate, certificate) &&
           gnutls_x509_crt_verify(certificate, &certificate, 1, flags, &faults) >= 0 && faults == 0;
}

static bool is_ending(gnutls_x509_crt_t certificate, int64_t now_s, int margin_days)
{
    int64_t end_s = gnutls_x509_crt_get_expiration_time(certificate);
    return gnutls_x509_crt_get_activation_time(certificate) > now_s ||
           end_s - now_s <= (int64_t)margin_days * DAY_S;
}

static bool has_bytes(const gnutls_datum_t *d, const char *bytes, size_t length)
{
    return d->size == length && memcmp(d->data, bytes, length) == 0;
}

/* Bytes as they are: gnutls_x509_crt_get_dn_by_oid() escapes commas and the like. */
static bool has_common_name(gnutls_x509_crt_t certificate, const char *name)
{
    static const char oid[] = GNUTLS_OID_X520_COMMON_NAME;
    gnutls_x509_dn_t subject;
    gnutls_x509_ava_st part;
    if (gnutls_x509_crt_get_subject(certificate, &subject) < 0)
        return false;
    for (int i = 0; gnutls_x509_dn_get_rdn_ava(subject, i, 0, &part) >= 0; i++)
        if (has_bytes(&part.oid, oid, sizeof oid)) /* the library counts its NUL */
            return has_bytes(&part.value, name, strlen(name));
    return false;
}

static bool same_san(const struct san *a, const struct san *b)
{
    if (a->type != b->type || a->length != b->length)
        return false;
    if (a->type == GNUTLS_SAN_IPADDRESS)
        return memcmp(a->bytes, b->bytes, a->length) == 0;
    return strncasecmp((const char *)a->bytes, (const char *)b->bytes, a->length) == 0;
}

static bool has_name(gnutls_x509_crt_t certificate, const char *name)
{
    struct san wanted = san_of(name), found;
    for (unsigned i = 0;; i++) {
        size_t length = sizeof found.bytes;
        int type = gnutls_x509_crt_get_subject_alt_name(certificate, i, found.bytes, &length, NULL);
        if (type == GNUTLS_E_SHORT_MEMORY_BUFFER) /* longer than any of ours */
            continue;
        if (type < 0)
            return false;
        found.type = (gnutls_x509_subject_alt_name_t)type;
        found.length = (unsigned)length;
        if (same_san(&found, &wanted))
            return true;
    }
}

static bool has_names(gnutls_x509_crt_t certificate, const struct certificate_request *wanted)
{
    for (size_t i = 0; wanted->names && i < wanted->names->count; i++)
        if (!has_name(certificate, wanted->names->name[i]))
            return false;
    return has_common_name(certificate, wanted->common_name);
}

enum certificate_state certificate_check(const char *key_pem, const char *pem,
                                         const struct certificate_request *wanted, int margin_days)
{
    struct pair p;
    enum certificate_state state = CERTIFICATE_GOOD;
    if (!pair_init(&p))
        return CERTIFICATE_UNUSABLE;
    if (!read_pair(&p, key_pem, pem) || !belongs_to_key(&p) || !is_signed_by_itself(p.certificate) ||
        !gnutls_x509_crt_check_key_purpose(p.certificate, purpose_of(wanted), 0))
        state = CERTIFICATE_UNUSABLE;
    else if (is_ending(p.certificate, wanted->now_s, margin_days))
        state = CERTIFICATE_ENDING;
    else if (!has_names(p.certificate, wanted))
        state = CERTIFICATE_OTHER_NAMES;
    pair_free(&p);
    return state;
}
