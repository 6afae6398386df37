#include "http_certificate.h"

#include <stdint.h>
#include <string.h>

static void free_pair(struct http_key_pair *p)
{
    for (unsigned i = 0; i < p->count; i++)
        gnutls_pcert_deinit(&p->chain[i]);
    if (p->key)
        gnutls_privkey_deinit(p->key);
    memset(p, 0, sizeof *p);
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
}

/* The first certificate's key is the one: by its id. */
static bool belong_together(const struct http_key_pair *p)
{
    unsigned char of_key[64], of_certificate[64];
    size_t n = sizeof of_key, m = sizeof of_certificate;
    gnutls_pubkey_t public;
    if (gnutls_pubkey_init(&public) < 0)
        return false;
    bool ok = gnutls_pubkey_import_privkey(public, p->key, 0, 0) == 0 &&
              gnutls_pubkey_get_key_id(public, 0, of_key, &n) == 0 &&
              gnutls_pubkey_get_key_id(p->chain[0].pubkey, 0, of_certificate, &m) == 0 && n == m &&
              memcmp(of_key, of_certificate, n) == 0;
    gnutls_pubkey_deinit(public);
    return ok;
}

static bool read_pair(struct http_key_pair *p, const char *key_pem, const char *chain_pem)
{
    const gnutls_datum_t key = datum(key_pem), chain = datum(chain_pem);
    memset(p, 0, sizeof *p);
    if (gnutls_privkey_init(&p->key) < 0)
        return false;
    unsigned count = HTTP_CHAIN_MAX;
    if (gnutls_privkey_import_x509_raw(p->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0) == 0 &&
        gnutls_pcert_list_import_x509_raw(p->chain, &count, &chain, GNUTLS_X509_FMT_PEM,
                                          GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED) == 0) {
        p->count = count;
        if (count && belong_together(p))
            return true;
    }
    free_pair(p);
    return false;
}

bool http_certificate_use(struct http_certificate *c, const char *key_pem, const char *chain_pem)
{
    struct http_key_pair fresh;
    if (!read_pair(&fresh, key_pem, chain_pem))
        return false;
    free_pair(&c->before);
    c->before = c->now;
    c->now = fresh;
    return true;
}

void http_certificate_free(struct http_certificate *c)
{
    free_pair(&c->before);
    free_pair(&c->now);
}

/* NOLINTNEXTLINE(readability-function-size): the library's type */
int http_certificate_show(gnutls_session_t session, const gnutls_datum_t *authorities,
                          int authority_count, const gnutls_pk_algorithm_t *algorithms,
                          int algorithm_count, gnutls_pcert_st **chain, unsigned *count,
                          gnutls_privkey_t *key)
{
    struct http_certificate *c = gnutls_session_get_ptr(session);
    (void)authorities;
    (void)authority_count;
    (void)algorithms;
    (void)algorithm_count;
    *chain = c->now.chain;
    *count = c->now.count;
    *key = c->now.key;
    return 0;
}
