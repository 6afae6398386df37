/* http_certificate.h - the certificate the HTTPS server shows, changed while it runs. */
#ifndef HTTP_CERTIFICATE_H
#define HTTP_CERTIFICATE_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>

enum { HTTP_CHAIN_MAX = 6 };

/* Key and chain as GnuTLS wants them. */
struct http_key_pair {
    gnutls_privkey_t key; /* NULL: none */
    gnutls_pcert_st chain[HTTP_CHAIN_MAX];
    unsigned count;
};

struct http_certificate {
    struct http_key_pair now;
    struct http_key_pair before; /* handshakes under way may still use it */
};

/* Shows these from now on, to new connections.  Two PEM texts.  False: they cannot be read or do not belong together;
 * what was shown stays. */
bool http_certificate_use(struct http_certificate *c, const char *key_pem, const char *chain_pem);
void http_certificate_free(struct http_certificate *c);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK; the session's pointer is a struct http_certificate. */
int http_certificate_show(gnutls_session_t session, const gnutls_datum_t *authorities,
                          int authority_count, const gnutls_pk_algorithm_t *algorithms,
                          int algorithm_count, gnutls_pcert_st **chain, unsigned *count,
                          gnutls_privkey_t *key);

#endif
