/* broker_tls.h - TLS to a broker (OpenSSL, which libmosquitto is made with): 1.2 or later, and always verified.
 *
 * There are three ways to trust a broker and no way not to look: the system's store, certificates of one's own CA, or
 * the broker's key itself.  With a CA, chain, name and dates are verified (RFC 5280, RFC 9525); with a pinned key, the
 * SHA-256 of the key's SubjectPublicKeyInfo (as RFC 7469) and the dates: whoever holds that key is the broker, whatever
 * name it is reached by.  Names stand in subjectAltName: a certificate with nothing but a common name is refused, and
 * the problem says how to make it.
 *
 * Calls may run on several threads, each with a context of its own.
 */
#ifndef BROKER_TLS_H
#define BROKER_TLS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BROKER_TLS_ERROR_MAX = 200,
    BROKER_TLS_CA_MAX = 8192,       /* of the setting, with its NUL */
    BROKER_TLS_IDENTITY_MAX = 16384 /* of a certificate chain, of a key: with its NUL */
};

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

struct broker_tls_settings {
    const char *host; /* name or address in the URL, without brackets */
    const char *
        ca; /* "": the system's store; "sha256:" and 64 hex digits or the base64 of 32 bytes; else PEM */
    const char *certificate, *key; /* of ours, PEM (a chain may follow the certificate); "": none */
    int64_t now_s; /* UTC at which certificates are judged; READING_NO_TIME: the system's clock */
};

/* One connection's worth of TLS. */
struct broker_tls;

/* Makes the context.  Reads the system's store: for a worker.  NULL: `error` says what cannot be used. */
struct broker_tls *broker_tls_new(const struct broker_tls_settings *settings,
                                  char error[static BROKER_TLS_ERROR_MAX]);

/* After the client that uses the context is gone: its callbacks look here.  NULL: nothing to do. */
void broker_tls_free(struct broker_tls *t);

/* For MOSQ_OPT_SSL_CTX, with MOSQ_OPT_SSL_CTX_WITH_DEFAULTS set to 0, which is not its default.  Stays t's:
 * libmosquitto takes a reference of its own, and gives it back in mosquitto_destroy(). */
struct ssl_ctx_st *broker_tls_context(struct broker_tls *t);

/* After a handshake failed: one line that says what was wrong with the broker's certificate, or which alert ended it,
 * and what to do; "" when it was neither.  With TLS 1.3 a broker refuses our certificate after mosquitto_connect() has
 * succeeded: ask when the connection is lost, too. */
const char *broker_tls_problem(const struct broker_tls *t);

/* When the connection was lost before the broker said yes and there is no problem to tell, since its alert was lost,
 * too: what is likely to be wrong, and what to do; "" when nothing is. */
const char *broker_tls_suspicion(const struct broker_tls *t);

/* Checks the form of the setting `ca`, and writes it in its usual form, which may be longer: "sha256:" with lower-case
 * hex digits, PEM with LF line ends and nothing but certificates.  False: `error` says what is wrong. */
bool broker_tls_check_ca(char ca[static BROKER_TLS_CA_MAX], char error[static BROKER_TLS_ERROR_MAX]);

/* Checks that a certificate (a chain may follow) can identify a client and that the key is its own, unencrypted.
 * False: `error` says what is wrong, and *of_key whether the key is at fault. */
bool broker_tls_check_identity(const char *certificate, const char *key, bool *of_key,
                               char error[static BROKER_TLS_ERROR_MAX]);

/* Writes certificate and key, which were checked, in their usual form: nothing but certificates, and the key as
 * PKCS #8.  False: they do not fit, or memory is out. */
bool broker_tls_tidy_identity(char certificate[static BROKER_TLS_IDENTITY_MAX],
                              char key[static BROKER_TLS_IDENTITY_MAX]);

/* What people want to know of a certificate. */
struct broker_tls_facts {
    char subject[256], issuer[256]; /* RFC 2253, UTF-8 */
    int64_t not_before_s, not_after_s;
    char sha256[65]; /* of the certificate (DER), lower-case hex: what brokers call its fingerprint */
    char key_sha256[65]; /* of its key, as the setting `ca` has it */
};

/* Of the first certificate of the text.  False: it cannot be read. */
bool broker_tls_read(const char *certificate, struct broker_tls_facts *facts);

#endif
